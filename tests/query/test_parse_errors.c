/* Queries that must be refused, each with the whole text of its error: words, line and column are
 * what Prometheus answers (most rows were compared with a running one; where 3.x differs from 2.x
 * the newer words stand here). All experimental features are on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "query/parser.h"

static const struct {
    const char *query, *error;
} ERRORS[] = {
    {"# just a comment", "1:1: parse error: no expression found in input"},
    {"1+", "1:3: parse error: unexpected end of input"},
    {".", "1:1: parse error: unexpected character: '.'"},
    {"2.5.", "1:1: parse error: bad number or duration syntax: \"2.5.\""},
    {"100..4", "1:1: parse error: bad number or duration syntax: \"100..\""},
    {"0deadbeef", "1:1: parse error: bad number or duration syntax: \"0de\""},
    {"1 /", "1:4: parse error: unexpected end of input"},
    {"*1", "1:1: parse error: unexpected <op:*>"},
    {"(1))", "1:5: parse error: unexpected right parenthesis ')'"},
    {"((1)", "1:5: parse error: unclosed left parenthesis"},
    {"(", "1:2: parse error: unclosed left parenthesis"},
    {"1 and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
    {"1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
    {"1 or 1", "1:1: parse error: set operator \"or\" not allowed in binary scalar expression"},
    {"1 unless 1",
     "1:1: parse error: set operator \"unless\" not allowed in binary scalar expression"},
    {"1 !~ 1", "1:3: parse error: unexpected character after '!': '~'"},
    {"1 =~ 1", "1:3: parse error: unexpected character after '=': '~'"},
    {"-\"string\"", "1:1: parse error: unary expression only allowed on expressions of type scalar "
                    "or instant vector, got \"string\""},
    {"-test[5m]", "1:1: parse error: unary expression only allowed on expressions of type scalar "
                  "or instant vector, got \"range vector\""},
    {"*test", "1:1: parse error: unexpected <op:*>"},
    {"1 offset 1d", "1:1: parse error: offset modifier must be preceded by an instant vector "
                    "selector or range vector selector or a subquery"},
    {"foo offset 1s offset 2s", "1:1: parse error: offset may not be set multiple times"},
    {"a - on(b) ignoring(c) d", "1:11: parse error: unexpected <ignoring>"},
    {"foo and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
    {"1 and foo", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
    {"foo or 1", "1:1: parse error: set operator \"or\" not allowed in binary scalar expression"},
    {"1 or on(bar) foo", "1:1: parse error: vector matching only allowed between instant vectors"},
    {"foo == on(bar) 10", "1:1: parse error: vector matching only allowed between instant vectors"},
    {"foo + group_left(baz) bar", "1:7: parse error: unexpected <group_left>"},
    {"foo and on(bar) group_left(baz) bar",
     "1:1: parse error: no grouping allowed for \"and\" operation"},
    {"http_requests{group=\"production\"} + on(instance) group_left(job,instance) "
     "cpu_count{type=\"smp\"}",
     "1:35: parse error: label \"instance\" must not occur in ON and GROUP clause at once"},
    {"foo + bool bar", "1:5: parse error: bool modifier can only be used on comparison operators"},
    {"foo + bool 10", "1:5: parse error: bool modifier can only be used on comparison operators"},
    {"foo and bool 10", "1:5: parse error: bool modifier can only be used on comparison operators"},
    {"{", "1:2: parse error: unexpected end of input inside braces"},
    {"}", "1:1: parse error: unexpected character: '}'"},
    {"some{", "1:6: parse error: unexpected end of input inside braces"},
    {"some}", "1:5: parse error: unexpected character: '}'"},
    {"some_metric{a=b}",
     "1:15: parse error: unexpected identifier \"b\" in label matching, expected string"},
    {"some_metric{a:b=\"b\"}", "1:14: parse error: unexpected character inside braces: ':'"},
    {"foo{a*\"b\"}", "1:6: parse error: unexpected character inside braces: '*'"},
    {"foo{a>=\"b\"}", "1:6: parse error: unexpected character inside braces: '>'"},
    {"foo{gibberish}",
     "1:14: parse error: unexpected \"}\" in label matching, expected label matching operator"},
    {"foo{1}", "1:5: parse error: unexpected character inside braces: '1'"},
    {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"{x=\"\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"{x=~\".*\"}",
     "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"{x!~\".+\"}",
     "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"{x!=\"a\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"foo{__name__=\"bar\"}",
     "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
    {"foo{__name__= =}", "1:15: parse error: unexpected \"=\" in label matching, expected string"},
    {"foo{,}",
     "1:5: parse error: unexpected \",\" in label matching, expected identifier or \"}\""},
    {"foo{__name__ == \"bar\"}",
     "1:15: parse error: unexpected \"=\" in label matching, expected string"},
    {"foo{__name__=\"bar\" lol}",
     "1:20: parse error: unexpected identifier \"lol\" in label matching, expected \",\" or \"}\""},
    {"foo[5mm]", "1:5: parse error: bad number or duration syntax: \"5mm\""},
    {"foo[5m1]", "1:5: parse error: bad number or duration syntax: \"5m1\""},
    {"foo[5m:1m1]", "1:8: parse error: bad number or duration syntax: \"1m1\""},
    {"foo[5y1hs]", "1:5: parse error: unknown unit \"hs\" in duration \"5y1hs\""},
    {"foo[5m1h]", "1:5: parse error: not a valid duration string: \"5m1h\""},
    {"foo[5m1m]", "1:5: parse error: not a valid duration string: \"5m1m\""},
    {"foo[]", "1:5: parse error: unexpected \"]\" in subquery or range selector, expected number, "
              "duration, step(), or range()"},
    {"some_metric[5m] OFFSET 1mm", "1:24: parse error: bad number or duration syntax: \"1mm\""},
    {"some_metric OFFSET 1m[5m]", "1:22: parse error: no offset modifiers allowed before range"},
    {"some_metric[5m] @", "1:18: parse error: unexpected end of input in @, expected timestamp"},
    {"some_metric @ 1234 [5m]", "1:20: parse error: no @ modifiers allowed before range"},
    {"(foo + bar)[5m]", "1:12: parse error: ranges only allowed for vector selectors"},
    {"sum without(==)(some_metric)",
     "1:13: parse error: unexpected <op:==> in grouping opts, expected label"},
    {"sum without(,)(some_metric)",
     "1:13: parse error: unexpected \",\" in grouping opts, expected label"},
    {"sum without(foo,,)(some_metric)",
     "1:17: parse error: unexpected \",\" in grouping opts, expected label"},
    {"sum some_metric by (test)", "1:5: parse error: unexpected identifier \"some_metric\""},
    {"sum (some_metric) by test",
     "1:22: parse error: unexpected identifier \"test\" in grouping opts, expected \"(\""},
    {"sum () by (test)", "1:1: parse error: no arguments for aggregate expression provided"},
    {"MIN keep_common (some_metric)", "1:5: parse error: unexpected identifier \"keep_common\""},
    {"MIN (some_metric) keep_common", "1:19: parse error: unexpected identifier \"keep_common\""},
    {"sum (some_metric) without (test) by (test)", "1:34: parse error: unexpected <by>"},
    {"sum without (test) (some_metric) by (test)", "1:34: parse error: unexpected <by>"},
    {"topk(some_metric)", "1:1: parse error: wrong number of arguments for aggregate expression "
                          "provided, expected 2, got 1"},
    {"topk(some_metric,)", "1:17: parse error: trailing commas not allowed in function call args"},
    {"topk(some_metric, other_metric)",
     "1:6: parse error: expected type scalar in aggregation parameter, got instant vector"},
    {"count_values(5, other_metric)",
     "1:14: parse error: expected type string in aggregation parameter, got scalar"},
    {"rate(some_metric[5m]) @ 1234", "1:1: parse error: @ modifier must be preceded by an instant "
                                     "vector selector or range vector selector or a subquery"},
    {"floor()", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 0"},
    {"floor(some_metric, other_metric)",
     "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 2"},
    {"floor(some_metric, 1)",
     "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 2"},
    {"floor(1)",
     "1:7: parse error: expected type instant vector in call to function \"floor\", got scalar"},
    {"hour(some_metric, some_metric, some_metric)",
     "1:1: parse error: expected at most 1 argument(s) in call to \"hour\", got 3"},
    {"time(some_metric)", "1:1: parse error: expected 0 argument(s) in call to \"time\", got 1"},
    {"non_existent_function_far_bar()",
     "1:1: parse error: unknown function with name \"non_existent_function_far_bar\""},
    {"rate(some_metric)", "1:6: parse error: expected type range vector in call to function "
                          "\"rate\", got instant vector"},
    {"-=", "1:2: parse error: unexpected \"=\""},
    {"++-++-+-+-<", "1:11: parse error: unexpected <op:<>"},
    {"e-+=/(0)", "1:4: parse error: unexpected \"=\""},
    {"a>b()", "1:3: parse error: unknown function with name \"b\""},
    {"rate(avg)", "1:6: parse error: expected type range vector in call to function \"rate\", got "
                  "instant vector"},
    {"`\\``", "1:4: parse error: unterminated raw string"},
    {"\"\\", "1:1: parse error: escape sequence not terminated"},
    {"\"\\c\"", "1:1: parse error: unknown escape sequence U+0063 'c'"},
    {"\"\\x.\"", "1:1: parse error: illegal character U+002E '.' in escape sequence"},
    {"\"\\xg0\"", "1:1: parse error: illegal character U+0067 'g' in escape sequence"},
    {"\"\\400\"", "1:1: parse error: escape sequence is an invalid Unicode code point"},
    {"\"\\ud800\"", "1:1: parse error: escape sequence is an invalid Unicode code point"},
    {"\"\\U00110000\"", "1:1: parse error: escape sequence is an invalid Unicode code point"},
    {"\"\\u12\"", "1:1: parse error: illegal character U+0022 '\"' in escape sequence"},
    {"\"\\8\"", "1:1: parse error: unknown escape sequence U+0038 '8'"},
    {"'\\\"'", "1:1: parse error: unknown escape sequence U+0022 '\"'"},
    {"\"\\'\"", "1:1: parse error: unknown escape sequence U+0027 '''"},
    {"\"abc", "1:1: parse error: unterminated quoted string"},
    {"foo{bar=\"baz\"}[", "1:16: parse error: unexpected end of input in duration expression"},
    {"foo{bar=\"baz\"}[10m:6s", "1:22: parse error: unclosed left bracket"},
    {"test[5d] OFFSET 10s [10m:5s]",
     "1:1: parse error: subquery is only allowed on instant vector, got matrix instead"},
    {"(foo + bar{nm=\"val\"})[5m:][10m:5s]",
     "1:1: parse error: subquery is only allowed on instant vector, got matrix instead"},
    {"rate(food[1m])[1h] offset 1h", "1:15: parse error: ranges only allowed for vector selectors"},
    {"sum(", "1:5: parse error: unclosed left parenthesis"},
    {"sum(rate(", "1:10: parse error: unclosed left parenthesis"},
    {"sum(foo bar)", "1:9: parse error: unexpected identifier \"bar\" in aggregation"},
    {"sum(rate(foo bar))", "1:14: parse error: unexpected identifier \"bar\" in aggregation"},
    {"rate(foo bar)", "1:10: parse error: unexpected identifier \"bar\""},
    {"sum(foo,bar)", "1:1: parse error: wrong number of arguments for aggregate expression "
                     "provided, expected 1, got 2"},
    {"sum by (x) foo", "1:12: parse error: unexpected identifier \"foo\" in aggregation"},
    {"sum by", "1:7: parse error: unexpected end of input in grouping opts, expected \"(\""},
    {"sum by (", "1:9: parse error: unclosed left parenthesis"},
    {"sum by (a", "1:10: parse error: unclosed left parenthesis"},
    {"sum by (a b)",
     "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""},
    {"sum by (a,", "1:11: parse error: unclosed left parenthesis"},
    {"a + on", "1:7: parse error: unexpected end of input in grouping opts, expected \"(\""},
    {"a + on(", "1:8: parse error: unclosed left parenthesis"},
    {"a + on(b", "1:9: parse error: unclosed left parenthesis"},
    {"a + on(b) group_left )", "1:23: parse error: unexpected right parenthesis ')'"},
    {"a + on(b) group_left * c",
     "1:22: parse error: unexpected <op:*> in grouping opts, expected \"(\""},
    {"foo(a,,b)", "1:6: parse error: trailing commas not allowed in function call args"},
    {"foo(a, *b)", "1:6: parse error: trailing commas not allowed in function call args"},
    {"sum(,a)", "1:5: parse error: unexpected \",\" in aggregation"},
    {"abs(,a)", "1:5: parse error: unexpected \",\""},
    {"abs(a b)", "1:7: parse error: unexpected identifier \"b\""},
    {"abs(a", "1:6: parse error: unclosed left parenthesis"},
    {"foo offset", "1:11: parse error: unexpected end of input in offset, expected number, "
                   "duration, step(), or range()"},
    {"foo offset x", "1:12: parse error: unexpected identifier \"x\" in offset, expected number, "
                     "duration, step(), or range()"},
    {"foo offset -", "1:13: parse error: unexpected end of input in offset, expected number, "
                     "duration, step(), or range()"},
    {"foo offset -x", "1:13: parse error: unexpected identifier \"x\" in offset, expected number, "
                      "duration, step(), or range()"},
    {"foo @", "1:6: parse error: unexpected end of input in @, expected timestamp"},
    {"foo @ x", "1:7: parse error: unexpected identifier \"x\" in @, expected timestamp"},
    {"foo @ start", "1:12: parse error: unexpected end of input in @, expected timestamp"},
    {"foo @ start x", "1:13: parse error: unexpected identifier \"x\" in @, expected timestamp"},
    {"foo @ start(", "1:13: parse error: unclosed left parenthesis"},
    {"foo @ start(x)", "1:13: parse error: unexpected identifier \"x\" in @, expected timestamp"},
    {"foo @ -x", "1:8: parse error: unexpected identifier \"x\" in @, expected timestamp"},
    {"foo @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"},
    {"foo @ start() @ end()", "1:1: parse error: @ <timestamp> may not be set multiple times"},
    {"foo @ NaN", "1:1: parse error: timestamp out of bounds for @ modifier: NaN"},
    {"foo @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf"},
    {"foo @ -Inf", "1:1: parse error: timestamp out of bounds for @ modifier: -Inf"},
    {"foo @ 1e30", "1:1: parse error: timestamp out of bounds for @ modifier: "
                   "1000000000000000019884624838656.000000"},
    {"1 @ 5", "1:1: parse error: @ modifier must be preceded by an instant vector selector or "
              "range vector selector or a subquery"},
    {"foo[5m] @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"},
    {"foo{a=\"b\",,}",
     "1:11: parse error: unexpected \",\" in label matching, expected identifier or \"}\""},
    {"foo{a=\"b\" c=\"d\"}",
     "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\""},
    {"foo{a}",
     "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator"},
    {"foo{a=}", "1:7: parse error: unexpected \"}\" in label matching, expected string"},
    {"foo{a=~\"(\"}", "1:5: parse error: error parsing regexp: missing closing ): `(`"},
    {"foo{a=~\"[a\"}", "1:5: parse error: error parsing regexp: missing closing ]: `[a`"},
    {"foo{a=~\"*\"}",
     "1:5: parse error: error parsing regexp: missing argument to repetition operator: `*`"},
    {"foo{a=~\"a{2,1}\"}", "1:5: parse error: error parsing regexp: invalid repeat count: `{2,1}`"},
    {"foo{a!~\"\\\\p{X}\"}",
     "1:5: parse error: error parsing regexp: invalid character class range: `\\p{X}`"},
    {"foo{\"a\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"a\""},
    {"foo{a=\"b\"", "1:10: parse error: unexpected end of input inside braces"},
    {"foo{{}", "1:5: parse error: unexpected left brace '{'"},
    {"foo{a=\"b\"}}", "1:11: parse error: unexpected character: '}'"},
    {"foo]", "1:4: parse error: unexpected right bracket ']'"},
    {"foo[5m", "1:7: parse error: unclosed left bracket"},
    {"foo[5m:", "1:8: parse error: unclosed left bracket"},
    {"foo[5m:x]", "1:8: parse error: unexpected character: 'x', expected ':'"},
    {"foo[5m:5m:5m]", "1:10: parse error: unexpected colon ':'"},
    {"foo[5m x", "1:8: parse error: unexpected character: 'x', expected ':'"},
    {"foo[x]", "1:5: parse error: unexpected character in duration expression: 'x'"},
    {"foo[:5m]", "1:6: parse error: unexpected colon before duration in duration expression"},
    {"foo[\"5m\"]", "1:5: parse error: unexpected character in duration expression: '\"'"},
    {"foo[5m\"]", "1:7: parse error: unterminated quoted string"},
    {"foo[5m[", "1:7: parse error: unexpected left bracket '['"},
    {"foo[[", "1:5: parse error: unexpected character in duration expression: '['"},
    {"foo[0m]", "1:5: parse error: duration must be greater than 0"},
    {"foo[0s:]", "1:5: parse error: duration must be greater than 0"},
    {"foo[5m:0s]", "1:8: parse error: duration must be greater than 0"},
    {"foo bar", "1:5: parse error: unexpected identifier \"bar\""},
    {"1 1", "1:3: parse error: unexpected number \"1\""},
    {"\"a\" \"b\"", "1:5: parse error: unexpected string \"\\\"b\\\"\""},
    {"foo \"a\"", "1:5: parse error: unexpected string \"\\\"a\\\"\""},
    {"foo 5m", "1:5: parse error: unexpected duration \"5m\""},
    {"foo(", "1:5: parse error: unclosed left parenthesis"},
    {"foo)", "1:5: parse error: unexpected right parenthesis ')'"},
    {"()", "1:2: parse error: unexpected \")\""},
    {"(foo", "1:5: parse error: unclosed left parenthesis"},
    {"foo(1,)", "1:6: parse error: trailing commas not allowed in function call args"},
    {"foo= 1", "1:4: parse error: unexpected \"=\""},
    {"foo=1", "1:4: parse error: unexpected \"=\""},
    {"foo!1", "1:4: parse error: unexpected character after '!': '1'"},
    {"foo!", "1:4: parse error: unexpected character after '!': '\357\277\275'"},
    {"foo~1", "1:4: parse error: unexpected character: '~'"},
    {"foo&bar", "1:4: parse error: unexpected character: '&'"},
    {"foo;bar", "1:4: parse error: unexpected character: ';'"},
    {"foo?", "1:4: parse error: unexpected character: '?'"},
    {"foo$", "1:4: parse error: unexpected character: '$'"},
    {"foo\\", "1:4: parse error: unexpected character: '\\\\'"},
    {"\303\251", "1:1: parse error: unexpected character: '\303\251'"},
    {"\"\303\251", "1:1: parse error: unterminated quoted string"},
    {"foo{\303\251=\"a\"}", "1:5: parse error: unexpected character inside braces: '\303\251'"},
    {"foo\303\251", "1:4: parse error: unexpected character: '\303\251'"},
    {"# c\nfoo +\nbar baz", "3:5: parse error: unexpected identifier \"baz\""},
    {"foo\n+\n+*", "3:2: parse error: unexpected <op:*>"},
    {"by by by", "1:4: parse error: unexpected <by>"},
    {"bool", "1:1: parse error: unexpected <bool>"},
    {"on", "1:1: parse error: unexpected <on>"},
    {"ignoring", "1:1: parse error: unexpected <ignoring>"},
    {"group_left", "1:1: parse error: unexpected <group_left>"},
    {"count_values(\"a\")", "1:1: parse error: wrong number of arguments for aggregate expression "
                            "provided, expected 2, got 1"},
    {"count_values()", "1:1: parse error: no arguments for aggregate expression provided"},
    {"quantile(foo)", "1:1: parse error: wrong number of arguments for aggregate expression "
                      "provided, expected 2, got 1"},
    {"quantile(\"a\", foo)",
     "1:10: parse error: expected type scalar in aggregation parameter, got string"},
    {"topk(1, 2)",
     "1:9: parse error: expected type instant vector in aggregation expression, got scalar"},
    {"sum(1)",
     "1:5: parse error: expected type instant vector in aggregation expression, got scalar"},
    {"sum(\"a\")",
     "1:5: parse error: expected type instant vector in aggregation expression, got string"},
    {"sum(foo[5m])",
     "1:5: parse error: expected type instant vector in aggregation expression, got range vector"},
    {"sum(foo[5m:])",
     "1:5: parse error: expected type instant vector in aggregation expression, got range vector"},
    {"rate(1)",
     "1:6: parse error: expected type range vector in call to function \"rate\", got scalar"},
    {"rate(\"a\")",
     "1:6: parse error: expected type range vector in call to function \"rate\", got string"},
    {"rate(sum(foo))", "1:6: parse error: expected type range vector in call to function \"rate\", "
                       "got instant vector"},
    {"abs(foo[5m])", "1:5: parse error: expected type instant vector in call to function \"abs\", "
                     "got range vector"},
    {"label_replace(foo)",
     "1:1: parse error: expected 5 argument(s) in call to \"label_replace\", got 1"},
    {"label_replace(foo,1,2,3,4)",
     "1:19: parse error: expected type string in call to function \"label_replace\", got scalar"},
    {"label_join(foo)",
     "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1"},
    {"label_join(foo,\"a\")",
     "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 2"},
    {"label_join(foo,\"a\",\"b\",3)",
     "1:24: parse error: expected type string in call to function \"label_join\", got scalar"},
    {"label_join(foo,\"a\",\"b\",\"c\",4)",
     "1:28: parse error: expected type string in call to function \"label_join\", got scalar"},
    {"round()", "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0"},
    {"round(foo,1,2)",
     "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"},
    {"round(foo,bar)",
     "1:11: parse error: expected type scalar in call to function \"round\", got instant vector"},
    {"round(1)",
     "1:7: parse error: expected type instant vector in call to function \"round\", got scalar"},
    {"hour(1)",
     "1:6: parse error: expected type instant vector in call to function \"hour\", got scalar"},
    {"vector(foo)",
     "1:8: parse error: expected type scalar in call to function \"vector\", got instant vector"},
    {"scalar(1)",
     "1:8: parse error: expected type instant vector in call to function \"scalar\", got scalar"},
    {"time(1)", "1:1: parse error: expected 0 argument(s) in call to \"time\", got 1"},
    {"pi(1)", "1:1: parse error: expected 0 argument(s) in call to \"pi\", got 1"},
    {"clamp(foo,1)", "1:1: parse error: expected 3 argument(s) in call to \"clamp\", got 2"},
    {"clamp(foo,bar,1)",
     "1:11: parse error: expected type scalar in call to function \"clamp\", got instant vector"},
    {"histogram_quantile(foo,0.9)", "1:20: parse error: expected type scalar in call to function "
                                    "\"histogram_quantile\", got instant vector"},
    {"absent()", "1:1: parse error: expected 1 argument(s) in call to \"absent\", got 0"},
    {"absent(1)",
     "1:8: parse error: expected type instant vector in call to function \"absent\", got scalar"},
    {"absent_over_time(foo)", "1:18: parse error: expected type range vector in call to function "
                              "\"absent_over_time\", got instant vector"},
    {"1 > 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
    {"foo + \"a\"",
     "1:7: parse error: binary expression must contain only scalar and instant vector types"},
    {"\"a\" + foo",
     "1:1: parse error: binary expression must contain only scalar and instant vector types"},
    {"\"a\" + \"b\"",
     "1:1: parse error: binary expression must contain only scalar and instant vector types"},
    {"foo + foo[5m]",
     "1:7: parse error: binary expression must contain only scalar and instant vector types"},
    {"foo[5m] + foo",
     "1:1: parse error: binary expression must contain only scalar and instant vector types"},
    {"foo[5m] == 1",
     "1:1: parse error: binary expression must contain only scalar and instant vector types"},
    {"\"a\" == \"b\"",
     "1:1: parse error: binary expression must contain only scalar and instant vector types"},
    {"-\"a\"", "1:1: parse error: unary expression only allowed on expressions of type scalar or "
               "instant vector, got \"string\""},
    {"-foo[5m]", "1:1: parse error: unary expression only allowed on expressions of type scalar or "
                 "instant vector, got \"range vector\""},
    {"0x",
     "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"0x\": invalid syntax"},
    {"0xg", "1:1: parse error: bad number or duration syntax: \"0x\""},
    {"1e", "1:1: parse error: bad number or duration syntax: \"1e\""},
    {"1e+", "1:1: parse error: bad number or duration syntax: \"1e+\""},
    {"0b1", "1:1: parse error: bad number or duration syntax: \"0\""},
    {"0o7", "1:1: parse error: bad number or duration syntax: \"0\""},
    {"1.5.5", "1:1: parse error: bad number or duration syntax: \"1.5.\""},
    {"1..", "1:1: parse error: bad number or duration syntax: \"1..\""},
    {"1e5e5", "1:1: parse error: bad number or duration syntax: \"1e5e\""},
    {"1Inf", "1:1: parse error: bad number or duration syntax: \"1\""},
    {"0xffffffffffffffff", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing "
                           "\"0xffffffffffffffff\": invalid syntax"},
    {"1e309", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"1e309\": "
              "value out of range"},
    {"-1e309", "1:2: parse error: error parsing number: strconv.ParseFloat: parsing \"1e309\": "
               "value out of range"},
    {"a{__name__=\"\"}", "1:1: parse error: metric name must not be set twice: \"a\" or \"\""},
    {"foo[-1]", "1:5: parse error: duration must be greater than 0"},
    {"foo[9.5e10]", "1:5: parse error: duration out of range"},
    {"foo offset 9.5e10", "1:12: parse error: duration out of range"},
    {"foo[5s/0d]", "1:7: parse error: division by zero"},
    {"foo[5s%0d]", "1:7: parse error: modulo by zero"},
    {"foo[step()/0d]", "1:11: parse error: division by zero"},
    {"foo offset (4d/0)", "1:15: parse error: division by zero"},
    {"foo[step]", "1:9: parse error: unexpected \"]\" in subquery or range selector, expected "
                  "number, duration, step(), or range()"},
    {"foo[step(]", "1:10: parse error: unexpected \"]\" in subquery or range selector, expected "
                   "number, duration, step(), or range()"},
    {"foo[5m:step]", "1:12: parse error: unexpected \"]\" in subquery selector, expected number, "
                     "duration, step(), range(), or \"]\""},
    {"foo[max_of(5m)]", "1:14: parse error: unexpected \")\" in subquery or range selector, "
                        "expected number, duration, step(), or range()"},
    {"foo[max_of 5m]", "1:12: parse error: unexpected duration \"5m\" in subquery or range "
                       "selector, expected number, duration, step(), or range()"},
    {"foo[min_of(5m,)]", "1:15: parse error: unexpected \")\" in subquery or range selector, "
                         "expected number, duration, step(), or range()"},
    {"foo[5s x 5s]", "1:8: parse error: unexpected character: 'x', expected ':'"},
    {"foo[5s s 5s]", "1:8: parse error: unexpected character: 's', expected ':'"},
    {"foo[(5m]", "1:8: parse error: unexpected \"]\" in subquery or range selector, expected "
                 "number, duration, step(), or range()"},
    {"foo[5m)]", "1:8: parse error: unexpected right parenthesis ')'"},
    {"foo[5m+]", "1:8: parse error: unexpected \"]\" in subquery or range selector, expected "
                 "number, duration, step(), or range()"},
    {"foo[+]", "1:6: parse error: unexpected \"]\" in subquery or range selector, expected number, "
               "duration, step(), or range()"},
    {"foo[5m:3m+]", "1:11: parse error: unexpected \"]\" in subquery selector, expected number, "
                    "duration, step(), range(), or \"]\""},
    {"foo[5m:3m 1]",
     "1:11: parse error: unexpected number \"1\" in subquery selector, expected \"]\""},
    {"foo[5m 5m]",
     "1:8: parse error: unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\""},
    {"foo[5m:*]", "1:8: parse error: unexpected <op:*> in subquery selector, expected number, "
                  "duration, step(), range(), or \"]\""},
    {"foo offset (5m", "1:15: parse error: unclosed left parenthesis"},
    {"foo offset (5m + )", "1:18: parse error: unexpected \")\" in offset, expected number, "
                           "duration, step(), or range()"},
    {"foo offset step", "1:16: parse error: unexpected end of input in offset, expected number, "
                        "duration, step(), or range()"},
    {"foo offset step(", "1:17: parse error: unclosed left parenthesis"},
    {"foo offset - - 5m", "1:14: parse error: unexpected <op:-> in offset, expected number, "
                          "duration, step(), or range()"},
    {"foo offset min_of(1,2", "1:22: parse error: unclosed left parenthesis"},
    {"foo offset step()[5m]", "1:18: parse error: no offset modifiers allowed before range"},
    {"some_metric @ start() [5m]", "1:23: parse error: no @ modifiers allowed before range"},
    {"some_metric @ end()[5m]", "1:20: parse error: no @ modifiers allowed before range"},
    {"1[5m] smoothed", "1:2: parse error: ranges only allowed for vector selectors"},
    {"1[5m] anchored", "1:2: parse error: ranges only allowed for vector selectors"},
    {"foo anchored smoothed",
     "1:1: parse error: anchored and smoothed modifiers cannot be used together"},
    {"foo[5m] smoothed anchored",
     "1:1: parse error: anchored and smoothed modifiers cannot be used together"},
    {"foo[5m:] anchored", "1:1: parse error: anchored modifier is not supported for subqueries"},
    {"foo[5m:] smoothed", "1:1: parse error: smoothed modifier is not supported for subqueries"},
    {"abs(foo) anchored", "1:1: parse error: anchored modifier not implemented"},
    {"(foo) smoothed", "1:1: parse error: smoothed modifier not implemented"},
    {"info(foo, bar{a=\"b\"})",
     "1:11: parse error: expected label selectors only, got vector selector instead"},
    {"info(foo, {a=\"b\"} == 1)", "1:11: parse error: expected label selectors only"},
    {"info(foo, 1)",
     "1:1: parse error: expected type instant vector in call to function \"info\", got scalar"},
    {"info()", "1:1: parse error: expected at least 1 argument(s) in call to \"info\", got 0"},
    {"info(1)",
     "1:6: parse error: expected type instant vector in call to function \"info\", got scalar"},
    {"info(foo, {a=\"b\"}, {c=\"d\"})",
     "1:1: parse error: expected at most 2 argument(s) in call to \"info\", got 3"},
    {"sum by (\"foo)(some_metric{})", "1:9: parse error: unterminated quoted string"},
    {"sum by (\"\")(foo)", "1:9: parse error: invalid label name for grouping: \"\""},
    {"sum by (\"\\xff\")(foo)", "1:9: parse error: invalid label name for grouping: \"\\xff\""},
    {"foo{\"a\"=}", "1:9: parse error: unexpected \"}\" in label matching, expected string"},
    {"{\"a\" \"b\"}", "1:6: parse error: unexpected string \"\\\"b\\\"\" in label matching, "
                      "expected \",\" or \"}\""},
    {"{\"a\"=", "1:6: parse error: unexpected end of input inside braces"},
    {"\"(\"}", "1:4: parse error: unexpected character: '}'"},
    {"foo{\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
    {"foo{\"bar\", __name__=\"baz\"}",
     "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
    {"{\"\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"limitk(foo)", "1:1: parse error: wrong number of arguments for aggregate expression "
                    "provided, expected 2, got 1"},
    {"limit_ratio(foo, bar)",
     "1:13: parse error: expected type scalar in aggregation parameter, got instant vector"},
    {"foo + fill(1) 2",
     "1:1: parse error: filling in missing series only allowed between instant vectors"},
    {"foo and fill(1) bar",
     "1:1: parse error: filling in missing series not allowed for set operators"},
    {"foo + fill() bar", "1:12: parse error: unexpected \")\""},
    {"foo + fill(x) bar", "1:12: parse error: unexpected identifier \"x\""},
    {"foo + fill(1", "1:13: parse error: unclosed left parenthesis"},
    {"foo + fill(1) fill(2) bar", "1:15: parse error: unexpected <fill>"},
    {"foo + fill_left(1) fill_left(2) bar", "1:20: parse error: unexpected <fill_left>"},
    {"1 + fill(2) 3",
     "1:1: parse error: filling in missing series only allowed between instant vectors"},
    {"foo </ bool bar", "1:5: parse error: bool modifier can only be used on comparison operators"},
    {"foo </ \"x\"",
     "1:8: parse error: binary expression must contain only scalar and instant vector types"},
    {"histogram_quantiles(foo)",
     "1:1: parse error: expected at least 3 argument(s) in call to \"histogram_quantiles\", got 1"},
    {"histogram_quantiles(foo, \"q\")",
     "1:1: parse error: expected at least 3 argument(s) in call to \"histogram_quantiles\", got 2"},
    {"histogram_quantiles(foo, \"q\", 1,2,3,4,5,6,7,8,9,10,11)",
     "1:1: parse error: expected at most 12 argument(s) in call to \"histogram_quantiles\", got "
     "13"},
    {"max_of(1)", "1:1: parse error: expected 2 argument(s) in call to \"max_of\", got 1"},
    {"max_of(foo, 1)",
     "1:8: parse error: expected type scalar in call to function \"max_of\", got instant vector"},
    {"step(1)", "1:1: parse error: expected 0 argument(s) in call to \"step\", got 1"},
    {"START()", "1:1: parse error: unknown function with name \"START\""},
    {"foo{a=\"b\"}[5m]{c=\"d\"}", "1:15: parse error: unexpected \"{\""},
    {"foo[5m @ 1]",
     "1:8: parse error: unexpected <op:@> in subquery or range, expected \":\" or \"]\""},
    {"foo[5m][\"5m\"]", "1:9: parse error: unexpected character in duration expression: '\"'"},
    {"foo @ 9223372036854775807",
     "1:1: parse error: timestamp out of bounds for @ modifier: 9223372036854775808.000000"},
    {"foo[5m:5m:5m]", "1:10: parse error: unexpected colon ':'"},
    {"foo[:]", "1:6: parse error: unexpected colon before duration in duration expression"},
    {"[5m]", "1:1: parse error: unexpected \"[\""},
    {"foo[5m]]", "1:8: parse error: unexpected right bracket ']'"},
    {"foo[5m:]]", "1:9: parse error: unexpected right bracket ']'"},
};

static const struct promql_options EXPERIMENTAL = {
    .experimental_functions = true,
    .fill_modifiers = true,
    .extended_range_selectors = true,
};

static void expect_error(const char *query, const struct promql_options *o, const char *error)
{
    struct arena a;
    struct diag d = {0};
    struct expr *e = NULL;
    arena_init(&a, 1 << 20);
    err got = promql_parse(str_from(query), o, &a, &e, &d);
    if (got != ERR_INVALID || strcmp(d.text, error) != 0)
        fail_msg("%s\n  want %s\n  got  %s", query, error, got == OK ? "no error" : d.text);
    assert_null(e);
    assert_true(d.start <= d.end);
    assert_true(d.end <= strlen(query));
    arena_fini(&a);
}

static void test_parse_errors__texts_and_positions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++)
        expect_error(ERRORS[i].query, &EXPERIMENTAL, ERRORS[i].error);
}

static void test_parse_errors__features_are_off_by_default(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"start()", "1:1: parse error: function \"start\" is not enabled"},
        {"1 + max_of(1, 2)", "1:5: parse error: function \"max_of\" is not enabled"},
        {"info(foo)", "1:1: parse error: function \"info\" is not enabled"},
        {"sum(mad_over_time(foo[5m]))",
         "1:5: parse error: function \"mad_over_time\" is not enabled"},
        {"limitk(1, foo)", "1:1: parse error: limitk() is experimental and must be enabled with "
                           "--enable-feature=promql-experimental-functions"},
        {"sum(limit_ratio(0.5, foo))",
         "1:5: parse error: limit_ratio() is experimental and must be enabled with "
         "--enable-feature=promql-experimental-functions"},
        {"foo + fill(0) bar",
         "1:1: parse error: binop fill modifiers are experimental and not enabled"},
        {"1 + (foo * on(a) fill_left(1) bar)",
         "1:6: parse error: binop fill modifiers are experimental and not enabled"},
        {"foo anchored", "1:1: parse error: anchored modifier is experimental and not enabled"},
        {"rate(foo[5m] smoothed)",
         "1:6: parse error: smoothed modifier is experimental and not enabled"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        expect_error(CASES[i][0], NULL, CASES[i][1]);
}

static void test_parse_errors__empty_query_has_no_position(void **state)
{
    (void)state;
    expect_error("", NULL, "unknown position: parse error: no expression found in input");
    expect_error("  \n", NULL, "1:1: parse error: no expression found in input");
}

/* The range of an error covers what it is about, not only where it starts. */
static void test_parse_errors__byte_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        size_t start, end;
    } CASES[] = {
        {"1 == 1", 2, 4},
        {"foo + bool bar", 4, 10},
        {"1 and 1", 0, 7},
        {"sum(foo, bar)", 0, 13},
        {"rate(foo)", 5, 8},
        {"foo offset 1s offset 2s", 0, 13},
        {"a>b()", 2, 3},
        {"foo{a=~\"(\"}", 4, 10},
        {"(foo + bar)[5m]", 11, 15},
        {"topk(some_metric,)", 16, 17},
        {"\"abc", 0, 4},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct arena a;
        struct diag d = {0};
        struct expr *e;
        arena_init(&a, 1 << 20);
        assert_int_equal(promql_parse(str_from(CASES[i].query), NULL, &a, &e, &d), ERR_INVALID);
        if (d.start != CASES[i].start || d.end != CASES[i].end)
            fail_msg("%s: [%zu, %zu)", CASES[i].query, d.start, d.end);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_errors__texts_and_positions),
        cmocka_unit_test(test_parse_errors__features_are_off_by_default),
        cmocka_unit_test(test_parse_errors__empty_query_has_no_position),
        cmocka_unit_test(test_parse_errors__byte_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
