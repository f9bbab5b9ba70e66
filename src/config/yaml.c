/* yaml.c -- see yaml.h. Reads events, so libyaml never builds a graph. */
#include "config/yaml.h"

#include <yaml.h>

struct yaml_level {
    struct yaml *node, *last; /* container and its newest child */
    str key;                  /* waiting for its value, when has_key */
    bool has_key;
};

struct builder {
    struct arena *arena;
    struct diag *d;
    struct yaml_level levels[YAML_DEPTH_MAX];
    unsigned depth, nodes;
    struct yaml *root;
};

static err fail(struct builder *b, const yaml_mark_t *m, const char *what)
{
    return diag_set(b->d, ERR_INVALID, "%zu:%zu: %s", m->line + 1, m->column + 1, what);
}

static err attach(struct builder *b, const yaml_mark_t *m, struct yaml *n)
{
    if (b->depth == 0) {
        if (b->root != NULL)
            return fail(b, m, "more than one document");
        b->root = n;
        return OK;
    }
    struct yaml_level *l = &b->levels[b->depth - 1];
    if (l->node->type == YAML_MAP) {
        if (!l->has_key) {
            if (n->type != YAML_SCALAR)
                return fail(b, m, "a key must be text");
            if (yaml_get(l->node, n->text) != NULL)
                return diag_set(b->d, ERR_INVALID,
                                "%zu:%zu: key \"" STR_FMT "\" already set in map", m->line + 1,
                                m->column + 1, STR_ARG(n->text));
            l->key = n->text;
            l->has_key = true;
            return OK;
        }
        n->key = l->key;
        l->has_key = false;
    }
    if (l->last != NULL)
        l->last->next = n;
    else
        l->node->first = n;
    l->last = n;
    return OK;
}

static err add_node(struct builder *b, const yaml_event_t *ev, enum yaml_type type, str text)
{
    if (++b->nodes > YAML_NODES_MAX)
        return diag_set(b->d, ERR_LIMIT, "more than %d YAML nodes", YAML_NODES_MAX);
    struct yaml *n = ARENA_NEW(b->arena, struct yaml);
    if (n == NULL)
        return ERR_LIMIT;
    n->type = type;
    n->line = (unsigned)ev->start_mark.line + 1;
    n->column = (unsigned)ev->start_mark.column + 1;
    n->text = arena_str(b->arena, text);
    TRY(attach(b, &ev->start_mark, n));
    if (type != YAML_LIST && type != YAML_MAP)
        return OK;
    if (b->depth == YAML_DEPTH_MAX)
        return fail(b, &ev->start_mark, "nested too deeply (limit 32)");
    b->levels[b->depth++] = (struct yaml_level){.node = n};
    return OK;
}

static err add_scalar(struct builder *b, const yaml_event_t *ev)
{
    str text = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool null = plain && (text.len == 0 || str_eq(text, STR("~")) || str_eq(text, STR("null")));
    bool is_value = b->depth == 0 || b->levels[b->depth - 1].node->type != YAML_MAP ||
                    b->levels[b->depth - 1].has_key;
    if (ev->data.scalar.anchor != NULL)
        return fail(b, &ev->start_mark, "anchors are not supported");
    if (!is_value && str_eq(text, STR("<<")))
        return fail(b, &ev->start_mark, "merge keys are not supported");
    return add_node(b, ev, null && is_value ? YAML_NULL : YAML_SCALAR, text);
}

static err take_event(struct builder *b, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return add_scalar(b, ev);
    case YAML_ALIAS_EVENT:
        return fail(b, &ev->start_mark, "aliases are not supported");
    case YAML_SEQUENCE_START_EVENT:
        return add_node(b, ev, YAML_LIST, STR(""));
    case YAML_MAPPING_START_EVENT:
        return add_node(b, ev, YAML_MAP, STR(""));
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return OK;
    default:
        return OK;
    }
}

err yaml_parse(slice text, struct arena *a, struct yaml **out, struct diag *d)
{
    yaml_parser_t parser;
    struct builder b = {.arena = a, .d = d};
    err e = OK;
    bool end = false;
    if (text.len > YAML_SIZE_MAX)
        return diag_set(d, ERR_LIMIT, "larger than %d bytes", YAML_SIZE_MAX);
    if (yaml_parser_initialize(&parser) == 0)
        return ERR_LIMIT;
    yaml_parser_set_input_string(&parser, text.len > 0 ? text.ptr : (const uint8_t *)"", text.len);
    while (e == OK && !end) {
        yaml_event_t ev;
        if (yaml_parser_parse(&parser, &ev) == 0) {
            e = diag_set(d, ERR_INVALID, "%zu:%zu: %s", parser.problem_mark.line + 1,
                         parser.problem_mark.column + 1,
                         parser.problem != NULL ? parser.problem : "not YAML");
            break;
        }
        end = ev.type == YAML_STREAM_END_EVENT;
        e = take_event(&b, &ev);
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&parser);
    if (e == OK && b.root == NULL)
        b.root = ARENA_NEW(a, struct yaml);
    if (e == OK && (b.root == NULL || arena_exceeded(a)))
        e = ERR_LIMIT;
    if (e == OK)
        *out = b.root;
    return e;
}

const struct yaml *yaml_get(const struct yaml *map, str key)
{
    for (const struct yaml *n = map->first; n != NULL; n = n->next)
        if (str_eq(n->key, key))
            return n;
    return NULL;
}
