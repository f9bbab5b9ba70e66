/* incident_state.c -- incidents as bytes: docs/formats/notify-state.md. */
#include "base/log.h"
#include "base/mem.h"
#include "notify/incident_priv.h"
#include "notify/state_value.h"

/* ---- To bytes ---- */

static void put_policy(struct buf *out, const struct incident *i)
{
    const struct escalation_policy *p = &i->policy;
    buf_put_string(out, p->name);
    buf_put_zigzag(out, p->repeat.count);
    buf_put_zigzag(out, p->repeat.interval_ms);
    buf_put_zigzag(out, p->ack_timeout_ms);
    buf_put_u8(out, (uint8_t)p->on_new_alerts);
    buf_put_u8(out, p->stop_on_ack ? 1 : 0);
    buf_put_varint(out, p->levels.count);
    for (size_t l = 0; l < p->levels.count; l++) {
        buf_put_zigzag(out, p->levels.items[l].after_ms);
        buf_put_zigzag(out, i->fired_ms != NULL ? i->fired_ms[l] : 0);
        value_put_texts(out, p->levels.items[l].receivers);
        value_put_texts(out, p->levels.items[l].active_time_intervals);
    }
}

void incident_encode(const struct incident *i, struct buf *out)
{
    const int64_t times[] = {i->started_ms, i->resolved_ms, i->clock_ms,      i->paused_ms,
                             i->resume_ms,  i->acked_ms,    i->ack_expires_ms};
    buf_put_string(out, str_from(i->id));
    buf_put_string(out, i->group_key);
    buf_put_string(out, i->receiver);
    for (size_t t = 0; t < COUNT_OF(times); t++)
        buf_put_zigzag(out, times[t]);
    buf_put_varint(out, i->next_step);
    buf_put_string(out, buf_str(&i->by));
    buf_put_string(out, buf_str(&i->comment));
    value_put_labels(out, i->labels);
    put_policy(out, i);
    buf_put_u8(out, (uint8_t)i->via);
    buf_put_zigzag(out, i->changed_ms);
    for (size_t v = 0; v < COUNT_OF(i->heard_ms); v++)
        buf_put_zigzag(out, i->heard_ms[v]);
}

/* ---- From bytes ---- */

static void take_policy(struct reader *r, struct incident *i)
{
    struct escalation_policy *p = &i->policy;
    p->name = value_text(r, &i->arena);
    p->repeat.count = read_zigzag(r);
    p->repeat.interval_ms = read_zigzag(r);
    p->ack_timeout_ms = read_zigzag(r);
    p->on_new_alerts = read_u8(r);
    p->stop_on_ack = read_u8(r) != 0;
    p->levels.count = value_count(r);
    p->levels.items = ARENA_ARRAY(&i->arena, struct escalation_level, p->levels.count + 1);
    i->fired_ms = ARENA_ARRAY(&i->arena, int64_t, p->levels.count + 1);
    if (p->levels.items == NULL || i->fired_ms == NULL)
        return;
    for (size_t l = 0; l < p->levels.count; l++) {
        p->levels.items[l].after_ms = read_zigzag(r);
        i->fired_ms[l] = read_zigzag(r);
        p->levels.items[l].receivers = value_texts(r, &i->arena);
        p->levels.items[l].active_time_intervals = value_texts(r, &i->arena);
    }
}

/* Older versions of the program did not write it. */
static void take_changes(struct reader *r, struct incident *i)
{
    if (reader_left(r) == 0)
        return;
    i->via = read_u8(r);
    i->changed_ms = read_zigzag(r);
    for (size_t v = 0; v < COUNT_OF(i->heard_ms); v++)
        i->heard_ms[v] = read_zigzag(r);
}

static bool is_id(const char *id)
{
    return strspn(id, "0123456789abcdef") == INCIDENT_ID_SIZE;
}

static bool is_sound(const struct incident *i)
{
    if (i->via >= ACK_VIAS || !is_id(i->id))
        return false;
    const struct escalation_policy *p = &i->policy;
    if (p->levels.count == 0 || p->levels.count > ESCALATION_LEVELS_MAX || i->next_step == 0 ||
        p->repeat.count < 0 || p->repeat.count > ESCALATION_REPEATS_MAX ||
        i->next_step > p->levels.count * (size_t)(p->repeat.count + 1))
        return false;
    for (size_t l = 1; l < p->levels.count; l++)
        if (p->levels.items[l].after_ms <= p->levels.items[l - 1].after_ms)
            return false;
    return p->on_new_alerts >= ACK_NEW_NOTIFY && p->on_new_alerts <= ACK_NEW_IGNORE;
}

struct incident *incident_decode(slice value)
{
    struct reader r = reader_of(value);
    struct incident *i = mem_zalloc(1, sizeof(*i));
    arena_init(&i->arena, INCIDENT_BYTES_MAX);
    slice id = read_string(&r);
    bool good = id.len == INCIDENT_ID_SIZE;
    if (good)
        memcpy(i->id, id.ptr, INCIDENT_ID_SIZE);
    i->group_key = value_text(&r, &i->arena);
    i->receiver = value_text(&r, &i->arena);
    int64_t *const times[] = {&i->started_ms, &i->resolved_ms, &i->clock_ms,      &i->paused_ms,
                              &i->resume_ms,  &i->acked_ms,    &i->ack_expires_ms};
    for (size_t t = 0; t < COUNT_OF(times); t++)
        *times[t] = read_zigzag(&r);
    i->next_step = (size_t)read_varint(&r);
    buf_put_str(&i->by, slice_text(read_string(&r)));
    buf_put_str(&i->comment, slice_text(read_string(&r)));
    i->labels = value_labels(&r, &i->arena);
    take_policy(&r, i);
    take_changes(&r, i);
    if (good && !r.overrun && reader_left(&r) == 0 && !arena_exceeded(&i->arena) && is_sound(i))
        return i;
    incident_free(i);
    return NULL;
}

void incident_free(struct incident *i)
{
    arena_fini(&i->arena);
    buf_fini(&i->by);
    buf_fini(&i->comment);
    mem_free(i);
}

void incident_keep(struct engine *e, const struct incident *i)
{
    struct buf value = {0};
    incident_encode(i, &value);
    slice bytes = buf_slice(&value);
    if (state_log_has_room(e->state, value.len))
        state_log_put(e->state, STATE_INCIDENT, str_bytes(str_from(i->id)), &bytes);
    else
        log_error("an incident will be forgotten by a restart: too much is kept",
                  LOG_CSTR("incident", i->id));
    buf_fini(&value);
}
