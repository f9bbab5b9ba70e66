/* check_rules.c -- see check_rules.h. */
#include "cli/check_rules.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "rules/rule_check.h"

enum { READ_BYTES = 1 << 16 };

static void put_error(str text)
{
    (void)fflush(stdout); /* both streams in the order of what they tell */
    (void)fprintf(stderr, STR_FMT "\n", STR_ARG(text));
}

static void fail(struct check_result *r, const struct rule_errors *errors)
{
    put_error(STR("  FAILED:"));
    for (size_t i = 0; i < errors->count; i++)
        put_error(errors->items[i]);
    if (errors->more > 0)
        (void)fprintf(stderr, "and %zu more\n", errors->more);
    r->failed = r->has_error = true;
}

/* False: some rules write the same series, which is said. */
static bool lint(const struct rule_file *f, struct arena *a)
{
    struct rule_twin *twins;
    size_t count;
    struct buf text = {0};
    if (rule_check_twins(f, a, &twins, &count) != OK) {
        put_error(STR("  FAILED:\ntoo many rules to look for duplicates"));
        return false;
    }
    if (count == 0)
        return true;
    buf_printf(&text, "  FAILED:\nlint error %zu duplicate rule(s) found.\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "Metric: " STR_FMT "\nLabel(s):\n", STR_ARG(twins[i].name));
        for (size_t k = 0; k < twins[i].labels.count; k++)
            buf_printf(&text, "\t" STR_FMT ": " STR_FMT "\n",
                       STR_ARG(twins[i].labels.items[k].name),
                       STR_ARG(twins[i].labels.items[k].value));
    }
    buf_put_str(&text, STR("Might cause inconsistency while recording expressions"));
    put_error(buf_str(&text));
    buf_fini(&text);
    return false;
}

static struct rule_check check_of(const struct check_options *o)
{
    return (struct rule_check){
        .promql = {.experimental_functions = true,
                   .fill_modifiers = true,
                   .extended_range_selectors = true},
        .ignore_unknown_fields = o->ignore_unknown_fields,
    };
}

static void judge(err e, const struct rule_file *f, const struct rule_errors *errors,
                  const struct check_options *o, struct arena *a, struct check_result *r)
{
    size_t count = 0;
    if (e != OK)
        fail(r, errors);
    for (size_t i = 0; e == OK && i < f->group_count; i++)
        count += f->groups[i].rule_count;
    if (e == OK && o->lint_duplicate_rules && !lint(f, a))
        r->failed = true;
    else if (e == OK)
        printf("  SUCCESS: %zu rules found\n", count);
    printf("\n");
}

static void check_file(const char *path, const struct check_options *o, struct check_result *r)
{
    struct arena a;
    struct rule_file f;
    struct rule_errors errors;
    struct rule_check c = check_of(o);
    arena_init(&a, RULE_FILE_MEMORY_BYTES);
    printf("Checking %s\n", path);
    err e = rule_check_file(path, &c, &a, &f, &errors);
    judge(e, &f, &errors, o, &a, r);
    arena_fini(&a);
}

void check_rules_named(struct texts files, const struct check_options *o,
                       struct check_result *result)
{
    for (size_t i = 0; i < files.count; i++)
        check_file(files.items[i].ptr, o, result); /* paths of a configuration end with a NUL */
}

/* ---- Standard input ---- */

static err read_input(struct buf *out)
{
    while (out->len <= RULE_FILE_SIZE_MAX) {
        ssize_t n = read(STDIN_FILENO, buf_reserve(out, READ_BYTES), READ_BYTES);
        if (n == 0)
            return OK;
        if (n > 0)
            out->len += (size_t)n;
        else if (errno != EINTR)
            return ERR_IO;
    }
    return ERR_LIMIT;
}

static void check_input(const struct check_options *o, struct check_result *r)
{
    struct arena a;
    struct rule_file f;
    struct rule_errors errors = {0};
    struct buf text = {0};
    struct rule_check c = check_of(o);
    arena_init(&a, RULE_FILE_MEMORY_BYTES);
    printf("Checking standard input\n");
    err e = read_input(&text);
    if (e != OK) {
        put_error(e == ERR_LIMIT ? STR("  FAILED: the standard input is larger than 8 MiB")
                                 : STR("  FAILED: the standard input cannot be read"));
        r->failed = r->has_error = true;
    } else {
        e = rule_check_text("standard input", buf_slice(&text), &c, &a, &f, &errors);
        judge(e, &f, &errors, o, &a, r);
    }
    buf_fini(&text);
    arena_fini(&a);
}

int check_rules_files(char *const *paths, int count, const struct check_options *o)
{
    struct check_result r = {false, false};
    if (count == 0)
        check_input(o, &r);
    for (int i = 0; i < count; i++)
        check_file(paths[i], o, &r);
    (void)fflush(stdout);
    if (r.failed && r.has_error)
        return 1;
    return r.failed && o->lint_fatal ? 3 : 0;
}
