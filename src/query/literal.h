/* literal.h -- values of the number, duration and string tokens of a query. */
#ifndef QUERY_LITERAL_H
#define QUERY_LITERAL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* The value of a number as Go's ParseInt(s, 0, 64) and then ParseFloat(s, 64) read it: 017 and 0x1F
 * are integers, 08 is 8, underscores separate digits. ERR_INVALID  not a number      ERR_LIMIT  a
 * number beyond the range of a double */
MUST_USE err literal_number(str s, double *out);

/* Append the value of a string token with its quotes, which the lexer has checked, to `a`.
 *   ERR_INVALID  not such a token      ERR_LIMIT  arena budget */
MUST_USE err literal_string(str s, struct arena *a, str *out);

/* Milliseconds in seconds, as Go's Duration.Seconds() rounds them. */
double literal_seconds(int64_t ms);

#endif
