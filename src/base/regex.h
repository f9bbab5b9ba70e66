/* regex.h -- PromQL's regular expressions: RE2 syntax, linear time, compiled as ^(?s:EXPR)$.
 * A compiled regex is immutable and may be shared by threads. */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct regex;

enum {
    REGEX_PROGRAM_BYTES_MAX = 8 << 20, /* RE2's memory limit for one expression */
    REGEX_LITERALS_MAX = 4096,         /* alternatives regex_literals() lists at most */
};

/* Compile `expr` fully anchored.
 *   ERR_INVALID  `d` holds "error parsing regexp: ..." in the words Go's regexp/syntax uses
 *   ERR_LIMIT    the program would exceed REGEX_PROGRAM_BYTES_MAX */
MUST_USE err regex_compile(str expr, struct regex **out, struct diag *d);
void regex_close(struct regex *re);

/* Does the whole of `s` match? */
bool regex_match(const struct regex *re, str s);

/* When the expression matches exactly a finite list of strings written as literals ("a|b",
 * "(?:ab|c)d" may be expanded; case-sensitive only), their count and texts, which live as long as
 * `re`; else count 0. */
size_t regex_literals(const struct regex *re, const str **out);

/* A prefix that every match starts with ("" when there is none), living as long as `re`. */
str regex_prefix(const struct regex *re);

/* How much the expression matches, as far as its text shows: everything (".*"), everything but the
 * empty string (".+"), or something that has to be tried. */
enum regex_breadth { REGEX_MATCHES_SOME, REGEX_MATCHES_NONEMPTY, REGEX_MATCHES_ALL };
enum regex_breadth regex_breadth(const struct regex *re);

/* Does matching take an automaton, some 200 ns a string? Else it takes comparisons, some 10 ns. */
bool regex_is_slow(const struct regex *re);

/* Match the whole of `s` and append `replacement` with Go's $1, ${1}, $name, ${name}, $$ expanded
 * (Regexp.Expand). Returns false, and appends nothing, when `s` does not match. */
bool regex_expand(const struct regex *re, str s, str replacement, struct buf *out);

/* A regular expression that is searched for anywhere in a text, as Go's regexp does it: '.' does
 * not match a newline, the leftmost match counts. Immutable; may be shared by threads. Bytes that
 * are no UTF-8 are left as they are; only '.' and negated classes of Go would match them. */
struct regex_search;

/* ERR_INVALID, ERR_LIMIT  as regex_compile() */
MUST_USE err regex_search_compile(str expr, struct regex_search **out, struct diag *d);
void regex_search_close(struct regex_search *re);

/* Does some part of `s` match? */
bool regex_search_match(const struct regex_search *re, str s);

/* Append `s` with every match replaced: Go's ReplaceAllString(), `replacement` as in
 * regex_expand().
 *   ERR_LIMIT  more than `bytes_max` would be appended; what fits was */
MUST_USE err regex_search_replace(const struct regex_search *re, str s, str replacement,
                                  size_t bytes_max, struct buf *out);

/* Bytes of the word at the start of `s`: Unicode letters and decimal digits, and '_'. */
size_t regex_name_size(str s);

/* Names of the capture groups: is `name` one of them? */
bool regex_has_group(const struct regex *re, str name);

#endif
