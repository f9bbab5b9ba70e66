/* time_interval.c -- see time_interval.h. */
#include "notify/time_interval.h"

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/zone.h"

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

/* Days since 1970-01-01 of the proleptic Gregorian calendar. Years begin in March here: then the
 * day that comes every four years is the last of them. */
static int64_t day_number(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_of_month(int64_t year, int month)
{
    return (int)(day_number(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) -
                 day_number(year, month, 1));
}

const struct zone *time_interval_zone(const struct time_interval *t)
{
    static _Atomic(const struct zone *) utc; /* it is for ever: whoever is first finds it */
    const struct zone *z = t->zone != NULL ? t->zone : atomic_load(&utc);
    if (z != NULL)
        return z;
    (void)!zone_find(STR("UTC"), &z, NULL); /* it needs no file */
    atomic_store(&utc, z);
    return z;
}

bool time_interval_has_day(const struct time_interval *t, const struct civil *c)
{
    int64_t day = day_number(c->year, c->month, c->day);
    int weekday = (int)(((day + 4) % 7 + 7) % 7); /* day 0 was a Thursday */
    return holds(&t->months, c->month) && holds(&t->weekdays, weekday) &&
           holds(&t->years, c->year) &&
           holds_day(&t->days_of_month, c->day, days_of_month(c->year, c->month));
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
