/* alert.c -- see alert.h. */
#include "rules/alert.h"

#include <stdlib.h>

#include "base/mem.h"

const char *alert_state_name(enum alert_state s)
{
    static const char *const NAMES[] = {"inactive", "pending", "firing"};
    return NAMES[s];
}

hash128 alert_id(struct labels ls)
{
    return labels_hash(ls, 0); /* the same in every process: it is kept on disk */
}

static char *put_text(char *at, str s, str *out)
{
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    *out = (str){at, s.len};
    return at + s.len;
}

/* A copy in one piece of memory: the items, then their texts. */
static struct label *copy_labels(struct labels ls, struct labels *out)
{
    size_t bytes = 1;
    for (size_t i = 0; i < ls.count; i++)
        bytes += ls.items[i].name.len + ls.items[i].value.len;
    struct label *items = mem_alloc(ls.count * sizeof(*items) + bytes);
    char *at = (char *)(items + ls.count);
    for (size_t i = 0; i < ls.count; i++) {
        at = put_text(at, ls.items[i].name, &items[i].name);
        at = put_text(at, ls.items[i].value, &items[i].value);
    }
    *out = (struct labels){items, ls.count};
    return items;
}

void alert_free(struct active_alert *a)
{
    mem_free(a->labels_memory);
    mem_free(a->annotations_memory);
    mem_free(a);
}

void alert_set_fini(struct alert_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        alert_free(s->items[i]);
    mem_free(s->items);
    *s = (struct alert_set){0};
}

static int compare_ids(hash128 a, hash128 b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

static int compare_candidates(const void *a, const void *b)
{
    return compare_ids(((const struct alert_candidate *)a)->id,
                       ((const struct alert_candidate *)b)->id);
}

/* ---- One evaluation ---- */

/* Pairs of the set's alerts and of candidates, both in the order of ids. */
struct meeting {
    const struct alert_set *set;
    const struct alert_candidate *candidates;
    size_t count, i, k;
};

/* The next pair; either may be NULL, not both. False at the end. */
static bool meet(struct meeting *m, struct active_alert **alert, const struct alert_candidate **c)
{
    bool alerts = m->i < m->set->count, candidates = m->k < m->count;
    if (!alerts && !candidates)
        return false;
    int order = !alerts       ? 1
                : !candidates ? -1
                              : compare_ids(m->set->items[m->i]->id, m->candidates[m->k].id);
    *alert = order <= 0 ? m->set->items[m->i++] : NULL;
    *c = order >= 0 ? &m->candidates[m->k++] : NULL;
    return true;
}

/* Does an alert that its expression does not give any more go on? */
static bool goes_on(const struct active_alert *a, const struct alert_timing *t)
{
    if (a->restored && t->keep_restored && a->state != ALERT_STATE_INACTIVE)
        return true;
    if (a->state != ALERT_STATE_FIRING || t->keep_firing_for_ms <= 0)
        return false;
    return a->keep_firing_since_ms == ALERT_NEVER ||
           t->ts_ms - a->keep_firing_since_ms < t->keep_firing_for_ms;
}

static err over_limit(const struct alert_timing *t, size_t active, struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "exceeded limit of %lld with %zu alerts", (long long)t->limit,
                    active);
}

static err check_candidates(const struct alert_set *s, const struct alert_candidate *candidates,
                            size_t count, const struct alert_timing *t, struct diag *d)
{
    struct meeting m = {s, candidates, count, 0, 0};
    struct active_alert *a;
    const struct alert_candidate *c;
    size_t active = 0;
    for (size_t i = 1; i < count; i++)
        if (compare_candidates(&candidates[i - 1], &candidates[i]) == 0)
            return diag_set(
                d, ERR_INVALID,
                "vector contains metrics with the same labelset after applying alert labels");
    while (meet(&m, &a, &c))
        active += c != NULL || goes_on(a, t);
    return t->limit > 0 && active > (uint64_t)t->limit ? over_limit(t, active, d) : OK;
}

static bool same_texts(struct labels a, struct labels b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++)
        if (!str_eq(a.items[i].name, b.items[i].name) ||
            !str_eq(a.items[i].value, b.items[i].value))
            return false;
    return true;
}

static void annotate(struct active_alert *a, struct labels annotations)
{
    if (a->annotations_memory != NULL && same_texts(a->annotations, annotations))
        return;
    mem_free(a->annotations_memory);
    a->annotations_memory = copy_labels(annotations, &a->annotations);
}

static struct active_alert *new_alert(const struct alert_candidate *c, int64_t ts_ms)
{
    struct active_alert *a = mem_zalloc(1, sizeof(*a));
    a->id = c->id;
    a->labels_memory = copy_labels(c->labels, &a->labels);
    annotate(a, c->annotations);
    a->value = c->value;
    a->state = ALERT_STATE_PENDING;
    a->active_at_ms = ts_ms;
    a->fired_at_ms = a->resolved_at_ms = a->last_sent_ms = a->keep_firing_since_ms = ALERT_NEVER;
    return a;
}

/* Begin again what had ended. */
static void begin_again(struct active_alert *a, int64_t ts_ms)
{
    a->state = ALERT_STATE_PENDING;
    a->active_at_ms = ts_ms;
    a->fired_at_ms = a->resolved_at_ms = a->last_sent_ms = a->keep_firing_since_ms = ALERT_NEVER;
}

static void advance(struct active_alert *a, const struct alert_timing *t)
{
    if (a->state == ALERT_STATE_PENDING && t->ts_ms - a->active_at_ms >= t->for_ms) {
        a->state = ALERT_STATE_FIRING;
        a->fired_at_ms = t->ts_ms;
    }
    if (a->state == ALERT_STATE_FIRING &&
        t->ts_ms - a->active_at_ms < t->for_ms) { /* `for` was raised */
        a->state = ALERT_STATE_PENDING;
        a->fired_at_ms = a->last_sent_ms = a->keep_firing_since_ms = ALERT_NEVER;
    }
}

/* An alert that is given: new, refreshed, or begun again. */
static struct active_alert *given(struct active_alert *a, const struct alert_candidate *c,
                                  const struct alert_timing *t)
{
    if (a == NULL) {
        a = new_alert(c, t->ts_ms);
    } else {
        a->value = c->value;
        annotate(a, c->annotations);
        if (a->state == ALERT_STATE_INACTIVE)
            begin_again(a, t->ts_ms);
    }
    a->keep_firing_since_ms = ALERT_NEVER;
    a->restored = false;
    advance(a, t);
    return a;
}

/* An alert that is not given any more; false: it is forgotten. */
static bool not_given(struct active_alert *a, const struct alert_timing *t)
{
    bool on = goes_on(a, t);
    bool waits = a->restored && t->keep_restored;
    if (a->state == ALERT_STATE_FIRING && t->keep_firing_for_ms > 0 && !waits &&
        a->keep_firing_since_ms == ALERT_NEVER)
        a->keep_firing_since_ms = t->ts_ms;
    if (on) {
        if (!waits)
            advance(a, t);
        return true;
    }
    if (a->state == ALERT_STATE_PENDING ||
        (a->resolved_at_ms != ALERT_NEVER && t->ts_ms - a->resolved_at_ms > ALERT_RESOLVED_KEPT_MS))
        return false;
    if (a->state != ALERT_STATE_INACTIVE) {
        a->state = ALERT_STATE_INACTIVE;
        a->resolved_at_ms = t->ts_ms;
    }
    return true;
}

struct mark { /* of what is kept on disk */
    enum alert_state state;
    int64_t active, fired, resolved, keep;
};

static struct mark mark_of(const struct active_alert *a)
{
    return (struct mark){a->state, a->active_at_ms, a->fired_at_ms, a->resolved_at_ms,
                         a->keep_firing_since_ms};
}

static bool same_mark(struct mark a, struct mark b)
{
    return a.state == b.state && a.active == b.active && a.fired == b.fired &&
           a.resolved == b.resolved && a.keep == b.keep;
}

/* ---- A clock that was set back ---- */

static int64_t latest_of(const struct active_alert *a)
{
    int64_t sent = MAX(a->resolved_at_ms, a->last_sent_ms);
    return MAX(MAX(a->active_at_ms, a->fired_at_ms), MAX(sent, a->keep_firing_since_ms));
}

static void shift(int64_t *ms, int64_t by_ms)
{
    if (*ms != ALERT_NEVER)
        *ms -= by_ms;
}

/* No evaluation is before what it knows: when one is, the clock was set back, and what is known
 * moves with it. Else alerts would wait for as long again, fire no more, or be told of with a
 * beginning that lies ahead, which Alertmanagers refuse. */
static void follow_clock(struct alert_set *s, int64_t ts_ms)
{
    for (size_t i = 0; i < s->count; i++) {
        struct active_alert *a = s->items[i];
        int64_t ahead_ms = MAX(latest_of(a), s->updated_ms) - ts_ms;
        if (ahead_ms <= 0)
            continue;
        shift(&a->active_at_ms, ahead_ms);
        shift(&a->fired_at_ms, ahead_ms);
        shift(&a->resolved_at_ms, ahead_ms);
        shift(&a->last_sent_ms, ahead_ms);
        shift(&a->keep_firing_since_ms, ahead_ms);
    }
    s->updated_ms = MIN(s->updated_ms, ts_ms);
}

err alert_set_update(struct alert_set *s, struct alert_candidate *candidates, size_t count,
                     const struct alert_timing *t, bool *changed, struct diag *d)
{
    if (count > 1)
        qsort(candidates, count, sizeof(*candidates), compare_candidates);
    TRY(check_candidates(s, candidates, count, t, d));
    struct active_alert **items = mem_alloc((s->count + count + 1) * sizeof(struct active_alert *));
    struct meeting m = {s, candidates, count, 0, 0};
    struct active_alert *a;
    const struct alert_candidate *c;
    size_t kept = 0;
    *changed = s->updated_ms > t->ts_ms;
    follow_clock(s, t->ts_ms);
    while (meet(&m, &a, &c)) {
        struct mark before = a != NULL ? mark_of(a) : (struct mark){0};
        bool was = a != NULL;
        if (c != NULL) {
            a = given(a, c, t);
        } else if (!not_given(a, t)) {
            alert_free(a);
            *changed = true;
            continue;
        }
        *changed |= !was || !same_mark(before, mark_of(a));
        items[kept++] = a;
    }
    mem_free(s->items);
    *s = (struct alert_set){items, kept, t->ts_ms};
    return OK;
}

/* ---- A look between two evaluations ---- */

static bool is_active(const struct active_alert *a)
{
    return a != NULL && a->state != ALERT_STATE_INACTIVE;
}

static err check_look(const struct alert_set *s, const struct alert_candidate *candidates,
                      size_t count, const struct alert_timing *t, struct diag *d)
{
    struct alert_timing all_stay = *t;
    struct meeting m = {s, candidates, count, 0, 0};
    struct active_alert *a;
    const struct alert_candidate *c;
    size_t active = 0;
    all_stay.limit = 0;
    TRY(check_candidates(s, candidates, count, &all_stay, d));
    while (meet(&m, &a, &c))
        active += c != NULL || is_active(a);
    return t->limit > 0 && active > (uint64_t)t->limit ? over_limit(t, active, d) : OK;
}

err alert_set_look(struct alert_set *s, struct alert_candidate *candidates, size_t count,
                   const struct alert_timing *t, size_t *begun, struct diag *d)
{
    if (count > 1)
        qsort(candidates, count, sizeof(*candidates), compare_candidates);
    TRY(check_look(s, candidates, count, t, d));
    struct active_alert **items = mem_alloc((s->count + count + 1) * sizeof(struct active_alert *));
    struct meeting m = {s, candidates, count, 0, 0};
    struct active_alert *a;
    const struct alert_candidate *c;
    size_t kept = 0;
    *begun = 0;
    while (meet(&m, &a, &c)) {
        if (c != NULL && !is_active(a)) {
            a = given(a, c, t);
            (*begun)++;
        }
        items[kept++] = a;
    }
    mem_free(s->items);
    *s = (struct alert_set){items, kept, s->updated_ms};
    return OK;
}

/* ---- From elsewhere ---- */

static size_t place_of(const struct alert_set *s, hash128 id)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare_ids(s->items[mid]->id, id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* False: there is one with its id. */
static bool insert(struct alert_set *s, struct active_alert *a)
{
    size_t at = place_of(s, a->id);
    if (at < s->count && compare_ids(s->items[at]->id, a->id) == 0)
        return false;
    s->items = mem_resize(s->items, s->count + 1, sizeof(struct active_alert *));
    memmove(s->items + at + 1, s->items + at, (s->count - at) * sizeof(struct active_alert *));
    s->items[at] = a;
    s->count++;
    return true;
}

void alert_set_restore(struct alert_set *s, const struct active_alert *from)
{
    struct active_alert *a = mem_zalloc(1, sizeof(*a));
    *a = *from;
    a->id = alert_id(from->labels);
    a->restored = true;
    a->labels_memory = copy_labels(from->labels, &a->labels);
    a->annotations_memory = copy_labels(from->annotations, &a->annotations);
    if (!insert(s, a))
        alert_free(a);
}

void alert_set_move(struct alert_set *to, struct alert_set *from)
{
    if (to->count == 0) {
        struct alert_set was = *to;
        *to = *from;
        *from = was;
    }
    for (size_t i = 0; i < from->count; i++)
        if (!insert(to, from->items[i]))
            alert_free(from->items[i]);
    to->updated_ms = MAX(to->updated_ms, from->updated_ms);
    mem_free(from->items);
    *from = (struct alert_set){0};
}

/* ---- Handing up ---- */

static bool needs_sending(const struct active_alert *a, const struct alert_sending *how)
{
    if (a->state == ALERT_STATE_PENDING || (how->firing_only && a->state != ALERT_STATE_FIRING))
        return false;
    if (how->first_only)
        return a->state == ALERT_STATE_FIRING && a->last_sent_ms == ALERT_NEVER;
    if (a->resolved_at_ms > a->last_sent_ms || a->last_sent_ms == ALERT_NEVER)
        return true;
    return a->last_sent_ms + how->resend_delay_ms < how->ts_ms;
}

static struct alert told(const struct active_alert *a, int64_t ts_ms, str generator_url)
{
    return (struct alert){.labels = a->labels,
                          .annotations = a->annotations,
                          .starts_at_ms = a->fired_at_ms,
                          .evaluated_ms = ts_ms,
                          .generator_url = generator_url};
}

err alert_set_send(struct alert_set *s, const struct alert_sending *how, struct arena *a,
                   struct alert **out, size_t *count)
{
    int64_t valid_ms = how->ts_ms + 4 * MAX(how->interval_ms, how->resend_delay_ms);
    struct alert *alerts = ARENA_ARRAY(a, struct alert, s->count + 1);
    size_t n = 0;
    if (alerts == NULL)
        return ERR_LIMIT;
    follow_clock(s, how->ts_ms);
    for (size_t i = 0; i < s->count; i++) {
        struct active_alert *x = s->items[i];
        if (!needs_sending(x, how))
            continue;
        bool ended = x->resolved_at_ms != ALERT_NEVER;
        x->last_sent_ms = how->ts_ms;
        alerts[n] = told(x, how->ts_ms, how->generator_url);
        alerts[n].ends_at_ms = ended ? x->resolved_at_ms : valid_ms;
        alerts[n++].end = ended ? ALERT_INACTIVE : ALERT_GOES_ON;
    }
    *out = alerts;
    *count = n;
    return OK;
}

err alert_set_end(struct alert_set *s, int64_t ts_ms, str generator_url, struct arena *a,
                  struct alert **out, size_t *count)
{
    struct alert *alerts = ARENA_ARRAY(a, struct alert, s->count + 1);
    size_t n = 0;
    if (alerts == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < s->count; i++) {
        struct active_alert *x = s->items[i];
        if (x->state != ALERT_STATE_FIRING)
            continue;
        x->state = ALERT_STATE_INACTIVE;
        x->resolved_at_ms = x->last_sent_ms = ts_ms;
        alerts[n] = told(x, ts_ms, generator_url);
        alerts[n].ends_at_ms = ts_ms;
        alerts[n++].end = ALERT_RULE_REMOVED;
    }
    *out = alerts;
    *count = n;
    return OK;
}

/* ---- Series ---- */

/* The labels of an alert with a name and, for ALERTS, its state; sorted. */
static err series_of(const struct active_alert *a, str name, bool with_state, struct arena *arena,
                     struct labels *out)
{
    size_t n = 0;
    struct label *items = ARENA_ARRAY(arena, struct label, a->labels.count + 2);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < a->labels.count; i++)
        if (!str_eq(a->labels.items[i].name, LABEL_NAME) &&
            !(with_state && str_eq(a->labels.items[i].name, STR("alertstate"))))
            items[n++] = a->labels.items[i];
    items[n++] = (struct label){LABEL_NAME, name};
    if (with_state)
        items[n++] = (struct label){STR("alertstate"), str_from(alert_state_name(a->state))};
    *out = (struct labels){items, labels_sort(items, n)};
    return OK;
}

/* Whole seconds, as upstream writes them. */
static double seconds_of(int64_t ms)
{
    return (double)(ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000));
}

err alert_set_samples(const struct alert_set *s, int64_t ts_ms, struct arena *a,
                      struct rule_sample **out, size_t *count)
{
    struct rule_sample *samples = ARENA_ARRAY(a, struct rule_sample, 2 * s->count + 1);
    size_t n = 0;
    if (samples == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < s->count; i++) {
        const struct active_alert *x = s->items[i];
        if (x->state == ALERT_STATE_INACTIVE)
            continue;
        samples[n] = (struct rule_sample){.ts_ms = ts_ms, .value = 1};
        TRY(series_of(x, STR("ALERTS"), true, a, &samples[n++].labels));
        samples[n] = (struct rule_sample){.ts_ms = ts_ms, .value = seconds_of(x->active_at_ms)};
        TRY(series_of(x, STR("ALERTS_FOR_STATE"), false, a, &samples[n++].labels));
    }
    *out = samples;
    *count = n;
    return OK;
}

enum alert_state alert_set_state(const struct alert_set *s)
{
    enum alert_state worst = ALERT_STATE_INACTIVE;
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i]->state > worst)
            worst = s->items[i]->state;
    return worst;
}
