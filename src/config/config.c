/* config.c -- see config.h. */
#include "config/config.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/fs.h"
#include "base/mem.h"
#include "config/config_priv.h"

enum { CONFIG_ARENA_BYTES_MAX = 256 << 20 };

#define CONFIG(name) offsetof(struct config, name)

static const char *const PART_KEYS[] = {"scrape_configs", "rule_files", "alerting", "remote_write",
                                        "remote_read"};
enum { PARTS = COUNT_OF(PART_KEYS) };

struct owned_config {
    struct config c; /* first: what callers hold */
    atomic_uint refs;
    struct arena arena;
    struct config_loader loader;
    struct config_place parts[PARTS]; /* where the sections stand; file NULL: nowhere */
};

static struct owned_config *owner_of(const struct config *c)
{
    return (struct owned_config *)(uintptr_t)c;
}

/* ---- For the files of sections ---- */

struct config_place config_place_of(const struct decode *c, const struct yaml *n)
{
    return (struct config_place){c->path, n->line, n->column};
}

void config_keep_regex(struct config_loader *l, struct regex *re)
{
    if (l->regex_count == l->regex_room) {
        l->regex_room = l->regex_room == 0 ? 16 : l->regex_room * 2;
        l->regexes = mem_resize(l->regexes, l->regex_room, sizeof(*l->regexes));
    }
    l->regexes[l->regex_count++] = re;
}

void config_loader_fini(struct config_loader *l)
{
    for (size_t i = 0; i < l->regex_count; i++)
        regex_close(l->regexes[i]);
    mem_free(l->regexes);
}

void config_note_unsupported(struct decode *c, const struct yaml *n, const char *what)
{
    struct config_loader *l = c->user;
    if (l->unsupported_count == UNSUPPORTED_MAX)
        return; /* the first is enough to refuse the file */
    l->unsupported[l->unsupported_count].place = config_place_of(c, n);
    l->unsupported[l->unsupported_count++].what = what;
}

err config_fail_at(struct decode *c, struct config_place p, const char *format, ...)
{
    char what[DIAG_TEXT_SIZE / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return diag_set(c->d, ERR_INVALID, "%s:%u:%u: %s", p.file, p.line, p.column, what);
}

/* ---- The root ---- */

static err read_runtime(struct decode *c, const struct yaml *n, void *place)
{
    static const struct decode_field FIELDS[] = {{.key = "gogc", .kind = DECODE_INT}};
    static const struct decode_schema SCHEMA = {.fields = FIELDS,
                                                .field_count = 1,
                                                .size = sizeof(int64_t),
                                                .type = "config.RuntimeConfig"};
    int64_t v;
    TRY(decode_struct(c, &SCHEMA, n, &v));
    if (v != 0)
        *(int64_t *)place = v;
    return OK;
}

static bool print_runtime(const void *place, struct yaml_out *out)
{
    if (out == NULL)
        return true;
    print_map_begin(out);
    print_text(out, STR("gogc"));
    print_int(out, *(const int64_t *)place);
    print_map_end(out);
    return true;
}

/* Patterns: any number of *, all in the last part of the path. */
static err read_patterns(struct decode *c, const struct yaml *n, struct texts *out,
                         const char *what)
{
    TRY(decode_texts(c, n, out));
    for (size_t i = 0; i < out->count; i++) {
        str s = out->items[i];
        const char *star = memchr(s.ptr, '*', s.len);
        if (star != NULL && memchr(star, '/', (size_t)(s.ptr + s.len - star)) != NULL)
            return decode_fail(c, n, "invalid %s file path \"" STR_FMT "\"", what, STR_ARG(s));
        TRY(decode_path(c, s, &out->items[i]));
    }
    return OK;
}

static err read_places(struct decode *c, const struct yaml *n, size_t count,
                       struct config_place **out)
{
    struct config_place *places = ARENA_ARRAY(c->arena, struct config_place, count + 1);
    if (places == NULL)
        return decode_fail(c, n, "the configuration needs too much memory");
    const struct yaml *item = n->type == YAML_LIST ? n->first : NULL;
    for (size_t i = 0; i < count; i++, item = item != NULL ? item->next : NULL)
        places[i] = config_place_of(c, item != NULL ? item : n);
    *out = places;
    return OK;
}

static err read_rule_files(struct decode *c, const struct yaml *n, void *place)
{
    struct config *config = place;
    TRY(read_patterns(c, n, &config->rule_files, "rule"));
    return read_places(c, n, config->rule_files.count, &config->rule_file_places);
}

static err read_scrape_files(struct decode *c, const struct yaml *n, void *place)
{
    struct config *config = place;
    TRY(read_patterns(c, n, &config->scrape_config_files, "scrape config"));
    return read_places(c, n, config->scrape_config_files.count, &config->scrape_config_file_places);
}

static bool print_patterns(const struct texts *list, struct yaml_out *out)
{
    if (list->count > 0 && out != NULL)
        print_texts(out, *list);
    return list->count > 0;
}

static bool print_rule_files(const void *place, struct yaml_out *out)
{
    return print_patterns(&((const struct config *)place)->rule_files, out);
}

static bool print_scrape_files(const void *place, struct yaml_out *out)
{
    return print_patterns(&((const struct config *)place)->scrape_config_files, out);
}

static bool print_jobs(const void *place, struct yaml_out *out)
{
    const struct config *c = place;
    if (c->own_job_count == 0 || out == NULL)
        return c->own_job_count > 0;
    print_list_begin(out);
    for (size_t i = 0; i < c->own_job_count; i++) {
        print_map_begin(out);
        print_fields(out, &SCRAPE_SCHEMA, &c->jobs.items[i]);
        print_map_end(out);
    }
    print_list_end(out);
    return true;
}

static const struct decode_field JOBS_FIELD[] = {
    {.key = "scrape_configs",
     .kind = DECODE_STRUCTS,
     .schema = &SCRAPE_SCHEMA,
     .null_text = "empty or null scrape config section"},
};
const struct decode_schema SCRAPE_FILE_SCHEMA = {
    /* struct scrape_configs, of a file of its own */
    .fields = JOBS_FIELD,
    .field_count = 1,
    .size = sizeof(struct scrape_configs),
    .type = "config.ScrapeConfigs",
};

static err read_jobs(struct decode *c, const struct yaml *n, void *place)
{
    struct config *config = place;
    struct yaml alone = {.type = YAML_MAP, .line = n->line, .column = n->column};
    struct yaml jobs = *n;
    jobs.next = NULL;
    alone.first = &jobs;
    TRY(decode_struct(c, &SCRAPE_FILE_SCHEMA, &alone, &config->jobs));
    config->own_job_count = config->jobs.count;
    return OK;
}

static const struct decode_field FIELDS[] = {
    {.key = "global",
     .kind = DECODE_STRUCT,
     .offset = CONFIG(global),
     .schema = &GLOBAL_SCHEMA,
     .shown_when_zero = true},
    {.key = "runtime",
     .kind = DECODE_CUSTOM,
     .offset = CONFIG(gogc),
     .custom = read_runtime,
     .print = print_runtime},
    {.key = "alerting",
     .kind = DECODE_STRUCT,
     .offset = CONFIG(alerting),
     .schema = &ALERTING_SCHEMA},
    {.key = "rule_files",
     .kind = DECODE_CUSTOM,
     .custom = read_rule_files,
     .print = print_rule_files},
    {.key = "scrape_config_files",
     .kind = DECODE_CUSTOM,
     .custom = read_scrape_files,
     .print = print_scrape_files},
    {.key = "scrape_configs", .kind = DECODE_CUSTOM, .custom = read_jobs, .print = print_jobs},
    {.key = "storage", .kind = DECODE_STRUCT, .offset = CONFIG(storage), .schema = &STORAGE_SCHEMA},
    {.key = "tracing",
     .kind = DECODE_POINTER,
     .offset = CONFIG(tracing),
     .schema = &TRACING_SCHEMA},
    {.key = "remote_write",
     .kind = DECODE_STRUCTS,
     .offset = CONFIG(remote_write),
     .schema = &REMOTE_WRITE_SCHEMA,
     .null_text = "empty or null remote write config section"},
    {.key = "remote_read",
     .kind = DECODE_STRUCTS,
     .offset = CONFIG(remote_read),
     .schema = &REMOTE_READ_SCHEMA,
     .null_text = "empty or null remote read config section"},
    {.key = "otlp", .kind = DECODE_STRUCT, .offset = CONFIG(otlp), .schema = &OTLP_SCHEMA},
};

/* The sections that were not given have their defaults too. */
static err fill_missing(struct decode *c, const struct yaml *n, struct config *config)
{
    const struct yaml none = {.type = YAML_NULL, .line = n->line, .column = n->column};
    const struct yaml *global = n->type == YAML_MAP ? yaml_get(n, STR("global")) : NULL;
    if (global == NULL || global->first == NULL)
        TRY(decode_struct(c, &GLOBAL_SCHEMA, &none, &config->global));
    if (n->type != YAML_MAP || yaml_get(n, STR("storage")) == NULL)
        TRY(decode_struct(c, &STORAGE_SCHEMA, &none, &config->storage));
    if (n->type != YAML_MAP || yaml_get(n, STR("otlp")) == NULL)
        TRY(decode_struct(c, &OTLP_SCHEMA, &none, &config->otlp));
    return OK;
}

static err check_job(struct decode *c, struct config *config, size_t i)
{
    struct scrape_config *job = &config->jobs.items[i];
    TRY(scrape_finish(c, job, &config->global));
    for (size_t k = 0; k < i; k++) {
        const struct scrape_config *first = &config->jobs.items[k];
        if (!str_eq(first->job_name, job->job_name))
            continue;
        if (i < config->own_job_count)
            return config_fail_at(c, job->place,
                                  "found multiple scrape configs with job name \"" STR_FMT "\"",
                                  STR_ARG(job->job_name));
        return config_fail_at(c, job->place,
                              "found multiple scrape configs with job name \"" STR_FMT
                              "\", first found in %s",
                              STR_ARG(job->job_name),
                              k < config->own_job_count ? "main config file" : first->place.file);
    }
    return OK;
}

static err check_remote(struct decode *c, struct config *config)
{
    for (size_t i = 0; i < config->remote_write.count; i++) {
        struct remote_write_config *w = &config->remote_write.items[i];
        for (size_t k = 0; k < i; k++)
            if (w->name.len > 0 && str_eq(config->remote_write.items[k].name, w->name))
                return config_fail_at(c, w->place,
                                      "found multiple remote write configs with job name \"" STR_FMT
                                      "\"",
                                      STR_ARG(w->name));
        TRY(relabel_check_all(c, &w->write_relabel, config->global.names));
    }
    for (size_t i = 0; i < config->remote_read.count; i++) {
        struct remote_read_config *r = &config->remote_read.items[i];
        for (size_t k = 0; k < i; k++)
            if (r->name.len > 0 && str_eq(config->remote_read.items[k].name, r->name))
                return config_fail_at(
                    c, r->place, "found multiple remote read configs with job name \"" STR_FMT "\"",
                    STR_ARG(r->name));
    }
    return OK;
}

static err check_alerting(struct decode *c, struct config *config)
{
    int names = config->global.names;
    TRY(relabel_check_all(c, &config->alerting.alert_relabel, names));
    for (size_t i = 0; i < config->alerting.alertmanagers.count; i++) {
        struct alertmanager_config *a = &config->alerting.alertmanagers.items[i];
        TRY(relabel_check_all(c, &a->alert_relabel, names));
        TRY(relabel_check_all(c, &a->relabel, names));
    }
    return OK;
}

static err root_finish(struct decode *c, const struct yaml *n, void *s)
{
    static const char *const STRATEGIES[] = {"", "", "NoUTF8EscapingWithSuffixes", "NoTranslation"};
    struct config *config = s;
    struct config_loader *l = c->user;
    struct owned_config *o =
        (struct owned_config *)(void *)((uint8_t *)l - offsetof(struct owned_config, loader));
    TRY(fill_missing(c, n, config));
    for (size_t i = 0; i < config->jobs.count; i++)
        TRY(check_job(c, config, i));
    TRY(check_alerting(c, config));
    TRY(check_remote(c, config));
    const char *strategy = STRATEGIES[config->otlp.translation];
    if (strategy[0] != '\0' && config->global.names == NAMES_LEGACY)
        return decode_fail(c, n,
                           "OTLP translation strategy \"%s\" is not allowed when UTF8 is disabled",
                           strategy);
    for (size_t i = 0; i < PARTS; i++) {
        const struct yaml *part = n->type == YAML_MAP ? yaml_get(n, str_from(PART_KEYS[i])) : NULL;
        if (part != NULL && part->first != NULL)
            o->parts[i] = config_place_of(c, part);
    }
    return OK;
}

static void root_defaults(void *s)
{
    ((struct config *)s)->gogc = 75;
}

const struct decode_schema CONFIG_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct config),
    .defaults = root_defaults,
    .finish = root_finish,
    .type = "config.plain",
};

/* ---- Loading ---- */

static err add_jobs(struct decode *c, struct config *config, str file)
{
    struct scrape_configs more;
    c->path = file.ptr;
    TRY(decode_file_with(c, &SCRAPE_FILE_SCHEMA, &more));
    size_t count = config->jobs.count;
    config->jobs.items = arena_grow(c->arena, config->jobs.items, count, count + more.count + 1,
                                    sizeof(*more.items));
    if (config->jobs.items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (size_t i = 0; i < more.count; i++) {
        config->jobs.items[config->jobs.count++] = more.items[i];
        TRY(check_job(c, config, config->jobs.count - 1));
    }
    return OK;
}

static err read_job_files(struct decode *c, struct config *config)
{
    for (size_t i = 0; i < config->scrape_config_files.count; i++) {
        struct texts files;
        TRY(config_glob(config->scrape_config_files.items[i], c->arena, &files));
        for (size_t k = 0; k < files.count; k++)
            TRY(add_jobs(c, config, files.items[k]));
    }
    return OK;
}

err config_load(const char *path, struct config **out, struct diag *d)
{
    struct owned_config *o = mem_zalloc(1, sizeof(*o));
    atomic_init(&o->refs, 1);
    arena_init(&o->arena, CONFIG_ARENA_BYTES_MAX);
    struct decode c = {.arena = &o->arena, .d = d, .user = &o->loader};
    str copy = arena_str(&o->arena, str_from(path));
    err e = copy.ptr != NULL ? OK : ERR_LIMIT;
    c.path = copy.ptr;
    if (e == OK && path[0] == '\0') {
        const struct yaml none = {.type = YAML_NULL};
        e = decode_struct(&c, &CONFIG_SCHEMA, &none, &o->c);
    } else if (e == OK) {
        e = decode_file_with(&c, &CONFIG_SCHEMA, &o->c);
    }
    if (e == OK)
        e = read_job_files(&c, &o->c);
    o->c.file = copy.ptr;
    if (e != OK) {
        (void)diag_set(d, e, "%s: %s", path, err_name(e));
        config_unref(&o->c);
        return e;
    }
    *out = &o->c;
    return OK;
}

struct config *config_ref(struct config *c)
{
    (void)atomic_fetch_add_explicit(&owner_of(c)->refs, 1, memory_order_relaxed);
    return c;
}

void config_unref(struct config *c)
{
    if (c == NULL)
        return;
    struct owned_config *o = owner_of(c);
    /* acquire: the other holders' reads of the configuration are over */
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) > 1)
        return;
    config_loader_fini(&o->loader);
    arena_fini(&o->arena);
    mem_free(o);
}

/* ---- What is acted upon ---- */

static err refuse(struct config_place p, const char *what, struct diag *d)
{
    return diag_set(d, ERR_UNSUPPORTED,
                    "%s:%u:%u: \"%s\" is understood, but this version does not act on it", p.file,
                    p.line, p.column, what);
}

err config_supported(const struct config *c, unsigned parts, size_t index, struct diag *d)
{
    const struct owned_config *o = owner_of(c);
    for (size_t i = 0; i < PARTS; i++)
        if (o->parts[i].file != NULL && (parts & 1u << i) == 0 && index-- == 0)
            return refuse(o->parts[i], PART_KEYS[i], d);
    if (index >= o->loader.unsupported_count)
        return OK;
    return refuse(o->loader.unsupported[index].place, o->loader.unsupported[index].what, d);
}

/* ---- Printing ---- */

void config_yaml(const struct config *c, struct buf *out)
{
    print_struct(&CONFIG_SCHEMA, c, out);
}

void config_job_yaml(const struct scrape_config *job, struct buf *out)
{
    print_struct(&SCRAPE_SCHEMA, job, out);
}

hash128 config_job_digest(const struct scrape_config *job)
{
    return print_digest(&SCRAPE_SCHEMA, job);
}

hash128 config_sd_digest(const struct sd_config *sd)
{
    struct sd_config one = *sd;
    struct sd_configs list = {&one, 1};
    return print_digest(&SD_SCHEMA, &list);
}

hash128 config_alertmanager_digest(const struct alertmanager_config *am)
{
    return print_digest(&AM_SCHEMA, am);
}

void config_redacted_url(str url, struct buf *out)
{
    print_redacted_url(url, out);
}

/* ---- Target groups ---- */

static const struct decode_field GROUPS_FIELD[] = {
    {.key = "groups",
     .kind = DECODE_STRUCTS,
     .schema = &TARGET_GROUP_SCHEMA,
     .null_text = "nil target group item found"},
};
static const struct decode_schema GROUPS_SCHEMA = {
    .fields = GROUPS_FIELD, .field_count = 1, .size = sizeof(struct structs)};

err config_target_groups(const char *name, slice text, struct arena *a,
                         struct static_sd_config *out, struct diag *d)
{
    struct decode c = {.path = name, .arena = a, .d = d};
    struct diag why = {.text = ""};
    struct structs list;
    struct yaml *root;
    err e = yaml_parse(text, a, &root, &why);
    if (e != OK)
        return diag_set(d, e, "%s:%s", name, why.text);
    root->key = STR("groups");
    struct yaml map = {.type = YAML_MAP, .line = 1, .column = 1, .first = root};
    TRY(decode_struct(&c, &GROUPS_SCHEMA, &map, &list));
    *out = (struct static_sd_config){list.items, list.count};
    return OK;
}
