/* histogram_set.c -- see histogram_set.h. */
#include "query/histogram_set.h"

#include "base/number.h"
#include "base/utf8.h"

struct bucket_row {
    double upper;
    uint32_t group, row;
};

void annotate_metric(struct exec *x, bool warning, const struct expr *at, str text,
                     struct labels metric)
{
    struct buf b = {0};
    buf_put_str(&b, text);
    str name = labels_get(metric, LABEL_NAME);
    if (x->options->delayed_name_removal && name.len > 0) {
        buf_put_str(&b, STR(" for metric name "));
        utf8_quote(&b, name);
    }
    (warning ? annotate_warning : annotate_info)(&x->annotations, at->start, "%s", buf_cstr(&b));
    buf_fini(&b);
}

/* ---- classic ---- */

static int compare_bucket_rows(const void *pa, const void *pb)
{
    const struct bucket_row *a = pa, *b = pb;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->upper != b->upper)
        return a->upper < b->upper ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static void warn_bad_bound(struct exec *x, const struct expr *arg, const struct row *r, str le)
{
    struct buf text = {0};
    buf_put_str(&text, STR("bucket label \"le\" is missing or has a malformed value of "));
    utf8_quote(&text, le);
    annotate_metric(x, true, arg, buf_str(&text), r->labels);
    buf_fini(&text);
}

static err add_bucket_rows(struct exec *x, const struct grid *g, const struct expr *arg,
                           struct histogram_set *s)
{
    for (size_t i = 0; i < s->in->count; i++) {
        const struct row *r = &s->in->rows[i];
        if (row_present(r->values, NULL, g->count) == 0)
            continue;
        str le = labels_get(r->labels, LABEL_BUCKET);
        struct bucket_row *b = &s->rows[s->row_count];
        if (number_parse_f64(le, false, &b->upper) != OK) {
            warn_bad_bound(x, arg, r, le);
            continue;
        }
        b->row = (uint32_t)i;
        TRY(group_table_add(&s->groups, r->labels, &b->group));
        s->row_count++;
    }
    s->classic_count = s->groups.count;
    return OK;
}

static err index_classic(struct exec *x, struct histogram_set *s)
{
    TRY(exec_sort(x, s->rows, s->row_count, sizeof(*s->rows), compare_bucket_rows));
    s->starts = ARENA_ARRAY(&x->arena, size_t, s->classic_count + 2);
    s->native_of = ARENA_ARRAY(&x->arena, uint32_t, s->classic_count + 1);
    s->scratch = ARENA_ARRAY(&x->arena, struct bucket, s->row_count + 1);
    if (s->starts == NULL || s->native_of == NULL || s->scratch == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0, g = 0; i < s->row_count; i++)
        while (g <= s->rows[i].group)
            s->starts[g++] = i;
    s->starts[s->classic_count] = s->row_count;
    for (uint32_t i = 0; i < s->classic_count; i++)
        s->native_of[i] = NO_HISTOGRAM;
    return OK;
}

/* ---- native ---- */

static bool any_histogram(const struct row *r, size_t count)
{
    for (size_t k = 0; r->hists != NULL && k < count; k++)
        if (r->hists[k] != NULL)
            return true;
    return false;
}

/* The classic histogram of a native one: equal in all labels, of which le is none. */
static err find_classic(struct histogram_set *s, struct labels ls, uint32_t *out)
{
    *out = NO_HISTOGRAM;
    if (s->classic_count == 0 || labels_get(ls, LABEL_BUCKET).len > 0)
        return OK;
    uint32_t group;
    TRY(group_table_add(&s->groups, ls, &group));
    if (group < s->classic_count)
        *out = group;
    return OK;
}

static err add_natives(struct exec *x, const struct grid *g, struct histogram_set *s)
{
    size_t most = 0;
    for (size_t i = 0; i < s->in->count; i++)
        most += s->in->rows[i].hists != NULL;
    s->natives = ARENA_ARRAY(&x->arena, struct native_row, most + 1);
    if (s->natives == NULL)
        return exec_memory_error(x, x->diag);
    for (size_t i = 0; i < s->in->count && most > 0; i++) {
        if (!any_histogram(&s->in->rows[i], g->count))
            continue;
        struct native_row *n = &s->natives[s->native_count];
        n->row = (uint32_t)i;
        TRY(find_classic(s, s->in->rows[i].labels, &n->classic));
        if (n->classic != NO_HISTOGRAM)
            s->native_of[n->classic] = s->native_count;
        s->native_count++;
    }
    return OK;
}

/* ---- both ---- */

err histogram_set_make(struct exec *x, const struct grid *g, const struct vec *in,
                       const struct expr *arg, struct histogram_set *out)
{
    static const str le[] = {{"le", 2}};
    *out = (struct histogram_set){.in = in};
    TRY(signature_make(x, (struct label_list){le, 1}, false, false, &out->without_le));
    out->rows = ARENA_ARRAY(&x->arena, struct bucket_row, in->count + 1);
    if (out->rows == NULL)
        return exec_memory_error(x, x->diag);
    group_table_init(&out->groups, x, &out->without_le);
    err e = add_bucket_rows(x, g, arg, out);
    if (e == OK)
        e = index_classic(x, out);
    if (e == OK)
        e = add_natives(x, g, out);
    if (e != OK)
        group_table_fini(&out->groups);
    return e;
}

void histogram_set_fini(struct histogram_set *s)
{
    group_table_fini(&s->groups);
}

size_t histogram_set_buckets(const struct histogram_set *s, size_t classic, size_t k)
{
    size_t n = 0;
    for (size_t i = s->starts[classic]; i < s->starts[classic + 1]; i++) {
        double count = s->in->rows[s->rows[i].row].values[k];
        if (!is_absent(count))
            s->scratch[n++] = (struct bucket){s->rows[i].upper, count};
    }
    return n;
}

const struct histogram *histogram_set_native(const struct histogram_set *s, size_t native, size_t k)
{
    return s->in->rows[s->natives[native].row].hists[k];
}

size_t histogram_set_width(const struct histogram_set *s, size_t classic)
{
    return s->starts[classic + 1] - s->starts[classic];
}
