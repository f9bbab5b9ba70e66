/* openapi.h -- the OpenAPI document of the whole API, written from a table of its operations. */
#ifndef HTTP_OPENAPI_H
#define HTTP_OPENAPI_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/* The document in YAML, as version 3.2 of OpenAPI (which can describe event streams) or 3.1. `base`
 * is the path the API stands under ("/api/v1"). */
void openapi_yaml(bool is_32, const char *version, str base, struct buf *out);

/* Is there an operation for this path below the base ("/label/{name}/values") and method ("get")?
 */
bool openapi_has(str path, str method);

#endif
