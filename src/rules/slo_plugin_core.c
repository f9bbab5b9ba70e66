/* slo_plugin_core.c -- the plugins that Sloth uses by itself (sloth.dev/core/...), and what checks
 * queries. Sloth is written in Go and computes in doubles: the order of operations here is the
 * same, so that 0.0009999999999999432 is too. */
#include "base/duration.h"
#include "base/log.h"
#include "base/number.h"
#include "rules/slo_plugin.h"
#include "rules/slo_query.h"

/* ---- Ratios of errors ---- */

/* Time slices: whether the newest one is bad (or how much) is recorded once, longer windows are
 * averages of that. */
static void put_slice_error(struct slo_maker *m)
{
    const struct slo_def *def = m->def;
    if (def->budgeting == SLO_RATIO_TIMESLICES) {
        slo_query_ratio(def, def->slice_ms, &m->text);
        return;
    }
    slo_put(m, "(1 - ");
    slo_query_ratio(def, def->slice_ms, &m->text);
    slo_put(m, ") < bool ");
    slo_put_number(m, def->slice_target);
}

static void put_window_error(struct slo_maker *m, int64_t window_ms)
{
    if (m->def->budgeting == SLO_OCCURRENCES) {
        slo_query_ratio(m->def, window_ms, &m->text);
        return;
    }
    char text[DURATION_SIZE_MAX];
    slo_put(m, "avg_over_time(slo:sli_slice_error:ratio");
    slo_query_filter(m->def, &m->text);
    buf_put_u8(&m->text, '[');
    buf_put(&m->text, text, duration_format(window_ms, text));
    slo_put(m, "])");
}

err slo_make_ratios(struct slo_maker *m, const struct slo_plugin *p)
{
    struct slo_group *g = &m->groups[SLO_GROUP_SLI];
    g->count = 0;
    if (m->def->budgeting != SLO_OCCURRENCES) {
        put_slice_error(m);
        (void)slo_record(m, g, STR("slo:sli_slice_error:ratio"), STR(""));
    }
    for (size_t i = 0; i < m->window_count; i++) {
        str window = slo_window_text(m, m->windows[i]), name = slo_metric_name(m, m->windows[i]);
        put_window_error(m, m->windows[i]);
        (void)slo_record(m, g, name, window);
    }
    str window = slo_window_text(m, m->period_ms), name = slo_metric_name(m, m->period_ms);
    if (p->ratio.not_optimized)
        put_window_error(m, m->period_ms);
    else
        slo_put_period(m, window);
    (void)slo_record(m, g, name, window);
    return OK;
}

/* ---- What is known of the objective ---- */

static void put_burn_rate(struct slo_maker *m, int64_t window_ms)
{
    slo_put_ratio(m, window_ms);
    slo_put(m, "\n/ on(sloth_id, sloth_slo, sloth_service) group_left\nslo:error_budget:ratio");
    slo_query_filter(m->def, &m->text);
    slo_put(m, "\n");
}

static str mode(const struct slo_maker *m)
{
    static const char *const MODES[] = {
        [SLO_FORMAT_SLOTH] = "cli-gen-prom",
        [SLO_FORMAT_SLOTH_K8S] = "cli-gen-k8s",
        [SLO_FORMAT_OPENSLO] = "cli-gen-openslo",
        [SLO_FORMAT_OPENSLO_ALPHA] = "cli-gen-openslo",
    };
    return m->options->generated_by_tool ? str_from(MODES[m->def->format]) : STR("varve");
}

static void record_info(struct slo_maker *m, struct slo_group *g)
{
    enum { OWN = 4 };
    char objective[NUMBER_SIZE_MAX];
    slo_put(m, "vector(1)");
    struct rule_def *r = slo_record(m, g, STR("sloth_slo_info"), STR(""));
    if (r == NULL)
        return;
    r->labels = slo_labels_of(m, m->def->info_labels.count + OWN, STR(""));
    if (r->labels.items == NULL)
        return;
    slo_set_pairs(&r->labels, &m->def->info_labels);
    slo_set_label(&r->labels, STR("sloth_version"), str_from(m->options->version));
    slo_set_label(&r->labels, STR("sloth_mode"), mode(m));
    slo_set_label(&r->labels, STR("sloth_spec"), str_from(slo_format_name(m->def->format)));
    buf_put(&m->text, objective, number_format_f(m->def->objective, objective));
    slo_set_label(&r->labels, STR("sloth_objective"), slo_take(m));
}

static void record_vector(struct slo_maker *m, struct slo_group *g, str name, const char *before,
                          double v)
{
    slo_put(m, "vector(");
    slo_put(m, before);
    slo_put_number(m, v);
    slo_put(m, ")");
    (void)slo_record(m, g, name, STR(""));
}

err slo_make_metadata(struct slo_maker *m, const struct slo_plugin *p)
{
    struct slo_group *g = &m->groups[SLO_GROUP_META];
    double ratio = m->def->objective / 100;
    (void)p;
    g->count = 0;
    record_vector(m, g, STR("slo:objective:ratio"), "", ratio);
    record_vector(m, g, STR("slo:error_budget:ratio"), "1-", ratio);
    record_vector(m, g, STR("slo:time_period:days"), "", (double)m->period_ms / SLO_DAY_MS);
    put_burn_rate(m, m->paces[0].short_ms);
    (void)slo_record(m, g, STR("slo:current_burn_rate:ratio"), STR(""));
    put_burn_rate(m, m->period_ms);
    (void)slo_record(m, g, STR("slo:period_burn_rate:ratio"), STR(""));
    slo_put(m, "1 - slo:period_burn_rate:ratio");
    slo_query_filter(m->def, &m->text);
    (void)slo_record(m, g, STR("slo:period_error_budget_remaining:ratio"), STR(""));
    record_info(m, g);
    return OK;
}

/* ---- Alerts ---- */

/* `max(ratio{...} > (14.4 * 0.001)) without (sloth_window)` */
static void put_above(struct slo_maker *m, int64_t window_ms, const char *op, double burn_rate)
{
    slo_put(m, "max(");
    slo_put_ratio(m, window_ms);
    slo_put(m, op);
    slo_put(m, "(");
    slo_put_number(m, burn_rate);
    slo_put(m, " * ");
    slo_put_number(m, slo_error_budget(m->def));
    slo_put(m, ")) without (sloth_window)");
}

static void put_pace(struct slo_maker *m, const struct slo_pace *p)
{
    slo_put(m, "(\n    ");
    put_above(m, p->short_ms, " > ", p->burn_rate);
    slo_put(m, "\n    and\n    ");
    put_above(m, p->long_ms, " > ", p->burn_rate);
    slo_put(m, "\n)\n");
}

static void annotate(struct slo_maker *m, struct rule_labels *to, str severity, bool no_data)
{
    if (!no_data)
        slo_set_label(
            to, STR("summary"),
            STR("{{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate "
                "is over expected."));
    slo_put(m, "(");
    buf_put_str(&m->text, severity);
    slo_put(m, ") {{$labels.sloth_service}} {{$labels.sloth_slo}} SLO ");
    slo_put(m, no_data ? "has no data." : "error budget burn rate is too fast.");
    slo_set_label(to, STR("title"), slo_take(m));
}

/* Labels of the objective come with the series: an alert has them without saying so. */
static void make_alert(struct slo_maker *m, const struct slo_alert *a, const struct slo_pace *quick,
                       const struct slo_pace *slow)
{
    const char *severity = quick->page ? "page" : "ticket";
    if (a->disabled)
        return;
    put_pace(m, quick);
    slo_put(m, "or\n");
    put_pace(m, slow);
    struct rule_def *r = slo_add_rule(m, &m->groups[SLO_GROUP_ALERTS]);
    if (r == NULL)
        return;
    r->alert = slo_text_of(m, m->def->alert_name);
    if (slo_labels_begin(m, &r->annotations, a->annotations.count + 2)) {
        annotate(m, &r->annotations, str_from(severity), false);
        slo_set_pairs(&r->annotations, &a->annotations);
    }
    if (slo_labels_begin(m, &r->labels, a->labels.count + 1)) {
        slo_set_label(&r->labels, STR("sloth_severity"), str_from(severity));
        slo_set_pairs(&r->labels, &a->labels);
    }
}

static void label_condition(struct slo_maker *m, const struct slo_condition *c, struct rule_def *r,
                            bool no_data)
{
    if (slo_labels_begin(m, &r->labels, 8)) {
        slo_set_label(&r->labels, STR("severity"), c->severity);
        slo_set_label(&r->labels, STR("sloth_id"), m->def->id); /* a policy may serve several */
        slo_set_label(&r->labels, STR("sloth_severity"), c->severity);
        if (c->targets.len > 0)
            slo_set_label(&r->labels, STR("openslo_targets"), c->targets);
    }
    if (slo_labels_begin(m, &r->annotations, 4)) {
        annotate(m, &r->annotations, c->severity, no_data);
        if (c->description.len > 0)
            slo_set_label(&r->annotations, STR("description"), c->description);
    }
}

static void add_condition(struct slo_maker *m, const struct slo_condition *c, bool no_data)
{
    struct rule_def *r = slo_add_rule(m, &m->groups[SLO_GROUP_ALERTS]);
    if (r == NULL)
        return;
    buf_put_str(&m->text, c->policy);
    slo_put(m, no_data ? "-no-data" : "");
    r->alert = slo_text_of(m, slo_take(m));
    r->for_ms = c->after_ms;
    label_condition(m, c, r, no_data);
}

/* An OpenSLO AlertPolicy. */
static void make_condition(struct slo_maker *m, const struct slo_condition *c)
{
    if (c->breaching) {
        put_above(m, c->lookback_ms, c->inclusive ? " >= " : " > ", c->burn_rate);
        add_condition(m, c, false);
    }
    if (c->no_data) {
        slo_put(m, "absent(");
        slo_put_ratio(m, c->lookback_ms);
        slo_put(m, ")");
        add_condition(m, c, true);
    }
}

err slo_make_alerts(struct slo_maker *m, const struct slo_plugin *p)
{
    (void)p;
    m->groups[SLO_GROUP_ALERTS].count = 0;
    make_alert(m, &m->def->page, &m->paces[0], &m->paces[1]);
    make_alert(m, &m->def->ticket, &m->paces[2], &m->paces[3]);
    for (size_t i = 0; i < m->def->condition_count; i++)
        make_condition(m, &m->def->conditions[i]);
    return OK;
}

/* ---- Others ---- */

err slo_make_nothing(struct slo_maker *m, const struct slo_plugin *p)
{
    (void)m;
    (void)p;
    return OK;
}

err slo_make_debug(struct slo_maker *m, const struct slo_plugin *p)
{
    const struct slo_debug_config *c = &p->debug;
    if (c->text.len > 0)
        log_debug("SLO plugin", LOG_STR("slo", m->def->id), LOG_STR("msg", c->text));
    if (c->request)
        log_debug("SLO plugin: request", LOG_STR("slo", m->def->id), LOG_STR("file", m->def->path),
                  LOG_INT("period_ms", m->period_ms));
    if (c->result)
        for (size_t i = 0; i < m->group_count; i++)
            log_debug("SLO plugin: result", LOG_STR("slo", m->def->id),
                      LOG_STR("group", m->groups[i].name),
                      LOG_INT("rules", (int64_t)m->groups[i].count));
    return OK;
}

err slo_validate(struct slo_maker *m, const struct slo_plugin *p)
{
    (void)p;
    return slo_query_check(m->def, m->d);
}

err slo_validate_metricsql(struct slo_maker *m, const struct slo_plugin *p)
{
    (void)p;
    return slo_query_check_shape(m->def, m->d);
}
