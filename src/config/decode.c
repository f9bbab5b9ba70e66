/* decode.c -- see decode.h. */
#include "config/decode.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/fs.h"
#include "base/number.h"

err decode_fail(struct decode *c, const struct yaml *n, const char *format, ...)
{
    char what[DIAG_TEXT_SIZE / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (n->key.len == 0)
        return diag_set(c->d, ERR_INVALID, "%s:%u:%u: %s", c->path, n->line, n->column, what);
    return diag_set(c->d, ERR_INVALID, "%s:%u:%u: field \"" STR_FMT "\": %s", c->path, n->line,
                    n->column, STR_ARG(n->key), what);
}

static err over_budget(struct decode *c)
{
    return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
}

/* ---- Single values ---- */

err decode_text(struct decode *c, const struct yaml *n, str *out)
{
    if (n->type == YAML_LIST || n->type == YAML_MAP)
        return decode_fail(c, n, "must be text, not a %s", n->type == YAML_MAP ? "map" : "list");
    str text = arena_str(c->arena, n->type == YAML_NULL ? STR("") : n->text);
    if (text.ptr == NULL)
        return over_budget(c);
    *out = text;
    return OK;
}

static err decode_bool(struct decode *c, const struct yaml *n, bool *out)
{
    static const char *const YES[] = {"true", "True", "TRUE", "yes", "Yes",
                                      "YES",  "on",   "On",   "ON"};
    static const char *const NO[] = {"false", "False", "FALSE", "no", "No",
                                     "NO",    "off",   "Off",   "OFF"};
    for (size_t i = 0; n->type == YAML_SCALAR && i < COUNT_OF(YES); i++) {
        bool yes = str_eq(n->text, str_from(YES[i])), no = str_eq(n->text, str_from(NO[i]));
        if (yes || no) {
            *out = yes;
            return OK;
        }
    }
    return decode_fail(c, n, "must be true or false");
}

static err decode_int(struct decode *c, const struct decode_field *f, const struct yaml *n,
                      int64_t *out)
{
    int64_t v;
    bool any = f->min == 0 && f->max == 0;
    if (n->type != YAML_SCALAR || number_parse_i64(n->text, &v) != OK)
        return decode_fail(c, n, "must be a whole number");
    if (!any && (v < f->min || v > f->max))
        return decode_fail(c, n, "must be in [%lld, %lld]", (long long)f->min, (long long)f->max);
    *out = v;
    return OK;
}

static err decode_float(struct decode *c, const struct yaml *n, double *out)
{
    if (n->type != YAML_SCALAR || number_parse_f64(n->text, true, out) != OK)
        return decode_fail(c, n, "must be a number");
    return OK;
}

static err decode_duration(struct decode *c, const struct decode_field *f, const struct yaml *n,
                           int64_t *out)
{
    struct diag why = {.text = ""};
    int64_t v;
    bool any = f->min == 0 && f->max == 0;
    if (n->type != YAML_SCALAR)
        return decode_fail(c, n, "must be a duration such as 15s");
    if (duration_parse(n->text, &v, &why) != OK)
        return decode_fail(c, n, "%s", why.text);
    if (!any && (v < f->min || v > f->max))
        return decode_fail(c, n, "duration out of range");
    *out = v;
    return OK;
}

static err decode_bytes(struct decode *c, const struct yaml *n, uint64_t *out)
{
    static const char *const UNITS[] = {"B",   "KB",  "MB",  "GB",  "TB",  "PB", "EB",
                                        "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    static const uint8_t SHIFTS[] = {0, 10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60};
    str s = n->type == YAML_SCALAR ? n->text : STR("");
    size_t digits = 0;
    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
        digits++;
    uint64_t v = 0;
    str unit = {s.ptr + digits, s.len - digits};
    if (digits == 0 || number_parse_u64((str){s.ptr, digits}, &v) != OK)
        return decode_fail(c, n, "must be a size such as 10MB");
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        if (!str_eq(unit, str_from(UNITS[i])) && !(i == 0 && unit.len == 0))
            continue;
        if (v > UINT64_MAX >> SHIFTS[i])
            return decode_fail(c, n, "size out of range");
        *out = v << SHIFTS[i];
        return OK;
    }
    return decode_fail(c, n, "units are B, KB, MB, GB, TB, PB, EB");
}

static err decode_enum(struct decode *c, const struct decode_field *f, const struct yaml *n,
                       int *out)
{
    char names[256] = "";
    size_t used = 0;
    for (int i = 0; f->names[i] != NULL; i++) {
        if (n->type == YAML_SCALAR && str_eq(n->text, str_from(f->names[i]))) {
            *out = i;
            return OK;
        }
        int added =
            snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "", f->names[i]);
        used = MIN(used + (size_t)MAX(added, 0), sizeof(names) - 1);
    }
    return decode_fail(c, n, "must be one of %s", names);
}

/* ---- Lists and maps ---- */

static size_t child_count(const struct yaml *n)
{
    size_t count = 0;
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        count++;
    return count;
}

err decode_texts(struct decode *c, const struct yaml *n, struct texts *out)
{
    if (n->type == YAML_NULL)
        return OK;
    if (n->type == YAML_SCALAR) { /* a list of one, as Go's YAML library takes it */
        out->items = ARENA_NEW(c->arena, str);
        out->count = 1;
        return out->items != NULL ? decode_text(c, n, out->items) : over_budget(c);
    }
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list");
    out->count = 0;
    out->items = ARENA_ARRAY(c->arena, str, child_count(n) + 1);
    if (out->items == NULL)
        return over_budget(c);
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        TRY(decode_text(c, child, &out->items[out->count++]));
    return OK;
}

err decode_pairs(struct decode *c, const struct yaml *n, struct pairs *out)
{
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_MAP)
        return decode_fail(c, n, "must be a map");
    out->count = 0;
    out->items = ARENA_ARRAY(c->arena, struct pair, child_count(n) + 1);
    if (out->items == NULL)
        return over_budget(c);
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        struct pair *p = &out->items[out->count++];
        p->name = arena_str(c->arena, child->key);
        if (p->name.ptr == NULL)
            return over_budget(c);
        TRY(decode_text(c, child, &p->value));
    }
    return OK;
}

static err decode_structs(struct decode *c, const struct decode_schema *schema,
                          const struct yaml *n, struct structs *out)
{
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list");
    uint8_t *items = arena_zalloc(c->arena, child_count(n) + 1, schema->size);
    if (items == NULL)
        return over_budget(c);
    out->items = items;
    out->count = 0;
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        TRY(decode_struct(c, schema, child, items + schema->size * out->count++));
    return OK;
}

/* ---- Structs ---- */

static err decode_value(struct decode *c, const struct decode_field *f, const struct yaml *n,
                        void *place)
{
    bool scalar = f->kind != DECODE_TEXT && f->kind != DECODE_SECRET && f->kind <= DECODE_ENUM;
    if (scalar && n->type == YAML_NULL)
        return OK; /* `key:` alone keeps the default */
    switch (f->kind) {
    case DECODE_BOOL:
        return decode_bool(c, n, place);
    case DECODE_INT:
        return decode_int(c, f, n, place);
    case DECODE_FLOAT:
        return decode_float(c, n, place);
    case DECODE_TEXT:
    case DECODE_SECRET:
        return decode_text(c, n, place);
    case DECODE_DURATION:
        return decode_duration(c, f, n, place);
    case DECODE_BYTES:
        return decode_bytes(c, n, place);
    case DECODE_ENUM:
        return decode_enum(c, f, n, place);
    case DECODE_TEXTS:
        return decode_texts(c, n, place);
    case DECODE_PAIRS:
        return decode_pairs(c, n, place);
    case DECODE_STRUCT:
        return decode_struct(c, f->schema, n, place);
    case DECODE_STRUCTS:
        return decode_structs(c, f->schema, n, place);
    case DECODE_CUSTOM:
        return f->custom(c, n, place);
    }
    return ERR_INVALID;
}

static const struct decode_field *field_of(const struct decode_schema *schema, str key)
{
    for (size_t i = 0; i < schema->field_count; i++)
        if (str_eq(key, str_from(schema->fields[i].key)))
            return &schema->fields[i];
    return NULL;
}

err decode_struct(struct decode *c, const struct decode_schema *schema, const struct yaml *n,
                  void *out)
{
    memset(out, 0, schema->size);
    if (schema->defaults != NULL)
        schema->defaults(out);
    if (n->type != YAML_MAP && n->type != YAML_NULL)
        return decode_fail(c, n, "must be a map");
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        const struct decode_field *f = field_of(schema, child->key);
        if (f == NULL)
            return decode_fail(c, child, "no such field here");
        TRY(decode_value(c, f, child, (uint8_t *)out + f->offset));
    }
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct decode_field *f = &schema->fields[i];
        if (f->required && (n->type == YAML_NULL || yaml_get(n, str_from(f->key)) == NULL))
            return decode_fail(c, n, "\"%s\" is missing", f->key);
    }
    return schema->check != NULL ? schema->check(c, n, out) : OK;
}

/* ---- Files ---- */

err decode_path(struct decode *c, str path, str *out)
{
    const char *slash = strrchr(c->path, '/');
    size_t dir =
        slash != NULL && path.len > 0 && path.ptr[0] != '/' ? (size_t)(slash - c->path) + 1 : 0;
    if (memchr(path.ptr, '\0', path.len) != NULL)
        return diag_set(c->d, ERR_INVALID, "%s: a path holds a NUL", c->path);
    char *text = arena_alloc(c->arena, dir + path.len + 1);
    if (text == NULL)
        return over_budget(c);
    memcpy(text, c->path, dir);
    if (path.len > 0)
        memcpy(text + dir, path.ptr, path.len);
    text[dir + path.len] = '\0';
    *out = (str){text, dir + path.len};
    return OK;
}

err decode_file(const char *path, const struct decode_schema *schema, struct arena *a, void *out,
                struct diag *d)
{
    struct buf text = {0};
    struct diag why = {.text = ""};
    struct decode c = {path, a, d};
    struct yaml *root;
    err e = fs_read_file(fs_posix(), path, YAML_SIZE_MAX, &text);
    if (e != OK)
        (void)diag_set(d, e, "%s: %s", path,
                       e == ERR_NOTFOUND ? "no such file"
                       : e == ERR_LIMIT  ? "larger than 1 MiB"
                                         : "cannot be read");
    if (e == OK && (e = yaml_parse(buf_slice(&text), a, &root, &why)) != OK)
        (void)diag_set(d, e, "%s:%s", path, why.text);
    if (e == OK)
        e = decode_struct(&c, schema, root, out);
    buf_fini(&text);
    return e;
}
