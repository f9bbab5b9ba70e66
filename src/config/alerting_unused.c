/* alerting_unused.c -- receivers that no alert can reach: a name that was mistyped in a route or a
 * level. Asked of both files together, since one may use what the other does not. */
#include "config/alerting_ext_priv.h"

static bool is_among(struct texts names, str name)
{
    size_t i = 0;
    while (i < names.count && !str_eq(names.items[i], name))
        i++;
    return i < names.count;
}

static bool is_routed(const struct route_config *r, str name)
{
    bool used = str_eq(r->receiver, name);
    for (size_t i = 0; !used && i < r->routes.count; i++)
        used = is_routed(&r->routes.items[i], name);
    return used;
}

static bool is_level(const struct alerting_ext *x, str name)
{
    bool used = false;
    for (size_t p = 0; p < x->escalation_policies.count; p++) {
        const struct escalation_policy *policy = &x->escalation_policies.items[p];
        for (size_t l = 0; !used && l < policy->levels.count; l++)
            used = is_among(policy->levels.items[l].receivers, name);
    }
    return used;
}

static bool is_told_of_maintenance(const struct alerting_ext *x, str name)
{
    bool used = false;
    for (size_t w = 0; !used && w < x->maintenance_windows.count; w++) {
        const struct maintenance_notify *notify = x->maintenance_windows.items[w].notify;
        used = notify != NULL && is_among(notify->receivers, name);
    }
    return used;
}

static bool is_fallback(const struct alerting_ext *x, str name)
{
    bool used = false;
    for (size_t f = 0; x->delivery != NULL && !used && f < x->delivery->fallbacks.count; f++)
        used = str_eq(x->delivery->fallbacks.items[f].to, name);
    return used;
}

static bool gets_digests(const struct alerting_ext *x, str name)
{
    bool used = false;
    for (size_t d = 0; !used && d < x->digests.count; d++)
        used = str_eq(x->digests.items[d].receiver, name);
    return used;
}

struct texts alerting_unused_receivers(const struct alertmanager_file *f,
                                       const struct alerting_ext *x, struct arena *a)
{
    struct texts out = {ARENA_ARRAY(a, str, ALERTMANAGER_WARNINGS_MAX), 0};
    for (size_t i = 0; out.items != NULL && i < f->receivers.count; i++) {
        const struct receiver_config *r = &f->receivers.items[i];
        struct buf text = {0};
        if (is_routed(f->route, r->name) ||
            (x != NULL && (is_level(x, r->name) || is_told_of_maintenance(x, r->name) ||
                           is_fallback(x, r->name) || gets_digests(x, r->name))))
            continue;
        buf_printf(&text, "%s:%u:%u: receiver \"" STR_FMT "\" is not used by any route%s",
                   r->place.file, r->place.line, r->place.column, STR_ARG(r->name),
                   x != NULL ? ", nor by the extensions" : "");
        str copy = arena_str(a, buf_str(&text));
        buf_fini(&text);
        if (copy.ptr == NULL || out.count == ALERTMANAGER_WARNINGS_MAX)
            break; /* a hundred are enough to look at the file */
        out.items[out.count++] = copy;
    }
    return out;
}
