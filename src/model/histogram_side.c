/* histogram_side.c -- see histogram_priv.h: buckets of one side merged, added, compacted.
 *
 * Upstream inserts bucket by bucket into slices; here both sides are merged in one pass. Its spans
 * come out the same: a new bucket extends the span it follows, else the one it precedes, else it
 * is a span of its own, and spans that become adjacent that way stay apart. */
#include <string.h>

#include "model/histogram_priv.h"

/* ---- adding ---- */

/* The first bucket of `b` that is not within the zero bucket; false when there is none. */
static bool addend_first(const struct addend *b, struct bucket_cursor *c)
{
    *c = bucket_cursor(b->side);
    while (bucket_next(c))
        if (b->schema == HISTOGRAM_SCHEMA_CUSTOM ||
            !(exponential_upper(b->schema, c->index) <= b->threshold))
            return true;
    return false;
}

/* How many buckets of `b` does `s` not have? */
static uint32_t missing_in(const struct histogram_side *s, const struct addend *b)
{
    struct bucket_cursor cb, cs = bucket_cursor(s);
    uint32_t missing = 0;
    bool has_b = addend_first(b, &cb), has_s = bucket_next(&cs);
    for (; has_b; has_b = bucket_next(&cb)) {
        while (has_s && cs.index < cb.index)
            has_s = bucket_next(&cs);
        missing += !has_s || cs.index != cb.index;
    }
    return missing;
}

static double addend_count(const struct addend *b, uint32_t at)
{
    return b->negative ? -b->side->counts[at] : b->side->counts[at];
}

static double addend_comp(const struct addend *b, uint32_t at)
{
    if (b->comp == NULL)
        return 0;
    return b->negative ? -b->comp[at] : b->comp[at];
}

/* Bucket `at_b` of `b` to *count, and to *comp when not NULL. */
static void add_bucket(const struct addend *b, uint32_t at_b, double *count, double *comp)
{
    double v = addend_count(b, at_b);
    if (comp == NULL) {
        *count += v;
        return;
    }
    kahan_add(v, count, comp);
    double c = addend_comp(b, at_b);
    if (c != 0)
        kahan_add(c, count, comp);
}

static double *comp_at(struct histogram_side *comp, uint32_t at)
{
    return comp != NULL ? &comp->counts[at] : NULL;
}

/* All buckets of `b` are in `to`. */
static void add_in_place(struct histogram_side *to, struct histogram_side *comp,
                         const struct addend *b)
{
    struct bucket_cursor cb, ct = bucket_cursor(to);
    bool has_t = bucket_next(&ct);
    for (bool has_b = addend_first(b, &cb); has_b; has_b = bucket_next(&cb)) {
        while (has_t && ct.index < cb.index)
            has_t = bucket_next(&ct);
        ASSERT(has_t && ct.index == cb.index);
        add_bucket(b, cb.at, &to->counts[ct.at], comp_at(comp, ct.at));
    }
}

struct merge { /* of a side and an addend into new arrays */
    const struct addend *b;
    struct bucket_cursor cb;
    bool has_b;
    struct span_writer spans;
    double *counts, *comp; /* comp: NULL when errors are not kept */
    uint32_t count;
};

static void put_count(struct merge *m, double count, double comp)
{
    m->counts[m->count] = count;
    if (m->comp != NULL)
        m->comp[m->count] = comp;
    m->count++;
}

/* Put the buckets of `b` before `end`. Returns whether the last one is a new span that the one
 * that begins at `end` extends. */
static bool put_before(struct merge *m, int64_t end)
{
    bool joins = false;
    for (; m->has_b && m->cb.index < end; m->has_b = bucket_next(&m->cb)) {
        bool adjacent = m->spans.count > 0 && m->cb.index == m->spans.end;
        joins = !adjacent && m->cb.index + 1 == end;
        span_put(&m->spans, m->cb.index);
        put_count(m, addend_count(m->b, m->cb.at), addend_comp(m->b, m->cb.at));
    }
    return joins;
}

/* Put a span of `from` that begins at `index`, with the buckets of `b` that fall into it. */
static void put_span(struct merge *m, const struct histogram_side *from,
                     const struct histogram_side *from_comp, int64_t index, uint32_t length,
                     uint32_t at)
{
    if (put_before(m, index)) {
        m->spans.spans[m->spans.count - 1].length += length;
        m->spans.end += length;
    } else {
        span_begin(&m->spans, index, length);
    }
    for (uint32_t i = 0; i < length; i++) {
        uint32_t to = m->count;
        put_count(m, from->counts[at + i], from_comp != NULL ? from_comp->counts[at + i] : 0);
        if (!m->has_b || m->cb.index != index + i)
            continue;
        add_bucket(m->b, m->cb.at, &m->counts[to], m->comp != NULL ? &m->comp[to] : NULL);
        m->has_b = bucket_next(&m->cb);
    }
}

err buckets_add(struct histogram_side *to, struct histogram_side *comp, const struct addend *b,
                struct arena *a)
{
    uint32_t missing = missing_in(to, b);
    if (missing == 0) {
        add_in_place(to, comp, b);
        return OK;
    }
    struct merge m = {.b = b};
    size_t most = (size_t)to->bucket_count + missing;
    m.spans.spans =
        ARENA_ARRAY(a, struct histogram_span, (size_t)to->span_count + missing + SPANS_EXTRA);
    m.counts = ARENA_ARRAY(a, double, most);
    m.comp = comp != NULL ? ARENA_ARRAY(a, double, most) : NULL;
    if (m.spans.spans == NULL || m.counts == NULL || (comp != NULL && m.comp == NULL))
        return ERR_LIMIT;
    m.has_b = addend_first(b, &m.cb);
    int64_t index = 0;
    uint32_t at = 0;
    for (uint32_t k = 0; k < to->span_count; k++) {
        index += to->spans[k].offset;
        ASSERT(to->spans[k].length <= to->bucket_count - at);
        put_span(&m, to, comp, index, to->spans[k].length, at);
        index += to->spans[k].length;
        at += to->spans[k].length;
    }
    put_before(&m, INT64_MAX);
    *to = (struct histogram_side){m.spans.spans, m.counts, m.spans.count, m.count};
    if (comp != NULL)
        *comp = (struct histogram_side){m.spans.spans, m.comp, m.spans.count, m.count};
    return OK;
}

/* ---- compacting ---- */

/* Spans that the buckets that are not empty need; *full: how many those are. */
static uint32_t runs_of(const struct histogram_side *s, uint32_t *full)
{
    struct bucket_cursor c = bucket_cursor(s);
    uint32_t runs = 0;
    int64_t end = 0;
    *full = 0;
    while (bucket_next(&c)) {
        if (s->counts[c.at] == 0)
            continue;
        runs += *full == 0 || c.index != end;
        end = c.index + 1;
        ++*full;
    }
    return runs;
}

err buckets_compact(struct histogram_side *s, struct histogram_side *comp, struct arena *a)
{
    uint32_t full, runs = runs_of(s, &full);
    if (full == s->bucket_count && runs == s->span_count)
        return OK;
    struct span_writer w = {.spans =
                                ARENA_ARRAY(a, struct histogram_span, (size_t)runs + SPANS_EXTRA)};
    if (w.spans == NULL)
        return ERR_LIMIT;
    struct bucket_cursor c = bucket_cursor(s);
    uint32_t n = 0;
    while (bucket_next(&c)) {
        if (s->counts[c.at] == 0)
            continue;
        span_put(&w, c.index);
        s->counts[n] = s->counts[c.at];
        if (comp != NULL)
            comp->counts[n] = comp->counts[c.at];
        n++;
    }
    s->spans = w.spans;
    s->span_count = w.count;
    s->bucket_count = n;
    if (comp != NULL)
        *comp = (struct histogram_side){w.spans, comp->counts, w.count, n};
    return OK;
}

/* ---- resolution ---- */

err buckets_reduce(struct histogram_side *s, struct histogram_side *comp, int shift,
                   struct arena *a)
{
    struct span_writer w = {.spans = ARENA_ARRAY(a, struct histogram_span, s->bucket_count)};
    double *counts = ARENA_ARRAY(a, double, s->bucket_count);
    double *errors = ARENA_ARRAY(a, double, s->bucket_count);
    if (w.spans == NULL || counts == NULL || errors == NULL)
        return ERR_LIMIT;
    struct bucket_cursor c = bucket_cursor(s);
    uint32_t n = 0;
    while (bucket_next(&c)) {
        int64_t index = coarser_bucket(c.index, shift);
        double lost = comp->counts != NULL ? comp->counts[c.at] : 0;
        if (n > 0 && index == w.end - 1) {
            kahan_add(s->counts[c.at], &counts[n - 1], &errors[n - 1]);
            kahan_add(lost, &counts[n - 1], &errors[n - 1]);
            continue;
        }
        span_put(&w, index);
        counts[n] = s->counts[c.at];
        errors[n++] = lost;
    }
    *s = (struct histogram_side){w.spans, counts, w.count, n};
    *comp = (struct histogram_side){w.spans, errors, w.count, n};
    return OK;
}

/* ---- custom bounds ---- */

bool custom_bounds_match(const struct histogram *a, const struct histogram *b)
{
    if (a->custom_count != b->custom_count)
        return false;
    for (uint32_t i = 0; i < a->custom_count; i++)
        if (a->custom_values[i] != b->custom_values[i])
            return false;
    return true;
}

struct targets { /* buckets over the bounds that two histograms share, the last one up to +Inf */
    double *bounds, *counts, *comp;
    uint32_t bound_count;
};

static err targets_make(const struct histogram *a, const struct histogram *b, struct arena *arena,
                        struct targets *t)
{
    size_t most = a->custom_count < b->custom_count ? a->custom_count : b->custom_count;
    *t = (struct targets){0};
    t->bounds = ARENA_ARRAY(arena, double, most);
    t->counts = ARENA_ARRAY(arena, double, most + 1);
    t->comp = ARENA_ARRAY(arena, double, most + 1);
    if (t->bounds == NULL || t->counts == NULL || t->comp == NULL)
        return ERR_LIMIT;
    for (uint32_t i = 0, j = 0; i < a->custom_count && j < b->custom_count;) {
        if (a->custom_values[i] == b->custom_values[j]) {
            t->bounds[t->bound_count++] = a->custom_values[i++];
            j++;
        } else if (a->custom_values[i] < b->custom_values[j]) {
            i++;
        } else {
            j++;
        }
    }
    return OK;
}

/* Add the buckets of `h` to the targets that hold them; `comp` may be NULL. */
static void targets_add(struct targets *t, const struct histogram *h, const double *comp,
                        bool negative)
{
    struct bucket_cursor c = bucket_cursor(&h->positive);
    uint32_t target = 0;
    while (bucket_next(&c)) {
        uint32_t to = t->bound_count;
        if (c.index >= 0 && c.index < h->custom_count) {
            double bound = h->custom_values[c.index];
            while (target < t->bound_count && !(t->bounds[target] >= bound))
                target++;
            to = target;
        }
        double v = h->positive.counts[c.at];
        kahan_add(negative ? -v : v, &t->counts[to], &t->comp[to]);
        if (comp != NULL)
            kahan_add(comp[c.at], &t->counts[to], &t->comp[to]);
    }
}

err custom_add(struct histogram *h, struct histogram *comp, const struct histogram *other,
               bool negative, struct arena *a)
{
    struct targets t;
    TRY(targets_make(h, other, a, &t));
    struct span_writer w = {.spans =
                                ARENA_ARRAY(a, struct histogram_span, (size_t)t.bound_count + 1)};
    if (w.spans == NULL)
        return ERR_LIMIT;
    targets_add(&t, h, comp != NULL ? comp->positive.counts : NULL, false);
    targets_add(&t, other, NULL, negative);
    uint32_t n = 0;
    for (uint32_t i = 0; i <= t.bound_count; i++) {
        if (t.counts[i] == 0 && t.comp[i] == 0)
            continue;
        span_put(&w, i);
        t.counts[n] = t.counts[i];
        t.comp[n++] = t.comp[i];
    }
    h->positive = (struct histogram_side){w.spans, t.counts, w.count, n};
    h->custom_values = t.bounds;
    h->custom_count = t.bound_count;
    if (comp != NULL) {
        comp->positive = (struct histogram_side){w.spans, t.comp, w.count, n};
        comp->custom_values = t.bounds;
        comp->custom_count = t.bound_count;
    }
    return OK;
}
