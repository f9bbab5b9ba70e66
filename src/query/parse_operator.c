/* parse_operator.c -- what stands between a binary operator and its right side: bool, on, ignoring,
 * group_left, group_right and the fill modifiers, in this order. */
#include "query/literal.h"
#include "query/parser_priv.h"

/* May the right side of the operator, or a fill modifier, start with `t`? */
static bool may_follow_group(enum token_type t)
{
    return token_is_metric_name(t) || t == TOKEN_NUMBER || t == TOKEN_DURATION ||
           t == TOKEN_STRING || t == TOKEN_LEFT_BRACE || t == TOKEN_ADD || t == TOKEN_SUB ||
           t == TOKEN_FILL || t == TOKEN_FILL_LEFT || t == TOKEN_FILL_RIGHT;
}

static err parse_group(struct parser *p, struct vector_matching *out)
{
    enum token_type t = parser_peek(p);
    if (t != TOKEN_GROUP_LEFT && t != TOKEN_GROUP_RIGHT)
        return OK;
    (void)parser_take(p);
    out->card = t == TOKEN_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
    if (may_follow_group(parser_peek(p)))
        return OK;
    return parse_labels(p, &out->include);
}

static err parse_matching(struct parser *p, struct vector_matching *out)
{
    enum token_type t = parser_peek(p);
    if (t != TOKEN_ON && t != TOKEN_IGNORING)
        return OK;
    (void)parser_take(p);
    out->on = t == TOKEN_ON;
    TRY(parse_labels(p, &out->labels));
    return parse_group(p, out);
}

/* "(" ["+" | "-"] number ")" */
static err parse_fill_value(struct parser *p, double *out)
{
    struct expr *number;
    if (!parser_accept(p, TOKEN_LEFT_PAREN))
        return parser_unexpected(p, NULL, NULL);
    bool minus = parser_accept(p, TOKEN_SUB);
    if (!minus)
        (void)parser_accept(p, TOKEN_ADD);
    enum token_type t = parser_peek(p);
    if (t != TOKEN_NUMBER && t != TOKEN_DURATION)
        return parser_unexpected(p, NULL, NULL);
    TRY(parse_number(p, &number));
    if (!parser_accept(p, TOKEN_RIGHT_PAREN))
        return parser_unexpected(p, NULL, NULL);
    *out = minus ? -number->number.value : number->number.value;
    return OK;
}

/* fill(v), or fill_left(v) and fill_right(v) in any order, each at most once */
static err parse_fill(struct parser *p, struct vector_matching *m)
{
    if (parser_accept(p, TOKEN_FILL)) {
        TRY(parse_fill_value(p, &m->fill_lhs));
        m->fill_rhs = m->fill_lhs;
        m->has_fill_lhs = m->has_fill_rhs = m->fill_both = true;
        return OK;
    }
    for (;;) {
        if (!m->has_fill_lhs && parser_accept(p, TOKEN_FILL_LEFT)) {
            m->has_fill_lhs = true;
            TRY(parse_fill_value(p, &m->fill_lhs));
        } else if (!m->has_fill_rhs && parser_accept(p, TOKEN_FILL_RIGHT)) {
            m->has_fill_rhs = true;
            TRY(parse_fill_value(p, &m->fill_rhs));
        } else {
            return OK;
        }
    }
}

err parse_binary_modifiers(struct parser *p, struct binary_modifiers *out)
{
    *out = (struct binary_modifiers){.matching = {.card = CARD_ONE_TO_ONE}};
    out->return_bool = parser_accept(p, TOKEN_BOOL);
    TRY(parse_matching(p, &out->matching));
    return parse_fill(p, &out->matching);
}
