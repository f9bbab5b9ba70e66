/* rw_plain.h -- the common shape of a TimeSeries of remote write 1.0: labels, then one sample whose
 * time has six bytes.
 *
 * It is told by its end, and the labels are not looked at: they are what is before. That is a
 * guess, for a sample may be preceded by other fields, or its bytes may be the end of something
 * else. It holds for whatever is an alias of a series, since only true label fields become aliases;
 * for all else rw_v1_guess_holds() is asked before anything is made of it. */
#ifndef INGEST_RW_PLAIN_H
#define INGEST_RW_PLAIN_H

#include "ingest/rw_priv.h"

enum {
    PLAIN_HEAD_SIZE = 3, /* of a timeseries field of 128 bytes to 16 KiB */
    PLAIN_TIME_SIZE = 7, /* 0x10, six bytes of varint: the years 2004 to 2109 */
    PLAIN_VALUE_AT = 3,  /* behind these bytes, lowest first: */
    PLAIN_SAMPLE_HEAD = 0x091012,
    PLAIN_SAMPLE_SIZE = PLAIN_VALUE_AT + 8 + PLAIN_TIME_SIZE,
    PLAIN_ZERO_HEAD = 0x100712,
    PLAIN_ZERO_SIZE = 2 + PLAIN_TIME_SIZE, /* senders leave out the value 0 */
};

/* The time in the last seven bytes before `end`; false when they are no such field. One byte more
 * may be read in front of them. */
static inline bool rw_plain_time(struct remote_write *w, const uint8_t *end, int64_t *ts_ms)
{
    uint64_t raw = load_u64(end - 8) >> 8;
    if (UNLIKELY(raw != w->time_raw)) {
        if ((raw & 0x808080808080ff) != 0x00808080808010)
            return false;
        uint64_t ts = 0;
        for (unsigned i = 0; i < 6; i++)
            ts |= (raw >> (8 + 8 * i) & 0x7f) << (7 * i);
        w->time_raw = raw;
        w->time_ms = (int64_t)ts;
    }
    *ts_ms = w->time_ms;
    return true;
}

struct plain_sample {
    int64_t ts_ms;
    double value;
    size_t size; /* bytes at the end of the message that it takes */
};

/* Returns false for any other shape. */
static inline bool rw_plain_sample(struct remote_write *w, slice message, struct plain_sample *out)
{
    const uint8_t *end = message.ptr + message.len;
    out->size = PLAIN_SAMPLE_SIZE;
    out->value = 0;
    if (LIKELY(message.len >= PLAIN_SAMPLE_SIZE &&
               (load_u32(end - PLAIN_SAMPLE_SIZE) & 0xffffff) == PLAIN_SAMPLE_HEAD))
        out->value = f64_from_bits(load_u64(end - PLAIN_TIME_SIZE - 8));
    else if (message.len >= PLAIN_ZERO_SIZE &&
             (load_u32(end - PLAIN_ZERO_SIZE) & 0xffffff) == PLAIN_ZERO_HEAD)
        out->size = PLAIN_ZERO_SIZE;
    else
        return false;
    return LIKELY(rw_plain_time(w, end, &out->ts_ms));
}

/* The three bytes, lowest first, before a message of `size` bytes; UINT32_MAX when they are not
 * three. */
static inline uint32_t rw_plain_head(size_t size)
{
    if (size < 1 << 7 || size >= 1 << 14)
        return UINT32_MAX;
    return (uint32_t)(0x0a | (size & 0x7f) << 8 | 0x80 << 8 | size >> 7 << 16);
}

/* A timeseries field of less than 16 KiB at `p`, in at least three bytes: its message. {NULL, 0}
 * for anything else. */
static inline slice rw_plain_field(const uint8_t *p, const uint8_t *end)
{
    if (UNLIKELY(p[0] != 0x0a))
        return (slice){NULL, 0};
    size_t size = p[1], head = 2;
    if (LIKELY(size >= 0x80)) {
        if (UNLIKELY(p[2] >= 0x80))
            return (slice){NULL, 0};
        size = (size & 0x7f) | (size_t)p[2] << 7;
        head = 3;
    }
    return size <= (size_t)(end - p) - head ? (slice){p + head, size} : (slice){NULL, 0};
}

#endif
