/* api_v2.h -- Alertmanager's API v2 over the engine of notifications: its routes, which stand below
 * /api/v2 and below /alertmanager/api/v2, and what they share. Without an alertmanager.yml they
 * answer 404. docs/operations/alertmanager.md explains it to users. */
#ifndef HTTP_API_V2_H
#define HTTP_API_V2_H

#include "config/web_config.h"
#include "http/api.h"
#include "http/postable.h"

enum {
    API_V2_FILTERS_MAX = 1000,               /* filter= of a request */
    API_V2_SILENCE_BODY_BYTES_MAX = 4 << 20, /* a silence has at most 1 MiB of text */
    API_V2_SILENCES_BYTES_MAX = 256 << 20,   /* of a list of silences */
};

/* Changing who is told needs the scope admin; giving alerts is what writers do. */
#define API_V2_ROUTES(below)                                                                       \
    {.path = below "/api/v2/alerts",                                                               \
     .methods = HTTP_GET | HTTP_POST,                                                              \
     .scope = SCOPE_READ,                                                                          \
     .change_scope = SCOPE_WRITE,                                                                  \
     .run = api_v2_alerts,                                                                         \
     .on_pool = true,                                                                              \
     .body_bytes_max = POSTABLE_BODY_BYTES_MAX},                                                   \
        {.path = below "/api/v2/alerts/groups",                                                    \
         .methods = HTTP_GET,                                                                      \
         .scope = SCOPE_READ,                                                                      \
         .run = api_v2_groups,                                                                     \
         .on_pool = true},                                                                         \
        {.path = below "/api/v2/silences",                                                         \
         .methods = HTTP_GET | HTTP_POST,                                                          \
         .scope = SCOPE_READ,                                                                      \
         .change_scope = SCOPE_ADMIN,                                                              \
         .run = api_v2_silences,                                                                   \
         .on_pool = true,                                                                          \
         .body_bytes_max = API_V2_SILENCE_BODY_BYTES_MAX},                                         \
        {.path = below "/api/v2/silence/*",                                                        \
         .methods = HTTP_GET | HTTP_DELETE,                                                        \
         .scope = SCOPE_READ,                                                                      \
         .change_scope = SCOPE_ADMIN,                                                              \
         .run = api_v2_silence,                                                                    \
         .on_pool = true},                                                                         \
        {.path = below "/api/v2/status",                                                           \
         .methods = HTTP_GET,                                                                      \
         .scope = SCOPE_READ,                                                                      \
         .run = api_v2_status,                                                                     \
         .on_pool = true},                                                                         \
    {                                                                                              \
        .path = below "/api/v2/receivers", .methods = HTTP_GET, .scope = SCOPE_READ,               \
        .run = api_v2_receivers, .on_pool = true                                                   \
    }

void api_v2_alerts(struct http_request *r);
void api_v2_post_alerts(struct http_request *r);
void api_v2_groups(struct http_request *r);
void api_v2_silences(struct http_request *r);
void api_v2_silence(struct http_request *r);
void api_v2_status(struct http_request *r);
void api_v2_receivers(struct http_request *r);
/* /alertmanager/api/v1/...: 410 */
void api_v1_gone(struct http_request *r);
/* /alertmanager/-/healthy and ready */
void alertmanager_is_there(struct http_request *r);

/* ---- For its files ---- */

/* The engine with its lock; NULL, and answered, when the server has none. */
struct engine *api_v2_lock(struct http_request *r);
void api_v2_unlock(struct http_request *r);

/* {"code":..,"message":..}: what the frame of upstream's API refuses. */
void api_v2_refuse(struct http_request *r, unsigned status, unsigned code, const char *text);
/* A JSON text: what its handlers refuse. */
void api_v2_fail(struct http_request *r, unsigned status, const char *text);
/* As the error of a body says. */
void api_v2_fail_body(struct http_request *r, const struct postable_error *e);
/* False, and answered, when the server has no engine or the body is not said to be JSON (415). */
bool api_v2_takes_json(struct http_request *r);
/* Start an answer of 200. */
struct buf *api_v2_begin(struct http_request *r);

/* A boolean as go-openapi reads it: "true", "1", "yes", "on"...; `missing` when it is not there. */
bool api_v2_flag(struct http_request *r, const char *name, bool missing);

/* Repeated parameters with one matcher each. */
struct api_v2_filters { /* api_v2_filters_fini() is due when true was returned */
    struct arena arena;
    struct alert_matchers *items;
    size_t count;
};
/* False when answered with 400. */
bool api_v2_filters(struct http_request *r, const char *name, struct api_v2_filters *out);
void api_v2_filters_fini(struct api_v2_filters *f);

#endif
