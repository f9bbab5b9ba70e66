/* expo_priv.h -- what the readers of the text formats share: tokens, spans, numbers, errors. */
#ifndef INGEST_EXPO_PRIV_H
#define INGEST_EXPO_PRIV_H

#include "ingest/expo.h"

/* Tokens as Prometheus names them in its messages. */
enum expo_token {
    TOKEN_INVALID,
    TOKEN_EOF,
    TOKEN_LINEBREAK,
    TOKEN_HELP,
    TOKEN_TYPE,
    TOKEN_UNIT,
    TOKEN_EOFWORD,
    TOKEN_TEXT,
    TOKEN_COMMENT,
    TOKEN_MNAME,
    TOKEN_QSTRING,
    TOKEN_BRACE_OPEN,
    TOKEN_BRACE_CLOSE,
    TOKEN_LNAME,
    TOKEN_LVALUE,
    TOKEN_COMMA,
    TOKEN_EQUAL,
    TOKEN_TIMESTAMP,
    TOKEN_VALUE,
};

enum expo_state {
    STATE_INIT,
    STATE_META1, /* before the family's name */
    STATE_META2, /* before the text */
    STATE_LABELS,
    STATE_LVALUE,
    STATE_VALUE,
    STATE_TIMESTAMP,
    STATE_EXEMPLAR,
    STATE_EVALUE,
    STATE_ETIMESTAMP,
};

const char *expo_token_name(enum expo_token t);

/* Bytes of a name, by first and later position: CLASS_* bits. */
enum { CLASS_LABEL = 1, CLASS_METRIC = 2, CLASS_DIGIT = 4 };
extern const uint8_t EXPO_CLASS[256];

static inline bool expo_is(char c, unsigned classes)
{
    return (EXPO_CLASS[(uint8_t)c] & classes) != 0;
}

/* The position behind the run of bytes of `classes` from `pos`. */
static inline size_t expo_run(const struct expo *p, size_t pos, unsigned classes)
{
    while (pos < p->len && expo_is(p->page[pos], classes))
        pos++;
    return pos;
}

/* For the lexers: the last byte of the run of `classes` that `p` begins. */
static inline const unsigned char *expo_last_of_run(const unsigned char *p,
                                                    const unsigned char *end, unsigned classes)
{
    do
        p++;
    while (p < end && (EXPO_CLASS[*p] & classes) != 0);
    return p - 1;
}

/* For the lexers: the last byte before the next newline, or of all. */
static inline const unsigned char *expo_last_of_line(const unsigned char *p,
                                                     const unsigned char *end)
{
    const unsigned char *stop = memchr(p, '\n', (size_t)(end - p));
    return (stop != NULL ? stop : end) - 1;
}

static inline str expo_text(const struct expo *p, size_t at, size_t end)
{
    return (str){p->page + at, end - at};
}

/* The bytes of the last token. */
static inline str expo_token_text(const struct expo *p)
{
    return expo_text(p, p->token, p->pos);
}

/* "EXPECTED, got "x" ("TOKEN") while parsing: "line"". Returns ERR_INVALID. */
err expo_unexpected(const struct expo *p, const char *expected, enum expo_token got,
                    struct diag *d);
/* "TEXT while parsing: "line so far"". Returns ERR_INVALID. */
err expo_while_parsing(const struct expo *p, const char *text, struct diag *d);
/* `before`, `quoted` in quotes, `after`. Returns ERR_INVALID. */
err expo_quoted(const char *before, str quoted, const char *after, struct diag *d);

/* Add a pair whose value is not known yet; NULL over EXPO_LABELS_MAX, with `d` filled. */
struct expo_pair *expo_add_pair(struct expo_pairs *pairs, struct diag *d);

/* A number as the text formats write it: Go's ParseFloat without hexadecimal digits and
 * underscores; NaN is the usual one. ERR_INVALID: "... while parsing: "line so far"". */
MUST_USE err expo_float(const struct expo *p, str s, double *out, struct diag *d);

/* The same without words for what is wrong: false, ask expo_float(). */
bool expo_float_plain(str s, double *out);

/* \" \\ and \n replaced; other escapes stay. Aliases `s` without a backslash, else text in `a`. */
str expo_unescape(str s, bool quotes, struct arena *a);

/* Labels of spans, appended to items[*count]. False: arena budget. */
bool expo_put_labels(const struct expo *p, const struct expo_pairs *pairs, enum metric_type type,
                     struct arena *a, struct label *items, size_t *count);

/* Note metadata: what the labels of later series depend on. */
void expo_note_type(struct expo *p, str name, enum metric_type type);

/* The next token of a text page: the lexers (expo_text_lexer.rl, expo_om_lexer.rl). It stands from
 * `token` to `pos`, blanks before it are left out in the text format. TOKEN_INVALID: `pos` is at
 * the byte that does not fit. TOKEN_EOF: the page is over; the token before stays the last. */
enum expo_token expo_text_lex(struct expo *p);
enum expo_token expo_om_lex(struct expo *p);

/* Readers of the formats. */
err expo_text_next(struct expo *p, struct expo_entry *e, struct diag *d);
bool expo_text_peek(const struct expo *p, slice *key);
bool expo_text_take(struct expo *p, slice key, struct expo_entry *e);
err expo_om_next(struct expo *p, struct expo_entry *e, struct diag *d);
bool expo_om_peek(const struct expo *p, slice *key);
bool expo_om_take(struct expo *p, slice key, struct expo_entry *e);
void expo_om_close(struct expo *p);

/* Over the text formats: classic histograms become native ones (expo_classic.c). */
void expo_gather_open(struct expo *p);
void expo_gather_close(struct expo *p);
err expo_gather_next(struct expo *p, struct expo_entry *e, struct diag *d);
/* Must entries be read one by one now? */
bool expo_gather_is_busy(const struct expo *p);
/* True when the last entry was such a histogram: its labels; NULL over the arena's budget. */
bool expo_gather_labels(const struct expo *p, struct arena *a, struct label **out, size_t *count);

void expo_proto_open(struct expo *p);
void expo_proto_close(struct expo *p);
err expo_proto_next(struct expo *p, struct expo_entry *e, struct diag *d);
/* The series' name, how many labels it has at most, and its labels, appended. */
str expo_proto_name(const struct expo *p, struct arena *a);
size_t expo_proto_label_count(const struct expo *p);
err expo_proto_labels(struct expo *p, struct arena *a, struct label *items, size_t *count,
                      struct diag *d);
/* A LabelPair message. False: malformed. */
bool expo_pb_label(slice message, struct label *out);

#endif
