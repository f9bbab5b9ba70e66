/* test_uuid.c -- UUIDs of names, against those that Python makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/uuid.h"

static void test_uuid__follows_from_the_name(void **state)
{
    static const uint8_t DNS[UUID_SIZE] = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                           0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
    char text[UUID_TEXT_SIZE + 1];
    (void)state;
    uuid_of_name(DNS, STR("python.org"), text);
    assert_string_equal(text, "886313e1-3b8a-5372-9b90-0c9aee199e5d");
    uuid_of_name(DNS, STR(""), text);
    assert_string_equal(text, "4ebd0208-8328-5d69-8c44-ec50939c0967");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuid__follows_from_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
