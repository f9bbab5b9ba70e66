/* namespaces.h -- groups of rules that were set by the API: kept as rule files below the data
 * directory, one a namespace. Threads: one at a time. */
#ifndef RULES_NAMESPACES_H
#define RULES_NAMESPACES_H

#include "base/buf.h"
#include "base/fs.h"
#include "rules/rule_check.h"

struct namespaces; /* immutable: a change makes another one */

/* Read what is in directory `dir`; it is made when missing. A file that does not read is left where
 * it is, named in the log and not used.   ERR_IO, ERR_NOSPACE, ERR_LIMIT  `d` */
MUST_USE err namespaces_open(struct fs *fs, const char *dir, const struct rule_check *check,
                             struct namespaces **out, struct diag *d);
void namespaces_close(struct namespaces *n); /* NULL is allowed */

size_t namespaces_count(const struct namespaces *n);
str namespaces_name(const struct namespaces *n, size_t i);
const struct rule_file *namespaces_file(const struct namespaces *n, size_t i);
/* Its number, or SIZE_MAX. */
size_t namespaces_find(const struct namespaces *n, str name);

/* `n` with group `yaml` set in `name`; nothing is written yet.
 *   ERR_INVALID, ERR_LIMIT  `d` */
MUST_USE err namespaces_with(const struct namespaces *n, str name, slice yaml,
                             struct namespaces **out, struct diag *d);

/* `n` without group `group` of `name`; {NULL, 0}: without `name`. ERR_NOTFOUND */
MUST_USE err namespaces_without(const struct namespaces *n, str name, str group,
                                struct namespaces **out, struct diag *d);

/* Write namespace `name` of `n`, or remove its file when it has none of that name. Durable.
 *   ERR_IO, ERR_NOSPACE */
MUST_USE err namespaces_save(const struct namespaces *n, str name);

#endif
