/* serve_slo.h -- service level objectives of a running server: their files are read with every
 * load of the configuration, all or nothing. */
#ifndef CLI_SERVE_SLO_H
#define CLI_SERVE_SLO_H

#include "cli/flags.h"
#include "config/reload.h"
#include "config/rule_file.h"
#include "http/api.h"

struct slo_serve_flags {
    const char *files, *sli_plugins;
    int64_t period_ms, delay_ms;
};

struct slo_serve_flags slo_serve_defaults(void);

/* Rows for the table of flags; `out` NULL: only how many. */
size_t slo_serve_flag_table(struct slo_serve_flags *f, struct flag *out);

/* Subscribe to the configuration. `f` stays borrowed.
 *   ERR_INVALID  a flag is wrong; `d` says which */
MUST_USE err serve_slo_open(struct config_reloader *r, struct api *api,
                            const struct slo_serve_flags *f, struct diag *d);

/* For rules_options.more: the rules that Sloth would make of the objectives, of those being loaded
 * or else of those in force. */
err serve_slo_rules(void *arg, struct config *c, struct arena *a, struct rule_file **files,
                    size_t *count, struct diag *d);

/* The store and the query engine are there (api->env): book from now on.   ERR_IO  no thread */
MUST_USE err serve_slo_start(struct db *db);

/* Stop booking. Before the store closes. */
void serve_slo_close(void);

#endif
