/* wal_input.h -- sequential reading of a file through a window that moves forward; optionally the
 * next block is read on a second thread meanwhile. Private to the log.
 *
 * A window is never copied as a whole: each block is read behind some headroom, into which the
 * unfinished end of the one before it is copied. What the disk cannot read becomes zeros, and is
 * counted: it then fails verification like any other damage.
 * Threads: one, besides its own. */
#ifndef STORAGE_WAL_INPUT_H
#define STORAGE_WAL_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/slice.h"

enum {
    WAL_INPUT_HEADROOM = 1 << 20,       /* bytes carried over without growing a block */
    WAL_INPUT_PIECE = 4096,             /* bytes given up when they cannot be read */
    WAL_INPUT_UNREADABLE_MAX = 1 << 20, /* bytes of a file; with more, reading it fails */
};

struct wal_input; /* buffers and the thread, for one file after another */

/* Blocks of `read_size` bytes; `read_ahead` asks for the second thread (without one, if the system
 * refuses). */
struct wal_input *wal_input_new(struct fs *fs, size_t read_size, bool read_ahead);
void wal_input_free(struct wal_input *in); /* NULL is allowed */

/* Read `f` from now on, which has `size` bytes and stays open until the next wal_input_attach() or
 * wal_input_detach(). */
void wal_input_attach(struct wal_input *in, struct fs_file *f, uint64_t size);
void wal_input_detach(struct wal_input *in);

/* The bytes [pos, pos + size), fewer only at the end of the file; they are valid until the next
 * call. Going forward is cheap, going back reads again. ERR_IO  more than WAL_INPUT_UNREADABLE_MAX
 * bytes of the file cannot be read */
MUST_USE err wal_input_get(struct wal_input *in, uint64_t pos, size_t size, slice *out);

/* Size of the attached file, and how many of its bytes could not be read so far. */
uint64_t wal_input_size(const struct wal_input *in);
uint64_t wal_input_unreadable(const struct wal_input *in);

#endif
