/* scalar.c -- see scalar.h. */
#include "config/scalar.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

enum { NUMBER_TEXT_MAX = 80 }; /* digits and the underscores between them */

bool scalar_bool(const struct yaml *n, bool *out)
{
    static const char *const YES[] = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                      "on",   "On",   "ON",   "y",   "Y"};
    static const char *const NO[] = {"false", "False", "FALSE", "no", "No", "NO",
                                     "off",   "Off",   "OFF",   "n",  "N"};
    for (size_t i = 0; n->type == YAML_SCALAR && !n->quoted && i < COUNT_OF(YES); i++) {
        bool yes = str_eq(n->text, str_from(YES[i])), no = str_eq(n->text, str_from(NO[i]));
        if (!yes && !no)
            continue;
        *out = yes;
        return true;
    }
    return false;
}

/* ---- Numbers ---- */

static int base_of(const char **digits)
{
    const char *s = *digits;
    char kind = s[0] == '0' ? (char)(s[1] | 0x20) : ' ';
    int base = kind == 'x' ? 16 : kind == 'b' ? 2 : kind == 'o' ? 8 : 0;
    if (base != 0)
        *digits = s + 2;
    else
        base = s[0] == '0' && s[1] != '\0' ? 8 : 10;
    return base;
}

/* The text without underscores and sign, NUL-terminated. */
static bool bare(str s, bool *negative, char out[static NUMBER_TEXT_MAX + 1])
{
    size_t len = 0;
    *negative = s.len > 0 && s.ptr[0] == '-';
    for (size_t i = s.len > 0 && (*negative || s.ptr[0] == '+') ? 1 : 0; i < s.len; i++) {
        if (s.ptr[i] == '_')
            continue;
        if (len == NUMBER_TEXT_MAX || s.ptr[i] == '\0')
            return false;
        out[len++] = s.ptr[i];
    }
    out[len] = '\0';
    return len > 0;
}

/* A float that is a whole number: 3.0, 1e3. */
static bool whole_float(const char *text, uint64_t *out)
{
    double v;
    if (number_parse_f64(str_from(text), false, &v) != OK || !(v >= 0 && v < 9.2e18) ||
        v != (double)(uint64_t)v)
        return false;
    *out = (uint64_t)v;
    return true;
}

static bool are_digits(const char *s, int base)
{
    for (const char *at = s; *at != '\0'; at++) {
        bool digit = *at >= '0' && *at <= '9', letter = (*at | 0x20) >= 'a' && (*at | 0x20) <= 'f';
        if (!(digit && *at - '0' < base) && !(letter && base == 16))
            return false;
    }
    return s[0] != '\0';
}

static bool whole(const struct yaml *n, bool *negative, uint64_t *out)
{
    char text[NUMBER_TEXT_MAX + 1];
    if (n->type != YAML_SCALAR || n->quoted || !bare(n->text, negative, text))
        return false;
    const char *digits = text;
    int base = base_of(&digits);
    if (!are_digits(digits, base))
        return whole_float(text, out);
    errno = 0;
    *out = strtoull(digits, NULL, base);
    return errno == 0;
}

bool scalar_i64(const struct yaml *n, int64_t *out)
{
    bool negative;
    uint64_t v;
    if (!whole(n, &negative, &v) || v > (uint64_t)INT64_MAX)
        return false;
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

bool scalar_u64(const struct yaml *n, uint64_t *out)
{
    bool negative;
    uint64_t v;
    if (!whole(n, &negative, &v) || (negative && v > 0))
        return false;
    *out = v;
    return true;
}

bool scalar_f64(const struct yaml *n, double *out)
{
    static const char *const INFINITE[] = {".inf", ".Inf", ".INF"};
    static const char *const NONE[] = {".nan", ".NaN", ".NAN"};
    int64_t integer;
    if (n->type != YAML_SCALAR || n->quoted)
        return false;
    bool sign = n->text.len > 0 && (n->text.ptr[0] == '-' || n->text.ptr[0] == '+');
    str rest = {n->text.ptr + sign, n->text.len - sign};
    for (size_t i = 0; i < COUNT_OF(INFINITE); i++) {
        bool infinite = str_eq(rest, str_from(INFINITE[i]));
        if (infinite || (!sign && str_eq(rest, str_from(NONE[i])))) {
            *out = infinite ? (n->text.ptr[0] == '-' ? -INFINITY : INFINITY) : NAN;
            return true;
        }
    }
    if (scalar_i64(n, &integer)) { /* 0x10, 010, 0b11 */
        *out = (double)integer;
        return true;
    }
    return number_parse_f64(n->text, true, out) == OK;
}

/* ---- Sizes ---- */

static const char *size_fault(char *text, const char *what, str part, str whole)
{
    str p = {part.ptr, MIN(part.len, 32)}, w = {whole.ptr, MIN(whole.len, 32)};
    if (part.len > 0 || strstr(what, "unit") != NULL)
        (void)snprintf(text, SCALAR_FAULT_SIZE, "units: %s " STR_FMT " in " STR_FMT, what,
                       STR_ARG(p), STR_ARG(w));
    else
        (void)snprintf(text, SCALAR_FAULT_SIZE, "units: %s " STR_FMT, what, STR_ARG(w));
    return text;
}

static int unit_shift(str unit)
{
    static const char *const UNITS[] = {"B",   "KB",  "MB",  "GB",  "TB",  "PB", "EB",
                                        "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    static const uint8_t SHIFTS[] = {0, 10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60};
    for (size_t i = 0; i < COUNT_OF(UNITS); i++)
        if (str_eq(unit, str_from(UNITS[i])))
            return SHIFTS[i];
    return -1;
}

static size_t span(str s, size_t pos, bool number)
{
    while (pos < s.len && ((s.ptr[pos] >= '0' && s.ptr[pos] <= '9') || s.ptr[pos] == '.') == number)
        pos++;
    return pos;
}

const char *scalar_size(str s, uint64_t *out, char *text)
{
    const str none = {NULL, 0};
    uint64_t total = 0;
    if (str_eq(s, STR("0"))) {
        *out = 0;
        return NULL;
    }
    for (size_t pos = 0; pos < s.len || pos == 0;) {
        size_t digits = span(s, pos, true), end = span(s, digits, false);
        uint64_t v = 0;
        double fraction = 0;
        str number = {s.ptr + pos, digits - pos}, unit = {s.ptr + digits, end - digits};
        bool integer = number_parse_u64(number, &v) == OK;
        if (!integer && number_parse_f64(number, false, &fraction) != OK)
            return size_fault(text, "invalid", none, s);
        int shift = unit_shift(unit);
        if (shift < 0)
            return size_fault(text, "unknown unit", unit, s);
        if (!integer) {
            fraction *= (double)(UINT64_C(1) << shift);
            v = fraction < 9.2e18 ? (uint64_t)fraction : UINT64_MAX;
            shift = 0;
        }
        if (v > ((uint64_t)INT64_MAX - total) >> shift)
            return "size out of range";
        total += v << shift;
        pos = end;
    }
    *out = total;
    return NULL;
}

/* ---- Base64 ---- */

static int sextet(char c)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = memchr(ALPHABET, c, 64);
    return at != NULL ? (int)(at - ALPHABET) : -1;
}

err scalar_base64(str text, struct arena *a, str *out)
{
    char *bytes = arena_alloc(a, text.len / 4 * 3 + 4);
    size_t len = 0, padding = 0;
    unsigned held = 0, count = 0; /* bits waiting, and how many characters they are */
    if (bytes == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < text.len; i++) {
        int v = sextet(text.ptr[i]);
        if (text.ptr[i] == '\n' || text.ptr[i] == '\r')
            continue;
        if (text.ptr[i] == '=' ? count < 2 : v < 0 || padding > 0)
            return ERR_INVALID;
        padding += text.ptr[i] == '=';
        held = held << 6 | (unsigned)MAX(v, 0);
        if (++count < 4)
            continue;
        if (padding > 2)
            return ERR_INVALID;
        for (unsigned k = 0; k < 3 - padding; k++)
            bytes[len++] = (char)(held >> (16 - 8 * k));
        held = count = 0;
    }
    if (count != 0)
        return ERR_INVALID;
    *out = (str){bytes, len};
    return OK;
}
