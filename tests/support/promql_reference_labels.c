/* promql_reference_labels.c -- label sets: names dropped, labels set, series sorted, info(). */
#include <stdlib.h>

#include <xxhash.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "support/promql_reference_priv.h"

bool ref_listed(struct label_list l, str name)
{
    for (size_t i = 0; i < l.count; i++)
        if (str_eq(l.items[i], name))
            return true;
    return false;
}

struct labels ref_keep(struct ref_query *q, struct labels ls, struct label_list names, bool keep,
                       bool drop_name)
{
    struct label *items = ARENA_ARRAY(q->arena, struct label, ls.count + 1);
    size_t n = 0;
    for (size_t i = 0; i < ls.count; i++) {
        if (ref_listed(names, ls.items[i].name) != keep)
            continue;
        if (drop_name && str_eq(ls.items[i].name, LABEL_NAME))
            continue;
        items[n++] = ls.items[i];
    }
    return (struct labels){items, n};
}

struct labels ref_set(struct ref_query *q, struct labels ls, str name, str value)
{
    struct label *items = ARENA_ARRAY(q->arena, struct label, ls.count + 2);
    size_t n = 0;
    for (size_t i = 0; i < ls.count; i++)
        if (!str_eq(ls.items[i].name, name))
            items[n++] = ls.items[i];
    items[n++] = (struct label){name, value};
    return (struct labels){items, labels_sort(items, n)};
}

struct labels ref_no_metadata(struct ref_query *q, struct labels ls)
{
    const str names[] = {LABEL_NAME, LABEL_TYPE, LABEL_UNIT};
    return ref_keep(q, ls, (struct label_list){names, COUNT_OF(names)}, false, false);
}

void ref_drop_name(struct ref_query *q, struct ref_sample *s)
{
    if (q->delayed_name_removal)
        s->drop_name = true;
    else
        s->labels = ref_no_metadata(q, s->labels);
}

/* ---- what series that become one agree on ---- */

struct ref_drops {
    struct ref_flag {
        const struct expr *node;
        struct labels labels;
        bool drop_name;
    } flags[4096];
    size_t flag_count;
};

static struct ref_drops *drops_of(struct ref_query *q)
{
    if (q->drops == NULL)
        q->drops = ARENA_NEW(q->arena, struct ref_drops);
    return q->drops;
}

bool ref_first_flag(struct ref_query *q, const struct expr *node, const struct ref_sample *s)
{
    struct ref_drops *d = drops_of(q);
    struct ref_steps steps = ref_steps(q);
    if (steps.start_ms == steps.end_ms)
        return s->drop_name;
    for (size_t i = 0; i < d->flag_count; i++)
        if (d->flags[i].node == node && labels_eq(d->flags[i].labels, s->labels))
            return d->flags[i].drop_name;
    if (d->flag_count == COUNT_OF(d->flags)) {
        q->gave_up = true;
        ref_fail(q, "given up");
        return s->drop_name;
    }
    d->flags[d->flag_count++] = (struct ref_flag){node, s->labels, s->drop_name};
    return s->drop_name;
}

/* ---- label_replace(), label_join() ---- */

static str string_of(const struct expr_call *c, size_t i)
{
    return ref_unwrap(c->args[i])->string;
}

static bool valid_name(str name)
{
    return name.len > 0 && utf8_valid(name);
}

static void set_label(struct ref_query *q, struct ref_sample *s, str name, str value)
{
    s->labels = ref_set(q, s->labels, name, value);
    if (str_eq(name, LABEL_NAME))
        s->drop_name = false;
}

struct ref_vector ref_label_replace(struct ref_query *q, const struct expr_call *c, int64_t t)
{
    struct regex *re;
    if (regex_compile(string_of(c, 4), &re, NULL) != OK) {
        ref_fail(q, "invalid regular expression in label_replace(): " STR_FMT,
                 STR_ARG(string_of(c, 4)));
        return (struct ref_vector){0};
    }
    if (!valid_name(string_of(c, 1)))
        ref_fail(q, "invalid destination label name in label_replace(): " STR_FMT,
                 STR_ARG(string_of(c, 1)));
    struct ref_vector v = ref_eval(q, c->args[0], t);
    struct buf b = {0};
    for (size_t i = 0; i < v.count; i++) {
        buf_reset(&b);
        if (regex_expand(re, labels_get(v.items[i].labels, string_of(c, 3)), string_of(c, 2), &b))
            set_label(q, &v.items[i], string_of(c, 1), arena_str(q->arena, buf_str(&b)));
    }
    buf_fini(&b);
    regex_close(re);
    ref_check_distinct(q, v);
    return v;
}

struct ref_vector ref_label_join(struct ref_query *q, const struct expr_call *c, int64_t t)
{
    for (size_t i = 3; i < c->arg_count; i++)
        if (!valid_name(string_of(c, i)))
            ref_fail(q, "invalid source label name in label_join(): " STR_FMT,
                     STR_ARG(string_of(c, i)));
    if (!valid_name(string_of(c, 1)))
        ref_fail(q, "invalid destination label name in label_join(): " STR_FMT,
                 STR_ARG(string_of(c, 1)));
    struct ref_vector v = ref_eval(q, c->args[0], t);
    struct buf b = {0};
    for (size_t i = 0; i < v.count; i++) {
        buf_reset(&b);
        for (size_t k = 3; k < c->arg_count; k++) {
            if (k > 3)
                buf_put_str(&b, string_of(c, 2));
            buf_put_str(&b, labels_get(v.items[i].labels, string_of(c, k)));
        }
        set_label(q, &v.items[i], string_of(c, 1), arena_str(q->arena, buf_str(&b)));
    }
    buf_fini(&b);
    ref_check_distinct(q, v);
    return v;
}

/* ---- sorting: by insertion, the order of equals is nobody's business ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Natural order as the library upstream uses has it: runs of digits by value where both have one at
 * the same place, bytes else; the shorter first. */
static int natural(str a, str b)
{
    size_t i = 0, j = 0;
    while (i < a.len && j < b.len) {
        size_t m = i, n = j;
        while (m < a.len && is_digit(a.ptr[m]))
            m++;
        while (n < b.len && is_digit(b.ptr[n]))
            n++;
        if (m > i && n > j) {
            unsigned long long x = strtoull(a.ptr + i, NULL, 10), y = strtoull(b.ptr + j, NULL, 10);
            if (x != y)
                return x < y ? -1 : 1;
            i = m;
            j = n;
            continue;
        }
        if (a.ptr[i] != b.ptr[j])
            return (unsigned char)a.ptr[i] < (unsigned char)b.ptr[j] ? -1 : 1;
        i++;
        j++;
    }
    return (i < a.len) - (j < b.len);
}

static int compare_by_labels(const struct expr_call *c, const struct ref_sample *a,
                             const struct ref_sample *b)
{
    for (size_t i = 1; i < c->arg_count; i++) {
        str name = string_of(c, i);
        int d = natural(labels_get(a->labels, name), labels_get(b->labels, name));
        if (d != 0)
            return d;
    }
    return labels_cmp(a->labels, b->labels);
}

/* Should `b` stand before `a`? NaN comes last either way. */
static bool out_of_order(const struct expr_call *c, const struct ref_sample *a,
                         const struct ref_sample *b)
{
    switch ((int)c->func->id) {
    case FUNC_SORT_BY_LABEL:
        return compare_by_labels(c, a, b) > 0;
    case FUNC_SORT_BY_LABEL_DESC:
        return compare_by_labels(c, a, b) < 0;
    case FUNC_SORT:
        return isnan(a->value) ? !isnan(b->value) : a->value > b->value;
    default:
        return isnan(a->value) ? !isnan(b->value) : a->value < b->value;
    }
}

struct ref_vector ref_sort_call(struct ref_query *q, const struct expr *e, int64_t t)
{
    const struct expr_call *c = &e->call;
    struct ref_vector v = ref_eval(q, c->args[0], t);
    struct ref_steps steps = ref_steps(q);
    bool by_value = c->func->id == FUNC_SORT || c->func->id == FUNC_SORT_DESC;
    size_t n = 0;
    for (size_t i = 0; i < v.count; i++)
        if (!by_value || v.items[i].hist == NULL)
            v.items[n++] = v.items[i];
    v.count = n;
    if (steps.start_ms < steps.end_ms) { /* in what order the rows are is anyone's */
        ref_warn(q, e->start,
                 "sort is ineffective for range queries since results are always ordered by "
                 "labels");
        return v;
    }
    for (size_t i = 1; i < n; i++) {
        struct ref_sample s = v.items[i];
        size_t at = i;
        for (; at > 0 && out_of_order(c, &v.items[at - 1], &s); at--)
            v.items[at] = v.items[at - 1];
        v.items[at] = s;
    }
    return v;
}

/* ---- absent() ---- */

struct labels ref_absent_labels(struct ref_query *q, const struct expr *arg)
{
    const struct expr_vector *v = NULL;
    struct labels out = {0};
    if (arg->kind == EXPR_VECTOR)
        v = &arg->vector;
    else if (arg->kind == EXPR_MATRIX)
        v = &arg->matrix.selector->vector;
    for (size_t i = 0; v != NULL && i < v->matcher_count; i++) {
        const struct matcher *m = &v->matchers[i];
        if (str_eq(m->name, LABEL_NAME))
            continue;
        bool seen = false; /* as an equality before */
        for (size_t k = 0; k < i; k++)
            seen = seen ||
                   (v->matchers[k].type == MATCH_EQUAL && str_eq(v->matchers[k].name, m->name));
        out = ref_set(q, out, m->name, m->type == MATCH_EQUAL && !seen ? m->value : STR(""));
    }
    return out;
}

/* ---- info() ---- */

enum { IDENTITY_LABELS = 2, IDENTITY_VALUES_MAX = 4096 };

static const str IDENTITY[IDENTITY_LABELS] = {{"instance", 8}, {"job", 3}};

struct info_args {
    const struct matcher *matchers; /* of the second argument; NULL: none */
    size_t count;
};

static bool is_name(const struct matcher *m)
{
    return str_eq(m->name, LABEL_NAME);
}

/* Is `name` that of a metric whose labels are asked for? Where no name is asked for it is
 * target_info; where some are only not wanted, what is named like an info metric. */
static bool info_name_matches(const struct info_args *a, str name)
{
    bool any = false, wanted = false;
    for (size_t i = 0; i < a->count; i++) {
        const struct matcher *m = &a->matchers[i];
        if (!is_name(m))
            continue;
        any = true;
        wanted = wanted || m->type == MATCH_EQUAL || m->type == MATCH_REGEX;
        if (!matcher_matches(m, name))
            return false;
    }
    if (!any)
        return str_eq(name, STR("target_info"));
    return wanted || (name.len > 5 && memcmp(name.ptr + name.len - 5, "_info", 5) == 0);
}

/* Is `name` a label the caller asks for? */
static bool info_wants(const struct info_args *a, str name)
{
    bool any = false;
    for (size_t i = 0; i < a->count; i++) {
        any = any || !is_name(&a->matchers[i]);
        if (str_eq(a->matchers[i].name, name))
            return true;
    }
    return !any;
}

static bool same_identity(struct labels a, struct labels b)
{
    for (size_t i = 0; i < IDENTITY_LABELS; i++)
        if (!str_eq(labels_get(a, IDENTITY[i]), labels_get(b, IDENTITY[i])))
            return false;
    return true;
}

/* Info series are those of the time that the first selector of the argument looks at. */
static bool info_time(const struct expr *e, struct expr_time *out)
{
    e = ref_unwrap(e);
    if (e->kind == EXPR_VECTOR || e->kind == EXPR_MATRIX) {
        *out = e->kind == EXPR_VECTOR ? e->vector.time : e->matrix.selector->vector.time;
        return true;
    }
    for (size_t i = 0; expr_child(e, i) != NULL; i++) {
        if (!info_time(expr_child(e, i), out))
            continue;
        if (e->kind == EXPR_SUBQUERY && out->at == AT_NONE) {
            const struct expr_time *t = &e->subquery.time;
            out->at = t->at;
            out->at_ms = t->at_ms;
            out->offset_ms += t->offset_ms;
        }
        return true;
    }
    return false;
}

/* What the series of an info() call have as identifying labels, at any step: info series are looked
 * for once a call, not once a step. */
struct ref_identities {
    const struct expr_call *call;
    str values[IDENTITY_LABELS][IDENTITY_VALUES_MAX];
    size_t counts[IDENTITY_LABELS];
    struct ref_identities *next;
};

static bool has_value(const struct ref_identities *ids, size_t k, str value)
{
    for (size_t i = 0; i < ids->counts[k]; i++)
        if (str_eq(ids->values[k][i], value))
            return true;
    return false;
}

static const struct ref_identities *identities_of(struct ref_query *q, const struct expr_call *c,
                                                  const struct info_args *a)
{
    struct ref_identities *ids = q->identities;
    struct ref_steps steps = ref_steps(q);
    while (ids != NULL && ids->call != c)
        ids = ids->next;
    if (ids != NULL)
        return ids;
    ids = ARENA_NEW(q->arena, struct ref_identities);
    *ids = (struct ref_identities){.call = c};
    for (int64_t t = steps.start_ms; t <= steps.end_ms && q->error[0] == 0; t += steps.step_ms) {
        struct ref_vector v = ref_eval(q, c->args[0], t);
        for (size_t i = 0; i < v.count; i++) {
            for (size_t k = 0; k < IDENTITY_LABELS; k++) {
                str value = labels_get(v.items[i].labels, IDENTITY[k]);
                if (value.len == 0 ||
                    info_name_matches(a, labels_get(v.items[i].labels, LABEL_NAME)) ||
                    has_value(ids, k, value))
                    continue;
                ASSERT(ids->counts[k] < IDENTITY_VALUES_MAX);
                ids->values[k][ids->counts[k]++] = value;
            }
        }
    }
    ids->next = q->identities;
    return q->identities = ids;
}

/* Info series with a sample at `t`; their values are the samples' times. Only those whose
 * identifying labels some base series has are looked at. */
static struct ref_vector info_series(struct ref_query *q, const struct info_args *a,
                                     struct expr_time time, const struct ref_identities *ids,
                                     int64_t t)
{
    struct ref_vector out = ref_room(q, fake_store_count(q->store));
    struct expr_vector all = {.time = time};
    struct ref_vector v = ref_select(q, &all, t, REF_INFO);
    for (size_t i = 0; i < v.count; i++) {
        struct labels ls = v.items[i].labels;
        bool any = false, all_known = true;
        for (size_t k = 0; k < IDENTITY_LABELS; k++) {
            any = any || ids->counts[k] > 0;
            all_known = all_known &&
                        (ids->counts[k] == 0 || has_value(ids, k, labels_get(ls, IDENTITY[k])));
        }
        if (any && all_known && info_name_matches(a, labels_get(ls, LABEL_NAME)) &&
            matchers_match(a->matchers, a->count, ls))
            ref_put(&out, v.items[i]);
    }
    return out;
}

/* Of info series of one name and identity the newest is left. */
static void info_newest(struct ref_query *q, struct ref_vector *v)
{
    size_t n = 0;
    for (size_t i = 0; i < v->count; i++) {
        size_t k = 0;
        while (k < n && !(same_identity(v->items[k].labels, v->items[i].labels) &&
                          str_eq(labels_get(v->items[k].labels, LABEL_NAME),
                                 labels_get(v->items[i].labels, LABEL_NAME))))
            k++;
        if (k == n)
            v->items[n++] = v->items[i];
        else if (v->items[k].value == v->items[i].value)
            ref_fail(q, "found duplicate series for info metric");
        else if (v->items[k].value < v->items[i].value)
            v->items[k] = v->items[i];
    }
    v->count = n;
}

static bool info_may_be_missing(const struct info_args *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (!is_name(&a->matchers[i]) && !matcher_matches(&a->matchers[i], STR("")))
            return false;
    return true;
}

/* Labels of the info series that `s` gets; *matched: was there one? */
static struct labels info_labels(struct ref_query *q, const struct info_args *a,
                                 struct ref_vector info, const struct ref_sample *s, bool *matched)
{
    struct labels add = {0};
    for (size_t i = 0; i < info.count; i++) {
        struct labels ls = info.items[i].labels;
        if (!same_identity(ls, s->labels))
            continue;
        *matched = true;
        for (size_t k = 0; k < ls.count; k++) {
            str name = ls.items[k].name, had = labels_get(add, name);
            if (str_eq(name, LABEL_NAME) || !info_wants(a, name))
                continue;
            if (had.len > 0 && !str_eq(had, ls.items[k].value))
                ref_fail(q, "conflicting label: " STR_FMT, STR_ARG(name));
            if (labels_get(s->labels, name).ptr == NULL)
                add = ref_set(q, add, name, ls.items[k].value);
        }
    }
    return add;
}

struct ref_vector ref_info_call(struct ref_query *q, const struct expr_call *c, int64_t t)
{
    struct info_args a = {0};
    if (c->arg_count > 1) {
        const struct expr_vector *v = &ref_unwrap(c->args[1])->vector;
        a = (struct info_args){v->matchers, v->matcher_count};
    }
    struct ref_vector base = ref_eval(q, c->args[0], t), out = ref_room(q, base.count);
    bool *ignored = ARENA_ARRAY(q->arena, bool, base.count + 1);
    for (size_t i = 0; i < base.count; i++)
        ignored[i] = info_name_matches(&a, labels_get(base.items[i].labels, LABEL_NAME));
    struct expr_time time = {0};
    (void)info_time(c->args[0], &time);
    struct ref_vector info = info_series(q, &a, time, identities_of(q, c, &a), t);
    if (base.count > 0)
        info_newest(q, &info);
    for (size_t i = 0; i < base.count; i++) {
        struct ref_sample s = base.items[i];
        bool matched = false;
        struct labels add = {0};
        if (!ignored[i])
            add = info_labels(q, &a, info, &s, &matched);
        if (!ignored[i] && !matched && !info_may_be_missing(&a))
            continue;
        for (size_t k = 0; k < add.count; k++)
            s.labels = ref_set(q, s.labels, add.items[k].name, add.items[k].value);
        ref_put(&out, s);
    }
    ref_check_distinct(q, out);
    return out;
}

/* ---- limit_ratio() ---- */

static void put_size(struct buf *b, size_t n)
{
    if (n < 255) {
        buf_put_u8(b, (uint8_t)n);
        return;
    }
    buf_put_u8(b, 255);
    for (unsigned shift = 0; shift < 24; shift += 8)
        buf_put_u8(b, (uint8_t)(n >> shift));
}

double ref_hash_offset(struct labels ls)
{
    struct buf b = {0};
    for (size_t i = 0; i < ls.count; i++) {
        put_size(&b, ls.items[i].name.len);
        buf_put_str(&b, ls.items[i].name);
        put_size(&b, ls.items[i].value.len);
        buf_put_str(&b, ls.items[i].value);
    }
    double offset = (double)XXH64(b.ptr, b.len, 0) / 18446744073709551616.0;
    buf_fini(&b);
    return offset;
}
