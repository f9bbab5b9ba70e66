/* alerting_ext.c -- see alerting_ext.h: the root, loading, what all sections share. */
#include "config/alerting_ext.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "config/alerting_ext_priv.h"

struct owned_ext {
    struct alerting_ext f; /* first: what callers hold */
    atomic_uint refs;
    struct arena arena;
    struct alerting_ext_loader loader;
};

static struct owned_ext *owner_of(const struct alerting_ext *f)
{
    return (struct owned_ext *)(uintptr_t)f;
}

/* ---- For the files of sections ---- */

static err add_set(struct decode *c, const struct yaml *n, struct matcher_sets *sets, size_t room)
{
    if (sets->items == NULL)
        sets->items = ARENA_ARRAY(c->arena, struct alert_matchers, room);
    if (sets->items == NULL)
        return config_over_budget(c);
    if (sets->count > 0 && room == 1)
        return decode_fail(c, n, "matchers and matcher_sets cannot both be given");
    TRY(alertmanager_read_matchers(c, n, &sets->items[sets->count]));
    if (sets->items[sets->count].count == 0)
        return decode_fail(c, n, "at least one matcher is needed");
    sets->count++;
    return OK;
}

err ext_read_matchers(struct decode *c, const struct yaml *n, void *place)
{
    return n->type == YAML_NULL ? OK : add_set(c, n, place, 1);
}

err ext_read_matcher_sets(struct decode *c, const struct yaml *n, void *place)
{
    struct matcher_sets *sets = place;
    size_t room = 1;
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list of lists of matchers");
    if (sets->count > 0)
        return decode_fail(c, n, "matchers and matcher_sets cannot both be given");
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        room++;
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        TRY(add_set(c, child, sets, room));
    return OK;
}

static const struct alertmanager_file *alertmanager_of(const struct decode *c)
{
    const struct alerting_ext_loader *l = c->user;
    return l->alertmanager;
}

err ext_check_receiver(struct decode *c, struct config_place p, str name)
{
    return alertmanager_receiver(alertmanager_of(c), name) != NULL
               ? OK
               : config_fail_at(c, p, "there is no receiver \"" STR_FMT "\" in %s", STR_ARG(name),
                                alertmanager_of(c)->file);
}

err ext_check_receivers(struct decode *c, struct config_place p, struct texts names)
{
    for (size_t i = 0; i < names.count; i++)
        TRY(ext_check_receiver(c, p, names.items[i]));
    return OK;
}

err ext_check_intervals(struct decode *c, struct config_place p, struct texts names)
{
    for (size_t i = 0; i < names.count; i++)
        if (alertmanager_time_intervals(alertmanager_of(c), names.items[i]) == NULL)
            return config_fail_at(c, p, "there is no time interval \"" STR_FMT "\" in %s",
                                  STR_ARG(names.items[i]), alertmanager_of(c)->file);
    return OK;
}

/* ---- The root ---- */

#define LIST(name, schema_)                                                                        \
    {                                                                                              \
        EXT_FIELD(alerting_ext, name, #name, DECODE_STRUCTS), .schema = &(schema_),                \
                                                              .null_text = "must not be empty"     \
    }

static const struct decode_field FIELDS[] = {
    LIST(escalation_policies, ESCALATION_POLICY_SCHEMA),
    LIST(escalation_bindings, ESCALATION_BINDING_SCHEMA),
    {EXT_FIELD(alerting_ext, acknowledgements, "acknowledgements", DECODE_STRUCT),
     .schema = &ACKNOWLEDGEMENTS_SCHEMA},
    LIST(maintenance_windows, MAINTENANCE_SCHEMA),
    {EXT_FIELD(alerting_ext, delivery, "delivery", DECODE_POINTER), .schema = &DELIVERY_SCHEMA},
    LIST(heartbeats, HEARTBEAT_SCHEMA),
    LIST(digests, DIGEST_SCHEMA),
    {EXT_FIELD(alerting_ext, history, "history", DECODE_POINTER), .schema = &HISTORY_SCHEMA},
};
static_assert(sizeof(((struct alerting_ext *)0)->heartbeats) == sizeof(struct structs),
              "DECODE_STRUCTS fills it");

static err root_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct alerting_ext *f = s;
    const struct yaml none = {.type = YAML_NULL, .line = n->line, .column = n->column};
    if (n->type == YAML_NULL || yaml_get(n, STR("acknowledgements")) == NULL)
        TRY(decode_struct(c, &ACKNOWLEDGEMENTS_SCHEMA, &none, &f->acknowledgements));
    TRY(escalation_check(c, f));
    TRY(delivery_check(c, f));
    return upkeep_check(c, f);
}

static const struct decode_schema FILE_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct alerting_ext),
    .finish = root_finish,
};

/* ---- Loading ---- */

static err load(const char *path, const slice *text, struct alertmanager_file *am,
                struct alerting_ext **out, struct diag *d)
{
    struct owned_ext *o = mem_zalloc(1, sizeof(*o));
    atomic_init(&o->refs, 1);
    arena_init(&o->arena, ALERTING_EXT_ARENA_BYTES_MAX);
    o->loader.alertmanager = alertmanager_config_ref(am);
    struct decode c = {.arena = &o->arena, .d = d, .user = &o->loader};
    err e = alertmanager_decode(&c, &FILE_SCHEMA, path, text, &o->f);
    o->f.file = c.path;
    o->f.alertmanager = am;
    if (e != OK) {
        alerting_ext_unref(&o->f);
        return e;
    }
    *out = &o->f;
    return OK;
}

err alerting_ext_load(const char *path, struct alertmanager_file *am, struct alerting_ext **out,
                      struct diag *d)
{
    return load(path, NULL, am, out, d);
}

err alerting_ext_parse(const char *path, slice text, struct alertmanager_file *am,
                       struct alerting_ext **out, struct diag *d)
{
    return load(path, &text, am, out, d);
}

struct alerting_ext *alerting_ext_ref(struct alerting_ext *f)
{
    (void)atomic_fetch_add_explicit(&owner_of(f)->refs, 1, memory_order_relaxed);
    return f;
}

void alerting_ext_unref(struct alerting_ext *f)
{
    if (f == NULL)
        return;
    struct owned_ext *o = owner_of(f);
    /* acquire: the other holders' reads of the file are over */
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) > 1)
        return;
    config_loader_fini(&o->loader.base.base);
    alertmanager_config_unref(o->loader.alertmanager);
    arena_fini(&o->arena);
    mem_free(o);
}

/* ---- Looking ---- */

err alerting_ext_supported(const struct alerting_ext *f, struct diag *d)
{
    const struct config_loader *l = &owner_of(f)->loader.base.base;
    if (l->unsupported_count == 0)
        return OK;
    struct config_place p = l->unsupported[0].place;
    return diag_set(d, ERR_UNSUPPORTED,
                    "%s:%u:%u: \"%s\" is understood, but this version does not act on it", p.file,
                    p.line, p.column, l->unsupported[0].what);
}

struct texts alerting_ext_warnings(const struct alerting_ext *f)
{
    struct alertmanager_loader *l = &owner_of(f)->loader.base;
    return (struct texts){l->warnings, l->warning_count};
}

const struct escalation_policy *alerting_ext_policy(const struct alerting_ext *f, str name)
{
    for (size_t i = 0; i < f->escalation_policies.count; i++)
        if (str_eq(f->escalation_policies.items[i].name, name))
            return &f->escalation_policies.items[i];
    return NULL;
}
