/* rw_follow.c -- see rw_follow.h. */
#include "ingest/rw_follow.h"

#include <string.h>

#include "base/mem.h"
#include "ingest/rw_plain.h"

enum {
    WINDOW = 4,         /* entries that may be left out at once: series that ended */
    MISSED_MAX = 16,    /* series in a row that are not in the stretch: it is left then */
    FUTILE_MATCHED = 4, /* a stretch that held for less was entered in vain; */
    FUTILE_MAX = 8,     /* after so many, none is entered for the rest of the request */
    MESSAGE_MIN = 12,   /* bytes of a series in a request, labels not counted */
};

void rw_walk_begin(struct remote_write *w)
{
    if (w->receiver->recall == NULL)
        w->walk = (struct rw_walk){.futile = FUTILE_MAX};
    else
        w->walk = (struct rw_walk){.epoch = db_resolve(w->receiver->options.db, NULL, 0, NULL),
                                   .ended = true};
}

static void leave(struct remote_write *w)
{
    struct rw_walk *k = &w->walk;
    if (k->stretch == NULL)
        return;
    recall_release(w->receiver->recall, k->stretch, k->matched, k->missed);
    k->futile += k->matched < FUTILE_MATCHED;
    k->stretch = NULL;
}

void rw_walk_end(struct remote_write *w)
{
    leave(w);
    w->walk.ended = false;
}

/* ---- Comparing ---- */

typedef bool equal_fn(const uint8_t *a, const uint8_t *b, size_t size);

static inline bool equal_any(const uint8_t *a, const uint8_t *b, size_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

struct place { /* in a request */
    const uint8_t *pos, *end;
    uint64_t time_raw; /* see rw_plain.h */
    int64_t time_ms;
};

/* Make the row of the series at p->pos, of which it is known that it has the size of `entry` and
 * one of these values; see follow_usual(). */
static inline __attribute__((always_inline)) bool
follow_sized(struct place *p, const struct recall_entry *entry, const uint8_t *labels,
             struct db_row *row, equal_fn *equal, bool zero)
{
    size_t size = entry->size;
    const uint8_t *pos = p->pos + PLAIN_HEAD_SIZE, *sample = pos + size;
    const uint8_t *end = sample + (zero ? PLAIN_ZERO_SIZE : PLAIN_SAMPLE_SIZE);
    if (UNLIKELY(!equal(pos, labels + entry->at, size) ||
                 (load_u32(sample) & 0xffffff) != (zero ? PLAIN_ZERO_HEAD : PLAIN_SAMPLE_HEAD) ||
                 load_u64(end - 8) >> 8 != p->time_raw))
        return false;
    *row = (struct db_row){.ts_ms = p->time_ms,
                           .value = zero ? 0 : f64_from_bits(load_u64(sample + PLAIN_VALUE_AT)),
                           .series = entry->series};
    p->pos = end;
    return true;
}

/* Make the row of a series that has two bytes of size and the time of the series before. False,
 * with nothing changed but `row`, for any other, and for one that is not `entry`. */
static inline __attribute__((always_inline)) bool follow_usual(struct place *p,
                                                               const struct recall_entry *entry,
                                                               const uint8_t *labels,
                                                               struct db_row *row, equal_fn *equal)
{
    size_t size = entry->size;
    if (UNLIKELY((size_t)(p->end - p->pos) < PLAIN_HEAD_SIZE + size + PLAIN_SAMPLE_SIZE))
        return false;
    uint32_t head = load_u32(p->pos) & 0xffffff;
    if (LIKELY(head == entry->head))
        return follow_sized(p, entry, labels, row, equal, false);
    return head == rw_plain_head(size + PLAIN_ZERO_SIZE) &&
           follow_sized(p, entry, labels, row, equal, true);
}

/* The same for any series of the common shape. */
static inline bool follow_plain(struct remote_write *w, struct place *p,
                                const struct recall_entry *entry, const uint8_t *labels,
                                struct db_row *row)
{
    struct plain_sample sample;
    if (p->end - p->pos < MESSAGE_MIN)
        return false;
    slice message = rw_plain_field(p->pos, p->end);
    if (message.ptr == NULL || !rw_plain_sample(w, message, &sample) ||
        message.len - sample.size != entry->size ||
        !equal_any(message.ptr, labels + entry->at, entry->size))
        return false;
    *row = (struct db_row){.ts_ms = sample.ts_ms, .value = sample.value, .series = entry->series};
    *p = (struct place){message.ptr + message.len, p->end, w->time_raw, w->time_ms};
    return true;
}

/* Make rows of all series that are as the stretch says from k->at on. */
static inline __attribute__((always_inline)) void follow(struct remote_write *w, struct pb *p,
                                                         equal_fn *equal)
{
    struct rw_walk *k = &w->walk;
    const struct stretch *s = k->stretch;
    const struct recall_entry *first = s->entries + k->at, *entry = first;
    const struct recall_entry *end = first + MIN(s->count - k->at, w->row_cap - w->row_count);
    const uint8_t *labels = s->labels;
    struct db_row *row = w->rows + w->row_count;
    struct place place = {p->pos, p->end, w->time_raw, w->time_ms};
    for (; entry < end; entry++, row++)
        if (UNLIKELY(!follow_usual(&place, entry, labels, row, equal)) &&
            !follow_plain(w, &place, entry, labels, row))
            break;
    size_t count = (size_t)(entry - first);
    p->pos = place.pos;
    k->at += (uint32_t)count;
    k->matched += count;
    k->rows += count;
    w->row_count += count;
}

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,bmi2")))

WIDE static inline __m256i differ32(const uint8_t *a, const uint8_t *b)
{
    return _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)a),
                            _mm256_loadu_si256((const __m256i *)(const void *)b));
}

/* Blocks of 32 bytes from the first one on, and one that ends where the bytes end. */
WIDE static inline bool equal_wide(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (UNLIKELY(size - 32 > 512 - 32))
        return equal_any(a, b, size);
    __m256i sum = differ32(a + size - 32, b + size - 32);
#define BLOCK(i)                                                                                   \
    case (i) + 1:                                                                                  \
        sum = _mm256_or_si256(sum, differ32(a + 32 * (i), b + 32 * (i)));                          \
        __attribute__((fallthrough))
    switch ((size - 1) / 32 & 15) {
        BLOCK(14);
        BLOCK(13);
        BLOCK(12);
        BLOCK(11);
        BLOCK(10);
        BLOCK(9);
        BLOCK(8);
        BLOCK(7);
        BLOCK(6);
        BLOCK(5);
        BLOCK(4);
        BLOCK(3);
        BLOCK(2);
        BLOCK(1);
        BLOCK(0);
    default:
        break;
    }
#undef BLOCK
    return _mm256_testz_si256(sum, sum) != 0;
}

WIDE static void follow_wide(struct remote_write *w, struct pb *p)
{
    follow(w, p, equal_wide);
}

bool rw_follow_wide_usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

#else

static void follow_wide(struct remote_write *w, struct pb *p)
{
    follow(w, p, equal_any);
}

bool rw_follow_wide_usable(void)
{
    return false;
}

#endif

/* ---- Walking ---- */

/* Room for a row of each series that may be left of stretch and request. */
static void reserve_rows(struct remote_write *w, const struct pb *p)
{
    size_t left =
        MIN((size_t)(w->walk.stretch->count - w->walk.at), (size_t)(p->end - p->pos) / MESSAGE_MIN);
    while (w->row_cap - w->row_count < left && rw_grow_rows(w))
        continue;
}

/* Enter the stretch that has the last item, if one has. Returns whether one does. */
static bool enter(struct remote_write *w)
{
    struct rw_walk *k = &w->walk;
    struct recall *recall = w->receiver->recall;
    uint32_t index;
    k->ended = false;
    if (k->futile >= FUTILE_MAX)
        return false;
    struct stretch *s =
        recall_find(recall, w->aliases[w->item_count - 1], k->epoch, w->begin_ns / 1000000, &index);
    if (s == NULL)
        return false;
    if (s == k->stretch) {
        recall_release(recall, s, 0, 0);
    } else {
        leave(w);
        k->stretch = s;
        k->matched = k->missed = 0;
    }
    k->at = index + 1;
    k->astray = 0;
    return true;
}

/* Follow the stretch from the first of the next entries on that is the series at `p`; false, with
 * nothing changed, if none is. */
static bool follow_on(struct remote_write *w, struct pb *p)
{
    struct rw_walk *k = &w->walk;
    uint32_t at = k->at, end = (uint32_t)MIN((size_t)at + WINDOW, (size_t)k->stretch->count);
    size_t rows = w->row_count;
    for (; k->at < end; k->at++) {
        if (w->receiver->wide)
            follow_wide(w, p);
        else
            follow(w, p, equal_any);
        if (w->row_count > rows)
            return true;
    }
    k->at = at;
    return false;
}

void rw_follow(struct remote_write *w, struct pb *p)
{
    struct rw_walk *k = &w->walk;
    bool may_enter = k->ended || recall_is_anchor(w->aliases[w->item_count - 1]);
    if (!(may_enter && enter(w)) && k->stretch != NULL) {
        k->missed++;
        if (++k->astray > MISSED_MAX)
            leave(w);
    }
    if (k->stretch == NULL)
        return;
    reserve_rows(w, p);
    while (follow_on(w, p))
        k->astray = 0;
    if (k->at == k->stretch->count) {
        leave(w);
        k->ended = true;
    }
}

/* ---- Learning ---- */

/* Lists the items from `first` on that were found and come one right behind the other; returns how
 * many. Only those: their hash has proved where their labels end. */
static size_t run_of(const struct remote_write *w, size_t first, struct recall_series *run)
{
    enum { HEAD_MAX = 3 }; /* bytes of a message before its body */
    const uint8_t *place = w->items[first].body.ptr;
    size_t count = 0, bytes = 0;
    for (size_t i = first; i < w->item_count && count < RECALL_RUN_MAX; i++) {
        const struct rw_item *it = &w->items[i];
        bytes += it->labels.len;
        if (it->body.ptr - place > HEAD_MAX || w->series[i] == SERIES_NONE ||
            bytes > RECALL_RUN_BYTES_MAX)
            break;
        run[count++] = (struct recall_series){w->aliases[i], it->labels, w->series[i]};
        place = it->body.ptr + it->body.len;
    }
    return count;
}

void rw_learn(struct remote_write *w, uint32_t epoch)
{
    struct recall *recall = w->receiver->recall;
    uint64_t now_ms = w->begin_ns / 1000000;
    size_t count = w->item_count;
    if (recall == NULL || count < RECALL_RUN_MIN)
        return;
    size_t bytes = (size_t)(w->items[count - 1].body.ptr - w->items[0].body.ptr);
    if (!recall_has_room(recall, MIN(bytes, (size_t)RECALL_RUN_BYTES_MAX), now_ms))
        return;
    struct recall_series *run = mem_alloc(MIN(count, (size_t)RECALL_RUN_MAX) * sizeof(*run));
    for (size_t i = 0, n; i < count; i += MAX(n, (size_t)1)) {
        n = run_of(w, i, run);
        if (n >= RECALL_RUN_MIN)
            recall_learn(recall, epoch, now_ms, run, n);
    }
    mem_free(run);
}
