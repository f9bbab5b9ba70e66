/* server.c -- see server.h. A request goes through: headers -> body -> dispatch -> (suspended) ->
 * answer. libmicrohttpd calls handle() for every step on the connection's epoll thread. */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/gzip.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/params.h"

enum {
    WATCH_PERIOD_MS = 100, /* how often suspended connections are checked for a client that left */
    WATCH_MAX = 4096,      /* connections checked each time */
    GZIP_BYTES_MIN = 1024, /* smaller answers are sent as they are */
    BODY_FIRST_BYTES_MAX = 1 << 20, /* reserved on a Content-Length's word alone */
};

enum phase { PHASE_BODY, PHASE_WORKING, PHASE_ANSWERED };

struct answer_header {
    const char *name;
    char value[256];
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    const struct http_route *route;
    char *path;
    unsigned method;
    enum phase phase;
    bool head_only, deferred, too_large, refused_busy, bad_path, bad_params;
    atomic_bool canceled;
    struct buf body, out;
    struct params params;
    size_t body_charged;
    unsigned status;
    const char *content_type;
    struct answer_header headers[HTTP_ANSWER_HEADERS_MAX];
    unsigned header_count;
    uint64_t start_mono_ns;
    void *state;
    bool (*next)(void *state, struct buf *out);
    void (*close)(void *state);
    void *stream_state;
    bool stream_more; /* next() has more to give */
    struct gzip_stream *gzip;
    struct buf wire; /* encoded bytes not yet taken */
    size_t wire_pos;
    struct http_request *watch_prev, *watch_next;
    bool watched;
};

struct http_server {
    struct http_options options;
    char listen_address[256];
    struct MHD_Daemon *daemon;
    struct pool *pool;
    struct http_counters counters;
    unsigned port;
    atomic_bool stopping;
    struct mutex lock; /* guards the list of suspended requests; rank: leaf */
    struct http_request *suspended;
    pthread_t watcher;
    bool watching;
};

/* ---- Request ---- */

void *http_user(const struct http_request *r)
{
    return r->server->options.user;
}

str http_path(const struct http_request *r)
{
    return str_from(r->path);
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

static void stream_close(struct http_request *r)
{
    if (r->close != NULL)
        r->close(r->stream_state);
    r->close = NULL;
    r->next = NULL;
    r->stream_more = false;
}

/* ---- Suspended connections ---- */

/* MHD does not look at the socket of a suspended connection, so the watcher does. */
static void watch_add(struct http_request *r)
{
    struct http_server *s = r->server;
    mutex_lock(&s->lock);
    r->watched = true;
    r->watch_prev = NULL;
    r->watch_next = s->suspended;
    if (s->suspended != NULL)
        s->suspended->watch_prev = r;
    s->suspended = r;
    mutex_unlock(&s->lock);
}

static void watch_remove(struct http_request *r)
{
    struct http_server *s = r->server;
    mutex_lock(&s->lock);
    if (r->watched) {
        if (r->watch_prev != NULL)
            r->watch_prev->watch_next = r->watch_next;
        else
            s->suspended = r->watch_next;
        if (r->watch_next != NULL)
            r->watch_next->watch_prev = r->watch_prev;
        r->watched = false;
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
    static struct pollfd fds[WATCH_MAX];
    static struct http_request *requests[WATCH_MAX];
    nfds_t n = 0;
    bool stopping = atomic_load_explicit(&s->stopping, memory_order_relaxed);
    mutex_lock(&s->lock);
    for (struct http_request *r = s->suspended; r != NULL && n < WATCH_MAX; r = r->watch_next) {
        if (stopping)
            atomic_store_explicit(&r->canceled, true, memory_order_relaxed);
        fds[n] = (struct pollfd){.fd = socket_of(r), .events = POLLRDHUP};
        requests[n++] = r;
    }
    if (n > 0 && poll(fds, n, 0) > 0)
        for (nfds_t i = 0; i < n; i++)
            if ((fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
                atomic_store_explicit(&requests[i]->canceled, true, memory_order_relaxed);
    mutex_unlock(&s->lock);
}

static void *watcher_main(void *arg)
{
    struct http_server *s = arg;
    while (s->watching) {
        clock_sleep_ns(UINT64_C(1000000) * WATCH_PERIOD_MS);
        watch_once(s);
    }
    return NULL;
}

static void suspend(struct http_request *r)
{
    r->phase = PHASE_WORKING;
    watch_add(r);
    MHD_suspend_connection(r->connection);
}

void http_defer(struct http_request *r)
{
    r->deferred = true;
    suspend(r);
}

void http_resume(struct http_request *r)
{
    watch_remove(r);
    MHD_resume_connection(r->connection);
}

static void run_on_worker(void *arg)
{
    struct http_request *r = arg;
    r->route->run(r);
    http_resume(r);
}

/* ---- Sending ---- */

/* Encode what is in `out` into `wire`; with `last`, finish the encoding. */
static void encode(struct http_request *r, bool last)
{
    if (r->gzip != NULL) {
        gzip_stream_put(r->gzip, buf_slice(&r->out), last, &r->wire);
        buf_reset(&r->out);
    } else {
        struct buf b = r->wire;
        r->wire = r->out;
        r->out = b;
        buf_reset(&r->out);
    }
}

static ssize_t send_piece(void *cls, uint64_t pos, char *to, size_t max)
{
    struct http_request *r = cls;
    (void)pos;
    while (r->wire_pos == r->wire.len) {
        if (!r->stream_more)
            return MHD_CONTENT_READER_END_OF_STREAM;
        buf_reset(&r->wire);
        r->wire_pos = 0;
        while (r->stream_more && r->out.len < HTTP_PIECE_BYTES)
            r->stream_more = r->next(r->stream_state, &r->out);
        encode(r, !r->stream_more);
    }
    size_t n = MIN(max, r->wire.len - r->wire_pos);
    memcpy(to, r->wire.ptr + r->wire_pos, n);
    r->wire_pos += n;
    return (ssize_t)n;
}

static bool wants_gzip(struct http_request *r)
{
    str accept = http_header(r, "Accept-Encoding");
    return params_header_accepts(accept, STR("gzip"));
}

static void common_headers(struct http_request *r, struct MHD_Response *response)
{
    str origin = http_header(r, "Origin");
    (void)MHD_add_response_header(response, "Content-Type",
                                  r->content_type != NULL ? r->content_type : "text/plain");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Vary", "Origin, Accept-Encoding");
    if (origin.len > 0) {
        (void)MHD_add_response_header(response, "Access-Control-Allow-Headers",
                                      "Accept, Authorization, Content-Type, Origin");
        (void)MHD_add_response_header(response, "Access-Control-Allow-Methods",
                                      "GET, POST, OPTIONS");
        (void)MHD_add_response_header(response, "Access-Control-Allow-Origin", "*");
        (void)MHD_add_response_header(response, "Access-Control-Expose-Headers", "Date");
    }
    for (unsigned i = 0; i < r->header_count; i++)
        (void)MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
}

static enum MHD_Result send_answer(struct http_request *r)
{
    struct MHD_Response *response;
    bool whole = !r->stream_more;
    r->phase = PHASE_ANSWERED;
    if (r->status == 0)
        http_text(r, 500, "internal error: no answer\n");
    bool zip = r->status != 204 && !r->head_only && (!whole || r->out.len >= GZIP_BYTES_MIN) &&
               wants_gzip(r);
    if (zip)
        r->gzip = gzip_stream_open();
    encode(r, whole);
    if (whole) {
        stream_close(r);
        response =
            MHD_create_response_from_buffer(r->wire.len, r->wire.ptr, MHD_RESPMEM_PERSISTENT);
    } else {
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_PIECE_BYTES, send_piece,
                                                     r, NULL);
    }
    if (response == NULL)
        return MHD_NO;
    common_headers(r, response);
    if (zip)
        (void)MHD_add_response_header(response, "Content-Encoding", "gzip");
    unsigned class = r->status / 100;
    (void)atomic_fetch_add_explicit(&r->server->counters.by_class[class < 6 ? class : 5], 1,
                                    memory_order_relaxed);
    enum MHD_Result result = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- Dispatch ---- */

static bool path_matches(const char *pattern, const char *path)
{
    size_t n = strlen(pattern);
    if (n > 0 && pattern[n - 1] == '*')
        return strncmp(pattern, path, n - 1) == 0;
    return strcmp(pattern, path) == 0;
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
    for (size_t i = 0; i < s->options.route_count; i++)
        if (path_matches(s->options.routes[i].path, path))
            return &s->options.routes[i];
    return NULL;
}

static void answer_wrong_method(struct http_request *r)
{
    struct buf allow = {0};
    unsigned m = r->route->methods;
    buf_printf(&allow, "%s%s%s%s", (m & HTTP_DELETE) != 0 ? "DELETE, " : "",
               (m & HTTP_GET) != 0 ? "GET, " : "", (m & HTTP_POST) != 0 ? "POST, " : "",
               (m & HTTP_PUT) != 0 ? "PUT, " : "");
    if (allow.len >= 2)
        allow.len -= 2;
    http_text(r, 405, "Method Not Allowed\n");
    http_answer_header(r, "Allow", buf_str(&allow));
    buf_fini(&allow);
}

/* Refusals that need no handler; true when the request has its answer. */
static bool answer_early(struct http_request *r)
{
    const struct http_server *s = r->server;
    if (r->refused_busy) {
        http_text(r, 503, "too many request bodies in flight, try again later\n");
        http_answer_header(r, "Retry-After", STR("1"));
    } else if (r->bad_path) {
        http_text(r, 400, "bad path\n");
    } else if (r->bad_params) {
        http_text(r, 400, "malformed or too many URL parameters\n");
    } else if (r->too_large) {
        http_text(r, 413, "request body too large\n");
    } else if (r->method == HTTP_OPTIONS) {
        http_answer(r, 204, "text/plain");
    } else if (r->route == NULL) {
        if (s->options.not_found != NULL)
            s->options.not_found(r);
        else
            http_text(r, 404, "404 page not found\n");
    } else if ((r->route->methods & r->method) == 0) {
        answer_wrong_method(r);
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

static enum MHD_Result dispatch(struct http_request *r)
{
    if (answer_early(r))
        return send_answer(r);
    if (!params_add_form(&r->params, http_header(r, "Content-Type"), buf_slice(&r->body))) {
        http_text(r, 400, "malformed or too many form parameters\n");
        return send_answer(r);
    }
    if (!r->route->on_pool) {
        r->route->run(r);
        return r->deferred ? MHD_YES : send_answer(r);
    }
    suspend(r);
    if (pool_submit(r->server->pool, run_on_worker, r) != OK) {
        (void)atomic_fetch_add_explicit(&r->server->counters.rejected_busy, 1,
                                        memory_order_relaxed);
        http_text(r, 503, "too many requests waiting, try again later\n");
        http_answer_header(r, "Retry-After", STR("1"));
        http_resume(r);
    }
    return MHD_YES;
}

/* ---- Body ---- */

static bool charge_body(struct http_request *r, size_t bytes)
{
    _Atomic uint64_t *total = &r->server->counters.bodies_bytes;
    uint64_t before = atomic_fetch_add_explicit(total, bytes, memory_order_relaxed);
    r->body_charged += bytes;
    return before + bytes <= r->server->options.bodies_bytes_max;
}

static void take_body(struct http_request *r, const char *data, size_t size)
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

/* A request begins with its URI as it was sent. The library hands out what it decoded as C strings,
 * in which the rest of what follows a %00 would be lost: paths with one are refused, and parameters
 * are decoded here. */
static void *request_open(void *cls, const char *uri, struct MHD_Connection *c)
{
    struct http_request *r = mem_zalloc(1, sizeof(*r));
    const char *nul = strstr(uri, "%00"), *args = strchr(uri, '?');
    r->server = cls;
    r->connection = c;
    r->bad_path = nul != NULL && (args == NULL || nul < args);
    r->bad_params = args != NULL && !params_add_url(&r->params, str_from(args + 1));
    r->start_mono_ns = clock_mono_ns();
    return r;
}

/* Its headers are there. */
static void request_route(struct http_request *r, const char *url, const char *method)
{
    size_t n = strlen(url) + 1;
    r->path = memcpy(mem_alloc(n), url, n);
    r->method = method_of(method, &r->head_only);
    r->route = find_route(r->server, url);
    (void)atomic_fetch_add_explicit(&r->server->counters.requests, 1, memory_order_relaxed);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **state)
{
    (void)cls;
    (void)c;
    (void)version;
    struct http_request *r = *state;
    if (r->path == NULL) {
        request_route(r, url, method);
        return MHD_YES;
    }
    if (r->phase == PHASE_BODY && *size > 0) {
        take_body(r, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (r->phase == PHASE_BODY)
        return dispatch(r);
    if (r->phase == PHASE_WORKING) {
        if (r->deferred) {
            r->deferred = false;
            r->route->finish(r);
            if (r->deferred)
                return MHD_YES;
        }
        return send_answer(r);
    }
    return MHD_YES;
}

static void completed(void *cls, struct MHD_Connection *c, void **state,
                      enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)c;
    (void)code;
    struct http_request *r = *state;
    if (r == NULL)
        return;
    stream_close(r);
    gzip_stream_close(r->gzip);
    (void)atomic_fetch_sub_explicit(&r->server->counters.bodies_bytes, r->body_charged,
                                    memory_order_relaxed);
    params_fini(&r->params);
    buf_fini(&r->body);
    buf_fini(&r->out);
    buf_fini(&r->wire);
    mem_free(r->path);
    mem_free(r);
    *state = NULL;
}

static void connection_changed(void *cls, struct MHD_Connection *c, void **state,
                               enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = cls;
    (void)c;
    (void)state;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        (void)atomic_fetch_add_explicit(&s->counters.connections, 1, memory_order_relaxed);
    else
        (void)atomic_fetch_sub_explicit(&s->counters.connections, 1, memory_order_relaxed);
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

static err listen_on(const char *address, int *out, unsigned *port, struct diag *d)
{
    char host[256] = "";
    const char *colon = strrchr(address, ':');
    if (colon == NULL || strlen(address) >= sizeof(host) || colon[1] == '\0')
        return diag_set(d, ERR_INVALID, "listen address \"%s\" is not host:port", address);
    size_t n = (size_t)(colon - address);
    bool brackets = n >= 2 && address[0] == '[' && address[n - 1] == ']';
    memcpy(host, address + (brackets ? 1 : 0), n - (brackets ? 2 : 0));
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &hints, &found);
    if (rc != 0)
        return diag_set(d, ERR_INVALID, "listen address \"%s\": %s", address, gai_strerror(rc));
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1024) == 0;
    int failed = errno;
    freeaddrinfo(found);
    if (!ok) {
        char text[128] = "";
        if (fd >= 0)
            (void)close(fd);
        return diag_set(d, ERR_IO, "listen on %s: %s", address,
                        strerror_r(failed, text, sizeof(text)));
    }
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) /* both families keep it there */
        *port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
    *out = fd;
    return OK;
}

err http_server_open(const struct http_options *o, struct http_server **out, struct diag *d)
{
    struct http_server *s = mem_zalloc(1, sizeof(*s));
    int fd = -1;
    s->options = *o;
    mutex_init(&s->lock);
    (void)snprintf(s->listen_address, sizeof(s->listen_address), STR_FMT,
                   STR_ARG(o->listen_address));
    err e = listen_on(s->listen_address, &fd, &s->port, d);
    if (e == OK)
        e = pool_open("query", o->workers, o->queue_max, &s->pool);
    if (e == OK) {
        s->daemon = MHD_start_daemon(
            MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
            NULL, handle, s, MHD_OPTION_EXTERNAL_LOGGER, log_from_mhd, NULL,
            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, o->threads,
            MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_CONNECTION_TIMEOUT, 300u,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEADER_BYTES_MAX,
            MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)16384, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_NOTIFY_COMPLETED, completed, s, MHD_OPTION_NOTIFY_CONNECTION,
            connection_changed, s, MHD_OPTION_URI_LOG_CALLBACK, request_open, s, MHD_OPTION_END);
        if (s->daemon == NULL)
            e = diag_set(d, ERR_IO, "the HTTP server did not start on %s", s->listen_address);
    }
    s->watching = true;
    if (e == OK)
        e = thread_start(&s->watcher, "http-watch", watcher_main, s);
    if (e != OK) {
        s->watching = false;
        if (s->daemon != NULL)
            MHD_stop_daemon(s->daemon);
        if (s->pool != NULL)
            pool_close(s->pool);
        mutex_fini(&s->lock);
        mem_free(s);
        return e;
    }
    *out = s;
    return OK;
}

void http_server_close(struct http_server *s, int64_t drain_ms)
{
    if (s == NULL)
        return;
    uint64_t deadline = clock_mono_ns() + (uint64_t)drain_ms * 1000000;
    int fd = MHD_quiesce_daemon(s->daemon);
    for (;;) { /* wait for suspended requests: MHD must not be stopped under them */
        mutex_lock(&s->lock);
        bool idle = s->suspended == NULL;
        mutex_unlock(&s->lock);
        if (idle)
            break;
        if (clock_mono_ns() > deadline)
            atomic_store_explicit(&s->stopping, true, memory_order_relaxed);
        clock_sleep_ns(2000000);
    }
    atomic_store_explicit(&s->stopping, true, memory_order_relaxed);
    s->watching = false;
    thread_join(s->watcher);
    pool_close(s->pool);
    clock_sleep_ns(20000000); /* resumed connections get their answers out */
    MHD_stop_daemon(s->daemon);
    if (fd >= 0)
        (void)close(fd);
    mutex_fini(&s->lock);
    mem_free(s);
}

unsigned http_server_port(const struct http_server *s)
{
    return s->port;
}

const struct http_counters *http_counters_of(const struct http_server *s)
{
    return &s->counters;
}
