/* promql_reference_math.c -- functions of single numbers: sums, quantiles, maps, dates. */
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "support/promql_reference_priv.h"

void ref_inc(double v, double *sum, double *c)
{
    double t = *sum + v;
    if (isinf(t))
        *c = 0;
    else if (fabs(*sum) >= fabs(v))
        *c += (*sum - t) + v;
    else
        *c += (v - t) + *sum;
    *sum = t;
}

/* As Go has them, to the last bit: other libraries differ there, and count_values() shows it. */
double ref_log2(double v)
{
    int exponent;
    double part = frexp(v, &exponent);
    return part == 0.5 ? exponent - 1 : log(part) * (1 / M_LN2) + exponent;
}

double ref_exp2(double v)
{
    static const double p[] = {1.66666666666666657415e-01, -2.77777777770155933842e-03,
                               6.61375632143793436117e-05, -1.65339022054652515390e-06,
                               4.13813679705723846039e-08};
    if (!(v >= -1.0740e+03 && v <= 1.0239999999999999e+03))
        return exp2(v);
    int k = (int)(v > 0 ? v + 0.5 : v < 0 ? v - 0.5 : 0);
    double t = v - k, hi = t * 6.93147180369123816490e-01, lo = -t * 1.90821492927058770002e-10;
    double r = hi - lo, rr = r * r;
    double c = r - rr * (p[0] + rr * (p[1] + rr * (p[2] + rr * (p[3] + rr * p[4]))));
    return ldexp(1 - ((lo - (r * c) / (2 - c)) - hi), k);
}

double ref_average(const double *v, size_t n)
{
    double sum = v[0], c = 0, mean = 0;
    bool running = false;
    for (size_t i = 1; i < n; i++) {
        double count = (double)i + 1;
        if (!running) {
            double s2 = sum, c2 = c;
            ref_inc(v[i], &s2, &c2);
            if (!isinf(s2)) {
                sum = s2;
                c = c2;
                continue;
            }
            running = true;
            mean = sum / (count - 1);
            c /= count - 1;
        }
        double part = (count - 1) / count;
        double m2 = part * mean, c2 = part * c;
        ref_inc(v[i] / count, &m2, &c2);
        mean = m2;
        c = c2;
    }
    return running ? mean + c : sum / (double)n + c / (double)n;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

double ref_quantile(struct ref_query *q, double phi, const double *v, size_t n)
{
    if (n == 0 || isnan(phi))
        return (double)NAN;
    if (phi < 0)
        return -(double)INFINITY;
    if (phi > 1)
        return (double)INFINITY;
    double *s = ARENA_ARRAY(q->arena, double, n);
    memcpy(s, v, n * sizeof(double));
    qsort(s, n, sizeof(double), ascending);
    double rank = phi * (double)(n - 1), lo = fmax(0, floor(rank));
    double hi = fmin((double)(n - 1), lo + 1), weight = rank - floor(rank);
    return s[(size_t)lo] * (1 - weight) + s[(size_t)hi] * weight;
}

bool ref_quantile_is_odd(double phi)
{
    return isnan(phi) || phi < 0 || phi > 1;
}

/* ---- maps ---- */

static double sign(double v)
{
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

static double degrees(double v)
{
    return v * 180 / M_PI;
}

static double radians(double v)
{
    return v * M_PI / 180;
}

typedef double (*map_func)(double v);

static map_func map_of(enum func_id id)
{
    static const map_func maps[FUNC_COUNT] = {
        [FUNC_ABS] = fabs,    [FUNC_ACOS] = acos, [FUNC_ACOSH] = acosh, [FUNC_ASIN] = asin,
        [FUNC_ASINH] = asinh, [FUNC_ATAN] = atan, [FUNC_ATANH] = atanh, [FUNC_CEIL] = ceil,
        [FUNC_COS] = cos,     [FUNC_COSH] = cosh, [FUNC_DEG] = degrees, [FUNC_EXP] = exp,
        [FUNC_FLOOR] = floor, [FUNC_LN] = log,    [FUNC_LOG10] = log10, [FUNC_LOG2] = log2,
        [FUNC_RAD] = radians, [FUNC_SGN] = sign,  [FUNC_SIN] = sin,     [FUNC_SINH] = sinh,
        [FUNC_SQRT] = sqrt,   [FUNC_TAN] = tan,   [FUNC_TANH] = tanh,
    };
    return maps[id];
}

bool ref_is_map(enum func_id id)
{
    return map_of(id) != NULL || id == FUNC_ROUND || id == FUNC_CLAMP || id == FUNC_CLAMP_MIN ||
           id == FUNC_CLAMP_MAX;
}

/* Go's math.Max and math.Min: the infinity that decides, then NaN, then -0 < +0. */
double ref_max(double a, double b)
{
    if (a == (double)INFINITY || b == (double)INFINITY)
        return (double)INFINITY;
    if (isnan(a) || isnan(b))
        return (double)NAN;
    if (a == b)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

double ref_min(double a, double b)
{
    return -ref_max(-a, -b);
}

static bool map_value(enum func_id id, const double *args, size_t arg_count, double *v)
{
    double low = -(double)INFINITY, high = (double)INFINITY;
    if (id == FUNC_ROUND) {
        double inverse = 1.0 / (arg_count > 0 ? args[0] : 1);
        *v = floor(*v * inverse + 0.5) / inverse;
        return true;
    }
    if (map_of(id) != NULL) {
        *v = map_of(id)(*v);
        return true;
    }
    if (id != FUNC_CLAMP_MAX)
        low = args[0];
    if (id != FUNC_CLAMP_MIN)
        high = args[id == FUNC_CLAMP];
    *v = ref_max(low, ref_min(high, *v));
    return !(high < low);
}

struct ref_vector ref_map(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    double args[2] = {0, 0};
    for (size_t i = 1; i < c->arg_count; i++)
        args[i - 1] = ref_scalar(q, c->args[i], t);
    struct ref_vector in = ref_eval(q, c->args[0], t), out = ref_room(q, in.count);
    for (size_t i = 0; i < in.count; i++) {
        struct ref_sample s = in.items[i];
        if (s.hist != NULL || !map_value(c->func->id, args, c->arg_count - 1, &s.value))
            continue;
        ref_drop_name(q, &s);
        ref_put(&out, s);
    }
    ref_check_step(q, out);
    return out;
}

/* ---- dates ---- */

bool ref_is_date(enum func_id id)
{
    return id == FUNC_YEAR || id == FUNC_MONTH || id == FUNC_DAY_OF_MONTH ||
           id == FUNC_DAY_OF_WEEK || id == FUNC_DAY_OF_YEAR || id == FUNC_DAYS_IN_MONTH ||
           id == FUNC_HOUR || id == FUNC_MINUTE;
}

/* By the C library's calendar. Times whose year does not fit are not compared. */
static double date_part(enum func_id id, double seconds)
{
    time_t at = (time_t)seconds;
    struct tm d;
    if (gmtime_r(&at, &d) == NULL)
        return (double)NAN;
    switch ((int)id) {
    case FUNC_YEAR:
        return d.tm_year + 1900.0;
    case FUNC_MONTH:
        return d.tm_mon + 1;
    case FUNC_DAY_OF_MONTH:
        return d.tm_mday;
    case FUNC_DAY_OF_WEEK:
        return d.tm_wday;
    case FUNC_DAY_OF_YEAR:
        return d.tm_yday + 1;
    case FUNC_HOUR:
        return d.tm_hour;
    case FUNC_MINUTE:
        return d.tm_min;
    default: /* days in the month: back from its 32nd */
        d = (struct tm){.tm_year = d.tm_year, .tm_mon = d.tm_mon, .tm_mday = 32};
        at = timegm(&d);
        gmtime_r(&at, &d);
        return 32 - d.tm_mday;
    }
}

struct ref_vector ref_date(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    if (c->arg_count == 0)
        return ref_one(q, date_part(c->func->id, (double)(t / 1000)));
    struct ref_vector in = ref_eval(q, c->args[0], t), out = ref_room(q, in.count);
    for (size_t i = 0; i < in.count; i++) {
        struct ref_sample s = in.items[i];
        if (s.hist != NULL)
            continue;
        s.value = date_part(c->func->id, s.value);
        ref_drop_name(q, &s);
        ref_put(&out, s);
    }
    ref_check_step(q, out);
    return out;
}
