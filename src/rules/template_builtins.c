/* template_builtins.c -- the functions that text/template has itself, with Go's rules of types. */
#include <stdio.h>

#include "rules/template_escape.h"
#include "rules/template_exec.h"
#include "rules/template_format.h"

#define ANY &TEMPLATE_ANY

err call_text(struct template_call *c, struct buf *b, err e, struct template_value *out)
{
    str s = e == OK ? arena_str(c->arena, buf_str(b)) : (str){0};
    buf_fini(b);
    if (e == ERR_LIMIT || (e == OK && s.ptr == NULL))
        return diag_set(c->diag, ERR_LIMIT, "the text would exceed %zu bytes",
                        c->arena->budget_bytes);
    if (e != OK)
        return e;
    *out = template_string(s);
    return OK;
}

size_t call_room(const struct template_call *c)
{
    return c->arena->budget_bytes - MIN(c->arena->budget_bytes, c->arena->used_bytes);
}

static const char *type_name(const struct template_value *v)
{
    return v->type->is_pointer ? v->type->target->name : v->type->name;
}

static err builtin_not(struct template_call *c, const struct template_value *args, size_t count,
                       struct template_value *out)
{
    (void)c, (void)count;
    *out = template_bool(!template_truth(&args[0]));
    return OK;
}

/* `and`, `or` and `call` are the evaluator's own; here only their parameters matter. */
static err builtin_special(struct template_call *c, const struct template_value *args, size_t count,
                           struct template_value *out)
{
    (void)args, (void)count, (void)out;
    return diag_set(c->diag, ERR_UNSUPPORTED, "not callable");
}

static err builtin_len(struct template_call *c, const struct template_value *args, size_t count,
                       struct template_value *out)
{
    (void)count;
    const struct template_value *v = &args[0];
    if (v->type == NULL && !v->boxed)
        return diag_set(c->diag, ERR_INVALID, "reflect: call of reflect.Value.Type on zero Value");
    if (template_is_nil(v))
        return diag_set(c->diag, ERR_INVALID, "len of nil pointer");
    enum template_kind kind = v->type->kind;
    if (kind != TEMPLATE_KIND_STRING && kind != TEMPLATE_KIND_LIST && kind != TEMPLATE_KIND_MAP)
        return diag_set(c->diag, ERR_INVALID, "len of type %s", type_name(v));
    *out = template_int((int64_t)template_len(v));
    return OK;
}

/* An index of a list or string, at most `cap`. */
static err index_arg(struct template_call *c, const struct template_value *v, size_t cap,
                     size_t *out)
{
    if (v->type == NULL)
        return diag_set(c->diag, ERR_INVALID, "cannot index slice/array with nil");
    if (v->type->kind != TEMPLATE_KIND_INT && v->type->kind != TEMPLATE_KIND_UINT)
        return diag_set(c->diag, ERR_INVALID, "cannot index slice/array with type %s",
                        v->type->name);
    if (v->i < 0 || (uint64_t)v->i > cap)
        return diag_set(c->diag, ERR_INVALID, "index out of range: %lld", (long long)v->i);
    *out = (size_t)v->i;
    return OK;
}

static err index_map(struct template_call *c, const struct template_value *map,
                     const struct template_value *key, struct template_value *out)
{
    if (key->type == NULL)
        return diag_set(c->diag, ERR_INVALID, "value is nil; should be of type string");
    if (key->type != &TEMPLATE_STRING)
        return diag_set(c->diag, ERR_INVALID, "value has type %s; should be string",
                        key->type->name);
    const struct template_value *v = template_map_get(map, key->s);
    *out = v != NULL ? *v : template_zero(map->type->elem);
    return OK;
}

static err index_one(struct template_call *c, const struct template_value *item,
                     const struct template_value *key, struct template_value *out)
{
    size_t i;
    if (template_is_nil(item))
        return diag_set(c->diag, ERR_INVALID, "index of nil pointer");
    if (item->type->kind == TEMPLATE_KIND_MAP)
        return index_map(c, item, key, out);
    if (item->type->kind != TEMPLATE_KIND_LIST && item->type->kind != TEMPLATE_KIND_STRING)
        return diag_set(c->diag, ERR_INVALID, "can't index item of type %s", type_name(item));
    TRY(index_arg(c, key, template_len(item), &i));
    bool is_string = item->type->kind == TEMPLATE_KIND_STRING;
    if (i == template_len(item))
        return diag_set(c->diag, ERR_INVALID, "reflect: %s index out of range",
                        is_string ? "string" : "slice");
    if (is_string)
        *out = (struct template_value){.type = &TEMPLATE_UINT8, .u = (unsigned char)item->s.ptr[i]};
    else
        *out = item->list.items[i];
    return OK;
}

static err builtin_index(struct template_call *c, const struct template_value *args, size_t count,
                         struct template_value *out)
{
    struct template_value item = args[0];
    if (item.type == NULL)
        return diag_set(c->diag, ERR_INVALID, "index of untyped nil");
    for (size_t i = 1; i < count; i++) {
        struct template_value v;
        TRY(index_one(c, &item, &args[i], &v));
        item = v;
    }
    *out = item;
    return OK;
}

static err builtin_slice(struct template_call *c, const struct template_value *args, size_t count,
                         struct template_value *out)
{
    const struct template_value *item = &args[0];
    if (item->type == NULL)
        return diag_set(c->diag, ERR_INVALID, "slice of untyped nil");
    if (template_is_nil(item))
        return diag_set(c->diag, ERR_INVALID, "slice of nil pointer");
    if (count > 4)
        return diag_set(c->diag, ERR_INVALID, "too many slice indexes: %zu", count - 1);
    bool is_string = item->type->kind == TEMPLATE_KIND_STRING;
    if (is_string && count == 4)
        return diag_set(c->diag, ERR_INVALID, "cannot 3-index slice a string");
    if (!is_string && item->type->kind != TEMPLATE_KIND_LIST)
        return diag_set(c->diag, ERR_INVALID, "can't slice item of type %s", type_name(item));
    size_t index[3] = {0, template_len(item), template_len(item)};
    for (size_t i = 1; i < count; i++)
        TRY(index_arg(c, &args[i], template_len(item), &index[i - 1]));
    for (size_t i = 0; i < 2; i++)
        if (index[i] > index[i + 1])
            return diag_set(c->diag, ERR_INVALID, "invalid slice index: %zu > %zu", index[i],
                            index[i + 1]);
    *out = *item;
    if (is_string)
        out->s = (str){item->s.ptr + index[0], index[1] - index[0]};
    else
        out->list = (__typeof__(out->list)){item->list.items + index[0], index[1] - index[0]};
    return OK;
}

/* What kinds compare with each other. */
static bool is_basic(const struct template_value *v)
{
    return v->type != NULL && v->type->kind >= TEMPLATE_KIND_BOOL &&
           v->type->kind <= TEMPLATE_KIND_STRING;
}

/* Integers with and without sign: <0, 0 or >0. */
static int compare_integers(const struct template_value *a, const struct template_value *b)
{
    bool a_negative = a->type->kind == TEMPLATE_KIND_INT && a->i < 0;
    bool b_negative = b->type->kind == TEMPLATE_KIND_INT && b->i < 0;
    if (a_negative || b_negative)
        return a_negative && b_negative ? (a->i > b->i) - (a->i < b->i) : a_negative ? -1 : 1;
    return (a->u > b->u) - (a->u < b->u);
}

static bool are_integers(const struct template_value *a, const struct template_value *b)
{
    enum template_kind x = a->type->kind, y = b->type->kind;
    return (x == TEMPLATE_KIND_INT || x == TEMPLATE_KIND_UINT) &&
           (y == TEMPLATE_KIND_INT || y == TEMPLATE_KIND_UINT);
}

static bool basic_equal(const struct template_value *a, const struct template_value *b)
{
    if (a->type->kind == TEMPLATE_KIND_BOOL)
        return a->truth == b->truth;
    if (a->type->kind == TEMPLATE_KIND_FLOAT)
        return a->f == b->f;
    if (a->type->kind == TEMPLATE_KIND_STRING)
        return str_eq(a->s, b->s);
    return compare_integers(a, b) == 0;
}

static bool is_nil(const struct template_value *v)
{
    if (v->type == NULL || v->type->is_pointer)
        return template_is_nil(v);
    if (v->type->kind == TEMPLATE_KIND_LIST)
        return v->list.items == NULL;
    return v->type->kind == TEMPLATE_KIND_MAP && v->map.entries == NULL;
}

static err not_comparable(struct template_call *c, const struct template_value *a,
                          const struct template_value *b)
{
    struct buf x = {0}, y = {0};
    err cut = template_format(a, EXEC_CONTEXT_MAX, &x); /* what is too long is cut */
    cut = template_format(b, EXEC_CONTEXT_MAX, &y);
    (void)cut;
    err e = diag_set(c->diag, ERR_INVALID, "non-comparable types " STR_FMT ": %s, %s: " STR_FMT,
                     STR_ARG(buf_str(&x)), a->type->name, b->type->name, STR_ARG(buf_str(&y)));
    buf_fini(&x);
    buf_fini(&y);
    return e;
}

static err no_comparable_type(struct template_call *c, const struct template_value *v)
{
    struct buf text = {0};
    err cut = template_sprintf(STR("%s"), v, 1, EXEC_CONTEXT_MAX, &text);
    (void)cut;
    err e = diag_set(c->diag, ERR_INVALID, "non-comparable type " STR_FMT ": %s",
                     STR_ARG(buf_str(&text)), v->type->name);
    buf_fini(&text);
    return e;
}

/* Do structs of this type hold basic values only? */
static bool are_comparable(const struct template_value *v)
{
    for (size_t i = 0; v->type->fields[i] != NULL; i++)
        if (!is_basic(&v->fields[i]))
            return false;
    return true;
}

/* Values that are not both basic: nil equals nil; lists and maps do not compare. */
static err composite_equal(struct template_call *c, const struct template_value *a,
                           const struct template_value *b, bool *out)
{
    if (a->type != NULL && b->type != NULL && a->type->kind != b->type->kind)
        return not_comparable(c, a, b);
    if (is_nil(a) || is_nil(b)) {
        *out = is_nil(a) == is_nil(b);
        return OK;
    }
    bool is_struct = b->type->kind == TEMPLATE_KIND_OBJECT && !b->type->is_pointer;
    if (is_struct && are_comparable(b)) {
        *out = a->type == b->type;
        for (size_t i = 0; b->type->fields[i] != NULL && *out; i++)
            *out = basic_equal(&a->fields[i], &b->fields[i]);
        return OK;
    }
    if (is_struct || b->type->kind == TEMPLATE_KIND_LIST || b->type->kind == TEMPLATE_KIND_MAP)
        return no_comparable_type(c, b);
    if (b->type->kind == TEMPLATE_KIND_TIME)
        *out = a->time == b->time ||
               (!b->type->is_pointer && a->time->sec == b->time->sec &&
                a->time->nsec == b->time->nsec && a->time->location == b->time->location);
    else
        *out = a->fields == b->fields;
    return OK;
}

static err equal(struct template_call *c, const struct template_value *a,
                 const struct template_value *b, bool *out)
{
    bool both = is_basic(a) && is_basic(b);
    if (both && (a->type->kind == b->type->kind || are_integers(a, b))) {
        *out = basic_equal(a, b);
        return OK;
    }
    if (a->type != NULL && b->type != NULL && (is_basic(a) || is_basic(b)))
        return diag_set(c->diag, ERR_INVALID, "incompatible types for comparison: %s and %s",
                        a->type->name, b->type->name);
    if (is_basic(a) || is_basic(b)) { /* with nothing */
        *out = false;
        return OK;
    }
    return composite_equal(c, a, b, out);
}

static err builtin_eq(struct template_call *c, const struct template_value *args, size_t count,
                      struct template_value *out)
{
    if (count < 2)
        return diag_set(c->diag, ERR_INVALID, "missing argument for comparison");
    bool same = false;
    for (size_t i = 1; i < count && !same; i++)
        TRY(equal(c, &args[0], &args[i], &same));
    *out = template_bool(same);
    return OK;
}

static err builtin_ne(struct template_call *c, const struct template_value *args, size_t count,
                      struct template_value *out)
{
    bool same = false;
    (void)count;
    TRY(equal(c, &args[0], &args[1], &same));
    *out = template_bool(!same);
    return OK;
}

/* Is a < b? Only numbers and strings have an order. */
static err less(struct template_call *c, const struct template_value *a,
                const struct template_value *b, bool *out)
{
    if (!is_basic(a) || !is_basic(b))
        return diag_set(c->diag, ERR_INVALID, "invalid type for comparison");
    if (a->type->kind != b->type->kind && !are_integers(a, b))
        return diag_set(c->diag, ERR_INVALID, "incompatible types for comparison: %s and %s",
                        a->type->name, b->type->name);
    if (a->type->kind == TEMPLATE_KIND_BOOL)
        return diag_set(c->diag, ERR_INVALID, "invalid type for comparison");
    if (a->type->kind == TEMPLATE_KIND_FLOAT)
        *out = a->f < b->f;
    else if (a->type->kind == TEMPLATE_KIND_STRING)
        *out = str_cmp(a->s, b->s) < 0;
    else
        *out = compare_integers(a, b) < 0;
    return OK;
}

static err less_or_equal(struct template_call *c, const struct template_value *a,
                         const struct template_value *b, bool *out)
{
    TRY(less(c, a, b, out));
    return *out ? OK : equal(c, a, b, out);
}

static err builtin_lt(struct template_call *c, const struct template_value *args, size_t count,
                      struct template_value *out)
{
    bool truth = false;
    (void)count;
    TRY(less(c, &args[0], &args[1], &truth));
    *out = template_bool(truth);
    return OK;
}

static err builtin_le(struct template_call *c, const struct template_value *args, size_t count,
                      struct template_value *out)
{
    bool truth = false;
    (void)count;
    TRY(less_or_equal(c, &args[0], &args[1], &truth));
    *out = template_bool(truth);
    return OK;
}

static err builtin_gt(struct template_call *c, const struct template_value *args, size_t count,
                      struct template_value *out)
{
    bool truth = false;
    (void)count;
    TRY(less_or_equal(c, &args[0], &args[1], &truth));
    *out = template_bool(!truth);
    return OK;
}

static err builtin_ge(struct template_call *c, const struct template_value *args, size_t count,
                      struct template_value *out)
{
    bool truth = false;
    (void)count;
    TRY(less(c, &args[0], &args[1], &truth));
    *out = template_bool(!truth);
    return OK;
}

static err builtin_print(struct template_call *c, const struct template_value *args, size_t count,
                         struct template_value *out)
{
    struct buf b = {0};
    return call_text(c, &b, template_sprint(args, count, false, call_room(c), &b), out);
}

static err builtin_println(struct template_call *c, const struct template_value *args, size_t count,
                           struct template_value *out)
{
    struct buf b = {0};
    return call_text(c, &b, template_sprint(args, count, true, call_room(c), &b), out);
}

static err builtin_printf(struct template_call *c, const struct template_value *args, size_t count,
                          struct template_value *out)
{
    struct buf b = {0};
    return call_text(c, &b, template_sprintf(args[0].s, args + 1, count - 1, call_room(c), &b),
                     out);
}

/* The arguments' text, escaped. */
static err escaped(struct template_call *c, const struct template_value *args, size_t count,
                   void (*escape)(str s, struct buf *out), struct template_value *out)
{
    static const struct template_value NO_VALUE = {.type = &TEMPLATE_STRING,
                                                   .s = {"<no value>", 10}};
    struct template_value *shown = ARENA_ARRAY(c->arena, struct template_value, count + 1);
    struct buf plain = {0}, b = {0};
    if (shown == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        shown[i] = args[i].type != NULL ? template_pointee(&args[i]) : NO_VALUE;
    err e = template_sprint(shown, count, false, call_room(c), &plain);
    if (e == OK && plain.len > call_room(c) / ESCAPE_GROWTH_MAX)
        e = ERR_LIMIT;
    if (e == OK)
        escape(buf_str(&plain), &b);
    buf_fini(&plain);
    return call_text(c, &b, e, out);
}

static err builtin_html(struct template_call *c, const struct template_value *args, size_t count,
                        struct template_value *out)
{
    return escaped(c, args, count, escape_html, out);
}

static err builtin_js(struct template_call *c, const struct template_value *args, size_t count,
                      struct template_value *out)
{
    return escaped(c, args, count, escape_js, out);
}

static err builtin_urlquery(struct template_call *c, const struct template_value *args,
                            size_t count, struct template_value *out)
{
    return escaped(c, args, count, escape_url_query, out);
}

static const struct template_func BUILTINS[] = {
    {"and", builtin_special, {ANY, ANY}, true},
    {"call", builtin_special, {ANY, ANY}, true},
    {"eq", builtin_eq, {ANY, ANY}, true},
    {"ge", builtin_ge, {ANY, ANY}, false},
    {"gt", builtin_gt, {ANY, ANY}, false},
    {"html", builtin_html, {ANY}, true},
    {"index", builtin_index, {ANY, ANY}, true},
    {"js", builtin_js, {ANY}, true},
    {"le", builtin_le, {ANY, ANY}, false},
    {"len", builtin_len, {ANY}, false},
    {"lt", builtin_lt, {ANY, ANY}, false},
    {"ne", builtin_ne, {ANY, ANY}, false},
    {"not", builtin_not, {ANY}, false},
    {"or", builtin_special, {ANY, ANY}, true},
    {"print", builtin_print, {ANY}, true},
    {"printf", builtin_printf, {&TEMPLATE_STRING, ANY}, true},
    {"println", builtin_println, {ANY}, true},
    {"slice", builtin_slice, {ANY, ANY}, true},
    {"urlquery", builtin_urlquery, {ANY}, true},
};

const struct template_funcs TEMPLATE_BUILTINS = {BUILTINS, COUNT_OF(BUILTINS), NULL};
