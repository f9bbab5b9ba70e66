/* tries.c -- see tries.h. */
#include "http/tries.h"

#include "base/hash.h"

enum { COUNT_BITS = 24, MINUTE_MS = 60000 };

bool tries_take(struct tries *t, str who, int64_t now_ms, unsigned most)
{
    static const uint64_t COUNT_MASK = (UINT64_C(1) << COUNT_BITS) - 1;
    _Atomic uint64_t *slot = &t->slots[hash64(str_bytes(who), 0) % TRIES_SLOTS];
    uint64_t minute = (uint64_t)(now_ms / MINUTE_MS);
    uint64_t old = atomic_load_explicit(slot, memory_order_relaxed), count, fresh;
    do { /* relaxed: the count is all there is to agree on */
        count = old >> COUNT_BITS == minute ? old & COUNT_MASK : 0;
        if (count >= most)
            return false;
        fresh = minute << COUNT_BITS | (count + 1);
    } while (!atomic_compare_exchange_weak_explicit(slot, &old, fresh, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}
