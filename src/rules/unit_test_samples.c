/* unit_test_samples.c -- promql_expr_test: a result against what is expected. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/duration.h"
#include "base/number.h"
#include "base/utf8.h"
#include "model/histogram_walk.h"
#include "query/series_notation.h"
#include "rules/unit_test_priv.h"

struct sample_text { /* a sample as it is compared and shown */
    struct labels labels;
    double value;
    str histogram; /* "": a float */
};

struct sample_list {
    struct sample_text *items;
    size_t count;
};

static err no_memory(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "the samples of the test need too much memory");
}

static int by_labels(const void *a, const void *b)
{
    const struct sample_text *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

static err histogram_text(const struct histogram *h, struct arena *a, str *out, struct diag *d)
{
    struct buf text = {0};
    series_notation_format(h, &text);
    *out = arena_str(a, buf_str(&text));
    buf_fini(&text);
    return out->ptr != NULL ? OK : no_memory(d);
}

/* ---- What is expected ---- */

/* The one histogram that `text` means, as text that equal ones share. */
static err read_histogram(str text, struct arena *a, str *out, struct diag *d)
{
    struct buf series = {0};
    struct series_notation n;
    buf_put_str(&series, STR("{} "));
    buf_put_str(&series, text);
    err e = series_notation_parse(buf_str(&series), a, &n, d);
    buf_fini(&series);
    TRY(e);
    if (n.count != 1)
        return diag_set(d, ERR_INVALID, "expected 1 value, got %zu", n.count);
    if (n.places->histogram == NULL)
        return diag_set(d, ERR_INVALID, "expected histogram, got " STR_FMT, STR_ARG(text));
    return histogram_text(n.places->histogram, a, out, d);
}

static err read_expected(const struct rule_test_sample *s, struct arena *a, struct sample_text *out,
                         struct diag *d)
{
    struct diag why = {.text = ""};
    struct buf quoted = {0};
    *out = (struct sample_text){.value = s->value};
    err e = series_notation_labels(s->labels, a, &out->labels, &why);
    if (e == OK && s->histogram.len > 0)
        e = read_histogram(s->histogram, a, &out->histogram, &why);
    if (e != OK) {
        utf8_quote(&quoted, s->labels);
        e = diag_set(d, e, "labels " STR_FMT ": %s", STR_ARG(buf_str(&quoted)), why.text);
        buf_fini(&quoted);
    }
    return e;
}

static err expected_list(const struct rule_test_query *c, struct arena *a, struct sample_list *out,
                         struct diag *d)
{
    out->items = ARENA_ARRAY(a, struct sample_text, c->expected_count + 1);
    if (out->items == NULL)
        return no_memory(d);
    for (size_t i = 0; i < c->expected_count; i++)
        TRY(read_expected(&c->expected[i], a, &out->items[i], d));
    out->count = c->expected_count;
    qsort(out->items, out->count, sizeof(*out->items), by_labels);
    return OK;
}

/* ---- What came ---- */

static err got_list(const struct rule_vector *v, struct arena *a, struct sample_list *out,
                    struct diag *d)
{
    out->items = ARENA_ARRAY(a, struct sample_text, v->count + 1);
    if (out->items == NULL)
        return no_memory(d);
    for (size_t i = 0; i < v->count; i++) {
        struct sample_text *s = &out->items[i];
        *s = (struct sample_text){.labels = v->items[i].labels, .value = v->items[i].value};
        if (v->items[i].histogram != NULL)
            TRY(histogram_text(v->items[i].histogram, a, &s->histogram, d));
    }
    out->count = v->count;
    qsort(out->items, out->count, sizeof(*out->items), by_labels);
    return OK;
}

static bool same_value(double x, double y, bool fuzzy)
{
    if (x == y) /* NaN is equal to nothing, as for promtool */
        return true;
    return fuzzy && (nextafter(x, -INFINITY) == y || nextafter(x, INFINITY) == y);
}

static bool same_list(const struct sample_list *x, const struct sample_list *y, bool fuzzy)
{
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++) {
        const struct sample_text *p = &x->items[i], *q = &y->items[i];
        if (!labels_eq(p->labels, q->labels) || !str_eq(p->histogram, q->histogram))
            return false;
        if (p->histogram.len == 0 && !same_value(p->value, q->value, fuzzy))
            return false;
    }
    return true;
}

/* As Go's FormatFloat(v, 'E', -1, 64). */
static void put_value(struct buf *out, double v)
{
    char text[NUMBER_SIZE_MAX];
    size_t len = number_format_e(v, text);
    for (size_t i = 0; isfinite(v) && i < len; i++)
        if (text[i] == 'e')
            text[i] = 'E';
    buf_put(out, text, len);
}

static void put_list(struct buf *out, const struct sample_list *l)
{
    if (l->count == 0)
        buf_put_str(out, STR("nil"));
    for (size_t i = 0; i < l->count; i++) {
        if (i > 0)
            buf_put_str(out, STR(", "));
        labels_format(l->items[i].labels, out);
        buf_put_u8(out, ' ');
        if (l->items[i].histogram.len > 0)
            buf_put_str(out, l->items[i].histogram);
        else
            put_value(out, l->items[i].value);
    }
}

static void put_head(struct buf *out, const struct rule_test_query *c)
{
    char time[DURATION_SIZE_MAX];
    buf_put_str(out, STR("    expr: "));
    utf8_quote(out, c->expr);
    buf_printf(out, ", time: %.*s,", (int)duration_format(c->eval_ms, time), time);
}

void unit_compare_query(struct unit_run *run, const struct rule_test_query *c)
{
    static const struct query_asker who = {.kind = "test"};
    struct arena a;
    struct rule_vector v;
    struct diag d = {.text = ""};
    struct sample_list expected = {0}, got = {0};
    struct buf text = {0};
    arena_init(&a, UNIT_TEST_MEMORY_BYTES);
    err e =
        rule_query(&run->env.querier, &who, c->expr, run->test->start_ms + c->eval_ms, &a, &v, &d);
    if (e == OK)
        e = got_list(&v, &a, &got, &d);
    if (e == OK)
        e = expected_list(c, &a, &expected, &d);
    if (e != OK || !same_list(&expected, &got, run->file->fuzzy_compare)) {
        put_head(&text, c);
        if (e != OK) {
            buf_printf(&text, " err: %s", d.text);
        } else {
            buf_put_str(&text, STR("\n        exp: "));
            put_list(&text, &expected);
            buf_put_str(&text, STR("\n        got: "));
            put_list(&text, &got);
        }
        unit_fail(run->failures, &text);
    }
    buf_fini(&text);
    arena_fini(&a);
}

/* ---- Everything, for who wonders ---- */

static void put_series(struct buf *out, const struct query_series *s)
{
    char text[NUMBER_SIZE_MAX];
    labels_format(s->labels, out);
    buf_put_str(out, STR(" =>"));
    for (int histograms = 0; histograms < 2; histograms++) /* floats first */
        for (size_t i = 0; i < s->count; i++) {
            const struct histogram *h = s->histograms != NULL ? s->histograms[i] : NULL;
            if ((h != NULL) != (histograms == 1))
                continue;
            buf_put_u8(out, '\n');
            if (h != NULL)
                histogram_format(h, out);
            else
                buf_put(out, text, number_format_f(s->values[i], text));
            buf_printf(out, " @[%lld]", (long long)s->ts_ms[i]);
        }
    buf_put_u8(out, '\n');
}

void unit_dump(struct unit_run *run, int64_t ms, struct buf *out)
{
    struct query_options o = run->env.querier.options;
    struct query *q = NULL;
    struct query_series s;
    struct diag d = {.text = ""};
    char expr[DURATION_SIZE_MAX + 32], time[DURATION_SIZE_MAX], range[DURATION_SIZE_MAX];
    int64_t until_ms = (ms / 1000 + 1) * 1000; /* a whole number of seconds, as upstream */
    int len = (int)duration_format(until_ms + 1, range); /* ranges are open at their start */
    (void)snprintf(expr, sizeof(expr), "{__name__=~\".+\"}[%.*s]", len, range);
    o.start_ms = o.end_ms = run->test->start_ms + until_ms;
    err e = query_prepare(&run->env.querier.env, str_from(expr), &o, &q, &d);
    if (e == OK)
        e = query_exec(q, &d);
    if (e != OK) {
        buf_printf(out, "DEBUG: Failed query exec, expr: \"%s\", err: %s\n", expr, d.text);
    } else {
        buf_printf(out, "DEBUG: Dump of all data (input_series and rules) at %.*s:\n",
                   (int)duration_format(until_ms, time), time);
        while (query_next_series(q, &s))
            put_series(out, &s);
    }
    query_close(q);
}
