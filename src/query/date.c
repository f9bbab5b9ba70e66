/* date.c -- parts of UTC dates, for year(), hour() and their kin. */
#include <math.h>

#include "query/map.h"

enum { DAY_S = 24 * 60 * 60 };
/* Go counts seconds from the 1st of March of the year -292277022400, so many before 1970, in 64
 * bits without a sign: earlier times wrap around. They come from NaN and what is below all
 * integers. */
static const uint64_t EPOCH_S = UINT64_C(106751991073400) * DAY_S;

struct date {
    int64_t year;
    int month, day; /* from 1 */
    int day_of_year;
};

/* Days since 1970-01-01 to a date of the proleptic Gregorian calendar, by eras of 400 years that
 * begin on a 1st of March, so that leap days come last. */
static struct date date_of_days(int64_t days)
{
    const int64_t era_days = 146097;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - (era_days - 1)) / era_days;
    int64_t of_era = z - era * era_days;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_index = (5 * of_year + 2) / 153; /* 0: March */
    struct date d;
    d.day = (int)(of_year - (153 * month_index + 2) / 5 + 1);
    d.month = (int)(month_index < 10 ? month_index + 3 : month_index - 9);
    d.year = year_of_era + era * 400 + (d.month <= 2);
    bool leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;
    d.day_of_year = (int)(d.month <= 2 ? of_year - 306 + 1 : of_year + 59 + leap + 1);
    return d;
}

static int days_in_month(const struct date *d)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;
    return days[d->month - 1] + (d->month == 2 && leap);
}

double date_part(enum func_id id, double seconds)
{
    /* What does not fit is the smallest integer, as the conversion gives on amd64. */
    bool fits = seconds >= -9223372036854775808.0 && seconds < 9223372036854775808.0;
    int64_t s = fits ? (int64_t)seconds : INT64_MIN;
    uint64_t since = (uint64_t)s + EPOCH_S;
    int64_t days = (int64_t)(since / DAY_S) - (int64_t)(EPOCH_S / DAY_S);
    int64_t of_day = (int64_t)(since % DAY_S);
    if (id == FUNC_HOUR)
        return (double)(of_day / 3600);
    if (id == FUNC_MINUTE)
        return (double)(of_day / 60 % 60);
    if (id == FUNC_DAY_OF_WEEK)
        return (double)(((days + 4) % 7 + 7) % 7);
    struct date d = date_of_days(days);
    if (id == FUNC_YEAR)
        return (double)d.year;
    if (id == FUNC_MONTH)
        return d.month;
    if (id == FUNC_DAY_OF_MONTH)
        return d.day;
    if (id == FUNC_DAY_OF_YEAR)
        return d.day_of_year;
    return days_in_month(&d);
}
