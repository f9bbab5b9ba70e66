/* health.c -- see health.h: the handlers. */
#include "http/health.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/number.h"
#include "http/api.h"
#include "http/json.h"

static void put_now(struct buf *b)
{
    char text[64];
    buf_printf(b, "\"timestamp\":\"%.*s\"", (int)timestamp_format_rfc3339(clock_wall_ms(), text),
               text);
}

static struct buf *begin(struct http_request *r, unsigned status)
{
    http_answer(r, status, "application/json");
    http_answer_header(r, "Cache-Control", STR("no-store"));
    struct buf *b = http_out(r);
    buf_reset(b);
    return b;
}

static bool is_ready(const struct api *api)
{
    return atomic_load_explicit(&api->ready, memory_order_acquire);
}

static bool is_stopping(const struct api *api)
{
    return atomic_load_explicit(&api->stopping, memory_order_acquire);
}

/* ---- All checks ---- */

static bool param_is(const struct http_request *r, const char *name, bool value)
{
    bool b;
    str s = http_param(r, str_from(name));
    return s.len > 0 && number_parse_bool(s, &b) && b == value;
}

static bool has_check(const struct health_snapshot *s, str name)
{
    for (size_t i = 0; i < s->count; i++)
        if (str_eq(str_from(s->checks[i].name), name))
            return true;
    return name.len == 0;
}

static void answer(struct http_request *r, bool always_200, bool cached)
{
    struct api *api = api_of(r);
    struct health_snapshot *s = health_look(api->health.checks);
    const struct health_json how = {.cached = cached,
                                    .verbose = !param_is(r, "verbose", false),
                                    .check = http_param(r, STR("check"))};
    unsigned status = s->status == HEALTH_UNHEALTHY && !always_200 ? 503 : 200;
    if (has_check(s, how.check)) {
        health_json(api, s, &how, begin(r, status));
    } else {
        struct buf *b = begin(r, 404);
        buf_put_str(b, STR("{\"error\":\"there is no such check\",\"check\":"));
        json_str(b, how.check);
        buf_put_str(b, STR("}\n"));
    }
    health_unlook(s);
}

static char made_now; /* the state of a request that waits for a round of its own */

/* On a thread of the checks. */
static void round_done(void *arg)
{
    http_resume(arg);
}

/* What is asked for with fresh=1 waits for a round of checks, unless one was a moment ago. While
 * the server stops, no request may wait. */
static void answer_or_wait(struct http_request *r, bool always_200)
{
    struct api *api = api_of(r);
    if (!param_is(r, "fresh", true) || is_stopping(api)) {
        answer(r, always_200, true);
        return;
    }
    http_set_state(r, &made_now);
    http_defer(r);
    if (!health_refresh(api->health.checks, round_done, r)) {
        http_set_state(r, NULL);
        http_resume(r);
    }
}

void health_all(struct http_request *r)
{
    answer_or_wait(r, false);
}

void health_all_finish(struct http_request *r)
{
    answer(r, false, http_state(r) != &made_now);
}

void health_status(struct http_request *r)
{
    answer_or_wait(r, true);
}

void health_status_finish(struct http_request *r)
{
    answer(r, true, http_state(r) != &made_now);
}

/* ---- Probes ---- */

void health_live(struct http_request *r)
{
    const char *hung = health_hung(api_of(r));
    struct buf *b = begin(r, hung == NULL ? 200 : 503);
    buf_printf(b, "{\"status\":\"%s\",", hung == NULL ? "alive" : "hung");
    if (hung != NULL)
        buf_printf(b, "\"reasons\":[\"the %s was not seen for %d s\"],", hung,
                   HEALTH_BEAT_MS_MAX / 1000);
    put_now(b);
    buf_put_str(b, STR("}\n"));
}

/* Reasons why clients shall go elsewhere, as JSON texts; their number. */
static unsigned put_reasons(struct api *api, struct buf *b)
{
    struct db_pulse p = {0};
    unsigned n = 0;
    if (is_stopping(api))
        buf_put_str(b, n++ > 0 ? STR(",\"draining\"") : STR("\"draining\""));
    if (!is_ready(api))
        buf_put_str(b, n++ > 0 ? STR(",\"starting\"") : STR("\"starting\""));
    else
        db_pulse_of(api->db, &p);
    if (p.read_only)
        buf_put_str(b, n++ > 0 ? STR(",\"read_only\"") : STR("\"read_only\""));
    struct health_snapshot *s = health_look(api->health.checks);
    for (size_t i = 0; i < s->count; i++) {
        if (!s->checks[i].readiness || s->checks[i].status != HEALTH_UNHEALTHY)
            continue;
        if (n++ > 0)
            buf_put_u8(b, ',');
        json_str(b, str_from(s->checks[i].name));
    }
    health_unlook(s);
    return n;
}

void health_ready(struct http_request *r)
{
    struct buf reasons = {0};
    unsigned n = put_reasons(api_of(r), &reasons);
    struct buf *b = begin(r, n == 0 ? 200 : 503);
    buf_printf(b, "{\"status\":\"%s\",\"reasons\":[", n == 0 ? "ready" : "not_ready");
    buf_put_str(b, buf_str(&reasons));
    buf_put_str(b, STR("],"));
    put_now(b);
    buf_put_str(b, STR("}\n"));
    buf_fini(&reasons);
}

/* Of the whole start: the log's replay is nearly all of it. */
static double progress_of(enum health_phase phase)
{
    struct db_stats s;
    double share = 0;
    if (phase == HEALTH_PHASE_DONE)
        return 1;
    if (phase > HEALTH_PHASE_WAL_REPLAY)
        return 0.95;
    db_opening_stats(&s);
    if (phase == HEALTH_PHASE_WAL_REPLAY && s.wal_segment_last >= s.wal_segment_first &&
        s.wal_replay_current >= s.wal_segment_first && s.wal_segment_last > 0)
        share = (double)(s.wal_replay_current - s.wal_segment_first) /
                (double)(s.wal_segment_last - s.wal_segment_first + 1);
    return 0.95 * MIN(share, 1.0);
}

void health_startup(struct http_request *r)
{
    static const char *const PHASES[] = {"config", "wal_replay",  "index",
                                         "rules",  "alert_state", "done"};
    const struct server_health *h = &api_of(r)->health;
    int phase = atomic_load_explicit(&h->phase, memory_order_acquire);
    int64_t end_ms = atomic_load_explicit(&h->started_ms, memory_order_relaxed);
    bool done = phase == HEALTH_PHASE_DONE;
    struct buf *b = begin(r, done ? 200 : 503);
    buf_printf(b,
               "{\"status\":\"%s\",\"phase\":\"%s\",\"progress\":", done ? "started" : "starting",
               PHASES[phase]);
    json_number(b, (double)(int)(progress_of((enum health_phase)phase) * 1000) / 1000);
    buf_put_str(b, STR(",\"elapsed_seconds\":"));
    json_number(b, (double)((done ? end_ms : clock_wall_ms()) - api_of(r)->start_ms) / 1000);
    buf_put_u8(b, ',');
    put_now(b);
    buf_put_str(b, STR("}\n"));
}

/* ---- Metrics ---- */

void health_metrics(struct http_request *r)
{
    str accept = http_header(r, "Accept");
    bool open = memmem(accept.ptr, accept.len, "application/openmetrics-text", 28) != NULL;
    struct health_snapshot *s = health_look(api_of(r)->health.checks);
    struct buf *b = begin(r, 200);
    http_answer(r, 200,
                open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                     : "text/plain; version=0.0.4; charset=utf-8");
    health_metrics_text(s, open, b);
    if (open)
        buf_put_str(b, STR("# EOF\n"));
    health_unlook(s);
}
