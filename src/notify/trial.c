/* trial.c -- see trial.h. */
#include "notify/trial.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/thread.h"

struct trial {
    struct notifiers *all;
    const struct receiver_config *receiver;
    const struct trial_options *options;
    struct trial_result *results;
    atomic_size_t next; /* the integration that is asked next */
    int64_t start_ms;
    struct live_alert *alert;
    struct buf group_key;
};

/* Labels that every template finds, and nobody takes for trouble. */
static struct live_alert *make_alert(const struct receiver_config *r, int64_t now_ms)
{
    struct label labels[] = {
        {STR("alertname"), STR(TRIAL_ALERTNAME)},
        {STR("receiver"), r->name},
        {STR("severity"), STR("info")},
        {STR("test"), STR("true")},
    };
    struct label annotations[] = {
        {STR("description"), STR("Somebody asked for this notification to see whether it arrives. "
                                 "Nothing is wrong, and nobody needs to act.")},
        {STR("summary"), STR("This is a test notification")},
    };
    const struct live_alert a = {.labels = {labels, COUNT_OF(labels)},
                                 .annotations = {annotations, COUNT_OF(annotations)},
                                 .generator_url = STR(""),
                                 .starts_at_ms = now_ms,
                                 .ends_at_ms = INT64_MAX,
                                 .updated_at_ms = now_ms};
    return live_alert_make(&a);
}

static void ask(struct trial *t, const struct integration *i, struct trial_result *out)
{
    struct label group[] = {{STR("alertname"), STR(TRIAL_ALERTNAME)}};
    const struct notified_alert alert = {t->alert, false, 0};
    const struct notification n = {.group_key = buf_str(&t->group_key),
                                   .group_labels = {group, COUNT_OF(group)},
                                   .receiver = t->receiver->name,
                                   .kind = i->kind,
                                   .index = i->index,
                                   .config = i->config,
                                   .alerts = &alert,
                                   .alert_count = 1,
                                   .firing_count = 1,
                                   .reason = REASON_FIRST,
                                   .attempt = 1,
                                   .flushed_ms = t->start_ms,
                                   .canceled = t->options->canceled,
                                   .delivery = t->options->delivery,
                                   .deadline_ms = clock_wall_ms() + TRIAL_MS};
    struct notifier who = notifiers_of(t->all, i->kind);
    uint64_t begin_ns = clock_mono_ns();
    out->tried = true;
    out->result = who.send(who.arg, &n, &out->why);
    out->latency_ms = (int64_t)((clock_mono_ns() - begin_ns) / 1000000);
}

static void *work(void *arg)
{
    struct trial *t = arg;
    size_t i;
    while ((i = atomic_fetch_add(&t->next, 1)) < t->receiver->integration_count) {
        const struct integration *in = &t->receiver->integrations[i];
        struct trial_result *out = &t->results[i];
        *out = (struct trial_result){.kind = in->kind, .index = in->index};
        if (t->options->canceled != NULL && atomic_load(t->options->canceled))
            (void)diag_set(&out->why, ERR_BUSY, "not tried: the server stops");
        else if (clock_wall_ms() - t->start_ms < TRIAL_ALL_MS)
            ask(t, in, out);
        else
            (void)diag_set(&out->why, ERR_TIMEOUT, "not tried: the others took %d s",
                           TRIAL_ALL_MS / 1000);
    }
    return NULL;
}

void trial_run(struct notifiers *all, const struct receiver_config *r,
               const struct trial_options *o, struct trial_result *results)
{
    pthread_t threads[TRIAL_THREADS_MAX - 1];
    size_t count = 0;
    struct trial t = {
        .all = all, .receiver = r, .options = o, .results = results, .start_ms = clock_wall_ms()};
    t.alert = make_alert(r, t.start_ms);
    /* Of no group there is, and of no other test: providers must not join it with anything. */
    buf_printf(&t.group_key, "varve test/%lld:{alertname=\"%s\"}", (long long)t.start_ms,
               TRIAL_ALERTNAME);
    while (count + 1 < MIN(r->integration_count, (size_t)TRIAL_THREADS_MAX) &&
           thread_start(&threads[count], "notify-test", work, &t) == OK)
        count++;
    (void)work(&t);
    for (size_t i = 0; i < count; i++)
        thread_join(threads[i]);
    live_alert_unref(t.alert);
    buf_fini(&t.group_key);
}
