/* check_rules.h -- varve check rules: judges rule files as promtool does, in its words and with its
 * exit codes. */
#ifndef CLI_CHECK_RULES_H
#define CLI_CHECK_RULES_H

#include "cli/check_config.h"

/* Check rule files that a configuration names; prints. */
void check_rules_named(struct texts files, const struct check_options *o,
                       struct check_result *result);

/* Check files, or the standard input when there are none; prints, and returns the exit code. */
int check_rules_files(char *const *paths, int count, const struct check_options *o);

#endif
