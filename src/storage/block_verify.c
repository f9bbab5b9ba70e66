/* block_verify.c -- see block_verify.h. */
#include "storage/block_verify.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/block_priv.h"
#include "storage/posting_builder.h"

enum {
    FINDINGS_MAX = 100,
    HISTOGRAM_BYTES_MAX = 1 << 30, /* of the histograms of one chunk in memory */
};

struct decoded { /* one chunk's samples */
    int64_t *ts_ms, *starts;
    double *values;
    struct histogram *histograms;
    struct arena arena; /* of the histograms */
};

static void decoded_init(struct decoded *m)
{
    size_t room = CODEC_SAMPLES_MAX + CODEC_PAD;
    *m = (struct decoded){0};
    m->ts_ms = mem_resize(NULL, room, sizeof(*m->ts_ms));
    m->starts = mem_resize(NULL, room, sizeof(*m->starts));
    m->values = mem_resize(NULL, room, sizeof(*m->values));
    arena_init(&m->arena, HISTOGRAM_BYTES_MAX);
}

static void decoded_fini(struct decoded *m)
{
    mem_free(m->ts_ms);
    mem_free(m->starts);
    mem_free(m->values);
    arena_fini(&m->arena);
}

static err decode_chunk(struct block_cursor *c, const struct block_chunk *ch, struct decoded *m,
                        struct diag *d)
{
    arena_reset(&m->arena);
    TRY(block_read_times(c, ch, m->ts_ms, d));
    if (ch->has_start)
        TRY(block_read_starts(c, ch, m->starts, d));
    if (ch->kind == BLOCK_FLOATS)
        return block_read_values(c, ch, m->values, d);
    return block_read_histograms(c, ch, &m->arena, &m->histograms, d);
}

/* ---- What the writer checks ---- */

static err check_values(struct block *b, struct diag *d)
{
    struct buf bytes = {0};
    err e = OK;
    for (int t = 0; t < KV_TABLE_COUNT; t++) {
        for (size_t i = 0; i < kv_count(b->kv, (enum kv_table)t) && e == OK; i++) {
            slice value;
            e = kv_get(b->kv, (enum kv_table)t, i, &bytes, &value, d);
        }
    }
    buf_fini(&bytes);
    return e;
}

static err check_pages(struct block *b, struct diag *d)
{
    struct block_scrub *s = block_scrub_open(b);
    uint64_t bytes;
    bool done = false;
    err e = block_scrub_step(s, UINT64_MAX, &bytes, &done, d);
    ASSERT(e != OK || done);
    block_scrub_close(s);
    return e;
}

err block_check_files(struct fs *fs, const char *dir, struct diag *d)
{
    struct block *b;
    err e = block_open(fs, dir, &b, d);
    if (e == ERR_NOTFOUND)
        e = ERR_CORRUPT; /* a file that was written is not there */
    if (e != OK)
        return e;
    e = check_pages(b, d);
    if (e == OK)
        e = check_values(b, d);
    block_close(b);
    return e;
}

/* ---- Everything ---- */

struct verify {
    struct block *b;
    struct block_cursor *c;
    block_finding_fn fn;
    void *arg;
    unsigned findings;
    bool io; /* the disk failed */
    struct decoded samples;
    struct arena arena; /* labels of one series */
    struct posting_builder *postings;
    struct posting_walk walk; /* while postings are compared */
    uint64_t bitmaps;
    struct block_meta seen; /* counts and range of what was found */
    uint32_t *last_pairs;
    size_t last_pair_count;
};

static void finding(struct verify *v, const char *format, ...) PRINTF_LIKE(2, 3);
static void finding(struct verify *v, const char *format, ...)
{
    char text[DIAG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (v->findings++ < FINDINGS_MAX)
        v->fn(v->arg, text);
}

/* Turn an error into a finding; true when there was one. */
static bool found(struct verify *v, err e, const struct diag *d)
{
    if (e == OK)
        return false;
    v->io |= e == ERR_IO;
    finding(v, "%s", d->text[0] != '\0' ? d->text : err_name(e));
    return true;
}

/* The pages of a table must number `count` records without gap or overlap. */
static void verify_numbering(struct verify *v, enum kv_table table, uint64_t count)
{
    struct value_page p = {.index = SIZE_MAX};
    uint64_t next = 0;
    for (size_t i = 0; i < kv_count(v->b->kv, table); i++) {
        struct diag d = {0};
        if (found(v, cursor_page(v->c, table, i, &p, &d), &d))
            break;
        if (kv_key(v->b->kv, table, i) != next)
            finding(v, "index.mdb: page %zu of table %d begins with record %llu instead of %llu", i,
                    table, (unsigned long long)kv_key(v->b->kv, table, i),
                    (unsigned long long)next);
        next = kv_key(v->b->kv, table, i) + p.page.count;
    }
    if (next != count)
        finding(v, "index.mdb: table %d has %llu records instead of %llu", table,
                (unsigned long long)next, (unsigned long long)count);
    buf_fini(&p.bytes);
}

static void verify_symbols(struct verify *v)
{
    struct block *b = v->b;
    verify_numbering(v, KV_SYMBOLS, b->meta.symbols);
    str last = STR("");
    for (uint64_t id = 0; id < b->meta.symbols; id++) {
        struct diag d = {0};
        str s;
        if (found(v, block_symbol(v->c, (uint32_t)id, &s, &d), &d))
            return;
        if (id > 0 && str_cmp(last, s) >= 0)
            finding(v, "symbols: %llu is not greater than the one before", (unsigned long long)id);
        last = s;
    }
}

static void verify_columns(struct verify *v)
{
    verify_numbering(v, KV_COLUMNS, v->b->meta.columns);
    for (uint64_t id = 0; id < v->b->meta.columns; id++) {
        struct diag d = {0};
        struct block_column column;
        if (found(v, cursor_column(v->c, (uint32_t)id, &column, &d), &d))
            return;
        struct block_chunk ch = {.column = (uint32_t)id};
        (void)found(v, block_read_times(v->c, &ch, v->samples.ts_ms, &d), &d);
    }
}

static int compare(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    for (size_t i = 0; i < 2 * MIN(a_count, b_count); i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return (a_count > b_count) - (a_count < b_count);
}

/* Order, label hash, postings to compare later. */
static void verify_labels(struct verify *v, uint32_t id, const struct block_series *s)
{
    struct diag d = {0};
    struct labels labels;
    if (id > 0 && compare(v->last_pairs, v->last_pair_count, s->pairs, s->pair_count) >= 0)
        finding(v, "series %u: labels are not greater than those before", id);
    v->last_pairs = mem_resize(v->last_pairs, s->pair_count, 2 * sizeof(*v->last_pairs));
    if (s->pair_count > 0)
        memcpy(v->last_pairs, s->pairs, s->pair_count * 2 * sizeof(*s->pairs));
    v->last_pair_count = s->pair_count;
    for (size_t i = 0; i < s->pair_count; i++) {
        posting_builder_add(v->postings, posting_key(s->pairs[2 * i], POSTING_ANY_VALUE), id);
        posting_builder_add(v->postings, posting_key(s->pairs[2 * i], s->pairs[2 * i + 1]), id);
    }
    arena_reset(&v->arena);
    if (found(v, block_series_labels(v->c, id, &v->arena, &labels, &d), &d))
        return;
    if (!hash128_eq(labels_hash(labels, v->b->meta.label_seed), s->hash))
        finding(v, "series %u: its hash is not its labels'", id);
}

static void verify_series(struct verify *v, uint32_t id)
{
    struct diag d = {0};
    struct block_series s;
    if (found(v, block_series_read(v->c, id, INT64_MIN, INT64_MAX, &s, &d), &d))
        return;
    v->seen.series++;
    for (size_t i = 0; i < s.chunk_count; i++) {
        struct diag why = {0};
        const struct block_chunk ch = s.chunks[i];
        v->seen.chunks++;
        v->seen.samples += ch.count;
        *(ch.kind == BLOCK_FLOATS ? &v->seen.floats : &v->seen.histograms) += ch.count;
        v->seen.min_ms = MIN(v->seen.min_ms, ch.min_ms);
        v->seen.max_ms = MAX(v->seen.max_ms, ch.max_ms);
        (void)found(v, decode_chunk(v->c, &ch, &v->samples, &why), &why);
    }
    verify_labels(v, id, &s);
}

static void verify_all_series(struct verify *v)
{
    uint64_t count = v->b->meta.series;
    verify_numbering(v, KV_SERIES, count);
    for (uint64_t id = 0; id < count && v->findings < FINDINGS_MAX; id++)
        verify_series(v, (uint32_t)id);
}

/* The next stored posting must be this one. */
static err verify_posting(void *arg, uint64_t key, const uint32_t *ids, size_t count)
{
    struct verify *v = arg;
    struct diag d = {0};
    struct posting p;
    err e;
    if (!posting_next(v->c, &v->walk, &p, &e, &d)) {
        if (!found(v, e, &d))
            finding(v, "postings: end before those of symbols %u, %u", (uint32_t)(key >> 32),
                    (uint32_t)key - 1);
        return ERR_CORRUPT;
    }
    struct postings *want = postings_from(ids, count), *have = postings_empty();
    v->bitmaps += !p.is_inline;
    e = posting_union(v->c, &p, have, &d);
    if (!found(v, e, &d) &&
        (posting_key(p.name, p.value) != key || p.count != count || !postings_eq(want, have))) {
        finding(v, "postings of symbols %u, %u are not what the series say", p.name, p.value);
        e = ERR_CORRUPT;
    }
    postings_free(want);
    postings_free(have);
    return e;
}

static void verify_postings(struct verify *v)
{
    struct diag d = {0};
    struct posting p;
    err e;
    if (found(v, posting_seek(v->c, 0, &v->walk, &d), &d) ||
        posting_builder_each(v->postings, verify_posting, v) != OK)
        return;
    if (posting_next(v->c, &v->walk, &p, &e, &d))
        finding(v, "postings of symbols %u, %u belong to no series", p.name, p.value);
    if (v->bitmaps != kv_count(v->b->kv, KV_BITMAPS))
        finding(v, "bitmaps: %zu stored, %llu used", kv_count(v->b->kv, KV_BITMAPS),
                (unsigned long long)v->bitmaps);
}

static void verify_stats(struct verify *v)
{
    const struct block_meta *m = &v->b->meta, *s = &v->seen;
    const struct {
        const char *name;
        uint64_t meta, seen;
    } counts[] = {{"series", m->series, s->series},
                  {"samples", m->samples, s->samples},
                  {"float samples", m->floats, s->floats},
                  {"histogram samples", m->histograms, s->histograms},
                  {"chunks", m->chunks, s->chunks}};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        if (counts[i].meta != counts[i].seen)
            finding(v, "meta.json: %llu %s, found %llu", (unsigned long long)counts[i].meta,
                    counts[i].name, (unsigned long long)counts[i].seen);
    }
    if (s->series > 0 && (m->min_ms != s->min_ms || m->max_ms != s->max_ms + 1))
        finding(v, "meta.json: time range is not that of the samples");
}

static void verify_open_block(struct verify *v)
{
    struct diag d = {0};
    v->c = block_cursor_open(v->b);
    v->postings = posting_builder_new();
    v->seen = (struct block_meta){.min_ms = INT64_MAX, .max_ms = INT64_MIN};
    decoded_init(&v->samples);
    arena_init(&v->arena, 1 << 24);
    (void)found(v, check_pages(v->b, &d), &d);
    struct diag values = {0};
    (void)found(v, check_values(v->b, &values), &values);
    verify_symbols(v);
    verify_columns(v);
    verify_all_series(v);
    verify_postings(v);
    verify_stats(v);
    arena_fini(&v->arena);
    decoded_fini(&v->samples);
    mem_free(v->last_pairs);
    posting_builder_free(v->postings);
    block_cursor_close(v->c);
}

err block_verify(struct fs *fs, const char *dir, block_finding_fn fn, void *arg)
{
    struct verify v = {.fn = fn, .arg = arg};
    struct diag d = {0};
    err e = block_open(fs, dir, &v.b, &d);
    if (!found(&v, e, &d)) {
        verify_open_block(&v);
        block_close(v.b);
    }
    if (v.findings > FINDINGS_MAX) {
        char text[64];
        (void)snprintf(text, sizeof(text), "and %u more", v.findings - FINDINGS_MAX);
        fn(arg, text);
    }
    return v.io ? ERR_IO : v.findings > 0 ? ERR_CORRUPT : OK;
}

/* ---- Dump ---- */

/* Keep the samples in the range and not deleted; returns how many. */
static size_t keep_samples(struct decoded *m, const struct block_chunk *ch,
                           const struct interval *gone, size_t gone_count, int64_t min_ms,
                           int64_t max_ms)
{
    size_t kept = 0, hint = 0;
    for (size_t i = 0; i < ch->count; i++) {
        if (m->ts_ms[i] < min_ms || m->ts_ms[i] > max_ms ||
            interval_hides(gone, gone_count, m->ts_ms[i], &hint))
            continue;
        m->ts_ms[kept] = m->ts_ms[i];
        if (ch->has_start)
            m->starts[kept] = m->starts[i];
        if (ch->kind == BLOCK_FLOATS)
            m->values[kept] = m->values[i];
        else
            m->histograms[kept] = m->histograms[i];
        kept++;
    }
    return kept;
}

struct dump {
    struct block_cursor *c;
    int64_t min_ms, max_ms;
    block_samples_fn fn;
    void *arg;
    struct decoded samples;
    struct arena arena;
};

static err dump_series(struct dump *u, uint32_t id, struct diag *d)
{
    struct block_series s;
    struct labels labels;
    size_t gone_count;
    const struct interval *gone = block_series_tombstones(u->c, id, &gone_count);
    arena_reset(&u->arena);
    TRY(block_series_labels(u->c, id, &u->arena, &labels, d));
    TRY(block_series_read(u->c, id, u->min_ms, u->max_ms, &s, d));
    for (size_t i = 0; i < s.chunk_count; i++) {
        const struct block_chunk *ch = &s.chunks[i];
        struct decoded *m = &u->samples;
        TRY(decode_chunk(u->c, ch, m, d));
        size_t kept = keep_samples(m, ch, gone, gone_count, u->min_ms, u->max_ms);
        struct block_samples out = {.labels = labels,
                                    .ts_ms = m->ts_ms,
                                    .values = ch->kind == BLOCK_FLOATS ? m->values : NULL,
                                    .histograms =
                                        ch->kind == BLOCK_HISTOGRAMS ? m->histograms : NULL,
                                    .start_ts_ms = ch->has_start ? m->starts : NULL,
                                    .count = kept};
        if (kept > 0)
            TRY(u->fn(u->arg, &out));
    }
    return OK;
}

err block_dump(struct block *b, const struct postings *ids, int64_t min_ms, int64_t max_ms,
               block_samples_fn fn, void *arg, struct diag *d)
{
    struct dump u = {block_cursor_open(b), min_ms, max_ms, fn, arg, {0}, {0}};
    size_t count = ids != NULL ? (size_t)postings_count(ids) : (size_t)b->meta.series;
    uint32_t *list = NULL;
    err e = OK;
    decoded_init(&u.samples);
    arena_init(&u.arena, 1 << 24);
    if (ids != NULL) {
        list = mem_resize(NULL, count, sizeof(*list));
        postings_ids(ids, list);
    }
    for (size_t i = 0; i < count && e == OK; i++)
        e = dump_series(&u, list != NULL ? list[i] : (uint32_t)i, d);
    mem_free(list);
    arena_fini(&u.arena);
    decoded_fini(&u.samples);
    block_cursor_close(u.c);
    return e;
}
