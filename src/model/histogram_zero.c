/* histogram_zero.c -- see histogram_priv.h: zero buckets of different width brought together.
 *
 * Upstream adds with compensation here even where nobody asks for the error, and keeps the error
 * when it starts over with a higher threshold; so does this, since results show it. */
#include "model/histogram_priv.h"

struct zero_fold {
    int32_t schema;
    double threshold;
    double count, comp;
};

/* Add the buckets that begin below the threshold. Returns true when the last of them is populated
 * and ends above it: the threshold is where that one ends then. */
static bool fold_side(struct zero_fold *z, const struct histogram_side *s, const double *comp)
{
    struct bucket_cursor c = bucket_cursor(s);
    while (bucket_next(&c)) {
        double upper = exponential_upper(z->schema, c.index);
        if (exponential_upper(z->schema, c.index - 1) >= z->threshold)
            return false;
        kahan_add(s->counts[c.at], &z->count, &z->comp);
        if (comp != NULL)
            kahan_add(comp[c.at], &z->count, &z->comp);
        if (!(upper > z->threshold))
            continue;
        if (s->counts[c.at] == 0)
            return false;
        z->threshold = upper;
        return true;
    }
    return false;
}

double zero_count_at(const struct histogram *h, const struct histogram *comp, double *threshold,
                     double *comp_zero)
{
    struct zero_fold z = {.schema = h->schema, .threshold = *threshold, .count = h->zero_count};
    z.comp = comp != NULL ? comp->zero_count : 0;
    if (*threshold != h->zero_threshold) {
        bool raised; /* by a negative bucket: the positive ones have to be looked at again */
        do {
            z.count = h->zero_count;
            fold_side(&z, &h->positive, comp != NULL ? comp->positive.counts : NULL);
            raised = fold_side(&z, &h->negative, comp != NULL ? comp->negative.counts : NULL);
        } while (raised);
    }
    *threshold = z.threshold;
    *comp_zero = z.comp;
    return z.count;
}

/* Empty the buckets within the zero bucket, which ends at a bound. */
static void clear_side(int32_t schema, double threshold, struct histogram_side *s,
                       struct histogram_side *comp)
{
    struct bucket_cursor c = bucket_cursor(s);
    while (bucket_next(&c)) {
        if (exponential_upper(schema, c.index - 1) >= threshold)
            return;
        s->counts[c.at] = 0;
        if (comp != NULL)
            comp->counts[c.at] = 0;
    }
}

static err trim_side(const struct histogram *h, struct histogram_side *s,
                     struct histogram_side *comp, struct arena *a)
{
    clear_side(h->schema, h->zero_threshold, s, comp);
    return buckets_compact(s, comp, a);
}

err zero_reconcile(struct histogram *h, struct histogram *comp, const struct histogram *other,
                   struct arena *a, double *other_zero, double *other_comp)
{
    double theirs = other->zero_threshold;
    *other_zero = other->zero_count;
    *other_comp = 0;
    /* Bounds of the coarser schema are bounds of the finer one, so this ends after a few rounds;
     * a NaN ends it at once. */
    while (theirs < h->zero_threshold || theirs > h->zero_threshold) {
        if (h->zero_threshold > theirs) {
            theirs = h->zero_threshold;
            *other_zero = zero_count_at(other, NULL, &theirs, other_comp);
        }
        if (!(theirs > h->zero_threshold))
            continue;
        double threshold = theirs, lost;
        h->zero_count = zero_count_at(h, comp, &threshold, &lost);
        h->zero_threshold = threshold;
        if (comp != NULL)
            comp->zero_count = lost;
        TRY(trim_side(h, &h->positive, comp != NULL ? &comp->positive : NULL, a));
        TRY(trim_side(h, &h->negative, comp != NULL ? &comp->negative : NULL, a));
    }
    return OK;
}
