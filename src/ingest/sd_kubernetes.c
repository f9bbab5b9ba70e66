/* sd_kubernetes.c -- kubernetes_sd_configs: objects of a cluster, listed page by page and then
 * watched. All lists and watches of a section run on one thread; its targets are built anew when
 * something changed, at most once in BUILD_MS. A watch that ends is taken up where it was; one that
 * cannot be is listed again, and until that is complete what was known stays. */
#include <stdio.h>

#include "base/clock.h"
#include "base/http_multi.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/url_text.h"
#include "ingest/discovery_priv.h"
#include "ingest/kube_access.h"
#include "ingest/kube_labels.h"

enum {
    BUILD_MS = 1000,
    RETRY_MS = 5000,
    WATCH_S = 300,             /* how long a watch is asked to last */
    LIST_MS = 60000,           /* a page of a list */
    EVENT_BYTES_MAX = 8 << 20, /* one line of a watch */
    WATCHES_MAX = 2000,        /* kinds times namespaces */
};

struct kube;

struct kube_watch {
    struct kube *k;
    enum kube_kind kind;
    str namespace; /* "": all */
    struct buf url, version, next_page, line;
    bool watching, asked, relist, bad;
    bool complete; /* was listed once */
    uint64_t generation, due_mono_ns;
};

struct kube {
    struct sd_provider *p;
    const struct kubernetes_sd_config *c;
    struct kube_access access;
    struct http_client *client;
    struct http_multi *multi;
    struct kube_map maps[KUBE_KINDS];
    struct kube_watch *watches;
    size_t count;
    bool dirty;
    uint64_t built_mono_ns, generations;
};

/* ---- URLs ---- */

static const struct {
    const char *api, *resource;
    int role; /* whose selectors count; -1: none */
    bool namespaced;
} KINDS[KUBE_KINDS] = {
    {"/api/v1", "nodes", KUBERNETES_NODE, false},
    {"/api/v1", "pods", KUBERNETES_POD, true},
    {"/api/v1", "services", KUBERNETES_SERVICE, true},
    {"/api/v1", "endpoints", KUBERNETES_ENDPOINTS, true},
    {"/apis/discovery.k8s.io/v1", "endpointslices", KUBERNETES_ENDPOINTSLICE, true},
    {"/apis/networking.k8s.io/v1", "ingresses", KUBERNETES_INGRESS, true},
    {"/api/v1", "namespaces", -1, false},
    {"/apis/apps/v1", "replicasets", -1, true},
    {"/apis/batch/v1", "jobs", -1, true},
};

static void put_param(struct buf *url, const char *name, str value)
{
    buf_printf(url, "%s%s=", memchr(url->ptr, '?', url->len) != NULL ? "&" : "?", name);
    url_put(url, value);
}

static void put_url(struct kube_watch *w)
{
    char number[24];
    struct buf *url = &w->url;
    buf_reset(url);
    buf_put_str(url, w->k->access.server);
    buf_put_str(url, str_from(KINDS[w->kind].api));
    if (KINDS[w->kind].namespaced && w->namespace.len > 0) {
        buf_put_str(url, STR("/namespaces/"));
        url_put(url, w->namespace);
    }
    buf_printf(url, "/%s", KINDS[w->kind].resource);
    for (size_t i = 0; i < w->k->c->selector_count; i++) {
        const struct kubernetes_selector *s = &w->k->c->selectors[i];
        if (s->role != KINDS[w->kind].role)
            continue;
        if (s->label.len > 0)
            put_param(url, "labelSelector", s->label);
        if (s->field.len > 0)
            put_param(url, "fieldSelector", s->field);
    }
    if (w->watching) {
        put_param(url, "watch", STR("1"));
        put_param(url, "allowWatchBookmarks", STR("true"));
        put_param(url, "resourceVersion", buf_str(&w->version));
        (void)snprintf(number, sizeof(number), "%d", WATCH_S);
        put_param(url, "timeoutSeconds", str_from(number));
    } else {
        put_param(url, "limit", STR("500"));
        if (w->next_page.len > 0)
            put_param(url, "continue", buf_str(&w->next_page));
    }
}

/* ---- Events of a watch ---- */

static void set_text(struct buf *to, str text)
{
    buf_reset(to);
    buf_put_str(to, text);
}

static str version_of(const struct jtree *object)
{
    return jtree_text(jtree_get(jtree_get(object, "metadata"), "resourceVersion"));
}

static void count_event(struct kube_watch *w, enum sd_event event)
{
    if (KINDS[w->kind].role >= 0)
        sd_stats_event(sd_stats_of(w->k->p), (enum kubernetes_role)KINDS[w->kind].role, event);
}

static void take_event(struct kube_watch *w, slice line)
{
    struct jtree *root = NULL;
    struct diag d = {.text = ""};
    if (jtree_parse(line, &root, &d) != OK) {
        w->bad = true;
        return;
    }
    const struct jtree *object = jtree_get(root, "object");
    str type = jtree_text(jtree_get(root, "type")), version = version_of(object);
    if (version.len > 0)
        set_text(&w->version, version);
    if (str_eq(type, STR("ADDED")) || str_eq(type, STR("MODIFIED"))) {
        count_event(w, str_eq(type, STR("ADDED")) ? SD_EVENT_ADD : SD_EVENT_UPDATE);
        w->bad = kube_put(&w->k->maps[w->kind], w->kind, object, w->generation) != OK;
        w->k->dirty = true;
    } else if (str_eq(type, STR("DELETED"))) {
        count_event(w, SD_EVENT_DELETE);
        kube_remove(&w->k->maps[w->kind], object);
        w->k->dirty = true;
    } else if (!str_eq(type, STR("BOOKMARK"))) { /* ERROR: the version is too old, mostly */
        w->relist = true;
    }
    jtree_free(root);
}

/* A piece of a watch: whole lines are events. */
static bool take_piece(void *arg, slice bytes)
{
    struct kube_watch *w = arg;
    buf_put(&w->line, bytes.ptr, bytes.len);
    size_t start = 0;
    for (;;) {
        const uint8_t *rest = w->line.ptr + start;
        const uint8_t *end = memchr(rest, '\n', w->line.len - start);
        if (end == NULL)
            break;
        if (end > rest)
            take_event(w, (slice){rest, (size_t)(end - rest)});
        start += (size_t)(end - rest) + 1;
    }
    if (start > 0) {
        memmove(w->line.ptr, w->line.ptr + start, w->line.len - start);
        w->line.len -= start;
    }
    w->bad = w->bad || w->line.len > EVENT_BYTES_MAX;
    return !w->bad && !w->relist;
}

/* ---- Pages of a list ---- */

static err take_page(struct kube_watch *w, slice text, struct diag *d)
{
    struct jtree *root = NULL;
    TRY(jtree_parse(text, &root, d));
    const struct jtree *items = jtree_get(root, "items"), *meta = jtree_get(root, "metadata");
    err e = OK;
    for (size_t i = 0; e == OK && i < jtree_count(items); i++, count_event(w, SD_EVENT_ADD))
        e = kube_put(&w->k->maps[w->kind], w->kind, jtree_at(items, i), w->generation);
    if (e != OK)
        (void)diag_set(d, e, "an object of the list has no name, or there are too many");
    set_text(&w->next_page, jtree_text(jtree_get(meta, "continue")));
    set_text(&w->version, jtree_text(jtree_get(meta, "resourceVersion")));
    jtree_free(root);
    if (e == OK && w->next_page.len == 0) {
        kube_sweep(&w->k->maps[w->kind], w->namespace, w->generation);
        w->complete = w->watching = w->k->dirty = true;
    }
    return e;
}

/* ---- The loop ---- */

static void list_again(struct kube_watch *w)
{
    w->watching = w->relist = w->bad = false;
    buf_reset(&w->next_page);
    buf_reset(&w->line);
    w->generation = ++w->k->generations;
}

static void ask(struct kube_watch *w)
{
    struct kube *k = w->k;
    put_url(w);
    struct http_request_options o = {
        .url = buf_str(&w->url),
        .body_bytes_max = SD_BODY_BYTES_MAX,
        .timeout_ms = w->watching ? (WATCH_S + 30) * 1000 : LIST_MS,
        .piece = w->watching ? take_piece : NULL,
        .arg = w,
        .compressed = !w->watching,
    };
    w->asked = true;
    http_multi_start(k->multi, k->client, &o, w);
}

static err judge(struct kube_watch *w, const struct http_multi_result *r, struct diag *d)
{
    if (w->watching && (w->relist || r->reply.status == 410)) {
        list_again(w);
        return OK;
    }
    if (w->bad)
        return diag_set(d, ERR_INVALID, "a watch of %s sent what cannot be read",
                        KINDS[w->kind].resource);
    if (r->e != OK && !(w->watching && r->e == ERR_TIMEOUT))
        return diag_set(d, r->e, "%s: %s", KINDS[w->kind].resource, r->d.text);
    if (r->e == OK && r->reply.status != 200) {
        struct buf status = {0};
        http_status_text(r->reply.status, &status);
        err e = diag_set(d, ERR_IO, "%s: server returned HTTP status %s", KINDS[w->kind].resource,
                         buf_cstr(&status));
        buf_fini(&status);
        return e;
    }
    return w->watching ? OK : take_page(w, buf_slice(&r->reply.body), d);
}

static void finish(struct kube *k, struct http_multi_result *r)
{
    struct kube_watch *w = r->tag;
    struct diag d = {.text = ""};
    bool watched = w->watching;
    w->asked = false;
    buf_reset(&w->line);
    if (judge(w, r, &d) != OK) {
        sd_stats_count(sd_stats_of(k->p), SD_KUBERNETES_FAILURES);
        sd_failed(k->p, d.text[0] != '\0' ? d.text : "unknown");
        w->due_mono_ns = clock_mono_ns() + (uint64_t)RETRY_MS * 1000000;
        if (w->bad || !watched)
            list_again(w);
    } else {
        sd_well(k->p);
        /* a server that ends watches at once is not asked in a tight loop */
        w->due_mono_ns = clock_mono_ns() + (watched ? UINT64_C(100000000) : 0);
    }
    http_reply_fini(&r->reply);
}

static void build(struct kube *k)
{
    struct sd_build b;
    struct sd_targets *targets = NULL;
    k->dirty = false;
    k->built_mono_ns = clock_mono_ns();
    sd_build_begin(&b);
    kube_build(k->c, k->maps, &b);
    if (sd_build_end(&b, &targets) == OK)
        sd_put(k->p, STR("kubernetes"), targets);
    else
        sd_failed(k->p, "more targets, or larger ones, than the limits allow");
}

/* Targets are built once everything was listed: a pod without its node would lack labels. */
static bool is_complete(const struct kube *k)
{
    for (size_t i = 0; i < k->count; i++)
        if (!k->watches[i].complete)
            return false;
    return true;
}

static void watch(struct kube *k)
{
    while (!sd_stopping(k->p)) {
        struct http_multi_result r;
        uint64_t now = clock_mono_ns(), next = now + UINT64_C(60000000000);
        for (size_t i = 0; i < k->count; i++) {
            struct kube_watch *w = &k->watches[i];
            if (!w->asked && w->due_mono_ns <= now)
                ask(w);
            if (!w->asked)
                next = MIN(next, w->due_mono_ns);
        }
        if (k->dirty && is_complete(k)) {
            uint64_t due = k->built_mono_ns + (uint64_t)BUILD_MS * 1000000;
            if (k->built_mono_ns == 0 || due <= now)
                build(k);
            else
                next = MIN(next, due);
        }
        /* events of watches come in between: look at least ten times a second */
        next = MIN(next, now + UINT64_C(100000000));
        if (http_multi_wait(k->multi, k->p->wake_fd, (int64_t)((next - now) / 1000000) + 1, &r))
            finish(k, &r);
    }
}

/* ---- Start ---- */

static void add_watch(struct kube *k, enum kube_kind kind, str namespace)
{
    if (k->count == WATCHES_MAX) {
        log_warn("too many namespaces; the rest is not watched", LOG_STR("namespace", namespace),
                 LOG_INT("limit", WATCHES_MAX));
        return;
    }
    k->watches[k->count++] = (struct kube_watch){
        .k = k, .kind = kind, .namespace = namespace, .generation = ++k->generations};
}

static void add_kind(struct kube *k, enum kube_kind kind)
{
    const struct texts *names = &k->c->namespaces;
    bool own = k->access.namespace.len > 0;
    if (!KINDS[kind].namespaced || (names->count == 0 && !own)) {
        add_watch(k, kind, STR(""));
        return;
    }
    for (size_t i = 0; i < names->count; i++)
        add_watch(k, kind, names->items[i]);
    if (own)
        add_watch(k, kind, k->access.namespace);
}

static void add_watches(struct kube *k)
{
    const struct kubernetes_sd_config *c = k->c;
    bool ends = c->role == KUBERNETES_ENDPOINTS || c->role == KUBERNETES_ENDPOINTSLICE;
    bool pods = ends || c->role == KUBERNETES_POD;
    k->watches = mem_zalloc(WATCHES_MAX, sizeof(*k->watches));
    add_kind(k, (enum kube_kind)c->role);
    if (ends) {
        add_kind(k, KUBE_SERVICE);
        add_kind(k, KUBE_POD);
    }
    if (pods && c->attach_node)
        add_kind(k, KUBE_NODE);
    if (c->attach_namespace && c->role != KUBERNETES_NODE)
        add_kind(k, KUBE_NAMESPACE);
    if (pods && c->attach_deployment)
        add_kind(k, KUBE_REPLICASET);
    if (pods && c->attach_cronjob)
        add_kind(k, KUBE_JOB);
}

static err open_client(struct kube *k, struct diag *d)
{
    TRY(kube_access_find(k->c, &k->access, d));
    return http_client_open(&k->access.http, sd_user_agent(k->p), &k->client, d);
}

void sd_kubernetes_run(struct sd_provider *p)
{
    struct kube k = {.p = p, .c = p->sd->kubernetes};
    struct diag d = {.text = ""};
    while (!sd_stopping(p) && open_client(&k, &d) != OK) { /* files may appear later */
        sd_failed(p, d.text);
        d.text[0] = '\0';
        kube_access_fini(&k.access);
        (void)sd_sleep(p, SD_RETRY_MS, -1);
    }
    if (k.client != NULL) {
        k.multi = http_multi_open();
        add_watches(&k);
        watch(&k);
    }
    http_multi_close(k.multi);
    http_client_close(k.client);
    for (size_t i = 0; i < k.count; i++) {
        buf_fini(&k.watches[i].url);
        buf_fini(&k.watches[i].version);
        buf_fini(&k.watches[i].next_page);
        buf_fini(&k.watches[i].line);
    }
    for (size_t i = 0; i < KUBE_KINDS; i++)
        kube_map_fini(&k.maps[i]);
    mem_free(k.watches);
    kube_access_fini(&k.access);
}
