/* expo.h -- exposition formats: pages of samples as targets serve them, read entry by entry.
 *
 *   expo_open(&p, body, &options);
 *   while ((e = expo_next(&p, &entry, d)) == OK && entry.kind != EXPO_END) ...
 *   expo_close(&p);
 *
 * What is accepted, refused and said is what Prometheus 3.14 accepts, refuses and says: a page that
 * breaks the format anywhere is an error as a whole. Who has seen a line before need not have it
 * parsed again: expo_peek() gives the bytes up to where its value should begin; when they are those
 * of an earlier entry's key, expo_take() reads just the value.
 *
 * Entries borrow from the page and from the parser: strings and histograms live as long as both,
 * keys and lists of exemplars until the next entry. Threads: one at a time for each parser. */
#ifndef INGEST_EXPO_H
#define INGEST_EXPO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/exemplar.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/metadata.h"

enum {
    EXPO_LABELS_MAX = 4096,           /* of one line, as the store's; more is ERR_LIMIT */
    EXPO_ARENA_BYTES_MAX = 256 << 20, /* histograms, exemplars, unescaped text of one page */
    EXPO_PADDING = 64,                /* bytes behind the page that may be read */
};

enum expo_format { EXPO_TEXT, EXPO_OPENMETRICS, EXPO_PROTOBUF };

struct expo_options {
    enum expo_format format;
    /* Native histograms are given out (protobuf); the classic form beside the native one, too; what
     * is classic only becomes native with custom buckets. */
    bool native_histograms, classic_histograms, convert_classic;
    bool start_timestamps;     /* OpenMetrics: _created lines are start time stamps, not series */
    bool type_and_unit_labels; /* add __type__ and __unit__ */
};

enum expo_kind {
    EXPO_END,
    EXPO_TYPE,
    EXPO_HELP,
    EXPO_UNIT,
    EXPO_COMMENT,
    EXPO_SERIES,    /* a float sample */
    EXPO_HISTOGRAM, /* a native histogram */
};

struct expo_exemplar {
    struct exemplar exemplar;
    bool has_ts; /* else exemplar.ts_ms means nothing */
};

struct expo_entry {
    enum expo_kind kind;
    slice key;             /* what names the series: the line up to its value. Metadata: the line */
    str name, text;        /* EXPO_TYPE, EXPO_HELP, EXPO_UNIT: family and text */
    enum metric_type type; /* EXPO_TYPE */
    double value;
    int64_t ts_ms;
    int64_t start_ts_ms; /* 0: none */
    bool has_ts;
    const struct histogram *histogram;
    const struct expo_exemplar *exemplars;
    size_t exemplar_count;
};

struct expo_span { /* of bytes of the page */
    size_t at, end;
};

struct expo_pair {
    struct expo_span name, value;
};

struct expo_pairs {
    struct expo_pair *items;
    size_t count, cap;
};

struct expo { /* fields are private to the expo_* files */
    struct expo_options options;
    const char *page;
    size_t len;                 /* of the page; a text page ends in a newline that was added */
    size_t pos;                 /* of the next byte */
    size_t token;               /* where the last token began */
    size_t line;                /* where the present entry began */
    unsigned state;             /* of the lexer */
    enum metric_type type;      /* of the last EXPO_TYPE */
    enum metric_type meta_type; /* the same, with the name it was said of */
    str meta_name, meta_unit;
    struct expo_span name;    /* of the present series; at SIZE_MAX: none yet */
    struct expo_pairs labels; /* of the present series */
    struct expo_pairs exemplar_labels;
    struct expo_exemplar exemplar;
    struct arena arena;
    struct expo_created *created;
    struct expo_proto *proto;
    struct expo_gather *gather;
};

/* Start to read `page`, which gets a newline added if it is text, and padding; it must not change
 * until expo_close(). `p` may be anything. */
void expo_open(struct expo *p, struct buf *page, const struct expo_options *o);
void expo_close(struct expo *p);

/* The next entry, EXPO_END behind the last.
 *   ERR_INVALID  the page breaks the format; `d` has Prometheus' words
 *   ERR_LIMIT    more labels or memory than allowed; `d` names the limit */
MUST_USE err expo_next(struct expo *p, struct expo_entry *e, struct diag *d);

/* All labels of the series that expo_next() gave last, __name__ first, in the page's order: neither
 * sorted nor freed of empty values or repeated names. Items and unescaped text are in `a`.
 *   ERR_LIMIT  its budget      ERR_INVALID  malformed (protobuf) */
MUST_USE err expo_labels(struct expo *p, struct arena *a, struct label **out, size_t *count);

/* Where an entry starts at the cursor: what its key is if the line is written as lines usually are.
 * False: ask expo_next(). Moves nothing. */
bool expo_peek(const struct expo *p, slice *key);

/* `key` came from expo_peek(), and an earlier entry of this format (EXPO_SERIES) had an equal key:
 * read the rest of its line. False, and nothing moved, when that is not plain: ask expo_next(). */
bool expo_take(struct expo *p, slice key, struct expo_entry *e);

/* The same for metadata: `key` is a line that was EXPO_TYPE (then `type` is what it said),
 * EXPO_HELP or EXPO_UNIT before, of family `name`. */
void expo_take_metadata(struct expo *p, slice key, enum expo_kind kind, enum metric_type type,
                        str name);

/* Which format an answer of this Content-Type has, else one of the media type `fallback` ("":
 * none). *warned: the fallback was taken; `d` says why. ERR_INVALID  none that is known; `d` has
 * Prometheus' words */
MUST_USE err expo_format_of(str content_type, str fallback, enum expo_format *out, bool *warned,
                            struct diag *d);

/* A label's value as OpenMetrics writes floats ("1" is "1.0") when it is the le of a histogram or
 * the quantile of a summary; else as it is. Text in `a`; {NULL, 0} over its budget. */
str expo_label_value(enum metric_type type, str name, str value, struct arena *a);

/* Does a series of this name belong to the family? (_total, _bucket, _sum, ... by type.) */
bool expo_is_of_family(str series, str family, enum metric_type type);

#endif
