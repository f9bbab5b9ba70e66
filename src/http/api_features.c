/* api_features.c -- /api/v1/features: what this server can do, by category and name, in the names
 * Prometheus 3.14 has for it. A name is true when it holds here, whatever holds upstream by
 * default.
 */
#include <stddef.h>

#include "http/api.h"

enum source { NEVER, ALWAYS, SWITCH };

struct feature {
    const char *name;
    enum source source;
    size_t switch_at; /* of a bool in struct api, for SWITCH */
};

#define ON(name)                                                                                   \
    {                                                                                              \
        name, ALWAYS, 0                                                                            \
    }
#define OFF(name)                                                                                  \
    {                                                                                              \
        name, NEVER, 0                                                                             \
    }
#define BY(name, field)                                                                            \
    {                                                                                              \
        name, SWITCH, offsetof(struct api, field)                                                  \
    }

static const struct feature API[] = {
    BY("admin", admin),
    OFF("exclude_alerts"),
    ON("label_values_match"),
    BY("lifecycle", lifecycle),
    ON("openapi_3.1"),
    ON("openapi_3.2"),
    OFF("otlp_write_receiver"),
    ON("query_stats"),
    ON("query_warnings"),
    BY("remote_write_receiver", remote_write),
    BY("search", search),
    ON("search_fuzz_alg_jarowinkler"),
    ON("search_fuzz_alg_subsequence"),
    ON("time_range_labels"),
    ON("time_range_series"),
};
static const struct feature OTLP[] = {OFF("delta_conversion"), OFF("native_delta_ingestion")};
static const struct feature SERVER[] = {OFF("agent_mode"), OFF("auto_reload_config"),
                                        ON("server_mode"), OFF("stringlabels")};
static const struct feature PROMQL[] = {
    BY("anchored", features.extended_range_selectors),
    ON("at_modifier"),
    ON("bool"),
    ON("by"),
    BY("delayed_name_removal", features.delayed_name_removal),
    ON("duration_expr"),
    BY("fill", features.fill_modifiers),
    BY("fill_left", features.fill_modifiers),
    BY("fill_right", features.fill_modifiers),
    ON("group_left"),
    ON("group_right"),
    ON("ignoring"),
    ON("negative_offset"),
    ON("offset"),
    ON("on"),
    ON("per_query_lookback_delta"),
    BY("per_step_stats", per_step_stats),
    BY("smoothed", features.extended_range_selectors),
    ON("subqueries"),
    BY("type_and_unit_labels", features.type_and_unit_labels),
    ON("without"),
};
static const struct feature OPERATORS[] = {
    ON("!="),
    ON("!~"),
    ON("%"),
    ON("*"),
    ON("+"),
    ON("-"),
    ON("/"),
    ON("<"),
    ON("</"),
    ON("<="),
    ON("=="),
    ON("=~"),
    ON(">"),
    ON(">/"),
    ON(">="),
    ON("@"),
    ON("^"),
    ON("and"),
    ON("atan2"),
    ON("avg"),
    ON("bottomk"),
    ON("count"),
    ON("count_values"),
    ON("group"),
    BY("limit_ratio", features.experimental_functions),
    BY("limitk", features.experimental_functions),
    ON("max"),
    ON("min"),
    ON("or"),
    ON("quantile"),
    ON("stddev"),
    ON("stdvar"),
    ON("sum"),
    ON("topk"),
    ON("unless"),
};
static const struct feature RULES[] = {OFF("concurrent_rule_eval"), ON("keep_firing_for"),
                                       ON("query_offset")};
static const struct feature SCRAPE[] = {OFF("extra_scrape_metrics"),
                                        OFF("start_timestamp_zero_ingestion"),
                                        OFF("type_and_unit_labels")};
static const struct feature DISCOVERY[] = {
    OFF("aws"),       OFF("azure"),       OFF("consul"),   OFF("digitalocean"), OFF("dns"),
    OFF("docker"),    OFF("dockerswarm"), OFF("ec2"),      OFF("ecs"),          OFF("elasticache"),
    OFF("eureka"),    OFF("file"),        OFF("gce"),      OFF("hetzner"),      OFF("http"),
    OFF("ionos"),     OFF("kubernetes"),  OFF("kuma"),     OFF("lightsail"),    OFF("linode"),
    OFF("marathon"),  OFF("msk"),         OFF("nerve"),    OFF("nomad"),        OFF("oci"),
    OFF("openstack"), OFF("outscale"),    OFF("ovhcloud"), OFF("puppetdb"),     OFF("rds"),
    OFF("scaleway"),  OFF("serverset"),   OFF("stackit"),  OFF("static"),       OFF("triton"),
    OFF("uyuni"),     OFF("vultr"),
};
static const struct feature TEMPLATES[] = {
    OFF("args"),
    OFF("externalURL"),
    OFF("first"),
    OFF("graphLink"),
    OFF("humanize"),
    OFF("humanize1024"),
    OFF("humanizeDuration"),
    OFF("humanizePercentage"),
    OFF("humanizeTimestamp"),
    OFF("label"),
    OFF("match"),
    OFF("now"),
    OFF("parseDuration"),
    OFF("pathPrefix"),
    OFF("query"),
    OFF("reReplaceAll"),
    OFF("safeHtml"),
    OFF("sortByLabel"),
    OFF("stripDomain"),
    OFF("stripPort"),
    OFF("strvalue"),
    OFF("tableLink"),
    OFF("title"),
    OFF("toDuration"),
    OFF("toLower"),
    OFF("toTime"),
    OFF("toUpper"),
    OFF("urlQueryEscape"),
    OFF("value"),
};
static const struct feature TSDB[] = {
    OFF("delayed_compaction"), ON("exemplar_storage"),  OFF("histograms_st_encoding"),
    OFF("isolation"),          ON("native_histograms"), ON("st_storage"),
    OFF("use_uncached_io"),    OFF("xor2_encoding"),
};
static const struct feature UI[] = {OFF("ui_v2"), OFF("ui_v3")};

static void put_one(struct buf *b, bool first, const char *name, bool on)
{
    buf_printf(b, "%s\"%s\":%s", first ? "" : ",", name, on ? "true" : "false");
}

/* Operators hold <, > and &: escaped as in every string that is no label. */
static void put_escaped(struct buf *b, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '<' || *name == '>')
            buf_printf(b, "\\u00%02x", (unsigned)*name);
        else
            buf_put_u8(b, (uint8_t)*name);
    }
}

static void put_list(struct buf *b, const struct api *api, const struct feature *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const bool *on = (const bool *)(const void *)((const char *)api + list[i].switch_at);
        struct buf name = {0};
        put_escaped(&name, list[i].name);
        put_one(b, i == 0, buf_cstr(&name),
                list[i].source == ALWAYS || (list[i].source == SWITCH && *on));
        buf_fini(&name);
    }
}

static void put_functions(struct buf *b, const struct api *api)
{
    for (unsigned i = 0; i < FUNC_COUNT; i++) {
        const struct func_sig *f = func_sig((enum func_id)i);
        buf_printf(b, "%s\"" STR_FMT "\":%s", i > 0 ? "," : "", STR_ARG(f->name),
                   !f->experimental || api->features.experimental_functions ? "true" : "false");
    }
}

#define CATEGORY(name, list)                                                                       \
    {                                                                                              \
        name, list, COUNT_OF(list)                                                                 \
    }

void features_json(const struct api *api, struct buf *b)
{
    static const struct {
        const char *name;
        const struct feature *list; /* NULL: the functions of PromQL */
        size_t count;
    } CATEGORIES[] = {
        CATEGORY("api", API),
        CATEGORY("otlp_receiver", OTLP),
        CATEGORY("prometheus", SERVER),
        CATEGORY("promql", PROMQL),
        {"promql_functions", NULL, 0},
        CATEGORY("promql_operators", OPERATORS),
        CATEGORY("rules", RULES),
        CATEGORY("scrape", SCRAPE),
        CATEGORY("service_discovery_providers", DISCOVERY),
        CATEGORY("templating_functions", TEMPLATES),
        CATEGORY("tsdb", TSDB),
        CATEGORY("ui", UI),
    };
    buf_put_u8(b, '{');
    for (size_t i = 0; i < COUNT_OF(CATEGORIES); i++) {
        buf_printf(b, "%s\"%s\":{", i > 0 ? "," : "", CATEGORIES[i].name);
        if (CATEGORIES[i].list == NULL)
            put_functions(b, api);
        else
            put_list(b, api, CATEGORIES[i].list, CATEGORIES[i].count);
        buf_put_u8(b, '}');
    }
    buf_put_u8(b, '}');
}

void api_features(struct http_request *r)
{
    struct buf *b = api_begin(r);
    features_json(api_of(r), b);
    api_end(b, NULL, 0, NULL, 0);
}
