/* labels.h -- label sets: sorted by name in byte order, names unique, no empty value.
 *
 * A `struct labels` borrows its strings; who builds one says where they live. The canonical
 * encoding (labels_encode) is what series are hashed, compared and stored by. */
#ifndef MODEL_LABELS_H
#define MODEL_LABELS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/slice.h"

#define LABEL_NAME   STR("__name__")
#define LABEL_BUCKET STR("le")
#define LABEL_TYPE   STR("__type__")
#define LABEL_UNIT   STR("__unit__")

struct label {
    str name, value;
};

struct labels {
    const struct label *items;
    size_t count;
};

/* Limits of one label set (docs/limits.md). */
struct labels_limits {
    size_t count_max;      /* labels, __name__ included */
    size_t name_size_max;  /* bytes */
    size_t value_size_max; /* bytes */
};
extern const struct labels_limits LABELS_LIMITS_DEFAULT; /* 64, 512, 16384 */

/* The value of `name`, or an empty str with ptr NULL. */
str labels_get(struct labels ls, str name);

/* Sort `items` in place by name and drop labels with an empty value; returns how many are left. */
size_t labels_sort(struct label *items, size_t count);

/* Check a sorted set as remote write receives it: a non-empty __name__, no empty or repeated name,
 * all UTF-8, within `limits`. ERR_INVALID  `d` holds the words of Prometheus: "invalid metric name
 * or labels, got {...}" or "invalid labels for series, labels {...}, duplicated label x" ERR_LIMIT
 * `d` names the limit and the label */
MUST_USE err labels_check(struct labels ls, const struct labels_limits *limits, struct diag *d);

/* Lexicographic by (name, value) pairs, then fewer labels first: Prometheus' labels.Compare. */
int labels_cmp(struct labels a, struct labels b);
bool labels_eq(struct labels a, struct labels b);

/* Canonical bytes: for each label varint length, name, varint length, value; appended to `out`. */
void labels_encode(struct labels ls, struct buf *out);

/* Read labels_encode()'s bytes; strings alias `bytes`, items are in `a`.
 *   ERR_CORRUPT  malformed, not sorted or with an empty value      ERR_LIMIT  arena budget */
MUST_USE err labels_decode(slice bytes, struct arena *a, struct labels *out);

/* XXH3-128 of the canonical encoding. */
hash128 labels_hash(struct labels ls, uint64_t seed);

/* A copy of set and strings in `a`. ERR_LIMIT: arena budget. */
MUST_USE err labels_copy(struct labels ls, struct arena *a, struct labels *out);

/* The union of two sets; the value of `a` wins. Items are in `arena`, strings alias both sets.
 *   ERR_LIMIT: arena budget */
MUST_USE err labels_merge(struct labels a, struct labels b, struct arena *arena,
                          struct labels *out);

/* Append as Prometheus prints a set: `{a="b", c="d"}`; with __name__ first as `name{...}` by
 * labels_format_metric(), `{"na.me", a="b"}` when the name is not legacy-valid. Values are quoted
 * as Go's %q, and so are names that are not legacy-valid. */
void labels_format(struct labels ls, struct buf *out);
void labels_format_metric(struct labels ls, struct buf *out);

/* [a-zA-Z_][a-zA-Z0-9_]* and, for metric names, ':' too. */
bool label_name_is_legacy(str name);
bool metric_name_is_legacy(str name);

#endif
