/* histogram_estimate.h -- what a native histogram tells of the observations behind it: quantiles,
 * fractions, variance, histograms of a part of them. Observations are taken to lie evenly in a
 * bucket, on a logarithmic scale in exponential buckets. The order of the operations is upstream's.
 */
#ifndef MODEL_HISTOGRAM_ESTIMATE_H
#define MODEL_HISTOGRAM_ESTIMATE_H

#include "model/histogram.h"

enum histogram_nan_note { /* NaN was observed: it is counted, but in no bucket */
                          NAN_NONE,
                          NAN_RESULT,  /* the quantile lies among them */
                          NAN_SKEWED,  /* the quantile is that of all observations with NaN as the
                                          largest */
                          NAN_EXCLUDED /* the fraction counts them on neither side */
};

/* The quantile `q`. Below 0 it is -Inf, above 1 +Inf, of NaN and of an empty histogram NaN. */
double histogram_quantile(const struct histogram *h, double q, enum histogram_nan_note *note);

/* Which part of the observations lies between `lower` and `upper`. */
double histogram_fraction(const struct histogram *h, double lower, double upper,
                          enum histogram_nan_note *note);

/* The population variance, observations in the middle of their bucket: geometric mean of the bounds
 * of an exponential one, arithmetic mean of a custom one, 0 for the zero bucket. */
double histogram_variance(const struct histogram *h);

#endif
