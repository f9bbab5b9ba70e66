/* slo_period.c -- periods of calendar windows: months are added to the civil date of the anchor, so
 * that they begin at the same wall time whatever clocks do. */
#include "rules/slo_budget.h"

static int64_t start_of(const struct slo_window *w, int64_t index)
{
    struct civil c = w->anchor;
    if (w->months > 0) { /* fields may be out of range, but not an int */
        int64_t months = c.year * 12 + (c.month - 1) + index * w->months;
        c.year = months / 12;
        c.month = (int)(months % 12) + 1;
    } else {
        c.day += (int)(index * w->days);
    }
    return zone_instant_ms(w->zone, &c);
}

/* Which period `ms` is in: a guess from mean lengths, then steps. */
struct slo_period slo_period_of(const struct slo_window *w, int64_t ms)
{
    const int64_t day_ms = 86400000, month_ms = day_ms * 3044 / 100;
    int64_t length_ms = w->months > 0 ? w->months * month_ms : w->days * day_ms;
    int64_t index = (ms - start_of(w, 0)) / length_ms;
    while (start_of(w, index) > ms)
        index--;
    while (start_of(w, index + 1) <= ms)
        index++;
    return (struct slo_period){start_of(w, index), start_of(w, index + 1)};
}

struct slo_period slo_month_of(const struct zone *z, int64_t ms)
{
    struct civil c;
    zone_civil(z, ms, &c);
    c.day = 1;
    c.hour = c.minute = c.second = 0;
    int64_t start_ms = zone_instant_ms(z, &c);
    c.month++;
    return (struct slo_period){start_ms, zone_instant_ms(z, &c)};
}
