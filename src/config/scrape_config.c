/* scrape_config.c -- scrape_configs of prometheus.yml: read, completed from `global`, checked. */
#include <stddef.h>
#include <stdio.h>

#include "config/config_priv.h"

#define JOB(name)   offsetof(struct scrape_config, name)
#define LIMIT(name) offsetof(struct scrape_config, limits.name)

const char *const SCRAPE_PROTOCOL_NAMES[] = {"OpenMetricsText0.0.1", "OpenMetricsText1.0.0",
                                             "PrometheusProto",      "PrometheusText0.0.4",
                                             "PrometheusText1.0.0",  NULL};
const char *const NAME_SCHEMES[] = {"", "legacy", "utf8", NULL};
const char *const NAME_ESCAPINGS[] = {"", "allow-utf-8", "underscores", "dots", "values", NULL};

/* ---- Protocols ---- */

static err find_protocol(struct decode *c, const struct yaml *n, str text, int *out)
{
    for (int i = 0; i < SCRAPE_PROTOCOLS; i++) {
        if (str_eq(text, str_from(SCRAPE_PROTOCOL_NAMES[i]))) {
            *out = i;
            return OK;
        }
    }
    return decode_fail(c, n,
                       "unknown scrape protocol " STR_FMT
                       ", supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto "
                       "PrometheusText0.0.4 PrometheusText1.0.0]",
                       STR_ARG(text));
}

err scrape_protocols_read(struct decode *c, const struct yaml *n, void *place)
{
    struct scrape_protocols *list = place;
    struct texts names = {0};
    if (n->type == YAML_NULL)
        return OK;
    TRY(decode_texts(c, n, &names));
    if (names.count == 0)
        return decode_fail(c, n, "scrape_protocols cannot be empty");
    for (size_t i = 0; i < names.count; i++) {
        int which;
        TRY(find_protocol(c, n, names.items[i], &which));
        for (size_t k = 0; k < list->count; k++)
            if (list->items[k] == which)
                return decode_fail(c, n, "duplicated protocol in scrape_protocols");
        list->items[list->count++] = (uint8_t)which;
    }
    return OK;
}

bool scrape_protocols_print(const void *place, struct yaml_out *out)
{
    const struct scrape_protocols *list = place;
    if (list->count == 0 || out == NULL)
        return list->count > 0;
    print_list_begin(out);
    for (size_t i = 0; i < list->count; i++)
        print_text(out, str_from(SCRAPE_PROTOCOL_NAMES[list->items[i]]));
    print_list_end(out);
    return true;
}

static err read_fallback(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    return text.len > 0 ? find_protocol(c, n, text, place) : OK;
}

static bool print_fallback(const void *place, struct yaml_out *out)
{
    int which = *(const int *)place;
    if (which == SCRAPE_PROTOCOLS)
        return false;
    if (out != NULL)
        print_text(out, str_from(SCRAPE_PROTOCOL_NAMES[which]));
    return true;
}

/* ---- Names ---- */

err name_scheme_read(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    for (int i = 0; NAME_SCHEMES[i] != NULL; i++) {
        if (str_eq(text, str_from(NAME_SCHEMES[i]))) {
            *(int *)place = i;
            return OK;
        }
    }
    return decode_fail(c, n, "unrecognized ValidationScheme: \"" STR_FMT "\"", STR_ARG(text));
}

static bool print_scheme(const void *place, struct yaml_out *out)
{
    int v = *(const int *)place;
    if (v != NAMES_UNSET && out != NULL)
        print_text(out, str_from(NAME_SCHEMES[v]));
    return v != NAMES_UNSET;
}

/* ---- Parameters: {name: [value, ...]}, printed in the order of names ---- */

static err read_params(struct decode *c, const struct yaml *n, void *place)
{
    struct multimap *m = place;
    size_t count = 0;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_MAP)
        return decode_fail(c, n, "must be a map of lists");
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        count++;
    m->items = ARENA_ARRAY(c->arena, struct named_texts, count + 1);
    if (m->items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        size_t at = m->count++;
        for (; at > 0 && str_cmp(child->key, m->items[at - 1].name) < 0; at--)
            m->items[at] = m->items[at - 1];
        m->items[at] = (struct named_texts){.name = arena_str(c->arena, child->key)};
        TRY(decode_texts(c, child, &m->items[at].values));
    }
    return OK;
}

static bool print_params(const void *place, struct yaml_out *out)
{
    const struct multimap *m = place;
    if (m->count == 0 || out == NULL)
        return m->count > 0;
    print_map_begin(out);
    for (size_t i = 0; i < m->count; i++) {
        print_text(out, m->items[i].name);
        print_texts(out, m->items[i].values);
    }
    print_map_end(out);
    return true;
}

/* ---- The job ---- */

static err read_relabel(struct decode *c, const struct yaml *n, void *place)
{
    return relabel_read(c, n, place, "empty or null target relabeling rule in scrape config");
}

static err read_metric_relabel(struct decode *c, const struct yaml *n, void *place)
{
    return relabel_read(c, n, place, "empty or null metric relabeling rule in scrape config");
}

static const struct decode_field FIELDS[] = {
    {.key = "job_name", .kind = DECODE_TEXT, .offset = JOB(job_name), .shown_when_zero = true},
    {.key = "honor_labels", .kind = DECODE_BOOL, .offset = JOB(honor_labels)},
    {.key = "honor_timestamps",
     .kind = DECODE_BOOL,
     .offset = JOB(honor_timestamps),
     .shown_when_zero = true},
    {.key = "track_timestamps_staleness",
     .kind = DECODE_BOOL,
     .offset = JOB(track_timestamps_staleness),
     .shown_when_zero = true},
    {.key = "params",
     .kind = DECODE_CUSTOM,
     .offset = JOB(params),
     .custom = read_params,
     .print = print_params},
    {.key = "scrape_interval", .kind = DECODE_DURATION, .offset = JOB(scrape_interval_ms)},
    {.key = "scrape_timeout", .kind = DECODE_DURATION, .offset = JOB(scrape_timeout_ms)},
    {.key = "scrape_protocols",
     .kind = DECODE_CUSTOM,
     .offset = JOB(protocols),
     .custom = scrape_protocols_read,
     .print = scrape_protocols_print},
    {.key = "fallback_scrape_protocol",
     .kind = DECODE_CUSTOM,
     .offset = JOB(fallback_protocol),
     .custom = read_fallback,
     .print = print_fallback},
    {.key = "scrape_native_histograms",
     .kind = DECODE_TRISTATE,
     .offset = JOB(scrape_native_histograms)},
    {.key = "always_scrape_classic_histograms",
     .kind = DECODE_TRISTATE,
     .offset = JOB(always_scrape_classic_histograms)},
    {.key = "convert_classic_histograms_to_nhcb",
     .kind = DECODE_TRISTATE,
     .offset = JOB(convert_classic_histograms_to_nhcb)},
    {.key = "scrape_failure_log_file", .kind = DECODE_PATH, .offset = JOB(failure_log_file)},
    {.key = "metrics_path", .kind = DECODE_TEXT, .offset = JOB(metrics_path)},
    {.key = "scheme", .kind = DECODE_TEXT, .offset = JOB(scheme)},
    {.key = "enable_compression",
     .kind = DECODE_BOOL,
     .offset = JOB(enable_compression),
     .shown_when_zero = true},
    {.key = "body_size_limit", .kind = DECODE_BYTES, .offset = LIMIT(body_size_bytes)},
    {.key = "sample_limit", .kind = DECODE_LIMIT, .offset = LIMIT(samples)},
    {.key = "target_limit", .kind = DECODE_LIMIT, .offset = LIMIT(targets)},
    {.key = "label_limit", .kind = DECODE_LIMIT, .offset = LIMIT(labels)},
    {.key = "label_name_length_limit", .kind = DECODE_LIMIT, .offset = LIMIT(label_name_bytes)},
    {.key = "label_value_length_limit", .kind = DECODE_LIMIT, .offset = LIMIT(label_value_bytes)},
    {.key = "native_histogram_bucket_limit",
     .kind = DECODE_LIMIT,
     .offset = JOB(native_histogram_bucket_limit)},
    {.key = "native_histogram_min_bucket_factor",
     .kind = DECODE_FLOAT,
     .offset = JOB(native_histogram_min_bucket_factor)},
    {.key = "keep_dropped_targets", .kind = DECODE_LIMIT, .offset = LIMIT(keep_dropped_targets)},
    {.key = "metric_name_validation_scheme",
     .kind = DECODE_CUSTOM,
     .offset = JOB(names),
     .custom = name_scheme_read,
     .print = print_scheme},
    {.key = "metric_name_escaping_scheme",
     .kind = DECODE_ENUM,
     .offset = JOB(escaping),
     .names = NAME_ESCAPINGS},
    {.key = "extra_scrape_metrics", .kind = DECODE_TRISTATE, .offset = JOB(extra_scrape_metrics)},
    {.kind = DECODE_INLINE, .offset = JOB(http), .schema = &HTTP_CLIENT_SCHEMA},
    {.key = "relabel_configs",
     .kind = DECODE_CUSTOM,
     .offset = JOB(relabel),
     .custom = read_relabel,
     .print = relabel_print},
    {.key = "metric_relabel_configs",
     .kind = DECODE_CUSTOM,
     .offset = JOB(metric_relabel),
     .custom = read_metric_relabel,
     .print = relabel_print},
    {.kind = DECODE_INLINE, .offset = JOB(discovery), .schema = &SD_SCHEMA},
};

static void job_defaults(void *s)
{
    struct scrape_config *j = s;
    j->metrics_path = STR("/metrics");
    j->scheme = STR("http");
    j->honor_timestamps = j->enable_compression = true;
    j->fallback_protocol = SCRAPE_PROTOCOLS;
    j->scrape_native_histograms = j->always_scrape_classic_histograms = -1;
    j->convert_classic_histograms_to_nhcb = j->extra_scrape_metrics = -1;
}

static err job_read(struct decode *c, const struct yaml *n, void *s)
{
    struct scrape_config *j = s;
    j->place = config_place_of(c, n);
    if (j->job_name.len == 0)
        return decode_fail(c, n, "job_name is empty");
    if (j->scheme.len == 0)
        j->scheme = STR("http");
    const struct yaml *path = yaml_get(n, STR("metrics_path"));
    if (path != NULL && path->type == YAML_NULL) /* "" is a path: that of the root */
        j->metrics_path = STR("/metrics");
    return j->relabel.count == 0 ? static_targets_check(c, &j->discovery) : OK;
}

const struct decode_schema SCRAPE_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct scrape_config),
    .defaults = job_defaults,
    .finish = job_read,
    .type = "config.ScrapeConfig",
};

/* ---- With the global settings ---- */

static void inherit_limits(struct scrape_limits *l, const struct scrape_limits *g)
{
    l->body_size_bytes = l->body_size_bytes == 0 ? g->body_size_bytes : l->body_size_bytes;
    l->samples = l->samples == 0 ? g->samples : l->samples;
    l->targets = l->targets == 0 ? g->targets : l->targets;
    l->labels = l->labels == 0 ? g->labels : l->labels;
    l->label_name_bytes = l->label_name_bytes == 0 ? g->label_name_bytes : l->label_name_bytes;
    l->label_value_bytes = l->label_value_bytes == 0 ? g->label_value_bytes : l->label_value_bytes;
    l->keep_dropped_targets =
        l->keep_dropped_targets == 0 ? g->keep_dropped_targets : l->keep_dropped_targets;
}

static void inherit_protocols(struct scrape_config *j, const struct global_config *g)
{
    static const struct scrape_protocols TEXT = {
        {SCRAPE_OPENMETRICS_1_0_0, SCRAPE_OPENMETRICS_0_0_1, SCRAPE_TEXT_1_0_0, SCRAPE_TEXT_0_0_4},
        4};
    static const struct scrape_protocols PROTO_FIRST = {{SCRAPE_PROTO, SCRAPE_OPENMETRICS_1_0_0,
                                                         SCRAPE_OPENMETRICS_0_0_1,
                                                         SCRAPE_TEXT_1_0_0, SCRAPE_TEXT_0_0_4},
                                                        5};
    if (j->scrape_native_histograms < 0)
        j->scrape_native_histograms = g->scrape_native_histograms;
    if (j->protocols.count == 0)
        j->protocols = g->protocols.count > 0             ? g->protocols
                       : j->scrape_native_histograms == 1 ? PROTO_FIRST
                                                          : TEXT;
    if (j->always_scrape_classic_histograms < 0)
        j->always_scrape_classic_histograms = g->always_scrape_classic_histograms;
    if (j->convert_classic_histograms_to_nhcb < 0)
        j->convert_classic_histograms_to_nhcb = g->convert_classic_histograms_to_nhcb;
    if (j->extra_scrape_metrics < 0)
        j->extra_scrape_metrics = g->extra_scrape_metrics;
}

/* A job that sets only its scheme of names takes the escaping that goes with it. */
static err inherit_names(struct decode *c, struct scrape_config *j, const struct global_config *g)
{
    int global_escaping = g->escaping;
    bool local = j->names != NAMES_UNSET;
    if (global_escaping == ESCAPING_UNSET)
        global_escaping = g->names == NAMES_LEGACY ? ESCAPING_UNDERSCORES : ESCAPING_ALLOW_UTF8;
    if (!local)
        j->names = g->names;
    if (j->escaping == ESCAPING_UNSET && !local)
        j->escaping = global_escaping;
    else if (j->escaping == ESCAPING_UNSET)
        j->escaping = j->names == NAMES_LEGACY ? ESCAPING_UNDERSCORES : ESCAPING_ALLOW_UTF8;
    if (j->escaping == ESCAPING_ALLOW_UTF8 && j->names != NAMES_UTF8)
        return config_fail_at(
            c, j->place, "utf8 metric names requested but validation scheme is not set to UTF8");
    return OK;
}

err scrape_finish(struct decode *c, struct scrape_config *j, const struct global_config *g)
{
    if (j->scrape_interval_ms == 0)
        j->scrape_interval_ms = g->scrape_interval_ms;
    if (j->scrape_timeout_ms > j->scrape_interval_ms)
        return config_fail_at(c, j->place,
                              "scrape timeout greater than scrape interval for scrape config with "
                              "job name \"" STR_FMT "\"",
                              STR_ARG(j->job_name));
    if (j->scrape_timeout_ms == 0)
        j->scrape_timeout_ms = MIN(g->scrape_timeout_ms, j->scrape_interval_ms);
    inherit_limits(&j->limits, &g->limits);
    if (j->failure_log_file.len == 0)
        j->failure_log_file = g->failure_log_file;
    inherit_protocols(j, g);
    TRY(inherit_names(c, j, g));
    TRY(relabel_check_all(c, &j->relabel, j->names));
    return relabel_check_all(c, &j->metric_relabel, j->names);
}
