/* rates.c -- see rates.h. */
#include "notify/rates.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

struct rate {       /* of one receiver */
    struct due due; /* first: when the next of `waiting` has its turn; in no heap: nobody waits */
    char *receiver;
    int64_t per_ms, burst_ms; /* burst_ms: how far `paid_ms` may be ahead of the time */
    int64_t paid_ms;          /* each one that is sent pays `per_ms` from the time it is sent */
    struct due_heap waiting;  /* of deliveries, by when they began to */
};

struct rates {
    struct rate *items; /* by receiver */
    size_t count, waiting;
    struct due_heap due;
};

struct rates *rates_open(void)
{
    return mem_zalloc(1, sizeof(struct rates));
}

static void free_items(struct rate *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        due_heap_fini(&items[i].waiting);
        mem_free(items[i].receiver);
    }
    mem_free(items);
}

void rates_close(struct rates *r)
{
    if (r == NULL)
        return;
    free_items(r->items, r->count);
    due_heap_fini(&r->due);
    mem_free(r);
}

static int compare(const void *pa, const void *pb)
{
    return str_cmp(*(const str *)pa, str_from(((const struct rate *)pb)->receiver));
}

static struct rate *find(const struct rates *r, str receiver)
{
    return r->count == 0 ? NULL
                         : bsearch(&receiver, r->items, r->count, sizeof(*r->items), compare);
}

void rates_set(struct rates *r, const struct delivery_config *d)
{
    size_t count = d != NULL ? d->rate_limits.count : 0;
    struct rate *items = mem_zalloc(count + 1, sizeof(*items));
    ASSERT(r->waiting == 0);
    for (size_t i = 0; i < count; i++) {
        const struct delivery_rate *from = &d->rate_limits.items[i];
        const struct rate *old = find(r, from->receiver);
        items[i] = (struct rate){.receiver = mem_zalloc(from->receiver.len + 1, 1),
                                 .per_ms = from->per_ms,
                                 .burst_ms = (from->burst - 1) * from->per_ms,
                                 .paid_ms = old != NULL ? old->paid_ms : 0};
        memcpy(items[i].receiver, from->receiver.ptr, from->receiver.len);
    }
    free_items(r->items, r->count);
    r->items = items;
    r->count = count;
}

/* When the next one may go. A clock that went back holds nobody up for longer than an idle
 * receiver's burst lasts. */
static int64_t turn_ms(struct rate *rate, int64_t now_ms)
{
    rate->paid_ms = MIN(rate->paid_ms, now_ms + rate->burst_ms + rate->per_ms);
    return rate->paid_ms - rate->burst_ms;
}

static void pay(struct rate *rate, int64_t now_ms)
{
    rate->paid_ms = MAX(rate->paid_ms, now_ms) + rate->per_ms;
}

bool rates_admit(struct rates *r, struct delivery *d, int64_t now_ms)
{
    struct rate *rate = find(r, d->n.receiver);
    if (rate == NULL)
        return true;
    int64_t at_ms = turn_ms(rate, now_ms);
    if (rate->waiting.count == 0 && at_ms <= now_ms) {
        pay(rate, now_ms);
        return true;
    }
    if (d->waiting_ms == 0)
        d->waiting_ms = now_ms;
    d->rate = rate;
    due_heap_set(&rate->waiting, &d->due, d->waiting_ms);
    due_heap_set(&r->due, &rate->due, at_ms);
    r->waiting++;
    return false;
}

void rates_remove(struct rates *r, struct delivery *d)
{
    struct rate *rate = d->rate;
    if (rate == NULL)
        return;
    due_heap_remove(&rate->waiting, &d->due);
    d->rate = NULL;
    r->waiting--;
    if (rate->waiting.count == 0)
        due_heap_remove(&r->due, &rate->due);
}

struct delivery *rates_take(struct rates *r, int64_t now_ms)
{
    struct rate *rate = (struct rate *)due_heap_first(&r->due);
    if (rate == NULL || rate->due.ms > now_ms)
        return NULL;
    struct delivery *d = (struct delivery *)due_heap_first(&rate->waiting);
    rates_remove(r, d);
    pay(rate, now_ms);
    if (rate->waiting.count > 0)
        due_heap_set(&r->due, &rate->due, turn_ms(rate, now_ms));
    return d;
}

int64_t rates_next_ms(const struct rates *r)
{
    const struct due *first = due_heap_first(&r->due);
    return first != NULL ? first->ms : INT64_MAX;
}

size_t rates_waiting(const struct rates *r)
{
    return r->waiting;
}
