/* query_log.c -- see query_log.h. */
#include "http/query_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "http/json.h"

enum {
    TRACEPARENT_SIZE = 55,
    TRACE_ID_AT = 3,
    TRACE_ID_SIZE = 32,
    SPAN_ID_AT = 36,
    SPAN_ID_SIZE = 16
};

void query_log_init(struct query_log *l)
{
    *l = (struct query_log){.fd = -1};
    mutex_init(&l->lock);
}

void query_log_fini(struct query_log *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
    mutex_fini(&l->lock);
}

err query_log_set(struct query_log *l, const char *path, struct diag *d)
{
    int fd = -1;
    if (path[0] != '\0') {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
        if (fd < 0)
            return diag_set(d, ERR_IO, "the query log %s cannot be opened: errno %d", path, errno);
    }
    mutex_lock(&l->lock);
    int old = l->fd;
    l->fd = fd;
    atomic_store_explicit(&l->enabled, fd >= 0, memory_order_relaxed);
    mutex_unlock(&l->lock);
    if (old >= 0)
        (void)close(old);
    return OK;
}

/* ---- The line ---- */

static void put_seconds(struct buf *b, const char *key, uint64_t ns)
{
    buf_printf(b, "\"%s\":", key);
    json_number(b, (double)ns / 1e9);
}

void query_stats_json(struct buf *b, const struct query_stats *s, uint64_t queue_ns)
{
    buf_put_str(b, STR("\"stats\":{\"timings\":{"));
    put_seconds(b, "evalTotalTime", s->exec_ns);
    buf_put_u8(b, ',');
    put_seconds(b, "resultSortTime", s->sort_ns);
    buf_put_u8(b, ',');
    put_seconds(b, "queryPreparationTime", s->prepare_ns);
    buf_put_u8(b, ',');
    put_seconds(b, "innerEvalTime", s->exec_ns - MIN(s->sort_ns, s->exec_ns));
    buf_put_u8(b, ',');
    put_seconds(b, "execQueueTime", queue_ns);
    buf_put_u8(b, ',');
    put_seconds(b, "execTotalTime", s->prepare_ns + s->exec_ns);
    buf_printf(b,
               "},\"samples\":{\"totalQueryableSamples\":%llu,\"samplesRead\":%llu,"
               "\"peakSamples\":%llu}}",
               (unsigned long long)s->samples_queryable, (unsigned long long)s->samples_read,
               (unsigned long long)s->samples_peak);
}

static void put_key(struct buf *b, const char *key, str value)
{
    buf_printf(b, "\"%s\":", key);
    json_str(b, value);
}

/* "2006-01-02T15:04:05.000Z": always three digits, as upstream formats times here. */
static void put_time(struct buf *b, const char *key, int64_t ms)
{
    char text[64];
    int64_t below = ((ms % 1000) + 1000) % 1000;
    size_t n = timestamp_format_rfc3339(ms - below, text);
    while (n > 0 && text[n - 1] != 'Z')
        n--;
    buf_printf(b, "\"%s\":\"%.*s.%03dZ\"", key, (int)MAX(n, (size_t)1) - 1, text, (int)below);
}

static void put_origin(struct buf *b, const struct query_event *e)
{
    if (e->path.len > 0) {
        buf_put_str(b, STR(",\"httpRequest\":{"));
        put_key(b, "clientIP", e->origin.client);
        buf_put_u8(b, ',');
        put_key(b, "method", e->method);
        buf_put_u8(b, ',');
        put_key(b, "path", e->path);
        buf_put_u8(b, '}');
    }
    if (e->rule_group.len > 0) {
        buf_put_str(b, STR(",\"ruleGroup\":{"));
        put_key(b, "file", e->rule_file);
        buf_put_u8(b, ',');
        put_key(b, "name", e->rule_group);
        buf_put_u8(b, '}');
        return;
    }
    str parent = e->origin.tags[ORIGIN_TRACEPARENT];
    if (parent.len >= TRACEPARENT_SIZE) {
        buf_put_u8(b, ',');
        put_key(b, "spanID", (str){parent.ptr + SPAN_ID_AT, SPAN_ID_SIZE});
        buf_put_u8(b, ',');
        put_key(b, "traceID", (str){parent.ptr + TRACE_ID_AT, TRACE_ID_SIZE});
    }
    for (unsigned t = 0; t < ORIGIN_TAG_COUNT; t++) {
        if (t == ORIGIN_TRACEPARENT || e->origin.tags[t].len == 0)
            continue;
        buf_put_u8(b, ',');
        put_key(b, origin_key((enum origin_tag)t), e->origin.tags[t]);
    }
}

void query_log_line(const struct query_event *e, int64_t now_ms, struct buf *out)
{
    buf_put_u8(out, '{');
    put_time(out, "time", now_ms);
    buf_put_str(out, STR(",\"level\":\"INFO\",\"msg\":\"promql query logged\",\"params\":{"));
    put_time(out, "end", e->end_ms);
    buf_put_u8(out, ',');
    put_key(out, "query", e->text);
    buf_put_u8(out, ',');
    put_time(out, "start", e->start_ms);
    buf_printf(out, ",\"step\":%lld}", (long long)(e->step_ms / 1000));
    if (e->status != OK) {
        buf_put_u8(out, ',');
        put_key(out, "error", str_from(e->error));
    }
    buf_put_u8(out, ',');
    query_stats_json(out, &e->stats, e->queue_ns);
    put_origin(out, e);
    buf_put_u8(out, ',');
    put_time(out, "ts", now_ms);
    buf_put_u8(out, '}');
}

void query_log_write(struct query_log *l, const struct query_event *e)
{
    if (!atomic_load_explicit(&l->enabled, memory_order_relaxed))
        return;
    struct buf line = {0};
    query_log_line(e, clock_wall_ms(), &line);
    buf_put_u8(&line, '\n');
    mutex_lock(&l->lock);
    ssize_t n = l->fd >= 0 ? write(l->fd, line.ptr, line.len) : (ssize_t)line.len;
    mutex_unlock(&l->lock);
    if (n != (ssize_t)line.len) {
        (void)atomic_fetch_add_explicit(&l->failures, 1, memory_order_relaxed);
        log_error("a query was not logged", LOG_INT("errno", n < 0 ? errno : 0));
    }
    buf_fini(&line);
}
