/* Templates that escape HTML: the table that Go itself made, and bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jtree.h"
#include "rules/template_html.h"
#include "rules/template_notify.h"
#include "template_data.h"

static const char GOLDEN[] = "golden/templates_html.jsonl";

/* What `text` prints as HTML on the test data; its error goes to `error`. */
static err run(str text, struct buf *out, struct diag *error)
{
    struct template_set *set = template_set_open(&TEMPLATE_NOTIFY_FUNCS);
    struct template_value data = test_data();
    err e = template_parse(set, STR("t"), text, error);
    if (e == OK)
        e = template_html_escape(set, STR("t"), error);
    if (e == OK)
        e = template_execute(set, STR("t"), &data, NULL, out, error);
    template_set_close(set);
    return e;
}

/* Does a line of the table hold? Shows the difference otherwise. */
static bool holds(const struct jtree *line)
{
    struct buf out = {0};
    struct diag d = {0};
    str text = jtree_text(jtree_get(line, "template"));
    str expected = jtree_text(jtree_get(line, "out"));
    str error = jtree_text(jtree_get(line, "error"));
    err e = run(text, &out, &d);
    bool same = str_eq(str_from(d.text), error) && (e != OK) == (error.len > 0);
    same = same && str_eq(buf_str(&out), expected);
    if (!same)
        print_error("template " STR_FMT "\n  prints   " STR_FMT "\n  expected " STR_FMT
                    "\n  error    %s\n  expected " STR_FMT "\n",
                    STR_ARG(text), STR_ARG(buf_str(&out)), STR_ARG(expected), d.text,
                    STR_ARG(error));
    buf_fini(&out);
    return same;
}

/* Every line of the table: tests/golden/templates_html.go says how Go made it. */
static void test_html__prints_what_go_prints(void **state)
{
    static char line[65536];
    size_t count = 0, failures = 0;
    FILE *f = fopen(GOLDEN, "r");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        struct jtree *tree = NULL;
        struct diag d = {0};
        assert_int_equal(jtree_parse(str_bytes(str_from(line)), &tree, &d), OK);
        failures += !holds(tree);
        count++;
        jtree_free(tree);
    }
    fclose(f);
    assert_in_range(count, 500, 100000);
    assert_int_equal(failures, 0);
}

static struct template_set *parsed(const char *text)
{
    struct template_set *set = template_set_open(&TEMPLATE_NOTIFY_FUNCS);
    struct diag d = {0};
    assert_int_equal(template_parse(set, STR("t"), str_from(text), &d), OK);
    return set;
}

static void assert_prints(struct template_set *set, const char *name, const char *expected)
{
    struct buf out = {0};
    struct diag d = {0};
    struct template_value data = template_string(STR("<b>'x:y'"));
    assert_int_equal(template_execute(set, str_from(name), &data, NULL, &out, &d), OK);
    assert_string_equal(buf_cstr(&out), expected);
    buf_fini(&out);
}

/* Several names of a set; those that were not asked for print text as before. */
static void test_html__is_for_the_names_asked_for(void **state)
{
    struct diag d = {0};
    struct template_set *set = parsed("{{define \"a\"}}<a href=\"{{template \"b\" .}}\">{{end}}"
                                      "{{define \"b\"}}{{.}}{{end}}{{define \"c\"}}<{{.}}{{end}}"
                                      "{{template \"b\" .}}");
    (void)state;
    assert_int_equal(template_html_escape(set, STR("a"), &d), OK);
    assert_prints(set, "a", "<a href=\"#ZgotmplZ\">");
    assert_prints(set, "b", "<b>'x:y'");
    assert_prints(set, "t", "<b>'x:y'");
    assert_int_equal(template_html_escape(set, STR("t"), &d), OK);
    assert_int_equal(template_html_escape(set, STR("t"), &d), OK);
    assert_prints(set, "t", "&lt;b&gt;&#39;x:y&#39;");
    assert_prints(set, "a", "<a href=\"#ZgotmplZ\">");
    assert_prints(set, "c", "<<b>'x:y'");
    assert_int_equal(template_html_escape(set, STR("none"), &d), ERR_INVALID);
    assert_string_equal(d.text, "html/template: \"none\" is undefined");
    d.text[0] = '\0';
    assert_int_equal(template_parse(set, STR("d"), STR("x"), &d), ERR_INVALID);
    assert_string_equal(d.text, "html/template: cannot Parse after Execute");
    template_set_close(set);
}

/* A template that ends elsewhere does so at every call (Go forgets it at the second). */
static void test_html__calls_end_where_the_first_ended(void **state)
{
    struct diag d = {0};
    struct template_set *set = parsed("{{define \"a\"}}<a href=\"{{end}}"
                                      "{{template \"a\"}}{{.}}\">{{template \"a\"}}{{.}}\">");
    (void)state;
    assert_int_equal(template_html_escape(set, STR("t"), &d), OK);
    struct buf out = {0};
    struct template_value data = template_string(STR("javascript:x"));
    assert_int_equal(template_execute(set, STR("t"), &data, NULL, &out, &d), OK);
    assert_string_equal(buf_cstr(&out), "<a href=\"#ZgotmplZ\"><a href=\"#ZgotmplZ\">");
    buf_fini(&out);
    template_set_close(set);
}

/* Bytes of zero where names and types are looked up. */
static void test_html__zero_bytes(void **state)
{
    static const char TEXT[] = "<a \0=\"{{.Str}}\" \0href={{.Int}}><script type=\"\0\">{{.Int}}";
    static const char PRINTED[] = "<a \0=\"&lt;b&gt;&#34;O&#39;Neil&#34; &amp; co&lt;/b&gt;\" "
                                  "\0href=42><script type=\"\0\">42";
    struct buf out = {0};
    struct diag d = {0};
    (void)state;
    assert_int_equal(run((str){TEXT, sizeof(TEXT) - 1}, &out, &d), OK);
    assert_int_equal(out.len, sizeof(PRINTED) - 1);
    assert_memory_equal(out.ptr, PRINTED, out.len);
    buf_fini(&out);
}

/* How `text`, `count` times `repeated` and `end` fares; ends within 100 ms of CPU. */
static err fares(const char *text, const char *repeated, size_t count, const char *end,
                 struct diag *d)
{
    struct buf b = {0};
    struct buf out = {0};
    buf_put_str(&b, str_from(text));
    for (size_t i = 0; i < count; i++)
        buf_put_str(&b, str_from(repeated));
    buf_put_str(&b, str_from(end));
    uint64_t start_ns = clock_thread_cpu_ns();
    err e = run(buf_str(&b), &out, d);
#ifdef VARVE_SANITIZED
    uint64_t max_ns = UINT64_C(1000) * 1000 * 1000;
#else
    uint64_t max_ns = UINT64_C(100) * 1000 * 1000;
#endif
    assert_in_range(clock_thread_cpu_ns() - start_ns, 0, max_ns);
    buf_fini(&out);
    buf_fini(&b);
    return e;
}

static void test_html__bombs_end(void **state)
{
    static const char EXPRESSION[] =
        "{{define \"a\"}}`${ {{template \"a\" .}}{{end}}<script>{{template \"a\" .}}</script>";
    struct diag d = {0};
    (void)state;
    /* each template calls the next twice: looked at once for each context */
    struct buf calls = {0};
    for (int i = 0; i < 100; i++)
        buf_printf(&calls,
                   "{{define \"a%d\"}}{{if .}}{{template \"a%d\" .}}{{template \"a%d\" "
                   ".}}{{end}}{{end}}",
                   i, i + 1, i + 1);
    buf_put_str(&calls, STR("{{define \"a100\"}}{{end}}{{define \"a100\"}}x{{end}}"));
    assert_int_equal(fares(buf_cstr(&calls), "", 0, "<b title={{template \"a0\" .Nil}}>", &d), OK);
    buf_fini(&calls);
    /* loops in loops, whose contexts change with the first turn */
    assert_int_equal(fares("<script>x", "{{range .Nil}} =", 150, "", &d), ERR_INVALID);
    d.text[0] = '\0';
    struct buf loops = {0};
    for (int i = 0; i < 150; i++)
        buf_put_str(&loops, STR("{{range .Nil}} = {{end}}{{range .Nil}}"));
    for (int i = 0; i < 150; i++)
        buf_put_str(&loops, STR("{{end}}"));
    err e = fares("<script>x", buf_cstr(&loops), 1, "</script>", &d);
    assert_true(e == OK || e == ERR_LIMIT);
    buf_fini(&loops);
    d.text[0] = '\0';
    /* ever new contexts */
    assert_int_equal(fares(EXPRESSION, "", 0, "", &d), ERR_INVALID);
    assert_non_null(strstr(d.text, "more than 16 templates within templates of a script"));
    /* quadratic searches: many tags, many strings, many escapes */
    assert_int_equal(fares("<script>", "\"a\";", 50000, "</script>", &d), OK);
    assert_int_equal(fares("<style>x: \"", "\\a", 50000, "\"</style>", &d), OK);
    assert_int_equal(fares("", "<b title=x>", 20000, "", &d), OK);
    assert_int_equal(fares("", "<", 100000, "", &d), OK);
    assert_int_equal(fares("<script>", "</", 50000, "</script>", &d), OK);
    assert_int_equal(fares("<title>", "</", 50000, "</title>", &d), OK);
}

int main(int argc, char **argv)
{
    if (argc > 1) { /* show one template's result */
        struct buf out = {0};
        struct diag d = {0};
        (void)run(str_from(argv[1]), &out, &d);
        printf("%s\n%s\n", buf_cstr(&out), d.text);
        buf_fini(&out);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html__prints_what_go_prints),
        cmocka_unit_test(test_html__is_for_the_names_asked_for),
        cmocka_unit_test(test_html__calls_end_where_the_first_ended),
        cmocka_unit_test(test_html__zero_bytes),
        cmocka_unit_test(test_html__bombs_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
