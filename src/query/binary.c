/* binary.c -- operators between vectors: matching by label signature, arithmetic, comparisons.
 *
 * Rows are matched once, not step by step: a pair is a row of the "many" side and one of the "one"
 * side with equal signatures. Where a signature has several rows on the "one" side (a series that
 * was replaced by another), `one_at` tells which of them is there at each step; two at one step are
 * the many-to-many error. */
#include "query/match.h"

#include <stdlib.h>

#include "query/elem_op.h"
#include "query/map.h"

enum { NO_ROW = UINT32_MAX, FILL_ROW = UINT32_MAX - 1 };

struct pair {
    uint32_t many, one; /* rows, or FILL_ROW */
    uint32_t sig;
    const uint32_t *one_at; /* NULL: `one` is the only row of its signature */
    struct labels labels;
    bool drop_name;
};

struct last_problem { /* at a step: upstream tells that of the last pair alone */
    uint32_t order;
    uint8_t problem; /* enum elem_problem */
};

struct matching {
    struct exec *x;
    const struct plan *plan;
    const struct grid *grid;
    const struct expr_binary *op;
    bool swapped; /* the many side is the right one */
    struct vec *many, *one;
    struct match_sides sides; /* `left` is many, `right` is one */
    bool fill_many, fill_one;
    double fill_many_value, fill_one_value;
    bool *any_many; /* steps at which the many side has any point; NULL until needed */
    struct pair *pairs;
    size_t pair_count, pair_cap;
    bool may_fail;                 /* there are histograms, or floats are trimmed */
    struct last_problem *problems; /* by step; NULL: none yet */
    struct match_fault fault;
};

/* ---- pairs that give no point ---- */

static struct elem elem_at(const struct vec *v, uint32_t row, double fill, size_t k)
{
    if (row == FILL_ROW)
        return (struct elem){.f = fill};
    const struct row *r = &v->rows[row];
    return (struct elem){r->values[k], r->hists != NULL ? r->hists[k] : NULL};
}

/* The sides of an operation on rows `many` and `one` as they are written. */
static void elems_at(const struct matching *m, uint32_t many, uint32_t one, size_t k,
                     struct elem *l, struct elem *r)
{
    struct elem a = elem_at(m->many, many, m->fill_many_value, k);
    struct elem b = elem_at(m->one, one, m->fill_one_value, k);
    *l = m->swapped ? b : a;
    *r = m->swapped ? a : b;
}

/* Do two rows that are there at a step give nothing because of their types? Then it is as if they
 * had not met. */
static bool fails(const struct matching *m, uint32_t many, uint32_t one, size_t k)
{
    struct elem l, r;
    if (!m->may_fail)
        return false;
    elems_at(m, many, one, k, &l, &r);
    return elem_op_check(m->op->op, l, r) != ELEM_FINE;
}

static bool any_histograms(const struct vec *v)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->rows[i].hists != NULL)
            return true;
    return false;
}

/* ---- labels ---- */

/* Labels that take part in matching. */
static struct labels match_labels(const struct matching *m, struct labels ls, struct label *items)
{
    return signature_apply(&m->sides.signature, ls, items);
}

static err result_labels(const struct matching *m, struct labels many, struct labels one,
                         struct labels *out)
{
    const struct vector_matching *vm = m->op->matching;
    struct exec *x = m->x;
    *out = many;
    bool arithmetic = m->op->op <= OP_ATAN2;
    if (arithmetic || (m->op->return_bool && !x->options->delayed_name_removal))
        TRY(labels_drop_metadata(x, out));
    if (vm->card == CARD_ONE_TO_ONE && (vm->on || vm->labels.count > 0)) {
        struct label *items = ARENA_ARRAY(&x->arena, struct label, out->count + 1);
        if (items == NULL)
            return exec_memory_error(x, x->diag);
        struct signature s = m->sides.signature;
        s.drop_name = false;
        *out = signature_apply(&s, *out, items);
    }
    for (size_t i = 0; i < vm->include.count; i++) {
        str name = vm->include.items[i], value = labels_get(one, name);
        TRY(labels_set(x, *out, name, value, out));
    }
    return OK;
}

/* Labels of a pair; a filled side has those that take part in matching. */
static err pair_labels(const struct matching *m, struct pair *p)
{
    struct labels many = {0}, one = {0};
    if (p->many != FILL_ROW)
        many = m->many->rows[p->many].labels;
    if (p->one != FILL_ROW)
        one = m->one->rows[p->one].labels;
    if (p->many == FILL_ROW || p->one == FILL_ROW) {
        struct labels *filled = p->many == FILL_ROW ? &many : &one;
        const struct row *real =
            p->many == FILL_ROW ? &m->one->rows[p->one] : &m->many->rows[p->many];
        struct label *items = ARENA_ARRAY(&m->x->arena, struct label, real->labels.count + 1);
        if (items == NULL)
            return exec_memory_error(m->x, m->x->diag);
        *filled = match_labels(m, real->labels, items);
    }
    p->drop_name = m->op->return_bool; /* that of the operands is forgotten, as upstream does */
    return result_labels(m, many, one, &p->labels);
}

/* ---- pairs ---- */

static err add_pair(struct matching *m, uint32_t many, uint32_t one, uint32_t sig,
                    const uint32_t *one_at)
{
    if (m->pair_count == m->pair_cap) {
        size_t cap = m->pair_cap > 0 ? 2 * m->pair_cap : 64;
        struct pair *pairs = arena_grow(&m->x->arena, m->pairs, m->pair_count, cap, sizeof(*pairs));
        if (pairs == NULL)
            return exec_memory_error(m->x, m->x->diag);
        m->pairs = pairs;
        m->pair_cap = cap;
    }
    TRY(exec_visit_main(m->x, VISITS_LABELS));
    struct pair *p = &m->pairs[m->pair_count];
    *p = (struct pair){.many = many, .one = one, .sig = sig, .one_at = one_at};
    TRY(pair_labels(m, p));
    m->pair_count++;
    return OK;
}

static err duplicate_error(const struct matching *m, const struct row *a, const struct row *b)
{
    struct label *items = ARENA_ARRAY(&m->x->arena, struct label, a->labels.count + 1);
    if (items == NULL)
        return exec_memory_error(m->x, m->x->diag);
    struct buf text = {0}, first = {0}, second = {0};
    labels_format(a->labels, &first);
    labels_format(b->labels, &second);
    if (str_cmp(buf_str(&first), buf_str(&second)) > 0) {
        struct buf swap = first;
        first = second;
        second = swap;
    }
    buf_put_str(&text, STR("found duplicate series for the match group "));
    labels_format(match_labels(m, a->labels, items), &text);
    buf_printf(&text, " on the %s hand-side of the operation: [", m->swapped ? "left" : "right");
    buf_put_str(&text, buf_str(&first));
    buf_put_str(&text, STR(", "));
    buf_put_str(&text, buf_str(&second));
    buf_put_str(&text, STR("];many-to-many matching not allowed: matching labels must be unique "
                           "on one side"));
    err e = diag_set(m->x->diag, ERR_INVALID, "%s", buf_cstr(&text));
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&text);
    return e;
}

/* At which steps is there anything on the many side? Elsewhere duplicates do not matter. */
static err find_any_many(struct matching *m)
{
    if (m->any_many != NULL)
        return OK;
    m->any_many = ARENA_ARRAY(&m->x->arena, bool, m->grid->count);
    if (m->any_many == NULL)
        return exec_memory_error(m->x, m->x->diag);
    for (size_t i = 0; i < m->many->count; i++) {
        TRY(exec_visit_main(m->x, m->grid->count));
        for (size_t k = 0; k < m->grid->count; k++)
            m->any_many[k] |= row_has(&m->many->rows[i], k);
    }
    return OK;
}

/* Which row of the one side of `sig` is there at each step. */
static err find_one_at(struct matching *m, uint32_t sig, uint32_t **out)
{
    size_t n = m->grid->count;
    const struct match_list *l = &m->sides.right;
    uint32_t *at = arena_alloc(&m->x->arena, n * sizeof(*at));
    if (at == NULL)
        return exec_memory_error(m->x, m->x->diag);
    for (size_t k = 0; k < n; k++)
        at[k] = NO_ROW;
    for (size_t i = l->starts[sig]; i < l->starts[sig + 1]; i++) {
        const struct row *r = &m->one->rows[l->rows[i]];
        TRY(exec_visit_main(m->x, n));
        for (size_t k = 0; k < n; k++) {
            if (!row_has(r, k))
                continue;
            if (at[k] != NO_ROW) {
                TRY(find_any_many(m));
                if (m->any_many[k] || m->fill_many || m->fill_one)
                    match_fault_note(&m->fault,
                                     (struct match_fault){k, FAULT_DUPLICATE, l->rows[i], at[k]});
                continue;
            }
            at[k] = l->rows[i];
        }
    }
    *out = at;
    return OK;
}

/* One-to-one: a step of one signature may have one row on either side only. */
static err check_one_to_one(struct matching *m, uint32_t sig, const uint32_t *one_at)
{
    const struct match_list *l = &m->sides.left;
    for (size_t k = 0; k < m->grid->count; k++) {
        size_t found = 0;
        bool matched = one_at[k] != NO_ROW || m->fill_one;
        TRY(exec_visit_main(m->x, l->starts[sig + 1] - l->starts[sig]));
        uint32_t one = one_at[k] != NO_ROW ? one_at[k] : FILL_ROW;
        for (size_t i = l->starts[sig]; i < l->starts[sig + 1] && matched; i++)
            found += row_has(&m->many->rows[l->rows[i]], k) && !fails(m, l->rows[i], one, k);
        if (found > 1)
            match_fault_note(&m->fault, (struct match_fault){k, FAULT_MANY, 0, 0});
    }
    return OK;
}

/* Pairs of a signature whose rows differ from step to step, or that is filled. */
static err pair_signature(struct matching *m, uint32_t sig)
{
    uint32_t *one_at;
    const struct match_list *many = &m->sides.left, *one = &m->sides.right;
    TRY(find_one_at(m, sig, &one_at));
    if (m->op->matching->card == CARD_ONE_TO_ONE)
        TRY(check_one_to_one(m, sig, one_at));
    if (m->fault.step == 0)
        return OK; /* of as many pairs as there may be none is needed */
    for (size_t i = many->starts[sig]; i < many->starts[sig + 1]; i++) {
        for (size_t j = one->starts[sig]; j < one->starts[sig + 1]; j++)
            TRY(add_pair(m, many->rows[i], one->rows[j], sig, one_at));
        if (m->fill_one)
            TRY(add_pair(m, many->rows[i], FILL_ROW, sig, one_at));
    }
    for (size_t j = one->starts[sig]; j < one->starts[sig + 1] && m->fill_many; j++)
        TRY(add_pair(m, FILL_ROW, one->rows[j], sig, one_at));
    return OK;
}

static err make_pairs(struct matching *m)
{
    bool one_to_one = m->op->matching->card == CARD_ONE_TO_ONE;
    for (uint32_t sig = 0; sig < m->sides.count; sig++) {
        const struct match_list *many = &m->sides.left, *one = &m->sides.right;
        size_t many_count = many->starts[sig + 1] - many->starts[sig];
        size_t one_count = one->starts[sig + 1] - one->starts[sig];
        bool fills = (many_count > 0 && m->fill_one) || (one_count > 0 && m->fill_many);
        if (one_count > 1 || (one_to_one && many_count > 1 && one_count > 0) || fills) {
            TRY(pair_signature(m, sig));
            continue;
        }
        bool pairs = one_count == 1 && m->fault.step > 0;
        for (size_t i = many->starts[sig]; pairs && i < many->starts[sig + 1]; i++)
            TRY(add_pair(m, many->rows[i], one->rows[one->starts[sig]], sig, NULL));
    }
    return OK;
}

/* ---- values ---- */

static bool many_has(const struct matching *m, const struct pair *p, size_t k)
{
    if (p->many != FILL_ROW)
        return row_has(&m->many->rows[p->many], k);
    const struct match_list *l = &m->sides.left;
    for (size_t i = l->starts[p->sig]; i < l->starts[p->sig + 1]; i++)
        if (row_has(&m->many->rows[l->rows[i]], k) && !fails(m, l->rows[i], p->one, k))
            return false;
    return true;
}

static bool one_has(const struct matching *m, const struct pair *p, size_t k)
{
    if (p->one_at == NULL)
        return row_has(&m->one->rows[p->one], k);
    return p->one == FILL_ROW ? p->one_at[k] == NO_ROW : p->one_at[k] == p->one;
}

static bool pair_meets(const struct matching *m, const struct pair *p, size_t k)
{
    return many_has(m, p, k) && one_has(m, p, k);
}

static bool pair_gives(const struct matching *m, const struct pair *p, size_t k)
{
    return pair_meets(m, p, k) && !fails(m, p->many, p->one, k);
}

/* Pairs of one signature with equal labels must not meet at one step: the grouping labels have to
 * tell them apart. */
static err check_grouping(struct matching *m)
{
    if (m->op->matching->card == CARD_ONE_TO_ONE)
        return OK;
    struct group_table t;
    group_table_init(&t, m->x, NULL);
    uint32_t *first = ARENA_ARRAY(&m->x->arena, uint32_t, m->pair_count + 1);
    err e = first != NULL ? OK : exec_memory_error(m->x, m->x->diag);
    for (size_t i = 0; i < m->pair_count && e == OK; i++) {
        uint32_t id, before = t.count;
        e = group_table_add(&t, m->pairs[i].labels, &id);
        if (e != OK || id == before) {
            first[id] = (uint32_t)i;
            continue;
        }
        for (size_t j = first[id]; j < i && e == OK; j++) {
            const struct pair *a = &m->pairs[j], *b = &m->pairs[i];
            e = exec_visit_main(m->x, 1);
            if (a->sig != b->sig || !labels_eq(a->labels, b->labels))
                continue;
            if (e == OK)
                e = exec_visit_main(m->x, m->grid->count);
            for (size_t k = 0; k < m->grid->count && e == OK; k++)
                if (pair_gives(m, a, k) && pair_gives(m, b, k))
                    match_fault_note(&m->fault, (struct match_fault){k, FAULT_GROUPING, 0, 0});
        }
    }
    group_table_fini(&t);
    return e;
}

/* The values of one side of a pair, ABSENT where the pair does not meet. */
static const double *side_values(const struct matching *m, const struct pair *p, bool many,
                                 double *scratch)
{
    uint32_t row = many ? p->many : p->one;
    const struct vec *v = many ? m->many : m->one;
    if (p->one_at == NULL)
        return v->rows[row].values;
    double fill = many ? m->fill_many_value : m->fill_one_value;
    for (size_t k = 0; k < m->grid->count; k++) {
        double value = row == FILL_ROW ? fill : v->rows[row].values[k];
        scratch[k] = pair_meets(m, p, k) ? value : absent_value();
    }
    return scratch;
}

/* ---- histograms ---- */

static err note_problem(struct matching *m, const struct pair *p, size_t k, enum elem_problem e)
{
    size_t order = p->many != FILL_ROW ? p->many : m->many->count + p->one;
    if (m->problems == NULL)
        m->problems = ARENA_ARRAY(&m->x->arena, struct last_problem, m->grid->count);
    if (m->problems == NULL)
        return exec_memory_error(m->x, m->x->diag);
    struct last_problem *last = &m->problems[k];
    if (last->problem == ELEM_FINE || order >= last->order)
        *last = (struct last_problem){(uint32_t)order, (uint8_t)e};
    return OK;
}

static void tell_problems(struct matching *m)
{
    bool problems[ELEM_PROBLEMS] = {false};
    for (size_t k = 0; m->problems != NULL && k < m->grid->count; k++)
        problems[m->problems[k].problem] = true;
    elem_op_tell(m->x, m->plan->expr->start, m->op->op, problems);
}

static bool has_histograms(const struct matching *m, const struct pair *p)
{
    return (p->many != FILL_ROW && m->many->rows[p->many].hists != NULL) ||
           (p->one != FILL_ROW && m->one->rows[p->one].hists != NULL);
}

/* A pair at one step. What a comparison keeps of the one side is copied: its memory goes. */
static err operate_step(struct matching *m, const struct pair *p, size_t k, struct arena *a,
                        struct elem_result *out)
{
    struct elem l, r;
    elems_at(m, p->many, p->one, k, &l, &r);
    TRY(exec_visit_main(m->x, elem_visits(l) + elem_visits(r)));
    *out = (struct elem_result){.value = {.f = absent_value()}};
    enum elem_problem problem = elem_op_check(m->op->op, l, r);
    if (problem != ELEM_FINE)
        return note_problem(m, p, k, problem);
    err e = elem_op(m->op->op, l, r, a, out);
    if (e == OK && out->bounds)
        e = note_problem(m, p, k, ELEM_BOUNDS);
    bool borrowed = m->swapped && out->value.h != NULL && out->value.h == l.h;
    struct histogram *copy = NULL;
    if (e == OK && borrowed && out->keep && !m->op->return_bool)
        e = histogram_copy(l.h, a, &copy);
    if (copy != NULL)
        out->value.h = copy;
    return e == OK ? OK : exec_memory_error(m->x, m->x->diag);
}

/* Points of a pair where a side has a histogram: into `hists`, or 0 and 1 into `bools`, which is
 * ABSENT elsewhere. */
static err operate_histograms(struct matching *m, const struct pair *p, struct arena *a,
                              const struct histogram **hists, double *bools)
{
    for (size_t k = 0; k < m->grid->count; k++) {
        struct elem l, r;
        struct elem_result result;
        bools[k] = absent_value();
        if (!pair_meets(m, p, k))
            continue;
        elems_at(m, p->many, p->one, k, &l, &r);
        if (l.h == NULL && r.h == NULL)
            continue;
        TRY(operate_step(m, p, k, a, &result));
        if (result.value.h == NULL)
            continue;
        if (m->op->return_bool)
            bools[k] = result.keep ? 1 : 0;
        else if (result.keep)
            hists[k] = result.value.h;
    }
    return OK;
}

static err trim_floats(struct matching *m, const struct pair *p, const double *l, const double *r,
                       double *out)
{
    for (size_t k = 0; k < m->grid->count; k++) {
        if (!is_absent(l[k]) && !is_absent(r[k]))
            TRY(note_problem(m, p, k, ELEM_FLOAT_FLOAT));
        out[k] = absent_value();
    }
    return OK;
}

/* Compute a pair into the values of `out`, which may be those of its many row. */
static err pair_floats(struct matching *m, const struct pair *p, double *const *scratch,
                       double *out)
{
    const double *many = side_values(m, p, true, scratch[0]);
    const double *one = side_values(m, p, false, scratch[1]);
    const double *l = m->swapped ? one : many, *r = m->swapped ? many : one;
    enum binary_op op = m->op->op;
    if (binary_op_is_comparison(op))
        map_compare(op, l, r, l, m->op->return_bool, out, m->grid->count);
    else if (op <= OP_ATAN2)
        map_arithmetic(op, l, r, out, m->grid->count);
    else
        return trim_floats(m, p, l, r, out);
    return OK;
}

/* The same where a side has histograms, which are read before the values are overwritten. */
static err pair_mixed(struct matching *m, const struct pair *p, double *const *scratch,
                      struct arena *a, struct row *out)
{
    const struct histogram **hists = arena_zalloc(a, m->grid->count, sizeof(*hists));
    double *bools = scratch[2];
    if (hists == NULL)
        return exec_memory_error(m->x, m->x->diag);
    TRY(operate_histograms(m, p, a, hists, bools));
    TRY(pair_floats(m, p, scratch, out->values));
    for (size_t k = 0; k < m->grid->count; k++)
        if (!is_absent(bools[k]))
            out->values[k] = bools[k];
    out->hists = hists;
    return OK;
}

/* What computing a pair looks at: filled ones look at all rows of their signature. */
static uint64_t pair_visits(const struct matching *m, const struct pair *p)
{
    const struct match_list *l = &m->sides.left;
    size_t rows = p->many == FILL_ROW ? l->starts[p->sig + 1] - l->starts[p->sig] : 0;
    return (uint64_t)m->grid->count * (2 + rows);
}

/* Rows of the result. Those of plain pairs take the place of the many side's values, which no other
 * pair looks at. */
static err compute(struct matching *m, struct vec *out)
{
    struct exec *x = m->x;
    double *scratch[3] = {exec_scalar_row(x, m->grid), exec_scalar_row(x, m->grid),
                          exec_scalar_row(x, m->grid)};
    out->rows = ARENA_ARRAY(&out->arenas[0], struct row, m->pair_count + 1);
    if (scratch[0] == NULL || scratch[1] == NULL || scratch[2] == NULL || out->rows == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < m->pair_count; i++) {
        const struct pair *p = &m->pairs[i];
        TRY(exec_visit_main(x, pair_visits(m, p)));
        struct row *r = &out->rows[out->count++];
        *r = (struct row){.labels = p->labels, .drop_name = p->drop_name};
        r->values = p->one_at == NULL ? m->many->rows[p->many].values : vec_values(out, 0, m->grid);
        if (r->values == NULL)
            return exec_memory_error(x, x->diag);
        if (has_histograms(m, p))
            TRY(pair_mixed(m, p, scratch, &out->arenas[0], r));
        else
            TRY(pair_floats(m, p, scratch, r->values));
    }
    tell_problems(m);
    return OK;
}

/* ---- the operator ---- */

static void set_up(struct matching *m, struct vec *lhs, struct vec *rhs)
{
    const struct vector_matching *vm = m->op->matching;
    m->swapped = vm->card == CARD_ONE_TO_MANY;
    m->many = m->swapped ? rhs : lhs;
    m->one = m->swapped ? lhs : rhs;
    /* Upstream swaps the operands of group_right() but not these: fill_left() is of the many side
     * and fill_right() of the one side, wherever they stand. */
    m->fill_many = vm->has_fill_lhs;
    m->fill_one = vm->has_fill_rhs;
    m->fill_many_value = vm->fill_lhs;
    m->fill_one_value = vm->fill_rhs;
    m->may_fail = m->op->op == OP_TRIM_LOWER || m->op->op == OP_TRIM_UPPER || any_histograms(lhs) ||
                  any_histograms(rhs);
}

static err fault_error(const struct matching *m)
{
    const struct match_fault *f = &m->fault;
    if (f->kind == FAULT_DUPLICATE)
        return duplicate_error(m, &m->one->rows[f->row], &m->one->rows[f->earlier]);
    return diag_set(m->x->diag, ERR_INVALID, "multiple matches for labels: %s",
                    f->kind == FAULT_MANY
                        ? "many-to-one matching must be explicit (group_left/group_right)"
                        : "grouping labels must ensure unique matches");
}

/* The result up to a fault: its rows may be in conflict before that. */
static err match_and_compute(struct matching *m, struct grid *good, struct vec *out)
{
    TRY(match_sides_make(m->x, m->op->matching, m->many, m->one, &m->sides));
    TRY(make_pairs(m));
    TRY(check_grouping(m));
    if (m->fault.step == 0)
        return fault_error(m);
    good->count = MIN(good->count, m->fault.step);
    m->grid = good;
    TRY(compute(m, out));
    vec_compact(out, good);
    TRY(vec_merge_result(m->x, good, out));
    return m->fault.step < SIZE_MAX ? fault_error(m) : OK;
}

static err operate(struct exec *x, const struct plan *p, const struct grid *g, struct vec *lhs,
                   struct vec *rhs, struct vec *out)
{
    struct matching m = {
        .x = x, .plan = p, .grid = g, .op = &p->expr->binary, .fault = {.step = SIZE_MAX}};
    struct grid good = *g;
    set_up(&m, lhs, rhs);
    vec_init(x, out, 1);
    err e = match_and_compute(&m, &good, out);
    vec_adopt(out, m.many); /* its values are the result's now */
    out->one_name = false;
    if (e == OK)
        e = vec_account(x, out);
    if (e == OK)
        e = vec_hold(x, g, out);
    if (e != OK)
        vec_fini(x, out);
    return e;
}

err exec_binary_vectors(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    struct vec lhs, rhs;
    TRY(exec_vector(x, p->args[0], g, &lhs));
    err e = exec_vector(x, p->args[1], g, &rhs);
    if (e != OK) {
        vec_fini(x, &lhs);
        return e;
    }
    if (binary_op_is_set(p->expr->binary.op))
        e = set_operate(x, p, g, &lhs, &rhs, out);
    else
        e = operate(x, p, g, &lhs, &rhs, out);
    if (lhs.arenas != NULL)
        vec_fini(x, &lhs);
    if (rhs.arenas != NULL)
        vec_fini(x, &rhs);
    return e;
}
