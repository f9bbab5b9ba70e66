/* usage.h -- how often, and when last, queries asked for each metric.
 *
 * A query counts once for every metric name its selectors ask for: by __name__="..." or a regular
 * expression that is a list of names. Selectors that could mean any metric are kept as text until
 * someone with the indexes at hand says which names they meant (usage_take_selectors()).
 *
 * Threads: any. Lock: one mutex over everything; rank: leaf. */
#ifndef QUERY_USAGE_H
#define QUERY_USAGE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "query/ast.h"

enum {
    USAGE_BYTES_MAX = 64 << 20, /* of names; further names are not counted, and that is counted */
    USAGE_NAMES_MAX = 10000,    /* of one query */
    USAGE_SELECTORS_MAX = 256,  /* waiting to be resolved; further ones are counted as dropped */
    USAGE_SELECTOR_TEXT_MAX = 16 << 10,
};

struct metric_usage;

struct metric_usage *usage_open(size_t bytes_max, int64_t now_s);
void usage_close(struct metric_usage *u); /* NULL is allowed */

/* Count a query, or one selector of another request. */
void usage_count_expr(struct metric_usage *u, const struct expr *e, int64_t now_s);
void usage_count_selector(struct metric_usage *u, const struct matcher *matchers, size_t count,
                          int64_t now_s);

/* `requests` queries asked for `metric`, the last at `last_s`. */
void usage_add(struct metric_usage *u, str metric, uint64_t requests, int64_t last_s);

struct usage_selector { /* waiting to be resolved */
    str text;           /* of a selector in braces */
    uint64_t requests;
    int64_t last_s;
};
/* Those that wait, in `a`; they wait no more.   ERR_LIMIT  the arena's budget: nothing was taken */
MUST_USE err usage_take_selectors(struct metric_usage *u, struct arena *a,
                                  struct usage_selector **out, size_t *count);

struct usage_record {
    str metric;
    uint64_t requests;
    int64_t last_s; /* seconds since the epoch */
};
/* All metrics that were asked for, by name; strings in `a`.   ERR_LIMIT  the arena's budget */
MUST_USE err usage_list(struct metric_usage *u, struct arena *a, struct usage_record **out,
                        size_t *count);

struct usage_info {
    int64_t since_s; /* counting began, or was reset */
    size_t bytes, bytes_max, metrics;
    uint64_t names_dropped, selectors_dropped; /* not counted: no room */
    uint64_t changes;                          /* goes up with each change */
};
void usage_info_of(struct metric_usage *u, struct usage_info *out);

/* Forget all counts. */
void usage_reset(struct metric_usage *u, int64_t now_s);

/* All of it as bytes, and back into an empty one.   ERR_CORRUPT  nothing was taken */
void usage_encode(struct metric_usage *u, struct buf *out);
MUST_USE err usage_decode(struct metric_usage *u, slice bytes);

#endif
