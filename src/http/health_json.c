/* health_json.c -- a snapshot of health as JSON and as metrics. */
#include <stdio.h>

#include "base/clock.h"
#include "base/duration.h"
#include "http/api.h"
#include "http/json.h"
#include "http/metrics_put.h"

/* ---- JSON ---- */

static void put_time(struct buf *b, const char *key, int64_t ms)
{
    char text[64];
    buf_printf(b, ",\"%s\":", key);
    if (ms == 0)
        buf_put_str(b, STR("null"));
    else
        json_str(b, (str){text, timestamp_format_rfc3339(ms, text)});
}

static void put_number(struct buf *b, const char *key, double v)
{
    buf_printf(b, ",\"%s\":", key);
    json_number(b, v);
}

/* Tenths of milliseconds are enough, and easier to read. */
static void put_ms(struct buf *b, const char *key, uint64_t ns)
{
    put_number(b, key, (double)(ns / 1000) / 1000);
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    buf_printf(b, ",\"%s\":", key);
    json_str(b, str_from(text));
}

static void put_details(struct buf *b, const struct health_report *r)
{
    buf_put_str(b, STR(",\"details\":{"));
    for (unsigned i = 0; i < r->detail_count; i++) {
        const struct health_detail *d = &r->details[i];
        buf_printf(b, "%s\"%s\":", i > 0 ? "," : "", d->name);
        if (d->kind == HEALTH_TEXT)
            json_str(b, str_from(d->text));
        else if (d->kind == HEALTH_NOTHING)
            buf_put_str(b, STR("null"));
        else
            json_number(b, d->number);
    }
    buf_put_u8(b, '}');
}

static void put_check(struct buf *b, const struct health_view *v, bool verbose)
{
    buf_put_str(b, STR("{\"name\":"));
    json_str(b, str_from(v->name));
    put_text(b, "type", v->type);
    put_text(b, "status", health_status_name(v->status));
    buf_printf(b, ",\"critical\":%s,\"weight\":%u", v->critical ? "true" : "false", v->weight);
    if (!verbose) {
        buf_put_u8(b, '}');
        return;
    }
    put_ms(b, "latency_ms", v->latency_ns);
    put_time(b, "last_run", v->last_run_ms);
    put_time(b, "last_success", v->last_success_ms);
    buf_printf(b, ",\"consecutive_failures\":%u", v->consecutive_failures);
    put_text(b, "message", v->report.message);
    if (v->external)
        put_text(b, "circuit", health_circuit_name(v->circuit));
    put_details(b, &v->report);
    buf_put_u8(b, '}');
}

void health_json(const struct api *api, const struct health_snapshot *s,
                 const struct health_json *how, struct buf *b)
{
    char text[64];
    int64_t now_ms = clock_wall_ms();
    double age = (double)(clock_mono_ns() - s->made_mono_ns) / 1e9;
    bool first = true;
    buf_printf(b, "{\"status\":\"%s\",\"score\":%u,\"timestamp\":\"%.*s\",\"version\":",
               health_status_name(s->status), s->score, (int)timestamp_format_rfc3339(now_ms, text),
               text);
    json_str(b, str_from(api->version));
    put_number(b, "uptime_seconds", (double)(now_ms - api->start_ms) / 1000);
    buf_printf(b, ",\"cached\":%s", how->cached ? "true" : "false");
    put_number(b, "cache_age_seconds", age > 0 ? (double)(uint64_t)(age * 1000) / 1000 : 0);
    put_ms(b, "duration_ms", s->longest_ns);
    buf_put_str(b, STR(",\"checks\":["));
    for (size_t i = 0; i < s->count; i++) {
        if (how->check.len > 0 && !str_eq(str_from(s->checks[i].name), how->check))
            continue;
        if (!first)
            buf_put_u8(b, ',');
        first = false;
        put_check(b, &s->checks[i], how->verbose);
    }
    buf_put_str(b, STR("]}\n"));
}

/* ---- Metrics ---- */

enum { LABELS_SIZE = 4 * HEALTH_NAME_SIZE + 64 };

/* Names of checks are those of the program or of a configuration: quotes and newlines become '_'.
 */
static void check_labels(char *out, const struct health_view *v, bool with_kind)
{
    char name[HEALTH_NAME_SIZE];
    (void)snprintf(name, sizeof(name), "%s", v->name);
    for (char *p = name; *p != '\0'; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
            *p = '_';
    if (with_kind)
        (void)snprintf(out, LABELS_SIZE, "check=\"%s\",type=\"%s\",critical=\"%s\"", name, v->type,
                       v->critical ? "true" : "false");
    else
        (void)snprintf(out, LABELS_SIZE, "check=\"%s\"", name);
}

static void put_status(const struct health_snapshot *s, struct buf *b)
{
    static const double POINTS[HEALTH_STATUSES] = {1, 0.5, 0, 0};
    char labels[LABELS_SIZE];
    metric_family(b, "health_score", "gauge", "Weighted health of all checks, 0 to 100.");
    metric_line(b, "health_score", "", s->score);
    metric_family(b, "health_status", "gauge", "1 for the status of the server, 0 for the others.");
    for (unsigned i = 0; i < HEALTH_UNKNOWN; i++) {
        (void)snprintf(labels, sizeof(labels), "status=\"%s\"",
                       health_status_name((enum health_status)i));
        metric_line(b, "health_status", labels, s->status == (enum health_status)i ? 1 : 0);
    }
    metric_family(b, "health_check_status", "gauge", "1: healthy, 0.5: degraded, 0: unhealthy.");
    for (size_t i = 0; i < s->count; i++) {
        check_labels(labels, &s->checks[i], true);
        metric_line(b, "health_check_status", labels, POINTS[s->checks[i].status]);
    }
}

static void put_runs(const struct health_snapshot *s, bool openmetrics, struct buf *b)
{
    char labels[LABELS_SIZE + 64], check[LABELS_SIZE];
    metric_family(b, openmetrics ? "health_check_runs" : "health_check_runs_total", "counter",
                  "Runs of a check by result; a run that hangs counts whenever the next was due.");
    for (size_t i = 0; i < s->count; i++) {
        check_labels(check, &s->checks[i], false);
        for (unsigned k = 0; k < HEALTH_RESULTS; k++) {
            (void)snprintf(labels, sizeof(labels), "%s,result=\"%s\"", check,
                           health_result_name((enum health_result)k));
            metric_line(b, "health_check_runs_total", labels, (double)s->checks[i].results[k]);
        }
    }
}

void health_metrics_text(const struct health_snapshot *s, bool openmetrics, struct buf *b)
{
    char labels[LABELS_SIZE];
    put_status(s, b);
    metric_family(b, "health_check_duration_seconds", "histogram",
                  "How long runs of a check took.");
    for (size_t i = 0; i < s->count; i++) {
        check_labels(labels, &s->checks[i], false);
        metric_histogram(b, "health_check_duration_seconds", labels, s->checks[i].seconds);
    }
    metric_family(b, "health_check_last_run_timestamp_seconds", "gauge",
                  "When a check ran last; 0: never.");
    for (size_t i = 0; i < s->count; i++) {
        check_labels(labels, &s->checks[i], false);
        metric_line(b, "health_check_last_run_timestamp_seconds", labels,
                    (double)s->checks[i].last_run_ms / 1000);
    }
    put_runs(s, openmetrics, b);
    metric_family(b, "health_cache_age_seconds", "gauge", "Age of what is told here.");
    metric_line(b, "health_cache_age_seconds", "",
                (double)(clock_mono_ns() - s->made_mono_ns) / 1e9);
}
