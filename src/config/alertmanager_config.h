/* alertmanager_config.h -- alertmanager.yml as checked structures. Keys, defaults, checks and the
 * words of errors are Alertmanager's (0.34); every error names file, line and column.
 *
 * A loaded configuration is immutable and counted; all that hangs on it lives as long as it does.
 * What an integration does not say it has from `global`; routes are as written, what they inherit
 * is worked out by notify/route.h. Paths are joined to the directory of the file; expressions are
 * compiled. */
#ifndef CONFIG_ALERTMANAGER_CONFIG_H
#define CONFIG_ALERTMANAGER_CONFIG_H

#include "base/buf.h"
#include "config/receiver_config.h"
#include "config/time_interval_config.h"
#include "model/alert_matcher.h"

enum {
    ALERTMANAGER_RETENTION_MS = 120 * 3600 * 1000, /* of silences and the notification log */
    ALERTMANAGER_ARENA_BYTES_MAX = 256 << 20,
    ROUTE_GROUP_WAIT_MS = 30 * 1000, /* what the root has when it does not say */
    ROUTE_GROUP_INTERVAL_MS = 5 * 60 * 1000,
    ROUTE_REPEAT_INTERVAL_MS = 4 * 3600 * 1000,
};

struct route_config {
    str receiver; /* "": as the parent */
    struct {
        struct texts labels; /* sorted once loaded */
        bool all;            /* [...] */
        bool given;          /* else as the parent */
    } group_by;
    struct pairs match, match_re;   /* as written */
    struct alert_matchers written;  /* `matchers` as written */
    struct alert_matchers matchers; /* all three, sorted */
    struct texts mute_time_intervals, active_time_intervals;
    bool continue_;
    int64_t group_wait_ms, group_interval_ms, repeat_interval_ms; /* -1: as the parent */
    struct pairs labels; /* templates; those of the parent besides */
    struct {
        struct route_config *items;
        size_t count;
    } routes;
    struct config_place place;
};

struct inhibit_config {
    str name;
    struct pairs source_match, source_match_re, target_match, target_match_re; /* as written */
    struct alert_matchers written_source, written_target;
    struct alert_matchers source, target; /* all, sorted */
    struct texts equal;
};

struct alertmanager_file {
    struct alertmanager_global global;
    struct route_config *route;
    struct {
        struct inhibit_config *items;
        size_t count;
    } inhibit_rules;
    struct {
        struct receiver_config *items;
        size_t count;
    } receivers;
    struct texts templates; /* patterns of files */
    struct {
        struct time_intervals *items;
        size_t count;
    } mute_time_intervals, time_intervals; /* one name space; the first is the older key */
    bool has_global;
    const char *file;
};

/* Load and check a file. The result is held once; alertmanager_config_unref() lets go.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  with `d` */
MUST_USE err alertmanager_config_load(const char *path, struct alertmanager_file **out,
                                      struct diag *d);

/* As above with the text of a file that would stand at `path`. */
MUST_USE err alertmanager_config_parse(const char *path, slice text, struct alertmanager_file **out,
                                       struct diag *d);
struct alertmanager_file *alertmanager_config_ref(struct alertmanager_file *c);
void alertmanager_config_unref(struct alertmanager_file *c); /* NULL is allowed */

/* What loads but is likely not meant, or not built in: a text for each, with its place. */
struct texts alertmanager_config_warnings(const struct alertmanager_file *c);

/* The set of that name, of either key; NULL: none. */
const struct time_intervals *alertmanager_time_intervals(const struct alertmanager_file *c,
                                                         str name);
const struct receiver_config *alertmanager_receiver(const struct alertmanager_file *c, str name);

/* Append the file as YAML with defaults filled in and secrets as <secret>: what
 * /api/v2/status shows, and amtool reads back. */
void alertmanager_config_yaml(const struct alertmanager_file *c, struct buf *out);

/* Hash of all that the file says, secrets included. */
hash128 alertmanager_config_digest(const struct alertmanager_file *c);

#endif
