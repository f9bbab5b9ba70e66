/* metrics_json.h -- our own /metrics text as the list of metric families that
 * /api/v1/status/self_metrics shows: io.prometheus.client.MetricFamily in ProtoJSON. */
#ifndef HTTP_METRICS_JSON_H
#define HTTP_METRICS_JSON_H

#include "base/buf.h"
#include "base/regex.h"
#include "base/slice.h"

/* `text` is what metrics_text() writes: families in one piece, counters, gauges and histograms
 * whose series stand together. Only families whose name `only` matches; NULL: all. */
void metrics_json(str text, const struct regex *only, struct buf *out);

#endif
