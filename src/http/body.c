/* body.c -- collecting request bodies, within their limits. What is refused is read to its end
 * nevertheless, up to a limit, so that the client sees the answer. */
#include "http/server_priv.h"

enum {
    BODY_FIRST_BYTES_MAX = 1 << 20, /* reserved on a Content-Length's word alone */
    DRAIN_BYTES_MAX = 32 << 20,     /* read and dropped of a body that is not wanted */
    LENGTH_DIGITS_MAX = 18,
};

size_t body_max(const struct http_request *r)
{
    return r->route != NULL && r->route->body_bytes_max > 0 ? r->route->body_bytes_max
                                                            : HTTP_FORM_BYTES_MAX;
}

size_t body_declared(const struct http_request *r)
{
    str length = http_header(r, "Content-Length");
    size_t n = 0;
    if (http_header(r, "Transfer-Encoding").len > 0 || length.len > LENGTH_DIGITS_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i < length.len && length.ptr[i] >= '0' && length.ptr[i] <= '9'; i++)
        n = n * 10 + (size_t)(length.ptr[i] - '0');
    return n;
}

static bool charge_body(struct http_request *r, size_t bytes)
{
    _Atomic uint64_t *total = &r->server->counters.bodies_bytes;
    uint64_t before = atomic_fetch_add_explicit(total, bytes, memory_order_relaxed);
    r->body_charged += bytes;
    return before + bytes <= r->server->options.bodies_bytes_max;
}

static bool drain(struct http_request *r, size_t size)
{
    buf_fini(&r->body);
    r->drained += size;
    return r->drained <= DRAIN_BYTES_MAX;
}

bool body_take(struct http_request *r, const char *data, size_t size)
{
    size_t max = body_max(r);
    if (r->refused)
        return drain(r, size);
    if (size > max - r->body.len) {
        request_refuse(r, HTTP_REFUSED_TOO_LARGE, 413, "request body too large\n");
        return drain(r, size);
    }
    if (!charge_body(r, size)) {
        request_refuse(r, HTTP_REFUSED_BODIES, 503,
                       "too many request bodies in flight, try again later\n");
        http_answer_header(r, "Retry-After", STR("1"));
        return drain(r, size);
    }
    if (r->body.cap == 0)
        (void)buf_reserve(&r->body, MIN(MIN(body_declared(r), max), (size_t)BODY_FIRST_BYTES_MAX));
    buf_put(&r->body, data, size);
    return true;
}
