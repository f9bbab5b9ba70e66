/* test_sd_kubernetes.c -- Kubernetes discovery against a small server that answers with the lists
 * of tests/ingest/kubernetes/ and with events: every role, watches, pages, refusals. What is to be
 * found stands in the .want files beside the lists. */
#include "support/discovery_text.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/fs.h"
#include "ingest/kube_access.h"
#include "support/http_stub.h"

static const char *const RESOURCES[] = {"pods",       "nodes",          "services",
                                        "endpoints",  "endpointslices", "ingresses",
                                        "namespaces", "replicasets",    "jobs"};
static struct buf lists[COUNT_OF(RESOURCES)];
static _Atomic(const char *) event; /* what watches of pods say; NULL: nothing */
static atomic_int lists_of_pods;
static atomic_bool paged;

static int load_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(RESOURCES); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "ingest/kubernetes/%s.json", RESOURCES[i]);
        assert_int_equal(fs_read_file(fs_posix(), path, 1 << 20, &lists[i]), OK);
    }
    return 0;
}

static int free_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(RESOURCES); i++)
        buf_fini(&lists[i]);
    return 0;
}

static bool holds(str request, const char *text)
{
    return memmem(request.ptr, request.len, text, strlen(text)) != NULL;
}

/* Which list a request wants: /RESOURCE? or /RESOURCE blank. */
static size_t resource_of(str request)
{
    for (size_t i = 0; i < COUNT_OF(RESOURCES); i++) {
        char part[64];
        (void)snprintf(part, sizeof(part), "/%s?", RESOURCES[i]);
        if (holds(request, part))
            return i;
    }
    return COUNT_OF(RESOURCES);
}

static void answer(void *arg, str request, struct buf *reply)
{
    (void)arg;
    size_t i = resource_of(request);
    const char *said = atomic_load(&event);
    if (!holds(request, "Authorization: Bearer tok\r\n")) {
        http_stub_reply(reply, "401 Unauthorized", "", "{}");
    } else if (i == COUNT_OF(RESOURCES)) {
        http_stub_reply(reply, "404 Not Found", "", "{}");
    } else if (holds(request, "watch=1")) {
        http_stub_reply(reply, "200 OK", "", i == 0 && said != NULL ? said : "");
    } else if (i == 0 && atomic_load(&paged) && !holds(request, "continue=more%3D")) {
        http_stub_reply(
            reply, "200 OK", "",
            "{\"metadata\":{\"continue\":\"more=\",\"resourceVersion\":\"1\"},\"items\":"
            "[{\"metadata\":{\"name\":\"first\",\"namespace\":\"shop\"},\"spec\":"
            "{\"containers\":[{\"name\":\"c\"}]},\"status\":{\"podIP\":\"10.1.0.1\"}}]}");
    } else {
        (void)atomic_fetch_add(&lists_of_pods, i == 0);
        http_stub_reply(reply, "200 OK", "", buf_cstr(&lists[i]));
    }
}

struct cluster {
    struct http_stub *s;
    struct discovery *d;
};

static struct cluster start(const char *settings)
{
    struct cluster c = {.s = http_stub_open(answer, NULL)};
    struct discovery_options o = {.user_agent = STR("Test/1"), .delay_ms = 10};
    char sd[512];
    assert_int_equal(discovery_open(&o, &c.d), OK);
    (void)snprintf(sd, sizeof(sd),
                   "kubernetes_sd_configs: [{api_server: 'http://127.0.0.1:%u/', authorization: "
                   "{credentials: tok}, %s}]",
                   http_stub_port(c.s), settings);
    apply(c.d, config_of(sd));
    return c;
}

static void stop(struct cluster *c)
{
    discovery_close(c->d);
    http_stub_close(c->s);
}

static void check_role(const char *settings, const char *want_file)
{
    struct buf want = {0};
    char path[128];
    atomic_store(&event, NULL);
    atomic_store(&paged, false);
    struct cluster c = start(settings);
    (void)snprintf(path, sizeof(path), "ingest/kubernetes/%s.want", want_file);
    assert_int_equal(fs_read_file(fs_posix(), path, 1 << 20, &want), OK);
    assert_true(want.len > 0);
    expect(c.d, buf_cstr(&want));
    expect_reason(c.d, NULL);
    stop(&c);
    buf_fini(&want);
}

static void test_kubernetes__roles(void **state)
{
    (void)state;
    check_role("role: node", "node");
    check_role("role: pod, attach_metadata: {node: true, namespace: true, deployment: true}",
               "pod");
    check_role("role: service", "service");
    check_role("role: endpoints", "endpoints");
    check_role("role: endpointslice, attach_metadata: {node: true}", "endpointslice");
    check_role("role: ingress", "ingress");
}

static void test_kubernetes__selectors_and_namespaces(void **state)
{
    (void)state;
    atomic_store(&event, NULL);
    struct cluster c =
        start("role: pod, namespaces: {names: [shop]}, selectors: [{role: pod, label: "
              "'app in (a,b)', field: 'spec.nodeName=node-a'}]");
    for (int i = 0; i < 500 && http_stub_count(c.s) == 0; i++)
        clock_sleep_ns(10000000);
    assert_non_null(strstr(http_stub_request(c.s, 0),
                           "GET /api/v1/namespaces/shop/pods?labelSelector=app%20in%20%28a%2Cb%29&"
                           "fieldSelector=spec.nodeName%3Dnode-a&limit=500 HTTP/1.1\r\n"));
    stop(&c);
}

#define POD(type, name, ip, version)                                                               \
    "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name                            \
    "\",\"namespace\":\"shop\",\"resourceVersion\":\"" version                                     \
    "\"},\"spec\":{\"containers\":[{\"name\":\"c\"}]},\"status\":{\"podIP\":\"" ip "\"}}}\n"

/* Waits until as many targets as `count` have this address in front. */
static void expect_address(struct discovery *d, const char *address, bool there)
{
    struct buf got = {0};
    bool found = !there;
    for (int i = 0; i < 500 && found != there; i++) {
        show(d, &got);
        found = strstr(buf_cstr(&got), address) != NULL;
        if (found != there)
            clock_sleep_ns(10000000);
    }
    if (found != there)
        fail_msg("%s is %sthere:\n%s", address, found ? "" : "not ", buf_cstr(&got));
    buf_fini(&got);
}

static void test_kubernetes__watch(void **state)
{
    (void)state;
    atomic_store(&event, NULL);
    atomic_store(&lists_of_pods, 0);
    struct cluster c = start("role: pod");
    expect_address(c.d, "__address__=10.1.0.5:8080,", true);
    atomic_store(&event, POD("ADDED", "new", "10.1.0.77", "101"));
    expect_address(c.d, "__address__=10.1.0.77,", true);
    atomic_store(&event, POD("MODIFIED", "new", "10.1.0.78", "102"));
    expect_address(c.d, "__address__=10.1.0.78,", true);
    atomic_store(&event, POD("DELETED", "web-1", "10.1.0.5", "103"));
    for (int i = 0; i < 500; i++) {
        struct buf got = {0};
        show(c.d, &got);
        bool gone = strstr(buf_cstr(&got), "10.1.0.5") == NULL;
        buf_fini(&got);
        if (gone)
            break;
        assert_true(i < 499);
        clock_sleep_ns(10000000);
    }
    assert_int_equal(atomic_load(&lists_of_pods), 1);
#define EVENTS "prometheus_sd_kubernetes_events_total{role=\"pod\",event="
    assert_true(metric_of(c.d, EVENTS "\"add\"} ") >= 3); /* those listed, and one of the watch */
    assert_true(metric_of(c.d, EVENTS "\"update\"} ") >= 1); /* the server repeats itself */
    assert_true(metric_of(c.d, EVENTS "\"delete\"} ") >= 1);
    /* a version that is too old: listed again, and web-1 is back */
    atomic_store(&event, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n");
    expect_address(c.d, "__address__=10.1.0.5:8080,", true);
    assert_true(atomic_load(&lists_of_pods) >= 2);
    stop(&c);
}

static void test_kubernetes__pages(void **state)
{
    (void)state;
    atomic_store(&event, NULL);
    atomic_store(&paged, true);
    struct cluster c = start("role: pod");
    expect_address(c.d, "__address__=10.1.0.1,", true);
    expect_address(c.d, "__address__=10.1.0.5:8080,", true);
    stop(&c);
    atomic_store(&paged, false);
}

static void test_kubernetes__refused(void **state)
{
    (void)state;
    struct discovery *d = NULL;
    struct discovery_options o = {.user_agent = STR("Test/1"), .delay_ms = 10};
    struct http_stub *s = http_stub_open(answer, NULL);
    char sd[256];
    assert_int_equal(discovery_open(&o, &d), OK);
    (void)snprintf(sd, sizeof(sd),
                   "kubernetes_sd_configs: [{api_server: 'http://127.0.0.1:%u', role: pod}]",
                   http_stub_port(s));
    apply(d, config_of(sd));
    expect_reason(d, "pods: server returned HTTP status 401 Unauthorized");
    assert_true(metric_of(d, "\nprometheus_sd_kubernetes_failures_total ") >= 1);
    apply(d, config_of("kubernetes_sd_configs: [{role: pod, kubeconfig_file: /nonexistent}]"));
    expect_reason(d, "/nonexistent: cannot be read");
    assert_int_equal(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
    apply(d, config_of("kubernetes_sd_configs: [{role: pod}]"));
    expect_reason(d, "unable to load in-cluster configuration");
    discovery_close(d);
    http_stub_close(s);
}

static void test_kubernetes__kubeconfig(void **state)
{
    (void)state;
    static const char TEXT[] =
        "apiVersion: v1\nkind: Config\ncurrent-context: c2\n"
        "clusters:\n- {name: k1, cluster: {server: 'https://one'}}\n"
        "- {name: k2, cluster: {server: 'https://two:6443/', certificate-authority-data: "
        "aGVsbG8=, tls-server-name: api}}\n"
        "contexts:\n- {name: c1, context: {cluster: k1, user: u1}}\n"
        "- {name: c2, context: {cluster: k2, user: u2}}\n"
        "users:\n- {name: u1, user: {exec: {command: x}}}\n"
        "- {name: u2, user: {token: tok, client-certificate: c.pem, client-key-data: a2V5}}\n";
    char path[] = "/tmp/varve_test_kubeconfig_XXXXXX";
    struct diag d = {.text = ""};
    struct kube_access a;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, TEXT, sizeof(TEXT) - 1), sizeof(TEXT) - 1);
    (void)close(fd);
    struct kubernetes_sd_config c = {.kubeconfig_file = str_from(path)};
    assert_int_equal(kube_access_find(&c, &a, &d), OK);
    assert_true(str_eq(a.server, STR("https://two:6443")));
    assert_true(str_eq(a.http.tls.ca, STR("hello")));
    assert_true(str_eq(a.http.tls.key, STR("key")));
    assert_true(str_eq(a.http.tls.cert_file, STR("/tmp/c.pem")));
    assert_true(str_eq(a.http.tls.server_name, STR("api")));
    assert_true(str_eq(a.http.authorization->credentials, STR("tok")));
    kube_access_fini(&a);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kubernetes__roles),
        cmocka_unit_test(test_kubernetes__selectors_and_namespaces),
        cmocka_unit_test(test_kubernetes__watch),
        cmocka_unit_test(test_kubernetes__pages),
        cmocka_unit_test(test_kubernetes__refused),
        cmocka_unit_test(test_kubernetes__kubeconfig),
    };
    return cmocka_run_group_tests(tests, load_lists, free_lists);
}
