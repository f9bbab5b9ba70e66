/* heaviest.c -- see heaviest.h. */
#include "storage/heaviest.h"

#include <string.h>

#include "base/mem.h"

/* Does `a` stand behind `b` in the answer? */
static bool is_lighter(const struct heavy_item *a, const struct heavy_item *b)
{
    if (a->value != b->value)
        return a->value < b->value;
    int c = str_cmp(a->name, b->name);
    return (c != 0 ? c : str_cmp(a->detail, b->detail)) > 0;
}

static void swap(struct heaviest *t, size_t i, size_t k)
{
    struct heavy_item item = t->items[i];
    t->items[i] = t->items[k];
    t->items[k] = item;
}

static void sink(struct heaviest *t, size_t i, size_t count)
{
    for (size_t child = 2 * i + 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && is_lighter(&t->items[child + 1], &t->items[child]))
            child++;
        if (!is_lighter(&t->items[child], &t->items[i]))
            break;
        swap(t, i, child);
        i = child;
    }
}

void heaviest_add(struct heaviest *t, struct heavy_item item)
{
    if (t->count == t->limit) {
        if (t->limit > 0 && is_lighter(&t->items[0], &item)) {
            t->items[0] = item;
            sink(t, 0, t->count);
        }
        return;
    }
    if (t->count == t->cap) {
        t->cap = t->cap < 16 ? 16 : t->cap * 2;
        t->items = mem_resize(t->items, t->cap, sizeof(struct heavy_item));
    }
    t->items[t->count] = item;
    for (size_t i = t->count++; i > 0; i = (i - 1) / 2) {
        if (!is_lighter(&t->items[i], &t->items[(i - 1) / 2]))
            break;
        swap(t, i, (i - 1) / 2);
    }
}

/* Take the heap apart, lightest last. */
static void sort(struct heaviest *t)
{
    for (size_t n = t->count; n > 1; n--) {
        swap(t, 0, n - 1);
        sink(t, 0, n - 1);
    }
}

static str text_of(const struct heavy_item *item, struct arena *a)
{
    if (item->detail.len == 0)
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

err heaviest_finish(struct heaviest *t, struct arena *a, struct db_top **out, size_t *count)
{
    sort(t);
    struct db_top *copy = ARENA_ARRAY(a, struct db_top, MAX(t->count, (size_t)1));
    err e = copy != NULL ? OK : ERR_LIMIT;
    for (size_t i = 0; i < t->count && e == OK; i++) {
        copy[i] = (struct db_top){text_of(&t->items[i], a), t->items[i].value};
        e = copy[i].name.ptr != NULL ? OK : ERR_LIMIT;
    }
    *out = copy;
    *count = t->count;
    mem_free(t->items);
    *t = (struct heaviest){.limit = t->limit};
    return e;
}
