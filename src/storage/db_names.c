/* db_names.c -- label names and values from the indexes of blocks and registry. */
#include "base/mem.h"
#include "storage/selection_priv.h"

struct list { /* ascending, no repeats */
    str *items;
    size_t count;
};

struct names_query {
    struct db *db;
    const struct db_select_args *args;
    str name;     /* whose values; ptr NULL: label names */
    size_t limit; /* of each list, one more than asked for; 0: none */
    struct view *view;
    struct registry_pin pin;
    struct arena scratch;
    struct list *lists;
    size_t list_count;
};

static err from_registry(struct names_query *q)
{
    struct db_select_args args = *q->args;
    args.series_max = 0;
    struct list *l = &q->lists[q->list_count++];
    bool more;
    struct registry *r = q->db->registry;
    if (q->name.ptr != NULL)
        return registry_label_values(r, q->name, &args, q->limit, &q->scratch, &l->items, &l->count,
                                     &more);
    return registry_label_names(r, &args, q->limit, &q->scratch, &l->items, &l->count, &more);
}

static err from_block(struct names_query *q, struct block *b)
{
    const struct db_select_args *args = q->args;
    struct diag d = {0};
    struct list l = {0};
    struct block_cursor *c = block_cursor_open(b);
    err e = q->name.ptr != NULL
                ? block_label_values(c, q->name, args->matchers, args->matcher_count, q->limit,
                                     &q->scratch, &l.items, &l.count, &d)
                : block_label_names(c, args->matchers, args->matcher_count, q->limit, &q->scratch,
                                    &l.items, &l.count, &d);
    block_cursor_close(c); /* the view keeps the block, and the block its strings */
    if (e == ERR_CORRUPT) {
        db_quarantine(q->db, b, d.text);
        return OK;
    }
    q->lists[q->list_count++] = l;
    return e;
}

static err merge_two(struct names_query *q, const struct list *a, const struct list *b,
                     struct list *out)
{
    struct list m = {ARENA_ARRAY(&q->scratch, str, a->count + b->count + 1), 0};
    if (m.items == NULL)
        return ERR_LIMIT;
    size_t i = 0, k = 0;
    while (i < a->count || k < b->count) {
        int c = i == a->count ? 1 : k == b->count ? -1 : str_cmp(a->items[i], b->items[k]);
        m.items[m.count++] = c <= 0 ? a->items[i] : b->items[k];
        i += c <= 0;
        k += c >= 0;
    }
    if (q->limit > 0)
        m.count = MIN(m.count, q->limit);
    *out = m;
    return OK;
}

/* Merge pairs of lists until one is left. */
static err merge_all(struct names_query *q)
{
    while (q->list_count > 1) {
        size_t kept = 0;
        TRY(select_check(q->args));
        for (size_t i = 0; i < q->list_count; i += 2) {
            if (i + 1 < q->list_count)
                TRY(merge_two(q, &q->lists[i], &q->lists[i + 1], &q->lists[kept]));
            else
                q->lists[kept] = q->lists[i];
            kept++;
        }
        q->list_count = kept;
    }
    return OK;
}

static err gather(struct names_query *q)
{
    const struct view *v = q->view;
    int64_t min_ms = q->args->min_ms, max_ms = q->args->max_ms;
    q->lists = ARENA_ARRAY(&q->scratch, struct list, v->block_count + 2);
    if (q->lists == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < v->block_count; i++) {
        TRY(select_check(q->args));
        if (block_overlaps(v->blocks[i], min_ms, max_ms))
            TRY(from_block(q, v->blocks[i]));
    }
    if (view_heads_overlap(v, min_ms, max_ms))
        TRY(from_registry(q));
    return merge_all(q);
}

static err copy_out(const struct list *l, size_t limit, struct arena *a, str **out, size_t *count,
                    bool *more)
{
    size_t n = limit > 0 ? MIN(l->count, limit) : l->count;
    str *items = ARENA_ARRAY(a, str, n + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        items[i] = arena_str(a, l->items[i]);
        if (items[i].ptr == NULL)
            return ERR_LIMIT;
    }
    *out = items;
    *count = n;
    *more = l->count > n;
    return OK;
}

static err names(struct db *db, str name, const struct db_select_args *args, size_t limit,
                 struct arena *a, str **out, size_t *count, bool *more)
{
    struct names_query q = {.db = db, .args = args, .name = name};
    q.limit = limit > 0 ? limit + 1 : 0;
    arena_init(&q.scratch, a->budget_bytes - MIN(a->used_bytes, a->budget_bytes));
    registry_pin(db->registry, &q.pin);
    q.view = view_get(db);
    err e = gather(&q);
    if (e == OK) {
        struct list none = {0};
        e = copy_out(q.list_count > 0 ? &q.lists[0] : &none, limit, a, out, count, more);
    }
    view_put(q.view);
    registry_unpin(db->registry, &q.pin);
    arena_fini(&q.scratch);
    return e;
}

err db_label_names(struct db *db, const struct db_select_args *args, size_t limit, struct arena *a,
                   str **out, size_t *count, bool *more)
{
    return names(db, (str){NULL, 0}, args, limit, a, out, count, more);
}

err db_label_values(struct db *db, str name, const struct db_select_args *args, size_t limit,
                    struct arena *a, str **out, size_t *count, bool *more)
{
    str given = name.ptr != NULL ? name : STR("");
    return names(db, given, args, limit, a, out, count, more);
}
