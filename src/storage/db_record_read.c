/* db_record_read.c -- reading of log payloads: every count and size is checked before use. */
#include <string.h>

#include "storage/db_record.h"

err record_read_pair(slice payload, struct label *out)
{
    struct reader r = reader_of(payload);
    struct label pair = {.name = slice_text(read_string(&r))};
    pair.value = (str){(const char *)r.pos, reader_left(&r)};
    if (r.overrun || pair.name.len == 0 || pair.value.len == 0)
        return ERR_CORRUPT;
    *out = pair;
    return OK;
}

err record_read_series(slice payload, uint32_t *ids, size_t *count)
{
    struct reader r = reader_of(payload);
    uint64_t n = read_varint(&r);
    if (n > RECORD_LABELS_MAX || n > reader_left(&r))
        return ERR_CORRUPT;
    for (size_t i = 0; i < n; i++) {
        uint64_t id = read_varint(&r);
        if (id >= RECORD_ID_MAX)
            return ERR_CORRUPT;
        ids[i] = (uint32_t)id;
    }
    *count = (size_t)n;
    return r.overrun || reader_left(&r) > 0 ? ERR_CORRUPT : OK;
}

err record_open(slice payload, struct reader *out)
{
    *out = reader_of(payload);
    return read_u8(out) == RECORD_VERSION ? OK : ERR_CORRUPT;
}

err record_next(struct reader *r, struct record_section *out)
{
    if (reader_left(r) == 0)
        return ERR_NOTFOUND;
    uint8_t kind = read_u8(r);
    uint32_t size = read_u32(r);
    uint32_t count = read_u32(r);
    slice body = read_bytes(r, size);
    if (r->overrun || kind < RECORD_FLOATS || kind > RECORD_METADATA || count > size)
        return ERR_CORRUPT; /* no row takes less than a byte */
    *out = (struct record_section){(enum record_kind)kind, count, reader_of(body)};
    return OK;
}

static bool read_id(struct reader *r, uint64_t *prev_id, uint32_t *out)
{
    uint64_t id = *prev_id + (uint64_t)read_zigzag(r);
    if (id >= RECORD_ID_MAX)
        return false;
    *prev_id = id;
    *out = (uint32_t)id;
    return true;
}

static int64_t read_delta(struct reader *r, int64_t *prev)
{
    *prev = (int64_t)((uint64_t)*prev + (uint64_t)read_zigzag(r));
    return *prev;
}

/* ---- Floats ---- */

static struct record_column column_of(struct reader *r, int64_t stride)
{
    uint32_t size = read_u32(r);
    return (struct record_column){.r = reader_of(read_bytes(r, size)), .stride = stride};
}

err record_floats_init(struct record_floats *f, const struct record_section *s)
{
    struct reader r = s->r;
    *f = (struct record_floats){.left = s->count};
    if (s->count > reader_left(&r) / 8)
        return ERR_CORRUPT;
    f->values = read_bytes(&r, (size_t)s->count * 8).ptr;
    f->ids = column_of(&r, 1);
    f->times = column_of(&r, 0);
    f->starts = column_of(&r, 0);
    f->has_starts = reader_left(&f->starts.r) > 0;
    return r.overrun || reader_left(&r) > 0 ? ERR_CORRUPT : OK;
}

static inline bool is_run(uint64_t token)
{
    return (token & 1) != 0 && token > 1;
}

/* Read on until something is left. A row by itself has a run behind it nearly always: one piece. */
static void column_fill(struct record_column *c)
{
    uint64_t token = read_varint(&c->r);
    if (!is_run(token)) {
        int64_t delta = token == 1 ? read_zigzag(&c->r) : unzigzag(token >> 1);
        c->value = (int64_t)((uint64_t)c->value + (uint64_t)delta - (uint64_t)c->stride);
        c->left = 1;
        struct reader ahead = c->r;
        token = reader_left(&ahead) > 0 ? read_varint(&ahead) : 0;
        if (!is_run(token) || ahead.overrun)
            return;
        c->r = ahead;
    }
    c->left += token >> 1;
}

static inline int64_t column_next(const struct record_column *c)
{
    return (int64_t)((uint64_t)c->value + (uint64_t)c->stride);
}

static inline void column_skip(struct record_column *c, uint64_t count)
{
    c->value = (int64_t)((uint64_t)c->value + (uint64_t)c->stride * count);
    c->left -= count;
}

static bool column_used_up(const struct record_column *c)
{
    return reader_left(&c->r) == 0 && c->left == 0 && !c->r.overrun;
}

static err floats_end(const struct record_floats *f)
{
    bool ok = column_used_up(&f->ids) && column_used_up(&f->times) &&
              (!f->has_starts || column_used_up(&f->starts));
    return ok ? ERR_NOTFOUND : ERR_CORRUPT;
}

static uint64_t least_left(struct record_floats *f)
{
    if (f->ids.left == 0)
        column_fill(&f->ids);
    if (f->times.left == 0)
        column_fill(&f->times);
    if (f->has_starts && f->starts.left == 0)
        column_fill(&f->starts);
    uint64_t n = MIN(MIN(f->ids.left, f->times.left), f->left);
    return f->has_starts ? MIN(n, f->starts.left) : n;
}

err record_floats_next(struct record_floats *f, struct record_run *out)
{
    if (f->left == 0)
        return floats_end(f);
    uint64_t n = least_left(f), id = (uint64_t)column_next(&f->ids);
    if (id >= RECORD_ID_MAX || n > RECORD_ID_MAX - id || f->ids.r.overrun || f->times.r.overrun ||
        f->starts.r.overrun)
        return ERR_CORRUPT;
    *out = (struct record_run){.id = (uint32_t)id,
                               .count = (uint32_t)n,
                               .ts_ms = column_next(&f->times),
                               .start_ts_ms = f->has_starts ? column_next(&f->starts) : 0,
                               .values = f->values};
    column_skip(&f->ids, n);
    column_skip(&f->times, n);
    if (f->has_starts)
        column_skip(&f->starts, n);
    f->values += n * 8;
    f->left -= n;
    return OK;
}

/* ---- Histograms, exemplars, metadata ---- */

void record_rows_init(struct record_rows *rr, const struct record_section *s)
{
    *rr = (struct record_rows){.s = *s};
}

static err rows_next(struct record_rows *rr)
{
    if (rr->s.count == 0)
        return rr->s.r.overrun || reader_left(&rr->s.r) > 0 ? ERR_CORRUPT : ERR_NOTFOUND;
    rr->s.count--;
    return OK;
}

err record_histogram_next(struct record_rows *rr, struct arena *a, struct db_row *row,
                          int64_t *start_ts_ms)
{
    TRY(rows_next(rr));
    *row = (struct db_row){0};
    if (!read_id(&rr->s.r, &rr->prev_id, &row->series))
        return ERR_CORRUPT;
    row->ts_ms = read_delta(&rr->s.r, &rr->prev_ts_ms);
    *start_ts_ms = read_delta(&rr->s.r, &rr->prev_start_ms);
    if (rr->s.r.overrun)
        return ERR_CORRUPT;
    struct histogram *h;
    TRY(histogram_decode(&rr->s.r, a, &h));
    row->histogram = h;
    return OK;
}

err record_exemplar_next(struct record_rows *rr, struct arena *a, struct db_exemplar_row *row)
{
    TRY(rows_next(rr));
    struct reader *r = &rr->s.r;
    *row = (struct db_exemplar_row){0};
    if (!read_id(r, &rr->prev_id, &row->series))
        return ERR_CORRUPT;
    row->exemplar.ts_ms = read_delta(r, &rr->prev_ts_ms);
    row->exemplar.value = f64_from_bits(read_u64(r));
    uint64_t n = read_varint(r);
    if (r->overrun || n > RECORD_LABELS_MAX || n > reader_left(r))
        return ERR_CORRUPT;
    struct label *items = ARENA_ARRAY(a, struct label, (size_t)n + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        items[i].name = slice_text(read_string(r));
        items[i].value = slice_text(read_string(r));
    }
    row->exemplar.labels = (struct labels){items, (size_t)n};
    return r->overrun ? ERR_CORRUPT : OK;
}

err record_metadata_next(struct record_rows *rr, struct db_metadata_row *row)
{
    TRY(rows_next(rr));
    row->metric = slice_text(read_string(&rr->s.r));
    uint8_t type = read_u8(&rr->s.r);
    row->metadata.type = type < METRIC_TYPE_COUNT ? (enum metric_type)type : METRIC_UNKNOWN;
    row->metadata.help = slice_text(read_string(&rr->s.r));
    row->metadata.unit = slice_text(read_string(&rr->s.r));
    return rr->s.r.overrun ? ERR_CORRUPT : OK;
}
