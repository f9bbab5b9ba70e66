/* messages.h -- which message of a chat an integration was told a group by last, so that the next
 * word about it may change that message. Kept on disk with the notification log, and as long.
 * Parts of the engine: under its lock, on its time. */
#ifndef NOTIFY_MESSAGES_H
#define NOTIFY_MESSAGES_H

#include "notify/notification.h"
#include "notify/state_log.h"

struct messages;
struct delivery;
struct engine;

/* What `state` remembers (it must outlive them). */
struct messages *messages_open(struct state_log *state);
void messages_close(struct messages *m); /* NULL is allowed */

/* The message of a key of the notification log; false: none is known. */
bool messages_get(const struct messages *m, str key, int64_t now_ms, struct message_ref *out);
void messages_put(struct messages *m, str key, const struct message_ref *ref,
                  int64_t expires_at_ms);
/* Forget what expired by `now_ms`. */
void messages_gc(struct messages *m, int64_t now_ms);

/* A delivery that is queued: the message that it may change, if its integration does so. */
void message_attach(struct engine *e, struct delivery *d, int64_t now_ms);
/* It was sent. */
void message_sent(struct engine *e, const struct delivery *d, int64_t now_ms);

#endif
