/* serve_rules.c -- see serve_rules.h. */
#include "cli/serve_rules.h"

#include <string.h>

#include "cli/serve_slo.h"
#include "http/rule_watch.h"

static struct api *server;
static struct query_watch watch; /* of queries of rules */

struct rules_flags rules_flags_defaults(void)
{
    return (struct rules_flags){.outage_tolerance_ms = RULES_OUTAGE_TOLERANCE_MS,
                                .grace_period_ms = RULES_GRACE_PERIOD_MS,
                                .resend_delay_ms = RULES_RESEND_DELAY_MS,
                                .look_ms = RULES_LOOK_MS,
                                .workers = RULES_WORKERS_DEFAULT};
}

size_t rules_flag_table(struct rules_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"rules.alert.for-outage-tolerance", "duration",
         "Longest outage after which alerts go on as they were.", FLAG_DURATION,
         &f->outage_tolerance_ms, false},
        {"rules.alert.for-grace-period", "duration",
         "Least time between an outage and the firing of alerts whose \"for\" is as long.",
         FLAG_DURATION, &f->grace_period_ms, false},
        {"rules.alert.resend-delay", "duration", "Least time before an alert is sent again.",
         FLAG_DURATION, &f->resend_delay_ms, false},
        {"rules.critical-look-interval", "duration",
         "How often alerting rules with severity=\"critical\" and without \"for\" are looked at, "
         "where "
         "they are evaluated less often; 0s: never between evaluations.",
         FLAG_DURATION, &f->look_ms, false},
        {"rules.max-concurrent-evals", "count", "Groups of rules that are evaluated at once.",
         FLAG_COUNT, &f->workers, false},
    };
    if (out != NULL)
        memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

static err prepare(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    struct rules_update *u = NULL;
    (void)arg;
    TRY(rules_prepare(server->rules, fresh, &u, d));
    *prepared = u;
    return OK;
}

static void commit(void *arg, struct config *fresh, void *prepared)
{
    (void)arg;
    atomic_store_explicit(&server->subquery_step_ms, fresh->global.evaluation_interval_ms,
                          memory_order_relaxed);
    rules_commit(server->rules, prepared);
}

static void discard(void *arg, void *prepared)
{
    (void)arg;
    rules_discard(prepared);
}

void serve_rules_open(struct config_reloader *r, struct api *api, const struct rules_flags *f,
                      const struct alert_sink *sink)
{
    static const struct config_subscriber PART = {.name = "rules",
                                                  .parts = CONFIG_RULES,
                                                  .prepare = prepare,
                                                  .commit = commit,
                                                  .discard = discard};
    struct rules_options o = {.workers = (unsigned)MIN(MAX(f->workers, 1), RULES_WORKERS_MAX),
                              .look_ms = f->look_ms,
                              .more = serve_slo_rules};
    o.env.querier.env.source = api->env.source;
    o.env.querier.options = api->features;
    o.env.querier.options.lookback_ms = api->lookback_ms;
    o.env.querier.options.samples_max = api->samples_max;
    o.env.querier.options.memory_bytes_max = api->query_bytes_max;
    o.env.querier.timeout_ms = api->query_timeout_ms;
    watch = rule_watch(&api->insight);
    o.env.querier.watch = &watch;
    o.env.sink = sink;
    o.env.external_url = str_from(api->urls.external);
    o.env.external_url.len -= str_ends(o.env.external_url, STR("/"));
    o.env.resend_delay_ms = f->resend_delay_ms;
    o.env.outage_tolerance_ms = f->outage_tolerance_ms;
    o.env.grace_period_ms = f->grace_period_ms;
    server = api;
    api->rules = rules_open(&o);
    config_subscribe(r, &PART);
}

err serve_rules_start(struct db *db, const char *data_path, struct diag *d)
{
    return rules_start(server->rules, db, data_path, d);
}

void serve_rules_stop(void)
{
    if (server != NULL)
        rules_stop(server->rules);
}

void serve_rules_close(void)
{
    if (server == NULL)
        return;
    rules_close(server->rules);
    server->rules = NULL;
}
