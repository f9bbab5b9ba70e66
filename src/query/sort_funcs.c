/* sort_funcs.c -- sort(), sort_desc(), sort_by_label(), sort_by_label_desc(). */
#include <math.h>
#include <stdlib.h>

#include "query/call.h"

static void warn_ineffective(struct exec *x, const struct plan *p, const struct grid *g)
{
    if (!grid_is_instant(g))
        annotate_warning(&x->annotations, p->expr->start,
                         "sort is ineffective for range queries since results are always ordered "
                         "by labels");
}

/* By the first step; NaN last either way. */
static int compare_values(const struct row *a, const struct row *b, int direction)
{
    double u = a->values[0], v = b->values[0];
    if (isnan(u) || isnan(v))
        return isnan(u) - isnan(v);
    return direction * ((u > v) - (u < v));
}

static int ascending(const void *a, const void *b)
{
    return compare_values(a, b, 1);
}

static int descending(const void *a, const void *b)
{
    return compare_values(a, b, -1);
}

err call_sort(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    TRY(exec_vector(x, p->args[0], g, out));
    for (size_t i = 0; i < out->count; i++)
        out->rows[i].hists = NULL;
    vec_compact(out, g);
    warn_ineffective(x, p, g);
    if (g->count > 1)
        return OK;
    err e = exec_sort(x, out->rows, out->count, sizeof(struct row),
                      p->expr->call.func->id == FUNC_SORT ? ascending : descending);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

/* ---- by label ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The run of digits or of anything else at the start of `s`. */
static str take_chunk(str *s)
{
    size_t n = 1;
    while (n < s->len && is_digit(s->ptr[n]) == is_digit(s->ptr[0]))
        n++;
    str chunk = {s->ptr, n};
    s->ptr += n;
    s->len -= n;
    return chunk;
}

/* A chunk of digits as a number; false when it is none or too large. */
static bool chunk_number(str s, int64_t *out)
{
    if (!is_digit(s.ptr[0]) || s.len > 18)
        return false;
    *out = 0;
    for (size_t i = 0; i < s.len; i++)
        *out = *out * 10 + (s.ptr[i] - '0');
    return true;
}

/* Natural order: runs of digits compare as numbers. */
static int compare_natural(str a, str b)
{
    while (a.len > 0 && b.len > 0) {
        str u = take_chunk(&a), v = take_chunk(&b);
        int64_t m, n;
        int c = str_cmp(u, v);
        if (chunk_number(u, &m) && chunk_number(v, &n))
            c = (m > n) - (m < n);
        if (c != 0)
            return c;
    }
    return (a.len > 0) - (b.len > 0);
}

struct label_order { /* qsort has no argument: the rows carry it */
    struct row row;
    const struct plan *call;
};

static int by_label(const void *pa, const void *pb)
{
    const struct label_order *a = pa, *b = pb;
    int direction = a->call->expr->call.func->id == FUNC_SORT_BY_LABEL ? 1 : -1;
    for (size_t i = 1; i < a->call->arg_count; i++) {
        str name = a->call->args[i]->expr->string;
        str u = labels_get(a->row.labels, name), v = labels_get(b->row.labels, name);
        if (str_eq(u, v))
            continue;
        int c = compare_natural(u, v);
        return direction * (c != 0 ? c : str_cmp(u, v));
    }
    return direction * labels_cmp(a->row.labels, b->row.labels);
}

err call_sort_by_label(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    TRY(exec_vector(x, p->args[0], g, out));
    warn_ineffective(x, p, g);
    if (g->count > 1)
        return OK;
    struct label_order *rows = ARENA_ARRAY(&out->arenas[0], struct label_order, out->count + 1);
    if (rows == NULL) {
        vec_fini(x, out);
        return exec_memory_error(x, x->diag);
    }
    for (size_t i = 0; i < out->count; i++)
        rows[i] = (struct label_order){out->rows[i], p};
    err e = exec_sort(x, rows, out->count, sizeof(*rows), by_label);
    for (size_t i = 0; i < out->count; i++)
        out->rows[i] = rows[i].row;
    if (e != OK)
        vec_fini(x, out);
    return e;
}
