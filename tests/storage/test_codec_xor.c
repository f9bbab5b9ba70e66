#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/sample.h"
#include "storage/codec_xor.h"
#include "support/codec_check.h"
#include "support/codec_classes.h"

enum { N = 1000 };

struct written {
    struct xor_state state;
    uint8_t buf[N * (XOR_VALUE_BITS_MAX + 7) / 8 + XOR_APPEND_BYTES_MAX];
};

/* Append, checking at each step that no more than the documented room is touched. */
static void append_all(struct written *w, const double *v, uint32_t n)
{
    memset(w, 0, sizeof(*w));
    for (uint32_t i = 0; i < n; i++) {
        size_t bits = w->state.len_bytes * 8 + w->state.acc_bits;
        uint8_t guard = w->buf[w->state.len_bytes + XOR_APPEND_BYTES_MAX];
        uint8_t *end = w->buf + w->state.len_bytes + XOR_APPEND_BYTES_MAX;
        xor_append(&w->state, v[i], w->buf);
        assert_int_equal(*end, guard);
        assert_true(w->state.len_bytes * 8 + w->state.acc_bits - bits <= XOR_VALUE_BITS_MAX);
    }
}

/* Decode from a copy of exactly the written bytes. */
static err decode_open(const struct written *w, uint32_t n, double *out)
{
    uint8_t *copy = malloc(w->state.len_bytes > 0 ? w->state.len_bytes : 1);
    memcpy(copy, w->buf, w->state.len_bytes);
    err e = xor_decode(&w->state, copy, w->state.len_bytes, n, out);
    free(copy);
    return e;
}

static err decode_finished(const uint8_t *bytes, size_t len, uint32_t n, double *out)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    err e = xor_decode_finished((slice){copy, len}, n, out);
    free(copy);
    return e;
}

static void test_xor__round_trip_of_every_class_at_every_length(void **state)
{
    static struct written w;
    double v[N];
    (void)state;
    for (int kind = 0; kind < CLASS_COUNT; kind++) {
        class_fill((enum codec_class)kind, 7, v, N);
        for (uint32_t n = 1; n <= N; n += n < 140 ? 1 : 157) {
            double *out = padded_output(n);
            append_all(&w, v, n);
            assert_int_equal(decode_open(&w, n, out), OK);
            assert_memory_equal(out, v, n * sizeof(*v));
            size_t len = xor_finish(&w.state, w.buf);
            memset(out, 0, n * sizeof(*out));
            assert_int_equal(decode_finished(w.buf, len, n, out), OK);
            assert_memory_equal(out, v, n * sizeof(*v));
            free(out);
        }
    }
}

/* A reader's older snapshot decodes from the buffer that the writer went on filling. */
static void test_xor__snapshot_survives_later_appends(void **state)
{
    static struct written w;
    static struct xor_state snapshots[N];
    double v[N], *out = padded_output(N);
    (void)state;
    class_fill(CLASS_SPECIAL, 11, v, N);
    for (uint32_t i = 0; i < N; i++) {
        xor_append(&w.state, v[i], w.buf);
        assert_true(f64_bits(xor_newest(&w.state)) == f64_bits(v[i]));
        if (i % 7 == 0) { /* what an unchanged value does to it */
            struct xor_state same = w.state;
            if (xor_append_same(&same, v[i]))
                assert_true(f64_bits(xor_newest(&same)) == f64_bits(v[i]));
        }
        snapshots[i] = w.state;
    }
    for (uint32_t i = 0; i < N; i += 13) {
        assert_int_equal(xor_decode(&snapshots[i], w.buf, w.state.len_bytes, i + 1, out), OK);
        assert_memory_equal(out, v, (i + 1) * sizeof(*v));
    }
    free(out);
}

/* Fewer values than were appended are a prefix of them. */
static void test_xor__prefix(void **state)
{
    static struct written w;
    double v[N], *out = padded_output(N);
    (void)state;
    class_fill(CLASS_FLOAT_WALK, 3, v, N);
    append_all(&w, v, N);
    for (uint32_t n = 1; n < N; n += 7) {
        assert_int_equal(decode_open(&w, n, out), OK);
        assert_memory_equal(out, v, n * sizeof(*v));
    }
    free(out);
}

static void test_xor__stale_marker_keeps_the_window(void **state)
{
    static struct written w;
    double v[3] = {1.1, 1.3, 1.7}, stale = from_bits(STALE_NAN_BITS);
    struct xor_state plain, marked;
    (void)state;
    append_all(&w, v, 3);
    plain = w.state;
    memset(&w, 0, sizeof(w));
    xor_append(&w.state, v[0], w.buf);
    xor_append(&w.state, v[1], w.buf);
    xor_append(&w.state, stale, w.buf);
    assert_true(f64_bits(xor_newest(&w.state)) == STALE_NAN_BITS);
    struct xor_state again = w.state;
    if (xor_append_same(&again, v[1]))
        assert_true(xor_newest(&again) == v[1]);
    xor_append(&w.state, v[2], w.buf);
    marked = w.state;
    assert_int_equal(marked.len_bytes * 8 + marked.acc_bits,
                     plain.len_bytes * 8 + plain.acc_bits + 13);
    assert_int_equal(marked.lead, plain.lead);
    assert_int_equal(marked.trail, plain.trail);
}

static void test_xor__more_values_than_written_is_corrupt(void **state)
{
    static struct written w;
    double v[N], *out = padded_output(N);
    (void)state;
    class_fill(CLASS_FLOAT_WALK, 5, v, N);
    append_all(&w, v, 100);
    assert_int_equal(decode_open(&w, 101, out), ERR_CORRUPT);
    assert_int_equal(decode_open(&w, 0, out), ERR_CORRUPT);
    assert_int_equal(decode_open(&w, CODEC_SAMPLES_MAX + 1, out), ERR_CORRUPT);
    assert_int_equal(xor_decode(&w.state, w.buf, w.state.len_bytes - 1u, 100, out), ERR_CORRUPT);
    size_t len = xor_finish(&w.state, w.buf);
    assert_int_equal(decode_finished(w.buf, len + 1, 100, out), ERR_CORRUPT);
    assert_int_equal(decode_finished(w.buf, len - 1, 100, out), ERR_CORRUPT);
    free(out);
}

static void test_xor__window_that_cannot_be_is_corrupt(void **state)
{
    const uint8_t bytes[16] = {0xff, 0xf0}; /* 11, lead 31, width 63 */
    double *out = padded_output(1);
    (void)state;
    assert_int_equal(decode_finished(bytes, sizeof(bytes), 1, out), ERR_CORRUPT);
    free(out);
}

/* No truncation and no flipped bit makes it read or write outside (ASan watches). */
static void test_xor__hostile_bytes(void **state)
{
    static struct written w;
    struct rng r = rng_of(99);
    double v[N], *out = padded_output(200);
    (void)state;
    for (int kind = 0; kind < CLASS_COUNT; kind++) {
        class_fill((enum codec_class)kind, 17, v, 200);
        append_all(&w, v, 200);
        size_t len = xor_finish(&w.state, w.buf);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(decode_finished(w.buf, cut, 200, out), ERR_CORRUPT);
        for (int i = 0; i < 300; i++) {
            uint64_t bit = rng_u64(&r) % (len * 8);
            w.buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
            (void)decode_finished(w.buf, len, 200, out);
        }
    }
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xor__round_trip_of_every_class_at_every_length),
        cmocka_unit_test(test_xor__snapshot_survives_later_appends),
        cmocka_unit_test(test_xor__prefix),
        cmocka_unit_test(test_xor__stale_marker_keeps_the_window),
        cmocka_unit_test(test_xor__more_values_than_written_is_corrupt),
        cmocka_unit_test(test_xor__window_that_cannot_be_is_corrupt),
        cmocka_unit_test(test_xor__hostile_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
