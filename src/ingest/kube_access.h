/* kube_access.h -- where a cluster's API server is and how it is spoken to: from api_server, from a
 * kubeconfig file, or from what a pod finds in its file system. */
#ifndef INGEST_KUBE_ACCESS_H
#define INGEST_KUBE_ACCESS_H

#include "base/arena.h"
#include "config/discovery_config.h"

struct kube_access {
    struct arena arena;
    str server;                     /* URL without a slash at its end */
    struct http_client_config http; /* of it */
    str namespace;                  /* the pod's own; "" unless it is wanted */
};

/* Find out; kube_access_fini() is due whatever this returns.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_UNSUPPORTED  `d`: why */
MUST_USE err kube_access_find(const struct kubernetes_sd_config *c, struct kube_access *out,
                              struct diag *d);
void kube_access_fini(struct kube_access *a);

#endif
