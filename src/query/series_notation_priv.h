/* series_notation_priv.h -- the scanner of series notation, and its parts that call each other. */
#ifndef QUERY_SERIES_NOTATION_PRIV_H
#define QUERY_SERIES_NOTATION_PRIV_H

#include "query/parser_priv.h"
#include "query/series_notation.h"

enum note_type {
    NOTE_END,
    NOTE_ERROR, /* see lexer.error */
    NOTE_SPACE, /* blanks: any number of them */
    NOTE_BLANK, /* _ */
    NOTE_TIMES, /* x */
    NOTE_ADD,
    NOTE_SUB,
    NOTE_NUMBER,
    NOTE_WORD, /* of values; token.type says of which kind */
    NOTE_OPEN, /* {{ */
    NOTE_CLOSE,
    NOTE_KEY, /* of a histogram */
    NOTE_HINT,
    NOTE_COLON,
    NOTE_LEFT_BRACKET,
    NOTE_RIGHT_BRACKET,
};

struct notation {
    struct parser p; /* text, arena, diagnostics; its lexer reads the metric */
    size_t pos;      /* of what was not yet scanned, behind the metric */
    enum note_type type;
    struct token token; /* the next one, when `peeked` */
    bool peeked;
    bool in_histogram, in_brackets;
    bool has_key; /* the histogram at hand has a complete key */
    struct list places;
};

enum note_type notation_peek(struct notation *n);
/* Consume the token, which was peeked at and is no error. */
struct token notation_take(struct notation *n);
bool notation_accept(struct notation *n, enum note_type type);
str notation_text(const struct notation *n, struct token t);

/* The next token is not what the grammar wants. Without `context` none is named. */
err notation_unexpected(struct notation *n, const char *context, const char *expected);

/* A number, which is next, with or without a sign; an integer without a sign. */
MUST_USE err notation_number(struct notation *n, double *out);
MUST_USE err notation_uint(struct notation *n, uint64_t *out);

/* series_notation_histogram.c: a histogram, whose {{ was taken. */
MUST_USE err notation_histogram(struct notation *n, struct histogram **out);

#endif
