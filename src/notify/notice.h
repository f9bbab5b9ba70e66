/* notice.h -- one-off notices to a receiver by name: that a maintenance window begins, a digest.
 * All integrations of the receiver are told, past routes, groups and silences, with the lanes and
 * the retries of alerts. A notice is kept on disk until all of them were told, or its time is over:
 * a crash, or a provider that is down, loses none.
 *
 * Calls of the engine's: with the caller's lock around the engine, on time that the caller gives;
 * nothing blocks. */
#ifndef NOTIFY_NOTICE_H
#define NOTIFY_NOTICE_H

#include "notify/engine.h"

enum {
    NOTICES_MAX = 1000,           /* that are not told yet; more are refused */
    NOTICE_BYTES_MAX = 1 << 20,   /* of one, all texts together */
    NOTICE_KEY_BYTES_MAX = 512,   /* of id and key, each */
    NOTICE_LABELS_MAX = 64,       /* and annotations */
    NOTICE_ROUND_MS = 300000,     /* tries go on that long; what failed for good has another try */
    NOTICE_PAUSE_MS = 10000,      /* in the next round, after that pause */
    NOTICE_KEPT_MS = 4 * 3600000, /* how long there are rounds unless the notice says otherwise */
    NOTICE_KNOWN_MS = 72 * 3600000, /* an id that was told is known that long (or the retention) */
};

/* Borrowed for the call. `labels` (with alertname) and `annotations` are sorted by name, without
 * empty values. Annotations `summary` and `description`, unless given, are the title and the text.
 *
 * What receivers get: chats, mails and pagers the title and the text in place of what their
 * templates make of alerts; webhooks version 4 with one alert of these labels and annotations,
 * `firing` when the notice is open, else `resolved` (send_resolved does not matter); templates of a
 * webhook's payload that same alert. PagerDuty gets a change event, which opens nothing and pages
 * nobody. OpsGenie gets an alert of priority P5; it is closed at once, or, when the notice is open,
 * by the notice of the same key that is not. */
struct alert_notice {
    str id;       /* what is told: to a receiver it is told once; up to NOTICE_KEY_BYTES_MAX */
    str receiver; /* of alertmanager.yml */
    str key;      /* what it is about: providers join notices of one key; "": the id */
    bool open;    /* what it is about goes on: a notice of the same key will tell the end */
    str title;    /* one line, never empty */
    str text;     /* plain, lines end with \n */
    str html;     /* of mails; "": the text. Nothing in it is escaped any more */
    struct labels labels, annotations;
    int64_t starts_at_ms, ends_at_ms; /* of what it is about; 0: now; the end when not open: now */
    int64_t expires_ms;               /* nobody wants it later; 0: NOTICE_KEPT_MS from now */
};

/* Tell `n` to its receiver, from the next engine_take() on. One whose id was told to that receiver,
 * or is being told, is not told again: OK. It is on disk after the next engine_sync(), and before
 * anything of it is sent.
 *   ERR_NOTFOUND  there is no such receiver         ERR_INVALID  what is said above is not kept
 *   ERR_LIMIT     too many notices, or too much is kept       `d` says why; nothing changed */
MUST_USE err notice_put(struct engine *e, const struct alert_notice *n, int64_t now_ms,
                        struct diag *d);

/* Is it waiting, or being told? */
bool notice_is_pending(const struct engine *e, str id, str receiver);

struct notice_counts {
    size_t pending;
    uint64_t told, expired; /* since the start, each receiver for itself */
};
void notice_count(const struct engine *e, struct notice_counts *out);

#endif
