/* slo_openslo.c -- OpenSLO v1: documents to objects. What they say together is openslo_link.c. */
#include <math.h>

#include "base/number.h"
#include "config/slo_openslo_priv.h"

/* What the specification leaves to implementations and this one does not need: any YAML. */
static err skip(struct decode *c, const struct yaml *n, void *place)
{
    (void)c;
    (void)n;
    (void)place;
    return OK;
}

static err refuse(struct decode *c, const struct yaml *n, void *place)
{
    (void)place;
    return decode_fail(c, n, "is not supported");
}

/* ---- metadata ---- */

#define META(name) offsetof(struct openslo_meta, name)

/* OpenSLO's keys may hold '-', '.' and '/'; labels of series may not. */
static err label_name(struct decode *c, str key, str *out)
{
    char *text = arena_alloc(c->arena, key.len + 1);
    if (text == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (size_t i = 0; i < key.len; i++)
        text[i] = strchr("-./", key.ptr[i]) != NULL ? '_' : key.ptr[i];
    text[key.len] = '\0';
    *out = (str){text, key.len};
    return OK;
}

/* Several values of one key become one, with commas. */
static err label_value(struct decode *c, const struct yaml *n, str *out)
{
    struct texts all = {0};
    if (n->type == YAML_SCALAR)
        return decode_text(c, n, out);
    TRY(decode_texts(c, n, &all));
    size_t size = 1, used = 0;
    for (size_t i = 0; i < all.count; i++)
        size += all.items[i].len + 1;
    char *text = arena_alloc(c->arena, size);
    if (text == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (size_t i = 0; i < all.count; i++) {
        if (i > 0)
            text[used++] = ',';
        if (all.items[i].len > 0)
            memcpy(text + used, all.items[i].ptr, all.items[i].len);
        used += all.items[i].len;
    }
    *out = (str){text, used};
    return OK;
}

static err read_labels(struct decode *c, const struct yaml *n, void *place)
{
    struct pairs *out = place;
    size_t count = 0;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_MAP)
        return decode_fail(c, n, "must be a map");
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        count++;
    out->items = ARENA_ARRAY(c->arena, struct pair, count + 1);
    if (out->items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        struct pair *p = &out->items[out->count++];
        TRY(label_name(c, child->key, &p->name));
        TRY(label_value(c, child, &p->value));
    }
    return slo_check_labels(c, n, out);
}

static const struct decode_field META_FIELDS[] = {
    {.key = "name", .kind = DECODE_TEXT, .offset = META(name), .required = true},
    {.key = "displayName", .kind = DECODE_TEXT, .offset = META(title)},
    {.key = "labels", .kind = DECODE_CUSTOM, .offset = META(labels), .custom = read_labels},
    {.key = "annotations", .kind = DECODE_CUSTOM, .offset = META(name), .custom = skip},
};
static const struct decode_schema META_SCHEMA = {
    .fields = META_FIELDS,
    .field_count = COUNT_OF(META_FIELDS),
    .size = sizeof(struct openslo_meta),
};

/* ---- SLI ---- */

#define SOURCE(name) offsetof(struct openslo_source, name)
#define METRIC(name) offsetof(struct openslo_metric, name)
#define RATIO(name)  offsetof(struct openslo_ratio, name)
#define SLI(name)    offsetof(struct openslo_sli, name)

static const struct decode_field QUERY_FIELDS[] = {
    {.key = "query", .kind = DECODE_CUSTOM, .offset = 0, .custom = slo_text_field},
    {.key = "queryType", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
};
static const struct decode_schema QUERY_SCHEMA = {
    .fields = QUERY_FIELDS,
    .field_count = COUNT_OF(QUERY_FIELDS),
    .size = sizeof(struct slo_text),
};

static err source_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct openslo_source *v = s;
    bool prometheus = v->type.len == STR("prometheus").len;
    for (size_t i = 0; prometheus && i < v->type.len; i++)
        prometheus = (v->type.ptr[i] | 0x20) == "prometheus"[i];
    if (v->type.len > 0 && !prometheus)
        return decode_fail(c, n,
                           "type \"" STR_FMT "\": metrics are those of this server alone: "
                           "Prometheus",
                           STR_ARG(v->type));
    return v->query.text.len > 0 ? OK : decode_fail(c, n, "spec.query is required");
}

static const struct decode_field SOURCE_FIELDS[] = {
    {.key = "metricSourceRef", .kind = DECODE_TEXT, .offset = SOURCE(ref)},
    {.key = "type", .kind = DECODE_TEXT, .offset = SOURCE(type)},
    {.key = "spec", .kind = DECODE_STRUCT, .offset = SOURCE(query), .schema = &QUERY_SCHEMA},
};
static const struct decode_schema SOURCE_SCHEMA = {
    .fields = SOURCE_FIELDS,
    .field_count = COUNT_OF(SOURCE_FIELDS),
    .size = sizeof(struct openslo_source),
    .check = source_check,
};

static const struct decode_field METRIC_FIELDS[] = {
    {.key = "metricSource",
     .kind = DECODE_STRUCT,
     .offset = METRIC(source),
     .required = true,
     .schema = &SOURCE_SCHEMA},
};
static const struct decode_schema METRIC_SCHEMA = {
    .fields = METRIC_FIELDS,
    .field_count = COUNT_OF(METRIC_FIELDS),
    .size = sizeof(struct openslo_metric),
};

static const char *const RAW_TYPES[] = {"", "success", "failure", NULL};

static err ratio_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct openslo_ratio *r = s;
    bool events = r->good != NULL || r->bad != NULL || r->total != NULL;
    if (r->raw != NULL && events)
        return decode_fail(c, n, "raw cannot stand beside good, bad or total");
    if (r->raw != NULL)
        return r->raw_type != 0 ? OK : decode_fail(c, n, "rawType is required: success or failure");
    if (r->total == NULL)
        return decode_fail(c, n, "total (or raw) is required");
    if ((r->good != NULL) == (r->bad != NULL))
        return decode_fail(c, n, "exactly one of good and bad is required");
    return OK;
}

static const struct decode_field RATIO_FIELDS[] = {
    {.key = "counter", .kind = DECODE_BOOL, .offset = RATIO(counter)},
    {.key = "good", .kind = DECODE_POINTER, .offset = RATIO(good), .schema = &METRIC_SCHEMA},
    {.key = "bad", .kind = DECODE_POINTER, .offset = RATIO(bad), .schema = &METRIC_SCHEMA},
    {.key = "total", .kind = DECODE_POINTER, .offset = RATIO(total), .schema = &METRIC_SCHEMA},
    {.key = "rawType", .kind = DECODE_ENUM, .offset = RATIO(raw_type), .names = RAW_TYPES},
    {.key = "raw", .kind = DECODE_POINTER, .offset = RATIO(raw), .schema = &METRIC_SCHEMA},
};
static const struct decode_schema RATIO_SCHEMA = {
    .fields = RATIO_FIELDS,
    .field_count = COUNT_OF(RATIO_FIELDS),
    .size = sizeof(struct openslo_ratio),
    .check = ratio_check,
};

static err sli_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct openslo_sli *v = s;
    if ((v->threshold != NULL) == (v->ratio != NULL))
        return decode_fail(c, n, "exactly one of thresholdMetric and ratioMetric is required");
    return OK;
}

static const struct decode_field SLI_FIELDS[] = {
    {.key = "description", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "thresholdMetric",
     .kind = DECODE_POINTER,
     .offset = SLI(threshold),
     .schema = &METRIC_SCHEMA},
    {.key = "ratioMetric", .kind = DECODE_POINTER, .offset = SLI(ratio), .schema = &RATIO_SCHEMA},
};
static const struct decode_schema SLI_SCHEMA = {
    .fields = SLI_FIELDS,
    .field_count = COUNT_OF(SLI_FIELDS),
    .size = sizeof(struct openslo_sli),
    .check = sli_check,
};

static const struct decode_field INDICATOR_FIELDS[] = {
    {.key = "apiVersion", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "kind", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "metadata", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "spec", .kind = DECODE_STRUCT, .offset = 0, .required = true, .schema = &SLI_SCHEMA},
};
static const struct decode_schema INDICATOR_SCHEMA = {
    .fields = INDICATOR_FIELDS,
    .field_count = COUNT_OF(INDICATOR_FIELDS),
    .size = sizeof(struct openslo_sli),
};

/* ---- Alerts ---- */

#define CONDITION(name) offsetof(struct openslo_condition, name)
#define POLICY(name)    offsetof(struct openslo_policy, name)
#define LINK(name)      offsetof(struct openslo_link, name)

static const char *const CONDITION_KINDS[] = {"", "burnrate", NULL};
static const char *const OPS[] = {"", "lte", "lt", "gte", "gt", NULL};

static err rate_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct openslo_condition *v = s;
    if (!isfinite(v->threshold) || v->threshold <= 0)
        return decode_fail(c, n, "threshold is required: a burn rate above 0");
    if (v->lookback.len == 0)
        return decode_fail(c, n, "lookbackWindow is required");
    TRY(slo_shorthand_ms(c, n, v->lookback, &v->lookback_ms));
    TRY(slo_shorthand_ms(c, n, v->after.len > 0 ? v->after : STR("0m"), &v->after_ms));
    if (v->lookback_ms < 60000 || v->lookback_ms > 30 * 86400000LL)
        return decode_fail(c, n, "lookbackWindow must be of 1m to 30d");
    return OK;
}

static const struct decode_field RATE_FIELDS[] = {
    {.key = "kind", .kind = DECODE_ENUM, .offset = CONDITION(kind), .names = CONDITION_KINDS},
    {.key = "op", .kind = DECODE_ENUM, .offset = CONDITION(op), .names = OPS},
    {.key = "threshold", .kind = DECODE_FLOAT, .offset = CONDITION(threshold)},
    {.key = "lookbackWindow", .kind = DECODE_TEXT, .offset = CONDITION(lookback)},
    {.key = "alertAfter", .kind = DECODE_TEXT, .offset = CONDITION(after)},
};
static const struct decode_schema RATE_SCHEMA = {
    .fields = RATE_FIELDS,
    .field_count = COUNT_OF(RATE_FIELDS),
    .size = sizeof(struct openslo_condition),
    .finish = rate_finish,
};

struct condition_spec {
    str severity, description;
    struct openslo_condition rate;
};

static err condition_spec_read(struct decode *c, const struct yaml *n, void *place)
{
    static const struct decode_field FIELDS[] = {
        {.key = "description",
         .kind = DECODE_TEXT,
         .offset = offsetof(struct condition_spec, description)},
        {.key = "severity",
         .kind = DECODE_TEXT,
         .offset = offsetof(struct condition_spec, severity),
         .required = true},
        {.key = "condition",
         .kind = DECODE_STRUCT,
         .offset = offsetof(struct condition_spec, rate),
         .required = true,
         .schema = &RATE_SCHEMA},
    };
    static const struct decode_schema SCHEMA = {
        .fields = FIELDS,
        .field_count = COUNT_OF(FIELDS),
        .size = sizeof(struct condition_spec),
    };
    struct condition_spec v;
    TRY(decode_struct(c, &SCHEMA, n, &v));
    struct openslo_condition *out = place;
    *out = v.rate;
    out->severity = v.severity;
    out->description = v.description;
    return OK;
}

/* `- conditionRef: x`, or an object in place; the same with targetRef and alertPolicyRef. */
static err link_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct openslo_link *v = s;
    if ((v->ref.len > 0) == (v->condition != NULL || v->policy != NULL || v->target))
        return decode_fail(c, n, "either a reference or an object in place is required");
    return OK;
}

static err condition_pointer(struct decode *c, const struct yaml *n, void *place)
{
    struct openslo_condition *v = ARENA_NEW(c->arena, struct openslo_condition);
    if (v == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    *(struct openslo_condition **)place = v;
    return condition_spec_read(c, n, v);
}

static const struct decode_field CONDITION_LINK_FIELDS[] = {
    {.key = "conditionRef", .kind = DECODE_TEXT, .offset = LINK(ref)},
    {.key = "apiVersion", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "kind", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "metadata", .kind = DECODE_STRUCT, .offset = LINK(meta), .schema = &META_SCHEMA},
    {.key = "spec", .kind = DECODE_CUSTOM, .offset = LINK(condition), .custom = condition_pointer},
};
static const struct decode_schema CONDITION_LINK_SCHEMA = {
    .fields = CONDITION_LINK_FIELDS,
    .field_count = COUNT_OF(CONDITION_LINK_FIELDS),
    .size = sizeof(struct openslo_link),
    .check = link_check,
};

static err target_in_place(struct decode *c, const struct yaml *n, void *place)
{
    (void)c;
    (void)n;
    *(bool *)place = true;
    return OK;
}

static const struct decode_field TARGET_LINK_FIELDS[] = {
    {.key = "targetRef", .kind = DECODE_TEXT, .offset = LINK(ref)},
    {.key = "apiVersion", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "kind", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "metadata", .kind = DECODE_STRUCT, .offset = LINK(meta), .schema = &META_SCHEMA},
    {.key = "spec", .kind = DECODE_CUSTOM, .offset = LINK(target), .custom = target_in_place},
};
static const struct decode_schema TARGET_LINK_SCHEMA = {
    .fields = TARGET_LINK_FIELDS,
    .field_count = COUNT_OF(TARGET_LINK_FIELDS),
    .size = sizeof(struct openslo_link),
    .check = link_check,
};

static err policy_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct openslo_policy *p = s;
    if (p->conditions.count != 1)
        return decode_fail(c, n, "exactly one condition is required");
    return OK;
}

static const struct decode_field POLICY_FIELDS[] = {
    {.key = "description", .kind = DECODE_TEXT, .offset = POLICY(description)},
    {.key = "alertWhenBreaching", .kind = DECODE_BOOL, .offset = POLICY(breaching)},
    {.key = "alertWhenResolved", .kind = DECODE_BOOL, .offset = POLICY(resolved)},
    {.key = "alertWhenNoData", .kind = DECODE_BOOL, .offset = POLICY(no_data)},
    {.key = "conditions",
     .kind = DECODE_STRUCTS,
     .offset = POLICY(conditions),
     .schema = &CONDITION_LINK_SCHEMA},
    {.key = "notificationTargets",
     .kind = DECODE_STRUCTS,
     .offset = POLICY(targets),
     .schema = &TARGET_LINK_SCHEMA},
};
static const struct decode_schema POLICY_SCHEMA = {
    .fields = POLICY_FIELDS,
    .field_count = COUNT_OF(POLICY_FIELDS),
    .size = sizeof(struct openslo_policy),
    .check = policy_check,
};

static const struct decode_field POLICY_LINK_FIELDS[] = {
    {.key = "alertPolicyRef", .kind = DECODE_TEXT, .offset = LINK(ref)},
    {.key = "apiVersion", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "kind", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "metadata", .kind = DECODE_STRUCT, .offset = LINK(meta), .schema = &META_SCHEMA},
    {.key = "spec", .kind = DECODE_POINTER, .offset = LINK(policy), .schema = &POLICY_SCHEMA},
};
static const struct decode_schema POLICY_LINK_SCHEMA = {
    .fields = POLICY_LINK_FIELDS,
    .field_count = COUNT_OF(POLICY_LINK_FIELDS),
    .size = sizeof(struct openslo_link),
    .check = link_check,
};

/* Names alone, as OpenSLO's own library writes them, or links. */
static err policy_links(struct decode *c, const struct yaml *n, void *place)
{
    struct structs *out = place;
    size_t count = 0;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list");
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        count++;
    if (count > SLO_CONDITIONS_MAX)
        return decode_fail(c, n, "more than %d alert policies", SLO_CONDITIONS_MAX);
    struct openslo_link *links = ARENA_ARRAY(c->arena, struct openslo_link, count + 1);
    if (links == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    out->items = links;
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        struct openslo_link *link = &links[out->count++];
        if (child->type == YAML_SCALAR)
            TRY(decode_text(c, child, &link->ref));
        else
            TRY(decode_struct(c, &POLICY_LINK_SCHEMA, child, link));
    }
    return OK;
}

/* ---- SLO ---- */

#define CALENDAR(name)  offsetof(struct openslo_window, name)
#define OBJECTIVE(name) offsetof(struct openslo_objective, name)
#define SPEC(name)      offsetof(struct openslo_slo, name)

static const struct decode_field CALENDAR_FIELDS[] = {
    {.key = "startTime", .kind = DECODE_TEXT, .offset = CALENDAR(start)},
    {.key = "timeZone", .kind = DECODE_TEXT, .offset = CALENDAR(zone)},
};
static const struct decode_schema CALENDAR_SCHEMA = {
    .fields = CALENDAR_FIELDS,
    .field_count = COUNT_OF(CALENDAR_FIELDS),
    .size = sizeof(struct openslo_window),
};

static void window_defaults(void *s)
{
    ((struct openslo_window *)s)->rolling = -1;
}

static err window_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct openslo_window *w = s;
    const struct openslo_window *calendar = w->calendar;
    if (w->rolling > 0 && calendar != NULL)
        return decode_fail(c, n, "a rolling window has no calendar");
    if (w->rolling <= 0 && calendar == NULL)
        return decode_fail(c, n, "either isRolling: true or a calendar is required");
    str none = STR("");
    return slo_window_fill(c, n, w->duration, calendar != NULL,
                           calendar != NULL ? calendar->start : none,
                           calendar != NULL ? calendar->zone : none, &w->made);
}

static const struct decode_field WINDOW_FIELDS[] = {
    {.key = "duration", .kind = DECODE_TEXT, .offset = CALENDAR(duration), .required = true},
    {.key = "isRolling", .kind = DECODE_TRISTATE, .offset = CALENDAR(rolling)},
    {.key = "calendar",
     .kind = DECODE_POINTER,
     .offset = CALENDAR(calendar),
     .schema = &CALENDAR_SCHEMA},
};
static const struct decode_schema WINDOW_SCHEMA = {
    .fields = WINDOW_FIELDS,
    .field_count = COUNT_OF(WINDOW_FIELDS),
    .size = sizeof(struct openslo_window),
    .defaults = window_defaults,
    .finish = window_finish,
};

static void objective_defaults(void *s)
{
    struct openslo_objective *o = s;
    o->target = o->percent = o->value = o->slice_target = (double)NAN;
}

/* A number of minutes, or a duration. */
static err slice_window(struct decode *c, const struct yaml *n, void *place)
{
    int64_t minutes = 0;
    str text;
    TRY(decode_text(c, n, &text));
    if (number_parse_i64(text, &minutes) == OK && minutes >= 1 && minutes <= 1440)
        *(int64_t *)place = minutes * 60000;
    else
        TRY(slo_shorthand_ms(c, n, text, place));
    int64_t ms = *(int64_t *)place;
    if (ms < 60000 || ms > 86400000 || 86400000 % ms != 0)
        return decode_fail(c, n, "must be of 1m to 1d and divide a day");
    return OK;
}

static err objective_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct openslo_objective *o = s;
    if (isnan(o->target) == isnan(o->percent))
        return decode_fail(c, n, "exactly one of target and targetPercent is required");
    o->objective = isnan(o->percent) ? o->target * 100 : o->percent;
    if (!(o->objective > 0 && o->objective < 100))
        return decode_fail(c, n,
                           isnan(o->percent) ? "target must be in (0, 1)"
                                             : "targetPercent must be in (0, 100)");
    if (!isnan(o->slice_target) && !(o->slice_target > 0 && o->slice_target <= 1))
        return decode_fail(c, n, "timeSliceTarget must be in (0, 1]");
    o->line = n->line;
    o->column = n->column;
    return OK;
}

static const struct decode_field OBJECTIVE_FIELDS[] = {
    {.key = "displayName", .kind = DECODE_TEXT, .offset = OBJECTIVE(title)},
    {.key = "op", .kind = DECODE_ENUM, .offset = OBJECTIVE(op), .names = OPS},
    {.key = "value", .kind = DECODE_FLOAT, .offset = OBJECTIVE(value)},
    {.key = "target", .kind = DECODE_FLOAT, .offset = OBJECTIVE(target)},
    {.key = "targetPercent", .kind = DECODE_FLOAT, .offset = OBJECTIVE(percent)},
    {.key = "timeSliceTarget", .kind = DECODE_FLOAT, .offset = OBJECTIVE(slice_target)},
    {.key = "timeSliceWindow",
     .kind = DECODE_CUSTOM,
     .offset = OBJECTIVE(slice_ms),
     .custom = slice_window},
    {.key = "compositeWeight", .kind = DECODE_CUSTOM, .offset = 0, .custom = refuse},
    {.key = "indicator", .kind = DECODE_CUSTOM, .offset = 0, .custom = refuse},
    {.key = "indicatorRef", .kind = DECODE_CUSTOM, .offset = 0, .custom = refuse},
};
static const struct decode_schema OBJECTIVE_SCHEMA = {
    .fields = OBJECTIVE_FIELDS,
    .field_count = COUNT_OF(OBJECTIVE_FIELDS),
    .size = sizeof(struct openslo_objective),
    .defaults = objective_defaults,
    .finish = objective_finish,
};

static const char *const METHODS[] = {
    [SLO_OCCURRENCES] = "Occurrences",
    [SLO_TIMESLICES] = "Timeslices",
    [SLO_RATIO_TIMESLICES] = "RatioTimeslices",
    [SLO_RATIO_TIMESLICES + 1] = NULL,
};

static err slo_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct openslo_slo *v = s;
    if ((v->indicator != NULL) == (v->indicator_ref.len > 0))
        return decode_fail(c, n, "exactly one of indicator and indicatorRef is required");
    if (v->windows.count > 1)
        return decode_fail(c, n, "only one timeWindow is allowed");
    if (v->objectives.count == 0)
        return decode_fail(c, n, "at least one objective is required");
    return slo_check_name(c, n, "service", v->service);
}

static const struct decode_field SPEC_FIELDS[] = {
    {.key = "description", .kind = DECODE_TEXT, .offset = SPEC(description)},
    {.key = "service", .kind = DECODE_TEXT, .offset = SPEC(service)},
    {.key = "indicator",
     .kind = DECODE_POINTER,
     .offset = SPEC(indicator),
     .schema = &INDICATOR_SCHEMA},
    {.key = "indicatorRef", .kind = DECODE_TEXT, .offset = SPEC(indicator_ref)},
    {.key = "timeWindow",
     .kind = DECODE_STRUCTS,
     .offset = SPEC(windows),
     .schema = &WINDOW_SCHEMA},
    {.key = "budgetingMethod",
     .kind = DECODE_ENUM,
     .offset = SPEC(budgeting),
     .required = true,
     .names = METHODS},
    {.key = "objectives",
     .kind = DECODE_STRUCTS,
     .offset = SPEC(objectives),
     .schema = &OBJECTIVE_SCHEMA},
    {.key = "alertPolicies",
     .kind = DECODE_CUSTOM,
     .offset = SPEC(policies),
     .custom = policy_links},
};
static const struct decode_schema SPEC_SCHEMA = {
    .fields = SPEC_FIELDS,
    .field_count = COUNT_OF(SPEC_FIELDS),
    .size = sizeof(struct openslo_slo),
    .check = slo_check,
};

/* ---- Objects ---- */

struct head { /* what every object has */
    str api_version, kind;
    struct openslo_meta meta;
    const struct yaml *spec;
};

static err keep_node(struct decode *c, const struct yaml *n, void *place)
{
    (void)c;
    *(const struct yaml **)place = n;
    return OK;
}

static const struct decode_field HEAD_FIELDS[] = {
    {.key = "apiVersion", .kind = DECODE_TEXT, .offset = offsetof(struct head, api_version)},
    {.key = "kind", .kind = DECODE_TEXT, .offset = offsetof(struct head, kind), .required = true},
    {.key = "metadata",
     .kind = DECODE_STRUCT,
     .offset = offsetof(struct head, meta),
     .required = true,
     .schema = &META_SCHEMA},
    {.key = "spec",
     .kind = DECODE_CUSTOM,
     .offset = offsetof(struct head, spec),
     .required = true,
     .custom = keep_node},
};
static const struct decode_schema HEAD_SCHEMA = {
    .fields = HEAD_FIELDS,
    .field_count = COUNT_OF(HEAD_FIELDS),
    .size = sizeof(struct head),
};

static err add_object(struct decode *c, struct slo_object **out)
{
    struct slo_reader *r = c->user;
    if (r->object_count == SLO_OBJECTS_MAX)
        return diag_set(c->d, ERR_LIMIT, "%s: more than %d OpenSLO objects", c->path,
                        SLO_OBJECTS_MAX);
    if (r->object_count == r->object_room) {
        size_t room = r->object_room == 0 ? 16 : r->object_room * 2;
        struct slo_object *more =
            arena_grow(r->arena, r->objects, r->object_count, room, sizeof(*more));
        if (more == NULL)
            return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
        r->objects = more;
        r->object_room = room;
    }
    *out = &r->objects[r->object_count++];
    **out = (struct slo_object){0};
    return OK;
}

static err read_spec(struct decode *c, const struct yaml *spec, struct slo_object *o)
{
    switch (o->kind) {
    case OPENSLO_SLO:
        return decode_struct(c, &SPEC_SCHEMA, spec, &o->slo);
    case OPENSLO_SLI:
        return decode_struct(c, &SLI_SCHEMA, spec, &o->sli);
    case OPENSLO_POLICY:
        return decode_struct(c, &POLICY_SCHEMA, spec, &o->policy);
    case OPENSLO_CONDITION:
        return condition_spec_read(c, spec, &o->condition);
    case OPENSLO_TARGET:
    case OPENSLO_SERVICE:
    case OPENSLO_SOURCE:
        break;
    }
    return spec->type == YAML_MAP || spec->type == YAML_NULL
               ? OK
               : decode_fail(c, spec, "must be a map");
}

err openslo_read(struct decode *c, const struct yaml *doc)
{
    static const char *const KINDS[] = {
        [OPENSLO_SLO] = "SLO",
        [OPENSLO_SLI] = "SLI",
        [OPENSLO_POLICY] = "AlertPolicy",
        [OPENSLO_CONDITION] = "AlertCondition",
        [OPENSLO_TARGET] = "AlertNotificationTarget",
        [OPENSLO_SERVICE] = "Service",
        [OPENSLO_SOURCE] = "DataSource",
    };
    struct head head;
    struct slo_object *o = NULL;
    TRY(decode_struct(c, &HEAD_SCHEMA, doc, &head));
    TRY(add_object(c, &o));
    o->path = arena_str(c->arena, str_from(c->path));
    o->line = doc->line;
    o->column = doc->column;
    o->meta = head.meta;
    for (size_t k = 0; k < COUNT_OF(KINDS); k++) {
        if (!str_eq(head.kind, str_from(KINDS[k])))
            continue;
        o->kind = (enum openslo_kind)k;
        return read_spec(c, head.spec, o);
    }
    return decode_fail(c, doc,
                       "kind \"" STR_FMT "\" is not one of SLO, SLI, AlertPolicy, "
                       "AlertCondition, AlertNotificationTarget, Service, DataSource",
                       (int)MIN(head.kind.len, 60), head.kind.ptr);
}
