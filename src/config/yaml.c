/* yaml.c -- see yaml.h. Reads events, so libyaml never builds a graph. */
#include "config/yaml.h"

#include <string.h>
#include <yaml.h>

#include "config/scalar.h"

struct yaml_level {
    struct yaml *node, *last; /* container and its newest child */
    str key;                  /* waiting for its value, when has_key */
    bool has_key;
    unsigned key_line, key_column;
    unsigned keys; /* of a map */
};

struct anchor {
    str name;
    struct yaml *node;
    struct anchor *next;
};

struct builder {
    struct arena *arena;
    struct anchor *anchors; /* newest first: a name may be used again */
    struct diag *d;
    struct yaml_level levels[YAML_DEPTH_MAX];
    unsigned depth, nodes;
    bool many; /* several documents may come */
    struct yaml *root, *last;
};

static err fail(struct builder *b, const yaml_mark_t *m, const char *what)
{
    return diag_set(b->d, ERR_INVALID, "%zu:%zu: %s", m->line + 1, m->column + 1, what);
}

static err attach(struct builder *b, const yaml_mark_t *m, struct yaml *n)
{
    if (b->depth == 0) {
        bool first = b->root == NULL;
        if (n->type == YAML_NULL && (b->many || !first))
            return OK; /* as behind a last "---" */
        if (!first && !b->many)
            return fail(b, m, "more than one document");
        if (b->root == NULL)
            b->root = n;
        else
            b->last->next = n;
        b->last = n;
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
            if (++l->keys > YAML_KEYS_MAX)
                return diag_set(b->d, ERR_LIMIT, "more than %d keys in one YAML map",
                                YAML_KEYS_MAX);
            l->key = n->text;
            l->key_line = n->line;
            l->key_column = n->column;
            l->has_key = true;
            return OK;
        }
        n->key = l->key;
        n->key_line = l->key_line;
        n->key_column = l->key_column;
        l->has_key = false;
    }
    if (l->last != NULL)
        l->last->next = n;
    else
        l->node->first = n;
    l->last = n;
    return OK;
}

static err new_node(struct builder *b, struct yaml **out)
{
    if (++b->nodes > YAML_NODES_MAX)
        return diag_set(b->d, ERR_LIMIT, "more than %d YAML nodes", YAML_NODES_MAX);
    *out = ARENA_NEW(b->arena, struct yaml);
    return *out != NULL ? OK : ERR_LIMIT;
}

static err add_node(struct builder *b, const yaml_event_t *ev, enum yaml_type type, str text,
                    bool quoted, const yaml_char_t *anchor)
{
    struct yaml *n;
    TRY(new_node(b, &n));
    if (anchor != NULL) {
        struct anchor *a = ARENA_NEW(b->arena, struct anchor);
        if (a == NULL)
            return ERR_LIMIT;
        *a = (struct anchor){arena_str(b->arena, str_from((const char *)anchor)), n, b->anchors};
        b->anchors = a;
    }
    n->type = type;
    n->line = (unsigned)ev->start_mark.line + 1;
    n->column = (unsigned)ev->start_mark.column + 1;
    n->text = arena_str(b->arena, text);
    n->quoted = quoted;
    TRY(attach(b, &ev->start_mark, n));
    if (type != YAML_LIST && type != YAML_MAP)
        return OK;
    if (b->depth == YAML_DEPTH_MAX)
        return fail(b, &ev->start_mark, "nested too deeply (limit 32)");
    b->levels[b->depth++] = (struct yaml_level){.node = n};
    return OK;
}

static bool has_tag(const yaml_event_t *ev, const char *kind)
{
    const char *tag = (const char *)ev->data.scalar.tag, *standard = "tag:yaml.org,2002:";
    size_t len = strlen(standard);
    return tag != NULL && strncmp(tag, standard, len) == 0 && strcmp(tag + len, kind) == 0;
}

static bool is_null(str text)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < COUNT_OF(NULLS); i++)
        if (str_eq(text, str_from(NULLS[i])))
            return true;
    return false;
}

/* A tag says what a scalar is, however it is written: !!binary, !!str "3", !!int "3". */
static err add_scalar(struct builder *b, const yaml_event_t *ev)
{
    str text = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool binary = has_tag(ev, "binary"), is_text = has_tag(ev, "str") || binary;
    bool number = has_tag(ev, "int") || has_tag(ev, "float") || has_tag(ev, "bool");
    bool null = plain && !is_text && is_null(text);
    bool is_value = b->depth == 0 || b->levels[b->depth - 1].node->type != YAML_MAP ||
                    b->levels[b->depth - 1].has_key;
    err e = binary ? scalar_base64(text, b->arena, &text) : OK;
    if (e == ERR_INVALID)
        return fail(b, &ev->start_mark, "!!binary value contains invalid base64 data");
    TRY(e);
    return add_node(b, ev, null && is_value ? YAML_NULL : YAML_SCALAR, text,
                    (is_text || !plain) && !number, ev->data.scalar.anchor);
}

/* A copy of `from` and all below it, every node of which counts: what grows like a bomb ends at
 * YAML_NODES_MAX. */
static err copy_tree(struct builder *b, const yaml_mark_t *m, const struct yaml *from,
                     unsigned depth, struct yaml **out)
{
    struct yaml *n, **place;
    if (depth > YAML_DEPTH_MAX)
        return fail(b, m, "nested too deeply (limit 32)");
    TRY(new_node(b, &n));
    *n = *from;
    n->next = n->first = NULL;
    place = &n->first;
    for (const struct yaml *child = from->first; child != NULL; child = child->next) {
        TRY(copy_tree(b, m, child, depth + 1, place));
        place = &(*place)->next;
    }
    *out = n;
    return OK;
}

static err add_alias(struct builder *b, const yaml_event_t *ev)
{
    str name = str_from((const char *)ev->data.alias.anchor);
    const struct anchor *a = b->anchors;
    struct yaml *copy;
    while (a != NULL && !str_eq(a->name, name))
        a = a->next;
    if (a == NULL)
        return diag_set(b->d, ERR_INVALID, "%zu:%zu: unknown anchor \"" STR_FMT "\" referenced",
                        ev->start_mark.line + 1, ev->start_mark.column + 1, STR_ARG(name));
    for (unsigned i = 0; i < b->depth; i++)
        if (b->levels[i].node == a->node)
            return diag_set(b->d, ERR_INVALID,
                            "%zu:%zu: anchor \"" STR_FMT "\" value contains itself",
                            ev->start_mark.line + 1, ev->start_mark.column + 1, STR_ARG(name));
    TRY(copy_tree(b, &ev->start_mark, a->node, b->depth + 1, &copy));
    copy->key = (str){NULL, 0};
    return attach(b, &ev->start_mark, copy);
}

/* Take over from `source` the keys that the map does not set itself. */
static err merge_map(struct builder *b, const yaml_mark_t *m, struct yaml *map,
                     const struct yaml *source, struct yaml **last)
{
    if (source->type != YAML_MAP)
        return fail(b, m, "map merge requires map or sequence of maps as the value");
    for (const struct yaml *n = source->first; n != NULL; n = n->next) {
        if (yaml_get(map, n->key) != NULL)
            continue;
        struct yaml *copy;
        TRY(copy_tree(b, m, n, b->depth + 1, &copy));
        if (*last != NULL)
            (*last)->next = copy;
        else
            map->first = copy;
        *last = copy;
    }
    return OK;
}

/* `<<: *defaults` and `<<: [*a, *b]`: keys of the map itself win, then earlier maps of the list. */
static err merge_keys(struct builder *b, const yaml_mark_t *m, struct yaml *map)
{
    struct yaml *merge = NULL, *last = NULL;
    for (struct yaml **place = &map->first; *place != NULL;) {
        if (merge == NULL && str_eq((*place)->key, STR("<<"))) {
            merge = *place;
            *place = merge->next;
            continue;
        }
        last = *place;
        place = &last->next;
    }
    if (merge == NULL)
        return OK;
    if (merge->type != YAML_LIST)
        return merge_map(b, m, map, merge, &last);
    for (const struct yaml *n = merge->first; n != NULL; n = n->next)
        TRY(merge_map(b, m, map, n, &last));
    return OK;
}

static err take_event(struct builder *b, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return add_scalar(b, ev);
    case YAML_ALIAS_EVENT:
        return add_alias(b, ev);
    case YAML_SEQUENCE_START_EVENT:
        return add_node(b, ev, YAML_LIST, STR(""), false, ev->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return add_node(b, ev, YAML_MAP, STR(""), false, ev->data.mapping_start.anchor);
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return merge_keys(b, &ev->start_mark, b->levels[b->depth].node);
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        return OK;
    default:
        return OK;
    }
}

static err parse(struct builder *b, slice text, struct diag *d)
{
    yaml_parser_t parser;
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
        e = take_event(b, &ev);
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&parser);
    return e;
}

/* `root`, or an empty node when there is none. */
static err finish(struct builder *b, err e, struct yaml *root, struct yaml **out)
{
    if (e == OK && root == NULL)
        root = ARENA_NEW(b->arena, struct yaml);
    if (e == OK && (root == NULL || arena_exceeded(b->arena)))
        e = ERR_LIMIT;
    if (e == OK)
        *out = root;
    return e;
}

err yaml_parse(slice text, struct arena *a, struct yaml **out, struct diag *d)
{
    struct builder b = {.arena = a, .d = d};
    err e = parse(&b, text, d);
    return finish(&b, e, b.root, out);
}

err yaml_parse_all(slice text, struct arena *a, struct yaml **out, struct diag *d)
{
    struct builder b = {.arena = a, .d = d, .many = true};
    struct yaml *list = ARENA_NEW(a, struct yaml);
    err e = list != NULL ? parse(&b, text, d) : ERR_LIMIT;
    if (e == OK)
        *list = (struct yaml){.type = YAML_LIST, .line = 1, .column = 1, .first = b.root};
    return finish(&b, e, list, out);
}

const struct yaml *yaml_get(const struct yaml *map, str key)
{
    for (const struct yaml *n = map->first; n != NULL; n = n->next)
        if (str_eq(n->key, key))
            return n;
    return NULL;
}
