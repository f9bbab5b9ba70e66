/* change_log.c -- see change_log.h. */
#include "storage/change_log.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/thread.h"

enum { NO_PLACE = CHANGE_BUCKETS };

struct change_log {
    struct mutex lock; /* one note at a time, so that generations are published in order; leaf */
    /* Written under the lock, read without: a release store of `generation` after those of its
     * places pairs with the acquire load of who then looks at places. */
    _Atomic uint64_t generation;
    _Atomic uint64_t places[CHANGE_BUCKETS];
};

struct change_log *change_log_open(void)
{
    struct change_log *c = mem_zalloc(1, sizeof(*c));
    mutex_init(&c->lock);
    return c;
}

void change_log_close(struct change_log *c)
{
    if (c == NULL)
        return;
    mutex_fini(&c->lock);
    mem_free(c);
}

/* Arithmetic shift: rounds down for times before 1970 too. */
static int64_t bucket_of(int64_t ts_ms)
{
    return ts_ms >> 14;
}

static uint64_t place_of(int64_t bucket)
{
    static_assert(CHANGE_BUCKET_MS == 1 << 14, "bucket_of() shifts by 14");
    return (uint64_t)bucket % CHANGE_BUCKETS;
}

void change_note_begin(struct change_log *c, struct change_note *n)
{
    mutex_lock(&c->lock);
    uint64_t last = atomic_load_explicit(&c->generation, memory_order_relaxed);
    *n = (struct change_note){c, last + 1, NO_PLACE};
}

void change_note_time(struct change_note *n, int64_t ts_ms)
{
    uint64_t place = place_of(bucket_of(ts_ms));
    if (place == n->last_place)
        return;
    n->last_place = place;
    atomic_store_explicit(&n->log->places[place], n->generation, memory_order_relaxed);
}

void change_note_range(struct change_note *n, int64_t min_ms, int64_t max_ms)
{
    if (max_ms < min_ms)
        return;
    int64_t first = bucket_of(min_ms), last = bucket_of(max_ms);
    uint64_t count = MIN((uint64_t)last - (uint64_t)first + 1, (uint64_t)CHANGE_BUCKETS);
    for (uint64_t i = 0; i < count; i++)
        atomic_store_explicit(&n->log->places[place_of(first + (int64_t)i)], n->generation,
                              memory_order_relaxed);
}

void change_note_end(struct change_note *n)
{
    atomic_store_explicit(&n->log->generation, n->generation, memory_order_release);
    mutex_unlock(&n->log->lock);
}

void change_log_note(struct change_log *c, int64_t min_ms, int64_t max_ms)
{
    struct change_note n;
    change_note_begin(c, &n);
    change_note_range(&n, min_ms, max_ms);
    change_note_end(&n);
}

uint64_t change_log_generation(const struct change_log *c)
{
    return atomic_load_explicit(&c->generation, memory_order_acquire);
}

bool change_log_unchanged(const struct change_log *c, uint64_t generation, int64_t min_ms,
                          int64_t max_ms, int64_t *from_ms, int64_t *to_ms)
{
    int64_t first = bucket_of(min_ms), last = bucket_of(max_ms);
    int64_t best_first = 0, best_count = 0, run = 0;
    /* longer than all places: each of them would be looked at more than once */
    if (max_ms < min_ms || (uint64_t)last - (uint64_t)first >= CHANGE_BUCKETS)
        return false;
    for (int64_t b = first; b <= last; b++) {
        uint64_t changed = atomic_load_explicit(&c->places[place_of(b)], memory_order_relaxed);
        run = changed > generation ? 0 : run + 1;
        if (run > best_count) {
            best_count = run;
            best_first = b - run + 1;
        }
    }
    if (best_count == 0)
        return false;
    *from_ms = MAX(min_ms, best_first * CHANGE_BUCKET_MS);
    *to_ms = MIN(max_ms, (best_first + best_count) * CHANGE_BUCKET_MS - 1);
    return true;
}
