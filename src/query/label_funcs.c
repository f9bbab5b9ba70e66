/* label_funcs.c -- functions that change labels. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/regex.h"
#include "base/utf8.h"
#include "query/call.h"

err labels_set(struct exec *x, struct labels ls, str name, str value, struct labels *out)
{
    struct label *items = ARENA_ARRAY(&x->arena, struct label, ls.count + 1);
    if (items == NULL)
        return exec_memory_error(x, x->diag);
    size_t n = 0, at = 0;
    for (; at < ls.count && str_cmp(ls.items[at].name, name) < 0; at++)
        items[n++] = ls.items[at];
    if (value.len > 0)
        items[n++] = (struct label){name, value};
    if (at < ls.count && str_eq(ls.items[at].name, name))
        at++;
    for (; at < ls.count; at++)
        items[n++] = ls.items[at];
    *out = (struct labels){items, n};
    return OK;
}

static str string_arg(const struct plan *p, size_t i)
{
    return p->args[i]->expr->string;
}

static bool valid_label_name(str name)
{
    return name.len > 0 && utf8_valid(name);
}

/* Set label `name` of `r` to the text in `b`. */
static err set_label(struct exec *x, struct row *r, str name, const struct buf *b)
{
    str value = arena_str(&x->arena, buf_str(b));
    if (value.ptr == NULL)
        return exec_memory_error(x, x->diag);
    if (str_eq(name, LABEL_NAME))
        r->drop_name = false;
    return labels_set(x, r->labels, name, value, &r->labels);
}

/* ---- label_replace ---- */

enum { REPLACE_VISITS = 8 * VISITS_LABELS }; /* what matching one label counts as */

static err replace_rows(struct exec *x, const struct plan *p, const struct grid *g,
                        const struct regex *re, struct vec *v)
{
    str dst = string_arg(p, 1), replacement = string_arg(p, 2), src = string_arg(p, 3);
    struct buf b = {0};
    err e = OK;
    for (size_t i = 0; i < v->count && e == OK; i++) {
        buf_reset(&b);
        e = exec_visit_main(x, REPLACE_VISITS);
        if (e == OK && regex_expand(re, labels_get(v->rows[i].labels, src), replacement, &b))
            e = set_label(x, &v->rows[i], dst, &b);
    }
    buf_fini(&b);
    v->one_name = v->one_name && !is_metadata_label(dst);
    return e == OK ? vec_merge_equal(x, g, v) : e;
}

static err compile_replace(struct exec *x, const struct plan *p, struct regex **out)
{
    struct diag why = {0};
    err e = regex_compile(string_arg(p, 4), out, &why);
    if (e == ERR_INVALID)
        return diag_set(x->diag, e, "invalid regular expression in label_replace(): " STR_FMT,
                        STR_ARG(string_arg(p, 4)));
    if (e != OK)
        return diag_set(x->diag, e, "%s", why.text);
    if (!valid_label_name(string_arg(p, 1))) {
        regex_close(*out);
        return diag_set(x->diag, ERR_INVALID,
                        "invalid destination label name in label_replace(): " STR_FMT,
                        STR_ARG(string_arg(p, 1)));
    }
    return OK;
}

err call_label_replace(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    struct regex *re;
    TRY(compile_replace(x, p, &re));
    err e = exec_vector(x, p->args[0], g, out);
    if (e == OK) {
        e = replace_rows(x, p, g, re, out);
        if (e != OK)
            vec_fini(x, out);
    }
    regex_close(re);
    return e;
}

/* ---- label_join ---- */

static err check_join(struct exec *x, const struct plan *p)
{
    for (size_t i = 3; i < p->arg_count; i++)
        if (!valid_label_name(string_arg(p, i)))
            return diag_set(x->diag, ERR_INVALID,
                            "invalid source label name in label_join(): " STR_FMT,
                            STR_ARG(string_arg(p, i)));
    if (!valid_label_name(string_arg(p, 1)))
        return diag_set(x->diag, ERR_INVALID,
                        "invalid destination label name in label_join(): " STR_FMT,
                        STR_ARG(string_arg(p, 1)));
    return OK;
}

static err join_rows(struct exec *x, const struct plan *p, const struct grid *g, struct vec *v)
{
    struct buf b = {0};
    err e = OK;
    for (size_t i = 0; i < v->count && e == OK; i++) {
        buf_reset(&b);
        for (size_t a = 3; a < p->arg_count; a++) {
            if (a > 3)
                buf_put_str(&b, string_arg(p, 2));
            buf_put_str(&b, labels_get(v->rows[i].labels, string_arg(p, a)));
        }
        e = exec_visit_main(x, VISITS_LABELS);
        if (e == OK)
            e = set_label(x, &v->rows[i], string_arg(p, 1), &b);
    }
    buf_fini(&b);
    v->one_name = v->one_name && !is_metadata_label(string_arg(p, 1));
    return e == OK ? vec_merge_equal(x, g, v) : e;
}

err call_label_join(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    TRY(check_join(x, p));
    TRY(exec_vector(x, p->args[0], g, out));
    err e = join_rows(x, p, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

/* ---- absent ---- */

/* A label matched more than once, or otherwise than for equality, is left out; one that follows
 * after such a matcher too, as upstream has it. */
err labels_of_absent(struct exec *x, const struct plan *arg, struct labels *out)
{
    *out = (struct labels){0};
    if (arg->expr->kind != EXPR_VECTOR && arg->expr->kind != EXPR_MATRIX)
        return OK;
    const struct expr_vector *v = plan_vector(arg);
    for (size_t i = 0; i < v->matcher_count; i++) {
        const struct matcher *m = &v->matchers[i];
        if (str_eq(m->name, LABEL_NAME))
            continue;
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen = seen ||
                   (v->matchers[j].type == MATCH_EQUAL && str_eq(v->matchers[j].name, m->name));
        str value = m->type == MATCH_EQUAL && !seen ? m->value : STR("");
        TRY(labels_set(x, *out, m->name, value, out));
    }
    return OK;
}
