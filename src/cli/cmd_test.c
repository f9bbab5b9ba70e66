/* cmd_test.c -- varve test: unit tests of rules, with the output and exit status of promtool. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/regex.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/junit.h"
#include "rules/unit_test.h"

struct test_flags {
    bool debug, diff, ignore_unknown_fields;
    const char *junit, *features;
    struct texts run;
};

static size_t flag_table(struct test_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"run", "regex", "Run tests whose name it matches; may be repeated.", FLAG_TEXTS, &f->run,
         false},
        {"debug", "", "Say when tests begin and end, and show all their data.", FLAG_BOOL,
         &f->debug, false},
        {"diff", "", "Show expected and actual alerts as one text, what differs in colour.",
         FLAG_BOOL, &f->diff, false},
        {"junit", "file", "Write results as JUnit's XML.", FLAG_TEXT, &f->junit, false},
        {"ignore-unknown-fields", "", "Let rule files have fields of other programs.", FLAG_BOOL,
         &f->ignore_unknown_fields, false},
        {"enable-feature", "names",
         "promql-delayed-name-removal; other features of PromQL are always on.", FLAG_TEXT,
         &f->features, false},
    };
    memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

struct testing {
    const struct test_flags *flags;
    struct unit_test_options options;
    struct regex *run; /* names to run; NULL: all */
    struct junit junit;
    bool failed;
};

/* Both streams in the order of what they tell. */
static void tell(FILE *to, str text)
{
    (void)fflush(to == stderr ? stdout : stderr);
    (void)fprintf(to, STR_FMT "\n", STR_ARG(text));
    (void)fflush(to);
}

static void tell_failures(struct testing *t, const struct texts *failures)
{
    if (failures->count == 0)
        return;
    for (size_t i = 0; i < failures->count; i++) {
        tell(stderr, failures->items[i]);
        tell(stdout, STR(""));
    }
    t->failed = true;
}

/* A file whose tests could not be begun. */
static void abort_file(struct testing *t, const char *path, const char *why)
{
    str text = str_from(why);
    const struct texts all = {&text, 1};
    tell(stderr, STR("  FAILED:"));
    tell_failures(t, &all);
    junit_case(&t->junit, STR("Abort"), &all, true);
    junit_end_suite(&t->junit, str_from(path), clock_wall_ms());
}

static void debug_begin(const struct testing *t, str name)
{
    if (t->options.debug != NULL)
        (void)fprintf(stderr, "DEBUG: Starting test " STR_FMT "\n", STR_ARG(name));
}

static void debug_end(struct testing *t, str name, uint64_t began_ns)
{
    if (t->options.debug == NULL)
        return;
    tell(stderr, buf_str(t->options.debug));
    buf_reset(t->options.debug);
    (void)fprintf(stderr, "DEBUG: Test " STR_FMT " finished, took %.3fms\n", STR_ARG(name),
                  (double)(clock_mono_ns() - began_ns) / 1e6);
}

/* One test; its failures are added to those of the file. */
static void run_test(struct testing *t, const struct rule_test_file *f, size_t i,
                     const struct texts *rule_files, struct arena *a, struct texts *all)
{
    char unnamed[32];
    const struct rule_test *test = &f->tests[i];
    struct texts failures;
    (void)snprintf(unnamed, sizeof(unnamed), "unnamed#%zu", i);
    str name = test->name.len > 0 ? test->name : str_from(unnamed);
    if (t->run != NULL && !regex_match(t->run, test->name))
        return;
    uint64_t began_ns = clock_mono_ns();
    debug_begin(t, name);
    unit_test_run(f, test, rule_files, &t->options, a, &failures);
    debug_end(t, name, began_ns);
    junit_case(&t->junit, name, &failures, false);
    str *items =
        arena_grow(a, all->items, all->count, all->count + failures.count + 1, sizeof(*items));
    if (items == NULL) { /* many failures, and one of them will do */
        t->failed = true;
        return;
    }
    if (failures.count > 0)
        memcpy(items + all->count, failures.items, failures.count * sizeof(*items));
    *all = (struct texts){items, all->count + failures.count};
}

static void run_tests(struct testing *t, const char *path, const struct rule_test_file *f,
                      const struct texts *rule_files)
{
    struct arena a;
    struct texts all = {0};
    int64_t started_ms = clock_wall_ms();
    arena_init(&a, UNIT_TEST_MEMORY_BYTES);
    for (size_t i = 0; i < f->test_count; i++)
        run_test(t, f, i, rule_files, &a, &all);
    if (all.count == 0)
        tell(stdout, STR("  SUCCESS"));
    else
        tell(stderr, STR("  FAILED:"));
    tell_failures(t, &all);
    junit_end_suite(&t->junit, str_from(path), started_ms);
    arena_fini(&a);
}

static void run_file(struct testing *t, const char *path)
{
    struct arena a;
    struct rule_test_file f;
    struct texts files, unmatched;
    struct diag d = {.text = ""};
    arena_init(&a, RULE_TEST_FILE_MEMORY_BYTES);
    (void)printf("Unit Testing:  %s\n", path);
    err e = rule_test_file_read(path, &a, &f, &d);
    if (e == OK)
        e = unit_test_rule_files(&f, &a, &files, &unmatched, &d);
    for (size_t i = 0; e == OK && i < unmatched.count; i++)
        (void)fprintf(stderr, "  WARNING: no file match pattern " STR_FMT "\n",
                      STR_ARG(unmatched.items[i]));
    if (e == OK)
        run_tests(t, path, &f, &files);
    else
        abort_file(t, path, d.text);
    tell(stdout, STR(""));
    arena_fini(&a);
}

/* Any of the expressions, anywhere in a name. */
static err compile_run(const struct texts *run, struct regex **out, struct diag *d)
{
    struct buf all = {0};
    *out = NULL;
    if (run->count == 0)
        return OK;
    buf_put_str(&all, STR("(?s:.*)(?:"));
    for (size_t i = 0; i < run->count; i++)
        buf_printf(&all, "%s" STR_FMT, i > 0 ? "|" : "", STR_ARG(run->items[i]));
    buf_put_str(&all, STR(")(?s:.*)"));
    err e = regex_compile(buf_str(&all), out, d);
    buf_fini(&all);
    return e;
}

static void write_junit(const struct testing *t)
{
    struct buf text = {0};
    junit_write(&t->junit, &text);
    FILE *f = fopen(t->flags->junit, "w");
    bool ok = f != NULL && fwrite(text.ptr, 1, text.len, f) == text.len;
    if (f != NULL && fclose(f) != 0)
        ok = false;
    if (!ok)
        (void)fprintf(stderr, "failed to write JUnit XML: %s\n", t->flags->junit);
    buf_fini(&text);
}

static int run_all(const struct test_flags *f, char *const *paths, int count)
{
    struct diag d = {.text = ""};
    struct buf debug = {0};
    struct testing t = {
        .flags = f,
        .options = {.ignore_unknown_fields = f->ignore_unknown_fields,
                    .diff = f->diff,
                    .delayed_name_removal =
                        strstr(f->features, "promql-delayed-name-removal") != NULL,
                    .debug = f->debug ? &debug : NULL},
    };
    if (compile_run(&f->run, &t.run, &d) != OK) {
        (void)fprintf(stderr, "varve test rules: error: flag --run: %s\n", d.text);
        return 1;
    }
    log_configure(LOG_ERROR, LOG_LOGFMT); /* what rules complain of is told as failures */
    for (int i = 0; i < count; i++)
        run_file(&t, paths[i]);
    if (f->junit[0] != '\0')
        write_junit(&t);
    regex_close(t.run);
    junit_fini(&t.junit);
    buf_fini(&debug);
    return t.failed ? 1 : 0;
}

/* Upstream takes files that are there only. */
static err check_paths(char *const *paths, int count, struct diag *d)
{
    struct stat s;
    if (count == 0)
        return diag_set(d, ERR_INVALID, "required argument 'test-rule-file' not provided");
    for (int i = 0; i < count; i++)
        if (stat(paths[i], &s) != 0)
            return diag_set(d, ERR_NOTFOUND, "path '%s' does not exist", paths[i]);
    return OK;
}

static int test_rules(int argc, char **argv)
{
    struct flag flags[8];
    struct test_flags f = {.junit = "", .features = ""};
    struct diag d = {.text = ""};
    char **paths = mem_zalloc((size_t)argc + 1, sizeof(*paths));
    int count = 0, code = 1;
    f.run.items = mem_zalloc((size_t)argc + 1, sizeof(*f.run.items));
    size_t flag_count = flag_table(&f, flags);
    err e = flags_parse(flags, flag_count, argc, argv, paths, &count, &d);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve test rules [<flags>] <test-rule-file>...\n\nFlags:\n");
        flags_help(flags, flag_count, stdout);
        code = 0;
    } else {
        if (e == OK)
            e = check_paths(paths, count, &d);
        if (e == OK)
            code = run_all(&f, paths, count);
        else
            (void)fprintf(stderr, "varve test rules: error: %s\n", d.text);
    }
    mem_free(f.run.items);
    mem_free(paths);
    return code;
}

int cmd_test(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "rules") == 0)
        return test_rules(argc - 1, argv + 1);
    bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    (void)fprintf(help ? stdout : stderr,
                  "usage: varve test rules [<flags>] <test-rule-file>...\n\n"
                  "Run unit tests of rules: files as promtool's \"test rules\" takes them.\n");
    return help ? 0 : 2;
}
