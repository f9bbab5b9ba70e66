/* sent_log.h -- the notification log: what each integration was told of each group last, so that it
 * is told again only for a reason. Kept on disk before anybody relies on it. */
#ifndef NOTIFY_SENT_LOG_H
#define NOTIFY_SENT_LOG_H

#include "notify/state_log.h"

enum {
    /* An entry that has expired is known that long still, as Alertmanager cleans up that seldom:
     * the end of what was silenced or inhibited for long is told to those who know of the
     * beginning. */
    SENT_LOG_GRACE_MS = 15 * 60 * 1000,
};

struct sent { /* the last notification; lists are sorted */
    int64_t at_ms, expires_at_ms;
    const uint64_t *firing, *resolved; /* fingerprints */
    size_t firing_count, resolved_count;
};

/* Bring fingerprints into the order of the lists. */
void sent_sort(uint64_t *fingerprints, size_t count);

/* Was it said that the alert fires? */
bool sent_fires(const struct sent *s, uint64_t fingerprint);

/* Why a group is to be told of. */
enum notify_reason {
    REASON_NONE, /* it is not */
    REASON_FIRST,
    REASON_NEW_ALERTS,
    REASON_ALL_RESOLVED,
    REASON_SOME_RESOLVED,
    REASON_REPEAT,
    REASON_NOTICE, /* it is no group: see notice.h */
    REASON_ACKED,  /* an incident, by somebody: see incident_relay.c */
    REASON_UNACKED,
};

/* "first notification", "new alerts added"... */
const char *notify_reason_text(enum notify_reason reason);

struct sent_log;

/* What `state` remembers (it must outlive the log). */
struct sent_log *sent_log_open(struct state_log *state);
void sent_log_close(struct sent_log *l); /* NULL is allowed */

/* Append the key of an integration: "groupKey:receiver/kind/index"; of an incident (else: "") with
 * ":id" behind it. */
void sent_log_key(struct buf *out, str group_key, str receiver, const char *kind, size_t index,
                  const char *incident);

/* The entry of a key, false: none that is still remembered. Lists live until the log changes. */
bool sent_log_get(const struct sent_log *l, str key, int64_t now_ms, struct sent *out);

void sent_log_put(struct sent_log *l, str key, const struct sent *s);

/* Forget what expired SENT_LOG_GRACE_MS before `now_ms`. */
void sent_log_gc(struct sent_log *l, int64_t now_ms);
size_t sent_log_count(const struct sent_log *l);

/* Should an integration be told of these alerts? Lists are sorted. `last` NULL: it never was. */
enum notify_reason sent_decide(const struct sent *last, const uint64_t *firing, size_t firing_count,
                               const uint64_t *resolved, size_t resolved_count, bool send_resolved,
                               int64_t repeat_interval_ms, int64_t now_ms);

#endif
