/* http_client_file.c -- see http_client_file.h. */
#include "config/http_client_file.h"

#include "config/config_priv.h"

err http_client_file_load(const char *path, struct arena *a, struct http_client_config *out,
                          struct diag *d)
{
    struct config_loader loader = {.regexes = NULL}; /* notes of what is not acted upon go there */
    struct decode c = {.path = path, .arena = a, .d = d, .user = &loader};
    return decode_file_with(&c, &HTTP_CLIENT_SCHEMA, out);
}

void http_client_file_defaults(struct http_client_config *out)
{
    *out = (struct http_client_config){.follow_redirects = true, .enable_http2 = true};
}
