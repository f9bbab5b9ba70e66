/* incident_table.c -- all incidents: found by their groups' keys, read from the state at the start,
 * forgotten when they are old. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
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

struct incident *incidents_bucket(const struct incidents *t, str key)
{
    return t->bucket_count > 0 ? t->buckets[bucket_of(t, key)] : NULL;
}

void incidents_add(struct incidents *t, struct incident *i)
{
    if (t->count >= t->bucket_count)
        grow(t);
    struct incident **to = &t->buckets[bucket_of(t, i->group_key)];
    i->next = *to;
    *to = i;
    i->provider_key = incident_provider_key(i->group_key);
    t->count++;
    t->resolved_count += i->resolved_ms != 0 && i->group == NULL;
}

struct incident *incident_find(const struct engine *e, str id)
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
        incidents_add(e->incidents, i);
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
