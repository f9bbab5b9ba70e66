/* heaviest.h -- the few heaviest of many named counts. */
#ifndef STORAGE_HEAVIEST_H
#define STORAGE_HEAVIEST_H

#include "base/arena.h"
#include "base/err.h"
#include "storage/db_inspect.h"

struct heavy_item {
    uint64_t value;
    str name, detail; /* borrowed; `detail`, a label's value, may be "" */
};

struct heaviest { /* zero but for `limit`: empty. A heap whose root is the lightest of those kept */
    struct heavy_item *items;
    size_t count, limit, cap;
};

void heaviest_add(struct heaviest *t, struct heavy_item item);

/* Descending by value, then ascending by name and detail: a copy in `a`, detail behind the name and
 * '='; frees what the heap holds, also on an error. ERR_LIMIT  the arena's budget */
MUST_USE err heaviest_finish(struct heaviest *t, struct arena *a, struct db_top **out,
                             size_t *count);

#endif
