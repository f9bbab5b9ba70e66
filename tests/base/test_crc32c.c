#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/crc32c.h"

/* Vectors of RFC 3720, B.4, and the check value of the CRC catalogue. */
static void test_crc32c__known_sums(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    assert_int_equal(crc32c((slice){bytes, 0}), 0);
    assert_int_equal(crc32c((slice){bytes, 32}), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c((slice){bytes, 32}), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c((slice){bytes, 32}), 0x46dd794e);
    assert_int_equal(crc32c(str_bytes(STR("123456789"))), 0xe3069283);
}

/* Every length and alignment agrees with the bit-by-bit definition. */
static void test_crc32c__equals_the_definition(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (int i = 0; i < 64; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t from = 0; from < 8; from++) {
        for (size_t n = 0; from + n <= sizeof(bytes); n++) {
            uint32_t c = UINT32_MAX;
            for (size_t i = 0; i < n; i++) {
                c ^= bytes[from + i];
                for (int bit = 0; bit < 8; bit++)
                    c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78 : 0);
            }
            assert_int_equal(crc32c((slice){bytes + from, n}), ~c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c__known_sums),
        cmocka_unit_test(test_crc32c__equals_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
