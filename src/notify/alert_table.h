/* alert_table.h -- the alerts that are known, by fingerprint, and how a newer word about one is
 * joined with the older. An alert is immutable and counted, and may be held by several threads;
 * another takes its place. A table is not for several threads at once. */
#ifndef NOTIFY_ALERT_TABLE_H
#define NOTIFY_ALERT_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/labels.h"

struct live_alert {
    _Atomic uint32_t refs;
    uint64_t fingerprint;              /* of the labels */
    struct labels labels, annotations; /* sorted by name; labels have no empty values */
    str generator_url;
    int64_t starts_at_ms, ends_at_ms;
    int64_t updated_at_ms; /* when we were told */
    bool timeout;          /* nobody said when it ends: ends_at_ms is our guess */
};

/* FNV-1a over names and values, each followed by 0xff: the fingerprint people see in API answers
 * and webhooks, 16 hex digits. */
uint64_t alert_fingerprint(struct labels ls);

/* A copy of all that `a` says, held once. The fingerprint is filled in. */
struct live_alert *live_alert_make(const struct live_alert *a);
struct live_alert *live_alert_ref(struct live_alert *a);
void live_alert_unref(struct live_alert *a); /* NULL is allowed */

/* Did it end by `now_ms`? */
static inline bool live_alert_is_resolved(const struct live_alert *a, int64_t now_ms)
{
    return a->ends_at_ms <= now_ms;
}

struct alert_table;

struct alert_table *alert_table_open(void);
void alert_table_close(struct alert_table *t); /* NULL is allowed */
size_t alert_table_count(const struct alert_table *t);

/* Take in what was said about an alert at `now_ms`. When it overlaps with what is known, the
 * earlier start stays, and of the ends the later one that somebody named. Returns the alert as it
 * is known now, borrowed from the table. */
struct live_alert *alert_table_put(struct alert_table *t, const struct live_alert *a,
                                   int64_t now_ms);

/* Let `a` stand for its fingerprint, as it is; it is held once more. */
void alert_table_set(struct alert_table *t, struct live_alert *a);

struct live_alert *alert_table_get(const struct alert_table *t, uint64_t fingerprint);

/* Remove it from the table. */
void alert_table_forget(struct alert_table *t, uint64_t fingerprint);

/* All alerts, in no order: *at starts as 0; NULL after the last. Nothing may be put or forgotten
 * meanwhile. */
struct live_alert *alert_table_next(const struct alert_table *t, size_t *at);

#endif
