/* parser.c -- see parser.h. Precedence climbing over the tokens; one function a rule. */
#include "query/parser.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "query/parser_priv.h"
#include "query/quote.h"

enum { TOKENS_PER_POLL = 256 };

err parser_poll(struct parser *p)
{
    const struct promql_options *o = p->options;
    if (o->canceled != NULL && atomic_load_explicit(o->canceled, memory_order_relaxed))
        return ERR_CANCELED;
    if (o->deadline_mono_ns != 0 && clock_mono_ns() >= o->deadline_mono_ns)
        return ERR_TIMEOUT;
    return OK;
}

enum token_type parser_peek(struct parser *p)
{
    if (p->peeked)
        return p->token.type;
    p->peeked = true;
    if (p->token_count++ % TOKENS_PER_POLL == 0)
        p->interrupted = parser_poll(p);
    if (p->interrupted == OK)
        p->token = lexer_next(&p->lexer);
    else
        p->token.type = TOKEN_ERROR;
    return p->token.type;
}

struct token parser_take(struct parser *p)
{
    ASSERT(p->peeked);
    ASSERT(p->token.type != TOKEN_ERROR);
    p->peeked = false;
    p->last_end = p->token.end;
    return p->token;
}

bool parser_accept(struct parser *p, enum token_type type)
{
    if (parser_peek(p) != type)
        return false;
    (void)parser_take(p);
    return true;
}

str parser_text(const struct parser *p, struct token t)
{
    return (str){p->lexer.text.ptr + t.start, t.end - t.start};
}

err parser_fail(struct parser *p, size_t start, size_t end, const char *format, ...)
{
    char pos[EXPR_POS_SIZE], message[DIAG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    expr_pos_format(p->lexer.text, start, pos);
    return diag_at(p->diag, start, end, ERR_INVALID, "%s: parse error: %s", pos, message);
}

err parser_no_memory(struct parser *p)
{
    return diag_set(p->diag, ERR_LIMIT, "the query needs more than its memory limit of %zu bytes",
                    p->arena->budget_bytes);
}

void parser_describe(str text, struct token t, char *out, size_t size)
{
    enum { LONG = 10 }; /* bytes of a token that is shown in full */
    static const char *const KINDS[] = {
        [TOKEN_DURATION] = "duration ",
        [TOKEN_IDENTIFIER] = "identifier ",
        [TOKEN_METRIC_IDENTIFIER] = "metric identifier ",
        [TOKEN_NUMBER] = "number ",
        [TOKEN_STRING] = "string ",
    };
    char quoted[QUOTE_TEXT_SIZE];
    str s = {text.ptr + t.start, t.end - t.start};
    const char *kind = t.type < COUNT_OF(KINDS) && KINDS[t.type] != NULL ? KINDS[t.type] : "";
    bool named = t.type == TOKEN_IDENTIFIER || t.type == TOKEN_METRIC_IDENTIFIER;
    if (t.type == TOKEN_END) {
        (void)snprintf(out, size, "end of input");
    } else if (token_is_keyword(t.type)) {
        (void)snprintf(out, size, "<" STR_FMT ">", STR_ARG(s));
    } else if (token_is_operator(t.type)) {
        (void)snprintf(out, size, "<op:" STR_FMT ">", STR_ARG(s));
    } else if (token_is_aggregation(t.type)) {
        (void)snprintf(out, size, "<aggr:" STR_FMT ">", STR_ARG(s));
    } else if (s.len > LONG && !named) {
        quote_start(s, LONG, quoted);
        (void)snprintf(out, size, "%s%s...", kind, quoted);
    } else {
        quote_text(s, quoted);
        (void)snprintf(out, size, "%s%s", kind, quoted);
    }
}

err parser_interrupted(struct parser *p, err e)
{
    return diag_set(p->diag, e, "query %s in query parsing",
                    e == ERR_TIMEOUT ? "timed out" : "was canceled");
}

err parser_unexpected(struct parser *p, const char *context, const char *expected)
{
    if (parser_peek(p) == TOKEN_ERROR && p->interrupted != OK)
        return parser_interrupted(p, p->interrupted);
    if (p->token.type == TOKEN_ERROR)
        return parser_fail(p, p->token.start, p->token.end, "%s", p->lexer.error);
    if (context == NULL && p->in_aggregation)
        context = "aggregation";
    char token[QUOTE_TEXT_SIZE + 64];
    parser_describe(p->lexer.text, p->token, token, sizeof(token));
    return parser_fail(p, p->token.start, p->token.end, "unexpected %s%s%s%s%s", token,
                       context != NULL ? " in " : "", context != NULL ? context : "",
                       expected != NULL ? ", expected " : "", expected != NULL ? expected : "");
}

static err too_deep(struct parser *p, size_t start, size_t end)
{
    return parser_fail(p, start, end, "query is nested deeper than %d levels", PROMQL_DEPTH_MAX);
}

err parser_enter(struct parser *p)
{
    if (p->depth == PROMQL_DEPTH_MAX)
        return too_deep(p, p->last_end, p->last_end);
    p->depth++;
    return OK;
}

void parser_leave(struct parser *p)
{
    p->depth--;
}

err parser_raise(struct parser *p, struct expr *e, const struct expr *child)
{
    if (child == NULL || child->height < e->height)
        return OK;
    e->height = child->height + 1;
    return e->height > EXPR_HEIGHT_MAX ? too_deep(p, e->start, e->end) : OK;
}

err parser_node(struct parser *p, enum expr_kind kind, uint32_t start, uint32_t end,
                const struct expr *child, const struct expr *other, struct expr **out)
{
    struct expr *e = ARENA_NEW(p->arena, struct expr);
    if (e == NULL)
        return parser_no_memory(p);
    e->kind = kind;
    e->start = start;
    e->end = end;
    e->height = 1;
    TRY(parser_raise(p, e, child));
    TRY(parser_raise(p, e, other));
    *out = e;
    return OK;
}

void *parser_push(struct parser *p, struct list *l, size_t size)
{
    enum { FIRST = 4 };
    if (l->count == l->cap) {
        size_t cap = l->cap > 0 ? l->cap * 2 : FIRST;
        void *items = arena_grow(p->arena, l->items, l->count, cap, size);
        if (items == NULL)
            return NULL;
        l->items = items;
        l->cap = cap;
    }
    return (char *)l->items + l->count++ * size;
}

static err parse_paren(struct parser *p, struct expr **out)
{
    struct token open = parser_take(p);
    struct expr *inner, *e;
    TRY(parse_expr(p, LEVEL_OR, &inner));
    if (!parser_accept(p, TOKEN_RIGHT_PAREN))
        return parser_unexpected(p, NULL, NULL);
    TRY(parser_node(p, EXPR_PAREN, open.start, p->last_end, inner, NULL, &e));
    e->type = inner->type;
    e->paren = inner;
    *out = e;
    return OK;
}

static err parse_unary(struct parser *p, struct expr **out)
{
    struct token op = parser_take(p);
    struct expr *operand, *e;
    bool minus = op.type == TOKEN_SUB;
    TRY(parse_expr(p, LEVEL_POW, &operand));
    if (operand->kind == EXPR_NUMBER) { /* a signed literal */
        operand->number.value = minus ? -operand->number.value : operand->number.value;
        operand->start = op.start;
        *out = operand;
        return OK;
    }
    TRY(parser_node(p, EXPR_UNARY, op.start, operand->end, operand, NULL, &e));
    e->type = operand->type;
    e->unary = (struct expr_unary){minus, operand};
    *out = e;
    return OK;
}

static err parse_string_literal(struct parser *p, struct expr **out)
{
    struct token t = parser_take(p);
    struct expr *e;
    TRY(parser_node(p, EXPR_STRING, t.start, t.end, NULL, NULL, &e));
    e->type = VALUE_STRING;
    TRY(parse_string(p, t, &e->string));
    *out = e;
    return OK;
}

/* A word: a call, an aggregation or the name of a metric. */
static err parse_word(struct parser *p, struct expr **out)
{
    struct token word = parser_take(p);
    enum token_type next = parser_peek(p);
    bool callable = word.type == TOKEN_IDENTIFIER || word.type >= TOKEN_END_WORD;
    if (callable && next == TOKEN_LEFT_PAREN)
        return parse_call(p, word, out);
    if (token_is_aggregation(word.type) &&
        (next == TOKEN_LEFT_PAREN || next == TOKEN_BY || next == TOKEN_WITHOUT))
        return parse_aggregate(p, word, out);
    return parse_vector_selector(p, &word, out);
}

static err parse_primary(struct parser *p, struct expr **out)
{
    enum token_type t = parser_peek(p);
    if (t == TOKEN_NUMBER || t == TOKEN_DURATION)
        return parse_number(p, out);
    if (t == TOKEN_STRING)
        return parse_string_literal(p, out);
    if (t == TOKEN_LEFT_PAREN)
        return parse_paren(p, out);
    if (t == TOKEN_LEFT_BRACE)
        return parse_vector_selector(p, NULL, out);
    if (token_is_metric_name(t))
        return parse_word(p, out);
    return parser_unexpected(p, NULL, NULL);
}

/* anchored or smoothed after `e`; the keyword was taken. */
static err set_extended(struct parser *p, struct expr *e, bool anchored)
{
    const char *name = anchored ? "anchored" : "smoothed";
    struct expr *selector = e->kind == EXPR_MATRIX ? e->matrix.selector : e;
    if (!p->options->extended_range_selectors)
        return parser_fail(p, e->start, e->end, "%s modifier is experimental and not enabled",
                           name);
    if (e->kind == EXPR_SUBQUERY)
        return parser_fail(p, e->start, e->end, "%s modifier is not supported for subqueries",
                           name);
    if (selector->kind != EXPR_VECTOR)
        return parser_fail(p, e->start, e->end, "%s modifier not implemented", name);
    selector->vector.anchored |= anchored;
    selector->vector.smoothed |= !anchored;
    if (selector->vector.anchored && selector->vector.smoothed)
        return parser_fail(p, e->start, e->end,
                           "anchored and smoothed modifiers cannot be used together");
    return OK;
}

/* What may stand behind an expression: [range], offset, @, anchored, smoothed; in any order. */
static err parse_postfix(struct parser *p, struct expr *e, struct expr **out)
{
    for (;;) {
        switch ((int)parser_peek(p)) {
        case TOKEN_LEFT_BRACKET:
            TRY(parse_brackets(p, e, &e));
            break;
        case TOKEN_OFFSET:
            (void)parser_take(p);
            TRY(parse_offset(p, e));
            break;
        case TOKEN_AT:
            (void)parser_take(p);
            TRY(parse_at(p, e));
            break;
        case TOKEN_ANCHORED:
        case TOKEN_SMOOTHED:
            TRY(set_extended(p, e, parser_take(p).type == TOKEN_ANCHORED));
            break;
        default:
            *out = e;
            return OK;
        }
    }
}

static err parse_operand(struct parser *p, struct expr **out)
{
    struct expr *e;
    enum token_type t = parser_peek(p);
    if (t == TOKEN_ADD || t == TOKEN_SUB)
        return parse_unary(p, out);
    TRY(parse_primary(p, &e));
    return parse_postfix(p, e, out);
}

struct operation {
    int level;
    enum binary_op op;
};

static struct operation operator_of(enum token_type t)
{
    static const struct operation OPERATORS[] = {
        [TOKEN_ADD] = {LEVEL_ADD, OP_ADD},
        [TOKEN_SUB] = {LEVEL_ADD, OP_SUB},
        [TOKEN_MUL] = {LEVEL_MUL, OP_MUL},
        [TOKEN_DIV] = {LEVEL_MUL, OP_DIV},
        [TOKEN_MOD] = {LEVEL_MUL, OP_MOD},
        [TOKEN_POW] = {LEVEL_POW, OP_POW},
        [TOKEN_ATAN2] = {LEVEL_MUL, OP_ATAN2},
        [TOKEN_EQ] = {LEVEL_COMPARE, OP_EQ},
        [TOKEN_NE] = {LEVEL_COMPARE, OP_NE},
        [TOKEN_LT] = {LEVEL_COMPARE, OP_LT},
        [TOKEN_LE] = {LEVEL_COMPARE, OP_LE},
        [TOKEN_GT] = {LEVEL_COMPARE, OP_GT},
        [TOKEN_GE] = {LEVEL_COMPARE, OP_GE},
        [TOKEN_TRIM_UPPER] = {LEVEL_COMPARE, OP_TRIM_UPPER},
        [TOKEN_TRIM_LOWER] = {LEVEL_COMPARE, OP_TRIM_LOWER},
        [TOKEN_AND] = {LEVEL_AND, OP_AND},
        [TOKEN_UNLESS] = {LEVEL_AND, OP_UNLESS},
        [TOKEN_OR] = {LEVEL_OR, OP_OR},
    };
    return t < COUNT_OF(OPERATORS) ? OPERATORS[t] : (struct operation){LEVEL_NONE, OP_ADD};
}

static err new_binary(struct parser *p, enum binary_op op, const struct binary_modifiers *mods,
                      struct expr *lhs, struct expr *rhs, struct expr **out)
{
    struct expr *e;
    bool fill = mods->matching.has_fill_lhs || mods->matching.has_fill_rhs;
    if (fill && !p->options->fill_modifiers) {
        if (parser_peek(p) == TOKEN_ERROR)
            return parser_unexpected(p, NULL, NULL);
        return parser_fail(p, lhs->start, rhs->end,
                           "binop fill modifiers are experimental and not enabled");
    }
    TRY(parser_node(p, EXPR_BINARY, lhs->start, rhs->end, lhs, rhs, &e));
    bool scalar = lhs->type == VALUE_SCALAR && rhs->type == VALUE_SCALAR;
    e->type = scalar ? VALUE_SCALAR : VALUE_VECTOR;
    e->binary =
        (struct expr_binary){.op = op, .return_bool = mods->return_bool, .lhs = lhs, .rhs = rhs};
    e->binary.matching = ARENA_NEW(p->arena, struct vector_matching);
    if (e->binary.matching == NULL)
        return parser_no_memory(p);
    *e->binary.matching = mods->matching;
    *out = e;
    return OK;
}

/* Operators of at least `level` to the right of `lhs`. */
static err parse_operators(struct parser *p, int level, struct expr *lhs, struct expr **out)
{
    for (;;) {
        struct operation o = operator_of(parser_peek(p));
        if (o.level == LEVEL_NONE || o.level < level) {
            *out = lhs;
            return OK;
        }
        struct binary_modifiers mods;
        struct expr *rhs;
        (void)parser_take(p);
        TRY(parse_binary_modifiers(p, &mods));
        TRY(parse_expr(p, o.level == LEVEL_POW ? LEVEL_POW : o.level + 1, &rhs));
        TRY(new_binary(p, o.op, &mods, lhs, rhs, &lhs));
    }
}

err parse_expr(struct parser *p, int level, struct expr **out)
{
    struct expr *e;
    TRY(parser_enter(p));
    TRY(parse_operand(p, &e));
    TRY(parse_operators(p, level, e, out));
    parser_leave(p);
    return OK;
}

static const struct promql_options DEFAULTS;

static err parser_init(struct parser *p, str text, const struct promql_options *options,
                       struct arena *a, struct diag *d)
{
    if (text.len > PROMQL_TEXT_SIZE_MAX)
        return diag_set(d, ERR_INVALID, "query of %zu bytes is longer than the limit of %d bytes",
                        text.len, PROMQL_TEXT_SIZE_MAX);
    *p = (struct parser){.options = options != NULL ? options : &DEFAULTS, .arena = a, .diag = d};
    lexer_init(&p->lexer, text);
    return OK;
}

/* Free what only a parser that gave up still owns. */
static void parser_fini(struct parser *p, bool failed)
{
    struct regex *re;
    for (size_t i = 0; failed && i < p->regexes.len; i += sizeof(re)) {
        memcpy(&re, p->regexes.ptr + i, sizeof(re));
        regex_close(re);
    }
    buf_fini(&p->regexes);
}

static err parse_whole(struct parser *p, struct expr **out)
{
    if (parser_peek(p) == TOKEN_END)
        return parser_fail(p, 0, 0, "no expression found in input");
    TRY(parse_expr(p, LEVEL_OR, out));
    if (parser_peek(p) != TOKEN_END)
        return parser_unexpected(p, NULL, NULL);
    return check_expr(p, *out);
}

err promql_parse(str text, const struct promql_options *options, struct arena *a, struct expr **out,
                 struct diag *d)
{
    struct parser p;
    struct expr *root = NULL;
    TRY(parser_init(&p, text, options, a, d));
    err e = parse_whole(&p, &root);
    parser_fini(&p, e != OK);
    if (e == OK)
        *out = root;
    return e;
}

static err parse_whole_selector(struct parser *p, struct expr **out)
{
    enum token_type t = parser_peek(p);
    if (t != TOKEN_LEFT_BRACE && !token_is_metric_name(t))
        return parser_unexpected(p, NULL, NULL);
    struct token name = {0};
    bool named = t != TOKEN_LEFT_BRACE;
    if (named)
        name = parser_take(p);
    TRY(parse_vector_selector(p, named ? &name : NULL, out));
    return parser_peek(p) == TOKEN_END ? OK : parser_unexpected(p, NULL, NULL);
}

err promql_parse_selector(str text, const struct promql_options *options, struct arena *a,
                          struct matcher **out, size_t *count, struct diag *d)
{
    struct parser p;
    struct expr *selector = NULL;
    TRY(parser_init(&p, text, options, a, d));
    err e = parse_whole_selector(&p, &selector);
    parser_fini(&p, e != OK);
    if (e == OK) {
        *out = selector->vector.matchers;
        *count = selector->vector.matcher_count;
    }
    return e;
}

void promql_selector_fini(struct matcher *matchers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        matcher_fini(&matchers[i]);
}

bool promql_selector_is_empty(const struct matcher *matchers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!matchers[i].matches_empty)
            return false;
    return true;
}
