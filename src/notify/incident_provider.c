/* incident_provider.c -- what people do with a provider's own buttons. Providers know groups by a
 * hash of their keys, tell late, and tell again. */
#include "base/log.h"
#include "base/sha256.h"
#include "notify/incident_priv.h"

enum { BEGIN_DIGITS = 16 };

static int digit_of(char ch)
{
    return ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* False: these are no hexadecimal digits. */
static bool begin_of(str hex, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < BEGIN_DIGITS; i++) {
        int digit = digit_of(hex.ptr[i]);
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint64_t)digit;
    }
    return true;
}

uint64_t incident_provider_key(str group_key)
{
    char hex[SHA256_HEX_SIZE];
    uint64_t key;
    sha256_hex(str_bytes(group_key), hex);
    (void)begin_of((str){hex, sizeof(hex)}, &key);
    return key;
}

static bool has_key(const struct incident *i, str key)
{
    char hex[SHA256_HEX_SIZE];
    sha256_hex(str_bytes(i->group_key), hex);
    return str_eq((str){hex, sizeof(hex)}, key);
}

/* What is done here stands until something is done there later; what was done there before the
 * incident began was about another one. */
static bool is_stale(const struct incident *i, const struct provider_event *p, int64_t at_ms)
{
    return at_ms <= i->heard_ms[p->via] || at_ms <= i->changed_ms ||
           at_ms < i->started_ms - INCIDENT_SKEW_MS;
}

static void change(struct engine *e, struct incident *i, const struct provider_event *p,
                   int64_t at_ms, int64_t now_ms)
{
    if (p->change == PROVIDER_ACK) {
        const struct incident_ack ack = {.by = p->by, .comment = STR(""), .via = p->via};
        incident_begin_ack(e, i, &ack, now_ms);
    } else {
        const struct ack_end end = {.via = p->via,
                                    .why = ack_via_name(p->via),
                                    .by = p->by,
                                    .pause_ms = INCIDENT_RESUME_MS};
        incident_end_ack(e, i, &end, now_ms);
        due_heap_set(&e->incidents->due, &i->due, now_ms);
    }
    i->changed_ms = at_ms; /* what comes next from there is later than that */
}

static void apply(struct engine *e, struct incident *i, const struct provider_event *p,
                  int64_t now_ms, struct provider_outcome *out)
{
    int64_t at_ms = MIN(p->at_ms, now_ms + INCIDENT_SKEW_MS);
    if (is_stale(i, p, at_ms)) {
        out->stale++;
        return;
    }
    i->heard_ms[p->via] = at_ms;
    if (incident_is_acked(i) == (p->change == PROVIDER_ACK)) {
        out->same++;
    } else {
        change(e, i, p, at_ms, now_ms);
        out->changed++;
        memcpy(out->id, i->id, sizeof(out->id));
    }
    incident_change(e, i);
}

struct provider_outcome incident_provider_event(struct engine *e, const struct provider_event *p,
                                                int64_t now_ms)
{
    struct provider_outcome out = {.id = ""};
    const struct incidents *t = e->incidents;
    uint64_t begin;
    if (p->key.len != SHA256_HEX_SIZE || !begin_of(p->key, &begin))
        return out;
    for (size_t b = 0; b < t->bucket_count; b++)
        for (struct incident *i = t->buckets[b]; i != NULL; i = i->next)
            if (i->provider_key == begin && !incident_is_resolved(i, now_ms) && has_key(i, p->key))
                apply(e, i, p, now_ms, &out);
    return out;
}
