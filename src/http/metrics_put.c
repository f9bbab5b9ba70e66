/* metrics_put.c -- see metrics_put.h. */
#include "http/metrics_put.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/number.h"

void metric_family(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_number(struct buf *b, double v)
{
    b->len += number_format_g(v, (char *)buf_reserve(b, NUMBER_SIZE_MAX));
    buf_put_u8(b, '\n');
}

void metric_line(struct buf *b, const char *name, const char *labels, double v)
{
    if (labels[0] != '\0')
        buf_printf(b, "%s{%s} ", name, labels);
    else
        buf_printf(b, "%s ", name);
    put_number(b, v);
}

void metric_put(struct buf *b, const struct metric *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        metric_family(b, m[i].name, m[i].type, m[i].help);
        metric_line(b, m[i].name, "", m[i].value);
    }
}

static uint64_t load(const atomic_uint_least64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

/* name_suffix{labels,more} v */
static void part_line(struct buf *b, const char *name, const char *suffix, const char *labels,
                      const char *more, double v)
{
    const char *comma = labels[0] != '\0' && more[0] != '\0' ? "," : "";
    if (labels[0] != '\0' || more[0] != '\0')
        buf_printf(b, "%s%s{%s%s%s} ", name, suffix, labels, comma, more);
    else
        buf_printf(b, "%s%s ", name, suffix);
    put_number(b, v);
}

static void sum_and_count(struct buf *b, const char *name, const char *labels,
                          const struct timing *t, uint64_t count)
{
    part_line(b, name, "_sum", labels, "", (double)load(&t->sum_ns) / 1e9);
    part_line(b, name, "_count", labels, "", (double)count);
}

void metric_histogram(struct buf *b, const char *name, const char *labels, const struct timing *t)
{
    uint64_t total = 0;
    for (unsigned i = 0; i <= TIMING_BOUNDS; i++) {
        char bound[NUMBER_SIZE_MAX] = "+Inf", more[NUMBER_SIZE_MAX + 8];
        total += load(&t->buckets[i]);
        if (i < TIMING_BOUNDS)
            bound[number_format_g(TIMING_BOUND_SECONDS[i], bound)] = '\0';
        (void)snprintf(more, sizeof(more), "le=\"%s\"", bound);
        part_line(b, name, "_bucket", labels, more, (double)total);
    }
    sum_and_count(b, name, labels, t, total);
}

void metric_summary(struct buf *b, const char *name, const char *labels, const struct timing *t,
                    struct timing_recent *recent, enum recent_quantiles which)
{
    uint64_t total = 0;
    for (unsigned i = 0; i <= TIMING_BOUNDS; i++)
        total += load(&t->buckets[i]);
    timing_recent_put(b, name, labels, which, &recent, 1, clock_mono_ns());
    sum_and_count(b, name, labels, t, total);
}
