/* err.h -- result codes shared by every module, named by what the caller must do. 0 is success. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

typedef enum err {
    OK = 0,
    ERR_INVALID,     /* the input broke a documented rule; tell its author, do not retry */
    ERR_ORDER,       /* a sample's time or value conflicts with what is stored */
    ERR_FULL,        /* fixed capacity reached; start a new object */
    ERR_LIMIT,       /* a configured budget or limit is exceeded */
    ERR_NOTFOUND,    /* the thing asked for does not exist */
    ERR_CORRUPT,     /* stored bytes failed validation */
    ERR_IO,          /* the operating system said no; errno was logged at the origin */
    ERR_NOSPACE,     /* the disk is full; writes may succeed later */
    ERR_BUSY,        /* overloaded or not ready; the same call may succeed later */
    ERR_CANCELED,    /* whoever asked no longer wants the answer */
    ERR_TIMEOUT,     /* the deadline passed */
    ERR_UNSUPPORTED, /* valid, but this build or configuration does not do it */
    ERR_RETRY,       /* state moved underneath; start the operation again */
} err;

/* Name of `e` in lower case ("corrupt"); static storage. */
const char *err_name(err e);

/* A diagnostic for input that a person wrote (query, flag, configuration, request): where and what.
 * Filled at the origin of the error; the first one wins. Positions are bytes into the input. */
enum { DIAG_TEXT_SIZE = 1024 };
struct diag {
    size_t start, end;         /* byte range the message is about; equal when unknown */
    char text[DIAG_TEXT_SIZE]; /* NUL-terminated UTF-8, "" when nothing was reported */
};

/* Fill `d` with a formatted message (cut at DIAG_TEXT_SIZE) unless it holds one already or is NULL;
 * returns `e`, so that `return diag_set(d, ERR_INVALID, ...)` reads as one step. */
err diag_set(struct diag *d, err e, const char *format, ...) PRINTF_LIKE(3, 4);

/* As diag_set(), with the byte range [start, end) of the input. */
err diag_at(struct diag *d, size_t start, size_t end, err e, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* Propagate an error when nothing is held; otherwise `goto out`. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        err try_err = (expr);                                                                      \
        if (UNLIKELY(try_err != OK))                                                               \
            return try_err;                                                                        \
    } while (0)

#endif
