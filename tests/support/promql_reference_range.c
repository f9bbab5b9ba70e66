/* promql_reference_range.c -- rate() and its kin, plain, anchored, smoothed; floats and histograms.
 */
#include "base/assert.h"
#include "support/promql_reference_priv.h"

static bool is_rate(const struct ref_over *o)
{
    return o->id == FUNC_RATE;
}

static bool is_counter(const struct ref_over *o)
{
    return o->id != FUNC_DELTA && o->id != FUNC_IDELTA;
}

static double range_seconds(const struct ref_over *o)
{
    int64_t ms = o->all->range_ms;
    return (double)(ms / 1000) + (double)(ms % 1000 * 1000000) / 1e9;
}

static int64_t range_start(const struct ref_over *o)
{
    return o->all->end_ms - o->all->range_ms;
}

static const char *name_of(const struct ref_over *o)
{
    return ref_name(o->q, o->w->labels);
}

static void warn_mixed(const struct ref_over *o)
{
    ref_warn(o->q, o->pos, "encountered a mix of histograms and floats for metric name %s",
             name_of(o));
}

static void warn_schemas(const struct ref_over *o)
{
    ref_warn(o->q, o->pos,
             "vector contains a mix of histograms with exponential and custom buckets schemas for "
             "metric name %s",
             name_of(o));
}

static void warn_not_counter(const struct ref_over *o)
{
    ref_warn(o->q, o->pos, "this native histogram metric is not a counter: %s", name_of(o));
}

static void warn_not_gauge(const struct ref_over *o)
{
    ref_warn(o->q, o->pos, "this native histogram metric is not a gauge: %s", name_of(o));
}

/* a +- b with what is to be told about it; false: they do not go together. */
static bool add_telling(const struct ref_over *o, struct ref_hist *a, const struct ref_hist *b,
                        bool subtract)
{
    struct ref_added added;
    if (!ref_hist_add(o->q, a, b, subtract ? REF_SUBTRACT : REF_ADD, &added)) {
        warn_schemas(o);
        return false;
    }
    if (added.bounds_reconciled)
        ref_info(o->q, o->pos, "mismatched custom buckets were reconciled during %s",
                 subtract ? "subtraction" : "addition");
    return true;
}

/* ---- start timestamps ---- */

static int64_t start_of(const struct ref_over *o, const struct ref_point *p)
{
    return o->q->start_timestamps ? p->start_ms : 0;
}

static bool start_reset(const struct ref_over *o, const struct ref_point *before,
                        const struct ref_point *now)
{
    int64_t start = start_of(o, now), old = start_of(o, before);
    if (start == 0 || start >= now->ts_ms || start < before->ts_ms)
        return false;
    if (start > before->ts_ms)
        return true;
    return old <= before->ts_ms && old != 0 && old != before->ts_ms;
}

static void warn_overlap(const struct ref_over *o, const struct ref_point *p, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int64_t start = start_of(o, &p[i]);
        if (start == 0 || start >= p[i - 1].ts_ms || start == start_of(o, &p[i - 1]))
            continue;
        ref_warn(o->q, o->pos,
                 "sample has start time that overlaps with previous sample timestamp for metric %s",
                 name_of(o));
        return;
    }
}

/* ---- rate(), increase(), delta() ---- */

static double float_growth(const struct ref_over *o, const struct ref_point *p, size_t n)
{
    double result = p[n - 1].value - p[0].value;
    for (size_t i = 1; i < n && is_counter(o); i++)
        if (p[i].value < p[i - 1].value || start_reset(o, &p[i - 1], &p[i]))
            result += p[i - 1].value;
    return result;
}

/* The samples between first and last; what was found out about gauges is told only when all go
 * together. */
static bool check_kinds(const struct ref_over *o, const struct ref_point *p, size_t n, bool custom,
                        int *schema, bool *gauges)
{
    for (size_t i = 1; i + 1 < n && is_counter(o); i++) {
        *gauges = *gauges || p[i].hist->hint == RESET_GAUGE;
        if (p[i].hist->schema < *schema)
            *schema = p[i].hist->schema;
        if (ref_hist_is_custom(p[i].hist) != custom) {
            warn_schemas(o);
            return false;
        }
    }
    if (*gauges)
        warn_not_counter(o);
    return true;
}

static struct ref_hist *hist_growth(const struct ref_over *o, const struct ref_point *p, size_t n)
{
    const struct ref_hist *last = p[n - 1].hist, *first = p[0].hist;
    bool gauges = is_counter(o) && (first->hint == RESET_GAUGE || last->hint == RESET_GAUGE);
    if (is_counter(o) &&
        (start_reset(o, &p[0], &p[1]) || ref_hist_is_reset(o->q, p[1].hist, first))) {
        struct ref_hist *none = ARENA_NEW(o->q->arena, struct ref_hist);
        none->schema = p[1].hist->schema;
        none->bounds = p[1].hist->bounds;
        none->bound_count = p[1].hist->bound_count;
        first = none;
    }
    int schema = last->schema < first->schema ? last->schema : first->schema;
    if (ref_hist_is_custom(first) != ref_hist_is_custom(last)) {
        if (gauges)
            warn_not_counter(o);
        warn_schemas(o);
        return NULL;
    }
    if (!check_kinds(o, p, n, ref_hist_is_custom(first), &schema, &gauges))
        return NULL;
    struct ref_hist *h = ref_hist_copy(o->q, last);
    ref_hist_reduce(o->q, h, schema);
    if (!add_telling(o, h, first, true))
        return NULL;
    for (size_t i = 1; i < n && is_counter(o); i++) {
        const struct ref_hist *before = i == 1 ? first : p[i - 1].hist;
        if ((start_reset(o, &p[i - 1], &p[i]) || ref_hist_is_reset(o->q, p[i].hist, before)) &&
            !add_telling(o, h, before, false))
            return NULL;
    }
    if (!is_counter(o) && (p[0].hist->hint != RESET_GAUGE || last->hint != RESET_GAUGE))
        warn_not_gauge(o);
    h->hint = RESET_GAUGE;
    ref_hist_compact(h);
    return h;
}

struct growth {
    double value;          /* of floats */
    struct ref_hist *hist; /* of histograms; NULL: floats, or a single one */
    double first;          /* first value, or count of the first histogram */
    double count;          /* what `first` is compared with */
};

/* By how much the growth between the samples is multiplied to be that of the range. */
static double stretch(const struct ref_over *o, const struct ref_point *p, size_t n, double sampled,
                      double to_start, const struct growth *g, bool from_start)
{
    double gap = n > 1 ? (double)(p[n - 1].ts_ms - p[0].ts_ms) / 1000 / (double)(n - 1) : 0;
    double threshold = gap * 1.1;
    double to_end = (double)(o->all->end_ms - p[n - 1].ts_ms) / 1000;
    if (!from_start && to_start >= threshold)
        to_start = gap / 2;
    if (!from_start && is_counter(o) && g->count > 0 && g->first >= 0) {
        double to_zero = sampled * (g->first / g->count);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    if (to_end >= threshold)
        to_end = gap / 2;
    return sampled != 0 ? (sampled + to_start + to_end) / sampled : 1.0;
}

static bool plain_rate(const struct ref_over *o, struct ref_sample *out)
{
    bool hist = o->w->h_count > 0;
    const struct ref_point *p = hist ? o->w->h : o->w->f;
    size_t n = hist ? o->w->h_count : o->w->f_count;
    struct growth g = {0};
    if (hist && n > 1 && (g.hist = hist_growth(o, p, n)) == NULL)
        return false;
    if (!hist)
        g.value = float_growth(o, p, n);
    if (is_counter(o))
        warn_overlap(o, p, n);
    int64_t start = start_of(o, &p[0]);
    double sampled = (double)(p[n - 1].ts_ms - p[0].ts_ms) / 1000;
    double to_start = (double)(p[0].ts_ms - range_start(o)) / 1000;
    bool from_start = is_counter(o) && start != 0 && start > range_start(o) && start < p[0].ts_ms;
    if (n == 1 && !from_start)
        return false;
    g.first = hist ? p[0].hist->count : p[0].value;
    if (from_start) {
        to_start = 0;
        sampled = (double)(p[n - 1].ts_ms - start) / 1000;
        g.value += hist ? 0 : p[0].value;
        if (hist && g.hist == NULL)
            g.hist = ref_hist_copy(o->q, p[0].hist);
        else if (hist && !add_telling(o, g.hist, p[0].hist, false))
            return false;
    }
    g.count = hist ? g.hist->count : g.value;
    double factor = stretch(o, p, n, sampled, to_start, &g, from_start);
    if (is_rate(o))
        factor /= range_seconds(o);
    out->value = g.value * factor;
    if (hist)
        ref_hist_scale(g.hist, factor, false);
    out->hist = g.hist;
    return true;
}

/* ---- anchored and smoothed ---- */

double ref_interpolate(const struct ref_point *a, const struct ref_point *b, int64_t t,
                       bool counter)
{
    double y1 = counter && b->value < a->value ? 0 : a->value;
    return y1 + (b->value - y1) * (double)(t - a->ts_ms) / (double)(b->ts_ms - a->ts_ms);
}

const struct ref_hist *ref_interpolate_hist(struct ref_query *q, const struct ref_point *a,
                                            const struct ref_point *b, int64_t t, bool counter,
                                            size_t pos)
{
    double part = (double)(t - a->ts_ms) / (double)(b->ts_ms - a->ts_ms);
    struct ref_hist *h = ref_hist_copy(q, b->hist);
    struct ref_added added;
    if (t == a->ts_ms)
        return a->hist;
    if (t == b->ts_ms)
        return h;
    if (counter && ref_hist_is_reset(q, b->hist, a->hist)) {
        ref_hist_scale(h, part, false);
        return h;
    }
    if (!ref_hist_add(q, h, a->hist, REF_SUBTRACT, &added))
        return NULL;
    if (added.bounds_reconciled)
        ref_info(q, pos, "mismatched custom buckets were reconciled during subtraction");
    ref_hist_scale(h, part, false);
    if (!ref_hist_add(q, h, a->hist, REF_ADD, &added))
        return NULL;
    if (added.bounds_reconciled)
        ref_info(q, pos, "mismatched custom buckets were reconciled during addition");
    return h;
}

struct reach { /* which samples count */
    size_t first, last;
};

/* From the newest sample at or before the range's start to the last one, for `smoothed` the first
 * at or behind its end. */
static bool find_reach(const struct ref_over *o, const struct ref_point *p, size_t n,
                       struct reach *r)
{
    int64_t from = range_start(o), to = o->all->end_ms;
    r->first = 0;
    r->last = n - 1;
    for (size_t i = 0; i + 1 < n && p[i].ts_ms <= from; i++)
        if (i + 1 == n - 1 || p[i + 1].ts_ms > from)
            r->first = i;
    if (o->all->smoothed) {
        r->last = 0;
        while (r->last < n - 1 && p[r->last].ts_ms < to)
            r->last++;
    }
    return p[r->last].ts_ms > from && !(o->all->smoothed && p[r->first].ts_ms > to);
}

static bool extended_floats(const struct ref_over *o, struct ref_sample *out)
{
    const struct ref_point *p = o->w->f;
    struct reach r;
    bool smoothed = o->all->smoothed, counter = is_counter(o);
    int64_t from = range_start(o), to = o->all->end_ms;
    if (!find_reach(o, p, o->w->f_count, &r))
        return false;
    double left = p[r.first].value, right = p[r.last].value;
    if (smoothed && p[r.first].ts_ms < from)
        left = ref_interpolate(&p[r.first], &p[r.first + 1], from, counter);
    if (smoothed && r.last > 0 && p[r.last].ts_ms > to)
        right = ref_interpolate(&p[r.last - 1], &p[r.last], to, counter);
    double lost = 0, before = left;
    for (size_t i = r.first; i <= r.last && counter; i++) {
        if ((i == r.first && p[i].ts_ms <= from) || (i == r.last && p[i].ts_ms >= to))
            continue; /* the ends are `left` and `right` */
        if (p[i].value < before)
            lost += before;
        before = p[i].value;
    }
    if (counter && right < before)
        lost += before;
    out->value = right - left;
    if (counter)
        out->value += lost;
    if (is_rate(o))
        out->value /= range_seconds(o);
    return true;
}

static bool check_extended(const struct ref_over *o, const struct reach *r)
{
    bool custom = ref_hist_is_custom(o->w->h[r->first].hist);
    for (size_t i = r->first; i <= r->last; i++) {
        if (ref_hist_is_custom(o->w->h[i].hist) != custom) {
            warn_schemas(o);
            return false;
        }
        if (is_counter(o) && o->w->h[i].hist->hint == RESET_GAUGE)
            warn_not_counter(o);
    }
    return true;
}

/* What resets between the ends have lost; false: it does not go together. */
static bool extended_lost(const struct ref_over *o, const struct reach *r,
                          const struct ref_hist *left, const struct ref_hist *right,
                          struct ref_hist **lost)
{
    const struct ref_point *p = o->w->h;
    const struct ref_hist *before = left;
    size_t i = r->first + 1;
    *lost = NULL;
    if (o->all->smoothed && p[r->first].ts_ms < range_start(o) &&
        ref_hist_is_reset(o->q, p[r->first + 1].hist, p[r->first].hist)) {
        before = p[r->first + 1].hist;
        i++;
    }
    if (i > r->last)
        return true;
    for (; i <= r->last; i++) {
        const struct ref_hist *now = i == r->last ? right : p[i].hist;
        if (ref_hist_is_reset(o->q, now, before)) {
            if (*lost == NULL)
                *lost = ref_hist_copy(o->q, before);
            else if (!add_telling(o, *lost, before, false))
                return false;
        }
        before = now;
    }
    return true;
}

static bool extended_hists(const struct ref_over *o, struct ref_sample *out)
{
    const struct ref_point *p = o->w->h;
    struct reach r;
    bool smoothed = o->all->smoothed, counter = is_counter(o);
    int64_t from = range_start(o), to = o->all->end_ms;
    if (!find_reach(o, p, o->w->h_count, &r) || !check_extended(o, &r))
        return false;
    const struct ref_hist *left = p[r.first].hist, *right = p[r.last].hist;
    if (smoothed && p[r.first].ts_ms < from)
        left = ref_interpolate_hist(o->q, &p[r.first], &p[r.first + 1], from, counter, o->pos);
    if (smoothed && r.last > 0 && p[r.last].ts_ms > to)
        right = ref_interpolate_hist(o->q, &p[r.last - 1], &p[r.last], to, counter, o->pos);
    if (left == NULL || right == NULL) {
        warn_schemas(o);
        return false;
    }
    if (!counter && (left->hint != RESET_GAUGE || right->hint != RESET_GAUGE))
        warn_not_gauge(o);
    struct ref_hist *h = ref_hist_copy(o->q, right), *lost = NULL;
    if (!add_telling(o, h, left, true))
        return false;
    if (counter && !extended_lost(o, &r, left, right, &lost))
        return false;
    if (lost != NULL && !add_telling(o, h, lost, false))
        return false;
    if (is_rate(o))
        ref_hist_scale(h, range_seconds(o), true);
    h->hint = RESET_GAUGE;
    ref_hist_compact(h);
    out->hist = h;
    return true;
}

/* ---- irate(), idelta() ---- */

static bool instant_hists(const struct ref_over *o, const struct ref_point *a,
                          const struct ref_point *b, struct ref_sample *out)
{
    bool rate = o->id == FUNC_IRATE;
    struct ref_hist *h = ref_hist_copy(o->q, b->hist);
    bool gauges = a->hist->hint == RESET_GAUGE || b->hist->hint == RESET_GAUGE;
    bool both = a->hist->hint == RESET_GAUGE && b->hist->hint == RESET_GAUGE;
    if (rate && gauges)
        warn_not_counter(o);
    if (!rate && !both)
        warn_not_gauge(o);
    bool reset = rate && (start_reset(o, a, b) || ref_hist_is_reset(o->q, b->hist, a->hist));
    if (!reset && !add_telling(o, h, a->hist, true))
        return false;
    h->hint = RESET_GAUGE;
    ref_hist_compact(h);
    if (rate)
        ref_hist_scale(h, (double)(b->ts_ms - a->ts_ms) / 1000, true);
    out->hist = h;
    return true;
}

static bool instant_rate(const struct ref_over *o, struct ref_sample *out)
{
    const struct ref_window *w = o->w;
    struct ref_point last[2];
    size_t f = w->f_count, h = w->h_count, n = 0;
    if (f + h < 2)
        return false;
    while (n < 2) { /* the newest two of both kinds */
        bool hist = f == 0 || (h > 0 && w->h[h - 1].ts_ms > w->f[f - 1].ts_ms);
        last[1 - n++] = hist ? w->h[--h] : w->f[--f];
    }
    const struct ref_point *a = &last[0], *b = &last[1];
    if ((a->hist == NULL) != (b->hist == NULL)) {
        warn_mixed(o);
        return false;
    }
    if (a->hist != NULL)
        return instant_hists(o, a, b, out);
    bool rate = o->id == FUNC_IRATE;
    out->value =
        rate && (b->value < a->value || start_reset(o, a, b)) ? b->value : b->value - a->value;
    if (rate)
        out->value /= (double)(b->ts_ms - a->ts_ms) / 1000;
    return true;
}

/* ---- resets(), changes() ---- */

/* Of an anchored range: samples at or before its start count but for the newest. */
static bool skip_before(const struct ref_over *o, size_t *f, size_t *h)
{
    const struct ref_window *w = o->w;
    int64_t from = range_start(o);
    size_t nf = 0, nh = 0;
    while (nf < w->f_count && w->f[nf].ts_ms <= from)
        nf++;
    while (nh < w->h_count && w->h[nh].ts_ms <= from)
        nh++;
    if (nf == w->f_count && nh == w->h_count)
        return false;
    bool of_floats = nf > 0 && (nh == 0 || w->f[nf - 1].ts_ms >= w->h[nh - 1].ts_ms);
    *f = of_floats ? nf - 1 : nf;
    *h = !of_floats && nh > 0 ? nh - 1 : nh;
    return true;
}

static bool is_event(const struct ref_over *o, const struct ref_point *a, const struct ref_point *b)
{
    if ((a->hist == NULL) != (b->hist == NULL))
        return true;
    if (o->id == FUNC_CHANGES) {
        if (a->hist != NULL)
            return !ref_hist_equal(a->hist, b->hist);
        return a->value != b->value && !(isnan(a->value) && isnan(b->value));
    }
    if (start_reset(o, a, b))
        return true;
    return a->hist != NULL ? ref_hist_is_reset(o->q, b->hist, a->hist) : b->value < a->value;
}

static bool events(const struct ref_over *o, struct ref_sample *out)
{
    const struct ref_window *w = o->w;
    size_t f = 0, h = 0;
    const struct ref_point *before = NULL;
    if (o->all->anchored && !skip_before(o, &f, &h))
        return false;
    out->value = 0;
    while (f < w->f_count || h < w->h_count) {
        bool hist = f == w->f_count || (h < w->h_count && w->h[h].ts_ms < w->f[f].ts_ms);
        const struct ref_point *now = hist ? &w->h[h++] : &w->f[f++];
        if (before != NULL)
            out->value += is_event(o, before, now);
        before = now;
    }
    return true;
}

bool ref_rate_call(const struct ref_over *o, struct ref_sample *out)
{
    if (o->id == FUNC_CHANGES || o->id == FUNC_RESETS)
        return events(o, out);
    if (o->id == FUNC_IRATE || o->id == FUNC_IDELTA)
        return instant_rate(o, out);
    if (o->w->f_count > 0 && o->w->h_count > 0) {
        warn_mixed(o);
        return false;
    }
    if (o->all->anchored || o->all->smoothed)
        return o->w->h_count > 0 ? extended_hists(o, out) : extended_floats(o, out);
    return plain_rate(o, out);
}
