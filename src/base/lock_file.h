/* lock_file.h -- one process at a time: an exclusive lock on a file that says who holds it.
 *
 * The lock goes with the process, however it ends; the file stays. Threads: any. */
#ifndef BASE_LOCK_FILE_H
#define BASE_LOCK_FILE_H

#include "base/err.h"

struct lock_file { /* zero-initialised is "not held" */
    int fd_plus_1;
};

/* Take the lock, making the file when missing. A file that exists on a read-only or full disk is
 * enough.
 *   ERR_BUSY  held by another open of the file, `d` says by which process
 *   ERR_IO, ERR_NOSPACE  it cannot be opened; `d` says why */
MUST_USE err lock_file_open(const char *path, struct lock_file *out, struct diag *d);

void lock_file_close(struct lock_file *f);

#endif
