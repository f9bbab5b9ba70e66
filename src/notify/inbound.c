/* inbound.c -- see inbound.h. */
#include "notify/inbound.h"

#include <strings.h>

#include "base/duration.h"
#include "base/fs.h"
#include "base/jtree.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "notify/sending.h"

enum { FILE_BYTES_MAX = 1 << 16, MAC_HEX_SIZE = 2 * HMAC_SHA256_SIZE };

struct secrets {
    struct buf text; /* of the file */
    str items[INBOUND_SECRETS_MAX];
    size_t count;
};

struct inbound {
    struct secrets pagerduty, opsgenie;
};

/* ---- Secrets ---- */

static err split_secrets(struct secrets *s, const char *key, str path, struct diag *d)
{
    str rest = buf_str(&s->text);
    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t n = end != NULL ? (size_t)(end - rest.ptr) : rest.len, skip = n + (end != NULL);
        str line = sending_trim((str){rest.ptr, n});
        rest = (str){rest.ptr + skip, rest.len - skip};
        if (line.len == 0)
            continue;
        if (line.len < INBOUND_SECRET_BYTES_MIN)
            return diag_set(d, ERR_INVALID,
                            "acknowledgements: inbound: %s " STR_FMT
                            " has a line of less than %d bytes",
                            key, STR_ARG(path), INBOUND_SECRET_BYTES_MIN);
        if (s->count == INBOUND_SECRETS_MAX)
            return diag_set(d, ERR_LIMIT,
                            "acknowledgements: inbound: %s " STR_FMT " has more than %d lines", key,
                            STR_ARG(path), INBOUND_SECRETS_MAX);
        s->items[s->count++] = line;
    }
    return s->count > 0
               ? OK
               : diag_set(d, ERR_INVALID, "acknowledgements: inbound: %s " STR_FMT " is empty", key,
                          STR_ARG(path));
}

static err read_secrets(struct secrets *s, const char *key, str path, struct diag *d)
{
    if (path.len == 0)
        return OK;
    err e = fs_read_file(fs_posix(), path.ptr, FILE_BYTES_MAX, &s->text);
    return e == OK
               ? split_secrets(s, key, path, d)
               : diag_set(d, e, "acknowledgements: inbound: %s " STR_FMT " %s", key, STR_ARG(path),
                          e == ERR_LIMIT ? "is larger than 64 KiB" : "cannot be read");
}

static void fini_secrets(struct secrets *s)
{
    if (s->text.cap > 0)
        explicit_bzero(s->text.ptr, s->text.cap);
    buf_fini(&s->text);
}

err inbound_open(const struct ack_inbound *config, struct inbound **out, struct diag *d)
{
    struct inbound *in = mem_zalloc(1, sizeof(*in));
    err e = read_secrets(&in->pagerduty, "pagerduty_webhook_secret_file",
                         config->pagerduty_webhook_secret_file, d);
    if (e == OK)
        e = read_secrets(&in->opsgenie, "opsgenie_webhook_token_file",
                         config->opsgenie_webhook_token_file, d);
    if (e != OK)
        inbound_close(in);
    else
        *out = in;
    return e;
}

void inbound_close(struct inbound *in)
{
    if (in == NULL)
        return;
    fini_secrets(&in->pagerduty);
    fini_secrets(&in->opsgenie);
    mem_free(in);
}

/* ---- Who sent it ---- */

static bool next_entry(str *rest, str *out)
{
    if (rest->len == 0)
        return false;
    const char *comma = memchr(rest->ptr, ',', rest->len);
    size_t n = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len, skip = n + (comma != NULL);
    *out = sending_trim((str){rest->ptr, n});
    *rest = (str){rest->ptr + skip, rest->len - skip};
    return true;
}

static bool is_signature(str secret, slice body, str hex)
{
    uint8_t mac[HMAC_SHA256_SIZE];
    struct buf want = {0};
    hmac_sha256(str_bytes(secret), body, mac);
    for (size_t i = 0; i < sizeof(mac); i++)
        buf_printf(&want, "%02x", mac[i]);
    bool same =
        hex.len == MAC_HEX_SIZE && secret_equal(want.ptr, (const uint8_t *)hex.ptr, MAC_HEX_SIZE);
    buf_fini(&want);
    return same;
}

/* "v1=HEX,v1=HEX": while a secret is exchanged there is one by each. */
static bool is_signed(const struct secrets *s, str signatures, slice body)
{
    str entry;
    bool found = false;
    for (unsigned n = 0; n < INBOUND_SIGNATURES_MAX && next_entry(&signatures, &entry); n++)
        for (size_t i = 0; str_starts(entry, STR("v1=")) && i < s->count; i++)
            found |= is_signature(s->items[i], body, (str){entry.ptr + 3, entry.len - 3});
    return found;
}

/* By their hashes: nobody learns from the time how long a token is. */
static bool is_token(const struct secrets *s, str token)
{
    uint8_t a[HMAC_SHA256_SIZE], b[HMAC_SHA256_SIZE];
    bool found = false;
    hmac_sha256(str_bytes(STR("token")), str_bytes(token), a);
    for (size_t i = 0; i < s->count; i++) {
        hmac_sha256(str_bytes(STR("token")), str_bytes(s->items[i]), b);
        found |= secret_equal(a, b, sizeof(a));
    }
    return found;
}

/* ---- What it says ---- */

struct word {
    const char *name;
    enum inbound_change change;
};

static enum inbound_change change_of(str name, const struct word *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (name.len == strlen(words[i].name) &&
            strncasecmp(name.ptr, words[i].name, name.len) == 0)
            return words[i].change;
    return INBOUND_OTHER;
}

/* A name as it may be kept: cut where a rune ends, without what would steer a terminal. */
static str name_of(str text, str missing)
{
    size_t n = text.len;
    unsigned size;
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return missing;
    if (n > INCIDENT_BY_BYTES_MAX)
        for (n = 0;; n += size) {
            (void)utf8_decode((str){text.ptr + n, text.len - n}, &size);
            if (n + size > INCIDENT_BY_BYTES_MAX)
                break;
        }
    return n > 0 ? (str){text.ptr, n} : missing;
}

static err parse(slice body, struct inbound_event *out, struct diag *d)
{
    struct diag own = {.text = ""};
    if (jtree_parse_lax(body, &out->root, &own) == OK && jtree_is_object(out->root))
        return OK;
    return diag_set(d, ERR_INVALID, "the body must be a JSON object%s%s",
                    own.text[0] != '\0' ? ": " : "", own.text);
}

void inbound_event_fini(struct inbound_event *e)
{
    jtree_free(e->root);
}

err inbound_pagerduty(const struct inbound *in, str signatures, slice body, int64_t now_ms,
                      struct inbound_event *out, struct diag *d)
{
    static const struct word WORDS[] = {{"incident.acknowledged", INBOUND_ACK},
                                        {"incident.unacknowledged", INBOUND_UNACK},
                                        {"incident.resolved", INBOUND_NOTE}};
    if (in == NULL || in->pagerduty.count == 0)
        return ERR_UNSUPPORTED;
    if (!is_signed(&in->pagerduty, signatures, body))
        return ERR_ORDER;
    TRY(parse(body, out, d));
    const struct jtree *event = jtree_get(out->root, "event"), *data = jtree_get(event, "data");
    str at = jtree_text(jtree_get(event, "occurred_at"));
    out->name = jtree_text(jtree_get(event, "event_type"));
    if (out->name.len == 0)
        return diag_set(d, ERR_INVALID, "event.event_type is missing");
    out->change = change_of(out->name, WORDS, COUNT_OF(WORDS));
    out->event = (struct provider_event){
        .via = ACK_VIA_PAGERDUTY,
        .change = out->change == INBOUND_UNACK ? PROVIDER_UNACK : PROVIDER_ACK,
        .key = jtree_text(jtree_get(data, "incident_key")),
        .by =
            name_of(jtree_text(jtree_get(jtree_get(event, "agent"), "summary")), STR("PagerDuty")),
        .at_ms = now_ms};
    if (out->change != INBOUND_OTHER && at.len > 0 &&
        timestamp_parse(at, &out->event.at_ms, NULL) != OK)
        return diag_set(d, ERR_INVALID, "event.occurred_at is no time");
    return OK;
}

/* Alerts have nanoseconds, other things there milliseconds. */
static int64_t opsgenie_ms(const struct jtree *time, int64_t missing)
{
    int64_t t = jtree_int(time, 0);
    if (t <= 0)
        return missing;
    return t >= INT64_C(100000000000000000) ? t / 1000000 : t;
}

err inbound_opsgenie(const struct inbound *in, str token, slice body, int64_t now_ms,
                     struct inbound_event *out, struct diag *d)
{
    static const struct word WORDS[] = {
        {"Acknowledge", INBOUND_ACK}, {"UnAcknowledge", INBOUND_UNACK}, {"Close", INBOUND_NOTE},
        {"Delete", INBOUND_NOTE},     {"AddNote", INBOUND_NOTE},
    };
    if (in == NULL || in->opsgenie.count == 0)
        return ERR_UNSUPPORTED;
    if (!is_token(&in->opsgenie, token))
        return ERR_ORDER;
    TRY(parse(body, out, d));
    const struct jtree *alert = jtree_get(out->root, "alert");
    out->name = jtree_text(jtree_get(out->root, "action"));
    if (out->name.len == 0)
        return diag_set(d, ERR_INVALID, "action is missing");
    out->change = change_of(out->name, WORDS, COUNT_OF(WORDS));
    out->event = (struct provider_event){
        .via = ACK_VIA_OPSGENIE,
        .change = out->change == INBOUND_UNACK ? PROVIDER_UNACK : PROVIDER_ACK,
        .key = jtree_text(jtree_get(alert, "alias")),
        .by = name_of(jtree_text(jtree_get(alert, "username")), STR("OpsGenie")),
        .at_ms = opsgenie_ms(jtree_get(alert, "updatedAt"), now_ms)};
    return OK;
}
