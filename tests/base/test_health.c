/* test_health.c -- what results of checks mean, with injected time; and checks that run, hang and
 * fail on their threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/health.h"

enum { S = 1000000000 };

/* ---- Rules ---- */

/* Checks as letters: healthy, degraded, unhealthy, x unknown; capitals are critical. */
static size_t some_checks(const char *letters, struct health_view *out)
{
    static const char LETTERS[] = "hdux", CAPITALS[] = "HDUX";
    size_t n = strlen(letters);
    for (size_t i = 0; i < n; i++) {
        const char *small = strchr(LETTERS, letters[i]), *big = strchr(CAPITALS, letters[i]);
        memset(&out[i], 0, sizeof(out[i]));
        out[i].critical = big != NULL;
        out[i].weight = big != NULL ? 3 : 1;
        out[i].status = (enum health_status)(big != NULL ? big - CAPITALS : small - LETTERS);
    }
    return n;
}

static void test_score__weighs(void **state)
{
    (void)state;
    const struct {
        const char *checks;
        unsigned score;
        enum health_status status;
    } CASES[] = {
        {"", 100, HEALTH_HEALTHY},           {"H", 100, HEALTH_HEALTHY},
        {"HhHDh", 86, HEALTH_DEGRADED},  /* (3 + 1 + 3 + 1.5 + 1) / 11 = 86.4 */
        {"HHHHU", 80, HEALTH_UNHEALTHY}, /* a dead critical check among healthy ones */
        {"HX", 50, HEALTH_UNHEALTHY},        {"Hx", 100, HEALTH_HEALTHY},
        {"HHHHHHHHHu", 96, HEALTH_DEGRADED}, {"u", 0, HEALTH_DEGRADED},
        {"x", 100, HEALTH_HEALTHY},
    };
    static struct health_view checks[16];
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        enum health_status status;
        unsigned score;
        health_judge(checks, some_checks(CASES[i].checks, checks), &status, &score);
        if (score != CASES[i].score || status != CASES[i].status)
            fail_msg("%s: %u %s", CASES[i].checks, score, health_status_name(status));
    }
}

static void test_level__has_hysteresis(void **state)
{
    (void)state;
    const struct {
        enum health_status before;
        double v;
        enum health_status after;
    } CASES[] = {
        {HEALTH_HEALTHY, 0.79, HEALTH_HEALTHY},     {HEALTH_HEALTHY, 0.80, HEALTH_DEGRADED},
        {HEALTH_HEALTHY, 0.90, HEALTH_UNHEALTHY},   {HEALTH_DEGRADED, 0.79, HEALTH_DEGRADED},
        {HEALTH_DEGRADED, 0.779, HEALTH_HEALTHY},   {HEALTH_DEGRADED, 0.89, HEALTH_DEGRADED},
        {HEALTH_UNHEALTHY, 0.89, HEALTH_UNHEALTHY}, {HEALTH_UNHEALTHY, 0.879, HEALTH_DEGRADED},
        {HEALTH_UNHEALTHY, 0.785, HEALTH_DEGRADED}, {HEALTH_UNHEALTHY, 0.5, HEALTH_HEALTHY},
        {HEALTH_UNKNOWN, 0.79, HEALTH_HEALTHY},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        if (health_level(CASES[i].before, CASES[i].v, 0.8, 0.9, 0.02) != CASES[i].after)
            fail_msg("case %zu", i);
}

/* Results as letters (healthy, degraded, unhealthy, x unknown) and what is believed after each. */
static void check_beliefs(unsigned threshold, const char *results, const char *want)
{
    struct health_belief b = {0};
    for (size_t i = 0; results[i] != '\0'; i++) {
        static const char LETTERS[] = "hdux";
        health_take(&b, (enum health_status)(strchr(LETTERS, results[i]) - LETTERS), threshold);
        if (LETTERS[b.status] != want[i])
            fail_msg("%s, threshold %u, result %zu: %c, want %c", results, threshold, i,
                     LETTERS[b.status], want[i]);
    }
}

static void test_belief__changes_after_some_results(void **state)
{
    (void)state;
    check_beliefs(2, "u", "u");
    check_beliefs(2, "huh", "hhh");
    check_beliefs(2, "huuhh", "hhuuh");
    check_beliefs(2, "huhuhu", "hhhhhh");
    check_beliefs(2, "hdu", "hhd"); /* the milder of both */
    check_beliefs(2, "hduu", "hhdd");
    check_beliefs(2, "hduuu", "hhddu");
    check_beliefs(2, "udh", "uud");
    check_beliefs(2, "dud", "ddd");
    check_beliefs(2, "duhuu", "ddddu"); /* worse, better, worse: no two for the same change */
    check_beliefs(1, "hudh", "hudh");
    check_beliefs(3, "huuhuuu", "hhhhhhu");
    check_beliefs(2, "xhxu", "xhxu"); /* unknown is at once, and so is what follows it */
}

static void test_breaker__opens_and_tries_again(void **state)
{
    (void)state;
    struct health_breaker b = {0};
    uint64_t now = 100 * (uint64_t)S;
    for (unsigned i = 0; i < HEALTH_BREAKER_FAILURES; i++) {
        assert_true(health_breaker_allows(&b, now));
        health_breaker_note(&b, true, now);
    }
    assert_int_equal(b.circuit, HEALTH_OPEN);
    assert_false(health_breaker_allows(&b, now + 30 * (uint64_t)S - 1));
    now += 30 * (uint64_t)S;
    assert_true(health_breaker_allows(&b, now));
    assert_int_equal(b.circuit, HEALTH_HALF_OPEN);
    health_breaker_note(&b, true, now); /* one failure opens it again */
    assert_false(health_breaker_allows(&b, now + S));
    now += 30 * (uint64_t)S;
    assert_true(health_breaker_allows(&b, now));
    health_breaker_note(&b, false, now);
    assert_int_equal(b.circuit, HEALTH_CLOSED);
    for (unsigned i = 0; i < HEALTH_BREAKER_FAILURES - 1; i++)
        health_breaker_note(&b, true, now);
    assert_true(health_breaker_allows(&b, now));
}

static void test_report__keeps_the_worst(void **state)
{
    (void)state;
    struct health_report r = {0};
    health_say(&r, HEALTH_DEGRADED, "first %d", 1);
    health_say(&r, HEALTH_DEGRADED, "second");
    assert_string_equal(r.message, "first 1");
    health_say(&r, HEALTH_UNHEALTHY, "worse");
    health_say(&r, HEALTH_DEGRADED, "milder");
    assert_string_equal(r.message, "worse");
    assert_int_equal(r.status, HEALTH_UNHEALTHY);
    for (unsigned i = 0; i < HEALTH_DETAILS_MAX + 3; i++)
        health_number(&r, "n", i);
    assert_int_equal(r.detail_count, HEALTH_DETAILS_MAX);
}

/* ---- Threads ---- */

struct script { /* what a check does, run by run; the last for all that follow */
    struct mutex lock;
    const char *runs; /* h, d, u as above; '!' hangs until let go */
    unsigned count;
    atomic_bool let_go;
};

static void play(void *arg, struct health_report *out)
{
    struct script *s = arg;
    mutex_lock(&s->lock);
    char c = s->runs[MIN(s->count, strlen(s->runs) - 1)];
    s->count++;
    mutex_unlock(&s->lock);
    while (c == '!' && !atomic_load(&s->let_go))
        clock_sleep_ns(1000000);
    if (c == 'u')
        health_say(out, HEALTH_UNHEALTHY, "broken");
    if (c == 'd')
        health_say(out, HEALTH_DEGRADED, "limping");
    health_number(out, "runs", s->count);
}

static unsigned runs_of(struct script *s)
{
    mutex_lock(&s->lock);
    unsigned n = s->count;
    mutex_unlock(&s->lock);
    return n;
}

static void add(struct health *h, const char *name, struct script *s, bool critical, bool external)
{
    const struct health_check c = {.name = name,
                                   .type = "test",
                                   .critical = critical,
                                   .external = external,
                                   .run = play,
                                   .arg = s};
    mutex_init(&s->lock);
    assert_int_equal(health_register(h, &c), OK);
}

/* Look until the check is as wanted. */
static void await(struct health *h, size_t i, enum health_status want)
{
    uint64_t until = clock_mono_ns() + 10 * (uint64_t)S;
    for (;;) {
        struct health_snapshot *s = health_look(h);
        bool there = i < s->count && s->checks[i].status == want;
        health_unlook(s);
        if (there)
            return;
        assert_true(clock_mono_ns() < until);
        clock_sleep_ns(1000000);
    }
}

static void test_health__runs_and_reports(void **state)
{
    (void)state;
    struct health *h;
    const struct health_options o = {.ttl_ms = 20};
    struct script good = {.runs = "h"}, turning = {.runs = "huuuuh"};
    assert_int_equal(health_open(&o, &h), OK);
    add(h, "good", &good, true, false);
    add(h, "turning", &turning, false, false);
    await(h, 1, HEALTH_HEALTHY);
    await(h, 1, HEALTH_UNHEALTHY);
    struct health_snapshot *s = health_look(h);
    assert_int_equal(s->status, HEALTH_DEGRADED);
    assert_int_equal(s->score, 75);
    assert_string_equal(s->checks[1].report.message, "broken");
    assert_true(s->checks[1].results[HEALTH_RAN_UNHEALTHY] >= 2);
    assert_true(s->checks[1].consecutive_failures >= 2);
    assert_true(s->checks[0].last_success_ms > 0);
    health_unlook(s);
    await(h, 1, HEALTH_HEALTHY); /* it has recovered */
    s = health_look(h);
    assert_int_equal(s->status, HEALTH_HEALTHY);
    health_unlook(s);
    health_close(h);
}

static void test_health__a_hanging_check_fails_alone(void **state)
{
    (void)state;
    struct health *h;
    const struct health_options o = {.ttl_ms = 100, .local_ms = 30};
    struct script good = {.runs = "h"}, stuck = {.runs = "!h"};
    assert_int_equal(health_open(&o, &h), OK);
    add(h, "stuck", &stuck, true, false);
    add(h, "good", &good, true, false);
    await(h, 1, HEALTH_HEALTHY);
    await(h, 0, HEALTH_UNHEALTHY);
    uint64_t before = clock_mono_ns();
    struct health_snapshot *s = health_look(h);
    assert_true(clock_mono_ns() - before < S);
    assert_int_equal(s->status, HEALTH_UNHEALTHY);
    assert_string_equal(s->checks[0].report.message, "timeout after 0.03 s");
    health_unlook(s);
    unsigned runs = runs_of(&good);
    clock_sleep_ns(400000000);
    assert_true(runs_of(&good) > runs);   /* the other goes on */
    assert_int_equal(runs_of(&stuck), 1); /* and this is not run twice at once */
    s = health_look(h);
    assert_true(s->checks[0].skipped >= 2);
    assert_true(s->checks[0].results[HEALTH_RAN_TIMEOUT] >= 3);
    health_unlook(s);
    atomic_store(&stuck.let_go, true);
    await(h, 0, HEALTH_HEALTHY);
    health_close(h);
}

static void test_health__an_open_circuit_is_not_called(void **state)
{
    (void)state;
    struct health *h;
    const struct health_options o = {.ttl_ms = 10, .external_ms = 50};
    struct script dead = {.runs = "u"};
    assert_int_equal(health_open(&o, &h), OK);
    add(h, "dead", &dead, false, true);
    uint64_t until = clock_mono_ns() + 10 * (uint64_t)S;
    bool open = false;
    while (!open && clock_mono_ns() < until) {
        struct health_snapshot *s = health_look(h);
        open = s->checks[0].circuit == HEALTH_OPEN;
        health_unlook(s);
        clock_sleep_ns(1000000);
    }
    assert_true(open);
    unsigned runs = runs_of(&dead);
    clock_sleep_ns(200000000);
    assert_int_equal(runs_of(&dead), runs);
    struct health_snapshot *s = health_look(h);
    assert_int_equal(s->checks[0].status, HEALTH_UNHEALTHY);
    assert_non_null(strstr(s->checks[0].report.message, "circuit open"));
    health_unlook(s);
    health_close(h);
}

/* ---- A round on demand ---- */

static atomic_uint answered;

static void note(void *arg)
{
    (void)arg;
    (void)atomic_fetch_add(&answered, 1);
}

static void await_answers(unsigned n)
{
    uint64_t until = clock_mono_ns() + 10 * (uint64_t)S;
    while (atomic_load(&answered) < n && clock_mono_ns() < until)
        clock_sleep_ns(1000000);
    assert_int_equal(atomic_load(&answered), n);
}

static void test_health__rounds_are_shared_and_rare(void **state)
{
    (void)state;
    struct health *h;
    const struct health_options o = {.ttl_ms = 60000, .local_ms = 60000, .round_ms = 300};
    struct script good = {.runs = "h"}, slow = {.runs = "h!"};
    atomic_store(&answered, 0);
    assert_int_equal(health_open(&o, &h), OK);
    add(h, "good", &good, true, false);
    add(h, "slow", &slow, true, false);
    await(h, 0, HEALTH_HEALTHY);
    await(h, 1, HEALTH_HEALTHY);
    assert_true(health_refresh(h, note, NULL));
    assert_true(health_refresh(h, note, NULL)); /* joins */
    clock_sleep_ns(50000000);
    assert_int_equal(atomic_load(&answered), 0); /* the slow one has not answered */
    await_answers(2);                            /* nobody waits longer than a round */
    assert_int_equal(runs_of(&good), 2);
    assert_int_equal(runs_of(&slow), 2);
    assert_false(health_refresh(h, note, NULL)); /* not again within ttl_ms */
    atomic_store(&slow.let_go, true);
    health_close(h);
    assert_int_equal(atomic_load(&answered), 2);
}

static void test_health__close_answers_who_waits(void **state)
{
    (void)state;
    struct health *h;
    const struct health_options o = {.ttl_ms = 60000, .local_ms = 60000, .round_ms = 60000};
    struct script slow = {.runs = "h!"};
    atomic_store(&answered, 0);
    assert_int_equal(health_open(&o, &h), OK);
    add(h, "slow", &slow, true, false);
    await(h, 0, HEALTH_HEALTHY);
    assert_true(health_refresh(h, note, NULL));
    uint64_t until = clock_mono_ns() + 10 * (uint64_t)S;
    while (runs_of(&slow) < 2 && clock_mono_ns() < until)
        clock_sleep_ns(1000000);
    atomic_store(&slow.let_go, true);
    health_close(h);
    assert_int_equal(atomic_load(&answered), 1);
}

static void test_health__has_a_limit(void **state)
{
    (void)state;
    struct health *h;
    const struct health_options o = {0};
    static struct script scripts[HEALTH_CHECKS_MAX];
    const struct health_check more = {.name = "more", .type = "test", .run = play};
    assert_int_equal(health_open(&o, &h), OK);
    for (size_t i = 0; i < HEALTH_CHECKS_MAX; i++) {
        scripts[i].runs = "h";
        add(h, "one", &scripts[i], false, false);
    }
    assert_int_equal(health_register(h, &more), ERR_FULL);
    health_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score__weighs),
        cmocka_unit_test(test_level__has_hysteresis),
        cmocka_unit_test(test_belief__changes_after_some_results),
        cmocka_unit_test(test_breaker__opens_and_tries_again),
        cmocka_unit_test(test_report__keeps_the_worst),
        cmocka_unit_test(test_health__runs_and_reports),
        cmocka_unit_test(test_health__a_hanging_check_fails_alone),
        cmocka_unit_test(test_health__an_open_circuit_is_not_called),
        cmocka_unit_test(test_health__rounds_are_shared_and_rare),
        cmocka_unit_test(test_health__close_answers_who_waits),
        cmocka_unit_test(test_health__has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
