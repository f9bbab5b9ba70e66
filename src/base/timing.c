/* timing.c -- see timing.h. */
#include "base/timing.h"

const double TIMING_BOUND_SECONDS[TIMING_BOUNDS] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25,   0.5,     1,      2.5,   5,      10,    30,   60,    120};

void timing_add(struct timing *t, uint64_t ns)
{
    unsigned i = 0;
    while (i < TIMING_BOUNDS && (double)ns / 1e9 > TIMING_BOUND_SECONDS[i])
        i++;
    (void)atomic_fetch_add_explicit(&t->buckets[i], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&t->sum_ns, ns, memory_order_relaxed);
}
