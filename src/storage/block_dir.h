/* block_dir.h -- the directory `blocks`: names, what a crash left there, removal, setting aside.
 *
 *   <ULID>/      a block          tmp-<ULID>/  being written          del-<ULID>/  being removed */
#ifndef STORAGE_BLOCK_DIR_H
#define STORAGE_BLOCK_DIR_H

#include <stddef.h>

#include "base/err.h"
#include "base/fs.h"
#include "storage/meta.h"
#include "storage/ulid.h"

/* What block_dir_scan() found. */
struct block_found {
    struct block_meta meta; /* when status is OK */
    ulid ulid;
    err status;       /* OK, or why meta.json cannot be used (ERR_NOTFOUND, ERR_CORRUPT, ...) */
    struct diag diag; /* the reason in words */
};

struct block_list {
    struct block_found *items; /* ascending by ULID */
    size_t count;
};

void block_list_fini(struct block_list *l);

/* The blocks of `blocks_dir`, after cleaning up: tmp-* and del-* are removed, then the blocks
 * that another block replaces (crash between publishing a merge and removing its sources), if that
 * one opens. Damaged blocks are listed with their status and not
 * touched. Names of no known form are left alone and logged; so is what cannot be removed.
 *   ERR_IO, ERR_NOTFOUND  the directory itself cannot be read */
MUST_USE err block_dir_scan(struct fs *fs, const char *blocks_dir, struct block_list *out);

/* Remove a block: rename to del-<ULID>, sync the parent, then delete the files. When only the last
 * step fails it is logged, and start-up finishes it. Open readers keep what they have mapped. */
MUST_USE err block_dir_remove(struct fs *fs, const char *blocks_dir, ulid u);

/* Set a damaged block aside: move BLOCKS/<ULID> to QUARANTINE/<ULID> (made when missing), sync both
 * parents. Nothing is deleted; when the name is taken a number is added. Both in one file system.
 */
MUST_USE err block_dir_quarantine(struct fs *fs, const char *blocks_dir, const char *quarantine_dir,
                                  ulid u);

/* Hard-link the files of block `u` into TO/<ULID> (TO exists) and make them durable. Deletions
 * later do not show there: the file of deletions is replaced, not changed.
 *   ERR_IO, ERR_NOSPACE  the copy is removed again as far as possible */
MUST_USE err block_dir_link(struct fs *fs, const char *blocks_dir, const char *to_dir, ulid u);

/* Does block `y` make block `x` superfluous? True when y names x as a parent, or holds all of x's
 * sources and either more, or the same and is newer. Only blocks of one resolution replace one
 * another. */
bool block_meta_replaces(const struct block_meta *y, const struct block_meta *x);

#endif
