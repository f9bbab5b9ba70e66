/* config_text.h -- a configuration from a text, for tests. */
#ifndef TESTS_SUPPORT_CONFIG_TEXT_H
#define TESTS_SUPPORT_CONFIG_TEXT_H

#include "config/config.h"

/* Load `text` as a file of a temporary directory. */
err config_from_text(const char *text, struct config **out, struct diag *d);

/* A configuration whose only job `j` has these relabel_configs (a YAML list in flow style); NULL
 * when they are refused. */
struct config *config_with_rules(const char *rules, struct diag *d);

#endif
