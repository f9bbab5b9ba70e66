/* codec_histograms.h -- columns of native histograms for tests and benchmarks of their codec: the
 * same numbers at every run. Header only. */
#ifndef SUPPORT_CODEC_HISTOGRAMS_H
#define SUPPORT_CODEC_HISTOGRAMS_H

#include <stdlib.h>

#include "model/histogram.h"
#include "support/codec_classes.h"

enum histogram_kind {
    HISTOGRAM_COUNTER,  /* integer counter, latencies around a mode */
    HISTOGRAM_QUIET,    /* the same with few observations */
    HISTOGRAM_FLOAT,    /* float counts, as rate() records them */
    HISTOGRAM_CUSTOM,   /* custom bounds */
    HISTOGRAM_NEGATIVE, /* gauge with both sides */
    HISTOGRAM_KINDS,
};

static const char *const histogram_names[HISTOGRAM_KINDS] = {"counter", "quiet counter", "float",
                                                             "custom bounds", "both sides"};

struct histogram_column {
    uint32_t n;
    struct histogram **h;
    size_t naive_bytes; /* all fields and buckets as 8-byte numbers, the layout once */
};

static inline void histogram_side_init(struct histogram_side *side, uint32_t buckets)
{
    side->bucket_count = buckets;
    side->counts = calloc(buckets + 1, sizeof(double));
    side->span_count = buckets > 0 ? 2 : 0;
    side->spans = calloc(2, sizeof(*side->spans));
    side->spans[0] = (struct histogram_span){-(int32_t)buckets / 2, buckets / 3};
    side->spans[1] = (struct histogram_span){2, buckets - buckets / 3};
}

static inline struct histogram *histogram_new(enum histogram_kind kind)
{
    struct histogram *h = calloc(1, sizeof(*h));
    h->schema = kind == HISTOGRAM_CUSTOM ? HISTOGRAM_SCHEMA_CUSTOM : 3;
    h->zero_threshold = kind == HISTOGRAM_CUSTOM ? 0 : 0x1p-128;
    h->is_float = kind == HISTOGRAM_FLOAT;
    h->reset_hint = kind == HISTOGRAM_NEGATIVE ? RESET_GAUGE : RESET_NO;
    histogram_side_init(&h->positive, kind == HISTOGRAM_CUSTOM ? 12 : 40);
    histogram_side_init(&h->negative, kind == HISTOGRAM_NEGATIVE ? 20 : 0);
    h->custom_count = kind == HISTOGRAM_CUSTOM ? 11 : 0;
    h->custom_values = calloc(h->custom_count + 1, sizeof(double));
    for (uint32_t i = 0; i < h->custom_count; i++)
        h->custom_values[i] = 0.005 * (double)(1u << i);
    return h;
}

/* Add observations to `h`: buckets around a mode, the sum in step with them. */
static inline void histogram_observe(struct histogram *h, struct rng *r, unsigned observations)
{
    for (unsigned k = 0; k < observations; k++) {
        struct histogram_side *side =
            rng_u64(r) % 4 && h->negative.bucket_count > 0 ? &h->negative : &h->positive;
        double at = side->bucket_count * (0.5 + rng_normal(r) * 0.12);
        at = at < 0 ? 0 : at >= side->bucket_count ? side->bucket_count - 1 : at;
        side->counts[(uint32_t)at] += 1;
        h->count += 1;
        h->sum += exp(rng_normal(r)) * 0.01;
    }
}

static inline void side_copy(struct histogram_side *to, const struct histogram_side *from)
{
    for (uint32_t b = 0; b < from->bucket_count; b++)
        to->counts[b] = from->counts[b];
}

static inline struct histogram_column histogram_column_new(enum histogram_kind kind, uint32_t n,
                                                           uint64_t seed)
{
    struct histogram_column c = {n, calloc(n + 1, sizeof(struct histogram *)), 0};
    struct rng r = rng_of(seed);
    struct histogram *at = histogram_new(kind);
    for (uint32_t i = 0; i < n; i++) {
        histogram_observe(at, &r, kind == HISTOGRAM_QUIET ? rng_u64(&r) % 3 : rng_u64(&r) % 100);
        struct histogram *h = c.h[i] = histogram_new(kind);
        h->count = at->count;
        h->sum = at->sum;
        side_copy(&h->positive, &at->positive);
        side_copy(&h->negative, &at->negative);
        for (uint32_t b = 0; kind == HISTOGRAM_FLOAT && b < h->positive.bucket_count; b++)
            h->positive.counts[b] /= 15;
    }
    size_t buckets = at->positive.bucket_count + at->negative.bucket_count;
    c.naive_bytes = n * 8 * (3 + buckets) + 32 + at->custom_count * 8;
    c.h[n] = at;
    return c;
}

static inline void histogram_column_free(struct histogram_column *c)
{
    for (uint32_t i = 0; i <= c->n; i++) {
        free(c->h[i]->positive.counts);
        free(c->h[i]->positive.spans);
        free(c->h[i]->negative.counts);
        free(c->h[i]->negative.spans);
        free(c->h[i]->custom_values);
        free(c->h[i]);
    }
    free(c->h);
}

#endif
