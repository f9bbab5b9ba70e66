/* related.c -- see related.h. */
#include "notify/related.h"

#include <stdlib.h>

#include "base/hash.h"
#include "model/alert_matcher.h"
#include "notify/incident_priv.h"

enum { SLOTS = 1 << 15, OWN_MAX = 10000, OWN_EVENTS_MAX = 1000 };
static_assert(RELATED_KNOWN_MAX < SLOTS / 2 && OWN_MAX < SLOTS / 2, "slots stay free");

const char *related_why_name(enum related_why why)
{
    static const char *const NAMES[] = {"inhibits", "service", "group"};
    return NAMES[why];
}

bool related_labels(const struct related_subject *s, struct labels ls, enum related_why *why)
{
    *why = RELATED_SERVICE;
    if (s->service.len > 0 && str_eq(labels_get(ls, STR("service")), s->service))
        return true;
    *why = RELATED_GROUP;
    bool all = s->group.count > 0;
    for (size_t i = 0; all && i < s->group.count; i++)
        all = str_eq(labels_get(ls, s->group.items[i].name), s->group.items[i].value);
    return all;
}

/* ---- Sets of fingerprints, which are chosen by who sends alerts ---- */

static err set_init(struct fingerprints *s, struct arena *a)
{
    s->slots = ARENA_ARRAY(a, uint64_t, SLOTS);
    s->seed = hash_random_seed();
    return s->slots != NULL ? OK : ERR_LIMIT;
}

/* Where it is, or would be. One of 0 is taken for one of 1: nobody has either but on purpose. */
static uint64_t *set_slot(const struct fingerprints *s, uint64_t fingerprint)
{
    uint64_t key = MAX(fingerprint, (uint64_t)1);
    uint64_t h = hash64((slice){(const uint8_t *)&key, sizeof(key)}, s->seed);
    while (s->slots[h & (SLOTS - 1)] != 0 && s->slots[h & (SLOTS - 1)] != key)
        h++;
    return &s->slots[h & (SLOTS - 1)];
}

static bool set_has(const struct fingerprints *s, uint64_t fingerprint)
{
    return *set_slot(s, fingerprint) != 0;
}

static void set_add(struct fingerprints *s, uint64_t fingerprint, size_t max)
{
    uint64_t *slot = set_slot(s, fingerprint);
    if (*slot != 0 || s->count == max)
        return;
    *slot = MAX(fingerprint, (uint64_t)1);
    s->count++;
}

/* ---- The subject ---- */

/* Where the labels of a group stand in its key: behind the last ":{" outside of quotes. */
static str labels_of_key(str key)
{
    size_t at = key.len;
    bool quoted = false;
    for (size_t i = 0; i + 1 < key.len; i++) {
        if (quoted && key.ptr[i] == '\\')
            i++;
        else if (key.ptr[i] == '"')
            quoted = !quoted;
        else if (!quoted && key.ptr[i] == ':' && key.ptr[i + 1] == '{')
            at = i + 1;
    }
    return (str){key.ptr + at, key.len - at};
}

/* When the group is gone. A key that does not read back groups by nothing. */
static err read_group(struct related *r, str key)
{
    struct alert_matchers ms = {NULL, 0};
    err e = alert_matchers_parse(labels_of_key(key), &r->arena, &ms, NULL, NULL);
    struct label *items = e == OK ? ARENA_ARRAY(&r->arena, struct label, ms.count + 1) : NULL;
    for (size_t i = 0; items != NULL && i < ms.count; i++)
        items[i] = (struct label){ms.items[i].name, ms.items[i].value};
    r->subject.group = (struct labels){items, items != NULL ? ms.count : 0};
    alert_matchers_fini(&ms);
    return arena_exceeded(&r->arena) ? ERR_LIMIT : OK;
}

static void add_own(struct related *r, uint64_t fingerprint)
{
    set_add(&r->own, fingerprint, OWN_MAX);
}

static err begin(struct related *r)
{
    arena_init(&r->arena, RELATED_BYTES_MAX);
    TRY(set_init(&r->own, &r->arena));
    TRY(set_init(&r->known, &r->arena));
    r->items = ARENA_ARRAY(&r->arena, struct related_alert, RELATED_KNOWN_MAX);
    r->whole = true;
    r->end_ms = INT64_MAX;
    return r->items != NULL ? OK : ERR_LIMIT;
}

/* ---- What is found ---- */

static err add(struct related *r, const struct related_alert *a)
{
    struct related_alert *to = &r->items[r->count];
    if (set_has(&r->known, a->fingerprint) || set_has(&r->own, a->fingerprint))
        return OK;
    if (r->count == RELATED_KNOWN_MAX) {
        r->whole = false;
        return OK;
    }
    *to = *a;
    TRY(labels_copy(a->labels, &r->arena, &to->labels));
    set_add(&r->known, a->fingerprint, RELATED_KNOWN_MAX);
    r->count++;
    return OK;
}

static bool is_near(const struct related *r, int64_t ms)
{
    return ms >= r->subject.start_ms - RELATED_MS && ms <= r->subject.start_ms + RELATED_MS;
}

static err add_live(struct related *r, const struct live_alert *a, enum related_why why,
                    int64_t now_ms)
{
    const struct related_alert found = {.fingerprint = a->fingerprint,
                                        .labels = a->labels,
                                        .why = why,
                                        .starts_at_ms = a->starts_at_ms,
                                        .firing = !live_alert_is_resolved(a, now_ms)};
    return add(r, &found);
}

/* ---- In the engine ---- */

static err add_inhibiting(struct related *r, const struct engine *e, const struct group *g,
                          int64_t now_ms)
{
    size_t at = 0;
    uint64_t by;
    for (struct live_alert *a; (a = alert_table_next(g->alerts, &at)) != NULL;) {
        if (!inhibitor_mutes(e->inhibitor, a->labels, now_ms, &by))
            continue;
        const struct live_alert *source = alert_table_get(e->alerts, by);
        if (source != NULL)
            TRY(add_live(r, source, RELATED_INHIBITS, now_ms));
    }
    return OK;
}

static err add_near(struct related *r, const struct engine *e, int64_t now_ms)
{
    enum related_why why;
    size_t at = 0;
    for (struct live_alert *a; (a = alert_table_next(e->alerts, &at)) != NULL;)
        if (is_near(r, a->starts_at_ms) && related_labels(&r->subject, a->labels, &why))
            TRY(add_live(r, a, why, now_ms));
    return OK;
}

err related_of_incident(struct engine *e, str id, int64_t now_ms, struct related *r)
{
    const struct incident *i = incident_find(e, id);
    size_t at = 0;
    TRY(begin(r));
    if (i == NULL)
        return ERR_NOTFOUND;
    r->group_key = arena_str(&r->arena, i->group_key);
    r->subject.service = arena_str(&r->arena, labels_get(i->labels, STR("service")));
    r->subject.start_ms = i->started_ms;
    r->end_ms = i->resolved_ms != 0 ? i->resolved_ms : now_ms;
    if (i->group == NULL) {
        TRY(read_group(r, r->group_key));
        return add_near(r, e, now_ms);
    }
    TRY(labels_copy(i->group->labels, &r->arena, &r->subject.group));
    for (struct live_alert *a; (a = alert_table_next(i->group->alerts, &at)) != NULL;)
        add_own(r, a->fingerprint);
    TRY(add_inhibiting(r, e, i->group, now_ms));
    return add_near(r, e, now_ms);
}

/* ---- In the history ---- */

struct looking {
    struct related *r;
    err failed;
    bool found; /* the alert's begin */
};

static err search(struct history *h, const struct history_query *q,
                  bool (*take)(void *arg, const struct history_event *e), struct looking *l)
{
    uint64_t next;
    TRY(history_search(h, q, take, l, &next));
    return l->failed;
}

/* When the alert of an event began. */
static int64_t begin_ms(const struct history_event *e)
{
    bool said = (e->numbers_said >> HISTORY_STARTS_AT_MS & 1) != 0;
    return said ? e->numbers[HISTORY_STARTS_AT_MS] : e->at_ms;
}

/* The newest events of an alert: how it was grouped, and where it began. */
static bool take_subject(void *arg, const struct history_event *e)
{
    struct looking *l = arg;
    struct related *r = l->r;
    if (e->kind != HISTORY_ALERT_FIRING) {
        if (r->subject.group.count == 0)
            l->failed = labels_copy(e->labels, &r->arena, &r->subject.group);
        return l->failed == OK;
    }
    r->subject.service = arena_str(&r->arena, labels_get(e->labels, STR("service")));
    r->subject.start_ms = begin_ms(e);
    l->failed = arena_exceeded(&r->arena) ? ERR_LIMIT : OK;
    l->found = true;
    return false;
}

err related_of_alert(struct history *h, uint64_t fingerprint, int64_t end_ms,
                     const atomic_bool *canceled, struct related *r)
{
    struct looking l = {.r = r};
    const struct history_query q = {.start_ms = INT64_MIN,
                                    .end_ms = end_ms,
                                    .kinds = UINT32_C(1) << HISTORY_ALERT_FIRING |
                                             UINT32_C(1) << HISTORY_NOTIFICATION_SENT |
                                             UINT32_C(1) << HISTORY_NOTIFICATION_FAILED |
                                             UINT32_C(1) << HISTORY_NOTIFICATION_SUPPRESSED,
                                    .has_fingerprint = true,
                                    .fingerprint = fingerprint,
                                    .limit = SIZE_MAX,
                                    .canceled = canceled};
    TRY(begin(r));
    add_own(r, fingerprint);
    TRY(search(h, &q, take_subject, &l));
    return l.found ? OK : ERR_NOTFOUND;
}

/* Who was in the group, whatever has become of them. */
static bool take_own(void *arg, const struct history_event *e)
{
    struct looking *l = arg;
    if (str_eq(e->texts[HISTORY_GROUP], l->r->group_key))
        for (size_t i = 0; i < e->fingerprint_count; i++)
            add_own(l->r, e->fingerprints[i]);
    return true;
}

static bool take_near(void *arg, const struct history_event *e)
{
    struct looking *l = arg;
    struct related_alert a = {.labels = e->labels, .starts_at_ms = begin_ms(e)};
    if (e->fingerprint_count != 1 || !is_near(l->r, a.starts_at_ms) ||
        !related_labels(&l->r->subject, e->labels, &a.why))
        return true;
    a.fingerprint = e->fingerprints[0];
    l->failed = add(l->r, &a);
    return l->failed == OK;
}

err related_from_history(struct related *r, struct history *h, const atomic_bool *canceled)
{
    struct looking l = {.r = r};
    const struct history_query own = {.start_ms = r->subject.start_ms - RELATED_MS,
                                      .end_ms = r->end_ms,
                                      .kinds = UINT32_C(1) << HISTORY_NOTIFICATION_SENT |
                                               UINT32_C(1) << HISTORY_NOTIFICATION_FAILED,
                                      .limit = OWN_EVENTS_MAX,
                                      .canceled = canceled};
    const struct history_query near = {.start_ms = r->subject.start_ms - RELATED_MS,
                                       .end_ms = r->subject.start_ms + RELATED_MS,
                                       .kinds = UINT32_C(1) << HISTORY_ALERT_FIRING,
                                       .limit = SIZE_MAX,
                                       .canceled = canceled};
    if (h == NULL)
        return OK;
    if (r->group_key.len > 0)
        TRY(search(h, &own, take_own, &l));
    return search(h, &near, take_near, &l);
}

/* ---- The answer ---- */

static int compare(const void *pa, const void *pb)
{
    const struct related_alert *a = pa, *b = pb;
    if (a->why != b->why)
        return a->why < b->why ? -1 : 1;
    if (a->starts_at_ms != b->starts_at_ms)
        return a->starts_at_ms < b->starts_at_ms ? -1 : 1;
    return (a->fingerprint > b->fingerprint) - (a->fingerprint < b->fingerprint);
}

void related_sort(struct related *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) /* the history told who is its own later */
        if (!set_has(&r->own, r->items[i].fingerprint))
            r->items[kept++] = r->items[i];
    if (kept > 1)
        qsort(r->items, kept, sizeof(*r->items), compare);
    r->count = MIN(kept, (size_t)RELATED_MAX);
    r->more = kept - r->count;
}

void related_close(struct related *r)
{
    arena_fini(&r->arena);
}
