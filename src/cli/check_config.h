/* check_config.h -- varve check config: judges configuration files as promtool does, in its words
 * and with its exit codes. Rule files are found here and checked by check_rules.h. */
#ifndef CLI_CHECK_CONFIG_H
#define CLI_CHECK_CONFIG_H

#include <stdbool.h>

#include "base/texts.h"
#include "config/config.h"

struct check_options {
    bool syntax_only, lint_fatal, agent;
    bool ignore_unknown_fields; /* of rule files */
    bool lint_duplicate_rules, lint_long_interval;
    int64_t lookback_ms; /* a longer scrape interval leaves holes */
};

struct check_result {
    bool failed;    /* something is wrong, be it only lint */
    bool has_error; /* and more than lint */
};

/* Check files; prints, and returns the exit code: 0 fine, 1 errors, 3 only lint and it is fatal. */
int check_config_files(char *const *paths, int count, const struct check_options *o);

#endif
