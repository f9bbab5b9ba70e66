/* Listing of label names and values, and the heaviest of them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "storage/registry_priv.h"
#include "storage/registry_select.h"

struct strings { /* in the heap; the texts are the registry's */
    str *items;
    size_t count, cap;
};

static void strings_add(struct strings *s, str text)
{
    if (s->count == s->cap) {
        s->cap = s->cap < 64 ? 64 : s->cap * 2;
        s->items = mem_resize(s->items, s->cap, sizeof(str));
    }
    s->items[s->count++] = text;
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Sort, cut at `limit`, copy into the arena. Pinned, without the lock. */
static err strings_finish(struct strings *s, size_t limit, struct arena *a, str **out,
                          size_t *count, bool *more)
{
    if (s->count > 0)
        qsort(s->items, s->count, sizeof(str), compare_str);
    size_t n = limit > 0 ? MIN(limit, s->count) : s->count;
    str *copy = ARENA_ARRAY(a, str, MAX(n, (size_t)1));
    if (copy == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        copy[i] = arena_str(a, s->items[i]);
        if (copy[i].ptr == NULL)
            return ERR_LIMIT;
    }
    *out = copy;
    *count = n;
    *more = s->count > n;
    return OK;
}

/* ---- Names ---- */

static bool name_in_use(const struct registry *r, const struct symbol_name *n)
{
    for (uint32_t i = 0; i < n->pair_count; i++)
        if (symbols_pair(&r->symbols, n->pairs[i])->series.count > 0)
            return true;
    return false;
}

static void all_names(const struct registry *r, struct strings *out)
{
    for (uint32_t i = 0; i < r->symbols.name_end; i++) {
        const struct symbol_name *n = symbols_name(&r->symbols, i);
        if (n->text != NULL && name_in_use(r, n))
            strings_add(out, symbols_text(n));
    }
}

static err names_of(struct registry *r, const struct db_select_args *args, struct strings *out)
{
    uint32_t *ids = NULL;
    size_t count = 0;
    TRY(select_locked(r, args, &ids, &count, NULL));
    uint64_t *seen = mem_zalloc(r->symbols.name_end / 64 + 1, sizeof(uint64_t));
    for (size_t i = 0; i < count; i++) {
        const struct series *s = registry_line(r, ids[i]);
        for (unsigned k = 0; k < s->label_count; k++) {
            uint32_t name = symbols_pair(&r->symbols, s->meta->pairs[k])->name;
            uint64_t bit = (uint64_t)1 << (name % 64);
            if ((seen[name / 64] & bit) == 0)
                strings_add(out, symbols_text(symbols_name(&r->symbols, name)));
            seen[name / 64] |= bit;
        }
    }
    mem_free(seen);
    mem_free(ids);
    return OK;
}

err registry_label_names(struct registry *r, const struct db_select_args *args, size_t limit,
                         struct arena *a, str **out, size_t *count, bool *more)
{
    struct strings found = {.count = 0};
    struct registry_pin pin;
    registry_pin(r, &pin);
    rwlock_read(&r->lock);
    err e = OK;
    if (args->matcher_count == 0)
        all_names(r, &found);
    else
        e = names_of(r, args, &found);
    rwlock_unlock(&r->lock);
    if (e == OK)
        e = strings_finish(&found, limit, a, out, count, more);
    registry_unpin(r, &pin);
    mem_free(found.items);
    return e;
}

/* ---- Values ---- */

static void all_values(const struct registry *r, const struct symbol_name *n, struct strings *out)
{
    for (uint32_t i = 0; i < n->pair_count; i++) {
        const struct symbol_pair *pair = symbols_pair(&r->symbols, n->pairs[i]);
        if (pair->series.count > 0)
            strings_add(out, symbols_value(pair));
    }
}

static err values_of(struct registry *r, uint32_t name, const struct db_select_args *args,
                     struct strings *out)
{
    uint32_t *ids = NULL;
    size_t count = 0;
    TRY(select_locked(r, args, &ids, &count, NULL));
    size_t slots = symbols_name(&r->symbols, name)->pair_count;
    unsigned guess = 0;
    uint64_t *seen = mem_zalloc(slots / 64 + 1, sizeof(uint64_t));
    for (size_t i = 0; i < count; i++) {
        const struct symbol_pair *pair = registry_pair_of(r, ids[i], name, &guess);
        if (pair == NULL)
            continue;
        uint64_t bit = (uint64_t)1 << (pair->slot % 64);
        if ((seen[pair->slot / 64] & bit) == 0)
            strings_add(out, symbols_value(pair));
        seen[pair->slot / 64] |= bit;
    }
    mem_free(seen);
    mem_free(ids);
    return OK;
}

err registry_label_values(struct registry *r, str name, const struct db_select_args *args,
                          size_t limit, struct arena *a, str **out, size_t *count, bool *more)
{
    struct strings found = {.count = 0};
    struct registry_pin pin;
    registry_pin(r, &pin);
    rwlock_read(&r->lock);
    err e = OK;
    uint32_t id = symbols_find_name(&r->symbols, name);
    if (id != ID_NONE && args->matcher_count == 0)
        all_values(r, symbols_name(&r->symbols, id), &found);
    else if (id != ID_NONE)
        e = values_of(r, id, args, &found);
    rwlock_unlock(&r->lock);
    if (e == OK)
        e = strings_finish(&found, limit, a, out, count, more);
    registry_unpin(r, &pin);
    mem_free(found.items);
    return e;
}

/* ---- The heaviest ---- */

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
