/* functions.h -- signatures of PromQL's functions: what a call must look like, not how it is done.
 *
 * One row a function, found by name or by id. The ids are dense from 0, so whoever implements the
 * functions keeps an array of FUNC_COUNT routines of its own. The table is constant. */
#ifndef QUERY_FUNCTIONS_H
#define QUERY_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum value_type { VALUE_NONE, VALUE_SCALAR, VALUE_VECTOR, VALUE_MATRIX, VALUE_STRING };

/* In alphabetical order, as the table is. */
enum func_id {
    FUNC_ABS,
    FUNC_ABSENT,
    FUNC_ABSENT_OVER_TIME,
    FUNC_ACOS,
    FUNC_ACOSH,
    FUNC_ASIN,
    FUNC_ASINH,
    FUNC_ATAN,
    FUNC_ATANH,
    FUNC_AVG_OVER_TIME,
    FUNC_CEIL,
    FUNC_CHANGES,
    FUNC_CLAMP,
    FUNC_CLAMP_MAX,
    FUNC_CLAMP_MIN,
    FUNC_COS,
    FUNC_COSH,
    FUNC_COUNT_OVER_TIME,
    FUNC_DAY_OF_MONTH,
    FUNC_DAY_OF_WEEK,
    FUNC_DAY_OF_YEAR,
    FUNC_DAYS_IN_MONTH,
    FUNC_DEG,
    FUNC_DELTA,
    FUNC_DERIV,
    FUNC_DOUBLE_EXPONENTIAL_SMOOTHING,
    FUNC_END,
    FUNC_EXP,
    FUNC_FIRST_OVER_TIME,
    FUNC_FLOOR,
    FUNC_HISTOGRAM_AVG,
    FUNC_HISTOGRAM_COUNT,
    FUNC_HISTOGRAM_FRACTION,
    FUNC_HISTOGRAM_QUANTILE,
    FUNC_HISTOGRAM_QUANTILES,
    FUNC_HISTOGRAM_STDDEV,
    FUNC_HISTOGRAM_STDVAR,
    FUNC_HISTOGRAM_SUM,
    FUNC_HOUR,
    FUNC_IDELTA,
    FUNC_INCREASE,
    FUNC_INFO,
    FUNC_IRATE,
    FUNC_LABEL_JOIN,
    FUNC_LABEL_REPLACE,
    FUNC_LAST_OVER_TIME,
    FUNC_LN,
    FUNC_LOG10,
    FUNC_LOG2,
    FUNC_MAD_OVER_TIME,
    FUNC_MAX_OF,
    FUNC_MAX_OVER_TIME,
    FUNC_MIN_OF,
    FUNC_MIN_OVER_TIME,
    FUNC_MINUTE,
    FUNC_MONTH,
    FUNC_PI,
    FUNC_PREDICT_LINEAR,
    FUNC_PRESENT_OVER_TIME,
    FUNC_QUANTILE_OVER_TIME,
    FUNC_RAD,
    FUNC_RANGE,
    FUNC_RATE,
    FUNC_RESETS,
    FUNC_ROUND,
    FUNC_SCALAR,
    FUNC_SGN,
    FUNC_SIN,
    FUNC_SINH,
    FUNC_SORT,
    FUNC_SORT_BY_LABEL,
    FUNC_SORT_BY_LABEL_DESC,
    FUNC_SORT_DESC,
    FUNC_SQRT,
    FUNC_START,
    FUNC_START_TIMESTAMP,
    FUNC_STDDEV_OVER_TIME,
    FUNC_STDVAR_OVER_TIME,
    FUNC_STEP,
    FUNC_SUM_OVER_TIME,
    FUNC_TAN,
    FUNC_TANH,
    FUNC_TIME,
    FUNC_TIMESTAMP,
    FUNC_TS_OF_FIRST_OVER_TIME,
    FUNC_TS_OF_LAST_OVER_TIME,
    FUNC_TS_OF_MAX_OVER_TIME,
    FUNC_TS_OF_MIN_OVER_TIME,
    FUNC_VECTOR,
    FUNC_YEAR,
    FUNC_COUNT,
};

enum { FUNC_ARGS_MAX = 5 }; /* declared argument types of one function at most */

struct func_sig {
    enum func_id id;
    str name;
    enum value_type return_type;
    unsigned arg_count;                       /* declared types below */
    enum value_type arg_types[FUNC_ARGS_MAX]; /* the last one is that of all variadic arguments */
    int variadic;      /* 0: exactly arg_count arguments; n > 0: arg_count - 1 to arg_count - 1 + n;
                        * -1: at least arg_count - 1 */
    bool experimental; /* needs the feature promql-experimental-functions */
};

/* The row of `id`, which must be below FUNC_COUNT. */
const struct func_sig *func_sig(enum func_id id);

/* The row named `name` (case-sensitive), or NULL. */
const struct func_sig *func_find(str name);

/* Name of a type in an error message ("instant vector") and in the API ("vector"). */
const char *value_type_text(enum value_type t);
const char *value_type_name(enum value_type t);

#endif
