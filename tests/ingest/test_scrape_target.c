/* test_scrape_target.c -- from what discovery found to targets: labels, URLs, what is no target and
 * why, and the Accept header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/scrape_target.h"

static struct scrape_config job(void)
{
    return (struct scrape_config){.job_name = STR("j"),
                                  .scrape_interval_ms = 15000,
                                  .scrape_timeout_ms = 10000,
                                  .metrics_path = STR("/metrics"),
                                  .scheme = STR("http")};
}

/* The target of `found` (ends with a NULL name) as "URL labels", or "dropped", or the error. */
static const char *made(const struct scrape_config *c, const char *const (*found)[2])
{
    static struct buf text;
    struct label items[8];
    struct arena a;
    struct labels discovered;
    struct scrape_target *t;
    struct diag d = {.text = ""};
    size_t n = 0;
    for (; found[n][0] != NULL; n++)
        items[n] = (struct label){str_from(found[n][0]), str_from(found[n][1])};
    arena_init(&a, 1 << 20);
    buf_reset(&text);
    struct labels ls = {items, labels_sort(items, n)};
    if (scrape_target_make(c, ls, &a, &discovered, &t, &d) != OK) {
        buf_printf(&text, "%s", d.text);
    } else if (t == NULL) {
        buf_printf(&text, "dropped");
    } else {
        buf_printf(&text, STR_FMT " ", STR_ARG(t->url));
        labels_format(t->shown, &text);
        scrape_target_free(t);
    }
    arena_fini(&a);
    buf_put_u8(&text, '\0');
    return (const char *)text.ptr;
}

#define FOUND(...) ((const char *const[][2]){__VA_ARGS__, {NULL, NULL}})

static void test_target__labels_and_url(void **state)
{
    (void)state;
    struct scrape_config c = job();
    assert_string_equal(made(&c, FOUND({"__address__", "h:80"}, {"a", "b"}, {"__meta_x", "y"})),
                        "http://h:80/metrics {a=\"b\", instance=\"h:80\", job=\"j\"}");
    assert_string_equal(made(&c, FOUND({"__address__", "h"}, {"instance", "i"}, {"job", "k"},
                                       {"__scheme__", "https"}, {"__metrics_path__", "p q"})),
                        "https://h/p%20q {instance=\"i\", job=\"k\"}");
    str a[] = {STR("1"), STR("2")}, b[] = {STR("x y&")};
    struct named_texts params[] = {{STR("z"), {a, 2}}, {STR("b"), {b, 1}}};
    c.params = (struct multimap){params, 2};
    assert_string_equal(
        made(&c, FOUND({"__address__", "[::1]:1"}, {"__param_z", "0"}, {"__param_c", "3"})),
        "http://[::1]:1/metrics?b=x+y%26&c=3&z=0&z=2 {instance=\"[::1]:1\", job=\"j\"}");
}

static void test_target__what_is_none(void **state)
{
    (void)state;
    struct scrape_config c = job();
    assert_string_equal(made(&c, FOUND({"a", "b"})), "no address");
    assert_string_equal(made(&c, FOUND({"__address__", "h/x"})), "\"h/x\" is not a valid hostname");
    assert_string_equal(made(&c, FOUND({"__address__", "h"}, {"__scrape_interval__", "1x"})),
                        "error parsing scrape interval: unknown unit \"x\" in duration \"1x\"");
    assert_string_equal(made(&c, FOUND({"__address__", "h"}, {"__scrape_interval__", "0s"})),
                        "scrape interval cannot be 0");
    assert_string_equal(made(&c, FOUND({"__address__", "h"}, {"__scrape_timeout__", "0"})),
                        "scrape timeout cannot be 0");
    assert_string_equal(
        made(&c, FOUND({"__address__", "h"}, {"__scrape_timeout__", "20s"})),
        "scrape timeout cannot be greater than scrape interval (\"20s\" > \"15s\")");
    assert_string_equal(made(&c, FOUND({"__address__", "h"}, {"a", "\xff"})),
                        "invalid label value for \"a\": \"\\xff\"");
}

static struct scrape_histograms histograms_of(const struct scrape_config *c, const char *name,
                                              const char *value)
{
    struct label found[] = {{STR("__address__"), STR("h")}, {str_from(name), str_from(value)}};
    struct labels discovered;
    struct scrape_target *t;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_int_equal(scrape_target_make(c, (struct labels){found, 2}, &a, &discovered, &t, NULL),
                     OK);
    struct scrape_histograms h = t->histograms;
    scrape_target_free(t);
    arena_fini(&a);
    return h;
}

static void test_target__histograms(void **state)
{
    (void)state;
    struct scrape_config c = job();
    struct scrape_histograms h = histograms_of(&c, "a", "b");
    assert_false(h.native || h.classic || h.convert);
    assert_true(histograms_of(&c, "__scrape_native_histograms__", "true").native);
    assert_true(histograms_of(&c, "__always_scrape_classic_histograms__", "1").classic);
    assert_true(histograms_of(&c, "__convert_classic_histograms_to_nhcb__", "T").convert);
    c.scrape_native_histograms = c.always_scrape_classic_histograms = 1;
    c.convert_classic_histograms_to_nhcb = 1;
    h = histograms_of(&c, "a", "b");
    assert_true(h.native && h.classic && h.convert);
    h = histograms_of(&c, "__scrape_native_histograms__", "false");
    assert_true(!h.native && h.classic && h.convert);
    assert_false(histograms_of(&c, "__always_scrape_classic_histograms__", "FALSE").classic);
    assert_false(histograms_of(&c, "__convert_classic_histograms_to_nhcb__", "f").convert);
    assert_string_equal(
        made(&c, FOUND({"__address__", "h"}, {"__scrape_native_histograms__", "yes"})),
        "invalid boolean for \"__scrape_native_histograms__\": \"yes\"");
}

static void test_target__equal_targets_have_equal_hashes(void **state)
{
    (void)state;
    struct scrape_config c = job();
    struct label x[] = {{STR("__address__"), STR("h")}, {STR("__meta_a"), STR("1")}};
    struct label y[] = {{STR("__address__"), STR("h")}, {STR("__meta_a"), STR("2")}};
    struct label z[] = {{STR("__address__"), STR("h")}, {STR("b"), STR("2")}};
    struct labels sets[] = {{x, 2}, {y, 2}, {z, 2}}, discovered;
    struct scrape_target *t[3];
    struct arena a;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 3; i++)
        assert_int_equal(scrape_target_make(&c, sets[i], &a, &discovered, &t[i], NULL), OK);
    assert_true(t[0]->hash == t[1]->hash);
    assert_true(t[0]->hash != t[2]->hash);
    for (uint64_t seed = 0; seed < 1000; seed++) {
        int64_t offset = scrape_target_offset_ns(t[0], seed << 20);
        assert_in_range(offset, 0, INT64_C(15000000000) - 1);
        assert_int_equal(offset % (SCRAPE_GRID_MS * INT64_C(1000000)), 0);
    }
    t[0]->interval_ms = 1000;
    assert_int_equal(scrape_target_offset_ns(t[0], 1) % 10000000, 0);
    for (int i = 0; i < 3; i++)
        scrape_target_free(t[i]);
    arena_fini(&a);
}

static void test_accept__follows_the_protocols(void **state)
{
    (void)state;
    struct buf b = {0};
    struct scrape_protocols p = {{SCRAPE_PROTO, SCRAPE_OPENMETRICS_1_0_0, SCRAPE_TEXT_0_0_4}, 3};
    scrape_accept_header(&p, ESCAPING_UNDERSCORES, &b);
    assert_string_equal(buf_cstr(&b),
                        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
                        "encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;"
                        "escaping=underscores;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target__labels_and_url),
        cmocka_unit_test(test_target__what_is_none),
        cmocka_unit_test(test_target__histograms),
        cmocka_unit_test(test_target__equal_targets_have_equal_hashes),
        cmocka_unit_test(test_accept__follows_the_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
