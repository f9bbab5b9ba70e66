/* yaml.h -- the fence around libyaml: a document as a small tree with positions. Aliases and merge
 * keys (`<<`) are copied in place. Hostile documents are refused: duplicate keys, depth above
 * YAML_DEPTH_MAX, more than YAML_NODES_MAX nodes after copying, anchors that contain themselves. */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    YAML_DEPTH_MAX = 32,
    YAML_NODES_MAX = 1000000,
    YAML_KEYS_MAX = 10000,   /* of one map */
    YAML_SIZE_MAX = 8 << 20, /* what operators of large clusters generate is some megabytes */
    YAML_TREE_BYTES_MAX = 256 << 20, /* memory of a tree that large */
};

enum yaml_type { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml { /* a node; lives in the arena */
    enum yaml_type type;
    unsigned line, column; /* from 1 */
    str key;               /* when it is a value of a map */
    unsigned key_line, key_column;
    str text;                  /* YAML_SCALAR */
    bool quoted;               /* so it is text, whatever it looks like */
    struct yaml *first, *next; /* children of a list or map, in order; siblings */
};

/* Parse one document; an empty one is YAML_NULL.
 *   ERR_INVALID  `d`: "line:column: why"      ERR_LIMIT  too large or too deep */
MUST_USE err yaml_parse(slice text, struct arena *a, struct yaml **out, struct diag *d);

/* Parse all documents of a stream: a list of them, empty ones left out. Names of anchors and
 * YAML_NODES_MAX are those of the whole. Errors as above. */
MUST_USE err yaml_parse_all(slice text, struct arena *a, struct yaml **out, struct diag *d);

/* The value of `key` in a map, or NULL. */
const struct yaml *yaml_get(const struct yaml *map, str key);

#endif
