/* posting_builder.c -- see posting_builder.h. A hash table of keys; the ids of a key are
 * differences as varints in a chain of blocks that double in size. */
#include "storage/posting_builder.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"

enum {
    SEGMENT_SIZE = 1 << 20, /* bytes of the pool at a time */
    UNIT = 8,               /* bytes; blocks are addressed in units */
    BLOCK_SIZE_MIN = 16,    /* with the header */
    BLOCK_SIZE_MAX = 4096,
    BLOCK_HEADER = 8,
    SLOTS_MIN = 1024,
    NO_BLOCK = 0, /* the first unit of the pool is not used */
};

struct slot {
    uint64_t key;
    uint32_t count, first, last; /* ids */
    uint32_t head, tail;         /* blocks */
    uint16_t used, size;         /* bytes of the last block */
};

struct posting_builder {
    struct slot *slots;
    size_t slot_count, slot_cap;
    uint32_t *table; /* index into slots + 1; 0: free */
    size_t table_size;
    uint8_t **segments;
    size_t segment_count, segment_cap;
    size_t segment_used; /* bytes of the last one */
};

struct posting_builder *posting_builder_new(void)
{
    struct posting_builder *b = mem_zalloc(1, sizeof(*b));
    b->table_size = SLOTS_MIN;
    b->table = mem_zalloc(b->table_size, sizeof(*b->table));
    b->segment_used = SEGMENT_SIZE;
    return b;
}

void posting_builder_free(struct posting_builder *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->segment_count; i++)
        mem_free(b->segments[i]);
    mem_free(b->segments);
    mem_free(b->slots);
    mem_free(b->table);
    mem_free(b);
}

static size_t hash_key(uint64_t key)
{
    key ^= key >> 32;
    key *= UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(key ^ key >> 32);
}

static void grow_table(struct posting_builder *b)
{
    mem_free(b->table);
    b->table_size *= 2;
    b->table = mem_zalloc(b->table_size, sizeof(*b->table));
    for (size_t i = 0; i < b->slot_count; i++) {
        size_t at = hash_key(b->slots[i].key) & (b->table_size - 1);
        while (b->table[at] != 0)
            at = (at + 1) & (b->table_size - 1);
        b->table[at] = (uint32_t)i + 1;
    }
}

/* The slot of `key`; a new one has count 0. */
static struct slot *find_slot(struct posting_builder *b, uint64_t key)
{
    size_t at = hash_key(key) & (b->table_size - 1);
    for (; b->table[at] != 0; at = (at + 1) & (b->table_size - 1)) {
        if (b->slots[b->table[at] - 1].key == key)
            return &b->slots[b->table[at] - 1];
    }
    if (b->slot_count == b->slot_cap) {
        b->slot_cap = MAX(b->slot_cap * 2, (size_t)SLOTS_MIN);
        b->slots = mem_resize(b->slots, b->slot_cap, sizeof(*b->slots));
    }
    struct slot *s = &b->slots[b->slot_count++];
    *s = (struct slot){.key = key};
    b->table[at] = (uint32_t)b->slot_count;
    if (b->slot_count * 2 > b->table_size)
        grow_table(b);
    return s;
}

static uint8_t *block_at(const struct posting_builder *b, uint32_t ref)
{
    uint64_t pos = (uint64_t)ref * UNIT;
    return b->segments[pos / SEGMENT_SIZE] + pos % SEGMENT_SIZE;
}

/* Header of a block: u32 next, u16 bytes used (of a full one). */
static uint32_t new_block(struct posting_builder *b, size_t size)
{
    if (b->segment_used + size > SEGMENT_SIZE) {
        if (b->segment_count == b->segment_cap) {
            b->segment_cap = MAX(b->segment_cap * 2, (size_t)16);
            b->segments = mem_resize(b->segments, b->segment_cap, sizeof(*b->segments));
        }
        b->segment_used = b->segment_count == 0 ? UNIT : 0;
        b->segments[b->segment_count++] = mem_alloc(SEGMENT_SIZE);
    }
    uint64_t pos = (uint64_t)(b->segment_count - 1) * SEGMENT_SIZE + b->segment_used;
    b->segment_used += size;
    ASSERT(pos / UNIT <= UINT32_MAX);
    uint32_t ref = (uint32_t)(pos / UNIT);
    memset(block_at(b, ref), 0, BLOCK_HEADER);
    return ref;
}

/* Chain a block of twice the last one's size. */
static void add_block(struct posting_builder *b, struct slot *s)
{
    size_t size = s->tail == NO_BLOCK ? (size_t)BLOCK_SIZE_MIN
                                      : MIN((size_t)s->size * 2, (size_t)BLOCK_SIZE_MAX);
    uint32_t ref = new_block(b, size);
    if (s->tail == NO_BLOCK) {
        s->head = ref;
    } else {
        uint8_t *tail = block_at(b, s->tail);
        store_u32(tail, ref);
        store_u16(tail + 4, s->used);
    }
    s->tail = ref;
    s->size = (uint16_t)size;
    s->used = BLOCK_HEADER;
}

void posting_builder_add(struct posting_builder *b, uint64_t key, uint32_t id)
{
    struct slot *s = find_slot(b, key);
    if (s->count == 0) {
        s->first = s->last = id;
        s->count = 1;
        return;
    }
    ASSERT(id >= s->last);
    if (id == s->last)
        return;
    uint8_t bytes[VARINT_SIZE_MAX];
    size_t n = (size_t)(varint_put(bytes, id - s->last) - bytes);
    if (s->tail == NO_BLOCK || s->used + n > s->size)
        add_block(b, s);
    memcpy(block_at(b, s->tail) + s->used, bytes, n);
    s->used = (uint16_t)(s->used + n);
    s->last = id;
    s->count++;
}

static void read_ids(const struct posting_builder *b, const struct slot *s, uint32_t *ids)
{
    size_t n = 0;
    uint32_t id = s->first;
    ids[n++] = id;
    for (uint32_t ref = s->head; ref != NO_BLOCK;) {
        const uint8_t *block = block_at(b, ref);
        size_t used = ref == s->tail ? s->used : load_u16(block + 4);
        struct reader r = reader_of((slice){block + BLOCK_HEADER, used - BLOCK_HEADER});
        while (reader_left(&r) > 0) {
            id += (uint32_t)read_varint(&r);
            ids[n++] = id;
        }
        ref = ref == s->tail ? NO_BLOCK : load_u32(block);
    }
    ASSERT(n == s->count);
}

static int by_key(const void *a, const void *b)
{
    const struct slot *x = *(const struct slot *const *)a, *y = *(const struct slot *const *)b;
    return (x->key > y->key) - (x->key < y->key);
}

err posting_builder_each(const struct posting_builder *b, posting_fn fn, void *arg)
{
    const struct slot **order = mem_resize(NULL, b->slot_count, sizeof(*order));
    uint32_t *ids = NULL, room = 0;
    for (size_t i = 0; i < b->slot_count; i++)
        order[i] = &b->slots[i];
    qsort((void *)order, b->slot_count, sizeof(*order), by_key);
    err e = OK;
    for (size_t i = 0; i < b->slot_count && e == OK; i++) {
        if (order[i]->count > room) {
            room = MAX(order[i]->count, room < UINT32_MAX / 2 ? room * 2 : room);
            ids = mem_resize(ids, room, sizeof(*ids));
        }
        read_ids(b, order[i], ids);
        e = fn(arg, order[i]->key, ids, order[i]->count);
    }
    mem_free(ids);
    mem_free((void *)order);
    return e;
}
