/* api_queries.c -- status/active_queries: what runs now, and ending it. Fields that VictoriaMetrics
 * has keep their names and units there. */
#include <inttypes.h>
#include <stdio.h>

#include "http/api.h"
#include "http/json.h"

enum { LIST_BYTES_MAX = 256 << 20 };

static void put_origin(struct buf *b, const struct query_origin *o)
{
    buf_put_str(b, STR(",\"remote_addr\":"));
    json_html(b, o->client);
    for (unsigned t = 0; t < ORIGIN_TAG_COUNT; t++) {
        if (o->tags[t].len == 0)
            continue;
        buf_printf(b, ",\"%s\":", origin_key((enum origin_tag)t));
        json_html(b, o->tags[t]);
    }
}

static void put_active(struct buf *b, const struct active_copy *c)
{
    const struct active_info *i = &c->info;
    buf_printf(b, "{\"id\":\"%016" PRIX64 "\",\"kind\":\"%s\",\"state\":\"%s\",\"query\":", i->id,
               i->kind, active_state_text(c->state));
    json_html(b, i->query);
    if (i->query_bytes > i->query.len)
        buf_printf(b, ",\"queryBytes\":%zu", i->query_bytes);
    buf_printf(b,
               ",\"start\":%" PRId64 ",\"end\":%" PRId64 ",\"step\":%" PRId64
               ",\"duration\":\"%.3fs\",\"elapsedSeconds\":",
               i->start_ms, i->end_ms, i->step_ms, (double)c->elapsed_ns / 1e9);
    json_number(b, (double)c->elapsed_ns / 1e9);
    buf_put_str(b, STR(",\"queueSeconds\":"));
    json_number(b, (double)c->queue_ns / 1e9);
    buf_printf(b,
               ",\"series\":%" PRIu64 ",\"samples\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"memoryBytes\":%" PRIu64,
               c->series, c->samples, c->bytes, c->memory_bytes);
    put_origin(b, &i->origin);
    buf_put_u8(b, '}');
}

void api_active_queries(struct http_request *r)
{
    struct arena a;
    struct active_copy *list;
    size_t count;
    struct diag d = {.text = "the list of queries does not fit its memory limit"};
    arena_init(&a, LIST_BYTES_MAX);
    err e = active_list(&api_of(r)->insight.active, &a, &list, &count);
    if (e != OK) {
        api_fail_err(r, e, &d);
    } else {
        struct buf *b = api_begin(r);
        buf_put_u8(b, '[');
        for (size_t i = 0; i < count; i++) {
            if (i > 0)
                buf_put_u8(b, ',');
            put_active(b, &list[i]);
        }
        buf_put_u8(b, ']');
        api_end(b, NULL, 0, NULL, 0);
    }
    arena_fini(&a);
}

/* The 16 hexadecimal digits of /api/v1/status/active_queries/ID/cancel. */
static bool parse_id(str path, uint64_t *out)
{
    size_t skip = STR("/api/v1/status/active_queries/").len, n = 0;
    uint64_t id = 0;
    for (const char *p = path.ptr + skip; *p != '/'; p++, n++) {
        int digit = *p >= '0' && *p <= '9'   ? *p - '0'
                    : *p >= 'A' && *p <= 'F' ? *p - 'A' + 10
                    : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10
                                             : -1;
        if (digit < 0 || n == 16)
            return false;
        id = id << 4 | (unsigned)digit;
    }
    *out = id;
    return n == 16;
}

void api_cancel_query(struct http_request *r)
{
    uint64_t id = 0;
    if (!api_admin_allowed(r))
        return;
    if (!parse_id(http_path(r), &id)) {
        api_fail_param(r, "id", "not the id of a query: 16 hexadecimal digits");
        return;
    }
    if (active_cancel(&api_of(r)->insight.active, id) != OK) {
        api_fail(r, API_NOT_FOUND, "no active query has this id; it may have ended");
        return;
    }
    buf_printf(api_begin(r), "{\"id\":\"%016" PRIX64 "\"}", id);
    api_end(http_out(r), NULL, 0, NULL, 0);
}
