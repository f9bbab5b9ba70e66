/* promql.c -- parsing: microseconds for each of some real queries, checks and regexes included. */
#include <stdio.h>

#include "base/clock.h"
#include "query/parser.h"

enum { ROUNDS = 20000 };

static const char *const QUERIES[] = {
    "up",
    "sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m]))",
    "histogram_quantile(0.99, sum by (le, job) (rate(http_request_duration_seconds_bucket[5m])))",
    "sum(rate(node_cpu_seconds_total{mode!=\"idle\",instance=~\"a|b|c\"}[1m])) by (instance) / on "
    "(instance) "
    "group_left (nodename) count by (instance, nodename) (node_uname_info) * 100 > bool 80",
};

int main(void)
{
    for (size_t q = 0; q < COUNT_OF(QUERIES); q++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        uint64_t start = clock_thread_cpu_ns();
        for (int i = 0; i < ROUNDS; i++) {
            struct promql_options o = {.deadline_mono_ns = 0};
            struct diag d;
            struct expr *e;
            d.text[0] = '\0';
            if (promql_parse(str_from(QUERIES[q]), &o, &a, &e, &d) != OK) {
                printf("%s\n", d.text);
                return 1;
            }
            expr_fini(e);
            arena_reset(&a);
        }
        printf("%6.2f us  %.80s\n", (double)(clock_thread_cpu_ns() - start) / 1e3 / ROUNDS,
               QUERIES[q]);
        arena_fini(&a);
    }
    return 0;
}
