/* smtp_client.c -- see smtp_client.h. */
#include "base/smtp_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/http_client_priv.h"

struct mail { /* one message under way */
    const struct smtp_options *o;
    CURL *easy;
    struct http_transfer t; /* secrets on the way, connect_to */
    struct curl_slist *recipients;
    size_t sent;                        /* of the message */
    char reply[SMTP_REPLY_SHOWN_BYTES]; /* the server's last refusal */
    size_t reply_size;
    char error[CURL_ERROR_SIZE];
};

/* ---- What goes into commands ---- */

/* No controls, no blanks, nothing that ends a command or an address. */
static bool is_word(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f || s.ptr[i] == '<' || s.ptr[i] == '>')
            return false;
    return s.len > 0;
}

static err check(const struct smtp_options *o, struct diag *d)
{
    if (!is_word(o->host) || !is_word(o->port) || (o->hello.len > 0 && !is_word(o->hello)))
        return diag_set(d, ERR_INVALID, "smarthost or hello is no name of a host");
    if (!is_word(o->from))
        return diag_set(d, ERR_INVALID, "the sender's address cannot be sent");
    if (o->to_count == 0 || o->to_count > SMTP_RECIPIENTS_MAX)
        return diag_set(d, ERR_INVALID, "between 1 and %d recipients are needed",
                        SMTP_RECIPIENTS_MAX);
    for (size_t i = 0; i < o->to_count; i++)
        if (!is_word(o->to[i]))
            return diag_set(d, ERR_INVALID, "a recipient's address cannot be sent");
    return OK;
}

static bool is_this_machine(str host)
{
    return str_eq(host, STR("localhost")) || str_eq(host, STR("127.0.0.1")) ||
           str_eq(host, STR("::1")) || str_eq(host, STR("[::1]"));
}

static void put_escaped(str s, struct buf *out)
{
    char *text = curl_easy_escape(NULL, s.ptr, (int)s.len);
    buf_put_str(out, str_from(text != NULL ? text : ""));
    curl_free(text);
}

static void put_host(str host, struct buf *out)
{
    bool v6 = memchr(host.ptr, ':', host.len) != NULL && host.ptr[0] != '[';
    buf_printf(out, v6 ? "[" STR_FMT "]" : STR_FMT, STR_ARG(host));
}

/* ---- Setting up ---- */

/* The name in a certificate may be another than that of the server to connect to. */
static err set_url(struct mail *m, struct diag *d)
{
    const struct smtp_options *o = m->o;
    struct buf url = {0}, to = {0};
    str name = o->tls != NULL ? o->tls->server_name : STR("");
    buf_printf(&url, "%s://", o->implicit_tls ? "smtps" : "smtp");
    put_host(name.len > 0 ? name : o->host, &url);
    buf_printf(&url, ":" STR_FMT "/", STR_ARG(o->port));
    put_escaped(o->hello.len > 0 ? o->hello : STR("localhost"), &url);
    err e = curl_easy_setopt(m->easy, CURLOPT_URL, buf_cstr(&url)) == CURLE_OK ? OK : ERR_INVALID;
    if (e == OK && name.len > 0) {
        buf_put_str(&to, STR("::"));
        put_host(o->host, &to);
        buf_printf(&to, ":" STR_FMT, STR_ARG(o->port));
        m->t.connect_to = curl_slist_append(NULL, buf_cstr(&to));
        (void)curl_easy_setopt(m->easy, CURLOPT_CONNECT_TO, m->t.connect_to);
    }
    buf_fini(&url);
    buf_fini(&to);
    return e == OK ? OK : diag_set(d, e, "smarthost is no host and port");
}

static void set_text(struct mail *m, CURLoption option, str text)
{
    struct buf b = {0};
    buf_put_str(&b, text);
    (void)curl_easy_setopt(m->easy, option, buf_cstr(&b));
    http_wipe(&b);
}

/* CRAM-MD5 has a secret of its own. */
static void set_login(struct mail *m, bool by_secret)
{
    const struct smtp_options *o = m->o;
    bool plain = o->implicit_tls || o->require_tls || is_this_machine(o->host);
    if (o->username.len == 0)
        return;
    set_text(m, CURLOPT_USERNAME, o->username);
    set_text(m, CURLOPT_PASSWORD, by_secret ? o->secret : o->password);
    if (o->identity.len > 0)
        set_text(m, CURLOPT_SASL_AUTHZID, o->identity);
    (void)curl_easy_setopt(m->easy, CURLOPT_LOGIN_OPTIONS,
                           by_secret ? "AUTH=CRAM-MD5"
                           : plain   ? "AUTH=PLAIN;AUTH=LOGIN"
                                     : "AUTH=LOGIN");
}

static void set_envelope(struct mail *m)
{
    const struct smtp_options *o = m->o;
    set_text(m, CURLOPT_MAIL_FROM, o->from);
    for (size_t i = 0; i < o->to_count; i++) {
        struct buf b = {0};
        buf_put_str(&b, o->to[i]);
        struct curl_slist *longer = curl_slist_append(m->recipients, buf_cstr(&b));
        m->recipients = longer != NULL ? longer : m->recipients;
        buf_fini(&b);
    }
    (void)curl_easy_setopt(m->easy, CURLOPT_MAIL_RCPT, m->recipients);
}

static size_t give_message(char *out, size_t size, size_t count, void *arg)
{
    struct mail *m = arg;
    size_t room = size * count, left = m->o->message.len - m->sent, n = left < room ? left : room;
    if (n > 0)
        memcpy(out, m->o->message.ptr + m->sent, n);
    m->sent += n;
    return n;
}

static size_t take_reply(char *bytes, size_t size, size_t count, void *arg)
{
    struct mail *m = arg;
    size_t n = size * count;
    if (n == 0 || (bytes[0] != '4' && bytes[0] != '5'))
        return n;
    m->reply_size = n < sizeof(m->reply) ? n : sizeof(m->reply);
    memcpy(m->reply, bytes, m->reply_size);
    while (m->reply_size > 0 && (uint8_t)m->reply[m->reply_size - 1] <= ' ')
        m->reply_size--;
    return n;
}

static size_t drop(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes, (void)arg;
    return size * count;
}

static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct mail *m = arg;
    (void)a, (void)b, (void)c, (void)d;
    return m->o->canceled != NULL && m->o->canceled(m->o->arg);
}

static err set_up(struct mail *m, bool by_secret, struct diag *d)
{
    const struct smtp_options *o = m->o;
    static const struct http_tls_config NO_TLS = {.min_version = HTTP_TLS_UNSET};
    CURL *easy = m->easy;
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not what the environment says */
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, m->error);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_USE_SSL,
                           o->require_tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)o->message.len);
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_message);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, m);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_reply);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, m);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
    (void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA, m);
    set_login(m, by_secret);
    set_envelope(m);
    TRY(set_url(m, d));
    return http_set_tls(o->tls != NULL ? o->tls : &NO_TLS, easy, &m->t, d);
}

/* ---- Sending ---- */

static void tell(const struct mail *m, CURLcode code, struct diag *d)
{
    const char *why = m->error[0] != '\0' ? m->error : curl_easy_strerror(code);
    size_t shown = m->reply_size;
    if (code == CURLE_LOGIN_DENIED) /* who knows what it repeats */
        shown = shown < 3 ? shown : 3;
    const char *rule = code == CURLE_USE_SSL_FAILED ? "require_tls is true (the default): " : "";
    if (shown > 0)
        (void)diag_set(d, ERR_IO, "%s%s (the server says: %.*s)", rule, why, (int)shown, m->reply);
    else
        (void)diag_set(d, ERR_IO, "%s%s", rule, why);
}

static err meaning(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return ERR_TIMEOUT;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return ERR_CANCELED;
    return code == CURLE_OK ? OK : ERR_IO;
}

static err attempt(const struct smtp_options *o, bool by_secret, CURLcode *code, struct diag *d)
{
    struct mail m = {.o = o, .easy = curl_easy_init()};
    if (m.easy == NULL)
        return diag_set(d, ERR_IO, "no memory for a connection");
    err e = set_up(&m, by_secret, d);
    if (e == OK) {
        *code = curl_easy_perform(m.easy);
        if (*code != CURLE_OK)
            tell(&m, *code, d);
        e = meaning(*code);
    }
    curl_easy_cleanup(m.easy);
    curl_slist_free_all(m.recipients);
    http_transfer_end(&m.t);
    return e;
}

err smtp_send(const struct smtp_options *o, struct diag *d)
{
    CURLcode code = CURLE_OK;
    struct diag first = {.text = ""};
    http_library_init();
    TRY(check(o, d));
    bool by_secret = o->username.len > 0 && o->secret.len > 0;
    err e = attempt(o, by_secret, &code, &first);
    if (code == CURLE_LOGIN_DENIED && by_secret && o->password.len > 0)
        return attempt(o, false, &code, d);
    return e == OK ? OK : diag_set(d, e, "%s", first.text);
}
