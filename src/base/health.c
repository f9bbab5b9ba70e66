/* health.c -- see health.h: a thread for each check, and one that keeps time and makes the snapshot
 * from what they found. */
#include "base/health.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

enum { RETRY_MS = 100, UNKNOWN_TTLS = 3, MS = 1000000 };

struct check {
    struct health *h;
    struct health_check what;
    char name[HEALTH_NAME_SIZE], type[HEALTH_NAME_SIZE];
    pthread_t thread;
    struct timing seconds;
    /* Guarded by the lock: */
    struct health_belief belief;
    struct health_breaker breaker;
    struct health_report report; /* the last result */
    uint64_t due_mono_ns;        /* of the next run */
    uint64_t began_mono_ns;      /* of this run, or the last */
    uint64_t verdict_mono_ns;    /* when this run fails for its length (again) */
    uint64_t result_mono_ns;     /* of the last result; 0: none */
    uint64_t latency_ns;
    int64_t last_run_ms, last_success_ms;
    uint64_t results[HEALTH_RESULTS], skipped, runs;
    bool running, late, forced; /* forced: a round waits for its next result */
};

struct waiter {
    void (*done)(void *arg);
    void *arg;
};

struct health {
    struct health_options o;
    struct mutex lock; /* guards all below, and the checks; a leaf */
    struct cond wake;  /* of all threads */
    struct check *checks[HEALTH_CHECKS_MAX];
    size_t count;
    struct health_snapshot *snapshot;
    struct waiter waiters[HEALTH_WAITERS_MAX];
    unsigned waiter_count;
    uint64_t round_end_mono_ns;   /* when the waiters are answered at the latest */
    uint64_t round_began_mono_ns; /* 0: never */
    bool changed, closing;
    pthread_t keeper;
};

static uint64_t ns_of(int64_t ms)
{
    return (uint64_t)ms * MS;
}

static uint64_t limit_ns(const struct check *c)
{
    return ns_of(c->what.external ? c->h->o.external_ms : c->h->o.local_ms);
}

/* ---- Results, with the lock ---- */

static void take_result(struct check *c, enum health_status s, enum health_result counted,
                        uint64_t now)
{
    struct health *h = c->h;
    health_take(&c->belief, s, h->o.failure_threshold);
    if (counted < HEALTH_RESULTS) { /* a check that knows nothing has no result */
        c->results[counted]++;
        c->result_mono_ns = now;
    }
    c->forced = false;
    h->changed = true;
    cond_broadcast(&h->wake);
}

/* A run that hangs fails when its time is up, and again whenever the next ones were due. */
static void note_lateness(struct check *c, uint64_t now)
{
    while (c->running && now >= c->verdict_mono_ns) {
        if (c->late)
            c->skipped++;
        if (c->what.external)
            health_breaker_note(&c->breaker, true, now);
        c->late = true;
        c->report.status = HEALTH_UNHEALTHY;
        (void)snprintf(c->report.message, sizeof(c->report.message), "timeout after %g s",
                       (double)limit_ns(c) / 1e9);
        take_result(c, HEALTH_UNHEALTHY, HEALTH_RAN_TIMEOUT, now);
        c->verdict_mono_ns += ns_of(c->h->o.ttl_ms);
    }
}

static void end_run(struct check *c, const struct health_report *r, uint64_t took_ns)
{
    static const enum health_result COUNTED[] = {HEALTH_RAN_HEALTHY, HEALTH_RAN_DEGRADED,
                                                 HEALTH_RAN_UNHEALTHY, HEALTH_RESULTS};
    uint64_t now = clock_mono_ns();
    note_lateness(c, now);
    c->running = false;
    c->latency_ns = took_ns;
    c->last_run_ms = clock_wall_ms();
    timing_add(&c->seconds, took_ns);
    if (c->late) { /* its result is in already, and older than its time */
        c->h->changed = true;
        return;
    }
    c->report = *r;
    if (r->status == HEALTH_HEALTHY || r->status == HEALTH_DEGRADED)
        c->last_success_ms = c->last_run_ms;
    if (c->what.external && r->status != HEALTH_UNKNOWN)
        health_breaker_note(&c->breaker, r->status == HEALTH_UNHEALTHY, now);
    take_result(c, r->status, COUNTED[r->status], now);
}

/* ---- A check's thread ---- */

/* ttl_ms, a tenth more or less. */
static uint64_t pause_ns(const struct check *c)
{
    uint64_t ttl = ns_of(c->h->o.ttl_ms);
    uint64_t dice = hash64(str_bytes(str_from(c->name)), c->runs);
    return ttl - ttl / 10 + dice % (ttl / 5 + 1);
}

static bool wait_until(struct check *c, uint64_t until)
{
    struct health *h = c->h;
    while (!h->closing && clock_mono_ns() < until)
        (void)cond_wait_until(&h->wake, &h->lock, until);
    return !h->closing;
}

static bool wait_until_due(struct check *c)
{
    struct health *h = c->h;
    while (!h->closing && !c->forced && clock_mono_ns() < c->due_mono_ns)
        (void)cond_wait_until(&h->wake, &h->lock, c->due_mono_ns);
    return !h->closing;
}

static void call(struct check *c, struct health_report *r)
{
    enum health_status before = c->belief.any ? c->belief.status : HEALTH_UNKNOWN;
    *r = (struct health_report){.before = before};
    mutex_unlock(&c->h->lock);
    c->what.run(c->what.arg, r);
    mutex_lock(&c->h->lock);
}

/* With the lock, which is let go of while the check runs. */
static void run(struct check *c)
{
    struct health_report r;
    uint64_t began = clock_mono_ns();
    c->runs++;
    c->began_mono_ns = began;
    if (c->what.external && !health_breaker_allows(&c->breaker, began)) {
        c->report.status = HEALTH_UNHEALTHY;
        (void)snprintf(c->report.message, sizeof(c->report.message),
                       "not asked after %u failures (circuit open)", c->breaker.failures);
        take_result(c, HEALTH_UNHEALTHY, HEALTH_RAN_UNHEALTHY, began);
        return;
    }
    c->verdict_mono_ns = began + limit_ns(c);
    c->running = true;
    c->late = false;
    call(c, &r);
    uint64_t again = clock_mono_ns() + (uint64_t)RETRY_MS * MS;
    if (r.status == HEALTH_UNHEALTHY && again < c->verdict_mono_ns && wait_until(c, again)) {
        began = again;
        call(c, &r);
    }
    end_run(c, &r, clock_mono_ns() - began);
}

static void *check_main(void *arg)
{
    struct check *c = arg;
    thread_yield_to_others();
    mutex_lock(&c->h->lock);
    while (wait_until_due(c)) {
        run(c);
        c->due_mono_ns = clock_mono_ns() + pause_ns(c);
    }
    mutex_unlock(&c->h->lock);
    return NULL;
}

/* ---- The snapshot ---- */

static void view(const struct check *c, uint64_t now, struct health_view *v)
{
    *v = (struct health_view){
        .critical = c->what.critical,
        .readiness = c->what.readiness,
        .external = c->what.external,
        .weight = c->what.weight,
        .status = c->belief.any ? c->belief.status : HEALTH_UNKNOWN,
        .report = c->report,
        .latency_ns = c->latency_ns,
        .last_run_ms = c->last_run_ms,
        .last_success_ms = c->last_success_ms,
        .consecutive_failures = c->belief.failures,
        .skipped = c->skipped,
        .circuit = c->breaker.circuit,
        .seconds = &c->seconds,
    };
    memcpy(v->name, c->name, sizeof(v->name));
    memcpy(v->type, c->type, sizeof(v->type));
    memcpy(v->results, c->results, sizeof(v->results));
    if (now - c->result_mono_ns > UNKNOWN_TTLS * ns_of(c->h->o.ttl_ms))
        v->status = HEALTH_UNKNOWN;
}

static void log_change(enum health_status before, const struct health_snapshot *s)
{
    const struct health_view *worst = NULL;
    for (size_t i = 0; i < s->count; i++)
        if (s->checks[i].status != HEALTH_HEALTHY &&
            (worst == NULL || s->checks[i].status > worst->status))
            worst = &s->checks[i];
    if (s->status == HEALTH_HEALTHY)
        log_info("health changed", LOG_CSTR("before", health_status_name(before)),
                 LOG_CSTR("now", health_status_name(s->status)), LOG_INT("score", s->score));
    else
        log_warn("health changed", LOG_CSTR("before", health_status_name(before)),
                 LOG_CSTR("now", health_status_name(s->status)), LOG_INT("score", s->score),
                 LOG_CSTR("check", worst != NULL ? worst->name : ""),
                 LOG_CSTR("message", worst != NULL ? worst->report.message : ""));
}

static struct health_snapshot *new_snapshot(struct health *h, uint64_t now)
{
    struct health_snapshot *s =
        mem_zalloc(1, sizeof(*s) + (h->count + 1) * sizeof(struct health_view));
    atomic_init(&s->refs, 1);
    s->made_mono_ns = now;
    s->count = h->count;
    for (size_t i = 0; i < h->count; i++) {
        view(h->checks[i], now, &s->checks[i]);
        s->longest_ns = MAX(s->longest_ns, s->checks[i].latency_ns);
    }
    health_judge(s->checks, s->count, &s->status, &s->score);
    return s;
}

static struct health_snapshot *snapshot_ref(struct health_snapshot *s)
{
    (void)atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

/* With the lock, which is let go of to log a change: who reads the log may be slow. While checks
 * have their first run, there is nothing to tell. */
static void publish(struct health *h, uint64_t now)
{
    struct health_snapshot *old = h->snapshot, *made = new_snapshot(h, now);
    bool first = false;
    for (size_t i = 0; i < h->count; i++)
        first |= h->checks[i]->result_mono_ns == 0;
    h->snapshot = snapshot_ref(made);
    h->changed = false;
    if (!first && old->status != made->status) {
        mutex_unlock(&h->lock);
        log_change(old->status, made);
        mutex_lock(&h->lock);
    }
    health_unlook(old);
    health_unlook(made);
}

struct health_snapshot *health_look(struct health *h)
{
    mutex_lock(&h->lock);
    struct health_snapshot *s = snapshot_ref(h->snapshot);
    mutex_unlock(&h->lock);
    return s;
}

void health_unlook(struct health_snapshot *s)
{
    if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        mem_free(s);
}

/* ---- The keeper of time ---- */

static bool round_is_over(const struct health *h, uint64_t now)
{
    if (h->waiter_count == 0)
        return false;
    bool all = true;
    for (size_t i = 0; i < h->count; i++)
        all &= !h->checks[i]->forced;
    return all || h->closing || now >= h->round_end_mono_ns;
}

static void answer_waiters(struct health *h)
{
    struct waiter list[HEALTH_WAITERS_MAX];
    unsigned count = h->waiter_count;
    memcpy(list, h->waiters, count * sizeof(*list));
    h->waiter_count = 0;
    mutex_unlock(&h->lock);
    for (unsigned i = 0; i < count; i++)
        list[i].done(list[i].arg);
    mutex_lock(&h->lock);
}

/* When something is to be done though no check says so: a verdict, a result that turns too old,
 * the end of a round. */
static uint64_t next_event(const struct health *h, uint64_t now)
{
    uint64_t next = now + ns_of(h->o.ttl_ms);
    for (size_t i = 0; i < h->count; i++)
        if (h->checks[i]->running)
            next = MIN(next, h->checks[i]->verdict_mono_ns);
    return h->waiter_count > 0 ? MIN(next, h->round_end_mono_ns) : next;
}

static void *keeper_main(void *arg)
{
    struct health *h = arg;
    uint64_t wake = 0;
    mutex_lock(&h->lock);
    while (!h->closing || h->waiter_count > 0) {
        uint64_t now = clock_mono_ns();
        for (size_t i = 0; i < h->count; i++)
            note_lateness(h->checks[i], now);
        bool over = round_is_over(h, now);
        if (h->changed || over || now >= wake)
            publish(h, now);
        wake = next_event(h, now);
        if (over)
            answer_waiters(h);
        else if (!h->closing)
            (void)cond_wait_until(&h->wake, &h->lock, wake);
    }
    mutex_unlock(&h->lock);
    return NULL;
}

bool health_refresh(struct health *h, void (*done)(void *arg), void *arg)
{
    mutex_lock(&h->lock);
    uint64_t now = clock_mono_ns();
    bool joins = h->waiter_count > 0;
    bool recent = h->round_began_mono_ns != 0 && now - h->round_began_mono_ns < ns_of(h->o.ttl_ms);
    bool yes = !h->closing && h->waiter_count < HEALTH_WAITERS_MAX && (joins || !recent);
    if (yes && !joins) {
        h->round_began_mono_ns = now;
        h->round_end_mono_ns = now + ns_of(h->o.round_ms);
        for (size_t i = 0; i < h->count; i++)
            h->checks[i]->forced = true;
    }
    if (yes)
        h->waiters[h->waiter_count++] = (struct waiter){done, arg};
    cond_broadcast(&h->wake);
    mutex_unlock(&h->lock);
    return yes;
}

void health_hurry(struct health *h)
{
    mutex_lock(&h->lock);
    for (size_t i = 0; i < h->count; i++)
        h->checks[i]->forced = true;
    cond_broadcast(&h->wake);
    mutex_unlock(&h->lock);
}

/* ---- Life ---- */

static bool is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        if (n == len && memcmp(p, name, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static void set_defaults(struct health_options *o)
{
    o->ttl_ms = o->ttl_ms > 0 ? o->ttl_ms : 10000;
    o->local_ms = o->local_ms > 0 ? o->local_ms : 1000;
    o->external_ms = o->external_ms > 0 ? o->external_ms : 3000;
    o->round_ms = o->round_ms > 0 ? o->round_ms : 5000;
    o->failure_threshold = o->failure_threshold > 0 ? o->failure_threshold : 2;
}

static void destroy(struct health *h)
{
    for (size_t i = 0; i < h->count; i++)
        mem_free(h->checks[i]);
    health_unlook(h->snapshot);
    cond_fini(&h->wake);
    mutex_fini(&h->lock);
    mem_free(h);
}

err health_open(const struct health_options *o, struct health **out)
{
    struct health *h = mem_zalloc(1, sizeof(*h));
    h->o = *o;
    set_defaults(&h->o);
    mutex_init(&h->lock);
    cond_init(&h->wake);
    h->snapshot = new_snapshot(h, clock_mono_ns());
    err e = thread_start(&h->keeper, "health", keeper_main, h);
    if (e != OK)
        destroy(h);
    else
        *out = h;
    return e;
}

void health_close(struct health *h)
{
    if (h == NULL)
        return;
    mutex_lock(&h->lock);
    h->closing = true;
    cond_broadcast(&h->wake);
    mutex_unlock(&h->lock);
    thread_join(h->keeper);
    for (size_t i = 0; i < h->count; i++)
        thread_join(h->checks[i]->thread);
    destroy(h);
}

err health_register(struct health *h, const struct health_check *what)
{
    struct check *c = mem_zalloc(1, sizeof(*c));
    c->h = h;
    c->what = *what;
    if (c->what.weight == 0)
        c->what.weight = what->critical ? 3 : 1;
    c->what.readiness |= is_listed(h->o.readiness, what->name);
    (void)snprintf(c->name, sizeof(c->name), "%s", what->name);
    (void)snprintf(c->type, sizeof(c->type), "%s", what->type);
    mutex_lock(&h->lock);
    err e = h->count < HEALTH_CHECKS_MAX && !h->closing
                ? thread_start(&c->thread, "health-check", check_main, c)
                : ERR_FULL;
    if (e == OK) {
        h->checks[h->count++] = c;
        h->changed = true;
        cond_broadcast(&h->wake);
    }
    mutex_unlock(&h->lock);
    if (e != OK)
        mem_free(c);
    return e;
}
