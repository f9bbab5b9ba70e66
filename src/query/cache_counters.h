/* cache_counters.h -- the result cache as other layers see it: its life and what has been done with
 * it. How it works: cached_exec.c. */
#ifndef QUERY_CACHE_COUNTERS_H
#define QUERY_CACHE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

struct result_cache;

/* What has been done with it, for /metrics. Relaxed loads. */
struct result_cache_counters {
    _Atomic uint64_t hits;     /* queries answered from it alone */
    _Atomic uint64_t partial;  /* queries of which some steps came from it */
    _Atomic uint64_t misses;   /* queries that could have been, and were not there */
    _Atomic uint64_t changed;  /* ... or were, and nothing of it was current */
    _Atomic uint64_t rejected; /* ... or turned out useless: order of series, annotations */
    _Atomic uint64_t refused;  /* queries that are not kept for what they are */
    _Atomic uint64_t steps;    /* taken from it */
    _Atomic uint64_t evicted;  /* entries, for room */
    _Atomic uint64_t bytes, entries;
};

/* A cache of at most `bytes_max` bytes, > 0. */
struct result_cache *result_cache_open(size_t bytes_max);
void result_cache_close(struct result_cache *c); /* NULL is allowed; nobody may hold an entry */
const struct result_cache_counters *result_cache_counters_of(const struct result_cache *c);
#endif
