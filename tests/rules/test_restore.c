/* test_restore.c -- what is known of alerts after a restart: from the log, whatever happened to it,
 * and from ALERTS_FOR_STATE. */
#include "rules_testing.h"
#include "support/fs_sim.h"

#define FOR(duration)                                                                              \
    "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 1\n    for: " duration "\n"

static void open_log(struct world *w, struct fs_sim *sim)
{
    struct diag d = {.text = ""};
    if (alert_log_open(fs_sim_fs(sim), "/data", &w->env.log, &d) != OK)
        fail_msg("%s", d.text);
}

/* The process ends without a word; the disk has what was written, synced or not. */
static void kill_process(struct world *w)
{
    group_close(w->group);
    alert_log_close(w->env.log);
    w->group = NULL;
    w->env.log = NULL;
    buf_reset(&w->told);
}

static void start(struct world *w, struct fs_sim *sim, const char *yaml, int64_t s)
{
    open_log(w, sim);
    world_load(w, yaml);
    group_restore(w->group, T0 + s * 1000);
}

/* x is 2 at every 30 s of [from, to]. */
static void fire(struct world *w, int64_t from, int64_t to)
{
    for (int64_t s = from; s <= to; s += 30)
        give(w, "x", NULL, NULL, s, 2);
}

static void test_restore__firing_goes_on(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    (void)state;
    world_open(&w);
    start(&w, sim, FOR("1m"), 0);
    fire(&w, 0, 300);
    for (int s = 0; s <= 60; s += 30)
        eval(&w, s);
    assert_told(&w, "firing A{} from 60 until 300; ");
    kill_process(&w);
    start(&w, sim, FOR("1m"), 100);
    assert_alerts(&w, 0, "firing {}=2 at 0 fired 60; ");
    eval(&w, 120);
    assert_told(&w, ""); /* not told twice: the resend delay has not passed */
    assert_newest(&w, "ALERTS",
                  "{alertname=A,alertstate=pending}=stale@60; "
                  "{alertname=A,alertstate=firing}=1@120; ");
    eval(&w, 150);
    assert_told(&w, "firing A{} from 60 until 390; ");
    world_close(&w);
    fs_sim_free(sim);
}

static void test_restore__what_ended_meanwhile_is_resolved(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    (void)state;
    world_open(&w);
    start(&w, sim, FOR("0s"), 0);
    fire(&w, 0, 0);
    eval(&w, 0);
    kill_process(&w);
    give(&w, "x", NULL, NULL, 60, 0);
    start(&w, sim, FOR("0s"), 61);
    eval(&w, 90);
    assert_told(&w, "resolved A{} from 0 until 90; ");
    world_close(&w);
    fs_sim_free(sim);
}

static void test_restore__pending_waits_for_what_was_left(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    (void)state;
    world_open(&w);
    start(&w, sim, FOR("2m"), 0);
    fire(&w, 0, 600);
    for (int s = 0; s <= 60; s += 30)
        eval(&w, s);
    kill_process(&w);
    start(&w, sim, FOR("2m"), 160); /* 100 s down: they do not count */
    assert_alerts(&w, 0, "pending {}=2 at 100 fired -1; ");
    eval(&w, 210);
    assert_alerts(&w, 0, "pending {}=2 at 100 fired -1; ");
    eval(&w, 240);
    assert_told(&w, "firing A{} from 240 until 480; ");
    world_close(&w);
    fs_sim_free(sim);
}

static void test_restore__a_long_for_waits_a_grace_period_at_least(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    (void)state;
    world_open(&w);
    start(&w, sim, FOR("20m"), 0);
    fire(&w, 0, 1140);
    for (int s = 0; s <= 1140; s += 30)
        eval(&w, s);
    kill_process(&w);
    start(&w, sim, FOR("20m"), 1150); /* a minute was left: now it is ten */
    assert_alerts(&w, 0, "pending {}=2 at 550 fired -1; ");
    world_close(&w);
    fs_sim_free(sim);
}

static void test_restore__after_a_long_outage_alerts_begin_anew(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    (void)state;
    world_open(&w);
    start(&w, sim,
          "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 1\n"
          "  - alert: B\n    expr: x > 1\n    for: 5m\n",
          0);
    fire(&w, 0, 0);
    eval(&w, 0);
    kill_process(&w);
    give(&w, "x", NULL, NULL, 4000, 2);
    start(&w, sim,
          "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 1\n"
          "  - alert: B\n    expr: x > 1\n    for: 5m\n",
          4000);
    assert_alerts(&w, 0, "inactive {}=2 at 0 fired 0; ");
    assert_alerts(&w, 1, "");
    eval(&w, 4020);
    assert_alerts(&w, 0, "firing {}=2 at 4020 fired 4020; ");
    assert_alerts(&w, 1, "pending {}=2 at 4020 fired -1; ");
    world_close(&w);
    fs_sim_free(sim);
}

static void test_restore__series_have_time_to_come_back(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    (void)state;
    world_open(&w);
    start(&w, sim, FOR("0s"), 0);
    fire(&w, 0, 0);
    eval(&w, 0);
    kill_process(&w);
    start(&w, sim, FOR("0s"), 1000); /* longer than samples count as current */
    eval(&w, 1000);
    eval(&w, 1030);
    assert_alerts(&w, 0, "firing {}=2 at 0 fired 0; ");
    eval(&w, 1060);
    assert_told(&w, "resolved A{} from 0 until 1060; ");
    world_close(&w);
    fs_sim_free(sim);
}

static void test_restore__rules_that_went_while_down(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    struct alert_set gone = {0};
    (void)state;
    world_open(&w);
    start(&w, sim,
          "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 1\n"
          "  - alert: B\n    expr: x > 1\n",
          0);
    fire(&w, 0, 0);
    eval(&w, 0);
    kill_process(&w);
    start(&w, sim, FOR("0s"), 10);
    assert_true(alert_log_unclaimed(w.env.log, &gone));
    assert_int_equal(gone.count, 1);
    assert_true(str_eq(labels_get(gone.items[0]->labels, STR("alertname")), STR("B")));
    alert_set_fini(&gone);
    assert_false(alert_log_unclaimed(w.env.log, &gone));
    world_close(&w);
    fs_sim_free(sim);
}

/* Cut the log after every byte: what is left is a state that was true once, or nothing. */
static void test_restore__a_torn_log(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(sim);
    struct world w;
    struct buf whole = {0};
    (void)state;
    world_open(&w);
    start(&w, sim, FOR("1m"), 0);
    fire(&w, 0, 60);
    for (int s = 0; s <= 60; s += 30)
        eval(&w, s);
    kill_process(&w);
    assert_int_equal(fs_read_file(fs, "/data/alerts", 1 << 20, &whole), OK);
    for (size_t n = whole.len; n-- > 0;) {
        assert_int_equal(fs_write_file(fs, "/data/alerts", (slice){whole.ptr, n}), OK);
        start(&w, sim, FOR("1m"), 70);
        const char *got = alerts_of(&w, 0);
        if (strcmp(got, "firing {}=2 at 0 fired 60; ") != 0 && strcmp(got, "") != 0 &&
            strcmp(got, "pending {}=2 at 10 fired -1; ") != 0 &&
            strcmp(got, "pending {}=2 at 40 fired -1; ") != 0 &&
            strcmp(got, "pending {}=2 at 70 fired -1; ") != 0)
            fail_msg("%zu bytes: %s", n, got);
        kill_process(&w);
    }
    for (size_t i = 0; i < whole.len; i++) { /* and a flipped bit anywhere is noticed */
        whole.ptr[i] ^= 4;
        assert_int_equal(fs_write_file(fs, "/data/alerts", buf_slice(&whole)), OK);
        open_log(&w, sim);
        alert_log_close(w.env.log);
        w.env.log = NULL;
        whole.ptr[i] ^= 4;
    }
    buf_fini(&whole);
    world_close(&w);
    fs_sim_free(sim);
}

static void test_restore__the_log_does_not_grow_for_ever(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    struct buf file = {0};
    (void)state;
    world_open(&w);
    open_log(&w, sim);
    struct alert_set s = {0};
    struct active_alert a = {.labels = {(struct label[]){{STR("alertname"), STR("A")}}, 1},
                             .state = ALERT_STATE_FIRING};
    alert_set_restore(&s, &a);
    for (uint64_t i = 0; i < 40000; i++)
        alert_log_put(w.env.log, (hash128){i % 7, 1}, &s, false);
    alert_log_close(w.env.log);
    w.env.log = NULL;
    assert_int_equal(fs_read_file(fs_sim_fs(sim), "/data/alerts", 2 << 20, &file), OK);
    assert_in_range(file.len, 1, 1100000);
    open_log(&w, sim);
    for (uint64_t i = 0; i < 7; i++) {
        struct alert_set got = {0};
        assert_true(alert_log_get(w.env.log, (hash128){i, 1}, &got));
        assert_int_equal(got.count, 1);
        alert_set_fini(&got);
    }
    alert_set_fini(&s);
    buf_fini(&file);
    world_close(&w);
    fs_sim_free(sim);
}

/* The power goes at any write: what could be written before alerts were told of is there again. */
static void test_restore__power_loss(void **state)
{
    bool clean = false;
    (void)state;
    for (uint64_t at = 1; !clean; at++) {
        struct fs_sim *sim = fs_sim_new(at);
        struct world w;
        world_open(&w);
        start(&w, sim, FOR("0s"), 0);
        fire(&w, 0, 60);
        fs_sim_die_at(sim, at);
        eval(&w, 0);
        assert_told(&w, "firing A{} from 0 until 240; "); /* whatever the disk says */
        clean = !fs_sim_is_dead(sim);
        fs_sim_crash(sim);
        kill_process(&w);
        start(&w, sim, FOR("0s"), 10);
        if (clean)
            assert_alerts(&w, 0, "firing {}=2 at 0 fired 0; ");
        world_close(&w);
        fs_sim_free(sim);
        assert_in_range(at, 1, 20);
    }
}

/* A disk that was full takes everything once there is room. */
static void test_restore__a_full_disk(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    (void)state;
    world_open(&w);
    start(&w, sim, FOR("0s"), 0);
    fire(&w, 0, 60);
    fs_sim_set_capacity(sim, 20);
    eval(&w, 0);
    assert_told(&w, "firing A{} from 0 until 240; ");
    fs_sim_set_capacity(sim, 0);
    eval(&w, 90);
    kill_process(&w);
    start(&w, sim, FOR("0s"), 100);
    assert_alerts(&w, 0, "firing {}=2 at 0 fired 0; ");
    world_close(&w);
    fs_sim_free(sim);
}

/* It was full when the server began, too. */
static void test_restore__a_start_on_a_full_disk(void **state)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    (void)state;
    world_open(&w);
    fs_sim_set_capacity(sim, 1);
    start(&w, sim, FOR("0s"), 0);
    fire(&w, 0, 60);
    eval(&w, 0);
    assert_told(&w, "firing A{} from 0 until 240; ");
    fs_sim_set_capacity(sim, 0);
    eval(&w, 90);
    kill_process(&w);
    start(&w, sim, FOR("0s"), 100);
    assert_alerts(&w, 0, "firing {}=2 at 0 fired 0; ");
    world_close(&w);
    fs_sim_free(sim);
}

/* ---- ALERTS_FOR_STATE ---- */

static void for_state(struct world *w, int64_t s, double value)
{
    size_t series =
        fake_store_series(w->store, "__name__", "ALERTS_FOR_STATE", "alertname", "A", NULL);
    fake_store_add(w->store, series, T0 + s * 1000, value);
}

/* Samples of a Prometheus that was here before, then a start with an empty log. */
static void restored_from(double value, int64_t last_s, int64_t first_s, const char *duration,
                          const char *want)
{
    struct fs_sim *sim = fs_sim_new(1);
    struct world w;
    char yaml[256];
    world_open(&w);
    (void)snprintf(yaml, sizeof(yaml),
                   "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 1\n"
                   "    for: %s\n",
                   duration);
    for_state(&w, last_s, value);
    give(&w, "x", NULL, NULL, first_s, 2);
    start(&w, sim, yaml, first_s);
    eval(&w, first_s);
    assert_true(strstr(newest(&w, "ALERTS"), "pending") == NULL || strcmp(duration, "9m") == 0);
    eval(&w, first_s + 30);
    assert_alerts(&w, 0, want);
    eval(&w, first_s + 60);
    assert_true(strstr(newest(&w, "ALERTS"), "}=1@") != NULL);
    world_close(&w);
    fs_sim_free(sim);
}

static void test_restore__from_alerts_for_state(void **state)
{
    const double began = (double)(T0 / 1000);
    (void)state;
    /* 15 of 20 minutes waited, 100 s down until the second evaluation: a grace period from then on
     */
    restored_from(began, 900, 970, "20m", "pending {}=2 at 400 fired -1; ");
    /* 5 of 20 minutes: the 100 s do not count */
    restored_from(began, 300, 370, "20m", "pending {}=2 at 100 fired -1; ");
    /* it fired then: so it does again */
    restored_from(began, 1500, 1570, "20m", "pending {}=2 at 0 fired -1; ");
    /* it had ended */
    restored_from(f64_from_bits(STALE_NAN_BITS), 300, 370, "20m", "pending {}=2 at 370 fired -1; ");
    /* too long ago */
    restored_from(began, 300, 4000, "20m", "pending {}=2 at 4000 fired -1; ");
    /* shorter than the grace period: upstream does not look */
    restored_from(began, 300, 370, "9m", "pending {}=2 at 370 fired -1; ");
}

/* The record of a rule is lost: its samples say how long it waited. Nobody asks them where the log
 * is whole. */
static void test_restore__damage_is_made_up_for_by_samples(void **state)
{
    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        struct fs_sim *sim = fs_sim_new(1);
        struct world w;
        world_open(&w);
        open_log(&w, sim);
        alert_log_put(w.env.log, (hash128){1, 1}, &(struct alert_set){0}, true);
        alert_log_put(w.env.log, (hash128){2, 1}, &(struct alert_set){0}, true);
        alert_log_close(w.env.log);
        if (damaged)
            fs_sim_flip(sim, "/data/alerts", (16 + 8) * 8);
        for_state(&w, 300, (double)(T0 / 1000));
        give(&w, "x", NULL, NULL, 370, 2);
        start(&w, sim, FOR("20m"), 370);
        assert_int_equal(alert_log_was_whole(w.env.log), !damaged);
        eval(&w, 370);
        eval(&w, 400);
        assert_alerts(
            &w, 0, damaged ? "pending {}=2 at 100 fired -1; " : "pending {}=2 at 370 fired -1; ");
        world_close(&w);
        fs_sim_free(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore__firing_goes_on),
        cmocka_unit_test(test_restore__what_ended_meanwhile_is_resolved),
        cmocka_unit_test(test_restore__pending_waits_for_what_was_left),
        cmocka_unit_test(test_restore__a_long_for_waits_a_grace_period_at_least),
        cmocka_unit_test(test_restore__after_a_long_outage_alerts_begin_anew),
        cmocka_unit_test(test_restore__series_have_time_to_come_back),
        cmocka_unit_test(test_restore__rules_that_went_while_down),
        cmocka_unit_test(test_restore__a_torn_log),
        cmocka_unit_test(test_restore__power_loss),
        cmocka_unit_test(test_restore__a_full_disk),
        cmocka_unit_test(test_restore__a_start_on_a_full_disk),
        cmocka_unit_test(test_restore__the_log_does_not_grow_for_ever),
        cmocka_unit_test(test_restore__from_alerts_for_state),
        cmocka_unit_test(test_restore__damage_is_made_up_for_by_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
