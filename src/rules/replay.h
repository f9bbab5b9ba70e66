/* replay.h -- rules over the past: recording and alerting rules evaluated at the times at which a
 * server would have done it, their results written into the store.
 *
 * Groups are evaluated in the order of time, each at multiples of its interval plus its own offset
 * as on a server, so rules see what others wrote before, and what is written is what would have
 * been. Progress with the states of all alerts is kept in the store now and then: a replay that was
 * interrupted goes on as if nothing had been. Memory is bounded: results are cut into blocks on the
 * way. No threads of its own, no clock but for progress. */
#ifndef RULES_REPLAY_H
#define RULES_REPLAY_H

#include <stdatomic.h>

#include "base/thread.h"
#include "config/rule_file.h"
#include "rules/rule_append.h"
#include "rules/rule_query.h"
#include "storage/db.h"

enum {
    REPLAY_GROUPS_MAX = 100000,
    REPLAY_CHECKPOINT_SAMPLES = 2000000, /* written between two that progress is kept */
    REPLAY_STATE_BYTES_MAX = 256 << 20,  /* of the progress kept, with the alerts in it */
    REPLAY_TOLD_MS = 1000,               /* between two calls of `progress` */
};

struct replay_progress {
    int64_t begun_ms; /* where this run began: `start_ms`, or where an earlier one ended */
    int64_t at_ms;    /* evaluated up to here */
    uint64_t evaluations, failures; /* of rules, in this run */
    uint64_t samples, refused;      /* written; not taken by the store */
};

struct replay_options {
    struct db *db; /* opened without threads of its own; NULL: there are a source and a sink */
    const struct rule_remote *source; /* asked in place of `db`; NULL: nobody */
    const struct rule_appender *sink; /* gets samples in place of `db`, which keeps progress */
    /* Called between two moments and at the end (`all`): samples that are kept back are handed on.
     * An error ends the replay. NULL: nothing is kept back. */
    err (*settle)(void *settle_arg, bool all, struct diag *d);
    void *settle_arg;
    struct pool *pool;             /* workers for queries; NULL: none */
    int64_t start_ms, end_ms;      /* inclusive */
    int64_t interval_ms;           /* of groups that name none */
    int64_t query_offset_ms;       /* the same */
    bool no_alerts;                /* recording rules only */
    bool restart;                  /* forget an earlier run */
    uint64_t checkpoint_samples;   /* 0: REPLAY_CHECKPOINT_SAMPLES */
    struct labels external_labels; /* for templates */
    str external_url;
    const atomic_bool *stop; /* polled: keep progress and end; NULL: never */
    void *arg;
    void (*progress)(void *arg,
                     const struct replay_progress *p); /* now and then; NULL: not wanted */
    /* An evaluation failed; NULL: not wanted. */
    void (*failed)(void *arg, str rule, int64_t ts_ms, str why);
};

/* Replay the groups of `files`, which were checked (rule_check.h); `out` says what was done.
 *   ERR_CANCELED  stopped; a further run goes on from there
 *   ERR_INVALID   a group is not what it should be      ERR_LIMIT  too many groups
 *   others        from the store; progress is that of the last checkpoint. `d` says what */
MUST_USE err replay_run(const struct rule_file *files, size_t file_count,
                        const struct replay_options *o, struct replay_progress *out,
                        struct diag *d);

#endif
