/* maintenance_people.c -- what people see of maintenance windows, and do to them. */
#include "base/log.h"
#include "base/utf8.h"
#include "notify/maintenance_priv.h"

/* ---- Seeing ---- */

const char *maintenance_state_name(enum maintenance_state s)
{
    static const char *const NAMES[] = {"scheduled", "active", "overridden", "over"};
    return NAMES[s];
}

static enum maintenance_state state_of(const struct window *w, int64_t now_ms)
{
    if (w->phase == PHASE_ACTIVE)
        return MAINTENANCE_ACTIVE;
    if (w->phase == PHASE_OVERRIDDEN && MAX(w->planned_end_ms, w->current.ends_at_ms) > now_ms)
        return MAINTENANCE_OVERRIDDEN;
    return w->has_next ? MAINTENANCE_SCHEDULED : MAINTENANCE_OVER;
}

static void show(const struct window *w, int64_t now_ms, struct maintenance_view *out)
{
    *out = (struct maintenance_view){.window = &w->def,
                                     .ad_hoc = w->ad_hoc,
                                     .state = state_of(w, now_ms),
                                     .current = w->current,
                                     .next = w->next,
                                     .ended_at_ms = w->ended_at_ms,
                                     .by = buf_str(&w->by),
                                     .reason = buf_str(&w->reason)};
}

static bool is_shown(const struct window *w)
{
    return w->configured || w->ad_hoc;
}

bool maintenance_next(const struct engine *e, int64_t now_ms, size_t *at,
                      struct maintenance_view *out)
{
    const struct maintenance *m = e->maintenance;
    while (*at < m->count && !is_shown(m->items[*at]))
        (*at)++;
    if (*at >= m->count)
        return false;
    show(m->items[(*at)++], now_ms, out);
    return true;
}

err maintenance_get(const struct engine *e, str name, int64_t now_ms, struct maintenance_view *out)
{
    const struct window *w = maintenance_find(e, name);
    if (w == NULL || !is_shown(w))
        return ERR_NOTFOUND;
    show(w, now_ms, out);
    return OK;
}

void maintenance_count(const struct engine *e, int64_t now_ms, struct maintenance_counts *out)
{
    struct maintenance_view v;
    size_t at = 0;
    *out = e->maintenance->counts;
    while (maintenance_next(e, now_ms, &at, &v))
        out->states[v.state]++;
}

/* ---- Ad-hoc windows ---- */

static err check_text(const char *key, str text, size_t max, struct diag *d)
{
    if (text.len > max)
        return diag_set(d, ERR_INVALID, "\"%s\" is longer than %zu bytes", key, max);
    return utf8_valid(text) ? OK : diag_set(d, ERR_INVALID, "\"%s\" is no valid UTF-8", key);
}

static err check_matchers(const struct matcher_sets *sets, struct diag *d)
{
    if (sets->count == 0)
        return diag_set(d, ERR_INVALID, "\"matchers\" are missing: which alerts are expected?");
    for (size_t s = 0; s < sets->count; s++) {
        bool all_empty = true;
        for (size_t i = 0; i < sets->items[s].count; i++)
            all_empty = all_empty && sets->items[s].items[i].matches_empty;
        if (all_empty)
            return diag_set(d, ERR_INVALID, "at least one matcher must not match the empty string");
        if (sets->items[s].count > SILENCE_MATCHERS_MAX)
            return diag_set(d, ERR_LIMIT, "more than %d matchers", SILENCE_MATCHERS_MAX);
    }
    return OK;
}

/* As the file is checked. */
static err check_notify(const struct engine *e, const struct maintenance_notify *n, struct diag *d)
{
    if (n == NULL)
        return OK;
    if (n->receivers.count == 0)
        return diag_set(d, ERR_INVALID, "\"receivers\" of \"notify\" are missing: who is told?");
    for (size_t i = 0; i < n->receivers.count; i++)
        if (alertmanager_receiver(e->file, n->receivers.items[i]) == NULL)
            return diag_set(d, ERR_INVALID, "there is no receiver \"" STR_FMT "\"",
                            STR_ARG(n->receivers.items[i]));
    return OK;
}

static err check_override(const struct matcher_sets *sets, struct diag *d)
{
    for (size_t s = 0; s < sets->count; s++)
        if (sets->items[s].count == 0 || sets->items[s].count > SILENCE_MATCHERS_MAX)
            return diag_set(d, ERR_INVALID, "\"override_matchers\" are 1 to %d matchers",
                            SILENCE_MATCHERS_MAX);
    return OK;
}

static err check_window(const struct maintenance_window *w, int64_t now_ms, struct diag *d)
{
    if (w->name.len == 0)
        return diag_set(d, ERR_INVALID, "\"name\" is missing");
    if (!maintenance_name_is_good(w->name))
        return diag_set(d, ERR_INVALID, "\"name\" has slashes, or is \".\"");
    TRY(check_text("name", w->name, MAINTENANCE_NAME_BYTES_MAX, d));
    TRY(check_text("comment", w->comment, MAINTENANCE_COMMENT_BYTES_MAX, d));
    TRY(check_text("created_by", w->created_by, MAINTENANCE_BY_BYTES_MAX, d));
    TRY(check_matchers(&w->matchers, d));
    TRY(check_override(&w->override_matchers, d));
    if (w->ends_at_ms == 0)
        return diag_set(d, ERR_INVALID, "\"ends_at\" is missing: when is it over?");
    if (w->ends_at_ms <= now_ms)
        return diag_set(d, ERR_INVALID, "\"ends_at\" is in the past");
    return w->ends_at_ms <= w->starts_at_ms
               ? diag_set(d, ERR_INVALID, "\"ends_at\" must be after \"starts_at\"")
               : OK;
}

static size_t count_ad_hoc(const struct maintenance *m, int64_t now_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        count += m->items[i]->ad_hoc && state_of(m->items[i], now_ms) != MAINTENANCE_OVER;
    return count;
}

err maintenance_add(struct engine *e, const struct maintenance_window *def, int64_t now_ms,
                    struct diag *d)
{
    struct window made = {.def = *def, .ad_hoc = true};
    const struct window *old = maintenance_find(e, def->name);
    struct buf bytes = {0};
    TRY(check_window(def, now_ms, d));
    TRY(check_notify(e, def->notify, d));
    if (old != NULL && is_shown(old) &&
        (old->configured || state_of(old, now_ms) != MAINTENANCE_OVER))
        return diag_set(d, ERR_ORDER, "there is a maintenance window \"" STR_FMT "\" already",
                        STR_ARG(def->name));
    if (count_ad_hoc(e->maintenance, now_ms) >= MAINTENANCE_AD_HOC_MAX)
        return diag_set(d, ERR_LIMIT,
                        "there are %d ad-hoc maintenance windows: the most there "
                        "may be",
                        MAINTENANCE_AD_HOC_MAX);
    made.def.starts_at_ms = MAX(def->starts_at_ms, now_ms);
    made.def.time_intervals.count = 0;
    window_encode(&made, &bytes);
    bool room = bytes.len <= MAINTENANCE_BYTES_MAX && state_log_has_room(e->state, bytes.len);
    struct window *w = room ? window_decode(buf_slice(&bytes)) : NULL;
    buf_fini(&bytes);
    if (w == NULL)
        return diag_set(d, ERR_LIMIT, "the maintenance window is too large, or too much is kept");
    maintenance_put(e, w);
    window_keep(e, w);
    window_find_next(e, w, now_ms);
    e->maintenance->next_ms = now_ms;
    maintenance_run(e, now_ms);
    return OK;
}

static err find_shown(const struct engine *e, str name, struct window **out, struct diag *d)
{
    struct window *w = maintenance_find(e, name);
    if (w == NULL || !is_shown(w))
        return diag_set(d, ERR_NOTFOUND, "there is no maintenance window of that name");
    *out = w;
    return OK;
}

err maintenance_remove(struct engine *e, str name, int64_t now_ms, struct diag *d)
{
    struct window *w;
    TRY(find_shown(e, name, &w, d));
    if (!w->ad_hoc)
        return diag_set(d, ERR_ORDER,
                        "maintenance window \"" STR_FMT "\" stands in the configuration: it can be "
                        "overridden, and removed there",
                        STR_ARG(name));
    bool active = w->phase == PHASE_ACTIVE;
    if (active) { /* what it muted is told again: it is known for a while */
        w->def.ends_at_ms = w->current.ends_at_ms = now_ms;
        w->planned_end_ms = now_ms;
        buf_put_str(&w->reason, STR("it was removed"));
        window_end(e, w, PHASE_ENDED, now_ms, now_ms);
        window_find_next(e, w, now_ms);
    } else {
        maintenance_drop(e, w);
    }
    e->maintenance->next_ms = now_ms;
    return OK;
}

/* ---- The emergency ---- */

err maintenance_override(struct engine *e, str name, str by, str reason, int64_t now_ms,
                         struct diag *d)
{
    struct window *w;
    if (by.len == 0)
        return diag_set(d, ERR_INVALID, "\"by\" is missing: who overrides?");
    TRY(check_text("by", by, MAINTENANCE_BY_BYTES_MAX, d));
    TRY(check_text("reason", reason, MAINTENANCE_COMMENT_BYTES_MAX, d));
    TRY(find_shown(e, name, &w, d));
    if (w->phase != PHASE_ACTIVE)
        return diag_set(d, ERR_ORDER, "maintenance window \"" STR_FMT "\" is not under way",
                        STR_ARG(name));
    buf_reset(&w->by);
    buf_reset(&w->reason);
    buf_put_str(&w->by, by);
    buf_put_str(&w->reason, reason);
    window_end(e, w, PHASE_OVERRIDDEN, now_ms, now_ms);
    window_find_next(e, w, now_ms);
    e->maintenance->next_ms = now_ms;
    log_warn("maintenance window overridden", LOG_STR("window", w->def.name), LOG_STR("by", by),
             LOG_STR("reason", reason));
    return OK;
}
