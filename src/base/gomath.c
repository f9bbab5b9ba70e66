/* gomath.c -- see gomath.h. Both are the approximations of FreeBSD's msun (e_log.c, e_exp.c), with
 * Go's order of operations. */
#include "base/gomath.h"

#include <math.h>

static const double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;

/* Natural logarithm of [0.5, 1): log(1 + f) of f = s / (2 + f) as an odd polynomial in s. */
static double log_of_fraction(double v)
{
    static const double l[] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                               2.857142874366239149e-01, 2.222219843214978396e-01,
                               1.818357216161805012e-01, 1.531383769920937332e-01,
                               1.479819860511658591e-01};
    double k = 0;
    if (v < M_SQRT1_2) {
        v *= 2;
        k = -1;
    }
    double f = v - 1, s = f / (2 + f), s2 = s * s, s4 = s2 * s2;
    double odd = s2 * (l[0] + s4 * (l[2] + s4 * (l[4] + s4 * l[6])));
    double even = s4 * (l[1] + s4 * (l[3] + s4 * l[5]));
    double half_square = 0.5 * f * f;
    double tail = s * (half_square + (odd + even)) + k * LN2_LOW;
    return k * LN2_HIGH - ((half_square - tail) - f);
}

double go_log2(double v)
{
    int exponent;
    if (!(v > 0) || isinf(v))
        return log2(v);
    double fraction = frexp(v, &exponent);
    if (fraction == 0.5)
        return exponent - 1;
    return log_of_fraction(fraction) * M_LOG2E + exponent;
}

double go_exp2(double v)
{
    static const double p[] = {1.66666666666666657415e-01, -2.77777777770155933842e-03,
                               6.61375632143793436117e-05, -1.65339022054652515390e-06,
                               4.13813679705723846039e-08};
    const double overflow = 1.0239999999999999e+03, underflow = -1.0740e+03;
    if (isnan(v) || v > overflow)
        return v > overflow ? (double)INFINITY : v;
    if (v < underflow)
        return 0;
    /* v = k + t with |t| <= 1/2; exp of t ln2 in two parts, as a rational function */
    int k = (int)(v > 0 ? v + 0.5 : v - 0.5);
    double t = v - k, high = t * LN2_HIGH, low = -t * LN2_LOW;
    double r = high - low, r2 = r * r;
    double c = r - r2 * (p[0] + r2 * (p[1] + r2 * (p[2] + r2 * (p[3] + r2 * p[4]))));
    return ldexp(1 - ((low - (r * c) / (2 - c)) - high), k);
}
