/* config.h -- the configuration file (YAML) as a checked structure. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct config { /* zero: not set in the file */
    int64_t evaluation_interval_ms, scrape_interval_ms;
};

/* Read and check `path`; "" gives the defaults. Free with config_free().
 *   ERR_NOTFOUND, ERR_IO  the file cannot be read; `d` says so
 *   ERR_INVALID  `d`: path:line:column: what is wrong */
MUST_USE err config_load(const char *path, struct config **out, struct diag *d);

/* Append the configuration as YAML with its defaults, as /api/v1/status/config shows it. */
void config_yaml(const struct config *c, struct buf *out);

void config_free(struct config *c); /* NULL is allowed */

#endif
