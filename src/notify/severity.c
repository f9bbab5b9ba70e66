/* severity.c -- see severity.h. */
#include "notify/severity.h"

enum { LEVELS_MAX = 5 };

static str entry(const struct pairs *map, str key)
{
    for (size_t i = 0; i < map->count; i++)
        if (str_eq(map->items[i].name, key))
            return map->items[i].value;
    return STR("");
}

/* The place of the entry for an alert among `levels`; LEVELS_MAX: none. */
static size_t level_of(const struct pairs *map, const char *const levels[LEVELS_MAX],
                       const struct live_alert *a)
{
    str value = entry(map, labels_get(a->labels, STR("severity")));
    size_t level = 0;
    if (value.len == 0)
        value = entry(map, STR("default"));
    while (level < LEVELS_MAX && (levels[level] == NULL || !str_eq(value, str_from(levels[level]))))
        level++;
    return level;
}

/* `levels` from the worst. */
static str worst(const struct pairs *map, const char *const levels[LEVELS_MAX],
                 const struct notification *n)
{
    size_t least = LEVELS_MAX;
    for (size_t i = 0; map->count > 0 && i < n->alert_count; i++)
        if (!n->alerts[i].resolved || n->firing_count == 0)
            least = MIN(least, level_of(map, levels, n->alerts[i].alert));
    return least < LEVELS_MAX ? str_from(levels[least]) : STR("");
}

str severity_for_pagerduty(const struct notification *n)
{
    static const char *const LEVELS[LEVELS_MAX] = {"critical", "error", "warning", "info"};
    return n->delivery != NULL && n->notice == NULL
               ? worst(&n->delivery->severity_maps.pagerduty, LEVELS, n)
               : STR("");
}

str severity_for_opsgenie(const struct notification *n)
{
    static const char *const LEVELS[LEVELS_MAX] = {"P1", "P2", "P3", "P4", "P5"};
    return n->delivery != NULL && n->notice == NULL
               ? worst(&n->delivery->severity_maps.opsgenie, LEVELS, n)
               : STR("");
}
