/* block_priv.h -- inside of an open block and its cursors, for block*.c. */
#ifndef STORAGE_BLOCK_PRIV_H
#define STORAGE_BLOCK_PRIV_H

#include <stdatomic.h>

#include "base/thread.h"
#include "storage/block.h"
#include "storage/block_file.h"
#include "storage/block_record.h"
#include "storage/kv.h"
#include "storage/packed_page.h"

/* A page of symbols on the heap: strings handed out must survive rot and truncation of the file. */
struct symbol_page {
    struct page page;
    uint64_t first; /* id of its first symbol */
    size_t size;    /* bytes that follow */
    uint8_t bytes[];
};

/* NULL until the page is needed. Release stores pair with acquire loads in symbol_page_of(). */
struct symbol_slot {
    _Atomic(struct symbol_page *) page;
};

struct block {
    struct fs *fs;
    char *dir;
    char name[ULID_TEXT_SIZE];
    struct block_meta meta;
    struct kv *kv;
    struct file_view chunks;
    uint64_t chunks_seed;

    struct symbol_slot *symbol_pages; /* one for each page; emptied when nothing pins the block */
    atomic_size_t symbol_bytes;       /* of the pages; relaxed, a statistic */

    atomic_bool damaged; /* relaxed: only ever set */

    /* Guards what follows. Rank: leaf. */
    struct mutex lock;
    struct tombstones *tombstones;
    unsigned pins;
    bool closed;
};

enum { COLUMN_SLOTS = 8 }; /* pages of columns a cursor remembers */

struct column_page {
    size_t index; /* of the value in KV_COLUMNS; SIZE_MAX: empty */
    uint64_t first;
    struct block_column *items;
    size_t count, cap;
};

struct value_page { /* a page of the index, copied and verified */
    size_t index;   /* SIZE_MAX: none */
    struct buf bytes;
    struct page page;
};

struct block_cursor {
    struct block *b;
    struct tombstones *tombstones;
    struct value_page series, postings, symbols;
    struct column_page columns[COLUMN_SLOTS];
    struct buf value;          /* a bitmap, or a page on its way */
    struct buf payload, times; /* bytes of a chunk */
    uint32_t *pairs;           /* of the last series; room for BLOCK_SERIES_LABELS_MAX */
    struct block_chunk *chunks;
    size_t chunk_cap;
};

/* Report `e` with what `why` says (may be empty): marks damage, logs it, puts the block's name
 * before the text. Returns `e`. */
err block_report(struct block *b, err e, const struct diag *why, struct diag *d);

/* ERR_CORRUPT with a text of its own. */
err block_corrupt(struct block *b, struct diag *d, const char *format, ...) PRINTF_LIKE(3, 4);

/* Have page `index` of `table` in `v`. */
MUST_USE err cursor_page(struct block_cursor *c, enum kv_table table, size_t index,
                         struct value_page *v, struct diag *d);

/* The column `id`. */
MUST_USE err cursor_column(struct block_cursor *c, uint32_t id, struct block_column *out,
                           struct diag *d);

/* Copy `size` bytes at `pos` of the file `chunks` into `to` (replaced) and verify them;
 * CODEC_PAD_BYTES follow. */
MUST_USE err cursor_bytes(struct block_cursor *c, uint64_t pos, uint32_t size, struct buf *to,
                          slice *out, struct diag *d);

/* The symbols of series `id` in c->pairs, the references in `refs`, which is valid until the
 * next page. */
MUST_USE err cursor_series(struct block_cursor *c, uint32_t id, hash128 *hash, size_t *pair_count,
                           size_t *chunk_count, struct reader *refs, struct diag *d);

/* As block_symbol(), but the string lives only until the cursor's next symbol: walking all
 * values of a label must not load them into memory for good. */
MUST_USE err block_symbol_peek(struct block_cursor *c, uint32_t id, str *out, struct diag *d);

/* Id of the first symbol not less than `s`; the number of symbols when there is none. */
MUST_USE err block_symbol_bound(struct block_cursor *c, str s, uint64_t *out, struct diag *d);

/* ---- Postings in key order ---- */

struct posting_walk { /* fields are private */
    size_t page;      /* index among KV_POSTINGS */
    uint32_t record;  /* next in that page */
};

/* Start at the first posting whose key is not less than `key`. */
MUST_USE err posting_seek(struct block_cursor *c, uint64_t key, struct posting_walk *w,
                          struct diag *d);

/* The next posting; false at the end or on error (*e tells). `out` is valid until the next call. */
bool posting_next(struct block_cursor *c, struct posting_walk *w, struct posting *out, err *e,
                  struct diag *d);

/* The stored set of a posting: aliases the page, or c->value until it is used again. */
MUST_USE err posting_bytes(struct block_cursor *c, const struct posting *p, slice *out,
                           struct diag *d);

/* ERR_CORRUPT with a text that names the posting. */
err posting_malformed(struct block_cursor *c, const struct posting *p, struct diag *d);

/* Add the posting's set to `to`. */
MUST_USE err posting_union(struct block_cursor *c, const struct posting *p, struct postings *to,
                           struct diag *d);

/* ---- Few series ---- */

/* With this many series or fewer, looking at their labels is cheaper than walking all values of a
 * label. */
enum { BLOCK_FEW_SERIES = 512 };

/* The value symbol of `name` in series `id`; POSTING_ANY_VALUE: it has none. */
MUST_USE err block_value_of(struct block_cursor *c, uint32_t id, uint32_t name, uint32_t *out,
                            struct diag *d);

#endif
