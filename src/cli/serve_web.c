/* serve_web.c -- see serve_web.h. */
#include "cli/serve_web.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/machine.h"

enum {
    HEALTH_CONNECTIONS_MAX = 64,
    HEALTH_DRAIN_MS = 1000,
};

struct web_flags web_flags_defaults(void)
{
    return (struct web_flags){
        .config_file = "",
        .token_file = "",
        .allowed_hosts = "",
        .health_address = "",
        .rate_bytes = 1024,
        .header_timeout_ms = 10000,
        .rate_grace_ms = 10000,
        .queue_ms = 10000,
    };
}

size_t web_flag_table(struct web_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"web.config.file", "path",
         "TLS, basic authentication and response headers; read again when it changes.", FLAG_TEXT,
         &f->config_file, false},
        {"web.token-file", "path", "Bearer tokens with scopes; read again when it changes.",
         FLAG_TEXT, &f->token_file, false},
        {"web.open-health", "", "Answer /-/healthy and /-/ready without authentication.", FLAG_BOOL,
         &f->open_health, false},
        {"web.health-address", "host:port",
         "A second listener for /health, /-/healthy, /-/ready and /metrics alone.", FLAG_TEXT,
         &f->health_address, false},
        {"web.allowed-hosts", "names",
         "Comma-separated names that requests may ask for; * for any. Addresses always may.",
         FLAG_TEXT, &f->allowed_hosts, false},
        {"web.max-connections-per-client", "count",
         "Simultaneous connections of one address; 0: no limit of its own.", FLAG_COUNT,
         &f->per_client, false},
        {"web.header-timeout", "duration",
         "Longest a TLS handshake, request line and headers may take; 0s: --web.read-timeout.",
         FLAG_DURATION, &f->header_timeout_ms, false},
        {"web.min-rate", "bytes",
         "Bytes a second that a client must send of a body or take of an answer.", FLAG_BYTES,
         &f->rate_bytes, false},
        {"web.rate-grace", "duration",
         "Time over which --web.min-rate is taken; 0s: slow clients are waited for.", FLAG_DURATION,
         &f->rate_grace_ms, false},
        {"query.max-queue-time", "duration",
         "Longest a query may wait for its turn; 0s: --query.timeout alone.", FLAG_DURATION,
         &f->queue_ms, false},
        {"query.total-memory", "bytes",
         "Memory of all queries at which no other starts; 0: a quarter of the machine's.",
         FLAG_BYTES, &f->queries_bytes, false},
    };
    static_assert(COUNT_OF(FLAGS) <= WEB_FLAGS_MAX, "room for all");
    if (out != NULL)
        memcpy(out, FLAGS, sizeof(FLAGS));
    return COUNT_OF(FLAGS);
}

void web_redact(char *text, size_t size)
{
    static const char HIDDEN[] = "xxxxx";
    char *start = strstr(text, "://");
    if (start == NULL)
        return;
    start += 3;
    size_t n = strcspn(start, "/?#");
    char *at = memrchr(start, '@', n), *colon = memchr(start, ':', n);
    if (at == NULL || colon == NULL || colon > at)
        return;
    size_t tail = strlen(at), kept = (size_t)(colon + 1 - text);
    if (kept + strlen(HIDDEN) + tail >= size) { /* no room: nothing of it */
        text[0] = '\0';
        return;
    }
    memmove(colon + 1 + strlen(HIDDEN), at, tail + 1);
    memcpy(colon + 1, HIDDEN, strlen(HIDDEN));
}

/* Of the machine, or what the control group leaves of it. */
static uint64_t machine_bytes(void)
{
    bool of_group;
    uint64_t bytes = machine_memory_limit("", &of_group);
    return bytes > 0 ? bytes : UINT64_C(4) << 30;
}

uint64_t web_queries_bytes(const struct web_flags *f)
{
    return f->queries_bytes > 0 ? f->queries_bytes : machine_bytes() / 4;
}

/* Keys and passwords are in memory: no core file, and no other process of the user looks. */
static void hide_memory(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

err web_guard_open(const struct web_flags *f, str external_url, str hostname, struct web_guard *g,
                   struct http_options *o, struct diag *d)
{
    TRY(site_init(&g->site, str_from(f->allowed_hosts), o->listen_address, external_url, hostname,
                  d));
    if (f->config_file[0] != '\0' || f->token_file[0] != '\0') {
        hide_memory();
        TRY(auth_open(f->config_file, f->token_file, &g->auth, d));
    }
    o->auth = g->auth;
    o->site = &g->site;
    o->open_health = f->open_health;
    o->connections_per_client_max = (unsigned)MIN(f->per_client, UINT32_MAX);
    o->header_timeout_ms = f->header_timeout_ms > 0 ? f->header_timeout_ms : o->read_timeout_ms;
    o->rate_bytes_min = f->rate_bytes;
    o->rate_grace_ms = f->rate_grace_ms;
    o->queue_ms_max = f->queue_ms;
    return OK;
}

err web_guard_listen(const struct web_flags *f, const struct http_options *o, struct web_guard *g,
                     struct diag *d)
{
    struct http_options health = *o;
    if (f->health_address[0] == '\0')
        return OK;
    health.listen_address = str_from(f->health_address);
    health.vital_only = true;
    health.threads = 1;
    health.workers = 0;
    health.connections_max = HEALTH_CONNECTIONS_MAX;
    return http_server_open(&health, &g->health, d);
}

void web_guard_unlisten(struct web_guard *g)
{
    http_server_close(g->health, HEALTH_DRAIN_MS);
    g->health = NULL;
}

void web_guard_close(struct web_guard *g)
{
    web_guard_unlisten(g);
    auth_close(g->auth);
    g->auth = NULL;
}
