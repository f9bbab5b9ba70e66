/* test_slo_plugins.c -- what Sloth's SLO plugins make of an objective's rules, each by itself and
 * in chains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rules/slo_rules.h"

struct made {
    struct arena arena;
    struct slo_set set;
    struct rule_group_def *groups;
    size_t count;
};

#define SLO                                                                                        \
    "version: prometheus/v1\nservice: shop\nlabels: {team: web}\nslos:\n- name: a\n  objective: "  \
    "99\n  labels: {tier: one}\n  alerting: {name: Burns}\n"
#define EVENTS                                                                                     \
    "  sli: {events: {error_query: 'sum(rate(bad[{{.window}}]))', total_query: "                   \
    "'sum(rate(all[{{.window}}]))'}}\n"
#define RAW        "  sli: {raw: {error_ratio_query: 'avg_over_time(ratio[{{.window}}])'}}\n"
#define CHAIN(of)  "  plugins: {chain: [" of "]}\n"
#define ALONE(of)  "  plugins: {overridePrevious: true, chain: [" of "]}\n"
#define CORE(id)   "{id: sloth.dev/core/" id "/v1}"
#define BY(id)     "{id: sloth.dev/contrib/" id "/v1}"
#define OF(id, of) "{id: sloth.dev/contrib/" id "/v1, config: " of "}"

static struct slo_rules_options options(void)
{
    return (struct slo_rules_options){
        .period_ms = 30 * SLO_DAY_MS, .version = "0.1.0", .generated_by_tool = true};
}

static err make_with(const char *text, const struct slo_rules_options *o, struct made *m,
                     struct diag *d)
{
    *m = (struct made){0};
    arena_init(&m->arena, SLO_MEMORY_BYTES);
    err e = slo_text_read("f.yml", str_bytes(str_from(text)), &m->arena, &m->set, d);
    return e != OK ? e : slo_rules_make(&m->set, o, &m->arena, &m->groups, &m->count, d);
}

static void make(const char *text, struct made *m)
{
    struct diag d = {.text = ""};
    struct slo_rules_options o = options();
    err e = make_with(text, &o, m, &d);
    if (e != OK)
        print_error("%s\n", d.text);
    assert_int_equal(e, OK);
}

static void refuse(const char *text, const struct slo_rules_options *o, const char *want)
{
    struct made m;
    struct diag d = {.text = ""};
    assert_int_equal(make_with(text, o, &m, &d), ERR_INVALID);
    if (strstr(d.text, want) == NULL)
        print_error("got: %s\n", d.text);
    assert_non_null(strstr(d.text, want));
    arena_fini(&m.arena);
}

static const struct rule_group_def *group(const struct made *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (str_eq(m->groups[i].name, str_from(name)))
            return &m->groups[i];
    return NULL;
}

#define SLI_GROUP   "sloth-slo-sli-recordings-shop-a"
#define META_GROUP  "sloth-slo-meta-recordings-shop-a"
#define ALERT_GROUP "sloth-slo-alerts-shop-a"
#define TOTAL_GROUP "sloth-slo-sli-total-amount-shop-a"

static const struct rule_def *rule(const struct made *m, const char *in, const char *name)
{
    const struct rule_group_def *g = group(m, in);
    assert_non_null(g);
    for (size_t i = 0; i < g->rule_count; i++)
        if (str_eq(g->rules[i].record.text, str_from(name)) ||
            str_eq(g->rules[i].alert.text, str_from(name)))
            return &g->rules[i];
    print_error("no rule %s in %s\n", name, in);
    fail();
    return NULL;
}

static void is_text(str got, const char *want)
{
    char text[2048];
    (void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(got));
    assert_string_equal(text, want);
}

/* "a=b c=d" */
static void has_labels(const struct rule_labels *labels, const char *want)
{
    struct buf got = {0};
    for (size_t i = 0; i < labels->count; i++)
        buf_printf(&got, "%s" STR_FMT "=" STR_FMT, i > 0 ? " " : "", STR_ARG(labels->items[i].name),
                   STR_ARG(labels->items[i].value.text));
    assert_string_equal(buf_cstr(&got), want);
    buf_fini(&got);
}

#define IDS    "sloth_id=shop-a sloth_service=shop sloth_slo=a"
#define FILTER "{sloth_id=\"shop-a\", sloth_service=\"shop\", sloth_slo=\"a\"}"

/* ---- Which steps ---- */

static void test_slo_plugins__override(void **state)
{
    struct made m;
    (void)state;
    make(SLO EVENTS ALONE(CORE("sli_rules")), &m);
    assert_int_equal(m.count, 1);
    assert_int_equal(group(&m, SLI_GROUP)->rule_count, 8);
    arena_fini(&m.arena);
    make(SLO EVENTS ALONE(CORE("noop")), &m);
    assert_int_equal(m.count, 0);
    arena_fini(&m.arena);
    make(SLO EVENTS CHAIN(CORE("noop")), &m);
    assert_int_equal(m.count, 3);
    arena_fini(&m.arena);
    make(SLO EVENTS ALONE(CORE("alert_rules") ", " CORE("metadata_rules")), &m);
    assert_int_equal(m.count, 2);
    is_text(m.groups[0].name, META_GROUP); /* groups keep their order */
    arena_fini(&m.arena);
}

/* Rules that are made again take the place of the first ones. */
static void test_slo_plugins__again(void **state)
{
    struct made m;
    (void)state;
    make(SLO EVENTS CHAIN(
             "{id: sloth.dev/core/sli_rules/v1, config: {disableOptimized: true}}, " CORE(
                 "metadata_rules") ", " CORE("alert_rules")),
         &m);
    assert_int_equal(group(&m, SLI_GROUP)->rule_count, 8);
    assert_int_equal(group(&m, META_GROUP)->rule_count, 7);
    assert_int_equal(group(&m, ALERT_GROUP)->rule_count, 2);
    is_text(rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate30d")->expr.text,
            "(sum(rate(bad[30d])))\n/\n(sum(rate(all[30d])))\n");
    arena_fini(&m.arena);
}

/* A step before the usual ones finds no rules; the usual ones then make theirs. */
static void test_slo_plugins__order(void **state)
{
    static const char LABEL[] = SLO EVENTS
        "  plugins: {chain: [{id: sloth.dev/contrib/info_labels/v1, priority: %d, config: {labels: "
        "{more: x}}}]}\n";
    struct made m;
    char text[1024];
    (void)state;
    (void)snprintf(text, sizeof(text), LABEL, -1);
    make(text, &m);
    for (size_t i = 0; i < rule(&m, META_GROUP, "sloth_slo_info")->labels.count; i++)
        assert_false(
            str_eq(rule(&m, META_GROUP, "sloth_slo_info")->labels.items[i].name, STR("more")));
    arena_fini(&m.arena);
    (void)snprintf(text, sizeof(text), LABEL, 0);
    make(text, &m);
    has_labels(
        &rule(&m, META_GROUP, "sloth_slo_info")->labels,
        "more=x sloth_id=shop-a sloth_mode=cli-gen-prom sloth_objective=99 sloth_service=shop "
        "sloth_slo=a sloth_spec=prometheus/v1 sloth_version=0.1.0 team=web tier=one");
    arena_fini(&m.arena);
}

static void test_slo_plugins__options(void **state)
{
    struct made m;
    struct diag d = {.text = ""};
    struct slo_rules_options o = options();
    (void)state;
    o.no_default_plugins = true;
    assert_int_equal(make_with(SLO EVENTS CHAIN(CORE("alert_rules")), &o, &m, &d), OK);
    assert_int_equal(m.count, 1);
    arena_fini(&m.arena);
    o = options();
    o.no_alerts = o.no_recordings = true; /* the usual steps'; others do as they are told */
    assert_int_equal(make_with(SLO EVENTS CHAIN(BY("error_budget_exhausted_alert")), &o, &m, &d),
                     OK);
    assert_int_equal(m.count, 1);
    assert_int_equal(group(&m, ALERT_GROUP)->rule_count, 1);
    arena_fini(&m.arena);
}

/* ---- Single plugins ---- */

static void test_slo_plugins__budget_alert(void **state)
{
    struct made m;
    (void)state;
    make(SLO EVENTS CHAIN(BY("error_budget_exhausted_alert") ", " OF(
             "error_budget_exhausted_alert",
             "{threshold: 0.25, for: 10m, alert_name: Low, annotations: {title: t}, "
             "selector_labels: "
             "{tier: two, 'a b': c}, alert_labels: {severity: page}}")),
         &m);
    assert_int_equal(group(&m, ALERT_GROUP)->rule_count, 4);
    const struct rule_def *r = rule(&m, ALERT_GROUP, "ErrorBudgetExhausted");
    is_text(r->expr.text,
            "slo:period_error_budget_remaining:ratio{sloth_id=\"shop-a\", "
            "sloth_service=\"shop\", sloth_slo=\"a\", team=\"web\", tier=\"one\"} <= 0");
    assert_int_equal(r->for_ms, 5 * 60 * 1000);
    has_labels(&r->labels, "");
    r = rule(&m, ALERT_GROUP, "Low");
    is_text(r->expr.text,
            "slo:period_error_budget_remaining:ratio{\"a b\"=\"c\", sloth_id=\"shop-a\", "
            "sloth_service=\"shop\", sloth_slo=\"a\", team=\"web\", tier=\"two\"} <= 0.25");
    assert_int_equal(r->for_ms, 10 * 60 * 1000);
    has_labels(&r->labels, "severity=page");
    has_labels(&r->annotations, "title=t");
    arena_fini(&m.arena);
}

static void test_slo_plugins__total_amount(void **state)
{
    struct slo_rules_options o = options();
    struct made m;
    (void)state;
    make(SLO EVENTS CHAIN(BY("sli_total_amount")), &m);
    assert_int_equal(m.count, 4);
    assert_int_equal(group(&m, TOTAL_GROUP)->rule_count, 8);
    is_text(rule(&m, TOTAL_GROUP, "slo:sli_total:amount6h")->expr.text, "sum(rate(all[6h]))");
    has_labels(&rule(&m, TOTAL_GROUP, "slo:sli_total:amount30d")->labels, IDS " team=web tier=one");
    arena_fini(&m.arena);
    refuse(
        SLO RAW CHAIN(BY("sli_total_amount")), &o,
        "f.yml:10:26: SLO \"shop-a\": plugin \"sloth.dev/contrib/sli_total_amount/v1\": needs an "
        "SLI of events");
    refuse(SLO EVENTS CHAIN(BY("sli_total_amount") ", " BY("sli_total_amount")), &o,
           "stands twice in the chain");
}

static void test_slo_plugins__denominator_corrected(void **state)
{
    struct slo_rules_options o = options();
    struct made m;
    (void)state;
    make(SLO EVENTS CHAIN(BY("denominator_corrected_rules")), &m);
    assert_int_equal(group(&m, SLI_GROUP)->rule_count, 8);
    assert_int_equal(group(&m, META_GROUP)->rule_count, 7 + 7);
    is_text(rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate1h")->expr.text,
            "(\nslo:numerator_correction:ratio1h" FILTER
            "\n* on()\nsum(rate(bad[1h]))\n)\n/\n(sum(rate(all[1h])))\n");
    has_labels(&rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate1h")->labels,
               IDS " sloth_window=1h team=web tier=one");
    assert_true(str_starts(rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate30d")->expr.text,
                           STR("sum_over_time(slo:sli_error:ratio_rate5m")));
    is_text(rule(&m, META_GROUP, "slo:numerator_correction:ratio1h")->expr.text,
            "(sum(rate(all[1h])))/(sum(rate(all[30d])))");
    has_labels(&rule(&m, META_GROUP, "slo:numerator_correction:ratio1h")->labels,
               IDS " team=web tier=one");
    arena_fini(&m.arena);
    make(SLO EVENTS CHAIN(OF("denominator_corrected_rules", "{disableOptimized: true}")), &m);
    is_text(rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate30d")->expr.text,
            "(sum(rate(bad[30d])))\n/\n(sum(rate(all[30d])))\n");
    arena_fini(&m.arena);
    refuse(SLO RAW CHAIN(BY("denominator_corrected_rules")), &o, "needs an SLI of events");
}

/* A difference is a factor only within parentheses. */
static void test_slo_plugins__denominator_corrected_sums(void **state)
{
    struct made m;
    (void)state;
    make(SLO
         "  sli: {events: {error_query: 'sum(rate(all[{{.window}}])) - "
         "sum(rate(good[{{.window}}]))', "
         "total_query: 'sum(rate(all[{{.window}}]))'}}\n" CHAIN(BY("denominator_corrected_rules")),
         &m);
    is_text(rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate1h")->expr.text,
            "(\nslo:numerator_correction:ratio1h" FILTER
            "\n* on()\n(sum(rate(all[1h])) - sum(rate(good[1h])))\n)\n/\n(sum(rate(all[1h])))\n");
    arena_fini(&m.arena);
}

/* Of a histogram the good ones are counted. */
static void test_slo_plugins__latency(void **state)
{
    struct made m;
    (void)state;
    make(SLO "  sli: {latency: {metric: m, threshold_seconds: 2}}\n" CHAIN(
             BY("denominator_corrected_rules") ", " BY("sli_total_amount")),
         &m);
    is_text(rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate1h")->expr.text,
            "(\nslo:numerator_correction:ratio1h" FILTER "\n* on()\n((sum(rate(m_count{}[1h]))) - "
            "(sum(rate(m_bucket{le=~\"2(\\\\.0)?\"}[1h]))))\n)\n/\n(sum(rate(m_count{}[1h])))\n");
    is_text(rule(&m, TOTAL_GROUP, "slo:sli_total:amount2h")->expr.text, "sum(rate(m_count{}[2h]))");
    arena_fini(&m.arena);
}

static void test_slo_plugins__info_labels(void **state)
{
    struct made m;
    (void)state;
    make(SLO EVENTS CHAIN(OF("info_labels",
                             "{labels: {x-y: 1, team: other}, metricName: 'slo:objective:ratio'}")),
         &m);
    has_labels(&rule(&m, META_GROUP, "slo:objective:ratio")->labels,
               IDS " team=other tier=one x-y=1");
    has_labels(&rule(&m, META_GROUP, "slo:error_budget:ratio")->labels, IDS " team=web tier=one");
    arena_fini(&m.arena);
}

static void test_slo_plugins__remove_labels(void **state)
{
    struct made m;
    (void)state;
    make(SLO EVENTS CHAIN(OF("remove_labels",
                             "{preserveLabels: [tier], skipMetrics: "
                             "['slo:sli_error:ratio_rate1h', 'slo:time_period:days']}")),
         &m);
    has_labels(&rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate5m")->labels,
               IDS " sloth_window=5m tier=one");
    has_labels(&rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate1h")->labels,
               IDS " sloth_window=1h team=web tier=one");
    has_labels(&rule(&m, META_GROUP, "slo:objective:ratio")->labels, IDS " tier=one");
    has_labels(&rule(&m, META_GROUP, "slo:time_period:days")->labels, IDS " team=web tier=one");
    assert_int_equal(rule(&m, META_GROUP, "sloth_slo_info")->labels.count, 9);
    arena_fini(&m.arena);
}

static void test_slo_plugins__intervals(void **state)
{
    struct made m;
    (void)state;
    make(SLO EVENTS CHAIN(OF("rule_intervals", "{interval: {default: 2m, metadata: 5m}}") ", " BY(
             "sli_total_amount")) "  interval: {all: 9m}\n",
         &m);
    assert_int_equal(group(&m, SLI_GROUP)->interval_ms, 2 * 60000);
    assert_int_equal(group(&m, META_GROUP)->interval_ms, 5 * 60000);
    assert_int_equal(group(&m, ALERT_GROUP)->interval_ms, 2 * 60000);
    assert_int_equal(group(&m, TOTAL_GROUP)->interval_ms, 0);
    arena_fini(&m.arena);
}

/* ---- Queries ---- */

#define METRICS(error)                                                                             \
    SLO "  sli: {events: {error_query: '" error "', total_query: 'count(x[{{.window}}])'}}\n"
#define METRICSQL "histogram_share(0.2, sum by (vmrange) (rate(b{c=\"}\"}[{{.window}}])))"
#define VICTORIA  ALONE(BY("validate_victoria_metrics") ", " CORE("sli_rules"))

static void test_slo_plugins__metricsql(void **state)
{
    struct slo_rules_options o = options(), served = options();
    struct buf warnings = {0};
    struct made m;
    (void)state;
    served.served = true;
    refuse(METRICS(METRICSQL), &o, "f.yml:9:31: error query:");
    make(METRICS(METRICSQL) VICTORIA, &m);
    is_text(rule(&m, SLI_GROUP, "slo:sli_error:ratio_rate5m")->expr.text,
            "(histogram_share(0.2, sum by (vmrange) (rate(b{c=\"}\"}[5m]))))\n/\n(count(x[5m]))\n");
    slo_rules_warnings(&m.set, &o, &warnings);
    assert_non_null(strstr(buf_cstr(&warnings), "its queries are not PromQL"));
    buf_fini(&warnings);
    arena_fini(&m.arena);
    refuse(METRICS(METRICSQL) VICTORIA, &served, "objectives are served in PromQL");
    refuse(METRICS("f(x[{{.window}}]") VICTORIA, &o, "error query: a bracket is not closed");
    refuse(METRICS("f(x[{{.window}}})") VICTORIA, &o, "a bracket is closed that is not open");
    refuse(METRICS("f(x{a=\"b}[{{.window}}])") VICTORIA, &o, "unterminated quoted string");
    refuse(METRICS("f(x[{{.window}}]) + {{.more}}") VICTORIA, &o, "only {{.window}}");
}

/* Without any check there is none: but what is served must be PromQL. */
static void test_slo_plugins__unchecked(void **state)
{
    struct slo_rules_options served = options();
    struct made m;
    (void)state;
    served.served = true;
    make(METRICS("f(x[{{.window}}]") ALONE(CORE("sli_rules")), &m);
    arena_fini(&m.arena);
    refuse(METRICS("f(x[{{.window}}]") ALONE(CORE("sli_rules")), &served, "error query:");
    refuse(METRICS("f(x[{{.window}}]") ALONE(CORE("validate")), &served, "error query:");
}

static void warns(const char *text, const struct slo_rules_options *o, const char *want)
{
    struct buf warnings = {0};
    struct made m;
    make(text, &m);
    slo_rules_warnings(&m.set, o, &warnings);
    if (strcmp(buf_cstr(&warnings), want) != 0)
        print_error("got: %s\n", buf_cstr(&warnings));
    assert_string_equal(buf_cstr(&warnings), want);
    buf_fini(&warnings);
    arena_fini(&m.arena);
}

static void test_slo_plugins__warnings(void **state)
{
    struct pair extra = {STR("sloth_slo"), STR("x")};
    struct slo_rules_options o = options();
    (void)state;
    warns(SLO EVENTS, &o, "");
    warns(SLO EVENTS CHAIN("{id: sloth.dev/core/sli_rules/v1, config: {optimized: true}}"), &o,
          "f.yml:10:26: plugin \"sloth.dev/core/sli_rules/v1\" knows no \"optimized\": it is left "
          "alone\n");
    warns(
        SLO EVENTS "- {name: b, objective: 99, alerting: {name: B}, sli: {events: {error_query: "
                   "'e[{{.window}}]', total_query: 't[{{.window}}]'}}}\n"
                   "slo_plugins: {overridePrevious: true, chain: [{id: sloth.dev/core/debug/v1, "
                   "config: {message: x}}]}\n",
        &o, /* once, though it is of two objectives */
        "f.yml:11:52: plugin \"sloth.dev/core/debug/v1\" knows no \"message\": it is left alone\n");
    warns(SLO EVENTS ALONE(CORE("alert_rules")), &o,
          "f.yml:5:3: SLO \"shop-a\": no plugin makes ratios of errors: its alerts and burn rates "
          "find nothing\n");
    o.no_default_plugins = true;
    warns(SLO EVENTS CHAIN(CORE("metadata_rules")), &o,
          "f.yml:5:3: SLO \"shop-a\": no plugin makes ratios of errors: its alerts and burn rates "
          "find nothing\n");
    warns(SLO EVENTS CHAIN(BY("denominator_corrected_rules") ", " CORE("alert_rules")), &o, "");
    o = options();
    o.extra_labels = (struct pairs){&extra, 1};
    warns(SLO EVENTS, &o,
          "f.yml:5:3: SLO \"shop-a\": label \"sloth_slo\" takes the place of the objective's own: "
          "its alerts and burn rates find nothing\n");
    o = options();
    warns("version: prometheus/v1\nservice: s\nslos:\n- name: a\n  objective: 80\n  alerting: "
          "{name: A}\n" EVENTS ALONE(CORE("sli_rules")),
          &o, ""); /* no alert that could not fire */
    warns("version: prometheus/v1\nservice: s\nslos:\n- name: a\n  objective: 99\n  alerting: "
          "{name: A, "
          "pageAlert: {disable: true}}\n" EVENTS,
          &o,
          "f.yml:6:23: SLO \"s-a\": \"pageAlert\" is left out, as Sloth leaves it out: a file has "
          "page_alert and ticket_alert, the Kubernetes resource pageAlert and ticketAlert\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slo_plugins__override),
        cmocka_unit_test(test_slo_plugins__again),
        cmocka_unit_test(test_slo_plugins__order),
        cmocka_unit_test(test_slo_plugins__options),
        cmocka_unit_test(test_slo_plugins__budget_alert),
        cmocka_unit_test(test_slo_plugins__total_amount),
        cmocka_unit_test(test_slo_plugins__denominator_corrected),
        cmocka_unit_test(test_slo_plugins__denominator_corrected_sums),
        cmocka_unit_test(test_slo_plugins__latency),
        cmocka_unit_test(test_slo_plugins__info_labels),
        cmocka_unit_test(test_slo_plugins__remove_labels),
        cmocka_unit_test(test_slo_plugins__intervals),
        cmocka_unit_test(test_slo_plugins__metricsql),
        cmocka_unit_test(test_slo_plugins__unchecked),
        cmocka_unit_test(test_slo_plugins__warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
