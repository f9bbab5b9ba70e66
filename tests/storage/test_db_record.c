/* Log payloads: what is written is read back, and the example in docs/formats/wal-records.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "storage/admission.h"
#include "storage/db_record.h"
#include "storage/state.h"

enum { ROWS = 5000 };
#define EXAMPLE                                                                                    \
    "01012600000002000000000000000000f83f00000000000004400200000014030800000080c0d6fc"             \
    "f3c5010300000000"

static uint64_t rng = 88172645463325252u;

static uint64_t random_below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % n;
}

static void test_db_record__example(void **state)
{
    (void)state;
    struct db_row rows[] = {{.ts_ms = 1700000000000, .value = 1.5, .series = 5},
                            {.ts_ms = 1700000000000, .value = 2.5, .series = 6}};
    struct buf out = {0};
    record_begin(&out);
    record_put_rows(&out, rows, NULL, NULL, 2);
    struct buf hex = {0};
    for (size_t i = 0; i < out.len; i++)
        buf_printf(&hex, "%02x", out.ptr[i]);
    assert_string_equal(buf_cstr(&hex), EXAMPLE);
    buf_fini(&hex);
    buf_fini(&out);
}

static void fill(struct db_row *rows, int64_t *starts, uint8_t *verdicts)
{
    uint32_t id = 0;
    for (size_t i = 0; i < ROWS; i++) {
        id = random_below(8) > 0 ? id + 1 : (uint32_t)random_below(RECORD_ID_MAX - ROWS);
        rows[i] = (struct db_row){.ts_ms = 1700000000000 + (int64_t)random_below(2) * 15000,
                                  .value = f64_from_bits(rng),
                                  .series = id};
        starts[i] = (int64_t)random_below(3) * 1699999000000;
        if (random_below(100) == 0) {
            rows[i].ts_ms = (int64_t)rng;
            starts[i] = random_below(2) == 0 ? INT64_MIN : INT64_MAX;
        }
        verdicts[i] = (uint8_t)random_below(6);
    }
}

static void test_db_record__floats_round_trip(void **state)
{
    (void)state;
    struct db_row *rows = calloc(ROWS, sizeof(*rows));
    int64_t *starts = calloc(ROWS, sizeof(*starts));
    uint8_t verdicts[ROWS];
    struct buf out = {0};
    struct reader r;
    struct record_section s;
    struct record_floats f;
    struct record_run run;
    size_t k = 0, runs = 0;
    fill(rows, starts, verdicts);
    record_begin(&out);
    record_put_rows(&out, rows, starts, verdicts, ROWS);
    assert_int_equal(record_open(buf_slice(&out), &r), OK);
    assert_int_equal(record_next(&r, &s), OK);
    assert_int_equal(record_floats_init(&f, &s), OK);
    err e;
    while ((e = record_floats_next(&f, &run)) == OK) {
        runs++;
        for (uint32_t i = 0; i < run.count; i++, k++) {
            while (!admit_writes(verdicts[k]))
                k++;
            struct db_row got = record_run_row(&run, i);
            assert_int_equal(got.series, rows[k].series);
            assert_true(got.ts_ms == rows[k].ts_ms && run.start_ts_ms == starts[k]);
            assert_true(f64_bits(got.value) == f64_bits(rows[k].value));
        }
    }
    while (k < ROWS && !admit_writes(verdicts[k]))
        k++;
    assert_int_equal(k, ROWS);
    assert_in_range(runs, 2, ROWS - 1);
    assert_int_equal(e, ERR_NOTFOUND);
    assert_int_equal(record_next(&r, &s), ERR_NOTFOUND);
    buf_fini(&out);
    free(rows);
    free(starts);
}

/* A scrape's rows are one run, however many they are. */
static void test_db_record__neighbours_are_one_run(void **state)
{
    (void)state;
    struct db_row *rows = calloc(ROWS, sizeof(*rows));
    struct buf out = {0};
    struct reader r;
    struct record_section s;
    struct record_floats f;
    struct record_run run;
    for (uint32_t i = 0; i < ROWS; i++)
        rows[i] = (struct db_row){.ts_ms = 1700000000000, .value = i, .series = 70 + i};
    rows[ROWS - 1].ts_ms++;
    record_begin(&out);
    record_put_rows(&out, rows, NULL, NULL, ROWS);
    assert_int_equal(record_open(buf_slice(&out), &r), OK);
    assert_int_equal(record_next(&r, &s), OK);
    assert_int_equal(record_floats_init(&f, &s), OK);
    assert_int_equal(record_floats_next(&f, &run), OK);
    assert_int_equal(run.id, 70);
    assert_int_equal(run.count, ROWS - 1);
    assert_int_equal(record_floats_next(&f, &run), OK);
    assert_int_equal(run.count, 1);
    assert_true(run.ts_ms == 1700000000001 && run.start_ts_ms == 0);
    assert_int_equal(record_floats_next(&f, &run), ERR_NOTFOUND);
    buf_fini(&out);
    free(rows);
}

/* A record cut off anywhere, or with any byte changed, is malformed or something else, never worse.
 */
static void test_db_record__damaged_bytes_are_survived(void **state)
{
    (void)state;
    struct db_row rows[40];
    struct buf out = {0};
    for (uint32_t i = 0; i < 40; i++)
        rows[i] = (struct db_row){.ts_ms = i * 7, .value = i, .series = i * 3};
    record_begin(&out);
    record_put_rows(&out, rows, NULL, NULL, 40);
    for (size_t n = 0; n < out.len * 9; n++) {
        struct buf bad = {0};
        struct reader r;
        struct record_section s;
        struct record_floats f;
        struct record_run run;
        buf_put(&bad, out.ptr, n < out.len ? n : out.len);
        if (n >= out.len)
            bad.ptr[(n - out.len) / 8] ^= (uint8_t)(1u << (n - out.len) % 8);
        err e = record_open(buf_slice(&bad), &r);
        while (e == OK && (e = record_next(&r, &s)) == OK) {
            if (s.kind == RECORD_FLOATS && record_floats_init(&f, &s) == OK)
                while (record_floats_next(&f, &run) == OK)
                    assert_true(run.id + run.count <= RECORD_ID_MAX);
        }
        assert_true(e == ERR_CORRUPT || e == ERR_NOTFOUND);
        buf_fini(&bad);
    }
    buf_fini(&out);
}

static void test_db_record__definitions_round_trip(void **state)
{
    (void)state;
    struct buf out = {0};
    struct label got;
    uint32_t ids[RECORD_LABELS_MAX], want[] = {0, 127, 128, RECORD_ID_MAX - 1};
    size_t count;
    record_put_pair(&out, (struct label){STR("name"), STR("value")});
    assert_int_equal(record_read_pair(buf_slice(&out), &got), OK);
    assert_true(str_eq(got.name, STR("name")) && str_eq(got.value, STR("value")));
    buf_reset(&out);
    record_put_series(&out, want, 4);
    assert_int_equal(record_read_series(buf_slice(&out), ids, &count), OK);
    assert_int_equal(count, 4);
    assert_memory_equal(ids, want, sizeof(want));
    want[3] = RECORD_ID_MAX;
    buf_reset(&out);
    record_put_series(&out, want, 4);
    assert_int_equal(record_read_series(buf_slice(&out), ids, &count), ERR_CORRUPT);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_db_record__example),
        cmocka_unit_test(test_db_record__floats_round_trip),
        cmocka_unit_test(test_db_record__neighbours_are_one_run),
        cmocka_unit_test(test_db_record__damaged_bytes_are_survived),
        cmocka_unit_test(test_db_record__definitions_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
