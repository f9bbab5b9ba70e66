/* test_scrape_append.c -- pages into a store, scrape by scrape: what is stored, marked stale,
 * counted and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ingest/scrape_append.h"
#include "ingest/scrape_labels.h"
#include "support/db_testing.h"

struct fixture {
    struct fs_sim *sim;
    struct db *db;
    struct scrape_env env;
    struct scrape_config config;
    struct scrape_memory memory;
    struct scrape_append append;
    struct label target[2];
    int64_t ts_ms; /* of the last scrape */
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.sim = fs_sim_new(1)};
    f.db = testing_open(f.sim, NULL);
    f.env = (struct scrape_env){.db = f.db};
    keyed_hash_init(&f.env.hash);
    f.config = (struct scrape_config){.job_name = STR("j"),
                                      .honor_timestamps = true,
                                      .fallback_protocol = SCRAPE_PROTOCOLS,
                                      .names = NAMES_UTF8};
    scrape_memory_init(&f.memory);
    scrape_append_open(&f.append, &f.env);
    f.target[0] = (struct label){STR("instance"), STR("i")};
    f.target[1] = (struct label){STR("job"), STR("j")};
    f.ts_ms = T0;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    scrape_append_close(&f->append);
    scrape_memory_fini(&f->memory);
    db_close(f->db);
    fs_sim_free(f->sim);
    return 0;
}

/* One scrape, a second after the last. Returns why it failed, "" when it did not. */
static const char *scrape_as(struct fixture *f, str page, const char *type, const char *error,
                             bool end)
{
    struct scrape_append *a = &f->append;
    f->ts_ms += 1000;
    struct scrape_input in = {.config = &f->config,
                              .memory = &f->memory,
                              .target = {f->target, 2},
                              .ts_ms = f->ts_ms,
                              .timeout_ms = 10000,
                              .start_mono_ns = clock_mono_ns(),
                              .error = error,
                              .body_bytes = (int64_t)page.len,
                              .content_type = str_from(type),
                              .end_of_life = end};
    buf_reset(&a->page);
    buf_put_str(&a->page, page);
    err last;
    scrape_append_begin(a, &in);
    do
        last = db_commit_wait(f->db, &a->batch);
    while (!scrape_append_end(a));
    assert_int_equal(last, OK);
    return a->diag.text;
}

static const char *scrape(struct fixture *f, const char *page)
{
    return scrape_as(f, str_from(page), "text/plain; version=0.0.4", NULL, false);
}

static void check(struct fixture *f, const char *name, const char *expected)
{
    assert_string_equal(testing_get(f->db, name, T0 - 100000, T0 + 1000000), expected);
}

static void test_append__stores_samples_and_reports(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(scrape(f, "# HELP a Help.\n# TYPE a counter\na 1\nb{x=\"y\"} 2\n"), "");
    assert_string_equal(scrape(f, "# HELP a Help.\n# TYPE a counter\na 2\nb{x=\"y\"} 3\n"), "");
    check(f, "a", "1000:1 2000:2");
    check(f, "b", "1000:2 2000:3");
    check(f, "up", "1000:1 2000:1");
    check(f, "scrape_samples_scraped", "1000:2 2000:2");
    check(f, "scrape_samples_post_metric_relabeling", "1000:2 2000:2");
    check(f, "scrape_series_added", "1000:2 2000:0");
    check(f, "scrape_sample_limit", "");
    f->env.extra_metrics = true;
    assert_string_equal(scrape(f, "a 2\n"), "");
    check(f, "scrape_timeout_seconds", "3000:10");
    check(f, "scrape_body_size_bytes", "3000:4");
}

static void test_append__vanished_series_end(void **state)
{
    struct fixture *f = *state;
    (void)scrape(f, "a 1\nb 1\nc 1 1700000000500\n");
    (void)scrape(f, "a 2\n");
    (void)scrape(f, "a 3\nb 3\n");
    check(f, "a", "1000:1 2000:2 3000:3");
    check(f, "b", "1000:1 2000:NaN 3000:3");
    check(f, "c", "500:1"); /* has time stamps of its own */
    check(f, "scrape_series_added", "1000:3 2000:0 3000:1");
}

static void test_append__timestamps_can_be_tracked_or_ignored(void **state)
{
    struct fixture *f = *state;
    f->config.track_timestamps_staleness = true;
    (void)scrape(f, "a 1 1700000000500\n");
    (void)scrape(f, "b 1\n");
    check(f, "a", "500:1 2000:NaN");
    f->config.honor_timestamps = false;
    (void)scrape(f, "c 1 1700000000500\n");
    check(f, "c", "3000:1");
}

static void test_append__what_ends_when_scrapes_fail(void **state)
{
    struct fixture *f = *state;
    (void)scrape(f, "a 1\nb 1\n");
    assert_string_equal(scrape_as(f, STR(""), "", "connection refused", false),
                        "connection refused");
    assert_string_equal(scrape_as(f, STR(""), "", "connection refused", false),
                        "connection refused");
    check(f, "a", "1000:1 2000:NaN");
    check(f, "up", "1000:1 2000:0 3000:0");
    (void)scrape(f, "a 4\nb 4\n");
    check(f, "scrape_series_added", "1000:2 2000:0 3000:0 4000:0");
    assert_string_equal(
        scrape(f, "a{} 5\n}\nb 5\n"),
        "expected a valid start token, got \"}\" (\"INVALID\") while parsing: \"}\"");
    check(f, "a", "1000:1 2000:NaN 4000:4"); /* above the break, written otherwise */
    check(f, "b", "1000:1 2000:NaN 4000:4 5000:NaN");
    check(f, "up", "1000:1 2000:0 3000:0 4000:1 5000:0");
    check(f, "scrape_samples_scraped", "1000:2 2000:0 3000:0 4000:2 5000:1");
    assert_string_equal(scrape_as(f, STR(""), "", "connection refused", false),
                        "connection refused");
    check(f, "a", "1000:1 2000:NaN 4000:4 6000:NaN");
    check(f, "b", "1000:1 2000:NaN 4000:4 5000:NaN");
}

static void test_append__an_empty_page_is_no_failure(void **state)
{
    struct fixture *f = *state;
    (void)scrape(f, "a 1\n");
    assert_string_equal(scrape_as(f, STR(""), "", NULL, false), "");
    check(f, "a", "1000:1 2000:NaN");
    check(f, "up", "1000:1 2000:1");
}

static void test_append__content_types(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(scrape_as(f, STR("a 1\n"), "", NULL, false),
                        "non-compliant scrape target sending blank Content-Type and no "
                        "fallback_scrape_protocol specified for target");
    assert_string_equal(scrape_as(f, STR("a 1\n"), "text/html", NULL, false),
                        "received unsupported Content-Type \"text/html\" and no "
                        "fallback_scrape_protocol specified for target");
    assert_string_equal(scrape_as(f, STR("a 1\n"), "text/", NULL, false),
                        "cannot parse Content-Type \"text/\" and no fallback_scrape_protocol for "
                        "target\nmime: expected token after slash");
    f->config.fallback_protocol = SCRAPE_TEXT_0_0_4;
    assert_string_equal(scrape_as(f, STR("a 1\n"), "text/html", NULL, false), "");
    assert_string_equal(scrape_as(f, STR("a 1\n"), "Text/Plain", NULL, false), "");
    assert_string_equal(
        scrape_as(f, STR("a 1\n# EOF\n"), "application/openmetrics-text", NULL, false), "");
}

static void test_append__duplicates(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(scrape(f, "a 1\na 2\nb{x=\"1\",y=\"2\"} 1\nb{y=\"2\",x=\"1\"} 2\n"), "");
    check(f, "a", "1000:1");
    check(f, "b", "1000:1");
    check(f, "scrape_samples_post_metric_relabeling", "1000:4");
    assert_int_equal(f->env.counters.duplicate, 2);
    assert_string_equal(scrape(f, "a{x=\"1\",x=\"2\"} 1\n"),
                        "label name \"x\" is not unique: invalid sample");
}

static void test_append__out_of_order(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(scrape(f, "a 1 1700000000500\n"), "");
    assert_string_equal(scrape(f, "a 2 1700000000400\n"), "");
    check(f, "a", "500:1");
    assert_int_equal(f->env.counters.out_of_order, 1);
    f->env.accept_out_of_order = true;
    assert_string_equal(scrape(f, "a 2 1700000000400\n"), "");
    check(f, "a", "400:2 500:1");
    assert_string_equal(scrape(f, "a 2 1800000000000\n"), "");
    assert_int_equal(f->env.counters.out_of_bounds, 1);
}

static void test_append__one_refused_line_does_not_hide_the_other(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(scrape(f, "a 1\nb 1\nb 2 1699999999000\n"), "");
    assert_string_equal(scrape(f, "a 2\n"), "");
    check(f, "b", "1000:1 2000:NaN");
    f->config.track_timestamps_staleness = true;
    assert_string_equal(scrape(f, "a 3\nc 1 1700000002500\nc 2 1700000002400\n"), "");
    assert_string_equal(scrape(f, "a 4\n"), "");
    check(f, "c", "2500:1 4000:NaN");
    assert_string_equal(scrape(f, "a 5\nc 2 1700000002400\n"), ""); /* nothing came of it */
    assert_string_equal(scrape(f, "a 6\n"), "");
    check(f, "c", "2500:1 4000:NaN");
}

static void test_append__a_help_that_changes_behind_a_known_type(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(scrape(f, "# TYPE a counter\n# HELP a One.\na 1\n"), "");
    assert_string_equal(
        scrape(f, "# TYPE a counter\n# HELP a Another, longer.\na 1\na{x=\"1\"} 2\n"), "");
    check(f, "scrape_series_added", "1000:1 2000:1");
}

static void test_append__sample_limit(void **state)
{
    struct fixture *f = *state;
    f->config.limits.samples = 2;
    assert_string_equal(scrape(f, "a 1\nb 1\n"), "");
    assert_string_equal(scrape(f, "a 1\nb 1\nc 1\nd 1\n"), "sample limit exceeded");
    check(f, "a", "1000:1");
    check(f, "c", "");
    check(f, "scrape_samples_scraped", "1000:2 2000:4");
    check(f, "scrape_samples_post_metric_relabeling", "1000:2 2000:4");
    check(f, "scrape_series_added", "1000:2 2000:0");
    assert_int_equal(f->env.counters.exceeded_sample_limit, 1);
    assert_string_equal(scrape(f, "a 1\nb 1\n"), "");
    check(f, "a", "1000:1 3000:1");
    assert_string_equal(scrape(f, "c 1\na 1\nb 1\n"), "sample limit exceeded");
    check(f, "a", "1000:1 3000:1");
    check(f, "b", "1000:1 3000:1 4000:NaN"); /* beyond the limit */
    check(f, "c", "");
}

static void test_append__label_limits(void **state)
{
    struct fixture *f = *state;
    f->config.limits.labels = 4;
    assert_string_equal(scrape(f, "a{x=\"1\"} 1\n"), "");
    assert_string_equal(scrape(f, "a{x=\"1\",y=\"2\"} 1\n"),
                        "label_limit exceeded (metric: a, number of labels: 5, limit: 4)");
    f->config.limits = (struct scrape_limits){.label_name_bytes = 8};
    assert_string_equal(scrape(f, "a{too_long_a_name=\"1\"} 1\n"),
                        "label_name_length_limit exceeded (metric: a, label name: too_long_a_name, "
                        "length: 15, limit: 8)");
    f->config.limits = (struct scrape_limits){.label_value_bytes = 3};
    assert_string_equal(scrape(f, "b{x=\"four\"} 1\n"),
                        "label_value_length_limit exceeded (metric: b, label name: x, value: "
                        "\"four\", length: 4, limit: 3)");
    assert_int_equal(f->env.counters.exceeded_label_limits, 3);
}

static void test_append__conflicting_labels(void **state)
{
    struct fixture *f = *state;
    struct arena a;
    struct labels ls;
    struct buf text = {0};
    const struct label page[] = {{LABEL_NAME, STR("m")},
                                 {STR("job"), STR("x")},
                                 {STR("exported_job"), STR("y")},
                                 {STR("instance"), STR("")}};
    arena_init(&a, 1 << 16);
    assert_int_equal(
        scrape_sample_labels(&f->config, (struct labels){f->target, 2}, page, 4, &a, &ls, NULL),
        OK);
    labels_format(ls, &text);
    assert_string_equal(buf_cstr(&text),
                        "{__name__=\"m\", exported_exported_job=\"x\", exported_job=\"y\", "
                        "instance=\"i\", job=\"j\"}");
    f->config.honor_labels = true;
    assert_int_equal(
        scrape_sample_labels(&f->config, (struct labels){f->target, 2}, page, 4, &a, &ls, NULL),
        OK);
    buf_reset(&text);
    labels_format(ls, &text);
    assert_string_equal(buf_cstr(&text), "{__name__=\"m\", exported_job=\"y\", job=\"x\"}");
    buf_fini(&text);
    arena_fini(&a);
}

static void test_append__names(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(scrape(f, "{\"a.b\"} 1\n"), "");
    f->config.names = NAMES_LEGACY;
    assert_string_equal(scrape(f, "{\"c.d\"} 1\n"),
                        "invalid metric name or label names: {__name__=\"c.d\", instance=\"i\", "
                        "job=\"j\"}");
}

static void test_append__the_end_of_a_target(void **state)
{
    struct fixture *f = *state;
    (void)scrape(f, "a 1\n");
    (void)scrape_as(f, STR(""), "", NULL, true);
    check(f, "a", "1000:1 2000:NaN");
    check(f, "up", "1000:1 2000:NaN");
    /* Came back meanwhile: markers behind newer samples are not written. */
    (void)scrape(f, "a 2\n");
    f->ts_ms -= 1500;
    (void)scrape_as(f, STR(""), "", NULL, true);
    check(f, "a", "1000:1 2000:NaN 3000:2");
}

static void test_append__series_the_store_forgot_come_back(void **state)
{
    struct fixture *f = *state;
    (void)scrape(f, "a 1\nb 1\n");
    for (int i = 0; i < 5; i++)
        assert_int_equal(db_cut(f->db), OK);
    (void)scrape(f, "a 2\nb 2\n");
    check(f, "a", "1000:1 2000:2");
    check(f, "b", "1000:1 2000:2");
    check(f, "up", "1000:1 2000:1");
    check(f, "scrape_series_added", "1000:2 2000:0");
}

static void note(void *arg, str name, const struct metadata *m)
{
    buf_printf(arg, STR_FMT " %s [" STR_FMT "] [" STR_FMT "];", STR_ARG(name),
               metric_type_name(m->type), STR_ARG(m->help), STR_ARG(m->unit));
}

static void test_append__families_stay_for_ten_scrapes(void **state)
{
    struct fixture *f = *state;
    struct buf text = {0};
    (void)scrape(f, "# HELP a One.\n# TYPE a gauge\na 1\n");
    (void)scrape(f, "# HELP a Two.\n# TYPE a gauge\na 1\n");
    for (int i = 0; i < 10; i++)
        (void)scrape(f, "a 1\n");
    scrape_families_each(&f->memory.families, note, &text);
    assert_string_equal(buf_cstr(&text), "a gauge [Two.] [];");
    buf_reset(&text);
    (void)scrape(f, "a 1\n");
    scrape_families_each(&f->memory.families, note, &text);
    assert_int_equal(text.len, 0);
    buf_fini(&text);
}

static void test_append__bucket_factor(void **state)
{
    (void)state;
    assert_int_equal(scrape_schema_max(0), 8);
    assert_int_equal(scrape_schema_max(1.1), 2);
    assert_int_equal(scrape_schema_max(2), 0);
    assert_int_equal(scrape_schema_max(1e9), -4);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_append__stores_samples_and_reports),
        T(test_append__vanished_series_end),
        T(test_append__timestamps_can_be_tracked_or_ignored),
        T(test_append__what_ends_when_scrapes_fail),
        T(test_append__an_empty_page_is_no_failure),
        T(test_append__content_types),
        T(test_append__duplicates),
        T(test_append__out_of_order),
        T(test_append__one_refused_line_does_not_hide_the_other),
        T(test_append__a_help_that_changes_behind_a_known_type),
        T(test_append__sample_limit),
        T(test_append__label_limits),
        T(test_append__conflicting_labels),
        T(test_append__names),
        T(test_append__the_end_of_a_target),
        T(test_append__series_the_store_forgot_come_back),
        T(test_append__families_stay_for_ten_scrapes),
        T(test_append__bucket_factor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
