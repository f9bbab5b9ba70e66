/* test_alerts_json.c -- the shapes of Alertmanager's API at one time of a clock that stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "http/alerts_json.h"
#include "http/postable.h"
#include "support/fs_sim.h"

static const int64_t NOW = INT64_C(1795449600000); /* 2026-11-23T16:00:00Z */

static const char CONFIG[] = "route:\n"
                             "  receiver: all\n"
                             "  group_by: [n]\n"
                             "  labels: {tier: '<1>'}\n"
                             "  routes: [{receiver: muted, matchers: [m=1], "
                             "mute_time_intervals: [ever]}]\n"
                             "time_intervals: [{name: ever, time_intervals: [{years: ['2026']}]}]\n"
                             "receivers: [{name: all}, {name: muted, labels: {kind: x}}]\n";

struct fixture {
    struct fs_sim *disk;
    struct alertmanager_file *f;
    struct engine *e;
};

static void open_fixture(struct fixture *x)
{
    struct diag d = {.text = ""};
    x->disk = fs_sim_new(1);
    if (alertmanager_config_parse("am.yml", str_bytes(str_from(CONFIG)), &x->f, &d) != OK)
        fail_msg("%s", d.text);
    struct engine_options o = {
        .fs = fs_sim_fs(x->disk), .dir = "/notify", .retention_ms = 3600000, .seed = 1};
    if (engine_open(&o, x->f, (struct engine_companion){0}, NOW, &x->e, &d) != OK)
        fail_msg("%s", d.text);
}

static void close_fixture(struct fixture *x)
{
    engine_close(x->e);
    alertmanager_config_unref(x->f);
    fs_sim_free(x->disk);
}

static void post(struct fixture *x, const char *body)
{
    struct postable_alerts p;
    struct postable_error e;
    assert_int_equal(postable_alerts_parse(str_bytes(str_from(body)), NOW, &p, &e), OK);
    assert_int_equal(engine_put(x->e, p.items, p.count, NOW), OK);
    postable_alerts_fini(&p);
}

static const struct view_filter ALL = {
    .active = true, .silenced = true, .inhibited = true, .muted = true};

static void test_json__alert(void **state)
{
    (void)state;
    struct fixture x;
    struct view v = {0};
    struct buf b = {0};
    open_fixture(&x);
    post(&x, "[{\"labels\":{\"n\":\"<&>\",\"a\":\"\\\"\"},\"annotations\":{\"s\":\"\"},"
             "\"startsAt\":\"2026-11-23T15:00:00.5Z\",\"generatorURL\":\"http://x/?a=1&b=2\"}]");
    assert_int_equal(view_alerts(x.e, &ALL, NOW, &v), OK);
    assert_int_equal(v.alert_count, 1);
    struct buf want = {0};
    buf_printf(&want,
               "{\"annotations\":{\"s\":\"\"},\"endsAt\":\"2026-11-23T16:05:00.000Z\","
               "\"fingerprint\":\"%016llx\",\"receivers\":[{\"name\":\"all\"}],"
               "\"startsAt\":\"2026-11-23T15:00:00.500Z\",\"status\":{\"inhibitedBy\":[],"
               "\"mutedBy\":[],\"silencedBy\":[],\"state\":\"active\"},"
               "\"updatedAt\":\"2026-11-23T16:00:00.000Z\","
               "\"generatorURL\":\"http://x/?a=1\\u0026b=2\","
               "\"labels\":{\"a\":\"\\\"\",\"n\":\"<&>\"}}",
               (unsigned long long)alert_fingerprint(v.alerts[0].alert->labels));
    json_alert(&b, &v.alerts[0], NULL, 0);
    assert_string_equal(buf_cstr(&b), buf_cstr(&want));
    buf_reset(&b);
    const str ids[] = {STR("i"), STR("j")};
    v.alerts[0].silenced_by = ids;
    v.alerts[0].silenced_count = 2;
    v.alerts[0].inhibited = true;
    v.alerts[0].inhibited_by = 0xabc;
    json_alert(&b, &v.alerts[0], ids, 1);
    assert_non_null(strstr(buf_cstr(&b),
                           "\"status\":{\"inhibitedBy\":[\"0000000000000abc\"],\"mutedBy\":[\"i\"],"
                           "\"silencedBy\":[\"i\",\"j\"],\"state\":\"suppressed\"}"));
    buf_fini(&want);
    buf_fini(&b);
    view_close(&v);
    close_fixture(&x);
}

static void test_json__fingerprint_is_alertmanagers(void **state)
{
    (void)state;
    /* as Alertmanager 0.25 answered */
    const struct label A[] = {{STR("sev"), STR("crit")}};
    const struct label B[] = {{STR("a"), STR("<&>")}, {STR("alertname"), STR("A")}};
    assert_true(alert_fingerprint((struct labels){A, 1}) == UINT64_C(0x9f237baad9045403));
    assert_true(alert_fingerprint((struct labels){B, 2}) == UINT64_C(0x64b75744fcc3a0fe));
}

static void test_json__group(void **state)
{
    (void)state;
    struct fixture x;
    struct view v = {0};
    struct buf b = {0};
    open_fixture(&x);
    post(&x, "[{\"labels\":{\"n\":\"1\",\"m\":\"1\"}}]");
    assert_int_equal(view_groups(x.e, &ALL, NOW, &v), OK);
    view_sort(&v);
    assert_int_equal(v.group_count, 1);
    json_group_begin(&b, &v.groups[0]);
    json_group_end(&b);
    json_alert(&b, v.groups[0].alerts[0], v.groups[0].muted_by, v.groups[0].muted_count);
    const char *text = buf_cstr(&b), *want = "{\"labels\":{\"n\":\"1\"},\"receiver\":{\"name\":"
                                             "\"muted\"},\"routeLabels\":{\"tier\":"
                                             "\"\\u003c1\\u003e\"},\"alerts\":[]}";
    assert_memory_equal(text, want, strlen(want));
    assert_non_null(strstr(text, "\"mutedBy\":[\"ever\"],\"silencedBy\":[],"
                                 "\"state\":\"suppressed\"}"));
    view_close(&v);
    buf_fini(&b);
    close_fixture(&x);
}

static void set(struct fixture *x, const char *matchers, int64_t starts_ms, int64_t ends_ms)
{
    struct arena a;
    struct diag d = {.text = ""};
    struct pair note = {STR("k"), STR("v")};
    struct silence s = {.starts_at_ms = NOW + starts_ms,
                        .ends_at_ms = NOW + ends_ms,
                        .created_by = STR("<me>"),
                        .comment = STR("\xc3\xa9")};
    str id;
    arena_init(&a, 1 << 16);
    if (starts_ms > 0)
        s.annotations = (struct pairs){&note, 1};
    assert_int_equal(alert_matchers_parse(str_from(matchers), &a, &s.matchers, NULL, &d), OK);
    assert_int_equal(silences_set(engine_silences(x->e), &s, NOW - 1000, &id, &d), OK);
    alert_matchers_fini(&s.matchers);
    arena_fini(&a);
}

static void test_json__silences(void **state)
{
    (void)state;
    struct fixture x;
    struct buf b = {0};
    const struct silence *order[6];
    open_fixture(&x);
    set(&x, "a=1", -1000, -500); /* expired */
    set(&x, "b=1", -1000, -200);
    set(&x, "c=1", 3000, 9000); /* pending */
    set(&x, "d=1", 2000, 10000);
    set(&x, "e=1", -1000, 5000); /* active */
    set(&x, "f=1,g!~h|i,j!=k,l=~m", -1000, 4000);
    const struct silences *all = engine_silences(x.e);
    assert_int_equal(silences_count(all), 6);
    for (size_t i = 0; i < 6; i++)
        order[i] = silences_at(all, i);
    silences_order(order, 6, NOW);
    for (size_t i = 0; i < 6; i++)
        buf_put_str(&b, order[i]->matchers.items[0].name);
    assert_string_equal(buf_cstr(&b), "fedcba");
    buf_reset(&b);
    json_silence(&b, order[0], NOW);
    const char *at = strstr(buf_cstr(&b), ",\"status\"");
    assert_non_null(at);
    assert_string_equal(
        at, ",\"status\":{\"state\":\"active\"},\"updatedAt\":\"2026-11-23T15:59:59.000Z\","
            "\"comment\":\"\xc3\xa9\",\"createdBy\":\"\\u003cme\\u003e\","
            "\"endsAt\":\"2026-11-23T16:00:04.000Z\",\"matchers\":["
            "{\"isEqual\":true,\"isRegex\":false,\"name\":\"f\",\"value\":\"1\"},"
            "{\"isEqual\":false,\"isRegex\":true,\"name\":\"g\",\"value\":\"h|i\"},"
            "{\"isEqual\":false,\"isRegex\":false,\"name\":\"j\",\"value\":\"k\"},"
            "{\"isEqual\":true,\"isRegex\":true,\"name\":\"l\",\"value\":\"m\"}],"
            "\"startsAt\":\"2026-11-23T15:59:59.000Z\"}");
    buf_reset(&b);
    json_silence(&b, order[3], NOW);
    assert_non_null(strstr(buf_cstr(&b), "\"status\":{\"state\":\"pending\"}"));
    assert_non_null(strstr(buf_cstr(&b), "\"annotations\":{\"k\":\"v\"},"));
    buf_reset(&b);
    json_silence(&b, order[5], NOW);
    assert_non_null(strstr(buf_cstr(&b), "\"status\":{\"state\":\"expired\"}"));
    buf_fini(&b);
    close_fixture(&x);
}

static void test_json__server(void **state)
{
    (void)state;
    struct fixture x;
    struct buf b = {0}, yaml = {0};
    struct arena a;
    struct diag d = {.text = ""};
    struct alert_matchers kind;
    open_fixture(&x);
    json_receivers(&b, x.f, NULL, 0);
    assert_string_equal(buf_cstr(&b),
                        "[{\"name\":\"all\"},{\"name\":\"muted\",\"labels\":{\"kind\":\"x\"}}]");
    buf_reset(&b);
    arena_init(&a, 1 << 16);
    assert_int_equal(alert_matchers_parse(STR("kind!=x"), &a, &kind, NULL, &d), OK);
    json_receivers(&b, x.f, &kind, 1);
    assert_string_equal(buf_cstr(&b), "[{\"name\":\"all\"}]");
    alert_matchers_fini(&kind);
    arena_fini(&a);
    buf_reset(&b);
    json_alertmanager_status(&b, x.f, "1.2.3", NOW - 1);
    const char *text = buf_cstr(&b);
    assert_non_null(strstr(text, "{\"cluster\":{\"peers\":[],\"status\":\"disabled\"},\"config\":"
                                 "{\"original\":\"global:\\n"));
    assert_non_null(strstr(text, "},\"uptime\":\"2026-11-23T15:59:59.999Z\",\"versionInfo\":{"));
    assert_non_null(strstr(text, "\"version\":\"0.34.0+varve.1.2.3\"}}"));
    buf_fini(&yaml);
    buf_fini(&b);
    close_fixture(&x);
}

static void test_json__times(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } CASES[] = {{0, "\"1970-01-01T00:00:00.000Z\""},
                 {-1, "\"1969-12-31T23:59:59.999Z\""},
                 {1500, "\"1970-01-01T00:00:01.500Z\""},
                 {INT64_C(-62135596800000), "\"0001-01-01T00:00:00.000Z\""}};
    struct buf b = {0};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        buf_reset(&b);
        json_time_ms(&b, CASES[i].ms);
        assert_string_equal(buf_cstr(&b), CASES[i].text);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__alert),
        cmocka_unit_test(test_json__fingerprint_is_alertmanagers),
        cmocka_unit_test(test_json__group),
        cmocka_unit_test(test_json__silences),
        cmocka_unit_test(test_json__server),
        cmocka_unit_test(test_json__times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
