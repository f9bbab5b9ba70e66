/* cut_order.h -- the series of a window in label order, and their symbols: what a block is written
 * from. Strings are the registry's; hold a pin. Threads: one at a time. */
#ifndef STORAGE_CUT_ORDER_H
#define STORAGE_CUT_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "storage/registry.h"

struct cut_order {
    str *symbols; /* all label names and values, ascending, no repeats */
    uint32_t symbol_count;
    uint32_t *name_of, *value_of; /* pair id -> symbol; UINT32_MAX: not used */
    uint32_t pair_end;            /* pair ids are below */
};

/* Collect the symbols of ids[0..count), and sort the ids by labels. */
void cut_order_init(struct cut_order *o, struct registry *r, uint32_t *ids, size_t count);
void cut_order_fini(struct cut_order *o);

#endif
