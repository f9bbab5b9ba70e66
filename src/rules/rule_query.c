/* rule_query.c -- see rule_query.h. */
#include "rules/rule_query.h"

#include "base/clock.h"

static err out_of_memory(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "the result of the rule needs too much memory");
}

static err copy_element(const struct query_series *s, struct arena *a, struct rule_element *out,
                        struct diag *d)
{
    size_t last = s->count - 1; /* an instant query has one point a series */
    const struct histogram *h = s->histograms != NULL ? s->histograms[last] : NULL;
    *out = (struct rule_element){.value = s->values[last]};
    if (labels_copy(s->labels, a, &out->labels) != OK)
        return out_of_memory(d);
    if (h == NULL)
        return OK;
    struct histogram *copy;
    if (histogram_copy(h, a, &copy) != OK)
        return out_of_memory(d);
    out->histogram = copy;
    out->value = 0; /* as upstream's samples have it, and alerts show it */
    return OK;
}

static err copy_vector(struct query *q, struct arena *a, struct rule_vector *out, struct diag *d)
{
    struct query_series s;
    out->items = ARENA_ARRAY(a, struct rule_element, query_result(q)->series_count + 1);
    if (out->items == NULL)
        return out_of_memory(d);
    while (query_next_series(q, &s))
        TRY(copy_element(&s, a, &out->items[out->count++], d));
    return OK;
}

static err take_result(struct query *q, struct arena *a, struct rule_vector *out, struct diag *d)
{
    const struct query_result *r = query_result(q);
    *out = (struct rule_vector){0};
    if (r->type == VALUE_VECTOR)
        return copy_vector(q, a, out, d);
    if (r->type != VALUE_SCALAR)
        return diag_set(d, ERR_INVALID, "rule result is not a vector or scalar");
    out->items = ARENA_NEW(a, struct rule_element);
    if (out->items == NULL)
        return out_of_memory(d);
    *out->items = (struct rule_element){.value = r->scalar};
    out->count = 1;
    return OK;
}

err rule_query(const struct rule_querier *rq, const struct query_asker *who, str expr,
               int64_t ts_ms, struct arena *a, struct rule_vector *out, struct diag *d)
{
    if (rq->remote != NULL)
        return rq->remote->query(rq->remote->arg, expr, ts_ms, a, out, d);
    struct query_options o = rq->options;
    struct query *q = NULL;
    o.start_ms = o.end_ms = ts_ms;
    o.step_ms = 0;
    o.cache = NULL;
    if (rq->timeout_ms > 0)
        o.deadline_mono_ns = clock_mono_ns() + (uint64_t)rq->timeout_ms * 1000000;
    TRY(watched_query(rq->watch, who, &rq->env, expr, &o, &q, d));
    err e = take_result(q, a, out, d);
    query_close(q);
    return e;
}
