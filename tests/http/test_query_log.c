/* test_query_log.c -- lines of the query log; where they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "http/query_log.h"

static struct query_event event(void)
{
    struct query_event e = {.kind = "query_range",
                            .text = STR("up > \"\n\""),
                            .start_ms = 1581173990368,
                            .end_ms = 1581174000000,
                            .step_ms = 5000,
                            .queue_ns = 2000000,
                            .stats = {.samples_queryable = 3,
                                      .samples_read = 4,
                                      .samples_peak = 5,
                                      .prepare_ns = 1000000,
                                      .exec_ns = 500000000,
                                      .sort_ns = 250000000},
                            .error = "",
                            .method = STR("GET"),
                            .path = STR("/api/v1/query_range"),
                            .origin = {.client = STR("127.0.0.1")}};
    return e;
}

static void check(const struct query_event *e, const char *expected)
{
    struct buf b = {0};
    query_log_line(e, 1581174000007, &b);
    assert_string_equal(buf_cstr(&b), expected);
    buf_fini(&b);
}

#define HEAD                                                                                       \
    "{\"time\":\"2020-02-08T15:00:00.007Z\",\"level\":\"INFO\",\"msg\":\"promql query logged\","   \
    "\"params\":{\"end\":\"2020-02-08T15:00:00.000Z\",\"query\":\"up > \\\"\\n\\\"\","             \
    "\"start\":\"2020-02-08T14:59:50.368Z\",\"step\":5}"
#define STATS                                                                                      \
    ",\"stats\":{\"timings\":{\"evalTotalTime\":0.5,\"resultSortTime\":0.25,"                      \
    "\"queryPreparationTime\":0.001,\"innerEvalTime\":0.25,\"execQueueTime\":0.002,"               \
    "\"execTotalTime\":0.501},\"samples\":{\"totalQueryableSamples\":3,\"samplesRead\":4,"         \
    "\"peakSamples\":5}}"
#define TAIL ",\"ts\":\"2020-02-08T15:00:00.007Z\"}"

static void test_query_log__line_of_a_request(void **state)
{
    (void)state;
    struct query_event e = event();
    check(&e, HEAD STATS ",\"httpRequest\":{\"clientIP\":\"127.0.0.1\",\"method\":\"GET\",\"path\":"
                         "\"/api/v1/query_range\"}" TAIL);
}

static void test_query_log__line_of_an_error_with_headers(void **state)
{
    (void)state;
    struct query_event e = event();
    e.status = ERR_CANCELED;
    e.error = "query was canceled";
    e.origin.tags[ORIGIN_DASHBOARD_UID] = STR("d\"1");
    e.origin.tags[ORIGIN_TRACEPARENT] =
        STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    check(&e, HEAD ",\"error\":\"query was canceled\"" STATS
                   ",\"httpRequest\":{\"clientIP\":\"127.0.0.1\",\"method\":\"GET\",\"path\":"
                   "\"/api/v1/query_range\"},\"spanID\":\"b7ad6b7169203331\",\"traceID\":"
                   "\"0af7651916cd43dd8448eb211c80319c\",\"dashboardUid\":\"d\\\"1\"" TAIL);
}

static void test_query_log__line_of_a_rule(void **state)
{
    (void)state;
    struct query_event e = event();
    e.path = e.method = STR("");
    e.rule_file = STR("/etc/r.yml");
    e.rule_group = STR("g");
    check(&e, HEAD STATS ",\"ruleGroup\":{\"file\":\"/etc/r.yml\",\"name\":\"g\"}" TAIL);
}

static size_t lines_of(const char *path)
{
    struct buf b = {0};
    size_t n = 0;
    assert_int_equal(fs_read_file(fs_posix(), path, 1 << 20, &b), OK);
    for (size_t i = 0; i < b.len; i++)
        n += b.ptr[i] == '\n';
    buf_fini(&b);
    return n;
}

static void test_query_log__can_be_moved_and_switched_off(void **state)
{
    (void)state;
    char dir[] = "/tmp/query-log-XXXXXX", path[64], moved[64];
    struct query_log l;
    struct query_event e = event();
    struct diag d = {.text = ""};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(moved, sizeof(moved), "%s/old", dir);
    query_log_init(&l);
    query_log_write(&l, &e); /* off */
    assert_int_equal(query_log_set(&l, path, &d), OK);
    query_log_write(&l, &e);
    query_log_write(&l, &e);
    assert_int_equal(lines_of(path), 2);
    assert_int_equal(rename(path, moved), 0);
    query_log_write(&l, &e);
    assert_int_equal(lines_of(moved), 3);
    assert_int_equal(query_log_set(&l, path, &d), OK);
    query_log_write(&l, &e);
    assert_int_equal(lines_of(path), 1);
    assert_int_equal(query_log_set(&l, "/nonexistent/log", &d), ERR_IO);
    assert_non_null(strstr(d.text, "/nonexistent/log"));
    query_log_write(&l, &e); /* as before */
    assert_int_equal(lines_of(path), 2);
    assert_int_equal(query_log_set(&l, "", &d), OK);
    query_log_write(&l, &e);
    assert_int_equal(lines_of(path), 2);
    assert_int_equal(l.failures, 0);
    query_log_fini(&l);
    (void)unlink(path);
    (void)unlink(moved);
    (void)rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_log__line_of_a_request),
        cmocka_unit_test(test_query_log__line_of_an_error_with_headers),
        cmocka_unit_test(test_query_log__line_of_a_rule),
        cmocka_unit_test(test_query_log__can_be_moved_and_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
