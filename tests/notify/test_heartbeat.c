/* test_heartbeat.c -- pings to OpsGenie and to URLs: what is sent, what answers mean, no secrets in
 * what is told; and heartbeats in their rhythm: retried, withheld, taken over by a reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "notify/heartbeat.h"
#include "notify/heartbeats.h"
#include "notify_testing.h"
#include "support/http_stub.h"

#define CANARY "CANARYsecret"

/* ---- One ping ---- */

struct other_side {
    struct http_stub *stub;
    const char *status, *headers;
    _Atomic unsigned refuse; /* so many are answered with 503 first */
};

/* It repeats all it was sent. */
static void answer(void *arg, str request, struct buf *reply)
{
    struct other_side *o = arg;
    struct buf body = {0};
    const char *status = o->status;
    buf_put_str(&body, request);
    if (atomic_load(&o->refuse) > 0) {
        atomic_fetch_sub(&o->refuse, 1);
        status = "503 Busy";
    }
    http_stub_reply(reply, status, o->headers, buf_cstr(&body));
    buf_fini(&body);
}

static void side_open(struct other_side *o, const char *status, const char *headers)
{
    *o = (struct other_side){.status = status, .headers = headers};
    o->stub = http_stub_open(answer, o);
}

/* "URL" is that of the stub, "FILE" a file. */
static void put_text(struct buf *out, const char *text, unsigned port, const char *file)
{
    for (; *text != '\0'; text++) {
        if (strncmp(text, "URL", 3) == 0) {
            buf_printf(out, "127.0.0.1:%u", port);
            text += 2;
        } else if (strncmp(text, "FILE", 4) == 0) {
            buf_printf(out, "%s", file);
            text += 3;
        } else {
            buf_put_u8(out, (uint8_t)*text);
        }
    }
}

static struct notify_result ping(unsigned port, const char *heartbeat, const char *file,
                                 struct diag *d)
{
    struct buf text = {0};
    struct alerting_ext *x = NULL;
    struct http_client *client;
    struct alertmanager_file *f =
        testing_config("global: {opsgenie_api_key: " CANARY "}\nroute: {receiver: r}\n"
                       "receivers: [{name: r}]\n");
    buf_put_str(&text, STR("heartbeats: [{"));
    put_text(&text, heartbeat, port, file);
    buf_put_str(&text, STR("}]\n"));
    *d = (struct diag){.text = ""};
    if (alerting_ext_parse("ext.yml", buf_slice(&text), f, &x, d) != OK)
        fail_msg("%s", d->text);
    const struct heartbeat_config *c = x->heartbeats.items;
    assert_int_equal(
        http_client_open(c->http != NULL ? c->http : f->global.http, STR("Varve/1"), &client, d),
        OK);
    const struct heartbeat_ping p = {
        .config = c, .global = &f->global, .client = client, .timeout_ms = 5000};
    struct notify_result r = heartbeat_send(&p, d);
    if (strstr(d->text, "CANARY") != NULL)
        fail_msg("a secret: %s", d->text);
    http_client_close(client);
    alerting_ext_unref(x);
    alertmanager_config_unref(f);
    buf_fini(&text);
    return r;
}

static void make_file(char path[32], const char *text)
{
    (void)snprintf(path, 32, "/tmp/varve-heartbeat-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void test_heartbeat__goes_where_it_is_told_to(void **state)
{
    struct other_side o;
    struct diag d;
    char file[32], url[32];
    struct buf text = {0};
    (void)state;
    side_open(&o, "202 Accepted", "");
    make_file(file, " CANARYinAfile\n");
    buf_printf(&text, "http://127.0.0.1:%u/ping/CANARY-uuid\n", http_stub_port(o.stub));
    make_file(url, buf_cstr(&text));
    const struct {
        const char *heartbeat, *line, *header;
    } CASES[] = {
        {"name: a b/ü, opsgenie: {api_url: 'http://URL/x/', api_key: CANARYown}",
         "GET /x/v2/heartbeats/a%20b%2F%C3%BC/ping HTTP/1.1\r\n",
         "\r\nAuthorization: GenieKey CANARYown\r\n"},
        {"name: n, opsgenie: {api_url: 'http://URL', api_key_file: FILE}",
         "GET /v2/heartbeats/n/ping HTTP/1.1\r\n", "\r\nAuthorization: GenieKey CANARYinAfile\r\n"},
        {"name: n, opsgenie: {api_url: 'http://URL'}", "GET /v2/heartbeats/n/ping HTTP/1.1\r\n",
         "\r\nAuthorization: GenieKey " CANARY "\r\n"},
        {"name: n, url: 'http://URL/CANARY?a=b'", "GET /CANARY?a=b HTTP/1.1\r\n",
         "\r\nUser-Agent: Varve/1\r\n"},
        {"name: n, url: 'http://URL/', method: POST, http_config: {basic_auth: {username: u, "
         "password: CANARY}}",
         "POST / HTTP/1.1\r\n", "\r\nAuthorization: Basic "},
    };
    for (unsigned i = 0; i < COUNT_OF(CASES); i++) {
        struct notify_result r = ping(http_stub_port(o.stub), CASES[i].heartbeat, file, &d);
        const char *request = http_stub_request(o.stub, i);
        if (r.outcome != NOTIFY_SENT || !str_starts(str_from(request), str_from(CASES[i].line)) ||
            strstr(request, CASES[i].header) == NULL)
            fail_msg("%s: %s %s", CASES[i].heartbeat, d.text, request);
    }
    assert_int_equal(ping(0, "name: n, url_file: FILE", url, &d).outcome, NOTIFY_SENT);
    assert_non_null(strstr(http_stub_request(o.stub, COUNT_OF(CASES)), "GET /ping/CANARY-uuid "));
    http_stub_close(o.stub);
    buf_fini(&text);
    (void)unlink(file);
    (void)unlink(url);
}

static void test_heartbeat__tells_what_went_wrong(void **state)
{
    struct other_side o;
    struct diag d;
    char lines[32];
    (void)state;
    make_file(lines, "CANARYone\nCANARYtwo\n");
    static const struct {
        const char *status, *headers, *heartbeat, *why;
        enum notify_outcome outcome;
        int64_t retry_after_ms;
    } CASES[] = {
        {"403 Forbidden", "", "name: n, opsgenie: {api_url: 'http://URL'}",
         "the answer was 403 Forbidden", NOTIFY_FAILED, 0},
        {"429 Too Many Requests", "Retry-After: 7\r\n", "name: n, url: 'http://URL/CANARY'",
         "the answer was 429 Too Many Requests", NOTIFY_RETRY, 7000},
        {"500 X", "", "name: n, url: 'http://u:CANARY@URL/'", "the answer was 500", NOTIFY_RETRY,
         0},
        {"301 Moved Permanently", "Location: http://127.0.0.1:1/CANARY\r\n",
         "name: n, url: 'http://URL/CANARY'", "", NOTIFY_RETRY, 0},
        {"200 OK", "", "name: n, url: 'http://CANARYu:CANARYp@127.0.0.1:1/CANARY'", "",
         NOTIFY_RETRY, 0},
        {"200 OK", "", "name: n, url: 'http://nowhere.invalid/CANARY/CANARYlong'", "", NOTIFY_RETRY,
         0},
        {"200 OK", "", "name: n, url_file: /nowhere/url", "url_file /nowhere/url cannot be read",
         NOTIFY_RETRY, 0},
        {"200 OK", "", "name: n, opsgenie: {api_key_file: FILE}", "has more than one line",
         NOTIFY_RETRY, 0},
        {"200 OK", "", "name: n, url_file: FILE", "has more than one line", NOTIFY_RETRY, 0},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        side_open(&o, CASES[i].status, CASES[i].headers);
        struct notify_result r = ping(http_stub_port(o.stub), CASES[i].heartbeat, lines, &d);
        if (r.outcome != CASES[i].outcome || r.retry_after_ms != CASES[i].retry_after_ms ||
            d.text[0] == '\0' || strstr(d.text, CASES[i].why) == NULL)
            fail_msg("%s: %d, %s", CASES[i].heartbeat, (int)r.outcome, d.text);
        http_stub_close(o.stub);
    }
    (void)unlink(lines);
}

/* ---- All of them ---- */

struct world {
    struct other_side side;
    char dir[32], am[64], ext[64];
    struct notify_service *service;
    struct heartbeats *beats;
    _Atomic int answer; /* of only_if: 1 holds, 0 does not, -1 an error */
    atomic_bool stopped;
};

static err holds(void *arg, str name, str expr, int64_t timeout_ms, bool *out, struct diag *d)
{
    struct world *w = arg;
    assert_true(timeout_ms > 0 && timeout_ms <= 1000);
    assert_true(str_eq(name, STR("x")) && str_eq(expr, STR("up == 1")));
    *out = atomic_load(&w->answer) == 1;
    return atomic_load(&w->answer) >= 0 ? OK : diag_set(d, ERR_INVALID, "the store is in pieces");
}

static void stop(void *arg)
{
    struct world *w = arg;
    atomic_store(&w->stopped, true);
}

static void write_file(const char *path, const char *text, unsigned port)
{
    struct buf b = {0};
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    put_text(&b, text, port, "");
    assert_int_equal(fwrite(b.ptr, 1, b.len, f), b.len);
    assert_int_equal(fclose(f), 0);
    buf_fini(&b);
}

static void world_open(struct world *w, const char *ext)
{
    struct diag d = {.text = ""};
    *w = (struct world){.answer = 1};
    side_open(&w->side, "200 OK", "");
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/varve-beats-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->am, sizeof(w->am), "%s/am.yml", w->dir);
    (void)snprintf(w->ext, sizeof(w->ext), "%s/ext.yml", w->dir);
    write_file(w->am, "route: {receiver: r}\nreceivers: [{name: r}]\n", 0);
    write_file(w->ext, ext, http_stub_port(w->side.stub));
    struct buf state = {0};
    const struct notify_options o = {.fs = fs_posix(),
                                     .dir = fs_join(&state, w->dir, "state"),
                                     .retention_ms = 3600000,
                                     .config_path = w->am,
                                     .extensions_path = w->ext,
                                     .external_url = STR("http://am"),
                                     .server_url = STR("http://v"),
                                     .version = STR("1")};
    if (notify_service_open(&o, &w->service, &d) != OK)
        fail_msg("%s", d.text);
    const struct heartbeats_options ho = {
        .service = w->service, .version = STR("1"), .holds = holds, .stop = stop, .arg = w};
    w->beats = heartbeats_open(&ho);
    heartbeats_follow(w->beats);
    buf_fini(&state);
}

static void world_close(struct world *w)
{
    heartbeats_close(w->beats);
    assert_true(atomic_load(&w->stopped));
    notify_service_close(w->service);
    http_stub_close(w->side.stub);
    assert_int_equal(fs_remove_tree(fs_posix(), w->dir), OK);
}

static void reload(struct world *w, const char *ext)
{
    void *prepared;
    struct diag d = {.text = ""};
    write_file(w->ext, ext, http_stub_port(w->side.stub));
    if (notify_service_prepare(w->service, &prepared, &d) != OK)
        fail_msg("%s", d.text);
    notify_service_commit(w->service, prepared);
    heartbeats_follow(w->beats);
}

struct seen {
    size_t count;
    enum heartbeat_state state;
    uint64_t sent, failed, withheld;
    int64_t last_sent_ms;
    bool late;
    char why[DIAG_TEXT_SIZE];
};

static void see_one(void *arg, const struct heartbeat_view *v)
{
    struct seen *s = arg;
    *s = (struct seen){s->count + 1, v->state,        v->sent, v->failed,
                       v->withheld,  v->last_sent_ms, v->late, ""};
    (void)snprintf(s->why, sizeof(s->why), "%s", v->why);
}

/* The last of the file. */
static struct seen see(struct world *w)
{
    struct seen s = {0};
    heartbeats_each(w->beats, see_one, &s);
    return s;
}

static void wait_for(struct world *w, const char *what, bool (*is_so)(const struct seen *s))
{
    uint64_t end_ns = clock_mono_ns() + UINT64_C(10000000000);
    for (;;) {
        struct seen s = see(w);
        if (is_so(&s))
            return;
        if (clock_mono_ns() > end_ns)
            fail_msg("not in time: %s (%s, %s)", what, heartbeat_state_name(s.state), s.why);
        (void)usleep(10000);
    }
}

static bool is_sent_twice(const struct seen *s)
{
    return s->sent >= 2;
}

static bool is_withheld(const struct seen *s)
{
    return s->state == HEARTBEAT_WITHHELD;
}

static bool is_unknown(const struct seen *s)
{
    return s->state == HEARTBEAT_WITHHELD && strcmp(s->why, "the store is in pieces") == 0;
}

static bool is_sent(const struct seen *s)
{
    return s->state == HEARTBEAT_SENT;
}

static bool is_late(const struct seen *s)
{
    return s->late;
}

#define ONLY_IF "heartbeats: [{name: x, url: 'http://URL/p', interval: 1s, only_if: 'up == 1'}]\n"

static void test_heartbeats__are_withheld(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, ONLY_IF);
    wait_for(&w, "two of them", is_sent_twice);
    atomic_store(&w.answer, 0);
    wait_for(&w, "withheld", is_withheld);
    assert_string_equal(see(&w).why, "only_if has no result");
    unsigned count = http_stub_count(w.side.stub);
    atomic_store(&w.answer, -1);
    wait_for(&w, "an error", is_unknown);
    assert_int_equal(http_stub_count(w.side.stub), count);
    atomic_store(&w.answer, 1);
    wait_for(&w, "sent again", is_sent);
    assert_true(see(&w).withheld >= 2);
    assert_int_equal(see(&w).failed, 0);
    world_close(&w);
}

/* A try that fails is repeated before the next interval. */
static void test_heartbeats__are_tried_again(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, "heartbeats: []\n");
    assert_int_equal(see(&w).count, 0);
    atomic_store(&w.side.refuse, 1);
    uint64_t begin_ns = clock_mono_ns();
    reload(&w, "heartbeats: [{name: x, url: 'http://URL/p', interval: 1m}]\n");
    wait_for(&w, "the second try", is_sent);
    assert_in_range((clock_mono_ns() - begin_ns) / 1000000, HEARTBEAT_RETRY_MS, 8000);
    struct seen s = see(&w);
    assert_int_equal(s.sent, 1);
    assert_int_equal(s.failed, 1);
    /* Reloads change neither rhythm nor counters; one of another name begins anew. */
    reload(&w, "heartbeats: [{name: x, url: 'http://URL/p', interval: 2m}]\n");
    reload(&w, "heartbeats: [{name: y, url: 'http://URL/q', interval: 1m}, {name: x, url: "
               "'http://URL/p', interval: 1m}]\n");
    (void)usleep(300000);
    s = see(&w);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.sent, 1);
    assert_int_equal(s.failed, 1);
    assert_true(s.last_sent_ms > 0);
    assert_int_equal(http_stub_count(w.side.stub), 3);
    world_close(&w);
}

static void test_heartbeats__that_nobody_hears_are_late(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, "heartbeats: [{name: x, url: 'http://127.0.0.1:1/" CANARY "', interval: 1s}]\n");
    assert_false(see(&w).late);
    wait_for(&w, "late", is_late);
    struct seen s = see(&w);
    assert_int_equal(s.state, HEARTBEAT_FAILING);
    assert_int_equal(s.sent, 0);
    assert_true(s.why[0] != '\0');
    assert_null(strstr(s.why, "CANARY"));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeat__goes_where_it_is_told_to),
        cmocka_unit_test(test_heartbeat__tells_what_went_wrong),
        cmocka_unit_test(test_heartbeats__are_withheld),
        cmocka_unit_test(test_heartbeats__are_tried_again),
        cmocka_unit_test(test_heartbeats__that_nobody_hears_are_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
