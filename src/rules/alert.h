/* alert.h -- the alerts of one rule: what is pending, firing, or ended a short while ago.
 *
 * A set changes only by evaluations (alert_set_update), looks between them (alert_set_look) and by
 * the end of its rule. Alerts stand in
 * the order of the hashes of their labels, so two sets meet by walking both. Threads: whoever owns
 * the rule guards it. */
#ifndef RULES_ALERT_H
#define RULES_ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "rules/alert_sink.h"
#include "rules/rule_append.h"

enum {
    ALERT_RESOLVED_KEPT_MS = 15 * 60 * 1000, /* an alert that ended is told of that long */
};
#define ALERT_NEVER INT64_MIN /* a time that has not come */

enum alert_state { ALERT_STATE_INACTIVE, ALERT_STATE_PENDING, ALERT_STATE_FIRING };

/* "inactive", "pending", "firing" */
const char *alert_state_name(enum alert_state s);

struct active_alert {
    hash128 id; /* of the labels */
    struct labels labels, annotations;
    double value;
    enum alert_state state;
    int64_t active_at_ms; /* since when its expression gives it */
    int64_t fired_at_ms, resolved_at_ms, last_sent_ms, keep_firing_since_ms; /* or ALERT_NEVER */
    bool restored; /* known from before a restart, and not seen by an evaluation since */
    struct label *labels_memory, *annotations_memory; /* what holds them */
};

struct alert_set {
    struct active_alert **items; /* in the order of ids */
    size_t count;
    int64_t updated_ms; /* the evaluation that changed them last; 0: not known */
};

/* An element of a rule's result as an alert; texts are borrowed for the call. */
struct alert_candidate {
    hash128 id;
    struct labels labels, annotations;
    double value;
};

struct alert_timing {
    int64_t ts_ms; /* of the evaluation */
    int64_t for_ms, keep_firing_for_ms;
    int64_t limit;      /* of alerts pending or firing; 0: none */
    bool keep_restored; /* restored alerts that are not given yet stay as they are */
};

void alert_set_fini(struct alert_set *s);
void alert_free(struct active_alert *a); /* one that is in no set any more */

/* The identity of a set of labels. */
hash128 alert_id(struct labels ls);

/* Take over the result of an evaluation; `candidates` are sorted here.
 *   ERR_INVALID  two candidates have equal labels: "vector contains metrics with the same labelset
 *                after applying alert labels"
 *   ERR_LIMIT    "exceeded limit of 1 with 2 alerts"      the set is as it was */
MUST_USE err alert_set_update(struct alert_set *s, struct alert_candidate *candidates, size_t count,
                              const struct alert_timing *t, bool *changed, struct diag *d);

/* Take over what is new in a result between two evaluations, and what had ended; `candidates` are
 * sorted here. Nothing ends, and alerts that are pending or fire stay as they are. `*begun`: how
 * many there are of these. Errors as above. */
MUST_USE err alert_set_look(struct alert_set *s, struct alert_candidate *candidates, size_t count,
                            const struct alert_timing *t, size_t *begun, struct diag *d);

/* Put in an alert that was known before; the texts are copied. */
void alert_set_restore(struct alert_set *s, const struct active_alert *a);

/* Move all alerts of `from` into `to`, which has none of their ids or keeps its own. */
void alert_set_move(struct alert_set *to, struct alert_set *from);

struct alert_sending {
    int64_t ts_ms, interval_ms, resend_delay_ms;
    bool firing_only; /* the evaluation failed: only keep alive what fires */
    bool first_only;  /* between evaluations: what fires and nobody was told of */
    str generator_url;
};
/* What is to be handed up after an evaluation, noted as sent; in `a`, aliasing the set. ERR_LIMIT
 */
MUST_USE err alert_set_send(struct alert_set *s, const struct alert_sending *how, struct arena *a,
                            struct alert **out, size_t *count);

/* Alerts that fire as ended, because their rule is gone. The set is then empty for good but for the
 * texts that `out` aliases. ERR_LIMIT */
MUST_USE err alert_set_end(struct alert_set *s, int64_t ts_ms, str generator_url, struct arena *a,
                           struct alert **out, size_t *count);

/* ALERTS and ALERTS_FOR_STATE of what is pending or fires; in `a`. ERR_LIMIT */
MUST_USE err alert_set_samples(const struct alert_set *s, int64_t ts_ms, struct arena *a,
                               struct rule_sample **out, size_t *count);

/* The worst state of any. */
enum alert_state alert_set_state(const struct alert_set *s);

#endif
