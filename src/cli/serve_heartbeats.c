/* serve_heartbeats.c -- see serve_heartbeats.h. */
#include "cli/serve_heartbeats.h"

#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "cli/heartbeat_exprs.h"
#include "http/rule_watch.h"
#include "rules/rule_query.h"

enum { RESULT_BYTES_MAX = 64 << 20 }; /* whether there is one is all that counts */

struct running { /* a query; in a list */
    struct query_switch off;
    struct running *next, **place;
};

static struct {
    struct api *api;
    struct heartbeats *heartbeats; /* NULL: not started */
    struct query_watch watch;
    struct mutex lock; /* guards the list; a leaf */
    struct running *first;
    bool stopped;
} own;

err serve_heartbeats_check(const struct alerting_ext *x, struct diag *d)
{
    const struct query_options *o = &own.api->features;
    const struct promql_options po = {.experimental_functions = o->experimental_functions,
                                      .fill_modifiers = o->fill_modifiers,
                                      .extended_range_selectors = o->extended_range_selectors};
    return heartbeat_exprs_check(x, &po, d);
}

/* ---- Queries ---- */

static void enter(struct running *r)
{
    mutex_lock(&own.lock);
    r->next = own.first;
    r->place = &own.first;
    if (r->next != NULL)
        r->next->place = &r->next;
    own.first = r;
    if (own.stopped)
        query_switch_stop(&r->off);
    mutex_unlock(&own.lock);
}

static void leave(struct running *r)
{
    mutex_lock(&own.lock);
    *r->place = r->next;
    if (r->next != NULL)
        r->next->place = r->place;
    mutex_unlock(&own.lock);
}

static void stop(void *arg)
{
    (void)arg;
    mutex_lock(&own.lock);
    own.stopped = true;
    for (struct running *r = own.first; r != NULL; r = r->next)
        query_switch_stop(&r->off);
    mutex_unlock(&own.lock);
}

/* The store opens at about the time of the first heartbeats: a moment is worth waiting. */
static err wait_for_store(const struct running *r, int64_t timeout_ms, struct diag *d)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    uint64_t end_ns = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
    while (!atomic_load_explicit(&own.api->ready, memory_order_acquire)) {
        if (query_switch_stopped(&r->off) || clock_mono_ns() >= end_ns)
            return diag_set(d, ERR_BUSY, "the server is not ready");
        (void)nanosleep(&pause, NULL);
    }
    return OK;
}

static struct rule_querier querier(int64_t timeout_ms)
{
    const struct api *api = own.api;
    struct rule_querier q = {.env = {.source = api->env.source, .store = api->env.store},
                             .options = api->features,
                             .timeout_ms = MIN(timeout_ms, api->query_timeout_ms),
                             .watch = &own.watch};
    q.options.lookback_ms = api->lookback_ms;
    q.options.samples_max = api->samples_max;
    q.options.memory_bytes_max = api->query_bytes_max;
    q.options.subquery_step_ms =
        atomic_load_explicit(&own.api->subquery_step_ms, memory_order_relaxed);
    return q;
}

static err holds(void *arg, str name, str expr, int64_t timeout_ms, bool *out, struct diag *d)
{
    struct running r = {.next = NULL};
    const struct query_asker who = {
        .kind = "heartbeat", .file = STR(""), .group = name, .off = &r.off};
    struct rule_vector v = {NULL, 0};
    struct arena a;
    (void)arg;
    arena_init(&a, RESULT_BYTES_MAX);
    enter(&r);
    err e = wait_for_store(&r, timeout_ms, d);
    if (e == OK) {
        const struct rule_querier q = querier(timeout_ms);
        e = rule_query(&q, &who, expr, clock_wall_ms(), &a, &v, d);
    }
    leave(&r);
    arena_fini(&a);
    *out = v.count > 0;
    return e;
}

/* ---- Start and end ---- */

void serve_heartbeats_open(struct api *api)
{
    own.api = api;
    mutex_init(&own.lock);
}

struct heartbeats *serve_heartbeats_start(struct notify_service *s)
{
    const struct heartbeats_options o = {
        .service = s, .version = STR(VARVE_VERSION), .holds = holds, .stop = stop};
    own.watch = rule_watch(&own.api->insight);
    own.heartbeats = heartbeats_open(&o);
    return own.heartbeats;
}

void serve_heartbeats_follow(void)
{
    if (own.heartbeats != NULL)
        heartbeats_follow(own.heartbeats);
}

void serve_heartbeats_close(void)
{
    if (own.api != NULL)
        own.api->heartbeats = NULL;
    heartbeats_close(own.heartbeats);
    own.heartbeats = NULL;
}
