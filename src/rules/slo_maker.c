/* slo_maker.c -- see slo_maker.h. */
#include "rules/slo_maker.h"

#include "base/duration.h"
#include "base/number.h"
#include "rules/slo_query.h"

/* ---- Text ---- */

str slo_take(struct slo_maker *m)
{
    str s = arena_str(m->arena, buf_str(&m->text));
    buf_reset(&m->text);
    if (s.ptr == NULL)
        m->full = true;
    return s;
}

void slo_put(struct slo_maker *m, const char *text)
{
    buf_put_str(&m->text, str_from(text));
}

void slo_put_number(struct slo_maker *m, double v)
{
    char text[NUMBER_SIZE_MAX];
    buf_put(&m->text, text, number_format_g(v, text));
}

str slo_window_text(struct slo_maker *m, int64_t window_ms)
{
    char text[DURATION_SIZE_MAX];
    buf_put(&m->text, text, duration_format(window_ms, text));
    return slo_take(m);
}

void slo_put_ratio(struct slo_maker *m, int64_t window_ms)
{
    slo_query_metric(window_ms, &m->text);
    slo_query_filter(m->def, &m->text);
}

str slo_metric_name(struct slo_maker *m, int64_t window_ms)
{
    slo_query_metric(window_ms, &m->text);
    return slo_take(m);
}

void slo_put_period(struct slo_maker *m, str window)
{
    for (int i = 0; i < 2; i++) {
        slo_put(m, i == 0 ? "sum_over_time(" : "/ ignoring (sloth_window)\ncount_over_time(");
        slo_put_ratio(m, m->paces[0].short_ms);
        buf_put_u8(&m->text, '[');
        buf_put_str(&m->text, window);
        slo_put(m, "])\n");
    }
}

/* ---- Labels ---- */

void slo_set_label(struct rule_labels *to, str name, str value)
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

void slo_set_pairs(struct rule_labels *to, const struct pairs *from)
{
    for (size_t i = 0; i < from->count; i++)
        slo_set_label(to, from->items[i].name, from->items[i].value);
}

bool slo_labels_begin(struct slo_maker *m, struct rule_labels *out, size_t more)
{
    *out = (struct rule_labels){ARENA_ARRAY(m->arena, struct rule_label, more + 1), 0};
    m->full = m->full || out->items == NULL;
    return out->items != NULL;
}

struct rule_labels slo_labels_of(struct slo_maker *m, size_t more, str window)
{
    const struct slo_def *def = m->def;
    struct rule_labels out;
    if (!slo_labels_begin(m, &out, 4 + def->labels.count + m->options->extra_labels.count + more))
        return out;
    slo_set_label(&out, STR("sloth_id"), def->id);
    slo_set_label(&out, STR("sloth_service"), def->service);
    slo_set_label(&out, STR("sloth_slo"), def->name);
    if (window.len > 0)
        slo_set_label(&out, STR("sloth_window"), window);
    slo_set_pairs(&out, &def->labels);
    slo_set_pairs(&out, &m->options->extra_labels);
    return out;
}

/* ---- Rules ---- */

struct rule_text slo_text_of(const struct slo_maker *m, str text)
{
    return (struct rule_text){text, m->def->line, m->def->column};
}

struct rule_def *slo_add_rule(struct slo_maker *m, struct slo_group *g)
{
    str expr = slo_take(m);
    if (g->count == g->room) {
        size_t room = g->room == 0 ? 16 : g->room * 2;
        struct rule_def *more = arena_grow(m->arena, g->rules, g->count, room, sizeof(*more));
        if (more == NULL) {
            m->full = true;
            return NULL;
        }
        g->rules = more;
        g->room = room;
    }
    struct rule_def *r = &g->rules[g->count++];
    *r = (struct rule_def){.line = m->def->line, .column = m->def->column};
    r->expr = slo_text_of(m, expr);
    return r;
}

struct rule_def *slo_record(struct slo_maker *m, struct slo_group *g, str name, str window)
{
    struct rule_def *r = slo_add_rule(m, g);
    if (r == NULL)
        return NULL;
    r->record = slo_text_of(m, name);
    r->labels = slo_labels_of(m, 0, window);
    return r;
}

/* ---- Objectives ---- */

struct slo_group *slo_maker_group(struct slo_maker *m, const char *prefix, int64_t interval_ms)
{
    if (m->group_count == SLO_GROUPS_MAX) {
        m->full = true;
        return NULL;
    }
    struct slo_group *g = &m->groups[m->group_count++];
    slo_put(m, prefix);
    buf_put_str(&m->text, m->def->id);
    *g = (struct slo_group){.name = slo_take(m), .interval_ms = interval_ms};
    return g;
}

static void add_window(struct slo_maker *m, int64_t window_ms)
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

static void find_windows(struct slo_maker *m)
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

void slo_maker_begin(struct slo_maker *m, const struct slo_def *def)
{
    m->def = def;
    m->group_count = 0;
    find_windows(m);
    (void)slo_maker_group(m, "sloth-slo-sli-recordings-", def->interval_sli_ms);
    (void)slo_maker_group(m, "sloth-slo-meta-recordings-", def->interval_meta_ms);
    (void)slo_maker_group(m, "sloth-slo-alerts-", def->interval_alert_ms);
}
