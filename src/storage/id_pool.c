#include "storage/id_pool.h"

#include "base/assert.h"
#include "base/mem.h"

enum { WORDS = ID_PAGE / 64, REUSE_USED_MAX = ID_PAGE / 4 * 3 };

struct id_page {
    uint64_t used_bits[WORDS];
    uint32_t used;
    bool listed; /* among the candidates */
};

void id_pool_init(struct id_pool *p, uint32_t id_max)
{
    ASSERT(id_max % ID_PAGE == 0 && id_max > 0);
    *p = (struct id_pool){.page_max = id_max / ID_PAGE};
}

void id_pool_fini(struct id_pool *p)
{
    mem_free(p->pages);
    mem_free(p->candidates);
    *p = (struct id_pool){.page_max = p->page_max};
}

size_t id_pool_bytes(const struct id_pool *p)
{
    return p->page_cap * sizeof(struct id_page) + p->candidate_cap * sizeof(uint32_t);
}

static bool page_is_full(const struct id_pool *p, uint32_t page)
{
    return page >= p->page_count || p->pages[page].used == ID_PAGE;
}

static void page_append(struct id_pool *p)
{
    if (p->page_count == p->page_cap) {
        p->page_cap = p->page_cap < 16 ? 16 : p->page_cap + p->page_cap / 2;
        p->pages = mem_resize(p->pages, p->page_cap, sizeof(struct id_page));
    }
    p->pages[p->page_count] = (struct id_page){.used = 0};
    p->current = p->page_count++;
    p->id_end += ID_PAGE;
}

/* With no page left to append, take whatever is free anywhere. */
static bool page_search(struct id_pool *p)
{
    for (uint32_t i = 0; i < p->page_count; i++) {
        if (!page_is_full(p, i)) {
            p->current = i;
            return true;
        }
    }
    return false;
}

static bool next_page(struct id_pool *p)
{
    while (p->candidate_count > 0) {
        p->current = p->candidates[--p->candidate_count];
        p->pages[p->current].listed = false;
        if (!page_is_full(p, p->current))
            return true;
    }
    if (p->page_count == p->page_max)
        return page_search(p);
    page_append(p);
    return true;
}

bool id_pool_take(struct id_pool *p, uint32_t *id)
{
    if (page_is_full(p, p->current) && !next_page(p))
        return false;
    struct id_page *page = &p->pages[p->current];
    uint32_t word = 0;
    while (page->used_bits[word] == UINT64_MAX)
        word++;
    uint32_t bit = (uint32_t)__builtin_ctzll(~page->used_bits[word]);
    page->used_bits[word] |= (uint64_t)1 << bit;
    page->used++;
    *id = p->current * ID_PAGE + word * 64 + bit;
    return true;
}

static void list(struct id_pool *p, uint32_t page)
{
    if (p->candidate_count == p->candidate_cap) {
        p->candidate_cap = p->candidate_cap < 16 ? 16 : p->candidate_cap * 2;
        p->candidates = mem_resize(p->candidates, p->candidate_cap, sizeof(uint32_t));
    }
    p->candidates[p->candidate_count++] = page;
    p->pages[page].listed = true;
}

bool id_pool_give(struct id_pool *p, uint32_t id)
{
    ASSERT(id < p->id_end && id_pool_used(p, id));
    uint32_t n = id / ID_PAGE;
    struct id_page *page = &p->pages[n];
    page->used_bits[id % ID_PAGE / 64] &= ~((uint64_t)1 << (id % 64));
    page->used--;
    if (page->used <= REUSE_USED_MAX && !page->listed && n != p->current)
        list(p, n);
    return page->used == 0;
}

bool id_pool_used(const struct id_pool *p, uint32_t id)
{
    return (id_pool_word(p, id / 64) >> (id % 64) & 1) != 0;
}

uint64_t id_pool_word(const struct id_pool *p, uint32_t word)
{
    return p->pages[word / WORDS].used_bits[word % WORDS];
}
