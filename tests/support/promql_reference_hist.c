/* promql_reference_hist.c -- native histograms as the reference has them: each side a list of
 * (index, count), so that layouts are nothing to think about. */
#include <stdio.h>

#include "base/number.h"
#include "support/promql_reference_priv.h"

bool ref_hist_is_custom(const struct ref_hist *h)
{
    return h->schema == HISTOGRAM_SCHEMA_CUSTOM;
}

double ref_hist_bound(const struct ref_hist *h, int64_t index)
{
    if (ref_hist_is_custom(h)) {
        if (index < 0)
            return -(double)INFINITY;
        return (size_t)index < h->bound_count ? h->bounds[index] : (double)INFINITY;
    }
    struct histogram of_schema = {.schema = h->schema};
    return histogram_bound(&of_schema, index);
}

static void read_side(struct ref_query *q, const struct histogram_side *from, struct ref_side *to)
{
    size_t n = 0;
    int64_t index = 0;
    to->items = ARENA_ARRAY(q->arena, struct ref_bucket, from->bucket_count + 1);
    for (uint32_t s = 0; s < from->span_count; s++) {
        index += from->spans[s].offset;
        for (uint32_t i = 0; i < from->spans[s].length; i++, n++)
            to->items[n] = (struct ref_bucket){index++, from->counts[n], 0};
    }
    to->count = n;
}

struct ref_hist *ref_hist_of(struct ref_query *q, const struct histogram *h)
{
    struct ref_hist *r = ARENA_NEW(q->arena, struct ref_hist);
    *r = (struct ref_hist){.schema = h->schema,
                           .hint = h->reset_hint,
                           .zero_threshold = h->zero_threshold,
                           .zero_count = h->zero_count,
                           .count = h->count,
                           .sum = h->sum,
                           .bounds = h->custom_values,
                           .bound_count = h->custom_count};
    read_side(q, &h->positive, &r->side[REF_POSITIVE]);
    read_side(q, &h->negative, &r->side[REF_NEGATIVE]);
    return r;
}

struct ref_hist *ref_hist_copy(struct ref_query *q, const struct ref_hist *h)
{
    struct ref_hist *r = ARENA_NEW(q->arena, struct ref_hist);
    *r = *h;
    for (int i = 0; i < 2; i++) {
        r->side[i].items = ARENA_ARRAY(q->arena, struct ref_bucket, h->side[i].count + 1);
        for (size_t k = 0; k < h->side[i].count; k++)
            r->side[i].items[k] = h->side[i].items[k];
    }
    return r;
}

static double scaled(double v, double factor, bool divide)
{
    return divide ? v / factor : v * factor;
}

void ref_hist_scale(struct ref_hist *h, double factor, bool divide)
{
    double *fields[] = {&h->zero_count, &h->count,      &h->sum,
                        &h->zero_lost,  &h->count_lost, &h->sum_lost};
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        *fields[i] = scaled(*fields[i], factor, divide);
    for (int s = 0; s < 2; s++) {
        if (divide && factor == 0)
            h->side[s].count = 0;
        for (size_t i = 0; i < h->side[s].count; i++) {
            struct ref_bucket *b = &h->side[s].items[i];
            b->count = scaled(b->count, factor, divide);
            b->lost = scaled(b->lost, factor, divide);
        }
    }
    if (factor < 0)
        h->hint = RESET_GAUGE;
}

void ref_hist_compact(struct ref_hist *h)
{
    for (int s = 0; s < 2; s++) {
        size_t n = 0;
        for (size_t i = 0; i < h->side[s].count; i++)
            if (h->side[s].items[i].count != 0)
                h->side[s].items[n++] = h->side[s].items[i];
        h->side[s].count = n;
    }
}

/* ---- adding ---- */

static void add_pair(double v, double lost, double *sum, double *c, bool kahan)
{
    if (!kahan) {
        *sum += v;
        return;
    }
    ref_inc(v, sum, c);
    if (lost != 0)
        ref_inc(lost, sum, c);
}

static void reduce_side(struct ref_side *s, int by, bool kahan)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct ref_bucket b = s->items[i];
        b.index = ((b.index - 1) >> by) + 1;
        if (n > 0 && s->items[n - 1].index == b.index)
            add_pair(b.count, b.lost, &s->items[n - 1].count, &s->items[n - 1].lost, kahan);
        else
            s->items[n++] = b;
    }
    s->count = n;
}

static void reduce(struct ref_hist *h, int schema, bool kahan)
{
    for (int i = 0; i < 2 && schema < h->schema; i++)
        reduce_side(&h->side[i], h->schema - schema, kahan);
    h->schema = schema;
}

void ref_hist_reduce(struct ref_query *q, struct ref_hist *h, int schema)
{
    (void)q;
    reduce(h, schema, false);
}

/* The zero count a histogram would have with a larger threshold, which grows to the end of a
 * populated bucket that it would cut. */
static double larger_zero(const struct ref_hist *h, double *threshold, double *lost)
{
    *lost = h->zero_lost;
    if (*threshold == h->zero_threshold)
        return h->zero_count;
    for (;;) {
        double count = h->zero_count;
        bool again = false;
        *lost = h->zero_lost;
        for (int s = 0; s < 2 && !again; s++) {
            for (size_t i = 0; i < h->side[s].count; i++) {
                const struct ref_bucket *b = &h->side[s].items[i];
                double upper = ref_hist_bound(h, b->index);
                if (ref_hist_bound(h, b->index - 1) >= *threshold)
                    break;
                ref_inc(b->count, &count, lost);
                ref_inc(b->lost, &count, lost);
                if (upper <= *threshold)
                    continue;
                if (b->count != 0) {
                    *threshold = upper;
                    again = s == REF_NEGATIVE; /* the positive side was looked at too early */
                }
                break;
            }
        }
        if (!again)
            return count;
    }
}

static void trim_zero(struct ref_hist *h)
{
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < h->side[s].count; i++)
            if (ref_hist_bound(h, h->side[s].items[i].index - 1) < h->zero_threshold)
                h->side[s].items[i].count = h->side[s].items[i].lost = 0;
    ref_hist_compact(h);
}

/* Widen the zero bucket of `a` until both have the same; what `b` would count in it. */
static double reconcile_zero(struct ref_hist *a, const struct ref_hist *b, double *b_lost)
{
    double count = b->zero_count, threshold = b->zero_threshold;
    *b_lost = 0;
    while (threshold != a->zero_threshold) {
        if (a->zero_threshold > threshold) {
            threshold = a->zero_threshold;
            count = larger_zero(b, &threshold, b_lost);
        }
        if (threshold > a->zero_threshold) {
            double wanted = threshold;
            a->zero_count = larger_zero(a, &wanted, &a->zero_lost);
            a->zero_threshold = wanted;
            trim_zero(a);
        }
    }
    return count;
}

static void add_bucket(struct ref_query *q, struct ref_side *s, struct ref_bucket b, bool kahan)
{
    size_t at = 0;
    while (at < s->count && s->items[at].index < b.index)
        at++;
    if (at < s->count && s->items[at].index == b.index) {
        add_pair(b.count, b.lost, &s->items[at].count, &s->items[at].lost, kahan);
        return;
    }
    struct ref_bucket *items = ARENA_ARRAY(q->arena, struct ref_bucket, s->count + 2);
    for (size_t i = 0; i < s->count; i++)
        items[i + (i >= at)] = s->items[i];
    items[at] = b;
    s->items = items;
    s->count++;
}

static void add_sides(struct ref_query *q, struct ref_hist *a, const struct ref_hist *b,
                      enum ref_add how)
{
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < b->side[s].count; i++) {
            struct ref_bucket x = b->side[s].items[i];
            if (!ref_hist_is_custom(a) && ref_hist_bound(a, x.index) <= a->zero_threshold)
                continue;
            if (how == REF_SUBTRACT)
                x.count = -x.count;
            add_bucket(q, &a->side[s], x, how == REF_KAHAN_ADD);
        }
    }
}

static bool same_bounds(const struct ref_hist *a, const struct ref_hist *b)
{
    if (a->bound_count != b->bound_count)
        return false;
    for (size_t i = 0; i < a->bound_count; i++)
        if (a->bounds[i] != b->bounds[i])
            return false;
    return true;
}

static size_t common_bounds(struct ref_query *q, const struct ref_hist *a, const struct ref_hist *b,
                            double **out)
{
    size_t n = 0;
    *out = ARENA_ARRAY(q->arena, double, a->bound_count + 1);
    for (size_t i = 0; i < a->bound_count; i++)
        for (size_t j = 0; j < b->bound_count; j++)
            if (a->bounds[i] == b->bounds[j])
                (*out)[n++] = a->bounds[i];
    return n;
}

/* Where bucket `index` of `h` goes when only `bounds` are left. */
static size_t common_index(const struct ref_hist *h, int64_t index, const double *bounds, size_t n)
{
    size_t to = 0;
    if ((size_t)index >= h->bound_count)
        return n;
    while (to < n && bounds[to] < h->bounds[index])
        to++;
    return to;
}

static void add_mismatched(struct ref_query *q, struct ref_hist *a, const struct ref_hist *b,
                           bool subtract)
{
    double *bounds;
    size_t n = common_bounds(q, a, b, &bounds);
    struct ref_bucket *all = ARENA_ARRAY(q->arena, struct ref_bucket, n + 1);
    const struct ref_hist *both[] = {a, b};
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < both[k]->side[0].count; i++) {
            const struct ref_bucket *x = &both[k]->side[0].items[i];
            struct ref_bucket *to = &all[common_index(both[k], x->index, bounds, n)];
            ref_inc(k == 1 && subtract ? -x->count : x->count, &to->count, &to->lost);
            if (k == 0)
                ref_inc(x->lost, &to->count, &to->lost);
        }
    }
    a->side[0] = (struct ref_side){ARENA_ARRAY(q->arena, struct ref_bucket, n + 1), 0};
    for (size_t i = 0; i <= n; i++) {
        all[i].index = (int64_t)i;
        if (all[i].count != 0 || all[i].lost != 0)
            a->side[0].items[a->side[0].count++] = all[i];
    }
    a->bounds = bounds;
    a->bound_count = n;
}

static bool join_hints(struct ref_hist *a, const struct ref_hist *b)
{
    if (a->hint == b->hint || a->hint == RESET_GAUGE)
        return false;
    bool collide = a->hint != RESET_UNKNOWN && b->hint != RESET_UNKNOWN && b->hint != RESET_GAUGE;
    a->hint = b->hint == RESET_GAUGE ? RESET_GAUGE : RESET_UNKNOWN;
    return collide;
}

static void add_totals(struct ref_hist *a, const struct ref_hist *b, enum ref_add how)
{
    double sign = how == REF_SUBTRACT ? -1 : 1;
    bool kahan = how == REF_KAHAN_ADD;
    if (!ref_hist_is_custom(a)) {
        double lost, zero = reconcile_zero(a, b, &lost);
        add_pair(sign * zero, lost, &a->zero_count, &a->zero_lost, kahan);
    }
    add_pair(sign * b->count, 0, &a->count, &a->count_lost, kahan);
    add_pair(sign * b->sum, 0, &a->sum, &a->sum_lost, kahan);
}

bool ref_hist_add(struct ref_query *q, struct ref_hist *a, const struct ref_hist *b,
                  enum ref_add how, struct ref_added *out)
{
    *out = (struct ref_added){0};
    if (ref_hist_is_custom(a) != ref_hist_is_custom(b))
        return false;
    out->hints_collide = join_hints(a, b);
    add_totals(a, b, how);
    if (ref_hist_is_custom(a) && !same_bounds(a, b)) {
        out->bounds_reconciled = true;
        add_mismatched(q, a, b, how == REF_SUBTRACT);
        for (size_t i = 0; i < a->side[0].count && how != REF_KAHAN_ADD; i++)
            a->side[0].items[i].lost = 0;
        return true;
    }
    struct ref_hist *other = ref_hist_copy(q, b);
    int schema = a->schema < b->schema ? a->schema : b->schema;
    reduce(a, schema, how == REF_KAHAN_ADD);
    reduce(other, schema, how == REF_KAHAN_ADD);
    add_sides(q, a, other, how);
    return true;
}

void ref_hist_settle(struct ref_hist *h)
{
    h->zero_count += h->zero_lost;
    h->count += h->count_lost;
    h->sum += h->sum_lost;
    h->zero_lost = h->count_lost = h->sum_lost = 0;
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < h->side[s].count; i++) {
            h->side[s].items[i].count += h->side[s].items[i].lost;
            h->side[s].items[i].lost = 0;
        }
    }
}

bool ref_hist_overflows(const struct ref_hist *h)
{
    if (isinf(h->zero_count) || isinf(h->count) || isinf(h->sum))
        return true;
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < h->side[s].count; i++)
            if (isinf(h->side[s].items[i].count))
                return true;
    return false;
}

/* ---- comparing ---- */

static const struct ref_bucket *find_bucket(const struct ref_side *s, int64_t index)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].index == index)
            return &s->items[i];
    return NULL;
}

static bool custom_reset(struct ref_query *q, const struct ref_hist *now,
                         const struct ref_hist *before)
{
    double *bounds;
    size_t n = common_bounds(q, now, before, &bounds);
    double *a = ARENA_ARRAY(q->arena, double, n + 1), *b = ARENA_ARRAY(q->arena, double, n + 1);
    for (size_t i = 0; i < now->side[0].count; i++)
        a[common_index(now, now->side[0].items[i].index, bounds, n)] += now->side[0].items[i].count;
    for (size_t i = 0; i < before->side[0].count; i++)
        b[common_index(before, before->side[0].items[i].index, bounds, n)] +=
            before->side[0].items[i].count;
    for (size_t i = 0; i <= n; i++)
        if (a[i] < b[i])
            return true;
    return false;
}

static bool hidden_in_zero(const struct ref_hist *now, int64_t index)
{
    return !ref_hist_is_custom(now) && ref_hist_bound(now, index) <= now->zero_threshold;
}

/* Did a bucket shrink? Of the old buckets behind the last new one upstream looks at the first. */
static bool side_reset(const struct ref_hist *now, const struct ref_side *a,
                       const struct ref_side *b)
{
    bool any = false;
    int64_t last = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (hidden_in_zero(now, a->items[i].index))
            continue;
        any = true;
        last = a->items[i].index;
    }
    for (size_t i = 0; i < b->count; i++) {
        const struct ref_bucket *old = &b->items[i], *new = find_bucket(a, old->index);
        if (hidden_in_zero(now, old->index))
            continue;
        if (!any || old->index > last)
            return old->count != 0;
        if (new != NULL ? new->count < old->count : old->count != 0)
            return true;
    }
    return false;
}

bool ref_hist_is_reset(struct ref_query *q, const struct ref_hist *now,
                       const struct ref_hist *before)
{
    if (now->hint == RESET_YES || now->hint == RESET_NO)
        return now->hint == RESET_YES;
    if (now->count < before->count)
        return true;
    if (ref_hist_is_custom(now)) {
        if (!ref_hist_is_custom(before))
            return true;
        if (!same_bounds(now, before))
            return custom_reset(q, now, before);
    }
    if (now->schema > before->schema || now->zero_threshold < before->zero_threshold)
        return true;
    double threshold = now->zero_threshold, lost;
    double zero = larger_zero(before, &threshold, &lost);
    if (threshold != now->zero_threshold || now->zero_count < zero)
        return true;
    struct ref_hist *old = ref_hist_copy(q, before);
    reduce(old, now->schema, false);
    return side_reset(now, &now->side[REF_POSITIVE], &old->side[REF_POSITIVE]) ||
           side_reset(now, &now->side[REF_NEGATIVE], &old->side[REF_NEGATIVE]);
}

bool ref_hist_equal(const struct ref_hist *a, const struct ref_hist *b)
{
    if (a->schema != b->schema || f64_bits(a->count) != f64_bits(b->count) ||
        f64_bits(a->sum) != f64_bits(b->sum) || a->zero_threshold != b->zero_threshold ||
        f64_bits(a->zero_count) != f64_bits(b->zero_count))
        return false;
    if (ref_hist_is_custom(a) && !same_bounds(a, b))
        return false;
    for (int s = 0; s < 2; s++) {
        if (a->side[s].count != b->side[s].count)
            return false;
        for (size_t i = 0; i < a->side[s].count; i++)
            if (a->side[s].items[i].index != b->side[s].items[i].index ||
                f64_bits(a->side[s].items[i].count) != f64_bits(b->side[s].items[i].count))
                return false;
    }
    return true;
}

/* ---- showing ---- */

/* `shown`: as it is printed, where a zero bucket of less than nothing is one too. */
static size_t spans_of(struct ref_query *q, const struct ref_hist *h, bool shown,
                       struct ref_span **out)
{
    const struct ref_side *neg = &h->side[REF_NEGATIVE], *pos = &h->side[REF_POSITIVE];
    struct ref_span *s = ARENA_ARRAY(q->arena, struct ref_span, neg->count + pos->count + 2);
    size_t n = 0;
    bool custom = ref_hist_is_custom(h);
    for (size_t i = neg->count; i-- > 0;) {
        double lower = -ref_hist_bound(h, neg->items[i].index);
        double upper = -ref_hist_bound(h, neg->items[i].index - 1);
        if (upper < 0 && upper > -h->zero_threshold)
            upper = -h->zero_threshold;
        s[n++] = (struct ref_span){lower, upper, neg->items[i].count, true, false};
    }
    if (shown ? h->zero_count != 0 : h->zero_count > 0)
        s[n++] =
            (struct ref_span){-h->zero_threshold, h->zero_threshold, h->zero_count, true, true};
    for (size_t i = 0; i < pos->count; i++) {
        double lower = ref_hist_bound(h, pos->items[i].index - 1);
        double upper = ref_hist_bound(h, pos->items[i].index);
        if (lower > 0 && lower < h->zero_threshold)
            lower = h->zero_threshold;
        s[n++] = (struct ref_span){lower, upper, pos->items[i].count,
                                   custom && pos->items[i].index == 0, true};
    }
    *out = s;
    return n;
}

size_t ref_hist_spans(struct ref_query *q, const struct ref_hist *h, struct ref_span **out)
{
    return spans_of(q, h, false, out);
}

static void put_g(struct buf *b, double v)
{
    char text[NUMBER_SIZE_MAX];
    buf_put(b, text, number_format_g(v, text));
}

void ref_hist_format(const struct ref_hist *h, struct buf *out)
{
    struct arena a;
    arena_init(&a, 1 << 24);
    struct ref_query q = {.arena = &a};
    struct ref_hist whole = *h;
    struct ref_span *s;
    whole.zero_threshold = 0; /* buckets are printed uncut, but for the zero bucket */
    size_t n = spans_of(&q, &whole, true, &s);
    buf_printf(out, "{count:");
    put_g(out, h->count);
    buf_printf(out, ", sum:");
    put_g(out, h->sum);
    for (size_t i = 0; i < n; i++) {
        if (s[i].count == 0)
            continue;
        bool zero = s[i].lower == 0 && s[i].upper == 0;
        buf_printf(out, ", %s", s[i].lower_inclusive ? "[" : "(");
        put_g(out, zero ? -h->zero_threshold : s[i].lower);
        buf_printf(out, ",");
        put_g(out, zero ? h->zero_threshold : s[i].upper);
        buf_printf(out, "%s:", s[i].upper_inclusive ? "]" : ")");
        put_g(out, s[i].count);
    }
    buf_printf(out, "}");
    arena_fini(&a);
}

static bool close(double a, double b, double tolerance, double scale)
{
    if ((isnan(a) && isnan(b)) || a == b)
        return true;
    if (!isfinite(a) && !isfinite(b)) /* compensated sums of infinities: when they stop is open */
        return isnan(a) || isnan(b);
    return fabs(a - b) <= tolerance * fmax(fmax(fabs(a), fabs(b)), scale);
}

static double largest(const struct ref_side *s, double than)
{
    for (size_t i = 0; i < s->count; i++)
        than = fmax(than, fabs(s->items[i].count));
    return than;
}

static bool side_shows(const struct ref_side *want, const struct ref_side *got, double tolerance,
                       double scale, char *why, size_t why_size)
{
    for (int k = 0; k < 2; k++) {
        const struct ref_side *a = k == 0 ? want : got, *b = k == 0 ? got : want;
        for (size_t i = 0; i < a->count; i++) {
            const struct ref_bucket *x = &a->items[i], *y = find_bucket(b, x->index);
            double other = y != NULL ? y->count : 0;
            if (close(x->count, other, tolerance, scale))
                continue;
            snprintf(why, why_size, "bucket %lld: %.17g against %.17g", (long long)x->index,
                     x->count, other);
            return false;
        }
    }
    return true;
}

bool ref_hist_shows(const struct ref_hist *want, const struct histogram *got, double tolerance,
                    char *why, size_t why_size)
{
    struct arena a;
    arena_init(&a, 1 << 24);
    struct ref_query q = {.arena = &a};
    struct ref_hist *g = ref_hist_of(&q, got);
    double scale = fmax(fabs(want->count), fabs(want->zero_count));
    scale = isfinite(scale) ? scale : 0;
    scale = largest(&want->side[0], largest(&want->side[1], scale));
    bool same = want->schema == g->schema && want->zero_threshold == g->zero_threshold &&
                want->bound_count == g->bound_count;
    snprintf(why, why_size, "schema %d, threshold %.17g, %zu bounds against %d, %.17g, %zu",
             g->schema, g->zero_threshold, g->bound_count, want->schema, want->zero_threshold,
             want->bound_count);
    for (size_t i = 0; i < want->bound_count && same; i++)
        same = want->bounds[i] == g->bounds[i];
    if (same) {
        same = close(want->count, g->count, tolerance, 0) &&
               close(want->sum, g->sum, tolerance, fabs(want->count)) &&
               close(want->zero_count, g->zero_count, tolerance, scale);
        snprintf(why, why_size, "count %.17g sum %.17g zero %.17g against %.17g %.17g %.17g",
                 g->count, g->sum, g->zero_count, want->count, want->sum, want->zero_count);
    }
    for (int s = 0; s < 2 && same; s++)
        same = side_shows(&want->side[s], &g->side[s], tolerance, scale, why, why_size);
    arena_fini(&a);
    return same;
}
