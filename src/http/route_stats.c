/* route_stats.c -- answers by route and status. */
#include "base/clock.h"
#include "http/server_priv.h"

const unsigned HTTP_STATUSES[HTTP_STATUS_COUNT] = {200, 204, 206, 302, 304, 400, 401, 403,
                                                   404, 405, 408, 411, 413, 414, 415, 421,
                                                   422, 429, 431, 499, 500, 501, 503, 0};

void route_count(const struct http_request *r)
{
    if (r->route == NULL || r->status == 0)
        return;
    struct http_server *s = r->server;
    struct http_route_counters *c = &s->route_counters[r->route - s->options.routes];
    unsigned i = 0;
    while (i + 1 < HTTP_STATUS_COUNT && HTTP_STATUSES[i] != r->status)
        i++;
    (void)atomic_fetch_add_explicit(&c->by_status[i], 1, memory_order_relaxed);
    timing_add(&c->seconds, clock_mono_ns() - r->start_mono_ns);
}

const struct http_route_counters *http_route_counters_of(const struct http_server *s, size_t i)
{
    return &s->route_counters[i];
}
