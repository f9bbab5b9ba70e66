/* rule_template.c -- see rule_template.h. */
#include "rules/rule_template.h"

#include <string.h>

#include "base/mem.h"
#include "model/histogram_walk.h"

/* What upstream puts in front of every text: columns of errors count from here. */
static const char DEFINITIONS[] = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
                                  "{{$externalURL := .ExternalURL}}{{$value := .Value}}";

static const char *const DATA_FIELDS[] = {"Labels", "ExternalLabels", "ExternalURL", "Value", NULL};
static const struct template_type DATA = {
    .name = "struct { Labels map[string]string; ExternalLabels map[string]string; "
            "ExternalURL string; Value interface {} }",
    .kind = TEMPLATE_KIND_OBJECT,
    .fields = DATA_FIELDS};

/* ---- A histogram as $value ---- */

enum { HISTOGRAM_TEXT = 5 }; /* behind the fields: what it prints as */

static void put_histogram(const struct template_value *v, struct buf *out)
{
    buf_put_str(out, v->fields != NULL ? v->fields[HISTOGRAM_TEXT].s : STR("<nil>"));
}

static const char *const HISTOGRAM_FIELDS[] = {"Schema", "ZeroThreshold", "ZeroCount",
                                               "Count",  "Sum",           NULL};
static_assert(COUNT_OF(HISTOGRAM_FIELDS) == HISTOGRAM_TEXT + 1, "the text is behind the fields");
static const struct template_type HISTOGRAM = {.name = "histogram.FloatHistogram",
                                               .kind = TEMPLATE_KIND_OBJECT,
                                               .fields = HISTOGRAM_FIELDS,
                                               .text = put_histogram};
static const struct template_type HISTOGRAM_POINTER = {.name = "*histogram.FloatHistogram",
                                                       .kind = TEMPLATE_KIND_OBJECT,
                                                       .is_pointer = true,
                                                       .target = &HISTOGRAM,
                                                       .fields = HISTOGRAM_FIELDS,
                                                       .text = put_histogram};

static err histogram_value(const struct histogram *h, struct arena *a, struct template_value *out)
{
    struct template_value *fields = ARENA_ARRAY(a, struct template_value, HISTOGRAM_TEXT + 1);
    struct buf b = {0};
    histogram_format(h, &b);
    str text = arena_str(a, buf_str(&b));
    buf_fini(&b);
    if (fields == NULL || text.ptr == NULL)
        return ERR_LIMIT;
    fields[0] = template_int(h->schema);
    fields[1] = template_float(h->zero_threshold);
    fields[2] = template_float(h->zero_count);
    fields[3] = template_float(h->count);
    fields[4] = template_float(h->sum);
    fields[HISTOGRAM_TEXT] = template_string(text);
    *out = template_object(&HISTOGRAM_POINTER, fields);
    return OK;
}

/* ---- Life ---- */

struct rule_template {
    struct template_set *set; /* NULL: plain text */
    str name, text;           /* "__alert_NAME"; of plain text what it is */
};

static str copy_text(str s)
{
    char *p = mem_alloc(s.len + 1);
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    return (str){p, s.len};
}

static str copy_name(str alert)
{
    struct buf b = {0};
    buf_printf(&b, "__alert_" STR_FMT, STR_ARG(alert));
    return (str){(const char *)b.ptr, b.len}; /* mem_free() frees a buffer's bytes */
}

static err parse(struct rule_template *t, str text, struct diag *d)
{
    struct buf all = {0};
    struct diag own = {0};
    const size_t before = sizeof(DEFINITIONS) - 1;
    buf_put_str(&all, str_from(DEFINITIONS));
    buf_put_str(&all, text);
    t->set = template_set_open(&RULE_TEMPLATE_FUNCS);
    err e = template_parse(t->set, t->name, buf_str(&all), &own);
    buf_fini(&all);
    if (e != OK) { /* places are those of the text alone */
        size_t start = own.start > before ? own.start - before : 0;
        size_t end = own.end > before ? own.end - before : 0;
        (void)diag_at(d, start, end, e, "%s", own.text);
    }
    return e;
}

err rule_template_open(str alert, str text, struct rule_template **out, struct diag *d)
{
    struct rule_template *t = mem_zalloc(1, sizeof(*t));
    t->name = copy_name(alert);
    err e = OK;
    if (text.len > 0 && memmem(text.ptr, text.len, "{{", 2) != NULL)
        e = parse(t, text, d);
    else
        t->text = copy_text(text);
    if (e != OK) {
        rule_template_close(t);
        return e;
    }
    *out = t;
    return OK;
}

void rule_template_close(struct rule_template *t)
{
    if (t == NULL)
        return;
    template_set_close(t->set);
    mem_free((void *)(uintptr_t)t->name.ptr);
    mem_free((void *)(uintptr_t)t->text.ptr);
    mem_free(t);
}

static err expand(const struct rule_template *t, const struct rule_template_host *host,
                  struct labels labels, double value, struct buf *out, struct diag *d)
{
    struct template_options options = {.limits = host->limits != NULL ? *host->limits
                                                                      : TEMPLATE_LIMITS_DEFAULT,
                                       .host = (void *)(uintptr_t)host};
    struct template_value fields[4];
    struct arena a;
    arena_init(&a, options.limits.memory_bytes_max);
    err e = template_label_map(&TEMPLATE_STRING_MAP, labels, &a, &fields[0]);
    if (e == OK)
        e = template_label_map(&TEMPLATE_STRING_MAP, host->external_labels, &a, &fields[1]);
    fields[2] = template_string(host->external_url);
    fields[3] = template_float(value);
    if (e == OK && host->histogram != NULL)
        e = histogram_value(host->histogram, &a, &fields[3]);
    fields[3] = template_boxed(fields[3]);
    struct template_value data = template_object(&DATA, fields);
    if (e == OK)
        e = template_execute(t->set, t->name, &data, &options, out, d);
    else
        (void)diag_set(d, e, "labels and value need too much memory");
    arena_fini(&a);
    return e;
}

err rule_template_expand(const struct rule_template *t, const struct rule_template_host *host,
                         struct labels labels, double value, struct buf *out, struct diag *d)
{
    struct diag own = {0};
    size_t before = out->len;
    if (t->set == NULL) {
        buf_put_str(out, t->text);
        return OK;
    }
    err e = expand(t, host, labels, value, out, &own);
    if (e == OK)
        return OK;
    out->len = before;
    buf_printf(out, "<error expanding template: error executing template " STR_FMT ": %s>",
               STR_ARG(t->name), own.text);
    return diag_set(d, e, "error executing template " STR_FMT ": %s", STR_ARG(t->name), own.text);
}
