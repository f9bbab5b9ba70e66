#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "storage/kv.h"
#include "storage/packed_page.h"
#include "storage/posting_builder.h"
#include "support/block_model.h"
#include "support/fs_sim.h"

static uint64_t key_at(size_t i)
{
    return (uint64_t)i * 7 + (i > 500 ? UINT64_C(1) << 40 : 0);
}

/* Value `i`: of a size and content that follow from its number. */
static void value_at(int table, size_t i, struct buf *out)
{
    struct model_rng r = {(uint64_t)table * 1000003 + i};
    size_t size = 1 + (size_t)model_below(&r, i % 50 == 0 ? 20000 : i % 3 == 0 ? 4076 : 200);
    buf_reset(out);
    for (size_t k = 0; k < size; k++)
        buf_put_u8(out, (uint8_t)model_random(&r));
}

static const size_t COUNTS[KV_TABLE_COUNT] = {1000, 0, 1, 300, 77};

static void write_all(struct fs *fs, const char *scratch, const char *path, ulid u,
                      struct page_sums *sums)
{
    struct kv_writer *w;
    struct buf value = {0};
    assert_int_equal(kv_writer_open(scratch, u, &w), OK);
    for (size_t i = 0; i < 1000; i++) { /* tables take turns */
        for (int t = 0; t < KV_TABLE_COUNT; t++) {
            if (i >= COUNTS[t])
                continue;
            value_at(t, i, &value);
            assert_int_equal(kv_put(w, (enum kv_table)t, key_at(i), buf_slice(&value)), OK);
        }
    }
    buf_fini(&value);
    assert_int_equal(kv_writer_finish(w, fs, path, sums), OK);
}

static void check_all(struct kv *kv)
{
    struct buf want = {0}, bytes = {0};
    for (int t = 0; t < KV_TABLE_COUNT; t++) {
        assert_int_equal(kv_count(kv, (enum kv_table)t), COUNTS[t]);
        for (size_t i = 0; i < COUNTS[t]; i++) {
            struct diag d = {0};
            slice have;
            assert_true(kv_key(kv, (enum kv_table)t, i) == key_at(i));
            assert_int_equal(kv_get(kv, (enum kv_table)t, i, &bytes, &have, &d), OK);
            value_at(t, i, &want);
            assert_int_equal(have.len, want.len);
            assert_memory_equal(have.ptr, want.ptr, want.len);
        }
    }
    buf_fini(&want);
    buf_fini(&bytes);
}

static void round_trip(struct fs *fs, const char *scratch, const char *path)
{
    ulid u = ulid_new();
    struct page_sums sums;
    struct kv *kv;
    struct diag d = {0};
    write_all(fs, scratch, path, u, &sums);
    assert_int_equal(kv_open(fs, path, u, &sums, &kv, &d), OK);
    check_all(kv);
    kv_close(kv);
    /* Another block's name: no page verifies. */
    assert_int_equal(kv_open(fs, path, ulid_new(), &sums, &kv, &d), ERR_CORRUPT);
    page_sums_fini(&sums);
}

static void test_kv__round_trip_on_the_simulated_disk(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    round_trip(fs_sim_fs(sim), NULL, "/index.mdb");
    fs_sim_free(sim);
}

static void test_kv__round_trip_on_a_real_disk(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_kv.XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/index.mdb", dir);
    round_trip(fs_posix(), dir, path);
    struct buf names = {0};
    assert_int_equal(fs_list(fs_posix(), dir, &names), OK);
    assert_string_equal((char *)names.ptr, "index.mdb"); /* the scratch file left no name */
    assert_int_equal(names.len, sizeof("index.mdb"));
    buf_fini(&names);
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
}

static void test_kv__floor_finds_the_page_of_a_key(void **state)
{
    (void)state;
    struct fs_sim *sim = fs_sim_new(1);
    ulid u = ulid_new();
    struct page_sums sums;
    struct kv *kv;
    struct diag d = {0};
    write_all(fs_sim_fs(sim), NULL, "/i", u, &sums);
    assert_int_equal(kv_open(fs_sim_fs(sim), "/i", u, &sums, &kv, &d), OK);
    for (size_t i = 0; i < COUNTS[KV_SYMBOLS]; i++) {
        assert_int_equal(kv_floor(kv, KV_SYMBOLS, key_at(i)), i);
        assert_int_equal(kv_floor(kv, KV_SYMBOLS, key_at(i) + 6), i);
    }
    assert_int_equal(kv_floor(kv, KV_SYMBOLS, UINT64_MAX), COUNTS[KV_SYMBOLS] - 1);
    assert_true(kv_floor(kv, KV_COLUMNS, 5) == SIZE_MAX);
    kv_close(kv);
    page_sums_fini(&sums);
    fs_sim_free(sim);
}

/* LMDB commits several times in between. */
static void test_kv__large_files_take_several_transactions(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_kv.XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/index.mdb", dir);
    ulid u = ulid_new();
    struct kv_writer *w;
    struct page_sums sums;
    struct kv *kv;
    struct diag d = {0};
    struct buf value = {0};
    memset(buf_reserve(&value, 1 << 20), 'x', 1 << 20);
    value.len = 1 << 20;
    assert_int_equal(kv_writer_open(dir, u, &w), OK);
    for (uint64_t i = 0; i < 80; i++)
        assert_int_equal(kv_put(w, KV_SERIES, i, buf_slice(&value)), OK);
    assert_int_equal(kv_writer_finish(w, fs_posix(), path, &sums), OK);
    assert_int_equal(kv_open(fs_posix(), path, u, &sums, &kv, &d), OK);
    assert_int_equal(kv_count(kv, KV_SERIES), 80);
    for (size_t i = 0; i < 80; i += 13) {
        slice have;
        assert_int_equal(kv_get(kv, KV_SERIES, i, &value, &have, &d), OK);
        assert_int_equal(have.len, 1 << 20);
    }
    kv_close(kv);
    page_sums_fini(&sums);
    buf_fini(&value);
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
}

static void test_packed_page__gives_back_its_records(void **state)
{
    (void)state;
    struct page_writer w = {0};
    struct buf bytes = {0};
    struct model_rng r = {3};
    for (int round = 0; round < 50; round++) {
        size_t sizes[PAGE_RECORDS_MAX], n = 0, size = (size_t)model_below(&r, 9000);
        uint8_t record[9000];
        while (page_has_room(&w, size)) {
            memset(record, (int)n, size);
            page_put(&w, (slice){record, size});
            sizes[n++] = size;
            size = (size_t)model_below(&r, round % 2 == 0 ? 3 : 500);
        }
        buf_reset(&bytes);
        page_finish(&w, &bytes);
        assert_true(n == 1 || bytes.len <= PAGE_SIZE_TARGET);
        struct page p;
        assert_true(page_open(buf_slice(&bytes), &p));
        assert_int_equal(p.count, n);
        for (size_t i = 0; i < n; i++) {
            slice s;
            assert_true(page_get(&p, (uint32_t)i, &s));
            assert_int_equal(s.len, sizes[i]);
            for (size_t k = 0; k < s.len; k++)
                assert_int_equal(s.ptr[k], (uint8_t)i);
        }
    }
    page_writer_fini(&w);
    buf_fini(&bytes);
}

struct expect {
    uint32_t (*ids)[400];
    size_t *counts;
    uint64_t last_key;
    size_t keys;
};

static err check_ids(void *arg, uint64_t key, const uint32_t *ids, size_t count)
{
    struct expect *x = arg;
    assert_true(x->keys == 0 || key > x->last_key);
    size_t i = (size_t)(key >> 33);
    assert_int_equal(count, x->counts[i]);
    assert_memory_equal(ids, x->ids[i], count * sizeof(*ids));
    x->last_key = key;
    x->keys++;
    return OK;
}

static void test_posting_builder__gives_sorted_keys_and_ids(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    struct posting_builder *b = posting_builder_new();
    struct expect x = {mem_zalloc(KEYS, sizeof(*x.ids)), mem_zalloc(KEYS, sizeof(size_t)), 0, 0};
    struct model_rng r = {9};
    uint32_t id = 0;
    for (int i = 0; i < 200000; i++) {
        size_t k = (size_t)(model_below(&r, 3) == 0 ? model_below(&r, 5) : model_below(&r, KEYS));
        id += model_below(&r, 1000) == 0 ? 1000000 : (uint32_t)model_below(&r, 2);
        if (x.counts[k] == 400)
            continue;
        if (x.counts[k] == 0 || x.ids[k][x.counts[k] - 1] != id)
            x.ids[k][x.counts[k]++] = id;
        posting_builder_add(b, (uint64_t)k << 33, id);
    }
    assert_int_equal(posting_builder_each(b, check_ids, &x), OK);
    size_t used = 0;
    for (size_t k = 0; k < KEYS; k++)
        used += x.counts[k] > 0;
    assert_int_equal(x.keys, used);
    posting_builder_free(b);
    mem_free(x.ids);
    mem_free(x.counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv__round_trip_on_the_simulated_disk),
        cmocka_unit_test(test_kv__round_trip_on_a_real_disk),
        cmocka_unit_test(test_kv__floor_finds_the_page_of_a_key),
        cmocka_unit_test(test_kv__large_files_take_several_transactions),
        cmocka_unit_test(test_packed_page__gives_back_its_records),
        cmocka_unit_test(test_posting_builder__gives_sorted_keys_and_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
