/* db_model.c -- see db_model.h. */
#include "support/db_model.h"
#include "storage/db_inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

enum { LABELS = 3, ARENA_BYTES = 256 << 20 };

#define CHECK(m, x)                                                                                \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            print_error("model seed %" PRIu64 ": ", (m)->seed);                                    \
            fail_msg("%s:%d: %s", __FILE__, __LINE__, #x);                                         \
        }                                                                                          \
    } while (0)

struct db_model *db_model_new(uint64_t seed)
{
    struct db_model *m = mem_zalloc(1, sizeof(*m));
    m->seed = seed;
    m->rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    m->now_ms = MODEL_NOW_MS;
    m->future_ms_max = 10 * 60 * 1000;
    clock_set_for_test(m->now_ms);
    return m;
}

void db_model_free(struct db_model *m)
{
    for (size_t i = 0; i < MODEL_SERIES; i++)
        mem_free(m->series[i].v);
    mem_free(m);
    clock_set_for_test(INT64_MIN);
}

uint64_t db_model_random(struct db_model *m, uint64_t below)
{
    m->rng ^= m->rng << 13;
    m->rng ^= m->rng >> 7;
    m->rng ^= m->rng << 17;
    return (m->rng >> 11) % below;
}

/* ---- Labels and histograms follow from numbers ---- */

static struct labels labels_of(uint32_t i, char text[LABELS][32], struct label items[LABELS])
{
    snprintf(text[0], 32, "metric_%u", i % 6);
    snprintf(text[1], 32, "host-%u", i / 6 % 4);
    snprintf(text[2], 32, "job%u", i / 24);
    items[0] = (struct label){LABEL_NAME, str_from(text[0])};
    items[1] = (struct label){STR("instance"), str_from(text[1])};
    items[2] = (struct label){STR("job"), str_from(text[2])};
    return (struct labels){items, LABELS};
}

static struct histogram *histogram_of(uint32_t seed, struct arena *a)
{
    struct histogram *h = ARENA_NEW(a, struct histogram);
    h->schema = (int32_t)(seed % 3);
    h->zero_threshold = 0.001;
    h->zero_count = seed % 5;
    h->is_float = seed % 7 == 0;
    struct histogram_side *p = &h->positive;
    p->span_count = 1 + seed % 2;
    p->spans = ARENA_ARRAY(a, struct histogram_span, 2);
    p->spans[0] = (struct histogram_span){(int32_t)(seed % 4), 2};
    p->spans[1] = (struct histogram_span){1, 1};
    p->bucket_count = p->span_count == 2 ? 3 : 2;
    p->counts = ARENA_ARRAY(a, double, 3);
    h->count = h->zero_count;
    for (uint32_t i = 0; i < p->bucket_count; i++) {
        p->counts[i] = (seed >> (4 * i)) % 16;
        h->count += p->counts[i];
    }
    h->sum = seed / 8.0;
    return h;
}

/* ---- The model's samples ---- */

static size_t place_of(const struct model_series *s, int64_t ts_ms)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->v[mid].ts_ms < ts_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void put_sample(struct model_series *s, const struct model_sample *sample)
{
    size_t i = place_of(s, sample->ts_ms);
    if (i < s->count && s->v[i].ts_ms == sample->ts_ms) {
        s->v[i] = *sample;
        return;
    }
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 64 : s->cap * 2;
        s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
    }
    memmove(&s->v[i + 1], &s->v[i], (s->count - i) * sizeof(*s->v));
    s->v[i] = *sample;
    s->count++;
}

static void remove_range(struct model_series *s, int64_t min_ms, int64_t max_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->v[i].ts_ms < min_ms || s->v[i].ts_ms > max_ms)
            s->v[kept++] = s->v[i];
    s->count = kept;
}

static bool same_contents(const struct model_sample *a, const struct model_sample *b)
{
    return a->histogram == b->histogram && (a->histogram != 0 || a->bits == b->bits);
}

/* ---- Batches ---- */

static uint64_t random_bits(struct db_model *m)
{
    switch (db_model_random(m, 12)) {
    case 0:
        return STALE_NAN_BITS;
    case 1:
        return NORMAL_NAN_BITS + db_model_random(m, 3);
    case 2:
        return f64_bits(-0.0);
    case 3:
        return m->rng;
    default:
        return f64_bits((double)db_model_random(m, 1000) / 10);
    }
}

static int64_t random_ts(struct db_model *m, const struct model_series *s)
{
    switch (db_model_random(m, 24)) {
    case 0: /* late: hours */
        return m->now_ms - (int64_t)db_model_random(m, 8 * 3600 * 1000);
    case 1: /* very late: up to 60 days */
        return m->now_ms - (int64_t)db_model_random(m, 60) * 86400000;
    case 2: /* again */
        return s->count > 0 ? s->v[db_model_random(m, s->count)].ts_ms : m->now_ms;
    case 3: /* the newest again */
        return s->count > 0 ? s->v[s->count - 1].ts_ms : m->now_ms;
    case 4: /* soon, or too far ahead */
        return m->now_ms + (int64_t)db_model_random(m, 20 * 60 * 1000);
    case 5:
        return m->now_ms - (int64_t)db_model_random(m, 60 * 1000);
    default:
        return m->now_ms;
    }
}

/* A sample that is there already, or in the batch, comes with the same start time: whether the
 * store writes it again or takes it for a repetition depends on what it still has in memory. */
static void settle_start(const struct db_model *m, struct model_batch *b, size_t i)
{
    struct model_row *row = &b->rows[i];
    const struct model_series *s = &m->series[row->series];
    size_t k = place_of(s, row->s.ts_ms);
    if (k < s->count && s->v[k].ts_ms == row->s.ts_ms && same_contents(&s->v[k], &row->s))
        row->s.start_ms = s->v[k].start_ms;
    for (k = 0; k < i; k++)
        if (b->rows[k].series == row->series && b->rows[k].s.ts_ms == row->s.ts_ms &&
            same_contents(&b->rows[k].s, &row->s))
            row->s.start_ms = b->rows[k].s.start_ms;
}

static bool may_be_refused(const struct db_model *m, const struct model_batch *b, size_t i)
{
    const struct model_row *row = &b->rows[i];
    const struct model_series *s = &m->series[row->series];
    size_t k = place_of(s, row->s.ts_ms);
    bool clash = k < s->count && s->v[k].ts_ms == row->s.ts_ms;
    for (k = 0; k < i; k++)
        clash |= b->rows[k].series == row->series && b->rows[k].s.ts_ms == row->s.ts_ms;
    return clash || row->s.ts_ms > m->now_ms + m->future_ms_max;
}

static void drop_refusable(const struct db_model *m, struct model_batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++) {
        b->rows[kept] = b->rows[i];
        kept += !may_be_refused(m, b, kept);
    }
    b->count = kept;
}

void db_model_make_batch(struct db_model *m, struct model_batch *b)
{
    b->count = 1 + db_model_random(m, db_model_random(m, 4) == 0 ? MODEL_ROWS_MAX : 24);
    b->all_or_nothing = db_model_random(m, 4) == 0;
    bool starts = db_model_random(m, 4) == 0, histograms = db_model_random(m, 3) == 0;
    m->now_ms += (int64_t)db_model_random(m, 4) * 5000;
    clock_set_for_test(m->now_ms);
    uint32_t series = (uint32_t)db_model_random(m, MODEL_SERIES);
    for (size_t i = 0; i < b->count; i++) {
        struct model_row *row = &b->rows[i];
        row->series = (uint32_t)((series + i) % MODEL_SERIES);
        row->s = (struct model_sample){.ts_ms = random_ts(m, &m->series[row->series]),
                                       .bits = random_bits(m)};
        if (starts && db_model_random(m, 3) > 0)
            row->s.start_ms = m->now_ms - 1000000 - (int64_t)db_model_random(m, 2) * 60000;
        if (histograms && db_model_random(m, 2) == 0)
            row->s.histogram = 1 + (uint32_t)db_model_random(m, 100000);
        settle_start(m, b, i);
    }
    if (m->no_refusals)
        drop_refusable(m, b);
}

struct request { /* a batch in the store's terms */
    struct db_batch batch;
    struct db_row rows[MODEL_ROWS_MAX];
    int64_t starts[MODEL_ROWS_MAX];
    struct arena a;
};

static err resolve_all(struct db *db, const struct model_batch *b, struct request *r)
{
    hash128 aliases[MODEL_ROWS_MAX];
    uint32_t ids[MODEL_ROWS_MAX];
    for (size_t i = 0; i < b->count; i++) {
        char text[LABELS][32];
        struct label items[LABELS];
        struct buf raw = {0};
        labels_encode(labels_of(b->rows[i].series, text, items), &raw);
        aliases[i] = hash128_of(buf_slice(&raw), db_alias_seed(db));
        buf_fini(&raw);
    }
    r->batch.epoch = db_resolve(db, aliases, b->count, ids);
    for (size_t i = 0; i < b->count; i++) {
        char text[LABELS][32];
        struct label items[LABELS];
        if (ids[i] == SERIES_NONE)
            TRY(db_create(db, labels_of(b->rows[i].series, text, items), &aliases[i], &ids[i],
                          NULL));
        const struct model_sample *s = &b->rows[i].s;
        r->rows[i] = (struct db_row){.ts_ms = s->ts_ms,
                                     .value = f64_from_bits(s->bits),
                                     .series = ids[i],
                                     .tag = (uint32_t)i};
        if (s->histogram != 0)
            r->rows[i].histogram = histogram_of(s->histogram, &r->a);
        r->starts[i] = s->start_ms;
    }
    return OK;
}

static bool is_refused(const struct db_batch *b, size_t row, enum db_refusal *why)
{
    for (size_t i = 0; i < b->refused_count; i++) {
        if (b->refused[i].row == row) {
            *why = b->refused[i].why;
            return true;
        }
    }
    return false;
}

/* May the store refuse this row for that? `s` is as the rows before it left it. */
static void check_refusal(struct db_model *m, const struct model_row *row, bool refused,
                          enum db_refusal why)
{
    const struct model_series *s = &m->series[row->series];
    bool too_new = row->s.ts_ms > m->now_ms + m->future_ms_max;
    CHECK(m, too_new == (refused && why == REFUSED_TOO_NEW));
    CHECK(m, !refused || why != REFUSED_TOO_OLD);
    if (refused && why == REFUSED_DUPLICATE) {
        size_t k = place_of(s, row->s.ts_ms);
        CHECK(m, k < s->count && s->v[k].ts_ms == row->s.ts_ms);
        CHECK(m, !same_contents(&s->v[k], &row->s));
    }
}

static void apply_batch(struct db_model *m, const struct model_batch *b,
                        const struct db_batch *result)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct model_row *row = &b->rows[i];
        struct model_series *s = &m->series[row->series];
        enum db_refusal why = REFUSED_COUNT;
        bool refused = result != NULL && is_refused(result, i, &why);
        if (result != NULL)
            check_refusal(m, row, refused, why);
        if (!refused)
            put_sample(s, &row->s);
    }
}

err db_model_commit(struct db_model *m, struct db *db, const struct model_batch *b, bool keep_maybe)
{
    struct request *r = mem_zalloc(1, sizeof(*r));
    arena_init(&r->a, ARENA_BYTES);
    err e;
    do {
        e = resolve_all(db, b, r);
        if (e != OK)
            break;
        r->batch.rows = r->rows;
        r->batch.start_ts_ms = r->starts;
        r->batch.row_count = b->count;
        r->batch.all_or_nothing = b->all_or_nothing;
        e = db_commit_wait(db, &r->batch);
    } while (e == ERR_RETRY);
    if (e == OK) {
        apply_batch(m, b, &r->batch);
    } else if (e == ERR_ORDER) {
        CHECK(m, b->all_or_nothing);
        CHECK(m, r->batch.refused_count > 0);
    } else if (keep_maybe) {
        CHECK(m, m->maybe_count < MODEL_MAYBES_MAX);
        m->maybes[m->maybe_count++] = *b;
    }
    db_batch_fini(&r->batch);
    arena_fini(&r->a);
    mem_free(r);
    return e;
}

/* ---- Deletions ---- */

static void series_matchers(uint32_t i, char text[LABELS][32], struct matcher ms[LABELS])
{
    struct label items[LABELS];
    labels_of(i, text, items);
    for (size_t k = 0; k < LABELS; k++)
        if (matcher_init(&ms[k], MATCH_EQUAL, items[k].name, items[k].value, NULL) != OK)
            fail();
}

err db_model_delete(struct db_model *m, struct db *db, bool keep_maybe)
{
    char text[LABELS][32];
    struct matcher ms[LABELS];
    uint32_t series = (uint32_t)db_model_random(m, MODEL_SERIES);
    int64_t span_ms =
        1 + (int64_t)db_model_random(m, db_model_random(m, 2) == 0 ? 600000 : 86400000);
    int64_t min_ms = m->now_ms - (int64_t)db_model_random(m, 3 * 3600 * 1000);
    series_matchers(series, text, ms);
    struct db_select_args args = {
        .matchers = ms, .matcher_count = LABELS, .min_ms = min_ms, .max_ms = min_ms + span_ms};
    err e = db_delete(db, &args);
    if (e == OK) {
        remove_range(&m->series[series], args.min_ms, args.max_ms);
    } else if (keep_maybe) {
        m->maybe_deleted.active = true;
        m->maybe_deleted.series = series;
        m->maybe_deleted.min_ms = args.min_ms;
        m->maybe_deleted.max_ms = args.max_ms;
    }
    return e;
}

/* ---- Comparing ---- */

static int find_series(struct labels ls)
{
    for (uint32_t i = 0; i < MODEL_SERIES; i++) {
        char text[LABELS][32];
        struct label items[LABELS];
        if (labels_eq(labels_of(i, text, items), ls))
            return (int)i;
    }
    return -1;
}

static bool same_sample(const struct series_columns *c, size_t i, const struct model_sample *s)
{
    if (c->ts_ms[i] != s->ts_ms)
        return false;
    if ((c->start_ts_ms != NULL ? c->start_ts_ms[i] : 0) != s->start_ms)
        return false;
    const struct histogram *h = c->histograms != NULL ? c->histograms[i] : NULL;
    if (s->histogram == 0)
        return h == NULL && f64_bits(c->values[i]) == s->bits;
    struct arena a;
    arena_init(&a, 1 << 20);
    bool same = h != NULL && histogram_eq(h, histogram_of(s->histogram, &a));
    arena_fini(&a);
    return same;
}

/* Do the samples of `c` in [min_ms, max_ms] equal the model's? */
static bool same_series(const struct model_series *s, const struct series_columns *c,
                        int64_t min_ms, int64_t max_ms)
{
    size_t k = place_of(s, min_ms);
    for (size_t i = 0; i < c->count; i++) {
        if (i > 0 && c->ts_ms[i] <= c->ts_ms[i - 1])
            return false;
        if (c->ts_ms[i] < min_ms || c->ts_ms[i] > max_ms)
            continue;
        if (k >= s->count || !same_sample(c, i, &s->v[k++]))
            return false;
    }
    return k == s->count || s->v[k].ts_ms > max_ms;
}

static void print_difference(const struct model_series *s, const struct series_columns *c)
{
    print_error("model %zu samples, store %zu\n", s->count, c->count);
    for (size_t i = 0; i < MAX(s->count, c->count); i++) {
        bool same = i < s->count && i < c->count && same_sample(c, i, &s->v[i]);
        if (same)
            continue;
        if (i < s->count)
            print_error("  %zu model %" PRId64 " %016" PRIx64 " h%u start %" PRId64 "\n", i,
                        s->v[i].ts_ms, s->v[i].bits, s->v[i].histogram, s->v[i].start_ms);
        if (i < c->count)
            print_error("  %zu store %" PRId64 " %016" PRIx64 " %s start %" PRId64 "\n", i,
                        c->ts_ms[i], f64_bits(c->values[i]),
                        c->histograms != NULL && c->histograms[i] != NULL ? "h" : "f",
                        c->start_ts_ms != NULL ? c->start_ts_ms[i] : 0);
        break;
    }
}

struct answer {
    struct arena a;
    struct selection *s;
    struct series_reader *r;
};

static void ask(struct db_model *m, struct db *db, const struct db_select_args *args,
                struct answer *an)
{
    struct diag d = {0};
    arena_init(&an->a, ARENA_BYTES);
    err e = db_select(db, args, &an->a, &an->s, &d);
    if (e != OK)
        fail_msg("model seed %" PRIu64 ": select: %s %s", m->seed, err_name(e), d.text);
    CHECK(m, series_reader_open(an->s, &an->a, &an->r) == OK);
}

static void answer_fini(struct answer *an)
{
    series_reader_close(an->r);
    selection_close(an->s);
    arena_fini(&an->a);
}

static void read_series(struct db_model *m, struct answer *an, size_t i, struct series_columns *c)
{
    struct diag d = {0};
    err e = series_read(an->r, i, c, &d);
    if (e != OK)
        fail_msg("model seed %" PRIu64 ": read: %s %s", m->seed, err_name(e), d.text);
}

/* The newest sample up to the end of the range, where there is one in the range. Start time stamps
 * may be missing. */
static void check_newest(struct db_model *m, struct series_reader *r, size_t i,
                         const struct model_series *s, const struct db_select_args *args)
{
    struct series_columns c;
    CHECK(m, series_read_newest(r, i, &c, NULL) == OK);
    size_t end = place_of(s, args->max_ms);
    end += end < s->count && s->v[end].ts_ms == args->max_ms;
    while (c.count > 0 && c.ts_ms[c.count - 1] > args->max_ms)
        c.count--;
    if (end == 0 || s->v[end - 1].ts_ms < args->min_ms) {
        CHECK(m, c.count == 0 || c.ts_ms[c.count - 1] < args->min_ms);
        return;
    }
    struct model_sample want = s->v[end - 1];
    CHECK(m, c.count > 0);
    want.start_ms = c.start_ts_ms != NULL ? want.start_ms : 0;
    CHECK(m, same_sample(&c, c.count - 1, &want));
}

/* The same selection once more, series in order or in any order, between readings of all samples.
 */
static void check_newest_of_all(struct db_model *m, struct answer *an,
                                const struct db_select_args *args)
{
    struct series_reader *r;
    bool ordered = db_model_random(m, 2) == 0;
    size_t count = selection_count(an->s);
    CHECK(m, series_reader_open(an->s, &an->a, &r) == OK);
    for (size_t n = 0; n < count; n++) {
        size_t i = ordered ? n : db_model_random(m, count);
        struct labels ls;
        struct series_columns c;
        CHECK(m, selection_labels(an->s, i, &ls) == OK);
        check_newest(m, r, i, &m->series[find_series(ls)], args);
        if (db_model_random(m, 4) == 0)
            CHECK(m, series_read(r, i, &c, NULL) == OK);
    }
    series_reader_close(r);
}

/* Some series are enough: so many of those that match, each once. */
static void check_enough(struct db_model *m, struct db *db, const struct db_select_args *all,
                         size_t all_count)
{
    struct answer an;
    struct db_select_args args = *all;
    bool seen[MODEL_SERIES] = {false};
    args.enough = 1 + db_model_random(m, 8);
    ask(m, db, &args, &an);
    CHECK(m, selection_count(an.s) == MIN(all_count, args.enough));
    for (size_t i = 0; i < selection_count(an.s); i++) {
        struct labels ls;
        CHECK(m, selection_labels(an.s, i, &ls) == OK);
        int k = find_series(ls);
        CHECK(m, k >= 0 && !seen[k]);
        CHECK(m, matchers_match(args.matchers, args.matcher_count, ls));
        seen[k] = true;
    }
    answer_fini(&an);
}

static void check_answer(struct db_model *m, struct answer *an, const struct db_select_args *args)
{
    bool seen[MODEL_SERIES] = {false};
    for (size_t i = 0; i < selection_count(an->s); i++) {
        struct labels ls;
        struct series_columns c;
        CHECK(m, selection_labels(an->s, i, &ls) == OK);
        int k = find_series(ls);
        CHECK(m, k >= 0 && !seen[k]);
        CHECK(m, matchers_match(args->matchers, args->matcher_count, ls));
        seen[k] = true;
        read_series(m, an, i, &c);
        if (!same_series(&m->series[k], &c, args->min_ms, args->max_ms)) {
            print_error("series %d in [%" PRId64 ", %" PRId64 "]\n", k, args->min_ms, args->max_ms);
            print_difference(&m->series[k], &c);
            CHECK(m, !"equal samples");
        }
    }
    for (uint32_t k = 0; k < MODEL_SERIES; k++) {
        char text[LABELS][32];
        struct label items[LABELS];
        const struct model_series *s = &m->series[k];
        size_t first = place_of(s, args->min_ms);
        bool any = first < s->count && s->v[first].ts_ms <= args->max_ms;
        if (any && !seen[k] &&
            matchers_match(args->matchers, args->matcher_count, labels_of(k, text, items)))
            fail_msg("model seed %" PRIu64 ": series %u with a sample at %" PRId64
                     " is missing in [%" PRId64 ", %" PRId64 "]",
                     m->seed, k, s->v[first].ts_ms, args->min_ms, args->max_ms);
    }
}

static void find_all(struct db_select_args *args, struct matcher *any)
{
    if (matcher_init(any, MATCH_NOT_EQUAL, LABEL_NAME, STR(""), NULL) != OK)
        fail();
    *args = (struct db_select_args){
        .matchers = any, .matcher_count = 1, .min_ms = INT64_MIN, .max_ms = INT64_MAX};
}

void db_model_check_all(struct db_model *m, struct db *db)
{
    struct matcher any;
    struct db_select_args args;
    struct answer an;
    find_all(&args, &any);
    ask(m, db, &args, &an);
    check_answer(m, &an, &args);
    answer_fini(&an);
}

/* ---- After a restart ---- */

static void copy_series(const struct db_model *m, struct model_series to[MODEL_SERIES])
{
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        size_t count = m->series[i].count;
        to[i] = (struct model_series){mem_alloc((count + 1) * sizeof(struct model_sample)), count,
                                      count};
        if (count > 0)
            memcpy(to[i].v, m->series[i].v, count * sizeof(struct model_sample));
    }
}

static void free_series(struct model_series s[MODEL_SERIES])
{
    for (size_t i = 0; i < MODEL_SERIES; i++)
        mem_free(s[i].v);
}

/* Take out what a deletion that failed may have hidden, and did hide. */
static void settle_deleted(struct db_model *m, const struct model_series *found)
{
    if (!m->maybe_deleted.active)
        return;
    m->maybe_deleted.active = false;
    struct model_series *s = &m->series[m->maybe_deleted.series];
    for (size_t i = 0; i < s->count;) {
        int64_t ts_ms = s->v[i].ts_ms;
        size_t k = place_of(found, ts_ms);
        bool there = k < found->count && found->v[k].ts_ms == ts_ms;
        if (!there && ts_ms >= m->maybe_deleted.min_ms && ts_ms <= m->maybe_deleted.max_ms)
            remove_range(s, ts_ms, ts_ms);
        else
            i++;
    }
}

/* The times found in the store; contents are compared later. */
static void find_times(struct db_model *m, struct db *db, struct model_series found[MODEL_SERIES])
{
    struct matcher any;
    struct db_select_args args;
    struct answer an;
    find_all(&args, &any);
    ask(m, db, &args, &an);
    memset(found, 0, MODEL_SERIES * sizeof(*found));
    for (size_t i = 0; i < selection_count(an.s); i++) {
        struct labels ls;
        struct series_columns c;
        CHECK(m, selection_labels(an.s, i, &ls) == OK);
        int k = find_series(ls);
        CHECK(m, k >= 0);
        read_series(m, &an, i, &c);
        for (size_t x = 0; x < c.count; x++)
            put_sample(&found[k], &(struct model_sample){.ts_ms = c.ts_ms[x]});
    }
    answer_fini(&an);
}

static bool same_times(const struct model_series *a, const struct model_series *b)
{
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        if (a[i].count != b[i].count)
            return false;
        for (size_t k = 0; k < a[i].count; k++)
            if (a[i].v[k].ts_ms != b[i].v[k].ts_ms)
                return false;
    }
    return true;
}

/* Which of the unacknowledged batches are there? Batches bring new times only (no_refusals). */
static void settle_maybes(struct db_model *m, const struct model_series *found)
{
    for (unsigned set = 0; set < 1u << m->maybe_count; set++) {
        struct model_series old[MODEL_SERIES];
        copy_series(m, old);
        for (size_t i = 0; i < m->maybe_count; i++)
            if ((set >> i & 1) != 0)
                apply_batch(m, &m->maybes[i], NULL);
        if (same_times(m->series, found)) {
            free_series(old);
            m->maybe_count = 0;
            return;
        }
        free_series(m->series);
        memcpy(m->series, old, sizeof(old));
    }
    m->maybe_count = 0; /* none fits: the comparison that follows says where */
}

void db_model_check_restarted(struct db_model *m, struct db *db)
{
    if (m->maybe_count > 0 || m->maybe_deleted.active) {
        struct model_series found[MODEL_SERIES];
        find_times(m, db, found);
        settle_deleted(m, &found[m->maybe_deleted.series]);
        settle_maybes(m, found);
        free_series(found);
    }
    db_model_check_all(m, db);
}

/* ---- After damage ---- */

/* Are all samples of `c` the model's? Requires that no time was written twice. */
static size_t count_right(struct db_model *m, const struct model_series *s,
                          const struct series_columns *c)
{
    for (size_t i = 0; i < c->count; i++) {
        size_t k = place_of(s, c->ts_ms[i]);
        CHECK(m, i == 0 || c->ts_ms[i] > c->ts_ms[i - 1]);
        CHECK(m, k < s->count && same_sample(c, i, &s->v[k]));
    }
    return c->count;
}

size_t db_model_check_damaged(struct db_model *m, struct db *db)
{
    struct matcher any;
    struct db_select_args args;
    struct answer an;
    struct db_stats stats;
    const str *warnings;
    size_t expected = 0, seen = 0, errors = 0;
    find_all(&args, &any);
    ask(m, db, &args, &an);
    for (size_t i = 0; i < selection_count(an.s); i++) {
        struct labels ls;
        struct series_columns c;
        err e = selection_labels(an.s, i, &ls);
        if (e == OK) {
            int k = find_series(ls);
            CHECK(m, k >= 0);
            e = series_read(an.r, i, &c, NULL);
            seen += e == OK ? count_right(m, &m->series[k], &c) : 0;
        }
        CHECK(m, e == OK || e == ERR_CORRUPT);
        errors += e != OK;
    }
    errors += selection_warnings(an.s, &warnings);
    answer_fini(&an);
    for (size_t i = 0; i < MODEL_SERIES; i++)
        expected += m->series[i].count;
    db_stats_of(db, &stats);
    CHECK(m, seen <= expected);
    CHECK(m, seen == expected || errors + stats.wal_corruptions > 0);
    return expected - seen;
}

/* ---- Queries ---- */

static void check_names(struct db_model *m, struct db *db, const struct db_select_args *args)
{
    struct arena a;
    str *items;
    size_t count, limit = db_model_random(m, 2) == 0 ? 0 : 1 + db_model_random(m, 4);
    bool more;
    arena_init(&a, ARENA_BYTES);
    CHECK(m, db_label_values(db, STR("instance"), args, limit, &a, &items, &count, &more) == OK);
    for (size_t i = 1; i < count; i++)
        CHECK(m, str_cmp(items[i - 1], items[i]) < 0);
    CHECK(m, limit == 0 ? !more : count <= limit);
    bool seen[4] = {false};
    for (size_t i = 0; i < count; i++) {
        CHECK(m, items[i].len == 6);
        seen[items[i].ptr[5] - '0'] = true;
    }
    for (uint32_t k = 0; k < MODEL_SERIES && limit == 0; k++) {
        char text[LABELS][32];
        struct label labels[LABELS];
        const struct model_series *s = &m->series[k];
        size_t first = place_of(s, args->min_ms);
        bool any = first < s->count && s->v[first].ts_ms <= args->max_ms;
        if (any && matchers_match(args->matchers, args->matcher_count, labels_of(k, text, labels)))
            CHECK(m, seen[k / 6 % 4]);
    }
    CHECK(m, db_label_names(db, args, limit, &a, &items, &count, &more) == OK);
    for (size_t i = 1; i < count; i++)
        CHECK(m, str_cmp(items[i - 1], items[i]) < 0);
    arena_fini(&a);
}

void db_model_check_query(struct db_model *m, struct db *db)
{
    struct matcher ms[2];
    size_t count = 1 + db_model_random(m, 2);
    char value[32];
    snprintf(value, sizeof(value), "metric_%u", (unsigned)db_model_random(m, 7));
    if (db_model_random(m, 3) > 0)
        CHECK(m, matcher_init(&ms[0], MATCH_EQUAL, LABEL_NAME, str_from(value), NULL) == OK);
    else
        CHECK(m, matcher_init(&ms[0], MATCH_REGEX, LABEL_NAME, STR("metric_[1-4]"), NULL) == OK);
    if (count == 2)
        CHECK(m, matcher_init(&ms[1], db_model_random(m, 2) == 0 ? MATCH_REGEX : MATCH_NOT_REGEX,
                              STR("instance"), STR("host-1|host-3"), NULL) == OK);
    int64_t span_ms = (int64_t)db_model_random(m, db_model_random(m, 2) == 0 ? 600000 : 86400000);
    int64_t min_ms = m->now_ms - (int64_t)db_model_random(m, 6 * 3600 * 1000);
    struct db_select_args args = {
        .matchers = ms, .matcher_count = count, .min_ms = min_ms, .max_ms = min_ms + span_ms};
    struct answer an;
    ask(m, db, &args, &an);
    check_answer(m, &an, &args);
    check_newest_of_all(m, &an, &args);
    check_enough(m, db, &args, selection_count(an.s));
    answer_fini(&an);
    check_names(m, db, &args);
    for (size_t i = 0; i < count; i++)
        matcher_fini(&ms[i]);
}
