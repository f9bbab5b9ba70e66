/* slo_plugins.c -- see slo_plugins.h. Sloth reads configurations as Go reads JSON: names of keys
 * in any case, and what is unknown is left alone (here it is told of as a warning). */
#include "config/slo_plugins.h"

#include <assert.h>
#include <math.h>

#include "config/slo_file_priv.h"

/* ---- Configurations ---- */

#define CONFIG(type, name) offsetof(struct slo_##type##_config, name)
#define SCHEMA_OF(type, TABLE)                                                                     \
    .fields = (TABLE), .field_count = COUNT_OF(TABLE), .size = sizeof(struct slo_##type##_config)

static const struct decode_field DEBUG_FIELDS[] = {
    {.key = "msg", .kind = DECODE_TEXT, .offset = CONFIG(debug, text)},
    {.key = "request", .kind = DECODE_BOOL, .offset = CONFIG(debug, request)},
    {.key = "result", .kind = DECODE_BOOL, .offset = CONFIG(debug, result)},
};
static const struct decode_schema DEBUG_CONFIG = {SCHEMA_OF(debug, DEBUG_FIELDS)};

static const struct decode_field RATIO_FIELDS[] = {
    {.key = "disableOptimized", .kind = DECODE_BOOL, .offset = CONFIG(ratio, not_optimized)},
};
static const struct decode_schema RATIO_CONFIG = {SCHEMA_OF(ratio, RATIO_FIELDS)};

static err budget_alert_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct slo_budget_alert_config *v = s;
    if (!isfinite(v->threshold))
        return decode_fail(c, n, "threshold must be a number");
    if (v->for_ms == 0)
        v->for_ms = 5 * 60 * 1000;
    if (v->name.len == 0)
        v->name = STR("ErrorBudgetExhausted");
    TRY(slo_check_labels(c, n, &v->selector_labels));
    return slo_check_labels(c, n, &v->labels);
}

static const struct decode_field BUDGET_ALERT_FIELDS[] = {
    {.key = "threshold", .kind = DECODE_FLOAT, .offset = CONFIG(budget_alert, threshold)},
    {.key = "for", .kind = DECODE_DURATION, .offset = CONFIG(budget_alert, for_ms)},
    {.key = "alert_name", .kind = DECODE_TEXT, .offset = CONFIG(budget_alert, name)},
    {.key = "annotations", .kind = DECODE_PAIRS, .offset = CONFIG(budget_alert, annotations)},
    {.key = "selector_labels",
     .kind = DECODE_PAIRS,
     .offset = CONFIG(budget_alert, selector_labels)},
    {.key = "alert_labels", .kind = DECODE_PAIRS, .offset = CONFIG(budget_alert, labels)},
};
static const struct decode_schema BUDGET_ALERT_CONFIG = {
    SCHEMA_OF(budget_alert, BUDGET_ALERT_FIELDS),
    .finish = budget_alert_finish,
};

static err info_labels_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct slo_info_labels_config *v = s;
    if (v->labels.count == 0)
        return decode_fail(c, n, "labels: at least one label is required");
    if (v->metric.len == 0)
        v->metric = STR("sloth_slo_info");
    return slo_check_labels(c, n, &v->labels);
}

static const struct decode_field INFO_LABELS_FIELDS[] = {
    {.key = "labels", .kind = DECODE_PAIRS, .offset = CONFIG(info_labels, labels)},
    {.key = "metricName", .kind = DECODE_TEXT, .offset = CONFIG(info_labels, metric)},
};
static const struct decode_schema INFO_LABELS_CONFIG = {
    SCHEMA_OF(info_labels, INFO_LABELS_FIELDS),
    .finish = info_labels_finish,
};

static const struct decode_field REMOVE_LABELS_FIELDS[] = {
    {.key = "preserveLabels", .kind = DECODE_TEXTS, .offset = CONFIG(remove_labels, preserve)},
    {.key = "skipMetrics", .kind = DECODE_TEXTS, .offset = CONFIG(remove_labels, skip_metrics)},
};
static const struct decode_schema REMOVE_LABELS_CONFIG = {
    SCHEMA_OF(remove_labels, REMOVE_LABELS_FIELDS)};

static const struct decode_field INTERVAL_FIELDS[] = {
    {.key = "default", .kind = DECODE_DURATION, .offset = CONFIG(intervals, default_ms)},
    {.key = "sliError", .kind = DECODE_DURATION, .offset = CONFIG(intervals, sli_ms)},
    {.key = "metadata", .kind = DECODE_DURATION, .offset = CONFIG(intervals, meta_ms)},
    {.key = "alert", .kind = DECODE_DURATION, .offset = CONFIG(intervals, alert_ms)},
};
static const struct decode_schema INTERVAL_SCHEMA = {SCHEMA_OF(intervals, INTERVAL_FIELDS)};

static err intervals_finish(struct decode *c, const struct yaml *n, void *s)
{
    if (((const struct slo_intervals_config *)s)->default_ms > 0)
        return OK;
    return decode_fail(c, n, "interval: default is required");
}

static const struct decode_field INTERVALS_FIELDS[] = {
    {.key = "interval", .kind = DECODE_STRUCT, .offset = 0, .schema = &INTERVAL_SCHEMA},
};
static const struct decode_schema INTERVALS_CONFIG = {
    SCHEMA_OF(intervals, INTERVALS_FIELDS),
    .finish = intervals_finish,
};

/* ---- Plugins ---- */

static const struct {
    const char *id;
    const struct decode_schema *config; /* NULL: nothing can be configured */
} PLUGINS[SLO_PLUGIN_KINDS] = {
    [SLO_PLUGIN_DEBUG] = {"sloth.dev/core/debug/v1", &DEBUG_CONFIG},
    [SLO_PLUGIN_NOOP] = {"sloth.dev/core/noop/v1", NULL},
    [SLO_PLUGIN_VALIDATE] = {"sloth.dev/core/validate/v1", NULL},
    [SLO_PLUGIN_SLI_RULES] = {"sloth.dev/core/sli_rules/v1", &RATIO_CONFIG},
    [SLO_PLUGIN_METADATA_RULES] = {"sloth.dev/core/metadata_rules/v1", NULL},
    [SLO_PLUGIN_ALERT_RULES] = {"sloth.dev/core/alert_rules/v1", NULL},
    [SLO_PLUGIN_ALERT_ON_BUDGET] = {"sloth.dev/contrib/error_budget_exhausted_alert/v1",
                                    &BUDGET_ALERT_CONFIG},
    [SLO_PLUGIN_DENOMINATOR_CORRECTED] = {"sloth.dev/contrib/denominator_corrected_rules/v1",
                                          &RATIO_CONFIG},
    [SLO_PLUGIN_INFO_LABELS] = {"sloth.dev/contrib/info_labels/v1", &INFO_LABELS_CONFIG},
    [SLO_PLUGIN_REMOVE_LABELS] = {"sloth.dev/contrib/remove_labels/v1", &REMOVE_LABELS_CONFIG},
    [SLO_PLUGIN_RULE_INTERVALS] = {"sloth.dev/contrib/rule_intervals/v1", &INTERVALS_CONFIG},
    [SLO_PLUGIN_TOTAL_AMOUNT] = {"sloth.dev/contrib/sli_total_amount/v1", NULL},
    [SLO_PLUGIN_VALIDATE_METRICSQL] = {"sloth.dev/contrib/validate_victoria_metrics/v1", NULL},
};

struct entry { /* a plugin as it is read */
    struct slo_plugin plugin;
    const struct yaml *id, *config;
};

#define ENTRY(name) offsetof(struct entry, name)

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_key(str a, str b)
{
    bool same = a.len == b.len;
    for (size_t i = 0; same && i < a.len; i++)
        same = lower(a.ptr[i]) == lower(b.ptr[i]);
    return same;
}

static const struct decode_field *find_field(const struct decode_schema *schema, str key)
{
    for (size_t i = 0; i < schema->field_count; i++)
        if (same_key(str_from(schema->fields[i].key), key))
            return &schema->fields[i];
    return NULL;
}

/* A copy of a map, its keys as the table has them and without unknown ones, the last of which is
 * kept in `unknown`. */
static err take_known(struct decode *c, const struct decode_schema *schema, const struct yaml *n,
                      struct yaml *out, str *unknown)
{
    struct yaml **end = &out->first;
    *out = *n;
    out->first = NULL;
    for (const struct yaml *item = n->first; item != NULL; item = item->next) {
        const struct decode_field *f = find_field(schema, item->key);
        if (f == NULL) {
            *unknown = arena_str(c->arena, item->key);
            continue;
        }
        struct yaml *copy = ARENA_NEW(c->arena, struct yaml);
        if (copy == NULL)
            return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
        *copy = *item;
        copy->key = str_from(f->key);
        copy->next = NULL;
        if (f->kind == DECODE_STRUCT && item->type == YAML_MAP)
            TRY(take_known(c, f->schema, item, copy, unknown));
        *end = copy;
        end = &copy->next;
    }
    return OK;
}

static err keep_node(struct decode *c, const struct yaml *n, void *place)
{
    (void)c;
    memcpy(place, &n, sizeof(const struct yaml *));
    return OK;
}

static err read_config(struct decode *c, const struct yaml *n, struct entry *e)
{
    static_assert(offsetof(struct slo_plugin, debug) == offsetof(struct slo_plugin, intervals),
                  "one place for all configurations");
    const struct decode_schema *schema = PLUGINS[e->plugin.kind].config;
    struct yaml known = {.type = YAML_NULL, .line = n->line, .column = n->column};
    if (schema == NULL)
        return OK;
    if (e->config != NULL && e->config->type == YAML_MAP)
        TRY(take_known(c, schema, e->config, &known, &e->plugin.unknown));
    else if (e->config != NULL)
        known = *e->config;
    return decode_struct(c, schema, &known, &e->plugin.debug);
}

static err entry_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct entry *e = s;
    if (e->id == NULL)
        return decode_fail(c, n, "id: the plugin's id is required");
    TRY(decode_text(c, e->id, &e->plugin.id));
    e->plugin.line = e->id->line;
    e->plugin.column = e->id->column;
    for (size_t i = 0; i < SLO_PLUGIN_KINDS; i++)
        if (str_eq(e->plugin.id, str_from(PLUGINS[i].id))) {
            e->plugin.kind = (enum slo_plugin_kind)i;
            return read_config(c, n, e);
        }
    return decode_fail(c, e->id,
                       "no SLO plugin \"" STR_FMT
                       "\": those that come with Sloth are known; one's own are programs in Go, "
                       "which are not run: leave it out, or make the rules with Sloth and load "
                       "them as rule files",
                       (int)MIN(e->plugin.id.len, 80), e->plugin.id.ptr);
}

static const struct decode_field ENTRY_FIELDS[] = {
    {.key = "id", .kind = DECODE_CUSTOM, .offset = ENTRY(id), .custom = keep_node},
    {.key = "config", .kind = DECODE_CUSTOM, .offset = ENTRY(config), .custom = keep_node},
    {.key = "priority", .kind = DECODE_INT, .offset = ENTRY(plugin.priority)},
};
static const struct decode_schema ENTRY_SCHEMA = {
    .fields = ENTRY_FIELDS,
    .field_count = COUNT_OF(ENTRY_FIELDS),
    .size = sizeof(struct entry),
    .finish = entry_finish,
};

err slo_plugin_read(struct decode *c, const struct yaml *n, struct slo_plugin *out)
{
    struct entry e;
    TRY(decode_struct(c, &ENTRY_SCHEMA, n, &e));
    *out = e.plugin;
    return OK;
}

static err read_chain(struct decode *c, const struct yaml *n, void *place)
{
    struct slo_plugin_list *list = place;
    size_t count = 0;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list of plugins");
    for (const struct yaml *item = n->first; item != NULL; item = item->next)
        count++;
    if (count > SLO_PLUGINS_MAX)
        return decode_fail(c, n, "more than %d plugins", SLO_PLUGINS_MAX);
    list->items = ARENA_ARRAY(c->arena, struct slo_plugin, count + 1);
    if (list->items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (const struct yaml *item = n->first; item != NULL; item = item->next)
        TRY(slo_plugin_read(c, item, &list->items[list->count++]));
    return OK;
}

static err plugins_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct slo_plugins *p = s;
    if (p->override && p->chain.count == 0)
        return decode_fail(c, n, "overridePrevious without a chain: no step would be left");
    return OK;
}

#define PLUGINS_AT(name) offsetof(struct slo_plugins, name)

static const struct decode_field PLUGINS_FIELDS[] = {
    {.key = "overridePrevious", .kind = DECODE_BOOL, .offset = PLUGINS_AT(override)},
    {.key = "override_previous", .kind = DECODE_BOOL, .offset = PLUGINS_AT(override)},
    {.key = "chain", .kind = DECODE_CUSTOM, .offset = PLUGINS_AT(chain), .custom = read_chain},
};
const struct decode_schema SLO_PLUGINS_SCHEMA = {
    .fields = PLUGINS_FIELDS,
    .field_count = COUNT_OF(PLUGINS_FIELDS),
    .size = sizeof(struct slo_plugins),
    .check = plugins_check,
};

/* ---- Chains ---- */

/* By priority, equal ones in the order they were given. */
static void insert(struct slo_chain *chain, const struct slo_plugin *p)
{
    size_t at = chain->count++;
    for (; at > 0 && chain->items[at - 1].priority > p->priority; at--)
        chain->items[at] = chain->items[at - 1];
    chain->items[at] = *p;
}

err slo_chain_make(struct decode *c, const struct yaml *n, const struct slo_plugin_list *flags,
                   const struct slo_plugins *file, const struct slo_plugins *own,
                   struct slo_chain *out)
{
    struct slo_chain chain = {.override = file->override || own->override};
    const struct slo_plugin_list *parts[] = {chain.override ? NULL : flags,
                                             own->override ? NULL : &file->chain, &own->chain};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        count += parts[i] != NULL ? parts[i]->count : 0;
    if (count > SLO_PLUGINS_MAX)
        return decode_fail(c, n, "more than %d plugins", SLO_PLUGINS_MAX);
    chain.items = ARENA_ARRAY(c->arena, struct slo_plugin, count + 1);
    if (chain.items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        for (size_t k = 0; parts[i] != NULL && k < parts[i]->count; k++)
            insert(&chain, &parts[i]->items[k]);
    *out = chain;
    return OK;
}

bool slo_chain_has(const struct slo_chain *chain, enum slo_plugin_kind kind)
{
    bool usual = kind >= SLO_PLUGIN_VALIDATE && kind <= SLO_PLUGIN_ALERT_RULES;
    for (size_t i = 0; i < chain->count; i++)
        if (chain->items[i].kind == kind)
            return true;
    return usual && !chain->override;
}
