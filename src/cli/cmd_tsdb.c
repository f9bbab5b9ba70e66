/* cmd_tsdb.c -- varve tsdb ls|dump|verify|stats DIR: what is on disk, without a server. */
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "query/parser.h"
#include "storage/tsdb_tool.h"

enum { SELECTOR_BYTES_MAX = 16 << 20 };

struct tsdb_args {
    const char *dir, *match, *min_time, *max_time;
};

static int finish(err e, const struct diag *d)
{
    if (e != OK && e != ERR_CORRUPT) /* findings were printed already */
        (void)fprintf(stderr, "varve tsdb: error: %s\n",
                      d->text[0] != '\0' ? d->text : err_name(e));
    return fflush(stdout) != 0 || e != OK ? 1 : 0;
}

static int run_ls(const struct tsdb_args *a)
{
    struct diag d = {.text = ""};
    return finish(tsdb_ls(NULL, a->dir, stdout, &d), &d);
}

static int run_verify(const struct tsdb_args *a)
{
    struct diag d = {.text = ""};
    return finish(tsdb_verify(NULL, a->dir, stdout, &d), &d);
}

static int run_stats(const struct tsdb_args *a)
{
    struct diag d = {.text = ""};
    return finish(tsdb_stats(NULL, a->dir, stdout, &d), &d);
}

static err read_time(const char *text, int64_t missing_ms, int64_t *out, struct diag *d)
{
    *out = missing_ms;
    return text[0] != '\0' ? timestamp_parse(str_from(text), out, d) : OK;
}

static int run_dump(const struct tsdb_args *a)
{
    struct arena arena;
    struct matcher *matchers = NULL;
    size_t count = 0;
    int64_t min_ms, max_ms;
    struct diag d = {.text = ""};
    struct promql_options options = {.deadline_mono_ns = 0};
    arena_init(&arena, SELECTOR_BYTES_MAX);
    err e = read_time(a->min_time, INT64_MIN, &min_ms, &d);
    if (e == OK)
        e = read_time(a->max_time, INT64_MAX, &max_ms, &d);
    if (e == OK && a->match[0] != '\0')
        e = promql_parse_selector(str_from(a->match), &options, &arena, &matchers, &count, &d);
    bool wrong = e != OK;
    if (!wrong)
        e = tsdb_dump(NULL, a->dir, matchers, count, min_ms, max_ms, stdout, &d);
    promql_selector_fini(matchers, count);
    arena_fini(&arena);
    if (!wrong)
        return finish(e, &d);
    (void)fprintf(stderr, "varve tsdb dump: error: %s\n", d.text);
    return 2;
}

static const struct subcommand {
    const char *name, *help;
    int (*run)(const struct tsdb_args *a);
} SUBCOMMANDS[] = {
    {"ls", "A table of the blocks, and the log.", run_ls},
    {"dump", "Samples as text: labels, value, milliseconds.", run_dump},
    {"verify", "Check every checksum and invariant; exit status 1 when something is wrong.",
     run_verify},
    {"stats", "Series, samples, bytes per sample, by block and by codec.", run_stats},
};

static void usage(const struct flag *flags, size_t count, FILE *to)
{
    (void)fprintf(to, "usage: varve tsdb <command> [<flags>] <data directory>\n\nCommands:\n");
    for (size_t i = 0; i < COUNT_OF(SUBCOMMANDS); i++)
        (void)fprintf(to, "  %-8s %s\n", SUBCOMMANDS[i].name, SUBCOMMANDS[i].help);
    (void)fprintf(to, "\nFlags of dump:\n");
    flags_help(flags, count, to);
}

static const struct subcommand *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(SUBCOMMANDS); i++)
        if (strcmp(name, SUBCOMMANDS[i].name) == 0)
            return &SUBCOMMANDS[i];
    return NULL;
}

int cmd_tsdb(int argc, char **argv)
{
    struct tsdb_args a = {.dir = "", .match = "", .min_time = "", .max_time = ""};
    struct flag flags[] = {
        {"match", "selector", "Series to show.", FLAG_TEXT, &a.match, false},
        {"min-time", "time", "First sample: seconds or RFC 3339.", FLAG_TEXT, &a.min_time, false},
        {"max-time", "time", "Last sample.", FLAG_TEXT, &a.max_time, false},
    };
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int rest_count, status = 2;
    struct diag d = {.text = ""};
    err e = flags_parse(flags, COUNT_OF(flags), argc, argv, rest, &rest_count, &d);
    const struct subcommand *c = e == OK && rest_count > 0 ? find(rest[0]) : NULL;
    if (e == ERR_NOTFOUND) {
        usage(flags, COUNT_OF(flags), stdout);
        status = 0;
    } else if (e != OK) {
        (void)fprintf(stderr, "varve tsdb: error: %s\n", d.text);
    } else if (rest_count == 0) {
        usage(flags, COUNT_OF(flags), stderr);
    } else if (c == NULL) {
        (void)fprintf(stderr, "varve tsdb: error: unknown command '%s', try varve tsdb --help\n",
                      rest[0]);
    } else if (rest_count != 2) {
        (void)fprintf(stderr, "varve tsdb %s: error: %s\n", rest[0],
                      rest_count < 2 ? "a data directory is needed" : "one data directory only");
    } else {
        a.dir = rest[1];
        status = c->run(&a);
    }
    mem_free(rest);
    return status;
}
