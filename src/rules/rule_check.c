/* rule_check.c -- see rule_check.h. */
#include "rules/rule_check.h"

#include <stdlib.h>

#include "rules/rule_text.h"

enum { EXPR_ARENA_BYTES = 64 << 20 };

static err check_expr(void *arg, str expr, struct diag *d)
{
    const struct rule_check *c = arg;
    struct arena a;
    struct expr *tree = NULL;
    arena_init(&a, EXPR_ARENA_BYTES);
    err e = promql_parse(expr, &c->promql, &a, &tree, d);
    if (e == OK)
        expr_fini(tree);
    arena_fini(&a);
    return e;
}

static err check_template(void *arg, str alert, str text, struct diag *d)
{
    (void)arg;
    return rule_text_check(alert, text, d);
}

static struct rule_file_options options_of(const struct rule_check *c)
{
    return (struct rule_file_options){
        .ignore_unknown_fields = c->ignore_unknown_fields,
        .legacy_names = c->legacy_names,
        .one_group = c->one_group,
        .check_expr = check_expr,
        .check_template = check_template,
        .arg = (void *)(uintptr_t)c,
    };
}

err rule_check_file(const char *path, const struct rule_check *c, struct arena *a,
                    struct rule_file *out, struct rule_errors *errors)
{
    struct rule_file_options o = options_of(c);
    return rule_file_read(path, &o, a, out, errors);
}

err rule_check_text(const char *path, slice text, const struct rule_check *c, struct arena *a,
                    struct rule_file *out, struct rule_errors *errors)
{
    struct rule_file_options o = options_of(c);
    return rule_file_parse(path, text, &o, a, out, errors);
}

/* ---- Labels ---- */

static int compare_labels(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static bool has_label(const struct rule_labels *ls, str name)
{
    for (size_t i = 0; i < ls->count; i++)
        if (str_eq(ls->items[i].name, name))
            return true;
    return false;
}

err rule_own_labels(const struct rule_group_def *g, const struct rule_def *r, struct arena *a,
                    struct labels *out)
{
    size_t count = 0;
    struct label *items = ARENA_ARRAY(a, struct label, g->labels.count + r->labels.count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < r->labels.count; i++)
        items[count++] = (struct label){r->labels.items[i].name, r->labels.items[i].value.text};
    for (size_t i = 0; i < g->labels.count; i++)
        if (!has_label(&r->labels, g->labels.items[i].name))
            items[count++] = (struct label){g->labels.items[i].name, g->labels.items[i].value.text};
    qsort(items, count, sizeof(*items), compare_labels);
    *out = (struct labels){items, count};
    return OK;
}

/* ---- Twins ---- */

static int compare_twins(const void *a, const void *b)
{
    const struct rule_twin *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c != 0 ? c : labels_cmp(x->labels, y->labels);
}

err rule_check_twins(const struct rule_file *f, struct arena *a, struct rule_twin **out,
                     size_t *count)
{
    size_t all = 0, kept = 0;
    for (size_t i = 0; i < f->group_count; i++)
        all += f->groups[i].rule_count;
    struct rule_twin *twins = ARENA_ARRAY(a, struct rule_twin, all + 1);
    if (twins == NULL)
        return ERR_LIMIT;
    all = 0;
    for (size_t i = 0; i < f->group_count; i++) {
        const struct rule_group_def *g = &f->groups[i];
        for (size_t k = 0; k < g->rule_count; k++) {
            const struct rule_def *r = &g->rules[k];
            twins[all].name = r->alert.text.len > 0 ? r->alert.text : r->record.text;
            TRY(rule_own_labels(g, r, a, &twins[all++].labels));
        }
    }
    qsort(twins, all, sizeof(*twins), compare_twins);
    for (size_t i = 1; i < all; i++)
        if (compare_twins(&twins[i - 1], &twins[i]) == 0 &&
            (kept == 0 || compare_twins(&twins[kept - 1], &twins[i]) != 0))
            twins[kept++] = twins[i];
    *out = twins;
    *count = kept;
    return OK;
}
