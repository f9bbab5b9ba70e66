/* query_track.c -- see query_track.h. */
#include "http/query_track.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "http/api.h"

struct track {
    struct active_query active;
    struct active_queries *list;
    struct buf text; /* of several selectors */
};

static void track_end(void *arg)
{
    struct track *t = arg;
    active_remove(t->list, &t->active);
    buf_fini(&t->text);
    mem_free(t);
}

/* What kind of work a path is. */
static const char *kind_of(str path)
{
    static const struct {
        const char *path, *kind;
    } KINDS[] = {{"/api/v1/query_range", "query_range"},
                 {"/api/v1/query_exemplars", "query_exemplars"},
                 {"/api/v1/query", "query"},
                 {"/api/v1/series", "series"},
                 {"/api/v1/labels", "labels"},
                 {"/api/v1/label/", "label_values"},
                 {"/api/v1/search/", "search"},
                 {"/api/v1/status/tsdb", "cardinality"},
                 {"/api/v1/read", "read"},
                 {"/federate", "federate"}};
    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (str_starts(path, str_from(KINDS[i].path)))
            return KINDS[i].kind;
    return "other";
}

/* The expression, or all selectors with commas between. */
static str text_of(const struct http_request *r, struct buf *b)
{
    str query = http_param(r, STR("query"));
    if (query.ptr != NULL)
        return query;
    str s;
    for (size_t i = 0; (s = http_param_nth(r, STR("match[]"), i)).ptr != NULL; i++) {
        if (i > 0)
            buf_put_str(b, STR(", "));
        buf_put_str(b, s);
        if (b->len > ACTIVE_TEXT_MAX)
            break; /* a copy is cut there anyway */
    }
    return b->len > 0 ? buf_str(b) : STR("");
}

static void read_origin(struct http_request *r, struct query_origin *o)
{
    o->client = http_client(r);
    for (unsigned t = 0; t < ORIGIN_TAG_COUNT; t++)
        o->tags[t] = http_header(r, origin_header((enum origin_tag)t));
}

/* Times as far as they can be read: the handler will complain about others. */
static void read_times(const struct http_request *r, struct active_info *i)
{
    struct diag d;
    str time = http_param(r, STR("time"));
    int64_t now_ms = clock_wall_ms();
    if (timestamp_parse(http_param(r, STR("start")), &i->start_ms, &d) != OK &&
        timestamp_parse(time, &i->start_ms, &d) != OK)
        i->start_ms = now_ms;
    if (timestamp_parse(http_param(r, STR("end")), &i->end_ms, &d) != OK &&
        timestamp_parse(time, &i->end_ms, &d) != OK)
        i->end_ms = MAX(i->start_ms, now_ms);
    if (duration_param_parse(http_param(r, STR("step")), &i->step_ms, &d) != OK)
        i->step_ms = 0;
}

void query_track_queue(struct http_request *r)
{
    struct track *t = mem_zalloc(1, sizeof(*t));
    t->list = &api_of(r)->insight.active;
    t->active.cancel = http_cancel_flag(r);
    t->active.info.kind = kind_of(http_path(r));
    t->active.info.query = text_of(r, &t->text);
    t->active.info.start_mono_ns = http_start_mono_ns(r);
    read_times(r, &t->active.info);
    read_origin(r, &t->active.info.origin);
    active_add(t->list, &t->active);
    http_on_end(r, track_end, t);
}

static struct track *track_of(struct http_request *r)
{
    return http_end_arg(r, track_end);
}

struct active_query *query_track_of(struct http_request *r)
{
    struct track *t = track_of(r);
    return t != NULL ? &t->active : NULL;
}

void query_track_run(struct http_request *r)
{
    struct track *t = track_of(r);
    if (t != NULL)
        active_run(&t->active);
}

void query_track_times(struct http_request *r, int64_t start_ms, int64_t end_ms, int64_t step_ms)
{
    struct track *t = track_of(r);
    if (t != NULL)
        active_times(t->list, &t->active, start_ms, end_ms, step_ms);
}

void query_track_sending(struct http_request *r)
{
    struct track *t = track_of(r);
    if (t != NULL)
        active_sending(&t->active);
}

void query_track_holds(struct http_request *r, uint64_t bytes)
{
    struct track *t = track_of(r);
    if (t != NULL)
        atomic_store_explicit(&t->active.progress.memory_bytes, bytes, memory_order_relaxed);
}

bool query_track_was_canceled(struct http_request *r)
{
    struct track *t = track_of(r);
    return t != NULL && active_was_canceled(t->list, &t->active);
}
