/* block_model.h -- what a block should hold, as plain arrays: random series to write, and the naive
 * answers to compare a block with. */
#ifndef SUPPORT_BLOCK_MODEL_H
#define SUPPORT_BLOCK_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fs.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "storage/block.h"
#include "storage/block_writer.h"

struct model_rng {
    uint64_t state;
};

uint64_t model_random(struct model_rng *r);
uint64_t model_below(struct model_rng *r, uint64_t n); /* in [0, n) */

struct model_sample {
    int64_t ts_ms, start_ms;
    double value;
    const struct histogram *histogram; /* NULL: a float */
};

struct model_series {
    struct labels labels;
    struct model_sample *samples; /* ascending, distinct times */
    size_t count, cap;
};

struct model { /* series ascending by labels */
    struct arena arena;
    struct model_series *series;
    size_t count, cap;
    struct histogram *histograms[12]; /* what samples point to */
};

enum { MODEL_LABEL_SEED = 4711 };

struct model_options {
    size_t series;      /* at most: equal ones are one */
    size_t samples_max; /* of one series */
    int64_t min_ms, step_ms;
    bool histograms, starts;
};

void model_init(struct model *m);
void model_fini(struct model *m);

/* Fill an empty model. */
void model_fill(struct model *m, struct model_rng *r, const struct model_options *o);

/* Add a series (labels are copied; sorted by the caller) and return it; call model_sort() when all
 * are there. */
struct model_series *model_add(struct model *m, struct labels labels);
void model_put(struct model_series *s, struct model_sample sample);
void model_sort(struct model *m);

/* The samples of all models, the later one's where they share a time: what a merge must give.
 * Histograms alias the models'. */
void model_merge(struct model *out, const struct model *const *models, size_t count);

/* Remove the samples of series `i` in the interval. */
void model_delete(struct model *m, size_t i, struct interval gone);

/* Write as block `u` and return the writer's error. */
err model_write(const struct model *m, struct fs *fs, const char *blocks_dir, ulid u,
                struct block_meta *meta, struct diag *d);

/* Fail the test unless the block holds exactly the model. */
void model_check(const struct model *m, struct block *b);

/* Does block read as `m`, or with an error? Returns the first error; fails the test on a wrong
 * answer. */
err model_check_or_error(const struct model *m, struct block *b);

/* block_verify() must be content; prints the findings otherwise. */
void model_verify(struct fs *fs, const char *dir);

/* "DIR/<ULID>" in a static buffer. */
const char *model_path(const char *blocks_dir, ulid u);

#endif
