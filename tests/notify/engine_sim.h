/* engine_sim.h -- an engine over scripted time and a simulated disk, with integrations that record
 * what they are told, for tests of src/notify. */
#ifndef TESTS_NOTIFY_ENGINE_SIM_H
#define TESTS_NOTIFY_ENGINE_SIM_H

#include "base/compiler.h"
#include "notify/engine.h"
#include "notify_testing.h"
#include "support/fs_sim.h"

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
    SIM_PLANS_MAX = 8,
    SIM_HELD_MAX = 256,
};
static const int64_t T0 = INT64_C(1795449600000); /* 2026-11-23T16:00:00Z, a Monday */

struct sim_plan { /* how a receiver answers from now on */
    const char *receiver;
    enum notify_outcome outcome;
    int64_t retry_after_ms;
    int64_t hang_ms; /* it answers that late, or not before the deadline: then it is tried again */
};

struct sim {
    struct fs_sim *disk;
    struct alertmanager_file *f;
    struct alerting_ext *ext; /* NULL: none */
    struct history *history;  /* is told; the test's own, NULL: none */
    struct engine *e;
    int64_t now_ms;
    struct buf told;             /* a line for each notification that was sent */
    enum notify_outcome outcome; /* of what is sent from now on */
    int64_t retry_after_ms;
    unsigned attempts, failed_syncs, opened;
    struct sim_plan plans[SIM_PLANS_MAX]; /* of some receivers; others do as `outcome` says */
    size_t plan_count;
    struct held { /* deliveries that hang */
        struct delivery *d;
        int64_t until_ms;
    } held[SIM_HELD_MAX];
    size_t held_count;
    void (*on_sent)(struct sim *s, const struct notification *n); /* NULL: sim_record() */
    void *arg;
};

static inline struct alerting_ext *testing_ext(struct alertmanager_file *f, const char *text)
{
    struct alerting_ext *x = NULL;
    struct diag d = {.text = ""};
    if (alerting_ext_parse("ext.yml", str_bytes(str_from(text)), f, &x, &d) != OK)
        fail_msg("%s", d.text);
    return x;
}

/* On what the disk has; `start_delay_ms`: see engine_options. */
static inline void sim_open_engine(struct sim *s, int64_t start_delay_ms)
{
    struct engine_options o = {.fs = fs_sim_fs(s->disk),
                               .dir = "/notify",
                               .retention_ms = 120 * HOUR,
                               .seed = ++s->opened, /* ids are not made twice */
                               .start_delay_ms = start_delay_ms,
                               .history = s->history};
    struct diag d = {.text = ""};
    if (engine_open(&o, s->f, (struct engine_companion){.ext = s->ext}, s->now_ms, &s->e, &d) != OK)
        fail_msg("%s", d.text);
}

/* With an alertmanager.yml and, unless NULL, an extensions file. `seed`: of what a crash loses. */
static inline void sim_open_seeded(struct sim *s, const char *config, const char *ext,
                                   uint64_t seed)
{
    *s = (struct sim){.now_ms = T0, .outcome = NOTIFY_SENT, .disk = fs_sim_new(seed)};
    s->f = testing_config(config);
    s->ext = ext != NULL ? testing_ext(s->f, ext) : NULL;
    sim_open_engine(s, 0);
}

static inline void sim_open(struct sim *s, const char *config, const char *ext)
{
    sim_open_seeded(s, config, ext, 1);
}

/* What hangs is called off. */
static inline void sim_close_engine(struct sim *s)
{
    while (s->held_count > 0)
        engine_done(s->e, s->held[--s->held_count].d, (struct notify_result){NOTIFY_RETRY, 0},
                    s->now_ms);
    engine_close(s->e);
}

/* The power fails, and comes back. */
static inline void sim_crash(struct sim *s)
{
    if (!fs_sim_is_dead(s->disk))
        fs_sim_die_at(s->disk, 1);
    sim_close_engine(s);
    fs_sim_crash(s->disk);
    sim_open_engine(s, 0);
}

static inline void sim_close(struct sim *s)
{
    sim_close_engine(s);
    alerting_ext_unref(s->ext);
    alertmanager_config_unref(s->f);
    fs_sim_free(s->disk);
    buf_fini(&s->told);
}

static inline struct sim_plan *sim_plan(struct sim *s, const char *receiver)
{
    size_t i = 0;
    while (i < s->plan_count && strcmp(s->plans[i].receiver, receiver) != 0)
        i++;
    assert_true(i < SIM_PLANS_MAX);
    if (i == s->plan_count)
        s->plans[s->plan_count++].receiver = receiver;
    return &s->plans[i];
}

static inline void sim_answer(struct sim *s, const char *receiver, enum notify_outcome outcome)
{
    *sim_plan(s, receiver) = (struct sim_plan){receiver, outcome, 0, 0};
}

/* "+30s r first notification: a! b" -- an exclamation mark where an alert has ended; "r/1": the
 * receiver's second integration. */
static inline void sim_record(struct sim *s, const struct notification *n)
{
    buf_printf(&s->told, "+%llds " STR_FMT, (long long)(s->now_ms - T0) / SECOND,
               STR_ARG(n->receiver));
    if (n->index > 0)
        buf_printf(&s->told, "/%zu", n->index);
    buf_printf(&s->told, " %s:", notify_reason_text(n->reason));
    for (size_t i = 0; i < n->alert_count; i++) {
        str name = labels_get(n->alerts[i].alert->labels, STR("n"));
        buf_printf(&s->told, " " STR_FMT "%s", STR_ARG(name), n->alerts[i].resolved ? "!" : "");
    }
    buf_put_u8(&s->told, '\n');
}

static inline struct sim_plan sim_plan_of(const struct sim *s, str receiver)
{
    for (size_t i = 0; i < s->plan_count; i++)
        if (str_eq(receiver, str_from(s->plans[i].receiver)))
            return s->plans[i];
    return (struct sim_plan){NULL, s->outcome, s->retry_after_ms, 0};
}

static inline void sim_done(struct sim *s, struct delivery *d, struct notify_result r)
{
    if (fs_sim_is_dead(s->disk)) /* so are we: it was not sent */
        r = (struct notify_result){NOTIFY_FAILED, 0};
    else if (r.outcome == NOTIFY_SENT && s->on_sent != NULL)
        s->on_sent(s, delivery_notification(d));
    else if (r.outcome == NOTIFY_SENT)
        sim_record(s, delivery_notification(d));
    engine_done(s->e, d, r, s->now_ms);
    s->failed_syncs += engine_sync(s->e) != OK; /* logged, and put right later */
}

static inline void sim_send(struct sim *s, struct delivery *d)
{
    const struct notification *n = delivery_notification(d);
    const struct sim_plan p = sim_plan_of(s, n->receiver);
    s->attempts++;
    if (p.hang_ms == 0) {
        sim_done(s, d, (struct notify_result){p.outcome, p.retry_after_ms});
        return;
    }
    assert_true(s->held_count < SIM_HELD_MAX);
    s->held[s->held_count++] = (struct held){d, MIN(n->deadline_ms, s->now_ms + p.hang_ms)};
}

/* Answers of those that hang. */
static inline void sim_answers(struct sim *s)
{
    for (size_t i = 0; i < s->held_count; i++) {
        struct held h = s->held[i];
        if (h.until_ms > s->now_ms)
            continue;
        s->held[i--] = s->held[--s->held_count];
        sim_done(s, h.d, (struct notify_result){NOTIFY_RETRY, 0});
    }
}

static inline int64_t sim_next_ms(const struct sim *s)
{
    int64_t next_ms = engine_next_ms(s->e);
    for (size_t i = 0; i < s->held_count; i++)
        next_ms = MIN(next_ms, s->held[i].until_ms);
    return next_ms;
}

/* Let time pass until `at_ms`, sending what there is to send; or until the machine dies. */
static inline void run_until(struct sim *s, int64_t at_ms)
{
    struct delivery *d;
    for (;;) {
        sim_answers(s);
        while (!fs_sim_is_dead(s->disk) && (d = engine_take(s->e, s->now_ms)) != NULL)
            sim_send(s, d);
        int64_t next_ms = sim_next_ms(s);
        if (fs_sim_is_dead(s->disk))
            return;
        if (next_ms > at_ms)
            break;
        s->now_ms = MAX(next_ms, s->now_ms);
    }
    s->now_ms = at_ms;
}

static inline void pass(struct sim *s, int64_t ms)
{
    run_until(s, s->now_ms + ms);
}

/* Alerts "n=a x=1", with their end (0: not said). */
static inline void put(struct sim *s, const char *labels, int64_t ends_at_ms)
{
    struct testing_labels l;
    struct engine_alert a = {.labels = testing_labels(&l, labels), .ends_at_ms = ends_at_ms};
    a.starts_at_ms = ends_at_ms == 0 ? s->now_ms : MIN(s->now_ms, ends_at_ms - 1);
    assert_int_equal(engine_put(s->e, &a, 1, s->now_ms), OK);
}

static inline void fire(struct sim *s, const char *labels)
{
    put(s, labels, s->now_ms + 100 * HOUR);
}

static inline void resolve(struct sim *s, const char *labels)
{
    put(s, labels, s->now_ms);
}

static inline void assert_told(struct sim *s, const char *want)
{
    assert_string_equal(buf_cstr(&s->told), want);
    buf_reset(&s->told);
}

#endif
