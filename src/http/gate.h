/* gate.h -- which waiting requests run next: a bounded queue before a bounded number of workers,
 * shared fairly between light and heavy work.
 *
 * Heavy work is bound by processors and memory: more of it at once than there are processors makes
 * none of it end sooner, but keeps those waiting who wait for a lock that it holds, writes first of
 * all.
 *
 * A class is given by whoever queues a job; work that was called light and runs for more than
 * GATE_LIGHT_MS is heavy from then on, and its kind (`fingerprint`) is remembered as heavy; a kind
 * that takes less than a quarter of that is remembered as light. A quarter of the workers is never
 * taken by heavy work, and what turns heavy while it runs takes its worker along: another one takes
 * the place among the light ones, and gets more of the processor. So a query of a few milliseconds
 * does not wait for queries of minutes. Neither do heavy ones starve: of five jobs that could run,
 * one is theirs. Administration has workers of its own. Workers are started when they are needed.
 *
 * A job waits for a limited time; when the time of many is over at once, they are refused a few at
 * each tick. Those whose client has left are dropped. Threads: any;
 * gate_tick() from one. */
#ifndef HTTP_GATE_H
#define HTTP_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
    GATE_LIGHT_MS = 500,
    GATE_ADMIN_WORKERS = 2,
    GATE_KINDS = 4096, /* remembered */
    GATE_KIND_MS = 600000,
};

enum gate_class { GATE_LIGHT, GATE_HEAVY, GATE_ADMIN, GATE_CLASSES };

enum gate_end { GATE_RAN, GATE_EXPIRED, GATE_GONE };

struct gate_job {                      /* in its owner's memory until `done` was called */
    void (*run)(struct gate_job *job); /* on a worker */
    /* Once, on any thread: it has run, or it was not run because it waited too long or its client
     * has left. */
    void (*done)(struct gate_job *job, enum gate_end how);
    enum gate_class cls;
    uint64_t fingerprint;        /* what is alike in cost; 0: of no kind */
    const atomic_bool *canceled; /* NULL: never */
    uint64_t since_mono_ns;      /* private, as is what follows: queued, or running */
    struct gate_job *prev, *next;
    enum gate_end end;
    struct gate_worker *worker;
};

struct gate_options {
    unsigned workers;    /* light and heavy jobs at once */
    unsigned heavy_max;  /* of them heavy ones, at least 1; never more than three quarters */
    unsigned queue_max;  /* waiting of each class; more is ERR_BUSY */
    int64_t wait_ms_max; /* 0: no limit */
    /* May another job start, as far as memory goes? Administration always may. Called with the
     * gate's lock held; NULL: yes. */
    bool (*may_start)(void *arg);
    void *arg;
};

struct gate;

void gate_open(const struct gate_options *o, struct gate **out);

/* Run what is queued to its end, then stop the workers. */
void gate_close(struct gate *g); /* NULL is allowed */

/* Queue a job.   ERR_BUSY  too many wait, or it closes; `done` is not called */
MUST_USE err gate_submit(struct gate *g, struct gate_job *job);

/* To be called every 100 ms or so: waiting jobs expire, running ones turn heavy. */
void gate_tick(struct gate *g);

struct gate_stats {
    unsigned running[GATE_CLASSES], waiting[GATE_CLASSES];
    uint64_t turned_heavy; /* jobs that were taken for light */
    uint64_t waited_ns[GATE_CLASSES], started[GATE_CLASSES];
};
struct gate_stats gate_stats_of(struct gate *g);
const char *gate_class_name(enum gate_class c);

#endif
