#include "storage/head_window.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/head_window_priv.h"
#include "storage/pages.h"

enum {
    READ_CHUNK = 64,  /* series that are copied under one lock at most */
    COLUMN_BITS = 29, /* of a column in its public name, between shard and position */
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

/* ---- Reading ---- */

/* Stream bytes in the first `count` pieces. */
static size_t blocks_room(uint32_t count)
{
    return count == 0 ? 0 : block_room(0) + (size_t)(count - 1) * block_room(1);
}

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
