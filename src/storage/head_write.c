/* head_write.c -- appending to a head window. */
#include <string.h>

#include "base/assert.h"
#include "storage/admission.h"
#include "storage/codec_xor_append.h"
#include "storage/head_window_priv.h"
#include "storage/row_run.h"

enum {
    APPLY_CHUNK = 4096,          /* rows for which locks are held at a time */
    FETCH_CHUNK = 64,            /* rows whose cache lines are fetched together */
    BLOCKS_MAX = UINT16_MAX - 1, /* of a stream: a value may need two, and then goes beside it */
};

/* Readers look at this without a lock. */
static void use_line(struct head_line *line, enum line_use use)
{
    __atomic_store_n(&line->used, (uint8_t)use, __ATOMIC_RELAXED);
}

/* ---- Streams ---- */

static void block_add(struct shard *s, struct head_line *line)
{
    size_t size = block_room(line->block_count) + sizeof(struct value_block);
    struct value_block *b = slab_alloc(&s->slab, size);
    s->value_bytes += size;
    b->prev = line->tail;
    line->tail = b;
    line->tail_words = (uint8_t)((size - sizeof(*b)) / 8);
    line->xor.len_bytes = 0;
    line->block_count++;
    ASSERT(line->block_count != 0);
    if (line->block_count == BLOCKS_MAX)
        use_line(line, LINE_USED);
}

static inline void put_bits(struct shard *s, struct head_line *line, uint64_t bits, unsigned count)
{
    uint64_t word;
    if (!xor_put(&line->xor, bits, count, &word))
        return;
    if (UNLIKELY(line->xor.len_bytes == line->tail_words * 8U))
        block_add(s, line);
    store_u64(line->tail->bytes + line->xor.len_bytes, word);
    line->xor.len_bytes += 8;
}

static inline void append_value(struct shard *s, struct head_line *line, double value)
{
    line->count++;
    if (xor_append_same(&line->xor, value))
        return;
    struct xor_code c = xor_code_of(&line->xor, value);
    if (UNLIKELY(c.head_bits > 0))
        put_bits(s, line, c.head, c.head_bits);
    put_bits(s, line, c.bits, c.count);
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

/* Any row that admission lets pass. */
static void apply_any(struct shard *s, struct head_line *line, const struct db_row *row,
                      int64_t start_ts_ms)
{
    bool newest = row->ts_ms > line->last_ts_ms || line->used == LINE_EMPTY;
    if (newest && row->histogram == NULL && line->block_count < BLOCKS_MAX) {
        apply_start(s, line, start_ts_ms);
        line->at = time_tree_advance(&s->times, line->at, row->ts_ms);
        append_value(s, line, row->value);
        s->floats++;
    } else {
        apply_side(s, line, row, start_ts_ms);
    }
    s->series += line->used == LINE_EMPTY;
    use_line(line, line->side == NULL && line->block_count < BLOCKS_MAX ? LINE_PLAIN : LINE_USED);
    if (newest)
        line->last_ts_ms = row->ts_ms;
}

/* What most rows are: a float for a series that has nothing but a stream, at the time and from the
 * position of the row before. It is later than all of the series then, for that step was one ahead
 * and the stream ends where it started. Returns false, with nothing changed, for other rows. */
static inline bool apply_plain(struct shard *s, struct head_line *line, const struct db_row *row)
{
    const struct time_tree *t = &s->times;
    int64_t ts_ms = row->ts_ms;
    if (UNLIKELY(memcmp(&line->at, &t->from, sizeof(line->at)) != 0 || ts_ms != t->ts_ms ||
                 line->used != LINE_PLAIN || row->histogram != NULL))
        return false;
    line->at = t->to;
    line->last_ts_ms = ts_ms;
    append_value(s, line, row->value);
    s->floats++;
    return true;
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

/* Are all rows of one block of ids, and so of one shard? */
HOT_CLONES
static bool in_one_block(const struct db_row *rows, size_t count)
{
    return row_run_differ(rows, count) >> HEAD_SHARD_BLOCK_BITS == 0;
}

/* The shards that rows of `shards` belong to. */
static uint32_t shards_of(const struct db_row *rows, size_t count, uint32_t shards)
{
    uint32_t set = 1U << head_shard_of(rows[0].series);
    if (!in_one_block(rows, count))
        for (size_t i = 1; i < count; i++)
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

static struct head_line *line_for(struct head_window *w, uint32_t series)
{
    struct head_line *line = line_of(w, series);
    return LIKELY(line != NULL) ? line : line_make(w, &w->shards[head_shard_of(series)], series);
}

/* A window's range of times is that of all its shards, so any may keep it. */
static void note_time(struct shard *keeper, int64_t ts_ms)
{
    keeper->min_ms = MIN(keeper->min_ms, ts_ms);
    keeper->max_ms = MAX(keeper->max_ms, ts_ms);
}

/* Where there is no tail yet nothing is fetched. */
static inline void fetch_tail(const struct head_line *line)
{
    uintptr_t tail = (uintptr_t)line->tail + sizeof(struct value_block);
    __builtin_prefetch((const void *)(tail + line->xor.len_bytes), 1);
}

/* Three passes, each of which fetches the next one's cache lines: series, ends of streams,
 * appending. `keeper` is a shard that is held. */
static void apply_fetched(struct head_window *w, const struct rows *r, uint32_t held,
                          struct shard *keeper)
{
    struct head_line *lines[FETCH_CHUNK];
    const struct db_row *rows = r->rows;
    const int64_t *start_ts_ms = r->start_ts_ms;
    size_t count = r->count;
    for (size_t i = 0; i < count; i++) {
        lines[i] = NULL;
        if (!is_written(r, i, held))
            continue;
        lines[i] = line_for(w, rows[i].series);
        __builtin_prefetch(lines[i], 1);
        note_time(keeper, rows[i].ts_ms);
    }
    for (size_t i = 0; i < count; i++)
        if (lines[i] != NULL && lines[i]->tail != NULL)
            fetch_tail(lines[i]);
    for (size_t i = 0; i < count; i++) {
        struct shard *s = &w->shards[head_shard_of(rows[i].series)];
        if (lines[i] != NULL && (start_ts_ms != NULL || !apply_plain(s, lines[i], &rows[i])))
            apply_any(s, lines[i], &rows[i], start_ts_ms != NULL ? start_ts_ms[i] : 0);
    }
}

/* The same for rows that are all written, to one shard and without start time stamps. */
HOT_CLONES
static void apply_together(struct head_window *w, const struct db_row *rows, size_t count,
                           struct shard *s)
{
    struct head_line *lines[FETCH_CHUNK];
    int64_t ts_ms = rows[0].ts_ms;
    note_time(s, ts_ms);
#pragma GCC unroll 4
    for (size_t i = 0; i < count; i++) {
        lines[i] = line_for(w, rows[i].series);
        __builtin_prefetch(lines[i], 1);
        if (UNLIKELY(rows[i].ts_ms != ts_ms)) {
            ts_ms = rows[i].ts_ms;
            note_time(s, ts_ms);
        }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < count; i++)
        fetch_tail(lines[i]);
    for (size_t i = 0; i < count; i++)
        if (UNLIKELY(!apply_plain(s, lines[i], &rows[i])))
            apply_any(s, lines[i], &rows[i], 0);
}

/* Of floats of one time and neighbouring series those from the first on that apply_plain() would
 * take; returns how many. Their values lie `stride` bytes apart. */
static inline __attribute__((always_inline)) size_t apply_same(struct shard *s,
                                                               struct head_line *lines,
                                                               int64_t ts_ms, const void *values,
                                                               size_t stride, size_t count)
{
    const struct time_tree *t = &s->times;
    struct time_pos from = t->from, to = t->to;
    const uint8_t *value = values;
    struct head_line *line = lines, *end = lines + count;
    if (UNLIKELY(ts_ms != t->ts_ms))
        return 0;
    for (; line < end; line++, value += stride) {
        if (UNLIKELY(memcmp(&line->at, &from, sizeof(from)) != 0 || line->used != LINE_PLAIN))
            break;
        line->at = to;
        line->last_ts_ms = ts_ms;
        append_value(s, line, f64_from_bits(load_u64(value)));
    }
    s->floats += (size_t)(line - lines);
    return (size_t)(line - lines);
}

/* The same for a run (row_run.h) of series in one page that exists. */
HOT_CLONES
static void apply_run(struct head_line *lines, const struct db_row *rows, size_t count,
                      struct shard *s, enum row_run run)
{
    row_run_fetch(lines, count);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        fetch_tail(&lines[i]);
        fetch_tail(&lines[i + 1]);
        fetch_tail(&lines[i + 2]);
        fetch_tail(&lines[i + 3]);
    }
    for (; i < count; i++)
        fetch_tail(&lines[i]);
    for (i = 0; i < count; i++) {
        note_time(s, rows[i].ts_ms);
        i += apply_same(s, lines + i, rows[i].ts_ms, &rows[i].value, sizeof(*rows),
                        run == ROW_RUN_SAME ? count - i : row_run_same_time(rows + i, count - i));
        if (UNLIKELY(i < count))
            apply_any(s, &lines[i], &rows[i], 0);
    }
}

HOT_CLONES
static enum row_run run_of(const struct db_row *rows, size_t count)
{
    return row_run_of(rows, count);
}

/* Rows that are all written, of any shards that are held, and without start time stamps. */
static void apply_simple(struct head_window *w, const struct rows *r, bool one_shard, uint32_t held)
{
    struct shard *s = &w->shards[head_shard_of(r->rows[0].series)];
    enum row_run run = run_of(r->rows, r->count);
    if (LIKELY(run != ROW_RUN_NONE))
        apply_run(line_for(w, r->rows[0].series), r->rows, r->count, s, run);
    else if (one_shard || in_one_block(r->rows, r->count))
        apply_together(w, r->rows, r->count, s);
    else
        apply_fetched(w, r, held, s);
}

static void apply_locked(struct head_window *w, const struct rows *r, uint32_t shards)
{
    uint32_t held = shards_of(r->rows, r->count, shards);
    if (held == 0)
        return;
    bool simple = r->verdicts == NULL && r->start_ts_ms == NULL && r->all_shards;
    bool one = (held & (held - 1)) == 0;
    lock_all(w, held);
    struct rows part;
    for (size_t i = 0; i < r->count; i += part.count) {
        part =
            rows_part(r, i, row_run_size(r->rows + i, r->count - i, FETCH_CHUNK, LINE_PAGE_BITS));
        if (LIKELY(simple))
            apply_simple(w, &part, one, held);
        else
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

/* ---- Runs ---- */

struct run_part { /* of a run, in one page */
    struct head_line *lines;
    const uint8_t *values;
    int64_t ts_ms, start_ts_ms;
    size_t count;
};

static inline __attribute__((always_inline)) void apply_part(struct shard *s,
                                                             const struct run_part *p)
{
    struct db_row row = {.ts_ms = p->ts_ms};
    note_time(s, p->ts_ms);
    for (size_t i = 0; i < p->count; i++) {
        const uint8_t *values = p->values + i * 8;
        if (LIKELY(p->start_ts_ms == 0))
            i += apply_same(s, p->lines + i, p->ts_ms, values, 8, p->count - i);
        if (LIKELY(i == p->count))
            break;
        row.value = f64_from_bits(load_u64(p->values + i * 8));
        apply_any(s, &p->lines[i], &row, p->start_ts_ms);
    }
}

/* Parts with FETCH_CHUNK rows in all, whose lines have been asked for. */
HOT_CLONES
static void apply_parts(struct shard *s, const struct run_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < parts[i].count; k++)
            fetch_tail(&parts[i].lines[k]);
    for (size_t i = 0; i < count; i++)
        apply_part(s, &parts[i]);
}

/* The part of a run from row `done` on, at most `max` rows. */
static struct run_part part_of(struct head_window *w, const struct head_run *run, uint32_t done,
                               size_t max)
{
    uint32_t id = run->series + done;
    size_t page_left = LINE_PAGE - (id & (LINE_PAGE - 1));
    struct run_part p = {
        .lines = line_for(w, id),
        .values = run->values + (size_t)done * 8,
        .ts_ms = run->ts_ms,
        .start_ts_ms = run->start_ts_ms,
        .count = MIN(MIN((size_t)(run->count - done), page_left), max),
    };
    row_run_fetch(p.lines, p.count);
    return p;
}

void head_apply_runs(struct head_window *w, const struct head_run *runs, size_t count)
{
    struct run_part parts[FETCH_CHUNK];
    size_t part_count = 0, rows = 0;
    if (count == 0)
        return;
    struct shard *s = &w->shards[head_shard_of(runs[0].series)];
    lock_all(w, 1U << head_shard_of(runs[0].series));
    for (size_t i = 0; i < count; i++) {
        const struct head_run *run = &runs[i];
        ASSERT(&w->shards[head_shard_of(run->series + run->count - 1)] == s);
        for (uint32_t done = 0; done < run->count;) {
            struct run_part *p = &parts[part_count++];
            *p = part_of(w, run, done, FETCH_CHUNK - rows);
            done += (uint32_t)p->count;
            rows += p->count;
            if (rows < FETCH_CHUNK)
                continue;
            apply_parts(s, parts, part_count);
            part_count = rows = 0;
        }
    }
    apply_parts(s, parts, part_count);
    unlock_all(w, 1U << head_shard_of(runs[0].series));
}
