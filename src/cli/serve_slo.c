/* serve_slo.c -- see serve_slo.h. */
#include "cli/serve_slo.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "http/rule_watch.h"
#include "rules/slo_engine.h"

static struct {
    struct api *api;
    struct query_watch watch; /* of objectives' queries */
    const struct slo_serve_flags *flags;
    struct buf files;           /* patterns of all that is read: objectives and plugins */
    struct slo_served *waiting; /* taken before the store was open */
    struct mutex lock;          /* guards the two below; a leaf */
    struct slo_served *fresh;   /* being loaded */
    struct slo_served *current; /* in force */
} own;

struct slo_serve_flags slo_serve_defaults(void)
{
    return (struct slo_serve_flags){.files = "",
                                    .sli_plugins = "",
                                    .period_ms = 30 * SLO_DAY_MS,
                                    .delay_ms = SLO_DELAY_MS_DEFAULT};
}

size_t slo_serve_flag_table(struct slo_serve_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"slo.files", "patterns",
         "Files of service level objectives (Sloth, OpenSLO); patterns with commas.", FLAG_TEXT,
         &f->files, false},
        {"slo.sli-plugins", "paths",
         "Declared SLI plugins: directories of *.yml and *.yaml, files or patterns, with commas.",
         FLAG_TEXT, &f->sli_plugins, false},
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
    const struct slo_rules_options o = {
        .period_ms = own.flags->period_ms, .version = varve_version(), .served = true};
    struct slo_served *set = NULL;
    TRY(slo_served_read(buf_cstr(&own.files), &o, &set, d));
    *prepared = set;
    mutex_lock(&own.lock);
    own.fresh = set;
    mutex_unlock(&own.lock);
    return OK;
}

static void log_warnings(const struct slo_served *set)
{
    struct buf lines = {0};
    slo_rules_warnings(&set->set, &set->rules, &lines);
    const char *at = (const char *)lines.ptr, *end = at + lines.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop != NULL ? stop : end) - at);
        log_warn("objective", LOG_STR("warning", ((str){at, n})));
        at += n + 1;
    }
    buf_fini(&lines);
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
    log_warnings(set);
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

/* Patterns of what is read; of a directory all *.yml and *.yaml. */
static void put_patterns(const char *paths, struct buf *out)
{
    while (*paths != '\0') {
        struct stat s;
        size_t n = strcspn(paths, ",");
        char *path = mem_zalloc(n + 1, 1);
        memcpy(path, paths, n);
        if (out->len > 0 && n > 0)
            buf_put_u8(out, ',');
        if (n > 0 && stat(path, &s) == 0 && S_ISDIR(s.st_mode))
            buf_printf(out, "%s/*.yml,%s/*.yaml", path, path);
        else
            buf_put_str(out, str_from(path));
        mem_free(path);
        paths += n + (paths[n] == ',');
    }
}

err serve_slo_open(struct config_reloader *r, struct api *api, const struct slo_serve_flags *f,
                   struct diag *d)
{
    buf_reset(&own.files);
    buf_put_str(&own.files, str_from(f->files));
    put_patterns(f->sli_plugins, &own.files);
    struct config_subscriber part = {.name = "objectives",
                                     .files = buf_cstr(&own.files),
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
    own.waiting = own.current = NULL; /* own.files stays: the reloader closes later */
    mutex_fini(&own.lock);
}
