/* kube_access.c -- see kube_access.h. */
#include "ingest/kube_access.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "config/yaml.h"

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

enum { ARENA_BYTES = 16 << 20, NAMESPACE_BYTES_MAX = 4096 };

static err no_memory(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "kubeconfig too large");
}

/* ---- In a pod ---- */

static err in_cluster(struct kube_access *a, struct diag *d)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    struct buf url = {0};
    if (host == NULL || port == NULL || host[0] == '\0' || port[0] == '\0')
        return diag_set(d, ERR_NOTFOUND,
                        "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
                        "KUBERNETES_SERVICE_PORT must be defined");
    bool v6 = strchr(host, ':') != NULL;
    buf_printf(&url, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
    a->server = arena_str(&a->arena, buf_str(&url));
    buf_fini(&url);
    a->http.authorization = ARENA_NEW(&a->arena, struct http_authorization);
    if (a->server.ptr == NULL || a->http.authorization == NULL)
        return no_memory(d);
    a->http.authorization->type = STR("Bearer");
    a->http.authorization->credentials_file = STR(ACCOUNT "token");
    a->http.tls.ca_file = STR(ACCOUNT "ca.crt");
    return OK;
}

static err find_namespace(struct kube_access *a, struct diag *d)
{
    struct buf text = {0};
    err e = fs_read_file(fs_posix(), ACCOUNT "namespace", NAMESPACE_BYTES_MAX, &text);
    if (e == OK) {
        while (text.len > 0 && text.ptr[text.len - 1] <= ' ')
            text.len--;
        a->namespace = arena_str(&a->arena, buf_str(&text));
    }
    buf_fini(&text);
    return e == OK && a->namespace.len > 0
               ? OK
               : diag_set(d, ERR_NOTFOUND, "could not determine the pod's namespace: %s",
                          ACCOUNT "namespace cannot be read");
}

/* ---- kubeconfig ---- */

static str value_of(const struct yaml *map, const char *key)
{
    const struct yaml *n =
        map != NULL && map->type == YAML_MAP ? yaml_get(map, str_from(key)) : NULL;
    return n != NULL && n->type == YAML_SCALAR ? n->text : STR("");
}

static const struct yaml *map_of(const struct yaml *map, const char *key)
{
    return map != NULL && map->type == YAML_MAP ? yaml_get(map, str_from(key)) : NULL;
}

/* In root[list], the element whose name is `name`: its `part`. */
static const struct yaml *named(const struct yaml *root, const char *list, str name,
                                const char *part)
{
    const struct yaml *all = map_of(root, list);
    for (const struct yaml *n = all != NULL ? all->first : NULL; n != NULL; n = n->next)
        if (str_eq(value_of(n, "name"), name))
            return map_of(n, part);
    return NULL;
}

static int digit_of(char c)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c != '\0' ? strchr(DIGITS, c) : NULL;
    return p != NULL ? (int)(p - DIGITS) : -1;
}

/* Base64 in the arena; blanks are skipped. */
static err decode64(struct kube_access *a, str text, str *out, struct diag *d)
{
    char *to = arena_alloc(&a->arena, text.len + 1);
    uint32_t bits = 0;
    size_t n = 0, held = 0;
    if (to == NULL)
        return no_memory(d);
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        int digit = digit_of(text.ptr[i]);
        if (strchr(" \t\r\n", text.ptr[i]) != NULL)
            continue;
        if (digit < 0)
            return diag_set(d, ERR_INVALID, "kubeconfig: data that is no base64");
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            to[n++] = (char)(bits >> held & 255);
        }
    }
    to[n] = '\0';
    *out = (str){to, n};
    return OK;
}

/* A path against the folder of the kubeconfig. */
static err join(struct kube_access *a, str file, str path, str *out, struct diag *d)
{
    struct buf text = {0}, parent = {0};
    if (path.len > 0 && path.ptr[0] != '/') {
        struct buf name = {0};
        buf_put_str(&name, file);
        buf_put_str(&text, str_from(fs_parent(&parent, buf_cstr(&name))));
        buf_put_u8(&text, '/');
        buf_fini(&name);
    }
    buf_put_str(&text, path);
    *out = path.len > 0 ? arena_str(&a->arena, buf_str(&text)) : STR("");
    buf_fini(&text);
    buf_fini(&parent);
    return out->ptr != NULL ? OK : no_memory(d);
}

/* `key`-data in base64, or `key` as a path. */
static err data_or_file(struct kube_access *a, str file, const struct yaml *from, const char *key,
                        str *text, str *path, struct diag *d)
{
    char data[64];
    (void)snprintf(data, sizeof(data), "%s-data", key);
    str encoded = value_of(from, data);
    if (encoded.len > 0)
        return decode64(a, encoded, text, d);
    return join(a, file, value_of(from, key), path, d);
}

static err take_user(struct kube_access *a, str file, const struct yaml *user, struct diag *d)
{
    struct http_tls_config *tls = &a->http.tls;
    str token = value_of(user, "token"), token_file = value_of(user, "tokenFile");
    str name = value_of(user, "username");
    if (map_of(user, "exec") != NULL || map_of(user, "auth-provider") != NULL)
        return diag_set(d, ERR_UNSUPPORTED,
                        "kubeconfig: credentials from exec and auth-provider are not supported");
    TRY(data_or_file(a, file, user, "client-certificate", &tls->cert, &tls->cert_file, d));
    TRY(data_or_file(a, file, user, "client-key", &tls->key, &tls->key_file, d));
    if (token.len > 0 || token_file.len > 0) {
        a->http.authorization = ARENA_NEW(&a->arena, struct http_authorization);
        if (a->http.authorization == NULL)
            return no_memory(d);
        a->http.authorization->type = STR("Bearer");
        if (token_file.len > 0)
            return join(a, file, token_file, &a->http.authorization->credentials_file, d);
        a->http.authorization->credentials = token;
    } else if (name.len > 0) {
        a->http.basic_auth = ARENA_NEW(&a->arena, struct http_basic_auth);
        if (a->http.basic_auth == NULL)
            return no_memory(d);
        a->http.basic_auth->username = name;
        a->http.basic_auth->password = value_of(user, "password");
    }
    return OK;
}

static err take_kubeconfig(struct kube_access *a, str file, const struct yaml *root, struct diag *d)
{
    const struct yaml *context =
        named(root, "contexts", value_of(root, "current-context"), "context");
    const struct yaml *cluster = named(root, "clusters", value_of(context, "cluster"), "cluster");
    const struct yaml *user = named(root, "users", value_of(context, "user"), "user");
    struct http_tls_config *tls = &a->http.tls;
    if (context == NULL)
        return diag_set(d, ERR_INVALID, "kubeconfig: no context is current");
    if (value_of(cluster, "server").len == 0)
        return diag_set(d, ERR_INVALID, "kubeconfig: the context's cluster has no server");
    a->server = value_of(cluster, "server");
    tls->insecure_skip_verify = str_eq(value_of(cluster, "insecure-skip-tls-verify"), STR("true"));
    tls->server_name = value_of(cluster, "tls-server-name");
    a->http.proxy.proxy_url = value_of(cluster, "proxy-url");
    TRY(data_or_file(a, file, cluster, "certificate-authority", &tls->ca, &tls->ca_file, d));
    return user != NULL ? take_user(a, file, user, d) : OK;
}

static err from_kubeconfig(struct kube_access *a, str file, struct diag *d)
{
    struct buf text = {0};
    struct diag why = {.text = ""};
    struct yaml *root = NULL;
    err e = fs_read_file(fs_posix(), file.ptr, YAML_SIZE_MAX, &text);
    if (e != OK)
        (void)diag_set(d, e, STR_FMT ": cannot be read", STR_ARG(file));
    if (e == OK && (e = yaml_parse(buf_slice(&text), &a->arena, &root, &why)) != OK)
        (void)diag_set(d, e, STR_FMT ":%s", STR_ARG(file), why.text);
    buf_fini(&text);
    return e == OK ? take_kubeconfig(a, file, root, d) : e;
}

err kube_access_find(const struct kubernetes_sd_config *c, struct kube_access *out, struct diag *d)
{
    *out = (struct kube_access){.server = c->api_server, .http = c->http};
    arena_init(&out->arena, ARENA_BYTES);
    out->http.enable_http2 = false; /* one connection a watch, as upstream */
    if (c->kubeconfig_file.len > 0)
        TRY(from_kubeconfig(out, c->kubeconfig_file, d));
    else if (c->api_server.len == 0)
        TRY(in_cluster(out, d));
    while (out->server.len > 0 && out->server.ptr[out->server.len - 1] == '/')
        out->server.len--;
    return c->own_namespace ? find_namespace(out, d) : OK;
}

void kube_access_fini(struct kube_access *a)
{
    arena_fini(&a->arena);
    *a = (struct kube_access){.server = {NULL, 0}};
}
