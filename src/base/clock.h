/* clock.h -- wall and monotonic time. Tests and the simulated disk may freeze the wall clock.
 * Wall time is int64_t `..._ms` since the epoch; monotonic time is `..._mono_ns`. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* Nanoseconds since some fixed point; never goes back. */
uint64_t clock_mono_ns(void);

/* CPU nanoseconds the calling thread has used. */
uint64_t clock_thread_cpu_ns(void);

/* Tests only: from now on clock_wall_ms() returns `now_ms`; INT64_MIN goes back to real time. */
void clock_set_for_test(int64_t now_ms);

/* Sleep for `ns` nanoseconds (tests, backoff); may wake early on a signal. */
void clock_sleep_ns(uint64_t ns);

#endif
