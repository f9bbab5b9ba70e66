/* native.c -- functions of native histograms. */
#include <math.h>

#include "query/call.h"
#include "query/range_func.h"

/* Where in its bucket an observation is taken to be. */
static double bucket_middle(const struct histogram *h, const struct histogram_bucket *b)
{
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM)
        return (b->upper + b->lower) / 2;
    if (b->lower <= 0 && b->upper >= 0)
        return 0;
    double middle = sqrt(b->upper * b->lower);
    return b->upper < 0 ? -middle : middle;
}

static err variance(const struct histogram *h, struct arena *a, double *out)
{
    struct histogram_bucket *buckets;
    size_t count;
    TRY(histogram_buckets(h, a, &buckets, &count));
    double mean = h->sum / h->count, sum = 0, c = 0;
    for (size_t i = 0; i < count; i++) {
        if (buckets[i].count == 0)
            continue;
        double delta = bucket_middle(h, &buckets[i]) - mean;
        kahan_add(buckets[i].count * delta * delta, &sum, &c);
    }
    *out = (sum + c) / h->count;
    return OK;
}

static err field(enum func_id id, const struct histogram *h, struct arena *a, double *out)
{
    if (id == FUNC_HISTOGRAM_COUNT) {
        *out = h->count;
    } else if (id == FUNC_HISTOGRAM_SUM) {
        *out = h->sum;
    } else if (id == FUNC_HISTOGRAM_AVG) {
        *out = h->sum / h->count;
    } else {
        TRY(variance(h, a, out));
        if (id == FUNC_HISTOGRAM_STDDEV)
            *out = sqrt(*out);
    }
    return OK;
}

static err field_row(enum func_id id, struct row *r, const struct grid *g, struct arena *scratch)
{
    for (size_t k = 0; k < g->count; k++) {
        const struct histogram *h = r->hists != NULL ? r->hists[k] : NULL;
        r->values[k] = absent_value();
        if (h == NULL)
            continue;
        arena_reset(scratch);
        TRY(field(id, h, scratch, &r->values[k]));
    }
    r->hists = NULL;
    return OK;
}

err call_histogram_field(struct exec *x, const struct plan *p, const struct grid *g,
                         struct vec *out)
{
    struct arena scratch;
    TRY(exec_vector(x, p->args[0], g, out));
    arena_init(&scratch, x->options->memory_bytes_max);
    err e = OK;
    for (size_t i = 0; i < out->count && e == OK; i++)
        e = field_row(p->expr->call.func->id, &out->rows[i], g, &scratch);
    arena_fini(&scratch);
    if (e != OK)
        e = exec_memory_error(x, x->diag);
    vec_compact(out, g);
    if (e == OK)
        e = vec_drop_names(x, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}
