/* Which queries are step-local, and how far their steps look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query/durations.h"
#include "query/parser.h"
#include "query/step_local.h"

static struct step_local of(const char *text, struct query_options o)
{
    struct arena a;
    struct expr *tree;
    struct diag d = {.text = ""};
    struct promql_options po = {
        .experimental_functions = true, .fill_modifiers = true, .extended_range_selectors = true};
    arena_init(&a, 1 << 20);
    if (promql_parse(str_from(text), &po, &a, &tree, &d) != OK)
        fail_msg("%s: %s", text, d.text);
    struct duration_context dc = {.step_ms = o.step_ms, .range_ms = 3600000};
    assert_int_equal(durations_resolve(tree, &dc, &d), OK);
    struct step_local l = step_local_of(tree, &o);
    expr_fini(tree);
    arena_fini(&a);
    return l;
}

static struct query_options usual(void)
{
    return (struct query_options){
        .step_ms = 15000, .lookback_ms = 300000, .subquery_step_ms = 60000};
}

static void test_step_local__takes_what_is(void **state)
{
    static const struct {
        const char *text;
        bool ordered;
    } ROWS[] = {
        {"m", false},
        {"{job=\"a\"}", false},
        {"rate(m[5m]) * 2", false},
        {"m / on (a) group_left n", false},
        {"m > bool 1 or n unless o", false},
        {"count by (x) (a * b)", false},
        {"count_values(\"v\", m)", false},
        {"label_replace(m, \"a\", \"b\", \"c\", \"d\")", false},
        {"m offset -5m", false},
        {"max_over_time(m[5m:] offset 1m) > 0 or vector(1)", false},
        {"max_over_time(rate(m[1m])[5m:30s])", false},
        {"clamp_max(m, time()) + hour()", false},
        {"scalar(m) + 1", false},
        {"absent(m{a=\"b\"})", false},
        {"rate(m[step() * 2])", false},
        {"sum(m)", true},
        {"sum by (a) (rate(m[5m])) / sum by (a) (rate(n[5m]))", true},
        {"topk(5, sum by (a) (rate(m[5m])))", true},
        {"histogram_quantile(0.9, sum by (le) (rate(m_bucket[5m])))", true},
        {"100 - (avg by (i) (irate(m{mode=\"idle\"}[1m])) * 100)", true},
        {"quantile(0.5, abs(m))", true},
        {"count(m) + sum({__name__=\"m\", a=~\"b.*\"})", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
        struct step_local l = of(ROWS[i].text, usual());
        if (!l.ok || l.ordered != ROWS[i].ordered)
            fail_msg("%s: ok %d ordered %d", ROWS[i].text, l.ok, l.ordered);
    }
}

static void test_step_local__refuses_what_is_not(void **state)
{
    static const char *const ROWS[] = {
        /* times of the query */
        "m @ end()",
        "m @ start()",
        "m @ 1600000000",
        "rate(m[5m] @ end())",
        "max_over_time(m[5m:1m] @ start())",
        "m + start()",
        "m * range()",
        "m - end()",
        "rate(m[range()])",
        "m offset (range() / 2)",
        "max_over_time(m[range() + 1m:1m])",
        "max_over_time(m[5m:(range() / 100)])",
        /* operators over the whole */
        "limitk(2, m)",
        "limit_ratio(0.5, m)",
        "sort(m)",
        "sort_desc(m)",
        "sort_by_label(m, \"a\")",
        "info(m)",
        "sum(info(m))",
        /* order that depends on which series are there */
        "sum(a * b)",
        "sum({job=\"a\"})",
        "avg(m or n)",
        "sum(sum by (a) (sum by (a, b) (m)))",
        "sum(label_replace(m, \"a\", \"b\", \"c\", \"d\"))",
        "topk(1, m / n)",
        "sum(count by (__name__) ({__name__=\"m\"}))",
        "histogram_quantile(0.9, m_bucket / n)",
        "max(rate({__name__=~\"a|b\"}[5m]))",
        "sum(max_over_time(m[5m:1m]))",
        "max_over_time(sum(m)[5m:1m])",
        "sum(m) + max_over_time(m[5m:1m])",
        "sum(abs(abs(abs(abs(abs(abs(abs(abs(abs(m))))))))))",
        /* windows with gaps between them */
        "max_over_time(m[10s:1s])",
        "max_over_time(max_over_time(m[30s:10s])[5m:1m])",
        /* nothing of the store */
        "time()",
        "vector(1)",
        "1 + 2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++)
        if (of(ROWS[i], usual()).ok)
            fail_msg("%s", ROWS[i]);
    struct query_options o = usual();
    o.delayed_name_removal = true;
    assert_false(of("m", o).ok);
    o = usual();
    o.step_ms = 0;
    assert_false(of("m", o).ok);
}

static void test_step_local__knows_how_far_steps_look(void **state)
{
    static const struct {
        const char *text;
        int64_t before_s, after_s;
    } ROWS[] = {
        {"m", 600, 0}, /* lookback twice: see find_selector() */
        {"m offset 1h", 4200, -3600},
        {"m offset -1h", -3000, 3600},
        {"rate(m[10m])", 900, 0},
        {"rate(m[10m]) + n offset 1h", 4200, 0},
        {"rate(m[10m] offset -10m) + n offset 1h", 4200, 600},
        {"m smoothed", 600, 300},
        {"max_over_time(rate(m[10m])[1h:] offset 5m)", 600 + 300 + 3600 + 300, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
        struct step_local l = of(ROWS[i].text, usual());
        assert_true(l.ok);
        if (l.before_ms != ROWS[i].before_s * 1000 || l.after_ms != ROWS[i].after_s * 1000)
            fail_msg("%s: %lld %lld", ROWS[i].text, (long long)l.before_ms, (long long)l.after_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_local__takes_what_is),
        cmocka_unit_test(test_step_local__refuses_what_is_not),
        cmocka_unit_test(test_step_local__knows_how_far_steps_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
