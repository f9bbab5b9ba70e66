/* template_eval.c -- pipelines, commands, fields and variables to values, as text/template/exec
 * evaluates them; `x->at` follows the node that an error would name. */
#include "rules/template_exec.h"
#include "rules/template_html_funcs.h"

/* Arguments of a command behind its first word, and what comes through the pipe. */
struct operands {
    const struct node *args;
    size_t count;
    const struct template_value *final;
};

static const struct operands NO_OPERANDS;

static bool has_args(const struct operands *o)
{
    return o->count > 0 || o->final != NULL;
}

const char *template_type_name(const struct template_value *v)
{
    return v->boxed || v->type == NULL ? TEMPLATE_ANY.name : v->type->name;
}

static const struct template_func *method_find(const struct template_type *type, str name)
{
    for (size_t i = 0; i < type->method_count; i++)
        if (str_eq(str_from(type->methods[i].name), name))
            return &type->methods[i];
    return NULL;
}

/* The place of a field in an object; -1 when its type has none of this name. */
static int field_find(const struct template_type *type, str name)
{
    if (type->kind != TEMPLATE_KIND_OBJECT)
        return -1;
    for (int i = 0; type->fields[i] != NULL; i++)
        if (str_eq(str_from(type->fields[i]), name))
            return i;
    return -1;
}

static err object_field(struct template_exec *x, const struct template_value *receiver, str name,
                        const struct operands *o, struct template_value *out)
{
    int i = field_find(receiver->type, name);
    bool is_struct = receiver->type->kind == TEMPLATE_KIND_OBJECT;
    if (template_is_nil(receiver) && (i >= 0 || !is_struct))
        return exec_fail(x, ERR_INVALID, "nil pointer evaluating %s." STR_FMT,
                         template_type_name(receiver), STR_ARG(name));
    if (i < 0)
        return exec_fail(x, ERR_INVALID, "can't evaluate field " STR_FMT " in type %s",
                         STR_ARG(name), template_type_name(receiver));
    if (has_args(o))
        return exec_fail(x, ERR_INVALID, STR_FMT " has arguments but cannot be invoked as function",
                         STR_ARG(name));
    *out = receiver->fields[i];
    return OK;
}

static err map_field(struct template_exec *x, const struct template_value *receiver, str name,
                     const struct operands *o, struct template_value *out)
{
    if (has_args(o))
        return exec_fail(x, ERR_INVALID, STR_FMT " is not a method but has arguments",
                         STR_ARG(name));
    const struct template_value *v = template_map_get(receiver, name);
    *out = v != NULL ? *v : template_zero(receiver->type->elem);
    return OK;
}

/* One field, map entry or method of `receiver`. */
static err eval_field(struct template_exec *x, const struct template_value *dot, str name,
                      const struct node *node, const struct operands *o,
                      const struct template_value *receiver, struct template_value *out)
{
    if (receiver->type == NULL && receiver->boxed)
        return exec_fail(x, ERR_INVALID, "nil pointer evaluating %s." STR_FMT, TEMPLATE_ANY.name,
                         STR_ARG(name));
    if (receiver->type == NULL) { /* a field of nothing is nothing: missingkey=zero */
        *out = (struct template_value){0};
        return OK;
    }
    const struct template_func *method = method_find(receiver->type, name);
    if (method != NULL) {
        struct template_value self = *receiver;
        struct call_site site = {node, name, o->args, o->count, o->final, &self};
        if (template_is_nil(&self))
            return exec_fail(x, ERR_INVALID, "nil pointer evaluating %s." STR_FMT,
                             template_type_name(&self), STR_ARG(name));
        return eval_call(x, dot, method, false, &site, out);
    }
    if (receiver->type->kind == TEMPLATE_KIND_MAP)
        return map_field(x, receiver, name, o, out);
    return object_field(x, receiver, name, o, out);
}

static err eval_field_chain(struct template_exec *x, const struct template_value *dot,
                            struct template_value receiver, const struct node *node, uint32_t from,
                            const struct operands *o, struct template_value *out)
{
    uint32_t count = node->path.count;
    for (uint32_t i = from; i < count; i++) {
        struct template_value v;
        TRY(exec_step(x));
        TRY(eval_field(x, dot, node->path.names[i], node, i + 1 == count ? o : &NO_OPERANDS,
                       &receiver, &v));
        receiver = v;
    }
    *out = receiver;
    return OK;
}

static err not_a_function(struct template_exec *x, const struct node *first,
                          const struct operands *o)
{
    if (!has_args(o))
        return OK;
    struct buf b = {0};
    node_print(first, EXEC_CONTEXT_MAX, &b);
    err e = exec_fail(x, ERR_INVALID, "can't give argument to non-function " STR_FMT,
                      STR_ARG(buf_str(&b)));
    buf_fini(&b);
    return e;
}

static err eval_variable(struct template_exec *x, const struct template_value *dot,
                         const struct node *n, const struct operands *o, struct template_value *out)
{
    struct template_value v;
    x->at = n;
    TRY(exec_get(x, n->path.names[0], &v));
    if (n->path.count == 1) {
        *out = v;
        return not_a_function(x, n, o);
    }
    return eval_field_chain(x, dot, v, n, 1, o, out);
}

static err eval_chain(struct template_exec *x, const struct template_value *dot,
                      const struct node *n, const struct operands *o, struct template_value *out)
{
    struct template_value v;
    x->at = n;
    x->at = n->path.term;
    TRY(eval_operand(x, dot, n->path.term, &v));
    return eval_field_chain(x, dot, v, n, 0, o, out);
}

static err eval_function(struct template_exec *x, const struct template_value *dot,
                         const struct node *n, const struct node *cmd, const struct operands *o,
                         struct template_value *out)
{
    bool is_builtin;
    x->at = n;
    const struct template_func *f = template_func_any(x->set->funcs, n->text, &is_builtin);
    if (f == NULL) {
        f = template_html_func(n->text);
        is_builtin = false;
    }
    if (f == NULL)
        return exec_fail(x, ERR_INVALID, "\"" STR_FMT "\" is not a defined function",
                         STR_ARG(n->text));
    struct call_site site = {cmd, n->text, o->args, o->count, o->final, NULL};
    return eval_call(x, dot, f, is_builtin, &site, out);
}

static err eval_path(struct template_exec *x, const struct template_value *dot,
                     const struct node *n, const struct node *cmd, const struct operands *o,
                     struct template_value *out)
{
    if (n->type == NODE_FIELD) {
        x->at = n;
        return eval_field_chain(x, dot, *dot, n, 0, o, out);
    }
    if (n->type == NODE_VARIABLE)
        return eval_variable(x, dot, n, o, out);
    if (n->type == NODE_CHAIN)
        return eval_chain(x, dot, n, o, out);
    return eval_function(x, dot, n, cmd, o, out);
}

static bool is_path(enum node_type type)
{
    return type == NODE_FIELD || type == NODE_VARIABLE || type == NODE_CHAIN ||
           type == NODE_IDENTIFIER;
}

err eval_operand(struct template_exec *x, const struct template_value *dot, const struct node *n,
                 struct template_value *out)
{
    if (is_path(n->type))
        return eval_path(x, dot, n, n, &NO_OPERANDS, out);
    return eval_pipeline(x, dot, n, out);
}

err eval_number(struct template_exec *x, const struct node *n, struct template_value *out)
{
    str s = n->constant.source;
    const struct number *number = &n->constant.number;
    bool is_hex = s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] == 'x' || s.ptr[1] == 'X');
    bool as_float = false;
    for (size_t i = 0; i < s.len; i++) {
        as_float |= s.ptr[i] == '.' || s.ptr[i] == 'p' || s.ptr[i] == 'P';
        as_float |= !is_hex && (s.ptr[i] == 'e' || s.ptr[i] == 'E');
    }
    x->at = n;
    if (as_float && s.ptr[0] != '\'') {
        *out = template_float(number->f);
        return OK;
    }
    if (!number->is_int)
        return exec_fail(x, ERR_INVALID, STR_FMT " overflows int", STR_ARG(s));
    *out = template_int(number->i);
    return OK;
}

/* A command whose first word is a constant, the dot or a parenthesised pipeline. */
static err eval_word(struct template_exec *x, const struct template_value *dot,
                     const struct node *first, const struct operands *o, struct template_value *out)
{
    if (first->type == NODE_PIPE) {
        TRY(not_a_function(x, first, o));
        return eval_pipeline(x, dot, first, out);
    }
    x->at = first;
    TRY(not_a_function(x, first, o));
    if (first->type == NODE_BOOL)
        *out = template_bool(first->truth);
    else if (first->type == NODE_DOT)
        *out = *dot;
    else if (first->type == NODE_NUMBER)
        return eval_number(x, first, out);
    else if (first->type == NODE_STRING)
        *out = template_string(first->constant.value);
    else
        return exec_fail(x, ERR_INVALID, "nil is not a command");
    return OK;
}

static err eval_commands(struct template_exec *x, const struct template_value *dot,
                         const struct node *pipe, struct template_value *out)
{
    struct template_value v = {0}, next;
    for (const struct node *cmd = pipe->pipe.commands; cmd != NULL; cmd = cmd->next) {
        const struct node *first = cmd->list.first;
        struct operands o = {first->next, cmd->list.count - 1,
                             cmd != pipe->pipe.commands ? &v : NULL};
        TRY(exec_step(x));
        if (is_path(first->type))
            TRY(eval_path(x, dot, first, cmd, &o, &next));
        else
            TRY(eval_word(x, dot, first, &o, &next));
        v = next;
        v.boxed = false; /* what an interface holds, not the interface */
    }
    *out = v;
    return OK;
}

err eval_pipeline(struct template_exec *x, const struct template_value *dot,
                  const struct node *pipe, struct template_value *out)
{
    struct template_value v = {0};
    x->at = pipe;
    err e = exec_enter(x);
    if (e == OK)
        e = eval_commands(x, dot, pipe, &v);
    exec_leave(x);
    for (uint32_t i = 0; i < pipe->pipe.variable_count && e == OK; i++) {
        str name = pipe->pipe.variables[i]->path.names[0];
        e = pipe->pipe.is_assign ? exec_set(x, name, v) : exec_push(x, name, v);
    }
    if (e == OK)
        *out = v;
    return e;
}
