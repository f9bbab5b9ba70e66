/* sd_consul.c -- consul_sd_configs: the catalog's services and the instances of each, by blocking
 * queries: the server answers when its index moved or two minutes passed. One thread, one request a
 * service. */
#include <stdio.h>

#include "base/clock.h"
#include "base/http_multi.h"
#include "base/jtree.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/url_text.h"
#include "ingest/discovery_priv.h"

enum {
    WATCH_MS = 120000,    /* how long the server may hold a request */
    MARGIN_MS = 15000,    /* and a request takes besides */
    SERVICES_MAX = 10000, /* watched by one section */
};

struct service { /* what one request watches; name "" is the catalog */
    str name;    /* own memory */
    struct buf url;
    uint64_t index;       /* of the last answer; 0: none yet */
    uint64_t due_mono_ns; /* not asked before */
    uint64_t asked_mono_ns;
    bool asked, seen;
};

struct consul {
    struct sd_provider *p;
    const struct consul_sd_config *c;
    struct http_client *client;
    struct http_multi *multi;
    struct pair header; /* X-Consul-Token */
    struct buf datacenter;
    struct service catalog, **services;
    size_t count, room;
    bool watches_catalog;
};

/* ---- Requests ---- */

static void put_param(struct buf *url, const char *name, str value)
{
    buf_printf(url, "%s%s=", memchr(url->ptr, '?', url->len) != NULL ? "&" : "?", name);
    url_put(url, value);
}

static void put_base(const struct consul *k, struct buf *url)
{
    str prefix = k->c->path_prefix;
    bool whole = memmem(k->c->server.ptr, k->c->server.len, "://", 3) != NULL;
    buf_reset(url);
    if (!whole)
        buf_printf(url, STR_FMT "://", STR_ARG(k->c->scheme));
    buf_put_str(url, k->c->server);
    while (url->len > 0 && url->ptr[url->len - 1] == '/')
        url->len--;
    if (prefix.len > 0 && prefix.ptr[0] != '/')
        buf_put_u8(url, '/');
    buf_put_str(url, prefix);
}

static void put_options(const struct consul *k, str filter, struct buf *url)
{
    const struct consul_sd_config *c = k->c;
    if (c->allow_stale)
        put_param(url, "stale", STR(""));
    if (c->datacenter.len > 0)
        put_param(url, "dc", c->datacenter);
    if (c->namespace.len > 0)
        put_param(url, "ns", c->namespace);
    if (c->partition.len > 0)
        put_param(url, "partition", c->partition);
    for (size_t i = 0; i < c->node_meta.count; i++) {
        struct buf pair = {0};
        buf_printf(&pair, STR_FMT ":" STR_FMT, STR_ARG(c->node_meta.items[i].name),
                   STR_ARG(c->node_meta.items[i].value));
        put_param(url, "node-meta", buf_str(&pair));
        buf_fini(&pair);
    }
    if (filter.len > 0)
        put_param(url, "filter", filter);
}

static void put_url(const struct consul *k, struct service *s)
{
    char number[24];
    put_base(k, &s->url);
    if (s->name.len == 0) {
        buf_put_str(&s->url, STR("/v1/catalog/services"));
    } else {
        buf_put_str(&s->url, STR("/v1/health/service/"));
        url_put(&s->url, s->name);
    }
    put_options(k, s->name.len == 0 ? k->c->filter : k->c->health_filter, &s->url);
    for (size_t i = 0; s->name.len > 0 && i < k->c->tags.count; i++)
        put_param(&s->url, "tag", k->c->tags.items[i]);
    if (s->index > 0) {
        size_t n = number_format_i64((int64_t)s->index, number);
        put_param(&s->url, "index", (str){number, n});
        put_param(&s->url, "wait", STR("120000ms"));
    }
}

static struct http_request_options options_of(const struct consul *k, str url)
{
    return (struct http_request_options){
        .url = url,
        .headers = {(struct pair *)(uintptr_t)&k->header, k->c->token.len > 0 ? 1 : 0},
        .body_bytes_max = SD_BODY_BYTES_MAX,
        .timeout_ms = WATCH_MS + MARGIN_MS,
    };
}

/* ---- Targets ---- */

/* Maintenance over critical over warning over passing. */
static const char *health_of(const struct jtree *checks)
{
    static const char *const NAMES[] = {"passing", "warning", "critical", "maintenance"};
    size_t worst = 0;
    for (size_t i = 0; i < jtree_count(checks); i++) {
        const struct jtree *check = jtree_at(checks, i);
        str id = jtree_text(jtree_get(check, "CheckID"));
        str status = jtree_text(jtree_get(check, "Status"));
        size_t this = 0;
        if (str_eq(id, STR("_node_maintenance")) || str_starts(id, STR("_service_maintenance:")))
            return NAMES[3];
        while (this < 3 && !str_eq(status, str_from(NAMES[this])))
            this ++;
        if (this == 3)
            return "";
        worst = MAX(worst, this);
    }
    return NAMES[worst];
}

static void put_meta(struct sd_build *b, const char *prefix, const struct jtree *meta)
{
    struct jtree_member m = {0};
    while (jtree_next(meta, &m))
        sd_build_meta(b, prefix, m.key, "", jtree_text(m.value));
}

static void put_host(struct buf *out, str host, int64_t port)
{
    bool v6 = host.len > 0 && memchr(host.ptr, ':', host.len) != NULL;
    buf_printf(out, "%s" STR_FMT "%s:%lld", v6 ? "[" : "", STR_ARG(host), v6 ? "]" : "",
               (long long)port);
}

static void put_tags(struct sd_build *b, const struct jtree *tags, str separator)
{
    struct buf text = {0};
    buf_put_str(&text, separator);
    for (size_t i = 0; i < jtree_count(tags); i++) {
        buf_put_str(&text, i > 0 ? separator : STR(""));
        buf_put_str(&text, jtree_text(jtree_at(tags, i)));
    }
    buf_put_str(&text, separator);
    sd_build_label(b, "__meta_consul_tags", buf_str(&text));
    buf_fini(&text);
}

static void put_instance(struct sd_build *b, const struct consul_sd_config *c,
                         const struct jtree *instance)
{
    const struct jtree *node = jtree_get(instance, "Node");
    const struct jtree *service = jtree_get(instance, "Service");
    str own = jtree_text(jtree_get(service, "Address"));
    int64_t port = jtree_int(jtree_get(service, "Port"), 0);
    struct jtree_member m = {0};
    struct buf text = {0};
    put_host(&text, own.len > 0 ? own : jtree_text(jtree_get(node, "Address")), port);
    sd_build_label(b, "__address__", buf_str(&text));
    sd_build_label(b, "__meta_consul_address", jtree_text(jtree_get(node, "Address")));
    sd_build_label(b, "__meta_consul_node", jtree_text(jtree_get(node, "Node")));
    sd_build_label(b, "__meta_consul_namespace", jtree_text(jtree_get(service, "Namespace")));
    sd_build_label(b, "__meta_consul_partition", jtree_text(jtree_get(service, "Partition")));
    put_tags(b, jtree_get(service, "Tags"), c->tag_separator);
    sd_build_label(b, "__meta_consul_service_address", own);
    sd_build_number(b, "__meta_consul_service_port", port);
    sd_build_label(b, "__meta_consul_service_id", jtree_text(jtree_get(service, "ID")));
    sd_build_label(b, "__meta_consul_health", str_from(health_of(jtree_get(instance, "Checks"))));
    put_meta(b, "__meta_consul_metadata_", jtree_get(node, "Meta"));
    put_meta(b, "__meta_consul_service_metadata_", jtree_get(service, "Meta"));
    while (jtree_next(jtree_get(service, "TaggedAddresses"), &m)) {
        buf_reset(&text);
        buf_printf(&text, STR_FMT ":%lld", STR_ARG(jtree_text(jtree_get(m.value, "Address"))),
                   (long long)jtree_int(jtree_get(m.value, "Port"), 0));
        sd_build_meta(b, "__meta_consul_tagged_address_", m.key, "", buf_str(&text));
    }
    sd_build_target(b);
    buf_fini(&text);
}

void sd_consul_build(const struct consul_sd_config *c, str service, str datacenter,
                     const struct jtree *instances, struct sd_build *b)
{
    sd_build_label(b, "__meta_consul_service", service);
    sd_build_label(b, "__meta_consul_dc", datacenter);
    size_t common = sd_build_mark(b);
    for (size_t i = 0; i < jtree_count(instances); i++) {
        put_instance(b, c, jtree_at(instances, i));
        sd_build_back(b, common);
    }
}

static err take_service(struct consul *k, const struct service *s, const struct jtree *root,
                        struct diag *d)
{
    struct sd_build b;
    struct sd_targets *targets = NULL;
    if (!jtree_is_array(root))
        return diag_set(d, ERR_INVALID, "the answer is no list");
    sd_build_begin(&b);
    sd_consul_build(k->c, s->name, buf_str(&k->datacenter), root, &b);
    TRY(sd_build_end(&b, &targets));
    sd_put(k->p, s->name, targets);
    return OK;
}

/* ---- The catalog ---- */

static bool is_wanted(const struct consul *k, str name, const struct jtree *tags)
{
    bool named = k->c->services.count == 0;
    for (size_t i = 0; i < k->c->services.count; i++)
        named = named || str_eq(k->c->services.items[i], name);
    for (size_t i = 0; named && i < k->c->tags.count; i++) {
        bool has = false;
        for (size_t t = 0; t < jtree_count(tags); t++)
            has = has || str_eq(jtree_text(jtree_at(tags, t)), k->c->tags.items[i]);
        named = has;
    }
    return named;
}

static void watch_service(struct consul *k, str name)
{
    for (size_t i = 0; i < k->count; i++) {
        if (str_eq(k->services[i]->name, name)) {
            k->services[i]->seen = true;
            return;
        }
    }
    struct service *s = mem_zalloc(1, sizeof(*s));
    char *text = mem_alloc(name.len + 1);
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    s->name = (str){text, name.len};
    s->seen = true;
    if (k->count == k->room) {
        k->room = k->room * 2 + 16;
        k->services = mem_resize(k->services, k->room, sizeof(*k->services));
    }
    k->services[k->count++] = s;
}

static void forget_service(struct consul *k, size_t i)
{
    struct service *s = k->services[i];
    http_multi_cancel(k->multi, s);
    sd_forget(k->p, s->name);
    mem_free((void *)(uintptr_t)s->name.ptr);
    buf_fini(&s->url);
    mem_free(s);
    k->services[i] = k->services[--k->count];
}

static err take_catalog(struct consul *k, const struct jtree *root, struct diag *d)
{
    struct jtree_member m = {0};
    if (!jtree_is_object(root))
        return diag_set(d, ERR_INVALID, "the list of services is no object");
    if (jtree_count(root) > SERVICES_MAX)
        return diag_set(d, ERR_LIMIT, "more than %d services", SERVICES_MAX);
    for (size_t i = 0; i < k->count; i++)
        k->services[i]->seen = false;
    while (jtree_next(root, &m))
        if (m.key.len > 0 && is_wanted(k, m.key, m.value))
            watch_service(k, m.key);
    for (size_t i = k->count; i-- > 0;)
        if (!k->services[i]->seen)
            forget_service(k, i);
    return OK;
}

/* ---- The loop ---- */

static err take(struct consul *k, struct service *s, const struct http_multi_result *r,
                struct diag *d)
{
    struct jtree *root = NULL;
    uint64_t index = 0;
    if (r->e != OK)
        return diag_set(d, r->e, "%s", r->d.text);
    if (r->reply.status != 200) {
        struct buf status = {0};
        http_status_text(r->reply.status, &status);
        err bad = diag_set(d, ERR_IO, "Unexpected response code: %s", buf_cstr(&status));
        buf_fini(&status);
        return bad;
    }
    if (number_parse_u64(http_reply_header(&r->reply, STR("x-consul-index")), &index) != OK)
        index = 0; /* of no use for waiting: ask again after the interval */
    if (index != 0 && index == s->index)
        return OK; /* the wait ended without news */
    TRY(jtree_parse(buf_slice(&r->reply.body), &root, d));
    err e = s == &k->catalog ? take_catalog(k, root, d) : take_service(k, s, root, d);
    jtree_free(root);
    if (e == OK)
        s->index = index < s->index ? 0 : index; /* going back means: begin anew */
    return e;
}

static void ask(struct consul *k, struct service *s, uint64_t now, uint64_t *next)
{
    if (!s->asked && s->due_mono_ns <= now) {
        put_url(k, s);
        struct http_request_options o = options_of(k, buf_str(&s->url));
        http_multi_start(k->multi, k->client, &o, s);
        s->asked = true;
        s->asked_mono_ns = now;
        s->due_mono_ns = now + (uint64_t)k->c->refresh_interval_ms * 1000000;
    }
    if (!s->asked)
        *next = MIN(*next, s->due_mono_ns);
}

/* Without a datacenter in the configuration it is that of the agent. */
static err find_datacenter(struct consul *k, struct diag *d)
{
    struct buf url = {0};
    struct http_reply reply = {0};
    struct jtree *root = NULL;
    if (k->c->datacenter.len > 0) {
        buf_put_str(&k->datacenter, k->c->datacenter);
        return OK;
    }
    put_base(k, &url);
    buf_put_str(&url, STR("/v1/agent/self"));
    struct http_request_options o = options_of(k, buf_str(&url));
    o.timeout_ms = MARGIN_MS;
    err e = sd_get_json(k->p, k->client, &o, &reply, d);
    if (e == OK)
        e = jtree_parse(buf_slice(&reply.body), &root, d);
    if (e == OK) {
        str name = jtree_text(jtree_get(jtree_get(root, "Config"), "Datacenter"));
        e = name.len > 0 ? OK : diag_set(d, ERR_INVALID, "invalid value for Config.Datacenter");
        buf_put_str(&k->datacenter, name);
    }
    jtree_free(root);
    http_reply_fini(&reply);
    buf_fini(&url);
    return e;
}

static void finish(struct consul *k, struct http_multi_result *r)
{
    struct service *s = r->tag;
    struct diag d = {.text = ""};
    s->asked = false;
    sd_stats_time(sd_stats_of(k->p), s == &k->catalog ? SD_CONSUL_SERVICES : SD_CONSUL_SERVICE,
                  clock_mono_ns() - s->asked_mono_ns);
    err e = take(k, s, r, &d);
    if (e != OK) {
        sd_stats_count(sd_stats_of(k->p), SD_CONSUL_FAILURES);
        sd_failed(k->p, d.text[0] != '\0' ? d.text : err_name(e));
        s->due_mono_ns = clock_mono_ns() + (uint64_t)SD_RETRY_MS * 1000000;
    } else {
        sd_well(k->p);
    }
    http_reply_fini(&r->reply);
}

static void watch(struct consul *k)
{
    while (!sd_stopping(k->p)) {
        struct http_multi_result r;
        uint64_t now = clock_mono_ns(), next = now + UINT64_C(60000000000);
        if (k->watches_catalog)
            ask(k, &k->catalog, now, &next);
        for (size_t i = 0; i < k->count; i++)
            ask(k, k->services[i], now, &next);
        if (http_multi_wait(k->multi, k->p->wake_fd, (int64_t)((next - now) / 1000000) + 1, &r))
            finish(k, &r);
    }
}

void sd_consul_run(struct sd_provider *p)
{
    struct consul k = {.p = p, .c = p->sd->consul, .catalog = {.name = STR("")}};
    struct diag d = {.text = ""};
    k.header = (struct pair){STR("X-Consul-Token"), k.c->token};
    k.watches_catalog = k.c->services.count == 0 || k.c->tags.count > 0;
    if (http_client_open(&k.c->http, sd_user_agent(p), &k.client, &d) != OK) {
        sd_failed(p, d.text);
        return;
    }
    k.multi = http_multi_open();
    while (!sd_stopping(p) && find_datacenter(&k, &d) != OK) {
        sd_stats_count(sd_stats_of(p), SD_CONSUL_FAILURES);
        sd_failed(p, d.text);
        d.text[0] = '\0';
        (void)sd_sleep(p, SD_RETRY_MS, -1);
    }
    for (size_t i = 0; !k.watches_catalog && i < k.c->services.count; i++)
        watch_service(&k, k.c->services.items[i]);
    watch(&k);
    while (k.count > 0)
        forget_service(&k, k.count - 1);
    http_multi_close(k.multi);
    http_client_close(k.client);
    mem_free(k.services);
    buf_fini(&k.catalog.url);
    buf_fini(&k.datacenter);
}
