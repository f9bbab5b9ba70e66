/* cmd_serve.c -- varve serve: start in order (listen, open the store, be ready), signals,
 * and an orderly end (stop taking requests, drain, cut the head, unlock). */
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/regex.h"
#include "cli/commands.h"
#include "cli/serve_alerting.h"
#include "cli/serve_config.h"
#include "cli/serve_flags.h"
#include "cli/serve_health.h"
#include "cli/serve_notify.h"
#include "cli/serve_retention.h"
#include "cli/serve_rules.h"
#include "cli/serve_slo.h"
#include "cli/serve_web.h"
#include "http/api.h"
#include "query/cache_counters.h"
#include "rules/rules_health.h"

enum {
    QUEUE_PER_WORKER = 64, /* queries waiting for each that runs */
    DRAIN_MS = 20000,      /* running queries get this long at shutdown */
    BEAT_MS = 1000,
};

static struct api api;
static struct serve_flags options;
static struct serve_features features;
static struct regex *cors_origin;
static struct web_guard guard;

const char *varve_version(void)
{
    return VARVE_VERSION;
}

/* ---- Signals ---- */

static void request_stop(void)
{
    (void)kill(getpid(), SIGTERM);
}

/* What is scraped from now on. Before the scraper is open there is nothing to do. */
static err apply_scraping(struct config *c, struct diag *d)
{
    return api.scrape_feed != NULL ? scrape_feed_apply(api.scrape_feed, c, d) : OK;
}

/* What upstream's option says, or else the flag. */
static size_t exemplars_max(const struct config *c)
{
    const struct storage_config *s = &c->storage;
    if (!s->has_exemplars)
        return (size_t)options.exemplars;
    return s->exemplars_max > 0 ? (size_t)s->exemplars_max : 0;
}

static err prepare_exemplars(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    (void)arg;
    (void)prepared;
    if (exemplars_max(fresh) <= DB_EXEMPLARS_LIMIT)
        return OK;
    return diag_set(d, ERR_INVALID, "%zu exemplars are more than can be kept: %d",
                    exemplars_max(fresh), DB_EXEMPLARS_LIMIT);
}

static void commit_exemplars(void *arg, struct config *fresh, void *prepared)
{
    (void)arg;
    (void)prepared;
    if (api.db != NULL) /* else the store is opened with as many */
        db_limit_exemplars(api.db, exemplars_max(fresh));
}

static sigset_t block_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    return set;
}

/* Returns when the process shall end. */
static void wait_for_end(int fd)
{
    struct signalfd_siginfo info;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (;;) {
        serve_health_beat(&api);
        if (poll(&wait, 1, BEAT_MS) <= 0)
            continue;
        if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
            continue;
        if (info.ssi_signo != SIGHUP)
            return;
        struct diag d = {.text = ""};
        (void)serve_config_reload(&d);
    }
}

/* ---- Start and end ---- */

static err open_store(struct db **out, struct diag *d)
{
    struct db_options o = db_options_default();
    TRY(serve_flags_sync(&options, &o.sync, d));
    o.path = options.data_path;
    o.retention_ms = options.retention_ms;
    o.retention_bytes = options.retention_bytes;
    o.head_window_ms = options.head_window_ms;
    o.head_bytes_max = options.head_bytes;
    o.future_ms_max = options.future_ms;
    o.sync_interval_ms = options.sync_interval_ms;
    struct config *c = config_in_force(serve_config_reloader());
    o.exemplars_max = c != NULL ? exemplars_max(c) : (size_t)options.exemplars;
    config_unref(c);
    o.metadata_families_max = options.metadata_metrics;
    o.metadata_text_bytes_max = options.metadata_bytes;
    return db_open(&o, out, d);
}

static err open_server(struct pool **exec_pool, struct diag *d)
{
    size_t count;
    unsigned cpus = thread_cpu_count();
    struct http_options o = {
        .listen_address = str_from(options.listen),
        .routes = api_routes(&count),
        .user = &api,
        .threads = MIN(cpus, 8),
        .workers = (unsigned)MIN(MAX(options.concurrency, 1), 1024),
        .queue_max = (unsigned)MIN(MAX(options.concurrency, 1), 1024) * QUEUE_PER_WORKER,
        .connections_max = (unsigned)MIN(MAX(options.connections, 1), 65535),
        .bodies_bytes_max = HTTP_BODIES_BYTES_MAX_DEFAULT,
        .read_timeout_ms = options.read_timeout_ms,
        .ready = &api.ready,
        .route_prefix = str_from(api.urls.prefix),
        .bad_params = api_bad_params,
        .canceled = api_canceled,
        .busy = api_busy,
        .may_start = query_memory_left,
        .tick = query_memory_check,
    };
    o.route_count = count;
    if (strcmp(options.cors_origin, ".*") != 0) {
        struct diag why = {.text = ""};
        if (regex_compile(str_from(options.cors_origin), &cors_origin, &why) != OK)
            return diag_set(d, ERR_INVALID, "flag --web.cors.origin: %s", why.text);
        o.cors_origin = cors_origin;
    }
    if (cpus > 1)
        TRY(pool_open("exec", cpus - 1, cpus * 4, exec_pool));
    if (*exec_pool != NULL)
        pool_yields(*exec_pool); /* as those it works for: writes go first */
    api.env.pool = *exec_pool;
    TRY(web_guard_open(&options.web, str_from(options.external_url), str_from(api.hostname), &guard,
                       &o, d));
    api.auth = guard.auth;
    TRY(http_server_open(&o, &api.server, d));
    TRY(web_guard_listen(&options.web, &o, &guard, d));
    api.health_server = guard.health;
    return OK;
}

static int compare_flags(const void *a, const void *b)
{
    return strcmp(((const struct api_flag *)a)->name, ((const struct api_flag *)b)->name);
}

static void describe(const struct flag *flags, size_t count)
{
    static struct api_flag texts[SERVE_FLAGS_MAX];
    for (size_t i = 0; i < count && i < COUNT_OF(texts); i++) {
        texts[i].name = flags[i].name;
        flag_text(&flags[i], texts[i].value, sizeof(texts[i].value));
        web_redact(texts[i].value, sizeof(texts[i].value));
    }
    qsort(texts, MIN(count, COUNT_OF(texts)), sizeof(*texts), compare_flags); /* as a map in Go */
    api.flags = texts;
    api.flag_count = count;
    api.version = varve_version();
    api.start_ms = clock_wall_ms();
    api.retention_ms = options.retention_ms;
    api.retention_bytes = options.retention_bytes;
    api.query_timeout_ms = options.query_timeout_ms;
    api.lookback_ms = options.lookback_ms;
    api.insight.slow_ms = options.slow_query_ms;
    api.samples_max = options.samples_max;
    api.queries_max = MIN(MAX(options.concurrency, 1), 1024);
    api.query_bytes_max = options.query_bytes;
    api.queries_bytes_max = web_queries_bytes(&options.web);
    api.read_samples_max = options.read_samples_max;
    api.read_active_max = options.read_active_max;
    api.read_frame_bytes = options.read_frame_bytes;
    api.lifecycle = options.lifecycle;
    api.admin = options.admin;
    api.remote_write = options.remote_write;
    api.search = true;
    api.search_limit_max = options.search_limit;
    api.page_title = options.page_title;
    api.quit = request_stop;
    api.env.source = &QUERY_SOURCE_DB;
    atomic_store(&api.reload_ok, true);
    atomic_store(&api.reload_ms, api.start_ms);
    if (getcwd(api.cwd, sizeof(api.cwd)) == NULL)
        api.cwd[0] = '\0';
    (void)gethostname(api.hostname, sizeof(api.hostname) - 1);
}

static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)mallopt(M_ARENA_MAX, 4); /* fewer half-empty heaps: memory is a feature */
}

static void close_all(struct db *db, struct pool *exec_pool)
{
    atomic_store_explicit(&api.stopping, true, memory_order_release);
    notifications_set(&api.notifications, NOTE_STOPPING, true);
    serve_rules_stop();
    serve_notify_call_off();
    http_server_drain(api.server, DRAIN_MS);
    web_guard_unlisten(&guard); /* it tells of the other one while that drains */
    http_server_close(api.server, DRAIN_MS);
    serve_health_close(&api);
    serve_config_close();
    serve_notify_close();
    serve_alerting_close(&api);
    web_guard_close(&guard);
    serve_slo_close();
    insight_stop(&api.insight);
    notifications_fini(&api.notifications);
    external_labels_fini(&api.external);
    insight_fini(&api.insight);
    serve_rules_close();
    scrape_feed_close(api.scrape_feed);
    scraper_close(api.scraper);
    receiver_close(api.receiver);
    if (exec_pool != NULL)
        pool_close(exec_pool);
    result_cache_close(api.cache);
    db_close(db);
    if (cors_origin != NULL)
        regex_close(cors_origin);
}

static err open_scraper(struct db *db, struct diag *d)
{
    struct scraper_options o = {.db = db,
                                .user_agent = STR("Varve/" VARVE_VERSION),
                                .hostname = str_from(api.hostname),
                                .type_and_unit_labels = features.type_and_unit,
                                .start_timestamps = features.scrape_starts,
                                .extra_metrics = features.scrape_extra};
    TRY(scraper_open(&o, &api.scraper, d));
    TRY(scrape_feed_open(api.scraper, o.user_agent, &api.scrape_feed));
    struct config *c = config_in_force(serve_config_reloader());
    err e = apply_scraping(c, d);
    config_unref(c);
    return e;
}

static int run(sigset_t *signals)
{
    struct diag d = {.text = ""};
    struct db *db = NULL;
    struct pool *exec_pool = NULL;
    insight_init(&api.insight);
    external_labels_init(&api.external);
    notifications_init(&api.notifications, (unsigned)MIN(options.subscribers, 1024));
    notifications_set(&api.notifications, NOTE_STARTING, true);
    static const struct config_subscriber EXEMPLARS = {
        .name = "exemplars", .prepare = prepare_exemplars, .commit = commit_exemplars};
    serve_config_open(&api, options.config_file, apply_scraping);
    serve_retention_open(serve_config_reloader(), &api, options.retention_ms,
                         options.retention_bytes, options.data_path);
    config_subscribe(serve_config_reloader(), &EXEMPLARS);
    err e = serve_slo_open(serve_config_reloader(), &api, &options.slo, &d);
    if (e == OK)
        e = serve_alerting_open(serve_config_reloader(), &api, &options.alerting, &d);
    if (e == OK)
        e = web_urls_resolve(str_from(options.external_url), str_from(options.route_prefix),
                             str_from(options.listen), str_from(api.hostname), &api.urls, &d);
    if (e == OK) {
        serve_rules_open(serve_config_reloader(), &api, &options.rules, serve_alerting_sink());
        serve_notify_open(serve_config_reloader(), &api, &options.notify);
        e = serve_config_load(&d);
    }
    if (e == OK && options.cache_bytes > 0) /* before the checks of health, one of which looks */
        api.cache = result_cache_open(options.cache_bytes);
    if (e == OK)
        e = serve_health_open(&options.health, &api, options.data_path, (size_t)options.cache_bytes,
                              &d);
    if (e == OK && (rules_register_health(api.rules, api.health.checks) != OK ||
                    sender_register_health(api.sender, api.health.checks) != OK))
        e = diag_set(&d, ERR_IO, "the checks of health cannot be started");
    if (e == OK)
        e = open_server(&exec_pool, &d);
    serve_health_phase(&api, HEALTH_PHASE_WAL_REPLAY);
    if (e == OK)
        e = open_store(&db, &d);
    serve_health_phase(&api, HEALTH_PHASE_INDEX);
    if (e == OK) {
        struct receiver_options o = receiver_options_default(db);
        o.type_and_unit_labels = features.type_and_unit;
        o.accept_v1 = o.accept_v2 = options.remote_write;
        e = receiver_open(&o, &api.receiver);
    }
    if (e == OK)
        e = open_scraper(db, &d);
    serve_health_phase(&api, HEALTH_PHASE_ALERT_STATE);
    if (e == OK)
        e = serve_notify_start(options.data_path, &d);
    if (e == OK)
        e = serve_rules_start(db, options.data_path, &d);
    if (e != OK) {
        (void)fprintf(stderr, "varve serve: error: %s\n", d.text[0] != '\0' ? d.text : err_name(e));
        close_all(db, exec_pool);
        return 1;
    }
    api.db = db;
    serve_retention_store(db);
    api.env.store = db;
    if (serve_slo_start(db) != OK)
        log_error("objectives are not booked: no thread");
    if (guard.auth != NULL)
        serve_config_auth(guard.auth);
    insight_start(&api.insight, db);
    atomic_store_explicit(&api.ready, true, memory_order_release);
    serve_health_phase(&api, HEALTH_PHASE_DONE);
    notifications_set(&api.notifications, NOTE_STARTING, false);
    log_info("server is ready to receive web requests", LOG_CSTR("address", options.listen),
             LOG_INT("port", http_server_port(api.server)),
             LOG_INT("start_ms", clock_wall_ms() - api.start_ms));
    if ((options.auto_reload || features.auto_reload) &&
        serve_config_watch(MAX(options.auto_reload_ms, 1000)) != OK)
        log_error("the configuration is not watched for changes");
    int fd = signalfd(-1, signals, SFD_CLOEXEC);
    wait_for_end(fd);
    log_info("stopping");
    serve_health_drain(&options.health, &api);
    close_all(db, exec_pool);
    (void)close(fd);
    log_info("stopped");
    return 0;
}

int cmd_serve(int argc, char **argv)
{
    struct flag flags[SERVE_FLAGS_MAX];
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int rest_count;
    struct diag d = {.text = ""};
    options = serve_flags_defaults();
    size_t count = serve_flag_table(&options, flags);
    err e = flags_parse(flags, count, argc, argv, rest, &rest_count, &d);
    if (e == OK && rest_count > 0)
        e = diag_set(&d, ERR_INVALID, "unexpected %s", rest[0]);
    mem_free(rest);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve serve [<flags>]\n\nFlags:\n");
        flags_help(flags, count, stdout);
        return 0;
    }
    if (e == OK)
        e = serve_flags_log(&options, &d);
    if (e != OK) {
        (void)fprintf(stderr, "varve serve: error: %s\n", d.text);
        return 2;
    }
    raise_limits();
    sigset_t signals = block_signals();
    describe(flags, count);
    features = serve_features_of(options.features);
    api.features = features.query;
    api.per_step_stats = features.per_step_stats;
    return run(&signals);
}
