/* call.h -- functions that look at a whole vector: absent(), sort(), label_replace(),
 * histogram_quantile(), ... One routine each, found in a table by id. */
#ifndef QUERY_CALL_H
#define QUERY_CALL_H

#include "query/exec_priv.h"

/* label_funcs.c */
err call_label_replace(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out);
err call_label_join(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out);
/* `ls` with `name` set to `value`, or without it when that is empty; strings are borrowed. */
MUST_USE err labels_set(struct exec *x, struct labels ls, str name, str value, struct labels *out);
/* Labels that absent() gives: what the selector in `arg` matches for equality. */
MUST_USE err labels_of_absent(struct exec *x, const struct plan *arg, struct labels *out);

/* info.c */
err call_info(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out);

/* sort_funcs.c */
err call_sort(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out);
err call_sort_by_label(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out);

/* histogram_calls.c */
err call_histogram_quantile(struct exec *x, const struct plan *p, const struct grid *g,
                            struct vec *out);
err call_histogram_quantiles(struct exec *x, const struct plan *p, const struct grid *g,
                             struct vec *out);
err call_histogram_fraction(struct exec *x, const struct plan *p, const struct grid *g,
                            struct vec *out);

/* native.c */
err call_histogram_field(struct exec *x, const struct plan *p, const struct grid *g,
                         struct vec *out);

#endif
