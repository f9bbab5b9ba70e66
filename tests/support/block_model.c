/* block_model.c -- see block_model.h. */
#include "support/block_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/sample.h"
#include "storage/block_verify.h"

uint64_t model_random(struct model_rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t model_below(struct model_rng *r, uint64_t n)
{
    return model_random(r) % n;
}

/* ---- Building ---- */

static struct histogram *make_histogram(struct arena *a, int kind)
{
    struct histogram *h = ARENA_NEW(a, struct histogram);
    if (kind == 11) {
        h->sum = f64_from_bits(STALE_NAN_BITS);
        return h;
    }
    uint32_t n = 3 + (uint32_t)kind % 3; /* three layouts */
    h->schema = kind % 3;
    h->zero_threshold = 0.001;
    h->zero_count = kind;
    h->count = kind;
    h->sum = kind * 1.5;
    h->positive.spans = ARENA_ARRAY(a, struct histogram_span, 1);
    h->positive.spans[0] = (struct histogram_span){-2, n};
    h->positive.span_count = 1;
    h->positive.counts = ARENA_ARRAY(a, double, n);
    h->positive.bucket_count = n;
    for (uint32_t i = 0; i < n; i++) {
        h->positive.counts[i] = kind + (int)i * 7;
        h->count += h->positive.counts[i];
    }
    return h;
}

void model_init(struct model *m)
{
    *m = (struct model){0};
    arena_init(&m->arena, (size_t)1 << 32);
    for (int i = 0; i < (int)COUNT_OF(m->histograms); i++)
        m->histograms[i] = make_histogram(&m->arena, i);
}

void model_fini(struct model *m)
{
    for (size_t i = 0; i < m->count; i++)
        mem_free(m->series[i].samples);
    mem_free(m->series);
    arena_fini(&m->arena);
}

struct model_series *model_add(struct model *m, struct labels labels)
{
    if (m->count == m->cap) {
        m->cap = MAX(m->cap * 2, (size_t)64);
        m->series = mem_resize(m->series, m->cap, sizeof(*m->series));
    }
    struct model_series *s = &m->series[m->count++];
    *s = (struct model_series){0};
    assert_int_equal(labels_copy(labels, &m->arena, &s->labels), OK);
    return s;
}

void model_put(struct model_series *s, struct model_sample sample)
{
    if (s->count == s->cap) {
        s->cap = MAX(s->cap * 2, (size_t)16);
        s->samples = mem_resize(s->samples, s->cap, sizeof(*s->samples));
    }
    s->samples[s->count++] = sample;
}

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(((const struct model_series *)a)->labels,
                      ((const struct model_series *)b)->labels);
}

void model_sort(struct model *m)
{
    if (m->count > 0)
        qsort(m->series, m->count, sizeof(*m->series), by_labels);
}

/* ---- Random content ---- */

static str random_value(struct arena *a, struct model_rng *r, const char *stem, uint64_t n)
{
    char text[64];
    uint64_t i = model_below(r, n);
    if (i == 7) /* a long one now and then */
        return arena_str(a,
                         (str){"long value long value long value long value long value long", 58});
    (void)snprintf(text, sizeof(text), "%s%s%llu", stem, i % 5 == 3 ? "é-" : "",
                   (unsigned long long)i);
    return arena_str(a, str_from(text));
}

static struct labels random_labels(struct arena *a, struct model_rng *r)
{
    static const char *const NAMES[] = {"job",  "instance", "le",   "pod",   "zone",
                                        "code", "handler",  "mode", "a_b_c", "ünïcode"};
    struct label *items = ARENA_ARRAY(a, struct label, 12);
    size_t n = 0;
    items[n++] = (struct label){LABEL_NAME, random_value(a, r, "metric_", 12)};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (model_below(r, 3) == 0)
            items[n++] = (struct label){str_from(NAMES[i]),
                                        random_value(a, r, NAMES[i], i == 1 || i == 3 ? 2000 : 10)};
    }
    return (struct labels){items, labels_sort(items, n)};
}

static double random_value_of(struct model_rng *r, unsigned kind, size_t i, double *last)
{
    switch (kind) {
    case 0:
        return 0;
    case 1:
        return *last += (double)model_below(r, 100);
    case 2:
        return (double)model_below(r, 100000) / 100;
    case 3:
        return f64_from_bits(model_random(r));
    default:
        return i % 17 == 16 ? f64_from_bits(STALE_NAN_BITS) : -0.0;
    }
}

/* Times: of one of three common schedules, or of its own. */
static void random_samples(struct model *m, struct model_series *s, struct model_rng *r,
                           const struct model_options *o)
{
    size_t count = 1 + (size_t)model_below(r, o->samples_max);
    unsigned kind = (unsigned)model_below(r, 5);
    bool histograms = o->histograms && model_below(r, 4) == 0, mixed = model_below(r, 8) == 0;
    bool starts = o->starts && model_below(r, 3) == 0, own = model_below(r, 6) == 0;
    struct model_rng times = {own ? model_random(r) : model_below(r, 3)};
    double last = 0;
    int64_t ts = o->min_ms + (own ? (int64_t)model_below(r, 5000) : 0);
    for (size_t i = 0; i < count; i++) {
        struct model_sample x = {.ts_ms = ts, .value = random_value_of(r, kind, i, &last)};
        if (histograms && (!mixed || i / 50 % 2 == 0))
            x.histogram = m->histograms[i / 40 % 3 + 3 * model_below(r, 3)];
        if (x.histogram != NULL && model_below(r, 60) == 0)
            x.histogram = m->histograms[11];
        if (starts)
            x.start_ms = i < count / 2 ? o->min_ms - 1000 : ts - 5;
        model_put(s, x);
        ts += 1 + (int64_t)model_below(&times, 20) + o->step_ms;
    }
}

/* Of equal label sets keep the first. */
static void drop_repeats(struct model *m)
{
    size_t kept = 0;
    model_sort(m);
    for (size_t i = 0; i < m->count; i++) {
        if (kept > 0 && labels_eq(m->series[kept - 1].labels, m->series[i].labels))
            mem_free(m->series[i].samples);
        else
            m->series[kept++] = m->series[i];
    }
    m->count = kept;
}

void model_fill(struct model *m, struct model_rng *r, const struct model_options *o)
{
    struct arena scratch;
    arena_init(&scratch, 1 << 20);
    for (size_t i = 0; i < o->series; i++) {
        arena_reset(&scratch);
        random_samples(m, model_add(m, random_labels(&scratch, r)), r, o);
    }
    arena_fini(&scratch);
    drop_repeats(m);
}

/* ---- Naive operations ---- */

/* Merge b's samples into s: b wins. */
static void merge_samples(struct model_series *s, const struct model_series *b)
{
    struct model_series out = {.labels = s->labels};
    size_t i = 0, j = 0;
    while (i < s->count || j < b->count) {
        bool take_b = j < b->count && (i == s->count || b->samples[j].ts_ms <= s->samples[i].ts_ms);
        if (take_b && i < s->count && b->samples[j].ts_ms == s->samples[i].ts_ms)
            i++;
        model_put(&out, take_b ? b->samples[j++] : s->samples[i++]);
    }
    mem_free(s->samples);
    *s = out;
}

void model_merge(struct model *out, const struct model *const *models, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        size_t before = out->count;
        for (size_t i = 0; i < models[k]->count; i++) {
            const struct model_series *s = &models[k]->series[i];
            if (s->count == 0)
                continue;
            struct model_series *known =
                before > 0 ? bsearch(s, out->series, before, sizeof(*s), by_labels) : NULL;
            merge_samples(known != NULL ? known : model_add(out, s->labels), s);
        }
        model_sort(out);
    }
}

void model_delete(struct model *m, size_t i, struct interval gone)
{
    struct model_series *s = &m->series[i];
    size_t kept = 0;
    for (size_t k = 0; k < s->count; k++) {
        if (s->samples[k].ts_ms < gone.min_ms || s->samples[k].ts_ms > gone.max_ms)
            s->samples[kept++] = s->samples[k];
    }
    s->count = kept;
}

/* ---- Writing ---- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static str *all_symbols(const struct model *m, size_t *count)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < m->count; i++)
        n += 2 * m->series[i].labels.count;
    str *all = mem_resize(NULL, n, sizeof(*all));
    n = 0;
    for (size_t i = 0; i < m->count; i++) {
        for (size_t k = 0; k < m->series[i].labels.count; k++) {
            all[n++] = m->series[i].labels.items[k].name;
            all[n++] = m->series[i].labels.items[k].value;
        }
    }
    qsort(all, n, sizeof(*all), by_text);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !str_eq(all[kept - 1], all[i]))
            all[kept++] = all[i];
    }
    *count = kept;
    return all;
}

static err write_run(struct block_writer *w, const struct model_sample *s, size_t n)
{
    int64_t *ts = mem_resize(NULL, n, sizeof(*ts)), *starts = mem_resize(NULL, n, sizeof(*starts));
    double *values = mem_resize(NULL, n, sizeof(*values));
    const struct histogram **h = mem_resize(NULL, n, sizeof(*h));
    for (size_t i = 0; i < n; i++) {
        ts[i] = s[i].ts_ms;
        starts[i] = s[i].start_ms;
        values[i] = s[i].value;
        h[i] = s[i].histogram;
    }
    err e = s[0].histogram == NULL ? block_writer_floats(w, ts, values, starts, n)
                                   : block_writer_histograms(w, ts, h, starts, n);
    mem_free(ts);
    mem_free(starts);
    mem_free(values);
    mem_free((void *)h);
    return e;
}

static err write_series(struct block_writer *w, const struct model_series *s, const str *symbols,
                        size_t symbol_count)
{
    uint32_t pairs[128];
    for (size_t i = 0; i < s->labels.count; i++) {
        const struct label *l = &s->labels.items[i];
        pairs[2 * i] =
            (uint32_t)((str *)bsearch(&l->name, symbols, symbol_count, sizeof(str), by_text) -
                       symbols);
        pairs[2 * i + 1] =
            (uint32_t)((str *)bsearch(&l->value, symbols, symbol_count, sizeof(str), by_text) -
                       symbols);
    }
    TRY(block_writer_series(w, pairs, s->labels.count, labels_hash(s->labels, MODEL_LABEL_SEED)));
    for (size_t at = 0; at < s->count;) {
        size_t end = at + 1;
        while (end < s->count &&
               (s->samples[end].histogram == NULL) == (s->samples[at].histogram == NULL))
            end++;
        TRY(write_run(w, s->samples + at, end - at));
        at = end;
    }
    return OK;
}

err model_write(const struct model *m, struct fs *fs, const char *blocks_dir, ulid u,
                struct block_meta *meta, struct diag *d)
{
    struct block_writer_options o = {.ulid = u, .level = 1, .label_seed = MODEL_LABEL_SEED};
    struct block_writer *w;
    size_t count;
    TRY(block_writer_open(fs, blocks_dir, &o, &w, d));
    str *symbols = all_symbols(m, &count);
    err e = OK;
    for (size_t i = 0; i < count && e == OK; i++)
        e = block_writer_symbol(w, symbols[i]);
    for (size_t i = 0; i < m->count && e == OK; i++)
        e = write_series(w, &m->series[i], symbols, count);
    mem_free(symbols);
    if (e != OK) {
        block_writer_abort(w);
        return e;
    }
    return block_writer_finish(w, meta, d);
}

/* ---- Checking ---- */

struct check {
    const struct model *m;
    size_t series, sample; /* next expected */
};

static void skip_empty(struct check *k)
{
    while (k->series < k->m->count && k->sample == k->m->series[k->series].count) {
        k->series++;
        k->sample = 0;
    }
}

static err check_chunk(void *arg, const struct block_samples *s)
{
    struct check *k = arg;
    for (size_t i = 0; i < s->count; i++) {
        skip_empty(k);
        assert_true(k->series < k->m->count);
        const struct model_series *want = &k->m->series[k->series];
        const struct model_sample *x = &want->samples[k->sample++];
        assert_true(labels_eq(want->labels, s->labels));
        assert_int_equal(x->ts_ms, s->ts_ms[i]);
        assert_int_equal(x->start_ms, s->start_ts_ms != NULL ? s->start_ts_ms[i] : 0);
        if (x->histogram == NULL) {
            assert_non_null(s->values);
            assert_int_equal(f64_bits(x->value), f64_bits(s->values[i]));
        } else {
            assert_non_null(s->histograms);
            assert_true(histogram_eq(x->histogram, &s->histograms[i]));
        }
    }
    return OK;
}

err model_check_or_error(const struct model *m, struct block *b)
{
    struct check k = {m, 0, 0};
    struct diag d = {0};
    err e = block_dump(b, NULL, INT64_MIN, INT64_MAX, check_chunk, &k, &d);
    if (e == OK) {
        skip_empty(&k);
        assert_int_equal(k.series, m->count);
    } else {
        assert_non_null(strstr(d.text, "block "));
    }
    return e;
}

void model_check(const struct model *m, struct block *b)
{
    assert_int_equal(model_check_or_error(m, b), OK);
}

static void print_finding(void *arg, const char *text)
{
    print_error("%s: %s\n", (const char *)arg, text);
}

void model_verify(struct fs *fs, const char *dir)
{
    assert_int_equal(block_verify(fs, dir, print_finding, (void *)(uintptr_t)dir), OK);
}

const char *model_path(const char *blocks_dir, ulid u)
{
    static char path[4096];
    char name[ULID_TEXT_SIZE];
    ulid_format(u, name);
    (void)snprintf(path, sizeof(path), "%s/%s", blocks_dir, name);
    return path;
}
