/* test_slo_file.c -- files of objectives in all formats, and what is refused, with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/fs.h"
#include "config/slo_file.h"
#include "config/yaml.h"

static struct slo_set read_files(struct arena *a, const char *const *paths, size_t count)
{
    str list[8];
    struct slo_set set = {0};
    struct diag d = {.text = ""};
    for (size_t i = 0; i < count; i++)
        list[i] = str_from(paths[i]);
    arena_init(a, SLO_MEMORY_BYTES);
    err e = slo_files_read(list, count, a, &set, &d);
    assert_string_equal(d.text, "");
    assert_int_equal(e, OK);
    return set;
}

static void assert_str(str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.len > 0 ? got.ptr : "", want, got.len);
}

static void assert_pairs(const struct pairs *got, const char *want)
{
    struct buf text = {0};
    for (size_t i = 0; i < got->count; i++)
        buf_printf(&text, "%s" STR_FMT "=" STR_FMT, i > 0 ? "," : "", STR_ARG(got->items[i].name),
                   STR_ARG(got->items[i].value));
    assert_string_equal(buf_cstr(&text), want);
    buf_fini(&text);
}

static void test_slo_file__sloth(void **state)
{
    (void)state;
    struct arena a;
    struct slo_set set = read_files(&a, (const char *const[]){"config/slo/sloth.yml"}, 1);
    assert_int_equal(set.count, 3);
    const struct slo_def *s = &set.defs[0];
    assert_str(s->id, "shop-requests-availability");
    assert_str(s->service, "shop");
    assert_int_equal(s->format, SLO_FORMAT_SLOTH);
    assert_int_equal(s->line, 7);
    assert_int_equal(s->column, 5);
    assert_true(s->objective == 99.9);
    assert_pairs(&s->labels, "owner=web,tier=2");
    assert_pairs(&s->info_labels, "runbook=shop-errors");
    assert_int_equal(s->sli.kind, SLO_SLI_EVENTS);
    assert_str(s->sli.total.text, "sum(rate(http_requests_total{job=\"shop\"}[{{.window}}]))");
    assert_int_equal(s->sli.total.line, 17);
    assert_str(s->alert_name, "ShopErrors");
    assert_pairs(&s->page.labels, "category=availability,severity=critical");
    assert_pairs(&s->ticket.labels, "category=slow,severity=warning");
    assert_pairs(&s->page.annotations, "runbook=https://example.com/shop");
    assert_false(s->window.given);
    assert_int_equal(set.defs[1].sli.kind, SLO_SLI_RAW);
    assert_true(set.defs[1].page.disabled && set.defs[1].ticket.disabled);
    s = &set.defs[2];
    assert_int_equal(s->sli.kind, SLO_SLI_LATENCY);
    assert_true(s->sli.threshold == 2);
    assert_str(s->sli.selector, "job=\"api\"");
    assert_true(s->window.calendar);
    assert_int_equal(s->window.months, 1);
    assert_str(s->window.zone_name, "Europe/Berlin");
    assert_int_equal(s->interval_sli_ms, 120000);
    assert_int_equal(s->interval_alert_ms, 60000);
    assert_false(s->page.disabled);
    assert_true(s->ticket.disabled);
    arena_fini(&a);
}

static void test_slo_file__kubernetes(void **state)
{
    (void)state;
    struct arena a;
    struct slo_set set = read_files(&a, (const char *const[]){"config/slo/k8s.yml"}, 1);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.defs[0].format, SLO_FORMAT_SLOTH_K8S);
    assert_str(set.defs[0].id, "shop-checkout");
    assert_str(set.defs[0].sli.error.text, "sum(rate(checkout_failed_total[{{.window}}]))");
    assert_pairs(&set.defs[0].page.labels, "severity=home");
    assert_true(set.defs[0].ticket.disabled);
    arena_fini(&a);
}

static void test_slo_file__openslo(void **state)
{
    (void)state;
    struct arena a;
    struct slo_set set = read_files(&a, (const char *const[]){"config/slo/openslo.yml"}, 1);
    assert_int_equal(set.count, 3);
    const struct slo_def *s = &set.defs[0];
    assert_str(s->id, "web-web-availability-0");
    assert_str(s->name, "web-availability-0");
    assert_str(s->title, "Good");
    assert_pairs(&s->labels, "env=prod,example_com_tier=1,team=a,b");
    assert_int_equal(s->sli.kind, SLO_SLI_EVENTS);
    assert_int_equal(s->sli.form, SLO_QUERY_COUNTER);
    assert_true(s->sli.good);
    assert_int_equal(s->budgeting, SLO_TIMESLICES);
    assert_int_equal(s->slice_ms, 60000);
    assert_true(s->slice_target == 0.95);
    assert_true(s->objective == 99.5);
    assert_true(s->window.calendar);
    assert_int_equal(s->window.days, 7);
    assert_int_equal(s->window.anchor.hour, 12);
    assert_int_equal(s->condition_count, 2);
    assert_str(s->conditions[0].policy, "burns");
    assert_str(s->conditions[0].severity, "page");
    assert_str(s->conditions[0].targets, "pager,chat");
    assert_true(s->conditions[0].burn_rate == 14.4 && s->conditions[0].breaching);
    assert_int_equal(s->conditions[0].lookback_ms, 3600000);
    assert_int_equal(s->conditions[0].after_ms, 300000);
    assert_str(s->conditions[1].policy, "in-place");
    assert_true(s->conditions[1].no_data && !s->conditions[1].breaching);
    assert_str(set.defs[1].id, "web-web-availability-1");
    assert_int_equal(set.defs[1].slice_ms, 300000);
    assert_true(set.defs[1].objective == 99.9);
    s = &set.defs[2];
    assert_int_equal(s->sli.kind, SLO_SLI_THRESHOLD);
    assert_int_equal(s->sli.op, SLO_OP_LTE);
    assert_true(s->sli.threshold == 100);
    assert_false(s->window.calendar);
    assert_true(s->window.rolling_ms == 28 * 86400000LL);
    arena_fini(&a);
}

static void test_slo_file__sets_of_files(void **state)
{
    (void)state;
    struct arena a;
    struct slo_set set =
        read_files(&a, (const char *const[]){"config/slo/k8s.yml", "config/slo/sloth.yml"}, 2);
    struct diag d = {.text = ""};
    str twice[] = {STR("config/slo/k8s.yml"), STR("config/slo/k8s.yml")};
    str missing[] = {STR("config/slo/none.yml")};
    assert_int_equal(set.count, 4);
    assert_int_equal(slo_files_read(twice, 2, &a, &set, &d), ERR_INVALID);
    assert_string_equal(d.text, "config/slo/k8s.yml:13:7: SLO \"shop-checkout\" is there already: "
                                "config/slo/k8s.yml:13:7");
    d.text[0] = '\0';
    assert_int_equal(slo_files_read(missing, 1, &a, &set, &d), ERR_NOTFOUND);
    assert_string_equal(d.text, "config/slo/none.yml: no such file");
    arena_fini(&a);
}

static void refuse(const char *text, const char *want)
{
    struct arena a;
    struct slo_set set = {0};
    struct diag d = {.text = ""};
    arena_init(&a, SLO_MEMORY_BYTES);
    assert_int_equal(slo_text_read("f.yml", str_bytes(str_from(text)), &a, &set, &d), ERR_INVALID);
    if (strstr(d.text, want) == NULL)
        print_error("got: %s\n", d.text);
    assert_non_null(strstr(d.text, want));
    assert_int_equal(set.count, 0);
    arena_fini(&a);
}

#define SLOTH "version: prometheus/v1\nservice: s\nslos:\n- name: n\n  objective: 99\n"
#define EVENTS                                                                                     \
    "  sli:\n    events:\n      error_query: e[{{.window}}]\n      total_query: t[{{.window}}]\n"
#define QUIET "  alerting:\n    page_alert: {disable: true}\n    ticket_alert: {disable: true}\n"

#define CHAIN(items) SLOTH EVENTS QUIET "  plugins: {chain: [" items "]}\n"

static void test_slo_file__plugin_errors(void **state)
{
    (void)state;
    refuse(CHAIN("{id: my.org/x/v1}"),
           "f.yml:13:26: field \"id\": no SLO plugin \"my.org/x/v1\": those that come with Sloth");
    refuse(CHAIN("{priority: 1}"), "f.yml:13:21: id: the plugin's id is required");
    refuse(CHAIN("{id: sloth.dev/core/noop/v1, priority: high}"), "must be a whole number");
    refuse(CHAIN("{id: sloth.dev/core/noop/v1, order: 1}"), "no such field");
    refuse(CHAIN("{id: sloth.dev/core/sli_rules/v1, config: {disableOptimized: perhaps}}"),
           "field \"disableOptimized\": must be true or false");
    refuse(CHAIN("{id: sloth.dev/core/sli_rules/v1, config: [1]}"), "f.yml:13:");
    refuse(CHAIN("{id: sloth.dev/contrib/info_labels/v1}"), "at least one label is required");
    refuse(CHAIN("{id: sloth.dev/contrib/info_labels/v1, config: {labels: {__name__: a}}}"),
           "is not a valid label name");
    refuse(CHAIN("{id: sloth.dev/contrib/rule_intervals/v1, config: {interval: {alert: 1m}}}"),
           "interval: default is required");
    refuse(CHAIN("{id: sloth.dev/contrib/error_budget_exhausted_alert/v1, config: {for: soon}}"),
           "field \"for\"");
    refuse(SLOTH EVENTS QUIET "  plugins: {overridePrevious: true}\n", "no step would be left");
    refuse(SLOTH EVENTS QUIET "slo_plugins: {chain: {id: x}}\n",
           "f.yml:13:22: field \"chain\": must be a list of plugins");
}

static void read_good(const char *text, struct arena *a, struct slo_set *set)
{
    struct diag d = {.text = ""};
    arena_init(a, SLO_MEMORY_BYTES);
    err e = slo_text_read("f.yml", str_bytes(str_from(text)), a, set, &d);
    if (e != OK)
        print_error("%s\n", d.text);
    assert_int_equal(e, OK);
}

static void has_chain(const struct slo_def *def, const char *messages, bool override)
{
    struct buf got = {0};
    for (size_t i = 0; i < def->chain.count; i++)
        buf_put_str(&got, def->chain.items[i].debug.text);
    assert_string_equal(buf_cstr(&got), messages);
    assert_int_equal(def->chain.override, override);
    buf_fini(&got);
}

#define STEP(priority, text)                                                                       \
    "{id: sloth.dev/core/debug/v1, priority: " #priority ", config: {msg: " #text "}}"

/* By priority, in the order given where that is equal: those of the file first. */
static void test_slo_file__plugin_chains(void **state)
{
    static const char FILE_CHAIN[] =
        "slo_plugins: {chain: [" STEP(5, e) ", " STEP(-9, a) ", " STEP(0, c) "]}\n";
    struct arena a;
    struct slo_set set = {0};
    struct buf text = {0};
    (void)state;
    buf_printf(&text, "%s%s", CHAIN(STEP(5, f) ", " STEP(0, d) ", " STEP(-2, b) ""), FILE_CHAIN);
    read_good(buf_cstr(&text), &a, &set);
    has_chain(&set.defs[0], "abcdef", false);
    assert_true(slo_chain_has(&set.defs[0].chain, SLO_PLUGIN_ALERT_RULES));
    assert_true(slo_chain_has(&set.defs[0].chain, SLO_PLUGIN_DEBUG));
    assert_false(slo_chain_has(&set.defs[0].chain, SLO_PLUGIN_NOOP));
    arena_fini(&a);
    buf_reset(&text);
    buf_printf(&text, "%s%s",
               SLOTH EVENTS QUIET "  plugins: {override_previous: true, chain: [" STEP(0, x) "]}\n",
               FILE_CHAIN);
    read_good(buf_cstr(&text), &a, &set);
    has_chain(&set.defs[0], "x", true);
    assert_false(slo_chain_has(&set.defs[0].chain, SLO_PLUGIN_ALERT_RULES));
    arena_fini(&a);
    read_good(SLOTH EVENTS QUIET "slo_plugins: {overridePrevious: true, chain: [" STEP(3, y) "]}\n",
              &a, &set);
    has_chain(&set.defs[0], "y", true);
    arena_fini(&a);
    buf_fini(&text);
}

/* As `kubectl get prometheusservicelevels -o yaml` writes them. */
static void test_slo_file__kubectl_list(void **state)
{
    static const char ITEM[] =
        "- apiVersion: sloth.slok.dev/v1\n  kind: PrometheusServiceLevel\n"
        "  metadata: {name: %s, namespace: n, uid: 1-2, creationTimestamp: "
        "'2026-01-01T00:00:00Z'}\n"
        "  spec:\n    service: %s\n    slos:\n    - {name: a, objective: 99, alerting: {name: A}, "
        "sli: "
        "{raw: {errorRatioQuery: 'r[{{.window}}]'}}}\n  status: {observedGeneration: 1}\n";
    struct arena a;
    struct slo_set set = {0};
    struct buf text = {0};
    (void)state;
    buf_put_str(&text,
                STR("apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"));
    buf_printf(&text, ITEM, "x", "one");
    buf_printf(&text, ITEM, "y", "two");
    read_good(buf_cstr(&text), &a, &set);
    assert_int_equal(set.count, 2);
    assert_true(str_eq(set.defs[1].id, STR("two-a")));
    assert_true(str_eq(set.defs[1].resource->name, STR("y")));
    assert_true(str_eq(set.defs[1].resource->space, STR("n")));
    assert_ptr_not_equal(set.defs[0].resource, set.defs[1].resource);
    arena_fini(&a);
    buf_fini(&text);
    refuse("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n",
           "f.yml:4:16: field \"apiVersion\": not a file of objectives");
    refuse("apiVersion: v1\nkind: List\nitems: x\n", "not a file of objectives");
}

/* Go's JSON: keys in any case, unknown ones left alone. */
static void test_slo_file__plugin_keys(void **state)
{
    struct arena a;
    struct slo_set set = {0};
    (void)state;
    read_good(CHAIN("{id: sloth.dev/core/sli_rules/v1, config: {DISABLEOPTIMIZED: true, more: 1}}"),
              &a, &set);
    assert_true(set.defs[0].chain.items[0].ratio.not_optimized);
    assert_true(str_eq(set.defs[0].chain.items[0].unknown, STR("more")));
    arena_fini(&a);
}

static void test_slo_file__sloth_errors(void **state)
{
    (void)state;
    refuse("", "f.yml:1:1: empty");
    refuse("groups: []\n", "f.yml:1:1: not a file of objectives");
    refuse("version: prometheus/v2\n", "f.yml:1:10: field \"version\": not a file of objectives");
    refuse("version: prometheus/v1\nservice: s\n", "at least one SLO is required");
    refuse(SLOTH EVENTS QUIET "  objectiv: 1\n", "f.yml:13:13: field \"objectiv\": no such field");
    refuse(SLOTH EVENTS, "alerting is required");
    refuse(SLOTH EVENTS "  alerting: {}\n", "alert name is required");
    refuse(SLOTH QUIET, "sli is required");
    refuse(SLOTH "  sli: {}\n" QUIET, "at least one SLI type is required");
    refuse(SLOTH "  sli: {plugin: {options: {a: b}}}\n" QUIET,
           "f.yml:6:17: field \"plugin\": id: the plugin's id is required");
    refuse(SLOTH EVENTS "    raw: {error_ratio_query: 'r[{{.window}}]'}\n" QUIET,
           "only one SLI type is allowed");
    refuse(SLOTH "  sli: {events: {error_query: 'e[5m]', total_query: 't[{{.window}}]'}}\n" QUIET,
           "f.yml:6:31: field \"events\": error_query must contain the {{.window}} variable");
    refuse(SLOTH "  sli: {events: {error_query: 't[{{.window}}]', total_query: "
                 "'t[{{.window}}]'}}\n" QUIET,
           "can't be the same");
    refuse(
        "version: prometheus/v1\nservice: s\nslos:\n- name: n\n  objective: 100.1\n" EVENTS QUIET,
        "objective must be > 0 and <= 100");
    refuse("version: prometheus/v1\nservice: -s\nslos:\n- name: n\n  objective: 1\n" EVENTS QUIET,
           "service \"-s\" must start and end with a letter or digit");
    refuse(SLOTH EVENTS QUIET "  labels: {__name__: c}\n",
           "\"__name__\" is not a valid label name");
    refuse(SLOTH "  sli: {latency: {metric: m}}\n" QUIET, "threshold_seconds is required");
    refuse(SLOTH "  sli: {latency: {metric: m_bucket, threshold_seconds: 1}}\n" QUIET,
           "without _bucket");
    refuse(SLOTH EVENTS QUIET "  time_window: {duration: 1M, rolling: true}\n",
           "a rolling window of months");
    refuse(SLOTH EVENTS QUIET "  time_window: {duration: 93d}\n",
           "a rolling window is of 1 to 92 days");
    refuse(SLOTH EVENTS QUIET "  time_window: {duration: 1M, time_zone: Mars/Base}\n",
           "unknown time zone \"Mars/Base\"");
    refuse(SLOTH EVENTS QUIET "  time_window: {duration: 1M, start_time: 2026-01-31}\n",
           "must start on day 1 to 28");
    refuse(SLOTH EVENTS QUIET "  time_window: {duration: 1M, start_time: 2026-13-01}\n",
           "is not a time such as");
    refuse(SLOTH EVENTS QUIET "  time_window: {duration: 30x}\n", "\"30x\" is not a duration");
}

#define SLO       "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: n}\nspec:\n  service: s\n"
#define METHOD    "  budgetingMethod: Occurrences\n"
#define TARGET    "  objectives: [{target: 0.9}]\n"
#define SOURCE(q) "{metricSource: {spec: {query: '" q "'}}}"
#define RATIO                                                                                      \
    "  indicator: {spec: {ratioMetric: {counter: true, good: " SOURCE("a") ", total: " SOURCE(     \
        "b") "}}}\n"

static void test_slo_file__openslo_errors(void **state)
{
    (void)state;
    refuse("apiVersion: openslo/v2\nkind: SLO\n", "not a file of objectives");
    refuse("apiVersion: openslo/v1\nkind: Pod\nmetadata: {name: n}\nspec: {}\n",
           "kind \"Pod\" is not one of");
    refuse("apiVersion: openslo/v1\nkind: SLO\nspec: {}\n", "\"metadata\" is missing");
    refuse(SLO RATIO TARGET, "\"budgetingMethod\" is missing");
    refuse(SLO METHOD TARGET, "exactly one of indicator and indicatorRef is required");
    refuse(SLO METHOD TARGET "  indicatorRef: x\n", "there is no SLI \"x\"");
    refuse(SLO METHOD RATIO, "at least one objective is required");
    refuse(SLO METHOD RATIO "  objectives: [{target: 1}]\n", "target must be in (0, 1)");
    refuse(SLO METHOD RATIO "  objectives: [{target: 0.9, targetPercent: 90}]\n",
           "exactly one of target and targetPercent");
    refuse(SLO METHOD RATIO "  objectives: [{target: 0.9, compositeWeight: 1}]\n",
           "f.yml:8:47: field \"compositeWeight\": is not supported");
    refuse(SLO METHOD RATIO TARGET "  alertPolicies: [x]\n", "there is no AlertPolicy \"x\"");
    refuse(SLO METHOD RATIO TARGET "  timeWindow: [{duration: 1M, isRolling: true}]\n",
           "a rolling window of months");
    refuse(SLO METHOD RATIO TARGET "  timeWindow: [{duration: 1d}]\n",
           "either isRolling: true or a calendar");
    refuse(SLO METHOD TARGET "  indicator: {spec: {thresholdMetric: " SOURCE("x") "}}\n",
           "needs op and value");
    refuse(SLO METHOD TARGET "  indicator: {spec: {ratioMetric: {good: " SOURCE("x") "}}}\n",
           "total (or raw) is required");
    refuse(SLO METHOD TARGET "  indicator: {spec: {ratioMetric: {raw: " SOURCE("x") "}}}\n",
           "rawType is required");
    refuse(SLO METHOD TARGET
           "  indicator: {spec: {thresholdMetric: {metricSource: {type: Datadog, spec: "
           "{query: x}}}}}\n",
           "type \"Datadog\": metrics are those of this server alone");
    refuse(SLO "  budgetingMethod: Timeslices\n" RATIO TARGET, "timeSliceWindow is required");
    refuse(SLO "  budgetingMethod: Timeslices\n" RATIO
               "  objectives: [{target: 0.9, timeSliceWindow: 7m}]\n",
           "must be of 1m to 1d and divide a day");
}

#define ALPHA                                                                                      \
    "apiVersion: openslo/v1alpha\nkind: SLO\nmetadata: {name: n, displayName: N}\nspec:\n"         \
    "  service: s\n  timeWindows: [{count: 28, unit: Day}]\n"
#define ALPHA_QUERY(q) "{source: prometheus, queryType: promql, query: '" q "'}"

static void test_slo_file__openslo_alpha(void **state)
{
    (void)state;
    struct arena a;
    struct slo_set set = {0};
    struct diag d = {.text = ""};
    static const char TEXT[] =
        ALPHA "  objectives:\n  - target: 0.999\n    ratioMetrics: {good: " ALPHA_QUERY(
            "g[{{.window}}]") ", total: " ALPHA_QUERY("t[{{.window}}]") "}\n";
    arena_init(&a, SLO_MEMORY_BYTES);
    err e = slo_text_read("f.yml", str_bytes(str_from(TEXT)), &a, &set, &d);
    assert_string_equal(d.text, "");
    assert_int_equal(e, OK);
    assert_int_equal(set.count, 1);
    assert_str(set.defs[0].id, "s-n-0");
    assert_str(set.defs[0].name, "n-0");
    assert_str(set.defs[0].title, "N");
    assert_true(set.defs[0].objective == 99.9);
    assert_true(set.defs[0].window.rolling_ms == 28 * 86400000LL);
    assert_true(set.defs[0].sli.good && set.defs[0].page.disabled);
    arena_fini(&a);
    refuse(ALPHA "  objectives: []\n", "at least one objective");
    refuse(ALPHA "  objectives: [{target: 0.9}]\n", "ratioMetrics is required");
    refuse(ALPHA "  objectives: [{target: 0.9, ratioMetrics: {good: " ALPHA_QUERY(
               "g[{{.window}}]") "}}]\n",
           "good and total are both required");
    refuse(ALPHA "  objectives: [{target: 0.9, ratioMetrics: {good: " ALPHA_QUERY("g[5m]") "}}]\n",
           "query must contain the {{.window}} variable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slo_file__sloth),
        cmocka_unit_test(test_slo_file__kubernetes),
        cmocka_unit_test(test_slo_file__openslo),
        cmocka_unit_test(test_slo_file__sets_of_files),
        cmocka_unit_test(test_slo_file__plugin_errors),
        cmocka_unit_test(test_slo_file__plugin_chains),
        cmocka_unit_test(test_slo_file__plugin_keys),
        cmocka_unit_test(test_slo_file__kubectl_list),
        cmocka_unit_test(test_slo_file__sloth_errors),
        cmocka_unit_test(test_slo_file__openslo_errors),
        cmocka_unit_test(test_slo_file__openslo_alpha),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
