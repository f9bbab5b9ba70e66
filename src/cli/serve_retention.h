/* serve_retention.h -- storage.tsdb.retention of the configuration, which comes before the flags
 * and may change while the server runs. */
#ifndef CLI_SERVE_RETENTION_H
#define CLI_SERVE_RETENTION_H

#include "config/reload.h"
#include "http/api.h"

/* Subscribe. The flags' values hold for what the configuration does not set; `path` is the data
 * directory, whose disk retention.percentage is about. Before the first load. */
void serve_retention_open(struct config_reloader *r, struct api *api, int64_t flag_ms,
                          uint64_t flag_bytes, const char *path);

/* The store is open: give it what is in force. */
void serve_retention_store(struct db *db);

#endif
