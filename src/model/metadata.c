/* metadata.c -- see metadata.h. */
#include "model/metadata.h"

#include "base/compiler.h"

const char *metric_type_name(enum metric_type t)
{
    static const char *const NAMES[METRIC_TYPE_COUNT] = {
        [METRIC_UNKNOWN] = "unknown",   [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",       [METRIC_HISTOGRAM] = "histogram",
        [METRIC_SUMMARY] = "summary",   [METRIC_GAUGEHISTOGRAM] = "gaugehistogram",
        [METRIC_STATESET] = "stateset", [METRIC_INFO] = "info",
    };
    return (size_t)t < COUNT_OF(NAMES) ? NAMES[t] : "unknown";
}
