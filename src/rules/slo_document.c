/* slo_document.c -- rules of objectives as YAML: files of rules, and of Kubernetes resources the
 * resources that Prometheus' operator reads. */
#include "rules/slo_rules.h"

/* `text` with `first` before its first line and `others` before the others, of the same width;
 * empty lines stay empty. */
static void put_indented(str text, const char *first, const char *others, struct buf *out)
{
    const char *indent = first;
    for (const char *p = text.ptr, *end = text.ptr + text.len; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop != NULL ? stop : end) - p);
        if (n > 0)
            buf_put_str(out, str_from(indent));
        buf_put(out, p, n);
        buf_put_u8(out, '\n');
        indent = others;
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
        put_indented(buf_str(&one), "- ", "  ", out);
    }
    buf_fini(&one);
}

/* ---- Documents ---- */

/* Labels that Sloth gives the resource, so that a rule selector finds it. */
static err put_metadata(const struct slo_def *def, struct arena *a, struct buf *out, struct diag *d)
{
    const struct pair OWN[] = {
        {STR("app.kubernetes.io/component"), STR("SLO")},
        {STR("app.kubernetes.io/managed-by"), STR("varve")},
    };
    struct slo_resource r = *def->resource;
    struct buf meta = {0};
    struct pair *labels = ARENA_ARRAY(a, struct pair, r.labels.count + COUNT_OF(OWN));
    if (labels == NULL)
        return ERR_LIMIT;
    if (r.name.len == 0)
        return diag_set(d, ERR_INVALID, STR_FMT ":%u:%u: metadata.name: a resource needs a name",
                        STR_ARG(def->path), def->line, def->column);
    for (size_t i = 0; i < COUNT_OF(OWN); i++)
        labels[i] = OWN[i];
    size_t count = COUNT_OF(OWN);
    for (size_t i = 0; i < r.labels.count; i++)
        if (!str_eq(r.labels.items[i].name, OWN[0].name) &&
            !str_eq(r.labels.items[i].name, OWN[1].name))
            labels[count++] = r.labels.items[i];
    r.labels = (struct pairs){labels, count};
    slo_resource_yaml(&r, &meta);
    buf_put_str(out,
                STR("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n"));
    put_indented(buf_str(&meta), "  ", "  ", out);
    buf_fini(&meta);
    return OK;
}

/* The rules of `part`, which are of one resource or of none. */
static err put_part(const struct slo_set *part, const struct slo_rules_options *o, struct arena *a,
                    struct buf *out, struct diag *d)
{
    struct rule_group_def *groups = NULL;
    struct buf text = {0};
    size_t count = 0;
    TRY(slo_rules_make(part, o, a, &groups, &count, d));
    buf_put_str(out, STR("---\n"));
    if (part->count == 0 || part->defs[0].resource == NULL) {
        slo_rules_yaml(groups, count, out);
        return OK;
    }
    TRY(put_metadata(&part->defs[0], a, out, d));
    slo_rules_yaml(groups, count, &text);
    buf_put_str(out, STR("spec:\n"));
    put_indented(buf_str(&text), "  ", "  ", out);
    buf_fini(&text);
    return OK;
}

err slo_rules_documents(const struct slo_set *set, const struct slo_rules_options *o,
                        struct arena *a, struct buf *out, struct diag *d)
{
    struct slo_set part = *set;
    part.count = 0;
    part.defs = ARENA_ARRAY(a, struct slo_def, set->count + 1);
    if (part.defs == NULL)
        return diag_set(d, ERR_LIMIT, "rules of objectives: too large");
    for (size_t i = 0; i < set->count; i++)
        if (set->defs[i].resource == NULL)
            part.defs[part.count++] = set->defs[i];
    if (part.count > 0 || set->count == 0)
        TRY(put_part(&part, o, a, out, d));
    for (size_t i = 0, end; i < set->count; i = end) {
        part.defs = &set->defs[i];
        for (end = i + 1; end < set->count; end++)
            if (set->defs[end].resource != set->defs[i].resource)
                break;
        part.count = end - i;
        if (part.defs[0].resource != NULL)
            TRY(put_part(&part, o, a, out, d));
    }
    return OK;
}
