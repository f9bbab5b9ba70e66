/* alert_sink.h -- where rules hand alerts up: implemented by whoever tells people or other programs
 * (notify, the sender to external Alertmanagers). One evaluation of a rule makes at most one call.
 *
 * Labels are those of the rule: without external labels and before alert_relabel_configs, which are
 * the receiver's matter. An alert that goes on firing is sent again every resend delay with a later
 * `ends_at_ms`; one that ended is sent, and for 15 minutes sent again, with the time it ended. */
#ifndef RULES_ALERT_SINK_H
#define RULES_ALERT_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "model/labels.h"

enum alert_end {
    ALERT_GOES_ON,      /* it fires; ends_at_ms is when it may be forgotten without further word */
    ALERT_INACTIVE,     /* its expression gives it no more */
    ALERT_RULE_REMOVED, /* its rule is gone from the files, or its group changed name */
};

struct alert {                 /* everything is borrowed for the call */
    struct labels labels;      /* sorted, alertname among them */
    struct labels annotations; /* sorted by name; a value may be empty */
    int64_t starts_at_ms;      /* when it began to fire */
    int64_t ends_at_ms;        /* when it ended, or: of one that fires, the evaluation's time plus
                                  four times the longer of interval and resend delay */
    int64_t evaluated_ms;      /* the evaluation that says so */
    str generator_url;         /* of the query behind it; may be empty */
    enum alert_end end;        /* why it ended */
};

static inline bool alert_is_resolved(const struct alert *a)
{
    return a->end != ALERT_GOES_ON;
}

struct alert_sink {
    void *arg;
    /* Take a copy of what is needed and return: must not block, nor call back into rules. May be
     * called from several threads at once. */
    void (*send)(void *arg, const struct alert *alerts, size_t count);
};

#endif
