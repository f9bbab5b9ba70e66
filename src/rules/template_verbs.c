/* template_verbs.c -- booleans, numbers and strings by verb, width, precision and flags, as fmt
 * writes them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "query/quote.h"
#include "rules/template_format.h"

enum { RUNE_MAX = 0x10ffff, RUNE_ERROR = 0xfffd, INTEGER_DIGITS_MAX = 64 };

static void put_fill(struct formatter *f, char c, size_t count)
{
    char block[64];
    memset(block, c, sizeof(block));
    for (; count > 0 && f->failed == OK; count -= MIN(count, sizeof(block)))
        format_put(f, (str){block, MIN(count, sizeof(block))});
}

void format_pad(struct formatter *f, str s)
{
    size_t width = f->flags.width > 0 ? (size_t)f->flags.width : 0;
    size_t runes = width > 0 ? utf8_count(s) : 0;
    size_t fill = width > runes ? width - runes : 0;
    if (!f->flags.minus)
        put_fill(f, f->flags.zero ? '0' : ' ', fill);
    format_put(f, s);
    if (f->flags.minus)
        put_fill(f, ' ', fill);
}

void format_bool(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    if (verb == 't' || verb == 'v')
        format_pad(f, v->truth ? STR("true") : STR("false"));
    else
        format_bad_verb(f, v, verb);
}

/* Digits of `u` in `base` at the end of `out`; returns how many. */
static size_t put_digits(uint64_t u, unsigned base, bool upper, char *out, size_t size)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t n = 0;
    do {
        out[size - ++n] = digits[u % base];
        u /= base;
    } while (u > 0);
    return n;
}

static void put_prefix(struct buf *b, unsigned base, uint32_t verb, bool leads_with_zero)
{
    if (base == 2)
        buf_put_str(b, STR("0b"));
    else if (base == 8 && !leads_with_zero)
        buf_put_u8(b, '0');
    else if (base == 16)
        buf_put_str(b, verb == 'X' ? STR("0X") : STR("0x"));
}

static void format_digits(struct formatter *f, uint64_t u, bool negative, unsigned base,
                          uint32_t verb)
{
    struct format_flags *flags = &f->flags;
    bool sign = negative || flags->plus || flags->space, zero = flags->zero;
    int precision = 0;
    if (flags->precision >= 0) {
        precision = flags->precision;
        if (precision == 0 && u == 0) { /* nothing but the width */
            flags->zero = false;
            format_pad(f, STR(""));
            flags->zero = zero;
            return;
        }
    } else if (zero && !flags->minus && flags->width > 0) {
        precision = flags->width - (sign ? 1 : 0);
    }
    char digits[INTEGER_DIGITS_MAX];
    size_t n = put_digits(u, base, verb == 'X', digits, sizeof(digits));
    struct buf b = {0};
    if (sign)
        buf_put_u8(&b, negative ? '-' : flags->plus ? '+' : ' ');
    bool padded = precision > 0 && (size_t)precision > n;
    if (flags->sharp)
        put_prefix(&b, base, verb, padded || u == 0);
    if (verb == 'O')
        buf_put_str(&b, STR("0o"));
    for (size_t i = n; padded && i < (size_t)precision; i++)
        buf_put_u8(&b, '0');
    buf_put(&b, digits + sizeof(digits) - n, n);
    flags->zero = false;
    format_pad(f, buf_str(&b));
    flags->zero = zero;
    buf_fini(&b);
}

static uint32_t as_rune(uint64_t u, bool negative)
{
    return negative || u > RUNE_MAX ? RUNE_ERROR : (uint32_t)u;
}

static void format_char(struct formatter *f, uint32_t rune, bool quoted)
{
    struct buf b = {0};
    utf8_append(&b, rune);
    if (quoted && f->flags.plus && rune >= 0x80) { /* everything above ASCII escaped */
        buf_reset(&b);
        buf_printf(&b, rune < 0x10000 ? "'\\u%04x'" : "'\\U%08x'", rune);
        format_pad(f, buf_str(&b));
    } else if (quoted) {
        char text[QUOTE_RUNE_SIZE];
        quote_rune(buf_str(&b), 0, text);
        format_pad(f, str_from(text));
    } else {
        format_pad(f, buf_str(&b));
    }
    buf_fini(&b);
}

/* "U+0041", with '#' "U+0041 'A'". */
static void format_code_point(struct formatter *f, uint64_t u)
{
    struct format_flags *flags = &f->flags;
    int digits = flags->precision > 4 ? flags->precision : 4;
    bool zero = flags->zero;
    struct buf b = {0}, c = {0};
    buf_printf(&b, "U+%0*llX", digits, (unsigned long long)u);
    if (flags->sharp && u <= RUNE_MAX) {
        char text[QUOTE_RUNE_SIZE];
        utf8_append(&c, (uint32_t)u);
        quote_rune_code(buf_str(&c), 0, text);
        const char *shown = strchr(text, ' ');
        buf_put_str(&b, str_from(shown != NULL ? shown : ""));
    }
    flags->zero = false;
    format_pad(f, buf_str(&b));
    flags->zero = zero;
    buf_fini(&b);
    buf_fini(&c);
}

void format_integer(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    bool negative = v->type->kind == TEMPLATE_KIND_INT && v->i < 0;
    uint64_t u = negative ? 0 - v->u : v->u;
    if (verb == 'v' || verb == 'd') {
        bool sharp = f->flags.sharp;
        f->flags.sharp = false;
        if (f->flags.sharp_v && v->type->kind == TEMPLATE_KIND_UINT) {
            f->flags.sharp = true;
            format_digits(f, u, negative, 16, 'v');
        } else {
            format_digits(f, u, negative, 10, verb);
        }
        f->flags.sharp = sharp;
    } else if (verb == 'b') {
        format_digits(f, u, negative, 2, verb);
    } else if (verb == 'o' || verb == 'O') {
        format_digits(f, u, negative, 8, verb);
    } else if (verb == 'x' || verb == 'X') {
        format_digits(f, u, negative, 16, verb);
    } else if (verb == 'c' || verb == 'q') {
        format_char(f, as_rune(u, negative), verb == 'q');
    } else if (verb == 'U') {
        format_code_point(f, negative ? 0 - u : u);
    } else {
        format_bad_verb(f, v, verb);
    }
}

/* Round a mantissa of 53 bits to `precision` hexadecimal digits behind the point, ties to even. */
static uint64_t round_mantissa(uint64_t mantissa, int precision)
{
    int drop = 52 - 4 * precision;
    if (drop <= 0)
        return mantissa;
    uint64_t half = UINT64_C(1) << (drop - 1), rest = mantissa & ((half << 1) - 1);
    mantissa >>= drop;
    return mantissa + (rest > half || (rest == half && (mantissa & 1) != 0));
}

/* Hexadecimal mantissa and binary exponent: "0x1.8p+01". `v` is not negative. */
static void put_hex_float(double v, int precision, struct buf *b)
{
    int exponent = 0;
    uint64_t mantissa = (uint64_t)(frexp(v, &exponent) * 0x1p53); /* its first bit is set */
    exponent -= v != 0;
    int digits = 13;
    if (precision >= 0 && precision < digits) {
        digits = precision;
        mantissa = round_mantissa(mantissa, precision);
        if (mantissa >> (4 * digits) > 1) { /* carried into the next power of two */
            mantissa >>= 1;
            exponent++;
        }
    }
    for (; precision < 0 && digits > 0 && (mantissa & 0xf) == 0; digits--)
        mantissa >>= 4;
    uint64_t places = mantissa & ((UINT64_C(1) << (4 * digits)) - 1);
    buf_printf(b, "0x%d", v != 0);
    if (digits > 0)
        buf_printf(b, ".%0*llx", digits, (unsigned long long)places);
    for (int i = 13; i < precision; i++)
        buf_put_u8(b, '0');
    buf_printf(b, "p%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

/* Mantissa and power of two, both decimal: "4503599627370496p-52". */
static void put_binary_float(double v, struct buf *b)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    int exponent = (int)(bits >> 52 & 0x7ff);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent == 0)
        exponent = 1;
    else
        mantissa |= UINT64_C(1) << 52;
    buf_printf(b, "%s%llup%+d", signbit(v) ? "-" : "", (unsigned long long)mantissa,
               exponent - 1075);
}

static void put_precise(double v, char kind, int precision, bool sharp, struct buf *b)
{
    if (kind == 'e')
        buf_printf(b, sharp ? "%#.*e" : "%.*e", precision, v);
    else if (kind == 'f')
        buf_printf(b, sharp ? "%#.*f" : "%.*f", precision, v);
    else
        buf_printf(b, sharp ? "%#.*g" : "%.*g", precision, v);
}

/* As short as it reads back, but with a point and at least six digits: "%#g". */
static void put_sharp(double v, struct buf *b)
{
    char text[NUMBER_SIZE_MAX];
    size_t n = number_format_g(v, text), mantissa = 0, digits = 0;
    bool point = false;
    for (; mantissa < n && text[mantissa] != 'e'; mantissa++) {
        point |= text[mantissa] == '.';
        digits += text[mantissa] != '.' && (digits > 0 || text[mantissa] != '0');
    }
    buf_put(b, text, mantissa);
    if (!point)
        buf_put_u8(b, '.');
    for (digits = v == 0 ? 1 : digits; digits < 6; digits++)
        buf_put_u8(b, '0');
    buf_put(b, text + mantissa, n - mantissa);
}

/* strconv.FormatFloat of a finite number. */
static void put_float(const struct format_flags *flags, double v, char kind, int precision,
                      struct buf *b)
{
    char text[NUMBER_SIZE_MAX];
    if (kind == 'b')
        put_binary_float(v, b);
    else if (kind == 'x')
        put_hex_float(v, precision, b);
    else if (precision < 0 && flags->sharp)
        put_sharp(v, b);
    else if (precision < 0)
        buf_put(b, text, number_format_g(v, text));
    else
        put_precise(v, kind, precision < 0 ? 6 : precision, flags->sharp, b);
}

static void to_upper_ascii(struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (b->ptr[i] >= 'a' && b->ptr[i] <= 'z')
            b->ptr[i] = (uint8_t)(b->ptr[i] - 'a' + 'A');
}

/* "NaN", "+Inf" or "-Inf": never filled with zeros; a plus only where one was asked for. */
static void format_no_number(struct formatter *f, double v)
{
    struct format_flags *flags = &f->flags;
    bool zero = flags->zero;
    str text = isnan(v) ? STR("+NaN") : v > 0 ? STR("+Inf") : STR("-Inf");
    if (flags->space && !flags->plus && text.ptr[0] == '+')
        text = isnan(v) ? STR(" NaN") : STR(" Inf");
    else if (isnan(v) && !flags->plus)
        text = STR("NaN");
    flags->zero = false;
    format_pad(f, text);
    flags->zero = zero;
}

/* The sign, zeros up to the width, and the digits. */
static void format_number(struct formatter *f, str digits, char sign)
{
    struct format_flags *flags = &f->flags;
    struct buf b = {0};
    size_t width = flags->width > 0 ? (size_t)flags->width : 0, size = digits.len + 1;
    if (sign != '\0')
        buf_put_u8(&b, (uint8_t)sign);
    for (; sign != '\0' && flags->zero && !flags->minus && size < width; size++)
        buf_put_u8(&b, '0');
    buf_put_str(&b, digits);
    format_pad(f, buf_str(&b));
    buf_fini(&b);
}

void format_float(struct formatter *f, const struct template_value *v, uint32_t verb)
{
    struct format_flags *flags = &f->flags;
    uint32_t kind = verb == 'v' ? 'g' : verb == 'F' ? 'f' : verb;
    bool upper = verb == 'E' || verb == 'G' || verb == 'X';
    if (upper)
        kind += 'a' - 'A';
    if (kind > 0x7f || kind == 0 || strchr("bgefx", (int)kind) == NULL) {
        format_bad_verb(f, v, verb);
        return;
    }
    if (!isfinite(v->f)) {
        format_no_number(f, v->f);
        return;
    }
    int precision = flags->precision;
    if (precision < 0 && (kind == 'e' || kind == 'f'))
        precision = 6;
    struct buf b = {0};
    put_float(flags, fabs(v->f), (char)kind, precision, &b);
    if (upper)
        to_upper_ascii(&b);
    char sign = signbit(v->f) ? '-' : flags->plus ? '+' : flags->space ? ' ' : '\0';
    format_number(f, buf_str(&b), sign);
    buf_fini(&b);
}

/* The first `runes_max` characters. */
static str truncate_runes(str s, int runes_max)
{
    size_t pos = 0;
    if (runes_max < 0)
        return s;
    for (int i = 0; i < runes_max && pos < s.len; i++) {
        unsigned size;
        (void)utf8_decode((str){s.ptr + pos, s.len - pos}, &size);
        pos += size;
    }
    return (str){s.ptr, pos};
}

/* May `s` stand between backquotes? */
static bool can_backquote(str s)
{
    if (!utf8_valid(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < ' ' && c != '\t') || c == '`' || c == 0x7f)
            return false;
    }
    return memmem(s.ptr, s.len, "\xef\xbb\xbf", 3) == NULL;
}

/* As utf8_quote(), everything above ASCII escaped. */
static void quote_ascii(struct buf *b, str s)
{
    struct buf quoted = {0};
    utf8_quote(&quoted, s);
    str rest = buf_str(&quoted);
    while (rest.len > 0) {
        unsigned size;
        uint32_t rune = utf8_decode(rest, &size);
        if (rune < 0x80)
            buf_put_u8(b, (uint8_t)rune);
        else
            buf_printf(b, rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
        rest = (str){rest.ptr + size, rest.len - size};
    }
    buf_fini(&quoted);
}

static void format_quoted(struct formatter *f, str s)
{
    struct buf b = {0};
    s = truncate_runes(s, f->flags.precision);
    if (f->flags.sharp && can_backquote(s)) {
        buf_put_u8(&b, '`');
        buf_put_str(&b, s);
        buf_put_u8(&b, '`');
    } else if (f->flags.plus) {
        quote_ascii(&b, s);
    } else {
        utf8_quote(&b, s);
    }
    format_pad(f, buf_str(&b));
    buf_fini(&b);
}

/* Bytes as hexadecimal digits; ' ' parts them, '#' prefixes them. */
static void format_hex_bytes(struct formatter *f, str s, bool upper)
{
    struct buf b = {0};
    size_t n = f->flags.precision >= 0 ? MIN(s.len, (size_t)f->flags.precision) : s.len;
    if (n > f->end) {
        f->failed = ERR_LIMIT;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && f->flags.space)
            buf_put_u8(&b, ' ');
        if (f->flags.sharp && (i == 0 || f->flags.space))
            buf_put_str(&b, upper ? STR("0X") : STR("0x"));
        buf_printf(&b, upper ? "%02X" : "%02x", (unsigned char)s.ptr[i]);
    }
    format_pad(f, buf_str(&b));
    buf_fini(&b);
}

void format_string(struct formatter *f, const struct template_value *v, str s, uint32_t verb)
{
    if (verb == 'v' && f->flags.sharp_v)
        format_quoted(f, s);
    else if (verb == 'v' || verb == 's')
        format_pad(f, truncate_runes(s, f->flags.precision));
    else if (verb == 'x' || verb == 'X')
        format_hex_bytes(f, s, verb == 'X');
    else if (verb == 'q')
        format_quoted(f, s);
    else
        format_bad_verb(f, v, verb);
}
