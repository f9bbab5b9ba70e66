/* protobuf_put.h -- protobuf wire bytes, written field by field into a buffer. A message inside
 * another is written in place between pb_begin() and pb_end(), which sets its length before it.
 * Fields are written as asked, zero or not: what proto3 leaves out the caller leaves out. */
#ifndef BASE_PROTOBUF_PUT_H
#define BASE_PROTOBUF_PUT_H

#include "base/buf.h"

static inline void pb_put_key(struct buf *b, uint32_t field, unsigned wire)
{
    buf_put_varint(b, (uint64_t)field << 3 | wire);
}

static inline void pb_put_varint(struct buf *b, uint32_t field, uint64_t v)
{
    pb_put_key(b, field, 0);
    buf_put_varint(b, v);
}

/* sint32, sint64 */
static inline void pb_put_zigzag(struct buf *b, uint32_t field, int64_t v)
{
    pb_put_varint(b, field, zigzag(v));
}

static inline void pb_put_double(struct buf *b, uint32_t field, double v)
{
    pb_put_key(b, field, 1);
    buf_put_u64(b, f64_bits(v));
}

static inline void pb_put_bytes(struct buf *b, uint32_t field, slice s)
{
    pb_put_key(b, field, 2);
    buf_put_varint(b, s.len);
    buf_put(b, s.ptr, s.len);
}

static inline void pb_put_str(struct buf *b, uint32_t field, str s)
{
    pb_put_bytes(b, field, str_bytes(s));
}

/* Start a length-delimited field; give what it returns to pb_end(). */
static inline size_t pb_begin(struct buf *b, uint32_t field)
{
    pb_put_key(b, field, 2);
    buf_put_u8(b, 0); /* the length, when it is below 128 */
    return b->len;
}

static inline void pb_end(struct buf *b, size_t begun)
{
    size_t n = b->len - begun;
    unsigned more = varint_size(n) - 1;
    if (more > 0) {
        (void)buf_reserve(b, more);
        memmove(b->ptr + begun + more, b->ptr + begun, n);
        b->len += more;
    }
    (void)varint_put(b->ptr + begun - 1, n);
}

#endif
