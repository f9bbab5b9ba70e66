/* precedence.c -- see precedence.h. */
#include "base/precedence.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/thread.h"

static atomic_uint urgent;  /* begun and not ended */
static atomic_uint waiting; /* threads that give way */
static struct mutex lock;   /* between looking at `urgent` and sleeping; rank: leaf */
static struct cond passed;  /* `urgent` fell to 0 while somebody waited */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
    mutex_init(&lock);
    cond_init(&passed);
}

void precedence_begin(void)
{
    atomic_fetch_add(&urgent, 1);
}

void precedence_end(void)
{
    unsigned before = atomic_fetch_sub(&urgent, 1);
    ASSERT(before > 0);
    /* either this sees who waits, or who waits sees that nothing is urgent */
    if (before > 1 || atomic_load(&waiting) == 0)
        return;
    (void)pthread_once(&once, init);
    mutex_lock(&lock);
    cond_broadcast(&passed);
    mutex_unlock(&lock);
}

void precedence_give_way(void)
{
    static _Thread_local uint64_t resumed_ns;
    if (atomic_load_explicit(&urgent, memory_order_relaxed) == 0)
        return;
    (void)pthread_once(&once, init);
    uint64_t now_ns = clock_mono_ns(), most_ns = PRECEDENCE_WAIT_MS_MAX * UINT64_C(1000000);
    uint64_t until_ns = now_ns + MIN(now_ns - resumed_ns, most_ns);
    atomic_fetch_add(&waiting, 1);
    mutex_lock(&lock);
    while (atomic_load(&urgent) > 0 && cond_wait_until(&passed, &lock, until_ns))
        ;
    mutex_unlock(&lock);
    atomic_fetch_sub(&waiting, 1);
    resumed_ns = clock_mono_ns();
}
