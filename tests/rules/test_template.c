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
#include "base/jtree.h"
#include "rules/template.h"
#include "template_data.h"

static const char GOLDEN[] = "golden/templates.jsonl";

/* What `text` prints on the test data; its error goes to `error`. */
static err run(str text, struct buf *out, struct diag *error)
{
    struct template_set *set = template_set_open(NULL);
    struct template_value data = test_data();
    err e = template_parse(set, STR("t"), text, error);
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

/* Every line of the table: tests/golden/templates.go says how Go made it. */
static void test_template__prints_what_go_prints(void **state)
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
    assert_in_range(count, 400, 100000);
    assert_int_equal(failures, 0);
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
        cmocka_unit_test(test_template__prints_what_go_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
