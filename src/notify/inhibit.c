/* inhibit.c -- see inhibit.h. Each rule has its sources in a table by the hash of their `equal`
 * labels: a target finds those that could mute it at once. */
#include "notify/inhibit.h"

#include "base/hash.h"
#include "base/mem.h"

enum { BUCKETS_MIN = 16 };

struct source {
    uint64_t fingerprint, equal_hash;
    struct labels labels;
    int64_t ends_at_ms;
    struct source *next; /* of the bucket */
};

struct rule {
    const struct inhibit_config *config;
    struct source **buckets;
    size_t bucket_count, source_count; /* bucket_count: a power of two, or 0 */
};

struct inhibitor {
    struct rule *rules;
    size_t rule_count;
    uint64_t seed;
};

struct inhibitor *inhibitor_open(const struct alertmanager_file *f)
{
    struct inhibitor *in = mem_zalloc(1, sizeof(*in));
    in->rule_count = f->inhibit_rules.count;
    in->rules = mem_zalloc(in->rule_count + 1, sizeof(*in->rules));
    in->seed = hash_random_seed();
    for (size_t i = 0; i < in->rule_count; i++)
        in->rules[i].config = &f->inhibit_rules.items[i];
    return in;
}

void inhibitor_close(struct inhibitor *in)
{
    if (in == NULL)
        return;
    for (size_t i = 0; i < in->rule_count; i++) {
        struct rule *r = &in->rules[i];
        for (size_t b = 0; b < r->bucket_count; b++) {
            while (r->buckets[b] != NULL) {
                struct source *s = r->buckets[b];
                r->buckets[b] = s->next;
                mem_free(s);
            }
        }
        mem_free(r->buckets);
    }
    mem_free(in->rules);
    mem_free(in);
}

/* ---- Tables ---- */

static str value_of(struct labels ls, str name)
{
    str v = labels_get(ls, name);
    return v.ptr != NULL ? v : STR("");
}

static uint64_t hash_equal(const struct inhibitor *in, const struct rule *r, struct labels ls)
{
    uint64_t h = in->seed;
    for (size_t i = 0; i < r->config->equal.count; i++)
        h = hash64(str_bytes(value_of(ls, r->config->equal.items[i])), h);
    return h;
}

static bool equal_labels(const struct rule *r, struct labels a, struct labels b)
{
    for (size_t i = 0; i < r->config->equal.count; i++)
        if (!str_eq(value_of(a, r->config->equal.items[i]), value_of(b, r->config->equal.items[i])))
            return false;
    return true;
}

static void grow(struct rule *r)
{
    size_t count = r->bucket_count == 0 ? BUCKETS_MIN : r->bucket_count * 2;
    struct source **buckets = mem_zalloc(count, sizeof(struct source *));
    for (size_t b = 0; b < r->bucket_count; b++) {
        while (r->buckets[b] != NULL) {
            struct source *s = r->buckets[b];
            r->buckets[b] = s->next;
            s->next = buckets[s->equal_hash & (count - 1)];
            buckets[s->equal_hash & (count - 1)] = s;
        }
    }
    mem_free(r->buckets);
    r->buckets = buckets;
    r->bucket_count = count;
}

/* Where the source with that fingerprint hangs; NULL: there is none. */
static struct source **find(struct rule *r, uint64_t fingerprint, uint64_t equal_hash)
{
    if (r->bucket_count == 0)
        return NULL;
    struct source **place = &r->buckets[equal_hash & (r->bucket_count - 1)];
    while (*place != NULL && (*place)->fingerprint != fingerprint)
        place = &(*place)->next;
    return *place != NULL ? place : NULL;
}

void inhibitor_put(struct inhibitor *in, uint64_t fingerprint, struct labels labels,
                   int64_t ends_at_ms)
{
    for (size_t i = 0; i < in->rule_count; i++) {
        struct rule *r = &in->rules[i];
        if (!alert_matchers_match(&r->config->source, labels))
            continue;
        uint64_t h = hash_equal(in, r, labels);
        struct source **place = find(r, fingerprint, h), *s = place != NULL ? *place : NULL;
        if (s == NULL) {
            if (r->source_count >= r->bucket_count)
                grow(r);
            s = mem_zalloc(1, sizeof(*s));
            s->next = r->buckets[h & (r->bucket_count - 1)];
            r->buckets[h & (r->bucket_count - 1)] = s;
            r->source_count++;
        }
        s->fingerprint = fingerprint;
        s->equal_hash = h;
        s->labels = labels;
        s->ends_at_ms = ends_at_ms;
    }
}

void inhibitor_forget(struct inhibitor *in, uint64_t fingerprint, struct labels labels)
{
    for (size_t i = 0; i < in->rule_count; i++) {
        struct rule *r = &in->rules[i];
        struct source **place = find(r, fingerprint, hash_equal(in, r, labels));
        if (place == NULL)
            continue;
        struct source *s = *place;
        *place = s->next;
        mem_free(s);
        r->source_count--;
    }
}

/* ---- Muting ---- */

static const struct source *muted_by(const struct inhibitor *in, const struct rule *r,
                                     struct labels ls, int64_t now_ms)
{
    if (r->bucket_count == 0 || !alert_matchers_match(&r->config->target, ls))
        return NULL;
    uint64_t h = hash_equal(in, r, ls);
    bool both = alert_matchers_match(&r->config->source, ls);
    for (const struct source *s = r->buckets[h & (r->bucket_count - 1)]; s != NULL; s = s->next) {
        if (s->equal_hash != h || s->ends_at_ms <= now_ms || !equal_labels(r, ls, s->labels))
            continue;
        if (both && alert_matchers_match(&r->config->target, s->labels))
            continue;
        return s;
    }
    return NULL;
}

bool inhibitor_mutes(const struct inhibitor *in, struct labels labels, int64_t now_ms, uint64_t *by)
{
    for (size_t i = 0; i < in->rule_count; i++) {
        const struct source *s = muted_by(in, &in->rules[i], labels, now_ms);
        if (s != NULL) {
            *by = s->fingerprint;
            return true;
        }
    }
    return false;
}
