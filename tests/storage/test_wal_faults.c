/* test_wal_faults.c -- the disk says no: every operation of a workload fails once or from then on,
 * space ends, bytes rot. What was acknowledged stays; what is damaged costs only itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "storage/wal_format.h"
#include "support/wal_oracle.h"

static struct wal_oracle *oracle; /* of the test running */

static int set_up(void **state)
{
    (void)state;
    oracle = malloc(sizeof(*oracle));
    oracle_init(oracle, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(oracle);
    return 0;
}

static struct wal *open_ok(struct fs_sim *sim, const struct wal_options *options)
{
    struct wal *w;
    assert_int_equal(oracle_open(oracle, fs_sim_fs(sim), options, &w), OK);
    return w;
}

static void power_cycle_and_check(struct fs_sim *sim, const struct wal_options *options)
{
    fs_sim_crash(sim);
    struct wal *w = open_ok(sim, options);
    oracle_check(oracle);
    assert_int_equal(oracle->damages, 0);
    (void)wal_close(w);
}

/* Failing operations. */

enum { FAULT_GROUPS = 14 };

/* Returns whether the fault struck at all. */
static bool fail_at(uint64_t at, unsigned ops, enum sim_failure how, bool forever)
{
    struct wal_options options = oracle_options();
    struct fs_sim *sim = fs_sim_new(at);
    struct wal *w;
    oracle_init(oracle, 3);
    fs_sim_fail(sim, ops, at, how, forever);
    err e = oracle_open(oracle, fs_sim_fs(sim), &options, &w);
    if (e == OK) {
        oracle_work(oracle, w, FAULT_GROUPS);
        bool struck = fs_sim_failures(sim) > 0;
        if (struck && !forever) { /* one failure is over: the log is well, or recovers at once */
            assert_int_equal(wal_try_recover(w), OK);
            assert_true(oracle_group(oracle, w, 2));
        }
        fs_sim_clear(sim);
        assert_int_equal(wal_try_recover(w), OK);
        assert_true(oracle_group(oracle, w, 2));
        assert_true(oracle_group(oracle, w, 1));
        struct fs_sim *after = fs_sim_clone(sim, at);
        (void)wal_close(w);
        power_cycle_and_check(after, &options);
        fs_sim_free(after);
    }
    bool struck = fs_sim_failures(sim) > 0;
    assert_true(e == OK || struck);
    fs_sim_clear(sim);
    power_cycle_and_check(sim, &options);
    fs_sim_free(sim);
    return struck;
}

static void test_wal_faults__every_operation_fails(void **state)
{
    (void)state;
    static const enum sim_failure how[] = {SIM_EIO, SIM_ENOSPC, SIM_SHORT_EIO, SIM_SHORT_ENOSPC};
    for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++)
        for (int forever = 0; forever < 2; forever++)
            for (uint64_t at = 1; fail_at(at, SIM_CHANGING, how[i], forever != 0); at++) {
            }
}

static void test_wal_faults__every_sync_fails(void **state)
{
    (void)state;
    for (int forever = 0; forever < 2; forever++)
        for (uint64_t at = 1; fail_at(at, SIM_SYNC, SIM_EIO, forever != 0); at++) {
        }
}

/* Reads fail while a log is opened: it opens with all its records, or not at all. */
static void test_wal_faults__every_read_fails(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct fs_sim *sim = fs_sim_new(5);
    struct wal *w = open_ok(sim, &options);
    for (unsigned i = 0; i < 30; i++)
        assert_true(oracle_group(oracle, w, 2));
    assert_int_equal(wal_close(w), OK);
    bool struck = true;
    for (uint64_t at = 1; struck; at++)
        for (int forever = 0; forever < 2; forever++) {
            struct fs_sim *copy = fs_sim_clone(sim, at);
            fs_sim_fail(copy, SIM_READING, at, SIM_EIO, forever != 0);
            if (oracle_open(oracle, fs_sim_fs(copy), &options, &w) == OK) {
                if (!forever)
                    oracle_check(oracle);
                (void)wal_close(w);
            }
            struck = fs_sim_failures(copy) > 0;
            fs_sim_clear(copy);
            power_cycle_and_check(copy, &options);
            fs_sim_free(copy);
        }
    fs_sim_free(sim);
}

/* The disk is full, for a while. */
static void test_wal_faults__full_disk_heals_by_itself(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    for (uint64_t room = 4096; room < 60 << 10; room += 1531) {
        struct fs_sim *sim = fs_sim_new(room);
        oracle_init(oracle, room);
        fs_sim_set_capacity(sim, room);
        struct wal *w = open_ok(sim, &options);
        unsigned refused = 0;
        for (unsigned i = 0; i < 80; i++) {
            (void)!wal_try_recover(w);
            refused += !oracle_group(oracle, w, 2);
            wal_tick(w);
        }
        assert_true(refused > 0);
        assert_true(wal_begin(w) == ERR_NOSPACE || wal_available(w));
        assert_int_equal(wal_commit(w, NULL), OK);
        fs_sim_set_capacity(sim, 0);
        assert_int_equal(wal_try_recover(w), OK);
        assert_true(oracle_group(oracle, w, 3));
        struct fs_sim *after = fs_sim_clone(sim, 1);
        (void)wal_close(w);
        power_cycle_and_check(after, &options);
        power_cycle_and_check(sim, &options);
        fs_sim_free(after);
        fs_sim_free(sim);
    }
}

static void test_wal_faults__opens_on_a_read_only_disk(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct fs_sim *sim = fs_sim_new(1);
    struct wal *w = open_ok(sim, &options);
    for (unsigned i = 0; i < 9; i++)
        assert_true(oracle_group(oracle, w, 2));
    struct fs_sim *copy = fs_sim_clone(sim, 2);
    (void)wal_close(w);
    fs_sim_crash(copy);
    fs_sim_set_read_only(copy, true);
    w = open_ok(copy, &options);
    oracle_check(oracle);
    assert_false(wal_available(w));
    assert_int_equal(wal_begin(w), ERR_IO);
    assert_int_equal(wal_try_recover(w), ERR_IO);
    fs_sim_set_read_only(copy, false);
    assert_int_equal(wal_try_recover(w), OK);
    assert_true(oracle_group(oracle, w, 2));
    (void)wal_close(w);
    power_cycle_and_check(copy, &options);
    fs_sim_free(copy);
    fs_sim_free(sim);
}

/* A failed sync is not repeated on the same file, and nothing is appended to it. */
static void test_wal_faults__failed_sync_ends_the_segment(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct fs_sim *sim = fs_sim_new(1);
    struct wal *w = open_ok(sim, &options);
    assert_true(oracle_group(oracle, w, 2));
    uint64_t size = wal_stats_of(w).bytes_written + WAL_HEADER_SIZE;
    fs_sim_fail(sim, SIM_SYNC, 1, SIM_EIO, false);
    uint64_t syncs = fs_sim_ops(sim, SIM_SYNC);
    assert_false(oracle_group(oracle, w, 2));
    assert_int_equal(fs_sim_ops(sim, SIM_SYNC), syncs + 1);
    /* cut back to what was acknowledged; the canary build without this step fails here */
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000001.wal").len, size);
    assert_true(wal_available(w));
    assert_true(oracle_group(oracle, w, 2));
    assert_int_equal(wal_segment(w), 2);
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000001.wal").len, size);
    assert_int_equal(wal_stats_of(w).sync_errors, 1);
    (void)wal_close(w);
    power_cycle_and_check(sim, &options);
    fs_sim_free(sim);
}

/* What a failed commit left in the file does not come back later, even when the next segment cannot
 * tell any more where the one before it ended. */
static void test_wal_faults__refused_group_stays_away(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct fs_sim *sim = fs_sim_new(1);
    struct wal *w = open_ok(sim, &options);
    assert_true(oracle_group(oracle, w, 1));
    fs_sim_fail(sim, SIM_SYNC, 1, SIM_EIO, false);
    assert_false(oracle_group(oracle, w, 1)); /* record 1 */
    assert_true(oracle_group(oracle, w, 1));
    fs_sim_kill(sim);
    (void)wal_close(w);
    fs_sim_fill(sim, "/wal/00000002.wal", 0, WAL_HEADER_SIZE, 0);
    fs_sim_fill(sim, "/wal/00000002.defs", 0, WAL_COMPANION_HEADER_SIZE, 0);
    oracle->allow_loss = true;
    w = open_ok(sim, &options);
    assert_true(oracle->seen[0]);
    assert_false(oracle->seen[1]);
    assert_int_equal(oracle->damages, 1); /* the segment without header, set aside */
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000002.wal").len, 0);
    assert_true(fs_sim_bytes(sim, "/wal/quarantine/00000002.wal").len > 0);
    (void)wal_close(w);
    fs_sim_free(sim);
}

/* A sync fails while recovering: the bytes are copied to a new file, never synced again. */
static void test_wal_faults__recovery_rewrites_after_a_failed_sync(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    options.sync = WAL_SYNC_OFF;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct fs_sim *sim = fs_sim_new(seed);
        oracle_init(oracle, seed);
        struct wal *w = open_ok(sim, &options);
        for (unsigned i = 0; i < 8; i++)
            assert_true(oracle_group(oracle, w, 2));
        fs_sim_kill(sim);
        (void)wal_close(w);
        options.sync = WAL_SYNC_ACK;
        fs_sim_fail(sim, SIM_SYNC, 1, SIM_EIO, false);
        w = open_ok(sim, &options);
        oracle_check(oracle);
        assert_true(wal_available(w)); /* by the copy */
        struct fs_sim *after = fs_sim_clone(sim, seed);
        (void)wal_close(w);
        power_cycle_and_check(after, &options); /* everything is durable now */
        fs_sim_free(after);
        fs_sim_free(sim);
        options.sync = WAL_SYNC_OFF;
    }
}

/* Rot. */

static const char *const segment_1 = "/wal/00000001.wal", *const companion_1 = "/wal/00000001.defs";

/* A disk with a sealed segment of `groups` groups, and one more segment if `next`. */
static struct fs_sim *make_log(unsigned groups, unsigned records, bool next)
{
    struct wal_options options = oracle_options();
    struct fs_sim *sim = fs_sim_new(1);
    options.segment_size_max = 1 << 20;
    oracle_init(oracle, 11);
    oracle->size_max = 90;
    struct wal *w = open_ok(sim, &options);
    for (unsigned i = 0; i < groups; i++)
        assert_true(oracle_group(oracle, w, records));
    if (next) {
        assert_int_equal(wal_rotate(w), OK);
        assert_true(oracle_group(oracle, w, records));
    }
    assert_int_equal(wal_close(w), OK);
    return sim;
}

/* Open a damaged disk; returns how many acknowledged records are missing. */
static uint32_t open_damaged(struct fs_sim *sim)
{
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(sim, &options);
    (void)wal_close(w);
    return oracle->count - oracle_seen(oracle);
}

/* The copy in quarantine holds the damaged bytes. */
static void check_copy(struct fs_sim *sim, slice damaged)
{
    slice copy = fs_sim_bytes(sim, oracle->copy);
    const struct wal_damage *d = &oracle->damage;
    assert_true(copy.len == d->size && d->pos + d->size <= damaged.len);
    assert_memory_equal(copy.ptr, damaged.ptr + d->pos, copy.len);
}

static void flip_everywhere(struct fs_sim *sim, const char *path, uint32_t *most_lost)
{
    size_t size = fs_sim_bytes(sim, path).len;
    struct buf damaged = {0};
    *most_lost = 0;
    for (size_t at = 0; at < size; at += at < WAL_HEADER_SIZE ? 17 : 1) {
        struct fs_sim *copy = fs_sim_clone(sim, at);
        fs_sim_flip(copy, path, at * 8 + oracle_random(oracle, 8));
        slice bytes = fs_sim_bytes(copy, path);
        buf_reset(&damaged);
        buf_put(&damaged, bytes.ptr, bytes.len);
        uint32_t lost = open_damaged(copy);
        assert_true(lost == 0 || oracle->damages == 1);
        if (lost > 0)
            check_copy(copy, buf_slice(&damaged));
        *most_lost = lost > *most_lost ? lost : *most_lost;
        fs_sim_free(copy);
    }
    buf_fini(&damaged);
}

static void test_wal_faults__flipped_bit_costs_one_record(void **state)
{
    (void)state;
    uint32_t most_lost;
    struct fs_sim *sim = make_log(5, 4, true);
    flip_everywhere(sim, segment_1, &most_lost);
    assert_int_equal(most_lost, 1);
    flip_everywhere(sim, companion_1, &most_lost);
    assert_int_equal(most_lost, 0);
    fs_sim_free(sim);
    sim = make_log(5, 1, false); /* the seal alone is the witness */
    flip_everywhere(sim, segment_1, &most_lost);
    assert_int_equal(most_lost, 1);
    fs_sim_free(sim);
}

/* Position of group `n` in segment 1, found by its header. */
static uint64_t group_pos(struct fs_sim *sim, unsigned n)
{
    slice bytes = fs_sim_bytes(sim, segment_1);
    for (uint64_t pos = WAL_HEADER_SIZE; pos < bytes.len; pos += WAL_SECTOR)
        if (wal_group_magic_at(bytes.ptr + pos) && n-- == 0)
            return pos;
    fail();
    return 0;
}

static void test_wal_faults__lost_sectors_cost_their_groups(void **state)
{
    (void)state;
    struct fs_sim *sim = make_log(12, 3, true);
    for (uint64_t pos = WAL_HEADER_SIZE; pos + 512 < fs_sim_bytes(sim, segment_1).len; pos += 512)
        for (unsigned sectors = 1; sectors < 5; sectors++) {
            struct fs_sim *copy = fs_sim_clone(sim, pos);
            size_t size = fs_sim_bytes(copy, segment_1).len - pos;
            size = size < sectors * 512 ? size : sectors * 512;
            fs_sim_fill(copy, segment_1, pos, size, (uint8_t)(sectors % 2 * 0xa5));
            assert_true(open_damaged(copy) <= 3 * sectors);
            fs_sim_free(copy);
        }
    fs_sim_free(sim);
}

/* Header and first records of a group are gone: the rest, and all definitions, are not. */
static void test_wal_faults__companion_has_the_definitions(void **state)
{
    (void)state;
    struct fs_sim *sim = make_log(6, 2, true);
    fs_sim_fill(sim, segment_1, group_pos(sim, 0), 300, 0xee);
    assert_true(open_damaged(sim) <= 2); /* and no record misses a definition */
    assert_true(oracle->damage.defines_saved > 0);
    assert_int_equal(oracle->damage.groups_lost, 1);
    fs_sim_free(sim);
}

static void test_wal_faults__header_survives_in_any_copy(void **state)
{
    (void)state;
    struct fs_sim *sim = make_log(6, 2, true);
    for (unsigned kept = 0; kept < 3; kept++) {
        struct fs_sim *copy = fs_sim_clone(sim, kept);
        if (kept != 0)
            fs_sim_fill(copy, segment_1, 0, 512, 0x11);
        if (kept != 1)
            fs_sim_fill(copy, segment_1, WAL_HEADER_COPY_POS, 512, 0x11);
        if (kept != 2)
            fs_sim_fill(copy, companion_1, 0, 512, 0x11);
        assert_int_equal(open_damaged(copy), 0);
        assert_int_equal(oracle->damages, 1);
        fs_sim_free(copy);
    }
    fs_sim_free(sim);
}

static void test_wal_faults__bytes_of_elsewhere_never_verify(void **state)
{
    (void)state;
    struct fs_sim *sim = make_log(6, 1, true);
    slice bytes = fs_sim_bytes(sim, segment_1);
    uint64_t first = group_pos(sim, 1), second = group_pos(sim, 2), third = group_pos(sim, 3);
    struct buf image = {0};
    /* a group again behind the others, one in the place of another, one of another segment */
    buf_put(&image, bytes.ptr, bytes.len);
    memcpy(image.ptr + second, bytes.ptr + first,
           (second - first < third - second ? second - first : third - second));
    fs_sim_put(sim, segment_1, buf_slice(&image));
    assert_int_equal(open_damaged(sim), 1);
    slice other = fs_sim_bytes(sim, "/wal/00000002.wal");
    memcpy(image.ptr + second, other.ptr + WAL_HEADER_SIZE, 512);
    fs_sim_put(sim, segment_1, buf_slice(&image));
    assert_int_equal(open_damaged(sim), 1);
    /* a whole segment under another's name is not replayed: no record is seen twice */
    fs_sim_put(sim, "/wal/00000009.wal", fs_sim_bytes(sim, "/wal/00000002.wal"));
    (void)open_damaged(sim);
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000009.wal").len, 0);
    assert_true(fs_sim_bytes(sim, "/wal/quarantine/00000009.wal").len > 0);
    buf_fini(&image);
    fs_sim_free(sim);
}

/* Any length: what is left whole is used. A successor tells that something is missing. */
static void test_wal_faults__truncated_at_any_length(void **state)
{
    (void)state;
    for (int next = 0; next < 2; next++) {
        struct fs_sim *sim = make_log(5, 2, next != 0);
        size_t size = fs_sim_bytes(sim, segment_1).len;
        for (size_t len = 0; len < size; len += len < WAL_HEADER_SIZE ? 64 : 7) {
            struct fs_sim *copy = fs_sim_clone(sim, len);
            uint32_t whole = 0;
            for (unsigned n = 0; n < 5; n++) /* groups before the cut */
                whole += n < 4 && len >= WAL_HEADER_SIZE && group_pos(sim, n + 1) <= len ? 2 : 0;
            fs_sim_cut(copy, segment_1, len);
            uint32_t lost = open_damaged(copy);
            assert_true(oracle->count - lost >= whole + (next ? 2 : 0));
            assert_true(lost == 0 || !next || oracle->damages > 0);
            fs_sim_free(copy);
        }
        fs_sim_free(sim);
    }
}

/* A tail that was never acknowledged: any part of a group, any zeros, cut without a word. */
static void test_wal_faults__torn_tail_is_no_corruption(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    options.segment_size_max = 1 << 20;
    struct fs_sim *sim = fs_sim_new(1);
    struct wal *w = open_ok(sim, &options);
    for (unsigned i = 0; i < 4; i++)
        assert_true(oracle_group(oracle, w, 2));
    uint64_t end = wal_stats_of(w).bytes_written + WAL_HEADER_SIZE;
    assert_true(oracle_group(oracle, w, 6));
    uint64_t last = wal_stats_of(w).bytes_written + WAL_HEADER_SIZE;
    fs_sim_kill(sim);
    (void)wal_close(w);
    for (uint32_t n = 8; n < oracle->count; n++)
        oracle->acked[n] = false;
    for (uint64_t mask = 0; mask + 1 < 1ull << ((last - end) / 512); mask++) {
        struct fs_sim *copy = fs_sim_clone(sim, mask);
        for (uint64_t i = 0; i < (last - end) / 512; i++)
            if ((mask >> i & 1) == 0)
                fs_sim_fill(copy, segment_1, end + i * 512, 512, 0);
        w = open_ok(copy, &options);
        oracle_check(oracle);
        assert_int_equal(oracle->damages, 0);
        assert_int_equal(oracle_seen(oracle), 8);
        assert_int_equal(wal_stats_of(w).replay_torn_tails, mask != 0);
        (void)wal_close(w);
        assert_int_equal(fs_sim_bytes(copy, segment_1).len, end);
        fs_sim_free(copy);
    }
    fs_sim_free(sim);
}

static void test_wal_faults__missing_segment_is_told(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct fs_sim *sim = fs_sim_new(1);
    struct wal *w = open_ok(sim, &options);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(oracle_group(oracle, w, 1));
        assert_int_equal(wal_rotate(w), OK);
    }
    (void)wal_close(w);
    assert_int_equal(fs_unlink(fs_sim_fs(sim), "/wal/00000002.wal"), OK);
    w = open_ok(sim, &options);
    assert_int_equal(oracle_seen(oracle), 3);
    assert_int_equal(wal_stats_of(w).replay_segments_missing, 1);
    (void)wal_close(w);
    fs_sim_free(sim);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    log_configure((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT); /* thousands of wanted errors */
    const struct CMUnitTest tests[] = {
        TEST(test_wal_faults__every_operation_fails),
        TEST(test_wal_faults__every_sync_fails),
        TEST(test_wal_faults__every_read_fails),
        TEST(test_wal_faults__full_disk_heals_by_itself),
        TEST(test_wal_faults__opens_on_a_read_only_disk),
        TEST(test_wal_faults__failed_sync_ends_the_segment),
        TEST(test_wal_faults__refused_group_stays_away),
        TEST(test_wal_faults__recovery_rewrites_after_a_failed_sync),
        TEST(test_wal_faults__flipped_bit_costs_one_record),
        TEST(test_wal_faults__lost_sectors_cost_their_groups),
        TEST(test_wal_faults__companion_has_the_definitions),
        TEST(test_wal_faults__header_survives_in_any_copy),
        TEST(test_wal_faults__bytes_of_elsewhere_never_verify),
        TEST(test_wal_faults__truncated_at_any_length),
        TEST(test_wal_faults__torn_tail_is_no_corruption),
        TEST(test_wal_faults__missing_segment_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
