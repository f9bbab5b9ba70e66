/* posting_builder.h -- collects which series have which label pair, while series come in id
 * order. A few bytes for each label of a series. Threads: one at a time. */
#ifndef STORAGE_POSTING_BUILDER_H
#define STORAGE_POSTING_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct posting_builder;

struct posting_builder *posting_builder_new(void);
void posting_builder_free(struct posting_builder *b); /* NULL is allowed */

/* Series `id` belongs under `key`. Requires ids not descending for each key; a repeated id
 * counts once. */
void posting_builder_add(struct posting_builder *b, uint64_t key, uint32_t id);

/* Called with each key in ascending order and its ids, ascending; borrowed for the call. */
typedef err (*posting_fn)(void *arg, uint64_t key, const uint32_t *ids, size_t count);

/* An error of `fn` ends it and is returned. */
MUST_USE err posting_builder_each(const struct posting_builder *b, posting_fn fn, void *arg);

#endif
