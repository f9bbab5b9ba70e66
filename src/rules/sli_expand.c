/* sli_expand.c -- see sli_expand.h. */
#include "rules/sli_expand.h"

#include <stdio.h>

#include "base/regex.h"
#include "rules/template_strings.h"

enum {
    QUERY_BYTES_MAX = 1 << 20,
    TEMPLATE_TIME_NS = 200000000, /* of one query: there may be a thousand objectives */
};

struct expander {
    struct arena *arena;
    struct diag *d;
    struct template_set *templates; /* "http/latency.error_query" and the like */
    struct buf name;                /* being looked up */
};

/* ---- Templates ---- */

static str name_of(struct expander *x, const struct sli_plugin *p, const struct slo_text *t)
{
    buf_reset(&x->name);
    buf_printf(&x->name, STR_FMT ".%s", STR_ARG(p->id),
               t == &p->total      ? "total_query"
               : p->total.line > 0 ? "error_query"
                                   : "error_ratio_query");
    return buf_str(&x->name);
}

static err parse_query(struct expander *x, const struct sli_plugin *p, const struct slo_text *t)
{
    struct diag why = {.text = ""};
    if (t->line == 0)
        return OK;
    err e = template_parse(x->templates, name_of(x, p, t), t->text, &why);
    return e == OK ? OK
                   : diag_set(x->d, e, STR_FMT ":%u:%u: %s", STR_ARG(p->path), t->line, t->column,
                              why.text);
}

/* Also those that no objective names: an error in them is told before somebody does. */
static err parse_plugins(struct expander *x, const struct sli_plugins *plugins)
{
    for (size_t i = 0; plugins != NULL && i < plugins->count; i++) {
        TRY(parse_query(x, &plugins->items[i], &plugins->items[i].error));
        TRY(parse_query(x, &plugins->items[i], &plugins->items[i].total));
    }
    return OK;
}

/* ---- What a plugin is given ---- */

static err fail(const struct expander *x, const struct slo_def *def, const char *what, str name)
{
    const struct slo_text *id = &def->sli.error;
    return diag_set(x->d, ERR_INVALID,
                    STR_FMT ":%u:%u: SLI plugin \"" STR_FMT "\": %s%s" STR_FMT "%s",
                    STR_ARG(def->path), id->line, id->column, (int)MIN(id->text.len, 80),
                    id->text.ptr, what, name.len > 0 ? " \"" : "", (int)MIN(name.len, 80),
                    name.ptr != NULL ? name.ptr : "", name.len > 0 ? "\"" : "");
}

static str value_of(const struct pairs *pairs, str name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (str_eq(pairs->items[i].name, name))
            return pairs->items[i].value;
    return STR("");
}

static err check_option(const struct expander *x, const struct slo_def *def,
                        const struct sli_option *o)
{
    str value = value_of(&def->sli.options, o->name);
    struct regex *re = NULL;
    if (o->required && value.len == 0)
        return fail(x, def, "it needs the option", o->name);
    if (value.len == 0 || o->pattern.len == 0)
        return OK;
    TRY(regex_compile(o->pattern, &re, x->d));
    bool ok = regex_match(re, value);
    regex_close(re);
    return ok ? OK : fail(x, def, "not as it should be is the option", o->name);
}

static err check_given(const struct expander *x, const struct slo_def *def,
                       const struct sli_plugin *p)
{
    const struct slo_sli *s = &def->sli;
    for (size_t i = 0; i < p->required_labels.count; i++)
        if (value_of(&s->service_labels, p->required_labels.items[i]).len == 0)
            return fail(x, def, "the file of objectives needs the label",
                        p->required_labels.items[i]);
    for (size_t i = 0; i < s->options.count; i++)
        if (sli_option_find(p, s->options.items[i].name) == NULL)
            return fail(x, def, "it has no option", s->options.items[i].name);
    for (size_t i = 0; i < p->option_count; i++)
        TRY(check_option(x, def, &p->options[i]));
    return OK;
}

/* ---- Data of templates ---- */

/* A map of texts as interfaces: of a name that is not there Go prints "<no value>", where a map of
 * strings would give "". */
static struct template_value map_of(struct template_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        entries[i].value = template_boxed(entries[i].value);
    template_entries_sort(entries, count);
    return template_map(&TEMPLATE_ANY_MAP, entries, count);
}

static err options_of(struct expander *x, const struct slo_def *def, const struct sli_plugin *p,
                      struct template_value *out)
{
    struct template_entry *e = ARENA_ARRAY(x->arena, struct template_entry, p->option_count + 1);
    if (e == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < p->option_count; i++) {
        str value = value_of(&def->sli.options, p->options[i].name);
        e[i] = (struct template_entry){
            p->options[i].name, template_string(value.len > 0 ? value : p->options[i].fallback)};
    }
    *out = map_of(e, p->option_count);
    return OK;
}

static err labels_of(struct expander *x, const struct slo_def *def, struct template_value *out)
{
    const struct pairs *labels = &def->sli.service_labels;
    struct template_entry *e = ARENA_ARRAY(x->arena, struct template_entry, labels->count + 1);
    if (e == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < labels->count; i++)
        e[i] =
            (struct template_entry){labels->items[i].name, template_string(labels->items[i].value)};
    *out = map_of(e, labels->count);
    return OK;
}

/* All that a template sees. */
static err data_of(struct expander *x, const struct slo_def *def, const struct sli_plugin *p,
                   struct template_value *out)
{
    enum { META = 3, DATA = 4 };
    char objective[64];
    (void)snprintf(objective, sizeof(objective), "%f", def->objective);
    struct template_entry *meta = ARENA_ARRAY(x->arena, struct template_entry, META + DATA);
    struct template_value options, labels;
    TRY(options_of(x, def, p, &options));
    TRY(labels_of(x, def, &labels));
    str percent = arena_str(x->arena, str_from(objective));
    if (meta == NULL || percent.ptr == NULL)
        return ERR_LIMIT;
    struct template_entry *data = meta + META;
    meta[0] = (struct template_entry){STR("objective"), template_string(percent)};
    meta[1] = (struct template_entry){STR("service"), template_string(def->service)};
    meta[2] = (struct template_entry){STR("slo"), template_string(def->name)};
    data[0] = (struct template_entry){STR("labels"), template_boxed(labels)};
    data[1] = (struct template_entry){STR("meta"), template_boxed(map_of(meta, META))};
    data[2] = (struct template_entry){STR("options"), template_boxed(options)};
    data[3] =
        (struct template_entry){STR("window"), template_boxed(template_string(STR("{{.window}}")))};
    *out = template_map(&TEMPLATE_ANY_MAP, data, DATA);
    return OK;
}

/* ---- Objectives ---- */

static bool holds(str text, str part)
{
    return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

static err expand_query(struct expander *x, const struct slo_def *def, const struct sli_plugin *p,
                        const struct slo_text *t, const struct template_value *data,
                        struct slo_text *out)
{
    struct template_options o = {.limits = TEMPLATE_LIMITS_DEFAULT};
    struct diag why = {.text = ""};
    struct buf text = {0};
    o.limits.output_bytes_max = QUERY_BYTES_MAX;
    o.limits.time_ns_max = TEMPLATE_TIME_NS;
    err e = template_execute(x->templates, name_of(x, p, t), data, &o, &text, &why);
    if (e != OK)
        e = fail(x, def, why.text, STR(""));
    else if (holds(buf_str(&text), STR("<no value>")))
        e = fail(x, def, "its query uses an option or a label that is not there: it becomes",
                 (str){(const char *)text.ptr, MIN(text.len, 80)});
    else if (!holds(buf_str(&text), STR("{{.window}}")))
        e = fail(x, def, "its query must contain the {{.window}} variable", STR(""));
    *out = (struct slo_text){.line = def->sli.error.line, .column = def->sli.error.column};
    if (e == OK)
        out->text = arena_str(x->arena, buf_str(&text));
    buf_fini(&text);
    return e == OK && out->text.ptr == NULL ? ERR_LIMIT : e;
}

static err expand(struct expander *x, const struct sli_plugins *plugins, struct slo_def *def)
{
    const struct sli_plugin *p = sli_plugin_find(plugins, def->sli.error.text);
    struct slo_sli made = {.kind = SLO_SLI_RAW};
    struct template_value data;
    if (p == NULL)
        return fail(x, def,
                    "there is none of this id: plugins are declared in files (--sli-plugins, "
                    "docs/slo.md); programs in Go are not run",
                    STR(""));
    TRY(check_given(x, def, p));
    TRY(data_of(x, def, p, &data));
    TRY(expand_query(x, def, p, &p->error, &data, &made.error));
    if (p->total.line > 0) {
        made.kind = SLO_SLI_EVENTS;
        TRY(expand_query(x, def, p, &p->total, &data, &made.total));
        if (str_eq(made.error.text, made.total.text))
            return fail(x, def, "both error and total queries can't be the same", STR(""));
    }
    def->sli = made;
    return OK;
}

err sli_expand(struct slo_set *set, struct arena *a, struct diag *d)
{
    struct expander x = {
        .arena = a, .d = d, .templates = template_set_open(&TEMPLATE_STRING_FUNCS)};
    err e = parse_plugins(&x, &set->sli_plugins);
    for (size_t i = 0; i < set->count && e == OK; i++)
        if (set->defs[i].sli.kind == SLO_SLI_PLUGIN)
            e = expand(&x, &set->sli_plugins, &set->defs[i]);
    template_set_close(x.templates);
    buf_fini(&x.name);
    return e == OK ? OK : diag_set(d, e, "SLI plugins: too large");
}
