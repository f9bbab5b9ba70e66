/* serve_alerting.c -- see serve_alerting.h. */
#include "cli/serve_alerting.h"

#include <string.h>

#include "base/log.h"

enum { QUEUE_CAPACITY_MAX = 10000000 };

static struct {
    struct alert_fanout fanout;
    struct alert_sink sink;
    struct sender *sender;
    bool open;
} own;

struct alerting_flags alerting_flags_defaults(void)
{
    return (struct alerting_flags){.queue_capacity = 10000, .batch_max = 256, .drain = true};
}

size_t alerting_flag_table(struct alerting_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"alertmanager.notification-queue-capacity", "count",
         "Alerts that may wait for an Alertmanager; above it the oldest are dropped.", FLAG_COUNT,
         &f->queue_capacity, false},
        {"alertmanager.notification-batch-size", "count", "Alerts of one request to it.",
         FLAG_COUNT, &f->batch_max, false},
        {"alertmanager.drain-notification-queue-on-shutdown", "",
         "Send alerts that wait before the server ends.", FLAG_BOOL, &f->drain, false},
    };
    static_assert(COUNT_OF(FLAGS) <= ALERTING_FLAGS_MAX, "room for all");
    if (out != NULL)
        memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

/* ---- The section alerting ---- */

static err prepare(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    (void)arg;
    return sender_prepare(own.sender, fresh, prepared, d);
}

static void commit(void *arg, struct config *fresh, void *prepared)
{
    (void)arg;
    sender_commit(own.sender, fresh, prepared);
}

static void discard(void *arg, void *prepared)
{
    (void)arg;
    sender_discard(own.sender, prepared);
}

/* ---- Start and end ---- */

static err check_flags(const struct alerting_flags *f, struct diag *d)
{
    if (f->queue_capacity < 1 || f->queue_capacity > QUEUE_CAPACITY_MAX)
        return diag_set(d, ERR_INVALID,
                        "flag --alertmanager.notification-queue-capacity: not 1 to %d",
                        QUEUE_CAPACITY_MAX);
    if (f->batch_max < 1 || f->batch_max > SENDER_BATCH_MAX)
        return diag_set(d, ERR_INVALID, "flag --alertmanager.notification-batch-size: not 1 to %d",
                        SENDER_BATCH_MAX);
    return OK;
}

err serve_alerting_open(struct config_reloader *r, struct api *api, const struct alerting_flags *f,
                        struct diag *d)
{
    static const struct config_subscriber PART = {.name = "alerting",
                                                  .parts = CONFIG_ALERTING,
                                                  .prepare = prepare,
                                                  .commit = commit,
                                                  .discard = discard};
    const struct sender_options o = {.user_agent = STR("Varve/" VARVE_VERSION),
                                     .queue_capacity = (size_t)f->queue_capacity,
                                     .batch_max = (size_t)f->batch_max,
                                     .drain = f->drain};
    TRY(check_flags(f, d));
    if (sender_open(&o, &own.sender) != OK)
        return diag_set(d, ERR_IO, "the sender of alerts cannot be started");
    alert_fanout_init(&own.fanout);
    own.open = true;
    own.sink = alert_fanout_sink(&own.fanout);
    TRY(alert_fanout_join(&own.fanout, sender_sink(own.sender)));
    api->sender = own.sender;
    config_subscribe(r, &PART);
    return OK;
}

const struct alert_sink *serve_alerting_sink(void)
{
    return &own.sink;
}

struct alert_fanout *serve_alerting_fanout(void)
{
    return &own.fanout;
}

void serve_alerting_close(struct api *api)
{
    api->sender = NULL;
    if (own.open) {
        alert_fanout_leave(&own.fanout, own.sender);
        alert_fanout_fini(&own.fanout);
    }
    own.open = false;
    sender_close(own.sender);
    own.sender = NULL;
}
