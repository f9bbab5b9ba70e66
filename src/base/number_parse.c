/* number_parse.c -- see number.h: text to doubles and integers by the grammar of Go's strconv.
 *
 * One pass checks the grammar and gathers up to 19 digits. Up to 15 digits with a small power of
 * ten are converted exactly by one multiplication or division; the rest goes to number_read_f64().
 */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/number_priv.h"

enum {
    EXACT_DIGITS_MAX = 15, /* any such integer is a double */
    EXACT_POWER_MAX = 22,  /* 10^22 is the last power of ten that is a double */
    EXPONENT_CAP = 1 << 24 /* a larger exponent is as good as this one */
};

static const uint64_t NAN_BITS = UINT64_C(0x7ff8000000000001); /* what Go's NaN() is */

static const double POWERS[EXACT_POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

struct scan { /* what one pass over an unsigned number found */
    bool hex, zero;
    uint64_t mantissa;   /* the significant digits, when there are at most EXACT_DIGITS_MAX */
    size_t digits;       /* significant digits: from the first that is not 0 */
    int64_t first_place; /* value is 0.D... * base^first_place * 10^exponent (2^exponent if hex) */
    int64_t exponent;
};

static char lower(char c)
{
    return (char)(c | 0x20);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Value of a digit, 16 when it is none. */
static unsigned digit_value(char c, bool hex)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    char l = lower(c);
    return hex && l >= 'a' && l <= 'f' ? (unsigned)(l - 'a') + 10 : 16;
}

/* Digits with at most one point; returns the bytes used, 0 when there is no digit. */
static size_t scan_mantissa(str s, struct scan *n)
{
    size_t i = 0, digits = 0;
    bool point = false;
    for (; i < s.len; i++) {
        if (s.ptr[i] == '.' && !point) {
            point = true;
            continue;
        }
        unsigned v = digit_value(s.ptr[i], n->hex);
        if (v > 15)
            break;
        digits++;
        if (v == 0 && n->digits == 0) {
            n->first_place -= point;
            continue;
        }
        n->digits++;
        n->first_place += !point;
        if (n->digits <= EXACT_DIGITS_MAX)
            n->mantissa = n->mantissa * (n->hex ? 16 : 10) + v;
    }
    n->zero = n->digits == 0;
    return digits > 0 ? i : 0;
}

/* Optional sign and digits; false when there is no digit. */
static bool scan_exponent(str s, size_t *i, int64_t *out)
{
    bool negative = *i < s.len && s.ptr[*i] == '-';
    if (*i < s.len && (s.ptr[*i] == '-' || s.ptr[*i] == '+'))
        ++*i;
    size_t start = *i;
    int64_t v = 0;
    for (; *i < s.len && is_digit(s.ptr[*i]); ++*i)
        v = MIN(v * 10 + (s.ptr[*i] - '0'), EXPONENT_CAP);
    *out = negative ? -v : v;
    return *i > start;
}

/* The whole of `s`, without sign and "0x". */
static bool scan_number(str s, struct scan *n)
{
    size_t i = scan_mantissa(s, n);
    if (i == 0)
        return false;
    if (i < s.len && lower(s.ptr[i]) == (n->hex ? 'p' : 'e')) {
        i++;
        if (!scan_exponent(s, &i, &n->exponent))
            return false;
    } else if (n->hex) {
        return false; /* Go wants the 'p' exponent */
    }
    return i == s.len;
}

/* mantissa * 10^k in one correctly rounded operation; false when that takes more. */
static bool convert_exact(const struct scan *n, double *out)
{
    if (n->hex || n->digits > EXACT_DIGITS_MAX)
        return false;
    int64_t power = n->first_place - (int64_t)n->digits + n->exponent;
    if (power < -EXACT_POWER_MAX || power > EXACT_POWER_MAX)
        return false;
    double m = (double)n->mantissa;
    *out = power < 0 ? m / POWERS[-power] : m * POWERS[power];
    return true;
}

static err convert(str s, const struct scan *n, double *out)
{
    if (n->zero) {
        *out = 0;
        return OK;
    }
    if (convert_exact(n, out))
        return OK;
    enum number_read r = number_read_f64(s.ptr, s.len, n->hex, out);
    if (r == NUMBER_READ_RANGE)
        *out = n->first_place * (n->hex ? 4 : 1) + n->exponent > 0 ? INFINITY : 0;
    return r == NUMBER_READ_BAD ? ERR_INVALID : OK;
}

static bool eq_lower(str s, const char *word)
{
    size_t n = strlen(word);
    if (s.len != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(s.ptr[i]) != word[i])
            return false;
    return true;
}

/* '_' must stand between digits, or between "0x" and a digit. `s` is without sign. */
static bool underscores_ok(str s, bool hex)
{
    char last = '^';
    for (size_t i = hex ? 2 : 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool digit = digit_value(c, hex) < 16;
        bool after_digit = last == '0' || (hex && i == 2);
        if (c == '_' && !after_digit)
            return false;
        if (c != '_' && !digit && last == '_')
            return false;
        last = digit ? '0' : c == '_' ? '_' : '!';
    }
    return last != '_';
}

/* Digits with at most one point and nothing else, few enough to be exact: nearly all there are. */
static bool parse_plain(str s, double *out)
{
    uint64_t mantissa = 0;
    size_t point = s.len;
    if (s.len > EXACT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';
        if (digit <= 9)
            mantissa = mantissa * 10 + digit;
        else if (s.ptr[i] == '.' && point == s.len)
            point = i;
        else
            return false;
    }
    if (s.len == 0 || (s.len == 1 && point == 0))
        return false;
    size_t places = point < s.len ? s.len - point - 1 : 0;
    *out = places > 0 ? (double)mantissa / POWERS[places] : (double)mantissa;
    return true;
}

static err parse_unsigned(str s, double *out)
{
    if (parse_plain(s, out))
        return OK;
    struct scan n = {.hex = s.len > 2 && s.ptr[0] == '0' && lower(s.ptr[1]) == 'x'};
    str body = n.hex ? (str){s.ptr + 2, s.len - 2} : s;
    if (!scan_number(body, &n))
        return ERR_INVALID;
    return convert(body, &n, out);
}

/* As parse_unsigned(), with the '_' taken out. */
static err parse_underscored(str s, double *out)
{
    bool hex = s.len > 2 && s.ptr[0] == '0' && lower(s.ptr[1]) == 'x';
    if (!underscores_ok(s, hex))
        return ERR_INVALID;
    char *text = mem_alloc(s.len);
    size_t size = 0;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != '_')
            text[size++] = s.ptr[i];
    err e = parse_unsigned((str){text, size}, out);
    mem_free(text);
    return e;
}

err number_parse_f64(str s, bool underscores, double *out)
{
    if (s.len > 0 && is_digit(s.ptr[0]) && !underscores) /* nearly all */
        return parse_unsigned(s, out);
    if (eq_lower(s, "nan")) {
        *out = f64_from_bits(NAN_BITS);
        return OK;
    }
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (negative || s.ptr[0] == '+'))
        s = (str){s.ptr + 1, s.len - 1};
    double v = 0;
    err e = OK;
    if (eq_lower(s, "inf") || eq_lower(s, "infinity"))
        v = INFINITY;
    else if (underscores && s.len > 0 && memchr(s.ptr, '_', s.len) != NULL)
        e = parse_underscored(s, &v);
    else
        e = parse_unsigned(s, &v);
    if (e == OK)
        *out = negative ? -v : v;
    return e;
}

err number_parse_u64(str s, uint64_t *out)
{
    if (s.len > 0 && s.ptr[0] == '+')
        s = (str){s.ptr + 1, s.len - 1};
    uint64_t v = 0;
    bool over = false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return ERR_INVALID;
        over |= __builtin_mul_overflow(v, 10, &v);
        over |= __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v);
    }
    if (s.len == 0)
        return ERR_INVALID;
    if (over)
        return ERR_LIMIT;
    *out = v;
    return OK;
}

err number_parse_i64(str s, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (negative) {
        s = (str){s.ptr + 1, s.len - 1};
        if (s.len > 0 && s.ptr[0] == '+')
            return ERR_INVALID;
    }
    uint64_t v;
    TRY(number_parse_u64(s, &v));
    if (v > (uint64_t)INT64_MAX + negative)
        return ERR_LIMIT;
    *out = (int64_t)(negative ? 0 - v : v);
    return OK;
}

bool number_parse_bool(str s, bool *out)
{
    static const char *const YES[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const NO[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < COUNT_OF(YES); i++) {
        if (str_eq(s, str_from(YES[i])) || str_eq(s, str_from(NO[i]))) {
            *out = str_eq(s, str_from(YES[i]));
            return true;
        }
    }
    return false;
}
