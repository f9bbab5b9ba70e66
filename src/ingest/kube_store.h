/* kube_store.h -- objects of a Kubernetes cluster as its API server tells of them: one map a kind,
 * from "namespace/name" to what of the object matters to discovery. */
#ifndef INGEST_KUBE_STORE_H
#define INGEST_KUBE_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/jtree.h"

enum {
    KUBE_OBJECTS_MAX = 1000000, /* of one kind */
};

enum kube_kind { /* the first six are the roles, in their order */
                 KUBE_NODE,
                 KUBE_POD,
                 KUBE_SERVICE,
                 KUBE_ENDPOINTS,
                 KUBE_SLICE,
                 KUBE_INGRESS,
                 KUBE_NAMESPACE,
                 KUBE_REPLICASET,
                 KUBE_JOB,
                 KUBE_KINDS,
};

struct kube_object {
    str key; /* own memory: "namespace/name", "/name" for what has no namespace */
    struct jtree *tree;
    uint64_t generation; /* of the list it was last seen in */
};

struct kube_map { /* zero is empty */
    struct kube_object *objects;
    size_t count, room;
    uint32_t *table; /* open addressing: index + 1 into objects */
    size_t table_size;
};

/* Put the object (trimmed in place, a reference is kept), or remove it.
 *   ERR_INVALID  it has no name      ERR_LIMIT  more than KUBE_OBJECTS_MAX */
MUST_USE err kube_put(struct kube_map *m, enum kube_kind kind, const struct jtree *object,
                      uint64_t generation);
void kube_remove(struct kube_map *m, const struct jtree *object);

/* The object, or NULL. */
const struct jtree *kube_find(const struct kube_map *m, str namespace, str name);

/* Remove what was not seen since `generation` began, in a namespace ("": all). */
void kube_sweep(struct kube_map *m, str namespace, uint64_t generation);
void kube_map_fini(struct kube_map *m);

#endif
