/* flags.h -- command line flags in the manner of Prometheus: --name=value, --name value, switches
 * as --name or --no-name; repeating a flag is an error, unknown ones are named. */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/texts.h"

enum flag_type {
    FLAG_BOOL,     /* bool */
    FLAG_TEXT,     /* const char *, the argument's own memory */
    FLAG_DURATION, /* int64_t ms */
    FLAG_BYTES,    /* uint64_t: 512MB, 1GiB, 1024; powers of two as Prometheus has it */
    FLAG_COUNT,    /* uint64_t */
    FLAG_TEXTS,    /* struct texts whose `items` have room for argc; may be repeated */
};

struct flag {
    const char *name, *placeholder, *help;
    enum flag_type type;
    void *value; /* of the type above; holds the default */
    bool given;  /* set by flags_parse() */
};

/* Read argv[0..argc). Arguments that are no flags go to `rest` (room for argc), their number to
 * *rest_count. ERR_INVALID  `d` says which flag and why ERR_NOTFOUND --help or -h was asked for */
MUST_USE err flags_parse(struct flag *flags, size_t count, int argc, char **argv, char **rest,
                         int *rest_count, struct diag *d);

/* Print the flags as a help text. */
void flags_help(const struct flag *flags, size_t count, FILE *to);

/* The value as text, as it would be written on the command line; at most `size` bytes. */
void flag_text(const struct flag *f, char *out, size_t size);

#endif
