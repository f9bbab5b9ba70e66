#include "storage/symbols.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { PAIR_ARRAY_MIN = 4, HEAP_OVERHEAD = 8, HEAP_ROUND = 16, HEAP_MIN = 32 };

static uint64_t heap_size(size_t size)
{
    size_t n = (size + HEAP_OVERHEAD + HEAP_ROUND - 1) / HEAP_ROUND * HEAP_ROUND;
    return n < HEAP_MIN ? HEAP_MIN : n;
}

void symbols_init(struct symbols *s)
{
    *s = (struct symbols){.seed = hash_random_seed()};
    paged_init(&s->names, sizeof(struct symbol_name), SYMBOL_PAGE_BITS, SYMBOL_NAMES_MAX);
    paged_init(&s->pairs, sizeof(struct symbol_pair), SYMBOL_PAGE_BITS, SYMBOL_PAIRS_MAX);
    id_table_init(&s->name_table);
    id_table_init(&s->pair_table);
}

void symbols_fini(struct symbols *s)
{
    for (uint32_t i = 0; i < s->pair_end; i++) {
        struct symbol_pair *p = symbols_pair(s, i);
        mem_free((void *)(uintptr_t)p->value);
        idset_fini(&p->series);
    }
    for (uint32_t i = 0; i < s->name_end; i++) {
        mem_free((void *)(uintptr_t)symbols_name(s, i)->text);
        mem_free(symbols_name(s, i)->pairs);
    }
    id_table_fini(&s->name_table);
    id_table_fini(&s->pair_table);
    paged_fini(&s->names);
    paged_fini(&s->pairs);
}

static uint32_t name_tag(const struct symbols *s, str text)
{
    return (uint32_t)(hash64(str_bytes(text), s->seed) >> 32);
}

static uint32_t pair_tag(const struct symbols *s, uint32_t name, str value)
{
    uint64_t seed = s->seed ^ (uint64_t)(name + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash64(str_bytes(value), seed) >> 32);
}

static uint32_t find_name(const struct symbols *s, str text, uint32_t tag)
{
    struct id_cursor c;
    uint32_t id = id_table_first(&s->name_table, tag, &c);
    while (id != ID_NONE && !str_eq(symbols_text(symbols_name(s, id)), text))
        id = id_table_next(&s->name_table, tag, &c);
    return id;
}

static uint32_t find_pair(const struct symbols *s, uint32_t name, str value, uint32_t tag)
{
    struct id_cursor c;
    uint32_t id = id_table_first(&s->pair_table, tag, &c);
    for (; id != ID_NONE; id = id_table_next(&s->pair_table, tag, &c)) {
        const struct symbol_pair *p = symbols_pair(s, id);
        if (p->name == name && str_eq(symbols_value(p), value))
            break;
    }
    return id;
}

uint32_t symbols_find_name(const struct symbols *s, str text)
{
    return find_name(s, text, name_tag(s, text));
}

uint32_t symbols_find_pair(const struct symbols *s, uint32_t name, str value)
{
    return find_pair(s, name, value, pair_tag(s, name, value));
}

static const char *copy_text(struct symbols *s, str text)
{
    char *copy = mem_alloc(text.len > 0 ? text.len : 1);
    memcpy(copy, text.ptr, text.len);
    s->string_bytes += heap_size(text.len);
    return copy;
}

static void free_text(struct symbols *s, const char *text, size_t len)
{
    s->string_bytes -= heap_size(len);
    mem_free((void *)(uintptr_t)text);
}

static uint32_t take_name_id(struct symbols *s)
{
    uint32_t id = s->name_free - 1;
    if (s->name_free != 0) {
        s->name_free = symbols_name(s, id)->pair_count;
        return id;
    }
    id = s->name_end;
    if (id % (1U << SYMBOL_PAGE_BITS) == 0)
        paged_page_add(&s->names, id >> SYMBOL_PAGE_BITS);
    s->name_end++;
    return id;
}

static uint32_t take_pair_id(struct symbols *s)
{
    uint32_t id = s->pair_free - 1;
    if (s->pair_free != 0) {
        s->pair_free = symbols_pair(s, id)->slot;
        return id;
    }
    id = s->pair_end;
    if (id % (1U << SYMBOL_PAGE_BITS) == 0)
        paged_page_add(&s->pairs, id >> SYMBOL_PAGE_BITS);
    s->pair_end++;
    return id;
}

static uint32_t add_name(struct symbols *s, str text, uint32_t tag)
{
    uint32_t id = take_name_id(s);
    *symbols_name(s, id) =
        (struct symbol_name){.text = copy_text(s, text), .text_len = (uint32_t)text.len};
    id_table_add(&s->name_table, tag, id);
    s->name_count++;
    return id;
}

static void drop_name(struct symbols *s, uint32_t id)
{
    struct symbol_name *n = symbols_name(s, id);
    (void)id_table_remove(&s->name_table, name_tag(s, symbols_text(n)), id);
    if (n->pair_cap > 0)
        s->string_bytes -= heap_size(n->pair_cap * sizeof(uint32_t));
    mem_free(n->pairs);
    free_text(s, n->text, n->text_len);
    *n = (struct symbol_name){.pair_count = s->name_free};
    s->name_free = id + 1;
    s->name_count--;
}

/* Enter the pair into its name's list; returns its index there. */
static uint32_t name_attach(struct symbols *s, uint32_t name, uint32_t pair)
{
    struct symbol_name *n = symbols_name(s, name);
    if (n->pair_count == n->pair_cap) {
        uint32_t cap =
            n->pair_cap < PAIR_ARRAY_MIN ? PAIR_ARRAY_MIN : n->pair_cap + n->pair_cap / 2;
        if (n->pair_cap > 0)
            s->string_bytes -= heap_size(n->pair_cap * sizeof(uint32_t));
        n->pairs = mem_resize(n->pairs, cap, sizeof(uint32_t));
        n->pair_cap = cap;
        s->string_bytes += heap_size(cap * sizeof(uint32_t));
    }
    n->pairs[n->pair_count] = pair;
    return n->pair_count++;
}

static void name_detach(struct symbols *s, uint32_t name, uint32_t slot)
{
    struct symbol_name *n = symbols_name(s, name);
    uint32_t moved = n->pairs[--n->pair_count];
    n->pairs[slot] = moved;
    symbols_pair(s, moved)->slot = slot;
    if (n->pair_count == 0)
        drop_name(s, name);
}

static bool pair_is(const struct symbols *s, uint32_t pair, struct label l)
{
    if (pair >= s->pair_end || symbols_pair(s, pair)->refs == 0)
        return false;
    const struct symbol_pair *p = symbols_pair(s, pair);
    return str_eq(symbols_value(p), l.value) &&
           str_eq(symbols_text(symbols_name(s, p->name)), l.name);
}

static bool is_full(const struct symbols *s, uint32_t name)
{
    bool pairs = s->pair_free == 0 && s->pair_end == SYMBOL_PAIRS_MAX;
    bool names = s->name_free == 0 && s->name_end == SYMBOL_NAMES_MAX;
    return pairs || (names && name == ID_NONE);
}

static uint32_t add_pair(struct symbols *s, uint32_t name, str value)
{
    uint32_t id = take_pair_id(s);
    *symbols_pair(s, id) = (struct symbol_pair){.value = copy_text(s, value),
                                                .value_len = (uint32_t)value.len,
                                                .name = name,
                                                .refs = 1,
                                                .slot = name_attach(s, name, id)};
    id_table_add(&s->pair_table, pair_tag(s, name, value), id);
    s->pair_count++;
    return id;
}

err symbols_acquire(struct symbols *s, struct label l, uint32_t guess, uint32_t *pair)
{
    uint32_t found = ID_NONE, name = ID_NONE, tag = 0;
    if (pair_is(s, guess, l)) {
        found = guess;
    } else {
        tag = name_tag(s, l.name);
        name = find_name(s, l.name, tag);
        if (name != ID_NONE)
            found = symbols_find_pair(s, name, l.value);
    }
    if (found != ID_NONE) {
        symbols_pair(s, found)->refs++;
        *pair = found;
        return OK;
    }
    if (is_full(s, name) || l.name.len > UINT32_MAX || l.value.len > UINT32_MAX)
        return ERR_LIMIT;
    if (name == ID_NONE)
        name = add_name(s, l.name, tag);
    *pair = add_pair(s, name, l.value);
    return OK;
}

void symbols_again(struct symbols *s, uint32_t pair)
{
    ASSERT(symbols_pair(s, pair)->refs > 0);
    symbols_pair(s, pair)->refs++;
}

void symbols_release(struct symbols *s, uint32_t pair)
{
    struct symbol_pair *p = symbols_pair(s, pair);
    ASSERT(p->refs > 0);
    if (--p->refs > 0)
        return;
    ASSERT(p->series.count == 0);
    (void)id_table_remove(&s->pair_table, pair_tag(s, p->name, symbols_value(p)), pair);
    name_detach(s, p->name, p->slot);
    free_text(s, p->value, p->value_len);
    idset_fini(&p->series);
    *p = (struct symbol_pair){.slot = s->pair_free};
    s->pair_free = pair + 1;
    s->pair_count--;
}

size_t symbols_bytes(const struct symbols *s)
{
    return s->names.page_count * s->names.page_size + s->pairs.page_count * s->pairs.page_size +
           s->string_bytes;
}

size_t symbols_table_bytes(const struct symbols *s)
{
    return id_table_bytes(&s->name_table) + id_table_bytes(&s->pair_table);
}
