/* test_target.c -- request targets: decoding, what is malformed, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/target.h"

static void test_target__table(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
        enum target_verdict want;
    } CASES[] = {
        {"/", "/", "", TARGET_OK},
        {"/a/b?c=%2f&d", "/a/b", "c=%2f&d", TARGET_OK},
        {"/a?b?c", "/a", "b?c", TARGET_OK},
        {"/%61%20+", "/a +", "", TARGET_OK},
        {"/a/", "/a/", "", TARGET_OK},
        {"/a/...", "/a/...", "", TARGET_OK},
        {"/a/.b", "/a/.b", "", TARGET_OK},
        {"*", "*", "", TARGET_OK},
        {"http://host:1/a/b?c", "/a/b", "c", TARGET_OK},
        {"HTTPS://host", "/", "", TARGET_OK},
        {"http://host?q", "/", "q", TARGET_OK},
        {"//a", NULL, "", TARGET_FOREIGN},
        {"/a//b", NULL, "", TARGET_FOREIGN},
        {"/a/../b", NULL, "", TARGET_FOREIGN},
        {"/a/%2e%2E/b", NULL, "", TARGET_FOREIGN},
        {"/a/.", NULL, "", TARGET_FOREIGN},
        {"/..", NULL, "", TARGET_FOREIGN},
        {"/a%2fb", NULL, "", TARGET_FOREIGN},
        {"/config/v1/rules/a%2Fb/c%2f%2Fd",
         "/config/v1/rules/a\x1f"
         "b/c\x1f\x1f"
         "d",
         "", TARGET_OK},
        {"/config/v1/rules%2Fa", NULL, "", TARGET_FOREIGN},
        {"/a%2f/config/v1/rules/b", NULL, "", TARGET_FOREIGN},
        {"/config/v1/rules/a%5cb", NULL, "", TARGET_FOREIGN},
        {"/config/v1/rules/a%1fb", NULL, "", TARGET_MALFORMED},
        {"/config/v1/rules/a%2F../b", "/config/v1/rules/a\x1f../b", "", TARGET_OK},
        {"/a%5cb", NULL, "", TARGET_FOREIGN},
        {"", NULL, "", TARGET_MALFORMED},
        {"a", NULL, "", TARGET_MALFORMED},
        {"?a", NULL, "a", TARGET_MALFORMED},
        {"/a%", NULL, "", TARGET_MALFORMED},
        {"/a%4", NULL, "", TARGET_MALFORMED},
        {"/a%zz", NULL, "", TARGET_MALFORMED},
        {"/a%00b", NULL, "", TARGET_MALFORMED},
        {"/a b", NULL, "", TARGET_MALFORMED},
        {"/a\x7f", NULL, "", TARGET_MALFORMED},
        {"ftp://host/a", NULL, "", TARGET_MALFORMED},
    };
    struct buf path = {0};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        str query;
        print_message("%s\n", CASES[i].target);
        assert_int_equal(target_parse(str_from(CASES[i].target), &path, &query), CASES[i].want);
        assert_true(str_eq(query, str_from(CASES[i].query)));
        if (CASES[i].path != NULL)
            assert_string_equal((const char *)path.ptr, CASES[i].path);
    }
    buf_fini(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_target__table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
