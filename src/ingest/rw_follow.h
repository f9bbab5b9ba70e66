/* rw_follow.h -- series of a remote write 1.0 request that come in the order of the last time
 * (rw_recall.h): their rows are made without items, hashes and lookups. */
#ifndef INGEST_RW_FOLLOW_H
#define INGEST_RW_FOLLOW_H

#include "ingest/rw_priv.h"

/* Before the first series, and after the last. */
void rw_walk_begin(struct remote_write *w);
void rw_walk_end(struct remote_write *w);

/* May it be known what comes behind the last item, whose labels have this hash? */
static inline bool rw_may_follow(const struct remote_write *w, hash128 hash)
{
    return recall_is_anchor(hash) || w->walk.ended || w->walk.stretch != NULL;
}

/* Make rows of the series at `p` as long as they are what came the last time behind the series of
 * the last item. */
void rw_follow(struct remote_write *w, struct pb *p);

/* Remember the items that were found in `epoch`, for the next time. */
void rw_learn(struct remote_write *w, uint32_t epoch);

/* Can this machine compare 32 bytes at a time? */
bool rw_follow_wide_usable(void);

#endif
