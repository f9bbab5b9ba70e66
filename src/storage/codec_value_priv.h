/* codec_value_priv.h -- parts of the value column that its encoder, its decoder and the histogram
 * column share. Format: docs/formats/chunks.md, "Values". */
#ifndef STORAGE_CODEC_VALUE_PRIV_H
#define STORAGE_CODEC_VALUE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/err.h"
#include "model/sample.h"
#include "storage/codec_stream_priv.h"

/* Low bits of the tag, the first byte of a column: what the rest is. */
enum value_form {
    FORM_BITS = 0,    /* constant: a special or any bits */
    FORM_FIX2 = 1,    /* a * 2^k */
    FORM_DIV10 = 2,   /* a / 10^e */
    FORM_MUL10 = 3,   /* a * 10^-e, the factor rounded */
    FORM_NUMBER = 4,  /* constant: a / 10^e */
    FORM_RAW = 5,     /* n doubles */
    FORM_CORRECT = 6, /* a / 10^e, then c added to the bits */
    FORM_XOR = 7,     /* XOR stream */
};

enum {
    TAG_FORM = 0x07,
    TAG_EXCEPTIONS = 0x08, /* FIX2, DIV10, MUL10: exceptions follow the integers */
    TAG_ZERO = 0x08,       /* NUMBER: a is 0 and left out */
    TAG_PARAM_SHIFT = 4,   /* e or -k, or the special's code; PARAM_LONG: a zigzag varint follows */
    PARAM_LONG = 15,
    DECIMALS_MAX = 22, /* powers of ten to here are exact doubles */
    EXPONENT_MIN = -1074,
    EXPONENT_MAX = 1023,
};

/* Values that integers cannot stand for, by code; SPECIAL_RAW has its bits behind it. */
enum { SPECIAL_COUNT = 5, SPECIAL_RAW = 5 };
extern const uint64_t special_bits[SPECIAL_COUNT];

/* Head of an exception: varint of gap, EXCEPTION_RUN, code. */
enum { EXCEPTION_CODE = 0x07, EXCEPTION_RUN = 0x08, EXCEPTION_GAP_SHIFT = 4 };

/* 10^e and 10^-e, correctly rounded. */
extern const double power10[DECIMALS_MAX + 1], power10_inverse[DECIMALS_MAX + 1];

/* 2^k, EXPONENT_MIN <= k <= EXPONENT_MAX. */
static inline double power2(int k)
{
    return f64_from_bits(k >= -1022 ? (uint64_t)(k + 1023) << 52 : UINT64_C(1) << (k + 1074));
}

/* How an integer becomes a double: a / factor or a * factor. */
struct scale {
    double factor;
    bool divide;
};

static inline double scaled(int64_t a, const struct scale *scale)
{
    return scale->divide ? (double)a / scale->factor : (double)a * scale->factor;
}

/* As value_decode(), consuming the column from `in`; more may follow it there. */
MUST_USE err value_read(struct reader *in, uint32_t n, double *out);

/* The same without vector instructions of the machine; the results are the same. For tests. */
MUST_USE err value_read_portable(struct reader *in, uint32_t n, double *out);

/* Decode the block `b` of `s` to doubles, b->n of them and at most CODEC_PAD - 1 of garbage, and
 * advance `s`. False, with nothing done, when exactness is not certain in its 32-bit lanes, or when
 * the machine has no AVX2. */
bool value_block_avx2(struct stream *s, const struct pack_block *b, const struct scale *scale,
                      double *out);
bool value_have_avx2(void);

#endif
