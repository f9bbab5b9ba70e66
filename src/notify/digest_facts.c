/* digest_facts.c -- see digest_facts.h. */
#include "notify/digest_facts.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

enum { TEXT_BYTES_MAX = 4096 };

void digest_facts_init(struct digest_facts *f, const struct digest_config *config, int64_t since_ms,
                       int64_t until_ms)
{
    *f = (struct digest_facts){.config = config, .since_ms = since_ms, .until_ms = until_ms};
    arena_init(&f->arena, DIGEST_FACTS_BYTES_MAX);
    item_table_init(&f->names);
}

void digest_facts_fini(struct digest_facts *f)
{
    item_table_fini(&f->names);
    arena_fini(&f->arena);
}

static bool is_wanted(const struct digest_facts *f, enum digest_part part)
{
    return (f->config->include & (1u << part)) != 0;
}

static bool is_of_digest(const struct digest_facts *f, struct labels ls)
{
    return f->config->matchers.count == 0 || matcher_sets_match(&f->config->matchers, ls);
}

static bool contradicts(const struct alert_matchers *set, const struct label *known, size_t count)
{
    for (size_t m = 0; m < set->count; m++)
        for (size_t i = 0; i < count; i++)
            if (str_eq(set->items[m].name, known[i].name) &&
                !matcher_matches(&set->items[m], known[i].value))
                return true;
    return false;
}

/* Could something be of the digest of which these labels are known? */
static bool may_concern(const struct digest_facts *f, const struct label *known, size_t count)
{
    const struct matcher_sets *sets = &f->config->matchers;
    bool may = sets->count == 0;
    for (size_t i = 0; !may && i < sets->count; i++)
        may = !contradicts(&sets->items[i], known, count);
    return may;
}

/* ---- Alerts by name ---- */

static bool has_name(const struct table_item *item, const void *key)
{
    return str_eq(((const struct digest_name *)item)->name, *(const str *)key);
}

static struct digest_name *name_of(struct digest_facts *f, struct labels ls)
{
    str name = labels_get(ls, STR("alertname"));
    if (name.len == 0)
        name = STR("(no name)");
    uint64_t hash = hash64(str_bytes(name), f->names.seed);
    struct table_item *found = item_table_find(&f->names, hash, has_name, &name);
    if (found == NULL && f->names.count >= DIGEST_NAMES_MAX) {
        name = STR("(others)");
        hash = hash64(str_bytes(name), f->names.seed);
        found = item_table_find(&f->names, hash, has_name, &name);
    }
    if (found != NULL)
        return (struct digest_name *)found;
    struct digest_name *n = mem_zalloc(1, sizeof(*n) + name.len);
    memcpy(n + 1, name.ptr, name.len);
    n->item.hash = hash;
    n->name = (str){(const char *)(n + 1), name.len};
    item_table_put(&f->names, &n->item);
    return n;
}

static struct digest_name *add(struct digest_facts *f, struct labels ls, enum digest_count count)
{
    struct digest_name *n = name_of(f, ls);
    n->counts[count]++;
    f->totals[count]++;
    return n;
}

void digest_take_alerts(struct digest_facts *f, const struct view *v)
{
    for (size_t i = 0; is_wanted(f, DIGEST_OPEN) && i < v->alert_count; i++) {
        const struct view_alert *a = &v->alerts[i];
        struct labels ls = a->alert->labels;
        if (!is_of_digest(f, ls))
            continue;
        struct digest_name *n = add(f, ls, DIGEST_OF_OPEN);
        if (n->counts[DIGEST_OF_OPEN] == 1 || a->alert->starts_at_ms < n->since_ms)
            n->since_ms = a->alert->starts_at_ms;
        if (a->silenced_count > 0 || a->inhibited)
            (void)add(f, ls, DIGEST_OF_HELD);
    }
}

static bool take_event(void *arg, const struct history_event *e)
{
    struct digest_facts *f = arg;
    enum digest_part part = e->kind == HISTORY_ALERT_FIRING ? DIGEST_FIRED : DIGEST_RESOLVED;
    if (is_wanted(f, part) && is_of_digest(f, e->labels))
        (void)add(f, e->labels, part == DIGEST_FIRED ? DIGEST_OF_FIRED : DIGEST_OF_RESOLVED);
    return true;
}

err digest_take_history(struct digest_facts *f, struct history *h, const atomic_bool *canceled)
{
    const struct history_query q = {.start_ms = f->since_ms,
                                    .end_ms = f->until_ms - 1,
                                    .kinds = UINT32_C(1) << HISTORY_ALERT_FIRING |
                                             UINT32_C(1) << HISTORY_ALERT_RESOLVED,
                                    .limit = DIGEST_EVENTS_MAX,
                                    .canceled = canceled};
    uint64_t next = 0;
    f->has_history = h != NULL;
    if (h == NULL || (!is_wanted(f, DIGEST_FIRED) && !is_wanted(f, DIGEST_RESOLVED)))
        return OK;
    TRY(history_search(h, &q, take_event, f, &next));
    f->has_all_events = next == 0;
    return OK;
}

static int compare_names(const void *pa, const void *pb, void *arg)
{
    const struct digest_name *a = *(struct digest_name *const *)pa;
    const struct digest_name *b = *(struct digest_name *const *)pb;
    enum digest_count count = *(enum digest_count *)arg;
    if (a->counts[count] != b->counts[count])
        return a->counts[count] < b->counts[count] ? 1 : -1;
    return str_cmp(a->name, b->name);
}

size_t digest_top(const struct digest_facts *f, enum digest_count count,
                  const struct digest_name **out, size_t *total)
{
    const struct digest_name **all = mem_zalloc(f->names.count + 1, sizeof(struct digest_name *));
    size_t at = 0, n = 0;
    for (struct table_item *i; (i = item_table_next(&f->names, &at)) != NULL;)
        if (((struct digest_name *)i)->counts[count] > 0)
            all[n++] = (struct digest_name *)i;
    if (n > 1)
        qsort_r(all, n, sizeof(struct digest_name *), compare_names, &count);
    size_t kept = MIN(n, (size_t)DIGEST_ROWS_MAX);
    memcpy(out, all, kept * sizeof(struct digest_name *));
    mem_free(all);
    *total = n;
    return kept;
}

/* ---- Silences ---- */

static bool silence_concerns(const struct digest_facts *f, const struct silence *s)
{
    struct label *known = mem_zalloc(s->matchers.count + 1, sizeof(*known));
    size_t count = 0;
    for (size_t i = 0; i < s->matchers.count; i++)
        if (s->matchers.items[i].type == MATCH_EQUAL)
            known[count++] = (struct label){s->matchers.items[i].name, s->matchers.items[i].value};
    bool may = may_concern(f, known, count);
    mem_free(known);
    return may;
}

static int compare_silences(const void *pa, const void *pb)
{
    const struct silence *a = *(struct silence *const *)pa, *b = *(struct silence *const *)pb;
    if (a->ends_at_ms != b->ends_at_ms)
        return a->ends_at_ms < b->ends_at_ms ? -1 : 1;
    return str_cmp(a->id, b->id);
}

/* What is shown is shorter by far. */
static str keep(struct digest_facts *f, str s)
{
    return arena_str(&f->arena, (str){s.ptr, MIN(s.len, (size_t)TEXT_BYTES_MAX)});
}

static void copy_silence(struct digest_facts *f, const struct silence *s,
                         struct digest_silence *out)
{
    struct buf matchers = {0};
    alert_matchers_format(&s->matchers, &matchers);
    *out = (struct digest_silence){.matchers = keep(f, buf_str(&matchers)),
                                   .by = keep(f, s->created_by),
                                   .comment = keep(f, s->comment),
                                   .ends_at_ms = s->ends_at_ms};
    buf_fini(&matchers);
}

void digest_take_silences(struct digest_facts *f, const struct silences *all)
{
    size_t count = silences_count(all);
    if (!is_wanted(f, DIGEST_SILENCES))
        return;
    const struct silence **found = mem_zalloc(count + 1, sizeof(struct silence *));
    for (size_t i = 0; i < count; i++) {
        const struct silence *s = silences_at(all, i);
        if (silence_state_at(s, f->until_ms) == SILENCE_ACTIVE && silence_concerns(f, s))
            found[f->silence_count++] = s;
    }
    if (f->silence_count > 1)
        qsort(found, f->silence_count, sizeof(struct silence *), compare_silences);
    for (size_t i = 0; i < MIN(f->silence_count, (size_t)DIGEST_ROWS_MAX); i++)
        copy_silence(f, found[i], &f->silences[i]);
    mem_free(found);
}

/* ---- Objectives ---- */

static bool slo_concerns(const struct digest_facts *f, const struct digest_slo *slo)
{
    size_t count = slo->labels != NULL ? slo->labels->count : 0;
    struct label *known = mem_zalloc(count + 2, sizeof(*known));
    for (size_t i = 0; i < count; i++)
        known[i] = (struct label){slo->labels->items[i].name, slo->labels->items[i].value};
    known[count++] = (struct label){STR("service"), slo->service};
    known[count++] = (struct label){STR("slo"), slo->name};
    bool may = may_concern(f, known, count);
    mem_free(known);
    return may;
}

void digest_take_slo(struct digest_facts *f, const struct digest_slo *slo)
{
    if (!is_wanted(f, DIGEST_SLO) || !slo_concerns(f, slo))
        return;
    f->slos_known++;
    if (!(slo->remaining < 0) && !(slo->projected < 0)) /* also of numbers that are not known */
        return;
    size_t kept = MIN(f->slo_count, (size_t)DIGEST_ROWS_MAX), at = kept;
    f->slo_count++;
    while (at > 0 && slo->remaining < f->slos[at - 1].remaining)
        at--;
    if (at == DIGEST_ROWS_MAX)
        return;
    size_t moved = MIN(kept, (size_t)DIGEST_ROWS_MAX - 1) - at;
    memmove(&f->slos[at + 1], &f->slos[at], moved * sizeof(f->slos[0]));
    f->slos[at] = (struct digest_slo){.name = keep(f, slo->name),
                                      .service = keep(f, slo->service),
                                      .remaining = slo->remaining,
                                      .projected = slo->projected};
}
