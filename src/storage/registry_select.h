/* registry_select.h -- the part of selecting that listing names and values uses, too. Private to
 * the registry. */
#ifndef STORAGE_REGISTRY_SELECT_H
#define STORAGE_REGISTRY_SELECT_H

#include "storage/registry.h"
#include "storage/symbols.h"

/* Has the caller been canceled (ERR_CANCELED) or run out of time (ERR_TIMEOUT)? */
MUST_USE err select_poll(const struct db_select_args *args);

/* registry_select() with the read lock held; the ids are in the heap, the caller's (NULL when there
 * are none). Errors as there. */
MUST_USE err select_locked(struct registry *r, const struct db_select_args *args, uint32_t **ids,
                           size_t *count, struct diag *d);

/* The series' pair of a label name, or NULL. `*guess` is where in the label set it is looked for
 * first, and then where it was: neighbours mostly agree. */
const struct symbol_pair *registry_pair_of(const struct registry *r, uint32_t id, uint32_t name,
                                           unsigned *guess);

#endif
