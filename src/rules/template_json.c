/* template_json.c -- values as encoding/json writes them. */
#include <math.h>

#include "base/number.h"
#include "base/utf8.h"
#include "rules/template_format.h"
#include "rules/template_notify.h"
#include "rules/template_time.h"

struct json {
    struct buf *out;
    size_t end; /* of `out` */
    unsigned depth;
    struct diag *diag;
};

static err put_value(struct json *j, const struct template_value *v);

static void put_escape(struct json *j, char c)
{
    switch (c) {
    case '\b':
        buf_put_str(j->out, STR("\\b"));
        break;
    case '\f':
        buf_put_str(j->out, STR("\\f"));
        break;
    case '\n':
        buf_put_str(j->out, STR("\\n"));
        break;
    case '\r':
        buf_put_str(j->out, STR("\\r"));
        break;
    case '\t':
        buf_put_str(j->out, STR("\\t"));
        break;
    case '"':
    case '\\':
        buf_put_u8(j->out, '\\');
        buf_put_u8(j->out, (uint8_t)c);
        break;
    default:
        buf_printf(j->out, "\\u%04x", (unsigned char)c);
        break;
    }
}

/* Safe within HTML too, and U+2028, U+2029 within scripts; invalid bytes become U+FFFD. */
static err put_string(struct json *j, str s)
{
    buf_put_u8(j->out, '"');
    while (s.len > 0 && j->out->len <= j->end) {
        unsigned size;
        uint32_t rune = utf8_decode(s, &size);
        bool special =
            rune < ' ' || rune == '"' || rune == '\\' || rune == '<' || rune == '>' || rune == '&';
        if (special)
            put_escape(j, s.ptr[0]);
        else if (rune == 0xfffd && size == 1)
            buf_put_str(j->out, STR("\\ufffd"));
        else if (rune == 0x2028 || rune == 0x2029)
            buf_printf(j->out, "\\u%04x", rune);
        else
            buf_put(j->out, s.ptr, size);
        s = (str){s.ptr + size, s.len - size};
    }
    buf_put_u8(j->out, '"');
    return OK;
}

static err put_float(struct json *j, double v)
{
    char text[NUMBER_SIZE_MAX];
    if (!isfinite(v))
        return diag_set(j->diag, ERR_INVALID, "json: unsupported value: %s",
                        isnan(v) ? "NaN"
                        : v > 0  ? "+Inf"
                                 : "-Inf");
    size_t n = number_format_json(v, text);
    if (n > 4 && text[n - 4] == 'e' && text[n - 3] == '-' && text[n - 2] == '0') {
        text[n - 2] = text[n - 1]; /* 1e-07 is 1e-7 in JSON of Go */
        n--;
    }
    buf_put(j->out, text, n);
    return OK;
}

static err put_list(struct json *j, const struct template_value *v)
{
    if (v->list.items == NULL) {
        buf_put_str(j->out, STR("null"));
        return OK;
    }
    buf_put_u8(j->out, '[');
    for (size_t i = 0; i < v->list.count; i++) {
        if (i > 0)
            buf_put_u8(j->out, ',');
        TRY(put_value(j, &v->list.items[i]));
    }
    buf_put_u8(j->out, ']');
    return OK;
}

static err put_map(struct json *j, const struct template_value *v)
{
    buf_put_u8(j->out, '{');
    for (size_t i = 0; i < v->map.count; i++) {
        if (i > 0)
            buf_put_u8(j->out, ',');
        TRY(put_string(j, v->map.entries[i].key));
        buf_put_u8(j->out, ':');
        TRY(put_value(j, &v->map.entries[i].value));
    }
    buf_put_u8(j->out, '}');
    return OK;
}

/* Names as Alertmanager tags them: the first letter in lower case ("startsAt"; "generatorURL"). */
static err put_object(struct json *j, const struct template_value *v)
{
    buf_put_u8(j->out, '{');
    for (size_t i = 0; v->type->fields[i] != NULL; i++) {
        const char *name = v->type->fields[i];
        buf_printf(j->out, "%s\"%c%s\":", i > 0 ? "," : "", name[0] | 0x20, name + 1);
        TRY(put_value(j, &v->fields[i]));
    }
    buf_put_u8(j->out, '}');
    return OK;
}

static err put_by_kind(struct json *j, const struct template_value *v)
{
    struct buf b = {0};
    err e = OK;
    switch (v->type->kind) {
    case TEMPLATE_KIND_BOOL:
        buf_put_str(j->out, v->truth ? STR("true") : STR("false"));
        break;
    case TEMPLATE_KIND_INT:
        buf_printf(j->out, "%lld", (long long)v->i);
        break;
    case TEMPLATE_KIND_UINT:
        buf_printf(j->out, "%llu", (unsigned long long)v->u);
        break;
    case TEMPLATE_KIND_FLOAT:
        return put_float(j, v->f);
    case TEMPLATE_KIND_STRING:
        return put_string(j, v->s);
    case TEMPLATE_KIND_LIST:
        return put_list(j, v);
    case TEMPLATE_KIND_MAP:
        return put_map(j, v);
    case TEMPLATE_KIND_OBJECT:
        return put_object(j, v);
    case TEMPLATE_KIND_TIME:
        template_time_format(*v->time, STR("2006-01-02T15:04:05.999999999Z07:00"), &b);
        e = put_string(j, buf_str(&b));
        buf_fini(&b);
        break;
    case TEMPLATE_KIND_ANY:
    case TEMPLATE_KIND_FUNC:
        return diag_set(j->diag, ERR_INVALID, "json: unsupported type: %s", v->type->name);
    }
    return e;
}

static err put_value(struct json *j, const struct template_value *v)
{
    if (j->out->len > j->end || j->depth >= FORMAT_DEPTH_MAX)
        return diag_set(j->diag, ERR_LIMIT, "the text would be too long or nested too deep");
    if (template_is_nil(v)) {
        buf_put_str(j->out, STR("null"));
        return OK;
    }
    j->depth++;
    err e = put_by_kind(j, v);
    j->depth--;
    return e;
}

err template_json(const struct template_value *v, size_t bytes_max, struct buf *out, struct diag *d)
{
    struct json j = {out, out->len + bytes_max, 0, d};
    return put_value(&j, v);
}
