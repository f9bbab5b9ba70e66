/* webhook.c -- see webhook.h. */
#include "notify/webhook.h"

#include "base/duration.h"
#include "base/json_text.h"
#include "base/sha256.h"
#include "model/labels_json.h"
#include "notify/sending.h"

/* ---- The body ---- */

static void put_receiver(str receiver, struct buf *out)
{
    struct buf quoted = {0};
    notify_quote_meta(receiver, &quoted);
    json_html(out, buf_str(&quoted));
    buf_fini(&quoted);
}

static void put_key(const char *key, struct buf *out)
{
    buf_printf(out, ",\"%s\":", key);
}

static void put_time(int64_t ms, struct buf *out)
{
    char text[DURATION_SIZE_MAX];
    if (ms == 0) /* of one that fires nobody knows the end */
        buf_put_str(out, STR("\"0001-01-01T00:00:00Z\""));
    else
        json_html(out, (str){text, timestamp_format_rfc3339(ms, text)});
}

static void put_alert(const struct notified_alert *a, struct buf *out)
{
    buf_printf(out, "{\"status\":\"%s\"", a->resolved ? "resolved" : "firing");
    put_key("labels", out);
    labels_json_html(out, a->alert->labels);
    put_key("annotations", out);
    labels_json_html(out, a->alert->annotations);
    put_key("startsAt", out);
    put_time(a->alert->starts_at_ms, out);
    put_key("endsAt", out);
    put_time(a->ends_at_ms, out);
    put_key("generatorURL", out);
    json_html(out, a->alert->generator_url);
    buf_printf(out, ",\"fingerprint\":\"%016llx\"}", (unsigned long long)a->alert->fingerprint);
}

static struct labels pairs_of(const struct notified_alert *a, bool annotations)
{
    return annotations ? a->alert->annotations : a->alert->labels;
}

static bool has(struct labels ls, struct label pair)
{
    str v = labels_get(ls, pair.name);
    return v.ptr != NULL && str_eq(v, pair.value);
}

/* What all of the alerts say alike. */
static void put_common(const struct notification *n, size_t count, bool annotations,
                       struct buf *out)
{
    struct labels first = pairs_of(&n->alerts[0], annotations);
    bool any = false;
    buf_put_u8(out, '{');
    for (size_t i = 0; i < first.count; i++) {
        bool common = true;
        for (size_t k = 1; common && k < count; k++)
            common = has(pairs_of(&n->alerts[k], annotations), first.items[i]);
        if (!common)
            continue;
        if (any)
            buf_put_u8(out, ',');
        json_html(out, first.items[i].name);
        buf_put_u8(out, ':');
        json_html(out, first.items[i].value);
        any = true;
    }
    buf_put_u8(out, '}');
}

/* Texts by name, as the data of templates has them. */
static void put_map(const struct template_value *map, struct buf *out)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < map->map.count; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        json_html(out, map->map.entries[i].key);
        buf_put_u8(out, ':');
        json_html(out, map->map.entries[i].value.s);
    }
    buf_put_u8(out, '}');
}

/* null: it is none any more. */
static void put_ack(const struct ack_told *t, struct buf *out)
{
    put_key("incident", out);
    json_html(out, t->incident);
    put_key("acknowledgement", out);
    if (!t->acked) {
        buf_put_str(out, STR("null"));
        return;
    }
    buf_put_str(out, STR("{\"by\":"));
    json_html(out, t->by);
    put_key("comment", out);
    json_html(out, t->comment);
    put_key("at", out);
    put_time(t->at_ms, out);
    put_key("expires", out);
    if (t->expires_ms != 0)
        put_time(t->expires_ms, out);
    else
        buf_put_str(out, STR("null"));
    buf_put_u8(out, '}');
}

void webhook_json(const struct notification *n, const struct notify_data *data, uint64_t max_alerts,
                  struct buf *out)
{
    size_t count =
        max_alerts > 0 && max_alerts < n->alert_count ? (size_t)max_alerts : n->alert_count;
    bool firing = false;
    for (size_t i = 0; i < count; i++)
        firing = firing || !n->alerts[i].resolved;
    buf_put_str(out, STR("{\"receiver\":"));
    put_receiver(n->receiver, out);
    buf_printf(out, ",\"status\":\"%s\",\"alerts\":[", firing ? "firing" : "resolved");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        put_alert(&n->alerts[i], out);
    }
    buf_put_u8(out, ']');
    put_key("groupLabels", out);
    labels_json_html(out, n->group_labels);
    put_key("commonLabels", out);
    put_common(n, count, false, out);
    put_key("commonAnnotations", out);
    put_common(n, count, true, out);
    put_key("routeLabels", out);
    put_map(&data->fields[NOTIFY_ROUTE_LABELS], out);
    put_key("externalURL", out);
    json_html(out, data->fields[NOTIFY_EXTERNAL_URL].s);
    if (data->fields[NOTIFY_ACK_URL].s.len > 0) {
        put_key("ackURL", out);
        json_html(out, data->fields[NOTIFY_ACK_URL].s);
    }
    if (n->ack != NULL)
        put_ack(n->ack, out);
    put_key("notification_reason", out);
    json_html(out, str_from(notify_reason_text(n->reason)));
    put_key("version", out);
    json_html(out, STR("4"));
    put_key("groupKey", out);
    json_html(out, n->group_key);
    buf_printf(out, ",\"truncatedAlerts\":%zu}\n", n->alert_count - count);
}

/* ---- Sending ---- */

/* The same for all tries to say the same, also by a later flush or after a crash; another for
 * whatever else is said, repeats included. */
static str idempotency_key(struct sending *s)
{
    const struct notification *n = s->n;
    bool once = n->reason != REASON_REPEAT && n->ack == NULL;
    struct buf all = {0};
    char hex[SHA256_HEX_SIZE];
    buf_put_string(&all, n->group_key);
    buf_put_string(&all, n->receiver);
    buf_put_varint(&all, n->index);
    buf_put_zigzag(&all, once ? 0 : n->flushed_ms);
    for (size_t i = 0; i < n->alert_count; i++) {
        const struct notified_alert *a = &n->alerts[i];
        buf_put_u64(&all, a->alert->fingerprint);
        buf_put_zigzag(&all, a->alert->starts_at_ms);
        buf_put_zigzag(&all, a->resolved ? a->ends_at_ms : 0);
    }
    sha256_hex(buf_slice(&all), hex);
    buf_fini(&all);
    return sending_keep(s, (str){hex, sizeof(hex)});
}

struct notify_result webhook_send(void *arg, const struct notification *n, struct diag *d)
{
    const struct webhook_config *w = (const void *)n->config;
    struct sending s;
    struct buf body = {0};
    sending_begin(&s, arg, n, d);
    str url = sending_hide_url(&s, sending_secret_text(&s, "url", w->url, w->url_file));
    if (w->payload != NULL) {
        sending_put_value(&s, "payload", w->payload, true, &body);
        buf_put_u8(&body, '\n');
    } else {
        webhook_json(n, &s.data, w->max_alerts, &body);
    }
    const struct sending_request r = {.url = url,
                                      .header = {STR("Idempotency-Key"), idempotency_key(&s)},
                                      .body = buf_slice(&body),
                                      .timeout_ms = w->timeout_ms,
                                      .else_ms = WEBHOOK_TIMEOUT_MS};
    struct notify_result result = sending_post(&s, &r, NULL);
    buf_fini(&body);
    return sending_end(&s, result);
}
