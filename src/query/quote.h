/* quote.h -- pieces of a query as error messages show them: Go's %q and %#U. */
#ifndef QUERY_QUOTE_H
#define QUERY_QUOTE_H

#include "base/slice.h"

enum {
    QUOTE_RUNE_SIZE = 32,  /* bytes quote_rune() and quote_rune_code() may write, NUL included */
    QUOTE_TEXT_SIZE = 512, /* of quote_text(); what does not fit is cut */
};

/* The character of `text` at `pos` in single quotes: "'x'", "'\n'"; U+FFFD beyond the end or when
 * it is not UTF-8. */
void quote_rune(str text, size_t pos, char *out);

/* The same as code point: "U+0065 'e'", without the character when it is not printable. */
void quote_rune_code(str text, size_t pos, char *out);

/* `text` in double quotes, NUL-terminated and at most QUOTE_TEXT_SIZE bytes. */
void quote_text(str text, char *out);

/* As quote_text() of the first `runes_max` characters. */
void quote_start(str text, size_t runes_max, char *out);

#endif
