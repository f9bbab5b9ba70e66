/* template_humanize.c -- numbers, durations and times as people read them. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "rules/template_exec.h"
#include "rules/template_format.h"
#include "rules/template_strings.h"
#include "rules/template_time.h"

static const char *const LARGE[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
static const char *const SMALL[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
static const char *const LARGE_1024[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};

static err parse_float(str s, double *out, struct diag *d)
{
    struct buf quoted = {0};
    utf8_quote(&quoted, s);
    double v;
    err e = number_parse_f64(s, false, &v);
    char first = s.len > 0 ? (char)(s.ptr[s.ptr[0] == '+' || s.ptr[0] == '-'] | 0x20) : '\0';
    if (e != OK)
        e = diag_set(d, ERR_INVALID, "strconv.ParseFloat: parsing " STR_FMT ": invalid syntax",
                     STR_ARG(buf_str(&quoted)));
    else if (isinf(v) && first != 'i')
        e = diag_set(d, ERR_INVALID, "strconv.ParseFloat: parsing " STR_FMT ": value out of range",
                     STR_ARG(buf_str(&quoted)));
    else
        *out = v;
    buf_fini(&quoted);
    return e;
}

err template_to_float(const struct template_value *v, double *out, struct diag *d)
{
    if (v->type == &TEMPLATE_FLOAT)
        *out = v->f;
    else if (v->type == &TEMPLATE_INT || v->type == &TEMPLATE_INT64)
        *out = (double)v->i;
    else if (v->type == &TEMPLATE_STRING)
        return parse_float(v->s, out, d);
    else if (v->type == &TEMPLATE_DURATION)
        *out = (double)(v->i / 1000000000) + (double)(v->i % 1000000000) / 1e9;
    else
        return diag_set(d, ERR_INVALID, "can't convert %s to float",
                        v->type != NULL ? v->type->name : "<nil>");
    return OK;
}

/* "%.4g" and what stands behind it. */
static void put_number(double v, const char *prefix, const char *unit, struct buf *out)
{
    if (isfinite(v))
        buf_printf(out, "%.4g", v);
    else
        buf_put_str(out, isnan(v) ? STR("NaN") : v > 0 ? STR("+Inf") : STR("-Inf"));
    buf_printf(out, "%s%s", prefix, unit);
}

static void put_large(double v, double step, const char *const prefixes[8], struct buf *out)
{
    const char *prefix = "";
    for (int i = 0; i < 8 && fabs(v) >= step; i++) {
        prefix = prefixes[i];
        v /= step;
    }
    put_number(v, prefix, "", out);
}

static void put_small(double v, const char *unit, struct buf *out)
{
    const char *prefix = "";
    for (int i = 0; i < 8 && fabs(v) < 1; i++) {
        prefix = SMALL[i];
        v *= 1000;
    }
    put_number(v, prefix, unit, out);
}

static err fn_humanize(struct template_call *c, const struct template_value *args, size_t count,
                       struct template_value *out)
{
    struct buf b = {0};
    double v;
    (void)count;
    TRY(template_to_float(&args[0], &v, c->diag));
    if (v == 0 || !isfinite(v))
        put_number(v, "", "", &b);
    else if (fabs(v) >= 1)
        put_large(v, 1000, LARGE, &b);
    else
        put_small(v, "", &b);
    return call_text(c, &b, OK, out);
}

static err fn_humanize_1024(struct template_call *c, const struct template_value *args,
                            size_t count, struct template_value *out)
{
    struct buf b = {0};
    double v;
    (void)count;
    TRY(template_to_float(&args[0], &v, c->diag));
    if (!(fabs(v) > 1) || !isfinite(v))
        put_number(v, "", "", &b);
    else
        put_large(v, 1024, LARGE_1024, &b);
    return call_text(c, &b, OK, out);
}

/* What Go's conversion to int64 gives on amd64. */
static int64_t to_i64(double v)
{
    return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
}

/* At least a second: days to seconds as integers, seconds alone with four digits. */
static void put_duration(double v, struct buf *b)
{
    if (v < 0) {
        buf_put_u8(b, '-');
        v = -v;
    }
    int64_t s = to_i64(v), days = s / 86400;
    int hours = (int)(s / 3600 % 24), minutes = (int)(s / 60 % 60), seconds = (int)(s % 60);
    if (days != 0)
        buf_printf(b, "%lldd %dh %dm %ds", (long long)days, hours, minutes, seconds);
    else if (hours != 0)
        buf_printf(b, "%dh %dm %ds", hours, minutes, seconds);
    else if (minutes != 0)
        buf_printf(b, "%dm %ds", minutes, seconds);
    else
        put_number(v, "", "s", b);
}

err template_humanize_duration(struct template_call *c, const struct template_value *args,
                               size_t count, struct template_value *out)
{
    struct buf b = {0};
    double v;
    (void)count;
    TRY(template_to_float(&args[0], &v, c->diag));
    if (!isfinite(v))
        put_number(v, "", "", &b);
    else if (v == 0)
        put_number(v, "", "s", &b);
    else if (fabs(v) >= 1)
        put_duration(v, &b);
    else
        put_small(v, "s", &b);
    return call_text(c, &b, OK, out);
}

static err fn_humanize_percentage(struct template_call *c, const struct template_value *args,
                                  size_t count, struct template_value *out)
{
    struct buf b = {0};
    double v;
    (void)count;
    TRY(template_to_float(&args[0], &v, c->diag));
    put_number(v * 100, "", "%", &b);
    return call_text(c, &b, OK, out);
}

/* Seconds since the epoch as a time in UTC, cut to milliseconds as Prometheus' times are. */
static err to_time(double v, struct template_time *out, struct diag *d)
{
    double ns = v * 1e9;
    char text[NUMBER_SIZE_MAX];
    if (ns > 0x1p63 || ns < -0x1p63) {
        size_t n = number_format_g(v, text);
        return diag_set(d, ERR_INVALID,
                        "%.*s cannot be represented as a nanoseconds timestamp since it overflows "
                        "int64",
                        (int)n, text);
    }
    *out = template_time_ms(to_i64(ns) / 1000000);
    return OK;
}

static err fn_humanize_timestamp(struct template_call *c, const struct template_value *args,
                                 size_t count, struct template_value *out)
{
    struct buf b = {0};
    struct template_time t;
    double v;
    (void)count;
    TRY(template_to_float(&args[0], &v, c->diag));
    if (!isfinite(v)) {
        put_number(v, "", "", &b);
    } else {
        TRY(to_time(v, &t, c->diag));
        template_time_print(t, &b);
    }
    return call_text(c, &b, OK, out);
}

static err fn_to_time(struct template_call *c, const struct template_value *args, size_t count,
                      struct template_value *out)
{
    struct template_time t;
    double v;
    (void)count;
    TRY(template_to_float(&args[0], &v, c->diag));
    if (!isfinite(v))
        return diag_set(c->diag, ERR_INVALID, "value is NaN or Inf");
    TRY(to_time(v, &t, c->diag));
    return template_time_value(&TEMPLATE_TIME_POINTER, t, c->arena, out);
}

static err fn_to_duration(struct template_call *c, const struct template_value *args, size_t count,
                          struct template_value *out)
{
    double v;
    (void)count;
    TRY(template_to_float(&args[0], &v, c->diag));
    *out = (struct template_value){.type = &TEMPLATE_DURATION_POINTER, .i = to_i64(v * 1e9)};
    return OK;
}

static const struct template_func FUNCS[] = {
    {"humanize", fn_humanize, {&TEMPLATE_ANY}, false},
    {"humanize1024", fn_humanize_1024, {&TEMPLATE_ANY}, false},
    {"humanizeDuration", template_humanize_duration, {&TEMPLATE_ANY}, false},
    {"humanizePercentage", fn_humanize_percentage, {&TEMPLATE_ANY}, false},
    {"humanizeTimestamp", fn_humanize_timestamp, {&TEMPLATE_ANY}, false},
    {"toDuration", fn_to_duration, {&TEMPLATE_ANY}, false},
    {"toTime", fn_to_time, {&TEMPLATE_ANY}, false},
};

const struct template_funcs TEMPLATE_HUMANIZE_FUNCS = {FUNCS, COUNT_OF(FUNCS),
                                                       &TEMPLATE_STRING_FUNCS};
