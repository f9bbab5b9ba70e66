/* engine.c -- see engine.h: intake, configurations, what is kept and what goes. */
#include "notify/engine.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify/engine_priv.h"
#include "notify/incident_priv.h"
#include "notify/maintenance_priv.h"
#include "notify/messages.h"
#include "notify/notice_priv.h"
#include "notify/rates.h"

/* ---- Alerts on disk ---- */

static void put_pairs(struct labels ls, struct buf *out)
{
    buf_put_varint(out, ls.count);
    for (size_t i = 0; i < ls.count; i++) {
        buf_put_string(out, ls.items[i].name);
        buf_put_string(out, ls.items[i].value);
    }
}

static struct labels take_pairs(struct reader *r, struct arena *a)
{
    uint64_t count = read_varint(r);
    if (r->overrun || count > reader_left(r))
        return (struct labels){NULL, 0};
    struct label *items = ARENA_ARRAY(a, struct label, (size_t)count + 1);
    for (uint64_t i = 0; items != NULL && i < count; i++) {
        items[i].name = slice_text(read_string(r));
        items[i].value = slice_text(read_string(r));
    }
    return (struct labels){items, items != NULL ? (size_t)count : 0};
}

static void keep_alert(struct engine *e, const struct live_alert *a)
{
    struct buf value = {0};
    buf_put_zigzag(&value, a->starts_at_ms);
    buf_put_zigzag(&value, a->ends_at_ms);
    buf_put_zigzag(&value, a->updated_at_ms);
    buf_put_u8(&value, a->timeout ? 1 : 0);
    buf_put_string(&value, a->generator_url);
    put_pairs(a->labels, &value);
    put_pairs(a->annotations, &value);
    slice bytes = buf_slice(&value);
    state_log_put(e->state, STATE_ALERT,
                  (slice){(const uint8_t *)&a->fingerprint, sizeof(a->fingerprint)}, &bytes);
    buf_fini(&value);
}

static void restore_alert(void *arg, slice key, slice value)
{
    struct engine *e = arg;
    struct reader r = reader_of(value);
    struct arena a;
    struct live_alert alert = {.starts_at_ms = read_zigzag(&r)};
    (void)key;
    arena_init(&a, 64 * value.len + 4096);
    alert.ends_at_ms = read_zigzag(&r);
    alert.updated_at_ms = read_zigzag(&r);
    alert.timeout = read_u8(&r) != 0;
    alert.generator_url = slice_text(read_string(&r));
    alert.labels = take_pairs(&r, &a);
    alert.annotations = take_pairs(&r, &a);
    if (!r.overrun && !arena_exceeded(&a) && reader_left(&r) == 0 &&
        alert_table_count(e->alerts) < ENGINE_ALERTS_MAX)
        (void)alert_table_put(e->alerts, &alert, alert.updated_at_ms);
    arena_fini(&a);
}

/* ---- Configurations ---- */

/* Put all that is known under the routes of the configuration. */
static void regroup(struct engine *e, int64_t now_ms)
{
    size_t at = 0;
    for (struct live_alert *a; (a = alert_table_next(e->alerts, &at)) != NULL;)
        inhibitor_put(e->inhibitor, a->fingerprint, a->labels, a->ends_at_ms);
    at = 0;
    e->regrouping = true;
    e->regrouped_ms = now_ms;
    for (struct live_alert *a; (a = alert_table_next(e->alerts, &at)) != NULL;)
        if (!groups_put(e, a, now_ms))
            e->counts.refused_groups++;
    e->regrouping = false;
    incidents_settle(e, now_ms);
}

struct routing *routing_ref(struct routing *r)
{
    r->refs++;
    return r;
}

void routing_unref(struct routing *r)
{
    if (r == NULL || --r->refs > 0)
        return;
    if (r->companion.drop != NULL)
        r->companion.drop(r->companion.arg);
    arena_fini(&r->arena);
    alerting_ext_unref(r->companion.ext);
    alertmanager_config_unref(r->file);
    mem_free(r);
}

struct engine_config engine_hold(struct engine *e)
{
    const struct alerting_ext *x = e->routing->companion.ext;
    return (struct engine_config){e->file, e->routing->companion.arg,
                                  x != NULL ? x->delivery : NULL, routing_ref(e->routing)};
}

void engine_release(struct engine_config held)
{
    routing_unref(held.routing);
}

static void drop_config(struct engine *e, int64_t now_ms)
{
    if (e->notices != NULL)
        notices_detach(e, now_ms);
    groups_clear(e);
    inhibitor_close(e->inhibitor);
    routing_unref(e->routing);
}

err engine_reload(struct engine *e, struct alertmanager_file *f, struct engine_companion companion,
                  int64_t now_ms)
{
    struct routing *r = mem_zalloc(1, sizeof(*r));
    const struct route **matched = NULL;
    r->refs = 1;
    r->file = alertmanager_config_ref(f);
    arena_init(&r->arena, ALERTMANAGER_ARENA_BYTES_MAX);
    err failed = routes_build(f, &r->arena, &r->routes);
    if (failed == OK)
        matched = ARENA_ARRAY(&r->arena, const struct route *, r->routes.count);
    if (failed != OK || matched == NULL) {
        routing_unref(r);
        return ERR_LIMIT;
    }
    r->companion = companion;
    if (companion.ext != NULL)
        (void)alerting_ext_ref(companion.ext);
    drop_config(e, now_ms);
    rates_set(e->rates, companion.ext != NULL ? companion.ext->delivery : NULL);
    e->routing = r;
    e->file = r->file;
    e->routes = r->routes;
    e->matched = matched;
    e->inhibitor = inhibitor_open(f);
    regroup(e, now_ms);
    maintenance_reload(e, now_ms);
    return OK;
}

/* What ended while nobody looked is told at the first look. */
static void set_history(struct engine *e, struct history *h, int64_t now_ms)
{
    int64_t last_ms = h != NULL ? history_last_ms(h) : INT64_MIN;
    e->history = h;
    e->told_ms = last_ms == INT64_MIN ? now_ms : last_ms;
    silences_set_history(e->silences, h, e->told_ms);
}

err engine_open(const struct engine_options *o, struct alertmanager_file *f,
                struct engine_companion companion, int64_t now_ms, struct engine **out,
                struct diag *d)
{
    struct engine *e = mem_zalloc(1, sizeof(*e));
    e->retention_ms = o->retention_ms;
    e->gc_ms = now_ms + ENGINE_GC_MS;
    e->random = o->seed != 0 ? o->seed : hash_random_seed();
    e->alerts = alert_table_open();
    e->rates = rates_open();
    e->incidents = mem_zalloc(1, sizeof(*e->incidents));
    e->incidents->start_delay_ms = o->start_delay_ms;
    err failed = state_log_open(o->fs, o->dir, &e->state, d);
    if (failed == OK) {
        e->silences = silences_open(e->state, o->retention_ms, o->seed);
        e->sent = sent_log_open(e->state);
        e->messages = messages_open(e->state);
        state_log_each(e->state, STATE_ALERT, restore_alert, e);
        incidents_restore(e);
        maintenance_restore(e);
        e->notices = notices_open(e);
        set_history(e, o->history, now_ms);
        failed = engine_reload(e, f, companion, now_ms);
        if (failed != OK)
            (void)diag_set(d, failed, "too many routes");
    }
    if (failed != OK) {
        engine_close(e);
        return failed;
    }
    *out = e;
    return OK;
}

void engine_close(struct engine *e)
{
    if (e == NULL)
        return;
    drop_config(e, 0);
    if (e->state != NULL && state_log_sync(e->state) != OK)
        log_error("what was told last may be told again after a restart");
    incidents_close(e);
    maintenance_close(e);
    notices_close(e);
    mem_free(e->buckets);
    due_heap_fini(&e->due_groups);
    due_heap_fini(&e->due_deliveries);
    rates_close(e->rates);
    sent_log_close(e->sent);
    messages_close(e->messages);
    silences_close(e->silences);
    state_log_close(e->state);
    alert_table_close(e->alerts);
    mem_free(e);
}

/* ---- Intake ---- */

static struct live_alert fill_in(const struct engine *e, const struct engine_alert *a,
                                 int64_t now_ms)
{
    struct live_alert alert = {.labels = a->labels,
                               .annotations = a->annotations,
                               .generator_url = a->generator_url,
                               .starts_at_ms = a->starts_at_ms,
                               .ends_at_ms = a->ends_at_ms};
    if (alert.starts_at_ms == 0)
        alert.starts_at_ms = alert.ends_at_ms != 0 ? alert.ends_at_ms : now_ms;
    if (alert.ends_at_ms == 0) {
        alert.timeout = true;
        alert.ends_at_ms = now_ms + e->file->global.resolve_timeout_ms;
    }
    return alert;
}

static size_t text_bytes(const struct live_alert *a)
{
    size_t n = a->generator_url.len;
    const struct labels sets[] = {a->labels, a->annotations};
    for (size_t s = 0; s < COUNT_OF(sets); s++)
        for (size_t i = 0; i < sets[s].count; i++)
            n += sets[s].items[i].name.len + sets[s].items[i].value.len + sizeof(struct label);
    return n + sizeof(*a);
}

/* What is known already may end, and say less. */
static bool has_room(const struct engine *e, const struct live_alert *a)
{
    const struct live_alert *old = alert_table_get(e->alerts, alert_fingerprint(a->labels));
    size_t bytes = text_bytes(a), held = old != NULL ? text_bytes(old) : 0;
    if (old == NULL && alert_table_count(e->alerts) >= ENGINE_ALERTS_MAX)
        return false;
    return bytes <= held || state_log_has_room(e->state, bytes - held);
}

err engine_put(struct engine *e, const struct engine_alert *alerts, size_t count, int64_t now_ms)
{
    err failed = OK;
    for (size_t i = 0; i < count; i++) {
        struct live_alert alert = fill_in(e, &alerts[i], now_ms);
        if (!has_room(e, &alert)) {
            e->counts.refused_alerts++;
            failed = ERR_LIMIT;
            continue;
        }
        if (live_alert_is_resolved(&alert, now_ms))
            e->counts.received_resolved++;
        else
            e->counts.received_firing++;
        struct live_alert *old = alert_table_get(e->alerts, alert_fingerprint(alert.labels));
        old = old != NULL ? live_alert_ref(old) : NULL;
        struct live_alert *a = alert_table_put(e->alerts, &alert, now_ms);
        tell_alert(e, old, a, now_ms);
        live_alert_unref(old);
        inhibitor_put(e->inhibitor, a->fingerprint, a->labels, a->ends_at_ms);
        keep_alert(e, a);
        if (!groups_put(e, a, now_ms)) {
            e->counts.refused_groups++;
            failed = ERR_LIMIT;
        }
    }
    return failed;
}

/* ---- Time ---- */

int64_t engine_next_ms(const struct engine *e)
{
    int64_t next_ms = alert_table_count(e->alerts) + e->group_count > 0 ? e->gc_ms : INT64_MAX;
    next_ms = MIN(next_ms, notices_next_ms(e));
    const struct due *group = due_heap_first(&e->due_groups);
    const struct due *delivery = due_heap_first(&e->due_deliveries);
    const struct due *incident = due_heap_first(&e->incidents->due);
    next_ms = MIN(next_ms, maintenance_next_ms(e));
    if (incident != NULL)
        next_ms = MIN(next_ms, incident->ms);
    if (group != NULL)
        next_ms = MIN(next_ms, MAX(group->ms, flush_groups_from_ms(e)));
    next_ms = MIN(next_ms, rates_next_ms(e->rates));
    return delivery != NULL ? MIN(next_ms, delivery->ms) : next_ms;
}

struct delivery *engine_take(struct engine *e, int64_t now_ms)
{
    maintenance_run(e, now_ms);
    flush_due_groups(e, now_ms);
    incidents_run(e, now_ms);
    notices_run(e, now_ms);
    if (now_ms >= e->gc_ms)
        engine_gc(e, now_ms);
    if (notices_unsynced(e) || e->incidents->unsynced) { /* a full disk keeps nobody uninformed */
        e->incidents->unsynced = false;
        if (state_log_sync(e->state) != OK)
            log_error("incidents and notices are not on disk: a restart may tell a level again");
    }
    return flush_take(e, now_ms);
}

static void forget(struct engine *e, const struct live_alert *a)
{
    uint64_t fingerprint = a->fingerprint;
    state_log_put(e->state, STATE_ALERT,
                  (slice){(const uint8_t *)&fingerprint, sizeof(fingerprint)}, NULL);
    inhibitor_forget(e->inhibitor, fingerprint, a->labels);
    alert_table_forget(e->alerts, fingerprint);
}

/* A group that holds it has not told the end to all who know it: a restart must find it. */
static bool is_over(const struct engine *e, const struct live_alert *a, int64_t now_ms)
{
    bool held = atomic_load_explicit(&a->refs, memory_order_relaxed) > 1;
    int64_t kept_ms =
        held ? MAX(e->retention_ms, ENGINE_RESOLVED_KEPT_MS) : ENGINE_RESOLVED_KEPT_MS;
    return now_ms - a->ends_at_ms >= kept_ms;
}

void engine_gc(struct engine *e, int64_t now_ms)
{
    size_t at = 0, count = 0;
    tell_ended(e, now_ms);
    uint64_t *gone = mem_zalloc(alert_table_count(e->alerts) + 1, sizeof(uint64_t));
    for (struct live_alert *a; (a = alert_table_next(e->alerts, &at)) != NULL;)
        if (is_over(e, a, now_ms))
            gone[count++] = a->fingerprint;
    for (size_t i = 0; i < count; i++)
        forget(e, alert_table_get(e->alerts, gone[i]));
    mem_free(gone);
    groups_gc(e);
    silences_gc(e->silences, now_ms);
    sent_log_gc(e->sent, now_ms);
    messages_gc(e->messages, now_ms);
    incidents_gc(e, now_ms);
    maintenance_gc(e, now_ms);
    e->gc_ms = now_ms + ENGINE_GC_MS;
    if (state_log_sync(e->state) != OK)
        e->gc_ms = now_ms + ENGINE_GC_MS; /* said already; tried again then */
}

struct silences *engine_silences(struct engine *e)
{
    return e->silences;
}

err engine_sync(struct engine *e)
{
    return state_log_sync(e->state);
}

void engine_count(const struct engine *e, struct engine_counts *out)
{
    *out = e->counts;
    out->alerts = alert_table_count(e->alerts);
    out->groups = e->group_count;
    out->rate_waiting = rates_waiting(e->rates);
}

const struct timing *engine_delivery_times(const struct engine *e, enum integration_kind kind)
{
    return &e->delivered[kind];
}
