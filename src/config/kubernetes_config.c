/* kubernetes_config.c -- kubernetes_sd_configs of prometheus.yml. */
#include <stddef.h>

#include "config/config_priv.h"
#include "config/kubernetes_selector.h"

#define KUBE(name) offsetof(struct kubernetes_sd_config, name)

static const char *const ROLES[] = {"node",          "pod",     "service", "endpoints",
                                    "endpointslice", "ingress", NULL};

static err read_role(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    for (int i = 0; ROLES[i] != NULL; i++) {
        if (str_eq(text, str_from(ROLES[i]))) {
            *(int *)place = i;
            return OK;
        }
    }
    return decode_fail(c, n, "unknown Kubernetes SD role \"" STR_FMT "\"", STR_ARG(text));
}

static bool print_role(const void *place, struct yaml_out *out)
{
    if (out != NULL)
        print_text(out, str_from(ROLES[*(const int *)place]));
    return true;
}

/* ---- Parts ---- */

static const struct decode_field NAMESPACE_FIELDS[] = {
    {.key = "own_namespace",
     .kind = DECODE_BOOL,
     .offset = KUBE(own_namespace),
     .shown_when_zero = true},
    {.key = "names", .kind = DECODE_TEXTS, .offset = KUBE(namespaces), .shown_when_zero = true},
};
static const struct decode_schema NAMESPACE_SCHEMA = {
    .fields = NAMESPACE_FIELDS,
    .field_count = COUNT_OF(NAMESPACE_FIELDS),
    .size = sizeof(struct kubernetes_sd_config),
    .type = "kubernetes.plain",
};

/* A part of the struct by a table of its own: decoded apart, its fields copied back. */
static err read_namespaces(struct decode *c, const struct yaml *n, void *place)
{
    struct kubernetes_sd_config *k = place, part;
    TRY(decode_struct(c, &NAMESPACE_SCHEMA, n, &part));
    k->own_namespace = part.own_namespace;
    k->namespaces = part.namespaces;
    return OK;
}

static bool print_namespaces(const void *place, struct yaml_out *out)
{
    const struct kubernetes_sd_config *k = place;
    bool any = k->own_namespace || k->namespaces.count > 0;
    if (!any || out == NULL)
        return any;
    print_map_begin(out);
    print_fields(out, &NAMESPACE_SCHEMA, k);
    print_map_end(out);
    return true;
}

static const struct decode_field ATTACH_FIELDS[] = {
    {.key = "node", .kind = DECODE_BOOL, .offset = KUBE(attach_node), .shown_when_zero = true},
    {.key = "namespace",
     .kind = DECODE_BOOL,
     .offset = KUBE(attach_namespace),
     .shown_when_zero = true},
    {.key = "deployment", .kind = DECODE_BOOL, .offset = KUBE(attach_deployment)},
    {.key = "job", .kind = DECODE_BOOL, .offset = KUBE(attach_job)},
    {.key = "cronjob", .kind = DECODE_BOOL, .offset = KUBE(attach_cronjob)},
};
static const struct decode_schema ATTACH_SCHEMA = {
    .fields = ATTACH_FIELDS,
    .field_count = COUNT_OF(ATTACH_FIELDS),
    .size = sizeof(struct kubernetes_sd_config),
    .type = "kubernetes.plain",
};

static err read_attach(struct decode *c, const struct yaml *n, void *place)
{
    struct kubernetes_sd_config *k = place, part;
    TRY(decode_struct(c, &ATTACH_SCHEMA, n, &part));
    k->attach_node = part.attach_node;
    k->attach_namespace = part.attach_namespace;
    k->attach_deployment = part.attach_deployment;
    k->attach_job = part.attach_job;
    k->attach_cronjob = part.attach_cronjob;
    return OK;
}

static bool print_attach(const void *place, struct yaml_out *out)
{
    const struct kubernetes_sd_config *k = place;
    bool any = k->attach_node || k->attach_namespace || k->attach_deployment || k->attach_job ||
               k->attach_cronjob;
    if (!any || out == NULL)
        return any;
    print_map_begin(out);
    print_fields(out, &ATTACH_SCHEMA, k);
    print_map_end(out);
    return true;
}

static const struct decode_field SELECTOR_FIELDS[] = {
    {.key = "role",
     .kind = DECODE_CUSTOM,
     .offset = offsetof(struct kubernetes_selector, role),
     .custom = read_role,
     .print = print_role},
    {.key = "label", .kind = DECODE_TEXT, .offset = offsetof(struct kubernetes_selector, label)},
    {.key = "field", .kind = DECODE_TEXT, .offset = offsetof(struct kubernetes_selector, field)},
};
static const struct decode_schema SELECTOR_SCHEMA = {
    .fields = SELECTOR_FIELDS,
    .field_count = COUNT_OF(SELECTOR_FIELDS),
    .size = sizeof(struct kubernetes_selector),
    .type = "kubernetes.SelectorConfig",
};

/* ---- The whole ---- */

static const struct decode_field FIELDS[] = {
    {.key = "api_server", .kind = DECODE_URL, .offset = KUBE(api_server)},
    {.key = "role",
     .kind = DECODE_CUSTOM,
     .offset = KUBE(role),
     .custom = read_role,
     .print = print_role},
    {.key = "kubeconfig_file", .kind = DECODE_PATH, .offset = KUBE(kubeconfig_file)},
    {.kind = DECODE_INLINE, .offset = KUBE(http), .schema = &HTTP_CLIENT_SCHEMA},
    {.key = "namespaces",
     .kind = DECODE_CUSTOM,
     .custom = read_namespaces,
     .print = print_namespaces},
    {.key = "selectors",
     .kind = DECODE_STRUCTS,
     .offset = KUBE(selectors),
     .schema = &SELECTOR_SCHEMA},
    {.key = "attach_metadata", .kind = DECODE_CUSTOM, .custom = read_attach, .print = print_attach},
};

/* Which selectors a role may have, besides its own. */
static bool selector_allowed(int role, int selector)
{
    bool ends = role == KUBERNETES_ENDPOINTS || role == KUBERNETES_ENDPOINTSLICE;
    return selector == role || (role == KUBERNETES_POD && selector == KUBERNETES_NODE) ||
           (ends && (selector == KUBERNETES_POD || selector == KUBERNETES_SERVICE));
}

static const char *allowed_selectors(int role)
{
    switch (role) {
    case KUBERNETES_POD:
        return "pod, node";
    case KUBERNETES_ENDPOINTS:
        return "pod, service, endpoints";
    case KUBERNETES_ENDPOINTSLICE:
        return "pod, service, endpointslice";
    default:
        return ROLES[role];
    }
}

static err check_selectors(struct decode *c, const struct yaml *n,
                           const struct kubernetes_sd_config *k)
{
    unsigned seen = 0;
    for (size_t i = 0; i < k->selector_count; i++) {
        int role = k->selectors[i].role;
        struct diag why = {.text = ""};
        if ((seen & 1u << role) != 0)
            return decode_fail(c, n, "duplicated selector role: %s", ROLES[role]);
        seen |= 1u << role;
        if (!selector_allowed(k->role, role))
            return decode_fail(c, n, "%s role supports only %s selectors", ROLES[k->role],
                               allowed_selectors(k->role));
        if (field_selector_check(k->selectors[i].field, &why) != OK ||
            label_selector_check(k->selectors[i].label, &why) != OK)
            return decode_fail(c, n, "%s", why.text);
    }
    return OK;
}

static err check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct kubernetes_sd_config *k = s;
    bool own_http = !http_client_is_default(&k->http), file = k->kubeconfig_file.len > 0;
    if (n->type == YAML_NULL || yaml_get(n, STR("role")) == NULL)
        return decode_fail(
            c, n, "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
    if (file && k->api_server.len > 0)
        return decode_fail(c, n, "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
    if (file && own_http)
        return decode_fail(
            c, n, "cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
    if (k->api_server.len == 0 && own_http)
        return decode_fail(c, n,
                           "to use custom HTTP client configuration please provide the "
                           "'api_server' URL explicitly");
    if (k->api_server.len > 0 && k->own_namespace)
        return decode_fail(c, n,
                           "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
    if (file && k->own_namespace)
        return decode_fail(
            c, n, "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
    return check_selectors(c, n, k);
}

const struct decode_schema KUBERNETES_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct kubernetes_sd_config),
    .check = check,
    .type = "kubernetes.plain",
};
