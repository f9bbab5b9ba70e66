/* series_notation.h -- series as tests of rules write them: `m{a="b"} 1 2+3x4 _ _x3 stale
 * {{sum:1}}x2`.
 *
 * Source: the series description language of Prometheus 3.14's PromQL parser, error words included.
 *   a        one value: a number, NaN, Inf, or `stale`, the stale marker
 *   axn      the value n + 1 times
 *   a+bxn    n + 1 values from `a` in steps of `b`; also a-bxn
 *   _  _xn   one place, n places without a value
 *   {{schema:1 sum:5 count:4 buckets:[1 2 1] ...}}   a native histogram, which may take the place
 * of `a` and `b` above; keys are schema, sum, count, z_bucket, z_bucket_w, custom_values, buckets,
 * offset, n_buckets, n_offset, counter_reset_hint Stricter than upstream: a repetition is bounded,
 * and what is no number inside [ ] is an error, where upstream skips it. More tolerant: Inf and NaN
 * may stand inside [ ]. */
#ifndef QUERY_SERIES_NOTATION_H
#define QUERY_SERIES_NOTATION_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "model/histogram.h"
#include "model/labels.h"

enum {
    SERIES_NOTATION_PLACES_MAX = 1 << 20,    /* of one series: two years of minutes */
    SERIES_NOTATION_TEXT_SIZE_MAX = 8 << 20, /* bytes */
};

struct series_place {
    const struct histogram *histogram; /* NULL: a float */
    double value;
    bool empty; /* no sample here */
};

struct series_notation {
    struct labels labels; /* sorted; may be empty */
    struct series_place *places;
    size_t count;
};

/* Read one series with its values. Everything is in `a`; nothing aliases `text`.
 *   ERR_INVALID  `d`: "line:column: parse error: ...", or a label twice, or a histogram that no
 *                store takes
 *   ERR_LIMIT    too many places, too long a text, or the arena's budget; `d` names it */
MUST_USE err series_notation_parse(str text, struct arena *a, struct series_notation *out,
                                   struct diag *d);

/* Read a metric alone: `m{a="b"}`, `{a="b"}`, or nothing at all. Errors as above. */
MUST_USE err series_notation_labels(str text, struct arena *a, struct labels *out, struct diag *d);

/* Append a histogram in this notation, as upstream's TestExpression(): zero fields left out, one
 * list of buckets a side without the empty ones at its ends. A run of more empty buckets than a
 * histogram can have is written `_xn`. */
void series_notation_format(const struct histogram *h, struct buf *out);

#endif
