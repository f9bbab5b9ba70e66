/* recording.c -- see recording.h. */
#include "rules/recording.h"

#include <stdlib.h>

#include "base/mem.h"

static bool is_replaced(const struct rule *r, str name)
{
    return str_eq(name, LABEL_NAME) || labels_get(r->labels, name).ptr != NULL;
}

/* The element's labels under the rule's name, with the rule's labels; an empty one removes. */
static err labels_of(const struct rule *r, struct labels element, struct arena *a,
                     struct labels *out)
{
    size_t n = 0;
    struct label *items = ARENA_ARRAY(a, struct label, element.count + r->labels.count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < element.count; i++)
        if (!is_replaced(r, element.items[i].name))
            items[n++] = element.items[i];
    for (size_t i = 0; i < r->labels.count; i++)
        items[n++] = r->labels.items[i];
    items[n++] = (struct label){LABEL_NAME, r->name};
    *out = (struct labels){items, labels_sort(items, n)};
    return OK;
}

static int compare_hashes(const void *pa, const void *pb)
{
    const hash128 *a = pa, *b = pb;
    if (a->hi != b->hi)
        return a->hi < b->hi ? -1 : 1;
    return (a->lo > b->lo) - (a->lo < b->lo);
}

static bool has_twins(const struct rule_sample *samples, size_t count)
{
    hash128 *hashes = mem_alloc((count + 1) * sizeof(*hashes));
    bool twins = false;
    for (size_t i = 0; i < count; i++)
        hashes[i] = labels_hash(samples[i].labels, 0);
    if (count > 1)
        qsort(hashes, count, sizeof(*hashes), compare_hashes);
    for (size_t i = 1; i < count; i++)
        twins |= hash128_eq(hashes[i - 1], hashes[i]);
    mem_free(hashes);
    return twins;
}

err recording_samples(const struct rule *r, const struct rule_vector *v, int64_t ts_ms,
                      int64_t limit, struct arena *a, struct rule_sample **out, struct diag *d)
{
    struct rule_sample *samples = ARENA_ARRAY(a, struct rule_sample, v->count + 1);
    if (samples == NULL)
        return diag_set(d, ERR_LIMIT, "the result of the rule needs too much memory");
    for (size_t i = 0; i < v->count; i++) {
        samples[i] = (struct rule_sample){
            .ts_ms = ts_ms, .value = v->items[i].value, .histogram = v->items[i].histogram};
        if (labels_of(r, v->items[i].labels, a, &samples[i].labels) != OK)
            return diag_set(d, ERR_LIMIT, "the result of the rule needs too much memory");
    }
    if (has_twins(samples, v->count))
        return diag_set(
            d, ERR_INVALID,
            "vector contains metrics with the same labelset after applying rule labels");
    if (limit > 0 && v->count > (uint64_t)limit)
        return diag_set(d, ERR_LIMIT, "exceeded limit of %lld with %zu series", (long long)limit,
                        v->count);
    *out = samples;
    return OK;
}
