/* cut_write.c -- a window's samples as blocks: series in label order, a block for each time range.
 *
 * The window is read once for each range, series by series; what stays in memory is the order, the
 * symbols and a mask of ranges per series. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/block_writer.h"
#include "storage/cut_order.h"
#include "storage/cut_parts.h"
#include "storage/db_priv.h"
#include "storage/head_series.h"

enum {
    READ_IDS = 256,
    HISTOGRAM_BYTES_MAX = 1 << 30, /* decoded histograms of one series in a window */
};

struct cut {
    struct db *db;
    struct head_window *w;
    const char *dir;
    struct registry_pin pin;
    uint32_t *ids; /* in label order once `order` is made */
    size_t count;
    struct cut_order order;
    struct cut_parts parts;
    struct head_copy copy;
    struct head_decoder decoder;
    struct arena histograms;
    uint32_t *local; /* symbol -> its id in the block being written */
    uint32_t *pairs; /* of one series */
    size_t pairs_cap;
    ulid last;
    struct block **blocks;
    size_t block_count;
};

static void list_series(struct cut *c)
{
    struct head_totals t;
    head_totals_of(c->w, &t);
    size_t cap = t.series + 1024, got;
    c->ids = mem_alloc(cap * sizeof(*c->ids));
    uint32_t first = 0;
    while ((got = head_series(c->w, first, c->ids + c->count, cap - c->count)) > 0) {
        c->count += got;
        first = c->ids[c->count - 1] + 1;
        if (c->count == cap) { /* series came meanwhile (snapshots only) */
            cap *= 2;
            c->ids = mem_resize(c->ids, cap, sizeof(*c->ids));
        }
    }
}

/* ---- One block ---- */

static err write_symbols(struct cut *c, struct block_writer *bw, size_t part)
{
    const struct cut_order *o = &c->order;
    memset(c->local, 0, ((size_t)o->symbol_count + 1) * sizeof(*c->local));
    for (size_t i = 0; i < c->count; i++) {
        if (!cut_parts_has(&c->parts, i, part))
            continue;
        struct registry_pairs pairs = registry_pairs_of(c->db->registry, c->ids[i]);
        for (size_t k = 0; k < pairs.count; k++)
            c->local[o->name_of[pairs.ids[k]]] = c->local[o->value_of[pairs.ids[k]]] = 1;
    }
    uint32_t next = 0;
    for (uint32_t s = 0; s < o->symbol_count; s++) {
        if (c->local[s] == 0)
            continue;
        TRY(block_writer_symbol(bw, o->symbols[s]));
        c->local[s] = next++;
    }
    return OK;
}

static err begin_series(struct cut *c, struct block_writer *bw, uint32_t id)
{
    struct registry_pairs pairs = registry_pairs_of(c->db->registry, id);
    if (pairs.count * 2 > c->pairs_cap) {
        c->pairs_cap = pairs.count * 4;
        c->pairs = mem_resize(c->pairs, c->pairs_cap, sizeof(*c->pairs));
    }
    for (size_t i = 0; i < pairs.count; i++) {
        c->pairs[2 * i] = c->local[c->order.name_of[pairs.ids[i]]];
        c->pairs[2 * i + 1] = c->local[c->order.value_of[pairs.ids[i]]];
    }
    return block_writer_series(bw, c->pairs, pairs.count, registry_hash(c->db->registry, id));
}

/* First index whose time is not before `ts_ms`. */
static size_t lower_bound(const int64_t *ts, size_t count, int64_t ts_ms)
{
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (ts[low + half] < ts_ms) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

static bool is_histogram(const struct head_columns *h, size_t i)
{
    return h->histograms != NULL && h->histograms[i] != NULL;
}

/* Samples [from, to): runs of floats and of histograms. */
static err write_samples(struct block_writer *bw, const struct head_columns *h, size_t from,
                         size_t to)
{
    while (from < to) {
        size_t end = from + 1;
        bool histograms = is_histogram(h, from);
        while (end < to && is_histogram(h, end) == histograms)
            end++;
        const int64_t *starts = h->start_ts_ms != NULL ? h->start_ts_ms + from : NULL;
        if (histograms)
            TRY(block_writer_histograms(bw, h->ts_ms + from, h->histograms + from, starts,
                                        end - from));
        else
            TRY(block_writer_floats(bw, h->ts_ms + from, h->values + from, starts, end - from));
        from = end;
    }
    return OK;
}

static err write_series(struct cut *c, struct block_writer *bw, const struct head_chunk *chunk,
                        struct cut_range range)
{
    struct head_columns h;
    arena_reset(&c->histograms);
    TRY(head_decode(&c->decoder, c->w, chunk, &c->histograms, &h));
    size_t from = lower_bound(h.ts_ms, h.count, range.start_ms);
    size_t to = lower_bound(h.ts_ms, h.count, range.end_ms);
    if (from == to)
        return OK;
    TRY(begin_series(c, bw, chunk->series));
    return write_samples(bw, &h, from, to);
}

static err write_all_series(struct cut *c, struct block_writer *bw, size_t part)
{
    uint32_t ids[READ_IDS];
    for (size_t i = 0; i < c->count;) {
        size_t n = 0;
        for (; i < c->count && n < READ_IDS; i++)
            if (cut_parts_has(&c->parts, i, part))
                ids[n++] = c->ids[i];
        head_read(c->w, ids, n, &c->copy);
        for (size_t k = 0; k < n; k++)
            TRY(write_series(c, bw, &c->copy.chunks[k], c->parts.ranges[part]));
    }
    return OK;
}

/* A block that stays holds the same samples as the log: nothing is wrong, but for the space. */
static void remove_quietly(struct cut *c, ulid u)
{
    if (block_dir_remove(c->db->fs, c->dir, u) != OK)
        log_warn("a block of a failed cut could not be removed");
}

static ulid next_ulid(struct cut *c)
{
    ulid u = db_next_ulid(c->db);
    if (ulid_cmp(u, c->last) <= 0)
        u = db_ulid_after(c->last);
    return c->last = u;
}

static err open_written(struct cut *c, const struct block_meta *m, struct diag *d)
{
    char name[ULID_TEXT_SIZE];
    struct buf path = {0};
    ulid_format(m->ulid, name);
    fs_join(&path, c->dir, name);
    err e = block_open(c->db->fs, buf_cstr(&path), &c->blocks[c->block_count], d);
    c->block_count += e == OK;
    if (e != OK)
        remove_quietly(c, m->ulid);
    buf_fini(&path);
    return e;
}

static err write_block(struct cut *c, size_t part, struct diag *d)
{
    struct block_writer *bw;
    struct block_meta m;
    struct block_writer_options o = {
        .ulid = next_ulid(c), .level = 1, .label_seed = c->db->state.label_seed};
    TRY(block_writer_open(c->db->fs, c->dir, &o, &bw, d));
    err e = write_symbols(c, bw, part);
    if (e == OK)
        e = write_all_series(c, bw, part);
    if (e != OK) {
        block_writer_abort(bw);
        return e;
    }
    e = block_writer_finish(bw, &m, d);
    if (e != OK)
        return e == ERR_NOTFOUND ? OK : e; /* no samples: no block */
    e = open_written(c, &m, d);
    block_meta_fini(&m);
    return e;
}

/* ---- All of them ---- */

static void remove_written(struct cut *c)
{
    for (size_t i = 0; i < c->block_count; i++) {
        ulid u = block_meta_of(c->blocks[i])->ulid;
        block_close(c->blocks[i]);
        remove_quietly(c, u);
    }
    mem_free(c->blocks);
}

static err write_blocks(struct cut *c)
{
    struct diag d = {0};
    err e = OK;
    for (size_t part = 0; part < c->parts.count && e == OK; part++)
        e = write_block(c, part, &d);
    if (e != OK)
        log_error("a cut of the head failed", LOG_CSTR("reason", d.text), LOG_ERR(e));
    return e;
}

static struct cut_ladder ladder_of(const struct db *db, struct head_window *w)
{
    struct head_totals t;
    head_totals_of(w, &t);
    int64_t width_ms_max = db_retention_ms(db) / 10;
    int64_t now_ms = MIN(t.max_ms, clock_wall_ms());
    return cut_ladder_of(MAX(now_ms, -DB_TS_ABS_MAX), width_ms_max);
}

static void cut_fini(struct cut *c)
{
    registry_unpin(c->db->registry, &c->pin);
    cut_order_fini(&c->order);
    cut_parts_fini(&c->parts);
    head_copy_fini(&c->copy);
    head_decoder_fini(&c->decoder);
    arena_fini(&c->histograms);
    mem_free(c->ids);
    mem_free(c->local);
    mem_free(c->pairs);
}

err db_write_window(struct db *db, struct head_window *w, const char *blocks_dir,
                    struct block ***out, size_t *count)
{
    struct cut c = {.db = db, .w = w, .dir = blocks_dir};
    struct cut_ladder ladder = ladder_of(db, w);
    arena_init(&c.histograms, HISTOGRAM_BYTES_MAX);
    registry_pin(db->registry, &c.pin);
    list_series(&c);
    cut_order_init(&c.order, db->registry, c.ids, c.count);
    cut_parts_init(&c.parts, w, &ladder, c.ids, c.count);
    c.local = mem_zalloc((size_t)c.order.symbol_count + 1, sizeof(*c.local));
    c.blocks = mem_zalloc(c.parts.count + 1, sizeof(struct block *));
    err e = write_blocks(&c);
    if (e == OK) {
        *out = c.blocks;
        *count = c.block_count;
    } else {
        remove_written(&c);
    }
    cut_fini(&c);
    return e;
}
