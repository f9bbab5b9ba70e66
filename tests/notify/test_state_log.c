/* test_state_log.c -- what was synced is there again after any crash, failure, cut or flipped bit;
 * the notification log decides by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "notify/sent_log.h"
#include "support/fs_sim.h"

enum { KEYS = 20 };

static void put(struct state_log *l, unsigned key, unsigned value)
{
    slice k = {(const uint8_t *)&key, sizeof(key)}, v = {(const uint8_t *)&value, sizeof(value)};
    state_log_put(l, STATE_SENT, k, value > 0 ? &v : NULL);
}

static void take(void *arg, slice key, slice value)
{
    unsigned *values = arg, k;
    memcpy(&k, key.ptr, sizeof(k));
    assert_true(k < KEYS && value.len == sizeof(unsigned));
    memcpy(&values[k], value.ptr, sizeof(unsigned));
}

/* Set and remove values, a sync behind each; *synced counts those that were. */
static err write_all(struct fs *fs, unsigned *synced)
{
    struct state_log *l;
    *synced = 0;
    TRY(state_log_open(fs, "/notify", &l, NULL));
    err e = OK;
    for (unsigned i = 0; e == OK && i < 3 * KEYS; i++) {
        put(l, i % KEYS, i % 7 == 3 ? 0 : i + 1);
        e = state_log_sync(l);
        *synced += e == OK;
    }
    state_log_close(l);
    return e;
}

static void expect(unsigned *values, unsigned writes)
{
    memset(values, 0, KEYS * sizeof(*values));
    for (unsigned i = 0; i < writes; i++)
        values[i % KEYS] = i % 7 == 3 ? 0 : i + 1;
}

static void check(struct fs_sim *disk, unsigned synced, uint64_t at)
{
    struct state_log *l;
    unsigned got[KEYS] = {0}, want[KEYS], more[KEYS];
    assert_int_equal(state_log_open(fs_sim_fs(disk), "/notify", &l, NULL), OK);
    state_log_each(l, STATE_SENT, take, got);
    state_log_close(l);
    expect(want, synced);
    expect(more, synced + 1); /* what was being written may be there */
    if (memcmp(got, want, sizeof(got)) != 0 && memcmp(got, more, sizeof(got)) != 0)
        fail_msg("operation %llu: not what was synced", (unsigned long long)at);
}

static void test_state_log__survives_death_at_any_operation(void **state)
{
    (void)state;
    for (uint64_t at = 1;; at++) {
        struct fs_sim *disk = fs_sim_new(at);
        unsigned synced;
        fs_sim_die_at(disk, at);
        (void)!write_all(fs_sim_fs(disk), &synced);
        bool died = fs_sim_is_dead(disk);
        fs_sim_crash(disk);
        fs_sim_clear(disk);
        check(disk, synced, at);
        fs_sim_free(disk);
        if (!died)
            break;
    }
}

static void test_state_log__heals_after_failures(void **state)
{
    static const enum sim_failure HOW[] = {SIM_EIO, SIM_ENOSPC, SIM_SHORT_EIO, SIM_SHORT_ENOSPC};
    (void)state;
    for (uint64_t at = 1; at < 200; at += 3) {
        struct fs_sim *disk = fs_sim_new(at);
        struct state_log *l;
        unsigned got[KEYS] = {0}, want[KEYS];
        assert_int_equal(state_log_open(fs_sim_fs(disk), "/notify", &l, NULL), OK);
        fs_sim_fail(disk, SIM_WRITE | SIM_SYNC, at, HOW[at % COUNT_OF(HOW)], false);
        for (unsigned i = 0; i < 3 * KEYS; i++) {
            put(l, i % KEYS, i % 7 == 3 ? 0 : i + 1);
            (void)!state_log_sync(l);
        }
        assert_int_equal(state_log_sync(l), OK); /* all of it is tried again */
        state_log_close(l);
        fs_sim_crash(disk);
        fs_sim_clear(disk);
        assert_int_equal(state_log_open(fs_sim_fs(disk), "/notify", &l, NULL), OK);
        state_log_each(l, STATE_SENT, take, got);
        expect(want, 3 * KEYS);
        assert_memory_equal(got, want, sizeof(got));
        state_log_close(l);
        fs_sim_free(disk);
    }
}

static void test_state_log__reads_damage_as_an_early_end(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    unsigned synced;
    (void)state;
    assert_int_equal(write_all(fs_sim_fs(disk), &synced), OK);
    size_t size = fs_sim_bytes(disk, "/notify/state").len;
    for (size_t i = 0; i < size; i += 5) {
        struct fs_sim *copy = fs_sim_clone(disk, i);
        struct state_log *l;
        unsigned got[KEYS] = {0};
        if (i % 2 == 0)
            fs_sim_cut(copy, "/notify/state", i);
        else
            fs_sim_flip(copy, "/notify/state", i * 8 + i % 8);
        assert_int_equal(state_log_open(fs_sim_fs(copy), "/notify", &l, NULL), OK);
        state_log_each(l, STATE_SENT, take, got); /* checks what it gets */
        state_log_close(l);
        fs_sim_free(copy);
    }
    fs_sim_free(disk);
}

/* However often values change, the file stays one that can be read, and what waits for a sync is
 * bounded. */
static void test_state_log__stays_within_its_size(void **state)
{
    (void)state;
    enum { KEPT = 64 << 10, VALUE = 6 << 10, FILE_MAX = 4 * KEPT };
    struct fs_sim *disk = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(disk);
    struct state_log *l;
    struct buf file = {0};
    static const uint8_t VALUES[VALUE] = {1};
    size_t largest = 0;
    assert_int_equal(state_log_open(fs, "/notify", &l, NULL), OK);
    assert_true(state_log_has_room(l, STATE_LOG_KEPT_BYTES_MAX));
    assert_false(state_log_has_room(l, STATE_LOG_KEPT_BYTES_MAX + 1));
    state_log_set_limits_for_test(l, (struct state_log_limits){FILE_MAX, KEPT, 2 * VALUE});
    for (unsigned i = 0; i < 200; i++) {
        unsigned key = i % 10;
        slice k = {(const uint8_t *)&key, sizeof(key)}, v = {VALUES, VALUE};
        assert_int_equal(state_log_has_room(l, VALUE), i < 10);
        state_log_put(l, STATE_ALERT, k, &v);
        buf_reset(&file);
        assert_int_equal(fs_read_file(fs, "/notify/state", FILE_MAX, &file), OK);
        largest = MAX(largest, file.len);
    }
    assert_true(largest > FILE_MAX / 2 - 3 * VALUE); /* it was held back until there was need */
    assert_int_equal(state_log_sync(l), OK);
    state_log_close(l);
    assert_int_equal(state_log_open(fs, "/notify", &l, NULL), OK);
    state_log_set_limits_for_test(l, (struct state_log_limits){FILE_MAX, KEPT, 2 * VALUE});
    assert_false(state_log_has_room(l, VALUE));
    for (unsigned key = 0; key < 10; key++)
        state_log_put(l, STATE_ALERT, (slice){(const uint8_t *)&key, sizeof(key)}, NULL);
    assert_true(state_log_has_room(l, KEPT));
    state_log_close(l);
    buf_fini(&file);
    fs_sim_free(disk);
}

static void test_sent_log__decides(void **state)
{
    static const uint64_t A[] = {1, 2}, B[] = {1, 2, 3}, C[] = {2};
    const struct sent told = {.at_ms = 1000, .firing = A, .firing_count = 2};
    const struct sent over = {.at_ms = 1000, .resolved = A, .resolved_count = 2};
    (void)state;
    assert_int_equal(sent_decide(NULL, A, 2, NULL, 0, true, 10, 0), REASON_FIRST);
    assert_int_equal(sent_decide(NULL, NULL, 0, A, 2, true, 10, 0), REASON_NONE);
    assert_int_equal(sent_decide(&told, B, 3, NULL, 0, true, 10, 1000), REASON_NEW_ALERTS);
    assert_int_equal(sent_decide(&over, A, 2, NULL, 0, true, 10, 1000), REASON_FIRST);
    assert_int_equal(sent_decide(&told, NULL, 0, A, 2, true, 10, 1000), REASON_ALL_RESOLVED);
    assert_int_equal(sent_decide(&told, NULL, 0, A, 2, false, 10, 1000), REASON_ALL_RESOLVED);
    assert_int_equal(sent_decide(&over, NULL, 0, A, 2, true, 10, 5000), REASON_NONE);
    assert_int_equal(sent_decide(&told, C, 1, A, 1, true, 10, 1000), REASON_SOME_RESOLVED);
    assert_int_equal(sent_decide(&told, C, 1, A, 1, false, 10, 1000), REASON_NONE);
    assert_int_equal(sent_decide(&told, A, 2, NULL, 0, true, 10, 1010), REASON_NONE);
    assert_int_equal(sent_decide(&told, A, 2, NULL, 0, true, 10, 1011), REASON_REPEAT);
}

static void test_sent_log__forgets_what_expired(void **state)
{
    static const uint64_t LIST[] = {1, 2, 3};
    struct fs_sim *disk = fs_sim_new(1);
    struct state_log *l;
    struct sent s = {.at_ms = 5,
                     .firing = LIST,
                     .firing_count = 1,
                     .resolved = LIST + 1,
                     .resolved_count = 2},
                got;
    (void)state;
    assert_int_equal(state_log_open(fs_sim_fs(disk), "/notify", &l, NULL), OK);
    struct sent_log *log = sent_log_open(l);
    for (unsigned i = 0; i < 1000; i++) {
        char key[32];
        int n = snprintf(key, sizeof(key), "{}:{n=%u}", i);
        s.expires_at_ms = 100 + i;
        sent_log_put(log, (str){key, (size_t)n}, &s);
    }
    sent_log_gc(log, 600);
    assert_int_equal(sent_log_count(log), 499);
    assert_int_equal(state_log_sync(l), OK);
    sent_log_close(log);
    state_log_close(l);
    assert_int_equal(state_log_open(fs_sim_fs(disk), "/notify", &l, NULL), OK);
    log = sent_log_open(l);
    assert_int_equal(sent_log_count(log), 499);
    assert_true(sent_log_get(log, STR("{}:{n=700}"), 600, &got));
    assert_int_equal(got.firing_count, 1);
    assert_int_equal(got.resolved[1], 3);
    assert_false(sent_log_get(log, STR("{}:{n=700}"), 800, &got)); /* expired, not yet gone */
    assert_false(sent_log_get(log, STR("{}:{n=7}"), 0, &got));
    sent_log_close(log);
    state_log_close(l);
    fs_sim_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_log__survives_death_at_any_operation),
        cmocka_unit_test(test_state_log__heals_after_failures),
        cmocka_unit_test(test_state_log__reads_damage_as_an_early_end),
        cmocka_unit_test(test_state_log__stays_within_its_size),
        cmocka_unit_test(test_sent_log__decides),
        cmocka_unit_test(test_sent_log__forgets_what_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
