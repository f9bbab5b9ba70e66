/* vec.c -- memory and identity of rows: counting, joining, dropping metric names. */
#include <stdlib.h>

#include "base/mem.h"
#include "query/exec_priv.h"
#include "query/group.h"

void vec_init(struct exec *x, struct vec *v, unsigned arenas)
{
    *v = (struct vec){.one_name = true};
    v->arenas = mem_zalloc(arenas, sizeof(*v->arenas));
    v->arena_count = arenas;
    for (unsigned i = 0; i < arenas; i++)
        arena_init(&v->arenas[i], x->options->memory_bytes_max);
}

void vec_fini(struct exec *x, struct vec *v)
{
    for (unsigned i = 0; i < v->arena_count; i++)
        arena_fini(&v->arenas[i]);
    mem_free(v->arenas);
    exec_release(x, v->points);
    atomic_fetch_sub_explicit(&x->bytes_held, v->bytes, memory_order_relaxed);
    *v = (struct vec){0};
}

void value_fini(struct exec *x, struct value *v)
{
    if (v->type == VALUE_VECTOR)
        vec_fini(x, &v->vec);
    *v = (struct value){0};
}

err vec_account(struct exec *x, struct vec *v)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < v->arena_count; i++)
        bytes += v->arenas[i].used_bytes;
    if (bytes <= v->bytes)
        return OK;
    uint64_t more = bytes - v->bytes;
    v->bytes = bytes;
    return exec_hold_bytes(x, more, x->diag);
}

void vec_adopt(struct vec *v, struct vec *from)
{
    unsigned count = v->arena_count + from->arena_count;
    v->arenas = mem_resize(v->arenas, count, sizeof(*v->arenas));
    memcpy(v->arenas + v->arena_count, from->arenas, from->arena_count * sizeof(*v->arenas));
    v->arena_count = count;
    v->points += from->points;
    v->bytes += from->bytes;
    mem_free(from->arenas);
    *from = (struct vec){0};
}

double *vec_values(struct vec *v, unsigned i, const struct grid *g)
{
    return arena_alloc(&v->arenas[i], (g->count + ROW_PAD) * sizeof(double));
}

err vec_make(struct exec *x, const struct grid *g, size_t count, struct vec *out)
{
    vec_init(x, out, 1);
    out->rows = ARENA_ARRAY(&out->arenas[0], struct row, count > 0 ? count : 1);
    for (size_t i = 0; i < count && out->rows != NULL; i++) {
        double *values = vec_values(out, 0, g);
        if (values == NULL)
            break;
        row_fill(values, g->count + ROW_PAD, absent_value());
        out->rows[out->count++].values = values;
    }
    err e = out->count == count ? vec_account(x, out) : exec_memory_error(x, x->diag);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

HOT_CLONES void row_fill(double *values, size_t count, double v)
{
    for (size_t i = 0; i < count; i++)
        values[i] = v;
}

HOT_CLONES static size_t count_floats(const double *values, size_t count)
{
    uint64_t absent = 0;
    for (size_t i = 0; i < count; i++)
        absent += f64_bits(values[i]) == STALE_NAN_BITS;
    return count - (size_t)absent;
}

size_t row_present(const double *values, const struct histogram *const *hists, size_t count)
{
    size_t n = count_floats(values, count);
    for (size_t i = 0; hists != NULL && i < count; i++)
        n += hists[i] != NULL;
    return n;
}

uint64_t row_points(const struct histogram *const *hists, size_t count, size_t present)
{
    uint64_t n = present;
    for (size_t i = 0; hists != NULL && i < count; i++)
        n += hists[i] != NULL ? histogram_points(hists[i]) - 1 : 0;
    return n;
}

err vec_hold(struct exec *x, const struct grid *g, struct vec *v)
{
    uint64_t points = 0;
    for (size_t i = 0; i < v->count; i++)
        points += row_points(v->rows[i].hists, g->count,
                             row_present(v->rows[i].values, v->rows[i].hists, g->count));
    exec_release(x, v->points);
    v->points = points;
    return exec_hold(x, points, x->diag);
}

void vec_compact(struct vec *v, const struct grid *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->count; i++)
        if (row_present(v->rows[i].values, v->rows[i].hists, g->count) > 0)
            v->rows[kept++] = v->rows[i];
    v->count = kept;
}

static err conflict(struct exec *x)
{
    return diag_set(x->diag, ERR_INVALID, "vector cannot contain metrics with the same labelset");
}

/* Move the points of `from` into `to`. */
static err join_rows(struct exec *x, struct vec *v, const struct grid *g, struct row *to,
                     const struct row *from)
{
    if (from->hists != NULL && to->hists == NULL) {
        to->hists = arena_zalloc(&v->arenas[0], g->count, sizeof(*to->hists));
        if (to->hists == NULL)
            return exec_memory_error(x, x->diag);
    }
    for (size_t k = 0; k < g->count; k++) {
        if (!row_has(from, k))
            continue;
        if (row_has(to, k))
            return conflict(x);
        to->values[k] = from->values[k];
        if (from->hists != NULL)
            to->hists[k] = from->hists[k];
    }
    return OK;
}

err vec_merge_equal(struct exec *x, const struct grid *g, struct vec *v)
{
    if (v->count < 2)
        return OK;
    struct group_table t;
    group_table_init(&t, x, NULL);
    size_t kept = 0;
    err e = OK;
    for (size_t i = 0; i < v->count && e == OK; i++) {
        uint32_t id;
        struct row *r = &v->rows[i];
        e = group_table_add(&t, r->labels, &id);
        if (e == OK && id < kept)
            e = join_rows(x, v, g, &v->rows[id], r);
        else if (e == OK)
            v->rows[kept++] = *r;
    }
    group_table_fini(&t);
    v->count = e == OK ? kept : v->count;
    return e;
}

err vec_merge_result(struct exec *x, const struct grid *g, struct vec *v)
{
    if (x->options->delayed_name_removal && grid_is_instant(g)) {
        x->equal_rows = true;
        return OK;
    }
    return vec_merge_equal(x, g, v);
}

bool is_metadata_label(str name)
{
    return str_eq(name, LABEL_NAME) || str_eq(name, LABEL_TYPE) || str_eq(name, LABEL_UNIT);
}

bool labels_have_metadata(struct labels ls)
{
    for (size_t i = 0; i < ls.count; i++)
        if (str_eq(ls.items[i].name, LABEL_TYPE) || str_eq(ls.items[i].name, LABEL_UNIT))
            return true;
    return false;
}

err labels_drop_metadata(struct exec *x, struct labels *ls)
{
    size_t drop = 0;
    for (size_t i = 0; i < ls->count; i++)
        drop += is_metadata_label(ls->items[i].name);
    if (drop == 0)
        return OK;
    if (drop == 1 && is_metadata_label(ls->items[0].name)) { /* nearly always */
        ls->items++;
        ls->count--;
        return OK;
    }
    struct label *items = ARENA_ARRAY(&x->arena, struct label, ls->count);
    if (items == NULL)
        return exec_memory_error(x, x->diag);
    size_t n = 0;
    for (size_t i = 0; i < ls->count; i++)
        if (!is_metadata_label(ls->items[i].name))
            items[n++] = ls->items[i];
    *ls = (struct labels){items, n};
    return OK;
}

err row_drop_name(struct exec *x, struct row *r)
{
    if (x->options->delayed_name_removal) {
        r->drop_name = true;
        return OK;
    }
    return labels_drop_metadata(x, &r->labels);
}

err vec_drop_names(struct exec *x, const struct grid *g, struct vec *v)
{
    for (size_t i = 0; i < v->count; i++)
        TRY(row_drop_name(x, &v->rows[i]));
    if (v->one_name || x->options->delayed_name_removal)
        return OK;
    v->one_name = true;
    return vec_merge_equal(x, g, v);
}

err exec_remove_names(struct exec *x, const struct grid *g, struct vec *v)
{
    bool any = x->equal_rows;
    for (size_t i = 0; i < v->count; i++) {
        if (!v->rows[i].drop_name)
            continue;
        TRY(labels_drop_metadata(x, &v->rows[i].labels));
        any = true;
    }
    return any ? vec_merge_equal(x, g, v) : OK;
}
