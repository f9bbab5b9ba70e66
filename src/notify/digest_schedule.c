/* digest_schedule.c -- see digest_schedule.h. */
#include "notify/digest_schedule.h"

#include "base/assert.h"
#include "base/compiler.h"
#include "base/zone.h"

enum { DAYS = 2 }; /* looked at on both sides: a zone that skipped a whole day is no trouble */

const struct zone *digest_zone(const struct digest_schedule *s)
{
    const struct zone *utc = NULL;
    if (s->zone != NULL)
        return s->zone;
    err e = zone_find(STR("UTC"), &utc, NULL);
    ASSERT(e == OK); /* it needs no file */
    return utc;
}

/* The moment of a time of the day, some days from `today`. */
static int64_t moment_ms(const struct digest_schedule *s, const struct civil *today, int day,
                         size_t time)
{
    const struct civil c = {.year = today->year,
                            .month = today->month,
                            .day = today->day + day,
                            .hour = s->minutes[time] / 60,
                            .minute = s->minutes[time] % 60};
    return zone_instant_ms(digest_zone(s), &c);
}

static void around(const struct digest_schedule *s, int64_t now_ms, int64_t *last_ms,
                   int64_t *next_ms)
{
    struct civil today;
    zone_civil(digest_zone(s), now_ms, &today);
    *last_ms = INT64_MIN;
    *next_ms = INT64_MAX;
    for (int day = -DAYS; day <= DAYS; day++) {
        for (size_t i = 0; i < s->times.count; i++) {
            int64_t ms = moment_ms(s, &today, day, i);
            if (ms <= now_ms)
                *last_ms = MAX(*last_ms, ms);
            else
                *next_ms = MIN(*next_ms, ms);
        }
    }
}

int64_t digest_last_ms(const struct digest_schedule *s, int64_t now_ms)
{
    int64_t last_ms, next_ms;
    around(s, now_ms, &last_ms, &next_ms);
    return last_ms;
}

int64_t digest_next_ms(const struct digest_schedule *s, int64_t now_ms)
{
    int64_t last_ms, next_ms;
    around(s, now_ms, &last_ms, &next_ms);
    return next_ms;
}
