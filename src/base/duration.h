/* duration.h -- Prometheus durations ("1h30m", "15s", "0"), in milliseconds, and API time stamps.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { DURATION_SIZE_MAX = 64 }; /* bytes duration_format() may write */

/* Parse `s` as Prometheus' model.ParseDuration: units y w d h m s ms in this order, each at most
 * once, y = 365 d; "0" without unit. The result is >= 0.
 *   ERR_INVALID  with upstream's text in `d`: empty duration string, not a valid duration string:
 * "x", unknown..., duration out of range */
MUST_USE err duration_parse(str s, int64_t *out_ms, struct diag *d);

/* Format as Prometheus' model.Duration.String(): "1h30m", "15s", "0s"; y and w only when exact.
 * `ms` may be negative ("-5m"). Returns the bytes written. */
size_t duration_format(int64_t ms, char *out);

/* Format as Go's time.Duration.String(): "1h30m0s", "1m0s", "1.5s", "200ms", "0s"; at most
 * DURATION_SIZE_MAX bytes. Returns the bytes written. */
size_t duration_format_go(int64_t ms, char *out);

/* A time parameter of the HTTP API: float seconds since the epoch or RFC 3339 with up to
 * nanoseconds; rounded to milliseconds as upstream does.
 *   ERR_INVALID  cannot parse "x" to a valid timestamp */
MUST_USE err timestamp_parse(str s, int64_t *out_ms, struct diag *d);

/* A duration parameter of the HTTP API (step, timeout): float seconds or a duration.
 *   ERR_INVALID  cannot parse "x" to a valid duration (also: It overflows int64) */
MUST_USE err duration_param_parse(str s, int64_t *out_ms, struct diag *d);

/* RFC 3339 in UTC with milliseconds when not 0: "2026-11-23T06:12:00.5Z". At most 40 bytes. */
size_t timestamp_format_rfc3339(int64_t ms, char *out);

#endif
