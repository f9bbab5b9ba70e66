#include "storage/codec_value.h"

#include <math.h>

#include "base/assert.h"
#include "storage/codec_bits_priv.h"
#include "storage/codec_scratch_priv.h"
#include "storage/codec_value_priv.h"
#include "storage/codec_xor.h"

/* Adding 1.5 * 2^52 rounds a double of a magnitude below 2^51 to an integer, to even in the middle;
 * the integer is then the difference of the bits. */
#define ROUND_MAGIC (1.5 * (1ll << 52))
enum { ROUND_EXPONENT = 0x433, SIGN_EXPONENT_SHIFT = 52 };

enum {
    DECIMALS_TRIED = 17,
    SAMPLES_TRIED = 16,       /* values that decide whether decimals are worth a pass */
    EXCEPTION_COST_BITS = 88, /* of a raw exception, for the choice of decimals */
    CORRECT_MIN_BYTES = 2,    /* per value: only columns larger than this are worth corrections */
    XOR_MIN_BYTES = 5,
    FIX2_BITS_MAX = 62,
    FIX2_SHIFT_MAX = 960, /* magnitude of k, so that 2^k and 2^-k are normal */
    FIX2_PLAIN_BITS = 51,
    FIX2_SHORT = 4, /* binary fractions to 2^-4 have as few decimals */
    FORMS_OF_INTS = 2,
};

/* The smallest encoding so far. */
struct candidate {
    size_t bytes;
    enum value_form form;
    int param;   /* e or k */
    unsigned at; /* which ints (pair) and exceptions of the scratch it has */
    struct stream_plan plan, correction;
};

struct encoder {
    const double *v;
    uint32_t n;
    struct codec_scratch *s;
    struct candidate best;
};

/* The half of the scratch that the best candidate does not occupy. */
static unsigned free_half(const struct encoder *e)
{
    return 1 - e->best.at;
}

static int64_t *ints_of(const struct encoder *e, unsigned half)
{
    return e->s->ints[FORMS_OF_INTS * half];
}

static int64_t *corrections_of(const struct encoder *e, unsigned half)
{
    return e->s->ints[FORMS_OF_INTS * half + 1];
}

/* --- constants --- */

static unsigned special_code(uint64_t bits)
{
    unsigned code = 0;
    while (code < SPECIAL_COUNT && special_bits[code] != bits)
        code++;
    return code;
}

static bool is_constant(const double *v, uint32_t n)
{
    uint64_t first = f64_bits(v[0]);
    for (uint32_t i = 1; i < n; i++)
        if (f64_bits(v[i]) != first)
            return false;
    return true;
}

/* The integer a with a / 10^decimals == v (or a * 10^-decimals), bit for bit; false when none of a
 * magnitude below 2^51 is. */
static bool to_decimal(double v, unsigned decimals, bool divide, int64_t *a)
{
    double shifted = v * power10[decimals] + ROUND_MAGIC, whole = shifted - ROUND_MAGIC;
    double back = divide ? whole / power10[decimals] : whole * power10_inverse[decimals];
    if (f64_bits(back) != f64_bits(v) || f64_bits(shifted) >> SIGN_EXPONENT_SHIFT != ROUND_EXPONENT)
        return false;
    *a = (int64_t)whole;
    return true;
}

static void put_constant(double v, struct buf *out)
{
    uint64_t bits = f64_bits(v);
    int64_t a;
    for (unsigned e = 0; e < PARAM_LONG; e++)
        if (to_decimal(v, e, true, &a)) {
            unsigned tag = FORM_NUMBER | e << TAG_PARAM_SHIFT | (a == 0 ? TAG_ZERO : 0u);
            buf_put_u8(out, (uint8_t)tag);
            if (a != 0)
                buf_put_zigzag(out, a);
            return;
        }
    unsigned code = special_code(bits);
    buf_put_u8(out, (uint8_t)(FORM_BITS | code << TAG_PARAM_SHIFT));
    if (code == SPECIAL_RAW)
        buf_put_u64(out, bits);
}

/* --- exceptions --- */

/* The run of equal exceptions from the k-th on, at adjacent positions. */
static uint32_t exception_run(const double *v, const struct exceptions *x, uint32_t k)
{
    uint32_t run = 1;
    while (k + run < x->count && x->at[k + run] == x->at[k] + run &&
           f64_bits(v[x->at[k + run]]) == f64_bits(v[x->at[k]]))
        run++;
    return run;
}

/* Write the exceptions to `p` (room for all, see below), or only measure them when it is NULL.
 * Returns their bytes, without the count, which goes to `*groups`. */
static size_t exceptions_bytes(const double *v, const struct exceptions *x, struct buf *out,
                               uint32_t *groups)
{
    size_t bytes = 0;
    uint32_t next = 0, run;
    *groups = 0;
    for (uint32_t k = 0; k < x->count; k += run) {
        run = exception_run(v, x, k);
        uint64_t bits = f64_bits(v[x->at[k]]);
        unsigned code = special_code(bits);
        uint64_t head = (uint64_t)(x->at[k] - next) << EXCEPTION_GAP_SHIFT | code;
        head |= run > 1 ? EXCEPTION_RUN : 0u;
        next = x->at[k] + run;
        *groups += 1;
        bytes += varint_size(head) + (run > 1 ? varint_size(run) : 0);
        bytes += code == SPECIAL_RAW ? sizeof(bits) : 0;
        if (out == NULL)
            continue;
        buf_put_varint(out, head);
        if (run > 1)
            buf_put_varint(out, run);
        if (code == SPECIAL_RAW)
            buf_put_u64(out, bits);
    }
    return bytes;
}

/* What an exception leaves in the integers: the integer before it, so that differences are 0
 * (before the first one, the first). */
static void cover_exceptions(int64_t *a, uint32_t n, const struct exceptions *x)
{
    uint32_t first = 0;
    while (first < x->count && x->at[first] == first)
        first++;
    int64_t lead = first < n ? a[first] : 0;
    for (uint32_t k = 0; k < x->count; k++)
        a[x->at[k]] = k < first ? lead : a[x->at[k] - 1];
}

/* --- integers --- */

static bool short_param(enum value_form form, int param)
{
    int nibble = form == FORM_FIX2 ? -param : param;
    return nibble >= 0 && nibble < PARAM_LONG;
}

/* Offer the integers and exceptions in the free half of the scratch. */
static void offer_ints(struct encoder *e, enum value_form form, int param)
{
    unsigned half = free_half(e);
    const struct exceptions *x = &e->s->except[half];
    struct candidate c = {.form = form, .param = param, .at = half};
    uint32_t groups;
    c.bytes = 1 + (short_param(form, param) ? 0 : varint_size(zigzag(param)));
    if (x->count > 0) {
        c.bytes += exceptions_bytes(e->v, x, NULL, &groups);
        c.bytes += varint_size(groups);
    }
    if (c.bytes >= e->best.bytes)
        return;
    c.plan = stream_plan(ints_of(e, half), e->n, e->best.bytes - c.bytes, e->s);
    c.bytes += c.plan.bytes;
    if (c.bytes < e->best.bytes)
        e->best = c;
}

/* Round v * factor to integers; the union of what does not fit, over all values, is 0 when each is
 * exactly the integer. */
HOT_CLONES static uint64_t whole_numbers(const double *v, uint32_t n, int64_t *a)
{
    uint64_t wrong = 0;
    for (uint32_t i = 0; i < n; i++) {
        double shifted = v[i] + ROUND_MAGIC;
        uint64_t bits = f64_bits(shifted);
        a[i] = (int64_t)(bits - f64_bits(ROUND_MAGIC));
        wrong |= bits >> SIGN_EXPONENT_SHIFT ^ ROUND_EXPONENT;
        wrong |= f64_bits(shifted - ROUND_MAGIC) ^ f64_bits(v[i]);
    }
    return wrong;
}

static bool offer_whole(struct encoder *e)
{
    unsigned half = free_half(e);
    if (whole_numbers(e->v, e->n, ints_of(e, half)) != 0)
        return false;
    e->s->except[half].count = 0;
    offer_ints(e, FORM_FIX2, 0);
    return true;
}

/* Integers of all values as decimals; `wrong[i]` is 0 where that is exact. */
HOT_CLONES static void decimals_divide(const double *v, uint32_t n, double power, int64_t *a,
                                       uint64_t *wrong)
{
    for (uint32_t i = 0; i < n; i++) {
        double shifted = v[i] * power + ROUND_MAGIC;
        uint64_t bits = f64_bits(shifted);
        a[i] = (int64_t)(bits - f64_bits(ROUND_MAGIC));
        wrong[i] = (bits >> SIGN_EXPONENT_SHIFT ^ ROUND_EXPONENT) |
                   (f64_bits((shifted - ROUND_MAGIC) / power) ^ f64_bits(v[i]));
    }
}

HOT_CLONES static void decimals_multiply(const double *v, uint32_t n, double power, double inverse,
                                         int64_t *a, uint64_t *wrong)
{
    for (uint32_t i = 0; i < n; i++) {
        double shifted = v[i] * power + ROUND_MAGIC;
        uint64_t bits = f64_bits(shifted);
        a[i] = (int64_t)(bits - f64_bits(ROUND_MAGIC));
        wrong[i] = (bits >> SIGN_EXPONENT_SHIFT ^ ROUND_EXPONENT) |
                   (f64_bits((shifted - ROUND_MAGIC) * inverse) ^ f64_bits(v[i]));
    }
}

/* Fill the free half with the integers for `decimals` and list what they do not fit. */
static struct exceptions *fit_decimals(struct encoder *e, unsigned decimals, bool divide)
{
    unsigned half = free_half(e);
    struct exceptions *x = &e->s->except[half];
    uint64_t *wrong = e->s->spare;
    double power = power10[decimals], inverse = power10_inverse[decimals];
    if (divide)
        decimals_divide(e->v, e->n, power, ints_of(e, half), wrong);
    else
        decimals_multiply(e->v, e->n, power, inverse, ints_of(e, half), wrong);
    x->count = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        x->at[x->count] = (uint16_t)i;
        x->count += wrong[i] != 0;
    }
    return x;
}

/* Least decimals, from `low` on, that fit `v`; above DECIMALS_TRIED when none do. */
static unsigned decimals_of(double v, unsigned low, bool divide)
{
    int64_t a;
    while (low <= DECIMALS_TRIED && !to_decimal(v, low, divide, &a))
        low++;
    return low;
}

static bool is_special(double v)
{
    return special_code(f64_bits(v)) < SPECIAL_COUNT || isnan(v);
}

/* Decimals that fit samples of the column, DECIMALS_TRIED + 1 when many fit none. */
static unsigned sample_decimals(const struct encoder *e, bool divide)
{
    unsigned most = 0, misfits = 0;
    uint32_t tries = MIN(e->n, (uint32_t)SAMPLES_TRIED);
    for (uint32_t k = 0; k < tries; k++) {
        double v = e->v[(uint64_t)k * (e->n - 1) / MAX(tries - 1, 1u)];
        int64_t a;
        if (is_special(v) || to_decimal(v, most, divide, &a))
            continue;
        unsigned decimals = decimals_of(v, most, divide);
        if (decimals <= DECIMALS_TRIED)
            most = decimals;
        else
            misfits++;
    }
    return misfits * 4 > tries ? DECIMALS_TRIED + 1 : most;
}

/* Is it worth more decimals to have fewer exceptions? Each decimal makes every residual 10/3 bits
 * wider. Returns the best number of decimals. */
static unsigned better_decimals(const struct encoder *e, const struct exceptions *x,
                                unsigned decimals, bool divide)
{
    uint32_t count[DECIMALS_TRIED + 2] = {0};
    uint32_t misfits = 0;
    for (uint32_t k = 0; k < x->count; k++) {
        double v = e->v[x->at[k]];
        if (is_special(v))
            continue;
        misfits++;
        count[decimals_of(v, decimals + 1, divide)]++;
    }
    uint64_t least = (uint64_t)misfits * EXCEPTION_COST_BITS * 3;
    unsigned best = decimals;
    for (unsigned d = decimals + 1; d <= DECIMALS_TRIED; d++) {
        misfits -= count[d];
        uint64_t bits =
            (uint64_t)misfits * EXCEPTION_COST_BITS * 3 + (uint64_t)(d - decimals) * 10 * e->n;
        if (count[d] > 0 && bits < least) {
            least = bits;
            best = d;
        }
    }
    return best;
}

/* Offer decimals; true when nothing but specials are exceptions. */
static bool offer_decimals(struct encoder *e, enum value_form form)
{
    bool divide = form == FORM_DIV10, clean = true;
    unsigned decimals = sample_decimals(e, divide);
    if (decimals > DECIMALS_TRIED)
        return false;
    struct exceptions *x = fit_decimals(e, decimals, divide);
    unsigned better = x->count == 0 ? decimals : better_decimals(e, x, decimals, divide);
    if (better != decimals)
        x = fit_decimals(e, better, divide);
    if (x->count == e->n)
        return false;
    for (uint32_t k = 0; k < x->count; k++)
        clean &= is_special(e->v[x->at[k]]);
    cover_exceptions(ints_of(e, free_half(e)), e->n, x);
    offer_ints(e, form, (int)better);
    return clean;
}

/* --- binary scaled integers --- */

/* The lowest and the highest bit that any value (but specials and 0) has, as powers of 2. */
struct bit_range {
    int low, high;
};

static struct bit_range bits_used(const struct encoder *e)
{
    struct bit_range r = {INT32_MAX, INT32_MIN};
    for (uint32_t i = 0; i < e->n; i++) {
        uint64_t bits = f64_bits(e->v[i]), fraction = bits & low_bits(52);
        int exponent = (int)(bits >> 52 & 0x7ff);
        if (is_special(e->v[i]) || bits == 0)
            continue;
        if (exponent > 0)
            fraction |= UINT64_C(1) << 52;
        exponent = MAX(exponent, 1) - 1075;
        r.low = MIN(r.low, exponent + __builtin_ctzll(fraction));
        r.high = MAX(r.high, exponent + (int)bit_width(fraction));
    }
    return r;
}

static void fit_binary(struct encoder *e, int k)
{
    unsigned half = free_half(e);
    struct exceptions *x = &e->s->except[half];
    int64_t *a = ints_of(e, half);
    double factor = power2(-k);
    x->count = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        bool special = is_special(e->v[i]);
        a[i] = special ? 0 : (int64_t)(e->v[i] * factor);
        if (special)
            x->at[x->count++] = (uint16_t)i;
    }
    cover_exceptions(a, e->n, x);
}

/* Offer the values as multiples of a power of two. */
static void offer_binary(struct encoder *e, struct bit_range r)
{
    if (r.low > r.high || r.high - r.low > FIX2_BITS_MAX || r.low < -FIX2_SHIFT_MAX ||
        r.low > FIX2_SHIFT_MAX)
        return;
    int k = r.low > 0 && r.high <= FIX2_PLAIN_BITS ? 0 : r.low;
    fit_binary(e, k);
    offer_ints(e, FORM_FIX2, k);
}

/* --- corrected decimals, XOR --- */

static int64_t round_decimal(double v, unsigned decimals, int64_t otherwise)
{
    double shifted = v * power10[decimals] + ROUND_MAGIC;
    if (f64_bits(shifted) >> SIGN_EXPONENT_SHIFT != ROUND_EXPONENT)
        return otherwise;
    return (int64_t)(shifted - ROUND_MAGIC);
}

static int64_t correction(double v, int64_t a, unsigned decimals)
{
    return (int64_t)(f64_bits(v) - f64_bits((double)a / power10[decimals]));
}

/* Bits that differences of integers and corrections take in runs of 8 values all over the column.
 */
static uint64_t sample_corrected(const struct encoder *e, unsigned decimals)
{
    enum { RUN = 8, RUNS = 8 };
    uint64_t bits = 0;
    uint32_t step = MAX(e->n / RUNS, (uint32_t)RUN);
    for (uint32_t from = 0; from + RUN <= e->n; from += step) {
        int64_t a = 0, c = 0;
        for (uint32_t i = from; i < from + RUN; i++) {
            int64_t a_last = a, c_last = c;
            a = round_decimal(e->v[i], decimals, a);
            c = correction(e->v[i], a, decimals);
            if (i > from)
                bits += bit_width(zigzag((int64_t)((uint64_t)a - (uint64_t)a_last))) +
                        bit_width(zigzag((int64_t)((uint64_t)c - (uint64_t)c_last)));
        }
    }
    return bits;
}

static void offer_corrected(struct encoder *e, unsigned decimals)
{
    unsigned half = free_half(e);
    int64_t *a = ints_of(e, half), *c = corrections_of(e, half), last = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        last = a[i] = round_decimal(e->v[i], decimals, last);
        c[i] = correction(e->v[i], a[i], decimals);
    }
    struct candidate next = {.form = FORM_CORRECT, .param = (int)decimals, .at = half};
    size_t limit = e->best.bytes - 1;
    next.plan = stream_plan(a, e->n, limit, e->s);
    if (next.plan.bytes >= limit)
        return;
    next.correction = stream_plan(c, e->n, limit - next.plan.bytes, e->s);
    next.bytes = 1 + next.plan.bytes + next.correction.bytes;
    if (next.bytes < e->best.bytes)
        e->best = next;
}

/* Offer the two numbers of decimals that look best on samples. */
static void offer_corrections(struct encoder *e)
{
    static const unsigned decimals[] = {2, 3, 4, 6, 7, 9};
    size_t first = 0, second = 0;
    uint64_t least = UINT64_MAX, less = UINT64_MAX;
    for (size_t k = 0; k < COUNT_OF(decimals); k++) {
        uint64_t bits = sample_corrected(e, decimals[k]);
        if (bits < least) {
            less = least;
            second = first;
            least = bits;
            first = k;
        } else if (bits < less) {
            less = bits;
            second = k;
        }
    }
    offer_corrected(e, decimals[first]);
    if (second != first)
        offer_corrected(e, decimals[second]);
}

static void offer_xor(struct encoder *e)
{
    struct xor_state state = {0};
    for (uint32_t i = 0; i < e->n; i++)
        xor_append(&state, e->v[i], e->s->bytes);
    size_t len = xor_finish(&state, e->s->bytes);
    size_t bytes = 1 + varint_size(len) + len;
    if (bytes < e->best.bytes)
        e->best = (struct candidate){.bytes = bytes, .form = FORM_XOR, .param = (int)len};
}

/* --- the column --- */

static void choose(struct encoder *e)
{
    if (offer_whole(e))
        return;
    struct bit_range r = bits_used(e);
    if (r.low >= -FIX2_SHORT && r.high - r.low <= FIX2_PLAIN_BITS && r.low <= r.high) {
        offer_binary(e, r); /* decimals are no shorter */
        return;
    }
    if (offer_decimals(e, FORM_DIV10) || offer_decimals(e, FORM_MUL10))
        return;
    offer_binary(e, r);
    if (e->best.bytes > (size_t)e->n * CORRECT_MIN_BYTES)
        offer_corrections(e);
    if (e->best.bytes > (size_t)e->n * XOR_MIN_BYTES)
        offer_xor(e);
}

static void put_scaled(const struct encoder *e, struct buf *out)
{
    const struct candidate *c = &e->best;
    const struct exceptions *x = &e->s->except[c->at];
    bool is_short = short_param(c->form, c->param);
    unsigned nibble = PARAM_LONG, tag = (unsigned)c->form;
    if (is_short)
        nibble = (unsigned)(c->form == FORM_FIX2 ? -c->param : c->param);
    tag |= nibble << TAG_PARAM_SHIFT;
    if (c->form != FORM_CORRECT && x->count > 0)
        tag |= TAG_EXCEPTIONS;
    buf_put_u8(out, (uint8_t)tag);
    if (!is_short)
        buf_put_zigzag(out, c->param);
    stream_put(ints_of(e, c->at), e->n, &c->plan, e->s, out);
    if (c->form == FORM_CORRECT) {
        stream_put(corrections_of(e, c->at), e->n, &c->correction, e->s, out);
    } else if (x->count > 0) {
        uint32_t groups;
        (void)exceptions_bytes(e->v, x, NULL, &groups);
        buf_put_varint(out, groups);
        (void)exceptions_bytes(e->v, x, out, &groups);
    }
}

void value_encode(const double *v, uint32_t n, struct codec_scratch *s, struct buf *out)
{
    ASSERT(n >= 1 && n <= CODEC_SAMPLES_MAX);
    size_t raw_bytes = n * sizeof(*v);
    struct encoder e = {.v = v, .n = n, .s = s};
    if (is_constant(v, n)) {
        put_constant(v[0], out);
        return;
    }
    e.best = (struct candidate){.bytes = 1 + raw_bytes, .form = FORM_RAW};
    choose(&e);
    size_t before = out->len;
    if (e.best.form == FORM_RAW) {
        buf_put_u8(out, FORM_RAW);
        buf_put(out, v, raw_bytes);
    } else if (e.best.form == FORM_XOR) {
        buf_put_u8(out, FORM_XOR);
        buf_put_varint(out, (uint64_t)e.best.param);
        buf_put(out, s->bytes, (size_t)e.best.param);
    } else {
        put_scaled(&e, out);
    }
    ASSERT(out->len - before == e.best.bytes);
}
