/* silences.h -- silences: matchers that mute alerts for a time. Their state follows from the clock;
 * what may be changed in place and what makes a new one is Alertmanager's rule. Not for several
 * threads at once. */
#ifndef NOTIFY_SILENCES_H
#define NOTIFY_SILENCES_H

#include "base/texts.h"
#include "model/alert_matcher.h"
#include "notify/history.h"
#include "notify/state_log.h"

enum {
    SILENCE_ID_SIZE = 36, /* a UUID */
    SILENCE_MATCHERS_MAX = 1000,
    SILENCE_BYTES_MAX = 1 << 20, /* of one, all its text */
};

enum silence_state { SILENCE_PENDING, SILENCE_ACTIVE, SILENCE_EXPIRED };

struct silence {
    str id; /* "" of one that is to be made */
    struct alert_matchers matchers;
    int64_t starts_at_ms, ends_at_ms, updated_at_ms;
    str created_by, comment;
    struct pairs annotations;
    /* Alerts with all of these labels it does not mute; none: there are no such alerts. Not on
     * disk: whoever imposes a silence does so again after a start. */
    struct alert_matchers spared;
};

/* Does it, while it is active, mute an alert with these labels? */
static inline bool silence_covers(const struct silence *s, struct labels ls)
{
    return alert_matchers_match(&s->matchers, ls) &&
           (s->spared.count == 0 || !alert_matchers_match(&s->spared, ls));
}

enum silence_state silence_state_at(const struct silence *s, int64_t now_ms);

struct silences;

/* What `state` remembers (it must outlive them); they are kept `retention_ms` after they end. */
struct silences *silences_open(struct state_log *state, int64_t retention_ms, uint64_t id_seed);
void silences_close(struct silences *s); /* NULL is allowed */

/* Tell `h` of what is made, changed and ends from now on; ends at or before `now_ms` were told. */
void silences_set_history(struct silences *s, struct history *h, int64_t now_ms);

/* Make a silence, or with an id change one (its list of matchers is sorted in place): in place when
 * only what may change changed, else the old one expires and a new one is made. *id lives until the
 * silence is gone. ERR_INVALID   `d`: why; nothing changed       ERR_NOTFOUND  no silence has that
 * id ERR_LIMIT     too many or too large */
MUST_USE err silences_set(struct silences *s, const struct silence *made, int64_t now_ms, str *id,
                          struct diag *d);

/* Make the silence of this id, or bring the one there is into this state, whatever it was: for
 * silences that follow from something else. Nothing is told or written when nothing changes. The
 * number of silences is not limited here.
 *   ERR_INVALID, ERR_LIMIT  `d`: why; nothing changed */
MUST_USE err silences_impose(struct silences *s, const struct silence *made, int64_t now_ms,
                             struct diag *d);

/* Let it end now; nothing happens to one that has ended. ERR_NOTFOUND */
MUST_USE err silences_expire(struct silences *s, str id, int64_t now_ms);

/* NULL: there is none. */
const struct silence *silences_get(const struct silences *s, str id);

/* In no order; `i` from 0. */
size_t silences_count(const struct silences *s);
const struct silence *silences_at(const struct silences *s, size_t i);

/* Do active silences match these labels? Their ids go to `ids` (room for `room`; NULL when not
 * wanted); returns how many there are in all. */
size_t silences_mute(const struct silences *s, struct labels ls, int64_t now_ms, str *ids,
                     size_t room);

/* Tell of those that ended by themselves, and remove those that ended longer ago than they are
 * kept. */
void silences_gc(struct silences *s, int64_t now_ms);

/* A number that changes whenever any silence does. */
uint64_t silences_version(const struct silences *s);

#endif
