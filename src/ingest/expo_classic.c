/* expo_classic.c -- classic histograms of text pages given out as native ones with custom buckets:
 * the series of one histogram (buckets, sum, count) are gathered until another one's begin. What
 * makes no histogram is left out in silence, as upstream does. */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "ingest/expo_histogram.h"
#include "ingest/expo_priv.h"

struct expo_gather {
    bool open, bad;
    struct expo_classic histogram;
    str name;             /* of the family */
    struct label *labels; /* without le, in the page's order; in the parser's arena */
    size_t label_count;
    hash128 hash; /* of these */
    bool has_ts;
    int64_t ts_ms, start_ts_ms;
    struct expo_exemplar *exemplars; /* in the arena */
    size_t exemplar_count, exemplar_cap;
    struct buf key;
    bool given;   /* the present entry is the histogram */
    bool stashed; /* the reader is one entry ahead: */
    struct expo_entry ahead;
};

void expo_gather_open(struct expo *p)
{
    p->gather = mem_zalloc(1, sizeof(*p->gather));
}

void expo_gather_close(struct expo *p)
{
    if (p->gather != NULL)
        buf_fini(&p->gather->key);
    mem_free(p->gather);
}

static err no_memory(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "page needs more than %d bytes of memory", EXPO_ARENA_BYTES_MAX);
}

enum member { MEMBER_NONE, MEMBER_BUCKET, MEMBER_SUM, MEMBER_COUNT };

static enum member member_of(const struct expo *p, str name)
{
    if (p->type != METRIC_HISTOGRAM || !str_starts(name, p->meta_name))
        return MEMBER_NONE;
    str suffix = {name.ptr + p->meta_name.len, name.len - p->meta_name.len};
    return str_eq(suffix, STR("_bucket"))  ? MEMBER_BUCKET
           : str_eq(suffix, STR("_sum"))   ? MEMBER_SUM
           : str_eq(suffix, STR("_count")) ? MEMBER_COUNT
                                           : MEMBER_NONE;
}

/* The labels of the series just read: le apart, the others hashed. False: a bucket without a bound.
 */
static bool split(struct label *items, size_t *count, double *bound, hash128 *hash,
                  struct buf *text)
{
    size_t kept = 0;
    bool found = false;
    buf_reset(text);
    for (size_t i = 0; i < *count; i++) {
        if (str_eq(items[i].name, LABEL_NAME))
            continue;
        if (str_eq(items[i].name, LABEL_BUCKET)) {
            found = number_parse_f64(items[i].value, false, bound) == OK;
            continue;
        }
        buf_put_string(text, items[i].name);
        buf_put_string(text, items[i].value);
        items[kept++] = items[i];
    }
    *count = kept;
    *hash = hash128_of(buf_slice(text), 0);
    return found;
}

/* The histogram that has been gathered, if it is one. ERR_NOTFOUND: it is none. */
static err give(struct expo *p, struct expo_entry *e, struct diag *d)
{
    struct expo_gather *g = p->gather;
    struct histogram *h = NULL;
    struct diag why = {.text = ""};
    g->open = false;
    if (g->bad)
        return ERR_NOTFOUND;
    err r = expo_classic_convert(&g->histogram, &p->arena, &h, &why);
    if (r != OK)
        return r == ERR_INVALID ? ERR_NOTFOUND : no_memory(d);
    buf_reset(&g->key);
    buf_put_string(&g->key, g->name);
    for (size_t i = 0; i < g->label_count; i++) {
        buf_put_string(&g->key, g->labels[i].name);
        buf_put_string(&g->key, g->labels[i].value);
    }
    buf_put_u8(&g->key, 0xff); /* no key of a text page ends so */
    *e = (struct expo_entry){.kind = EXPO_HISTOGRAM,
                             .key = buf_slice(&g->key),
                             .has_ts = g->has_ts,
                             .ts_ms = g->ts_ms,
                             .start_ts_ms = g->start_ts_ms,
                             .histogram = h,
                             .exemplars = g->exemplars,
                             .exemplar_count = g->exemplar_count};
    g->given = true;
    return OK;
}

static err add_exemplar(struct expo *p, const struct expo_entry *e, struct diag *d)
{
    struct expo_gather *g = p->gather;
    if (e->exemplar_count == 0)
        return OK;
    if (g->exemplar_count == g->exemplar_cap) {
        size_t cap = g->exemplar_cap * 2 + 4;
        struct expo_exemplar *more =
            arena_grow(&p->arena, g->exemplars, g->exemplar_count, cap, sizeof(*more));
        if (more == NULL)
            return no_memory(d);
        g->exemplars = more;
        g->exemplar_cap = cap;
    }
    g->exemplars[g->exemplar_count++] = e->exemplars[0];
    return OK;
}

static void begin(struct expo *p, struct label *labels, size_t count, hash128 hash,
                  const struct expo_entry *e)
{
    struct expo_gather *g = p->gather;
    struct buf key = g->key;
    *g = (struct expo_gather){.open = true,
                              .name = p->meta_name,
                              .labels = labels,
                              .label_count = count,
                              .hash = hash,
                              .has_ts = e->has_ts,
                              .ts_ms = e->ts_ms,
                              .start_ts_ms = e->start_ts_ms,
                              .key = key};
}

static err add(struct expo *p, enum member m, double bound, bool bounded,
               const struct expo_entry *e, struct diag *d)
{
    struct expo_gather *g = p->gather;
    struct diag why = {.text = ""};
    if (m == MEMBER_SUM) {
        g->histogram.sum = e->value;
    } else if (m == MEMBER_COUNT) {
        g->histogram.count = e->value;
        g->histogram.has_count = true;
    } else if (!bounded || g->bad) {
        g->bad = true;
    } else {
        err r = expo_classic_add(&g->histogram, bound, e->value, &p->arena, &why);
        if (r == ERR_LIMIT)
            return diag_set(d, r, "%s", why.text);
        g->bad = r != OK;
    }
    return add_exemplar(p, e, d);
}

/* Take in a series of a histogram. *flushed: the one before it was given to `out`. */
static err gather(struct expo *p, enum member m, const struct expo_entry *e, struct expo_entry *out,
                  bool *flushed, struct diag *d)
{
    struct expo_gather *g = p->gather;
    struct label *items;
    size_t count;
    double bound = 0;
    hash128 hash;
    struct buf text = {0};
    if (expo_labels(p, &p->arena, &items, &count) != OK)
        return no_memory(d);
    bool bounded = split(items, &count, &bound, &hash, &text);
    buf_fini(&text);
    bool same = g->open && hash128_eq(hash, g->hash) && str_eq(g->name, p->meta_name);
    *flushed = false;
    if (g->open && !same) {
        err r = give(p, out, d);
        if (r != OK && r != ERR_NOTFOUND)
            return r;
        *flushed = r == OK;
    }
    if (!same) { /* `out` borrows from what begin() lets go: arena and key stay */
        bool given = g->given;
        begin(p, items, count, hash, e);
        g->given = given;
    }
    return add(p, m, bound, bounded, e, d);
}

err expo_gather_next(struct expo *p, struct expo_entry *e, struct diag *d)
{
    struct expo_gather *g = p->gather;
    g->given = false;
    if (g->stashed) {
        *e = g->ahead;
        g->stashed = false;
        return OK;
    }
    for (;;) {
        struct expo_entry inner = {.kind = EXPO_END}, out = inner;
        bool flushed = false;
        TRY(p->options.format == EXPO_TEXT ? expo_text_next(p, &inner, d)
                                           : expo_om_next(p, &inner, d));
        enum member m = inner.kind == EXPO_SERIES
                            ? member_of(p, expo_text(p, p->name.at, p->name.end))
                            : MEMBER_NONE;
        if (m != MEMBER_NONE) {
            TRY(gather(p, m, &inner, &out, &flushed, d));
            if (!flushed && !p->options.classic_histograms)
                continue;
        } else if (g->open && inner.kind != EXPO_COMMENT) {
            err r = give(p, &out, d);
            if (r != OK && r != ERR_NOTFOUND)
                return r;
            flushed = r == OK;
        }
        g->ahead = inner;
        g->stashed = flushed && (m == MEMBER_NONE || p->options.classic_histograms);
        *e = flushed ? out : inner;
        return OK;
    }
}

bool expo_gather_is_busy(const struct expo *p)
{
    return p->gather->open || p->gather->stashed || p->type == METRIC_HISTOGRAM;
}

bool expo_gather_labels(const struct expo *p, struct arena *a, struct label **out, size_t *count)
{
    const struct expo_gather *g = p->gather;
    if (!g->given)
        return false;
    /* The labels of the histogram given are in its key: those of `g` may be the next one's already.
     */
    struct reader r = reader_of(buf_slice(&g->key));
    size_t n = 0, room = g->key.len / 2 + 1;
    struct label *items = ARENA_ARRAY(a, struct label, MIN(room, (size_t)EXPO_LABELS_MAX + 4));
    *out = items;
    *count = 0;
    if (items == NULL)
        return true;
    items[n++] = (struct label){LABEL_NAME, slice_text(read_string(&r))};
    while (reader_left(&r) > 1 && n < EXPO_LABELS_MAX + 4) {
        str name = slice_text(read_string(&r));
        items[n++] = (struct label){name, slice_text(read_string(&r))};
    }
    *count = n;
    return true;
}
