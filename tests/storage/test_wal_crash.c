/* test_wal_crash.c -- power is lost at every operation of a workload, and at every operation of the
 * recovery from that: what was acknowledged is there, whole; nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "support/wal_oracle.h"

enum { GROUPS = 26, IMAGES = 3, NESTED_EVERY = 7 };

static uint64_t base_seed = 1, rounds = 1;

static struct fs_sim *new_disk(uint64_t seed)
{
    return fs_sim_new(seed);
}

/* Open the log, work, and die at operation `at` (0: never). */
static void work_and_die(struct fs_sim *sim, struct wal_oracle *o,
                         const struct wal_options *options, uint64_t at)
{
    struct wal *w;
    if (at > 0)
        fs_sim_die_at(sim, at);
    if (oracle_open(o, fs_sim_fs(sim), options, &w) != OK) {
        assert_true(fs_sim_is_dead(sim));
        return;
    }
    oracle_work(o, w, GROUPS);
    (void)wal_close(w);
}

/* Recover and judge; returns the number of operations that took. */
static uint64_t recover(struct fs_sim *sim, struct wal_oracle *o, const struct wal_options *options)
{
    struct wal *w;
    uint64_t before = fs_sim_ops(sim, SIM_CHANGING);
    assert_int_equal(oracle_open(o, fs_sim_fs(sim), options, &w), OK);
    uint64_t ops = fs_sim_ops(sim, SIM_CHANGING) - before;
    oracle_check(o);
    assert_int_equal(o->damages, 0); /* a crash is no corruption */
    assert_true(wal_available(w));
    (void)wal_close(w);
    return ops;
}

/* A second recovery finds exactly what the first one did. */
static void recover_twice(struct fs_sim *sim, struct wal_oracle *o,
                          const struct wal_options *options)
{
    bool first[ORACLE_RECORDS_MAX];
    (void)recover(sim, o, options);
    memcpy(first, o->seen, sizeof(first));
    fs_sim_crash(sim);
    (void)recover(sim, o, options);
    assert_memory_equal(first, o->seen, sizeof(first));
}

/* Crash in the recovery as well, at each of its operations, and in the recovery from that. */
static void crash_in_recovery(const struct fs_sim *image, const struct wal_oracle *o,
                              const struct wal_options *options, uint64_t ops, uint64_t seed)
{
    for (uint64_t at = 1; at <= ops; at++) {
        struct fs_sim *sim = fs_sim_clone((struct fs_sim *)image, seed + at);
        struct wal_oracle *mine = malloc(sizeof(*mine));
        struct wal *w;
        for (unsigned depth = 0; depth < 2; depth++) {
            *mine = *o;
            fs_sim_die_at(sim, at);
            if (oracle_open(mine, fs_sim_fs(sim), options, &w) == OK)
                (void)wal_close(w);
            fs_sim_crash(sim);
        }
        *mine = *o;
        recover_twice(sim, mine, options);
        free(mine);
        fs_sim_free(sim);
    }
}

/* After recovery the log works: write on, lose power, and everything of both lives is there. */
static void live_on(struct fs_sim *sim, struct wal_oracle *o, const struct wal_options *options)
{
    struct wal *w;
    assert_int_equal(oracle_open(o, fs_sim_fs(sim), options, &w), OK);
    /* What the first life did not get acknowledged, but this one has seen, is here to stay. */
    for (uint32_t n = 0; n < o->count; n++)
        o->acked[n] = o->acked[n] || o->seen[n];
    for (unsigned i = 0; i < 5; i++)
        assert_true(oracle_group(o, w, 2));
    struct fs_sim *later = fs_sim_clone(sim, 99);
    fs_sim_crash(later);
    (void)recover(later, o, options);
    fs_sim_free(later);
    (void)wal_close(w);
}

static void crash_everywhere(const struct wal_options *options, uint64_t seed)
{
    struct wal_oracle *o = malloc(sizeof(*o)), *mine = malloc(sizeof(*mine));
    bool done = false;
    for (uint64_t at = 1; !done; at++) {
        struct fs_sim *sim = new_disk(seed);
        oracle_init(o, seed);
        work_and_die(sim, o, options, at);
        done = !fs_sim_is_dead(sim);
        for (uint64_t image = 0; image < IMAGES; image++) {
            struct fs_sim *crashed = fs_sim_clone(sim, seed * 1000 + at * IMAGES + image);
            fs_sim_crash(crashed);
            struct fs_sim *copy = fs_sim_clone(crashed, at);
            *mine = *o;
            uint64_t ops = recover(copy, mine, options);
            fs_sim_free(copy);
            if ((at + image) % NESTED_EVERY == 0)
                crash_in_recovery(crashed, o, options, ops, seed + at);
            *mine = *o;
            recover_twice(crashed, mine, options);
            live_on(crashed, mine, options);
            fs_sim_free(crashed);
        }
        fs_sim_free(sim);
    }
    free(o);
    free(mine);
}

static void test_wal_crash__keeps_what_was_acknowledged(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    for (uint64_t seed = base_seed; seed < base_seed + rounds; seed++) {
        printf("seed %llu\n", (unsigned long long)seed);
        crash_everywhere(&options, seed);
    }
}

static void test_wal_crash__keeps_it_when_the_segment_is_one_group(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    options.segment_size_max = 512; /* a rotation before every group */
    crash_everywhere(&options, base_seed + 7);
}

/* The process dies, the system lives: nothing that was written is lost, in any mode. */
static void test_wal_crash__kill_loses_nothing_in_any_mode(void **state)
{
    (void)state;
    struct wal_oracle *o = malloc(sizeof(*o));
    for (int mode = WAL_SYNC_ACK; mode <= WAL_SYNC_OFF; mode++) {
        struct wal_options options = oracle_options();
        options.sync = (enum wal_sync)mode;
        options.sync_interval_ms = 1000000;
        for (uint64_t at = 1; at < 120; at += 3) {
            struct fs_sim *sim = new_disk(at);
            oracle_init(o, at);
            work_and_die(sim, o, &options, at);
            fs_sim_kill(sim);
            recover_twice(sim, o, &options);
            fs_sim_free(sim);
        }
    }
    free(o);
}

/* Weaker modes lose a suffix, never anything in the middle, and nothing that was flushed. */
static void interval_round(uint64_t seed)
{
    struct wal_options options = oracle_options();
    options.sync = WAL_SYNC_INTERVAL;
    options.sync_interval_ms = 1000000;
    options.segment_size_max = seed % 2 == 0 ? 1 << 20 : 6 << 10;
    struct fs_sim *sim = new_disk(seed);
    struct wal_oracle *o = malloc(sizeof(*o));
    struct wal *w;
    oracle_init(o, seed);
    assert_int_equal(oracle_open(o, fs_sim_fs(sim), &options, &w), OK);
    uint32_t flushed = 0;
    for (unsigned i = 0; i < 20; i++) {
        assert_true(oracle_group(o, w, 2));
        wal_tick(w);
        if (oracle_random(o, 6) == 0) {
            assert_int_equal(wal_flush(w), OK);
            flushed = o->count;
        }
    }
    struct fs_sim *crashed = fs_sim_clone(sim, seed + 1);
    (void)wal_close(w);
    fs_sim_crash(crashed);
    o->allow_loss = true;
    recover_twice(crashed, o, &options);
    uint32_t first_lost = 0;
    while (first_lost < o->count && o->seen[first_lost])
        first_lost++;
    assert_true(first_lost >= flushed);
    for (uint32_t n = first_lost; n < o->count; n++)
        assert_false(o->seen[n]);
    free(o);
    fs_sim_free(crashed);
    fs_sim_free(sim);
}

static void test_wal_crash__interval_mode_keeps_a_prefix(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++)
        interval_round(seed);
}

/* VARVE_SEED=n starts elsewhere, VARVE_ROUNDS=n goes on for longer. */
int main(void)
{
    const char *seed = getenv("VARVE_SEED");
    const char *count = getenv("VARVE_ROUNDS");
    base_seed = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    rounds = count != NULL ? strtoull(count, NULL, 10) : 1;
    log_configure((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT); /* thousands of wanted errors */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_crash__keeps_what_was_acknowledged),
        cmocka_unit_test(test_wal_crash__keeps_it_when_the_segment_is_one_group),
        cmocka_unit_test(test_wal_crash__kill_loses_nothing_in_any_mode),
        cmocka_unit_test(test_wal_crash__interval_mode_keeps_a_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
