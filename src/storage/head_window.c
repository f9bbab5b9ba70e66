#include "storage/head_window.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/admission.h"
#include "storage/head_side.h"
#include "storage/pages.h"
#include "storage/registry.h"
#include "storage/slab.h"
#include "storage/time_tree.h"

enum {
    LINE_PAGE_BITS = 10, /* series lines of a page; a page lies within one shard */
    LINE_PAGE = 1 << LINE_PAGE_BITS,
    PAGE_MAX = REGISTRY_IDS_MAX >> LINE_PAGE_BITS,
    APPLY_CHUNK = 4096,     /* rows for which locks are held at a time */
    FETCH_CHUNK = 32,       /* rows whose cache lines are fetched together */
    READ_CHUNK = 64,        /* series that are copied under one lock at most */
    VALUE_BLOCK_FIRST = 32, /* bytes; enough for a constant series */
    VALUE_BLOCK_NEXT = 64,
    COLUMN_BITS = 29, /* of a column in its public name, between shard and position */
};
static_assert((int)LINE_PAGE_BITS <= (int)HEAD_SHARD_BLOCK_BITS, "pages lie within shards");

struct value_block { /* a piece of a series' XOR stream */
    struct value_block *prev;
    uint8_t bytes[];
};

struct head_line {         /* one series, one cache line; zero: no samples */
    struct xor_state xor ; /* len_bytes counts in the tail only */
    int64_t last_ts_ms;    /* newest sample of all */
    struct value_block *tail;
    struct head_side_list *side; /* NULL: nothing beside the stream */
    struct time_pos at;          /* times of the stream */
    uint32_t count;              /* values of the stream */
    uint16_t block_count;        /* pieces of the stream */
    uint8_t used;                /* has any sample */
    uint8_t tail_words;          /* room of the tail, in 8-byte words */
};
static_assert(sizeof(struct head_line) == CACHE_LINE, "one line a series");

struct shard {
    struct rwlock lock;  /* guards the shard's pages and what they point to */
    atomic_uint version; /* odd while somebody writes: what was read meanwhile is not one state */
    struct slab slab;
    struct time_tree times;
    uint64_t floats, out_of_order, histograms, series;
    uint64_t line_bytes, value_bytes, side_bytes;
    uint32_t id_end; /* ids of its pages are below */
    int64_t min_ms, max_ms;
    struct buf scratch; /* one encoded histogram */
    atomic_uint_least64_t bytes_now;
};

struct head_window {
    struct head_line **pages; /* each page belongs to the shard of its ids */
    struct shard shards[HEAD_SHARDS];
};

struct head_window *head_window_open(void)
{
    struct head_window *w = mem_zalloc(1, sizeof(*w));
    w->pages = pages_reserve(PAGE_MAX * sizeof(w->pages[0]));
    for (unsigned i = 0; i < HEAD_SHARDS; i++) {
        struct shard *s = &w->shards[i];
        rwlock_init(&s->lock);
        time_tree_init(&s->times);
        s->min_ms = INT64_MAX;
        s->max_ms = INT64_MIN;
    }
    return w;
}

void head_window_close(struct head_window *w)
{
    if (w == NULL)
        return;
    for (unsigned i = 0; i < HEAD_SHARDS; i++) {
        struct shard *s = &w->shards[i];
        slab_fini(&s->slab);
        time_tree_fini(&s->times);
        buf_fini(&s->scratch);
        rwlock_fini(&s->lock);
    }
    pages_unmap(w->pages, PAGE_MAX * sizeof(w->pages[0]));
    mem_free(w);
}

/* ---- Streams ---- */

/* Stream bytes that piece `index` holds, a multiple of 8. */
static uint32_t block_room(uint32_t index)
{
    return (index == 0 ? VALUE_BLOCK_FIRST : VALUE_BLOCK_NEXT) - sizeof(struct value_block);
}

/* Stream bytes in the first `count` pieces. */
static size_t blocks_room(uint32_t count)
{
    return count == 0 ? 0 : block_room(0) + (size_t)(count - 1) * block_room(1);
}

static void block_add(struct shard *s, struct head_line *line)
{
    size_t size = block_room(line->block_count) + sizeof(struct value_block);
    struct value_block *b = slab_alloc(&s->slab, size);
    s->value_bytes += size;
    b->prev = line->tail;
    line->tail = b;
    line->tail_words = (uint8_t)((size - sizeof(*b)) / 8);
    line->block_count++;
    ASSERT(line->block_count != 0);
}

/* Append where the tail may be too short: into a scratch buffer first, then to the tail and a new
 * piece. */
static void append_split(struct shard *s, struct head_line *line, double value, uint32_t room)
{
    uint8_t words[XOR_APPEND_BYTES_MAX];
    uint32_t len = line->xor.len_bytes;
    line->xor.len_bytes = 0;
    xor_append(&line->xor, value, words);
    uint32_t made = line->xor.len_bytes, fits = MIN(made, room);
    if (fits > 0)
        memcpy(line->tail->bytes + len, words, fits);
    line->xor.len_bytes = len + fits;
    if (made > fits) {
        block_add(s, line);
        memcpy(line->tail->bytes, words + fits, made - fits);
        line->xor.len_bytes = made - fits;
    }
}

static inline void append_value(struct shard *s, struct head_line *line, double value)
{
    line->count++;
    if (xor_append_same(&line->xor, value))
        return;
    uint32_t room = line->tail_words * 8U - line->xor.len_bytes;
    if (LIKELY(room >= XOR_APPEND_BYTES_MAX))
        xor_append(&line->xor, value, line->tail->bytes);
    else
        append_split(s, line, value, room);
}

/* ---- Writing ---- */

static struct head_side_list *side_of(struct shard *s, struct head_line *line)
{
    if (line->side == NULL)
        line->side = side_new(&s->slab);
    return line->side;
}

static void apply_side(struct shard *s, struct head_line *line, const struct db_row *row,
                       int64_t start_ts_ms)
{
    size_t before = s->slab.used_bytes;
    struct head_side_list *side = side_of(s, line);
    buf_reset(&s->scratch);
    if (row->histogram != NULL)
        histogram_encode(row->histogram, &s->scratch);
    side_add(side, &s->slab, row->ts_ms, start_ts_ms, row->value, buf_slice(&s->scratch));
    s->histograms += row->histogram != NULL;
    s->out_of_order += row->histogram == NULL;
    s->side_bytes += s->slab.used_bytes - before;
}

static void apply_start(struct shard *s, struct head_line *line, int64_t start_ts_ms)
{
    int64_t current = line->side != NULL ? line->side->last_start_ms : 0;
    if (start_ts_ms == current)
        return;
    size_t before = s->slab.used_bytes;
    side_add_start(side_of(s, line), &s->slab, line->count, start_ts_ms);
    s->side_bytes += s->slab.used_bytes - before;
}

static inline void apply_row(struct shard *s, struct head_line *line, const struct db_row *row,
                             int64_t start_ts_ms)
{
    bool newest = row->ts_ms > line->last_ts_ms || !line->used;
    if (LIKELY(newest && row->histogram == NULL && line->block_count < UINT16_MAX)) {
        apply_start(s, line, start_ts_ms);
        line->at = time_tree_advance(&s->times, line->at, row->ts_ms);
        append_value(s, line, row->value);
        s->floats++;
    } else {
        apply_side(s, line, row, start_ts_ms);
    }
    if (UNLIKELY(!line->used)) {
        __atomic_store_n(&line->used, 1, __ATOMIC_RELAXED);
        s->series++;
    }
    if (LIKELY(newest))
        line->last_ts_ms = row->ts_ms;
}

static struct head_line *line_of(const struct head_window *w, uint32_t id)
{
    struct head_line *page = __atomic_load_n(&w->pages[id >> LINE_PAGE_BITS], __ATOMIC_ACQUIRE);
    return page == NULL ? NULL : page + (id & (LINE_PAGE - 1));
}

static struct head_line *line_make(struct head_window *w, struct shard *s, uint32_t id)
{
    ASSERT(id < REGISTRY_IDS_MAX);
    struct head_line **page = &w->pages[id >> LINE_PAGE_BITS];
    if (UNLIKELY(*page == NULL)) {
        struct head_line *fresh = slab_alloc(&s->slab, LINE_PAGE * sizeof(struct head_line));
        __atomic_store_n(page, fresh, __ATOMIC_RELEASE);
        s->line_bytes += LINE_PAGE * sizeof(struct head_line);
        s->id_end = MAX(s->id_end, (id | (LINE_PAGE - 1)) + 1);
    }
    return *page + (id & (LINE_PAGE - 1));
}

static uint64_t shard_bytes(const struct shard *s)
{
    return sizeof(*s) + s->slab.used_bytes + time_tree_bytes(&s->times) + s->scratch.cap;
}

/* The shards that rows of `shards` belong to. */
static uint32_t shards_of(const struct db_row *rows, size_t count, uint32_t shards)
{
    uint32_t set = 0;
    for (size_t i = 0; i < count; i++)
        set |= 1U << head_shard_of(rows[i].series);
    return set & shards;
}

/* Locks of several shards are taken in ascending order. */
static void lock_all(struct head_window *w, uint32_t shards)
{
    for (; shards != 0; shards &= shards - 1) {
        struct shard *s = &w->shards[__builtin_ctz(shards)];
        rwlock_write(&s->lock);
        atomic_fetch_add_explicit(&s->version, 1, memory_order_acq_rel);
    }
}

static void unlock_all(struct head_window *w, uint32_t shards)
{
    for (; shards != 0; shards &= shards - 1) {
        struct shard *s = &w->shards[__builtin_ctz(shards)];
        atomic_store_explicit(&s->bytes_now, shard_bytes(s), memory_order_relaxed);
        atomic_fetch_add_explicit(&s->version, 1, memory_order_release);
        rwlock_unlock(&s->lock);
    }
}

struct rows { /* part of a call's */
    const struct db_row *rows;
    const int64_t *start_ts_ms; /* or NULL */
    const uint8_t *verdicts;    /* or NULL */
    size_t count;
    bool all_shards; /* all rows are wanted, whatever their shard */
};

static struct rows rows_part(const struct rows *all, size_t from, size_t max)
{
    return (struct rows){
        all->rows + from,
        all->start_ts_ms != NULL ? all->start_ts_ms + from : NULL,
        all->verdicts != NULL ? all->verdicts + from : NULL,
        MIN(all->count - from, max),
        all->all_shards,
    };
}

static bool is_written(const struct rows *r, size_t i, uint32_t held)
{
    return (held >> head_shard_of(r->rows[i].series) & 1) != 0 &&
           (r->verdicts == NULL || admit_writes(r->verdicts[i]));
}

/* Where rows go: lines[i] is row i's, or NULL when it is not written. `keeper` is a shard that is
 * held: a window's range of times is that of all its shards, so any may keep it. */
static void find_lines(struct head_window *w, const struct rows *r, uint32_t held,
                       struct shard *keeper, struct head_line **lines)
{
    int64_t min_ms = keeper->min_ms, max_ms = keeper->max_ms;
    const struct db_row *row = r->rows;
    bool all = r->verdicts == NULL && r->all_shards;
    for (size_t i = 0, count = r->count; i < count; i++, row++) {
        lines[i] = NULL;
        if (UNLIKELY(!all && !is_written(r, i, held)))
            continue;
        struct head_line *line = line_of(w, row->series);
        if (UNLIKELY(line == NULL))
            line = line_make(w, &w->shards[head_shard_of(row->series)], row->series);
        __builtin_prefetch(line, 1);
        lines[i] = line;
        min_ms = MIN(min_ms, row->ts_ms);
        max_ms = MAX(max_ms, row->ts_ms);
    }
    keeper->min_ms = min_ms;
    keeper->max_ms = max_ms;
}

/* Three passes, each of which fetches the next one's cache lines: series, ends of streams,
 * appending. */
static void apply_fetched(struct head_window *w, const struct rows *r, uint32_t held,
                          struct shard *keeper)
{
    struct head_line *lines[FETCH_CHUNK];
    const struct db_row *row = r->rows;
    const int64_t *start_ts_ms = r->start_ts_ms;
    size_t count = r->count;
    find_lines(w, r, held, keeper, lines);
    for (size_t i = 0; i < count; i++)
        if (LIKELY(lines[i] != NULL && lines[i]->tail != NULL))
            __builtin_prefetch(lines[i]->tail->bytes + lines[i]->xor.len_bytes, 1);
    for (size_t i = 0; i < count; i++, row++)
        if (LIKELY(lines[i] != NULL))
            apply_row(&w->shards[head_shard_of(row->series)], lines[i], row,
                      start_ts_ms != NULL ? start_ts_ms[i] : 0);
}

static void apply_locked(struct head_window *w, const struct rows *r, uint32_t shards)
{
    uint32_t held = shards_of(r->rows, r->count, shards);
    if (held == 0)
        return;
    lock_all(w, held);
    for (size_t i = 0; i < r->count; i += FETCH_CHUNK) {
        struct rows part = rows_part(r, i, FETCH_CHUNK);
        apply_fetched(w, &part, held, &w->shards[__builtin_ctz(held)]);
    }
    unlock_all(w, held);
}

void head_apply(struct head_window *w, const struct db_row *rows, const int64_t *start_ts_ms,
                const uint8_t *verdicts, size_t count, uint32_t shards)
{
    struct rows all = {rows, start_ts_ms, verdicts, count, shards == HEAD_SHARDS_ALL};
    for (size_t i = 0; i < count; i += APPLY_CHUNK) {
        struct rows part = rows_part(&all, i, APPLY_CHUNK);
        apply_locked(w, &part, shards);
    }
}

/* ---- Reading ---- */

void head_copy_fini(struct head_copy *c)
{
    mem_free(c->chunks);
    mem_free(c->bytes);
    mem_free(c->starts);
    mem_free(c->sides);
    *c = (struct head_copy){.count = 0};
}

/* Room for `extra` more items in a growing array. */
static void *grown(void *items, size_t len, size_t extra, size_t *cap, size_t item_size)
{
    if (*cap - len >= extra)
        return items;
    *cap = MAX(*cap * 2, len + extra);
    return mem_resize(items, *cap, item_size);
}

static void copy_stream(struct head_copy *c, const struct head_line *line, struct head_chunk *out)
{
    if (line->block_count == 0)
        return;
    uint32_t index = line->block_count - 1U, piece = line->xor.len_bytes;
    size_t len = blocks_room(index) + piece;
    c->bytes = grown(c->bytes, c->bytes_len, len, &c->bytes_cap, 1);
    uint8_t *end = c->bytes + c->bytes_len + len;
    for (const struct value_block *b = line->tail; b != NULL; b = b->prev) {
        end -= piece;
        memcpy(end, b->bytes, piece);
        if (index > 0)
            piece = block_room(--index);
    }
    out->bytes_len = len;
    out->xor.len_bytes = (uint32_t)len;
    c->bytes_len += len;
}

static void copy_side(struct head_copy *c, const struct head_side_list *side,
                      struct head_chunk *out)
{
    out->side_count = side->count;
    c->sides = grown(c->sides, c->sides_len, side->count, &c->sides_cap, sizeof(*c->sides));
    side_copy(side, c->sides + c->sides_len);
    c->sides_len += side->count;
    out->start_count = side->start_count;
    c->starts =
        grown(c->starts, c->starts_len, side->start_count, &c->starts_cap, sizeof(*c->starts));
    side_copy_starts(side, c->starts + c->starts_len);
    c->starts_len += side->start_count;
}

static uint64_t column_name(uint32_t shard, struct time_pos at)
{
    ASSERT(at.column < 1U << COLUMN_BITS);
    return (uint64_t)shard << (COLUMN_BITS + 32) | (uint64_t)at.column << 32 | at.pos;
}

/* Copy one series; where its parts lie is known by their lengths until all are copied. */
static void copy_line(struct head_copy *c, uint32_t id, const struct head_line *line,
                      bool with_bytes, struct head_chunk *out)
{
    *out = (struct head_chunk){.series = id, .max_ms = INT64_MIN};
    if (line == NULL || !line->used)
        return;
    out->count = line->count;
    out->column = column_name(head_shard_of(id), line->at);
    out->xor = line->xor ;
    out->max_ms = line->last_ts_ms;
    if (with_bytes)
        copy_stream(c, line, out);
    if (line->side != NULL)
        copy_side(c, line->side, out);
}

/* The arrays do not move any more: set the pointers into them, and order the side samples. */
static void link_chunks(struct head_copy *c)
{
    size_t bytes = 0, starts = 0, sides = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct head_chunk *chunk = &c->chunks[i];
        chunk->bytes = c->bytes + bytes;
        chunk->starts = c->starts + starts;
        chunk->side = c->sides + sides;
        bytes += chunk->bytes_len;
        starts += chunk->start_count;
        size_t side_count = chunk->side_count;
        if (side_count > 0)
            chunk->side_count = side_sort(c->sides + sides, side_count);
        sides += side_count;
    }
}

#if defined(__SANITIZE_THREAD__) /* knows no fences: it sees the way with locks */
static bool snapshot(struct head_window *w, const uint32_t *ids, size_t count,
                     struct head_line *lines)
{
    (void)w, (void)ids, (void)count, (void)lines;
    return false;
}
#else
typedef uint64_t __attribute__((may_alias)) line_word;

static void snapshot_line(struct head_line *to, const struct head_line *from)
{
    for (size_t i = 0; i < sizeof(*to) / sizeof(line_word); i++)
        ((line_word *)to)[i] = __atomic_load_n((const line_word *)from + i, __ATOMIC_RELAXED);
}

/* Lines of one shard's series as they stand at one moment, without its lock: a reader that is put
 * aside while it holds one keeps the commit of samples waiting. False: somebody wrote meanwhile.
 * The streams behind the lines need no lock then, since their written words never change. */
static bool snapshot(struct head_window *w, const uint32_t *ids, size_t count,
                     struct head_line *lines)
{
    struct shard *s = &w->shards[head_shard_of(ids[0])];
    unsigned version = atomic_load_explicit(&s->version, memory_order_acquire);
    if ((version & 1) != 0)
        return false;
    bool sides = false;
    for (size_t i = 0; i < count; i++) {
        const struct head_line *line = line_of(w, ids[i]);
        lines[i].used = 0;
        lines[i].side = NULL;
        if (line != NULL)
            snapshot_line(&lines[i], line);
        sides |= lines[i].side != NULL;
    }
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&s->version, memory_order_relaxed) == version && !sides;
}
#endif

static void copy_locked(struct head_window *w, const uint32_t *ids, size_t count, bool with_bytes,
                        struct head_copy *c, struct head_chunk *out)
{
    struct shard *s = &w->shards[head_shard_of(ids[0])];
    rwlock_read(&s->lock);
    for (size_t i = 0; i < count; i++)
        copy_line(c, ids[i], line_of(w, ids[i]), with_bytes, &out[i]);
    rwlock_unlock(&s->lock);
}

/* How many of the ids belong to the first one's shard, at most READ_CHUNK. */
static size_t run_of_shard(const uint32_t *ids, size_t count)
{
    size_t n = 1;
    while (n < MIN(count, (size_t)READ_CHUNK) && head_shard_of(ids[n]) == head_shard_of(ids[0]))
        n++;
    return n;
}

static void copy_all(struct head_window *w, const uint32_t *ids, size_t count, bool with_bytes,
                     struct head_copy *c)
{
    struct head_line lines[READ_CHUNK];
    c->chunks = grown(c->chunks, 0, count, &c->cap, sizeof(*c->chunks));
    c->count = count;
    c->bytes_len = c->starts_len = c->sides_len = 0;
    for (size_t i = 0, n; i < count; i += n) {
        n = run_of_shard(ids + i, count - i);
        if (UNLIKELY(!snapshot(w, ids + i, n, lines))) {
            copy_locked(w, ids + i, n, with_bytes, c, c->chunks + i);
            continue;
        }
        for (size_t k = 0; k < n; k++)
            copy_line(c, ids[i + k], &lines[k], with_bytes, &c->chunks[i + k]);
    }
    link_chunks(c);
}

void head_read(struct head_window *w, const uint32_t *ids, size_t count, struct head_copy *c)
{
    copy_all(w, ids, count, true, c);
}

void head_peek(struct head_window *w, const uint32_t *ids, size_t count, struct head_copy *c)
{
    copy_all(w, ids, count, false, c);
}

/* Needs no lock: once used, always used. */
bool head_has(struct head_window *w, uint32_t series)
{
    const struct head_line *line = line_of(w, series);
    return line != NULL && __atomic_load_n(&line->used, __ATOMIC_RELAXED) != 0;
}

size_t head_filter(struct head_window *w, const uint32_t *ids, size_t count, uint32_t *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        out[kept] = ids[i];
        kept += head_has(w, ids[i]);
    }
    return kept;
}

void head_times(struct head_window *w, uint64_t column, uint32_t count, int64_t *out)
{
    struct shard *s = &w->shards[column >> (COLUMN_BITS + 32)];
    struct time_pos at = {(uint32_t)(column >> 32) & ((1U << COLUMN_BITS) - 1), (uint32_t)column};
    rwlock_read(&s->lock);
    time_tree_read(&s->times, at, count, out);
    rwlock_unlock(&s->lock);
}

/* Series with samples of one page, from `first` on. */
static size_t page_series(struct head_window *w, uint32_t first, uint32_t *out, size_t cap)
{
    struct shard *s = &w->shards[head_shard_of(first)];
    size_t count = 0;
    rwlock_read(&s->lock);
    const struct head_line *page = w->pages[first >> LINE_PAGE_BITS];
    for (uint32_t i = first & (LINE_PAGE - 1); page != NULL && i < LINE_PAGE && count < cap; i++)
        if (page[i].used)
            out[count++] = (first & ~(uint32_t)(LINE_PAGE - 1)) + i;
    rwlock_unlock(&s->lock);
    return count;
}

static uint32_t window_id_end(struct head_window *w)
{
    uint32_t end = 0;
    for (unsigned i = 0; i < HEAD_SHARDS; i++) {
        rwlock_read(&w->shards[i].lock);
        end = MAX(end, w->shards[i].id_end);
        rwlock_unlock(&w->shards[i].lock);
    }
    return end;
}

size_t head_series(struct head_window *w, uint32_t first, uint32_t *out, size_t cap)
{
    size_t count = 0;
    uint32_t end = window_id_end(w);
    for (uint32_t id = first; id < end && count < cap; id = (id | (LINE_PAGE - 1)) + 1)
        count += page_series(w, id, out + count, cap - count);
    return count;
}

/* ---- Totals ---- */

void head_totals_of(struct head_window *w, struct head_totals *out)
{
    *out = (struct head_totals){.min_ms = INT64_MAX, .max_ms = INT64_MIN, .bytes = sizeof(*w)};
    for (unsigned i = 0; i < HEAD_SHARDS; i++) {
        struct shard *s = &w->shards[i];
        rwlock_read(&s->lock);
        out->floats += s->floats;
        out->out_of_order += s->out_of_order;
        out->histograms += s->histograms;
        out->series += s->series;
        out->columns += s->times.column_count - 1;
        out->bytes += shard_bytes(s) - sizeof(*s);
        out->line_bytes += s->line_bytes;
        out->value_bytes += s->value_bytes;
        out->time_bytes += time_tree_bytes(&s->times);
        out->side_bytes += s->side_bytes;
        out->min_ms = MIN(out->min_ms, s->min_ms);
        out->max_ms = MAX(out->max_ms, s->max_ms);
        rwlock_unlock(&s->lock);
    }
}

uint64_t head_bytes(const struct head_window *w)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < HEAD_SHARDS; i++)
        bytes += atomic_load_explicit(&w->shards[i].bytes_now, memory_order_relaxed);
    return bytes;
}
