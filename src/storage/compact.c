/* compact.c -- see compact.h: merging blocks. Symbols of all sources first, then their series,
 * both in order, each through a heap of the sources. */
#include "storage/compact.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "storage/block_priv.h"
#include "storage/block_writer.h"
#include "storage/merge_heap.h"
#include "storage/series_merge.h"

struct source {
    struct block *b;
    struct block_cursor *c;
    uint32_t *symbols; /* old id -> new id */
    uint8_t *used;     /* a bit for each symbol; NULL: all count as used */
    uint64_t next;     /* symbol or series that comes next */
    str symbol;        /* the text of symbol `next`, until the cursor's next one */
    struct block_series series;
    uint32_t *pairs; /* of the series, in new ids */
    size_t pair_cap;
};

struct merge {
    const struct compact_args *args;
    struct source *sources;
    size_t count;
    struct block_cursor **cursors;
    struct block_writer *w;
    struct series_merge *series;
    struct merge_heap heap;
    struct buf last_symbol; /* written last */
    struct diag *d;
};

struct compact_block compact_block_of(struct block *b)
{
    const struct block_meta *m = block_meta_of(b);
    struct tombstones *t = block_tombstones(b);
    struct compact_block out = {.ulid = m->ulid,
                                .first_source = m->sources[0],
                                .last_source = m->sources[m->source_count - 1],
                                .min_ms = m->min_ms,
                                .max_ms = m->max_ms,
                                .resolution_ms = m->resolution_ms,
                                .bytes = block_meta_bytes(m),
                                .series = m->series,
                                .tombstone_series = tombstones_series_count(t)};
    tombstones_unref(t);
    return out;
}

static err canceled(const struct merge *m)
{
    const atomic_bool *flag = m->args->canceled;
    return flag != NULL && atomic_load_explicit(flag, memory_order_relaxed) ? ERR_CANCELED : OK;
}

/* ---- Symbols ---- */

static void mark(uint8_t *bits, uint32_t i)
{
    bits[i / 8] |= (uint8_t)(1u << i % 8);
}

static bool is_used(const struct source *s, uint64_t i)
{
    return s->used == NULL || (s->used[i / 8] >> i % 8 & 1) != 0;
}

/* Is the whole series deleted? */
static bool is_gone(const struct block_series *s, const struct interval *gone, size_t gone_count)
{
    for (size_t i = 0; i < s->chunk_count; i++) {
        size_t hint = 0;
        if (!interval_hides(gone, gone_count, s->chunks[i].min_ms, &hint) ||
            gone[hint].max_ms < s->chunks[i].max_ms)
            return false;
    }
    return true;
}

/* With deletions, symbols of series that vanish must not live on for ever: find those still
 * used. */
static err find_used(struct merge *m, struct source *s)
{
    if (tombstones_series_count(s->c->tombstones) == 0)
        return OK;
    s->used = mem_zalloc(s->b->meta.symbols / 8 + 1, 1);
    for (uint32_t id = 0; id < s->b->meta.series; id++) {
        struct block_series series;
        size_t gone_count;
        const struct interval *gone = block_series_tombstones(s->c, id, &gone_count);
        TRY(block_series_read(s->c, id, INT64_MIN, INT64_MAX, &series, m->d));
        if (is_gone(&series, gone, gone_count))
            continue;
        for (size_t i = 0; i < 2 * series.pair_count; i++)
            mark(s->used, series.pairs[i]);
    }
    return OK;
}

/* Come to the first used symbol from s->next on; *more: there is one. */
static err next_symbol(struct merge *m, struct source *s, bool *more)
{
    while (s->next < s->b->meta.symbols && !is_used(s, s->next))
        s->symbols[s->next++] = UINT32_MAX;
    *more = s->next < s->b->meta.symbols;
    return *more ? block_symbol_peek(s->c, (uint32_t)s->next, &s->symbol, m->d) : OK;
}

static bool symbol_before(void *arg, size_t a, size_t b)
{
    const struct merge *m = arg;
    return str_cmp(m->sources[a].symbol, m->sources[b].symbol) < 0;
}

static err merge_symbols(struct merge *m)
{
    uint32_t count = 0;
    while (m->heap.count > 0) {
        struct source *s = &m->sources[merge_heap_top(&m->heap)];
        bool more;
        if (count == 0 || !str_eq(s->symbol, buf_str(&m->last_symbol))) {
            TRY(block_writer_symbol(m->w, s->symbol));
            buf_reset(&m->last_symbol);
            buf_put_str(&m->last_symbol, s->symbol);
            count++;
        }
        s->symbols[s->next++] = count - 1;
        TRY(next_symbol(m, s, &more));
        if (more)
            merge_heap_settle(&m->heap);
        else
            merge_heap_pop(&m->heap);
    }
    return OK;
}

static err start_symbols(struct merge *m)
{
    m->heap.before = symbol_before;
    for (size_t i = 0; i < m->count; i++) {
        struct source *s = &m->sources[i];
        bool more;
        s->symbols = mem_resize(NULL, s->b->meta.symbols, sizeof(*s->symbols));
        TRY(find_used(m, s));
        TRY(next_symbol(m, s, &more));
        if (more)
            merge_heap_push(&m->heap, i);
    }
    return OK;
}

/* ---- Series ---- */

/* Does the series use only symbols that were kept? The others are wholly deleted. */
static bool map_pairs(struct source *s)
{
    size_t n = 2 * s->series.pair_count;
    if (s->series.pair_count > s->pair_cap) {
        s->pair_cap = MAX(s->series.pair_count, (size_t)32);
        s->pairs = mem_resize(s->pairs, s->pair_cap, 2 * sizeof(*s->pairs));
    }
    for (size_t i = 0; i < n; i++) {
        s->pairs[i] = s->symbols[s->series.pairs[i]];
        if (s->pairs[i] == UINT32_MAX)
            return false;
    }
    return true;
}

/* Read series s->next, or the first after it that has symbols. */
static err next_series(struct merge *m, struct source *s, bool *more)
{
    for (; s->next < s->b->meta.series; s->next++) {
        TRY(block_series_read(s->c, (uint32_t)s->next, INT64_MIN, INT64_MAX, &s->series, m->d));
        if (map_pairs(s))
            break;
    }
    *more = s->next < s->b->meta.series;
    return OK;
}

static int compare_labels(const struct source *a, const struct source *b)
{
    size_t n = 2 * MIN(a->series.pair_count, b->series.pair_count);
    for (size_t i = 0; i < n; i++) {
        if (a->pairs[i] != b->pairs[i])
            return a->pairs[i] < b->pairs[i] ? -1 : 1;
    }
    return (a->series.pair_count > b->series.pair_count) -
           (a->series.pair_count < b->series.pair_count);
}

static bool series_before(void *arg, size_t a, size_t b)
{
    const struct merge *m = arg;
    return compare_labels(&m->sources[a], &m->sources[b]) < 0;
}

static void add_series(struct merge *m, size_t i)
{
    struct source *s = &m->sources[i];
    size_t gone_count;
    const struct interval *gone = block_series_tombstones(s->c, (uint32_t)s->next, &gone_count);
    series_merge_add(m->series, i, s->series.chunks, s->series.chunk_count, gone, gone_count);
}

/* Take the sources whose next series is that of the heap's top; `same` gets their numbers. */
static size_t take_equal(struct merge *m, size_t *same)
{
    size_t n = 0;
    do {
        same[n++] = merge_heap_top(&m->heap);
        merge_heap_pop(&m->heap);
    } while (m->heap.count > 0 &&
             compare_labels(&m->sources[same[0]], &m->sources[merge_heap_top(&m->heap)]) == 0);
    return n;
}

static err merge_one(struct merge *m, size_t *same)
{
    TRY(canceled(m));
    size_t n = take_equal(m, same);
    const struct source *s = &m->sources[same[0]];
    TRY(block_writer_series(m->w, s->pairs, s->series.pair_count, s->series.hash));
    for (size_t i = 0; i < n; i++)
        add_series(m, same[i]);
    TRY(series_merge_run(m->series, m->d));
    for (size_t i = 0; i < n; i++) {
        bool more;
        m->sources[same[i]].next++;
        TRY(next_series(m, &m->sources[same[i]], &more));
        if (more)
            merge_heap_push(&m->heap, same[i]);
    }
    return OK;
}

static err merge_series(struct merge *m)
{
    size_t *same = mem_resize(NULL, m->count, sizeof(*same));
    err e = OK;
    m->heap.before = series_before;
    for (size_t i = 0; i < m->count && e == OK; i++) {
        bool more;
        m->sources[i].next = 0;
        e = next_series(m, &m->sources[i], &more);
        if (e == OK && more)
            merge_heap_push(&m->heap, i);
    }
    while (e == OK && m->heap.count > 0)
        e = merge_one(m, same);
    mem_free(same);
    return e;
}

/* ---- Lineage ---- */

static int by_ulid(const void *a, const void *b)
{
    return memcmp(a, b, ULID_SIZE);
}

static size_t unique_ulids(ulid *u, size_t n)
{
    size_t kept = 0;
    qsort(u, n, sizeof(*u), by_ulid);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !ulid_eq(u[kept - 1], u[i]))
            u[kept++] = u[i];
    }
    return kept;
}

static_assert(offsetof(struct meta_parent, ulid) == 0, "by_ulid() sorts parents");

/* Level, sources and parents of the new block; the arrays are the caller's to free. */
static err lineage(const struct merge *m, struct block_writer_options *o, ulid **sources,
                   struct meta_parent **parents)
{
    size_t n = 0;
    *parents = mem_resize(NULL, m->count, sizeof(**parents));
    for (size_t i = 0; i < m->count; i++)
        n += m->sources[i].b->meta.source_count;
    *sources = mem_resize(NULL, n, sizeof(**sources));
    n = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct block_meta *b = &m->sources[i].b->meta;
        memcpy(*sources + n, b->sources, b->source_count * sizeof(ulid));
        n += b->source_count;
        (*parents)[i] = (struct meta_parent){b->ulid, b->min_ms, b->max_ms};
        o->level = MAX(o->level, b->level);
    }
    o->level = MIN(o->level + 1, (uint32_t)META_LEVEL_MAX);
    o->sources = *sources;
    o->source_count = unique_ulids(*sources, n);
    qsort(*parents, m->count, sizeof(**parents), by_ulid);
    o->parents = *parents;
    o->parent_count = m->count;
    if (o->source_count > META_ULIDS_MAX)
        return diag_set(m->d, ERR_LIMIT, "a merged block would have %zu sources", o->source_count);
    return OK;
}

static err open_writer(struct merge *m)
{
    const struct block_meta *first = &m->sources[0].b->meta;
    struct block_writer_options o = {.ulid = m->args->ulid,
                                     .resolution_ms = first->resolution_ms,
                                     .label_seed = first->label_seed};
    ulid *sources;
    struct meta_parent *parents;
    err e = lineage(m, &o, &sources, &parents);
    if (e == OK)
        e = block_writer_open(m->args->fs, m->args->blocks_dir, &o, &m->w, m->d);
    mem_free(sources);
    mem_free(parents);
    return e;
}

static err check_args(const struct compact_args *args, struct diag *d)
{
    if (args->source_count == 0 || args->source_count > COMPACT_SOURCES_MAX)
        return diag_set(d, ERR_INVALID, "%zu blocks cannot be merged", args->source_count);
    const struct block_meta *first = block_meta_of(args->sources[0]);
    for (size_t i = 1; i < args->source_count; i++) {
        const struct block_meta *b = block_meta_of(args->sources[i]);
        if (b->resolution_ms != first->resolution_ms || b->label_seed != first->label_seed)
            return diag_set(d, ERR_INVALID, "blocks of different kinds cannot be merged");
    }
    return OK;
}

static void open_sources(struct merge *m)
{
    m->count = m->args->source_count;
    m->sources = mem_zalloc(m->count, sizeof(*m->sources));
    m->cursors = mem_zalloc(m->count, sizeof(struct block_cursor *));
    for (size_t i = 0; i < m->count; i++) {
        m->sources[i].b = m->args->sources[i];
        m->sources[i].c = m->cursors[i] = block_cursor_open(m->args->sources[i]);
    }
    merge_heap_init(&m->heap, m->count, symbol_before, m);
}

static void close_sources(struct merge *m)
{
    for (size_t i = 0; i < m->count; i++) {
        block_cursor_close(m->sources[i].c);
        mem_free(m->sources[i].symbols);
        mem_free(m->sources[i].used);
        mem_free(m->sources[i].pairs);
    }
    merge_heap_fini(&m->heap);
    buf_fini(&m->last_symbol);
    mem_free(m->sources);
    mem_free((void *)m->cursors);
}

err compact_merge(const struct compact_args *args, struct block_meta *meta, struct diag *d)
{
    struct merge m = {.args = args, .d = d};
    TRY(check_args(args, d));
    open_sources(&m);
    err e = open_writer(&m);
    if (e == OK)
        m.series = series_merge_new(m.cursors, m.count, m.w);
    if (e == OK)
        e = start_symbols(&m);
    if (e == OK)
        e = merge_symbols(&m);
    if (e == OK)
        e = merge_series(&m);
    if (e == OK) {
        e = block_writer_finish(m.w, meta, d);
        m.w = NULL;
    }
    if (e != OK)
        (void)diag_set(d, e, "blocks cannot be merged: %s", err_name(e));
    block_writer_abort(m.w);
    series_merge_free(m.series);
    close_sources(&m);
    return e;
}
