/* test_record_log.c -- what was flushed is there again after any crash, failure, cut or flipped
 * bit; a full disk delays, what is no log is kept aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/record_log.h"
#include "support/fs_sim.h"

enum { KEYS = 20, WRITES = 3 * KEYS, HEAD_BYTES = 16 };
static const char FILE_PATH[] = "/log/values", ASIDE_PATH[] = "/log/values.damaged";

/* An owner: a value for each key, 0 for none. A record is the key, the value, and padding. */
struct owner {
    unsigned values[KEYS];
    size_t padding_bytes;
    unsigned given; /* how many times all was asked for */
    bool whole;
    struct record_log *log;
};

static void put_record(struct owner *o, unsigned key)
{
    struct buf payload = {0};
    buf_put_u32(&payload, key);
    buf_put_u32(&payload, o->values[key]);
    memset(buf_reserve(&payload, o->padding_bytes + 1), 'p', o->padding_bytes);
    payload.len += o->padding_bytes;
    record_log_put(o->log, buf_slice(&payload));
    buf_fini(&payload);
}

static bool take(void *arg, slice payload)
{
    struct owner *o = arg;
    struct reader r = reader_of(payload);
    uint32_t key = read_u32(&r), value = read_u32(&r);
    if (r.overrun || key >= KEYS)
        return false;
    o->values[key] = value;
    return true;
}

static void give(void *arg, struct record_log *l)
{
    struct owner *o = arg;
    o->log = l;
    o->given++;
    for (unsigned i = 0; i < KEYS; i++)
        if (o->values[i] != 0)
            put_record(o, i);
}

static err open_limited(struct owner *o, struct fs_sim *disk, uint64_t bytes_max, struct diag *d)
{
    const struct record_log_owner owner = {.magic = "VARVETST",
                                           .what = "values",
                                           .bytes_max = bytes_max,
                                           .take = take,
                                           .give = give,
                                           .arg = o};
    memset(o->values, 0, sizeof(o->values));
    o->given = 0;
    o->log = NULL;
    return record_log_open(fs_sim_fs(disk), "/log", "values", &owner, &o->log, &o->whole, d);
}

static err open_owner(struct owner *o, struct fs_sim *disk)
{
    return open_limited(o, disk, 1 << 24, NULL);
}

static void set(struct owner *o, unsigned key, unsigned value)
{
    o->values[key] = value;
    put_record(o, key);
}

/* The i-th write of all tests: some remove. */
static void write_one(struct owner *o, unsigned i)
{
    set(o, i % KEYS, i % 7 == 3 ? 0 : i + 1);
}

static void expect(unsigned *values, unsigned writes)
{
    memset(values, 0, KEYS * sizeof(*values));
    for (unsigned i = 0; i < writes; i++)
        values[i % KEYS] = i % 7 == 3 ? 0 : i + 1;
}

/* All writes, a flush behind each; *synced counts those that were. */
static err write_all(struct owner *o, struct fs_sim *disk, unsigned *synced)
{
    *synced = 0;
    TRY(open_owner(o, disk));
    err e = OK;
    for (unsigned i = 0; e == OK && i < WRITES; i++) {
        write_one(o, i);
        e = record_log_flush(o->log, true);
        *synced += e == OK;
    }
    record_log_close(o->log);
    return e;
}

static struct fs_sim *written_disk(size_t padding_bytes)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct owner o = {.padding_bytes = padding_bytes};
    unsigned synced;
    assert_int_equal(write_all(&o, disk, &synced), OK);
    return disk;
}

static void test_record_log__survives_death_at_any_operation(void **state)
{
    (void)state;
    for (uint64_t at = 1;; at++) {
        struct fs_sim *disk = fs_sim_new(at);
        struct owner o = {.padding_bytes = at % 3 * 300};
        unsigned synced, want[KEYS], more[KEYS];
        fs_sim_die_at(disk, at);
        (void)!write_all(&o, disk, &synced);
        bool died = fs_sim_is_dead(disk);
        fs_sim_crash(disk);
        fs_sim_clear(disk);
        assert_int_equal(open_owner(&o, disk), OK);
        record_log_close(o.log);
        expect(want, synced);
        expect(more, synced + 1); /* what was being written may be there */
        if (memcmp(o.values, want, sizeof(want)) != 0 && memcmp(o.values, more, sizeof(more)) != 0)
            fail_msg("operation %llu: not what was synced", (unsigned long long)at);
        fs_sim_free(disk);
        if (!died)
            break;
    }
}

/* Deaths while a damaged file is replaced: what is left of it is never lost. */
static void test_record_log__survives_death_when_it_puts_aside(void **state)
{
    struct fs_sim *disk = written_disk(0);
    (void)state;
    fs_sim_flip(disk, FILE_PATH, (uint64_t)(fs_sim_bytes(disk, FILE_PATH).len - 30) * 8);
    for (uint64_t at = 1;; at++) {
        struct fs_sim *copy = fs_sim_clone(disk, at);
        struct owner o = {0};
        unsigned want[KEYS];
        fs_sim_die_at(copy, at);
        if (open_owner(&o, copy) == OK)
            record_log_close(o.log);
        bool died = fs_sim_is_dead(copy);
        fs_sim_crash(copy);
        fs_sim_clear(copy);
        assert_int_equal(open_owner(&o, copy), OK);
        record_log_close(o.log);
        expect(want, WRITES - 2);
        assert_memory_equal(o.values, want, sizeof(want));
        assert_true(fs_sim_bytes(copy, ASIDE_PATH).len > 0);
        fs_sim_free(copy);
        if (!died)
            break;
    }
    fs_sim_free(disk);
}

static void test_record_log__heals_after_failures(void **state)
{
    static const enum sim_failure HOW[] = {SIM_EIO, SIM_ENOSPC, SIM_SHORT_EIO, SIM_SHORT_ENOSPC};
    static const unsigned OPS = SIM_WRITE | SIM_SYNC | SIM_CREATE | SIM_RENAME | SIM_SYNC_DIR;
    (void)state;
    for (uint64_t at = 1; at < 200; at++) {
        struct fs_sim *disk = fs_sim_new(at);
        struct owner o = {0};
        unsigned want[KEYS], failed = 0;
        assert_int_equal(open_owner(&o, disk), OK);
        fs_sim_fail(disk, SIM_WRITE | SIM_SYNC, at % 50 + 1, HOW[at % COUNT_OF(HOW)], false);
        for (unsigned i = 0; i < WRITES; i++) {
            write_one(&o, i);
            if (record_log_flush(o.log, true) != OK && failed++ == 0)
                fs_sim_fail(disk, OPS, at % 5 + 1, HOW[at % COUNT_OF(HOW)], false); /* once more */
        }
        assert_in_range(failed, 1, 2); /* the second one strikes when all is written anew */
        assert_int_equal(record_log_flush(o.log, true), OK);
        record_log_close(o.log);
        fs_sim_crash(disk);
        fs_sim_clear(disk);
        assert_int_equal(open_owner(&o, disk), OK);
        assert_true(o.whole);
        expect(want, WRITES);
        assert_memory_equal(o.values, want, sizeof(want));
        record_log_close(o.log);
        fs_sim_free(disk);
    }
}

static void test_record_log__without_sync_it_survives_the_process(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct owner o = {0};
    unsigned want[KEYS];
    (void)state;
    assert_int_equal(open_owner(&o, disk), OK);
    uint64_t syncs = fs_sim_ops(disk, SIM_SYNC);
    for (unsigned i = 0; i < WRITES; i++) {
        write_one(&o, i);
        assert_int_equal(record_log_flush(o.log, false), OK);
    }
    assert_int_equal(fs_sim_ops(disk, SIM_SYNC), syncs);
    struct fs_sim *copy = fs_sim_clone(disk, 1);
    fs_sim_kill(copy);
    struct owner again = {0};
    assert_int_equal(open_owner(&again, copy), OK);
    expect(want, WRITES);
    assert_memory_equal(again.values, want, sizeof(want));
    record_log_close(again.log);
    fs_sim_free(copy);
    assert_int_equal(record_log_flush(o.log, true), OK); /* nothing to write, but to sync */
    assert_int_equal(fs_sim_ops(disk, SIM_SYNC), syncs + 1);
    assert_int_equal(record_log_flush(o.log, true), OK);
    assert_int_equal(fs_sim_ops(disk, SIM_SYNC), syncs + 1);
    record_log_close(o.log);
    fs_sim_free(disk);
}

/* ---- Damage ---- */

/* Every file that is cut is a torn one: some of the writes, from the first on. */
static void test_record_log__a_tail_is_cut(void **state)
{
    struct fs_sim *disk = written_disk(3);
    size_t size = fs_sim_bytes(disk, FILE_PATH).len, frame = 8 + 8 + 3;
    (void)state;
    for (size_t i = HEAD_BYTES; i <= size; i++) {
        struct fs_sim *copy = fs_sim_clone(disk, i);
        struct owner o = {0};
        unsigned want[KEYS];
        fs_sim_cut(copy, FILE_PATH, i);
        assert_int_equal(open_owner(&o, copy), OK);
        expect(want, (unsigned)((i - HEAD_BYTES) / frame));
        assert_memory_equal(o.values, want, sizeof(want));
        assert_true(o.whole);
        assert_null(fs_sim_bytes(copy, ASIDE_PATH).ptr);
        record_log_close(o.log);
        fs_sim_free(copy);
    }
    fs_sim_free(disk);
}

/* A file that grew but was not written: zeros behind what counts. */
static void test_record_log__zeros_are_a_torn_tail(void **state)
{
    struct fs_sim *disk = written_disk(3);
    struct owner o = {0};
    unsigned want[KEYS];
    (void)state;
    size_t size = fs_sim_bytes(disk, FILE_PATH).len;
    fs_sim_fill(disk, FILE_PATH, size - 5 * 19, 5 * 19, 0);
    assert_int_equal(open_owner(&o, disk), OK);
    expect(want, WRITES - 5);
    assert_memory_equal(o.values, want, sizeof(want));
    assert_true(o.whole);
    record_log_close(o.log);
    fs_sim_free(disk);
}

/* Any bit: what is before it is used. Records behind it show that it is no torn tail. */
static void test_record_log__a_flipped_bit_is_noticed(void **state)
{
    struct fs_sim *disk = written_disk(3);
    size_t size = fs_sim_bytes(disk, FILE_PATH).len, frame = 8 + 8 + 3;
    (void)state;
    for (size_t i = 0; i < size; i++) {
        struct fs_sim *copy = fs_sim_clone(disk, i);
        struct owner o = {0};
        unsigned want[KEYS];
        struct buf damaged = {0};
        fs_sim_flip(copy, FILE_PATH, i * 8 + i * 5 % 8);
        slice bytes = fs_sim_bytes(copy, FILE_PATH);
        buf_put(&damaged, bytes.ptr, bytes.len);
        assert_int_equal(open_owner(&o, copy), OK);
        expect(want, i < HEAD_BYTES ? 0 : (unsigned)((i - HEAD_BYTES) / frame));
        assert_memory_equal(o.values, want, sizeof(want));
        /* with another seed no record is one: that cannot be told from a torn first one */
        bool tail = i + frame >= size || (i >= 8 && i < HEAD_BYTES);
        assert_int_equal(o.whole, tail);
        bytes = fs_sim_bytes(copy, ASIDE_PATH);
        assert_int_equal(bytes.len, tail ? 0 : damaged.len);
        if (!tail)
            assert_memory_equal(bytes.ptr, damaged.ptr, damaged.len);
        buf_fini(&damaged);
        record_log_close(o.log);
        assert_int_equal(open_owner(&o, copy), OK); /* what it found is whole now */
        assert_memory_equal(o.values, want, sizeof(want));
        assert_true(o.whole);
        record_log_close(o.log);
        fs_sim_free(copy);
    }
    fs_sim_free(disk);
}

static void expect_nothing(struct fs_sim *disk, bool aside)
{
    struct owner o = {0};
    unsigned none[KEYS] = {0};
    assert_int_equal(open_owner(&o, disk), OK);
    assert_false(o.whole);
    assert_memory_equal(o.values, none, sizeof(none));
    assert_int_equal(fs_sim_bytes(disk, ASIDE_PATH).ptr != NULL, aside);
    set(&o, 1, 5);
    assert_int_equal(record_log_flush(o.log, true), OK);
    record_log_close(o.log);
    assert_int_equal(open_owner(&o, disk), OK);
    assert_true(o.whole);
    assert_int_equal(o.values[1], 5);
    record_log_close(o.log);
}

static void test_record_log__what_is_no_log_is_kept_aside(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct buf names = {0};
    (void)state;
    assert_int_equal(fs_make_dir(fs_sim_fs(disk), "/log"), OK);
    fs_sim_put(disk, FILE_PATH, str_bytes(STR("")));
    expect_nothing(disk, false); /* nothing worth keeping */
    fs_sim_put(disk, FILE_PATH, str_bytes(STR("VARVETS2 of a version to come")));
    expect_nothing(disk, true);
    assert_memory_equal(fs_sim_bytes(disk, ASIDE_PATH).ptr, "VARVETS2", 8);
    fs_sim_put(disk, FILE_PATH, str_bytes(STR("short")));
    expect_nothing(disk, true); /* in place of the other one */
    assert_memory_equal(fs_sim_bytes(disk, ASIDE_PATH).ptr, "short", 5);
    assert_int_equal(fs_unlink(fs_sim_fs(disk), FILE_PATH), OK);
    fs_sim_put_special(disk, FILE_PATH);
    expect_nothing(disk, false); /* it is no file there either */
    assert_int_equal(fs_list(fs_sim_fs(disk), "/log", &names), OK);
    assert_string_equal(fs_list_next(&names, fs_list_next(&names, NULL)), "values.damaged");
    buf_fini(&names);
    fs_sim_free(disk);
}

/* A record whose bytes are right, but say nothing to the owner. */
static void test_record_log__a_record_that_is_not_understood(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct owner o = {0};
    (void)state;
    assert_int_equal(open_owner(&o, disk), OK);
    set(&o, 1, 5);
    record_log_put(o.log, str_bytes(STR("?")));
    set(&o, 2, 6);
    assert_int_equal(record_log_flush(o.log, true), OK);
    record_log_close(o.log);
    assert_int_equal(open_owner(&o, disk), OK);
    assert_false(o.whole);
    assert_int_equal(o.values[1], 5);
    assert_int_equal(o.values[2], 6); /* each record stands for itself */
    assert_non_null(fs_sim_bytes(disk, ASIDE_PATH).ptr);
    record_log_close(o.log);
    fs_sim_free(disk);
}

/* The bytes of docs/formats/record-log.md. */
static void test_record_log__reads_the_documented_bytes(void **state)
{
    static const uint8_t BYTES[] = {'V',  'A',  'R',  'V',  'E',  'T',  'S',  'T',
                                    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
                                    0x08, 0x00, 0x00, 0x00, 0xca, 0x24, 0xf3, 0xe0,
                                    0x01, 0x00, 0x00, 0x00, 0x2a, 0x00, 0x00, 0x00};
    struct fs_sim *disk = fs_sim_new(1);
    struct owner o = {0};
    (void)state;
    assert_int_equal(fs_make_dir(fs_sim_fs(disk), "/log"), OK);
    fs_sim_put(disk, FILE_PATH, (slice){BYTES, sizeof(BYTES)});
    assert_int_equal(open_owner(&o, disk), OK);
    assert_true(o.whole);
    assert_int_equal(o.values[1], 42);
    record_log_close(o.log);
    fs_sim_free(disk);
}

/* ---- Limits ---- */

static void test_record_log__opens_on_a_full_disk(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct owner o = {0};
    unsigned want[KEYS];
    (void)state;
    fs_sim_fail(disk, SIM_MKDIR, 1, SIM_ENOSPC, true); /* not even a directory */
    assert_int_equal(open_owner(&o, disk), OK);
    write_one(&o, 0);
    assert_int_equal(record_log_flush(o.log, true), ERR_NOSPACE);
    fs_sim_clear(disk);
    fs_sim_set_capacity(disk, 4);
    for (unsigned i = 1; i < WRITES; i++) {
        write_one(&o, i);
        assert_int_equal(record_log_flush(o.log, true), ERR_NOSPACE);
    }
    fs_sim_set_capacity(disk, 0);
    assert_int_equal(record_log_flush(o.log, false), OK); /* nothing new: all that failed */
    record_log_close(o.log);
    fs_sim_crash(disk);
    assert_int_equal(open_owner(&o, disk), OK);
    assert_true(o.whole);
    expect(want, WRITES);
    assert_memory_equal(o.values, want, sizeof(want));
    record_log_close(o.log);
    fs_sim_free(disk);
}

/* A log that is there stays as it was while the disk is full, damaged or not. */
static void test_record_log__a_full_disk_costs_nothing(void **state)
{
    (void)state;
    for (unsigned damaged = 0; damaged < 2; damaged++) {
        struct fs_sim *disk = written_disk(3);
        struct owner o = {0}, again = {0};
        if (damaged)
            fs_sim_flip(disk, FILE_PATH, (HEAD_BYTES + 19 * 30 + 9) * 8);
        fs_sim_set_capacity(disk, fs_sim_used(disk) + 10);
        fs_sim_fail(disk, SIM_RENAME, 1, SIM_ENOSPC, true);
        for (unsigned i = 0; i < 3; i++) { /* started again and again */
            assert_int_equal(open_owner(&o, disk), OK);
            assert_int_equal(o.whole, !damaged);
            assert_int_equal(record_log_flush(o.log, true), ERR_NOSPACE);
            record_log_close(o.log);
        }
        fs_sim_clear(disk);
        assert_int_equal(open_owner(&again, disk), OK);
        assert_memory_equal(again.values, o.values, sizeof(o.values));
        assert_int_equal(fs_sim_bytes(disk, ASIDE_PATH).ptr != NULL, damaged);
        record_log_close(again.log);
        fs_sim_free(disk);
    }
}

/* Queries go on: what is there is known, and is written when it can be. */
static void test_record_log__opens_on_a_read_only_disk(void **state)
{
    struct fs_sim *disk = written_disk(0);
    struct owner o = {0};
    unsigned want[KEYS];
    (void)state;
    fs_sim_set_read_only(disk, true);
    assert_int_equal(open_owner(&o, disk), OK);
    assert_true(o.whole);
    expect(want, WRITES);
    assert_memory_equal(o.values, want, sizeof(want));
    set(&o, 1, 5);
    assert_int_equal(record_log_flush(o.log, true), ERR_IO);
    fs_sim_set_read_only(disk, false);
    assert_int_equal(record_log_flush(o.log, true), OK);
    record_log_close(o.log);
    assert_int_equal(open_owner(&o, disk), OK);
    assert_int_equal(o.values[1], 5);
    record_log_close(o.log);
    fs_sim_free(disk);
}

static void test_record_log__says_when_it_cannot_be_read(void **state)
{
    struct fs_sim *disk = written_disk(0);
    struct owner o = {0};
    struct diag d = {.text = ""};
    (void)state;
    fs_sim_fail(disk, SIM_READ, 1, SIM_EIO, false);
    assert_int_equal(open_limited(&o, disk, 1 << 24, &d), ERR_IO);
    assert_string_equal(d.text, "/log/values: io");
    fs_sim_free(disk);
}

static void test_record_log__never_writes_what_it_could_not_read(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct owner o = {.padding_bytes = 1000};
    struct diag d = {.text = ""};
    (void)state;
    assert_int_equal(open_limited(&o, disk, 4000, NULL), OK);
    for (unsigned i = 0; i < 100; i++) { /* small enough, when it is rewritten */
        set(&o, i % 3, i + 1);
        assert_int_equal(record_log_flush(o.log, true), OK);
        assert_in_range(fs_sim_bytes(disk, FILE_PATH).len, 1000, 4000);
    }
    set(&o, 3, 1);
    assert_int_equal(record_log_flush(o.log, true), ERR_LIMIT);
    assert_int_equal(record_log_flush(o.log, true), ERR_LIMIT);
    o.values[0] = 0; /* room again */
    assert_int_equal(record_log_flush(o.log, true), OK);
    record_log_close(o.log);
    assert_int_equal(open_limited(&o, disk, 4000, NULL), OK);
    assert_int_equal(o.values[0], 0);
    assert_int_equal(o.values[1], 98);
    assert_int_equal(o.values[3], 1);
    record_log_close(o.log);
    assert_int_equal(open_limited(&o, disk, 1000, &d), ERR_LIMIT);
    assert_string_equal(d.text, "/log/values: larger than 1000 bytes");
    fs_sim_free(disk);
}

static void test_record_log__is_rewritten_when_it_has_grown(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct owner o = {.padding_bytes = 1000};
    (void)state;
    assert_int_equal(open_owner(&o, disk), OK);
    for (unsigned i = 0; i < 3000; i++) {
        set(&o, i % KEYS, i + 1);
        assert_int_equal(record_log_flush(o.log, false), OK);
        assert_in_range(fs_sim_bytes(disk, FILE_PATH).len, 1, (1 << 20) + 2000);
    }
    assert_int_equal(o.given, 3); /* at first, and for each of 2 MiB */
    record_log_close(o.log);
    assert_int_equal(open_owner(&o, disk), OK);
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(o.values[i], 3000 - KEYS + i + 1);
    record_log_close(o.log);
    fs_sim_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_log__survives_death_at_any_operation),
        cmocka_unit_test(test_record_log__survives_death_when_it_puts_aside),
        cmocka_unit_test(test_record_log__heals_after_failures),
        cmocka_unit_test(test_record_log__without_sync_it_survives_the_process),
        cmocka_unit_test(test_record_log__a_tail_is_cut),
        cmocka_unit_test(test_record_log__zeros_are_a_torn_tail),
        cmocka_unit_test(test_record_log__a_flipped_bit_is_noticed),
        cmocka_unit_test(test_record_log__what_is_no_log_is_kept_aside),
        cmocka_unit_test(test_record_log__a_record_that_is_not_understood),
        cmocka_unit_test(test_record_log__reads_the_documented_bytes),
        cmocka_unit_test(test_record_log__opens_on_a_full_disk),
        cmocka_unit_test(test_record_log__a_full_disk_costs_nothing),
        cmocka_unit_test(test_record_log__opens_on_a_read_only_disk),
        cmocka_unit_test(test_record_log__says_when_it_cannot_be_read),
        cmocka_unit_test(test_record_log__never_writes_what_it_could_not_read),
        cmocka_unit_test(test_record_log__is_rewritten_when_it_has_grown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
