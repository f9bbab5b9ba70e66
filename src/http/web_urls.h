/* web_urls.h -- where the server is reached from outside (--web.external-url) and below which path
 * its routes stand (--web.route-prefix), as Prometheus works them out. */
#ifndef HTTP_WEB_URLS_H
#define HTTP_WEB_URLS_H

#include "base/err.h"
#include "base/slice.h"

enum { WEB_URL_SIZE = 512 };

struct web_urls {
    char external[WEB_URL_SIZE]; /* without a slash at the end but for a bare host: for links */
    char external_path[WEB_URL_SIZE]; /* "" or "/path": in front of where redirects lead */
    char prefix[WEB_URL_SIZE];        /* "" or "/path" */
};

/* `external` may be "" (http://hostname:port/ with the port of `listen`), a URL or a path; `prefix`
 * may be "": the path of the external URL.   ERR_INVALID  not a URL; `d` says why */
MUST_USE err web_urls_resolve(str external, str prefix, str listen, str hostname,
                              struct web_urls *out, struct diag *d);

#endif
