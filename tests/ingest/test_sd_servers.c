/* test_sd_servers.c -- Docker and Consul discovery against a small server that speaks their JSON.
 */
#include "support/discovery_text.h"

#include <stdatomic.h>

#include "support/http_stub.h"

static bool asks(str request, const char *start)
{
    return str_starts(request, str_from(start));
}

static bool holds(str request, const char *text)
{
    return memmem(request.ptr, request.len, text, strlen(text)) != NULL;
}

static struct discovery *open_discovery(void)
{
    struct discovery *d = NULL;
    struct discovery_options o = {.user_agent = STR("Test/1"), .delay_ms = 10};
    assert_int_equal(discovery_open(&o, &d), OK);
    return d;
}

/* ---- Docker ---- */

static const char CONTAINERS[] =
    "[{\"Id\":\"c1\",\"Names\":[\"/web\"],\"Labels\":{\"com.example/app\":\"shop\"},"
    "\"HostConfig\":{\"NetworkMode\":\"net\"},"
    "\"Ports\":[{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"},"
    "{\"PrivatePort\":53,\"Type\":\"udp\"},{\"PrivatePort\":9100,\"Type\":\"tcp\"}],"
    "\"NetworkSettings\":{\"Networks\":{"
    "\"znet\":{\"IPAddress\":\"10.9.0.2\",\"NetworkID\":\"n9\"},"
    "\"net\":{\"IPAddress\":\"172.18.0.2\",\"NetworkID\":\"n1\"}}}},"
    "{\"Id\":\"c2\",\"Names\":[\"/side\"],\"HostConfig\":{\"NetworkMode\":\"container:c1\"},"
    "\"Ports\":[],\"NetworkSettings\":{\"Networks\":{}}},"
    "{\"Id\":\"c3\",\"Names\":[\"/host\"],\"HostConfig\":{\"NetworkMode\":\"host\"},\"Ports\":[],"
    "\"NetworkSettings\":{\"Networks\":{\"host\":{\"IPAddress\":\"\",\"NetworkID\":\"nh\"}}}},"
    "{\"Id\":\"c4\",\"Names\":[],\"NetworkSettings\":{}}]";
static const char NETWORKS[] =
    "[{\"Id\":\"n1\",\"Name\":\"net\",\"Scope\":\"local\",\"Internal\":false,\"Ingress\":false,"
    "\"Labels\":{\"a.b\":\"c\"}}]";

static void docker(void *arg, str request, struct buf *reply)
{
    (void)arg;
    bool filtered = holds(request, "?filters=%7B%22status%22%3A%7B%22running%22%3Atrue%7D%7D ");
    if (asks(request, "GET /containers/json") && filtered)
        http_stub_reply(reply, "200 OK", "Content-Type: application/json\r\n", CONTAINERS);
    else if (asks(request, "GET /networks "))
        http_stub_reply(reply, "200 OK", "Content-Type: application/json\r\n", NETWORKS);
    else
        http_stub_reply(reply, "404 Not Found", "", "{}");
}

static void test_sd__docker(void **state)
{
    (void)state;
    struct http_stub *s = http_stub_open(docker, NULL);
    struct discovery *d = open_discovery();
    char sd[256];
    (void)snprintf(sd, sizeof(sd),
                   "docker_sd_configs: [{host: 'tcp://127.0.0.1:%u', port: 81, filters: [{name: "
                   "status, values: [running]}]}]",
                   http_stub_port(s));
    apply(d, config_of(sd));
#define NET                                                                                        \
    "__meta_docker_network_id=n1,__meta_docker_network_ingress=false,"                             \
    "__meta_docker_network_internal=false,__meta_docker_network_ip=172.18.0.2,"                    \
    "__meta_docker_network_label_a_b=c,__meta_docker_network_name=net,"                            \
    "__meta_docker_network_scope=local"
#define WEB                                                                                        \
    "__meta_docker_container_id=c1,__meta_docker_container_label_com_example_app=shop,"            \
    "__meta_docker_container_name=/web,__meta_docker_container_network_mode=net," NET
    expect(d, "__address__=172.18.0.2:80," WEB ",__meta_docker_port_private=80,"
              "__meta_docker_port_public=8080,__meta_docker_port_public_ip=0.0.0.0\n"
              "__address__=172.18.0.2:81,__meta_docker_container_id=c2,"
              "__meta_docker_container_name=/side,"
              "__meta_docker_container_network_mode=container:c1," NET "\n"
              "__address__=172.18.0.2:9100," WEB ",__meta_docker_port_private=9100\n"
              "__address__=localhost,__meta_docker_container_id=c3,"
              "__meta_docker_container_name=/host,__meta_docker_container_network_mode=host\n");
    discovery_close(d);
    http_stub_close(s);
}

/* ---- Consul ---- */

static atomic_int phase; /* 0: web and db; 1: db is gone, web moved */

static const char WEB_0[] =
    "[{\"Node\":{\"Node\":\"n1\",\"Address\":\"10.0.0.1\",\"Datacenter\":\"dc1\","
    "\"Meta\":{\"rack-no\":\"7\"}},"
    "\"Service\":{\"ID\":\"web-1\",\"Service\":\"web\",\"Tags\":[\"prod\",\"v2\"],"
    "\"Address\":\"\",\"Port\":80,\"Meta\":{\"team\":\"a\"},"
    "\"TaggedAddresses\":{\"lan_ipv4\":{\"Address\":\"10.0.0.1\",\"Port\":80}}},"
    "\"Checks\":[{\"CheckID\":\"serfHealth\",\"Status\":\"passing\"},"
    "{\"CheckID\":\"http\",\"Status\":\"warning\"}]}]";
static const char WEB_1[] =
    "[{\"Node\":{\"Node\":\"n2\",\"Address\":\"10.0.0.2\"},"
    "\"Service\":{\"ID\":\"web-2\",\"Address\":\"fd00::2\",\"Port\":81,\"Tags\":[\"prod\"]},"
    "\"Checks\":[{\"CheckID\":\"_node_maintenance\",\"Status\":\"critical\"}]}]";

static void consul(void *arg, str request, struct buf *reply)
{
    (void)arg;
    char headers[64];
    int now = atomic_load(&phase);
    (void)snprintf(headers, sizeof(headers), "X-Consul-Index: %d\r\n", 10 + now);
    if (!holds(request, "X-Consul-Token: tok\r\n"))
        http_stub_reply(reply, "403 Forbidden", "", "ACL not found");
    else if (asks(request, "GET /v1/agent/self "))
        http_stub_reply(reply, "200 OK", "", "{\"Config\":{\"Datacenter\":\"dc1\"}}");
    else if (asks(request, "GET /v1/catalog/services?stale="))
        http_stub_reply(reply, "200 OK", headers,
                        now == 0 ? "{\"web\":[\"prod\"],\"db\":[\"prod\"],\"dev\":[]}"
                                 : "{\"web\":[\"prod\"]}");
    else if (asks(request, "GET /v1/health/service/web?stale=&node-meta=rack%3A7&tag=prod"))
        http_stub_reply(reply, "200 OK", headers, now == 0 ? WEB_0 : WEB_1);
    else if (asks(request, "GET /v1/health/service/db?"))
        http_stub_reply(reply, "200 OK", headers,
                        "[{\"Node\":{\"Node\":\"n3\",\"Address\":\"10.0.0.3\"},"
                        "\"Service\":{\"ID\":\"db\",\"Port\":5432}}]");
    else
        http_stub_reply(reply, "404 Not Found", "", "");
}

static void test_sd__consul(void **state)
{
    (void)state;
    struct http_stub *s = http_stub_open(consul, NULL);
    struct discovery *d = open_discovery();
    char sd[256];
    atomic_store(&phase, 0);
    (void)snprintf(sd, sizeof(sd),
                   "consul_sd_configs: [{server: '127.0.0.1:%u', token: tok, tags: [prod], "
                   "refresh_interval: 50ms, node_meta: {rack: '7'}}]",
                   http_stub_port(s));
    apply(d, config_of(sd));
    expect(d,
           "__address__=10.0.0.1:80,__meta_consul_address=10.0.0.1,__meta_consul_dc=dc1,"
           "__meta_consul_health=warning,__meta_consul_metadata_rack_no=7,__meta_consul_node=n1,"
           "__meta_consul_service=web,__meta_consul_service_id=web-1,"
           "__meta_consul_service_metadata_team=a,__meta_consul_service_port=80,"
           "__meta_consul_tagged_address_lan_ipv4=10.0.0.1:80,__meta_consul_tags=,prod,v2,\n"
           "__address__=10.0.0.3:5432,__meta_consul_address=10.0.0.3,__meta_consul_dc=dc1,"
           "__meta_consul_health=passing,__meta_consul_node=n3,__meta_consul_service=db,"
           "__meta_consul_service_id=db,__meta_consul_service_port=5432,__meta_consul_tags=,,\n");
    atomic_store(&phase, 1);
    expect(d, "__address__=[fd00::2]:81,__meta_consul_address=10.0.0.2,__meta_consul_dc=dc1,"
              "__meta_consul_health=maintenance,__meta_consul_node=n2,__meta_consul_service=web,"
              "__meta_consul_service_address=fd00::2,__meta_consul_service_id=web-2,"
              "__meta_consul_service_port=81,__meta_consul_tags=,prod,\n");
    expect_reason(d, NULL);
#define RPC "prometheus_sd_consul_rpc_duration_seconds_count{endpoint=\"catalog\",call="
    assert_true(metric_of(d, RPC "\"services\"} ") >= 2);
    assert_true(metric_of(d, RPC "\"service\"} ") >= 3); /* web twice, db once */
    assert_int_equal(metric_of(d, "\nprometheus_sd_consul_rpc_failures_total "), 0);
    discovery_close(d);
    http_stub_close(s);
}

static void test_sd__consul_refuses(void **state)
{
    (void)state;
    struct http_stub *s = http_stub_open(consul, NULL);
    struct discovery *d = open_discovery();
    char sd[256];
    (void)snprintf(sd, sizeof(sd), "consul_sd_configs: [{server: 'http://127.0.0.1:%u'}]",
                   http_stub_port(s));
    apply(d, config_of(sd));
    expect_reason(d, "server returned HTTP status 403 Forbidden");
    expect(d, "");
    assert_int_equal(metric_of(d, "\nprometheus_sd_consul_rpc_failures_total "), 1);
    assert_int_equal(metric_of(d, "\nprometheus_sd_failed_configs{name=\"scrape\"} "), 1);
    discovery_close(d); /* at once, though the next try is 15 s away */
    http_stub_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sd__docker),
        cmocka_unit_test(test_sd__consul),
        cmocka_unit_test(test_sd__consul_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
