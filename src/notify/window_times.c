/* window_times.c -- see window_times.h. Each day on which an interval holds gives pieces, one for
 * each range of its times; occurrences are pieces that touch. */
#include "notify/window_times.h"

#include "base/compiler.h"
#include "notify/time_interval.h"

enum { MINUTE_MS = 60000, DAY_MINUTES = 24 * 60, STEPS_MAX = 100000 };
static const int64_t DAY_MS = INT64_C(86400000);

struct sets {
    const struct time_intervals *const *items;
    size_t count;
};

/* ---- Pieces ---- */

static int64_t at_minute(const struct zone *z, const struct civil *day, int minute)
{
    const struct civil c = {day->year, day->month, day->day, 0, minute, 0};
    return zone_instant_ms(z, &c);
}

static struct occurrence piece(const struct zone *z, const struct civil *day, struct int_range r)
{
    struct occurrence o = {at_minute(z, day, r.begin), at_minute(z, day, r.end)};
    if (o.ends_at_ms <= o.starts_at_ms) /* both were skipped */
        o.ends_at_ms = o.starts_at_ms + (int64_t)(r.end - r.begin) * MINUTE_MS;
    return o;
}

static size_t range_count(const struct time_interval *t)
{
    return t->times.given ? t->times.count : 1;
}

static struct int_range range_at(const struct time_interval *t, size_t i)
{
    return t->times.given ? t->times.items[i] : (struct int_range){0, DAY_MINUTES};
}

/* The calendar day of a zone at `ms`, moved by some days. */
static struct civil day_of(const struct zone *z, int64_t ms, int days)
{
    struct civil c;
    zone_civil(z, ms, &c);
    c.day += days;
    c.hour = 12; /* of noon there is one each day, nearly everywhere */
    c.minute = c.second = 0;
    zone_civil(z, zone_instant_ms(z, &c), &c);
    return c;
}

/* ---- What holds a time ---- */

/* Widen `o` by the pieces of a day that hold `ms`; true: there are some. */
static bool widen(const struct time_interval *t, const struct civil *day, int64_t ms,
                  struct occurrence *o)
{
    const struct zone *z = time_interval_zone(t);
    bool any = false;
    if (!time_interval_has_day(t, day))
        return false;
    for (size_t i = 0; i < range_count(t); i++) {
        struct occurrence p = piece(z, day, range_at(t, i));
        if (p.starts_at_ms > ms || p.ends_at_ms <= ms)
            continue;
        o->starts_at_ms = MIN(o->starts_at_ms, p.starts_at_ms);
        o->ends_at_ms = MAX(o->ends_at_ms, p.ends_at_ms);
        any = true;
    }
    return any;
}

/* The pieces that hold `ms`, together. A piece that was moved out of a skipped hour may reach into
 * the next day. */
static bool hold(struct sets s, int64_t ms, struct occurrence *out)
{
    struct occurrence o = {INT64_MAX, INT64_MIN};
    bool any = false;
    for (size_t i = 0; i < s.count; i++) {
        for (size_t k = 0; s.items[i] != NULL && k < s.items[i]->count; k++) {
            const struct time_interval *t = &s.items[i]->items[k];
            for (int back = -1; back <= 0; back++) {
                struct civil day = day_of(time_interval_zone(t), ms, back);
                any = widen(t, &day, ms, &o) || any;
            }
        }
    }
    if (any)
        *out = o;
    return any;
}

/* ---- What comes next ---- */

/* To the first day of the next month, or year, when no day before can hold. */
static void step(const struct time_interval *t, struct civil *day, int64_t *ms)
{
    const struct zone *z = time_interval_zone(t);
    bool month = false, year = !t->years.given;
    for (size_t i = 0; i < t->months.count; i++)
        month = month ||
                (day->month >= t->months.items[i].begin && day->month <= t->months.items[i].end);
    for (size_t i = 0; i < t->years.count; i++)
        year = year || (day->year >= t->years.items[i].begin && day->year <= t->years.items[i].end);
    if (!year)
        *day = (struct civil){day->year + 1, 1, 1, 12, 0, 0};
    else if (t->months.given && !month)
        *day = (struct civil){day->year, day->month + 1, 1, 12, 0, 0};
    else
        *day = (struct civil){day->year, day->month, day->day + 1, 12, 0, 0};
    *ms = zone_instant_ms(z, day);
    *day = day_of(z, *ms, 0);
}

/* The first start of a piece that is not before `from_ms`; INT64_MAX: none in time. */
static int64_t next_start(const struct time_interval *t, int64_t from_ms)
{
    const struct zone *z = time_interval_zone(t);
    int64_t until_ms = from_ms + WINDOW_SEARCH_YEARS * 366 * DAY_MS, ms = from_ms;
    struct civil day = day_of(z, from_ms, -1);
    while (ms < until_ms) {
        int64_t first_ms = INT64_MAX;
        for (size_t i = 0; time_interval_has_day(t, &day) && i < range_count(t); i++) {
            struct occurrence p = piece(z, &day, range_at(t, i));
            if (p.starts_at_ms >= from_ms)
                first_ms = MIN(first_ms, p.starts_at_ms);
        }
        if (first_ms != INT64_MAX)
            return first_ms;
        step(t, &day, &ms);
    }
    return INT64_MAX;
}

static int64_t next_start_of_all(struct sets s, int64_t from_ms)
{
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < s.count; i++)
        for (size_t k = 0; s.items[i] != NULL && k < s.items[i]->count; k++)
            first_ms = MIN(first_ms, next_start(&s.items[i]->items[k], from_ms));
    return first_ms;
}

bool window_times_next(const struct time_intervals *const *sets, size_t count, int64_t from_ms,
                       struct occurrence *out)
{
    const struct sets s = {sets, count};
    const int64_t longest_ms = WINDOW_DAYS_MAX * DAY_MS;
    struct occurrence o, more;
    if (!hold(s, from_ms, &o)) {
        int64_t start_ms = next_start_of_all(s, from_ms);
        if (start_ms == INT64_MAX || !hold(s, start_ms, &o))
            return false;
    }
    for (int i = 0; i < STEPS_MAX && from_ms - o.starts_at_ms < longest_ms &&
                    hold(s, o.starts_at_ms - 1, &more);
         i++)
        o.starts_at_ms = more.starts_at_ms;
    for (int i = 0; i < STEPS_MAX && o.ends_at_ms - MAX(from_ms, o.starts_at_ms) < longest_ms &&
                    hold(s, o.ends_at_ms, &more);
         i++)
        o.ends_at_ms = more.ends_at_ms;
    *out = o;
    return true;
}
