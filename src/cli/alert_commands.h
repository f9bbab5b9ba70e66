/* alert_commands.h -- the subcommands of varve alert that talk to a server, and what they share. */
#ifndef CLI_ALERT_COMMANDS_H
#define CLI_ALERT_COMMANDS_H

#include "cli/alert_client.h"
#include "cli/text_table.h"
#include "model/alert_matcher.h"

/* Each returns the exit status; argv starts behind its words. */
int alert_query(int argc, char **argv);
int alert_silence(int argc, char **argv);
int alert_incident(bool ack, int argc, char **argv); /* else: list */
int alert_maintenance(int argc, char **argv);
int alert_test(int argc, char **argv);
int alert_history(int argc, char **argv);

enum alert_output { ALERT_OUTPUT_SIMPLE, ALERT_OUTPUT_EXTENDED, ALERT_OUTPUT_JSON };
enum { ALERT_COMMAND_FLAGS_MAX = 16, ALERT_COMMAND_MATCHERS_MAX = 1000 };

/* ERR_INVALID  it is none of simple, extended, json */
MUST_USE err alert_output_of(const char *text, enum alert_output *out, struct diag *d);

/* Read matchers as they stand on a command line, a matcher each. A first one that is none is taken
 * for the value of alertname. Items are in `a`; alert_matchers_fini() is due.
 *   ERR_INVALID  with `d` */
MUST_USE err alert_matchers_of(char *const *args, int count, struct arena *a,
                               struct alert_matchers *out, struct diag *d);

/* Append each as a filter= of a path. */
void alert_filters(struct buf *path, const struct alert_matchers *ms);

/* "2026-11-23 16:00:00 UTC" */
void alert_date(struct buf *b, int64_t ms);

struct alert_columns {
    const char *const *titles;
    size_t count;
    void (*put_row)(struct text_table *t, const struct jtree *item);
};

/* Ask for a list, and show it: as it came (`json`), or as a table. */
MUST_USE err alert_print_list(struct alert_client *c, str path, bool json,
                              const struct alert_columns *as, struct diag *d);

/* What ended the command, as one line. Returns 1. */
int alert_failed(const char *command, const struct diag *d);

#endif
