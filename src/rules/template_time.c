/* template_time.c -- see template_time.h. */
#include <string.h>

#include "rules/template_time_priv.h"

enum { DAY_S = 86400, NS_PER_S = 1000000000 };

const char *const TIME_MONTHS[12] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
const char *const TIME_DAYS[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                  "Thursday", "Friday", "Saturday"};

struct civil { /* a date and time of day in its zone */
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 */
    int weekday, year_day;                /* 0: Sunday; from 1 */
};

/* By eras of 400 years that begin on a 1st of March, so that leap days come last. */
static struct civil civil_of(struct template_time t)
{
    int64_t local = t.sec + t.offset_sec;
    int64_t days = local / DAY_S, of_day = local % DAY_S;
    if (of_day < 0) {
        of_day += DAY_S;
        days--;
    }
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153; /* 0: March */
    struct civil c = {.hour = (int)(of_day / 3600),
                      .minute = (int)(of_day / 60 % 60),
                      .second = (int)(of_day % 60)};
    c.day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    c.month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    c.year = year_of_era + era * 400 + (c.month <= 2);
    c.weekday = (int)(((days + 4) % 7 + 7) % 7);
    bool leap = (c.year % 4 == 0 && c.year % 100 != 0) || c.year % 400 == 0;
    c.year_day = (int)(c.month <= 2 ? of_year - 306 + 1 : of_year + 59 + leap + 1);
    return c;
}

struct template_time template_time_ms(int64_t ms)
{
    int64_t sec = ms / 1000, rest = ms % 1000;
    if (rest < 0) {
        rest += 1000;
        sec--;
    }
    return (struct template_time){.sec = sec, .nsec = (int32_t)rest * 1000000, .zone = "UTC"};
}

err template_time_value(const struct template_type *type, struct template_time t, struct arena *a,
                        struct template_value *out)
{
    struct template_time *copy = ARENA_NEW(a, struct template_time);
    if (copy == NULL)
        return ERR_LIMIT;
    *copy = t;
    *out = (struct template_value){.type = type, .time = copy};
    return OK;
}

/* The first that fits counts, so longer ones stand before their beginnings. */
static const struct {
    const char *text;
    enum layout_part part;
} PARTS[] = {
    {"January", PART_LONG_MONTH},
    {"Jan", PART_MONTH},
    {"Monday", PART_LONG_WEEKDAY},
    {"Mon", PART_WEEKDAY},
    {"MST", PART_ZONE},
    {"002", PART_ZERO_YEAR_DAY},
    {"01", PART_ZERO_MONTH},
    {"02", PART_ZERO_DAY},
    {"03", PART_ZERO_HOUR_12},
    {"04", PART_ZERO_MINUTE},
    {"05", PART_ZERO_SECOND},
    {"06", PART_YEAR},
    {"15", PART_HOUR},
    {"1", PART_NUM_MONTH},
    {"2006", PART_LONG_YEAR},
    {"2", PART_DAY},
    {"__2", PART_UNDER_YEAR_DAY},
    {"_2", PART_UNDER_DAY},
    {"3", PART_HOUR_12},
    {"4", PART_MINUTE},
    {"5", PART_SECOND},
    {"PM", PART_PM},
    {"pm", PART_PM_LOWER},
    {"-070000", PART_NUM_SECONDS},
    {"-07:00:00", PART_NUM_SECONDS_COLON},
    {"-0700", PART_NUM},
    {"-07:00", PART_NUM_COLON},
    {"-07", PART_NUM_SHORT},
    {"Z070000", PART_ISO_SECONDS},
    {"Z07:00:00", PART_ISO_SECONDS_COLON},
    {"Z0700", PART_ISO},
    {"Z07:00", PART_ISO_COLON},
    {"Z07", PART_ISO_SHORT},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of a fraction of seconds (".000", ",999") at the start of `s`; 0 when there is none. */
static size_t fraction_size(str s)
{
    if (s.len < 2 || (s.ptr[0] != '.' && s.ptr[0] != ',') || (s.ptr[1] != '0' && s.ptr[1] != '9'))
        return 0;
    size_t n = 2;
    while (n < s.len && s.ptr[n] == s.ptr[1])
        n++;
    return n < s.len && is_digit(s.ptr[n]) ? 0 : n;
}

enum layout_part layout_part_at(str s, size_t *size)
{
    *size = fraction_size(s);
    if (*size > 0)
        return PART_FRACTION;
    for (size_t i = 0; i < COUNT_OF(PARTS); i++) {
        str text = str_from(PARTS[i].text);
        bool lower_follows = s.len > text.len && s.ptr[text.len] >= 'a' && s.ptr[text.len] <= 'z';
        if (!str_starts(s, text) || (PARTS[i].part == PART_MONTH && lower_follows) ||
            (PARTS[i].part == PART_WEEKDAY && lower_follows))
            continue;
        if (PARTS[i].part == PART_UNDER_DAY && str_starts(s, STR("_2006")))
            continue; /* a '_' and a year */
        *size = text.len;
        return PARTS[i].part;
    }
    return PART_NONE;
}

static void put_fraction(int32_t nsec, str part, struct buf *out)
{
    size_t digits = MIN(part.len - 1, 9);
    char text[16];
    int64_t v = nsec;
    for (size_t i = 9; i > 0; i--, v /= 10)
        text[i] = (char)('0' + v % 10);
    text[0] = part.ptr[0];
    size_t n = digits + 1;
    if (part.ptr[1] == '9') {
        while (n > 1 && text[n - 1] == '0')
            n--;
        if (n == 1)
            return;
    }
    buf_put(out, text, n);
}

struct offset_form offset_form_of(enum layout_part part)
{
    return (struct offset_form){.iso = part >= PART_ISO_SECONDS_COLON && part <= PART_ISO_SHORT,
                                .colon = part == PART_ISO_COLON || part == PART_ISO_SECONDS_COLON ||
                                         part == PART_NUM_COLON || part == PART_NUM_SECONDS_COLON,
                                .seconds =
                                    part == PART_ISO_SECONDS || part == PART_ISO_SECONDS_COLON ||
                                    part == PART_NUM_SECONDS || part == PART_NUM_SECONDS_COLON,
                                .minutes = part != PART_ISO_SHORT && part != PART_NUM_SHORT};
}

static void put_offset(enum layout_part part, int32_t offset, struct buf *out)
{
    struct offset_form form = offset_form_of(part);
    if (form.iso && offset == 0) {
        buf_put_u8(out, 'Z');
        return;
    }
    int32_t abs_offset = offset < 0 ? -offset : offset;
    buf_printf(out, "%c%02d", offset < 0 ? '-' : '+', abs_offset / 3600);
    if (form.minutes)
        buf_printf(out, "%s%02d", form.colon ? ":" : "", abs_offset / 60 % 60);
    if (form.seconds)
        buf_printf(out, "%s%02d", form.colon ? ":" : "", abs_offset % 60);
}

static void put_zone(struct template_time t, struct buf *out)
{
    if (t.zone != NULL && t.zone[0] != '\0')
        buf_put_str(out, str_from(t.zone));
    else
        put_offset(PART_NUM, t.offset_sec, out);
}

static void put_year(int64_t year, struct buf *out)
{
    if (year < 0)
        buf_printf(out, "-%04lld", (long long)-year);
    else
        buf_printf(out, "%04lld", (long long)year);
}

static void put_name(const char *name, size_t len, struct buf *out)
{
    buf_put(out, name, len > 0 ? len : strlen(name));
}

static int hour_12(const struct civil *c)
{
    return c->hour % 12 == 0 ? 12 : c->hour % 12;
}

/* A part that is a number: its value and least width. False: it is none. */
static bool number_part(enum layout_part part, const struct civil *c, int *value, int *width)
{
    const int values[PART_FRACTION + 1] = {
        [PART_NUM_MONTH] = c->month,
        [PART_ZERO_MONTH] = c->month,
        [PART_DAY] = c->day,
        [PART_ZERO_DAY] = c->day,
        [PART_HOUR] = c->hour,
        [PART_HOUR_12] = hour_12(c),
        [PART_ZERO_HOUR_12] = hour_12(c),
        [PART_MINUTE] = c->minute,
        [PART_ZERO_MINUTE] = c->minute,
        [PART_SECOND] = c->second,
        [PART_ZERO_SECOND] = c->second,
        [PART_ZERO_YEAR_DAY] = c->year_day,
        [PART_YEAR] = (int)(((c->year % 100) + 100) % 100),
    };
    static const int WIDTHS[PART_FRACTION + 1] = {
        [PART_NUM_MONTH] = 1,    [PART_ZERO_MONTH] = 2,  [PART_DAY] = 1,
        [PART_ZERO_DAY] = 2,     [PART_HOUR] = 2,        [PART_HOUR_12] = 1,
        [PART_ZERO_HOUR_12] = 2, [PART_MINUTE] = 1,      [PART_ZERO_MINUTE] = 2,
        [PART_SECOND] = 1,       [PART_ZERO_SECOND] = 2, [PART_ZERO_YEAR_DAY] = 3,
        [PART_YEAR] = 2,
    };
    *value = values[part];
    *width = WIDTHS[part];
    return *width > 0;
}

static void put_part(enum layout_part part, str text, struct template_time t, const struct civil *c,
                     struct buf *out)
{
    int value, width;
    if (number_part(part, c, &value, &width))
        buf_printf(out, "%0*d", width, value);
    else if (part == PART_UNDER_DAY)
        buf_printf(out, "%2d", c->day);
    else if (part == PART_UNDER_YEAR_DAY)
        buf_printf(out, "%3d", c->year_day);
    else if (part == PART_LONG_YEAR)
        put_year(c->year, out);
    else if (part == PART_LONG_MONTH || part == PART_MONTH)
        put_name(TIME_MONTHS[c->month - 1], part == PART_MONTH ? 3 : 0, out);
    else if (part == PART_LONG_WEEKDAY || part == PART_WEEKDAY)
        put_name(TIME_DAYS[c->weekday], part == PART_WEEKDAY ? 3 : 0, out);
    else if (part == PART_PM || part == PART_PM_LOWER)
        buf_printf(out, "%c%c", (c->hour >= 12 ? 'P' : 'A') + (part == PART_PM ? 0 : 'a' - 'A'),
                   part == PART_PM ? 'M' : 'm');
    else if (part == PART_ZONE)
        put_zone(t, out);
    else if (part == PART_FRACTION)
        put_fraction(t.nsec, text, out);
    else
        put_offset(part, t.offset_sec, out);
}

void template_time_format(struct template_time t, str layout, struct buf *out)
{
    struct civil c = civil_of(t);
    while (layout.len > 0) {
        size_t size;
        enum layout_part part = layout_part_at(layout, &size);
        if (part == PART_NONE) {
            size = 1;
            buf_put_u8(out, (uint8_t)layout.ptr[0]);
        } else {
            put_part(part, (str){layout.ptr, size}, t, &c, out);
        }
        layout = (str){layout.ptr + size, layout.len - size};
    }
}

void template_time_print(struct template_time t, struct buf *out)
{
    template_time_format(t, STR("2006-01-02 15:04:05.999999999 -0700 MST"), out);
}

/* `ns` as a decimal with `digits` places and without trailing zeros. */
static void put_decimal(uint64_t ns, unsigned digits, struct buf *out)
{
    uint64_t unit = 1;
    for (unsigned i = 0; i < digits; i++)
        unit *= 10;
    buf_printf(out, "%llu", (unsigned long long)(ns / unit));
    uint64_t rest = ns % unit;
    if (rest == 0)
        return;
    for (; rest % 10 == 0; rest /= 10)
        digits--;
    buf_printf(out, ".%0*llu", (int)digits, (unsigned long long)rest);
}

void template_duration_print(int64_t ns, struct buf *out)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns == 0) {
        buf_put_str(out, STR("0s"));
        return;
    }
    if (ns < 0)
        buf_put_u8(out, '-');
    if (u < 1000) {
        buf_printf(out, "%lluns", (unsigned long long)u);
    } else if (u < 1000000) {
        put_decimal(u, 3, out);
        buf_put_str(out, STR("\xc2\xb5s"));
    } else if (u < NS_PER_S) {
        put_decimal(u, 6, out);
        buf_put_str(out, STR("ms"));
    } else {
        uint64_t minutes = u / NS_PER_S / 60;
        if (minutes >= 60)
            buf_printf(out, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes > 0)
            buf_printf(out, "%llum", (unsigned long long)(minutes % 60));
        put_decimal(u - minutes * 60 * NS_PER_S, 9, out);
        buf_put_u8(out, 's');
    }
}
