/* rule_text.c -- see rule_text.h. */
#include "rules/rule_text.h"

#include "base/log.h"
#include "base/mem.h"
#include "rules/rule_template.h"

struct text {
    str name; /* of the label or annotation */
    struct rule_template *template;
};

struct rule_text_set {
    struct text *items;
    size_t label_count, count; /* labels first, then annotations */
};

err rule_text_check(str alert, str text, struct diag *d)
{
    struct rule_template *t;
    TRY(rule_template_open(alert, text, &t, d));
    rule_template_close(t);
    return OK;
}

static err add_texts(struct rule_text_set *s, str alert, struct labels from, struct diag *d)
{
    for (size_t i = 0; i < from.count; i++) {
        struct text *t = &s->items[s->count];
        t->name = from.items[i].name;
        TRY(rule_template_open(alert, from.items[i].value, &t->template, d));
        s->count++;
    }
    return OK;
}

err rule_text_open(str name, struct labels labels, struct labels annotations,
                   struct rule_text_set **out, struct diag *d)
{
    struct rule_text_set *s = mem_zalloc(1, sizeof(*s));
    s->items = mem_zalloc(labels.count + annotations.count + 1, sizeof(*s->items));
    err e = add_texts(s, name, labels, d);
    s->label_count = s->count;
    if (e == OK)
        e = add_texts(s, name, annotations, d);
    if (e != OK) {
        rule_text_close(s);
        return e;
    }
    *out = s;
    return OK;
}

void rule_text_close(struct rule_text_set *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        rule_template_close(s->items[i].template);
    mem_free(s->items);
    mem_free(s);
}

/* ---- Expansion ---- */

struct expansion {
    const struct rule_text_data *data;
    struct rule_template_host host;
    struct arena *arena;
    struct buf out;
    size_t failures;
};

/* `query` in a template: at the time of the evaluation, without the group's offset, as upstream. */
static err run_query(void *arg, str expr, struct arena *a, struct template_sample **out,
                     size_t *count, struct diag *d)
{
    const struct rule_text_data *data = arg;
    struct rule_vector v;
    TRY(rule_query(data->querier, data->who, expr, data->ts_ms, a, &v, d));
    struct template_sample *samples = ARENA_ARRAY(a, struct template_sample, v.count + 1);
    if (samples == NULL)
        return diag_set(d, ERR_LIMIT, "the result of the query needs too much memory");
    for (size_t i = 0; i < v.count; i++)
        samples[i] = (struct template_sample){v.items[i].labels, v.items[i].value};
    *out = samples;
    *count = v.count;
    return OK;
}

static err expand_text(struct expansion *x, const struct text *t, str *out)
{
    struct diag d = {.text = ""};
    buf_reset(&x->out);
    err e =
        rule_template_expand(t->template, &x->host, x->data->labels, x->data->value, &x->out, &d);
    if (e != OK) {
        x->failures++;
        log_warn("Expanding alert template failed", LOG_STR("name", t->name),
                 LOG_CSTR("reason", d.text));
    }
    *out = arena_str(x->arena, buf_str(&x->out));
    return out->ptr != NULL ? OK : ERR_LIMIT;
}

static err expand_texts(struct expansion *x, const struct text *texts, size_t count,
                        struct labels *out)
{
    struct label *items = ARENA_ARRAY(x->arena, struct label, count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        items[i].name = texts[i].name;
        TRY(expand_text(x, &texts[i], &items[i].value));
    }
    *out = (struct labels){items, count};
    return OK;
}

err rule_text_expand(const struct rule_text_set *s, const struct rule_text_data *data,
                     struct arena *a, struct labels *labels, struct labels *annotations,
                     size_t *failures)
{
    const struct template_query query = {(void *)(uintptr_t)data, run_query};
    struct expansion x = {.data = data,
                          .arena = a,
                          .host = {.external_labels = data->external_labels,
                                   .external_url = data->external_url,

                                   .ts_ms = data->ts_ms,
                                   .histogram = data->histogram,
                                   .query = &query}};
    err e = expand_texts(&x, s->items, s->label_count, labels);
    if (e == OK)
        e = expand_texts(&x, s->items + s->label_count, s->count - s->label_count, annotations);
    *failures += x.failures;
    buf_fini(&x.out);
    return e;
}
