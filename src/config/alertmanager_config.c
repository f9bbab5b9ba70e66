/* alertmanager_config.c -- see alertmanager_config.h: the root, loading, warnings. */
#include "config/alertmanager_config.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/mem.h"
#include "config/alertmanager_priv.h"

#define FILE_(name) offsetof(struct alertmanager_file, name)

struct owned_file {
    struct alertmanager_file f; /* first: what callers hold */
    atomic_uint refs;
    struct arena arena;
    struct alertmanager_loader loader;
};

static struct owned_file *owner_of(const struct alertmanager_file *f)
{
    return (struct owned_file *)(uintptr_t)f;
}

/* ---- For the files of sections ---- */

void alertmanager_keep_matchers(struct decode *c, const struct alert_matchers *ms)
{
    struct config_loader *l = c->user;
    for (size_t i = 0; i < ms->count; i++) {
        if (ms->items[i].regex != NULL)
            config_keep_regex(l, ms->items[i].regex);
    }
}

void alertmanager_warn(struct decode *c, struct config_place p, const char *format, ...)
{
    struct alertmanager_loader *l = c->user;
    char text[DIAG_TEXT_SIZE], whole[DIAG_TEXT_SIZE + 64];
    va_list args;
    if (l->warning_count == ALERTMANAGER_WARNINGS_MAX)
        return; /* a hundred are enough to look at the file */
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int n = snprintf(whole, sizeof(whole), "%s:%u:%u: %s", p.file, p.line, p.column, text);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof(whole) ? (size_t)n : sizeof(whole) - 1;
    str copy = arena_str(c->arena, (str){whole, size});
    if (copy.ptr != NULL)
        l->warnings[l->warning_count++] = copy;
}

/* ---- The root ---- */

static err read_templates(struct decode *c, const struct yaml *n, void *place)
{
    struct texts *list = place;
    TRY(decode_texts(c, n, list));
    for (size_t i = 0; i < list->count; i++)
        TRY(decode_path(c, list->items[i], &list->items[i]));
    return OK;
}

/* Printed even when empty, as upstream. */
static bool print_templates(const void *place, struct yaml_out *out)
{
    const struct texts *list = place;
    if (out == NULL)
        return true;
    if (list->count > 0) {
        print_texts(out, *list);
    } else {
        print_flow_list_begin(out);
        print_list_end(out);
    }
    return true;
}

/* Keys of sections that are understood, and of no use here. */
static err read_ignored(struct decode *c, const struct yaml *n, void *place)
{
    (void)place;
    alertmanager_warn(c, config_place_of(c, n),
                      "\"" STR_FMT "\" is understood, but this version does not act on it",
                      STR_ARG(n->key));
    return OK;
}

static const struct decode_field FIELDS[] = {
    {.key = "global",
     .kind = DECODE_STRUCT,
     .offset = FILE_(global),
     .schema = &AM_GLOBAL_SCHEMA,
     .shown_when_zero = true},
    {.key = "route", .kind = DECODE_POINTER, .offset = FILE_(route), .schema = &ROUTE_SCHEMA},
    {.key = "inhibit_rules",
     .kind = DECODE_STRUCTS,
     .offset = FILE_(inhibit_rules),
     .schema = &INHIBIT_SCHEMA},
    {.key = "receivers",
     .kind = DECODE_STRUCTS,
     .offset = FILE_(receivers),
     .schema = &RECEIVER_SCHEMA,
     .null_text = "missing name in receiver"},
    AM_CUSTOM(alertmanager_file, templates, read_templates, print_templates),
    {.key = "mute_time_intervals",
     .kind = DECODE_STRUCTS,
     .offset = FILE_(mute_time_intervals),
     .schema = &MUTE_TIME_INTERVALS_SCHEMA,
     .null_text = "missing name in mute time interval"},
    {.key = "time_intervals",
     .kind = DECODE_STRUCTS,
     .offset = FILE_(time_intervals),
     .schema = &TIME_INTERVALS_SCHEMA,
     .null_text = "missing name in time interval"},
    {.key = "tracing", .kind = DECODE_CUSTOM, .custom = read_ignored},
    {.key = "event_recorder", .kind = DECODE_CUSTOM, .custom = read_ignored},
};
static_assert(sizeof(((struct alertmanager_file *)0)->receivers) == sizeof(struct structs) &&
                  sizeof(((struct alertmanager_file *)0)->inhibit_rules) ==
                      sizeof(struct structs) &&
                  sizeof(((struct alertmanager_file *)0)->time_intervals) == sizeof(struct structs),
              "DECODE_STRUCTS fills them");

static err check_unique_receivers(struct decode *c, const struct alertmanager_file *f, size_t i)
{
    const struct receiver_config *r = &f->receivers.items[i];
    for (size_t k = 0; k < i; k++)
        if (str_eq(f->receivers.items[k].name, r->name))
            return config_fail_at(c, r->place,
                                  "notification config name \"" STR_FMT "\" is not unique",
                                  STR_ARG(r->name));
    return OK;
}

static err check_unique_intervals(struct decode *c, const struct alertmanager_file *f)
{
    size_t mutes = f->mute_time_intervals.count, all = mutes + f->time_intervals.count;
    for (size_t i = 0; i < all; i++) {
        const struct time_intervals *t =
            i < mutes ? &f->mute_time_intervals.items[i] : &f->time_intervals.items[i - mutes];
        if (alertmanager_time_intervals(f, t->name) != t)
            return config_fail_at(c, t->place, "%s \"" STR_FMT "\" is not unique",
                                  i < mutes ? "mute time interval" : "time interval",
                                  STR_ARG(t->name));
    }
    return OK;
}

static void warn_unsupported(struct decode *c)
{
    const struct config_loader *l = c->user;
    for (size_t i = 0; i < l->unsupported_count; i++)
        alertmanager_warn(c, l->unsupported[i].place,
                          "\"%s\" is understood, but this version does not act on it",
                          l->unsupported[i].what);
}

static err root_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct alertmanager_file *f = s;
    const struct yaml none = {.type = YAML_NULL, .line = n->line, .column = n->column};
    const struct yaml *global = n->type == YAML_MAP ? yaml_get(n, STR("global")) : NULL;
    f->has_global = global != NULL;
    if (global == NULL)
        TRY(decode_struct(c, &AM_GLOBAL_SCHEMA, &none, &f->global));
    TRY(global_check(c, global != NULL ? global : n, &f->global));
    for (size_t i = 0; i < f->receivers.count; i++) {
        TRY(check_unique_receivers(c, f, i));
        TRY(receiver_inherit(c, &f->global, &f->receivers.items[i]));
    }
    if (f->route == NULL)
        return decode_fail(c, n, "no route provided in config");
    TRY(check_unique_intervals(c, f));
    TRY(route_finish_tree(c, f));
    warn_unsupported(c);
    if (f->route->continue_)
        return config_fail_at(c, f->route->place, "cannot have continue in root route");
    return OK;
}

static const struct decode_schema FILE_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct alertmanager_file),
    .finish = root_finish,
    .type = "config.plain",
};

/* ---- Loading ---- */

err alertmanager_decode(struct decode *c, const struct decode_schema *schema, const char *path,
                        const slice *text, void *out)
{
    str copy = arena_str(c->arena, str_from(path));
    c->path = copy.ptr;
    err e = copy.ptr != NULL ? OK : ERR_LIMIT;
    if (e == OK)
        e = text != NULL ? decode_document(c, schema, *text, out)
                         : decode_file_with(c, schema, out);
    return e != OK ? diag_set(c->d, e, "%s: %s", path, err_name(e)) : OK;
}

static err load(const char *path, const slice *text, struct alertmanager_file **out, struct diag *d)
{
    struct owned_file *o = mem_zalloc(1, sizeof(*o));
    atomic_init(&o->refs, 1);
    arena_init(&o->arena, ALERTMANAGER_ARENA_BYTES_MAX);
    struct decode c = {.arena = &o->arena, .d = d, .user = &o->loader};
    err e = alertmanager_decode(&c, &FILE_SCHEMA, path, text, &o->f);
    o->f.file = c.path;
    if (e != OK) {
        alertmanager_config_unref(&o->f);
        return e;
    }
    *out = &o->f;
    return OK;
}

err alertmanager_config_load(const char *path, struct alertmanager_file **out, struct diag *d)
{
    return load(path, NULL, out, d);
}

err alertmanager_config_parse(const char *path, slice text, struct alertmanager_file **out,
                              struct diag *d)
{
    return load(path, &text, out, d);
}

struct alertmanager_file *alertmanager_config_ref(struct alertmanager_file *f)
{
    (void)atomic_fetch_add_explicit(&owner_of(f)->refs, 1, memory_order_relaxed);
    return f;
}

void alertmanager_config_unref(struct alertmanager_file *f)
{
    if (f == NULL)
        return;
    struct owned_file *o = owner_of(f);
    /* acquire: the other holders' reads of the configuration are over */
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) > 1)
        return;
    config_loader_fini(&o->loader.base);
    arena_fini(&o->arena);
    mem_free(o);
}

/* ---- Looking ---- */

struct texts alertmanager_config_warnings(const struct alertmanager_file *f)
{
    struct owned_file *o = owner_of(f);
    return (struct texts){o->loader.warnings, o->loader.warning_count};
}

const struct time_intervals *alertmanager_time_intervals(const struct alertmanager_file *f,
                                                         str name)
{
    for (size_t i = 0; i < f->mute_time_intervals.count; i++)
        if (str_eq(f->mute_time_intervals.items[i].name, name))
            return &f->mute_time_intervals.items[i];
    for (size_t i = 0; i < f->time_intervals.count; i++)
        if (str_eq(f->time_intervals.items[i].name, name))
            return &f->time_intervals.items[i];
    return NULL;
}

const struct receiver_config *alertmanager_receiver(const struct alertmanager_file *f, str name)
{
    for (size_t i = 0; i < f->receivers.count; i++)
        if (str_eq(f->receivers.items[i].name, name))
            return &f->receivers.items[i];
    return NULL;
}

void alertmanager_config_yaml(const struct alertmanager_file *f, struct buf *out)
{
    print_struct(&FILE_SCHEMA, f, out);
}

hash128 alertmanager_config_digest(const struct alertmanager_file *f)
{
    return print_digest(&FILE_SCHEMA, f);
}
