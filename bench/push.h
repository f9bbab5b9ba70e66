/* push.h -- what load generators share: protobuf fields of remote write, and a blocking HTTP
 * connection that posts them. */
#ifndef BENCH_PUSH_H
#define BENCH_PUSH_H

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/number.h"

/* ---- Protobuf ---- */

static inline void push_tag(struct buf *b, unsigned field, unsigned type)
{
    buf_put_varint(b, field << 3 | type);
}

static inline void push_varint(struct buf *b, unsigned field, uint64_t v)
{
    push_tag(b, field, 0);
    buf_put_varint(b, v);
}

static inline void push_double(struct buf *b, unsigned field, double v)
{
    push_tag(b, field, 1);
    buf_put_u64(b, f64_bits(v));
}

static inline void push_bytes(struct buf *b, unsigned field, slice s)
{
    push_tag(b, field, 2);
    buf_put_varint(b, s.len);
    buf_put(b, s.ptr, s.len);
}

/* A Label message as field 1 of a TimeSeries; name and value below 128 bytes. */
static inline void push_label(struct buf *b, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    push_tag(b, 1, 2);
    buf_put_varint(b, 2 + n + 2 + v);
    push_bytes(b, 1, (slice){(const uint8_t *)name, n});
    push_bytes(b, 2, (slice){(const uint8_t *)value, v});
}

/* ---- HTTP ---- */

struct push {
    char host[128], port[16], path[256];
    int fd;
    struct buf head;
};

/* `url` is host:port/path. */
static inline bool push_init(struct push *p, const char *url)
{
    const char *colon = strchr(url, ':'), *slash = strchr(url, '/');
    if (colon == NULL || slash == NULL || slash < colon)
        return false;
    *p = (struct push){.fd = -1};
    (void)snprintf(p->host, sizeof(p->host), "%.*s", (int)(colon - url), url);
    (void)snprintf(p->port, sizeof(p->port), "%.*s", (int)(slash - colon - 1), colon + 1);
    (void)snprintf(p->path, sizeof(p->path), "%s", slash + 1);
    return true;
}

static inline int push_dial(const struct push *p)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *a;
    if (getaddrinfo(p->host, p->port, &hints, &a) != 0)
        return -1;
    int fd = socket(a->ai_family, a->ai_socktype, 0);
    if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
        (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(a);
    return fd;
}

static inline bool push_send(int fd, const void *p, size_t n, int flags)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL | flags);
        if (k <= 0)
            return false;
        p = (const char *)p + k;
        n -= (size_t)k;
    }
    return true;
}

/* Status of the answer, or 0. Answers are small: header and body in one buffer. */
static inline unsigned push_answer(int fd)
{
    char text[16384];
    size_t n = 0;
    for (;;) {
        ssize_t k = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        if (k <= 0)
            return 0;
        n += (size_t)k;
        text[n] = '\0';
        char *end = strstr(text, "\r\n\r\n");
        if (end == NULL)
            continue;
        char *length = strcasestr(text, "content-length:");
        size_t want = length != NULL && length < end ? (size_t)strtoul(length + 15, NULL, 10) : 0;
        unsigned status = (unsigned)strtoul(text + 9, NULL, 10);
        size_t have = n - (size_t)(end + 4 - text);
        if (status == 204 || have >= want || want > sizeof(text))
            return status;
    }
}

/* Post a packed WriteRequest; its status, or 0 when the connection failed. */
static inline unsigned push_post(struct push *p, slice body)
{
    if (p->fd < 0 && (p->fd = push_dial(p)) < 0)
        return 0;
    buf_reset(&p->head);
    buf_printf(&p->head,
               "POST /%s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/x-protobuf\r\n"
               "Content-Encoding: snappy\r\nUser-Agent: varve-bench\r\n"
               "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %zu\r\n\r\n",
               p->path, p->host, p->port, body.len);
    unsigned status = 0;
    if (push_send(p->fd, p->head.ptr, p->head.len, MSG_MORE) &&
        push_send(p->fd, body.ptr, body.len, 0))
        status = push_answer(p->fd);
    if (status == 0) {
        (void)close(p->fd);
        p->fd = -1;
    }
    return status;
}

/* Post until it is accepted, at most for `give_up_ns`. */
static inline bool push_until(struct push *p, slice body, uint64_t give_up_ns)
{
    uint64_t end = clock_mono_ns() + give_up_ns;
    bool told = false;
    for (;;) {
        unsigned status = push_post(p, body);
        if (status / 100 == 2)
            return true;
        if (!told)
            (void)fprintf(stderr, "request answered with status %u\n", status);
        told = true;
        if (clock_mono_ns() > end)
            return false;
        clock_sleep_ns(50000000);
    }
}

#endif
