/* fuzz_block_record.c -- any bytes as a page of the index, and its records as columns, series and
 * postings; what is accepted must encode to what decodes to the same. */
#include <stdlib.h>

#include "base/mem.h"
#include "storage/block_record.h"
#include "storage/block_writer.h"
#include "storage/packed_page.h"

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void try_column(slice record)
{
    struct block_column c, again;
    struct buf b = {0};
    if (column_get(record, &c)) {
        column_put(&b, &c);
        must(column_get(buf_slice(&b), &again) && again.pos == c.pos && again.size == c.size &&
             again.count == c.count && again.min_ms == c.min_ms && again.max_ms == c.max_ms);
    }
    buf_fini(&b);
}

static void try_posting(slice record)
{
    struct posting p, again;
    struct buf b = {0};
    if (posting_get(record, &p)) {
        posting_put(&b, &p);
        must(posting_get(buf_slice(&b), &again) && again.name == p.name && again.value == p.value &&
             again.count == p.count && again.is_inline == p.is_inline);
    }
    buf_fini(&b);
}

static void try_series(slice record)
{
    uint32_t *pairs = mem_resize(NULL, 2 * BLOCK_SERIES_LABELS_MAX, sizeof(*pairs));
    struct reader r;
    hash128 hash;
    size_t pair_count, chunk_count;
    struct buf b = {0};
    if (series_get(record, 1 << 20, &hash, pairs, &pair_count, &chunk_count, &r)) {
        struct chunk_refs in = {0}, out = {0}, check = {0};
        for (size_t i = 0; i < chunk_count && !r.overrun; i++) {
            struct block_chunk c, again;
            chunk_ref_get(&in, &r, &c);
            if (r.overrun)
                break;
            buf_reset(&b);
            chunk_ref_put(&out, &c, &b);
            struct reader back = reader_of(buf_slice(&b));
            chunk_ref_get(&check, &back, &again);
            must(!back.overrun && again.pos == c.pos && again.size == c.size &&
                 again.column == c.column && again.kind == c.kind &&
                 again.has_start == c.has_start);
        }
    }
    buf_fini(&b);
    mem_free(pairs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct page p;
    slice record;
    if (!page_open((slice){data, size}, &p))
        return 0;
    for (uint32_t i = 0; i < p.count; i++) {
        if (!page_get(&p, i, &record))
            continue;
        try_column(record);
        try_posting(record);
        try_series(record);
    }
    return 0;
}
