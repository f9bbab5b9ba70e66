/* maintenance.h -- maintenance windows: times at which alerts are expected and tell nobody. Windows
 * stand in the extensions of alertmanager.yml, or are made ad hoc through the API. Each occurrence
 * of a window is a silence (several, when the window has several lists of matchers), which
 * everybody sees who sees silences; who ends one of them ends the occurrence, for good. What is
 * under way, what was ended and what is ad hoc survives a crash. docs/operations/maintenance.md
 * explains it to users.
 *
 * Calls are made with the engine's lock held; what they say is durable after engine_sync(). */
#ifndef NOTIFY_MAINTENANCE_H
#define NOTIFY_MAINTENANCE_H

#include "config/alerting_ext.h"
#include "notify/engine.h"
#include "notify/window_times.h"

enum {
    MAINTENANCE_AD_HOC_MAX = 1000,    /* windows that are not over */
    MAINTENANCE_NAME_BYTES_MAX = 256, /* of one that is made ad hoc */
    MAINTENANCE_BY_BYTES_MAX = 256,   /* who made or overrode one */
    MAINTENANCE_COMMENT_BYTES_MAX = 4096,
    MAINTENANCE_BYTES_MAX = 4 << 20, /* of a window on disk */
    MAINTENANCE_KEPT_MS = 86400000,  /* what is over is known that long */
};

#define MAINTENANCE_ANNOTATION "maintenance_window" /* of silences: the window's name */

enum maintenance_state {
    MAINTENANCE_SCHEDULED, /* it will be open */
    MAINTENANCE_ACTIVE,
    MAINTENANCE_OVERRIDDEN, /* it would be open, but somebody ended the occurrence */
    MAINTENANCE_OVER,       /* it will not be open any more */
    MAINTENANCE_STATES,
};

/* "scheduled", "active", "overridden", "over" */
const char *maintenance_state_name(enum maintenance_state s);

struct maintenance_view { /* borrowed until the engine is called again */
    const struct maintenance_window *window;
    bool ad_hoc;
    enum maintenance_state state;
    struct occurrence current; /* that is under way, or was last; both 0: none yet */
    struct occurrence next;    /* both 0: none */
    int64_t ended_at_ms;       /* of the current one; 0: it goes on */
    str by, reason;            /* who ended it before its time, and why */
};

/* The windows, in the order in which they were first heard of: *at starts as 0; false after the
 * last. */
bool maintenance_next(const struct engine *e, int64_t now_ms, size_t *at,
                      struct maintenance_view *out);
/* ERR_NOTFOUND */
MUST_USE err maintenance_get(const struct engine *e, str name, int64_t now_ms,
                             struct maintenance_view *out);

/* The id of the silence of an occurrence of a window, that of the `set`-th list of matchers. */
void maintenance_silence_id(str name, int64_t starts_at_ms, size_t set,
                            char out[SILENCE_ID_SIZE + 1]);

/* Make a window of one occurrence: all of it but time_intervals counts, with starts_at_ms 0, or
 * past: now; the lists of matchers are sorted in place.
 *   ERR_INVALID  what is missing, too long or over; ERR_ORDER  there is one of that name;
 *   ERR_LIMIT    too many or too large                       `d` says why; nothing changed */
MUST_USE err maintenance_add(struct engine *e, const struct maintenance_window *w, int64_t now_ms,
                             struct diag *d);
/* Take an ad-hoc window away; what is under way ends. ERR_NOTFOUND; ERR_ORDER  it stands in the
 * configuration */
MUST_USE err maintenance_remove(struct engine *e, str name, int64_t now_ms, struct diag *d);
/* End the occurrence that is under way, for good. ERR_NOTFOUND; ERR_INVALID  who is missing, texts
 * are too long; ERR_ORDER  none is under way */
MUST_USE err maintenance_override(struct engine *e, str name, str by, str reason, int64_t now_ms,
                                  struct diag *d);

struct maintenance_counts {
    size_t states[MAINTENANCE_STATES];
    uint64_t started, ended, overridden; /* occurrences, since the start of the process */
};
void maintenance_count(const struct engine *e, int64_t now_ms, struct maintenance_counts *out);

#endif
