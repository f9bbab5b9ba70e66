#include "storage/codec_pack_priv.h"

#include "base/assert.h"
#include "storage/codec.h"
#include "storage/codec_bits_priv.h"

/* Patched block: a head byte of the width and PATCHED; then, if PATCHED, the number of patches and
 * the width of their high parts; the low parts; the patches, position below high part. */
enum {
    PATCHED = 0x80,
    POSITION_BITS = 6,
    HIGH_BITS_MAX = 64 - POSITION_BITS,
    PATCHED_HEAD_BYTES = 3,
    GAP_BITS_MAX = 13, /* positions are below CODEC_SAMPLES_MAX */
    GAP_WIDTH_BITS = 4,
};
static_assert(CODEC_SAMPLES_MAX <= 1 << GAP_BITS_MAX, "gaps fit");
static_assert(PACK_BLOCK == 1 << POSITION_BITS, "positions fit");

struct block_plan {
    size_t bytes;
    unsigned width, high_width, patches; /* high_width is 0 without patches */
};

/* How often each width occurs in a block, in two tables: adjacent residuals tend to have equal
 * widths and would wait for each other's increment. Bit w of `seen` tells that width w < 64 occurs.
 */
struct width_counts {
    uint64_t bits, seen; /* `bits` is the union of the residuals */
    uint8_t even[65], odd[65];
};

static inline void count_width(struct width_counts *c, uint8_t *table, uint64_t u)
{
    unsigned width = bit_width(u);
    c->bits |= u;
    c->seen |= UINT64_C(1) << (width & 63);
    table[width]++;
}

static inline void count_widths(const uint64_t *u, uint32_t n, struct width_counts *c)
{
    uint32_t i = 0;
    memset(c, 0, sizeof(*c));
    for (; i + 2 <= n; i += 2) {
        count_width(c, c->even, u[i]);
        count_width(c, c->odd, u[i + 1]);
    }
    if (i < n)
        count_width(c, c->even, u[i]);
}

/* The cheapest width for a block. Below the largest width, only widths that occur can be; and none
 * below one whose patches alone cost too much. */
static inline struct block_plan plan_block(const uint64_t *u, uint32_t n)
{
    struct width_counts c;
    count_widths(u, n, &c);
    unsigned top = bit_width(c.bits), above = top, patches = 0;
    struct block_plan best = {1 + packed_bytes(n, top), top, 0, 0};
    for (uint64_t left = c.seen & low_bits(top); left != 0;) {
        unsigned w = bit_width(left) - 1;
        left ^= UINT64_C(1) << w;
        patches += c.even[above] + c.odd[above];
        above = w;
        size_t patch_bytes = PATCHED_HEAD_BYTES + packed_bytes(patches, POSITION_BITS + top - w);
        if (patch_bytes >= best.bytes || top - w > HIGH_BITS_MAX)
            break;
        size_t bytes = patch_bytes + packed_bytes(n, w);
        if (bytes < best.bytes)
            best = (struct block_plan){bytes, w, top - w, patches};
    }
    return best;
}

static uint32_t block_length(uint32_t at, uint32_t n)
{
    return n - at < PACK_BLOCK ? n - at : PACK_BLOCK;
}

HOT_CLONES static size_t patched_bytes(const uint64_t *u, uint32_t n)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i += PACK_BLOCK)
        bytes += plan_block(u + i, block_length(i, n)).bytes;
    return bytes;
}

static uint64_t union_of(const uint64_t *u, uint32_t n)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < n; i++)
        bits |= u[i];
    return bits;
}

/* What all packings but a sparse one need at least: the sum of the widths. */
struct widths {
    uint64_t sum;
    uint32_t nonzero;
};

/* Numbers below 2^52, eight at a time where the machine can: the exponent of the double that a
 * number becomes is its width + 1022, or 0. */
HOT_CLONES static struct widths widths_narrow(const uint64_t *u, uint32_t n)
{
    const uint64_t magic = UINT64_C(0x4330000000000000); /* 2^52: its fraction holds the number */
    uint64_t sum = 0, nonzero = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += f64_bits(f64_from_bits(u[i] | magic) - 0x1p52) >> 52;
        nonzero += u[i] != 0;
    }
    return (struct widths){sum - 1022 * nonzero, (uint32_t)nonzero};
}

static struct widths widths_of(const uint64_t *u, uint32_t n, uint64_t bits)
{
    struct widths w = {0};
    if (bits >> 52 == 0)
        return widths_narrow(u, n);
    for (uint32_t i = 0; i < n; i++) {
        w.sum += bit_width(u[i]);
        w.nonzero += u[i] != 0;
    }
    return w;
}

/* What a sparse packing holds: `count` entries, gap (zeros before the entry) and value - 1. */
struct sparse_plan {
    uint32_t count;
    unsigned gap_width, value_width;
};

static struct sparse_plan plan_sparse(const uint64_t *u, uint32_t n)
{
    uint64_t gaps = 0, values = 0;
    uint32_t count = 0, next = 0;
    for (uint32_t i = 0; i < n; i++)
        if (u[i] != 0) {
            gaps |= i - next;
            values |= u[i] - 1;
            next = i + 1;
            count++;
        }
    return (struct sparse_plan){count, bit_width(gaps), bit_width(values)};
}

static uint64_t sparse_head(const struct sparse_plan *p)
{
    return (uint64_t)p->count << GAP_WIDTH_BITS | p->gap_width;
}

static size_t sparse_bytes(const uint64_t *u, uint32_t n)
{
    struct sparse_plan p = plan_sparse(u, n);
    return varint_size(sparse_head(&p)) + 1 + packed_bytes(p.count, p.gap_width) +
           packed_bytes(p.count, p.value_width);
}

/* Bytes that a packing at least takes, before it is planned in earnest. A block has a head of a
 * byte and no number takes less than its width. */
static size_t least_patched(const struct widths *w, uint32_t n)
{
    return (n + PACK_BLOCK - 1) / PACK_BLOCK + w->sum / 8;
}

/* The largest sparse value is a bit narrower than the largest number at best, but, unless all
 * numbers are entries, there is a gap of a bit or more to each. */
static size_t least_sparse(const struct widths *w, uint32_t n, unsigned top)
{
    return 2 + packed_bytes(w->nonzero, top - (w->nonzero == n && top > 0));
}

size_t pack_choose(const uint64_t *u, uint32_t n, size_t limit, enum pack_kind *kind)
{
    uint64_t bits = union_of(u, n);
    struct widths w = widths_of(u, n, bits);
    size_t plain = 1 + packed_bytes(n, bit_width(bits));
    if (plain < limit) {
        *kind = PACK_PLAIN;
        limit = plain;
    }
    if (least_sparse(&w, n, bit_width(bits)) < limit) {
        size_t sparse = sparse_bytes(u, n);
        if (sparse < limit) {
            *kind = PACK_SPARSE;
            limit = sparse;
        }
    }
    if (least_patched(&w, n) < limit) {
        size_t patched = patched_bytes(u, n);
        if (patched + patched / 128 < limit) {
            *kind = PACK_PATCHED;
            limit = patched;
        }
    }
    return limit;
}

static void put_bits(struct buf *out, const uint64_t *v, uint32_t n, unsigned width)
{
    uint8_t *p = buf_reserve(out, packed_bytes(n, width) + BITS_PACK_OVERSHOOT);
    out->len += bits_pack(p, v, n, width);
}

static void put_plain(const uint64_t *u, uint32_t n, struct buf *out)
{
    unsigned width = bit_width(union_of(u, n));
    buf_put_u8(out, (uint8_t)width);
    put_bits(out, u, n, width);
}

static void put_block(const uint64_t *u, uint32_t n, struct buf *out)
{
    struct block_plan p = plan_block(u, n);
    uint64_t low[PACK_BLOCK], patch[PACK_BLOCK], mask = low_bits(p.width);
    uint32_t patches = 0;
    for (uint32_t i = 0; i < n; i++) {
        low[i] = u[i] & mask;
        if (u[i] > mask)
            patch[patches++] = i | u[i] >> p.width << POSITION_BITS;
    }
    ASSERT(patches == p.patches);
    buf_put_u8(out, (uint8_t)(p.width | (patches > 0 ? PATCHED : 0)));
    if (patches > 0) {
        buf_put_u8(out, (uint8_t)patches);
        buf_put_u8(out, (uint8_t)p.high_width);
    }
    put_bits(out, low, n, p.width);
    put_bits(out, patch, patches, POSITION_BITS + p.high_width);
}

static void put_sparse(const uint64_t *u, uint32_t n, uint64_t *spare, struct buf *out)
{
    struct sparse_plan p = plan_sparse(u, n);
    uint64_t *gaps = spare, *values = spare + n;
    uint32_t next = 0, k = 0;
    for (uint32_t i = 0; i < n; i++)
        if (u[i] != 0) {
            gaps[k] = i - next;
            values[k++] = u[i] - 1;
            next = i + 1;
        }
    buf_put_varint(out, sparse_head(&p));
    buf_put_u8(out, (uint8_t)p.value_width);
    put_bits(out, gaps, k, p.gap_width);
    put_bits(out, values, k, p.value_width);
}

void pack_put(enum pack_kind kind, const uint64_t *u, uint32_t n, uint64_t *spare, struct buf *out)
{
    if (kind == PACK_PLAIN)
        put_plain(u, n, out);
    else if (kind == PACK_SPARSE)
        put_sparse(u, n, spare, out);
    else
        for (uint32_t i = 0; i < n; i += PACK_BLOCK)
            put_block(u + i, block_length(i, n), out);
}

/* --- reading --- */

static err open_plain(struct unpacker *u)
{
    u->width = read_u8(u->in);
    if (u->width > 64)
        return ERR_CORRUPT;
    u->packed = read_bytes(u->in, packed_bytes(u->left, u->width)).ptr;
    return u->in->overrun ? ERR_CORRUPT : OK;
}

/* Place the cursor on the entry after the gap that the gap bits tell; false when that is outside.
 */
static bool sparse_step(struct unpacker *u, uint32_t room)
{
    uint64_t gap = bits_at(u->gaps, u->gap_bit, u->gap_width);
    u->gap_bit += u->gap_width;
    u->next += (uint32_t)gap;
    return u->next < room;
}

static err open_sparse(struct unpacker *u)
{
    uint64_t head = read_varint_padded(u->in);
    uint64_t count = head >> GAP_WIDTH_BITS;
    u->gap_width = head & ((1 << GAP_WIDTH_BITS) - 1);
    u->width = read_u8(u->in);
    if (count > u->left || u->gap_width > GAP_BITS_MAX || u->width > 64)
        return ERR_CORRUPT;
    u->sparse_left = (uint32_t)count;
    u->gaps = read_bytes(u->in, packed_bytes(count, u->gap_width)).ptr;
    u->packed = read_bytes(u->in, packed_bytes(count, u->width)).ptr;
    if (u->in->overrun || (count > 0 && !sparse_step(u, u->left)))
        return ERR_CORRUPT;
    return OK;
}

err unpack_open(struct unpacker *u, enum pack_kind kind, uint32_t n, struct reader *in)
{
    *u = (struct unpacker){.in = in, .left = n, .kind = (uint8_t)kind};
    if (kind == PACK_PLAIN)
        return open_plain(u);
    return kind == PACK_SPARSE ? open_sparse(u) : OK;
}

static void next_plain(struct unpacker *u, struct pack_block *b)
{
    b->width = u->width;
    b->packed = u->packed;
    b->patch_count = 0;
    b->patch_width = 0;
    u->packed += packed_bytes(b->n, u->width);
}

/* The entries that fall into this block become its patches. */
static err next_sparse(struct unpacker *u, struct pack_block *b)
{
    uint64_t all = 0;
    uint32_t k = 0;
    b->width = 0;
    b->packed = u->packed;
    while (u->sparse_left > 0 && u->next < b->n) {
        b->at[k] = (uint8_t)u->next++;
        b->value[k] = bits_at(u->packed, u->value_bit, u->width) + 1;
        all |= b->value[k++];
        u->value_bit += u->width;
        u->sparse_left--;
        if (u->sparse_left > 0 && !sparse_step(u, u->left))
            return ERR_CORRUPT;
    }
    u->next -= u->sparse_left > 0 ? b->n : u->next;
    b->patch_count = k;
    b->patch_width = bit_width(all);
    return OK;
}

static err read_patches(struct reader *in, struct pack_block *b, uint32_t count,
                        unsigned high_width)
{
    unsigned width = POSITION_BITS + high_width;
    const uint8_t *p = read_bytes(in, packed_bytes(count, width)).ptr;
    uint32_t next = 0;
    bool ascending = true;
    if (in->overrun)
        return ERR_CORRUPT;
    for (uint32_t k = 0; k < count; k++) {
        uint64_t patch = bits_at(p, (size_t)k * width, width);
        uint32_t at = patch & (PACK_BLOCK - 1);
        ascending &= at >= next;
        next = at + 1;
        b->at[k] = (uint8_t)at;
        b->value[k] = patch >> POSITION_BITS << b->width;
    }
    b->patch_count = count;
    b->patch_width = b->width + high_width;
    return ascending && next <= b->n ? OK : ERR_CORRUPT;
}

static err next_patched(struct unpacker *u, struct pack_block *b)
{
    uint8_t head = read_u8(u->in);
    unsigned count = 0, high_width = 0;
    b->width = head & (PATCHED - 1);
    if (head & PATCHED) {
        count = read_u8(u->in);
        high_width = read_u8(u->in);
        if (count == 0 || count > b->n || high_width == 0 || high_width > HIGH_BITS_MAX)
            return ERR_CORRUPT;
    }
    if (b->width + high_width > 64)
        return ERR_CORRUPT;
    b->packed = read_bytes(u->in, packed_bytes(b->n, b->width)).ptr;
    if (count > 0)
        return read_patches(u->in, b, count, high_width);
    b->patch_count = 0;
    b->patch_width = 0;
    return u->in->overrun ? ERR_CORRUPT : OK;
}

err unpack_next(struct unpacker *u, struct pack_block *b)
{
    b->n = block_length(0, u->left);
    if (u->kind == PACK_PLAIN)
        next_plain(u, b);
    else
        TRY(u->kind == PACK_SPARSE ? next_sparse(u, b) : next_patched(u, b));
    u->left -= b->n;
    return OK;
}

void pack_block_values(const struct pack_block *b, uint64_t *r)
{
    bits_unpack(b->packed, r, b->n, b->width);
    for (uint32_t k = 0; k < b->patch_count; k++)
        r[b->at[k]] |= b->value[k];
}
