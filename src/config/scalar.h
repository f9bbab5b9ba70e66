/* scalar.h -- what YAML scalars mean where a truth value, a number or a size is wanted, as the
 * library of upstream (Go's yaml.v2) and its types take them. Quoted scalars are texts, never
 * these. */
#ifndef CONFIG_SCALAR_H
#define CONFIG_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "config/yaml.h"

enum { SCALAR_FAULT_SIZE = 128 };

/* true, yes, on, y in the three ways to write them, and their opposites. */
bool scalar_bool(const struct yaml *n, bool *out);

/* Whole numbers: decimal, 0x, 0b, 0o or 0 for octal, with _ between digits; 3.0 and 1e3 are whole.
 */
bool scalar_i64(const struct yaml *n, int64_t *out);
bool scalar_u64(const struct yaml *n, uint64_t *out);
bool scalar_f64(const struct yaml *n, double *out);

/* Sizes: "10MB", "1.5GiB", "1MB200KB"; units are base 2 in either form; "0" needs none. What is
 * wrong in `text` (SCALAR_FAULT_SIZE bytes), or NULL. */
const char *scalar_size(str s, uint64_t *out, char *text);

/* The bytes that `text` stands for in base64 (standard alphabet, padded; line breaks are skipped).
 *   ERR_INVALID  it is not base64      ERR_LIMIT  arena budget */
MUST_USE err scalar_base64(str text, struct arena *a, str *out);

#endif
