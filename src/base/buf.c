/* buf.c -- see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

enum { SIZE_MIN = 64 }; /* bytes of the first allocation */

void buf_fini(struct buf *b)
{
    mem_free(b->ptr);
    *b = (struct buf){0};
}

uint8_t *buf_reserve_slow(struct buf *b, size_t extra)
{
    size_t need;
    ASSERT(!__builtin_add_overflow(b->len, extra, &need));
    size_t cap = b->cap + b->cap / 2;
    b->cap = MAX(MAX(cap, need), (size_t)SIZE_MIN);
    b->ptr = mem_resize(b->ptr, b->cap, 1);
    return b->ptr + b->len;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    uint8_t *p = buf_reserve(b, (size_t)n + 1);
    (void)vsnprintf((char *)p, (size_t)n + 1, format, again);
    va_end(again);
    b->len += (size_t)n;
}

const char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return (const char *)b->ptr;
}
