#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "storage/meta.h"
#include "storage/tombstones.h"
#include "support/block_model.h"

enum { SERIES = 30, TIMES = 400 };

static void check(const struct tombstones *t, uint8_t gone[SERIES][TIMES])
{
    size_t series = 0, intervals = 0;
    for (uint32_t s = 0; s < SERIES; s++) {
        size_t n, hint = 0;
        const struct interval *v = tombstones_of(t, s, &n);
        assert_int_equal(v == NULL, n == 0);
        series += n > 0;
        intervals += n;
        for (size_t i = 1; i < n; i++)
            assert_true(v[i].min_ms > v[i - 1].max_ms + 1);
        for (int64_t ts = 0; ts < TIMES; ts++)
            assert_int_equal(interval_hides(v, n, ts - 50, &hint), gone[s][ts]);
    }
    assert_int_equal(tombstones_series_count(t), series);
    assert_int_equal(tombstones_interval_count(t), intervals);
}

static void test_tombstones__model(void **state)
{
    (void)state;
    struct model_rng r = {(uint64_t)time(NULL)};
    print_message("SEED=%llu\n", (unsigned long long)r.state);
    for (int round = 0; round < 20; round++) {
        static uint8_t gone[SERIES][TIMES];
        memset(gone, 0, sizeof(gone));
        struct tombstones *t = tombstones_empty();
        ulid u = ulid_new();
        for (int i = 0; i < 60; i++) {
            uint32_t ids[SERIES];
            size_t n = 0;
            struct interval v = {(int64_t)model_below(&r, TIMES) - 50, 0};
            v.max_ms = v.min_ms + (int64_t)model_below(&r, 20);
            for (uint32_t s = 0; s < SERIES; s++) {
                if (model_below(&r, 6) != 0)
                    continue;
                ids[n++] = s;
                for (int64_t ts = v.min_ms; ts <= v.max_ms && ts + 50 < TIMES; ts++)
                    gone[s][ts + 50] = 1;
            }
            struct tombstones *next = tombstones_add(t, ids, n, v);
            tombstones_unref(t);
            t = next;
        }
        check(t, gone);
        struct buf bytes = {0};
        struct tombstones *back;
        tombstones_encode(t, u, &bytes);
        assert_int_equal(tombstones_decode(buf_slice(&bytes), u, SERIES, &back), OK);
        check(back, gone);
        tombstones_unref(back);
        assert_int_equal(tombstones_decode(buf_slice(&bytes), ulid_new(), SERIES, &back),
                         ERR_CORRUPT);
        assert_int_equal(tombstones_decode(buf_slice(&bytes), u, 2, &back), ERR_CORRUPT);
        for (size_t cut = 0; cut < bytes.len; cut += 7)
            assert_int_equal(tombstones_decode((slice){bytes.ptr, cut}, u, SERIES, &back),
                             ERR_CORRUPT);
        buf_fini(&bytes);
        tombstones_unref(t);
    }
}

static void test_tombstones__whole_range_of_time(void **state)
{
    (void)state;
    uint32_t id = 7;
    struct tombstones *none = tombstones_empty(), *back;
    struct tombstones *some = tombstones_add(none, &id, 1, (struct interval){5, INT64_MAX});
    struct tombstones *all = tombstones_add(some, &id, 1, (struct interval){INT64_MIN, INT64_MAX});
    struct buf bytes = {0};
    ulid u = ulid_new();
    tombstones_encode(all, u, &bytes);
    assert_int_equal(tombstones_decode(buf_slice(&bytes), u, 8, &back), OK);
    size_t n;
    const struct interval *v = tombstones_of(back, 7, &n);
    assert_int_equal(n, 1);
    assert_true(v->min_ms == INT64_MIN && v->max_ms == INT64_MAX);
    tombstones_unref(none);
    tombstones_unref(some);
    tombstones_unref(all);
    tombstones_unref(back);
    buf_fini(&bytes);
}

static void test_ulid__text_and_order(void **state)
{
    (void)state;
    char text[ULID_TEXT_SIZE];
    ulid u, last = {{0}};
    assert_int_equal(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &u), OK);
    ulid_format(u, text);
    assert_string_equal(text, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_int_equal(ulid_ms(u), 1469922850259);
    assert_int_equal(ulid_parse(STR("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), &u), OK);
    static const str BAD[] = {STR(""),
                              STR("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"),
                              STR("01ARZ3NDEKTSV4RRFFQ69G5FA"),
                              STR("01ARZ3NDEKTSV4RRFFQ69G5FAVX"),
                              STR("01arz3ndektsv4rrffq69g5fav"),
                              STR("01ARZ3NDEKTSV4RRFFQ69G5FAU"),
                              STR("01ARZ3NDEKTSV4RRFFQ69G5FA\0")};
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_int_equal(ulid_parse(BAD[i], &u), ERR_INVALID);
    for (int i = 0; i < 1000; i++) {
        clock_set_for_test(1000000 - i); /* a clock that goes back */
        u = ulid_new();
        assert_true(i == 0 || ulid_cmp(last, u) < 0);
        last = u;
        ulid back;
        ulid_format(u, text);
        assert_int_equal(ulid_parse(str_from(text), &back), OK);
        assert_true(ulid_eq(u, back));
    }
    clock_set_for_test(INT64_MIN);
}

static void test_meta__round_trip(void **state)
{
    (void)state;
    ulid sources[] = {ulid_make(1, 2, 3), ulid_make(2, 2, 3)};
    struct meta_parent parents[] = {{ulid_make(1, 0, 0), -5, 10}, {ulid_make(3, 0, 0), 4, 8}};
    struct block_meta m = {.ulid = ulid_make(1700000000000, 7, 8),
                           .min_ms = -100,
                           .max_ms = INT64_MAX,
                           .resolution_ms = 300000,
                           .label_seed = UINT64_MAX,
                           .level = 3,
                           .series = 5,
                           .samples = 100,
                           .floats = 60,
                           .histograms = 40,
                           .chunks = 9,
                           .columns = 2,
                           .symbols = 17,
                           .index_size = 4096,
                           .chunks_size = UINT64_C(1) << 40,
                           .sums_size = 99,
                           .sums_hash = 0x123456789abcdef0,
                           .sources = sources,
                           .source_count = 2,
                           .parents = parents,
                           .parent_count = 2};
    struct buf text = {0}, again = {0};
    struct block_meta back;
    struct diag d = {0};
    block_meta_encode(&m, &text);
    assert_int_equal(block_meta_decode(buf_slice(&text), &back, &d), OK);
    block_meta_encode(&back, &again);
    assert_true(str_eq(buf_str(&text), buf_str(&again)));
    assert_true(back.label_seed == UINT64_MAX && back.max_ms == INT64_MAX && back.level == 3);
    assert_int_equal(back.parents[0].min_ms, -5);
    block_meta_fini(&back);
    /* A later format, well summed, is told from damage. */
    uint8_t *p = memmem(text.ptr, text.len, "\"format\": 1", 11);
    p[10] = '7';
    assert_int_equal(block_meta_decode(buf_slice(&text), &back, &d), ERR_CORRUPT);
    block_meta_seal(text.ptr, text.len);
    d = (struct diag){0};
    assert_int_equal(block_meta_decode(buf_slice(&text), &back, &d), ERR_UNSUPPORTED);
    buf_fini(&text);
    buf_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tombstones__model),
        cmocka_unit_test(test_tombstones__whole_range_of_time),
        cmocka_unit_test(test_ulid__text_and_order),
        cmocka_unit_test(test_meta__round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
