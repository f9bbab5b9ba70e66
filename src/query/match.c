/* match.c -- signatures of two sides, and the set operators. */
#include "query/match.h"

static err list_rows(struct exec *x, const struct vec *v, uint32_t sigs, struct match_list *l)
{
    size_t *next = ARENA_ARRAY(&x->arena, size_t, (size_t)sigs + 1);
    l->rows = ARENA_ARRAY(&x->arena, uint32_t, v->count + 1);
    l->starts = ARENA_ARRAY(&x->arena, size_t, (size_t)sigs + 2);
    if (next == NULL || l->rows == NULL || l->starts == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < v->count; i++)
        l->starts[l->sig_of[i] + 1]++;
    for (uint32_t s = 0; s < sigs; s++) {
        l->starts[s + 1] += l->starts[s];
        next[s] = l->starts[s];
    }
    for (size_t i = 0; i < v->count; i++)
        l->rows[next[l->sig_of[i]]++] = (uint32_t)i;
    return OK;
}

static err sign_rows(struct exec *x, const struct vec *v, struct group_table *t,
                     struct match_list *l)
{
    l->sig_of = ARENA_ARRAY(&x->arena, uint32_t, v->count + 1);
    if (l->sig_of == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < v->count; i++)
        TRY(group_table_add(t, v->rows[i].labels, &l->sig_of[i]));
    return OK;
}

err match_sides_make(struct exec *x, const struct vector_matching *m, const struct vec *left,
                     const struct vec *right, struct match_sides *out)
{
    *out = (struct match_sides){0};
    TRY(signature_make(x, m->labels, m->on, !m->on, &out->signature));
    struct group_table t;
    group_table_init(&t, x, &out->signature);
    err e = sign_rows(x, left, &t, &out->left);
    if (e == OK)
        e = sign_rows(x, right, &t, &out->right);
    out->count = t.count;
    group_table_fini(&t);
    if (e == OK)
        e = list_rows(x, left, out->count, &out->left);
    return e == OK ? list_rows(x, right, out->count, &out->right) : e;
}

/* ---- and, or, unless ---- */

struct presence { /* of a signature on one side: at which steps any row has a point */
    bool *steps;  /* NULL: not computed yet */
    bool none;    /* no rows at all */
};

static err find_presence(struct exec *x, const struct grid *g, const struct vec *v,
                         const struct match_list *l, uint32_t sig, struct presence *p)
{
    if (p->steps != NULL || p->none)
        return OK;
    p->none = l->starts[sig] == l->starts[sig + 1];
    if (p->none)
        return OK;
    p->steps = ARENA_ARRAY(&x->arena, bool, g->count);
    if (p->steps == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = l->starts[sig]; i < l->starts[sig + 1]; i++) {
        TRY(exec_visit_main(x, g->count));
        for (size_t k = 0; k < g->count; k++)
            p->steps[k] |= row_has(&v->rows[l->rows[i]], k);
    }
    return OK;
}

static void mask_row(struct row *r, const struct grid *g, const struct presence *p, bool keep)
{
    for (size_t k = 0; k < g->count; k++) {
        bool present = !p->none && p->steps[k];
        if (present == keep)
            continue;
        r->values[k] = absent_value();
        if (r->hists != NULL)
            r->hists[k] = NULL;
    }
}

/* Keep the points of `v` at steps where its signature is there (`keep`) or is not there on the
 * other side. */
static err mask_rows(struct exec *x, const struct grid *g, struct vec *v,
                     const struct match_list *mine, const struct vec *other,
                     const struct match_list *theirs, uint32_t sigs, bool keep)
{
    struct presence *p = ARENA_ARRAY(&x->arena, struct presence, (size_t)sigs + 1);
    if (p == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < v->count; i++) {
        uint32_t sig = mine->sig_of[i];
        TRY(exec_visit_main(x, g->count));
        TRY(find_presence(x, g, other, theirs, sig, &p[sig]));
        mask_row(&v->rows[i], g, &p[sig], keep);
    }
    return OK;
}

struct dated_row {
    struct row row;
    size_t first; /* step with a point */
};

static int compare_dates(const void *pa, const void *pb)
{
    const struct dated_row *a = pa, *b = pb;
    return (a->first > b->first) - (a->first < b->first);
}

/* Rows that are joined lose their name or not as the first point of both says: that row goes to the
 * front. */
static err earliest_first(struct exec *x, const struct grid *g, struct vec *v)
{
    size_t marked = 0;
    for (size_t i = 0; i < v->count; i++)
        marked += v->rows[i].drop_name;
    if (marked == 0 || marked == v->count || g->count == 1)
        return OK;
    struct dated_row *dated = ARENA_ARRAY(&x->arena, struct dated_row, v->count);
    if (dated == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < v->count; i++) {
        TRY(exec_visit_main(x, g->count));
        dated[i].row = v->rows[i];
        while (dated[i].first < g->count && !row_has(&v->rows[i], dated[i].first))
            dated[i].first++;
    }
    TRY(exec_sort(x, dated, v->count, sizeof(*dated), compare_dates));
    for (size_t i = 0; i < v->count; i++)
        v->rows[i] = dated[i].row;
    return OK;
}

/* All of the left, and of the right what has no match at its step. */
static err unite(struct exec *x, const struct grid *g, struct vec *lhs, struct vec *rhs,
                 struct vec *out)
{
    size_t total = lhs->count + rhs->count;
    vec_init(x, out, 1);
    struct row *rows = ARENA_ARRAY(&out->arenas[0], struct row, total + 1);
    if (rows == NULL)
        return exec_memory_error(x, x->diag);
    if (lhs->count > 0)
        memcpy(rows, lhs->rows, lhs->count * sizeof(*rows));
    if (rhs->count > 0)
        memcpy(rows + lhs->count, rhs->rows, rhs->count * sizeof(*rows));
    vec_adopt(out, lhs);
    vec_adopt(out, rhs);
    out->rows = rows;
    out->count = total;
    out->one_name = false;
    vec_compact(out, g);
    TRY(earliest_first(x, g, out));
    return vec_merge_result(x, g, out);
}

err set_operate(struct exec *x, const struct plan *p, const struct grid *g, struct vec *lhs,
                struct vec *rhs, struct vec *out)
{
    struct match_sides s;
    enum binary_op op = p->expr->binary.op;
    TRY(match_sides_make(x, p->expr->binary.matching, lhs, rhs, &s));
    if (op == OP_OR) {
        *out = (struct vec){0};
        TRY(mask_rows(x, g, rhs, &s.right, lhs, &s.left, s.count, false));
        err e = unite(x, g, lhs, rhs, out);
        if (e != OK && out->arenas != NULL)
            vec_fini(x, out);
        return e;
    }
    TRY(mask_rows(x, g, lhs, &s.left, rhs, &s.right, s.count, op == OP_AND));
    vec_compact(lhs, g);
    *out = *lhs;
    *lhs = (struct vec){0};
    return OK;
}

void match_fault_note(struct match_fault *first, struct match_fault other)
{
    if (other.step != first->step) {
        if (other.step < first->step)
            *first = other;
    } else if (other.kind < first->kind || (other.kind == first->kind && other.row < first->row)) {
        *first = other;
    }
}
