/* histogram_set.h -- the histograms of a vector: classic ones, several rows with a label le each,
 * and native ones, a row each. */
#ifndef QUERY_HISTOGRAM_SET_H
#define QUERY_HISTOGRAM_SET_H

#include "query/exec_priv.h"
#include "query/group.h"

struct bucket {
    double upper, count; /* count of all observations up to the bound */
};

struct bucket_row;

struct native_row {
    uint32_t row;
    uint32_t classic; /* the classic histogram with equal labels, or NO_HISTOGRAM */
};

enum { NO_HISTOGRAM = UINT32_MAX };

struct histogram_set {
    const struct vec *in;
    struct signature without_le;
    struct group_table groups; /* labels without le; the first `classic_count` are classic */
    uint32_t classic_count;
    struct bucket_row *rows; /* of classic histograms: by histogram, ascending bounds */
    size_t row_count;
    size_t *starts;      /* of each classic histogram in `rows`, and the end */
    uint32_t *native_of; /* of each classic histogram: index in `natives`, or NO_HISTOGRAM */
    struct native_row *natives;
    uint32_t native_count;
    struct bucket *scratch; /* room for the largest classic histogram */
};

/* The histograms of `in`, which must outlive the set. Warns of bounds that are none, at `arg`. */
MUST_USE err histogram_set_make(struct exec *x, const struct grid *g, const struct vec *in,
                                const struct expr *arg, struct histogram_set *out);
void histogram_set_fini(struct histogram_set *s);

/* Buckets of a classic histogram that are there at a step, in scratch, by ascending bounds. */
size_t histogram_set_buckets(const struct histogram_set *s, size_t classic, size_t k);
/* The histogram of a native row at a step, or NULL. */
const struct histogram *histogram_set_native(const struct histogram_set *s, size_t native,
                                             size_t k);
/* How many rows a classic histogram has. */
size_t histogram_set_width(const struct histogram_set *s, size_t classic);

/* A warning or info about a metric: its name is told where names are still known, that is, with
 * delayed name removal. */
void annotate_metric(struct exec *x, bool warning, const struct expr *at, str text,
                     struct labels metric);

/* classic.c: buckets with ascending bounds, which are changed */
double classic_quantile(double q, struct bucket *b, size_t count, struct monotonicity_fix *fix,
                        bool *forced);
double classic_fraction(double lower, double upper, struct bucket *b, size_t count);

#endif
