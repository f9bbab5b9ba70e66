/* clock.c -- see clock.h. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/assert.h"

static const int64_t NS_PER_S = 1000000000;
static const int64_t NS_PER_MS = 1000000;

/* What clock_wall_ms() answers, or INT64_MIN for real time. One value, no ordering with others. */
static atomic_int_least64_t frozen_ms = INT64_MIN;

static struct timespec now(clockid_t id)
{
    struct timespec t;
    int rc = clock_gettime(id, &t);
    ASSERT(rc == 0);
    return t;
}

int64_t clock_wall_ms(void)
{
    int64_t frozen = atomic_load_explicit(&frozen_ms, memory_order_relaxed);
    if (UNLIKELY(frozen != INT64_MIN))
        return frozen;
    struct timespec t = now(CLOCK_REALTIME);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / NS_PER_MS;
}

uint64_t clock_mono_ns(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);
    return (uint64_t)((int64_t)t.tv_sec * NS_PER_S + t.tv_nsec);
}

uint64_t clock_thread_cpu_ns(void)
{
    struct timespec t = now(CLOCK_THREAD_CPUTIME_ID);
    return (uint64_t)((int64_t)t.tv_sec * NS_PER_S + t.tv_nsec);
}

void clock_set_for_test(int64_t now_ms)
{
    atomic_store_explicit(&frozen_ms, now_ms, memory_order_relaxed);
}

void clock_sleep_ns(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / (uint64_t)NS_PER_S), (long)(ns % (uint64_t)NS_PER_S)};
    (void)nanosleep(&t, NULL);
}
