/* test_ast_json.c -- /api/v1/parse_query: every kind of node against what Prometheus 3.14 prints.
 * The expected texts are tests/golden/api/parse_query.txt: a query a line, its tree on the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fs.h"
#include "http/ast_json.h"
#include "query/parser.h"

static str next_line(str *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t n = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    str line = {rest->ptr, n};
    *rest = end != NULL ? (str){end + 1, rest->len - n - 1} : (str){"", 0};
    return line;
}

static void check_tree(str query, str want)
{
    struct promql_options o = {
        .experimental_functions = true, .fill_modifiers = true, .extended_range_selectors = true};
    struct arena a;
    struct expr *e;
    struct buf got = {0};
    struct diag d = {.text = ""};
    arena_init(&a, 1 << 20);
    if (promql_parse(query, &o, &a, &e, &d) != OK)
        fail_msg(STR_FMT ": %s", STR_ARG(query), d.text);
    ast_json(&got, e);
    if (!str_eq(buf_str(&got), want))
        fail_msg(STR_FMT ":\n got " STR_FMT "\nwant " STR_FMT, STR_ARG(query),
                 STR_ARG(buf_str(&got)), STR_ARG(want));
    expr_fini(e);
    buf_fini(&got);
    arena_fini(&a);
}

static void test_ast_json__golden(void **state)
{
    (void)state;
    struct buf text = {0};
    size_t count = 0;
    assert_int_equal(fs_read_file(fs_posix(), "golden/api/parse_query.txt", 1 << 20, &text), OK);
    str rest = buf_str(&text);
    while (rest.len > 0) {
        str query = next_line(&rest);
        if (query.len == 0 || query.ptr[0] == '#')
            continue;
        check_tree(query, next_line(&rest));
        count++;
    }
    assert_true(count >= 25);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ast_json__golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
