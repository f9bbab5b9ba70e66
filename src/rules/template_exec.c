/* template_exec.c -- walking a template's nodes: text, actions, branches, loops, calls; and the
 * limits of an execution. */
#include "rules/template_exec.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/regex.h"
#include "base/utf8.h"
#include "query/quote.h"
#include "rules/template_format.h"

const struct template_limits TEMPLATE_LIMITS_DEFAULT = {
    .depth_max = 1000,
    .steps_max = 200000,
    .output_bytes_max = 1 << 20,
    .memory_bytes_max = 16 << 20,
    .queries_max = 1000,
    .time_ns_max = UINT64_C(60) * 1000 * 1000,
};

static err walk_list(struct template_exec *x, const struct template_value *dot,
                     const struct node *list);

/* Line and column (bytes from its start) of a node. */
static void place(const struct template_exec *x, uint32_t *line, uint32_t *column)
{
    const char *text = x->running->source->text.ptr;
    *line = 1;
    *column = x->at->pos;
    for (uint32_t i = 0; i < x->at->pos; i++) {
        if (text[i] == '\n') {
            (*line)++;
            *column = x->at->pos - i - 1;
        }
    }
}

err exec_fail(struct template_exec *x, err e, const char *format, ...)
{
    char words[DIAG_TEXT_SIZE], name[QUOTE_TEXT_SIZE];
    struct buf node = {0};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    quote_text(x->running->name, name);
    if (x->at == NULL) {
        (void)diag_set(x->diag, e, "template: " STR_FMT ": %s", STR_ARG(x->running->name), words);
        return e;
    }
    uint32_t line, column;
    place(x, &line, &column);
    node_print(x->at, EXEC_CONTEXT_MAX, &node);
    (void)diag_at(x->diag, x->at->pos, x->at->pos, e,
                  "template: " STR_FMT ":%u:%u: executing %s at <" STR_FMT ">: %s",
                  STR_ARG(x->running->source->name), line, column, name, STR_ARG(buf_str(&node)),
                  words);
    buf_fini(&node);
    return e;
}

err exec_regex(struct template_exec *x, str expr, const struct regex_search **out, struct diag *d)
{
    for (unsigned i = 0; i < EXEC_REGEXES; i++) {
        if (x->regexes[i].re != NULL && str_eq(x->regexes[i].expr, expr)) {
            *out = x->regexes[i].re;
            return OK;
        }
    }
    struct regex_memo memo = {.expr = arena_str(x->arena, expr)};
    if (memo.expr.ptr == NULL)
        return diag_set(d, ERR_LIMIT, "expression too long");
    TRY(regex_search_compile(expr, &memo.re, d));
    struct regex_memo *place = &x->regexes[x->next_regex++ % EXEC_REGEXES];
    regex_search_close(place->re);
    *place = memo;
    *out = memo.re;
    return OK;
}

err exec_step(struct template_exec *x)
{
    const struct template_limits *limits = &x->options->limits;
    if (++x->steps > limits->steps_max)
        return exec_fail(x, ERR_LIMIT, "more than %zu steps", limits->steps_max);
    if (x->steps % EXEC_STEPS_PER_LOOK == 0 && clock_thread_cpu_ns() > x->deadline_cpu_ns)
        return exec_fail(x, ERR_TIMEOUT, "took longer than %llu ms",
                         (unsigned long long)(limits->time_ns_max / 1000000));
    if (arena_exceeded(x->arena))
        return exec_fail(x, ERR_LIMIT, "values need more than %zu bytes", limits->memory_bytes_max);
    return OK;
}

err exec_enter(struct template_exec *x)
{
    if (++x->nesting > EXEC_NESTING_MAX)
        return exec_fail(x, ERR_LIMIT, "exceeded maximum nesting of actions (%d)",
                         EXEC_NESTING_MAX);
    return OK;
}

void exec_leave(struct template_exec *x)
{
    x->nesting--;
}

err exec_push(struct template_exec *x, str name, struct template_value v)
{
    if (x->variable_count == x->variable_cap) {
        size_t cap = x->variable_cap * 2 + 8;
        struct variable *grown =
            arena_grow(x->arena, x->variables, x->variable_count, cap, sizeof(*grown));
        if (grown == NULL)
            return exec_fail(x, ERR_LIMIT, "values need more than %zu bytes",
                             x->options->limits.memory_bytes_max);
        x->variables = grown;
        x->variable_cap = cap;
    }
    x->variables[x->variable_count++] = (struct variable){name, v};
    return OK;
}

/* The newest variable of this name that the running template may see. */
static struct variable *find_variable(struct template_exec *x, str name)
{
    for (size_t i = x->variable_count; i > 0; i--)
        if (str_eq(x->variables[i - 1].name, name))
            return &x->variables[i - 1];
    return NULL;
}

static err undefined(struct template_exec *x, str name)
{
    return exec_fail(x, ERR_INVALID, "undefined variable: " STR_FMT, STR_ARG(name));
}

err exec_set(struct template_exec *x, str name, struct template_value v)
{
    struct variable *variable = find_variable(x, name);
    if (variable == NULL)
        return undefined(x, name);
    variable->value = v;
    return OK;
}

err exec_get(struct template_exec *x, str name, struct template_value *out)
{
    const struct variable *variable = find_variable(x, name);
    if (variable == NULL)
        return undefined(x, name);
    *out = variable->value;
    return OK;
}

err exec_write(struct template_exec *x, str text)
{
    size_t max = x->options->limits.output_bytes_max;
    if (text.len > max - MIN(max, x->printed_bytes))
        return exec_fail(x, ERR_LIMIT, "prints more than %zu bytes", max);
    x->printed_bytes += text.len;
    buf_put_str(x->out, text);
    return OK;
}

err exec_print(struct template_exec *x, const struct template_value *v)
{
    struct buf b = {0};
    struct template_value shown = template_pointee(v);
    size_t max = x->options->limits.output_bytes_max;
    err e = OK;
    if (v->type == NULL)
        buf_put_str(&b, STR("<no value>"));
    else if (v->type->kind == TEMPLATE_KIND_STRING)
        return exec_write(x, v->s);
    else
        e = template_format(&shown, max, &b);
    if (e != OK)
        e = exec_fail(x, e, "prints more than %zu bytes", max);
    else
        e = exec_write(x, buf_str(&b));
    buf_fini(&b);
    return e;
}

static err walk_branch(struct template_exec *x, const struct template_value *dot,
                       const struct node *n)
{
    struct template_value v;
    size_t mark = x->variable_count;
    TRY(eval_pipeline(x, dot, n->control.pipe, &v));
    if (template_truth(&v))
        TRY(walk_list(x, n->type == NODE_WITH ? &v : dot, n->control.body));
    else if (n->control.otherwise != NULL)
        TRY(walk_list(x, dot, n->control.otherwise));
    x->variable_count = mark;
    return OK;
}

struct loop {
    const struct node *node;
    size_t mark; /* variables before the body's own */
};

/* Set the loop's variables; `index` is missing in loops over numbers. */
static err set_loop_variables(struct template_exec *x, const struct loop *loop,
                              struct template_value index, struct template_value elem)
{
    const struct node *pipe = loop->node->control.pipe;
    uint32_t count = pipe->pipe.variable_count;
    if (count == 0)
        return OK;
    if (pipe->pipe.is_assign) {
        TRY(exec_set(x, pipe->pipe.variables[0]->path.names[0], count > 1 ? index : elem));
        return count > 1 ? exec_set(x, pipe->pipe.variables[1]->path.names[0], elem) : OK;
    }
    x->variables[loop->mark - 1].value = elem;
    if (count > 1)
        x->variables[loop->mark - 2].value = index;
    return OK;
}

/* One turn; `*done` when the loop was left. */
static err walk_turn(struct template_exec *x, const struct loop *loop, struct template_value index,
                     struct template_value elem, bool *done)
{
    TRY(exec_step(x));
    TRY(set_loop_variables(x, loop, index, elem));
    TRY(walk_list(x, &elem, loop->node->control.body));
    x->variable_count = loop->mark;
    *done = x->flow == FLOW_BREAK;
    x->flow = FLOW_ON;
    return OK;
}

static err walk_integers(struct template_exec *x, const struct loop *loop,
                         const struct template_value *v, bool *ran)
{
    if (loop->node->control.pipe->pipe.variable_count > 1) {
        return exec_fail(x, ERR_INVALID, "can't use %lld to iterate over more than one variable",
                         (long long)v->i);
    }
    bool done = false;
    for (int64_t i = 0; i < v->i && !done; i++) {
        struct template_value elem = {.type = v->type, .i = i};
        *ran = true;
        TRY(walk_turn(x, loop, (struct template_value){0}, elem, &done));
    }
    return OK;
}

static err walk_elements(struct template_exec *x, const struct loop *loop,
                         const struct template_value *v, bool *ran)
{
    bool done = false;
    for (size_t i = 0; i < v->list.count && !done; i++) {
        *ran = true;
        TRY(walk_turn(x, loop, template_int((int64_t)i), v->list.items[i], &done));
    }
    return OK;
}

static err walk_entries(struct template_exec *x, const struct loop *loop,
                        const struct template_value *v, bool *ran)
{
    bool done = false;
    for (size_t i = 0; i < v->map.count && !done; i++) {
        const struct template_entry *entry = &v->map.entries[i];
        *ran = true;
        TRY(walk_turn(x, loop, template_string(entry->key), entry->value, &done));
    }
    return OK;
}

static err not_iterable(struct template_exec *x, const struct template_value *v)
{
    struct buf b = {0};
    struct template_value shown = template_pointee(v);
    err e = template_format(&shown, EXEC_CONTEXT_MAX, &b);
    (void)e; /* what is too long is cut */
    e = exec_fail(x, ERR_INVALID, "range can't iterate over " STR_FMT, STR_ARG(buf_str(&b)));
    buf_fini(&b);
    return e;
}

static err walk_range(struct template_exec *x, const struct template_value *dot,
                      const struct node *n)
{
    struct template_value v;
    size_t mark = x->variable_count;
    bool ran = false;
    TRY(eval_pipeline(x, dot, n->control.pipe, &v));
    struct loop loop = {n, x->variable_count};
    if (v.type != NULL) {
        if (v.type->kind == TEMPLATE_KIND_INT || v.type->kind == TEMPLATE_KIND_UINT)
            TRY(walk_integers(x, &loop, &v, &ran));
        else if (v.type->kind == TEMPLATE_KIND_LIST)
            TRY(walk_elements(x, &loop, &v, &ran));
        else if (v.type->kind == TEMPLATE_KIND_MAP)
            TRY(walk_entries(x, &loop, &v, &ran));
        else
            return not_iterable(x, &v);
    }
    if (!ran && n->control.otherwise != NULL)
        TRY(walk_list(x, dot, n->control.otherwise));
    x->variable_count = mark;
    return OK;
}

/* Run another template: it sees `dot` as its data and none of the caller's variables. */
static err walk_other(struct template_exec *x, const struct template *t, struct template_value dot)
{
    const struct template *caller = x->running;
    const struct node *at = x->at;
    struct variable *variables = x->variables;
    size_t count = x->variable_count, cap = x->variable_cap;
    enum flow flow = x->flow;
    x->variables = NULL;
    x->variable_count = x->variable_cap = 0;
    x->running = t;
    x->depth++;
    err e = exec_push(x, STR("$"), dot);
    if (e == OK)
        e = walk_list(x, &dot, t->body);
    x->depth--;
    x->flow = flow;
    x->running = caller;
    x->at = at;
    x->variables = variables;
    x->variable_count = count;
    x->variable_cap = cap;
    return e;
}

static err walk_call(struct template_exec *x, const struct template_value *dot,
                     const struct node *n)
{
    char name[QUOTE_TEXT_SIZE];
    x->at = n;
    const struct template *t = template_find(x->set, n->call.name);
    if (t == NULL) {
        quote_text(n->call.name, name);
        return exec_fail(x, ERR_INVALID, "template %s not defined", name);
    }
    if (x->depth >= x->options->limits.depth_max)
        return exec_fail(x, ERR_LIMIT, "exceeded maximum template depth (%zu)",
                         x->options->limits.depth_max);
    struct template_value data = {0};
    if (n->call.pipe != NULL)
        TRY(eval_pipeline(x, dot, n->call.pipe, &data));
    return walk_other(x, t, data);
}

static err walk_action(struct template_exec *x, const struct template_value *dot,
                       const struct node *n)
{
    struct template_value v;
    TRY(eval_pipeline(x, dot, n->control.pipe, &v));
    if (n->control.pipe->pipe.variable_count > 0)
        return OK;
    x->at = n;
    return exec_print(x, &v);
}

static err walk_node(struct template_exec *x, const struct template_value *dot,
                     const struct node *n)
{
    x->at = n;
    TRY(exec_step(x));
    if (n->type == NODE_TEXT)
        return exec_write(x, n->text);
    if (n->type == NODE_ACTION)
        return walk_action(x, dot, n);
    if (n->type == NODE_IF || n->type == NODE_WITH)
        return walk_branch(x, dot, n);
    if (n->type == NODE_RANGE)
        return walk_range(x, dot, n);
    if (n->type == NODE_TEMPLATE)
        return walk_call(x, dot, n);
    x->flow = n->type == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
    return OK;
}

static err walk_list(struct template_exec *x, const struct template_value *dot,
                     const struct node *list)
{
    err e = exec_enter(x);
    for (const struct node *n = list->list.first; n != NULL && e == OK && x->flow == FLOW_ON;
         n = n->next)
        e = walk_node(x, dot, n);
    exec_leave(x);
    return e;
}

static err unknown_template(const struct template *t, str name, struct diag *d)
{
    char quoted[QUOTE_TEXT_SIZE];
    quote_text(name, quoted);
    if (t == NULL)
        return diag_set(d, ERR_INVALID, "template: no template %s associated with template \"\"",
                        quoted);
    return diag_set(d, ERR_INVALID, "template: " STR_FMT ": %s is an incomplete or empty template",
                    STR_ARG(name), quoted);
}

err template_execute(const struct template_set *set, str name, const struct template_value *data,
                     const struct template_options *options, struct buf *out, struct diag *d)
{
    static const struct template_options DEFAULTS = {.host = NULL};
    struct template_options own = options != NULL ? *options : DEFAULTS;
    if (options == NULL)
        own.limits = TEMPLATE_LIMITS_DEFAULT;
    const struct template *t = template_find(set, name);
    if (t == NULL || t->body == NULL)
        return unknown_template(t, name, d);
    struct arena arena;
    arena_init(&arena, own.limits.memory_bytes_max);
    struct template_exec x = {.set = set,
                              .options = &own,
                              .diag = d,
                              .arena = &arena,
                              .out = out,
                              .running = t,
                              .deadline_cpu_ns = clock_thread_cpu_ns() + own.limits.time_ns_max};
    err e = walk_other(&x, t, *data);
    for (unsigned i = 0; i < EXEC_REGEXES; i++)
        regex_search_close(x.regexes[i].re);
    arena_fini(&arena);
    return e;
}

err template_execute_inner(struct template_exec *x, str name, const struct template_value *data,
                           struct buf *out, struct diag *d)
{
    const struct template *t = template_find(x->set, name);
    if (t == NULL || t->body == NULL)
        return unknown_template(t, name, d);
    if (x->depth >= x->options->limits.depth_max)
        return diag_set(d, ERR_LIMIT, "exceeded maximum template depth (%zu)",
                        x->options->limits.depth_max);
    struct buf *outer = x->out;
    struct diag *diag = x->diag;
    x->out = out;
    x->diag = d;
    err e = walk_other(x, t, *data);
    x->out = outer;
    x->diag = diag;
    return e;
}

err template_exec_query(struct template_exec *x, struct diag *d)
{
    if (x->queries == x->options->limits.queries_max)
        return diag_set(d, ERR_LIMIT, "more than %zu queries in one template",
                        x->options->limits.queries_max);
    x->queries++;
    return OK;
}

void template_exec_pause(struct template_exec *x, uint64_t ns)
{
    x->deadline_cpu_ns += ns;
}
