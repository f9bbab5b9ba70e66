/* alerting_ext_escalation.c -- escalation policies, their bindings and acknowledgements. */
#include "config/alerting_ext_priv.h"

#define POLICY(name) offsetof(struct escalation_policy, name)

/* ---- Policies ---- */

static const struct decode_field LEVEL_FIELDS[] = {
    AM_TEXTS(escalation_level, receivers),
    EXT_DURATION(escalation_level, after_ms, "after"),
    AM_TEXTS(escalation_level, active_time_intervals),
};

static err level_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct escalation_level *l = s;
    l->place = config_place_of(c, n);
    return OK;
}

static const struct decode_schema LEVEL_SCHEMA = {
    .fields = LEVEL_FIELDS,
    .field_count = COUNT_OF(LEVEL_FIELDS),
    .size = sizeof(struct escalation_level),
    .finish = level_finish,
};

struct repeat {
    int64_t count, interval_ms;
};

static const struct decode_field REPEAT_FIELDS[] = {
    {EXT_FIELD(repeat, count, "count", DECODE_INT), .min = 0, .max = ESCALATION_REPEATS_MAX},
    EXT_DURATION(repeat, interval_ms, "interval"),
};

static err repeat_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct repeat *r = s;
    if (r->count > 0 && r->interval_ms == 0)
        return decode_fail(c, n, "an interval is needed to start the ladder again");
    return OK;
}

static const struct decode_schema REPEAT_SCHEMA = {
    .fields = REPEAT_FIELDS,
    .field_count = COUNT_OF(REPEAT_FIELDS),
    .size = sizeof(struct repeat),
    .check = repeat_check,
};
static_assert(sizeof(struct repeat) == sizeof(((struct escalation_policy *)0)->repeat),
              "REPEAT_SCHEMA fills it");

static err read_stop_on(struct decode *c, const struct yaml *n, void *place)
{
    struct escalation_policy *p = place;
    struct texts all = {0};
    bool resolve = false;
    if (n->type == YAML_NULL)
        return OK;
    TRY(decode_texts(c, n, &all));
    p->stop_on_ack = false;
    for (size_t i = 0; i < all.count; i++) {
        if (str_eq(all.items[i], STR("ack")))
            p->stop_on_ack = true;
        else if (str_eq(all.items[i], STR("resolve")))
            resolve = true;
        else
            return decode_fail(c, n, "\"" STR_FMT "\" must be one of ack, resolve",
                               STR_ARG(all.items[i]));
    }
    return resolve ? OK : decode_fail(c, n, "resolve is missing: an incident ends with its alerts");
}

static const char *const NEW_ALERTS[] = {"notify", "unack", "ignore", NULL};

static const struct decode_field POLICY_FIELDS[] = {
    {AM_FIELD(escalation_policy, name, DECODE_TEXT), .required = true},
    {EXT_FIELD(escalation_policy, levels, "levels", DECODE_STRUCTS), .schema = &LEVEL_SCHEMA,
     .required = true},
    {EXT_FIELD(escalation_policy, repeat, "repeat", DECODE_STRUCT), .schema = &REPEAT_SCHEMA},
    EXT_DURATION(escalation_policy, ack_timeout_ms, "ack_timeout"),
    {AM_FIELD(escalation_policy, on_new_alerts, DECODE_ENUM), .names = NEW_ALERTS},
    {.key = "stop_on", .kind = DECODE_CUSTOM, .custom = read_stop_on},
};

static void policy_defaults(void *s)
{
    struct escalation_policy *p = s;
    p->stop_on_ack = true;
}

static err check_times(struct decode *c, const struct escalation_policy *p)
{
    for (size_t i = 0; i < p->levels.count; i++) {
        const struct escalation_level *l = &p->levels.items[i];
        if (i == 0 && l->after_ms != 0)
            return config_fail_at(c, l->place,
                                  "the first level is the first notification: after must be 0s");
        if (i > 0 && l->after_ms <= l[-1].after_ms)
            return config_fail_at(c, l->place,
                                  "after must be longer than that of the level before");
    }
    return OK;
}

static err policy_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct escalation_policy *p = s;
    p->place = config_place_of(c, n);
    if (p->name.len == 0)
        return decode_fail(c, n, "a policy needs a name");
    if (p->levels.count == 0)
        return decode_fail(c, n, "a policy needs at least one level");
    if (p->levels.count > ESCALATION_LEVELS_MAX)
        return decode_fail(c, n, "a policy has at most %d levels", ESCALATION_LEVELS_MAX);
    return check_times(c, p);
}

const struct decode_schema ESCALATION_POLICY_SCHEMA = {
    .fields = POLICY_FIELDS,
    .field_count = COUNT_OF(POLICY_FIELDS),
    .size = sizeof(struct escalation_policy),
    .defaults = policy_defaults,
    .finish = policy_finish,
};

/* ---- Bindings ---- */

static const struct decode_field BINDING_FIELDS[] = {
    EXT_MATCHERS(escalation_binding, matchers, "matchers"),
    EXT_MATCHER_SETS(escalation_binding, matchers, "matcher_sets"),
    {AM_FIELD(escalation_binding, policy, DECODE_TEXT), .required = true},
};

static err binding_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct escalation_binding *b = s;
    b->place = config_place_of(c, n);
    return b->matchers.count > 0 ? OK : decode_fail(c, n, "matchers are missing");
}

const struct decode_schema ESCALATION_BINDING_SCHEMA = {
    .fields = BINDING_FIELDS,
    .field_count = COUNT_OF(BINDING_FIELDS),
    .size = sizeof(struct escalation_binding),
    .finish = binding_finish,
};

/* ---- Acknowledgements ---- */

static const struct decode_field LINKS_FIELDS[] = {
    AM_BOOL(ack_links, enabled),
    {AM_FIELD(ack_links, base_url, DECODE_CUSTOM), .custom = read_url},
    AM_PATH(ack_links, secret_file),
    EXT_DURATION(ack_links, ttl_ms, "ttl"),
};

static void links_defaults(void *s)
{
    struct ack_links *l = s;
    l->ttl_ms = INT64_C(24) * 3600 * 1000;
}

static err links_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct ack_links *l = s;
    if (l->enabled && l->secret_file.len == 0)
        return decode_fail(c, n, "links need a secret_file");
    if (l->enabled && l->ttl_ms < 1000)
        return decode_fail(c, n, "ttl must be at least 1s: no link could be used");
    return OK;
}

static const struct decode_schema LINKS_SCHEMA = {
    .fields = LINKS_FIELDS,
    .field_count = COUNT_OF(LINKS_FIELDS),
    .size = sizeof(struct ack_links),
    .defaults = links_defaults,
    .check = links_check,
};

static const struct decode_field INBOUND_FIELDS[] = {
    AM_PATH(ack_inbound, pagerduty_webhook_secret_file),
    AM_PATH(ack_inbound, opsgenie_webhook_token_file),
};

static const struct decode_schema INBOUND_SCHEMA = {
    .fields = INBOUND_FIELDS,
    .field_count = COUNT_OF(INBOUND_FIELDS),
    .size = sizeof(struct ack_inbound),
};

static const struct decode_field ACK_FIELDS[] = {
    EXT_DURATION(acknowledgements, default_expiry_ms, "default_expiry"),
    AM_BOOL(acknowledgements, suppress_repeats),
    AM_BOOL(acknowledgements, clear_on_resolve),
    AM_BOOL(acknowledgements, propagate),
    {AM_FIELD(acknowledgements, links, DECODE_POINTER), .schema = &LINKS_SCHEMA},
    {AM_FIELD(acknowledgements, inbound, DECODE_POINTER), .schema = &INBOUND_SCHEMA},
};

static void ack_defaults(void *s)
{
    struct acknowledgements *a = s;
    a->suppress_repeats = true;
    a->clear_on_resolve = true;
}

const struct decode_schema ACKNOWLEDGEMENTS_SCHEMA = {
    .fields = ACK_FIELDS,
    .field_count = COUNT_OF(ACK_FIELDS),
    .size = sizeof(struct acknowledgements),
    .defaults = ack_defaults,
};

/* ---- All together ---- */

static err check_policy(struct decode *c, const struct alerting_ext *f, size_t i)
{
    const struct escalation_policy *p = &f->escalation_policies.items[i];
    bool bound = false;
    if (alerting_ext_policy(f, p->name) != p)
        return config_fail_at(c, p->place, "there are two policies \"" STR_FMT "\"",
                              STR_ARG(p->name));
    for (size_t k = 0; k < p->levels.count; k++) {
        const struct escalation_level *l = &p->levels.items[k];
        TRY(ext_check_receivers(c, l->place, l->receivers));
        TRY(ext_check_intervals(c, l->place, l->active_time_intervals));
    }
    for (size_t k = 0; !bound && k < f->escalation_bindings.count; k++)
        bound = f->escalation_bindings.items[k].to == p;
    if (!bound)
        alertmanager_warn(c, p->place, "policy \"" STR_FMT "\" is not used by any binding",
                          STR_ARG(p->name));
    return OK;
}

err escalation_check(struct decode *c, struct alerting_ext *f)
{
    for (size_t i = 0; i < f->escalation_bindings.count; i++) {
        struct escalation_binding *b = &f->escalation_bindings.items[i];
        b->to = alerting_ext_policy(f, b->policy);
        if (b->to == NULL)
            return config_fail_at(c, b->place, "there is no policy \"" STR_FMT "\"",
                                  STR_ARG(b->policy));
    }
    for (size_t i = 0; i < f->escalation_policies.count; i++)
        TRY(check_policy(c, f, i));
    return OK;
}
