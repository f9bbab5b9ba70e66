/* slo_rules.c -- see slo_rules.h. */
#include "rules/slo_rules.h"

#include "rules/slo_maker.h"
#include "rules/slo_plugin.h"
#include "rules/slo_query.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

int64_t slo_period_ms(const struct slo_def *def, int64_t default_ms)
{
    const struct slo_window *w = &def->window;
    if (!w->given)
        return default_ms;
    return !w->calendar ? w->rolling_ms : (w->months * 30 + w->days) * SLO_DAY_MS;
}

static const struct slo_alert_windows *find_period(const struct slo_catalog *c, int64_t period_ms)
{
    for (size_t i = 0; c != NULL && i < c->count; i++)
        if (c->items[i].period_ms == period_ms)
            return &c->items[i];
    return NULL;
}

bool slo_period_known(const struct slo_set *set, int64_t period_ms)
{
    return period_ms == 28 * SLO_DAY_MS || period_ms == 30 * SLO_DAY_MS ||
           find_period(set->catalog, period_ms) != NULL;
}

void slo_paces(const struct slo_def *def, int64_t period_ms, struct slo_pace out[SLO_PACES])
{
    static const struct slo_alert_pace SLOTHS[SLO_PACES] = {
        {2, 5 * MINUTE_MS, HOUR_MS},
        {5, 30 * MINUTE_MS, 6 * HOUR_MS},
        {10, 2 * HOUR_MS, 24 * HOUR_MS},
        {10, 6 * HOUR_MS, 72 * HOUR_MS},
    };
    const struct slo_alert_windows *own = find_period(def->catalog, period_ms);
    const struct slo_alert_pace *from = own != NULL ? own->paces : SLOTHS;
    double period_hours = own != NULL                    ? (double)period_ms / HOUR_MS
                          : period_ms == 28 * SLO_DAY_MS ? 28 * 24
                                                         : 30 * 24;
    static_assert(COUNT_OF(own->paces) == SLO_PACES, "two of a page, two of a ticket");
    for (size_t i = 0; i < SLO_PACES; i++) {
        double hours = from[i].percent * period_hours / 100;
        out[i] = (struct slo_pace){.page = i < SLO_PACES / 2,
                                   .short_ms = from[i].short_ms,
                                   .long_ms = from[i].long_ms,
                                   .burn_rate = hours / ((double)from[i].long_ms / HOUR_MS)};
    }
}

double slo_error_budget(const struct slo_def *def)
{
    return (100 - def->objective) / 100;
}

/* ---- Rules ---- */

/* Room for the groups of one objective more. */
static err grow(struct arena *a, struct rule_group_def **groups, size_t used, size_t *room)
{
    if (used + SLO_GROUPS_MAX <= *room)
        return OK;
    size_t more = MAX(*room * 2, used + SLO_GROUPS_MAX);
    struct rule_group_def *grown = arena_grow(a, *groups, used, more, sizeof(*grown));
    if (grown == NULL)
        return ERR_LIMIT;
    *groups = grown;
    *room = more;
    return OK;
}

/* Groups without rules are left out, as Sloth leaves them out. */
static size_t take_groups(const struct slo_maker *m, struct rule_group_def *out)
{
    size_t used = 0;
    for (size_t i = 0; i < m->group_count; i++)
        if (m->groups[i].count > 0)
            out[used++] = (struct rule_group_def){.name = m->groups[i].name,
                                                  .interval_ms = m->groups[i].interval_ms,
                                                  .rules = m->groups[i].rules,
                                                  .rule_count = m->groups[i].count,
                                                  .line = m->def->line,
                                                  .column = m->def->column};
    return used;
}

static err check_expanded(const struct slo_def *def, struct diag *d)
{
    if (def->sli.kind != SLO_SLI_PLUGIN)
        return OK;
    return diag_set(d, ERR_INVALID, STR_FMT ":%u:%u: no SLI plugin \"" STR_FMT "\": none were read",
                    STR_ARG(def->path), def->sli.error.line, def->sli.error.column,
                    STR_ARG(def->sli.error.text));
}

/* Whatever a chain of plugins checked, this server reckons in PromQL. */
static err check_served(const struct slo_def *def, struct diag *d)
{
    struct diag why = {.text = ""};
    err e = slo_query_check(def, &why);
    if (e == OK)
        return OK;
    return diag_set(d, e, "%s%s", why.text,
                    slo_chain_has(&def->chain, SLO_PLUGIN_VALIDATE_METRICSQL)
                        ? " (objectives are served in PromQL; for MetricsQL there is `varve slo "
                          "generate`)"
                        : "");
}

err slo_rules_make(const struct slo_set *set, const struct slo_rules_options *o, struct arena *a,
                   struct rule_group_def **out, size_t *count, struct diag *d)
{
    struct slo_maker m = {.arena = a, .options = o, .d = d};
    struct rule_group_def *groups = NULL;
    size_t used = 0, room = 0;
    err e = OK;
    for (size_t i = 0; i < set->count && e == OK; i++) {
        slo_maker_begin(&m, &set->defs[i]);
        e = check_expanded(m.def, d);
        if (e == OK)
            e = slo_chain_run(&m);
        if (e == OK && o->served)
            e = check_served(m.def, d);
        if (e == OK)
            e = m.full ? ERR_LIMIT : grow(a, &groups, used, &room);
        if (e == OK)
            used += take_groups(&m, groups + used);
    }
    buf_fini(&m.text);
    if (e == ERR_LIMIT)
        return diag_set(d, e, "rules of objectives: too large");
    if (e != OK)
        return e;
    *out = groups;
    *count = used;
    return OK;
}

/* ---- Warnings ---- */

static void warn(const struct slo_def *def, double burn_rate, const char *what, struct buf *out)
{
    double ratio = burn_rate * slo_error_budget(def);
    if (ratio < 1)
        return;
    buf_printf(out,
               STR_FMT ":%u:%u: SLO \"" STR_FMT "\": the %s can never fire by %g times the budget "
                       "alone: that is a ratio of errors of %g\n",
               STR_ARG(def->path), def->line, def->column, STR_ARG(def->id), what, burn_rate,
               ratio);
}

/* Alerts and books look for the objective by these. */
static void warn_labels(const struct slo_def *def, const struct slo_rules_options *o,
                        struct buf *out)
{
    const struct pairs *lists[] = {&def->labels, &o->extra_labels};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (size_t k = 0; k < lists[i]->count; k++) {
            str name = lists[i]->items[k].name;
            if (str_eq(name, STR("sloth_id")) || str_eq(name, STR("sloth_service")) ||
                str_eq(name, STR("sloth_slo")))
                buf_printf(out,
                           STR_FMT ":%u:%u: SLO \"" STR_FMT "\": label \"" STR_FMT
                                   "\" takes the place of the objective's own: its alerts and "
                                   "burn rates find nothing\n",
                           STR_ARG(def->path), def->line, def->column, STR_ARG(def->id),
                           STR_ARG(name));
        }
}

/* A plugin of a file or of a flag stands in the chains of many objectives. */
static bool is_told(const struct slo_set *set, size_t index, const struct slo_plugin *p)
{
    if (index == 0)
        return false;
    const struct slo_def *before = &set->defs[index - 1];
    if (p->line > 0 && !str_eq(before->path, set->defs[index].path))
        return false;
    for (size_t i = 0; i < before->chain.count; i++)
        if (before->chain.items[i].line == p->line && before->chain.items[i].column == p->column)
            return true;
    return false;
}

static void warn_plugins(const struct slo_set *set, size_t index, struct buf *out)
{
    const struct slo_def *def = &set->defs[index];
    for (size_t i = 0; i < def->chain.count; i++) {
        const struct slo_plugin *p = &def->chain.items[i];
        if (p->unknown.ptr != NULL && !is_told(set, index, p)) {
            if (p->line > 0)
                buf_printf(out, STR_FMT ":%u:%u", STR_ARG(def->path), p->line, p->column);
            else
                buf_put_str(out, STR("flag --slo-plugins"));
            buf_printf(out, ": plugin \"" STR_FMT "\" knows no \"" STR_FMT "\": it is left alone\n",
                       STR_ARG(p->id), STR_ARG(p->unknown));
        }
        if (p->kind == SLO_PLUGIN_VALIDATE_METRICSQL && slo_query_check(def, NULL) != OK)
            buf_printf(out,
                       STR_FMT ":%u:%u: SLO \"" STR_FMT "\": its queries are not PromQL: the rules "
                               "are for a server that knows MetricsQL; varve serve refuses them\n",
                       STR_ARG(def->path), def->line, def->column, STR_ARG(def->id));
    }
}

static bool has_step(const struct slo_def *def, const struct slo_rules_options *o,
                     enum slo_plugin_kind kind)
{
    struct slo_chain chain = def->chain;
    chain.override = chain.override || o->no_default_plugins;
    return slo_chain_has(&chain, kind);
}

static void warn_steps(const struct slo_def *def, const struct slo_rules_options *o,
                       struct buf *out)
{
    bool reads =
        has_step(def, o, SLO_PLUGIN_ALERT_RULES) || has_step(def, o, SLO_PLUGIN_METADATA_RULES);
    if (reads && !has_step(def, o, SLO_PLUGIN_SLI_RULES) &&
        !has_step(def, o, SLO_PLUGIN_DENOMINATOR_CORRECTED))
        buf_printf(out,
                   STR_FMT ":%u:%u: SLO \"" STR_FMT "\": no plugin makes ratios of errors: its "
                           "alerts and burn rates find nothing\n",
                   STR_ARG(def->path), def->line, def->column, STR_ARG(def->id));
}

void slo_rules_warnings(const struct slo_set *set, const struct slo_rules_options *o,
                        struct buf *out)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct slo_def *def = &set->defs[i];
        struct slo_pace paces[SLO_PACES];
        warn_labels(def, o, out);
        warn_plugins(set, i, out);
        if (def->ignored.line > 0)
            buf_printf(out,
                       STR_FMT ":%u:%u: SLO \"" STR_FMT "\": \"" STR_FMT
                               "\" is left out, as Sloth leaves it out: a file has page_alert and "
                               "ticket_alert, the Kubernetes resource pageAlert and ticketAlert\n",
                       STR_ARG(def->path), def->ignored.line, def->ignored.column, STR_ARG(def->id),
                       STR_ARG(def->ignored.text));
        warn_steps(def, o, out);
        if (!has_step(def, o, SLO_PLUGIN_ALERT_RULES))
            continue;
        slo_paces(def, slo_period_ms(def, o->period_ms), paces);
        for (size_t k = 0; k < SLO_PACES; k++)
            if (!(paces[k].page ? def->page : def->ticket).disabled)
                warn(def, paces[k].burn_rate, paces[k].page ? "page alert" : "ticket alert", out);
        for (size_t k = 0; k < def->condition_count; k++)
            if (def->conditions[k].breaching)
                warn(def, def->conditions[k].burn_rate, "alert policy", out);
    }
}
