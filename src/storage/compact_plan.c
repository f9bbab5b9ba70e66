/* compact_plan.c -- see compact.h: which blocks to merge. */
#include <stdlib.h>

#include "base/mem.h"
#include "storage/compact.h"

#define HOUR_MS (INT64_C(3600) * 1000)

const int64_t COMPACT_WIDTHS_MS[COMPACT_STEPS] = {2 * HOUR_MS, 12 * HOUR_MS, 96 * HOUR_MS,
                                                  384 * HOUR_MS};

enum {
    LATE_COUNT_MAX = 8,          /* blocks that come after a large one before it is rewritten */
    LATE_BYTES_SHARE = 10,       /* ... or their size: this part of the large one's */
    TOMBSTONE_SERIES_SHARE = 20, /* more than 1/20 of the series */
};
#define GRACE_MS HOUR_MS /* a window is over when its last cut must have been written */

struct plan {
    const struct compact_block *blocks;
    size_t count;
    int64_t now_ms; /* never before the newest sample */
    size_t *group;  /* blocks of one window */
    size_t *chosen;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t window_of(const struct compact_block *b, int64_t width_ms)
{
    return floor_div(b->min_ms, width_ms);
}

static bool fits(const struct compact_block *b, int64_t width_ms)
{
    return b->max_ms > b->min_ms && floor_div(b->max_ms - 1, width_ms) == window_of(b, width_ms);
}

/* Ascending by age. qsort_r() passes the blocks. */
static int by_age(const void *x, const void *y, void *arg)
{
    const struct compact_block *blocks = arg;
    const struct compact_block *a = &blocks[*(const size_t *)x], *b = &blocks[*(const size_t *)y];
    int c = ulid_cmp(a->last_source, b->last_source);
    return c != 0 ? c : ulid_cmp(a->ulid, b->ulid);
}

/* Is the newest of the group that old that no more is expected for a window of this width? */
static bool is_idle(const struct plan *p, const size_t *group, size_t n, int64_t width_ms)
{
    int64_t newest_ms = 0;
    for (size_t i = 0; i < n; i++)
        newest_ms = MAX(newest_ms, ulid_ms(p->blocks[group[i]].ulid));
    return p->now_ms - newest_ms >= width_ms / 2;
}

/* A part of the group (ascending by age) that is worth merging: all, or what is older or newer
 * than a block too large to rewrite for the rest. Returns its size and start. */
static size_t worth_merging(const struct plan *p, size_t *group, size_t n, int64_t width_ms,
                            size_t **start)
{
    while (n >= 2) {
        size_t large = 0;
        uint64_t bytes = 0;
        for (size_t i = 0; i < n; i++) {
            bytes += p->blocks[group[i]].bytes;
            if (p->blocks[group[i]].bytes >= p->blocks[group[large]].bytes)
                large = i;
        }
        uint64_t rest = bytes - p->blocks[group[large]].bytes;
        if (rest >= p->blocks[group[large]].bytes / LATE_BYTES_SHARE || n > LATE_COUNT_MAX ||
            is_idle(p, group, n, width_ms)) {
            *start = group;
            return n;
        }
        if (n - large - 1 >= 2) {
            group += large + 1;
            n -= large + 1;
        } else {
            n = large;
        }
    }
    return 0;
}

/* Would the merge put samples of different age into one block around those of another that
 * overlaps it? Then it could not be told whose sample is later. */
static bool encloses_another(const struct plan *p, const size_t *set, size_t n)
{
    ulid first = p->blocks[set[0]].first_source, last = p->blocks[set[n - 1]].last_source;
    int64_t min_ms = INT64_MAX, max_ms = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        const struct compact_block *b = &p->blocks[set[i]];
        min_ms = MIN(min_ms, b->min_ms);
        max_ms = MAX(max_ms, b->max_ms);
        if (ulid_cmp(b->first_source, first) < 0)
            first = b->first_source;
    }
    for (size_t x = 0; x < p->count; x++) {
        const struct compact_block *b = &p->blocks[x];
        bool member = false;
        for (size_t i = 0; i < n && !member; i++)
            member = set[i] == x;
        if (!member && b->resolution_ms == p->blocks[set[0]].resolution_ms && b->min_ms < max_ms &&
            min_ms < b->max_ms && ulid_cmp(b->last_source, first) >= 0 &&
            ulid_cmp(b->first_source, last) <= 0)
            return true;
    }
    return false;
}

/* Try the window of block `seed`; only when it is its window's first block, so that each window
 * is tried once. */
static size_t try_window(struct plan *p, size_t seed, int64_t width_ms)
{
    const struct compact_block *s = &p->blocks[seed];
    int64_t window = window_of(s, width_ms), end;
    size_t n = 0, *start;
    if (!fits(s, width_ms) || __builtin_mul_overflow(window + 1, width_ms, &end) ||
        end > p->now_ms - GRACE_MS)
        return 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct compact_block *b = &p->blocks[i];
        if (b->resolution_ms != s->resolution_ms || !fits(b, width_ms) ||
            window_of(b, width_ms) != window)
            continue;
        if (i < seed)
            return 0;
        p->group[n++] = i;
    }
    qsort_r(p->group, n, sizeof(*p->group), by_age, (void *)(uintptr_t)p->blocks);
    n = worth_merging(p, p->group, n, width_ms, &start);
    n = MIN(n, (size_t)COMPACT_SOURCES_MAX);
    if (n < 2 || encloses_another(p, start, n))
        return 0;
    memcpy(p->chosen, start, n * sizeof(*start));
    return n;
}

static size_t plan_merge(struct plan *p, int64_t width_ms_max)
{
    for (int step = 0; step < COMPACT_STEPS; step++) {
        int64_t width_ms = COMPACT_WIDTHS_MS[step];
        if (step > 0 && width_ms_max > 0 && width_ms > width_ms_max)
            break;
        for (size_t seed = 0; seed < p->count; seed++) {
            size_t n = try_window(p, seed, width_ms);
            if (n > 0)
                return n;
        }
    }
    return 0;
}

static size_t plan_rewrite(struct plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct compact_block *b = &p->blocks[i];
        if (b->tombstone_series > b->series / TOMBSTONE_SERIES_SHARE) {
            p->chosen[0] = i;
            return 1;
        }
    }
    return 0;
}

size_t compact_plan(const struct compact_block *blocks, size_t count, int64_t now_ms,
                    int64_t width_ms_max, size_t *chosen)
{
    struct plan p = {blocks, count, now_ms, mem_resize(NULL, count, sizeof(size_t)), chosen};
    for (size_t i = 0; i < count; i++)
        p.now_ms = MAX(p.now_ms, blocks[i].max_ms);
    size_t n = plan_merge(&p, width_ms_max);
    if (n == 0)
        n = plan_rewrite(&p);
    mem_free(p.group);
    return n;
}
