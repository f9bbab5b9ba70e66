#include "ingest/scrape_transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { EVENTS_MAX = 128, OWN_EVENT = TRANSFER_SHARDS };
static const uint64_t WIRE_EVENT = UINT64_C(1) << 63; /* the rest is the address of the wire */

/* libcurl looks at every connection it keeps, and at every address it knows, again and again. So
 * there are many handles with few of both. */
struct shard {
    CURLM *multi; /* NULL: not needed yet */
    struct transfers *owner;
    uint64_t due_mono_ns; /* 0: it waits for nothing but sockets */
};

struct transfers {
    struct shard shards[TRANSFER_SHARDS];
    unsigned connections_kept; /* of each */
    int epoll_fd, wake_fd;
    uint64_t
        wires_due_mono_ns;   /* no request on a wire ends in time before this; 0: there is none */
    uint8_t *piece;          /* scratch of wires */
    struct transfer *active; /* list */
    struct transfer *failed; /* could not be started; singly linked by `next` */
    size_t active_count;
    size_t bodies_bytes; /* of active ones */
    CURL *idle[TRANSFER_IDLE_HANDLES_MAX];
    size_t idle_count;
};

/* ---- What curl waits for ---- */

/* An event says which shard it is for, and which socket. */
static uint64_t event_of(size_t shard, int fd)
{
    return (uint64_t)shard << 32 | (uint32_t)fd;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    (void)easy;
    struct shard *h = user;
    int epoll = h->owner->epoll_fd;
    struct epoll_event ev = {.data.u64 = event_of((size_t)(h - h->owner->shards), fd)};
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    ev.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(epoll, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) != 0)
        (void)epoll_ctl(epoll, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
    (void)curl_multi_assign(h->multi, fd, h);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    struct shard *h = user;
    h->due_mono_ns = timeout_ms < 0 ? 0 : clock_mono_ns() + (uint64_t)timeout_ms * 1000000 + 1;
    return 0;
}

static err watch(struct transfers *t, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = event_of(OWN_EVENT, fd)};
    return fd >= 0 && epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ? OK : ERR_IO;
}

/* The handle of a shard, made when it is needed first. NULL: no memory. */
static CURLM *multi_of(struct transfers *t, struct shard *h)
{
    if (h->multi != NULL)
        return h->multi;
    h->multi = curl_multi_init();
    if (h->multi == NULL)
        return NULL;
    h->owner = t;
    (void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    (void)curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    (void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)t->connections_kept);
    return h->multi;
}

err transfers_open(unsigned connections_kept, struct transfers **out, struct diag *d)
{
    struct transfers *t = mem_zalloc(1, sizeof(*t));
    http_library_init();
    t->connections_kept = connections_kept / TRANSFER_SHARDS;
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    t->piece = mem_zalloc(1, WIRE_PIECE_BYTES);
    if (t->epoll_fd < 0 || watch(t, t->wake_fd) != OK) {
        transfers_close(t);
        return diag_set(d, ERR_IO, "scraping: cannot open epoll or an eventfd");
    }
    *out = t;
    return OK;
}

/* ---- Answers ---- */

/* False ends the transfer. */
static bool take_body(struct transfer *x, const void *data, size_t n)
{
    uint64_t max = x->body_bytes_max > 0 ? x->body_bytes_max : TRANSFER_BODY_BYTES_MAX;
    x->too_large = x->body->len + n >= MIN(max, (uint64_t)TRANSFER_BODY_BYTES_MAX);
    x->no_memory = x->owner->bodies_bytes + n > TRANSFER_BODIES_BYTES_MAX;
    if (x->too_large || x->no_memory)
        return false;
    buf_put(x->body, data, n);
    x->owner->bodies_bytes += n;
    return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    return take_body(user, data, size * count) ? size * count : 0;
}

/* `line` up to its end of line, trimmed, as a C string. */
static void copy_line(char *out, size_t size, str line)
{
    while (line.len > 0 && strchr(" \t\r\n", line.ptr[line.len - 1]) != NULL)
        line.len--;
    while (line.len > 0 && line.ptr[0] == ' ')
        line = (str){line.ptr + 1, line.len - 1};
    size_t n = MIN(line.len, size - 1);
    memcpy(out, line.ptr, n);
    out[n] = '\0';
}

/* The value of the header `name` (with its colon), if `line` is that. */
static bool is_header(str line, const char *name, str *value)
{
    size_t n = strlen(name);
    if (line.len < n || strncasecmp(line.ptr, name, n) != 0)
        return false;
    *value = (str){line.ptr + n, line.len - n};
    return true;
}

/* Headers of the last answer stay: each begins with a status line. */
static void take_header(struct transfer *x, str line)
{
    str value;
    char encoding[16];
    if (str_starts(line, STR("HTTP/"))) {
        const char *blank = memchr(line.ptr, ' ', line.len);
        size_t used = blank != NULL ? (size_t)(blank - line.ptr) : line.len;
        copy_line(x->status_text, sizeof(x->status_text), (str){line.ptr + used, line.len - used});
        x->content_type[0] = '\0';
        x->gzipped = x->has_head = false;
        x->owner->bodies_bytes -= x->body->len;
        buf_reset(x->body);
    } else if (line.len > 0 && (line.ptr[0] == '\r' || line.ptr[0] == '\n')) {
        x->has_head = true;
    } else if (x->content_type[0] == '\0' && is_header(line, "content-type:", &value)) {
        copy_line(x->content_type, sizeof(x->content_type), value); /* the first counts, as in Go */
    } else if (is_header(line, "content-encoding:", &value)) {
        copy_line(encoding, sizeof(encoding), value);
        x->gzipped |= strcmp(encoding, "gzip") == 0;
    }
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    take_header(user, (str){data, size * count});
    return size * count;
}

/* "Get "URL": " and the reason, as Go has it. */
static void say(struct transfer *x, const char *reason)
{
    (void)snprintf(x->error, sizeof(x->error), "Get \"%s\": %s", x->url, reason);
}

static const char *system_reason(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return "connection refused";
    case EHOSTUNREACH:
        return "no route to host";
    case ENETUNREACH:
        return "network is unreachable";
    case ECONNRESET:
        return "connection reset by peer";
    case EACCES:
        return "permission denied";
    case ENOENT:
        return "no such file or directory";
    default:
        return NULL;
    }
}

/* "host:port" of the URL, with the port that goes without saying. */
static void address_of(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    size_t n = strcspn(host, "/?#");
    const char *bracket = memchr(host, ']', n);
    const char *after = bracket != NULL ? bracket : host;
    bool port = memchr(after, ':', n - (size_t)(after - host)) != NULL;
    (void)snprintf(out, size, "%.*s%s", (int)n, host,
                   port                               ? ""
                   : strncmp(url, "https://", 8) == 0 ? ":443"
                                                      : ":80");
}

static void say_not_connected(struct transfer *x)
{
    long code = 0;
    char address[300], text[1024];
    (void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &code);
    const char *reason = system_reason((int)code);
    if (reason == NULL)
        reason = x->curl_error[0] != '\0' ? x->curl_error : "connection failed";
    if (x->unix_socket[0] != '\0') {
        (void)snprintf(text, sizeof(text), "dial unix %s: connect: %s", x->unix_socket, reason);
    } else {
        address_of(x->url, address, sizeof(address));
        (void)snprintf(text, sizeof(text), "dial tcp %s: connect: %s", address, reason);
    }
    say(x, text);
}

static void say_why(struct transfer *x, CURLcode code)
{
    char text[512];
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        say(x, "context deadline exceeded");
        return;
    case CURLE_COULDNT_CONNECT:
        say_not_connected(x);
        return;
    case CURLE_COULDNT_RESOLVE_HOST:
        (void)snprintf(text, sizeof(text), "dial tcp: lookup: no such host (%s)", x->curl_error);
        say(x, text);
        return;
    case CURLE_GOT_NOTHING:
        say(x, "EOF");
        return;
    case CURLE_PARTIAL_FILE:
        (void)snprintf(x->error, sizeof(x->error), "unexpected EOF");
        return;
    default:
        say(x, x->curl_error[0] != '\0' ? x->curl_error : curl_easy_strerror(code));
    }
}

static void say_status(struct transfer *x, int status)
{
    if (strchr(x->status_text, ' ') == NULL) { /* HTTP/2 has no reason */
        struct buf b = {0};
        http_status_text(status, &b);
        (void)snprintf(x->error, sizeof(x->error), "server returned HTTP status %s", buf_cstr(&b));
        buf_fini(&b);
    } else {
        (void)snprintf(x->error, sizeof(x->error), "server returned HTTP status %s",
                       x->status_text);
    }
}

/* Decide what has become of it. */
static void judge(struct transfer *x, CURLcode code, int status)
{
    if (x->too_large)
        (void)snprintf(x->error, sizeof(x->error), "body size limit exceeded");
    else if (x->no_memory)
        (void)snprintf(x->error, sizeof(x->error),
                       "answers of all targets together exceed %d bytes",
                       TRANSFER_BODIES_BYTES_MAX);
    else if (code != CURLE_OK)
        say_why(x, code);
    else if (status != 200)
        say_status(x, status);
}

/* ---- Transfers ---- */

static struct shard *shard_of(struct transfers *t, const struct transfer *x)
{
    return &t->shards[x->shard % TRANSFER_SHARDS];
}

static void give_handle(struct transfers *t, CURL *easy)
{
    if (t->idle_count == TRANSFER_IDLE_HANDLES_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    t->idle[t->idle_count++] = easy;
}

static void unlink_transfer(struct transfers *t, struct transfer *x)
{
    if (x->prev != NULL)
        x->prev->next = x->next;
    else
        t->active = x->next;
    if (x->next != NULL)
        x->next->prev = x->prev;
    t->active_count--;
    t->bodies_bytes -= x->body->len;
}

static void release(struct transfers *t, struct transfer *x)
{
    unlink_transfer(t, x);
    if (x->easy != NULL)
        give_handle(t, x->easy);
    http_transfer_end(&x->http);
    x->easy = NULL;
}

static void set_options(struct transfer *x, long left_ms)
{
    CURL *easy = x->easy;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, x);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->curl_error);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left_ms);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, left_ms);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (x->unix_socket[0] != '\0')
        (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, x->unix_socket);
    if (x->wire != NULL && !x->wire->unfit) /* the next one will not be libcurl's */
        (void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
}

static void link_transfer(struct transfers *t, struct transfer *x)
{
    x->prev = NULL;
    x->next = t->active;
    if (t->active != NULL)
        t->active->prev = x;
    t->active = x;
    t->active_count++;
}

/* It is over before it was under way; it is in no list. */
static void fail(struct transfers *t, struct transfer *x)
{
    if (x->easy != NULL)
        give_handle(t, x->easy);
    x->easy = NULL;
    http_transfer_end(&x->http);
    x->next = t->failed;
    t->failed = x;
    transfers_wake(t);
}

/* Let libcurl make the request. */
static void begin_by_curl(struct transfers *t, struct transfer *x)
{
    struct diag d = {.text = ""};
    uint64_t now = clock_mono_ns();
    x->http = (struct http_transfer){.headers = NULL};
    if (now >= x->deadline_mono_ns) {
        say(x, "context deadline exceeded");
        fail(t, x);
        return;
    }
    x->easy = t->idle_count > 0 ? t->idle[--t->idle_count] : curl_easy_init();
    if (x->easy == NULL) {
        say(x, "no memory for the request");
        fail(t, x);
        return;
    }
    if (http_transfer_begin(x->client, x->easy, str_from(x->url), x->headers, x->timeout_ms,
                            &x->http, &d) != OK) {
        say(x, d.text);
        fail(t, x);
        return;
    }
    set_options(x, (long)((x->deadline_mono_ns - now + 999999) / 1000000));
    link_transfer(t, x);
    CURLM *multi = multi_of(t, shard_of(t, x));
    if (multi == NULL || curl_multi_add_handle(multi, x->easy) != CURLM_OK) {
        unlink_transfer(t, x);
        say(x, "the request cannot be started");
        fail(t, x);
    }
}

void transfers_begin(struct transfers *t, struct transfer *x)
{
    x->owner = t;
    x->error[0] = x->content_type[0] = x->status_text[0] = x->curl_error[0] = '\0';
    x->too_large = x->no_memory = x->gzipped = x->has_head = x->on_wire = false;
    x->http = (struct http_transfer){.headers = NULL};
    x->easy = NULL;
    x->deadline_mono_ns = clock_mono_ns() + (uint64_t)x->timeout_ms * 1000000;
    buf_reset(x->body);
    if (x->wire != NULL && !wire_fits(x->client, x->url, x->unix_socket)) {
        wire_close(x->wire);
        x->wire = NULL;
    }
    if (x->wire == NULL || !wire_begin(x->wire, x->client, x->url, x->headers, t->epoll_fd,
                                       WIRE_EVENT | (uintptr_t)x->wire, x)) {
        begin_by_curl(t, x);
        return;
    }
    x->on_wire = true;
    link_transfer(t, x);
    if (t->wires_due_mono_ns == 0 || x->deadline_mono_ns < t->wires_due_mono_ns)
        t->wires_due_mono_ns = x->deadline_mono_ns;
}

/* Does the answer lead to another place? Then the transfer goes on there. */
static bool follows(struct transfers *t, struct transfer *x)
{
    struct diag d = {.text = ""};
    bool again = false;
    uint64_t now = clock_mono_ns();
    if (http_transfer_redirect(x->client, x->easy, &x->http, &again, &d) != OK) {
        say(x, d.text);
        return false;
    }
    if (!again)
        return false;
    if (now >= x->deadline_mono_ns) {
        say(x, "context deadline exceeded");
        return false;
    }
    t->bodies_bytes -= x->body->len;
    buf_reset(x->body);
    (void)curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS,
                           (long)((x->deadline_mono_ns - now) / 1000000 + 1));
    return curl_multi_add_handle(shard_of(t, x)->multi, x->easy) == CURLM_OK;
}

/* Where libcurl had a page, the next request can do without it. */
static void learn(struct transfer *x)
{
    long port = 0, version = 0;
    const char *ip = NULL;
    if (x->wire == NULL || x->error[0] != '\0')
        return;
    (void)curl_easy_getinfo(x->easy, CURLINFO_HTTP_VERSION, &version);
    if (x->http.hops > 0 || version != CURL_HTTP_VERSION_1_1) {
        x->wire->unfit = true;
        return;
    }
    (void)curl_easy_getinfo(x->easy, CURLINFO_PRIMARY_PORT, &port);
    if (curl_easy_getinfo(x->easy, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK && ip != NULL && port > 0)
        wire_learn(x->wire, ip, (unsigned)port, x->url);
}

static void finish_some(struct transfers *t, struct shard *h)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &left)) != NULL;) {
        struct transfer *x = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
        (void)curl_multi_remove_handle(h->multi, x->easy);
        if (code == CURLE_OK && follows(t, x))
            continue;
        long status = 0;
        (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK && !x->has_head)
            code = CURLE_GOT_NOTHING; /* closed amid the headers, which libcurl takes for the end */
        if (x->error[0] == '\0')
            judge(x, code, (int)status);
        learn(x);
        release(t, x);
        x->done(x);
    }
}

/* ---- Over wires ---- */

static bool on_wire_line(void *user, str line)
{
    take_header(user, line);
    return true;
}

static bool on_wire_body(void *user, slice bytes)
{
    return take_body(user, bytes.ptr, bytes.len);
}

static bool leads_on(const struct transfer *x, int status)
{
    bool leads = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return leads && http_client_follows(x->client);
}

/* libcurl takes the transfer over from the start. */
static void go_on_by_curl(struct transfers *t, struct transfer *x)
{
    x->on_wire = x->too_large = x->no_memory = false;
    unlink_transfer(t, x);
    buf_reset(x->body);
    begin_by_curl(t, x);
}

static void finish_wire(struct transfers *t, struct transfer *x, enum wire_state s)
{
    int status = wire_status(x->wire);
    if (s == WIRE_DONE && leads_on(x, status)) {
        wire_close(x->wire);
        x->wire->unfit = true;
    }
    if (s == WIRE_LOST || x->wire->unfit) {
        go_on_by_curl(t, x);
        return;
    }
    if (s == WIRE_CUT)
        (void)snprintf(x->error, sizeof(x->error), "unexpected EOF");
    else if (s == WIRE_BROKEN)
        (void)snprintf(x->error, sizeof(x->error), "malformed chunked encoding");
    else
        judge(x, CURLE_OK, status);
    if (!x->keep_wire)
        wire_close(x->wire);
    release(t, x);
    x->done(x);
}

static void handle_wire(struct transfers *t, struct wire *w)
{
    struct transfer *x = w->user;
    const struct http_answer_sink sink = {x, on_wire_line, on_wire_body};
    if (!w->open)
        return; /* closed by an event before this one */
    if (x == NULL) {
        wire_close(w); /* by the other side, or it says something unasked */
        return;
    }
    enum wire_state s = wire_step(w, t->epoll_fd, &sink, t->piece);
    if (s != WIRE_WAITS)
        finish_wire(t, x, s);
}

/* End what has taken too long. */
static void handle_wires_due(struct transfers *t)
{
    uint64_t now = clock_mono_ns(), next = 0;
    if (t->wires_due_mono_ns == 0 || now < t->wires_due_mono_ns)
        return;
    for (struct transfer *x = t->active, *after; x != NULL; x = after) {
        after = x->next;
        if (!x->on_wire)
            continue;
        if (now >= x->deadline_mono_ns) {
            wire_close(x->wire);
            say(x, "context deadline exceeded");
            release(t, x);
            x->done(x);
        } else if (next == 0 || x->deadline_mono_ns < next) {
            next = x->deadline_mono_ns;
        }
    }
    t->wires_due_mono_ns = next;
}

/* ---- Waiting ---- */

static void handle_event(struct transfers *t, const struct epoll_event *ev)
{
    int fd = (int)(uint32_t)ev->data.u64, running;
    size_t shard = (size_t)(ev->data.u64 >> 32);
    uint64_t count;
    if ((ev->data.u64 & WIRE_EVENT) != 0) {
        handle_wire(t, (struct wire *)(uintptr_t)(ev->data.u64 & ~WIRE_EVENT));
        return;
    }
    if (shard == OWN_EVENT) {
        (void)!read(fd, &count, sizeof(count));
        return;
    }
    int mask = (ev->events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP) ? CURL_CSELECT_IN : 0) |
               (ev->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (ev->events & EPOLLERR ? CURL_CSELECT_ERR : 0);
    (void)curl_multi_socket_action(t->shards[shard].multi, fd, mask, &running);
    finish_some(t, &t->shards[shard]);
}

static void handle_timers(struct transfers *t)
{
    int running;
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < TRANSFER_SHARDS; i++) {
        struct shard *h = &t->shards[i];
        if (h->due_mono_ns == 0 || now < h->due_mono_ns)
            continue;
        h->due_mono_ns = 0;
        (void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        finish_some(t, h);
    }
}

/* When the next timer of any kind is due, at most `until_mono_ns`. */
static uint64_t next_timer(const struct transfers *t, uint64_t until_mono_ns)
{
    uint64_t at = until_mono_ns;
    if (t->wires_due_mono_ns != 0)
        at = MIN(at, t->wires_due_mono_ns);
    for (size_t i = 0; i < TRANSFER_SHARDS; i++)
        if (t->shards[i].due_mono_ns != 0)
            at = MIN(at, t->shards[i].due_mono_ns);
    return at;
}

/* Kernels before 5.11 have no epoll_pwait2(): they wait up to a millisecond longer. */
static int wait_for_events(int epoll_fd, struct epoll_event *events, uint64_t until_mono_ns)
{
    uint64_t now = clock_mono_ns(), left = until_mono_ns > now ? until_mono_ns - now : 0;
    struct timespec ts = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
    int n = epoll_pwait2(epoll_fd, events, EVENTS_MAX, &ts, NULL);
    if (n < 0 && errno == ENOSYS)
        n = epoll_wait(epoll_fd, events, EVENTS_MAX, (int)MIN(left / 1000000 + 1, 1000));
    return n;
}

void transfers_poll(struct transfers *t, uint64_t until_mono_ns)
{
    struct epoll_event events[EVENTS_MAX];
    int n = wait_for_events(t->epoll_fd, events, next_timer(t, until_mono_ns));
    for (int i = 0; i < n; i++)
        handle_event(t, &events[i]);
    handle_timers(t);
    handle_wires_due(t);
    while (t->failed != NULL) {
        struct transfer *x = t->failed;
        t->failed = x->next;
        x->done(x);
    }
}

void transfers_wake(struct transfers *t)
{
    uint64_t one = 1;
    (void)!write(t->wake_fd, &one, sizeof(one));
}

void transfer_prepare_client(struct http_client *c, int64_t timeout_ms)
{
    struct http_transfer t = {.headers = NULL};
    struct pairs none = {NULL, 0};
    struct diag d = {.text = ""};
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return;
    /* What goes wrong goes wrong again when the request is prepared, and is reported then. */
    if (http_transfer_begin(c, easy, STR("http://localhost/"), none, timeout_ms, &t, &d) != OK)
        log_debug("no token for scraping", LOG_CSTR("err", d.text));
    http_transfer_end(&t);
    curl_easy_cleanup(easy);
}

size_t transfers_active(const struct transfers *t)
{
    return t->active_count;
}

void transfers_close(struct transfers *t)
{
    if (t == NULL)
        return;
    while (t->active != NULL) {
        if (t->active->on_wire)
            wire_close(t->active->wire);
        else
            (void)curl_multi_remove_handle(shard_of(t, t->active)->multi, t->active->easy);
        release(t, t->active);
    }
    while (t->idle_count > 0)
        curl_easy_cleanup(t->idle[--t->idle_count]);
    for (size_t i = 0; i < TRANSFER_SHARDS; i++)
        if (t->shards[i].multi != NULL)
            (void)curl_multi_cleanup(t->shards[i].multi);
    const int fds[] = {t->epoll_fd, t->wake_fd};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    mem_free(t->piece);
    mem_free(t);
}
