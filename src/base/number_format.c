/* number_format.c -- see number.h: doubles and integers to text.
 *
 * Query results print millions of values, most of them integers or short decimals: those are found
 * with one multiplication and one division and never reach the general algorithm. */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"
#include "base/number_priv.h"

enum {
    SHORT_SCALE = 1000000, /* short decimals have up to 6 places */
};

/* Two different decimals of up to 15 digits never read as the same double, so one that reads back
 * is the shortest. */
static const double EXACT_LIMIT = 1e15;

static const char PAIRS[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* Decimal digits of `v`. */
static unsigned digit_count(uint64_t v)
{
    static const uint64_t POWERS[] = {
        0,
        UINT64_C(10),
        UINT64_C(100),
        UINT64_C(1000),
        UINT64_C(10000),
        UINT64_C(100000),
        UINT64_C(1000000),
        UINT64_C(10000000),
        UINT64_C(100000000),
        UINT64_C(1000000000),
        UINT64_C(10000000000),
        UINT64_C(100000000000),
        UINT64_C(1000000000000),
        UINT64_C(10000000000000),
        UINT64_C(100000000000000),
        UINT64_C(1000000000000000),
        UINT64_C(10000000000000000),
        UINT64_C(100000000000000000),
        UINT64_C(1000000000000000000),
        UINT64_C(10000000000000000000),
    };
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
    unsigned guess = bits * 1233 >> 12; /* bits * log10(2), rounded down */
    return guess + (v >= POWERS[guess]);
}

static size_t format_u64(uint64_t v, char *out)
{
    size_t n = v > 0 ? digit_count(v) : 1;
    char *p = out + n;
    while (v >= 100) {
        p -= 2;
        memcpy(p, PAIRS + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10)
        memcpy(out, PAIRS + v * 2, 2);
    else
        out[0] = (char)('0' + v);
    return n;
}

/* `scaled` / 10^6 without trailing zeros; not a whole number. */
static size_t format_scaled(uint64_t scaled, char *out)
{
    size_t n = format_u64(scaled / SHORT_SCALE, out);
    uint64_t places = scaled % SHORT_SCALE;
    out[n] = '.';
    for (size_t i = 6; i > 0; i--) {
        out[n + i] = (char)('0' + places % 10);
        places /= 10;
    }
    n += 7;
    while (out[n - 1] == '0')
        n--;
    return n;
}

/* 'f' form of a whole number or short decimal below EXACT_LIMIT; 0 when `v` (>= 0) is neither. */
static size_t format_short(double v, char *out)
{
    if (!(v < EXACT_LIMIT))
        return 0;
    uint64_t whole = (uint64_t)v;
    if ((double)whole == v)
        return format_u64(whole, out);
    double scaled = floor(v * SHORT_SCALE + 0.5);
    if (scaled >= EXACT_LIMIT || scaled / SHORT_SCALE != v)
        return 0;
    return format_scaled((uint64_t)scaled, out);
}

/* NaN, the infinities or the sign: what stands before the digits of |v|. */
static size_t format_special(double v, char *out, bool *done)
{
    *done = !isfinite(v);
    if (isnan(v)) {
        memcpy(out, "NaN", 3);
        return 3;
    }
    if (isinf(v)) {
        memcpy(out, v > 0 ? "+Inf" : "-Inf", 4);
        return 4;
    }
    if (signbit(v)) {
        out[0] = '-';
        return 1;
    }
    return 0;
}

static size_t put_zeros(char *out, int count)
{
    memset(out, '0', (size_t)count);
    return (size_t)count;
}

static size_t put_digits(char *out, const char *digits, int count)
{
    memcpy(out, digits, (size_t)count);
    return (size_t)count;
}

static size_t layout_f(const struct digits *d, char *out)
{
    size_t n = 0;
    if (d->point <= 0) {
        out[n++] = '0';
        if (d->count == 0)
            return n;
        out[n++] = '.';
        n += put_zeros(out + n, -d->point);
        return n + put_digits(out + n, d->text, d->count);
    }
    if (d->count <= d->point) {
        n += put_digits(out, d->text, d->count);
        return n + put_zeros(out + n, d->point - d->count);
    }
    n += put_digits(out, d->text, d->point);
    out[n++] = '.';
    return n + put_digits(out + n, d->text + d->point, d->count - d->point);
}

/* At least two digits of exponent, as Go and C have it. */
static size_t layout_e(const struct digits *d, char *out)
{
    size_t n = 0;
    out[n++] = d->count > 0 ? d->text[0] : '0';
    if (d->count > 1) {
        out[n++] = '.';
        n += put_digits(out + n, d->text + 1, d->count - 1);
    }
    int exponent = d->count > 0 ? d->point - 1 : 0;
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);
    out[n++] = 'e';
    out[n++] = exponent < 0 ? '-' : '+';
    if (magnitude < 10)
        out[n++] = '0';
    return n + format_u64(magnitude, out + n);
}

size_t number_format_f(double v, char *out)
{
    bool done;
    size_t sign = format_special(v, out, &done);
    if (done)
        return sign;
    size_t n = format_short(fabs(v), out + sign);
    if (n > 0)
        return sign + n;
    struct digits d;
    number_digits(fabs(v), &d);
    return sign + layout_f(&d, out + sign);
}

size_t number_format_json(double v, char *out)
{
    double a = fabs(v);
    if (a != 0 && isfinite(v) && (a < 1e-6 || a >= 1e21))
        return number_format_e(v, out);
    return number_format_f(v, out);
}

size_t number_format_e(double v, char *out)
{
    bool done;
    size_t sign = format_special(v, out, &done);
    if (done)
        return sign;
    struct digits d;
    number_digits(fabs(v), &d);
    return sign + layout_e(&d, out + sign);
}

size_t number_format_g(double v, char *out)
{
    enum { EXPONENT_MIN = -4, EXPONENT_LIMIT = 6 };
    bool done;
    size_t sign = format_special(v, out, &done);
    if (done)
        return sign;
    struct digits d;
    number_digits(fabs(v), &d);
    int exponent = d.point - 1;
    bool as_e = d.count > 0 && (exponent < EXPONENT_MIN || exponent >= EXPONENT_LIMIT);
    return sign + (as_e ? layout_e(&d, out + sign) : layout_f(&d, out + sign));
}

size_t number_format_i64(int64_t v, char *out)
{
    if (v >= 0)
        return format_u64((uint64_t)v, out);
    out[0] = '-';
    return 1 + format_u64(0 - (uint64_t)v, out + 1);
}
