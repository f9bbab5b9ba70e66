/* query_memory.c -- one limit for the memory of all queries: see api.h. */
#include "base/log.h"
#include "http/api.h"

bool query_memory_left(void *arg)
{
    struct api *api = arg;
    if (api->queries_bytes_max == 0)
        return true;
    struct active_memory m = active_memory_of(&api->insight.active);
    return m.bytes < api->queries_bytes_max || m.holders <= 1; /* one alone may have all */
}

void query_memory_check(void *arg)
{
    struct api *api = arg;
    if (api->queries_bytes_max == 0)
        return;
    struct active_memory m = active_memory_of(&api->insight.active);
    if (m.bytes / 2 < api->queries_bytes_max || m.holders <= 1 ||
        active_cancel(&api->insight.active, m.largest_id) != OK)
        return;
    (void)atomic_fetch_add_explicit(&api->queries_ended_for_memory, 1, memory_order_relaxed);
    log_warn("a query was ended: all together hold twice their memory",
             LOG_INT("bytes", (int64_t)m.bytes), LOG_INT("its_bytes", (int64_t)m.largest_bytes));
}
