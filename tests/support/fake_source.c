/* fake_source.c -- see fake_source.h. */
#include "support/fake_source.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum { PAD = 8 };

struct fake_series {
    struct labels labels;
    int64_t *ts_ms;
    double *values;
    const struct histogram **hists; /* NULL entries: floats */
    int64_t *starts;                /* NULL: none */
    bool has_hists;
    size_t count, cap;
};

struct fake_store {
    struct arena arena;
    struct fake_series *series;
    size_t count, cap;
    size_t broken;
};

struct fake_selection {
    struct fake_store *store;
    size_t *series;
    size_t count;
};

struct fake_reader {
    struct fake_selection *selection;
    struct series_reader_stats stats; /* a chunk a series, 16 bytes a sample */
};

struct fake_store *fake_store_open(void)
{
    struct fake_store *s = mem_zalloc(1, sizeof(*s));
    arena_init(&s->arena, (size_t)1 << 32);
    s->broken = SIZE_MAX;
    return s;
}

void fake_store_close(struct fake_store *s)
{
    for (size_t i = 0; i < s->count; i++) {
        mem_free(s->series[i].ts_ms);
        mem_free(s->series[i].values);
        mem_free(s->series[i].hists);
        mem_free(s->series[i].starts);
    }
    mem_free(s->series);
    arena_fini(&s->arena);
    mem_free(s);
}

size_t fake_store_series_of(struct fake_store *s, struct labels labels)
{
    for (size_t i = 0; i < s->count; i++)
        if (labels_eq(s->series[i].labels, labels))
            return i;
    if (s->count == s->cap) {
        s->cap = s->cap > 0 ? 2 * s->cap : 16;
        s->series = mem_resize(s->series, s->cap, sizeof(*s->series));
    }
    struct fake_series *f = &s->series[s->count];
    *f = (struct fake_series){0};
    ASSERT(labels_copy(labels, &s->arena, &f->labels) == OK);
    return s->count++;
}

size_t fake_store_series(struct fake_store *s, ...)
{
    struct label items[64];
    size_t count = 0;
    va_list args;
    va_start(args, s);
    for (const char *name; (name = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        ASSERT(count < COUNT_OF(items));
        items[count++] = (struct label){str_from(name), str_from(value)};
    }
    va_end(args);
    count = labels_sort(items, count);
    return fake_store_series_of(s, (struct labels){items, count});
}

static void insert(struct fake_store *s, size_t series, int64_t ts_ms, double value,
                   const struct histogram *h)
{
    struct fake_series *f = &s->series[series];
    ASSERT(f->starts == NULL);
    if (f->count + PAD >= f->cap) {
        size_t old = f->cap;
        f->cap = f->cap > 0 ? 2 * f->cap : 32;
        f->ts_ms = mem_resize(f->ts_ms, f->cap, sizeof(*f->ts_ms));
        f->values = mem_resize(f->values, f->cap, sizeof(*f->values));
        f->hists = mem_resize(f->hists, f->cap, sizeof(*f->hists));
        for (size_t i = old; i < f->cap; i++) {
            f->ts_ms[i] = 0;
            f->values[i] = 0;
            f->hists[i] = NULL;
        }
    }
    size_t at = f->count;
    while (at > 0 && f->ts_ms[at - 1] >= ts_ms)
        at--;
    if (at == f->count || f->ts_ms[at] != ts_ms) {
        memmove(f->ts_ms + at + 1, f->ts_ms + at, (f->count - at) * sizeof(*f->ts_ms));
        memmove(f->values + at + 1, f->values + at, (f->count - at) * sizeof(*f->values));
        memmove(f->hists + at + 1, f->hists + at, (f->count - at) * sizeof(*f->hists));
        f->count++;
    }
    f->ts_ms[at] = ts_ms;
    f->values[at] = value;
    f->hists[at] = h;
    f->has_hists = f->has_hists || h != NULL;
}

void fake_store_add(struct fake_store *s, size_t series, int64_t ts_ms, double value)
{
    insert(s, series, ts_ms, value, NULL);
}

void fake_store_add_histogram(struct fake_store *s, size_t series, int64_t ts_ms,
                              const struct histogram *h)
{
    struct histogram *copy;
    ASSERT(histogram_copy(h, &s->arena, &copy) == OK);
    insert(s, series, ts_ms, 0, copy);
}

void fake_store_start(struct fake_store *s, size_t series, int64_t ts_ms, int64_t start_ts_ms)
{
    struct fake_series *f = &s->series[series];
    if (f->starts == NULL)
        f->starts = mem_zalloc(f->cap, sizeof(*f->starts));
    size_t at = 0;
    while (at < f->count && f->ts_ms[at] != ts_ms)
        at++;
    ASSERT(at < f->count);
    f->starts[at] = start_ts_ms;
}

size_t fake_store_count(const struct fake_store *s)
{
    return s->count;
}

struct labels fake_store_labels(const struct fake_store *s, size_t series)
{
    return s->series[series].labels;
}

struct series_columns fake_store_columns(struct fake_store *s, size_t series)
{
    const struct fake_series *f = &s->series[series];
    uint64_t id = hash64((slice){(const uint8_t *)f->ts_ms, f->count * sizeof(*f->ts_ms)}, 7);
    return (struct series_columns){
        id != 0 ? id : 1, f->ts_ms, f->values, f->has_hists ? f->hists : NULL, f->starts, f->count};
}

void fake_store_break(struct fake_store *s, size_t i)
{
    s->broken = i;
}

/* ---- struct query_source ---- */

static err fake_select(void *store, const struct db_select_args *args, struct arena *a,
                       struct selection **out, struct diag *d)
{
    (void)d;
    struct fake_store *s = store;
    struct fake_selection *sel = ARENA_NEW(a, struct fake_selection);
    if (sel == NULL)
        return ERR_LIMIT;
    sel->store = s;
    sel->series = ARENA_ARRAY(a, size_t, s->count + 1);
    if (sel->series == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < s->count; i++) {
        const struct fake_series *f = &s->series[i];
        if (f->count == 0 || f->ts_ms[0] > args->max_ms || f->ts_ms[f->count - 1] < args->min_ms)
            continue;
        if (matchers_match(args->matchers, args->matcher_count, f->labels))
            sel->series[sel->count++] = i;
    }
    *out = (struct selection *)sel;
    return OK;
}

static void fake_close(struct selection *s)
{
    (void)s;
}

static size_t fake_count(const struct selection *s)
{
    return ((const struct fake_selection *)s)->count;
}

static err fake_labels(struct selection *s, size_t i, struct labels *out)
{
    struct fake_selection *sel = (struct fake_selection *)s;
    *out = sel->store->series[sel->series[i]].labels;
    return OK;
}

static size_t fake_warnings(const struct selection *s, const str **out)
{
    (void)s;
    *out = NULL;
    return 0;
}

static err fake_reader_open(struct selection *s, struct arena *a, struct series_reader **out)
{
    struct fake_reader *r = ARENA_NEW(a, struct fake_reader);
    if (r == NULL)
        return ERR_LIMIT;
    r->selection = (struct fake_selection *)s;
    *out = (struct series_reader *)r;
    return OK;
}

static void fake_reader_close(struct series_reader *r)
{
    (void)r;
}

static err fake_read(struct series_reader *reader, size_t i, struct series_columns *out,
                     struct diag *d)
{
    struct fake_reader *r = (struct fake_reader *)reader;
    size_t series = r->selection->series[i];
    if (series == r->selection->store->broken)
        return diag_set(d, ERR_CORRUPT, "block of series %zu is damaged", series);
    *out = fake_store_columns(r->selection->store, series);
    r->stats.samples += out->count;
    r->stats.chunks++;
    r->stats.bytes += 16 * out->count;
    return OK;
}

static struct series_reader_stats fake_reader_stats(const struct series_reader *reader)
{
    return ((const struct fake_reader *)reader)->stats;
}

const struct query_source FAKE_SOURCE = {
    .select = fake_select,
    .close = fake_close,
    .count = fake_count,
    .labels = fake_labels,
    .warnings = fake_warnings,
    .reader_open = fake_reader_open,
    .reader_close = fake_reader_close,
    .read = fake_read,
    .reader_stats = fake_reader_stats,
};
