/* matcher.h -- label matchers: = != =~ !~. An absent label matches as the empty string. */
#ifndef MODEL_MATCHER_H
#define MODEL_MATCHER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/regex.h"
#include "model/labels.h"

enum matcher_type { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };

struct matcher { /* strings and the compiled regex live where matcher_init() was told */
    enum matcher_type type;
    str name, value;
    struct regex *regex; /* owned; NULL for = and != */
    bool matches_empty;  /* does it accept an absent label? */
};

/* Build a matcher whose strings alias `name` and `value`; compiles the regex.
 *   ERR_INVALID, ERR_LIMIT  from regex_compile(), with its message */
MUST_USE err matcher_init(struct matcher *m, enum matcher_type type, str name, str value,
                          struct diag *d);
void matcher_fini(struct matcher *m);

/* Does the label's value (empty when absent) match? */
bool matcher_matches(const struct matcher *m, str value);

/* Do all `count` matchers accept the set? */
bool matchers_match(const struct matcher *ms, size_t count, struct labels ls);

/* Append `name="value"` with the operator, value quoted as Go's %q, name quoted when not legacy. */
void matcher_format(const struct matcher *m, struct buf *out);

#endif
