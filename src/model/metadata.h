/* metadata.h -- type, help and unit of a metric family. */
#ifndef MODEL_METADATA_H
#define MODEL_METADATA_H

#include "base/slice.h"

/* Numbers of the remote-write protobuf. */
enum metric_type {
    METRIC_UNKNOWN = 0,
    METRIC_COUNTER = 1,
    METRIC_GAUGE = 2,
    METRIC_HISTOGRAM = 3,
    METRIC_GAUGEHISTOGRAM = 4,
    METRIC_SUMMARY = 5,
    METRIC_INFO = 6,
    METRIC_STATESET = 7,
    METRIC_TYPE_COUNT = 8,
};

struct metadata {
    enum metric_type type;
    str help, unit;
};

/* "counter", "gauge", ... "unknown"; static storage. */
const char *metric_type_name(enum metric_type t);

#endif
