/* promql_random_data.c -- see promql_random.h: scraped targets with gaps, resets, odd values. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/number.h"
#include "model/sample.h"
#include "support/promql_random.h"

enum { TARGET_SAMPLES_MAX = 200, SERIES_MAX = 256, SPREAD = 12 };

uint64_t rng_below(struct rng *r, uint64_t bound)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return (r->state >> 11) % bound;
}

bool rng_chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

const char *rng_pick(struct rng *r, const char *const *items, size_t count)
{
    return items[rng_below(r, count)];
}

struct target { /* scraped at times of its own, some missed */
    int64_t ts_ms[TARGET_SAMPLES_MAX];
    size_t count;
    const char *job, *instance;
};

struct maker {
    struct random_set *d;
    struct rng *r;
    bool starts;
};

static void make_target(struct rng *r, struct target *t)
{
    int64_t gap = (int64_t[]){10000, 15000, 30000, 60000}[rng_below(r, 4)];
    t->count = 0;
    for (int64_t at = (int64_t)rng_below(r, 20000);
         at < RANDOM_END_S * 1000 && t->count < TARGET_SAMPLES_MAX; at += gap) {
        if (rng_chance(r, 5))
            continue;
        if (rng_chance(r, 2))
            at += gap * (int64_t)(5 + rng_below(r, 10));
        t->ts_ms[t->count++] = at + (rng_chance(r, 30) ? (int64_t)rng_below(r, 40) : 0);
    }
}

static struct random_series *add_series(struct maker *m, const struct target *t, ...)
{
    struct label items[16];
    size_t n = 0;
    va_list args;
    va_start(args, t);
    for (const char *name; (name = va_arg(args, const char *)) != NULL;)
        items[n++] = (struct label){str_from(name), str_from(va_arg(args, const char *))};
    va_end(args);
    items[n++] = (struct label){STR("job"), str_from(t->job)};
    items[n++] = (struct label){STR("instance"), str_from(t->instance)};
    n = labels_sort(items, n);
    ASSERT(m->d->count < SERIES_MAX);
    struct random_series *s = &m->d->series[m->d->count++];
    ASSERT(labels_copy((struct labels){items, n}, &m->d->arena, &s->labels) == OK);
    s->samples = ARENA_ARRAY(&m->d->arena, struct random_sample, t->count + 1);
    for (size_t i = 0; i < t->count; i++)
        s->samples[i].ts_ms = t->ts_ms[i];
    s->count = t->count;
    return s;
}

/* ---- floats ---- */

static double gauge_value(struct rng *r)
{
    if (rng_chance(r, 3))
        return (double[]){
            NAN,    INFINITY, -INFINITY,        0,      -0.0, 1e300,
            -1e300, 5e-324,   9007199254740991, 1e-310, -2.5, 1.7e308}[rng_below(r, 12)];
    if (rng_chance(r, 30))
        return (double)(int64_t)rng_below(r, 10) - 4;
    return ((double)rng_below(r, 1u << 30) - (1 << 29)) / 1024.0;
}

/* Values that no two samples share, so that topk() has no ties. */
static double unique_value(struct rng *r)
{
    return (double)rng_below(r, UINT64_C(1) << 52) / 4096.0 - 5e11;
}

/* A stale marker now and then, and the series gone for a while. */
static bool make_stale(struct maker *m, struct random_series *s, size_t *i)
{
    if (!rng_chance(m->r, 1))
        return false;
    s->samples[*i].value = f64_from_bits(STALE_NAN_BITS);
    for (size_t gone = rng_chance(m->r, 50) ? rng_below(m->r, 20) : 0;
         gone > 0 && *i + 1 < s->count; gone--)
        s->samples[++*i].dropped = true;
    return true;
}

static void fill_floats(struct maker *m, struct random_series *s, char kind)
{
    double counter = rng_chance(m->r, 50) ? 0 : (double)rng_below(m->r, 1000000);
    for (size_t i = 0; i < s->count; i++) {
        if (make_stale(m, s, &i))
            continue;
        counter += rng_chance(m->r, 20)   ? 0
                   : rng_chance(m->r, 50) ? (double)rng_below(m->r, 100)
                                          : (double)rng_below(m->r, 1000) / 7;
        if (rng_chance(m->r, 2))
            counter = rng_chance(m->r, 50) ? 0 : (double)rng_below(m->r, 50);
        s->samples[i].value = kind == 'c'   ? counter
                              : kind == 'g' ? gauge_value(m->r)
                              : kind == 'i' ? 1
                                            : unique_value(m->r);
    }
}

static void fill_starts(struct maker *m, struct random_series *s)
{
    int64_t start = s->count > 0 ? s->samples[0].ts_ms - 7000 : 0;
    if (!m->starts || rng_chance(m->r, 50))
        return;
    for (size_t i = 0; i < s->count; i++) {
        struct random_sample *x = &s->samples[i];
        if (i > 0 && rng_chance(m->r, 8)) /* begun anew, mostly since the last sample */
            start = s->samples[i - 1].ts_ms + (int64_t)rng_below(m->r, 9000) - 1000;
        if (i > 0 && rng_chance(m->r, 3))
            start = s->samples[i - 1].ts_ms;
        if (!rng_chance(m->r, 5) && start > 0)
            x->start_ms = rng_chance(m->r, 2) ? x->ts_ms + 5 : start;
    }
}

static void add_classic(struct maker *m, const struct target *t)
{
    const char *bounds[] = {"0.1", "0.5", "1", "2.5", "+Inf"};
    double counts[5] = {0};
    struct random_series *s[5];
    if (rng_chance(m->r, 5))
        bounds[rng_below(m->r, 5)] = RNG_PICK(m->r, "x", "7", "-1", "");
    for (size_t b = 0; b < 5; b++)
        s[b] = add_series(m, t, "__name__", "h_bucket", "le", bounds[b], NULL);
    for (size_t i = 0; i < t->count; i++) {
        for (int n = (int)rng_below(m->r, 5); n > 0; n--)
            for (size_t b = rng_below(m->r, 5); b < 5; b++)
                counts[b] += 1;
        if (rng_chance(m->r, 2))
            memset(counts, 0, sizeof(counts));
        for (size_t b = 0; b < 5; b++) {
            s[b]->samples[i].value = counts[b];
            s[b]->samples[i].dropped = rng_chance(m->r, 1);
        }
    }
}

/* ---- native histograms ---- */

struct shape { /* of the histograms of one series, changing now and then */
    int schema;
    double zero_threshold, unit; /* counts are multiples of it */
    const double *bounds;
    size_t bound_count;
    double counts[2][SPREAD]; /* from index `from` on */
    bool there[2][SPREAD];    /* in the layout */
    int from;
    double zero, nan; /* observations of zero; of NaN */
};

static const double BOUNDS_A[] = {-1, 0.5, 1, 5}, BOUNDS_B[] = {0.5, 1, 2, 5, 10}, BOUNDS_C[] = {3};

static void choose_layout(struct rng *r, struct shape *s)
{
    for (int side = 0; side < 2; side++) {
        bool any = side == 0 || (s->bounds == NULL && rng_chance(r, 40));
        for (int i = 0; i < SPREAD; i++)
            s->there[side][i] =
                any && rng_chance(r, 70) && (s->bounds == NULL || (size_t)i <= s->bound_count);
    }
}

static void choose_shape(struct rng *r, struct shape *s, bool custom)
{
    *s = (struct shape){.schema = (int)rng_below(r, 4) - 1,
                        .zero_threshold = (double[]){0, 0.001, 0.25, 0.3, 1, 2}[rng_below(r, 6)],
                        .unit = rng_chance(r, 80) ? 1 : 0.3,
                        .from = (int)rng_below(r, 5) - 4};
    if (custom) {
        size_t which = rng_below(r, 3);
        s->schema = HISTOGRAM_SCHEMA_CUSTOM;
        s->zero_threshold = 0;
        s->from = 0;
        s->bounds = (const double *[]){BOUNDS_A, BOUNDS_B, BOUNDS_C}[which];
        s->bound_count = (size_t[]){4, 5, 1}[which];
    }
    choose_layout(r, s);
}

static void observe(struct rng *r, struct shape *s)
{
    for (int n = (int)rng_below(r, 8); n > 0; n--) {
        int side = (int)rng_below(r, 2), i = (int)rng_below(r, SPREAD);
        if (s->there[side][i])
            s->counts[side][i] += s->unit;
    }
    if (s->bounds == NULL && rng_chance(r, 30))
        s->zero += s->unit;
    if (rng_chance(r, 1))
        s->nan += s->unit;
}

/* Something other than more observations. */
static void change_shape(struct rng *r, struct shape *s)
{
    uint64_t what = rng_below(r, 100);
    if (what < 3)
        memset(s->counts, 0, sizeof(s->counts));
    if (what == 3 && s->bounds == NULL)
        s->schema = (int)rng_below(r, 4) - 1;
    if (what == 4 && s->bounds == NULL)
        s->zero_threshold = (double[]){0, 0.001, 0.25, 0.3, 1, 2}[rng_below(r, 6)];
    if (what == 5)
        choose_layout(r, s);
    if (what == 6)
        choose_shape(r, s, s->bounds != NULL);
    if (what == 7)
        choose_shape(r, s, s->bounds == NULL);
    if (what == 8)
        s->zero = s->nan = 0;
}

/* Nobody counts in buckets within the zero bucket; what sums make of them depends on their order.
 */
static bool within_zero(const struct shape *s, int index)
{
    return s->bounds == NULL && exp2(index * exp2(-s->schema)) <= s->zero_threshold * (1 + 1e-9);
}

static void put_side(struct arena *a, const struct shape *s, int side, struct histogram_side *out)
{
    out->spans = ARENA_ARRAY(a, struct histogram_span, SPREAD);
    out->counts = ARENA_ARRAY(a, double, SPREAD);
    int end = 0;
    for (int i = 0; i < SPREAD; i++) {
        int index = s->from + i;
        if (!s->there[side][i] || within_zero(s, index))
            continue;
        if (out->span_count == 0 || index != end)
            out->spans[out->span_count++] = (struct histogram_span){index - end, 0};
        out->spans[out->span_count - 1].length++;
        out->counts[out->bucket_count++] = s->counts[side][i];
        end = index + 1;
    }
}

static const struct histogram *make_histogram(struct maker *m, const struct shape *s, int hint)
{
    struct arena *a = &m->d->arena;
    struct histogram *h = ARENA_NEW(a, struct histogram);
    h->schema = s->schema;
    h->reset_hint = (uint8_t)hint;
    h->is_float = true;
    h->zero_threshold = s->zero_threshold;
    h->zero_count = s->bounds == NULL ? s->zero : 0;
    h->custom_count = (uint32_t)s->bound_count;
    if (s->bounds != NULL) {
        h->custom_values = ARENA_ARRAY(a, double, s->bound_count);
        memcpy(h->custom_values, s->bounds, s->bound_count * sizeof(double));
    }
    put_side(a, s, 0, &h->positive);
    put_side(a, s, 1, &h->negative);
    h->count = h->zero_count + s->nan;
    for (uint32_t i = 0; i < h->positive.bucket_count; i++)
        h->count += h->positive.counts[i];
    for (uint32_t i = 0; i < h->negative.bucket_count; i++)
        h->count += h->negative.counts[i];
    h->sum = s->nan > 0 ? (double)NAN : h->count * 1.5 - h->zero_count;
    struct diag d = {0};
    if (histogram_check(h, &d) != OK)
        ASSERT(!"a valid histogram");
    return h;
}

/* kind 'c': counters; 'g': gauges; 'm': mixed with floats, and hints of all kinds. */
static void fill_hists(struct maker *m, struct random_series *s, char kind, bool custom)
{
    struct shape shape;
    choose_shape(m->r, &shape, custom);
    for (size_t i = 0; i < s->count; i++) {
        int hint = kind == 'g' ? RESET_GAUGE : RESET_UNKNOWN;
        if (make_stale(m, s, &i))
            continue;
        if (rng_chance(m->r, 20))
            change_shape(m->r, &shape);
        if (kind == 'g')
            memset(shape.counts, 0, sizeof(shape.counts));
        observe(m->r, &shape);
        if (kind == 'm' && rng_chance(m->r, 20))
            hint = (int)rng_below(m->r, 4);
        s->samples[i].value = (double)rng_below(m->r, 100);
        if (kind != 'm' || rng_chance(m->r, 80))
            s->samples[i].hist = make_histogram(m, &shape, hint);
    }
}

static void add_native(struct maker *m, const struct target *t)
{
    if (rng_chance(m->r, 60))
        fill_hists(m, add_series(m, t, "__name__", "n", NULL), 'c', false);
    if (rng_chance(m->r, 40))
        fill_hists(m, add_series(m, t, "__name__", "n", "x", "1", NULL), 'c', rng_chance(m->r, 20));
    if (rng_chance(m->r, 40))
        fill_hists(m, add_series(m, t, "__name__", "ng", NULL), 'g', false);
    if (rng_chance(m->r, 40))
        fill_hists(m, add_series(m, t, "__name__", "nc", NULL), 'c', true);
    if (rng_chance(m->r, 30))
        fill_hists(m, add_series(m, t, "__name__", "mixed", NULL), 'm', rng_chance(m->r, 30));
    if (rng_chance(m->r, 10))
        fill_hists(m, add_series(m, t, "__name__", "h_bucket", NULL), 'c', false);
}

/* ---- all of it ---- */

static void add_floats(struct maker *m, const struct target *t)
{
    static const char *const names[] = {"c_total", "g", "u"}, kinds[] = "cgu";
    for (int k = 0; k < 3; k++) {
        struct random_series *s;
        if (rng_chance(m->r, 10))
            continue;
        s = add_series(m, t, "__name__", names[k], NULL);
        fill_floats(m, s, kinds[k]);
        fill_starts(m, s);
        if (!rng_chance(m->r, 25))
            continue;
        s = rng_chance(m->r, 90)
                ? add_series(m, t, "__name__", names[k], "x", rng_chance(m->r, 50) ? "1" : "2",
                             NULL)
                : add_series(m, t, "__name__", names[k], "__type__", k == 0 ? "counter" : "gauge",
                             rng_chance(m->r, 30) ? "__unit__" : "x",
                             rng_chance(m->r, 50) ? "seconds" : "", NULL);
        fill_floats(m, s, kinds[k]);
        fill_starts(m, s);
    }
}

static void add_infos(struct maker *m, const struct target *t)
{
    for (int v = 1; v < 3; v++)
        if (rng_chance(m->r, 40))
            fill_floats(m,
                        add_series(m, t, "__name__",
                                   rng_chance(m->r, 70) ? "target_info" : "b_info", "version",
                                   v == 1 ? "1" : "2", "zone", rng_chance(m->r, 50) ? "z" : "",
                                   NULL),
                        'i');
}

void random_data_make(struct random_set *d, struct rng *r, bool starts)
{
    static const char *const jobs[] = {"a", "b"}, *const instances[] = {"1", "2", "3"};
    struct maker m = {d, r, starts};
    *d = (struct random_set){0};
    arena_init(&d->arena, (size_t)1 << 30);
    d->series = ARENA_ARRAY(&d->arena, struct random_series, SERIES_MAX);
    for (size_t j = 0; j < 2; j++) {
        for (size_t i = 0; i < 3; i++) {
            struct target t = {.job = jobs[j], .instance = instances[i]};
            make_target(r, &t);
            add_floats(&m, &t);
            if (rng_chance(r, 60))
                add_classic(&m, &t);
            add_native(&m, &t);
            add_infos(&m, &t);
        }
    }
}

void random_data_fini(struct random_set *d)
{
    arena_fini(&d->arena);
}

struct fake_store *random_data_store(const struct random_set *d)
{
    struct fake_store *store = fake_store_open();
    for (size_t i = 0; i < d->count; i++) {
        const struct random_series *s = &d->series[i];
        if (s->dropped)
            continue;
        size_t id = fake_store_series_of(store, s->labels);
        for (size_t k = 0; k < s->count; k++) {
            const struct random_sample *x = &s->samples[k];
            if (x->dropped)
                continue;
            if (x->hist != NULL)
                fake_store_add_histogram(store, id, x->ts_ms, x->hist);
            else
                fake_store_add(store, id, x->ts_ms, x->value);
        }
        for (size_t k = 0; k < s->count; k++)
            if (!s->samples[k].dropped && s->samples[k].start_ms != 0)
                fake_store_start(store, id, s->samples[k].ts_ms, s->samples[k].start_ms);
    }
    return store;
}

/* ---- printing ---- */

static void print_side(const char *name, const struct histogram_side *s, struct buf *out)
{
    uint32_t at = 0;
    int index = 0;
    for (uint32_t k = 0; k < s->span_count; k++) {
        index += s->spans[k].offset;
        for (uint32_t i = 0; i < s->spans[k].length; i++)
            buf_printf(out, " %s%d:%.17g", name, index++, s->counts[at++]);
    }
}

static void print_histogram(const struct histogram *h, struct buf *out)
{
    buf_printf(out, "{{schema:%d hint:%d count:%.17g sum:%.17g zero:%.17g(%g)", h->schema,
               h->reset_hint, h->count, h->sum, h->zero_count, h->zero_threshold);
    print_side("+", &h->positive, out);
    print_side("-", &h->negative, out);
    for (uint32_t i = 0; i < h->custom_count; i++)
        buf_printf(out, " le%g", h->custom_values[i]);
    buf_printf(out, "}}");
}

static void print_sample(const struct random_sample *s, struct buf *out)
{
    buf_printf(out, "\n    %lld: ", (long long)s->ts_ms);
    if (s->start_ms != 0)
        buf_printf(out, "(from %lld) ", (long long)s->start_ms);
    if (s->hist != NULL)
        print_histogram(s->hist, out);
    else if (value_is_stale(s->value))
        buf_printf(out, "stale");
    else
        buf_printf(out, "%.17g", s->value);
}

void random_data_print(const struct random_set *d, struct buf *out)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct random_series *s = &d->series[i];
        if (s->dropped)
            continue;
        buf_printf(out, "  ");
        labels_format_metric(s->labels, out);
        for (size_t k = 0; k < s->count; k++)
            if (!s->samples[k].dropped)
                print_sample(&s->samples[k], out);
        buf_printf(out, "\n");
    }
}
