/* native.c -- functions of native histograms. */
#include <math.h>

#include "model/histogram_estimate.h"
#include "query/call.h"

static double field(enum func_id id, const struct histogram *h)
{
    if (id == FUNC_HISTOGRAM_COUNT)
        return h->count;
    if (id == FUNC_HISTOGRAM_SUM)
        return h->sum;
    if (id == FUNC_HISTOGRAM_AVG)
        return h->sum / h->count;
    double variance = histogram_variance(h);
    return id == FUNC_HISTOGRAM_STDDEV ? sqrt(variance) : variance;
}

static err field_row(struct exec *x, enum func_id id, struct row *r, const struct grid *g)
{
    for (size_t k = 0; k < g->count; k++) {
        const struct histogram *h = r->hists != NULL ? r->hists[k] : NULL;
        r->values[k] = h != NULL ? field(id, h) : absent_value();
        if (h != NULL)
            TRY(exec_visit_main(x, 1 + h->positive.bucket_count + h->negative.bucket_count));
    }
    r->hists = NULL;
    return OK;
}

err call_histogram_field(struct exec *x, const struct plan *p, const struct grid *g,
                         struct vec *out)
{
    TRY(exec_vector(x, p->args[0], g, out));
    err e = OK;
    for (size_t i = 0; i < out->count && e == OK; i++)
        e = field_row(x, p->expr->call.func->id, &out->rows[i], g);
    vec_compact(out, g);
    if (e == OK)
        e = vec_drop_names(x, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}
