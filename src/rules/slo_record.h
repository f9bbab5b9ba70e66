/* slo_record.h -- samples of objectives on their way into the store: those of many objectives are
 * collected and written with one commit. Threads: one at a time. */
#ifndef RULES_SLO_RECORD_H
#define RULES_SLO_RECORD_H

#include "config/slo_file.h"
#include "storage/db.h"

enum {
    SLO_ROWS_MAX = 16384,          /* collected: more is written at once */
    SLO_ROWS_BYTES_MAX = 64 << 20, /* of their labels */
    SLO_ROWS_AGE_MS_MAX = 5000,    /* the oldest may wait that long */
};

struct slo_sample {
    const char *name; /* of a metric; static or of the caller */
    int64_t ts_ms;
    double value;
};

struct slo_record;

/* Into `db`; samples older than the newest of their series are fine. */
struct slo_record *slo_record_open(struct db *db);
void slo_record_close(struct slo_record *r); /* what was not written is lost; NULL is allowed */

/* Collect samples with the labels of the objective; texts are copied. Samples of one metric follow
 * each other, mostly.   ERR_LIMIT  it does not fit: write first */
MUST_USE err slo_record_add(struct slo_record *r, const struct slo_def *def,
                            const struct slo_sample *samples, size_t count, int64_t now_ms);

size_t slo_record_count(const struct slo_record *r);
/* Is it time to write, though there is more to come? */
bool slo_record_is_due(const struct slo_record *r, int64_t now_ms);

/* Write all, durably, with one commit; none is left, whatever came of it.
 *   errors as db_commit()  `d` */
MUST_USE err slo_record_write(struct slo_record *r, struct diag *d);

#endif
