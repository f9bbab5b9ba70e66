/* serve_alerting.h -- alerts on their way out of varve serve: the fan-out that rules send to, and
 * behind it the sender to external Alertmanagers: flags, the section alerting of the configuration,
 * start and end. */
#ifndef CLI_SERVE_ALERTING_H
#define CLI_SERVE_ALERTING_H

#include "cli/flags.h"
#include "config/reload.h"
#include "http/api.h"
#include "rules/alert_fanout.h"

enum { ALERTING_FLAGS_MAX = 4 };

struct alerting_flags {
    uint64_t queue_capacity, batch_max;
    bool drain;
};

struct alerting_flags alerting_flags_defaults(void);

/* Append the flags; their number. `out` may be NULL, or has room for ALERTING_FLAGS_MAX. */
size_t alerting_flag_table(struct alerting_flags *f, struct flag *out);

/* Subscribe to the configuration, before it is loaded; sets api->sender.
 *   ERR_INVALID  a flag; `d` names it      ERR_IO  no thread */
MUST_USE err serve_alerting_open(struct config_reloader *r, struct api *api,
                                 const struct alerting_flags *f, struct diag *d);

/* Where rules send their alerts, and who else wants them joins; until serve_alerting_close(). */
const struct alert_sink *serve_alerting_sink(void);
struct alert_fanout *serve_alerting_fanout(void);

/* When rules have stopped: send what is queued, then free all. */
void serve_alerting_close(struct api *api);

#endif
