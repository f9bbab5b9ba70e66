/* query_rows.c -- see query_rows.h. */
#include "support/query_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "model/histogram_walk.h"
#include "model/sample.h"

enum { SERIES_MAX = 64 };

void query_rows_load(struct fake_store *store, size_t series, int step_s, const char *values)
{
    int64_t at = 0;
    for (const char *p = values; *p != 0; at += step_s * 1000) {
        size_t n = strcspn(p, " ");
        double v = f64_from_bits(STALE_NAN_BITS);
        if (*p != '_') {
            if (*p != 's')
                assert_int_equal(number_parse_f64((str){p, n}, false, &v), OK);
            fake_store_add(store, series, at, v);
        }
        p += n + strspn(p + n, " ");
    }
}

static void show_number(struct buf *b, double v)
{
    char text[NUMBER_SIZE_MAX];
    buf_put(b, text, number_format_json(v, text));
}

static void show_point(struct buf *b, const struct query_series *s, size_t at)
{
    static const char *const HINTS[] = {"", " reset", " no_reset", " gauge"};
    const struct histogram *h = s->histograms != NULL ? s->histograms[at] : NULL;
    if (h == NULL) {
        show_number(b, s->values[at]);
        return;
    }
    histogram_format(h, b);
    buf_put_str(b, str_from(HINTS[h->reset_hint]));
}

/* `raw`: a range as it is, not by steps. */
static void show_series(struct buf *b, const struct query_options *o, const struct query_series *s,
                        bool raw)
{
    size_t at = 0, start = b->len;
    labels_format_metric(s->labels, b);
    if (b->len == start)
        buf_put_str(b, STR("{}"));
    for (int64_t t = o->start_ms; !raw && t <= o->end_ms; t += MAX(o->step_ms, 1)) {
        buf_put_u8(b, ' ');
        if (at < s->count && s->ts_ms[at] == t)
            show_point(b, s, at++);
        else
            buf_put_u8(b, '_');
    }
    for (; raw && at < s->count; at++) {
        buf_put_u8(b, ' ');
        show_point(b, s, at);
        buf_printf(b, "@%lld", (long long)s->ts_ms[at] / 1000);
    }
    assert_int_equal(at, s->count);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void query_rows_show(struct query *q, const struct query_options *o, bool sort, struct buf *out)
{
    char *lines[SERIES_MAX];
    size_t n = 0;
    struct query_series s;
    bool raw = query_expr_type(q) == VALUE_MATRIX;
    while (query_next_series(q, &s)) {
        struct buf b = {0};
        assert_true(n < SERIES_MAX);
        show_series(&b, o, &s, raw);
        lines[n++] = strdup(buf_cstr(&b));
        buf_fini(&b);
    }
    if (sort)
        qsort(lines, n, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s%s", i > 0 ? "; " : "", lines[i]);
        free(lines[i]);
    }
}

static void show_result(struct buf *b, struct query *q, const struct query_options *o)
{
    const struct query_result *r = query_result(q);
    if (r->type == VALUE_SCALAR)
        show_number(b, r->scalar);
    else if (r->type == VALUE_STRING)
        buf_put_str(b, r->string);
    else
        query_rows_show(q, o, query_expr_type(q) == VALUE_VECTOR, b);
    for (size_t i = 0; i < r->warning_count; i++)
        buf_printf(b, " | " STR_FMT, STR_ARG(r->warnings[i]));
    for (size_t i = 0; i < r->info_count; i++)
        buf_printf(b, " | " STR_FMT, STR_ARG(r->infos[i]));
}

void query_rows_run(struct fake_store *store, struct pool *pool, const char *text,
                    const struct query_options *o, struct buf *out)
{
    struct query_env env = {&FAKE_SOURCE, store, pool};
    struct query *q = NULL;
    struct diag d = {0};
    err e = query_prepare(&env, str_from(text), o, &q, &d);
    if (e == OK)
        e = query_exec(q, &d);
    if (e == OK)
        show_result(out, q, o);
    else
        buf_printf(out, "%s: %s", err_name(e), d.text);
    query_close(q);
}

void query_rows_check(struct fake_store *store, struct pool *pool, const struct query_row *rows,
                      size_t count, struct query_options base)
{
    int bad = 0;
    for (size_t i = 0; i < count; i++) {
        struct buf b = {0};
        struct query_options o = base;
        o.start_ms = rows[i].start_s * 1000;
        o.end_ms = rows[i].end_s * 1000;
        o.step_ms = rows[i].step_s * 1000;
        query_rows_run(store, pool, rows[i].query, &o, &b);
        if (strcmp(buf_cstr(&b), rows[i].expected) != 0) {
            print_error("%s\n  expected: %s\n  got:      %s\n", rows[i].query, rows[i].expected,
                        buf_cstr(&b));
            bad++;
        }
        buf_fini(&b);
    }
    assert_int_equal(bad, 0);
}
