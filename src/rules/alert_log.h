/* alert_log.h -- the states of alerts on disk: what a restart, however abrupt, must not forget.
 *
 * A log (base/record_log.h): whenever the alerts of a rule change, they are written and synced
 * before anybody is told of them. The last record of a rule counts. Format: docs/formats/alerts.md.
 * Any thread. */
#ifndef RULES_ALERT_LOG_H
#define RULES_ALERT_LOG_H

#include "base/fs.h"
#include "rules/alert.h"

enum {
    ALERT_LOG_BYTES_MAX = 1 << 30, /* of the file: more is neither read nor written */
    ALERT_LOG_LABELS_MAX = 4096,   /* of one alert, as in the store */
};

struct alert_log;

/* Open or create DIR/alerts; the directory is made when missing. A disk that cannot be written
 * is no error: what is known is written when it can be.  ERR_IO, ERR_LIMIT  `d` says why */
MUST_USE err alert_log_open(struct fs *fs, const char *dir, struct alert_log **out, struct diag *d);
void alert_log_close(struct alert_log *l); /* NULL is allowed */

/* Was there a log when it was opened, and nothing missing in it? Then a rule without a record had
 * no alerts. */
bool alert_log_was_whole(const struct alert_log *l);

/* Keep the alerts of rule `key` as they are now; `sync`: durably. What fails is logged and tried
 * again, with all that is known, at the next call. */
void alert_log_put(struct alert_log *l, hash128 key, const struct alert_set *s, bool sync);

/* Group `key` was evaluated as of `ts_ms`. Not synced: it tells how long the process was down. */
void alert_log_seen(struct alert_log *l, hash128 key, int64_t ts_ms);

/* Rule `key` is gone. */
void alert_log_drop(struct alert_log *l, hash128 key);

/* Put the alerts of rule `key` into `out`, as of the last record. False: there is none. */
bool alert_log_get(struct alert_log *l, hash128 key, struct alert_set *out);

/* When group `key` was evaluated last; ALERT_NEVER: not known. */
int64_t alert_log_seen_at(struct alert_log *l, hash128 key);

/* Alerts of a rule that nobody asked for since the log was opened, its record dropped; false: there
 * are no more. */
bool alert_log_unclaimed(struct alert_log *l, struct alert_set *out);

#endif
