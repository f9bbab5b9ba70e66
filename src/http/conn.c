/* conn.c -- open connections: what each is doing since when. One that is too slow to send its
 * request or to take its answer is cut, so that nobody holds connections with a byte now and then;
 * when all connections are taken, those that wait for a request make room. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/server_priv.h"
#include "http/tls.h"

enum {
    PHASE_BITS = 3,
    HEAD_SPARED_MS = 1000, /* a new connection has this long before it may have to make room */
};

static uint64_t pack(enum connection_phase p, uint64_t ns)
{
    return ns << PHASE_BITS | (uint64_t)p;
}

static enum connection_phase phase_of(uint64_t v)
{
    return (enum connection_phase)(v & ((1u << PHASE_BITS) - 1));
}

static uint64_t since_ns(uint64_t v)
{
    return v >> PHASE_BITS;
}

struct connection *connection_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static bool is_working(enum connection_phase p)
{
    return p != CONNECTION_IDLE && p != CONNECTION_HEAD;
}

static void count_working(struct http_server *s, enum connection_phase from,
                          enum connection_phase to)
{
    if (is_working(to) && !is_working(from))
        (void)atomic_fetch_add_explicit(&s->working, 1, memory_order_relaxed);
    else if (is_working(from) && !is_working(to))
        (void)atomic_fetch_sub_explicit(&s->working, 1, memory_order_relaxed);
}

/* ---- Coming and going ---- */

enum MHD_Result connection_admit(void *cls, const struct sockaddr *address, socklen_t size)
{
    struct http_server *s = cls;
    unsigned max = s->options.connections_per_client_max;
    (void)size;
    if (max == 0)
        return MHD_YES;
    mutex_lock(&s->lock);
    const struct peer *p = peers_find(s->peers, address);
    bool full = p != NULL && p->connections >= max;
    mutex_unlock(&s->lock);
    if (full)
        http_refused(s, HTTP_REFUSED_PER_CLIENT);
    return full ? MHD_NO : MHD_YES;
}

static bool begin_tls(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL || info->tls_session == NULL)
        return false;
    tls_begin(info->tls_session);
    return true;
}

void connection_opened(struct http_server *s, struct MHD_Connection *c, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *k = mem_zalloc(1, sizeof(*k));
    k->fd = info != NULL ? (int)info->connect_fd : -1;
    info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    atomic_store_explicit(&k->phase, pack(CONNECTION_HEAD, clock_mono_ns()), memory_order_relaxed);
    mutex_lock(&s->lock);
    k->peer = peers_enter(s->peers, info != NULL ? info->client_addr : NULL);
    k->next = s->connections;
    if (k->next != NULL)
        k->next->prev = k;
    s->connections = k;
    mutex_unlock(&s->lock);
    *context = k;
    k->tls = begin_tls(c);
}

void connection_closed(struct http_server *s, void **context)
{
    struct connection *k = *context;
    if (k == NULL)
        return;
    if (k->tls && !k->asked && !k->cut)
        http_refused(s, HTTP_REFUSED_TLS);
    count_working(s, phase_of(atomic_load_explicit(&k->phase, memory_order_relaxed)),
                  CONNECTION_IDLE);
    mutex_lock(&s->lock);
    if (k->prev != NULL)
        k->prev->next = k->next;
    else
        s->connections = k->next;
    if (k->next != NULL)
        k->next->prev = k->prev;
    peers_leave(s->peers, k->peer);
    mutex_unlock(&s->lock);
    mem_free(k);
    *context = NULL;
}

void connection_phase(struct http_server *s, struct MHD_Connection *c, enum connection_phase p)
{
    struct connection *k = connection_of(c);
    if (k == NULL)
        return;
    enum connection_phase was = phase_of(atomic_load_explicit(&k->phase, memory_order_relaxed));
    if (p == CONNECTION_BODY)
        atomic_store_explicit(&k->body_bytes, 0, memory_order_relaxed);
    k->asked = true;
    if (p == CONNECTION_HEAD && was == CONNECTION_HEAD)
        return; /* since its first byte */
    count_working(s, was, p);
    atomic_store_explicit(&k->phase, pack(p, clock_mono_ns()), memory_order_relaxed);
}

void connection_got(struct MHD_Connection *c, size_t bytes)
{
    struct connection *k = connection_of(c);
    if (k != NULL)
        (void)atomic_fetch_add_explicit(&k->body_bytes, bytes, memory_order_relaxed);
}

/* ---- Deadlines ---- */

/* The library sees the end, closes and reports it: only then the descriptor may be reused. */
static void cut(struct http_server *s, struct connection *k, enum http_refusal why)
{
    if (k->cut)
        return;
    k->cut = true;
    (void)shutdown(k->fd, SHUT_RDWR);
    if (why != HTTP_REFUSALS)
        http_refused(s, why);
}

static bool is_past(uint64_t now_ns, uint64_t from_ns, int64_t max_ms)
{
    return max_ms > 0 && now_ns > from_ns && now_ns - from_ns > (uint64_t)max_ms * 1000000;
}

static bool tcp_state(const struct connection *k, struct tcp_info *out)
{
    socklen_t size = sizeof(*out);
    *out = (struct tcp_info){0};
    return getsockopt(k->fd, IPPROTO_TCP, TCP_INFO, out, &size) == 0;
}

/* Fewer than the least bytes a second over this time? */
static bool is_slow(const struct http_server *s, uint64_t bytes, uint64_t ns)
{
    return (double)bytes < (double)s->options.rate_bytes_min * ((double)ns / 1e9);
}

static void check_idle(struct http_server *s, struct connection *k, uint64_t v, uint64_t now_ns)
{
    struct tcp_info tcp;
    bool known = tcp_state(k, &tcp);
    if (is_past(now_ns, since_ns(v), s->options.read_timeout_ms)) {
        cut(s, k, HTTP_REFUSALS);
    } else if (k->idle_since_ns != since_ns(v)) { /* what has come till now was the last request */
        k->idle_since_ns = since_ns(v);
        k->idle_bytes = tcp.tcpi_bytes_received;
    } else if (known && tcp.tcpi_bytes_received > k->idle_bytes) {
        (void)atomic_compare_exchange_strong_explicit(&k->phase, &v, pack(CONNECTION_HEAD, now_ns),
                                                      memory_order_relaxed, memory_order_relaxed);
    }
}

static void check_body(struct http_server *s, struct connection *k, uint64_t v, uint64_t now_ns)
{
    uint64_t got = atomic_load_explicit(&k->body_bytes, memory_order_relaxed);
    uint64_t ns = now_ns > since_ns(v) ? now_ns - since_ns(v) : 0;
    if (is_past(now_ns, since_ns(v), s->options.read_timeout_ms) ||
        (is_past(now_ns, since_ns(v), s->options.rate_grace_ms) && is_slow(s, got, ns)))
        cut(s, k, HTTP_REFUSED_SLOW_BODY);
}

/* While there is something the client has not taken, it takes the least rate over every grace. */
static void check_answer(struct http_server *s, struct connection *k, uint64_t now_ns)
{
    struct tcp_info tcp;
    int queued = 0;
    if (!tcp_state(k, &tcp) || ioctl(k->fd, SIOCOUTQ, &queued) != 0)
        return;
    uint64_t taken = tcp.tcpi_bytes_acked;
    if (queued == 0 || k->window_ns == 0 || taken < k->window_bytes) {
        k->window_ns = now_ns;
        k->window_bytes = taken;
    } else if (is_past(now_ns, k->window_ns, s->options.rate_grace_ms)) {
        if (is_slow(s, taken - k->window_bytes, now_ns - k->window_ns))
            cut(s, k, HTTP_REFUSED_SLOW_READER);
        k->window_ns = now_ns;
        k->window_bytes = taken;
    }
}

static void check_one(struct http_server *s, struct connection *k, uint64_t now_ns)
{
    uint64_t v = atomic_load_explicit(&k->phase, memory_order_relaxed);
    switch (phase_of(v)) {
    case CONNECTION_HEAD:
        if (is_past(now_ns, since_ns(v), s->options.header_timeout_ms) ||
            is_past(now_ns, since_ns(v), s->options.read_timeout_ms))
            cut(s, k, HTTP_REFUSED_SLOW_HEADERS);
        break;
    case CONNECTION_IDLE:
        check_idle(s, k, v, now_ns);
        break;
    case CONNECTION_BODY:
        check_body(s, k, v, now_ns);
        break;
    case CONNECTION_ANSWER:
        check_answer(s, k, now_ns);
        return;
    case CONNECTION_WORK:
        break;
    }
    k->window_ns = 0;
}

/* ---- Room ---- */

struct victims { /* the longest waiting, in no order */
    struct connection *items[HTTP_CONNECTIONS_RESERVE];
    uint64_t since[HTTP_CONNECTIONS_RESERVE];
    size_t count, wanted;
};

static void consider(struct victims *w, struct connection *k, uint64_t ns)
{
    size_t at = w->count;
    if (w->count < w->wanted) {
        w->count++;
    } else {
        at = 0;
        for (size_t i = 1; i < w->count; i++)
            if (w->since[i] > w->since[at])
                at = i;
        if (w->since[at] <= ns)
            return;
    }
    w->items[at] = k;
    w->since[at] = ns;
}

/* More than the limit: as many as are too many go, of those that wait between two requests, or
 * have not sent one in a while. */
static void make_room(struct http_server *s, size_t open, uint64_t now_ns)
{
    size_t max = s->options.connections_max;
    struct victims w = {.wanted =
                            MIN(open > max ? open - max : 0, (size_t)HTTP_CONNECTIONS_RESERVE)};
    for (struct connection *k = s->connections; k != NULL && w.wanted > 0; k = k->next) {
        uint64_t v = atomic_load_explicit(&k->phase, memory_order_relaxed);
        if (k->cut || phase_of(v) == CONNECTION_IDLE ||
            (phase_of(v) == CONNECTION_HEAD && is_past(now_ns, since_ns(v), HEAD_SPARED_MS)))
            consider(&w, k, since_ns(v));
    }
    for (size_t i = 0; i < w.count; i++)
        cut(s, w.items[i], HTTP_REFUSED_ROOM);
}

void connections_check(struct http_server *s)
{
    uint64_t now_ns = clock_mono_ns();
    size_t open = 0;
    mutex_lock(&s->lock);
    for (struct connection *k = s->connections; k != NULL; k = k->next, open++)
        check_one(s, k, now_ns);
    make_room(s, open, now_ns);
    mutex_unlock(&s->lock);
}
