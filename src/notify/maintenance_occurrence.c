/* maintenance_occurrence.c -- one occurrence of a maintenance window: when it comes, the silences
 * it is, how it ends. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "notify/maintenance_priv.h"

enum { SKIPPED_MAX = 1000 }; /* occurrences that are looked at to find one that may begin */

static_assert((int)UUID_TEXT_SIZE == (int)SILENCE_ID_SIZE, "a silence's id is a UUID");

void maintenance_silence_id(str name, int64_t starts_at_ms, size_t set,
                            char out[SILENCE_ID_SIZE + 1])
{
    static const uint8_t SPACE[UUID_SIZE] = {0x96, 0xc9, 0x63, 0xf6, 0x39, 0x72, 0x5d, 0x8f,
                                             0x83, 0x09, 0xbc, 0xf1, 0x20, 0xd9, 0xc5, 0x5b};
    struct buf text = {0};
    buf_printf(&text, STR_FMT "\n%lld", STR_ARG(name), (long long)starts_at_ms);
    if (set > 0)
        buf_printf(&text, "\n%zu", set);
    uuid_of_name(SPACE, buf_str(&text), out);
    buf_fini(&text);
}

bool window_has_silence(const struct window *w, str id)
{
    char own[SILENCE_ID_SIZE + 1];
    bool found = false;
    for (size_t i = 0; !found && i < w->def.matchers.count; i++) {
        maintenance_silence_id(w->def.name, w->current.starts_at_ms, i, own);
        found = str_eq(str_from(own), id);
    }
    return found;
}

/* ---- When it comes ---- */

static bool occurrence_after(const struct engine *e, const struct maintenance_window *def,
                             int64_t from_ms, struct occurrence *out)
{
    size_t count = def->time_intervals.count;
    if (count == 0) {
        *out = (struct occurrence){def->starts_at_ms, def->ends_at_ms};
        return def->ends_at_ms > from_ms;
    }
    const struct time_intervals **sets = mem_zalloc(count, sizeof(*sets));
    for (size_t i = 0; i < count; i++)
        sets[i] = alertmanager_time_intervals(e->file, def->time_intervals.items[i]);
    bool any = window_times_next(sets, count, from_ms, out);
    mem_free(sets);
    return any;
}

/* May `o` begin, as far as the last occurrence is concerned? What somebody ended does not come
 * back, however the window was changed since; behind an end that was planned there may be more. */
static bool may_begin(const struct window *w, struct occurrence *o)
{
    int64_t end_ms = MAX(w->current.ends_at_ms, w->planned_end_ms);
    if (w->phase == PHASE_NONE || w->phase == PHASE_WITHDRAWN || o->starts_at_ms >= end_ms ||
        o->ends_at_ms <= w->current.starts_at_ms)
        return true;
    bool planned = w->phase != PHASE_OVERRIDDEN && w->current.ends_at_ms >= w->planned_end_ms;
    if (planned && o->ends_at_ms > end_ms)
        o->starts_at_ms = end_ms;
    return planned && o->ends_at_ms > end_ms;
}

bool window_is_open(const struct engine *e, const struct window *w, int64_t now_ms,
                    struct occurrence *out)
{
    return occurrence_after(e, &w->def, now_ms, out) && out->starts_at_ms <= now_ms;
}

/* What somebody ended is over for as long as the window would have been open, which may be longer
 * than one occurrence lasts at most. */
static void extend_override(struct engine *e, struct window *w, int64_t now_ms)
{
    struct occurrence o;
    int64_t end_ms = MAX(w->current.ends_at_ms, w->planned_end_ms);
    bool more = w->phase == PHASE_OVERRIDDEN, longer = false;
    for (int i = 0; i < SKIPPED_MAX && more; i++) {
        more = occurrence_after(e, &w->def, MIN(now_ms, end_ms - 1), &o) &&
               o.starts_at_ms < end_ms && o.ends_at_ms > end_ms;
        longer = longer || more;
        if (more)
            w->planned_end_ms = end_ms = o.ends_at_ms;
        more = more && end_ms <= now_ms;
    }
    if (longer)
        window_keep(e, w);
}

void window_find_next(struct engine *e, struct window *w, int64_t now_ms)
{
    struct occurrence o;
    bool active = w->phase == PHASE_ACTIVE;
    int64_t until_ms = now_ms + WINDOW_SEARCH_YEARS * INT64_C(366 * 86400000);
    int64_t from_ms = active ? MAX(w->current.ends_at_ms, w->planned_end_ms) : now_ms;
    w->looked_ms = now_ms;
    w->has_next = false;
    w->next = (struct occurrence){0, 0};
    if (!w->configured && !w->ad_hoc)
        return;
    extend_override(e, w, now_ms);
    int64_t barred_ms =
        w->phase == PHASE_OVERRIDDEN ? MAX(w->current.ends_at_ms, w->planned_end_ms) : INT64_MIN;
    for (int i = 0;
         i < SKIPPED_MAX && from_ms < until_ms && occurrence_after(e, &w->def, from_ms, &o); i++) {
        from_ms = o.ends_at_ms;
        bool barred = o.starts_at_ms < barred_ms;
        if (barred)
            barred_ms = MAX(barred_ms, o.ends_at_ms);
        if (barred || !may_begin(w, &o))
            continue;
        w->has_next = true;
        w->next = o;
        return;
    }
}

/* ---- Its silences ---- */

static void impose_one(struct engine *e, const struct window *w, size_t set, int64_t now_ms)
{
    char id[SILENCE_ID_SIZE + 1];
    struct diag d = {.text = ""};
    struct buf comment = {0};
    const struct maintenance_window *def = &w->def;
    struct pair note = {STR(MAINTENANCE_ANNOTATION), def->name};
    buf_printf(&comment, "maintenance window " STR_FMT "%s" STR_FMT, STR_ARG(def->name),
               def->comment.len > 0 ? ": " : "", STR_ARG(def->comment));
    maintenance_silence_id(def->name, w->current.starts_at_ms, set, id);
    const struct silence made = {
        .id = str_from(id),
        .matchers = def->matchers.items[set],
        .starts_at_ms = w->current.starts_at_ms,
        .ends_at_ms = w->current.ends_at_ms,
        .created_by = def->created_by.len > 0 ? def->created_by : STR("maintenance"),
        .comment = buf_str(&comment),
        .annotations = {&note, 1},
        .spared = def->override_matchers.count > 0 ? def->override_matchers.items[0]
                                                   : (struct alert_matchers){NULL, 0},
    };
    if (silences_impose(e->silences, &made, now_ms, &d) != OK)
        log_error("a maintenance window mutes nothing", LOG_STR("window", def->name),
                  LOG_CSTR("err", d.text));
    buf_fini(&comment);
}

void window_impose(struct engine *e, const struct window *w, int64_t now_ms)
{
    for (size_t i = 0; i < w->def.matchers.count; i++)
        impose_one(e, w, i, now_ms);
}

static void expire_silences(struct engine *e, const struct window *w, int64_t now_ms)
{
    char id[SILENCE_ID_SIZE + 1];
    for (size_t i = 0; i < w->def.matchers.count; i++) {
        maintenance_silence_id(w->def.name, w->current.starts_at_ms, i, id);
        (void)!silences_expire(e->silences, str_from(id), now_ms); /* or it is gone already */
    }
}

/* Programs that change a silence may leave annotations out. */
static bool is_annotated(const struct silence *s, str name)
{
    for (size_t i = 0; i < s->annotations.count; i++)
        if (str_eq(s->annotations.items[i].name, STR(MAINTENANCE_ANNOTATION)))
            return str_eq(s->annotations.items[i].value, name);
    return false;
}

void window_look_at_silences(struct engine *e, struct window *w, int64_t now_ms)
{
    char id[SILENCE_ID_SIZE + 1];
    for (size_t i = 0; w->phase == PHASE_ACTIVE && i < w->def.matchers.count; i++) {
        maintenance_silence_id(w->def.name, w->current.starts_at_ms, i, id);
        const struct silence *s = silences_get(e->silences, str_from(id));
        if (s == NULL) {
            impose_one(e, w, i, now_ms);
        } else if (s->ends_at_ms != w->current.ends_at_ms && s->ends_at_ms > s->updated_at_ms) {
            w->current.ends_at_ms = s->ends_at_ms; /* somebody moved it */
            window_impose(e, w, now_ms);
            window_keep(e, w);
        } else if (s->ends_at_ms < w->current.ends_at_ms) {
            buf_reset(&w->by);
            buf_reset(&w->reason);
            buf_put_str(&w->reason, STR("its silence was ended"));
            window_end(e, w, PHASE_OVERRIDDEN, s->ends_at_ms, now_ms);
        } else if (now_ms < s->ends_at_ms && !is_annotated(s, w->def.name)) {
            impose_one(e, w, i, now_ms);
        }
    }
}

/* ---- Beginning and end ---- */

static void tell_history(const struct engine *e, const struct window *w, enum history_kind kind,
                         int64_t at_ms)
{
    struct history_event said = {.kind = kind, .at_ms = at_ms};
    struct buf matchers = {0};
    if (e->history == NULL)
        return;
    for (size_t i = 0; i < w->def.matchers.count; i++) {
        buf_put_str(&matchers, i > 0 ? STR(" or ") : STR(""));
        alert_matchers_format(&w->def.matchers.items[i], &matchers);
    }
    said.texts[HISTORY_ID] = w->def.name;
    said.texts[HISTORY_AUTHOR] = w->def.created_by;
    said.texts[HISTORY_COMMENT] = w->def.comment;
    said.texts[HISTORY_MATCHERS] = buf_str(&matchers);
    said.texts[HISTORY_BY] = buf_str(&w->by);
    said.texts[HISTORY_REASON] = buf_str(&w->reason);
    history_say(&said, HISTORY_STARTS_AT_MS, w->current.starts_at_ms);
    history_say(&said, HISTORY_ENDS_AT_MS, w->current.ends_at_ms);
    history_put(e->history, &said);
    buf_fini(&matchers);
}

void window_begin(struct engine *e, struct window *w, int64_t now_ms)
{
    w->phase = PHASE_ACTIVE;
    w->current = w->next;
    w->planned_end_ms = w->next.ends_at_ms;
    w->ended_at_ms = 0;
    buf_reset(&w->by);
    buf_reset(&w->reason);
    e->maintenance->counts.started++;
    window_impose(e, w, now_ms);
    window_keep(e, w);
    tell_history(e, w, HISTORY_MAINTENANCE_STARTED, MAX(w->current.starts_at_ms, now_ms));
    window_notify(e, w, &w->current, EVENT_START, now_ms);
    log_info("maintenance window begins", LOG_STR("window", w->def.name));
}

void window_end(struct engine *e, struct window *w, enum phase how, int64_t at_ms, int64_t now_ms)
{
    bool overridden = how == PHASE_OVERRIDDEN;
    w->phase = how;
    w->ended_at_ms = at_ms;
    if (overridden)
        e->maintenance->counts.overridden++;
    else
        e->maintenance->counts.ended++;
    expire_silences(e, w, now_ms);
    window_keep(e, w);
    tell_history(e, w, overridden ? HISTORY_MAINTENANCE_OVERRIDDEN : HISTORY_MAINTENANCE_ENDED,
                 at_ms);
    window_notify(e, w, &w->current, overridden ? EVENT_OVERRIDE : EVENT_END, now_ms);
    maintenance_wake(e, w, now_ms);
    log_info("maintenance window ends", LOG_STR("window", w->def.name),
             LOG_CSTR("overridden", overridden ? "yes" : "no"));
}
