/* metrics_slos.c -- the part of /metrics about objectives. What each objective is worth is in
 * series of the store (docs/slo.md), not here. */
#include "http/api.h"
#include "http/metrics_put.h"
#include "rules/slo_engine.h"

void metrics_slos(struct api *api, struct buf *b)
{
    struct slo_counters c;
    if (api->slos == NULL)
        return;
    slo_engine_counters(api->slos, &c);
    const struct metric METRICS[] = {
        {"varve_slo_objectives", "gauge", "Service level objectives in service.",
         (double)c.objectives},
        {"varve_slo_objectives_behind", "gauge",
         "Objectives whose past is still being read or reckoned.", (double)c.behind},
        {"varve_slo_evaluations_total", "counter", "Evaluations of time slices.",
         (double)c.evaluations},
        {"varve_slo_evaluation_failures_total", "counter", "Evaluations that failed.",
         (double)c.failures},
        {"varve_slo_evaluation_seconds_total", "counter", "Time spent in evaluations.",
         (double)c.evaluation_ns / 1e9},
        {"varve_slo_slices_total", "counter", "Time slices that were booked from raw samples.",
         (double)c.slices},
        {"varve_slo_slices_without_data_total", "counter",
         "Time slices for which no samples were found, each time they were looked for.",
         (double)c.slices_without_data},
        {"varve_slo_samples_written_total", "counter", "Samples recorded of objectives.",
         (double)c.samples_written},
        {"varve_slo_writes_total", "counter", "Commits of such samples.", (double)c.writes},
        {"varve_slo_writes_failed_total", "counter",
         "Times samples of objectives could not be written.", (double)c.writes_failed},
        {"varve_slo_memory_bytes", "gauge", "Memory of time slices.", (double)c.bytes},
    };
    metric_put(b, METRICS, COUNT_OF(METRICS));
}
