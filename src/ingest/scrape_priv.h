/* scrape_priv.h -- the scraper's inside: jobs (pools), loops, and the life of one scrape.
 *
 * A loop is idle, busy (its scrape is a request, a page being read or a batch being committed) or
 * ending (its target is gone; two intervals and a tenth later its series are marked stale). It is
 * freed by the thread that drives, and only when it is not busy. */
#ifndef INGEST_SCRAPE_PRIV_H
#define INGEST_SCRAPE_PRIV_H

#include <stdatomic.h>

#include "base/thread.h"
#include "ingest/scrape.h"
#include "ingest/scrape_target.h"
#include "ingest/scrape_transfer.h"

enum {
    APPENDS_KEPT_MAX = 64,   /* idle scrape_append objects */
    PAGES_DELAY_MS = 100,    /* answers wait this long for others, to be read with them, */
    PAGES_TOGETHER_MAX = 32, /* but no longer when they are this many */
    PAGES_TOGETHER_BYTES = 1 << 20,
    PAGE_ALONE_BYTES = 1 << 17,  /* an answer of this size waits for none */
    PAGES_READ_BYTES = 16 << 20, /* of pages, and ... */
    PAGES_READ_MS = 20, /* ... time, after which what was read is committed before more is */
    WORKERS_MAX = 4,
    WIRE_KEPT_MS = 5 * 60 * 1000, /* connections stay open for intervals up to this */
    CONNECTIONS_KEPT = 16384,     /* idle ones; the limit on open files is the real one */
};

/* One state of a job's configuration; counted, shared by the scrapes that run under it. */
struct scrape_job {
    atomic_uint refs;
    struct config *owner;
    const struct scrape_config *config;
    struct http_client *client;
    struct buf accept; /* header, NUL-terminated */
};

struct scrape_pool {
    struct scrape_pool *next;
    struct scrape_job *job;
    struct scrape_loop **loops;
    size_t loop_count, loop_cap;
    struct arena found_arena; /* of `found` */
    struct labels *found;     /* what discovery gave last */
    size_t found_count;
    struct arena dropped_arena;
    struct labels *dropped; /* kept ones */
    size_t dropped_kept, dropped_count;
    char forced_error[128]; /* all scrapes fail with it; "" */
    uint64_t syncs, sync_failures, sync_ns;
    struct timing_recent sync_times;
};

enum loop_phase { LOOP_RUNNING, LOOP_ENDING_1, LOOP_ENDING_2, LOOP_ENDING_3, LOOP_OVER };
enum loop_task {
    TASK_TOKEN, /* ask for the token that the request needs, which may take long */
    TASK_PAGES, /* read and commit it and those behind it by next_page */
};

struct scrape_loop {
    struct scraper *owner;
    struct scrape_pool *pool;        /* NULL once it has left it */
    struct scrape_loop *prev, *next; /* all loops; guarded by the lock */
    struct scrape_target *target;    /* what is scraped; never changes */
    struct scrape_target
        *seen; /* the same as discovery knows it now; may be `target`; guarded by the lock */
    struct scrape_memory memory;
    struct scrape_job *job; /* of the last scrape, for the end */
    /* Schedule, guarded by the scraper's lock. */
    enum loop_phase phase;
    uint64_t due_mono_ns, interval_ns;
    uint64_t sync;           /* that wanted it last */
    size_t heap_at;          /* index + 1 in the heap; 0: not in it */
    bool busy, late;         /* late: became due while busy */
    uint64_t resume_mono_ns; /* when a late scrape is over: the schedule that it fell out of; 0 */
    int64_t aligned_ms, stale_ms;
    uint64_t last_start_mono_ns;
    /* The present scrape. */
    struct transfer transfer;
    struct wire wire;
    struct scrape_append *append;
    bool final; /* no scrape, but the stale markers of the end */
    int64_t ts_ms, start_wall_ns;
    uint64_t start_mono_ns, fetched_mono_ns;
    char forced_error[128];
    struct pair headers[3];
    char timeout_text[32];
    enum loop_task task;
    struct scrape_loop *next_task;
    struct scrape_loop *next_page; /* those read together, or committed together */
    struct scrape_loop *next_due;  /* list of those to start now */
    /* Of the last scrape, guarded by the lock. */
    enum scrape_health health;
    struct buf last_error;
    int64_t last_scrape_ns;
    uint64_t last_duration_ns;
};

struct scrape_due { /* with the time beside it: loops are seldom in the cache */
    uint64_t mono_ns;
    struct scrape_loop *loop;
};

/* Answers that wait for others. The driving thread's. */
struct fetched_pages {
    struct scrape_loop *first; /* by next_page */
    size_t count, bytes;
    uint64_t since_mono_ns; /* the first of them */
    bool urgent;            /* one has an interval too short to wait */
};

struct scraper {
    struct scraper_options options;
    struct scrape_env env;
    struct mutex
        apply_lock; /* one scraper_apply() or scraper_set_targets() at a time; before `lock` */
    struct mutex
        lock; /* guards pools, loops' schedules and results; no lock is taken under it but leaves */
    struct scrape_pool *pools; /* by name */
    struct scrape_loop *loops; /* all, ending ones included */
    struct scrape_loop *warm;  /* have their token now; by next_task */
    struct scrape_due *heap;   /* by due time */
    size_t heap_count, heap_cap;
    uint64_t offset_seed;
    bool stopping;
    struct scraper_stats stats;
    struct transfers *transfers;
    pthread_t driver, workers[WORKERS_MAX];
    unsigned worker_count;
    bool driver_runs;
    struct fetched_pages fetched;
    struct mutex task_lock; /* guards the queue of tasks and what was committed; a leaf */
    struct cond task_wake;
    struct scrape_loop *tasks, **tasks_end;
    bool workers_stop;
    struct scrape_loop *committed; /* not looked at since; by next_page */
    struct mutex append_lock;      /* guards the idle appends; a leaf */
    struct scrape_append *idle_appends[APPENDS_KEPT_MAX];
    size_t idle_append_count;
    atomic_size_t scrape_count; /* those fetched whose result is still to come */
};

/* ---- Jobs (scrape_pool.c) ---- */

struct scrape_job *scrape_job_ref(struct scrape_job *j);
void scrape_job_unref(struct scrape_job *j); /* NULL is allowed */

/* ---- Schedule (scrape_schedule.c); the lock is held ---- */

void schedule_put(struct scraper *s, struct scrape_loop *l, uint64_t due_mono_ns);
void schedule_remove(struct scraper *s, struct scrape_loop *l);

/* Make a loop for `target`, which it owns from now on, and schedule its first scrape. */
struct scrape_loop *loop_new(struct scraper *s, struct scrape_pool *p,
                             struct scrape_target *target);
/* The target is gone. `markers`: its series end as stale, later. The loop frees itself. */
void loop_end(struct scraper *s, struct scrape_loop *l, bool markers);
/* It is over: free it. */
void loop_free(struct scraper *s, struct scrape_loop *l);

/* The thread that drives; `arg` is the scraper. */
void *scrape_drive(void *arg);

/* ---- Pages (scrape_pages.c) ---- */

/* An object to hold the page of the loop's scrape. */
struct scrape_append *scrape_take_append(struct scrape_loop *l);

/* Have a worker ask for the token that the loop's request needs; it is among `warm` then. */
void scrape_get_token(struct scrape_loop *l);

/* On the driving thread: the answer is there, or the error instead of one. */
void scrape_fetched(struct scrape_loop *l);
/* Give the answers that wait to the workers. */
void scrape_pass_on(struct scraper *s);
/* Do so if they have waited long enough; returns when they will have, UINT64_MAX: there are none.
 */
uint64_t scrape_pages_due(struct scraper *s);

/* A worker; `arg` is the scraper. */
void *scrape_work(void *arg);

#endif
