/* metrics_alerting.c -- the part of /metrics about alerts sent to Alertmanagers, named as
 * Prometheus names it, and about all discovery. */
#include <stdio.h>

#include "http/api.h"
#include "http/metrics_put.h"

enum { LABELS_SIZE = 4096 };

struct family {
    const char *name, *type, *help;
};

static const struct family FAMILIES[] = {
    {"prometheus_notifications_sent_total", "counter", "Total number of alerts sent."},
    {"prometheus_notifications_errors_total", "counter",
     "Total number of sent alerts affected by errors."},
    {"prometheus_notifications_dropped_total", "counter",
     "Total number of alerts dropped due to errors when sending to Alertmanager."},
    {"prometheus_notifications_queue_length", "gauge",
     "The number of alert notifications in the queue."},
    {"prometheus_notifications_latency_seconds", "summary",
     "Latency quantiles for sending alert notifications."},
    {"prometheus_notifications_latency_histogram_seconds", "histogram",
     "Latency histogram for sending alert notifications."},
};

struct lines { /* one text for each family, so that they stay together */
    struct buf of[COUNT_OF(FAMILIES)];
    struct buf seen; /* URLs, each with its length before it: sections may name one twice */
};

/* alertmanager="URL": the URL has no quotes or newlines, they are escaped in it. */
static bool make_labels(str url, char *out)
{
    int n = snprintf(out, LABELS_SIZE, "alertmanager=\"" STR_FMT "\"", STR_ARG(url));
    return n > 0 && n < LABELS_SIZE && memchr(url.ptr, '"', url.len) == NULL &&
           memchr(url.ptr, '\\', url.len) == NULL;
}

/* Two sections may send to the same URL, with settings of their own: the first one is told of, for
 * a page must not have a series twice. */
static bool is_first(struct buf *seen, const char *labels)
{
    str key = {labels, strlen(labels) + 1}, all = buf_str(seen);
    if (all.len > 0 && memmem(all.ptr, all.len, key.ptr, key.len) != NULL)
        return false;
    buf_put_str(seen, key);
    return true;
}

static void put_alertmanager(void *arg, const struct sender_view *v)
{
    struct lines *l = arg;
    const struct sender_loop_stats *s = &v->stats;
    char labels[LABELS_SIZE];
    if (!make_labels(v->url, labels) || !is_first(&l->seen, labels))
        return;
    const double values[] = {(double)s->sent, (double)s->errors, (double)s->dropped,
                             (double)s->queued};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        metric_line(&l->of[i], FAMILIES[i].name, labels, values[i]);
    metric_summary(&l->of[4], FAMILIES[4].name, labels, s->seconds, s->recent, RECENT_THREE);
    metric_histogram(&l->of[5], FAMILIES[5].name, labels, s->seconds);
}

void metrics_alerting(struct api *api, struct buf *b)
{
    struct discovery *discoveries[] = {scrape_feed_discovery(api->scrape_feed),
                                       sender_discovery(api->sender)};
    struct lines l = {.seen = {0}};
    struct sender_stats s;
    sender_stats_of(api->sender, &s);
    const struct metric METRICS[] = {
        {"prometheus_notifications_alertmanagers_discovered", "gauge",
         "The number of alertmanagers discovered and active.", (double)s.active},
        {"prometheus_notifications_queue_capacity", "gauge",
         "The capacity of the alert notifications queue.", (double)s.queue_capacity},
        {"varve_notifications_unusable_total", "counter",
         "Alerts that are not sent because relabelling made them too large.", (double)s.unusable},
    };
    metric_put(b, METRICS, COUNT_OF(METRICS));
    sender_each_active(api->sender, put_alertmanager, &l);
    for (size_t i = 0; i < COUNT_OF(FAMILIES); i++) {
        if (l.of[i].len > 0)
            metric_family(b, FAMILIES[i].name, FAMILIES[i].type, FAMILIES[i].help);
        buf_put_str(b, buf_str(&l.of[i]));
        buf_fini(&l.of[i]);
    }
    buf_fini(&l.seen);
    discovery_metrics(discoveries, COUNT_OF(discoveries), b);
}
