/* Threads: pool order and bounds, loops nested in loops on a busy pool, waits with deadlines. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/thread.h"

static void add_one(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_pool__runs_all_before_closing(void **state)
{
    struct pool *p;
    atomic_int count = 0;
    (void)state;
    assert_int_equal(pool_open("test", 3, 1000, &p), OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pool_submit(p, add_one, &count), OK);
    pool_close(p);
    assert_int_equal(atomic_load(&count), 1000);
}

struct gate {
    struct mutex lock;
    struct cond changed;
    bool open;
    int waiting;
};

static void gate_init(struct gate *g)
{
    mutex_init(&g->lock);
    cond_init(&g->changed);
    g->open = false;
    g->waiting = 0;
}

static void wait_at_gate(void *arg)
{
    struct gate *g = arg;
    mutex_lock(&g->lock);
    g->waiting++;
    cond_broadcast(&g->changed);
    while (!g->open)
        cond_wait(&g->changed, &g->lock);
    g->waiting--;
    mutex_unlock(&g->lock);
}

static void gate_wait_for(struct gate *g, int waiting)
{
    mutex_lock(&g->lock);
    while (g->waiting < waiting)
        cond_wait(&g->changed, &g->lock);
    mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
    mutex_lock(&g->lock);
    g->open = true;
    cond_broadcast(&g->changed);
    mutex_unlock(&g->lock);
}

static void gate_fini(struct gate *g)
{
    cond_fini(&g->changed);
    mutex_fini(&g->lock);
}

static void test_pool__refuses_when_the_queue_is_full(void **state)
{
    struct pool *p;
    struct gate g;
    atomic_int count = 0;
    (void)state;
    gate_init(&g);
    assert_int_equal(pool_open("test", 1, 2, &p), OK);
    assert_int_equal(pool_submit(p, wait_at_gate, &g), OK);
    gate_wait_for(&g, 1); /* the only worker is busy, the queue is empty */
    assert_int_equal(pool_submit(p, add_one, &count), OK);
    assert_int_equal(pool_submit(p, add_one, &count), OK);
    assert_int_equal(pool_submit(p, add_one, &count), ERR_BUSY);
    gate_open(&g);
    pool_close(p);
    assert_int_equal(atomic_load(&count), 2);
    gate_fini(&g);
}

/* Each job needs another worker to come while it blocks: none may be forgotten, however jobs and
 * wake-ups fall together. */
static void test_pool__wakes_a_worker_for_every_job_that_waits(void **state)
{
    enum { WORKERS = 8, ROUNDS = 200 };
    struct pool *p;
    (void)state;
    assert_int_equal(pool_open("test", WORKERS, 64, &p), OK);
    assert_int_equal(pool_thread_count(p), WORKERS);
    for (int round = 0; round < ROUNDS; round++) {
        struct gate g;
        gate_init(&g);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(pool_submit(p, wait_at_gate, &g), OK);
        gate_wait_for(&g, WORKERS);
        gate_open(&g);
        for (bool idle = false; !idle;) { /* all have left the gate */
            mutex_lock(&g.lock);
            idle = g.waiting == 0;
            mutex_unlock(&g.lock);
        }
        gate_fini(&g);
    }
    pool_close(p);
}

struct nested {
    struct pool *p;
    atomic_int leaves;
    int depth;
};

static void run_nested(void *arg, unsigned i)
{
    struct nested *n = arg;
    (void)i;
    if (n->depth == 0) {
        atomic_fetch_add(&n->leaves, 1);
        return;
    }
    struct nested inner = {.p = n->p, .depth = n->depth - 1};
    pool_for_each(n->p, 5, run_nested, &inner);
    atomic_fetch_add(&n->leaves, atomic_load(&inner.leaves));
}

static void test_for_each__nests(void **state)
{
    struct pool *p;
    (void)state;
    assert_int_equal(pool_open("test", 3, 4, &p), OK);
    for (int round = 0; round < 20; round++) {
        struct nested n = {.p = p, .depth = 3};
        pool_for_each(p, 5, run_nested, &n);
        assert_int_equal(atomic_load(&n.leaves), 625);
    }
    pool_close(p);
}

static void nested_job(void *arg)
{
    struct nested *n = arg;
    run_nested(n, 0);
}

static void test_for_each__runs_when_all_workers_are_busy(void **state)
{
    struct pool *p;
    struct gate g;
    struct nested n[4] = {0};
    (void)state;
    gate_init(&g);
    assert_int_equal(pool_open("test", 2, 8, &p), OK);
    assert_int_equal(pool_submit(p, wait_at_gate, &g), OK);
    assert_int_equal(pool_submit(p, wait_at_gate, &g), OK);
    gate_wait_for(&g, 2);
    for (int i = 0; i < 4; i++) {
        n[i] = (struct nested){.p = p, .depth = 2};
        assert_int_equal(pool_submit(p, nested_job, &n[i]), OK);
    }
    struct nested mine = {.p = p, .depth = 2};
    run_nested(&mine, 0); /* returns though every worker waits for what comes next */
    assert_int_equal(atomic_load(&mine.leaves), 25);
    gate_open(&g);
    pool_close(p);
    for (int i = 0; i < 4; i++)
        assert_int_equal(atomic_load(&n[i].leaves), 25);
    gate_fini(&g);
}

static void mark(void *arg, unsigned i)
{
    ((unsigned char *)arg)[i]++;
}

static void test_for_each__runs_every_index_once(void **state)
{
    struct pool *p;
    unsigned char seen[1000] = {0};
    (void)state;
    assert_int_equal(pool_open("test", 4, 16, &p), OK);
    pool_for_each(p, 1000, mark, seen);
    pool_for_each(NULL, 1000, mark, seen);
    pool_for_each(p, 0, mark, seen);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(seen[i], 2);
    pool_close(p);
}

static void test_cond__gives_up_at_the_deadline(void **state)
{
    struct mutex m;
    struct cond c;
    (void)state;
    mutex_init(&m);
    cond_init(&c);
    uint64_t start = clock_mono_ns(), deadline = start + 20000000;
    mutex_lock(&m);
    while (cond_wait_until(&c, &m, deadline))
        ;
    mutex_unlock(&m);
    assert_true(clock_mono_ns() >= deadline);
    cond_fini(&c);
    mutex_fini(&m);
}

static void *look_at_mask(void *arg)
{
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, arg), 0);
    return NULL;
}

static void test_thread__blocks_signals_but_its_own(void **state)
{
    sigset_t mask;
    pthread_t t;
    (void)state;
    assert_int_equal(thread_start(&t, "a-name-that-is-too-long", look_at_mask, &mask), OK);
    thread_join(t);
    assert_int_equal(sigismember(&mask, SIGTERM), 1);
    assert_int_equal(sigismember(&mask, SIGUSR1), 1);
    assert_int_equal(sigismember(&mask, SIGBUS), 0);
    assert_int_equal(sigismember(&mask, SIGSEGV), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

static void test_thread__counts_cpus(void **state)
{
    (void)state;
    assert_true(thread_cpu_count() >= 1);
    assert_true(thread_cpu_count() <= 1 << 16);
}

static void test_rwlock__is_shared_by_readers(void **state)
{
    struct rwlock l;
    (void)state;
    rwlock_init(&l);
    rwlock_read(&l);
    assert_int_equal(pthread_rwlock_tryrdlock(&l.l), 0);
    assert_int_not_equal(pthread_rwlock_trywrlock(&l.l), 0);
    rwlock_unlock(&l);
    rwlock_unlock(&l);
    rwlock_write(&l);
    assert_int_not_equal(pthread_rwlock_tryrdlock(&l.l), 0);
    rwlock_unlock(&l);
    rwlock_fini(&l);
}

static void test_clock__freezes_for_tests(void **state)
{
    (void)state;
    clock_set_for_test(42);
    assert_int_equal(clock_wall_ms(), 42);
    clock_set_for_test(INT64_MIN);
    assert_true(clock_wall_ms() > INT64_C(1600000000000));
    uint64_t a = clock_mono_ns();
    clock_sleep_ns(1000000);
    assert_true(clock_mono_ns() - a >= 1000000);
    assert_true(clock_thread_cpu_ns() > 0);
}

static void lowest_nice(void *arg)
{
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, (id_t)thread_id());
    if (errno == 0)
        atomic_store((atomic_int *)arg, nice);
}

static void test_pool__that_yields_has_a_lower_share(void **state)
{
    struct pool *p;
    atomic_int nice = -100, mine = -100;
    (void)state;
    lowest_nice(&mine);
    assert_int_equal(pool_open("test", 1, 10, &p), OK);
    pool_yields(p);
    assert_int_equal(pool_submit(p, lowest_nice, &nice), OK);
    pool_close(p);
    assert_true(atomic_load(&nice) > atomic_load(&mine) || atomic_load(&mine) >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool__runs_all_before_closing),
        cmocka_unit_test(test_pool__that_yields_has_a_lower_share),
        cmocka_unit_test(test_pool__refuses_when_the_queue_is_full),
        cmocka_unit_test(test_pool__wakes_a_worker_for_every_job_that_waits),
        cmocka_unit_test(test_for_each__nests),
        cmocka_unit_test(test_for_each__runs_when_all_workers_are_busy),
        cmocka_unit_test(test_for_each__runs_every_index_once),
        cmocka_unit_test(test_cond__gives_up_at_the_deadline),
        cmocka_unit_test(test_thread__blocks_signals_but_its_own),
        cmocka_unit_test(test_thread__counts_cpus),
        cmocka_unit_test(test_rwlock__is_shared_by_readers),
        cmocka_unit_test(test_clock__freezes_for_tests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
