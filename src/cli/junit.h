/* junit.h -- results of tests as JUnit's XML, in the shape promtool writes. */
#ifndef CLI_JUNIT_H
#define CLI_JUNIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/texts.h"

struct junit {                /* zero-initialised is empty */
    struct buf suites, cases; /* finished suites; the cases of the one at hand */
    size_t tests, failures, errors;
};

void junit_fini(struct junit *j);

/* A case of the suite at hand and what failed in it. `aborted`: it could not be run. */
void junit_case(struct junit *j, str name, const struct texts *failures, bool aborted);

/* End the suite of that name; `started_ms`: wall clock. */
void junit_end_suite(struct junit *j, str name, int64_t started_ms);

/* Append the whole document. */
void junit_write(const struct junit *j, struct buf *out);

#endif
