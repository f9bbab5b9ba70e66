/* tsdb_tool.h -- looking at a data directory that no process has open (or that one has: what is
 * seen is then of different moments): list, dump, verify, statistics. Nothing is changed, damaged
 * parts are reported and the rest is shown. Text goes to `out`. */
#ifndef STORAGE_TSDB_TOOL_H
#define STORAGE_TSDB_TOOL_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fs.h"
#include "model/matcher.h"

/* All functions: `fs` NULL is fs_posix(); `dir` is the data directory.
 *   ERR_NOTFOUND  there is no store in it      ERR_IO  it cannot be read; `d` says what */

/* A table of the blocks, and the log. ERR_CORRUPT: some could not be read. */
MUST_USE err tsdb_ls(struct fs *fs, const char *dir, FILE *out, struct diag *d);

/* Samples of the series that all matchers accept, in [min_ms, max_ms], a line each: labels, value,
 * milliseconds; block by block, then the log, each behind a line "# block ULID" or "# log". Samples
 * the log has may be in blocks, too. ERR_CORRUPT: some could not be read. */
MUST_USE err tsdb_dump(struct fs *fs, const char *dir, const struct matcher *matchers,
                       size_t matcher_count, int64_t min_ms, int64_t max_ms, FILE *out,
                       struct diag *d);

/* Check every checksum and invariant of blocks, log and state: a line for each finding and a last
 * one with their count. A torn tail of the log is no finding. ERR_CORRUPT: there were findings. */
MUST_USE err tsdb_verify(struct fs *fs, const char *dir, FILE *out, struct diag *d);

/* Series, samples, bytes per sample by block and in total, and by codec. ERR_CORRUPT: some could
 * not be read. */
MUST_USE err tsdb_stats(struct fs *fs, const char *dir, FILE *out, struct diag *d);

#endif
