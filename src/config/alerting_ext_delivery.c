/* alerting_ext_delivery.c -- how notifications are delivered: retries, fallbacks, severities,
 * rates.
 */
#include <stdlib.h>

#include "config/alerting_ext_priv.h"

enum { RATE_MS_MAX = 86400000, PAUSE_MS_MAX = 86400000 };

static const struct decode_field RETRY_FIELDS[] = {
    AM_INT(delivery_retry, max_attempts),
    EXT_DURATION(delivery_retry, initial_ms, "initial"),
    {AM_FIELD(delivery_retry, multiplier, DECODE_FLOAT)},
    {AM_FIELD(delivery_retry, jitter, DECODE_FLOAT)},
    EXT_DURATION(delivery_retry, max_backoff_ms, "max_backoff"),
    AM_BOOL(delivery_retry, honor_retry_after),
    EXT_DURATION(delivery_retry, max_retry_after_ms, "max_retry_after"),
};

const struct delivery_retry DELIVERY_RETRY_DEFAULT = {.initial_ms = 500,
                                                      .multiplier = 1.5,
                                                      .jitter = 0.5,
                                                      .max_backoff_ms = 60000,
                                                      .honor_retry_after = true,
                                                      .max_retry_after_ms = 300000};

static void retry_defaults(void *s)
{
    *(struct delivery_retry *)s = DELIVERY_RETRY_DEFAULT;
}

static err retry_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct delivery_retry *r = s;
    if (r->max_attempts < 0)
        return decode_fail(c, n, "max_attempts must not be negative");
    if (r->initial_ms == 0 || r->max_backoff_ms < r->initial_ms)
        return decode_fail(c, n, "initial must be longer than 0s, max_backoff not shorter than it");
    if (r->max_backoff_ms > PAUSE_MS_MAX || r->max_retry_after_ms > PAUSE_MS_MAX)
        return decode_fail(c, n, "max_backoff and max_retry_after must be at most 1d");
    if (!(r->multiplier >= 1 && r->multiplier <= 1000))
        return decode_fail(c, n, "multiplier must be between 1 and 1000");
    if (!(r->jitter >= 0 && r->jitter <= 1))
        return decode_fail(c, n, "jitter must be between 0 and 1");
    return OK;
}

static const struct decode_schema RETRY_SCHEMA = {
    .fields = RETRY_FIELDS,
    .field_count = COUNT_OF(RETRY_FIELDS),
    .size = sizeof(struct delivery_retry),
    .defaults = retry_defaults,
    .check = retry_check,
};

static const struct decode_field FALLBACK_FIELDS[] = {
    {AM_FIELD(delivery_fallback, receiver, DECODE_TEXT), .required = true},
    {AM_FIELD(delivery_fallback, to, DECODE_TEXT), .required = true},
    {AM_FIELD(delivery_fallback, after_failures, DECODE_INT), .min = 1, .max = 1000000},
};

static void fallback_defaults(void *s)
{
    struct delivery_fallback *f = s;
    f->after_failures = 3;
}

static err fallback_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct delivery_fallback *f = s;
    f->place = config_place_of(c, n);
    return str_eq(f->receiver, f->to) ? decode_fail(c, n, "a receiver cannot stand in for itself")
                                      : OK;
}

static const struct decode_schema FALLBACK_SCHEMA = {
    .fields = FALLBACK_FIELDS,
    .field_count = COUNT_OF(FALLBACK_FIELDS),
    .size = sizeof(struct delivery_fallback),
    .defaults = fallback_defaults,
    .finish = fallback_finish,
};

static const struct decode_field RATE_FIELDS[] = {
    {AM_FIELD(delivery_rate, receiver, DECODE_TEXT), .required = true},
    {EXT_FIELD(delivery_rate, per_ms, "per", DECODE_DURATION), .required = true},
    {AM_FIELD(delivery_rate, burst, DECODE_INT), .min = 1, .max = 1000000},
};

static void rate_defaults(void *s)
{
    struct delivery_rate *r = s;
    r->burst = 1;
}

static err rate_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct delivery_rate *r = s;
    r->place = config_place_of(c, n);
    return r->per_ms > 0 && r->per_ms <= RATE_MS_MAX
               ? OK
               : decode_fail(c, n, "per must be longer than 0s and at most 1d");
}

static const struct decode_schema RATE_SCHEMA = {
    .fields = RATE_FIELDS,
    .field_count = COUNT_OF(RATE_FIELDS),
    .size = sizeof(struct delivery_rate),
    .defaults = rate_defaults,
    .finish = rate_finish,
};

struct severity_maps {
    struct pairs pagerduty, opsgenie;
};

static err check_values(struct decode *c, const struct yaml *n, const struct pairs *map,
                        const char *const *values)
{
    for (size_t i = 0; i < map->count; i++) {
        bool good = false;
        for (size_t k = 0; !good && values[k] != NULL; k++)
            good = str_eq(map->items[i].value, str_from(values[k]));
        if (!good)
            return decode_fail(c, n, "\"" STR_FMT "\" is no severity of that provider",
                               STR_ARG(map->items[i].value));
    }
    return OK;
}

static err maps_check(struct decode *c, const struct yaml *n, const void *s)
{
    static const char *const PAGERDUTY[] = {"critical", "error", "warning", "info", NULL};
    static const char *const OPSGENIE[] = {"P1", "P2", "P3", "P4", "P5", NULL};
    const struct severity_maps *m = s;
    TRY(check_values(c, n, &m->pagerduty, PAGERDUTY));
    return check_values(c, n, &m->opsgenie, OPSGENIE);
}

static const struct decode_field MAPS_FIELDS[] = {
    AM_PAIRS(severity_maps, pagerduty),
    AM_PAIRS(severity_maps, opsgenie),
};

static const struct decode_schema MAPS_SCHEMA = {
    .fields = MAPS_FIELDS,
    .field_count = COUNT_OF(MAPS_FIELDS),
    .size = sizeof(struct severity_maps),
    .check = maps_check,
};
static_assert(sizeof(struct severity_maps) == sizeof(((struct delivery_config *)0)->severity_maps),
              "MAPS_SCHEMA fills it");

static const struct decode_field DELIVERY_FIELDS[] = {
    {AM_FIELD(delivery_config, retry, DECODE_STRUCT), .schema = &RETRY_SCHEMA},
    EXT_DURATION(delivery_config, request_timeout_ms, "request_timeout"),
    {AM_FIELD(delivery_config, fallbacks, DECODE_STRUCTS), .schema = &FALLBACK_SCHEMA},
    {AM_FIELD(delivery_config, severity_maps, DECODE_STRUCT), .schema = &MAPS_SCHEMA},
    {AM_FIELD(delivery_config, rate_limits, DECODE_STRUCTS), .schema = &RATE_SCHEMA},
};

static void delivery_defaults(void *s)
{
    struct delivery_config *d = s;
    retry_defaults(&d->retry);
}

const struct decode_schema DELIVERY_SCHEMA = {
    .fields = DELIVERY_FIELDS,
    .field_count = COUNT_OF(DELIVERY_FIELDS),
    .size = sizeof(struct delivery_config),
    .defaults = delivery_defaults,
};

/* ---- Receivers, by name ---- */

/* Both kinds of entries begin with the receiver's name. */
static int compare_receivers(const void *pa, const void *pb)
{
    const str *a = pa, *b = pb;
    return str_cmp(*a, *b);
}
static_assert(offsetof(struct delivery_fallback, receiver) == 0 &&
                  offsetof(struct delivery_rate, receiver) == 0,
              "compare_receivers() reads it");

const struct delivery_fallback *delivery_fallback_of(const struct delivery_config *d, str receiver)
{
    return d->fallbacks.count == 0 ? NULL
                                   : bsearch(&receiver, d->fallbacks.items, d->fallbacks.count,
                                             sizeof(*d->fallbacks.items), compare_receivers);
}

const struct delivery_rate *delivery_rate_of(const struct delivery_config *d, str receiver)
{
    return d->rate_limits.count == 0
               ? NULL
               : bsearch(&receiver, d->rate_limits.items, d->rate_limits.count,
                         sizeof(*d->rate_limits.items), compare_receivers);
}

/* ---- All of it ---- */

static bool is_later(struct config_place a, struct config_place b)
{
    return a.line > b.line || (a.line == b.line && a.column > b.column);
}

static err twice(struct decode *c, str receiver, struct config_place a, struct config_place b)
{
    return config_fail_at(c, is_later(a, b) ? a : b, "receiver \"" STR_FMT "\" is named twice here",
                          STR_ARG(receiver));
}

static err check_fallbacks(struct decode *c, const struct delivery_config *d)
{
    struct delivery_fallback *items = d->fallbacks.items;
    for (size_t i = 0; i < d->fallbacks.count; i++) {
        TRY(ext_check_receiver(c, items[i].place, items[i].receiver));
        TRY(ext_check_receiver(c, items[i].place, items[i].to));
    }
    if (d->fallbacks.count > 1)
        qsort(items, d->fallbacks.count, sizeof(*items), compare_receivers);
    for (size_t i = 1; i < d->fallbacks.count; i++)
        if (str_eq(items[i].receiver, items[i - 1].receiver))
            return twice(c, items[i].receiver, items[i].place, items[i - 1].place);
    for (size_t i = 0; i < d->fallbacks.count; i++)
        if (delivery_fallback_of(d, items[i].to) != NULL)
            return config_fail_at(c, items[i].place,
                                  "\"" STR_FMT "\" has a fallback itself: there are no chains",
                                  STR_ARG(items[i].to));
    return OK;
}

static err check_rates(struct decode *c, const struct delivery_config *d)
{
    struct delivery_rate *items = d->rate_limits.items;
    for (size_t i = 0; i < d->rate_limits.count; i++)
        TRY(ext_check_receiver(c, items[i].place, items[i].receiver));
    if (d->rate_limits.count > 1)
        qsort(items, d->rate_limits.count, sizeof(*items), compare_receivers);
    for (size_t i = 1; i < d->rate_limits.count; i++)
        if (str_eq(items[i].receiver, items[i - 1].receiver))
            return twice(c, items[i].receiver, items[i].place, items[i - 1].place);
    return OK;
}

err delivery_check(struct decode *c, struct alerting_ext *f)
{
    if (f->delivery == NULL)
        return OK;
    TRY(check_fallbacks(c, f->delivery));
    return check_rates(c, f->delivery);
}
