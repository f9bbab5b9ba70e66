/* serve_notify.c -- see serve_notify.h. */
#include "cli/serve_notify.h"

#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cli/serve_alerting.h"
#include "cli/serve_heartbeats.h"
#include "notify/digester.h"
#include "notify/notify_health.h"
#include "rules/slo_engine.h"

enum { START_DELAY_MS = 60000 }; /* rules say alerts anew that often */
enum { HISTORY_BYTES = 256 << 20 };
#define HISTORY_MS (INT64_C(90) * 24 * 3600 * 1000)

static struct {
    struct api *api;
    struct config_reloader *reloader;
    struct notify_flags flags;
    struct notify_service *service; /* NULL: not started, or not wanted */
    struct digester *digester;
    struct notify_health health;
    struct buf dir, url, files;
} own;

struct notify_flags notify_flags_defaults(void)
{
    return (struct notify_flags){.config_file = "",
                                 .extensions_file = "",
                                 .retention_ms = ALERTMANAGER_RETENTION_MS,
                                 .start_delay_ms = START_DELAY_MS,
                                 .history_ms = HISTORY_MS,
                                 .history_bytes = HISTORY_BYTES};
}

size_t notify_flag_table(struct notify_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"alertmanager.config-file", "path",
         "Alertmanager's configuration, to tell people from here; none: nobody is told.", FLAG_TEXT,
         &f->config_file, false},
        {"alertmanager.extensions-file", "path",
         "Escalation policies and what else alertmanager.yml has no place for.", FLAG_TEXT,
         &f->extensions_file, false},
        {"alertmanager.start-delay", "duration",
         "How long escalation waits after a start for alerts to be said anew.", FLAG_DURATION,
         &f->start_delay_ms, false},
        {"alertmanager.data-retention", "duration", "How long silences and what was told are kept.",
         FLAG_DURATION, &f->retention_ms, false},
        {"alertmanager.history-retention", "duration",
         "How long the history of alerts and notifications is kept; 0: none.", FLAG_DURATION,
         &f->history_ms, false},
        {"alertmanager.history-size", "bytes", "How much of it is kept, at least 1MB.", FLAG_BYTES,
         &f->history_bytes, false},
    };
    static_assert(COUNT_OF(FLAGS) <= NOTIFY_FLAGS_MAX, "room for all");
    if (out != NULL)
        memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

static err look_at_extensions(struct alertmanager_file *f, struct diag *d)
{
    struct alerting_ext *x;
    TRY(alerting_ext_load(own.flags.extensions_file, f, &x, d));
    err e = alerting_ext_supported(x, d);
    if (e == OK)
        e = serve_heartbeats_check(x, d);
    alerting_ext_unref(x);
    return e;
}

/* Before the start a file is only looked at: what is wrong with it ends the program. */
static err prepare(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    struct alertmanager_file *f;
    (void)arg;
    (void)fresh;
    if (own.service != NULL)
        return notify_service_prepare(own.service, prepared, d);
    TRY(alertmanager_config_load(own.flags.config_file, &f, d));
    err e = own.flags.extensions_file[0] != '\0' ? look_at_extensions(f, d) : OK;
    alertmanager_config_unref(f);
    return e;
}

static void commit(void *arg, struct config *fresh, void *prepared)
{
    (void)arg;
    if (own.service == NULL)
        return;
    notify_service_relabel(own.service, fresh);
    notify_service_commit(own.service, prepared);
    serve_heartbeats_follow();
}

static void discard(void *arg, void *prepared)
{
    (void)arg;
    if (own.service != NULL && prepared != NULL)
        notify_service_discard(own.service, prepared);
}

void serve_notify_open(struct config_reloader *r, struct api *api, const struct notify_flags *f)
{
    buf_printf(&own.files, "%s%s%s", f->config_file, f->extensions_file[0] != '\0' ? "," : "",
               f->extensions_file);
    const struct config_subscriber part = {.name = "notify",
                                           .files = buf_cstr(&own.files),
                                           .prepare = prepare,
                                           .commit = commit,
                                           .discard = discard};
    own.api = api;
    own.reloader = r;
    own.flags = *f;
    serve_heartbeats_open(api);
    if (f->config_file[0] != '\0')
        config_subscribe(r, &part);
}

/* ---- Digests ---- */

struct slo_taker {
    void (*take)(void *to, const struct digest_slo *slo);
    void *to;
};

static bool give_slo(void *arg, const struct slo_view *v)
{
    const struct slo_taker *t = arg;
    const struct digest_slo slo = {.name = v->def->name,
                                   .service = v->def->service,
                                   .labels = &v->def->labels,
                                   .remaining = v->status.remaining,
                                   .projected = v->status.projected};
    if (v->booked_ms != INT64_MIN) /* else its books are being read */
        t->take(t->to, &slo);
    return true;
}

static void give_slos(void *arg, void (*take)(void *to, const struct digest_slo *slo), void *to)
{
    struct slo_taker t = {take, to};
    (void)arg;
    if (own.api->slos != NULL)
        slo_engine_each(own.api->slos, give_slo, &t);
}

static err start_digests(struct diag *d)
{
    const struct digester_options o = {
        .service = own.service, .start_delay_ms = own.flags.start_delay_ms, .slos = give_slos};
    own.digester = digester_open(&o, clock_wall_ms());
    return digester_start(own.digester) == OK
               ? OK
               : diag_set(d, ERR_IO, "the thread that makes digests cannot be started");
}

/* ---- Start and end ---- */

err serve_notify_start(const char *data_path, struct diag *d)
{
    if (own.flags.config_file[0] == '\0')
        return own.flags.extensions_file[0] == '\0'
                   ? OK
                   : diag_set(d, ERR_INVALID,
                              "--alertmanager.extensions-file needs --alertmanager.config-file");
    if (own.flags.history_bytes < HISTORY_BYTES_MIN)
        return diag_set(d, ERR_INVALID, "flag --alertmanager.history-size: less than 1MB");
    str external = str_from(own.api->urls.external);
    external.len -= str_ends(external, STR("/"));
    buf_printf(&own.dir, "%s/notify", data_path);
    buf_printf(&own.url, STR_FMT "/alertmanager", STR_ARG(external));
    const struct notify_options o = {.fs = fs_posix(),
                                     .dir = buf_cstr(&own.dir),
                                     .retention_ms = own.flags.retention_ms,
                                     .history_ms = own.flags.history_ms,
                                     .history_bytes = own.flags.history_bytes,
                                     .config_path = own.flags.config_file,
                                     .extensions_path = own.flags.extensions_file,
                                     .start_delay_ms = own.flags.start_delay_ms,
                                     .external_url = buf_str(&own.url),
                                     .server_url = external,
                                     .version = STR(VARVE_VERSION),
                                     .check = serve_heartbeats_check};
    TRY(notify_service_open(&o, &own.service, d));
    struct config *c = config_in_force(own.reloader);
    notify_service_relabel(own.service, c);
    config_unref(c);
    TRY(alert_fanout_join(serve_alerting_fanout(), notify_service_sink(own.service)));
    struct heartbeats *heartbeats = serve_heartbeats_start(own.service);
    if (notify_register_health(own.service, heartbeats, &own.health, own.api->health.checks) !=
            OK ||
        notify_service_start(own.service) != OK)
        return diag_set(d, ERR_IO, "the thread that tells people cannot be started");
    own.api->notify = own.service;
    own.api->heartbeats = heartbeats;
    serve_heartbeats_follow();
    return start_digests(d);
}

void serve_notify_call_off(void)
{
    if (own.service != NULL)
        notify_service_call_off(own.service);
}

void serve_notify_close(void)
{
    if (own.service != NULL)
        alert_fanout_leave(serve_alerting_fanout(), own.service);
    if (own.api != NULL)
        own.api->notify = NULL;
    serve_heartbeats_close();
    digester_close(own.digester);
    own.digester = NULL;
    notify_service_close(own.service);
    own.service = NULL;
    buf_fini(&own.dir);
    buf_fini(&own.url);
    buf_fini(&own.files);
}
