/* trace.h -- where a query's time went: a tree with a node for each part of the plan that was
 * evaluated, each selection and each pass over series. Made only when asked for
 * (query_options.trace); else every function here costs one test of a pointer.
 *
 * A node's time is that from begin to end on the query's own thread, its children's included; what
 * is counted is of the node and all below it, but for steps, series and threads. */
#ifndef QUERY_TRACE_H
#define QUERY_TRACE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/slice.h"

enum { TRACE_NODES_MAX = 20000 }; /* of one query; what comes after is counted in `dropped` */

enum trace_count {                /* in the order in which they are shown */
                   TRACE_STEPS,   /* evaluation times */
                   TRACE_SERIES,  /* of the node's result, or selected, or read */
                   TRACE_SAMPLES, /* read from the store */
                   TRACE_CHUNKS,
                   TRACE_BYTES,
                   TRACE_CACHE_HITS, /* decoded time columns found in the reader's cache; 1:
                                        selection reused; steps of an answer used again */
                   TRACE_CACHE_MISSES,
                   TRACE_THREADS,
                   TRACE_READ_NS, /* reading and decoding, summed over threads */
                   TRACE_COUNTS
};

struct trace_node {
    const char *what; /* static: "evaluate", "select", "read", "sort", ... */
    str text;         /* of the expression; "" when there is none */
    uint64_t start_mono_ns, total_ns;
    uint64_t counts[TRACE_COUNTS];
    unsigned set; /* bit i: counts[i] means something */
    struct trace_node *parent, *first, *last, *next;
};

struct trace {
    struct arena *arena;
    struct trace_node *root, *current;
    size_t node_count, dropped;
};

/* Start a trace whose nodes are in `a`; NULL over budget. */
struct trace *trace_open(struct arena *a);

/* A child of the current node becomes the current one. Returns NULL, and all others take that, when
 * `t` is NULL or full. */
struct trace_node *trace_begin(struct trace *t, const char *what, str text);
void trace_set(struct trace_node *n, enum trace_count c, uint64_t value);
/* Ends what was begun below and is still open, too: an error ended it. */
void trace_end(struct trace *t, struct trace_node *n);

/* Time of a node without that of its children. */
uint64_t trace_self_ns(const struct trace_node *n);

#endif
