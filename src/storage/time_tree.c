#include "storage/time_tree.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"

enum { PAGE_BITS = 7, PAGE = 1 << PAGE_BITS, OFFSETS_MIN = 8 };

struct time_column {
    int64_t base_ms;   /* the first time */
    uint32_t *offsets; /* from base_ms; offsets[0] == 0 */
    uint32_t count, cap;
    struct time_pos parent;
};

static struct time_column *column_at(const struct time_tree *t, uint32_t id)
{
    return &t->pages[id >> PAGE_BITS][id & (PAGE - 1)];
}

static uint32_t column_add(struct time_tree *t)
{
    uint32_t id = t->column_count, page = id >> PAGE_BITS;
    ASSERT(id < UINT32_MAX);
    if (id % PAGE == 0) {
        if (page == t->page_cap) {
            t->page_cap = t->page_cap < 8 ? 8 : t->page_cap * 2;
            t->pages = mem_resize(t->pages, t->page_cap, sizeof(t->pages[0]));
        }
        t->pages[page] = mem_zalloc(PAGE, sizeof(struct time_column));
        t->bytes += PAGE * sizeof(struct time_column);
    }
    t->column_count++;
    return id;
}

void time_tree_init(struct time_tree *t)
{
    *t = (struct time_tree){.seed = hash_random_seed()};
    id_table_init(&t->children);
    (void)column_add(t);
    /* No series stands at {root, 1}: this remembered advance matches none. */
    t->from = (struct time_pos){TIME_ROOT, 1};
}

void time_tree_fini(struct time_tree *t)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        mem_free(column_at(t, i)->offsets);
    for (uint32_t i = 0; i < t->column_count; i += PAGE)
        mem_free(t->pages[i >> PAGE_BITS]);
    mem_free(t->pages);
    id_table_fini(&t->children);
    *t = (struct time_tree){.ts_ms = 0};
}

size_t time_tree_bytes(const struct time_tree *t)
{
    return t->bytes + t->page_cap * sizeof(t->pages[0]) + id_table_bytes(&t->children);
}

static void push(struct time_tree *t, struct time_column *c, uint32_t offset)
{
    if (c->count == c->cap) {
        uint32_t cap = c->cap < OFFSETS_MIN ? OFFSETS_MIN : c->cap + c->cap / 2;
        t->bytes += (cap - c->cap) * sizeof(uint32_t);
        c->offsets = mem_resize(c->offsets, cap, sizeof(uint32_t));
        c->cap = cap;
    }
    c->offsets[c->count++] = offset;
}

static uint32_t child_tag(const struct time_tree *t, struct time_pos at, int64_t ts_ms)
{
    uint8_t key[16];
    store_u32(key, at.column);
    store_u32(key + 4, at.pos);
    store_u64(key + 8, (uint64_t)ts_ms);
    return (uint32_t)(hash64((slice){key, sizeof(key)}, t->seed) >> 32);
}

/* The child that branches off at `at` with `ts_ms`; made if there is none. */
static struct time_pos branch(struct time_tree *t, struct time_pos at, int64_t ts_ms)
{
    struct id_cursor search;
    uint32_t tag = child_tag(t, at, ts_ms), id = id_table_first(&t->children, tag, &search);
    for (; id != ID_NONE; id = id_table_next(&t->children, tag, &search)) {
        const struct time_column *c = column_at(t, id);
        if (c->parent.column == at.column && c->parent.pos == at.pos && c->base_ms == ts_ms)
            return (struct time_pos){id, 1};
    }
    id = column_add(t);
    struct time_column *c = column_at(t, id);
    c->base_ms = ts_ms;
    c->parent = at;
    push(t, c, 0);
    id_table_add(&t->children, tag, id);
    return (struct time_pos){id, 1};
}

static struct time_pos advance(struct time_tree *t, struct time_pos at, int64_t ts_ms)
{
    struct time_column *c = column_at(t, at.column);
    if (at.column == TIME_ROOT)
        return branch(t, at, ts_ms);
    /* Unsigned: the distance of any two times is right, also beyond INT64_MAX. */
    uint64_t offset = (uint64_t)ts_ms - (uint64_t)c->base_ms;
    if (at.pos < c->count ? offset != c->offsets[at.pos] : offset > UINT32_MAX)
        return branch(t, at, ts_ms);
    if (at.pos == c->count)
        push(t, c, (uint32_t)offset);
    return (struct time_pos){at.column, at.pos + 1};
}

struct time_pos time_tree_advance_slow(struct time_tree *t, struct time_pos at, int64_t ts_ms)
{
    t->from = at;
    t->ts_ms = ts_ms;
    t->to = advance(t, at, ts_ms);
    return t->to;
}

uint32_t time_tree_count(const struct time_tree *t, struct time_pos at)
{
    uint32_t count = 0;
    for (; at.column != TIME_ROOT; at = column_at(t, at.column)->parent)
        count += at.pos;
    return count;
}

void time_tree_read(const struct time_tree *t, struct time_pos at, uint32_t count, int64_t *out)
{
    for (; at.column != TIME_ROOT; at = column_at(t, at.column)->parent) {
        const struct time_column *c = column_at(t, at.column);
        ASSERT(at.pos <= count && at.pos <= c->count);
        count -= at.pos;
        for (uint32_t i = 0; i < at.pos; i++)
            out[count + i] = (int64_t)((uint64_t)c->base_ms + c->offsets[i]);
    }
    ASSERT(count == 0);
}
