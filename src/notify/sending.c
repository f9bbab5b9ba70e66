/* sending.c -- see sending.h. */
#include "notify/sending.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "base/number.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "config/alerting_ext.h"
#include "notify/ack_link.h"
#include "notify/notice_text.h"

enum { SECRET_FILE_BYTES_MAX = 1 << 16, HIDDEN_BYTES_MIN = 4 };

static bool is_blank(char ch)
{
    return (uint8_t)ch <= ' ';
}

str sending_trim(str s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = (str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* ---- Secrets ---- */

void sending_hide(struct sending *s, str text)
{
    if (text.len < HIDDEN_BYTES_MIN) /* "ok" is no secret, and in every answer */
        return;
    if (s->secret_count < SENDING_SECRETS_MAX)
        s->secrets[s->secret_count++] = text;
    else
        s->too_secret = true;
}

/* The longest secret that `text` begins with; 0: none. */
static size_t secret_at(const struct sending *s, str text)
{
    size_t longest = 0;
    for (size_t i = 0; i < s->secret_count; i++)
        if (s->secrets[i].len > longest && str_starts(text, s->secrets[i]))
            longest = s->secrets[i].len;
    return longest;
}

/* What follows the name of a scheme: a server may repeat credentials that only the client knows. */
static size_t scheme_at(str text)
{
    static const char *const SCHEMES[] = {"bearer ", "basic ", "digest ", "geniekey "};
    for (size_t i = 0; i < COUNT_OF(SCHEMES); i++) {
        size_t n = strlen(SCHEMES[i]);
        if (text.len > n && strncasecmp(text.ptr, SCHEMES[i], n) == 0)
            return n;
    }
    return 0;
}

static size_t word_size(str text)
{
    size_t n = 0;
    while (n < text.len && !is_blank(text.ptr[n]) && strchr("\"',;<>{}", text.ptr[n]) == NULL)
        n++;
    return n;
}

static void put_scrubbed(const struct sending *s, str text, struct buf *out)
{
    if (s->too_secret) {
        buf_put_str(out, STR("<not shown: too many secrets>"));
        return;
    }
    while (text.len > 0) {
        size_t secret = secret_at(s, text), scheme = secret > 0 ? 0 : scheme_at(text);
        size_t plain = secret > 0 ? 0 : scheme > 0 ? scheme : 1;
        buf_put_str(out, (str){text.ptr, plain});
        if (scheme > 0)
            secret = word_size((str){text.ptr + scheme, text.len - scheme});
        if (secret > 0)
            buf_put_str(out, STR("<secret>"));
        text = (str){text.ptr + plain + secret, text.len - plain - secret};
    }
}

static void scrub_diag(const struct sending *s)
{
    struct buf clean = {0};
    if (s->d == NULL || s->d->text[0] == '\0')
        return;
    put_scrubbed(s, str_from(s->d->text), &clean);
    (void)snprintf(s->d->text, sizeof(s->d->text), "%s", buf_cstr(&clean));
    buf_fini(&clean);
}

void sending_put_shown(const struct sending *s, str text, struct buf *out)
{
    struct buf clean = {0};
    size_t start = out->len;
    put_scrubbed(s, sending_trim(text), &clean);
    for (str rest = buf_str(&clean); rest.len > 0;) {
        unsigned size;
        uint32_t rune = utf8_decode(rest, &size);
        if (out->len - start + size > SENDING_SHOWN_BYTES)
            break;
        utf8_append(out, rune < ' ' || rune == 0x7f ? ' ' : rune);
        rest = (str){rest.ptr + size, rest.len - size};
    }
    buf_fini(&clean);
}

/* ---- Begin and end ---- */

/* A file that cannot be read is told by who needs it. */
static void hide_file(struct sending *s, str path)
{
    struct buf text = {0};
    if (path.len > 0 && fs_read_file(fs_posix(), path.ptr, SECRET_FILE_BYTES_MAX, &text) == OK)
        sending_hide(s, sending_keep(s, sending_trim(buf_str(&text))));
    buf_fini(&text);
}

/* Credentials that the client puts into requests. */
static void hide_http(struct sending *s, const struct http_client_config *http)
{
    if (http == NULL)
        return;
    if (http->basic_auth != NULL) {
        sending_hide(s, http->basic_auth->password);
        hide_file(s, http->basic_auth->password_file);
    }
    if (http->authorization != NULL) {
        sending_hide(s, http->authorization->credentials);
        hide_file(s, http->authorization->credentials_file);
    }
    for (size_t i = 0; i < http->header_count; i++) {
        const struct http_header *h = &http->headers[i];
        for (size_t k = 0; k < h->secrets.count; k++)
            sending_hide(s, h->secrets.items[k]);
        for (size_t k = 0; k < h->files.count; k++)
            hide_file(s, h->files.items[k]);
    }
}

/* Whoever gets the message may acknowledge, while there is something to acknowledge. */
static void set_ack_url(struct sending *s)
{
    struct buf url = {0};
    const struct ack_signer *signer = s->all->ack_signer;
    if (signer == NULL || s->n->incident.len != ACK_TOKEN_INCIDENT_SIZE || !s->data.firing)
        return;
    ack_signer_put(signer, s->n->incident, s->n->receiver, clock_wall_ms(), &url);
    notify_data_ack_url(&s->data, sending_keep(s, buf_str(&url)));
    buf_fini(&url);
}

void sending_begin(struct sending *s, const struct notifiers *all, const struct notification *n,
                   struct diag *d)
{
    *s = (struct sending){.all = all, .n = n, .d = d};
    s->failed = notify_templates_data(all->templates, n, buf_str(&all->external_url), &s->data, d);
    set_ack_url(s);
    hide_http(s, n->config->http);
}

struct notify_result sending_end(struct sending *s, struct notify_result r)
{
    if (s->failed != OK)
        r = (struct notify_result){NOTIFY_FAILED, 0};
    scrub_diag(s);
    notify_data_fini(&s->data);
    return r;
}

struct notify_result sending_fail(struct sending *s, const char *format, ...)
{
    char text[DIAG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)diag_set(s->d, ERR_INVALID, "%s", text);
    return (struct notify_result){NOTIFY_FAILED, 0};
}

/* ---- Texts ---- */

str sending_keep(struct sending *s, str text)
{
    str copy = s->failed == OK ? arena_str(&s->data.arena, text) : STR("");
    if (copy.ptr != NULL)
        return copy;
    s->failed = diag_set(s->d, ERR_LIMIT, "texts of the notification need more than %d bytes",
                         NOTIFY_DATA_BYTES_MAX);
    return STR("");
}

static str expand(struct sending *s, const char *key, str text, enum notify_format format)
{
    struct buf out = {0};
    struct diag own = {.text = ""};
    if (s->failed == OK && !notice_text_for(s->n, key, &out)) {
        err e = notify_expand(s->all->templates, &s->data, text, format, &out, &own);
        if (e != OK)
            s->failed = diag_set(s->d, e, "%s: %s", key, own.text);
    }
    str result = sending_keep(s, buf_str(&out));
    buf_fini(&out);
    return result;
}

str sending_text(struct sending *s, const char *key, str text)
{
    return expand(s, key, text, NOTIFY_TEXT);
}

str sending_html(struct sending *s, const char *key, str text)
{
    return expand(s, key, text, NOTIFY_HTML);
}

str sending_secret(struct sending *s, const char *key, str text, str file)
{
    struct buf out = {0};
    if (text.len == 0 && file.len > 0 && s->failed == OK) {
        err e = fs_read_file(fs_posix(), file.ptr, SECRET_FILE_BYTES_MAX, &out);
        if (e != OK)
            s->failed = diag_set(s->d, e, "%s_file " STR_FMT " %s", key, STR_ARG(file),
                                 e == ERR_LIMIT ? "is larger than 64 KiB" : "cannot be read");
    }
    str secret = text.len > 0 ? text : sending_keep(s, sending_trim(buf_str(&out)));
    if (out.cap > 0)
        explicit_bzero(out.ptr, out.cap);
    buf_fini(&out);
    sending_hide(s, secret);
    return secret;
}

str sending_secret_text(struct sending *s, const char *key, str text, str file)
{
    str secret = sending_secret(s, key, text, file), became = sending_text(s, key, secret);
    if (!str_eq(secret, became))
        sending_hide(s, became);
    return became;
}

str sending_hide_url(struct sending *s, str url)
{
    url = sending_trim(url);
    const char *scheme = memmem(url.ptr, url.len, "://", 3);
    size_t at = scheme != NULL ? (size_t)(scheme - url.ptr) + 3 : 0;
    while (at < url.len && url.ptr[at] != '/' && url.ptr[at] != '?')
        at++;
    sending_hide(s, (str){url.ptr + at, url.len - at});
    for (size_t end = url.len; end > at; end--) { /* the last part alone tells enough */
        if (url.ptr[end - 1] != '/' && url.ptr[end - 1] != '=')
            continue;
        if (url.len - end >= 8)
            sending_hide(s, (str){url.ptr + end, url.len - end});
        break;
    }
    return url;
}

str sending_dedup_key(struct sending *s)
{
    char hex[SHA256_HEX_SIZE];
    sha256_hex(str_bytes(s->n->group_key), hex);
    return sending_keep(s, (str){hex, sizeof(hex)});
}

str sending_cut(struct sending *s, str text, size_t runes_max)
{
    size_t at = 0, runes = 0, before_last = 0;
    unsigned size;
    for (; at < text.len && runes <= runes_max; runes++) {
        if (runes + 1 == runes_max)
            before_last = at;
        (void)utf8_decode((str){text.ptr + at, text.len - at}, &size);
        at += size;
    }
    if (runes <= runes_max)
        return text;
    struct buf out = {0};
    buf_put_str(&out, (str){text.ptr, before_last});
    buf_put_str(&out, STR("…"));
    str result = sending_keep(s, buf_str(&out));
    buf_fini(&out);
    return result;
}

/* ---- Requests ---- */

struct notify_result notify_result_of_status(int status, str retry_after)
{
    int64_t seconds = 0, at_ms = 0;
    if (status / 100 == 2)
        return (struct notify_result){NOTIFY_SENT, 0};
    bool later = status / 100 == 5 || status == 429 || status == 408 || status == 425;
    if (!later)
        return (struct notify_result){NOTIFY_FAILED, 0};
    if (number_parse_i64(retry_after, &seconds) != OK) {
        bool date = http_date_parse(retry_after, &at_ms) == OK;
        seconds = date ? (at_ms - clock_wall_ms() + 999) / 1000 : 0;
    }
    int64_t most_s = SENDING_RETRY_AFTER_MS_MAX / 1000;
    seconds = seconds < 0 ? 0 : seconds > most_s ? most_s : seconds;
    return (struct notify_result){NOTIFY_RETRY, seconds * 1000};
}

int64_t sending_time_left_ms(const struct sending *s, int64_t own_ms, int64_t else_ms)
{
    int64_t left_ms = s->n->deadline_ms + s->n->grace_ms - clock_wall_ms();
    if (own_ms <= 0 && s->n->delivery != NULL)
        own_ms = s->n->delivery->request_timeout_ms;
    if (own_ms <= 0)
        own_ms = else_ms > 0 ? else_ms : SENDING_TIMEOUT_MS;
    return left_ms < 1 ? 1 : left_ms < own_ms ? left_ms : own_ms;
}

static void tell_refusal(struct sending *s, const struct sending_request *r,
                         const struct http_reply *reply)
{
    struct buf said = {0}, shown = {0};
    if (r->explain != NULL)
        r->explain(reply, &said);
    sending_put_shown(s, said.len > 0 ? buf_str(&said) : buf_str(&reply->body), &shown);
    (void)diag_set(s->d, ERR_IO, "unexpected status code %d: " STR_FMT, reply->status,
                   STR_ARG(buf_str(&shown)));
    buf_fini(&said);
    buf_fini(&shown);
}

/* An answer that is too long is judged by what was read of it: who said 200 was told. */
static struct notify_result judge(struct sending *s, const struct sending_request *r, err e,
                                  const struct http_reply *reply, const struct diag *why)
{
    int class = reply->status / 100;
    if (e == ERR_LIMIT && (class == 2 || class == 4 || class == 5))
        e = OK;
    if (e != OK) {
        bool never = e == ERR_INVALID || e == ERR_UNSUPPORTED;
        (void)diag_set(s->d, e, "%s", why->text);
        return (struct notify_result){never ? NOTIFY_FAILED : NOTIFY_RETRY, 0};
    }
    struct notify_result result =
        notify_result_of_status(reply->status, http_reply_header(reply, STR("Retry-After")));
    if (result.outcome == NOTIFY_SENT)
        return result;
    if (reply->status == r->also_retried)
        result.outcome = NOTIFY_RETRY;
    tell_refusal(s, r, reply);
    return result;
}

bool sending_canceled(void *arg)
{
    const struct sending *s = arg;
    return notifiers_canceled((void *)(uintptr_t)s->all) ||
           (s->n->canceled != NULL && atomic_load(s->n->canceled));
}

static err fetch(struct sending *s, const struct sending_request *r, struct http_reply *reply,
                 struct diag *d)
{
    struct http_client *client = notifiers_client(s->all, s->n->config), *own = NULL;
    struct pair headers[2];
    size_t header_count = 0;
    if (r->authorization.len > 0)
        headers[header_count++] = (struct pair){STR("Authorization"), r->authorization};
    if (r->header.name.len > 0)
        headers[header_count++] = r->header;
    if (client == NULL) {
        TRY(http_client_open(s->n->config->http, buf_str(&s->all->agent), &own, d));
        client = own;
    }
    const struct http_request_options o = {
        .method = r->method != NULL ? r->method : "POST",
        .url = r->url,
        .content_type = STR("application/json"),
        .body = r->body,
        .headers = {headers, header_count},
        .body_bytes_max = SENDING_REPLY_BYTES_MAX,
        .timeout_ms = sending_time_left_ms(s, r->timeout_ms, r->else_ms),
        .canceled = sending_canceled,
        .arg = s,
    };
    err e = s->all->fetch(client, &o, reply, d);
    http_client_close(own);
    return e;
}

struct notify_result sending_post(struct sending *s, const struct sending_request *r,
                                  struct http_reply *reply)
{
    struct http_reply own = {0}, *to = reply != NULL ? reply : &own;
    if (s->failed != OK)
        return (struct notify_result){NOTIFY_FAILED, 0};
    struct diag why = {.text = ""};
    err e = fetch(s, r, to, &why);
    struct notify_result result = judge(s, r, e, to, &why);
    http_reply_fini(&own);
    return result;
}

/* ---- Bodies ---- */

void sending_put_key(struct buf *out, const char *key)
{
    bool first = out->len > 0 && out->ptr[out->len - 1] == '{';
    buf_printf(out, "%s\"%s\":", first ? "" : ",", key);
}

void sending_put(struct buf *out, const char *key, str text)
{
    sending_put_key(out, key);
    json_html(out, text);
}

void sending_put_unless_empty(struct buf *out, const char *key, str text)
{
    if (text.len > 0)
        sending_put(out, key, text);
}
