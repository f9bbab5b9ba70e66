/* incident.c -- see incident.h: from the first notification to the end. */
#include "notify/incident.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "notify/incident_priv.h"

/* ---- Beginning and end ---- */

void incident_change(struct engine *e, struct incident *i)
{
    incident_keep(e, i);
    e->incidents->unsynced = true;
}

static bool is_taken(const struct incidents *t, str key, const char *id)
{
    const struct incident *i = incidents_bucket(t, key);
    while (i != NULL && memcmp(i->id, id, INCIDENT_ID_SIZE) != 0)
        i = i->next;
    return i != NULL;
}

/* Two routes may have groups of the same key: the later one begins a little later. */
static void make_id(const struct engine *e, str key, int64_t *start_ms, char *out)
{
    char hex[SHA256_HEX_SIZE];
    bool taken;
    do {
        struct buf text = {0};
        buf_printf(&text, STR_FMT "%lld", STR_ARG(key), (long long)*start_ms);
        sha256_hex(buf_slice(&text), hex);
        buf_fini(&text);
        memcpy(out, hex, INCIDENT_ID_SIZE);
        out[INCIDENT_ID_SIZE] = '\0';
        taken = is_taken(e->incidents, key, out);
        *start_ms += taken;
    } while (taken);
}

/* The labels all alerts that fire have in common (at least one does); items are the caller's. */
static struct labels common_labels(const struct notified_alert *alerts, size_t count)
{
    size_t kept = 0, first = 0;
    while (alerts[first].resolved)
        first++;
    struct labels ls = alerts[first].alert->labels;
    struct label *items = mem_zalloc(ls.count + 1, sizeof(*items));
    for (size_t l = 0; l < ls.count; l++) {
        bool common = true;
        for (size_t i = first + 1; common && i < count; i++)
            common =
                alerts[i].resolved ||
                str_eq(labels_get(alerts[i].alert->labels, ls.items[l].name), ls.items[l].value);
        if (common)
            items[kept++] = ls.items[l];
    }
    return (struct labels){items, kept};
}

static const struct escalation_policy *policy_for(const struct alerting_ext *x, struct labels ls)
{
    for (size_t b = 0; b < x->escalation_bindings.count; b++)
        if (matcher_sets_match(&x->escalation_bindings.items[b].matchers, ls))
            return x->escalation_bindings.items[b].to;
    return NULL;
}

/* A copy of all that the incident needs, by way of the bytes it is kept as. */
static struct incident *copy(const struct incident *from)
{
    struct buf bytes = {0};
    incident_encode(from, &bytes);
    struct incident *i = incident_decode(buf_slice(&bytes));
    buf_fini(&bytes);
    return i;
}

static void open_incident(struct engine *e, struct group *g, struct labels ls,
                          const struct escalation_policy *p, int64_t now_ms)
{
    struct incident made = {.group_key = g->key,
                            .receiver = g->route->receiver,
                            .labels = ls,
                            .policy = *p,
                            .started_ms = now_ms,
                            .next_step = 1};
    make_id(e, g->key, &made.started_ms, made.id);
    made.clock_ms = now_ms;
    struct incident *i = copy(&made);
    if (i == NULL) {
        log_error("an incident is too large: its group is told without escalation",
                  LOG_STR("group", g->key));
        return;
    }
    i->fired_ms[0] = now_ms;
    i->group = g;
    g->incident = i;
    incidents_add(e->incidents, i);
    incident_change(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    log_info("incident", LOG_CSTR("incident", i->id), LOG_STR("policy", i->policy.name),
             LOG_STR("group", g->key));
    incident_inherit_ack(e, i, now_ms);
}

/* On disk it is open until everybody was told: after a crash the end is told again. */
static void set_resolved(struct engine *e, struct incident *i, int64_t now_ms)
{
    i->resolved_ms = now_ms;
    i->resume_ms = 0;
    if (!incident_keeps_acks(e))
        incident_clear_ack(i);
    due_heap_remove(&e->incidents->due, &i->due);
}

/* Its alerts fire again before everybody was told that they had ended. */
static void reopen(struct engine *e, struct incident *i, int64_t now_ms)
{
    int64_t since_ms = i->paused_ms != 0 ? i->paused_ms : i->resolved_ms;
    i->clock_ms += now_ms - since_ms;
    i->paused_ms = i->resolved_ms = 0;
    incident_change(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
}

struct incident *incident_of_flush(struct engine *e, struct group *g,
                                   const struct notified_alert *alerts, size_t count,
                                   bool all_resolved, int64_t now_ms)
{
    const struct alerting_ext *x = e->routing->companion.ext;
    struct incident *i = g->incident;
    size_t firing = 0;
    for (size_t a = 0; a < count; a++)
        firing += !alerts[a].resolved;
    if (i != NULL && all_resolved && i->resolved_ms == 0)
        set_resolved(e, i, now_ms);
    else if (i != NULL && !all_resolved && i->resolved_ms != 0)
        reopen(e, i, now_ms);
    if (i != NULL || firing == 0 || x == NULL)
        return i;
    struct labels ls = common_labels(alerts, count);
    const struct escalation_policy *p = policy_for(x, ls);
    if (p != NULL)
        open_incident(e, g, ls, p, now_ms);
    mem_free((struct label *)(uintptr_t)ls.items);
    return g->incident;
}

static void leave(struct engine *e, struct incident *i)
{
    if (i->running != NULL)
        flush_abandon(e, i->running);
    if (i->relaying != NULL)
        flush_abandon(e, i->relaying);
    due_heap_remove(&e->incidents->due, &i->due);
    i->group->incident = NULL;
    i->group = NULL;
}

void incident_end(struct engine *e, struct group *g)
{
    struct incident *i = g->incident;
    if (i == NULL || i->resolved_ms == 0)
        return;
    leave(e, i);
    incident_keep(e, i);
    e->incidents->resolved_count++;
    log_info("incident resolved", LOG_CSTR("incident", i->id));
}

/* ---- Groups come and go ---- */

void incidents_attach(struct engine *e, struct group *g, int64_t now_ms)
{
    const struct incidents *t = e->incidents;
    struct incident *i = incidents_bucket(t, g->key);
    while (i != NULL && (i->group != NULL || i->resolved_ms != 0 || !str_eq(i->group_key, g->key) ||
                         !str_eq(i->receiver, g->route->receiver)))
        i = i->next;
    if (i == NULL)
        return;
    i->group = g;
    g->incident = i;
    due_heap_set(&e->incidents->due, &i->due, now_ms + t->start_delay_ms);
}

void incidents_detach(struct engine *e, struct group *g)
{
    if (g->incident != NULL)
        leave(e, g->incident);
}

static void warn_vanished(const struct engine *e, const struct incident *i)
{
    for (size_t l = 0; l < i->policy.levels.count; l++) {
        struct texts names = i->policy.levels.items[l].receivers;
        for (size_t r = 0; r < names.count; r++)
            if (alertmanager_receiver(e->file, names.items[r]) == NULL)
                log_warn("a level of an incident has a receiver that is gone: that of the route "
                         "is told instead",
                         LOG_CSTR("incident", i->id), LOG_STR("receiver", names.items[r]));
    }
}

/* Those without a group: the configuration has no such group any more. */
void incidents_settle(struct engine *e, int64_t now_ms)
{
    struct incidents *t = e->incidents;
    for (size_t b = 0; b < t->bucket_count; b++) {
        for (struct incident *i = t->buckets[b]; i != NULL; i = i->next) {
            if (i->group != NULL) {
                warn_vanished(e, i);
            } else if (i->resolved_ms == 0) {
                set_resolved(e, i, now_ms);
                incident_keep(e, i);
                t->resolved_count++;
                log_info("an incident is closed: its group is no more",
                         LOG_CSTR("incident", i->id));
            }
        }
    }
    t->start_delay_ms = 0; /* it is for what a restart finds */
}
