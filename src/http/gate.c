/* gate.c -- see gate.h. */
#include "http/gate.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    RESERVE_DIVISOR = 4,  /* of the workers, one in so many is for light work */
    LIGHT_STREAK_MAX = 4, /* light jobs that may go before a heavy one that could run */
    /* Clients that are refused ask again, all at once if they were refused so, and writes would
     * notice. So a tick refuses few: of those that wait, one in so many, but not less than ... */
    EXPIRED_DIVISOR = 50,
    EXPIRED_MIN = 8,
    OVERRUN_FACTOR = 2, /* so many times the workers may turn heavy while they run */
};

struct list {
    struct gate_job *first, *last;
};

struct kind { /* what jobs of this kind were found to be */
    uint64_t fingerprint, until_mono_ns;
    bool heavy;
};

enum worker_state { WORKER_NONE, WORKER_ALIVE, WORKER_ENDED /* to be joined */ };

struct gate_worker {
    struct gate *g;
    enum gate_class cls; /* of the jobs it takes */
    enum worker_state state;
    int id; /* of its thread */
    pthread_t thread;
};

struct gate {
    struct gate_options options;
    unsigned reserve;                  /* workers heavy work does not get */
    unsigned worker_max[GATE_CLASSES]; /* that take such jobs; more have turned heavy */
    struct mutex lock;                 /* guards what follows; rank: before leaves */
    struct cond work[GATE_CLASSES];
    struct list waiting[GATE_CLASSES], running[GATE_CLASSES];
    struct gate_stats stats;
    unsigned streak;
    bool closing;
    struct kind *kinds;
    unsigned alive[GATE_CLASSES], idle[GATE_CLASSES];
    unsigned worker_cap;
    struct gate_worker *workers;
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
    return s->running[GATE_HEAVY] < g->worker_max[GATE_HEAVY] &&
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

/* The class of the job to run next; GATE_CLASSES: none may. */
static enum gate_class next_class(struct gate *g)
{
    const struct gate_options *o = &g->options;
    sort_light(g);
    bool light = g->waiting[GATE_LIGHT].first != NULL && light_may_run(g);
    bool heavy = g->waiting[GATE_HEAVY].first != NULL && heavy_may_run(g);
    if ((light || heavy) && o->may_start != NULL && !g->closing && !o->may_start(o->arg))
        return GATE_CLASSES;
    if (light && !(heavy && g->streak >= LIGHT_STREAK_MAX))
        return GATE_LIGHT;
    return heavy ? GATE_HEAVY : GATE_CLASSES;
}

static bool admin_may_run(const struct gate *g)
{
    return g->waiting[GATE_ADMIN].first != NULL &&
           g->stats.running[GATE_ADMIN] < GATE_ADMIN_WORKERS;
}

static struct gate_job *take(struct gate *g, struct gate_worker *w)
{
    bool mine = w->cls == GATE_ADMIN ? admin_may_run(g) : next_class(g) == w->cls;
    if (!mine)
        return NULL;
    struct gate_job *j = g->waiting[w->cls].first;
    uint64_t now_ns = clock_mono_ns();
    if (w->cls != GATE_ADMIN)
        g->streak = w->cls == GATE_LIGHT ? g->streak + 1 : 0;
    list_remove(&g->waiting[w->cls], j);
    g->stats.waiting[w->cls]--;
    g->stats.waited_ns[w->cls] += now_ns - j->since_mono_ns;
    g->stats.started[w->cls]++;
    j->since_mono_ns = now_ns;
    j->worker = w;
    list_append(&g->running[w->cls], j);
    g->stats.running[w->cls]++;
    return j;
}

static void leave(struct gate *g, struct gate_job *j)
{
    uint64_t took_ns = clock_mono_ns() - j->since_mono_ns;
    list_remove(&g->running[j->cls], j);
    g->stats.running[j->cls]--;
    if (j->cls == GATE_HEAVY && took_ns < UINT64_C(1000000) * GATE_LIGHT_MS / 4)
        note_kind(g, j->fingerprint, false);
}

/* ---- Workers ---- */

static void *worker_main(void *worker);

/* A worker's place without one. Under the lock, as all here. */
static struct gate_worker *free_place(struct gate *g)
{
    for (unsigned i = 0; i < g->worker_cap; i++) {
        struct gate_worker *w = &g->workers[i];
        if (w->state == WORKER_ENDED && !g->closing) { /* it has let the lock go and returns */
            thread_join(w->thread);
            w->state = WORKER_NONE;
        }
        if (w->state == WORKER_NONE)
            return w;
    }
    return NULL;
}

static void add_worker(struct gate *g, enum gate_class c)
{
    struct gate_worker *w = free_place(g);
    if (w == NULL)
        return;
    *w = (struct gate_worker){.g = g, .cls = c, .state = WORKER_ALIVE};
    if (thread_start(&w->thread, "query", worker_main, w) != OK)
        w->state = WORKER_NONE; /* logged; those that are there go on */
    else
        g->alive[c]++;
}

static void wake(struct gate *g, enum gate_class c)
{
    if (g->idle[c] > 0)
        cond_signal(&g->work[c]);
    else if (g->alive[c] < g->worker_max[c])
        add_worker(g, c);
}

/* Something has changed: whoever may go on shall know. He who goes on calls this again. */
static void wake_next(struct gate *g)
{
    enum gate_class c = next_class(g);
    if (c != GATE_CLASSES)
        wake(g, c);
    if (admin_may_run(g))
        wake(g, GATE_ADMIN);
}

static bool has_waiting(const struct gate *g)
{
    return g->waiting[GATE_LIGHT].first != NULL || g->waiting[GATE_HEAVY].first != NULL ||
           g->waiting[GATE_ADMIN].first != NULL;
}

static void run_one(struct gate *g, struct gate_job *j)
{
    wake_next(g);
    mutex_unlock(&g->lock);
    j->run(j);
    mutex_lock(&g->lock);
    leave(g, j);
    wake_next(g);
    mutex_unlock(&g->lock);
    j->done(j, GATE_RAN);
    mutex_lock(&g->lock);
}

static void *worker_main(void *arg)
{
    struct gate_worker *w = arg;
    struct gate *g = w->g;
    mutex_lock(&g->lock);
    w->id = thread_id();
    thread_lower(w->id, w->cls == GATE_HEAVY ? THREAD_LAST : THREAD_YIELDS);
    /* one too many has turned heavy and been replaced */
    while (g->alive[w->cls] <= g->worker_max[w->cls]) {
        struct gate_job *j = take(g, w);
        if (j != NULL) {
            run_one(g, j);
            continue;
        }
        if (g->closing && !has_waiting(g))
            break;
        g->idle[w->cls]++;
        cond_wait(&g->work[w->cls], &g->lock);
        g->idle[w->cls]--;
    }
    g->alive[w->cls]--;
    w->state = WORKER_ENDED;
    for (unsigned c = 0; g->closing && c < GATE_CLASSES; c++)
        cond_broadcast(&g->work[c]); /* the last job may have kept others waiting */
    mutex_unlock(&g->lock);
    return NULL;
}

/* ---- Life ---- */

void gate_open(const struct gate_options *o, struct gate **out)
{
    ASSERT(o->workers > 0);
    ASSERT(o->heavy_max > 0);
    ASSERT(o->queue_max > 0);
    struct gate *g = mem_zalloc(1, sizeof(*g));
    g->options = *o;
    g->reserve = o->workers / RESERVE_DIVISOR;
    g->worker_max[GATE_LIGHT] = o->workers;
    g->worker_max[GATE_HEAVY] = MIN(o->heavy_max, o->workers - g->reserve);
    g->worker_max[GATE_ADMIN] = GATE_ADMIN_WORKERS;
    g->worker_cap = o->workers * (2 + OVERRUN_FACTOR) + GATE_ADMIN_WORKERS;
    g->workers = mem_zalloc(g->worker_cap, sizeof(*g->workers));
    g->kinds = mem_zalloc(GATE_KINDS, sizeof(*g->kinds));
    mutex_init(&g->lock);
    for (unsigned c = 0; c < GATE_CLASSES; c++)
        cond_init(&g->work[c]);
    *out = g;
}

static void join_all(struct gate *g)
{
    mutex_lock(&g->lock);
    g->closing = true;
    for (unsigned c = 0; c < GATE_CLASSES; c++)
        cond_broadcast(&g->work[c]);
    wake_next(g);
    for (unsigned i = 0; i < g->worker_cap; i++) {
        struct gate_worker *w = &g->workers[i];
        if (w->state == WORKER_NONE)
            continue;
        mutex_unlock(&g->lock);
        thread_join(w->thread);
        mutex_lock(&g->lock);
        w->state = WORKER_NONE;
        i = UINT32_MAX; /* meanwhile another may have come: from the first again */
    }
    mutex_unlock(&g->lock);
}

void gate_close(struct gate *g)
{
    if (g == NULL)
        return;
    join_all(g);
    for (unsigned c = 0; c < GATE_CLASSES; c++)
        cond_fini(&g->work[c]);
    mutex_fini(&g->lock);
    mem_free(g->kinds);
    mem_free(g->workers);
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
        wake_next(g);
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

/* Take the jobs whose waiting is over, linked by `next`. */
static struct gate_job *take_ended(struct gate *g, uint64_t now_ns)
{
    unsigned waiting = 0;
    struct gate_job *ended = NULL;
    for (unsigned c = 0; c < GATE_CLASSES; c++)
        waiting += g->stats.waiting[c];
    unsigned expire = MAX(waiting / EXPIRED_DIVISOR, (unsigned)EXPIRED_MIN);
    for (unsigned c = 0; c < GATE_CLASSES; c++)
        for (struct gate_job *j = g->waiting[c].first, *next; j != NULL; j = next) {
            next = j->next;
            j->end = end_of(g, j, now_ns);
            if (j->end == GATE_RAN || (j->end == GATE_EXPIRED && expire == 0))
                continue;
            expire -= j->end == GATE_EXPIRED;
            list_remove(&g->waiting[c], j);
            g->stats.waiting[c]--;
            j->next = ended;
            ended = j;
        }
    return ended;
}

/* It runs on with its worker, on the heavy ones' account. */
static void turn_one(struct gate *g, struct gate_job *j)
{
    list_remove(&g->running[GATE_LIGHT], j);
    list_append(&g->running[GATE_HEAVY], j);
    j->cls = j->worker->cls = GATE_HEAVY;
    g->alive[GATE_LIGHT]--;
    g->alive[GATE_HEAVY]++;
    g->stats.running[GATE_LIGHT]--;
    g->stats.running[GATE_HEAVY]++;
    g->stats.turned_heavy++;
    thread_lower(j->worker->id, THREAD_LAST);
    note_kind(g, j->fingerprint, true);
}

static void turn_heavy(struct gate *g, uint64_t now_ns)
{
    unsigned most = g->worker_max[GATE_HEAVY] + OVERRUN_FACTOR * g->options.workers;
    for (struct gate_job *j = g->running[GATE_LIGHT].first, *next; j != NULL; j = next) {
        next = j->next;
        if (now_ns >= j->since_mono_ns + UINT64_C(1000000) * GATE_LIGHT_MS &&
            g->alive[GATE_HEAVY] < most)
            turn_one(g, j);
    }
}

void gate_tick(struct gate *g)
{
    uint64_t now_ns = clock_mono_ns();
    mutex_lock(&g->lock);
    turn_heavy(g, now_ns);
    struct gate_job *ended = take_ended(g, now_ns);
    wake_next(g); /* memory may have become free, too */
    mutex_unlock(&g->lock);
    while (ended != NULL) {
        struct gate_job *j = ended;
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
