/* template_pipeline.c -- pipelines, commands and their operands, to nodes. */
#include "query/quote.h"
#include "rules/template_parse.h"

/* "$a", ".b" or ".b.c" as names. */
static bool add_name(struct parser *p, struct node *n, str name)
{
    str *names =
        arena_grow(&p->set->arena, n->path.names, n->path.count, n->path.count + 1, sizeof(*names));
    if (names == NULL) {
        template_parser_fail(p, ERR_LIMIT, "parsed templates need more than %d bytes",
                             TEMPLATE_SET_BYTES_MAX);
        return false;
    }
    names[n->path.count++] = name;
    n->path.names = names;
    return true;
}

static struct node *path_node(struct parser *p, enum node_type type, struct token t)
{
    struct node *n = template_parser_node(p, type, t.pos);
    str name = type == NODE_FIELD ? (str){t.text.ptr + 1, t.text.len - 1} : t.text;
    return n != NULL && add_name(p, n, name) ? n : NULL;
}

static bool declare(struct parser *p, str name)
{
    if (p->variable_count == p->variable_cap) {
        uint32_t cap = p->variable_cap * 2 + 6;
        str *names = arena_grow(&p->set->arena, p->variables, p->variable_count, cap, sizeof(str));
        if (names == NULL) {
            template_parser_fail(p, ERR_LIMIT, "too many variables");
            return false;
        }
        p->variables = names;
        p->variable_cap = cap;
    }
    p->variables[p->variable_count++] = name;
    return true;
}

static bool add_variable(struct parser *p, struct node *pipe, struct token t)
{
    struct node *v = path_node(p, NODE_VARIABLE, t);
    if (v == NULL || !declare(p, t.text))
        return false;
    pipe->pipe.variables[pipe->pipe.variable_count++] = v;
    return true;
}

/* The second variable of a range may follow; everything else behind a comma is an error. */
static bool second_follows(struct parser *p, const struct node *pipe, const char *context)
{
    enum token_type type = parser_peek_word(p).type;
    bool is_range = str_eq(str_from(context), STR("range"));
    if (is_range && pipe->pipe.variable_count < 2) {
        if (type == TOKEN_VARIABLE || type == TOKEN_RIGHT_DELIM || type == TOKEN_RIGHT_PAREN)
            return true;
        template_parser_fail(p, ERR_INVALID, "range can only initialize variables");
    }
    template_parser_fail(p, ERR_INVALID, "too many declarations in %s", context);
    return false;
}

/* "$a :=", "$a =" or "$i, $v :=" at the front of a pipeline. False after an error. */
static bool parse_variables(struct parser *p, struct node *pipe, const char *context)
{
    while (parser_peek_word(p).type == TOKEN_VARIABLE) {
        struct token variable = parser_next_word(p);
        struct token after = template_parser_peek(p); /* maybe a blank, which is needed again */
        struct token next = parser_peek_word(p);
        if (next.type == TOKEN_ASSIGN || next.type == TOKEN_DECLARE) {
            pipe->pipe.is_assign = next.type == TOKEN_ASSIGN;
            (void)parser_next_word(p);
            return add_variable(p, pipe, variable);
        }
        if (next.type == TOKEN_CHAR && str_eq(next.text, STR(","))) {
            (void)parser_next_word(p);
            if (!add_variable(p, pipe, variable) || !second_follows(p, pipe, context))
                return false;
            continue;
        }
        bool blank = after.type == TOKEN_SPACE; /* back to before the variable */
        p->tokens[1] = blank ? after : variable;
        p->tokens[2] = variable;
        p->peeked = blank ? 3 : 2;
        return true;
    }
    return true;
}

static bool starts_operand(enum token_type type)
{
    static const bool STARTS[TOKEN_WITH + 1] = {
        [TOKEN_BOOL] = true,   [TOKEN_CHAR_CONSTANT] = true, [TOKEN_COMPLEX] = true,
        [TOKEN_DOT] = true,    [TOKEN_FIELD] = true,         [TOKEN_IDENTIFIER] = true,
        [TOKEN_NUMBER] = true, [TOKEN_NIL] = true,           [TOKEN_RAW_STRING] = true,
        [TOKEN_STRING] = true, [TOKEN_VARIABLE] = true,      [TOKEN_LEFT_PAREN] = true};
    return STARTS[type];
}

static struct node *function_term(struct parser *p, struct token t)
{
    bool is_builtin;
    if (template_func_any(p->set->funcs, t.text, &is_builtin) == NULL) {
        char quoted[QUOTE_TEXT_SIZE];
        quote_text(t.text, quoted);
        template_parser_fail(p, ERR_INVALID, "function %s not defined", quoted);
        return NULL;
    }
    struct node *n = template_parser_node(p, NODE_IDENTIFIER, t.pos);
    if (n != NULL)
        n->text = t.text;
    return n;
}

static struct node *variable_term(struct parser *p, struct token t)
{
    for (uint32_t i = 0; i < p->variable_count; i++)
        if (str_eq(p->variables[i], t.text))
            return path_node(p, NODE_VARIABLE, t);
    char quoted[QUOTE_TEXT_SIZE];
    quote_text(t.text, quoted);
    template_parser_fail(p, ERR_INVALID, "undefined variable %s", quoted);
    return NULL;
}

static struct node *number_term(struct parser *p, struct token t)
{
    struct diag d = {0};
    struct node *n = template_parser_node(p, NODE_NUMBER, t.pos);
    if (n == NULL)
        return NULL;
    n->constant.source = t.text;
    err e = t.type == TOKEN_COMPLEX
                ? diag_set(&d, ERR_UNSUPPORTED, "complex numbers are not supported: " STR_FMT,
                           STR_ARG(t.text))
                : number_constant(t.text, t.type == TOKEN_CHAR_CONSTANT, &n->constant.number, &d);
    if (e != OK)
        template_parser_fail(p, ERR_INVALID, "%s", d.text);
    return n;
}

static struct node *string_term(struct parser *p, struct token t)
{
    struct node *n = template_parser_node(p, NODE_STRING, t.pos);
    if (n != NULL) {
        n->constant.source = t.text;
        n->constant.value = parser_string(p, t);
    }
    return n;
}

static struct node *paren_term(struct parser *p)
{
    if (!template_parser_enter(p, "max expression depth exceeded"))
        return NULL;
    struct node *n = parse_pipeline(p, "parenthesized pipeline", TOKEN_RIGHT_PAREN);
    template_parser_leave(p);
    return n;
}

/* One operand without the fields behind it; NULL when none stands here (the token comes again). */
static struct node *parse_term(struct parser *p)
{
    struct token t = parser_next_word(p);
    struct node *n;
    if (t.type == TOKEN_IDENTIFIER)
        return function_term(p, t);
    if (t.type == TOKEN_VARIABLE)
        return variable_term(p, t);
    if (t.type == TOKEN_FIELD)
        return path_node(p, NODE_FIELD, t);
    if (t.type == TOKEN_STRING || t.type == TOKEN_RAW_STRING)
        return string_term(p, t);
    if (t.type == TOKEN_LEFT_PAREN)
        return paren_term(p);
    if (t.type == TOKEN_DOT || t.type == TOKEN_NIL)
        return template_parser_node(p, t.type == TOKEN_DOT ? NODE_DOT : NODE_NIL, t.pos);
    if (t.type == TOKEN_BOOL) {
        n = template_parser_node(p, NODE_BOOL, t.pos);
        if (n != NULL)
            n->truth = str_eq(t.text, STR("true"));
        return n;
    }
    if (t.type == TOKEN_NUMBER || t.type == TOKEN_COMPLEX || t.type == TOKEN_CHAR_CONSTANT)
        return number_term(p, t);
    parser_back(p);
    return NULL;
}

/* Fields behind a term: they extend a field or variable, and make a chain of others. */
static struct node *parse_fields(struct parser *p, struct node *term)
{
    uint32_t pos = template_parser_peek(p).pos;
    struct node *n = term;
    if (term->type == NODE_BOOL || term->type == NODE_STRING || term->type == NODE_NUMBER ||
        term->type == NODE_NIL || term->type == NODE_DOT) {
        struct buf b = {0};
        char quoted[QUOTE_TEXT_SIZE];
        while (template_parser_peek(p).type == TOKEN_FIELD) /* Go has read them before it says so */
            (void)parser_next(p);
        node_print(term, QUOTE_TEXT_SIZE, &b);
        quote_text(buf_str(&b), quoted);
        template_parser_fail(p, ERR_INVALID, "unexpected . after term %s", quoted);
        buf_fini(&b);
        return NULL;
    }
    if (term->type != NODE_FIELD && term->type != NODE_VARIABLE) {
        n = template_parser_node(p, NODE_CHAIN, pos);
        if (n == NULL)
            return NULL;
        n->path.term = term;
    }
    n->pos = pos;
    while (template_parser_peek(p).type == TOKEN_FIELD) {
        struct token t = parser_next(p);
        if (!add_name(p, n, (str){t.text.ptr + 1, t.text.len - 1}))
            return NULL;
    }
    return n;
}

/* Operands up to a pipe or the end. NULL after an error. */
static struct node *parse_command(struct parser *p)
{
    struct node *cmd = template_parser_node(p, NODE_COMMAND, parser_peek_word(p).pos);
    while (cmd != NULL && p->failed == OK) {
        (void)parser_peek_word(p);
        struct node *n = parse_term(p);
        if (n != NULL && p->failed == OK && template_parser_peek(p).type == TOKEN_FIELD)
            n = parse_fields(p, n);
        if (p->failed != OK)
            return NULL;
        if (n != NULL)
            list_append(cmd, n);
        struct token t = parser_next(p);
        if (t.type == TOKEN_SPACE)
            continue;
        if (t.type == TOKEN_RIGHT_DELIM || t.type == TOKEN_RIGHT_PAREN)
            parser_back(p);
        else if (t.type != TOKEN_PIPE)
            template_parser_unexpected(p, t, "operand");
        break;
    }
    if (cmd != NULL && cmd->list.count == 0)
        template_parser_fail(p, ERR_INVALID, "empty command");
    return p->failed == OK ? cmd : NULL;
}

static void append_command(struct node *pipe, struct node *cmd)
{
    if (pipe->pipe.commands == NULL)
        pipe->pipe.commands = cmd;
    else
        pipe->pipe.last_command->next = cmd;
    pipe->pipe.last_command = cmd;
}

/* A value can only stand first: later stages get an argument, so they must be callable. */
static void check_pipeline(struct parser *p, const struct node *pipe, const char *context)
{
    if (pipe->pipe.commands == NULL) {
        template_parser_fail(p, ERR_INVALID, "missing value for %s", context);
        return;
    }
    unsigned stage = 2;
    for (const struct node *c = pipe->pipe.commands->next; c != NULL; c = c->next, stage++) {
        enum node_type type = c->list.first->type;
        if (type == NODE_BOOL || type == NODE_DOT || type == NODE_NIL || type == NODE_NUMBER ||
            type == NODE_STRING)
            template_parser_fail(p, ERR_INVALID, "non executable command in pipeline stage %u",
                                 stage);
    }
}

struct node *parse_pipeline(struct parser *p, const char *context, enum token_type end)
{
    struct node *pipe = template_parser_node(p, NODE_PIPE, parser_peek_word(p).pos);
    if (pipe == NULL || !parse_variables(p, pipe, context))
        return NULL;
    for (;;) {
        struct token t = parser_next_word(p);
        if (t.type == end) {
            check_pipeline(p, pipe, context);
            break;
        }
        if (!starts_operand(t.type)) {
            template_parser_unexpected(p, t, context);
            break;
        }
        parser_back(p);
        struct node *cmd = parse_command(p);
        if (cmd == NULL)
            return NULL;
        append_command(pipe, cmd);
    }
    return p->failed == OK ? pipe : NULL;
}
