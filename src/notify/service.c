/* service.c -- see service.h. */
#include "notify/service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify/history_notification.h"
#include "notify/service_priv.h"
#include "notify/view.h"
#include "rules/sender_alert.h"

enum {
    LOOK_MS_MAX = 1000, /* between two looks: the wall clock may leap */
    PUT_MAX = 1000,     /* alerts taken in under one hold of the lock */
    TAKE_MAX = 64,      /* and deliveries handed out */
    TURN_MAX = 1024,    /* of them before answers are noted */
    GIVE_WAY_NS = 100000,
    SEND_MS_MIN = 1000, /* with less time left nothing is sent: the answer might come too late */
    RETRY_THREAD_MS = 1000, /* after no thread could be had */
};

/* ---- The inbox ---- */

void service_wake(struct notify_service *s)
{
    mutex_lock(&s->inbox.lock);
    s->inbox.wake = true;
    cond_signal(&s->inbox.woken);
    mutex_unlock(&s->inbox.lock);
}

static size_t alert_bytes(const struct live_alert *a)
{
    size_t bytes = sizeof(*a) + a->generator_url.len;
    for (size_t i = 0; i < a->labels.count; i++)
        bytes += sizeof(struct label) + a->labels.items[i].name.len + a->labels.items[i].value.len;
    for (size_t i = 0; i < a->annotations.count; i++)
        bytes += sizeof(struct label) + a->annotations.items[i].name.len +
                 a->annotations.items[i].value.len;
    return bytes;
}

/* Under the inbox' lock. */
static void inbox_put(struct inbox *in, struct live_alert *a)
{
    in->bytes += alert_bytes(a);
    while (in->bytes > NOTIFY_INBOX_BYTES_MAX && in->first < in->count) {
        in->bytes -= alert_bytes(in->alerts[in->first]);
        live_alert_unref(in->alerts[in->first++]);
        in->dropped++;
    }
    if (in->count == in->room) {
        in->room = MAX(2 * in->room, 64);
        in->alerts = mem_resize(in->alerts, in->room, sizeof(struct live_alert *));
    }
    in->alerts[in->count++] = a;
}

/* ---- Alerts of rules ---- */

static struct live_alert *copy_alert(const struct notify_service *s, const struct alert *a,
                                     struct relabel_labels *work)
{
    const struct labelling *l = &s->labelling;
    static const struct relabel_configs NONE = {0};
    struct live_alert made = {.annotations = a->annotations,
                              .generator_url = a->generator_url,
                              .starts_at_ms = a->starts_at_ms,
                              .ends_at_ms = a->ends_at_ms};
    bool keep;
    arena_reset(work->arena);
    relabel_labels_reset(work, work->arena);
    if (sender_relabel(work, a->labels, l->external,
                       l->config != NULL ? &l->config->alerting.alert_relabel : &NONE, &keep,
                       &made.labels) != OK) {
        log_error("an alert is told to nobody: relabelling makes its labels too large");
        return NULL;
    }
    return keep && made.labels.count > 0 ? live_alert_make(&made) : NULL;
}

static void take_from_rules(void *arg, const struct alert *alerts, size_t count)
{
    struct notify_service *s = arg;
    struct live_alert **copies = mem_zalloc(count + 1, sizeof(struct live_alert *));
    struct arena a;
    struct relabel_labels work = {0};
    arena_init(&a, SENDER_ALERT_BYTES_MAX);
    relabel_labels_init(&work, &a);
    rwlock_read(&s->labelling.lock);
    for (size_t i = 0; i < count; i++)
        copies[i] = copy_alert(s, &alerts[i], &work);
    rwlock_unlock(&s->labelling.lock);
    relabel_labels_fini(&work);
    arena_fini(&a);
    mutex_lock(&s->inbox.lock);
    for (size_t i = 0; i < count; i++)
        if (copies[i] != NULL)
            inbox_put(&s->inbox, copies[i]);
    s->inbox.wake = true;
    cond_signal(&s->inbox.woken);
    mutex_unlock(&s->inbox.lock);
    mem_free(copies);
}

struct alert_sink notify_service_sink(struct notify_service *s)
{
    return (struct alert_sink){s, take_from_rules};
}

void notify_service_relabel(struct notify_service *s, struct config *config)
{
    struct label *items = NULL;
    size_t count = 0;
    if (config != NULL) {
        const struct pairs *from = &config->global.external_labels;
        items = mem_zalloc(from->count + 1, sizeof(*items));
        for (; count < from->count; count++)
            items[count] = (struct label){from->items[count].name, from->items[count].value};
        (void)config_ref(config);
    }
    rwlock_write(&s->labelling.lock);
    struct labelling old = s->labelling;
    s->labelling.config = config;
    s->labelling.external = (struct labels){items, count};
    rwlock_unlock(&s->labelling.lock);
    mem_free((struct label *)(uintptr_t)old.external.items);
    config_unref(old.config);
}

/* ---- Looking after what is due ---- */

struct mail { /* what was in the inbox */
    struct live_alert **alerts;
    size_t first, count;
    struct done *done;
    size_t done_count;
};

static struct mail inbox_take(struct inbox *in)
{
    mutex_lock(&in->lock);
    struct mail m = {in->alerts, in->first, in->count, in->done, in->done_count};
    in->alerts = NULL;
    in->done = NULL;
    in->first = in->count = in->room = in->bytes = in->done_count = in->done_room = 0;
    in->wake = false;
    mutex_unlock(&in->lock);
    return m;
}

static void put_alert(struct engine *e, const struct live_alert *a, int64_t now_ms)
{
    const struct engine_alert said = {a->labels, a->annotations, a->generator_url, a->starts_at_ms,
                                      a->ends_at_ms};
    if (engine_put(e, &said, 1, now_ms) != OK)
        log_error("an alert is told to nobody: there are too many");
}

/* With the lock, which is not fair: whoever waits for it has it for once. */
static void give_way(struct notify_service *s)
{
    if (atomic_load_explicit(&s->askers, memory_order_relaxed) == 0)
        return;
    mutex_unlock(&s->lock);
    clock_sleep_ns(GIVE_WAY_NS);
    mutex_lock(&s->lock);
}

/* Take in what is in the inbox; the lock is let go now and then. */
static void take_in(struct notify_service *s)
{
    struct mail m = inbox_take(&s->inbox);
    mutex_lock(&s->lock);
    for (size_t i = 0; i < m.done_count; i++)
        engine_done(s->engine, m.done[i].delivery, m.done[i].result, clock_wall_ms());
    if (m.done_count > 0 || s->unsynced)
        s->unsynced = engine_sync(s->engine) != OK;
    for (size_t i = m.first; i < m.count; i++) {
        if (i % PUT_MAX == PUT_MAX - 1)
            give_way(s);
        put_alert(s->engine, m.alerts[i], clock_wall_ms());
        live_alert_unref(m.alerts[i]);
    }
    mutex_unlock(&s->lock);
    mem_free(m.alerts);
    mem_free(m.done);
}

static void finished(struct notify_service *s, struct delivery *d, struct notify_result result)
{
    struct inbox *in = &s->inbox;
    mutex_lock(&in->lock);
    if (in->done_count == in->done_room) {
        in->done_room = MAX(2 * in->done_room, 16);
        in->done = mem_resize(in->done, in->done_room, sizeof(*in->done));
    }
    in->done[in->done_count++] = (struct done){d, result};
    in->wake = true;
    cond_signal(&in->woken);
    mutex_unlock(&in->lock);
}

static void tell_history(const struct notify_service *s, const struct notification *n,
                         const struct notify_result *result, uint64_t took_ns, const char *why)
{
    bool sent = result->outcome == NOTIFY_SENT;
    struct history_event e = {.kind =
                                  sent ? HISTORY_NOTIFICATION_SENT : HISTORY_NOTIFICATION_FAILED,
                              .at_ms = clock_wall_ms()};
    e.texts[HISTORY_REASON] = str_from(notify_reason_text(n->reason));
    if (!sent)
        e.texts[HISTORY_ERROR] = str_from(why);
    history_say(&e, HISTORY_LATENCY_MS, (int64_t)(took_ns / 1000000));
    history_put_notification(s->history, e, n);
}

/* On a thread of the senders. */
static void send_one(void *arg, struct delivery *d)
{
    struct notify_service *s = arg;
    const struct notification *n = delivery_notification(d);
    struct notifier who = notifiers_of(delivery_companion(d), n->kind);
    struct diag why = {.text = ""};
    uint64_t begin_ns = clock_mono_ns();
    struct notify_result result = {NOTIFY_RETRY, 0};
    if (clock_wall_ms() + SEND_MS_MIN > n->deadline_ms) /* soon the next flush tells it */
        (void)diag_set(&why, ERR_TIMEOUT, "its time was over before it could be sent");
    else if (!atomic_load(&s->stopping))
        result = who.send(who.arg, n, &why);
    uint64_t took_ns = clock_mono_ns() - begin_ns;
    timing_add(&s->latency[n->kind], took_ns);
    if (!atomic_load(&s->stopping))
        tell_history(s, n, &result, took_ns, why.text);
    if (atomic_load(&s->stopping))
        log_debug("not told before the end", LOG_STR("receiver", n->receiver));
    else if (result.outcome != NOTIFY_SENT)
        log_warn("people were not told", LOG_STR("receiver", n->receiver),
                 LOG_CSTR("integration", integration_name(n->kind)),
                 LOG_INT("index", (int64_t)n->index), LOG_INT("attempt", n->attempt),
                 LOG_INT("alerts", (int64_t)n->alert_count),
                 LOG_CSTR("again", result.outcome == NOTIFY_RETRY ? "yes" : "no"),
                 LOG_CSTR("err", why.text));
    else
        log_debug("told", LOG_STR("receiver", n->receiver),
                  LOG_CSTR("integration", integration_name(n->kind)),
                  LOG_STR("group", n->group_key), LOG_INT("alerts", (int64_t)n->alert_count));
    finished(s, d, result);
}

static bool has_answers(struct inbox *in)
{
    mutex_lock(&in->lock);
    bool any = in->done_count > 0;
    mutex_unlock(&in->lock);
    return any;
}

/* Hand out what is due; when something will be next. In a storm there is always more of it: answers
 * are noted in between, or what was told would be told again when its flush is over. */
static int64_t hand_out(struct notify_service *s)
{
    struct delivery *d;
    unsigned taken = 0;
    mutex_lock(&s->lock);
    while ((taken < TURN_MAX || !has_answers(&s->inbox)) &&
           (d = engine_take(s->engine, clock_wall_ms())) != NULL) {
        if (!senders_put(s->senders, d))
            engine_done(s->engine, d, (struct notify_result){NOTIFY_RETRY, RETRY_THREAD_MS},
                        clock_wall_ms());
        if (++taken % TAKE_MAX == 0)
            give_way(s);
    }
    int64_t next_ms = engine_next_ms(s->engine);
    mutex_unlock(&s->lock);
    return next_ms;
}

/* False: it is time to end. */
static bool wait_until(struct inbox *in, int64_t next_ms)
{
    int64_t wait_ms = MIN(MAX(next_ms - clock_wall_ms(), 0), LOOK_MS_MAX);
    uint64_t until_ns = clock_mono_ns() + (uint64_t)wait_ms * 1000000;
    mutex_lock(&in->lock);
    while (!in->wake && !in->closing && cond_wait_until(&in->woken, &in->lock, until_ns))
        ;
    bool closing = in->closing;
    mutex_unlock(&in->lock);
    return !closing;
}

static void *look_after(void *arg)
{
    struct notify_service *s = arg;
    do {
        take_in(s);
    } while (wait_until(&s->inbox, hand_out(s)));
    return NULL;
}

/* ---- Start and end ---- */

static void copy(struct buf *to, str from)
{
    buf_put_str(to, from);
    (void)buf_cstr(to);
}

static void init(struct notify_service *s, const struct notify_options *o)
{
    copy(&s->path, str_from(o->config_path));
    if (o->extensions_path != NULL)
        copy(&s->extensions, str_from(o->extensions_path));
    copy(&s->dir, str_from(o->dir));
    copy(&s->url, o->external_url);
    copy(&s->server_url, o->server_url);
    copy(&s->version, o->version);
    s->check = o->check;
    mutex_init(&s->lock);
    mutex_init(&s->inbox.lock);
    cond_init(&s->inbox.woken);
    rwlock_init(&s->labelling.lock);
    s->senders = senders_open(send_one, s);
}

static void fini(struct notify_service *s)
{
    senders_close(s->senders);
    history_close(s->history);
    rwlock_fini(&s->labelling.lock);
    cond_fini(&s->inbox.woken);
    mutex_fini(&s->inbox.lock);
    mutex_fini(&s->lock);
    buf_fini(&s->path);
    buf_fini(&s->extensions);
    buf_fini(&s->dir);
    buf_fini(&s->url);
    buf_fini(&s->server_url);
    buf_fini(&s->version);
    mem_free(s);
}

static err open_history(struct notify_service *s, const struct notify_options *o, struct diag *d)
{
    struct buf dir = {0};
    s->history_ms = o->history_ms;
    s->history_bytes = o->history_bytes;
    if (o->history_ms == 0)
        return OK;
    const struct history_options ho = {.fs = o->fs,
                                       .dir = fs_join(&dir, o->dir, "history"),
                                       .retention_ms = o->history_ms,
                                       .bytes_max = o->history_bytes};
    err e = history_open(&ho, &s->history, d);
    buf_fini(&dir);
    return e;
}

err notify_service_open(const struct notify_options *o, struct notify_service **out, struct diag *d)
{
    struct notify_service *s = mem_zalloc(1, sizeof(*s));
    init(s, o);
    err e = open_history(s, o, d);
    if (e == OK)
        e = service_open_engine(s, o, d);
    if (e != OK)
        fini(s);
    else
        *out = s;
    return e;
}

err notify_service_start(struct notify_service *s)
{
    if (s->history != NULL)
        TRY(history_start(s->history));
    TRY(thread_start(&s->thread, "notify", look_after, s));
    s->started = true;
    return OK;
}

void notify_service_close(struct notify_service *s)
{
    if (s == NULL)
        return;
    atomic_store(&s->stopping, true);
    mutex_lock(&s->inbox.lock);
    s->inbox.closing = true;
    cond_signal(&s->inbox.woken);
    mutex_unlock(&s->inbox.lock);
    if (s->started)
        thread_join(s->thread);
    senders_close(s->senders);
    s->senders = NULL;
    take_in(s);
    if (s->engine != NULL)
        engine_gc(s->engine, clock_wall_ms()); /* the history is told of all that ended */
    engine_close(s->engine);
    notify_service_relabel(s, NULL);
    fini(s);
}

struct engine *notify_service_lock(struct notify_service *s)
{
    (void)atomic_fetch_add_explicit(&s->askers, 1, memory_order_relaxed);
    mutex_lock(&s->lock);
    (void)atomic_fetch_sub_explicit(&s->askers, 1, memory_order_relaxed);
    return s->engine;
}

void notify_service_unlock(struct notify_service *s)
{
    mutex_unlock(&s->lock);
    service_wake(s);
}

void notify_service_call_off(struct notify_service *s)
{
    atomic_store(&s->trials_off, true);
}

err notify_service_try(struct notify_service *s, str receiver, struct trial_result **results,
                       size_t *count)
{
    mutex_lock(&s->lock);
    struct engine_config held = engine_hold(s->engine);
    mutex_unlock(&s->lock);
    const struct receiver_config *r = alertmanager_receiver(held.file, receiver);
    if (r != NULL) {
        *count = r->integration_count;
        *results = mem_zalloc(r->integration_count + 1, sizeof(**results));
        const struct trial_options o = {&s->trials_off, held.delivery};
        trial_run(held.companion, r, &o, *results);
    }
    mutex_lock(&s->lock);
    engine_release(held);
    mutex_unlock(&s->lock);
    return r != NULL ? OK : ERR_NOTFOUND;
}

/* ---- Seen from outside ---- */

/* Under the lock. Looking at every alert takes its time when there are many. */
static void count_states(struct notify_service *s, int64_t now_ms)
{
    struct view v = {0};
    const struct view_filter all = {.active = true, .silenced = true, .inhibited = true};
    if (now_ms >= s->states_ms && now_ms - s->states_ms < NOTIFY_STATES_MS)
        return;
    s->states_ms = now_ms;
    if (view_alerts(s->engine, &all, now_ms, &v) == OK) {
        s->active = s->suppressed = 0;
        for (size_t i = 0; i < v.alert_count; i++) {
            bool mute = v.alerts[i].silenced_count > 0 || v.alerts[i].inhibited;
            s->suppressed += mute;
            s->active += !mute;
        }
    }
    view_close(&v);
}

static void count_config(const struct engine *e, struct notify_stats *out)
{
    struct alertmanager_file *f = view_config(e);
    out->receivers = f->receivers.count;
    out->inhibit_rules = f->inhibit_rules.count;
    for (size_t i = 0; i < f->receivers.count; i++)
        out->integrations += f->receivers.items[i].integration_count;
    alertmanager_config_unref(f);
}

void notify_service_stats(struct notify_service *s, struct notify_stats *out)
{
    struct senders_count senders;
    int64_t now_ms = clock_wall_ms();
    *out = (struct notify_stats){.config_ok = atomic_load(&s->config_ok)};
    senders_count(s->senders, &senders);
    out->senders = senders.threads;
    out->sending = senders.sending;
    out->queued = senders.queued;
    mutex_lock(&s->lock);
    engine_count(s->engine, &out->engine);
    const struct silences *silences = engine_silences(s->engine);
    for (size_t i = 0; i < silences_count(silences); i++)
        out->silences[silence_state_at(silences_at(silences, i), now_ms)]++;
    count_states(s, now_ms);
    out->active = s->active;
    out->suppressed = s->suppressed;
    count_config(s->engine, out);
    out->config_hash = s->config_hash;
    out->config_loaded_ms = s->config_loaded_ms;
    mutex_unlock(&s->lock);
    out->has_history = s->history != NULL;
    if (s->history != NULL)
        history_stats(s->history, &out->history);
    mutex_lock(&s->inbox.lock);
    out->inbox_bytes = s->inbox.bytes;
    out->inbox_dropped = s->inbox.dropped;
    mutex_unlock(&s->inbox.lock);
}

struct history *notify_service_history(const struct notify_service *s)
{
    return s->history;
}

const struct timing *notify_service_latency(const struct notify_service *s,
                                            enum integration_kind kind)
{
    return &s->latency[kind];
}
