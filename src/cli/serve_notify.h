/* serve_notify.h -- telling people, as part of varve serve: flags, the file of Alertmanager's
 * configuration beside the other, start and end. */
#ifndef CLI_SERVE_NOTIFY_H
#define CLI_SERVE_NOTIFY_H

#include "cli/flags.h"
#include "config/reload.h"
#include "http/api.h"

enum { NOTIFY_FLAGS_MAX = 8 };

struct notify_flags {
    const char *config_file;     /* "": nobody is told from here */
    const char *extensions_file; /* "": none */
    int64_t retention_ms, start_delay_ms, history_ms;
    uint64_t history_bytes;
};

struct notify_flags notify_flags_defaults(void);

/* Append the flags; their number. `out` may be NULL, or has room for NOTIFY_FLAGS_MAX. */
size_t notify_flag_table(struct notify_flags *f, struct flag *out);

/* Before the configuration is loaded: from now on each load checks and loads that file, too. */
void serve_notify_open(struct config_reloader *r, struct api *api, const struct notify_flags *f);

/* When the store is open, which keeps other processes out of `data_path`, and before rules start:
 * alerts go there through the fan-out of serve_alerting.h. Sets api->notify. */
MUST_USE err serve_notify_start(const char *data_path, struct diag *d);

/* At the beginning of the end: test notifications do not hold it up. */
void serve_notify_call_off(void);

/* When rules have stopped and requests are answered; before serve_alerting_close(). */
void serve_notify_close(void);

#endif
