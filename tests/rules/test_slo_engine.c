/* test_slo_engine.c -- objectives in service over a real store and a frozen clock: raw counters
 * with resets and gaps, restarts, reloads, samples that come late. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rules/slo_engine.h"
#include "support/db_testing.h"

enum { SCRAPE_MS = 30000, SLICE_MS = 300000, STEPS_MAX = 10000 };
#define DAY_MS 86400000LL
#define START  (T0 / DAY_MS * DAY_MS) /* midnight of 14 November 2023 */

struct world {
    struct fs_sim *sim;
    struct db *db;
    struct slo_engine *engine;
    char path[64];
    double good, bad;     /* counters */
    double errors, total; /* events since the start */
    uint32_t series[2];
};

static const char OBJECTIVE[] =
    "version: prometheus/v1\nservice: shop\nlabels: {team: a}\nslos:\n- name: errors\n"
    "  objective: 99\n  sli:\n    events:\n"
    "      error_query: sum(rate(requests_total{code=\"500\"}[{{.window}}]))\n"
    "      total_query: sum(rate(requests_total[{{.window}}]))\n"
    "  alerting: {name: A}\n  time_window: {duration: 1M}\n";

static void write_file(const struct world *w, const char *text)
{
    FILE *f = fopen(w->path, "w"); /* without a sync, which a busy disk makes slow */
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void open_engine(struct world *w)
{
    struct slo_engine_options o = {
        .source = {.db = w->db, .env = {.source = &QUERY_SOURCE_DB, .store = w->db}},
        .delay_ms = 60000,
    };
    w->engine = slo_engine_open(&o);
}

static void load(struct world *w)
{
    struct slo_rules_options rules = {.period_ms = 30 * DAY_MS, .version = "test"};
    struct slo_served *set = NULL;
    struct diag d = {.text = ""};
    err e = slo_served_read(w->path, &rules, &set, &d);
    assert_string_equal(d.text, "");
    assert_int_equal(e, OK);
    slo_engine_set(w->engine, set);
}

static void work(struct world *w, int64_t now_ms)
{
    int steps = 0;
    clock_set_for_test(now_ms);
    while (slo_engine_step(w->engine, now_ms))
        assert_true(++steps < STEPS_MAX);
}

static void open_world(struct world *w, const char *text)
{
    *w = (struct world){0};
    w->sim = fs_sim_new(1);
    w->db = testing_open(w->sim, NULL);
    (void)snprintf(w->path, sizeof(w->path), "/tmp/test_slo_engine.%d.yml", (int)getpid());
    w->series[0] = testing_series(w->db, "requests_total", "code", "200");
    w->series[1] = testing_series(w->db, "requests_total", "code", "500");
    write_file(w, text);
    open_engine(w);
    load(w);
}

static void close_world(struct world *w)
{
    slo_engine_close(w->engine);
    db_close(w->db);
    fs_sim_free(w->sim);
    (void)unlink(w->path);
    clock_set_for_test(INT64_MIN);
}

/* Counters that grow by as much in each scrape of (from, to]; the first sample of a time is there
 * already. */
static void grow(struct world *w, int64_t from_ms, int64_t to_ms, double total, double errors)
{
    clock_set_for_test(to_ms);
    for (int64_t ms = from_ms + SCRAPE_MS; ms <= to_ms; ms += SCRAPE_MS) {
        w->good += total - errors;
        w->bad += errors;
        w->total += total;
        w->errors += errors;
        assert_int_equal(testing_put(w->db, w->series[0], ms, w->good), OK);
        assert_int_equal(testing_put(w->db, w->series[1], ms, w->bad), OK);
    }
}

static void begin(struct world *w, int64_t ms)
{
    clock_set_for_test(ms);
    assert_int_equal(testing_put(w->db, w->series[0], ms, w->good), OK);
    assert_int_equal(testing_put(w->db, w->series[1], ms, w->bad), OK);
}

static bool copy_view(void *arg, const struct slo_view *v)
{
    *(struct slo_view *)arg = *v;
    return false;
}

static struct slo_view view(struct world *w)
{
    struct slo_view v = {0};
    slo_engine_each(w->engine, copy_view, &v);
    return v;
}

static struct slo_counters counters(struct world *w)
{
    struct slo_counters c;
    slo_engine_counters(w->engine, &c);
    return c;
}

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-9 * MAX(1, fabs(want))))
        print_error("got %.17g, want %.17g\n", got, want);
    assert_true(fabs(got - want) <= 1e-9 * MAX(1, fabs(want)));
}

/* Six hours with a bad one, the process behind the counters restarted between two slices. */
static int64_t play(struct world *w)
{
    int64_t now = START;
    begin(w, now);
    for (int hour = 0; hour < 6; hour++, now += DAY_MS / 24) {
        grow(w, now, now + DAY_MS / 24, 30, hour == 2 ? 3 : 0.03);
        if (hour == 3)
            w->good = w->bad = 0; /* a reset; the next scrape counts from nothing */
    }
    return now;
}

static void test_slo_engine__books_raw_samples(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, OBJECTIVE);
    int64_t now = play(&w);
    work(&w, now + 60000);
    struct slo_view v = view(&w);
    assert_true(v.booked_ms == now);
    assert_int_equal(v.status.sum.slices, 72);
    close_to(v.status.sum.total, w.total);
    close_to(v.status.sum.errors, w.errors);
    close_to(v.status.error_ratio, w.errors / w.total);
    close_to(v.status.burn_rate, w.errors / w.total / 0.01);
    assert_int_equal(v.month_count, 1);
    close_to(v.months[0].sum.total, w.total);
    assert_int_equal(v.windows[0].window_ms, SLICE_MS);
    close_to(slo_sum_ratio(&v.windows[0].sum), 0.001);
    assert_string_equal(v.error, "");
    /* What was written says the same to everybody: 72 slices of the 3816 since the 1st. */
    const char *coverage = testing_get(w.db, SLO_METRIC_COVERAGE, now, now + 60000);
    assert_non_null(strstr(coverage, ":0.018867924528301886"));
    close_world(&w);
}

static void test_slo_engine__goes_on_after_a_restart(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, OBJECTIVE);
    int64_t now = play(&w);
    work(&w, now + 60000);
    double total = view(&w).status.sum.total;
    slo_engine_close(w.engine);
    open_engine(&w);
    load(&w);
    assert_true(view(&w).booked_ms == INT64_MIN);
    assert_int_equal(counters(&w).behind, 1);
    work(&w, now + 60000);
    struct slo_view v = view(&w);
    assert_true(v.status.sum.total == total); /* to the bit: read, not reckoned */
    assert_int_equal(counters(&w).slices, 0);
    assert_int_equal(counters(&w).behind, 0);
    /* What came while it was down is reckoned from raw samples. */
    slo_engine_close(w.engine);
    grow(&w, now, now + 2 * SLICE_MS, 30, 0);
    open_engine(&w);
    load(&w);
    work(&w, now + 2 * SLICE_MS + 60000);
    assert_int_equal(counters(&w).slices, 2);
    close_to(view(&w).status.sum.total, w.total);
    close_world(&w);
}

static void test_slo_engine__waits_for_the_end_of_a_slice(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, OBJECTIVE);
    int64_t now = play(&w);
    work(&w, now + 60000);
    uint64_t before = counters(&w).evaluations;
    grow(&w, now, now + SLICE_MS, 30, 0);
    work(&w, now + SLICE_MS + 59000);
    assert_true(view(&w).booked_ms == now);
    assert_int_equal(counters(&w).evaluations, before);
    work(&w, now + SLICE_MS + 60000);
    assert_true(view(&w).booked_ms == now + SLICE_MS);
    assert_int_equal(counters(&w).evaluations, before + 1); /* one slice, one evaluation */
    close_to(view(&w).status.sum.total, w.total);
    close_world(&w);
}

static void test_slo_engine__late_samples_fill_gaps(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, OBJECTIVE);
    int64_t now = play(&w), hour = DAY_MS / 24;
    work(&w, now + 2 * hour + 60000); /* two hours without samples */
    struct slo_view v = view(&w);
    assert_int_equal(v.status.sum.slices, 72);
    assert_true(v.status.coverage < 1);
    grow(&w, now, now + 2 * hour, 30, 0.3); /* the sender catches up */
    work(&w, now + 2 * hour + SLICE_MS + 60000);
    v = view(&w);
    assert_int_equal(v.status.sum.slices, 96);
    close_to(v.status.sum.total, w.total);
    close_to(v.status.sum.errors, w.errors);
    close_world(&w);
}

static void test_slo_engine__reloads(void **state)
{
    (void)state;
    struct world w;
    struct buf other = {0};
    open_world(&w, OBJECTIVE);
    int64_t now = play(&w);
    work(&w, now + 60000);
    uint64_t before = counters(&w).evaluations;
    load(&w); /* the same: nothing is read or reckoned again */
    assert_true(view(&w).booked_ms == now);
    work(&w, now + 60000);
    assert_int_equal(counters(&w).evaluations, before);
    /* Another target, and one more objective: the first is read back, the second reckoned. */
    buf_printf(&other, "%s", OBJECTIVE);
    char *target = strstr((char *)other.ptr, "objective: 99");
    memcpy(target, "objective: 90", 13);
    buf_printf(&other, "- name: raw\n  objective: 99\n  sli: {raw: {error_ratio_query: "
                       "'sum(rate(requests_total{code=\"500\"}[{{.window}}])) / "
                       "sum(rate(requests_total[{{.window}}]))'}}\n  alerting: {name: B}\n");
    write_file(&w, buf_cstr(&other));
    load(&w);
    assert_true(view(&w).booked_ms == INT64_MIN);
    work(&w, now + 60000);
    assert_int_equal(counters(&w).objectives, 2);
    close_to(view(&w).status.sum.total, w.total);
    close_to(view(&w).status.burn_rate, w.errors / w.total / 0.1);
    buf_fini(&other);
    close_world(&w);
}

static bool last_view(void *arg, const struct slo_view *v)
{
    *(struct slo_view *)arg = *v;
    return true;
}

static void test_slo_engine__time_slices_and_ratios(void **state)
{
    (void)state;
    struct world w;
    struct slo_view v = {0};
    open_world(&w, "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: slices}\nspec:\n"
                   "  service: shop\n  budgetingMethod: Timeslices\n"
                   "  objectives: [{target: 0.9, timeSliceTarget: 0.95, timeSliceWindow: 5m}]\n"
                   "  indicator: {spec: {ratioMetric: {counter: true, bad: {metricSource: {spec: "
                   "{query: 'requests_total{code=\"500\"}'}}}, total: {metricSource: {spec: "
                   "{query: requests_total}}}}}}\n"
                   "  timeWindow: [{duration: 28d, isRolling: true}]\n");
    int64_t now = play(&w);
    work(&w, now + 60000);
    slo_engine_each(w.engine, last_view, &v);
    assert_true(v.status.sum.total == 72);
    assert_true(v.status.sum.errors == 12); /* the bad hour */
    close_to(v.status.consumed, 12.0 / 72 / 0.1);
    assert_true(isnan(v.status.projected));
    close_world(&w);
}

static void test_slo_engine__errors_are_told(void **state)
{
    (void)state;
    struct world w;
    open_world(&w,
               "version: prometheus/v1\nservice: s\nslos:\n- name: n\n  objective: 99\n  sli:\n"
               "    raw: {error_ratio_query: 'rate(requests_total[{{.window}}]) / ignoring(code) "
               "rate(requests_total[{{.window}}])'}\n  alerting: {name: A}\n");
    int64_t now = play(&w);
    work(&w, now + 60000);
    struct slo_view v = view(&w);
    assert_non_null(strstr(v.error, "found duplicate series"));
    assert_true(counters(&w).failures > 0);
    assert_int_equal(v.status.sum.slices, 0);
    close_world(&w);
}

static void test_slo_engine__files_that_are_refused(void **state)
{
    (void)state;
    struct slo_rules_options rules = {.period_ms = 30 * DAY_MS, .version = "test"};
    struct slo_served *set = NULL;
    struct diag d = {.text = ""};
    assert_int_equal(slo_served_read("/tmp/no such file.yml", &rules, &set, &d), ERR_NOTFOUND);
    assert_string_equal(d.text, "/tmp/no such file.yml: no such file");
    d.text[0] = '\0';
    assert_int_equal(slo_served_read("/tmp/no such dir/*.yml,", &rules, &set, &d), OK);
    assert_int_equal(set->set.count, 0);
    slo_served_drop(set);
    set = NULL;
    assert_int_equal(slo_served_read("config/slo/sloth.yml,config/slo/*.yml", &rules, &set, &d),
                     ERR_INVALID);
    assert_non_null(strstr(d.text, "is there already"));
    assert_null(set);
}

static void test_slo_engine__rules_by_file(void **state)
{
    (void)state;
    struct slo_rules_options rules = {.period_ms = 30 * DAY_MS, .version = "test"};
    struct slo_served *set = NULL;
    struct rule_file *files = NULL;
    size_t count = 0;
    struct arena a;
    struct diag d = {.text = ""};
    assert_int_equal(slo_served_read("config/slo/*.yml", &rules, &set, &d), OK);
    arena_init(&a, SLO_MEMORY_BYTES);
    assert_int_equal(slo_served_rules(set, &a, &files, &count, &d), OK);
    assert_int_equal(count, 3); /* k8s, sloth; what is OpenSLO comes last */
    assert_true(str_eq(files[0].path, STR("config/slo/k8s.yml")));
    assert_true(str_eq(files[1].path, STR("config/slo/sloth.yml")));
    assert_true(str_eq(files[2].path, STR("config/slo/openslo.yml")));
    assert_int_equal(files[0].group_count, 3);
    assert_int_equal(files[1].group_count, 8); /* one objective has no alerts */
    assert_true(
        str_eq(files[2].groups[0].name, STR("sloth-slo-sli-recordings-web-web-availability-0")));
    const struct rule_def *info = &files[0].groups[1].rules[6];
    assert_true(str_eq(info->record.text, STR("sloth_slo_info")));
    arena_fini(&a);
    slo_served_drop(set);
}

/* All that many objectives write at a time is one commit. */
static void test_slo_engine__one_commit_for_all(void **state)
{
    enum { OBJECTIVES = 200 };
    static struct world w;
    struct buf b = {0};
    (void)state;
    buf_put_str(&b, STR("version: prometheus/v1\nservice: shop\nslos:\n"));
    for (int i = 0; i < OBJECTIVES; i++)
        buf_printf(&b,
                   "- {name: o%d, objective: 99, alerting: {name: A%d}, sli: {events: {"
                   "error_query: 'sum(rate(requests_total{code=\"500\"}[{{.window}}]))', "
                   "total_query: 'sum(rate(requests_total[{{.window}}]))'}}}\n",
                   i, i);
    open_world(&w, buf_cstr(&b));
    begin(&w, START);
    grow(&w, START, START + 600000, 10, 1);
    work(&w, START + 700000);
    struct slo_counters before = counters(&w);
    assert_int_equal(before.objectives, OBJECTIVES);
    grow(&w, START + 600000, START + 900000, 10, 1);
    work(&w, START + 960000); /* a slice and the minute's budgets of each */
    struct slo_counters after = counters(&w);
    assert_int_equal(after.writes - before.writes, 1);
    assert_int_equal(after.samples_written - before.samples_written, OBJECTIVES * 5);
    work(&w, START + 1020000); /* budgets alone */
    struct slo_counters last = counters(&w);
    assert_int_equal(last.writes - after.writes, 1);
    assert_int_equal(last.samples_written - after.samples_written, OBJECTIVES * 3);
    work(&w, START + 1020000);
    assert_int_equal(counters(&w).writes, last.writes);
    assert_int_equal(last.writes_failed, 0);
    buf_fini(&b);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slo_engine__books_raw_samples),
        cmocka_unit_test(test_slo_engine__goes_on_after_a_restart),
        cmocka_unit_test(test_slo_engine__waits_for_the_end_of_a_slice),
        cmocka_unit_test(test_slo_engine__late_samples_fill_gaps),
        cmocka_unit_test(test_slo_engine__reloads),
        cmocka_unit_test(test_slo_engine__time_slices_and_ratios),
        cmocka_unit_test(test_slo_engine__errors_are_told),
        cmocka_unit_test(test_slo_engine__files_that_are_refused),
        cmocka_unit_test(test_slo_engine__rules_by_file),
        cmocka_unit_test(test_slo_engine__one_commit_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
