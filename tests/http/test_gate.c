/* test_gate.c -- light and heavy work share workers fairly; waiting ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "http/gate.h"

enum { JOBS_MAX = 64 };

struct test_job {
    struct gate_job job; /* first */
    atomic_bool go, running, canceled;
    _Atomic int ended; /* 1 + enum gate_end */
};

static struct test_job jobs[JOBS_MAX];
static atomic_uint order;
static unsigned rank[JOBS_MAX];

static void run(struct gate_job *j)
{
    struct test_job *t = (struct test_job *)j;
    rank[t - jobs] = atomic_fetch_add(&order, 1);
    atomic_store(&t->running, true);
    while (!atomic_load(&t->go))
        clock_sleep_ns(100000);
}

static void done(struct gate_job *j, enum gate_end how)
{
    atomic_store(&((struct test_job *)j)->ended, 1 + (int)how);
}

static struct test_job *job(unsigned i, enum gate_class c, uint64_t fingerprint, bool go)
{
    struct test_job *t = &jobs[i];
    memset(t, 0, sizeof(*t));
    t->job = (struct gate_job){
        .run = run, .done = done, .cls = c, .fingerprint = fingerprint, .canceled = &t->canceled};
    atomic_store(&t->go, go);
    return t;
}

static bool wait_for(bool (*is)(const struct test_job *t), const struct test_job *t)
{
    for (int i = 0; i < 50000 && !is(t); i++)
        clock_sleep_ns(100000);
    return is(t);
}

static bool is_running(const struct test_job *t)
{
    return atomic_load(&t->running);
}

static bool is_ended(const struct test_job *t)
{
    return atomic_load(&t->ended) != 0;
}

static atomic_bool memory_left = true;

static bool has_memory(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

static struct gate *open_gate(unsigned workers, unsigned queue_max, int64_t wait_ms_max)
{
    struct gate *g;
    const struct gate_options o = {.workers = workers,
                                   .heavy_max = workers,
                                   .queue_max = queue_max,
                                   .wait_ms_max = wait_ms_max,
                                   .may_start = has_memory,
                                   .arg = &memory_left};
    gate_open(&o, &g);
    return g;
}

static void submit(struct gate *g, unsigned from, unsigned to, enum gate_class c, bool go)
{
    for (unsigned i = from; i < to; i++)
        assert_int_equal(gate_submit(g, &job(i, c, 0, go)->job), OK);
}

static void finish(struct gate *g, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        atomic_store(&jobs[i].go, true);
    for (unsigned i = from; i < to; i++) {
        gate_tick(g);
        assert_true(wait_for(is_ended, &jobs[i]));
    }
}

static void test_gate__heavy_work_leaves_a_share(void **state)
{
    (void)state;
    struct gate *g = open_gate(8, 32, 0);
    submit(g, 0, 20, GATE_HEAVY, false);
    for (unsigned i = 0; i < 6; i++)
        assert_true(wait_for(is_running, &jobs[i]));
    submit(g, 20, 22, GATE_LIGHT, true);
    assert_true(wait_for(is_ended, &jobs[20]));
    assert_true(wait_for(is_ended, &jobs[21]));
    assert_false(is_running(&jobs[6])); /* a quarter of 8 is not for them */
    submit(g, 22, 23, GATE_ADMIN, true);
    assert_true(wait_for(is_ended, &jobs[22]));
    struct gate_stats s = gate_stats_of(g);
    assert_int_equal(s.running[GATE_HEAVY], 6);
    assert_int_equal(s.waiting[GATE_HEAVY], 14);
    finish(g, 0, 20);
    gate_close(g);
}

static void test_gate__light_work_does_not_starve_heavy(void **state)
{
    (void)state;
    struct gate *g = open_gate(1, 32, 0);
    atomic_store(&order, 0);
    submit(g, 0, 1, GATE_LIGHT, false);
    assert_true(wait_for(is_running, &jobs[0]));
    submit(g, 1, 21, GATE_LIGHT, true);
    submit(g, 21, 23, GATE_HEAVY, true);
    finish(g, 0, 23);
    assert_true(rank[21] <= 6 && rank[22] <= 11);
    gate_close(g);
}

static void test_gate__what_runs_long_turns_heavy_and_is_remembered(void **state)
{
    (void)state;
    struct gate *g = open_gate(4, 32, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(gate_submit(g, &job(i, GATE_LIGHT, 77, false)->job), OK);
    for (unsigned i = 0; i < 4; i++)
        assert_true(wait_for(is_running, &jobs[i]));
    assert_int_equal(gate_submit(g, &job(4, GATE_LIGHT, 77, false)->job), OK);
    assert_int_equal(gate_submit(g, &job(5, GATE_LIGHT, 5, true)->job), OK);
    gate_tick(g);
    assert_false(is_running(&jobs[5])); /* all four are taken by what is believed to be light */
    clock_sleep_ns(UINT64_C(1000000) * (GATE_LIGHT_MS + 20));
    gate_tick(g);
    assert_true(wait_for(is_ended, &jobs[5])); /* on the light ones' share */
    assert_false(is_running(&jobs[4]));        /* of the heavy kind */
    assert_int_equal(gate_stats_of(g).turned_heavy, 4);
    assert_int_equal(gate_stats_of(g).waiting[GATE_HEAVY], 1);
    finish(g, 0, 5);
    gate_close(g);
}

/* Unknown kinds that turn out heavy one after the other, more than there are workers. */
static void test_gate__wrong_guesses_do_not_take_all(void **state)
{
    (void)state;
    struct gate *g = open_gate(4, 32, 0);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(gate_submit(g, &job(i, GATE_LIGHT, 100 + i, false)->job), OK);
    for (unsigned i = 0; i < 7; i++) {
        if (!wait_for(is_running, &jobs[i]))
            fail_msg("%u", i);
        if (i >= 3) {
            clock_sleep_ns(UINT64_C(1000000) * (GATE_LIGHT_MS + 20));
            gate_tick(g);
        }
    }
    assert_int_equal(gate_stats_of(g).running[GATE_HEAVY], 7);
    submit(g, 7, 10, GATE_LIGHT, true);
    for (unsigned i = 7; i < 10; i++)
        assert_true(wait_for(is_ended, &jobs[i]));
    finish(g, 0, 7);
    submit(g, 10, 30, GATE_HEAVY, true);
    finish(g, 10, 30);
    gate_close(g);
}

static void test_gate__many_from_many_threads(void **state)
{
    (void)state;
    struct gate *g = open_gate(3, JOBS_MAX, 0);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < JOBS_MAX; i++)
            assert_int_equal(
                gate_submit(g,
                            &job(i, (enum gate_class)((i + round) % GATE_CLASSES), 0, true)->job),
                OK);
        finish(g, 0, JOBS_MAX);
    }
    assert_int_equal(gate_stats_of(g).started[GATE_LIGHT] + gate_stats_of(g).started[GATE_HEAVY] +
                         gate_stats_of(g).started[GATE_ADMIN],
                     200 * JOBS_MAX);
    gate_close(g);
}

static void test_gate__waiting_ends(void **state)
{
    (void)state;
    struct gate *g = open_gate(1, 2, 50);
    submit(g, 0, 1, GATE_HEAVY, false);
    assert_true(wait_for(is_running, &jobs[0]));
    submit(g, 1, 3, GATE_HEAVY, true);
    assert_int_equal(gate_submit(g, &job(3, GATE_HEAVY, 0, true)->job), ERR_BUSY);
    atomic_store(&jobs[1].canceled, true);
    gate_tick(g);
    assert_int_equal(atomic_load(&jobs[1].ended), 1 + GATE_GONE);
    assert_int_equal(atomic_load(&jobs[2].ended), 0);
    clock_sleep_ns(60000000);
    gate_tick(g);
    assert_int_equal(atomic_load(&jobs[2].ended), 1 + GATE_EXPIRED);
    assert_int_equal(gate_submit(g, &job(3, GATE_HEAVY, 0, true)->job), OK);
    finish(g, 0, 1);
    gate_close(g); /* runs what waits */
    assert_int_equal(atomic_load(&jobs[3].ended), 1 + GATE_RAN);
}

static unsigned ended(unsigned from, unsigned to, enum gate_end how)
{
    unsigned count = 0;
    for (unsigned i = from; i < to; i++)
        count += atomic_load(&jobs[i].ended) == 1 + (int)how;
    return count;
}

/* They would ask again all at once. Who has left does not. */
static void test_gate__refuses_few_at_once(void **state)
{
    (void)state;
    struct gate *g = open_gate(1, JOBS_MAX, 50);
    submit(g, 0, 1, GATE_HEAVY, false);
    assert_true(wait_for(is_running, &jobs[0]));
    submit(g, 1, 61, GATE_HEAVY, true);
    for (unsigned i = 1; i < 21; i++)
        atomic_store(&jobs[i].canceled, true);
    clock_sleep_ns(60000000);
    for (unsigned tick = 1; tick <= 5; tick++) {
        gate_tick(g);
        assert_int_equal(ended(1, 61, GATE_GONE), 20);
        assert_int_equal(ended(1, 61, GATE_EXPIRED), 8 * tick);
    }
    assert_int_equal(gate_stats_of(g).waiting[GATE_HEAVY], 0);
    finish(g, 0, 1);
    gate_close(g);
}

static void test_gate__without_memory_nothing_starts(void **state)
{
    (void)state;
    struct gate *g = open_gate(4, 8, 0);
    atomic_store(&memory_left, false);
    submit(g, 0, 1, GATE_LIGHT, true);
    submit(g, 1, 2, GATE_HEAVY, true);
    submit(g, 2, 3, GATE_ADMIN, true);
    assert_true(wait_for(is_ended, &jobs[2]));
    gate_tick(g);
    clock_sleep_ns(20000000);
    assert_false(is_running(&jobs[0]) || is_running(&jobs[1]));
    atomic_store(&memory_left, true);
    finish(g, 0, 2);
    gate_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gate__heavy_work_leaves_a_share),
        cmocka_unit_test(test_gate__light_work_does_not_starve_heavy),
        cmocka_unit_test(test_gate__what_runs_long_turns_heavy_and_is_remembered),
        cmocka_unit_test(test_gate__wrong_guesses_do_not_take_all),
        cmocka_unit_test(test_gate__many_from_many_threads),
        cmocka_unit_test(test_gate__waiting_ends),
        cmocka_unit_test(test_gate__refuses_few_at_once),
        cmocka_unit_test(test_gate__without_memory_nothing_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
