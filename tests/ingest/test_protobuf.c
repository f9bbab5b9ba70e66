/* test_protobuf.c -- the pull reader against hand-made wire bytes, every truncation of them
 * included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ingest/protobuf.h"

/* field 1 varint 300, field 2 bytes "abc", field 3 double 1.5, field 4 fixed32, field 1 again */
static const uint8_t MESSAGE[] = {0x08, 0xac, 0x02, 0x12, 3,    'a',  'b', 'c', 0x19, 0, 0,    0,
                                  0,    0,    0,    0xf8, 0x3f, 0x25, 1,   2,   3,    4, 0x08, 7};

static void test_protobuf__reads_each_wire_type(void **state)
{
    (void)state;
    struct pb p = pb_of((slice){MESSAGE, sizeof(MESSAGE)});
    assert_true(pb_next(&p) && p.field == 1);
    assert_int_equal(pb_varint(&p), 300);
    assert_true(pb_next(&p) && p.field == 2);
    assert_true(str_eq(pb_text(&p), STR("abc")));
    assert_true(pb_next(&p) && p.field == 3);
    assert_true(pb_double(&p) == 1.5);
    assert_true(pb_next(&p) && p.field == 4);
    pb_skip(&p);
    assert_true(pb_next(&p) && p.field == 1);
    assert_int_equal(pb_varint(&p), 7);
    assert_false(pb_next(&p));
    assert_false(p.bad);
}

/* Fields skipped until the end; the number of whole fields, or -1 when malformed. */
static int count_fields(slice bytes)
{
    int n = 0;
    struct pb p = pb_of(bytes);
    for (; pb_next(&p); n++)
        pb_skip(&p);
    return p.bad ? -1 : n;
}

static void test_protobuf__truncation_is_malformed_or_a_whole_prefix(void **state)
{
    (void)state;
    static const size_t WHOLE[] = {0, 3, 8, 17, 22, sizeof(MESSAGE)};
    for (size_t len = 0, whole = 0; len <= sizeof(MESSAGE); len++) {
        uint8_t *copy = test_malloc(len + 1); /* exact size: an over-read is seen */
        memcpy(copy, MESSAGE, len);
        bool is_whole = whole < COUNT_OF(WHOLE) && WHOLE[whole] == len;
        assert_int_equal(count_fields((slice){copy, len}), is_whole ? (int)whole : -1);
        whole += is_whole;
        test_free(copy);
    }
}

static void test_protobuf__refuses_malformed_bytes(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[12];
        size_t len;
    } BAD[] = {
        {{0x00, 0x00}, 2},                                                        /* field 0 */
        {{0x0b}, 1},                                                              /* group */
        {{0x0f}, 1},                                                              /* wire type 7 */
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 11}, /* 65 bits */
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
         12}, /* 11 bytes */
        {{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
         11},                                            /* length 2^64-1 */
        {{0xf8, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00}, 7}, /* field 2^36 */
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_int_equal(count_fields((slice){BAD[i].bytes, BAD[i].len}), -1);
}

static void test_protobuf__wrong_wire_type_is_malformed(void **state)
{
    (void)state;
    struct pb p = pb_of((slice){MESSAGE, sizeof(MESSAGE)});
    assert_true(pb_next(&p));
    assert_int_equal(pb_bytes(&p).len, 0);
    assert_true(p.bad);
    assert_false(pb_next(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf__reads_each_wire_type),
        cmocka_unit_test(test_protobuf__truncation_is_malformed_or_a_whole_prefix),
        cmocka_unit_test(test_protobuf__refuses_malformed_bytes),
        cmocka_unit_test(test_protobuf__wrong_wire_type_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
