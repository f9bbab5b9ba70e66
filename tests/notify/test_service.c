/* test_service.c -- the service with real threads: rules, the API, reloads and whoever counts at
 * once; then an end in the middle of all, and another start. Meant for the thread sanitizer too. */
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
#include "base/mem.h"
#include "notify/service.h"
#include "notify/view.h"
#include "support/http_stub.h"

enum { ALERTS = 60, RELOADS = 5, WAIT_MS = 60000 };

struct fixture {
    char dir[32];
    struct buf am, ext, data;
    struct http_stub *stub;
    atomic_uint told, broken;
    struct notify_service *service;
};

static void answer(void *arg, str request, struct buf *reply)
{
    struct fixture *fx = arg;
    bool broken = str_starts(request, STR("POST /broken"));
    (void)atomic_fetch_add(broken ? &fx->broken : &fx->told, 1);
    http_stub_reply(reply, broken ? "500 No" : "200 OK", "", "ok");
}

static void put_file(struct buf *path, const char *dir, const char *name, const char *text)
{
    buf_printf(path, "%s/%s", dir, name);
    FILE *f = fopen(buf_cstr(path), "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void open_service(struct fixture *fx)
{
    struct diag d = {.text = ""};
    const struct notify_options o = {.fs = fs_posix(),
                                     .dir = buf_cstr(&fx->data),
                                     .retention_ms = 3600000,
                                     .config_path = buf_cstr(&fx->am),
                                     .extensions_path = buf_cstr(&fx->ext),
                                     .external_url = STR("http://am"),
                                     .server_url = STR("http://am"),
                                     .version = STR("1"),
                                     .history_ms = 3600000,
                                     .history_bytes = 1 << 24};
    if (notify_service_open(&o, &fx->service, &d) != OK || notify_service_start(fx->service) != OK)
        fail_msg("%s", d.text);
}

static void init(struct fixture *fx)
{
    struct buf text = {0};
    *fx = (struct fixture){.dir = "/tmp/service.XXXXXX"};
    assert_non_null(mkdtemp(fx->dir));
    fx->stub = http_stub_open(answer, fx);
    buf_printf(&text,
               "route: {receiver: a, group_by: ['...'], group_wait: 0s, group_interval: 1s,\n"
               "  routes: [{receiver: broken, matchers: [to=broken]}]}\n"
               "receivers:\n- {name: a, webhook_configs: [{url: 'http://127.0.0.1:%u/good'}]}\n"
               "- {name: broken, webhook_configs: [{url: 'http://127.0.0.1:%u/broken'}]}\n",
               http_stub_port(fx->stub), http_stub_port(fx->stub));
    put_file(&fx->am, fx->dir, "am.yml", buf_cstr(&text));
    put_file(&fx->ext, fx->dir, "ext.yml",
             "delivery: {retry: {initial: 10ms, max_backoff: 50ms}, fallbacks: [{receiver: broken, "
             "to: a}], rate_limits: [{receiver: a, per: 1ms, burst: 10}]}\n");
    buf_printf(&fx->data, "%s/data", fx->dir);
    (void)buf_cstr(&fx->data);
    buf_fini(&text);
    open_service(fx);
}

static void fini(struct fixture *fx)
{
    struct buf command = {0};
    http_stub_close(fx->stub);
    buf_printf(&command, "rm -rf '%s'", fx->dir);
    assert_int_equal(system(buf_cstr(&command)), 0);
    buf_fini(&command);
    buf_fini(&fx->am);
    buf_fini(&fx->ext);
    buf_fini(&fx->data);
}

/* Half of the alerts are for who cannot be told. */
static void *rules(void *arg)
{
    struct fixture *fx = arg;
    struct alert_sink sink = notify_service_sink(fx->service);
    for (unsigned i = 0; i < ALERTS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "r%u", i);
        struct label labels[] = {{STR("alertname"), str_from(name)},
                                 {STR("to"), i % 2 == 0 ? STR("broken") : STR("good")}};
        const struct alert a = {.labels = {labels, 2},
                                .starts_at_ms = clock_wall_ms(),
                                .ends_at_ms = clock_wall_ms() + 3600000,
                                .generator_url = STR("")};
        sink.send(sink.arg, &a, 1);
    }
    return NULL;
}

static void *api(void *arg)
{
    struct fixture *fx = arg;
    for (unsigned i = 0; i < ALERTS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "p%u", i);
        struct label labels[] = {{STR("alertname"), str_from(name)}};
        const struct engine_alert a = {.labels = {labels, 1}};
        struct engine *e = notify_service_lock(fx->service);
        assert_int_equal(engine_put(e, &a, 1, clock_wall_ms()), OK);
        notify_service_unlock(fx->service);
    }
    return NULL;
}

static void *counts(void *arg)
{
    struct fixture *fx = arg;
    struct notify_stats s;
    struct trial_result *results;
    size_t count;
    for (unsigned i = 0; i < 20; i++)
        notify_service_stats(fx->service, &s);
    assert_int_equal(notify_service_try(fx->service, STR("a"), &results, &count), OK);
    assert_int_equal(count, 1);
    mem_free(results);
    return NULL;
}

static void *reloads(void *arg)
{
    struct fixture *fx = arg;
    struct diag d = {.text = ""};
    for (unsigned i = 0; i < RELOADS; i++) {
        void *prepared = NULL;
        assert_int_equal(notify_service_prepare(fx->service, &prepared, &d), OK);
        if (i % 2 == 0)
            notify_service_commit(fx->service, prepared);
        else
            notify_service_discard(fx->service, prepared);
        clock_sleep_ns(10000000);
    }
    return NULL;
}

static void all_at_once(struct fixture *fx)
{
    void *(*const WORK[])(void *arg) = {rules, api, counts, reloads};
    pthread_t threads[COUNT_OF(WORK)];
    for (size_t i = 0; i < COUNT_OF(WORK); i++)
        assert_int_equal(thread_start(&threads[i], "test", WORK[i], fx), OK);
    for (size_t i = 0; i < COUNT_OF(WORK); i++)
        thread_join(threads[i]);
}

static uint64_t sent(struct fixture *fx)
{
    struct notify_stats s;
    notify_service_stats(fx->service, &s);
    return s.engine.notifications[INTEGRATION_WEBHOOK];
}

static void test_service__tells_everybody(void **state)
{
    static struct fixture fx;
    (void)state;
    init(&fx);
    all_at_once(&fx);
    int64_t until_ms = clock_wall_ms() + WAIT_MS;
    while (sent(&fx) < 2 * ALERTS && clock_wall_ms() < until_ms)
        clock_sleep_ns(10000000);
    assert_int_equal(sent(&fx), 2 * ALERTS); /* half of the rules' by the fallback */
    assert_int_equal(atomic_load(&fx.told), 2 * ALERTS + 1);
    assert_true(atomic_load(&fx.broken) >= ALERTS / 2);
    notify_service_close(fx.service);
    open_service(&fx); /* who knows is not told again */
    clock_sleep_ns(1500000000);
    assert_int_equal(atomic_load(&fx.told), 2 * ALERTS + 1);
    notify_service_close(fx.service);
    fini(&fx);
}

static void test_service__ends_in_the_middle(void **state)
{
    static struct fixture fx;
    (void)state;
    init(&fx);
    for (unsigned i = 0; i < 3; i++) {
        all_at_once(&fx);
        notify_service_call_off(fx.service);
        uint64_t began_ns = clock_mono_ns();
        notify_service_close(fx.service);
        assert_true(clock_mono_ns() - began_ns < UINT64_C(10000000000));
        open_service(&fx);
    }
    int64_t until_ms = clock_wall_ms() + WAIT_MS; /* nothing was lost over it */
    while (atomic_load(&fx.told) < 2 * ALERTS && clock_wall_ms() < until_ms)
        clock_sleep_ns(10000000);
    assert_true(atomic_load(&fx.told) >= 2 * ALERTS);
    notify_service_close(fx.service);
    notify_service_close(NULL);
    fini(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service__tells_everybody),
        cmocka_unit_test(test_service__ends_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
