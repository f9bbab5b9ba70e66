/* match.h -- rows of two vectors by match group: what binary and set operators share. */
#ifndef QUERY_MATCH_H
#define QUERY_MATCH_H

#include "query/call.h"
#include "query/exec_priv.h"
#include "query/group.h"

struct match_list { /* rows of one side by signature: rows[starts[s]] to rows[starts[s + 1]] */
    uint32_t *rows;
    size_t *starts;
    uint32_t *sig_of; /* each row's signature */
};

struct match_sides {
    struct signature signature;
    uint32_t count; /* distinct signatures of both sides */
    struct match_list left, right;
};

/* Signatures of all rows. Memory is the query's. */
MUST_USE err match_sides_make(struct exec *x, const struct vector_matching *m,
                              const struct vec *left, const struct vec *right,
                              struct match_sides *out);

/* and, or, unless. Takes from `lhs` and `rhs` what it needs; the rest stays theirs. */
MUST_USE err set_operate(struct exec *x, const struct plan *p, const struct grid *g,
                         struct vec *lhs, struct vec *rhs, struct vec *out);

#endif
