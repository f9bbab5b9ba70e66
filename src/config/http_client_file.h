/* http_client_file.h -- a file that says how to speak to a server: what Prometheus' and
 * Alertmanager's tools read with --http.config.file. */
#ifndef CONFIG_HTTP_CLIENT_FILE_H
#define CONFIG_HTTP_CLIENT_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/http_config.h"

/* All that `out` holds is in `a`; paths are taken from the directory of the file.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT  with `d` */
MUST_USE err http_client_file_load(const char *path, struct arena *a,
                                   struct http_client_config *out, struct diag *d);

/* What holds when there is no file. */
void http_client_file_defaults(struct http_client_config *out);

#endif
