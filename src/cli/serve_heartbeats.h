/* serve_heartbeats.h -- heartbeats of a server, with the queries that hold them back. */
#ifndef CLI_SERVE_HEARTBEATS_H
#define CLI_SERVE_HEARTBEATS_H

#include "http/api.h"
#include "notify/heartbeats.h"

/* For notify_options.check: do the expressions parse, with the features of the server? */
MUST_USE err serve_heartbeats_check(const struct alerting_ext *x, struct diag *d);

/* What the functions above and below work with; before any of them. */
void serve_heartbeats_open(struct api *api);

/* Make them; they begin with serve_heartbeats_follow(), which takes over each new configuration. */
struct heartbeats *serve_heartbeats_start(struct notify_service *s);
void serve_heartbeats_follow(void);
void serve_heartbeats_close(void); /* before the service */

#endif
