/* kube_labels.h -- targets of a Kubernetes cluster, with upstream's __meta_kubernetes_* labels. */
#ifndef INGEST_KUBE_LABELS_H
#define INGEST_KUBE_LABELS_H

#include "config/discovery_config.h"
#include "ingest/kube_store.h"
#include "ingest/sd_targets.h"

/* All targets of the role that `c` names, from what `maps` hold (one a kind). */
void kube_build(const struct kubernetes_sd_config *c, const struct kube_map *maps,
                struct sd_build *b);

#endif
