/* cmd_rules.c -- varve rules: what can be done with rules and a data directory, without a server.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/replay_http.h"
#include "config/config.h"
#include "rules/replay.h"
#include "rules/rule_check.h"

enum { FILES_MAX = 1000, FAILURES_TOLD = 20, THREADS_MAX = 16, LABELS_MAX = 64 };

static atomic_bool stop_asked;

static void on_signal(int number)
{
    (void)number;
    atomic_store_explicit(&stop_asked, true, memory_order_relaxed);
}

struct replay_flags {
    struct texts rules, labels;
    const char *path, *start, *end, *external_url, *url, *write_url, *http_config;
    int64_t interval_ms, offset_ms;
    bool alerts, restart, ignore_unknown_fields;
};

static size_t flag_table(struct replay_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"rules", "file", "Rule file or pattern; may be repeated, or given without a flag.",
         FLAG_TEXTS, &f->rules, false},
        {"start", "time", "From here on: RFC 3339, or seconds since 1970.", FLAG_TEXT, &f->start,
         false},
        {"end", "time", "Up to here; default: now.", FLAG_TEXT, &f->end, false},
        {"storage.tsdb.path", "dir", "Data directory; no server may run on it.", FLAG_TEXT,
         &f->path, false},
        {"url", "url",
         "Ask this server, Prometheus or Varve, in place of the data directory, which gets the "
         "results; it is made when it is not there.",
         FLAG_TEXT, &f->url, false},
        {"write-url", "url",
         "With --url: send the results by remote write, as to http://host:9090/api/v1/write; no "
         "data directory is used.",
         FLAG_TEXT, &f->write_url, false},
        {"http.config.file", "path",
         "How to speak to these servers: basic_auth, authorization, tls_config and others, as in "
         "Prometheus' configuration.",
         FLAG_TEXT, &f->http_config, false},
        {"eval-interval", "duration", "Of groups that name none.", FLAG_DURATION, &f->interval_ms,
         false},
        {"rule-query-offset", "duration", "The same.", FLAG_DURATION, &f->offset_ms, false},
        {"alerts", "", "Alerting rules too: ALERTS and ALERTS_FOR_STATE are written.", FLAG_BOOL,
         &f->alerts, false},
        {"restart", "", "Begin anew, though an earlier run was interrupted.", FLAG_BOOL,
         &f->restart, false},
        {"external-label", "name=value", "For templates; may be repeated.", FLAG_TEXTS, &f->labels,
         false},
        {"external-url", "url", "For templates.", FLAG_TEXT, &f->external_url, false},
        {"ignore-unknown-fields", "", "Let rule files have fields of other programs.", FLAG_BOOL,
         &f->ignore_unknown_fields, false},
    };
    memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

/* ---- Input ---- */

struct replay_input {
    struct arena arena;
    struct rule_file *files;
    size_t file_count;
    struct label labels[LABELS_MAX];
    struct replay_options options;
};

static err read_file(struct replay_input *in, const char *path, const struct replay_flags *f,
                     struct diag *d)
{
    const struct rule_check check = {.promql = {.experimental_functions = true,
                                                .fill_modifiers = true,
                                                .extended_range_selectors = true},
                                     .ignore_unknown_fields = f->ignore_unknown_fields};
    struct rule_errors errors = {0};
    if (in->file_count == FILES_MAX)
        return diag_set(d, ERR_LIMIT, "more than %d rule files", FILES_MAX);
    err e = rule_check_file(path, &check, &in->arena, &in->files[in->file_count], &errors);
    if (e != OK)
        return diag_set(d, e, STR_FMT,
                        STR_ARG(errors.count > 0 ? errors.items[0] : str_from(path)));
    in->file_count++;
    return OK;
}

static err read_files(struct replay_input *in, const struct replay_flags *f, struct diag *d)
{
    in->files = ARENA_ARRAY(&in->arena, struct rule_file, FILES_MAX);
    if (f->rules.count == 0)
        return diag_set(d, ERR_INVALID, "required flag --rules not provided");
    for (size_t i = 0; i < f->rules.count; i++) {
        struct texts found = {0};
        err e = config_glob(f->rules.items[i], &in->arena, &found);
        if (e != OK || found.count == 0)
            return diag_set(d, e != OK ? e : ERR_NOTFOUND, "path '" STR_FMT "' does not exist",
                            STR_ARG(f->rules.items[i]));
        for (size_t k = 0; k < found.count; k++)
            TRY(read_file(in, found.items[k].ptr, f, d));
    }
    return OK;
}

static err read_labels(struct replay_input *in, const struct replay_flags *f, struct diag *d)
{
    size_t n = 0;
    for (size_t i = 0; i < f->labels.count; i++) {
        str text = f->labels.items[i];
        const char *eq = memchr(text.ptr, '=', text.len);
        if (eq == NULL || eq == text.ptr || n == LABELS_MAX)
            return diag_set(d, ERR_INVALID,
                            "flag --external-label: \"" STR_FMT "\" is not name=value",
                            STR_ARG(text));
        size_t name_len = (size_t)(eq - text.ptr);
        in->labels[n++] = (struct label){{text.ptr, name_len}, {eq + 1, text.len - name_len - 1}};
    }
    in->options.external_labels = (struct labels){in->labels, labels_sort(in->labels, n)};
    return OK;
}

static err read_times(struct replay_input *in, const struct replay_flags *f, struct diag *d)
{
    if (f->start[0] == '\0')
        return diag_set(d, ERR_INVALID, "required flag --start not provided");
    TRY(timestamp_parse(str_from(f->start), &in->options.start_ms, d));
    in->options.end_ms = clock_wall_ms();
    if (f->end[0] != '\0')
        TRY(timestamp_parse(str_from(f->end), &in->options.end_ms, d));
    if (in->options.end_ms < in->options.start_ms)
        return diag_set(d, ERR_INVALID, "end time is before start time");
    if (f->interval_ms <= 0)
        return diag_set(d, ERR_INVALID, "flag --eval-interval: must be more than 0");
    return OK;
}

/* ---- What is told ---- */

struct telling {
    const struct replay_options *o;
    uint64_t began_mono_ns, told_mono_ns;
    uint64_t failures;
};

static void tell_progress(void *arg, const struct replay_progress *p)
{
    enum { EVERY_MS = 5000 };
    struct telling *t = arg;
    uint64_t now_ns = clock_mono_ns();
    if (p->at_ms < t->o->end_ms && now_ns - t->told_mono_ns < (uint64_t)EVERY_MS * 1000000)
        return;
    t->told_mono_ns = now_ns;
    char at[48];
    size_t len = timestamp_format_rfc3339(p->at_ms, at);
    double all = (double)(t->o->end_ms - t->o->start_ms),
           done = (double)(p->at_ms - t->o->start_ms);
    double here = (double)(p->at_ms - p->begun_ms),
           took_s = (double)(now_ns - t->began_mono_ns) / 1e9;
    double left_s = here > 0 ? took_s * (all - done) / here : 0;
    (void)fprintf(stderr,
                  "%5.1f%%  %.*s  %llu evaluations, %llu samples, %llu failures, %.0f s, "
                  "about %.0f s left\n",
                  all > 0 ? 100 * done / all : 100.0, (int)len, at,
                  (unsigned long long)p->evaluations, (unsigned long long)p->samples,
                  (unsigned long long)p->failures, took_s, left_s);
}

static void tell_failure(void *arg, str rule, int64_t ts_ms, str why)
{
    struct telling *t = arg;
    char at[48];
    if (t->failures++ < FAILURES_TOLD)
        (void)fprintf(stderr, "rule: " STR_FMT ", time: %.*s, err: " STR_FMT "\n", STR_ARG(rule),
                      (int)timestamp_format_rfc3339(ts_ms, at), at, STR_ARG(why));
    if (t->failures == FAILURES_TOLD)
        (void)fprintf(stderr, "further failures are counted\n");
}

/* ---- Running ---- */

static err open_db(const char *path, bool make, struct db **out, struct diag *d)
{
    struct stat s;
    struct db_options o = db_options_default();
    if (make && mkdir(path, 0777) != 0 && errno != EEXIST)
        return diag_set(d, ERR_IO, "%s: cannot be made", path);
    if (stat(path, &s) != 0 || !S_ISDIR(s.st_mode))
        return diag_set(d, ERR_NOTFOUND, "%s: no data directory", path);
    o.path = path;
    o.no_background = true; /* blocks are written when progress is kept */
    o.sync = DB_SYNC_OFF;   /* which they are durably */
    return db_open(&o, out, d);
}

static err run_on(struct replay_input *in, struct replay_progress *done, struct diag *d)
{
    struct telling t = {.o = &in->options, .began_mono_ns = clock_mono_ns()};
    struct replay_options *o = &in->options;
    t.told_mono_ns = t.began_mono_ns;
    o->stop = &stop_asked;
    o->arg = &t;
    o->progress = tell_progress;
    o->failed = tell_failure;
    unsigned workers = MIN(thread_cpu_count(), (unsigned)THREADS_MAX) - 1;
    err e = workers > 0 ? pool_open("replay", workers, THREADS_MAX * 4, &o->pool) : OK;
    if (e == OK)
        e = replay_run(in->files, in->file_count, o, done, d);
    if (o->pool != NULL)
        pool_close(o->pool);
    return e;
}

static err run_replay(struct replay_input *in, const struct replay_flags *f, struct replay_http *h,
                      struct replay_progress *done, struct diag *d)
{
    struct replay_options *o = &in->options;
    if (h != NULL) {
        o->source = replay_http_source(h);
        o->settle = replay_http_settle;
        o->settle_arg = h;
    }
    if (f->write_url[0] != '\0')
        o->sink = replay_http_sink(h);
    else
        TRY(open_db(f->path, h != NULL, &o->db, d));
    err e = run_on(in, done, d);
    if (o->db != NULL)
        db_close(o->db);
    return e;
}

/* With --url, what was asked and sent; false: some of it was refused. */
static bool tell_http(const struct replay_http *h)
{
    struct replay_http_counts c = {0};
    if (h == NULL)
        return true;
    replay_http_counts(h, &c);
    printf("%llu requests, %llu samples sent\n", (unsigned long long)c.requests,
           (unsigned long long)c.rows_sent);
    if (c.refusals > 0)
        (void)fprintf(stderr,
                      "varve rules replay: error: %llu requests to write were refused, whole or in "
                      "part; the first: %s\n",
                      (unsigned long long)c.refusals, c.refusal);
    return c.refusals == 0;
}

static err open_http(const struct replay_flags *f, const struct replay_input *in,
                     struct replay_http **out, struct diag *d)
{
    const struct replay_http_options o = {.url = f->url,
                                          .write_url = f->write_url,
                                          .http_config = f->http_config,
                                          .files = in->files,
                                          .file_count = in->file_count,
                                          .end_ms = in->options.end_ms,
                                          .stop = &stop_asked};
    if (f->url[0] == '\0')
        return f->write_url[0] == '\0' && f->http_config[0] == '\0'
                   ? OK
                   : diag_set(d, ERR_INVALID, "--write-url and --http.config.file are for --url");
    return replay_http_open(&o, out, d);
}

/* What was done, and the exit status. */
static int conclude(err e, const struct replay_options *o, const struct replay_progress *p,
                    const struct diag *d)
{
    char from[48], to[48];
    if (p->evaluations > 0)
        printf("%.*s to %.*s: %llu evaluations of rules, %llu samples written, %llu refused, "
               "%llu failures\n",
               (int)timestamp_format_rfc3339(p->begun_ms, from), from,
               (int)timestamp_format_rfc3339(p->at_ms, to), to, (unsigned long long)p->evaluations,
               (unsigned long long)p->samples, (unsigned long long)p->refused,
               (unsigned long long)p->failures);
    if (e == ERR_CANCELED)
        (void)fprintf(stderr, "interrupted; the same command %s\n",
                      o->sink == NULL ? "goes on from there" : "begins anew");
    else if (e != OK)
        (void)fprintf(stderr, "varve rules replay: error: %s\n",
                      d->text[0] != '\0' ? d->text : err_name(e));
    else if (p->begun_ms > o->start_ms)
        printf("an earlier run had come to the first of these times; --restart begins anew\n");
    return e != OK || p->failures > 0 ? 1 : 0;
}

static int replay(const struct replay_flags *f)
{
    struct sigaction act = {.sa_handler = on_signal};
    struct replay_input *in = mem_zalloc(1, sizeof(*in));
    struct replay_progress done = {0};
    struct replay_http *http = NULL;
    struct diag d = {.text = ""};
    in->options = (struct replay_options){.interval_ms = f->interval_ms,
                                          .query_offset_ms = f->offset_ms,
                                          .no_alerts = !f->alerts,
                                          .restart = f->restart,
                                          .external_url = str_from(f->external_url)};
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    arena_init(&in->arena, RULE_FILE_MEMORY_BYTES);
    log_configure(LOG_ERROR, LOG_LOGFMT); /* failures of rules are told here */
    err e = read_files(in, f, &d);
    if (e == OK)
        e = read_labels(in, f, &d);
    if (e == OK)
        e = read_times(in, f, &d);
    if (e == OK)
        e = open_http(f, in, &http, &d);
    if (e == OK)
        e = run_replay(in, f, http, &done, &d);
    int code = conclude(e, &in->options, &done, &d);
    if (!tell_http(http))
        code = 1;
    replay_http_close(http);
    arena_fini(&in->arena);
    mem_free(in);
    return code;
}

static int cmd_replay(int argc, char **argv)
{
    struct flag flags[16];
    struct replay_flags f = {.path = "data",
                             .start = "",
                             .end = "",
                             .external_url = "",
                             .url = "",
                             .write_url = "",
                             .http_config = "",
                             .interval_ms = 60000,
                             .alerts = true};
    struct diag d = {.text = ""};
    char **paths = mem_zalloc((size_t)argc + 1, sizeof(*paths));
    int count = 0, code = 1;
    f.rules.items = mem_zalloc(2 * ((size_t)argc + 1), sizeof(str));
    f.labels.items = mem_zalloc((size_t)argc + 1, sizeof(str));
    size_t flag_count = flag_table(&f, flags);
    err e = flags_parse(flags, flag_count, argc, argv, paths, &count, &d);
    for (int i = 0; e == OK && i < count; i++)
        f.rules.items[f.rules.count++] = str_from(paths[i]);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve rules replay --rules=<file>... --start=<time> [<flags>]\n\nFlags:\n");
        flags_help(flags, flag_count, stdout);
        code = 0;
    } else if (e != OK) {
        (void)fprintf(stderr, "varve rules replay: error: %s\n", d.text);
    } else {
        code = replay(&f);
    }
    mem_free(f.rules.items);
    mem_free(f.labels.items);
    mem_free(paths);
    return code;
}

int cmd_rules(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "replay") == 0)
        return cmd_replay(argc - 1, argv + 1);
    bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    (void)fprintf(help ? stdout : stderr,
                  "usage: varve rules replay --rules=<file>... --start=<time> [<flags>]\n\n"
                  "Evaluate rules over the past and write their results into a data directory.\n"
                  "\"varve rules replay --help\" shows the flags.\n");
    return help ? 0 : 2;
}
