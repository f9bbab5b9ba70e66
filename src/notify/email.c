/* email.c -- notifications as mail: one message, handed to the smarthost. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/smtp_client.h"
#include "notify/email_message.h"
#include "notify/sending.h"
#include "rules/template_time.h"

#define CRLF            "\r\n"
#define DEFAULT_SUBJECT "{{ template \"email.default.subject\" . }}"

enum { BOUNDARY_BYTES = 20, THREAD_DIGITS = 16, HOST_SIZE = 256 };

struct email {
    struct sending s;
    const struct email_config *c;
    str from, to; /* as written */
    struct buf message;
};

/* ---- Headers ---- */

static bool is_given(const struct email_config *c, const char *name)
{
    for (size_t i = 0; i < c->headers.count; i++)
        if (str_eq(c->headers.items[i].name, str_from(name)))
            return true;
    return false;
}

static void put_given(struct email *e)
{
    for (size_t i = 0; i < e->c->headers.count; i++) {
        const struct pair *h = &e->c->headers.items[i];
        if (!email_header_is_named(h->name) && e->s.failed == OK)
            e->s.failed = diag_set(e->s.d, ERR_INVALID,
                                   "headers: a header cannot have the name \"" STR_FMT "\"",
                                   STR_ARG(h->name));
        bool subject = str_eq(h->name, STR("Subject"));
        email_put_header(h->name,
                         sending_text(&e->s, subject ? "headers.Subject" : "headers", h->value),
                         &e->message);
    }
}

static void put_message_id(struct email *e)
{
    char host[HOST_SIZE] = "";
    uint64_t random;
    hash_random_bytes(&random, sizeof(random));
    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0' ||
        !email_header_is_named(str_from(host)))
        (void)snprintf(host, sizeof(host), "localhost");
    buf_printf(&e->message, "Message-Id: <%lld.%llu@%s>" CRLF, (long long)clock_wall_ms(),
               (unsigned long long)random, host);
}

static void put_time(int64_t ms, const char *layout, struct buf *out)
{
    template_time_format(template_time_ms(ms), str_from(layout), out);
}

/* Mails of one group stand together in mail programs: all answer one that was never sent. */
static void put_thread(struct email *e)
{
    struct buf root = {0};
    str key = sending_dedup_key(&e->s);
    buf_printf(&root, "<alert-" STR_FMT "-",
               STR_ARG(((str){key.ptr, key.len < THREAD_DIGITS ? key.len : THREAD_DIGITS})));
    if (!str_eq(e->c->thread_by_date, STR("none")))
        put_time(clock_wall_ms(), "2006-01-02", &root);
    buf_put_str(&root, STR("@alertmanager>"));
    email_put_header(STR("References"), buf_str(&root), &e->message);
    email_put_header(STR("In-Reply-To"), buf_str(&root), &e->message);
    buf_fini(&root);
}

static void put_headers(struct email *e, str boundary)
{
    put_given(e);
    if (!is_given(e->c, "Subject"))
        email_put_header(STR("Subject"),
                         sending_text(&e->s, "headers.Subject", STR(DEFAULT_SUBJECT)), &e->message);
    if (!is_given(e->c, "To"))
        email_put_header(STR("To"), e->to, &e->message);
    if (!is_given(e->c, "From"))
        email_put_header(STR("From"), e->from, &e->message);
    if (!is_given(e->c, "Message-Id"))
        put_message_id(e);
    if (e->c->threading)
        put_thread(e);
    buf_put_str(&e->message, STR("Date: "));
    put_time(clock_wall_ms(), "Mon, 02 Jan 2006 15:04:05 -0700", &e->message);
    buf_printf(&e->message,
               CRLF "Content-Type: multipart/alternative; boundary=" STR_FMT CRLF
                    "MIME-Version: 1.0" CRLF CRLF,
               STR_ARG(boundary));
}

/* ---- Body ---- */

static void put_part(struct email *e, str boundary, const char *type, str text)
{
    buf_printf(&e->message,
               "--" STR_FMT CRLF "Content-Transfer-Encoding: quoted-printable" CRLF
               "Content-Type: %s; charset=UTF-8" CRLF CRLF,
               STR_ARG(boundary), type);
    email_put_quoted(text, &e->message);
    buf_put_str(&e->message, STR(CRLF));
}

static void put_message(struct email *e)
{
    uint8_t random[BOUNDARY_BYTES];
    struct buf boundary = {0};
    hash_random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        buf_printf(&boundary, "%02x", random[i]);
    put_headers(e, buf_str(&boundary));
    if (e->c->text.len > 0 || e->s.n->notice != NULL)
        put_part(e, buf_str(&boundary), "text/plain", sending_text(&e->s, "text", e->c->text));
    if (e->c->html.len > 0) /* the last is what programs prefer */
        put_part(e, buf_str(&boundary), "text/html", sending_html(&e->s, "html", e->c->html));
    buf_printf(&e->message, "--%s--" CRLF, buf_cstr(&boundary));
    buf_fini(&boundary);
}

/* ---- Sending ---- */

static err read_addresses(struct email *e, const char *key, str list, struct texts *out)
{
    struct diag own = {.text = ""};
    err code = email_addresses(list, &e->s.data.arena, out, &own);
    return code == OK ? OK : diag_set(e->s.d, code, "%s: %s", key, own.text);
}

/* "host:port", "[::1]:25": both are there, the configuration saw to it. */
static void split_smarthost(str smarthost, str *host, str *port)
{
    const char *colon = memrchr(smarthost.ptr, ':', smarthost.len);
    size_t at = colon != NULL ? (size_t)(colon - smarthost.ptr) : smarthost.len;
    *host = (str){smarthost.ptr, at};
    *port = colon != NULL ? (str){colon + 1, smarthost.len - at - 1} : STR("25");
    if (host->len > 1 && host->ptr[0] == '[')
        *host = (str){host->ptr + 1, host->len - 2};
}

static err deliver(struct email *e, const struct texts *from, const struct texts *to)
{
    const struct email_config *c = e->c;
    struct smtp_options o = {
        .hello = c->hello,
        .tls = c->tls,
        .username = c->auth_username,
        .password = sending_secret(&e->s, "auth_password", c->auth_password, c->auth_password_file),
        .secret = sending_secret(&e->s, "auth_secret", c->auth_secret, c->auth_secret_file),
        .identity = c->auth_identity,
        .from = from->items[0],
        .to = to->items,
        .to_count = to->count,
        .message = buf_slice(&e->message),
        .timeout_ms = sending_time_left_ms(&e->s, 0, 0),
        .canceled = sending_canceled,
        .arg = &e->s,
    };
    split_smarthost(c->smarthost, &o.host, &o.port);
    o.implicit_tls =
        c->force_implicit_tls < 0 ? str_eq(o.port, STR("465")) : c->force_implicit_tls != 0;
    o.require_tls = c->require_tls != 0 && !o.implicit_tls;
    TRY(e->s.failed);
    return smtp_send(&o, e->s.d);
}

static err send_message(struct email *e)
{
    struct texts from, to;
    e->from = sending_text(&e->s, "from", e->c->from);
    e->to = sending_text(&e->s, "to", e->c->to);
    TRY(e->s.failed);
    TRY(read_addresses(e, "from", e->from, &from));
    if (from.count != 1)
        return diag_set(e->s.d, ERR_INVALID, "from: there must be exactly one address, not %zu",
                        from.count);
    TRY(read_addresses(e, "to", e->to, &to));
    put_message(e);
    TRY(e->s.failed);
    return deliver(e, &from, &to);
}

struct notify_result email_send(void *arg, const struct notification *n, struct diag *d)
{
    struct email e = {.c = (const void *)n->config};
    sending_begin(&e.s, arg, n, d);
    err code = send_message(&e);
    bool later = code == ERR_IO || code == ERR_TIMEOUT || code == ERR_CANCELED;
    struct notify_result result = {code == OK ? NOTIFY_SENT
                                   : later    ? NOTIFY_RETRY
                                              : NOTIFY_FAILED,
                                   0};
    buf_fini(&e.message);
    return sending_end(&e.s, result);
}
