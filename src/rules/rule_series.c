/* rule_series.c -- see rule_series.h. */
#include "rules/rule_series.h"

#include <stdlib.h>

#include "base/mem.h"

void rule_series_fini(struct rule_series *s)
{
    mem_free(s->items);
    buf_fini(&s->bytes);
    *s = (struct rule_series){0};
}

static void add_bytes(struct rule_series *s, size_t pos)
{
    if (s->count == s->cap) {
        s->cap = s->cap < 16 ? 16 : s->cap * 2;
        s->items = mem_resize(s->items, s->cap, sizeof(*s->items));
    }
    slice bytes = {s->bytes.ptr + pos, s->bytes.len - pos};
    s->items[s->count++] = (struct rule_series_entry){hash128_of(bytes, 0), pos, bytes.len};
}

void rule_series_add(struct rule_series *s, struct labels ls)
{
    size_t pos = s->bytes.len;
    labels_encode(ls, &s->bytes);
    add_bytes(s, pos);
}

static int compare(const void *pa, const void *pb)
{
    hash128 a = ((const struct rule_series_entry *)pa)->id;
    hash128 b = ((const struct rule_series_entry *)pb)->id;
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

void rule_series_close(struct rule_series *s)
{
    if (s->count > 1)
        qsort(s->items, s->count, sizeof(*s->items), compare);
}

err rule_series_gone(const struct rule_series *before, const struct rule_series *now, int64_t ts_ms,
                     struct arena *a, struct rule_sample *samples, size_t *count)
{
    size_t k = 0;
    for (size_t i = 0; i < before->count; i++) {
        const struct rule_series_entry *e = &before->items[i];
        while (now != NULL && k < now->count && compare(&now->items[k], e) < 0)
            k++;
        if (now != NULL && k < now->count && compare(&now->items[k], e) == 0)
            continue;
        struct rule_sample *out = &samples[*count];
        *out = (struct rule_sample){
            .ts_ms = ts_ms, .value = f64_from_bits(STALE_NAN_BITS), .stale = true};
        TRY(labels_decode((slice){before->bytes.ptr + e->pos, e->size}, a, &out->labels));
        ++*count;
    }
    return OK;
}

void rule_series_move(struct rule_series *to, struct rule_series *from)
{
    for (size_t i = 0; i < from->count; i++) {
        size_t pos = to->bytes.len;
        buf_put(&to->bytes, from->bytes.ptr + from->items[i].pos, from->items[i].size);
        add_bytes(to, pos);
    }
    rule_series_fini(from);
}
