/* db_model.h -- a naive model of the store beside the real one: sorted arrays of samples, and
 * random operations done to both. A difference fails the running cmocka test and prints the seed.
 */
#ifndef SUPPORT_DB_MODEL_H
#define SUPPORT_DB_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/db.h"

enum { MODEL_SERIES = 48, MODEL_ROWS_MAX = 256, MODEL_MAYBES_MAX = 5 };
#define MODEL_NOW_MS INT64_C(1700000000000)

struct model_sample {
    int64_t ts_ms, start_ms;
    uint64_t bits;
    uint32_t histogram; /* 0: a float; else the seed of one */
};

struct model_series {
    struct model_sample *v; /* ascending by time */
    size_t count, cap;
};

struct model_row {
    uint32_t series;
    struct model_sample s;
};

struct model_batch {
    struct model_row rows[MODEL_ROWS_MAX];
    size_t count;
    bool all_or_nothing;
};

struct db_model {
    uint64_t seed, rng;
    int64_t now_ms;
    int64_t future_ms_max;
    struct model_series series[MODEL_SERIES];
    bool no_refusals;                            /* batches have no row that could be refused */
    struct model_batch maybes[MODEL_MAYBES_MAX]; /* not acknowledged: wholly there or not at all */
    size_t maybe_count;
    struct { /* not acknowledged: may be done in part */
        bool active;
        uint32_t series;
        int64_t min_ms, max_ms;
    } maybe_deleted;
};

struct db_model *db_model_new(uint64_t seed);
void db_model_free(struct db_model *m);

uint64_t db_model_random(struct db_model *m, uint64_t below);

/* A batch of random rows: mostly in order, some late, repeated, with histograms or start times. */
void db_model_make_batch(struct db_model *m, struct model_batch *b);

/* Commit it to both. Anything but OK and ERR_ORDER leaves the model alone (and, with `keep_maybe`,
 * becomes one of m->maybes, as a restart may bring it back). */
err db_model_commit(struct db_model *m, struct db *db, const struct model_batch *b,
                    bool keep_maybe);

/* Delete one series' samples in a range from both. */
err db_model_delete(struct db_model *m, struct db *db, bool keep_maybe);

/* All samples must be equal. */
void db_model_check_all(struct db_model *m, struct db *db);

/* After a restart: the same, and what may be there is settled by what is found. */
void db_model_check_restarted(struct db_model *m, struct db *db);

/* After damage: everything that is shown must be right; what is missing must be told (a warning, a
 * read error, a counter). Returns how many samples were missing. */
size_t db_model_check_damaged(struct db_model *m, struct db *db);

/* A random selector and range; also label names and values. */
void db_model_check_query(struct db_model *m, struct db *db);

#endif
