/* metadata_store.h -- type, help and unit of metric families, in memory, the last one wins.
 *
 * The log makes them durable, `state` keeps them over a cut. Threads: any. */
#ifndef STORAGE_METADATA_STORE_H
#define STORAGE_METADATA_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/metadata.h"

enum {
    METADATA_FAMILIES_DEFAULT = 200000, /* more are not kept: names come from outside */
    METADATA_TEXT_DEFAULT = 64 << 10,   /* bytes of name, help and unit together */
};

struct metadata_limits {
    size_t families_max, text_bytes_max;
};

struct metadata_store;

struct metadata_store *metadata_store_new(struct metadata_limits limits);
void metadata_store_free(struct metadata_store *s); /* NULL is allowed */

/* Remember `m` for `metric` (both copied). False when a limit does not let it: it is a
 * new one and there are enough, or its text is too long. */
bool metadata_store_put(struct metadata_store *s, str metric, const struct metadata *m);

/* Would a put change anything? */
bool metadata_store_differs(struct metadata_store *s, str metric, const struct metadata *m);

/* Call `fn` for `metric`, or for all in name order when it is "". No lock is held meanwhile.
 * Returns what `fn` returned when not OK. */
MUST_USE err metadata_store_each(struct metadata_store *s, str metric,
                                 err (*fn)(void *arg, str metric, const struct metadata *m),
                                 void *arg);

/* All entries, appended to `out`; and back. ERR_CORRUPT: some may have been put. */
void metadata_store_encode(struct metadata_store *s, struct buf *out);
MUST_USE err metadata_store_decode(struct metadata_store *s, struct reader *r);

#endif
