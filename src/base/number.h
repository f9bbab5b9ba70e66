/* number.h -- shortest double to text and back, exact and locale-free (over C++17 <charconv>), in
 * the shapes Prometheus' APIs and PromQL need. Go's strconv is the reference for every format. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
    NUMBER_SIZE_MAX = 352, /* bytes that any function below may write: 'f' of 1e308 or 5e-324 */
};

/* Go's strconv.FormatFloat(v, 'f', -1, 64): shortest digits that read back, never an exponent;
 * "NaN", "+Inf", "-Inf", "-0". Writes at most NUMBER_SIZE_MAX bytes, returns how many. */
size_t number_format_f(double v, char *out);

/* As 'f', but 'e' for 0 < |v| < 1e-6 and |v| >= 1e21: the sample values of the JSON API
 * ("1e+21", "1e-07"). */
size_t number_format_json(double v, char *out);

/* Go's 'e' with precision -1: "1e+00", "1.5e-07". */
size_t number_format_e(double v, char *out);

/* Go's strconv.FormatFloat(v, 'g', -1, 64), which fmt's %g and %v are too: shortest digits, exponent
 * form when the decimal exponent is < -4 or >= 6: "0.1", "1e-05", "123456", "1e+06". */
size_t number_format_g(double v, char *out);

/* Decimal integer; at most 20 bytes. */
size_t number_format_i64(int64_t v, char *out);

/* Read the whole of `s` as Go's strconv.ParseFloat(s, 64) would: decimal with optional sign and
 * exponent, hexadecimal floats (with a 'p' exponent), "inf", "+Inf", "infinity", "nan" (without a sign)
 * in any case, no blanks. `underscores`: '_' may stand between digits and after 0x, as Go has it.
 * Correctly rounded. Out of range gives +-Inf and OK. NaN is 0x7ff8000000000001.
 *   ERR_INVALID  anything else */
MUST_USE err number_parse_f64(str s, bool underscores, double *out);

/* Decimal integer of the whole of `s`, optional sign.
 *   ERR_INVALID  not an integer      ERR_LIMIT  out of the 64-bit range */
MUST_USE err number_parse_i64(str s, int64_t *out);
MUST_USE err number_parse_u64(str s, uint64_t *out);

/* A truth value as Go's strconv.ParseBool reads it: 1, t, T, TRUE, true, True and their opposites.
 * False: it is none; nothing changed. */
MUST_USE bool number_parse_bool(str s, bool *out);

#endif
