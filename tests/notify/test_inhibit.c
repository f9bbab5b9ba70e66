/* test_inhibit.c -- which alerts mute which, and when no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "notify/inhibit.h"
#include "notify_testing.h"

static const char CONFIG[] = "route: {receiver: a}\n"
                             "receivers: [{name: a}]\n"
                             "inhibit_rules:\n"
                             "- source_matchers: [sev=\"critical\"]\n"
                             "  target_matchers: [sev=~\"warning|info\"]\n"
                             "  equal: [cluster, zone]\n"
                             "- source_match: {s: '1'}\n"
                             "  target_match_re: {t: '1|2'}\n";

struct fixture {
    struct alertmanager_file *f;
    struct inhibitor *in;
};

static int setup(void **state)
{
    static struct fixture fx;
    fx.f = testing_config(CONFIG);
    fx.in = inhibitor_open(fx.f);
    *state = &fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;
    inhibitor_close(fx->in);
    alertmanager_config_unref(fx->f);
    return 0;
}

/* The fingerprint of what mutes; 0: nothing. */
static uint64_t muted(struct fixture *fx, const char *labels, int64_t now_ms)
{
    struct testing_labels l;
    uint64_t by = 0;
    (void)inhibitor_mutes(fx->in, testing_labels(&l, labels), now_ms, &by);
    return by;
}

static void test_inhibit__mutes_equal_targets_while_it_fires(void **state)
{
    struct fixture *fx = *state;
    struct testing_labels l;
    struct labels source = testing_labels(&l, "sev=critical cluster=a");
    assert_int_equal(muted(fx, "sev=warning cluster=a", 0), 0);
    inhibitor_put(fx->in, 7, source, 1000);
    assert_int_equal(muted(fx, "sev=warning cluster=a", 0), 7);
    assert_int_equal(muted(fx, "sev=info cluster=a", 999), 7);
    assert_int_equal(muted(fx, "sev=info cluster=a", 1000), 0); /* it ended */
    assert_int_equal(muted(fx, "sev=warning cluster=b", 0), 0);
    assert_int_equal(muted(fx, "sev=warning cluster=a zone=x", 0), 0);
    assert_int_equal(muted(fx, "sev=critical cluster=a", 0), 0); /* no target */
    inhibitor_put(fx->in, 7, source, 5000);
    assert_int_equal(muted(fx, "sev=info cluster=a", 1000), 7); /* it goes on */
    inhibitor_forget(fx->in, 7, source);
    assert_int_equal(muted(fx, "sev=info cluster=a", 1000), 0);
}

/* An absent label equals an empty one, on both sides. */
static void test_inhibit__takes_absent_labels_as_equal(void **state)
{
    struct fixture *fx = *state;
    struct testing_labels l;
    inhibitor_put(fx->in, 8, testing_labels(&l, "sev=critical"), 1000);
    assert_int_equal(muted(fx, "sev=warning", 0), 8);
    assert_int_equal(muted(fx, "sev=warning zone=x", 0), 0);
}

static void test_inhibit__does_not_mute_what_is_both(void **state)
{
    struct fixture *fx = *state;
    struct testing_labels a, b;
    inhibitor_put(fx->in, 1, testing_labels(&a, "s=1 t=1"), 1000);
    assert_int_equal(muted(fx, "t=2", 0), 1);
    assert_int_equal(muted(fx, "s=1 t=2", 0), 0);
    assert_int_equal(muted(fx, "s=1 t=1", 0), 0); /* nor itself */
    inhibitor_put(fx->in, 2, testing_labels(&b, "s=1"), 1000);
    assert_int_equal(muted(fx, "s=1 t=2", 0), 2); /* a source that is no target does */
}

static void test_inhibit__finds_one_of_many(void **state)
{
    struct fixture *fx = *state;
    static char texts[5000][48];
    static struct testing_labels ls[5000];
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "sev=critical cluster=c%u", i);
        inhibitor_put(fx->in, i + 1, testing_labels(&ls[i], texts[i]), 1000);
    }
    for (unsigned i = 0; i < 5000; i += 2)
        inhibitor_forget(fx->in, i + 1, (struct labels){ls[i].items, ls[i].count});
    for (unsigned i = 0; i < 5000; i++) {
        char target[48];
        (void)snprintf(target, sizeof(target), "sev=info cluster=c%u", i);
        assert_int_equal(muted(fx, target, 0), i % 2 == 0 ? 0 : i + 1);
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_inhibit__mutes_equal_targets_while_it_fires),
        WITH_FIXTURE(test_inhibit__takes_absent_labels_as_equal),
        WITH_FIXTURE(test_inhibit__does_not_mute_what_is_both),
        WITH_FIXTURE(test_inhibit__finds_one_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
