/* ack_link.c -- see ack_link.h. A token is "1.INCIDENT.SECONDS.RECEIVER.HMAC", the last two in
 * hexadecimal digits; the HMAC is over PURPOSE and all that stands before the last point. */
#include "notify/ack_link.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sha256.h"
#include "notify/sending.h"

#define PURPOSE "varve: acknowledge an incident\n"
#define PATH    "/api/v1/alerting/ack?token="

enum { PARTS = 5, MAC_HEX_SIZE = 2 * HMAC_SHA256_SIZE };

struct ack_signer {
    struct buf url; /* up to the token */
    struct buf secret;
    int64_t ttl_ms;
};

/* ---- Opening ---- */

static err read_secret(struct ack_signer *s, str path, struct diag *d)
{
    struct buf text = {0};
    err e = fs_read_file(fs_posix(), path.ptr, ACK_SECRET_BYTES_MAX, &text);
    str secret = sending_trim(buf_str(&text));
    if (e != OK)
        (void)diag_set(d, e, "acknowledgements: links: secret_file " STR_FMT " %s", STR_ARG(path),
                       e == ERR_LIMIT ? "is larger than 64 KiB" : "cannot be read");
    else if (secret.len < ACK_SECRET_BYTES_MIN)
        e = diag_set(d, ERR_INVALID,
                     "acknowledgements: links: secret_file " STR_FMT
                     " has less than %d bytes: make one with `openssl rand -hex 32`",
                     STR_ARG(path), ACK_SECRET_BYTES_MIN);
    if (e == OK)
        buf_put_str(&s->secret, secret);
    if (text.cap > 0)
        explicit_bzero(text.ptr, text.cap);
    buf_fini(&text);
    return e;
}

err ack_signer_open(const struct ack_links *links, str server_url, struct ack_signer **out,
                    struct diag *d)
{
    struct ack_signer *s = mem_zalloc(1, sizeof(*s));
    str base = links->base_url.len > 0 ? links->base_url : server_url;
    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    buf_put_str(&s->url, base);
    buf_put_str(&s->url, STR(PATH));
    s->ttl_ms = links->ttl_ms;
    err e = read_secret(s, links->secret_file, d);
    if (e != OK)
        ack_signer_close(s);
    else
        *out = s;
    return e;
}

void ack_signer_close(struct ack_signer *s)
{
    if (s == NULL)
        return;
    if (s->secret.cap > 0)
        explicit_bzero(s->secret.ptr, s->secret.cap);
    buf_fini(&s->secret);
    buf_fini(&s->url);
    mem_free(s);
}

/* ---- Tokens ---- */

static void put_hex(slice bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "%02x", bytes.ptr[i]);
}

static void put_mac(const struct ack_signer *s, str text, struct buf *out)
{
    uint8_t mac[HMAC_SHA256_SIZE];
    struct buf all = {0};
    buf_put_str(&all, STR(PURPOSE));
    buf_put_str(&all, text);
    hmac_sha256(buf_slice(&s->secret), buf_slice(&all), mac);
    put_hex((slice){mac, sizeof(mac)}, out);
    buf_fini(&all);
}

void ack_signer_put(const struct ack_signer *s, str incident, str receiver, int64_t now_ms,
                    struct buf *out)
{
    struct buf token = {0};
    buf_printf(&token, "1." STR_FMT ".%lld.", STR_ARG(incident),
               (long long)((now_ms + s->ttl_ms) / 1000));
    if (receiver.len <= ACK_TOKEN_RECEIVER_BYTES_MAX)
        put_hex(str_bytes(receiver), &token);
    buf_put_str(out, buf_str(&s->url));
    buf_put_str(out, buf_str(&token));
    buf_put_u8(out, '.');
    put_mac(s, buf_str(&token), out);
    buf_fini(&token);
}

static bool split(str token, str parts[PARTS])
{
    size_t count = 0;
    for (;;) {
        const char *point = token.len > 0 ? memchr(token.ptr, '.', token.len) : NULL;
        size_t n = point != NULL ? (size_t)(point - token.ptr) : token.len;
        if (count == PARTS)
            return false;
        parts[count++] = (str){token.ptr, n};
        if (point == NULL)
            return count == PARTS;
        token = (str){point + 1, token.len - n - 1};
    }
}

static int digit_of(char ch)
{
    return ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static bool take_hex(str hex, struct buf *out)
{
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        int high = digit_of(hex.ptr[i]), low = digit_of(hex.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        buf_put_u8(out, (uint8_t)(high << 4 | low));
    }
    return hex.len % 2 == 0;
}

static bool is_signed(const struct ack_signer *s, str text, str mac)
{
    struct buf want = {0};
    put_mac(s, text, &want);
    bool same = mac.len == MAC_HEX_SIZE &&
                secret_equal((const uint8_t *)want.ptr, (const uint8_t *)mac.ptr, MAC_HEX_SIZE);
    buf_fini(&want);
    return same;
}

err ack_signer_read(const struct ack_signer *s, str token, int64_t now_ms, struct ack_token *out)
{
    str parts[PARTS];
    int64_t seconds;
    if (token.len > ACK_TOKEN_BYTES_MAX || !split(token, parts))
        return ERR_INVALID;
    const str mac = parts[PARTS - 1];
    if (!is_signed(s, (str){token.ptr, token.len - mac.len - 1}, mac))
        return ERR_INVALID;
    /* made here: what follows can only fail when another version of the program made it */
    if (!str_eq(parts[0], STR("1")) || parts[1].len != ACK_TOKEN_INCIDENT_SIZE ||
        number_parse_i64(parts[2], &seconds) != OK || seconds < 0 || seconds > INT64_MAX / 1000 ||
        !take_hex(parts[3], &out->receiver))
        return ERR_INVALID;
    memcpy(out->incident, parts[1].ptr, ACK_TOKEN_INCIDENT_SIZE);
    out->incident[ACK_TOKEN_INCIDENT_SIZE] = '\0';
    out->expires_ms = seconds * 1000;
    return now_ms < out->expires_ms ? OK : ERR_ORDER;
}

void ack_token_fini(struct ack_token *t)
{
    buf_fini(&t->receiver);
}
