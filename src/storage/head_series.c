/* head_series.c -- decode the stream, expand start times, merge the side samples in. */
#include "storage/head_series.h"

#include "base/mem.h"

void head_decoder_fini(struct head_decoder *d)
{
    mem_free(d->times);
    mem_free(d->starts);
    mem_free(d->values);
    mem_free(d->merged_times);
    mem_free(d->merged_starts);
    mem_free(d->merged_values);
    mem_free(d->histograms);
    *d = (struct head_decoder){0};
}

static void grow_stream(struct head_decoder *d, size_t count)
{
    if (count + HEAD_PAD <= d->times_cap)
        return;
    d->times_cap = count * 2 + HEAD_PAD;
    d->times = mem_resize(d->times, d->times_cap, sizeof(*d->times));
    d->starts = mem_resize(d->starts, d->times_cap, sizeof(*d->starts));
    d->values = mem_resize(d->values, d->times_cap, sizeof(*d->values));
    d->window = NULL; /* the times may have moved with part of them only */
}

static void grow_merged(struct head_decoder *d, size_t count)
{
    if (count + HEAD_PAD <= d->merged_cap)
        return;
    d->merged_cap = count * 2 + HEAD_PAD;
    d->merged_times = mem_resize(d->merged_times, d->merged_cap, sizeof(*d->merged_times));
    d->merged_starts = mem_resize(d->merged_starts, d->merged_cap, sizeof(*d->merged_starts));
    d->merged_values = mem_resize(d->merged_values, d->merged_cap, sizeof(*d->merged_values));
    d->histograms = mem_resize(d->histograms, d->merged_cap, sizeof(*d->histograms));
}

static void expand_starts(const struct head_chunk *c, int64_t *out)
{
    size_t k = 0;
    int64_t start_ms = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        while (k < c->start_count && c->starts[k].first <= i)
            start_ms = c->starts[k++].start_ts_ms;
        out[i] = start_ms;
    }
}

static err decode_stream(struct head_decoder *d, struct head_window *w, const struct head_chunk *c)
{
    grow_stream(d, c->count);
    if (c->count == 0)
        return OK;
    if (d->window != w || d->column != c->column || d->column_count != c->count) {
        head_times(w, c->column, c->count, d->times);
        d->window = w;
        d->column = c->column;
        d->column_count = c->count;
    }
    if (c->start_count > 0)
        expand_starts(c, d->starts);
    return xor_decode(&c->xor, c->bytes, c->bytes_len, c->count, d->values);
}

static err put_side(struct head_decoder *d, struct head_columns *out, const struct head_side *s,
                    struct arena *a)
{
    size_t i = out->count++;
    out->ts_ms[i] = s->ts_ms;
    out->values[i] = s->value;
    out->start_ts_ms[i] = s->start_ts_ms;
    out->any_start |= s->start_ts_ms != 0;
    d->histograms[i] = NULL;
    if (s->histogram.len == 0)
        return OK;
    struct histogram *h;
    struct reader r = reader_of(s->histogram);
    TRY(histogram_decode(&r, a, &h));
    d->histograms[i] = h;
    out->values[i] = h->sum;
    out->any_histogram = true;
    return OK;
}

static void put_stream(struct head_decoder *d, const struct head_chunk *c, size_t from,
                       struct head_columns *out)
{
    size_t i = out->count++;
    out->ts_ms[i] = d->times[from];
    out->values[i] = d->values[from];
    out->start_ts_ms[i] = c->start_count > 0 ? d->starts[from] : 0;
    d->histograms[i] = NULL;
}

static err merge(struct head_decoder *d, const struct head_chunk *c, struct arena *a,
                 struct head_columns *out)
{
    grow_merged(d, c->count + c->side_count);
    *out = (struct head_columns){.ts_ms = d->merged_times,
                                 .values = d->merged_values,
                                 .start_ts_ms = d->merged_starts,
                                 .any_start = c->start_count > 0};
    size_t i = 0;
    for (size_t k = 0; k < c->side_count; k++) {
        while (i < c->count && d->times[i] < c->side[k].ts_ms)
            put_stream(d, c, i++, out);
        i += i < c->count && d->times[i] == c->side[k].ts_ms; /* replaced */
        TRY(put_side(d, out, &c->side[k], a));
    }
    while (i < c->count)
        put_stream(d, c, i++, out);
    out->histograms = out->any_histogram ? d->histograms : NULL;
    out->start_ts_ms = out->any_start ? out->start_ts_ms : NULL;
    return OK;
}

err head_decode(struct head_decoder *d, struct head_window *w, const struct head_chunk *c,
                struct arena *a, struct head_columns *out)
{
    TRY(decode_stream(d, w, c));
    if (c->side_count > 0)
        return merge(d, c, a, out);
    *out = (struct head_columns){
        .ts_ms = d->times, .values = d->values, .count = c->count, .any_start = c->start_count > 0};
    out->start_ts_ms = out->any_start ? d->starts : NULL;
    return OK;
}
