/* cmd_alert.c -- varve alert: what amtool does with a configuration file; the rest is in
 * alert_commands.h. */
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "cli/alert_commands.h"
#include "cli/check_alertmanager.h"
#include "cli/commands.h"
#include "cli/flags.h"

struct routes_flags {
    const char *file, *verify;
    bool tree;
};

static size_t flag_table(struct routes_flags *f, bool test, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"config.file", "path", "The alertmanager.yml.", FLAG_TEXT, &f->file, false},
        {"verify.receivers", "names", "Fail unless these, with commas between, are the receivers.",
         FLAG_TEXT, &f->verify, false},
        {"tree", "", "Show the routes an alert goes through.", FLAG_BOOL, &f->tree, false},
    };
    memcpy(out, FLAGS, sizeof(FLAGS));
    return test ? COUNT_OF(FLAGS) : 1;
}

static void help(bool test, const struct flag *flags, size_t count)
{
    printf("usage: varve alert routes %s --config.file=<path>%s\n\n%s\n\nFlags:\n",
           test ? "test" : "show", test ? " [<flags>] <name=value>..." : "",
           test ? "Which receivers is an alert with these labels for?" : "Show the routing tree.");
    flags_help(flags, count, stdout);
}

static int run_routes(bool test, int argc, char **argv)
{
    struct flag flags[4];
    struct routes_flags f = {.file = "", .verify = ""};
    struct diag d = {.text = ""};
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int count = 0, code = 2;
    size_t flag_count = flag_table(&f, test, flags);
    err e = flags_parse(flags, flag_count, argc, argv, rest, &count, &d);
    if (e == OK && f.file[0] == '\0')
        e = diag_set(&d, ERR_INVALID, "required flag --config.file not provided");
    if (e == OK && !test && count > 0)
        e = diag_set(&d, ERR_INVALID, "unexpected argument '%s'", rest[0]);
    if (e == ERR_NOTFOUND) {
        help(test, flags, flag_count);
        code = 0;
    } else if (e != OK) {
        (void)fprintf(stderr, "varve alert routes: error: %s\n", d.text);
    } else {
        code = test ? alert_routes_test(f.file, rest, count, f.tree, f.verify)
                    : alert_routes_show(f.file);
    }
    mem_free(rest);
    return code;
}

static void usage(FILE *to)
{
    (void)fprintf(to, "usage: varve alert query [<flags>] [<matcher>...]\n"
                      "       varve alert silence add|list|expire|update [<flags>] ...\n"
                      "       varve alert incidents [<flags>]\n"
                      "       varve alert ack [<flags>] <id>...\n"
                      "       varve alert maintenance [list|add|override|remove] [<flags>] ...\n"
                      "       varve alert history [<flags>] [<matcher>...]\n"
                      "       varve alert test [<flags>] <receiver>\n"
                      "       varve alert routes show --config.file=<path>\n"
                      "       varve alert routes test --config.file=<path> [<flags>] "
                      "<name=value>...\n\n"
                      "Look at alerts and silences of a server, try its receivers, look at the "
                      "routing tree of an "
                      "alertmanager.yml.\n");
}

int cmd_alert(int argc, char **argv)
{
    if (argc > 0 && (strcmp(argv[0], "query") == 0 || strcmp(argv[0], "list") == 0))
        return alert_query(argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "silence") == 0)
        return alert_silence(argc - 1, argv + 1);
    if (argc > 0 && (strcmp(argv[0], "incidents") == 0 || strcmp(argv[0], "ack") == 0))
        return alert_incident(strcmp(argv[0], "ack") == 0, argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "maintenance") == 0)
        return alert_maintenance(argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "history") == 0)
        return alert_history(argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "test") == 0)
        return alert_test(argc - 1, argv + 1);
    bool routes = argc > 0 && strcmp(argv[0], "routes") == 0;
    if (routes && argc > 1 && strcmp(argv[1], "test") == 0)
        return run_routes(true, argc - 2, argv + 2);
    if (routes && argc > 1 && strcmp(argv[1], "show") == 0)
        return run_routes(false, argc - 2, argv + 2);
    if (routes && argc > 1 && argv[1][0] == '-' && strcmp(argv[1], "--help") != 0 &&
        strcmp(argv[1], "-h") != 0) /* show is what amtool does without a word */
        return run_routes(false, argc - 1, argv + 1);
    bool help =
        argc > 0 && (strcmp(argv[argc - 1], "--help") == 0 || strcmp(argv[argc - 1], "-h") == 0);
    usage(help ? stdout : stderr);
    return help ? 0 : 2;
}
