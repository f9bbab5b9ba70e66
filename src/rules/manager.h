/* manager.h -- the rules of a server: groups in force, evaluated in time by a few threads.
 *
 * Life: rules_open() with the flags; rules_prepare() and rules_commit() with the first
 * configuration, when there is no store yet; rules_start() with the store; then reloads, reads and
 * changes by the API in any order; rules_stop(), rules_close(). A group keeps its slots: its
 * evaluations are as of multiples of the interval plus an offset of its own, and when one takes too
 * long those it missed are counted, not made up for. Looks between evaluations divide the interval
 * evenly; one whose time has passed is skipped. */
#ifndef RULES_MANAGER_H
#define RULES_MANAGER_H

#include "config/config.h"
#include "rules/group.h"

enum {
    RULES_WORKERS_DEFAULT = 4,
    RULES_WORKERS_MAX = 256,
    RULES_LOOK_MS = 15000,
    RULES_GROUPS_MAX = 20000,
    RULES_NAMESPACES_MAX = 10000,       /* of groups set by the API */
    RULES_NAMESPACE_BYTES_MAX = 200,    /* a file is named after it */
    RULES_GROUP_BYTES_MAX = 1 << 20,    /* of YAML, set by the API */
    RULES_NAMESPACE_GROUPS_MAX = 10000, /* in one namespace */
};

struct rules_options {
    unsigned workers;    /* groups evaluated at once; 1..RULES_WORKERS_MAX */
    int64_t interval_ms; /* of groups, when nothing else says so */
    int64_t look_ms; /* groups with critical rules are looked at that often (group_look()); 0: by
                        their evaluations only */
    struct rules_env env; /* but for what rules_start() brings: store, appender, log */
    /* Rules that others make: called by each rules_prepare(). NULL: none. */
    err (*more)(void *arg, struct config *c, struct arena *a, struct rule_file **files,
                size_t *count, struct diag *d);
    void *more_arg;
};

struct rules;
struct rules_update; /* groups that are ready, not in force yet */

/* `options` is copied; what it points to lives longer. */
struct rules *rules_open(const struct rules_options *options);

/* Read and check the rule files `c` names; nothing changes yet.
 *   ERR_INVALID, ERR_LIMIT, ERR_IO  `d` has the first error, with file, line and column; all are
 *   logged */
MUST_USE err rules_prepare(struct rules *m, struct config *c, struct rules_update **out,
                           struct diag *d);
/* Put them in force. Groups that did not change go on undisturbed, others take over the state of
 * their predecessors; waits for evaluations of these to be broken off. */
void rules_commit(struct rules *m, struct rules_update *u);
void rules_discard(struct rules_update *u); /* NULL is allowed */

/* Begin to evaluate: samples come from and go to `db`, states are kept in DIR/rules.
 *   ERR_IO, ERR_NOSPACE, ERR_INVALID, ...  `d` says why */
MUST_USE err rules_start(struct rules *m, struct db *db, const char *dir, struct diag *d);

/* Break off what is evaluated and begin nothing more. Alerts stay as they are. */
void rules_stop(struct rules *m);
void rules_close(struct rules *m); /* stops too; NULL is allowed */

/* ---- Looking ---- */

struct rules_view { /* the groups in force, sorted by file, then name */
    struct group **groups;
    size_t count;
};
struct rules_view rules_view(struct rules *m); /* of NULL: none */
void rules_view_fini(struct rules_view *v);

struct rules_counters *rules_counters(struct rules *m);

/* ---- Groups by API ---- */

/* Set group `yaml` (one group as in a rule file) in `namespace`, in place of one of that name.
 * Durable when it returns.
 *   ERR_INVALID, ERR_LIMIT  `d` says what is wrong with it      ERR_IO, ERR_NOSPACE, ERR_BUSY */
MUST_USE err rules_set_group(struct rules *m, str namespace, slice yaml, struct diag *d);

/* Remove group `name`, {NULL, 0}: all of the namespace. ERR_NOTFOUND; others as above */
MUST_USE err rules_delete_group(struct rules *m, str namespace, str name, struct diag *d);

/* Append as YAML: all namespaces ({NULL, 0}) or one, as a map of lists of groups; or one group.
 *   ERR_NOTFOUND */
MUST_USE err rules_groups_yaml(struct rules *m, str namespace, str name, struct buf *out);

#endif
