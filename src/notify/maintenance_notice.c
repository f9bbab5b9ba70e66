/* maintenance_notice.c -- people are told of maintenance windows themselves: before, at the start,
 * at the end, and when somebody overrides one. */
#include "base/log.h"
#include "notify/maintenance_priv.h"
#include "notify/notice.h"

#define MAINTENANCE_ALERTNAME "VarveMaintenance"

static const char *const EVENTS[] = {"before", "start", "end", "override", "left"};

/* ---- Words ---- */

/* Of the first time interval that has one; else UTC. */
static const struct zone *zone_of(const struct engine *e, const struct maintenance_window *def)
{
    const struct zone *z = NULL;
    for (size_t i = 0; z == NULL && i < def->time_intervals.count; i++) {
        const struct time_intervals *t =
            alertmanager_time_intervals(e->file, def->time_intervals.items[i]);
        for (size_t k = 0; z == NULL && t != NULL && k < t->count; k++)
            z = t->items[k].zone;
    }
    if (z == NULL)
        (void)!zone_find(STR("UTC"), &z, NULL); /* it needs no file */
    return z;
}

/* "2026-11-29 02:00 CET" */
static void put_time(struct buf *out, const struct zone *z, int64_t ms)
{
    struct civil c;
    const char *abbreviation;
    zone_civil(z, ms, &c);
    (void)zone_offset(z, ms, &abbreviation);
    buf_printf(out, "%04lld-%02d-%02d %02d:%02d", (long long)c.year, c.month, c.day, c.hour,
               c.minute);
    if (c.second != 0)
        buf_printf(out, ":%02d", c.second);
    buf_printf(out, " %s", abbreviation);
}

static void put_sets(struct buf *out, const struct matcher_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        buf_put_str(out, i > 0 ? STR(" or ") : STR(""));
        alert_matchers_format(&sets->items[i], out);
    }
}

/* One line: names and people's words may have several. */
static void flatten(struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (b->ptr[i] < ' ' || b->ptr[i] == 0x7f)
            b->ptr[i] = ' ';
}

static void put_title(struct buf *out, const struct window *w, const struct occurrence *of,
                      enum maintenance_event what, const struct zone *z)
{
    buf_printf(out, "Maintenance " STR_FMT " ", STR_ARG(w->def.name));
    switch (what) {
    case EVENT_BEFORE:
        buf_put_str(out, STR("begins at "));
        put_time(out, z, of->starts_at_ms);
        break;
    case EVENT_START:
        buf_put_str(out, STR("has begun, until "));
        put_time(out, z, of->ends_at_ms);
        break;
    case EVENT_END:
        buf_put_str(out, STR("is over"));
        break;
    case EVENT_OVERRIDE:
        buf_put_str(out, STR("was overridden"));
        if (w->by.len > 0)
            buf_printf(out, " by " STR_FMT, STR_ARG(buf_str(&w->by)));
        break;
    case EVENT_LEFT:
        buf_put_str(out, STR("goes on until "));
        put_time(out, z, of->ends_at_ms);
        buf_put_str(out, STR(", and its end is not told here"));
        break;
    }
    flatten(out);
}

static size_t count_firing(const struct engine *e, const struct window *w, int64_t now_ms)
{
    size_t at = 0, count = 0;
    for (struct live_alert *a; (a = alert_table_next(e->alerts, &at)) != NULL;)
        count += !live_alert_is_resolved(a, now_ms) && window_mutes(w, a->labels);
    return count;
}

static void put_line(struct buf *out, const char *key, str value)
{
    if (value.len > 0)
        buf_printf(out, "%s: " STR_FMT "\n", key, STR_ARG(value));
}

static void put_text(struct buf *out, const struct engine *e, const struct window *w,
                     const struct occurrence *of, enum maintenance_event what, int64_t now_ms)
{
    const struct zone *z = zone_of(e, &w->def);
    buf_put_str(out, STR("From "));
    put_time(out, z, of->starts_at_ms);
    buf_put_str(out, STR(" to "));
    put_time(out, z, what == EVENT_END || what == EVENT_OVERRIDE ? w->ended_at_ms : of->ends_at_ms);
    buf_put_str(out, what == EVENT_END || what == EVENT_OVERRIDE ? STR("\nNo more muted: ")
                                                                 : STR("\nMuted: "));
    put_sets(out, &w->def.matchers);
    if (w->def.override_matchers.count > 0) {
        buf_put_str(out, STR("\nNever muted: "));
        put_sets(out, &w->def.override_matchers);
    }
    buf_put_u8(out, '\n');
    put_line(out, "Comment", w->def.comment);
    put_line(out, "Created by", w->def.created_by);
    if (what == EVENT_END || what == EVENT_OVERRIDE) {
        put_line(out, "Reason", buf_str(&w->reason));
        buf_printf(out, "Alerts of it that fire now: %zu\n", count_firing(e, w, now_ms));
    }
}

/* ---- The notice ---- */

static bool is_wanted(const struct window *w, enum maintenance_event what)
{
    const struct maintenance_notify *n = w->def.notify;
    if (n == NULL)
        return false;
    return what == EVENT_START ? n->on_start : what == EVENT_END ? n->on_end : true;
}

static size_t add_label(struct label *items, size_t count, str name, str value)
{
    if (value.len > 0)
        items[count++] = (struct label){name, value};
    return count;
}

/* Sorted by name, without those that are empty. */
static struct labels annotations_of(const struct window *w, enum maintenance_event what,
                                    str matchers, struct label *items)
{
    size_t n = add_label(items, 0, STR("comment"), w->def.comment);
    n = add_label(items, n, STR("created_by"), w->def.created_by);
    n = add_label(items, n, STR("event"), str_from(EVENTS[what]));
    n = add_label(items, n, STR("matchers"), matchers);
    if (what == EVENT_OVERRIDE)
        n = add_label(items, n, STR("overridden_by"), buf_str(&w->by));
    if (what == EVENT_OVERRIDE || what == EVENT_END)
        n = add_label(items, n, STR("reason"), buf_str(&w->reason));
    return (struct labels){items, n};
}

/* Nobody wants to hear of a beginning when it is past, or of a start behind the end. */
static int64_t expiry_of(const struct occurrence *of, enum maintenance_event what)
{
    return what == EVENT_BEFORE ? of->starts_at_ms : what == EVENT_START ? of->ends_at_ms : 0;
}

static void tell(struct engine *e, const struct window *w, struct texts to, struct alert_notice *n,
                 int64_t now_ms)
{
    for (size_t i = 0; i < to.count; i++) {
        struct diag d = {.text = ""};
        n->receiver = to.items[i];
        if (notice_put(e, n, now_ms, &d) != OK)
            log_error("nobody is told of a maintenance window", LOG_STR("window", w->def.name),
                      LOG_STR("receiver", n->receiver), LOG_CSTR("err", d.text));
    }
}

static void notify(struct engine *e, const struct window *w, const struct occurrence *of,
                   enum maintenance_event what, struct texts to, int64_t now_ms)
{
    char uuid[SILENCE_ID_SIZE + 1];
    struct buf id = {0}, key = {0}, title = {0}, text = {0}, matchers = {0};
    struct label annotations[8];
    struct label labels[] = {{STR("alertname"), STR(MAINTENANCE_ALERTNAME)},
                             {STR("severity"), STR("info")},
                             {STR("window"), w->def.name}};
    bool over = what == EVENT_END || what == EVENT_OVERRIDE;
    maintenance_silence_id(w->def.name, of->starts_at_ms, 0, uuid);
    buf_printf(&key, "maintenance/%s", uuid);
    buf_printf(&id, "maintenance/%s/%s/%lld", uuid, EVENTS[what], (long long)now_ms);
    put_title(&title, w, of, what, zone_of(e, &w->def));
    put_text(&text, e, w, of, what, now_ms);
    put_sets(&matchers, &w->def.matchers);
    struct alert_notice n = {
        .id = buf_str(&id),
        .key = what == EVENT_BEFORE ? STR("") : buf_str(&key),
        .open = what == EVENT_START && w->def.notify->on_end,
        .title = buf_str(&title),
        .text = buf_str(&text),
        .labels = {labels, COUNT_OF(labels)},
        .annotations = annotations_of(w, what, buf_str(&matchers), annotations),
        .starts_at_ms = of->starts_at_ms,
        .ends_at_ms = over                 ? w->ended_at_ms
                      : what == EVENT_LEFT ? now_ms
                                           : of->ends_at_ms,
        .expires_ms = expiry_of(of, what),
    };
    tell(e, w, to, &n, now_ms);
    buf_fini(&id);
    buf_fini(&key);
    buf_fini(&title);
    buf_fini(&text);
    buf_fini(&matchers);
}

void window_notify(struct engine *e, const struct window *w, const struct occurrence *of,
                   enum maintenance_event what, int64_t now_ms)
{
    if (is_wanted(w, what))
        notify(e, w, of, what, w->def.notify->receivers, now_ms);
}

static bool hears_of_end(const struct maintenance_notify *n, str receiver)
{
    bool found = false;
    for (size_t i = 0; n != NULL && n->on_end && !found && i < n->receivers.count; i++)
        found = str_eq(n->receivers.items[i], receiver);
    return found;
}

void window_leave(struct engine *e, const struct window *w, const struct maintenance_notify *now,
                  int64_t now_ms)
{
    const struct maintenance_notify *n = w->def.notify;
    if (w->phase != PHASE_ACTIVE || n == NULL || !n->on_start || !n->on_end)
        return;
    for (size_t i = 0; i < n->receivers.count; i++) {
        str name = n->receivers.items[i];
        if (!hears_of_end(now, name) && alertmanager_receiver(e->file, name) != NULL)
            notify(e, w, &w->current, EVENT_LEFT, (struct texts){&name, 1}, now_ms);
    }
}
