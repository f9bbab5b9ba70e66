/* series_reader.c -- series as columns. Nearly always the parts of a series follow one another in
 * time: values are decoded back to back, and times come from the cache (reader_columns.c). All
 * else is merged (reader_merge.c). */
#include "base/mem.h"
#include "storage/reader_priv.h"

err series_reader_open(struct selection *s, struct arena *a, struct series_reader **out)
{
    struct series_reader *r = ARENA_NEW(a, struct series_reader);
    if (r == NULL)
        return ERR_LIMIT;
    r->s = s;
    r->a = a;
    r->cursors = ARENA_ARRAY(a, struct block_cursor *, s->source_count + 1);
    if (r->cursors == NULL)
        return ERR_LIMIT;
    uint64_t left = a->budget_bytes - MIN(a->used_bytes, a->budget_bytes);
    r->cache_bytes_max = MIN(READER_CACHE_BYTES_MAX, left / 4);
    arena_init(&r->histograms, (size_t)MIN(READER_HISTOGRAM_BYTES_MAX, left / 2));
    *out = r;
    return OK;
}

static void run_fini(struct run *run)
{
    mem_free(run->ts_ms);
    mem_free(run->values);
    mem_free(run->starts);
    mem_free(run->histograms);
}

void series_reader_close(struct series_reader *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->s->source_count; i++)
        block_cursor_close(r->cursors[i]);
    for (size_t i = 0; i < DB_WINDOWS_MAX; i++)
        head_copy_fini(&r->copies[i]);
    head_decoder_fini(&r->decoder);
    run_fini(&r->out);
    run_fini(&r->merged);
    run_fini(&r->part);
    mem_free(r->segments);
    mem_free(r->keys);
    arena_fini(&r->histograms);
    arena_release(r->a, r->charged_bytes);
}

struct series_reader_stats series_reader_stats_of(const struct series_reader *r)
{
    return r->stats;
}

err run_reserve(struct series_reader *r, struct run *run, size_t count)
{
    if (count <= run->cap && run->cap > 0)
        return OK;
    size_t cap = MAX(count + count / 2, (size_t)512);
    size_t bytes = (cap - run->cap) * 4 * sizeof(double);
    if (!arena_charge(r->a, bytes))
        return ERR_LIMIT;
    r->charged_bytes += bytes;
    size_t places = cap + CODEC_PAD + READER_PAD;
    run->ts_ms = mem_resize(run->ts_ms, places, sizeof(*run->ts_ms));
    run->values = mem_resize(run->values, places, sizeof(*run->values));
    run->starts = mem_resize(run->starts, places, sizeof(*run->starts));
    run->histograms = mem_resize(run->histograms, places, sizeof(*run->histograms));
    size_t added = places - (run->cap == 0 ? 0 : run->cap);
    memset(run->histograms + places - added, 0, added * sizeof(*run->histograms));
    memset(run->values + places - added, 0, added * sizeof(*run->values));
    memset(run->starts + places - added, 0, added * sizeof(*run->starts));
    memset(run->ts_ms + places - added, 0, added * sizeof(*run->ts_ms));
    run->cap = cap;
    return OK;
}

/* ---- Head samples, a batch of series at a time ---- */

static size_t first_window(const struct selection *s)
{
    size_t i = s->source_count;
    while (i > 0 && s->sources[i - 1].window != NULL)
        i--;
    return i;
}

static void read_batch(struct series_reader *r, size_t w, uint32_t source)
{
    struct selection *s = r->s;
    uint32_t ids[READER_BATCH_MAX];
    size_t n = 0;
    for (size_t i = r->batch_from; i < r->batch_to; i++) {
        uint32_t k = s->series[i].first;
        while (k != SELECT_NONE && s->parts[k].source != source)
            k = s->parts[k].next;
        r->slots[w][i - r->batch_from] = k != SELECT_NONE ? (uint32_t)n : SELECT_NONE;
        if (k != SELECT_NONE)
            ids[n++] = s->parts[k].id;
    }
    if (r->batch_peeked)
        head_peek(s->sources[source].window, ids, n, &r->copies[w]);
    else
        head_read(s->sources[source].window, ids, n, &r->copies[w]);
}

/* Have the head's samples of series `i` at hand, or with `peek` what head_peek() tells of them;
 * reading on makes batches grow. */
static void want_batch(struct series_reader *r, size_t i, bool peek)
{
    if (i >= r->batch_from && i < r->batch_to && (peek || !r->batch_peeked))
        return;
    r->batch_peeked = peek;
    size_t size = 1;
    if (i == r->expected)
        size = MIN(MAX((r->batch_to - r->batch_from) * 2, (size_t)16), (size_t)READER_BATCH_MAX);
    r->batch_from = i;
    r->batch_to = MIN(i + size, r->s->series_count);
    size_t first = first_window(r->s);
    for (size_t source = first; source < r->s->source_count; source++)
        read_batch(r, source - first, (uint32_t)source);
}

const struct head_chunk *reader_head_chunk(const struct series_reader *r, size_t i,
                                           const struct select_part *p)
{
    size_t w = p->source - first_window(r->s);
    uint32_t slot = r->slots[w][i - r->batch_from];
    if (slot == SELECT_NONE)
        return NULL;
    const struct head_chunk *c = &r->copies[w].chunks[slot];
    return c->count > 0 || c->side_count > 0 ? c : NULL;
}

/* ---- Segments ---- */

static void add_segment(struct series_reader *r, const struct segment *seg)
{
    if (r->segment_count == r->segment_cap) {
        r->segment_cap = r->segment_cap == 0 ? 64 : r->segment_cap * 2;
        r->segments = mem_resize(r->segments, r->segment_cap, sizeof(*r->segments));
        r->keys = mem_resize(r->keys, r->segment_cap, sizeof(*r->keys));
    }
    size_t k = r->segment_count++;
    for (; k > 0 && seg->block != NULL && r->segments[k - 1].block->min_ms > seg->block->min_ms;
         k--) {
        r->segments[k] = r->segments[k - 1];
        r->keys[k] = r->keys[k - 1];
    }
    r->segments[k] = *seg;
    r->keys[k] = seg->key;
}

static struct block_cursor *cursor_of(struct series_reader *r, uint32_t source)
{
    if (r->cursors[source] == NULL)
        r->cursors[source] = block_cursor_open(r->s->sources[source].block);
    return r->cursors[source];
}

static err gather_block(struct series_reader *r, const struct select_part *p, bool *plain,
                        struct diag *d)
{
    struct block_cursor *c = cursor_of(r, p->source);
    struct block_series series;
    size_t deletions;
    if (!block_overlaps(r->s->sources[p->source].block, r->s->read_min_ms, r->s->max_ms))
        return OK;
    TRY(block_series_read(c, p->id, r->s->read_min_ms, r->s->max_ms, &series, d));
    for (size_t k = 0; k < series.chunk_count; k++) {
        const struct block_chunk *ch = &series.chunks[k];
        add_segment(r, &(struct segment){{ch->column, p->source, ch->count}, ch, NULL});
    }
    (void)block_series_tombstones(c, p->id, &deletions);
    *plain &= deletions == 0;
    return OK;
}

static void gather_head(struct series_reader *r, const struct select_part *p,
                        const struct head_chunk *c, bool *plain)
{
    *plain &= c->side_count == 0;
    if (c->count > 0)
        add_segment(r, &(struct segment){{c->column, p->source, c->count}, NULL, c});
}

static err gather(struct series_reader *r, size_t i, bool *plain, struct diag *d)
{
    struct selection *s = r->s;
    r->segment_count = 0;
    *plain = true;
    for (uint32_t k = s->series[i].first; k != SELECT_NONE; k = s->parts[k].next) {
        const struct select_part *p = &s->parts[k];
        if (s->sources[p->source].block != NULL) {
            TRY(gather_block(r, p, plain, d));
        } else {
            const struct head_chunk *c = reader_head_chunk(r, i, p);
            if (c != NULL)
                gather_head(r, p, c, plain);
        }
    }
    return OK;
}

/* ---- Values ---- */

static void fill_starts(struct run *run, size_t count)
{
    memset(run->starts + run->count, 0, count * sizeof(*run->starts));
}

static err chunk_histograms(struct series_reader *r, struct block_cursor *c,
                            const struct block_chunk *ch, struct run *run, struct diag *d)
{
    struct histogram *hists;
    TRY(block_read_histograms(c, ch, &r->histograms, &hists, d));
    for (uint32_t i = 0; i < ch->count; i++) {
        run->histograms[run->count + i] = &hists[i];
        run->values[run->count + i] = hists[i].sum;
    }
    run->any_histogram = true;
    return OK;
}

err reader_chunk_values(struct series_reader *r, uint32_t source, const struct block_chunk *ch,
                        struct run *run, struct diag *d)
{
    struct block_cursor *c = r->cursors[source];
    if (ch->kind == BLOCK_HISTOGRAMS) {
        TRY(chunk_histograms(r, c, ch, run, d));
    } else {
        TRY(block_read_values(c, ch, run->values + run->count, d));
        memset(run->histograms + run->count, 0, ch->count * sizeof(*run->histograms));
    }
    if (ch->has_start) {
        TRY(block_read_starts(c, ch, run->starts + run->count, d));
        run->any_start = true;
    } else {
        fill_starts(run, ch->count);
    }
    run->count += ch->count;
    r->stats.chunks++;
    r->stats.bytes += ch->size;
    return OK;
}

static void head_starts(const struct head_chunk *c, int64_t *out)
{
    size_t k = 0;
    int64_t start_ms = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        while (k < c->start_count && c->starts[k].first <= i)
            start_ms = c->starts[k++].start_ts_ms;
        out[i] = start_ms;
    }
}

static err head_values(struct series_reader *r, const struct head_chunk *c, struct run *run)
{
    TRY(xor_decode(&c->xor, c->bytes, c->bytes_len, c->count, run->values + run->count));
    memset(run->histograms + run->count, 0, c->count * sizeof(*run->histograms));
    if (c->start_count > 0) {
        head_starts(c, run->starts + run->count);
        run->any_start = true;
    } else {
        fill_starts(run, c->count);
    }
    run->count += c->count;
    r->stats.chunks++;
    r->stats.bytes += c->bytes_len;
    return OK;
}

static err read_values(struct series_reader *r, size_t count, struct diag *d)
{
    struct run *run = &r->out;
    TRY(run_reserve(r, run, count));
    run->count = 0;
    run->any_start = run->any_histogram = false;
    for (size_t k = 0; k < r->segment_count; k++) {
        const struct segment *seg = &r->segments[k];
        if (seg->block != NULL)
            TRY(reader_chunk_values(r, seg->key.source, seg->block, run, d));
        else
            TRY(head_values(r, seg->head, run));
    }
    return OK;
}

/* ---- A series ---- */

static void hand_out(const struct run *run, uint64_t id, const int64_t *ts_ms,
                     struct series_columns *out)
{
    *out = (struct series_columns){
        .column_id = id,
        .ts_ms = ts_ms,
        .values = run->values,
        .histograms = run->any_histogram ? run->histograms : NULL,
        .start_ts_ms = run->any_start ? run->starts : NULL,
        .count = run->count,
    };
}

static err read_merged(struct series_reader *r, size_t i, struct series_columns *out,
                       struct diag *d)
{
    arena_reset(&r->histograms);
    TRY(reader_merge(r, i, d));
    const int64_t *ts_ms = r->merged.ts_ms;
    uint64_t id;
    TRY(reader_intern(r, &ts_ms, r->merged.count, &id));
    hand_out(&r->merged, id, ts_ms, out);
    return OK;
}

static err read_one(struct series_reader *r, size_t i, struct series_columns *out, struct diag *d)
{
    bool plain;
    struct time_column column;
    want_batch(r, i, false);
    TRY(gather(r, i, &plain, d));
    if (plain && r->segment_count == 0) { /* all of it in what is skipped */
        TRY(run_reserve(r, &r->out, 1));
        r->out.count = 0;
        r->out.any_start = r->out.any_histogram = false;
        hand_out(&r->out, 0, r->out.ts_ms, out);
        return OK;
    }
    if (!plain)
        return read_merged(r, i, out, d);
    TRY(reader_times(r, &column, d));
    if (column.overlap)
        return read_merged(r, i, out, d);
    TRY(read_values(r, column.count, d));
    hand_out(&r->out, column.id, column.id != 0 ? column.ts_ms : r->out.ts_ms, out);
    return OK;
}

static err read_one_newest(struct series_reader *r, size_t i, struct series_columns *out,
                           struct diag *d)
{
    bool plain, found = false;
    if (!r->newer) {
        want_batch(r, i, true);
        TRY(gather(r, i, &plain, d));
        if (plain)
            TRY(reader_newest(r, out, &found, d));
    }
    return found ? OK : read_one(r, i, out, d);
}

/* Set aside the blocks of the series that turned out to be damaged. */
static void quarantine_parts(struct series_reader *r, size_t i, const char *why)
{
    struct selection *s = r->s;
    for (uint32_t k = s->series[i].first; k != SELECT_NONE; k = s->parts[k].next) {
        struct block *b = s->sources[s->parts[k].source].block;
        if (b != NULL && block_is_damaged(b))
            db_quarantine(s->db, b, why);
    }
}

typedef err (*read_fn)(struct series_reader *r, size_t i, struct series_columns *out,
                       struct diag *d);

static err read_by(read_fn fn, struct series_reader *r, size_t i, struct series_columns *out,
                   struct diag *d)
{
    struct diag own;
    own.text[0] = '\0'; /* all of it would be a kilobyte for each series */
    arena_reset(&r->histograms);
    err e = fn(r, i, out, &own);
    r->expected = i + 1;
    if (e == OK) {
        r->stats.samples += out->count;
        return OK;
    }
    if (e == ERR_CORRUPT)
        quarantine_parts(r, i, own.text);
    if (e == ERR_LIMIT)
        return diag_set(d, e, "the query's memory limit is reached while reading samples");
    return diag_set(d, e, "%s", own.text[0] != '\0' ? own.text : err_name(e));
}

err series_read(struct series_reader *r, size_t i, struct series_columns *out, struct diag *d)
{
    return read_by(read_one, r, i, out, d);
}

err series_read_newest(struct series_reader *r, size_t i, struct series_columns *out,
                       struct diag *d)
{
    return read_by(read_one_newest, r, i, out, d);
}
