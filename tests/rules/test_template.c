/* Templates: the table that Go itself made, and limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rules/template.h"
#include "template_data.h"

/* What `text` prints on the test data, or its error. */
static void run(const char *text, struct buf *out)
{
    struct template_set *set = template_set_open(NULL);
    struct template_value data = test_data();
    struct diag d = {0};
    err e = template_parse(set, STR("t"), str_from(text), &d);
    if (e == OK)
        e = template_execute(set, STR("t"), &data, NULL, out, &d);
    if (e != OK) {
        buf_reset(out);
        buf_printf(out, "!%s", d.text);
    }
    template_set_close(set);
}

static void check(const char *text, const char *expected)
{
    struct buf out = {0};
    run(text, &out);
    if (strcmp(buf_cstr(&out), expected) != 0)
        fail_msg("%s\n  gives    %s\n  expected %s", text, buf_cstr(&out), expected);
    buf_fini(&out);
}

static void test_template__smoke(void **state)
{
    (void)state;
    check("a {{.Int}} b", "a 42 b");
    check("{{range $k, $v := .Labels}}{{$k}}={{$v}},{{end}}",
          "alertname=High,instance=a:9100,job=node,");
    check("{{define \"x\"}}[{{.}}]{{end}}{{template \"x\" .Str}}", "[<b>\"O'Neil\" & co</b>]");
    check("{{ printf \"%5.2f|%-5d|%q\" 3.14159 42 .Labels.job }}", " 3.14|42   |\"node\"");
    check("{{ if and .Yes (eq .Labels.job \"node\") }}y{{else}}n{{end}}", "y");
    check("{{ nofunc }}", "!template: t:1: function \"nofunc\" not defined");
    check(
        "{{ .Foo }}",
        "!template: t:1:3: executing \"t\" at <.Foo>: can't evaluate field Foo in type main.Data");
}

int main(int argc, char **argv)
{
    if (argc > 1) { /* show one template's result */
        struct buf out = {0};
        run(argv[1], &out);
        puts(buf_cstr(&out));
        buf_fini(&out);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_template__smoke),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
