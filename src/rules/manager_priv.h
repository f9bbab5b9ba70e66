/* manager_priv.h -- what the files of the manager share. */
#ifndef RULES_MANAGER_PRIV_H
#define RULES_MANAGER_PRIV_H

#include "rules/manager.h"
#include "rules/namespaces.h"

struct managed { /* a group in force, or one that has left and is yet to be marked stale */
    struct group *group;
    int64_t slot_ns;   /* the time it was evaluated as of last, or of the slot before it came */
    int64_t looked_ns; /* when it was looked at last between evaluations, or could not be */
    bool running;
    bool left; /* at slot_ns its series are marked stale, then group is NULL */
};

struct rules {
    struct rules_options options;
    struct rules_env env; /* what groups borrow */
    struct rules_counters counters;
    struct rule_store *store;
    struct mutex change_lock; /* one commit or change by the API at a time; rank: before `lock` */
    struct namespaces *namespaces; /* by the API; guarded by change_lock; NULL before the start */
    struct config *config;         /* in force; guarded by change_lock */
    struct mutex lock;     /* guards all below; rank: before groups' locks, held for moments */
    struct cond changed;   /* something is due, has ended or shall stop */
    struct managed *items; /* entries come and go with change_lock only */
    size_t count, cap;
    bool started, stopping;
    pthread_t workers[RULES_WORKERS_MAX];
    unsigned worker_count;
};

struct rules_update {
    struct rules *m;
    struct config *config; /* a reference */
    struct group **groups;
    size_t count, cap;
};

/* manager_load.c: the groups of namespaces, added to an update. */
MUST_USE err rules_add_file(struct rules_update *u, const struct rule_file *f, struct diag *d);
/* With change_lock held: read all again that `c` and the namespaces say. */
MUST_USE err rules_read(struct rules *m, struct config *c, const struct namespaces *names,
                        struct rules_update **out, struct diag *d);
/* With change_lock held. */
void rules_put_in_force(struct rules *m, struct rules_update *u);

#endif
