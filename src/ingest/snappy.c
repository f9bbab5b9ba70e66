/* snappy.c -- see snappy.h. The decoder is our own: that of the library, written for long copies
 * and any machine, takes three times the instructions for what senders of samples compress:
 * elements of some ten to 64 bytes that repeat the labels of the series before. */
#include "ingest/snappy.h"

#include <snappy-c.h>

#include "base/assert.h"

/* A two- or three-byte copy element yields at most 64 bytes: no valid block expands further. */
enum { RATIO_MAX = 22, RATIO_SLACK = 64, SIZE_WIDTH_MAX = 5 /* bytes */ };

enum {
    KIND_LITERAL = 0, /* low bits of an element's tag */
    KIND_COPY1 = 1,
    KIND_COPY2 = 2,
    KIND_COPY4 = 3,
    LITERAL_SHORT_MAX = 60,     /* bytes; longer literals have their length behind the tag */
    DISTANCE_MAX = UINT16_MAX,  /* of what a quick step takes */
    STEP_PARTS = 2,             /* elements that a quick step may take together */
    STEP_OUT = STEP_PARTS * 64, /* bytes that it may write */
    STEP_IN = 61 + 4,           /* bytes that it may read: a tag, and 64 bytes of a literal */
    STEPS = 4,                  /* quick steps between two looks at what is left */
    SLACK = STEPS * STEP_OUT,   /* bytes behind the output that may be written to */
};

struct block {
    const uint8_t *in, *in_end;
    uint8_t *out, *out_start, *out_end;
};

/* ---- Any element, byte by byte where it must be ---- */

static inline size_t in_left(const struct block *b)
{
    return (size_t)(b->in_end - b->in);
}

static inline size_t out_left(const struct block *b)
{
    return (size_t)(b->out_end - b->out);
}

static bool put_literal(struct block *b, uint8_t tag)
{
    size_t size = (size_t)(tag >> 2) + 1;
    if (size > LITERAL_SHORT_MAX) {
        size_t width = size - LITERAL_SHORT_MAX;
        if (in_left(b) < width)
            return false;
        size = 0;
        for (size_t i = 0; i < width; i++)
            size |= (size_t)b->in[i] << (8 * i);
        size = (uint32_t)(size + 1); /* 2^32 is taken as 0, which the library does, too */
        b->in += width;
    }
    if (size > in_left(b) || size > out_left(b))
        return false;
    memcpy(b->out, b->in, size);
    b->in += size;
    b->out += size;
    return true;
}

static bool put_copy(struct block *b, uint8_t tag)
{
    static const uint8_t WIDTH[4] = {[KIND_COPY1] = 1, [KIND_COPY2] = 2, [KIND_COPY4] = 4};
    size_t width = WIDTH[tag & 3], size = (size_t)(tag >> 2) + 1, distance = 0;
    if (in_left(b) < width)
        return false;
    for (size_t i = 0; i < width; i++)
        distance |= (size_t)b->in[i] << (8 * i);
    b->in += width;
    if ((tag & 3) == KIND_COPY1) {
        size = (size_t)(tag >> 2 & 7) + 4;
        distance |= (size_t)(tag >> 5) << 8;
    }
    if (distance == 0 || distance > (size_t)(b->out - b->out_start) || size > out_left(b))
        return false;
    const uint8_t *from = b->out - distance;
    for (size_t i = 0; i < size; i++) /* what is written may be read again: a run */
        b->out[i] = from[i];
    b->out += size;
    return true;
}

static bool put_element(struct block *b)
{
    uint8_t tag = *b->in++;
    return (tag & 3) == KIND_LITERAL ? put_literal(b, tag) : put_copy(b, tag);
}

/* ---- The usual elements, copying more than is needed ---- */

typedef uint8_t piece32 __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint8_t piece16 __attribute__((vector_size(16), aligned(1), may_alias));

static inline void copy16(uint8_t *to, const uint8_t *from)
{
    *(piece16 *)(void *)to = *(const piece16 *)(const void *)from;
}

static inline void copy32(uint8_t *to, const uint8_t *from)
{
    *(piece32 *)(void *)to = *(const piece32 *)(const void *)from;
}

static inline void copy64(uint8_t *to, const uint8_t *from)
{
    copy32(to, from);
    copy32(to + 32, from + 32); /* this may read what was just written */
}

/* Where a quick step is. */
struct place {
    const uint8_t *in;
    uint8_t *to;
};

/* Numbers, since a pointer may not point there. */
static inline bool is_before(const uint8_t *to, size_t distance, const uint8_t *start)
{
    return (uintptr_t)to - distance < (uintptr_t)start;
}

/* Bytes that the element with a tag yields; of no use for literals of more than LITERAL_SHORT_MAX.
 */
#define SIZE(tag)    ((tag & 3) == KIND_COPY1 ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1)
#define SIZES4(tag)  SIZE((tag)), SIZE((tag + 1)), SIZE((tag + 2)), SIZE((tag + 3))
#define SIZES16(tag) SIZES4((tag)), SIZES4((tag + 4)), SIZES4((tag + 8)), SIZES4((tag + 12))
#define SIZES64(tag) SIZES16((tag)), SIZES16((tag + 16)), SIZES16((tag + 32)), SIZES16((tag + 48))
static const uint8_t SIZE_OF[256] = {SIZES64(0), SIZES64(64), SIZES64(128), SIZES64(192)};

/* The copy element at `in`, whose distance has two bytes, to `*to`, which moves on. */
static inline __attribute__((always_inline)) bool quick_copy(const uint8_t *in, uint8_t **to,
                                                             const uint8_t *start, bool far)
{
    size_t distance = load_u16(in + 1), size = SIZE_OF[*in];
    uint8_t *out = *to;
    const uint8_t *from = out - distance;
    if (UNLIKELY((!far && is_before(out, distance, start)) || distance < sizeof(piece32)))
        return false;
    copy64(out, from);
    *to = out + size;
    return true;
}

/* One element or two. False, with the place unchanged but for what the first of two did, for one
 * that put_element() must look at. `far`: any distance leads to what was written. */
static inline __attribute__((always_inline)) bool quick_step(struct place *p, const uint8_t *start,
                                                             bool far)
{
    const uint8_t *in = p->in;
    if (LIKELY((load_u32(in) & 0x03000003) == (KIND_COPY2 | KIND_COPY2 << 24))) {
        if (UNLIKELY(!quick_copy(in, &p->to, start, far)))
            return false;
        p->in = in + 3;
        if (UNLIKELY(!quick_copy(in + 3, &p->to, start, far)))
            return false;
        p->in = in + 6;
        return true;
    }
    size_t tag = *in;
    uint8_t *to = p->to;
    if (LIKELY((tag & (3 | sizeof(piece32) << 2)) == KIND_LITERAL)) {
        size_t size = SIZE_OF[tag];
        copy32(to, in + 1);
        p->to = to + size;
        p->in = in + size + 1;
        return true;
    }
    if ((tag & 3) == KIND_COPY2) {
        p->in = in + 3;
        if (LIKELY(quick_copy(in, &p->to, start, far)))
            return true;
        p->in = in;
        return false;
    }
    size_t distance = (tag & 0xe0) << 3 | in[1];
    if (UNLIKELY((tag & 3) != KIND_COPY1 || (!far && is_before(to, distance, start)) ||
                 distance < sizeof(piece16)))
        return false;
    copy16(to, to - distance);
    p->to = to + SIZE_OF[tag];
    p->in = in + 2;
    return true;
}

/* Decode as long as elements are quick, begin before in_stop and the output is not beyond `end`,
 * STEPS at a time: there are STEPS times STEP_IN bytes to read at in_stop, and SLACK behind the
 * output. */
static inline __attribute__((always_inline)) void quick_steps(struct place *p,
                                                              const uint8_t *in_stop,
                                                              const uint8_t *start,
                                                              const uint8_t *end, bool far)
{
    static_assert(STEPS == 4, "as many as here");
    while (p->in < in_stop && p->to <= end)
        if (UNLIKELY(!quick_step(p, start, far) || !quick_step(p, start, far) ||
                     !quick_step(p, start, far) || !quick_step(p, start, far)))
            break;
}

HOT_CLONES
static void put_quick(struct block *b, const uint8_t *in_stop)
{
    struct place p = {b->in, b->out};
    const uint8_t *start = b->out_start, *end = b->out_end;
    bool far = p.to - start >= DISTANCE_MAX;
    if (!far) {
        quick_steps(&p, in_stop, start, end - start > DISTANCE_MAX ? start + DISTANCE_MAX : end,
                    false);
        far = p.to - start >= DISTANCE_MAX;
    }
    if (far)
        quick_steps(&p, in_stop, start, end, true);
    b->in = p.in;
    b->out = p.to;
}

/* The same one at a time: none begins at in_stop. */
static void put_last(struct block *b, const uint8_t *in_stop)
{
    struct place p = {b->in, b->out};
    while (p.in < in_stop && p.to <= b->out_end)
        if (!quick_step(&p, b->out_start, false))
            break;
    b->in = p.in;
    b->out = p.to;
}

/* Decode all elements that begin before in_stop; false when that cannot be. */
static bool put_until(struct block *b, const uint8_t *in_stop,
                      void (*quick)(struct block *b, const uint8_t *in_stop))
{
    while (b->in < in_stop) {
        quick(b, in_stop);
        if (b->out > b->out_end || (b->in < in_stop && !put_element(b)))
            return false;
    }
    return true;
}

/* Fill [out, out_end); false when the elements do not do so exactly. Up to SLACK bytes behind it
 * are written to. The end of the input is decoded from a copy with room behind it. */
static bool decode_block(struct block b)
{
    uint8_t tail[(STEPS + 1) * STEP_IN] = {0};
    if (in_left(&b) > STEPS * STEP_IN && !put_until(&b, b.in_end - STEPS * STEP_IN, put_quick))
        return false;
    size_t rest = in_left(&b);
    if (rest > 0)
        memcpy(tail, b.in, rest);
    b.in = tail;
    b.in_end = tail + rest;
    return put_until(&b, b.in_end, put_last) && b.in == b.in_end && b.out == b.out_end;
}

err snappy_decode(slice body, size_t bytes_max, struct buf *out, struct diag *d)
{
    struct reader r = reader_of(body);
    uint64_t size = read_varint(&r);
    if (r.overrun || size > UINT32_MAX || body.len - (size_t)(r.end - r.pos) > SIZE_WIDTH_MAX)
        return diag_set(d, ERR_INVALID, "snappy: corrupt input");
    if (size > bytes_max)
        return diag_set(d, ERR_LIMIT,
                        "snappy: decompressed request of %zu bytes exceeds the limit of %zu bytes",
                        (size_t)size, bytes_max);
    if (size > body.len * RATIO_MAX + RATIO_SLACK)
        return diag_set(d, ERR_INVALID, "snappy: corrupt input: %zu bytes cannot hold %zu",
                        body.len, (size_t)size);
    buf_reset(out);
    uint8_t *p = buf_reserve(out, (size_t)size + SLACK);
    if (!decode_block((struct block){r.pos, r.end, p, p, p + size}))
        return diag_set(d, ERR_INVALID, "snappy: corrupt input");
    out->len = (size_t)size;
    return OK;
}

void snappy_encode(slice bytes, struct buf *out)
{
    size_t size = snappy_max_compressed_length(bytes.len);
    uint8_t *p = buf_reserve(out, size);
    snappy_status status = snappy_compress((const char *)bytes.ptr, bytes.len, (char *)p, &size);
    ASSERT(status == SNAPPY_OK);
    out->len += size;
}
