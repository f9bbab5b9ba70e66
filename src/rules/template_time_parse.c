/* template_time_parse.c -- texts read as times by a layout, as Go's time.Parse does in a process
 * whose zone is UTC. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/zone.h"
#include "rules/template_time_priv.h"

struct reading {
    str rest; /* of the value */
    struct civil at;
    int64_t nsec;
    int year_day; /* 0: not said */
    bool month_said, day_said, am, pm, utc, offset_said;
    int32_t offset_sec;
    str zone;          /* its abbreviation, within the value; "": not said */
    const char *range; /* what is out of range: "month" */
};

static bool is_digit_at(str s, size_t i)
{
    return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

static void advance(struct reading *r, size_t bytes)
{
    r->rest = (str){r->rest.ptr + bytes, r->rest.len - bytes};
}

static void skip_spaces(str *s)
{
    while (s->len > 0 && s->ptr[0] == ' ')
        *s = (str){s->ptr + 1, s->len - 1};
}

/* One to `most` digits; exactly so many when `fixed`. */
static bool take_number(struct reading *r, size_t most, bool fixed, int *out)
{
    size_t n = 0;
    int v = 0;
    for (; n < most && is_digit_at(r->rest, n); n++)
        v = v * 10 + (r->rest.ptr[n] - '0');
    if (n == 0 || (fixed && n < most))
        return false;
    *out = v;
    advance(r, n);
    return true;
}

/* A number of a part with bounds. */
static bool take_bounded(struct reading *r, bool fixed, int least, int most, const char *what,
                         int *out)
{
    if (!take_number(r, 2, fixed, out))
        return false;
    if (*out < least || *out > most)
        r->range = what;
    return true;
}

/* A name of a list, in letters of any case; `size` 0: whole. Its place, from 1; 0: none. */
static int take_name(struct reading *r, const char *const *names, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        str name = {names[i], size > 0 ? size : strlen(names[i])};
        size_t n = 0;
        while (n < name.len && n < r->rest.len && (r->rest.ptr[n] | 0x20) == (name.ptr[n] | 0x20))
            n++;
        if (n < name.len)
            continue;
        advance(r, n);
        return (int)i + 1;
    }
    return 0;
}

/* Bytes of a fraction (".5") at the start, and its nanoseconds; further digits are cut. */
static size_t read_fraction(str s, int64_t *nsec)
{
    size_t n = 1;
    int64_t unit = 100000000;
    if (s.len < 2 || (s.ptr[0] != '.' && s.ptr[0] != ',') || !is_digit_at(s, 1))
        return 0;
    for (*nsec = 0; is_digit_at(s, n); n++, unit /= 10)
        *nsec += (s.ptr[n] - '0') * unit;
    return n;
}

/* ".000" wants that many digits, ".999" takes any, or none. */
static bool take_fraction(struct reading *r, str part)
{
    str s = r->rest;
    bool exact = part.ptr[1] == '0';
    if (exact && s.len < part.len)
        return false;
    size_t n = read_fraction(exact ? (str){s.ptr, part.len} : s, &r->nsec);
    if (exact && n != part.len)
        return false;
    advance(r, n);
    return true;
}

/* Seconds may have a fraction that the layout does not name. */
static bool take_second(struct reading *r, bool fixed, str layout)
{
    size_t size;
    if (!take_bounded(r, fixed, 0, 59, "second", &r->at.second))
        return false;
    if (r->range == NULL && layout_part_at(layout, &size) != PART_FRACTION)
        advance(r, read_fraction(r->rest, &r->nsec));
    return true;
}

static bool take_year(struct reading *r, bool whole)
{
    int year;
    if (!take_number(r, whole ? 4 : 2, true, &year))
        return false;
    r->at.year = whole ? year : year + (year >= 69 ? 1900 : 2000);
    return true;
}

static bool take_day(struct reading *r, enum layout_part part)
{
    if (part == PART_UNDER_DAY && r->rest.len > 0 && r->rest.ptr[0] == ' ')
        advance(r, 1);
    r->day_said = true;
    return take_number(r, 2, part == PART_ZERO_DAY, &r->at.day);
}

static bool take_year_day(struct reading *r, enum layout_part part)
{
    for (int i = 0; i < 2 && part == PART_UNDER_YEAR_DAY; i++)
        if (r->rest.len > 0 && r->rest.ptr[0] == ' ')
            advance(r, 1);
    if (!take_number(r, 3, part == PART_ZERO_YEAR_DAY, &r->year_day))
        return false;
    if (r->year_day == 0)
        r->range = "day-of-year";
    return true;
}

static bool take_half_of_day(struct reading *r, bool upper)
{
    bool pm = str_starts(r->rest, upper ? STR("PM") : STR("pm"));
    bool am = str_starts(r->rest, upper ? STR("AM") : STR("am"));
    r->pm |= pm;
    r->am |= am;
    if (pm || am)
        advance(r, 2);
    return pm || am;
}

/* ---- Zones ---- */

static bool take_offset(struct reading *r, enum layout_part part)
{
    struct offset_form form = offset_form_of(part);
    int hours = 0, minutes = 0, seconds = 0;
    if (form.iso && r->rest.len > 0 && r->rest.ptr[0] == 'Z') {
        advance(r, 1);
        r->utc = true;
        return true;
    }
    if (r->rest.len == 0 || (r->rest.ptr[0] != '+' && r->rest.ptr[0] != '-'))
        return false;
    int sign = r->rest.ptr[0] == '-' ? -1 : 1;
    int *const fields[] = {&hours, form.minutes ? &minutes : NULL, form.seconds ? &seconds : NULL};
    advance(r, 1);
    for (size_t i = 0; i < COUNT_OF(fields) && fields[i] != NULL; i++) {
        if (i > 0 && form.colon) {
            if (!str_starts(r->rest, STR(":")))
                return false;
            advance(r, 1);
        }
        if (!take_number(r, 2, true, fields[i]))
            return false;
    }
    if (hours > 24) /* 24 hours and 60 minutes are written by some */
        r->range = "time zone offset hour";
    if (minutes > 60)
        r->range = "time zone offset minute";
    if (seconds > 60)
        r->range = "time zone offset second";
    r->offset_said = true;
    r->offset_sec = sign * ((hours * 60 + minutes) * 60 + seconds);
    return true;
}

/* Bytes of "+3" or "-11" at the start, an offset in hours; 0: it is none. */
static size_t hours_size(str s, int *hours)
{
    size_t n = 1;
    *hours = 0;
    if (s.len < 2 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return 0;
    for (; is_digit_at(s, n) && n < 6; n++)
        *hours = *hours * 10 + (s.ptr[n] - '0');
    if (n == 1 || *hours > 23)
        return 0;
    *hours = s.ptr[0] == '-' ? -*hours : *hours;
    return n;
}

/* Bytes of an abbreviation: three capitals, or four or five that end with T; a few others. */
static size_t abbreviation_size(str s)
{
    size_t n = 0;
    int hours;
    if (s.len < 3)
        return 0;
    if (str_starts(s, STR("ChST")) || str_starts(s, STR("MeST")))
        return 4;
    if (str_starts(s, STR("GMT")))
        return 3 + hours_size((str){s.ptr + 3, s.len - 3}, &hours);
    if (s.ptr[0] == '+' || s.ptr[0] == '-')
        return hours_size(s, &hours);
    while (n < 6 && n < s.len && s.ptr[n] >= 'A' && s.ptr[n] <= 'Z')
        n++;
    bool is_one = n == 3 || (n == 4 && (s.ptr[3] == 'T' || str_starts(s, STR("WITA")))) ||
                  (n == 5 && s.ptr[4] == 'T');
    return is_one ? n : 0;
}

static bool take_zone(struct reading *r)
{
    if (str_starts(r->rest, STR("UTC"))) {
        r->utc = true;
        advance(r, 3);
        return true;
    }
    size_t n = abbreviation_size(r->rest);
    r->zone = (str){r->rest.ptr, n};
    advance(r, n);
    return n > 0;
}

/* ---- Parts ---- */

static bool take_month(struct reading *r, enum layout_part part)
{
    r->month_said = true;
    if (part == PART_NUM_MONTH || part == PART_ZERO_MONTH)
        return take_bounded(r, part == PART_ZERO_MONTH, 1, 12, "month", &r->at.month);
    r->at.month = take_name(r, TIME_MONTHS, COUNT_OF(TIME_MONTHS), part == PART_MONTH ? 3 : 0);
    return r->at.month > 0;
}

/* `layout`: what follows the part. */
static bool take_part(struct reading *r, enum layout_part part, str text, str layout)
{
    switch (part) {
    case PART_LONG_YEAR:
    case PART_YEAR:
        return take_year(r, part == PART_LONG_YEAR);
    case PART_LONG_MONTH:
    case PART_MONTH:
    case PART_NUM_MONTH:
    case PART_ZERO_MONTH:
        return take_month(r, part);
    case PART_LONG_WEEKDAY:
    case PART_WEEKDAY: /* looked at, and no more */
        return take_name(r, TIME_DAYS, COUNT_OF(TIME_DAYS), part == PART_WEEKDAY ? 3 : 0) > 0;
    case PART_DAY:
    case PART_UNDER_DAY:
    case PART_ZERO_DAY:
        return take_day(r, part);
    case PART_UNDER_YEAR_DAY:
    case PART_ZERO_YEAR_DAY:
        return take_year_day(r, part);
    case PART_HOUR:
        return take_bounded(r, false, 0, 23, "hour", &r->at.hour);
    case PART_HOUR_12:
    case PART_ZERO_HOUR_12:
        return take_bounded(r, part == PART_ZERO_HOUR_12, 0, 12, "hour", &r->at.hour);
    case PART_MINUTE:
    case PART_ZERO_MINUTE:
        return take_bounded(r, part == PART_ZERO_MINUTE, 0, 59, "minute", &r->at.minute);
    case PART_SECOND:
    case PART_ZERO_SECOND:
        return take_second(r, part == PART_ZERO_SECOND, layout);
    case PART_PM:
    case PART_PM_LOWER:
        return take_half_of_day(r, part == PART_PM);
    case PART_ZONE:
        return take_zone(r);
    case PART_FRACTION:
        return take_fraction(r, text);
    default:
        return take_offset(r, part);
    }
}

/* Text between parts; a run of spaces matches any, also at the end of the value. */
static bool take_text(struct reading *r, str text)
{
    while (text.len > 0) {
        if (text.ptr[0] == ' ') {
            if (r->rest.len > 0 && r->rest.ptr[0] != ' ')
                return false;
            skip_spaces(&text);
            skip_spaces(&r->rest);
            continue;
        }
        if (r->rest.len == 0 || r->rest.ptr[0] != text.ptr[0])
            return false;
        text = (str){text.ptr + 1, text.len - 1};
        advance(r, 1);
    }
    return true;
}

/* ---- The whole ---- */

static err range_error(str value, const char *what, struct diag *d)
{
    struct buf b = {0};
    utf8_quote(&b, value);
    err e = diag_set(d, ERR_INVALID, "parsing time " STR_FMT ": %s", STR_ARG(buf_str(&b)), what);
    buf_fini(&b);
    return e;
}

static err part_error(str value, str layout, str rest, str part, struct diag *d)
{
    struct buf b = {0};
    buf_put_str(&b, STR("parsing time "));
    utf8_quote(&b, value);
    buf_put_str(&b, STR(" as "));
    utf8_quote(&b, layout);
    buf_put_str(&b, STR(": cannot parse "));
    utf8_quote(&b, rest);
    buf_put_str(&b, STR(" as "));
    utf8_quote(&b, part);
    err e = diag_set(d, ERR_INVALID, "%s", buf_cstr(&b));
    buf_fini(&b);
    return e;
}

static err extra_error(str value, str rest, struct diag *d)
{
    struct buf b = {0};
    buf_put_str(&b, STR("extra text: "));
    utf8_quote(&b, rest);
    err e = range_error(value, buf_cstr(&b), d);
    buf_fini(&b);
    return e;
}

/* Month and day, which may have been said as day of the year. NULL, or what is wrong. */
static const char *settle_day(struct reading *r, const struct zone *utc)
{
    struct civil said = r->at, there;
    if (r->year_day > 0) {
        r->at.month = 1;
        r->at.day = r->year_day;
    }
    zone_civil(utc, zone_instant_ms(utc, &r->at), &there);
    if (r->year_day > 0 && there.year != said.year)
        return "day-of-year out of range";
    if (r->year_day > 0 && r->month_said && there.month != said.month)
        return "day-of-year does not match month";
    if (r->year_day > 0 && r->day_said && there.day != said.day)
        return "day-of-year does not match day";
    if (r->year_day == 0 && (there.month != said.month || there.day != said.day))
        return "day out of range";
    return NULL;
}

static err settle(struct reading *r, str value, struct arena *a, struct template_time *out,
                  struct diag *d)
{
    const struct zone *utc;
    int hours = 0;
    TRY(zone_find(STR("UTC"), &utc, d));
    if (r->pm && r->at.hour < 12)
        r->at.hour += 12;
    else if (r->am && r->at.hour == 12)
        r->at.hour = 0;
    const char *wrong = settle_day(r, utc);
    if (wrong != NULL)
        return range_error(value, wrong, d);
    *out = template_time_ms(zone_instant_ms(utc, &r->at));
    out->nsec = (int32_t)r->nsec;
    if (r->utc || (r->offset_sec == 0 && r->zone.len == 0))
        return OK;
    if (r->offset_said) {
        out->offset_sec = r->offset_sec;
        out->sec -= r->offset_sec;
    } else if (r->zone.len > 3 && hours_size((str){r->zone.ptr + 3, r->zone.len - 3}, &hours) > 0) {
        out->offset_sec = hours * 3600; /* shown there, but read as of UTC */
    }
    str name = arena_str(a, r->zone); /* ends with a NUL */
    out->zone = name.ptr;
    return name.ptr != NULL ? OK : ERR_LIMIT;
}

err template_time_parse(str layout, str value, struct arena *a, struct template_time *out,
                        struct diag *d)
{
    struct reading r = {.rest = value, .at = {.month = 1, .day = 1}};
    str left = layout;
    for (;;) {
        size_t text = 0, size = 0;
        enum layout_part part = PART_NONE;
        while (text < left.len && part == PART_NONE) {
            part = layout_part_at((str){left.ptr + text, left.len - text}, &size);
            text += part == PART_NONE;
        }
        if (!take_text(&r, (str){left.ptr, text}))
            return part_error(value, layout, r.rest, (str){left.ptr, text}, d);
        if (part == PART_NONE)
            break;
        str before = r.rest, own = {left.ptr + text, size};
        left = (str){own.ptr + size, left.len - text - size};
        bool taken = take_part(&r, part, own, left);
        if (r.range != NULL) {
            char what[64];
            (void)snprintf(what, sizeof(what), "%s out of range", r.range);
            return range_error(value, what, d);
        }
        if (!taken)
            return part_error(value, layout, before, own, d);
    }
    return r.rest.len > 0 ? extra_error(value, r.rest, d) : settle(&r, value, a, out, d);
}
