/* template_printf.c -- fmt.Sprintf: flags, argument indexes, widths and precisions, and Go's marks
 * for what does not fit. */
#include <string.h>

#include "base/utf8.h"
#include "rules/template_format.h"

struct printf_state {
    struct formatter f;
    str format;
    size_t pos;
    const struct template_value *values;
    size_t count, next; /* the next argument */
    bool reordered;     /* "[n]" was used: nothing is extra then */
    bool good_index;
    bool after_index; /* an index was just read */
};

static int byte_at(const struct printf_state *s)
{
    return s->pos < s->format.len ? (unsigned char)s->format.ptr[s->pos] : -1;
}

static bool take(struct printf_state *s, char c)
{
    if (byte_at(s) != c)
        return false;
    s->pos++;
    return true;
}

static void parse_flags(struct printf_state *s)
{
    struct format_flags *flags = &s->f.flags;
    *flags = (struct format_flags){.width = -1, .precision = -1};
    for (;;) {
        if (take(s, '#'))
            flags->sharp = true;
        else if (take(s, '0'))
            flags->zero = true;
        else if (take(s, '+'))
            flags->plus = true;
        else if (take(s, '-'))
            flags->minus = true;
        else if (take(s, ' '))
            flags->space = true;
        else
            return;
    }
}

/* Decimal digits; -1 when there are none. Behind too large a number Go reads nothing more. */
static int parse_number(struct printf_state *s)
{
    int value = -1;
    while (byte_at(s) >= '0' && byte_at(s) <= '9') {
        if (value > FORMAT_WIDTH_MAX) {
            s->pos = s->format.len;
            return -1;
        }
        value = (value < 0 ? 0 : value) * 10 + (byte_at(s) - '0');
        s->pos++;
    }
    return value;
}

/* "[n]": the argument that comes next. */
static void parse_index(struct printf_state *s)
{
    s->after_index = false;
    if (byte_at(s) != '[')
        return;
    s->reordered = true;
    size_t close = s->pos + 1;
    while (close < s->format.len && s->format.ptr[close] != ']')
        close++;
    if (close == s->format.len) {
        s->good_index = false;
        s->pos++;
        return;
    }
    s->pos++;
    int index = parse_number(s);
    s->after_index = s->pos == close && index >= 0;
    s->pos = close + 1;
    if (s->after_index && index >= 1 && (size_t)index <= s->count)
        s->next = (size_t)index - 1;
    else
        s->good_index = false;
}

/* The value of '*'; false when it is no usable integer. */
static bool star_value(struct printf_state *s, int *out)
{
    if (s->next >= s->count)
        return false;
    const struct template_value *v = &s->values[s->next++];
    if (v->type == NULL ||
        (v->type->kind != TEMPLATE_KIND_INT && v->type->kind != TEMPLATE_KIND_UINT) ||
        v->i > FORMAT_WIDTH_MAX || v->i < -FORMAT_WIDTH_MAX)
        return false;
    *out = (int)v->i;
    return true;
}

static void parse_width(struct printf_state *s)
{
    struct format_flags *flags = &s->f.flags;
    if (!take(s, '*')) {
        flags->width = parse_number(s);
        if (s->after_index && flags->width >= 0)
            s->good_index = false; /* "%[3]2d" */
        return;
    }
    if (!star_value(s, &flags->width)) {
        format_put(&s->f, STR("%!(BADWIDTH)"));
        flags->width = -1;
    } else if (flags->width < 0) {
        flags->width = -flags->width;
        flags->minus = true;
        flags->zero = false;
    }
    s->after_index = false;
}

static void parse_precision(struct printf_state *s)
{
    struct format_flags *flags = &s->f.flags;
    if (s->pos + 1 >= s->format.len || !take(s, '.'))
        return;
    if (s->after_index)
        s->good_index = false; /* "%[3].2d" */
    parse_index(s);
    if (!take(s, '*')) {
        int precision = parse_number(s);
        flags->precision = precision < 0 ? 0 : precision;
        return;
    }
    if (!star_value(s, &flags->precision) || flags->precision < 0) {
        flags->precision = -1;
        format_put(&s->f, STR("%!(BADPREC)"));
    }
    s->after_index = false;
}

static void put_mark(struct printf_state *s, uint32_t verb, str mark)
{
    struct buf b = {0};
    buf_put_str(&b, STR("%!"));
    utf8_append(&b, verb);
    buf_put_str(&b, mark);
    format_put(&s->f, buf_str(&b));
    buf_fini(&b);
}

static void put_verb(struct printf_state *s, uint32_t verb)
{
    struct format_flags *flags = &s->f.flags;
    if (verb == '%') {
        format_put(&s->f, STR("%"));
    } else if (!s->good_index) {
        put_mark(s, verb, STR("(BADINDEX)"));
    } else if (s->next >= s->count) {
        put_mark(s, verb, STR("(MISSING)"));
    } else {
        if (verb == 'v') {
            flags->sharp_v = flags->sharp;
            flags->plus_v = flags->plus;
            flags->sharp = flags->plus = false;
        }
        format_value(&s->f, &s->values[s->next++], verb);
    }
}

static void put_directive(struct printf_state *s)
{
    s->good_index = true;
    parse_flags(s);
    parse_index(s);
    parse_width(s);
    parse_precision(s);
    if (!s->after_index)
        parse_index(s);
    if (s->pos >= s->format.len) {
        format_put(&s->f, STR("%!(NOVERB)"));
        return;
    }
    unsigned size;
    uint32_t verb = utf8_decode((str){s->format.ptr + s->pos, s->format.len - s->pos}, &size);
    s->pos += size;
    put_verb(s, verb);
}

static void put_extra(struct printf_state *s)
{
    s->f.flags = (struct format_flags){.width = -1, .precision = -1};
    format_put(&s->f, STR("%!(EXTRA "));
    for (size_t i = s->next; i < s->count; i++) {
        const struct template_value *v = &s->values[i];
        if (i > s->next)
            format_put(&s->f, STR(", "));
        if (v->type != NULL) {
            format_put(&s->f, str_from(v->type->name));
            format_put(&s->f, STR("="));
        }
        format_value(&s->f, v, 'v');
    }
    format_put(&s->f, STR(")"));
}

err template_sprintf(str format, const struct template_value *values, size_t count,
                     size_t bytes_max, struct buf *out)
{
    struct printf_state s = {.f = {.out = out, .end = out->len + bytes_max},
                             .format = format,
                             .values = values,
                             .count = count};
    while (s.pos < format.len && s.f.failed == OK) {
        const char *at = format.ptr + s.pos;
        const char *percent = memchr(at, '%', format.len - s.pos);
        size_t plain = percent != NULL ? (size_t)(percent - at) : format.len - s.pos;
        format_put(&s.f, (str){at, plain});
        s.pos += plain;
        if (percent != NULL) {
            s.pos++;
            put_directive(&s);
        }
    }
    if (!s.reordered && s.next < s.count)
        put_extra(&s);
    return s.f.failed;
}
