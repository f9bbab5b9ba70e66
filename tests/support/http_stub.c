/* http_stub.c -- see http_stub.h. */
#include "support/http_stub.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

struct http_stub {
    int listener;
    unsigned port;
    pthread_t thread;
    void (*answer)(void *arg, str request, struct buf *reply);
    void *arg;
    struct mutex lock; /* guards count and requests; rank: leaf */
    unsigned count;
    struct buf requests[STUB_REQUESTS_MAX];
};

static size_t body_size(const char *head)
{
    const char *p = strcasestr(head, "content-length:");
    return p != NULL ? (size_t)strtoul(p + 15, NULL, 10) : 0;
}

/* The whole of one request; false when the other side gave up. */
static bool read_request(int fd, struct buf *out)
{
    for (;;) {
        const char *text = buf_cstr(out), *end = strstr(text, "\r\n\r\n");
        if (end != NULL && out->len >= (size_t)(end - text) + 4 + body_size(text))
            return true;
        uint8_t *p = buf_reserve(out, 4096);
        ssize_t n = read(fd, p, 4095);
        if (n <= 0)
            return false;
        out->len += (size_t)n;
    }
}

static void serve(struct http_stub *s, int fd)
{
    struct buf request = {0}, reply = {0};
    if (read_request(fd, &request)) {
        mutex_lock(&s->lock);
        if (s->count < STUB_REQUESTS_MAX)
            buf_put_str(&s->requests[s->count], buf_str(&request));
        s->count++;
        mutex_unlock(&s->lock);
        s->answer(s->arg, buf_str(&request), &reply);
        for (size_t sent = 0; sent < reply.len;) {
            ssize_t n = send(fd, reply.ptr + sent, reply.len - sent, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            sent += (size_t)n;
        }
    }
    buf_fini(&request);
    buf_fini(&reply);
    (void)close(fd);
}

static void *run(void *arg)
{
    struct http_stub *s = arg;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        serve(s, fd);
    }
}

struct http_stub *http_stub_open(void (*answer)(void *arg, str request, struct buf *reply),
                                 void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    struct http_stub *s = mem_zalloc(1, sizeof(*s));
    s->answer = answer;
    s->arg = arg;
    mutex_init(&s->lock);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, size) != 0 ||
        listen(s->listener, 16) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&a, &size) != 0 ||
        thread_start(&s->thread, "stub", run, s) != OK)
        abort();
    s->port = ntohs(a.sin_port);
    return s;
}

void http_stub_close(struct http_stub *s)
{
    (void)shutdown(s->listener, SHUT_RDWR);
    thread_join(s->thread);
    (void)close(s->listener);
    for (unsigned i = 0; i < STUB_REQUESTS_MAX; i++)
        buf_fini(&s->requests[i]);
    mutex_fini(&s->lock);
    mem_free(s);
}

unsigned http_stub_port(const struct http_stub *s)
{
    return s->port;
}

unsigned http_stub_count(struct http_stub *s)
{
    mutex_lock(&s->lock);
    unsigned count = s->count;
    mutex_unlock(&s->lock);
    return count;
}

const char *http_stub_request(struct http_stub *s, unsigned i)
{
    mutex_lock(&s->lock);
    const char *text = i < s->count && i < STUB_REQUESTS_MAX ? buf_cstr(&s->requests[i]) : "";
    mutex_unlock(&s->lock);
    return text;
}

void http_stub_reply(struct buf *out, const char *status, const char *headers, const char *body)
{
    buf_printf(out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s", status,
               strlen(body), headers, body);
}
