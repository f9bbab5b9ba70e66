/* slo_tree.h -- directories of files of objectives, and of the rules made of them: `varve slo
 * generate -i DIR -o DIR`, as Sloth has it. */
#ifndef CLI_SLO_TREE_H
#define CLI_SLO_TREE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/texts.h"
#include "rules/slo_rules.h"

struct slo_tree {
    const char *path;              /* the directory */
    const char *include, *exclude; /* expressions searched for in paths; "": all, none */
};

bool slo_tree_is_directory(const char *path);

/* All *.yml and *.yaml below the directory, sorted, in `a`.
 *   ERR_NOTFOUND  there is none     ERR_INVALID  an expression is none
 *   ERR_LIMIT  more than SLO_FILES_MAX, or too deep     ERR_IO  a directory cannot be read */
MUST_USE err slo_tree_find(const struct slo_tree *t, struct arena *a, struct texts *out,
                           struct diag *d);

/* Can rules of the tree be written below the directory `out`?
 *   ERR_INVALID  it is none, or the same directory */
MUST_USE err slo_tree_check_out(const struct slo_tree *t, const char *out, struct diag *d);

/* Write the rules of each file of the tree to the file of the same name below `out`, with `head`
 * before them; files without objectives give none. */
MUST_USE err slo_tree_write(const struct slo_tree *t, const struct texts *files,
                            const struct slo_set *set, const struct slo_rules_options *o, str head,
                            const char *out, struct arena *a, struct diag *d);

#endif
