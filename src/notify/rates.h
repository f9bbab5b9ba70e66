/* rates.h -- receivers that are told only so often (delivery.rate_limits): what is too early waits
 * for its turn, the longest first. Nothing is lost over it: what still waits when the group is
 * flushed again gives way to what is to be said then, which keeps its turn.
 *
 * Parts of the engine: under its lock, on its time. */
#ifndef NOTIFY_RATES_H
#define NOTIFY_RATES_H

#include "notify/engine_priv.h"

struct rates;

struct rates *rates_open(void);
void rates_close(struct rates *r); /* NULL is allowed; nothing may wait */

/* Other limits from now on, `d` NULL: none. Nothing may wait. A receiver that stays has used up
 * what it has used up. */
void rates_set(struct rates *r, const struct delivery_config *d);

/* May `d`, which is in no heap, be sent now? False: it waits here. */
bool rates_admit(struct rates *r, struct delivery *d, int64_t now_ms);
/* Somebody whose turn it is; NULL: nobody. */
struct delivery *rates_take(struct rates *r, int64_t now_ms);
/* It does not wait any more, if it did. */
void rates_remove(struct rates *r, struct delivery *d);

int64_t rates_next_ms(const struct rates *r); /* when somebody's turn comes; INT64_MAX: never */
size_t rates_waiting(const struct rates *r);

#endif
