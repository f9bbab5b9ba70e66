/* active.c -- see active.h. */
#include "query/active.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"

const char *active_state_text(enum active_state s)
{
    static const char *const TEXTS[] = {"queued", "running", "sending"};
    return TEXTS[s];
}

void active_init(struct active_queries *a)
{
    *a = (struct active_queries){.next_id = hash_random_seed()};
    mutex_init(&a->lock);
}

void active_fini(struct active_queries *a)
{
    ASSERT(a->first == NULL);
    mutex_fini(&a->lock);
}

void active_add(struct active_queries *a, struct active_query *q)
{
    mutex_lock(&a->lock);
    q->info.id = ++a->next_id;
    q->info.query_bytes = q->info.query.len;
    if (q->info.id == 0) /* says "never added" */
        q->info.id = ++a->next_id;
    q->prev = NULL;
    q->next = a->first;
    if (a->first != NULL)
        a->first->prev = q;
    a->first = q;
    a->count++;
    mutex_unlock(&a->lock);
}

void active_remove(struct active_queries *a, struct active_query *q)
{
    if (q->info.id == 0)
        return;
    mutex_lock(&a->lock);
    if (q->prev != NULL)
        q->prev->next = q->next;
    else
        a->first = q->next;
    if (q->next != NULL)
        q->next->prev = q->prev;
    a->count--;
    q->info.id = 0;
    mutex_unlock(&a->lock);
}

void active_run(struct active_query *q)
{
    q->run_mono_ns = clock_mono_ns(); /* before `state`, which tells that it is set */
    atomic_store_explicit(&q->state, ACTIVE_RUNNING, memory_order_release);
}

void active_times(struct active_queries *a, struct active_query *q, int64_t start_ms,
                  int64_t end_ms, int64_t step_ms)
{
    mutex_lock(&a->lock);
    q->info.start_ms = start_ms;
    q->info.end_ms = end_ms;
    q->info.step_ms = step_ms;
    mutex_unlock(&a->lock);
}

void active_sending(struct active_query *q)
{
    atomic_store_explicit(&q->state, ACTIVE_SENDING, memory_order_release);
}

static uint64_t relaxed(const atomic_uint_least64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static err copy_one(const struct active_query *q, uint64_t now_ns, struct arena *a,
                    struct active_copy *out)
{
    struct active_copy c = {.info = q->info,
                            .state = atomic_load_explicit(&q->state, memory_order_acquire),
                            .series = relaxed(&q->progress.series),
                            .samples = relaxed(&q->progress.samples),
                            .bytes = relaxed(&q->progress.bytes),
                            .memory_bytes = relaxed(&q->progress.memory_bytes)};
    uint64_t waited_until_ns = c.state == ACTIVE_QUEUED ? now_ns : q->run_mono_ns;
    c.elapsed_ns = now_ns - MIN(now_ns, q->info.start_mono_ns);
    c.queue_ns = waited_until_ns - MIN(waited_until_ns, q->info.start_mono_ns);
    str text = {q->info.query.ptr, MIN(q->info.query.len, (size_t)ACTIVE_TEXT_MAX)};
    c.info.query = text.len > 0 ? arena_str(a, text) : (str){"", 0};
    if (c.info.query.ptr == NULL)
        return ERR_LIMIT;
    TRY(origin_copy(&q->info.origin, a, &c.info.origin));
    *out = c;
    return OK;
}

err active_list(struct active_queries *l, struct arena *a, struct active_copy **out, size_t *count)
{
    err e = OK;
    mutex_lock(&l->lock);
    uint64_t now_ns = clock_mono_ns();
    struct active_copy *copies = ARENA_ARRAY(a, struct active_copy, l->count + 1);
    size_t n = l->count;
    if (copies == NULL)
        e = ERR_LIMIT;
    for (const struct active_query *q = l->first; q != NULL && e == OK; q = q->next)
        e = copy_one(q, now_ns, a, &copies[--n]); /* the newest is first in the list */
    *count = l->count;
    mutex_unlock(&l->lock);
    *out = copies;
    return e;
}

size_t active_count(struct active_queries *l, enum active_state s)
{
    size_t n = 0;
    mutex_lock(&l->lock);
    for (const struct active_query *q = l->first; q != NULL; q = q->next)
        n += atomic_load_explicit(&q->state, memory_order_relaxed) == s;
    mutex_unlock(&l->lock);
    return n;
}

struct active_memory active_memory_of(struct active_queries *l)
{
    struct active_memory m = {0};
    mutex_lock(&l->lock);
    for (const struct active_query *q = l->first; q != NULL; q = q->next) {
        uint64_t bytes = relaxed(&q->progress.memory_bytes);
        m.bytes += bytes;
        m.holders += bytes > 0;
        if (bytes > m.largest_bytes && !q->canceled) {
            m.largest_bytes = bytes;
            m.largest_id = q->info.id;
        }
    }
    mutex_unlock(&l->lock);
    return m;
}

err active_cancel(struct active_queries *a, uint64_t id)
{
    err e = ERR_NOTFOUND;
    mutex_lock(&a->lock);
    for (struct active_query *q = a->first; q != NULL && id != 0; q = q->next) {
        if (q->info.id != id)
            continue;
        q->canceled = true;
        atomic_store_explicit(q->cancel, true, memory_order_relaxed);
        e = OK;
    }
    mutex_unlock(&a->lock);
    return e;
}

bool active_was_canceled(struct active_queries *a, const struct active_query *q)
{
    mutex_lock(&a->lock);
    bool canceled = q->canceled;
    mutex_unlock(&a->lock);
    return canceled;
}
