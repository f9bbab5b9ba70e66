/* mem.c -- see mem.h. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void out_of_memory(size_t size)
{
    (void)fprintf(stderr, "out of memory: %zu bytes refused by the system\n", size);
    abort();
}

static size_t product(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory(SIZE_MAX);
    return bytes > 0 ? bytes : 1;
}

void *mem_alloc(size_t size)
{
    void *p = malloc(size > 0 ? size : 1);
    if (p == NULL)
        out_of_memory(size);
    return p;
}

void *mem_zalloc(size_t count, size_t size)
{
    void *p = calloc(1, product(count, size));
    if (p == NULL)
        out_of_memory(product(count, size));
    return p;
}

void *mem_resize(void *p, size_t count, size_t size)
{
    void *q = realloc(p, product(count, size));
    if (q == NULL)
        out_of_memory(product(count, size));
    return q;
}

void mem_free(void *p)
{
    free(p);
}
