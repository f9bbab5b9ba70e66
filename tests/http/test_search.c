/* test_search.c -- scores of the search API: worked examples, case, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/mem.h"
#include "http/search.h"

static bool match(enum search_algorithm algorithm, double threshold, bool ignore_case,
                  const char *term, const char *value, double *score)
{
    struct search s = {.algorithm = algorithm, .threshold = threshold, .ignore_case = ignore_case};
    assert_int_equal(search_add(&s, str_from(term)), OK);
    bool found = search_matches(&s, str_from(value), score);
    search_fini(&s);
    return found;
}

static void check(enum search_algorithm algorithm, double threshold, const char *term,
                  const char *value, double want)
{
    double score = 0;
    bool found = match(algorithm, threshold, false, term, value, &score);
    print_message("%s in %s: %g\n", term, value, score);
    assert_int_equal(found, want > 0);
    if (found)
        assert_float_equal(score, want, 1e-12);
}

static void test_search__subsequence(void **state)
{
    (void)state;
    check(SEARCH_SUBSEQUENCE, 0, "up", "up", 1);
    check(SEARCH_SUBSEQUENCE, 0, "up", "uptime", 1);
    check(SEARCH_SUBSEQUENCE, 0, "", "anything", 1);
    check(SEARCH_SUBSEQUENCE, 0, "up", "", 0);
    check(SEARCH_SUBSEQUENCE, 0, "ab", "ba", 0);
    check(SEARCH_SUBSEQUENCE, 0, "abc", "ab", 0);
    /* one run of 2 behind a gap of 1, nothing behind it: (4 - 1/3) / 4 */
    check(SEARCH_SUBSEQUENCE, 0, "up", "xup", (4 - 1.0 / 3) / 4);
    /* runs of 1 and 1, gap 1, trailing 1: (2 - 1/5 - 1/5 - 1/10) / 4 */
    check(SEARCH_SUBSEQUENCE, 0, "ac", "xabcy", (2 - 0.2 - 0.2 - 0.1) / 4);
    /* the second start is better: run of 2 behind 3 */
    check(SEARCH_SUBSEQUENCE, 0, "ab", "axxab", (4 - 3.0 / 5) / 4);
    check(SEARCH_SUBSEQUENCE, 0.5, "ac", "xabcy", 0);
    /* all gap: below zero is no match */
    check(SEARCH_SUBSEQUENCE, 0, "\xc3\xa9", "x\xc3\xa9", 1 - 0.5);
}

static void test_search__jaro_winkler(void **state)
{
    (void)state;
    check(SEARCH_JAROWINKLER, 0.8, "up", "uptime", 1);
    check(SEARCH_JAROWINKLER, 0.8, "tim", "uptime", 0.9);
    /* 6 pairs, 1 transposition (2 characters), prefix 3 */
    double jaro = (1 + 1 + 5.0 / 6) / 3;
    check(SEARCH_JAROWINKLER, 0.8, "martha", "marhta", jaro + 3 * 0.1 * (1 - jaro));
    check(SEARCH_JAROWINKLER, 0.99, "martha", "marhta", 0);
    check(SEARCH_JAROWINKLER, 0, "martha", "marhta", 0); /* without a threshold only parts */
    check(SEARCH_JAROWINKLER, 0.1, "abc", "xyz", 0);
}

static void test_search__case(void **state)
{
    (void)state;
    double score;
    assert_false(match(SEARCH_SUBSEQUENCE, 0, false, "UP", "up", &score));
    assert_true(match(SEARCH_SUBSEQUENCE, 0, true, "UP", "up", &score));
    assert_true(match(SEARCH_JAROWINKLER, 0, true, "\xc3\x84X", "\xc3\xa4x", &score)); /* umlaut */
}

static void test_search__best_of_terms(void **state)
{
    (void)state;
    struct search s = {.algorithm = SEARCH_JAROWINKLER};
    double score;
    assert_int_equal(search_add(&s, STR("zzz")), OK);
    assert_int_equal(search_add(&s, STR("time")), OK);
    assert_true(search_matches(&s, STR("uptime"), &score));
    assert_float_equal(score, 0.9, 0);
    assert_int_equal(search_add(&s, STR("upt")), OK);
    assert_true(search_matches(&s, STR("uptime"), &score));
    assert_float_equal(score, 1, 0);
    assert_false(search_matches(&s, STR("other"), &score));
    search_fini(&s);
}

static void test_search__limits(void **state)
{
    (void)state;
    struct search s = {0};
    char *big = mem_zalloc(SEARCH_TERM_BYTES_MAX + 1, 1);
    assert_int_equal(search_add(&s, (str){big, SEARCH_TERM_BYTES_MAX + 1}), ERR_LIMIT);
    for (int i = 0; i < SEARCH_TERMS_MAX; i++)
        assert_int_equal(search_add(&s, STR("a")), OK);
    assert_int_equal(search_add(&s, STR("a")), ERR_LIMIT);
    search_fini(&s);
    mem_free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search__subsequence), cmocka_unit_test(test_search__jaro_winkler),
        cmocka_unit_test(test_search__case),        cmocka_unit_test(test_search__best_of_terms),
        cmocka_unit_test(test_search__limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
