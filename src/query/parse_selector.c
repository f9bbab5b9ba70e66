/* parse_selector.c -- selectors with their matchers, and lists of labels. */
#include "base/utf8.h"
#include "query/literal.h"
#include "query/parser_priv.h"
#include "query/quote.h"

static const char MATCHING[] = "label matching", GROUPING[] = "grouping opts";

err parse_string(struct parser *p, struct token t, str *out)
{
    char quoted[QUOTE_TEXT_SIZE];
    err e = literal_string(parser_text(p, t), p->arena, out);
    if (e == OK)
        return OK;
    if (e == ERR_LIMIT)
        return parser_no_memory(p);
    quote_text(parser_text(p, t), quoted);
    return parser_fail(p, t.start, t.end, "error unquoting string %s: invalid syntax", quoted);
}

/* A copy of a token's text that lives as long as the tree. */
static err copy_text(struct parser *p, struct token t, str *out)
{
    *out = arena_str(p->arena, parser_text(p, t));
    return out->ptr != NULL ? OK : parser_no_memory(p);
}

/* Append a matcher; [start, end) is where it stands in the query. */
static err add_matcher(struct parser *p, struct list *ms, enum matcher_type type, str name,
                       str value, uint32_t start, uint32_t end)
{
    struct diag why = {0};
    bool regex = type == MATCH_REGEX || type == MATCH_NOT_REGEX;
    if (++p->matcher_count > PROMQL_MATCHERS_MAX)
        return parser_fail(p, start, end, "query has more than the limit of %d label matchers",
                           PROMQL_MATCHERS_MAX);
    err e = regex ? parser_poll(p) : OK;
    if (e != OK)
        return parser_interrupted(p, e);
    struct matcher *m = parser_push(p, ms, sizeof(*m));
    if (m == NULL)
        return parser_no_memory(p);
    if (matcher_init(m, type, name, value, &why) != OK)
        return parser_fail(p, start, end, "%s", why.text);
    if (m->regex != NULL)
        buf_put(&p->regexes, &m->regex, sizeof(m->regex));
    return OK;
}

static bool matcher_type_of(enum token_type t, enum matcher_type *out)
{
    switch ((int)t) {
    case TOKEN_EQUAL:
        *out = MATCH_EQUAL;
        return true;
    case TOKEN_NE:
        *out = MATCH_NOT_EQUAL;
        return true;
    case TOKEN_REGEX:
        *out = MATCH_REGEX;
        return true;
    case TOKEN_NOT_REGEX:
        *out = MATCH_NOT_REGEX;
        return true;
    default:
        return false;
    }
}

/* label op "value", "label" op "value", or "metric" */
static err parse_matcher(struct parser *p, struct list *ms)
{
    enum matcher_type type;
    str name, value;
    enum token_type t = parser_peek(p);
    if (t != TOKEN_IDENTIFIER && t != TOKEN_STRING)
        return parser_unexpected(p, MATCHING, "identifier or \"}\"");
    struct token label = parser_take(p);
    if (t == TOKEN_STRING)
        TRY(parse_string(p, label, &name));
    else
        TRY(copy_text(p, label, &name));
    if (!matcher_type_of(parser_peek(p), &type)) {
        if (t == TOKEN_IDENTIFIER)
            return parser_unexpected(p, MATCHING, "label matching operator");
        return add_matcher(p, ms, MATCH_EQUAL, LABEL_NAME, name, label.start, label.end);
    }
    (void)parser_take(p);
    if (parser_peek(p) != TOKEN_STRING)
        return parser_unexpected(p, MATCHING, "string");
    struct token text = parser_take(p);
    TRY(parse_string(p, text, &value));
    return add_matcher(p, ms, type, name, value, label.start, text.end);
}

/* "{" [matcher {"," matcher} [","]] "}" */
static err parse_matchers(struct parser *p, struct list *ms)
{
    (void)parser_take(p);
    while (!parser_accept(p, TOKEN_RIGHT_BRACE)) {
        TRY(parse_matcher(p, ms));
        if (parser_accept(p, TOKEN_RIGHT_BRACE))
            return OK;
        if (!parser_accept(p, TOKEN_COMMA))
            return parser_unexpected(p, MATCHING, "\",\" or \"}\"");
    }
    return OK;
}

err parse_vector_selector(struct parser *p, const struct token *name, struct expr **out)
{
    struct list ms = {0};
    str metric = STR("");
    uint32_t start = name != NULL ? name->start : 0;
    struct expr *e;
    if (name != NULL)
        TRY(copy_text(p, *name, &metric));
    if (parser_peek(p) == TOKEN_LEFT_BRACE) {
        start = name != NULL ? start : p->token.start;
        TRY(parse_matchers(p, &ms));
    }
    if (name != NULL)
        TRY(add_matcher(p, &ms, MATCH_EQUAL, LABEL_NAME, metric, name->start, name->end));
    TRY(parser_node(p, EXPR_VECTOR, start, p->last_end, NULL, NULL, &e));
    e->type = VALUE_VECTOR;
    e->vector =
        (struct expr_vector){.name = metric, .matchers = ms.items, .matcher_count = ms.count};
    *out = e;
    return OK;
}

static err parse_label(struct parser *p, str *out)
{
    enum token_type t = parser_peek(p);
    if (t != TOKEN_STRING && !token_is_label_name(t))
        return parser_unexpected(p, GROUPING, "label");
    struct token label = parser_take(p);
    if (t == TOKEN_STRING)
        TRY(parse_string(p, label, out));
    else
        TRY(copy_text(p, label, out));
    if (out->len > 0 && utf8_valid(*out))
        return OK;
    char quoted[QUOTE_TEXT_SIZE];
    quote_text(*out, quoted);
    return parser_fail(p, label.start, label.end, "invalid label name for grouping: %s", quoted);
}

err parse_labels(struct parser *p, struct label_list *out)
{
    struct list names = {0};
    str name, *slot;
    if (!parser_accept(p, TOKEN_LEFT_PAREN))
        return parser_unexpected(p, GROUPING, "\"(\"");
    while (!parser_accept(p, TOKEN_RIGHT_PAREN)) {
        TRY(parse_label(p, &name));
        if ((slot = parser_push(p, &names, sizeof(name))) == NULL)
            return parser_no_memory(p);
        *slot = name;
        if (parser_accept(p, TOKEN_RIGHT_PAREN))
            break;
        if (!parser_accept(p, TOKEN_COMMA))
            return parser_unexpected(p, GROUPING, "\",\" or \")\"");
    }
    *out = (struct label_list){names.items, names.count};
    return OK;
}
