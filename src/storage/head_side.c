#include "storage/head_side.h"

#include <assert.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"

enum {
    SIDE_BLOCK_SIZE_MIN = 64,
    SIDE_BLOCK_SIZE_MAX = 1024,
    START_BLOCK_SIZE_MIN = 64,
    START_BLOCK_SIZE_MAX = 1024,
    KIND_BITS = 64, /* samples of one block at most: a bit each says what they are */
};

struct side_entry {
    int64_t ts_ms, start_ts_ms;
    uint64_t bits; /* the value's, or the address of a blob */
};

struct side_block {
    struct side_block *prev;
    uint64_t histogram_bits; /* bit i: entry i is a histogram */
    uint32_t count, cap;
    struct side_entry entries[];
};
static_assert((SIDE_BLOCK_SIZE_MAX - sizeof(struct side_block)) / sizeof(struct side_entry) <=
                  KIND_BITS,
              "a bit for each entry");

struct blob {
    uint32_t len;
    uint8_t bytes[];
};

struct start_block {
    struct start_block *prev;
    uint32_t count, cap;
    struct head_start entries[];
};

static_assert(sizeof(struct head_side_list) <= CACHE_LINE, "one line");

struct head_side_list *side_new(struct slab *slab)
{
    return slab_alloc(slab, sizeof(struct head_side_list));
}

static size_t next_size(size_t entries, size_t entry_size, size_t min, size_t max)
{
    size_t size = min;
    while (size < max && size < entries * entry_size)
        size *= 2;
    return size;
}

/* A chain's pieces grow with its length. */
static struct side_block *block_for(struct head_side_list *l, struct slab *slab)
{
    struct side_block *b = l->tail;
    if (b != NULL && b->count < b->cap)
        return b;
    size_t size =
        next_size(l->count, sizeof(struct side_entry), SIDE_BLOCK_SIZE_MIN, SIDE_BLOCK_SIZE_MAX);
    b = slab_alloc(slab, size);
    b->prev = l->tail;
    b->cap = (uint32_t)((size - sizeof(*b)) / sizeof(struct side_entry));
    l->tail = b;
    return b;
}

void side_add(struct head_side_list *l, struct slab *slab, int64_t ts_ms, int64_t start_ts_ms,
              double value, slice encoded)
{
    struct side_block *b = block_for(l, slab);
    uint64_t bits = f64_bits(value);
    if (encoded.len > 0) {
        ASSERT(encoded.len <= UINT32_MAX);
        struct blob *blob = slab_alloc(slab, sizeof(*blob) + encoded.len);
        blob->len = (uint32_t)encoded.len;
        memcpy(blob->bytes, encoded.ptr, encoded.len);
        bits = (uint64_t)(uintptr_t)blob;
        b->histogram_bits |= (uint64_t)1 << b->count;
    }
    b->entries[b->count++] = (struct side_entry){ts_ms, start_ts_ms, bits};
    l->count++;
}

void side_add_start(struct head_side_list *l, struct slab *slab, uint32_t index,
                    int64_t start_ts_ms)
{
    l->last_start_ms = start_ts_ms;
    if (l->start_count++ == 0) {
        l->first_start_index = index;
        l->first_start_ms = start_ts_ms;
        return;
    }
    struct start_block *b = l->start_tail;
    if (b == NULL || b->count == b->cap) {
        size_t size = next_size(l->start_count, sizeof(struct head_start), START_BLOCK_SIZE_MIN,
                                START_BLOCK_SIZE_MAX);
        b = slab_alloc(slab, size);
        b->prev = l->start_tail;
        b->cap = (uint32_t)((size - sizeof(*b)) / sizeof(struct head_start));
        l->start_tail = b;
    }
    b->entries[b->count++] = (struct head_start){index, start_ts_ms};
}

static struct head_side entry_out(const struct side_block *b, uint32_t i)
{
    const struct side_entry *e = &b->entries[i];
    struct head_side out = {.ts_ms = e->ts_ms, .start_ts_ms = e->start_ts_ms};
    if ((b->histogram_bits >> i & 1) != 0) {
        const struct blob *blob = (const struct blob *)(uintptr_t)e->bits;
        out.histogram = (slice){blob->bytes, blob->len};
    } else {
        out.value = f64_from_bits(e->bits);
    }
    return out;
}

void side_copy(const struct head_side_list *l, struct head_side *out)
{
    size_t at = l->count;
    for (const struct side_block *b = l->tail; b != NULL; b = b->prev)
        for (uint32_t i = b->count; i-- > 0;)
            out[--at] = entry_out(b, i);
    ASSERT(at == 0);
}

void side_copy_starts(const struct head_side_list *l, struct head_start *out)
{
    size_t at = l->start_count;
    for (const struct start_block *b = l->start_tail; b != NULL; b = b->prev)
        for (uint32_t i = b->count; i-- > 0;)
            out[--at] = b->entries[i];
    if (at > 0)
        out[--at] = (struct head_start){l->first_start_index, l->first_start_ms};
    ASSERT(at == 0);
}

static bool is_ascending(const struct head_side *s, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (s[i - 1].ts_ms >= s[i].ts_ms)
            return false;
    return true;
}

/* Merge the sorted from[low..mid) and from[mid..high) into `to`; equal times keep their order. */
static void merge(const struct head_side *from, size_t low, size_t mid, size_t high,
                  struct head_side *to)
{
    size_t i = low, k = mid;
    for (size_t at = low; at < high; at++) {
        bool left = i < mid && (k == high || from[i].ts_ms <= from[k].ts_ms);
        to[at] = from[left ? i++ : k++];
    }
}

size_t side_sort(struct head_side *samples, size_t count)
{
    if (is_ascending(samples, count))
        return count;
    struct head_side *from = samples, *to = mem_alloc(count * sizeof(*to)), *spare = to;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t mid = MIN(low + width, count), high = MIN(low + 2 * width, count);
            merge(from, low, mid, high, to);
        }
        struct head_side *swap = from;
        from = to;
        to = swap;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || from[i].ts_ms != from[i + 1].ts_ms)
            samples[kept++] = from[i];
    mem_free(spare);
    return kept;
}
