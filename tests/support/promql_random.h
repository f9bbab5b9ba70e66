/* promql_random.h -- random data and random queries over the whole of PromQL.
 *
 * Data is kept in a form of its own, so that a test can leave parts of it out and try again. */
#ifndef TESTS_PROMQL_RANDOM_H
#define TESTS_PROMQL_RANDOM_H

#include "base/arena.h"
#include "base/buf.h"
#include "support/fake_source.h"

struct rng {
    uint64_t state; /* not 0 */
};

uint64_t rng_below(struct rng *r, uint64_t bound);
bool rng_chance(struct rng *r, unsigned percent);
const char *rng_pick(struct rng *r, const char *const *items, size_t count);
#define RNG_PICK(r, ...)                                                                           \
    rng_pick((r), (const char *const[]){__VA_ARGS__},                                              \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

enum { RANDOM_END_S = 1800 }; /* samples are from the epoch to this */

struct random_sample {
    int64_t ts_ms, start_ms;
    double value;
    const struct histogram *hist; /* NULL: a float */
    bool dropped;
};

struct random_series {
    struct labels labels;
    struct random_sample *samples;
    size_t count;
    bool dropped;
};

struct random_set {
    struct arena arena;
    struct random_series *series;
    size_t count;
};

/* `starts`: with start time stamps. */
void random_data_make(struct random_set *d, struct rng *r, bool starts);
void random_data_fini(struct random_set *d);
/* A store of all that is not dropped. */
struct fake_store *random_data_store(const struct random_set *d);
/* Append all that is not dropped, a series a line. */
void random_data_print(const struct random_set *d, struct buf *out);

/* Append a query of an instant vector; `depth` is how deep it may nest. */
void random_query(struct rng *r, int depth, struct buf *out);
/* Some more kinds, for instant queries: sorted vectors, range vectors. */
void random_instant_query(struct rng *r, int depth, struct buf *out);

#endif
