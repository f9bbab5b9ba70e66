/* maintenance_state.c -- maintenance windows as bytes: docs/formats/notify-state.md. */
#include "base/log.h"
#include "base/mem.h"
#include "notify/incident_priv.h"
#include "notify/maintenance_priv.h"
#include "notify/state_value.h"

enum { AD_HOC = 1, RESEND = 2, RESOLVE = 4, NOTIFY = 8, ON_START = 16, ON_END = 32 };

/* ---- To bytes ---- */

static void put_sets(struct buf *out, const struct matcher_sets *sets)
{
    buf_put_varint(out, sets->count);
    for (size_t s = 0; s < sets->count; s++) {
        const struct alert_matchers *ms = &sets->items[s];
        buf_put_varint(out, ms->count);
        for (size_t i = 0; i < ms->count; i++) {
            buf_put_u8(out, (uint8_t)ms->items[i].type);
            buf_put_string(out, ms->items[i].name);
            buf_put_string(out, ms->items[i].value);
        }
    }
}

static uint8_t flags_of(const struct window *w)
{
    const struct maintenance_notify *n = w->def.notify;
    return (uint8_t)((w->ad_hoc ? AD_HOC : 0) | (w->def.resend_on_end ? RESEND : 0) |
                     (w->def.resolve_notifications ? RESOLVE : 0) | (n != NULL ? NOTIFY : 0) |
                     (n != NULL && n->on_start ? ON_START : 0) |
                     (n != NULL && n->on_end ? ON_END : 0));
}

void window_encode(const struct window *w, struct buf *out)
{
    const struct maintenance_window *def = &w->def;
    const int64_t times[] = {
        def->starts_at_ms,       def->ends_at_ms,
        w->current.starts_at_ms, w->current.ends_at_ms,
        w->planned_end_ms,       w->ended_at_ms,
        w->announced_ms,         def->notify != NULL ? def->notify->before_ms : 0};
    buf_put_u8(out, flags_of(w));
    buf_put_u8(out, (uint8_t)w->phase);
    for (size_t i = 0; i < COUNT_OF(times); i++)
        buf_put_zigzag(out, times[i]);
    buf_put_string(out, def->name);
    buf_put_string(out, def->comment);
    buf_put_string(out, def->created_by);
    buf_put_string(out, buf_str(&w->by));
    buf_put_string(out, buf_str(&w->reason));
    value_put_texts(out, def->time_intervals);
    value_put_texts(out, def->notify != NULL ? def->notify->receivers : (struct texts){NULL, 0});
    put_sets(out, &def->matchers);
    put_sets(out, &def->override_matchers);
}

/* ---- From bytes ---- */

static err take_matchers(struct reader *r, struct arena *a, struct alert_matchers *out)
{
    size_t count = value_count(r);
    *out = (struct alert_matchers){ARENA_ARRAY(a, struct matcher, count + 1), 0};
    for (size_t i = 0; out->items != NULL && i < count; i++) {
        uint8_t type = read_u8(r);
        str name = value_text(r, a), value = value_text(r, a);
        if (r->overrun || type > MATCH_NOT_REGEX || name.ptr == NULL || value.ptr == NULL)
            return ERR_CORRUPT;
        TRY(alert_matcher_init(&out->items[i], (enum matcher_type)type, name, value, NULL));
        out->count++;
    }
    return out->items != NULL ? OK : ERR_LIMIT;
}

static err take_sets(struct reader *r, struct arena *a, struct matcher_sets *out)
{
    size_t count = value_count(r);
    out->items = ARENA_ARRAY(a, struct alert_matchers, count + 1);
    if (out->items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        out->count++; /* what was read of it is freed after an error as well */
        TRY(take_matchers(r, a, &out->items[i]));
    }
    return r->overrun ? ERR_CORRUPT : OK;
}

static err take_notify(struct reader *r, struct window *w, uint8_t flags, int64_t before_ms)
{
    struct texts receivers = value_texts(r, &w->arena);
    if ((flags & NOTIFY) == 0)
        return OK;
    w->def.notify = ARENA_ARRAY(&w->arena, struct maintenance_notify, 1);
    if (w->def.notify == NULL)
        return ERR_LIMIT;
    *w->def.notify = (struct maintenance_notify){.receivers = receivers,
                                                 .before_ms = before_ms,
                                                 .on_start = (flags & ON_START) != 0,
                                                 .on_end = (flags & ON_END) != 0};
    return OK;
}

static err decode(slice value, struct window *w)
{
    struct reader r = reader_of(value);
    struct arena *a = &w->arena;
    int64_t before_ms;
    uint8_t flags = read_u8(&r), phase = read_u8(&r);
    int64_t *const times[] = {&w->def.starts_at_ms,   &w->def.ends_at_ms, &w->current.starts_at_ms,
                              &w->current.ends_at_ms, &w->planned_end_ms, &w->ended_at_ms,
                              &w->announced_ms,       &before_ms};
    str *const texts[] = {&w->def.name, &w->def.comment, &w->def.created_by};
    for (size_t i = 0; i < COUNT_OF(times); i++)
        *times[i] = read_zigzag(&r);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = value_text(&r, a);
    buf_put_str(&w->by, slice_text(read_string(&r)));
    buf_put_str(&w->reason, slice_text(read_string(&r)));
    w->ad_hoc = (flags & AD_HOC) != 0;
    w->def.resend_on_end = (flags & RESEND) != 0;
    w->def.resolve_notifications = (flags & RESOLVE) != 0;
    w->phase = (enum phase)phase;
    w->def.time_intervals = value_texts(&r, a);
    TRY(take_notify(&r, w, flags, before_ms));
    TRY(take_sets(&r, a, &w->def.matchers));
    TRY(take_sets(&r, a, &w->def.override_matchers));
    bool whole = !r.overrun && reader_left(&r) == 0 && !arena_exceeded(a);
    return whole && phase <= PHASE_WITHDRAWN && w->def.name.len > 0 ? OK : ERR_CORRUPT;
}

struct window *window_decode(slice value)
{
    struct window *w = mem_zalloc(1, sizeof(*w));
    arena_init(&w->arena, 64 * value.len + 4096);
    if (decode(value, w) == OK)
        return w;
    window_free(w);
    return NULL;
}

static void free_sets(struct matcher_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++)
        alert_matchers_fini(&sets->items[i]);
}

void window_free(struct window *w)
{
    if (w == NULL)
        return;
    free_sets(&w->def.matchers);
    free_sets(&w->def.override_matchers);
    buf_fini(&w->by);
    buf_fini(&w->reason);
    arena_fini(&w->arena);
    mem_free(w);
}

/* ---- On disk ---- */

void window_keep(struct engine *e, const struct window *w)
{
    struct buf value = {0};
    window_encode(w, &value);
    slice bytes = buf_slice(&value);
    state_log_put(e->state, STATE_MAINTENANCE, str_bytes(w->def.name), &bytes);
    buf_fini(&value);
    e->incidents->unsynced = true;
}

void window_forget(struct engine *e, const struct window *w)
{
    state_log_put(e->state, STATE_MAINTENANCE, str_bytes(w->def.name), NULL);
    e->incidents->unsynced = true;
}
