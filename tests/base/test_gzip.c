/* gzip: round trips in pieces, bombs and damage. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "base/gzip.h"
#include "base/hash.h"

/* Text that compresses, with a random part. */
static void fill(struct buf *b, size_t size, uint64_t seed)
{
    while (b->len < size) {
        seed = hash64((slice){(const uint8_t *)&seed, sizeof(seed)}, 1);
        buf_printf(b, "{\"metric\":{\"job\":\"%u\"},\"value\":%llu}", (unsigned)seed % 8,
                   (unsigned long long)(seed >> 40));
    }
    b->len = size;
}

static void test_gzip__streams_round_trip(void **state)
{
    uint64_t seed = hash_random_seed();
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    static const size_t SIZES[] = {0, 1, 100, 65536, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(SIZES) * 2; i++) {
        struct buf plain = {0}, packed = {0}, back = {0};
        size_t size = SIZES[i / 2], piece = 1 + (seed >> i) % 10000;
        fill(&plain, size, seed);
        struct gzip_stream *s = gzip_stream_open_format(i % 2 ? GZIP_ZLIB : GZIP_GZIP);
        for (size_t pos = 0; pos < size; pos += piece)
            gzip_stream_put(s, (slice){plain.ptr + pos, MIN(piece, size - pos)}, false, &packed);
        gzip_stream_put(s, (slice){NULL, 0}, true, &packed);
        gzip_stream_close(s);
        buf_put_str(&back, STR("kept"));
        assert_int_equal(gzip_decode(buf_slice(&packed), size, &back), OK);
        assert_int_equal(back.len, size + 4);
        assert_memory_equal(back.ptr, "kept", 4);
        if (size > 0)
            assert_memory_equal(back.ptr + 4, plain.ptr, size);
        if (size >= 65536)
            assert_true(packed.len < size / 2);
        buf_fini(&plain);
        buf_fini(&packed);
        buf_fini(&back);
    }
    gzip_stream_close(gzip_stream_open()); /* unfinished */
    gzip_stream_close(NULL);
}

static void test_gzip__bounds_what_comes_out(void **state)
{
    struct buf plain = {0}, packed = {0}, back = {0};
    (void)state;
    memset(buf_reserve(&plain, 8 << 20), 0, 8 << 20);
    plain.len = 8 << 20;
    gzip_encode(buf_slice(&plain), GZIP_GZIP, &packed);
    assert_true(packed.len < 64 << 10);
    assert_int_equal(gzip_decode(buf_slice(&packed), plain.len, &back), OK);
    buf_reset(&back);
    assert_int_equal(gzip_decode(buf_slice(&packed), plain.len - 1, &back), ERR_LIMIT);
    assert_int_equal(back.len, 0);
    buf_fini(&back);
    assert_int_equal(gzip_decode(buf_slice(&packed), 1000, &back), ERR_LIMIT);
    assert_true(back.cap < 4096); /* the bomb was not unpacked */
    assert_int_equal(gzip_decode(buf_slice(&packed), 0, &back), ERR_LIMIT);
    buf_fini(&plain);
    buf_fini(&packed);
    buf_fini(&back);
}

static void test_gzip__reads_members_in_a_row(void **state)
{
    struct buf packed = {0}, back = {0};
    (void)state;
    gzip_encode(str_bytes(STR("one ")), GZIP_GZIP, &packed);
    gzip_encode(str_bytes(STR("")), GZIP_GZIP, &packed);
    gzip_encode(str_bytes(STR("two")), GZIP_GZIP, &packed);
    assert_int_equal(gzip_decode(buf_slice(&packed), 7, &back), OK);
    assert_true(str_eq(buf_str(&back), STR("one two")));
    assert_int_equal(gzip_decode(buf_slice(&packed), 6, &back), ERR_LIMIT);
    buf_reset(&packed);
    gzip_encode(str_bytes(STR("one")), GZIP_ZLIB, &packed);
    gzip_encode(str_bytes(STR("two")), GZIP_ZLIB, &packed);
    assert_int_equal(gzip_decode(buf_slice(&packed), 100, &back), ERR_INVALID);
    buf_fini(&packed);
    buf_fini(&back);
}

static void test_gzip__refuses_damage(void **state)
{
    struct buf plain = {0}, packed = {0}, back = {0};
    (void)state;
    fill(&plain, 3000, 5);
    for (int format = GZIP_GZIP; format <= GZIP_ZLIB; format++) {
        buf_reset(&packed);
        gzip_encode(buf_slice(&plain), format, &packed);
        for (size_t cut = 0; cut < packed.len; cut++)
            assert_int_equal(gzip_decode((slice){packed.ptr, cut}, 1 << 20, &back), ERR_INVALID);
        /* A flipped bit is found, or was one that means nothing (time stamp, padding). */
        for (size_t i = 0; i < packed.len; i++) {
            packed.ptr[i] ^= 0x10;
            if (gzip_decode(buf_slice(&packed), 1 << 20, &back) == OK) {
                assert_int_equal(back.len, plain.len);
                assert_memory_equal(back.ptr, plain.ptr, plain.len);
                buf_reset(&back);
            }
            packed.ptr[i] ^= 0x10;
        }
        buf_put_u8(&packed, 'x');
        assert_int_equal(gzip_decode(buf_slice(&packed), 1 << 20, &back), ERR_INVALID);
        assert_int_equal(back.len, 0);
    }
    assert_int_equal(gzip_decode(str_bytes(STR("plain text")), 100, &back), ERR_INVALID);
    buf_fini(&plain);
    buf_fini(&packed);
    buf_fini(&back);
}

static void test_whole__gives_what_streams_give(void **state)
{
    (void)state;
    struct gzip_decoder *g = gzip_decoder_open();
    struct buf plain = {0}, packed = {0}, two = {0}, out = {0};
    for (int i = 0; i < 5000; i++)
        buf_printf(&plain, "line %d of %d\n", i, i * i);
    gzip_encode(buf_slice(&plain), GZIP_GZIP, &packed);
    assert_int_equal(gzip_decode_whole(g, buf_slice(&packed), plain.len, &out), OK);
    assert_true(str_eq(buf_str(&out), buf_str(&plain)));
    buf_reset(&out);
    assert_int_equal(gzip_decode_whole(g, buf_slice(&packed), plain.len - 1, &out), ERR_LIMIT);
    assert_int_equal(out.len, 0);
    buf_put(&two, packed.ptr, packed.len);
    buf_put(&two, packed.ptr, packed.len);
    assert_int_equal(gzip_decode_whole(g, buf_slice(&two), plain.len * 2, &out), OK);
    assert_int_equal(out.len, plain.len * 2);
    for (size_t cut = 0; cut < packed.len; cut += 97) {
        buf_reset(&out);
        assert_int_equal(gzip_decode_whole(g, (slice){packed.ptr, cut}, 1 << 20, &out),
                         ERR_INVALID);
    }
    packed.ptr[packed.len - 1] = 0x7f; /* a size that is a lie */
    buf_reset(&out);
    assert_int_equal(gzip_decode_whole(g, buf_slice(&packed), 1 << 20, &out), ERR_INVALID);
    gzip_decoder_close(g);
    buf_fini(&plain);
    buf_fini(&packed);
    buf_fini(&two);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole__gives_what_streams_give),
        cmocka_unit_test(test_gzip__streams_round_trip),
        cmocka_unit_test(test_gzip__bounds_what_comes_out),
        cmocka_unit_test(test_gzip__reads_members_in_a_row),
        cmocka_unit_test(test_gzip__refuses_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
