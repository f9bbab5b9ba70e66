#include "storage/pages.h"

#include <sys/mman.h>

#include "base/assert.h"

enum { HUGE_SIZE = 2 << 20, SMALL_SIZE = 4096 };

static size_t rounded(size_t size)
{
    ASSERT(size > 0 && size < SIZE_MAX - 2 * (size_t)HUGE_SIZE);
    return (size + SMALL_SIZE - 1) & ~((size_t)SMALL_SIZE - 1);
}

static uint8_t *map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    ASSERT(p != MAP_FAILED);
    return p;
}

static void unmap(uint8_t *p, size_t size)
{
    if (size > 0)
        ASSERT(munmap(p, size) == 0);
}

void *pages_map(size_t size)
{
    size = rounded(size);
    if (size < HUGE_SIZE)
        return map(size);
    /* Cut an aligned piece out of a larger one. */
    uint8_t *p = map(size + HUGE_SIZE);
    size_t before = (size_t)(-(uintptr_t)p & (HUGE_SIZE - 1));
    unmap(p, before);
    unmap(p + before + size, HUGE_SIZE - before);
    madvise(p + before, size, MADV_HUGEPAGE); /* a hint: kernels without it say no */
    return p + before;
}

void *pages_reserve(size_t size)
{
    return map(rounded(size));
}

void pages_unmap(void *p, size_t size)
{
    if (p != NULL)
        unmap(p, rounded(size));
}

void paged_init(struct paged *a, size_t item_size, uint32_t page_bits, size_t item_max)
{
    ASSERT(item_size > 0 && page_bits < 32);
    size_t page_max = ((item_max - 1) >> page_bits) + 1;
    *a = (struct paged){.pages = pages_reserve(page_max * sizeof(uint8_t *)),
                        .page_max = page_max,
                        .page_size = item_size << page_bits,
                        .item_size = (uint32_t)item_size,
                        .page_bits = page_bits};
}

void paged_fini(struct paged *a)
{
    if (a->pages == NULL)
        return;
    /* A directory entry that was never touched lies on a page of zeros: reading it costs no memory.
     */
    for (size_t i = 0; i < a->page_max; i++)
        paged_page_drop(a, i);
    pages_unmap(a->pages, a->page_max * sizeof(uint8_t *));
    a->pages = NULL;
}

void paged_page_add(struct paged *a, size_t page)
{
    ASSERT(page < a->page_max && a->pages[page] == NULL);
    a->pages[page] = pages_map(a->page_size);
    a->page_count++;
}

void paged_page_drop(struct paged *a, size_t page)
{
    if (a->pages[page] == NULL)
        return;
    pages_unmap(a->pages[page], a->page_size);
    a->pages[page] = NULL;
    a->page_count--;
}
