/* fold_hist.c -- sums and averages of histograms in groups, a cell a step.
 *
 * Upstream looks at the members of a group one by one: what comes after a histogram that does not
 * fit is not looked at, and a group that begins with a float never adds histograms. Cells keep
 * enough to tell the same of a group that was folded in parts, joined in order: a part that begins
 * with a float may follow one that does not, so its histograms are added all the same. */
#include <math.h>

#include "query/aggregate.h"

enum { NO_SERIES = UINT32_MAX };

struct hist_cell {
    struct histogram_sum sum; /* value NULL: no histogram */
    double count;             /* in `sum`, which is the mean when `running` */
    uint32_t first, misfit;   /* series of the first histogram and of one with other buckets */
    unsigned hints;           /* 1 << enum histogram_reset, of all in `sum` */
    bool begins_with_float;
    bool has_float, has_hist, running, reconciled;
};

static bool float_at(const struct accumulator *acc, size_t k)
{
    return acc->n != NULL ? acc->n[k] != 0 : !is_absent(acc->a[k]);
}

static bool make_cells(struct accumulator *acc, size_t steps, struct arena *a)
{
    if (acc->cells != NULL)
        return true;
    acc->cells = ARENA_ARRAY(a, struct hist_cell, steps);
    for (size_t k = 0; acc->cells != NULL && k < steps; k++) {
        acc->cells[k].misfit = NO_SERIES;
        acc->cells[k].has_float = acc->cells[k].begins_with_float = float_at(acc, k);
    }
    return acc->cells != NULL;
}

/* ---- one histogram ---- */

/* Counts that sums of a few thousand cannot bring to infinity. */
static bool any_huge(const double *v, uint32_t count)
{
    static const double HUGE_COUNT = 0x1p1000;
    bool any = false;
    for (uint32_t i = 0; i < count; i++)
        any |= fabs(v[i]) > HUGE_COUNT;
    return any;
}

static bool is_huge(const struct histogram *h)
{
    double fields[] = {h->count, h->sum, h->zero_count};
    return any_huge(fields, COUNT_OF(fields)) ||
           any_huge(h->positive.counts, h->positive.bucket_count) ||
           any_huge(h->negative.counts, h->negative.bucket_count);
}

static err cell_add(struct hist_cell *c, const struct histogram *h, struct arena *a)
{
    struct histogram_notes notes = {0};
    err e = histogram_sum_add(&c->sum, h, a, &notes);
    c->reconciled = c->reconciled || notes.bounds_reconciled;
    return e;
}

/* The sum becomes a mean, into which means are worked. */
static void make_running(struct hist_cell *c)
{
    if (!c->running)
        histogram_sum_div(&c->sum, c->count);
    c->running = true;
}

/* One more value of an average; a sum that would overflow is a mean from here on. */
static err cell_average(struct hist_cell *c, const struct histogram *h, struct arena *a)
{
    struct histogram_sum before;
    double n = c->count + 1;
    if (!c->running) {
        bool unsure = is_huge(c->sum.value) || is_huge(h);
        if (unsure)
            TRY(histogram_sum_copy(&c->sum, a, &before));
        TRY(cell_add(c, h, a));
        if (!unsure || !histogram_has_overflow(c->sum.value)) {
            c->count = n;
            return OK;
        }
        c->sum = before;
    }
    make_running(c);
    struct histogram *part;
    TRY(histogram_copy(h, a, &part));
    histogram_div(part, n);
    histogram_sum_mul(&c->sum, c->count / n);
    c->count = n;
    return cell_add(c, part, a);
}

static err cell_take(struct hist_cell *c, const struct histogram *h, uint32_t series, bool average,
                     struct arena *a)
{
    if (c->misfit != NO_SERIES)
        return OK;
    if (!c->has_hist) {
        c->has_hist = true;
        c->first = series;
        c->count = 1;
        c->hints = 1u << h->reset_hint;
        return histogram_sum_init(&c->sum, h, a);
    }
    c->hints |= 1u << h->reset_hint;
    err e = average ? cell_average(c, h, a) : cell_add(c, h, a);
    if (e != ERR_INVALID)
        return e;
    c->misfit = series;
    return OK;
}

/* ---- rows ---- */

bool fold_hist_add(enum agg_op op, struct accumulator *acc, const struct histogram *const *hists,
                   size_t steps, uint32_t series, struct arena *a)
{
    if (!make_cells(acc, steps, a))
        return false;
    for (size_t k = 0; k < steps; k++)
        if (hists[k] != NULL && cell_take(&acc->cells[k], hists[k], series, op == AGG_AVG, a) != OK)
            return false;
    return true;
}

void fold_hist_floats(struct accumulator *acc, const double *values, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        struct hist_cell *c = &acc->cells[k];
        if (is_absent(values[k]) || c->misfit != NO_SERIES)
            continue;
        c->begins_with_float = c->begins_with_float || !c->has_hist;
        c->has_float = true;
    }
}

/* ---- parts of a group ---- */

static err join_averages(struct hist_cell *c, struct hist_cell *from, struct arena *a,
                         struct histogram_notes *notes)
{
    double all = c->count + from->count;
    if (!c->running && !from->running) {
        struct histogram_sum before;
        TRY(histogram_sum_copy(&c->sum, a, &before));
        TRY(histogram_sum_join(&c->sum, &from->sum, a, notes));
        if (!histogram_has_overflow(c->sum.value)) {
            c->count = all;
            return OK;
        }
        c->sum = before;
    }
    make_running(c);
    make_running(from);
    histogram_sum_mul(&c->sum, c->count / all);
    histogram_sum_mul(&from->sum, from->count / all);
    c->count = all;
    return histogram_sum_join(&c->sum, &from->sum, a, notes);
}

/* Add a part that came after `c`. */
static err cell_join(struct hist_cell *c, struct hist_cell *from, bool average, struct arena *a)
{
    if (!c->has_float && !c->has_hist) {
        *c = *from;
        return OK;
    }
    if (c->misfit != NO_SERIES || from->sum.value == NULL || c->sum.value == NULL) {
        if (c->misfit == NO_SERIES)
            c->has_float = c->has_float || from->has_float;
        if (c->sum.value == NULL) /* it begins with a float, so these come to nothing */
            c->has_hist = c->has_hist || from->has_hist;
        return OK;
    }
    struct histogram_notes notes = {0};
    err e = average ? join_averages(c, from, a, &notes)
                    : histogram_sum_join(&c->sum, &from->sum, a, &notes);
    if (e == ERR_INVALID) { /* the first histogram of the part does not fit */
        c->misfit = from->first;
        c->has_float = c->has_float || from->begins_with_float;
        return OK;
    }
    c->hints |= from->hints;
    c->reconciled = c->reconciled || from->reconciled || notes.bounds_reconciled;
    c->misfit = from->misfit;
    c->has_float = c->has_float || from->has_float;
    return e;
}

bool fold_hist_merge(enum agg_op op, struct accumulator *acc, struct accumulator *from,
                     size_t steps, struct arena *a)
{
    if (acc->cells == NULL && from->cells == NULL)
        return true;
    if (!make_cells(acc, steps, a) || !make_cells(from, steps, a))
        return false;
    for (size_t k = 0; k < steps; k++)
        if (cell_join(&acc->cells[k], &from->cells[k], op == AGG_AVG, a) != OK)
            return false;
    return true;
}

/* ---- results ---- */

/* What is to be told of a cell; whether it gives a histogram. */
static err cell_tell(const struct hist_cell *c, const struct hist_finish *f, bool *gives)
{
    struct annotations *a = &f->x->annotations;
    bool adds = !c->begins_with_float;
    *gives = false;
    if (c->reconciled && adds)
        annotate_info(a, f->pos, ANNOTATE_RECONCILED "aggregation");
    if (c->misfit != NO_SERIES && adds) {
        struct labels ls;
        struct buf quoted = {0};
        TRY(f->labels_of(f->source, c->misfit, &ls));
        annotate_warning(a, f->pos, ANNOTATE_MIXED_BUCKETS " for metric name %s",
                         annotation_quote(&quoted, labels_get(ls, LABEL_NAME)));
        buf_fini(&quoted);
    }
    if (c->has_float && c->has_hist) {
        annotate_warning(a, f->pos, "encountered a mix of histograms and floats for aggregation");
        return OK;
    }
    unsigned both = 1u << RESET_YES | 1u << RESET_NO;
    if (c->misfit != NO_SERIES || c->sum.value == NULL)
        return OK;
    if ((c->hints & both) == both)
        annotate_warning(a, f->pos, ANNOTATE_CONFLICTING_RESETS "aggregation");
    *gives = true;
    return OK;
}

static err cell_finish(struct hist_cell *c, bool average, struct arena *a)
{
    struct histogram_notes notes = {0};
    if (average && !c->running)
        histogram_sum_div(&c->sum, c->count);
    TRY(histogram_sum_finish(&c->sum, a, &notes));
    return histogram_compact(c->sum.value, a);
}

err fold_hist_finish(const struct hist_finish *f, struct accumulator *acc, struct row *out,
                     size_t steps, struct arena *a)
{
    out->hists = arena_zalloc(a, steps + ROW_PAD, sizeof(*out->hists));
    if (out->hists == NULL)
        return exec_memory_error(f->x, f->x->diag);
    for (size_t k = 0; k < steps; k++) {
        struct hist_cell *c = &acc->cells[k];
        struct histogram *copy;
        bool gives;
        if (!c->has_hist)
            continue;
        TRY(cell_tell(c, f, &gives));
        out->values[k] = absent_value();
        if (!gives)
            continue;
        if (cell_finish(c, f->op == AGG_AVG, a) != OK ||
            histogram_copy(c->sum.value, a, &copy) != OK)
            return exec_memory_error(f->x, f->x->diag);
        out->hists[k] = copy;
    }
    return OK;
}
