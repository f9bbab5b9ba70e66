/* buf.h -- a growing byte buffer that owns its memory. Zero-initialised is empty and valid. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/slice.h"

struct buf {
    uint8_t *ptr;
    size_t len, cap; /* bytes */
};

/* Free the memory; the buffer is empty and usable again. */
void buf_fini(struct buf *b);

/* Make room for `extra` more bytes and return where they go; `len` is unchanged. */
uint8_t *buf_reserve_slow(struct buf *b, size_t extra);
static inline uint8_t *buf_reserve(struct buf *b, size_t extra)
{
    return LIKELY(b->cap - b->len >= extra) ? b->ptr + b->len : buf_reserve_slow(b, extra);
}

static inline void buf_reset(struct buf *b)
{
    b->len = 0;
}

static inline slice buf_slice(const struct buf *b)
{
    return (slice){b->ptr, b->len};
}

static inline str buf_str(const struct buf *b)
{
    return (str){(const char *)b->ptr, b->len};
}

static inline void buf_put(struct buf *b, const void *bytes, size_t n)
{
    uint8_t *p = buf_reserve(b, n);
    if (n > 0)
        memcpy(p, bytes, n);
    b->len += n;
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
    *buf_reserve(b, 1) = v;
    b->len += 1;
}

static inline void buf_put_u16(struct buf *b, uint16_t v)
{
    store_u16(buf_reserve(b, 2), v);
    b->len += 2;
}

static inline void buf_put_u32(struct buf *b, uint32_t v)
{
    store_u32(buf_reserve(b, 4), v);
    b->len += 4;
}

static inline void buf_put_u64(struct buf *b, uint64_t v)
{
    store_u64(buf_reserve(b, 8), v);
    b->len += 8;
}

static inline void buf_put_varint(struct buf *b, uint64_t v)
{
    uint8_t *p = buf_reserve(b, VARINT_SIZE_MAX);
    b->len += (size_t)(varint_put(p, v) - p);
}

static inline void buf_put_zigzag(struct buf *b, int64_t v)
{
    buf_put_varint(b, zigzag(v));
}

static inline void buf_put_str(struct buf *b, str s)
{
    buf_put(b, s.ptr, s.len);
}

/* A varint length and the bytes: what read_string() reads. */
static inline void buf_put_string(struct buf *b, str s)
{
    buf_put_varint(b, s.len);
    buf_put_str(b, s);
}

/* Append printf-formatted text. */
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Append a NUL that is not counted in `len` and return the text; valid until the next change. */
const char *buf_cstr(struct buf *b);

#endif
