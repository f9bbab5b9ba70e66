/* root.c -- routes outside the API: health, readiness, reload, quit. */
#include <stdio.h>

#include "base/clock.h"
#include "http/api.h"

/* Where the UI begins; old links to /graph keep their parameters. */
void root_index(struct http_request *r)
{
    struct buf b = {0};
    str query = http_query(r);
    bool graph = str_eq(http_path(r), STR("/graph"));
    buf_printf(&b, "%s/query", api_of(r)->urls.external_path);
    if (graph && query.len > 0)
        buf_printf(&b, "?" STR_FMT, STR_ARG(query));
    http_redirect(r, buf_str(&b));
    buf_fini(&b);
}

void root_healthy(struct http_request *r)
{
    http_text(r, 200, "Varve Server is Healthy.\n");
}

/* As /health/ready in the words of Prometheus. */
void root_ready(struct http_request *r)
{
    struct api *api = api_of(r);
    struct db_pulse p = {0};
    bool stopping = atomic_load_explicit(&api->stopping, memory_order_acquire);
    bool ready = atomic_load_explicit(&api->ready, memory_order_acquire) && !stopping;
    if (ready)
        db_pulse_of(api->db, &p);
    if (ready && !p.read_only) {
        http_text(r, 200, "Varve Server is Ready.\n");
        return;
    }
    http_text(r, 503,
              ready ? "the write-ahead log cannot be written: queries only\n"
                    : "Service Unavailable");
    http_answer_header(r, "X-Prometheus-Stopping", stopping ? STR("true") : STR("false"));
}

static bool lifecycle_allowed(struct http_request *r)
{
    if (http_method(r) == HTTP_GET) {
        http_text(r, 405, "Only POST or PUT requests allowed");
        return false;
    }
    if (api_of(r)->lifecycle)
        return true;
    http_text(r, 403, "Lifecycle API is not enabled.");
    return false;
}

void root_reload(struct http_request *r)
{
    struct api *api = api_of(r);
    struct diag d = {.text = ""};
    if (!lifecycle_allowed(r))
        return;
    err e = api->reload(&d);
    if (e == OK) {
        http_text(r, 200, "");
        return;
    }
    struct buf b = {0};
    buf_printf(&b, "failed to reload config: %s\n", d.text);
    http_text(r, 500, buf_cstr(&b));
    buf_fini(&b);
}

void root_quit(struct http_request *r)
{
    struct api *api = api_of(r);
    if (!lifecycle_allowed(r))
        return;
    if (atomic_exchange_explicit(&api->stopping, true, memory_order_acq_rel)) {
        http_text(r, 200, "Termination already in progress.");
        return;
    }
    http_text(r, 200, "Requesting termination... Goodbye!");
    api->quit();
}
