/* maintenance_priv.h -- what the files of maintenance windows share with the engine. */
#ifndef NOTIFY_MAINTENANCE_PRIV_H
#define NOTIFY_MAINTENANCE_PRIV_H

#include "notify/engine_priv.h"
#include "notify/maintenance.h"

enum phase { /* of the occurrence that is known last; on disk */
             PHASE_NONE,
             PHASE_ACTIVE,
             PHASE_ENDED,
             PHASE_OVERRIDDEN,
             PHASE_WITHDRAWN, /* a reload took the window away, or moved it: it may come back */
};

struct window {
    struct arena arena;
    struct maintenance_window def; /* its own copy; regular expressions are owned */
    bool ad_hoc, configured;
    enum phase phase;
    struct occurrence current; /* of `phase`; the end may have been moved by hand ... */
    int64_t planned_end_ms;    /* ... from this */
    int64_t ended_at_ms;
    int64_t announced_ms; /* the start of the occurrence that was announced */
    struct buf by, reason;
    /* What is not on disk: */
    bool has_next;
    struct occurrence next; /* behind `current` */
    int64_t looked_ms;      /* for it */
};

struct maintenance {
    struct window **items; /* in the order they came */
    size_t count, room;
    int64_t next_ms;           /* when something is due */
    uint64_t silences_version; /* as of the last look */
    struct maintenance_counts counts;
};

/* maintenance_state.c */
void window_encode(const struct window *w, struct buf *out);
struct window *window_decode(slice value); /* NULL: it does not read back */
void window_free(struct window *w);        /* NULL is allowed */
void window_keep(struct engine *e, const struct window *w);
void window_forget(struct engine *e, const struct window *w); /* on disk */

/* maintenance_occurrence.c */
void window_find_next(struct engine *e, struct window *w, int64_t now_ms);
/* Is it open at `now_ms`, whatever became of it? */
bool window_is_open(const struct engine *e, const struct window *w, int64_t now_ms,
                    struct occurrence *out);
void window_begin(struct engine *e, struct window *w, int64_t now_ms); /* `next` does */
/* The occurrence that is under way is over; who ended it before its time, and why. */
void window_end(struct engine *e, struct window *w, enum phase how, int64_t at_ms, int64_t now_ms);
/* Its silences are as the window says. */
void window_impose(struct engine *e, const struct window *w, int64_t now_ms);
/* What became of the silences by somebody's hand. */
void window_look_at_silences(struct engine *e, struct window *w, int64_t now_ms);
bool window_has_silence(const struct window *w, str id); /* of the current occurrence */

/* maintenance.c: for engine.c */
void maintenance_restore(struct engine *e); /* from the state */
void maintenance_close(struct engine *e);
void maintenance_reload(struct engine *e, int64_t now_ms); /* after groups were made */
void maintenance_run(struct engine *e, int64_t now_ms);
void maintenance_gc(struct engine *e, int64_t now_ms);
int64_t maintenance_next_ms(const struct engine *e);
struct window *maintenance_find(const struct engine *e, str name);
void maintenance_put(struct engine *e, struct window *w); /* in place of the one of its name */
void maintenance_drop(struct engine *e, const struct window *w); /* in memory and on disk */

/* maintenance_flush.c: for flush.c */
/* May this alert, which ended and is silenced, be told of all the same? It was told of before its
 * window, and the window lets ends pass. */
bool maintenance_lets_end(struct engine *e, const struct group *g, const struct notified_alert *a,
                          int64_t now_ms);
/* What maintenance has to say to a reason: after a window what still fires is told again. */
enum notify_reason maintenance_reason(const struct engine *e, enum notify_reason reason,
                                      const struct sent *last, const struct notified_alert *alerts,
                                      size_t count);
/* Does it, while it is open, mute an alert with these labels? */
bool window_mutes(const struct window *w, struct labels ls);
/* Groups with alerts that the window muted are flushed now. */
void maintenance_wake(struct engine *e, const struct window *w, int64_t now_ms);

/* maintenance_notice.c: tell the receivers of the window. */
enum maintenance_event { EVENT_BEFORE, EVENT_START, EVENT_END, EVENT_OVERRIDE, EVENT_LEFT };
void window_notify(struct engine *e, const struct window *w, const struct occurrence *of,
                   enum maintenance_event what, int64_t now_ms);
/* Who heard that it began, and will not hear of its end as `now` says: what they have is closed. */
void window_leave(struct engine *e, const struct window *w, const struct maintenance_notify *now,
                  int64_t now_ms);

#endif
