/* template_set.c -- sets of named templates, and the search for functions. */
#include "base/mem.h"
#include "rules/template_priv.h"

struct template_set *template_set_open(const struct template_funcs *funcs)
{
    struct template_set *set = mem_zalloc(1, sizeof(*set));
    arena_init(&set->arena, TEMPLATE_SET_BYTES_MAX);
    set->funcs = funcs;
    return set;
}

void template_set_close(struct template_set *set)
{
    if (set == NULL)
        return;
    arena_fini(&set->arena);
    mem_free(set);
}

struct template *template_find(const struct template_set *set, str name)
{
    for (struct template *t = set->templates; t != NULL; t = t->next)
        if (str_eq(t->name, name))
            return t;
    return NULL;
}

struct template *template_add(struct template_set *set, str name)
{
    struct template *t = template_find(set, name);
    if (t != NULL)
        return t;
    t = ARENA_NEW(&set->arena, struct template);
    if (t == NULL)
        return NULL;
    t->name = name;
    t->next = set->templates;
    set->templates = t;
    return t;
}

bool template_defined(const struct template_set *set, str name)
{
    const struct template *t = template_find(set, name);
    return t != NULL && t->body != NULL;
}

const struct template_func *template_func_find(const struct template_funcs *funcs, str name)
{
    for (; funcs != NULL; funcs = funcs->base)
        for (size_t i = 0; i < funcs->count; i++)
            if (str_eq(str_from(funcs->items[i].name), name))
                return &funcs->items[i];
    return NULL;
}

const struct template_func *template_func_any(const struct template_funcs *funcs, str name,
                                              bool *is_builtin)
{
    const struct template_func *f = template_func_find(funcs, name);
    *is_builtin = f == NULL;
    return f != NULL ? f : template_func_find(&TEMPLATE_BUILTINS, name);
}

static bool is_blank(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != ' ' && (s.ptr[i] < '\t' || s.ptr[i] > '\r'))
            return false;
    return true;
}

bool node_is_empty(const struct node *n)
{
    if (n->type == NODE_TEXT)
        return is_blank(n->text);
    if (n->type != NODE_LIST)
        return false;
    for (const struct node *child = n->list.first; child != NULL; child = child->next)
        if (child->type != NODE_TEXT || !is_blank(child->text))
            return false;
    return true;
}
