/* kahan.h -- Neumaier's compensated addition, to the bit as Prometheus' kahansum.Inc has it. */
#ifndef BASE_KAHAN_H
#define BASE_KAHAN_H

/* Add `v` to *sum; what rounding loses goes into *c, which is 0 once the sum is infinite. */
static inline void kahan_add(double v, double *sum, double *c)
{
    double t = *sum + v;
    if (__builtin_isinf(t))
        *c = 0;
    else if (__builtin_fabs(*sum) >= __builtin_fabs(v))
        *c += (*sum - t) + v;
    else
        *c += (v - t) + *sum;
    *sum = t;
}

#endif
