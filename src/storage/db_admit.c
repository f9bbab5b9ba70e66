/* db_admit.c -- one batch on the commit thread: admission, log record, application. */
#include "base/clock.h"
#include "base/mem.h"
#include "storage/committer_priv.h"
#include "storage/db_record.h"

const char *db_refusal_text(enum db_refusal r)
{
    static const char *const TEXT[REFUSED_COUNT] = {
        [REFUSED_DUPLICATE] = "duplicate sample for timestamp",
        [REFUSED_TOO_OLD] = "too old sample",
        [REFUSED_TOO_NEW] = "out of bounds: timestamp is too far in the future",
        [REFUSED_EXEMPLAR_OLD] = "out of order exemplar",
        [REFUSED_OUT_OF_ORDER] = "out of order sample",
    };
    return r < REFUSED_COUNT ? TEXT[r] : "refused";
}

void db_batch_fini(struct db_batch *b)
{
    mem_free(b->refused);
    b->refused = NULL;
    b->refused_count = 0;
}

void batch_reset(struct db_batch *b)
{
    db_batch_fini(b);
    b->floats_written = b->histograms_written = b->exemplars_written = 0;
    b->out_of_order_count = 0;
}

/* ---- Definitions ---- */

static err define_pair(struct db *db, uint32_t pair)
{
    struct committer *c = db->committer;
    if (pair >= c->pair_cap) {
        size_t cap = MAX((size_t)pair + 1, c->pair_cap * 2 + 1024);
        c->pair_marks = mem_resize(c->pair_marks, cap, sizeof(*c->pair_marks));
        memset(c->pair_marks + c->pair_cap, 0, (cap - c->pair_cap) * sizeof(*c->pair_marks));
        c->pair_cap = cap;
    }
    if (c->pair_marks[pair] == c->mark)
        return OK;
    buf_reset(&c->payload);
    record_put_pair(&c->payload, registry_pair(db->registry, pair));
    TRY(wal_define(db->wal, pair | RECORD_PAIR_BIT, buf_slice(&c->payload)));
    c->pair_marks[pair] = c->mark;
    return OK;
}

static err define_series(struct db *db, uint32_t series)
{
    struct committer *c = db->committer;
    struct registry_pairs pairs = registry_pairs_of(db->registry, series);
    for (size_t i = 0; i < pairs.count; i++)
        TRY(define_pair(db, pairs.ids[i]));
    buf_reset(&c->payload);
    record_put_series(&c->payload, pairs.ids, pairs.count);
    return wal_define(db->wal, series, buf_slice(&c->payload));
}

static err define_all(struct db *db, const struct db_batch *b, const struct pending *p,
                      const struct admission_counts *counts)
{
    struct committer *c = db->committer;
    const uint8_t *verdicts = c->verdicts.ptr + p->verdicts_pos;
    const uint8_t *keep = c->keep.ptr + p->keep_pos;
    for (size_t i = 0; i < b->row_count && counts->defines > 0; i++)
        if ((verdicts[i] & ADMIT_DEFINE) != 0)
            TRY(define_series(db, b->rows[i].series));
    for (size_t i = 0; i < b->exemplar_count; i++)
        if (keep[i] && admission_log_mark(c->admission, b->exemplars[i].series, c->mark))
            TRY(define_series(db, b->exemplars[i].series));
    return OK;
}

/* ---- Admission ---- */

static struct admission_rules rules_of(const struct db *db, const struct db_batch *b)
{
    int64_t now_ms = clock_wall_ms();
    struct admission_rules r = {
        .min_ms = -DB_TS_ABS_MAX, .log_mark = db->committer->mark, .in_order = b->in_order};
    int64_t keep_ms = db_retention_ms(db);
    if (keep_ms > 0)
        r.min_ms = MAX(r.min_ms, now_ms - keep_ms);
    r.max_ms = MIN(DB_TS_ABS_MAX, now_ms + db->o.future_ms_max);
    return r;
}

static bool refusal_of(uint8_t verdict, enum db_refusal *why)
{
    switch (verdict & ADMIT_MASK) {
    case ADMIT_DUPLICATE:
        *why = REFUSED_DUPLICATE;
        return true;
    case ADMIT_TOO_OLD:
        *why = REFUSED_TOO_OLD;
        return true;
    case ADMIT_TOO_NEW:
        *why = REFUSED_TOO_NEW;
        return true;
    case ADMIT_NOT_IN_ORDER:
        *why = REFUSED_OUT_OF_ORDER;
        return true;
    default:
        return false;
    }
}

static void add_refused(struct db *db, struct db_batch *b, size_t row, enum db_refusal why)
{
    if ((b->refused_count & (b->refused_count - 1)) == 0) /* 0 and powers of two: full */
        b->refused =
            mem_resize(b->refused, MAX(b->refused_count * 2, (size_t)1), sizeof(*b->refused));
    b->refused[b->refused_count++] = (struct db_refused){(uint32_t)row, why};
    counter_add(&db->counters.refused[why], 1);
}

static void list_refused(struct db *db, struct db_batch *b, const uint8_t *verdicts)
{
    enum db_refusal why;
    for (size_t i = 0; i < b->row_count; i++)
        if (refusal_of(verdicts[i], &why))
            add_refused(db, b, i, why);
}

static void count_written(struct db *db, struct db_batch *b, const struct pending *p,
                          const struct admission_counts *counts)
{
    const uint8_t *verdicts = db->committer->verdicts.ptr + p->verdicts_pos;
    size_t repeated = 0;
    if (p->plain) {
        b->histograms_written = counts->histograms;
        b->floats_written = b->row_count - counts->histograms;
        return;
    }
    for (size_t i = 0; i < b->row_count; i++) {
        uint8_t v = verdicts[i] & ADMIT_MASK;
        if (v > ADMIT_REPEATED)
            continue;
        repeated += v == ADMIT_REPEATED;
        b->out_of_order_count += v == ADMIT_OUT_OF_ORDER;
        if (b->rows[i].histogram != NULL)
            b->histograms_written++;
        else
            b->floats_written++;
    }
    counter_add(&db->counters.duplicates, repeated);
}

static bool admit_exemplars(struct db *db, struct db_batch *b, uint8_t *keep)
{
    bool any = false;
    for (size_t i = 0; i < b->exemplar_count; i++) {
        const struct db_exemplar_row *row = &b->exemplars[i];
        hash128 hash = registry_hash(db->registry, row->series);
        enum exemplar_admission v = exemplar_store_admit(db->exemplars, hash, &row->exemplar);
        keep[i] = v == EXEMPLAR_NEW;
        any |= keep[i] != 0;
        if (v == EXEMPLAR_OLD)
            add_refused(db, b, i, REFUSED_EXEMPLAR_OLD);
        else
            b->exemplars_written++;
    }
    return any;
}

static bool metadata_differs(struct db *db, const struct db_batch *b)
{
    for (size_t i = 0; i < b->metadata_count; i++)
        if (metadata_store_differs(db->metadata, b->metadata[i].metric, &b->metadata[i].metadata))
            return true;
    return false;
}

static err write_record(struct db *db, const struct db_batch *b, const struct pending *p,
                        const struct admission_counts *counts, bool exemplars, bool metadata)
{
    struct committer *c = db->committer;
    TRY(define_all(db, b, p, counts));
    struct buf *record = wal_record_begin(db->wal, RECORD_TYPE);
    record_begin(record);
    record_put_rows(record, b->rows, b->start_ts_ms,
                    p->plain ? NULL : c->verdicts.ptr + p->verdicts_pos, b->row_count);
    if (exemplars)
        record_put_exemplars(record, b->exemplars, (const bool *)(c->keep.ptr + p->keep_pos),
                             b->exemplar_count);
    if (metadata)
        record_put_metadata(record, b->metadata, b->metadata_count);
    return wal_record_end(db->wal);
}

static err check_limits(const struct db *db, const struct db_batch *b)
{
    if (b->row_count > DB_BATCH_ROWS_MAX || b->exemplar_count > DB_BATCH_ROWS_MAX ||
        b->metadata_count > DB_BATCH_ROWS_MAX)
        return ERR_LIMIT;
    if (!registry_epoch_valid(db->registry, b->epoch) && b->row_count + b->exemplar_count > 0)
        return ERR_RETRY;
    return db->committer->budget_hard && b->row_count > 0 ? ERR_BUSY : OK;
}

/* Judge the rows. OK: go on; others end the batch (ERR_ORDER: all_or_nothing). */
static err admit_rows(struct db *db, struct db_batch *b, uint8_t *verdicts,
                      struct admission_counts *counts)
{
    struct admission_rules rules = rules_of(db, b);
    *counts = (struct admission_counts){0};
    admission_check(db->committer->admission, b->rows, b->row_count, &rules, verdicts, counts);
    if (counts->of[ADMIT_GONE] > 0)
        return ERR_RETRY;
    if (counts->of[ADMIT_DUPLICATE] + counts->of[ADMIT_TOO_OLD] + counts->of[ADMIT_TOO_NEW] +
            counts->of[ADMIT_NOT_IN_ORDER] >
        0) {
        list_refused(db, b, verdicts);
        if (b->all_or_nothing)
            return ERR_ORDER;
    }
    return OK;
}

err batch_prepare(struct db *db, struct db_batch *b, struct pending *p)
{
    struct committer *c = db->committer;
    TRY(check_limits(db, b));
    size_t mark = admission_mark(c->admission);
    *p = (struct pending){b, c->verdicts.len, c->keep.len, false, OK, false};
    uint8_t *verdicts = buf_reserve(&c->verdicts, b->row_count);
    uint8_t *keep = buf_reserve(&c->keep, b->exemplar_count);
    c->verdicts.len += b->row_count;
    c->keep.len += b->exemplar_count;
    struct admission_counts counts;
    err e = admit_rows(db, b, verdicts, &counts);
    if (e == OK) {
        p->plain = counts.of[ADMIT_OK] == b->row_count;
        bool rows = counts.of[ADMIT_OK] + counts.of[ADMIT_OUT_OF_ORDER] > 0;
        bool exemplars = admit_exemplars(db, b, keep);
        bool metadata = metadata_differs(db, b);
        p->writes = rows || exemplars || metadata;
        e = p->writes ? write_record(db, b, p, &counts, exemplars, metadata) : OK;
    }
    if (e == OK) {
        count_written(db, b, p, &counts);
        return OK;
    }
    admission_rollback(c->admission, mark);
    c->verdicts.len = p->verdicts_pos;
    c->keep.len = p->keep_pos;
    if (e == ERR_ORDER) {
        p->status = ERR_ORDER; /* answered with the group: what it clashed with may be in it */
        return OK;
    }
    batch_reset(b);
    return e;
}

/* ---- Application ---- */

static void apply_exemplars(struct db *db, const struct db_batch *b, const uint8_t *keep)
{
    struct committer *c = db->committer;
    for (size_t i = 0; i < b->exemplar_count; i++) {
        if (!keep[i])
            continue;
        uint32_t series = b->exemplars[i].series;
        size_t count = registry_label_count(db->registry, series);
        if (count > c->item_cap) {
            c->item_cap = count * 2;
            c->items = mem_resize(c->items, c->item_cap, sizeof(*c->items));
        }
        exemplar_store_add(db->exemplars, registry_hash(db->registry, series),
                           registry_labels(db->registry, series, c->items),
                           &b->exemplars[i].exemplar);
    }
}

void batch_apply(struct db *db, struct head_window *w, const struct pending *p)
{
    struct db_batch *b = p->batch;
    counter_add(&db->counters.samples_appended, b->floats_written);
    counter_add(&db->counters.histograms_appended, b->histograms_written);
    counter_add(&db->counters.out_of_order, b->out_of_order_count);
    if (!p->writes)
        return;
    head_apply(w, b->rows, b->start_ts_ms,
               p->plain ? NULL : db->committer->verdicts.ptr + p->verdicts_pos, b->row_count,
               HEAD_SHARDS_ALL);
    apply_exemplars(db, b, db->committer->keep.ptr + p->keep_pos);
    for (size_t i = 0; i < b->metadata_count; i++)
        (void)metadata_store_put(db->metadata, b->metadata[i].metric, &b->metadata[i].metadata);
}
