/* decode.h -- YAML nodes into C structs, by tables of fields. A table is the whole grammar of a
 * section: a key that is not in it is an error that names file, line and column. */
#ifndef CONFIG_DECODE_H
#define CONFIG_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/texts.h"
#include "config/yaml.h"

struct yaml_out;

struct decode { /* one document being read */
    const char *path;
    struct arena *arena; /* of everything decoded */
    struct diag *d;
    void *user;          /* of who reads the file */
    bool ignore_unknown; /* keys that no table has are left out instead of refused */
};

struct structs {
    void *items; /* of schema->size bytes each */
    size_t count;
};

enum decode_kind {
    DECODE_BOOL,     /* bool */
    DECODE_INT,      /* int64_t in [min, max] */
    DECODE_FLOAT,    /* double */
    DECODE_TEXT,     /* str */
    DECODE_SECRET,   /* str that is never shown */
    DECODE_DURATION, /* int64_t, milliseconds */
    DECODE_BYTES,    /* uint64_t: 10MB, 1GiB (base 2 in either form, as Prometheus) */
    DECODE_ENUM,     /* int: which of `names` */
    DECODE_TEXTS,    /* struct texts */
    DECODE_PAIRS,    /* struct pairs: a map of texts */
    DECODE_STRUCT,   /* a struct in place */
    DECODE_STRUCTS,  /* struct structs: a list */
    DECODE_CUSTOM,   /* whatever `custom` makes of it */
    DECODE_INLINE,   /* a struct whose keys stand among those of this one */
    DECODE_POINTER,  /* struct *: NULL when the key is missing or null */
    DECODE_TRISTATE, /* int8_t: 0, 1, or what `defaults` put when the key is missing */
    DECODE_PATH,     /* str, joined to the directory of the file */
    DECODE_URL,      /* str; a password in it is never shown */
    DECODE_LIMIT,    /* int64_t >= 0 */
    DECODE_U64,      /* uint64_t */
};

struct decode_schema;

struct decode_field {
    const char *key;
    enum decode_kind kind;
    size_t offset; /* in the struct */
    bool required;
    int64_t min, max;                   /* DECODE_INT, DECODE_DURATION; both 0: any */
    const char *const *names;           /* DECODE_ENUM: ends with NULL */
    const struct decode_schema *schema; /* DECODE_STRUCT, _STRUCTS, _INLINE, _POINTER */
    err (*custom)(struct decode *c, const struct yaml *n, void *place);
    const char *null_text; /* DECODE_STRUCTS: what is wrong with an empty element; NULL: nothing */
    bool shown_when_zero;  /* print.h prints the field even when it is zero */
    bool hidden;           /* print.h never prints it: other fields hold what it said */
    bool flow;             /* DECODE_TEXTS: print.h prints [a, b] */
    bool (*print)(const void *place, struct yaml_out *out); /* DECODE_CUSTOM: see print.h */
};

struct decode_schema {
    const struct decode_field *fields;
    size_t field_count;
    size_t size;               /* of the struct */
    void (*defaults)(void *s); /* of a zeroed struct; NULL */
    err (*check)(struct decode *c, const struct yaml *n, const void *s); /* of the whole; NULL */
    err (*finish)(struct decode *c, const struct yaml *n, void *s); /* as check; may change it */
    const char *type; /* for "field x not found in type ..."; NULL: said otherwise */
};

/* Fill `out` (schema->size bytes) from a map; a null node gives the defaults.
 *   ERR_INVALID  `d`: "path:line:column: field "key": what is wrong"    ERR_LIMIT  arena budget */
MUST_USE err decode_struct(struct decode *c, const struct decode_schema *schema,
                           const struct yaml *n, void *out);

/* An error at a node, in the same words. Returns ERR_INVALID. */
err decode_fail(struct decode *c, const struct yaml *n, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same of a text that may hold anything: it is quoted as Go's %q, then says `what`. */
err decode_fail_quoted(struct decode *c, const struct yaml *n, str text, const char *what);

/* Single values, for custom fields. */
MUST_USE err decode_text(struct decode *c, const struct yaml *n, str *out);
MUST_USE err decode_texts(struct decode *c, const struct yaml *n, struct texts *out);
MUST_USE err decode_pairs(struct decode *c, const struct yaml *n, struct pairs *out);

/* `path` against the directory of the file being read, as an arena string with a NUL behind it;
 * "" stays "". */
MUST_USE err decode_path(struct decode *c, str path, str *out);

/* Read file `path` and decode it into `out`; everything is in `a`, which the caller frees.
 * `max_bytes` at most YAML_SIZE_MAX is read. ERR_NOTFOUND, ERR_IO  the file cannot be read; `d`
 * says so     ERR_INVALID, ERR_LIMIT  as above */
MUST_USE err decode_file(const char *path, const struct decode_schema *schema, struct arena *a,
                         void *out, struct diag *d);

/* Decode a text that would stand at the path of `c`, all of which the caller has set. */
MUST_USE err decode_document(struct decode *c, const struct decode_schema *schema, slice text,
                             void *out);

/* As decode_file() with all of `c` set by the caller: its path is read. */
MUST_USE err decode_file_with(struct decode *c, const struct decode_schema *schema, void *out);

/* Is the field as `c`'s zero or empty value (lists without items, structs of such)? */
bool decode_is_zero(const struct decode_field *f, const void *place);

#endif
