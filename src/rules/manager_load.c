/* manager_load.c -- from rule files to groups, and groups into force (manager.h). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rules/manager_priv.h"
#include "rules/restore.h"

enum { GLOB_BYTES_MAX = 64 << 20 };

/* ---- Reading ---- */

static struct rule_check check_of(const struct rules *m, const struct config *c)
{
    const struct query_options *o = &m->env.querier.options;
    return (struct rule_check){
        .promql = {.experimental_functions = o->experimental_functions,
                   .fill_modifiers = o->fill_modifiers,
                   .extended_range_selectors = o->extended_range_selectors},
        .legacy_names = c->global.names == NAMES_LEGACY,
    };
}

static err add_group(struct rules_update *u, struct group *g, struct diag *d)
{
    if (u->count == RULES_GROUPS_MAX) {
        group_close(g);
        return diag_set(d, ERR_LIMIT, "more than %d groups of rules", RULES_GROUPS_MAX);
    }
    if (u->count == u->cap) {
        u->cap = u->cap < 16 ? 16 : u->cap * 2;
        u->groups = mem_resize(u->groups, u->cap, sizeof(struct group *));
    }
    u->groups[u->count++] = g;
    return OK;
}

err rules_add_file(struct rules_update *u, const struct rule_file *f, struct diag *d)
{
    const struct global_config *global = &u->config->global;
    size_t n = global->external_labels.count;
    struct label *external = mem_zalloc(n + 1, sizeof(*external));
    for (size_t i = 0; i < n; i++)
        external[i] = (struct label){global->external_labels.items[i].name,
                                     global->external_labels.items[i].value};
    struct group_options o = {
        .file = f->path,
        .interval_ms = global->evaluation_interval_ms,
        .subquery_step_ms = global->evaluation_interval_ms,
        .query_offset_ms = global->rule_query_offset_ms,
        .external_labels = {external, labels_sort(external, n)},
    };
    err e = OK;
    for (size_t i = 0; e == OK && i < f->group_count; i++) {
        struct group *g;
        e = group_open(&f->groups[i], &o, &u->m->env, &g, d);
        if (e == OK)
            e = add_group(u, g, d);
    }
    mem_free(external);
    return e;
}

static err add_path(struct rules_update *u, str path, const struct rule_check *check,
                    struct diag *d)
{
    struct arena a;
    struct rule_file f;
    struct rule_errors errors;
    arena_init(&a, RULE_FILE_MEMORY_BYTES);
    err e = rule_check_file(path.ptr, check, &a, &f, &errors);
    if (e == OK)
        e = rules_add_file(u, &f, d);
    else if (errors.count > 0)
        (void)diag_set(d, e, STR_FMT, STR_ARG(errors.items[0]));
    for (size_t i = 0; e != OK && i < errors.count; i++)
        log_error("loading groups failed", LOG_STR("reason", errors.items[i]));
    arena_fini(&a);
    return e;
}

static int compare_paths(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* The files of all patterns, each once, sorted. */
static err named_files(const struct texts *patterns, struct arena *a, struct texts *out,
                       struct diag *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < patterns->count; i++) {
        struct texts found;
        if (config_glob(patterns->items[i], a, &found) != OK)
            return diag_set(d, ERR_INVALID, "rule_files: \"" STR_FMT "\" cannot be looked up",
                            STR_ARG(patterns->items[i]));
        out->items =
            arena_grow(a, out->items, out->count, out->count + found.count + 1, sizeof(str));
        if (out->items == NULL)
            return diag_set(d, ERR_LIMIT, "rule_files: too many files");
        for (size_t k = 0; k < found.count; k++)
            out->items[out->count++] = found.items[k];
        if (found.count == 0)
            log_warn("no rule file matches", LOG_STR("pattern", patterns->items[i]));
    }
    if (out->count > 1)
        qsort(out->items, out->count, sizeof(str), compare_paths);
    for (size_t i = 0; i < out->count; i++)
        if (kept == 0 || !str_eq(out->items[kept - 1], out->items[i]))
            out->items[kept++] = out->items[i];
    out->count = kept;
    return OK;
}

static err add_paths(struct rules_update *u, struct diag *d)
{
    struct arena a;
    struct texts files = {0};
    struct rule_check check = check_of(u->m, u->config);
    arena_init(&a, GLOB_BYTES_MAX);
    err e = named_files(&u->config->rule_files, &a, &files, d);
    for (size_t i = 0; e == OK && i < files.count; i++)
        e = add_path(u, files.items[i], &check, d);
    arena_fini(&a);
    return e;
}

static err add_more(struct rules_update *u, struct diag *d)
{
    const struct rules_options *o = &u->m->options;
    struct arena a;
    struct rule_file *files = NULL;
    size_t count = 0;
    if (o->more == NULL)
        return OK;
    arena_init(&a, RULE_FILE_MEMORY_BYTES);
    err e = o->more(o->more_arg, u->config, &a, &files, &count, d);
    for (size_t i = 0; e == OK && i < count; i++)
        e = rules_add_file(u, &files[i], d);
    arena_fini(&a);
    return e;
}

static int compare_groups(const void *pa, const void *pb)
{
    const struct group *a = *(struct group *const *)pa, *b = *(struct group *const *)pb;
    int c = str_cmp(a->file, b->file);
    return c != 0 ? c : str_cmp(a->name, b->name);
}

err rules_read(struct rules *m, struct config *c, const struct namespaces *names,
               struct rules_update **out, struct diag *d)
{
    struct rules_update *u = mem_zalloc(1, sizeof(*u));
    u->m = m;
    u->config = config_ref(c);
    err e = add_paths(u, d);
    if (e == OK)
        e = add_more(u, d);
    for (size_t i = 0; e == OK && names != NULL && i < namespaces_count(names); i++)
        e = rules_add_file(u, namespaces_file(names, i), d);
    if (e != OK) {
        rules_discard(u);
        return e;
    }
    if (u->count > 1)
        qsort(u->groups, u->count, sizeof(struct group *), compare_groups);
    *out = u;
    return OK;
}

err rules_prepare(struct rules *m, struct config *c, struct rules_update **out, struct diag *d)
{
    mutex_lock(&m->change_lock);
    err e = rules_read(m, c, m->namespaces, out, d);
    mutex_unlock(&m->change_lock);
    return e;
}

void rules_discard(struct rules_update *u)
{
    if (u == NULL)
        return;
    for (size_t i = 0; i < u->count; i++)
        group_close(u->groups[i]);
    config_unref(u->config);
    mem_free(u->groups);
    mem_free(u);
}

/* ---- Putting in force ---- */

static struct managed *find(struct rules *m, hash128 key)
{
    for (size_t i = 0; i < m->count; i++)
        if (!m->items[i].left && hash128_eq(m->items[i].group->key, key))
            return &m->items[i];
    return NULL;
}

/* Break off an evaluation that runs. Holding `lock`; the place may have moved. */
static struct managed *halt(struct rules *m, struct managed *it)
{
    struct group *g = it->group;
    query_switch_stop(&g->off);
    for (;;) {
        it = find(m, g->key);
        if (it == NULL || !it->running)
            return it;
        cond_wait(&m->changed, &m->lock);
    }
}

static int64_t now_ns(void)
{
    return clock_wall_ms() * 1000000;
}

static void add_managed(struct rules *m, struct group *g)
{
    if (m->count == m->cap) {
        m->cap = m->cap < 16 ? 16 : m->cap * 2;
        m->items = mem_resize(m->items, m->cap, sizeof(*m->items));
    }
    m->items[m->count++] = (struct managed){.group = g, .slot_ns = group_slot_ns(g, now_ns())};
}

/* Group `fresh` takes the place of `it`, or of nothing. Holding `lock`. */
static void replace(struct rules *m, struct managed *it, struct group *fresh)
{
    if (it == NULL) {
        if (m->started)
            group_restore(fresh, clock_wall_ms());
        add_managed(m, fresh);
        return;
    }
    if (hash128_eq(it->group->digest, fresh->digest)) {
        group_close(fresh);
        return;
    }
    it = halt(m, it);
    struct group *old = it->group;
    it->running = true; /* until the new one has its state nobody evaluates it */
    mutex_unlock(&m->lock);
    group_copy_state(fresh, old, clock_wall_ms());
    mutex_lock(&m->lock);
    it = find(m, fresh->key);
    it->group = fresh; /* others see it with all its alerts */
    if (old->interval_ms != fresh->interval_ms)
        it->slot_ns = group_slot_ns(fresh, now_ns());
    mutex_unlock(&m->lock);
    if (m->started)
        group_restore(fresh, clock_wall_ms());
    group_close(old);
    mutex_lock(&m->lock);
    find(m, fresh->key)->running = false;
}

/* A group that is in no file any more. Its series are marked stale after two intervals: a rule that
 * only moved has written them again by then. Holding `lock`. */
static void leave(struct rules *m, struct managed *it)
{
    it = halt(m, it);
    struct group *g = it->group;
    it->left = true;
    it->running = true;
    mutex_unlock(&m->lock);
    group_end(g, clock_wall_ms());
    mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].group != g)
            continue;
        m->items[i].running = false;
        m->items[i].slot_ns = now_ns() + 2 * g->interval_ms * 1000000;
    }
}

static bool is_wanted(const struct rules_update *u, const struct group *g)
{
    struct group *key = (struct group *)(uintptr_t)g;
    return u->count > 0 &&
           bsearch(&key, u->groups, u->count, sizeof(struct group *), compare_groups) != NULL;
}

static void forget_left(struct rules *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->items[i].group != NULL)
            m->items[kept++] = m->items[i];
    m->count = kept;
}

void rules_put_in_force(struct rules *m, struct rules_update *u)
{
    mutex_lock(&m->lock);
    forget_left(m);
    for (size_t i = 0; i < m->count; i++)
        if (!m->items[i].left && !is_wanted(u, m->items[i].group))
            leave(m, &m->items[i]);
    for (size_t i = 0; i < u->count; i++)
        replace(m, find(m, u->groups[i]->key), u->groups[i]);
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    config_unref(m->config);
    m->config = u->config;
    mem_free(u->groups);
    mem_free(u);
}

void rules_commit(struct rules *m, struct rules_update *u)
{
    mutex_lock(&m->change_lock);
    rules_put_in_force(m, u);
    mutex_unlock(&m->change_lock);
}
