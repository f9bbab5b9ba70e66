/* postable_priv.h -- what the readers of posted alerts and silences share. */
#ifndef HTTP_POSTABLE_PRIV_H
#define HTTP_POSTABLE_PRIV_H

#include "http/postable.h"

/* Parse a body (`what`: "alerts", "silence") after a look at its size and shape. */
MUST_USE err postable_parse_body(slice body, const char *what, struct jtree **out,
                                 struct postable_error *e);

/* Note an error; returns ERR_INVALID. */
err postable_fail(struct postable_error *e, unsigned status, unsigned code, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* A value of another type than it must have: 400. */
err postable_fail_type(struct postable_error *e, const char *what, const char *where,
                       const struct jtree *n, const char *wanted);

/* A text, or nothing (*out is {NULL, 0}). */
MUST_USE err postable_text(const struct jtree *object, const char *key, const char *what,
                           const char *prefix, str *out, struct postable_error *e);

/* A time, or nothing (*given is false). */
MUST_USE err postable_time_of(const struct jtree *object, const char *key, const char *what,
                              const char *prefix, int64_t *out_ms, bool *given,
                              struct postable_error *e);

#endif
