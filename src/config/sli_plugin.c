/* sli_plugin.c -- see sli_plugin.h. */
#include "config/sli_plugin.h"

#include "base/regex.h"
#include "config/slo_file_priv.h"

/* ---- Options ---- */

#define OPTION(name) offsetof(struct sli_option, name)

static err option_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct sli_option *o = s;
    struct regex *re = NULL;
    struct diag why = {.text = ""};
    if (o->required && o->fallback.len > 0)
        return decode_fail(c, n, "a required option has no default");
    if (o->pattern.len == 0)
        return OK;
    if (regex_compile(o->pattern, &re, &why) != OK)
        return decode_fail(c, n, "pattern: %s", why.text);
    bool ok = o->fallback.len == 0 || regex_match(re, o->fallback);
    regex_close(re);
    return ok ? OK : decode_fail(c, n, "the default does not match the pattern");
}

static const struct decode_field OPTION_FIELDS[] = {
    {.key = "description", .kind = DECODE_TEXT, .offset = OPTION(description)},
    {.key = "required", .kind = DECODE_BOOL, .offset = OPTION(required)},
    {.key = "default", .kind = DECODE_TEXT, .offset = OPTION(fallback)},
    {.key = "pattern", .kind = DECODE_TEXT, .offset = OPTION(pattern)},
};
static const struct decode_schema OPTION_SCHEMA = {
    .fields = OPTION_FIELDS,
    .field_count = COUNT_OF(OPTION_FIELDS),
    .size = sizeof(struct sli_option),
    .check = option_check,
};

/* ---- The document ---- */

struct sli_queries {
    struct slo_text error, total;
};

struct sli_section {
    struct sli_queries *events, *raw;
};

struct sli_document {
    str version;
    struct sli_plugin plugin;
    struct sli_section sli;
};

#define QUERY(name)    offsetof(struct sli_queries, name)
#define SECTION(name)  offsetof(struct sli_section, name)
#define DOCUMENT(name) offsetof(struct sli_document, name)

static err read_options(struct decode *c, const struct yaml *n, void *place)
{
    struct sli_plugin *p = place;
    size_t count = 0;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_MAP)
        return decode_fail(c, n, "must be a map of options");
    for (const struct yaml *item = n->first; item != NULL; item = item->next)
        count++;
    if (count > SLI_OPTIONS_MAX)
        return decode_fail(c, n, "more than %d options", SLI_OPTIONS_MAX);
    p->options = ARENA_ARRAY(c->arena, struct sli_option, count + 1);
    if (p->options == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (const struct yaml *item = n->first; item != NULL; item = item->next) {
        struct sli_option *o = &p->options[p->option_count];
        TRY(decode_struct(c, &OPTION_SCHEMA, item, o));
        o->name = arena_str(c->arena, item->key);
        p->option_count++;
    }
    return OK;
}

static err section_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct sli_section *v = s;
    if ((v->events != NULL) == (v->raw != NULL))
        return decode_fail(c, n, "either events or raw is required");
    if (v->events != NULL && (v->events->error.text.len == 0 || v->events->total.text.len == 0))
        return decode_fail(c, n, "events: error_query and total_query are required");
    if (v->raw != NULL && v->raw->error.text.len == 0)
        return decode_fail(c, n, "raw: error_ratio_query is required");
    return OK;
}

static err document_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct sli_document *v = s;
    if (v->plugin.id.len == 0)
        return decode_fail(c, n, "id is required");
    if (v->sli.events == NULL && v->sli.raw == NULL)
        return decode_fail(c, n, "sli is required");
    return OK;
}

static const struct decode_field EVENTS_FIELDS[] = {
    {.key = "error_query", .kind = DECODE_CUSTOM, .offset = QUERY(error), .custom = slo_text_field},
    {.key = "total_query", .kind = DECODE_CUSTOM, .offset = QUERY(total), .custom = slo_text_field},
};
static const struct decode_schema EVENTS_SCHEMA = {
    .fields = EVENTS_FIELDS,
    .field_count = COUNT_OF(EVENTS_FIELDS),
    .size = sizeof(struct sli_queries),
};

static const struct decode_field RAW_FIELDS[] = {
    {.key = "error_ratio_query",
     .kind = DECODE_CUSTOM,
     .offset = QUERY(error),
     .custom = slo_text_field},
};
static const struct decode_schema RAW_SCHEMA = {
    .fields = RAW_FIELDS,
    .field_count = COUNT_OF(RAW_FIELDS),
    .size = sizeof(struct sli_queries),
};

static const struct decode_field SECTION_FIELDS[] = {
    {.key = "events", .kind = DECODE_POINTER, .offset = SECTION(events), .schema = &EVENTS_SCHEMA},
    {.key = "raw", .kind = DECODE_POINTER, .offset = SECTION(raw), .schema = &RAW_SCHEMA},
};
static const struct decode_schema SECTION_SCHEMA = {
    .fields = SECTION_FIELDS,
    .field_count = COUNT_OF(SECTION_FIELDS),
    .size = sizeof(struct sli_section),
    .check = section_check,
};

static const struct decode_field DOCUMENT_FIELDS[] = {
    {.key = "version", .kind = DECODE_TEXT, .offset = DOCUMENT(version)},
    {.key = "id", .kind = DECODE_TEXT, .offset = DOCUMENT(plugin.id)},
    {.key = "description", .kind = DECODE_TEXT, .offset = DOCUMENT(plugin.description)},
    {.key = "required_labels", .kind = DECODE_TEXTS, .offset = DOCUMENT(plugin.required_labels)},
    {.key = "options", .kind = DECODE_CUSTOM, .offset = DOCUMENT(plugin), .custom = read_options},
    {.key = "sli", .kind = DECODE_STRUCT, .offset = DOCUMENT(sli), .schema = &SECTION_SCHEMA},
};
static const struct decode_schema DOCUMENT_SCHEMA = {
    .fields = DOCUMENT_FIELDS,
    .field_count = COUNT_OF(DOCUMENT_FIELDS),
    .size = sizeof(struct sli_document),
    .check = document_check,
};

err sli_plugin_read(struct decode *c, const struct yaml *doc, struct sli_plugin *out)
{
    struct sli_document v;
    TRY(decode_struct(c, &DOCUMENT_SCHEMA, doc, &v));
    const struct sli_queries *q = v.sli.events != NULL ? v.sli.events : v.sli.raw;
    v.plugin.path = arena_str(c->arena, str_from(c->path));
    v.plugin.line = doc->line;
    v.plugin.column = doc->column;
    v.plugin.error = q->error;
    v.plugin.total = q->total;
    *out = v.plugin;
    return OK;
}

const struct sli_plugin *sli_plugin_find(const struct sli_plugins *plugins, str id)
{
    for (size_t i = 0; plugins != NULL && i < plugins->count; i++)
        if (str_eq(plugins->items[i].id, id))
            return &plugins->items[i];
    return NULL;
}

const struct sli_option *sli_option_find(const struct sli_plugin *p, str name)
{
    for (size_t i = 0; i < p->option_count; i++)
        if (str_eq(p->options[i].name, name))
            return &p->options[i];
    return NULL;
}
