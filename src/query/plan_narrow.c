/* plan_narrow.c -- matchers of one side of an operator that hold for the other side, too.
 *
 * Where two plain selectors of one metric each are matched by all labels, a pair has equal labels:
 * series that the matchers of the other side refuse have no partner and need not be read. Nothing
 * can be seen of it: labels of one metric are unique, so no error of matching is missed, and plain
 * selectors tell nothing about what they select. */
#include "query/plan_narrow.h"

static bool is_about_metric(const struct matcher *m)
{
    return str_eq(m->name, LABEL_NAME) || str_eq(m->name, LABEL_TYPE) ||
           str_eq(m->name, LABEL_UNIT);
}

/* A plain selector of one metric? */
static bool fits(const struct plan *p)
{
    if (p->expr->kind != EXPR_VECTOR || p->expr->vector.smoothed || p->expr->vector.anchored)
        return false;
    const struct expr_vector *v = &p->expr->vector;
    for (size_t i = 0; i < v->matcher_count; i++)
        if (v->matchers[i].type == MATCH_EQUAL && str_eq(v->matchers[i].name, LABEL_NAME))
            return true;
    return false;
}

static bool has_matcher(const struct expr_vector *v, const struct matcher *m)
{
    for (size_t i = 0; i < v->matcher_count; i++) {
        const struct matcher *n = &v->matchers[i];
        if (n->type == m->type && str_eq(n->name, m->name) && str_eq(n->value, m->value))
            return true;
    }
    return false;
}

/* A copy of the selector `p` that has the matchers of `from` besides its own. */
static err add_matchers(struct plan *p, const struct expr_vector *from, struct arena *a)
{
    const struct expr_vector *own = &p->expr->vector;
    struct matcher *all = ARENA_ARRAY(a, struct matcher, own->matcher_count + from->matcher_count);
    struct expr *copy = ARENA_NEW(a, struct expr);
    if (all == NULL || copy == NULL)
        return ERR_LIMIT;
    size_t n = 0;
    for (size_t i = 0; i < from->matcher_count; i++)
        if (!is_about_metric(&from->matchers[i]) && !has_matcher(own, &from->matchers[i]))
            all[n++] = from->matchers[i];
    if (n == 0)
        return OK;
    memcpy(all + n, own->matchers, own->matcher_count * sizeof(*all));
    *copy = *p->expr;
    copy->vector.matchers = all;
    copy->vector.matcher_count = n + own->matcher_count;
    p->expr = copy;
    return OK;
}

err plan_narrow(struct plan *p, struct arena *a)
{
    const struct expr_binary *b = &p->expr->binary;
    const struct vector_matching *m = b->matching;
    if (m == NULL || m->on || m->labels.count > 0 || m->include.count > 0 || m->has_fill_lhs ||
        m->has_fill_rhs || b->op == OP_OR || !fits(p->args[0]) || !fits(p->args[1]))
        return OK;
    const struct expr_vector *left = &p->args[0]->expr->vector;
    const struct expr_vector *right = &p->args[1]->expr->vector;
    TRY(add_matchers(p->args[1], left, a));
    return b->op == OP_UNLESS ? OK : add_matchers(p->args[0], right, a);
}
