/* serve_config.h -- the configuration of a running server: who subscribes to it, how it is loaded
 * and reloaded (SIGHUP, POST /-/reload, auto-reload-config), and what metrics and API say of it. */
#ifndef CLI_SERVE_CONFIG_H
#define CLI_SERVE_CONFIG_H

#include "config/reload.h"
#include "http/api.h"
#include "http/auth.h"

/* Sections that `varve serve` acts on, for those who judge a file without a server. */
enum { SERVE_CONFIG_PARTS = CONFIG_SCRAPE | CONFIG_RULES | CONFIG_ALERTING };

/* Prepare: no file is read yet. `scrape` puts the jobs of a configuration in force, all or nothing.
 * Parts subscribe to serve_config_reloader() before serve_config_load(). */
void serve_config_open(struct api *api, const char *path,
                       err (*scrape)(struct config *c, struct diag *d));
void serve_config_close(void);
struct config_reloader *serve_config_reloader(void);

/* The file of --web.config.file and the tokens are read again with every reload from now on. */
void serve_config_auth(struct auth *auth);

/* The first load: `d` is what the operator shall read when it fails. */
MUST_USE err serve_config_load(struct diag *d);

/* Load again, all or nothing; logs and sets what /metrics and notifications say. */
err serve_config_reload(struct diag *d);

/* --enable-feature=auto-reload-config.   ERR_IO  no thread */
MUST_USE err serve_config_watch(int64_t interval_ms);

#endif
