/* history_event.c -- see history_event.h. */
#include "notify/history_event.h"

enum { NUMBER = 0x80 }; /* in the byte of a field: its value is a number */

static const char *const KINDS[HISTORY_KINDS] = {
    [HISTORY_ALERT_FIRING] = "alert_firing",
    [HISTORY_ALERT_RESOLVED] = "alert_resolved",
    [HISTORY_NOTIFICATION_SENT] = "notification_sent",
    [HISTORY_NOTIFICATION_FAILED] = "notification_failed",
    [HISTORY_NOTIFICATION_SUPPRESSED] = "notification_suppressed",
    [HISTORY_SILENCE_CREATED] = "silence_created",
    [HISTORY_SILENCE_UPDATED] = "silence_updated",
    [HISTORY_SILENCE_EXPIRED] = "silence_expired",
    [HISTORY_CONFIG_RELOADED] = "config_reloaded",
    [HISTORY_ESCALATED] = "escalated",
    [HISTORY_ACKED] = "acked",
    [HISTORY_UNACKED] = "unacked",
    [HISTORY_MAINTENANCE_STARTED] = "maintenance_started",
    [HISTORY_MAINTENANCE_ENDED] = "maintenance_ended",
    [HISTORY_MAINTENANCE_OVERRIDDEN] = "maintenance_overridden",
    [HISTORY_NOTIFICATION_FALLBACK] = "notification_fallback",
};

const char *history_kind_name(enum history_kind kind)
{
    return (unsigned)kind < HISTORY_KINDS ? KINDS[kind] : NULL;
}

const char *history_text_name(enum history_text t)
{
    static const char *const NAMES[HISTORY_TEXTS] = {
        [HISTORY_RECEIVER] = "receiver",
        [HISTORY_INTEGRATION] = "integration",
        [HISTORY_REASON] = "reason",
        [HISTORY_BY] = "by",
        [HISTORY_ERROR] = "error",
        [HISTORY_GROUP] = "groupKey",
        [HISTORY_ID] = "id",
        [HISTORY_AUTHOR] = "author",
        [HISTORY_COMMENT] = "comment",
        [HISTORY_MATCHERS] = "matchers",
        [HISTORY_FALLBACK] = "fallback",
    };
    return NAMES[t];
}

const char *history_number_name(enum history_number n)
{
    static const char *const NAMES[HISTORY_NUMBERS] = {
        [HISTORY_INDEX] = "index",          [HISTORY_ATTEMPT] = "attempt",
        [HISTORY_LATENCY_MS] = "latencyMs", [HISTORY_ALERTS] = "alerts",
        [HISTORY_LEVEL] = "level",          [HISTORY_STARTS_AT_MS] = "startsAt",
        [HISTORY_ENDS_AT_MS] = "endsAt",
    };
    return NAMES[n];
}

/* ---- Bytes ---- */

void history_event_encode(const struct history_event *e, struct buf *out)
{
    size_t fingerprints = MIN(e->fingerprint_count, (size_t)HISTORY_FINGERPRINTS_MAX);
    buf_put_u8(out, (uint8_t)e->kind);
    buf_put_varint(out, e->seq);
    buf_put_zigzag(out, e->at_ms);
    buf_put_varint(out, e->labels.count);
    for (size_t i = 0; i < e->labels.count; i++) {
        buf_put_string(out, e->labels.items[i].name);
        buf_put_string(out, e->labels.items[i].value);
    }
    buf_put_varint(out, fingerprints);
    for (size_t i = 0; i < fingerprints; i++)
        buf_put_u64(out, e->fingerprints[i]);
    for (unsigned t = 0; t < HISTORY_TEXTS; t++) {
        if (e->texts[t].len == 0)
            continue;
        buf_put_u8(out, (uint8_t)t);
        buf_put_string(out, e->texts[t]);
    }
    for (unsigned n = 0; n < HISTORY_NUMBERS; n++) {
        if ((e->numbers_said >> n & 1) == 0)
            continue;
        buf_put_u8(out, (uint8_t)(n | NUMBER));
        buf_put_zigzag(out, e->numbers[n]);
    }
}

static err decode_lists(struct reader *r, struct arena *a, struct history_event *out)
{
    uint64_t count = read_varint(r);
    if (r->overrun || count > reader_left(r) / 2) /* a label has two bytes at least */
        return ERR_CORRUPT;
    struct label *labels = ARENA_ARRAY(a, struct label, (size_t)count + 1);
    if (labels == NULL)
        return ERR_LIMIT;
    for (uint64_t i = 0; i < count; i++) {
        labels[i].name = slice_text(read_string(r));
        labels[i].value = slice_text(read_string(r));
    }
    out->labels = (struct labels){labels, (size_t)count};
    count = read_varint(r);
    if (r->overrun || count > HISTORY_FINGERPRINTS_MAX)
        return ERR_CORRUPT;
    uint64_t *fingerprints = ARENA_ARRAY(a, uint64_t, (size_t)count + 1);
    if (fingerprints == NULL)
        return ERR_LIMIT;
    for (uint64_t i = 0; i < count; i++)
        fingerprints[i] = read_u64(r);
    out->fingerprints = fingerprints;
    out->fingerprint_count = (size_t)count;
    return r->overrun ? ERR_CORRUPT : OK;
}

/* Fields that this version does not know are skipped. */
static void decode_fields(struct reader *r, struct history_event *out)
{
    while (!r->overrun && reader_left(r) > 0) {
        unsigned field = read_u8(r);
        if ((field & NUMBER) == 0) {
            str text = slice_text(read_string(r));
            if (field < HISTORY_TEXTS)
                out->texts[field] = text;
        } else {
            int64_t value = read_zigzag(r);
            if ((field & ~(unsigned)NUMBER) < HISTORY_NUMBERS)
                history_say(out, (enum history_number)(field & ~(unsigned)NUMBER), value);
        }
    }
}

err history_event_decode(slice bytes, struct arena *a, struct history_event *out)
{
    struct reader r = reader_of(bytes);
    *out = (struct history_event){.kind = (enum history_kind)read_u8(&r)};
    out->seq = read_varint(&r);
    out->at_ms = read_zigzag(&r);
    if (r.overrun || history_kind_name(out->kind) == NULL)
        return ERR_CORRUPT;
    TRY(decode_lists(&r, a, out));
    decode_fields(&r, out);
    return r.overrun ? ERR_CORRUPT : OK;
}

/* ---- Queries ---- */

static bool has_fingerprint(const struct history_event *e, uint64_t fingerprint)
{
    for (size_t i = 0; i < e->fingerprint_count; i++)
        if (e->fingerprints[i] == fingerprint)
            return true;
    return false;
}

bool history_event_matches(const struct history_event *e, const struct history_query *q)
{
    if (e->at_ms < q->start_ms || e->at_ms > q->end_ms ||
        (q->before_seq != 0 && e->seq >= q->before_seq) ||
        (q->kinds != 0 && (q->kinds >> e->kind & 1) == 0) ||
        (q->has_fingerprint && !has_fingerprint(e, q->fingerprint)))
        return false;
    for (size_t i = 0; i < q->matchers_count; i++)
        if (!alert_matchers_match(&q->matchers[i], e->labels))
            return false;
    return true;
}
