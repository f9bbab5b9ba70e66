/* histogram_trim.h -- the observations of a native histogram below or above a value. */
#ifndef MODEL_HISTOGRAM_TRIM_H
#define MODEL_HISTOGRAM_TRIM_H

#include "model/histogram.h"

/* A histogram of the observations of `h` below `at` (`keep_lower`: PromQL's `h </ at`) or above it
 * (`h >/ at`), in `a`. A bucket that `at` divides is divided by interpolation; count and sum are
 * made anew from the buckets' middles and empty buckets removed, unless nothing goes.
 * Requires spans that histogram_check() accepts.
 * ERR_LIMIT  arena budget */
MUST_USE err histogram_trim(const struct histogram *h, double at, bool keep_lower, struct arena *a,
                            struct histogram **out);

#endif
