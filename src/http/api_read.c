/* api_read.c -- /api/v1/read: Prometheus' remote read. A request holds queries; the answer is all
 * samples in one compressed message (SAMPLES), or a stream of frames with chunks of one series each
 * (STREAMED_XOR_CHUNKS), made as the client takes them: one series is held at a time. Source:
 * Prometheus storage/remote/read_handler.go, codec.go and prompb/remote.proto. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "base/protobuf_put.h"
#include "http/api.h"
#include "http/read_request.h"
#include "ingest/snappy.h"
#include "model/prom_chunk.h"

enum {
    REQUEST_BYTES_MAX = 32 << 20,  /* decompressed */
    READ_BYTES_MAX = 1 << 30,      /* label sets and index of one request */
    SAMPLES_BYTES_MAX = 256 << 20, /* of a SAMPLES answer before compression */
    SCRATCH_BYTES_MAX = 256 << 20, /* layouts of one chunk of histograms */
};

struct read_series {
    struct labels labels;
    size_t index; /* in the selection */
};

struct read_answer {
    struct api *api;
    const atomic_bool *canceled;
    struct arena arena, scratch;
    struct read_request request;
    struct labels external;
    size_t query;                /* the current one */
    struct selection *selection; /* of the current query; NULL: not begun */
    struct series_reader *reader;
    struct read_series *series; /* sorted by labels */
    size_t series_count, next_series;
    struct prom_chunker chunker; /* of the series before next_series */
    struct buf frame, data;
    bool in_series;
    err failed;
    struct diag d;
};

/* ---- Request ---- */

static err decode(struct read_answer *a, slice body)
{
    struct buf message = {0};
    err e = external_labels_get(&a->api->external, &a->arena, &a->external);
    if (e == OK && snappy_decode(body, REQUEST_BYTES_MAX, &message, &a->d) != OK)
        e = ERR_INVALID;
    if (e == OK)
        e = read_request_decode(buf_slice(&message), a->external, &a->arena, &a->request, &a->d);
    buf_fini(&message);
    return e;
}

/* ---- Series ---- */

static int compare_series(const void *x, const void *y)
{
    return labels_cmp(((const struct read_series *)x)->labels,
                      ((const struct read_series *)y)->labels);
}

static void query_end(struct read_answer *a)
{
    series_reader_close(a->reader);
    selection_close(a->selection);
    a->reader = NULL;
    a->selection = NULL;
    a->series = NULL;
    a->series_count = a->next_series = 0;
    a->in_series = false;
}

/* The i-th of the selection as the client will see it, if it asks for such a one. */
static err add_series(struct read_answer *a, size_t i)
{
    struct read_series s = {.index = i};
    TRY(selection_labels(a->selection, i, &s.labels));
    if (a->external.count > 0) {
        TRY(labels_merge(s.labels, a->external, &a->arena, &s.labels));
        if (!read_query_matches(&a->request.queries[a->query], s.labels))
            return OK;
    }
    a->series[a->series_count++] = s;
    return OK;
}

static err query_begin(struct read_answer *a)
{
    const struct read_query *q = &a->request.queries[a->query];
    struct db_select_args args = {.matchers = q->matchers.items,
                                  .matcher_count = q->matchers.count,
                                  .min_ms = q->min_ms,
                                  .max_ms = q->max_ms,
                                  .canceled = a->canceled};
    insight_selector(&a->api->insight, q->matchers.items, q->matchers.count);
    TRY(db_select(a->api->db, &args, &a->arena, &a->selection, &a->d));
    size_t n = selection_count(a->selection);
    a->series = ARENA_ARRAY(&a->arena, struct read_series, n + 1);
    if (a->series == NULL)
        return diag_set(&a->d, ERR_LIMIT, "too many series for one request (limit %d bytes)",
                        READ_BYTES_MAX);
    for (size_t i = 0; i < n; i++)
        TRY(add_series(a, i));
    if (a->series_count > 0)
        qsort(a->series, a->series_count, sizeof(*a->series), compare_series);
    return series_reader_open(a->selection, &a->arena, &a->reader);
}

/* The samples of the next series that lie in the range. */
static err next_columns(struct read_answer *a, struct series_columns *out)
{
    const struct read_query *q = &a->request.queries[a->query];
    *out = (struct series_columns){0};
    if (q->labels_only) {
        a->next_series++;
        return OK;
    }
    TRY(series_read(a->reader, a->series[a->next_series].index, out, &a->d));
    a->next_series++;
    size_t from = 0, to = out->count;
    while (from < to && out->ts_ms[from] < q->min_ms)
        from++;
    while (to > from && out->ts_ms[to - 1] > q->max_ms)
        to--;
    out->ts_ms += from;
    out->values += from;
    if (out->histograms != NULL)
        out->histograms += from;
    out->count = to - from;
    return OK;
}

/* Label {name=1, value=2}, each as field 1. */
static void put_labels(struct buf *b, struct labels ls)
{
    for (size_t i = 0; i < ls.count; i++) {
        size_t mark = pb_begin(b, 1);
        pb_put_str(b, 1, ls.items[i].name);
        pb_put_str(b, 2, ls.items[i].value);
        pb_end(b, mark);
    }
}

static bool is_canceled(const struct read_answer *a)
{
    return atomic_load_explicit(a->canceled, memory_order_relaxed);
}

/* ---- STREAMED_XOR_CHUNKS ---- */

/* Go on to the next series with samples; false at the end of all queries or on an error. */
static bool stream_series(struct read_answer *a)
{
    while (a->failed == OK && a->query < a->request.query_count) {
        if (is_canceled(a))
            a->failed = ERR_CANCELED;
        else if (a->selection == NULL)
            a->failed = query_begin(a);
        if (a->failed != OK)
            break;
        if (a->next_series == a->series_count) {
            query_end(a);
            a->query++;
            continue;
        }
        struct series_columns c;
        a->failed = next_columns(a, &c);
        if (a->failed == OK && (c.count > 0 || a->request.queries[a->query].labels_only)) {
            a->chunker = prom_chunker_of(c.ts_ms, c.values, c.histograms, c.count);
            a->in_series = true;
            return true;
        }
    }
    return false;
}

/* Chunk {min_time_ms=1, max_time_ms=2, type=3, data=4} as field 2. */
static err put_chunk(struct read_answer *a)
{
    struct prom_chunk c;
    buf_reset(&a->data);
    arena_reset(&a->scratch);
    TRY(prom_chunker_next(&a->chunker, &a->scratch, &a->data, &c));
    size_t mark = pb_begin(&a->frame, 2);
    if (c.min_ms != 0)
        pb_put_varint(&a->frame, 1, (uint64_t)c.min_ms);
    if (c.max_ms != 0)
        pb_put_varint(&a->frame, 2, (uint64_t)c.max_ms);
    pb_put_varint(&a->frame, 3, c.type);
    pb_put_bytes(&a->frame, 4, buf_slice(&a->data));
    pb_end(&a->frame, mark);
    return OK;
}

/* One ChunkedReadResponse {chunked_series=1 {labels=1, chunks=2}, query_index=2}: the series or, if
 * it is larger than a frame, its next part. */
static err put_message(struct read_answer *a)
{
    buf_reset(&a->frame);
    size_t mark = pb_begin(&a->frame, 1);
    put_labels(&a->frame, a->series[a->next_series - 1].labels);
    while (!prom_chunker_done(&a->chunker)) {
        TRY(put_chunk(a));
        if (a->frame.len >= a->api->read_frame_bytes)
            break;
    }
    pb_end(&a->frame, mark);
    if (a->query > 0)
        pb_put_varint(&a->frame, 2, a->query);
    a->in_series = !prom_chunker_done(&a->chunker);
    return OK;
}

/* Frame: varint length, checksum big-endian, message. After an error a frame is promised that does
 * not come, so that the client notices. */
static bool chunks_next(void *state, struct buf *out)
{
    struct read_answer *a = state;
    if (!a->in_series && !stream_series(a)) {
        if (a->failed != OK)
            buf_put_varint(out, REQUEST_BYTES_MAX);
        return false;
    }
    a->failed = put_message(a);
    if (a->failed != OK) {
        buf_put_varint(out, REQUEST_BYTES_MAX);
        return false;
    }
    buf_put_varint(out, a->frame.len);
    buf_put_u32(out, __builtin_bswap32(crc32c(buf_slice(&a->frame))));
    buf_put(out, a->frame.ptr, a->frame.len);
    return true;
}

/* ---- SAMPLES ---- */

static void put_spans(struct buf *b, uint32_t field, const struct histogram_side *s)
{
    for (uint32_t i = 0; i < s->span_count; i++) {
        size_t mark = pb_begin(b, field);
        if (s->spans[i].offset != 0)
            pb_put_zigzag(b, 1, s->spans[i].offset);
        if (s->spans[i].length != 0)
            pb_put_varint(b, 2, s->spans[i].length);
        pb_end(b, mark);
    }
}

static void put_doubles(struct buf *b, uint32_t field, const double *v, uint32_t count)
{
    if (count == 0)
        return;
    size_t mark = pb_begin(b, field);
    for (uint32_t i = 0; i < count; i++)
        buf_put_u64(b, f64_bits(v[i]));
    pb_end(b, mark);
}

/* Spans as `field`, then deltas (field + 1) of whole numbers or counts (field + 2). */
static void put_side(struct buf *b, uint32_t field, const struct histogram_side *s, bool is_float)
{
    put_spans(b, field, s);
    if (is_float) {
        put_doubles(b, field + 2, s->counts, s->bucket_count);
        return;
    }
    if (s->bucket_count == 0)
        return;
    size_t mark = pb_begin(b, field + 1);
    int64_t before = 0;
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        int64_t v = (int64_t)MIN(s->counts[i], 0x1p62);
        buf_put_zigzag(b, v - before);
        before = v;
    }
    pb_end(b, mark);
}

static void put_count(struct buf *b, uint32_t field, double v, bool is_float)
{
    if (is_float)
        pb_put_double(b, field + 1, v);
    else
        pb_put_varint(b, field, (uint64_t)MIN(v, 0x1p63));
}

/* Histogram: the fields of rw_histogram.c, as field 4 of a TimeSeries. */
static void put_histogram(struct buf *b, int64_t ts_ms, const struct histogram *h)
{
    size_t mark = pb_begin(b, 4);
    put_count(b, 1, h->count, h->is_float);
    if (f64_bits(h->sum) != 0)
        pb_put_double(b, 3, h->sum);
    if (h->schema != 0)
        pb_put_zigzag(b, 4, h->schema);
    if (h->zero_threshold != 0)
        pb_put_double(b, 5, h->zero_threshold);
    put_count(b, 6, h->zero_count, h->is_float);
    put_side(b, 8, &h->negative, h->is_float);
    put_side(b, 11, &h->positive, h->is_float);
    if (h->reset_hint != RESET_UNKNOWN)
        pb_put_varint(b, 14, h->reset_hint);
    if (ts_ms != 0)
        pb_put_varint(b, 15, (uint64_t)ts_ms);
    put_doubles(b, 16, h->custom_values, h->custom_count);
    pb_end(b, mark);
}

/* Sample {value=1, timestamp=2} as field 2. */
static void put_sample(struct buf *b, int64_t ts_ms, double v)
{
    size_t mark = pb_begin(b, 2);
    if (f64_bits(v) != 0)
        pb_put_double(b, 1, v);
    if (ts_ms != 0)
        pb_put_varint(b, 2, (uint64_t)ts_ms);
    pb_end(b, mark);
}

/* TimeSeries {labels=1, samples=2, histograms=4} as field 1. */
static void put_series(struct buf *b, struct labels ls, const struct series_columns *c)
{
    size_t mark = pb_begin(b, 1);
    put_labels(b, ls);
    for (size_t i = 0; i < c->count; i++)
        if (c->histograms == NULL || c->histograms[i] == NULL)
            put_sample(b, c->ts_ms[i], c->values[i]);
    for (size_t i = 0; c->histograms != NULL && i < c->count; i++)
        if (c->histograms[i] != NULL)
            put_histogram(b, c->ts_ms[i], c->histograms[i]);
    pb_end(b, mark);
}

/* QueryResult {timeseries=1} as field 1. */
static err put_result(struct read_answer *a, struct buf *b)
{
    uint64_t samples = 0, max = a->api->read_samples_max;
    TRY(query_begin(a));
    size_t mark = pb_begin(b, 1);
    while (a->next_series < a->series_count) {
        struct series_columns c;
        if (is_canceled(a))
            return ERR_CANCELED;
        TRY(next_columns(a, &c));
        samples += c.count;
        if (max > 0 && samples > max)
            return diag_set(&a->d, ERR_INVALID, "exceeded sample limit (%llu)",
                            (unsigned long long)max);
        if (c.count > 0 || a->request.queries[a->query].labels_only)
            put_series(b, a->series[a->next_series - 1].labels, &c);
        if (b->len > SAMPLES_BYTES_MAX)
            return diag_set(&a->d, ERR_INVALID,
                            "the answer exceeds %d bytes; ask for less, or for "
                            "STREAMED_XOR_CHUNKS",
                            SAMPLES_BYTES_MAX);
    }
    pb_end(b, mark);
    query_end(a);
    return OK;
}

/* ---- Answer ---- */

static void answer_free(void *state)
{
    struct read_answer *a = state;
    query_end(a);
    read_request_fini(&a->request);
    (void)atomic_fetch_sub_explicit(&a->api->read_active, 1, memory_order_relaxed);
    buf_fini(&a->frame);
    buf_fini(&a->data);
    arena_fini(&a->scratch);
    arena_fini(&a->arena);
    mem_free(a);
}

static void fail(struct http_request *r, const struct read_answer *a, err e)
{
    struct buf b = {0};
    buf_printf(&b, "%s\n", a->d.text[0] != '\0' ? a->d.text : err_name(e));
    http_text(r, e == ERR_INVALID ? 400 : 500, buf_cstr(&b));
    buf_fini(&b);
}

static void answer_samples(struct http_request *r, struct read_answer *a)
{
    struct buf b = {0};
    err e = OK;
    for (; a->query < a->request.query_count && e == OK; a->query++)
        e = put_result(a, &b);
    if (e != OK) {
        fail(r, a, e);
    } else {
        http_answer(r, 200, "application/x-protobuf");
        http_answer_header(r, "Content-Encoding", STR("snappy"));
        buf_reset(http_out(r));
        snappy_encode(buf_slice(&b), http_out(r));
    }
    buf_fini(&b);
    answer_free(a);
}

/* The first series is looked for here: an error before it has a status of its own. */
static void answer_chunks(struct http_request *r, struct read_answer *a)
{
    if (!stream_series(a) && a->failed != OK) {
        fail(r, a, a->failed);
        answer_free(a);
        return;
    }
    http_answer(r, 200, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
    http_stream(r, chunks_next, answer_free, a);
}

void api_read(struct http_request *r)
{
    struct api *api = api_of(r);
    uint64_t active = atomic_fetch_add_explicit(&api->read_active, 1, memory_order_relaxed);
    if (api->read_active_max > 0 && active >= api->read_active_max) {
        (void)atomic_fetch_sub_explicit(&api->read_active, 1, memory_order_relaxed);
        http_text(r, 503,
                  "too many remote reads at once (--storage.remote.read-concurrent-limit)\n");
        http_answer_header(r, "Retry-After", STR("1"));
        return;
    }
    struct read_answer *a = mem_zalloc(1, sizeof(*a));
    a->api = api;
    a->canceled = http_canceled(r);
    arena_init(&a->arena, READ_BYTES_MAX);
    arena_init(&a->scratch, SCRATCH_BYTES_MAX);
    err e = decode(a, http_body(r));
    if (e != OK) {
        fail(r, a, e);
        answer_free(a);
    } else if (a->request.type == READ_CHUNKS) {
        answer_chunks(r, a);
    } else {
        answer_samples(r, a);
    }
}
