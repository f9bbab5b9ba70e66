/* reader_newest.c -- the newest sample of a series without those before it. A head window knows
 * each stream's newest time and value; of a block only the chunk that ends last is decoded, and no
 * times. */
#include "storage/reader_priv.h"

static int64_t end_of(const struct segment *seg)
{
    return seg->block != NULL ? seg->block->max_ms : seg->head->max_ms;
}

/* The segment that ends last; NULL when two end at the same time: they have to be merged. */
static const struct segment *last_segment(const struct series_reader *r)
{
    const struct segment *last = &r->segments[0];
    bool tie = false;
    for (size_t k = 1; k < r->segment_count; k++) {
        const struct segment *seg = &r->segments[k];
        tie = end_of(seg) == end_of(last) || (tie && end_of(seg) < end_of(last));
        if (end_of(seg) > end_of(last))
            last = seg;
    }
    return tie ? NULL : last;
}

static err newest_value(struct series_reader *r, const struct segment *seg, double *out,
                        struct diag *d)
{
    struct run *run = &r->out;
    TRY(run_reserve(r, run, seg->key.count));
    run->any_start = run->any_histogram = false;
    if (seg->head != NULL) {
        *out = xor_newest(&seg->head->xor);
        return OK;
    }
    run->count = 0;
    TRY(reader_chunk_values(r, seg->key.source, seg->block, run, d));
    *out = run->values[run->count - 1];
    return OK;
}

/* The id of a column of one time. Neighbours mostly share it. */
static err newest_time(struct series_reader *r, int64_t ts_ms)
{
    if (r->newest_id != 0 && r->newest_at[0] == ts_ms)
        return OK;
    r->newest_ts[0] = ts_ms;
    r->newest_at = r->newest_ts;
    return reader_intern(r, &r->newest_at, 1, &r->newest_id);
}

err reader_newest(struct series_reader *r, struct series_columns *out, bool *found, struct diag *d)
{
    *found = r->segment_count == 0;
    *out = (struct series_columns){0};
    if (*found)
        return OK;
    const struct segment *last = last_segment(r);
    if (last == NULL || (last->block != NULL && last->block->kind != BLOCK_FLOATS))
        return OK;
    r->newer |= last->head != NULL && end_of(last) > r->s->max_ms;
    if (end_of(last) > r->s->max_ms)
        return OK;
    double value;
    TRY(newest_value(r, last, &value, d));
    TRY(newest_time(r, end_of(last)));
    r->out.values[0] = value;
    *out = (struct series_columns){
        .column_id = r->newest_id, .ts_ms = r->newest_at, .values = r->out.values, .count = 1};
    *found = true;
    return OK;
}
