/* json.h -- writing the shapes of Prometheus' JSON API straight into a buffer. Strings are made
 * valid UTF-8 (a broken byte becomes U+FFFD). Formats: Prometheus util/jsonutil and encoding/json.
 */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H

#include "base/buf.h"
#include "base/json_text.h"
#include "base/slice.h"
#include "base/texts.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/labels_json.h"

/* Names and values of a configuration as an object; <, > and & are escaped. */
void json_pairs(struct buf *b, struct pairs pairs);

/* Milliseconds as seconds: "3", "1.050", "-1.500". */
void json_time(struct buf *b, int64_t ms);

/* Milliseconds as encoding/json prints float64(ms)/1000: "1.05". */
void json_time_float(struct buf *b, int64_t ms);

/* A bare number as encoding/json prints a float64 ("NaN" and infinities become 0). */
void json_number(struct buf *b, double v);

/* A sample value: a quoted number. */
void json_value(struct buf *b, double v);

/* [time,"value"] */
void json_point(struct buf *b, int64_t ms, double v);

/* Many series with points at the same times: the text before the value, made once. */
enum { JSON_TIME_SLOT = 32 }; /* bytes; the last one is the length of the text */
void json_time_slot(int64_t ms, uint8_t *slot);
/* The points of `values` at the times of `count` slots, with commas between. */
void json_points(struct buf *b, const uint8_t *slots, const double *values, size_t count);

/* [time,{histogram}]; `a` is scratch. ERR_LIMIT: its budget. */
MUST_USE err json_histogram_point(struct buf *b, int64_t ms, const struct histogram *h,
                                  struct arena *a);

#endif
