/* conn.c -- open connections: one that takes too long to send its request, however slowly it goes
 * on, is cut, so that nobody can hold all of them with a byte now and then. */
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/server_priv.h"

static struct connection *context_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

void connection_opened(struct http_server *s, struct MHD_Connection *c, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *k = mem_zalloc(1, sizeof(*k));
    k->fd = info != NULL ? (int)info->connect_fd : -1;
    atomic_store_explicit(&k->reading_ns, clock_mono_ns(), memory_order_relaxed);
    mutex_lock(&s->lock);
    k->next = s->connections;
    if (k->next != NULL)
        k->next->prev = k;
    s->connections = k;
    mutex_unlock(&s->lock);
    *context = k;
}

void connection_closed(struct http_server *s, void **context)
{
    struct connection *k = *context;
    if (k == NULL)
        return;
    mutex_lock(&s->lock);
    if (k->prev != NULL)
        k->prev->next = k->next;
    else
        s->connections = k->next;
    if (k->next != NULL)
        k->next->prev = k->prev;
    mutex_unlock(&s->lock);
    mem_free(k);
    *context = NULL;
}

void connection_reading(struct MHD_Connection *c, bool reading)
{
    struct connection *k = context_of(c);
    if (k != NULL)
        atomic_store_explicit(&k->reading_ns, reading ? clock_mono_ns() : 0, memory_order_relaxed);
}

void connections_check(struct http_server *s)
{
    uint64_t now_ns = clock_mono_ns(), max_ns = (uint64_t)s->options.read_timeout_ms * 1000000;
    if (max_ns == 0)
        return;
    mutex_lock(&s->lock);
    for (struct connection *k = s->connections; k != NULL; k = k->next) {
        uint64_t since_ns = atomic_load_explicit(&k->reading_ns, memory_order_relaxed);
        /* the library sees the end, closes and reports it: only then the descriptor may be reused
         */
        if (since_ns != 0 && now_ns > since_ns && now_ns - since_ns > max_ns)
            (void)shutdown(k->fd, SHUT_RDWR);
    }
    mutex_unlock(&s->lock);
}
