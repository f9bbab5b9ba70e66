/* template_time_methods.c -- the types time.Time and time.Duration and what templates may call on
 * their values. */
#include "rules/template_exec.h"
#include "rules/template_time.h"

#define METHOD(name)                                                                               \
    static err name(struct template_call *c, const struct template_value *args, size_t count,      \
                    struct template_value *out)

enum { NS_PER_S = 1000000000 };

static void month_text(const struct template_value *v, struct buf *out)
{
    struct template_time t =
        template_time_ms((v->i * 31 - 15) * 86400000); /* in that month of 1970 */
    template_time_format(t, STR("January"), out);
}

static void weekday_text(const struct template_value *v, struct buf *out)
{
    struct template_time t = template_time_ms((v->i + 3) * 86400000); /* 1970-01-04 was a Sunday */
    template_time_format(t, STR("Monday"), out);
}

static void duration_text(const struct template_value *v, struct buf *out)
{
    template_duration_print(v->i, out);
}

static void time_text(const struct template_value *v, struct buf *out)
{
    if (v->time == NULL)
        buf_put_str(out, STR("<nil>"));
    else
        template_time_print(*v->time, out);
}

const struct template_type TEMPLATE_INT64 = {.name = "int64", .kind = TEMPLATE_KIND_INT};
static const struct template_type MONTH = {
    .name = "time.Month", .kind = TEMPLATE_KIND_INT, .text = month_text};
static const struct template_type WEEKDAY = {
    .name = "time.Weekday", .kind = TEMPLATE_KIND_INT, .text = weekday_text};

static struct template_value integer(const struct template_type *type, int64_t i)
{
    return (struct template_value){.type = type, .i = i};
}

METHOD(time_format)
{
    struct buf b = {0};
    (void)count;
    if (args[1].s.len > call_room(c) / 16)
        return ERR_LIMIT;
    template_time_format(*args[0].time, args[1].s, &b);
    return call_text(c, &b, OK, out);
}

METHOD(time_string)
{
    struct buf b = {0};
    (void)count;
    template_time_print(*args[0].time, &b);
    return call_text(c, &b, OK, out);
}

METHOD(time_unix)
{
    (void)c, (void)count;
    *out = integer(&TEMPLATE_INT64, args[0].time->sec);
    return OK;
}

/* Go leaves undefined what does not fit; here it wraps around as Go's multiplication does. */
static int64_t scaled(const struct template_time *t, int64_t per_second)
{
    uint64_t rest = (uint64_t)t->nsec / (uint64_t)(NS_PER_S / per_second);
    return (int64_t)((uint64_t)t->sec * (uint64_t)per_second + rest);
}

METHOD(time_unix_milli)
{
    (void)c, (void)count;
    *out = integer(&TEMPLATE_INT64, scaled(args[0].time, 1000));
    return OK;
}

METHOD(time_unix_nano)
{
    (void)c, (void)count;
    *out = integer(&TEMPLATE_INT64, scaled(args[0].time, NS_PER_S));
    return OK;
}

/* A part of the local date as text, read back as a number. */
static int64_t part(const struct template_value *v, str layout)
{
    struct buf b = {0};
    int64_t value = 0;
    bool negative = false;
    template_time_format(*v->time, layout, &b);
    for (size_t i = 0; i < b.len; i++) {
        negative |= b.ptr[i] == '-';
        if (b.ptr[i] >= '0' && b.ptr[i] <= '9')
            value = value * 10 + (b.ptr[i] - '0');
    }
    buf_fini(&b);
    return negative ? -value : value;
}

METHOD(time_year)
{
    (void)c, (void)count;
    *out = template_int(part(&args[0], STR("2006")));
    return OK;
}

METHOD(time_month)
{
    (void)c, (void)count;
    *out = integer(&MONTH, part(&args[0], STR("1")));
    return OK;
}

METHOD(time_day)
{
    (void)c, (void)count;
    *out = template_int(part(&args[0], STR("2")));
    return OK;
}

METHOD(time_hour)
{
    (void)c, (void)count;
    *out = template_int(part(&args[0], STR("15")));
    return OK;
}

METHOD(time_minute)
{
    (void)c, (void)count;
    *out = template_int(part(&args[0], STR("4")));
    return OK;
}

METHOD(time_second)
{
    (void)c, (void)count;
    *out = template_int(part(&args[0], STR("5")));
    return OK;
}

METHOD(time_nanosecond)
{
    (void)c, (void)count;
    *out = template_int(args[0].time->nsec);
    return OK;
}

METHOD(time_year_day)
{
    (void)c, (void)count;
    *out = template_int(part(&args[0], STR("002")));
    return OK;
}

METHOD(time_weekday)
{
    (void)c, (void)count;
    int64_t local = args[0].time->sec + args[0].time->offset_sec;
    int64_t days = local / 86400 - (local % 86400 < 0);
    *out = integer(&WEEKDAY, ((days + 4) % 7 + 7) % 7);
    return OK;
}

METHOD(time_utc)
{
    (void)count;
    struct template_time t = {.sec = args[0].time->sec, .nsec = args[0].time->nsec, .zone = "UTC"};
    return template_time_value(&TEMPLATE_TIME, t, c->arena, out);
}

static const int64_t YEAR_1_S = INT64_C(-62135596800); /* 0001-01-01, Go's zero time */

METHOD(time_is_zero)
{
    (void)c, (void)count;
    *out = template_bool(args[0].time->sec == YEAR_1_S && args[0].time->nsec == 0);
    return OK;
}

static int compare(const struct template_value *a, const struct template_value *b)
{
    const struct template_time *x = a->time, *y = b->time;
    if (x->sec != y->sec)
        return x->sec < y->sec ? -1 : 1;
    return (x->nsec > y->nsec) - (x->nsec < y->nsec);
}

METHOD(time_before)
{
    (void)c, (void)count;
    *out = template_bool(compare(&args[0], &args[1]) < 0);
    return OK;
}

METHOD(time_after)
{
    (void)c, (void)count;
    *out = template_bool(compare(&args[0], &args[1]) > 0);
    return OK;
}

METHOD(time_equal)
{
    (void)c, (void)count;
    *out = template_bool(compare(&args[0], &args[1]) == 0);
    return OK;
}

METHOD(time_add)
{
    (void)count;
    struct template_time t = *args[0].time;
    int64_t nsec = t.nsec + args[1].i % NS_PER_S;
    t.sec = (int64_t)((uint64_t)t.sec + (uint64_t)(args[1].i / NS_PER_S));
    if (nsec < 0 || nsec >= NS_PER_S) {
        t.sec += nsec < 0 ? -1 : 1;
        nsec += nsec < 0 ? NS_PER_S : -NS_PER_S;
    }
    t.nsec = (int32_t)nsec;
    return template_time_value(&TEMPLATE_TIME, t, c->arena, out);
}

METHOD(time_sub)
{
    (void)c, (void)count;
    const struct template_time *x = args[0].time, *y = args[1].time;
    int64_t sec, ns;
    if (__builtin_sub_overflow(x->sec, y->sec, &sec) ||
        __builtin_mul_overflow(sec, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, x->nsec - y->nsec, &ns))
        ns = x->sec < y->sec ? INT64_MIN : INT64_MAX; /* as Go: the longest there is */
    *out = integer(&TEMPLATE_DURATION, ns);
    return OK;
}

static const struct template_func TIME_METHODS[] = {
    {"Add", time_add, {&TEMPLATE_DURATION}, false},
    {"After", time_after, {&TEMPLATE_TIME}, false},
    {"Before", time_before, {&TEMPLATE_TIME}, false},
    {"Day", time_day, {NULL}, false},
    {"Equal", time_equal, {&TEMPLATE_TIME}, false},
    {"Format", time_format, {&TEMPLATE_STRING}, false},
    {"Hour", time_hour, {NULL}, false},
    {"IsZero", time_is_zero, {NULL}, false},
    {"Minute", time_minute, {NULL}, false},
    {"Month", time_month, {NULL}, false},
    {"Nanosecond", time_nanosecond, {NULL}, false},
    {"Second", time_second, {NULL}, false},
    {"String", time_string, {NULL}, false},
    {"Sub", time_sub, {&TEMPLATE_TIME}, false},
    {"UTC", time_utc, {NULL}, false},
    {"Unix", time_unix, {NULL}, false},
    {"UnixMilli", time_unix_milli, {NULL}, false},
    {"UnixNano", time_unix_nano, {NULL}, false},
    {"Weekday", time_weekday, {NULL}, false},
    {"Year", time_year, {NULL}, false},
    {"YearDay", time_year_day, {NULL}, false},
};

const struct template_type TEMPLATE_TIME = {.name = "time.Time",
                                            .kind = TEMPLATE_KIND_TIME,
                                            .methods = TIME_METHODS,
                                            .method_count = COUNT_OF(TIME_METHODS),
                                            .text = time_text};
const struct template_type TEMPLATE_TIME_POINTER = {.name = "*time.Time",
                                                    .kind = TEMPLATE_KIND_TIME,
                                                    .is_pointer = true,
                                                    .target = &TEMPLATE_TIME,
                                                    .methods = TIME_METHODS,
                                                    .method_count = COUNT_OF(TIME_METHODS),
                                                    .text = time_text};

/* A duration in a unit, as Go computes it: whole units and the rest apart. */
static double in_unit(int64_t ns, int64_t unit)
{
    return (double)(ns / unit) + (double)(ns % unit) / (double)unit;
}

METHOD(duration_seconds)
{
    (void)c, (void)count;
    *out = template_float(in_unit(args[0].i, NS_PER_S));
    return OK;
}

METHOD(duration_minutes)
{
    (void)c, (void)count;
    *out = template_float(in_unit(args[0].i, INT64_C(60) * NS_PER_S));
    return OK;
}

METHOD(duration_hours)
{
    (void)c, (void)count;
    *out = template_float(in_unit(args[0].i, INT64_C(3600) * NS_PER_S));
    return OK;
}

METHOD(duration_milliseconds)
{
    (void)c, (void)count;
    *out = integer(&TEMPLATE_INT64, args[0].i / 1000000);
    return OK;
}

METHOD(duration_microseconds)
{
    (void)c, (void)count;
    *out = integer(&TEMPLATE_INT64, args[0].i / 1000);
    return OK;
}

METHOD(duration_nanoseconds)
{
    (void)c, (void)count;
    *out = integer(&TEMPLATE_INT64, args[0].i);
    return OK;
}

METHOD(duration_abs)
{
    (void)c, (void)count;
    int64_t ns = args[0].i;
    *out = integer(&TEMPLATE_DURATION, ns >= 0 ? ns : ns == INT64_MIN ? INT64_MAX : -ns);
    return OK;
}

METHOD(duration_truncate)
{
    (void)c, (void)count;
    int64_t ns = args[0].i, unit = args[1].i;
    *out = integer(&TEMPLATE_DURATION, unit > 0 ? ns - ns % unit : ns);
    return OK;
}

METHOD(duration_round)
{
    (void)c, (void)count;
    int64_t ns = args[0].i, unit = args[1].i, rounded = ns;
    if (unit > 0) {
        int64_t rest = ns % unit, abs_rest = rest < 0 ? -rest : rest;
        bool up = (uint64_t)abs_rest + (uint64_t)abs_rest >= (uint64_t)unit;
        int64_t step = up ? (ns < 0 ? -unit : unit) : 0;
        if (__builtin_add_overflow(ns - rest, step, &rounded))
            rounded = ns < 0 ? INT64_MIN : INT64_MAX;
    }
    *out = integer(&TEMPLATE_DURATION, rounded);
    return OK;
}

METHOD(duration_string)
{
    struct buf b = {0};
    (void)count;
    template_duration_print(args[0].i, &b);
    return call_text(c, &b, OK, out);
}

static const struct template_func DURATION_METHODS[] = {
    {"Abs", duration_abs, {NULL}, false},
    {"Hours", duration_hours, {NULL}, false},
    {"Microseconds", duration_microseconds, {NULL}, false},
    {"Milliseconds", duration_milliseconds, {NULL}, false},
    {"Minutes", duration_minutes, {NULL}, false},
    {"Nanoseconds", duration_nanoseconds, {NULL}, false},
    {"Round", duration_round, {&TEMPLATE_DURATION}, false},
    {"Seconds", duration_seconds, {NULL}, false},
    {"String", duration_string, {NULL}, false},
    {"Truncate", duration_truncate, {&TEMPLATE_DURATION}, false},
};

const struct template_type TEMPLATE_DURATION = {.name = "time.Duration",
                                                .kind = TEMPLATE_KIND_INT,
                                                .methods = DURATION_METHODS,
                                                .method_count = COUNT_OF(DURATION_METHODS),
                                                .text = duration_text};
const struct template_type TEMPLATE_DURATION_POINTER = {.name = "*time.Duration",
                                                        .kind = TEMPLATE_KIND_INT,
                                                        .is_pointer = true,
                                                        .target = &TEMPLATE_DURATION,
                                                        .methods = DURATION_METHODS,
                                                        .method_count = COUNT_OF(DURATION_METHODS),
                                                        .text = duration_text};
