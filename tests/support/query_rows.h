/* query_rows.h -- tables of queries and what they come to, over a fake store. A difference fails
 * the running cmocka test. */
#ifndef TESTS_QUERY_ROWS_H
#define TESTS_QUERY_ROWS_H

#include <stddef.h>

#include "base/buf.h"
#include "query/engine.h"
#include "support/fake_source.h"

struct query_row {
    const char *query;
    int start_s, end_s, step_s; /* step 0: an instant query at start_s */
    const char *expected;       /* as query_rows_run() writes it */
};

/* Samples every `step_s` from 0: numbers, "_" for none, "s" for a stale marker. */
void query_rows_load(struct fake_store *store, size_t series, int step_s, const char *values);

/* Append the series of a query that was executed, "; " between: each with its points by step ("_":
 * none), those of a range as they are, with "@" and seconds. `sort`: by text, not as they come. */
void query_rows_show(struct query *q, const struct query_options *o, bool sort, struct buf *out);

/* Run one query and append what it comes to: its series, sorted if a vector, then " | " and the
 * text of each warning and info; or the error's name and text. `pool` may be NULL. */
void query_rows_run(struct fake_store *store, struct pool *pool, const char *text,
                    const struct query_options *o, struct buf *out);

/* Run all rows with the options of `base` but their own times; differences are printed. */
void query_rows_check(struct fake_store *store, struct pool *pool, const struct query_row *rows,
                      size_t count, struct query_options base);

#endif
