/* test_health.c -- health as JSON and metrics, its size, and which silence counts as a hang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/jtree.h"
#include "base/mem.h"
#include "http/api.h"

static struct health_snapshot *a_snapshot(size_t count)
{
    struct health_snapshot *s = mem_zalloc(1, sizeof(*s) + count * sizeof(struct health_view));
    static struct timing none;
    s->made_mono_ns = clock_mono_ns();
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        struct health_view *v = &s->checks[i];
        (void)snprintf(v->name, sizeof(v->name), "check%zu", i);
        (void)snprintf(v->type, sizeof(v->type), "test");
        v->weight = 1;
        v->seconds = &none;
    }
    health_judge(s->checks, s->count, &s->status, &s->score);
    return s;
}

static void render(const struct health_snapshot *s, const char *check, bool verbose, struct buf *b)
{
    static struct api api = {.version = "1.2.3"};
    const struct health_json how = {.verbose = verbose, .check = str_from(check)};
    api.start_ms = clock_wall_ms();
    health_json(&api, s, &how, b);
    struct diag d = {.text = ""};
    struct jtree *tree;
    assert_int_equal(jtree_parse(buf_slice(b), &tree, &d), OK);
    jtree_free(tree);
}

static bool has(const struct buf *b, const char *text)
{
    return memmem(b->ptr, b->len, text, strlen(text)) != NULL;
}

static void test_json__tells_of_checks(void **state)
{
    (void)state;
    struct buf b = {0};
    struct health_snapshot *s = a_snapshot(2);
    struct health_view *v = &s->checks[1];
    v->status = HEALTH_DEGRADED;
    v->external = true;
    v->circuit = HEALTH_HALF_OPEN;
    v->last_run_ms = 1700000000123;
    v->latency_ns = 1234567;
    health_say(&v->report, HEALTH_DEGRADED, "a \"quoted\" reason");
    health_number(&v->report, "ratio", 0.5);
    health_number(&v->report, "lag", 0.0 / 0.0);
    health_text(&v->report, "mode", STR("ack"));
    render(s, "", true, &b);
    assert_true(has(&b, "\"status\":\"degraded\"") && has(&b, "\"score\":100"));
    assert_true(has(&b, "\"latency_ms\":1.234,"));
    assert_true(has(&b, "\"last_run\":\"2023-11-14T22:13:20.123Z\",\"last_success\":null"));
    assert_true(has(&b, "\"message\":\"a \\\"quoted\\\" reason\""));
    assert_true(has(&b, "\"circuit\":\"half_open\""));
    assert_true(has(&b, "\"details\":{\"ratio\":0.5,\"lag\":null,\"mode\":\"ack\"}"));
    buf_reset(&b);
    render(s, "check1", false, &b);
    assert_true(has(&b, "check1") && !has(&b, "check0") && !has(&b, "details"));
    buf_fini(&b);
    mem_free(s);
}

/* Probes have small buffers: the worst there can be stays below 64 KiB. */
static void test_json__is_bounded(void **state)
{
    (void)state;
    static const char *const NAMES[] = {
        "a_number_with_a_name_1",  "a_number_with_a_name_2",  "a_number_with_a_name_3",
        "a_number_with_a_name_4",  "a_number_with_a_name_5",  "a_number_with_a_name_6",
        "a_number_with_a_name_7",  "a_number_with_a_name_8",  "a_number_with_a_name_9",
        "a_number_with_a_name_10", "a_number_with_a_name_11", "a_number_with_a_name_12"};
    static_assert(COUNT_OF(NAMES) == HEALTH_DETAILS_MAX, "a name each");
    struct buf b = {0};
    struct health_snapshot *s = a_snapshot(HEALTH_CHECKS_MAX);
    for (size_t i = 0; i < s->count; i++) {
        struct health_view *v = &s->checks[i];
        v->status = HEALTH_UNHEALTHY;
        v->external = true;
        v->last_run_ms = v->last_success_ms = 1700000000123;
        v->latency_ns = v->consecutive_failures = 123456789;
        memset(v->report.message, 'm', sizeof(v->report.message) - 1);
        for (unsigned k = 0; k < HEALTH_DETAILS_MAX; k++)
            health_number(&v->report, NAMES[k], 1.2345678901234567e-300);
    }
    render(s, "", true, &b);
    assert_true(b.len < 64 << 10);
    buf_fini(&b);
    mem_free(s);
}

static void test_metrics__name_every_check(void **state)
{
    (void)state;
    struct buf b = {0};
    struct health_snapshot *s = a_snapshot(2);
    s->checks[0].critical = true;
    s->checks[1].status = HEALTH_DEGRADED;
    s->checks[1].results[HEALTH_RAN_TIMEOUT] = 7;
    (void)snprintf(s->checks[1].name, sizeof(s->checks[1].name), "with \"quotes\"");
    health_judge(s->checks, s->count, &s->status, &s->score);
    health_metrics_text(s, false, &b);
    assert_true(has(&b, "health_score 75\n"));
    assert_true(has(&b, "health_status{status=\"degraded\"} 1\n"));
    assert_true(has(&b, "health_status{status=\"healthy\"} 0\n"));
    assert_true(
        has(&b, "health_check_status{check=\"check0\",type=\"test\",critical=\"true\"} 1\n"));
    assert_true(has(
        &b, "health_check_status{check=\"with _quotes_\",type=\"test\",critical=\"false\"} 0.5\n"));
    assert_true(has(&b, "health_check_runs_total{check=\"with _quotes_\",result=\"timeout\"} 7\n"));
    assert_true(has(&b, "# TYPE health_check_runs_total counter\n"));
    buf_reset(&b);
    health_metrics_text(s, true, &b);
    assert_true(has(&b, "# TYPE health_check_runs counter\n"));
    buf_fini(&b);
    mem_free(s);
}

static void test_live__silence_is_a_hang(void **state)
{
    (void)state;
    static struct api api;
    uint64_t now = clock_mono_ns(), ms = 1000000;
    assert_null(health_hung(&api)); /* the main thread does not wait yet: it opens the store */
    atomic_store(&api.health.main_beat_mono_ns, now - (HEALTH_BEAT_MS_MAX - 2000) * ms);
    assert_null(health_hung(&api));
    atomic_store(&api.health.main_beat_mono_ns, now - (HEALTH_BEAT_MS_MAX + 1) * ms);
    assert_string_equal(health_hung(&api), "main loop");
    atomic_store(&api.stopping, true); /* it ends in good order */
    assert_null(health_hung(&api));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__tells_of_checks),
        cmocka_unit_test(test_json__is_bounded),
        cmocka_unit_test(test_metrics__name_every_check),
        cmocka_unit_test(test_live__silence_is_a_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
