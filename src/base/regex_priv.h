/* regex_priv.h -- what can be known of an expression without compiling it (regex_scan.c): most
 * expressions of dashboards are lists of names or prefixes, which need no automaton. */
#ifndef BASE_REGEX_PRIV_H
#define BASE_REGEX_PRIV_H

#include <stdbool.h>

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

struct regex_facts {
    bool has_group; /* some group captures */
    str *literals;  /* sorted, unique: exactly what matches; NULL when not such a list */
    size_t literal_count;
    bool is_glob;
    struct regex_glob glob;
    str prefix; /* every match starts with it */
};

/* Find out about `expr`, valid UTF-8. What is returned lives in `a`. Anything it is not sure of is
 * left out. */
void regex_scan(str expr, struct arena *a, struct regex_facts *out);

/* Does the whole of `s` match? */
bool regex_glob_match(const struct regex_glob *g, str s);

#endif
