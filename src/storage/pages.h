/* pages.h -- memory straight from the kernel, and arrays made of pages that never move.
 *
 * A paged array has a fixed directory, reserved as address space only, so that an element's address
 * can be computed without a lock by anyone who knows that its page exists (because it learned of
 * the index under a lock that the page's maker held, too). */
#ifndef STORAGE_PAGES_H
#define STORAGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `size` > 0 zeroed bytes (rounded up to 4096), taken when touched; 2 MB and more are aligned to 2
 * MB and may be backed by huge pages. Aborts when the system refuses. Free with pages_unmap() and
 * the same size. */
void *pages_map(size_t size);
/* The same, never backed by huge pages: for memory of which only a little will be touched. */
void *pages_reserve(size_t size);
void pages_unmap(void *p, size_t size); /* NULL is allowed */

struct paged { /* fields are private but for page_count */
    uint8_t **pages;
    size_t page_count; /* that exist */
    size_t page_max;   /* entries of the directory */
    size_t page_size;
    uint32_t item_size;
    uint32_t page_bits; /* items of a page: 1 << page_bits */
};

/* An array of at most `item_max` items of `item_size` bytes, 1 << page_bits in a page. No page
 * exists yet. */
void paged_init(struct paged *a, size_t item_size, uint32_t page_bits, size_t item_max);
/* Free the directory and the pages that paged_page_add() made. */
void paged_fini(struct paged *a);

/* Make the zeroed page number `page`; give it back to the system. */
void paged_page_add(struct paged *a, size_t page);
void paged_page_drop(struct paged *a, size_t page);

static inline bool paged_has_page(const struct paged *a, size_t page)
{
    return page < a->page_max && a->pages[page] != NULL;
}

/* Item `i`. Requires that its page exists. */
static inline void *paged_at(const struct paged *a, size_t i)
{
    return a->pages[i >> a->page_bits] + (i & (((size_t)1 << a->page_bits) - 1)) * a->item_size;
}

#endif
