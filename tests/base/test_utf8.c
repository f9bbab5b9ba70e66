/* UTF-8: against a naive decoder, and quoting as Go's strconv.Quote. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"

/* By the definition: decode the bits, then refuse overlong forms, surrogates and too large values.
 */
static unsigned naive_size(const uint8_t *p, size_t left, uint32_t *rune)
{
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned size = p[0] < 0x80             ? 1
                    : (p[0] & 0xe0) == 0xc0 ? 2
                    : (p[0] & 0xf0) == 0xe0 ? 3
                    : (p[0] & 0xf8) == 0xf0 ? 4
                                            : 0;
    if (size == 0 || size > left)
        return 0;
    *rune = size == 1 ? p[0] : p[0] & (0x7fu >> size);
    for (unsigned i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *rune = *rune << 6 | (p[i] & 0x3f);
    }
    bool bad = *rune < LEAST[size] || *rune > 0x10ffff || (*rune >= 0xd800 && *rune < 0xe000);
    return bad ? 0 : size;
}

static void check_against_naive(const uint8_t *p, size_t size)
{
    bool valid = true;
    size_t count = 0;
    for (size_t i = 0; i < size; count++) {
        uint32_t want = 0xfffd;
        unsigned n = naive_size(p + i, size - i, &want), got_size;
        uint32_t got = utf8_decode((str){(const char *)p + i, size - i}, &got_size);
        valid = valid && n > 0;
        assert_int_equal(got_size, n > 0 ? n : 1);
        assert_int_equal(got, n > 0 ? want : 0xfffd);
        i += got_size;
    }
    assert_int_equal(utf8_valid((str){(const char *)p, size}), valid);
    assert_int_equal(utf8_count((str){(const char *)p, size}), count);
}

static void test_utf8__agrees_with_naive_on_random_bytes(void **state)
{
    static const uint8_t BYTES[] = {'a',  'b',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                    0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed,
                                    0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
    uint64_t r = hash_random_seed();
    (void)state;
    print_message("seed %llu\n", (unsigned long long)r);
    for (int i = 0; i < 200000; i++) {
        uint8_t text[32];
        size_t size = 0, want = r >> 59;
        while (size < want) {
            r = hash64((slice){(const uint8_t *)&r, sizeof(r)}, 1);
            text[size++] = r & 1 ? 'x' : BYTES[(r >> 8) % sizeof(BYTES)];
        }
        r = hash64((slice){(const uint8_t *)&r, sizeof(r)}, 2);
        check_against_naive(text, size);
    }
}

static void test_utf8__every_rune_round_trips(void **state)
{
    struct buf b = {0};
    (void)state;
    for (uint32_t rune = 0; rune <= 0x110000; rune++) {
        unsigned size;
        bool scalar = rune <= 0x10ffff && (rune < 0xd800 || rune > 0xdfff);
        buf_reset(&b);
        utf8_append(&b, rune);
        assert_true(utf8_valid(buf_str(&b)));
        assert_int_equal(utf8_decode(buf_str(&b), &size), scalar ? rune : 0xfffd);
        assert_int_equal(size, b.len);
    }
    buf_fini(&b);
}

static void test_utf8__quotes_as_go(void **state)
{
    static const struct {
        str text;
        const char *want;
    } CASES[] = {
        {STR(""), "\"\""},
        {STR("plain text"), "\"plain text\""},
        {STR("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {STR("\a\b\f\n\r\t\v"), "\"\\a\\b\\f\\n\\r\\t\\v\""},
        {STR("\0\x01\x1f\x7f"), "\"\\x00\\x01\\x1f\\x7f\""},
        {STR("\xc3\xa9\xe2\x98\xba\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x98\xba\xf0\x9f\x98\x80\""},
        {STR("\xff\xc3"), "\"\\xff\\xc3\""},
        {STR("\xef\xbf\xbd"), "\"\xef\xbf\xbd\""},                      /* U+FFFD itself prints */
        {STR("\xc2\xa0\xc2\xad\xc2\x80"), "\"\\u00a0\\u00ad\\u0080\""}, /* blank, soft hyphen, C1 */
        {STR("\xe2\x80\x8b\xe2\x80\xa8\xef\xbb\xbf"), "\"\\u200b\\u2028\\ufeff\""},
        {STR("\xe3\x80\x80"), "\"\\u3000\""},
        {STR("\xf4\x8f\xbf\xbf"), "\"\\U0010ffff\""},
        {STR("\xf3\xa0\x80\x81"), "\"\\U000e0001\""},
        {STR("\xee\x80\x80"), "\"\\ue000\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf b = {0};
        utf8_quote(&b, CASES[i].text);
        if (!str_eq(buf_str(&b), str_from(CASES[i].want)))
            fail_msg("got %s, want %s", buf_cstr(&b), CASES[i].want);
        buf_fini(&b);
    }
}

/* Sum over all runes of what is printed as it is: agreed with Go's strconv.IsPrint (Unicode 15). */
static void test_utf8__prints_the_runes_go_prints(void **state)
{
    struct buf b = {0};
    uint64_t count = 0, sum = 0;
    (void)state;
    for (uint32_t rune = 0x80; rune <= 0x10ffff; rune++) {
        char text[8];
        buf_reset(&b);
        utf8_append(&b, rune);
        size_t size = b.len;
        memcpy(text, b.ptr, size);
        buf_reset(&b);
        utf8_quote(&b, (str){text, size});
        if (b.ptr[1] != '\\') {
            count++;
            sum += rune;
        }
    }
    assert_int_equal(count, 150951);
    assert_int_equal(sum, 15866235555);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8__agrees_with_naive_on_random_bytes),
        cmocka_unit_test(test_utf8__every_rune_round_trips),
        cmocka_unit_test(test_utf8__quotes_as_go),
        cmocka_unit_test(test_utf8__prints_the_runes_go_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
