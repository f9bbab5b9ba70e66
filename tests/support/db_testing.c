/* db_testing.c -- see db_testing.h. */
#include "support/db_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/number.h"
#include "storage/db_priv.h"

enum { SERIES_MAX = 64 };

struct db_options testing_options(struct fs_sim *sim)
{
    struct db_options o = db_options_default();
    o.fs = fs_sim_fs(sim);
    o.path = "/data";
    o.no_background = true;
    return o;
}

struct db *testing_open(struct fs_sim *sim, const struct db_options *options)
{
    struct db_options o = options != NULL ? *options : testing_options(sim);
    struct diag d = {0};
    struct db *db;
    if (db_tuning.wal_segment_size_max == 0) /* what servers write ahead is slow to simulate */
        db_tuning = (struct db_tuning){16 << 10, 256 << 10, 64 << 10};
    if (db_open(&o, &db, &d) != OK)
        fail_msg("db_open: %s", d.text);
    return db;
}

uint32_t testing_series(struct db *db, const char *name, const char *k, const char *v)
{
    struct label items[2] = {{LABEL_NAME, str_from(name)}};
    uint32_t id;
    if (k != NULL)
        items[1] = (struct label){str_from(k), str_from(v)};
    assert_int_equal(db_create(db, (struct labels){items, k != NULL ? 2 : 1}, NULL, &id, NULL), OK);
    return id;
}

err testing_put(struct db *db, uint32_t series, int64_t ts_ms, double value)
{
    struct db_row row = {.ts_ms = ts_ms, .value = value, .series = series};
    struct db_batch b = {.rows = &row, .row_count = 1, .all_or_nothing = true};
    b.epoch = db_resolve(db, NULL, 0, NULL);
    err e = db_commit_wait(db, &b);
    db_batch_fini(&b);
    return e;
}

struct found {
    struct labels labels;
    size_t index;
};

static int found_cmp(const void *a, const void *b)
{
    return labels_cmp(((const struct found *)a)->labels, ((const struct found *)b)->labels);
}

static void print_series(struct series_reader *r, size_t i, int64_t min_ms, int64_t max_ms,
                         struct buf *out)
{
    struct series_columns c;
    struct diag d = {0};
    if (series_read(r, i, &c, &d) != OK)
        fail_msg("series_read: %s", d.text);
    for (size_t k = 0; k < c.count; k++) {
        char number[NUMBER_SIZE_MAX];
        if (c.ts_ms[k] < min_ms || c.ts_ms[k] > max_ms)
            continue;
        if (out->len > 0 && out->ptr[out->len - 1] != '|')
            buf_put_u8(out, ' ');
        buf_printf(out, "%" PRId64 ":", c.ts_ms[k] - T0);
        if (c.histograms != NULL && c.histograms[k] != NULL)
            buf_put_str(out, STR("h"));
        else
            buf_put(out, number, number_format_json(c.values[k], number));
    }
}

const char *testing_get(struct db *db, const char *name, int64_t min_ms, int64_t max_ms)
{
    static char text[8192];
    struct buf out = {0};
    struct matcher m;
    struct arena a;
    struct selection *s;
    struct series_reader *r;
    struct found found[SERIES_MAX];
    assert_int_equal(matcher_init(&m, MATCH_EQUAL, LABEL_NAME, str_from(name), NULL), OK);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = min_ms, .max_ms = max_ms};
    arena_init(&a, 256 << 20);
    assert_int_equal(db_select(db, &args, &a, &s, NULL), OK);
    assert_int_equal(series_reader_open(s, &a, &r), OK);
    size_t n = selection_count(s);
    assert_true(n <= SERIES_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(selection_labels(s, i, &found[i].labels), OK);
        found[i].index = i;
    }
    qsort(found, n, sizeof(*found), found_cmp);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_put_u8(&out, '|');
        print_series(r, found[i].index, min_ms, max_ms, &out);
    }
    snprintf(text, sizeof(text), "%s", buf_cstr(&out));
    buf_fini(&out);
    series_reader_close(r);
    selection_close(s);
    arena_fini(&a);
    return text;
}

const char *testing_warnings(struct db *db)
{
    static char text[8192];
    struct buf out = {0};
    struct matcher m;
    struct arena a;
    struct selection *s;
    const str *w;
    assert_int_equal(matcher_init(&m, MATCH_NOT_EQUAL, LABEL_NAME, STR(""), NULL), OK);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = INT64_MIN, .max_ms = INT64_MAX};
    arena_init(&a, 256 << 20);
    assert_int_equal(db_select(db, &args, &a, &s, NULL), OK);
    size_t n = selection_warnings(s, &w);
    for (size_t i = 0; i < n; i++) {
        buf_put_str(&out, w[i]);
        buf_put_u8(&out, '\n');
    }
    snprintf(text, sizeof(text), "%s", buf_cstr(&out));
    buf_fini(&out);
    selection_close(s);
    arena_fini(&a);
    return text;
}
