/* api_v2.c -- see api_v2.h: what the routes share; status, receivers, what was there once. */
#include "http/api_v2.h"

#include <strings.h>

#include "http/alerts_json.h"
#include "http/json.h"
#include "notify/service.h"

enum { FILTER_BYTES_MAX = 64 << 20 }; /* of all matchers of a request */

static const char NO_FILE[] = "there is no Alertmanager here: the server was started without "
                              "--alertmanager.config-file";

struct engine *api_v2_lock(struct http_request *r)
{
    struct notify_service *s = api_of(r)->notify;
    if (s != NULL)
        return notify_service_lock(s);
    api_v2_refuse(r, 404, 404, NO_FILE);
    return NULL;
}

void api_v2_unlock(struct http_request *r)
{
    notify_service_unlock(api_of(r)->notify);
}

/* ---- Answers ---- */

static struct buf *begin(struct http_request *r, unsigned status)
{
    struct buf *b = http_out(r);
    http_answer(r, status, "application/json");
    buf_reset(b);
    return b;
}

struct buf *api_v2_begin(struct http_request *r)
{
    return begin(r, 200);
}

void api_v2_refuse(struct http_request *r, unsigned status, unsigned code, const char *text)
{
    struct buf *b = begin(r, status);
    buf_printf(b, "{\"code\":%u,\"message\":", code);
    json_html(b, str_from(text));
    buf_put_str(b, STR("}\n"));
}

void api_v2_fail(struct http_request *r, unsigned status, const char *text)
{
    struct buf *b = begin(r, status);
    json_html(b, str_from(text));
    buf_put_u8(b, '\n');
}

void api_v2_fail_body(struct http_request *r, const struct postable_error *e)
{
    if (e->code == 0)
        api_v2_fail(r, e->status, e->d.text);
    else
        api_v2_refuse(r, e->status, e->code, e->d.text);
}

/* ---- Requests ---- */

bool api_v2_takes_json(struct http_request *r)
{
    if (api_of(r)->notify == NULL) {
        (void)api_v2_lock(r); /* says so */
        return false;
    }
    str type = http_header(r, "Content-Type"), json = STR("application/json");
    const char *end = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    size_t n = end != NULL ? (size_t)(end - type.ptr) : type.len;
    while (n > 0 && type.ptr[n - 1] == ' ')
        n--;
    if (n == json.len && strncasecmp(type.ptr, json.ptr, n) == 0)
        return true;
    struct buf b = {0};
    str name = type.len > 0 ? (str){type.ptr, MIN(n, (size_t)256)}
                            : STR("application/octet-stream"); /* what Go takes for granted */
    buf_printf(&b, "unsupported media type \"" STR_FMT "\", only [application/json] are allowed",
               STR_ARG(name));
    api_v2_refuse(r, 415, 415, buf_cstr(&b));
    buf_fini(&b);
    return false;
}

bool api_v2_flag(struct http_request *r, const char *name, bool missing)
{
    static const char *const YES[] = {"true", "1",        "yes",     "ok", "y",
                                      "on",   "selected", "checked", "t",  "enabled"};
    str value = http_param(r, str_from(name));
    if (value.len == 0)
        return missing;
    for (size_t i = 0; i < COUNT_OF(YES); i++)
        if (value.len == strlen(YES[i]) && strncasecmp(value.ptr, YES[i], value.len) == 0)
            return true;
    return false;
}

static bool fail_filter(struct http_request *r, const char *text)
{
    api_v2_fail(r, 400, text);
    return false;
}

static bool add_filter(struct http_request *r, str text, struct api_v2_filters *out)
{
    struct alert_matchers *ms = &out->items[out->count];
    struct diag d = {.text = ""};
    struct buf b = {0};
    if (alert_matchers_parse(text, &out->arena, ms, NULL, &d) != OK)
        return fail_filter(r, d.text[0] != '\0' ? d.text : "matchers are too long");
    out->count++;
    if (ms->count == 1)
        return true;
    if (ms->count == 0)
        buf_printf(&b, "bad matcher format: " STR_FMT, STR_ARG(text));
    else
        buf_printf(&b, "expected 1 matcher, found %zu", ms->count);
    (void)fail_filter(r, buf_cstr(&b));
    buf_fini(&b);
    return false;
}

bool api_v2_filters(struct http_request *r, const char *name, struct api_v2_filters *out)
{
    size_t n = 0;
    *out = (struct api_v2_filters){0};
    arena_init(&out->arena, FILTER_BYTES_MAX);
    while (n <= API_V2_FILTERS_MAX && http_param_nth(r, str_from(name), n).ptr != NULL)
        n++;
    if (n > API_V2_FILTERS_MAX)
        return fail_filter(r, "more than 1000 matchers to filter by");
    out->items = ARENA_ARRAY(&out->arena, struct alert_matchers, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (add_filter(r, http_param_nth(r, str_from(name), i), out))
            continue;
        api_v2_filters_fini(out);
        return false;
    }
    return true;
}

void api_v2_filters_fini(struct api_v2_filters *f)
{
    for (size_t i = 0; i < f->count; i++)
        alert_matchers_fini(&f->items[i]);
    arena_fini(&f->arena);
    f->count = 0;
}

/* ---- Handlers ---- */

/* The configuration in force; NULL, and answered, when there is none. */
static struct alertmanager_file *config_of(struct http_request *r)
{
    struct engine *e = api_v2_lock(r);
    if (e == NULL)
        return NULL;
    struct alertmanager_file *f = view_config(e);
    api_v2_unlock(r);
    return f;
}

void api_v2_status(struct http_request *r)
{
    struct alertmanager_file *f = config_of(r);
    if (f == NULL)
        return;
    struct buf *b = api_v2_begin(r);
    json_alertmanager_status(b, f, api_of(r)->version, api_of(r)->start_ms);
    buf_put_u8(b, '\n');
    alertmanager_config_unref(f);
}

void api_v2_receivers(struct http_request *r)
{
    struct api_v2_filters filters;
    struct alertmanager_file *f = config_of(r);
    if (f == NULL)
        return;
    if (api_v2_filters(r, "receiver_matchers", &filters)) {
        struct buf *b = api_v2_begin(r);
        json_receivers(b, f, filters.items, filters.count);
        buf_put_u8(b, '\n');
        api_v2_filters_fini(&filters);
    }
    alertmanager_config_unref(f);
}

void api_v1_gone(struct http_request *r)
{
    struct buf *b = begin(r, 410);
    buf_put_str(b, STR("{\"status\":\"deprecated\",\"error\":\"Alertmanager's API v1 is no more: "
                       "use the same route of v2\"}\n"));
}

void alertmanager_is_there(struct http_request *r)
{
    if (api_of(r)->notify != NULL)
        http_text(r, 200, "OK");
    else
        http_text(r, 404, NO_FILE);
}
