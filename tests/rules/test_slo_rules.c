/* test_slo_rules.c -- rules made of objectives: whole files against golden ones, single rules
 * against what Sloth publishes, numbers as Go prints them, queries that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/fs.h"
#include "config/yaml.h"
#include "query/parser.h"
#include "query/printer.h"
#include "rules/rule_check.h"
#include "rules/slo_query.h"
#include "rules/slo_rules.h"

struct made {
    struct arena arena;
    struct slo_set set;
    struct rule_group_def *groups;
    size_t count;
};

static const struct slo_rules_options OPTIONS = {
    .period_ms = 30 * SLO_DAY_MS, .version = "0.1.0", .generated_by_tool = true};

static err make_text(const char *text, const struct slo_rules_options *o, struct made *m,
                     struct diag *d)
{
    *m = (struct made){0};
    arena_init(&m->arena, SLO_MEMORY_BYTES);
    err e = slo_text_read("f.yml", str_bytes(str_from(text)), &m->arena, &m->set, d);
    return e != OK ? e : slo_rules_make(&m->set, o, &m->arena, &m->groups, &m->count, d);
}

static void make_file(const char *path, struct made *m)
{
    struct diag d = {.text = ""};
    str paths[] = {str_from(path)};
    *m = (struct made){0};
    arena_init(&m->arena, SLO_MEMORY_BYTES);
    assert_int_equal(slo_files_read(paths, 1, &m->arena, &m->set, &d), OK);
    assert_int_equal(slo_rules_make(&m->set, &OPTIONS, &m->arena, &m->groups, &m->count, &d), OK);
}

/* ---- Golden files ---- */

static void format(str text, struct buf *out)
{
    struct arena a;
    struct expr *e = NULL;
    struct diag d = {.text = ""};
    arena_init(&a, 1 << 24);
    assert_int_equal(promql_parse(text, &(struct promql_options){0}, &a, &e, &d), OK);
    buf_reset(out);
    expr_format(e, out);
    expr_fini(e);
    arena_fini(&a);
}

static void same_labels(const struct rule_labels *a, const struct rule_labels *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_true(str_eq(a->items[i].name, b->items[i].name));
        assert_true(str_eq(a->items[i].value.text, b->items[i].value.text));
    }
}

static void same_rule(const struct rule_def *a, const struct rule_def *b)
{
    struct buf left = {0}, right = {0};
    assert_true(str_eq(a->record.text, b->record.text));
    assert_true(str_eq(a->alert.text, b->alert.text));
    format(a->expr.text, &left);
    format(b->expr.text, &right);
    assert_string_equal(buf_cstr(&left), buf_cstr(&right));
    same_labels(&a->labels, &b->labels);
    same_labels(&a->annotations, &b->annotations);
    assert_int_equal(a->for_ms, b->for_ms);
    buf_fini(&left);
    buf_fini(&right);
}

static void check_golden(const char *objectives, const char *rules)
{
    struct made m;
    struct arena a;
    struct rule_file f;
    struct rule_errors errors = {0};
    struct rule_check check = {0};
    struct buf got = {0}, want = {0};
    make_file(objectives, &m);
    arena_init(&a, RULE_FILE_MEMORY_BYTES);
    assert_int_equal(rule_check_file(rules, &check, &a, &f, &errors), OK);
    assert_int_equal(f.group_count, m.count);
    for (size_t i = 0; i < m.count; i++) {
        assert_true(str_eq(m.groups[i].name, f.groups[i].name));
        assert_int_equal(m.groups[i].interval_ms, f.groups[i].interval_ms);
        assert_int_equal(m.groups[i].rule_count, f.groups[i].rule_count);
        for (size_t k = 0; k < m.groups[i].rule_count; k++)
            same_rule(&m.groups[i].rules[k], &f.groups[i].rules[k]);
    }
    slo_rules_yaml(m.groups, m.count, &got);
    assert_int_equal(fs_read_file(fs_posix(), rules, YAML_SIZE_MAX, &want), OK);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    buf_fini(&got);
    buf_fini(&want);
    arena_fini(&a);
    arena_fini(&m.arena);
}

static void test_slo_rules__golden(void **state)
{
    (void)state;
    check_golden("config/slo/sloth.yml", "rules/slo/sloth.rules.yml");
    check_golden("config/slo/k8s.yml", "rules/slo/k8s.rules.yml");
    check_golden("config/slo/openslo.yml", "rules/slo/openslo.rules.yml");
}

/* ---- As Sloth publishes it ---- */

static const struct rule_def *find(const struct made *m, const char *name, unsigned nth)
{
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < m->groups[i].rule_count; k++) {
            const struct rule_def *r = &m->groups[i].rules[k];
            str own = r->record.text.len > 0 ? r->record.text : r->alert.text;
            if (str_eq(own, str_from(name)) && nth-- == 0)
                return r;
        }
    fail_msg("no rule %s", name);
    return NULL;
}

static void expect_expr(const struct made *m, const char *name, unsigned nth, const char *want)
{
    str got = find(m, name, nth)->expr.text;
    if (!str_eq(got, str_from(want)))
        print_error("got: " STR_FMT "\n", STR_ARG(got));
    assert_true(str_eq(got, str_from(want)));
}

#define OBJECTIVE(percent)                                                                         \
    "version: prometheus/v1\nservice: svc\nslos:\n- name: n\n  objective: " percent                \
    "\n  sli:\n    events:\n      error_query: sum(rate(e[{{.window}}]))\n"                        \
    "      total_query: sum(rate(t[{{ .window }}]))\n  alerting:\n    name: A\n"
#define F "{sloth_id=\"svc-n\", sloth_service=\"svc\", sloth_slo=\"n\"}"

static void test_slo_rules__as_sloth(void **state)
{
    (void)state;
    struct made m;
    struct diag d = {.text = ""};
    assert_int_equal(make_text(OBJECTIVE("99.9"), &OPTIONS, &m, &d), OK);
    assert_int_equal(m.count, 3);
    assert_int_equal(m.groups[0].rule_count, 8);
    assert_int_equal(m.groups[1].rule_count, 7);
    assert_int_equal(m.groups[2].rule_count, 2);
    expect_expr(&m, "slo:sli_error:ratio_rate1d", 0, "(sum(rate(e[1d])))\n/\n(sum(rate(t[1d])))\n");
    expect_expr(&m, "slo:sli_error:ratio_rate30d", 0,
                "sum_over_time(slo:sli_error:ratio_rate5m" F "[30d])\n/ ignoring (sloth_window)\n"
                "count_over_time(slo:sli_error:ratio_rate5m" F "[30d])\n");
    expect_expr(&m, "slo:objective:ratio", 0, "vector(0.9990000000000001)");
    expect_expr(&m, "slo:error_budget:ratio", 0, "vector(1-0.9990000000000001)");
    expect_expr(&m, "slo:time_period:days", 0, "vector(30)");
    expect_expr(&m, "slo:current_burn_rate:ratio", 0,
                "slo:sli_error:ratio_rate5m" F
                "\n/ on(sloth_id, sloth_slo, sloth_service) group_left\nslo:error_budget:ratio" F
                "\n");
    expect_expr(&m, "slo:period_error_budget_remaining:ratio", 0,
                "1 - slo:period_burn_rate:ratio" F);
    expect_expr(&m, "A", 1,
                "(\n    max(slo:sli_error:ratio_rate2h" F
                " > (3 * 0.0009999999999999432)) without (sloth_window)\n    and\n"
                "    max(slo:sli_error:ratio_rate1d" F
                " > (3 * 0.0009999999999999432)) without (sloth_window)\n)\nor\n(\n"
                "    max(slo:sli_error:ratio_rate6h" F
                " > (1 * 0.0009999999999999432)) without (sloth_window)\n    and\n"
                "    max(slo:sli_error:ratio_rate3d" F
                " > (1 * 0.0009999999999999432)) without (sloth_window)\n)\n");
    arena_fini(&m.arena);
}

static void test_slo_rules__openslo_as_sloth(void **state)
{
    (void)state;
    struct made m;
    make_file("corpus/fuzz_slo/alpha.yml", &m);
    assert_int_equal(m.count, 2); /* no alerts */
    expect_expr(&m, "slo:sli_error:ratio_rate6h", 0,
                "(\n  1 - (\n    (\n      sum(rate(a_total{code!~\"5..\"}[6h]))\n    )\n    /\n"
                "    (\n      sum(rate(a_total[6h]))\n    )\n  )\n)");
    expect_expr(&m, "slo:objective:ratio", 0, "vector(0.9990000000000001)");
    const struct rule_labels *info = &find(&m, "sloth_slo_info", 0)->labels;
    static const char *const WANT[][2] = {
        {"sloth_id", "web-shop-0"},  {"sloth_mode", "cli-gen-openslo"},
        {"sloth_objective", "99.9"}, {"sloth_service", "web"},
        {"sloth_slo", "shop-0"},     {"sloth_spec", "openslo/v1alpha"},
        {"sloth_version", "0.1.0"}};
    assert_int_equal(info->count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_true(str_eq(info->items[i].name, str_from(WANT[i][0])));
        assert_true(str_eq(info->items[i].value.text, str_from(WANT[i][1])));
    }
    arena_fini(&m.arena);
}

/* 28 days are "4w" to Prometheus, and burn faster to spend as much. */
static void test_slo_rules__four_weeks(void **state)
{
    (void)state;
    struct made m;
    struct diag d = {.text = ""};
    struct slo_rules_options o = OPTIONS;
    o.period_ms = 28 * SLO_DAY_MS;
    assert_int_equal(make_text(OBJECTIVE("99.99"), &o, &m, &d), OK);
    expect_expr(&m, "slo:time_period:days", 0, "vector(28)");
    (void)find(&m, "slo:sli_error:ratio_rate4w", 0);
    str page = find(&m, "A", 0)->expr.text;
    char text[4096];
    (void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(page));
    assert_non_null(strstr(text, "> (13.44 * 0.00010000000000005117))"));
    assert_non_null(strstr(text, "> (5.6000000000000005 * 0.00010000000000005117))"));
    arena_fini(&m.arena);
}

static void test_slo_rules__own_windows(void **state)
{
    (void)state;
    static const struct {
        const char *window, *record;
        double days, quick;
    } CASES[] = {
        {"{duration: 1M}", "slo:sli_error:ratio_rate30d", 30, 14.4},
        {"{duration: 28d}", "slo:sli_error:ratio_rate4w", 28, 13.44},
        {"{duration: 7d}", "slo:sli_error:ratio_rate1w", 7, 14.4},
        {"{duration: 1Q}", "slo:sli_error:ratio_rate90d", 90, 14.4},
        {"{duration: 3d}", "slo:sli_error:ratio_rate3d", 3, 14.4},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct made m;
        struct slo_pace paces[SLO_PACES];
        struct diag d = {.text = ""};
        char text[1024];
        (void)snprintf(text, sizeof(text), "%s  time_window: %s\n", OBJECTIVE("99"),
                       CASES[i].window);
        assert_int_equal(make_text(text, &OPTIONS, &m, &d), OK);
        (void)find(&m, CASES[i].record, 0);
        int64_t period_ms = slo_period_ms(&m.set.defs[0], OPTIONS.period_ms);
        assert_true((double)period_ms / SLO_DAY_MS == CASES[i].days);
        slo_paces(&m.set.defs[0], period_ms, paces);
        assert_true(paces[0].burn_rate == CASES[i].quick);
        arena_fini(&m.arena);
    }
}

#define WINDOWS(period, percent, slow_long)                                                        \
    "---\napiVersion: sloth.slok.dev/v1\nkind: AlertWindows\nspec:\n  sloPeriod: " period          \
    "\n  page:\n    quick: {errorBudgetPercent: " percent ", shortWindow: 5m, longWindow: 1h}\n"   \
    "    slow: {errorBudgetPercent: 12.5, shortWindow: 30m, longWindow: 6h}\n  ticket:\n"          \
    "    quick: {errorBudgetPercent: 20, shortWindow: 2h, longWindow: 1d}\n"                       \
    "    slow: {errorBudgetPercent: 42, shortWindow: 6h, longWindow: " slow_long "}\n"

/* Sloth's AlertWindows, in a document of their own. */
static void test_slo_rules__alert_windows(void **state)
{
    (void)state;
    static const struct {
        const char *window, *more;
        double first, last;
    } CASES[] = {
        {"7d", WINDOWS("7d", "8", "3d"), 13.44, 0.98},
        {"7d", WINDOWS("5d", "8", "3d"), 14.4, 1},
        {"7d", WINDOWS("5d", "8", "3d") WINDOWS("1w", "4", "84h"), 6.72, 0.84},
        {"30d", WINDOWS("30d", "10", "3d"), 72, 4.2},
        {"1M", WINDOWS("30d", "10", "3d"), 72, 4.2},
        {"28d", WINDOWS("30d", "10", "3d"), 13.44, 28.0 / 30},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct made m;
        struct slo_pace paces[SLO_PACES];
        struct diag d = {.text = ""};
        char text[4096];
        (void)snprintf(text, sizeof(text), "%s  time_window: {duration: %s}\n%s", OBJECTIVE("99"),
                       CASES[i].window, CASES[i].more);
        assert_int_equal(make_text(text, &OPTIONS, &m, &d), OK);
        assert_int_equal(m.set.count, 1);
        slo_paces(&m.set.defs[0], slo_period_ms(&m.set.defs[0], OPTIONS.period_ms), paces);
        assert_true(fabs(paces[0].burn_rate - CASES[i].first) < 1e-12);
        assert_true(fabs(paces[3].burn_rate - CASES[i].last) < 1e-12);
        assert_true(paces[0].page && paces[1].page && !paces[2].page && !paces[3].page);
        assert_true(slo_period_known(&m.set, 28 * SLO_DAY_MS));
        assert_int_equal(slo_period_known(&m.set, 5 * SLO_DAY_MS),
                         strstr(CASES[i].more, "5d") != NULL);
        arena_fini(&m.arena);
    }
}

static void test_slo_rules__bad_alert_windows(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } CASES[] = {
        {WINDOWS("7d", "0", "3d"), "errorBudgetPercent must be > 0 and <= 100"},
        {WINDOWS("7d", "101", "3d"), "errorBudgetPercent must be > 0 and <= 100"},
        {WINDOWS("7d", "8", "6h"), "longWindow must be longer than shortWindow"},
        {WINDOWS("7d", "8", "8d"), "a longWindow is longer than sloPeriod"},
        {WINDOWS("23h", "8", "3d"), "sloPeriod must be 1 to 92 days"},
        {WINDOWS("93d", "8", "3d"), "sloPeriod must be 1 to 92 days"},
        {WINDOWS("7d", "8", "3d") WINDOWS("1w", "8", "3d"),
         "there are alert windows of 1w already"},
        {"---\napiVersion: sloth.slok.dev/v1\nkind: AlertWindows\n", "spec is required"},
        {"---\napiVersion: sloth.slok.dev/v1\nkind: AlertWindows\nspec: {sloPeriod: 7d}\n",
         "page and ticket are required"},
        {"---\napiVersion: sloth.slok.dev/v1\nkind: AlertWindows\nspec: {sloPeriod: 7d, page: "
         "{quick: {errorBudgetPercent: 1, shortWindow: 5m, longWindow: 1h}}}\n",
         "quick and slow are required"},
        {"---\napiVersion: sloth.slok.dev/v1\nkind: AlertWindows\nspec: {period: 7d}\n",
         "no such field here"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct made m;
        struct diag d = {.text = ""};
        char text[4096];
        (void)snprintf(text, sizeof(text), "%s%s", OBJECTIVE("99"), CASES[i].text);
        assert_int_equal(make_text(text, &OPTIONS, &m, &d), ERR_INVALID);
        if (strstr(d.text, CASES[i].error) == NULL)
            fail_msg("%s: not %s", d.text, CASES[i].error);
        arena_fini(&m.arena);
    }
}

/* ---- Queries ---- */

static void test_slo_rules__events(void **state)
{
    (void)state;
    struct made m;
    struct slo_events e;
    make_file("config/slo/openslo.yml", &m);
    slo_query_events(&m.set.defs[0], 60000, &e);
    assert_string_equal(buf_cstr(&e.error),
                        "sum(increase(http_requests_total{code!~\"5..\",job=\"web\"}[1m]))");
    assert_string_equal(buf_cstr(&e.total), "sum(increase(http_requests_total{job=\"web\"}[1m]))");
    assert_true(e.good && e.scale == 1);
    slo_events_fini(&e);
    slo_query_events(&m.set.defs[2], 300000, &e);
    assert_string_equal(
        buf_cstr(&e.error),
        "avg(avg_over_time(((sum(min_over_time(queue_lag[2m]))) <= bool 100)[5m:1m]))");
    assert_int_equal(e.total.len, 0);
    slo_events_fini(&e);
    arena_fini(&m.arena);
    make_file("config/slo/sloth.yml", &m);
    slo_query_events(&m.set.defs[0], 300000, &e);
    assert_true(e.scale == 300 && !e.good); /* rates: per second */
    slo_events_fini(&e);
    arena_fini(&m.arena);
}

#define LATENCY(keys)                                                                              \
    "version: prometheus/v1\nservice: s\nslos:\n- name: n\n  objective: 99\n  sli:\n"              \
    "    latency: {" keys "}\n  alerting: {name: A}\n"

static void expect_latency(const char *text, const char *good, const char *total)
{
    struct made m;
    struct slo_events e;
    struct diag d = {.text = ""};
    assert_int_equal(make_text(text, &OPTIONS, &m, &d), OK);
    slo_query_events(&m.set.defs[0], 300000, &e);
    assert_string_equal(buf_cstr(&e.error), good);
    assert_string_equal(buf_cstr(&e.total), total);
    assert_true(e.good && e.scale == 300);
    slo_events_fini(&e);
    arena_fini(&m.arena);
}

static void test_slo_rules__latency(void **state)
{
    (void)state;
    expect_latency(LATENCY("metric: m, threshold_seconds: 0.25, selector: 'a=\"b\"'"),
                   "sum(rate(m_bucket{a=\"b\",le=~\"0\\\\.25\"}[5m]))",
                   "sum(rate(m_count{a=\"b\"}[5m]))");
    expect_latency(LATENCY("metric: http.server/duration, threshold_seconds: 0.25"),
                   "sum(rate({\"http.server/duration_bucket\",le=~\"0\\\\.25\"}[5m]))",
                   "sum(rate({\"http.server/duration_count\",}[5m]))");
    expect_latency(LATENCY("metric: m, threshold_seconds: 2"),
                   "sum(rate(m_bucket{le=~\"2(\\\\.0)?\"}[5m]))", "sum(rate(m_count{}[5m]))");
    expect_latency(LATENCY("metric: m, threshold_seconds: 0.25, native: true"),
                   "histogram_fraction(-Inf, 0.25, sum(rate(m{}[5m]))) * "
                   "histogram_count(sum(rate(m{}[5m])))",
                   "histogram_count(sum(rate(m{}[5m])))");
}

static void refuse(const char *text, const char *want)
{
    struct made m;
    struct diag d = {.text = ""};
    assert_int_equal(make_text(text, &OPTIONS, &m, &d), ERR_INVALID);
    if (strstr(d.text, want) == NULL)
        print_error("got: %s\n", d.text);
    assert_non_null(strstr(d.text, want));
    arena_fini(&m.arena);
}

static void test_slo_rules__bad_queries(void **state)
{
    (void)state;
#define RAW(query)                                                                                 \
    "version: prometheus/v1\nservice: s\nslos:\n- name: n\n  objective: 99\n  sli:\n    raw:\n"    \
    "      error_ratio_query: '" query "'\n  alerting: {name: A}\n"
    refuse(RAW("sum(rate(x[{{.window}}])"),
           "f.yml:8:26: error ratio query: 1:16: parse error: unclosed left parenthesis");
    refuse(RAW("x[{{.window}}]"), "must give an instant vector");
    refuse(RAW("x[{{.window}}] {{if .x}}"), "only {{.window}} can be filled in");
    refuse(RAW("sum(rate(x[{{.windows}}]))"), "only {{.window}} can be filled in");
    /* Not one query but two halves of what is around them. */
    refuse(RAW("rate(x[{{.window}}])) + (vector(1)"), "parse error");
    refuse(LATENCY("metric: 'm + n', threshold_seconds: 1"), "latency: metric and selector");
    refuse(LATENCY("metric: m, selector: 'a=\"b\"} or n{', threshold_seconds: 1"),
           "latency: metric and selector");
#define COUNTERS(good)                                                                             \
    "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: n}\nspec:\n  service: s\n"                \
    "  budgetingMethod: Occurrences\n  objectives: [{target: 0.9}]\n"                              \
    "  indicator: {spec: {ratioMetric: {counter: true, good: {metricSource: {spec: {query: '" good \
    "'}}}, total: {metricSource: {spec: {query: t}}}}}}\n"
    refuse(COUNTERS("a + b"), "a query of counters must be a selector");
    refuse(COUNTERS("sum(a offset 5m)"), "a query of counters must be a selector");
}

static void test_slo_rules__alerts_that_cannot_fire(void **state)
{
    (void)state;
    struct made m;
    struct diag d = {.text = ""};
    struct buf out = {0};
    assert_int_equal(make_text(OBJECTIVE("90"), &OPTIONS, &m, &d), OK);
    slo_rules_warnings(&m.set, &OPTIONS, &out);
    assert_string_equal(buf_cstr(&out),
                        "f.yml:4:3: SLO \"svc-n\": the page alert can never fire by 14.4 times the "
                        "budget alone: that is a ratio of errors of 1.44\n");
    buf_reset(&out);
    arena_fini(&m.arena);
    assert_int_equal(make_text(OBJECTIVE("99"), &OPTIONS, &m, &d), OK);
    slo_rules_warnings(&m.set, &OPTIONS, &out);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
    arena_fini(&m.arena);
}

/* `op` says what is right or what is wrong: too fast is above the threshold either way. */
static void test_slo_rules__policy_ops(void **state)
{
    static const struct {
        const char *op, *made;
    } OPS[] = {{"", " > (2 * "},
               {"op: lte, ", " > (2 * "},
               {"op: gt, ", " > (2 * "},
               {"op: lt, ", " >= (2 * "},
               {"op: gte, ", " >= (2 * "}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(OPS); i++) {
        struct made m;
        struct diag d = {.text = ""};
        struct buf text = {0};
        buf_printf(&text,
                   "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: n}\nspec:\n  service: s\n"
                   "  indicator: {metadata: {name: i}, spec: {ratioMetric: {rawType: failure, raw: "
                   "{metricSource: {type: Prometheus, spec: {query: r}}}}}}\n"
                   "  timeWindow: [{duration: 30d, isRolling: true}]\n"
                   "  budgetingMethod: Occurrences\n  objectives: [{target: 0.9}]\n"
                   "  alertPolicies: [{kind: AlertPolicy, metadata: {name: p}, spec: {"
                   "alertWhenBreaching: true, conditions: [{kind: AlertCondition, metadata: {name: "
                   "c}, spec: {severity: page, condition: {kind: burnrate, %sthreshold: 2, "
                   "lookbackWindow: 1h}}}]}}]\n",
                   OPS[i].op);
        assert_int_equal(make_text(buf_cstr(&text), &OPTIONS, &m, &d), OK);
        const struct rule_group_def *alerts = &m.groups[m.count - 1];
        assert_int_equal(alerts->rule_count, 1);
        str expr = alerts->rules[0].expr.text;
        assert_non_null(memmem(expr.ptr, expr.len, OPS[i].made, strlen(OPS[i].made)));
        buf_fini(&text);
        arena_fini(&m.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slo_rules__golden),
        cmocka_unit_test(test_slo_rules__as_sloth),
        cmocka_unit_test(test_slo_rules__openslo_as_sloth),
        cmocka_unit_test(test_slo_rules__four_weeks),
        cmocka_unit_test(test_slo_rules__own_windows),
        cmocka_unit_test(test_slo_rules__alert_windows),
        cmocka_unit_test(test_slo_rules__bad_alert_windows),
        cmocka_unit_test(test_slo_rules__events),
        cmocka_unit_test(test_slo_rules__latency),
        cmocka_unit_test(test_slo_rules__bad_queries),
        cmocka_unit_test(test_slo_rules__policy_ops),
        cmocka_unit_test(test_slo_rules__alerts_that_cannot_fire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
