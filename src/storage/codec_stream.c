#include "storage/codec_stream_priv.h"

#include "storage/codec_bits_priv.h"
#include "storage/codec_scratch_priv.h"

/* Head byte of a stream. */
enum {
    HEAD_ORDER = 0x03,
    HEAD_KIND_SHIFT = 2,
    HEAD_KIND = 0x03,
    HEAD_ZIGZAG = 0x10,
    HEAD_DIVISOR = 0x20,
    HEAD_UNUSED = 0xc0,
};

/* Magnitude of a difference modulo 2^64. */
static uint64_t magnitude(uint64_t d)
{
    return (int64_t)d < 0 ? 0 - d : d;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The common divisor of all differences; 1 when they are all 0, or when a distance does not fit
 * int64, so that every difference modulo 2^64 is a true multiple. */
static uint64_t common_divisor(const int64_t *a, uint32_t n)
{
    uint64_t g = 0;
    int64_t low = a[0], high = a[0];
    for (uint32_t i = 1; i < n; i++) {
        uint64_t d = magnitude((uint64_t)a[i] - (uint64_t)a[i - 1]);
        low = MIN(low, a[i]);
        high = MAX(high, a[i]);
        if (d == 0 || d == g)
            continue;
        g = gcd(d, g);
        if (g == 1)
            return 1;
    }
    return g == 0 || (uint64_t)high - (uint64_t)low > INT64_MAX ? 1 : g;
}

/* The inverse of an odd number modulo 2^64 (Newton: each step doubles the valid bits). */
static uint64_t inverse(uint64_t odd)
{
    uint64_t x = odd * 3 ^ 2; /* 5 bits */
    for (int i = 0; i < 4; i++)
        x *= 2 - odd * x;
    return x;
}

/* q[i] = (a[i] - a[0]) / divisor; the division is exact, so it is a shift and a multiplication. */
static void quotients(const int64_t *a, uint32_t n, uint64_t divisor, int64_t *q)
{
    uint64_t first = (uint64_t)a[0];
    if (divisor == 1) {
        for (uint32_t i = 0; i < n; i++)
            q[i] = (int64_t)((uint64_t)a[i] - first);
        return;
    }
    unsigned shift = (unsigned)__builtin_ctzll(divisor);
    uint64_t factor = inverse(divisor >> shift);
    for (uint32_t i = 0; i < n; i++)
        q[i] = (int64_t)((uint64_t)((int64_t)((uint64_t)a[i] - first) >> shift) * factor);
}

/* The n - order residuals of the quotients. */
static void residuals(const int64_t *q, uint32_t n, enum stream_order order, uint64_t *r)
{
    const uint64_t *u = (const uint64_t *)q; /* the same type but for its sign */
    if (order == ORDER_VALUE)
        memcpy(r, q, n * sizeof(*r));
    else if (order == ORDER_DELTA)
        for (uint32_t i = 1; i < n; i++)
            r[i - 1] = u[i] - u[i - 1];
    else
        for (uint32_t i = 2; i < n; i++)
            r[i - 2] = u[i] - 2 * u[i - 1] + u[i - 2];
}

static void codes_zigzag(const uint64_t *r, uint32_t n, uint64_t *code)
{
    for (uint32_t i = 0; i < n; i++)
        code[i] = zigzag((int64_t)r[i]);
}

static void codes_offset(const uint64_t *r, uint32_t n, int64_t lowest, uint64_t *code)
{
    for (uint32_t i = 0; i < n; i++)
        code[i] = r[i] - (uint64_t)lowest;
}

static int64_t lowest_of(const uint64_t *r, uint32_t n)
{
    int64_t low = INT64_MAX;
    for (uint32_t i = 0; i < n; i++)
        low = MIN(low, (int64_t)r[i]);
    return low;
}

/* Bytes before the packing, but for the offset codes' lowest residual. */
static size_t head_bytes(const int64_t *a, const int64_t *q, enum stream_order order,
                         uint64_t divisor)
{
    size_t bytes = 1 + varint_size(zigzag(a[0]));
    if (divisor > 1)
        bytes += varint_size(divisor);
    return bytes + (order == ORDER_DELTA2 ? varint_size(zigzag(q[1])) : 0);
}

/* Take the best packing of the codes if it makes the stream smaller. */
static void consider(struct stream_plan *plan, size_t head, const uint64_t *code, uint32_t m,
                     struct stream_plan *best)
{
    if (head >= best->bytes)
        return;
    plan->bytes = head + pack_choose(code, m, best->bytes - head, &plan->kind);
    if (plan->bytes < best->bytes)
        *best = *plan;
}

static void plan_order(const int64_t *a, uint32_t n, enum stream_order order, uint64_t divisor,
                       struct codec_scratch *s, struct stream_plan *best)
{
    uint32_t m = n - (uint32_t)order;
    size_t head = head_bytes(a, s->quotient, order, divisor);
    struct stream_plan plan = {.order = order, .divisor = divisor, .zigzag = true};
    residuals(s->quotient, n, order, s->residual);
    int64_t lowest = lowest_of(s->residual, m);
    if (lowest < 0) { /* otherwise zigzag codes are one bit wider */
        codes_zigzag(s->residual, m, s->code);
        consider(&plan, head, s->code, m, best);
    }
    plan.zigzag = false;
    plan.lowest = lowest;
    codes_offset(s->residual, m, lowest, s->code);
    consider(&plan, head + varint_size(zigzag(lowest)), s->code, m, best);
}

static bool all_equal(const int64_t *a, uint32_t n)
{
    uint64_t differ = 0;
    for (uint32_t i = 1; i < n; i++)
        differ |= (uint64_t)a[i] ^ (uint64_t)a[0];
    return differ == 0;
}

struct stream_plan stream_plan(const int64_t *a, uint32_t n, size_t limit, struct codec_scratch *s)
{
    struct stream_plan best = {.bytes = limit, .order = ORDER_EQUAL, .divisor = 1};
    if (all_equal(a, n)) {
        best.bytes = MIN(limit, 1u + varint_size(zigzag(a[0])));
        return best;
    }
    uint64_t divisor = common_divisor(a, n);
    quotients(a, n, divisor, s->quotient);
    plan_order(a, n, ORDER_DELTA, divisor, s, &best);
    plan_order(a, n, ORDER_VALUE, divisor, s, &best);
    if (n > ORDER_DELTA2)
        plan_order(a, n, ORDER_DELTA2, divisor, s, &best);
    return best;
}

void stream_put(const int64_t *a, uint32_t n, const struct stream_plan *plan,
                struct codec_scratch *s, struct buf *out)
{
    uint32_t m = n - (uint32_t)plan->order;
    unsigned head = (unsigned)plan->order | (unsigned)plan->kind << HEAD_KIND_SHIFT;
    head |= (plan->zigzag ? HEAD_ZIGZAG : 0u) | (plan->divisor > 1 ? HEAD_DIVISOR : 0u);
    buf_put_u8(out, (uint8_t)head);
    buf_put_zigzag(out, a[0]);
    if (plan->order == ORDER_EQUAL)
        return;
    quotients(a, n, plan->divisor, s->quotient);
    residuals(s->quotient, n, plan->order, s->residual);
    if (plan->divisor > 1)
        buf_put_varint(out, plan->divisor);
    if (plan->order == ORDER_DELTA2)
        buf_put_zigzag(out, s->quotient[1]);
    if (plan->zigzag) {
        codes_zigzag(s->residual, m, s->code);
    } else {
        buf_put_zigzag(out, plan->lowest);
        codes_offset(s->residual, m, plan->lowest, s->code);
    }
    pack_put(plan->kind, s->code, m, s->spare, out);
}

/* --- reading --- */

err stream_open(struct stream *s, uint32_t n, struct reader *in, int64_t head[2],
                uint32_t *head_count)
{
    uint8_t bits = read_u8(in);
    unsigned order = bits & HEAD_ORDER, kind = bits >> HEAD_KIND_SHIFT & HEAD_KIND;
    *s = (struct stream){.order = (uint8_t)order, .zigzag = bits & HEAD_ZIGZAG, .divisor = 1};
    s->last = (uint64_t)read_zigzag_padded(in);
    head[0] = (int64_t)s->last;
    *head_count = 1;
    if (order == ORDER_EQUAL) {
        return in->overrun || bits != ORDER_EQUAL ? ERR_CORRUPT : OK;
    }
    if (bits & HEAD_UNUSED || kind >= PACK_KINDS || order >= n)
        return ERR_CORRUPT;
    if (bits & HEAD_DIVISOR)
        s->divisor = read_varint_padded(in);
    if (order == ORDER_DELTA2) {
        s->delta = (uint64_t)read_zigzag_padded(in) * s->divisor;
        s->last += s->delta;
        head[1] = (int64_t)s->last;
    }
    *head_count = order;
    if (!s->zigzag)
        s->lowest = (uint64_t)read_zigzag_padded(in);
    if (in->overrun)
        return ERR_CORRUPT;
    return unpack_open(&s->residuals, (enum pack_kind)kind, n - order, in);
}

/* Residuals from codes, in place. */
HOT_CLONES static void decode_residuals(uint64_t *r, uint32_t n, bool zigzag, uint64_t lowest,
                                        uint64_t divisor)
{
    if (zigzag)
        for (uint32_t i = 0; i < n; i++)
            r[i] = (uint64_t)unzigzag(r[i]);
    else
        for (uint32_t i = 0; i < n; i++)
            r[i] += lowest;
    if (divisor != 1)
        for (uint32_t i = 0; i < n; i++)
            r[i] *= divisor;
}

void stream_block(struct stream *s, const struct pack_block *b, int64_t *out)
{
    uint64_t r[PACK_BLOCK], last = s->last, delta = s->delta;
    pack_block_values(b, r);
    decode_residuals(r, b->n, s->zigzag, s->lowest, s->divisor);
    if (s->order == ORDER_VALUE)
        for (uint32_t i = 0; i < b->n; i++)
            out[i] = (int64_t)(last + r[i]);
    else if (s->order == ORDER_DELTA)
        for (uint32_t i = 0; i < b->n; i++)
            out[i] = (int64_t)(last += r[i]);
    else
        for (uint32_t i = 0; i < b->n; i++)
            out[i] = (int64_t)(last += delta += r[i]);
    s->last = last;
    s->delta = delta;
}

err stream_read(struct reader *in, uint32_t n, int64_t *out)
{
    struct stream s;
    struct pack_block b;
    int64_t head[2];
    uint32_t i;
    TRY(stream_open(&s, n, in, head, &i));
    memcpy(out, head, i * sizeof(*out));
    if (s.order == ORDER_EQUAL) {
        for (; i < n; i++)
            out[i] = head[0];
        return OK;
    }
    while (i < n) {
        TRY(unpack_next(&s.residuals, &b));
        stream_block(&s, &b, out + i);
        i += b.n;
    }
    return OK;
}
