/* registry_top.c -- the heaviest labels, values and metrics. */
#include <string.h>

#include "base/mem.h"
#include "storage/registry_priv.h"

struct top_item {
    uint64_t value;
    str name, detail; /* detail: a pair's value */
};

struct top { /* a heap whose root is the lightest of those kept */
    struct top_item *items;
    size_t count, limit, cap;
};

/* Does `a` stand behind `b` in the answer? */
static bool is_lighter(const struct top_item *a, const struct top_item *b)
{
    if (a->value != b->value)
        return a->value < b->value;
    int c = str_cmp(a->name, b->name);
    return (c != 0 ? c : str_cmp(a->detail, b->detail)) > 0;
}

static void top_swap(struct top *t, size_t i, size_t k)
{
    struct top_item item = t->items[i];
    t->items[i] = t->items[k];
    t->items[k] = item;
}

static void top_sink(struct top *t, size_t i, size_t count)
{
    for (size_t child = 2 * i + 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && is_lighter(&t->items[child + 1], &t->items[child]))
            child++;
        if (!is_lighter(&t->items[child], &t->items[i]))
            break;
        top_swap(t, i, child);
        i = child;
    }
}

static void top_add(struct top *t, struct top_item item)
{
    if (t->count == t->limit) {
        if (t->limit > 0 && is_lighter(&t->items[0], &item)) {
            t->items[0] = item;
            top_sink(t, 0, t->count);
        }
        return;
    }
    if (t->count == t->cap) {
        t->cap = t->cap < 16 ? 16 : t->cap * 2;
        t->items = mem_resize(t->items, t->cap, sizeof(struct top_item));
    }
    t->items[t->count] = item;
    for (size_t i = t->count++; i > 0; i = (i - 1) / 2) {
        if (!is_lighter(&t->items[i], &t->items[(i - 1) / 2]))
            break;
        top_swap(t, i, (i - 1) / 2);
    }
}

/* Take the heap apart, lightest last: descending order. */
static void top_sort(struct top *t)
{
    for (size_t n = t->count; n > 1; n--) {
        top_swap(t, 0, n - 1);
        top_sink(t, 0, n - 1);
    }
}

static void top_pairs_of(const struct registry *r, const struct symbol_name *n,
                         enum db_top_kind kind, struct top *t)
{
    uint64_t values = 0, bytes = 0;
    bool is_metric = str_eq(symbols_text(n), LABEL_NAME);
    for (uint32_t i = 0; i < n->pair_count; i++) {
        const struct symbol_pair *p = symbols_pair(&r->symbols, n->pairs[i]);
        if (p->series.count == 0)
            continue;
        values++;
        bytes += (uint64_t)p->series.count * p->value_len;
        if (kind == TOP_SERIES_BY_METRIC && is_metric)
            top_add(t, (struct top_item){p->series.count, symbols_value(p), STR("")});
        if (kind == TOP_SERIES_BY_PAIR)
            top_add(t, (struct top_item){p->series.count, symbols_text(n), symbols_value(p)});
    }
    if (values > 0 && kind == TOP_VALUES_BY_LABEL)
        top_add(t, (struct top_item){values, symbols_text(n), STR("")});
    if (values > 0 && kind == TOP_BYTES_BY_LABEL)
        top_add(t, (struct top_item){bytes, symbols_text(n), STR("")});
}

static str top_text(const struct top_item *item, enum db_top_kind kind, struct arena *a)
{
    if (kind != TOP_SERIES_BY_PAIR)
        return arena_str(a, item->name);
    size_t len = item->name.len + 1 + item->detail.len;
    char *text = arena_alloc(a, len);
    if (text == NULL)
        return (str){NULL, 0};
    memcpy(text, item->name.ptr, item->name.len);
    text[item->name.len] = '=';
    memcpy(text + item->name.len + 1, item->detail.ptr, item->detail.len);
    return (str){text, len};
}

static err top_finish(const struct top *t, enum db_top_kind kind, struct arena *a,
                      struct db_top **out, size_t *count)
{
    struct db_top *copy = ARENA_ARRAY(a, struct db_top, MAX(t->count, (size_t)1));
    if (copy == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < t->count; i++) {
        copy[i] = (struct db_top){top_text(&t->items[i], kind, a), t->items[i].value};
        if (copy[i].name.ptr == NULL)
            return ERR_LIMIT;
    }
    *out = copy;
    *count = t->count;
    return OK;
}

err registry_top(struct registry *r, enum db_top_kind kind, size_t limit, struct arena *a,
                 struct db_top **out, size_t *count)
{
    struct top t = {.limit = limit};
    struct registry_pin pin;
    registry_pin(r, &pin);
    rwlock_read(&r->lock);
    for (uint32_t i = 0; i < r->symbols.name_end; i++)
        if (symbols_name(&r->symbols, i)->text != NULL)
            top_pairs_of(r, symbols_name(&r->symbols, i), kind, &t);
    rwlock_unlock(&r->lock);
    top_sort(&t);
    err e = top_finish(&t, kind, a, out, count);
    registry_unpin(r, &pin);
    mem_free(t.items);
    return e;
}
