/* api_slos.c -- /api/v1/slos: objectives with their budgets, burn rates, alerts and months. Numbers
 * that are unknown or have no end are null. docs/slo.md explains them. */
#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "base/duration.h"
#include "http/api.h"
#include "http/json.h"
#include "rules/slo_engine.h"

enum {
    SCRATCH_BYTES_MAX = 64 << 20,
    ALERTS_MAX = 10000, /* that ALERTS may have of objectives */
    FILTERS_MAX = 100,  /* values of one parameter */
};

struct alert_series { /* a series of ALERTS */
    str slo, name, severity, state;
};

struct answer {
    struct http_request *request;
    struct buf *out;
    struct api_selectors selectors;
    struct arena arena;
    struct alert_series *alerts;
    size_t alert_count;
    bool first;
};

/* ---- Alerts, as the rules say ---- */

static err add_alert(struct answer *a, const struct query_series *s)
{
    if (a->alert_count == ALERTS_MAX)
        return ERR_LIMIT;
    struct alert_series *to = &a->alerts[a->alert_count++];
    const struct {
        const char *name;
        str *value;
    } FIELDS[] = {{"sloth_id", &to->slo},
                  {"alertname", &to->name},
                  {"sloth_severity", &to->severity},
                  {"alertstate", &to->state}};
    for (size_t i = 0; i < COUNT_OF(FIELDS); i++) {
        *FIELDS[i].value = arena_str(&a->arena, labels_get(s->labels, str_from(FIELDS[i].name)));
        if (FIELDS[i].value->ptr == NULL)
            return ERR_LIMIT;
    }
    return OK;
}

static err read_alerts(struct answer *a, struct diag *d)
{
    const struct api *api = api_of(a->request);
    struct query_options o = api->features;
    struct query_series s;
    struct query *q = NULL;
    o.start_ms = o.end_ms = clock_wall_ms();
    o.lookback_ms = api->lookback_ms;
    o.samples_max = api->samples_max;
    o.memory_bytes_max = api->query_bytes_max;
    o.deadline_mono_ns = http_start_mono_ns(a->request) + (uint64_t)api->query_timeout_ms * 1000000;
    o.canceled = http_canceled(a->request);
    a->alerts = ARENA_ARRAY(&a->arena, struct alert_series, ALERTS_MAX);
    if (a->alerts == NULL)
        return ERR_LIMIT;
    err e = query_prepare(&api->env, STR("ALERTS{sloth_id!=\"\"}"), &o, &q, d);
    if (e == OK)
        e = query_exec(q, d);
    while (e == OK && query_next_series(q, &s))
        e = add_alert(a, &s);
    query_close(q);
    return e == ERR_LIMIT ? diag_set(d, e, "more than %d alerts of objectives", ALERTS_MAX) : e;
}

/* ---- JSON ---- */

static void put_number(struct buf *b, const char *key, double v)
{
    buf_printf(b, ",\"%s\":", key);
    if (isfinite(v))
        json_number(b, v);
    else
        buf_put_str(b, STR("null"));
}

static void put_text(struct buf *b, const char *key, str v)
{
    buf_printf(b, ",\"%s\":", key);
    json_str(b, v);
}

static void put_time(struct buf *b, const char *key, int64_t ms)
{
    char text[40];
    buf_printf(b, ",\"%s\":\"%.*s\"", key, (int)timestamp_format_rfc3339(ms, text), text);
}

static void put_duration(struct buf *b, const char *key, int64_t ms)
{
    char text[DURATION_SIZE_MAX];
    buf_printf(b, ",\"%s\":\"%.*s\"", key, (int)duration_format(ms, text), text);
}

static void put_definition(struct buf *b, const struct slo_view *v)
{
    static const char *const METHODS[] = {
        [SLO_OCCURRENCES] = "Occurrences",
        [SLO_TIMESLICES] = "Timeslices",
        [SLO_RATIO_TIMESLICES] = "RatioTimeslices",
    };
    const struct slo_def *def = v->def;
    const struct slo_window *w = &def->window;
    buf_put_str(b, STR("{\"id\":"));
    json_str(b, def->id);
    put_text(b, "service", def->service);
    put_text(b, "name", def->name);
    put_text(b, "title", def->title);
    put_text(b, "description", def->description);
    put_text(b, "spec", str_from(slo_format_name(def->format)));
    put_text(b, "file", def->path);
    buf_put_str(b, STR(",\"labels\":"));
    json_pairs(b, def->labels);
    put_number(b, "objective", def->objective / 100);
    put_number(b, "errorBudget", v->error_budget);
    put_text(b, "budgetingMethod", str_from(METHODS[def->budgeting]));
    put_duration(b, "sliceWindow", def->slice_ms);
    buf_printf(b, ",\"timeWindow\":{\"type\":\"%s\"", w->calendar ? "calendar" : "rolling");
    if (w->given)
        put_text(b, "duration", w->text);
    else
        put_duration(b, "duration", v->period_ms);
    if (w->calendar)
        put_text(b, "timeZone", w->zone_name);
    buf_put_u8(b, '}');
}

static void put_budget(struct buf *b, const struct slo_view *v)
{
    const struct slo_status *s = &v->status;
    buf_put_str(b, STR(",\"budget\":{\"periodStart\":"));
    char text[40];
    buf_printf(b, "\"%.*s\"", (int)timestamp_format_rfc3339(s->period.start_ms, text), text);
    put_time(b, "periodEnd", s->period.end_ms);
    put_number(b, "totalEvents", s->sum.total);
    put_number(b, "errorEvents", fmax(s->sum.errors, 0));
    put_number(b, "errorRatio", s->error_ratio);
    put_number(b, "burnRate", s->burn_rate);
    put_number(b, "elapsed", s->elapsed);
    put_number(b, "coverage", s->coverage);
    put_number(b, "consumed", s->consumed);
    put_number(b, "remaining", s->remaining);
    put_number(b, "projectedRemaining", s->projected);
    put_number(b, "exhaustedInSeconds", s->exhausted_in_s);
    buf_put_u8(b, '}');
}

static double burn_rate(const struct slo_view *v, int64_t window_ms)
{
    for (size_t i = 0; i < v->window_count; i++) {
        double ratio = slo_sum_ratio(&v->windows[i].sum);
        if (v->windows[i].window_ms == window_ms)
            return ratio == 0 ? 0 : ratio / v->error_budget;
    }
    return (double)NAN;
}

static void put_windows(struct buf *b, const struct slo_view *v)
{
    buf_put_str(b, STR(",\"windows\":["));
    for (size_t i = 0; i < v->window_count; i++) {
        const struct slo_window_sum *w = &v->windows[i];
        char text[DURATION_SIZE_MAX];
        buf_printf(b, "%s{\"window\":\"%.*s\"", i > 0 ? "," : "",
                   (int)duration_format(w->window_ms, text), text);
        put_number(b, "totalEvents", w->sum.total);
        put_number(b, "errorEvents", fmax(w->sum.errors, 0));
        put_number(b, "errorRatio", slo_sum_ratio(&w->sum));
        put_number(b, "burnRate", burn_rate(v, w->window_ms));
        buf_put_u8(b, '}');
    }
    buf_put_u8(b, ']');
}

/* The worst of what ALERTS says: several series may have the same name. */
static str state_of(const struct answer *a, str slo, str name, str severity)
{
    str worst = STR("inactive");
    for (size_t i = 0; i < a->alert_count; i++) {
        const struct alert_series *s = &a->alerts[i];
        if (!str_eq(s->slo, slo) || !str_eq(s->name, name) || !str_eq(s->severity, severity))
            continue;
        if (str_eq(s->state, STR("firing")) || str_eq(worst, STR("inactive")))
            worst = s->state;
    }
    return worst;
}

static void alert_begin(const struct answer *a, const struct slo_view *v, str name, str severity,
                        bool *first)
{
    buf_put_str(a->out, *first ? STR("{\"name\":") : STR(",{\"name\":"));
    json_str(a->out, name);
    put_text(a->out, "severity", severity);
    put_text(a->out, "state", state_of(a, v->def->id, name, severity));
    buf_put_str(a->out, STR(",\"conditions\":["));
    *first = false;
}

static void put_pace(struct buf *b, const struct slo_view *v, const struct slo_pace *p)
{
    char text[DURATION_SIZE_MAX];
    buf_printf(b, "{\"longWindow\":\"%.*s\"", (int)duration_format(p->long_ms, text), text);
    put_duration(b, "shortWindow", p->short_ms);
    put_number(b, "threshold", p->burn_rate);
    put_number(b, "longBurnRate", burn_rate(v, p->long_ms));
    put_number(b, "shortBurnRate", burn_rate(v, p->short_ms));
    buf_put_u8(b, '}');
}

/* Alerts of the plugin that looks at what remains of the budget. */
static void put_budget_alerts(const struct answer *a, const struct slo_view *v, bool *first)
{
    const struct slo_chain *chain = &v->def->chain;
    for (size_t i = 0; i < chain->count; i++) {
        const struct slo_budget_alert_config *c = &chain->items[i].budget_alert;
        str severity = STR("");
        if (chain->items[i].kind != SLO_PLUGIN_ALERT_ON_BUDGET)
            continue;
        for (size_t k = 0; k < c->labels.count; k++)
            if (str_eq(c->labels.items[k].name, STR("sloth_severity")))
                severity = c->labels.items[k].value;
        alert_begin(a, v, c->name, severity, first);
        buf_put_str(a->out, STR("{\"remaining\":"));
        json_number(a->out, c->threshold);
        buf_put_str(a->out, STR("}]}"));
    }
}

static void put_alerts(const struct answer *a, const struct slo_view *v)
{
    const struct slo_def *def = v->def;
    struct buf *b = a->out;
    struct slo_pace paces[SLO_PACES];
    bool first = true;
    slo_paces(def, v->period_ms, paces);
    buf_put_str(b, STR(",\"alerts\":["));
    bool made = slo_chain_has(&def->chain, SLO_PLUGIN_ALERT_RULES);
    for (size_t i = 0; i < SLO_PACES; i += 2) {
        if (!made || (paces[i].page ? def->page : def->ticket).disabled)
            continue;
        alert_begin(a, v, def->alert_name, paces[i].page ? STR("page") : STR("ticket"), &first);
        put_pace(b, v, &paces[i]);
        buf_put_u8(b, ',');
        put_pace(b, v, &paces[i + 1]);
        buf_put_str(b, STR("]}"));
    }
    for (size_t i = 0; made && i < def->condition_count; i++) {
        const struct slo_condition *c = &def->conditions[i];
        char text[DURATION_SIZE_MAX];
        alert_begin(a, v, c->policy, c->severity, &first);
        buf_printf(b, "{\"longWindow\":\"%.*s\"", (int)duration_format(c->lookback_ms, text), text);
        put_number(b, "threshold", c->burn_rate);
        buf_put_str(b, STR("}]}"));
    }
    put_budget_alerts(a, v, &first);
    buf_put_u8(b, ']');
}

static void put_months(struct buf *b, const struct slo_view *v)
{
    buf_put_str(b, STR(",\"months\":["));
    for (size_t i = 0; i < v->month_count; i++) {
        const struct slo_account *m = &v->months[i];
        double ratio = slo_sum_ratio(&m->sum);
        char text[40];
        buf_printf(b, "%s{\"start\":\"%.*s\"", i > 0 ? "," : "",
                   (int)timestamp_format_rfc3339(m->period.start_ms, text), text);
        put_time(b, "end", m->period.end_ms);
        put_number(b, "totalEvents", m->sum.total);
        put_number(b, "errorEvents", fmax(m->sum.errors, 0));
        put_number(b, "errorRatio", ratio);
        put_number(b, "burnRate", ratio == 0 ? 0 : ratio / v->error_budget);
        put_number(b, "coverage",
                   v->month_slices[i] > 0 ? (double)m->sum.slices / v->month_slices[i]
                                          : (double)NAN);
        buf_printf(b, ",\"objectiveMet\":%s}",
                   isnan(ratio)               ? "null"
                   : ratio <= v->error_budget ? "true"
                                              : "false");
    }
    buf_put_u8(b, ']');
}

static void put_slo(const struct answer *a, const struct slo_view *v)
{
    struct buf *b = a->out;
    put_definition(b, v);
    put_budget(b, v);
    put_windows(b, v);
    put_alerts(a, v);
    put_months(b, v);
    if (v->booked_ms != INT64_MIN)
        put_time(b, "bookedUntil", v->booked_ms);
    else
        buf_put_str(b, STR(",\"bookedUntil\":null"));
    if (v->evaluated_ms > 0)
        put_time(b, "lastEvaluation", v->evaluated_ms);
    put_text(b, "lastError", str_from(v->error));
    buf_put_u8(b, '}');
}

/* ---- Filters ---- */

/* Is `value` one of the parameter's? None given: any is. */
static bool is_asked_for(const struct answer *a, str name, str value)
{
    if (http_param_nth(a->request, name, 0).ptr == NULL)
        return true;
    for (size_t i = 0; i < FILTERS_MAX; i++) {
        str wanted = http_param_nth(a->request, name, i);
        if (wanted.ptr == NULL)
            return false;
        if (str_eq(wanted, value))
            return true;
    }
    return false;
}

static str label_of(const struct slo_def *def, str name)
{
    const struct {
        const char *name;
        str value;
    } OWN[] = {{"sloth_id", def->id}, {"sloth_service", def->service}, {"sloth_slo", def->name}};
    for (size_t i = 0; i < def->labels.count; i++)
        if (str_eq(def->labels.items[i].name, name))
            return def->labels.items[i].value;
    for (size_t i = 0; i < COUNT_OF(OWN); i++)
        if (str_eq(name, str_from(OWN[i].name)))
            return OWN[i].value;
    return STR("");
}

static bool is_selected(const struct answer *a, const struct slo_def *def)
{
    const struct api_selectors *s = &a->selectors;
    for (size_t i = 0; i < s->count; i++) {
        bool all = true;
        for (size_t k = 0; all && k < s->counts[i]; k++)
            all = matcher_matches(&s->matchers[i][k], label_of(def, s->matchers[i][k].name));
        if (all)
            return true;
    }
    return s->count == 0;
}

static bool write_slo(void *arg, const struct slo_view *v)
{
    struct answer *a = arg;
    if (!is_asked_for(a, STR("service[]"), v->def->service) ||
        !is_asked_for(a, STR("name[]"), v->def->name) ||
        !is_asked_for(a, STR("id[]"), v->def->id) || !is_selected(a, v->def))
        return true;
    if (!a->first)
        buf_put_u8(a->out, ',');
    a->first = false;
    put_slo(a, v);
    return true;
}

void api_slos(struct http_request *r)
{
    struct answer a = {.request = r, .first = true};
    struct diag d = {.text = ""};
    static const char *const FILTERS[] = {"service[]", "name[]", "id[]"};
    for (size_t i = 0; i < COUNT_OF(FILTERS); i++)
        if (http_param_nth(r, str_from(FILTERS[i]), FILTERS_MAX).ptr != NULL) {
            api_fail_param(r, FILTERS[i], "more than 100 values");
            return;
        }
    if (!api_selectors(r, false, &a.selectors))
        return;
    arena_init(&a.arena, SCRATCH_BYTES_MAX);
    err e = read_alerts(&a, &d);
    if (e == OK) {
        a.out = api_begin(r);
        buf_put_str(a.out, STR("{\"slos\":["));
        if (api_of(r)->slos != NULL)
            slo_engine_each(api_of(r)->slos, write_slo, &a);
        buf_put_str(a.out, STR("]}"));
        api_end(a.out, NULL, 0, NULL, 0);
    } else {
        api_fail_err(r, e, &d);
    }
    arena_fini(&a.arena);
    api_selectors_fini(&a.selectors);
}
