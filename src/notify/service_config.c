/* service_config.c -- what the service is configured with: loaded at its start, and anew in two
 * steps. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify/service_priv.h"

enum { UNUSED_BYTES_MAX = 1 << 20 }; /* of warnings */

struct loaded {
    struct alertmanager_file *file;
    struct alerting_ext *ext; /* NULL: no file */
    struct notifiers *notifiers;
    struct history_plan history;
};

static void loaded_drop(struct loaded *l)
{
    notifiers_close(l->notifiers);
    service_drop_history_plan(&l->history);
    alerting_ext_unref(l->ext);
    alertmanager_config_unref(l->file);
    mem_free(l);
}

static void drop_notifiers(void *arg)
{
    notifiers_close(arg);
}

static void warn_of(struct texts texts)
{
    for (size_t i = 0; i < texts.count; i++)
        log_warn("alertmanager configuration", LOG_STR("warning", texts.items[i]));
}

static void warn_of_unused(const struct loaded *l)
{
    struct arena a;
    arena_init(&a, UNUSED_BYTES_MAX);
    warn_of(alerting_unused_receivers(l->file, l->ext, &a));
    arena_fini(&a);
}

static err load(struct notify_service *s, struct loaded **out, struct diag *d)
{
    struct loaded *l = mem_zalloc(1, sizeof(*l));
    err e = alertmanager_config_load(buf_cstr(&s->path), &l->file, d);
    if (e == OK && s->extensions.len > 0)
        e = alerting_ext_load(buf_cstr(&s->extensions), l->file, &l->ext, d);
    if (e == OK && l->ext != NULL)
        e = alerting_ext_supported(l->ext, d);
    if (e == OK && l->ext != NULL && s->check != NULL)
        e = s->check(l->ext, d);
    const struct notifiers_options o = {
        .external_url = buf_str(&s->url),
        .server_url = buf_str(&s->server_url),
        .version = buf_str(&s->version),
        .ext = l->ext,
        .canceled = &s->stopping,
    };
    if (e == OK)
        e = notifiers_open(&o, l->file, &l->notifiers, d);
    if (e == OK)
        e = service_plan_history(s, l->ext, &l->history, d);
    atomic_store(&s->config_ok, e == OK);
    if (e != OK) {
        loaded_drop(l);
        return e;
    }
    warn_of(alertmanager_config_warnings(l->file));
    warn_of_unused(l);
    if (l->ext != NULL)
        warn_of(alerting_ext_warnings(l->ext));
    warn_of(notifiers_problems(l->notifiers));
    *out = l;
    return OK;
}

/* Under the lock: in force is now `l`, whose notifiers are the engine's. Its plan for the history
 * is the caller's. */
static void note_loaded(struct notify_service *s, struct loaded *l)
{
    s->config_hash = alertmanager_config_digest(l->file).lo;
    s->config_loaded_ms = clock_wall_ms();
    l->notifiers = NULL;
    l->history.post = NULL;
    loaded_drop(l);
}

err notify_service_prepare(struct notify_service *s, void **prepared, struct diag *d)
{
    struct loaded *l;
    TRY(load(s, &l, d));
    *prepared = l;
    return OK;
}

void notify_service_commit(struct notify_service *s, void *prepared)
{
    struct loaded *l = prepared;
    const struct engine_companion companion = {
        .arg = l->notifiers, .drop = drop_notifiers, .ext = l->ext};
    struct history_plan history = l->history;
    mutex_lock(&s->lock);
    bool taken = engine_reload(s->engine, l->file, companion, clock_wall_ms()) == OK;
    if (taken) {
        note_loaded(s, l);
        history_put(s->history, &(struct history_event){.kind = HISTORY_CONFIG_RELOADED,
                                                        .at_ms = s->config_loaded_ms});
    } else {
        log_error("the alertmanager configuration has too many routes: the old one stays");
        atomic_store(&s->config_ok, false);
        loaded_drop(l);
    }
    mutex_unlock(&s->lock);
    if (taken)
        service_keep_history(s, &history);
    service_wake(s);
}

void notify_service_discard(struct notify_service *s, void *prepared)
{
    (void)s;
    loaded_drop(prepared);
}

err service_open_engine(struct notify_service *s, const struct notify_options *o, struct diag *d)
{
    struct loaded *l;
    const struct engine_options eo = {.fs = o->fs,
                                      .dir = buf_cstr(&s->dir),
                                      .retention_ms = o->retention_ms,
                                      .start_delay_ms = o->start_delay_ms,
                                      .history = s->history};
    TRY(load(s, &l, d));
    const struct engine_companion companion = {
        .arg = l->notifiers, .drop = drop_notifiers, .ext = l->ext};
    struct history_plan history = l->history;
    err e = engine_open(&eo, l->file, companion, clock_wall_ms(), &s->engine, d);
    if (e != OK) {
        loaded_drop(l);
        return e;
    }
    note_loaded(s, l);
    service_keep_history(s, &history);
    return OK;
}
