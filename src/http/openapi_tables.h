/* openapi_tables.h -- what openapi.c writes the document from; for openapi*.c only. */
#ifndef HTTP_OPENAPI_TABLES_H
#define HTTP_OPENAPI_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum openapi_type {
    OPENAPI_TEXT,
    OPENAPI_TEXTS,
    OPENAPI_INTEGER,
    OPENAPI_BOOLEAN,
    OPENAPI_TIME,
    OPENAPI_DURATION
};

struct openapi_param {
    const char *key;  /* in lists of operations; unique */
    const char *name; /* in requests */
    enum openapi_type type;
    bool in_path;
    const char *text;
};

struct openapi_operation {
    const char *path, *methods; /* "get post" */
    const char *id, *tag, *summary;
    const char *params; /* keys, '!' behind those that are required */
    const char *data;   /* schema of "data", or of the whole answer when `media` is set */
    const char *media;  /* content type of an answer without envelope; NULL and no data: 204 */
    bool raw_body;      /* takes protobuf rather than a form */
    bool items;         /* a stream of `data`: OpenAPI 3.2 only */
};

struct openapi_tag {
    const char *name, *text;
};

extern const struct openapi_param OPENAPI_PARAMS[];
extern const size_t OPENAPI_PARAM_COUNT;
extern const struct openapi_operation OPENAPI_OPERATIONS[];
extern const size_t OPENAPI_OPERATION_COUNT;
extern const struct openapi_tag OPENAPI_TAGS[];
extern const size_t OPENAPI_TAG_COUNT;
extern const char *const OPENAPI_COMPONENTS[]; /* the section "components" in pieces */
extern const size_t OPENAPI_COMPONENT_COUNT;

/* openapi_alertmanager.c: API v2; `root` is what the server stands under. */
void openapi_alertmanager_paths(struct buf *out, str root);
extern const char OPENAPI_ALERTMANAGER_ERROR[];   /* among the responses */
extern const char OPENAPI_ALERTMANAGER_SCHEMAS[]; /* behind the other schemas */

#endif
