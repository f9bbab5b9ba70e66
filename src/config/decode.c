/* decode.c -- see decode.h. */
#include "config/decode.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/fs.h"
#include "base/utf8.h"
#include "config/scalar.h"
#include "config/url.h"

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

err decode_fail_quoted(struct decode *c, const struct yaml *n, str text, const char *what)
{
    struct buf quoted = {0};
    utf8_quote(&quoted, (str){text.ptr, MIN(text.len, 64)});
    err e = decode_fail(c, n, "%s %s", buf_cstr(&quoted), what);
    buf_fini(&quoted);
    return e;
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
    return scalar_bool(n, out) ? OK : decode_fail(c, n, "must be true or false");
}

static err decode_int(struct decode *c, const struct decode_field *f, const struct yaml *n,
                      int64_t *out)
{
    int64_t v;
    bool any = f->min == 0 && f->max == 0;
    if (!scalar_i64(n, &v))
        return decode_fail(c, n, "must be a whole number");
    if (!any && (v < f->min || v > f->max))
        return decode_fail(c, n, "must be in [%lld, %lld]", (long long)f->min, (long long)f->max);
    *out = v;
    return OK;
}

static err decode_float(struct decode *c, const struct yaml *n, double *out)
{
    return scalar_f64(n, out) ? OK : decode_fail(c, n, "must be a number");
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

static err decode_tristate(struct decode *c, const struct yaml *n, int8_t *out)
{
    bool yes = false;
    TRY(decode_bool(c, n, &yes));
    *out = yes ? 1 : 0;
    return OK;
}

static err decode_limit(struct decode *c, const struct yaml *n, int64_t *out)
{
    int64_t v;
    if (!scalar_i64(n, &v) || v < 0)
        return decode_fail(c, n, "must be a whole number, not negative");
    *out = v;
    return OK;
}

static err decode_u64(struct decode *c, const struct yaml *n, uint64_t *out)
{
    return scalar_u64(n, out) ? OK : decode_fail(c, n, "must be a whole number, not negative");
}

static err decode_path_text(struct decode *c, const struct yaml *n, str *out)
{
    str text;
    TRY(decode_text(c, n, &text));
    return decode_path(c, text, out);
}

/* What Go's net/url would refuse of what people write: no scheme, control characters, bad
 * escapes and ports. Relative references are allowed, as upstream allows them. */
static err decode_url(struct decode *c, const struct yaml *n, str *out)
{
    char why[URL_FAULT_SIZE];
    str text;
    TRY(decode_text(c, n, &text));
    const char *fault = url_fault(text, why);
    if (fault != NULL)
        return decode_fail(c, n, "%s", fault);
    *out = text;
    return OK;
}

static err decode_bytes(struct decode *c, const struct yaml *n, uint64_t *out)
{
    char text[SCALAR_FAULT_SIZE];
    if (n->type != YAML_SCALAR)
        return decode_fail(c, n, "must be a size such as 10MB");
    const char *fault = scalar_size(n->text, out, text);
    return fault == NULL ? OK : decode_fail(c, n, "%s", fault);
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
        if (f->names[i][0] == '\0')
            continue;
        int added =
            snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "", f->names[i]);
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

static err decode_structs(struct decode *c, const struct decode_field *f, const struct yaml *n,
                          struct structs *out)
{
    const struct decode_schema *schema = f->schema;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list");
    uint8_t *items = arena_zalloc(c->arena, child_count(n) + 1, schema->size);
    if (items == NULL)
        return over_budget(c);
    out->items = items;
    out->count = 0;
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        if (child->type == YAML_NULL && f->null_text != NULL)
            return decode_fail(c, child, "%s", f->null_text);
        TRY(decode_struct(c, schema, child, items + schema->size * out->count++));
    }
    return OK;
}

static err decode_pointer(struct decode *c, const struct decode_schema *schema,
                          const struct yaml *n, void **out)
{
    if (n->type == YAML_NULL)
        return OK;
    void *s = arena_zalloc(c->arena, 1, schema->size);
    if (s == NULL)
        return over_budget(c);
    TRY(decode_struct(c, schema, n, s));
    *out = s;
    return OK;
}

/* ---- Structs ---- */

static err decode_value(struct decode *c, const struct decode_field *f, const struct yaml *n,
                        void *place)
{
    bool text = f->kind == DECODE_TEXT || f->kind == DECODE_SECRET;
    bool scalar = (!text && f->kind <= DECODE_ENUM) || f->kind >= DECODE_TRISTATE;
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
        return decode_structs(c, f, n, place);
    case DECODE_POINTER:
        return decode_pointer(c, f->schema, n, place);
    case DECODE_TRISTATE:
        return decode_tristate(c, n, place);
    case DECODE_PATH:
        return decode_path_text(c, n, place);
    case DECODE_URL:
        return decode_url(c, n, place);
    case DECODE_LIMIT:
        return decode_limit(c, n, place);
    case DECODE_U64:
        return decode_u64(c, n, place);
    case DECODE_INLINE:
        break; /* has no key */
    case DECODE_CUSTOM:
        return f->custom(c, n, place);
    }
    return ERR_INVALID;
}

/* The field of `key`, and in *offset where it stands in the whole struct. */
static const struct decode_field *field_of(const struct decode_schema *schema, str key,
                                           size_t *offset)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct decode_field *f = &schema->fields[i];
        if (f->kind == DECODE_INLINE) {
            const struct decode_field *found = field_of(f->schema, key, offset);
            if (found != NULL) {
                *offset += f->offset;
                return found;
            }
        } else if (str_eq(key, str_from(f->key))) {
            *offset = f->offset;
            return f;
        }
    }
    return NULL;
}

static void set_defaults(const struct decode_schema *schema, uint8_t *s)
{
    for (size_t i = 0; i < schema->field_count; i++)
        if (schema->fields[i].kind == DECODE_INLINE)
            set_defaults(schema->fields[i].schema, s + schema->fields[i].offset);
    if (schema->defaults != NULL)
        schema->defaults(s);
}

/* Required keys, then the checks of inlined structs, then the struct's own. */
static err check_struct(struct decode *c, const struct decode_schema *schema, const struct yaml *n,
                        uint8_t *s)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct decode_field *f = &schema->fields[i];
        if (f->required && (n->type == YAML_NULL || yaml_get(n, str_from(f->key)) == NULL))
            return decode_fail(c, n, "\"%s\" is missing", f->key);
        if (f->kind == DECODE_INLINE)
            TRY(check_struct(c, f->schema, n, s + f->offset));
    }
    if (schema->check != NULL)
        TRY(schema->check(c, n, s));
    return schema->finish != NULL ? schema->finish(c, n, s) : OK;
}

static err unknown_field(struct decode *c, const struct decode_schema *schema,
                         const struct yaml *child)
{
    if (schema->type == NULL)
        return decode_fail(c, child, "no such field here");
    return diag_set(c->d, ERR_INVALID, "%s:%u:%u: field " STR_FMT " not found in type %s", c->path,
                    child->key_line, child->key_column, STR_ARG(child->key), schema->type);
}

err decode_struct(struct decode *c, const struct decode_schema *schema, const struct yaml *n,
                  void *out)
{
    memset(out, 0, schema->size);
    set_defaults(schema, out);
    if (n->type != YAML_MAP && n->type != YAML_NULL)
        return decode_fail(c, n, "must be a map");
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        size_t offset = 0;
        const struct decode_field *f = field_of(schema, child->key, &offset);
        if (f == NULL && c->ignore_unknown)
            continue;
        if (f == NULL)
            return unknown_field(c, schema, child);
        TRY(decode_value(c, f, child, (uint8_t *)out + offset));
    }
    return check_struct(c, schema, n, out);
}

/* ---- Files ---- */

err decode_path(struct decode *c, str path, str *out)
{
    const char *slash = strrchr(c->path, '/');
    size_t dir =
        slash != NULL && path.len > 0 && path.ptr[0] != '/' ? (size_t)(slash - c->path) + 1 : 0;
    if (path.len > 0 && memchr(path.ptr, '\0', path.len) != NULL)
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

err decode_document(struct decode *c, const struct decode_schema *schema, slice text, void *out)
{
    struct arena tree; /* apart: what was decoded outlives it */
    struct diag why = {.text = ""};
    struct yaml *root;
    arena_init(&tree, YAML_TREE_BYTES_MAX);
    err e = yaml_parse(text, &tree, &root, &why);
    if (e != OK)
        (void)diag_set(c->d, e, "%s:%s", c->path, why.text[0] != '\0' ? why.text : " too large");
    else
        e = decode_struct(c, schema, root, out);
    arena_fini(&tree);
    return e;
}

err decode_file_with(struct decode *c, const struct decode_schema *schema, void *out)
{
    struct buf text = {0};
    err e = fs_read_file(fs_posix(), c->path, YAML_SIZE_MAX, &text);
    if (e != OK)
        (void)diag_set(c->d, e, "%s: %s", c->path,
                       e == ERR_NOTFOUND ? "no such file"
                       : e == ERR_LIMIT  ? "larger than 8 MiB"
                                         : "cannot be read");
    if (e == OK)
        e = decode_document(c, schema, buf_slice(&text), out);
    buf_fini(&text);
    return e;
}

err decode_file(const char *path, const struct decode_schema *schema, struct arena *a, void *out,
                struct diag *d)
{
    struct decode c = {.path = path, .arena = a, .d = d};
    return decode_file_with(&c, schema, out);
}

/* ---- Emptiness ---- */

static bool struct_is_zero(const struct decode_schema *schema, const uint8_t *s)
{
    for (size_t i = 0; i < schema->field_count; i++)
        if (!decode_is_zero(&schema->fields[i], s + schema->fields[i].offset))
            return false;
    return true;
}

bool decode_is_zero(const struct decode_field *f, const void *place)
{
    switch (f->kind) {
    case DECODE_BOOL:
        return !*(const bool *)place;
    case DECODE_INT:
    case DECODE_DURATION:
    case DECODE_LIMIT:
        return *(const int64_t *)place == 0;
    case DECODE_FLOAT:
        return *(const double *)place == 0;
    case DECODE_BYTES:
    case DECODE_U64:
        return *(const uint64_t *)place == 0;
    case DECODE_ENUM:
        return f->names[*(const int *)place][0] == '\0';
    case DECODE_TEXT:
    case DECODE_SECRET:
    case DECODE_PATH:
    case DECODE_URL:
        return ((const str *)place)->len == 0;
    case DECODE_TEXTS:
        return ((const struct texts *)place)->count == 0;
    case DECODE_PAIRS:
        return ((const struct pairs *)place)->count == 0;
    case DECODE_STRUCTS:
        return ((const struct structs *)place)->count == 0;
    case DECODE_STRUCT:
    case DECODE_INLINE:
        return struct_is_zero(f->schema, place);
    case DECODE_POINTER:
        return *(const void *const *)place == NULL;
    case DECODE_TRISTATE:
        return *(const int8_t *)place < 0;
    case DECODE_CUSTOM:
        return f->print == NULL || !f->print(place, NULL);
    }
    return true;
}
