/* row_run.h -- what most rows of a batch are: floats whose series have consecutive ids, most of
 * them at one time, as a sender repeats the series of a target in the order in which they were
 * created. Loops over such runs need neither look for the line of each series nor at each row. */
#ifndef STORAGE_ROW_RUN_H
#define STORAGE_ROW_RUN_H

#include <assert.h>
#include <stddef.h>

#include "base/compiler.h"
#include "storage/db.h"

typedef uint64_t row_words __attribute__((vector_size(32), aligned(8), may_alias));

static_assert(sizeof(struct db_row) == sizeof(row_words) && offsetof(struct db_row, ts_ms) == 0 &&
                  offsetof(struct db_row, histogram) == 16 &&
                  offsetof(struct db_row, series) == 24 &&
                  __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "words of rows: time, value, histogram, series below the tag");

/* Which bits of ids differ from the first one's, or'ed. */
static inline __attribute__((always_inline)) uint32_t row_run_differ(const struct db_row *rows,
                                                                     size_t count)
{
    const row_words *row = (const row_words *)(const void *)rows, *end = row + count;
    const row_words first = *row;
    row_words differ = {0};
    for (; end - row >= 4; row += 4)
        differ |= (row[0] ^ first) | (row[1] ^ first) | (row[2] ^ first) | (row[3] ^ first);
    for (; row < end; row++)
        differ |= *row ^ first;
    return (uint32_t)differ[3];
}

enum row_run {
    ROW_RUN_NONE,
    ROW_RUN_TIMES, /* floats with ids that ascend by one, of several times */
    ROW_RUN_SAME,  /* and of one */
};

static inline __attribute__((always_inline)) enum row_run row_run_of(const struct db_row *rows,
                                                                     size_t count)
{
    const row_words looked_at = {UINT64_MAX, 0, UINT64_MAX, UINT32_MAX}, step = {0, 0, 0, 1};
    row_words expected = {(uint64_t)rows[0].ts_ms, 0, 0, rows[0].series}, differ = {0};
    const row_words *row = (const row_words *)(const void *)rows, *end = row + count;
    for (; end - row >= 4; row += 4) { /* unrolled: link-time optimisation forgets the pragma */
        differ |= row[0] ^ expected;
        differ |= row[1] ^ (expected + step);
        differ |= row[2] ^ (expected + step * 2);
        differ |= row[3] ^ (expected + step * 3);
        expected += step * 4;
    }
    for (; row < end; row++) {
        differ |= *row ^ expected;
        expected += step;
    }
    differ &= looked_at;
    if ((differ[2] | differ[3]) != 0)
        return ROW_RUN_NONE;
    return differ[0] == 0 ? ROW_RUN_SAME : ROW_RUN_TIMES;
}

/* Fetch the `count` cache lines at `lines` for writing. */
static inline void row_run_fetch(const void *lines, size_t count)
{
    const char *p = lines, *end = p + count * CACHE_LINE;
    for (; end - p >= 4 * CACHE_LINE; p += (ptrdiff_t)4 * CACHE_LINE) {
        __builtin_prefetch(p, 1);
        __builtin_prefetch(p + CACHE_LINE, 1);
        __builtin_prefetch(p + (ptrdiff_t)2 * CACHE_LINE, 1);
        __builtin_prefetch(p + (ptrdiff_t)3 * CACHE_LINE, 1);
    }
    for (; p < end; p += CACHE_LINE)
        __builtin_prefetch(p, 1);
}

/* How many rows to look at together: `max`, or so many as reach to the end of the page of
 * 2^page_bits ids if they are a run; at least one of `left`. */
static inline size_t row_run_size(const struct db_row *rows, size_t left, size_t max,
                                  unsigned page_bits)
{
    size_t page = ((size_t)1 << page_bits) - (rows[0].series & ((1U << page_bits) - 1));
    return MIN(MIN(left, max), page);
}

/* How many rows from the first on, at least one of `count`, are of its time. */
static inline size_t row_run_same_time(const struct db_row *rows, size_t count)
{
    int64_t ts_ms = rows[0].ts_ms;
    size_t i = 0;
    while (i + 4 <= count && rows[i].ts_ms == ts_ms && rows[i + 1].ts_ms == ts_ms &&
           rows[i + 2].ts_ms == ts_ms && rows[i + 3].ts_ms == ts_ms)
        i += 4;
    while (i < count && rows[i].ts_ms == ts_ms)
        i++;
    return i;
}

#endif
