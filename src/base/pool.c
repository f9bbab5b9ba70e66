/* pool.c -- see thread.h: workers and their bounded queue.
 *
 * pool_for_each() hands out indexes from a shared counter. The caller takes indexes too, so it
 * never depends on a worker: it only waits for indexes that a worker is running at that moment. A
 * worker that comes too late finds no index left; the loop's state is counted so that it may come
 * after the caller has returned. */
#include <stdatomic.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/thread.h"

struct job {
    void (*run)(void *arg);
    void *arg;
};

struct pool {
    struct mutex lock; /* guards all below but `threads` and `thread_count`; rank: leaf */
    struct cond work;  /* a job was queued, or the pool closes */
    struct job *queue; /* ring of `queue_max` jobs */
    unsigned queue_max, head, queued;
    unsigned idle; /* workers that wait for `work` */
    /* A worker was signalled and has not come yet. No other is until then: a wake-up costs more
     * than many a job, and whoever ends a job meanwhile takes the next one without any. */
    bool waking;
    bool closing, yields;
    unsigned thread_count;
    pthread_t *threads;
};

/* Holding the lock: is another worker to be signalled, once the lock is free? Asked whenever jobs
 * were queued, and by each worker that takes one: so jobs never wait while a worker idles and none
 * is on its way. */
static bool wants_wake(struct pool *p)
{
    if (p->queued == 0 || p->idle == 0 || p->waking)
        return false;
    p->waking = true;
    return true;
}

/* Unlock, and signal if `wake`: then the woken worker finds the lock free. */
static void unlock_and_wake(struct pool *p, bool wake)
{
    mutex_unlock(&p->lock);
    if (wake)
        cond_signal(&p->work);
}

static void *worker(void *arg)
{
    struct pool *p = arg;
    mutex_lock(&p->lock);
    for (;;) {
        while (p->queued == 0 && !p->closing) {
            p->idle++;
            cond_wait(&p->work, &p->lock);
            p->idle--;
            p->waking = false;
        }
        if (p->queued == 0)
            break;
        struct job job = p->queue[p->head];
        p->head = (p->head + 1) % p->queue_max;
        p->queued--;
        bool yields = p->yields;
        unlock_and_wake(p, wants_wake(p));
        if (yields)
            thread_yield_to_others();
        job.run(job.arg);
        mutex_lock(&p->lock);
    }
    mutex_unlock(&p->lock);
    return NULL;
}

err pool_open(const char *name, unsigned threads, unsigned queue_max, struct pool **out)
{
    ASSERT(threads > 0);
    ASSERT(queue_max > 0);
    struct pool *p = mem_zalloc(1, sizeof(*p));
    mutex_init(&p->lock);
    cond_init(&p->work);
    p->queue = mem_zalloc(queue_max, sizeof(*p->queue));
    p->queue_max = queue_max;
    p->threads = mem_zalloc(threads, sizeof(*p->threads));
    for (; p->thread_count < threads; p->thread_count++) {
        err e = thread_start(&p->threads[p->thread_count], name, worker, p);
        if (e != OK) {
            pool_close(p);
            return e;
        }
    }
    *out = p;
    return OK;
}

unsigned pool_thread_count(const struct pool *p)
{
    return p->thread_count;
}

void pool_yields(struct pool *p)
{
    mutex_lock(&p->lock);
    p->yields = true;
    mutex_unlock(&p->lock);
}

void pool_close(struct pool *p)
{
    if (p == NULL)
        return;
    mutex_lock(&p->lock);
    p->closing = true;
    cond_broadcast(&p->work);
    mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->thread_count; i++)
        thread_join(p->threads[i]);
    cond_fini(&p->work);
    mutex_fini(&p->lock);
    mem_free(p->threads);
    mem_free(p->queue);
    mem_free(p);
}

/* Queue a job while holding the lock; there must be room, and wants_wake() is to be asked. */
static void enqueue(struct pool *p, void (*run)(void *), void *arg)
{
    p->queue[(p->head + p->queued) % p->queue_max] = (struct job){run, arg};
    p->queued++;
}

err pool_submit(struct pool *p, void (*run)(void *), void *arg)
{
    mutex_lock(&p->lock);
    bool room = !p->closing && p->queued < p->queue_max;
    if (room)
        enqueue(p, run, arg);
    unlock_and_wake(p, wants_wake(p));
    return room ? OK : ERR_BUSY;
}

struct loop {
    void (*run)(void *arg, unsigned i);
    void *arg;
    unsigned count;
    struct mutex lock;    /* guards next and done; rank: leaf */
    struct cond all_done; /* done == count */
    unsigned next, done;  /* indexes handed out; finished */
    atomic_uint refs;     /* the caller and the helpers that are queued or running */
};

static void loop_run(struct loop *l)
{
    mutex_lock(&l->lock);
    while (l->next < l->count) {
        unsigned i = l->next++;
        mutex_unlock(&l->lock);
        l->run(l->arg, i);
        mutex_lock(&l->lock);
        if (++l->done == l->count)
            cond_signal(&l->all_done);
    }
    mutex_unlock(&l->lock);
}

static void loop_release(struct loop *l)
{
    if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) > 1)
        return;
    cond_fini(&l->all_done);
    mutex_fini(&l->lock);
    mem_free(l);
}

static void help(void *arg)
{
    struct loop *l = arg;
    loop_run(l);
    loop_release(l);
}

/* Ask workers that have nothing else to do; returns with their references counted. */
static void ask_idle(struct pool *p, struct loop *l, unsigned helpers_max)
{
    mutex_lock(&p->lock);
    unsigned free_workers = p->idle > p->queued ? p->idle - p->queued : 0;
    unsigned helpers = p->closing ? 0 : MIN(free_workers, helpers_max);
    helpers = MIN(helpers, p->queue_max - p->queued);
    atomic_fetch_add_explicit(&l->refs, helpers, memory_order_relaxed); /* the lock publishes it */
    for (unsigned i = 0; i < helpers; i++)
        enqueue(p, help, l);
    unlock_and_wake(p, wants_wake(p));
}

void pool_for_each(struct pool *p, unsigned count, void (*run)(void *arg, unsigned i), void *arg)
{
    if (p == NULL || count < 2) {
        for (unsigned i = 0; i < count; i++)
            run(arg, i);
        return;
    }
    struct loop *l = mem_zalloc(1, sizeof(*l));
    l->run = run;
    l->arg = arg;
    l->count = count;
    atomic_init(&l->refs, 1);
    mutex_init(&l->lock);
    cond_init(&l->all_done);
    ask_idle(p, l, count - 1);
    loop_run(l);
    mutex_lock(&l->lock);
    while (l->done < l->count)
        cond_wait(&l->all_done, &l->lock);
    mutex_unlock(&l->lock);
    loop_release(l);
}
