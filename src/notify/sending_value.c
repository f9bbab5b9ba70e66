/* sending_value.c -- values of YAML as JSON, with templates in their texts. */
#include <math.h>

#include "base/json_text.h"
#include "base/number.h"
#include "notify/sending.h"

enum { VALUE_TREE_BYTES_MAX = 64 << 20 }; /* of what one text became, read as YAML */

struct value_writer {
    struct sending *s;
    const char *name;
    bool templates; /* texts are; else they are what templates became */
    struct buf *out;
};

/* ---- Scalars: what YAML 1.1 takes for something else than text ---- */

static bool one_of(str s, const char *const *words)
{
    for (; *words != NULL; words++)
        if (str_eq(s, str_from(*words)))
            return true;
    return false;
}

static bool put_word(str s, struct buf *out)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const TRUES[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                        "True", "TRUE", "on",  "On",  "ON",  NULL};
    static const char *const FALSES[] = {"n",     "N",     "no",  "No",  "NO",  "false",
                                         "False", "FALSE", "off", "Off", "OFF", NULL};
    const char *word = one_of(s, NULLS)    ? "null"
                       : one_of(s, TRUES)  ? "true"
                       : one_of(s, FALSES) ? "false"
                                           : NULL;
    if (word != NULL)
        buf_put_str(out, str_from(word));
    return word != NULL;
}

static unsigned digit_of(char ch)
{
    if (ch >= '0' && ch <= '9')
        return (unsigned)(ch - '0');
    char lower = (char)(ch | 0x20);
    return lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10 : 99;
}

/* Digits of `base`, underscores between them left out; false when it is no such number of 64 bits.
 */
static bool parse_digits(str s, unsigned base, uint64_t *out)
{
    uint64_t v = 0;
    bool any = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '_')
            continue;
        unsigned digit = digit_of(s.ptr[i]);
        if (digit >= base || __builtin_mul_overflow(v, base, &v) ||
            __builtin_add_overflow(v, digit, &v))
            return false;
        any = true;
    }
    *out = v;
    return any;
}

static bool put_integer(str s, struct buf *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    size_t sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
    str digits = {s.ptr + sign, s.len - sign};
    unsigned base = 10;
    size_t prefix = 0;
    uint64_t v;
    if (digits.len > 1 && digits.ptr[0] == '0') {
        char kind = (char)(digits.ptr[1] | 0x20);
        base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
        prefix = kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1;
    }
    if (!parse_digits((str){digits.ptr + prefix, digits.len - prefix}, base, &v))
        return false;
    if (negative && v > (uint64_t)1 << 63)
        return false;
    buf_printf(out, "%s%llu", negative && v > 0 ? "-" : "", (unsigned long long)v);
    return true;
}

static bool looks_like_float(str s)
{
    bool digit = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            digit = true;
        else if (s.ptr[i] == '\0' || strchr("+-.eE", s.ptr[i]) == NULL)
            return false;
    }
    return digit;
}

static bool put_float(str s, struct buf *out)
{
    char text[NUMBER_SIZE_MAX];
    double v;
    if (!looks_like_float(s) || number_parse_f64(s, false, &v) != OK || !isfinite(v))
        return false;
    buf_put(out, text, number_format_json(v, text));
    return true;
}

/* As JSON unless it is text. */
static bool put_plain(str s, struct buf *out)
{
    return put_word(s, out) || put_integer(s, out) || put_float(s, out);
}

/* ---- Trees ---- */

static void put_node(struct value_writer *w, const struct yaml *n, bool keys);

static void put_scalar(struct value_writer *w, const struct yaml *n)
{
    if (!n->quoted && put_plain(n->text, w->out))
        return;
    if (w->templates)
        sending_put_rendered(w->s, w->name, n->text, w->out);
    else
        json_html(w->out, n->text);
}

static void put_map(struct value_writer *w, const struct yaml *n, bool keys)
{
    buf_put_u8(w->out, '{');
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        if (child != n->first)
            buf_put_u8(w->out, ',');
        bool template = keys && w->templates;
        json_html(w->out, template ? sending_text(w->s, w->name, child->key) : child->key);
        buf_put_u8(w->out, ':');
        put_node(w, child, true);
    }
    buf_put_u8(w->out, '}');
}

/* As deep as YAML is (YAML_DEPTH_MAX). */
static void put_node(struct value_writer *w, const struct yaml *n, bool keys)
{
    switch (n->type) {
    case YAML_NULL:
        buf_put_str(w->out, STR("null"));
        break;
    case YAML_SCALAR:
        put_scalar(w, n);
        break;
    case YAML_LIST:
        buf_put_u8(w->out, '[');
        for (const struct yaml *child = n->first; child != NULL; child = child->next) {
            if (child != n->first)
                buf_put_u8(w->out, ',');
            put_node(w, child, true);
        }
        buf_put_u8(w->out, ']');
        break;
    case YAML_MAP:
        put_map(w, n, keys);
        break;
    }
}

void sending_put_value(struct sending *s, const char *name, const struct yaml *v, bool keys,
                       struct buf *out)
{
    struct value_writer w = {s, name, true, out};
    put_node(&w, v, keys);
}

void sending_put_rendered(struct sending *s, const char *name, str text, struct buf *out)
{
    str became = sending_text(s, name, text);
    struct value_writer w = {s, name, false, out};
    struct arena tree;
    struct yaml *root;
    struct diag ignored = {.text = ""}; /* what is no YAML is text */
    arena_init(&tree, VALUE_TREE_BYTES_MAX);
    if (yaml_parse(str_bytes(became), &tree, &root, &ignored) != OK)
        json_html(out, became);
    else if (root->type == YAML_SCALAR && (root->quoted || !put_plain(root->text, out)))
        json_html(out, became);
    else if (root->type != YAML_SCALAR)
        put_node(&w, root, false);
    arena_fini(&tree);
}
