/* route.h -- the routing tree: which receivers an alert is for, and how it is grouped. Built from a
 * configuration, with what routes inherit worked out; immutable. */
#ifndef NOTIFY_ROUTE_H
#define NOTIFY_ROUTE_H

#include "config/alertmanager_config.h"

struct route { /* in the order of a walk that visits parents before children */
    const struct route_config *config;
    const struct route *parent;       /* NULL: the root */
    const struct route *first, *next; /* children, siblings */
    size_t index;                     /* in struct routes */
    str receiver;
    struct texts group_by; /* sorted */
    bool group_by_all;
    int64_t group_wait_ms, group_interval_ms, repeat_interval_ms;
    struct pairs labels; /* own ones first; then the parents' that these do not hide */
    str key;             /* "{}/{a=\"b\"}": the matchers from the root down */
};

struct routes {
    struct route *items;
    size_t count;
};

/* Build the tree in `a`; it borrows from the configuration. ERR_LIMIT  budget of the arena */
MUST_USE err routes_build(const struct alertmanager_file *f, struct arena *a, struct routes *out);

/* The routes whose receivers get an alert with these labels: depth first; a child that matches ends
 * the walk over its siblings unless it says continue; a route none of whose children match is
 * itself one. `out` has room for routes->count; returns how many (at least the root). */
size_t routes_match(const struct routes *routes, struct labels ls, const struct route **out);

/* Does this one route match, whatever its parents say? */
bool route_matches(const struct route *r, struct labels ls);

/* The labels by which an alert is grouped: those of `ls` in group_by. Items are in `items`, which
 * has room for ls.count. */
struct labels route_group_labels(const struct route *r, struct labels ls, struct label *items);

/* Append the key of a group: `{}/{a="b"}:{c="d", e="f"}`. */
void route_group_key(const struct route *r, struct labels group_labels, struct buf *out);

#endif
