/* health_rules.c -- what results mean: belief, circuit breaker, score. No threads, no clock. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/health.h"

const char *health_status_name(enum health_status s)
{
    static const char *const NAMES[HEALTH_STATUSES] = {"healthy", "degraded", "unhealthy",
                                                       "unknown"};
    return NAMES[s];
}

const char *health_circuit_name(enum health_circuit c)
{
    static const char *const NAMES[] = {"closed", "open", "half_open"};
    return NAMES[c];
}

const char *health_result_name(enum health_result r)
{
    static const char *const NAMES[HEALTH_RESULTS] = {"healthy", "degraded", "unhealthy",
                                                      "timeout"};
    return NAMES[r];
}

/* ---- Reports ---- */

void health_say(struct health_report *r, enum health_status s, const char *format, ...)
{
    va_list args;
    if (s <= r->status && (s != r->status || r->message[0] != '\0'))
        return;
    r->status = s;
    va_start(args, format);
    (void)vsnprintf(r->message, sizeof(r->message), format, args);
    va_end(args);
}

static struct health_detail *add_detail(struct health_report *r, const char *name)
{
    if (r->detail_count == HEALTH_DETAILS_MAX)
        return NULL;
    struct health_detail *d = &r->details[r->detail_count++];
    *d = (struct health_detail){.name = name};
    return d;
}

void health_number(struct health_report *r, const char *name, double v)
{
    struct health_detail *d = add_detail(r, name);
    if (d == NULL)
        return;
    d->kind = isfinite(v) ? HEALTH_NUMBER : HEALTH_NOTHING;
    d->number = v;
}

void health_text(struct health_report *r, const char *name, str v)
{
    struct health_detail *d = add_detail(r, name);
    if (d == NULL)
        return;
    d->kind = HEALTH_TEXT;
    (void)snprintf(d->text, sizeof(d->text), STR_FMT, STR_ARG(v));
}

enum health_status health_level(enum health_status before, double v, double warn, double critical,
                                double margin)
{
    bool was_critical = before == HEALTH_UNHEALTHY;
    bool was_high = was_critical || before == HEALTH_DEGRADED;
    if (v >= critical - (was_critical ? margin : 0))
        return HEALTH_UNHEALTHY;
    return v >= warn - (was_high ? margin : 0) ? HEALTH_DEGRADED : HEALTH_HEALTHY;
}

/* ---- Belief ---- */

void health_take(struct health_belief *b, enum health_status result, unsigned threshold)
{
    b->failures = result == HEALTH_UNHEALTHY ? b->failures + 1 : 0;
    if (!b->any || b->status == HEALTH_UNKNOWN || result == HEALTH_UNKNOWN || result == b->status) {
        b->any = true;
        b->status = result;
        b->streak = 0;
        return;
    }
    bool first = b->streak++ == 0;
    bool milder = b->status < result ? result < b->mildest : result > b->mildest;
    bool turned = !first && (b->mildest > b->status) != (result > b->status);
    if (turned)
        b->streak = 1; /* worse, then better: they do not speak for the same change */
    if (first || milder || turned)
        b->mildest = result;
    if (b->streak < threshold)
        return;
    b->status = b->mildest;
    b->streak = 0;
}

/* ---- Circuit breaker ---- */

bool health_breaker_allows(struct health_breaker *b, uint64_t now_mono_ns)
{
    if (b->circuit == HEALTH_OPEN && now_mono_ns >= b->open_until_mono_ns)
        b->circuit = HEALTH_HALF_OPEN;
    return b->circuit != HEALTH_OPEN;
}

void health_breaker_note(struct health_breaker *b, bool failed, uint64_t now_mono_ns)
{
    if (!failed) {
        *b = (struct health_breaker){.circuit = HEALTH_CLOSED};
        return;
    }
    b->failures++;
    if (b->circuit == HEALTH_HALF_OPEN || b->failures >= HEALTH_BREAKER_FAILURES) {
        b->circuit = HEALTH_OPEN;
        b->open_until_mono_ns = now_mono_ns + (uint64_t)HEALTH_BREAKER_MS * 1000000;
    }
}

/* ---- Score ---- */

void health_judge(const struct health_view *checks, size_t count, enum health_status *status,
                  unsigned *score)
{
    static const double POINTS[HEALTH_STATUSES] = {1, 0.5, 0, 0};
    double sum = 0, weights = 0;
    bool dead = false, ill = false;
    for (size_t i = 0; i < count; i++) {
        const struct health_view *c = &checks[i];
        bool unknown = c->status == HEALTH_UNKNOWN;
        dead |= c->critical && (unknown || c->status == HEALTH_UNHEALTHY);
        ill |= !unknown && c->status != HEALTH_HEALTHY;
        if (unknown && !c->critical)
            continue;
        sum += c->weight * POINTS[c->status];
        weights += c->weight;
    }
    *score = weights > 0 ? (unsigned)lround(100 * sum / weights) : 100;
    *status = dead                                    ? HEALTH_UNHEALTHY
              : ill || *score < HEALTH_SCORE_DEGRADED ? HEALTH_DEGRADED
                                                      : HEALTH_HEALTHY;
}
