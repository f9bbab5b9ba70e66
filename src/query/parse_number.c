/* parse_number.c -- numbers and durations, and where they modify a selector: [range], [range:step],
 * offset and @. */
#include <math.h>

#include "base/duration.h"
#include "query/literal.h"
#include "query/parser_priv.h"
#include "query/quote.h"

/* Seconds that fit 64 bits of nanoseconds, as Prometheus holds durations. */
#define DURATION_SECONDS_MAX 9223372036.854775807

static err number_value(struct parser *p, struct token t, double *out)
{
    char quoted[QUOTE_TEXT_SIZE];
    err e = literal_number(parser_text(p, t), out);
    if (e == OK)
        return OK;
    quote_text(parser_text(p, t), quoted);
    return parser_fail(p, t.start, t.end,
                       "error parsing number: strconv.ParseFloat: parsing %s: %s", quoted,
                       e == ERR_LIMIT ? "value out of range" : "invalid syntax");
}

static err duration_value(struct parser *p, struct token t, double *out)
{
    struct diag why = {0};
    int64_t ms;
    if (duration_parse(parser_text(p, t), &ms, &why) != OK)
        return parser_fail(p, t.start, t.end, "%s", why.text);
    *out = literal_seconds(ms);
    return OK;
}

err parse_number(struct parser *p, struct expr **out)
{
    struct token t = parser_take(p);
    struct expr *e;
    bool duration = t.type == TOKEN_DURATION;
    TRY(parser_node(p, EXPR_NUMBER, t.start, t.end, NULL, NULL, &e));
    e->type = VALUE_SCALAR;
    e->number.duration = duration;
    TRY(duration ? duration_value(p, t, &e->number.value) : number_value(p, t, &e->number.value));
    *out = e;
    return OK;
}

/* What an error says when a duration is missing or malformed. */
struct wanted {
    const char *context, *expected;
};

#define A_DURATION "number, duration, step(), or range()"
static const struct wanted IN_BRACKETS = {"subquery or range selector", A_DURATION};
static const struct wanted IN_STEP = {"subquery selector",
                                      "number, duration, step(), range(), or \"]\""};
static const struct wanted IN_OFFSET = {"offset", A_DURATION};

static err parse_duration(struct parser *p, int level, const struct wanted *w, struct expr **out);

static err missing(struct parser *p, const struct wanted *w)
{
    return parser_unexpected(p, w->context, w->expected);
}

static err check_seconds(struct parser *p, const struct expr *number, size_t start, size_t end)
{
    double v = number->number.value;
    if (fabs(v) <= DURATION_SECONDS_MAX)
        return OK; /* not NaN either */
    return parser_fail(p, start, end, "duration out of range");
}

/* A node of a duration expression; `lhs` or both operands may be NULL. */
static err new_duration(struct parser *p, enum duration_op op, uint32_t start, struct expr *lhs,
                        struct expr *rhs, struct expr **out)
{
    struct expr *e;
    TRY(parser_node(p, EXPR_DURATION, start, p->last_end, lhs, rhs, &e));
    e->type = VALUE_SCALAR;
    e->duration = (struct expr_duration){.op = op, .lhs = lhs, .rhs = rhs};
    *out = e;
    return OK;
}

static err parse_duration_literal(struct parser *p, struct expr **out)
{
    TRY(parse_number(p, out));
    return check_seconds(p, *out, (*out)->start, (*out)->end);
}

/* step() or range() */
static err parse_duration_name(struct parser *p, const struct wanted *w, struct expr **out)
{
    struct token name = parser_take(p);
    if (!parser_accept(p, TOKEN_LEFT_PAREN) || !parser_accept(p, TOKEN_RIGHT_PAREN))
        return missing(p, w);
    return new_duration(p, name.type == TOKEN_STEP ? DURATION_STEP : DURATION_RANGE, name.start,
                        NULL, NULL, out);
}

/* min_of(a, b) or max_of(a, b) */
static err parse_duration_pair(struct parser *p, const struct wanted *w, struct expr **out)
{
    struct token name = parser_take(p);
    struct expr *lhs, *rhs;
    if (!parser_accept(p, TOKEN_LEFT_PAREN))
        return missing(p, w);
    TRY(parse_duration(p, LEVEL_ADD, w, &lhs));
    if (!parser_accept(p, TOKEN_COMMA))
        return missing(p, w);
    TRY(parse_duration(p, LEVEL_ADD, w, &rhs));
    if (!parser_accept(p, TOKEN_RIGHT_PAREN))
        return missing(p, w);
    return new_duration(p, name.type == TOKEN_MIN_OF ? DURATION_MIN_OF : DURATION_MAX_OF,
                        name.start, lhs, rhs, out);
}

/* "(" duration ")": a number in parentheses is a node of its own, so that it prints with them. */
static err parse_duration_paren(struct parser *p, const struct wanted *w, struct expr **out)
{
    struct token open = parser_take(p);
    struct expr *e;
    TRY(parse_duration(p, LEVEL_ADD, w, &e));
    if (!parser_accept(p, TOKEN_RIGHT_PAREN))
        return missing(p, w);
    if (e->kind == EXPR_NUMBER)
        TRY(new_duration(p, DURATION_ADD, open.start, NULL, e, &e));
    e->duration.wrapped = true;
    *out = e;
    return OK;
}

/* Everything but signs and operators. */
static err parse_duration_primary(struct parser *p, const struct wanted *w, struct expr **out)
{
    switch ((int)parser_peek(p)) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
        return parse_duration_literal(p, out);
    case TOKEN_STEP:
    case TOKEN_RANGE:
        return parse_duration_name(p, w, out);
    case TOKEN_MIN_OF:
    case TOKEN_MAX_OF:
        return parse_duration_pair(p, w, out);
    case TOKEN_LEFT_PAREN:
        return parse_duration_paren(p, w, out);
    default:
        return missing(p, w);
    }
}

/* `sign` before `e`: folded into a literal. */
static err apply_sign(struct parser *p, struct token sign, struct expr *e, struct expr **out)
{
    bool minus = sign.type == TOKEN_SUB;
    if (e->kind == EXPR_NUMBER) {
        e->number.value = minus ? -e->number.value : e->number.value;
        e->start = sign.start;
        *out = e;
        return OK;
    }
    if (minus)
        return new_duration(p, DURATION_SUB, sign.start, NULL, e, out);
    *out = e;
    return OK;
}

struct duration_operation {
    int level;
    enum duration_op op;
};

static struct duration_operation duration_operation_of(enum token_type t)
{
    switch ((int)t) {
    case TOKEN_ADD:
        return (struct duration_operation){LEVEL_ADD, DURATION_ADD};
    case TOKEN_SUB:
        return (struct duration_operation){LEVEL_ADD, DURATION_SUB};
    case TOKEN_MUL:
        return (struct duration_operation){LEVEL_MUL, DURATION_MUL};
    case TOKEN_DIV:
        return (struct duration_operation){LEVEL_MUL, DURATION_DIV};
    case TOKEN_MOD:
        return (struct duration_operation){LEVEL_MUL, DURATION_MOD};
    case TOKEN_POW:
        return (struct duration_operation){LEVEL_POW, DURATION_POW};
    default:
        return (struct duration_operation){LEVEL_NONE, DURATION_ADD};
    }
}

static err check_divisor(struct parser *p, struct token op, const struct expr *rhs)
{
    if (rhs->kind != EXPR_NUMBER || rhs->number.value != 0)
        return OK;
    if (op.type == TOKEN_DIV)
        return parser_fail(p, op.start, op.end, "division by zero");
    if (op.type == TOKEN_MOD)
        return parser_fail(p, op.start, op.end, "modulo by zero");
    return OK;
}

static err parse_duration_operators(struct parser *p, int level, const struct wanted *w,
                                    struct expr *lhs, struct expr **out)
{
    for (;;) {
        struct duration_operation o = duration_operation_of(parser_peek(p));
        if (o.level == LEVEL_NONE || o.level < level) {
            *out = lhs;
            return OK;
        }
        struct token op = parser_take(p);
        struct expr *rhs;
        TRY(parse_duration(p, o.level == LEVEL_POW ? LEVEL_POW : o.level + 1, w, &rhs));
        TRY(check_divisor(p, op, rhs));
        TRY(new_duration(p, o.op, lhs->start, lhs, rhs, &lhs));
    }
}

/* Operators of at least `level` over signed terms; a sign binds like a multiplication. */
static err parse_duration(struct parser *p, int level, const struct wanted *w, struct expr **out)
{
    struct expr *e;
    enum token_type t = parser_peek(p);
    TRY(parser_enter(p));
    if (t == TOKEN_ADD || t == TOKEN_SUB) {
        struct token sign = parser_take(p);
        TRY(parse_duration(p, LEVEL_POW, w, &e));
        TRY(apply_sign(p, sign, e, &e));
    } else {
        TRY(parse_duration_primary(p, w, &e));
    }
    TRY(parse_duration_operators(p, level, w, e, out));
    parser_leave(p);
    return OK;
}

/* A range or step: more than 0 when it is a literal. */
static err parse_positive(struct parser *p, const struct wanted *w, struct expr **out)
{
    TRY(parse_duration(p, LEVEL_ADD, w, out));
    if ((*out)->kind == EXPR_NUMBER && (*out)->number.value <= 0)
        return parser_fail(p, (*out)->start, (*out)->end, "duration must be greater than 0");
    return OK;
}

/* Seconds to milliseconds over nanoseconds: rounded to the first, truncated to the second. */
static int64_t milliseconds(double seconds)
{
    return (int64_t)(round(seconds * 1e9) / 1e6);
}

/* Split what was parsed into its two forms: a literal's milliseconds or an expression. */
static void set_duration(struct expr *d, int64_t *ms, struct expr **expr)
{
    if (d->kind == EXPR_NUMBER)
        *ms = milliseconds(d->number.value);
    else
        *expr = d;
}

static err new_matrix(struct parser *p, struct expr *e, struct token open, struct expr *range,
                      struct expr **out)
{
    struct expr *m;
    const struct expr_time *t = &e->vector.time;
    const char *wrong = NULL;
    if (e->kind != EXPR_VECTOR)
        wrong = "ranges only allowed for vector selectors";
    else if (t->offset_ms != 0 || t->offset_expr != NULL)
        wrong = "no offset modifiers allowed before range";
    else if (t->at != AT_NONE)
        wrong = "no @ modifiers allowed before range";
    if (wrong != NULL)
        return parser_fail(p, open.start, p->last_end, "%s", wrong);
    TRY(parser_node(p, EXPR_MATRIX, e->start, p->last_end, e, range, &m));
    m->type = VALUE_MATRIX;
    m->matrix.selector = e;
    set_duration(range, &m->matrix.range_ms, &m->matrix.range_expr);
    *out = m;
    return OK;
}

/* The rest of "[" range ":" [step] "]" after the colon. */
static err parse_subquery(struct parser *p, struct expr *e, struct expr *range, struct expr **out)
{
    struct expr *s, *step = NULL;
    if (parser_peek(p) != TOKEN_RIGHT_BRACKET)
        TRY(parse_positive(p, &IN_STEP, &step));
    if (!parser_accept(p, TOKEN_RIGHT_BRACKET))
        return parser_unexpected(p, IN_STEP.context, "\"]\"");
    TRY(parser_node(p, EXPR_SUBQUERY, e->start, p->last_end, e, range, &s));
    s->type = VALUE_MATRIX;
    s->subquery.expr = e;
    set_duration(range, &s->subquery.range_ms, &s->subquery.range_expr);
    if (step != NULL)
        set_duration(step, &s->subquery.step_ms, &s->subquery.step_expr);
    TRY(parser_raise(p, s, step));
    *out = s;
    return OK;
}

err parse_brackets(struct parser *p, struct expr *e, struct expr **out)
{
    struct token open = parser_take(p);
    struct expr *range;
    TRY(parse_positive(p, &IN_BRACKETS, &range));
    if (parser_accept(p, TOKEN_COLON))
        return parse_subquery(p, e, range, out);
    if (parser_accept(p, TOKEN_RIGHT_BRACKET))
        return new_matrix(p, e, open, range, out);
    return parser_unexpected(p, "subquery or range", "\":\" or \"]\"");
}

/* Where a node keeps its offset and @: its own, or its selector's. NULL when it has none. */
static struct expr_time *time_of(struct expr *e)
{
    if (e->kind == EXPR_SUBQUERY)
        return &e->subquery.time;
    if (e->kind == EXPR_MATRIX)
        e = e->matrix.selector;
    return e->kind == EXPR_VECTOR ? &e->vector.time : NULL;
}

/* A term without operators but a sign: "offset -2 ^ 2" is the square of a shifted selector. */
static err parse_offset_duration(struct parser *p, struct expr **out)
{
    enum token_type t = parser_peek(p);
    if (t != TOKEN_ADD && t != TOKEN_SUB)
        return parse_duration_primary(p, &IN_OFFSET, out);
    struct token sign = parser_take(p);
    TRY(parse_duration_primary(p, &IN_OFFSET, out));
    return apply_sign(p, sign, *out, out);
}

err parse_offset(struct parser *p, struct expr *e)
{
    struct expr *offset;
    TRY(parse_offset_duration(p, &offset));
    struct expr_time *t = time_of(e);
    if (t == NULL)
        return parser_fail(p, e->start, e->end,
                           "offset modifier must be preceded by an instant vector selector or "
                           "range vector selector or a subquery");
    if (t->offset_ms != 0 || t->offset_expr != NULL)
        return parser_fail(p, e->start, e->end, "offset may not be set multiple times");
    set_duration(offset, &t->offset_ms, &t->offset_expr);
    e->end = p->last_end;
    if (e->kind == EXPR_MATRIX) {
        TRY(parser_raise(p, e->matrix.selector, offset));
        return parser_raise(p, e, e->matrix.selector);
    }
    return parser_raise(p, e, offset);
}

/* start or end, with its parentheses. */
static err parse_at_name(struct parser *p, enum at_kind *out)
{
    *out = parser_take(p).type == TOKEN_START ? AT_START : AT_END;
    if (!parser_accept(p, TOKEN_LEFT_PAREN) || !parser_accept(p, TOKEN_RIGHT_PAREN))
        return parser_unexpected(p, "@", "timestamp");
    return OK;
}

/* A signed number or duration: seconds since the epoch. */
static err parse_at_seconds(struct parser *p, double *out)
{
    struct expr *number;
    bool minus = parser_accept(p, TOKEN_SUB);
    if (!minus)
        (void)parser_accept(p, TOKEN_ADD);
    enum token_type t = parser_peek(p);
    if (t != TOKEN_NUMBER && t != TOKEN_DURATION)
        return parser_unexpected(p, "@", "timestamp");
    TRY(parse_number(p, &number));
    *out = minus ? -number->number.value : number->number.value;
    return OK;
}

/* Milliseconds must fit 64 bits. */
static err check_timestamp(struct parser *p, const struct expr *e, double seconds)
{
    static const double MAX_SECONDS = 9223372036854775.0;
    if (fabs(seconds) < MAX_SECONDS)
        return OK;
    const char *special = isnan(seconds) ? "NaN" : seconds > 0 ? "+Inf" : "-Inf";
    if (isfinite(seconds))
        return parser_fail(p, e->start, e->end, "timestamp out of bounds for @ modifier: %f",
                           seconds);
    return parser_fail(p, e->start, e->end, "timestamp out of bounds for @ modifier: %s", special);
}

err parse_at(struct parser *p, struct expr *e)
{
    enum token_type t = parser_peek(p);
    enum at_kind at = AT_TIMESTAMP;
    double seconds = 0;
    if (t == TOKEN_START || t == TOKEN_END_WORD) {
        TRY(parse_at_name(p, &at));
    } else {
        TRY(parse_at_seconds(p, &seconds));
        TRY(check_timestamp(p, e, seconds));
    }
    struct expr_time *time = time_of(e);
    if (time == NULL)
        return parser_fail(p, e->start, e->end,
                           "@ modifier must be preceded by an instant vector selector or range "
                           "vector selector or a subquery");
    if (time->at != AT_NONE)
        return parser_fail(p, e->start, e->end, "@ <timestamp> may not be set multiple times");
    time->at = at;
    time->at_ms = (int64_t)round(seconds * 1000);
    e->end = p->last_end;
    return OK;
}
