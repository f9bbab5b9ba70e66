/* slo_measure.h -- events of an objective's time slices: reckoned from raw samples by its queries,
 * read back from what was recorded of them (slo_record.h).
 *
 * What is recorded for each slice, at its end: slo:total_events:increase5m and
 * slo:error_events:increase5m (the suffix is the slice's length). */
#ifndef RULES_SLO_MEASURE_H
#define RULES_SLO_MEASURE_H

#include <stdbool.h>

#include "rules/query_watch.h"
#include "rules/slo_query.h"
#include "storage/db.h"

enum {
    SLO_MEASURE_SLICES_MAX = 1 << 16, /* of one call */
};

struct slo_source { /* borrowed */
    struct db *db;
    struct query_env env;
    struct query_options options;    /* features and limits; times are set here */
    int64_t timeout_ms;              /* of one query; 0: none */
    struct query_switch *off;        /* NULL: nobody can end them */
    const struct query_watch *watch; /* sees them; NULL: nobody does */
};

struct slo_slice {
    double errors, total;
    bool has; /* there was data */
};

/* Reckon `count` slices, the first of which ends at `first_ms`, from raw samples.
 *   errors as query_exec(); `d` says which query */
MUST_USE err slo_measure(const struct slo_source *s, const struct slo_def *def, int64_t first_ms,
                         size_t count, struct slo_slice *out, struct diag *d);

/* Read the same from what was recorded. */
MUST_USE err slo_recorded(const struct slo_source *s, const struct slo_def *def, int64_t first_ms,
                          size_t count, struct slo_slice *out, struct diag *d);

/* "slo:total_events:increase5m": the metric of an objective's slices, NUL-terminated. */
enum { SLO_METRIC_SIZE = 96 };
void slo_slice_metric(const struct slo_def *def, bool errors, char out[SLO_METRIC_SIZE]);

#endif
