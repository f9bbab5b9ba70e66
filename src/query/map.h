/* map.h -- what is applied to a row place by place: abs(), clamp(), year(), `x * 2`, `x > bool 1`,
 * unary minus. A stage changes a row where it stands. */
#ifndef QUERY_MAP_H
#define QUERY_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "query/exec_priv.h"

struct map_stage;
typedef void (*map_fn)(const struct map_stage *s, double *values, size_t count);

struct map_stage {
    const struct plan *plan;
    map_fn fn;             /* over floats */
    const double *args[2]; /* scalars, a value a step */
    enum binary_op op;     /* of a vector and a scalar */
    bool scalar_first, return_bool;
    bool drops_name;
};

/* If `p` is such a thing, the operand that is the vector; else NULL. */
const struct plan *map_operand(const struct plan *p);

/* The stage of `p`, with its scalar arguments evaluated over `g`. */
MUST_USE err map_make(struct exec *x, const struct plan *p, const struct grid *g,
                      struct map_stage *out);

struct map_run { /* who applies a stage */
    struct exec *x;
    struct arena *hists; /* for histograms of the result */
    uint64_t *visited;   /* for exec_visit() */
    struct diag *diag;
};

/* Apply to one row. Histograms that the stage cannot work with are dropped. */
MUST_USE err map_apply(const struct map_run *run, const struct map_stage *s, double *values,
                       const struct histogram **hists, size_t count);

/* out = l op r where both are present; arithmetic operators. `out` may be `l` or `r`. */
void map_arithmetic(enum binary_op op, const double *l, const double *r, double *out, size_t count);
/* keep where (l op r), else ABSENT; with `return_bool` 1 or 0. Comparisons. */
void map_compare(enum binary_op op, const double *l, const double *r, const double *keep,
                 bool return_bool, double *out, size_t count);
double map_scalar_op(enum binary_op op, double l, double r);

/* The routine of a function of one row, or NULL. */
map_fn map_function(enum func_id id);

/* Parts of the UTC date of `seconds` since the epoch. */
double date_part(enum func_id id, double seconds);

#endif
