/* slo_rules.c -- see slo_rules.h. Sloth is written in Go and computes in doubles: the order of
 * operations here is the same, so that 0.0009999999999999432 is too. */
#include "rules/slo_rules.h"

#include <stdlib.h>

#include "base/duration.h"
#include "base/number.h"
#include "rules/slo_query.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, RULES_PER_SLO_MAX = 64 };

struct maker { /* of one objective */
    struct arena *arena;
    const struct slo_def *def;
    const struct slo_rules_options *options;
    struct slo_pace paces[SLO_PACES];
    int64_t windows[SLO_WINDOWS_MAX]; /* ascending, without the period */
    size_t window_count;
    int64_t period_ms;
    bool full; /* the arena is */
    struct rule_group_def *group;
    struct rule_def rules[RULES_PER_SLO_MAX];
    struct buf text; /* being written */
};

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

/* ---- Text ---- */

/* What was written since the last take, as a string of the arena. */
static str take(struct maker *m)
{
    str s = arena_str(m->arena, buf_str(&m->text));
    buf_reset(&m->text);
    if (s.ptr == NULL)
        m->full = true;
    return s;
}

static void put(struct maker *m, const char *text)
{
    buf_put_str(&m->text, str_from(text));
}

static void put_number(struct maker *m, double v)
{
    char text[NUMBER_SIZE_MAX];
    buf_put(&m->text, text, number_format_g(v, text));
}

static str window_text(struct maker *m, int64_t window_ms)
{
    char text[DURATION_SIZE_MAX];
    buf_put(&m->text, text, duration_format(window_ms, text));
    return take(m);
}

/* `slo:sli_error:ratio_rate5m{...}` */
static void put_ratio(struct maker *m, int64_t window_ms)
{
    slo_query_metric(window_ms, &m->text);
    slo_query_filter(m->def, &m->text);
}

/* ---- Labels ---- */

/* Set a label; a later one wins, as where Go copies maps over each other. Kept in order of names.
 */
static void set_label(struct rule_labels *to, str name, str value)
{
    size_t at = 0;
    while (at < to->count && str_cmp(to->items[at].name, name) < 0)
        at++;
    if (at == to->count || !str_eq(to->items[at].name, name)) {
        for (size_t i = to->count++; i > at; i--)
            to->items[i] = to->items[i - 1];
    }
    to->items[at] = (struct rule_label){name, {value, 0, 0}};
}

static void set_pairs(struct rule_labels *to, const struct pairs *from)
{
    for (size_t i = 0; i < from->count; i++)
        set_label(to, from->items[i].name, from->items[i].value);
}

/* Room for `more` labels. */
static bool labels_begin(struct maker *m, struct rule_labels *out, size_t more)
{
    *out = (struct rule_labels){ARENA_ARRAY(m->arena, struct rule_label, more + 1), 0};
    m->full = m->full || out->items == NULL;
    return out->items != NULL;
}

/* Labels of a recording rule; `window` may be empty. */
static struct rule_labels record_labels(struct maker *m, str window)
{
    const struct slo_def *def = m->def;
    struct rule_labels out;
    if (!labels_begin(m, &out,
                      8 + def->labels.count + def->info_labels.count +
                          m->options->extra_labels.count))
        return out;
    set_label(&out, STR("sloth_id"), def->id);
    set_label(&out, STR("sloth_service"), def->service);
    set_label(&out, STR("sloth_slo"), def->name);
    if (window.len > 0)
        set_label(&out, STR("sloth_window"), window);
    set_pairs(&out, &def->labels);
    set_pairs(&out, &m->options->extra_labels);
    return out;
}

/* ---- Rules ---- */

static struct rule_def *add_rule(struct maker *m)
{
    struct rule_def *r = &m->rules[m->group->rule_count++];
    *r = (struct rule_def){.line = m->def->line, .column = m->def->column};
    return r;
}

static struct rule_text text_of(struct maker *m, str text)
{
    return (struct rule_text){text, m->def->line, m->def->column};
}

/* The text being written is the expression. */
static void record(struct maker *m, str name, str window)
{
    struct rule_def *r = add_rule(m);
    r->expr = text_of(m, take(m));
    r->record = text_of(m, name);
    r->labels = record_labels(m, window);
}

static void group_begin(struct maker *m, struct rule_group_def *g, const char *kind,
                        int64_t interval_ms)
{
    *g = (struct rule_group_def){.line = m->def->line, .column = m->def->column};
    m->group = g;
    put(m, kind);
    buf_put_str(&m->text, m->def->id);
    g->name = take(m);
    g->interval_ms = interval_ms;
}

static void group_end(struct maker *m)
{
    struct rule_group_def *g = m->group;
    g->rules = ARENA_ARRAY(m->arena, struct rule_def, g->rule_count + 1);
    if (g->rules == NULL) {
        m->full = true;
        g->rule_count = 0;
        return;
    }
    memcpy(g->rules, m->rules, g->rule_count * sizeof(*g->rules));
}

/* ---- Ratios of errors ---- */

static void add_window(struct maker *m, int64_t window_ms)
{
    size_t at = 0;
    while (at < m->window_count && m->windows[at] < window_ms)
        at++;
    if (window_ms == m->period_ms || (at < m->window_count && m->windows[at] == window_ms))
        return;
    for (size_t i = m->window_count++; i > at; i--)
        m->windows[i] = m->windows[i - 1];
    m->windows[at] = window_ms;
}

static void find_windows(struct maker *m)
{
    m->period_ms = slo_period_ms(m->def, m->options->period_ms);
    slo_paces(m->def, m->period_ms, m->paces);
    m->window_count = 0;
    for (size_t i = 0; i < SLO_PACES; i++) {
        add_window(m, m->paces[i].short_ms);
        add_window(m, m->paces[i].long_ms);
    }
    for (size_t i = 0; i < m->def->condition_count; i++)
        add_window(m, m->def->conditions[i].lookback_ms);
}

/* Time slices: whether the newest one is bad (or how much) is recorded once, longer windows are
 * averages of that. */
static void put_slice_error(struct maker *m)
{
    const struct slo_def *def = m->def;
    if (def->budgeting == SLO_RATIO_TIMESLICES) {
        slo_query_ratio(def, def->slice_ms, &m->text);
        return;
    }
    put(m, "(1 - ");
    slo_query_ratio(def, def->slice_ms, &m->text);
    put(m, ") < bool ");
    put_number(m, def->slice_target);
}

static void put_window_error(struct maker *m, int64_t window_ms)
{
    if (m->def->budgeting == SLO_OCCURRENCES) {
        slo_query_ratio(m->def, window_ms, &m->text);
        return;
    }
    char text[DURATION_SIZE_MAX];
    put(m, "avg_over_time(slo:sli_slice_error:ratio");
    slo_query_filter(m->def, &m->text);
    buf_put_u8(&m->text, '[');
    buf_put(&m->text, text, duration_format(window_ms, text));
    put(m, "])");
}

static str metric_name(struct maker *m, int64_t window_ms)
{
    slo_query_metric(window_ms, &m->text);
    return take(m);
}

/* The whole period from the shortest window: 30 days of raw samples would be too dear. */
static void put_period_error(struct maker *m, str window)
{
    for (int i = 0; i < 2; i++) {
        put(m, i == 0 ? "sum_over_time(" : "/ ignoring (sloth_window)\ncount_over_time(");
        put_ratio(m, m->paces[0].short_ms);
        buf_put_u8(&m->text, '[');
        buf_put_str(&m->text, window);
        put(m, "])\n");
    }
}

static void make_sli_group(struct maker *m, struct rule_group_def *g)
{
    group_begin(m, g, "sloth-slo-sli-recordings-", m->def->interval_sli_ms);
    if (m->def->budgeting != SLO_OCCURRENCES) {
        put_slice_error(m);
        record(m, STR("slo:sli_slice_error:ratio"), STR(""));
    }
    for (size_t i = 0; i < m->window_count; i++) {
        str window = window_text(m, m->windows[i]), name = metric_name(m, m->windows[i]);
        put_window_error(m, m->windows[i]);
        record(m, name, window);
    }
    str window = window_text(m, m->period_ms), name = metric_name(m, m->period_ms);
    if (m->options->not_optimized)
        put_window_error(m, m->period_ms);
    else
        put_period_error(m, window);
    record(m, name, window);
    group_end(m);
}

/* ---- What is known of the objective ---- */

static void put_burn_rate(struct maker *m, int64_t window_ms)
{
    put_ratio(m, window_ms);
    put(m, "\n/ on(sloth_id, sloth_slo, sloth_service) group_left\nslo:error_budget:ratio");
    slo_query_filter(m->def, &m->text);
    put(m, "\n");
}

static str mode(const struct maker *m)
{
    static const char *const MODES[] = {
        [SLO_FORMAT_SLOTH] = "cli-gen-prom",
        [SLO_FORMAT_SLOTH_K8S] = "cli-gen-k8s",
        [SLO_FORMAT_OPENSLO] = "cli-gen-openslo",
        [SLO_FORMAT_OPENSLO_ALPHA] = "cli-gen-openslo",
    };
    return m->options->generated_by_tool ? str_from(MODES[m->def->format]) : STR("varve");
}

static void record_info(struct maker *m)
{
    char objective[NUMBER_SIZE_MAX];
    put(m, "vector(1)");
    record(m, STR("sloth_slo_info"), STR(""));
    struct rule_labels *labels = &m->rules[m->group->rule_count - 1].labels;
    if (labels->items == NULL)
        return;
    set_pairs(labels, &m->def->info_labels);
    set_label(labels, STR("sloth_version"), str_from(m->options->version));
    set_label(labels, STR("sloth_mode"), mode(m));
    set_label(labels, STR("sloth_spec"), str_from(slo_format_name(m->def->format)));
    buf_put(&m->text, objective, number_format_f(m->def->objective, objective));
    set_label(labels, STR("sloth_objective"), take(m));
}

static void record_vector(struct maker *m, str name, const char *before, double v)
{
    put(m, "vector(");
    put(m, before);
    put_number(m, v);
    put(m, ")");
    record(m, name, STR(""));
}

static void make_meta_group(struct maker *m, struct rule_group_def *g)
{
    double ratio = m->def->objective / 100;
    group_begin(m, g, "sloth-slo-meta-recordings-", m->def->interval_meta_ms);
    record_vector(m, STR("slo:objective:ratio"), "", ratio);
    record_vector(m, STR("slo:error_budget:ratio"), "1-", ratio);
    record_vector(m, STR("slo:time_period:days"), "", (double)m->period_ms / SLO_DAY_MS);
    put_burn_rate(m, m->paces[0].short_ms);
    record(m, STR("slo:current_burn_rate:ratio"), STR(""));
    put_burn_rate(m, m->period_ms);
    record(m, STR("slo:period_burn_rate:ratio"), STR(""));
    put(m, "1 - slo:period_burn_rate:ratio");
    slo_query_filter(m->def, &m->text);
    record(m, STR("slo:period_error_budget_remaining:ratio"), STR(""));
    record_info(m);
    group_end(m);
}

/* ---- Alerts ---- */

/* `max(ratio{...} > (14.4 * 0.001)) without (sloth_window)` */
static void put_above(struct maker *m, int64_t window_ms, double burn_rate)
{
    put(m, "max(");
    put_ratio(m, window_ms);
    put(m, " > (");
    put_number(m, burn_rate);
    put(m, " * ");
    put_number(m, slo_error_budget(m->def));
    put(m, ")) without (sloth_window)");
}

static void put_pace(struct maker *m, const struct slo_pace *p)
{
    put(m, "(\n    ");
    put_above(m, p->short_ms, p->burn_rate);
    put(m, "\n    and\n    ");
    put_above(m, p->long_ms, p->burn_rate);
    put(m, "\n)\n");
}

static void annotate(struct maker *m, struct rule_labels *to, str severity, bool no_data)
{
    if (!no_data)
        set_label(to, STR("summary"),
                  STR("{{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate "
                      "is over expected."));
    put(m, "(");
    buf_put_str(&m->text, severity);
    put(m, ") {{$labels.sloth_service}} {{$labels.sloth_slo}} SLO ");
    put(m, no_data ? "has no data." : "error budget burn rate is too fast.");
    set_label(to, STR("title"), take(m));
}

/* Labels of the objective come with the series: an alert has them without saying so. */
static void make_alert(struct maker *m, const struct slo_alert *a, const struct slo_pace *quick,
                       const struct slo_pace *slow)
{
    const char *severity = quick->page ? "page" : "ticket";
    if (a->disabled)
        return;
    struct rule_def *r = add_rule(m);
    put_pace(m, quick);
    put(m, "or\n");
    put_pace(m, slow);
    r->expr = text_of(m, take(m));
    r->alert = text_of(m, m->def->alert_name);
    if (labels_begin(m, &r->annotations, a->annotations.count + 2)) {
        annotate(m, &r->annotations, str_from(severity), false);
        set_pairs(&r->annotations, &a->annotations);
    }
    if (labels_begin(m, &r->labels, a->labels.count + 1)) {
        set_label(&r->labels, STR("sloth_severity"), str_from(severity));
        set_pairs(&r->labels, &a->labels);
    }
}

static void label_condition(struct maker *m, const struct slo_condition *c, struct rule_def *r,
                            bool no_data)
{
    if (labels_begin(m, &r->labels, 8)) {
        set_label(&r->labels, STR("severity"), c->severity);
        set_label(&r->labels, STR("sloth_id"), m->def->id); /* a policy may serve several */
        set_label(&r->labels, STR("sloth_severity"), c->severity);
        if (c->targets.len > 0)
            set_label(&r->labels, STR("openslo_targets"), c->targets);
    }
    if (labels_begin(m, &r->annotations, 4)) {
        annotate(m, &r->annotations, c->severity, no_data);
        if (c->description.len > 0)
            set_label(&r->annotations, STR("description"), c->description);
    }
}

/* An OpenSLO AlertPolicy. */
static void make_condition(struct maker *m, const struct slo_condition *c)
{
    if (c->breaching) {
        struct rule_def *r = add_rule(m);
        put_above(m, c->lookback_ms, c->burn_rate);
        r->expr = text_of(m, take(m));
        r->alert = text_of(m, c->policy);
        r->for_ms = c->after_ms;
        label_condition(m, c, r, false);
    }
    if (c->no_data) {
        struct rule_def *r = add_rule(m);
        put(m, "absent(");
        put_ratio(m, c->lookback_ms);
        put(m, ")");
        r->expr = text_of(m, take(m));
        buf_put_str(&m->text, c->policy);
        put(m, "-no-data");
        r->alert = text_of(m, take(m));
        r->for_ms = c->after_ms;
        label_condition(m, c, r, true);
    }
}

/* Does it have any? A group without rules is left out, as Sloth leaves it out. */
static bool make_alert_group(struct maker *m, struct rule_group_def *g)
{
    group_begin(m, g, "sloth-slo-alerts-", m->def->interval_alert_ms);
    make_alert(m, &m->def->page, &m->paces[0], &m->paces[1]);
    make_alert(m, &m->def->ticket, &m->paces[2], &m->paces[3]);
    for (size_t i = 0; i < m->def->condition_count; i++)
        make_condition(m, &m->def->conditions[i]);
    group_end(m);
    return g->rule_count > 0;
}

err slo_rules_make(const struct slo_set *set, const struct slo_rules_options *o, struct arena *a,
                   struct rule_group_def **out, size_t *count, struct diag *d)
{
    struct maker m = {.arena = a, .options = o};
    struct rule_group_def *groups = ARENA_ARRAY(a, struct rule_group_def, set->count * 3 + 1);
    size_t used = 0;
    err e = groups != NULL ? OK : ERR_LIMIT;
    for (size_t i = 0; i < set->count && e == OK; i++) {
        m.def = &set->defs[i];
        e = slo_query_check(m.def, d);
        if (e != OK)
            break;
        find_windows(&m);
        if (!o->no_recordings) {
            make_sli_group(&m, &groups[used++]);
            make_meta_group(&m, &groups[used++]);
        }
        if (!o->no_alerts)
            used += make_alert_group(&m, &groups[used]);
        e = m.full ? ERR_LIMIT : OK;
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

/* ---- YAML ---- */

/* One group is a map; here it becomes an item of a list: "- " before its first line, blanks before
 * the others. */
static void put_item(str map, struct buf *out)
{
    bool first = true;
    for (const char *p = map.ptr, *end = map.ptr + map.len; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop != NULL ? stop : end) - p);
        buf_put_str(out, first ? STR("- ") : n > 0 ? STR("  ") : STR(""));
        buf_put(out, p, n);
        buf_put_u8(out, '\n');
        first = false;
        p += n + (stop != NULL);
    }
}

void slo_rules_yaml(const struct rule_group_def *groups, size_t count, struct buf *out)
{
    struct buf one = {0};
    buf_put_str(out, count > 0 ? STR("groups:\n") : STR("groups: []\n"));
    for (size_t i = 0; i < count; i++) {
        buf_reset(&one);
        rule_group_yaml(&groups[i], &one);
        put_item(buf_str(&one), out);
    }
    buf_fini(&one);
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

void slo_rules_warnings(const struct slo_set *set, const struct slo_rules_options *o,
                        struct buf *out)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct slo_def *def = &set->defs[i];
        struct slo_pace paces[SLO_PACES];
        slo_paces(def, slo_period_ms(def, o->period_ms), paces);
        for (size_t k = 0; k < SLO_PACES; k++)
            if (!(paces[k].page ? def->page : def->ticket).disabled)
                warn(def, paces[k].burn_rate, paces[k].page ? "page alert" : "ticket alert", out);
        for (size_t k = 0; k < def->condition_count; k++)
            if (def->conditions[k].breaching)
                warn(def, def->conditions[k].burn_rate, "alert policy", out);
    }
}
