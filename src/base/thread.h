/* thread.h -- threads, locks and a bounded worker pool. Locks abort on misuse (their functions
 * cannot fail otherwise). Each mutex in the program says what it guards and its rank
 * (docs/architecture.md, "Locks"). */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mutex {
    pthread_mutex_t m;
};
struct cond { /* waits use the monotonic clock */
    pthread_cond_t c;
};
struct rwlock { /* writers are preferred: readers cannot starve them */
    pthread_rwlock_t l;
};

void mutex_init(struct mutex *m);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

void cond_init(struct cond *c);
void cond_fini(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m);
/* Wait at most until `deadline_mono_ns`; false when it passed. */
bool cond_wait_until(struct cond *c, struct mutex *m, uint64_t deadline_mono_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

void rwlock_init(struct rwlock *l);
void rwlock_fini(struct rwlock *l);
void rwlock_read(struct rwlock *l);
void rwlock_write(struct rwlock *l);
void rwlock_unlock(struct rwlock *l);

/* Start `run(arg)` on a thread named `name` (cut at 15 bytes), with all signals blocked but those a
 * thread raises by itself (SIGBUS, SIGSEGV, ...: fs_guard() needs them).
 *   ERR_IO  the system refused; logged */
MUST_USE err thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg);
void thread_join(pthread_t t);

/* CPUs this process may use: affinity and the cgroup's cpu.max, at least 1. */
unsigned thread_cpu_count(void);

/* What a thread gets of the processors when others want them too. */
enum thread_share {
    THREAD_YIELDS, /* a tenth of what those get that never said anything */
    THREAD_LAST,   /* a seventh of that */
};
/* Lower the share of a thread of this process, by its thread_id(). It cannot be raised again. */
void thread_lower(int id, enum thread_share share);
int thread_id(void); /* of the calling thread */
/* The calling thread yields from now on; calling it again is free. */
void thread_yield_to_others(void);

/* A pool of `threads` workers with a queue of at most `queue_max` waiting jobs. */
struct pool;
MUST_USE err pool_open(const char *name, unsigned threads, unsigned queue_max, struct pool **out);

unsigned pool_thread_count(const struct pool *p);

/* Its workers yield to others from their next job on: see thread_yield_to_others(). */
void pool_yields(struct pool *p);

/* Run what is queued to its end, then stop the workers. */
void pool_close(struct pool *p);

/* Queue `run(arg)`.   ERR_BUSY  the queue is full or the pool is closing; nothing was queued */
MUST_USE err pool_submit(struct pool *p, void (*run)(void *), void *arg);

/* Run `run(arg, i)` for every i < count, on the pool's idle workers and the calling thread, and
 * return when all are done. Never waits for a worker that is busy: the caller may do it all itself,
 * so that calls may nest. `p` may be NULL: the caller alone. */
void pool_for_each(struct pool *p, unsigned count, void (*run)(void *arg, unsigned i), void *arg);

#endif
