/* test_outage.c -- a provider that is down for minutes loses nothing: what is true when it is back
 * is told, once, ends included; through restarts and crashes in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"

#define CONFIG                                                                                     \
    "route: {receiver: a, group_by: [g], group_wait: 10s, group_interval: 1m, repeat_interval: "   \
    "9h}\n"                                                                                        \
    "receivers: [{name: a, webhook_configs: [{url: 'http://h'}]}, {name: b, webhook_configs: "     \
    "[{url: 'http://h'}]}]\n"

/* ---- Scripted ---- */

enum restart { NO_RESTART, RESTART, CRASH };

static void restart(struct sim *s, enum restart how)
{
    if (how == CRASH) {
        sim_crash(s);
    } else if (how == RESTART) {
        sim_close_engine(s);
        sim_open_engine(s, 0);
    }
}

/* All that can happen to an alert while nobody can be told. Told afterwards is what Alertmanager
 * would tell: what began and ended alone is not. */
static void outage(struct sim_plan plan, enum restart how)
{
    struct sim s;
    struct engine_counts c;
    sim_open(&s, CONFIG, "");
    fire(&s, "n=ends g=1");
    fire(&s, "n=stays g=2");
    fire(&s, "n=flaps g=3");
    pass(&s, MINUTE);
    engine_count(s.e, &c);
    assert_int_equal(c.notifications[INTEGRATION_WEBHOOK], 3);
    buf_reset(&s.told);
    *sim_plan(&s, "a") = plan;
    resolve(&s, "n=ends g=1");
    resolve(&s, "n=flaps g=3");
    fire(&s, "n=new g=4");
    fire(&s, "n=short g=5");
    fire(&s, "n=brief g=6");
    fire(&s, "n=joins g=2");
    pass(&s, 3 * MINUTE);
    resolve(&s, "n=short g=5");
    resolve(&s, "n=brief g=6");
    fire(&s, "n=long g=6");
    fire(&s, "n=flaps g=3");
    pass(&s, 2 * MINUTE);
    assert_int_equal(engine_sync(s.e), OK);
    restart(&s, how);
    pass(&s, 5 * MINUTE);
    assert_told(&s, "");
    sim_plan(&s, "a")->outcome = NOTIFY_SENT;
    sim_plan(&s, "a")->hang_ms = 0;
    pass(&s, 2 * MINUTE);
    static const char *const TOLD[] = {
        "a all alerts resolved: ends!\n",
        "a new alerts added: joins stays\n",
        "a first notification: new\n",
        "a first notification: brief! long\n",
    };
    size_t lines = 0;
    for (const char *p = buf_cstr(&s.told); (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    for (size_t i = 0; i < COUNT_OF(TOLD); i++)
        if (strstr(buf_cstr(&s.told), TOLD[i]) == NULL)
            fail_msg("no %s in\n%s", TOLD[i], buf_cstr(&s.told));
    if (lines != COUNT_OF(TOLD))
        fail_msg("%s", buf_cstr(&s.told));
    buf_reset(&s.told);
    pass(&s, 30 * MINUTE);
    assert_told(&s, ""); /* once */
    sim_close(&s);
}

static void test_outage__of_ten_minutes(void **state)
{
    static const struct sim_plan PLANS[] = {
        {"a", NOTIFY_RETRY, 0, 0},
        {"a", NOTIFY_RETRY, 30 * SECOND, 0},
        {"a", NOTIFY_FAILED, 0, 0},
        {"a", NOTIFY_RETRY, 0, HOUR}, /* no answer at all */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(PLANS); i++)
        for (enum restart how = NO_RESTART; how <= CRASH; how++)
            outage(PLANS[i], how);
}

/* Of what ended long ago nobody speaks any more: it is kept until the end was told. */
static void test_outage__of_hours_with_a_crash(void **state)
{
    struct sim s;
    struct engine_counts c;
    (void)state;
    sim_open(&s, CONFIG, "");
    fire(&s, "n=x g=1");
    pass(&s, MINUTE);
    assert_told(&s, "+10s a first notification: x\n");
    sim_answer(&s, "a", NOTIFY_RETRY);
    resolve(&s, "n=x g=1");
    pass(&s, 3 * HOUR);
    sim_crash(&s);
    pass(&s, 30 * HOUR); /* longer than the notification log remembers what worked */
    sim_answer(&s, "a", NOTIFY_SENT);
    pass(&s, 2 * MINUTE);
    assert_non_null(strstr(buf_cstr(&s.told), "a all alerts resolved: x!\n"));
    pass(&s, HOUR);
    engine_count(s.e, &c);
    assert_int_equal(c.alerts, 0); /* then it goes */
    sim_close(&s);
}

/* ---- Against a model ---- */

enum { GROUPS = 12, ALERTS = 48, STEP_MS = 15 * SECOND, SAID_AGAIN_MS = MINUTE };

struct truth {
    uint64_t random;
    bool firing[ALERTS], again[2][ALERTS]; /* again: it fired since it was told of last */
    int64_t ended_ms[ALERTS];              /* 0: it never fired */
    enum { UNKNOWN, TOLD_FIRING, TOLD_ENDED } known[2][ALERTS];
    unsigned stale;     /* notifications without news */
    int64_t crashed_ms; /* 0: never */
};

static uint64_t random_below(struct truth *t, uint64_t n)
{
    t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (t->random >> 33) % n;
}

static void note(struct sim *s, const struct notification *n)
{
    struct truth *t = s->arg;
    bool news = false;
    size_t to = str_eq(n->receiver, STR("b"));
    for (size_t i = 0; i < n->alert_count; i++) {
        str name = labels_get(n->alerts[i].alert->labels, STR("n"));
        size_t a = 0;
        for (size_t k = 0; k < name.len; k++)
            a = 10 * a + (size_t)(name.ptr[k] - '0');
        assert_true(a < ALERTS);
        news = news || t->again[to][a] ||
               t->known[to][a] != (n->alerts[i].resolved ? TOLD_ENDED : TOLD_FIRING);
        t->again[to][a] = false;
        t->known[to][a] = n->alerts[i].resolved ? TOLD_ENDED : TOLD_FIRING;
    }
    t->stale += !news;
}

/* Rules say ends for a quarter of an hour, again and again; here only what a crash may have lost is
 * said again, as a group that hears of an end anew tells it anew, just as Alertmanager. */
static bool is_recent(const struct truth *t, const struct sim *s, size_t i)
{
    return t->ended_ms[i] != 0 && s->now_ms - t->crashed_ms <= STEP_MS &&
           s->now_ms - t->ended_ms[i] <= SAID_AGAIN_MS;
}

static void say(struct sim *s, const struct truth *t, size_t i)
{
    char labels[64];
    (void)snprintf(labels, sizeof(labels), "n=%zu g=%zu", i, i % GROUPS);
    if (t->firing[i])
        put(s, labels, s->now_ms + 4 * MINUTE);
    else if (t->ended_ms[i] == s->now_ms || (t->crashed_ms != 0 && is_recent(t, s, i)))
        put(s, labels, t->ended_ms[i]);
}

static void one_step(struct sim *s, struct truth *t, unsigned step)
{
    for (size_t i = 0; i < ALERTS; i++) {
        bool changes = random_below(t, 100) < (t->firing[i] ? 3 : 2);
        if (changes) {
            t->firing[i] = !t->firing[i];
            t->ended_ms[i] = s->now_ms;
            for (size_t to = 0; to < 2; to++)
                t->again[to][i] = t->again[to][i] || t->firing[i];
        }
        if (changes || step % 4 == 0 || s->now_ms - t->crashed_ms <= STEP_MS)
            say(s, t, i);
    }
    pass(s, STEP_MS);
}

static void fail_with(const struct truth *t, uint64_t seed, const char *what, size_t i)
{
    fail_msg("seed %llu: alert %zu %s: fires %d, told %d, %d", (unsigned long long)seed, i, what,
             t->firing[i], (int)t->known[0][i], (int)t->known[1][i]);
}

/* `fallback`: then either of them knows what fires, and whoever was told that knows the end. */
static void check_told(const struct truth *t, uint64_t seed, bool fallback)
{
    for (size_t i = 0; i < ALERTS; i++) {
        bool one = t->known[0][i] == TOLD_FIRING, two = t->known[1][i] == TOLD_FIRING;
        if (t->firing[i] && !one && !(fallback && two))
            fail_with(t, seed, "is told to nobody", i);
        if (!t->firing[i] && (one || two))
            fail_with(t, seed, "has not ended", i);
    }
    if (t->stale > (t->crashed_ms != 0 ? 1 : 0))
        fail_msg("seed %llu: %u notifications without news", (unsigned long long)seed, t->stale);
}

static void run_random(uint64_t seed, const char *ext, bool fallback)
{
    struct truth t = {.random = seed};
    struct sim s;
    sim_open(&s, CONFIG, ext);
    s.on_sent = note;
    s.arg = &t;
    for (unsigned step = 0; step < 160; step++) { /* 40 minutes; down from the 10th to the 20th */
        if (step == 40)
            *sim_plan(&s, "a") = seed % 3 == 0   ? (struct sim_plan){"a", NOTIFY_FAILED, 0, 0}
                                 : seed % 3 == 1 ? (struct sim_plan){"a", NOTIFY_RETRY, 0, 0}
                                                 : (struct sim_plan){"a", 0, 0, HOUR};
        if (step == 80)
            *sim_plan(&s, "a") = (struct sim_plan){"a", NOTIFY_SENT, 0, 0};
        if (step == 60 + seed % 10)
            restart(&s, (enum restart)(seed % 4 % 3));
        if (step == 60 + seed % 10 && seed % 4 % 3 == CRASH)
            t.crashed_ms = s.now_ms;
        one_step(&s, &t, step);
    }
    for (size_t i = 0; i < ALERTS; i++)
        say(&s, &t, i);
    pass(&s, 3 * MINUTE); /* nothing changes: all is told */
    check_told(&t, seed, fallback);
    for (size_t i = 0; i < ALERTS; i++)
        if (t.firing[i]) {
            t.firing[i] = false;
            t.ended_ms[i] = s.now_ms;
            say(&s, &t, i);
        }
    pass(&s, 3 * MINUTE);
    check_told(&t, seed, fallback);
    sim_close(&s);
}

static void test_outage__against_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++)
        run_random(seed, "", false);
}

static void test_outage__with_a_fallback(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++)
        run_random(seed, "delivery: {fallbacks: [{receiver: a, to: b}]}", true);
}

static void test_outage__with_a_rate(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_random(seed, "delivery: {rate_limits: [{receiver: a, per: 3s, burst: 2}]}", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outage__of_ten_minutes),
        cmocka_unit_test(test_outage__of_hours_with_a_crash),
        cmocka_unit_test(test_outage__against_a_model),
        cmocka_unit_test(test_outage__with_a_fallback),
        cmocka_unit_test(test_outage__with_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
