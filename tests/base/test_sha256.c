/* test_sha256.c -- SHA-256 and HMAC by the vectors of FIPS 180 and RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/sha256.h"

static void put_repeated(struct buf *b, int byte, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_put_u8(b, (uint8_t)byte);
}

/* The first digits of the HMAC are those of `want` (RFC 4231 gives one cut to 128 bits). */
static void expect(const struct buf *key, const struct buf *data, const char *want)
{
    uint8_t mac[HMAC_SHA256_SIZE];
    struct buf hex = {0};
    hmac_sha256(buf_slice(key), buf_slice(data), mac);
    for (size_t i = 0; i < strlen(want) / 2; i++)
        buf_printf(&hex, "%02x", mac[i]);
    assert_string_equal(buf_cstr(&hex), want);
    buf_fini(&hex);
}

static void test_hmac__rfc_4231(void **state)
{
    static const struct {
        int key_byte; /* repeated; 0: the text */
        size_t key_count;
        const char *key;
        int data_byte;
        size_t data_count;
        const char *data, *want;
    } CASES[] = {
        {0x0b, 20, NULL, 0, 0, "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {0, 0, "Jefe", 0, 0, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {0xaa, 20, NULL, 0xdd, 50, NULL,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {0x0c, 20, NULL, 0, 0, "Test With Truncation", "a3b6167473100ee06e0c796c2955552b"},
        {0xaa, 131, NULL, 0, 0, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {0xaa, 131, NULL, 0, 0,
         "This is a test using a larger than block-size key and a larger than block-size data. The "
         "key needs to be hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf key = {0}, data = {0};
        buf_put_str(&key, str_from(CASES[i].key != NULL ? CASES[i].key : ""));
        put_repeated(&key, CASES[i].key_byte, CASES[i].key_count);
        buf_put_str(&data, str_from(CASES[i].data != NULL ? CASES[i].data : ""));
        put_repeated(&data, CASES[i].data_byte, CASES[i].data_count);
        expect(&key, &data, CASES[i].want);
        buf_fini(&key);
        buf_fini(&data);
    }
}

static void test_hmac__rfc_4231_key_of_25_bytes(void **state)
{
    struct buf key = {0}, data = {0};
    (void)state;
    for (int i = 1; i <= 25; i++)
        buf_put_u8(&key, (uint8_t)i);
    put_repeated(&data, 0xcd, 50);
    expect(&key, &data, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    buf_fini(&key);
    buf_fini(&data);
}

static void test_sha256__vectors(void **state)
{
    char hex[SHA256_HEX_SIZE];
    (void)state;
    sha256_hex(str_bytes(STR("abc")), hex);
    assert_memory_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                        sizeof(hex));
    sha256_hex((slice){NULL, 0}, hex);
    assert_memory_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                        sizeof(hex));
}

static void test_secret_equal__every_byte_counts(void **state)
{
    uint8_t a[HMAC_SHA256_SIZE] = {1, 2, 3}, b[HMAC_SHA256_SIZE] = {1, 2, 3};
    (void)state;
    assert_true(secret_equal(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] ^= 0x80;
        assert_false(secret_equal(a, b, sizeof(a)));
        b[i] ^= 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac__rfc_4231),
        cmocka_unit_test(test_hmac__rfc_4231_key_of_25_bytes),
        cmocka_unit_test(test_sha256__vectors),
        cmocka_unit_test(test_secret_equal__every_byte_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
