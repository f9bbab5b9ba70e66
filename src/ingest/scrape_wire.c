/* scrape_wire.c -- see scrape_wire.h. */
#include "ingest/scrape_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/assert.h"

/* ---- The request ---- */

static const char SCHEME[] = "http://";

bool wire_fits(const struct http_client *c, const char *url, const char *unix_socket)
{
    return unix_socket[0] == '\0' && strncmp(url, SCHEME, sizeof(SCHEME) - 1) == 0 &&
           http_client_is_plain(c);
}

/* Host and port of the URL as they stand there, and the rest; false: it needs a closer look. */
static bool split_url(const char *url, str *host, str *path)
{
    const char *at = url + sizeof(SCHEME) - 1;
    size_t n = strcspn(at, "/?#");
    *host = (str){at, n};
    *path = (str){at + n, strcspn(at + n, "#")};
    for (const char *p = at; *p != '\0'; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return false;
    return n > 0 && memchr(at, '@', n) == NULL && memchr(at, '%', n) == NULL;
}

static bool put_request(struct buf *out, const struct http_client *c, const char *url,
                        struct pairs headers)
{
    str host, path;
    buf_reset(out);
    if (!split_url(url, &host, &path))
        return false;
    buf_put_str(out, STR("GET "));
    if (path.len == 0 || path.ptr[0] != '/')
        buf_put_u8(out, '/');
    buf_put_str(out, path);
    buf_put_str(out, STR(" HTTP/1.1\r\nHost: "));
    buf_put_str(out, host);
    buf_put_str(out, STR("\r\nUser-Agent: "));
    buf_put_str(out, http_client_user_agent(c));
    for (size_t i = 0; i < headers.count; i++) {
        buf_put_str(out, STR("\r\n"));
        buf_put_str(out, headers.items[i].name);
        buf_put_str(out, STR(": "));
        buf_put_str(out, headers.items[i].value);
    }
    buf_put_str(out, STR("\r\n\r\n"));
    return true;
}

/* All of it at once: it is smaller than any socket's buffer. */
static bool send_request(struct wire *w)
{
    ssize_t n = send(w->fd, w->request.ptr, w->request.len, MSG_NOSIGNAL);
    return n >= 0 && (size_t)n == w->request.len;
}

/* ---- The connection ---- */

void wire_learn(struct wire *w, const char *ip, unsigned port, const char *url)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&w->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&w->address;
    str host, path;
    if (w->open || port > UINT16_MAX || !split_url(url, &host, &path))
        return;
    w->address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        w->address_size = sizeof(*v4);
    } else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        w->address_size = sizeof(*v6);
    } else {
        return;
    }
    w->known = true;
    size_t n = strlen(ip);
    w->literal = host.ptr[0] == '[' ||
                 (str_starts(host, str_from(ip)) && (host.len == n || host.ptr[n] == ':'));
}

void wire_close(struct wire *w)
{
    if (w->open)
        (void)close(w->fd); /* which ends its events, too */
    w->open = w->connecting = false;
    w->known = w->known && w->literal;
    w->user = NULL;
}

void wire_fini(struct wire *w)
{
    wire_close(w);
    http_answer_fini(&w->answer);
    buf_fini(&w->request);
}

static bool watch(struct wire *w, int epoll_fd, int what, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = w->event};
    return epoll_ctl(epoll_fd, what, w->fd, &ev) == 0;
}

static bool begin_connection(struct wire *w, int epoll_fd)
{
    int one = 1;
    w->fd = socket(w->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return false;
    w->open = w->connecting = true;
    (void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (!watch(w, epoll_fd, EPOLL_CTL_ADD, EPOLLOUT))
        return false;
    int r = connect(w->fd, (const struct sockaddr *)&w->address, w->address_size);
    return r == 0 || errno == EINPROGRESS;
}

bool wire_begin(struct wire *w, const struct http_client *c, const char *url, struct pairs headers,
                int epoll_fd, uint64_t event, void *user)
{
    ASSERT(w->user == NULL);
    w->event = event;
    if (w->unfit || (!w->open && !w->known))
        return false;
    bool begun = put_request(&w->request, c, url, headers) &&
                 (w->open ? send_request(w) : begin_connection(w, epoll_fd));
    if (!begun) {
        wire_close(w);
        return false;
    }
    http_answer_begin(&w->answer);
    w->user = user;
    return true;
}

/* The connection stands, or does not. */
static enum wire_state connected(struct wire *w, int epoll_fd)
{
    int error = 0;
    socklen_t size = sizeof(error);
    w->connecting = false;
    bool good = getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0 &&
                watch(w, epoll_fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP) && send_request(w);
    return good ? WIRE_WAITS : WIRE_LOST;
}

/* ---- The answer ---- */

static enum wire_state at_end(const struct wire *w)
{
    if (!http_answer_has_head(&w->answer))
        return WIRE_LOST;
    return http_answer_ends(&w->answer) ? WIRE_DONE : WIRE_CUT;
}

static enum wire_state take(struct wire *w, slice piece, const struct http_answer_sink *sink)
{
    switch (http_answer_take(&w->answer, piece, sink)) {
    case HTTP_ANSWER_DONE:
        return WIRE_DONE;
    case HTTP_ANSWER_STOPPED:
        return WIRE_STOPPED;
    case HTTP_ANSWER_BROKEN:
        w->unfit = !http_answer_has_head(&w->answer);
        return w->unfit ? WIRE_LOST : WIRE_BROKEN;
    default:
        return WIRE_WAITS;
    }
}

static enum wire_state receive(struct wire *w, const struct http_answer_sink *sink, uint8_t *piece)
{
    for (;;) {
        ssize_t n = recv(w->fd, piece, WIRE_PIECE_BYTES, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return WIRE_WAITS; /* epoll tells again */
        if (n <= 0)
            return at_end(w);
        enum wire_state s = take(w, (slice){piece, (size_t)n}, sink);
        if (s != WIRE_WAITS || n < WIRE_PIECE_BYTES)
            return s;
    }
}

enum wire_state wire_step(struct wire *w, int epoll_fd, const struct http_answer_sink *sink,
                          uint8_t *piece)
{
    enum wire_state s = w->connecting ? connected(w, epoll_fd) : receive(w, sink, piece);
    if (s == WIRE_WAITS)
        return s;
    w->known = w->known && s != WIRE_LOST;
    if (s != WIRE_DONE || !w->answer.keeps)
        wire_close(w);
    w->user = NULL;
    return s;
}

int wire_status(const struct wire *w)
{
    return w->answer.status;
}
