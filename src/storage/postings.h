/* postings.h -- sets of series ids of a block: roaring bitmaps behind our types. A set belongs to
 * one thread; all functions copy, nothing aliases the bytes it was read from. */
#ifndef STORAGE_POSTINGS_H
#define STORAGE_POSTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"

struct postings;

enum { POSTINGS_LIST_MAX = 64 }; /* sets of fewer ids are stored as a list of differences */

/* The empty set, and 0..count-1. Free with postings_free(). */
struct postings *postings_empty(void);
struct postings *postings_range(uint32_t count);
void postings_free(struct postings *p); /* NULL is allowed */

/* The set of `ids`, in any order. */
struct postings *postings_from(const uint32_t *ids, size_t count);

/* Append the stored form of `ids` (strictly ascending, count >= 1) to `out`. */
void postings_encode(const uint32_t *ids, size_t count, struct buf *out);

/* Read what postings_encode() wrote.
 *   ERR_CORRUPT  malformed, or an id is not below `id_limit` */
MUST_USE err postings_decode(slice bytes, uint32_t id_limit, struct postings **out);

/* Add the stored set to `p`: as decode and postings_or(), without the copy. */
MUST_USE err postings_decode_or(slice bytes, uint32_t id_limit, struct postings *p);

/* Add the stored set to `bits` when it is small, else to `p`: collecting the sets of many values is
 * fastest so. `bits` has a bit for each id below `id_limit` (idbits.h).   ERR_CORRUPT  as above */
MUST_USE err postings_decode_mark(slice bytes, uint32_t id_limit, uint64_t *bits,
                                  struct postings *p);

/* Does the stored set share an id with `among`? A list is read only up to the first. `bits` are
 * those of `among`, which makes that faster; NULL: not made.   ERR_CORRUPT  what was read is
 * malformed */
MUST_USE err postings_stored_meet(slice bytes, uint32_t id_limit, const struct postings *among,
                                  const uint64_t *bits, bool *out);

/* Set the ids' bits; `bits` covers all of them. */
void postings_mark(const struct postings *p, uint64_t *bits);

/* The ids whose bits are set, in `words` words. */
struct postings *postings_from_bits(const uint64_t *bits, size_t words);

/* a = a AND b, a OR b, a without b. */
void postings_and(struct postings *a, const struct postings *b);
void postings_or(struct postings *a, const struct postings *b);
void postings_andnot(struct postings *a, const struct postings *b);

uint64_t postings_count(const struct postings *p);
bool postings_meet(const struct postings *a, const struct postings *b); /* anything in common? */
bool postings_eq(const struct postings *a, const struct postings *b);
bool postings_has(const struct postings *p, uint32_t id);

/* Write the ids, ascending, to `out`, which has room for postings_count() of them. */
void postings_ids(const struct postings *p, uint32_t *out);

#endif
