/* elem_op.c -- see elem_op.h. */
#include "query/elem_op.h"

#include "model/histogram_math.h"
#include "model/histogram_trim.h"

static bool is_trim(enum binary_op op)
{
    return op == OP_TRIM_LOWER || op == OP_TRIM_UPPER;
}

/* ---- what goes ---- */

/* One was reset, the other one was not. */
static bool resets_conflict(const struct histogram *a, const struct histogram *b)
{
    return (a->reset_hint == RESET_YES && b->reset_hint == RESET_NO) ||
           (a->reset_hint == RESET_NO && b->reset_hint == RESET_YES);
}

static enum elem_problem check_histograms(enum binary_op op, const struct histogram *l,
                                          const struct histogram *r)
{
    if (op == OP_EQ || op == OP_NE)
        return ELEM_FINE;
    if (op != OP_ADD && op != OP_SUB)
        return ELEM_HISTOGRAM_HISTOGRAM;
    if (histogram_is_custom(l) != histogram_is_custom(r))
        return ELEM_LAYOUT;
    return resets_conflict(l, r) ? ELEM_RESETS : ELEM_FINE;
}

enum elem_problem elem_op_check(enum binary_op op, struct elem l, struct elem r)
{
    if (l.h != NULL && r.h != NULL)
        return check_histograms(op, l.h, r.h);
    if (l.h != NULL)
        return op == OP_MUL || op == OP_DIV || is_trim(op) ? ELEM_FINE : ELEM_HISTOGRAM_FLOAT;
    if (r.h != NULL)
        return op == OP_MUL ? ELEM_FINE : ELEM_FLOAT_HISTOGRAM;
    return is_trim(op) ? ELEM_FLOAT_FLOAT : ELEM_FINE;
}

/* ---- results ---- */

static err add(bool subtract, const struct histogram *l, const struct histogram *r, struct arena *a,
               struct elem_result *out)
{
    struct histogram *h;
    struct histogram_notes notes = {0};
    TRY(histogram_copy(l, a, &h));
    TRY((subtract ? histogram_sub : histogram_add)(h, r, a, &notes));
    if (subtract)
        h->reset_hint = RESET_GAUGE;
    TRY(histogram_compact(h, a));
    out->value.h = h;
    out->bounds = notes.bounds_reconciled;
    return OK;
}

static err scale(const struct histogram *from, double by, bool divide, struct arena *a,
                 const struct histogram **out)
{
    struct histogram *h;
    TRY(histogram_copy(from, a, &h));
    if (divide)
        histogram_div(h, by);
    else
        histogram_mul(h, by);
    TRY(histogram_compact(h, a));
    *out = h;
    return OK;
}

static err trim(enum binary_op op, const struct histogram *from, double at, struct arena *a,
                const struct histogram **out)
{
    struct histogram *h;
    TRY(histogram_trim(from, at, op == OP_TRIM_UPPER, a, &h));
    *out = h;
    return OK;
}

err elem_op(enum binary_op op, struct elem l, struct elem r, struct arena *a,
            struct elem_result *out)
{
    *out = (struct elem_result){.keep = true};
    ASSERT(elem_op_check(op, l, r) == ELEM_FINE);
    if (l.h != NULL && r.h != NULL) {
        if (op == OP_ADD || op == OP_SUB)
            return add(op == OP_SUB, l.h, r.h, a, out);
        out->value = l;
        out->keep = histogram_value_eq(l.h, r.h) == (op == OP_EQ);
        return OK;
    }
    if (is_trim(op))
        return trim(op, l.h, r.f, a, &out->value.h);
    if (l.h != NULL)
        return scale(l.h, r.f, op == OP_DIV, a, &out->value.h);
    return scale(r.h, l.f, false, a, &out->value.h);
}

err elem_negate(const struct histogram *h, struct arena *a, const struct histogram **out)
{
    struct histogram *copy;
    TRY(histogram_copy(h, a, &copy));
    histogram_mul(copy, -1);
    *out = copy;
    return OK;
}

uint64_t elem_visits(struct elem e)
{
    return e.h != NULL ? 1 + e.h->positive.bucket_count + e.h->negative.bucket_count : 1;
}

/* ---- words ---- */

static void tell_types(struct exec *x, size_t pos, enum binary_op op, const char *l, const char *r)
{
    annotate_info(&x->annotations, pos,
                  "incompatible sample types encountered for binary operator \"%s\": %s %s %s",
                  binary_op_text(op), l, binary_op_text(op), r);
}

static void tell(struct exec *x, size_t pos, enum binary_op op, enum elem_problem problem)
{
    static const char histogram[] = "histogram", number[] = "float";
    const char *what = op == OP_ADD ? "addition" : "subtraction";
    struct annotations *to = &x->annotations;
    if (problem == ELEM_FLOAT_FLOAT)
        tell_types(x, pos, op, number, number);
    else if (problem == ELEM_FLOAT_HISTOGRAM)
        tell_types(x, pos, op, number, histogram);
    else if (problem == ELEM_HISTOGRAM_FLOAT)
        tell_types(x, pos, op, histogram, number);
    else if (problem == ELEM_HISTOGRAM_HISTOGRAM)
        tell_types(x, pos, op, histogram, histogram);
    else if (problem == ELEM_LAYOUT)
        annotate_warning(to, pos, "incompatible bucket layout encountered for binary operator %s",
                         binary_op_text(op));
    else if (problem == ELEM_RESETS)
        annotate_warning(to, pos, "conflicting counter resets during histogram %s", what);
    else if (problem == ELEM_BOUNDS)
        annotate_info(to, pos, "mismatched custom buckets were reconciled during %s", what);
}

void elem_op_tell(struct exec *x, size_t pos, enum binary_op op, const bool problems[ELEM_PROBLEMS])
{
    for (int i = ELEM_FINE + 1; i < ELEM_PROBLEMS; i++)
        if (problems[i])
            tell(x, pos, op, (enum elem_problem)i);
}
