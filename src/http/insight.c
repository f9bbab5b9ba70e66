/* insight.c -- see insight.h. */
#include "http/insight.h"

#include "base/clock.h"
#include "base/log.h"
#include "query/parser.h"
#include "query/printer.h"

enum {
    KEEP_PERIOD_MS = 60 * 1000,
    KEPT_BYTES_MAX = 256 << 20,
    RESOLVE_BYTES_MAX = 256 << 20,
    RESOLVE_MS_MAX = 5000, /* for one selector */
};
static const char USAGE_NAME[] = "metric_usage", TOP_NAME[] = "top_queries";

void insight_init(struct insight *i)
{
    *i = (struct insight){.slow_ms = i->slow_ms};
    active_init(&i->active);
    query_log_init(&i->log);
    i->top = top_open(TOP_RECORDS_MAX, TOP_BYTES_MAX);
    i->usage = usage_open(USAGE_BYTES_MAX, clock_wall_ms() / 1000);
    for (unsigned s = 0; s < INSIGHT_STAGES; s++)
        timing_recent_init(&i->stages[s].recent);
    mutex_init(&i->lock);
    cond_init(&i->wake);
}

void insight_fini(struct insight *i)
{
    active_fini(&i->active);
    query_log_fini(&i->log);
    top_close(i->top);
    usage_close(i->usage);
    for (unsigned s = 0; s < INSIGHT_STAGES; s++)
        timing_recent_fini(&i->stages[s].recent);
    cond_fini(&i->wake);
    mutex_fini(&i->lock);
}

/* ---- Keeping ---- */

static void load(struct insight *i)
{
    struct buf usage = {0}, top = {0};
    bool bad = false;
    if (db_kept(i->db, USAGE_NAME, KEPT_BYTES_MAX, &usage) == OK)
        bad |= usage_decode(i->usage, buf_slice(&usage)) != OK;
    if (db_kept(i->db, TOP_NAME, KEPT_BYTES_MAX, &top) == OK)
        bad |= top_decode(i->top, buf_slice(&top)) != OK;
    if (bad)
        log_warn("statistics of queries cannot be read and begin anew");
    buf_fini(&top);
    buf_fini(&usage);
}

static void keep(struct insight *i, const char *name, struct buf *bytes)
{
    err e = db_keep(i->db, name, buf_slice(bytes));
    if (e != OK)
        log_warn("statistics of queries were not kept", LOG_CSTR("name", name), LOG_ERR(e));
    buf_fini(bytes);
}

static uint64_t changes_of(struct insight *i)
{
    struct usage_info u;
    usage_info_of(i->usage, &u);
    return u.changes;
}

/* Each query changes both. */
static void keep_all(struct insight *i, uint64_t *kept)
{
    struct buf usage = {0}, top = {0};
    if (changes_of(i) == *kept)
        return;
    insight_resolve(i);
    *kept = changes_of(i);
    usage_encode(i->usage, &usage);
    top_encode(i->top, &top);
    keep(i, USAGE_NAME, &usage);
    keep(i, TOP_NAME, &top);
}

static void *keeper_main(void *arg)
{
    struct insight *i = arg;
    uint64_t kept = changes_of(i);
    mutex_lock(&i->lock);
    while (!i->stop) {
        uint64_t until = clock_mono_ns() + UINT64_C(1000000) * KEEP_PERIOD_MS;
        while (!i->stop && cond_wait_until(&i->wake, &i->lock, until))
            ;
        mutex_unlock(&i->lock);
        keep_all(i, &kept);
        mutex_lock(&i->lock);
    }
    mutex_unlock(&i->lock);
    return NULL;
}

void insight_start(struct insight *i, struct db *db)
{
    i->db = db;
    load(i);
    i->running = thread_start(&i->thread, "insight", keeper_main, i) == OK;
}

void insight_stop(struct insight *i)
{
    if (!i->running)
        return;
    mutex_lock(&i->lock);
    i->stop = true;
    cond_signal(&i->wake);
    mutex_unlock(&i->lock);
    thread_join(i->thread);
    i->running = false;
}

/* ---- Metrics behind open selectors ---- */

static void resolve_one(struct insight *i, const struct usage_selector *s)
{
    struct arena a;
    struct diag d = {.text = ""};
    struct promql_options o = {0};
    struct matcher *matchers;
    struct db_select_args args = {.min_ms = INT64_MIN, .max_ms = INT64_MAX};
    str *names;
    size_t count = 0;
    bool more;
    args.deadline_mono_ns = clock_mono_ns() + UINT64_C(1000000) * RESOLVE_MS_MAX;
    arena_init(&a, RESOLVE_BYTES_MAX);
    if (promql_parse_selector(s->text, &o, &a, &matchers, &args.matcher_count, &d) == OK) {
        args.matchers = matchers;
        if (db_label_values(i->db, LABEL_NAME, &args, 0, &a, &names, &count, &more) != OK)
            count = 0;
        for (size_t k = 0; k < count; k++)
            usage_add(i->usage, names[k], s->requests, s->last_s);
        promql_selector_fini(matchers, args.matcher_count);
    }
    arena_fini(&a);
}

void insight_resolve(struct insight *i)
{
    struct arena a;
    struct usage_selector *list;
    size_t count;
    arena_init(&a, RESOLVE_BYTES_MAX);
    if (i->db != NULL && usage_take_selectors(i->usage, &a, &list, &count) == OK)
        for (size_t k = 0; k < count; k++)
            resolve_one(i, &list[k]);
    arena_fini(&a);
}

void insight_selector(struct insight *i, const struct matcher *matchers, size_t count)
{
    usage_count_selector(i->usage, matchers, count, clock_wall_ms() / 1000);
}

/* ---- A query has ended ---- */

static void log_slow(struct insight *i, const struct query_event *e)
{
    enum { OWN = 14 };
    static struct log_site site;
    struct log_field fields[OWN + ORIGIN_TAG_COUNT] = {
        LOG_STR("query", e->text),
        LOG_CSTR("kind", e->kind),
        LOG_F64("duration_s", (double)e->duration_ns / 1e9),
        LOG_F64("queue_s", (double)e->queue_ns / 1e9),
        LOG_INT("start_ms", e->start_ms),
        LOG_INT("end_ms", e->end_ms),
        LOG_INT("step_ms", e->step_ms),
        LOG_INT("series", e->stats.series_selected),
        LOG_INT("samples", e->stats.samples_read),
        LOG_INT("bytes", e->stats.bytes_read),
        LOG_INT("memory_bytes", e->stats.memory_bytes_peak),
        LOG_STR("client", e->origin.client),
        LOG_CSTR("error", e->error),
        LOG_STR("rule_group", e->rule_group),
    };
    unsigned n = OWN;
    for (unsigned t = 0; t < ORIGIN_TAG_COUNT; t++)
        if (e->origin.tags[t].len > 0)
            fields[n++] = LOG_STR(origin_key((enum origin_tag)t), e->origin.tags[t]);
    for (unsigned k = 0; k < n; k++) /* fields without a key are left out */
        if (fields[k].type == LOG_FIELD_STR && fields[k].text.len == 0)
            fields[k].key = "";
    (void)atomic_fetch_add_explicit(&i->slow_queries, 1, memory_order_relaxed);
    log_write(&site, LOG_WARN, __FILE__, __LINE__, "slow query", fields, n);
}

static void count_query(struct insight *i, const struct query_event *e)
{
    struct buf text = {0};
    int64_t now_ms = clock_wall_ms();
    expr_format(e->expr, &text);
    usage_count_expr(i->usage, e->expr, now_ms / 1000);
    top_add(i->top, &(struct top_record){.text = buf_str(&text),
                                         .range_ms = e->end_ms - e->start_ms,
                                         .origin = &e->origin,
                                         .end_ms = now_ms,
                                         .duration_ns = e->duration_ns,
                                         .samples = e->stats.samples_read,
                                         .memory_bytes = e->stats.memory_bytes_peak,
                                         .failed = e->status != OK});
    buf_fini(&text);
}

static void stage_add(struct insight *i, enum insight_slice s, uint64_t ns, uint64_t now_ns)
{
    timing_add(&i->stages[s].all, ns);
    timing_recent_add(&i->stages[s].recent, ns, now_ns);
}

void insight_answered(struct insight *i, uint64_t took_ns)
{
    stage_add(i, STAGE_ANSWER, took_ns, clock_mono_ns());
}

void insight_query(struct insight *i, const struct query_event *e)
{
    uint64_t now_ns = clock_mono_ns();
    stage_add(i, STAGE_QUEUE, e->queue_ns, now_ns);
    stage_add(i, STAGE_PARSE, e->stats.parse_ns, now_ns);
    stage_add(i, STAGE_PREPARE, e->stats.prepare_ns, now_ns);
    stage_add(i, STAGE_EXECUTE, e->stats.exec_ns - MIN(e->stats.sort_ns, e->stats.exec_ns), now_ns);
    stage_add(i, STAGE_SORT, e->stats.sort_ns, now_ns);
    if (e->expr != NULL)
        count_query(i, e);
    query_log_write(&i->log, e);
    if (i->slow_ms > 0 && e->duration_ns >= (uint64_t)i->slow_ms * 1000000)
        log_slow(i, e);
}
