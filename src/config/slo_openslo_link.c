/* slo_openslo_link.c -- OpenSLO's objects to objectives: references are followed over all files. */
#include <math.h>

#include "config/slo_openslo_priv.h"

struct linker { /* one SLO object */
    struct decode decode;
    struct slo_reader *reader;
    const struct slo_object *object;
    struct yaml place; /* for messages */
};

static const struct slo_object *find(const struct slo_reader *r, enum openslo_kind kind, str name)
{
    for (size_t i = 0; i < r->object_count; i++)
        if (r->objects[i].kind == kind && str_eq(r->objects[i].meta.name, name))
            return &r->objects[i];
    return NULL;
}

/* ---- Indicators ---- */

static err take_events(struct linker *l, const struct openslo_ratio *r, struct slo_sli *out)
{
    const struct openslo_metric *part = r->good != NULL ? r->good : r->bad;
    out->kind = SLO_SLI_EVENTS;
    out->good = r->good != NULL;
    out->error = part->source.query;
    out->total = r->total->source.query;
    bool windows = slo_has_window(out->error.text);
    if (windows != slo_has_window(out->total.text))
        return decode_fail(&l->decode, &l->place,
                           "either both queries of an indicator hold {{.window}} or none");
    out->form = windows ? SLO_QUERY_WINDOW : r->counter ? SLO_QUERY_COUNTER : SLO_QUERY_GAUGE;
    return OK;
}

static err take_sli(struct linker *l, const struct openslo_sli *from,
                    const struct openslo_objective *o, struct slo_sli *out)
{
    if (from->ratio != NULL && from->ratio->raw == NULL)
        return take_events(l, from->ratio, out);
    if (from->ratio != NULL) {
        out->kind = SLO_SLI_RAW;
        out->error = from->ratio->raw->source.query;
        out->good = from->ratio->raw_type == 1;
        out->form = slo_has_window(out->error.text) ? SLO_QUERY_WINDOW : SLO_QUERY_GAUGE;
        return OK;
    }
    if (o->op == 0 || isnan(o->value))
        return decode_fail(&l->decode, &l->place,
                           "an objective of a thresholdMetric needs op and value");
    out->kind = SLO_SLI_THRESHOLD;
    out->error = from->threshold->source.query;
    out->form = SLO_QUERY_GAUGE;
    out->op = (enum slo_op)(o->op - 1);
    out->threshold = o->value;
    return OK;
}

static err indicator_of(struct linker *l, const struct openslo_sli **out)
{
    const struct openslo_slo *slo = &l->object->slo;
    if (slo->indicator != NULL) {
        *out = slo->indicator;
        return OK;
    }
    const struct slo_object *sli = find(l->reader, OPENSLO_SLI, slo->indicator_ref);
    if (sli == NULL)
        return decode_fail(&l->decode, &l->place, "indicatorRef: there is no SLI \"" STR_FMT "\"",
                           STR_ARG(slo->indicator_ref));
    *out = &sli->sli;
    return OK;
}

/* ---- Alerts ---- */

/* Names of notification targets, with commas: for routing by a label. */
static err join_targets(struct linker *l, const struct structs *links, str *out)
{
    const struct openslo_link *items = links->items;
    size_t size = 1, used = 0;
    for (size_t i = 0; i < links->count; i++)
        size += items[i].ref.len + items[i].meta.name.len + 1;
    char *text = arena_alloc(l->reader->arena, size);
    if (text == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < links->count; i++) {
        str name = items[i].ref.len > 0 ? items[i].ref : items[i].meta.name;
        if (i > 0)
            text[used++] = ',';
        if (name.len > 0)
            memcpy(text + used, name.ptr, name.len);
        used += name.len;
    }
    *out = (str){text, used};
    return OK;
}

static err take_policy(struct linker *l, const struct openslo_link *link, struct slo_condition *out)
{
    const struct openslo_policy *policy = link->policy;
    str name = link->meta.name;
    if (policy == NULL) {
        const struct slo_object *o = find(l->reader, OPENSLO_POLICY, link->ref);
        if (o == NULL)
            return decode_fail(&l->decode, &l->place, "there is no AlertPolicy \"" STR_FMT "\"",
                               STR_ARG(link->ref));
        policy = &o->policy;
        name = o->meta.name;
    }
    const struct openslo_link *first = policy->conditions.items;
    const struct openslo_condition *condition = first->condition;
    if (condition == NULL) {
        const struct slo_object *o = find(l->reader, OPENSLO_CONDITION, first->ref);
        if (o == NULL)
            return decode_fail(&l->decode, &l->place,
                               "AlertPolicy \"" STR_FMT "\": there is no AlertCondition \"" STR_FMT
                               "\"",
                               STR_ARG(name), STR_ARG(first->ref));
        condition = &o->condition;
    }
    TRY(join_targets(l, &policy->targets, &out->targets));
    out->policy = name;
    out->severity = condition->severity;
    out->description =
        condition->description.len > 0 ? condition->description : policy->description;
    out->burn_rate = condition->threshold;
    out->inclusive = condition->op - 1 == (int)SLO_OP_LT || condition->op - 1 == (int)SLO_OP_GTE;
    out->lookback_ms = condition->lookback_ms;
    out->after_ms = condition->after_ms;
    out->breaching = policy->breaching;
    out->no_data = policy->no_data;
    return OK;
}

static err take_policies(struct linker *l, struct slo_def *def)
{
    const struct structs *links = &l->object->slo.policies;
    const struct openslo_link *items = links->items;
    def->page.disabled = def->ticket.disabled = true;
    def->conditions = ARENA_ARRAY(l->reader->arena, struct slo_condition, links->count + 1);
    if (def->conditions == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < links->count; i++)
        TRY(take_policy(l, &items[i], &def->conditions[def->condition_count++]));
    return OK;
}

/* ---- Objectives ---- */

static err take_slices(struct linker *l, const struct openslo_objective *o, struct slo_def *def)
{
    def->budgeting = (enum slo_budgeting)l->object->slo.budgeting;
    if (def->budgeting == SLO_OCCURRENCES)
        return OK;
    if (o->slice_ms == 0)
        return decode_fail(&l->decode, &l->place, "timeSliceWindow is required with Timeslices");
    def->slice_ms = o->slice_ms;
    def->slice_target = o->slice_target;
    if (def->budgeting == SLO_TIMESLICES && isnan(o->slice_target) &&
        def->sli.kind != SLO_SLI_THRESHOLD)
        return decode_fail(&l->decode, &l->place, "timeSliceTarget is required with Timeslices");
    if (isnan(o->slice_target))
        def->slice_target = 1;
    return OK;
}

static err take_objective(struct linker *l, size_t index)
{
    const struct slo_object *object = l->object;
    const struct openslo_objective *o =
        (const struct openslo_objective *)object->slo.objectives.items + index;
    const struct openslo_window *window = object->slo.windows.items;
    const struct openslo_sli *sli = NULL;
    l->place.line = o->line;
    l->place.column = o->column;
    struct slo_def *def = slo_reader_add(&l->decode, &l->place);
    if (def == NULL)
        return ERR_LIMIT;
    def->service = object->slo.service;
    TRY(slo_take_names(&l->decode, &l->place, object->meta.name, index, def));
    TRY(indicator_of(l, &sli));
    TRY(take_sli(l, sli, o, &def->sli));
    TRY(take_slices(l, o, def));
    TRY(slo_merge(&l->decode, &object->meta.labels, &(struct pairs){NULL, 0}, &def->labels));
    def->format = SLO_FORMAT_OPENSLO;
    def->title = o->title.len > 0 ? o->title : object->meta.title;
    def->description = object->slo.description;
    def->objective = o->objective;
    if (object->slo.windows.count > 0)
        def->window = window->made;
    return take_policies(l, def);
}

err openslo_finish(struct slo_reader *r)
{
    size_t count = r->object_count;
    for (size_t i = 0; i < count; i++) {
        const struct slo_object *o = &r->objects[i];
        struct linker l = {
            .decode = {.path = o->path.ptr, .arena = r->arena, .d = r->d, .user = r},
            .reader = r,
            .object = o,
            .place = {.line = o->line, .column = o->column},
        };
        if (find(r, o->kind, o->meta.name) != o)
            return decode_fail(&l.decode, &l.place,
                               "an object of this kind named \"" STR_FMT "\" is there already",
                               STR_ARG(o->meta.name));
        for (size_t k = 0; o->kind == OPENSLO_SLO && k < o->slo.objectives.count; k++)
            TRY(take_objective(&l, k));
    }
    return OK;
}
