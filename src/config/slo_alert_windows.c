/* slo_alert_windows.c -- Sloth's AlertWindows: of objectives of one period, which share of the
 * budget in which windows makes an alert. */
#include "base/duration.h"
#include "config/slo_file_priv.h"

enum { DAY_MS = 86400000, PERIOD_DAYS_MAX = 92 };

struct speeds { /* of a severity */
    struct slo_alert_pace quick, slow;
};

struct windows_spec {
    int64_t period_ms;
    struct speeds page, ticket;
};

struct windows_resource {
    str api_version, kind;
    struct windows_spec *spec;
};

#define PACE(name)     offsetof(struct slo_alert_pace, name)
#define SPEED(name)    offsetof(struct speeds, name)
#define SPEC(name)     offsetof(struct windows_spec, name)
#define RESOURCE(name) offsetof(struct windows_resource, name)

static err pace_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct slo_alert_pace *p = s;
    if (!(p->percent > 0 && p->percent <= 100))
        return decode_fail(c, n, "errorBudgetPercent must be > 0 and <= 100");
    if (p->short_ms <= 0)
        return decode_fail(c, n, "shortWindow is required");
    if (p->long_ms <= p->short_ms)
        return decode_fail(c, n, "longWindow must be longer than shortWindow");
    return OK;
}

static const struct decode_field PACE_FIELDS[] = {
    {.key = "errorBudgetPercent", .kind = DECODE_FLOAT, .offset = PACE(percent)},
    {.key = "shortWindow", .kind = DECODE_DURATION, .offset = PACE(short_ms)},
    {.key = "longWindow", .kind = DECODE_DURATION, .offset = PACE(long_ms)},
};
static const struct decode_schema PACE_SCHEMA = {
    .fields = PACE_FIELDS,
    .field_count = COUNT_OF(PACE_FIELDS),
    .size = sizeof(struct slo_alert_pace),
    .check = pace_check,
};

static const struct decode_field SPEED_FIELDS[] = {
    {.key = "quick", .kind = DECODE_STRUCT, .offset = SPEED(quick), .schema = &PACE_SCHEMA},
    {.key = "slow", .kind = DECODE_STRUCT, .offset = SPEED(slow), .schema = &PACE_SCHEMA},
};

static err speeds_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct speeds *v = s;
    return v->quick.long_ms > 0 && v->slow.long_ms > 0
               ? OK
               : decode_fail(c, n, "quick and slow are required");
}

static const struct decode_schema SPEED_SCHEMA = {
    .fields = SPEED_FIELDS,
    .field_count = COUNT_OF(SPEED_FIELDS),
    .size = sizeof(struct speeds),
    .check = speeds_check,
};

static err spec_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct windows_spec *v = s;
    if (v->period_ms < DAY_MS || v->period_ms > (int64_t)PERIOD_DAYS_MAX * DAY_MS)
        return decode_fail(c, n, "sloPeriod must be 1 to %d days", PERIOD_DAYS_MAX);
    if (v->page.quick.long_ms == 0 || v->ticket.quick.long_ms == 0)
        return decode_fail(c, n, "page and ticket are required");
    const int64_t longest_ms = MAX(MAX(v->page.quick.long_ms, v->page.slow.long_ms),
                                   MAX(v->ticket.quick.long_ms, v->ticket.slow.long_ms));
    return longest_ms <= v->period_ms ? OK
                                      : decode_fail(c, n, "a longWindow is longer than sloPeriod");
}

static const struct decode_field SPEC_FIELDS[] = {
    {.key = "sloPeriod", .kind = DECODE_DURATION, .offset = SPEC(period_ms)},
    {.key = "page", .kind = DECODE_STRUCT, .offset = SPEC(page), .schema = &SPEED_SCHEMA},
    {.key = "ticket", .kind = DECODE_STRUCT, .offset = SPEC(ticket), .schema = &SPEED_SCHEMA},
};
static const struct decode_schema SPEC_SCHEMA = {
    .fields = SPEC_FIELDS,
    .field_count = COUNT_OF(SPEC_FIELDS),
    .size = sizeof(struct windows_spec),
    .check = spec_check,
};

static const struct decode_field RESOURCE_FIELDS[] = {
    {.key = "apiVersion", .kind = DECODE_TEXT, .offset = RESOURCE(api_version)},
    {.key = "kind", .kind = DECODE_TEXT, .offset = RESOURCE(kind)},
    {.key = "spec", .kind = DECODE_POINTER, .offset = RESOURCE(spec), .schema = &SPEC_SCHEMA},
};
static const struct decode_schema RESOURCE_SCHEMA = {
    .fields = RESOURCE_FIELDS,
    .field_count = COUNT_OF(RESOURCE_FIELDS),
    .size = sizeof(struct windows_resource),
};

err slo_alert_windows_read(struct decode *c, const struct yaml *doc)
{
    struct slo_reader *r = c->user;
    struct windows_resource w;
    char text[DURATION_SIZE_MAX];
    TRY(decode_struct(c, &RESOURCE_SCHEMA, doc, &w));
    if (w.spec == NULL)
        return decode_fail(c, doc, "spec is required");
    for (size_t i = 0; i < r->catalog->count; i++)
        if (r->catalog->items[i].period_ms == w.spec->period_ms)
            return decode_fail(c, doc, "there are alert windows of %.*s already",
                               (int)duration_format(w.spec->period_ms, text), text);
    if (r->catalog->count == SLO_CATALOG_MAX)
        return decode_fail(c, doc, "more than %d periods have alert windows", SLO_CATALOG_MAX);
    r->catalog->items[r->catalog->count++] = (struct slo_alert_windows){
        w.spec->period_ms,
        {w.spec->page.quick, w.spec->page.slow, w.spec->ticket.quick, w.spec->ticket.slow}};
    return OK;
}
