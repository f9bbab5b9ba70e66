/* template_strings.h -- functions on text and numbers that Prometheus and Alertmanager share. */
#ifndef RULES_TEMPLATE_STRINGS_H
#define RULES_TEMPLATE_STRINGS_H

#include "rules/template.h"

/* toUpper toLower match reReplaceAll safeHtml */
extern const struct template_funcs TEMPLATE_STRING_FUNCS;

/* humanize humanize1024 humanizeDuration humanizePercentage humanizeTimestamp toTime toDuration */
extern const struct template_funcs TEMPLATE_HUMANIZE_FUNCS;
template_fn template_humanize_duration;

/* What the functions for numbers take: floats, integers, durations and texts of numbers.
 *   ERR_INVALID  "can't convert T to float", or strconv's words */
MUST_USE err template_to_float(const struct template_value *v, double *out, struct diag *d);

#endif
