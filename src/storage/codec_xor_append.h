/* codec_xor_append.h -- one step of an XOR stream (codec_xor.h), inline for loops over many series:
 * the code of a value, and its bits behind those that wait in the state. */
#ifndef STORAGE_CODEC_XOR_APPEND_H
#define STORAGE_CODEC_XOR_APPEND_H

#include "storage/codec_xor.h"

/* Codes, highest bit first:
 *   0                    the same bits as the value before
 *   10 x                 XOR within the window: its `width` bits
 *   11 lead:5 width-1:6 x   a new window, then its bits
 *   11 11111 111111      stale marker: a window that cannot be, 31 + 64 > 64 */
enum {
    XOR_LEAD_MAX = 31,
    XOR_NEW_HEAD_BITS = 13,
    XOR_STALE_CODE = 0x1fff,
    XOR_WINDOW_SLACK_BITS = 11, /* a reused window may be so much wider than needed: a new head */
};

struct xor_code {       /* bits of a stream */
    uint64_t bits;      /* the low `count`; those above are 0 */
    unsigned count;     /* 1 to 64 */
    uint64_t head;      /* bits before them, when all together do not fit a word; */
    unsigned head_bits; /* else 0 */
};

/* The code of `v` as the next value; the state takes note of the value, not of its bits. */
static inline struct xor_code xor_code_of(struct xor_state *s, double v)
{
    uint64_t bits = f64_bits(v), diff = bits ^ s->last;
    s->stale = false;
    if (diff == 0)
        return (struct xor_code){0, 1, 0, 0};
    if (UNLIKELY(bits == STALE_NAN_BITS)) {
        s->stale = true;
        return (struct xor_code){XOR_STALE_CODE, XOR_NEW_HEAD_BITS, 0, 0};
    }
    s->last = bits;
    unsigned lead = (unsigned)__builtin_clzll(diff), trail = (unsigned)__builtin_ctzll(diff);
    lead = MIN(lead, (unsigned)XOR_LEAD_MAX);
    unsigned width = 64 - lead - trail, window = 64u - s->lead - s->trail;
    uint64_t head = 2;
    unsigned head_bits = 2;
    if (lead >= s->lead && trail >= s->trail && window <= width + XOR_WINDOW_SLACK_BITS) {
        width = window;
        trail = s->trail;
    } else {
        s->lead = (uint8_t)lead;
        s->trail = (uint8_t)trail;
        head = (uint64_t)3 << 11 | (uint64_t)lead << 6 | (width - 1);
        head_bits = XOR_NEW_HEAD_BITS;
    }
    if (UNLIKELY(width + head_bits > 64))
        return (struct xor_code){diff >> trail, width, head, head_bits};
    return (struct xor_code){head << width | diff >> trail, width + head_bits, 0, 0};
}

/* Append the low `count` bits of `bits`. True when this filled a word: *word is the next one of the
 * stream, as it is stored by store_u64(). */
static inline bool xor_put(struct xor_state *s, uint64_t bits, unsigned count, uint64_t *word)
{
    unsigned room = 64u - s->acc_bits;
    if (count < room) {
        s->acc |= bits << (room - count);
        s->acc_bits = (uint8_t)(s->acc_bits + count);
        return false;
    }
    unsigned rest = count - room;
    *word = __builtin_bswap64(s->acc | bits >> rest);
    s->acc = bits << 1 << (63 - rest); /* 0 when there is no rest */
    s->acc_bits = (uint8_t)rest;
    return true;
}

#endif
