/* block_verify.h -- checks everything about a block (the oracle of tests and `varve tsdb verify`),
 * and lists what it holds (`varve tsdb dump`). */
#ifndef STORAGE_BLOCK_VERIFY_H
#define STORAGE_BLOCK_VERIFY_H

#include "base/err.h"
#include "base/fs.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "storage/block.h"

typedef void (*block_finding_fn)(void *arg, const char *text);

/* Check the block in `dir`: sums of all files, every value's checksum, order of symbols and
 * series, postings against series both ways, label hashes, every chunk decodes, times strictly
 * increase, ranges and counts of chunks, columns and meta against the content, tombstones. Each
 * finding is one call of `fn`; at most 100.
 *   ERR_CORRUPT  there were findings      ERR_IO  the disk failed meanwhile */
MUST_USE err block_verify(struct fs *fs, const char *dir, block_finding_fn fn, void *arg);

/* What the writer checks before it publishes: the block opens, all pages of all files match
 * their sums, all values of the index their checksums.   ERR_CORRUPT, ERR_IO */
MUST_USE err block_check_files(struct fs *fs, const char *dir, struct diag *d);

struct block_samples { /* one chunk of a series with deleted samples left out */
    struct labels labels;
    const int64_t *ts_ms;
    const double *values;               /* NULL for histograms */
    const struct histogram *histograms; /* NULL for floats */
    const int64_t *start_ts_ms;         /* NULL: none */
    size_t count;
};

typedef err (*block_samples_fn)(void *arg, const struct block_samples *s);

/* Call `fn` for every chunk of the series in `ids` (NULL: all), in label and time order, with
 * samples in [min_ms, max_ms]. An error of `fn` ends it and is returned. */
MUST_USE err block_dump(struct block *b, const struct postings *ids, int64_t min_ms, int64_t max_ms,
                        block_samples_fn fn, void *arg, struct diag *d);

#endif
