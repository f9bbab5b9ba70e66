/* gate.c -- see gate.h. */
#include "http/gate.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    RESERVE_DIVISOR = 4, /* of the workers, one in so many is for light work */
    LIGHT_STREAK_MAX = 4 /* light jobs that may go before a heavy one that could run */
};

struct list {
    struct gate_job *first, *last;
};

struct kind { /* what jobs of this kind were found to be */
    uint64_t fingerprint, until_mono_ns;
    bool heavy;
};

struct gate {
    struct gate_options options;
    unsigned reserve;  /* workers heavy work does not get */
    struct mutex lock; /* guards what follows; rank: leaf */
    struct cond work;
    struct list waiting[GATE_CLASSES], running[GATE_CLASSES];
    struct gate_stats stats;
    unsigned streak;
    bool closing;
    struct kind *kinds;
    unsigned thread_count;
    pthread_t *threads;
};

const char *gate_class_name(enum gate_class c)
{
    static const char *const NAMES[GATE_CLASSES] = {"light", "heavy", "admin"};
    return NAMES[c];
}

/* ---- Lists ---- */

static void list_append(struct list *l, struct gate_job *j)
{
    j->next = NULL;
    j->prev = l->last;
    if (l->last != NULL)
        l->last->next = j;
    else
        l->first = j;
    l->last = j;
}

static void list_remove(struct list *l, struct gate_job *j)
{
    if (j->prev != NULL)
        j->prev->next = j->next;
    else
        l->first = j->next;
    if (j->next != NULL)
        j->next->prev = j->prev;
    else
        l->last = j->prev;
}

/* ---- Kinds ---- */

static struct kind *kind_of(struct gate *g, uint64_t fingerprint)
{
    return &g->kinds[fingerprint % GATE_KINDS];
}

/* What it is, as far as is known. */
static enum gate_class learnt(struct gate *g, const struct gate_job *j)
{
    const struct kind *k = kind_of(g, j->fingerprint);
    if (j->cls == GATE_ADMIN || j->fingerprint == 0 || k->fingerprint != j->fingerprint ||
        k->until_mono_ns < clock_mono_ns())
        return j->cls;
    return k->heavy ? GATE_HEAVY : GATE_LIGHT;
}

static void note_kind(struct gate *g, uint64_t fingerprint, bool heavy)
{
    uint64_t until_ns = clock_mono_ns() + UINT64_C(1000000) * GATE_KIND_MS;
    if (fingerprint != 0)
        *kind_of(g, fingerprint) = (struct kind){fingerprint, until_ns, heavy};
}

/* ---- Choosing ---- */

static bool light_may_run(const struct gate *g)
{
    const struct gate_stats *s = &g->stats;
    return s->running[GATE_LIGHT] + s->running[GATE_HEAVY] < g->options.workers ||
           s->running[GATE_LIGHT] < g->reserve;
}

static bool heavy_may_run(const struct gate *g)
{
    const struct gate_stats *s = &g->stats;
    return s->running[GATE_HEAVY] < g->options.workers - g->reserve &&
           s->running[GATE_LIGHT] + s->running[GATE_HEAVY] < g->options.workers;
}

/* What was learnt while they waited. */
static void sort_light(struct gate *g)
{
    for (struct gate_job *j = g->waiting[GATE_LIGHT].first; j != NULL && learnt(g, j) == GATE_HEAVY;
         j = g->waiting[GATE_LIGHT].first) {
        list_remove(&g->waiting[GATE_LIGHT], j);
        list_append(&g->waiting[GATE_HEAVY], j);
        j->cls = GATE_HEAVY;
        g->stats.waiting[GATE_LIGHT]--;
        g->stats.waiting[GATE_HEAVY]++;
    }
}

static struct gate_job *choose(struct gate *g)
{
    sort_light(g);
    struct gate_job *admin = g->waiting[GATE_ADMIN].first;
    struct gate_job *light = g->waiting[GATE_LIGHT].first, *heavy = g->waiting[GATE_HEAVY].first;
    if (admin != NULL && g->stats.running[GATE_ADMIN] < GATE_ADMIN_WORKERS)
        return admin;
    if ((light != NULL || heavy != NULL) && g->options.may_start != NULL &&
        !g->options.may_start(g->options.arg))
        light = heavy = NULL;
    if (light != NULL && !light_may_run(g))
        light = NULL;
    if (heavy != NULL && !heavy_may_run(g))
        heavy = NULL;
    if (light == NULL || (heavy != NULL && g->streak >= LIGHT_STREAK_MAX))
        light = heavy;
    g->streak = light == heavy ? 0 : g->streak + 1;
    return light;
}

static struct gate_job *take(struct gate *g)
{
    struct gate_job *j = choose(g);
    if (j == NULL)
        return NULL;
    uint64_t now_ns = clock_mono_ns();
    list_remove(&g->waiting[j->cls], j);
    g->stats.waiting[j->cls]--;
    g->stats.waited_ns[j->cls] += now_ns - j->since_mono_ns;
    g->stats.started[j->cls]++;
    j->since_mono_ns = now_ns;
    list_append(&g->running[j->cls], j);
    g->stats.running[j->cls]++;
    return j;
}

/* ---- Workers ---- */

static bool has_waiting(const struct gate *g)
{
    return g->waiting[GATE_LIGHT].first != NULL || g->waiting[GATE_HEAVY].first != NULL ||
           g->waiting[GATE_ADMIN].first != NULL;
}

static void leave(struct gate *g, struct gate_job *j)
{
    uint64_t took_ns = clock_mono_ns() - j->since_mono_ns;
    list_remove(&g->running[j->cls], j);
    g->stats.running[j->cls]--;
    if (j->cls == GATE_HEAVY && took_ns < UINT64_C(1000000) * GATE_LIGHT_MS / 4)
        note_kind(g, j->fingerprint, false);
}

static void *worker(void *arg)
{
    struct gate *g = arg;
    thread_yield_to_others();
    mutex_lock(&g->lock);
    for (;;) {
        struct gate_job *j = take(g);
        if (j == NULL && g->closing && !has_waiting(g))
            break;
        if (j == NULL) {
            cond_wait(&g->work, &g->lock);
            continue;
        }
        mutex_unlock(&g->lock);
        j->run(j);
        mutex_lock(&g->lock);
        leave(g, j);
        mutex_unlock(&g->lock);
        j->done(j, GATE_RAN);
        mutex_lock(&g->lock);
    }
    cond_broadcast(&g->work); /* the last job may have kept others waiting */
    mutex_unlock(&g->lock);
    return NULL;
}

/* ---- Life ---- */

static void join_all(struct gate *g)
{
    mutex_lock(&g->lock);
    g->closing = true;
    cond_broadcast(&g->work);
    mutex_unlock(&g->lock);
    for (unsigned i = 0; i < g->thread_count; i++)
        thread_join(g->threads[i]);
}

err gate_open(const struct gate_options *o, struct gate **out)
{
    ASSERT(o->workers > 0);
    ASSERT(o->queue_max > 0);
    struct gate *g = mem_zalloc(1, sizeof(*g));
    g->options = *o;
    g->reserve = o->workers / RESERVE_DIVISOR;
    mutex_init(&g->lock);
    cond_init(&g->work);
    g->kinds = mem_zalloc(GATE_KINDS, sizeof(*g->kinds));
    unsigned count = o->workers + g->reserve + GATE_ADMIN_WORKERS;
    g->threads = mem_zalloc(count, sizeof(*g->threads));
    err e = OK;
    while (g->thread_count < count && e == OK) {
        e = thread_start(&g->threads[g->thread_count], "query", worker, g);
        g->thread_count += e == OK;
    }
    if (e != OK)
        gate_close(g);
    else
        *out = g;
    return e;
}

void gate_close(struct gate *g)
{
    if (g == NULL)
        return;
    join_all(g);
    cond_fini(&g->work);
    mutex_fini(&g->lock);
    mem_free(g->kinds);
    mem_free(g->threads);
    mem_free(g);
}

err gate_submit(struct gate *g, struct gate_job *j)
{
    err e = OK;
    mutex_lock(&g->lock);
    j->cls = learnt(g, j);
    j->since_mono_ns = clock_mono_ns();
    if (g->closing || g->stats.waiting[j->cls] >= g->options.queue_max) {
        e = ERR_BUSY;
    } else {
        list_append(&g->waiting[j->cls], j);
        g->stats.waiting[j->cls]++;
        cond_signal(&g->work);
    }
    mutex_unlock(&g->lock);
    return e;
}

/* ---- Time ---- */

static enum gate_end end_of(const struct gate *g, const struct gate_job *j, uint64_t now_ns)
{
    int64_t max_ms = g->options.wait_ms_max;
    if (j->canceled != NULL && atomic_load_explicit(j->canceled, memory_order_relaxed))
        return GATE_GONE;
    if (max_ms > 0 && now_ns > j->since_mono_ns &&
        now_ns - j->since_mono_ns > (uint64_t)max_ms * 1000000)
        return GATE_EXPIRED;
    return GATE_RAN;
}

/* Take one job whose waiting is over, with what it came to. */
static struct gate_job *take_ended(struct gate *g, uint64_t now_ns, enum gate_end *how)
{
    for (unsigned c = 0; c < GATE_CLASSES; c++)
        for (struct gate_job *j = g->waiting[c].first; j != NULL; j = j->next) {
            *how = end_of(g, j, now_ns);
            if (*how == GATE_RAN)
                continue;
            list_remove(&g->waiting[c], j);
            g->stats.waiting[c]--;
            return j;
        }
    return NULL;
}

/* They run on, but no longer on the light ones' account. */
static void turn_heavy(struct gate *g, uint64_t now_ns)
{
    for (struct gate_job *j = g->running[GATE_LIGHT].first, *next; j != NULL; j = next) {
        next = j->next;
        if (now_ns < j->since_mono_ns + UINT64_C(1000000) * GATE_LIGHT_MS)
            continue;
        list_remove(&g->running[GATE_LIGHT], j);
        list_append(&g->running[GATE_HEAVY], j);
        j->cls = GATE_HEAVY;
        g->stats.running[GATE_LIGHT]--;
        g->stats.running[GATE_HEAVY]++;
        g->stats.turned_heavy++;
        note_kind(g, j->fingerprint, true);
    }
}

void gate_tick(struct gate *g)
{
    uint64_t now_ns = clock_mono_ns();
    struct gate_job *ended = NULL, *j; /* linked by `next` */
    enum gate_end how;
    mutex_lock(&g->lock);
    turn_heavy(g, now_ns);
    while ((j = take_ended(g, now_ns, &how)) != NULL) {
        j->next = ended;
        j->end = how;
        ended = j;
    }
    if (has_waiting(g))
        cond_broadcast(&g->work);
    mutex_unlock(&g->lock);
    while (ended != NULL) {
        j = ended;
        ended = j->next;
        j->done(j, j->end);
    }
}

struct gate_stats gate_stats_of(struct gate *g)
{
    mutex_lock(&g->lock);
    struct gate_stats s = g->stats;
    mutex_unlock(&g->lock);
    return s;
}
