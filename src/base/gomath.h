/* gomath.h -- logarithm and power of two as Go's math package computes them on amd64, to the bit:
 * values that PromQL shows and compares depend on the last one. */
#ifndef BASE_GOMATH_H
#define BASE_GOMATH_H

/* math.Log2: exact for powers of two. */
double go_log2(double v);
/* math.Exp2 */
double go_exp2(double v);

#endif
