/* related.h -- what else began when an alert or incident did: alerts of the same `service`, or with
 * the labels its group is grouped by, that began within RELATED_MS of it; and the alerts that
 * inhibit it now. Those that are known come from the engine, those that are over from the history.
 */
#ifndef NOTIFY_RELATED_H
#define NOTIFY_RELATED_H

#include "notify/history.h"
#include "notify/incident.h"

enum {
    RELATED_MS = 300000,       /* before and after */
    RELATED_MAX = 100,         /* are told; the others are counted */
    RELATED_KNOWN_MAX = 10000, /* are looked at */
    RELATED_BYTES_MAX = 32 << 20,
};

enum related_why { RELATED_INHIBITS, RELATED_SERVICE, RELATED_GROUP };

/* "inhibits", "service", "group". */
const char *related_why_name(enum related_why why);

struct related_alert {
    uint64_t fingerprint;
    struct labels labels;
    enum related_why why;
    int64_t starts_at_ms;
    bool firing;
};

struct related_subject { /* what is asked about; texts live elsewhere */
    str service;         /* "": none */
    struct labels group; /* labels it is grouped by */
    int64_t start_ms;
};

/* Is an alert with these labels related, whenever it began? */
bool related_labels(const struct related_subject *s, struct labels ls, enum related_why *why);

struct fingerprints { /* a set */
    uint64_t *slots;  /* 0: free */
    size_t count;
    uint64_t seed;
};

struct related { /* zero-initialised; related_close() is due whatever comes of it */
    struct arena arena;
    struct related_subject subject;
    str group_key;               /* of an incident; "": of none */
    int64_t end_ms;              /* of what the history is asked for */
    struct fingerprints own;     /* of the alerts it is about */
    struct fingerprints known;   /* of the items */
    struct related_alert *items; /* after related_sort(): RELATED_MAX at most */
    size_t count;
    size_t more; /* that are left out, when `whole` */
    bool whole;  /* there were no more than could be looked at */
};

/* Of an incident, as the engine knows it; with its lock.  ERR_NOTFOUND, ERR_LIMIT */
MUST_USE err related_of_incident(struct engine *e, str id, int64_t now_ms, struct related *r);

/* Of an alert, as the history knows it: its last begin at or before `end_ms`, without the lock.
 *   ERR_NOTFOUND  it did not begin since the history does; ERR_LIMIT, ERR_IO, ERR_CANCELED */
MUST_USE err related_of_alert(struct history *h, uint64_t fingerprint, int64_t end_ms,
                              const atomic_bool *canceled, struct related *r);

/* Add what the history knows; without the lock. NULL: nothing.  ERR_LIMIT, ERR_IO, ERR_CANCELED */
MUST_USE err related_from_history(struct related *r, struct history *h,
                                  const atomic_bool *canceled);

/* Inhibiting ones first, then those of the service; each in the order they began. */
void related_sort(struct related *r);
void related_close(struct related *r);

#endif
