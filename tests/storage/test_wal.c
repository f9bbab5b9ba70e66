/* test_wal.c -- the write-ahead log without faults: round trips, limits, rotation, dropping, what
 * it makes of a directory it did not leave itself, and the bytes of docs/formats/wal.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/wal_format.h"
#include "support/wal_oracle.h"

static struct wal_oracle *oracle;
static struct fs_sim *sim;

static int set_up(void **state)
{
    (void)state;
    oracle = malloc(sizeof(*oracle));
    oracle_init(oracle, 1);
    sim = fs_sim_new(1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(oracle);
    fs_sim_free(sim);
    return 0;
}

static struct wal *open_ok(const struct wal_options *options)
{
    struct wal *w;
    assert_int_equal(oracle_open(oracle, fs_sim_fs(sim), options, &w), OK);
    oracle_check(oracle);
    assert_int_equal(oracle->damages, 0);
    return w;
}

static slice text(const char *s)
{
    return str_bytes(str_from(s));
}

static void test_wal__replays_what_was_committed(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    for (unsigned life = 0; life < 4; life++) {
        struct wal *w = open_ok(&options);
        assert_int_equal(oracle_seen(oracle), oracle->count);
        assert_int_equal(wal_stats_of(w).replay_records, oracle->count);
        for (unsigned i = 0; i < 40; i++)
            assert_true(oracle_group(oracle, w, 1 + i % 5));
        struct wal_stats stats = wal_stats_of(w);
        assert_int_equal(stats.groups, 40);
        assert_int_equal(stats.records, 120);
        assert_true(stats.segments > 1 && stats.syncs >= 40 && stats.available);
        assert_int_equal(stats.size_bytes, wal_size_bytes(w));
        assert_int_equal(wal_close(w), OK);
    }
    struct wal_replay none = {0};
    struct wal_stats stats;
    assert_int_equal(wal_verify(fs_sim_fs(sim), "/wal", &none, &stats), OK);
    assert_int_equal(stats.replay_records, oracle->count);
    assert_int_equal(stats.replay_corruptions + stats.replay_torn_tails, 0);
    assert_int_equal(stats.replay_segments_missing, 0);
}

static void test_wal__size_bytes_is_what_the_disk_holds(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    for (unsigned i = 0; i < 60; i++) {
        assert_true(oracle_group(oracle, w, 2));
        wal_tick(w);
        assert_int_equal(wal_size_bytes(w), fs_sim_used(sim));
    }
    assert_int_equal(wal_drop_before(w, wal_segment(w)), OK);
    assert_int_equal(wal_size_bytes(w), fs_sim_used(sim));
    (void)wal_close(w);
}

/* Zeros are ahead, so that groups change no metadata of the file. */
static void test_wal__writes_zeros_ahead(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    options.segment_size_max = 1 << 20;
    struct wal *w = open_ok(&options);
    for (unsigned i = 0; i < 30; i++) {
        size_t before = fs_sim_bytes(sim, "/wal/00000001.wal").len;
        assert_true(oracle_group(oracle, w, 1));
        assert_int_equal(fs_sim_bytes(sim, "/wal/00000001.wal").len, before);
        wal_tick(w);
    }
    assert_true(wal_stats_of(w).bytes_ahead > 0);
    uint64_t end = wal_stats_of(w).bytes_written + WAL_HEADER_SIZE;
    assert_int_equal(wal_close(w), OK);
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000001.wal").len, end + WAL_SECTOR); /* the seal */
}

static void test_wal__empty_group_writes_nothing(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    uint64_t ops = fs_sim_ops(sim, SIM_CHANGING), seq = 77;
    assert_int_equal(wal_begin(w), OK);
    assert_int_equal(wal_commit(w, &seq), OK);
    assert_int_equal(seq, 77);
    assert_int_equal(fs_sim_ops(sim, SIM_CHANGING), ops);
    assert_int_equal(wal_group_size(w), 0);
    assert_int_equal(wal_close(w), OK);
    assert_int_equal(fs_sim_used(sim), 0); /* nor does an unused segment remain */
}

/* Large groups */

struct sizes {
    size_t expected[8], count, seen;
};

static err check_size(void *arg, uint8_t type, slice payload, uint64_t seq)
{
    struct sizes *s = arg;
    (void)seq;
    assert_true(s->seen < s->count && payload.len == s->expected[s->seen]);
    for (size_t i = 0; i < payload.len; i += 4099)
        assert_int_equal(payload.ptr[i], (uint8_t)(type + i));
    s->seen++;
    return OK;
}

static void append_sized(struct wal *w, uint8_t type, size_t size, err expected)
{
    uint8_t *p = mem_alloc(size);
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(type + i);
    if (type % 2 == 0) {
        assert_int_equal(wal_append(w, type, (slice){p, size}), expected);
    } else { /* made in place */
        buf_put(wal_record_begin(w, type), p, size);
        assert_int_equal(wal_record_end(w), expected);
    }
    mem_free(p);
}

static void test_wal__group_size_is_bounded(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    options.segment_size_max = 0;
    struct wal *w = open_ok(&options);
    struct sizes sizes = {.expected = {WAL_RECORD_SIZE_MAX, 10, 33 << 20, 0}, .count = 4};
    assert_int_equal(wal_begin(w), OK);
    append_sized(w, 1, (size_t)WAL_RECORD_SIZE_MAX + 1, ERR_LIMIT);
    append_sized(w, 1, WAL_RECORD_SIZE_MAX, OK);
    append_sized(w, 2, 100, ERR_FULL);
    assert_int_equal(wal_define(w, 1, (slice){NULL, WAL_DEFINE_SIZE_MAX + 1ul}), ERR_LIMIT);
    assert_true(wal_group_size(w) > WAL_RECORD_SIZE_MAX);
    assert_int_equal(wal_commit(w, NULL), OK);
    assert_int_equal(wal_begin(w), OK);
    append_sized(w, 2, 10, OK);
    append_sized(w, 3, 33 << 20, OK);
    append_sized(w, 4, 33 << 20, ERR_FULL);
    append_sized(w, 5, 33 << 20, ERR_FULL);
    append_sized(w, 5, 0, OK);
    assert_int_equal(wal_commit(w, NULL), OK);
    assert_int_equal(wal_close(w), OK);
    for (int ahead = 0; ahead < 2; ahead++) {
        struct wal_replay replay = {.arg = &sizes, .record = check_size};
        options.read_ahead = ahead != 0;
        sizes.seen = 0;
        assert_int_equal(wal_open(fs_sim_fs(sim), "/wal", &options, &replay, &w), OK);
        assert_int_equal(sizes.seen, 4);
        assert_int_equal(wal_close(w), OK);
    }
}

/* Reading with a second thread, and with blocks of any size, gives the same. */
static void test_wal__replay_is_the_same_for_any_read_size(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    for (unsigned i = 0; i < 150; i++)
        assert_true(oracle_group(oracle, w, 1 + i % 7));
    assert_int_equal(wal_close(w), OK);
    for (size_t size = 512; size < 40000; size = size * 7 / 5)
        for (int ahead = 0; ahead < 2; ahead++) {
            options.read_size = size;
            options.read_ahead = ahead != 0;
            w = open_ok(&options);
            assert_int_equal(oracle_seen(oracle), oracle->count);
            assert_int_equal(wal_close(w), OK);
        }
}

static void test_wal__every_segment_defines_what_it_uses(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    options.segment_size_max = 2048;
    struct wal *w = open_ok(&options);
    for (unsigned i = 0; i < 60; i++)
        assert_true(oracle_group(oracle, w, 2));
    uint32_t half = wal_segment(w) / 2;
    assert_true(half > 5);
    for (uint32_t n = 0; n < oracle->count; n++)
        oracle->optional[n] = oracle->segment_of[n] < half;
    assert_int_equal(wal_drop_before(w, half), OK);
    assert_int_equal(wal_stats_of(w).first_segment, half);
    assert_int_equal(wal_stats_of(w).segments_dropped, half - 1);
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000001.wal").len, 0);
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000001.defs").len, 0);
    assert_int_equal(wal_close(w), OK);
    w = open_ok(&options); /* the rest still has all definitions */
    assert_true(oracle_seen(oracle) < oracle->count);
    assert_int_equal(wal_stats_of(w).replay_segments_missing, 0);
    assert_int_equal(wal_close(w), OK);
}

static void test_wal__rotation_gives_a_new_number(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    assert_int_equal(wal_segment(w), 1);
    assert_int_equal(wal_rotate(w), OK);
    assert_int_equal(wal_segment(w), 1); /* nothing in it yet */
    assert_true(oracle_group(oracle, w, 1));
    assert_int_equal(wal_rotate(w), OK);
    assert_int_equal(wal_segment(w), 2);
    fs_sim_fail(sim, SIM_CREATE, 1, SIM_ENOSPC, false);
    assert_true(oracle_group(oracle, w, 1));
    assert_int_equal(wal_rotate(w), ERR_NOSPACE);
    assert_int_equal(wal_segment(w), 2);
    assert_true(oracle_group(oracle, w, 1)); /* the old one goes on */
    assert_int_equal(wal_rotate(w), OK);
    assert_int_equal(wal_segment(w), 4); /* no number is used twice */
    assert_int_equal(wal_close(w), OK);
    w = open_ok(&options);
    assert_int_equal(oracle_seen(oracle), 3);
    assert_int_equal(wal_close(w), OK);
}

static void test_wal__first_segment_excludes_older_ones(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(oracle_group(oracle, w, 1));
        assert_int_equal(wal_rotate(w), OK);
    }
    assert_int_equal(wal_close(w), OK);
    oracle->optional[0] = oracle->optional[1] = true;
    options.first_segment = 3;
    w = open_ok(&options);
    assert_int_equal(oracle_seen(oracle), 2);
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000002.wal").len, 0);
    assert_int_equal(wal_close(w), OK);
    options.first_segment = 100; /* all of it is stored elsewhere: numbers go on from there */
    oracle->optional[2] = oracle->optional[3] = true;
    w = open_ok(&options);
    assert_int_equal(wal_segment(w), 100);
    assert_int_equal(wal_close(w), OK);
}

static err refuse(void *arg, uint8_t type, slice payload, uint64_t seq)
{
    (void)arg, (void)type, (void)payload;
    return seq == 3 ? ERR_LIMIT : OK;
}

static void test_wal__callback_ends_the_replay(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    for (unsigned i = 0; i < 5; i++)
        assert_true(oracle_group(oracle, w, 1));
    assert_int_equal(wal_close(w), OK);
    struct wal_replay replay = {.record = refuse};
    assert_int_equal(wal_open(fs_sim_fs(sim), "/wal", &options, &replay, &w), ERR_LIMIT);
    options.read_ahead = true;
    assert_int_equal(wal_open(fs_sim_fs(sim), "/wal", &options, &replay, &w), ERR_LIMIT);
    w = open_ok(&options);
    assert_int_equal(wal_close(w), OK);
}

/* Directories with a history. */

static void test_wal__leftovers_go_and_foreign_files_stay(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    assert_true(oracle_group(oracle, w, 3));
    assert_int_equal(wal_close(w), OK);
    uint8_t zeros[9000] = {0};
    fs_sim_put(sim, "/wal/00000002.wal", (slice){zeros, 0});
    fs_sim_put(sim, "/wal/00000003.wal", (slice){zeros, sizeof(zeros)});
    fs_sim_put(sim, "/wal/00000004.wal", (slice){zeros, 100});
    fs_sim_put(sim, "/wal/00000007.defs", (slice){zeros, 600});
    fs_sim_put(sim, "/wal/00000001.wal.tmp", (slice){zeros, 600});
    fs_sim_put(sim, "/wal/README", text("hello"));
    fs_sim_put(sim, "/wal/0000000A.wal", text("not our spelling"));
    fs_sim_put_special(sim, "/wal/00000008.wal");
    w = open_ok(&options);
    assert_int_equal(oracle_seen(oracle), 3);
    assert_int_equal(wal_segment(w), 9); /* behind every number there is */
    struct buf names = {0};
    assert_int_equal(fs_list(fs_sim_fs(sim), "/wal", &names), OK);
    const char expected[] = "00000001.defs\0"
                            "00000001.wal\0"
                            "00000008.wal\0"
                            "00000009.defs\0"
                            "00000009.wal\0"
                            "0000000A.wal\0"
                            "README";
    assert_int_equal(names.len, sizeof(expected));
    assert_memory_equal(names.ptr, expected, sizeof(expected));
    buf_fini(&names);
    assert_int_equal(wal_close(w), OK);
}

static void test_wal__later_version_is_left_alone(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    assert_true(oracle_group(oracle, w, 1));
    assert_int_equal(wal_close(w), OK);
    slice bytes = fs_sim_bytes(sim, "/wal/00000001.wal");
    struct buf later = {0};
    buf_put(&later, bytes.ptr, bytes.len);
    for (size_t pos = 0; pos <= WAL_HEADER_COPY_POS; pos += WAL_HEADER_COPY_POS) {
        store_u32(later.ptr + pos + 8, WAL_VERSION + 1);
        slice covered = {later.ptr + pos + 16, WAL_HEADER_COPY_SIZE - 16};
        store_u32(later.ptr + pos + 12, checksum32(covered, WAL_VERSION + 1));
    }
    fs_sim_put(sim, "/wal/00000001.wal", buf_slice(&later));
    assert_int_equal(oracle_open(oracle, fs_sim_fs(sim), &options, &w), ERR_UNSUPPORTED);
    assert_int_equal(fs_sim_bytes(sim, "/wal/00000001.wal").len, later.len);
    buf_fini(&later);
}

static void test_wal__verify_changes_nothing(void **state)
{
    (void)state;
    struct wal_options options = oracle_options();
    struct wal *w = open_ok(&options);
    for (unsigned i = 0; i < 50; i++)
        assert_true(oracle_group(oracle, w, 2));
    assert_int_equal(wal_close(w), OK);
    fs_sim_fill(sim, "/wal/00000001.wal", 5000, 600, 0x77);
    uint64_t ops = fs_sim_ops(sim, SIM_CHANGING);
    struct wal_stats stats;
    assert_int_equal(wal_verify(fs_sim_fs(sim), "/wal", NULL, &stats), OK);
    assert_true(stats.replay_corruptions > 0);
    assert_int_equal(fs_sim_ops(sim, SIM_CHANGING), ops);
    assert_int_equal(wal_verify(fs_sim_fs(sim), "/none", NULL, &stats), ERR_NOTFOUND);
}

static void test_wal__works_on_real_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/varve-test-wal-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct wal_options options = {.ahead_size = 64 << 10, .segment_size_max = 100 << 10};
    struct buf path = {0};
    struct fs *fs = fs_posix();
    struct sizes sizes = {.expected = {50000, 60000, 1, 70000}, .count = 4};
    struct wal_replay replay = {.arg = &sizes, .record = check_size};
    struct wal *w;
    fs_join(&path, dir, "wal");
    assert_int_equal(wal_open(fs, buf_cstr(&path), &options, NULL, &w), OK);
    for (size_t i = 0; i < sizes.count; i++) {
        assert_int_equal(wal_begin(w), OK);
        append_sized(w, (uint8_t)(i + 1), sizes.expected[i], OK);
        assert_int_equal(wal_commit(w, NULL), OK);
        wal_tick(w);
    }
    assert_int_equal(wal_segment(w), 2);
    assert_int_equal(wal_close(w), OK);
    options.read_ahead = true;
    assert_int_equal(wal_open(fs, buf_cstr(&path), &options, &replay, &w), OK);
    assert_int_equal(sizes.seen, 4);
    assert_int_equal(wal_close(w), OK);
    assert_int_equal(fs_remove_tree(fs, dir), OK);
    buf_fini(&path);
}

/* The example of docs/formats/wal.md. */

static void write_example(void)
{
    struct wal_options options = {.ahead_size = 4096, .uuid_seed = 42};
    struct wal *w;
    clock_set_for_test(1700000000000);
    assert_int_equal(wal_open(fs_sim_fs(sim), "/wal", &options, NULL, &w), OK);
    assert_int_equal(wal_begin(w), OK);
    assert_int_equal(wal_define(w, 1, text("up{job=\"a\"}")), OK);
    assert_int_equal(wal_append(w, 2, text("first")), OK);
    assert_int_equal(wal_append(w, 2, text("second")), OK);
    assert_int_equal(wal_commit(w, NULL), OK);
    assert_int_equal(wal_begin(w), OK);
    assert_int_equal(wal_append(w, 2, text("third")), OK);
    assert_int_equal(wal_commit(w, NULL), OK);
    assert_int_equal(wal_close(w), OK);
    clock_set_for_test(INT64_MIN);
}

/* Lines "OFFSET  HEX BYTES" below a line with `name`; what is not listed is zero. */
static void read_example(const char *document, const char *name, struct buf *out)
{
    const char *line = strstr(document, name);
    char *end;
    assert_non_null(line);
    size_t size = strtoull(line + strlen(name), &end, 10);
    memset(buf_reserve(out, size), 0, size);
    out->len = size;
    for (line = strchr(end, '\n') + 1; *line != '`' && *line != '\0';) {
        size_t pos = strtoull(line, &end, 16);
        const char *stop = strchr(line, '\n');
        while (end + 2 < stop) {
            assert_true(pos < size);
            out->ptr[pos++] = (uint8_t)strtoul(end, &end, 16);
        }
        line = stop + 1;
    }
}

static void print_example(const char *name, slice bytes)
{
    printf("%s%zu\n", name, bytes.len);
    for (size_t pos = 0; pos < bytes.len; pos += 16) {
        uint8_t any = 0;
        for (size_t i = pos; i < pos + 16 && i < bytes.len; i++)
            any |= bytes.ptr[i];
        if (any == 0)
            continue;
        printf("%08zx ", pos);
        for (size_t i = pos; i < pos + 16 && i < bytes.len; i++)
            printf(" %02x", bytes.ptr[i]);
        printf("\n");
    }
}

static void check_example(const char *document, const char *name, const char *path)
{
    struct buf expected = {0};
    slice written = fs_sim_bytes(sim, path);
    read_example(document, name, &expected);
    if (written.len != expected.len || memcmp(written.ptr, expected.ptr, expected.len) != 0) {
        print_example(name, written);
        fail_msg("the bytes of %s are not those of the document", path);
    }
    buf_fini(&expected);
}

static void test_wal__bytes_are_those_of_the_document(void **state)
{
    (void)state;
    struct buf document = {0};
    assert_int_equal(fs_read_file(fs_posix(), "../docs/formats/wal.md", 1 << 20, &document), OK);
    write_example();
    check_example(buf_cstr(&document), "00000001.wal, size ", "/wal/00000001.wal");
    check_example(buf_cstr(&document), "00000001.defs, size ", "/wal/00000001.defs");
    buf_fini(&document);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    log_configure((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
    const struct CMUnitTest tests[] = {
        TEST(test_wal__replays_what_was_committed),
        TEST(test_wal__size_bytes_is_what_the_disk_holds),
        TEST(test_wal__writes_zeros_ahead),
        TEST(test_wal__empty_group_writes_nothing),
        TEST(test_wal__group_size_is_bounded),
        TEST(test_wal__replay_is_the_same_for_any_read_size),
        TEST(test_wal__every_segment_defines_what_it_uses),
        TEST(test_wal__rotation_gives_a_new_number),
        TEST(test_wal__first_segment_excludes_older_ones),
        TEST(test_wal__callback_ends_the_replay),
        TEST(test_wal__leftovers_go_and_foreign_files_stay),
        TEST(test_wal__later_version_is_left_alone),
        TEST(test_wal__verify_changes_nothing),
        TEST(test_wal__works_on_real_files),
        TEST(test_wal__bytes_are_those_of_the_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
