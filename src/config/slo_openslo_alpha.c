/* slo_openslo_alpha.c -- OpenSLO v1alpha, as far as Sloth reads it: objectives with ratioMetrics
 * whose queries hold {{.window}}. */
#include <stdio.h>
#include <strings.h>

#include "config/slo_file_priv.h"

struct alpha_metric {
    str source, query_type;
    struct slo_text query;
};

struct alpha_objective {
    str title;
    double target;
    struct alpha_metric *good, *total;
    unsigned line, column;
};

struct alpha_window {
    int64_t count;
    str unit;
    struct slo_window made;
};

struct alpha_spec {
    str service, description;
    struct structs windows, objectives;
};

struct alpha {
    str kind, name, title;
    const struct yaml *spec;
};

#define METRIC(name)    offsetof(struct alpha_metric, name)
#define OBJECTIVE(name) offsetof(struct alpha_objective, name)
#define WINDOW(name)    offsetof(struct alpha_window, name)
#define SPEC(name)      offsetof(struct alpha_spec, name)
#define ALPHA(name)     offsetof(struct alpha, name)

static err skip(struct decode *c, const struct yaml *n, void *place)
{
    (void)c;
    (void)n;
    (void)place;
    return OK;
}

static err metric_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct alpha_metric *m = s;
    if (!str_eq(m->source, STR("prometheus")) && !str_eq(m->source, STR("sloth")))
        return decode_fail(c, n, "source must be prometheus");
    if (!str_eq(m->query_type, STR("promql")))
        return decode_fail(c, n, "queryType must be promql");
    if (!slo_has_window(m->query.text))
        return decode_fail(c, n, "query must contain the {{.window}} variable");
    return OK;
}

static const struct decode_field METRIC_FIELDS[] = {
    {.key = "source", .kind = DECODE_TEXT, .offset = METRIC(source)},
    {.key = "queryType", .kind = DECODE_TEXT, .offset = METRIC(query_type)},
    {.key = "query", .kind = DECODE_CUSTOM, .offset = METRIC(query), .custom = slo_text_field},
    {.key = "metadata", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
};
static const struct decode_schema METRIC_SCHEMA = {
    .fields = METRIC_FIELDS,
    .field_count = COUNT_OF(METRIC_FIELDS),
    .size = sizeof(struct alpha_metric),
    .check = metric_check,
};

/* `ratioMetrics` is a map of its own: its fields are decoded into those of the objective. */
static err read_ratio(struct decode *c, const struct yaml *n, void *place)
{
    static const struct decode_field FIELDS[] = {
        {.key = "incremental", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
        {.key = "counter", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
        {.key = "good", .kind = DECODE_POINTER, .offset = 0, .schema = &METRIC_SCHEMA},
        {.key = "total",
         .kind = DECODE_POINTER,
         .offset = sizeof(struct alpha_metric *),
         .schema = &METRIC_SCHEMA},
    };
    static const struct decode_schema SCHEMA = {
        .fields = FIELDS,
        .field_count = COUNT_OF(FIELDS),
        .size = 2 * sizeof(struct alpha_metric *),
    };
    struct alpha_metric **both = place; /* good and total follow each other */
    TRY(decode_struct(c, &SCHEMA, n, both));
    return both[0] != NULL && both[1] != NULL
               ? OK
               : decode_fail(c, n, "good and total are both required");
}

static err objective_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct alpha_objective *o = s;
    if (o->good == NULL)
        return decode_fail(c, n, "ratioMetrics is required");
    if (!(o->target > 0 && o->target < 1))
        return decode_fail(c, n, "target must be in (0, 1)");
    o->line = n->line;
    o->column = n->column;
    return OK;
}

static const struct decode_field OBJECTIVE_FIELDS[] = {
    {.key = "displayName", .kind = DECODE_TEXT, .offset = OBJECTIVE(title)},
    {.key = "op", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "value", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "target", .kind = DECODE_FLOAT, .offset = OBJECTIVE(target), .required = true},
    {.key = "ratioMetrics", .kind = DECODE_CUSTOM, .offset = OBJECTIVE(good), .custom = read_ratio},
};
static const struct decode_schema OBJECTIVE_SCHEMA = {
    .fields = OBJECTIVE_FIELDS,
    .field_count = COUNT_OF(OBJECTIVE_FIELDS),
    .size = sizeof(struct alpha_objective),
    .finish = objective_finish,
};

static err window_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct alpha_window *w = s;
    char text[32];
    if (w->unit.len != 3 || strncasecmp(w->unit.ptr, "day", 3) != 0)
        return decode_fail(c, n, "unit must be Day");
    str days = {text, (size_t)snprintf(text, sizeof(text), "%lldd", (long long)w->count)};
    days = arena_str(c->arena, days);
    if (days.ptr == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    return slo_window_fill(c, n, days, false, STR(""), STR(""), &w->made);
}

static const struct decode_field WINDOW_FIELDS[] = {
    {.key = "count", .kind = DECODE_INT, .offset = WINDOW(count), .min = 1, .max = 92},
    {.key = "unit", .kind = DECODE_TEXT, .offset = WINDOW(unit)},
    {.key = "isRolling", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
};
static const struct decode_schema WINDOW_SCHEMA = {
    .fields = WINDOW_FIELDS,
    .field_count = COUNT_OF(WINDOW_FIELDS),
    .size = sizeof(struct alpha_window),
    .finish = window_finish,
};

static err spec_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct alpha_spec *v = s;
    if (v->windows.count > 1)
        return decode_fail(c, n, "only one of timeWindows is supported");
    if (v->objectives.count == 0)
        return decode_fail(c, n, "at least one objective is required");
    return slo_check_name(c, n, "service", v->service);
}

static const struct decode_field SPEC_FIELDS[] = {
    {.key = "service", .kind = DECODE_TEXT, .offset = SPEC(service)},
    {.key = "description", .kind = DECODE_TEXT, .offset = SPEC(description)},
    {.key = "budgetingMethod", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "timeWindows",
     .kind = DECODE_STRUCTS,
     .offset = SPEC(windows),
     .schema = &WINDOW_SCHEMA},
    {.key = "objectives",
     .kind = DECODE_STRUCTS,
     .offset = SPEC(objectives),
     .schema = &OBJECTIVE_SCHEMA},
};
static const struct decode_schema SPEC_SCHEMA = {
    .fields = SPEC_FIELDS,
    .field_count = COUNT_OF(SPEC_FIELDS),
    .size = sizeof(struct alpha_spec),
    .check = spec_check,
};

static err take_objective(struct decode *c, const struct alpha *a, const struct alpha_spec *spec,
                          size_t index)
{
    const struct alpha_objective *o =
        (const struct alpha_objective *)spec->objectives.items + index;
    const struct alpha_window *window = spec->windows.items;
    struct yaml place = {.line = o->line, .column = o->column};
    struct slo_def *def = slo_reader_add(c, &place);
    if (def == NULL)
        return ERR_LIMIT;
    def->format = SLO_FORMAT_OPENSLO_ALPHA;
    def->service = spec->service;
    def->description = spec->description;
    def->title = o->title.len > 0 ? o->title : a->title;
    def->objective = o->target * 100;
    def->sli = (struct slo_sli){.kind = SLO_SLI_EVENTS,
                                .form = SLO_QUERY_WINDOW,
                                .good = true,
                                .error = o->good->query,
                                .total = o->total->query};
    def->page.disabled = def->ticket.disabled = true;
    if (spec->windows.count > 0)
        def->window = window->made;
    return slo_take_names(c, &place, a->name, index, def);
}

static err keep_node(struct decode *c, const struct yaml *n, void *place)
{
    (void)c;
    *(const struct yaml **)place = n;
    return OK;
}

static err read_metadata(struct decode *c, const struct yaml *n, void *place)
{
    struct alpha *a = (struct alpha *)((uint8_t *)place - ALPHA(name));
    const struct yaml *name = n->type == YAML_MAP ? yaml_get(n, STR("name")) : NULL;
    const struct yaml *title = n->type == YAML_MAP ? yaml_get(n, STR("displayName")) : NULL;
    if (name == NULL)
        return decode_fail(c, n, "name is required");
    TRY(decode_text(c, name, &a->name));
    return title != NULL ? decode_text(c, title, &a->title) : OK;
}

static const struct decode_field ALPHA_FIELDS[] = {
    {.key = "apiVersion", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "kind", .kind = DECODE_TEXT, .offset = ALPHA(kind)},
    {.key = "metadata",
     .kind = DECODE_CUSTOM,
     .offset = ALPHA(name),
     .required = true,
     .custom = read_metadata},
    {.key = "spec",
     .kind = DECODE_CUSTOM,
     .offset = ALPHA(spec),
     .required = true,
     .custom = keep_node},
};
static const struct decode_schema ALPHA_SCHEMA = {
    .fields = ALPHA_FIELDS,
    .field_count = COUNT_OF(ALPHA_FIELDS),
    .size = sizeof(struct alpha),
};

err openslo_alpha_read(struct decode *c, const struct yaml *doc)
{
    struct alpha a;
    struct alpha_spec spec;
    TRY(decode_struct(c, &ALPHA_SCHEMA, doc, &a));
    if (str_eq(a.kind, STR("Service")))
        return OK;
    if (!str_eq(a.kind, STR("SLO")))
        return decode_fail(c, doc, "kind must be SLO or Service");
    TRY(decode_struct(c, &SPEC_SCHEMA, a.spec, &spec));
    for (size_t i = 0; i < spec.objectives.count; i++)
        TRY(take_objective(c, &a, &spec, i));
    return OK;
}
