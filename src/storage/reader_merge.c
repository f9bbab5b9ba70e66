/* reader_merge.c -- series whose parts overlap, have out-of-order samples or deletions: one source
 * after the other is merged into what there is; of samples of one time the later source's stays. */
#include "storage/reader_priv.h"

static void swap_runs(struct run *a, struct run *b)
{
    struct run t = *a;
    *a = *b;
    *b = t;
}

static void clear(struct run *run)
{
    run->count = 0;
    run->any_start = run->any_histogram = false;
}

static inline void copy_sample(struct run *to, const struct run *from, size_t i)
{
    size_t k = to->count++;
    to->ts_ms[k] = from->ts_ms[i];
    to->values[k] = from->values[i];
    to->starts[k] = from->starts[i];
    to->histograms[k] = from->histograms[i];
}

/* Leave out what the intervals hide. */
static void drop_deleted(struct run *run, const struct interval *gone, size_t gone_count)
{
    size_t count = run->count, hint = 0;
    run->count = 0;
    for (size_t i = 0; i < count; i++)
        if (!interval_hides(gone, gone_count, run->ts_ms[i], &hint))
            copy_sample(run, run, i);
}

static err load_block(struct series_reader *r, const struct select_part *p, struct diag *d)
{
    struct block_cursor *c = r->cursors[p->source];
    struct block_series series;
    if (!block_overlaps(r->s->sources[p->source].block, r->s->read_min_ms, r->s->max_ms))
        return OK;
    TRY(block_series_read(c, p->id, r->s->read_min_ms, r->s->max_ms, &series, d));
    for (size_t k = 0; k < series.chunk_count; k++) {
        const struct block_chunk *ch = &series.chunks[k];
        TRY(run_reserve(r, &r->part, r->part.count + ch->count));
        TRY(block_read_times(c, ch, r->part.ts_ms + r->part.count, d));
        TRY(reader_chunk_values(r, p->source, ch, &r->part, d));
    }
    size_t gone_count;
    const struct interval *gone = block_series_tombstones(c, p->id, &gone_count);
    if (gone_count > 0)
        drop_deleted(&r->part, gone, gone_count);
    return OK;
}

static err load_head(struct series_reader *r, const struct select_part *p,
                     const struct head_chunk *chunk)
{
    struct head_columns h;
    TRY(head_decode(&r->decoder, r->s->sources[p->source].window, chunk, &r->histograms, &h));
    TRY(run_reserve(r, &r->part, h.count));
    struct run *run = &r->part;
    memcpy(run->ts_ms, h.ts_ms, h.count * sizeof(*h.ts_ms));
    memcpy(run->values, h.values, h.count * sizeof(*h.values));
    if (h.start_ts_ms != NULL)
        memcpy(run->starts, h.start_ts_ms, h.count * sizeof(*h.start_ts_ms));
    else
        memset(run->starts, 0, h.count * sizeof(*run->starts));
    if (h.histograms != NULL)
        memcpy(run->histograms, h.histograms, h.count * sizeof(*h.histograms));
    else
        memset(run->histograms, 0, h.count * sizeof(*run->histograms));
    run->count = h.count;
    run->any_start = h.any_start;
    run->any_histogram = h.any_histogram;
    r->stats.chunks++;
    r->stats.bytes += chunk->bytes_len;
    return OK;
}

static void append_all(struct run *to, const struct run *from)
{
    memcpy(to->ts_ms + to->count, from->ts_ms, from->count * sizeof(*to->ts_ms));
    memcpy(to->values + to->count, from->values, from->count * sizeof(*to->values));
    memcpy(to->starts + to->count, from->starts, from->count * sizeof(*to->starts));
    memcpy(to->histograms + to->count, from->histograms, from->count * sizeof(*to->histograms));
    to->count += from->count;
}

/* r->merged and r->part become r->merged; the part's samples win. */
static err merge_part(struct series_reader *r)
{
    struct run *a = &r->merged, *b = &r->part;
    bool any_start = a->any_start || b->any_start;
    bool any_histogram = a->any_histogram || b->any_histogram;
    if (b->count == 0)
        return OK;
    TRY(run_reserve(r, a, a->count + b->count));
    if (a->count == 0 || b->ts_ms[0] > a->ts_ms[a->count - 1]) {
        append_all(a, b);
    } else {
        struct run *out = &r->out;
        clear(out);
        TRY(run_reserve(r, out, a->count + b->count));
        size_t i = 0;
        for (size_t k = 0; k < b->count; k++) {
            while (i < a->count && a->ts_ms[i] < b->ts_ms[k])
                copy_sample(out, a, i++);
            i += i < a->count && a->ts_ms[i] == b->ts_ms[k];
            copy_sample(out, b, k);
        }
        while (i < a->count)
            copy_sample(out, a, i++);
        swap_runs(a, out);
    }
    a->any_start = any_start;
    a->any_histogram = any_histogram;
    return OK;
}

err reader_merge(struct series_reader *r, size_t i, struct diag *d)
{
    struct selection *s = r->s;
    clear(&r->merged);
    for (uint32_t k = s->series[i].first; k != SELECT_NONE; k = s->parts[k].next) {
        const struct select_part *p = &s->parts[k];
        clear(&r->part);
        if (s->sources[p->source].block != NULL) {
            TRY(load_block(r, p, d));
        } else {
            const struct head_chunk *chunk = reader_head_chunk(r, i, p);
            if (chunk != NULL)
                TRY(load_head(r, p, chunk));
        }
        TRY(merge_part(r));
    }
    return run_reserve(r, &r->merged, r->merged.count);
}
