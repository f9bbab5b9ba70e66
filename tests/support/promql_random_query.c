/* promql_random_query.c -- see promql_random.h: queries over the whole grammar, typed, so that they
 * mean something. Where upstream leaves the answer open they are written so that it does not show:
 * topk() is of values that differ, limitk() is counted. */
#include "support/promql_random.h"

struct gen {
    struct rng *r;
    struct buf *b;
};

#define PICK(g, ...) RNG_PICK((g)->r, __VA_ARGS__)

static void vector(struct gen *g, int depth);

static void put(struct gen *g, const char *text)
{
    buf_put_str(g->b, str_from(text));
}

static bool chance(struct gen *g, unsigned percent)
{
    return rng_chance(g->r, percent);
}

/* ---- selectors ---- */

static void times(struct gen *g)
{
    bool offset_first = chance(g, 50);
    bool offset = chance(g, 15), at = chance(g, 10);
    for (int k = 0; k < 2; k++) {
        if (offset && (k == 0) == offset_first)
            buf_printf(g->b, " offset %s",
                       PICK(g, "30s", "1m", "7m", "-2m", "15s500ms", "(1m + 30s)", "0s", "1ms",
                            "-15s", "step()", "(range() / 2)", "min_of(step(), 1m)",
                            "-(step() + 15s)", "(2 ^ 6)", "(1m - max_of(15s, 1s) % 10)"));
        if (at && (k == 1) == offset_first)
            buf_printf(g->b, " @ %s", PICK(g, "600", "start()", "end()", "1234.567", "-5", "17m"));
    }
}

static void matchers(struct gen *g)
{
    if (chance(g, 40))
        buf_printf(g->b, "{%s}",
                   PICK(g, "job=\"a\"", "job!=\"a\"", "instance=~\"1|2\"", "instance!~\"3\"",
                        "x=\"\"", "x!=\"\"", "job=\"a\",instance=\"1\"", "job=\"nope\"",
                        "job=~\".+\",job!~\"b.*\"", "le=\"1\"", "le!=\"+Inf\"", "x=~\"|1\"",
                        "x!~\"1?\"", "__type__=\"counter\"", "__unit__=\"\"",
                        "instance=~\"1.*\",instance!=\"1\""));
}

static void name(struct gen *g)
{
    if (chance(g, 8)) {
        put(g, PICK(g, "{__name__=~\"c_total|g\",x=\"\"}", "{job=\"a\",__name__=~\"[cgu].*\"}",
                    "{__name__=~\"n|nc\"}", "{__name__=~\"g|n\"}", "{__name__=\"g\"}",
                    "{__name__!~\"n.*|h.*|mixed\",instance=\"1\"}", "{\"c_total\"}",
                    "{__name__=~\".+_info|u\"}"));
        return;
    }
    put(g, chance(g, 72) ? PICK(g, "c_total", "g", "u", "g", "h_bucket", "target_info", "nope")
                         : PICK(g, "n", "ng", "nc", "mixed", "n", "h_bucket"));
    matchers(g);
}

static void selector(struct gen *g)
{
    if (chance(g, 5))
        put(g, PICK(g, "c_total smoothed", "g smoothed", "u smoothed", "n smoothed", "nc smoothed",
                    "ng smoothed", "mixed smoothed"));
    else
        name(g);
    times(g);
}

/* ---- scalars ---- */

static void number(struct gen *g)
{
    put(g, PICK(g, "0", "1", "2", "0.5", "-1", "100", "1e6", "3.25", "NaN", "Inf", "-Inf", "1m"));
}

static void scalar(struct gen *g, int depth)
{
    if (depth <= 0 || chance(g, 60)) {
        number(g);
    } else if (chance(g, 30)) {
        put(g, PICK(g, "time()", "pi()", "(time() / 60)", "start()", "end()", "step()", "range()"));
    } else if (chance(g, 50)) {
        put(g, "scalar(");
        if (chance(g, 50))
            put(g, PICK(g, "u{job=\"a\",instance=\"1\",x=\"\"}", "count(g)", "max(c_total) / 1e5",
                        "sum(g{instance=\"2\"})", "count(u) - 3"));
        else
            vector(g, depth - 1);
        put(g, ")");
    } else if (chance(g, 20)) {
        put(g, PICK(g, "max_of(", "min_of("));
        scalar(g, depth - 1);
        put(g, ", ");
        scalar(g, depth - 1);
        put(g, ")");
    } else {
        put(g, PICK(g, "(", "-("));
        scalar(g, depth - 1);
        buf_printf(g->b, " %s ",
                   PICK(g, "+", "-", "*", "/", "%", "^", "atan2", "> bool", "== bool", "!= bool"));
        scalar(g, depth - 1);
        put(g, ")");
    }
}

/* A number that differs from step to step, as parameters may. */
static void parameter(struct gen *g, const char *otherwise)
{
    put(g, chance(g, 85) ? otherwise
                         : PICK(g, "scalar(count(g)) / 5", "scalar(count(u) - 3)",
                                "scalar(u{job=\"a\",instance=\"1\",x=\"\"})", "time() % 3",
                                "(time() / 60 % 4 - 1)", "-scalar(count(c_total)) / 7"));
}

/* ---- ranges ---- */

static void subquery(struct gen *g, int depth)
{
    put(g, "(");
    vector(g, depth - 2);
    buf_printf(g->b, ")[%s:%s]", PICK(g, "2m", "5m", "90s", "(step() + 1m)", "1ms"),
               PICK(g, "30s", "1m", "", "17s", "(10s + step() / 10)", "2m30s"));
}

static void range(struct gen *g, int depth, bool plain)
{
    if (depth > 1 && !plain && chance(g, 20)) {
        subquery(g, depth);
    } else {
        name(g);
        buf_printf(g->b, "[%s]",
                   PICK(g, "1m", "2m", "5m", "10m", "31s", "1h", "10s", "max_of(step(), 90s)",
                        "15s", "30s", "1ms", "300 * 2", "15001ms", "(step() + 30s)",
                        "min_of(2m, range() + 45s)", "1m30s"));
    }
}

static void extended(struct gen *g)
{
    bool anchored = chance(g, 60);
    buf_printf(g->b, "%s(",
               chance(g, 4) ? PICK(g, "irate", "sum_over_time", "changes", "deriv")
               : anchored   ? PICK(g, "rate", "increase", "delta", "changes", "resets")
                            : PICK(g, "rate", "increase", "delta"));
    name(g);
    buf_printf(g->b, "[%s] %s", PICK(g, "1m", "2m", "5m", "31s", "15s", "10s"),
               anchored ? "anchored" : "smoothed");
    times(g);
    put(g, ")");
}

static void range_with_scalar(struct gen *g, int depth)
{
    const char *f = PICK(g, "quantile_over_time", "predict_linear", "double_exponential_smoothing");
    buf_printf(g->b, "%s(", f);
    if (f[0] == 'q') {
        parameter(g, PICK(g, "0.5", "0.9", "0", "1", "2", "-1", "NaN"));
        put(g, ", ");
    }
    range(g, depth, false);
    times(g);
    if (f[0] == 'p')
        buf_printf(g->b, ", %s", PICK(g, "60", "-300", "time()", "1e300", "scalar(count(g))"));
    if (f[0] == 'd')
        buf_printf(g->b, ", %s, %s", PICK(g, "0.5", "0.1", "0.01", "0.5", "0.1", "0", "1"),
                   PICK(g, "0.3", "0.9", "0.5", "0.99", "0.3", "-1"));
    put(g, ")");
}

static void range_call(struct gen *g, int depth)
{
    if (chance(g, 12)) {
        extended(g);
        return;
    }
    if (chance(g, 12)) {
        range_with_scalar(g, depth);
        return;
    }
    put(g, PICK(g, "rate", "rate", "rate", "increase", "delta", "irate", "idelta", "deriv",
                "changes", "resets", "sum_over_time", "avg_over_time", "min_over_time",
                "max_over_time", "count_over_time", "last_over_time", "first_over_time",
                "present_over_time", "stddev_over_time", "stdvar_over_time", "mad_over_time",
                "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time",
                "ts_of_min_over_time", "sum_over_time", "avg_over_time", "absent_over_time"));
    put(g, "(");
    range(g, depth, false);
    times(g);
    put(g, ")");
}

/* ---- aggregations ---- */

static void grouping(struct gen *g)
{
    if (chance(g, 75))
        buf_printf(g->b, " %s ",
                   PICK(g, "by (job)", "by (instance)", "without (instance)", "by (job, le)",
                        "without (x, job)", "by (__name__)", "by (nope)", "by ()", "without ()",
                        "by (instance, job)", "by (__type__)", "without (__name__)", "by (x, le)"));
}

static void aggregate_some(struct gen *g, int depth)
{
    if (chance(g, 50)) {
        put(g, PICK(g, "topk", "bottomk"));
        grouping(g);
        put(g, "(");
        parameter(g, PICK(g, "1", "2", "3.7", "0", "100", "-1", "NaN", "1e30", "-1e30"));
        buf_printf(g->b, ", %s)", PICK(g, "u", "u", "u offset 1m", "{__name__=~\"u|n\"}", "-u"));
    } else if (chance(g, 50)) {
        put(g, "count(limitk");
        grouping(g);
        put(g, "(");
        parameter(g, PICK(g, "1", "2", "0", "100", "NaN"));
        put(g, ", ");
        vector(g, depth - 1);
        put(g, "))");
    } else {
        put(g, "limit_ratio");
        grouping(g);
        put(g, "(");
        parameter(g, PICK(g, "0.5", "-0.5", "0", "1", "0.1", "-0.9", "1.5", "-2", "NaN"));
        put(g, ", ");
        vector(g, depth - 1);
        put(g, ")");
    }
}

/* Of values whose last digits no order of sums changes. */
static void count_values(struct gen *g, int depth)
{
    bool rounded = chance(g, 50);
    put(g, "count_values");
    grouping(g);
    buf_printf(g->b, "(\"%s\", %s", PICK(g, "v", "job", "le", "__name__", "x"),
               rounded ? "round(" : "");
    if (rounded)
        vector(g, depth - 1);
    else
        selector(g);
    put(g, rounded ? ", 0.01))" : ")");
}

static void aggregate(struct gen *g, int depth)
{
    if (chance(g, 18)) {
        aggregate_some(g, depth);
        return;
    }
    if (chance(g, 12)) {
        put(g, "quantile");
        grouping(g);
        put(g, "(");
        parameter(g, PICK(g, "0.5", "0.9", "0", "1", "-1", "2", "NaN"));
        put(g, ", ");
    } else if (chance(g, 8)) {
        count_values(g, depth);
        return;
    } else {
        put(g, PICK(g, "sum", "sum", "avg", "avg", "min", "max", "count", "group", "stddev",
                    "stdvar"));
        grouping(g);
        put(g, "(");
    }
    vector(g, depth - 1);
    put(g, ")");
}

/* ---- operators ---- */

static void matching(struct gen *g, bool set)
{
    if (chance(g, 60))
        put(g, PICK(g, "on (job, instance) ", "on (job) ", "ignoring (x) ", "ignoring (le, x) ",
                    "on () ", "on (job, instance, x) ", "on (__name__, job, instance) "));
    else if (!set && chance(g, 50))
        put(g, PICK(g, "on (job) group_left () ", "on (job, instance) group_left (x) ",
                    "ignoring (x, le) group_right () ", "on (job) group_right (instance) ",
                    "on (instance) group_left (job) ", "ignoring (x) group_left (version) "));
    if (!set && chance(g, 12))
        put(g, PICK(g, "fill (0) ", "fill_left (1) ", "fill_right (2) ", "fill (NaN) ",
                    "fill_left (3) fill_right (-1) "));
}

static void matched(struct gen *g, int depth)
{
    bool set = chance(g, 25);
    put(g, "(");
    vector(g, depth - 1);
    buf_printf(g->b, " %s ",
               set ? PICK(g, "and", "or", "unless")
                   : PICK(g, "+", "-", "*", "/", "%", "^", "atan2", ">", "<=", "== bool",
                          "!=", ">= bool", "==", "+", "-", "</", ">/"));
    matching(g, set);
    vector(g, depth - 1);
    put(g, ")");
}

static void with_scalar(struct gen *g, int depth)
{
    bool vector_first = chance(g, 50);
    put(g, "(");
    if (vector_first)
        vector(g, depth - 1);
    else
        scalar(g, depth - 1);
    buf_printf(g->b, " %s ",
               PICK(g, "+", "-", "*", "/", "%", "^", "atan2", ">", "<",
                    ">=", "<=", "==", "!=", "> bool", "== bool", "*", "/", "</", ">/"));
    if (vector_first)
        scalar(g, depth - 1);
    else
        vector(g, depth - 1);
    put(g, ")");
}

/* ---- functions of vectors ---- */

static void map(struct gen *g, int depth)
{
    if (chance(g, 20)) {
        const char *f = PICK(g, "clamp(", "clamp_min(", "clamp_max(");
        put(g, f);
        vector(g, depth - 1);
        for (int k = f[5] == '(' ? 2 : 1; k > 0; k--) {
            put(g, ", ");
            parameter(g, PICK(g, "0", "10", "-3", "NaN", "100", "5", "-0"));
        }
        put(g, ")");
        return;
    }
    if (chance(g, 10)) {
        put(g, "round(");
        vector(g, depth - 1);
        put(g, PICK(g, ")", ", 5)", ", 0.1)", ", 0)", ", -2)", ", Inf)", ", scalar(count(g)))",
                    ", NaN)"));
        return;
    }
    put(g, PICK(g, "abs(", "ceil(", "floor(", "sqrt(", "exp(", "ln(", "log2(", "log10(", "sin(",
                "cos(", "tan(", "asin(", "acos(", "atan(", "sinh(", "cosh(", "tanh(", "asinh(",
                "acosh(", "atanh(", "deg(", "rad(", "sgn(", "timestamp(", "-(", "+(", "-(",
                "start_timestamp(", "histogram_count(", "histogram_sum(", "histogram_avg(",
                "histogram_stddev(", "histogram_stdvar("));
    vector(g, depth - 1);
    put(g, ")");
}

static void histograms(struct gen *g, int depth)
{
    if (chance(g, 40)) { /* classic, as it is mostly asked for */
        buf_printf(g->b, "histogram_quantile(%s, sum by (le%s) (rate(h_bucket[%s])))",
                   PICK(g, "0.5", "0.9", "0", "1", "1.5"), PICK(g, "", ", job", ", instance"),
                   PICK(g, "1m", "5m"));
        return;
    }
    const char *inner = PICK(g, "h_bucket", "n", "nc", "{__name__=~\"h_bucket|n\"}", "");
    if (chance(g, 60)) {
        put(g, "histogram_quantile(");
        parameter(g, PICK(g, "0.5", "0.9", "0.1", "0", "1", "2", "NaN", "-1"));
        put(g, ", ");
    } else if (chance(g, 60)) {
        put(g, "histogram_fraction(");
        parameter(g, PICK(g, "0", "-Inf", "0.3", "-2", "NaN", "0.5", "1", "-0.25"));
        put(g, ", ");
        parameter(g, PICK(g, "1", "+Inf", "0.7", "-1", "NaN", "2.5", "0"));
        put(g, ", ");
    } else {
        put(g, "histogram_quantiles(");
    }
    bool many = g->b->ptr[g->b->len - 1] == '(' && g->b->ptr[g->b->len - 2] == 's';
    if (inner[0] != 0)
        put(g, inner);
    else
        vector(g, depth - 1);
    put(g, many ? PICK(g, ", \"q\", 0.5, 0.9)", ", \"y\", 0.1, 1, 2)", ", \"job\", 0.5)",
                       ", \"q\", scalar(count(g)) / 5, 0.3)")
                : ")");
}

static void label_call(struct gen *g, int depth)
{
    bool replace = chance(g, 60);
    put(g, replace ? "label_replace(" : "label_join(");
    vector(g, depth - 1);
    put(g, replace
               ? PICK(g, ", \"job\", \"$1-x\", \"instance\", \"(.*)\")",
                      ", \"__name__\", \"$1_new\", \"__name__\", \"(.*)\")",
                      ", \"y\", \"${n}\", \"job\", \"(?P<n>a?).*\")",
                      ", \"instance\", \"\", \"x\", \"1\")", ", \"1a\", \"v\", \"\", \"\")",
                      ", \"y\", \"v\", \"x\", \"(\")", ", \"x\", \"$0$2\", \"job\", \"(a)|b\")",
                      ", \"y\", \"$$1$x_\", \"nope\", \"\")",
                      ", \"__type__\", \"gauge\", \"\", \"\")", ", \"\", \"v\", \"job\", \"a\")")
               : PICK(g, ", \"y\", \"-\", \"job\", \"instance\")", ", \"job\", \"\")",
                      ", \"__name__\", \"_\", \"job\", \"__name__\")",
                      ", \"x\", \",\", \"x\", \"nope\", \"x\")", ", \"__name__\", \"\")",
                      ", \"\", \"-\", \"job\")"));
}

static void sort_call(struct gen *g, int depth)
{
    bool by_label = chance(g, 50);
    put(g, by_label ? PICK(g, "sort_by_label(", "sort_by_label_desc(")
                    : PICK(g, "sort(", "sort_desc("));
    vector(g, depth - 1);
    put(g, by_label ? PICK(g, ", \"instance\")", ", \"x\", \"job\")") : ")");
}

static void odd_call(struct gen *g, int depth)
{
    switch (rng_below(g->r, 7)) {
    case 0:
        put(g, "vector(");
        scalar(g, depth - 1);
        put(g, ")");
        return;
    case 1:
        buf_printf(g->b, "absent(%s",
                   PICK(g, "nope{a=\"b\"}", "g{job=\"nope\",instance=~\"1\"}", "sum(nope)",
                        "nope{a=\"b\",a=\"c\",d=\"e\"}", "c_total", "(nope{a=\"b\"})",
                        "-nope{a=\"b\"}", "u > 1e11", "{__name__=\"nope\",a=~\"b\",job=\"\"}", "n",
                        "vector(NaN)"));
        put(g, ")");
        return;
    case 2:
        put(g, PICK(g, "year", "month", "day_of_month", "day_of_week", "day_of_year",
                    "days_in_month", "hour", "minute"));
        put(g, PICK(g, "()", "(u)", "(timestamp(g))", "(vector(time() * 99999))"));
        return;
    case 3:
        put(g, "info(");
        vector(g, depth - 1);
        put(g,
            PICK(g, ")", ", {version=\"1\"})", ", {zone=~\".*\"})", ", {__name__=~\".*_info\"})",
                 ", {__name__=\"b_info\", version=~\".+\"})", ", {})", ", {__name__!=\"b_info\"})",
                 ", {__name__=\"u\"})", ", {job=\"a\"})", ", {version!=\"1\"})",
                 ", {__name__=~\"[tb].*\", __name__!~\"t.*\", zone=\"\"})"));
        return;
    case 4:
        buf_printf(g->b, "%stimestamp(%s", chance(g, 30) ? "start_" : "",
                   PICK(g, "g", "n", "c_total offset 1m", "g @ 600", "u @ 900 offset 3m",
                        "u offset -2m @ 700", "u @ end() offset 6m", "(c_total)", "(g offset 10s)",
                        "c_total smoothed", "mixed", "+g", "-n", "c_total @ start() offset -1m"));
        put(g, ")");
        return;
    case 5:
        sort_call(g, depth);
        return;
    default:
        label_call(g, depth);
    }
}

static void vector(struct gen *g, int depth)
{
    if (depth <= 0) {
        selector(g);
        return;
    }
    switch (rng_below(g->r, 12)) {
    case 0:
        selector(g);
        return;
    case 1:
    case 2:
        range_call(g, depth);
        return;
    case 3:
    case 4:
        aggregate(g, depth);
        return;
    case 5:
    case 6:
        map(g, depth);
        return;
    case 7:
        with_scalar(g, depth);
        return;
    case 8:
    case 9:
        matched(g, depth);
        return;
    case 10:
        histograms(g, depth);
        return;
    default:
        odd_call(g, depth);
    }
}

void random_query(struct rng *r, int depth, struct buf *out)
{
    struct gen g = {.r = r, .b = out};
    if (chance(&g, 3))
        scalar(&g, depth);
    else
        vector(&g, depth);
}

void random_instant_query(struct rng *r, int depth, struct buf *out)
{
    struct gen g = {.r = r, .b = out};
    uint64_t kind = rng_below(r, 4);
    if (kind == 0) {
        range(&g, depth, false);
        times(&g);
        return;
    }
    put(&g, kind == 1 ? PICK(&g, "sort(", "sort_desc(")
                      : PICK(&g, "sort_by_label(", "sort_by_label_desc("));
    put(&g, kind == 3 ? "" : "u");
    if (kind == 3)
        vector(&g, depth - 1);
    put(&g, kind == 1 ? ")" : PICK(&g, ", \"instance\")", ", \"x\", \"job\")", ", \"nope\")"));
}
