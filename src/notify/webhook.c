/* webhook.c -- see webhook.h. */
#include "notify/webhook.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/fs.h"
#include "base/http_client.h"
#include "base/json_text.h"
#include "base/number.h"
#include "notify/notify_data.h"

enum {
    URL_FILE_BYTES_MAX = 1 << 16,
    RETRY_AFTER_MS_MAX = 5 * 60 * 1000, /* longer pauses are cut to that */
    REPLY_SHOWN_BYTES = 256,            /* of an error's answer */
};

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

static void put_labels(struct labels ls, struct buf *out)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < ls.count; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        json_html(out, ls.items[i].name);
        buf_put_u8(out, ':');
        json_html(out, ls.items[i].value);
    }
    buf_put_u8(out, '}');
}

static void put_alert(const struct notified_alert *a, struct buf *out)
{
    buf_printf(out, "{\"status\":\"%s\"", a->resolved ? "resolved" : "firing");
    put_key("labels", out);
    put_labels(a->alert->labels, out);
    put_key("annotations", out);
    put_labels(a->alert->annotations, out);
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

void webhook_json(const struct notification *n, str external_url, uint64_t max_alerts,
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
    put_labels(n->group_labels, out);
    put_key("commonLabels", out);
    put_common(n, count, false, out);
    put_key("commonAnnotations", out);
    put_common(n, count, true, out);
    put_key("externalURL", out);
    json_html(out, external_url);
    put_key("notification_reason", out);
    json_html(out, str_from(notify_reason_text(n->reason)));
    put_key("version", out);
    json_html(out, STR("4"));
    put_key("groupKey", out);
    json_html(out, n->group_key);
    buf_printf(out, ",\"truncatedAlerts\":%zu}\n", n->alert_count - count);
}

/* ---- Sending ---- */

struct notify_result notify_result_of_status(int status, str retry_after)
{
    int64_t seconds = 0;
    if (status / 100 == 2)
        return (struct notify_result){NOTIFY_SENT, 0};
    bool later = status / 100 == 5 || status == 429 || status == 408 || status == 425;
    if (!later)
        return (struct notify_result){NOTIFY_FAILED, 0};
    if (number_parse_i64(retry_after, &seconds) != OK || seconds < 0)
        seconds = 0;
    int64_t ms = seconds > RETRY_AFTER_MS_MAX / 1000 ? RETRY_AFTER_MS_MAX : seconds * 1000;
    return (struct notify_result){NOTIFY_RETRY, ms};
}

static str trim(str s)
{
    while (s.len > 0 && (uint8_t)s.ptr[0] <= ' ')
        s = (str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (uint8_t)s.ptr[s.len - 1] <= ' ')
        s.len--;
    return s;
}

/* Where to; what is in a file is read each time. */
static err find_url(const struct webhook_config *w, struct buf *out, struct diag *d)
{
    if (w->url_file.len == 0)
        buf_put_str(out, w->url);
    else if (fs_read_file(fs_posix(), w->url_file.ptr, URL_FILE_BYTES_MAX, out) != OK)
        return diag_set(d, ERR_NOTFOUND, "url_file " STR_FMT " cannot be read",
                        STR_ARG(w->url_file));
    if (out->len > 0 && memmem(out->ptr, out->len, "{{", 2) != NULL)
        return diag_set(d, ERR_UNSUPPORTED, "templates in url are not acted upon");
    return OK;
}

static int64_t time_left_ms(const struct webhook_config *w, const struct notification *n)
{
    int64_t own_ms = w->timeout_ms > 0 ? w->timeout_ms : WEBHOOK_TIMEOUT_MS;
    int64_t left_ms = n->deadline_ms - clock_wall_ms();
    return left_ms < 1 ? 1 : left_ms < own_ms ? left_ms : own_ms;
}

static struct notify_result judge(err e, const struct http_reply *r, struct diag *d)
{
    if (e == ERR_INVALID || e == ERR_UNSUPPORTED)
        return (struct notify_result){NOTIFY_FAILED, 0};
    if (e != OK)
        return (struct notify_result){NOTIFY_RETRY, 0};
    struct notify_result result =
        notify_result_of_status(r->status, http_reply_header(r, STR("Retry-After")));
    if (result.outcome != NOTIFY_SENT) {
        str shown = trim(buf_str(&r->body));
        shown.len = shown.len < REPLY_SHOWN_BYTES ? shown.len : REPLY_SHOWN_BYTES;
        (void)diag_set(d, ERR_IO, "unexpected status code %d: " STR_FMT, r->status, STR_ARG(shown));
    }
    return result;
}

struct notify_result webhook_send(void *arg, const struct notification *n, struct diag *d)
{
    const struct webhook *hook = arg;
    const struct webhook_config *w = (const void *)n->config;
    struct http_client *client = NULL;
    struct http_reply reply = {0};
    struct buf url = {0}, body = {0};
    err e = find_url(w, &url, d);
    if (e == OK && w->payload != NULL)
        e = diag_set(d, ERR_UNSUPPORTED, "payload is not acted upon");
    if (e == OK)
        e = http_client_open(w->common.http, STR("Varve"), &client, d);
    if (e == OK) {
        webhook_json(n, hook->external_url, w->max_alerts, &body);
        const struct http_request_options o = {.method = "POST",
                                               .url = trim(buf_str(&url)),
                                               .content_type = STR("application/json"),
                                               .body = buf_slice(&body),
                                               .body_bytes_max = WEBHOOK_REPLY_BYTES_MAX,
                                               .timeout_ms = time_left_ms(w, n)};
        e = http_fetch(client, &o, &reply, d);
    }
    struct notify_result result = judge(e, &reply, d);
    http_reply_fini(&reply);
    http_client_close(client);
    buf_fini(&url);
    buf_fini(&body);
    return result;
}
