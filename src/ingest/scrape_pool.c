/* scrape_pool.c -- jobs: from a configuration and what discovery found to running loops, and views
 * of both. */
#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/scrape_priv.h"

enum {
    FOUND_BYTES_MAX = 1 << 30, /* labels of all targets that discovery knows of one job */
    DROPPED_BYTES_MAX = 256 << 20,
};

/* ---- Jobs ---- */

struct scrape_job *scrape_job_ref(struct scrape_job *j)
{
    (void)atomic_fetch_add_explicit(&j->refs, 1, memory_order_relaxed);
    return j;
}

void scrape_job_unref(struct scrape_job *j)
{
    if (j == NULL || atomic_fetch_sub_explicit(&j->refs, 1, memory_order_acq_rel) > 1)
        return;
    http_client_close(j->client);
    config_unref(j->owner);
    buf_fini(&j->accept);
    mem_free(j);
}

static err job_open(struct scraper *s, struct config *owner, const struct scrape_config *c,
                    struct scrape_job **out, struct diag *d)
{
    struct scrape_job *j = mem_zalloc(1, sizeof(*j));
    atomic_init(&j->refs, 1);
    j->owner = config_ref(owner);
    j->config = c;
    scrape_accept_header(&c->protocols, c->escaping, &j->accept);
    (void)buf_cstr(&j->accept);
    err e = http_client_open(&c->http, s->options.user_agent, &j->client, d);
    if (e != OK) {
        scrape_job_unref(j);
        return e;
    }
    *out = j;
    return OK;
}

static bool same_yaml(const struct scrape_config *a, const struct scrape_config *b)
{
    struct buf x = {0}, y = {0};
    config_job_yaml(a, &x);
    config_job_yaml(b, &y);
    bool same = str_eq(buf_str(&x), buf_str(&y));
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

/* Do pages mean the same under both? Then what is remembered of them stays. */
static bool same_meaning(const struct scrape_config *a, const struct scrape_config *b)
{
    struct scrape_config x = *a, y = *b;
    x.scrape_interval_ms = y.scrape_interval_ms = 0;
    x.scrape_timeout_ms = y.scrape_timeout_ms = 0;
    x.limits.samples = y.limits.samples = 0;
    x.http = y.http = (struct http_client_config){.follow_redirects = true, .enable_http2 = true};
    return same_yaml(&x, &y);
}

/* ---- Targets to loops; the lock is held from here on ---- */

struct loop_table { /* by hash of the target; open addressing */
    struct scrape_loop **slots;
    size_t mask;
};

static struct scrape_loop **table_slot(const struct loop_table *t, uint64_t hash)
{
    size_t i = hash & t->mask;
    while (t->slots[i] != NULL && t->slots[i]->target->hash != hash)
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

static struct loop_table table_of(const struct scrape_pool *p, size_t more)
{
    size_t size = 16;
    while (size < (p->loop_count + more) * 2)
        size *= 2;
    struct loop_table t = {mem_zalloc(size, sizeof(struct scrape_loop *)), size - 1};
    for (size_t i = 0; i < p->loop_count; i++)
        *table_slot(&t, p->loops[i]->target->hash) = p->loops[i];
    return t;
}

static void add_loop(struct scrape_pool *p, struct scrape_loop *l)
{
    if (p->loop_count == p->loop_cap) {
        p->loop_cap = p->loop_cap < 16 ? 16 : p->loop_cap * 2;
        p->loops = mem_resize(p->loops, p->loop_cap, sizeof(struct scrape_loop *));
    }
    p->loops[p->loop_count++] = l;
}

/* The target is wanted: by a loop that runs, or a new one. */
static void want(struct scraper *s, struct scrape_pool *p, struct loop_table *t,
                 struct scrape_target *target, uint64_t sync)
{
    struct scrape_loop **slot = table_slot(t, target->hash);
    if (*slot == NULL) {
        *slot = loop_new(s, p, target);
        add_loop(p, *slot);
    } else {
        struct scrape_loop *l = *slot;
        if (l->seen != l->target)
            scrape_target_free(l->seen);
        l->seen = target;
    }
    (*slot)->sync = sync;
}

static void end_unwanted(struct scraper *s, struct scrape_pool *p, uint64_t sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->loop_count; i++) {
        if (p->loops[i]->sync == sync)
            p->loops[kept++] = p->loops[i];
        else
            loop_end(s, p->loops[i], true);
    }
    p->loop_count = kept;
}

static void check_target_limit(struct scraper *s, struct scrape_pool *p)
{
    int64_t limit = p->job->config->limits.targets;
    p->forced_error[0] = '\0';
    if (limit <= 0 || p->loop_count <= (uint64_t)limit)
        return;
    s->stats.exceeded_target_limit++;
    (void)snprintf(p->forced_error, sizeof(p->forced_error),
                   "target_limit exceeded (number of targets: %zu, limit: %lld)", p->loop_count,
                   (long long)limit);
}

/* ---- Synchronisation ---- */

struct made { /* what discovery's targets are under a configuration */
    struct scrape_target **targets;
    size_t target_count, failure_count, dropped_count, dropped_kept;
    struct arena dropped_arena;
    struct labels *dropped;
};

static void note_dropped(struct made *m, const struct scrape_config *c, struct labels discovered)
{
    m->dropped_count++;
    int64_t limit = c->limits.keep_dropped_targets;
    if (limit > 0 && m->dropped_kept >= (uint64_t)limit)
        return;
    if (labels_copy(discovered, &m->dropped_arena, &m->dropped[m->dropped_kept]) == OK)
        m->dropped_kept++;
}

/* Relabelling, without the lock: it takes its time. */
static void make_targets(const struct scrape_config *c, const struct labels *found, size_t count,
                         struct made *m)
{
    struct arena a;
    *m = (struct made){.targets = mem_zalloc(count + 1, sizeof(struct scrape_target *)),
                       .dropped = mem_zalloc(count + 1, sizeof(struct labels))};
    arena_init(&m->dropped_arena, DROPPED_BYTES_MAX);
    arena_init(&a, SCRAPE_TARGET_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct scrape_target *t = NULL;
        struct labels discovered = {NULL, 0};
        struct diag d = {.text = ""};
        arena_reset(&a);
        if (scrape_target_make(c, found[i], &a, &discovered, &t, &d) != OK) {
            m->failure_count++;
            log_error("Creating target failed", LOG_STR("scrape_pool", c->job_name),
                      LOG_STR("address", labels_get(found[i], STR("__address__"))),
                      LOG_CSTR("err", d.text));
        } else if (t == NULL) {
            note_dropped(m, c, discovered);
        } else {
            m->targets[m->target_count++] = t;
        }
    }
    arena_fini(&a);
}

/* Under the lock: the pool's loops become those of `m`, which is used up. */
static void take_targets(struct scraper *s, struct scrape_pool *p, struct made *m)
{
    static _Atomic uint64_t syncs;
    uint64_t sync = atomic_fetch_add_explicit(&syncs, 1, memory_order_relaxed) + 1;
    struct loop_table t = table_of(p, m->target_count);
    for (size_t i = 0; i < m->target_count; i++)
        want(s, p, &t, m->targets[i], sync);
    mem_free(t.slots);
    end_unwanted(s, p, sync);
    check_target_limit(s, p);
    arena_fini(&p->dropped_arena);
    mem_free(p->dropped);
    p->dropped_arena = m->dropped_arena;
    p->dropped = m->dropped;
    p->dropped_kept = m->dropped_kept;
    p->dropped_count = m->dropped_count;
    p->sync_failures += m->failure_count;
    p->syncs++;
    mem_free(m->targets);
}

static struct scrape_pool *find_pool(const struct scraper *s, str job)
{
    struct scrape_pool *p = s->pools;
    while (p != NULL && !str_eq(p->job->config->job_name, job))
        p = p->next;
    return p;
}

/* What discovery found, kept for the next configuration. */
static void keep_found(struct scrape_pool *p, const struct labels *found, size_t count)
{
    struct arena a;
    struct labels *copy = mem_zalloc(count + 1, sizeof(*copy));
    size_t n = 0;
    arena_init(&a, FOUND_BYTES_MAX);
    while (n < count && labels_copy(found[n], &a, &copy[n]) == OK)
        n++;
    if (n < count)
        log_error("too many targets", LOG_STR("scrape_pool", p->job->config->job_name),
                  LOG_INT("kept", n), LOG_INT("found", count));
    arena_fini(&p->found_arena);
    mem_free(p->found);
    p->found_arena = a;
    p->found = copy;
    p->found_count = n;
}

/* `apply_lock` is held, so that pools stay and their jobs, too. */
static void sync_pool(struct scraper *s, struct scrape_pool *p)
{
    struct made m;
    uint64_t start = clock_mono_ns();
    make_targets(p->job->config, p->found, p->found_count, &m);
    mutex_lock(&s->lock);
    take_targets(s, p, &m);
    uint64_t end = clock_mono_ns();
    p->sync_ns += end - start;
    timing_recent_add(&p->sync_times, end - start, end);
    mutex_unlock(&s->lock);
}

void scraper_set_targets(struct scraper *s, str job, const struct labels *targets, size_t count)
{
    mutex_lock(&s->apply_lock);
    struct scrape_pool *p = find_pool(s, job);
    if (p != NULL) {
        keep_found(p, targets, count);
        sync_pool(s, p);
    }
    mutex_unlock(&s->apply_lock);
}

/* ---- Configurations ---- */

static void pool_free(struct scraper *s, struct scrape_pool *p)
{
    for (size_t i = 0; i < p->loop_count; i++)
        loop_end(s, p->loops[i], false);
    arena_fini(&p->found_arena);
    arena_fini(&p->dropped_arena);
    mem_free(p->found);
    mem_free(p->dropped);
    mem_free(p->loops);
    scrape_job_unref(p->job);
    timing_recent_fini(&p->sync_times);
    mem_free(p);
}

static void insert_pool(struct scraper *s, struct scrape_pool *p)
{
    struct scrape_pool **at = &s->pools;
    while (*at != NULL && str_cmp((*at)->job->config->job_name, p->job->config->job_name) < 0)
        at = &(*at)->next;
    p->next = *at;
    *at = p;
}

static struct scrape_pool *pool_new(struct scrape_job *j)
{
    struct scrape_pool *p = mem_zalloc(1, sizeof(*p));
    arena_init(&p->found_arena, FOUND_BYTES_MAX);
    arena_init(&p->dropped_arena, DROPPED_BYTES_MAX);
    timing_recent_init(&p->sync_times);
    p->job = j;
    return p;
}

/* The pool goes on under another state of its job. True: its targets have to be made anew. */
static bool change_pool(struct scraper *s, struct scrape_pool *p, struct scrape_job *j)
{
    struct scrape_job *old = p->job;
    bool changed = !same_yaml(old->config, j->config);
    bool forget = changed && !same_meaning(old->config, j->config);
    mutex_lock(&s->lock);
    p->job = j;
    s->stats.pool_reloads += changed;
    for (size_t i = 0; i < p->loop_count && forget; i++)
        loop_end(s, p->loops[i], true);
    if (forget)
        p->loop_count = 0;
    mutex_unlock(&s->lock);
    scrape_job_unref(old);
    return changed;
}

static void remove_pools(struct scraper *s, const struct config *config)
{
    mutex_lock(&s->lock);
    for (struct scrape_pool **at = &s->pools, *p; (p = *at) != NULL;) {
        bool wanted = false;
        for (size_t i = 0; i < config->jobs.count; i++)
            wanted |= str_eq(config->jobs.items[i].job_name, p->job->config->job_name);
        if (wanted) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        pool_free(s, p);
    }
    mutex_unlock(&s->lock);
}

static uint64_t seed_of(const struct scraper *s, const struct config *config)
{
    uint64_t h = hash64(str_bytes(s->options.hostname), 0);
    for (size_t i = 0; i < config->global.external_labels.count; i++) {
        h = hash64(str_bytes(config->global.external_labels.items[i].name), h);
        h = hash64(str_bytes(config->global.external_labels.items[i].value), h);
    }
    return h;
}

static void apply_job(struct scraper *s, struct scrape_job *j)
{
    struct scrape_pool *p = find_pool(s, j->config->job_name);
    if (p != NULL) {
        if (change_pool(s, p, j))
            sync_pool(s, p);
        return;
    }
    p = pool_new(j);
    mutex_lock(&s->lock);
    s->stats.pools++;
    insert_pool(s, p);
    mutex_unlock(&s->lock);
}

err scraper_apply(struct scraper *s, struct config *config, struct diag *d)
{
    size_t count = config->jobs.count, opened = 0;
    struct scrape_job **jobs = mem_zalloc(count + 1, sizeof(struct scrape_job *));
    err e = OK;
    mutex_lock(&s->apply_lock);
    for (; opened < count && e == OK; opened += e == OK)
        e = job_open(s, config, &config->jobs.items[opened], &jobs[opened], d);
    if (e == OK) {
        mutex_lock(&s->lock);
        s->offset_seed = seed_of(s, config);
        mutex_unlock(&s->lock);
        atomic_store_explicit(&s->env.accept_out_of_order,
                              config->storage.out_of_order_time_window_ms > 0,
                              memory_order_relaxed);
        remove_pools(s, config);
        for (size_t i = 0; i < count; i++)
            apply_job(s, jobs[i]);
    } else {
        for (size_t i = 0; i < opened; i++)
            scrape_job_unref(jobs[i]);
        s->stats.pool_reload_failures++;
    }
    mutex_unlock(&s->apply_lock);
    mem_free(jobs);
    return e;
}

/* ---- Views ---- */

static struct scrape_view view_of(const struct scrape_pool *p, struct scrape_loop *l)
{
    return (struct scrape_view){
        .job = p->job->config->job_name,
        .discovered = l->seen->discovered,
        .labels = l->target->shown,
        .url = l->target->url,
        .last_error = buf_str(&l->last_error),
        .last_scrape_ns = l->last_scrape_ns,
        .last_duration_ns = l->last_duration_ns,
        .health = l->health,
        .interval_ms = l->target->interval_ms,
        .timeout_ms = l->target->timeout_ms,
        .families = &l->memory.families,
    };
}

static bool is_asked_for(const struct scrape_pool *p, str job)
{
    return job.len == 0 || str_eq(p->job->config->job_name, job);
}

void scraper_each_active(struct scraper *s, str job, scrape_view_fn fn, void *arg)
{
    mutex_lock(&s->lock);
    for (const struct scrape_pool *p = s->pools; p != NULL; p = p->next) {
        for (size_t i = 0; is_asked_for(p, job) && i < p->loop_count; i++) {
            struct scrape_view v = view_of(p, p->loops[i]);
            fn(arg, &v);
        }
    }
    mutex_unlock(&s->lock);
}

void scraper_each_dropped(struct scraper *s, str job, scrape_view_fn fn, void *arg)
{
    mutex_lock(&s->lock);
    for (const struct scrape_pool *p = s->pools; p != NULL; p = p->next) {
        for (size_t i = 0; is_asked_for(p, job) && i < p->dropped_kept; i++) {
            struct scrape_view v = {.job = p->job->config->job_name, .discovered = p->dropped[i]};
            fn(arg, &v);
        }
    }
    mutex_unlock(&s->lock);
}

void scraper_each_pool(struct scraper *s, void (*fn)(void *arg, const struct scrape_pool_view *p),
                       void *arg)
{
    mutex_lock(&s->lock);
    for (struct scrape_pool *p = s->pools; p != NULL; p = p->next) {
        struct scrape_pool_view v = {.job = p->job->config->job_name,
                                     .config = p->job->config,
                                     .targets = p->loop_count,
                                     .dropped = p->dropped_count,
                                     .syncs = p->syncs,
                                     .sync_failures = p->sync_failures,
                                     .sync_ns = p->sync_ns,
                                     .sync_times = &p->sync_times};
        for (size_t i = 0; i < p->loop_count; i++) {
            struct scrape_families *f = &p->loops[i]->memory.families;
            mutex_lock(&f->lock);
            v.metadata_entries += f->used;
            v.metadata_bytes += f->text_bytes;
            mutex_unlock(&f->lock);
        }
        fn(arg, &v);
    }
    mutex_unlock(&s->lock);
}

void scraper_stats_of(struct scraper *s, struct scraper_stats *out)
{
    mutex_lock(&s->lock);
    *out = s->stats;
    mutex_unlock(&s->lock);
}

const struct scrape_counters *scraper_counters_of(const struct scraper *s)
{
    return &s->env.counters;
}

/* ---- Begin and end ---- */

err scraper_open(const struct scraper_options *o, struct scraper **out, struct diag *d)
{
    struct scraper *s = mem_zalloc(1, sizeof(*s));
    s->options = *o;
    s->env = (struct scrape_env){.db = o->db,
                                 .type_and_unit_labels = o->type_and_unit_labels,
                                 .start_timestamps = o->start_timestamps,
                                 .extra_metrics = o->extra_metrics};
    keyed_hash_init(&s->env.hash);
    mutex_init(&s->apply_lock);
    mutex_init(&s->lock);
    mutex_init(&s->task_lock);
    mutex_init(&s->append_lock);
    cond_init(&s->task_wake);
    s->tasks_end = &s->tasks;
    unsigned workers = o->workers > 0 ? o->workers : thread_cpu_count();
    err e = transfers_open(CONNECTIONS_KEPT, &s->transfers, d);
    for (; e == OK && s->worker_count < MIN(workers, (unsigned)WORKERS_MAX); s->worker_count++)
        if ((e = thread_start(&s->workers[s->worker_count], "scrape-page", scrape_work, s)) != OK)
            break;
    if (e == OK && (e = thread_start(&s->driver, "scrape", scrape_drive, s)) == OK)
        s->driver_runs = true;
    if (e != OK) {
        scraper_close(s);
        return diag_set(d, e, "scraping: threads cannot be started");
    }
    *out = s;
    return OK;
}

/* Pages that have arrived are still stored; requests are dropped. */
static void stop_threads(struct scraper *s)
{
    mutex_lock(&s->lock);
    s->stopping = true;
    mutex_unlock(&s->lock);
    if (s->driver_runs) {
        transfers_wake(s->transfers);
        thread_join(s->driver);
    }
    scrape_pass_on(s);
    while (atomic_load_explicit(&s->scrape_count, memory_order_acquire) > 0)
        clock_sleep_ns(1000000);
    mutex_lock(&s->task_lock);
    s->workers_stop = true;
    cond_broadcast(&s->task_wake);
    mutex_unlock(&s->task_lock);
    for (unsigned i = 0; i < s->worker_count; i++)
        thread_join(s->workers[i]);
}

void scraper_close(struct scraper *s)
{
    if (s == NULL)
        return;
    stop_threads(s);
    transfers_close(s->transfers);
    for (struct scrape_pool *p = s->pools, *next; p != NULL; p = next) {
        next = p->next;
        p->loop_count = 0;
        pool_free(s, p);
    }
    while (s->loops != NULL)
        loop_free(s, s->loops);
    while (s->idle_append_count > 0) {
        struct scrape_append *a = s->idle_appends[--s->idle_append_count];
        scrape_append_close(a);
        mem_free(a);
    }
    mem_free(s->heap);
    for (size_t i = 0; i < s->stats.interval_count; i++) {
        timing_recent_fini(s->stats.intervals[i].recent);
        mem_free(s->stats.intervals[i].recent);
    }
    mutex_fini(&s->apply_lock);
    mutex_fini(&s->lock);
    mutex_fini(&s->task_lock);
    mutex_fini(&s->append_lock);
    cond_fini(&s->task_wake);
    mem_free(s);
}
