/* route.c -- see route.h. */
#include "notify/route.h"

#include "base/utf8.h"

/* ---- Building ---- */

static size_t count_routes(const struct route_config *c)
{
    size_t count = 1;
    for (size_t i = 0; i < c->routes.count; i++)
        count += count_routes(&c->routes.items[i]);
    return count;
}

static bool has_label(struct pairs pairs, str name)
{
    for (size_t i = 0; i < pairs.count; i++)
        if (str_eq(pairs.items[i].name, name))
            return true;
    return false;
}

static err join_labels(struct route *r, struct arena *a)
{
    struct pairs above = r->parent != NULL ? r->parent->labels : (struct pairs){0};
    struct pairs own = r->config->labels;
    struct pair *items = ARENA_ARRAY(a, struct pair, own.count + above.count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    r->labels = (struct pairs){items, 0};
    for (size_t i = 0; i < own.count; i++)
        items[r->labels.count++] = own.items[i];
    for (size_t i = 0; i < above.count; i++)
        if (!has_label(own, above.items[i].name))
            items[r->labels.count++] = above.items[i];
    return OK;
}

static err make_key(struct route *r, struct arena *a)
{
    struct buf text = {0};
    if (r->parent != NULL) {
        buf_put_str(&text, r->parent->key);
        buf_put_u8(&text, '/');
    }
    alert_matchers_format(&r->config->matchers, &text);
    r->key = arena_str(a, buf_str(&text));
    buf_fini(&text);
    return r->key.ptr != NULL ? OK : ERR_LIMIT;
}

static int64_t own_or(int64_t own_ms, int64_t inherited_ms)
{
    return own_ms >= 0 ? own_ms : inherited_ms;
}

static void inherit(struct route *r)
{
    const struct route_config *c = r->config;
    static const struct route DEFAULTS = {.group_wait_ms = ROUTE_GROUP_WAIT_MS,
                                          .group_interval_ms = ROUTE_GROUP_INTERVAL_MS,
                                          .repeat_interval_ms = ROUTE_REPEAT_INTERVAL_MS};
    const struct route *from = r->parent != NULL ? r->parent : &DEFAULTS;
    r->receiver = c->receiver.len > 0 ? c->receiver : from->receiver;
    r->group_by = c->group_by.given ? c->group_by.labels : from->group_by;
    r->group_by_all = c->group_by.given ? c->group_by.all : from->group_by_all;
    r->group_wait_ms = own_or(c->group_wait_ms, from->group_wait_ms);
    r->group_interval_ms = own_or(c->group_interval_ms, from->group_interval_ms);
    r->repeat_interval_ms = own_or(c->repeat_interval_ms, from->repeat_interval_ms);
}

/* As deep as the file is nested: YAML_DEPTH_MAX. */
static err build(const struct route_config *c, const struct route *parent, struct arena *a,
                 struct routes *out, const struct route **made)
{
    struct route *r = &out->items[out->count];
    *r = (struct route){.config = c, .parent = parent, .index = out->count++};
    inherit(r);
    TRY(join_labels(r, a));
    TRY(make_key(r, a));
    const struct route **place = &r->first;
    for (size_t i = 0; i < c->routes.count; i++) {
        const struct route *child;
        TRY(build(&c->routes.items[i], r, a, out, &child));
        *place = child;
        place = &out->items[child->index].next;
    }
    *made = r;
    return OK;
}

err routes_build(const struct alertmanager_file *f, struct arena *a, struct routes *out)
{
    const struct route *root;
    struct routes made = {.items = ARENA_ARRAY(a, struct route, count_routes(f->route))};
    if (made.items == NULL)
        return ERR_LIMIT;
    TRY(build(f->route, NULL, a, &made, &root));
    *out = made;
    return OK;
}

/* ---- Matching ---- */

bool route_matches(const struct route *r, struct labels ls)
{
    return alert_matchers_match(&r->config->matchers, ls);
}

static size_t match(const struct route *r, struct labels ls, const struct route **out)
{
    size_t count = 0;
    for (const struct route *child = r->first; child != NULL; child = child->next) {
        if (!route_matches(child, ls))
            continue;
        count += match(child, ls, out + count);
        if (!child->config->continue_)
            break;
    }
    if (count == 0)
        out[count++] = r;
    return count;
}

size_t routes_match(const struct routes *routes, struct labels ls, const struct route **out)
{
    return match(&routes->items[0], ls, out);
}

/* ---- Groups ---- */

struct labels route_group_labels(const struct route *r, struct labels ls, struct label *items)
{
    size_t count = 0, k = 0;
    for (size_t i = 0; i < ls.count; i++) {
        while (!r->group_by_all && k < r->group_by.count &&
               str_cmp(r->group_by.items[k], ls.items[i].name) < 0)
            k++;
        if (r->group_by_all ||
            (k < r->group_by.count && str_eq(r->group_by.items[k], ls.items[i].name)))
            items[count++] = ls.items[i];
    }
    return (struct labels){items, count};
}

void route_group_key(const struct route *r, struct labels group_labels, struct buf *out)
{
    buf_put_str(out, r->key);
    buf_put_str(out, STR(":{"));
    for (size_t i = 0; i < group_labels.count; i++) {
        if (i > 0)
            buf_put_str(out, STR(", "));
        buf_put_str(out, group_labels.items[i].name); /* never quoted, as upstream */
        buf_put_u8(out, '=');
        utf8_quote(out, group_labels.items[i].value);
    }
    buf_put_u8(out, '}');
}
