/* test_metrics_json.c -- our text format as ProtoJSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/metrics_json.h"

static const char TEXT[] = "# HELP a_total Things <counted>.\n# TYPE a_total counter\na_total 3\n"
                           "# HELP b Two.\n# TYPE b gauge\n"
                           "b{x=\"1\",y=\"q\\\"\\\\\\n\"} 1e-07\nb{x=\"2\"} +Inf\nb NaN\n"
                           "# HELP h Seconds.\n# TYPE h histogram\n"
                           "h_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 4\n"
                           "h_sum 7.5\nh_count 4\n"
                           "# HELP g By path.\n# TYPE g histogram\n"
                           "g_bucket{p=\"a\",le=\"1\"} 1\ng_bucket{p=\"a\",le=\"+Inf\"} 1\n"
                           "g_sum{p=\"a\"} 1\ng_count{p=\"a\"} 1\n"
                           "g_bucket{p=\"b\",le=\"+Inf\"} 0\ng_sum{p=\"b\"} 0\ng_count{p=\"b\"} 0\n"
                           "# HELP q Summary.\n# TYPE q summary\n"
                           "q{s=\"x\",quantile=\"0.5\"} NaN\nq{s=\"x\",quantile=\"0.9\"} 2\n"
                           "q_sum{s=\"x\"} 3\nq_count{s=\"x\"} 4\n"
                           "# HELP none No series.\n# TYPE none counter\n";

static void check(const char *pattern, const char *want)
{
    struct regex *re = NULL;
    struct buf got = {0};
    struct diag d = {.text = ""};
    if (pattern != NULL)
        assert_int_equal(regex_compile(str_from(pattern), &re, &d), OK);
    metrics_json(str_from(TEXT), re, &got);
    buf_put_u8(&got, 0);
    assert_string_equal((const char *)got.ptr, want);
    buf_fini(&got);
    if (re != NULL)
        regex_close(re);
}

static void test_metrics_json__all_types(void **state)
{
    (void)state;
    check(
        NULL,
        "[{\"name\":\"a_total\",\"help\":\"Things \\u003ccounted\\u003e.\",\"type\":\"COUNTER\","
        "\"metric\":[{\"counter\":{\"value\":3}}]},"
        "{\"name\":\"b\",\"help\":\"Two.\",\"type\":\"GAUGE\",\"metric\":["
        "{\"label\":[{\"name\":\"x\",\"value\":\"1\"},{\"name\":\"y\",\"value\":\"q\\\"\\\\\\n\"}],"
        "\"gauge\":{\"value\":1e-7}},"
        "{\"label\":[{\"name\":\"x\",\"value\":\"2\"}],\"gauge\":{\"value\":\"Infinity\"}},"
        "{\"gauge\":{\"value\":\"NaN\"}}]},"
        "{\"name\":\"h\",\"help\":\"Seconds.\",\"type\":\"HISTOGRAM\",\"metric\":[{\"histogram\":{"
        "\"bucket\":[{\"cumulativeCount\":\"1\",\"upperBound\":0.5},"
        "{\"cumulativeCount\":\"2\",\"upperBound\":1}],\"sampleSum\":7.5,\"sampleCount\":\"4\"}}]},"
        "{\"name\":\"g\",\"help\":\"By path.\",\"type\":\"HISTOGRAM\",\"metric\":["
        "{\"label\":[{\"name\":\"p\",\"value\":\"a\"}],\"histogram\":{\"bucket\":["
        "{\"cumulativeCount\":\"1\",\"upperBound\":1}],\"sampleSum\":1,\"sampleCount\":\"1\"}},"
        "{\"label\":[{\"name\":\"p\",\"value\":\"b\"}],\"histogram\":{"
        "\"sampleSum\":0,\"sampleCount\":\"0\"}}]},"
        "{\"name\":\"q\",\"help\":\"Summary.\",\"type\":\"SUMMARY\",\"metric\":[{\"label\":["
        "{\"name\":\"s\",\"value\":\"x\"}],\"summary\":{\"quantile\":[{\"quantile\":0.5,\"value\":"
        "\"NaN\"},"
        "{\"quantile\":0.9,\"value\":2}],\"sampleSum\":3,\"sampleCount\":\"4\"}}]},"
        "{\"name\":\"none\",\"help\":\"No series.\",\"type\":\"COUNTER\",\"metric\":[]}]");
}

static void test_metrics_json__pattern_is_anchored(void **state)
{
    (void)state;
    check("a_.*", "[{\"name\":\"a_total\",\"help\":\"Things \\u003ccounted\\u003e.\",\"type\":"
                  "\"COUNTER\",\"metric\":[{\"counter\":{\"value\":3}}]}]");
    check("a", "[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_metrics_json__all_types),
                                       cmocka_unit_test(test_metrics_json__pattern_is_anchored)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
