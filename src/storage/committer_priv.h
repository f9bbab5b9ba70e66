/* committer_priv.h -- what the commit thread keeps between groups: db_commit.c runs the groups,
 * db_admit.c prepares and applies their batches. */
#ifndef STORAGE_COMMITTER_PRIV_H
#define STORAGE_COMMITTER_PRIV_H

#include "storage/db_priv.h"

struct pending { /* a batch of the present group */
    struct db_batch *batch;
    size_t verdicts_pos; /* into committer.verdicts, row_count of them */
    size_t keep_pos;     /* into committer.keep, exemplar_count of them */
    bool writes;         /* it has something to apply */
    err status;          /* of the answer once the group is durable: OK or ERR_ORDER */
    bool plain;          /* every row's verdict is ADMIT_OK */
};

struct committer {
    struct admission *admission;
    struct pending *group;
    size_t group_count, group_cap;
    struct buf verdicts; /* enum admit of every row of the group */
    struct buf keep;     /* bool of every exemplar of the group */
    struct buf payload;
    struct label *items; /* labels of one series */
    size_t item_cap;
    uint32_t *pair_marks; /* by pair id: the mark when its definition was written */
    size_t pair_cap;
    uint32_t mark, segment; /* marks change with the segment and when ids are given out anew */
    bool budget_soft, budget_hard; /* memory, as of the beginning of the group */
    uint64_t retry_mono_ns;        /* when to try to recover the log next */
    int64_t retry_ms;              /* the backoff */
    err log_error;                 /* why the last attempt failed */
};

/* Admit the batch, and put what it writes into the open group of the log. `p` is filled.
 *   OK         also when all or some rows were refused: the batch and p->status say so
 *   ERR_FULL   no room in the group: nothing happened, commit the group first
 *   others     the batch's status; nothing happened */
MUST_USE err batch_prepare(struct db *db, struct db_batch *b, struct pending *p);

/* Make the samples of a durable batch visible. */
void batch_apply(struct db *db, struct head_window *w, const struct pending *p);

/* Clear the results of a batch. */
void batch_reset(struct db_batch *b);

#endif
