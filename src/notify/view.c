/* view.c -- see view.h. */
#include "notify/view.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/regex.h"
#include "notify/alert_order.h"
#include "notify/engine_priv.h"
#include "notify/silence_index.h"
#include "notify/time_interval.h"

struct taking { /* a snapshot being taken */
    struct engine *e;
    const struct view_filter *f;
    struct view *v;
    struct silence_index silences;
    bool *wanted;    /* by index of route: does its receiver pass? */
    uint32_t *slots; /* of groups: fingerprint -> 1 + index of the alert, 0: free */
    size_t slot_count;
    bool *passes;  /* of groups: by index of the alert */
    size_t known;  /* of groups: alerts in the slots */
    uint64_t seed; /* fingerprints are chosen by who sends */
    int64_t now_ms;
};

/* ---- What passes ---- */

static bool all_match(const struct alert_matchers *ms, size_t count, struct labels ls)
{
    for (size_t i = 0; i < count; i++)
        if (!alert_matchers_match(&ms[i], ls))
            return false;
    return true;
}

bool receiver_matches(const struct receiver_config *r, const struct alert_matchers *ms,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < ms[i].count; k++) {
            str value = {NULL, 0};
            for (size_t p = 0; p < r->labels.count; p++)
                if (str_eq(r->labels.items[p].name, ms[i].items[k].name))
                    value = r->labels.items[p].value;
            if (!matcher_matches(&ms[i].items[k], value))
                return false;
        }
    }
    return true;
}

static bool receiver_passes(const struct engine *e, const struct view_filter *f, str name)
{
    const struct receiver_config *r = alertmanager_receiver(e->file, name);
    return (f->receiver == NULL || regex_search_match(f->receiver, name)) &&
           (r == NULL || receiver_matches(r, f->receiver_matchers, f->receiver_matchers_count));
}

static err begin(struct taking *t)
{
    struct engine *e = t->e;
    t->v->file = alertmanager_config_ref(e->file);
    arena_init(&t->v->arena, VIEW_BYTES_MAX);
    t->wanted = ARENA_ARRAY(&t->v->arena, bool, e->routes.count);
    if (t->wanted == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < e->routes.count; i++)
        t->wanted[i] = receiver_passes(e, t->f, e->routes.items[i].receiver);
    return silence_index_build(&t->silences, e->silences, t->now_ms, &t->v->arena);
}

static err take_silences(struct taking *t, struct view_alert *va)
{
    const struct silence *const *found;
    va->silenced_count = silence_index_find(&t->silences, va->alert->labels, &found);
    if (va->silenced_count == 0)
        return OK;
    str *ids = ARENA_ARRAY(&t->v->arena, str, va->silenced_count);
    for (size_t i = 0; ids != NULL && i < va->silenced_count; i++)
        ids[i] = arena_str(&t->v->arena, found[i]->id);
    va->silenced_by = ids;
    return arena_exceeded(&t->v->arena) ? ERR_LIMIT : OK;
}

/* Work out the state of `va->alert`; *passes: is it to be shown? */
static err judge(struct taking *t, struct view_alert *va, bool *passes)
{
    const struct live_alert *a = va->alert;
    *passes =
        a->ends_at_ms >= t->now_ms && all_match(t->f->matchers, t->f->matchers_count, a->labels);
    if (!*passes)
        return OK;
    TRY(take_silences(t, va));
    va->inhibited = inhibitor_mutes(t->e->inhibitor, a->labels, t->now_ms, &va->inhibited_by);
    bool active = va->silenced_count == 0 && !va->inhibited;
    *passes = (t->f->active || !active) && (t->f->silenced || va->silenced_count == 0) &&
              (t->f->inhibited || !va->inhibited);
    return OK;
}

/* ---- Alerts ---- */

/* The receivers of all its routes; *wanted: is one of them asked for? */
static err take_receivers(struct taking *t, struct view_alert *va, bool *wanted)
{
    size_t count = routes_match(&t->e->routes, va->alert->labels, t->e->matched);
    *wanted = false;
    for (size_t i = 0; i < count; i++)
        *wanted = *wanted || t->wanted[t->e->matched[i]->index];
    if (!*wanted)
        return OK;
    str *names = ARENA_ARRAY(&t->v->arena, str, count);
    if (names == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        names[i] = t->e->matched[i]->receiver;
    va->receivers = names;
    va->receiver_count = count;
    return OK;
}

static err take_alerts(struct taking *t)
{
    struct view *v = t->v;
    size_t at = 0;
    TRY(begin(t));
    v->alerts = ARENA_ARRAY(&v->arena, struct view_alert, alert_table_count(t->e->alerts) + 1);
    if (v->alerts == NULL)
        return ERR_LIMIT;
    for (struct live_alert *a; (a = alert_table_next(t->e->alerts, &at)) != NULL;) {
        struct view_alert *va = &v->alerts[v->alert_count];
        bool passes, wanted = false;
        *va = (struct view_alert){.alert = a};
        TRY(judge(t, va, &passes));
        if (passes)
            TRY(take_receivers(t, va, &wanted));
        if (!passes || !wanted)
            continue;
        (void)live_alert_ref(a);
        v->alert_count++;
    }
    return OK;
}

err view_alerts(struct engine *e, const struct view_filter *f, int64_t now_ms, struct view *v)
{
    struct taking t = {.e = e, .f = f, .v = v, .now_ms = now_ms};
    return take_alerts(&t);
}

/* ---- Groups ---- */

static size_t alerts_in_groups(const struct engine *e)
{
    size_t count = 0;
    for (size_t b = 0; b < e->bucket_count; b++)
        for (const struct group *g = e->buckets[b]; g != NULL; g = g->next)
            count += alert_table_count(g->alerts);
    return count;
}

static err begin_groups(struct taking *t)
{
    struct arena *a = &t->v->arena;
    size_t most = alerts_in_groups(t->e);
    t->slot_count = 16;
    t->seed = hash_random_seed();
    while (t->slot_count < 2 * most)
        t->slot_count *= 2;
    t->slots = ARENA_ARRAY(a, uint32_t, t->slot_count);
    t->passes = ARENA_ARRAY(a, bool, most + 1);
    t->v->alerts = ARENA_ARRAY(a, struct view_alert, most + 1);
    t->v->groups = ARENA_ARRAY(a, struct view_group, t->e->group_count + 1);
    return arena_exceeded(a) ? ERR_LIMIT : OK;
}

/* The place of an alert among those of the snapshot, judged when it is new; NULL: not shown. */
static err find_alert(struct taking *t, struct live_alert *a, struct view_alert **out)
{
    uint64_t h = (a->fingerprint ^ t->seed) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(h >> 20);
    struct view_alert *alerts = t->v->alerts;
    for (;; i++) {
        uint32_t *slot = &t->slots[i & (t->slot_count - 1)];
        if (*slot == 0) {
            struct view_alert *va = &alerts[t->known];
            *va = (struct view_alert){.alert = a};
            TRY(judge(t, va, &t->passes[t->known]));
            (void)live_alert_ref(a);
            t->v->alert_count = ++t->known;
            *slot = (uint32_t)t->known;
        }
        if (alerts[*slot - 1].alert->fingerprint == a->fingerprint) {
            *out = t->passes[*slot - 1] ? &alerts[*slot - 1] : NULL;
            return OK;
        }
    }
}

static err add_receiver(struct taking *t, struct view_alert *va, str receiver)
{
    size_t n = va->receiver_count;
    if ((n & (n - 1)) == 0) { /* a power of two, or none: it is full */
        const str *grown =
            arena_grow(&t->v->arena, va->receivers, n, n == 0 ? 1 : 2 * n, sizeof(str));
        if (grown == NULL)
            return ERR_LIMIT;
        va->receivers = grown;
    }
    ((str *)(uintptr_t)va->receivers)[va->receiver_count++] = receiver;
    return OK;
}

/* The names of the intervals because of which nothing is sent of this route now. */
static err take_muted(struct taking *t, const struct route *r, struct view_group *vg)
{
    struct texts active = r->config->active_time_intervals, mute = r->config->mute_time_intervals;
    str *names = ARENA_ARRAY(&t->v->arena, str, active.count + mute.count + 1);
    bool inside = false;
    if (names == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < active.count; i++) {
        const struct time_intervals *set = alertmanager_time_intervals(t->e->file, active.items[i]);
        inside = inside || (set != NULL && time_intervals_contain(set, t->now_ms));
        names[i] = active.items[i];
    }
    vg->muted_by = names;
    vg->muted_count = inside ? 0 : active.count;
    if (vg->muted_count > 0)
        return OK;
    for (size_t i = 0; i < mute.count; i++) {
        const struct time_intervals *set = alertmanager_time_intervals(t->e->file, mute.items[i]);
        if (set != NULL && time_intervals_contain(set, t->now_ms))
            names[vg->muted_count++] = mute.items[i];
    }
    return OK;
}

static err copy_route_labels(struct pairs from, struct arena *a, struct pairs *out)
{
    out->items = ARENA_ARRAY(a, struct pair, from.count + 1);
    out->count = out->items != NULL ? from.count : 0;
    for (size_t i = 0; i < out->count; i++)
        out->items[i] =
            (struct pair){arena_str(a, from.items[i].name), arena_str(a, from.items[i].value)};
    return arena_exceeded(a) ? ERR_LIMIT : OK;
}

static err take_group(struct taking *t, const struct group *g)
{
    struct arena *a = &t->v->arena;
    struct view_group *vg = &t->v->groups[t->v->group_count];
    size_t at = 0;
    *vg = (struct view_group){.receiver = g->route->receiver, .route = g->route->index};
    vg->alerts = ARENA_ARRAY(a, const struct view_alert *, alert_table_count(g->alerts) + 1);
    if (vg->alerts == NULL)
        return ERR_LIMIT;
    for (struct live_alert *la; (la = alert_table_next(g->alerts, &at)) != NULL;) {
        struct view_alert *va;
        TRY(find_alert(t, la, &va));
        if (va == NULL)
            continue;
        TRY(add_receiver(t, va, g->route->receiver));
        vg->alerts[vg->alert_count++] = va;
    }
    if (vg->alert_count == 0)
        return OK;
    TRY(take_muted(t, g->route, vg));
    if (vg->muted_count > 0 && !t->f->muted)
        return OK;
    TRY(labels_copy(g->labels, a, &vg->labels));
    TRY(copy_route_labels(g->route->labels, a, &vg->route_labels));
    t->v->group_count++;
    return OK;
}

err view_groups(struct engine *e, const struct view_filter *f, int64_t now_ms, struct view *v)
{
    struct taking t = {.e = e, .f = f, .v = v, .now_ms = now_ms};
    TRY(begin(&t));
    TRY(begin_groups(&t));
    for (size_t b = 0; b < e->bucket_count; b++)
        for (const struct group *g = e->buckets[b]; g != NULL; g = g->next)
            if (t.wanted[g->route->index])
                TRY(take_group(&t, g));
    return OK;
}

/* ---- Order, end ---- */

static int compare_fingerprints(const void *pa, const void *pb)
{
    uint64_t a = ((const struct view_alert *)pa)->alert->fingerprint;
    uint64_t b = ((const struct view_alert *)pb)->alert->fingerprint;
    return (a > b) - (a < b);
}

static int compare_names(const void *pa, const void *pb)
{
    return str_cmp(*(const str *)pa, *(const str *)pb);
}

static int compare_alerts(const void *pa, const void *pb)
{
    const struct view_alert *const *a = pa, *const *b = pb;
    return alerts_order((*a)->alert, (*b)->alert);
}

static int compare_groups(const void *pa, const void *pb)
{
    const struct view_group *a = pa, *b = pb;
    int c = label_sets_order(a->labels, b->labels);
    if (c == 0)
        c = str_cmp(a->receiver, b->receiver);
    return c != 0 ? c : (a->route > b->route) - (a->route < b->route);
}

static void sort_groups(struct view *v)
{
    for (size_t i = 0; i < v->alert_count; i++) {
        struct view_alert *va = &v->alerts[i];
        if (va->receiver_count > 1)
            qsort((str *)(uintptr_t)va->receivers, va->receiver_count, sizeof(str), compare_names);
    }
    for (size_t i = 0; i < v->group_count; i++)
        qsort(v->groups[i].alerts, v->groups[i].alert_count, sizeof(v->groups[i].alerts[0]),
              compare_alerts);
    qsort(v->groups, v->group_count, sizeof(v->groups[0]), compare_groups);
}

void view_sort(struct view *v)
{
    if (v->groups != NULL)
        sort_groups(v); /* which point to alerts: these stay where they are */
    else if (v->alert_count > 1)
        qsort(v->alerts, v->alert_count, sizeof(v->alerts[0]), compare_fingerprints);
}

void view_close(struct view *v)
{
    for (size_t i = 0; i < v->alert_count; i++)
        live_alert_unref(v->alerts[i].alert);
    alertmanager_config_unref(v->file);
    arena_fini(&v->arena);
    *v = (struct view){0};
}

struct alertmanager_file *view_config(const struct engine *e)
{
    return alertmanager_config_ref(e->file);
}
