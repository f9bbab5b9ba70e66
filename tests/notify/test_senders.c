/* test_senders.c -- lanes: one that hangs holds up no other, none has all the threads, each begins
 * in order, and the end sends what is queued. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "notify/engine_priv.h"
#include "notify/senders.h"

enum {
    PER_LANE = 40,
    HANGING = 10,
    LANES = HANGING + 2,
    WAIT_MS = SENDERS_IDLE_MS - 5000, /* later, idle threads look by themselves */
};

struct shared {
    struct mutex lock; /* guards what follows */
    struct cond changed;
    struct delivery deliveries[LANES][PER_LANE];
    struct integration_config configs[LANES];
    unsigned begun[LANES], ended[LANES], now[LANES], most[LANES];
    bool out_of_order, shut, held; /* shut: the first lanes hang; held: the next one as well */
};

static void send_one(void *arg, struct delivery *d)
{
    struct shared *s = arg;
    size_t lane = (size_t)(d->n.config - s->configs);
    mutex_lock(&s->lock);
    unsigned at = (unsigned)(d - s->deliveries[lane]), due = s->begun[lane]++;
    /* all before it were taken, and at most as many as there are threads have not come here */
    s->out_of_order = s->out_of_order || at > due + SENDERS_OF_LANE_MAX;
    s->now[lane]++;
    s->most[lane] = MAX(s->most[lane], s->now[lane]);
    cond_broadcast(&s->changed);
    while ((lane < HANGING && s->shut) || (lane == HANGING && s->held))
        cond_wait(&s->changed, &s->lock);
    s->now[lane]--;
    s->ended[lane]++;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->lock);
}

static void init(struct shared *s)
{
    *s = (struct shared){.shut = true};
    mutex_init(&s->lock);
    cond_init(&s->changed);
    for (size_t l = 0; l < LANES; l++)
        for (size_t i = 0; i < PER_LANE; i++)
            s->deliveries[l][i].n.config = &s->configs[l];
}

static void fini(struct shared *s)
{
    cond_fini(&s->changed);
    mutex_fini(&s->lock);
}

static void wait_for(struct shared *s, const unsigned *count, unsigned want)
{
    uint64_t until_ns = clock_mono_ns() + WAIT_MS * UINT64_C(1000000);
    mutex_lock(&s->lock);
    while (*count < want && cond_wait_until(&s->changed, &s->lock, until_ns))
        ;
    assert_int_equal(*count, want);
    mutex_unlock(&s->lock);
}

static void set(struct shared *s, bool *flag, bool value)
{
    mutex_lock(&s->lock);
    *flag = value;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->lock);
}

static void test_senders__lanes_hold_up_no_other(void **state)
{
    static struct shared s;
    struct senders_count count;
    (void)state;
    init(&s);
    struct senders *senders = senders_open(send_one, &s);
    for (size_t i = 0; i < PER_LANE; i++)
        for (size_t l = 0; l < LANES; l++)
            assert_true(senders_put(senders, &s.deliveries[l][i]));
    wait_for(&s, &s.ended[HANGING], PER_LANE);
    wait_for(&s, &s.ended[HANGING + 1], PER_LANE);
    for (size_t l = 0; l < HANGING; l++)
        assert_int_equal(s.ended[l], 0);
    for (unsigned i = 0; i < 1000; i++) { /* those of the others leave */
        senders_count(senders, &count);
        if (count.sending + count.queued == HANGING * PER_LANE && count.sending <= SENDERS_MAX)
            break;
        clock_sleep_ns(10000000);
    }
    assert_in_range(count.sending, HANGING, SENDERS_SHARED_MAX + HANGING);
    assert_int_equal(count.sending + count.queued, HANGING * PER_LANE);
    assert_true(count.threads <= SENDERS_MAX);
    set(&s, &s.shut, false);
    for (size_t l = 0; l < HANGING; l++)
        wait_for(&s, &s.ended[l], PER_LANE);
    senders_close(senders);
    for (size_t l = 0; l < LANES; l++)
        assert_in_range(s.most[l], 1, SENDERS_OF_LANE_MAX);
    assert_false(s.out_of_order);
    fini(&s);
}

/* As many hang as may; then one of another lane ends, and its thread takes one more that hangs:
 * what waits behind it in its lane is somebody else's. */
static void test_senders__a_thread_that_hangs_leaves_nothing_behind(void **state)
{
    static struct shared s;
    (void)state;
    init(&s);
    s.held = true;
    struct senders *senders = senders_open(send_one, &s);
    for (size_t k = 0; k < SENDERS_SHARED_MAX - 1; k++)
        assert_true(senders_put(senders, &s.deliveries[k % HANGING][k / HANGING]));
    for (size_t l = 0; l < HANGING; l++)
        wait_for(&s, &s.begun[l], (SENDERS_SHARED_MAX - 1 - l + HANGING - 1) / HANGING);
    assert_true(senders_put(senders, &s.deliveries[HANGING][0]));
    wait_for(&s, &s.begun[HANGING], 1);
    assert_true(senders_put(senders, &s.deliveries[HANGING][1]));
    assert_true(senders_put(senders, &s.deliveries[HANGING - 1][PER_LANE - 1]));
    set(&s, &s.held, false);
    wait_for(&s, &s.ended[HANGING], 2);
    set(&s, &s.shut, false);
    senders_close(senders);
    fini(&s);
}

static void test_senders__the_end_sends_what_is_queued(void **state)
{
    static struct shared s;
    (void)state;
    init(&s);
    s.shut = false;
    struct senders *senders = senders_open(send_one, &s);
    for (size_t i = 0; i < PER_LANE; i++)
        for (size_t l = 0; l < LANES; l++)
            assert_true(senders_put(senders, &s.deliveries[l][i]));
    senders_close(senders);
    for (size_t l = 0; l < LANES; l++)
        assert_int_equal(s.ended[l], PER_LANE);
    senders_close(senders_open(send_one, &s)); /* nothing at all */
    senders_close(NULL);
    fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_senders__lanes_hold_up_no_other),
        cmocka_unit_test(test_senders__a_thread_that_hangs_leaves_nothing_behind),
        cmocka_unit_test(test_senders__the_end_sends_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
