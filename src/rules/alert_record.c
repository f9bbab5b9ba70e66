/* alert_record.c -- see alert_record.h. */
#include "rules/alert_record.h"

#include "rules/alert_log.h"

enum { LABELS_BYTES_MAX = 64 << 20 };

static void put_labels(struct labels ls, struct buf *out)
{
    buf_put_varint(out, ls.count);
    for (size_t i = 0; i < ls.count; i++) {
        buf_put_string(out, ls.items[i].name);
        buf_put_string(out, ls.items[i].value);
    }
}

void alert_record_encode(const struct alert_set *s, struct buf *out)
{
    buf_put_varint(out, s->count);
    for (size_t i = 0; i < s->count; i++) {
        const struct active_alert *a = s->items[i];
        put_labels(a->labels, out);
        put_labels(a->annotations, out);
        buf_put_u64(out, f64_bits(a->value));
        buf_put_u8(out, (uint8_t)a->state);
        buf_put_zigzag(out, a->active_at_ms);
        buf_put_zigzag(out, a->fired_at_ms);
        buf_put_zigzag(out, a->resolved_at_ms);
        buf_put_zigzag(out, a->last_sent_ms);
        buf_put_zigzag(out, a->keep_firing_since_ms);
    }
}

static err read_labels(struct reader *r, struct arena *a, struct labels *out)
{
    uint64_t count = read_varint(r);
    if (r->overrun || count > ALERT_LOG_LABELS_MAX)
        return ERR_CORRUPT;
    struct label *items = ARENA_ARRAY(a, struct label, (size_t)count + 1);
    if (items == NULL)
        return ERR_CORRUPT;
    for (size_t i = 0; i < count; i++) {
        items[i].name = slice_text(read_string(r));
        items[i].value = slice_text(read_string(r));
        if (r->overrun || (i > 0 && str_cmp(items[i - 1].name, items[i].name) >= 0))
            return ERR_CORRUPT;
    }
    *out = (struct labels){items, (size_t)count};
    return OK;
}

static err read_alert(struct reader *r, struct arena *arena, struct active_alert *a)
{
    TRY(read_labels(r, arena, &a->labels));
    TRY(read_labels(r, arena, &a->annotations));
    a->value = f64_from_bits(read_u64(r));
    uint8_t state = read_u8(r);
    a->active_at_ms = read_zigzag(r);
    a->fired_at_ms = read_zigzag(r);
    a->resolved_at_ms = read_zigzag(r);
    a->last_sent_ms = read_zigzag(r);
    a->keep_firing_since_ms = read_zigzag(r);
    if (r->overrun || state > ALERT_STATE_FIRING)
        return ERR_CORRUPT;
    a->state = (enum alert_state)state;
    return OK;
}

err alert_record_decode(slice bytes, struct alert_set *out)
{
    struct reader r = reader_of(bytes);
    struct arena arena;
    err e = OK;
    arena_init(&arena, LABELS_BYTES_MAX);
    uint64_t count = read_varint(&r);
    if (r.overrun || count > reader_left(&r))
        e = ERR_CORRUPT;
    for (uint64_t i = 0; e == OK && i < count; i++) {
        struct active_alert a = {0};
        arena_reset(&arena);
        e = read_alert(&r, &arena, &a);
        if (e == OK && out != NULL)
            alert_set_restore(out, &a);
    }
    arena_fini(&arena);
    return e == OK && reader_left(&r) > 0 ? ERR_CORRUPT : e;
}
