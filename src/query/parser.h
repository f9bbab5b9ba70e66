/* parser.h -- PromQL text to a checked syntax tree.
 *
 * The grammar, the type rules and the words of every error are those of Prometheus 3.14. Errors
 * read `line:col: parse error: message`, lines and byte columns from 1; `d->start` and `d->end` are
 * the byte range. Reentrant; recursion is bounded by PROMQL_DEPTH_MAX, time by the text's size. */
#ifndef QUERY_PARSER_H
#define QUERY_PARSER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "query/ast.h"

enum {
    PROMQL_TEXT_SIZE_MAX = 1 << 20, /* bytes of one query */
    PROMQL_DEPTH_MAX = EXPR_HEIGHT_MAX,
    PROMQL_MATCHERS_MAX = 10000, /* of one query: each regular expression costs memory and time */
};

struct promql_options { /* zero-initialised is Prometheus' default, without a limit of time */
    bool experimental_functions;   /* promql-experimental-functions */
    bool fill_modifiers;           /* promql-binop-fill-modifiers */
    bool extended_range_selectors; /* promql-extended-range-selectors: anchored, smoothed */
    uint64_t deadline_mono_ns;     /* give up then; 0: never */
    const atomic_bool
        *canceled; /* give up once it is true; NULL: never (relaxed loads: only a hint) */
};

/* Parse and check `text`. Nodes and strings are in `a`; nothing aliases `text`. The tree must be
 * released with expr_fini() before the arena is.
 *   ERR_INVALID   not a valid query, longer or deeper than the limits; `d` says why
 *   ERR_LIMIT     the arena's budget; `d` says so
 *   ERR_TIMEOUT, ERR_CANCELED  as asked in `options` */
MUST_USE err promql_parse(str text, const struct promql_options *options, struct arena *a,
                          struct expr **out, struct diag *d);

/* Parse a metric selector alone, as in match[]: its matchers, the one of a leading metric name
 * last, are in `a` and end with promql_selector_fini(). May match everything: see
 * promql_selector_is_empty(). errors as promql_parse() */
MUST_USE err promql_parse_selector(str text, const struct promql_options *options, struct arena *a,
                                   struct matcher **out, size_t *count, struct diag *d);
void promql_selector_fini(struct matcher *matchers, size_t count);

/* Does every matcher accept an absent label? The API refuses such a selector with "match[] must
 * contain at least one non-empty matcher". */
bool promql_selector_is_empty(const struct matcher *matchers, size_t count);

#endif
