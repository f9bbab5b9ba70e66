/* template_parse.c -- actions and what stands between them, to nodes: recursive descent, as
 * text/template/parse words its errors. Pipelines: template_pipeline.c. */
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "query/quote.h"
#include "rules/template_parse.h"

static struct node *parse_list(struct parser *p, struct node **end);
static struct node *parse_if(struct parser *p);
static struct node *parse_with(struct parser *p);

struct token parser_next(struct parser *p)
{
    if (p->peeked > 0)
        p->peeked--;
    else
        p->tokens[0] = template_lexer_next(&p->lexer);
    return p->tokens[p->peeked];
}

void parser_back(struct parser *p)
{
    p->peeked++;
}

struct token template_parser_peek(struct parser *p)
{
    struct token t = parser_next(p);
    parser_back(p);
    return t;
}

struct token parser_next_word(struct parser *p)
{
    struct token t;
    do
        t = parser_next(p);
    while (t.type == TOKEN_SPACE);
    return t;
}

struct token parser_peek_word(struct parser *p)
{
    struct token t = parser_next_word(p);
    parser_back(p);
    return t;
}

void template_parser_fail(struct parser *p, err e, const char *format, ...)
{
    if (p->failed != OK)
        return;
    p->failed = e;
    char words[DIAG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    const struct token *t = &p->tokens[0];
    size_t end = t->type == TOKEN_ERROR ? t->pos : t->pos + t->text.len;
    (void)diag_at(p->diag, t->pos, end, e, "template: " STR_FMT ":%u: %s", STR_ARG(p->source->name),
                  t->line, words);
}

/* A token as error messages show it: quoted and cut, keywords in angle brackets. */
static void token_print(struct token t, char *out, size_t size)
{
    char quoted[QUOTE_TEXT_SIZE];
    if (t.type == TOKEN_EOF) {
        (void)snprintf(out, size, "EOF");
    } else if (t.type > TOKEN_KEYWORD) {
        (void)snprintf(out, size, "<" STR_FMT ">", STR_ARG(t.text));
    } else {
        bool cut = t.text.len > 10;
        quote_start(t.text, cut ? 10 : t.text.len, quoted);
        (void)snprintf(out, size, "%s%s", quoted, cut ? "..." : "");
    }
}

void template_parser_unexpected(struct parser *p, struct token t, const char *context)
{
    char text[QUOTE_TEXT_SIZE + 8], started[128] = "";
    if (t.type != TOKEN_ERROR) {
        token_print(t, text, sizeof(text));
        template_parser_fail(p, ERR_INVALID, "unexpected %s in %s", text, context);
        return;
    }
    if (p->action_line != 0 && p->action_line != t.line)
        (void)snprintf(started, sizeof(started), "%s started at %.*s:%u",
                       str_ends(t.text, STR(" action")) ? "" : " in action",
                       (int)MIN(p->source->name.len, 80), p->source->name.ptr, p->action_line);
    template_parser_fail(p, ERR_INVALID, STR_FMT "%s", STR_ARG(t.text), started);
}

struct token parser_expect(struct parser *p, enum token_type type, const char *context)
{
    struct token t = parser_next_word(p);
    if (t.type != type)
        template_parser_unexpected(p, t, context);
    return t;
}

struct node *template_parser_node(struct parser *p, enum node_type type, uint32_t pos)
{
    struct node *n = ARENA_NEW(&p->set->arena, struct node);
    if (n == NULL) {
        template_parser_fail(p, ERR_LIMIT, "parsed templates need more than %d bytes",
                             TEMPLATE_SET_BYTES_MAX);
        return NULL;
    }
    n->type = type;
    n->pos = pos;
    return n;
}

void list_append(struct node *list, struct node *n)
{
    if (list->list.first == NULL)
        list->list.first = n;
    else
        list->list.last->next = n;
    list->list.last = n;
    list->list.count++;
}

bool template_parser_enter(struct parser *p, const char *words)
{
    if (p->nesting >= TEMPLATE_NESTING_MAX) {
        template_parser_fail(p, ERR_LIMIT, "%s", words);
        return false;
    }
    p->nesting++;
    return true;
}

void template_parser_leave(struct parser *p)
{
    p->nesting--;
}

str parser_string(struct parser *p, struct token t)
{
    str value = STR("");
    err e = go_unquote(t.text, &p->set->arena, &value);
    if (e != OK)
        template_parser_fail(p, e, "%s", e == ERR_LIMIT ? "string too long" : "invalid syntax");
    return value;
}

/* A name behind `define`, `template` or `block`. */
static str parse_name(struct parser *p, struct token *t, const char *context)
{
    *t = parser_next_word(p);
    if (t->type == TOKEN_STRING || t->type == TOKEN_RAW_STRING)
        return parser_string(p, *t);
    template_parser_unexpected(p, *t, context);
    return STR("");
}

/* The set's template gets this body, unless it would replace one by nothing. */
static void define(struct parser *p, str name, struct node *body)
{
    struct template *t = p->failed == OK ? template_add(p->set, name) : NULL;
    if (t == NULL) {
        template_parser_fail(p, ERR_LIMIT, "too many templates");
        return;
    }
    if (t->body != NULL && node_is_empty(body))
        return;
    if (t->body != NULL && t->source == p->source && !node_is_empty(t->body)) {
        char quoted[QUOTE_TEXT_SIZE];
        quote_text(name, quoted);
        template_parser_fail(p, ERR_INVALID, "template: multiple definition of template %s",
                             quoted);
        return;
    }
    t->body = body;
    t->source = p->source;
}

/* The body of a definition up to its {{end}}: variables of the outside are not seen. */
static void parse_body(struct parser *p, str name, const char *context)
{
    if (!template_parser_enter(p, "actions are nested too deep"))
        return;
    str outer_variable = p->variables[0];
    str *outer = p->variables;
    uint32_t outer_count = p->variable_count, outer_cap = p->variable_cap;
    unsigned outer_ranges = p->range_depth;
    str own[1] = {outer_variable};
    p->variables = own;
    p->variable_count = p->variable_cap = 1;
    p->range_depth = 0;
    struct node *end = NULL;
    struct node *body = parse_list(p, &end);
    if (body != NULL && end->type != NODE_END)
        template_parser_fail(p, ERR_INVALID, "unexpected {{else}} in %s", context);
    p->variables = outer;
    p->variable_count = outer_count;
    p->variable_cap = outer_cap;
    p->range_depth = outer_ranges;
    template_parser_leave(p);
    if (body != NULL && p->failed == OK)
        define(p, name, body);
}

static void parse_define(struct parser *p)
{
    struct token t;
    str name = parse_name(p, &t, "define clause");
    if (p->failed == OK)
        (void)parser_expect(p, TOKEN_RIGHT_DELIM, "define clause");
    if (p->failed == OK)
        parse_body(p, name, "define clause");
}

static struct node *template_node(struct parser *p, struct token t, str name, struct node *pipe)
{
    struct node *n = template_parser_node(p, NODE_TEMPLATE, t.pos);
    if (n != NULL) {
        n->call.name = name;
        n->call.pipe = pipe;
    }
    return n;
}

static struct node *parse_block(struct parser *p)
{
    struct token t;
    str name = parse_name(p, &t, "block clause");
    struct node *pipe =
        p->failed == OK ? parse_pipeline(p, "block clause", TOKEN_RIGHT_DELIM) : NULL;
    if (pipe == NULL)
        return NULL;
    parse_body(p, name, "block clause");
    return template_node(p, t, name, pipe);
}

static struct node *parse_template(struct parser *p)
{
    struct token t;
    str name = parse_name(p, &t, "template clause");
    struct node *pipe = NULL;
    if (p->failed != OK)
        return NULL;
    if (parser_next_word(p).type != TOKEN_RIGHT_DELIM) {
        parser_back(p);
        pipe = parse_pipeline(p, "template clause", TOKEN_RIGHT_DELIM);
        if (pipe == NULL)
            return NULL;
    }
    return template_node(p, t, name, pipe);
}

/* What follows {{else}}: another `if` or `with` of the same kind, or the rest up to {{end}}. */
static struct node *parse_otherwise(struct parser *p, enum node_type type, struct node *otherwise)
{
    bool chained = (type == NODE_IF && template_parser_peek(p).type == TOKEN_IF) ||
                   (type == NODE_WITH && template_parser_peek(p).type == TOKEN_WITH);
    struct node *list, *end = NULL;
    if (!chained) {
        list = parse_list(p, &end);
        if (list != NULL && end->type != NODE_END)
            template_parser_fail(p, ERR_INVALID, "expected end; found {{else}}");
        return list;
    }
    (void)parser_next(p);
    list = template_parser_node(p, NODE_LIST, otherwise->pos);
    struct node *inner = list == NULL ? NULL : type == NODE_IF ? parse_if(p) : parse_with(p);
    if (inner != NULL)
        list_append(list, inner);
    return inner != NULL ? list : NULL;
}

static struct node *parse_branches(struct parser *p, enum node_type type, const char *context)
{
    struct node *pipe = parse_pipeline(p, context, TOKEN_RIGHT_DELIM), *end = NULL;
    if (pipe == NULL)
        return NULL;
    p->range_depth += type == NODE_RANGE;
    struct node *body = parse_list(p, &end);
    p->range_depth -= type == NODE_RANGE;
    struct node *otherwise = NULL;
    if (body != NULL && end->type == NODE_ELSE)
        otherwise = parse_otherwise(p, type, end);
    if (p->failed != OK)
        return NULL;
    struct node *n = template_parser_node(p, type, pipe->pos);
    if (n != NULL) {
        n->control.pipe = pipe;
        n->control.body = body;
        n->control.otherwise = otherwise;
    }
    return n;
}

static struct node *parse_control(struct parser *p, enum node_type type, const char *context)
{
    uint32_t variables = p->variable_count;
    if (!template_parser_enter(p, "actions are nested too deep"))
        return NULL;
    struct node *n = parse_branches(p, type, context);
    template_parser_leave(p);
    p->variable_count = variables;
    return n;
}

static struct node *parse_if(struct parser *p)
{
    return parse_control(p, NODE_IF, "if");
}

static struct node *parse_with(struct parser *p)
{
    return parse_control(p, NODE_WITH, "with");
}

static struct node *parse_range(struct parser *p)
{
    return parse_control(p, NODE_RANGE, "range");
}

static struct node *parse_else(struct parser *p)
{
    struct token t = parser_peek_word(p);
    if (t.type != TOKEN_IF && t.type != TOKEN_WITH)
        t = parser_expect(p, TOKEN_RIGHT_DELIM, "else");
    return template_parser_node(p, NODE_ELSE, t.pos);
}

static struct node *parse_end(struct parser *p)
{
    struct token t = parser_expect(p, TOKEN_RIGHT_DELIM, "end");
    return template_parser_node(p, NODE_END, t.pos);
}

static struct node *parse_jump(struct parser *p, enum node_type type, const char *name)
{
    uint32_t pos = p->tokens[0].pos;
    struct token t = parser_next_word(p);
    if (t.type != TOKEN_RIGHT_DELIM)
        template_parser_unexpected(p, t, name);
    if (p->range_depth == 0)
        template_parser_fail(p, ERR_INVALID, "%s outside {{range}}", name);
    return template_parser_node(p, type, pos);
}

static struct node *parse_break(struct parser *p)
{
    return parse_jump(p, NODE_BREAK, "{{break}}");
}

static struct node *parse_continue(struct parser *p)
{
    return parse_jump(p, NODE_CONTINUE, "{{continue}}");
}

static struct node *parse_action(struct parser *p)
{
    static struct node *(*const PARSERS[TOKEN_WITH + 1])(struct parser *) = {
        [TOKEN_BLOCK] = parse_block,       [TOKEN_BREAK] = parse_break,
        [TOKEN_CONTINUE] = parse_continue, [TOKEN_ELSE] = parse_else,
        [TOKEN_END] = parse_end,           [TOKEN_IF] = parse_if,
        [TOKEN_RANGE] = parse_range,       [TOKEN_TEMPLATE] = parse_template,
        [TOKEN_WITH] = parse_with};
    struct token t = parser_next_word(p);
    if (PARSERS[t.type] != NULL)
        return PARSERS[t.type](p);
    parser_back(p);
    uint32_t pos = template_parser_peek(p).pos;
    struct node *pipe = parse_pipeline(p, "command", TOKEN_RIGHT_DELIM);
    struct node *n = pipe != NULL ? template_parser_node(p, NODE_ACTION, pos) : NULL;
    if (n != NULL)
        n->control.pipe = pipe;
    return n;
}

/* The next piece of text or action; NULL after an error. */
static struct node *parse_piece(struct parser *p)
{
    struct token t = parser_next_word(p);
    struct node *n = NULL;
    if (t.type == TOKEN_TEXT) {
        n = template_parser_node(p, NODE_TEXT, t.pos);
        if (n != NULL)
            n->text = t.text;
    } else if (t.type == TOKEN_LEFT_DELIM) {
        p->action_line = t.line;
        n = parse_action(p);
        p->action_line = 0;
    } else {
        template_parser_unexpected(p, t, "input");
    }
    return p->failed == OK ? n : NULL;
}

/* Pieces up to {{end}} or {{else}}, which goes to `end`. NULL after an error. */
static struct node *parse_list(struct parser *p, struct node **end)
{
    struct node *list = template_parser_node(p, NODE_LIST, parser_peek_word(p).pos);
    while (list != NULL && p->failed == OK && parser_peek_word(p).type != TOKEN_EOF) {
        struct node *n = parse_piece(p);
        if (n == NULL)
            return NULL;
        if (n->type == NODE_END || n->type == NODE_ELSE) {
            *end = n;
            return list;
        }
        list_append(list, n);
    }
    template_parser_fail(p, ERR_INVALID, "unexpected EOF");
    return NULL;
}

/* At "{{": is it a definition? Then it is parsed. */
static bool parse_definition(struct parser *p)
{
    struct token delim = parser_next(p);
    if (parser_next_word(p).type == TOKEN_DEFINE) {
        parse_define(p);
        return true;
    }
    p->tokens[1] = delim; /* what came behind it stays in [0] */
    p->peeked = 2;
    return false;
}

static struct node *parse_all(struct parser *p)
{
    struct node *list = template_parser_node(p, NODE_LIST, template_parser_peek(p).pos);
    while (list != NULL && p->failed == OK && template_parser_peek(p).type != TOKEN_EOF) {
        if (template_parser_peek(p).type == TOKEN_LEFT_DELIM && parse_definition(p))
            continue;
        struct node *n = parse_piece(p);
        if (n == NULL)
            return NULL;
        if (n->type == NODE_END || n->type == NODE_ELSE)
            template_parser_fail(p, ERR_INVALID, "unexpected %s",
                                 n->type == NODE_END ? "{{end}}" : "{{else}}");
        else
            list_append(list, n);
    }
    return list;
}

static struct source *copy_source(struct arena *a, str name, str text)
{
    struct source *s = ARENA_NEW(a, struct source);
    if (s == NULL)
        return NULL;
    s->name = arena_str(a, name);
    s->text = arena_str(a, text);
    return s->name.ptr != NULL && s->text.ptr != NULL ? s : NULL;
}

err template_parse(struct template_set *set, str name, str text, struct diag *d)
{
    if (text.len > TEMPLATE_TEXT_BYTES_MAX)
        return diag_set(d, ERR_LIMIT, "template: " STR_FMT ": longer than %d bytes", STR_ARG(name),
                        TEMPLATE_TEXT_BYTES_MAX);
    if (set->is_html)
        return diag_set(d, ERR_INVALID, "html/template: cannot Parse after Execute");
    struct source *source = copy_source(&set->arena, name, text);
    if (source == NULL)
        return diag_set(d, ERR_LIMIT, "template: " STR_FMT ": templates need more than %d bytes",
                        STR_ARG(name), TEMPLATE_SET_BYTES_MAX);
    str dollar[1] = {STR("$")};
    struct parser p = {.set = set,
                       .source = source,
                       .diag = d,
                       .variables = dollar,
                       .variable_count = 1,
                       .variable_cap = 1};
    template_lexer_init(&p.lexer, source->text);
    struct node *body = parse_all(&p);
    if (p.failed == OK && body != NULL)
        define(&p, source->name, body);
    return p.failed;
}
