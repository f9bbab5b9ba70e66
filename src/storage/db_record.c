/* db_record.c -- writing of log payloads; db_record_read.c reads them. */
#include "storage/db_record.h"

#include <string.h>

#include "base/assert.h"
#include "storage/admission.h"

void record_put_pair(struct buf *out, struct label pair)
{
    buf_put_string(out, pair.name);
    buf_put_str(out, pair.value);
}

void record_put_series(struct buf *out, const uint32_t *ids, size_t count)
{
    buf_put_varint(out, count);
    for (size_t i = 0; i < count; i++)
        buf_put_varint(out, ids[i]);
}

void record_begin(struct buf *out)
{
    buf_put_u8(out, RECORD_VERSION);
}

/* ---- Sections ---- */

static size_t section_begin(struct buf *out, enum record_kind kind)
{
    buf_put_u8(out, (uint8_t)kind);
    buf_put_u32(out, 0); /* bytes behind the count, set at the end */
    buf_put_u32(out, 0); /* rows */
    return out->len;
}

static void section_end(struct buf *out, size_t pos, size_t count)
{
    size_t size = out->len - pos;
    ASSERT(size <= UINT32_MAX);
    ASSERT(count <= UINT32_MAX);
    store_u32(out->ptr + pos - 8, (uint32_t)size);
    store_u32(out->ptr + pos - 4, (uint32_t)count);
}

/* ---- Columns of floats ----
 * A token is a varint: odd and > 1, a run of token >> 1 rows whose delta is the column's stride;
 * even, one row with delta unzigzag(token >> 1); 1, one row whose delta follows as a zigzag. */

struct column_writer {
    struct buf *out;
    size_t pos;
    uint64_t prev, stride, run;
};

static struct column_writer column_begin(struct buf *out, uint64_t stride)
{
    buf_put_u32(out, 0);
    return (struct column_writer){.out = out, .pos = out->len, .stride = stride};
}

static void column_flush(struct column_writer *c)
{
    if (c->run > 0)
        buf_put_varint(c->out, c->run << 1 | 1);
    c->run = 0;
}

static inline void column_put(struct column_writer *c, uint64_t v)
{
    uint64_t delta = v - c->prev;
    c->prev = v;
    if (delta == c->stride) {
        c->run++;
        return;
    }
    column_flush(c);
    uint64_t z = zigzag((int64_t)delta);
    if (z >> 63 == 0) {
        buf_put_varint(c->out, z << 1);
    } else {
        buf_put_varint(c->out, 1);
        buf_put_varint(c->out, z);
    }
}

static void column_end(struct column_writer *c)
{
    column_flush(c);
    store_u32(c->out->ptr + c->pos - 4, (uint32_t)(c->out->len - c->pos));
}

struct rows { /* of a batch */
    const struct db_row *rows;
    const int64_t *start_ts_ms; /* NULL: none */
    const uint8_t *verdicts;    /* NULL: all are written */
    size_t count;
};

static inline bool written(const struct rows *r, size_t i)
{
    return r->verdicts == NULL || admit_writes(r->verdicts[i]);
}

/* Write the values of the floats that `rows` starts with, as long as their ids ascend by one from
 * `id` on and all are of one time, and one more, which does not count. Returns how many they are.
 */
static size_t put_alike(uint8_t *out, const struct db_row *rows, size_t count, uint64_t id,
                        int64_t ts_ms)
{
    const struct db_row *row = rows, *end = rows + count;
#pragma GCC unroll 4
    for (; row < end; row++, id++, out += 8) {
        store_u64(out, f64_bits(row->value));
        if (row->series != id || row->ts_ms != ts_ms || row->histogram != NULL)
            break;
    }
    return (size_t)(row - rows);
}

static void put_starts(struct buf *out, const struct rows *r, size_t first, size_t end)
{
    struct column_writer starts = column_begin(out, 0);
    for (size_t i = first; i < end && r->start_ts_ms != NULL; i++)
        if (written(r, i))
            column_put(&starts, (uint64_t)r->start_ts_ms[i]);
    column_end(&starts);
}

struct columns { /* made beside the values, which come first */
    struct buf ids, times;
};

/* A section of the floats from `first` on, in one pass; returns where they end. */
static size_t put_floats(struct buf *out, const struct rows *r, size_t first, struct columns *c)
{
    size_t pos = section_begin(out, RECORD_FLOATS), i = first, values = 0;
    buf_reset(&c->ids);
    buf_reset(&c->times);
    struct column_writer id = column_begin(&c->ids, 1), ts = column_begin(&c->times, 0);
    uint8_t *p = buf_reserve(out, (r->count - first) * 8);
    while (i < r->count && r->rows[i].histogram == NULL) {
        const struct db_row *row = &r->rows[i];
        if (r->verdicts == NULL) {
            size_t n = put_alike(p + values * 8, row, r->count - i, id.prev + 1, (int64_t)ts.prev);
            id.run += n;
            id.prev += n;
            ts.run += n;
            values += n;
            i += n;
            if (i == r->count || r->rows[i].histogram != NULL)
                break;
            row += n;
        }
        if (written(r, i)) {
            store_u64(p + values++ * 8, f64_bits(row->value));
            column_put(&id, row->series);
            column_put(&ts, (uint64_t)row->ts_ms);
        }
        i++;
    }
    column_end(&id);
    column_end(&ts);
    out->len += values * 8;
    buf_put(out, c->ids.ptr, c->ids.len);
    buf_put(out, c->times.ptr, c->times.len);
    put_starts(out, r, first, i);
    section_end(out, pos, values);
    return i;
}

struct deltas { /* of a section's rows */
    uint32_t id;
    int64_t ts_ms, start_ms;
};

static void put_id(struct buf *out, struct deltas *d, uint32_t id)
{
    buf_put_zigzag(out, (int64_t)id - (int64_t)d->id);
    d->id = id;
}

static void put_time(struct buf *out, int64_t *prev_ms, int64_t ms)
{
    buf_put_zigzag(out, (int64_t)((uint64_t)ms - (uint64_t)*prev_ms));
    *prev_ms = ms;
}

/* The same of histograms. */
static size_t put_histograms(struct buf *out, const struct rows *r, size_t first)
{
    size_t pos = section_begin(out, RECORD_HISTOGRAMS), count = 0, i = first;
    struct deltas d = {0};
    for (; i < r->count && r->rows[i].histogram != NULL; i++) {
        if (!written(r, i))
            continue;
        put_id(out, &d, r->rows[i].series);
        put_time(out, &d.ts_ms, r->rows[i].ts_ms);
        put_time(out, &d.start_ms, r->start_ts_ms != NULL ? r->start_ts_ms[i] : 0);
        histogram_encode(r->rows[i].histogram, out);
        count++;
    }
    section_end(out, pos, count);
    return i;
}

void record_put_rows(struct buf *out, const struct db_row *rows, const int64_t *start_ts_ms,
                     const uint8_t *verdicts, size_t count)
{
    struct rows r = {rows, start_ts_ms, verdicts, count};
    struct columns c = {{0}, {0}};
    for (size_t i = 0; i < count;)
        i = rows[i].histogram != NULL ? put_histograms(out, &r, i) : put_floats(out, &r, i, &c);
    buf_fini(&c.ids);
    buf_fini(&c.times);
}

void record_put_exemplars(struct buf *out, const struct db_exemplar_row *rows, const bool *keep,
                          size_t count)
{
    size_t pos = section_begin(out, RECORD_EXEMPLARS), kept = 0;
    struct deltas d = {0};
    for (size_t i = 0; i < count; i++) {
        if (!keep[i])
            continue;
        const struct exemplar *e = &rows[i].exemplar;
        put_id(out, &d, rows[i].series);
        put_time(out, &d.ts_ms, e->ts_ms);
        buf_put_u64(out, f64_bits(e->value));
        buf_put_varint(out, e->labels.count);
        for (size_t k = 0; k < e->labels.count; k++) {
            buf_put_string(out, e->labels.items[k].name);
            buf_put_string(out, e->labels.items[k].value);
        }
        kept++;
    }
    section_end(out, pos, kept);
}

void record_put_metadata(struct buf *out, const struct db_metadata_row *rows, size_t count)
{
    size_t pos = section_begin(out, RECORD_METADATA);
    for (size_t i = 0; i < count; i++) {
        buf_put_string(out, rows[i].metric);
        buf_put_u8(out, (uint8_t)rows[i].metadata.type);
        buf_put_string(out, rows[i].metadata.help);
        buf_put_string(out, rows[i].metadata.unit);
    }
    section_end(out, pos, count);
}
