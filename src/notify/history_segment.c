/* history_segment.c -- see history_segment.h. */
#include "notify/history_segment.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"

static const char MAGIC[] = "VARVEHI1";

enum {
    MAGIC_BYTES = 8,
    NAME_SIZE = 8,               /* digits, at least */
    SEARCH_BYTES_MAX = 64 << 20, /* summed in search of whole records behind a bad one */
    FILTER_BITS = HISTORY_FILTER_WORDS * 64,
};

const char *history_segment_path(struct buf *out, const char *dir, uint64_t number)
{
    buf_reset(out);
    buf_printf(out, "%s/%0*" PRIu64, dir, NAME_SIZE, number);
    return buf_cstr(out);
}

uint64_t history_segment_number(const char *name)
{
    size_t n = strspn(name, "0123456789");
    return n >= NAME_SIZE && n < 19 && name[n] == '\0' ? strtoull(name, NULL, 10) : 0;
}

/* ---- Frames ---- */

void history_header_put(struct buf *out, uint64_t seed)
{
    size_t begin = out->len;
    buf_put(out, MAGIC, MAGIC_BYTES);
    buf_put_u64(out, seed);
    buf_put_u64(out, checksum32((slice){out->ptr + begin, out->len - begin}, 0));
}

void history_record_put(struct buf *out, uint64_t seed, uint64_t pos_bytes, slice payload)
{
    buf_put_u32(out, (uint32_t)payload.len);
    buf_put_u32(out, checksum32(payload, seed ^ pos_bytes));
    buf_put(out, payload.ptr, payload.len);
}

bool history_cursor_begin(struct history_cursor *c, slice file)
{
    struct reader r = reader_of(file);
    slice magic = read_bytes(&r, MAGIC_BYTES);
    uint64_t seed = read_u64(&r), sum = read_u64(&r);
    *c = (struct history_cursor){.file = file,
                                 .seed = seed,
                                 .pos_bytes = HISTORY_HEADER_BYTES,
                                 .budget_bytes = SEARCH_BYTES_MAX};
    return !r.overrun && memcmp(magic.ptr, MAGIC, MAGIC_BYTES) == 0 &&
           sum == checksum32((slice){file.ptr, MAGIC_BYTES + sizeof(seed)}, 0);
}

static bool frame_at(struct history_cursor *c, size_t pos_bytes, slice *payload)
{
    struct reader r = reader_of((slice){c->file.ptr + pos_bytes, c->file.len - pos_bytes});
    uint32_t size = read_u32(&r), sum = read_u32(&r);
    *payload = read_bytes(&r, size);
    if (r.overrun || size == 0)
        return false;
    c->budget_bytes -= MIN(c->budget_bytes, (uint64_t)size);
    return checksum32(*payload, c->seed ^ pos_bytes) == sum;
}

bool history_cursor_next(struct history_cursor *c, slice *payload)
{
    size_t pos_bytes = c->pos_bytes;
    while (pos_bytes + HISTORY_FRAME_BYTES < c->file.len) {
        if (frame_at(c, pos_bytes, payload)) {
            c->damaged_bytes += pos_bytes - c->pos_bytes;
            c->pos_bytes = pos_bytes + HISTORY_FRAME_BYTES + payload->len;
            c->budget_bytes = SEARCH_BYTES_MAX;
            return true;
        }
        if (c->budget_bytes == 0)
            return false;
        pos_bytes++;
    }
    return false;
}

/* ---- What is known ---- */

void history_segment_clear(struct history_segment *s)
{
    s->known = true;
    s->count = s->last_seq = 0;
    s->min_ms = INT64_MAX;
    s->max_ms = INT64_MIN;
    memset(s->filter, 0, sizeof(s->filter));
}

/* Fingerprints are hashes: two parts of one are two bits. */
static void filter_bits(uint64_t fingerprint, unsigned bits[2])
{
    bits[0] = (unsigned)(fingerprint % FILTER_BITS);
    bits[1] = (unsigned)((fingerprint >> 32) % FILTER_BITS);
}

static bool filter_has(const struct history_segment *s, uint64_t fingerprint)
{
    unsigned bits[2];
    filter_bits(fingerprint, bits);
    return (s->filter[bits[0] / 64] >> bits[0] % 64 & 1) != 0 &&
           (s->filter[bits[1] / 64] >> bits[1] % 64 & 1) != 0;
}

void history_segment_note(struct history_segment *s, const struct history_event *e)
{
    s->count++;
    s->last_seq = MAX(s->last_seq, e->seq);
    s->min_ms = MIN(s->min_ms, e->at_ms);
    s->max_ms = MAX(s->max_ms, e->at_ms);
    for (size_t i = 0; i < MIN(e->fingerprint_count, (size_t)HISTORY_FINGERPRINTS_MAX); i++) {
        unsigned bits[2];
        filter_bits(e->fingerprints[i], bits);
        s->filter[bits[0] / 64] |= UINT64_C(1) << bits[0] % 64;
        s->filter[bits[1] / 64] |= UINT64_C(1) << bits[1] % 64;
    }
}

bool history_segment_may_match(const struct history_segment *s, const struct history_query *q)
{
    return !s->known || (s->count > 0 && s->max_ms >= q->start_ms && s->min_ms <= q->end_ms &&
                         (!q->has_fingerprint || filter_has(s, q->fingerprint)));
}
