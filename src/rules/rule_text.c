/* rule_text.c -- see rule_text.h. */
#include "rules/rule_text.h"

#include "base/log.h"
#include "base/mem.h"
#include "rules/template.h"

/* What upstream puts before every text; columns of errors count it. */
static const char DEFINITIONS[] = "{{$labels := .Labels}}"
                                  "{{$externalLabels := .ExternalLabels}}"
                                  "{{$externalURL := .ExternalURL}}"
                                  "{{$value := .Value}}";

enum data_field { DATA_LABELS, DATA_EXTERNAL_LABELS, DATA_EXTERNAL_URL, DATA_VALUE, DATA_COUNT };
static const char *const DATA_FIELDS[] = {"Labels", "ExternalLabels", "ExternalURL", "Value", NULL};
static const struct template_type DATA_TYPE = {
    .name = "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL "
            "string; Value interface {} }",
    .kind = TEMPLATE_KIND_OBJECT,
    .fields = DATA_FIELDS,
};

struct text {
    str name;                    /* of the label or annotation */
    str plain;                   /* when there is nothing to expand */
    struct template_set *parsed; /* else */
};

struct rule_text_set {
    struct buf name; /* of the templates */
    struct text *items;
    size_t label_count, count; /* labels first, then annotations */
};

static bool is_plain(str text)
{
    for (size_t i = 0; i + 1 < text.len; i++)
        if (text.ptr[i] == '{' && text.ptr[i + 1] == '{')
            return false;
    return true;
}

static err parse(str name, str text, struct template_set **out, struct diag *d)
{
    struct template_set *set = template_set_open(NULL);
    struct buf whole = {0};
    buf_put_str(&whole, str_from(DEFINITIONS));
    buf_put_str(&whole, text);
    err e = template_parse(set, name, buf_str(&whole), d);
    buf_fini(&whole);
    if (e != OK) {
        template_set_close(set);
        return e;
    }
    *out = set;
    return OK;
}

static void put_name(str alert, struct buf *out)
{
    buf_put_str(out, STR("__alert_"));
    buf_put_str(out, alert);
}

err rule_text_check(str alert, str text, struct diag *d)
{
    struct buf name = {0};
    struct template_set *set = NULL;
    if (is_plain(text))
        return OK;
    put_name(alert, &name);
    err e = parse(buf_str(&name), text, &set, d);
    template_set_close(set);
    buf_fini(&name);
    return e;
}

static err add_texts(struct rule_text_set *s, struct labels from, struct diag *d)
{
    for (size_t i = 0; i < from.count; i++) {
        struct text *t = &s->items[s->count++];
        t->name = from.items[i].name;
        if (is_plain(from.items[i].value))
            t->plain = from.items[i].value;
        else
            TRY(parse(buf_str(&s->name), from.items[i].value, &t->parsed, d));
    }
    return OK;
}

err rule_text_open(str name, struct labels labels, struct labels annotations,
                   struct rule_text_set **out, struct diag *d)
{
    struct rule_text_set *s = mem_zalloc(1, sizeof(*s));
    s->items = mem_zalloc(labels.count + annotations.count + 1, sizeof(*s->items));
    put_name(name, &s->name);
    err e = add_texts(s, labels, d);
    s->label_count = s->count;
    if (e == OK)
        e = add_texts(s, annotations, d);
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
        template_set_close(s->items[i].parsed);
    buf_fini(&s->name);
    mem_free(s->items);
    mem_free(s);
}

/* ---- Expansion ---- */

struct expansion {
    const struct rule_text_set *set;
    struct template_value data;
    struct template_options options;
    struct arena *arena;
    struct buf out;
    size_t failures;
};

static err make_data(const struct rule_text_data *d, struct arena *a, struct template_value *out)
{
    struct template_value *fields = ARENA_ARRAY(a, struct template_value, DATA_COUNT);
    if (fields == NULL)
        return ERR_LIMIT;
    TRY(template_label_map(&TEMPLATE_STRING_MAP, d->labels, a, &fields[DATA_LABELS]));
    TRY(template_label_map(&TEMPLATE_STRING_MAP, d->external_labels, a,
                           &fields[DATA_EXTERNAL_LABELS]));
    fields[DATA_EXTERNAL_URL] = template_string(d->external_url);
    fields[DATA_VALUE] = template_boxed(template_float(d->value));
    *out = template_object(&DATA_TYPE, fields);
    return OK;
}

static err expand_text(struct expansion *x, const struct text *t, str *out)
{
    struct diag d = {.text = ""};
    if (t->parsed == NULL) {
        *out = t->plain;
        return OK;
    }
    str name = buf_str(&x->set->name);
    buf_reset(&x->out);
    err e = template_execute(t->parsed, name, &x->data, &x->options, &x->out, &d);
    if (e != OK) {
        buf_reset(&x->out);
        buf_printf(&x->out, "<error expanding template: error executing template " STR_FMT ": %s>",
                   STR_ARG(name), d.text);
        log_warn("Expanding alert template failed", LOG_STR("name", t->name),
                 LOG_CSTR("reason", d.text));
        x->failures++;
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
    struct expansion x = {.set = s, .arena = a, .options.limits = TEMPLATE_LIMITS_DEFAULT};
    err e = make_data(data, a, &x.data);
    if (e == OK)
        e = expand_texts(&x, s->items, s->label_count, labels);
    if (e == OK)
        e = expand_texts(&x, s->items + s->label_count, s->count - s->label_count, annotations);
    *failures += x.failures;
    buf_fini(&x.out);
    return e;
}
