/* rule_append.h -- where samples of rules go: an interface, and the store behind it. */
#ifndef RULES_RULE_APPEND_H
#define RULES_RULE_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "storage/db.h"

struct rule_sample {
    struct labels labels; /* sorted, with __name__ */
    int64_t ts_ms;
    double value;
    const struct histogram *histogram; /* NULL: a float */
    bool stale; /* a marker: when it is refused nobody minds, some other rule writes the series */
};

struct rule_appended { /* what became of them */
    size_t refused[REFUSED_COUNT];
    bool any_refused;
    enum db_refusal last;
};

struct rule_appender {
    void *arg;
    /* Write samples; when it returns they are durable and visible. Out of order ones are refused.
     * With an error none was written; `d` says why. May be called from several threads. */
    err (*append)(void *arg, const struct rule_sample *samples, size_t count,
                  struct rule_appended *out, struct diag *d);
};

struct rule_store; /* an appender to a struct db */

struct rule_store *rule_store_open(struct db *db);
void rule_store_close(struct rule_store *s); /* NULL is allowed */
struct rule_appender rule_store_appender(struct rule_store *s);

/* From now on take samples before the newest of their series too: for who writes the past. */
void rule_store_take_old(struct rule_store *s);

#endif
