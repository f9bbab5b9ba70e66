/* scrape_labels.h -- from the labels on a page to those of a series: the target's labels, conflicts
 * between both, metric_relabel_configs, validity and limits, all as Prometheus has them. */
#ifndef INGEST_SCRAPE_LABELS_H
#define INGEST_SCRAPE_LABELS_H

#include "base/arena.h"
#include "base/err.h"
#include "config/prometheus_config.h"
#include "model/labels.h"

/* The series that `page` (as expo_labels() gives them) means on a target whose own labels are
 * `target` (sorted, without those that begin with "__"). Sorted, in `a` or borrowed; empty:
 * relabelling drops it. ERR_INVALID  no or bad names, or a repeated one ERR_LIMIT    label_limit,
 * label_name_length_limit, label_value_length_limit; or the arena's budget `d` has Prometheus'
 * words. */
MUST_USE err scrape_sample_labels(const struct scrape_config *c, struct labels target,
                                  const struct label *page, size_t count, struct arena *a,
                                  struct labels *out, struct diag *d);

/* The series `name` about scrapes of such a target (up, ...), in `a`. ERR_LIMIT: its budget. */
MUST_USE err scrape_report_labels(str name, struct labels target, struct arena *a,
                                  struct labels *out);

/* Is it a name under the scheme (enum name_scheme)? */
bool scrape_label_name_ok(str name, int scheme);

#endif
