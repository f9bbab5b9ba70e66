/* protobuf.h -- a pull reader over protobuf wire bytes: no object tree, no allocation.
 *
 *   struct pb p = pb_of(bytes);
 *   while (pb_next(&p))
 *       switch (p.field) { case 1: s = pb_bytes(&p); break; default: pb_skip(&p); }
 *   if (p.bad) ...
 *
 * Sticky: the first malformed byte latches `bad` and ends the loop. A value asked for in another
 * wire type than the field has is malformed too. Source: protobuf.dev "Encoding". */
#ifndef INGEST_PROTOBUF_H
#define INGEST_PROTOBUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/slice.h"

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb {
    const uint8_t *pos, *end;
    uint32_t field; /* of the last pb_next() */
    uint8_t wire;
    bool bad;
};

static inline struct pb pb_of(slice bytes)
{
    return (struct pb){.pos = bytes.ptr, .end = bytes.ptr + bytes.len};
}

static inline uint64_t pb_fail(struct pb *p)
{
    p->bad = true;
    p->pos = p->end;
    return 0;
}

/* A base-128 number at the cursor. */
static inline uint64_t pb_raw_varint(struct pb *p)
{
    if (LIKELY(p->pos < p->end && *p->pos < 0x80))
        return *p->pos++;
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (p->pos == p->end)
            return pb_fail(p);
        uint8_t b = *p->pos++;
        if (shift == 63 && b > 1)
            return pb_fail(p);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    return pb_fail(p);
}

/* Step to the next field; false at the end or when bad. */
static inline bool pb_next(struct pb *p)
{
    if (p->pos == p->end)
        return false;
    uint64_t key = pb_raw_varint(p);
    uint64_t field = key >> 3;
    if (UNLIKELY(p->bad || field == 0 || field > UINT32_MAX >> 3)) {
        (void)pb_fail(p);
        return false;
    }
    p->field = (uint32_t)field;
    p->wire = (uint8_t)(key & 7);
    return true;
}

static inline uint64_t pb_varint(struct pb *p)
{
    return LIKELY(p->wire == PB_VARINT) ? pb_raw_varint(p) : pb_fail(p);
}

static inline uint64_t pb_fixed64(struct pb *p)
{
    if (UNLIKELY(p->wire != PB_FIXED64 || p->end - p->pos < 8))
        return pb_fail(p);
    uint64_t v = load_u64(p->pos);
    p->pos += 8;
    return v;
}

static inline double pb_double(struct pb *p)
{
    return f64_from_bits(pb_fixed64(p));
}

static inline slice pb_bytes(struct pb *p)
{
    uint64_t n = p->wire == PB_BYTES ? pb_raw_varint(p) : pb_fail(p);
    if (UNLIKELY(n > (uint64_t)(p->end - p->pos)))
        n = pb_fail(p);
    slice s = {p->pos, (size_t)n};
    p->pos += n;
    return s;
}

static inline str pb_text(struct pb *p)
{
    return slice_text(pb_bytes(p));
}

/* Pass over a field nobody asked for. Groups (wire types 3 and 4) are malformed here. */
static inline void pb_skip(struct pb *p)
{
    switch (p->wire) {
    case PB_VARINT:
        (void)pb_raw_varint(p);
        break;
    case PB_FIXED64:
        (void)pb_fixed64(p);
        break;
    case PB_BYTES:
        (void)pb_bytes(p);
        break;
    case PB_FIXED32:
        if (p->end - p->pos < 4)
            (void)pb_fail(p);
        else
            p->pos += 4;
        break;
    default:
        (void)pb_fail(p);
    }
}

#endif
