/* mem.h -- heap allocation that never returns NULL. When the system refuses, the process logs the
 * size and aborts: sizes that input controls are checked against a limit before they get here. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* `size` bytes, uninitialised; free with mem_free(). */
void *mem_alloc(size_t size);

/* `count` objects of `size` bytes, zeroed; overflow of the product aborts. */
void *mem_zalloc(size_t count, size_t size);

/* Grow or shrink `p` (may be NULL) to `count` objects of `size` bytes; overflow aborts. */
void *mem_resize(void *p, size_t count, size_t size);

/* Free what the functions above gave; NULL is allowed. */
void mem_free(void *p);

#endif
