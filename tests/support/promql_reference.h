/* promql_reference.h -- a second evaluator of PromQL, as slow and plain as the specification reads:
 * one step, one series, one sample at a time. Tests compare the engine with it. It knows the fake
 * store, syntax trees and the bounds of histogram buckets, and nothing of the engine.
 *
 * Of what Prometheus does over all steps of a query at once it keeps what can be seen: functions
 * over ranges refuse series that become equal at any steps, subqueries look at every time of
 * theirs, warnings are collected over all steps. */
#ifndef TESTS_PROMQL_REFERENCE_H
#define TESTS_PROMQL_REFERENCE_H

#include "query/ast.h"
#include "support/fake_source.h"

struct ref_hist;

struct ref_sample {
    struct labels labels;
    double value;
    const struct ref_hist *hist; /* NULL: a float */
    bool drop_name;              /* delayed name removal: goes at the end */
};

struct ref_vector {
    struct ref_sample *items;
    size_t count;
};

struct ref_notes;
struct ref_drops;
struct ref_identities;
struct ref_params;
struct ref_subquery;

/* The times that a part of a query is worked out for. */
struct ref_steps {
    int64_t start_ms, end_ms, step_ms;
};

struct ref_query {
    struct fake_store *store;
    int64_t start_ms, end_ms;
    int64_t step_ms; /* 0: an instant query */
    int64_t lookback_ms, subquery_step_ms;
    bool delayed_name_removal, type_and_unit_labels, start_timestamps;
    str text;            /* the query, for the places of warnings */
    struct arena *arena; /* all results */
    char error[1024];    /* "" while there is none */
    struct ref_notes *notes;
    struct ref_drops *drops;
    struct ref_identities *identities;  /* info() calls so far */
    struct ref_params *params;          /* of aggregations so far */
    struct ref_subquery *subquery_list; /* ... so far */
    struct ref_steps steps;             /* of the subquery around what is evaluated now */
    unsigned once;                      /* ... parts that are the same at every step, in there */
    uint64_t visited, visited_max;      /* samples and points looked at; 0: no limit */
    unsigned subqueries;                /* around what is evaluated now */
    unsigned counts, buckets; /* ... functions that look at counts and sums alone, at all */
    bool gave_up;             /* over that limit, or what upstream does is not known */
};

/* The value of `e` (scalar or instant vector) at `t_ms`; a scalar is one sample without labels.
 * On an execution error q->error is set and the result is empty. Names marked for removal are
 * still there: ref_finish(). */
struct ref_vector ref_eval(struct ref_query *q, const struct expr *e, int64_t t_ms);

/* Drop the names that are to go; equal label sets are an error. */
struct ref_vector ref_finish(struct ref_query *q, struct ref_vector v);

/* A range selector or subquery at `t_ms`: raw samples as vectors, one a time, in order of time. */
struct ref_raw {
    struct labels labels;
    const int64_t *ts_ms;
    const struct ref_sample *samples;
    size_t count;
};
size_t ref_matrix(struct ref_query *q, const struct expr *e, int64_t t_ms, struct ref_raw **out);

/* Warnings and infos so far: their texts as the API has them. `may`: upstream keeps one of several
 * at its choice, so one of those need not be there. */
struct ref_note {
    str text;
    bool may;
};
size_t ref_note_list(const struct ref_query *q, const struct ref_note **out);

/* Does an engine's histogram show what the reference's does: schema, zero bucket, buckets that are
 * not empty, count, sum within `tolerance` of the larger; `why` says what differs. */
bool ref_hist_shows(const struct ref_hist *want, const struct histogram *got, double tolerance,
                    char *why, size_t why_size);
/* Append its text as count_values() has it. */
void ref_hist_format(const struct ref_hist *h, struct buf *out);

#endif
