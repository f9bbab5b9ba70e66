#include "storage/codec_time.h"

#include "base/assert.h"
#include "storage/codec_scratch_priv.h"
#include "storage/codec_stream_priv.h"

/* First byte of a column. */
enum time_form {
    TIME_REGULAR = 0, /* t0, step */
    TIME_LINEAR = 1,  /* t0, step, then residuals from the line in a packing */
    TIME_STREAM = 2,  /* an integer stream */
};
enum { TIME_FORM = 0x03, TIME_KIND_SHIFT = 2, STEPS_TRIED = 3, ROUND_STEP_MS = 1000 };

struct time_plan {
    size_t bytes;
    enum time_form form;
    enum pack_kind kind;
    uint64_t first, step; /* modulo 2^64 */
    struct stream_plan stream;
};

/* u[i] = t[i] - (first + i * step) with the largest `first` that leaves none negative. */
static uint64_t from_line(const int64_t *t, uint32_t n, uint64_t step, uint64_t *u)
{
    int64_t low = 0;
    for (uint32_t i = 0; i < n; i++) {
        u[i] = (uint64_t)t[i] - (uint64_t)t[0] - i * step;
        low = MIN(low, (int64_t)u[i]);
    }
    for (uint32_t i = 0; i < n; i++)
        u[i] -= (uint64_t)low;
    return (uint64_t)t[0] + (uint64_t)low;
}

static void offer_line(const int64_t *t, uint32_t n, uint64_t step, struct codec_scratch *s,
                       struct time_plan *best)
{
    uint64_t first = from_line(t, n, step, s->code), differ = 0;
    size_t head = 1 + varint_size(zigzag((int64_t)first)) + varint_size(step);
    for (uint32_t i = 0; i < n; i++)
        differ |= s->code[i];
    if (differ == 0 && head < best->bytes)
        *best = (struct time_plan){head, TIME_REGULAR, PACK_PLAIN, first, step, {0}};
    if (differ == 0)
        return;
    if (head >= best->bytes)
        return;
    struct time_plan plan = {.form = TIME_LINEAR, .first = first, .step = step};
    plan.bytes = head + pack_choose(s->code, n, best->bytes - head, &plan.kind);
    if (plan.bytes < best->bytes)
        *best = plan;
}

/* Steps to try: the first one, the mean, the mean in whole seconds. */
static void offer_lines(const int64_t *t, uint32_t n, struct codec_scratch *s,
                        struct time_plan *best)
{
    uint64_t span = (uint64_t)t[n - 1] - (uint64_t)t[0], gaps = n - 1;
    uint64_t mean = span / gaps + (span % gaps >= (gaps + 1) / 2);
    uint64_t steps[STEPS_TRIED] = {(uint64_t)t[1] - (uint64_t)t[0], mean, 0};
    steps[2] = (mean / ROUND_STEP_MS + (mean % ROUND_STEP_MS >= ROUND_STEP_MS / 2)) * ROUND_STEP_MS;
    for (unsigned k = 0; k < STEPS_TRIED && best->form != TIME_REGULAR; k++) {
        bool tried = false;
        for (unsigned j = 0; j < k; j++)
            tried |= steps[j] == steps[k];
        if (!tried)
            offer_line(t, n, steps[k], s, best);
    }
}

static void put_plan(const int64_t *t, uint32_t n, const struct time_plan *p,
                     struct codec_scratch *s, struct buf *out)
{
    buf_put_u8(out, (uint8_t)((unsigned)p->form | (unsigned)p->kind << TIME_KIND_SHIFT));
    if (p->form == TIME_STREAM) {
        stream_put(t, n, &p->stream, s, out);
        return;
    }
    buf_put_zigzag(out, (int64_t)p->first);
    buf_put_varint(out, p->step);
    if (p->form == TIME_REGULAR)
        return;
    (void)from_line(t, n, p->step, s->code);
    pack_put(p->kind, s->code, n, s->spare, out);
}

void time_encode(const int64_t *ts_ms, uint32_t n, struct codec_scratch *s, struct buf *out)
{
    ASSERT(n >= 1 && n <= CODEC_SAMPLES_MAX);
    for (uint32_t i = 1; i < n; i++)
        DASSERT(ts_ms[i] > ts_ms[i - 1]);
    struct time_plan best = {.bytes = SIZE_MAX, .form = TIME_STREAM};
    if (n == 1)
        best = (struct time_plan){.form = TIME_REGULAR, .first = (uint64_t)ts_ms[0]};
    else
        offer_lines(ts_ms, n, s, &best);
    if (best.form != TIME_REGULAR) {
        struct stream_plan plan = stream_plan(ts_ms, n, best.bytes - 1, s);
        if (1 + plan.bytes < best.bytes)
            best = (struct time_plan){.form = TIME_STREAM, .stream = plan};
    }
    put_plan(ts_ms, n, &best, s, out);
}

/* out[i] = line + i * step + u[i] */
HOT_CLONES static void add_line(uint64_t line, uint64_t step, const uint64_t *u, uint32_t n,
                                int64_t *out)
{
    for (uint32_t i = 0; i < n; i++, line += step)
        out[i] = (int64_t)(line + u[i]);
}

static err read_linear(struct reader *in, unsigned form, unsigned kind, uint32_t n, int64_t *out)
{
    uint64_t u[PACK_BLOCK] = {0};
    uint64_t first = (uint64_t)read_zigzag(in), step = read_varint(in);
    if (in->overrun || kind >= PACK_KINDS)
        return ERR_CORRUPT;
    if (form == TIME_REGULAR) {
        for (uint32_t i = 0; i < n; i += PACK_BLOCK)
            add_line(first + i * step, step, u, MIN(n - i, (uint32_t)PACK_BLOCK), out + i);
        return kind == 0 ? OK : ERR_CORRUPT;
    }
    struct unpacker r;
    struct pack_block b;
    TRY(unpack_open(&r, (enum pack_kind)kind, n, in));
    for (uint32_t i = 0; i < n; i += b.n) {
        TRY(unpack_next(&r, &b));
        pack_block_values(&b, u);
        add_line(first + i * step, step, u, b.n, out + i);
    }
    return OK;
}

HOT_CLONES static bool increasing(const int64_t *t, uint32_t n)
{
    unsigned bad = 0;
    for (uint32_t i = 1; i < n; i++)
        bad |= t[i] <= t[i - 1];
    return bad == 0;
}

err time_decode(slice bytes, uint32_t n, int64_t *out)
{
    struct reader in = reader_of(bytes);
    if (n == 0 || n > CODEC_SAMPLES_MAX)
        return ERR_CORRUPT;
    uint8_t head = read_u8(&in);
    unsigned form = head & TIME_FORM, kind = head >> TIME_KIND_SHIFT;
    if (form > TIME_STREAM || (form == TIME_STREAM && kind != 0))
        return ERR_CORRUPT;
    TRY(form == TIME_STREAM ? stream_read(&in, n, out) : read_linear(&in, form, kind, n, out));
    return !in.overrun && reader_left(&in) == 0 && increasing(out, n) ? OK : ERR_CORRUPT;
}
