/* slice.h -- borrowed byte ranges: `slice` for bytes, `str` for text. Neither owns its memory and
 * neither is NUL-terminated; sizes are bytes. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct slice {
    const uint8_t *ptr;
    size_t len; /* bytes */
} slice;

typedef struct str {
    const char *ptr;
    size_t len; /* bytes */
} str;

/* A string literal as a str; STR_FMT and STR_ARG print a str with printf: "%.*s". */
#define STR(literal)  ((str){"" literal, sizeof(literal) - 1})
#define STR_FMT       "%.*s"
#define STR_ARG(s)    (int)(s).len, (s).ptr

/* The NUL-terminated `s` (not NULL) without its terminator. */
static inline str str_from(const char *s)
{
    return (str){s, strlen(s)};
}

static inline bool str_eq(str a, str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Byte order, the shorter first when one is a prefix of the other: <0, 0 or >0. */
static inline int str_cmp(str a, str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool str_starts(str s, str prefix)
{
    return prefix.len == 0 ||
           (s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool str_ends(str s, str suffix)
{
    return suffix.len == 0 ||
           (s.len >= suffix.len &&
            memcmp(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

static inline slice str_bytes(str s)
{
    return (slice){(const uint8_t *)s.ptr, s.len};
}

static inline str slice_text(slice s)
{
    return (str){(const char *)s.ptr, s.len};
}

#endif
