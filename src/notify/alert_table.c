/* alert_table.c -- see alert_table.h: open addressing, deletion by shifting back. */
#include "notify/alert_table.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum { SLOTS_MIN = 8 };

struct alert_table {
    struct live_alert **slots; /* NULL: free */
    size_t slot_count, count;  /* slot_count: a power of two */
    uint64_t seed;             /* fingerprints are chosen by who sends */
};

/* ---- Alerts ---- */

uint64_t alert_fingerprint(struct labels ls)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < ls.count; i++) {
        const str parts[] = {ls.items[i].name, ls.items[i].value};
        for (size_t p = 0; p < 2; p++) {
            for (size_t k = 0; k < parts[p].len; k++)
                h = (h ^ (uint8_t)parts[p].ptr[k]) * UINT64_C(1099511628211);
            h = (h ^ 0xff) * UINT64_C(1099511628211);
        }
    }
    return h;
}

static size_t labels_bytes(struct labels ls)
{
    size_t n = ls.count * sizeof(struct label);
    for (size_t i = 0; i < ls.count; i++)
        n += ls.items[i].name.len + ls.items[i].value.len;
    return n;
}

static str put_text(char **text, str s)
{
    str copy = {*text, s.len};
    if (s.len > 0)
        memcpy(*text, s.ptr, s.len);
    *text += s.len;
    return copy;
}

static struct labels put_labels(struct label *items, char **text, struct labels ls)
{
    for (size_t i = 0; i < ls.count; i++)
        items[i] =
            (struct label){put_text(text, ls.items[i].name), put_text(text, ls.items[i].value)};
    return (struct labels){items, ls.count};
}

/* One piece of memory: the struct, both sets of pairs, all text. */
struct live_alert *live_alert_make(const struct live_alert *a)
{
    size_t size =
        sizeof(*a) + labels_bytes(a->labels) + labels_bytes(a->annotations) + a->generator_url.len;
    struct live_alert *made = mem_alloc(size);
    struct label *items = (struct label *)(made + 1);
    char *text = (char *)(items + a->labels.count + a->annotations.count);
    *made = *a;
    atomic_init(&made->refs, 1);
    made->labels = put_labels(items, &text, a->labels);
    made->annotations = put_labels(items + a->labels.count, &text, a->annotations);
    made->generator_url = put_text(&text, a->generator_url);
    made->fingerprint = alert_fingerprint(a->labels);
    return made;
}

struct live_alert *live_alert_ref(struct live_alert *a)
{
    (void)atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

void live_alert_unref(struct live_alert *a)
{
    /* release: this holder's reads come before; acquire: so do those of all others */
    if (a != NULL && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
        mem_free(a);
}

/* ---- The table ---- */

struct alert_table *alert_table_open(void)
{
    struct alert_table *t = mem_zalloc(1, sizeof(*t));
    t->slot_count = SLOTS_MIN;
    t->slots = mem_zalloc(t->slot_count, sizeof(struct live_alert *));
    t->seed = hash_random_seed();
    return t;
}

void alert_table_close(struct alert_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->slot_count; i++)
        live_alert_unref(t->slots[i]);
    mem_free(t->slots);
    mem_free(t);
}

size_t alert_table_count(const struct alert_table *t)
{
    return t->count;
}

static size_t home_of(const struct alert_table *t, uint64_t fingerprint)
{
    uint64_t h = (fingerprint ^ t->seed) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 20) & (t->slot_count - 1);
}

static size_t slot_of(const struct alert_table *t, uint64_t fingerprint)
{
    size_t i = home_of(t, fingerprint);
    while (t->slots[i] != NULL && t->slots[i]->fingerprint != fingerprint)
        i = (i + 1) & (t->slot_count - 1);
    return i;
}

struct live_alert *alert_table_get(const struct alert_table *t, uint64_t fingerprint)
{
    return t->slots[slot_of(t, fingerprint)];
}

static void grow(struct alert_table *t)
{
    struct live_alert **old = t->slots;
    size_t old_count = t->slot_count;
    t->slot_count *= 2;
    t->slots = mem_zalloc(t->slot_count, sizeof(struct live_alert *));
    for (size_t i = 0; i < old_count; i++)
        if (old[i] != NULL)
            t->slots[slot_of(t, old[i]->fingerprint)] = old[i];
    mem_free(old);
}

/* Is `t_ms` strictly between? */
static bool within(int64_t t_ms, const struct live_alert *old)
{
    return t_ms > old->starts_at_ms && t_ms < old->ends_at_ms;
}

/* What is known of `old`, put into the newer `a`. */
static void merge(struct live_alert *a, const struct live_alert *old, int64_t now_ms)
{
    if (!within(a->ends_at_ms, old) && !within(a->starts_at_ms, old))
        return; /* another time that it fires */
    if (old->starts_at_ms < a->starts_at_ms)
        a->starts_at_ms = old->starts_at_ms;
    bool later = old->ends_at_ms > a->ends_at_ms;
    if (live_alert_is_resolved(a, now_ms) ? later && live_alert_is_resolved(old, now_ms)
                                          : later && !old->timeout)
        a->ends_at_ms = old->ends_at_ms;
}

struct live_alert *alert_table_put(struct alert_table *t, const struct live_alert *a,
                                   int64_t now_ms)
{
    struct live_alert *made = live_alert_make(a);
    made->updated_at_ms = now_ms;
    const struct live_alert *old = alert_table_get(t, made->fingerprint);
    if (old != NULL)
        merge(made, old, now_ms);
    alert_table_set(t, made);
    live_alert_unref(made);
    return made;
}

void alert_table_set(struct alert_table *t, struct live_alert *a)
{
    if (t->count * 2 >= t->slot_count)
        grow(t);
    size_t i = slot_of(t, a->fingerprint);
    struct live_alert *old = t->slots[i];
    t->count += old == NULL;
    t->slots[i] = live_alert_ref(a);
    live_alert_unref(old);
}

void alert_table_forget(struct alert_table *t, uint64_t fingerprint)
{
    size_t hole = slot_of(t, fingerprint);
    if (t->slots[hole] == NULL)
        return;
    live_alert_unref(t->slots[hole]);
    t->slots[hole] = NULL;
    t->count--;
    for (size_t i = (hole + 1) & (t->slot_count - 1); t->slots[i] != NULL;
         i = (i + 1) & (t->slot_count - 1)) {
        size_t home = home_of(t, t->slots[i]->fingerprint);
        size_t from_home = (i - home) & (t->slot_count - 1);
        if (from_home < ((i - hole) & (t->slot_count - 1)))
            continue; /* it stands where it may */
        t->slots[hole] = t->slots[i];
        t->slots[i] = NULL;
        hole = i;
    }
}

struct live_alert *alert_table_next(const struct alert_table *t, size_t *at)
{
    while (*at < t->slot_count) {
        struct live_alert *a = t->slots[(*at)++];
        if (a != NULL)
            return a;
    }
    return NULL;
}
