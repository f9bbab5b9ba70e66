/* cmd_check.c -- varve check: files are judged without a server. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/check_alertmanager.h"
#include "cli/check_config.h"
#include "cli/check_rules.h"
#include "cli/check_web.h"
#include "cli/commands.h"
#include "cli/flags.h"

struct check_flags {
    bool syntax_only, lint_fatal, agent, ignore_unknown_fields;
    const char *lint, *features;
    int64_t lookback_ms;
};

static size_t flag_table(struct check_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"syntax-only", "", "Look at the files alone, not at what they name.", FLAG_BOOL,
         &f->syntax_only, false},
        {"lint", "names", "duplicate-rules, too-long-scrape-interval, all or none.", FLAG_TEXT,
         &f->lint, false},
        {"lint-fatal", "", "Exit with 3 when lint finds something.", FLAG_BOOL, &f->lint_fatal,
         false},
        {"agent", "", "Judge as Prometheus' agent would.", FLAG_BOOL, &f->agent, false},
        {"ignore-unknown-fields", "", "Let rule files have fields of other programs.", FLAG_BOOL,
         &f->ignore_unknown_fields, false},
        {"enable-feature", "names", "Taken for promtool's sake; nothing here depends on it.",
         FLAG_TEXT, &f->features, false},
        {"query.lookback-delta", "duration", "The server's, for too-long-scrape-interval.",
         FLAG_DURATION, &f->lookback_ms, false},
    };
    memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

static err read_lint(const char *list, struct check_options *o, struct diag *d)
{
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        str name = {list, n};
        bool all = str_eq(name, STR("all"));
        if (str_eq(name, STR("none")))
            o->lint_duplicate_rules = o->lint_long_interval = false;
        else if (all || str_eq(name, STR("duplicate-rules")))
            o->lint_duplicate_rules = true;
        else if (!str_eq(name, STR("too-long-scrape-interval")))
            return diag_set(d, ERR_INVALID,
                            "flag --lint: \"" STR_FMT
                            "\" is not one of all, duplicate-rules, none, too-long-scrape-interval",
                            STR_ARG(name));
        if (all || str_eq(name, STR("too-long-scrape-interval")))
            o->lint_long_interval = true;
        list += n + (list[n] == ',');
    }
    return OK;
}

/* Upstream takes files that are there only. */
static err check_paths(char *const *paths, int count, struct diag *d)
{
    struct stat s;
    if (count == 0)
        return diag_set(d, ERR_INVALID, "required argument 'config-files' not provided");
    for (int i = 0; i < count; i++)
        if (stat(paths[i], &s) != 0)
            return diag_set(d, ERR_NOTFOUND, "path '%s' does not exist", paths[i]);
    return OK;
}

static int check_config(int argc, char **argv)
{
    struct flag flags[8];
    struct check_flags f = {.lint = "duplicate-rules", .features = "", .lookback_ms = 300000};
    struct check_options o = {0};
    struct diag d = {.text = ""};
    char **paths = mem_zalloc((size_t)argc + 1, sizeof(*paths));
    int count = 0, code = 1;
    size_t flag_count = flag_table(&f, flags);
    err e = flags_parse(flags, flag_count, argc, argv, paths, &count, &d);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve check config [<flags>] <config-files>...\n\nFlags:\n");
        flags_help(flags, flag_count, stdout);
        mem_free(paths);
        return 0;
    }
    if (e == OK)
        e = read_lint(f.lint, &o, &d);
    if (e == OK)
        e = check_paths(paths, count, &d);
    if (e == OK) {
        o.syntax_only = f.syntax_only;
        o.agent = f.agent;
        o.ignore_unknown_fields = f.ignore_unknown_fields;
        o.lint_fatal = f.lint_fatal;
        o.lookback_ms = f.lookback_ms;
        code = check_config_files(paths, count, &o);
    } else {
        (void)fprintf(stderr, "varve check config: error: %s\n", d.text);
    }
    mem_free(paths);
    return code;
}

static size_t rules_flag_table(struct check_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"lint", "names", "duplicate-rules, all or none.", FLAG_TEXT, &f->lint, false},
        {"lint-fatal", "", "Exit with 3 when lint finds something.", FLAG_BOOL, &f->lint_fatal,
         false},
        {"ignore-unknown-fields", "", "Let rule files have fields of other programs.", FLAG_BOOL,
         &f->ignore_unknown_fields, false},
        {"enable-feature", "names", "Taken for promtool's sake; nothing here depends on it.",
         FLAG_TEXT, &f->features, false},
    };
    memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

static int check_rules(int argc, char **argv)
{
    struct flag flags[8];
    struct check_flags f = {.lint = "duplicate-rules", .features = ""};
    struct check_options o = {0};
    struct diag d = {.text = ""};
    char **paths = mem_zalloc((size_t)argc + 1, sizeof(*paths));
    int count = 0, code = 1;
    size_t flag_count = rules_flag_table(&f, flags);
    err e = flags_parse(flags, flag_count, argc, argv, paths, &count, &d);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve check rules [<flags>] [<rule-files>...]\n\n"
               "Without files the standard input is checked.\n\nFlags:\n");
        flags_help(flags, flag_count, stdout);
        mem_free(paths);
        return 0;
    }
    if (e == OK)
        e = read_lint(f.lint, &o, &d);
    if (e == OK && count > 0)
        e = check_paths(paths, count, &d);
    o.ignore_unknown_fields = f.ignore_unknown_fields;
    o.lint_fatal = f.lint_fatal;
    if (e == OK)
        code = check_rules_files(paths, count, &o);
    else
        (void)fprintf(stderr, "varve check rules: error: %s\n", d.text);
    mem_free(paths);
    return code;
}

static int check_alertmanager(int argc, char **argv)
{
    bool routes = false;
    const char *extensions = "";
    struct flag flags[] = {
        {"routes", "", "Show the routing tree of each file.", FLAG_BOOL, &routes, false},
        {"extensions-file", "path", "Check this file of extensions against each.", FLAG_TEXT,
         &extensions, false}};
    struct diag d = {.text = ""};
    char **paths = mem_zalloc((size_t)argc + 1, sizeof(*paths));
    int count = 0, code = 1;
    err e = flags_parse(flags, COUNT_OF(flags), argc, argv, paths, &count, &d);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve check alertmanager [<flags>] [<files>...]\n\n"
               "Without files the standard input is checked.\n\nFlags:\n");
        flags_help(flags, COUNT_OF(flags), stdout);
        mem_free(paths);
        return 0;
    }
    if (e == OK && count > 0)
        e = check_paths(paths, count, &d);
    if (e == OK)
        code = check_alertmanager_files(paths, count, routes, extensions);
    else
        (void)fprintf(stderr, "varve check alertmanager: error: %s\n", d.text);
    mem_free(paths);
    return code;
}

static const struct {
    const char *name, *what;
    int (*run)(int argc, char **argv);
} CHECKS[] = {
    {"config", "[<flags>] <config-files>...", check_config},
    {"rules", "[<flags>] [<rule-files>...]", check_rules},
    {"alertmanager", "[<flags>] [<alertmanager.yml>...]", check_alertmanager},
    {"web-config", "<files of --web.config.file>...", check_web_config},
    {"token-file", "<files of --web.token-file>...", check_token_file},
};

static void usage(FILE *to)
{
    (void)fprintf(to, "usage:");
    for (size_t i = 0; i < COUNT_OF(CHECKS); i++)
        (void)fprintf(to, "%s varve check %s %s\n", i > 0 ? "      " : "", CHECKS[i].name,
                      CHECKS[i].what);
    (void)fprintf(to, "\nCheck whether configuration files are valid.\n"
                      "\"varve check config --help\" shows the flags.\n");
}

int cmd_check(int argc, char **argv)
{
    for (size_t i = 0; argc > 0 && i < COUNT_OF(CHECKS); i++)
        if (strcmp(argv[0], CHECKS[i].name) == 0)
            return CHECKS[i].run(argc - 1, argv + 1);
    bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    usage(help ? stdout : stderr);
    return help ? 0 : 2;
}
