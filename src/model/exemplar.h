/* exemplar.h -- a sample with a pointer to its trace. Limit: 128 runes of labels (Prometheus). */
#ifndef MODEL_EXEMPLAR_H
#define MODEL_EXEMPLAR_H

#include <stdint.h>

#include "base/err.h"
#include "model/labels.h"

enum { EXEMPLAR_LABELS_RUNES_MAX = 128 };

struct exemplar {
    struct labels labels;
    double value;
    int64_t ts_ms;
};

/* ERR_INVALID: "label length for exemplar exceeds maximum of 128 UTF-8 characters", or bad labels.
 */
MUST_USE err exemplar_check(const struct exemplar *e, struct diag *d);

#endif
