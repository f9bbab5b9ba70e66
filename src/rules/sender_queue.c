/* sender_queue.c -- see sender_queue.h. */
#include "rules/sender_queue.h"

#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

struct sent_alert *sent_alert_new(str json)
{
    struct sent_alert *a = mem_alloc(sizeof(*a) + json.len);
    atomic_init(&a->refs, 1);
    a->len = json.len;
    memcpy(a->json, json.ptr, json.len);
    return a;
}

struct sent_alert *sent_alert_ref(struct sent_alert *a)
{
    (void)atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

void sent_alert_unref(struct sent_alert *a)
{
    if (a != NULL && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
        mem_free(a);
}

void sender_queue_init(struct sender_queue *q, size_t capacity)
{
    ASSERT(capacity > 0);
    *q = (struct sender_queue){.capacity = capacity};
    q->ring = mem_zalloc(capacity, sizeof(struct sent_alert *));
}

void sender_queue_fini(struct sender_queue *q)
{
    struct sent_alert *a;
    while (sender_queue_take(q, 1, &a) == 1)
        sent_alert_unref(a);
    mem_free(q->ring);
    q->ring = NULL;
}

static void lose_oldest(struct sender_queue *q)
{
    struct sent_alert *a;
    if (sender_queue_take(q, 1, &a) == 1)
        sent_alert_unref(a);
}

size_t sender_queue_add(struct sender_queue *q, struct sent_alert *const *alerts, size_t count)
{
    size_t lost = 0;
    for (size_t i = 0; i < count; i++) {
        while (q->count == q->capacity ||
               (q->count > 0 && q->bytes + alerts[i]->len > SENDER_QUEUE_BYTES_MAX)) {
            lose_oldest(q);
            lost++;
        }
        q->ring[(q->head + q->count++) % q->capacity] = sent_alert_ref(alerts[i]);
        q->bytes += alerts[i]->len;
    }
    return lost;
}

size_t sender_queue_take(struct sender_queue *q, size_t max, struct sent_alert **out)
{
    size_t n = MIN(max, q->count);
    for (size_t i = 0; i < n; i++) {
        out[i] = q->ring[q->head];
        q->bytes -= out[i]->len;
        q->head = (q->head + 1) % q->capacity;
    }
    q->count -= n;
    return n;
}
