/* main.c -- varve COMMAND [flags]. */
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "cli/commands.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} COMMANDS[] = {
    {"serve", "Run the server: remote write in, PromQL out.", cmd_serve},
    {"check", "Check configuration files of Prometheus.", cmd_check},
    {"alert", "Alerts and silences of a server; routes of an alertmanager.yml.", cmd_alert},
    {"slo", "Rules out of service level objectives: generate, check.", cmd_slo},
    {"tsdb", "Look at a data directory: ls, dump, verify, stats.", cmd_tsdb},
    {"test", "Run unit tests of rules.", cmd_test},
    {"rules", "Evaluate rules over the past.", cmd_rules},
    {"version", "Print the version.", cmd_version},
    {"help", "Show this text.", cmd_help},
};

static void usage(FILE *to)
{
    (void)fprintf(to,
                  "usage: varve <command> [<flags>]\n\n"
                  "Varve stores Prometheus samples for years and answers PromQL.\n\nCommands:\n");
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
        (void)fprintf(to, "  %-8s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    (void)fprintf(to, "\n\"varve <command> --help\" shows a command's flags.\n");
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
        if (strcmp(name, COMMANDS[i].name) == 0)
            return &COMMANDS[i];
    return NULL;
}

static int cmd_help(int argc, char **argv)
{
    char help[] = "--help", *flags[] = {help, NULL};
    const struct command *c = argc > 0 ? find(argv[0]) : NULL;
    if (argc > 0 && c == NULL) {
        (void)fprintf(stderr, "varve help: no command '%s'\n", argv[0]);
        return 2;
    }
    if (c != NULL && c->run != cmd_help && c->run != cmd_version)
        return c->run(1, flags);
    usage(stdout);
    return 0;
}

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("varve, version %s\n", varve_version());
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cmd_help(0, NULL);
    if (strcmp(argv[1], "--version") == 0)
        return cmd_version(0, NULL);
    const struct command *c = find(argv[1]);
    if (c == NULL) {
        (void)fprintf(stderr, "varve: unknown command '%s', try varve help\n", argv[1]);
        return 2;
    }
    return c->run(argc - 2, argv + 2);
}
