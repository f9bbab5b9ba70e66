/* unit_test_input.c -- input_series: read whole, written up to the time of each evaluation. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/histogram_math.h"
#include "query/series_notation.h"
#include "rules/unit_test_priv.h"

enum { WRITE_ROWS_MAX = 4096 };

static int by_labels(const void *a, const void *b)
{
    const struct unit_series *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

/* Of series with equal labels keep the last. */
static size_t drop_repeated(struct unit_series *items, size_t count)
{
    size_t kept = 0;
    qsort(items, count, sizeof(*items), by_labels);
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || !labels_eq(items[i].labels, items[i + 1].labels))
            items[kept++] = items[i];
    return kept;
}

static err read_one(const struct rule_test_series *s, struct arena *a, struct unit_series *out,
                    struct diag *d)
{
    struct series_notation n;
    struct buf text = {0};
    buf_put_str(&text, s->series);
    buf_put_u8(&text, ' ');
    buf_put_str(&text, s->values);
    err e = series_notation_parse(buf_str(&text), a, &n, d);
    buf_fini(&text);
    if (e != OK)
        return e;
    out->labels = n.labels;
    out->places = n.places;
    out->count = n.count;
    return OK;
}

err unit_input_read(const struct rule_test *t, struct arena *a, struct unit_input *out,
                    struct diag *d)
{
    *out = (struct unit_input){.start_ms = t->start_ms, .interval_ms = t->interval_ms};
    out->items = ARENA_ARRAY(a, struct unit_series, t->series_count + 1);
    if (out->items == NULL)
        return diag_set(d, ERR_LIMIT, "the series of the test need too much memory");
    for (size_t i = 0; i < t->series_count; i++) {
        out->items[i].order = i;
        TRY(read_one(&t->series[i], a, &out->items[i], d));
    }
    out->count = drop_repeated(out->items, t->series_count);
    return OK;
}

struct writing {
    const struct rule_appender *append;
    struct rule_sample *rows;     /* WRITE_ROWS_MAX */
    struct histogram *histograms; /* of these rows, with the hints that are told */
    size_t count;
};

static err flush(struct writing *w, struct diag *d)
{
    struct rule_appended done = {0};
    if (w->count == 0)
        return OK;
    TRY(w->append->append(w->append->arg, w->rows, w->count, &done, d));
    w->count = 0;
    return done.any_refused ? diag_set(d, ERR_ORDER, "%s", db_refusal_text(done.last)) : OK;
}

static bool same_bounds(const struct histogram *a, const struct histogram *b)
{
    return a->custom_count == b->custom_count &&
           (a->custom_count == 0 ||
            memcmp(a->custom_values, b->custom_values, a->custom_count * sizeof(double)) == 0);
}

/* What upstream's store tells of a counter that a test gives: it writes a new chunk where one was
 * reset or is not like the one before, and forgets what it was told of resets. So those that follow
 * within a chunk are known not to be, and of the first ones nothing is known. */
static uint8_t told_hint(const struct histogram *h, const struct histogram *before)
{
    if (h->reset_hint == RESET_GAUGE)
        return RESET_GAUGE;
    bool follows = before != NULL && before->reset_hint != RESET_GAUGE &&
                   before->is_float == h->is_float && before->schema == h->schema &&
                   before->zero_threshold == h->zero_threshold && same_bounds(h, before) &&
                   !histogram_is_stale(before) && !histogram_detect_reset(h, before);
    return follows ? RESET_NO : RESET_UNKNOWN;
}

static err write_place(struct writing *w, struct unit_series *s, int64_t ts_ms, struct diag *d)
{
    const struct series_place *p = &s->places[s->next];
    struct histogram *h = &w->histograms[w->count];
    const struct histogram *before = s->before;
    if (p->empty)
        return OK;
    s->before = p->histogram;
    if (s->labels.count == 0)
        return diag_set(d, ERR_INVALID, "empty labelset: invalid sample");
    if (p->histogram != NULL) {
        TRY(histogram_check(p->histogram, d));
        *h = *p->histogram;
        h->reset_hint = told_hint(p->histogram, before);
    }
    w->rows[w->count++] = (struct rule_sample){.labels = s->labels,
                                               .ts_ms = ts_ms,
                                               .value = p->value,
                                               .histogram = p->histogram != NULL ? h : NULL};
    return w->count == WRITE_ROWS_MAX ? flush(w, d) : OK;
}

/* Series by series: an evaluation often meets one sample of each, and each is in order. */
static err write_all(struct unit_input *in, int64_t ts_ms, struct writing *w, struct diag *d)
{
    for (size_t i = 0; i < in->count; i++) {
        struct unit_series *s = &in->items[i];
        for (; s->next < s->count; s->next++) {
            int64_t at_ms;
            if (__builtin_mul_overflow((int64_t)s->next, in->interval_ms, &at_ms) ||
                __builtin_add_overflow(at_ms, in->start_ms, &at_ms) || at_ms > ts_ms)
                break;
            TRY(write_place(w, s, at_ms, d));
        }
    }
    return flush(w, d);
}

err unit_input_write(struct unit_input *in, int64_t ts_ms, const struct rule_appender *append,
                     struct diag *d)
{
    struct writing w = {.append = append,
                        .rows = mem_alloc(WRITE_ROWS_MAX * sizeof(*w.rows)),
                        .histograms = mem_alloc(WRITE_ROWS_MAX * sizeof(*w.histograms))};
    err e = write_all(in, ts_ms, &w, d);
    mem_free(w.rows);
    mem_free(w.histograms);
    return e;
}
