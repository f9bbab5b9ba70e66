/* time_interval.c -- see time_interval.h. */
#include "notify/time_interval.h"

#include "base/compiler.h"
#include "base/zone.h"

enum { DAY_MS = 86400000 };

static bool holds(const struct int_ranges *ranges, int64_t v)
{
    if (!ranges->given)
        return true;
    for (size_t i = 0; i < ranges->count; i++)
        if (v >= ranges->items[i].begin && v <= ranges->items[i].end)
            return true;
    return false;
}

static bool holds_minute(const struct int_ranges *ranges, int minute)
{
    if (!ranges->given)
        return true;
    for (size_t i = 0; i < ranges->count; i++)
        if (minute >= ranges->items[i].begin && minute < ranges->items[i].end)
            return true;
    return false;
}

/* Days from the end count from the month's length; ranges are cut to the month, and one that
 * begins behind its end is not in it. */
static bool holds_day(const struct int_ranges *ranges, int day, int days)
{
    if (!ranges->given)
        return true;
    for (size_t i = 0; i < ranges->count; i++) {
        int begin = ranges->items[i].begin, end = ranges->items[i].end;
        begin = begin < 0 ? days + begin + 1 : begin;
        end = end < 0 ? days + end + 1 : end;
        if (begin <= days && day >= begin && day <= MIN(end, days))
            return true;
    }
    return false;
}

/* Days since 1970-01-01. */
static int64_t day_number(const struct zone *utc, int64_t year, int month, int day)
{
    const struct civil c = {.year = year, .month = month, .day = day};
    return zone_instant_ms(utc, &c) / DAY_MS;
}

static const struct zone *utc_zone(void)
{
    const struct zone *utc = NULL;
    (void)!zone_find(STR("UTC"), &utc, NULL); /* it needs no file */
    return utc;
}

const struct zone *time_interval_zone(const struct time_interval *t)
{
    return t->zone != NULL ? t->zone : utc_zone();
}

bool time_interval_has_day(const struct time_interval *t, const struct civil *c)
{
    const struct zone *utc = utc_zone();
    int64_t day = day_number(utc, c->year, c->month, c->day);
    int days = (int)(day_number(utc, c->year, c->month + 1, 1) - day) + c->day - 1;
    int weekday = (int)(((day + 4) % 7 + 7) % 7); /* day 0 was a Thursday */
    return holds_day(&t->days_of_month, c->day, days) && holds(&t->months, c->month) &&
           holds(&t->weekdays, weekday) && holds(&t->years, c->year);
}

bool time_interval_contains(const struct time_interval *t, int64_t now_ms)
{
    struct civil c;
    zone_civil(time_interval_zone(t), now_ms, &c);
    return holds_minute(&t->times, c.hour * 60 + c.minute) && time_interval_has_day(t, &c);
}

bool time_intervals_contain(const struct time_intervals *set, int64_t now_ms)
{
    for (size_t i = 0; i < set->count; i++)
        if (time_interval_contains(&set->items[i], now_ms))
            return true;
    return false;
}
