/* index_writer.c -- see index_writer.h. */
#include "storage/index_writer.h"

#include "base/assert.h"
#include "base/mem.h"
#include "storage/kv.h"
#include "storage/packed_page.h"
#include "storage/posting_builder.h"
#include "storage/postings.h"

struct paged { /* a table whose values are pages of records */
    struct page_writer page;
    uint64_t first_key; /* of the page's first record */
    uint64_t count;     /* records so far: the next id */
};

struct index_writer {
    struct kv_writer *kv;
    struct paged tables[KV_TABLE_COUNT];
    struct posting_builder *postings;
    struct buf record, value; /* reused */
    uint64_t bitmap_count;
};

err index_writer_open(const char *scratch_dir, ulid u, struct index_writer **out)
{
    struct kv_writer *kv;
    TRY(kv_writer_open(scratch_dir, u, &kv));
    struct index_writer *w = mem_zalloc(1, sizeof(*w));
    w->kv = kv;
    w->postings = posting_builder_new();
    *out = w;
    return OK;
}

void index_writer_abort(struct index_writer *w)
{
    if (w == NULL)
        return;
    kv_writer_abort(w->kv);
    posting_builder_free(w->postings);
    for (int i = 0; i < KV_TABLE_COUNT; i++)
        page_writer_fini(&w->tables[i].page);
    buf_fini(&w->record);
    buf_fini(&w->value);
    mem_free(w);
}

static err flush_page(struct index_writer *w, enum kv_table table)
{
    struct paged *t = &w->tables[table];
    if (t->page.count == 0)
        return OK;
    buf_reset(&w->value);
    page_finish(&t->page, &w->value);
    return kv_put(w->kv, table, t->first_key, buf_slice(&w->value));
}

static err put_record(struct index_writer *w, enum kv_table table, uint64_t key, slice record)
{
    struct paged *t = &w->tables[table];
    if (!page_has_room(&t->page, record.len))
        TRY(flush_page(w, table));
    if (t->page.count == 0)
        t->first_key = key;
    page_put(&t->page, record);
    t->count++;
    return OK;
}

err index_writer_symbol(struct index_writer *w, str s)
{
    return put_record(w, KV_SYMBOLS, w->tables[KV_SYMBOLS].count, str_bytes(s));
}

err index_writer_column(struct index_writer *w, const struct block_column *c)
{
    buf_reset(&w->record);
    column_put(&w->record, c);
    return put_record(w, KV_COLUMNS, w->tables[KV_COLUMNS].count, buf_slice(&w->record));
}

err index_writer_series(struct index_writer *w, hash128 hash, const uint32_t *pairs,
                        size_t pair_count, size_t chunk_count, slice refs)
{
    uint32_t id = (uint32_t)w->tables[KV_SERIES].count;
    for (size_t i = 0; i < pair_count; i++) {
        posting_builder_add(w->postings, posting_key(pairs[2 * i], POSTING_ANY_VALUE), id);
        posting_builder_add(w->postings, posting_key(pairs[2 * i], pairs[2 * i + 1]), id);
    }
    buf_reset(&w->record);
    series_put(&w->record, hash, pairs, pair_count, chunk_count, refs);
    return put_record(w, KV_SERIES, id, buf_slice(&w->record));
}

static err put_posting(void *arg, uint64_t key, const uint32_t *ids, size_t count)
{
    struct index_writer *w = arg;
    struct posting p = {.name = (uint32_t)(key >> 32),
                        .value = (uint32_t)key - 1,
                        .count = (uint32_t)count,
                        .is_inline = true};
    buf_reset(&w->value);
    postings_encode(ids, count, &w->value);
    p.bytes = buf_slice(&w->value);
    if (p.bytes.len > POSTING_INLINE_SIZE_MAX) {
        p.is_inline = false;
        p.bitmap = w->bitmap_count++;
        TRY(kv_put(w->kv, KV_BITMAPS, p.bitmap, p.bytes));
    }
    buf_reset(&w->record);
    posting_put(&w->record, &p);
    return put_record(w, KV_POSTINGS, key, buf_slice(&w->record));
}

err index_writer_finish(struct index_writer *w, struct fs *fs, const char *path,
                        struct page_sums *sums)
{
    err e = posting_builder_each(w->postings, put_posting, w);
    for (int i = 0; i < KV_BITMAPS && e == OK; i++)
        e = flush_page(w, (enum kv_table)i);
    if (e == OK) {
        e = kv_writer_finish(w->kv, fs, path, sums);
        w->kv = NULL;
    }
    index_writer_abort(w);
    return e;
}
