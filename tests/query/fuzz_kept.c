/* fuzz_kept.c -- any bytes as kept statistics of queries: they are taken wholly or not at all, and
 * what is taken saves to what loads to the same. The first byte says which of the two. */
#include <stdlib.h>

#include "query/top.h"
#include "query/usage.h"

static void try_top(slice bytes)
{
    struct top_queries *t = top_open(100, 1 << 20), *again = top_open(100, 1 << 20);
    struct buf one = {0}, two = {0};
    struct top_entry *list;
    struct arena a;
    size_t count;
    arena_init(&a, 64 << 20);
    bool ok = top_decode(t, bytes) == OK;
    if (top_collect(t, INT64_MIN, &a, &list, &count) != OK || (!ok && count > 0))
        abort();
    top_encode(t, &one);
    if (top_decode(again, buf_slice(&one)) != OK)
        abort();
    top_encode(again, &two);
    if (ok && one.len != two.len) /* entries may come in another order */
        abort();
    arena_fini(&a);
    buf_fini(&one);
    buf_fini(&two);
    top_close(t);
    top_close(again);
}

static void try_usage(slice bytes)
{
    struct metric_usage *u = usage_open(1 << 20, 0), *again = usage_open(1 << 20, 0);
    struct buf one = {0}, two = {0};
    struct usage_info before, after;
    bool ok = usage_decode(u, bytes) == OK;
    usage_info_of(u, &before);
    if (!ok && before.metrics > 0)
        abort();
    usage_encode(u, &one);
    if (usage_decode(again, buf_slice(&one)) != OK)
        abort();
    usage_info_of(again, &after);
    usage_encode(again, &two);
    if (before.metrics != after.metrics || one.len != two.len)
        abort();
    buf_fini(&one);
    buf_fini(&two);
    usage_close(u);
    usage_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    slice rest = {data + 1, size - 1};
    if (data[0] % 2 == 0)
        try_top(rest);
    else
        try_usage(rest);
    return 0;
}
