/* annotate.h -- warnings and infos of a query: distinct texts with the place they are about.
 *
 * Texts are upstream's, "PromQL warning: " or "PromQL info: " first, " (line:col)" last. Any thread
 * may add; adding is not for inner loops. */
#ifndef QUERY_ANNOTATE_H
#define QUERY_ANNOTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/thread.h"

enum { ANNOTATIONS_MAX = 1024 }; /* distinct ones kept; a query with more is told so by one more */

/* Words of several annotations; what they are about follows. */
#define ANNOTATE_MIXED_BUCKETS                                                                     \
    "vector contains a mix of histograms with exponential and custom buckets schemas"
#define ANNOTATE_RECONCILED         "mismatched custom buckets were reconciled during "
#define ANNOTATE_CONFLICTING_RESETS "conflicting counter resets during histogram "

struct annotation;

struct annotations {
    struct mutex lock; /* guards all below; leaf rank */
    str query;
    struct annotation *items;
    size_t count, cap;
    size_t left_out;
};

void annotations_init(struct annotations *a, str query);
void annotations_fini(struct annotations *a);

/* Add a warning or info about the byte `pos` of the query unless it is there already. */
void annotate_warning(struct annotations *a, size_t pos, const char *format, ...) PRINTF_LIKE(3, 4);
void annotate_info(struct annotations *a, size_t pos, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same for a warning that tells how often it was given: `count` times more. */
void annotate_counted(struct annotations *a, size_t pos, uint64_t count, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* A warning of the store: as it is, without a place. */
void annotate_text(struct annotations *a, str text);

/* Forced monotonicity of classic buckets: one info a metric, which tells extent and count. */
struct monotonicity_fix {
    double bucket_min, bucket_max, diff_max;
    int64_t ts_ms;
};
void annotate_monotonicity(struct annotations *a, size_t pos, str metric,
                           const struct monotonicity_fix *fix);

/* Is there one that tells how often it was raised, or when: that is about all steps together? */
bool annotations_count(struct annotations *a);

/* Append `name` quoted as Go's %q, for a message; the text lives in `b` until it changes. */
const char *annotation_quote(struct buf *b, str name);

/* The final texts, sorted, in `arena`. ERR_LIMIT: arena budget. */
MUST_USE err annotations_list(struct annotations *a, struct arena *arena, str **warnings,
                              size_t *warning_count, str **infos, size_t *info_count);

#endif
