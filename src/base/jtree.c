/* jtree.c -- see jtree.h. A struct jtree * is a json_t *. */
#include "base/jtree.h"

#include <jansson.h>
#include <string.h>

static json_t *node(const struct jtree *n)
{
    return (json_t *)(uintptr_t)n;
}

static struct jtree *tree(json_t *n)
{
    return (struct jtree *)n;
}

static err parse(slice text, size_t flags, struct jtree **out, struct diag *d)
{
    json_error_t why;
    json_t *root = json_loadb(text.len > 0 ? (const char *)text.ptr : "", text.len,
                              flags | JSON_DECODE_ANY, &why);
    if (root == NULL)
        return diag_set(d, ERR_INVALID, "%d:%d: %s", why.line, why.column, why.text);
    *out = tree(root);
    return OK;
}

err jtree_parse(slice text, struct jtree **out, struct diag *d)
{
    return parse(text, JSON_REJECT_DUPLICATES, out, d);
}

err jtree_parse_lax(slice text, struct jtree **out, struct diag *d)
{
    return parse(text, 0, out, d);
}

void jtree_free(struct jtree *root)
{
    json_decref(node(root));
}

bool jtree_is_object(const struct jtree *n)
{
    return json_is_object(node(n));
}

bool jtree_is_array(const struct jtree *n)
{
    return json_is_array(node(n));
}

bool jtree_is_text(const struct jtree *n)
{
    return json_is_string(node(n));
}

bool jtree_is_null(const struct jtree *n)
{
    return n == NULL || json_is_null(node(n));
}

const struct jtree *jtree_get(const struct jtree *object, const char *key)
{
    return tree(json_object_get(node(object), key));
}

const struct jtree *jtree_at(const struct jtree *array, size_t index)
{
    return tree(json_array_get(node(array), index));
}

size_t jtree_count(const struct jtree *n)
{
    return json_is_array(node(n)) ? json_array_size(node(n)) : json_object_size(node(n));
}

str jtree_text(const struct jtree *n)
{
    const char *text = json_string_value(node(n));
    return text != NULL ? (str){text, json_string_length(node(n))} : STR("");
}

int64_t jtree_int(const struct jtree *n, int64_t missing)
{
    return json_is_integer(node(n)) ? json_integer_value(node(n)) : missing;
}

double jtree_number(const struct jtree *n, double missing)
{
    return json_is_number(node(n)) ? json_number_value(node(n)) : missing;
}

bool jtree_bool(const struct jtree *n, bool missing)
{
    return json_is_boolean(node(n)) ? json_is_true(node(n)) : missing;
}

struct jtree *jtree_hold(const struct jtree *n)
{
    return tree(json_incref(node(n)));
}

void jtree_keep(const struct jtree *object, const char *const *keys)
{
    void *next, *at = json_object_iter(node(object));
    for (; at != NULL; at = next) {
        const char *key = json_object_iter_key(at);
        bool kept = false;
        next = json_object_iter_next(node(object), at);
        for (size_t i = 0; keys[i] != NULL; i++)
            kept = kept || strcmp(key, keys[i]) == 0;
        if (!kept)
            (void)json_object_del(node(object), key);
    }
}

bool jtree_next(const struct jtree *object, struct jtree_member *m)
{
    m->at =
        m->at == NULL ? json_object_iter(node(object)) : json_object_iter_next(node(object), m->at);
    if (m->at == NULL)
        return false;
    m->key = str_from(json_object_iter_key(m->at));
    m->value = tree(json_object_iter_value(m->at));
    return true;
}
