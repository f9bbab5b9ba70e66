/* template_time_priv.h -- layouts of times, shared by what prints and what reads them. */
#ifndef RULES_TEMPLATE_TIME_PRIV_H
#define RULES_TEMPLATE_TIME_PRIV_H

#include "rules/template_time.h"

extern const char *const TIME_MONTHS[12], *const TIME_DAYS[7]; /* from January, from Sunday */

enum layout_part {
    PART_NONE,
    PART_LONG_MONTH,
    PART_MONTH,
    PART_NUM_MONTH,
    PART_ZERO_MONTH,
    PART_LONG_WEEKDAY,
    PART_WEEKDAY,
    PART_DAY,
    PART_UNDER_DAY,
    PART_ZERO_DAY,
    PART_UNDER_YEAR_DAY,
    PART_ZERO_YEAR_DAY,
    PART_HOUR,
    PART_HOUR_12,
    PART_ZERO_HOUR_12,
    PART_MINUTE,
    PART_ZERO_MINUTE,
    PART_SECOND,
    PART_ZERO_SECOND,
    PART_LONG_YEAR,
    PART_YEAR,
    PART_PM,
    PART_PM_LOWER,
    PART_ZONE,
    PART_ISO_SECONDS_COLON, /* Z07:00:00 and its kin show Z for UTC */
    PART_ISO_SECONDS,
    PART_ISO_COLON,
    PART_ISO,
    PART_ISO_SHORT,
    PART_NUM_SECONDS_COLON,
    PART_NUM_SECONDS,
    PART_NUM_COLON,
    PART_NUM,
    PART_NUM_SHORT,
    PART_FRACTION, /* .000 or ,999: handled apart */
};

/* The part of a layout at the start of `s`, and its bytes. */
enum layout_part layout_part_at(str s, size_t *size);

/* How an offset is written in such a part: 07:00:00, 070000, 07:00, 0700 or 07. */
struct offset_form {
    bool iso, colon, minutes, seconds;
};
struct offset_form offset_form_of(enum layout_part part);

#endif
