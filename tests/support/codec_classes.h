/* codec_classes.h -- synthetic series of the kinds that codecs meet, for tests and benchmarks: the
 * same numbers at every run. Header only, so that both can include it. */
#ifndef SUPPORT_CODEC_CLASSES_H
#define SUPPORT_CODEC_CLASSES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

struct rng {
    uint64_t s[2];
};

static inline struct rng rng_of(uint64_t seed)
{
    return (struct rng){{0x9e3779b97f4a7c15u ^ seed, 0xd1b54a32d192ed03u + seed * 0x2545f491u}};
}

/* xorshift128+ */
static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t s1 = r->s[0], s0 = r->s[1], x = s0 + s1;
    r->s[0] = s0;
    s1 ^= s1 << 23;
    r->s[1] = s1 ^ s0 ^ s1 >> 18 ^ s0 >> 5;
    return x;
}

static inline double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

static inline double rng_normal(struct rng *r)
{
    double u = rng_unit(r) + 1e-18, v = rng_unit(r);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static inline double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

enum codec_class {
    CLASS_CONST,
    CLASS_COUNTER,
    CLASS_BURSTY,
    CLASS_WALK,
    CLASS_PAGES,
    CLASS_DECIMAL2,
    CLASS_CPU_SECONDS,
    CLASS_BUCKETS,
    CLASS_ENTROPY,
    CLASS_FLOAT_WALK,
    CLASS_FLOAT_SUM,
    CLASS_SPECIAL,
    CLASS_RANDOM_BITS,
    CLASS_COUNT,
};

static const char *const class_names[CLASS_COUNT] = {
    "constant",   "counter",     "bursty counter", "int walk", "multiples of 4096",
    "2 decimals", "cpu seconds", "buckets",        "entropy",  "float walk",
    "float sum",  "specials",    "random bits",
};

static inline double special_value(struct rng *r, double x)
{
    switch (rng_u64(r) % 12) {
    case 0:
        return from_bits(0x7ff0000000000002u);
    case 1:
        return -0.0;
    case 2:
        return INFINITY;
    case 3:
        return -INFINITY;
    case 4:
        return from_bits(0x7ff8000000000001u);
    case 5:
        return from_bits(rng_u64(r));
    case 6:
        return from_bits(1);
    default:
        return x;
    }
}

/* What a series carries from sample to sample. */
struct class_state {
    enum codec_class kind;
    double x, rate;
    struct rng rng;
};

static inline struct class_state class_begin(enum codec_class kind, uint64_t seed)
{
    struct class_state s = {kind, 0, 0, rng_of(seed)};
    struct rng *r = &s.rng;
    for (int i = 0; i < 8; i++)
        (void)rng_u64(r);
    static const double ranges[CLASS_COUNT] = {1e5, 1e6, 1e6, 1e4, 4e6, 1, 1e7, 1, 1, 1, 1, 1, 1};
    s.x = floor(rng_unit(r) * ranges[kind]);
    s.rate = kind == CLASS_WALK      ? pow(10, rng_unit(r) * 2)
             : kind == CLASS_BUCKETS ? pow(10, rng_unit(r) * 2)
                                     : pow(10, rng_unit(r) * 3 + 0.5);
    if (kind == CLASS_DECIMAL2)
        s.x = 50;
    if (kind == CLASS_FLOAT_WALK)
        s.x = 100;
    return s;
}

static inline double class_next(struct class_state *s)
{
    struct rng *r = &s->rng;
    switch (s->kind) {
    case CLASS_COUNTER:
        return s->x += floor(fabs(s->rate + rng_normal(r) * sqrt(s->rate) * 2));
    case CLASS_BURSTY:
        return s->x += rng_u64(r) % 8 == 0 ? floor(-log(rng_unit(r) + 1e-12) * 200) : 0;
    case CLASS_WALK:
        return s->x += round(rng_normal(r) * s->rate);
    case CLASS_PAGES:
        s->x += round(rng_normal(r) * 300);
        return s->x * 4096;
    case CLASS_DECIMAL2:
        s->x = fabs(s->x + rng_normal(r) * 1.5);
        return round(s->x * 100) / 100;
    case CLASS_CPU_SECONDS:
        s->x += floor((double)(rng_u64(r) % 300) + rng_unit(r) * 200);
        return s->x / 100.0;
    case CLASS_BUCKETS: { /* one bucket of a classic histogram: a share of the observations */
        double observed = fabs(s->rate + rng_normal(r) * sqrt(s->rate));
        return s->x += floor(observed * 0.15 + rng_unit(r));
    }
    case CLASS_ENTROPY:
        return exp(rng_normal(r));
    case CLASS_FLOAT_WALK:
        return s->x += rng_normal(r);
    case CLASS_FLOAT_SUM:
        for (uint64_t k = rng_u64(r) % 20; k > 0; k--)
            s->x += -log(rng_unit(r) + 1e-12) * 0.05;
        return s->x;
    case CLASS_SPECIAL:
        s->x += (double)(rng_u64(r) % 10);
        return special_value(r, s->x);
    case CLASS_RANDOM_BITS:
        return from_bits(rng_u64(r));
    default:
        return s->x;
    }
}

static inline void class_fill(enum codec_class kind, uint64_t seed, double *v, uint32_t n)
{
    struct class_state s = class_begin(kind, seed);
    for (uint32_t i = 0; i < n; i++)
        v[i] = class_next(&s);
}

#endif
