/* manager.c -- see manager.h: life, threads and the schedule. */
#include "rules/manager.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rules/manager_priv.h"
#include "rules/restore.h"

static const uint64_t NAP_NS = 1000000000; /* the clock may be set: look again that often */

/* ---- The schedule ---- */

static int64_t now_ns(void)
{
    return clock_wall_ms() * 1000000;
}

/* When the group is to be evaluated, or marked stale. */
static int64_t slot_due_ns(const struct managed *it)
{
    return it->left ? it->slot_ns : it->slot_ns + it->group->interval_ms * 1000000;
}

/* Between two looks, or a look and an evaluation; 0: it is not looked at. */
static int64_t look_step_ns(const struct rules *m, const struct managed *it)
{
    int64_t interval_ms = it->group->interval_ms, look_ms = m->options.look_ms;
    if (it->left || look_ms <= 0 || !it->group->looked_at || interval_ms <= look_ms)
        return 0;
    return interval_ms * 1000000 / ((interval_ms + look_ms - 1) / look_ms);
}

/* When the group is to be looked at before it is evaluated; INT64_MAX: not any more. */
static int64_t look_due_ns(const struct rules *m, const struct managed *it)
{
    int64_t step_ns = look_step_ns(m, it), end_ns = slot_due_ns(it);
    if (step_ns == 0)
        return INT64_MAX;
    bool looked = it->looked_ns > it->slot_ns && it->looked_ns < end_ns;
    int64_t done = looked ? (it->looked_ns - it->slot_ns) / step_ns : 0;
    int64_t next_ns = it->slot_ns + (done + 1) * step_ns;
    return next_ns < end_ns - step_ns / 2 ? next_ns : INT64_MAX;
}

static int64_t due_ns(const struct rules *m, const struct managed *it)
{
    return MIN(slot_due_ns(it), look_due_ns(m, it));
}

/* Was the clock set back, by more than an interval? Less is waited for: no time comes twice. */
static bool was_set_back(const struct managed *it, int64_t now)
{
    return !it->left && it->slot_ns - now > it->group->interval_ms * 1000000;
}

/* The entry that is due first and not running, or NULL. Holding `lock`. */
static struct managed *first_due(struct rules *m, int64_t now)
{
    struct managed *first = NULL;
    for (size_t i = 0; i < m->count; i++) {
        struct managed *it = &m->items[i];
        if (it->group == NULL || it->running)
            continue;
        if (was_set_back(it, now))
            it->slot_ns = group_slot_ns(it->group, now);
        if (first == NULL || due_ns(m, it) < due_ns(m, first))
            first = it;
    }
    return first;
}

static void count_iterations(struct managed *it, int64_t missed)
{
    struct group_counters *c = &it->group->counters;
    (void)atomic_fetch_add_explicit(&c->iterations, (uint64_t)missed + 1, memory_order_relaxed);
    if (missed > 0)
        (void)atomic_fetch_add_explicit(&c->missed, (uint64_t)missed, memory_order_relaxed);
}

static void not_running(struct rules *m, const struct group *g)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->items[i].group == g)
            m->items[i].running = false;
    cond_broadcast(&m->changed);
}

/* Evaluate what is due. Holding `lock`, which is given up meanwhile. */
static void evaluate(struct rules *m, struct managed *it, int64_t now)
{
    struct group *g = it->group;
    int64_t interval_ns = g->interval_ms * 1000000;
    int64_t missed = (now - it->slot_ns) / interval_ns - 1;
    it->slot_ns += (missed + 1) * interval_ns;
    it->running = true;
    int64_t ts_ms = it->slot_ns / 1000000;
    count_iterations(it, missed);
    mutex_unlock(&m->lock);
    group_eval(g, ts_ms);
    mutex_lock(&m->lock);
    not_running(m, g);
}

/* Look at what is due; of several moments that have passed at the last, and not when that is long
 * ago. Holding `lock`, which is given up meanwhile. */
static void look(struct rules *m, struct managed *it, int64_t now)
{
    struct group *g = it->group;
    int64_t step_ns = look_step_ns(m, it), due = look_due_ns(m, it);
    int64_t left = (slot_due_ns(it) - step_ns / 2 - 1 - due) / step_ns; /* before the evaluation */
    int64_t skipped = MIN((now - due) / step_ns, left);
    it->looked_ns = due + skipped * step_ns;
    bool late = now - it->looked_ns > step_ns / 2;
    (void)atomic_fetch_add_explicit(&m->counters.looks_skipped, (uint64_t)(skipped + late),
                                    memory_order_relaxed);
    if (late)
        return;
    int64_t ts_ms = it->looked_ns / 1000000;
    it->running = true;
    mutex_unlock(&m->lock);
    group_look(g, ts_ms);
    mutex_lock(&m->lock);
    not_running(m, g);
}

/* Holding `lock`, which is given up meanwhile. */
static void bury(struct rules *m, struct managed *it)
{
    struct group *g = it->group;
    it->running = true;
    mutex_unlock(&m->lock);
    group_mark_stale(g);
    mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].group != g)
            continue;
        m->items[i].group = NULL;
        m->items[i].running = false;
    }
    group_close(g);
}

static void run(struct rules *m, struct managed *it, int64_t now)
{
    if (it->left)
        bury(m, it);
    else if (slot_due_ns(it) <= now)
        evaluate(m, it, now);
    else
        look(m, it, now);
}

static void *work(void *arg)
{
    struct rules *m = arg;
    mutex_lock(&m->lock);
    while (!m->stopping) {
        int64_t now = now_ns();
        struct managed *it = first_due(m, now);
        if (it != NULL && due_ns(m, it) <= now) {
            run(m, it, now);
            continue;
        }
        uint64_t wait_ns = it != NULL ? MIN((uint64_t)(due_ns(m, it) - now), NAP_NS) : NAP_NS;
        (void)cond_wait_until(&m->changed, &m->lock, clock_mono_ns() + wait_ns);
    }
    mutex_unlock(&m->lock);
    return NULL;
}

/* ---- Life ---- */

static void timing_init(struct rules_timing *t)
{
    timing_recent_init(&t->recent);
}

struct rules *rules_open(const struct rules_options *options)
{
    struct rules *m = mem_zalloc(1, sizeof(*m));
    m->options = *options;
    m->env = options->env;
    m->env.counters = &m->counters;
    mutex_init(&m->change_lock);
    mutex_init(&m->lock);
    cond_init(&m->changed);
    timing_init(&m->counters.rules);
    timing_init(&m->counters.groups);
    return m;
}

/* Alerts of rules that went while the process was down. */
static void end_unclaimed(struct rules *m)
{
    struct alert_set s = {0};
    struct arena a;
    int64_t now_ms = clock_wall_ms();
    while (alert_log_unclaimed(m->env.log, &s)) {
        struct alert *alerts;
        size_t count = 0;
        arena_init(&a, RULE_EVAL_BYTES_MAX);
        if (alert_set_end(&s, now_ms, STR(""), &a, &alerts, &count) == OK && count > 0 &&
            m->env.sink != NULL)
            m->env.sink->send(m->env.sink->arg, alerts, count);
        arena_fini(&a);
        alert_set_fini(&s);
    }
}

static err open_files(struct rules *m, const char *dir, struct diag *d)
{
    struct buf path = {0};
    struct rule_check check = {.promql = {.experimental_functions = true}};
    check.promql.fill_modifiers = m->env.querier.options.fill_modifiers;
    check.promql.extended_range_selectors = m->env.querier.options.extended_range_selectors;
    fs_join(&path, dir, "rules");
    err e = fs_make_dir(fs_posix(), buf_cstr(&path));
    if (e != OK)
        (void)diag_set(d, e, "%s: cannot be made", buf_cstr(&path));
    if (e == OK)
        e = alert_log_open(fs_posix(), buf_cstr(&path), &m->env.log, d);
    buf_put_str(&path, STR("/groups"));
    if (e == OK)
        e = namespaces_open(fs_posix(), buf_cstr(&path), &check, &m->namespaces, d);
    buf_fini(&path);
    return e;
}

/* What the API has set, once the store is there. Holding change_lock. */
static err add_namespaces(struct rules *m, struct diag *d)
{
    struct rules_update *u;
    if (m->config == NULL || namespaces_count(m->namespaces) == 0)
        return OK;
    TRY(rules_read(m, m->config, m->namespaces, &u, d));
    rules_put_in_force(m, u);
    return OK;
}

static void restore_all(struct rules *m)
{
    for (size_t i = 0; i < m->count; i++)
        group_restore(m->items[i].group, clock_wall_ms());
    end_unclaimed(m);
}

static err start_workers(struct rules *m, struct diag *d)
{
    unsigned wanted = MIN(MAX(m->options.workers, 1), (unsigned)RULES_WORKERS_MAX);
    while (m->worker_count < wanted) {
        err e = thread_start(&m->workers[m->worker_count], "rules", work, m);
        if (e != OK)
            return diag_set(d, e, "a thread for rules cannot be started");
        m->worker_count++;
    }
    return OK;
}

err rules_start(struct rules *m, struct db *db, const char *dir, struct diag *d)
{
    ASSERT(!m->started);
    mutex_lock(&m->change_lock);
    m->store = rule_store_open(db);
    m->env.append = rule_store_appender(m->store);
    m->env.querier.env.store = db;
    err e = open_files(m, dir, d);
    if (e == OK)
        e = add_namespaces(m, d);
    if (e == OK) {
        restore_all(m);
        mutex_lock(&m->lock);
        for (size_t i = 0; i < m->count; i++)
            m->items[i].slot_ns = group_slot_ns(m->items[i].group, now_ns());
        m->started = true;
        mutex_unlock(&m->lock);
        e = start_workers(m, d);
    }
    mutex_unlock(&m->change_lock);
    return e;
}

void rules_stop(struct rules *m)
{
    mutex_lock(&m->lock);
    m->stopping = true;
    for (size_t i = 0; i < m->count; i++)
        if (m->items[i].group != NULL)
            query_switch_stop(&m->items[i].group->off);
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    while (m->worker_count > 0)
        thread_join(m->workers[--m->worker_count]);
}

void rules_close(struct rules *m)
{
    if (m == NULL)
        return;
    rules_stop(m);
    for (size_t i = 0; i < m->count; i++)
        group_close(m->items[i].group);
    mem_free(m->items);
    config_unref(m->config);
    namespaces_close(m->namespaces);
    alert_log_close(m->env.log);
    rule_store_close(m->store);
    timing_recent_fini(&m->counters.rules.recent);
    timing_recent_fini(&m->counters.groups.recent);
    cond_fini(&m->changed);
    mutex_fini(&m->lock);
    mutex_fini(&m->change_lock);
    mem_free(m);
}

/* ---- Looking ---- */

static int compare_groups(const void *pa, const void *pb)
{
    const struct group *a = *(struct group *const *)pa, *b = *(struct group *const *)pb;
    int c = str_cmp(a->file, b->file);
    return c != 0 ? c : str_cmp(a->name, b->name);
}

struct rules_view rules_view(struct rules *m)
{
    struct rules_view v = {0};
    if (m == NULL)
        return v;
    mutex_lock(&m->lock);
    v.groups = mem_alloc((m->count + 1) * sizeof(struct group *));
    for (size_t i = 0; i < m->count; i++)
        if (!m->items[i].left)
            v.groups[v.count++] = group_ref(m->items[i].group);
    mutex_unlock(&m->lock);
    if (v.count > 1)
        qsort(v.groups, v.count, sizeof(struct group *), compare_groups);
    return v;
}

void rules_view_fini(struct rules_view *v)
{
    for (size_t i = 0; i < v->count; i++)
        group_close(v->groups[i]);
    mem_free(v->groups);
    *v = (struct rules_view){0};
}

struct rules_counters *rules_counters(struct rules *m)
{
    return &m->counters;
}

/* ---- Groups by API ---- */

/* Keep `fresh`, in which `name` is another, and put it in force. Holding change_lock. */
static err take_namespaces(struct rules *m, struct namespaces *fresh, str name, struct diag *d)
{
    struct rules_update *u = NULL;
    err e = rules_read(m, m->config, fresh, &u, d);
    if (e == OK) {
        e = namespaces_save(fresh, name);
        if (e != OK)
            (void)diag_set(d, e, "the group cannot be kept: %s", err_name(e));
    }
    if (e != OK) {
        rules_discard(u);
        namespaces_close(fresh);
        return e;
    }
    rules_put_in_force(m, u);
    namespaces_close(m->namespaces);
    m->namespaces = fresh;
    return OK;
}

static err not_ready(struct diag *d)
{
    return diag_set(d, ERR_BUSY, "rules are not evaluated yet");
}

err rules_set_group(struct rules *m, str namespace, slice yaml, struct diag *d)
{
    struct namespaces *fresh;
    mutex_lock(&m->change_lock);
    err e = m->namespaces != NULL && m->config != NULL
                ? namespaces_with(m->namespaces, namespace, yaml, &fresh, d)
                : not_ready(d);
    if (e == OK)
        e = take_namespaces(m, fresh, namespace, d);
    mutex_unlock(&m->change_lock);
    return e;
}

err rules_delete_group(struct rules *m, str namespace, str name, struct diag *d)
{
    struct namespaces *fresh;
    mutex_lock(&m->change_lock);
    err e = m->namespaces != NULL && m->config != NULL
                ? namespaces_without(m->namespaces, namespace, name, &fresh, d)
                : not_ready(d);
    if (e == OK)
        e = take_namespaces(m, fresh, namespace, d);
    mutex_unlock(&m->change_lock);
    return e;
}

static err one_group(const struct rule_file *f, str name, struct buf *out)
{
    for (size_t i = 0; i < f->group_count; i++) {
        if (!str_eq(f->groups[i].name, name))
            continue;
        rule_group_yaml(&f->groups[i], out);
        return OK;
    }
    return ERR_NOTFOUND;
}

err rules_groups_yaml(struct rules *m, str namespace, str name, struct buf *out)
{
    err e = ERR_NOTFOUND;
    mutex_lock(&m->change_lock);
    const struct namespaces *n = m->namespaces;
    for (size_t i = 0; n != NULL && i < namespaces_count(n); i++) {
        if (namespace.ptr != NULL && !str_eq(namespace, namespaces_name(n, i)))
            continue;
        const struct rule_file *f = namespaces_file(n, i);
        e = OK;
        if (name.ptr != NULL)
            e = one_group(f, name, out);
        else
            rule_file_yaml_as(f, namespaces_name(n, i), out);
    }
    mutex_unlock(&m->change_lock);
    return e;
}
