/* sli_expand.h -- objectives that name a declared SLI plugin get the queries that it makes of
 * their options (config/sli_plugin.h).
 *
 * A query is a Go template. It sees .options (with defaults), .labels (of the file of objectives),
 * .meta.service, .meta.slo, .meta.objective (as Go prints %f) and .window, which becomes
 * {{.window}} again: the length of the window is filled in later. Functions: Go's own and toUpper
 * toLower match reReplaceAll. */
#ifndef RULES_SLI_EXPAND_H
#define RULES_SLI_EXPAND_H

#include "config/slo_file.h"

/* Check all plugins of the set, and expand its objectives in place; queries are in `a`.
 *   ERR_INVALID  a template or what is given to it; `d`: "path:line:column: why"
 *   ERR_LIMIT  too large */
MUST_USE err sli_expand(struct slo_set *set, struct arena *a, struct diag *d);

#endif
