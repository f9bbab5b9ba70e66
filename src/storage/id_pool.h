/* id_pool.h -- which series ids are in use, by pages of 1024.
 *
 * Ids are given out in ascending order within a page, so that what is created together has
 * neighbouring ids. A page whose ids were freed is used again only when a quarter of it is free:
 * then those, too, lie close. Threads: caller's lock. */
#ifndef STORAGE_ID_POOL_H
#define STORAGE_ID_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum { ID_PAGE_BITS = 10, ID_PAGE = 1 << ID_PAGE_BITS };

struct id_page;

struct id_pool { /* fields are private but for id_end */
    struct id_page *pages;
    uint32_t page_count, page_cap, page_max;
    uint32_t current;     /* the page that ids are taken from */
    uint32_t *candidates; /* pages to go on with, each at most once */
    uint32_t candidate_count, candidate_cap;
    uint32_t id_end; /* all ids in use are below: page_count pages */
};

/* A pool of `id_max` ids, a multiple of ID_PAGE. */
void id_pool_init(struct id_pool *p, uint32_t id_max);
void id_pool_fini(struct id_pool *p);

/* Take an id; false when all are in use. */
MUST_USE bool id_pool_take(struct id_pool *p, uint32_t *id);

/* Give back an id that is in use; true when none of its page is in use any more. */
bool id_pool_give(struct id_pool *p, uint32_t id);

/* Is the id in use? Requires id < id_end. */
bool id_pool_used(const struct id_pool *p, uint32_t id);

/* Bit k set: id `word` * 64 + k is in use. Requires word < id_end / 64. */
uint64_t id_pool_word(const struct id_pool *p, uint32_t word);

size_t id_pool_bytes(const struct id_pool *p);

#endif
