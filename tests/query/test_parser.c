/* Trees: structure, types, positions, values of literals; selectors alone; limits and
 * interruptions; resolving duration expressions; the table of functions. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "query/durations.h"
#include "query/parser.h"
#include "query/printer.h"

static const struct promql_options EXPERIMENTAL = {
    .experimental_functions = true,
    .fill_modifiers = true,
    .extended_range_selectors = true,
};

static struct arena arena;

static struct expr *parse(const char *query)
{
    struct diag d = {0};
    struct expr *e = NULL;
    if (promql_parse(str_from(query), &EXPERIMENTAL, &arena, &e, &d) != OK)
        fail_msg("%s: %s", query, d.text);
    return e;
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* The tree in prefix form: leaves as they print, everything else in parentheses. */
static void dump(const struct expr *e, struct buf *out)
{
    struct expr *child;
    switch ((int)e->kind) {
    case EXPR_BINARY:
        buf_printf(out, "(%s", binary_op_text(e->binary.op));
        break;
    case EXPR_UNARY:
        buf_printf(out, "(neg%s", e->unary.minus ? "" : "+");
        break;
    case EXPR_CALL:
        buf_printf(out, "(" STR_FMT, STR_ARG(e->call.func->name));
        break;
    case EXPR_AGGREGATE:
        buf_printf(out, "(%s", agg_op_text(e->aggregate.op));
        break;
    case EXPR_PAREN:
        buf_printf(out, "(paren");
        break;
    case EXPR_SUBQUERY:
        buf_printf(out, "(subquery");
        break;
    default:
        expr_format(e, out);
        return;
    }
    for (size_t i = 0; (child = expr_child(e, i)) != NULL; i++) {
        buf_put_u8(out, ' ');
        dump(child, out);
    }
    buf_put_u8(out, ')');
}

/* NULL: not a valid query. */
static const char *const TREES[][2] = {
    /* unary minus binds like a multiplication, ^ to the right, the others to the left */
    {"-1^2", "(neg (^ 1 2))"},
    {"-1*2", "(* -1 2)"},
    {"-a*b", "(* (neg a) b)"},
    {"-a^b", "(neg (^ a b))"},
    {"-a+b", "(+ (neg a) b)"},
    {"+a", "(neg+ a)"},
    {"--a", "(neg (neg a))"},
    {"--1", "1"},
    {"-(-1)", "(neg (paren -1))"},
    {"a^-b*c", "(* (^ a (neg b)) c)"},
    {"a^-b^c", "(^ a (neg (^ b c)))"},
    {"a^b^c", "(^ a (^ b c))"},
    {"(a^b)^c", "(^ (paren (^ a b)) c)"},
    {"a*-b^c", "(* a (neg (^ b c)))"},
    {"a*-b*c", "(* (* a (neg b)) c)"},
    {"a-b-c", "(- (- a b) c)"},
    {"a-b+c", "(+ (- a b) c)"},
    {"a/b*c%d", "(% (* (/ a b) c) d)"},
    {"a*b+c*d", "(+ (* a b) (* c d))"},
    {"a+b*c^d", "(+ a (* b (^ c d)))"},
    {"a atan2 b*c", "(* (atan2 a b) c)"},
    {"a+b atan2 c", "(+ a (atan2 b c))"},
    {"a+b==c+d", "(== (+ a b) (+ c d))"},
    {"a<b>c", "(> (< a b) c)"},
    {"a</1>b", "(> (</ a 1) b)"},
    {"a+1>/b", "(>/ (+ a 1) b)"},
    {"a==b and c!=d", "(and (== a b) (!= c d))"},
    {"a and b unless c", "(unless (and a b) c)"},
    {"a or b and c", "(or a (and b c))"},
    {"a and b or c and d", "(or (and a b) (and c d))"},
    {"a or b or c", "(or (or a b) c)"},
    {"bar + on(foo) bla / on(baz, buz) group_right(test) blub", "(+ bar (/ bla blub))"},
    /* modifiers bind tightest */
    {"-a offset 5m", "(neg a offset 5m)"},
    {"a^b offset 5m", "(^ a b offset 5m)"},
    {"a offset -2^2", "(^ a offset -2s 2)"},
    {"a offset -2*2", "(* a offset -2s 2)"},
    {"a offset (2^2)", "a offset (2 ^ 2)"},
    {"a offset 100+2", "(+ a offset 1m40s 2)"},
    {"a offset step()^0", "(^ a offset step() 0)"},
    {"a offset -min_of(step(),1s)+8", "(+ a offset -min_of(step(), 1s) 8)"},
    {"a @ 5 + b", "(+ a @ 5.000 b)"},
    {"a + b @ end()", "(+ a b @ end())"},
    {"-a[5m:]", NULL},
    {"a + b[5m:1m]", NULL},
    {"sum(a)[5m:1m] offset 1m", "(subquery (sum a))"},
    {"sum(a) + sum by (x) (b)", "(+ (sum a) (sum b))"},
    {"sum(a) by (x) + b", "(+ (sum a) b)"},
    {"topk(2, a) - 1", "(- (topk a 2) 1)"},
    {"rate(a[5m]) / rate(b[5m])", "(/ (rate a[5m]) (rate b[5m]))"},
    /* words that are keywords elsewhere */
    {"by by by", NULL},
    {"and and and", "(and and and)"},
    {"or or or", "(or or or)"},
    {"offset offset 5m", "offset offset 5m"},
    {"sum + avg", "(+ sum avg)"},
    {"sum(sum)", "(sum sum)"},
    {"start - end", "(- start end)"},
    {"on(a)", NULL},
};

static void test_parser__precedence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(TREES) / sizeof(TREES[0]); i++) {
        if (TREES[i][1] == NULL) {
            struct diag d = {0};
            struct expr *e;
            assert_int_equal(promql_parse(str_from(TREES[i][0]), NULL, &arena, &e, &d),
                             ERR_INVALID);
            continue;
        }
        struct buf b = {0};
        struct expr *e = parse(TREES[i][0]);
        dump(e, &b);
        if (!str_eq(buf_str(&b), str_from(TREES[i][1])))
            fail_msg("%s\n  want %s\n  got  %s", TREES[i][0], TREES[i][1], buf_cstr(&b));
        buf_fini(&b);
        expr_fini(e);
    }
}

/* The node reached by taking child `path[i] - '0'` again and again. */
static const struct expr *descend(const struct expr *e, const char *path)
{
    for (; *path != '\0'; path++)
        e = expr_child(e, (size_t)(*path - '0'));
    return e;
}

static void test_parser__positions_and_types(void **state)
{
    (void)state;
    static const struct {
        const char *query, *path;
        uint32_t start, end;
        enum value_type type;
    } CASES[] = {
        {"1", "", 0, 1, VALUE_SCALAR},
        {"+5.5e-3", "", 0, 7, VALUE_SCALAR},
        {"1 < bool 2 - 1 * 2", "", 0, 18, VALUE_SCALAR},
        {"1 < bool 2 - 1 * 2", "1", 9, 18, VALUE_SCALAR},
        {"1 < bool 2 - 1 * 2", "11", 13, 18, VALUE_SCALAR},
        {" +some_metric", "", 1, 13, VALUE_VECTOR},
        {" +some_metric", "0", 2, 13, VALUE_VECTOR},
        {" +{\"some_metric\"}", "0", 2, 17, VALUE_VECTOR},
        {"foo offset 5m", "", 0, 13, VALUE_VECTOR},
        {"foo @ 3.33 + 1", "0", 0, 10, VALUE_VECTOR},
        {"foo @ start() ", "", 0, 13, VALUE_VECTOR},
        {"foo offset +(5) ", "", 0, 15, VALUE_VECTOR},
        {"test{a=\"b\"}[5y] OFFSET 3d", "", 0, 25, VALUE_MATRIX},
        {"test{a=\"b\"}[5y] OFFSET 3d", "0", 0, 11, VALUE_VECTOR},
        {"sum by (foo)(some_metric)", "", 0, 25, VALUE_VECTOR},
        {"sum by (foo)(some_metric)", "0", 13, 24, VALUE_VECTOR},
        {"(sum(foo) by (bar))", "0", 1, 18, VALUE_VECTOR},
        {"(sum(foo) )", "0", 1, 9, VALUE_VECTOR},
        {"(sum(foo) )", "", 0, 11, VALUE_VECTOR},
        {"count_values(\"value\", some_metric)", "1", 13, 20, VALUE_STRING},
        {"rate(some_metric[5m])", "", 0, 21, VALUE_VECTOR},
        {"rate(some_metric[5m])", "0", 5, 20, VALUE_MATRIX},
        {"foo{bar=\"baz\"}[10m:6s]", "", 0, 22, VALUE_MATRIX},
        {"min_over_time(rate(foo{bar=\"baz\"}[2s])[5m:] offset 4m)[4m:3s]", "", 0, 61,
         VALUE_MATRIX},
        {"min_over_time(rate(foo{bar=\"baz\"}[2s])[5m:] offset 4m)[4m:3s]", "00", 14, 53,
         VALUE_MATRIX},
        {"(foo + bar{nm=\"val\"} @ 1234)[5m:] @ 1603775019", "001", 7, 27, VALUE_VECTOR},
        {"time()", "", 0, 6, VALUE_SCALAR},
        {"scalar(foo) + 1", "", 0, 15, VALUE_SCALAR},
        {"scalar(foo) + foo", "", 0, 17, VALUE_VECTOR},
        {"(1)", "", 0, 3, VALUE_SCALAR},
        {"(foo[5m])", "", 0, 9, VALUE_MATRIX},
        {"-scalar(foo)", "", 0, 12, VALUE_SCALAR},
        {"\"x\"", "", 0, 3, VALUE_STRING},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct expr *root = parse(CASES[i].query);
        const struct expr *e = descend(root, CASES[i].path);
        if (e->start != CASES[i].start || e->end != CASES[i].end || e->type != CASES[i].type)
            fail_msg("%s %s: [%u, %u) %s", CASES[i].query, CASES[i].path, e->start, e->end,
                     value_type_name(e->type));
        expr_fini(root);
    }
}

static void test_parser__times_of_a_selector(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int64_t offset_ms;
        enum at_kind at;
        int64_t at_ms;
    } CASES[] = {
        {"foo", 0, AT_NONE, 0},
        {"foo offset 1h30m", 5400000, AT_NONE, 0},
        {"foo offset -7m @ 3.3335", -420000, AT_TIMESTAMP, 3334},
        {"foo @ .3 offset 1m30ms", 60030, AT_TIMESTAMP, 300},
        {"foo offset 0.0015", 1, AT_NONE, 0},
        {"foo @ -3.3e1", 0, AT_TIMESTAMP, -33000},
        {"foo @ 0xA", 0, AT_TIMESTAMP, 10000},
        {"foo @ 1m", 0, AT_TIMESTAMP, 60000},
        {"foo @ start()", 0, AT_START, 0},
        {"foo @ END ( ) offset 0", 0, AT_END, 0},
        {"foo @ 9007199254740", 0, AT_TIMESTAMP, INT64_C(9007199254740000)},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct expr *e = parse(CASES[i].query);
        const struct expr_time *t = &e->vector.time;
        if (t->offset_ms != CASES[i].offset_ms || t->at != CASES[i].at ||
            t->at_ms != CASES[i].at_ms || t->offset_expr != NULL)
            fail_msg("%s", CASES[i].query);
        expr_fini(e);
    }
    struct expr *e = parse("foo[4.018] @ 2.345 offset 5m");
    assert_int_equal(e->matrix.range_ms, 4018);
    assert_int_equal(e->matrix.selector->vector.time.at_ms, 2345);
    assert_int_equal(e->matrix.selector->vector.time.offset_ms, 300000);
    expr_fini(e);
    e = parse("foo[10m5s:1h6ms] @ end() offset 1d");
    assert_int_equal(e->subquery.range_ms, 605000);
    assert_int_equal(e->subquery.step_ms, 3600006);
    assert_int_equal(e->subquery.time.at, AT_END);
    assert_int_equal(e->subquery.time.offset_ms, 86400000);
    expr_fini(e);
}

static void test_parser__matching(void **state)
{
    (void)state;
    struct expr *e = parse("a > bool on(x, \"y z\") group_left(b,) fill_left(1) fill_right(-2) c");
    const struct vector_matching *m = e->binary.matching;
    assert_true(e->binary.return_bool);
    assert_int_equal(m->card, CARD_MANY_TO_ONE);
    assert_true(m->on);
    assert_int_equal(m->labels.count, 2);
    assert_true(str_eq(m->labels.items[1], STR("y z")));
    assert_int_equal(m->include.count, 1);
    assert_true(m->has_fill_lhs && m->has_fill_rhs && !m->fill_both);
    assert_true(m->fill_lhs == 1 && m->fill_rhs == -2);
    expr_fini(e);

    e = parse("a and ignoring(x) b");
    assert_int_equal(e->binary.matching->card, CARD_MANY_TO_MANY);
    assert_false(e->binary.matching->on);
    expr_fini(e);

    e = parse("a * 2");
    assert_null(e->binary.matching);
    expr_fini(e);
    e = parse("a * on() vector(2)");
    assert_true(e->binary.matching->on);
    assert_int_equal(e->binary.matching->labels.count, 0);
    expr_fini(e);
}

static void test_parser__matchers(void **state)
{
    (void)state;
    struct expr *e = parse("foo{a=\"b\", c!=\"d\", e=~\"f|\", g!~`h.+`}");
    const struct expr_vector *v = &e->vector;
    assert_true(str_eq(v->name, STR("foo")));
    assert_int_equal(v->matcher_count, 5);
    assert_int_equal(v->matchers[1].type, MATCH_NOT_EQUAL);
    assert_true(matcher_matches(&v->matchers[2], STR("f")));
    assert_false(matcher_matches(&v->matchers[2], STR("g")));
    assert_true(matcher_matches(&v->matchers[3], STR("h")));
    assert_true(str_eq(v->matchers[4].name, STR("__name__")));
    assert_true(str_eq(v->matchers[4].value, STR("foo")));
    expr_fini(e);

    e = parse("info(foo, {__name__=~\".*\"})");
    assert_true(e->call.args[1]->vector.info_selector);
    assert_false(e->call.args[0]->vector.info_selector);
    assert_int_equal(e->call.args[1]->vector.name.len, 0);
    expr_fini(e);
}

static void test_parser__extended_selectors(void **state)
{
    (void)state;
    struct expr *e = parse("rate(foo[5m] smoothed offset 1m)");
    assert_true(e->call.args[0]->matrix.selector->vector.smoothed);
    assert_false(e->call.args[0]->matrix.selector->vector.anchored);
    expr_fini(e);
    e = parse("foo anchored");
    assert_true(e->vector.anchored);
    expr_fini(e);
}

static void test_parser__selector_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error; /* error NULL: parses */
        size_t count;
        bool empty;
    } CASES[] = {
        {"up", NULL, 1, false},
        {"up{job=\"a\"}", NULL, 2, false},
        {"{job=~\".*\"}", NULL, 1, true},
        {"{}", NULL, 0, true},
        {" { \"up\" } # all", NULL, 1, false},
        {"sum", NULL, 1, false},
        {"", "unknown position: parse error: unexpected end of input", 0, false},
        {"1", "1:1: parse error: unexpected number \"1\"", 0, false},
        {"up[5m]", "1:3: parse error: unexpected \"[\"", 0, false},
        {"up offset 5m", "1:4: parse error: unexpected <offset>", 0, false},
        {"up + up", "1:4: parse error: unexpected <op:+>", 0, false},
        {"sum(up)", "1:4: parse error: unexpected \"(\"", 0, false},
        {"up{a=~\"(\"}", "1:4: parse error: error parsing regexp: missing closing ): `(`", 0,
         false},
        {"{a=~\"x\", b", "1:11: parse error: unexpected end of input inside braces", 0, false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct matcher *ms = NULL;
        size_t count = 0;
        struct diag d = {0};
        err e = promql_parse_selector(str_from(CASES[i].text), NULL, &arena, &ms, &count, &d);
        if (CASES[i].error != NULL) {
            assert_int_equal(e, ERR_INVALID);
            assert_string_equal(d.text, CASES[i].error);
            continue;
        }
        assert_int_equal(e, OK);
        assert_int_equal(count, CASES[i].count);
        assert_int_equal(promql_selector_is_empty(ms, count), CASES[i].empty);
        promql_selector_fini(ms, count);
    }
}

/* `head`, then `middle` `count` times, then `tail`; free with mem_free(). */
static str repeat(const char *head, const char *middle, size_t count, const char *tail)
{
    size_t h = strlen(head), m = strlen(middle), t = strlen(tail);
    char *text = mem_alloc(h + m * count + t + 1);
    memcpy(text, head, h);
    for (size_t i = 0; i < count; i++)
        memcpy(text + h + i * m, middle, m);
    memcpy(text + h + m * count, tail, t + 1);
    return (str){text, h + m * count + t};
}

static err parse_text(str text, struct diag *d)
{
    struct expr *e = NULL;
    struct arena a;
    arena_init(&a, 256 << 20);
    *d = (struct diag){0};
    err got = promql_parse(text, &EXPERIMENTAL, &a, &e, d);
    expr_fini(e);
    arena_fini(&a);
    return got;
}

static void test_parser__depth_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *head, *middle, *tail;
    } CASES[] = {
        {"", "(", ""},
        {"", "-", "a"},
        {"", "abs(", "a"},
        {"", "sum by (x) (", "a"},
        {"a", "+a", ""},
        {"a", "^a", ""},
        {"a", " or a", ""},
        {"a[", "(", "5m"},
        {"a[5m", "+5m", "]"},
        {"a[", "-", "step()]"},
        {"a[", "min_of(1,", ""},
        {"a", "[5m:]", ""},
        {"a offset ", "(", "5m"},
        {"a", "^-a", ""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct diag d;
        size_t room = PROMQL_TEXT_SIZE_MAX - strlen(CASES[i].head) - strlen(CASES[i].tail);
        str text =
            repeat(CASES[i].head, CASES[i].middle, room / strlen(CASES[i].middle), CASES[i].tail);
        uint64_t start = clock_thread_cpu_ns();
        assert_int_equal(parse_text(text, &d), ERR_INVALID);
        uint64_t ms = (clock_thread_cpu_ns() - start) / 1000000;
        if (strstr(d.text, "query is nested deeper than 200 levels") == NULL)
            fail_msg("%s: %s", CASES[i].middle, d.text);
        if (ms >= 50)
            fail_msg("%s: took %u ms", CASES[i].middle, (unsigned)ms);
        mem_free((void *)(uintptr_t)text.ptr);
    }
}

static void test_parser__depth_limit_is_exact(void **state)
{
    (void)state;
    static const char *const MIDDLES[][3] = {
        {"(", "a", ")"}, {"abs(", "a", ")"}, {"-", "a", ""}, {"", "a", "+a"}, {"a^", "a", ""},
    };
    for (size_t i = 0; i < sizeof(MIDDLES) / sizeof(MIDDLES[0]); i++)
        for (size_t levels = PROMQL_DEPTH_MAX - 1; levels <= PROMQL_DEPTH_MAX; levels++) {
            struct diag d;
            str head = repeat("", MIDDLES[i][0], levels, MIDDLES[i][1]);
            str text = repeat(head.ptr, MIDDLES[i][2], levels, "");
            err want = levels < PROMQL_DEPTH_MAX ? OK : ERR_INVALID;
            if (parse_text(text, &d) != want)
                fail_msg("%s %zu: %s", MIDDLES[i][0], levels, d.text);
            mem_free((void *)(uintptr_t)head.ptr);
            mem_free((void *)(uintptr_t)text.ptr);
        }
}

static void test_parser__sizes_are_bounded(void **state)
{
    (void)state;
    struct diag d;
    str text = repeat("a", " ", PROMQL_TEXT_SIZE_MAX - 1, "");
    assert_int_equal(parse_text(text, &d), OK);
    mem_free((void *)(uintptr_t)text.ptr);
    text = repeat("a", " ", PROMQL_TEXT_SIZE_MAX, "");
    assert_int_equal(parse_text(text, &d), ERR_INVALID);
    assert_string_equal(d.text, "query of 1048577 bytes is longer than the limit of 1048576 bytes");
    mem_free((void *)(uintptr_t)text.ptr);

    text = repeat("{", "a='',", PROMQL_MATCHERS_MAX, "b='c'}");
    assert_int_equal(parse_text(text, &d), ERR_INVALID);
    assert_non_null(strstr(d.text, "query has more than the limit of 10000 label matchers"));
    mem_free((void *)(uintptr_t)text.ptr);

    /* wide is fine */
    text = repeat("sum by (", "a,", 30000, "b) (c)");
    assert_int_equal(parse_text(text, &d), OK);
    mem_free((void *)(uintptr_t)text.ptr);
    text = repeat("label_join(a,'b','c'", ",'d'", 15000, ")");
    assert_int_equal(parse_text(text, &d), OK);
    mem_free((void *)(uintptr_t)text.ptr);
}

/* Whatever the budget, the answer is the tree or ERR_LIMIT, and nothing leaks. */
static void test_parser__arena_budget(void **state)
{
    (void)state;
    str query =
        STR("sum by (a, b) (rate(foo{x=~\"a.*\",y!~\"b\"}[5m] offset (5m + step()))) > bool "
            "on (c) group_left (d) topk(5, {z=~\"q\"}) or label_join(v, 'a', 'b', 'c')");
    bool parsed = false, refused = false;
    for (size_t budget = 0; budget < 32768; budget += 64) {
        struct arena a;
        struct diag d = {0};
        struct expr *e = NULL;
        arena_init(&a, budget);
        err got = promql_parse(query, &EXPERIMENTAL, &a, &e, &d);
        assert_true(got == OK || got == ERR_LIMIT);
        parsed |= got == OK;
        if (got == ERR_LIMIT) {
            assert_non_null(strstr(d.text, "memory limit"));
            refused = true;
        }
        expr_fini(e);
        arena_fini(&a);
    }
    assert_true(parsed && refused);
}

static void test_parser__interruptions(void **state)
{
    (void)state;
    atomic_bool canceled = true;
    struct promql_options o = {.canceled = &canceled};
    struct diag d = {0};
    struct expr *e;
    assert_int_equal(promql_parse(STR("a"), &o, &arena, &e, &d), ERR_CANCELED);
    assert_non_null(strstr(d.text, "canceled"));
    atomic_store(&canceled, false);
    assert_int_equal(promql_parse(STR("a"), &o, &arena, &e, NULL), OK);
    o.deadline_mono_ns = 1;
    d = (struct diag){0};
    assert_int_equal(promql_parse(STR("a{b=~'c'}"), &o, &arena, &e, &d), ERR_TIMEOUT);
    assert_non_null(strstr(d.text, "timed out"));
    o.deadline_mono_ns = UINT64_MAX;
    assert_int_equal(promql_parse(STR("a{b=~'c'}"), &o, &arena, &e, NULL), OK);
    expr_fini(e);
}

static void test_durations__resolve(void **state)
{
    (void)state;
    static const struct {
        const char *range;
        int64_t step_ms, range_ms, ms;
        const char *error; /* NULL: resolves to `ms` */
    } CASES[] = {
        {"60*30", 0, 0, 1800000, NULL},
        {"1h30m % 1h", 0, 0, 1800000, NULL},
        {"24m+((1.5*2m)+2m)", 0, 0, 1740000, NULL},
        {"-5m+35m", 0, 0, 1800000, NULL},
        {"30m1s-30m1s % 1m", 0, 0, 1800000, NULL},
        {"((((8 - 2) / 3) * 7s) % 4) + 8000ms", 0, 0, 10000, NULL},
        {"2^3^2", 0, 0, 512000, NULL},
        {"step()", 15000, 60000, 15000, NULL},
        {"range()", 15000, 60000, 60000, NULL},
        {"max_of(min_of(step()+1,1h),1ms)", 5000, 0, 6000, NULL},
        {"0.0015+0", 0, 0, 1, NULL},
        {"(5m)", 0, 0, 300000, NULL},
        {"step()", 0, 0, 0, "duration must be greater than 0"},
        {"5m-10m", 0, 0, 0, "duration must be greater than 0"},
        {"-range()", 0, 1000, 0, "duration must be greater than 0"},
        {"5m/step()", 0, 0, 0, "division by zero"},
        {"5m%range()", 0, 0, 0, "modulo by zero"},
        {"5m/(1-1)", 0, 0, 0, "division by zero"},
        {"10^400", 0, 0, 0, "duration is NaN or infinite"},
        {"(-1)^0.5", 0, 0, 0, "duration is NaN or infinite"},
        {"max_of(1, (-1)^0.5)", 0, 0, 0, "duration is NaN or infinite"},
        {"10^300", 0, 0, 0, "duration is out of range"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char query[128];
        struct diag d = {0};
        (void)snprintf(query, sizeof(query), "1 + sum(rate(foo[%s]))", CASES[i].range);
        struct expr *root = parse(query);
        struct duration_context ctx = {CASES[i].step_ms, CASES[i].range_ms};
        const struct expr *m = descend(root, "100");
        assert_int_equal(m->kind, EXPR_MATRIX);
        err e = durations_resolve(root, &ctx, &d);
        if (CASES[i].error != NULL) {
            assert_int_equal(e, ERR_INVALID);
            assert_string_equal(d.text, CASES[i].error);
            assert_true(d.start >= 17 && d.end <= strlen(query) && d.start < d.end);
        } else {
            assert_int_equal(e, OK);
            assert_int_equal(m->matrix.range_ms, CASES[i].ms);
        }
        expr_fini(root);
    }
}

static void test_durations__everywhere_and_again(void **state)
{
    (void)state;
    struct expr *e = parse("foo[step()*4:range()/10] offset -(step()+1)");
    struct duration_context ctx = {1000, 60000};
    assert_int_equal(durations_resolve(e, &ctx, NULL), OK);
    assert_int_equal(e->subquery.range_ms, 4000);
    assert_int_equal(e->subquery.step_ms, 6000);
    assert_int_equal(e->subquery.time.offset_ms, -2000);
    ctx = (struct duration_context){2000, 30000};
    assert_int_equal(durations_resolve(e, &ctx, NULL), OK);
    assert_int_equal(e->subquery.range_ms, 8000);
    assert_int_equal(e->subquery.step_ms, 3000);
    assert_int_equal(e->subquery.time.offset_ms, -3000);
    struct buf b = {0};
    expr_format(e, &b);
    assert_string_equal(buf_cstr(&b), "foo[step() * 4:range() / 10] offset -(step() + 1)");
    buf_fini(&b);
    expr_fini(e);
}

static void test_functions__table(void **state)
{
    (void)state;
    int experimental = 0;
    for (unsigned i = 0; i < FUNC_COUNT; i++) {
        const struct func_sig *f = func_sig((enum func_id)i);
        assert_int_equal(f->id, i);
        assert_ptr_equal(func_find(f->name), f);
        assert_true(f->arg_count <= FUNC_ARGS_MAX);
        assert_true(i == 0 || str_cmp(func_sig((enum func_id)(i - 1))->name, f->name) < 0);
        for (unsigned k = 0; k < f->arg_count; k++)
            assert_true(f->arg_types[k] != VALUE_NONE);
        experimental += f->experimental;
    }
    assert_int_equal(FUNC_COUNT, 90);
    assert_int_equal(experimental, 17);
    assert_null(func_find(STR("holt_winters")));
    assert_null(func_find(STR("")));
    assert_null(func_find(STR("RATE")));
    assert_string_equal(value_type_text(VALUE_VECTOR), "instant vector");
    assert_string_equal(value_type_name(VALUE_MATRIX), "matrix");
}

static void test_ast__positions(void **state)
{
    (void)state;
    char pos[EXPR_POS_SIZE];
    expr_pos_format(STR("ab\ncd"), 0, pos);
    assert_string_equal(pos, "1:1");
    expr_pos_format(STR("ab\ncd"), 2, pos);
    assert_string_equal(pos, "1:3");
    expr_pos_format(STR("ab\ncd"), 4, pos);
    assert_string_equal(pos, "2:2");
    expr_pos_format(STR("ab"), 3, pos);
    assert_string_equal(pos, "invalid position");
    expr_pos_format(STR(""), 0, pos);
    assert_string_equal(pos, "unknown position");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parser__precedence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parser__positions_and_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parser__times_of_a_selector, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parser__matching, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parser__matchers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parser__extended_selectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parser__selector_alone, setup, teardown),
        cmocka_unit_test(test_parser__depth_is_bounded),
        cmocka_unit_test(test_parser__depth_limit_is_exact),
        cmocka_unit_test(test_parser__sizes_are_bounded),
        cmocka_unit_test(test_parser__arena_budget),
        cmocka_unit_test_setup_teardown(test_parser__interruptions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durations__resolve, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durations__everywhere_and_again, setup, teardown),
        cmocka_unit_test(test_functions__table),
        cmocka_unit_test(test_ast__positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
