/* rw_follow.c -- see rw_follow.h. */
#include "ingest/rw_follow.h"

#include <string.h>

#include "base/mem.h"
#include "ingest/rw_plain.h"
#include "ingest/snappy.h"

static_assert((int)ORDER_READ_PAD <= (int)SNAPPY_READ_PAD, "labels are in a decoded request");

/* Are the labels at `p` those of `entry`, `before` being the labels before? Sizes are equal. */
typedef bool entry_is_fn(const uint8_t *entry, slice before, const uint8_t *p, size_t size);

static inline bool entry_is_any(const uint8_t *entry, slice before, const uint8_t *p, size_t size)
{
    size_t prefix = load_u16(entry + ENTRY_PREFIX), suffix = load_u16(entry + ENTRY_SUFFIX);
    size_t middle = size - prefix - suffix;
    return memcmp(p, before.ptr, prefix) == 0 &&
           memcmp(p + prefix, entry + ENTRY_HEAD, middle) == 0 &&
           memcmp(p + prefix + middle, before.ptr + before.len - suffix, suffix) == 0;
}

/* All series that are as the passage says; returns how many. *before becomes the last one's labels.
 */
static inline __attribute__((always_inline)) size_t follow(struct remote_write *w,
                                                           const struct passage *g, struct pb *p,
                                                           slice *before, entry_is_fn *entry_is)
{
    const uint8_t *entry = g->entries;
    size_t i = 0, count = g->count;
    for (; i < count && p->end - p->pos >= 3; i++) {
        slice message = rw_plain_field(p->pos, p->end);
        struct plain_sample sample;
        if (UNLIKELY(message.ptr == NULL || !rw_plain_sample(w, message, &sample)))
            break;
        size_t size = message.len - sample.size;
        if (UNLIKELY(size != load_u16(entry + ENTRY_SIZE) ||
                     !entry_is(entry, *before, message.ptr, size)))
            break;
        struct db_row *row = rw_add_row(w);
        if (UNLIKELY(row == NULL))
            break;
        *row = (struct db_row){
            .ts_ms = sample.ts_ms, .value = sample.value, .series = load_u32(entry + ENTRY_SERIES)};
        *before = (slice){message.ptr, size};
        p->pos = message.ptr + message.len;
        entry +=
            ENTRY_HEAD + size - load_u16(entry + ENTRY_PREFIX) - load_u16(entry + ENTRY_SUFFIX);
    }
    return i;
}

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,bmi2")))

WIDE static inline __m256i load32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* What differs in the first `size` bytes of `a` and `b`; ORDER_READ_PAD more may be read. */
WIDE static inline __m256i difference(const uint8_t *a, const uint8_t *b, size_t size)
{
    static const uint64_t MASK[8] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0, 0, 0};
    __m256i sum = _mm256_setzero_si256();
    for (; size >= 32; size -= 32, a += 32, b += 32)
        sum = _mm256_or_si256(sum, _mm256_xor_si256(load32(a), load32(b)));
    __m256i last = _mm256_xor_si256(load32(a), load32(b));
    return _mm256_or_si256(sum, _mm256_and_si256(last, load32((const uint8_t *)MASK + 32 - size)));
}

WIDE static inline bool entry_is_wide(const uint8_t *entry, slice before, const uint8_t *p,
                                      size_t size)
{
    size_t prefix = load_u16(entry + ENTRY_PREFIX), suffix = load_u16(entry + ENTRY_SUFFIX);
    __m256i sum = difference(p, before.ptr, prefix);
    sum = _mm256_or_si256(sum, difference(p + prefix, entry + ENTRY_HEAD, size - prefix - suffix));
    sum = _mm256_or_si256(sum,
                          difference(p + size - suffix, before.ptr + before.len - suffix, suffix));
    return _mm256_testz_si256(sum, sum) != 0;
}

WIDE static size_t follow_wide(struct remote_write *w, const struct passage *g, struct pb *p,
                               slice *before)
{
    return follow(w, g, p, before, entry_is_wide);
}

bool rw_follow_wide_usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

#else

bool rw_follow_wide_usable(void)
{
    return false;
}

static size_t follow_wide(struct remote_write *w, const struct passage *g, struct pb *p,
                          slice *before)
{
    return follow(w, g, p, before, entry_is_any);
}

#endif

/* ---- Trails ---- */

static void note(struct remote_write *w, const struct rw_trail *t)
{
    if (w->trail_count == w->trail_cap) {
        w->trail_cap = w->trail_cap == 0 ? 16 : w->trail_cap * 2;
        w->trails = mem_resize(w->trails, w->trail_cap, sizeof(*w->trails));
    }
    w->trails[w->trail_count++] = *t;
}

void rw_follow(struct remote_write *w, struct pb *p)
{
    size_t index = w->item_count - 1;
    struct rw_trail t = {
        .key = w->aliases[index], .item_next = w->item_count, .before = w->items[index].labels};
    struct order *o = w->receiver->order;
    struct passage *g = order_find(o, t.key, w->order_epoch);
    if (g != NULL) {
        t.kept = w->receiver->wide ? follow_wide(w, g, p, &t.before)
                                   : follow(w, g, p, &t.before, entry_is_any);
        w->followed = w->followed || t.kept > 0;
        bool failed = t.kept < g->count && p->pos < p->end;
        bool again = order_judge(o, g, failed);
        if (p->pos == p->end || (failed && !again)) {
            order_release(g);
            return;
        }
        t.old = g;
    }
    t.place = p->pos;
    note(w, &t);
}

void rw_forget_trails(struct remote_write *w)
{
    for (size_t i = 0; i < w->trail_count; i++)
        order_release(w->trails[i].old);
    w->trail_count = 0;
    w->followed = false;
}

/* Learn one trail: the items that come one right behind the other, up to where the next passage may
 * begin. Only those that were found: their hash has proved where their labels end. */
static void learn(struct remote_write *w, const struct rw_trail *t)
{
    enum { HEAD_MAX = 3 }; /* bytes of a message before its body */
    struct order_series next[ORDER_PASSAGE_MAX];
    const uint8_t *place = t->place;
    size_t count = 0;
    if (w->series[t->item_next - 1] == SERIES_NONE)
        return;
    for (size_t i = t->item_next; i < w->item_count && t->kept + count < COUNT_OF(next); i++) {
        const struct rw_item *it = &w->items[i];
        if (it->body.ptr - place > HEAD_MAX || w->series[i] == SERIES_NONE ||
            order_begins_at(w->aliases[i]))
            break;
        next[count++] = (struct order_series){it->labels, w->series[i]};
        place = it->body.ptr + it->body.len;
    }
    if (count > 0)
        order_learn(w->receiver->order, t->key, w->batch.epoch, t->old, t->kept, t->before, next,
                    count);
}

void rw_learn(struct remote_write *w)
{
    for (size_t i = 0; i < w->trail_count; i++) {
        learn(w, &w->trails[i]);
        order_release(w->trails[i].old);
    }
    w->trail_count = 0;
}
