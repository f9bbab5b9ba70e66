/* sd_groups.c -- target groups as static_configs, files and HTTP servers give them. */
#include "base/jtree.h"
#include "base/utf8.h"
#include "ingest/discovery_priv.h"

void sd_groups_static(const struct static_sd_config *s, const char *meta, str meta_value,
                      struct sd_build *b)
{
    for (size_t g = 0; g < s->group_count; g++) {
        const struct target_group *group = &s->groups[g];
        size_t empty = sd_build_mark(b);
        for (size_t i = 0; i < group->labels.count; i++) {
            struct buf name = {0};
            buf_put_str(&name, group->labels.items[i].name);
            sd_build_label(b, buf_cstr(&name), group->labels.items[i].value);
            buf_fini(&name);
        }
        if (meta != NULL)
            sd_build_label(b, meta, meta_value);
        size_t common = sd_build_mark(b);
        for (size_t i = 0; i < group->targets.count; i++) {
            sd_build_label(b, "__address__", group->targets.items[i]);
            sd_build_target(b);
            sd_build_back(b, common);
        }
        sd_build_back(b, empty);
    }
}

/* ---- JSON ---- */

static err json_labels(const struct jtree *labels, struct sd_build *b, struct diag *d)
{
    struct jtree_member m = {0};
    if (!jtree_is_null(labels) && !jtree_is_object(labels))
        return diag_set(d, ERR_INVALID, "labels: must be an object");
    while (jtree_next(labels, &m)) {
        if (!jtree_is_text(m.value))
            return diag_set(d, ERR_INVALID, "label \"" STR_FMT "\": must be text", STR_ARG(m.key));
        if (m.key.len == 0 || !utf8_valid(m.key))
            return diag_set(d, ERR_INVALID, "\"" STR_FMT "\" is not a valid label name",
                            STR_ARG(m.key));
        sd_build_label(b, m.key.ptr, jtree_text(m.value)); /* keys end with a NUL */
    }
    return OK;
}

static err json_group(const struct jtree *group, const char *meta, str meta_value,
                      struct sd_build *b, struct diag *d)
{
    struct jtree_member m = {0};
    if (!jtree_is_object(group))
        return diag_set(d, ERR_INVALID, "nil target group item found");
    while (jtree_next(group, &m))
        if (!str_eq(m.key, STR("targets")) && !str_eq(m.key, STR("labels")))
            return diag_set(d, ERR_INVALID, "json: unknown field \"" STR_FMT "\"", STR_ARG(m.key));
    const struct jtree *targets = jtree_get(group, "targets");
    if (!jtree_is_null(targets) && !jtree_is_array(targets))
        return diag_set(d, ERR_INVALID, "targets: must be a list");
    size_t empty = sd_build_mark(b);
    TRY(json_labels(jtree_get(group, "labels"), b, d));
    if (meta != NULL)
        sd_build_label(b, meta, meta_value);
    size_t common = sd_build_mark(b);
    for (size_t i = 0; i < jtree_count(targets); i++) {
        if (!jtree_is_text(jtree_at(targets, i)))
            return diag_set(d, ERR_INVALID, "targets: must be text");
        sd_build_label(b, "__address__", jtree_text(jtree_at(targets, i)));
        sd_build_target(b);
        sd_build_back(b, common);
    }
    sd_build_back(b, empty);
    return OK;
}

static err json_groups(slice text, const char *meta, str meta_value, struct sd_build *b,
                       struct diag *d)
{
    struct jtree *root = NULL;
    TRY(jtree_parse(text, &root, d));
    err e = jtree_is_array(root) ? OK : diag_set(d, ERR_INVALID, "must be a list of target groups");
    for (size_t i = 0; e == OK && i < jtree_count(root); i++)
        e = json_group(jtree_at(root, i), meta, meta_value, b, d);
    jtree_free(root);
    return e;
}

err sd_groups_build(const char *name, slice text, bool json, const char *meta, str meta_value,
                    struct sd_build *b, struct diag *d)
{
    struct diag why = {.text = ""};
    if (json) {
        err e = json_groups(text, meta, meta_value, b, &why);
        return e == OK ? OK : diag_set(d, e, "%s: %s", name, why.text);
    }
    struct arena a;
    struct static_sd_config groups;
    arena_init(&a, SD_BYTES_MAX);
    err e = config_target_groups(name, text, &a, &groups, d);
    if (e == OK)
        sd_groups_static(&groups, meta, meta_value, b);
    arena_fini(&a);
    return e;
}
