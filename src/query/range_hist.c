/* range_hist.c -- rate() and its kin over histograms. */
#include "query/range_func.h"

static err no_memory(const struct range_mixed *m)
{
    return exec_memory_error(m->call->args->x, m->call->diag);
}

static bool is_gauge(const struct histogram *h)
{
    return h->reset_hint == RESET_GAUGE;
}

/* ---- the increase from the first to the last histogram of a window ---- */

/* Does the start time stamp of sample `i` tell a reset? */
static bool start_reset(const struct range_mixed *m, uint32_t i)
{
    const int64_t *st = m->starts, *ts = m->hist_windows->ts_ms;
    return st != NULL && start_is_reset(st[i - 1], ts[i - 1], st[i], ts[i]);
}

/* Is there a reset between sample `i` - 1 and `i`? Looked up for all samples at once, since windows
 * overlap. NULL over budget. */
static const bool *resets_of(struct range_mixed *m)
{
    const struct windows *w = m->hist_windows;
    if (m->derived != NULL)
        return m->derived;
    bool *reset = ARENA_ARRAY(m->call->scratch, bool, w->sample_count);
    for (uint32_t i = w->begin + 1; reset != NULL && i < w->end; i++)
        reset[i] = start_reset(m, i) || histogram_detect_reset(m->hists[i], m->hists[i - 1]);
    m->derived = reset;
    return reset;
}

struct increase { /* of one step */
    struct range_mixed *m;
    uint32_t first, last;         /* samples of the window */
    const struct histogram *from; /* the first one, or `empty` */
    struct histogram empty;
    bool is_counter;
    unsigned notes;
    struct histogram *result; /* NULL: none */
};

/* Where a reset follows the first sample, nothing of that one is looked at. */
static void skip_first(struct increase *in, const bool *reset)
{
    const struct histogram *second = in->m->hists[in->first + 1];
    in->from = in->m->hists[in->first];
    if (!in->is_counter || !reset[in->first + 1])
        return;
    in->empty = (struct histogram){.schema = second->schema,
                                   .custom_values = second->custom_values,
                                   .custom_count = second->custom_count};
    in->from = &in->empty;
}

/* The coarsest schema that counts, in *schema; false when buckets of both kinds meet. */
static bool common_schema(struct increase *in, int32_t *schema)
{
    const struct histogram *const *h = in->m->hists, *last = h[in->last];
    bool custom = histogram_is_custom(in->from);
    if (in->is_counter && (is_gauge(h[in->first]) || is_gauge(last)))
        in->notes |= NOTE_NOT_COUNTER;
    if (histogram_is_custom(last) != custom) {
        in->notes |= NOTE_MIXED_BUCKETS;
        return false;
    }
    *schema = MIN(last->schema, in->from->schema);
    for (uint32_t i = in->first + 1; i < in->last && in->is_counter; i++) {
        if (is_gauge(h[i]))
            in->notes |= NOTE_NOT_COUNTER;
        *schema = MIN(*schema, h[i]->schema);
        if (histogram_is_custom(h[i]) != custom) {
            in->notes = NOTE_MIXED_BUCKETS; /* upstream forgets the others here */
            return false;
        }
    }
    return true;
}

/* result += h or -= h. Kinds of buckets that differ leave no result. */
static err combine(struct increase *in, const struct histogram *h, bool add)
{
    struct histogram_notes notes = {0};
    err e = add ? histogram_add(in->result, h, in->m->work, &notes)
                : histogram_sub(in->result, h, in->m->work, &notes);
    if (notes.bounds_reconciled)
        in->notes |= add ? NOTE_RECONCILED_ADD : NOTE_RECONCILED_SUB;
    if (e != ERR_INVALID)
        return e;
    in->notes |= NOTE_MIXED_BUCKETS;
    in->result = NULL;
    return OK;
}

/* Starts that overlap the sample before are told once a step. */
static void note_overlap(struct increase *in)
{
    const int64_t *st = in->m->starts, *ts = in->m->hist_windows->ts_ms;
    for (uint32_t i = in->first + 1; st != NULL && i <= in->last; i++) {
        if (!start_overlaps(st[i - 1], ts[i - 1], st[i]))
            continue;
        in->notes |= NOTE_START_OVERLAP;
        ++*in->m->call->overlaps;
        return;
    }
}

/* Add what was counted before each reset. */
static err add_resets(struct increase *in, const bool *reset)
{
    const struct histogram *const *h = in->m->hists;
    if (in->from == &in->empty &&
        (start_reset(in->m, in->first + 1) || histogram_detect_reset(h[in->first + 1], in->from)))
        TRY(combine(in, in->from, true));
    for (uint32_t i = in->first + 2; i <= in->last; i++)
        if (reset[i])
            TRY(combine(in, h[i - 1], true));
    return OK;
}

static err find_increase(struct increase *in)
{
    const struct histogram *const *h = in->m->hists;
    const bool *reset = in->is_counter ? resets_of(in->m) : NULL;
    int32_t schema;
    if (in->is_counter && reset == NULL)
        return ERR_LIMIT;
    skip_first(in, reset);
    if (!common_schema(in, &schema))
        return OK;
    TRY(histogram_copy_to_schema(h[in->last], schema, in->m->work, &in->result));
    TRY(combine(in, in->from, false));
    if (in->is_counter) {
        note_overlap(in);
        TRY(add_resets(in, reset));
    } else if (!is_gauge(h[in->first]) || !is_gauge(h[in->last])) {
        in->notes |= NOTE_NOT_GAUGE;
    }
    in->result->reset_hint = RESET_GAUGE;
    return histogram_compact(in->result, in->m->work);
}

/* What the increase between the samples comes to over the whole range. */
static double extrapolation(const struct rate_steps *r, size_t k, double first_count,
                            const struct increase *in, double divisor)
{
    double to_start = r->to_start[k], sampled = r->sampled[k], count = in->result->count;
    if (in->is_counter && count > 0 && first_count >= 0) {
        double to_zero = sampled * (first_count / count);
        to_start = to_zero < to_start ? to_zero : to_start;
    }
    double factor = (sampled + to_start + r->to_end[k]) / sampled;
    return divisor > 0 ? factor / divisor : factor;
}

/* Where the start of the first sample lies in the range, what was counted since then is added and
 * nothing extrapolated to the left. */
static bool starts_within(const struct increase *in, size_t k)
{
    const struct range_func_args *a = in->m->call->args;
    int64_t start_ms = in->m->starts != NULL && in->is_counter ? in->m->starts[in->first] : 0;
    return start_ms != 0 && start_ms > range_end_ms(a, k) - range_length_ms(a) &&
           start_ms < in->m->hist_windows->ts_ms[in->first];
}

static err add_since_start(struct increase *in)
{
    const struct histogram *first = in->m->hists[in->first];
    if (in->first == in->last)
        return histogram_copy(first, in->m->work, &in->result);
    return in->result != NULL ? combine(in, first, true) : OK;
}

static double since_start(const struct rate_steps *r, size_t k, const struct increase *in,
                          double divisor)
{
    const int64_t *ts = in->m->hist_windows->ts_ms;
    double sampled = (double)(ts[in->last] - in->m->starts[in->first]) / 1000;
    double to_end = in->last > in->first ? r->to_end[k] : 0;
    double factor = (sampled + to_end) / sampled;
    return divisor > 0 ? factor / divisor : factor;
}

/* Samples and buckets that a step looks at. */
static uint64_t window_visits(const struct range_mixed *m, uint32_t first, uint32_t last)
{
    const struct histogram *h = m->hists[last];
    return (uint64_t)(last - first) + h->positive.bucket_count + h->negative.bucket_count;
}

static err extrapolated(struct range_mixed *m, size_t k, bool is_counter, double divisor)
{
    const struct windows *w = m->hist_windows;
    struct increase in = {
        .m = m, .first = w->lo[k], .last = w->hi[k] - 1, .is_counter = is_counter};
    struct range_call over_hists = *m->call;
    over_hists.w = m->hist_windows;
    const struct rate_steps *r = rate_steps(&over_hists, divisor);
    if (r == NULL)
        return no_memory(m);
    TRY(range_visit(m->call, window_visits(m, in.first, in.last)));
    bool since = starts_within(&in, k);
    if ((in.last > in.first && find_increase(&in) != OK) || (since && add_since_start(&in) != OK))
        return no_memory(m);
    *m->call->notes |= in.notes;
    if (in.result == NULL)
        return OK;
    double first_count = m->hists[in.first]->count;
    histogram_mul(in.result, since ? since_start(r, k, &in, divisor)
                                   : extrapolation(r, k, first_count, &in, divisor));
    return range_keep(m, k, in.result);
}

err step_rate(struct range_mixed *m, size_t k)
{
    return extrapolated(m, k, true, range_seconds(m->call->args));
}

err step_increase(struct range_mixed *m, size_t k)
{
    return extrapolated(m, k, true, 0);
}

err step_delta(struct range_mixed *m, size_t k)
{
    return extrapolated(m, k, false, 0);
}

/* ---- the last two samples ---- */

/* The newest samples of a window, taken from the end. */
struct newest {
    const struct windows *floats, *hists; /* floats: NULL when there are none */
    uint32_t floats_left, hists_left;
    size_t step;
};

/* Take one; false when there is none. *hist: the place of a histogram, or UINT32_MAX. */
static bool take_newest(struct newest *n, uint32_t *hist, int64_t *ts_ms)
{
    int64_t float_ms = 0, hist_ms = 0;
    if (n->floats_left > 0)
        float_ms = n->floats->ts_ms[n->floats->lo[n->step] + n->floats_left - 1];
    if (n->hists_left > 0)
        hist_ms = n->hists->ts_ms[n->hists->lo[n->step] + n->hists_left - 1];
    if (n->floats_left == 0 && n->hists_left == 0)
        return false;
    bool takes_hist = n->floats_left == 0 || (n->hists_left > 0 && hist_ms > float_ms);
    *ts_ms = takes_hist ? hist_ms : float_ms;
    *hist = takes_hist ? n->hists->lo[n->step] + --n->hists_left : UINT32_MAX;
    n->floats_left -= !takes_hist;
    return true;
}

/* The difference of histogram `i` and the one before it, in m->work; NULL when there is none. */
static err difference(struct range_mixed *m, uint32_t i, bool is_rate, struct histogram **out)
{
    const struct histogram *before = m->hists[i - 1], *h = m->hists[i];
    struct histogram_notes notes = {0};
    bool any_gauge = is_gauge(h) || is_gauge(before), both = is_gauge(h) && is_gauge(before);
    if (is_rate && any_gauge)
        *m->call->notes |= NOTE_NOT_COUNTER;
    if (!is_rate && !both)
        *m->call->notes |= NOTE_NOT_GAUGE;
    *out = NULL;
    struct histogram *d;
    TRY(histogram_copy(h, m->work, &d));
    if (!is_rate || !(start_reset(m, i) || histogram_detect_reset(h, before))) {
        err e = histogram_sub(d, before, m->work, &notes);
        if (e == ERR_INVALID) {
            *m->call->notes |= NOTE_MIXED_BUCKETS;
            return OK;
        }
        TRY(e);
    }
    if (notes.bounds_reconciled)
        *m->call->notes |= NOTE_RECONCILED_SUB;
    d->reset_hint = RESET_GAUGE;
    TRY(histogram_compact(d, m->work));
    *out = d;
    return OK;
}

static err step_instant(struct range_mixed *m, size_t k, bool is_rate)
{
    const struct windows *f = m->call->w, *h = m->hist_windows;
    struct newest n = {f, h, f != NULL ? f->hi[k] - f->lo[k] : 0, h->hi[k] - h->lo[k], k};
    uint32_t newer, older;
    int64_t newer_ms, older_ms;
    if (!take_newest(&n, &newer, &newer_ms) || !take_newest(&n, &older, &older_ms)) {
        m->call->out[k] = absent_value();
        return OK;
    }
    bool floats = newer == UINT32_MAX && older == UINT32_MAX;
    if (floats)
        return OK; /* their difference is there already */
    m->call->out[k] = absent_value();
    if (newer == UINT32_MAX || older == UINT32_MAX) {
        *m->call->notes |= NOTE_MIXED;
        return OK;
    }
    struct histogram *d;
    TRY(range_visit(m->call, window_visits(m, older, newer)));
    if (difference(m, newer, is_rate, &d) != OK)
        return no_memory(m);
    if (d == NULL)
        return OK;
    if (is_rate)
        histogram_div(d, (double)(newer_ms - older_ms) / 1000);
    return range_keep(m, k, d);
}

err step_irate(struct range_mixed *m, size_t k)
{
    return step_instant(m, k, true);
}

err step_idelta(struct range_mixed *m, size_t k)
{
    return step_instant(m, k, false);
}
