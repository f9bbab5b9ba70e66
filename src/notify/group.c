/* group.c -- aggregation groups: which alert is in which, and when a group is flushed. */
#include "base/hash.h"
#include "base/mem.h"
#include "notify/engine_priv.h"
#include "notify/incident_priv.h"

enum { BUCKETS_MIN = 64 };

static uint64_t hash_of(const struct route *r, struct labels ls)
{
    return labels_hash(ls, r->index).lo;
}

static struct group *find(const struct engine *e, const struct route *r, struct labels ls,
                          uint64_t h)
{
    struct group *g = e->bucket_count > 0 ? e->buckets[h & (e->bucket_count - 1)] : NULL;
    while (g != NULL && (g->hash != h || g->route != r || !labels_eq(g->labels, ls)))
        g = g->next;
    return g;
}

static void grow(struct engine *e)
{
    size_t count = e->bucket_count == 0 ? BUCKETS_MIN : e->bucket_count * 2;
    struct group **buckets = mem_zalloc(count, sizeof(struct group *));
    for (size_t b = 0; b < e->bucket_count; b++) {
        while (e->buckets[b] != NULL) {
            struct group *g = e->buckets[b];
            e->buckets[b] = g->next;
            g->next = buckets[g->hash & (count - 1)];
            buckets[g->hash & (count - 1)] = g;
        }
    }
    mem_free(e->buckets);
    e->buckets = buckets;
    e->bucket_count = count;
}

static void copy_labels(struct group *g, struct labels ls)
{
    struct label *items = mem_zalloc(ls.count + 1, sizeof(*items));
    struct buf key = {0};
    size_t at = 0;
    route_group_key(g->route, ls, &key);
    for (size_t i = 0; i < ls.count; i++) {
        buf_put_str(&g->text, ls.items[i].name);
        buf_put_str(&g->text, ls.items[i].value);
    }
    buf_put_str(&g->text, buf_str(&key));
    const char *text = (const char *)g->text.ptr; /* it grows no more */
    for (size_t i = 0; i < ls.count; i++) {
        items[i].name = (str){text + at, ls.items[i].name.len};
        items[i].value = (str){text + at + items[i].name.len, ls.items[i].value.len};
        at += items[i].name.len + items[i].value.len;
    }
    g->labels = (struct labels){items, ls.count};
    g->key = (str){text + at, key.len};
    buf_fini(&key);
}

static struct group *make(struct engine *e, const struct route *r, struct labels ls, uint64_t h,
                          int64_t now_ms)
{
    struct group *g = mem_zalloc(1, sizeof(*g));
    g->refs = 1;
    g->routing = routing_ref(e->routing);
    g->route = r;
    g->hash = h;
    g->rebuilt = e->regrouping;
    g->alerts = alert_table_open();
    due_heap_set(&e->due_groups, &g->due, now_ms + r->group_wait_ms);
    copy_labels(g, ls);
    if (e->group_count >= e->bucket_count)
        grow(e);
    g->next = e->buckets[h & (e->bucket_count - 1)];
    e->buckets[h & (e->bucket_count - 1)] = g;
    e->group_count++;
    incidents_attach(e, g, now_ms);
    return g;
}

void group_unref(struct group *g)
{
    if (--g->refs > 0)
        return;
    alert_table_close(g->alerts);
    mem_free((struct label *)(uintptr_t)g->labels.items);
    buf_fini(&g->text);
    routing_unref(g->routing);
    mem_free(g);
}

static void drop_group(struct engine *e, struct group *g)
{
    if (g->running != NULL)
        flush_abandon(e, g->running);
    incidents_detach(e, g);
    due_heap_remove(&e->due_groups, &g->due);
    group_unref(g);
    e->group_count--;
}

static bool put_into(struct engine *e, const struct route *r, struct live_alert *a, int64_t now_ms)
{
    struct label *items = mem_zalloc(a->labels.count + 1, sizeof(*items));
    struct labels ls = route_group_labels(r, a->labels, items);
    uint64_t h = hash_of(r, ls);
    struct group *g = find(e, r, ls, h);
    bool room = g != NULL || e->group_count < ENGINE_GROUPS_MAX;
    if (g == NULL && room)
        g = make(e, r, ls, h, now_ms);
    mem_free(items);
    if (!room)
        return false;
    alert_table_set(g->alerts, a);
    if (!g->has_flushed && a->starts_at_ms + r->group_wait_ms < now_ms)
        due_heap_set(&e->due_groups, &g->due, now_ms); /* it has waited long enough elsewhere */
    return true;
}

bool groups_put(struct engine *e, struct live_alert *a, int64_t now_ms)
{
    bool all = true;
    size_t count = routes_match(&e->routes, a->labels, e->matched);
    for (size_t i = 0; i < count; i++)
        all = put_into(e, e->matched[i], a, now_ms) && all;
    return all;
}

static void sweep(struct engine *e, bool all)
{
    for (size_t b = 0; b < e->bucket_count; b++) {
        struct group **place = &e->buckets[b];
        while (*place != NULL) {
            struct group *g = *place;
            bool gone = all || (alert_table_count(g->alerts) == 0 && g->running == NULL);
            if (gone) {
                *place = g->next;
                drop_group(e, g);
            } else {
                place = &g->next;
            }
        }
    }
}

void groups_clear(struct engine *e)
{
    sweep(e, true);
}

void groups_gc(struct engine *e)
{
    sweep(e, false);
}
