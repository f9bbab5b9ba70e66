/* discovery.c -- see discovery.h: sets, providers and the thread that tells of changes. */
#include "ingest/discovery.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/discovery_state_priv.h"

enum { DELAY_MS_DEFAULT = 5000, MECHANISMS = SD_UNSUPPORTED };

/* ---- Telling ---- */

static void *tell(void *arg)
{
    struct discovery *d = arg;
    mutex_lock(&d->lock);
    while (!d->stopping) {
        if (!d->dirty) {
            cond_wait(&d->changed, &d->lock);
            continue;
        }
        d->dirty = false;
        d->updates_sent++;
        d->telling = true;
        mutex_unlock(&d->lock);
        if (d->o.changed != NULL)
            d->o.changed(d->o.arg);
        uint64_t until = clock_mono_ns() + (uint64_t)d->o.delay_ms * 1000000;
        mutex_lock(&d->lock);
        d->telling = false;
        while (!d->stopping && cond_wait_until(&d->changed, &d->lock, until))
            continue;
    }
    mutex_unlock(&d->lock);
    return NULL;
}

/* Holding the lock. */
static void mark_changed(struct discovery *d)
{
    d->dirty = true;
    d->updates_received++;
    d->updates_delayed += d->telling;
    cond_signal(&d->changed);
}

/* ---- What providers call ---- */

bool sd_stopping(const struct sd_provider *p)
{
    return atomic_load_explicit(&p->stopping, memory_order_relaxed);
}

bool sd_canceled(void *arg)
{
    return sd_stopping(arg);
}

str sd_user_agent(const struct sd_provider *p)
{
    return buf_str(&p->owner->user_agent);
}

bool sd_sleep(struct sd_provider *p, int64_t ms, int fd)
{
    struct pollfd fds[] = {{.fd = p->wake_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    uint64_t until = clock_mono_ns() + (uint64_t)MAX(ms, 0) * 1000000;
    while (!sd_stopping(p)) {
        uint64_t now = clock_mono_ns();
        if (now >= until)
            break;
        int timeout = (int)MIN((until - now) / 1000000 + 1, 3600000);
        if (poll(fds, fd >= 0 ? 2 : 1, timeout) > 0)
            break;
    }
    return !sd_stopping(p);
}

static struct sd_part *part_of(struct sd_provider *p, str source)
{
    for (size_t i = 0; i < p->part_count; i++)
        if (str_eq(p->parts[i].source, source))
            return &p->parts[i];
    return NULL;
}

static str own_copy(str s)
{
    char *text = mem_alloc(s.len + 1);
    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return (str){text, s.len};
}

static void part_free(struct sd_part *part)
{
    mem_free((void *)(uintptr_t)part->source.ptr);
    sd_targets_unref(part->targets);
}

void sd_put(struct sd_provider *p, str source, struct sd_targets *targets)
{
    mutex_lock(&p->owner->lock);
    struct sd_part *part = part_of(p, source);
    struct sd_targets *old = part != NULL ? part->targets : NULL;
    if (part == NULL && p->part_count == SD_PARTS_MAX) {
        old = targets;
        log_warn("too many sources in one section of discovery", LOG_STR("source", source),
                 LOG_INT("limit", SD_PARTS_MAX));
    } else {
        if (part == NULL) {
            if (p->part_count == p->part_room) {
                p->part_room = p->part_room * 2 + 8;
                p->parts = mem_resize(p->parts, p->part_room, sizeof(*p->parts));
            }
            part = &p->parts[p->part_count++];
            *part = (struct sd_part){.source = own_copy(source)};
        }
        part->targets = targets;
        part->seen = true;
        p->updates++;
        mark_changed(p->owner);
    }
    mutex_unlock(&p->owner->lock);
    sd_targets_unref(old);
}

void sd_put_time(struct sd_provider *p, str source, int64_t mtime_ms)
{
    mutex_lock(&p->owner->lock);
    struct sd_part *part = part_of(p, source);
    if (part != NULL)
        part->mtime_ms = mtime_ms;
    mutex_unlock(&p->owner->lock);
}

struct sd_stats *sd_stats_of(struct sd_provider *p)
{
    return &p->owner->stats;
}

void sd_keep(struct sd_provider *p, str source)
{
    mutex_lock(&p->owner->lock);
    struct sd_part *part = part_of(p, source);
    if (part != NULL)
        part->seen = true;
    mutex_unlock(&p->owner->lock);
}

/* Holding the lock. */
static void remove_part(struct sd_provider *p, struct sd_part *part)
{
    part_free(part);
    *part = p->parts[--p->part_count];
    mark_changed(p->owner);
}

void sd_forget(struct sd_provider *p, str source)
{
    mutex_lock(&p->owner->lock);
    struct sd_part *part = part_of(p, source);
    if (part != NULL)
        remove_part(p, part);
    mutex_unlock(&p->owner->lock);
}

void sd_sweep_begin(struct sd_provider *p)
{
    mutex_lock(&p->owner->lock);
    for (size_t i = 0; i < p->part_count; i++)
        p->parts[i].seen = false;
    mutex_unlock(&p->owner->lock);
}

void sd_sweep_end(struct sd_provider *p)
{
    mutex_lock(&p->owner->lock);
    for (size_t i = p->part_count; i-- > 0;)
        if (!p->parts[i].seen)
            remove_part(p, &p->parts[i]);
    mutex_unlock(&p->owner->lock);
}

void sd_failed(struct sd_provider *p, const char *reason)
{
    if (sd_stopping(p))
        return;
    log_warn("discovery failed; what it found before stays", LOG_CSTR("section", p->sd->key),
             LOG_CSTR("file", p->sd->place.file), LOG_INT("line", p->sd->place.line),
             LOG_CSTR("reason", reason));
    mutex_lock(&p->owner->lock);
    (void)snprintf(p->reason, sizeof(p->reason), "%s", reason);
    mutex_unlock(&p->owner->lock);
}

void sd_well(struct sd_provider *p)
{
    mutex_lock(&p->owner->lock);
    p->reason[0] = '\0';
    mutex_unlock(&p->owner->lock);
}

err sd_get_json(struct sd_provider *p, struct http_client *c, const struct http_request_options *o,
                struct http_reply *reply, struct diag *d)
{
    struct http_request_options q = *o;
    q.canceled = sd_canceled;
    q.arg = p;
    q.body_bytes_max = SD_BODY_BYTES_MAX;
    TRY(http_fetch(c, &q, reply, d));
    if (reply->status == 200)
        return OK;
    struct buf status = {0};
    http_status_text(reply->status, &status);
    err e = diag_set(d, ERR_IO, "server returned HTTP status %s", buf_cstr(&status));
    buf_fini(&status);
    return e;
}

static void refreshed(struct sd_provider *p, uint64_t took_ns, bool failed)
{
    if (failed && sd_stopping(p))
        return; /* it was ended */
    sd_stats_refresh(&p->owner->stats, (enum sd_kind)p->sd->kind, took_ns);
    mutex_lock(&p->owner->lock);
    p->refreshes++;
    p->refresh_ns += took_ns;
    p->refresh_failures += failed;
    mutex_unlock(&p->owner->lock);
    timing_recent_add(&p->refresh_times, took_ns, clock_mono_ns());
}

void sd_refresh(struct sd_provider *p, int64_t interval_ms,
                err (*refresh)(struct sd_provider *p, void *arg, struct diag *d), void *arg)
{
    do {
        struct diag d = {.text = ""};
        uint64_t begin = clock_mono_ns();
        err e = refresh(p, arg, &d);
        refreshed(p, clock_mono_ns() - begin, e != OK);
        if (e != OK)
            sd_failed(p, d.text[0] != '\0' ? d.text : err_name(e));
        else
            sd_well(p);
    } while (sd_sleep(p, interval_ms, -1));
}

/* ---- Providers ---- */

static void *run(void *arg)
{
    static void (*const RUN[MECHANISMS])(struct sd_provider *) = {
        sd_consul_run, sd_dns_run, sd_docker_run, sd_file_run, sd_http_run, sd_kubernetes_run};
    struct sd_provider *p = arg;
    RUN[p->sd->kind](p);
    return NULL;
}

static void provider_stop(struct sd_provider *p)
{
    atomic_store_explicit(&p->stopping, true, memory_order_relaxed);
    (void)eventfd_write(p->wake_fd, 1);
}

static void provider_free(struct sd_provider *p)
{
    thread_join(p->thread);
    for (size_t i = 0; i < p->part_count; i++)
        part_free(&p->parts[i]);
    mem_free(p->parts);
    (void)close(p->wake_fd);
    config_unref(p->config);
    timing_recent_fini(&p->refresh_times);
    mem_free(p);
}

static err provider_start(struct discovery *d, struct config *owner, const struct sd_config *sd,
                          hash128 key, struct sd_provider **out)
{
    struct sd_provider *p = mem_zalloc(1, sizeof(*p));
    p->owner = d;
    p->config = config_ref(owner);
    p->sd = sd;
    p->key = key;
    p->wanted = true;
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&p->stopping, false);
    timing_recent_init(&p->refresh_times);
    err e = p->wake_fd >= 0 ? thread_start(&p->thread, "discovery", run, p) : ERR_IO;
    if (e != OK) {
        if (p->wake_fd >= 0)
            (void)close(p->wake_fd);
        config_unref(p->config);
        timing_recent_fini(&p->refresh_times);
        mem_free(p);
        return e;
    }
    *out = p;
    return OK;
}

/* ---- Sets ---- */

static void set_free(struct set *s)
{
    buf_fini(&s->name);
    sd_targets_unref(s->fixed);
    mem_free(s->providers);
}

struct plan { /* what discovery_apply() is about to put in force */
    struct sd_provider **all;
    size_t count;
    struct set *sets;
    size_t set_count, new_from; /* all[new_from..) were started for it */
};

static err plan_fixed(struct set *s, const struct static_sd_config *config)
{
    struct sd_build b;
    sd_build_begin(&b);
    sd_groups_static(config, NULL, STR(""), &b);
    return sd_build_end(&b, &s->fixed);
}

static err plan_provider(struct discovery *d, struct plan *plan, struct config *owner,
                         const struct sd_config *sd, struct set *s, struct diag *why)
{
    hash128 key = config_sd_digest(sd);
    struct sd_provider *p = NULL;
    for (size_t i = 0; i < plan->count && p == NULL; i++)
        if (hash128_eq(plan->all[i]->key, key))
            p = plan->all[i];
    if (p == NULL) {
        if (plan->count >= DISCOVERY_PROVIDERS_MAX + plan->new_from)
            return diag_set(why, ERR_LIMIT, "%s:%u:%u: more than %d sections of discovery",
                            sd->place.file, sd->place.line, sd->place.column,
                            DISCOVERY_PROVIDERS_MAX);
        TRY(provider_start(d, owner, sd, key, &p));
        plan->all = mem_resize(plan->all, plan->count + 1, sizeof(struct sd_provider *));
        plan->all[plan->count++] = p;
    }
    p->wanted = true;
    s->providers[s->provider_count++] = p;
    return OK;
}

static err plan_set(struct discovery *d, struct plan *plan, struct config *owner,
                    const struct discovery_set *from, struct diag *why)
{
    struct set *s = &plan->sets[plan->set_count++];
    buf_put_str(&s->name, from->name);
    s->providers = mem_zalloc(from->configs->count + 1, sizeof(struct sd_provider *));
    for (size_t i = 0; i < from->configs->count; i++) {
        const struct sd_config *sd = &from->configs->items[i];
        if (sd->kind == SD_STATIC)
            TRY(plan_fixed(s, sd->static_));
        else
            TRY(plan_provider(d, plan, owner, sd, s, why));
    }
    return OK;
}

/* Split the providers in force into those that stay and those that go. */
static void keep_wanted(struct plan *plan, struct sd_provider **going, size_t *going_count)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->all[i]->wanted)
            plan->all[kept++] = plan->all[i];
        else
            going[(*going_count)++] = plan->all[i];
    }
    plan->count = kept;
}

static void swap_in(struct discovery *d, struct plan *plan)
{
    struct plan old;
    mutex_lock(&d->lock);
    old = (struct plan){.all = d->providers, .sets = d->sets, .set_count = d->set_count};
    d->providers = plan->all;
    d->provider_count = plan->count;
    d->sets = plan->sets;
    d->set_count = plan->set_count;
    mark_changed(d);
    mutex_unlock(&d->lock);
    for (size_t i = 0; i < old.set_count; i++)
        set_free(&old.sets[i]);
    mem_free(old.sets);
    mem_free(old.all);
}

err discovery_apply(struct discovery *d, struct config *owner, const struct discovery_set *sets,
                    size_t count, struct diag *why)
{
    mutex_lock(&d->apply_lock);
    struct plan plan = {.count = d->provider_count, .new_from = d->provider_count};
    plan.all = mem_zalloc(d->provider_count + 1, sizeof(struct sd_provider *));
    for (size_t i = 0; i < d->provider_count; i++) {
        plan.all[i] = d->providers[i];
        plan.all[i]->wanted = false;
    }
    plan.sets = mem_zalloc(count + 1, sizeof(*plan.sets));
    err e = OK;
    for (size_t i = 0; e == OK && i < count; i++)
        e = plan_set(d, &plan, owner, &sets[i], why);
    if (e != OK) {
        (void)diag_set(why, e, "discovery cannot start: %s", err_name(e));
        for (size_t i = plan.new_from; i < plan.count; i++)
            provider_stop(plan.all[i]);
        for (size_t i = plan.new_from; i < plan.count; i++)
            provider_free(plan.all[i]);
        for (size_t i = 0; i < plan.set_count; i++)
            set_free(&plan.sets[i]);
        mem_free(plan.sets);
        mem_free(plan.all);
        mutex_unlock(&d->apply_lock);
        return e;
    }
    struct sd_provider **going = mem_zalloc(plan.count + 1, sizeof(struct sd_provider *));
    size_t going_count = 0;
    keep_wanted(&plan, going, &going_count);
    swap_in(d, &plan);
    for (size_t i = 0; i < going_count; i++)
        provider_stop(going[i]);
    for (size_t i = 0; i < going_count; i++)
        provider_free(going[i]);
    mem_free(going);
    mutex_unlock(&d->apply_lock);
    return OK;
}

/* ---- Looking ---- */

static const struct set *find_set(const struct discovery *d, str name)
{
    for (size_t i = 0; i < d->set_count; i++)
        if (str_eq(buf_str(&d->sets[i].name), name))
            return &d->sets[i];
    return NULL;
}

void discovery_look(struct discovery *d, str name, struct discovery_view *out)
{
    *out = (struct discovery_view){0};
    mutex_lock(&d->lock);
    const struct set *s = find_set(d, name);
    size_t count = s != NULL ? 1 : 0;
    for (size_t i = 0; s != NULL && i < s->provider_count; i++)
        count += s->providers[i]->part_count;
    out->parts = mem_zalloc(count + 1, sizeof(struct sd_targets *));
    for (size_t i = 0; s != NULL && i < s->provider_count; i++)
        for (size_t k = 0; k < s->providers[i]->part_count; k++)
            out->parts[out->count++] = sd_targets_ref(s->providers[i]->parts[k].targets);
    if (s != NULL && s->fixed != NULL)
        out->parts[out->count++] = sd_targets_ref(s->fixed);
    mutex_unlock(&d->lock);
}

void discovery_view_fini(struct discovery_view *v)
{
    for (size_t i = 0; i < v->count; i++)
        sd_targets_unref(v->parts[i]);
    mem_free(v->parts);
    *v = (struct discovery_view){0};
}

void discovery_reasons(struct discovery *d, str name, struct buf *out)
{
    mutex_lock(&d->lock);
    const struct set *s = find_set(d, name);
    for (size_t i = 0; s != NULL && i < s->provider_count; i++)
        if (s->providers[i]->reason[0] != '\0')
            buf_printf(out, "%s: %s\n", s->providers[i]->sd->key, s->providers[i]->reason);
    mutex_unlock(&d->lock);
}

/* ---- Start and end ---- */

err discovery_open(const struct discovery_options *o, struct discovery **out)
{
    struct discovery *d = mem_zalloc(1, sizeof(*d));
    d->o = *o;
    d->o.name = o->name != NULL ? o->name : "scrape";
    d->o.delay_ms = o->delay_ms > 0 ? o->delay_ms : DELAY_MS_DEFAULT;
    buf_put_str(&d->user_agent, o->user_agent);
    sd_stats_init(&d->stats);
    mutex_init(&d->apply_lock);
    mutex_init(&d->lock);
    cond_init(&d->changed);
    err e = thread_start(&d->teller, "discovery", tell, d);
    d->told = e == OK;
    if (e != OK) {
        discovery_close(d);
        return e;
    }
    *out = d;
    return OK;
}

void discovery_close(struct discovery *d)
{
    if (d == NULL)
        return;
    mutex_lock(&d->lock);
    d->stopping = true;
    cond_signal(&d->changed);
    mutex_unlock(&d->lock);
    if (d->told)
        thread_join(d->teller);
    for (size_t i = 0; i < d->provider_count; i++)
        provider_stop(d->providers[i]);
    for (size_t i = 0; i < d->provider_count; i++)
        provider_free(d->providers[i]);
    for (size_t i = 0; i < d->set_count; i++)
        set_free(&d->sets[i]);
    mem_free(d->sets);
    mem_free(d->providers);
    sd_stats_fini(&d->stats);
    buf_fini(&d->user_agent);
    cond_fini(&d->changed);
    mutex_fini(&d->lock);
    mutex_fini(&d->apply_lock);
    mem_free(d);
}
