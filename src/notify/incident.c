/* incident.c -- see incident.h: from the first notification to the end, and the ladder between. */
#include "notify/incident.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "notify/incident_priv.h"

enum { BUCKETS_MIN = 64 };

/* ---- The table ---- */

static size_t bucket_of(const struct incidents *t, str key)
{
    return (size_t)hash64(str_bytes(key), 0) & (t->bucket_count - 1);
}

static void grow(struct incidents *t)
{
    struct incidents old = *t;
    t->bucket_count = MAX(2 * old.bucket_count, (size_t)BUCKETS_MIN);
    t->buckets = mem_zalloc(t->bucket_count, sizeof(*t->buckets));
    for (size_t b = 0; b < old.bucket_count; b++) {
        struct incident *i = old.buckets[b];
        while (i != NULL) {
            struct incident *next = i->next, **to = &t->buckets[bucket_of(t, i->group_key)];
            i->next = *to;
            *to = i;
            i = next;
        }
    }
    mem_free(old.buckets);
}

static void add(struct incidents *t, struct incident *i)
{
    if (t->count >= t->bucket_count)
        grow(t);
    struct incident **to = &t->buckets[bucket_of(t, i->group_key)];
    i->next = *to;
    *to = i;
    t->count++;
    t->resolved_count += i->resolved_ms != 0 && i->group == NULL;
}

static struct incident *find(const struct engine *e, str id)
{
    const struct incidents *t = e->incidents;
    for (size_t b = 0; b < t->bucket_count; b++)
        for (struct incident *i = t->buckets[b]; i != NULL; i = i->next)
            if (str_eq(str_from(i->id), id))
                return i;
    return NULL;
}

static void restore_one(void *arg, slice key, slice value)
{
    struct engine *e = arg;
    struct incident *i = incident_decode(value);
    (void)key;
    if (i != NULL)
        add(e->incidents, i);
    else
        log_error("an incident in the state of notifications cannot be read: it is forgotten");
}

void incidents_restore(struct engine *e)
{
    state_log_each(e->state, STATE_INCIDENT, restore_one, e);
}

void incidents_close(struct engine *e)
{
    struct incidents *t = e->incidents;
    for (size_t b = 0; t != NULL && b < t->bucket_count; b++) {
        struct incident *next;
        for (struct incident *i = t->buckets[b]; i != NULL; i = next) {
            next = i->next;
            incident_free(i);
        }
    }
    for (size_t c = 0; t != NULL && c < t->escalation_count; c++)
        mem_free(t->escalations[c].policy);
    if (t == NULL)
        return;
    mem_free(t->escalations);
    mem_free(t->buckets);
    due_heap_fini(&t->due);
    mem_free(t);
}

/* ---- Beginning and end ---- */

static void keep(struct engine *e, struct incident *i)
{
    incident_keep(e, i);
    e->incidents->unsynced = true;
}

static bool is_taken(const struct incidents *t, str key, const char *id)
{
    const struct incident *i = t->bucket_count > 0 ? t->buckets[bucket_of(t, key)] : NULL;
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
    add(e->incidents, i);
    keep(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    log_info("incident", LOG_CSTR("incident", i->id), LOG_STR("policy", i->policy.name),
             LOG_STR("group", g->key));
}

static void clear_ack(struct incident *i)
{
    i->acked_ms = i->ack_expires_ms = 0;
    buf_reset(&i->by);
    buf_reset(&i->comment);
}

/* On disk it is open until everybody was told: after a crash the end is told again. */
static void set_resolved(struct engine *e, struct incident *i, int64_t now_ms)
{
    i->resolved_ms = now_ms;
    i->resume_ms = 0;
    clear_ack(i);
    due_heap_remove(&e->incidents->due, &i->due);
}

/* Its alerts fire again before everybody was told that they had ended. */
static void reopen(struct engine *e, struct incident *i, int64_t now_ms)
{
    int64_t since_ms = i->paused_ms != 0 ? i->paused_ms : i->resolved_ms;
    i->clock_ms += now_ms - since_ms;
    i->paused_ms = i->resolved_ms = 0;
    keep(e, i);
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
    struct incident *i = t->bucket_count > 0 ? t->buckets[bucket_of(t, g->key)] : NULL;
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

/* ---- The ladder ---- */

bool incident_is_acked(const struct incident *i)
{
    return i->acked_ms != 0;
}

static size_t step_count(const struct incident *i)
{
    return i->policy.levels.count * (size_t)(i->policy.repeat.count + 1);
}

/* How old the ladder is at a step. */
static int64_t step_ms(const struct incident *i, size_t step)
{
    size_t n = i->policy.levels.count;
    const struct escalation_level *levels = i->policy.levels.items;
    return (int64_t)(step / n) * (levels[n - 1].after_ms + i->policy.repeat.interval_ms) +
           levels[step % n].after_ms;
}

static void count_escalation(struct incidents *t, str policy, size_t level)
{
    for (size_t c = 0; c < t->escalation_count; c++)
        if (t->escalations[c].level == level &&
            str_eq(str_from(t->escalations[c].policy), policy)) {
            t->escalations[c].count++;
            return;
        }
    t->escalations = mem_resize(t->escalations, t->escalation_count + 1, sizeof(*t->escalations));
    char *name = mem_zalloc(policy.len + 1, 1);
    memcpy(name, policy.ptr, policy.len);
    t->escalations[t->escalation_count++] = (struct escalation_count){name, level, 1};
}

static void fire(struct engine *e, struct incident *i, size_t step, int64_t now_ms)
{
    size_t level = step % i->policy.levels.count;
    i->fired_ms[level] = now_ms;
    i->next_step = step + 1;
    keep(e, i);
    count_escalation(e->incidents, i->policy.name, level + 1);
    log_info("incident escalated", LOG_CSTR("incident", i->id), LOG_STR("policy", i->policy.name),
             LOG_INT("level", (int64_t)level + 1));
    flush_level(e, i, level, now_ms);
}

/* It was stopped: the level that was reached is told again, and the next ones count from now. */
static void resume(struct engine *e, struct incident *i, int64_t now_ms)
{
    i->resume_ms = i->paused_ms = 0;
    i->clock_ms = now_ms - step_ms(i, i->next_step - 1);
    fire(e, i, i->next_step - 1, now_ms);
}

/* Let the clock stand or go; true: somebody can be told. */
static bool run_clock(struct engine *e, struct incident *i, int64_t now_ms)
{
    bool active = flush_has_active(e, i->group, now_ms);
    if (!active && i->paused_ms == 0) {
        i->paused_ms = now_ms;
        incident_keep(e, i);
    } else if (active && i->paused_ms != 0) {
        i->clock_ms += now_ms - i->paused_ms;
        i->paused_ms = 0;
        incident_keep(e, i);
    }
    return active;
}

/* Of the steps that are overdue the last one counts. */
static void climb(struct engine *e, struct incident *i, int64_t now_ms)
{
    size_t step = i->next_step, count = step_count(i);
    if (step >= count || now_ms - i->clock_ms < step_ms(i, step))
        return;
    while (step + 1 < count && now_ms - i->clock_ms >= step_ms(i, step + 1))
        step++;
    fire(e, i, step, now_ms);
}

/* When to look again; INT64_MAX: there is nothing to wait for. */
static int64_t look(struct engine *e, struct incident *i, int64_t now_ms)
{
    if (incident_is_acked(i) && i->ack_expires_ms != 0 && now_ms >= i->ack_expires_ms) {
        log_info("acknowledgement lapsed", LOG_CSTR("incident", i->id));
        clear_ack(i);
        i->resume_ms = i->policy.stop_on_ack ? now_ms : 0;
        keep(e, i);
    }
    if (incident_is_acked(i) && i->policy.stop_on_ack)
        return i->ack_expires_ms != 0 ? i->ack_expires_ms : INT64_MAX;
    if (i->resume_ms > now_ms)
        return i->resume_ms;
    if (i->next_step >= step_count(i) && i->resume_ms == 0)
        return incident_is_acked(i) && i->ack_expires_ms != 0 ? i->ack_expires_ms : INT64_MAX;
    if (!run_clock(e, i, now_ms))
        return now_ms + INCIDENT_LOOK_MS;
    if (i->resume_ms != 0)
        resume(e, i, now_ms);
    climb(e, i, now_ms);
    int64_t next_ms = now_ms + INCIDENT_LOOK_MS;
    if (i->next_step < step_count(i))
        next_ms = MIN(next_ms, i->clock_ms + step_ms(i, i->next_step));
    return next_ms;
}

void incidents_run(struct engine *e, int64_t now_ms)
{
    struct due_heap *heap = &e->incidents->due;
    struct incident *i;
    while ((i = (struct incident *)due_heap_first(heap)) != NULL && i->due.ms <= now_ms) {
        due_heap_remove(heap, &i->due);
        int64_t next_ms = look(e, i, now_ms);
        if (next_ms != INT64_MAX)
            due_heap_set(heap, &i->due, MAX(next_ms, now_ms + 1));
    }
}

void incident_new_alerts(struct engine *e, struct incident *i, int64_t now_ms)
{
    log_info("acknowledgement ended: new alerts", LOG_CSTR("incident", i->id));
    clear_ack(i);
    i->resume_ms = now_ms;
    keep(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
}

/* ---- What people do ---- */

static bool is_resolved(const struct incident *i, int64_t now_ms)
{
    size_t at = 0;
    if (i->resolved_ms != 0 || i->group == NULL)
        return true;
    for (struct live_alert *a; (a = alert_table_next(i->group->alerts, &at)) != NULL;)
        if (!live_alert_is_resolved(a, now_ms))
            return false;
    return true;
}

static err find_open(const struct engine *e, str id, int64_t now_ms, struct incident **out,
                     struct diag *d)
{
    struct incident *i = find(e, id);
    if (i == NULL)
        return diag_set(d, ERR_NOTFOUND, "there is no incident of that id");
    if (is_resolved(i, now_ms))
        return diag_set(d, ERR_ORDER, "incident %s is resolved", i->id);
    *out = i;
    return OK;
}

static err check_ack(const struct incident_ack *ack, int64_t now_ms, struct diag *d)
{
    if (ack->by.len == 0)
        return diag_set(d, ERR_INVALID, "\"by\" is missing: who acknowledges?");
    if (ack->by.len > INCIDENT_BY_BYTES_MAX)
        return diag_set(d, ERR_INVALID, "\"by\" is longer than %d bytes", INCIDENT_BY_BYTES_MAX);
    if (ack->comment.len > INCIDENT_COMMENT_BYTES_MAX)
        return diag_set(d, ERR_INVALID, "\"comment\" is longer than %d bytes",
                        INCIDENT_COMMENT_BYTES_MAX);
    if (ack->expires_ms != 0 && ack->expires_ms <= now_ms)
        return diag_set(d, ERR_INVALID, "\"expires\" is in the past");
    return OK;
}

/* The first of what was asked for (or else is the default) and what the policy allows. */
static int64_t expiry(const struct engine *e, const struct incident *i,
                      const struct incident_ack *ack, int64_t now_ms)
{
    const struct alerting_ext *x = e->routing->companion.ext;
    int64_t at_ms = ack->expires_ms, longest_ms = i->policy.ack_timeout_ms;
    if (at_ms == 0 && x != NULL && x->acknowledgements.default_expiry_ms != 0)
        at_ms = now_ms + x->acknowledgements.default_expiry_ms;
    if (longest_ms != 0 && (at_ms == 0 || at_ms > now_ms + longest_ms))
        at_ms = now_ms + longest_ms;
    return at_ms;
}

err incident_ack(struct engine *e, str id, const struct incident_ack *ack, int64_t now_ms,
                 struct diag *d)
{
    struct incident *i;
    TRY(check_ack(ack, now_ms, d));
    TRY(find_open(e, id, now_ms, &i, d));
    clear_ack(i);
    buf_put_str(&i->by, ack->by);
    buf_put_str(&i->comment, ack->comment);
    i->acked_ms = now_ms;
    i->ack_expires_ms = expiry(e, i, ack, now_ms);
    e->incidents->acknowledgements++;
    keep(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    log_info("incident acknowledged", LOG_CSTR("incident", i->id), LOG_STR("by", ack->by));
    return OK;
}

err incident_unack(struct engine *e, str id, int64_t now_ms, struct diag *d)
{
    struct incident *i;
    TRY(find_open(e, id, now_ms, &i, d));
    if (!incident_is_acked(i))
        return diag_set(d, ERR_ORDER, "incident %s is not acknowledged", i->id);
    clear_ack(i);
    i->resume_ms = i->policy.stop_on_ack ? now_ms + INCIDENT_RESUME_MS : 0;
    keep(e, i);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    return OK;
}

err incident_escalate(struct engine *e, str id, int64_t now_ms, struct diag *d)
{
    struct incident *i;
    TRY(find_open(e, id, now_ms, &i, d));
    if (i->next_step >= step_count(i))
        return diag_set(d, ERR_ORDER, "incident %s has reached its last level", i->id);
    i->clock_ms = now_ms - step_ms(i, i->next_step);
    if (i->paused_ms != 0)
        i->paused_ms = now_ms;
    fire(e, i, i->next_step, now_ms);
    due_heap_set(&e->incidents->due, &i->due, now_ms);
    return OK;
}

/* ---- Forgetting ---- */

static void forget(struct engine *e, struct incident **place)
{
    struct incident *i = *place;
    state_log_put(e->state, STATE_INCIDENT, str_bytes(str_from(i->id)), NULL);
    *place = i->next;
    e->incidents->count--;
    e->incidents->resolved_count--;
    incident_free(i);
}

static int compare_times(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return (a > b) - (a < b);
}

/* Those that ended by then go. */
static int64_t forgotten_until(const struct incidents *t, int64_t now_ms)
{
    int64_t until_ms = now_ms - INCIDENT_KEPT_MS;
    if (t->resolved_count <= INCIDENT_KEPT_MAX)
        return until_ms;
    size_t count = 0;
    int64_t *ends = mem_zalloc(t->resolved_count, sizeof(*ends));
    for (size_t b = 0; b < t->bucket_count; b++)
        for (const struct incident *i = t->buckets[b]; i != NULL; i = i->next)
            if (i->group == NULL && count < t->resolved_count)
                ends[count++] = i->resolved_ms;
    qsort(ends, count, sizeof(*ends), compare_times);
    until_ms = MAX(until_ms, ends[count - INCIDENT_KEPT_MAX - 1]);
    mem_free(ends);
    return until_ms;
}

void incidents_gc(struct engine *e, int64_t now_ms)
{
    struct incidents *t = e->incidents;
    int64_t until_ms = forgotten_until(t, now_ms);
    for (size_t b = 0; b < t->bucket_count; b++) {
        struct incident **place = &t->buckets[b];
        while (*place != NULL) {
            if ((*place)->group == NULL && (*place)->resolved_ms <= until_ms)
                forget(e, place);
            else
                place = &(*place)->next;
        }
    }
}

/* ---- Seen from outside ---- */

const char *incident_state_name(enum incident_state s)
{
    static const char *const NAMES[] = {"open", "acked", "resolved"};
    return NAMES[s];
}

static int64_t next_level_ms(const struct incident *i)
{
    if (i->resolved_ms != 0 || i->paused_ms != 0 || (incident_is_acked(i) && i->policy.stop_on_ack))
        return 0;
    if (i->resume_ms != 0)
        return i->resume_ms;
    return i->next_step < step_count(i) ? i->clock_ms + step_ms(i, i->next_step) : 0;
}

static void show(const struct incident *i, int64_t now_ms, struct incident_view *out)
{
    size_t at = 0;
    bool resolved = is_resolved(i, now_ms);
    *out = (struct incident_view){
        .id = i->id,
        .state = resolved               ? INCIDENT_RESOLVED
                 : incident_is_acked(i) ? INCIDENT_ACKED
                                        : INCIDENT_OPEN,
        .group_key = i->group_key,
        .receiver = i->receiver,
        .labels = i->labels,
        .policy = &i->policy,
        .fired_ms = i->fired_ms,
        .level = (i->next_step - 1) % i->policy.levels.count + 1,
        .started_ms = i->started_ms,
        .resolved_ms = i->resolved_ms,
        .next_ms = resolved ? 0 : next_level_ms(i),
        .paused = i->paused_ms != 0,
        .acked_by = buf_str(&i->by),
        .comment = buf_str(&i->comment),
        .acked_ms = i->acked_ms,
        .ack_expires_ms = i->ack_expires_ms,
    };
    if (i->group == NULL)
        return;
    for (struct live_alert *a; (a = alert_table_next(i->group->alerts, &at)) != NULL;) {
        out->alert_count++;
        out->firing_count += !live_alert_is_resolved(a, now_ms);
    }
}

/* *at: the bucket, and which of it. */
bool incidents_next(const struct engine *e, int64_t now_ms, size_t *at, struct incident_view *out)
{
    const struct incidents *t = e->incidents;
    for (size_t b = *at >> 32; b < t->bucket_count; b++, *at = b << 32) {
        const struct incident *i = t->buckets[b];
        for (size_t skip = *at & UINT32_MAX; i != NULL && skip > 0; skip--)
            i = i->next;
        if (i != NULL) {
            (*at)++;
            show(i, now_ms, out);
            return true;
        }
    }
    return false;
}

err incident_get(const struct engine *e, str id, int64_t now_ms, struct incident_view *out)
{
    const struct incident *i = find(e, id);
    if (i == NULL)
        return ERR_NOTFOUND;
    show(i, now_ms, out);
    return OK;
}

void incidents_count(const struct engine *e, int64_t now_ms, struct incident_counts *out)
{
    struct incident_view v;
    size_t at = 0;
    *out = (struct incident_counts){.acknowledgements = e->incidents->acknowledgements,
                                    .escalations = e->incidents->escalations,
                                    .escalation_count = e->incidents->escalation_count};
    while (incidents_next(e, now_ms, &at, &v))
        out->states[v.state]++;
}
