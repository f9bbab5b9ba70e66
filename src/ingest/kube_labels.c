/* kube_labels.c -- see kube_labels.h. A function a role; what endpoints know of their pods,
 * services and nodes is looked up in the other maps. */
#include "ingest/kube_labels.h"

#include <stdio.h>

#define KUBE "__meta_kubernetes_"

struct builder {
    const struct kubernetes_sd_config *c;
    const struct kube_map *maps;
    struct sd_build *b;
};

/* ---- What all roles share ---- */

static str text_of(const struct jtree *n, const char *key)
{
    return jtree_text(jtree_get(n, key));
}

static const struct jtree *meta_of(const struct jtree *object)
{
    return jtree_get(object, "metadata");
}

/* KUBE role_label_x, role_labelpresent_x and the same for annotations. */
static void put_meta(struct builder *k, const char *role, const struct jtree *object)
{
    static const char *const PARTS[][3] = {{"labels", "label_", "labelpresent_"},
                                           {"annotations", "annotation_", "annotationpresent_"}};
    char value[64], present[64];
    for (size_t i = 0; i < 2; i++) {
        struct jtree_member m = {0};
        (void)snprintf(value, sizeof(value), KUBE "%s_%s", role, PARTS[i][1]);
        (void)snprintf(present, sizeof(present), KUBE "%s_%s", role, PARTS[i][2]);
        while (jtree_next(jtree_get(meta_of(object), PARTS[i][0]), &m)) {
            sd_build_meta(k->b, value, m.key, "", jtree_text(m.value));
            sd_build_meta(k->b, present, m.key, "", STR("true"));
        }
    }
}

static void put_named(struct builder *k, const char *role, const struct jtree *object)
{
    char name[64];
    (void)snprintf(name, sizeof(name), KUBE "%s_name", role);
    sd_build_label(k->b, name, text_of(meta_of(object), "name"));
    put_meta(k, role, object);
}

/* The namespace, and what is known of it when that is asked for. */
static str put_namespace(struct builder *k, const struct jtree *object)
{
    str namespace = text_of(meta_of(object), "namespace");
    sd_build_label(k->b, KUBE "namespace", namespace);
    if (k->c->attach_namespace) {
        const struct jtree *n = kube_find(&k->maps[KUBE_NAMESPACE], STR(""), namespace);
        if (n != NULL)
            put_meta(k, "namespace", n);
    }
    return namespace;
}

static void put_address(struct builder *k, str host, int64_t port)
{
    char text[512];
    bool v6 = host.len > 0 && memchr(host.ptr, ':', host.len) != NULL;
    int n = snprintf(text, sizeof(text), "%s%.*s%s:%lld", v6 ? "[" : "", (int)MIN(host.len, 400),
                     host.ptr, v6 ? "]" : "", (long long)port);
    sd_build_label(k->b, "__address__", (str){text, (size_t)MAX(n, 0)});
}

static void put_protocol(struct builder *k, const char *name, const struct jtree *port)
{
    str protocol = text_of(port, "protocol");
    sd_build_label(k->b, name, protocol.len > 0 ? protocol : STR("TCP"));
}

static void put_bool(struct builder *k, const char *name, const struct jtree *n)
{
    if (!jtree_is_null(n))
        sd_build_label(k->b, name, jtree_bool(n, false) ? STR("true") : STR("false"));
}

static void attach_node(struct builder *k, str node)
{
    const struct jtree *object =
        k->c->attach_node ? kube_find(&k->maps[KUBE_NODE], STR(""), node) : NULL;
    if (object != NULL)
        put_named(k, "node", object);
}

/* ---- Nodes ---- */

static str node_address(const struct jtree *node)
{
    static const char *const TYPES[] = {"InternalIP",  "InternalDNS",  "ExternalIP",
                                        "ExternalDNS", "LegacyHostIP", "Hostname"};
    const struct jtree *all = jtree_get(jtree_get(node, "status"), "addresses");
    for (size_t t = 0; t < COUNT_OF(TYPES); t++)
        for (size_t i = 0; i < jtree_count(all); i++)
            if (str_eq(text_of(jtree_at(all, i), "type"), str_from(TYPES[t])))
                return text_of(jtree_at(all, i), "address");
    return STR("");
}

static void build_node(struct builder *k, const struct jtree *node)
{
    const struct jtree *status = jtree_get(node, "status");
    const struct jtree *all = jtree_get(status, "addresses");
    const struct jtree *kubelet =
        jtree_get(jtree_get(status, "daemonEndpoints"), "kubeletEndpoint");
    str address = node_address(node);
    if (address.len == 0)
        return;
    put_named(k, "node", node);
    sd_build_label(k->b, KUBE "node_provider_id", text_of(jtree_get(node, "spec"), "providerID"));
    for (size_t i = jtree_count(all); i-- > 0;) /* of each type the first wins */
        sd_build_meta(k->b, KUBE "node_address_", text_of(jtree_at(all, i), "type"), "",
                      text_of(jtree_at(all, i), "address"));
    sd_build_label(k->b, "instance", text_of(meta_of(node), "name"));
    put_address(k, address, jtree_int(jtree_get(kubelet, "Port"), 0));
    sd_build_target(k->b);
}

/* ---- Pods ---- */

/* The owner that controls an object, or NULL. */
static const struct jtree *controller_of(const struct jtree *object)
{
    const struct jtree *owners = jtree_get(meta_of(object), "ownerReferences");
    for (size_t i = 0; i < jtree_count(owners); i++)
        if (jtree_bool(jtree_get(jtree_at(owners, i), "controller"), false))
            return jtree_at(owners, i);
    return NULL;
}

static void put_controller(struct builder *k, const struct jtree *pod, str namespace)
{
    const struct jtree *owner = controller_of(pod);
    str kind = text_of(owner, "kind"), name = text_of(owner, "name");
    sd_build_label(k->b, KUBE "pod_controller_kind", kind);
    sd_build_label(k->b, KUBE "pod_controller_name", name);
    if (k->c->attach_deployment && str_eq(kind, STR("ReplicaSet"))) {
        const struct jtree *above =
            controller_of(kube_find(&k->maps[KUBE_REPLICASET], namespace, name));
        if (str_eq(text_of(above, "kind"), STR("Deployment")))
            sd_build_label(k->b, KUBE "pod_deployment_name", text_of(above, "name"));
    }
    if (k->c->attach_job && str_eq(kind, STR("Job")))
        sd_build_label(k->b, KUBE "pod_job_name", name);
    if (k->c->attach_cronjob && str_eq(kind, STR("Job"))) {
        const struct jtree *above = controller_of(kube_find(&k->maps[KUBE_JOB], namespace, name));
        if (str_eq(text_of(above, "kind"), STR("CronJob")))
            sd_build_label(k->b, KUBE "pod_cronjob_name", text_of(above, "name"));
    }
}

static str ready_of(const struct jtree *status)
{
    const struct jtree *all = jtree_get(status, "conditions");
    for (size_t i = 0; i < jtree_count(all); i++) {
        str value = text_of(jtree_at(all, i), "status");
        if (!str_eq(text_of(jtree_at(all, i), "type"), STR("Ready")))
            continue;
        return str_eq(value, STR("True"))    ? STR("true")
               : str_eq(value, STR("False")) ? STR("false")
                                             : STR("unknown");
    }
    return STR("unknown");
}

static void put_pod(struct builder *k, const struct jtree *pod)
{
    const struct jtree *spec = jtree_get(pod, "spec"), *status = jtree_get(pod, "status");
    put_named(k, "pod", pod);
    sd_build_label(k->b, KUBE "pod_ip", text_of(status, "podIP"));
    sd_build_label(k->b, KUBE "pod_ready", ready_of(status));
    sd_build_label(k->b, KUBE "pod_phase", text_of(status, "phase"));
    sd_build_label(k->b, KUBE "pod_node_name", text_of(spec, "nodeName"));
    sd_build_label(k->b, KUBE "pod_host_ip", text_of(status, "hostIP"));
    sd_build_label(k->b, KUBE "pod_uid", text_of(meta_of(pod), "uid"));
    put_controller(k, pod, text_of(meta_of(pod), "namespace"));
}

static str container_id(const struct jtree *pod, bool init, str name)
{
    const struct jtree *all =
        jtree_get(jtree_get(pod, "status"), init ? "initContainerStatuses" : "containerStatuses");
    for (size_t i = 0; i < jtree_count(all); i++)
        if (str_eq(text_of(jtree_at(all, i), "name"), name))
            return text_of(jtree_at(all, i), "containerID");
    return STR("");
}

static void put_container(struct builder *k, const struct jtree *container, bool init)
{
    sd_build_label(k->b, KUBE "pod_container_name", text_of(container, "name"));
    sd_build_label(k->b, KUBE "pod_container_image", text_of(container, "image"));
    sd_build_label(k->b, KUBE "pod_container_init", init ? STR("true") : STR("false"));
}

static void put_port(struct builder *k, const struct jtree *port)
{
    sd_build_label(k->b, KUBE "pod_container_port_name", text_of(port, "name"));
    sd_build_number(k->b, KUBE "pod_container_port_number",
                    jtree_int(jtree_get(port, "containerPort"), 0));
    put_protocol(k, KUBE "pod_container_port_protocol", port);
}

static void build_containers(struct builder *k, const struct jtree *pod, bool init)
{
    const struct jtree *all =
        jtree_get(jtree_get(pod, "spec"), init ? "initContainers" : "containers");
    str ip = text_of(jtree_get(pod, "status"), "podIP");
    size_t common = sd_build_mark(k->b);
    for (size_t i = 0; i < jtree_count(all); i++) {
        const struct jtree *container = jtree_at(all, i), *ports = jtree_get(container, "ports");
        put_container(k, container, init);
        sd_build_label(k->b, KUBE "pod_container_id",
                       container_id(pod, init, text_of(container, "name")));
        size_t own = sd_build_mark(k->b);
        for (size_t n = 0; n < jtree_count(ports); n++) {
            put_port(k, jtree_at(ports, n));
            put_address(k, ip, jtree_int(jtree_get(jtree_at(ports, n), "containerPort"), 0));
            sd_build_target(k->b);
            sd_build_back(k->b, own);
        }
        if (jtree_count(ports) == 0) { /* the address alone: rules may add a port */
            sd_build_label(k->b, "__address__", ip);
            sd_build_target(k->b);
        }
        sd_build_back(k->b, common);
    }
}

static void build_pod(struct builder *k, const struct jtree *pod)
{
    if (text_of(jtree_get(pod, "status"), "podIP").len == 0)
        return; /* starting, or evicted */
    (void)put_namespace(k, pod);
    put_pod(k, pod);
    attach_node(k, text_of(jtree_get(pod, "spec"), "nodeName"));
    build_containers(k, pod, false);
    build_containers(k, pod, true);
}

/* ---- Services ---- */

static void build_service(struct builder *k, const struct jtree *service)
{
    const struct jtree *spec = jtree_get(service, "spec"), *ports = jtree_get(spec, "ports");
    str type = text_of(spec, "type"), namespace = put_namespace(k, service);
    put_named(k, "service", service);
    size_t common = sd_build_mark(k->b);
    for (size_t i = 0; i < jtree_count(ports); i++) {
        const struct jtree *port = jtree_at(ports, i);
        int64_t number = jtree_int(jtree_get(port, "port"), 0);
        struct buf host = {0};
        buf_printf(&host, STR_FMT "." STR_FMT ".svc:%lld",
                   STR_ARG(text_of(meta_of(service), "name")), STR_ARG(namespace),
                   (long long)number);
        sd_build_label(k->b, "__address__", buf_str(&host));
        buf_fini(&host);
        sd_build_label(k->b, KUBE "service_port_name", text_of(port, "name"));
        sd_build_number(k->b, KUBE "service_port_number", number);
        put_protocol(k, KUBE "service_port_protocol", port);
        sd_build_label(k->b, KUBE "service_type", type.len > 0 ? type : STR("ClusterIP"));
        if (str_eq(type, STR("ExternalName")))
            sd_build_label(k->b, KUBE "service_external_name", text_of(spec, "externalName"));
        else
            sd_build_label(k->b, KUBE "service_cluster_ip", text_of(spec, "clusterIP"));
        if (str_eq(type, STR("LoadBalancer")))
            sd_build_label(k->b, KUBE "service_loadbalancer_ip", text_of(spec, "loadBalancerIP"));
        sd_build_target(k->b);
        sd_build_back(k->b, common);
    }
}

static void attach_service(struct builder *k, str namespace, str name)
{
    const struct jtree *service =
        name.len > 0 ? kube_find(&k->maps[KUBE_SERVICE], namespace, name) : NULL;
    if (service != NULL)
        put_named(k, "service", service);
}

/* ---- Endpoints and slices: both are addresses with ports, mostly of pods ---- */

enum { PODS_SEEN_MAX = 20000 }; /* pods behind one object (a slice has at most 1000) */

struct seen_pod { /* of the object at hand, with ports it is behind */
    const struct jtree *pod, *ports;
};

struct seen_pods {
    struct seen_pod *items;
    size_t count, room;
};

static const struct jtree *pod_of(struct builder *k, const struct jtree *ref, str namespace)
{
    if (!str_eq(text_of(ref, "kind"), STR("Pod")))
        return NULL;
    str own = text_of(ref, "namespace");
    return kube_find(&k->maps[KUBE_POD], own.len > 0 ? own : namespace, text_of(ref, "name"));
}

/* The container's port that an endpoint leads to, if any. */
static void put_pod_port(struct builder *k, const struct jtree *pod, int64_t number)
{
    static const char *const LISTS[] = {"containers", "initContainers"};
    for (int init = 0; init < 2; init++) {
        const struct jtree *all = jtree_get(jtree_get(pod, "spec"), LISTS[init]);
        for (size_t i = 0; i < jtree_count(all); i++) {
            const struct jtree *ports = jtree_get(jtree_at(all, i), "ports");
            for (size_t n = 0; n < jtree_count(ports); n++) {
                if (jtree_int(jtree_get(jtree_at(ports, n), "containerPort"), 0) != number)
                    continue;
                put_container(k, jtree_at(all, i), init == 1);
                put_port(k, jtree_at(ports, n));
                return;
            }
        }
    }
}

/* Without room the whole build fails, and what was known before stays: no target is left out in
 * silence. */
static void remember(struct builder *k, struct arena *a, struct seen_pods *seen,
                     const struct jtree *pod, const struct jtree *ports)
{
    for (size_t i = 0; i < seen->count; i++)
        if (seen->items[i].pod == pod && seen->items[i].ports == ports)
            return;
    if (seen->count == seen->room && seen->count < PODS_SEEN_MAX) {
        size_t room = seen->room * 2 + 16;
        struct seen_pod *items = arena_grow(a, seen->items, seen->count, room, sizeof(*items));
        seen->items = items != NULL ? items : seen->items;
        seen->room = items != NULL ? room : seen->room;
    }
    if (seen->count < seen->room)
        seen->items[seen->count++] = (struct seen_pod){pod, ports};
    else
        k->b->e = ERR_LIMIT;
}

static bool is_covered(const struct seen_pods *seen, const struct jtree *pod, int64_t number)
{
    for (size_t i = 0; i < seen->count; i++)
        for (size_t n = 0; seen->items[i].pod == pod && n < jtree_count(seen->items[i].ports); n++)
            if (jtree_int(jtree_get(jtree_at(seen->items[i].ports, n), "port"), 0) == number)
                return true;
    return false;
}

static void build_uncovered(struct builder *k, const struct seen_pods *seen,
                            const struct jtree *pod, const struct jtree *container, bool init)
{
    const struct jtree *ports = jtree_get(container, "ports");
    size_t common = sd_build_mark(k->b);
    for (size_t n = 0; n < jtree_count(ports); n++) {
        int64_t number = jtree_int(jtree_get(jtree_at(ports, n), "containerPort"), 0);
        if (is_covered(seen, pod, number))
            continue;
        put_pod(k, pod);
        put_container(k, container, init);
        put_port(k, jtree_at(ports, n));
        put_address(k, text_of(jtree_get(pod, "status"), "podIP"), number);
        sd_build_target(k->b);
        sd_build_back(k->b, common);
    }
}

/* Ports of the pods that no endpoint leads to are targets too. */
static void build_other_ports(struct builder *k, const struct seen_pods *seen)
{
    static const char *const LISTS[] = {"containers", "initContainers"};
    for (size_t s = 0; s < 2 * seen->count; s++) {
        const struct jtree *pod = seen->items[s / 2].pod;
        const struct jtree *all = jtree_get(jtree_get(pod, "spec"), LISTS[s % 2]);
        bool again = text_of(jtree_get(pod, "status"), "podIP").len == 0;
        for (size_t i = 0; i < s / 2; i++)
            again = again || seen->items[i].pod == pod;
        for (size_t i = 0; !again && i < jtree_count(all); i++)
            build_uncovered(k, seen, pod, jtree_at(all, i), s % 2 == 1);
    }
}

/* The end of one endpoint's target: its pod, and the target itself. */
static void finish_endpoint(struct builder *k, const struct jtree *pod, str node, int64_t number)
{
    attach_node(k, node);
    if (pod != NULL) {
        put_pod(k, pod);
        put_pod_port(k, pod, number);
    }
    sd_build_target(k->b);
}

static void build_subset(struct builder *k, const struct jtree *subset, bool ready, str namespace,
                         struct arena *a, struct seen_pods *seen)
{
    const struct jtree *all = jtree_get(subset, ready ? "addresses" : "notReadyAddresses");
    const struct jtree *ports = jtree_get(subset, "ports");
    size_t common = sd_build_mark(k->b);
    for (size_t i = 0; i < jtree_count(all) * jtree_count(ports); i++) {
        const struct jtree *address = jtree_at(all, i / jtree_count(ports));
        const struct jtree *port = jtree_at(ports, i % jtree_count(ports));
        const struct jtree *ref = jtree_get(address, "targetRef");
        int64_t number = jtree_int(jtree_get(port, "port"), 0);
        str node = text_of(address, "nodeName");
        put_address(k, text_of(address, "ip"), number);
        sd_build_label(k->b, KUBE "endpoint_port_name", text_of(port, "name"));
        put_protocol(k, KUBE "endpoint_port_protocol", port);
        sd_build_label(k->b, KUBE "endpoint_ready", ready ? STR("true") : STR("false"));
        sd_build_label(k->b, KUBE "endpoint_address_target_kind", text_of(ref, "kind"));
        sd_build_label(k->b, KUBE "endpoint_address_target_name", text_of(ref, "name"));
        sd_build_label(k->b, KUBE "endpoint_node_name", node);
        sd_build_label(k->b, KUBE "endpoint_hostname", text_of(address, "hostname"));
        const struct jtree *pod = pod_of(k, ref, namespace);
        if (pod != NULL)
            remember(k, a, seen, pod, ports);
        finish_endpoint(k, pod, node, number);
        sd_build_back(k->b, common);
    }
}

static void build_endpoints(struct builder *k, const struct jtree *endpoints)
{
    const struct jtree *subsets = jtree_get(endpoints, "subsets");
    struct seen_pods seen = {0};
    struct arena a;
    arena_init(&a, 16 << 20);
    str namespace = put_namespace(k, endpoints);
    attach_service(k, namespace, text_of(meta_of(endpoints), "name"));
    put_named(k, "endpoints", endpoints);
    for (size_t i = 0; i < jtree_count(subsets); i++) {
        build_subset(k, jtree_at(subsets, i), true, namespace, &a, &seen);
        build_subset(k, jtree_at(subsets, i), false, namespace, &a, &seen);
    }
    build_other_ports(k, &seen);
    arena_fini(&a);
}

static void put_slice_endpoint(struct builder *k, const struct jtree *endpoint,
                               const struct jtree *port)
{
    const struct jtree *conditions = jtree_get(endpoint, "conditions");
    const struct jtree *ref = jtree_get(endpoint, "targetRef");
    struct jtree_member m = {0};
    sd_build_label(k->b, KUBE "endpointslice_port_name", text_of(port, "name"));
    put_protocol(k, KUBE "endpointslice_port_protocol", port);
    sd_build_number(k->b, KUBE "endpointslice_port", jtree_int(jtree_get(port, "port"), 0));
    sd_build_label(k->b, KUBE "endpointslice_port_app_protocol", text_of(port, "appProtocol"));
    put_bool(k, KUBE "endpointslice_endpoint_conditions_ready", jtree_get(conditions, "ready"));
    put_bool(k, KUBE "endpointslice_endpoint_conditions_serving", jtree_get(conditions, "serving"));
    put_bool(k, KUBE "endpointslice_endpoint_conditions_terminating",
             jtree_get(conditions, "terminating"));
    sd_build_label(k->b, KUBE "endpointslice_endpoint_hostname", text_of(endpoint, "hostname"));
    sd_build_label(k->b, KUBE "endpointslice_address_target_kind", text_of(ref, "kind"));
    sd_build_label(k->b, KUBE "endpointslice_address_target_name", text_of(ref, "name"));
    sd_build_label(k->b, KUBE "endpointslice_endpoint_node_name", text_of(endpoint, "nodeName"));
    sd_build_label(k->b, KUBE "endpointslice_endpoint_zone", text_of(endpoint, "zone"));
    while (jtree_next(jtree_get(endpoint, "deprecatedTopology"), &m)) {
        sd_build_meta(k->b, KUBE "endpointslice_endpoint_topology_", m.key, "",
                      jtree_text(m.value));
        sd_build_meta(k->b, KUBE "endpointslice_endpoint_topology_present_", m.key, "",
                      STR("true"));
    }
}

static void build_slice_endpoint(struct builder *k, const struct jtree *ends,
                                 const struct jtree *endpoint, str namespace, struct arena *a,
                                 struct seen_pods *seen)
{
    const struct jtree *ports = jtree_get(ends, "ports");
    const struct jtree *all = jtree_get(endpoint, "addresses");
    const struct jtree *pod = pod_of(k, jtree_get(endpoint, "targetRef"), namespace);
    size_t common = sd_build_mark(k->b);
    if (pod != NULL)
        remember(k, a, seen, pod, ports);
    for (size_t i = 0; i < jtree_count(ports) * jtree_count(all); i++) {
        const struct jtree *port = jtree_at(ports, i % jtree_count(ports));
        int64_t number = jtree_int(jtree_get(port, "port"), 0);
        put_address(k, jtree_text(jtree_at(all, i / jtree_count(ports))), number);
        put_slice_endpoint(k, endpoint, port);
        finish_endpoint(k, pod, text_of(endpoint, "nodeName"), number);
        sd_build_back(k->b, common);
    }
}

static void build_slice(struct builder *k, const struct jtree *ends)
{
    const struct jtree *endpoints = jtree_get(ends, "endpoints");
    const struct jtree *labels = jtree_get(meta_of(ends), "labels");
    struct seen_pods seen = {0};
    struct arena a;
    arena_init(&a, 16 << 20);
    str namespace = put_namespace(k, ends);
    attach_service(k, namespace, text_of(labels, "kubernetes.io/service-name"));
    put_named(k, "endpointslice", ends);
    sd_build_label(k->b, KUBE "endpointslice_address_type", text_of(ends, "addressType"));
    for (size_t i = 0; i < jtree_count(endpoints); i++)
        build_slice_endpoint(k, ends, jtree_at(endpoints, i), namespace, &a, &seen);
    build_other_ports(k, &seen);
    arena_fini(&a);
}

/* ---- Ingresses ---- */

/* An exact host, or *.domain for one more level. */
static bool host_matches(str pattern, str host)
{
    if (str_eq(pattern, host))
        return true;
    const char *dot = host.len > 0 ? memchr(host.ptr, '.', host.len) : NULL;
    return str_starts(pattern, STR("*.")) && dot != NULL &&
           str_eq((str){pattern.ptr + 1, pattern.len - 1},
                  (str){dot, (size_t)(host.ptr + host.len - dot)});
}

static bool has_tls(const struct jtree *spec, str host)
{
    const struct jtree *all = jtree_get(spec, "tls");
    for (size_t i = 0; i < jtree_count(all); i++) {
        const struct jtree *hosts = jtree_get(jtree_at(all, i), "hosts");
        for (size_t n = 0; n < jtree_count(hosts); n++)
            if (host_matches(jtree_text(jtree_at(hosts, n)), host))
                return true;
    }
    return false;
}

static void build_path(struct builder *k, str host, bool tls, str path)
{
    size_t common = sd_build_mark(k->b);
    sd_build_label(k->b, "__address__", host);
    sd_build_label(k->b, KUBE "ingress_scheme", tls ? STR("https") : STR("http"));
    sd_build_label(k->b, KUBE "ingress_host", host);
    sd_build_label(k->b, KUBE "ingress_path", path.len > 0 ? path : STR("/"));
    sd_build_target(k->b);
    sd_build_back(k->b, common);
}

static void build_ingress(struct builder *k, const struct jtree *ingress)
{
    const struct jtree *spec = jtree_get(ingress, "spec"), *rules = jtree_get(spec, "rules");
    (void)put_namespace(k, ingress);
    put_named(k, "ingress", ingress);
    sd_build_label(k->b, KUBE "ingress_class_name", text_of(spec, "ingressClassName"));
    for (size_t i = 0; i < jtree_count(rules); i++) {
        const struct jtree *rule = jtree_at(rules, i);
        const struct jtree *paths = jtree_get(jtree_get(rule, "http"), "paths");
        str host = text_of(rule, "host");
        bool tls = has_tls(spec, host);
        for (size_t n = 0; n < jtree_count(paths); n++)
            build_path(k, host, tls, text_of(jtree_at(paths, n), "path"));
        if (jtree_is_null(paths))
            build_path(k, host, tls, STR("/"));
    }
}

void kube_build(const struct kubernetes_sd_config *c, const struct kube_map *maps,
                struct sd_build *b)
{
    static void (*const ROLES[KUBERNETES_ROLES])(struct builder *, const struct jtree *) = {
        build_node, build_pod, build_service, build_endpoints, build_slice, build_ingress};
    struct builder k = {c, maps, b};
    const struct kube_map *m = &maps[c->role];
    for (size_t i = 0; i < m->count; i++) {
        ROLES[c->role](&k, m->objects[i].tree);
        sd_build_back(b, 0);
    }
}
