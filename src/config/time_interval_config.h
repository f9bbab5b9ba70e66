/* time_interval_config.h -- time_intervals of alertmanager.yml. A time is inside an interval when
 * every field that is given has a range that holds it. */
#ifndef CONFIG_TIME_INTERVAL_CONFIG_H
#define CONFIG_TIME_INTERVAL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/zone.h"
#include "config/prometheus_config.h"

struct int_range { /* both ends inside */
    int32_t begin, end;
};

struct int_ranges {
    struct int_range *items;
    size_t count;
    bool given; /* an empty list that is given holds nothing */
};

struct time_interval {
    struct int_ranges times;         /* minutes of the day; here the end is outside */
    struct int_ranges weekdays;      /* 0: Sunday */
    struct int_ranges days_of_month; /* negative: from the end, -1 is the last */
    struct int_ranges months, years;
    str location;            /* "": not given, UTC */
    const struct zone *zone; /* of location; NULL: UTC */
};

struct time_intervals { /* a named set: inside any of them */
    str name;
    struct time_interval *items;
    size_t count;
    struct config_place place;
};

#endif
