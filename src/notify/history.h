/* history.h -- what happened to alerts, notifications and silences: one record an event, appended
 * to segment files below a directory and kept for a time and up to a size; the oldest segments go
 * first. history_put() only appends to memory: it may be called with the engine's lock. Threads:
 * any. Format: docs/formats/history.md. */
#ifndef NOTIFY_HISTORY_H
#define NOTIFY_HISTORY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/fs.h"
#include "model/alert_matcher.h"
#include "notify/history_post.h"

enum {
    HISTORY_FLUSH_MS = 500,               /* between two writes, and after one that failed ... */
    HISTORY_FAILED_MS = 10000,            /* ... that long */
    HISTORY_WAITING_BYTES_MAX = 32 << 20, /* of events that are not written; more are dropped */
    HISTORY_EVENT_BYTES_MAX = 2 << 20,    /* of one; larger ones are dropped */
    HISTORY_FINGERPRINTS_MAX = 1000,      /* of an event; the others are only counted */
    HISTORY_SEGMENT_BYTES_MAX = 4 << 20,  /* when a segment ends */
    HISTORY_SEGMENTS = 64,                /* the retention, or size, is divided into about */
    HISTORY_BYTES_MIN = 1 << 20,          /* of history_options.bytes_max */
};

enum history_kind { /* on disk */
                    HISTORY_ALERT_FIRING = 1,
                    HISTORY_ALERT_RESOLVED,
                    HISTORY_NOTIFICATION_SENT,
                    HISTORY_NOTIFICATION_FAILED,
                    HISTORY_NOTIFICATION_SUPPRESSED,
                    HISTORY_SILENCE_CREATED,
                    HISTORY_SILENCE_UPDATED,
                    HISTORY_SILENCE_EXPIRED,
                    HISTORY_CONFIG_RELOADED,
                    HISTORY_ESCALATED,
                    HISTORY_ACKED,
                    HISTORY_UNACKED,
                    HISTORY_MAINTENANCE_STARTED,
                    HISTORY_MAINTENANCE_ENDED,
                    HISTORY_MAINTENANCE_OVERRIDDEN,
                    HISTORY_NOTIFICATION_FALLBACK,
                    HISTORY_KINDS,
};

/* "alert_firing"; NULL: there is no such kind. */
const char *history_kind_name(enum history_kind kind);

enum history_text { /* on disk */
                    HISTORY_RECEIVER,
                    HISTORY_INTEGRATION,
                    HISTORY_REASON,
                    HISTORY_BY, /* what suppressed, who acknowledged */
                    HISTORY_ERROR,
                    HISTORY_GROUP, /* its key */
                    HISTORY_ID,    /* of a silence, an incident, a maintenance window */
                    HISTORY_AUTHOR,
                    HISTORY_COMMENT,
                    HISTORY_MATCHERS,
                    HISTORY_FALLBACK, /* the receiver that stands in for another */
                    HISTORY_TEXTS,
};

enum history_number { /* on disk */
                      HISTORY_INDEX,
                      HISTORY_ATTEMPT,
                      HISTORY_LATENCY_MS,
                      HISTORY_ALERTS, /* how many an event is about */
                      HISTORY_LEVEL,
                      HISTORY_STARTS_AT_MS,
                      HISTORY_ENDS_AT_MS,
                      HISTORY_NUMBERS,
};

const char *history_text_name(enum history_text t);
const char *history_number_name(enum history_number n);

struct history_event { /* borrowed, in both directions */
    uint64_t seq;      /* grows from event to event; given by history_put() */
    enum history_kind kind;
    int64_t at_ms;
    struct labels labels;         /* of the alert, or of the group */
    const uint64_t *fingerprints; /* of alerts */
    size_t fingerprint_count;
    str texts[HISTORY_TEXTS]; /* "": not said */
    int64_t numbers[HISTORY_NUMBERS];
    uint32_t numbers_said; /* bits by enum history_number */
};

static inline void history_say(struct history_event *e, enum history_number n, int64_t value)
{
    e->numbers[n] = value;
    e->numbers_said |= UINT32_C(1) << n;
}

struct history_options {
    struct fs *fs;
    const char *dir; /* made when missing */
    int64_t retention_ms;
    uint64_t bytes_max;     /* of all segments; at least HISTORY_BYTES_MIN */
    uint64_t segment_bytes; /* 0: a HISTORY_SEGMENTS-th of bytes_max, at most the constant above */
};

struct history;

/* Open what is there: of the last segment the tail that a crash tore is cut. A disk that cannot be
 * written is no error: events wait, and are written when they can be.
 *   ERR_IO  the directory cannot be read; `d` says why */
MUST_USE err history_open(const struct history_options *o, struct history **out, struct diag *d);

/* Write every HISTORY_FLUSH_MS on a thread of its own.  ERR_IO  it cannot be started */
MUST_USE err history_start(struct history *h);

/* End the thread, write what waits, and close. NULL is allowed. */
void history_close(struct history *h);

/* Append an event to what waits to be written. NULL `h` is allowed: nothing is kept. */
void history_put(struct history *h, const struct history_event *e);

/* Write what waits; `sync`: durably. An error is logged, and the events wait on. */
MUST_USE err history_flush(struct history *h, bool sync);

/* Remove segments whose events are all too old, and the oldest of what is too much. */
void history_gc(struct history *h, int64_t now_ms);

/* Keep events that long, and so much of them, from now on. Waits for a write under way. */
void history_set_limits(struct history *h, int64_t retention_ms, uint64_t bytes_max);

/* From now on post events to `p` (NULL: to nobody), which is the history's, and is closed with it;
 * the one before is returned. It may be called with the engine's lock. */
MUST_USE struct history_post *history_set_post(struct history *h, struct history_post *p);
bool history_posts_to(struct history *h, str url);

struct history_query {
    int64_t start_ms, end_ms;              /* both inclusive */
    uint32_t kinds;                        /* bits by enum history_kind; 0: all */
    const struct alert_matchers *matchers; /* of the event's labels; all lists must match */
    size_t matchers_count;
    bool has_fingerprint;
    uint64_t fingerprint;
    uint64_t before_seq; /* only events before that one; 0: all */
    size_t limit;
    const atomic_bool *canceled; /* NULL: never */
};

/* Give events that match to `take`, the newest first, until it returns false. *next is what
 * `before_seq` must be for those behind the last one, 0 when there are none.  ERR_IO, ERR_CANCELED
 */
MUST_USE err history_search(struct history *h, const struct history_query *q,
                            bool (*take)(void *arg, const struct history_event *e), void *arg,
                            uint64_t *next);

struct history_stats {
    uint64_t events, dropped, failures; /* since the start: put, lost, writes that failed */
    uint64_t bytes, waiting_bytes, damaged_bytes;
    size_t segments;
    bool posts; /* to a webhook */
    struct history_post_stats post;
};
void history_stats(struct history *h, struct history_stats *out);

/* When the last event that was kept before this start happened; INT64_MIN: there is none. */
int64_t history_last_ms(const struct history *h);

#endif
