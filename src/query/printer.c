/* printer.c -- see printer.h. */
#include "query/printer.h"

#include <math.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"

static void put(struct buf *out, const char *text)
{
    buf_put_str(out, str_from(text));
}

static void put_double(struct buf *out, double v, size_t (*format)(double v, char *out))
{
    char text[NUMBER_SIZE_MAX];
    buf_put(out, text, format(v, text));
}

static void put_ms(struct buf *out, int64_t ms)
{
    char text[DURATION_SIZE_MAX];
    buf_put(out, text, duration_format(ms, text));
}

static void put_labels(struct buf *out, const char *before, struct label_list labels)
{
    put(out, before);
    put(out, " (");
    for (size_t i = 0; i < labels.count; i++) {
        if (i > 0)
            put(out, ", ");
        if (label_name_is_legacy(labels.items[i]))
            buf_put_str(out, labels.items[i]);
        else
            utf8_quote(out, labels.items[i]);
    }
    put(out, ")");
}

/* Operator and grouping: "sum by (job) ". */
static void put_aggregation(struct buf *out, const struct expr_aggregate *a)
{
    put(out, agg_op_text(a->op));
    if (!a->without && a->grouping.count == 0)
        return;
    put_labels(out, a->without ? " without" : " by", a->grouping);
    put(out, " ");
}

static void put_fill(struct buf *out, const char *name, double v)
{
    put(out, name);
    put(out, " (");
    put_double(out, v, number_format_g);
    put(out, ")");
}

static void put_matching(struct buf *out, const struct vector_matching *m)
{
    bool grouped = m->card == CARD_MANY_TO_ONE || m->card == CARD_ONE_TO_MANY;
    if (m->labels.count > 0 || m->on || grouped)
        put_labels(out, m->on ? " on" : " ignoring", m->labels);
    if (grouped)
        put_labels(out, m->card == CARD_MANY_TO_ONE ? " group_left" : " group_right", m->include);
    if (m->fill_both) {
        put_fill(out, " fill", m->fill_lhs);
        return;
    }
    if (m->has_fill_lhs)
        put_fill(out, " fill_left", m->fill_lhs);
    if (m->has_fill_rhs)
        put_fill(out, " fill_right", m->fill_rhs);
}

/* Operator with its modifiers: "> bool on (job)". */
static void put_operator(struct buf *out, const struct expr_binary *b)
{
    put(out, binary_op_text(b->op));
    if (b->return_bool)
        put(out, " bool");
    if (b->matching != NULL)
        put_matching(out, b->matching);
}

static void put_pair(struct buf *out, const struct expr *lhs, const char *between,
                     const struct expr *rhs)
{
    expr_format(lhs, out);
    put(out, between);
    expr_format(rhs, out);
}

static void put_duration_term(struct buf *out, const struct expr_duration *d)
{
    static const char *const OPERATORS[] = {
        [DURATION_ADD] = " + ", [DURATION_SUB] = " - ", [DURATION_MUL] = " * ",
        [DURATION_DIV] = " / ", [DURATION_MOD] = " % ", [DURATION_POW] = " ^ ",
    };
    if (d->op == DURATION_STEP || d->op == DURATION_RANGE) {
        put(out, d->op == DURATION_STEP ? "step()" : "range()");
    } else if (d->op == DURATION_MIN_OF || d->op == DURATION_MAX_OF) {
        put(out, d->op == DURATION_MIN_OF ? "min_of(" : "max_of(");
        put_pair(out, d->lhs, ", ", d->rhs);
        put(out, ")");
    } else if (d->lhs == NULL) {
        put(out, d->op == DURATION_SUB ? "-" : "");
        expr_format(d->rhs, out);
    } else {
        put_pair(out, d->lhs, OPERATORS[d->op], d->rhs);
    }
}

static void put_duration(struct buf *out, const struct expr_duration *d)
{
    if (d->wrapped)
        put(out, "(");
    put_duration_term(out, d);
    if (d->wrapped)
        put(out, ")");
}

/* A duration that was written as expression, or else in milliseconds. */
static void put_range(struct buf *out, const struct expr *e, int64_t ms)
{
    if (e != NULL)
        expr_format(e, out);
    else
        put_ms(out, ms);
}

static void put_at(struct buf *out, const struct expr_time *t)
{
    if (t->at == AT_TIMESTAMP)
        buf_printf(out, " @ %.3f", (double)t->at_ms / 1000);
    else if (t->at != AT_NONE)
        put(out, t->at == AT_START ? " @ start()" : " @ end()");
}

static void put_offset(struct buf *out, const struct expr_time *t)
{
    if (t->offset_expr == NULL && t->offset_ms == 0)
        return;
    put(out, " offset ");
    put_range(out, t->offset_expr, t->offset_ms);
}

static void put_extended(struct buf *out, const struct expr_vector *v)
{
    if (v->anchored || v->smoothed)
        put(out, v->anchored ? " anchored" : " smoothed");
}

/* Is `m` the matcher that the name before the braces stands for? */
static bool is_name_matcher(const struct expr_vector *v, const struct matcher *m)
{
    return m->type == MATCH_EQUAL && m->value.len > 0 && str_eq(m->name, LABEL_NAME) &&
           str_eq(m->value, v->name);
}

static int compare_texts(const void *a, const void *b)
{
    const struct buf *x = a, *y = b;
    return str_cmp(buf_str(x), buf_str(y));
}

/* Matchers are sorted by their text. */
static void put_matchers(struct buf *out, const struct expr_vector *v)
{
    struct buf *texts = mem_zalloc(v->matcher_count + 1, sizeof(*texts));
    size_t count = 0;
    for (size_t i = 0; i < v->matcher_count; i++)
        if (!is_name_matcher(v, &v->matchers[i]))
            matcher_format(&v->matchers[i], &texts[count++]);
    qsort(texts, count, sizeof(*texts), compare_texts);
    for (size_t i = 0; i < count; i++) {
        put(out, i == 0 ? "{" : ",");
        buf_put_str(out, buf_str(&texts[i]));
        buf_fini(&texts[i]);
    }
    put(out, count > 0 ? "}" : "");
    if (count == 0 && v->name.len == 0)
        put(out, "{}");
    mem_free(texts);
}

static void put_vector(struct buf *out, const struct expr_vector *v)
{
    buf_put_str(out, v->name);
    put_matchers(out, v);
    put_at(out, &v->time);
    put_extended(out, v);
    put_offset(out, &v->time);
}

static void put_matrix(struct buf *out, const struct expr_matrix *m)
{
    const struct expr_vector *v = &m->selector->vector;
    buf_put_str(out, v->name);
    put_matchers(out, v);
    put(out, "[");
    put_range(out, m->range_expr, m->range_ms);
    put(out, "]");
    put_extended(out, v);
    put_at(out, &v->time);
    put_offset(out, &v->time);
}

/* What follows the expression of a subquery: "[1h:5m] @ end() offset 1m". */
static void put_subquery_suffix(struct buf *out, const struct expr_subquery *s)
{
    put(out, "[");
    put_range(out, s->range_expr, s->range_ms);
    put(out, ":");
    if (s->step_expr != NULL || s->step_ms != 0)
        put_range(out, s->step_expr, s->step_ms);
    put(out, "]");
    put_at(out, &s->time);
    put_offset(out, &s->time);
}

static void put_number(struct buf *out, const struct expr_number *n)
{
    if (n->duration)
        put_ms(out, (int64_t)round(n->value * 1000));
    else
        put_double(out, n->value, number_format_f);
}

static void put_call(struct buf *out, const struct expr_call *c)
{
    buf_put_str(out, c->func->name);
    put(out, "(");
    for (size_t i = 0; i < c->arg_count; i++) {
        put(out, i > 0 ? ", " : "");
        expr_format(c->args[i], out);
    }
    put(out, ")");
}

static void put_aggregate(struct buf *out, const struct expr_aggregate *a)
{
    put_aggregation(out, a);
    put(out, "(");
    if (a->param != NULL) {
        expr_format(a->param, out);
        put(out, ", ");
    }
    expr_format(a->expr, out);
    put(out, ")");
}

static void put_binary(struct buf *out, const struct expr_binary *b)
{
    expr_format(b->lhs, out);
    put(out, " ");
    put_operator(out, b);
    put(out, " ");
    expr_format(b->rhs, out);
}

void expr_format(const struct expr *e, struct buf *out)
{
    switch (e->kind) {
    case EXPR_AGGREGATE:
        put_aggregate(out, &e->aggregate);
        break;
    case EXPR_BINARY:
        put_binary(out, &e->binary);
        break;
    case EXPR_CALL:
        put_call(out, &e->call);
        break;
    case EXPR_DURATION:
        put_duration(out, &e->duration);
        break;
    case EXPR_MATRIX:
        put_matrix(out, &e->matrix);
        break;
    case EXPR_NUMBER:
        put_number(out, &e->number);
        break;
    case EXPR_PAREN:
        put(out, "(");
        expr_format(e->paren, out);
        put(out, ")");
        break;
    case EXPR_STRING:
        utf8_quote(out, e->string);
        break;
    case EXPR_SUBQUERY:
        expr_format(e->subquery.expr, out);
        put_subquery_suffix(out, &e->subquery);
        break;
    case EXPR_UNARY:
        put(out, e->unary.minus ? "-" : "+");
        expr_format(e->unary.expr, out);
        break;
    case EXPR_VECTOR:
        put_vector(out, &e->vector);
        break;
    }
}

static void pretty(const struct expr *e, unsigned level, struct buf *out);

static void indent(struct buf *out, unsigned level)
{
    for (unsigned i = 0; i < level; i++)
        put(out, "  ");
}

static bool fits(const struct expr *e)
{
    struct buf line = {0};
    expr_format(e, &line);
    bool yes = line.len <= EXPR_PRETTY_COLUMNS;
    buf_fini(&line);
    return yes;
}

/* The lines between the parentheses of a call or aggregation; what comes before "(" is written. */
static void pretty_list(struct expr *const *items, size_t count, unsigned level, struct buf *out)
{
    put(out, "(\n");
    for (size_t i = 0; i < count; i++) {
        put(out, i > 0 ? ",\n" : "");
        pretty(items[i], level + 1, out);
    }
    put(out, "\n");
    indent(out, level);
    put(out, ")");
}

static void pretty_aggregate(const struct expr_aggregate *a, unsigned level, struct buf *out)
{
    struct expr *items[2] = {a->param, a->expr};
    bool param = a->param != NULL;
    indent(out, level);
    put_aggregation(out, a);
    pretty_list(param ? items : items + 1, param ? 2 : 1, level, out);
}

static void pretty_binary(const struct expr_binary *b, unsigned level, struct buf *out)
{
    pretty(b->lhs, level + 1, out);
    put(out, "\n");
    indent(out, level);
    put_operator(out, b);
    put(out, "\n");
    pretty(b->rhs, level + 1, out);
}

/* The operand without the indent in front, and without blanks at its ends. */
static void pretty_unary(const struct expr_unary *u, unsigned level, struct buf *out)
{
    struct buf operand = {0};
    indent(out, level);
    put(out, u->minus ? "-" : "+");
    pretty(u->expr, level, &operand);
    str s = buf_str(&operand);
    while (s.len > 0 && s.ptr[0] == ' ')
        s = (str){s.ptr + 1, s.len - 1};
    buf_put_str(out, s);
    buf_fini(&operand);
}

static void pretty_split(const struct expr *e, unsigned level, struct buf *out)
{
    switch ((int)e->kind) {
    case EXPR_AGGREGATE:
        pretty_aggregate(&e->aggregate, level, out);
        break;
    case EXPR_BINARY:
        pretty_binary(&e->binary, level, out);
        break;
    case EXPR_CALL:
        indent(out, level);
        buf_put_str(out, e->call.func->name);
        pretty_list(e->call.args, e->call.arg_count, level, out);
        break;
    case EXPR_PAREN:
        indent(out, level);
        pretty_list(&e->paren, 1, level, out);
        break;
    case EXPR_SUBQUERY:
        pretty(e->subquery.expr, level, out);
        put_subquery_suffix(out, &e->subquery);
        break;
    case EXPR_UNARY:
        pretty_unary(&e->unary, level, out);
        break;
    default: /* cannot be split */
        indent(out, level);
        expr_format(e, out);
    }
}

static void pretty(const struct expr *e, unsigned level, struct buf *out)
{
    if (e->kind != EXPR_UNARY && fits(e)) {
        /* Prometheus does not indent a short subquery, and what it prints is what tools compare. */
        indent(out, e->kind == EXPR_SUBQUERY ? 0 : level);
        expr_format(e, out);
    } else {
        pretty_split(e, level, out);
    }
}

void expr_pretty(const struct expr *e, struct buf *out)
{
    pretty(e, 0, out);
}
