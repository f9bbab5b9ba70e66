/* check_alertmanager.c -- see check_alertmanager.h. */
#include "cli/check_alertmanager.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/heartbeat_exprs.h"
#include "config/alerting_ext.h"
#include "notify/ack_link.h"
#include "notify/inbound.h"
#include "notify/notify_template.h"
#include "notify/route.h"

enum {
    UNUSED_BYTES_MAX = 1 << 20, /* of warnings */
    ROUTES_ARENA_BYTES = 256 << 20,
    LABELS_MAX = 1000, /* on a command line */
    READ_BYTES = 1 << 16,
};

/* ---- The tree ---- */

struct tree_line { /* of the route being shown */
    struct buf prefix;
    struct labels labels; /* with `matching`: of the alert */
    bool matching;        /* only routes the alert goes through */
};

static void put_route(const struct route *r, bool show_continue, bool show_receiver)
{
    struct buf text = {0};
    if (r->config->matchers.count == 0)
        buf_put_str(&text, STR("default-route"));
    else
        alert_matchers_format(&r->config->matchers, &text);
    if (show_continue && r->config->continue_)
        buf_put_str(&text, STR("  continue: true"));
    if (show_receiver)
        buf_printf(&text, "  receiver: " STR_FMT, STR_ARG(r->receiver));
    printf("%s\n", buf_cstr(&text));
    buf_fini(&text);
}

/* The child at or behind `r` that is to be shown. */
static const struct route *shown(const struct tree_line *t, const struct route *r)
{
    while (r != NULL && t->matching && !route_matches(r, t->labels))
        r = r->next;
    return r;
}

/* The next of its siblings; an alert goes to none behind one that does not say continue. */
static const struct route *shown_after(const struct tree_line *t, const struct route *r)
{
    return t->matching && !r->config->continue_ ? NULL : shown(t, r->next);
}

/* As deep as routes are nested. */
static void put_tree(struct tree_line *t, const struct route *r, bool last)
{
    const struct route *child = shown(t, r->first);
    size_t size = t->prefix.len;
    printf("%s%s", buf_cstr(&t->prefix), last ? "└── " : "├── ");
    put_route(r, !t->matching, !t->matching || child == NULL);
    buf_put_str(&t->prefix, last ? STR("    ") : STR("│\u00a0\u00a0 "));
    while (child != NULL) {
        const struct route *next = shown_after(t, child);
        put_tree(t, child, next == NULL);
        child = next;
    }
    t->prefix.len = size;
}

static void put_routes(const struct routes *routes, const struct labels *matching)
{
    struct tree_line t = {.matching = matching != NULL};
    if (matching != NULL)
        t.labels = *matching;
    printf(".\n");
    put_tree(&t, &routes->items[0], true);
    printf("\n");
    buf_fini(&t.prefix);
}

/* ---- Checking ---- */

static err show_routes(const struct alertmanager_file *f)
{
    struct arena a;
    struct routes routes;
    arena_init(&a, ROUTES_ARENA_BYTES);
    err e = routes_build(f, &a, &routes);
    if (e == OK) {
        printf("Routing tree:\n");
        put_routes(&routes, NULL);
    }
    arena_fini(&a);
    return e;
}

static void put_found(const struct alertmanager_file *f)
{
    printf("Found:\n - global config\n - route\n");
    printf(" - %zu inhibit rules\n", f->inhibit_rules.count);
    printf(" - %zu receivers\n", f->receivers.count);
    printf(" - %zu templates\n", f->templates.count);
}

static void put_warnings(struct texts warnings)
{
    (void)fflush(stdout); /* both streams in the order of what they tell */
    for (size_t i = 0; i < warnings.count; i++)
        (void)fprintf(stderr, "WARNING: " STR_FMT "\n", STR_ARG(warnings.items[i]));
}

static err load_input(const char *path, struct alertmanager_file **out, struct diag *d)
{
    struct buf text = {0};
    err e = ERR_BUSY;
    while (e == ERR_BUSY && text.len <= YAML_SIZE_MAX) {
        ssize_t n = read(STDIN_FILENO, buf_reserve(&text, READ_BYTES), READ_BYTES);
        if (n > 0)
            text.len += (size_t)n;
        else if (n == 0)
            e = OK;
        else if (errno != EINTR)
            e = diag_set(d, ERR_IO, "the standard input cannot be read");
    }
    if (e == OK || e == ERR_BUSY)
        e = alertmanager_config_parse(path, buf_slice(&text), out, d); /* too large is told too */
    buf_fini(&text);
    return e;
}

/* Files of templates, and the texts of all receivers. */
static bool check_templates(const struct alertmanager_file *f)
{
    struct notify_templates *t;
    struct diag d = {.text = ""};
    if (notify_templates_open(f, &t, &d) != OK) {
        printf("  FAILED: %s\n", d.text);
        return false;
    }
    struct texts problems = notify_templates_problems(t);
    for (size_t i = 0; i < problems.count; i++)
        printf("  FAILED: " STR_FMT "\n", STR_ARG(problems.items[i]));
    bool good = problems.count == 0;
    if (good && f->templates.count > 0)
        printf("  SUCCESS\n");
    notify_templates_close(t);
    return good;
}

/* Files of secrets that the server reads when it loads the extensions. */
static err check_secrets(const struct alerting_ext *x, struct diag *d)
{
    const struct ack_links *links = x->acknowledgements.links;
    struct ack_signer *signer = NULL;
    if (links != NULL && links->enabled)
        TRY(ack_signer_open(links, STR(""), &signer, d));
    ack_signer_close(signer);
    struct inbound *inbound = NULL;
    if (x->acknowledgements.inbound != NULL)
        TRY(inbound_open(x->acknowledgements.inbound, &inbound, d));
    inbound_close(inbound);
    return OK;
}

/* `*out` is the caller's when they are good. */
static bool check_extensions(struct alertmanager_file *f, const char *path,
                             struct alerting_ext **out)
{
    struct alerting_ext *x = NULL;
    struct diag d = {.text = ""};
    err e = alerting_ext_load(path, f, &x, &d);
    if (e == OK)
        e = alerting_ext_supported(x, &d);
    if (e == OK)
        e = check_secrets(x, &d);
    if (e == OK) /* a server may have these features, or not */
        e = heartbeat_exprs_check(x, &(struct promql_options){true, true, true, 0, NULL}, &d);
    if (e != OK) {
        printf("  FAILED: %s\n", d.text);
        alerting_ext_unref(x);
        return false;
    }
    printf(" - %zu escalation policies\n", x->escalation_policies.count);
    printf(" - %zu maintenance windows\n", x->maintenance_windows.count);
    printf(" - %zu heartbeats\n", x->heartbeats.count);
    put_warnings(alerting_ext_warnings(x));
    *out = x;
    return true;
}

static void put_unused(const struct alertmanager_file *f, const struct alerting_ext *x)
{
    struct arena a;
    arena_init(&a, UNUSED_BYTES_MAX);
    put_warnings(alerting_unused_receivers(f, x, &a));
    arena_fini(&a);
}

/* `path` NULL: the standard input. */
static bool check_file(const char *path, bool routes, const char *extensions)
{
    struct alertmanager_file *f;
    struct alerting_ext *x = NULL;
    struct diag d = {.text = ""};
    const char *name = path != NULL ? path : "/dev/stdin";
    printf("Checking '%s'", name);
    err e = path != NULL ? alertmanager_config_load(path, &f, &d) : load_input(name, &f, &d);
    if (e != OK) {
        printf("  FAILED: %s\n\n", d.text);
        return false;
    }
    printf("  SUCCESS\n");
    put_found(f);
    bool good = check_templates(f);
    if (extensions[0] != '\0')
        good = check_extensions(f, extensions, &x) && good;
    if (routes && show_routes(f) != OK) {
        printf("  FAILED: too many routes\n");
        good = false;
    }
    printf("\n");
    put_warnings(alertmanager_config_warnings(f));
    if (extensions[0] == '\0' || x != NULL) /* of bad extensions nobody knows what they use */
        put_unused(f, x);
    alerting_ext_unref(x);
    alertmanager_config_unref(f);
    return good;
}

int check_alertmanager_files(char *const *paths, int count, bool routes, const char *extensions)
{
    int failed = 0;
    if (count == 0)
        failed += !check_file(NULL, routes, extensions);
    for (int i = 0; i < count; i++)
        failed += !check_file(paths[i], routes, extensions);
    (void)fflush(stdout);
    if (failed > 0)
        (void)fprintf(stderr, "varve check alertmanager: error: failed to validate %d file(s)\n",
                      failed);
    return failed > 0 ? 1 : 0;
}

/* ---- Routes ---- */

static int fail(const char *command, const char *why)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "varve alert routes %s: error: %s\n", command, why);
    return 1;
}

int alert_routes_show(const char *path)
{
    struct alertmanager_file *f;
    struct diag d = {.text = ""};
    if (alertmanager_config_load(path, &f, &d) != OK)
        return fail("show", d.text);
    err e = show_routes(f);
    alertmanager_config_unref(f);
    return e == OK ? 0 : fail("show", "too many routes");
}

/* "name=value", as matchers are written. */
static err read_labels(char *const *texts, int count, struct arena *a, struct labels *out,
                       struct diag *d)
{
    struct label *items = ARENA_ARRAY(a, struct label, (size_t)count + 1);
    size_t used = 0;
    if (items == NULL || count > LABELS_MAX)
        return diag_set(d, ERR_LIMIT, "more than %d labels", LABELS_MAX);
    for (int i = 0; i < count; i++) {
        struct alert_matchers ms;
        TRY(alert_matchers_parse(str_from(texts[i]), a, &ms, NULL, d));
        bool good = ms.count == 1 && ms.items[0].type == MATCH_EQUAL;
        if (good)
            items[used++] = (struct label){ms.items[0].name, ms.items[0].value};
        alert_matchers_fini(&ms);
        if (!good)
            return diag_set(d, ERR_INVALID, "labels must be of the form name=value: %s", texts[i]);
    }
    *out = (struct labels){items, labels_sort(items, used)};
    return OK;
}

static err test_labels(const struct alertmanager_file *f, struct arena *a, struct labels ls,
                       bool tree, struct buf *receivers)
{
    struct routes routes;
    TRY(routes_build(f, a, &routes));
    const struct route **found = ARENA_ARRAY(a, const struct route *, routes.count);
    if (found == NULL)
        return ERR_LIMIT;
    if (tree) {
        printf("Matching routes:\n");
        put_routes(&routes, &ls);
        printf("\n");
    }
    size_t count = routes_match(&routes, ls, found);
    for (size_t i = 0; i < count; i++)
        buf_printf(receivers, "%s" STR_FMT, i > 0 ? "," : "", STR_ARG(found[i]->receiver));
    return OK;
}

int alert_routes_test(const char *path, char *const *labels, int count, bool tree,
                      const char *verify)
{
    struct alertmanager_file *f = NULL;
    struct arena a;
    struct labels ls = {NULL, 0};
    struct buf receivers = {0}, why = {0};
    struct diag d = {.text = ""};
    int code = 0;
    arena_init(&a, ROUTES_ARENA_BYTES);
    err e = alertmanager_config_load(path, &f, &d);
    if (e == OK && (e = read_labels(labels, count, &a, &ls, &d)) != OK)
        buf_put_str(&why, STR("Failed to parse labels: "));
    if (e == OK)
        e = test_labels(f, &a, ls, tree, &receivers);
    if (e != OK) {
        buf_put_str(&why, d.text[0] != '\0' ? str_from(d.text) : STR("too many routes"));
        code = fail("test", buf_cstr(&why));
    } else {
        printf("%s\n", buf_cstr(&receivers));
        if (verify[0] != '\0' && !str_eq(buf_str(&receivers), str_from(verify))) {
            printf("WARNING: Expected receivers did not match resolved receivers.\n");
            code = 1;
        }
    }
    buf_fini(&receivers);
    buf_fini(&why);
    arena_fini(&a);
    alertmanager_config_unref(f);
    return code;
}
