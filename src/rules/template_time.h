/* template_time.h -- Go's time.Time and time.Duration as values of templates. */
#ifndef RULES_TEMPLATE_TIME_H
#define RULES_TEMPLATE_TIME_H

#include "rules/template.h"

extern const struct template_type TEMPLATE_INT64;

/* Nanoseconds as TEMPLATE_KIND_INT; String, Seconds, Minutes, ... are methods. */
extern const struct template_type TEMPLATE_DURATION, TEMPLATE_DURATION_POINTER;
extern const struct template_type TEMPLATE_TIME, TEMPLATE_TIME_POINTER;

/* A value of `type` (one of the two times) in the arena. ERR_LIMIT: arena budget */
MUST_USE err template_time_value(const struct template_type *type, struct template_time t,
                                 struct arena *a, struct template_value *out);

/* UTC milliseconds as a time. */
struct template_time template_time_ms(int64_t ms);

/* time.Parse(layout, value), where the local zone is UTC; names of zones go to the arena.
 *   ERR_INVALID  Go's words: parsing time "x" as "2006": cannot parse "x" as "2006" */
MUST_USE err template_time_parse(str layout, str value, struct arena *a, struct template_time *out,
                                 struct diag *d);

/* time.Time.Format(layout): Go's reference time "Mon Jan 2 15:04:05 MST 2006". */
void template_time_format(struct template_time t, str layout, struct buf *out);

/* time.Time.String(): "2006-01-02 15:04:05.999999999 -0700 MST". */
void template_time_print(struct template_time t, struct buf *out);

/* time.Duration.String(): "1h15m30.918s". */
void template_duration_print(int64_t ns, struct buf *out);

#endif
