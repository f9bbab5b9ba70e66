/* query_watch.h -- queries of rules and objectives as others see them while they run: those who
 * list, count and log queries stand above and hand over a table of functions. */
#ifndef RULES_QUERY_WATCH_H
#define RULES_QUERY_WATCH_H

#include "query/engine.h"

/* Ends queries: the one that runs, or all from now on. Zero-initialised. Any thread. */
struct query_switch {
    atomic_bool stopped;  /* for good */
    atomic_bool canceled; /* what the running query polls; whoever sees it may set it */
};

static inline void query_switch_stop(struct query_switch *s)
{
    atomic_store(&s->stopped, true);
    atomic_store(&s->canceled, true);
}

static inline bool query_switch_stopped(const struct query_switch *s)
{
    return atomic_load_explicit(&s->stopped, memory_order_relaxed);
}

struct query_asker {          /* who asks; borrowed for the query */
    const char *kind;         /* "rule", "slo" */
    str file, group;          /* of a rule; of an objective its file and id */
    struct query_switch *off; /* NULL: nobody can end it */
};

struct query_watch {
    void *arg;
    /* A query begins, as of [o->start_ms, o->end_ms]. What is returned goes to end(); progress is
     * told to *progress if that is set. Any thread. */
    void *(*begin)(void *arg, const struct query_asker *who, str text,
                   const struct query_options *o, struct query_progress **progress);
    /* It has ended, with result `e`; `q` is NULL when it could not be prepared. */
    void (*end)(void *arg, void *begun, const struct query *q, err e, const char *error);
};

/* query_prepare() and query_exec(), seen by `w` (NULL: by nobody). Unless it is OK nothing is left
 * to be closed. Errors as of the two. */
MUST_USE err watched_query(const struct query_watch *w, const struct query_asker *who,
                           const struct query_env *env, str text, const struct query_options *o,
                           struct query **out, struct diag *d);

#endif
