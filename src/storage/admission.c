#include "storage/admission.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/head_window.h"
#include "storage/registry_priv.h"
#include "storage/row_run.h"

enum { CHUNK = 64, JOURNAL_MIN = 1024, RESTORE_IDS = 1024 };

struct undo { /* what a series was before a row */
    int64_t last_ts_ms;
    uint64_t last_bits;
    uint32_t active_window, log_mark, last_kind;
    uint32_t series;
};

static_assert(offsetof(struct undo, log_mark) - offsetof(struct undo, last_ts_ms) ==
                      offsetof(struct series, log_mark) - offsetof(struct series, last_ts_ms) &&
                  offsetof(struct undo, last_kind) - offsetof(struct undo, last_ts_ms) ==
                      offsetof(struct series, last_kind) - offsetof(struct series, last_ts_ms) &&
                  offsetof(struct series, last_ts_ms) + sizeof(struct undo) <= CACHE_LINE,
              "a line's fields can be copied together");

struct admission {
    struct registry *registry;
    struct undo *journal;
    size_t journal_len, journal_cap;
    struct buf scratch; /* one encoded histogram */
};

struct admission *admission_open(struct registry *r)
{
    struct admission *a = mem_zalloc(1, sizeof(*a));
    a->registry = r;
    return a;
}

void admission_close(struct admission *a)
{
    if (a == NULL)
        return;
    mem_free(a->journal);
    buf_fini(&a->scratch);
    mem_free(a);
}

/* ---- The journal ---- */

static void journal_reserve(struct admission *a, size_t extra)
{
    size_t need = a->journal_len + extra;
    if (need <= a->journal_cap)
        return;
    a->journal_cap = MAX(MAX(need, a->journal_cap * 2), (size_t)JOURNAL_MIN);
    a->journal = mem_resize(a->journal, a->journal_cap, sizeof(struct undo));
}

static inline struct undo undo_of(uint32_t id, const struct series *s)
{
    return (struct undo){.last_ts_ms = s->last_ts_ms,
                         .last_bits = s->last_bits,
                         .active_window = s->active_window,
                         .log_mark = s->log_mark,
                         .last_kind = s->last_kind,
                         .series = id};
}

static void journal_put(struct admission *a, uint32_t id, const struct series *s)
{
    a->journal[a->journal_len++] = undo_of(id, s);
}

size_t admission_mark(const struct admission *a)
{
    return a->journal_len;
}

void admission_rollback(struct admission *a, size_t mark)
{
    ASSERT(mark <= a->journal_len);
    while (a->journal_len > mark) {
        const struct undo *u = &a->journal[--a->journal_len];
        struct series *s = registry_line(a->registry, u->series);
        s->last_ts_ms = u->last_ts_ms;
        s->last_bits = u->last_bits;
        s->log_mark = u->log_mark;
        s->active_window = u->active_window;
        s->last_kind = u->last_kind;
    }
}

void admission_accept(struct admission *a)
{
    a->journal_len = 0;
}

bool admission_log_mark(struct admission *a, uint32_t series, uint32_t mark)
{
    struct series *s = registry_line(a->registry, series);
    if (s->log_mark == mark)
        return false;
    journal_reserve(a, 1);
    journal_put(a, series, s);
    s->log_mark = mark;
    return true;
}

/* ---- Judging ---- */

/* What tells two samples of one time stamp apart: a value's bits, or a hash of the histogram's
 * bytes (equal hashes of different ones, one in 2^64, would drop the second as a repetition). */
static uint64_t bits_of(const struct registry *r, const struct db_row *row, struct buf *scratch)
{
    if (LIKELY(row->histogram == NULL))
        return f64_bits(row->value);
    buf_reset(scratch);
    histogram_encode(row->histogram, scratch);
    return hash64(buf_slice(scratch), r->histogram_seed);
}

static enum last_kind kind_of(const struct db_row *row)
{
    return row->histogram == NULL ? LAST_FLOAT : LAST_HISTOGRAM;
}

static bool in_time(const struct db_row *row, const struct admission_rules *rules)
{
    return row->ts_ms >= rules->min_ms && row->ts_ms <= rules->max_ms;
}

/* The verdict on a row that is not simply the next of its series. */
static uint8_t judge(struct admission *a, const struct series *s, const struct db_row *row,
                     const struct admission_rules *rules)
{
    if (s->state != SERIES_LIVE)
        return ADMIT_GONE;
    if (!in_time(row, rules))
        return row->ts_ms < rules->min_ms ? ADMIT_TOO_OLD : ADMIT_TOO_NEW;
    if (row->ts_ms > s->last_ts_ms)
        return ADMIT_OK;
    if (row->ts_ms < s->last_ts_ms)
        return rules->in_order ? ADMIT_NOT_IN_ORDER : ADMIT_OUT_OF_ORDER;
    bool same =
        kind_of(row) == s->last_kind && bits_of(a->registry, row, &a->scratch) == s->last_bits;
    return same ? ADMIT_REPEATED : ADMIT_DUPLICATE;
}

/* Note what the series was, then mark it as written to. Returns the verdict's flags. */
static uint8_t touch(struct admission *a, uint32_t id, struct series *s, uint32_t window,
                     uint32_t log_mark)
{
    journal_put(a, id, s);
    s->active_window = window;
    if (s->log_mark == log_mark)
        return 0;
    s->log_mark = log_mark;
    return ADMIT_DEFINE;
}

struct check { /* one call of admission_check() */
    struct admission *admission;
    const struct admission_rules *rules;
    struct admission_counts *counts;
    uint32_t window;
};

/* Any row: its verdict with flags. */
static uint8_t check_any(const struct check *c, const struct db_row *row, struct series *s)
{
    struct admission *a = c->admission;
    uint8_t verdict = judge(a, s, row, c->rules);
    c->counts->of[verdict]++;
    c->counts->histograms += row->histogram != NULL;
    if (verdict > ADMIT_OUT_OF_ORDER)
        return verdict;
    uint8_t flags = touch(a, row->series, s, c->window, c->rules->log_mark);
    c->counts->defines += flags != 0;
    if (verdict == ADMIT_OK) {
        s->last_ts_ms = row->ts_ms;
        s->last_bits = bits_of(a->registry, row, &a->scratch);
        s->last_kind = kind_of(row);
    }
    return verdict | flags;
}

/* Most rows are a float that is the next of its series, which the log knows, at a time that the
 * rules allow. Takes in those at time `ts_ms` from the first row on; returns how many they are. */
static size_t check_run(const struct check *c, const struct db_row *rows, struct series **lines,
                        size_t count, int64_t ts_ms)
{
    struct undo *u = c->admission->journal + c->admission->journal_len;
    uint32_t window = c->window, log_mark = c->rules->log_mark;
    size_t i = 0;
    for (; i < count; i++, u++) {
        const struct db_row *row = &rows[i];
        struct series *s = lines[i];
        if (UNLIKELY(row->ts_ms != ts_ms || ts_ms <= s->last_ts_ms || s->state != SERIES_LIVE ||
                     s->log_mark != log_mark || row->histogram != NULL))
            break;
        *u = undo_of(row->series, s);
        s->last_ts_ms = ts_ms;
        s->last_bits = f64_bits(row->value);
        s->active_window = window;
        s->last_kind = LAST_FLOAT;
    }
    c->admission->journal_len += i;
    c->counts->of[ADMIT_OK] += i;
    return i;
}

/* The same for rows of a run (row_run.h) of one time, and the lines of their series. */
HOT_CLONES
static size_t check_same(const struct check *c, const struct db_row *rows, struct series *lines,
                         size_t count)
{
    struct undo *u = c->admission->journal + c->admission->journal_len;
    uint32_t window = c->window, log_mark = c->rules->log_mark;
    int64_t ts_ms = rows[0].ts_ms;
    size_t i = 0;
    if (UNLIKELY(!in_time(&rows[0], c->rules)))
        return 0;
    for (; i < count; i++) {
        struct series *s = &lines[i];
        if (UNLIKELY(ts_ms <= s->last_ts_ms || s->state != SERIES_LIVE || s->log_mark != log_mark))
            break;
        memcpy(&u[i], &s->last_ts_ms, sizeof(u[i]));
        u[i].series = rows[i].series;
        s->last_ts_ms = ts_ms;
        s->last_bits = f64_bits(rows[i].value);
        s->active_window = window;
        s->last_kind = LAST_FLOAT;
    }
    c->admission->journal_len += i;
    c->counts->of[ADMIT_OK] += i;
    return i;
}

static void check_lines(const struct check *c, const struct db_row *rows, size_t count,
                        enum row_run run, uint8_t *verdicts)
{
    struct series *lines = registry_line(c->admission->registry, rows[0].series);
    row_run_fetch(lines, count);
    for (size_t i = 0; i < count; i++) {
        i += check_same(c, rows + i, lines + i,
                        run == ROW_RUN_SAME ? count - i : row_run_same_time(rows + i, count - i));
        if (UNLIKELY(i < count))
            verdicts[i] = check_any(c, &rows[i], &lines[i]);
    }
}

HOT_CLONES
static enum row_run run_of(const struct db_row *rows, size_t count)
{
    return row_run_of(rows, count);
}

static void check_chunk(const struct check *c, const struct db_row *rows, size_t count,
                        uint8_t *verdicts)
{
    struct series *lines[CHUNK];
    memset(verdicts, ADMIT_OK, count);
    enum row_run run = run_of(rows, count);
    if (LIKELY(run != ROW_RUN_NONE)) {
        check_lines(c, rows, count, run, verdicts);
        return;
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < count; i++) {
        lines[i] = registry_line(c->admission->registry, rows[i].series);
        __builtin_prefetch(lines[i], 1);
    }
    for (size_t i = 0; i < count;) {
        if (LIKELY(in_time(&rows[i], c->rules)))
            i += check_run(c, rows + i, lines + i, count - i, rows[i].ts_ms);
        if (UNLIKELY(i < count)) {
            verdicts[i] = check_any(c, &rows[i], lines[i]);
            i++;
        }
    }
}

void admission_check(struct admission *a, const struct db_row *rows, size_t count,
                     const struct admission_rules *rules, uint8_t *verdicts,
                     struct admission_counts *counts)
{
    ASSERT(rules->min_ms > INT64_MIN && rules->log_mark > 0);
    struct check c = {a, rules, counts, registry_window(a->registry)};
    journal_reserve(a, count);
    for (size_t i = 0, n; i < count; i += n) {
        n = row_run_size(rows + i, count - i, CHUNK, ID_PAGE_BITS);
        check_chunk(&c, rows + i, n, verdicts + i);
    }
}

void admission_forget(struct registry *r, const uint32_t *ids, size_t count, int64_t min_ms,
                      int64_t max_ms)
{
    for (size_t i = 0; i < count; i++) {
        struct series *s = registry_line(r, ids[i]);
        if (s->last_ts_ms >= min_ms && s->last_ts_ms <= max_ms)
            s->last_ts_ms = INT64_MIN;
    }
}

/* Make the newest sample in a window that of its series. A sample at the time of one that is known
 * already was written over it, which is in a block. */
static void restore(struct registry *r, const struct head_chunk *c, uint32_t window)
{
    struct series *s = registry_line(r, c->series);
    const struct head_side *side = c->side_count > 0 ? &c->side[c->side_count - 1] : NULL;
    s->active_window = window;
    if (c->max_ms < s->last_ts_ms)
        return;
    s->last_ts_ms = c->max_ms;
    s->last_kind = LAST_FLOAT;
    if (side == NULL || side->ts_ms < c->max_ms) {
        s->last_bits = f64_bits(xor_newest(&c->xor));
    } else if (side->histogram.len == 0) {
        s->last_bits = f64_bits(side->value);
    } else {
        s->last_kind = LAST_HISTOGRAM;
        s->last_bits = hash64(side->histogram, r->histogram_seed);
    }
}

void admission_restore(struct registry *r, struct head_window *w)
{
    uint32_t ids[RESTORE_IDS], first = 0, window = registry_window(r);
    struct head_copy copy = {0};
    size_t count;
    while ((count = head_series(w, first, ids, RESTORE_IDS)) > 0) {
        head_peek(w, ids, count, &copy);
        for (size_t i = 0; i < count; i++)
            restore(r, &copy.chunks[i], window);
        first = ids[count - 1] + 1;
    }
    head_copy_fini(&copy);
}
