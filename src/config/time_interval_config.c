/* time_interval_config.c -- time_intervals of alertmanager.yml: read, checked, printed. */
#include <stdio.h>
#include <strings.h>

#include "base/number.h"
#include "config/alertmanager_priv.h"

#define INTERVAL(name) offsetof(struct time_interval, name)

static const char *const DAYS[] = {"sunday",   "monday", "tuesday", "wednesday",
                                   "thursday", "friday", "saturday"};
static const char *const MONTHS[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};

/* ---- Ranges ---- */

struct range_kind {
    err (*member)(struct decode *c, const struct yaml *n, str text, int32_t *out);
    err (*check)(struct decode *c, const struct yaml *n, str text, struct int_range r);
};

static bool name_in(const char *const *names, size_t count, str text, int32_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (text.len == strlen(names[i]) && strncasecmp(text.ptr, names[i], text.len) == 0) {
            *out = (int32_t)i;
            return true;
        }
    }
    return false;
}

static err whole_number(struct decode *c, const struct yaml *n, str text, int32_t *out)
{
    int64_t v;
    if (number_parse_i64(text, &v) != OK || v < INT32_MIN || v > INT32_MAX)
        return decode_fail(c, n, "strconv.Atoi: parsing \"" STR_FMT "\": invalid syntax",
                           STR_ARG(text));
    *out = (int32_t)v;
    return OK;
}

static err weekday(struct decode *c, const struct yaml *n, str text, int32_t *out)
{
    return name_in(DAYS, COUNT_OF(DAYS), text, out)
               ? OK
               : decode_fail(c, n, STR_FMT " is not a valid weekday", STR_ARG(text));
}

static err month(struct decode *c, const struct yaml *n, str text, int32_t *out)
{
    int64_t v;
    if (name_in(MONTHS, COUNT_OF(MONTHS), text, out)) {
        *out += 1;
        return OK;
    }
    if (number_parse_i64(text, &v) != OK || v < 1 || v > 12)
        return decode_fail(c, n, STR_FMT " is not a valid month", STR_ARG(text));
    *out = (int32_t)v;
    return OK;
}

static err check_weekdays(struct decode *c, const struct yaml *n, str text, struct int_range r)
{
    (void)text;
    return r.begin <= r.end ? OK : decode_fail(c, n, "start day cannot be before end day");
}

static err check_days(struct decode *c, const struct yaml *n, str text, struct int_range r)
{
    const int32_t ends[] = {r.begin, r.end};
    (void)text;
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (ends[i] == 0 || ends[i] < -31 || ends[i] > 31)
            return decode_fail(c, n, "%d is not a valid day of the month: out of range", ends[i]);
    if (r.begin < 0 && r.end > 0)
        return decode_fail(c, n, "end day must be negative if start day is negative");
    if ((r.begin < 0 ? 28 + r.begin : r.begin) > (r.end < 0 ? 28 + r.end : r.end))
        return decode_fail(c, n, "end day %d is always before start day %d", r.end, r.begin);
    return OK;
}

static err check_months(struct decode *c, const struct yaml *n, str text, struct int_range r)
{
    (void)text;
    return r.begin <= r.end ? OK
                            : decode_fail(c, n, "end month %s is before start month %s",
                                          MONTHS[r.end - 1], MONTHS[r.begin - 1]);
}

static err check_years(struct decode *c, const struct yaml *n, str text, struct int_range r)
{
    (void)text;
    return r.begin <= r.end
               ? OK
               : decode_fail(c, n, "end year %d is before start year %d", r.end, r.begin);
}

static err read_range(struct decode *c, const struct yaml *n, const struct range_kind *kind,
                      struct int_range *out)
{
    str text;
    TRY(decode_text(c, n, &text));
    const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    size_t first = colon != NULL ? (size_t)(colon - text.ptr) : text.len;
    str second = colon != NULL ? (str){colon + 1, text.len - first - 1} : text;
    if (colon != NULL && memchr(second.ptr, ':', second.len) != NULL)
        return decode_fail(c, n, "couldn't parse range " STR_FMT ", invalid format", STR_ARG(text));
    TRY(kind->member(c, n, (str){text.ptr, first}, &out->begin));
    TRY(kind->member(c, n, second, &out->end));
    return kind->check(c, n, text, *out);
}

static err read_list(struct decode *c, const struct yaml *n, struct int_ranges *out,
                     err (*read)(struct decode *c, const struct yaml *n,
                                 const struct range_kind *kind, struct int_range *out),
                     const struct range_kind *kind)
{
    size_t count = 1;
    if (n->type == YAML_NULL)
        return OK;
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        count++;
    out->items = ARENA_ARRAY(c->arena, struct int_range, count);
    out->given = true;
    if (out->items == NULL)
        return config_over_budget(c);
    if (n->type == YAML_SCALAR) /* a list of one */
        return read(c, n, kind, &out->items[out->count++]);
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list");
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        TRY(read(c, child, kind, &out->items[out->count++]));
    return OK;
}

static err read_weekdays(struct decode *c, const struct yaml *n, void *place)
{
    static const struct range_kind KIND = {weekday, check_weekdays};
    return read_list(c, n, place, read_range, &KIND);
}

static err read_days(struct decode *c, const struct yaml *n, void *place)
{
    static const struct range_kind KIND = {whole_number, check_days};
    return read_list(c, n, place, read_range, &KIND);
}

static err read_months(struct decode *c, const struct yaml *n, void *place)
{
    static const struct range_kind KIND = {month, check_months};
    return read_list(c, n, place, read_range, &KIND);
}

static err read_years(struct decode *c, const struct yaml *n, void *place)
{
    static const struct range_kind KIND = {whole_number, check_years};
    return read_list(c, n, place, read_range, &KIND);
}

/* ---- Times of the day ---- */

struct clock_texts {
    str start_time, end_time;
};

/* HH:MM, up to 24:00. */
static err minute_of(struct decode *c, const struct yaml *n, str s, int32_t *out)
{
    bool good = s.len == 5 && s.ptr[2] == ':';
    for (size_t i = 0; good && i < 5; i++)
        good = i == 2 || (s.ptr[i] >= '0' && s.ptr[i] <= '9');
    int32_t hour = good ? (s.ptr[0] - '0') * 10 + s.ptr[1] - '0' : 0;
    int32_t minute = good ? (s.ptr[3] - '0') * 10 + s.ptr[4] - '0' : 0;
    if (!good || minute > 59 || hour * 60 + minute > 24 * 60)
        return decode_fail(c, n, "couldn't parse timestamp " STR_FMT ", invalid format",
                           STR_ARG(s));
    *out = hour * 60 + minute;
    return OK;
}

static err read_clock(struct decode *c, const struct yaml *n, const struct range_kind *kind,
                      struct int_range *out)
{
    static const struct decode_field FIELDS[] = {AM_TEXT(clock_texts, start_time),
                                                 AM_TEXT(clock_texts, end_time)};
    static const struct decode_schema SCHEMA = {.fields = FIELDS,
                                                .field_count = COUNT_OF(FIELDS),
                                                .size = sizeof(struct clock_texts),
                                                .type = "timeinterval.yamlTimeRange"};
    struct clock_texts t;
    (void)kind;
    TRY(decode_struct(c, &SCHEMA, n, &t));
    if (t.start_time.len == 0 || t.end_time.len == 0)
        return decode_fail(c, n, "both start and end times must be provided");
    TRY(minute_of(c, n, t.start_time, &out->begin));
    TRY(minute_of(c, n, t.end_time, &out->end));
    return out->begin < out->end
               ? OK
               : decode_fail(c, n, "start time cannot be equal or greater than end time");
}

static err read_times(struct decode *c, const struct yaml *n, void *place)
{
    return read_list(c, n, place, read_clock, NULL);
}

static err read_location(struct decode *c, const struct yaml *n, void *place)
{
    struct diag why = {.text = ""};
    str text;
    TRY(decode_text(c, n, &text));
    if (n->type == YAML_NULL)
        return OK;
    struct time_interval *t = (void *)((uint8_t *)place - INTERVAL(location));
    if (zone_find(text, &t->zone, &why) != OK)
        return decode_fail(c, n, "%s", why.text);
    t->location = text.len > 0 ? text : STR("UTC");
    return OK;
}

/* ---- Printing ---- */

static void put_ranges(struct yaml_out *out, const struct int_ranges *ranges,
                       const char *const *names, int32_t first)
{
    print_flow_list_begin(out);
    for (size_t i = 0; i < ranges->count; i++) {
        struct int_range r = ranges->items[i];
        struct buf text = {0};
        if (names != NULL)
            buf_printf(&text, r.begin == r.end ? "%s" : "%s:%s", names[r.begin - first],
                       names[r.end - first]);
        else
            buf_printf(&text, r.begin == r.end ? "%d" : "%d:%d", r.begin, r.end);
        print_text(out, buf_str(&text));
        buf_fini(&text);
    }
    print_list_end(out);
}

static bool print_numbers(const void *place, struct yaml_out *out)
{
    const struct int_ranges *ranges = place;
    if (ranges->count > 0 && out != NULL)
        put_ranges(out, ranges, NULL, 0);
    return ranges->count > 0;
}

static bool print_weekdays(const void *place, struct yaml_out *out)
{
    const struct int_ranges *ranges = place;
    if (ranges->count > 0 && out != NULL)
        put_ranges(out, ranges, DAYS, 0);
    return ranges->count > 0;
}

static bool print_times(const void *place, struct yaml_out *out)
{
    const struct int_ranges *ranges = place;
    if (ranges->count == 0 || out == NULL)
        return ranges->count > 0;
    print_list_begin(out);
    for (size_t i = 0; i < ranges->count; i++) {
        const int32_t ends[] = {ranges->items[i].begin, ranges->items[i].end};
        print_map_begin(out);
        for (size_t k = 0; k < COUNT_OF(ends); k++) {
            char text[32];
            int n = snprintf(text, sizeof(text), "%02d:%02d", ends[k] / 60, ends[k] % 60);
            print_text(out, k == 0 ? STR("start_time") : STR("end_time"));
            print_text(out, (str){text, (size_t)n});
        }
        print_map_end(out);
    }
    print_list_end(out);
    return true;
}

/* ---- Tables ---- */

static const struct decode_field INTERVAL_FIELDS[] = {
    AM_CUSTOM(time_interval, times, read_times, print_times),
    AM_CUSTOM(time_interval, weekdays, read_weekdays, print_weekdays),
    AM_CUSTOM(time_interval, days_of_month, read_days, print_numbers),
    AM_CUSTOM(time_interval, months, read_months, print_numbers),
    AM_CUSTOM(time_interval, years, read_years, print_numbers),
    AM_CUSTOM(time_interval, location, read_location, print_plain_text),
};

static const struct decode_schema INTERVAL_SCHEMA = {
    .fields = INTERVAL_FIELDS,
    .field_count = COUNT_OF(INTERVAL_FIELDS),
    .size = sizeof(struct time_interval),
    .type = "timeinterval.TimeInterval",
};

static const struct decode_field FIELDS[] = {
    {AM_FIELD(time_intervals, name, DECODE_TEXT), .shown_when_zero = true},
    {.key = "time_intervals",
     .kind = DECODE_STRUCTS,
     .offset = offsetof(struct time_intervals, items),
     .schema = &INTERVAL_SCHEMA},
};
static_assert(offsetof(struct time_intervals, count) ==
                  offsetof(struct time_intervals, items) + offsetof(struct structs, count),
              "DECODE_STRUCTS fills both");

static err name_finish(struct decode *c, const struct yaml *n, struct time_intervals *t,
                       const char *what)
{
    t->place = config_place_of(c, n);
    return t->name.len > 0 ? OK : decode_fail(c, n, "missing name in %s", what);
}

static err finish(struct decode *c, const struct yaml *n, void *s)
{
    return name_finish(c, n, s, "time interval");
}

static err mute_finish(struct decode *c, const struct yaml *n, void *s)
{
    return name_finish(c, n, s, "mute time interval");
}

const struct decode_schema TIME_INTERVALS_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct time_intervals),
    .finish = finish,
    .type = "config.plain",
};

const struct decode_schema MUTE_TIME_INTERVALS_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct time_intervals),
    .finish = mute_finish,
    .type = "config.plain",
};
