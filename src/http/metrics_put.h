/* metrics_put.h -- writing families of the Prometheus text format; for metrics*.c. */
#ifndef HTTP_METRICS_PUT_H
#define HTTP_METRICS_PUT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/timing.h"

/* The lines HELP and TYPE. */
void metric_family(struct buf *b, const char *name, const char *type, const char *help);

/* A line; `labels` as written, without braces, may be "". */
void metric_line(struct buf *b, const char *name, const char *labels, double v);

struct metric { /* a family of one line */
    const char *name, *type, *help;
    double value;
};
void metric_put(struct buf *b, const struct metric *metrics, size_t count);

/* The lines of a histogram, and those of a summary. */
void metric_histogram(struct buf *b, const char *name, const char *labels, const struct timing *t);
void metric_summary(struct buf *b, const char *name, const char *labels, const struct timing *t,
                    struct timing_recent *recent, enum recent_quantiles which);

#endif
