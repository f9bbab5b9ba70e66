/* test_discovery.c -- sets and providers: static, files that change, a server that fails, reloads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fs.h"
#include "ingest/discovery.h"
#include "support/discovery_text.h"
#include "support/http_stub.h"

static atomic_uint changes;

static void changed(void *arg)
{
    (void)arg;
    (void)atomic_fetch_add(&changes, 1);
}

static struct discovery *open_discovery(void)
{
    struct discovery *d = NULL;
    struct discovery_options o = {.user_agent = STR("Test/1"), .delay_ms = 10, .changed = changed};
    atomic_store(&changes, 0);
    assert_int_equal(discovery_open(&o, &d), OK);
    return d;
}

static void test_discovery__static(void **state)
{
    (void)state;
    struct discovery *d = open_discovery();
    apply(d, config_of("static_configs: [{targets: [a:1, b:2], labels: {x: y, __meta_z: '1'}}, "
                       "{targets: [c:3]}]"));
    expect(d, "__address__=a:1,__meta_z=1,x=y\n__address__=b:2,__meta_z=1,x=y\n__address__=c:3\n");
    struct discovery_view v;
    discovery_look(d, STR("scrape/unknown"), &v);
    assert_int_equal(v.count, 0);
    discovery_view_fini(&v);
    for (int i = 0; i < 500 && atomic_load(&changes) == 0; i++)
        clock_sleep_ns(10000000);
    assert_true(atomic_load(&changes) > 0);
    discovery_close(d);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(fs_write_file(fs_posix(), path, str_bytes(str_from(text))), OK);
}

/* Changes are seen by inotify: the interval is far longer than the test. A file that turns bad
 * keeps what it had, and the others go on. */
static void test_discovery__files(void **state)
{
    (void)state;
    char dir[] = "/tmp/varve_test_discovery_XXXXXX", sd[256], want[512];
    assert_non_null(mkdtemp(dir));
    struct discovery *d = open_discovery();
    put_file(dir, "a.yml", "- targets: ['a:1']\n  labels: {l: v}\n");
    put_file(dir, "b.json", "[{\"targets\":[\"b:1\"],\"labels\":{\"k\":\"w\"}}]");
    (void)snprintf(sd, sizeof(sd), "file_sd_configs: [{files: ['%s/*.yml', '%s/*.json']}]", dir,
                   dir);
    apply(d, config_of(sd));
    (void)snprintf(want, sizeof(want),
                   "__address__=a:1,__meta_filepath=%s/a.yml,l=v\n"
                   "__address__=b:1,__meta_filepath=%s/b.json,k=w\n",
                   dir, dir);
    expect(d, want);
    put_file(dir, "a.yml", "- targets: ['a:1'\n");
    put_file(dir, "c.yml", "- targets: ['c:1']\n");
    (void)snprintf(want, sizeof(want),
                   "__address__=a:1,__meta_filepath=%s/a.yml,l=v\n"
                   "__address__=b:1,__meta_filepath=%s/b.json,k=w\n"
                   "__address__=c:1,__meta_filepath=%s/c.yml\n",
                   dir, dir, dir);
    expect(d, want);
    expect_reason(d, "a.yml:2:1: did not find expected ',' or ']'");
    put_file(dir, "a.yml", "[]");
    (void)snprintf(want, sizeof(want), "%s/b.json", dir);
    assert_int_equal(fs_unlink(fs_posix(), want), OK);
    (void)snprintf(want, sizeof(want), "__address__=c:1,__meta_filepath=%s/c.yml\n", dir);
    expect(d, want);
    expect_reason(d, NULL);
    put_file(dir, "c.yml", "- targets: ['c:1']\n  label: {}\n");
    expect_reason(d, "field label not found in type");
    put_file(dir, "c.yml", "[]");
    put_file(dir, "b.json", "[{\"targets\":[1]}]");
    expect_reason(d, "b.json: targets: must be text");
    discovery_close(d);
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
}

/* ---- HTTP ---- */

static _Atomic(const char *) page;   /* the body of 200 */
static _Atomic(const char *) status; /* other: that status */

static void answer(void *arg, str request, struct buf *reply)
{
    (void)arg;
    (void)request;
    const char *body = atomic_load(&page), *s = atomic_load(&status);
    http_stub_reply(reply, s, "Content-Type: application/json; charset=utf-8\r\n", body);
}

static void test_discovery__http(void **state)
{
    (void)state;
    atomic_store(&page, "[{\"targets\":[\"h:1\",\"h:2\"],\"labels\":{\"a\":\"b\"}}]");
    atomic_store(&status, "200 OK");
    struct http_stub *s = http_stub_open(answer, NULL);
    struct discovery *d = open_discovery();
    char sd[256], want[512];
    (void)snprintf(sd, sizeof(sd),
                   "http_sd_configs: [{url: 'http://127.0.0.1:%u/sd', refresh_interval: 100ms, "
                   "authorization: {credentials: tok}}]",
                   http_stub_port(s));
    apply(d, config_of(sd));
    (void)snprintf(want, sizeof(want),
                   "__address__=h:1,__meta_url=http://127.0.0.1:%u/sd,a=b\n"
                   "__address__=h:2,__meta_url=http://127.0.0.1:%u/sd,a=b\n",
                   http_stub_port(s), http_stub_port(s));
    expect(d, want);
    const char *request = http_stub_request(s, 0);
    assert_non_null(strstr(request, "X-Prometheus-Refresh-Interval-Seconds: 0.1\r\n"));
    assert_non_null(strstr(request, "Authorization: Bearer tok\r\n"));
    assert_non_null(strstr(request, "User-Agent: Test/1\r\n"));
    atomic_store(&status, "503 Service Unavailable");
    expect_reason(d, "server returned HTTP status 503 Service Unavailable");
    expect(d, want);
    atomic_store(&page, "[{\"targets\":[\"h:9\"],\"extra\":1}]");
    atomic_store(&status, "200 OK");
    expect_reason(d, "json: unknown field \"extra\"");
    expect(d, want);
    atomic_store(&page, "[]");
    expect(d, "");
    expect_reason(d, NULL);
    discovery_close(d);
    http_stub_close(s);
}

/* A provider whose section did not change lives through a reload; one that is gone takes its
 * targets along. */
static void test_discovery__reload(void **state)
{
    (void)state;
    atomic_store(&page, "[{\"targets\":[\"h:1\"]}]");
    atomic_store(&status, "200 OK");
    struct http_stub *s = http_stub_open(answer, NULL);
    struct discovery *d = open_discovery();
    char sd[256], both[512], want[128], two[256];
    (void)snprintf(sd, sizeof(sd),
                   "http_sd_configs: [{url: 'http://127.0.0.1:%u/sd', refresh_interval: 1h}]",
                   http_stub_port(s));
    (void)snprintf(both, sizeof(both), "%s\n  static_configs: [{targets: [s:1]}]", sd);
    (void)snprintf(want, sizeof(want), "__address__=h:1,__meta_url=http://127.0.0.1:%u/sd\n",
                   http_stub_port(s));
    (void)snprintf(two, sizeof(two), "%s__address__=s:1\n", want);
    apply(d, config_of(sd));
    expect(d, want);
    apply(d, config_of(both));
    expect(d, two);
    assert_int_equal(http_stub_count(s), 1); /* not asked again: it is the same provider */
    struct buf text = {0};
    discovery_metrics(&d, 1, &text);
    assert_non_null(strstr(buf_cstr(&text),
                           "prometheus_sd_discovered_targets{config=\"j\",name=\"scrape\"} 2\n"));
    assert_non_null(strstr(buf_cstr(&text), "prometheus_sd_refresh_duration_seconds_count{"
                                            "mechanism=\"http\",config=\"j\"} 1\n"));
    assert_non_null(strstr(buf_cstr(&text), "prometheus_sd_refresh_failures_total{"
                                            "mechanism=\"http\",config=\"j\"} 0\n"));
    buf_fini(&text);
    apply(d, config_of("static_configs: [{targets: [s:1]}]"));
    expect(d, "__address__=s:1\n");
    discovery_close(d);
    http_stub_close(s);
}

static void test_discovery__a_secret_makes_another_provider(void **state)
{
    (void)state;
    struct config *a = config_of("http_sd_configs: [{url: 'http://h/', bearer_token: one}]");
    struct config *b = config_of("http_sd_configs: [{url: 'http://h/', bearer_token: two}]");
    struct config *c = config_of("http_sd_configs: [{url: 'http://h/', bearer_token: one}]");
    hash128 x = config_sd_digest(&a->jobs.items[0].discovery.items[0]);
    hash128 y = config_sd_digest(&b->jobs.items[0].discovery.items[0]);
    hash128 z = config_sd_digest(&c->jobs.items[0].discovery.items[0]);
    assert_false(hash128_eq(x, y));
    assert_true(hash128_eq(x, z));
    config_unref(a);
    config_unref(b);
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_discovery__static),
        cmocka_unit_test(test_discovery__files),
        cmocka_unit_test(test_discovery__http),
        cmocka_unit_test(test_discovery__reload),
        cmocka_unit_test(test_discovery__a_secret_makes_another_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
