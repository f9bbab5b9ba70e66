/* state_log.h -- what must survive a crash: values under keys, in a log (base/record_log.h). The
 * last value of a key counts. Format: docs/formats/notify-state.md. Not for several threads at
 * once. */
#ifndef NOTIFY_STATE_LOG_H
#define NOTIFY_STATE_LOG_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"

enum {
    STATE_LOG_BYTES_MAX = 1 << 30,          /* of the file: more is neither read nor written */
    STATE_LOG_KEPT_BYTES_MAX = 256 << 20,   /* of all values: see state_log_has_room() */
    STATE_LOG_PENDING_BYTES_MAX = 32 << 20, /* more is not held back until the next sync */
};

enum state_kind { /* of what a key is; on disk */
                  STATE_SILENCE = 1,
                  STATE_SENT = 2, /* the notification log */
                  STATE_ALERT = 3,
                  STATE_INCIDENT = 4,
                  STATE_MAINTENANCE = 5,
                  STATE_NOTICE = 6,
                  STATE_DIGEST = 7,
                  STATE_MESSAGE = 8, /* of a chat */
};

struct state_log;

/* Open or create DIR/state; the directory is made when missing. A disk that cannot be written
 * is no error: what is known is written when it can be.  ERR_IO, ERR_LIMIT  `d` says why */
MUST_USE err state_log_open(struct fs *fs, const char *dir, struct state_log **out, struct diag *d);
void state_log_close(struct state_log *l); /* NULL is allowed */

/* All values of a kind as they were when the log was opened or set since, in no order. */
void state_log_each(const struct state_log *l, enum state_kind kind,
                    void (*take)(void *arg, slice key, slice value), void *arg);

/* Set or remove (`value` NULL) a value. Durable after the next state_log_sync(). */
void state_log_put(struct state_log *l, enum state_kind kind, slice key, const slice *value);

struct state_log_limits {
    uint64_t kept_bytes, pending_bytes;
};
void state_log_set_limits_for_test(struct state_log *l, struct state_log_limits limits);

/* May so many bytes more be kept? Whoever adds what strangers sent asks first. */
bool state_log_has_room(const struct state_log *l, size_t bytes);

/* Make all that was put durable. An error is logged; everything is tried again next time. */
MUST_USE err state_log_sync(struct state_log *l);

#endif
