/* request.c -- what handlers ask about a request and say in answer: see server.h. */
#include <arpa/inet.h>

#include "base/mem.h"
#include "http/server_priv.h"

/* ---- Request ---- */

void *http_user(const struct http_request *r)
{
    return r->server->options.user;
}

str http_path(const struct http_request *r)
{
    return str_from(r->path);
}

str http_query(const struct http_request *r)
{
    return r->query != NULL ? str_from(r->query) : (str){"", 0};
}

str http_params_error(const struct http_request *r)
{
    return str_from(r->params.error);
}

unsigned http_method(const struct http_request *r)
{
    return r->method;
}

slice http_body(const struct http_request *r)
{
    return buf_slice(&r->body);
}

str http_header(const struct http_request *r, const char *name)
{
    const char *v = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
    return v != NULL ? str_from(v) : (str){"", 0};
}

str http_param(const struct http_request *r, str name)
{
    return params_nth(&r->params, name, 0);
}

str http_param_nth(const struct http_request *r, str name, size_t i)
{
    return params_nth(&r->params, name, i);
}

const atomic_bool *http_canceled(const struct http_request *r)
{
    return &r->canceled;
}

atomic_bool *http_cancel_flag(struct http_request *r)
{
    return &r->canceled;
}

str http_client(struct http_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info != NULL ? info->client_addr : NULL;
    const uint8_t *bytes = NULL;
    int family = a != NULL ? a->sa_family : AF_UNSPEC;
    if (family == AF_INET)
        bytes = (const uint8_t *)&((const struct sockaddr_in *)(const void *)a)->sin_addr;
    if (family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
        bytes = v6->s6_addr;
        if (IN6_IS_ADDR_V4MAPPED(v6)) {
            family = AF_INET;
            bytes += sizeof(*v6) - sizeof(struct in_addr);
        }
    }
    static_assert(sizeof(r->client) >= INET6_ADDRSTRLEN, "room for any address");
    if (bytes == NULL || inet_ntop(family, bytes, r->client, sizeof(r->client)) == NULL)
        r->client[0] = '\0';
    return str_from(r->client);
}

uint64_t http_start_mono_ns(const struct http_request *r)
{
    return r->start_mono_ns;
}

void http_set_state(struct http_request *r, void *state)
{
    r->state = state;
}

void *http_state(const struct http_request *r)
{
    return r->state;
}

void http_on_end(struct http_request *r, void (*end)(void *arg), void *arg)
{
    r->on_end = end;
    r->on_end_arg = arg;
}

void *http_end_arg(const struct http_request *r, void (*end)(void *arg))
{
    return r->on_end == end ? r->on_end_arg : NULL;
}

/* ---- Answer ---- */

void http_answer(struct http_request *r, unsigned status, const char *content_type)
{
    r->status = status;
    r->content_type = content_type;
}

struct buf *http_out(struct http_request *r)
{
    return &r->out;
}

void http_answer_header(struct http_request *r, const char *name, str value)
{
    struct answer_header *h = &r->headers[r->header_count];
    if (r->header_count == HTTP_ANSWER_HEADERS_MAX || value.len >= sizeof(h->value))
        return;
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
            return;
    h->name = name;
    if (value.len > 0)
        memcpy(h->value, value.ptr, value.len);
    h->value[value.len] = '\0';
    r->header_count++;
}

void http_text(struct http_request *r, unsigned status, const char *text)
{
    http_answer(r, status, "text/plain; charset=utf-8");
    buf_reset(&r->out);
    buf_put_str(&r->out, str_from(text));
}

void html_put(struct buf *b, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '\0' && strchr("<>&\"'", s.ptr[i]) != NULL)
            buf_printf(b, "&#%d;", s.ptr[i]);
        else
            buf_put_u8(b, (uint8_t)s.ptr[i]);
    }
}

void http_redirect(struct http_request *r, str location)
{
    mem_free(r->location);
    r->location = mem_zalloc(location.len + 1, 1);
    memcpy(r->location, location.ptr, location.len);
    http_answer(r, 302, "text/html; charset=utf-8");
    buf_reset(&r->out);
    buf_put_str(&r->out, STR("<a href=\""));
    html_put(&r->out, location);
    buf_put_str(&r->out, STR("\">Found</a>.\n\n"));
}

void http_stream(struct http_request *r, bool (*next)(void *state, struct buf *out),
                 void (*close)(void *state), void *state)
{
    r->next = next;
    r->close = close;
    r->stream_state = state;
    r->stream_more = true;
    while (r->stream_more && r->out.len < HTTP_PIECE_BYTES)
        r->stream_more = next(state, &r->out);
}

void http_stream_live(struct http_request *r, bool (*next)(void *state, struct buf *out),
                      void (*close)(void *state), void *state)
{
    r->next = next;
    r->close = close;
    r->stream_state = state;
    r->stream_more = true;
    r->live = true;
}
