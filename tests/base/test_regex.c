/* Regular expressions: anchoring, Go's words for errors, expansion; lists of literals and globs
 * against the automaton. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "base/regex.h"

static struct regex *compile(str expr)
{
    struct regex *re = NULL;
    struct diag d = {0};
    if (regex_compile(expr, &re, &d) != OK)
        fail_msg(STR_FMT ": %s", STR_ARG(expr), d.text);
    return re;
}

static const struct {
    const char *expr, *text;
    bool matches;
} MATCHES[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "a", true},
    {"a", "ab", false},
    {"a", "ba", false},
    {"a|b", "b", true},
    {"a|b", "ab", false},
    {"a.b", "a\nb", true},
    {".*", "a\nb\n", true},
    {".+", "", false},
    {"a.+", "a", false},
    {"a.+", "ab", true},
    {".*b.*", "abc", true},
    {".*b.*", "ac", false},
    {"a.*a", "a", false},
    {"a.*a", "aa", true},
    {"a.+a", "aa", false},
    {"a.+a", "aba", true},
    {"a.*b.*c", "aXbXc", true},
    {"a.*b.*c", "aXcXb", false},
    {"ab*", "abbb", true},
    {"(?i)ABC", "abc", true},
    {"a$", "a\n", false},
    {"^a$", "a", true},
    {"(?m)a$", "a\n", false},
    {"foo(bar|baz)?", "foo", true},
    {"[^a]", "\n", true},
    {"[^a]", "\xc3\xa9", true},
    {".", "\xc3\xa9", true},
    {".", "\xf0\x9f\x98\x80", true},
    {"..", "\xc3\xa9", false},
    {"\\pL", "\xc3\xa9", true},
    {"\\w", "\xc3\xa9", false},
    {"(?<year>\\d+)", "2026", true},
    {"[(?<x]+", "(?<x", true},
    {"\\Qa.b\\E", "a.b", true},
    {"\\Qa.b\\E", "axb", false},
    {"\\Q(?<\\E", "(?<", true},
    {"a\\|b", "a|b", true},
    {"x{2}", "xx", true},
    {"x{,2}", "x{,2}", true},
    {"[[:alpha:]]", "b", true},
    {"[]a]", "]", true},
    /* Go sees each invalid byte as U+FFFD */
    {".", "\xff", true},
    {"..", "\xff\xfe", true},
    {"[^a]b",
     "\xff"
     "b",
     true},
    {"\xef\xbf\xbd.?", "\xff", true},
};

static void test_regex__matches_the_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(MATCHES); i++) {
        struct regex *re = compile(str_from(MATCHES[i].expr));
        if (regex_match(re, str_from(MATCHES[i].text)) != MATCHES[i].matches)
            fail_msg("%s on %s: not %d", MATCHES[i].expr, MATCHES[i].text, MATCHES[i].matches);
        regex_close(re);
    }
}

static const struct {
    const char *expr, *message;
} ERRORS[] = {
    {"foo(", "error parsing regexp: missing closing ): `foo(`"},
    {"foo)", "error parsing regexp: unexpected ): `foo)`"},
    {"[a", "error parsing regexp: missing closing ]: `[a`"},
    {"x[a", "error parsing regexp: missing closing ]: `[a`"},
    {"*", "error parsing regexp: missing argument to repetition operator: `*`"},
    {"a|*b", "error parsing regexp: missing argument to repetition operator: `*`"},
    {"a**", "error parsing regexp: invalid nested repetition operator: `**`"},
    {"a{1001}", "error parsing regexp: invalid repeat count: `{1001}`"},
    {"a{2,1}", "error parsing regexp: invalid repeat count: `{2,1}`"},
    {"a\\", "error parsing regexp: trailing backslash at end of expression: ``"},
    {"\\8", "error parsing regexp: invalid escape sequence: `\\8`"},
    {"\\C", "error parsing regexp: invalid escape sequence: `\\C`"},
    {"[z-a]", "error parsing regexp: invalid character class range: `z-a`"},
    {"[[:foo:]]", "error parsing regexp: invalid character class range: `[:foo:]`"},
    {"\\pX", "error parsing regexp: invalid character class range: `\\pX`"},
    {"(?z)", "error parsing regexp: invalid or unsupported Perl syntax: `(?z`"},
    {"(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
    {"(?P<n", "error parsing regexp: invalid named capture: `(?P<n`"},
    {"(?i", "error parsing regexp: invalid or unsupported Perl syntax: `(?i`"},
    {"(?", "error parsing regexp: invalid or unsupported Perl syntax: `(?`"},
    {"(?P=n)", "error parsing regexp: invalid or unsupported Perl syntax: `(?P`"},
    {"a{1000}{1000}", "error parsing regexp: invalid nested repetition operator: `{1000}{1000}`"},
    {"(?<>a)", "error parsing regexp: invalid named capture: `(?<>`"},
    {"\\p{Foo}", "error parsing regexp: invalid character class range: `\\p{Foo}`"},
    {"[\\8]", "error parsing regexp: invalid escape sequence: `\\8`"},
    {"(((", "error parsing regexp: missing closing ): `(((`"},
    {"a??*", "error parsing regexp: invalid nested repetition operator: `??*`"},
    {"(|*)", "error parsing regexp: missing argument to repetition operator: `*`"},
    {"[a-\\d]", "error parsing regexp: invalid escape sequence: `\\d`"},
    {"(?P<n n>a)", "error parsing regexp: invalid named capture: `(?P<n n>`"},
    {"(?<n", "error parsing regexp: invalid named capture: `(?<n`"},
    {"((a{100}){10}){10}", "error parsing regexp: invalid repeat count: `{10}`"},
    {"\\x{110000}", "error parsing regexp: invalid escape sequence: `\\x{110000`"},
    {"\\x4", "error parsing regexp: invalid escape sequence: `\\x4`"},
    {"a+{1001}", "error parsing regexp: invalid repeat count: `{1001}`"},
    {"(\\C", "error parsing regexp: invalid escape sequence: `\\C`"},
    {")\\C", "error parsing regexp: unexpected ): `)\\C`"},
    {"\\Z", "error parsing regexp: invalid escape sequence: `\\Z`"},
    {"\xff", "error parsing regexp: invalid UTF-8: `\xff`"},
};

static void test_regex__reports_errors_in_the_words_of_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ERRORS); i++) {
        struct diag d = {0};
        struct regex *re = NULL;
        err e = regex_compile(str_from(ERRORS[i].expr), &re, &d);
        if (e != ERR_INVALID || re != NULL || strcmp(d.text, ERRORS[i].message) != 0)
            fail_msg("%s: %s", ERRORS[i].expr, d.text);
    }
}

static void test_regex__limits_the_program(void **state)
{
    struct regex *re = NULL;
    struct diag d = {0};
    (void)state;
    assert_int_equal(regex_compile(STR("(\\pL\\pN){450}(\\pL\\pN){450}"), &re, &d), ERR_LIMIT);
    assert_non_null(strstr(d.text, "too large"));
}

static const struct {
    const char *expr, *list; /* list: joined by ','; NULL when none */
} LITERALS[] = {
    {"", ""},
    {"a", "a"},
    {"b|a|b", "a,b"},
    {"a|", ",a"},
    {"(a|b)c", "ac,bc"},
    {"(?:ab|c)d", "abd,cd"},
    {"x(a|b)(1|2)y", "xa1y,xa2y,xb1y,xb2y"},
    {"[ab]c", "ac,bc"},
    {"v[0-2]", "v0,v1,v2"},
    {"a\\.b", "a.b"},
    {"a\\\\b", "a\\b"},
    {"\xc3\xa9|e", "e,\xc3\xa9"},
    {"((a))", "a"},
    {"a.b", NULL},
    {"a*", NULL},
    {"ab?", NULL},
    {"(a|b)?", NULL},
    {"(a|b)*c", NULL},
    {"a{2}", NULL},
    {"[a-z]+", NULL},
    {"[^a]", NULL},
    {"[A-z]", NULL},
    {"(?i)a", NULL},
    {"(?i:a)|b", NULL},
    {"^a$", "a"},
    {"^(a|b)$", "a,b"},
    {"a\\\\$", "a\\"},
    {"a\\$", "a$"},
    {"a$$", NULL},
    {"\\d", NULL},
    {"\\Qa\\E", NULL},
    {"\\pL", NULL},
};

static void test_regex__lists_literals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(LITERALS); i++) {
        struct regex *re = compile(str_from(LITERALS[i].expr));
        const str *items;
        struct buf joined = {0};
        size_t count = regex_literals(re, &items);
        for (size_t k = 0; k < count; k++) {
            if (k > 0)
                buf_put_u8(&joined, ',');
            buf_put_str(&joined, items[k]);
        }
        if ((count > 0) != (LITERALS[i].list != NULL) ||
            (count > 0 && !str_eq(buf_str(&joined), str_from(LITERALS[i].list))))
            fail_msg("%s: %s", LITERALS[i].expr, buf_cstr(&joined));
        buf_fini(&joined);
        regex_close(re);
    }
}

/* Thousands of names, as dashboards send them: no program limit applies to a list. */
static void test_regex__takes_long_lists(void **state)
{
    struct buf b = {0};
    (void)state;
    for (int i = 0; i < REGEX_LITERALS_MAX; i++)
        buf_printf(&b, "%snode-%d\\.example\\.com:9100-with-a-long-suffix", i > 0 ? "|" : "", i);
    struct regex *re = compile(buf_str(&b));
    const str *items;
    assert_int_equal(regex_literals(re, &items), REGEX_LITERALS_MAX);
    assert_true(regex_match(re, STR("node-4095.example.com:9100-with-a-long-suffix")));
    assert_false(regex_match(re, STR("node-4096.example.com:9100-with-a-long-suffix")));
    assert_true(str_eq(regex_prefix(re), STR("node-")));
    regex_close(re);
    /* One more is an ordinary expression. */
    buf_reset(&b);
    for (int i = 0; i <= REGEX_LITERALS_MAX; i++)
        buf_printf(&b, "%s%d", i > 0 ? "|" : "", i);
    re = compile(buf_str(&b));
    assert_int_equal(regex_literals(re, &items), 0);
    assert_true(regex_match(re, STR("4096")));
    assert_false(regex_match(re, STR("4097")));
    regex_close(re);
    buf_fini(&b);
}

/* Random expressions over a small alphabet: what the recognisers say must be what an automaton
 * says. The same expression inside (?i:)... is not recognised, so it shows RE2's own answer. */
static void random_expr(struct buf *b, uint64_t *r, int depth)
{
    static const char *const ATOMS[] = {"a",     "b", "ab",   "[ab]", "[a-c]",  ".*",      ".+",
                                        "\\.",   "c", "a*",   "b+",   "[ab]*",  "[bc.]+?", "\\w",
                                        "\\d*b", "é", "\\s?", ".*",   "[a-b]?", "[0-9]+"};
    int parts = 1 + (int)(*r % 4);
    *r = hash64((slice){(const uint8_t *)r, sizeof(*r)}, 1);
    for (int i = 0; i < parts; i++) {
        *r = hash64((slice){(const uint8_t *)r, sizeof(*r)}, 2);
        if (depth < 3 && *r % 5 == 0) {
            buf_put_str(b, *r % 2 ? STR("(") : STR("(?:"));
            random_expr(b, r, depth + 1);
            buf_put_u8(b, ')');
        } else {
            buf_put_str(b, str_from(ATOMS[(*r >> 8) % COUNT_OF(ATOMS)]));
        }
        if (*r >> 60 == 0)
            buf_put_u8(b, '?');
        if ((*r >> 20) % 4 == 0)
            buf_put_u8(b, '|');
    }
}

static void test_regex__recognisers_agree_with_the_automaton(void **state)
{
    uint64_t r = hash_random_seed();
    size_t lists = 0;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)r);
    for (int i = 0; i < 3000; i++) {
        struct buf b = {0}, plain = {0};
        static const char *const AROUND[][2] = {{"", ""}, {"^", "$"}, {"(", ")"}, {"^(?:", ")$"}};
        const char *const *around = AROUND[(r >> 40) % 8 % COUNT_OF(AROUND)];
        buf_put_str(&b, str_from(around[0]));
        random_expr(&b, &r, 0);
        buf_put_str(&b, str_from(around[1]));
        struct regex *re = NULL;
        if (regex_compile(buf_str(&b), &re, NULL) != OK) {
            buf_fini(&b); /* "??" after a gap and the like */
            continue;
        }
        /* "x{0}" is empty but no recogniser knows it */
        buf_printf(&plain, "(?:" STR_FMT ")x{0}", STR_ARG(buf_str(&b)));
        struct regex *automaton = compile(buf_str(&plain));
        const str *items;
        size_t count = regex_literals(re, &items);
        lists += count > 0;
        for (size_t k = 0; k < count; k++)
            assert_true(regex_match(automaton, items[k]));
        for (int k = 0; k < 40; k++) {
            char text[12];
            r = hash64((slice){(const uint8_t *)&r, sizeof(r)}, 3);
            size_t size = r % 7;
            for (size_t c = 0; c < size; c++)
                text[c] = "abc.aab\xc3\xa9 7"[(r >> (8 + 4 * c)) % 11];
            str s = {text, size};
            bool want = regex_match(automaton, s);
            if (regex_match(re, s) != want || (want && !str_starts(s, regex_prefix(re))))
                fail_msg("%s on " STR_FMT ": automaton says %d", buf_cstr(&b), STR_ARG(s), want);
        }
        regex_close(automaton);
        regex_close(re);
        buf_fini(&plain);
        buf_fini(&b);
    }
    assert_true(lists > 100);
}

/* What dashboards ask takes no automaton, and long ones are left to it. */
static void test_regex__sequences_are_not_slow(void **state)
{
    static const struct {
        const char *expr, *yes, *no;
        bool slow;
    } CASES[] = {
        {"prod-[0-9]+-.*|test.*", "prod-12-x", "prod--x", false},
        {".*[13579]aaa.*", "x3aaaa", "x2aaaa", false},
        {"(a+|x.*y)", "aa", "xY", false},
        {"a?b*\\d\\w\\s", "bb7_\t", "a\t", false},
        {"[a-z]*[0-9]?é+?", "ab3é", "ab3", true}, /* a rune of two bytes, repeated */
        {"[ab]{2}", "ab", "a", true},
        {"[^a]", "b", "a", true},
        {".", "é", "ab", true},
        {".+[b]?.+", "éé", "é", false},
        {".+[b]?.+", "\xe9\x80", "\x80", false}, /* invalid bytes are a rune each */
        {"[0-9]+0123456789012345678901234567890123456789012345678901234567890",
         "10123456789012345678901234567890123456789012345678901234567890", "x", false},
        {"[0-9]+01234567890123456789012345678901234567890123456789012345678901234",
         "101234567890123456789012345678901234567890123456789012345678901234", "x", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct regex *re = compile(str_from(CASES[i].expr));
        assert_int_equal(regex_is_slow(re), CASES[i].slow);
        assert_true(regex_match(re, str_from(CASES[i].yes)));
        assert_false(regex_match(re, str_from(CASES[i].no)));
        regex_close(re);
    }
}

static const struct {
    const char *expr, *text, *replacement, *want; /* want NULL: no match */
} EXPANDS[] = {
    {"(.*)", "abc", "$1", "abc"},
    {"(.*):(\\d+)", "host:80", "${2}-$1", "80-host"},
    {"(.*):(\\d+)", "host", "$1", NULL},
    {"(a)(b)?", "a", "[$1$2$3]", "[a]"},
    {"(a)", "a", "$1x", ""},
    {"(?P<n>x)|(?P<n>a.*)", "abc", "$n", "abc"},
    {"(a)", "a", "${1}x", "ax"},
    {"(?P<who>.+)@x", "me@x", "$who ${who}! $$ $", "me me! $ $"},
    {"(?<who>.+)@x", "me@x", "$who", "me"},
    {"(?P<n>a)(?P<n>b)", "ab", "$n", "a"},
    {"a", "a", "$0", "a"},
    {"a", "a", "$1.${2}|${x", ".|${x"},
    {"a|b", "b", "<$0>", "<b>"},
    {"(a|b)", "b", "<$1>", "<b>"},
    {"(a)", "a", "$01${}", "${}"},
    {"(a)", "a", "$\xc3\xa9 $-", " $-"},
    {".*", "", "x", "x"},
};

static void test_regex__expands_as_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(EXPANDS); i++) {
        struct regex *re = compile(str_from(EXPANDS[i].expr));
        struct buf b = {0};
        bool matched =
            regex_expand(re, str_from(EXPANDS[i].text), str_from(EXPANDS[i].replacement), &b);
        assert_int_equal(matched, EXPANDS[i].want != NULL);
        if (!str_eq(buf_str(&b), str_from(matched ? EXPANDS[i].want : "")))
            fail_msg("%s %s: %s", EXPANDS[i].expr, EXPANDS[i].replacement, buf_cstr(&b));
        buf_fini(&b);
        regex_close(re);
    }
}

static void test_regex__knows_its_groups(void **state)
{
    (void)state;
    struct regex *re = compile(STR("(?P<a>x)(?<b>y)(z)"));
    assert_true(regex_has_group(re, STR("a")));
    assert_true(regex_has_group(re, STR("b")));
    assert_false(regex_has_group(re, STR("c")));
    regex_close(re);
    re = compile(STR("a|b"));
    assert_false(regex_has_group(re, STR("a")));
    regex_close(re);
    regex_close(NULL);
}

static void test_regex__takes_empty_strings_without_address(void **state)
{
    static const char *const EXPRS[] = {"", ".*", "a?.*b?", "(a?)", "x|"};
    const str none = {NULL, 0};
    struct regex *re;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(EXPRS); i++) {
        struct buf b = {0};
        re = compile(str_from(EXPRS[i]));
        assert_true(regex_match(re, none));
        assert_true(regex_expand(re, none, STR("<$0$1>"), &b));
        assert_true(str_eq(buf_str(&b), STR("<>")));
        buf_fini(&b);
        regex_close(re);
    }
    re = compile(none);
    assert_true(regex_match(re, none));
    assert_false(regex_match(re, STR("a")));
    regex_close(re);
}

static void test_regex__prefixes(void **state)
{
    static const struct {
        const char *expr, *prefix;
    } CASES[] = {{"abc.*", "abc"},    {"ab*", "a"},         {"^ab[cd]+", "ab"}, {"ab|ac", "a"},
                 {"abx+|c", ""},      {"(?i)abc", ""},      {".*", ""},         {"a\\.b\\d", "a.b"},
                 {"\xc3\xa9?x", ""},  {"node\\d+", "node"}, {"a(b|c).*", "a"},  {"ab[|]c+", "ab"},
                 {"ab[^]|]c+", "ab"}, {"(a)b.c", ""},       {"^ab.c$", "ab"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct regex *re = compile(str_from(CASES[i].expr));
        if (!str_eq(regex_prefix(re), str_from(CASES[i].prefix)))
            fail_msg("%s: " STR_FMT, CASES[i].expr, STR_ARG(regex_prefix(re)));
        regex_close(re);
    }
}

static void test_regex__breadth(void **state)
{
    static const struct {
        const char *expr;
        enum regex_breadth breadth;
    } CASES[] = {{".*", REGEX_MATCHES_ALL},        {".*?", REGEX_MATCHES_ALL},
                 {"(.*)", REGEX_MATCHES_ALL},      {"^.*$", REGEX_MATCHES_ALL},
                 {"^(?:.*)$", REGEX_MATCHES_ALL},  {".+", REGEX_MATCHES_NONEMPTY},
                 {"(.+)", REGEX_MATCHES_NONEMPTY}, {".*.+", REGEX_MATCHES_NONEMPTY},
                 {".+.+", REGEX_MATCHES_SOME},     {"a.*", REGEX_MATCHES_SOME},
                 {".*a", REGEX_MATCHES_SOME},      {"(.*)(.*)", REGEX_MATCHES_SOME},
                 {"", REGEX_MATCHES_SOME},         {"\\(.*\\)", REGEX_MATCHES_SOME}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct regex *re = compile(str_from(CASES[i].expr));
        if (regex_breadth(re) != CASES[i].breadth)
            fail_msg("%s: not %d", CASES[i].expr, CASES[i].breadth);
        regex_close(re);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regex__breadth),
        cmocka_unit_test(test_regex__matches_the_whole),
        cmocka_unit_test(test_regex__reports_errors_in_the_words_of_go),
        cmocka_unit_test(test_regex__limits_the_program),
        cmocka_unit_test(test_regex__lists_literals),
        cmocka_unit_test(test_regex__takes_long_lists),
        cmocka_unit_test(test_regex__recognisers_agree_with_the_automaton),
        cmocka_unit_test(test_regex__sequences_are_not_slow),
        cmocka_unit_test(test_regex__expands_as_go),
        cmocka_unit_test(test_regex__knows_its_groups),
        cmocka_unit_test(test_regex__takes_empty_strings_without_address),
        cmocka_unit_test(test_regex__prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
