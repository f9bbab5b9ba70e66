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

/* What makes an operation fail: upstream goes step by step, and within a step looks for duplicates
 * of the one side, in its order, before it pairs; so the first of these is told. */
struct match_fault {
    size_t step; /* SIZE_MAX: none */
    enum { FAULT_DUPLICATE, FAULT_MANY, FAULT_GROUPING } kind;
    uint32_t row, earlier; /* FAULT_DUPLICATE: rows of the one side */
};

/* Keep the first of `first` and `other`. */
void match_fault_note(struct match_fault *first, struct match_fault other);

/* and, or, unless. Takes from `lhs` and `rhs` what it needs; the rest stays theirs. */
MUST_USE err set_operate(struct exec *x, const struct plan *p, const struct grid *g,
                         struct vec *lhs, struct vec *rhs, struct vec *out);

#endif
