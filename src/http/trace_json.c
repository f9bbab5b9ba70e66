/* trace_json.c -- see trace_json.h. */
#include "http/trace_json.h"

#include <inttypes.h>

#include "base/clock.h"
#include "http/json.h"

static const struct {
    const char *key, *words; /* of the field; behind the number in the message, NULL: not in it */
} COUNTS[TRACE_COUNTS] = {
    [TRACE_STEPS] = {"steps", " steps"},
    [TRACE_SERIES] = {"series", " series"},
    [TRACE_SAMPLES] = {"samples", " samples"},
    [TRACE_CHUNKS] = {"chunks", " chunks"},
    [TRACE_BYTES] = {"bytes", " bytes"},
    [TRACE_CACHE_HITS] = {"cache_hits", " cache hits"},
    [TRACE_CACHE_MISSES] = {"cache_misses", NULL},
    [TRACE_THREADS] = {"threads", " threads"},
    [TRACE_READ_NS] = {"read_msec", NULL}, /* in milliseconds */
};

static void put_msec(struct buf *b, const char *key, uint64_t ns)
{
    buf_printf(b, "\"%s\":%.3f", key, (double)ns / 1e6);
}

static bool is_set(const struct trace_node *n, unsigned c)
{
    return (n->set & 1U << c) != 0;
}

static void put_message(struct buf *b, const struct trace_node *n)
{
    struct buf m = {0};
    bool any = false;
    buf_put_str(&m, str_from(n->what));
    if (n->text.len > 0)
        buf_printf(&m, " " STR_FMT, STR_ARG(n->text));
    for (unsigned c = 0; c < TRACE_COUNTS; c++) {
        if (!is_set(n, c) || COUNTS[c].words == NULL)
            continue;
        buf_put_str(&m, any ? STR(", ") : STR(": "));
        any = true;
        buf_printf(&m, "%" PRIu64 "%s", n->counts[c], COUNTS[c].words);
    }
    buf_put_str(b, STR(",\"message\":"));
    json_html(b, buf_str(&m));
    buf_fini(&m);
}

static void put_node(struct buf *b, const struct trace_node *n)
{
    buf_put_u8(b, '{');
    put_msec(b, "duration_msec", n->total_ns);
    put_message(b, n);
    buf_put_u8(b, ',');
    put_msec(b, "self_msec", trace_self_ns(n));
    buf_printf(b, ",\"operation\":\"%s\"", n->what);
    if (n->text.len > 0) {
        buf_put_str(b, STR(",\"expr\":"));
        json_html(b, n->text);
    }
    for (unsigned c = 0; c < TRACE_COUNTS; c++) {
        if (!is_set(n, c))
            continue;
        buf_put_u8(b, ',');
        if (c == TRACE_READ_NS)
            put_msec(b, COUNTS[c].key, n->counts[c]);
        else
            buf_printf(b, "\"%s\":%" PRIu64, COUNTS[c].key, n->counts[c]);
    }
    if (n->first != NULL)
        buf_put_str(b, STR(",\"children\":["));
    for (const struct trace_node *c = n->first; c != NULL; c = c->next) {
        put_node(b, c); /* as deep as expressions nest, which is bounded */
        buf_put_u8(b, c->next != NULL ? ',' : ']');
    }
    buf_put_u8(b, '}');
}

static void put_stage(struct buf *b, const char *what, uint64_t ns)
{
    struct trace_node n = {.what = what, .text = STR(""), .total_ns = ns};
    put_node(b, &n);
    buf_put_u8(b, ',');
}

void trace_json(struct buf *b, const struct trace *t, const struct trace_request *r)
{
    if (t == NULL)
        return;
    uint64_t total_ns = clock_mono_ns() - r->start_mono_ns;
    struct buf m = {0};
    buf_printf(&m,
               STR_FMT ": start=%" PRId64 ", end=%" PRId64 ", step=%" PRId64 ", query=" STR_FMT
                       ": %" PRIu64 " series, %" PRIu64 " samples",
               STR_ARG(r->path), r->start_ms, r->end_ms, r->step_ms, STR_ARG(r->query),
               t->root->counts[TRACE_SERIES], r->stats->samples_read);
    buf_put_str(b, STR(",\"trace\":{"));
    put_msec(b, "duration_msec", total_ns);
    buf_put_str(b, STR(",\"message\":"));
    json_html(b, buf_str(&m));
    buf_printf(b,
               ",\"operation\":\"request\",\"series\":%" PRIu64 ",\"samples\":%" PRIu64
               ",\"chunks\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"memory_bytes\":%" PRIu64,
               t->root->counts[TRACE_SERIES], r->stats->samples_read, r->stats->chunks_read,
               r->stats->bytes_read, r->stats->memory_bytes_peak);
    if (r->stats->steps_cached > 0)
        buf_printf(b, ",\"steps_cached\":%" PRIu64, r->stats->steps_cached);
    if (t->dropped > 0)
        buf_printf(b, ",\"nodes_dropped\":%zu", t->dropped);
    buf_put_str(b, STR(",\"children\":["));
    put_stage(b, "wait for a worker", r->queue_ns);
    put_stage(b, "parse", r->stats->parse_ns);
    put_stage(b, "plan", r->stats->prepare_ns - MIN(r->stats->parse_ns, r->stats->prepare_ns));
    put_node(b, t->root);
    buf_put_u8(b, ',');
    put_stage(b, "write the answer", r->answer_ns);
    b->len--; /* the comma */
    buf_put_str(b, STR("]}"));
    buf_fini(&m);
}
