/* fuzz_read_request.c -- any bytes as a remote-read request: no crash, limits hold, an error has a
 * text, and a series that a query's matchers accept once it carries the external labels is one that
 * both lists of matchers accept. */
#include "base/assert.h"
#include "base/mem.h"
#include "http/read_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct label EXTERNAL[] = {{{"a", 1}, {"1", 1}}, {{"region", 6}, {"eu", 2}}};
static const struct label SERIES[] = {{{"__name__", 8}, {"up", 2}}, {{"a", 1}, {"2", 1}}};

static void check_query(const struct read_query *q, const struct labels *merged)
{
    for (size_t i = 0; i < q->external.count; i++)
        ASSERT(labels_get((struct labels){EXTERNAL, 2}, q->external.items[i].name).ptr != NULL);
    bool all = read_query_matches(q, *merged);
    for (size_t i = 0; i < q->matchers.count && all; i++)
        all =
            matcher_matches(&q->matchers.items[i], labels_get(*merged, q->matchers.items[i].name));
    /* what is left out of the store's list is met by the external label alone */
    if (all && q->external.count == 0)
        ASSERT(matchers_match(q->matchers.items, q->matchers.count, *merged));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct read_request r;
    struct diag d = {.text = ""};
    struct labels merged;
    uint8_t *copy = mem_alloc(MAX(size, (size_t)1)); /* no larger: reading beyond it is seen */
    memcpy(copy, data, size);
    arena_init(&a, 16 << 20);
    err e = read_request_decode((slice){copy, size}, (struct labels){EXTERNAL, 2}, &a, &r, &d);
    ASSERT(e == OK || d.text[0] != '\0');
    ASSERT(r.query_count <= READ_QUERIES_MAX);
    ASSERT(e != OK || r.matcher_count <= READ_MATCHERS_MAX);
    ASSERT(e != OK || r.type == READ_SAMPLES || r.type == READ_CHUNKS);
    if (e == OK &&
        labels_merge((struct labels){SERIES, 2}, (struct labels){EXTERNAL, 2}, &a, &merged) == OK)
        for (size_t i = 0; i < r.query_count; i++)
            check_query(&r.queries[i], &merged);
    read_request_fini(&r);
    arena_fini(&a);
    mem_free(copy);
    return 0;
}
