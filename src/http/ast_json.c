/* ast_json.c -- see ast_json.h. Recursion is bounded by EXPR_HEIGHT_MAX. */
#include "http/ast_json.h"

#include <math.h>

#include "base/number.h"
#include "http/json.h"

static void put_bool(struct buf *b, const char *key, bool v)
{
    buf_printf(b, "\"%s\":%s", key, v ? "true" : "false");
}

static void put_node(struct buf *b, const char *key, const struct expr *e)
{
    buf_printf(b, "\"%s\":", key);
    ast_json(b, e);
}

static void put_text(struct buf *b, const char *key, str v)
{
    buf_printf(b, "\"%s\":", key);
    json_html(b, v);
}

static void put_list(struct buf *b, const char *key, const struct label_list *l)
{
    buf_printf(b, "\"%s\":[", key);
    for (size_t i = 0; i < l->count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        json_html(b, l->items[i]);
    }
    buf_put_u8(b, ']');
}

static void put_aggregate(struct buf *b, const struct expr *e)
{
    const struct expr_aggregate *a = &e->aggregate;
    put_node(b, "expr", a->expr);
    buf_put_u8(b, ',');
    put_list(b, "grouping", &a->grouping);
    buf_put_u8(b, ',');
    put_text(b, "op", str_from(agg_op_text(a->op)));
    buf_put_u8(b, ',');
    put_node(b, "param", a->param);
    buf_put_str(b, STR(",\"type\":\"aggregation\","));
    put_bool(b, "without", a->without);
}

static void put_fill(struct buf *b, const char *key, bool has, double v)
{
    buf_printf(b, "\"%s\":", key);
    if (has && isfinite(v))
        json_number(b, v);
    else
        buf_put_str(b, STR("null"));
}

static void put_matching(struct buf *b, const struct vector_matching *m)
{
    if (m == NULL) {
        buf_put_str(b, STR("null"));
        return;
    }
    buf_printf(b, "{\"card\":\"%s\",\"fillValues\":{", match_card_text(m->card));
    put_fill(b, "lhs", m->has_fill_lhs, m->fill_lhs);
    buf_put_u8(b, ',');
    put_fill(b, "rhs", m->has_fill_rhs, m->fill_rhs);
    buf_put_str(b, STR("},"));
    put_list(b, "include", &m->include);
    buf_put_u8(b, ',');
    put_list(b, "labels", &m->labels);
    buf_put_u8(b, ',');
    put_bool(b, "on", m->on);
    buf_put_u8(b, '}');
}

static void put_binary(struct buf *b, const struct expr *e)
{
    const struct expr_binary *n = &e->binary;
    put_bool(b, "bool", n->return_bool);
    buf_put_u8(b, ',');
    put_node(b, "lhs", n->lhs);
    buf_put_str(b, STR(",\"matching\":"));
    put_matching(b, n->matching);
    buf_put_u8(b, ',');
    put_text(b, "op", str_from(binary_op_text(n->op)));
    buf_put_u8(b, ',');
    put_node(b, "rhs", n->rhs);
    buf_put_str(b, STR(",\"type\":\"binaryExpr\""));
}

static void put_call(struct buf *b, const struct expr *e)
{
    const struct func_sig *f = e->call.func;
    buf_put_str(b, STR("\"args\":["));
    for (size_t i = 0; i < e->call.arg_count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        ast_json(b, e->call.args[i]);
    }
    buf_put_str(b, STR("],\"func\":{\"argTypes\":["));
    for (unsigned i = 0; i < f->arg_count; i++)
        buf_printf(b, "%s\"%s\"", i > 0 ? "," : "", value_type_name(f->arg_types[i]));
    buf_put_str(b, STR("],"));
    put_text(b, "name", f->name);
    buf_printf(b, ",\"returnType\":\"%s\",\"variadic\":%d},\"type\":\"call\"",
               value_type_name(f->return_type), f->variadic);
}

static const char *duration_op_text(enum duration_op op)
{
    static const char *const TEXTS[] = {
        [DURATION_ADD] = "+",         [DURATION_SUB] = "-",         [DURATION_MUL] = "*",
        [DURATION_DIV] = "/",         [DURATION_MOD] = "%",         [DURATION_POW] = "^",
        [DURATION_MIN_OF] = "min_of", [DURATION_MAX_OF] = "max_of", [DURATION_STEP] = "step",
        [DURATION_RANGE] = "range"};
    return TEXTS[op];
}

/* A term of a duration expression; numbers say there whether they were written as durations. */
static void put_duration(struct buf *b, const struct expr *e)
{
    if (e == NULL) {
        buf_put_str(b, STR("null"));
    } else if (e->kind == EXPR_NUMBER) {
        char text[NUMBER_SIZE_MAX];
        buf_put_u8(b, '{');
        put_bool(b, "duration", e->number.duration);
        buf_put_str(b, STR(",\"type\":\"numberLiteral\","));
        put_text(b, "val", (str){text, number_format_f(e->number.value, text)});
        buf_put_u8(b, '}');
    } else if (e->kind == EXPR_DURATION) {
        buf_put_str(b, STR("{\"lhs\":"));
        put_duration(b, e->duration.lhs);
        buf_printf(b, ",\"op\":\"%s\",\"rhs\":", duration_op_text(e->duration.op));
        put_duration(b, e->duration.rhs);
        buf_put_str(b, STR(",\"type\":\"durationExpr\","));
        put_bool(b, "wrapped", e->duration.wrapped);
        buf_put_u8(b, '}');
    } else {
        ast_json(b, e);
    }
}

/* "offset" and "offsetExpr": milliseconds stay 0 while the expression is not resolved. */
static void put_span(struct buf *b, const char *key, int64_t ms, const struct expr *e)
{
    buf_printf(b, "\"%s\":%lld,\"%sExpr\":", key, e != NULL ? 0 : (long long)ms, key);
    put_duration(b, e);
    buf_put_u8(b, ',');
}

static void put_start_or_end(struct buf *b, const struct expr_time *t)
{
    buf_printf(b, "\"startOrEnd\":%s,",
               t->at == AT_START ? "\"start\""
               : t->at == AT_END ? "\"end\""
                                 : "null");
}

static void put_timestamp(struct buf *b, const struct expr_time *t)
{
    if (t->at == AT_TIMESTAMP)
        buf_printf(b, "\"timestamp\":%lld,", (long long)t->at_ms);
    else
        buf_put_str(b, STR("\"timestamp\":null,"));
}

static void put_matchers(struct buf *b, const struct expr_vector *v)
{
    static const char *const OPS[] = {[MATCH_EQUAL] = "=",
                                      [MATCH_NOT_EQUAL] = "!=",
                                      [MATCH_REGEX] = "=~",
                                      [MATCH_NOT_REGEX] = "!~"};
    buf_put_str(b, STR("\"matchers\":["));
    for (size_t i = 0; i < v->matcher_count; i++) {
        const struct matcher *m = &v->matchers[i];
        buf_put_str(b, i > 0 ? STR(",{") : STR("{"));
        put_text(b, "name", m->name);
        buf_printf(b, ",\"type\":\"%s\",", OPS[m->type]);
        put_text(b, "value", m->value);
        buf_put_u8(b, '}');
    }
    buf_put_str(b, STR("],"));
}

/* A vector selector, or the range selector `matrix` around it. */
static void put_selector(struct buf *b, const struct expr_vector *v,
                         const struct expr_matrix *matrix)
{
    put_bool(b, "anchored", v->anchored);
    buf_put_u8(b, ',');
    put_matchers(b, v);
    put_text(b, "name", v->name);
    buf_put_u8(b, ',');
    put_span(b, "offset", v->time.offset_ms, v->time.offset_expr);
    if (matrix != NULL)
        put_span(b, "range", matrix->range_ms, matrix->range_expr);
    put_bool(b, "smoothed", v->smoothed);
    buf_put_u8(b, ',');
    put_start_or_end(b, &v->time);
    put_timestamp(b, &v->time);
    buf_printf(b, "\"type\":\"%s\"", matrix != NULL ? "matrixSelector" : "vectorSelector");
}

static void put_subquery(struct buf *b, const struct expr *e)
{
    const struct expr_subquery *s = &e->subquery;
    put_node(b, "expr", s->expr);
    buf_put_u8(b, ',');
    put_span(b, "offset", s->time.offset_ms, s->time.offset_expr);
    put_span(b, "range", s->range_ms, s->range_expr);
    put_start_or_end(b, &s->time);
    put_span(b, "step", s->step_ms, s->step_expr);
    put_timestamp(b, &s->time);
    buf_put_str(b, STR("\"type\":\"subquery\""));
}

static void put_number(struct buf *b, const struct expr *e)
{
    char text[NUMBER_SIZE_MAX];
    buf_put_str(b, STR("\"type\":\"numberLiteral\","));
    put_text(b, "val", (str){text, number_format_f(e->number.value, text)});
}

static void put_fields(struct buf *b, const struct expr *e)
{
    switch (e->kind) {
    case EXPR_AGGREGATE:
        put_aggregate(b, e);
        break;
    case EXPR_BINARY:
        put_binary(b, e);
        break;
    case EXPR_CALL:
        put_call(b, e);
        break;
    case EXPR_MATRIX:
        put_selector(b, &e->matrix.selector->vector, &e->matrix);
        break;
    case EXPR_VECTOR:
        put_selector(b, &e->vector, NULL);
        break;
    case EXPR_SUBQUERY:
        put_subquery(b, e);
        break;
    case EXPR_NUMBER:
        put_number(b, e);
        break;
    case EXPR_PAREN:
        put_node(b, "expr", e->paren);
        buf_put_str(b, STR(",\"type\":\"parenExpr\""));
        break;
    case EXPR_STRING:
        buf_put_str(b, STR("\"type\":\"stringLiteral\","));
        put_text(b, "val", e->string);
        break;
    case EXPR_UNARY:
        put_node(b, "expr", e->unary.expr);
        buf_printf(b, ",\"op\":\"%s\",\"type\":\"unaryExpr\"", e->unary.minus ? "-" : "+");
        break;
    case EXPR_DURATION: /* put_duration() */
        break;
    }
}

void ast_json(struct buf *b, const struct expr *e)
{
    if (e == NULL) {
        buf_put_str(b, STR("null"));
    } else if (e->kind == EXPR_DURATION) {
        put_duration(b, e);
    } else {
        buf_put_u8(b, '{');
        put_fields(b, e);
        buf_put_u8(b, '}');
    }
}
