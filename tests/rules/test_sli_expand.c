/* test_sli_expand.c -- declared SLI plugins: what an objective's queries become, what is refused,
 * and where the error says it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rules/sli_expand.h"
#include "rules/slo_rules.h"

#define PLUGIN(sli)                                                                                \
    "version: varve/sli-plugin/v1\nid: p\nrequired_labels: [owner]\noptions:\n"                    \
    "  job: {required: true}\n  le: {default: '0.5', pattern: '[0-9.]+'}\n  more:\n"               \
    "sli:\n" sli
#define RAW(query)           "  raw: {error_ratio_query: '" query "'}\n"
#define EVENTS(error, total) "  events: {error_query: '" error "', total_query: '" total "'}\n"
#define PLAIN                PLUGIN(RAW("e[{{.window}}]"))
#define USE(labels, options)                                                                       \
    "---\nversion: prometheus/v1\nservice: shop\nlabels: {" labels "}\nslos:\n- name: a\n"         \
    "  objective: 99.5\n  labels: {own: x}\n  alerting: {name: A}\n"                               \
    "  sli: {plugin: {id: p, options: {" options "}}}\n"

struct read {
    struct arena arena;
    struct slo_set set;
};

static err read_text(const char *text, struct read *r, struct diag *d)
{
    *r = (struct read){0};
    arena_init(&r->arena, SLO_MEMORY_BYTES);
    err e = slo_text_read("f.yml", str_bytes(str_from(text)), &r->arena, &r->set, d);
    return e != OK ? e : sli_expand(&r->set, &r->arena, d);
}

static void refuse(const char *text, const char *want)
{
    struct read r;
    struct diag d = {.text = ""};
    err e = read_text(text, &r, &d);
    if (e != ERR_INVALID)
        print_error("taken: %s\n", text);
    assert_int_equal(e, ERR_INVALID);
    if (strstr(d.text, want) == NULL)
        print_error("got: %s\n", d.text);
    assert_non_null(strstr(d.text, want));
    arena_fini(&r.arena);
}

static void is_query(const char *text, const char *error, const char *total)
{
    struct read r;
    struct diag d = {.text = ""};
    err e = read_text(text, &r, &d);
    if (e != OK)
        print_error("%s\n", d.text);
    assert_int_equal(e, OK);
    const struct slo_sli *s = &r.set.defs[0].sli;
    assert_int_equal(s->kind, total != NULL ? SLO_SLI_EVENTS : SLO_SLI_RAW);
    assert_true(str_eq(s->error.text, str_from(error)));
    if (total != NULL)
        assert_true(str_eq(s->total.text, str_from(total)));
    assert_int_equal(s->error.line, 19);
    assert_int_equal(s->error.column, 22);
    arena_fini(&r.arena);
}

static void test_sli_expand__options(void **state)
{
    (void)state;
    is_query(PLUGIN(EVENTS("e{job=\"{{.options.job}}\",le=\"{{.options.le}}\"}[{{.window}}]",
                           "t{ {{- with .options.more}}{{.}},{{end -}} }[{{ .window }}]"))
                 USE("owner: me", "job: api, more: m=\"1\""),
             "e{job=\"api\",le=\"0.5\"}[{{.window}}]", "t{m=\"1\",}[{{.window}}]");
    is_query(PLUGIN(EVENTS("e{le=\"{{.options.le}}\"}[{{.window}}]",
                           "t{ {{- with .options.more}}{{.}},{{end -}} }[{{.window}}]"))
                 USE("owner: me", "job: api, le: 1"),
             "e{le=\"1\"}[{{.window}}]", "t{}[{{.window}}]");
}

/* Labels are those of the file, without the objective's own. */
static void test_sli_expand__meta(void **state)
{
    (void)state;
    is_query(PLUGIN(RAW("{{.meta.service}} {{.meta.slo}} {{.meta.objective}} {{.labels.owner}} "
                        "{{len .labels}} {{toUpper .options.job}} {{.window}}"))
                 USE("owner: me, tier: one", "job: api"),
             "shop a 99.500000 me 2 API {{.window}}", NULL);
}

static void test_sli_expand__refused(void **state)
{
    (void)state;
    refuse(PLAIN USE("owner: me", ""),
           "f.yml:19:22: SLI plugin \"p\": it needs the option \"job\"");
    refuse(PLAIN USE("owner: me", "job: ''"), "it needs the option \"job\"");
    refuse(PLAIN USE("owner: me", "job: a, jub: b"), "it has no option \"jub\"");
    refuse(PLAIN USE("owner: me", "job: a, le: x"), "not as it should be is the option \"le\"");
    refuse(PLAIN USE("tier: one", "job: a"), "the file of objectives needs the label \"owner\"");
    refuse(PLUGIN(RAW("{{.options.jub}}[{{.window}}]")) USE("owner: me", "job: a"),
           "uses an option or a label that is not there: it becomes \"<no value>[");
    refuse(PLUGIN(RAW("e[5m]")) USE("owner: me", "job: a"),
           "must contain the {{.window}} variable");
    refuse(PLUGIN(EVENTS("e[{{.window}}]", "e[{{.window}}]")) USE("owner: me", "job: a"),
           "can't be the same");
    refuse(PLUGIN(RAW("{{index .options.job 99}}{{.window}}")) USE("owner: me", "job: a"),
           "f.yml:19:22: SLI plugin \"p\": template: p.error_ratio_query:1:");
    refuse(
        "version: prometheus/v1\nservice: s\nslos:\n- name: a\n  objective: 99\n  alerting: {name: "
        "A}\n  sli: {plugin: {id: q}}\n",
        "f.yml:7:22: SLI plugin \"q\": there is none of this id");
}

/* A loop without end is stopped by the template's limits. */
static void test_sli_expand__limits(void **state)
{
    (void)state;
    struct read r;
    struct diag d = {.text = ""};
    assert_int_not_equal(
        read_text(
            PLUGIN(
                "  raw:\n    error_ratio_query: |\n      {{define \"x\"}}{{template \"x\"}}{{end}}"
                "{{template \"x\"}}{{.window}}\n") USE("owner: me", "job: a"),
            &r, &d),
        OK);
    assert_non_null(strstr(d.text, "SLI plugin \"p\": template:"));
    arena_fini(&r.arena);
}

static void test_sli_expand__files(void **state)
{
    (void)state;
    refuse(PLAIN "---\n" PLAIN, "f.yml:11:1: SLI plugin \"p\" is there already: f.yml:1:1");
    refuse("version: varve/sli-plugin/v2\n", "not a file of objectives");
    refuse("version: varve/sli-plugin/v1\nid: p\n", "f.yml:1:1: sli is required");
    refuse("version: varve/sli-plugin/v1\nid: p\nsli: {}\n", "either events or raw is required");
    refuse("version: varve/sli-plugin/v1\nsli: {raw: {error_ratio_query: x}}\n", "id is required");
    refuse("version: varve/sli-plugin/v1\nid: p\nsli: {raw: {}}\n",
           "error_ratio_query is required");
    refuse("version: varve/sli-plugin/v1\nid: p\nsli: {raw: {error_ratio_query: x}}\noptons: {}\n",
           "f.yml:4:9: field \"optons\": no such field");
    refuse("version: varve/sli-plugin/v1\nid: p\noptions: {a: {required: true, default: b}}\n",
           "f.yml:3:14: field \"a\": a required option has no default");
    refuse("version: varve/sli-plugin/v1\nid: p\noptions: {a: {pattern: '['}}\n",
           "field \"a\": pattern: ");
    refuse("version: varve/sli-plugin/v1\nid: p\noptions: {a: {pattern: '[0-9]', default: x}}\n",
           "the default does not match the pattern");
    refuse(PLUGIN(RAW("{{if}}")), "f.yml:9:28: template: p.error_ratio_query:1: ");
}

/* Rules are not made of an objective that was not expanded. */
static void test_sli_expand__missed(void **state)
{
    struct read r = {0};
    struct diag d = {.text = ""};
    struct rule_group_def *groups = NULL;
    size_t count = 0;
    const struct slo_rules_options o = {.period_ms = 30 * SLO_DAY_MS, .version = ""};
    (void)state;
    arena_init(&r.arena, SLO_MEMORY_BYTES);
    assert_int_equal(slo_text_read("f.yml", str_bytes(STR(PLAIN USE("owner: me", "job: a"))),
                                   &r.arena, &r.set, &d),
                     OK);
    assert_int_equal(slo_rules_make(&r.set, &o, &r.arena, &groups, &count, &d), ERR_INVALID);
    assert_non_null(strstr(d.text, "f.yml:19:22: no SLI plugin \"p\""));
    arena_fini(&r.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sli_expand__options), cmocka_unit_test(test_sli_expand__meta),
        cmocka_unit_test(test_sli_expand__refused), cmocka_unit_test(test_sli_expand__limits),
        cmocka_unit_test(test_sli_expand__files),   cmocka_unit_test(test_sli_expand__missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
