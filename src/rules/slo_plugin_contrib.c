/* slo_plugin_contrib.c -- the plugins that others gave to Sloth (sloth.dev/contrib/...). They stand
 * behind those that make rules, and change what these made. */
#include "base/utf8.h"
#include "model/labels.h"
#include "rules/slo_plugin.h"
#include "rules/slo_query.h"

/* ---- error_budget_exhausted_alert ---- */

/* `{a="b", sloth_id="..."}` of all labels that the series have. */
static void put_matchers(struct slo_maker *m, const struct pairs *more)
{
    struct rule_labels labels = slo_labels_of(m, more->count, STR(""));
    if (labels.items == NULL)
        return;
    slo_set_pairs(&labels, more);
    for (size_t i = 0; i < labels.count; i++) {
        slo_put(m, i == 0 ? "{" : ", ");
        if (label_name_is_legacy(labels.items[i].name))
            buf_put_str(&m->text, labels.items[i].name);
        else
            utf8_quote(&m->text, labels.items[i].name);
        slo_put(m, "=");
        utf8_quote(&m->text, labels.items[i].value.text);
    }
    slo_put(m, "}");
}

err slo_make_budget_alert(struct slo_maker *m, const struct slo_plugin *p)
{
    const struct slo_budget_alert_config *c = &p->budget_alert;
    slo_put(m, "slo:period_error_budget_remaining:ratio");
    put_matchers(m, &c->selector_labels);
    slo_put(m, " <= ");
    slo_put_number(m, c->threshold);
    struct rule_def *r = slo_add_rule(m, &m->groups[SLO_GROUP_ALERTS]);
    if (r == NULL)
        return OK;
    r->alert = slo_text_of(m, c->name);
    r->for_ms = c->for_ms;
    if (slo_labels_begin(m, &r->labels, c->labels.count))
        slo_set_pairs(&r->labels, &c->labels);
    if (slo_labels_begin(m, &r->annotations, c->annotations.count))
        slo_set_pairs(&r->annotations, &c->annotations);
    return OK;
}

/* ---- Queries of events ---- */

/* Are there numbers of events: a total, and of it the bad or the good ones? */
static bool has_events(const struct slo_maker *m)
{
    const struct slo_sli *s = &m->def->sli;
    return (s->kind == SLO_SLI_EVENTS || s->kind == SLO_SLI_LATENCY) &&
           m->def->budgeting == SLO_OCCURRENCES;
}

/* The queries over a window; slo_events_fini() frees. */
static struct slo_events events_of(const struct slo_maker *m, int64_t window_ms)
{
    struct slo_events e;
    slo_query_events(m->def, window_ms, &e);
    return e;
}

/* ---- sli_total_amount ---- */

static void record_total(struct slo_maker *m, struct slo_group *g, int64_t window_ms)
{
    struct slo_events e = events_of(m, window_ms);
    slo_put(m, "slo:sli_total:amount");
    str window = slo_window_text(m, window_ms); /* with what was written before it */
    buf_put_str(&m->text, buf_str(&e.total));
    (void)slo_record(m, g, window, STR(""));
    slo_events_fini(&e);
}

err slo_make_total_amount(struct slo_maker *m, const struct slo_plugin *p)
{
    static const char PREFIX[] = "sloth-slo-sli-total-amount-";
    if (!has_events(m))
        return slo_plugin_fail(m, p, "needs an SLI of events");
    for (size_t i = SLO_GROUPS_USUAL; i < m->group_count; i++)
        if (str_starts(m->groups[i].name, str_from(PREFIX)))
            return slo_plugin_fail(m, p, "stands twice in the chain");
    struct slo_group *g = slo_maker_group(m, PREFIX, 0);
    if (g == NULL)
        return OK;
    for (size_t i = 0; i < m->window_count; i++)
        record_total(m, g, m->windows[i]);
    record_total(m, g, m->period_ms);
    return OK;
}

/* ---- denominator_corrected_rules ---- */

/* Bad events as a factor; Sloth forgets the parentheses of a sum. */
static void put_errors(struct slo_maker *m, const struct slo_events *e)
{
    bool loose = e->good || slo_query_is_loose(buf_str(&e->error));
    slo_put(m, loose ? "(" : "");
    if (e->good) {
        slo_put(m, "(");
        buf_put_str(&m->text, buf_str(&e->total));
        slo_put(m, ") - (");
        buf_put_str(&m->text, buf_str(&e->error));
        slo_put(m, ")");
    } else {
        buf_put_str(&m->text, buf_str(&e->error));
    }
    slo_put(m, loose ? ")" : "");
}

/* Errors weigh by the traffic of their window against that of the whole period. */
static void record_corrected(struct slo_maker *m, int64_t window_ms)
{
    str window = slo_window_text(m, window_ms), name = slo_metric_name(m, window_ms);
    struct slo_events e = events_of(m, window_ms);
    slo_put(m, "(\nslo:numerator_correction:ratio");
    buf_put_str(&m->text, window);
    slo_query_filter(m->def, &m->text);
    slo_put(m, "\n* on()\n");
    put_errors(m, &e);
    slo_put(m, "\n)\n/\n(");
    buf_put_str(&m->text, buf_str(&e.total));
    slo_put(m, ")\n");
    (void)slo_record(m, &m->groups[SLO_GROUP_SLI], name, window);
    slo_events_fini(&e);
}

static void record_correction(struct slo_maker *m, int64_t window_ms)
{
    struct slo_events part = events_of(m, window_ms), whole = events_of(m, m->period_ms);
    slo_put(m, "slo:numerator_correction:ratio");
    str name = slo_window_text(m, window_ms);
    slo_put(m, "(");
    buf_put_str(&m->text, buf_str(&part.total));
    slo_put(m, ")/(");
    buf_put_str(&m->text, buf_str(&whole.total));
    slo_put(m, ")");
    (void)slo_record(m, &m->groups[SLO_GROUP_META], name, STR(""));
    slo_events_fini(&part);
    slo_events_fini(&whole);
}

err slo_make_corrected_ratios(struct slo_maker *m, const struct slo_plugin *p)
{
    struct slo_group *g = &m->groups[SLO_GROUP_SLI];
    if (!has_events(m))
        return slo_plugin_fail(m, p, "needs an SLI of events");
    g->count = 0;
    for (size_t i = 0; i < m->window_count; i++)
        record_corrected(m, m->windows[i]);
    str window = slo_window_text(m, m->period_ms), name = slo_metric_name(m, m->period_ms);
    if (p->ratio.not_optimized)
        slo_query_ratio(m->def, m->period_ms, &m->text);
    else
        slo_put_period(m, window);
    (void)slo_record(m, g, name, window);
    for (size_t i = 0; i < m->window_count; i++)
        record_correction(m, m->windows[i]);
    return OK;
}

/* ---- Labels ---- */

err slo_add_info_labels(struct slo_maker *m, const struct slo_plugin *p)
{
    const struct slo_group *g = &m->groups[SLO_GROUP_META];
    for (size_t i = 0; i < g->count; i++) {
        struct rule_labels *old = &g->rules[i].labels, all;
        if (!str_eq(g->rules[i].record.text, p->info.metric))
            continue;
        if (!slo_labels_begin(m, &all, old->count + p->info.labels.count))
            break;
        for (size_t k = 0; k < old->count; k++)
            slo_set_label(&all, old->items[k].name, old->items[k].value.text);
        slo_set_pairs(&all, &p->info.labels);
        *old = all;
        break;
    }
    return OK;
}

static bool is_among(const struct texts *list, str name)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->items[i], name))
            return true;
    return false;
}

/* The objective is told by its three own labels, and the window of a ratio by another. */
static bool is_kept(const struct slo_remove_labels_config *c, size_t group, str name)
{
    return str_eq(name, STR("sloth_id")) || str_eq(name, STR("sloth_service")) ||
           str_eq(name, STR("sloth_slo")) ||
           (group == SLO_GROUP_SLI && str_eq(name, STR("sloth_window"))) ||
           is_among(&c->preserve, name);
}

static void strip(const struct slo_remove_labels_config *c, size_t group, struct rule_def *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->labels.count; i++)
        if (is_kept(c, group, r->labels.items[i].name))
            r->labels.items[kept++] = r->labels.items[i];
    r->labels.count = kept;
}

err slo_remove_labels(struct slo_maker *m, const struct slo_plugin *p)
{
    for (size_t g = SLO_GROUP_SLI; g <= SLO_GROUP_META; g++)
        for (size_t i = 0; i < m->groups[g].count; i++) {
            struct rule_def *r = &m->groups[g].rules[i];
            if (!str_eq(r->record.text, STR("sloth_slo_info")) &&
                !is_among(&p->remove.skip_metrics, r->record.text))
                strip(&p->remove, g, r);
        }
    return OK;
}

/* ---- rule_intervals ---- */

err slo_set_intervals(struct slo_maker *m, const struct slo_plugin *p)
{
    const struct slo_intervals_config *c = &p->intervals;
    const int64_t own[SLO_GROUPS_USUAL] = {c->sli_ms, c->meta_ms, c->alert_ms};
    for (size_t i = 0; i < SLO_GROUPS_USUAL; i++)
        m->groups[i].interval_ms = own[i] > 0 ? own[i] : c->default_ms;
    return OK;
}
