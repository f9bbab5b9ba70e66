/* head_window_priv.h -- what a head window is made of: head_window.c opens, closes and reads it,
 * head_write.c writes. */
#ifndef STORAGE_HEAD_WINDOW_PRIV_H
#define STORAGE_HEAD_WINDOW_PRIV_H

#include <assert.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/thread.h"
#include "storage/head_side.h"
#include "storage/head_window.h"
#include "storage/registry.h"
#include "storage/slab.h"
#include "storage/time_tree.h"

enum {
    LINE_PAGE_BITS = 10, /* series lines of a page; a page lies within one shard */
    LINE_PAGE = 1 << LINE_PAGE_BITS,
    PAGE_MAX = REGISTRY_IDS_MAX >> LINE_PAGE_BITS,
    VALUE_BLOCK_FIRST = 32, /* bytes; enough for a constant series */
    VALUE_BLOCK_NEXT = 64,
};
static_assert((int)LINE_PAGE_BITS <= (int)HEAD_SHARD_BLOCK_BITS, "pages lie within shards");

struct value_block { /* a piece of a series' XOR stream */
    struct value_block *prev;
    uint8_t bytes[];
};

enum line_use {
    LINE_EMPTY = 0,
    LINE_USED = 1,  /* has samples; what comes is looked at from all sides */
    LINE_PLAIN = 2, /* all of them are in the stream, which may grow */
};

struct head_line {         /* one series, one cache line; zero: no samples */
    struct xor_state xor ; /* len_bytes counts in the tail only */
    int64_t last_ts_ms;    /* newest sample of all */
    struct value_block *tail;
    struct head_side_list *side; /* NULL: nothing beside the stream */
    struct time_pos at;          /* times of the stream */
    uint32_t count;              /* values of the stream */
    uint16_t block_count;        /* pieces of the stream */
    uint8_t used;                /* enum line_use */
    uint8_t tail_words;          /* room of the tail, in 8-byte words */
};
static_assert(sizeof(struct head_line) == CACHE_LINE, "one line a series");

struct shard {
    struct rwlock lock;  /* guards the shard's pages and what they point to */
    atomic_uint version; /* odd while somebody writes: what was read meanwhile is not one state */
    struct slab slab;
    struct time_tree times;
    uint64_t floats, out_of_order, histograms, series;
    uint64_t line_bytes, value_bytes, side_bytes;
    uint32_t id_end; /* ids of its pages are below */
    int64_t min_ms, max_ms;
    struct buf scratch; /* one encoded histogram */
    atomic_uint_least64_t bytes_now;
};

struct head_window {
    struct head_line **pages; /* each page belongs to the shard of its ids */
    struct shard shards[HEAD_SHARDS];
};

/* Stream bytes that piece `index` holds, a multiple of 8. */
static inline uint32_t block_room(uint32_t index)
{
    return (index == 0 ? VALUE_BLOCK_FIRST : VALUE_BLOCK_NEXT) - sizeof(struct value_block);
}

static inline struct head_line *line_of(const struct head_window *w, uint32_t id)
{
    struct head_line *page = __atomic_load_n(&w->pages[id >> LINE_PAGE_BITS], __ATOMIC_ACQUIRE);
    return page == NULL ? NULL : page + (id & (LINE_PAGE - 1));
}

/* All memory of a shard. */
static inline uint64_t shard_bytes(const struct shard *s)
{
    return sizeof(*s) + s->slab.used_bytes + time_tree_bytes(&s->times) + s->scratch.cap;
}

#endif
