/* sender.c -- see sender.h: sets and their life, alerts into queues. */
#include "rules/sender.h"

#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "rules/sender_alert.h"
#include "rules/sender_set.h"

enum { QUEUE_CAPACITY_DEFAULT = 10000, BATCH_MAX_DEFAULT = 256 };

struct leaving { /* a loop that drains; its set has what it needs */
    struct sender_loop *loop;
    struct sender_set *set;
};

struct plan { /* sets of a configuration that is not in force yet */
    struct sender_set **sets;
    size_t count;
};

struct sender {
    struct sender_options o;
    struct discovery *discovery;
    struct rwlock lock;    /* guards what follows; before discovery's and the loops' locks */
    struct config *config; /* in force; NULL: none yet */
    struct labels external;
    struct sender_set **sets;
    size_t set_count, active;
    struct leaving *leaving;
    size_t leaving_count;
    bool applying; /* sets and discovery are not of the same configuration */
    _Atomic uint64_t unusable;
};

/* ---- Alerts into queues ---- */

struct outgoing { /* alerts of one call, for a set or for all that relabel no further */
    struct sent_alert **items;
    size_t count;
};

struct dispatch { /* one call of send() */
    struct sender *s;
    struct arena first_arena, second_arena;
    struct relabel_labels first, second; /* after the rules of all, after those of a set */
    struct outgoing common;
    struct outgoing *own; /* of each set */
    struct buf json;
};

static bool relabels(const struct sender_set *set)
{
    return set->config->alert_relabel.count > 0;
}

static void add(struct outgoing *o, struct dispatch *d, const struct alert *a, struct labels ls)
{
    buf_reset(&d->json);
    sender_alert_json(a, ls, &d->json);
    o->items[o->count++] = sent_alert_new(buf_str(&d->json));
}

static void complain(struct sender *s)
{
    (void)atomic_fetch_add_explicit(&s->unusable, 1, memory_order_relaxed);
    log_error("an alert is not sent: relabelling makes its labels too large");
}

static void dispatch_to_set(struct dispatch *d, size_t i, const struct alert *a, struct labels ls)
{
    const struct sender_set *set = d->s->sets[i];
    struct labels own;
    bool keep;
    arena_reset(&d->second_arena);
    relabel_labels_reset(&d->second, &d->second_arena);
    if (sender_relabel(&d->second, ls, (struct labels){NULL, 0}, &set->config->alert_relabel, &keep,
                       &own) != OK)
        complain(d->s);
    else if (keep)
        add(&d->own[i], d, a, own);
}

static void dispatch_one(struct dispatch *d, const struct alert *a)
{
    struct sender *s = d->s;
    struct labels ls;
    bool keep;
    arena_reset(&d->first_arena);
    relabel_labels_reset(&d->first, &d->first_arena);
    if (sender_relabel(&d->first, a->labels, s->external, &s->config->alerting.alert_relabel, &keep,
                       &ls) != OK) {
        complain(s);
        return;
    }
    if (!keep)
        return;
    bool common = false;
    for (size_t i = 0; i < s->set_count; i++) {
        if (relabels(s->sets[i]))
            dispatch_to_set(d, i, a, ls);
        else
            common = true;
    }
    if (common)
        add(&d->common, d, a, ls);
}

static void release(struct outgoing *o)
{
    for (size_t i = 0; i < o->count; i++)
        sent_alert_unref(o->items[i]);
    mem_free(o->items);
}

static void enqueue(struct dispatch *d)
{
    struct sender *s = d->s;
    for (size_t i = 0; i < s->set_count; i++) {
        const struct outgoing *o = relabels(s->sets[i]) ? &d->own[i] : &d->common;
        for (size_t k = 0; k < s->sets[i]->loop_count && o->count > 0; k++)
            sender_loop_add(s->sets[i]->loops[k], o->items, o->count);
    }
}

/* With the lock. */
static void dispatch(struct sender *s, const struct alert *alerts, size_t count)
{
    struct dispatch d = {.s = s};
    arena_init(&d.first_arena, SENDER_ALERT_BYTES_MAX);
    arena_init(&d.second_arena, SENDER_ALERT_BYTES_MAX);
    relabel_labels_init(&d.first, &d.first_arena);
    relabel_labels_init(&d.second, &d.second_arena);
    d.common.items = mem_zalloc(count, sizeof(struct sent_alert *));
    d.own = mem_zalloc(s->set_count, sizeof(*d.own));
    for (size_t i = 0; i < s->set_count; i++)
        if (relabels(s->sets[i]))
            d.own[i].items = mem_zalloc(count, sizeof(struct sent_alert *));
    for (size_t i = 0; i < count; i++)
        dispatch_one(&d, &alerts[i]);
    enqueue(&d);
    release(&d.common);
    for (size_t i = 0; i < s->set_count; i++)
        release(&d.own[i]);
    mem_free(d.own);
    buf_fini(&d.json);
    relabel_labels_fini(&d.first);
    relabel_labels_fini(&d.second);
    arena_fini(&d.first_arena);
    arena_fini(&d.second_arena);
}

static void send(void *arg, const struct alert *alerts, size_t count)
{
    struct sender *s = arg;
    rwlock_read(&s->lock);
    if (s->active > 0 && count > 0)
        dispatch(s, alerts, count);
    rwlock_unlock(&s->lock);
}

struct alert_sink sender_sink(struct sender *s)
{
    return (struct alert_sink){.arg = s, .send = send};
}

/* ---- Alertmanagers that come and go; with the lock held for writing ---- */

/* Free what has drained. */
static void reap(struct sender *s, bool wait)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->leaving_count; i++) {
        struct leaving l = s->leaving[i];
        if (!wait && !sender_loop_has_ended(l.loop)) {
            s->leaving[kept++] = l;
            continue;
        }
        sender_loop_close(l.loop);
        sender_set_unref(l.set);
    }
    s->leaving_count = kept;
}

static void leave(struct sender *s, struct sender_set *set, struct sender_loop *l)
{
    sender_loop_stop(l);
    (void)atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    s->leaving = mem_resize(s->leaving, s->leaving_count + 1, sizeof(*s->leaving));
    s->leaving[s->leaving_count++] = (struct leaving){l, set};
    s->active--;
}

static void leave_all(struct sender *s, struct sender_set *set)
{
    for (size_t i = 0; i < set->loop_count; i++)
        leave(s, set, set->loops[i]);
    set->loop_count = 0;
}

static struct sender_loop *join(struct sender *s, struct sender_set *set, str url)
{
    const struct sender_loop_options o = {.url = url,
                                          .client = set->client,
                                          .timeout_ms = set->config->timeout_ms,
                                          .capacity = s->o.queue_capacity,
                                          .batch_max = s->o.batch_max,
                                          .drain = s->o.drain};
    struct sender_loop *l = NULL;
    if (s->active < SENDER_ALERTMANAGERS_MAX && sender_loop_open(&o, &l) == OK) {
        s->active++;
        return l;
    }
    log_error("an Alertmanager is left out",
              LOG_CSTR("reason", s->active < SENDER_ALERTMANAGERS_MAX ? "no thread" : "too many"),
              LOG_INT("active", s->active));
    return NULL;
}

static void replace(struct sender *s, struct sender_set *set, const struct sender_found *f)
{
    struct sender_loop **loops = mem_zalloc(f->active_count + 1, sizeof(struct sender_loop *));
    bool *stays = mem_zalloc(set->loop_count + 1, sizeof(*stays));
    size_t count = 0;
    for (size_t i = 0; i < set->loop_count; i++)
        for (size_t k = 0; k < f->active_count && !stays[i]; k++)
            stays[i] = str_eq(sender_loop_url(set->loops[i]), buf_str(&f->active[k]));
    for (size_t i = 0; i < set->loop_count; i++)
        if (!stays[i])
            leave(s, set, set->loops[i]);
    for (size_t k = 0; k < f->active_count; k++) {
        struct sender_loop *l = sender_set_loop(set, buf_str(&f->active[k]));
        if (l == NULL)
            l = join(s, set, buf_str(&f->active[k]));
        if (l != NULL)
            loops[count++] = l;
    }
    mem_free(set->loops);
    mem_free(stays);
    set->loops = loops;
    set->loop_count = count;
}

static void sync_set(struct sender *s, struct sender_set *set)
{
    struct discovery_view v;
    discovery_look(s->discovery, str_from(set->name), &v);
    if (sender_set_is_news(set, &v)) {
        struct sender_found f;
        sender_set_find(set, &v, &f);
        if (f.invalid_count > 0)
            log_error("Alertmanagers that were discovered cannot be used",
                      LOG_INT("count", f.invalid_count));
        replace(s, set, &f);
        for (size_t i = 0; i < set->dropped_count; i++)
            buf_fini(&set->dropped[i]);
        mem_free(set->dropped);
        set->dropped = f.dropped;
        set->dropped_count = f.dropped_count;
        f.dropped = NULL;
        f.dropped_count = 0;
        sender_found_fini(&f);
    }
    discovery_view_fini(&v);
}

static void sync_all(struct sender *s)
{
    rwlock_write(&s->lock);
    reap(s, false);
    for (size_t i = 0; i < s->set_count && !s->applying; i++)
        sync_set(s, s->sets[i]);
    rwlock_unlock(&s->lock);
}

/* On a thread of discovery's. */
static void changed(void *arg)
{
    sync_all(arg);
}

/* ---- Configurations ---- */

static void plan_free(struct plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        sender_set_unref(p->sets[i]);
    mem_free(p->sets);
    mem_free(p);
}

static err check_discovery(const struct alertmanager_configs *all, struct diag *d)
{
    size_t providers = 0;
    for (size_t i = 0; i < all->count; i++)
        providers += all->items[i].discovery.count;
    if (providers <= DISCOVERY_PROVIDERS_MAX)
        return OK;
    return diag_set(d, ERR_LIMIT, "alerting: %zu sections of discovery are more than %d", providers,
                    DISCOVERY_PROVIDERS_MAX);
}

err sender_prepare(struct sender *s, struct config *fresh, void **prepared, struct diag *d)
{
    const struct alertmanager_configs *all = &fresh->alerting.alertmanagers;
    TRY(check_discovery(all, d));
    struct plan *p = mem_zalloc(1, sizeof(*p));
    p->sets = mem_zalloc(all->count + 1, sizeof(struct sender_set *));
    err e = OK;
    for (size_t i = 0; i < all->count && e == OK; i++) {
        const struct alertmanager_config *c = &all->items[i];
        struct diag why = {.text = ""};
        e = sender_set_new(fresh, c, i, s->o.user_agent, &p->sets[i], &why);
        if (e == OK)
            p->count++;
        else
            (void)diag_set(d, e, "%s:%u:%u: %s", c->place.file, c->place.line, c->place.column,
                           why.text);
    }
    if (e != OK)
        plan_free(p);
    else
        *prepared = p;
    return e;
}

void sender_discard(struct sender *s, void *prepared)
{
    (void)s;
    plan_free(prepared);
}

static void set_external(struct sender *s)
{
    const struct pairs *from = &s->config->global.external_labels; /* sorted */
    struct label *items = mem_zalloc(from->count + 1, sizeof(*items));
    for (size_t i = 0; i < from->count; i++)
        items[i] = (struct label){from->items[i].name, from->items[i].value};
    mem_free((void *)(uintptr_t)s->external.items);
    s->external = (struct labels){items, from->count};
}

/* The set of the plan that says the same, if it is not another's already. */
static struct sender_set **find_same(const struct plan *p, const bool *taken,
                                     const struct sender_set *old, size_t *which)
{
    for (size_t k = 0; k < p->count; k++) {
        if (taken[k] || !hash128_eq(p->sets[k]->digest, old->digest))
            continue;
        *which = k;
        return &p->sets[k];
    }
    return NULL;
}

/* A section that did not change keeps its set, wherever it stands now. */
static void keep_sets(struct sender *s, struct plan *p)
{
    bool *taken = mem_zalloc(p->count + 1, sizeof(*taken));
    for (size_t i = 0; i < s->set_count; i++) {
        struct sender_set *old = s->sets[i];
        size_t which = 0;
        struct sender_set **same = find_same(p, taken, old, &which);
        if (same == NULL) {
            leave_all(s, old);
            sender_set_unref(old);
            continue;
        }
        taken[which] = true;
        memcpy(old->name, (*same)->name, sizeof(old->name));
        sender_set_unref(*same);
        *same = old;
    }
    mem_free(taken);
    mem_free(s->sets);
    s->sets = p->sets;
    s->set_count = p->count;
    mem_free(p);
}

static void discover(struct sender *s, struct config *fresh, const struct plan *p)
{
    struct diag d = {.text = ""};
    struct discovery_set *sets = mem_zalloc(p->count + 1, sizeof(*sets));
    for (size_t i = 0; i < p->count; i++)
        sets[i] =
            (struct discovery_set){str_from(p->sets[i]->name), &p->sets[i]->config->discovery};
    if (discovery_apply(s->discovery, fresh, sets, p->count, &d) != OK)
        log_error("Alertmanagers cannot be discovered", LOG_CSTR("reason", d.text));
    mem_free(sets);
}

void sender_commit(struct sender *s, struct config *fresh, void *prepared)
{
    struct plan *p = prepared;
    rwlock_write(&s->lock);
    s->applying = true;
    rwlock_unlock(&s->lock);
    discover(s, fresh, p); /* without the lock: its threads may wait for it */
    rwlock_write(&s->lock);
    struct config *old = s->config;
    s->config = config_ref(fresh);
    set_external(s);
    keep_sets(s, p);
    s->applying = false;
    rwlock_unlock(&s->lock);
    config_unref(old);
    sync_all(s);
}

/* ---- Life ---- */

err sender_open(const struct sender_options *o, struct sender **out)
{
    struct sender *s = mem_zalloc(1, sizeof(*s));
    s->o = *o;
    s->o.queue_capacity = o->queue_capacity > 0 ? o->queue_capacity : QUEUE_CAPACITY_DEFAULT;
    s->o.batch_max = o->batch_max > 0 ? o->batch_max : BATCH_MAX_DEFAULT;
    rwlock_init(&s->lock);
    const struct discovery_options d = {.name = "notify",
                                        .user_agent = o->user_agent,
                                        .delay_ms = o->discovery_delay_ms,
                                        .changed = changed,
                                        .arg = s};
    err e = discovery_open(&d, &s->discovery);
    if (e != OK)
        sender_close(s);
    else
        *out = s;
    return e;
}

void sender_close(struct sender *s)
{
    if (s == NULL)
        return;
    discovery_close(s->discovery);
    rwlock_write(&s->lock);
    for (size_t i = 0; i < s->set_count; i++) {
        leave_all(s, s->sets[i]); /* all drain at once */
        sender_set_unref(s->sets[i]);
    }
    reap(s, true);
    rwlock_unlock(&s->lock);
    mem_free(s->sets);
    mem_free(s->leaving);
    mem_free((void *)(uintptr_t)s->external.items);
    config_unref(s->config);
    rwlock_fini(&s->lock);
    mem_free(s);
}

struct discovery *sender_discovery(struct sender *s)
{
    return s->discovery;
}

/* ---- What is going on ---- */

void sender_each_active(struct sender *s, void (*fn)(void *arg, const struct sender_view *v),
                        void *arg)
{
    struct buf url = {0};
    rwlock_read(&s->lock);
    for (size_t i = 0; i < s->set_count; i++) {
        for (size_t k = 0; k < s->sets[i]->loop_count; k++) {
            struct sender_view v;
            buf_reset(&url);
            config_redacted_url(sender_loop_url(s->sets[i]->loops[k]), &url);
            v.url = buf_str(&url);
            sender_loop_stats_of(s->sets[i]->loops[k], &v.stats);
            fn(arg, &v);
        }
    }
    rwlock_unlock(&s->lock);
    buf_fini(&url);
}

void sender_each_dropped(struct sender *s, void (*fn)(void *arg, str url), void *arg)
{
    struct buf url = {0};
    rwlock_read(&s->lock);
    for (size_t i = 0; i < s->set_count; i++) {
        for (size_t k = 0; k < s->sets[i]->dropped_count; k++) {
            buf_reset(&url);
            config_redacted_url(buf_str(&s->sets[i]->dropped[k]), &url);
            fn(arg, buf_str(&url));
        }
    }
    rwlock_unlock(&s->lock);
    buf_fini(&url);
}

void sender_stats_of(struct sender *s, struct sender_stats *out)
{
    rwlock_read(&s->lock);
    *out = (struct sender_stats){.active = s->active, .queue_capacity = s->o.queue_capacity};
    rwlock_unlock(&s->lock);
    out->unusable = atomic_load_explicit(&s->unusable, memory_order_relaxed);
}
