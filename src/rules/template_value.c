/* template_value.c -- see template_value.h. */
#include "rules/template_value.h"

#include <stdlib.h>

const struct template_type TEMPLATE_ANY = {.name = "interface {}", .kind = TEMPLATE_KIND_ANY};
const struct template_type TEMPLATE_BOOL = {.name = "bool", .kind = TEMPLATE_KIND_BOOL};
const struct template_type TEMPLATE_INT = {.name = "int", .kind = TEMPLATE_KIND_INT};
const struct template_type TEMPLATE_UINT8 = {.name = "uint8", .kind = TEMPLATE_KIND_UINT};
const struct template_type TEMPLATE_FLOAT = {.name = "float64", .kind = TEMPLATE_KIND_FLOAT};
const struct template_type TEMPLATE_STRING = {.name = "string", .kind = TEMPLATE_KIND_STRING};
const struct template_type TEMPLATE_HTML = {.name = "template.HTML", .kind = TEMPLATE_KIND_STRING};
const struct template_type TEMPLATE_URL = {.name = "template.URL", .kind = TEMPLATE_KIND_STRING};
const struct template_type TEMPLATE_STRINGS = {
    .name = "[]string", .kind = TEMPLATE_KIND_LIST, .elem = &TEMPLATE_STRING};
const struct template_type TEMPLATE_STRING_MAP = {
    .name = "map[string]string", .kind = TEMPLATE_KIND_MAP, .elem = &TEMPLATE_STRING};
const struct template_type TEMPLATE_ANY_MAP = {
    .name = "map[string]interface {}", .kind = TEMPLATE_KIND_MAP, .elem = &TEMPLATE_ANY};
const struct template_type TEMPLATE_ANY_LIST = {
    .name = "[]interface {}", .kind = TEMPLATE_KIND_LIST, .elem = &TEMPLATE_ANY};

struct template_value template_zero(const struct template_type *type)
{
    if (type->kind == TEMPLATE_KIND_ANY)
        return (struct template_value){.boxed = true};
    struct template_value v = {.type = type};
    if (type->kind == TEMPLATE_KIND_STRING)
        v.s = STR("");
    return v;
}

err template_label_map(const struct template_type *type, struct labels ls, struct arena *a,
                       struct template_value *out)
{
    struct template_entry *entries = ARENA_ARRAY(a, struct template_entry, ls.count + 1);
    if (entries == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < ls.count; i++)
        entries[i] = (struct template_entry){ls.items[i].name, template_string(ls.items[i].value)};
    *out = template_map(type, entries, ls.count);
    return OK;
}

err template_string_list(const str *items, size_t count, struct arena *a,
                         struct template_value *out)
{
    struct template_value *values = ARENA_ARRAY(a, struct template_value, count + 1);
    if (values == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        values[i] = template_string(items[i]);
    *out = template_list(&TEMPLATE_STRINGS, values, count);
    return OK;
}

const struct template_value *template_map_get(const struct template_value *map, str key)
{
    size_t lo = 0, hi = map->map.count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(map->map.entries[mid].key, key);
        if (c == 0)
            return &map->map.entries[mid].value;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

bool template_is_nil(const struct template_value *v)
{
    if (v->type == NULL || !v->type->is_pointer)
        return v->type == NULL;
    if (v->type->kind == TEMPLATE_KIND_TIME)
        return v->time == NULL;
    return v->type->kind == TEMPLATE_KIND_OBJECT && v->fields == NULL;
}

struct template_value template_pointee(const struct template_value *v)
{
    struct template_value pointee = *v;
    if (v->type != NULL && v->type->is_pointer && !template_is_nil(v))
        pointee.type = v->type->target;
    return pointee;
}

size_t template_len(const struct template_value *v)
{
    switch (v->type->kind) {
    case TEMPLATE_KIND_STRING:
        return v->s.len;
    case TEMPLATE_KIND_LIST:
        return v->list.count;
    case TEMPLATE_KIND_MAP:
        return v->map.count;
    case TEMPLATE_KIND_ANY:
    case TEMPLATE_KIND_BOOL:
    case TEMPLATE_KIND_INT:
    case TEMPLATE_KIND_UINT:
    case TEMPLATE_KIND_FLOAT:
    case TEMPLATE_KIND_OBJECT:
    case TEMPLATE_KIND_TIME:
    case TEMPLATE_KIND_FUNC:
        break;
    }
    return 0;
}

bool template_truth(const struct template_value *v)
{
    if (v->type == NULL)
        return false;
    if (v->type->is_pointer)
        return !template_is_nil(v);
    switch (v->type->kind) {
    case TEMPLATE_KIND_BOOL:
        return v->truth;
    case TEMPLATE_KIND_INT:
    case TEMPLATE_KIND_UINT:
        return v->i != 0;
    case TEMPLATE_KIND_FLOAT:
        return v->f != 0;
    case TEMPLATE_KIND_STRING:
    case TEMPLATE_KIND_LIST:
    case TEMPLATE_KIND_MAP:
        return template_len(v) > 0;
    case TEMPLATE_KIND_OBJECT:
    case TEMPLATE_KIND_TIME:
        return !template_is_nil(v);
    case TEMPLATE_KIND_ANY:
    case TEMPLATE_KIND_FUNC:
        break;
    }
    return false;
}

static int compare_entries(const void *a, const void *b)
{
    const struct template_entry *x = a, *y = b;
    return str_cmp(x->key, y->key);
}

void template_entries_sort(struct template_entry *entries, size_t count)
{
    if (count > 1)
        qsort(entries, count, sizeof(*entries), compare_entries);
}
