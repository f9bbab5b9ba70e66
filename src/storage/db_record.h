/* db_record.h -- payloads of the log: definitions, and records of what one request adds.
 *
 * Log ids with the top bit set are label pairs (name, value), others are series, defined by the ids
 * of their pairs. A record is a version byte and sections of one kind each (enum record_kind).
 * Format: docs/formats/wal-records.md. Readers take any bytes: what is malformed is ERR_CORRUPT.
 * Threads: one at a time for each object; readers only read their payload. */
#ifndef STORAGE_DB_RECORD_H
#define STORAGE_DB_RECORD_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/labels.h"
#include "storage/db.h"

enum record_kind {
    RECORD_FLOATS = 1,
    RECORD_HISTOGRAMS = 2,
    RECORD_EXEMPLARS = 3,
    RECORD_METADATA = 4,
};

enum {
    RECORD_TYPE = 1, /* the log's type of our records */
    RECORD_VERSION = 1,
    RECORD_LABELS_MAX = 4096, /* labels of one series that a reader accepts */
    RECORD_ID_MAX = 1 << 28,  /* ids of series and pairs are below */
};
#define RECORD_PAIR_BIT (UINT32_C(1) << 31)

/* ---- Definitions: appended to `out`; readers give ERR_CORRUPT for what is malformed ---- */

/* A label pair, and back; strings alias the payload. */
void record_put_pair(struct buf *out, struct label pair);
MUST_USE err record_read_pair(slice payload, struct label *out);

/* A series as the ids of its pairs in label order, and back: at most RECORD_LABELS_MAX ids to
 * `ids`. */
void record_put_series(struct buf *out, const uint32_t *ids, size_t count);
MUST_USE err record_read_series(slice payload, uint32_t *ids, size_t *count);

/* ---- Writing records ---- */

/* Start a record that is appended to `out`. */
void record_begin(struct buf *out);

/* Add the rows that admission lets be written (verdicts NULL: all), in their order. `start_ts_ms`
 * as in db_batch. */
void record_put_rows(struct buf *out, const struct db_row *rows, const int64_t *start_ts_ms,
                     const uint8_t *verdicts, size_t count);

/* Add exemplars whose place in `keep` is true, and metadata. */
void record_put_exemplars(struct buf *out, const struct db_exemplar_row *rows, const bool *keep,
                          size_t count);
void record_put_metadata(struct buf *out, const struct db_metadata_row *rows, size_t count);

/* ---- Reading records ---- */

struct record_section {
    enum record_kind kind;
    uint64_t count; /* rows */
    struct reader r;
};

/* ERR_CORRUPT: not a record, or of a version from the future. */
MUST_USE err record_open(slice payload, struct reader *out);

/* The next section. ERR_NOTFOUND: that was the last; ERR_CORRUPT. */
MUST_USE err record_next(struct reader *r, struct record_section *out);

struct record_column { /* what follows is one `stride` further each, `left` times at least */
    struct reader r;
    int64_t value, stride; /* of the row before */
    uint64_t left;
};
struct record_floats {
    struct record_column ids, times, starts;
    const uint8_t *values;
    uint64_t left;
    bool has_starts;
};
MUST_USE err record_floats_init(struct record_floats *f, const struct record_section *s);

struct record_run {     /* rows that stand together: ids ascend by one, times are the same */
    uint32_t id, count; /* log ids from `id` on; all are below RECORD_ID_MAX, count > 0 */
    int64_t ts_ms, start_ts_ms;
    const uint8_t *values; /* 8 bytes each, unaligned, in the payload */
};

/* The next rows, as many as stand together. ERR_NOTFOUND: none left; ERR_CORRUPT. */
MUST_USE err record_floats_next(struct record_floats *f, struct record_run *out);

/* A row of it: `i` < run->count. */
static inline struct db_row record_run_row(const struct record_run *run, uint32_t i)
{
    return (struct db_row){.ts_ms = run->ts_ms,
                           .value = f64_from_bits(load_u64(run->values + (size_t)i * 8)),
                           .series = run->id + i};
}

struct record_rows { /* of histograms, exemplars or metadata */
    struct record_section s;
    uint64_t prev_id;
    int64_t prev_ts_ms, prev_start_ms;
};
void record_rows_init(struct record_rows *rr, const struct record_section *s);

/* The next row; memory is in `a`, strings alias the payload.
 * ERR_NOTFOUND: none left; ERR_CORRUPT; ERR_LIMIT: arena budget. */
MUST_USE err record_histogram_next(struct record_rows *rr, struct arena *a, struct db_row *row,
                                   int64_t *start_ts_ms);
MUST_USE err record_exemplar_next(struct record_rows *rr, struct arena *a,
                                  struct db_exemplar_row *row);
MUST_USE err record_metadata_next(struct record_rows *rr, struct db_metadata_row *row);

#endif
