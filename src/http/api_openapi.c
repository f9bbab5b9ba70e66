/* api_openapi.c -- the document of the API. */
#include "http/api.h"
#include "http/openapi.h"

void api_openapi(struct http_request *r)
{
    const struct api *api = api_of(r);
    struct buf base = {0};
    buf_printf(&base, "%s/api/v1", api->urls.external_path);
    http_answer(r, 200, "application/yaml; charset=utf-8");
    openapi_yaml(str_eq(http_param(r, STR("openapi_version")), STR("3.2")), api->version,
                 buf_str(&base), http_out(r));
    buf_fini(&base);
}
