/* maintenance.c -- see maintenance.h: the windows there are, and the time that passes. */
#include "notify/maintenance.h"

#include "base/log.h"
#include "base/mem.h"
#include "notify/maintenance_priv.h"

static const int64_t SEARCH_AGAIN_MS = INT64_C(30) * 86400000; /* for what is ten years away */

/* ---- The table ---- */

struct window *maintenance_find(const struct engine *e, str name)
{
    const struct maintenance *m = e->maintenance;
    for (size_t i = 0; i < m->count; i++)
        if (str_eq(m->items[i]->def.name, name))
            return m->items[i];
    return NULL;
}

void maintenance_put(struct engine *e, struct window *w)
{
    struct maintenance *m = e->maintenance;
    for (size_t i = 0; i < m->count; i++) {
        if (!str_eq(m->items[i]->def.name, w->def.name))
            continue;
        window_free(m->items[i]);
        m->items[i] = w;
        return;
    }
    if (m->count == m->room) {
        m->room = MAX(2 * m->room, (size_t)16);
        m->items = mem_resize(m->items, m->room, sizeof(struct window *));
    }
    m->items[m->count++] = w;
}

void maintenance_drop(struct engine *e, const struct window *w)
{
    struct maintenance *m = e->maintenance;
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i] != w) {
            m->items[kept++] = m->items[i];
            continue;
        }
        window_forget(e, w);
        window_free(m->items[i]);
    }
    m->count = kept;
}

static void restore_one(void *arg, slice key, slice value)
{
    struct engine *e = arg;
    struct window *w = window_decode(value);
    if (w != NULL)
        maintenance_put(e, w);
    else
        log_error("a maintenance window in the state of notifications cannot be read: it is "
                  "forgotten",
                  LOG_STR("window", slice_text(key)));
}

void maintenance_restore(struct engine *e)
{
    e->maintenance = mem_zalloc(1, sizeof(*e->maintenance));
    e->maintenance->next_ms = INT64_MAX;
    state_log_each(e->state, STATE_MAINTENANCE, restore_one, e);
}

void maintenance_close(struct engine *e)
{
    struct maintenance *m = e->maintenance;
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++)
        window_free(m->items[i]);
    mem_free(m->items);
    mem_free(m);
    e->maintenance = NULL;
}

/* ---- Another configuration ---- */

static bool same_bytes(const struct window *a, const struct window *b)
{
    struct buf of_a = {0}, of_b = {0};
    window_encode(a, &of_a);
    window_encode(b, &of_b);
    bool same = str_eq(buf_str(&of_a), buf_str(&of_b));
    buf_fini(&of_a);
    buf_fini(&of_b);
    return same;
}

/* What `old` was, with what the file says now; its texts are those of both. */
static struct window *redefine(const struct window *old, const struct maintenance_window *def)
{
    static const struct window NONE = {0};
    struct window made = old != NULL && !old->ad_hoc ? *old : NONE;
    struct buf bytes = {0};
    made.def = *def;
    window_encode(&made, &bytes);
    struct window *w = window_decode(buf_slice(&bytes));
    buf_fini(&bytes);
    return w;
}

/* Lists of matchers that the window has no more: what they muted is muted no more. */
static void end_surplus(struct engine *e, const struct window *old, const struct window *w,
                        int64_t now_ms)
{
    char id[SILENCE_ID_SIZE + 1];
    for (size_t i = w->def.matchers.count; i < old->def.matchers.count; i++) {
        maintenance_silence_id(old->def.name, old->current.starts_at_ms, i, id);
        (void)!silences_expire(e->silences, str_from(id), now_ms);
    }
}

static void withdraw(struct engine *e, struct window *w, str reason, int64_t now_ms)
{
    buf_reset(&w->reason);
    buf_put_str(&w->reason, reason);
    window_end(e, w, PHASE_WITHDRAWN, now_ms, now_ms);
}

static void take_config(struct engine *e, const struct maintenance_window *def, int64_t now_ms)
{
    struct window *old = maintenance_find(e, def->name), *w = redefine(old, def);
    if (w == NULL) {
        log_error("a maintenance window is too large: it mutes nothing",
                  LOG_STR("window", def->name));
        return;
    }
    w->configured = true;
    if (old != NULL && old->ad_hoc) {
        log_warn("the configuration takes the place of an ad-hoc maintenance window",
                 LOG_STR("window", def->name));
        if (old->phase == PHASE_ACTIVE)
            withdraw(e, old, STR("the configuration has a window of that name"), now_ms);
        window_forget(e, old);
    } else if (old != NULL && same_bytes(old, w)) {
        old->configured = true;
        window_free(w);
        return;
    } else if (old != NULL && old->phase == PHASE_ACTIVE) {
        end_surplus(e, old, w, now_ms);
        window_leave(e, old, w->def.notify, now_ms);
    }
    maintenance_put(e, w);
    if (w->phase != PHASE_NONE)
        window_keep(e, w);
}

/* An occurrence under way: the window may be gone, closed, or end at another time. */
static void follow(struct engine *e, struct window *w, int64_t now_ms)
{
    struct occurrence o;
    if (!w->configured && !w->ad_hoc) {
        withdraw(e, w, STR("it is in the configuration no more"), now_ms);
    } else if (now_ms >= w->planned_end_ms) {
        window_impose(e, w, now_ms); /* somebody made it longer */
    } else if (!window_is_open(e, w, now_ms, &o)) {
        withdraw(e, w, STR("the configuration has it at another time"), now_ms);
    } else {
        if (o.ends_at_ms != w->planned_end_ms) {
            w->current.ends_at_ms = w->planned_end_ms = o.ends_at_ms;
            window_keep(e, w);
        }
        window_impose(e, w, now_ms);
    }
}

static void look_at_end(struct engine *e, struct window *w, int64_t now_ms)
{
    if (w->phase == PHASE_ACTIVE)
        window_look_at_silences(e, w, now_ms);
    if (w->phase == PHASE_ACTIVE && now_ms >= w->current.ends_at_ms)
        window_end(e, w, PHASE_ENDED, w->current.ends_at_ms, now_ms);
}

void maintenance_reload(struct engine *e, int64_t now_ms)
{
    struct maintenance *m = e->maintenance;
    const struct alerting_ext *x = e->routing->companion.ext;
    for (size_t i = 0; i < m->count; i++) {
        m->items[i]->configured = false;
        look_at_end(e, m->items[i], now_ms);
    }
    for (size_t i = 0; x != NULL && i < x->maintenance_windows.count; i++)
        take_config(e, &x->maintenance_windows.items[i], now_ms);
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i]->phase == PHASE_ACTIVE)
            follow(e, m->items[i], now_ms);
        window_find_next(e, m->items[i], now_ms);
    }
    m->next_ms = now_ms; /* what begins now begins at the next look */
}

/* ---- Time ---- */

static void begin(struct engine *e, struct window *w, int64_t now_ms)
{
    if (w->has_next && w->next.ends_at_ms <= now_ms)
        window_find_next(e, w, now_ms); /* it came and went while nobody looked */
    if (!w->has_next || w->next.starts_at_ms > now_ms)
        return;
    window_begin(e, w, now_ms);
    window_find_next(e, w, now_ms);
}

/* When it is to be announced; INT64_MAX: it is not, or was. */
static int64_t announce_ms(const struct window *w)
{
    const struct maintenance_notify *n = w->def.notify;
    bool due =
        n != NULL && n->before_ms > 0 && w->has_next && w->announced_ms != w->next.starts_at_ms;
    return due ? w->next.starts_at_ms - n->before_ms : INT64_MAX;
}

static void run_one(struct engine *e, struct window *w, int64_t now_ms)
{
    enum phase before = w->phase;
    look_at_end(e, w, now_ms);
    if (w->phase != before || (!w->has_next && now_ms >= w->looked_ms + SEARCH_AGAIN_MS))
        window_find_next(e, w, now_ms);
    if (w->phase != PHASE_ACTIVE)
        begin(e, w, now_ms);
    if (announce_ms(w) > now_ms)
        return;
    w->announced_ms = w->next.starts_at_ms;
    window_keep(e, w);
    window_notify(e, w, &w->next, EVENT_BEFORE, now_ms);
}

static int64_t due_ms(const struct window *w, int64_t now_ms)
{
    int64_t ms = announce_ms(w);
    if (w->phase == PHASE_ACTIVE)
        ms = MIN(ms, w->current.ends_at_ms);
    else if (w->has_next)
        ms = MIN(ms, w->next.starts_at_ms);
    if (!w->has_next && w->def.time_intervals.count > 0)
        ms = MIN(ms, w->looked_ms + SEARCH_AGAIN_MS);
    return MAX(ms, now_ms + 1);
}

void maintenance_run(struct engine *e, int64_t now_ms)
{
    struct maintenance *m = e->maintenance;
    if (now_ms >= m->next_ms || m->silences_version != silences_version(e->silences)) {
        m->next_ms = INT64_MAX;
        for (size_t i = 0; i < m->count; i++) {
            run_one(e, m->items[i], now_ms);
            m->next_ms = MIN(m->next_ms, due_ms(m->items[i], now_ms));
        }
        m->silences_version = silences_version(e->silences);
    }
}

int64_t maintenance_next_ms(const struct engine *e)
{
    return e->maintenance->next_ms;
}

/* ---- Forgetting ---- */

static bool is_over(const struct window *w, int64_t now_ms)
{
    int64_t over_ms = MAX(MAX(w->ended_at_ms, w->planned_end_ms), w->current.ends_at_ms);
    if (w->configured || w->phase == PHASE_ACTIVE || w->has_next)
        return false;
    return MAX(over_ms, w->def.ends_at_ms) + MAINTENANCE_KEPT_MS <= now_ms;
}

void maintenance_gc(struct engine *e, int64_t now_ms)
{
    struct maintenance *m = e->maintenance;
    for (size_t i = m->count; i > 0; i--)
        if (is_over(m->items[i - 1], now_ms))
            maintenance_drop(e, m->items[i - 1]);
}
