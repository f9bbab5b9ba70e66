/* jtree.h -- the fence around jansson for reading: a JSON document as a tree. Every function takes
 * NULL and nodes of another type and then gives what is empty, so that a path through a document of
 * strangers needs no checks in between. */
#ifndef BASE_JTREE_H
#define BASE_JTREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct jtree; /* a node; lives as long as the root */

/* Parse one document; numbers beyond 64 bits are errors, and so are repeated keys.
 *   ERR_INVALID  `d`: "line:column: why" */
MUST_USE err jtree_parse(slice text, struct jtree **out, struct diag *d);
/* As above, but of repeated keys the last counts, as Go has it. */
MUST_USE err jtree_parse_lax(slice text, struct jtree **out, struct diag *d);
void jtree_free(struct jtree *root); /* NULL is allowed */

bool jtree_is_object(const struct jtree *n);
bool jtree_is_array(const struct jtree *n);
bool jtree_is_text(const struct jtree *n);
bool jtree_is_null(const struct jtree *n); /* null, or no node at all */

/* The value of a key, an element; NULL when there is none. */
const struct jtree *jtree_get(const struct jtree *object, const char *key);
const struct jtree *jtree_at(const struct jtree *array, size_t index);
size_t jtree_count(const struct jtree *n); /* of an array or object */

str jtree_text(const struct jtree *n); /* "" unless it is text */
int64_t jtree_int(const struct jtree *n,
                  int64_t missing); /* `missing` unless it is a whole number */
double jtree_number(const struct jtree *n, double missing);
bool jtree_bool(const struct jtree *n, bool missing);

/* A reference of its own to a node, which then lives beyond its root; jtree_free() ends it. */
struct jtree *jtree_hold(const struct jtree *n);

/* Remove all members of an object but these (the list ends with NULL). Only before others look at
 * it. */
void jtree_keep(const struct jtree *object, const char *const *keys);

/* Members of an object, in the order of the document. Start with {0}. */
struct jtree_member {
    str key;
    const struct jtree *value;
    void *at; /* private */
};
bool jtree_next(const struct jtree *object, struct jtree_member *m);

#endif
