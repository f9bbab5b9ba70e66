/* check_config.c -- see check_config.h. */
#include "cli/check_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "base/fs.h"
#include "base/jtree.h"
#include "cli/check_rules.h"
#include "cli/check_targets.h"
#include "cli/serve_config.h"

enum { PARTS = SERVE_CONFIG_PARTS, ARENA_BYTES = 64 << 20 };

/* ---- Files that are named ---- */

static bool exists(str path)
{
    struct stat s;
    return stat(path.ptr, &s) == 0; /* paths of a configuration end with a NUL */
}

static err missing(const char *what, str path, struct diag *d)
{
    return diag_set(d, ERR_NOTFOUND,
                    "error checking %s \"" STR_FMT "\": stat " STR_FMT
                    ": no such file or directory",
                    what, STR_ARG(path), STR_ARG(path));
}

/* What is wrong stands at `p`. Returns `e`. */
static err at_place(err e, struct config_place p, struct diag *d)
{
    if (e == OK)
        return OK;
    struct diag why = *d;
    d->text[0] = '\0';
    return diag_set(d, e, "%s:%u:%u: %s", p.file, p.line, p.column, why.text);
}

static void warn_missing(str path, const char *what, const char *kind, str name)
{
    if (path.len > 0 && !exists(path))
        printf("  WARNING: file \"" STR_FMT "\" for %s in %s \"" STR_FMT "\" does not exist\n",
               STR_ARG(path), what, kind, STR_ARG(name));
}

static err check_tls(const struct http_tls_config *t, struct diag *d)
{
    if (t->cert_file.len > 0 && !exists(t->cert_file))
        return missing("client cert file", t->cert_file, d);
    if (t->key_file.len > 0 && !exists(t->key_file))
        return missing("client key file", t->key_file, d);
    return OK;
}

/* What upstream refuses is an error, what it would only notice at work a warning: with most
 * mechanisms of discovery, all. */
static void warn_http(const struct http_client_config *h, const char *kind, str name)
{
    if (h->authorization != NULL)
        warn_missing(h->authorization->credentials_file, "authorization", kind, name);
    warn_missing(h->tls.cert_file, "tls_config", kind, name);
    warn_missing(h->tls.key_file, "tls_config", kind, name);
    warn_missing(h->tls.ca_file, "tls_config", kind, name);
}

static err check_http(const struct http_client_config *h, const char *kind, str name,
                      struct diag *d)
{
    if (h->authorization != NULL && h->authorization->credentials_file.len > 0 &&
        !exists(h->authorization->credentials_file))
        return missing("authorization credentials or bearer token file",
                       h->authorization->credentials_file, d);
    TRY(check_tls(&h->tls, d));
    warn_missing(h->tls.ca_file, "tls_config", kind, name);
    if (h->basic_auth != NULL) {
        warn_missing(h->basic_auth->username_file, "basic_auth", kind, name);
        warn_missing(h->basic_auth->password_file, "basic_auth", kind, name);
    }
    if (h->oauth2 != NULL) {
        warn_missing(h->oauth2->client_secret_file, "oauth2", kind, name);
        TRY(check_tls(&h->oauth2->tls, d));
    }
    for (size_t i = 0; i < h->header_count; i++)
        for (size_t k = 0; k < h->headers[i].files.count; k++)
            warn_missing(h->headers[i].files.items[k], "http_headers", kind, name);
    return OK;
}

static err check_sd_file(str path, const struct scrape_config *job, struct diag *d)
{
    struct buf text = {0};
    struct diag why = {.text = ""};
    err e = fs_read_file(fs_posix(), path.ptr, 64 << 20, &text);
    if (e != OK)
        (void)diag_set(&why, e, STR_FMT ": cannot be read", STR_ARG(path));
    if (e == OK && (str_ends(path, STR(".json")) || str_ends(path, STR(".JSON")))) {
        struct jtree *root = NULL;
        e = jtree_parse(buf_slice(&text), &root, &why);
        jtree_free(root);
    }
    if (e == OK) {
        struct arena a;
        struct static_sd_config groups;
        arena_init(&a, ARENA_BYTES);
        e = config_target_groups(path.ptr, buf_slice(&text), &a, &groups, &why);
        if (e == OK && job != NULL)
            e = check_group_targets(job, &groups, &why);
        arena_fini(&a);
    }
    buf_fini(&text);
    return e == OK
               ? OK
               : diag_set(d, e, "checking SD file \"" STR_FMT "\": %s", STR_ARG(path), why.text);
}

static err check_file_sd(const struct file_sd_config *f, const struct scrape_config *job,
                         const char *kind, struct diag *d)
{
    str name = job != NULL ? job->job_name : STR("");
    for (size_t i = 0; i < f->files.count; i++) {
        struct arena a;
        struct texts files;
        arena_init(&a, ARENA_BYTES);
        err e = config_glob(f->files.items[i], &a, &files);
        for (size_t k = 0; e == OK && k < files.count; k++)
            e = check_sd_file(files.items[k], job, d);
        if (e == OK && files.count == 0 && name.len > 0)
            printf("  WARNING: file \"" STR_FMT "\" for file_sd in %s \"" STR_FMT
                   "\" does not exist\n",
                   STR_ARG(f->files.items[i]), kind, STR_ARG(name));
        else if (e == OK && files.count == 0)
            printf("  WARNING: file \"" STR_FMT "\" for file_sd in %s does not exist\n",
                   STR_ARG(f->files.items[i]), kind);
        arena_fini(&a);
        TRY(e);
    }
    return OK;
}

/* `job` is NULL where Alertmanagers are looked for. */
static err check_sd(const struct sd_configs *all, const struct scrape_config *job, const char *kind,
                    struct diag *d)
{
    str name = job != NULL ? job->job_name : STR("");
    for (size_t i = 0; i < all->count; i++) {
        const struct sd_config *s = &all->items[i];
        if (s->kind == SD_FILE)
            TRY(check_file_sd(s->file, job, kind, d));
        else if (s->kind == SD_KUBERNETES)
            TRY(at_place(check_http(&s->kubernetes->http, kind, name, d), s->place, d));
        else if (s->kind == SD_HTTP)
            warn_http(&s->http->http, kind, name);
        else if (s->kind == SD_CONSUL)
            warn_http(&s->consul->http, kind, name);
        else if (s->kind == SD_DOCKER)
            warn_http(&s->docker->http, kind, name);
    }
    return OK;
}

/* Patterns without a star must name a file; what they all name goes to `out`. */
static err check_patterns(const struct texts *patterns, const struct config_place *places,
                          struct arena *a, struct texts *out, struct diag *d)
{
    for (size_t i = 0; i < patterns->count; i++) {
        struct texts files;
        str pattern = patterns->items[i];
        TRY(config_glob(pattern, a, &files));
        if (files.count == 0 && memchr(pattern.ptr, '*', pattern.len) == NULL) {
            err e = diag_set(d, ERR_NOTFOUND, "\"" STR_FMT "\" does not point to an existing file",
                             STR_ARG(pattern));
            return at_place(e, places[i], d);
        }
        out->items =
            arena_grow(a, out->items, out->count, out->count + files.count + 1, sizeof(str));
        if (out->items == NULL)
            return diag_set(d, ERR_LIMIT, "too many files");
        for (size_t k = 0; k < files.count; k++)
            out->items[out->count++] = files.items[k];
    }
    return OK;
}

static err check_named(const struct config *c, struct arena *a, struct texts *rules, struct diag *d)
{
    struct texts jobs = {0};
    TRY(check_patterns(&c->rule_files, c->rule_file_places, a, rules, d));
    TRY(check_patterns(&c->scrape_config_files, c->scrape_config_file_places, a, &jobs, d));
    for (size_t i = 0; i < c->jobs.count; i++) {
        const struct scrape_config *job = &c->jobs.items[i];
        TRY(at_place(check_http(&job->http, "scrape job", job->job_name, d), job->place, d));
        TRY(check_sd(&job->discovery, job, "scrape job", d));
    }
    for (size_t i = 0; i < c->alerting.alertmanagers.count; i++) {
        const struct alertmanager_config *am = &c->alerting.alertmanagers.items[i];
        TRY(at_place(check_http(&am->http, "alertmanager config", STR(""), d), am->place, d));
        TRY(check_sd(&am->discovery, NULL, "alertmanager config", d));
    }
    return OK;
}

/* ---- One file ---- */

/* Parts that are understood but that `varve serve` refuses: an error, with --syntax-only a warning.
 */
static err check_supported(const struct config *c, const struct check_options *o, struct diag *d)
{
    unsigned parts = PARTS;
    for (size_t i = 0;; i++) {
        struct diag why = {.text = ""};
        if (config_supported(c, parts, i, &why) == OK)
            return OK;
        if (!o->syntax_only)
            return diag_set(d, ERR_UNSUPPORTED, "%s", why.text);
        printf("  WARNING: %s\n", why.text);
    }
}

/* What an agent, which only forwards samples, has no use for. */
static err check_agent(const struct config *c, struct diag *d)
{
    if (c->alerting.alertmanagers.count > 0 || c->alerting.alert_relabel.count > 0)
        return diag_set(d, ERR_INVALID, "field alerting is not allowed in agent mode");
    if (c->rule_files.count > 0)
        return diag_set(d, ERR_INVALID, "field rule_files is not allowed in agent mode");
    if (c->remote_read.count > 0)
        return diag_set(d, ERR_INVALID, "field remote_read is not allowed in agent mode");
    return OK;
}

static void put_failed(const struct diag *d)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "  FAILED: %s\n", d->text);
}

static bool lint_jobs(const struct config *c, const struct check_options *o)
{
    for (size_t i = 0; i < c->jobs.count; i++) {
        const struct scrape_config *job = &c->jobs.items[i];
        if (!o->lint_long_interval || o->lookback_ms <= 0 ||
            job->scrape_interval_ms < o->lookback_ms)
            continue;
        char text[DURATION_SIZE_MAX];
        size_t n = duration_format(job->scrape_interval_ms, text);
        (void)fflush(stdout);
        (void)fprintf(stderr,
                      "  FAILED: too long scrape interval found, data point will be marked as "
                      "stale - job: " STR_FMT ", interval: %.*s\n",
                      STR_ARG(job->job_name), (int)n, text);
        return true;
    }
    return false;
}

static void check_one(const char *path, const struct check_options *o, struct check_result *r)
{
    struct diag d = {.text = ""};
    struct config *c = NULL;
    struct arena a;
    struct texts rules = {0};
    arena_init(&a, ARENA_BYTES);
    printf("Checking %s\n", path);
    err e = config_load(path, &c, &d);
    if (e == OK && o->agent)
        e = check_agent(c, &d);
    if (e == OK)
        e = check_static_targets(c, &d);
    if (e == OK && !o->syntax_only)
        e = check_named(c, &a, &rules, &d);
    if (e == OK)
        e = check_supported(c, o, &d);
    if (e != OK) {
        put_failed(&d);
        r->failed = r->has_error = true;
    } else {
        if (rules.count > 0)
            printf("  SUCCESS: %zu rule files found\n", rules.count);
        printf(" SUCCESS: %s is valid prometheus config file syntax\n", path);
    }
    printf("\n");
    if (e == OK && !o->syntax_only) {
        r->failed = lint_jobs(c, o) || r->failed;
        check_rules_named(rules, o, r);
    }
    config_unref(c);
    arena_fini(&a);
}

int check_config_files(char *const *paths, int count, const struct check_options *o)
{
    struct check_result r = {false, false};
    for (int i = 0; i < count; i++)
        check_one(paths[i], o, &r);
    (void)fflush(stdout);
    if (r.failed && r.has_error)
        return 1;
    return r.failed && o->lint_fatal ? 3 : 0;
}
