/* serve_slo.c -- see serve_slo.h. */
#include "cli/serve_slo.h"

#include <string.h>

#include "base/log.h"
#include "cli/commands.h"
#include "http/rule_watch.h"
#include "rules/slo_engine.h"

static struct {
    struct api *api;
    struct query_watch watch; /* of objectives' queries */
    const struct slo_serve_flags *flags;
    struct slo_served *waiting; /* taken before the store was open */
    struct mutex lock;          /* guards the two below; a leaf */
    struct slo_served *fresh;   /* being loaded */
    struct slo_served *current; /* in force */
} own;

struct slo_serve_flags slo_serve_defaults(void)
{
    return (struct slo_serve_flags){
        .files = "", .period_ms = 30 * SLO_DAY_MS, .delay_ms = SLO_DELAY_MS_DEFAULT};
}

size_t slo_serve_flag_table(struct slo_serve_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"slo.files", "patterns",
         "Files of service level objectives (Sloth, OpenSLO); patterns with commas.", FLAG_TEXT,
         &f->files, false},
        {"slo.default-period", "duration",
         "The window of objectives that say none: 28d, 30d or one that has alert windows.",
         FLAG_DURATION, &f->period_ms, false},
        {"slo.evaluation-delay", "duration",
         "How long after its end a time slice is booked: senders may be late.", FLAG_DURATION,
         &f->delay_ms, false},
    };
    if (out != NULL)
        memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

static err prepare(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    (void)arg;
    (void)fresh;
    const struct slo_rules_options o = {.period_ms = own.flags->period_ms,
                                        .version = varve_version(),
                                        .served = true};
    struct slo_served *set = NULL;
    TRY(slo_served_read(own.flags->files, &o, &set, d));
    *prepared = set;
    mutex_lock(&own.lock);
    own.fresh = set;
    mutex_unlock(&own.lock);
    return OK;
}

static void commit(void *arg, struct config *fresh, void *prepared)
{
    (void)arg;
    (void)fresh;
    struct slo_served *set = prepared;
    mutex_lock(&own.lock);
    slo_served_drop(own.current);
    own.current = slo_served_ref(set);
    own.fresh = NULL;
    mutex_unlock(&own.lock);
    log_info("objectives in force", LOG_INT("count", (int64_t)set->set.count));
    if (own.api->slos != NULL) {
        slo_engine_set(own.api->slos, set);
        return;
    }
    slo_served_drop(own.waiting);
    own.waiting = set;
}

static void discard(void *arg, void *prepared)
{
    (void)arg;
    mutex_lock(&own.lock);
    own.fresh = NULL;
    mutex_unlock(&own.lock);
    slo_served_drop(prepared);
}

err serve_slo_rules(void *arg, struct config *c, struct arena *a, struct rule_file **files,
                    size_t *count, struct diag *d)
{
    (void)arg;
    (void)c;
    mutex_lock(&own.lock);
    struct slo_served *set = own.fresh != NULL ? own.fresh : own.current;
    if (set != NULL)
        (void)slo_served_ref(set);
    mutex_unlock(&own.lock);
    err e = set != NULL ? slo_served_rules(set, a, files, count, d) : OK;
    slo_served_drop(set);
    return e;
}

err serve_slo_open(struct config_reloader *r, struct api *api, const struct slo_serve_flags *f,
                   struct diag *d)
{
    struct config_subscriber part = {.name = "objectives",
                                     .files = f->files,
                                     .prepare = prepare,
                                     .commit = commit,
                                     .discard = discard};
    own.api = api;
    own.flags = f;
    mutex_init(&own.lock);
    if (f->delay_ms > SLO_RETRY_MS)
        return diag_set(d, ERR_INVALID, "flag --slo.evaluation-delay: must be 6h at most");
    config_subscribe(r, &part);
    return OK;
}

err serve_slo_start(struct db *db)
{
    struct api *api = own.api;
    own.watch = rule_watch(&api->insight);
    const struct slo_engine_options o = {
        .source = {.db = db,
                   .env = api->env,
                   .options = api->features,
                   .timeout_ms = api->query_timeout_ms,
                   .watch = &own.watch},
        .delay_ms = own.flags->delay_ms,
    };
    struct slo_engine *e = slo_engine_open(&o);
    if (own.waiting != NULL)
        slo_engine_set(e, own.waiting);
    own.waiting = NULL;
    api->slos = e;
    return slo_engine_start(e);
}

void serve_slo_close(void)
{
    if (own.api == NULL)
        return;
    slo_engine_close(own.api->slos);
    own.api->slos = NULL;
    slo_served_drop(own.waiting);
    slo_served_drop(own.current);
    own.waiting = own.current = NULL;
    mutex_fini(&own.lock);
}
