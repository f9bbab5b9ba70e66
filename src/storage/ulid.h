/* ulid.h -- names of blocks: 48 bits of wall time in ms and 80 random bits, as 26 letters of
 * Crockford's base 32. Byte order, text order and age agree. */
#ifndef STORAGE_ULID_H
#define STORAGE_ULID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    ULID_SIZE = 16,      /* bytes */
    ULID_TEXT_SIZE = 27, /* bytes of the text with its NUL */
};

typedef struct ulid {
    uint8_t bytes[ULID_SIZE]; /* big-endian: time, then random bits */
} ulid;

/* A new name: now, and random bits from the kernel; greater than every earlier one of this process
 * even when the clock goes back. Any thread. */
ulid ulid_new(void);

/* The name of time `ms` (of which 48 bits count) with the given random bits (16 of `hi`). */
ulid ulid_make(int64_t ms, uint64_t hi, uint64_t lo);

/* 26 letters and a NUL. */
void ulid_format(ulid u, char out[ULID_TEXT_SIZE]);

/* Exactly 26 letters in upper case without I, L, O, U, the first at most 7.
 *   ERR_INVALID  anything else */
MUST_USE err ulid_parse(str text, ulid *out);

/* When it was made: milliseconds since the epoch. */
int64_t ulid_ms(ulid u);

static inline int ulid_cmp(ulid a, ulid b)
{
    return memcmp(a.bytes, b.bytes, ULID_SIZE);
}

static inline bool ulid_eq(ulid a, ulid b)
{
    return ulid_cmp(a, b) == 0;
}

#endif
