/* metrics_guard.c -- /metrics: what was refused and why, and the state of the web configuration. */
#include <inttypes.h>

#include "http/api.h"
#include "http/auth.h"

static void put_type(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t load(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void put_refusals(struct api *api, struct buf *b)
{
    const struct http_counters *c = http_counters_of(api->server);
    const struct http_counters *health =
        api->health_server != NULL ? http_counters_of(api->health_server) : NULL;
    put_type(b, "varve_http_refused_total", "counter",
             "Requests and connections that were not served, by reason.");
    for (unsigned i = 0; i < HTTP_REFUSALS; i++)
        buf_printf(b, "varve_http_refused_total{reason=\"%s\"} %" PRIu64 "\n",
                   http_refusal_name((enum http_refusal)i),
                   load(&c->refused[i]) + (health != NULL ? load(&health->refused[i]) : 0));
    put_type(b, "varve_http_clients_gone_total", "counter",
             "Requests ended because their client had left.");
    buf_printf(b, "varve_http_clients_gone_total %" PRIu64 "\n", load(&c->clients_gone));
}

static void put_gate(struct api *api, struct buf *b)
{
    struct gate_stats s = http_gate_stats(api->server);
    static const struct {
        const char *name, *type, *help;
    } METRICS[] = {{"varve_http_running", "gauge", "Requests that have a worker."},
                   {"varve_http_waiting", "gauge", "Requests that wait for a worker."},
                   {"varve_http_started_total", "counter", "Requests that got a worker."}};
    for (unsigned m = 0; m < COUNT_OF(METRICS); m++) {
        put_type(b, METRICS[m].name, METRICS[m].type, METRICS[m].help);
        for (unsigned c = 0; c < GATE_CLASSES; c++)
            buf_printf(b, "%s{class=\"%s\"} %" PRIu64 "\n", METRICS[m].name,
                       gate_class_name((enum gate_class)c),
                       m == 0   ? (uint64_t)s.running[c]
                       : m == 1 ? (uint64_t)s.waiting[c]
                                : s.started[c]);
    }
    put_type(b, "varve_http_waited_seconds_total", "counter", "Time requests waited for a worker.");
    for (unsigned c = 0; c < GATE_CLASSES; c++)
        buf_printf(b, "varve_http_waited_seconds_total{class=\"%s\"} %.9g\n",
                   gate_class_name((enum gate_class)c), (double)s.waited_ns[c] / 1e9);
    put_type(b, "varve_http_turned_heavy_total", "counter",
             "Requests taken for light that turned out heavy.");
    buf_printf(b, "varve_http_turned_heavy_total %" PRIu64 "\n", s.turned_heavy);
}

static void put_memory(struct api *api, struct buf *b)
{
    put_type(b, "varve_queries_memory_bytes", "gauge",
             "Memory of queries that run or are being sent.");
    buf_printf(b, "varve_queries_memory_bytes %" PRIu64 "\n",
               active_memory_of(&api->insight.active).bytes);
    put_type(b, "varve_queries_ended_for_memory_total", "counter",
             "Queries ended because all together held too much.");
    buf_printf(b, "varve_queries_ended_for_memory_total %" PRIu64 "\n",
               load(&api->queries_ended_for_memory));
}

void metrics_guard(struct api *api, struct buf *b)
{
    put_refusals(api, b);
    put_memory(api, b);
    put_gate(api, b);
    if (api->auth == NULL)
        return;
    struct auth_counters c = auth_counters_of(api->auth);
    put_type(b, "varve_web_config_last_reload_successful", "gauge",
             "1 when web configuration, tokens and certificate in force are those of the files.");
    buf_printf(b, "varve_web_config_last_reload_successful %d\n", c.last_reload_ok ? 1 : 0);
    put_type(b, "varve_web_config_reload_failures_total", "counter",
             "Changed files of the web configuration that were wrong.");
    buf_printf(b, "varve_web_config_reload_failures_total %" PRIu64 "\n", c.reloads_failed);
    put_type(b, "varve_web_password_checks_total", "counter",
             "Passwords compared with a bcrypt hash; right ones are remembered.");
    buf_printf(b, "varve_web_password_checks_total %" PRIu64 "\n", c.verifications);
}
