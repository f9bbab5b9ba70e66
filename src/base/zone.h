/* zone.h -- time zones of the IANA database: the fence around CCTZ. The tables come from the
 * system's zoneinfo (package tzdata) and are kept for the life of the process. Threads: any. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { ZONE_NAME_SIZE_MAX = 128 }; /* bytes of a name */

struct zone; /* lives as long as the process */

struct civil {      /* what a calendar and a clock on the wall show */
    int64_t year;   /* proleptic Gregorian */
    int month, day; /* from 1 */
    int hour, minute, second;
};

/* The zone called `name` ("Europe/Berlin", "UTC"); "" is UTC, "Local" the machine's.
 *   ERR_NOTFOUND  there is none of that name; `d` says so */
MUST_USE err zone_find(str name, const struct zone **out, struct diag *d);

/* What clocks in the zone show at `ms` since the epoch (rounded down to seconds). */
void zone_civil(const struct zone *z, int64_t ms, struct civil *out);

/* Seconds east of UTC at `ms`; `*abbreviation` ("CET") lives as long as the process. */
int32_t zone_offset(const struct zone *z, int64_t ms, const char **abbreviation);

/* When clocks in the zone show `c`, whose fields may be out of range (month 14 is February of the
 * next year). Of a time that comes twice the first, of one that is left out the moment of the leap.
 */
int64_t zone_instant_ms(const struct zone *z, const struct civil *c);

#endif
