/* digest_map.c -- see digest_map.h. Set-associative, as a cache is; doubles until its bound. */
#include "storage/digest_map.h"

#include "base/mem.h"

enum {
    WAYS = 4,
    SETS_MIN = 64,
};

struct digest_entry {
    hash128 key;
    uint64_t number; /* value + 1; 0: free */
};

void digest_map_init(struct digest_map *m, size_t count_max)
{
    *m = (struct digest_map){.set_count = SETS_MIN, .set_count_max = count_max / WAYS};
    m->entries = mem_zalloc((size_t)SETS_MIN * WAYS, sizeof(*m->entries));
}

void digest_map_fini(struct digest_map *m)
{
    mem_free(m->entries);
    *m = (struct digest_map){0};
}

static struct digest_entry *set_of(const struct digest_map *m, hash128 key)
{
    return m->entries + (key.hi & (m->set_count - 1)) * WAYS;
}

bool digest_map_find(const struct digest_map *m, hash128 key, uint64_t *value)
{
    const struct digest_entry *e = set_of(m, key);
    for (int i = 0; i < WAYS; i++) {
        if (e[i].number != 0 && hash128_eq(e[i].key, key)) {
            *value = e[i].number - 1;
            return true;
        }
    }
    return false;
}

static void place(struct digest_map *m, hash128 key, uint64_t number)
{
    struct digest_entry *e = set_of(m, key);
    for (int i = 0; i < WAYS; i++) {
        if (e[i].number == 0) {
            e[i] = (struct digest_entry){key, number};
            m->used++;
            return;
        }
    }
    e[m->victim++ % WAYS] = (struct digest_entry){key, number};
}

static void grow(struct digest_map *m)
{
    struct digest_map old = *m;
    m->set_count *= 2;
    m->used = 0;
    m->entries = mem_zalloc(m->set_count * WAYS, sizeof(*m->entries));
    for (size_t i = 0; i < old.set_count * WAYS; i++) {
        if (old.entries[i].number != 0)
            place(m, old.entries[i].key, old.entries[i].number);
    }
    mem_free(old.entries);
}

void digest_map_put(struct digest_map *m, hash128 key, uint64_t value)
{
    if (m->used * 2 >= m->set_count * WAYS && m->set_count < m->set_count_max)
        grow(m);
    place(m, key, value + 1);
}
