/* template_format.c -- composite values and the default format, as fmt prints them. */
#include "rules/template_format.h"

#include "base/utf8.h"

void format_put(struct formatter *f, str s)
{
    if (f->failed != OK)
        return;
    if (s.len > f->end - MIN(f->end, f->out->len)) {
        f->failed = ERR_LIMIT;
        return;
    }
    buf_put_str(f->out, s);
}

static void put_name(struct formatter *f, const char *name)
{
    format_put(f, str_from(name));
}

void format_bad_verb(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    struct buf b = {0};
    buf_put_str(&b, STR("%!"));
    utf8_append(&b, verb);
    buf_put_u8(&b, '(');
    format_put(f, buf_str(&b));
    buf_fini(&b);
    if (v->type == NULL) {
        format_put(f, STR("<nil>)"));
        return;
    }
    put_name(f, v->type->name);
    format_put(f, STR("="));
    if (f->depth < FORMAT_DEPTH_MAX) {
        f->depth++;
        format_value(f, v, 'v');
        f->depth--;
    }
    format_put(f, STR(")"));
}

static void format_list(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    bool go_syntax = f->flags.sharp_v;
    if (go_syntax)
        put_name(f, v->type->name);
    format_put(f, go_syntax ? STR("{") : STR("["));
    for (size_t i = 0; i < v->list.count && f->failed == OK; i++) {
        if (i > 0)
            format_put(f, go_syntax ? STR(", ") : STR(" "));
        format_value(f, &v->list.items[i], verb);
    }
    format_put(f, go_syntax ? STR("}") : STR("]"));
}

static void format_map(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    bool go_syntax = f->flags.sharp_v;
    put_name(f, go_syntax ? v->type->name : "map");
    format_put(f, go_syntax ? STR("{") : STR("["));
    for (size_t i = 0; i < v->map.count && f->failed == OK; i++) {
        struct template_value key = template_string(v->map.entries[i].key);
        if (i > 0)
            format_put(f, go_syntax ? STR(", ") : STR(" "));
        format_value(f, &key, verb);
        format_put(f, STR(":"));
        format_value(f, &v->map.entries[i].value, verb);
    }
    format_put(f, go_syntax ? STR("}") : STR("]"));
}

static void format_object(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    if (v->fields == NULL && v->type->is_pointer) {
        format_put(f, STR("<nil>"));
        return;
    }
    if (v->type->is_pointer)
        format_put(f, STR("&"));
    if (f->flags.sharp_v)
        put_name(f, v->type->name + (v->type->is_pointer ? 1 : 0));
    format_put(f, STR("{"));
    for (size_t i = 0; v->type->fields[i] != NULL && f->failed == OK; i++) {
        if (i > 0)
            format_put(f, f->flags.sharp_v ? STR(", ") : STR(" "));
        if (f->flags.plus_v || f->flags.sharp_v) {
            put_name(f, v->type->fields[i]);
            format_put(f, STR(":"));
        }
        format_value(f, &v->fields[i], verb);
    }
    format_put(f, STR("}"));
}

/* The text of a type with a String method, for the verbs that take strings. */
static bool format_text(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    bool for_strings = verb == 'v' || verb == 's' || verb == 'x' || verb == 'X' || verb == 'q';
    if (v->type->text == NULL || !for_strings || f->flags.sharp_v)
        return false;
    struct buf b = {0};
    v->type->text(v, &b);
    format_string(f, v, buf_str(&b), verb);
    buf_fini(&b);
    return true;
}

static void format_nothing(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    if (f->depth > 1)
        format_put(f, f->flags.sharp_v ? STR("interface {}(nil)") : STR("<nil>"));
    else if (verb == 'v' || verb == 'T')
        format_pad(f, STR("<nil>"));
    else
        format_bad_verb(f, v, verb);
}

static void format_by_kind(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    switch (v->type->kind) {
    case TEMPLATE_KIND_BOOL:
        format_bool(f, v, verb);
        break;
    case TEMPLATE_KIND_INT:
    case TEMPLATE_KIND_UINT:
        format_integer(f, v, verb);
        break;
    case TEMPLATE_KIND_FLOAT:
        format_float(f, v, verb);
        break;
    case TEMPLATE_KIND_STRING:
        format_string(f, v, v->s, verb);
        break;
    case TEMPLATE_KIND_LIST:
        format_list(f, v, verb);
        break;
    case TEMPLATE_KIND_MAP:
        format_map(f, v, verb);
        break;
    case TEMPLATE_KIND_OBJECT:
        format_object(f, v, verb);
        break;
    case TEMPLATE_KIND_TIME:
        format_put(f, STR("{}")); /* Go shows three fields that nobody can use */
        break;
    case TEMPLATE_KIND_ANY:
    case TEMPLATE_KIND_FUNC:
        break;
    }
}

void format_value(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    if (f->failed != OK || f->depth >= FORMAT_DEPTH_MAX) {
        f->failed = ERR_LIMIT;
        return;
    }
    f->depth++;
    if (v->type == NULL) {
        format_nothing(f, v, verb);
    } else if (verb == 'T' || verb == 'p') {
        struct template_value name = template_string(str_from(v->type->name));
        if (verb == 'T')
            format_string(f, &name, name.s, 's');
        else
            format_bad_verb(f, v, verb);
    } else if (!format_text(f, v, verb)) {
        format_by_kind(f, v, verb);
    }
    f->depth--;
}

static const struct format_flags NO_FLAGS = {.width = -1, .precision = -1};

err template_format(const struct template_value *v, size_t bytes_max, struct buf *out)
{
    struct formatter f = {.out = out, .end = out->len + bytes_max, .flags = NO_FLAGS};
    format_value(&f, v, 'v');
    return f.failed;
}

static bool is_string(const struct template_value *v)
{
    return v->type != NULL && v->type->kind == TEMPLATE_KIND_STRING;
}

err template_sprint(const struct template_value *values, size_t count, bool is_line,
                    size_t bytes_max, struct buf *out)
{
    struct formatter f = {.out = out, .end = out->len + bytes_max, .flags = NO_FLAGS};
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && (is_line || (!is_string(&values[i]) && !is_string(&values[i - 1]))))
            format_put(&f, STR(" "));
        format_value(&f, &values[i], 'v');
    }
    if (is_line)
        format_put(&f, STR("\n"));
    return f.failed;
}
