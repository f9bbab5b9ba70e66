/* state.h -- the file `state`: what the store remembers beside samples.
 *
 * One file, replaced atomically at every cut: the seed of label hashes, how far the log is in
 * blocks, the clock's watermark, metadata and exemplars. No acknowledged sample is in it: when it
 * is damaged it is set aside and made anew. Format: docs/formats/state.md. */
#ifndef STORAGE_STATE_H
#define STORAGE_STATE_H

#include <stdint.h>

#include "base/err.h"
#include "base/fs.h"
#include "storage/exemplar_store.h"
#include "storage/metadata_store.h"

enum { STATE_SIZE_MAX = 1 << 30 }; /* bytes */

struct state {
    uint64_t label_seed;
    uint32_t wal_first; /* segments before it are in blocks, all of them; 0: none known */
    int64_t clock_ms;   /* wall clock that was believed last; INT64_MIN: none */
};

/* Read DIR/state and fill the stores.
 *   ERR_NOTFOUND  there is none
 *   ERR_CORRUPT   damaged: renamed to state.damaged; the stores may hold a part
 *   ERR_IO, ERR_NOSPACE */
MUST_USE err state_load(struct fs *fs, const char *dir, struct state *out,
                        struct metadata_store *metadata, struct exemplar_store *exemplars);

/* Replace it, durably. On error the old one is in force. */
MUST_USE err state_save(struct fs *fs, const char *dir, const struct state *s,
                        struct metadata_store *metadata, struct exemplar_store *exemplars);

/* The file's bytes, and back (ERR_CORRUPT). */
void state_encode(const struct state *s, struct metadata_store *metadata,
                  struct exemplar_store *exemplars, struct buf *out);
MUST_USE err state_decode(slice bytes, struct state *out, struct metadata_store *metadata,
                          struct exemplar_store *exemplars);

#endif
