/* test_url_text.c -- every byte, in each of the ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/url_text.h"

static void test_url_text__every_byte(void **state)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        struct buf got = {0};
        char byte = (char)c, want[64], escaped[8];
        bool letter = c != 0 && strchr(PLAIN, (int)c) != NULL;
        (void)snprintf(escaped, sizeof(escaped), "%%%02X", c);
        const char *own =
            letter || (c != 0 && strchr("-_.~", (int)c) != NULL) ? (char[2]){byte, '\0'} : escaped;
        (void)snprintf(want, sizeof(want), "%s %s %s", own, c == ' ' ? "+" : own,
                       letter || c == '/' ? (char[2]){byte, '\0'} : escaped);
        url_put(&got, (str){&byte, 1});
        buf_put_u8(&got, ' ');
        url_put_form(&got, (str){&byte, 1});
        buf_put_u8(&got, ' ');
        url_put_but(&got, (str){&byte, 1}, "/", false);
        assert_string_equal(buf_cstr(&got), want);
        buf_fini(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_text__every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
