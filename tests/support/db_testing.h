/* db_testing.h -- short forms for tests of the store: open on a simulated disk, append, read. Every
 * failure ends the running cmocka test. */
#ifndef SUPPORT_DB_TESTING_H
#define SUPPORT_DB_TESTING_H

#include "storage/db.h"
#include "support/fs_sim.h"

#define T0 INT64_C(1700000000000) /* the frozen clock starts here */

/* A store in /data of `sim`, without threads; `options` may be NULL. */
struct db *testing_open(struct fs_sim *sim, const struct db_options *options);
struct db_options testing_options(struct fs_sim *sim);

/* The id of `name{k="v"}` (k NULL: name alone), created when needed. */
uint32_t testing_series(struct db *db, const char *name, const char *k, const char *v);

/* Commit one sample. */
err testing_put(struct db *db, uint32_t series, int64_t ts_ms, double value);

/* The samples of name{} in the range as "ts:value ts:value", times relative to T0, series apart by
 * "|" in the order of their labels; valid until the next call. */
const char *testing_get(struct db *db, const char *name, int64_t min_ms, int64_t max_ms);

/* As one text: what db_select() warns of. */
const char *testing_warnings(struct db *db);

#endif
