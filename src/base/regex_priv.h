/* regex_priv.h -- what can be known of an expression without compiling it (regex_scan.c): most
 * expressions of dashboards are lists of names or prefixes, which need no automaton. */
#ifndef BASE_REGEX_PRIV_H
#define BASE_REGEX_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

enum {
    REGEX_LITERAL_BYTES_MAX = 4 << 20, /* memory for the list of literals of one expression */
    REGEX_GLOB_PARTS_MAX = 16,
    REGEX_NESTING_MAX = 32, /* groups within groups in an expression that is a list of literals */
};

/* Text pieces with any text between them: "a.*b.+" is the pieces "a", "b", "" with gaps of at
 * least 0 and 1 bytes. There is at least one gap. */
struct regex_glob {
    str parts[REGEX_GLOB_PARTS_MAX];
    size_t gap_min[REGEX_GLOB_PARTS_MAX]; /* bytes that part i must at least be behind part i-1 */
    size_t count;
};

/* Up to 63 bytes or sets of bytes in a row, each once or repeated, with any text between them, and
 * alternatives of that: "prod-[0-9]+-.*|test.*". One bit a place; the places that what was read so
 * far can end at are kept in a word. */
struct regex_shift {
    uint64_t step[256]; /* places that the byte leads to from the one before */
    uint64_t stay[256]; /* places that the byte leads to from themselves */
    uint64_t start, end;
    uint64_t skip; /* places behind which the next one needs no byte */
    uint64_t sure; /* ends that any text may follow */
};

struct regex_facts {
    bool has_group; /* some group captures */
    str *literals;  /* sorted, unique: exactly what matches; NULL when not such a list */
    size_t literal_count;
    bool is_glob;
    struct regex_glob glob;
    struct regex_shift *shift; /* NULL: not such an expression */
    str prefix;                /* every match starts with it */
};

/* Find out about `expr`, valid UTF-8. What is returned lives in `a`. Anything it is not sure of is
 * left out. */
void regex_scan(str expr, struct arena *a, struct regex_facts *out);

/* Make one of `expr`; NULL when it is none. In `a`. */
struct regex_shift *regex_shift_make(str expr, struct arena *a);
bool regex_shift_match(const struct regex_shift *m, str s);

/* ---- Pieces of the syntax, for both recognisers (regex_scan.c) ---- */

bool regex_is_quantifier(str s); /* does one stand in front? */

/* A literal rune at the start of `s`, plain or escaped: its bytes into `out`, and how many bytes of
 * `s` it takes; 0 when there is none. */
size_t regex_literal_size(str s, str *out);

/* ".*", ".+" and their lazy forms off the front, adding to `*gap_min`; false when there is none. */
bool regex_take_gap(str *s, size_t *gap_min);

/* "[abc0-9]" of plain ASCII off the front: its members into `has`; false when it is no such. */
bool regex_take_class(str *s, struct arena *a, bool has[256]);

/* Does the whole of `s` match? */
bool regex_glob_match(const struct regex_glob *g, str s);

#endif
