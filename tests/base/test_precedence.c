/* Precedence: nobody waits while nothing is urgent, who waits goes on when the last of it ends, and
 * no longer than it worked before. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/precedence.h"
#include "base/thread.h"

enum { MS = 1000000 };

static void sleep_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * MS};
    (void)nanosleep(&t, NULL);
}

/* How long giving way took, ns. */
static uint64_t give_way_ns(void)
{
    uint64_t begin = clock_mono_ns();
    precedence_give_way();
    return clock_mono_ns() - begin;
}

static void test_precedence__costs_nothing_without_urgent_work(void **state)
{
    (void)state;
    uint64_t ns = 0;
    for (int i = 0; i < 1000; i++)
        ns += give_way_ns();
    assert_true(ns < 100 * MS);
}

static void test_precedence__waits_no_longer_than_it_worked(void **state)
{
    (void)state;
    precedence_begin();
    sleep_ms(30);
    assert_true(give_way_ns() >= (uint64_t)(PRECEDENCE_WAIT_MS_MAX - 1) * MS); /* worked longer */
    uint64_t begin = clock_mono_ns();
    for (int i = 0; i < 10; i++)
        precedence_give_way(); /* has not worked in between: next to nothing */
    assert_true(clock_mono_ns() - begin < 15 * (uint64_t)MS);
    sleep_ms(5);
    assert_true(give_way_ns() >= 4 * (uint64_t)MS);
    precedence_end();
}

static void *pass_twice(void *arg)
{
    sleep_ms(2);
    precedence_end(); /* one is left */
    sleep_ms(2);
    atomic_store((atomic_bool *)arg, true);
    precedence_end();
    return NULL;
}

static void test_precedence__goes_on_when_the_last_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        atomic_bool ended = false;
        pthread_t t;
        sleep_ms(25); /* so that it may wait its longest */
        precedence_begin();
        precedence_begin();
        assert_int_equal(thread_start(&t, "passes", pass_twice, &ended), OK);
        uint64_t ns = give_way_ns();
        assert_true(atomic_load(&ended) || ns >= (uint64_t)(PRECEDENCE_WAIT_MS_MAX - 1) * MS);
        thread_join(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence__costs_nothing_without_urgent_work),
        cmocka_unit_test(test_precedence__waits_no_longer_than_it_worked),
        cmocka_unit_test(test_precedence__goes_on_when_the_last_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
