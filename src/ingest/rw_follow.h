/* rw_follow.h -- series of a remote write 1.0 request that come in the order of the last time
 * (rw_order.h): their rows are made without items, hashes and lookups. */
#ifndef INGEST_RW_FOLLOW_H
#define INGEST_RW_FOLLOW_H

#include "ingest/rw_priv.h"

/* What is to be learned when the request's items have series: what follows series `key`. */
struct rw_trail {
    hash128 key;
    struct passage *old;  /* what was known, or NULL; counted */
    size_t kept;          /* so many of its entries hold */
    size_t item_next;     /* the item behind them */
    const uint8_t *place; /* where the next one must begin, to be behind it */
    slice before;         /* the labels of the last series that is known */
};

/* Does this machine compare 32 bytes at once? */
bool rw_follow_wide_usable(void);

/* The last item is one at which a passage may begin: if one does, make rows of all series from
 * p->pos on that are as it says, and move p->pos behind them. Else note what is to be learned. */
void rw_follow(struct remote_write *w, struct pb *p);

/* Items have series: learn from them, and forget what was noted. */
void rw_learn(struct remote_write *w);
void rw_forget_trails(struct remote_write *w);

#endif
