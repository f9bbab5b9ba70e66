/* sd_docker.c -- docker_sd_configs: running containers of a Docker daemon, over its socket or TCP.
 */
#include <stdio.h>

#include "base/json_text.h"
#include "base/jtree.h"
#include "base/url_text.h"
#include "ingest/discovery_priv.h"

enum { HOPS_MAX = 16 }; /* containers that borrow the network of a container */

struct docker {
    struct http_client *client;
    struct http_client_config plain; /* for sockets and tcp://, which http_config is not for */
    struct buf base;                 /* "http://host:port" */
    str socket;
    const struct docker_sd_config *c;
};

/* {"name":{"value":true,...},...}, as the daemon wants it, escaped for a URL. */
static void put_filters(const struct docker_sd_config *c, struct buf *out)
{
    struct buf json = {0};
    buf_put_u8(&json, '{');
    for (size_t i = 0; i < c->filter_count; i++) {
        const struct docker_filter *f = &c->filters[i];
        buf_printf(&json, "%s", i > 0 ? "," : "");
        json_str(&json, f->name);
        buf_put_str(&json, STR(":{"));
        for (size_t k = 0; k < f->values.count; k++) {
            buf_printf(&json, "%s", k > 0 ? "," : "");
            json_str(&json, f->values.items[k]);
            buf_put_str(&json, STR(":true"));
        }
        buf_put_u8(&json, '}');
    }
    buf_put_u8(&json, '}');
    if (c->filter_count > 0) {
        buf_put_str(out, STR("?filters="));
        url_put(out, buf_str(&json));
    }
    buf_fini(&json);
}

static err get(struct sd_provider *p, struct docker *k, const char *path, struct jtree **out,
               struct diag *d)
{
    struct buf url = {0};
    struct http_reply reply = {0};
    struct diag why = {.text = ""};
    buf_put_str(&url, buf_str(&k->base));
    buf_put_str(&url, str_from(path));
    struct http_request_options o = {
        .url = buf_str(&url), .unix_socket = k->socket, .timeout_ms = k->c->refresh_interval_ms};
    err e = sd_get_json(p, k->client, &o, &reply, &why);
    if (e == OK)
        e = jtree_parse(buf_slice(&reply.body), out, &why);
    if (e == OK && !jtree_is_array(*out)) {
        jtree_free(*out);
        e = diag_set(&why, ERR_INVALID, "the answer is no list");
    }
    buf_fini(&url);
    http_reply_fini(&reply);
    return e == OK ? OK
                   : diag_set(d, e, "error while listing %s: %s",
                              path[1] == 'n' ? "networks" : "containers", why.text);
}

/* ---- Labels ---- */

static void put_network(struct sd_build *b, const struct jtree *networks, str id)
{
    for (size_t i = 0; i < jtree_count(networks); i++) {
        const struct jtree *n = jtree_at(networks, i);
        struct jtree_member m = {0};
        if (!str_eq(jtree_text(jtree_get(n, "Id")), id))
            continue;
        sd_build_label(b, "__meta_docker_network_id", id);
        sd_build_label(b, "__meta_docker_network_name", jtree_text(jtree_get(n, "Name")));
        sd_build_label(b, "__meta_docker_network_scope", jtree_text(jtree_get(n, "Scope")));
        bool internal = jtree_bool(jtree_get(n, "Internal"), false);
        bool ingress = jtree_bool(jtree_get(n, "Ingress"), false);
        sd_build_label(b, "__meta_docker_network_internal", internal ? STR("true") : STR("false"));
        sd_build_label(b, "__meta_docker_network_ingress", ingress ? STR("true") : STR("false"));
        while (jtree_next(jtree_get(n, "Labels"), &m))
            sd_build_meta(b, "__meta_docker_network_label_", m.key, "", jtree_text(m.value));
    }
}

static void put_address(struct sd_build *b, str host, int64_t port)
{
    char text[512];
    bool v6 = host.len > 0 && memchr(host.ptr, ':', host.len) != NULL;
    int n = snprintf(text, sizeof(text), "%s" STR_FMT "%s:%lld", v6 ? "[" : "",
                     (int)MIN(host.len, 400), host.ptr, v6 ? "]" : "", (long long)port);
    sd_build_label(b, "__address__", (str){text, (size_t)MAX(n, 0)});
}

/* One target for each TCP port on this network; without any, the fallback port. */
static void put_ports(struct sd_build *b, const struct docker_sd_config *c,
                      const struct jtree *container, str mode, str ip)
{
    const struct jtree *ports = jtree_get(container, "Ports");
    size_t common = sd_build_mark(b);
    bool added = false;
    for (size_t i = 0; i < jtree_count(ports); i++) {
        const struct jtree *port = jtree_at(ports, i);
        int64_t number = jtree_int(jtree_get(port, "PrivatePort"), 0);
        int64_t shown = jtree_int(jtree_get(port, "PublicPort"), 0);
        if (!str_eq(jtree_text(jtree_get(port, "Type")), STR("tcp")))
            continue;
        sd_build_number(b, "__meta_docker_port_private", number);
        if (shown > 0) {
            sd_build_number(b, "__meta_docker_port_public", shown);
            sd_build_label(b, "__meta_docker_port_public_ip", jtree_text(jtree_get(port, "IP")));
        }
        put_address(b, ip, number);
        sd_build_target(b);
        sd_build_back(b, common);
        added = true;
    }
    if (added)
        return;
    if (str_eq(mode, STR("host")))
        sd_build_label(b, "__address__", c->host_networking_host);
    else
        put_address(b, ip, c->port);
    sd_build_target(b);
    sd_build_back(b, common);
}

static str mode_of(const struct jtree *container)
{
    return jtree_text(jtree_get(jtree_get(container, "HostConfig"), "NetworkMode"));
}

/* The networks of a container, or of the one whose network it borrows. */
static const struct jtree *networks_of(const struct jtree *all, const struct jtree *container)
{
    for (int hop = 0; hop < HOPS_MAX && container != NULL; hop++) {
        const struct jtree *n = jtree_get(jtree_get(container, "NetworkSettings"), "Networks");
        str mode = mode_of(container);
        if (jtree_count(n) > 0 || !str_starts(mode, STR("container:")))
            return n;
        str id = {mode.ptr + 10, mode.len - 10};
        container = NULL;
        for (size_t i = 0; i < jtree_count(all) && container == NULL; i++)
            if (str_eq(jtree_text(jtree_get(jtree_at(all, i), "Id")), id))
                container = jtree_at(all, i);
    }
    return NULL;
}

/* The first by name, when only one shall count. */
static str first_network(const struct jtree *networks)
{
    struct jtree_member m = {0};
    str first = {NULL, 0};
    while (jtree_next(networks, &m))
        if (jtree_is_object(m.value) && (first.ptr == NULL || str_cmp(m.key, first) < 0))
            first = m.key;
    return first;
}

static void put_container(struct sd_build *b, const struct docker_sd_config *c,
                          const struct jtree *all, const struct jtree *networks,
                          const struct jtree *container)
{
    const struct jtree *own = networks_of(all, container);
    struct jtree_member m = {0};
    str mode = mode_of(container), name = jtree_text(jtree_at(jtree_get(container, "Names"), 0));
    if (jtree_count(jtree_get(container, "Names")) == 0)
        return;
    sd_build_label(b, "__meta_docker_container_id", jtree_text(jtree_get(container, "Id")));
    sd_build_label(b, "__meta_docker_container_name", name);
    sd_build_label(b, "__meta_docker_container_network_mode", mode);
    while (jtree_next(jtree_get(container, "Labels"), &m))
        sd_build_meta(b, "__meta_docker_container_label_", m.key, "", jtree_text(m.value));
    size_t common = sd_build_mark(b);
    str only = c->match_first_network && jtree_count(own) > 1 ? first_network(own) : (str){NULL, 0};
    m = (struct jtree_member){.at = NULL};
    while (jtree_next(own, &m)) {
        if (!jtree_is_object(m.value) || (only.ptr != NULL && !str_eq(m.key, only)))
            continue;
        str ip = jtree_text(jtree_get(m.value, "IPAddress"));
        sd_build_label(b, "__meta_docker_network_ip", ip);
        put_network(b, networks, jtree_text(jtree_get(m.value, "NetworkID")));
        put_ports(b, c, container, mode, ip);
        sd_build_back(b, common);
    }
    sd_build_back(b, 0);
}

void sd_docker_build(const struct docker_sd_config *c, const struct jtree *containers,
                     const struct jtree *networks, struct sd_build *b)
{
    for (size_t i = 0; i < jtree_count(containers); i++)
        put_container(b, c, containers, networks, jtree_at(containers, i));
}

static err refresh(struct sd_provider *p, void *arg, struct diag *d)
{
    struct docker *k = arg;
    struct jtree *containers = NULL, *networks = NULL;
    struct sd_targets *targets = NULL;
    struct sd_build b;
    struct buf path = {0};
    buf_put_str(&path, STR("/containers/json"));
    put_filters(k->c, &path);
    err e = get(p, k, buf_cstr(&path), &containers, d);
    buf_fini(&path);
    if (e == OK)
        e = get(p, k, "/networks", &networks, d);
    if (e == OK) {
        sd_build_begin(&b);
        sd_docker_build(k->c, containers, networks, &b);
        e = sd_build_end(&b, &targets);
    }
    jtree_free(containers);
    jtree_free(networks);
    if (e == OK)
        sd_put(p, STR("Docker"), targets);
    return e;
}

void sd_docker_run(struct sd_provider *p)
{
    struct docker k = {.c = p->sd->docker, .plain = {.follow_redirects = true}};
    struct diag d = {.text = ""};
    str host = k.c->host;
    bool http = str_starts(host, STR("http"));
    if (str_starts(host, STR("unix://"))) {
        k.socket = (str){host.ptr + 7, host.len - 7};
        buf_put_str(&k.base, STR("http://docker"));
    } else if (http) {
        buf_put_str(&k.base, host);
    } else {
        buf_printf(&k.base, "http://" STR_FMT, (int)host.len - 6, host.ptr + 6);
    }
    while (k.base.len > 0 && k.base.ptr[k.base.len - 1] == '/')
        k.base.len--;
    if (http_client_open(http ? &k.c->http : &k.plain, sd_user_agent(p), &k.client, &d) != OK)
        sd_failed(p, d.text);
    else
        sd_refresh(p, k.c->refresh_interval_ms, refresh, &k);
    http_client_close(k.client);
    buf_fini(&k.base);
}
