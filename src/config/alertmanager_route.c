/* alertmanager_route.c -- routes and inhibition rules of alertmanager.yml. */
#include "base/str_sort.h"
#include "base/utf8.h"
#include "config/alertmanager_priv.h"

#define ROUTE(name)   offsetof(struct route_config, name)
#define INHIBIT(name) offsetof(struct inhibit_config, name)

/* ---- Matchers ---- */

err alertmanager_read_matchers(struct decode *c, const struct yaml *n, void *place)
{
    struct alert_matchers *out = place;
    struct texts lines = {0};
    size_t room = 0;
    TRY(decode_texts(c, n, &lines));
    for (size_t i = 0; i < lines.count; i++) {
        struct diag why = {.text = ""};
        struct buf warning = {0};
        struct alert_matchers some;
        err e = alert_matchers_parse(lines.items[i], c->arena, &some, &warning, &why);
        if (e == OK)
            alertmanager_keep_matchers(c, &some);
        if (warning.len > 0)
            alertmanager_warn(c, config_place_of(c, n), "%s", buf_cstr(&warning));
        buf_fini(&warning);
        if (e != OK)
            return decode_fail(c, n, "%s", why.text);
        if (out->count + some.count > room) {
            room = out->count + some.count;
            out->items = arena_grow(c->arena, out->items, out->count, room, sizeof(*out->items));
            if (out->items == NULL)
                return config_over_budget(c);
        }
        for (size_t k = 0; k < some.count; k++)
            out->items[out->count++] = some.items[k];
    }
    alert_matchers_sort(out);
    return OK;
}

static bool print_matchers(const void *place, struct yaml_out *out)
{
    const struct alert_matchers *ms = place;
    if (ms->count == 0 || out == NULL)
        return ms->count > 0;
    print_list_begin(out);
    for (size_t i = 0; i < ms->count; i++) {
        struct buf text = {0};
        alert_matcher_format(&ms->items[i], &text);
        print_text(out, buf_str(&text));
        buf_fini(&text);
    }
    print_list_end(out);
    return true;
}

static err check_names(struct decode *c, const struct yaml *n, const struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (!label_name_is_legacy(pairs->items[i].name))
            return decode_fail(c, n, "invalid label name \"" STR_FMT "\"",
                               STR_ARG(pairs->items[i].name));
    return OK;
}

/* match_re: a missing expression is an error, "" is one that matches "". */
static err read_match_re(struct decode *c, const struct yaml *n, void *place)
{
    for (const struct yaml *child = n->first; n->type == YAML_MAP && child != NULL;
         child = child->next)
        if (child->type == YAML_NULL)
            return decode_fail(c, n, "invalid regexp value for \"" STR_FMT "\"",
                               STR_ARG(child->key));
    TRY(decode_pairs(c, n, place));
    return check_names(c, n, place);
}

static err read_match(struct decode *c, const struct yaml *n, void *place)
{
    TRY(decode_pairs(c, n, place));
    return check_names(c, n, place);
}

static bool print_match(const void *place, struct yaml_out *out)
{
    const struct pairs *pairs = place;
    if (pairs->count > 0 && out != NULL)
        print_pairs(out, pairs);
    return pairs->count > 0;
}

static err add_matcher(struct decode *c, const struct yaml *n, struct alert_matchers *out,
                       enum matcher_type type, str name, str value)
{
    struct diag why = {.text = ""};
    struct matcher *m = &out->items[out->count];
    if (alert_matcher_init(m, type, name, value, &why) != OK)
        return decode_fail(c, n, "%s", why.text[0] != '\0' ? why.text : "expression too large");
    struct alert_matchers one = {m, 1};
    alertmanager_keep_matchers(c, &one);
    out->count++;
    return OK;
}

/* The three ways to write matchers as one sorted list. Expressions of match_re have their anchors
 * in the text, as upstream shows them. */
static err join_matchers(struct decode *c, const struct yaml *n, const struct pairs *equal,
                         const struct pairs *regex, const struct alert_matchers *written,
                         struct alert_matchers *out)
{
    size_t count = equal->count + regex->count + written->count;
    out->count = 0;
    out->items = ARENA_ARRAY(c->arena, struct matcher, count + 1);
    if (out->items == NULL)
        return config_over_budget(c);
    for (size_t i = 0; i < equal->count; i++)
        TRY(add_matcher(c, n, out, MATCH_EQUAL, equal->items[i].name, equal->items[i].value));
    for (size_t i = 0; i < regex->count; i++) {
        struct buf text = {0};
        buf_printf(&text, "^(?:" STR_FMT ")$", STR_ARG(regex->items[i].value));
        str value = arena_str(c->arena, buf_str(&text));
        buf_fini(&text);
        if (value.ptr == NULL)
            return config_over_budget(c);
        TRY(add_matcher(c, n, out, MATCH_REGEX, regex->items[i].name, value));
    }
    for (size_t i = 0; i < written->count; i++)
        out->items[out->count++] = written->items[i];
    alert_matchers_sort(out);
    return OK;
}

/* ---- Routes ---- */

static bool label_ok(str name)
{
    return name.len > 0 && utf8_valid(name);
}

static err read_group_by(struct decode *c, const struct yaml *n, void *place)
{
    struct route_config *r = place;
    struct texts all = {0};
    TRY(decode_texts(c, n, &all));
    r->group_by.given = all.items != NULL;
    r->group_by.labels.items = all.items;
    for (size_t i = 0; i < all.count; i++) {
        str name = all.items[i];
        if (str_eq(name, STR("..."))) {
            r->group_by.all = true;
            continue;
        }
        if (!label_ok(name))
            return decode_fail(c, n, "invalid label name \"" STR_FMT "\" in group_by list",
                               STR_ARG(name));
        for (size_t k = 0; k < r->group_by.labels.count; k++)
            if (str_eq(r->group_by.labels.items[k], name))
                return decode_fail(c, n, "duplicated label \"" STR_FMT "\" in group_by",
                                   STR_ARG(name));
        r->group_by.labels.items[r->group_by.labels.count++] = name;
    }
    if (r->group_by.all && r->group_by.labels.count > 0)
        return decode_fail(c, n,
                           "cannot have wildcard group_by (`...`) and other labels at the same "
                           "time");
    if (r->group_by.labels.count > 1)
        str_sort(r->group_by.labels.items, r->group_by.labels.count);
    return OK;
}

static bool print_group_by(const void *place, struct yaml_out *out)
{
    const struct route_config *r = place;
    str dots = STR("...");
    struct texts wildcard = {&dots, 1};
    if (!r->group_by.given || out == NULL)
        return r->group_by.given;
    if (r->group_by.labels.count == 0 && !r->group_by.all) {
        print_flow_list_begin(out);
        print_list_end(out);
    } else {
        print_texts(out, r->group_by.all ? wildcard : r->group_by.labels);
    }
    return true;
}

static const struct decode_field ROUTE_FIELDS[] = {
    AM_TEXT(route_config, receiver),
    {.key = "group_by", .kind = DECODE_CUSTOM, .custom = read_group_by, .print = print_group_by},
    AM_CUSTOM(route_config, match, read_match, print_match),
    AM_CUSTOM(route_config, match_re, read_match_re, print_match),
    {.key = "matchers",
     .kind = DECODE_CUSTOM,
     .offset = ROUTE(written),
     .custom = alertmanager_read_matchers,
     .print = print_matchers},
    AM_TEXTS(route_config, mute_time_intervals),
    AM_TEXTS(route_config, active_time_intervals),
    {.key = "continue", .kind = DECODE_BOOL, .offset = ROUTE(continue_), .shown_when_zero = true},
    {.key = "routes", .kind = DECODE_STRUCTS, .offset = ROUTE(routes), .schema = &ROUTE_SCHEMA},
    {.key = "group_wait",
     .kind = DECODE_CUSTOM,
     .offset = ROUTE(group_wait_ms),
     .custom = read_optional_duration,
     .print = print_optional_duration},
    {.key = "group_interval",
     .kind = DECODE_CUSTOM,
     .offset = ROUTE(group_interval_ms),
     .custom = read_optional_duration,
     .print = print_optional_duration},
    {.key = "repeat_interval",
     .kind = DECODE_CUSTOM,
     .offset = ROUTE(repeat_interval_ms),
     .custom = read_optional_duration,
     .print = print_optional_duration},
    AM_PAIRS(route_config, labels),
};
static_assert(sizeof(((struct route_config *)0)->routes) == sizeof(struct structs),
              "DECODE_STRUCTS fills it");

static void route_defaults(void *s)
{
    struct route_config *r = s;
    r->group_wait_ms = r->group_interval_ms = r->repeat_interval_ms = -1;
}

static err route_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct route_config *r = s;
    r->place = config_place_of(c, n);
    if (r->group_interval_ms == 0)
        return decode_fail(c, n, "group_interval cannot be zero");
    if (r->repeat_interval_ms == 0)
        return decode_fail(c, n, "repeat_interval cannot be zero");
    return join_matchers(c, n, &r->match, &r->match_re, &r->written, &r->matchers);
}

const struct decode_schema ROUTE_SCHEMA = {
    .fields = ROUTE_FIELDS,
    .field_count = COUNT_OF(ROUTE_FIELDS),
    .size = sizeof(struct route_config),
    .defaults = route_defaults,
    .finish = route_finish,
    .type = "config.plain",
};

/* ---- Inhibition ---- */

static err read_equal(struct decode *c, const struct yaml *n, void *place)
{
    struct texts *equal = place;
    TRY(decode_texts(c, n, equal));
    for (size_t i = 0; i < equal->count; i++)
        if (!label_ok(equal->items[i]))
            return decode_fail(c, n, "invalid label name \"" STR_FMT "\" in equal list",
                               STR_ARG(equal->items[i]));
    return OK;
}

static bool print_list(const void *place, struct yaml_out *out)
{
    const struct texts *list = place;
    if (list->count > 0 && out != NULL)
        print_texts(out, *list);
    return list->count > 0;
}

static const struct decode_field INHIBIT_FIELDS[] = {
    AM_TEXT(inhibit_config, name),
    AM_CUSTOM(inhibit_config, source_match, read_match, print_match),
    AM_CUSTOM(inhibit_config, source_match_re, read_match_re, print_match),
    {.key = "source_matchers",
     .kind = DECODE_CUSTOM,
     .offset = INHIBIT(written_source),
     .custom = alertmanager_read_matchers,
     .print = print_matchers},
    AM_CUSTOM(inhibit_config, target_match, read_match, print_match),
    AM_CUSTOM(inhibit_config, target_match_re, read_match_re, print_match),
    {.key = "target_matchers",
     .kind = DECODE_CUSTOM,
     .offset = INHIBIT(written_target),
     .custom = alertmanager_read_matchers,
     .print = print_matchers},
    AM_CUSTOM(inhibit_config, equal, read_equal, print_list),
};

static err inhibit_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct inhibit_config *r = s;
    TRY(join_matchers(c, n, &r->source_match, &r->source_match_re, &r->written_source, &r->source));
    return join_matchers(c, n, &r->target_match, &r->target_match_re, &r->written_target,
                         &r->target);
}

const struct decode_schema INHIBIT_SCHEMA = {
    .fields = INHIBIT_FIELDS,
    .field_count = COUNT_OF(INHIBIT_FIELDS),
    .size = sizeof(struct inhibit_config),
    .finish = inhibit_finish,
    .type = "config.plain",
};

/* ---- The tree ---- */

static err check_intervals(struct decode *c, const struct alertmanager_file *f,
                           const struct route_config *r)
{
    const struct texts lists[] = {r->active_time_intervals, r->mute_time_intervals};
    for (size_t i = 0; i < r->routes.count; i++)
        TRY(check_intervals(c, f, &r->routes.items[i]));
    for (size_t l = 0; l < COUNT_OF(lists); l++)
        for (size_t i = 0; i < lists[l].count; i++)
            if (alertmanager_time_intervals(f, lists[l].items[i]) == NULL)
                return config_fail_at(c, r->place,
                                      "undefined time interval \"" STR_FMT "\" used in route",
                                      STR_ARG(lists[l].items[i]));
    return OK;
}

static err check_receivers(struct decode *c, const struct alertmanager_file *f,
                           const struct route_config *r)
{
    for (size_t i = 0; i < r->routes.count; i++)
        TRY(check_receivers(c, f, &r->routes.items[i]));
    if (r->receiver.len > 0 && alertmanager_receiver(f, r->receiver) == NULL)
        return config_fail_at(c, r->place, "undefined receiver \"" STR_FMT "\" used in route",
                              STR_ARG(r->receiver));
    return OK;
}

static err check_root(struct decode *c, const struct route_config *r)
{
    if (r->receiver.len == 0)
        return config_fail_at(c, r->place, "root route must specify a default receiver");
    if (r->matchers.count > 0)
        return config_fail_at(c, r->place, "root route must not have any matchers");
    if (r->mute_time_intervals.count > 0)
        return config_fail_at(c, r->place, "root route must not have any mute time intervals");
    if (r->active_time_intervals.count > 0)
        return config_fail_at(c, r->place, "root route must not have any active time intervals");
    return OK;
}

struct route_times { /* of a route, with what it inherits */
    int64_t group_interval_ms, repeat_interval_ms;
};

/* Told once, where the times were set. */
static void warn_times(struct decode *c, const struct route_config *r, struct route_times parent)
{
    struct route_times t = {
        r->group_interval_ms >= 0 ? r->group_interval_ms : parent.group_interval_ms,
        r->repeat_interval_ms >= 0 ? r->repeat_interval_ms : parent.repeat_interval_ms,
    };
    bool set = r->group_interval_ms >= 0 || r->repeat_interval_ms >= 0;
    if (set && t.repeat_interval_ms < t.group_interval_ms)
        alertmanager_warn(c, r->place,
                          "repeat_interval is less than group_interval. Notifications will not "
                          "repeat until the next group_interval.");
    if (r->repeat_interval_ms > ALERTMANAGER_RETENTION_MS)
        alertmanager_warn(c, r->place,
                          "repeat_interval is greater than the data retention period (120h). It "
                          "can lead to notifications being repeated more often than expected.");
    for (size_t i = 0; i < r->routes.count; i++)
        warn_times(c, &r->routes.items[i], t);
}

static void warn_receivers(struct decode *c, const struct alertmanager_file *f)
{
    for (size_t i = 0; i < f->receivers.count; i++) {
        const struct receiver_config *r = &f->receivers.items[i];
        for (size_t k = 0; k < r->integration_count; k++)
            if (!integration_is_built(r->integrations[k].kind))
                alertmanager_warn(c, r->integrations[k].config->place,
                                  "receiver \"" STR_FMT "\": %s_configs are understood, but this "
                                  "version sends nothing to them",
                                  STR_ARG(r->name), integration_name(r->integrations[k].kind));
    }
}

err route_finish_tree(struct decode *c, struct alertmanager_file *f)
{
    const struct route_times defaults = {ROUTE_GROUP_INTERVAL_MS, ROUTE_REPEAT_INTERVAL_MS};
    TRY(check_root(c, f->route));
    TRY(check_receivers(c, f, f->route));
    TRY(check_intervals(c, f, f->route));
    warn_times(c, f->route, defaults);
    warn_receivers(c, f);
    return OK;
}
