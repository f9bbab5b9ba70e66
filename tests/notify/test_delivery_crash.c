/* test_delivery_crash.c -- the machine dies at any use of the disk, while levels are reached,
 * silences come and go and fallbacks stand in: everybody hears of everything, and at most the one
 * notification that was under way twice. What was silenced stays silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"

#define CONFIG                                                                                     \
    "route:\n"                                                                                     \
    "  receiver: one\n"                                                                            \
    "  group_by: [g]\n"                                                                            \
    "  group_wait: 0s\n"                                                                           \
    "  group_interval: 1m\n"                                                                       \
    "  repeat_interval: 9h\n"                                                                      \
    "  routes: [{matchers: [to=broken], receiver: broken}]\n"                                      \
    "receivers:\n"                                                                                 \
    "- {name: one, webhook_configs: [{url: 'http://h'}]}\n"                                        \
    "- {name: two, webhook_configs: [{url: 'http://h'}]}\n"                                        \
    "- {name: broken, webhook_configs: [{url: 'http://h'}]}\n"                                     \
    "- {name: stand-in, webhook_configs: [{url: 'http://h'}]}\n"
#define EXT                                                                                        \
    "escalation_policies: [{name: p, levels: [{}, {receivers: [two, broken], after: 90s}]}]\n"     \
    "escalation_bindings: [{matchers: [sev=high], policy: p}]\n"                                   \
    "delivery: {fallbacks: [{receiver: broken, to: stand-in, after_failures: 2}]}\n"

enum { DOES_FIRE, DOES_END, DOES_SILENCE, DOES_SPEAK };
static const struct step {
    int64_t at_ms;
    int does;
    const char *labels;
} STEPS[] = {
    {0, DOES_FIRE, "n=a g=1 sev=high"},
    {5 * SECOND, DOES_FIRE, "n=b g=2 to=broken"},
    {20 * SECOND, DOES_SILENCE, "n=c"},
    {25 * SECOND, DOES_FIRE, "n=c g=3"},
    {100 * SECOND, DOES_FIRE, "n=d g=1 sev=high"},
    {190 * SECOND, DOES_END, "n=b g=2 to=broken"},
    {200 * SECOND, DOES_END, "n=a g=1 sev=high"},
    {200 * SECOND, DOES_END, "n=d g=1 sev=high"},
    {280 * SECOND, DOES_SPEAK, "n=c"},
    {400 * SECOND, DOES_END, "n=c g=3"},
};
enum { END_MS = 500 * SECOND, CRASHES_MAX = 2 };

/* What has to be told at least once. */
static const char *const TOLD[] = {"one a",      "one d",       "one a!",      "one d!",
                                   "two a",      "two d",       "two a!",      "two d!",
                                   "stand-in a", "stand-in d",  "one c!",      "one c",
                                   "stand-in b", "stand-in b!", "stand-in a!", "stand-in d!"};

struct run {
    struct sim s;
    unsigned sent, crashes, told[COUNT_OF(TOLD)];
    bool silent;    /* the silence was accepted */
    bool disturbed; /* somebody was told of what was silenced */
};

static void count_sent(struct sim *s, const struct notification *n)
{
    struct run *r = s->arg;
    r->sent++;
    for (size_t i = 0; i < n->alert_count; i++) {
        char what[64];
        str name = labels_get(n->alerts[i].alert->labels, STR("n"));
        (void)snprintf(what, sizeof(what), STR_FMT " " STR_FMT "%s", STR_ARG(n->receiver),
                       STR_ARG(name), n->alerts[i].resolved ? "!" : "");
        r->disturbed = r->disturbed || (r->silent && str_eq(name, STR("c")));
        for (size_t t = 0; t < COUNT_OF(TOLD); t++)
            r->told[t] += strcmp(TOLD[t], what) == 0;
    }
}

static bool silence(struct run *r, const char *matcher)
{
    struct alert_matchers ms;
    struct arena a;
    str id;
    arena_init(&a, 1 << 16);
    assert_int_equal(alert_matchers_parse(str_from(matcher), &a, &ms, NULL, NULL), OK);
    const struct silence made = {.matchers = ms,
                                 .starts_at_ms = r->s.now_ms,
                                 .ends_at_ms = r->s.now_ms + HOUR,
                                 .created_by = STR("me"),
                                 .comment = STR("quiet")};
    err e = silences_set(engine_silences(r->s.e), &made, r->s.now_ms, &id, NULL);
    e = e == OK ? engine_sync(r->s.e) : e;
    alert_matchers_fini(&ms);
    arena_fini(&a);
    return e == OK;
}

/* All of them: one that was not accepted may have got to the disk. */
static bool speak(struct run *r)
{
    struct silences *all = engine_silences(r->s.e);
    r->silent = false;
    for (size_t i = 0; i < silences_count(all); i++)
        assert_int_equal(silences_expire(all, silences_at(all, i)->id, r->s.now_ms), OK);
    return engine_sync(r->s.e) == OK;
}

/* False: nobody was told that it is done. */
static bool do_step(struct run *r, const struct step *step)
{
    if (step->does == DOES_FIRE)
        put(&r->s, step->labels, T0 + HOUR);
    else if (step->does == DOES_END)
        put(&r->s, step->labels, T0 + step->at_ms);
    else if (step->does == DOES_SILENCE)
        return r->silent = silence(r, step->labels);
    else
        return speak(r);
    return true;
}

/* After a crash rules say everything again: what fires, and what ended a while ago. */
static void say_again(struct run *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool over = false;
        for (size_t k = i + 1; k < count; k++)
            over = over ||
                   (STEPS[k].does == DOES_END && strcmp(STEPS[k].labels, STEPS[i].labels) == 0);
        if ((STEPS[i].does == DOES_FIRE && !over) || STEPS[i].does == DOES_END)
            assert_true(do_step(r, &STEPS[i]));
    }
}

static void crash(struct run *r, bool power, uint64_t next)
{
    sim_close_engine(&r->s);
    if (power)
        fs_sim_crash(r->s.disk);
    else
        fs_sim_kill(r->s.disk);
    sim_open_engine(&r->s, 0);
    if (++r->crashes < CRASHES_MAX && next > 0)
        fs_sim_die_at(r->s.disk, next);
}

/* Dies at the `at`-th use of the disk (0: never), and, when it does not lose what was not synced,
 * again at the `again`-th after that. */
static void run(struct run *r, uint64_t seed, uint64_t at, uint64_t again, bool power)
{
    size_t step = 0;
    *r = (struct run){.crashes = 0};
    sim_open_seeded(&r->s, CONFIG, EXT, seed);
    r->s.on_sent = count_sent;
    r->s.arg = r;
    sim_answer(&r->s, "broken", NOTIFY_RETRY);
    if (at > 0)
        fs_sim_die_at(r->s.disk, at);
    while (r->s.now_ms < T0 + END_MS) {
        int64_t next_ms = step < COUNT_OF(STEPS) ? STEPS[step].at_ms : END_MS;
        run_until(&r->s, MAX(T0 + next_ms, r->s.now_ms));
        if (!fs_sim_is_dead(r->s.disk) && step < COUNT_OF(STEPS) && r->s.now_ms >= T0 + next_ms)
            step += do_step(r, &STEPS[step]);
        if (!fs_sim_is_dead(r->s.disk))
            continue;
        crash(r, power, again);
        say_again(r, step);
    }
}

static unsigned check_run(struct run *r, unsigned baseline, const char *when)
{
    for (size_t t = 0; t < COUNT_OF(TOLD); t++)
        if (r->told[t] == 0)
            fail_msg("%s: not told: %s", when, TOLD[t]);
    if (r->disturbed)
        fail_msg("%s: told of what is silenced", when);
    if (baseline > 0 && r->sent > baseline + r->crashes)
        fail_msg("%s: %u notifications instead of %u", when, r->sent, baseline);
    unsigned crashes = r->crashes;
    sim_close(&r->s);
    return crashes;
}

static unsigned baseline(void)
{
    struct run r;
    run(&r, 1, 0, 0, true);
    unsigned sent = r.sent;
    assert_int_equal(check_run(&r, 0, "undisturbed"), 0);
    return sent;
}

static void every_point(bool power, uint64_t again)
{
    unsigned all = baseline(), points = 0, crashes = 1;
    for (uint64_t k = 1; crashes > 0; k++) {
        struct run r;
        char when[64];
        (void)snprintf(when, sizeof(when), "dead at %llu, %llu", (unsigned long long)k,
                       (unsigned long long)again);
        run(&r, k, k, again, power);
        crashes = check_run(&r, all, when);
        points += crashes > 0;
    }
    assert_true(points >= 25);
}

static void test_delivery_crash__power_fails(void **state)
{
    (void)state;
    every_point(true, 0);
}

static void test_delivery_crash__killed(void **state)
{
    (void)state;
    every_point(false, 0);
}

static void test_delivery_crash__twice(void **state)
{
    (void)state;
    for (uint64_t again = 1; again <= 12; again++)
        every_point(again % 2 == 0, again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivery_crash__power_fails),
        cmocka_unit_test(test_delivery_crash__killed),
        cmocka_unit_test(test_delivery_crash__twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
