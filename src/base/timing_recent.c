/* timing_recent.c -- see timing_recent.h. */
#include "base/timing_recent.h"

#include <math.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/number.h"

enum { FIRST_NS = 1000, A_DOUBLING = 64, CELLS_MIN = 8 };

void timing_recent_init(struct timing_recent *r)
{
    memset(r->slots, 0, sizeof(r->slots));
    mutex_init(&r->lock);
}

void timing_recent_fini(struct timing_recent *r)
{
    for (unsigned i = 0; i < RECENT_SLOTS; i++)
        mem_free(r->slots[i].cells);
    mutex_fini(&r->lock);
}

static uint32_t bucket_of(uint64_t ns)
{
    if (ns <= FIRST_NS)
        return 0;
    double i = ceil(A_DOUBLING * log2((double)ns / FIRST_NS));
    return (uint32_t)MIN(i, (double)(RECENT_BUCKETS - 1));
}

/* The middle of a bucket, by ratio. */
static double bucket_seconds(unsigned i)
{
    return FIRST_NS * exp2(((double)i - 0.5) / A_DOUBLING) / 1e9;
}

static uint64_t slot_number(uint64_t now_mono_ns)
{
    return now_mono_ns / (UINT64_C(1000000000) * RECENT_SLOT_S) + RECENT_SLOTS;
}

/* Where `bucket` stands among the cells or would stand. */
static size_t find_cell(const struct recent_cell *cells, size_t count, uint32_t bucket)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cells[middle].bucket < bucket)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void count_one(struct timing_recent *r, unsigned s, uint32_t bucket)
{
    size_t count = r->slots[s].count, at = find_cell(r->slots[s].cells, count, bucket);
    if (at == count || r->slots[s].cells[at].bucket != bucket) {
        if (count == r->slots[s].cap) {
            r->slots[s].cap = MAX(2 * count, (size_t)CELLS_MIN);
            r->slots[s].cells =
                mem_resize(r->slots[s].cells, r->slots[s].cap, sizeof(*r->slots[s].cells));
        }
        struct recent_cell *place = r->slots[s].cells + at;
        memmove(place + 1, place, (count - at) * sizeof(*place));
        *place = (struct recent_cell){.bucket = bucket};
        r->slots[s].count++;
    }
    r->slots[s].cells[at].count++;
}

void timing_recent_add(struct timing_recent *r, uint64_t ns, uint64_t now_mono_ns)
{
    uint64_t number = slot_number(now_mono_ns);
    uint32_t bucket = bucket_of(ns);
    mutex_lock(&r->lock);
    unsigned s = (unsigned)(number % RECENT_SLOTS);
    if (r->slots[s].number != number)
        r->slots[s].count = 0;
    r->slots[s].number = number;
    count_one(r, s, bucket);
    mutex_unlock(&r->lock);
}

/* Adds what the slots from number `oldest` on count to `sums`; returns how much it was. */
static uint64_t sum_slots(struct timing_recent *r, uint64_t oldest, uint64_t *sums)
{
    uint64_t total = 0;
    mutex_lock(&r->lock);
    for (unsigned s = 0; s < RECENT_SLOTS; s++) {
        for (size_t i = 0; i < r->slots[s].count && r->slots[s].number >= oldest; i++) {
            sums[r->slots[s].cells[i].bucket] += r->slots[s].cells[i].count;
            total += r->slots[s].cells[i].count;
        }
    }
    mutex_unlock(&r->lock);
    return total;
}

static double quantile_of_sums(const uint64_t *sums, uint64_t total, double q)
{
    uint64_t rank = (uint64_t)ceil(q * (double)total), seen = 0;
    if (total == 0)
        return (double)NAN;
    for (unsigned i = 0; i < RECENT_BUCKETS; i++) {
        seen += sums[i];
        if (seen >= MAX(rank, 1))
            return bucket_seconds(i);
    }
    return bucket_seconds(RECENT_BUCKETS - 1);
}

void timing_recent_quantiles(struct timing_recent *const *all, size_t count, const double *q,
                             size_t n, uint64_t now_mono_ns, double *out)
{
    uint64_t oldest = slot_number(now_mono_ns) - (RECENT_SLOTS - 1), total = 0;
    uint64_t *sums = mem_zalloc(RECENT_BUCKETS, sizeof(*sums));
    for (size_t i = 0; i < count; i++)
        total += sum_slots(all[i], oldest, sums);
    for (size_t i = 0; i < n; i++)
        out[i] = quantile_of_sums(sums, total, q[i]);
    mem_free(sums);
}

double timing_recent_quantile(struct timing_recent *r, double q, uint64_t now_mono_ns)
{
    double out;
    timing_recent_quantiles(&r, 1, &q, 1, now_mono_ns, &out);
    return out;
}

void timing_recent_put(struct buf *out, const char *name, const char *labels,
                       enum recent_quantiles which, struct timing_recent *const *all, size_t count,
                       uint64_t now_mono_ns)
{
    static const double Q[] = {0.01, 0.05, 0.5, 0.9, 0.99};
    const size_t first = which == RECENT_THREE ? 2 : 0;
    double values[COUNT_OF(Q)];
    timing_recent_quantiles(all, count, Q + first, COUNT_OF(Q) - first, now_mono_ns, values);
    for (size_t i = first; i < COUNT_OF(Q); i++) {
        buf_printf(out, "%s{%s%squantile=\"%g\"} ", name, labels, labels[0] != '\0' ? "," : "",
                   Q[i]);
        out->len += number_format_g(values[i - first], (char *)buf_reserve(out, NUMBER_SIZE_MAX));
        buf_put_u8(out, '\n');
    }
}
