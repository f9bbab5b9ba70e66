/* heartbeat_exprs.c -- see heartbeat_exprs.h. */
#include "cli/heartbeat_exprs.h"

enum { EXPR_ARENA_BYTES = 64 << 20 };

static err check_one(str expr, const struct promql_options *o, struct diag *d)
{
    struct arena a;
    struct expr *tree = NULL;
    arena_init(&a, EXPR_ARENA_BYTES);
    err e = promql_parse(expr, o, &a, &tree, d);
    if (e == OK && tree->type != VALUE_VECTOR && tree->type != VALUE_SCALAR)
        e = diag_set(d, ERR_INVALID, "it must be a vector or a scalar");
    expr_fini(tree);
    arena_fini(&a);
    return e;
}

err heartbeat_exprs_check(const struct alerting_ext *x, const struct promql_options *o,
                          struct diag *d)
{
    for (size_t i = 0; i < x->heartbeats.count; i++) {
        const struct heartbeat_config *h = &x->heartbeats.items[i];
        struct diag why = {.text = ""};
        err e = h->only_if.len > 0 ? check_one(h->only_if, o, &why) : OK;
        if (e != OK)
            return diag_set(d, e, "%s:%u:%u: heartbeat \"" STR_FMT "\": only_if: %s", h->place.file,
                            h->place.line, h->place.column, STR_ARG(h->name),
                            why.text[0] != '\0' ? why.text : err_name(e));
    }
    return OK;
}
