/* fake_source.h -- a store for query tests: series in arrays, seen through struct query_source.
 *
 * Columns with equal times share a column id, as those of a real store do. */
#ifndef TESTS_FAKE_SOURCE_H
#define TESTS_FAKE_SOURCE_H

#include "query/engine.h"

struct fake_store;

extern const struct query_source FAKE_SOURCE;

struct fake_store *fake_store_open(void);
void fake_store_close(struct fake_store *s);

/* Find or add the series with these labels, given as "name", "value", ..., NULL (or as a set);
 * returns its number. */
size_t fake_store_series(struct fake_store *s, ...);
size_t fake_store_series_of(struct fake_store *s, struct labels labels);

/* Insert a sample in order of time; an equal time is replaced. */
void fake_store_add(struct fake_store *s, size_t series, int64_t ts_ms, double value);
void fake_store_add_histogram(struct fake_store *s, size_t series, int64_t ts_ms,
                              const struct histogram *h);

/* Give the sample of a series at `ts_ms`, which must be there, a start time stamp. */
void fake_store_start(struct fake_store *s, size_t series, int64_t ts_ms, int64_t start_ts_ms);

size_t fake_store_count(const struct fake_store *s);
struct labels fake_store_labels(const struct fake_store *s, size_t series);
/* The samples of a series, valid until it is changed. */
struct series_columns fake_store_columns(struct fake_store *s, size_t series);

/* Fail reading series `i` with ERR_CORRUPT; SIZE_MAX: none. */
void fake_store_break(struct fake_store *s, size_t i);

#endif
