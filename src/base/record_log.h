/* record_log.h -- a file of records that is appended to: what an owner keeps in memory and must not
 * lose. The owner has all that counts in a table of its own; the log gives it the records of the
 * file when it is opened, and asks for all of them anew whenever the file is rewritten: when it is
 * opened, when it has grown too much, and after a write failed. So nothing that fails is lost as
 * long as the process lives. Format: docs/formats/record-log.md.
 *
 * A tail that a crash tore is cut. A file that is no such log, or is damaged before its end, is
 * kept as PATH.damaged, and what can be read of it is used. Not for several threads at once. */
#ifndef BASE_RECORD_LOG_H
#define BASE_RECORD_LOG_H

#include <stdbool.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/slice.h"

enum { RECORD_LOG_MAGIC_BYTES = 8 };

struct record_log;

struct record_log_owner {
    const char *magic;  /* RECORD_LOG_MAGIC_BYTES, with the version of what records hold */
    const char *what;   /* for people: "the states of alerts" */
    uint64_t bytes_max; /* of the file, below 4 GiB: a larger one is neither read nor written */
    /* A record as it was put; false: it cannot be understood, and counts as damage. */
    bool (*take)(void *arg, slice payload);
    /* Put all records that count. */
    void (*give)(void *arg, struct record_log *l);
    void *arg;
};

/* Open or create DIR/NAME; the directory is made when missing. Strings of `o` are borrowed for the
 * life of the log. *whole: the file was there, and no record that was synced is missing; set also
 * on errors. Where nothing can be written, on a full or read-only disk, the log opens, says so, and
 * is written as soon as a flush can.
 *   ERR_IO, ERR_LIMIT  the file that is there cannot be read; `d` says why */
MUST_USE err record_log_open(struct fs *fs, const char *dir, const char *name,
                             const struct record_log_owner *o, struct record_log **out, bool *whole,
                             struct diag *d);
void record_log_close(struct record_log *l); /* what was not flushed is lost; NULL is allowed */

/* Append a record of at least one byte; the owner's table has it already. In the file after the
 * next flush. */
void record_log_put(struct record_log *l, slice payload);

/* Write what was put; `sync`: durably, with all before it. What fails is logged, and all is written
 * anew at the next flush.
 *   ERR_IO, ERR_NOSPACE, ERR_LIMIT (there is more than `bytes_max`; the file is as it was) */
MUST_USE err record_log_flush(struct record_log *l, bool sync);

#endif
