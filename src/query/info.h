/* info.h -- info(): rows get labels of info metrics, which are found by `instance` and `job`. */
#ifndef QUERY_INFO_H
#define QUERY_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "query/exec_priv.h"
#include "query/group.h"

enum { INFO_IDENTITY_COUNT = 2 };
extern const str
    INFO_IDENTITY[INFO_IDENTITY_COUNT]; /* labels that tell what belongs together, sorted */

struct info_join {
    struct exec *x;
    const struct grid *grid;
    const struct matcher *data; /* which labels to take, NULL entries none: the second argument's */
    size_t data_count;          /* ... without those on __name__; 0: all labels */
    const bool *ignored;        /* rows that are info metrics themselves: left as they are */
    const struct vec *info;     /* rows of info metrics: times of their newest samples, ms */
};

/* Give the rows of `base` their labels, step by step, as rows of `out`. Takes memory of `base`. */
MUST_USE err info_join_rows(struct info_join *j, struct vec *base, struct vec *out);

#endif
