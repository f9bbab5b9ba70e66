/* fuzz_rule_file.c -- any bytes as a rule file: an error has a text; what is read is printed as a
 * file that is read again and prints the same; every place lies in the file. */
#include "base/assert.h"
#include "config/rule_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 64 << 20 };

static void check_places(const struct rule_file *f)
{
    for (size_t g = 0; g < f->group_count; g++)
        for (size_t i = 0; i < f->groups[g].rule_count; i++) {
            const struct rule_def *r = &f->groups[g].rules[i];
            unsigned line = 0, column = 0;
            ASSERT(r->line > 0 && r->column > 0);
            rule_text_place(f, &r->expr, r->expr.text.len / 2, &line, &column);
            ASSERT(line > 0 && column > 0);
        }
}

static void read_again(const struct rule_file *f, const struct rule_file_options *o)
{
    struct arena a;
    struct rule_file again;
    struct rule_errors errors = {0};
    struct buf first = {0}, second = {0};
    arena_init(&a, BUDGET);
    rule_file_yaml(f, &first);
    err e = rule_file_parse("again.yml", buf_slice(&first), o, &a, &again, &errors);
    ASSERT(e == OK || e == ERR_LIMIT);
    if (e == OK) {
        rule_file_yaml(&again, &second);
        ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    }
    buf_fini(&first);
    buf_fini(&second);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct rule_file f;
    struct rule_errors errors = {0};
    struct rule_file_options o = {.legacy_names = size > 0 && data[0] == '#'};
    arena_init(&a, BUDGET);
    if (rule_file_parse("r.yml", (slice){data, size}, &o, &a, &f, &errors) == OK) {
        check_places(&f);
        read_again(&f, &o);
    } else {
        ASSERT(errors.count > 0 && errors.items[0].len > 0);
    }
    arena_fini(&a);
    return 0;
}
