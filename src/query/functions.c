/* functions.c -- see functions.h. The golden set of Prometheus 3.14: 90 functions, 17 experimental.
 */
#include "query/functions.h"

#include <assert.h>

#include "base/assert.h"
#include "base/compiler.h"

#define NAME(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* The types, short so that a row fits a line. */
#define V VALUE_VECTOR
#define S VALUE_SCALAR
#define M VALUE_MATRIX
#define T VALUE_STRING

/* id, name, return type, declared arguments and their types, variadic, experimental; sorted by
 * name. */
static const struct func_sig FUNCTIONS[] = {
    [FUNC_ABS] = {FUNC_ABS, NAME("abs"), V, 1, {V}, 0, false},
    [FUNC_ABSENT] = {FUNC_ABSENT, NAME("absent"), V, 1, {V}, 0, false},
    [FUNC_ABSENT_OVER_TIME] =
        {FUNC_ABSENT_OVER_TIME, NAME("absent_over_time"), V, 1, {M}, 0, false},
    [FUNC_ACOS] = {FUNC_ACOS, NAME("acos"), V, 1, {V}, 0, false},
    [FUNC_ACOSH] = {FUNC_ACOSH, NAME("acosh"), V, 1, {V}, 0, false},
    [FUNC_ASIN] = {FUNC_ASIN, NAME("asin"), V, 1, {V}, 0, false},
    [FUNC_ASINH] = {FUNC_ASINH, NAME("asinh"), V, 1, {V}, 0, false},
    [FUNC_ATAN] = {FUNC_ATAN, NAME("atan"), V, 1, {V}, 0, false},
    [FUNC_ATANH] = {FUNC_ATANH, NAME("atanh"), V, 1, {V}, 0, false},
    [FUNC_AVG_OVER_TIME] = {FUNC_AVG_OVER_TIME, NAME("avg_over_time"), V, 1, {M}, 0, false},
    [FUNC_CEIL] = {FUNC_CEIL, NAME("ceil"), V, 1, {V}, 0, false},
    [FUNC_CHANGES] = {FUNC_CHANGES, NAME("changes"), V, 1, {M}, 0, false},
    [FUNC_CLAMP] = {FUNC_CLAMP, NAME("clamp"), V, 3, {V, S, S}, 0, false},
    [FUNC_CLAMP_MAX] = {FUNC_CLAMP_MAX, NAME("clamp_max"), V, 2, {V, S}, 0, false},
    [FUNC_CLAMP_MIN] = {FUNC_CLAMP_MIN, NAME("clamp_min"), V, 2, {V, S}, 0, false},
    [FUNC_COS] = {FUNC_COS, NAME("cos"), V, 1, {V}, 0, false},
    [FUNC_COSH] = {FUNC_COSH, NAME("cosh"), V, 1, {V}, 0, false},
    [FUNC_COUNT_OVER_TIME] = {FUNC_COUNT_OVER_TIME, NAME("count_over_time"), V, 1, {M}, 0, false},
    [FUNC_DAY_OF_MONTH] = {FUNC_DAY_OF_MONTH, NAME("day_of_month"), V, 1, {V}, 1, false},
    [FUNC_DAY_OF_WEEK] = {FUNC_DAY_OF_WEEK, NAME("day_of_week"), V, 1, {V}, 1, false},
    [FUNC_DAY_OF_YEAR] = {FUNC_DAY_OF_YEAR, NAME("day_of_year"), V, 1, {V}, 1, false},
    [FUNC_DAYS_IN_MONTH] = {FUNC_DAYS_IN_MONTH, NAME("days_in_month"), V, 1, {V}, 1, false},
    [FUNC_DEG] = {FUNC_DEG, NAME("deg"), V, 1, {V}, 0, false},
    [FUNC_DELTA] = {FUNC_DELTA, NAME("delta"), V, 1, {M}, 0, false},
    [FUNC_DERIV] = {FUNC_DERIV, NAME("deriv"), V, 1, {M}, 0, false},
    [FUNC_DOUBLE_EXPONENTIAL_SMOOTHING] = {FUNC_DOUBLE_EXPONENTIAL_SMOOTHING,
                                           NAME("double_exponential_smoothing"),
                                           V,
                                           3,
                                           {M, S, S},
                                           0,
                                           true},
    [FUNC_END] = {FUNC_END, NAME("end"), S, 0, {VALUE_NONE}, 0, true},
    [FUNC_EXP] = {FUNC_EXP, NAME("exp"), V, 1, {V}, 0, false},
    [FUNC_FIRST_OVER_TIME] = {FUNC_FIRST_OVER_TIME, NAME("first_over_time"), V, 1, {M}, 0, false},
    [FUNC_FLOOR] = {FUNC_FLOOR, NAME("floor"), V, 1, {V}, 0, false},
    [FUNC_HISTOGRAM_AVG] = {FUNC_HISTOGRAM_AVG, NAME("histogram_avg"), V, 1, {V}, 0, false},
    [FUNC_HISTOGRAM_COUNT] = {FUNC_HISTOGRAM_COUNT, NAME("histogram_count"), V, 1, {V}, 0, false},
    [FUNC_HISTOGRAM_FRACTION] =
        {FUNC_HISTOGRAM_FRACTION, NAME("histogram_fraction"), V, 3, {S, S, V}, 0, false},
    [FUNC_HISTOGRAM_QUANTILE] =
        {FUNC_HISTOGRAM_QUANTILE, NAME("histogram_quantile"), V, 2, {S, V}, 0, false},
    [FUNC_HISTOGRAM_QUANTILES] =
        {FUNC_HISTOGRAM_QUANTILES, NAME("histogram_quantiles"), V, 4, {V, T, S, S}, 9, true},
    [FUNC_HISTOGRAM_STDDEV] =
        {FUNC_HISTOGRAM_STDDEV, NAME("histogram_stddev"), V, 1, {V}, 0, false},
    [FUNC_HISTOGRAM_STDVAR] =
        {FUNC_HISTOGRAM_STDVAR, NAME("histogram_stdvar"), V, 1, {V}, 0, false},
    [FUNC_HISTOGRAM_SUM] = {FUNC_HISTOGRAM_SUM, NAME("histogram_sum"), V, 1, {V}, 0, false},
    [FUNC_HOUR] = {FUNC_HOUR, NAME("hour"), V, 1, {V}, 1, false},
    [FUNC_IDELTA] = {FUNC_IDELTA, NAME("idelta"), V, 1, {M}, 0, false},
    [FUNC_INCREASE] = {FUNC_INCREASE, NAME("increase"), V, 1, {M}, 0, false},
    [FUNC_INFO] = {FUNC_INFO, NAME("info"), V, 2, {V, V}, 1, true},
    [FUNC_IRATE] = {FUNC_IRATE, NAME("irate"), V, 1, {M}, 0, false},
    [FUNC_LABEL_JOIN] = {FUNC_LABEL_JOIN, NAME("label_join"), V, 4, {V, T, T, T}, -1, false},
    [FUNC_LABEL_REPLACE] =
        {FUNC_LABEL_REPLACE, NAME("label_replace"), V, 5, {V, T, T, T, T}, 0, false},
    [FUNC_LAST_OVER_TIME] = {FUNC_LAST_OVER_TIME, NAME("last_over_time"), V, 1, {M}, 0, false},
    [FUNC_LN] = {FUNC_LN, NAME("ln"), V, 1, {V}, 0, false},
    [FUNC_LOG10] = {FUNC_LOG10, NAME("log10"), V, 1, {V}, 0, false},
    [FUNC_LOG2] = {FUNC_LOG2, NAME("log2"), V, 1, {V}, 0, false},
    [FUNC_MAD_OVER_TIME] = {FUNC_MAD_OVER_TIME, NAME("mad_over_time"), V, 1, {M}, 0, true},
    [FUNC_MAX_OF] = {FUNC_MAX_OF, NAME("max_of"), S, 2, {S, S}, 0, true},
    [FUNC_MAX_OVER_TIME] = {FUNC_MAX_OVER_TIME, NAME("max_over_time"), V, 1, {M}, 0, false},
    [FUNC_MIN_OF] = {FUNC_MIN_OF, NAME("min_of"), S, 2, {S, S}, 0, true},
    [FUNC_MIN_OVER_TIME] = {FUNC_MIN_OVER_TIME, NAME("min_over_time"), V, 1, {M}, 0, false},
    [FUNC_MINUTE] = {FUNC_MINUTE, NAME("minute"), V, 1, {V}, 1, false},
    [FUNC_MONTH] = {FUNC_MONTH, NAME("month"), V, 1, {V}, 1, false},
    [FUNC_PI] = {FUNC_PI, NAME("pi"), S, 0, {VALUE_NONE}, 0, false},
    [FUNC_PREDICT_LINEAR] = {FUNC_PREDICT_LINEAR, NAME("predict_linear"), V, 2, {M, S}, 0, false},
    [FUNC_PRESENT_OVER_TIME] =
        {FUNC_PRESENT_OVER_TIME, NAME("present_over_time"), V, 1, {M}, 0, false},
    [FUNC_QUANTILE_OVER_TIME] =
        {FUNC_QUANTILE_OVER_TIME, NAME("quantile_over_time"), V, 2, {S, M}, 0, false},
    [FUNC_RAD] = {FUNC_RAD, NAME("rad"), V, 1, {V}, 0, false},
    [FUNC_RANGE] = {FUNC_RANGE, NAME("range"), S, 0, {VALUE_NONE}, 0, true},
    [FUNC_RATE] = {FUNC_RATE, NAME("rate"), V, 1, {M}, 0, false},
    [FUNC_RESETS] = {FUNC_RESETS, NAME("resets"), V, 1, {M}, 0, false},
    [FUNC_ROUND] = {FUNC_ROUND, NAME("round"), V, 2, {V, S}, 1, false},
    [FUNC_SCALAR] = {FUNC_SCALAR, NAME("scalar"), S, 1, {V}, 0, false},
    [FUNC_SGN] = {FUNC_SGN, NAME("sgn"), V, 1, {V}, 0, false},
    [FUNC_SIN] = {FUNC_SIN, NAME("sin"), V, 1, {V}, 0, false},
    [FUNC_SINH] = {FUNC_SINH, NAME("sinh"), V, 1, {V}, 0, false},
    [FUNC_SORT] = {FUNC_SORT, NAME("sort"), V, 1, {V}, 0, false},
    [FUNC_SORT_BY_LABEL] = {FUNC_SORT_BY_LABEL, NAME("sort_by_label"), V, 2, {V, T}, -1, true},
    [FUNC_SORT_BY_LABEL_DESC] =
        {FUNC_SORT_BY_LABEL_DESC, NAME("sort_by_label_desc"), V, 2, {V, T}, -1, true},
    [FUNC_SORT_DESC] = {FUNC_SORT_DESC, NAME("sort_desc"), V, 1, {V}, 0, false},
    [FUNC_SQRT] = {FUNC_SQRT, NAME("sqrt"), V, 1, {V}, 0, false},
    [FUNC_START] = {FUNC_START, NAME("start"), S, 0, {VALUE_NONE}, 0, true},
    [FUNC_START_TIMESTAMP] = {FUNC_START_TIMESTAMP, NAME("start_timestamp"), V, 1, {V}, 0, true},
    [FUNC_STDDEV_OVER_TIME] =
        {FUNC_STDDEV_OVER_TIME, NAME("stddev_over_time"), V, 1, {M}, 0, false},
    [FUNC_STDVAR_OVER_TIME] =
        {FUNC_STDVAR_OVER_TIME, NAME("stdvar_over_time"), V, 1, {M}, 0, false},
    [FUNC_STEP] = {FUNC_STEP, NAME("step"), S, 0, {VALUE_NONE}, 0, true},
    [FUNC_SUM_OVER_TIME] = {FUNC_SUM_OVER_TIME, NAME("sum_over_time"), V, 1, {M}, 0, false},
    [FUNC_TAN] = {FUNC_TAN, NAME("tan"), V, 1, {V}, 0, false},
    [FUNC_TANH] = {FUNC_TANH, NAME("tanh"), V, 1, {V}, 0, false},
    [FUNC_TIME] = {FUNC_TIME, NAME("time"), S, 0, {VALUE_NONE}, 0, false},
    [FUNC_TIMESTAMP] = {FUNC_TIMESTAMP, NAME("timestamp"), V, 1, {V}, 0, false},
    [FUNC_TS_OF_FIRST_OVER_TIME] =
        {FUNC_TS_OF_FIRST_OVER_TIME, NAME("ts_of_first_over_time"), V, 1, {M}, 0, true},
    [FUNC_TS_OF_LAST_OVER_TIME] =
        {FUNC_TS_OF_LAST_OVER_TIME, NAME("ts_of_last_over_time"), V, 1, {M}, 0, true},
    [FUNC_TS_OF_MAX_OVER_TIME] =
        {FUNC_TS_OF_MAX_OVER_TIME, NAME("ts_of_max_over_time"), V, 1, {M}, 0, true},
    [FUNC_TS_OF_MIN_OVER_TIME] =
        {FUNC_TS_OF_MIN_OVER_TIME, NAME("ts_of_min_over_time"), V, 1, {M}, 0, true},
    [FUNC_VECTOR] = {FUNC_VECTOR, NAME("vector"), V, 1, {S}, 0, false},
    [FUNC_YEAR] = {FUNC_YEAR, NAME("year"), V, 1, {V}, 1, false},
};

#undef V
#undef S
#undef M
#undef T

static_assert(COUNT_OF(FUNCTIONS) == FUNC_COUNT, "one row a function");

const struct func_sig *func_sig(enum func_id id)
{
    ASSERT(id < FUNC_COUNT);
    return &FUNCTIONS[id];
}

const struct func_sig *func_find(str name)
{
    size_t low = 0, high = COUNT_OF(FUNCTIONS);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = str_cmp(name, FUNCTIONS[mid].name);
        if (c == 0)
            return &FUNCTIONS[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static const char *const TYPE_NAMES[][2] = {
    [VALUE_NONE] = {"none", "none"},
    [VALUE_SCALAR] = {"scalar", "scalar"},
    [VALUE_VECTOR] = {"vector", "instant vector"},
    [VALUE_MATRIX] = {"matrix", "range vector"},
    [VALUE_STRING] = {"string", "string"},
};

const char *value_type_name(enum value_type t)
{
    return TYPE_NAMES[t][0];
}

const char *value_type_text(enum value_type t)
{
    return TYPE_NAMES[t][1];
}
