/* server.c -- see server.h. A request goes through: headers -> body -> dispatch -> (suspended) ->
 * answer. libmicrohttpd calls handle() for every step on the connection's epoll thread. */
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/server_priv.h"
#include "http/tls.h"

enum {
    PASSWORD_THREADS =
        2, /* passwords being checked at once: each takes a processor for 50 ms or more */
    PASSWORD_QUEUE = 64,
    TAKING_MS = 5000, /* at the end clients have this long to take what they are being sent */
};

/* ---- Dispatch ---- */

/* A '*' stands for the rest of the path at the end of a pattern, else for one segment. */
static bool path_matches(const char *pattern, const char *path)
{
    const char *star = strchr(pattern, '*');
    if (star == NULL)
        return strcmp(pattern, path) == 0;
    size_t n = (size_t)(star - pattern);
    if (strncmp(pattern, path, n) != 0)
        return false;
    size_t segment = strcspn(path + n, "/");
    return star[1] == '\0' || (segment > 0 && strcmp(star + 1, path + n + segment) == 0);
}

static unsigned method_of(const char *name, bool *head_only)
{
    static const struct {
        const char *name;
        unsigned method;
    } METHODS[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_GET},      {"POST", HTTP_POST},
                   {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}};
    *head_only = strcmp(name, "HEAD") == 0;
    for (size_t i = 0; i < COUNT_OF(METHODS); i++)
        if (strcmp(name, METHODS[i].name) == 0)
            return METHODS[i].method;
    return 0;
}

static const struct http_route *find_route(const struct http_server *s, const char *path)
{
    const struct http_options *o = &s->options;
    for (size_t i = 0; i < o->route_count; i++)
        if (path_matches(o->routes[i].path, path) && (o->routes[i].vital || !o->vital_only))
            return &o->routes[i];
    return NULL;
}

static void add_allow(struct http_request *r)
{
    struct buf allow = {0};
    unsigned m = r->route->methods;
    buf_printf(&allow, "%s%sOPTIONS%s%s", (m & HTTP_DELETE) != 0 ? "DELETE, " : "",
               (m & HTTP_GET) != 0 ? "GET, HEAD, " : "", (m & HTTP_POST) != 0 ? ", POST" : "",
               (m & HTTP_PUT) != 0 ? ", PUT" : "");
    http_answer_header(r, "Allow", buf_str(&allow));
    buf_fini(&allow);
}

/* The API grants OPTIONS for whatever path, the rest of the server for what there is. */
static bool answer_options(struct http_request *r)
{
    if (r->is_api || str_eq(buf_str(&r->target), STR("*"))) {
        http_answer(r, 204, NULL);
        return true;
    }
    if (r->route == NULL)
        return false;
    http_answer(r, 200, NULL);
    add_allow(r);
    return true;
}

static void answer_not_found(struct http_request *r)
{
    const struct http_options *o = &r->server->options;
    if (!r->below_prefix && strcmp(r->path, "/") == 0) {
        http_redirect(r, o->route_prefix);
    } else if (o->not_found != NULL && r->verdict == TARGET_OK) {
        o->not_found(r);
    } else {
        http_text(r, 404, "404 page not found\n");
    }
}

/* Refusals that need no handler; true when the request has its answer. */
static bool answer_early(struct http_request *r)
{
    const struct http_server *s = r->server;
    if (r->method == HTTP_OPTIONS && answer_options(r)) {
        return true;
    } else if (r->route == NULL) {
        answer_not_found(r);
    } else if ((r->route->methods & r->method) == 0) {
        http_text(r, 405, "Method Not Allowed\n");
        add_allow(r);
    } else if (s->options.ready != NULL && !r->route->before_ready &&
               !atomic_load_explicit(s->options.ready, memory_order_acquire)) {
        http_text(r, 503, "Service Unavailable");
        http_answer_header(r, "X-Prometheus-Stopping",
                           atomic_load_explicit(&s->stopping, memory_order_relaxed) ? STR("true")
                                                                                    : STR("false"));
        http_answer_header(r, "Retry-After", STR("1"));
    } else {
        return false;
    }
    return true;
}

/* Parameters of a body are taken where Go takes them. */
static bool read_params(struct http_request *r)
{
    bool has_body = (r->method & (HTTP_POST | HTTP_PUT)) != 0;
    if (!r->bad_params && (!has_body || params_add_body(&r->params, http_header(r, "Content-Type"),
                                                        buf_slice(&r->body))))
        return true;
    if (r->server->options.bad_params != NULL)
        r->server->options.bad_params(r);
    else
        http_text(r, 400, "malformed or too many parameters\n");
    return false;
}

void request_begun(struct http_request *r)
{
    r->busy = true;
    (void)atomic_fetch_add(&r->server->busy, 1);
}

/* False, and answered, when the server is about to end. Who asks whether it is well is told to the
 * last: such routes answer where they stand, and do not wait for anything once it stops. */
static bool begin_work(struct http_request *r)
{
    struct http_server *s = r->server;
    request_begun(r);
    if (!atomic_load(&s->closing) || (r->route != NULL && r->route->vital))
        return true;
    http_text(r, 503, "Service Unavailable");
    http_answer_header(r, "X-Prometheus-Stopping", STR("true"));
    http_answer_header(r, "Retry-After", STR("1"));
    r->must_close = true;
    return false;
}

void request_done(struct http_request *r)
{
    if (r->busy)
        (void)atomic_fetch_sub(&r->server->busy, 1);
    r->busy = false;
}

static enum MHD_Result dispatch(struct http_request *r)
{
    if (r->refused)
        return answer_send(r);
    if (!begin_work(r) || answer_early(r) || !read_params(r))
        return answer_send(r);
    if (!r->route->on_pool) {
        r->route->run(r);
        return r->deferred ? MHD_YES : answer_send(r);
    }
    if (r->route->queued != NULL)
        r->route->queued(r);
    request_queue(r);
    return MHD_YES;
}

/* ---- Steps of a request ---- */

/* A request begins with its URI as it was sent. The library hands out what it decoded as C strings,
 * in which the rest of what follows a %00 would be lost, so path and parameters are decoded here.
 */
static void *request_open(void *cls, const char *uri, struct MHD_Connection *c)
{
    struct http_request *r = mem_zalloc(1, sizeof(*r));
    str query;
    r->server = cls;
    r->connection = c;
    r->start_mono_ns = clock_mono_ns();
    connection_phase(r->server, c, CONNECTION_HEAD);
    r->verdict = target_parse(str_from(uri), &r->target, &query);
    str authority = target_authority(str_from(uri));
    if (authority.len > 0) {
        r->target_text = mem_alloc(authority.len);
        memcpy(r->target_text, authority.ptr, authority.len);
        r->authority = (str){r->target_text, authority.len};
    }
    if (query.len > 0) {
        r->query = mem_zalloc(query.len + 1, 1);
        memcpy(r->query, query.ptr, query.len);
        r->bad_params = !params_add_url(&r->params, query);
    }
    return r;
}

/* Take the route prefix off the path; false when the path is not below it. */
static bool take_prefix(struct http_request *r)
{
    str prefix = r->server->options.route_prefix, path = buf_str(&r->target);
    r->path = (const char *)r->target.ptr;
    if (prefix.len == 0)
        return true;
    if (!str_starts(path, prefix) || (path.len > prefix.len && path.ptr[prefix.len] != '/'))
        return false;
    r->path = path.len > prefix.len ? r->path + prefix.len : "/";
    return true;
}

/* Its headers are there. */
static bool is_api_path(str path)
{
    return str_starts(path, STR("/api/v1/")) || str_starts(path, STR("/api/v2/")) ||
           str_starts(path, STR("/alertmanager/api/"));
}

static void request_route(struct http_request *r, const char *method)
{
    r->routed = true;
    r->below_prefix = take_prefix(r);
    r->is_api = r->below_prefix && is_api_path(str_from(r->path));
    r->method = method_of(method, &r->head_only);
    if (r->verdict == TARGET_OK && r->below_prefix)
        r->route = find_route(r->server, r->path);
    (void)atomic_fetch_add_explicit(&r->server->counters.requests, 1, memory_order_relaxed);
}

/* The refusal is told when the body is there, so that the client reads it; at once when the client
 * asked first, or would send too much. */
static enum MHD_Result tell_refusal(struct http_request *r)
{
    size_t declared = body_declared(r);
    bool asks = http_header(r, "Expect").len > 0;
    r->phase = PHASE_BODY;
    connection_phase(r->server, r->connection, CONNECTION_BODY);
    if (!r->must_close && !asks && (declared == SIZE_MAX || declared <= body_max(r)))
        return MHD_YES;
    r->must_close = true;
    return answer_send(r);
}

static enum MHD_Result go_on(struct http_request *r, enum access access)
{
    if (access == ACCESS_WAITS)
        return MHD_YES;
    size_t declared = body_declared(r);
    if (access == ACCESS_ALLOWED && declared != SIZE_MAX && declared > body_max(r))
        request_refuse(r, HTTP_REFUSED_TOO_LARGE, 413, "request body too large\n");
    if (r->refused)
        return tell_refusal(r);
    r->phase = PHASE_BODY;
    connection_phase(r->server, r->connection, CONNECTION_BODY);
    return MHD_YES;
}

/* Route the request, or refuse it at once. */
static enum MHD_Result begin(struct http_request *r, const char *method, const char *version)
{
    const char *why;
    request_route(r, method);
    unsigned status = guard_request(r, version, &why);
    if (status != 0) {
        request_refuse(r, HTTP_REFUSED_MALFORMED, status, why);
        r->must_close = true;
        return answer_send(r);
    }
    return go_on(r, access_check(r));
}

static enum MHD_Result take_body(struct http_request *r, const char *data, size_t *size)
{
    connection_got(r->connection, *size);
    if (!body_take(r, data, *size))
        return MHD_NO;
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **state)
{
    (void)cls;
    (void)url;
    struct http_request *r = *state;
    if (!r->routed)
        return begin(r, method, version);
    if (r->phase == PHASE_ACCESS)
        return go_on(r, access_settle(r));
    if (r->phase == PHASE_BODY && *size > 0)
        return take_body(r, data, size);
    if (r->phase == PHASE_BODY) {
        connection_phase(r->server, c, CONNECTION_WORK);
        return dispatch(r);
    }
    if (r->phase == PHASE_WORKING) {
        if (r->deferred) {
            r->deferred = false;
            r->route->finish(r);
            if (r->deferred)
                return MHD_YES;
        }
        return answer_send(r);
    }
    *size = 0; /* of a request that was refused at once */
    return MHD_YES;
}

static void completed(void *cls, struct MHD_Connection *c, void **state,
                      enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)code;
    struct http_request *r = *state;
    if (r == NULL)
        return;
    connection_phase(r->server, c, CONNECTION_IDLE);
    answer_stream_close(r);
    suspend_forget(r);
    request_done(r);
    route_count(r);
    if (r->on_end != NULL)
        r->on_end(r->on_end_arg);
    gzip_stream_close(r->gzip);
    (void)atomic_fetch_sub_explicit(&r->server->counters.bodies_bytes, r->body_charged,
                                    memory_order_relaxed);
    params_fini(&r->params);
    buf_fini(&r->body);
    buf_fini(&r->out);
    buf_fini(&r->wire);
    buf_fini(&r->target);
    mem_free(r->query);
    mem_free(r->target_text);
    mem_free(r->location);
    mem_free(r);
    *state = NULL;
}

static void connection_changed(void *cls, struct MHD_Connection *c, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        (void)atomic_fetch_add_explicit(&s->counters.connections, 1, memory_order_relaxed);
        connection_opened(s, c, context);
    } else {
        (void)atomic_fetch_sub_explicit(&s->counters.connections, 1, memory_order_relaxed);
        connection_closed(s, context);
    }
}

static void log_from_mhd(void *cls, const char *format, va_list args)
{
    char text[256];
    (void)cls;
    (void)vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("http library", LOG_CSTR("text", text));
}

/* ---- Start and stop ---- */

/* What a server with TLS has besides: see tls.h. */
static void tls_options(const struct http_options *o, struct MHD_OptionItem out[3])
{
    size_t n = 0;
    if (o->auth != NULL && auth_has_tls(o->auth)) {
        out[n++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL"};
        out[n++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_retrieve_callback()};
    }
    out[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

static err start_daemon(struct http_server *s, int fd, struct diag *d)
{
    const struct http_options *o = &s->options;
    struct MHD_OptionItem tls[3];
    bool has_tls = o->auth != NULL && auth_has_tls(o->auth);
    tls_options(o, tls);
    s->daemon = MHD_start_daemon(
        (unsigned)MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
            (has_tls ? (unsigned)MHD_USE_TLS : 0),
        0, connection_admit, s, handle, s, MHD_OPTION_EXTERNAL_LOGGER, log_from_mhd, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, o->threads,
        MHD_OPTION_CONNECTION_LIMIT, o->connections_max + HTTP_CONNECTIONS_RESERVE,
        MHD_OPTION_CONNECTION_TIMEOUT, 300u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_HEADER_BYTES_MAX, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)16384,
        MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_NOTIFY_COMPLETED, completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s, MHD_OPTION_URI_LOG_CALLBACK,
        request_open, s, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (s->daemon == NULL)
        return diag_set(d, ERR_IO, "the HTTP server did not start on %s", s->listen_address);
    return OK;
}

static void server_free(struct http_server *s)
{
    pool_close(s->pieces);
    gate_close(s->gate);
    pool_close(s->passwords);
    peers_close(s->peers);
    mem_free(s->route_counters);
    mem_free(s->watch_fds);
    mem_free(s->watch_requests);
    mutex_fini(&s->lock);
    mem_free(s);
}

static err start(struct http_server *s, struct diag *d)
{
    const struct http_options *o = &s->options;
    int fd = -1;
    TRY(server_listen(s->listen_address, &fd, &s->port, d));
    const struct gate_options g = {.workers = o->workers,
                                   .heavy_max = thread_cpu_count(),
                                   .queue_max = o->queue_max,
                                   .wait_ms_max = o->queue_ms_max,
                                   .may_start = o->may_start,
                                   .arg = o->user};
    if (o->workers > 0)
        gate_open(&g, &s->gate);
    err e =
        pool_open("pieces", o->threads, o->connections_max + HTTP_CONNECTIONS_RESERVE, &s->pieces);
    if (e == OK && o->auth != NULL)
        e = pool_open("password", PASSWORD_THREADS, PASSWORD_QUEUE, &s->passwords);
    if (e == OK)
        e = start_daemon(s, fd, d);
    if (e != OK) {
        (void)close(fd);
        return e;
    }
    atomic_store_explicit(&s->watching, true, memory_order_relaxed);
    e = thread_start(&s->watcher, "http-watch", watcher_main, s);
    if (e != OK)
        MHD_stop_daemon(s->daemon);
    return e;
}

err http_server_open(const struct http_options *o, struct http_server **out, struct diag *d)
{
    struct http_server *s = mem_zalloc(1, sizeof(*s));
    s->options = *o;
    s->quiet_fd = -1;
    s->route_counters = mem_zalloc(o->route_count + 1, sizeof(*s->route_counters));
    s->peers = peers_open();
    s->watch_cap = (size_t)o->connections_max + HTTP_CONNECTIONS_RESERVE;
    s->watch_fds = mem_zalloc(s->watch_cap, sizeof(*s->watch_fds));
    s->watch_requests = mem_zalloc(s->watch_cap, sizeof(*s->watch_requests));
    mutex_init(&s->lock);
    (void)snprintf(s->listen_address, sizeof(s->listen_address), STR_FMT,
                   STR_ARG(o->listen_address));
    err e = start(s, d);
    if (e != OK)
        server_free(s);
    else
        *out = s;
    return e;
}

/* No request may be suspended when the library is stopped. Clients have a while to take what they
 * are being sent. */
static void drain(struct http_server *s, int64_t drain_ms)
{
    uint64_t now = clock_mono_ns(), deadline = now + (uint64_t)drain_ms * 1000000;
    uint64_t taken = MIN(deadline, now + (uint64_t)TAKING_MS * 1000000);
    mutex_lock(&s->lock);
    atomic_store(&s->closing, true);
    mutex_unlock(&s->lock);
    suspend_cancel_live(s);
    for (;;) {
        mutex_lock(&s->lock);
        bool idle = s->suspended == NULL && atomic_load(&s->busy) == 0;
        mutex_unlock(&s->lock);
        now = clock_mono_ns();
        if (idle && (now > taken || atomic_load_explicit(&s->working, memory_order_relaxed) == 0))
            return;
        if (now > deadline)
            atomic_store_explicit(&s->stopping, true, memory_order_relaxed);
        clock_sleep_ns(2000000);
    }
}

void http_server_drain(struct http_server *s, int64_t drain_ms)
{
    if (s == NULL || atomic_load(&s->closing))
        return;
    s->quiet_fd = MHD_quiesce_daemon(s->daemon);
    drain(s, drain_ms);
}

void http_server_close(struct http_server *s, int64_t drain_ms)
{
    if (s == NULL)
        return;
    http_server_drain(s, drain_ms);
    atomic_store_explicit(&s->stopping, true, memory_order_relaxed);
    atomic_store_explicit(&s->watching, false, memory_order_relaxed);
    thread_join(s->watcher);
    pool_close(s->pieces);
    gate_close(s->gate);
    s->pieces = NULL;
    s->gate = NULL;
    clock_sleep_ns(20000000); /* resumed connections get their answers out */
    MHD_stop_daemon(s->daemon);
    if (s->quiet_fd >= 0)
        (void)close(s->quiet_fd);
    server_free(s);
}

unsigned http_server_port(const struct http_server *s)
{
    return s->port;
}

const struct http_counters *http_counters_of(const struct http_server *s)
{
    return &s->counters;
}

struct gate_stats http_gate_stats(struct http_server *s)
{
    return s->gate != NULL ? gate_stats_of(s->gate) : (struct gate_stats){0};
}
