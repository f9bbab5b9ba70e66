/* heartbeats.c -- see heartbeats.h. */
#include "notify/heartbeats.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "notify/engine_priv.h"
#include "notify/heartbeat.h"

static const uint64_t MS_NS = 1000000;

struct beat { /* one heartbeat as one configuration has it */
    struct heartbeats *owner;
    struct beat *next;
    struct alerting_ext *ext; /* held: it has the next one */
    const struct heartbeat_config *config;
    struct http_client *client; /* NULL: it cannot be obeyed */
    atomic_bool canceled;       /* a later configuration took its place, or the end is near */
    pthread_t thread;
    bool started, ended; /* ended: the thread looks at nothing any more */
    uint64_t due_ns;     /* monotonic: when the next one is */
    bool busy;           /* being looked at, or sent */
    /* What people see: */
    enum heartbeat_state state;
    uint64_t sent, failed, withheld, born_ns, heard_ns;
    int64_t last_sent_ms, last_looked_ms;
    char why[DIAG_TEXT_SIZE];
};

struct heartbeats {
    struct heartbeats_options o;
    struct buf agent;
    struct mutex lock;    /* guards all below and what beats say of themselves; rank: after the
                             service's, a leaf */
    struct cond woken;    /* somebody is canceled */
    struct beat *first;   /* in force, in the order of the file */
    struct beat *leaving; /* canceled: their threads are to be waited for */
};

/* ---- One beat ---- */

static bool is_canceled(void *arg)
{
    const struct beat *b = arg;
    return atomic_load_explicit(&b->canceled, memory_order_relaxed);
}

/* False: it is over. */
static bool wait_until(struct beat *b, uint64_t until_ns)
{
    struct heartbeats *h = b->owner;
    mutex_lock(&h->lock);
    while (!is_canceled(b) && cond_wait_until(&h->woken, &h->lock, until_ns))
        ;
    mutex_unlock(&h->lock);
    return !is_canceled(b);
}

static void note(struct beat *b, enum heartbeat_state state, const char *why)
{
    struct heartbeats *h = b->owner;
    mutex_lock(&h->lock);
    bool changed = b->state != state;
    b->state = state;
    b->last_looked_ms = clock_wall_ms();
    b->sent += state == HEARTBEAT_SENT;
    b->failed += state == HEARTBEAT_FAILING;
    b->withheld += state == HEARTBEAT_WITHHELD;
    if (state == HEARTBEAT_SENT) {
        b->last_sent_ms = b->last_looked_ms;
        b->heard_ns = clock_mono_ns();
    }
    (void)snprintf(b->why, sizeof(b->why), "%s", why);
    mutex_unlock(&h->lock);
    if (changed && state == HEARTBEAT_SENT)
        log_info("heartbeat is heard", LOG_STR("heartbeat", b->config->name));
    else if (changed || state == HEARTBEAT_FAILING)
        log_warn("no heartbeat", LOG_STR("heartbeat", b->config->name), LOG_CSTR("why", why));
}

static int64_t left_ms(uint64_t end_ns)
{
    uint64_t now_ns = clock_mono_ns();
    return end_ns > now_ns ? (int64_t)((end_ns - now_ns) / MS_NS) : 0;
}

static bool may_be_sent(struct beat *b, uint64_t end_ns)
{
    const struct heartbeats_options *o = &b->owner->o;
    struct diag d = {.text = ""};
    bool holds = false;
    if (b->config->only_if.len == 0)
        return true;
    err e =
        o->holds(o->arg, b->config->name, b->config->only_if, MAX(left_ms(end_ns), 1), &holds, &d);
    if (e != OK)
        (void)diag_set(&d, e, "only_if: %s", err_name(e));
    if ((e != OK || !holds) && !is_canceled(b))
        note(b, HEARTBEAT_WITHHELD, e != OK ? d.text : "only_if has no result");
    return e == OK && holds;
}

static struct notify_result try_once(struct beat *b, uint64_t end_ns)
{
    struct diag d = {.text = ""};
    const struct heartbeat_ping p = {.config = b->config,
                                     .global = &b->ext->alertmanager->global,
                                     .client = b->client,
                                     .timeout_ms =
                                         MAX(MIN(left_ms(end_ns), HEARTBEAT_TIMEOUT_MS), 1),
                                     .canceled = is_canceled,
                                     .arg = b};
    struct notify_result r = {NOTIFY_FAILED, 0};
    if (b->client != NULL)
        r = heartbeat_send(&p, &d);
    else
        (void)diag_set(&d, ERR_UNSUPPORTED, "http_config cannot be obeyed");
    if (!is_canceled(b) || r.outcome == NOTIFY_SENT)
        note(b, r.outcome == NOTIFY_SENT ? HEARTBEAT_SENT : HEARTBEAT_FAILING, d.text);
    return r;
}

/* Until it is heard, or its time is over. What never works may work when somebody has put it right:
 * it is tried as the rest. */
static void beat_once(struct beat *b, uint64_t end_ns)
{
    int64_t pause_ms = HEARTBEAT_RETRY_MS;
    if (!may_be_sent(b, end_ns))
        return;
    while (!is_canceled(b)) {
        struct notify_result r = try_once(b, end_ns);
        int64_t wait_ms = MAX(pause_ms, r.retry_after_ms);
        if (r.outcome == NOTIFY_SENT || wait_ms >= left_ms(end_ns) ||
            !wait_until(b, clock_mono_ns() + (uint64_t)wait_ms * MS_NS))
            return;
        pause_ms = MIN(2 * pause_ms, HEARTBEAT_RETRY_MS_MAX);
    }
}

static void set_busy(struct beat *b, bool busy, uint64_t due_ns)
{
    mutex_lock(&b->owner->lock);
    b->busy = busy;
    b->due_ns = due_ns;
    mutex_unlock(&b->owner->lock);
}

static void *run(void *arg)
{
    struct beat *b = arg;
    uint64_t interval_ns = (uint64_t)b->config->interval_ms * MS_NS, due_ns = b->due_ns;
    while (wait_until(b, due_ns)) {
        set_busy(b, true, due_ns);
        beat_once(b, due_ns + interval_ns);
        due_ns += interval_ns;
        uint64_t now_ns = clock_mono_ns();
        if (due_ns < now_ns) /* it was late: the rhythm stays */
            due_ns += (now_ns - due_ns) / interval_ns * interval_ns;
        if (!is_canceled(b))
            set_busy(b, false, due_ns);
    }
    mutex_lock(&b->owner->lock);
    b->ended = true;
    mutex_unlock(&b->owner->lock);
    return NULL;
}

/* ---- Configurations ---- */

static void free_beat(struct beat *b)
{
    if (b->started)
        thread_join(b->thread);
    http_client_close(b->client);
    alerting_ext_unref(b->ext);
    mem_free(b);
}

static struct beat *make(struct heartbeats *h, struct alerting_ext *x,
                         const struct heartbeat_config *c)
{
    struct diag ignored = {.text = ""}; /* it is told as a failure of the beat */
    const struct http_client_config *http =
        c->http != NULL ? c->http : x->alertmanager->global.http;
    struct beat *b = mem_zalloc(1, sizeof(*b));
    b->owner = h;
    b->ext = alerting_ext_ref(x);
    b->config = c;
    b->due_ns = b->born_ns = clock_mono_ns();
    if (http_client_open(http, buf_str(&h->agent), &b->client, &ignored) != OK)
        b->client = NULL;
    return b;
}

/* With the lock. The rhythm and the counters of the one of that name. */
static void take_over(struct beat *b, const struct beat *from)
{
    uint64_t now_ns = clock_mono_ns(),
             soonest_ns = now_ns + (uint64_t)b->config->interval_ms * MS_NS;
    for (; from != NULL; from = from->next) {
        if (!str_eq(from->config->name, b->config->name))
            continue;
        b->due_ns = from->busy ? now_ns : MIN(from->due_ns, soonest_ns);
        b->state = from->state;
        b->sent = from->sent;
        b->failed = from->failed;
        b->withheld = from->withheld;
        b->born_ns = from->born_ns;
        b->heard_ns = from->heard_ns;
        b->last_sent_ms = from->last_sent_ms;
        b->last_looked_ms = from->last_looked_ms;
        memcpy(b->why, from->why, sizeof(b->why));
    }
}

/* With the lock: those that are done can be waited for. */
static struct beat *take_ended(struct heartbeats *h, bool all)
{
    struct beat **place = &h->leaving, *ended = NULL;
    while (*place != NULL) {
        struct beat *b = *place;
        if (!all && b->started && !b->ended) {
            place = &b->next;
            continue;
        }
        *place = b->next;
        b->next = ended;
        ended = b;
    }
    return ended;
}

static void free_all(struct beat *b)
{
    while (b != NULL) {
        struct beat *next = b->next;
        free_beat(b);
        b = next;
    }
}

/* With the lock: `fresh` takes the place of what is in force. */
static void put_in_force(struct heartbeats *h, struct beat *fresh)
{
    for (struct beat *b = fresh; b != NULL; b = b->next)
        take_over(b, h->first);
    while (h->first != NULL) {
        struct beat *b = h->first;
        h->first = b->next;
        atomic_store(&b->canceled, true);
        b->next = h->leaving;
        h->leaving = b;
    }
    h->first = fresh;
    cond_broadcast(&h->woken);
}

/* With the lock, which they wait for. */
static void start_all(struct heartbeats *h)
{
    for (struct beat *b = h->first; b != NULL; b = b->next) {
        b->started = thread_start(&b->thread, "heartbeat", run, b) == OK;
        if (b->started)
            continue;
        b->state = HEARTBEAT_FAILING;
        (void)snprintf(b->why, sizeof(b->why), "no thread could be had");
    }
}

static struct beat *make_all(struct heartbeats *h, struct alerting_ext *x)
{
    struct beat *first = NULL, **last = &first;
    for (size_t i = 0; x != NULL && i < x->heartbeats.count; i++) {
        *last = make(h, x, &x->heartbeats.items[i]);
        last = &(*last)->next;
    }
    return first;
}

void heartbeats_follow(struct heartbeats *h)
{
    struct engine *e = notify_service_lock(h->o.service);
    struct alerting_ext *x = e->routing->companion.ext;
    x = x != NULL ? alerting_ext_ref(x) : NULL;
    notify_service_unlock(h->o.service);
    struct beat *fresh = make_all(h, x);
    mutex_lock(&h->lock);
    put_in_force(h, fresh);
    start_all(h);
    struct beat *ended = take_ended(h, false);
    mutex_unlock(&h->lock);
    free_all(ended);
    alerting_ext_unref(x);
}

struct heartbeats *heartbeats_open(const struct heartbeats_options *o)
{
    struct heartbeats *h = mem_zalloc(1, sizeof(*h));
    h->o = *o;
    buf_put_str(&h->agent, STR("Varve"));
    if (o->version.len > 0)
        buf_printf(&h->agent, "/" STR_FMT, STR_ARG(o->version));
    mutex_init(&h->lock);
    cond_init(&h->woken);
    return h;
}

void heartbeats_close(struct heartbeats *h)
{
    if (h == NULL)
        return;
    mutex_lock(&h->lock);
    put_in_force(h, NULL);
    struct beat *all = take_ended(h, true);
    mutex_unlock(&h->lock);
    if (h->o.stop != NULL)
        h->o.stop(h->o.arg);
    free_all(all);
    cond_fini(&h->woken);
    mutex_fini(&h->lock);
    buf_fini(&h->agent);
    mem_free(h);
}

/* ---- Seen from outside ---- */

const char *heartbeat_state_name(enum heartbeat_state s)
{
    static const char *const NAMES[] = {"new", "sent", "failing", "withheld"};
    return NAMES[s];
}

static bool is_late(const struct beat *b)
{
    uint64_t since_ns = b->heard_ns != 0 ? b->heard_ns : b->born_ns;
    uint64_t longest_ns = (uint64_t)b->config->interval_ms * MS_NS * HEARTBEAT_LATE_INTERVALS;
    return b->state == HEARTBEAT_FAILING && clock_mono_ns() - since_ns > longest_ns;
}

void heartbeats_each(struct heartbeats *h, void (*give)(void *arg, const struct heartbeat_view *v),
                     void *arg)
{
    if (h == NULL)
        return;
    mutex_lock(&h->lock);
    for (const struct beat *b = h->first; b != NULL; b = b->next) {
        const struct heartbeat_view v = {.config = b->config,
                                         .state = b->state,
                                         .sent = b->sent,
                                         .failed = b->failed,
                                         .withheld = b->withheld,
                                         .last_sent_ms = b->last_sent_ms,
                                         .last_looked_ms = b->last_looked_ms,
                                         .late = is_late(b),
                                         .why = b->why};
        give(arg, &v);
    }
    mutex_unlock(&h->lock);
}
