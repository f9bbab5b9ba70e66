/* timing.c -- see timing.h. */
#include "base/timing.h"

#include <math.h>
#include <string.h>

#include "base/compiler.h"

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

void timing_recent_init(struct timing_recent *r)
{
    memset(r->slots, 0, sizeof(r->slots));
    mutex_init(&r->lock);
}

void timing_recent_fini(struct timing_recent *r)
{
    mutex_fini(&r->lock);
}

enum { FIRST_NS = 1000 };

static unsigned bucket_of(uint64_t ns)
{
    if (ns <= FIRST_NS)
        return 0;
    double i = ceil(4 * log2((double)ns / FIRST_NS));
    return (unsigned)MIN(i, (double)(RECENT_BUCKETS - 1));
}

/* The middle of a bucket, by ratio. */
static double bucket_seconds(unsigned i)
{
    return FIRST_NS * exp2(((double)i - 0.5) / 4) / 1e9;
}

static uint64_t slot_number(uint64_t now_mono_ns)
{
    return now_mono_ns / (UINT64_C(1000000000) * RECENT_SLOT_S) + RECENT_SLOTS;
}

void timing_recent_add(struct timing_recent *r, uint64_t ns, uint64_t now_mono_ns)
{
    uint64_t number = slot_number(now_mono_ns);
    mutex_lock(&r->lock);
    unsigned i = (unsigned)(number % RECENT_SLOTS);
    if (r->slots[i].number != number) {
        memset(&r->slots[i], 0, sizeof(r->slots[i]));
        r->slots[i].number = number;
    }
    r->slots[i].buckets[bucket_of(ns)]++;
    mutex_unlock(&r->lock);
}

static uint64_t sum_slots(struct timing_recent *r, uint64_t now_mono_ns, uint64_t *sums)
{
    uint64_t total = 0, oldest = slot_number(now_mono_ns) - (RECENT_SLOTS - 1);
    memset(sums, 0, RECENT_BUCKETS * sizeof(*sums));
    mutex_lock(&r->lock);
    for (unsigned s = 0; s < RECENT_SLOTS; s++) {
        for (unsigned i = 0; i < RECENT_BUCKETS && r->slots[s].number >= oldest; i++) {
            sums[i] += r->slots[s].buckets[i];
            total += r->slots[s].buckets[i];
        }
    }
    mutex_unlock(&r->lock);
    return total;
}

double timing_recent_quantile(struct timing_recent *r, double q, uint64_t now_mono_ns)
{
    uint64_t sums[RECENT_BUCKETS], seen = 0;
    uint64_t total = sum_slots(r, now_mono_ns, sums);
    uint64_t rank = (uint64_t)ceil(q * (double)total);
    if (total == 0)
        return (double)NAN;
    for (unsigned i = 0; i < RECENT_BUCKETS; i++) {
        seen += sums[i];
        if (seen >= MAX(rank, 1))
            return bucket_seconds(i);
    }
    return bucket_seconds(RECENT_BUCKETS - 1);
}
