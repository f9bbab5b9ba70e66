#include "ingest/expo_histogram.h"

#include <math.h>

#include "ingest/expo.h"
#include "ingest/rw_priv.h"
#include "model/histogram_math.h"

/* ---- Native ---- */

bool expo_histogram_is_native(slice message)
{
    struct pb p = pb_of(message);
    bool native = false;
    while (pb_next(&p)) {
        if (p.field == 6)
            native |= pb_double(&p) > 0;
        else if (p.field == 7)
            native |= pb_varint(&p) > 0;
        else {
            native |= p.field == 9 || p.field == 12;
            pb_skip(&p);
        }
    }
    return native && !p.bad;
}

err expo_histogram_read(slice message, bool gauge, struct arena *a, struct histogram **out,
                        struct diag *d)
{
    static const uint8_t FIELDS[] = {
        /* of remote write's message by those of the client's */
        [1] = 1, [4] = 2,  [2] = 3,   [5] = 4,   [6] = 5,   [7] = 6,  [8] = 7,
        [9] = 8, [10] = 9, [11] = 10, [12] = 11, [13] = 12, [14] = 13};
    int64_t ts_ms, start_ms;
    TRY(rw_histogram_as(message, FIELDS, sizeof(FIELDS), a, out, &ts_ms, &start_ms, d));
    (*out)->reset_hint = gauge ? RESET_GAUGE : RESET_UNKNOWN;
    if (histogram_compact(*out, a) != OK)
        return diag_set(d, ERR_LIMIT, "page needs more than %d bytes of memory",
                        EXPO_ARENA_BYTES_MAX);
    return OK;
}

/* ---- Classic ---- */

static err no_memory(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "page needs more than %d bytes of memory", EXPO_ARENA_BYTES_MAX);
}

err expo_classic_add(struct expo_classic *c, double bound, double count, struct arena *a,
                     struct diag *d)
{
    size_t n = c->bucket_count;
    if (isnan(bound) || count < 0 || isnan(count))
        return diag_set(d, ERR_INVALID, "histogram bucket with a bound or count that is none");
    if (n > 0 && (bound <= c->bounds[n - 1] || count < c->counts[n - 1]))
        return diag_set(d, ERR_INVALID, "histogram buckets are not in ascending order");
    if (n == HISTOGRAM_BUCKETS_MAX)
        return diag_set(d, ERR_LIMIT, "histogram with more than %d buckets", HISTOGRAM_BUCKETS_MAX);
    if (n == c->bucket_cap) {
        size_t cap = n == 0 ? 16 : n * 2;
        double *bounds = arena_grow(a, c->bounds, n, cap, sizeof(double));
        double *counts = arena_grow(a, c->counts, n, cap, sizeof(double));
        if (bounds == NULL || counts == NULL)
            return no_memory(d);
        c->bounds = bounds;
        c->counts = counts;
        c->bucket_cap = cap;
    }
    c->bounds[n] = bound;
    c->counts[n] = count;
    c->bucket_count++;
    return OK;
}

static bool is_whole(double v)
{
    return v == trunc(v) && fabs(v) < 0x1p53;
}

err expo_classic_convert(const struct expo_classic *c, struct arena *a, struct histogram **out,
                         struct diag *d)
{
    size_t n = c->bucket_count;
    bool infinite = n > 0 && isinf(c->bounds[n - 1]);
    double last = n > 0 ? c->counts[n - 1] : 0, count = c->has_count ? c->count : last;
    size_t finite = n - infinite, buckets = finite + 1;
    if (count < last || (infinite && count != last))
        return diag_set(d, ERR_INVALID, "histogram count is not that of its buckets");
    struct histogram *h = ARENA_NEW(a, struct histogram);
    double *counts = ARENA_ARRAY(a, double, buckets);
    struct histogram_span *span = ARENA_NEW(a, struct histogram_span);
    if (h == NULL || counts == NULL || span == NULL)
        return no_memory(d);
    bool whole = is_whole(count);
    for (size_t i = 0; i < buckets; i++) {
        double upto = i < finite ? c->counts[i] : count, before = i > 0 ? c->counts[i - 1] : 0;
        counts[i] = upto - before;
        whole &= is_whole(upto);
    }
    span->length = (uint32_t)buckets;
    *h = (struct histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
                            .is_float = !whole,
                            .count = count,
                            .sum = c->sum,
                            .positive = {span, counts, 1, (uint32_t)buckets},
                            .custom_values = c->bounds,
                            .custom_count = (uint32_t)finite};
    if (histogram_compact(h, a) != OK)
        return no_memory(d);
    TRY(histogram_check(h, d));
    *out = h;
    return OK;
}
