/* api_targets.c -- what is scraped: targets, their metadata, relabelling step by step, and jobs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/duration.h"
#include "base/jtree.h"
#include "base/utf8.h"
#include "http/api.h"
#include "http/json.h"
#include "ingest/relabel.h"
#include "ingest/scrape.h"
#include "query/parser.h"

enum { SELECTOR_BYTES_MAX = 1 << 20, STEPS_BYTES_MAX = 16 << 20 };

/* ---- Targets ---- */

static bool is_state(str state, const char *name)
{
    return state.len == strlen(name) && strncasecmp(state.ptr, name, state.len) == 0;
}

struct target_list {
    struct api *api;
    struct buf *out;
    size_t count;
};

static void put_key(struct buf *b, const char *key, bool first)
{
    buf_printf(b, "%s\"%s\":", first ? "" : ",", key);
}

/* The host of a URL, with its port if it has one, begins at `s` and ends where the path does. */
static str host_of(str url, size_t *at)
{
    const char *p = url.len > 0 ? strstr(url.ptr, "://") : NULL;
    *at = p != NULL ? (size_t)(p - url.ptr) + 3 : 0;
    size_t n = *at;
    while (n < url.len && strchr("/?#", url.ptr[n]) == NULL)
        n++;
    return (str){url.ptr + *at, n - *at};
}

/* Splits "host:port"; false without a port. */
static bool split_port(str host, str *name, str *port)
{
    const char *colon = host.len > 0 ? memrchr(host.ptr, ':', host.len) : NULL;
    if (colon == NULL)
        return false;
    *name = (str){host.ptr, (size_t)(colon - host.ptr)};
    *port = (str){colon + 1, host.len - name->len - 1};
    return true;
}

static bool is_local(str name)
{
    return str_eq(name, STR("localhost")) || str_eq(name, STR("127.0.0.1")) ||
           str_eq(name, STR("[::1]"));
}

/* As seen from elsewhere: this machine's name for localhost, the external URL for this server. */
static void put_global_url(struct api *api, str url, struct buf *b)
{
    size_t at, own_at;
    str host = host_of(url, &at), name, port, own_name, own_port;
    str external = str_from(api->urls.external), own = host_of(external, &own_at);
    struct buf text = {0};
    if (!split_port(host, &name, &port) || !is_local(name)) {
        buf_put_str(&text, url);
    } else {
        char listening[16];
        int n = snprintf(listening, sizeof(listening), "%u", http_server_port(api->server));
        bool self = str_eq(port, (str){listening, (size_t)n});
        if (!split_port(own, &own_name, &own_port))
            own_name = own;
        buf_put_str(&text, self ? (str){external.ptr, own_at} : (str){url.ptr, at});
        if (self)
            buf_put_str(&text, own);
        else
            buf_printf(&text, STR_FMT ":" STR_FMT, STR_ARG(own_name), STR_ARG(port));
        size_t rest = at + host.len;
        buf_put_str(&text, (str){url.ptr + rest, url.len - rest});
    }
    json_str(b, buf_str(&text));
    buf_fini(&text);
}

/* RFC 3339 with nanoseconds, in local time, as Go marshals a time. */
static void put_time(struct buf *b, int64_t ns)
{
    if (ns == 0) {
        buf_put_str(b, STR("\"0001-01-01T00:00:00Z\""));
        return;
    }
    time_t seconds = (time_t)(ns / 1000000000);
    int fraction = (int)(ns % 1000000000), digits = 9;
    struct tm t;
    char text[64], zone[16];
    (void)localtime_r(&seconds, &t);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &t);
    buf_printf(b, "\"%.*s", (int)n, text);
    for (; fraction != 0 && fraction % 10 == 0; digits--)
        fraction /= 10;
    if (fraction != 0)
        buf_printf(b, ".%0*d", digits, fraction);
    if (t.tm_gmtoff == 0) {
        buf_put_str(b, STR("Z\""));
        return;
    }
    (void)strftime(zone, sizeof(zone), "%z", &t);
    buf_printf(b, "%.3s:%s\"", zone, zone + 3);
}

static void put_duration(struct buf *b, int64_t ms)
{
    char text[DURATION_SIZE_MAX];
    json_str(b, (str){text, duration_format(ms, text)});
}

static void put_active(void *arg, const struct scrape_view *v)
{
    static const char *const HEALTH[] = {"unknown", "up", "down"};
    struct target_list *l = arg;
    struct buf *b = l->out;
    buf_put_str(b, l->count++ > 0 ? STR(",{") : STR("{"));
    put_key(b, "discoveredLabels", true);
    labels_json(b, v->discovered);
    put_key(b, "labels", false);
    labels_json(b, v->labels);
    put_key(b, "scrapePool", false);
    json_str(b, v->job);
    put_key(b, "scrapeUrl", false);
    json_str(b, v->url);
    put_key(b, "globalUrl", false);
    put_global_url(l->api, v->url, b);
    put_key(b, "lastError", false);
    json_str(b, v->last_error);
    put_key(b, "lastScrape", false);
    put_time(b, v->last_scrape_ns);
    put_key(b, "lastScrapeDuration", false);
    json_number(b, (double)v->last_duration_ns / 1e9);
    buf_printf(b, ",\"health\":\"%s\"", HEALTH[v->health]);
    put_key(b, "scrapeInterval", false);
    put_duration(b, v->interval_ms);
    put_key(b, "scrapeTimeout", false);
    put_duration(b, v->timeout_ms);
    buf_put_u8(b, '}');
}

static void put_dropped(void *arg, const struct scrape_view *v)
{
    struct target_list *l = arg;
    buf_put_str(l->out, l->count++ > 0 ? STR(",{") : STR("{"));
    put_key(l->out, "discoveredLabels", true);
    labels_json(l->out, v->discovered);
    put_key(l->out, "scrapePool", false);
    json_str(l->out, v->job);
    buf_put_u8(l->out, '}');
}

static void put_dropped_count(void *arg, const struct scrape_pool_view *p)
{
    struct target_list *l = arg;
    if (l->count++ > 0)
        buf_put_u8(l->out, ',');
    json_str(l->out, p->job);
    buf_printf(l->out, ":%zu", p->dropped);
}

void api_targets(struct http_request *r)
{
    struct api *api = api_of(r);
    str state = http_param(r, STR("state")), job = http_param(r, STR("scrapePool"));
    bool any = state.len == 0 || is_state(state, "any");
    bool active = any || is_state(state, "active"), dropped = any || is_state(state, "dropped");
    struct buf *b = api_begin(r);
    struct target_list l = {.api = api, .out = b};
    buf_put_str(b, STR("{\"activeTargets\":["));
    if (active)
        scraper_each_active(api->scraper, job, put_active, &l);
    buf_put_str(b, STR("],\"droppedTargets\":["));
    l.count = 0;
    if (dropped)
        scraper_each_dropped(api->scraper, job, put_dropped, &l);
    buf_put_str(b, STR("],\"droppedTargetCounts\":"));
    l.count = 0;
    if (dropped) {
        buf_put_u8(b, '{');
        scraper_each_pool(api->scraper, put_dropped_count, &l);
        buf_put_u8(b, '}');
    } else {
        buf_put_str(b, STR("null"));
    }
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
}

/* ---- Metadata ---- */

struct metadata_list {
    struct buf *out;
    const struct matcher *matchers;
    size_t matcher_count, count;
    str metric;
    int64_t limit; /* of targets whose metadata is begun; -1: none */
    struct labels target;
};

static void put_metadata(void *arg, str name, const struct metadata *m)
{
    struct metadata_list *l = arg;
    struct buf *b = l->out;
    if (l->metric.len > 0 && !str_eq(l->metric, name))
        return;
    buf_put_str(b, l->count++ > 0 ? STR(",{") : STR("{"));
    put_key(b, "target", true);
    labels_json(b, l->target);
    if (l->metric.len == 0) {
        put_key(b, "metric", false);
        json_str(b, name);
    }
    buf_printf(b, ",\"type\":\"%s\"", metric_type_name(m->type));
    put_key(b, "help", false);
    json_str(b, m->help);
    put_key(b, "unit", false);
    json_str(b, m->unit);
    buf_put_u8(b, '}');
}

static void put_target_metadata(void *arg, const struct scrape_view *v)
{
    struct metadata_list *l = arg;
    if ((l->limit >= 0 && l->count >= (uint64_t)l->limit) ||
        !matchers_match(l->matchers, l->matcher_count, v->labels))
        return;
    l->target = v->labels;
    scrape_families_each(v->families, put_metadata, l);
}

void api_targets_metadata(struct http_request *r)
{
    struct metadata_list l = {.metric = http_param(r, STR("metric"))};
    struct promql_options options = {.canceled = http_canceled(r)};
    struct diag d = {.text = ""};
    struct arena a;
    struct matcher *matchers = NULL;
    str selector = http_param(r, STR("match_target"));
    if (!api_param_number(r, "limit", &l.limit))
        return;
    arena_init(&a, SELECTOR_BYTES_MAX);
    if (selector.len > 0 &&
        promql_parse_selector(selector, &options, &a, &matchers, &l.matcher_count, &d) != OK) {
        api_fail(r, API_BAD_DATA, d.text);
        arena_fini(&a);
        return;
    }
    l.matchers = matchers;
    l.out = api_begin(r);
    buf_put_u8(l.out, '[');
    scraper_each_active(api_of(r)->scraper, STR(""), put_target_metadata, &l);
    buf_put_u8(l.out, ']');
    api_end(l.out, NULL, 0, NULL, 0);
    if (matchers != NULL)
        promql_selector_fini(matchers, l.matcher_count);
    arena_fini(&a);
}

/* ---- Jobs ---- */

static void put_pool_name(void *arg, const struct scrape_pool_view *p)
{
    struct target_list *l = arg;
    if (l->count++ > 0)
        buf_put_u8(l->out, ',');
    json_str(l->out, p->job);
}

void api_scrape_pools(struct http_request *r)
{
    struct target_list l = {.out = api_begin(r)};
    buf_put_str(l.out, STR("{\"scrapePools\":["));
    scraper_each_pool(api_of(r)->scraper, put_pool_name, &l);
    buf_put_str(l.out, STR("]}"));
    api_end(l.out, NULL, 0, NULL, 0);
}

static void fail_pool(struct http_request *r, str pool)
{
    struct buf b = {0};
    buf_put_str(&b, STR("error retrieving scrape config: scrape pool "));
    utf8_quote(&b, pool);
    buf_put_str(&b, STR(" not found"));
    api_fail(r, API_BAD_DATA, buf_cstr(&b));
    buf_fini(&b);
}

struct pool_search {
    str job;
    bool found;
    struct buf yaml;            /* for its configuration */
    struct relabel_labels *set; /* for relabelling: what the rules work on, and their steps */
    struct buf *steps;
    err status;
};

static void find_yaml(void *arg, const struct scrape_pool_view *p)
{
    struct pool_search *s = arg;
    if (!str_eq(p->job, s->job))
        return;
    s->found = true;
    config_job_yaml(p->config, &s->yaml);
}

void api_scrape_pool_config(struct http_request *r)
{
    struct pool_search s = {.job = http_param(r, STR("scrapePool"))};
    if (s.job.len == 0) {
        api_fail(r, API_BAD_DATA, "no scrapePool parameter provided");
        return;
    }
    scraper_each_pool(api_of(r)->scraper, find_yaml, &s);
    if (s.found) {
        struct buf *b = api_begin(r);
        buf_put_str(b, STR("{\"yaml\":"));
        json_str(b, buf_str(&s.yaml));
        buf_put_u8(b, '}');
        api_end(b, NULL, 0, NULL, 0);
    } else {
        fail_pool(r, s.job);
    }
    buf_fini(&s.yaml);
}

/* ---- Relabelling step by step ---- */

static void put_steps(void *arg, const struct scrape_pool_view *p)
{
    struct pool_search *s = arg;
    bool keep = true;
    if (!str_eq(p->job, s->job))
        return;
    s->found = true;
    for (size_t i = 0; i < p->config->relabel.count && keep && s->status == OK; i++) {
        const struct relabel_config *rule = &p->config->relabel.items[i];
        s->status = relabel_apply(rule, s->set, &keep);
        buf_put_str(s->steps, i > 0 ? STR(",{\"rule\":") : STR("{\"rule\":"));
        config_rule_json(rule, s->steps);
        buf_put_str(s->steps, STR(",\"output\":"));
        labels_json(s->steps, keep ? relabel_labels_done(s->set) : (struct labels){NULL, 0});
        buf_printf(s->steps, ",\"keep\":%s}", keep ? "true" : "false");
    }
}

/* The labels of a JSON object. */
static err read_labels(str json, struct jtree **tree, struct relabel_labels *set, struct arena *a,
                       struct diag *d)
{
    struct jtree_member m = {.at = NULL};
    size_t count = 0;
    TRY(jtree_parse(str_bytes(json), tree, d));
    if (!jtree_is_object(*tree))
        return diag_set(d, ERR_INVALID, "not an object of texts");
    struct label *items = ARENA_ARRAY(a, struct label, jtree_count(*tree) + 1);
    if (items == NULL)
        return diag_set(d, ERR_LIMIT, "too many labels");
    while (jtree_next(*tree, &m)) {
        if (!jtree_is_text(m.value))
            return diag_set(d, ERR_INVALID, "label \"" STR_FMT "\" is not a text", STR_ARG(m.key));
        items[count++] = (struct label){m.key, jtree_text(m.value)};
    }
    struct labels ls = {items, labels_sort(items, count)};
    if (relabel_labels_base(set, ls) != OK)
        return diag_set(d, ERR_LIMIT, "too many labels");
    return OK;
}

static void answer_steps(struct http_request *r, struct pool_search *s, str json)
{
    struct diag d = {.text = ""};
    struct jtree *tree = NULL;
    if (read_labels(json, &tree, s->set, s->set->arena, &d) != OK) {
        struct buf b = {0};
        buf_printf(&b, "error parsing labels: %s", d.text);
        api_fail(r, API_BAD_DATA, buf_cstr(&b));
        buf_fini(&b);
    } else {
        scraper_each_pool(api_of(r)->scraper, put_steps, s);
        if (!s->found) {
            fail_pool(r, s->job);
        } else if (s->status != OK) {
            api_fail(r, API_BAD_DATA, "relabelling makes too large labels");
        } else {
            struct buf *b = api_begin(r);
            buf_put_str(b, STR("{\"steps\":["));
            buf_put_str(b, buf_str(s->steps));
            buf_put_str(b, STR("]}"));
            api_end(b, NULL, 0, NULL, 0);
        }
    }
    jtree_free(tree);
}

void api_relabel_steps(struct http_request *r)
{
    struct pool_search s = {.job = http_param(r, STR("scrapePool"))};
    struct relabel_labels set;
    struct buf steps = {0};
    struct arena a;
    str json = http_param(r, STR("labels"));
    if (s.job.len == 0 || json.len == 0) {
        api_fail(r, API_BAD_DATA,
                 s.job.len == 0 ? "no scrapePool parameter provided"
                                : "no labels parameter provided");
        return;
    }
    arena_init(&a, STEPS_BYTES_MAX);
    relabel_labels_init(&set, &a);
    s.set = &set;
    s.steps = &steps;
    answer_steps(r, &s, json);
    relabel_labels_fini(&set);
    arena_fini(&a);
    buf_fini(&steps);
}
