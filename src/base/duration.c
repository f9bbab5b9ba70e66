/* duration.c -- see duration.h. Arithmetic follows Go's step by step: doubles to nanoseconds by
 * truncation, nanoseconds to milliseconds by truncation. */
#include "base/duration.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"

static const int64_t MS_PER_DAY = 86400000;
static const int64_t NS_PER_S = 1000000000;
static const int64_t NS_PER_MS = 1000000;
static const double TWO_63 = 9223372036854775808.0;

static const struct unit {
    str name;
    int64_t ms;
    bool exact; /* printed only when nothing is left over: 90d reads better than 12w6d */
} UNITS[] = {
    /* largest first: the order in which they must be written */
    {{"y", 1}, INT64_C(31536000000), true},
    {{"w", 1}, 604800000, true},
    {{"d", 1}, 86400000, false},
    {{"h", 1}, 3600000, false},
    {{"m", 1}, 60000, false},
    {{"s", 1}, 1000, false},
    {{"ms", 2}, 1, false},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Leading bytes of `s` that are (or are not) digits. */
static size_t run_size(str s, bool digits)
{
    size_t n = 0;
    while (n < s.len && is_digit(s.ptr[n]) == digits)
        n++;
    return n;
}

static str skip(str s, size_t n)
{
    return (str){s.ptr + n, s.len - n};
}

/* A message with one or two inputs quoted as Go's %q. */
static err fail(struct diag *d, const char *before, str a, const char *between, str b)
{
    struct buf text = {0};
    buf_put_str(&text, str_from(before));
    utf8_quote(&text, a);
    buf_put_str(&text, str_from(between));
    if (b.ptr != NULL)
        utf8_quote(&text, b);
    err e = diag_set(d, ERR_INVALID, STR_FMT, STR_ARG(buf_str(&text)));
    buf_fini(&text);
    return e;
}

static err fail_duration(struct diag *d, str s)
{
    return fail(d, "not a valid duration string: ", s, "", (str){NULL, 0});
}

/* Index of a unit, COUNT_OF(UNITS) when unknown. */
static size_t find_unit(str name)
{
    size_t i = 0;
    while (i < COUNT_OF(UNITS) && !str_eq(UNITS[i].name, name))
        i++;
    return i;
}

/* One number with its unit off the front of `s`, added to `ns`; units must follow `next_unit`. */
static err parse_part(str whole, str *s, size_t *next_unit, uint64_t *ns, struct diag *d)
{
    size_t digits = run_size(*s, true);
    uint64_t v;
    if (digits == 0 || number_parse_u64((str){s->ptr, digits}, &v) != OK)
        return fail_duration(d, whole);
    *s = skip(*s, digits);
    str name = {s->ptr, run_size(*s, false)};
    if (name.len == 0)
        return fail_duration(d, whole);
    *s = skip(*s, name.len);
    size_t unit = find_unit(name);
    if (unit == COUNT_OF(UNITS))
        return fail(d, "unknown unit ", name, " in duration ", whole);
    if (unit < *next_unit)
        return fail_duration(d, whole);
    *next_unit = unit + 1;
    uint64_t unit_ns = (uint64_t)UNITS[unit].ms * (uint64_t)NS_PER_MS;
    if (v > (UINT64_C(1) << 63) / unit_ns)
        return diag_set(d, ERR_INVALID, "duration out of range");
    *ns += v * unit_ns; /* at most 2^63 - 1 and 2^63: no overflow */
    if (*ns > INT64_MAX)
        return diag_set(d, ERR_INVALID, "duration out of range");
    return OK;
}

err duration_parse(str s, int64_t *out_ms, struct diag *d)
{
    uint64_t ns = 0;
    size_t next_unit = 0;
    if (s.len == 0)
        return diag_set(d, ERR_INVALID, "empty duration string");
    if (str_eq(s, STR("0"))) {
        *out_ms = 0;
        return OK;
    }
    str left = s;
    while (left.len > 0)
        TRY(parse_part(s, &left, &next_unit, &ns, d));
    *out_ms = (int64_t)(ns / (uint64_t)NS_PER_MS);
    return OK;
}

size_t duration_format(int64_t ms, char *out)
{
    size_t n = 0;
    if (ms == 0) {
        memcpy(out, "0s", 2);
        return 2;
    }
    if (ms < 0)
        out[n++] = '-';
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        uint64_t unit = (uint64_t)UNITS[i].ms;
        uint64_t v = left / unit;
        if (v == 0 || (UNITS[i].exact && left % unit != 0))
            continue;
        n += number_format_i64((int64_t)v, out + n);
        memcpy(out + n, UNITS[i].name.ptr, UNITS[i].name.len);
        n += UNITS[i].name.len;
        left -= v * unit;
    }
    return n;
}

/* A float in Go's sense: out of range ("1e999") is none, though "Inf" is. */
static bool parse_float(str s, double *out)
{
    if (number_parse_f64(s, true, out) != OK)
        return false;
    return !isinf(*out) || memchr(s.ptr, 'n', s.len) != NULL || memchr(s.ptr, 'N', s.len) != NULL;
}

err duration_param_parse(str s, int64_t *out_ms, struct diag *d)
{
    double seconds;
    if (parse_float(s, &seconds)) {
        double ns = seconds * (double)NS_PER_S;
        if (!(ns >= -TWO_63 && ns < TWO_63))
            return fail(d, "cannot parse ", s, " to a valid duration. It overflows int64",
                        (str){NULL, 0});
        *out_ms = (int64_t)ns / NS_PER_MS;
        return OK;
    }
    if (duration_parse(s, out_ms, NULL) == OK)
        return OK;
    return fail(d, "cannot parse ", s, " to a valid duration", (str){NULL, 0});
}

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar; years start in March here. */
static int64_t days_from_civil(int64_t y, unsigned month, unsigned day)
{
    y -= month <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (int64_t)((153 * ((month + 9) % 12) + 2) / 5 + day) - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct civil {
    int64_t year;
    unsigned month, day;
};

static struct civil civil_from_days(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned shifted = (unsigned)((5 * doy + 2) / 153);
    struct civil c = {.day = (unsigned)(doy - (153 * (int64_t)shifted + 2) / 5 + 1),
                      .month = shifted < 10 ? shifted + 3 : shifted - 9};
    c.year = yoe + era * 400 + (c.month <= 2);
    return c;
}

static unsigned days_in_month(int64_t y, unsigned month)
{
    static const uint8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return month == 2 && leap ? 29 : DAYS[month - 1];
}

/* Exactly `count` digits off the front of `s`, at most `max`. */
static bool take_number(str *s, size_t count, unsigned max, unsigned *out)
{
    if (s->len < count || run_size((str){s->ptr, count}, true) != count)
        return false;
    *out = 0;
    for (size_t i = 0; i < count; i++)
        *out = *out * 10 + (unsigned)(s->ptr[i] - '0');
    *s = skip(*s, count);
    return *out <= max;
}

static bool take_char(str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = skip(*s, 1);
    return true;
}

/* Optional ".123456789", of any length, truncated to nanoseconds and then to milliseconds. */
static void take_fraction(str *s, unsigned *ms)
{
    *ms = 0;
    if (s->len < 2 || (s->ptr[0] != '.' && s->ptr[0] != ',') || !is_digit(s->ptr[1]))
        return;
    *s = skip(*s, 1);
    size_t digits = run_size(*s, true);
    for (size_t i = 0; i < 3; i++)
        *ms = *ms * 10 + (i < digits ? (unsigned)(s->ptr[i] - '0') : 0);
    *s = skip(*s, digits);
}

/* "Z" or "+hh:mm"; Go lets offsets reach 24 hours and 60 minutes. */
static bool take_zone(str *s, int64_t *offset_s)
{
    unsigned hours, minutes;
    *offset_s = 0;
    if (take_char(s, 'Z'))
        return true;
    bool west = s->len > 0 && s->ptr[0] == '-';
    if (!take_char(s, '-') && !take_char(s, '+'))
        return false;
    if (!take_number(s, 2, 24, &hours) || !take_char(s, ':') || !take_number(s, 2, 60, &minutes))
        return false;
    *offset_s = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *offset_s = west ? -*offset_s : *offset_s;
    return true;
}

/* The hour may have one digit, as Go's parser has it. */
static bool take_hour(str *s, unsigned *out)
{
    size_t digits = run_size((str){s->ptr, MIN(s->len, (size_t)2)}, true);
    return digits > 0 && take_number(s, digits, 23, out);
}

static bool parse_rfc3339(str s, int64_t *out_ms)
{
    unsigned year, month, day, hour, minute, second, ms;
    int64_t offset_s;
    if (!take_number(&s, 4, 9999, &year) || !take_char(&s, '-') ||
        !take_number(&s, 2, 12, &month) || !take_char(&s, '-') || !take_number(&s, 2, 31, &day) ||
        !take_char(&s, 'T') || !take_hour(&s, &hour) || !take_char(&s, ':') ||
        !take_number(&s, 2, 59, &minute) || !take_char(&s, ':') || !take_number(&s, 2, 59, &second))
        return false;
    take_fraction(&s, &ms);
    if (!take_zone(&s, &offset_s) || s.len > 0 || month == 0 || day == 0 ||
        day > days_in_month(year, month))
        return false;
    int64_t day_s = (int64_t)hour * 3600 + (int64_t)minute * 60 + (int64_t)second - offset_s;
    *out_ms = days_from_civil(year, month, day) * MS_PER_DAY + day_s * 1000 + (int64_t)ms;
    return true;
}

/* Go splits a float at the second, rounds to milliseconds and truncates to nanoseconds. */
static bool time_from_float(double t, int64_t *out_ms)
{
    double seconds, fraction = modf(t, &seconds);
    if (!(fabs(seconds) < TWO_63 / 1000))
        return false;
    fraction = round(fraction * 1000) / 1000;
    int64_t s = (int64_t)seconds, ns = (int64_t)(fraction * (double)NS_PER_S);
    if (ns < 0) {
        ns += NS_PER_S;
        s--;
    }
    *out_ms = s * 1000 + ns / NS_PER_MS;
    return true;
}

err timestamp_parse(str s, int64_t *out_ms, struct diag *d)
{
    /* What upstream prints for "the beginning" and "the end" of time; no four-digit years. */
    static const struct {
        str text;
        int64_t ms;
    } ENDS[] = {
        {{"-292273086-05-16T16:47:06Z", 26}, INT64_C(-9223309901257974000)},
        {{"292277025-08-18T07:12:54.999999999Z", 35}, INT64_C(9223309901257974999)},
    };
    double t;
    if (parse_float(s, &t) && time_from_float(t, out_ms))
        return OK;
    if (parse_rfc3339(s, out_ms))
        return OK;
    for (size_t i = 0; i < COUNT_OF(ENDS); i++) {
        if (str_eq(s, ENDS[i].text)) {
            *out_ms = ENDS[i].ms;
            return OK;
        }
    }
    return fail(d, "cannot parse ", s, " to a valid timestamp", (str){NULL, 0});
}

static size_t put_padded(char *out, uint64_t v, unsigned width)
{
    for (unsigned i = width; i > 0; i--) {
        out[i - 1] = (char)('0' + v % 10);
        v /= 10;
    }
    return width;
}

/* At least four digits, '-' before negative years. */
static size_t put_year(char *out, int64_t year)
{
    size_t n = 0;
    if (year < 0)
        out[n++] = '-';
    uint64_t v = (uint64_t)(year < 0 ? -year : year);
    return n + (v < 10000 ? put_padded(out + n, v, 4) : number_format_i64((int64_t)v, out + n));
}

size_t timestamp_format_rfc3339(int64_t ms, char *out)
{
    int64_t in_day = ms % MS_PER_DAY;
    in_day += in_day < 0 ? MS_PER_DAY : 0;
    struct civil c = civil_from_days(ms / MS_PER_DAY - (ms % MS_PER_DAY < 0));
    uint64_t left = (uint64_t)in_day;
    size_t n = put_year(out, c.year);
    out[n++] = '-';
    n += put_padded(out + n, c.month, 2);
    out[n++] = '-';
    n += put_padded(out + n, c.day, 2);
    out[n++] = 'T';
    n += put_padded(out + n, left / 3600000, 2);
    out[n++] = ':';
    n += put_padded(out + n, left / 60000 % 60, 2);
    out[n++] = ':';
    n += put_padded(out + n, left / 1000 % 60, 2);
    if (left % 1000 != 0) {
        out[n++] = '.';
        n += put_padded(out + n, left % 1000, 3);
        while (out[n - 1] == '0')
            n--;
    }
    out[n++] = 'Z';
    return n;
}

size_t duration_format_go(int64_t ms, char *out)
{
    uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    size_t n = 0;
    if (ms < 0)
        out[n++] = '-';
    if (rest > 0 && rest < 1000) {
        n += number_format_i64((int64_t)(rest), out + n);
        out[n++] = 'm';
        out[n++] = 's';
        return n;
    }
    if (rest >= 3600000) {
        n += number_format_i64((int64_t)(rest / 3600000), out + n);
        out[n++] = 'h';
    }
    if (rest >= 60000) {
        n += number_format_i64((int64_t)(rest / 60000 % 60), out + n);
        out[n++] = 'm';
    }
    n += number_format_i64((int64_t)(rest / 1000 % 60), out + n);
    if (rest % 1000 != 0) {
        out[n++] = '.';
        n += put_padded(out + n, rest % 1000, 3);
        while (out[n - 1] == '0')
            n--;
    }
    out[n++] = 's';
    return n;
}
