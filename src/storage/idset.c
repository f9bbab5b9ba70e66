#include "storage/idset.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

struct idset_block {
    uint32_t *ids; /* room for IDSET_BLOCK, at least one */
    uint32_t count;
    uint32_t last; /* ids[count - 1] */
};

struct idset_blocks {
    uint32_t count, cap;
    struct idset_block block[];
};

enum {
    BLOCK_BYTES = IDSET_BLOCK * sizeof(uint32_t),
    DIRECTORY_CAP_MIN = 4,
    NEAR = 4, /* ids looked at one by one before searching */
};

static size_t directory_size(uint32_t cap)
{
    return sizeof(struct idset_blocks) + cap * sizeof(struct idset_block);
}

/* A set of any form as a list of blocks. */
static uint32_t view_count(const struct idset *s)
{
    return s->cap > IDSET_BLOCK ? s->at.blocks->count : 1;
}

static const uint32_t *view(const struct idset *s, uint32_t i, uint32_t *count)
{
    if (s->cap > IDSET_BLOCK) {
        *count = s->at.blocks->block[i].count;
        return s->at.blocks->block[i].ids;
    }
    *count = s->count;
    return s->cap == 0 ? s->at.few : s->at.ids;
}

void idset_fini(struct idset *s)
{
    if (s->cap > IDSET_BLOCK) {
        for (uint32_t i = 0; i < s->at.blocks->count; i++)
            mem_free(s->at.blocks->block[i].ids);
        mem_free(s->at.blocks);
    } else if (s->cap > 0) {
        mem_free(s->at.ids);
    }
    *s = (struct idset){.count = 0};
}

size_t idset_bytes(const struct idset *s)
{
    if (s->cap > IDSET_BLOCK)
        return directory_size(s->at.blocks->cap) + (size_t)s->at.blocks->count * BLOCK_BYTES;
    return s->cap * sizeof(uint32_t);
}

/* First index in ids[from..count) whose id is not below `id`; doubling steps, then halving. */
static uint32_t lower_bound(const uint32_t *ids, uint32_t from, uint32_t count, uint32_t id)
{
    uint32_t step = 1, low = from;
    while (from + step < count && ids[from + step] < id) {
        low = from + step;
        step *= 2;
    }
    uint32_t high = from + step < count ? from + step : count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (ids[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Put `id` into its place among ids[0..*count), which has room; false if it is there. */
static bool insert(uint32_t *ids, uint32_t *count, uint32_t id)
{
    uint32_t n = *count, i = n;
    if (n > 0 && ids[n - 1] >= id) {
        i = lower_bound(ids, 0, n, id);
        if (ids[i] == id)
            return false;
        memmove(ids + i + 1, ids + i, (n - i) * sizeof(uint32_t));
    }
    ids[i] = id;
    *count = n + 1;
    return true;
}

static uint32_t array_cap_for(uint32_t count)
{
    uint32_t cap = count < 32 ? 4 : 32;
    while (cap < count)
        cap += cap < 32 ? cap : cap / 2;
    return cap < IDSET_BLOCK ? cap : IDSET_BLOCK;
}

/* Turn a full array into the first of a list of blocks. */
static void to_blocks(struct idset *s)
{
    struct idset_blocks *b = mem_alloc(directory_size(DIRECTORY_CAP_MIN));
    b->count = 1;
    b->cap = DIRECTORY_CAP_MIN;
    b->block[0] = (struct idset_block){s->at.ids, s->count, s->at.ids[s->count - 1]};
    s->at.blocks = b;
    s->cap = UINT32_MAX;
}

/* Make room for one more id in a set that is not in blocks; may turn it into blocks. */
static void array_grow(struct idset *s)
{
    if (s->cap == IDSET_BLOCK) {
        to_blocks(s);
        return;
    }
    uint32_t cap = array_cap_for(s->count + 1);
    uint32_t *ids = mem_resize(s->cap > 0 ? s->at.ids : NULL, cap, sizeof(uint32_t));
    if (s->cap == 0)
        memcpy(ids, s->at.few, s->count * sizeof(uint32_t));
    s->at.ids = ids;
    s->cap = cap;
}

/* A new block at index `i`, with room for IDSET_BLOCK ids and none in it. */
static struct idset_block *block_add(struct idset *s, uint32_t i)
{
    struct idset_blocks *b = s->at.blocks;
    if (b->count == b->cap) {
        uint32_t cap = b->cap + b->cap / 2;
        b = mem_resize(b, 1, directory_size(cap));
        b->cap = cap;
        s->at.blocks = b;
    }
    memmove(&b->block[i + 1], &b->block[i], (b->count - i) * sizeof(b->block[0]));
    b->count++;
    b->block[i] = (struct idset_block){mem_alloc(BLOCK_BYTES), 0, 0};
    return &b->block[i];
}

/* The block that `id` belongs to: the first whose last id is not below it, else the last. */
static uint32_t block_find(const struct idset_blocks *b, uint32_t from, uint32_t id)
{
    uint32_t low = from, high = b->count - 1;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (b->block[mid].last < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void block_split(struct idset *s, uint32_t i)
{
    enum { HALF = IDSET_BLOCK / 2 };
    struct idset_block *right = block_add(s, i + 1), *left = right - 1;
    memcpy(right->ids, left->ids + HALF, BLOCK_BYTES / 2);
    right->count = HALF;
    right->last = left->last;
    left->count = HALF;
    left->last = left->ids[HALF - 1];
}

static void blocks_add(struct idset *s, uint32_t id)
{
    uint32_t last = s->at.blocks->count - 1;
    struct idset_block *b = &s->at.blocks->block[last];
    if (b->last >= id) {
        uint32_t i = block_find(s->at.blocks, 0, id);
        b = &s->at.blocks->block[i];
        if (b->count == IDSET_BLOCK) {
            block_split(s, i);
            b = &s->at.blocks->block[i];
            b += b->last < id;
        }
    } else if (b->count == IDSET_BLOCK) {
        b = block_add(s, last + 1);
    }
    if (insert(b->ids, &b->count, id)) {
        b->last = b->ids[b->count - 1];
        s->count++;
    }
}

size_t idset_add(struct idset *s, uint32_t id)
{
    if (LIKELY(s->cap > IDSET_BLOCK)) {
        struct idset_blocks *b = s->at.blocks;
        struct idset_block *last = &b->block[b->count - 1];
        if (LIKELY(last->last < id && last->count < IDSET_BLOCK)) {
            last->ids[last->count++] = id;
            last->last = id;
            s->count++;
            return 0;
        }
    }
    size_t before = idset_bytes(s);
    if (s->count == (s->cap == 0 ? IDSET_INLINE : s->cap))
        array_grow(s);
    if (s->cap > IDSET_BLOCK)
        blocks_add(s, id);
    else
        (void)insert(s->cap == 0 ? s->at.few : s->at.ids, &s->count, id);
    return idset_bytes(s) - before;
}

static bool bit_is_set(const uint64_t *bitmap, uint32_t id_end, uint32_t id)
{
    return id < id_end && (bitmap[id / 64] >> (id % 64) & 1) != 0;
}

static uint32_t array_remove(uint32_t *ids, uint32_t count, const uint64_t *bitmap, uint32_t id_end)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        ids[kept] = ids[i];
        kept += !bit_is_set(bitmap, id_end, ids[i]);
    }
    return kept;
}

/* Write what stays into the blocks from the first on: the writing place never passes the reading
 * one. */
static void blocks_remove(struct idset *s, const uint64_t *bitmap, uint32_t id_end)
{
    struct idset_blocks *b = s->at.blocks;
    uint32_t to = 0, filled = 0;
    s->count = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t count = b->block[i].count;
        for (uint32_t k = 0; k < count; k++) {
            uint32_t id = b->block[i].ids[k];
            if (bit_is_set(bitmap, id_end, id))
                continue;
            if (filled == IDSET_BLOCK) {
                b->block[to++].count = filled;
                filled = 0;
            }
            b->block[to].ids[filled++] = id;
            b->block[to].last = id;
            if (filled == IDSET_BLOCK)
                b->block[to].count = filled;
            s->count++;
        }
    }
    b->block[to].count = filled;
    for (uint32_t i = to + 1; i < b->count; i++)
        mem_free(b->block[i].ids);
    b->count = to + 1;
}

/* Take the smaller form when little is left. */
static void shrink(struct idset *s)
{
    if (s->cap > IDSET_BLOCK && s->at.blocks->count == 1) {
        struct idset_blocks *b = s->at.blocks;
        s->at.ids = b->block[0].ids;
        s->cap = IDSET_BLOCK;
        mem_free(b);
    }
    if (s->cap == 0 || s->cap > IDSET_BLOCK)
        return;
    if (s->count <= IDSET_INLINE) {
        uint32_t *ids = s->at.ids, few[IDSET_INLINE] = {0};
        memcpy(few, ids, s->count * sizeof(uint32_t));
        mem_free(ids);
        memcpy(s->at.few, few, sizeof(few));
        s->cap = 0;
    } else if (array_cap_for(s->count) < s->cap / 2) {
        s->cap = array_cap_for(s->count);
        s->at.ids = mem_resize(s->at.ids, s->cap, sizeof(uint32_t));
    }
}

void idset_remove(struct idset *s, const uint64_t *bitmap, uint32_t id_end)
{
    if (s->cap > IDSET_BLOCK)
        blocks_remove(s, bitmap, id_end);
    else
        s->count = array_remove(s->cap == 0 ? s->at.few : s->at.ids, s->count, bitmap, id_end);
    shrink(s);
}

void idset_copy(const struct idset *s, uint32_t *out)
{
    for (uint32_t i = 0; i < view_count(s); i++) {
        uint32_t n;
        const uint32_t *ids = view(s, i, &n);
        memcpy(out, ids, n * sizeof(uint32_t));
        out += n;
    }
}

/* A walk through the set along ascending ids. */
struct walk {
    const struct idset *s;
    const uint32_t *have; /* of the block; NULL: past the last */
    uint32_t block, at, count;
};

static struct walk walk_of(const struct idset *s)
{
    struct walk w = {.s = s};
    if (s->count > 0)
        w.have = view(s, 0, &w.count);
    return w;
}

static bool walk_has(struct walk *w, uint32_t id)
{
    if (w->have == NULL)
        return false;
    if (w->have[w->count - 1] < id) {
        if (w->s->cap > IDSET_BLOCK) {
            w->block = block_find(w->s->at.blocks, w->block, id);
            w->have = view(w->s, w->block, &w->count);
            w->at = 0;
        }
        if (w->have[w->count - 1] < id) {
            w->have = NULL;
            return false;
        }
    }
    for (unsigned i = 0; i < NEAR && w->have[w->at] < id; i++)
        w->at++; /* stays in the block, whose last id is not below `id` */
    if (w->have[w->at] < id)
        w->at = lower_bound(w->have, w->at, w->count, id);
    return w->have[w->at] == id;
}

size_t idset_intersect(const struct idset *s, uint32_t *ids, size_t count)
{
    struct walk w = walk_of(s);
    size_t kept = 0;
    for (size_t i = 0; i < count && w.have != NULL; i++) {
        uint32_t id = ids[i];
        ids[kept] = id;
        kept += walk_has(&w, id);
    }
    return kept;
}

size_t idset_subtract(const struct idset *s, uint32_t *ids, size_t count)
{
    struct walk w = walk_of(s);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t id = ids[i];
        ids[kept] = id;
        kept += !walk_has(&w, id);
    }
    return kept;
}

void idset_mark(const struct idset *s, uint64_t *bitmap)
{
    for (uint32_t i = 0; i < view_count(s); i++) {
        uint32_t n;
        const uint32_t *ids = view(s, i, &n);
        for (uint32_t k = 0; k < n; k++)
            bitmap[ids[k] / 64] |= (uint64_t)1 << (ids[k] % 64);
    }
}

bool idset_meets(const struct idset *s, const uint64_t *bitmap)
{
    for (uint32_t i = 0; s->count > 0 && i < view_count(s); i++) {
        uint32_t n;
        const uint32_t *ids = view(s, i, &n);
        for (uint32_t k = 0; k < n; k++)
            if ((bitmap[ids[k] / 64] >> (ids[k] % 64) & 1) != 0)
                return true;
    }
    return false;
}

void idset_prefetch(const struct idset *s)
{
    if (s->cap > IDSET_BLOCK)
        __builtin_prefetch(s->at.blocks);
    else if (s->cap > 0)
        __builtin_prefetch(s->at.ids);
}
