/* block_writer.c -- see block_writer.h. */
#include "storage/block_writer.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/block.h"
#include "storage/block_file.h"
#include "storage/block_record.h"
#include "storage/block_verify.h"
#include "storage/codec_histogram.h"
#include "storage/codec_int.h"
#include "storage/codec_time.h"
#include "storage/codec_value.h"
#include "storage/digest_map.h"
#include "storage/index_writer.h"

enum {
    COLUMNS_KNOWN_MAX = 1 << 18,  /* hashes of time columns; two for each column */
    PAYLOADS_KNOWN_MAX = 1 << 17, /* hashes of payloads, to store equal ones once */
};

struct series {      /* the current one */
    uint32_t *pairs; /* 2 * pair_count symbol ids */
    size_t pair_count, pair_cap;
    hash128 hash;
    bool open;
    struct buf refs;
    struct chunk_refs ref_state;
    size_t chunk_count;
    int64_t last_ms;
};

struct block_writer {
    struct fs *fs;
    char *blocks_dir, *tmp_dir, *dir;
    struct block_meta meta;
    struct index_writer *index;
    struct file_writer chunks;
    uint64_t chunks_seed;
    uint64_t hash_seeds[3]; /* of raw times, encoded times, payloads; random */
    struct codec_scratch *scratch;
    struct digest_map columns, payloads;
    struct buf payload, part; /* reused */
    struct buf last_symbol;
    struct series series;
    uint32_t *last_pairs; /* of the series stored last */
    size_t last_pair_count, last_pair_cap;
};

static char *path_of(const char *dir, const char *prefix, const char *name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/%s%s", dir, prefix, name);
    (void)buf_cstr(&b);
    return (char *)b.ptr;
}

static void fill_meta(struct block_meta *m, const struct block_writer_options *o)
{
    struct block_meta borrowed = {.ulid = o->ulid,
                                  .min_ms = INT64_MAX,
                                  .max_ms = INT64_MIN,
                                  .resolution_ms = o->resolution_ms,
                                  .label_seed = o->label_seed,
                                  .level = o->level,
                                  .sources = (ulid *)(uintptr_t)o->sources,
                                  .source_count = o->source_count,
                                  .parents = (struct meta_parent *)(uintptr_t)o->parents,
                                  .parent_count = o->parent_count};
    ulid self[1] = {o->ulid};
    if (o->source_count == 0) {
        borrowed.sources = self;
        borrowed.source_count = 1;
    }
    block_meta_copy(&borrowed, m);
}

/* Remove what was written; the first error is what counts. */
static void remove_tmp(struct block_writer *w)
{
    err e = fs_remove_tree(w->fs, w->tmp_dir);
    if (e != OK && e != ERR_NOTFOUND)
        log_warn("a temporary block stays until the next start", LOG_CSTR("path", w->tmp_dir));
}

static void free_writer(struct block_writer *w)
{
    index_writer_abort(w->index);
    file_writer_fini(&w->chunks);
    digest_map_fini(&w->columns);
    digest_map_fini(&w->payloads);
    codec_scratch_free(w->scratch);
    buf_fini(&w->payload);
    buf_fini(&w->part);
    buf_fini(&w->last_symbol);
    buf_fini(&w->series.refs);
    mem_free(w->series.pairs);
    mem_free(w->last_pairs);
    block_meta_fini(&w->meta);
    mem_free(w->blocks_dir);
    mem_free(w->tmp_dir);
    mem_free(w->dir);
    mem_free(w);
}

void block_writer_abort(struct block_writer *w)
{
    if (w == NULL)
        return;
    file_writer_fini(&w->chunks);
    remove_tmp(w);
    free_writer(w);
}

static err open_files(struct block_writer *w)
{
    ulid u = w->meta.ulid;
    TRY(fs_mkdir(w->fs, w->tmp_dir));
    /* LMDB cannot write to a disk that is not the system's: build in memory then. */
    TRY(index_writer_open(w->fs == fs_posix() ? w->tmp_dir : NULL, u, &w->index));
    char *path = path_of(w->tmp_dir, "", BLOCK_FILE_NAMES[BLOCK_CHUNKS]);
    err e = file_writer_open(&w->chunks, w->fs, path, u, BLOCK_CHUNKS);
    mem_free(path);
    if (e == OK) {
        buf_reset(&w->part);
        chunks_header_put(&w->part, u);
        e = file_writer_put(&w->chunks, buf_slice(&w->part));
    }
    return e;
}

err block_writer_open(struct fs *fs, const char *blocks_dir, const struct block_writer_options *o,
                      struct block_writer **out, struct diag *d)
{
    struct block_writer *w = mem_zalloc(1, sizeof(*w));
    char name[ULID_TEXT_SIZE];
    ulid_format(o->ulid, name);
    w->fs = fs;
    w->blocks_dir = path_of(blocks_dir, "", ".");
    w->blocks_dir[strlen(blocks_dir)] = '\0';
    w->tmp_dir = path_of(blocks_dir, "tmp-", name);
    w->dir = path_of(blocks_dir, "", name);
    fill_meta(&w->meta, o);
    w->chunks_seed = block_seed(o->ulid, DOMAIN_CHUNKS);
    for (size_t i = 0; i < COUNT_OF(w->hash_seeds); i++)
        w->hash_seeds[i] = hash_random_seed();
    w->scratch = codec_scratch_new();
    digest_map_init(&w->columns, COLUMNS_KNOWN_MAX);
    digest_map_init(&w->payloads, PAYLOADS_KNOWN_MAX);
    err e = open_files(w);
    if (e != OK) {
        (void)diag_set(d, e, "block %s cannot be created in %s: %s", name, blocks_dir, err_name(e));
        block_writer_abort(w);
        return e;
    }
    *out = w;
    return OK;
}

/* ---- Symbols and series ---- */

err block_writer_symbol(struct block_writer *w, str s)
{
    ASSERT(!w->series.open && w->meta.series == 0);
    if (s.len > BLOCK_SYMBOL_SIZE_MAX || w->meta.symbols == UINT32_MAX - 1)
        return ERR_LIMIT;
    if (w->meta.symbols > 0 && str_cmp(buf_str(&w->last_symbol), s) >= 0)
        return ERR_ORDER;
    buf_reset(&w->last_symbol);
    buf_put_str(&w->last_symbol, s);
    w->meta.symbols++;
    return index_writer_symbol(w->index, s);
}

/* Store the current series, if it got any samples. */
static err end_series(struct block_writer *w)
{
    struct series *s = &w->series;
    if (!s->open || s->chunk_count == 0) {
        s->open = false;
        return OK;
    }
    s->open = false;
    w->meta.series++;
    uint32_t *pairs = w->last_pairs; /* trade places: the other becomes the next one's memory */
    size_t cap = w->last_pair_cap;
    w->last_pairs = s->pairs;
    w->last_pair_cap = s->pair_cap;
    w->last_pair_count = s->pair_count;
    s->pairs = pairs;
    s->pair_cap = cap;
    return index_writer_series(w->index, s->hash, w->last_pairs, s->pair_count, s->chunk_count,
                               buf_slice(&s->refs));
}

/* labels_cmp() on symbols: their order is the strings'. */
static int compare_pairs(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    size_t n = 2 * MIN(a_count, b_count);
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return (a_count > b_count) - (a_count < b_count);
}

static err check_series(const struct block_writer *w, const uint32_t *pairs, size_t pair_count)
{
    if (pair_count > BLOCK_SERIES_LABELS_MAX || w->meta.series == UINT32_MAX - 1)
        return ERR_LIMIT;
    for (size_t i = 0; i < pair_count; i++) {
        if (pairs[2 * i] >= w->meta.symbols || pairs[2 * i + 1] >= w->meta.symbols ||
            (i > 0 && pairs[2 * i] <= pairs[2 * i - 2]))
            return ERR_INVALID;
    }
    if (w->meta.series > 0 &&
        compare_pairs(w->last_pairs, w->last_pair_count, pairs, pair_count) >= 0)
        return ERR_ORDER;
    return OK;
}

err block_writer_series(struct block_writer *w, const uint32_t *pairs, size_t pair_count,
                        hash128 hash)
{
    struct series *s = &w->series;
    TRY(end_series(w));
    TRY(check_series(w, pairs, pair_count));
    if (pair_count > s->pair_cap) {
        s->pair_cap = MAX(pair_count, (size_t)32);
        s->pairs = mem_resize(s->pairs, s->pair_cap, 2 * sizeof(*s->pairs));
    }
    if (pair_count > 0)
        memcpy(s->pairs, pairs, pair_count * 2 * sizeof(*pairs));
    s->pair_count = pair_count;
    s->hash = hash;
    s->open = true;
    buf_reset(&s->refs);
    s->ref_state = (struct chunk_refs){0};
    s->chunk_count = 0;
    return OK;
}

/* ---- Chunks ---- */

/* Append bytes and their checksum to the file `chunks`. */
static err put_bytes(struct block_writer *w, slice bytes, uint64_t *pos)
{
    *pos = file_writer_pos(&w->chunks);
    uint8_t sum[BLOCK_SUM_SIZE];
    store_u32(sum, checksum32(bytes, w->chunks_seed + *pos));
    TRY(file_writer_put(&w->chunks, bytes));
    return file_writer_put(&w->chunks, (slice){sum, sizeof(sum)});
}

/* The column with these encoded times, which is stored unless it is known. */
static err put_column(struct block_writer *w, slice bytes, struct block_column *c, uint32_t *id)
{
    hash128 hash = hash128_of(bytes, w->hash_seeds[1] + c->count);
    uint64_t known;
    if (digest_map_find(&w->columns, hash, &known)) {
        *id = (uint32_t)known;
        return OK;
    }
    if (w->meta.columns == UINT32_MAX || bytes.len > CHUNK_SIZE_MAX)
        return ERR_LIMIT;
    c->size = (uint32_t)bytes.len;
    TRY(put_bytes(w, bytes, &c->pos));
    TRY(index_writer_column(w->index, c));
    *id = (uint32_t)w->meta.columns++;
    digest_map_put(&w->columns, hash, *id);
    return OK;
}

/* As put_column(), from times: those of one scrape are the same for hundreds of series. */
static err put_times(struct block_writer *w, const int64_t *ts_ms, uint32_t count, uint32_t *id)
{
    hash128 hash =
        hash128_of((slice){(const uint8_t *)ts_ms, count * sizeof(*ts_ms)}, w->hash_seeds[0]);
    uint64_t known;
    if (digest_map_find(&w->columns, hash, &known)) {
        *id = (uint32_t)known;
        return OK;
    }
    struct block_column c = {.count = count, .min_ms = ts_ms[0], .max_ms = ts_ms[count - 1]};
    buf_reset(&w->part);
    time_encode(ts_ms, count, w->scratch, &w->part);
    TRY(put_column(w, buf_slice(&w->part), &c, id));
    digest_map_put(&w->columns, hash, *id);
    return OK;
}

/* Store a payload, or find the same one again. */
static err put_payload(struct block_writer *w, slice bytes, uint64_t *pos)
{
    hash128 hash = hash128_of(bytes, w->hash_seeds[2]);
    if (digest_map_find(&w->payloads, hash, pos))
        return OK;
    if (bytes.len > CHUNK_SIZE_MAX)
        return ERR_LIMIT;
    TRY(put_bytes(w, bytes, pos));
    digest_map_put(&w->payloads, hash, *pos);
    return OK;
}

/* Note the chunk in the series and the statistics. */
static err add_ref(struct block_writer *w, struct block_chunk *c, slice payload)
{
    struct series *s = &w->series;
    if (s->chunk_count == SERIES_CHUNKS_MAX)
        return ERR_LIMIT;
    TRY(put_payload(w, payload, &c->pos));
    c->size = (uint32_t)payload.len;
    chunk_ref_put(&s->ref_state, c, &s->refs);
    s->chunk_count++;
    s->last_ms = c->max_ms;
    w->meta.chunks++;
    w->meta.samples += c->count;
    *(c->kind == BLOCK_FLOATS ? &w->meta.floats : &w->meta.histograms) += c->count;
    w->meta.min_ms = MIN(w->meta.min_ms, c->min_ms);
    w->meta.max_ms = MAX(w->meta.max_ms, c->max_ms); /* made exclusive at the end */
    return OK;
}

static bool any_start(const int64_t *start_ts_ms, uint32_t count)
{
    for (uint32_t i = 0; start_ts_ms != NULL && i < count; i++) {
        if (start_ts_ms[i] != 0)
            return true;
    }
    return false;
}

/* Begin w->payload with the start timestamps, if any is known. */
static bool put_starts(struct block_writer *w, const int64_t *start_ts_ms, uint32_t count)
{
    buf_reset(&w->payload);
    if (!any_start(start_ts_ms, count))
        return false;
    buf_reset(&w->part);
    int_encode(start_ts_ms, count, w->scratch, &w->part);
    buf_put_string(&w->payload, buf_str(&w->part));
    return true;
}

static err put_chunk(struct block_writer *w, const int64_t *ts_ms, const double *values,
                     const struct histogram *const *histograms, const int64_t *start_ts_ms,
                     uint32_t count)
{
    struct block_chunk c = {.kind = values != NULL ? BLOCK_FLOATS : BLOCK_HISTOGRAMS,
                            .min_ms = ts_ms[0],
                            .max_ms = ts_ms[count - 1],
                            .count = count};
    TRY(put_times(w, ts_ms, count, &c.column));
    c.has_start = put_starts(w, start_ts_ms, count);
    if (values != NULL)
        value_encode(values, count, w->scratch, &w->payload);
    else
        histogram_column_encode(histograms, count, w->scratch, &w->payload);
    return add_ref(w, &c, buf_slice(&w->payload));
}

static err check_times(const struct block_writer *w, const int64_t *ts_ms, size_t count)
{
    ASSERT(w->series.open && count > 0);
    if (w->series.chunk_count > 0 && ts_ms[0] <= w->series.last_ms)
        return ERR_ORDER;
    for (size_t i = 1; i < count; i++) {
        if (ts_ms[i] <= ts_ms[i - 1])
            return ERR_ORDER;
    }
    /* The block's range excludes its end. */
    return ts_ms[count - 1] < INT64_MAX ? OK : ERR_ORDER;
}

err block_writer_floats(struct block_writer *w, const int64_t *ts_ms, const double *values,
                        const int64_t *start_ts_ms, size_t count)
{
    TRY(check_times(w, ts_ms, count));
    size_t chunks = (count + BLOCK_CHUNK_SAMPLES_MAX - 1) / BLOCK_CHUNK_SAMPLES_MAX;
    for (size_t i = 0, at = 0; i < chunks; i++) {
        size_t end = at + count / chunks + (i < count % chunks); /* of equal lengths */
        TRY(put_chunk(w, ts_ms + at, values + at, NULL,
                      start_ts_ms != NULL ? start_ts_ms + at : NULL, (uint32_t)(end - at)));
        at = end;
    }
    return OK;
}

/* How many of the histograms share a chunk with the first. */
static uint32_t histogram_run(const struct histogram *const *h, size_t count)
{
    const struct histogram *layout = NULL;
    size_t buckets = 0;
    uint32_t n = 0;
    while (n < count && n < BLOCK_CHUNK_SAMPLES_MAX) {
        if (!histogram_is_stale(h[n])) {
            if (layout != NULL && !histogram_same_layout(layout, h[n]))
                break;
            layout = h[n];
            buckets += h[n]->positive.bucket_count + h[n]->negative.bucket_count;
        }
        if (n > 0 && buckets > BLOCK_CHUNK_BUCKETS_MAX)
            break;
        n++;
    }
    return n;
}

err block_writer_histograms(struct block_writer *w, const int64_t *ts_ms,
                            const struct histogram *const *histograms, const int64_t *start_ts_ms,
                            size_t count)
{
    TRY(check_times(w, ts_ms, count));
    for (size_t at = 0; at < count;) {
        uint32_t n = histogram_run(histograms + at, count - at);
        TRY(put_chunk(w, ts_ms + at, NULL, histograms + at,
                      start_ts_ms != NULL ? start_ts_ms + at : NULL, n));
        at += n;
    }
    return OK;
}

err block_writer_copy(struct block_writer *w, const struct block_chunk_copy *copy)
{
    ASSERT(w->series.open && copy->count > 0 && copy->kind < BLOCK_KIND_COUNT);
    if ((w->series.chunk_count > 0 && copy->min_ms <= w->series.last_ms) ||
        copy->max_ms < copy->min_ms || copy->max_ms == INT64_MAX)
        return ERR_ORDER;
    struct block_chunk c = {.kind = copy->kind,
                            .has_start = copy->has_start,
                            .min_ms = copy->min_ms,
                            .max_ms = copy->max_ms,
                            .count = copy->count};
    struct block_column column = {
        .count = copy->count, .min_ms = copy->min_ms, .max_ms = copy->max_ms};
    TRY(put_column(w, copy->times, &column, &c.column));
    return add_ref(w, &c, copy->payload);
}

/* ---- Finishing ---- */

static err write_file(struct block_writer *w, const char *name, const struct buf *bytes)
{
    char *path = path_of(w->tmp_dir, "", name);
    err e = block_file_write(w->fs, path, buf_slice(bytes));
    mem_free(path);
    return e;
}

static err write_index(struct block_writer *w, struct page_sums *sums)
{
    char *path = path_of(w->tmp_dir, "", BLOCK_FILE_NAMES[BLOCK_INDEX]);
    err e = index_writer_finish(w->index, w->fs, path, sums);
    w->index = NULL;
    mem_free(path);
    return e;
}

static err write_sums(struct block_writer *w, const struct page_sums *sums)
{
    struct buf bytes = {0};
    block_sums_encode(w->meta.ulid, sums, &bytes);
    w->meta.index_size = sums[BLOCK_INDEX].size;
    w->meta.chunks_size = sums[BLOCK_CHUNKS].size;
    w->meta.sums_size = bytes.len;
    w->meta.sums_hash = hash64(buf_slice(&bytes), 0);
    err e = write_file(w, BLOCK_SUMS_NAME, &bytes);
    buf_fini(&bytes);
    return e;
}

static err write_tombstones(struct block_writer *w)
{
    struct buf bytes = {0};
    struct tombstones *none = tombstones_empty();
    tombstones_encode(none, w->meta.ulid, &bytes);
    err e = write_file(w, BLOCK_TOMBSTONES_NAME, &bytes);
    tombstones_unref(none);
    buf_fini(&bytes);
    return e;
}

static err write_meta(struct block_writer *w)
{
    struct buf text = {0};
    block_meta_encode(&w->meta, &text);
    err e = write_file(w, BLOCK_META_NAME, &text);
    buf_fini(&text);
    return e;
}

/* All files, each synced, meta.json last; then their directory. */
static err write_files(struct block_writer *w)
{
    struct page_sums sums[BLOCK_FILE_COUNT] = {0};
    w->meta.max_ms++; /* exclusive from here on; check_times() left room */
    err e = file_writer_finish(&w->chunks, &sums[BLOCK_CHUNKS]);
    if (e == OK)
        e = write_index(w, &sums[BLOCK_INDEX]);
    if (e == OK)
        e = write_sums(w, sums);
    for (int i = 0; i < BLOCK_FILE_COUNT; i++)
        page_sums_fini(&sums[i]);
    if (e == OK)
        e = write_tombstones(w);
    if (e == OK)
        e = write_meta(w);
    if (e == OK)
        e = fs_sync_dir(w->fs, w->tmp_dir);
    return e;
}

/* Give the block its name. When the name cannot be made durable it is taken back. */
static err publish(struct block_writer *w)
{
    TRY(fs_rename(w->fs, w->tmp_dir, w->dir));
    err e = fs_sync_dir(w->fs, w->blocks_dir);
    if (e != OK && fs_rename(w->fs, w->dir, w->tmp_dir) != OK)
        log_error("a block may appear that was not acknowledged", LOG_CSTR("path", w->dir));
    return e;
}

err block_writer_finish(struct block_writer *w, struct block_meta *meta, struct diag *d)
{
    err e = end_series(w);
    if (e == OK && w->meta.series == 0) {
        block_writer_abort(w);
        return diag_set(d, ERR_NOTFOUND, "no samples for a block");
    }
    if (e == OK)
        e = write_files(w);
    if (e == OK)
        e = block_check_files(w->fs, w->tmp_dir, d);
    if (e == OK)
        e = publish(w);
    if (e != OK) {
        (void)diag_set(d, e, "%s cannot be written: %s", w->tmp_dir, err_name(e));
        block_writer_abort(w);
        return e;
    }
    if (meta != NULL)
        block_meta_copy(&w->meta, meta);
    free_writer(w);
    return OK;
}
