/* sample.h -- one float sample, and the special values of Prometheus. */
#ifndef MODEL_SAMPLE_H
#define MODEL_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* The NaN that says "this series has ended" and the one that parsers give for NaN; a stale marker
 * is recognised by its bits, never by isnan(). Source: Prometheus model/value. */
#define STALE_NAN_BITS  UINT64_C(0x7ff0000000000002)
#define NORMAL_NAN_BITS UINT64_C(0x7ff8000000000001)

struct sample {
    int64_t ts_ms;
    double value;
};

static inline bool value_is_stale(double v)
{
    return f64_bits(v) == STALE_NAN_BITS;
}

#endif
