/* top.h -- the last queries and what they cost: a ring of records that point to distinct texts, so
 * that questions about any time since can be answered exactly while memory stays bounded.
 *
 * Threads: any. Lock: one mutex over everything; rank: leaf. */
#ifndef QUERY_TOP_H
#define QUERY_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "query/origin.h"

enum {
    TOP_RECORDS_MAX = 20000,  /* queries remembered */
    TOP_BYTES_MAX = 16 << 20, /* of texts and origins; the oldest records go earlier */
    TOP_TEXT_MAX = 16 << 10,  /* bytes kept of a text; longer ones are told apart all the same */
    TOP_TAG_MAX = 128,        /* bytes kept of what the last client said */
};

struct top_queries;

struct top_queries *top_open(size_t records_max, size_t bytes_max);
void top_close(struct top_queries *t); /* NULL is allowed */

struct top_record {   /* a query that has ended */
    str text;         /* normalised: as the expression prints */
    int64_t range_ms; /* end - start; queries of other ranges count apart */
    const struct query_origin *origin;
    int64_t end_ms; /* wall clock when it ended */
    uint64_t duration_ns, samples, memory_bytes;
    bool failed;
};
void top_add(struct top_queries *t, const struct top_record *r);

struct top_entry { /* all records of a text and range */
    str text;
    int64_t range_ms;
    uint64_t count, failed;
    uint64_t duration_sum_ns, duration_max_ns, samples_sum, memory_sum, memory_max;
    int64_t last_ms;
    struct query_origin origin; /* of the last */
};

/* Entries of the records that ended at `since_ms` or later, in no order; strings in `a`.
 *   ERR_LIMIT  the arena's budget */
MUST_USE err top_collect(struct top_queries *t, int64_t since_ms, struct arena *a,
                         struct top_entry **out, size_t *count);

enum top_order {
    TOP_BY_COUNT,
    TOP_BY_AVG_DURATION,
    TOP_BY_SUM_DURATION,
    TOP_BY_SUM_SAMPLES,
    TOP_BY_AVG_MEMORY,
    TOP_ORDERS
};
/* Sort, the heaviest first; equal ones by text and range. */
void top_sort(struct top_entry *entries, size_t count, enum top_order order);

size_t top_bytes(struct top_queries *t);

/* All of it as bytes, and back into an empty one.   ERR_CORRUPT  nothing was taken */
void top_encode(struct top_queries *t, struct buf *out);
MUST_USE err top_decode(struct top_queries *t, slice bytes);

#endif
