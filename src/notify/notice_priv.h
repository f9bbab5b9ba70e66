/* notice_priv.h -- what the engine does with notices. */
#ifndef NOTIFY_NOTICE_PRIV_H
#define NOTIFY_NOTICE_PRIV_H

#include "notify/engine_priv.h"
#include "notify/notice.h"

struct notices *notices_open(struct engine *e); /* with what the state has */
void notices_close(struct engine *e);

/* Begin and end rounds that are due. */
void notices_run(struct engine *e, int64_t now_ms);
int64_t notices_next_ms(const struct engine *e); /* INT64_MAX: never */
/* Something must be on disk before anything is sent; true once. */
bool notices_unsynced(struct engine *e);

/* The configuration goes: what is under way is called off; it is told by the next one. */
void notices_detach(struct engine *e, int64_t now_ms);

/* The flush of a notice's group is over: all integrations were told, or `failed`. */
void notice_flushed(struct engine *e, struct group *g, bool failed);

#endif
