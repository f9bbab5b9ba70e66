/* serve_config.c -- see serve_config.h. */
#include "cli/serve_config.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static struct config_reloader *reloader;
static struct api *server;
static struct auth *web_auth;
static err (*apply_scraping)(struct config *c, struct diag *d);

/* ---- What subscribes here ---- */

static void put_config(struct buf *out)
{
    struct config *c = config_in_force(reloader);
    if (c != NULL)
        config_yaml(c, out);
    config_unref(c);
}

/* Can the query log be written? It is opened for good by the commit. */
static err prepare_query_log(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    str path = fresh->global.query_log_file;
    (void)arg;
    (void)prepared;
    if (path.len == 0)
        return OK;
    int fd = open(path.ptr, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0)
        return diag_set(d, ERR_IO, "query_log_file: \"" STR_FMT "\" cannot be opened",
                        STR_ARG(path));
    (void)close(fd);
    return OK;
}

static void commit_query_log(void *arg, struct config *fresh, void *prepared)
{
    struct diag d = {.text = ""};
    (void)arg;
    (void)prepared;
    str path = fresh->global.query_log_file;
    if (query_log_set(&server->insight.log, path.len > 0 ? path.ptr : "", &d) != OK)
        log_error("the query log cannot be opened", LOG_CSTR("reason", d.text));
}

static void commit_external_labels(void *arg, struct config *fresh, void *prepared)
{
    const struct pairs *from = &fresh->global.external_labels;
    struct label *items = mem_zalloc(from->count + 1, sizeof(*items));
    (void)arg;
    (void)prepared;
    for (size_t i = 0; i < from->count; i++)
        items[i] = (struct label){from->items[i].name, from->items[i].value};
    struct labels ls = {items, labels_sort(items, from->count)};
    if (external_labels_set(&server->external, ls) != OK)
        log_error("the external labels cannot be set");
    mem_free(items);
}

/* The scraper takes its jobs all or nothing and at once; when somebody behind it in the list
 * refuses, it gets back what was in force. */
static err prepare_scraping(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    (void)arg;
    (void)prepared;
    return apply_scraping(fresh, d);
}

static void discard_scraping(void *arg, void *prepared)
{
    struct diag d = {.text = ""};
    struct config *c = config_in_force(reloader);
    (void)arg;
    (void)prepared;
    if (c != NULL && apply_scraping(c, &d) != OK)
        log_error("the jobs that were scraped before cannot be taken back",
                  LOG_CSTR("reason", d.text));
    config_unref(c);
}

static void commit_nothing(void *arg, struct config *fresh, void *prepared)
{
    (void)arg;
    (void)fresh;
    (void)prepared;
}

/* Last in the list: it takes effect at once, and nobody can refuse after it. */
static err prepare_auth(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    (void)arg;
    (void)fresh;
    (void)prepared;
    return web_auth != NULL ? auth_refresh(web_auth, d) : OK;
}

/* ---- Loading ---- */

void serve_config_open(struct api *api, const char *path,
                       err (*scrape)(struct config *c, struct diag *d))
{
    static const struct config_subscriber PARTS[] = {
        {.name = "query log", .prepare = prepare_query_log, .commit = commit_query_log},
        {.name = "external labels", .commit = commit_external_labels},
        {.name = "scraping",
         .parts = CONFIG_SCRAPE,
         .prepare = prepare_scraping,
         .commit = commit_nothing,
         .discard = discard_scraping},
    };
    server = api;
    apply_scraping = scrape;
    reloader = config_reloader_open(path);
    api->config_yaml = put_config;
    api->reload = serve_config_reload;
    for (size_t i = 0; i < COUNT_OF(PARTS); i++)
        config_subscribe(reloader, &PARTS[i]);
}

void serve_config_close(void)
{
    config_reloader_close(reloader);
    reloader = NULL;
}

struct config_reloader *serve_config_reloader(void)
{
    return reloader;
}

void serve_config_auth(struct auth *auth)
{
    static const struct config_subscriber AUTH = {
        .name = "web configuration", .prepare = prepare_auth, .commit = commit_nothing};
    web_auth = auth;
    config_subscribe(reloader, &AUTH);
}

err serve_config_load(struct diag *d)
{
    return config_reload(reloader, d);
}

err serve_config_reload(struct diag *d)
{
    err e = config_reload(reloader, d);
    atomic_store_explicit(&server->reload_ok, e == OK, memory_order_relaxed);
    notifications_set(&server->notifications, NOTE_RELOAD_FAILED, e != OK);
    if (e != OK) {
        log_error("configuration not reloaded", LOG_CSTR("reason", d->text));
        return e;
    }
    atomic_store_explicit(&server->reload_ms, clock_wall_ms(), memory_order_relaxed);
    log_info("configuration reloaded");
    return OK;
}

static err reload_changed(void *arg, struct diag *d)
{
    (void)arg;
    return serve_config_reload(d);
}

err serve_config_watch(int64_t interval_ms)
{
    return config_watch(reloader, interval_ms, reload_changed, NULL);
}
