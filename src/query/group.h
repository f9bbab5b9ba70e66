/* group.h -- label sets to small numbers: groups of an aggregation, match groups of an operator,
 * equal rows. Hashed once a series; equal hashes are told apart by comparing labels. */
#ifndef QUERY_GROUP_H
#define QUERY_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "query/exec_priv.h"

/* Which labels of a set count. */
struct signature {
    const str *names; /* sorted */
    size_t count;
    bool keep;      /* only `names`; else all but them */
    bool drop_name; /* without `keep`: not __name__ either */
};

/* A signature with sorted names in `x`'s arena. ERR_LIMIT: arena budget. */
MUST_USE err signature_make(struct exec *x, struct label_list names, bool keep, bool drop_name,
                            struct signature *out);

/* The part of `ls` that counts; `items` has room for all of it. */
struct labels signature_apply(const struct signature *s, struct labels ls, struct label *items);

struct group_slot;

struct group_table {
    struct exec *x;
    const struct signature *signature; /* NULL: all labels */
    struct labels *groups;             /* of each group, in order of appearance */
    uint32_t count;
    uint32_t groups_cap;
    struct group_slot *slots; /* open addressing; a power of two */
    uint32_t slot_mask;
    struct label *items; /* scratch */
    size_t items_cap;
    struct buf key;
};

void group_table_init(struct group_table *t, struct exec *x, const struct signature *s);
void group_table_fini(struct group_table *t);

/* The group of `ls`, made when it is new (its labels are kept in the query's arena, strings are
 * borrowed). ERR_LIMIT: memory */
MUST_USE err group_table_add(struct group_table *t, struct labels ls, uint32_t *out);

#endif
