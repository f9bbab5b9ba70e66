/* group.h -- a group of rules: evaluated one after the other, each written before the next begins.
 *
 * Nothing here has threads or a clock of its own: who evaluates says when, so that tests and
 * replays run the same code as the server. group_eval() and group_look() must not run twice at once
 * for one group; others may read what group_lock() guards meanwhile. */
#ifndef RULES_GROUP_H
#define RULES_GROUP_H

#include <stdatomic.h>

#include "base/thread.h"
#include "base/timing.h"
#include "rules/alert_log.h"
#include "rules/alert_sink.h"
#include "rules/rule.h"
#include "rules/rule_append.h"
#include "rules/rule_query.h"

enum {
    RULES_RESEND_DELAY_MS = 60 * 1000,
    RULES_OUTAGE_TOLERANCE_MS = 60 * 60 * 1000,
    RULES_GRACE_PERIOD_MS = 10 * 60 * 1000,
    RULES_INTERVAL_MS = 60 * 1000,
    RULE_EVAL_BYTES_MAX = 256 << 20, /* of the results of one evaluation of one rule */
    GROUP_EVALS_TO_RESTORE = 2,      /* until then series that alerts stand on may be missing */
};

struct rules_timing {
    struct timing all;
    struct timing_recent recent;
};

struct rules_counters {                                   /* of all groups together */
    atomic_uint_least64_t template_failures, alerts_told; /* relaxed, as are these: */
    atomic_uint_least64_t looks, look_failures, looks_skipped, look_alerts;
    struct rules_timing rules, groups; /* how long evaluations took */
};

struct rules_env { /* what groups work with; borrowed for their life */
    struct rule_querier querier;
    struct rule_appender append;
    const struct alert_sink *sink; /* NULL: nobody is told */
    struct alert_log *log;         /* NULL: nothing is kept */
    str external_url;              /* without a slash at the end */
    int64_t resend_delay_ms, outage_tolerance_ms, grace_period_ms;
    struct rules_counters *counters; /* NULL: not counted */
};

struct group_options {
    str file;
    int64_t interval_ms, query_offset_ms; /* when the group says nothing of it */
    int64_t subquery_step_ms;             /* of [5m:]; 0: the default */
    struct labels external_labels;        /* for templates */
};

struct group_counters { /* since the start, whatever was reloaded; relaxed */
    atomic_uint_least64_t evaluations, failures, iterations, missed;
};

struct group {
    /* definition; constant */
    struct arena arena;
    str file, name;
    int64_t interval_ms, query_offset_ms, subquery_step_ms, limit;
    struct labels external_labels;
    struct rule *rules;
    size_t rule_count;
    bool looked_at; /* group_look() has something to do */
    hash128 key;    /* of file and name */
    hash128 digest; /* of the whole definition: equal when nothing was changed */
    const struct rules_env *env;
    atomic_uint refs;
    struct group_counters counters;
    struct query_switch off; /* stopped: an evaluation ends after the rule that runs */

    struct mutex lock;                /* guards the states of rules and all below; rank: leaf */
    uint64_t eval_ns;                 /* the last evaluation took */
    int64_t last_eval_ms, last_ts_ms; /* wall clock, and the time it was for; ALERT_NEVER */
    size_t samples;                   /* that it gave */
    uint64_t evals;                   /* since the group was opened */
    uint64_t restore_ns;              /* the restoration took */
    bool waits; /* the process was down for so long that series may be missing at first: alerts from
                   before are not ended until GROUP_EVALS_TO_RESTORE evaluations are over */
    struct rule_series orphans; /* of rules that are gone; marked stale with the next one... */
    int64_t orphaned_ms;        /* ...as of then: who has written them since keeps them alive */
};

/* Make a group of its definition, which has been checked (rule_check.h).
 *   ERR_INVALID, ERR_LIMIT  `d` says why, as the check would have */
MUST_USE err group_open(const struct rule_group_def *def, const struct group_options *o,
                        const struct rules_env *env, struct group **out, struct diag *d);

/* Another reference, for who looks at it; group_close() drops one, the last frees. */
struct group *group_ref(struct group *g);
void group_close(struct group *g); /* NULL is allowed */

/* Evaluate all rules as of `ts_ms`. */
void group_eval(struct group *g, int64_t ts_ms);

/* Between two evaluations: look at rules that say severity="critical" and have no `for`, as of
 * `ts_ms`. What is new fires and is told at once; nothing ends, nothing is written to the store:
 * the next evaluation goes on from there. Not before the first one, and not while one runs. */
void group_look(struct group *g, int64_t ts_ms);

/* Take over states from what was the group before; rules meet by name and labels. Alerts of rules
 * that are gone end and are told of, their series become stale as of `ts_ms` with the next
 * evaluation. Neither is being evaluated. */
void group_copy_state(struct group *g, struct group *from, int64_t ts_ms);

/* The group is gone for good: its alerts end. What it wrote stays to be marked stale, as of
 * `ts_ms`, by group_mark_stale() two intervals later: a rule that only moved to another group has
 * gone on with its series by then, and keeps them. */
void group_end(struct group *g, int64_t ts_ms);
void group_mark_stale(struct group *g);

static inline void group_lock(struct group *g)
{
    mutex_lock(&g->lock);
}

static inline void group_unlock(struct group *g)
{
    mutex_unlock(&g->lock);
}

/* The last time at or before `now_ns` that is a multiple of the interval, plus the group's own
 * offset: the groups of a server do not begin all at once. Nanoseconds since the epoch. */
int64_t group_slot_ns(const struct group *g, int64_t now_ns);

/* "file;name", appended: the value of label rule_group. */
void group_key(const struct group *g, struct buf *out);

#endif
