/* template_call.c -- functions and methods: arguments evaluated and checked against the types of
 * the parameters, by the rules and in the words of text/template. */
#include <string.h>

#include "rules/template_exec.h"

static bool is_unnamed(const struct template_type *t)
{
    return t->name[0] == '[' || strncmp(t->name, "map[", 4) == 0;
}

/* Go's assignability: the same type, an interface, or the same list or map under one name. */
static bool is_assignable(const struct template_type *from, const struct template_type *to)
{
    if (from == to || to->kind == TEMPLATE_KIND_ANY)
        return true;
    bool composite = to->kind == TEMPLATE_KIND_LIST || to->kind == TEMPLATE_KIND_MAP;
    return composite && from->kind == to->kind && from->elem == to->elem &&
           (is_unnamed(from) || is_unnamed(to));
}

static bool can_be_nil(const struct template_type *t)
{
    return t->is_pointer || t->kind == TEMPLATE_KIND_ANY || t->kind == TEMPLATE_KIND_LIST ||
           t->kind == TEMPLATE_KIND_MAP || t->kind == TEMPLATE_KIND_FUNC;
}

/* nil as an argument: where anything goes, it stays no value. */
static struct template_value nothing(const struct template_type *type)
{
    return type->kind == TEMPLATE_KIND_ANY ? (struct template_value){0} : template_zero(type);
}

/* `v` as a value of type `type`. */
static err validate(struct template_exec *x, const struct template_value *v,
                    const struct template_type *type, struct template_value *out)
{
    if (v->type == NULL && !v->boxed) {
        if (!can_be_nil(type))
            return exec_fail(x, ERR_INVALID, "invalid value; expected %s", type->name);
        *out = nothing(type);
        return OK;
    }
    *out = *v;
    if (type->kind == TEMPLATE_KIND_ANY)
        return OK;
    out->boxed = false;
    if (v->type != NULL && is_assignable(v->type, type)) {
        out->type = type;
        return OK;
    }
    if (v->type != NULL && v->type->is_pointer && is_assignable(v->type->target, type)) {
        if (template_is_nil(v))
            return exec_fail(x, ERR_INVALID, "dereference of nil pointer of type %s", type->name);
        out->type = type;
        return OK;
    }
    return exec_fail(x, ERR_INVALID, "wrong type for value; expected %s; got %s", type->name,
                     v->type != NULL ? v->type->name : TEMPLATE_ANY.name);
}

static err unexpected_constant(struct template_exec *x, const char *expected, const struct node *n)
{
    struct buf b = {0};
    node_print(n, EXEC_CONTEXT_MAX, &b);
    err e =
        exec_fail(x, ERR_INVALID, "expected %s; found " STR_FMT, expected, STR_ARG(buf_str(&b)));
    buf_fini(&b);
    return e;
}

static err unusable_constant(struct template_exec *x, const struct template_type *type,
                             const struct node *n)
{
    struct buf b = {0};
    node_print(n, EXEC_CONTEXT_MAX, &b);
    err e = exec_fail(x, ERR_INVALID, "can't handle " STR_FMT " for arg of type %s",
                      STR_ARG(buf_str(&b)), type->name);
    buf_fini(&b);
    return e;
}

/* A constant where any type will do. */
static err any_constant(struct template_exec *x, const struct node *n, struct template_value *out)
{
    if (n->type == NODE_NUMBER)
        return eval_number(x, n, out);
    if (n->type == NODE_BOOL)
        *out = template_bool(n->truth);
    else
        *out = template_string(n->constant.value);
    return OK;
}

/* A number, string or boolean for a parameter of type `type`. */
static err eval_constant(struct template_exec *x, const struct template_type *type,
                         const struct node *n, struct template_value *out)
{
    struct template_value v = {.type = type};
    bool is_number = n->type == NODE_NUMBER;
    x->at = n;
    switch (type->kind) {
    case TEMPLATE_KIND_ANY:
        return any_constant(x, n, out);
    case TEMPLATE_KIND_BOOL:
        if (n->type != NODE_BOOL)
            return unexpected_constant(x, "bool", n);
        v.truth = n->truth;
        break;
    case TEMPLATE_KIND_STRING:
        if (n->type != NODE_STRING)
            return unexpected_constant(x, "string", n);
        v.s = n->constant.value;
        break;
    case TEMPLATE_KIND_INT:
        if (!is_number || !n->constant.number.is_int)
            return unexpected_constant(x, "integer", n);
        v.i = n->constant.number.i;
        break;
    case TEMPLATE_KIND_UINT:
        if (!is_number || !n->constant.number.is_uint)
            return unexpected_constant(x, "unsigned integer", n);
        v.u = n->constant.number.u;
        break;
    case TEMPLATE_KIND_FLOAT:
        if (!is_number || !n->constant.number.is_float)
            return unexpected_constant(x, "float", n);
        v.f = n->constant.number.f;
        break;
    case TEMPLATE_KIND_LIST:
    case TEMPLATE_KIND_MAP:
    case TEMPLATE_KIND_OBJECT:
    case TEMPLATE_KIND_TIME:
    case TEMPLATE_KIND_FUNC:
        return unusable_constant(x, type, n);
    }
    *out = v;
    return OK;
}

err eval_arg(struct template_exec *x, const struct template_value *dot,
             const struct template_type *type, const struct node *n, struct template_value *out)
{
    struct template_value v;
    x->at = n;
    if (n->type == NODE_NUMBER || n->type == NODE_STRING || n->type == NODE_BOOL)
        return eval_constant(x, type, n, out);
    if (n->type == NODE_DOT)
        return validate(x, dot, type, out);
    if (n->type == NODE_NIL) {
        if (!can_be_nil(type))
            return exec_fail(x, ERR_INVALID, "cannot assign nil to %s", type->name);
        *out = nothing(type);
        return OK;
    }
    TRY(eval_operand(x, dot, n, &v));
    return validate(x, &v, type, out);
}

static size_t param_count(const struct template_func *f)
{
    size_t n = 0;
    while (n < TEMPLATE_PARAMS_MAX && f->params[n] != NULL)
        n++;
    return n;
}

static const struct template_type *param_type(const struct template_func *f, size_t i,
                                              size_t params)
{
    return f->params[MIN(i, params - 1)];
}

static err check_count(struct template_exec *x, const struct template_func *f,
                       const struct call_site *site)
{
    size_t params = param_count(f), given = site->arg_count + (site->final != NULL);
    if (f->variadic && given < params - 1)
        return exec_fail(x, ERR_INVALID,
                         "wrong number of args for " STR_FMT ": want at least %zu got %zu",
                         STR_ARG(site->name), params - 1, site->arg_count);
    if (!f->variadic && given != params)
        return exec_fail(x, ERR_INVALID, "wrong number of args for " STR_FMT ": want %zu got %zu",
                         STR_ARG(site->name), params, given);
    return OK;
}

/* `and` and `or` evaluate arguments only as far as they decide. */
static err eval_short_circuit(struct template_exec *x, const struct template_value *dot,
                              const struct call_site *site, bool stop, struct template_value *out)
{
    struct template_value v = {0};
    size_t i = 0;
    for (const struct node *n = site->args; i < site->arg_count; n = n->next, i++) {
        TRY(eval_arg(x, dot, &TEMPLATE_ANY, n, &v));
        if (template_truth(&v) == stop) {
            *out = v;
            return OK;
        }
    }
    if (site->final != NULL)
        v = *site->final;
    *out = v;
    return OK;
}

/* Nothing here is a function, which `call` says of its first argument. */
static err call_of_no_function(struct template_exec *x, const struct call_site *site,
                               const struct template_value *fn)
{
    struct buf b = {0};
    if (site->arg_count > 0)
        node_print(site->args, EXEC_CONTEXT_MAX, &b);
    else if (fn->type != NULL && fn->type->kind == TEMPLATE_KIND_STRING)
        buf_put_str(&b, fn->s);
    else if (fn->type != NULL)
        buf_printf(&b, "<%s Value>", fn->type->name);
    x->at = site->node;
    err e;
    if (fn->type == NULL)
        e = exec_fail(x, ERR_INVALID, "error calling call: call of nil");
    else
        e = exec_fail(x, ERR_INVALID, "error calling call: non-function " STR_FMT " of type %s",
                      STR_ARG(buf_str(&b)), fn->type->name);
    buf_fini(&b);
    return e;
}

/* Evaluate what the call is given into `argv`, behind the receiver. */
static err eval_args(struct template_exec *x, const struct template_value *dot,
                     const struct template_func *f, const struct call_site *site,
                     struct template_value *argv)
{
    size_t params = param_count(f), i = 0;
    for (const struct node *n = site->args; i < site->arg_count; n = n->next, i++)
        TRY(eval_arg(x, dot, param_type(f, i, params), n, &argv[i]));
    if (site->final != NULL)
        TRY(validate(x, site->final, param_type(f, i, params), &argv[i]));
    return OK;
}

static err call_function(struct template_exec *x, const struct template_func *f,
                         const struct call_site *site, const struct template_value *argv,
                         size_t count, struct template_value *out)
{
    struct diag d = {0};
    struct template_call c = {x->arena, x->options->host, &d, x};
    err e = f->call(&c, argv, count, out);
    if (e == OK && !arena_exceeded(x->arena))
        return OK;
    x->at = site->node;
    if (d.text[0] == '\0' && arena_exceeded(x->arena))
        return exec_fail(x, ERR_LIMIT, "values need more than %zu bytes",
                         x->options->limits.memory_bytes_max);
    return exec_fail(x, e, "error calling " STR_FMT ": %s", STR_ARG(site->name),
                     d.text[0] != '\0' ? d.text : err_name(e));
}

err eval_call(struct template_exec *x, const struct template_value *dot,
              const struct template_func *f, bool is_builtin, const struct call_site *site,
              struct template_value *out)
{
    TRY(exec_step(x));
    TRY(check_count(x, f, site));
    if (is_builtin && str_eq(site->name, STR("and")))
        return eval_short_circuit(x, dot, site, false, out);
    if (is_builtin && str_eq(site->name, STR("or")))
        return eval_short_circuit(x, dot, site, true, out);
    size_t methods = site->receiver != NULL ? 1 : 0;
    size_t count = methods + site->arg_count + (site->final != NULL ? 1 : 0);
    struct template_value *argv = ARENA_ARRAY(x->arena, struct template_value, count + 1);
    if (argv == NULL)
        return exec_fail(x, ERR_LIMIT, "values need more than %zu bytes",
                         x->options->limits.memory_bytes_max);
    if (site->receiver != NULL)
        argv[0] = *site->receiver;
    TRY(eval_args(x, dot, f, site, argv + methods));
    if (is_builtin && str_eq(site->name, STR("call")))
        return call_of_no_function(x, site, &argv[0]);
    struct template_value v = {0};
    TRY(call_function(x, f, site, argv, count, &v));
    *out = v;
    return OK;
}
