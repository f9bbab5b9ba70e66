/* serve_rules.h -- rules in varve serve: flags, the sections rule_files and global of the
 * configuration, start and end. */
#ifndef CLI_SERVE_RULES_H
#define CLI_SERVE_RULES_H

#include "cli/flags.h"
#include "config/reload.h"
#include "http/api.h"
#include "rules/manager.h"

enum { RULES_FLAGS_MAX = 8 };

struct rules_flags {
    int64_t outage_tolerance_ms, grace_period_ms, resend_delay_ms, look_ms;
    uint64_t workers;
};

struct rules_flags rules_flags_defaults(void);

/* Append the flags; their number. `out` may be NULL, or has room for RULES_FLAGS_MAX. */
size_t rules_flag_table(struct rules_flags *f, struct flag *out);

/* Subscribe to the configuration, before it is loaded; sets api->rules. Alerts go to `sink`, NULL:
 * nobody. Needs api->urls and the limits of queries. */
void serve_rules_open(struct config_reloader *r, struct api *api, const struct rules_flags *f,
                      const struct alert_sink *sink);

/* Begin to evaluate, with the store. `data_path` is the data directory.  ERR_IO, ...  `d` */
MUST_USE err serve_rules_start(struct db *db, const char *data_path, struct diag *d);

/* Stop evaluating; then, when nobody looks any more, free all. */
void serve_rules_stop(void);
void serve_rules_close(void);

#endif
