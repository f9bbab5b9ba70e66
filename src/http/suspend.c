/* suspend.c -- requests that wait for a worker or for http_resume(). */
#include "base/assert.h"
#include "base/clock.h"
#include "http/server_priv.h"

enum {
    WATCH_PERIOD_MS = 50, /* how often suspended connections are checked for a client that left */
    CONNECTIONS_PERIODS = 4, /* every so many of them the deadlines of connections are checked */
    FILES_PERIODS = 20,      /* and the files of the web configuration */
};

/* MHD does not look at the socket of a suspended connection, so the watcher does. */
static void link_locked(struct http_request *r)
{
    struct http_server *s = r->server;
    r->watched = true;
    r->watch_prev = NULL;
    r->watch_next = s->suspended;
    if (s->suspended != NULL)
        s->suspended->watch_prev = r;
    s->suspended = r;
}

static void watch_add(struct http_request *r)
{
    mutex_lock(&r->server->lock);
    link_locked(r);
    mutex_unlock(&r->server->lock);
}

static void unlink_locked(struct http_request *r)
{
    struct http_server *s = r->server;
    if (!r->watched)
        return;
    if (r->watch_prev != NULL)
        r->watch_prev->watch_next = r->watch_next;
    else
        s->suspended = r->watch_next;
    if (r->watch_next != NULL)
        r->watch_next->watch_prev = r->watch_prev;
    r->watched = false;
}

static void watch_remove(struct http_request *r)
{
    struct http_server *s = r->server;
    mutex_lock(&s->lock);
    unlink_locked(r);
    mutex_unlock(&s->lock);
}

void suspend_forget(struct http_request *r)
{
    watch_remove(r);
}

/* The client has gone, or the server stops. A listener must be woken to end: that is done under the
 * lock, which its end takes too, so the connection is still there. */
static void cancel_locked(struct http_request *r)
{
    atomic_store_explicit(&r->canceled, true, memory_order_relaxed);
    if (!r->live)
        return;
    unlink_locked(r);
    MHD_resume_connection(r->connection);
}

static void client_left_locked(struct http_request *r)
{
    if (!atomic_load_explicit(&r->canceled, memory_order_relaxed))
        (void)atomic_fetch_add_explicit(&r->server->counters.clients_gone, 1, memory_order_relaxed);
    cancel_locked(r);
}

void suspend_cancel_live(struct http_server *s)
{
    mutex_lock(&s->lock); /* a listener that has not seen `closing` is in the list now */
    for (struct http_request *r = s->suspended, *next; r != NULL; r = next) {
        next = r->watch_next;
        if (r->live)
            cancel_locked(r);
    }
    mutex_unlock(&s->lock);
}

static int socket_of(struct http_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? (int)info->connect_fd : -1;
}

static void watch_once(struct http_server *s)
{
    nfds_t n = 0;
    bool stopping = atomic_load_explicit(&s->stopping, memory_order_relaxed);
    mutex_lock(&s->lock);
    for (struct http_request *r = s->suspended; r != NULL && n < s->watch_cap; r = r->watch_next) {
        if (stopping)
            atomic_store_explicit(&r->canceled, true, memory_order_relaxed);
        s->watch_fds[n] = (struct pollfd){.fd = socket_of(r), .events = POLLRDHUP};
        s->watch_requests[n++] = r;
    }
    if (n > 0 && poll(s->watch_fds, n, 0) > 0)
        for (nfds_t i = 0; i < n; i++)
            if ((s->watch_fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
                client_left_locked(s->watch_requests[i]);
    mutex_unlock(&s->lock);
}

static void look_at_files(struct http_server *s)
{
    struct diag d = {.text = ""};
    if (s->options.auth == NULL || s->options.vital_only)
        return;
    err e = auth_refresh(s->options.auth, &d); /* logs and counts by itself */
    DASSERT(e == OK || d.text[0] != '\0');
    (void)e;
}

void *watcher_main(void *arg)
{
    struct http_server *s = arg;
    for (unsigned i = 0; atomic_load_explicit(&s->watching, memory_order_relaxed); i++) {
        clock_sleep_ns(UINT64_C(1000000) * WATCH_PERIOD_MS);
        watch_once(s);
        if (s->gate != NULL)
            gate_tick(s->gate);
        if (s->options.tick != NULL && !s->options.vital_only)
            s->options.tick(s->options.user);
        if (i % CONNECTIONS_PERIODS == 0)
            connections_check(s);
        if (i % FILES_PERIODS == 0)
            look_at_files(s);
    }
    return NULL;
}

void request_suspend(struct http_request *r)
{
    r->phase = PHASE_WORKING;
    watch_add(r);
    MHD_suspend_connection(r->connection);
}

void http_defer(struct http_request *r)
{
    r->deferred = true;
    request_suspend(r);
}

void http_resume(struct http_request *r)
{
    watch_remove(r);
    MHD_resume_connection(r->connection);
}

static struct http_request *request_of(struct gate_job *j)
{
    return (void *)((char *)j - offsetof(struct http_request, job));
}

static void run_job(struct gate_job *j)
{
    struct http_request *r = request_of(j);
    r->route->run(r);
}

static void refuse_busy(struct http_request *r, enum http_refusal why, const char *text)
{
    http_refused(r->server, why);
    if (r->server->options.busy != NULL)
        r->server->options.busy(r, text);
    else
        http_text(r, 503, text);
    http_answer_header(r, "Retry-After", STR("1"));
}

static void job_done(struct gate_job *j, enum gate_end how)
{
    struct http_request *r = request_of(j);
    if (how == GATE_EXPIRED)
        refuse_busy(r, HTTP_REFUSED_QUEUE_TIME, "query timed out in query queue");
    else if (how == GATE_GONE && r->server->options.canceled != NULL)
        r->server->options.canceled(r); /* the client left, or somebody ended it */
    else if (how == GATE_GONE)
        http_text(r, 503, "canceled while waiting\n");
    else if (r->status != 0)
        answer_encode(r);
    http_resume(r);
}

void request_queue(struct http_request *r)
{
    uint64_t fingerprint = 0;
    enum gate_class c =
        r->route->classify != NULL ? r->route->classify(r, &fingerprint) : GATE_LIGHT;
    r->job = (struct gate_job){.run = run_job,
                               .done = job_done,
                               .cls = c,
                               .fingerprint = fingerprint,
                               .canceled = &r->canceled};
    request_suspend(r);
    if (gate_submit(r->server->gate, &r->job) == OK)
        return;
    (void)atomic_fetch_add_explicit(&r->server->counters.rejected_busy, 1, memory_order_relaxed);
    refuse_busy(r, HTTP_REFUSED_QUEUE, "too many requests waiting, try again later");
    http_resume(r);
}

/* Join the suspended ones in the middle of a stream, until the library takes the request up again.
 * False when the server is about to end: nothing is suspended anew then. */
static bool wait_in_stream(struct http_request *r)
{
    struct http_server *s = r->server;
    mutex_lock(&s->lock);
    bool closing = atomic_load(&s->closing);
    if (!closing) {
        link_locked(r);
        request_begun(r);
    }
    mutex_unlock(&s->lock);
    if (!closing)
        MHD_suspend_connection(r->connection);
    return !closing;
}

void http_stream_wait(struct http_request *r)
{
    if (!wait_in_stream(r))
        atomic_store_explicit(&r->canceled, true, memory_order_relaxed);
}

static void make_piece(void *arg)
{
    struct http_request *r = arg;
    (void)answer_make_piece(r);
    http_resume(r);
}

bool suspend_for_piece(struct http_request *r)
{
    if (!wait_in_stream(r))
        return false;
    if (pool_submit(r->server->pieces, make_piece, r) != OK)
        make_piece(r); /* not to be expected: there is room for all connections */
    return true;
}

void http_stream_wake(struct http_request *r)
{
    http_resume(r);
}
