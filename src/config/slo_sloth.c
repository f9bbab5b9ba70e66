/* slo_sloth.c -- Sloth's files of objectives. One table serves `version: prometheus/v1` and the
 * Kubernetes resource: they differ in how keys are spelled (error_query, errorQuery).
 *
 * Varve's own keys, for which Sloth has no word: `sli.latency` and `time_window`. */
#include <math.h>

#include "base/number.h"
#include "config/slo_file_priv.h"

/* ---- SLI ---- */

struct events {
    struct slo_text error, total;
};

struct latency {
    struct slo_text metric;
    str selector;
    double threshold;
    bool native;
};

struct plugin {
    struct slo_text id;
    struct pairs options;
};

struct sli {
    struct events *events;
    struct events *raw; /* error alone */
    struct latency *latency;
    struct plugin *plugin;
};

#define EVENTS(name)  offsetof(struct events, name)
#define LATENCY(name) offsetof(struct latency, name)
#define PLUGIN(name)  offsetof(struct plugin, name)
#define SLI(name)     offsetof(struct sli, name)

static err query_check(struct decode *c, const struct yaml *n, const struct slo_text *q,
                       const char *what)
{
    struct yaml at = *n;
    if (q->line == 0 || q->text.len == 0)
        return decode_fail(c, n, "%s is required", what);
    at.line = q->line;
    at.column = q->column;
    if (!slo_has_window(q->text))
        return decode_fail(c, &at, "%s must contain the {{.window}} variable", what);
    return OK;
}

static err events_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct events *e = s;
    TRY(query_check(c, n, &e->error, "error_query"));
    TRY(query_check(c, n, &e->total, "total_query"));
    if (str_eq(e->error.text, e->total.text))
        return decode_fail(c, n, "both error and total queries can't be the same");
    return OK;
}

static err raw_check(struct decode *c, const struct yaml *n, const void *s)
{
    return query_check(c, n, &((const struct events *)s)->error, "error_ratio_query");
}

static const struct decode_field EVENTS_FIELDS[] = {
    {.key = "error_query",
     .kind = DECODE_CUSTOM,
     .offset = EVENTS(error),
     .custom = slo_text_field},
    {.key = "errorQuery", .kind = DECODE_CUSTOM, .offset = EVENTS(error), .custom = slo_text_field},
    {.key = "total_query",
     .kind = DECODE_CUSTOM,
     .offset = EVENTS(total),
     .custom = slo_text_field},
    {.key = "totalQuery", .kind = DECODE_CUSTOM, .offset = EVENTS(total), .custom = slo_text_field},
};
static const struct decode_schema EVENTS_SCHEMA = {
    .fields = EVENTS_FIELDS,
    .field_count = COUNT_OF(EVENTS_FIELDS),
    .size = sizeof(struct events),
    .check = events_check,
};

static const struct decode_field RAW_FIELDS[] = {
    {.key = "error_ratio_query",
     .kind = DECODE_CUSTOM,
     .offset = EVENTS(error),
     .custom = slo_text_field},
    {.key = "errorRatioQuery",
     .kind = DECODE_CUSTOM,
     .offset = EVENTS(error),
     .custom = slo_text_field},
};
static const struct decode_schema RAW_SCHEMA = {
    .fields = RAW_FIELDS,
    .field_count = COUNT_OF(RAW_FIELDS),
    .size = sizeof(struct events),
    .check = raw_check,
};

static err latency_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct latency *l = s;
    if (l->metric.text.len == 0)
        return decode_fail(c, n, "metric is required: the name of the histogram, without _bucket");
    if (!l->native && str_ends(l->metric.text, STR("_bucket")))
        return decode_fail(c, n, "metric: the name of the histogram, without _bucket");
    if (!isfinite(l->threshold) || l->threshold <= 0)
        return decode_fail(c, n, "threshold_seconds is required: a number above 0");
    return OK;
}

static const struct decode_field LATENCY_FIELDS[] = {
    {.key = "metric", .kind = DECODE_CUSTOM, .offset = LATENCY(metric), .custom = slo_text_field},
    {.key = "selector", .kind = DECODE_TEXT, .offset = LATENCY(selector)},
    {.key = "threshold_seconds", .kind = DECODE_FLOAT, .offset = LATENCY(threshold)},
    {.key = "native", .kind = DECODE_BOOL, .offset = LATENCY(native)},
};
static const struct decode_schema LATENCY_SCHEMA = {
    .fields = LATENCY_FIELDS,
    .field_count = COUNT_OF(LATENCY_FIELDS),
    .size = sizeof(struct latency),
    .check = latency_check,
};

static err plugin_check(struct decode *c, const struct yaml *n, const void *s)
{
    if (((const struct plugin *)s)->id.text.len == 0)
        return decode_fail(c, n, "id: the plugin's id is required");
    return OK;
}

static const struct decode_field PLUGIN_FIELDS[] = {
    {.key = "id", .kind = DECODE_CUSTOM, .offset = PLUGIN(id), .custom = slo_text_field},
    {.key = "options", .kind = DECODE_PAIRS, .offset = PLUGIN(options)},
};
static const struct decode_schema PLUGIN_SCHEMA = {
    .fields = PLUGIN_FIELDS,
    .field_count = COUNT_OF(PLUGIN_FIELDS),
    .size = sizeof(struct plugin),
    .check = plugin_check,
};

static const struct decode_field SLI_FIELDS[] = {
    {.key = "events", .kind = DECODE_POINTER, .offset = SLI(events), .schema = &EVENTS_SCHEMA},
    {.key = "raw", .kind = DECODE_POINTER, .offset = SLI(raw), .schema = &RAW_SCHEMA},
    {.key = "latency", .kind = DECODE_POINTER, .offset = SLI(latency), .schema = &LATENCY_SCHEMA},
    {.key = "plugin", .kind = DECODE_POINTER, .offset = SLI(plugin), .schema = &PLUGIN_SCHEMA},
};

static err sli_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct sli *v = s;
    int count = (v->events != NULL) + (v->raw != NULL) + (v->latency != NULL) + (v->plugin != NULL);
    if (count != 1)
        return decode_fail(c, n,
                           count == 0 ? "at least one SLI type is required: events, raw, "
                                        "latency or plugin"
                                      : "only one SLI type is allowed");
    return OK;
}

static const struct decode_schema SLI_SCHEMA = {
    .fields = SLI_FIELDS,
    .field_count = COUNT_OF(SLI_FIELDS),
    .size = sizeof(struct sli),
    .check = sli_check,
};

/* ---- Alerting ---- */

struct alerting {
    str name;
    struct pairs labels, annotations;
    struct slo_alert page, ticket;
    struct slo_text foreign; /* a key of theirs in the spelling of the other format */
};

#define ALERT(name)    offsetof(struct slo_alert, name)
#define ALERTING(name) offsetof(struct alerting, name)

static err alert_check(struct decode *c, const struct yaml *n, const void *s)
{
    return slo_check_labels(c, n, &((const struct slo_alert *)s)->labels);
}

static const struct decode_field ALERT_FIELDS[] = {
    {.key = "disable", .kind = DECODE_BOOL, .offset = ALERT(disabled)},
    {.key = "labels", .kind = DECODE_PAIRS, .offset = ALERT(labels)},
    {.key = "annotations", .kind = DECODE_PAIRS, .offset = ALERT(annotations)},
};
static const struct decode_schema ALERT_SCHEMA = {
    .fields = ALERT_FIELDS,
    .field_count = COUNT_OF(ALERT_FIELDS),
    .size = sizeof(struct slo_alert),
    .check = alert_check,
};

/* Sloth leaves out `page_alert` of the Kubernetes resource and `pageAlert` of its own files, as it
 * does any key that it does not know: the rules would be others if they were read. */
static err read_alert(struct decode *c, const struct yaml *n, void *place)
{
    const struct slo_reader *r = c->user;
    struct alerting *a = place;
    struct slo_alert alert;
    bool snake = memchr(n->key.ptr, '_', n->key.len) != NULL;
    TRY(decode_struct(c, &ALERT_SCHEMA, n, &alert));
    if (snake == r->kubernetes)
        a->foreign = (struct slo_text){arena_str(c->arena, n->key), n->key_line, n->key_column};
    else if (n->key.ptr[0] == 'p')
        a->page = alert;
    else
        a->ticket = alert;
    return OK;
}

static err alerting_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct alerting *a = s;
    if (a->name.len == 0 && !(a->page.disabled && a->ticket.disabled))
        return decode_fail(c, n, "alert name is required (or disable both alerts)");
    return slo_check_labels(c, n, &a->labels);
}

static const struct decode_field ALERTING_FIELDS[] = {
    {.key = "name", .kind = DECODE_TEXT, .offset = ALERTING(name)},
    {.key = "labels", .kind = DECODE_PAIRS, .offset = ALERTING(labels)},
    {.key = "annotations", .kind = DECODE_PAIRS, .offset = ALERTING(annotations)},
    {.key = "page_alert", .kind = DECODE_CUSTOM, .custom = read_alert},
    {.key = "pageAlert", .kind = DECODE_CUSTOM, .custom = read_alert},
    {.key = "ticket_alert", .kind = DECODE_CUSTOM, .custom = read_alert},
    {.key = "ticketAlert", .kind = DECODE_CUSTOM, .custom = read_alert},
};
static const struct decode_schema ALERTING_SCHEMA = {
    .fields = ALERTING_FIELDS,
    .field_count = COUNT_OF(ALERTING_FIELDS),
    .size = sizeof(struct alerting),
    .check = alerting_check,
};

/* ---- Time windows, intervals ---- */

struct time_window {
    str duration, zone, start;
    int8_t rolling; /* -1: not said */
    struct slo_window made;
};

#define WINDOW(name) offsetof(struct time_window, name)

static void window_defaults(void *s)
{
    ((struct time_window *)s)->rolling = -1;
}

/* Months, quarters and years are calendar windows unless said otherwise; days and weeks roll. */
static err window_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct time_window *w = s;
    char unit = w->duration.len > 0 ? w->duration.ptr[w->duration.len - 1] : '\0';
    bool calendar = w->rolling >= 0 ? w->rolling == 0 : strchr("MQY", unit) != NULL;
    if (w->duration.len == 0)
        return decode_fail(c, n, "duration is required, such as 30d or 1M");
    return slo_window_fill(c, n, w->duration, calendar, w->start, w->zone, &w->made);
}

static const struct decode_field WINDOW_FIELDS[] = {
    {.key = "duration", .kind = DECODE_TEXT, .offset = WINDOW(duration)},
    {.key = "rolling", .kind = DECODE_TRISTATE, .offset = WINDOW(rolling)},
    {.key = "time_zone", .kind = DECODE_TEXT, .offset = WINDOW(zone)},
    {.key = "start_time", .kind = DECODE_TEXT, .offset = WINDOW(start)},
};
static const struct decode_schema WINDOW_SCHEMA = {
    .fields = WINDOW_FIELDS,
    .field_count = COUNT_OF(WINDOW_FIELDS),
    .size = sizeof(struct time_window),
    .defaults = window_defaults,
    .finish = window_finish,
};

struct interval {
    int64_t all_ms, sli_ms, meta_ms, alert_ms;
};

#define INTERVAL(name) offsetof(struct interval, name)

static const struct decode_field INTERVAL_FIELDS[] = {
    {.key = "all", .kind = DECODE_DURATION, .offset = INTERVAL(all_ms)},
    {.key = "slierror", .kind = DECODE_DURATION, .offset = INTERVAL(sli_ms)},
    {.key = "metadata", .kind = DECODE_DURATION, .offset = INTERVAL(meta_ms)},
    {.key = "alert", .kind = DECODE_DURATION, .offset = INTERVAL(alert_ms)},
};
static const struct decode_schema INTERVAL_SCHEMA = {
    .fields = INTERVAL_FIELDS,
    .field_count = COUNT_OF(INTERVAL_FIELDS),
    .size = sizeof(struct interval),
};

/* ---- SLO ---- */

struct slo {
    str name, description;
    double objective;
    struct pairs labels, info_labels;
    struct sli sli;
    struct alerting *alerting;
    struct time_window *window;
    struct interval interval;
    struct slo_plugins plugins;
    unsigned line, column;
};

#define SLO(name) offsetof(struct slo, name)

static err slo_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct slo *v = s;
    v->line = n->line;
    v->column = n->column;
    TRY(slo_check_name(c, n, "name", v->name));
    if (!(v->objective > 0 && v->objective <= 100))
        return decode_fail(c, n, "objective must be > 0 and <= 100 (percent)");
    if (v->sli.events == NULL && v->sli.raw == NULL && v->sli.latency == NULL &&
        v->sli.plugin == NULL)
        return decode_fail(c, n, "sli is required");
    if (v->alerting == NULL)
        return decode_fail(c, n, "alerting is required: a name, or both alerts disabled");
    TRY(slo_check_labels(c, n, &v->info_labels));
    return slo_check_labels(c, n, &v->labels);
}

static const struct decode_field SLO_FIELDS[] = {
    {.key = "name", .kind = DECODE_TEXT, .offset = SLO(name)},
    {.key = "description", .kind = DECODE_TEXT, .offset = SLO(description)},
    {.key = "objective", .kind = DECODE_FLOAT, .offset = SLO(objective)},
    {.key = "labels", .kind = DECODE_PAIRS, .offset = SLO(labels)},
    {.key = "infoLabels", .kind = DECODE_PAIRS, .offset = SLO(info_labels)},
    {.key = "sli", .kind = DECODE_STRUCT, .offset = SLO(sli), .schema = &SLI_SCHEMA},
    {.key = "alerting",
     .kind = DECODE_POINTER,
     .offset = SLO(alerting),
     .schema = &ALERTING_SCHEMA},
    {.key = "time_window", .kind = DECODE_POINTER, .offset = SLO(window), .schema = &WINDOW_SCHEMA},
    {.key = "interval", .kind = DECODE_STRUCT, .offset = SLO(interval), .schema = &INTERVAL_SCHEMA},
    {.key = "plugins",
     .kind = DECODE_STRUCT,
     .offset = SLO(plugins),
     .schema = &SLO_PLUGINS_SCHEMA},
};
static const struct decode_schema SLO_SCHEMA = {
    .fields = SLO_FIELDS,
    .field_count = COUNT_OF(SLO_FIELDS),
    .size = sizeof(struct slo),
    .finish = slo_finish,
};

/* ---- Documents ---- */

struct body {
    str version, service;
    struct pairs labels;
    struct structs slos;
    struct time_window *window;
    struct slo_plugins plugins;
    const struct slo_resource *resource; /* set by who reads it */
};

#define BODY(name) offsetof(struct body, name)

static err body_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct body *b = s;
    TRY(slo_check_name(c, n, "service", b->service));
    if (b->slos.count == 0)
        return decode_fail(c, n, "at least one SLO is required");
    return slo_check_labels(c, n, &b->labels);
}

static const struct decode_field BODY_FIELDS[] = {
    {.key = "version", .kind = DECODE_TEXT, .offset = BODY(version)},
    {.key = "service", .kind = DECODE_TEXT, .offset = BODY(service)},
    {.key = "labels", .kind = DECODE_PAIRS, .offset = BODY(labels)},
    {.key = "slos", .kind = DECODE_STRUCTS, .offset = BODY(slos), .schema = &SLO_SCHEMA},
    {.key = "time_window",
     .kind = DECODE_POINTER,
     .offset = BODY(window),
     .schema = &WINDOW_SCHEMA},
    {.key = "slo_plugins",
     .kind = DECODE_STRUCT,
     .offset = BODY(plugins),
     .schema = &SLO_PLUGINS_SCHEMA},
    {.key = "sloPlugins",
     .kind = DECODE_STRUCT,
     .offset = BODY(plugins),
     .schema = &SLO_PLUGINS_SCHEMA},
};
static const struct decode_schema BODY_SCHEMA = {
    .fields = BODY_FIELDS,
    .field_count = COUNT_OF(BODY_FIELDS),
    .size = sizeof(struct body),
    .check = body_check,
};

static void take_sli(const struct body *b, const struct sli *from, struct slo_sli *to)
{
    const struct events *e = from->events != NULL ? from->events : from->raw;
    to->kind = from->events != NULL   ? SLO_SLI_EVENTS
               : from->raw != NULL    ? SLO_SLI_RAW
               : from->plugin != NULL ? SLO_SLI_PLUGIN
                                      : SLO_SLI_LATENCY;
    if (e != NULL) {
        to->error = e->error;
        to->total = e->total;
        return;
    }
    if (from->plugin != NULL) {
        to->error = from->plugin->id;
        to->options = from->plugin->options;
        to->service_labels = b->labels; /* not the objective's own: so Sloth has it */
        return;
    }
    to->error = from->latency->metric; /* for its place */
    to->metric = from->latency->metric.text;
    to->selector = from->latency->selector;
    to->threshold = from->latency->threshold;
    to->native = from->latency->native;
}

static err take_alerts(struct decode *c, const struct alerting *from, struct slo_def *to)
{
    to->alert_name = from->name;
    to->ignored = from->foreign;
    to->page.disabled = from->page.disabled;
    to->ticket.disabled = from->ticket.disabled;
    TRY(slo_merge(c, &from->labels, &from->page.labels, &to->page.labels));
    TRY(slo_merge(c, &from->labels, &from->ticket.labels, &to->ticket.labels));
    TRY(slo_merge(c, &from->annotations, &from->page.annotations, &to->page.annotations));
    return slo_merge(c, &from->annotations, &from->ticket.annotations, &to->ticket.annotations);
}

static str join_id(struct arena *a, str service, str name)
{
    char *id = arena_alloc(a, service.len + name.len + 2);
    if (id == NULL)
        return (str){NULL, 0};
    memcpy(id, service.ptr, service.len);
    id[service.len] = '-';
    memcpy(id + service.len + 1, name.ptr, name.len);
    id[service.len + name.len + 1] = '\0';
    return (str){id, service.len + name.len + 1};
}

static int64_t interval_of(int64_t own_ms, int64_t all_ms)
{
    return own_ms > 0 ? own_ms : all_ms;
}

static err take_slo(struct decode *c, const struct body *b, const struct slo *s,
                    enum slo_format format)
{
    struct yaml place = {.line = s->line, .column = s->column};
    struct slo_def *def = slo_reader_add(c, &place);
    if (def == NULL)
        return ERR_LIMIT;
    def->format = format;
    def->resource = b->resource;
    def->service = b->service;
    def->name = s->name;
    def->title = s->name;
    def->description = s->description;
    def->objective = s->objective;
    def->id = join_id(c->arena, b->service, s->name);
    if (def->id.ptr == NULL)
        return ERR_LIMIT;
    if (s->window != NULL)
        def->window = s->window->made;
    else if (b->window != NULL)
        def->window = b->window->made;
    def->interval_sli_ms = interval_of(s->interval.sli_ms, s->interval.all_ms);
    def->interval_meta_ms = interval_of(s->interval.meta_ms, s->interval.all_ms);
    def->interval_alert_ms = interval_of(s->interval.alert_ms, s->interval.all_ms);
    take_sli(b, &s->sli, &def->sli);
    TRY(slo_chain_make(c, &place, ((const struct slo_reader *)c->user)->plugins, &b->plugins,
                       &s->plugins, &def->chain));
    TRY(slo_merge(c, &b->labels, &s->labels, &def->labels));
    TRY(slo_merge(c, &s->info_labels, &(struct pairs){NULL, 0}, &def->info_labels));
    return take_alerts(c, s->alerting, def);
}

static err take_body(struct decode *c, const struct body *b, enum slo_format format)
{
    const struct slo *slos = b->slos.items;
    for (size_t i = 0; i < b->slos.count; i++)
        TRY(take_slo(c, b, &slos[i], format));
    return OK;
}

err sloth_read(struct decode *c, const struct yaml *doc)
{
    struct body b;
    ((struct slo_reader *)c->user)->kubernetes = false;
    TRY(decode_struct(c, &BODY_SCHEMA, doc, &b));
    return take_body(c, &b, SLO_FORMAT_SLOTH);
}

/* ---- The Kubernetes resource ---- */

struct resource {
    str api_version, kind;
    struct slo_resource *meta;
    struct body *spec;
};

/* The status is Kubernetes' own. */
static err skip(struct decode *c, const struct yaml *n, void *place)
{
    (void)c;
    (void)n;
    (void)place;
    return OK;
}

static const struct decode_field RESOURCE_FIELDS[] = {
    {.key = "apiVersion", .kind = DECODE_TEXT, .offset = offsetof(struct resource, api_version)},
    {.key = "kind", .kind = DECODE_TEXT, .offset = offsetof(struct resource, kind)},
    {.key = "metadata",
     .kind = DECODE_CUSTOM,
     .offset = offsetof(struct resource, meta),
     .custom = slo_resource_field},
    {.key = "status", .kind = DECODE_CUSTOM, .offset = 0, .custom = skip},
    {.key = "spec",
     .kind = DECODE_POINTER,
     .offset = offsetof(struct resource, spec),
     .schema = &BODY_SCHEMA},
};
static const struct decode_schema RESOURCE_SCHEMA = {
    .fields = RESOURCE_FIELDS,
    .field_count = COUNT_OF(RESOURCE_FIELDS),
    .size = sizeof(struct resource),
};

err sloth_k8s_read(struct decode *c, const struct yaml *doc)
{
    struct resource r;
    ((struct slo_reader *)c->user)->kubernetes = true;
    TRY(decode_struct(c, &RESOURCE_SCHEMA, doc, &r));
    if (!str_eq(r.kind, STR("PrometheusServiceLevel")))
        return decode_fail(c, doc, "kind must be PrometheusServiceLevel");
    if (r.spec == NULL)
        return decode_fail(c, doc, "spec is required");
    if (r.meta == NULL)
        r.meta = ARENA_NEW(c->arena, struct slo_resource);
    r.spec->resource = r.meta;
    return r.meta == NULL ? ERR_LIMIT : take_body(c, r.spec, SLO_FORMAT_SLOTH_K8S);
}
