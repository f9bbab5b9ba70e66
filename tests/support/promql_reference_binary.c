/* promql_reference_binary.c -- operators: elements, scalars with vectors, vectors with vectors. */
#include "base/assert.h"
#include "support/promql_reference_priv.h"

struct element {
    double value;
    const struct ref_hist *hist;
};

struct operation {
    struct ref_query *q;
    const struct expr_binary *b;
    size_t pos;
};

enum outcome { OUT_KEEP, OUT_FILTERED, OUT_REFUSED };

static bool is_arithmetic(enum binary_op op)
{
    return op <= OP_ATAN2;
}

static enum outcome of_floats(enum binary_op op, double l, double r, double *out)
{
    static const enum outcome outcome[2] = {OUT_FILTERED, OUT_KEEP};
    *out = l;
    switch ((int)op) {
    case OP_ADD:
        *out = l + r;
        return OUT_KEEP;
    case OP_SUB:
        *out = l - r;
        return OUT_KEEP;
    case OP_MUL:
        *out = l * r;
        return OUT_KEEP;
    case OP_DIV:
        *out = l / r;
        return OUT_KEEP;
    case OP_MOD:
        *out = fmod(l, r);
        return OUT_KEEP;
    case OP_POW:
        *out = pow(l, r);
        return OUT_KEEP;
    case OP_ATAN2:
        *out = atan2(l, r);
        return OUT_KEEP;
    case OP_EQ:
        return outcome[l == r];
    case OP_NE:
        return outcome[l != r];
    case OP_LT:
        return outcome[l < r];
    case OP_LE:
        return outcome[l <= r];
    case OP_GT:
        return outcome[l > r];
    case OP_GE:
        return outcome[l >= r];
    default:
        return OUT_REFUSED; /* trimming numbers */
    }
}

/* Of several remarks in one step upstream keeps the last it meets: any of them. */
static enum outcome refuse(const struct operation *o, bool left, bool right)
{
    const char *op = binary_op_text(o->b->op), *kinds[] = {"float", "histogram"};
    ref_note_may(o->q, true);
    ref_info(o->q, o->pos,
             "incompatible sample types encountered for binary operator \"%s\": %s %s %s", op,
             kinds[left], op, kinds[right]);
    ref_note_may(o->q, false);
    return OUT_REFUSED;
}

static enum outcome add_hists(const struct operation *o, const struct ref_hist *l,
                              const struct ref_hist *r, struct element *out)
{
    bool subtract = o->b->op == OP_SUB;
    struct ref_hist *h = ref_hist_copy(o->q, l);
    struct ref_added added;
    const char *what = subtract ? "subtraction" : "addition";
    bool fits = ref_hist_add(o->q, h, r, subtract ? REF_SUBTRACT : REF_ADD, &added);
    ref_note_may(o->q, true);
    if (!fits)
        ref_warn(o->q, o->pos, "incompatible bucket layout encountered for binary operator %s",
                 binary_op_text(o->b->op));
    if (fits && added.hints_collide)
        ref_warn(o->q, o->pos, "conflicting counter resets during histogram %s", what);
    if (fits && added.bounds_reconciled)
        ref_info(o->q, o->pos, "mismatched custom buckets were reconciled during %s", what);
    ref_note_may(o->q, false);
    if (fits && added.hints_collide) /* does the remark leave the pair out? */
        o->q->gave_up = true;
    if (!fits)
        return OUT_REFUSED;
    if (subtract)
        h->hint = RESET_GAUGE;
    ref_hist_compact(h);
    out->hist = h;
    return OUT_KEEP;
}

static enum outcome scale_hist(const struct operation *o, const struct ref_hist *h, double by,
                               struct element *out)
{
    struct ref_hist *r = ref_hist_copy(o->q, h);
    ref_hist_scale(r, by, o->b->op == OP_DIV);
    ref_hist_compact(r);
    *out = (struct element){0, r};
    return OUT_KEEP;
}

static enum outcome operate(const struct operation *o, struct element l, struct element r,
                            struct element *out)
{
    enum binary_op op = o->b->op;
    bool lh = l.hist != NULL, rh = r.hist != NULL;
    *out = (struct element){0, NULL};
    if (!lh && !rh) {
        enum outcome done = of_floats(op, l.value, r.value, &out->value);
        return done == OUT_REFUSED ? refuse(o, false, false) : done;
    }
    if (lh && rh && (op == OP_ADD || op == OP_SUB))
        return add_hists(o, l.hist, r.hist, out);
    if (lh && rh && (op == OP_EQ || op == OP_NE)) {
        out->hist = l.hist;
        return ref_hist_equal(l.hist, r.hist) == (op == OP_EQ) ? OUT_KEEP : OUT_FILTERED;
    }
    if (lh != rh && op == OP_MUL)
        return scale_hist(o, lh ? l.hist : r.hist, lh ? r.value : l.value, out);
    if (lh && !rh && op == OP_DIV)
        return scale_hist(o, l.hist, r.value, out);
    if (lh && !rh && (op == OP_TRIM_UPPER || op == OP_TRIM_LOWER)) {
        out->hist = ref_hist_trim(o->q, l.hist, r.value, op == OP_TRIM_UPPER);
        return OUT_KEEP;
    }
    return refuse(o, lh, rh);
}

/* ---- with a scalar ---- */

static struct ref_vector with_scalar(const struct operation *o, struct ref_vector v, double scalar,
                                     bool scalar_left)
{
    struct ref_query *q = o->q;
    struct ref_vector out = ref_room(q, v.count);
    bool compares = binary_op_is_comparison(o->b->op);
    for (size_t i = 0; i < v.count; i++) {
        struct ref_sample s = v.items[i];
        struct element x = {s.value, s.hist}, y = {scalar, NULL}, r;
        enum outcome done = scalar_left ? operate(o, y, x, &r) : operate(o, x, y, &r);
        if (done == OUT_REFUSED || (done == OUT_FILTERED && !o->b->return_bool))
            continue;
        if (compares)
            r = x;
        if (o->b->return_bool)
            r = (struct element){done == OUT_KEEP, NULL};
        s.value = r.value;
        s.hist = r.hist;
        if (is_arithmetic(o->b->op) || o->b->return_bool)
            ref_drop_name(q, &s);
        ref_put(&out, s);
    }
    ref_check_step(q, out);
    return out;
}

/* ---- vectors ---- */

static struct labels match_labels(struct ref_query *q, const struct vector_matching *m,
                                  struct labels ls)
{
    return ref_keep(q, ls, m->labels, m->on, !m->on);
}

static bool has_match(struct ref_query *q, const struct vector_matching *m, struct labels ls,
                      struct ref_vector in)
{
    struct labels sig = match_labels(q, m, ls);
    for (size_t i = 0; i < in.count; i++)
        if (labels_eq(sig, match_labels(q, m, in.items[i].labels)))
            return true;
    return false;
}

static struct ref_vector set_operator(struct ref_query *q, const struct expr *e,
                                      struct ref_vector l, struct ref_vector r)
{
    const struct expr_binary *b = &e->binary;
    struct ref_vector out = ref_room(q, l.count + r.count);
    for (size_t i = 0; i < l.count; i++)
        if (b->op == OP_OR || has_match(q, b->matching, l.items[i].labels, r) == (b->op == OP_AND))
            ref_put(&out, l.items[i]);
    for (size_t j = 0; j < r.count && b->op == OP_OR; j++)
        if (!has_match(q, b->matching, r.items[j].labels, l))
            ref_put(&out, r.items[j]);
    for (size_t i = 0; i < out.count; i++)
        out.items[i].drop_name = ref_first_flag(q, e, &out.items[i]);
    ref_check_step(q, out);
    return out;
}

static struct labels result_labels(const struct operation *o, struct labels many, struct labels one)
{
    const struct vector_matching *m = o->b->matching;
    struct ref_query *q = o->q;
    if (is_arithmetic(o->b->op) || (o->b->return_bool && !q->delayed_name_removal))
        many = ref_no_metadata(q, many);
    if (m->card == CARD_ONE_TO_ONE)
        many = ref_keep(q, many, m->labels, m->on, false);
    for (size_t i = 0; i < m->include.count; i++)
        many = ref_set(q, many, m->include.items[i], labels_get(one, m->include.items[i]));
    return many;
}

struct pairs { /* of one operation: what the groups have had so far */
    const struct operation *o;
    struct ref_vector *out;
    struct labels *results; /* of pairs that were operated on */
    size_t *groups;         /* their groups */
    size_t count;
};

static void put_pair(struct pairs *p, size_t group, const struct ref_sample *many,
                     const struct ref_sample *one)
{
    const struct expr_binary *b = p->o->b;
    bool swap = b->matching->card == CARD_ONE_TO_MANY;
    struct element x = {many->value, many->hist}, y = {one->value, one->hist}, r;
    enum outcome done = swap ? operate(p->o, y, x, &r) : operate(p->o, x, y, &r);
    if (done == OUT_REFUSED)
        return;
    struct labels ls = result_labels(p->o, many->labels, one->labels);
    for (size_t k = 0; k < p->count; k++) {
        if (p->groups[k] != group)
            continue;
        if (b->matching->card == CARD_ONE_TO_ONE)
            ref_fail(p->o->q, "multiple matches for labels: many-to-one matching must be explicit "
                              "(group_left/group_right)");
        else if (labels_eq(p->results[k], ls))
            ref_fail(p->o->q, "multiple matches for labels: grouping labels must ensure unique "
                              "matches");
    }
    p->groups[p->count] = group;
    p->results[p->count++] = ls;
    if (done == OUT_FILTERED && !b->return_bool)
        return;
    if (b->return_bool)
        r = (struct element){done == OUT_KEEP, NULL};
    ref_put(p->out, (struct ref_sample){ls, r.value, r.hist, b->return_bool});
}

static void check_one_side(const struct operation *o, struct ref_vector one)
{
    const struct vector_matching *m = o->b->matching;
    for (size_t i = 0; i < one.count; i++)
        for (size_t j = 0; j < i; j++)
            if (labels_eq(match_labels(o->q, m, one.items[i].labels),
                          match_labels(o->q, m, one.items[j].labels)))
                ref_fail(o->q, "found duplicate series for the match group");
}

static struct ref_vector match(const struct operation *o, struct ref_vector l, struct ref_vector r)
{
    const struct vector_matching *m = o->b->matching;
    struct ref_query *q = o->q;
    bool swap = m->card == CARD_ONE_TO_MANY, fills = m->has_fill_lhs || m->has_fill_rhs;
    struct ref_vector many = swap ? r : l, one = swap ? l : r;
    struct ref_vector out = ref_room(q, many.count + one.count);
    size_t most = many.count + one.count + 1;
    struct pairs p = {o, &out, ARENA_ARRAY(q->arena, struct labels, most),
                      ARENA_ARRAY(q->arena, size_t, most), 0};
    if ((many.count == 0 && one.count == 0) || ((many.count == 0 || one.count == 0) && !fills))
        return out;
    check_one_side(o, one);
    for (size_t i = 0; i < many.count; i++) {
        struct labels sig = match_labels(q, m, many.items[i].labels);
        size_t j = 0;
        while (j < one.count && !labels_eq(sig, match_labels(q, m, one.items[j].labels)))
            j++;
        if (j < one.count) {
            put_pair(&p, j, &many.items[i], &one.items[j]);
        } else if (m->has_fill_rhs) {
            size_t k = 0; /* groups without a partner are numbered behind the others */
            while (!labels_eq(sig, match_labels(q, m, many.items[k].labels)))
                k++;
            struct ref_sample s = {.labels = sig, .value = m->fill_rhs};
            put_pair(&p, one.count + k, &many.items[i], &s);
        }
    }
    for (size_t j = 0; j < one.count && m->has_fill_lhs; j++) {
        bool had = false;
        for (size_t k = 0; k < p.count; k++)
            had = had || p.groups[k] == j;
        struct ref_sample s = {.labels = match_labels(q, m, one.items[j].labels),
                               .value = m->fill_lhs};
        if (!had)
            put_pair(&p, j, &s, &one.items[j]);
    }
    ref_check_step(q, out);
    return out;
}

struct ref_vector ref_binary(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_binary *b = &e->binary;
    struct operation o = {q, b, e->start};
    bool lv = b->lhs->type == VALUE_VECTOR, rv = b->rhs->type == VALUE_VECTOR;
    struct ref_vector l = ref_eval(q, b->lhs, t), r = ref_eval(q, b->rhs, t);
    if (q->error[0] != 0)
        return (struct ref_vector){0};
    if (lv && rv)
        return binary_op_is_set(b->op) ? set_operator(q, e, l, r) : match(&o, l, r);
    if (!lv && !rv) {
        double value;
        enum outcome done = of_floats(b->op, l.items[0].value, r.items[0].value, &value);
        return ref_one(q, binary_op_is_comparison(b->op) ? done == OUT_KEEP : value);
    }
    return lv ? with_scalar(&o, l, r.items[0].value, false)
              : with_scalar(&o, r, l.items[0].value, true);
}
