/* err.c -- see err.h. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

static const char *const NAMES[] = {
    [OK] = "ok",
    [ERR_INVALID] = "invalid",
    [ERR_ORDER] = "order",
    [ERR_FULL] = "full",
    [ERR_LIMIT] = "limit",
    [ERR_NOTFOUND] = "not_found",
    [ERR_CORRUPT] = "corrupt",
    [ERR_IO] = "io",
    [ERR_NOSPACE] = "no_space",
    [ERR_BUSY] = "busy",
    [ERR_CANCELED] = "canceled",
    [ERR_TIMEOUT] = "timeout",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_RETRY] = "retry",
};

const char *err_name(err e)
{
    return (size_t)e < COUNT_OF(NAMES) ? NAMES[e] : "unknown";
}

static void fill(struct diag *d, size_t start, size_t end, const char *format, va_list args)
{
    if (d == NULL || d->text[0] != '\0')
        return;
    d->start = start;
    d->end = end;
    (void)vsnprintf(d->text, sizeof(d->text), format, args);
}

err diag_set(struct diag *d, err e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(d, 0, 0, format, args);
    va_end(args);
    return e;
}

err diag_at(struct diag *d, size_t start, size_t end, err e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(d, start, end, format, args);
    va_end(args);
    return e;
}

_Noreturn void assert_fail(const char *expr, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}
