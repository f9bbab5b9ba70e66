/* Tokens: which, and where they start and end; what depends on the brackets around; what is wrong
 * with strings and numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "query/lexer.h"
#include "query/literal.h"

static const char *const NAMES[] = {
    [TOKEN_END] = "end",
    [TOKEN_ERROR] = "error",
    [TOKEN_COLON] = "colon",
    [TOKEN_COMMA] = "comma",
    [TOKEN_LEFT_BRACE] = "{",
    [TOKEN_RIGHT_BRACE] = "}",
    [TOKEN_LEFT_BRACKET] = "[",
    [TOKEN_RIGHT_BRACKET] = "]",
    [TOKEN_LEFT_PAREN] = "(",
    [TOKEN_RIGHT_PAREN] = ")",
    [TOKEN_EQUAL] = "=",
    [TOKEN_DURATION] = "dur",
    [TOKEN_IDENTIFIER] = "id",
    [TOKEN_METRIC_IDENTIFIER] = "metric",
    [TOKEN_NUMBER] = "num",
    [TOKEN_STRING] = "str",
    [TOKEN_ADD] = "add",
    [TOKEN_SUB] = "sub",
    [TOKEN_MUL] = "mul",
    [TOKEN_DIV] = "div",
    [TOKEN_MOD] = "mod",
    [TOKEN_POW] = "pow",
    [TOKEN_ATAN2] = "atan2",
    [TOKEN_EQ] = "eq",
    [TOKEN_NE] = "ne",
    [TOKEN_LT] = "lt",
    [TOKEN_LE] = "le",
    [TOKEN_GT] = "gt",
    [TOKEN_GE] = "ge",
    [TOKEN_TRIM_UPPER] = "trim_upper",
    [TOKEN_TRIM_LOWER] = "trim_lower",
    [TOKEN_AND] = "and",
    [TOKEN_OR] = "or",
    [TOKEN_UNLESS] = "unless",
    [TOKEN_AT] = "at",
    [TOKEN_REGEX] = "regex",
    [TOKEN_NOT_REGEX] = "not_regex",
    [TOKEN_AVG] = "agg_avg",
    [TOKEN_BOTTOMK] = "agg_bottomk",
    [TOKEN_COUNT] = "agg_count",
    [TOKEN_COUNT_VALUES] = "agg_count_values",
    [TOKEN_GROUP] = "agg_group",
    [TOKEN_LIMIT_RATIO] = "agg_limit_ratio",
    [TOKEN_LIMITK] = "agg_limitk",
    [TOKEN_MAX] = "agg_max",
    [TOKEN_MIN] = "agg_min",
    [TOKEN_QUANTILE] = "agg_quantile",
    [TOKEN_STDDEV] = "agg_stddev",
    [TOKEN_STDVAR] = "agg_stdvar",
    [TOKEN_SUM] = "agg_sum",
    [TOKEN_TOPK] = "agg_topk",
    [TOKEN_ANCHORED] = "k_anchored",
    [TOKEN_BOOL] = "k_bool",
    [TOKEN_BY] = "k_by",
    [TOKEN_FILL] = "k_fill",
    [TOKEN_FILL_LEFT] = "k_fill_left",
    [TOKEN_FILL_RIGHT] = "k_fill_right",
    [TOKEN_GROUP_LEFT] = "k_group_left",
    [TOKEN_GROUP_RIGHT] = "k_group_right",
    [TOKEN_IGNORING] = "k_ignoring",
    [TOKEN_OFFSET] = "k_offset",
    [TOKEN_ON] = "k_on",
    [TOKEN_SMOOTHED] = "k_smoothed",
    [TOKEN_WITHOUT] = "k_without",
    [TOKEN_END_WORD] = "w_end",
    [TOKEN_MAX_OF] = "w_max_of",
    [TOKEN_MIN_OF] = "w_min_of",
    [TOKEN_RANGE] = "w_range",
    [TOKEN_START] = "w_start",
    [TOKEN_STEP] = "w_step",
};

static const struct {
    const char *text, *tokens;
} TOKENS[] = {
    {"", ""},
    {" \t\r\n", ""},
    {"# comment", ""},
    {"# comment\r1", "num:1"},
    {"1 # x\n+ # y\n2", "num:1 add:+ num:2"},
    {",", "comma:,"},
    {"()", "(:( ):)"},
    {"foo", "id:foo"},
    {"foo:bar", "metric:foo:bar"},
    {":foo", "metric::foo"},
    {":", "metric::"},
    {"_a1", "id:_a1"},
    {"+ - * / % ^ @", "add:+ sub:- mul:* div:/ mod:% pow:^ at:@"},
    {"== != < <= > >= </ >/ =",
     "eq:== ne:!= lt:< le:<= gt:> ge:>= trim_upper:</ trim_lower:>/ =:="},
    {"<//", "trim_upper:</ div:/"},
    {"===", "eq:== =:="},
    {"and OR uNLESS atan2", "and:and or:OR unless:uNLESS atan2:atan2"},
    {"andy or_", "id:andy id:or_"},
    {"and:", "metric:and:"},
    {"sum avg count min max group stddev stdvar",
     "agg_sum:sum agg_avg:avg agg_count:count agg_min:min agg_max:max agg_group:group "
     "agg_stddev:stddev agg_stdvar:stdvar"},
    {"topk bottomk count_values quantile limitk limit_ratio",
     "agg_topk:topk agg_bottomk:bottomk agg_count_values:count_values agg_quantile:quantile "
     "agg_limitk:limitk agg_limit_ratio:limit_ratio"},
    {"offset by without on ignoring group_left group_right bool anchored smoothed",
     "k_offset:offset k_by:by k_without:without k_on:on k_ignoring:ignoring "
     "k_group_left:group_left k_group_right:group_right k_bool:bool k_anchored:anchored "
     "k_smoothed:smoothed"},
    {"start end step range min_of max_of",
     "w_start:start w_end:end w_step:step w_range:range w_min_of:min_of w_max_of:max_of"},
    {"fill fill_left fill_right", "id:fill id:fill_left id:fill_right"},
    {"fill( fill_left (1) fill_right\n())", "k_fill:fill (:( k_fill_left:fill_left (:( num:1 ):) "
                                            "k_fill_right:fill_right (:( ):) ):)"},
    {"Inf nAn inFinity", "num:Inf num:nAn id:inFinity"},
    {"1 2.5 .5 5. 1e3 1E-3 0x1F 017 1_000", "num:1 num:2.5 num:.5 num:5. num:1e3 num:1E-3 num:0x1F "
                                            "num:017 num:1_000"},
    {"5m 1h30m 1y2w3d4h5m6s7ms 100ms", "dur:5m dur:1h30m dur:1y2w3d4h5m6s7ms dur:100ms"},
    {"5m)", "dur:5m error: unexpected right parenthesis ')'"},
    {"1+2m", "num:1 add:+ dur:2m"},
    {"\"a\" 'b' `c`", "str:\"a\" str:'b' str:`c`"},
    {"\"\\\"\" '\\'' \"\\\\\"", "str:\"\\\"\" str:'\\'' str:\"\\\\\""},
    {"`a\nb`", "str:`a\nb`"},
    {"\"\\a\\b\\f\\n\\r\\t\\v\\377\\xfF\\u00e9\\U0001F600\"",
     "str:\"\\a\\b\\f\\n\\r\\t\\v\\377\\xfF\\u00e9\\U0001F600\""},
    {"'\303\251\342\202\254\360\237\230\200'", "str:'\303\251\342\202\254\360\237\230\200'"},
    /* braces */
    {"{sum=\"a\",by!='b',x=~`c`,y!~\"d\"}",
     "{:{ id:sum =:= str:\"a\" comma:, id:by ne:!= str:'b' comma:, id:x regex:=~ str:`c` comma:, "
     "id:y not_regex:!~ str:\"d\" }:}"},
    {"{ # c\n a # d\n } and", "{:{ id:a }:} and:and"},
    {"{Inf}", "{:{ id:Inf }:}"},
    {"{\"a\"}", "{:{ str:\"a\" }:}"},
    {"{a}{b}", "{:{ id:a }:} {:{ id:b }:}"},
    /* brackets */
    {"[5m]", "[:[ dur:5m ]:]"},
    {"[5m:1s]", "[:[ dur:5m colon:: dur:1s ]:]"},
    {"[5m:]", "[:[ dur:5m colon:: ]:]"},
    {"[ 300 ]", "[:[ num:300 ]:]"},
    {"[-5m+2*(3)]", "[:[ sub:- dur:5m add:+ num:2 mul:* (:( num:3 ):) ]:]"},
    {"[step()]", "[:[ w_step:step (:( ):) ]:]"},
    {"[STEP ( ) : Range()]", "[:[ w_step:STEP (:( ):) colon:: w_range:Range (:( ):) ]:]"},
    {"[5m*step()+range()]", "[:[ dur:5m mul:* w_step:step (:( ):) add:+ w_range:range (:( ):) ]:]"},
    {"[max_of(1,min_of(2s,3))]",
     "[:[ w_max_of:max_of (:( num:1 comma:, w_min_of:min_of (:( dur:2s comma:, num:3 ):) ):) ]:]"},
    {"[5m # c\n]", "[:[ dur:5m ]:]"},
    {"a[1m] b[2m:] c", "id:a [:[ dur:1m ]:] id:b [:[ dur:2m colon:: ]:] id:c"},
    /* errors */
    {"$", "error: unexpected character: '$'"},
    {"foo?", "id:foo error: unexpected character: '?'"},
    {"\303\251", "error: unexpected character: '\303\251'"},
    {"\377", "error: unexpected character: '\357\277\275'"},
    {"\t\a", "error: unexpected character: '\\a'"},
    {"\\", "error: unexpected character: '\\\\'"},
    {"!", "error: unexpected character after '!': '\357\277\275'"},
    {"!x", "error: unexpected character after '!': 'x'"},
    {"=~", "error: unexpected character after '=': '~'"},
    {"(", "(:( error: unclosed left parenthesis"},
    {"]", "error: unexpected right bracket ']'"},
    {"[", "[:[ error: unexpected end of input in duration expression"},
    {"[5m", "[:[ dur:5m error: unclosed left bracket"},
    {"[(5m", "[:[ (:( dur:5m error: unclosed left parenthesis"},
    {"[[", "[:[ error: unexpected character in duration expression: '['"},
    {"[5m[", "[:[ dur:5m error: unexpected left bracket '['"},
    {"[x", "[:[ error: unexpected character in duration expression: 'x'"},
    {"[5mx]", "[:[ error: bad number or duration syntax: \"5mx\""},
    {"[5m stop]", "[:[ dur:5m error: unexpected character: 's', expected ':'"},
    {"[:", "[:[ error: unexpected colon before duration in duration expression"},
    {"[5m::", "[:[ dur:5m colon:: error: unexpected colon ':'"},
    {"[# c\n5m]", "[:[ error: unexpected character in duration expression: '#'"},
    {"{", "{:{ error: unexpected end of input inside braces"},
    {"{a", "{:{ id:a error: unexpected end of input inside braces"},
    {"{{", "{:{ error: unexpected left brace '{'"},
    {"{1", "{:{ error: unexpected character inside braces: '1'"},
    {"{!a", "{:{ error: unexpected character after '!' inside braces: 'a'"},
    {"}", "error: unexpected character: '}'"},
    {"\"a", "error: unterminated quoted string"},
    {"'a\nb'", "error: unterminated quoted string"},
    {"`a", "error: unterminated raw string"},
    {"\"a'", "error: unterminated quoted string"},
    {"\"\\", "error: escape sequence not terminated"},
    {"\"\\x1", "error: escape sequence not terminated"},
    {"\"\\q\"", "error: unknown escape sequence U+0071 'q'"},
    {"\"\\'\"", "error: unknown escape sequence U+0027 '''"},
    {"'\\\"'", "error: unknown escape sequence U+0022 '\"'"},
    {"\"\\\303\251\"", "error: unknown escape sequence U+00E9 '\303\251'"},
    {"\"\\\a\"", "error: unknown escape sequence U+0007"},
    {"\"\\xg1\"", "error: illegal character U+0067 'g' in escape sequence"},
    {"\"\\18\"", "error: illegal character U+0038 '8' in escape sequence"},
    {"\"\\u12\"", "error: illegal character U+0022 '\"' in escape sequence"},
    {"\"\\400\"", "error: escape sequence is an invalid Unicode code point"},
    {"\"\\ud800\"", "error: escape sequence is an invalid Unicode code point"},
    {"\"\\U00110000\"", "error: escape sequence is an invalid Unicode code point"},
    {"\"\377\"", "error: invalid UTF-8 rune"},
    {"`\300\200`", "error: invalid UTF-8 rune"},
    {"'\357\277\275'", "error: invalid UTF-8 rune"},
    {"0b1", "error: bad number or duration syntax: \"0\""},
    {"1.2.3.4", "error: bad number or duration syntax: \"1.2.\""},
    {"1..", "error: bad number or duration syntax: \"1..\""},
    {"1__0", "error: bad number or duration syntax: \"1__\""},
    {"1_", "error: bad number or duration syntax: \"1_\""},
    {"1_.5", "error: bad number or duration syntax: \"1_.\""},
    {"1e", "error: bad number or duration syntax: \"1e\""},
    {"1e+", "error: bad number or duration syntax: \"1e+\""},
    {"0x1.8", "error: bad number or duration syntax: \"0x1.\""},
    {"5x", "error: bad number or duration syntax: \"5\""},
    {"5mm", "error: bad number or duration syntax: \"5mm\""},
    {"5m1", "error: bad number or duration syntax: \"5m1\""},
    {"1m5y", "error: bad number or duration syntax: \"1m5\""},
};

/* The tokens of `text`, "type:text" each, separated by a blank; an error ends with its message. */
static void dump(const char *text, char *out, size_t size)
{
    struct lexer lx;
    size_t len = strlen(text), n = 0, last = 0;
    lexer_init(&lx, (str){text, len});
    out[0] = '\0';
    for (;;) {
        struct token t = lexer_next(&lx);
        assert_true(t.start <= t.end && t.end <= len && t.start >= last);
        if (t.type == TOKEN_END)
            break;
        const char *blank = n > 0 ? " " : "";
        if (t.type == TOKEN_ERROR) {
            n += (size_t)snprintf(out + n, size - n, "%serror: %s", blank, lx.error);
            assert_int_equal(lexer_next(&lx).type, TOKEN_ERROR);
            return;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%s:%.*s", blank, NAMES[t.type],
                              (int)(t.end - t.start), text + t.start);
        last = t.end;
    }
    assert_int_equal(lexer_next(&lx).type, TOKEN_END);
}

static void test_lexer__tokens(void **state)
{
    (void)state;
    char got[4096];
    for (size_t i = 0; i < sizeof(TOKENS) / sizeof(TOKENS[0]); i++) {
        dump(TOKENS[i].text, got, sizeof(got));
        if (strcmp(got, TOKENS[i].tokens) != 0)
            fail_msg("%s\n  want %s\n  got  %s", TOKENS[i].text, TOKENS[i].tokens, got);
    }
}

/* Every pair of bytes, in every surrounding, gives tokens that end. */
static void test_lexer__any_bytes(void **state)
{
    (void)state;
    static const char *const BEFORE[] = {"", "{", "[", "[5m", "\"", "'\\", "5", "("};
    char text[16];
    for (size_t k = 0; k < sizeof(BEFORE) / sizeof(BEFORE[0]); k++)
        for (unsigned a = 0; a < 256; a++)
            for (unsigned b = 0; b < 256; b++) {
                size_t n = strlen(BEFORE[k]);
                memcpy(text, BEFORE[k], n);
                text[n] = (char)a;
                text[n + 1] = (char)b;
                struct lexer lx;
                lexer_init(&lx, (str){text, n + 2});
                unsigned tokens = 0;
                for (struct token t; (t = lexer_next(&lx)).type != TOKEN_END; tokens++)
                    if (t.type == TOKEN_ERROR)
                        break;
                assert_true(tokens <= n + 2);
            }
}

static void test_lexer__metric_and_label_names(void **state)
{
    (void)state;
    static const enum token_type NOT_METRICS[] = {
        TOKEN_BOOL,        TOKEN_ON,   TOKEN_IGNORING, TOKEN_GROUP_LEFT,
        TOKEN_GROUP_RIGHT, TOKEN_FILL, TOKEN_ATAN2,
    };
    for (size_t i = 0; i < sizeof(NOT_METRICS) / sizeof(NOT_METRICS[0]); i++) {
        assert_false(token_is_metric_name(NOT_METRICS[i]));
        assert_true(token_is_label_name(NOT_METRICS[i]));
    }
    assert_true(token_is_metric_name(TOKEN_SUM));
    assert_true(token_is_metric_name(TOKEN_OFFSET));
    assert_true(token_is_metric_name(TOKEN_STEP));
    assert_true(token_is_label_name(TOKEN_AND));
    assert_false(token_is_label_name(TOKEN_NUMBER));
    assert_false(token_is_label_name(TOKEN_STRING));
    assert_false(token_is_label_name(TOKEN_ADD));
    assert_false(token_is_label_name(TOKEN_END));
}

static void test_literal__numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        err e;
        double value;
    } CASES[] = {
        {"0", OK, 0},
        {"017", OK, 15},
        {"08", OK, 8},
        {"0_17", OK, 15},
        {"0x1F", OK, 31},
        {"0X_1f", OK, 31},
        {"0x7fffffffffffffff", OK, 9223372036854775807.0},
        {"0xffffffffffffffff", ERR_INVALID, 0},
        {"0x", ERR_INVALID, 0},
        {"1_000", OK, 1000},
        {"1__0", ERR_INVALID, 0},
        {"_1", ERR_INVALID, 0},
        {"1_000.5", OK, 1000.5},
        {".5e1", OK, 5},
        {".5.5", ERR_INVALID, 0},
        {"9223372036854775808", OK, 9223372036854775808.0},
        {"0777777777777777777777", OK, 9223372036854775807.0},
        {"01777777777777777777777", OK, 1777777777777777777777.0},
        {"1e309", ERR_LIMIT, 0},
        {"1e-400", OK, 0},
        {"Inf", OK, 1 / 0.0},
        {"1.7976931348623157e308", OK, 1.7976931348623157e308},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        double value = -1;
        err e = literal_number(str_from(CASES[i].text), &value);
        if (e != CASES[i].e || (e == OK && value != CASES[i].value))
            fail_msg("%s: %s %g", CASES[i].text, err_name(e), value);
    }
    double nan;
    assert_int_equal(literal_number(STR("NaN"), &nan), OK);
    assert_true(nan != nan);
}

static void test_literal__strings(void **state)
{
    (void)state;
    static const struct {
        str text, value;
    } CASES[] = {
        {STR("\"\""), STR("")},
        {STR("'a\"b'"), STR("a\"b")},
        {STR("\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\""), STR("\a\b\f\n\r\t\v\\\"")},
        {STR("'\\''"), STR("'")},
        {STR("`\\n'\"`"), STR("\\n'\"")},
        {STR("\"\\377\\xFF\""), STR("\377\377")},
        {STR("\"\\000a\""), STR("\0a")},
        {STR("\"\\u00e9\\u1234\\U0001F600\""), STR("\303\251\341\210\264\360\237\230\200")},
        {STR("\"\\101b\\x41b\""), STR("AbAb")},
    };
    struct arena a;
    arena_init(&a, 1 << 16);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        str got;
        assert_int_equal(literal_string(CASES[i].text, &a, &got), OK);
        if (!str_eq(got, CASES[i].value))
            fail_msg(STR_FMT, STR_ARG(CASES[i].text));
    }
    str got;
    assert_int_equal(literal_string(STR("\""), &a, &got), ERR_INVALID);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lexer__tokens),
        cmocka_unit_test(test_lexer__any_bytes),
        cmocka_unit_test(test_lexer__metric_and_label_names),
        cmocka_unit_test(test_literal__numbers),
        cmocka_unit_test(test_literal__strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
