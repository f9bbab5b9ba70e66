/* alert_matcher.h -- matchers of alerts as people write them for Alertmanager: in routes, silences,
 * inhibition rules and API filters. Two grammars are understood: the one of 0.27 and later (any
 * UTF-8, names and values bare or quoted) and, where only that one reads the text or both differ,
 * the classic one. */
#ifndef MODEL_ALERT_MATCHER_H
#define MODEL_ALERT_MATCHER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/matcher.h"

enum { ALERT_MATCHERS_MAX = 1000 }; /* in one text */

struct alert_matchers {
    struct matcher *items;
    size_t count;
};

/* As matcher_init(), with expressions as Go compiles them: "." is no newline. */
MUST_USE err alert_matcher_init(struct matcher *m, enum matcher_type type, str name, str value,
                                struct diag *d);

/* Read `a="b"`, `a=b, c=~"d"` or `{...}`; "" and "{}" are none. Items and strings are in `a`;
 * alert_matchers_fini() frees the expressions. What the newer grammar would not read is told in
 * `warning` (appended; NULL: not wanted).
 *   ERR_INVALID  with Alertmanager's words: bad matcher format: x     ERR_LIMIT */
MUST_USE err alert_matchers_parse(str text, struct arena *a, struct alert_matchers *out,
                                  struct buf *warning, struct diag *d);
void alert_matchers_fini(struct alert_matchers *ms);

/* By name, value, operator: the order of printing and of group keys. */
void alert_matchers_sort(struct alert_matchers *ms);

/* Append one as Alertmanager prints it: `a="b"`, with \\ \" \n escaped and nothing else; a name
 * that is not bare is quoted, and then both are as Go quotes. */
void alert_matcher_format(const struct matcher *m, struct buf *out);

/* Append `{a="b",c=~"d"}`. */
void alert_matchers_format(const struct alert_matchers *ms, struct buf *out);

static inline bool alert_matchers_match(const struct alert_matchers *ms, struct labels ls)
{
    return matchers_match(ms->items, ms->count, ls);
}

#endif
