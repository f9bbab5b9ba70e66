/* promql_reference_estimate.c -- quantiles, fractions, averages of histograms, classic and native;
 * histograms trimmed. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/number.h"
#include "support/promql_reference_priv.h"

/* ---- classic ---- */

struct classic {
    double upper, count;
};

struct classic_fix { /* what had to be done to make counts grow */
    bool forced;
};

static int by_upper(const void *a, const void *b)
{
    const struct classic *x = a, *y = b;
    return (x->upper > y->upper) - (x->upper < y->upper);
}

static size_t coalesce(struct classic *b, size_t n)
{
    size_t at = 0;
    for (size_t i = 1; i < n; i++) {
        if (b[i].upper == b[at].upper)
            b[at].count += b[i].count;
        else
            b[++at] = b[i];
    }
    return at + 1;
}

static bool almost(double a, double b, double tolerance)
{
    if ((isnan(a) && isnan(b)) || a == b)
        return true;
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return diff < tolerance * DBL_MIN;
    return diff / fmin(sum, DBL_MAX) < tolerance;
}

static bool make_grow(struct classic *b, size_t n)
{
    double before = b[0].count;
    bool forced = false;
    for (size_t i = 1; i < n; i++) {
        if (b[i].count == before)
            continue;
        if (almost(before, b[i].count, 1e-12)) {
            b[i].count = before;
        } else if (b[i].count < before) {
            b[i].count = before;
            forced = true;
        } else {
            before = b[i].count;
        }
    }
    return forced;
}

static double classic_quantile(double phi, struct classic *b, size_t n, bool *forced)
{
    *forced = false;
    if (isnan(phi))
        return (double)NAN;
    if (phi < 0 || phi > 1)
        return phi < 0 ? -(double)INFINITY : (double)INFINITY;
    qsort(b, n, sizeof(*b), by_upper);
    if (b[n - 1].upper != (double)INFINITY)
        return (double)NAN;
    n = coalesce(b, n);
    *forced = make_grow(b, n);
    if (n < 2 || b[n - 1].count == 0)
        return (double)NAN;
    double rank = phi * b[n - 1].count;
    size_t low = 0, high = n - 1;
    while (low < high) { /* bisected: with NaN among the counts it matters */
        size_t mid = (low + high) / 2;
        if (b[mid].count >= rank)
            high = mid;
        else
            low = mid + 1;
    }
    if (low == n - 1)
        return b[n - 2].upper;
    if (low == 0 && b[0].upper <= 0)
        return b[0].upper;
    if (low == 0)
        return 0 + (b[0].upper - 0) * (rank / b[0].count);
    double start = b[low - 1].upper, below = b[low - 1].count;
    return start + (b[low].upper - start) * ((rank - below) / (b[low].count - below));
}

static double classic_fraction(double lower, double upper, struct classic *b, size_t n)
{
    qsort(b, n, sizeof(*b), by_upper);
    if (b[n - 1].upper != (double)INFINITY)
        return (double)NAN;
    n = coalesce(b, n);
    double all = b[n - 1].count, bounds[2] = {lower, upper}, ranks[2];
    if (all == 0 || isnan(lower) || isnan(upper))
        return (double)NAN;
    if (lower >= upper)
        return 0;
    for (int k = 0; k < 2; k++) {
        double rank = 0, from = b[0].upper <= 0 ? -(double)INFINITY : 0, v = bounds[k];
        bool set = false;
        for (size_t i = 0; i < n && !set; i++) {
            from = i > 0 ? b[i - 1].upper : from;
            if (from >= v) {
                ranks[k] = rank;
                set = true;
            } else if (b[i].upper > v) {
                ranks[k] = isinf(from)
                               ? b[i].count
                               : rank + (b[i].count - rank) * (v - from) / (b[i].upper - from);
                set = true;
            }
            rank = b[i].count;
        }
        if (!set || ranks[k] > all)
            ranks[k] = all;
    }
    return (ranks[1] - ranks[0]) / all;
}

/* ---- native ---- */

static bool has(const struct ref_hist *h, int side)
{
    return h->side[side].count > 0;
}

/* A zero bucket beside buckets of one sign alone is taken to hold that sign. */
static void cut_zero(const struct ref_hist *h, struct ref_span *s)
{
    if (!has(h, REF_NEGATIVE) && has(h, REF_POSITIVE))
        s->lower = 0;
    else if (!has(h, REF_POSITIVE) && has(h, REF_NEGATIVE))
        s->upper = 0;
}

static double between(const struct ref_hist *h, const struct ref_span *s, double part)
{
    if (ref_hist_is_custom(h) || (s->lower <= 0 && s->upper >= 0))
        return s->lower + (s->upper - s->lower) * part;
    double low = ref_log2(fabs(s->lower)), high = ref_log2(fabs(s->upper));
    if (s->lower > 0)
        return ref_exp2(low + (high - low) * part);
    return -ref_exp2(high + (low - high) * (1 - part));
}

static double native_quantile(struct ref_query *q, double phi, const struct ref_hist *h,
                              struct labels ls, size_t pos)
{
    struct ref_span *all, s = {0};
    size_t n = ref_hist_spans(q, h, &all), seen = 0;
    if (phi < 0 || phi > 1)
        return phi < 0 ? -(double)INFINITY : (double)INFINITY;
    if (h->count == 0 || isnan(phi))
        return (double)NAN;
    bool forward = isnan(h->sum) || phi < 0.5;
    double rank = (forward ? phi : 1 - phi) * h->count, count = 0;
    while (seen < n) {
        s = all[forward ? seen : n - 1 - seen];
        seen++;
        if (s.count == 0)
            continue;
        count += s.count;
        if (count >= rank)
            break;
    }
    if (!ref_hist_is_custom(h) && s.lower < 0 && s.upper > 0) {
        cut_zero(h, &s);
    } else if (ref_hist_is_custom(h) && s.lower == -(double)INFINITY) {
        if (s.upper <= 0)
            return s.upper;
        s.lower = 0;
    } else if (ref_hist_is_custom(h) && s.upper == (double)INFINITY) {
        return s.lower;
    }
    if (count > h->count)
        count = h->count;
    if (count < rank) {
        if (!isnan(h->sum))
            return s.upper;
        ref_info(q, pos, "input to histogram_quantile has NaN observations, result is NaN%s",
                 ref_for_name(q, ls));
        return (double)NAN;
    }
    rank = forward ? rank - (count - s.count) : count - rank;
    if (isnan(h->sum)) {
        double total = count;
        while (seen < n)
            total += all[seen++].count;
        if (total < h->count)
            ref_info(q, pos,
                     "input to histogram_quantile has NaN observations, result is skewed higher%s",
                     ref_for_name(q, ls));
    }
    return between(h, &s, rank / s.count);
}

static double rank_within(const struct ref_hist *h, const struct ref_span *s, double rank, double v,
                          bool zero)
{
    if (ref_hist_is_custom(h) || zero) {
        if (s->lower == -(double)INFINITY)
            return s->count;
        return rank + s->count * (v - s->lower) / (s->upper - s->lower);
    }
    double low = ref_log2(fabs(s->lower)), high = ref_log2(fabs(s->upper)), at = ref_log2(fabs(v)),
           part;
    part = v > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
    return rank + s->count * part;
}

static double native_fraction(struct ref_query *q, double lower, double upper,
                              const struct ref_hist *h, struct labels ls, size_t pos)
{
    struct ref_span *all;
    size_t n = ref_hist_spans(q, h, &all);
    double bounds[2] = {lower, upper}, ranks[2], total = 0;
    if (h->count == 0 || isnan(lower) || isnan(upper))
        return (double)NAN;
    if (lower >= upper)
        return 0;
    for (size_t i = 0; i < n; i++)
        total += all[i].count;
    if (isnan(h->sum) && total < h->count)
        ref_info(q, pos,
                 "input to histogram_fraction has NaN observations, which are excluded from all "
                 "fractions%s",
                 ref_for_name(q, ls));
    if (!isnan(h->sum))
        total = h->count;
    for (int k = 0; k < 2; k++) {
        double rank = 0, v = bounds[k];
        bool set = false;
        for (size_t i = 0; i < n && !set; i++) {
            struct ref_span s = all[i];
            bool zero = s.lower <= 0 && s.upper >= 0;
            if (zero)
                cut_zero(h, &s);
            set = s.lower >= v || s.upper > v;
            if (set)
                ranks[k] = s.lower >= v ? rank : rank_within(h, &s, rank, v, zero);
            rank += s.count;
        }
        if (!set || ranks[k] > total)
            ranks[k] = total;
    }
    return (ranks[1] - ranks[0]) / h->count;
}

static double native_variance(struct ref_query *q, const struct ref_hist *h)
{
    struct ref_span *s;
    size_t n = ref_hist_spans(q, h, &s);
    double mean = h->sum / h->count, sum = 0, c = 0;
    for (size_t i = 0; i < n; i++) {
        double v = 0;
        if (s[i].count == 0)
            continue;
        if (ref_hist_is_custom(h)) {
            v = (s[i].upper + s[i].lower) / 2.0;
        } else if (!(s[i].lower <= 0 && s[i].upper >= 0)) {
            v = sqrt(s[i].upper * s[i].lower);
            v = s[i].upper < 0 ? -v : v;
        }
        double delta = v - mean;
        ref_inc(s[i].count * delta * delta, &sum, &c);
    }
    return (sum + c) / h->count;
}

/* ---- one histogram after the other ---- */

static bool is_of_one(enum func_id id)
{
    return id == FUNC_HISTOGRAM_COUNT || id == FUNC_HISTOGRAM_SUM || id == FUNC_HISTOGRAM_AVG ||
           id == FUNC_HISTOGRAM_STDDEV || id == FUNC_HISTOGRAM_STDVAR;
}

bool ref_is_hist_call(enum func_id id)
{
    return is_of_one(id) || id == FUNC_HISTOGRAM_QUANTILE || id == FUNC_HISTOGRAM_QUANTILES ||
           id == FUNC_HISTOGRAM_FRACTION;
}

static double of_one(struct ref_query *q, enum func_id id, const struct ref_hist *h)
{
    switch ((int)id) {
    case FUNC_HISTOGRAM_COUNT:
        return h->count;
    case FUNC_HISTOGRAM_SUM:
        return h->sum;
    case FUNC_HISTOGRAM_AVG:
        return h->sum / h->count;
    case FUNC_HISTOGRAM_STDVAR:
        return native_variance(q, h);
    default:
        return sqrt(native_variance(q, h));
    }
}

static struct ref_vector hists_one_by_one(struct ref_query *q, const struct expr_call *c, int64_t t)
{
    struct ref_vector in = ref_eval(q, c->args[0], t), out = ref_room(q, in.count);
    const str name[] = {LABEL_NAME};
    for (size_t i = 0; i < in.count; i++) {
        struct ref_sample s = in.items[i];
        if (s.hist == NULL)
            continue;
        s.value = of_one(q, c->func->id, s.hist);
        s.hist = NULL;
        s.drop_name = q->delayed_name_removal;
        if (!q->delayed_name_removal) /* and neither __type__ nor __unit__ */
            s.labels = ref_keep(q, s.labels, (struct label_list){name, 1}, false, false);
        ref_put(&out, s);
    }
    ref_check_step(q, out);
    return out;
}

/* ---- quantiles and fractions ---- */

struct estimate {
    struct ref_query *q;
    enum func_id id;
    double args[2]; /* phi; or lower, upper */
    size_t pos;     /* of the vector, where most warnings are */
    str label;      /* of histogram_quantiles() */
};

static bool drop_name_of(const struct estimate *x, struct ref_sample *s)
{
    ref_drop_name(x->q, s);
    return true;
}

static void put_estimate(const struct estimate *x, struct ref_vector *out, struct ref_sample s,
                         double value)
{
    char text[NUMBER_SIZE_MAX + 4];
    s.value = value;
    s.hist = NULL;
    if (x->id == FUNC_HISTOGRAM_QUANTILES) {
        size_t n = number_format_g(x->args[0], text);
        str written = {text, n};
        bool whole = true;
        for (size_t i = 0; i < n; i++)
            whole = whole && (text[i] == '-' || (text[i] >= '0' && text[i] <= '9'));
        if (whole) {
            memcpy(text + n, ".0", 2);
            written.len += 2;
        }
        s.labels = ref_set(x->q, s.labels, x->label, arena_str(x->q->arena, written));
    }
    ref_put(out, s);
}

static void estimate_native(const struct estimate *x, struct ref_sample s, struct ref_vector *out)
{
    const struct ref_hist *h = s.hist;
    drop_name_of(x, &s);
    double v = x->id == FUNC_HISTOGRAM_FRACTION
                   ? native_fraction(x->q, x->args[0], x->args[1], h, s.labels, x->pos)
                   : native_quantile(x->q, x->args[0], h, s.labels, x->pos);
    put_estimate(x, out, s, v);
}

static void estimate_classic(const struct estimate *x, struct ref_sample s, struct classic *b,
                             size_t n, struct ref_vector *out)
{
    bool forced = false;
    struct ref_query *q = x->q;
    double v = x->id == FUNC_HISTOGRAM_FRACTION ? classic_fraction(x->args[0], x->args[1], b, n)
                                                : classic_quantile(x->args[0], b, n, &forced);
    if (forced)
        ref_info(q, x->pos, "input to histogram_quantile needed to be fixed for monotonicity%s",
                 q->delayed_name_removal ? ref_for_name(q, s.labels) : "");
    drop_name_of(x, &s);
    put_estimate(x, out, s, v);
}

/* The classic histogram that sample `i` is the first bucket of; 0 when it is none. */
static size_t gather(const struct estimate *x, struct ref_vector in, size_t i, bool *done,
                     struct classic *b, struct labels *group)
{
    static const str le[] = {{"le", 2}};
    size_t n = 0;
    *group = ref_keep(x->q, in.items[i].labels, (struct label_list){le, 1}, false, false);
    for (size_t j = i; j < in.count; j++) {
        double upper;
        struct labels ls = in.items[j].labels;
        struct labels other = ref_keep(x->q, ls, (struct label_list){le, 1}, false, false);
        if (done[j] || in.items[j].hist != NULL || !labels_eq(*group, other))
            continue;
        done[j] = true;
        if (number_parse_f64(labels_get(ls, STR("le")), false, &upper) == OK)
            b[n++] = (struct classic){upper, in.items[j].value};
    }
    return n;
}

static void warn_bad_buckets(const struct estimate *x, struct ref_vector in)
{
    for (size_t i = 0; i < in.count; i++) {
        double upper;
        str le = labels_get(in.items[i].labels, STR("le"));
        if (in.items[i].hist != NULL || number_parse_f64(le, false, &upper) == OK)
            continue;
        ref_warn(x->q, x->pos, "bucket label \"le\" is missing or has a malformed value of %s%s",
                 ref_quote(x->q, le),
                 x->q->delayed_name_removal ? ref_for_name(x->q, in.items[i].labels) : "");
    }
}

static void estimate_all(const struct estimate *x, struct ref_vector in, struct ref_vector *out)
{
    bool *done = ARENA_ARRAY(x->q->arena, bool, in.count + 1);
    struct classic *b = ARENA_ARRAY(x->q->arena, struct classic, in.count + 1);
    warn_bad_buckets(x, in);
    for (size_t i = 0; i < in.count; i++) {
        struct ref_sample s = in.items[i];
        size_t twin = SIZE_MAX;
        if (done[i] || s.hist != NULL)
            continue;
        size_t n = gather(x, in, i, done, b, &s.labels);
        for (size_t j = 0; j < in.count && n > 0; j++)
            if (in.items[j].hist != NULL && labels_eq(in.items[j].labels, s.labels))
                twin = j;
        if (twin != SIZE_MAX) {
            ref_warn(x->q, x->pos, "vector contains a mix of classic and native histograms%s",
                     x->q->delayed_name_removal ? ref_for_name(x->q, s.labels) : "");
            done[twin] = true;
        } else if (n > 0) {
            estimate_classic(x, s, b, n, out);
        }
    }
    for (size_t i = 0; i < in.count; i++)
        if (in.items[i].hist != NULL && !done[i])
            estimate_native(x, in.items[i], out);
}

static size_t arg_start(const struct expr_call *c, size_t i)
{
    return ref_unwrap(c->args[i])->start;
}

static void warn_odd(struct ref_query *q, double phi, size_t pos)
{
    if (ref_quantile_is_odd(phi))
        ref_warn(q, pos, "quantile value should be between 0 and 1, got %s", ref_number(q, phi));
}

struct ref_vector ref_hist_call(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    enum func_id id = c->func->id;
    if (is_of_one(id))
        return hists_one_by_one(q, c, t);
    bool many = id == FUNC_HISTOGRAM_QUANTILES;
    size_t vector = many ? 0 : id == FUNC_HISTOGRAM_QUANTILE ? 1 : 2;
    struct estimate x = {.q = q, .id = id, .pos = arg_start(c, vector)};
    for (size_t i = 0; i < vector; i++)
        x.args[i] = ref_scalar(q, c->args[i], t);
    struct ref_vector in = ref_eval(q, c->args[vector], t);
    struct ref_vector out = ref_room(q, in.count * c->arg_count);
    if (id == FUNC_HISTOGRAM_QUANTILE)
        warn_odd(q, x.args[0], arg_start(c, 0));
    if (many)
        x.label = ref_unwrap(c->args[1])->string;
    for (size_t i = 2; i < c->arg_count && many; i++) {
        x.args[0] = ref_scalar(q, c->args[i], t);
        warn_odd(q, x.args[0], arg_start(c, i));
        estimate_all(&x, in, &out);
    }
    if (!many)
        estimate_all(&x, in, &out);
    ref_check_step(q, out);
    return out;
}
