/* info_join.c -- labels of info series for rows of equal identity, step by step: an info series
 * that ends and begins anew with other labels makes another row. */
#include "query/info.h"

#include "query/call.h"

static const uint32_t NONE = UINT32_MAX;

/* An info metric of one identity; its series take turns. */
struct source {
    str name;
    uint32_t next;   /* another metric of the identity */
    uint32_t newest; /* at the step at hand: row of the series with the newest sample */
};

struct base_state {   /* of a row: what its labels at the last step were made of */
    uint32_t sources; /* of its identity: the first */
    uint32_t *newest; /* of each source */
    uint32_t target;  /* row of the result; NONE: the row has no place there */
    bool known;
};

struct run {
    struct info_join *j;
    struct vec *base, *out;
    struct group_table identities, targets;
    struct source *sources;
    size_t source_count;
    uint32_t *heads;     /* by identity: its first source */
    uint32_t *source_of; /* by row of the info series */
    struct base_state *states;
    size_t rows_cap;
    bool empty_matches; /* do all matchers of data labels accept none? */
    struct label *added;
    size_t added_cap;
};

/* ---- preparation ---- */

static err add_source(struct run *r, uint32_t row)
{
    struct labels ls = r->j->info->rows[row].labels;
    str name = labels_get(ls, LABEL_NAME);
    uint32_t identity;
    TRY(group_table_add(&r->identities, ls, &identity));
    uint32_t *at = &r->heads[identity];
    while (*at != NONE && !str_eq(r->sources[*at].name, name))
        at = &r->sources[*at].next;
    if (*at == NONE) {
        *at = (uint32_t)r->source_count;
        r->sources[r->source_count++] = (struct source){name, NONE, NONE};
    }
    r->source_of[row] = *at;
    r->added_cap += ls.count;
    return OK;
}

static err init_state(struct run *r, size_t i)
{
    uint32_t identity, count = 0;
    TRY(group_table_add(&r->identities, r->base->rows[i].labels, &identity));
    struct base_state *s = &r->states[i];
    s->sources = r->heads[identity];
    for (uint32_t at = s->sources; at != NONE; at = r->sources[at].next)
        count++;
    s->newest = ARENA_ARRAY(&r->j->x->arena, uint32_t, (size_t)count + 1);
    return s->newest != NULL ? OK : exec_memory_error(r->j->x, r->j->x->diag);
}

static err prepare(struct run *r)
{
    struct exec *x = r->j->x;
    size_t infos = r->j->info->count, rows = r->base->count;
    r->sources = ARENA_ARRAY(&x->arena, struct source, infos + 1);
    r->source_of = ARENA_ARRAY(&x->arena, uint32_t, infos + 1);
    r->heads = ARENA_ARRAY(&x->arena, uint32_t, infos + rows + 1);
    r->states = ARENA_ARRAY(&x->arena, struct base_state, rows + 1);
    if (r->sources == NULL || r->source_of == NULL || r->heads == NULL || r->states == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i <= infos + rows; i++)
        r->heads[i] = NONE;
    for (uint32_t i = 0; i < infos; i++)
        TRY(add_source(r, i));
    for (size_t i = 0; i < rows; i++)
        TRY(init_state(r, i));
    r->added = ARENA_ARRAY(&x->arena, struct label, r->added_cap + 1);
    if (r->added == NULL)
        return exec_memory_error(x, x->diag);
    r->empty_matches = true;
    for (size_t i = 0; i < r->j->data_count; i++)
        r->empty_matches = r->empty_matches && r->j->data[i].matches_empty;
    return OK;
}

/* ---- one step ---- */

static err duplicates(struct run *r, const struct row *a, const struct row *b, int64_t ts_ms)
{
    struct buf first = {0}, second = {0};
    labels_format(a->labels, &first);
    labels_format(b->labels, &second);
    err e = diag_set(r->j->x->diag, ERR_INVALID,
                     "found duplicate series for info metric: existing %s @ %lld, new %s @ %lld",
                     buf_cstr(&first), (long long)ts_ms, buf_cstr(&second), (long long)ts_ms);
    buf_fini(&first);
    buf_fini(&second);
    return e;
}

/* Which series of each source has the newest sample at step `k`. */
static err find_newest(struct run *r, size_t k)
{
    const struct row *rows = r->j->info->rows;
    for (size_t i = 0; i < r->source_count; i++)
        r->sources[i].newest = NONE;
    for (uint32_t i = 0; i < r->j->info->count; i++) {
        double ts = rows[i].values[k];
        uint32_t *newest = &r->sources[r->source_of[i]].newest;
        if (is_absent(ts))
            continue;
        if (*newest != NONE && rows[*newest].values[k] == ts)
            return duplicates(r, &rows[*newest], &rows[i], (int64_t)ts);
        if (*newest == NONE || rows[*newest].values[k] < ts)
            *newest = i;
    }
    return OK;
}

static bool is_wanted(const struct info_join *j, str name)
{
    if (str_eq(name, LABEL_NAME))
        return false;
    for (size_t i = 0; i < j->data_count; i++)
        if (str_eq(j->data[i].name, name))
            return true;
    return j->data_count == 0;
}

static const struct label *find_label(const struct label *items, size_t count, str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(items[i].name, name))
            return &items[i];
    return NULL;
}

/* The labels of one info series for a row, after those of others. */
static err take_labels(struct run *r, struct labels base, struct labels info, size_t *count)
{
    for (size_t i = 0; i < info.count; i++) {
        struct label l = info.items[i];
        if (!is_wanted(r->j, l.name))
            continue;
        const struct label *known = find_label(r->added, *count, l.name);
        if (known != NULL && !str_eq(known->value, l.value))
            return diag_set(r->j->x->diag, ERR_INVALID, "conflicting label: " STR_FMT,
                            STR_ARG(l.name));
        if (known == NULL && labels_get(base, l.name).len == 0)
            r->added[(*count)++] = l;
    }
    return OK;
}

static err join_labels(struct run *r, struct labels base, size_t added, struct labels *out)
{
    struct label *items = ARENA_ARRAY(&r->j->x->arena, struct label, base.count + added + 1);
    if (items == NULL)
        return exec_memory_error(r->j->x, r->j->x->diag);
    if (base.count > 0)
        memcpy(items, base.items, base.count * sizeof(*items));
    if (added > 0)
        memcpy(items + base.count, r->added, added * sizeof(*items));
    *out = (struct labels){items, labels_sort(items, base.count + added)};
    return OK;
}

/* The row of the result with these labels, made when it is new. */
static err find_target(struct run *r, struct labels ls, const struct row *from, uint32_t *out)
{
    struct exec *x = r->j->x;
    struct vec *v = r->out;
    TRY(group_table_add(&r->targets, ls, out));
    if (*out < v->count)
        return OK;
    if (v->count == r->rows_cap) {
        r->rows_cap = r->rows_cap > 0 ? 2 * r->rows_cap : r->base->count + 1;
        struct row *rows = ARENA_ARRAY(&v->arenas[0], struct row, r->rows_cap);
        if (rows == NULL)
            return exec_memory_error(x, x->diag);
        if (v->count > 0)
            memcpy(rows, v->rows, v->count * sizeof(*rows));
        v->rows = rows;
    }
    double *values = vec_values(v, 0, r->j->grid);
    if (values == NULL)
        return exec_memory_error(x, x->diag);
    row_fill(values, r->j->grid->count + ROW_PAD, absent_value());
    v->rows[v->count++] = (struct row){ls, values, NULL, from->drop_name};
    return OK;
}

/* Where the point of row `i` goes, from what is newest now. */
static err match_row(struct run *r, size_t i)
{
    struct base_state *s = &r->states[i];
    const struct row *row = &r->base->rows[i];
    struct labels ls = row->labels;
    size_t added = 0, n = 0;
    bool found = false;
    for (uint32_t at = s->sources; at != NONE && !r->j->ignored[i]; at = r->sources[at].next) {
        uint32_t newest = s->newest[n++] = r->sources[at].newest;
        if (newest == NONE)
            continue;
        found = true;
        TRY(take_labels(r, row->labels, r->j->info->rows[newest].labels, &added));
    }
    s->known = true;
    s->target = NONE;
    if (!r->j->ignored[i] && !found && !r->empty_matches)
        return OK;
    if (added > 0)
        TRY(join_labels(r, row->labels, added, &ls));
    return find_target(r, ls, row, &s->target);
}

static bool is_as_before(const struct run *r, const struct base_state *s, bool ignored)
{
    if (!s->known || ignored)
        return s->known;
    size_t n = 0;
    for (uint32_t at = s->sources; at != NONE; at = r->sources[at].next)
        if (s->newest[n++] != r->sources[at].newest)
            return false;
    return true;
}

static err put_point(struct run *r, size_t i, size_t k)
{
    struct exec *x = r->j->x;
    const struct row *from = &r->base->rows[i];
    struct row *to = &r->out->rows[r->states[i].target];
    if (row_has(to, k))
        return diag_set(x->diag, ERR_INVALID,
                        "vector cannot contain metrics with the same labelset");
    to->values[k] = from->values[k];
    if (from->hists == NULL || from->hists[k] == NULL)
        return OK;
    if (to->hists == NULL)
        to->hists = arena_zalloc(&r->out->arenas[0], r->j->grid->count, sizeof(*to->hists));
    if (to->hists == NULL)
        return exec_memory_error(x, x->diag);
    to->hists[k] = from->hists[k];
    return OK;
}

static err join_step(struct run *r, size_t k)
{
    bool any = false;
    TRY(exec_visit_main(r->j->x, r->base->count + r->j->info->count));
    for (size_t i = 0; i < r->base->count; i++) {
        if (!row_has(&r->base->rows[i], k))
            continue;
        if (!any)
            TRY(find_newest(r, k));
        any = true;
        if (!is_as_before(r, &r->states[i], r->j->ignored[i]))
            TRY(match_row(r, i));
        if (r->states[i].target != NONE)
            TRY(put_point(r, i, k));
    }
    return OK;
}

/* ---- all ---- */

static err join_all(struct run *r)
{
    TRY(prepare(r));
    for (size_t k = 0; k < r->j->grid->count; k++)
        TRY(join_step(r, k));
    TRY(vec_account(r->j->x, r->out));
    vec_adopt(r->out, r->base); /* histograms are shared */
    return vec_hold(r->j->x, r->j->grid, r->out);
}

err info_join_rows(struct info_join *j, struct vec *base, struct vec *out)
{
    struct exec *x = j->x;
    struct signature identity = {
        .names = INFO_IDENTITY, .count = INFO_IDENTITY_COUNT, .keep = true};
    struct run r = {.j = j, .base = base, .out = out};
    vec_init(x, out, 1);
    out->one_name = false; /* data labels may be __type__ */
    group_table_init(&r.identities, x, &identity);
    group_table_init(&r.targets, x, NULL);
    err e = join_all(&r);
    group_table_fini(&r.identities);
    group_table_fini(&r.targets);
    if (e != OK)
        vec_fini(x, out);
    return e;
}
