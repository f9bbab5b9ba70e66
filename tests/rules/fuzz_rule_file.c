/* Fuzz target: any bytes as a rule file, down to its expressions and templates. Errors have texts;
 * what reads has places, and printed as YAML it is read to the same. */
#include <stdint.h>

#include "base/assert.h"
#include "rules/rule_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 64 << 20 };

static void check_place(const struct rule_file *f, const struct rule_text *t)
{
    unsigned line = 0, column = 0;
    if (t->line == 0)
        return;
    for (size_t i = 0; i <= t->text.len; i += t->text.len / 3 + 1) {
        rule_text_place(f, t, i, &line, &column);
        ASSERT(line >= t->line && column > 0);
    }
}

static void check_places(const struct rule_file *f)
{
    for (size_t i = 0; i < f->group_count; i++) {
        const struct rule_group_def *g = &f->groups[i];
        ASSERT(g->name.len > 0 && g->line > 0);
        for (size_t k = 0; k < g->rule_count; k++) {
            const struct rule_def *r = &g->rules[k];
            ASSERT((r->record.line > 0) != (r->alert.line > 0) && r->expr.line > 0);
            check_place(f, &r->expr);
            for (size_t n = 0; n < r->annotations.count; n++)
                check_place(f, &r->annotations.items[n].value);
        }
    }
}

/* As YAML, read again and printed again. */
static void check_round_trip(const struct rule_file *f, const struct rule_check *c)
{
    struct arena a;
    struct rule_file again;
    struct rule_errors errors = {0};
    struct buf once = {0}, twice = {0};
    arena_init(&a, BUDGET);
    rule_file_yaml(f, &once);
    err e = rule_check_text("r.yml", buf_slice(&once), c, &a, &again, &errors);
    ASSERT(e == OK || e == ERR_LIMIT);
    if (e == OK) {
        rule_file_yaml(&again, &twice);
        ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
    }
    arena_fini(&a);
    buf_fini(&once);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct rule_check c = {0};
    struct rule_file f;
    struct rule_errors errors = {0};
    arena_init(&a, BUDGET);
    if (rule_check_text("r.yml", (slice){data, size}, &c, &a, &f, &errors) == OK) {
        struct rule_twin *twins;
        size_t count;
        check_places(&f);
        check_round_trip(&f, &c);
        err e = rule_check_twins(&f, &a, &twins, &count);
        ASSERT(e == OK || e == ERR_LIMIT);
    } else {
        ASSERT(errors.count > 0 && errors.items[0].len > 0);
    }
    arena_fini(&a);
    return 0;
}
