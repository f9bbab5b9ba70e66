/* test_rule_file.c -- rule files: what is read, what is refused and in which words, and where in
 * the file the bytes of a value stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/rule_file.h"

/* "bad" anywhere in an expression is wrong, there. */
static err check_expr(void *arg, str expr, struct diag *d)
{
    (void)arg;
    for (size_t i = 0; i + 3 <= expr.len; i++)
        if (memcmp(expr.ptr + i, "bad", 3) == 0)
            return diag_at(d, i, i + 3, ERR_INVALID, "1:%zu: parse error: bad", i + 1);
    return OK;
}

static err check_template(void *arg, str alert, str text, struct diag *d)
{
    (void)arg;
    if (!str_ends(text, STR("{{")))
        return OK;
    return diag_set(d, ERR_INVALID, "template: __alert_" STR_FMT ":1: unclosed action",
                    STR_ARG(alert));
}

static const struct rule_file_options STRICT = {.check_expr = check_expr,
                                                .check_template = check_template};

struct loaded {
    struct arena arena;
    struct rule_file file;
    struct rule_errors errors;
    err e;
};

static void load(struct loaded *l, const char *text, const struct rule_file_options *o)
{
    arena_init(&l->arena, RULE_FILE_MEMORY_BYTES);
    l->e = rule_file_parse("r.yml", str_bytes(str_from(text)), o, &l->arena, &l->file, &l->errors);
}

static void assert_str(str got, const char *want)
{
    if (!str_eq(got, str_from(want)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), want);
}

static const char WHOLE[] = "groups:\n"
                            "- name: one\n"
                            "  interval: 30s\n"
                            "  query_offset: 1m\n"
                            "  limit: 7\n"
                            "  labels: {team: a}\n"
                            "  rules:\n"
                            "  - record: job:x:sum\n"
                            "    expr: sum by (job) (x)\n"
                            "  - alert: High\n"
                            "    expr: |\n"
                            "      x\n"
                            "        > 1\n"
                            "    for: 5m\n"
                            "    keep_firing_for: 1h\n"
                            "    labels:\n"
                            "      severity: page\n"
                            "      empty: ''\n"
                            "    annotations: {summary: \"{{ $value }}\"}\n"
                            "- name: two\n"
                            "  rules: []\n";

static void assert_whole(const struct rule_file *f)
{
    assert_int_equal(f->group_count, 2);
    const struct rule_group_def *g = &f->groups[0];
    assert_str(g->name, "one");
    assert_int_equal(g->interval_ms, 30000);
    assert_true(g->has_query_offset);
    assert_int_equal(g->query_offset_ms, 60000);
    assert_int_equal(g->limit, 7);
    assert_str(g->labels.items[0].name, "team");
    assert_int_equal(g->rule_count, 2);
    assert_str(g->rules[0].record.text, "job:x:sum");
    assert_str(g->rules[0].expr.text, "sum by (job) (x)");
    const struct rule_def *r = &g->rules[1];
    assert_str(r->alert.text, "High");
    assert_str(r->expr.text, "x\n  > 1\n");
    assert_int_equal(r->for_ms, 300000);
    assert_int_equal(r->keep_firing_for_ms, 3600000);
    assert_int_equal(r->labels.count, 2);
    assert_str(r->labels.items[1].name, "empty");
    assert_str(r->labels.items[1].value.text, "");
    assert_str(r->annotations.items[0].value.text, "{{ $value }}");
    assert_false(f->groups[1].has_query_offset);
    assert_int_equal(f->groups[1].rule_count, 0);
}

static void test_rule_file__reads_every_key(void **state)
{
    struct loaded l;
    (void)state;
    load(&l, WHOLE, &STRICT);
    assert_int_equal(l.e, OK);
    assert_whole(&l.file);
    const struct rule_def *r = &l.file.groups[0].rules[1];
    assert_int_equal(r->line, 10);
    assert_int_equal(r->expr.line, 11);
    assert_int_equal(r->expr.column, 11);
    assert_int_equal(r->labels.items[0].value.line, 17);
    arena_fini(&l.arena);
}

static void test_rule_file__prints_what_reads_to_the_same(void **state)
{
    struct loaded l, again;
    struct buf text = {0};
    (void)state;
    load(&l, WHOLE, &STRICT);
    rule_file_yaml(&l.file, &text);
    load(&again, buf_cstr(&text), &STRICT);
    assert_int_equal(again.e, OK);
    assert_whole(&again.file);
    buf_fini(&text);
    arena_fini(&l.arena);
    arena_fini(&again.arena);
}

static void test_rule_file__an_empty_file_has_no_groups(void **state)
{
    struct loaded l;
    (void)state;
    load(&l, "", &STRICT);
    assert_int_equal(l.e, OK);
    assert_int_equal(l.file.group_count, 0);
    arena_fini(&l.arena);
}

static void refuse(const char *text, const char *want)
{
    struct loaded l;
    load(&l, text, &STRICT);
    if (l.e == OK)
        fail_msg("accepted: %s", text);
    if (l.errors.count != 1 || !str_eq(l.errors.items[0], str_from(want)))
        fail_msg("%s\ngives %zu errors: %.*s\nnot:  %s", text, l.errors.count,
                 STR_ARG(l.errors.items[0]), want);
    arena_fini(&l.arena);
}

#define RULES(text) "groups:\n- name: g\n  rules:\n" text
#define RULE_1      "group \"g\", rule 1, "

static void test_rule_file__refuses_in_upstreams_words(void **state)
{
    (void)state;
    refuse(RULES("  - record: a\n    alert: b\n    expr: x\n"),
           "r.yml: 4:13: " RULE_1 "\"b\": only one of 'record' and 'alert' must be set");
    refuse(RULES("  - expr: x\n"),
           "r.yml: 4:5: " RULE_1 "\"\": one of 'record' or 'alert' must be set");
    refuse(RULES("  - record: a\n"),
           "r.yml: 4:5: " RULE_1 "\"a\": field 'expr' must be set in rule");
    refuse(RULES("  - record: a\n    expr: x\n    for: 1m\n"),
           "r.yml: 4:13: " RULE_1 "\"a\": invalid field 'for' in recording rule");
    refuse(RULES("  - record: a\n    expr: x\n    keep_firing_for: 1m\n"),
           "r.yml: 4:13: " RULE_1 "\"a\": invalid field 'keep_firing_for' in recording rule");
    refuse(RULES("  - record: a\n    expr: x\n    annotations: {b: c}\n"),
           "r.yml: 4:13: " RULE_1 "\"a\": invalid field 'annotations' in recording rule");
    refuse(RULES("  - record: 'a{b=1}'\n    expr: x\n"),
           "r.yml: 4:13: " RULE_1
           "\"a{b=1}\": braces present in the recording rule name; should it be in expr?: a{b=1}");
    refuse(RULES("  - alert: a\n    expr: x\n    labels: {__name__: c}\n"),
           "r.yml: 6:24: " RULE_1 "\"a\": invalid label name: __name__");
    refuse(RULES("  - alert: a\n    expr: x\n    annotations: {'': c}\n"),
           "r.yml: 6:23: " RULE_1 "\"a\": invalid annotation name: ");
    refuse(RULES("  - alert: a\n    expr: x\n    labels: {b: '{{'}\n"),
           "r.yml: 6:17: " RULE_1 "\"a\": label \"b\": template: __alert_a:1: unclosed action");
    refuse("groups:\n- name: g\n  labels: {b: '{{'}\n  rules:\n  - {record: r, expr: x}\n"
           "  - {alert: a, expr: x}\n  - {alert: c, expr: x}\n",
           "r.yml: 3:15: group \"g\", rule 2, \"a\": label \"b\": template: __alert_a:1: unclosed "
           "action");
    refuse("groups:\n- name: g\n- name: h\n- name: g\n",
           "r.yml: 4:3: groupname: \"g\" is repeated in the same file");
    refuse("groups:\n- rules: []\n", "r.yml: 2:3: Groupname must not be empty");
    refuse("groups:\n- name: g\n  labels: {__name__: x}\n",
           "r.yml: 3:22: invalid label name: __name__");
}

static void test_rule_file__refuses_unknown_keys_unless_asked_not_to(void **state)
{
    struct loaded l;
    struct rule_file_options lax = {.ignore_unknown_fields = true};
    static const char TEXT[] = RULES("  - record: a\n    expr: x\n    tenants: [b]\n");
    (void)state;
    refuse(TEXT, "r.yml:6:5: field tenants not found in type rulefmt.Rule");
    refuse("groups:\n- name: g\n  shard: 1\n",
           "r.yml:3:3: field shard not found in type rulefmt.RuleGroup");
    refuse("namespace: x\n", "r.yml:1:1: field namespace not found in type rulefmt.RuleGroups");
    load(&l, TEXT, &lax);
    assert_int_equal(l.e, OK);
    assert_str(l.file.groups[0].rules[0].expr.text, "x");
    arena_fini(&l.arena);
}

static void test_rule_file__legacy_names_on_demand(void **state)
{
    struct loaded l;
    struct rule_file_options o = {.legacy_names = true};
    static const char TEXT[] = RULES("  - record: a.b\n    expr: x\n    labels: {c.d: e}\n");
    (void)state;
    load(&l, TEXT, &STRICT);
    assert_int_equal(l.e, OK);
    arena_fini(&l.arena);
    load(&l, TEXT, &o);
    assert_int_equal(l.e, ERR_INVALID);
    assert_int_equal(l.errors.count, 2);
    assert_str(l.errors.items[0],
               "r.yml: 4:13: " RULE_1 "\"a.b\": invalid recording rule name: a.b");
    assert_str(l.errors.items[1], "r.yml: 6:19: " RULE_1 "\"a.b\": invalid label name: c.d");
    arena_fini(&l.arena);
}

static void test_rule_file__tells_all_errors_up_to_a_number(void **state)
{
    struct buf text = {0};
    struct loaded l;
    enum { WRONG = RULE_FILE_ERRORS_MAX + 5 };
    (void)state;
    buf_put_str(&text, STR("groups:\n- name: g\n  rules:\n"));
    for (int i = 0; i < WRONG; i++)
        buf_put_str(&text, STR("  - record: a\n    expr: bad\n"));
    load(&l, buf_cstr(&text), &STRICT);
    assert_int_equal(l.e, ERR_INVALID);
    assert_int_equal(l.errors.count, RULE_FILE_ERRORS_MAX);
    assert_int_equal(l.errors.more, 5);
    assert_str(l.errors.items[1], "r.yml: 7:11: group \"g\", rule 2, \"a\": could not parse "
                                  "expression: 1:1: parse error: bad");
    buf_fini(&text);
    arena_fini(&l.arena);
}

/* The place of "bad" in the file, as an error about the expression gives it. */
static void at(const char *expr, unsigned line, unsigned column)
{
    struct loaded l;
    struct buf text = {0};
    char want[64];
    buf_printf(&text, "groups:\n- name: g\n  rules:\n  - record: a\n    expr: %s\n", expr);
    load(&l, buf_cstr(&text), &STRICT);
    int n = snprintf(want, sizeof(want), "r.yml: %u:%u: group", line, column);
    if (l.errors.count != 1 || !str_starts(l.errors.items[0], (str){want, (size_t)n}))
        fail_msg("%s\ngives %.*s\nnot  %s", buf_cstr(&text),
                 STR_ARG(l.errors.count > 0 ? l.errors.items[0] : STR("nothing")), want);
    buf_fini(&text);
    arena_fini(&l.arena);
}

static void test_rule_file__places_in_every_style(void **state)
{
    (void)state;
    at("sum(bad)", 5, 15);
    at("sum(\n      bad)", 6, 7);
    at("|\n      sum(\n        bad)\n", 7, 9);
    at("|2-\n      bad", 6, 7);
    at("|\n\n\n      x +\n\n      bad", 10, 7);
    at(">-\n      a +\n      bad", 7, 7);
    at(">-\n      a + bad", 6, 11);
    at("'bad'", 5, 12);
    at("'a{b=''x''} + bad'", 5, 25);
    at("\"a{b=\\\"x\\\"} + bad\"", 5, 25);
    at("\"a +\\n bad\"", 5, 18);
    at("\"a + \\\n      bad\"", 6, 7);
    at("\"a\\u0020\\x62 + bad\"", 5, 26);
    at("&anchor bad", 5, 19);
    at("!!str 'x+bad'", 5, 20);
    at("'a{b=\"\xc3\xa4\"} + bad'", 5, 23); /* columns are characters */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_file__reads_every_key),
        cmocka_unit_test(test_rule_file__prints_what_reads_to_the_same),
        cmocka_unit_test(test_rule_file__an_empty_file_has_no_groups),
        cmocka_unit_test(test_rule_file__refuses_in_upstreams_words),
        cmocka_unit_test(test_rule_file__refuses_unknown_keys_unless_asked_not_to),
        cmocka_unit_test(test_rule_file__legacy_names_on_demand),
        cmocka_unit_test(test_rule_file__tells_all_errors_up_to_a_number),
        cmocka_unit_test(test_rule_file__places_in_every_style),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
