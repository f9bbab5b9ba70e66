/* http.c -- HTTP load: N keep-alive connections, each asking again as soon as its answer is whole;
 * prints one JSON object: answers and bytes a second, latencies, and the server's CPU time.
 *
 *   bench_http --url=127.0.0.1:9090/api/v1/query?query=up [--connections=64] [--seconds=5] [--gzip]
 *              [--rate=0 (requests/s of all connections; 0: as fast as answered)] [--pid=0]
 *
 * One thread, so that client and server can share two cores. With --pid the CPU time of that
 * process (user and system, all threads) is told per answer and per byte of body as sent. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/flags.h"
#include "push.h"

enum { READ_BYTES = 256 << 10, LATENCIES_MAX = 4 << 20 };

enum reading { HEAD, SIZED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END };

struct connection {
    int fd;
    enum reading state;
    bool asked, last_chunk;
    uint64_t left; /* of the body, or of the chunk with its line end */
    uint64_t sent_ns;
    char line[4096]; /* header or chunk size not yet whole */
    size_t line_len;
};

static const char *url = "127.0.0.1:9090/api/v1/query?query=vector(1)";
static uint64_t connections = 64, seconds = 5, rate = 0, pid = 0;
static bool gzip;

static struct push target;
static struct buf request;
static uint64_t answers, failures, body_bytes, latency_count;
static uint32_t *latency_us;
static uint8_t *scratch;

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_http: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void ask(struct connection *c)
{
    c->sent_ns = clock_mono_ns();
    c->asked = true;
    c->state = HEAD;
    c->line_len = 0;
    if (!push_send(c->fd, request.ptr, request.len, 0))
        die("send");
}

static void answered(struct connection *c)
{
    uint64_t us = (clock_mono_ns() - c->sent_ns) / 1000;
    c->asked = false;
    answers++;
    if (latency_count < LATENCIES_MAX)
        latency_us[latency_count++] = (uint32_t)MIN(us, UINT32_MAX);
}

/* What follows a whole header; false when the answer is whole too. */
static bool head_done(struct connection *c)
{
    c->line[c->line_len] = '\0';
    unsigned status = (unsigned)strtoul(c->line + 9, NULL, 10);
    failures += status / 100 != 2;
    char *length = strcasestr(c->line, "content-length:");
    c->line_len = 0;
    if (length == NULL) {
        c->state = CHUNK_SIZE;
        c->last_chunk = false;
        return status != 204;
    }
    c->left = strtoul(length + 15, NULL, 10);
    body_bytes += c->left;
    c->state = SIZED;
    return c->left > 0;
}

/* Take a byte of header or chunk size; false when the answer is whole. */
static bool take_byte(struct connection *c, char byte)
{
    if (c->line_len + 1 == sizeof(c->line))
        die("header too large");
    c->line[c->line_len++] = byte;
    if (c->state == HEAD)
        return c->line_len < 4 || memcmp(c->line + c->line_len - 4, "\r\n\r\n", 4) != 0 ||
               head_done(c);
    if (byte != '\n')
        return true;
    c->left = strtoul(c->line, NULL, 16);
    c->line_len = 0;
    body_bytes += c->left;
    c->last_chunk = c->left == 0;
    c->left += 2;
    c->state = CHUNK_DATA;
    return true;
}

/* False when the answer is whole, and then nothing may follow. */
static bool take(struct connection *c, const uint8_t *p, size_t n)
{
    while (n > 0) {
        if (c->state == HEAD || c->state == CHUNK_SIZE) {
            n--;
            if (!take_byte(c, (char)*p++))
                return false;
            continue;
        }
        size_t k = MIN(n, c->left);
        p += k;
        n -= k;
        c->left -= k;
        if (c->left > 0)
            break;
        if (c->state == SIZED || c->last_chunk)
            return false;
        c->state = CHUNK_SIZE;
    }
    return true;
}

static void readable(struct connection *c, bool again)
{
    for (;;) {
        ssize_t n = recv(c->fd, scratch, READ_BYTES, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            die("recv");
        if (!take(c, scratch, (size_t)n)) {
            answered(c);
            if (again)
                ask(c);
            return;
        }
        if (n < READ_BYTES)
            return;
    }
}

/* CPU seconds of the process, all threads. */
static double cpu_of(uint64_t process)
{
    char path[64], text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)process);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        die(path);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    unsigned long user, system;
    char *end = strrchr(text, ')');
    if (end == NULL || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                              &user, &system) != 2)
        die("stat");
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(double took, double cpu)
{
    qsort(latency_us, latency_count, sizeof(*latency_us), compare);
    size_t last = latency_count > 0 ? latency_count - 1 : 0;
    printf("{\"answers\":%llu,\"failures\":%llu,\"per_second\":%.0f,\"body_bytes\":%llu,"
           "\"mb_per_second\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f",
           (unsigned long long)answers, (unsigned long long)failures, (double)answers / took,
           (unsigned long long)body_bytes, (double)body_bytes / took / 1e6,
           latency_us[last / 2] / 1e3, latency_us[last * 99 / 100] / 1e3, latency_us[last] / 1e3);
    if (pid != 0)
        printf(",\"server_cpu_s\":%.2f,\"server_us_per_answer\":%.1f,\"server_mb_per_cpu_s\":%.1f",
               cpu, cpu * 1e6 / (double)MAX(answers, 1), (double)body_bytes / 1e6 / cpu);
    printf("}\n");
}

static void open_connections(struct connection *cs, int epoll)
{
    int one = 1;
    for (uint64_t i = 0; i < connections; i++) {
        cs[i].fd = push_dial(&target);
        if (cs[i].fd < 0)
            die("connect");
        (void)setsockopt(cs[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &cs[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, cs[i].fd, &e) != 0)
            die("epoll_ctl");
    }
}

/* With a rate: ask on a free connection whenever a request is due. */
static void ask_due(struct connection *cs, uint64_t start_ns, uint64_t *asked)
{
    uint64_t due = (clock_mono_ns() - start_ns) * rate / 1000000000;
    for (uint64_t i = 0; i < connections && *asked < due; i++) {
        if (cs[i].asked)
            continue;
        ask(&cs[i]);
        (*asked)++;
    }
}

static void run(struct connection *cs, int epoll)
{
    struct epoll_event events[256];
    uint64_t asked = 0, start_ns = clock_mono_ns(), end_ns = start_ns + seconds * 1000000000;
    double cpu = pid != 0 ? cpu_of(pid) : 0;
    for (uint64_t i = 0; i < connections && rate == 0; i++)
        ask(&cs[i]);
    while (clock_mono_ns() < end_ns) {
        if (rate > 0)
            ask_due(cs, start_ns, &asked);
        int n = epoll_wait(epoll, events, COUNT_OF(events), rate > 0 ? 1 : 100);
        for (int i = 0; i < n; i++)
            readable(events[i].data.ptr, rate == 0);
    }
    double took = (double)(clock_mono_ns() - start_ns) / 1e9;
    report(took, pid != 0 ? cpu_of(pid) - cpu : 0);
}

int main(int argc, char **argv)
{
    struct flag flags[] = {
        {"url", "host:port/path", "What to ask for.", FLAG_TEXT, &url, false},
        {"connections", "count", "Kept open.", FLAG_COUNT, &connections, false},
        {"seconds", "count", "How long.", FLAG_COUNT, &seconds, false},
        {"rate", "requests/s", "0: as fast as answered.", FLAG_COUNT, &rate, false},
        {"gzip", "", "Ask for gzip.", FLAG_BOOL, &gzip, false},
        {"pid", "pid", "The server, for its CPU time.", FLAG_COUNT, &pid, false},
    };
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int rest_count;
    struct diag d = {.text = ""};
    err e = flags_parse(flags, COUNT_OF(flags), argc - 1, argv + 1, rest, &rest_count, &d);
    const char *slash = strchr(url, '/');
    if (e != OK || connections == 0 || slash == NULL || !push_init(&target, url)) {
        (void)fprintf(stderr, "bench_http: %s\n", d.text);
        flags_help(flags, COUNT_OF(flags), stderr);
        return 2;
    }
    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: varve-bench\r\n%s\r\n",
               slash, target.host, target.port, gzip ? "Accept-Encoding: gzip\r\n" : "");
    latency_us = mem_zalloc(LATENCIES_MAX, sizeof(*latency_us));
    scratch = mem_alloc(READ_BYTES);
    struct connection *cs = mem_zalloc(connections, sizeof(*cs));
    int epoll = epoll_create1(0);
    open_connections(cs, epoll);
    run(cs, epoll);
    return 0;
}
