/* http_oauth.c -- OAuth2 client credentials (RFC 6749, 4.4): a token is asked for when it is needed
 * and kept until shortly before its end, or until the secret's file changes. As upstream (Go's
 * x/oauth2), a server that answers 401 does not end a token: it lives as long as was said. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/http_client_priv.h"
#include "base/jtree.h"
#include "base/number.h"

enum { TOKEN_MARGIN_MS = 10000 }; /* a token is not used in its last seconds */

static void put_escaped(struct buf *out, str s)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        uint8_t ch = (uint8_t)s.ptr[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || (ch != 0 && strchr("-_.~", ch) != NULL);
        if (plain)
            buf_put_u8(out, ch);
        else if (ch == ' ')
            buf_put_u8(out, '+');
        else
            buf_printf(out, "%%%c%c", HEX[ch >> 4], HEX[ch & 15]);
    }
}

static void put_param(struct buf *out, const char *name, str value)
{
    buf_printf(out, "%s%s=", out->len > 0 ? "&" : "", name);
    put_escaped(out, value);
}

static void put_form(const struct http_client *c, str secret, struct buf *out)
{
    const struct http_oauth2 *o = c->config->oauth2;
    put_param(out, "grant_type", STR("client_credentials"));
    if (o->scopes.count > 0) {
        struct buf scopes = {0};
        for (size_t i = 0; i < o->scopes.count; i++) {
            buf_put_str(&scopes, i > 0 ? STR(" ") : STR(""));
            buf_put_str(&scopes, o->scopes.items[i]);
        }
        put_param(out, "scope", buf_str(&scopes));
        buf_fini(&scopes);
    }
    for (size_t i = 0; i < o->endpoint_params.count; i++) {
        buf_put_u8(out, '&');
        put_escaped(out, o->endpoint_params.items[i].name);
        buf_put_u8(out, '=');
        put_escaped(out, o->endpoint_params.items[i].value);
    }
    if (c->secret_in_body) {
        put_param(out, "client_id", o->client_id);
        put_param(out, "client_secret", secret);
    }
}

/* id:secret, each escaped (RFC 6749, 2.3.1), in base64. */
static void put_basic(str id, str secret, struct buf *out)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf plain = {0};
    put_escaped(&plain, id);
    buf_put_u8(&plain, ':');
    put_escaped(&plain, secret);
    buf_put_str(out, STR("Basic "));
    for (size_t i = 0; i < plain.len; i += 3) {
        uint32_t v = (uint32_t)plain.ptr[i] << 16;
        v |= i + 1 < plain.len ? (uint32_t)plain.ptr[i + 1] << 8 : 0;
        v |= i + 2 < plain.len ? plain.ptr[i + 2] : 0;
        buf_put_u8(out, (uint8_t)DIGITS[v >> 18]);
        buf_put_u8(out, (uint8_t)DIGITS[v >> 12 & 63]);
        buf_put_u8(out, i + 1 < plain.len ? (uint8_t)DIGITS[v >> 6 & 63] : '=');
        buf_put_u8(out, i + 2 < plain.len ? (uint8_t)DIGITS[v & 63] : '=');
    }
    http_wipe(&plain);
}

static bool is_header_text(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] < ' ' || (uint8_t)s.ptr[i] >= 0x7f)
            return false;
    return s.len > 0;
}

/* The names RFC 6750 and its relatives gave, in their usual spelling. */
static str token_type_of(str type)
{
    if (type.len == 0 || (type.len == 6 && strncasecmp(type.ptr, "bearer", 6) == 0))
        return STR("Bearer");
    if (type.len == 3 && strncasecmp(type.ptr, "mac", 3) == 0)
        return STR("MAC");
    return type;
}

/* ---- Answers ---- */

struct answer { /* of a token server */
    struct buf token, type;
    int64_t seconds; /* that the token lasts; 0: not said */
};

static void answer_fini(struct answer *a)
{
    http_wipe(&a->token);
    buf_fini(&a->type);
}

/* Servers write the seconds as a number or as text. What is neither says nothing. */
static int64_t seconds_of(const struct jtree *n)
{
    int64_t seconds = 0;
    str text = jtree_text(n);
    if (text.len > 0 && number_parse_i64(text, &seconds) != OK)
        return 0;
    return text.len > 0 ? seconds : jtree_int(n, 0);
}

static err read_json(slice body, struct answer *out, struct diag *d)
{
    struct jtree *root = NULL;
    struct diag why = {.text = ""};
    if (jtree_parse(body, &root, &why) != OK)
        return diag_set(d, ERR_INVALID, "oauth2: cannot parse the answer of the token server: %s",
                        why.text);
    buf_put_str(&out->token, jtree_text(jtree_get(root, "access_token")));
    buf_put_str(&out->type, jtree_text(jtree_get(root, "token_type")));
    out->seconds = seconds_of(jtree_get(root, "expires_in"));
    jtree_free(root);
    return OK;
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* The value of a field of a form, or nothing. */
static void form_value(str form, const char *name, struct buf *out)
{
    size_t size = strlen(name);
    while (form.len > 0) {
        const char *end = memchr(form.ptr, '&', form.len);
        str field = {form.ptr, end != NULL ? (size_t)(end - form.ptr) : form.len};
        form = (str){form.ptr + field.len, form.len - field.len};
        if (form.len > 0)
            form = (str){form.ptr + 1, form.len - 1};
        if (field.len <= size || memcmp(field.ptr, name, size) != 0 || field.ptr[size] != '=')
            continue;
        for (size_t i = size + 1; i < field.len; i++) {
            int high = i + 2 < field.len ? hex_of(field.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_of(field.ptr[i + 2]) : -1;
            bool escape = field.ptr[i] == '%' && low >= 0;
            buf_put_u8(out, escape                ? (uint8_t)(high << 4 | low)
                            : field.ptr[i] == '+' ? ' '
                                                  : (uint8_t)field.ptr[i]);
            i += escape ? 2 : 0;
        }
        return;
    }
}

static void read_form(slice body, struct answer *out)
{
    struct buf seconds = {0};
    form_value(slice_text(body), "access_token", &out->token);
    form_value(slice_text(body), "token_type", &out->type);
    form_value(slice_text(body), "expires_in", &seconds);
    if (number_parse_i64(buf_str(&seconds), &out->seconds) != OK)
        out->seconds = 0;
    buf_fini(&seconds);
}

/* RFC 6749 says JSON; there are servers that answer with a form. */
static err read_answer(const struct http_reply *r, struct answer *out, struct diag *d)
{
    static const char FORM[] = "application/x-www-form-urlencoded", TEXT[] = "text/plain";
    str type = http_reply_header(r, STR("content-type"));
    slice body = buf_slice(&r->body);
    bool form = type.len >= sizeof(FORM) - 1 && strncasecmp(type.ptr, FORM, sizeof(FORM) - 1) == 0;
    bool text = type.len >= sizeof(TEXT) - 1 && strncasecmp(type.ptr, TEXT, sizeof(TEXT) - 1) == 0;
    if (!form && (!text || (body.len > 0 && body.ptr[0] == '{')))
        return read_json(body, out, d);
    read_form(body, out);
    return OK;
}

static err take_token(struct http_client *c, const struct http_reply *r, struct diag *d)
{
    struct answer a = {.seconds = 0};
    err e = read_answer(r, &a, d);
    str type = token_type_of(buf_str(&a.type));
    if (e == OK && (!is_header_text(buf_str(&a.token)) || !is_header_text(type)))
        e = diag_set(d, ERR_INVALID, "oauth2: server response missing access_token");
    if (e == OK) {
        http_wipe(&c->token);
        buf_put_str(&c->token, buf_str(&a.token));
        buf_reset(&c->token_type);
        buf_put_str(&c->token_type, type);
        bool ends = a.seconds > 0 && a.seconds < INT64_MAX / 2000;
        c->token_until_ms = ends ? clock_wall_ms() + a.seconds * 1000 - TOKEN_MARGIN_MS : INT64_MAX;
    }
    answer_fini(&a);
    return e;
}

/* ---- Requests ---- */

static err ask_once(struct http_client *c, str secret, int64_t timeout_ms, struct http_reply *r,
                    struct diag *d)
{
    const struct http_oauth2 *o = c->config->oauth2;
    struct buf form = {0}, basic = {0};
    struct pair authorization;
    put_form(c, secret, &form);
    struct http_request_options q = {
        .url = o->token_url,
        .content_type = STR("application/x-www-form-urlencoded"),
        .body = buf_slice(&form),
        .body_bytes_max = HTTP_TOKEN_BYTES_MAX,
        .timeout_ms = timeout_ms,
    };
    if (!c->secret_in_body) {
        put_basic(o->client_id, secret, &basic);
        authorization = (struct pair){STR("Authorization"), buf_str(&basic)};
        q.headers = (struct pairs){&authorization, 1};
    }
    err e = http_fetch(c->token_client, &q, r, d);
    http_wipe(&form);
    http_wipe(&basic);
    return e;
}

/* Servers differ in where they want id and secret: the header first, then the body, which is
 * remembered. */
static err ask(struct http_client *c, str secret, int64_t timeout_ms, struct diag *d)
{
    struct http_reply r = {0};
    err e = ask_once(c, secret, timeout_ms, &r, d);
    if (e == OK && r.status >= 400 && r.status < 500 && !c->secret_in_body) {
        http_reply_fini(&r);
        c->secret_in_body = true;
        e = ask_once(c, secret, timeout_ms, &r, d);
        c->secret_in_body = e == OK && r.status >= 200 && r.status < 300;
    }
    if (e == OK && (r.status < 200 || r.status > 299)) {
        struct buf status = {0};
        http_status_text(r.status, &status);
        e = diag_set(d, ERR_IO, "oauth2: cannot fetch token: %s", buf_cstr(&status));
        buf_fini(&status);
    }
    if (e == OK)
        e = take_token(c, &r, d);
    http_reply_fini(&r);
    return e;
}

static bool is_fresh(const struct http_client *c)
{
    return c->token.len > 0 && clock_wall_ms() < c->token_until_ms;
}

bool http_oauth_is_fresh(struct http_client *c)
{
    mutex_lock(&c->lock);
    bool fresh = is_fresh(c);
    mutex_unlock(&c->lock);
    return fresh;
}

err http_oauth_header(struct http_client *c, int64_t timeout_ms, struct buf *out, struct diag *d)
{
    const struct http_oauth2 *o = c->config->oauth2;
    struct buf secret = {0};
    TRY(http_secret(o->client_secret, o->client_secret_file, "oauth2 client secret", &secret, d));
    mutex_lock(&c->lock);
    err e = OK;
    if (!is_fresh(c) || !str_eq(buf_str(&secret), buf_str(&c->token_secret))) {
        e = ask(c, buf_str(&secret), timeout_ms, d);
        if (e == OK) {
            http_wipe(&c->token_secret);
            buf_put_str(&c->token_secret, buf_str(&secret));
        }
    }
    if (e == OK) {
        buf_put_str(out, STR("Authorization: "));
        buf_put_str(out, buf_str(&c->token_type));
        buf_put_u8(out, ' ');
        buf_put_str(out, buf_str(&c->token));
    }
    mutex_unlock(&c->lock);
    http_wipe(&secret);
    return e;
}
