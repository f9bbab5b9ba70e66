/* body.c -- collecting request bodies, within their limits. */
#include "http/server_priv.h"

enum {
    BODY_FIRST_BYTES_MAX = 1 << 20, /* reserved on a Content-Length's word alone */
};

static bool charge_body(struct http_request *r, size_t bytes)
{
    _Atomic uint64_t *total = &r->server->counters.bodies_bytes;
    uint64_t before = atomic_fetch_add_explicit(total, bytes, memory_order_relaxed);
    r->body_charged += bytes;
    return before + bytes <= r->server->options.bodies_bytes_max;
}

void body_take(struct http_request *r, const char *data, size_t size)
{
    size_t max = r->route != NULL && r->route->body_bytes_max > 0 ? r->route->body_bytes_max
                                                                  : HTTP_FORM_BYTES_MAX;
    if (r->too_large || r->refused_busy)
        return; /* drained, not kept */
    if (size > max - r->body.len) {
        r->too_large = true;
    } else if (!charge_body(r, size)) {
        r->refused_busy = true;
    } else {
        if (r->body.cap == 0) {
            str length = http_header(r, "Content-Length");
            size_t want = 0;
            for (size_t i = 0;
                 i < length.len && i < 10 && length.ptr[i] >= '0' && length.ptr[i] <= '9'; i++)
                want = want * 10 + (size_t)(length.ptr[i] - '0');
            (void)buf_reserve(&r->body, MIN(MIN(want, max), (size_t)BODY_FIRST_BYTES_MAX));
        }
        buf_put(&r->body, data, size);
        return;
    }
    buf_fini(&r->body);
}
