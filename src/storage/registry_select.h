/* registry_select.h -- the part of selecting that listing names and values uses, too. Private to
 * the registry. */
#ifndef STORAGE_REGISTRY_SELECT_H
#define STORAGE_REGISTRY_SELECT_H

#include "storage/registry_priv.h"
#include "storage/symbols.h"

enum {
    SELECT_AHEAD = 16, /* how far memory is fetched in advance */
    /* Estimated costs of ways to find out, tenths of ns: */
    COST_LABELS = 150, /* find a label of a series */
    COST_VALUE = 300,  /* fetch its value */
    COST_MATCH = 100,  /* match a value ... */
    COST_SLOW = 2000,  /* ... with an automaton */
    COST_SEARCH = 35,  /* search a series among a pair's ids */
    COST_MARK = 15,    /* enter an id into a bitmap */
    COST_TEST = 8,     /* look an id up there */
};

/* Has the caller been canceled (ERR_CANCELED) or run out of time (ERR_TIMEOUT)? */
MUST_USE err select_poll(const struct db_select_args *args);

struct candidates { /* series that match, in one of two forms; heap */
    uint64_t *bits; /* idbits_words() of all ids; NULL: `ids` */
    uint32_t *ids;  /* ascending; NULL when there are none */
    size_t count;
};

/* registry_select() with the read lock held. candidates_fini() by the caller. Errors as there. */
MUST_USE err select_locked(struct registry *r, const struct db_select_args *args,
                           struct candidates *out, struct diag *d);
void candidates_fini(struct candidates *c);

/* Make a bitmap of a list. */
void candidates_to_bits(const struct registry *r, struct candidates *c);

/* Make a list of a bitmap. */
void candidates_to_ids(const struct registry *r, struct candidates *c);

/* The series' pair of a label name, or NULL. `*guess` is where in the label set it is looked for
 * first, and then where it was: neighbours mostly agree. */
const struct symbol_pair *registry_pair_of(const struct registry *r, uint32_t id, uint32_t name,
                                           unsigned *guess);

/* Series and pairs lie all over the heap: fetch what comes behind ids[i] and pairs[i]. */
void registry_fetch_series(const struct registry *r, const uint32_t *ids, size_t i, size_t count);
void registry_fetch_pairs(const struct symbols *s, const struct symbol_name *n, uint32_t i);

#endif
