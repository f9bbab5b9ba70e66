/* snappy.c -- see snappy.h. The decoder is our own: that of the library, written for long copies
 * and any machine, takes three times the instructions for what senders of samples compress:
 * elements of some ten to 64 bytes that repeat the labels of the series before. */
#include "ingest/snappy.h"

#include <snappy-c.h>

#include "base/assert.h"

/* A two- or three-byte copy element yields at most 64 bytes: no valid block expands further. */
enum { RATIO_MAX = 22, RATIO_SLACK = 64 };

enum {
    KIND_LITERAL = 0, /* low bits of an element's tag */
    KIND_COPY1 = 1,
    KIND_COPY2 = 2,
    KIND_COPY4 = 3,
    LITERAL_SHORT_MAX = 60, /* bytes; longer literals have their length behind the tag */
    STEP_OUT = 64,          /* bytes that a quick element may write */
    STEP_IN = 61 + 4,       /* bytes that it may read: a tag, and 64 bytes of a literal */
    STEPS = 4,              /* quick elements between two looks at the room that is left */
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
        size++;
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

/* ---- The usual elements, where there is room enough to copy more than is needed ---- */

typedef uint8_t piece32 __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint8_t piece16 __attribute__((vector_size(16), aligned(1), may_alias));

static inline void copy16(uint8_t *to, const uint8_t *from)
{
    *(piece16 *)(void *)to = *(const piece16 *)(const void *)from;
}

static inline void copy64(uint8_t *to, const uint8_t *from)
{
    *(piece32 *)(void *)to = *(const piece32 *)(const void *)from;
    /* This may read what was just written. */
    *(piece32 *)(void *)(to + 32) = *(const piece32 *)(const void *)(from + 32);
}

/* One element, appended at start[*at]. False, with nothing changed, for one that put_element() must
 * look at. */
static inline bool quick_element(const uint8_t **in, uint8_t *start, size_t *at)
{
    const uint8_t *p = *in;
    uint8_t *to = start + *at;
    size_t tag = *p;
    if (LIKELY((tag & 3) == KIND_COPY2)) {
        size_t distance = load_u16(p + 1);
        if (UNLIKELY(distance < sizeof(piece32) || distance > *at))
            return false;
        copy64(to, start + (*at - distance));
        *at += (tag >> 2) + 1;
        *in = p + 3;
        return true;
    }
    if ((tag & 3) == KIND_LITERAL) {
        size_t size = (tag >> 2) + 1;
        if (LIKELY(size <= sizeof(piece16)))
            copy16(to, p + 1);
        else if (size <= LITERAL_SHORT_MAX)
            copy64(to, p + 1);
        else
            return false;
        *at += size;
        *in = p + 1 + size;
        return true;
    }
    size_t distance = (tag & 0xe0) << 3 | p[1];
    if (UNLIKELY((tag & 3) != KIND_COPY1 || distance < sizeof(piece16) || distance > *at))
        return false;
    copy16(to, start + (*at - distance));
    *at += (tag >> 2 & 7) + 4;
    *in = p + 2;
    return true;
}

/* Decode as long as elements are quick and there is room for more. */
HOT_CLONES
static void put_quick(struct block *b)
{
    const uint8_t *in = b->in, *in_stop = b->in_end - STEPS * STEP_IN;
    uint8_t *start = b->out_start;
    size_t at = (size_t)(b->out - start);
    size_t stop = (size_t)(b->out_end - start) - STEPS * STEP_OUT;
    static_assert(STEPS == 4, "as many as here");
    while (in <= in_stop && at <= stop)
        if (UNLIKELY(!quick_element(&in, start, &at) || !quick_element(&in, start, &at) ||
                     !quick_element(&in, start, &at) || !quick_element(&in, start, &at)))
            break;
    b->in = in;
    b->out = start + at;
}

/* Fill [out, out_end); false when the elements do not do so exactly. */
static bool decode_block(struct block b)
{
    while (b.in < b.in_end) {
        if (in_left(&b) > STEPS * STEP_IN && out_left(&b) >= STEPS * STEP_OUT)
            put_quick(&b);
        if (!put_element(&b))
            return false;
    }
    return b.out == b.out_end;
}

err snappy_decode(slice body, size_t bytes_max, struct buf *out, struct diag *d)
{
    struct reader r = reader_of(body);
    uint64_t size = read_varint(&r);
    if (r.overrun || size > UINT32_MAX)
        return diag_set(d, ERR_INVALID, "snappy: corrupt input");
    if (size > bytes_max)
        return diag_set(d, ERR_LIMIT,
                        "snappy: decompressed request of %zu bytes exceeds the limit of %zu bytes",
                        (size_t)size, bytes_max);
    if (size > body.len * RATIO_MAX + RATIO_SLACK)
        return diag_set(d, ERR_INVALID, "snappy: corrupt input: %zu bytes cannot hold %zu",
                        body.len, (size_t)size);
    buf_reset(out);
    uint8_t *p = buf_reserve(out, (size_t)size);
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
