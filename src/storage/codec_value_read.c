#include "base/assert.h"
#include "storage/codec_bits_priv.h"
#include "storage/codec_value.h"
#include "storage/codec_value_priv.h"
#include "storage/codec_xor.h"

const uint64_t special_bits[SPECIAL_COUNT] = {
    STALE_NAN_BITS,
    NORMAL_NAN_BITS,
    UINT64_C(0x7ff0000000000000), /* +Inf */
    UINT64_C(0xfff0000000000000), /* -Inf */
    UINT64_C(0x8000000000000000), /* -0 */
};

const double power10[DECIMALS_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};
const double power10_inverse[DECIMALS_MAX + 1] = {
    1e-0,  1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,  1e-8,  1e-9,  1e-10, 1e-11,
    1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19, 1e-20, 1e-21, 1e-22,
};

HOT_CLONES static void fill(double *out, uint32_t n, double v)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = v;
}

/* The same, writing up to CODEC_PAD - 1 more. */
HOT_CLONES static void fill_padded(double *out, uint32_t n, double v)
{
    for (uint32_t i = 0; i < n; i += CODEC_PAD)
        for (uint32_t k = 0; k < CODEC_PAD; k++)
            out[i + k] = v;
}

/* The tag's parameter: e, or k of FIX2, whose short form is negative. */
static err read_param(struct reader *in, uint8_t tag, int sign, int64_t low, int64_t high,
                      int64_t *param)
{
    int64_t v = tag >> TAG_PARAM_SHIFT;
    v = v == PARAM_LONG ? read_zigzag_padded(in) : sign * v;
    if (in->overrun || v < low || v > high)
        return ERR_CORRUPT;
    *param = v;
    return OK;
}

static err read_special(struct reader *in, uint8_t code, double *v)
{
    if (code > SPECIAL_RAW)
        return ERR_CORRUPT;
    *v = f64_from_bits(code == SPECIAL_RAW ? read_u64(in) : special_bits[code]);
    return in->overrun ? ERR_CORRUPT : OK;
}

static err read_bits(struct reader *in, uint8_t tag, uint32_t n, double *out)
{
    double v;
    if (tag & TAG_EXCEPTIONS)
        return ERR_CORRUPT;
    TRY(read_special(in, tag >> TAG_PARAM_SHIFT, &v));
    fill_padded(out, n, v);
    return OK;
}

static err read_number(struct reader *in, uint8_t tag, uint32_t n, double *out)
{
    int64_t e, a = 0;
    TRY(read_param(in, tag, 1, 0, DECIMALS_MAX, &e));
    if (!(tag & TAG_ZERO))
        a = read_zigzag_padded(in);
    fill_padded(out, n, (double)a / power10[e]);
    return in->overrun ? ERR_CORRUPT : OK;
}

static err read_raw(struct reader *in, uint8_t tag, uint32_t n, double *out)
{
    slice s = read_bytes(in, n * sizeof(*out));
    if (in->overrun || tag != FORM_RAW)
        return ERR_CORRUPT;
    memcpy(out, s.ptr, s.len);
    return OK;
}

static err read_xor(struct reader *in, uint8_t tag, uint32_t n, double *out)
{
    slice s = read_string(in);
    if (in->overrun || tag != FORM_XOR)
        return ERR_CORRUPT;
    return xor_decode_finished(s, n, out);
}

static void scale_ints(const int64_t *a, uint32_t n, const struct scale *scale, double *out)
{
    if (scale->divide)
        for (uint32_t i = 0; i < n; i++)
            out[i] = (double)a[i] / scale->factor;
    else
        for (uint32_t i = 0; i < n; i++)
            out[i] = (double)a[i] * scale->factor;
}

static err read_scaled(struct reader *in, uint32_t n, const struct scale *scale, bool fast,
                       double *out)
{
    struct stream s;
    struct pack_block b;
    int64_t ints[PACK_BLOCK];
    uint32_t i;
    TRY(stream_open(&s, n, in, ints, &i));
    scale_ints(ints, i, scale, out);
    if (s.order == ORDER_EQUAL) {
        fill(out + i, n - i, out[0]);
        return OK;
    }
    for (; i < n; i += b.n) {
        TRY(unpack_next(&s.residuals, &b));
        if (fast && value_block_avx2(&s, &b, scale, out + i))
            continue;
        stream_block(&s, &b, ints);
        scale_ints(ints, b.n, scale, out + i);
    }
    return OK;
}

/* Each exception: a gap to the one before, a code, perhaps a run of equal ones. */
static err read_exceptions(struct reader *in, uint32_t n, double *out)
{
    uint64_t count = read_varint_padded(in), at = 0;
    if (count > n)
        return ERR_CORRUPT;
    for (uint64_t k = 0; k < count; k++) {
        uint64_t head = read_varint_padded(in), run = 1;
        double v;
        at += head >> EXCEPTION_GAP_SHIFT;
        if (head & EXCEPTION_RUN)
            run = read_varint_padded(in);
        TRY(read_special(in, head & EXCEPTION_CODE, &v));
        if (at >= n || run > n - at)
            return ERR_CORRUPT;
        fill(out + at, (uint32_t)run, v);
        at += run;
    }
    return in->overrun ? ERR_CORRUPT : OK;
}

static err read_ints(struct reader *in, uint8_t tag, uint32_t n, bool fast, double *out)
{
    unsigned form = tag & TAG_FORM;
    struct scale scale = {.divide = form == FORM_DIV10};
    int64_t param;
    if (form == FORM_FIX2) {
        TRY(read_param(in, tag, -1, EXPONENT_MIN, EXPONENT_MAX, &param));
        scale.factor = power2((int)param);
    } else {
        TRY(read_param(in, tag, 1, 0, DECIMALS_MAX, &param));
        scale.factor = form == FORM_DIV10 ? power10[param] : power10_inverse[param];
    }
    TRY(read_scaled(in, n, &scale, fast, out));
    return tag & TAG_EXCEPTIONS ? read_exceptions(in, n, out) : OK;
}

/* Decimal integers, then what is to be added to the bits of each. The integers wait in `out`. */
static err read_corrected(struct reader *in, uint8_t tag, uint32_t n, bool fast, double *out)
{
    struct stream s;
    struct pack_block b;
    int64_t c[PACK_BLOCK], e;
    uint32_t i;
    if (tag & TAG_EXCEPTIONS)
        return ERR_CORRUPT;
    TRY(read_param(in, tag, 1, 0, DECIMALS_MAX, &e));
    struct scale scale = {power10[e], true};
    TRY(read_scaled(in, n, &scale, fast, out));
    TRY(stream_open(&s, n, in, c, &i));
    for (uint32_t k = 0; k < i; k++)
        out[k] = f64_from_bits(f64_bits(out[k]) + (uint64_t)c[k]);
    if (s.order == ORDER_EQUAL) {
        for (; i < n; i++)
            out[i] = f64_from_bits(f64_bits(out[i]) + (uint64_t)c[0]);
        return OK;
    }
    for (; i < n; i += b.n) {
        TRY(unpack_next(&s.residuals, &b));
        stream_block(&s, &b, c);
        for (uint32_t k = 0; k < b.n; k++)
            out[i + k] = f64_from_bits(f64_bits(out[i + k]) + (uint64_t)c[k]);
    }
    return OK;
}

static err read_column(struct reader *in, uint32_t n, bool fast, double *out)
{
    if (n == 0 || n > CODEC_SAMPLES_MAX)
        return ERR_CORRUPT;
    uint8_t tag = read_u8(in);
    if (in->overrun)
        return ERR_CORRUPT;
    switch ((enum value_form)(tag & TAG_FORM)) {
    case FORM_BITS:
        return read_bits(in, tag, n, out);
    case FORM_NUMBER:
        return read_number(in, tag, n, out);
    case FORM_RAW:
        return read_raw(in, tag, n, out);
    case FORM_XOR:
        return read_xor(in, tag, n, out);
    case FORM_CORRECT:
        return read_corrected(in, tag, n, fast, out);
    case FORM_FIX2:
    case FORM_DIV10:
    case FORM_MUL10:
        break;
    }
    return read_ints(in, tag, n, fast, out);
}

err value_read(struct reader *in, uint32_t n, double *out)
{
    return read_column(in, n, value_have_avx2(), out);
}

err value_read_portable(struct reader *in, uint32_t n, double *out)
{
    return read_column(in, n, false, out);
}

err value_decode(slice bytes, uint32_t n, double *out)
{
    struct reader in = reader_of(bytes);
    TRY(value_read(&in, n, out));
    return reader_left(&in) == 0 ? OK : ERR_CORRUPT;
}

bool value_never_nan(slice bytes)
{
    if (bytes.len == 0)
        return false;
    unsigned form = bytes.ptr[0] & TAG_FORM;
    if (form == FORM_NUMBER)
        return true;
    bool ints = form == FORM_FIX2 || form == FORM_DIV10 || form == FORM_MUL10;
    return ints && !(bytes.ptr[0] & TAG_EXCEPTIONS);
}
