/* promql_reference_aggregate.c -- aggregations: group by group, member by member. */
#include "base/assert.h"
#include "base/number.h"
#include "support/promql_reference_priv.h"

struct group {
    struct ref_query *q;
    const struct expr_aggregate *a;
    double param;
    const struct ref_sample **members;
    size_t count;
    size_t pos;
    struct labels labels;
};

static void warn_mixed(const struct group *g)
{
    ref_warn(g->q, g->pos, "encountered a mix of histograms and floats for aggregation");
}

static size_t floats_of(const struct group *g, double *v)
{
    size_t n = 0;
    for (size_t i = 0; i < g->count; i++)
        if (g->members[i]->hist == NULL)
            v[n++] = g->members[i]->value;
    return n;
}

static void info_ignored(const struct group *g, size_t pos)
{
    ref_info(g->q, pos, "ignored histogram in %s aggregation", agg_op_text(g->a->op));
}

/* ---- sum and avg ---- */

static void warn_kinds(const struct group *g, const struct ref_sample *misfit)
{
    ref_warn(g->q, g->pos,
             "vector contains a mix of histograms with exponential and custom buckets schemas for "
             "metric name %s",
             ref_name(g->q, misfit->labels));
}

static void tell_hints(const struct group *g)
{
    bool reset = false, not_reset = false;
    for (size_t i = 0; i < g->count; i++) {
        reset = reset || g->members[i]->hist->hint == RESET_YES;
        not_reset = not_reset || g->members[i]->hist->hint == RESET_NO;
    }
    if (reset && not_reset)
        ref_warn(g->q, g->pos, "conflicting counter resets during histogram aggregation");
}

/* Of histograms alone, whose buckets are of one kind. */
static struct ref_hist *sum_hists(const struct group *g)
{
    struct ref_hist *sum = ref_hist_copy(g->q, g->members[0]->hist);
    bool running = false, reconciled = false;
    for (size_t i = 1; i < g->count; i++) {
        struct ref_hist *more = ref_hist_copy(g->q, g->members[i]->hist);
        struct ref_hist *to = ref_hist_copy(g->q, sum);
        struct ref_added added;
        double n = (double)i + 1;
        if (!running) {
            ref_hist_add(g->q, to, more, REF_KAHAN_ADD, &added);
            reconciled = reconciled || added.bounds_reconciled;
            if (g->a->op == AGG_SUM || !ref_hist_overflows(to)) {
                sum = to;
                continue;
            }
            running = true;
            ref_hist_scale(sum, n - 1, true);
        }
        ref_hist_scale(more, n, true);
        ref_hist_scale(sum, (n - 1) / n, false);
        ref_hist_add(g->q, sum, more, REF_KAHAN_ADD, &added);
        reconciled = reconciled || added.bounds_reconciled;
    }
    if (g->a->op == AGG_AVG && !running)
        ref_hist_scale(sum, (double)g->count, true);
    ref_hist_settle(sum);
    ref_hist_compact(sum);
    if (reconciled)
        ref_info(g->q, g->pos, "mismatched custom buckets were reconciled during aggregation");
    return sum;
}

/* Floats and histograms of both kinds: which are told of depends on the order of the series, and
 * that of results over several steps is anyone's. */
static bool is_told_at_will(const struct group *g)
{
    bool floats = false, kinds[2] = {false, false};
    for (size_t i = 0; i < g->count; i++) {
        const struct ref_hist *h = g->members[i]->hist;
        floats = floats || h == NULL;
        if (h != NULL)
            kinds[ref_hist_is_custom(h)] = true;
    }
    struct ref_steps steps = ref_steps(g->q);
    return floats && kinds[0] && kinds[1] && steps.start_ms < steps.end_ms;
}

static const struct ref_sample *misfit_of(const struct group *g)
{
    const struct ref_sample *first = NULL;
    for (size_t i = 0; i < g->count; i++) {
        const struct ref_sample *m = g->members[i];
        if (first != NULL && m->hist != NULL &&
            ref_hist_is_custom(m->hist) != ref_hist_is_custom(first->hist))
            return m;
        first = first == NULL && m->hist != NULL ? m : first;
    }
    return NULL;
}

/* A group that begins with a histogram: what comes after one whose buckets are of the other kind is
 * not looked at. */
static bool sum_from_hist(const struct group *g, struct ref_sample *out)
{
    struct group hists = *g;
    const struct ref_hist *first = g->members[0]->hist;
    bool floats = false, fits = true;
    hists.members = ARENA_ARRAY(g->q->arena, const struct ref_sample *, g->count);
    hists.count = 0;
    for (size_t i = 0; i < g->count && fits; i++) {
        const struct ref_sample *m = g->members[i];
        floats = floats || m->hist == NULL;
        if (m->hist == NULL)
            continue;
        fits = ref_hist_is_custom(m->hist) == ref_hist_is_custom(first);
        if (fits)
            hists.members[hists.count++] = m;
        else
            warn_kinds(g, m);
    }
    out->hist = sum_hists(&hists);
    if (floats)
        warn_mixed(g);
    if (floats || !fits)
        return false;
    tell_hints(&hists);
    return true;
}

static bool sum_or_average(const struct group *g, struct ref_sample *out)
{
    double *v = ARENA_ARRAY(g->q->arena, double, g->count), sum, c = 0;
    size_t n = floats_of(g, v);
    if (is_told_at_will(g)) {
        ref_note_may(g->q, true);
        warn_mixed(g);
        warn_kinds(g, misfit_of(g));
        ref_note_may(g->q, false);
        return false;
    }
    if (g->members[0]->hist != NULL)
        return sum_from_hist(g, out);
    if (n < g->count) {
        warn_mixed(g);
        return false;
    }
    sum = v[0];
    for (size_t i = 1; i < n; i++)
        ref_inc(v[i], &sum, &c);
    out->value = g->a->op == AGG_AVG ? ref_average(v, n) : sum + c;
    return true;
}

/* ---- one value a group ---- */

static double deviation(const double *v, size_t n, bool root)
{
    double mean = v[0], squares = isfinite(v[0]) ? 0 : (double)NAN;
    for (size_t i = 1; i < n; i++) {
        double delta = v[i] - mean;
        mean += delta / (double)(i + 1);
        squares += delta * (v[i] - mean);
    }
    return root ? sqrt(squares / (double)n) : squares / (double)n;
}

static double extreme(const double *v, size_t n, bool max)
{
    double best = v[0];
    for (size_t i = 0; i < n; i++)
        if ((max ? v[i] > best : v[i] < best) || isnan(best))
            best = v[i];
    return best;
}

static bool of_floats(const struct group *g, struct ref_sample *out)
{
    double *v = ARENA_ARRAY(g->q->arena, double, g->count);
    size_t n = floats_of(g, v);
    if (n < g->count)
        info_ignored(g, g->pos);
    if (n == 0)
        return false;
    if (g->a->op == AGG_QUANTILE)
        out->value = ref_quantile(g->q, g->param, v, n);
    else if (g->a->op == AGG_MIN || g->a->op == AGG_MAX)
        out->value = extreme(v, n, g->a->op == AGG_MAX);
    else
        out->value = deviation(v, n, g->a->op == AGG_STDDEV);
    return true;
}

static void aggregate_one(const struct group *g, struct ref_vector *out)
{
    struct ref_sample s = {.labels = g->labels};
    bool any = true;
    for (size_t i = 0; i < g->count; i++)
        s.drop_name = s.drop_name || g->members[i]->drop_name;
    if (g->a->op == AGG_SUM || g->a->op == AGG_AVG)
        any = sum_or_average(g, &s);
    else if (g->a->op == AGG_COUNT || g->a->op == AGG_GROUP)
        s.value = g->a->op == AGG_COUNT ? (double)g->count : 1;
    else
        any = of_floats(g, &s);
    if (any)
        ref_put(out, s);
}

/* ---- some members of a group ---- */

/* The k largest or smallest, best first; NaN comes last. */
static void pick_best(const struct group *g, struct ref_vector *out)
{
    bool top = g->a->op == AGG_TOPK, *taken = ARENA_ARRAY(g->q->arena, bool, g->count + 1);
    size_t k = g->param >= (double)g->count ? g->count : (size_t)g->param;
    for (; k > 0; k--) {
        const struct ref_sample *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i < g->count; i++) {
            const struct ref_sample *s = g->members[i];
            if (taken[i] || s->hist != NULL)
                continue;
            if (best == NULL || (isnan(best->value) && !isnan(s->value)) ||
                (top ? s->value > best->value : s->value < best->value)) {
                best = s;
                at = i;
            }
        }
        if (best == NULL)
            return;
        taken[at] = true;
        ref_put(out, *best);
    }
}

static void pick_some(const struct group *g, size_t pos, struct ref_vector *out)
{
    for (size_t i = 0; i < g->count; i++) {
        double r = g->param > 1 ? 1 : g->param < -1 ? -1 : g->param;
        const struct ref_sample *s = g->members[i];
        double offset = g->a->op == AGG_LIMIT_RATIO ? ref_hash_offset(s->labels) : 0;
        if (g->a->op == AGG_LIMITK ? (double)i < floor(g->param)
                                   : r != 0 && (r > 0 ? offset < r : offset >= 1.0 + r))
            ref_put(out, *s);
    }
    (void)pos;
}

static void pick_members(const struct group *g, size_t pos, struct ref_vector *out)
{
    bool best = g->a->op == AGG_TOPK || g->a->op == AGG_BOTTOMK;
    if (g->a->op != AGG_LIMIT_RATIO && g->param < 1)
        return;
    for (size_t i = 0; i < g->count && best; i++)
        if (g->members[i]->hist != NULL)
            info_ignored(g, pos);
    if (best)
        pick_best(g, out);
    else
        pick_some(g, pos, out);
}

/* ---- parameters ---- */

/* The values of a parameter over all steps of its expression. */
struct ref_params {
    const struct expr *param;
    double low, high; /* NaN if any is */
    struct ref_params *next;
};

static const struct ref_params *params_of(struct ref_query *q, const struct expr *param)
{
    struct ref_params *p = q->params;
    struct ref_steps steps = ref_steps(q);
    while (p != NULL && p->param != param)
        p = p->next;
    if (p != NULL)
        return p;
    p = ARENA_NEW(q->arena, struct ref_params);
    *p = (struct ref_params){.param = param, .low = INFINITY, .high = -INFINITY};
    for (int64_t t = steps.start_ms; t <= steps.end_ms && q->error[0] == 0; t += steps.step_ms) {
        double v = ref_scalar(q, param, t);
        p->low = isnan(v) || v < p->low ? v : p->low;
        p->high = isnan(v) || v > p->high ? v : p->high;
    }
    p->next = q->params;
    return q->params = p;
}

static void warn_quantile(struct ref_query *q, double v, bool odd, size_t pos)
{
    if (odd || isnan(v))
        ref_warn(q, pos, "quantile value should be between 0 and 1, got %s", ref_number(q, v));
}

static void warn_ratio(struct ref_query *q, double v, double cap, size_t pos)
{
    ref_warn(q, pos, "ratio value should be between -1 and 1, got %s, capping to %s",
             ref_number(q, v), ref_number(q, cap));
}

/* What is wrong with a parameter at any step; of many values the most extreme are told. */
static void check_param(struct ref_query *q, const struct expr_aggregate *a)
{
    size_t pos = a->param->start;
    const struct ref_params *p = params_of(q, a->param);
    if (a->op == AGG_QUANTILE) {
        warn_quantile(q, p->low, p->low < 0, pos);
        warn_quantile(q, p->high, p->high > 1, pos);
    } else if (a->op == AGG_LIMIT_RATIO) {
        if (isnan(p->low))
            ref_fail(q, "Ratio value is NaN");
        if (p->high > 1)
            warn_ratio(q, p->high, 1, pos);
        if (p->low < -1)
            warn_ratio(q, p->low, -1, pos);
    } else if (isnan(p->low)) {
        ref_fail(q, "Parameter value is NaN");
    } else if (p->high >= 1 && p->low <= -9223372036854775808.0) {
        ref_fail(q, "Scalar value %s underflows int64", ref_number(q, p->low));
    } else if (p->high >= 9223372036854774784.0) {
        ref_fail(q, "Scalar value %s overflows int64", ref_number(q, p->high));
    }
}

/* ---- count_values ---- */

static str text_of(struct ref_query *q, const struct ref_sample *s)
{
    char text[NUMBER_SIZE_MAX];
    struct buf b = {0};
    if (s->hist == NULL)
        return arena_str(q->arena, (str){text, number_format_f(s->value, text)});
    ref_hist_format(s->hist, &b);
    str out = arena_str(q->arena, buf_str(&b));
    buf_fini(&b);
    return out;
}

static struct labels group_labels(struct ref_query *q, const struct expr_aggregate *a,
                                  struct labels ls)
{
    return ref_keep(q, ls, a->grouping, !a->without, a->without);
}

static struct ref_vector count_values(struct ref_query *q, const struct expr_aggregate *a,
                                      struct ref_vector in)
{
    struct ref_vector out = ref_room(q, in.count);
    str label = ref_unwrap(a->param)->string;
    for (size_t i = 0; i < in.count; i++) {
        struct labels ls = group_labels(q, a, in.items[i].labels);
        if (!(a->without && ref_listed(a->grouping, label)))
            ls = ref_set(q, ls, label, text_of(q, &in.items[i]));
        size_t at = 0;
        while (at < out.count && !labels_eq(out.items[at].labels, ls))
            at++;
        if (at == out.count)
            ref_put(&out, (struct ref_sample){.labels = ls});
        out.items[at].value++;
    }
    return out;
}

struct ref_vector ref_aggregate(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_aggregate *a = &e->aggregate;
    if (a->op == AGG_COUNT_VALUES)
        return count_values(q, a, ref_eval(q, a->expr, t));
    double p = a->param != NULL ? ref_scalar(q, a->param, t) : 0;
    struct ref_vector in = ref_eval(q, a->expr, t), out = ref_room(q, in.count);
    if (a->param != NULL)
        check_param(q, a);
    bool *done = ARENA_ARRAY(q->arena, bool, in.count + 1);
    struct group g = {.q = q, .a = a, .param = p, .pos = a->expr->start};
    g.members = ARENA_ARRAY(q->arena, const struct ref_sample *, in.count + 1);
    for (size_t i = 0; i < in.count; i++) {
        g.labels = group_labels(q, a, in.items[i].labels);
        g.count = 0;
        for (size_t j = i; j < in.count; j++) {
            if (done[j] || !labels_eq(g.labels, group_labels(q, a, in.items[j].labels)))
                continue;
            done[j] = true;
            g.members[g.count++] = &in.items[j];
        }
        bool picks = a->op == AGG_TOPK || a->op == AGG_BOTTOMK || a->op == AGG_LIMITK ||
                     a->op == AGG_LIMIT_RATIO;
        if (g.count > 0 && picks)
            pick_members(&g, e->start, &out);
        else if (g.count > 0)
            aggregate_one(&g, &out);
    }
    return out;
}
