/* insight.h -- what the server knows of its queries: those that are active, what the last ones
 * cost, which metrics are asked for, and the logs of slow and of all queries.
 *
 * Statistics are kept in the store (db_keep()) about once a minute and at the end; a crash loses
 * what came since. */
#ifndef HTTP_INSIGHT_H
#define HTTP_INSIGHT_H

#include "base/timing.h"
#include "http/query_event.h"
#include "http/query_log.h"
#include "query/active.h"
#include "query/top.h"
#include "query/usage.h"
#include "storage/db.h"

enum insight_slice {                /* of a query's life */
                     STAGE_QUEUE,   /* waiting for a worker */
                     STAGE_PARSE,   /* text to tree */
                     STAGE_PREPARE, /* parsing and planning */
                     STAGE_EXECUTE, /* evaluating, but for sorting */
                     STAGE_SORT,    /* of the result */
                     STAGE_ANSWER,  /* writing the answer, as fast as the client takes it */
                     INSIGHT_STAGES
};
struct insight_stage {
    struct timing all;
    struct timing_recent recent;
};

struct insight {
    struct active_queries active;
    struct top_queries *top;
    struct metric_usage *usage;
    struct query_log log;
    struct insight_stage stages[INSIGHT_STAGES];
    int64_t slow_ms; /* queries that take longer are logged; 0: none. Set before the first query */
    _Atomic uint64_t slow_queries;
    struct db *db;     /* once started */
    struct mutex lock; /* guards what follows; rank: leaf */
    struct cond wake;
    bool running, stop;
    pthread_t thread;
};

/* Requires that no request is served when it ends. */
void insight_init(struct insight *i);
void insight_fini(struct insight *i);

/* Read what was kept and begin to keep. insight_stop() keeps once more; to be called when the last
 * request has ended, before the store is closed, also without a start. */
void insight_start(struct insight *i, struct db *db);
void insight_stop(struct insight *i);

/* A query has ended: count and log it. */
void insight_query(struct insight *i, const struct query_event *e);

/* The answer to a query has been written. */
void insight_answered(struct insight *i, uint64_t took_ns);

/* A request other than a query read the series of a selector. */
void insight_selector(struct insight *i, const struct matcher *matchers, size_t count);

/* Find the metrics that open selectors (usage.h) meant. Reads the indexes: for workers. */
void insight_resolve(struct insight *i);

#endif
