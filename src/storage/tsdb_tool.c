/* tsdb_tool.c -- see tsdb_tool.h. The log is read with wal_verify(), which changes nothing. */
#include "storage/tsdb_tool.h"

#include <inttypes.h>

#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "storage/block.h"
#include "storage/block_verify.h"
#include "storage/log_ids.h"
#include "storage/state.h"
#include "storage/wal.h"

enum { TIME_SIZE = 40, SCRATCH_BYTES = 256 << 20 };

struct tool {
    struct fs *fs;
    const char *dir;
    FILE *out;
    struct diag *d;
    struct buf names; /* of the blocks, NUL-terminated, in order */
    size_t findings;
    const struct matcher *matchers; /* dump */
    size_t matcher_count;
    int64_t min_ms, max_ms;
    struct buf line;
};

/* ---- Blocks there are ---- */

static err tool_open(struct tool *t)
{
    struct buf path = {0}, all = {0};
    err e = fs_list(t->fs, fs_join(&path, t->dir, "blocks"), &all);
    for (const char *n = NULL; e == OK && (n = fs_list_next(&all, n)) != NULL;) {
        ulid u;
        if (ulid_parse(str_from(n), &u) == OK)
            buf_put(&t->names, n, strlen(n) + 1);
    }
    buf_fini(&path);
    buf_fini(&all);
    return e == OK ? OK : diag_set(t->d, e, "cannot read %s/blocks: %s", t->dir, err_name(e));
}

static void tool_fini(struct tool *t)
{
    buf_fini(&t->names);
    buf_fini(&t->line);
}

static const char *block_path(const struct tool *t, const char *name, struct buf *path)
{
    struct buf blocks = {0};
    fs_join(&blocks, t->dir, "blocks");
    const char *text = fs_join(path, buf_cstr(&blocks), name);
    buf_fini(&blocks);
    return text;
}

static void report(struct tool *t, const char *what, const char *why)
{
    t->findings++;
    fprintf(t->out, "%s: %s\n", what, why);
}

/* Open a block, or report why it does not open. */
static struct block *open_block(struct tool *t, const char *name)
{
    struct buf path = {0};
    struct diag d = {0};
    struct block *b = NULL;
    err e = block_open(t->fs, block_path(t, name, &path), &b, &d);
    if (e != OK)
        report(t, name, d.text[0] != '\0' ? d.text : err_name(e));
    buf_fini(&path);
    return e == OK ? b : NULL;
}

static err outcome(const struct tool *t)
{
    return t->findings > 0 ? ERR_CORRUPT : OK;
}

static err read_log(struct tool *t, const struct wal_replay *callbacks, struct wal_stats *stats)
{
    struct buf path = {0};
    err e = wal_verify(t->fs, fs_join(&path, t->dir, "wal"), callbacks, stats);
    buf_fini(&path);
    if (e == ERR_NOTFOUND) {
        *stats = (struct wal_stats){0};
        return OK;
    }
    return e == OK ? OK : diag_set(t->d, e, "cannot read %s/wal: %s", t->dir, err_name(e));
}

/* ---- ls ---- */

static const char *time_text(int64_t ms, char out[TIME_SIZE + 1])
{
    out[timestamp_format_rfc3339(ms, out)] = '\0';
    return out;
}

static void print_block(struct tool *t, const struct block *b)
{
    const struct block_meta *m = block_meta_of(b);
    char name[ULID_TEXT_SIZE], from[TIME_SIZE + 1], to[TIME_SIZE + 1], span[TIME_SIZE + 1];
    ulid_format(m->ulid, name);
    span[duration_format(m->max_ms - m->min_ms, span)] = '\0';
    fprintf(t->out,
            "%s  %-24s  %-24s  %-14s  %5u  %12" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %12" PRIu64
            "\n",
            name, time_text(m->min_ms, from), time_text(m->max_ms, to), span, m->level, m->samples,
            m->series, m->chunks, block_meta_bytes(m));
}

err tsdb_ls(struct fs *fs, const char *dir, FILE *out, struct diag *d)
{
    struct tool t = {.fs = fs != NULL ? fs : fs_posix(), .dir = dir, .out = out, .d = d};
    struct wal_stats w;
    err e = tool_open(&t);
    if (e == OK)
        fprintf(out, "%-26s  %-24s  %-24s  %-14s  %5s  %12s  %10s  %10s  %12s\n", "BLOCK", "FROM",
                "TO", "DURATION", "LEVEL", "SAMPLES", "SERIES", "CHUNKS", "BYTES");
    for (const char *n = NULL; e == OK && (n = fs_list_next(&t.names, n)) != NULL;) {
        struct block *b = open_block(&t, n);
        if (b != NULL)
            print_block(&t, b);
        block_close(b);
    }
    if (e == OK)
        e = read_log(&t, NULL, &w);
    if (e == OK)
        fprintf(out,
                "log: %" PRIu64 " segments, %" PRIu64 " groups, %" PRIu64 " records, %" PRIu64
                " bytes\n",
                w.replay_segments, w.replay_groups, w.replay_records, w.replay_bytes);
    tool_fini(&t);
    return e == OK ? outcome(&t) : e;
}

/* ---- dump ---- */

static void print_sample(struct tool *t, struct labels ls, int64_t ts_ms, double value,
                         const struct histogram *h)
{
    char number[NUMBER_SIZE_MAX];
    buf_reset(&t->line);
    labels_format(ls, &t->line);
    buf_put_u8(&t->line, ' ');
    if (h == NULL) {
        buf_put(&t->line, number, number_format_json(value, number));
    } else {
        buf_put_str(&t->line, STR("{count:"));
        buf_put(&t->line, number, number_format_json(h->count, number));
        buf_put_str(&t->line, STR(" sum:"));
        buf_put(&t->line, number, number_format_json(h->sum, number));
        buf_printf(&t->line, " schema:%d}", h->schema);
    }
    buf_printf(&t->line, " %" PRId64 "\n", ts_ms);
    fwrite(t->line.ptr, 1, t->line.len, t->out);
}

static err dump_chunk(void *arg, const struct block_samples *s)
{
    struct tool *t = arg;
    for (size_t i = 0; i < s->count; i++)
        if (s->ts_ms[i] >= t->min_ms && s->ts_ms[i] <= t->max_ms)
            print_sample(t, s->labels, s->ts_ms[i], s->values != NULL ? s->values[i] : 0,
                         s->histograms != NULL ? &s->histograms[i] : NULL);
    return ferror(t->out) ? ERR_IO : OK;
}

static err dump_block(struct tool *t, const char *name)
{
    struct diag d = {0};
    struct postings *ids = NULL;
    struct block *b = open_block(t, name);
    if (b == NULL)
        return OK;
    fprintf(t->out, "# block %s\n", name);
    struct block_cursor *c = block_cursor_open(b);
    err e = block_select(c, t->matchers, t->matcher_count, &ids, &d);
    block_cursor_close(c);
    if (e == OK)
        e = block_dump(b, ids, t->min_ms, t->max_ms, dump_chunk, t, &d);
    postings_free(ids);
    block_close(b);
    if (e == ERR_CORRUPT) {
        report(t, name, d.text);
        return OK;
    }
    return e == OK ? OK : diag_set(t->d, e, "%s: %s", name, d.text);
}

struct log_dump {
    struct tool *t;
    struct log_ids ids; /* log id -> index into series */
    slice *series;      /* encoded labels of those that match; owned */
    size_t count, cap;
    struct arena scratch;
};

static err dump_segment(void *arg, uint32_t segment, unsigned index, unsigned count)
{
    (void)segment, (void)index, (void)count;
    log_ids_reset(&((struct log_dump *)arg)->ids);
    return OK;
}

static void keep_series(struct log_dump *l, uint32_t id, struct labels ls)
{
    struct buf bytes = {0};
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 256 : l->cap * 2;
        l->series = mem_resize(l->series, l->cap, sizeof(*l->series));
    }
    labels_encode(ls, &bytes);
    l->series[l->count] = buf_slice(&bytes);
    log_ids_set(&l->ids, id, (uint32_t)l->count++);
}

static err dump_define(void *arg, uint32_t id, slice payload)
{
    struct log_dump *l = arg;
    struct labels ls;
    bool is_series;
    err e = log_ids_define(&l->ids, id, payload, &is_series, &ls);
    if (e == OK && is_series && matchers_match(l->t->matchers, l->t->matcher_count, ls))
        keep_series(l, id, ls);
    if (e == ERR_CORRUPT)
        report(l->t, "log", "a definition cannot be understood");
    return e == ERR_CORRUPT ? OK : e;
}

static err dump_row(struct log_dump *l, const struct db_row *row)
{
    uint32_t k = log_ids_find(&l->ids, row->series);
    struct labels ls;
    if (k == 0 || row->ts_ms < l->t->min_ms || row->ts_ms > l->t->max_ms)
        return OK;
    TRY(labels_decode(l->series[k - 1], &l->scratch, &ls));
    print_sample(l->t, ls, row->ts_ms, row->value, row->histogram);
    arena_reset(&l->scratch);
    return OK;
}

static err dump_floats(struct log_dump *l, const struct record_section *s)
{
    struct record_floats f;
    struct record_run run;
    err e = record_floats_init(&f, s);
    while (e == OK && (e = record_floats_next(&f, &run)) == OK) {
        for (uint32_t i = 0; i < run.count && e == OK; i++) {
            struct db_row row = record_run_row(&run, i);
            e = dump_row(l, &row);
        }
    }
    return e == ERR_NOTFOUND ? OK : e;
}

static err dump_histograms(struct log_dump *l, const struct record_section *s)
{
    struct record_rows rr;
    struct arena a;
    struct db_row row;
    int64_t start_ts_ms;
    err e = OK;
    arena_init(&a, SCRATCH_BYTES);
    record_rows_init(&rr, s);
    while (e == OK && (e = record_histogram_next(&rr, &a, &row, &start_ts_ms)) == OK) {
        e = dump_row(l, &row);
        arena_reset(&a);
    }
    arena_fini(&a);
    return e == ERR_NOTFOUND ? OK : e;
}

static err dump_record(void *arg, uint8_t type, slice payload, uint64_t seq)
{
    (void)seq;
    struct log_dump *l = arg;
    struct reader r;
    struct record_section s;
    err e = type == RECORD_TYPE ? record_open(payload, &r) : ERR_CORRUPT;
    while (e == OK && (e = record_next(&r, &s)) == OK) {
        if (s.kind == RECORD_FLOATS)
            e = dump_floats(l, &s);
        else if (s.kind == RECORD_HISTOGRAMS)
            e = dump_histograms(l, &s);
    }
    if (e == ERR_CORRUPT)
        report(l->t, "log", "a record cannot be understood");
    return e == ERR_NOTFOUND || e == ERR_CORRUPT ? OK : e;
}

static void log_damage(void *arg, const struct wal_damage *damage)
{
    struct tool *t = arg;
    t->findings++;
    fprintf(t->out,
            "log: segment %08x: damaged at byte %" PRIu64 " (%" PRIu64 " bytes): %" PRIu64
            " groups and %" PRIu64 " records lost\n",
            damage->segment, damage->pos, damage->size, damage->groups_lost, damage->records_lost);
}

static void dump_damage(void *arg, const struct wal_damage *damage)
{
    log_damage(((struct log_dump *)arg)->t, damage);
}

static err dump_log(struct tool *t)
{
    struct log_dump *l = mem_zalloc(1, sizeof(*l));
    struct wal_replay callbacks = {.arg = l,
                                   .segment = dump_segment,
                                   .define = dump_define,
                                   .record = dump_record,
                                   .damage = dump_damage};
    struct wal_stats w;
    l->t = t;
    log_ids_init(&l->ids);
    arena_init(&l->scratch, SCRATCH_BYTES);
    fprintf(t->out, "# log\n");
    err e = read_log(t, &callbacks, &w);
    for (size_t i = 0; i < l->count; i++)
        mem_free((void *)(uintptr_t)l->series[i].ptr);
    mem_free(l->series);
    arena_fini(&l->scratch);
    log_ids_fini(&l->ids);
    mem_free(l);
    return e;
}

err tsdb_dump(struct fs *fs, const char *dir, const struct matcher *matchers, size_t matcher_count,
              int64_t min_ms, int64_t max_ms, FILE *out, struct diag *d)
{
    struct tool t = {.fs = fs != NULL ? fs : fs_posix(),
                     .dir = dir,
                     .out = out,
                     .d = d,
                     .matchers = matchers,
                     .matcher_count = matcher_count,
                     .min_ms = min_ms,
                     .max_ms = max_ms};
    err e = tool_open(&t);
    for (const char *n = NULL; e == OK && (n = fs_list_next(&t.names, n)) != NULL;)
        e = dump_block(&t, n);
    if (e == OK)
        e = dump_log(&t);
    tool_fini(&t);
    return e == OK ? outcome(&t) : e;
}

/* ---- verify ---- */

struct block_findings {
    struct tool *t;
    const char *name;
};

static void on_finding(void *arg, const char *text)
{
    const struct block_findings *f = arg;
    report(f->t, f->name, text);
}

static err verify_block(struct tool *t, const char *name)
{
    struct buf path = {0};
    struct block_findings f = {t, name};
    size_t before = t->findings;
    err e = block_verify(t->fs, block_path(t, name, &path), on_finding, &f);
    buf_fini(&path);
    if (e != OK && t->findings == before)
        report(t, name, err_name(e));
    return OK;
}

static err verify_record(void *arg, uint8_t type, slice payload, uint64_t seq)
{
    (void)seq;
    struct reader r;
    struct record_section s;
    err e = type == RECORD_TYPE ? record_open(payload, &r) : ERR_CORRUPT;
    while (e == OK)
        e = record_next(&r, &s);
    if (e != ERR_NOTFOUND)
        report(arg, "log", "a record cannot be understood");
    return OK;
}

static err verify_log(struct tool *t)
{
    struct wal_replay callbacks = {.arg = t, .record = verify_record, .damage = log_damage};
    struct wal_stats w;
    TRY(read_log(t, &callbacks, &w));
    if (w.replay_segments_missing > 0)
        report(t, "log", "segments are missing");
    fprintf(t->out, "log: %" PRIu64 " records, %" PRIu64 " torn tails\n", w.replay_records,
            w.replay_torn_tails);
    return OK;
}

static err verify_state(struct tool *t)
{
    struct state s;
    struct buf path = {0}, bytes = {0};
    struct metadata_store *metadata =
        metadata_store_new((struct metadata_limits){SIZE_MAX, STATE_SIZE_MAX});
    struct exemplar_store *exemplars = exemplar_store_new(DB_EXEMPLARS_LIMIT);
    err e = fs_read_file(t->fs, fs_join(&path, t->dir, "state"), STATE_SIZE_MAX, &bytes);
    if (e == OK && state_decode(buf_slice(&bytes), &s, metadata, exemplars) != OK)
        report(t, "state", "damaged");
    else if (e != OK && e != ERR_NOTFOUND)
        report(t, "state", err_name(e));
    metadata_store_free(metadata);
    exemplar_store_free(exemplars);
    buf_fini(&path);
    buf_fini(&bytes);
    return OK;
}

err tsdb_verify(struct fs *fs, const char *dir, FILE *out, struct diag *d)
{
    struct tool t = {.fs = fs != NULL ? fs : fs_posix(), .dir = dir, .out = out, .d = d};
    size_t blocks = 0;
    err e = tool_open(&t);
    for (const char *n = NULL; e == OK && (n = fs_list_next(&t.names, n)) != NULL; blocks++)
        e = verify_block(&t, n);
    if (e == OK)
        e = verify_log(&t);
    if (e == OK)
        e = verify_state(&t);
    if (e == OK)
        fprintf(out, "%zu blocks, %zu findings\n", blocks, t.findings);
    tool_fini(&t);
    return e == OK ? outcome(&t) : e;
}

/* ---- stats ---- */

struct totals {
    uint64_t samples, floats, histograms, series, chunks, columns, symbols, index, values, all;
};

static double per_sample(uint64_t bytes, uint64_t samples)
{
    return samples > 0 ? (double)bytes / (double)samples : 0;
}

/* Forms of value columns (docs/formats/chunks.md, "Values"), and native histograms. */
enum { FORM_COUNT = 8, FORM_HISTOGRAM = FORM_COUNT };
static const char *const FORM_NAMES[FORM_COUNT + 1] = {
    "bits", "fix2", "div10", "mul10", "number", "raw", "corrected", "xor", "histogram"};

struct forms {
    uint64_t chunks[FORM_COUNT + 1], samples[FORM_COUNT + 1], bytes[FORM_COUNT + 1];
};

static void add_form(struct forms *f, const struct block_chunk *ch, slice payload)
{
    struct reader r = reader_of(payload);
    if (ch->has_start)
        (void)read_string(&r);
    size_t left = reader_left(&r);
    unsigned form = ch->kind == BLOCK_HISTOGRAMS ? FORM_HISTOGRAM : read_u8(&r) % FORM_COUNT;
    f->chunks[form]++;
    f->samples[form] += ch->count;
    f->bytes[form] += left;
}

static err add_series_forms(struct block_cursor *c, uint32_t id, struct forms *f, struct diag *d)
{
    struct block_series series;
    TRY(block_series_read(c, id, INT64_MIN, INT64_MAX, &series, d));
    for (size_t k = 0; k < series.chunk_count; k++) {
        slice payload, times;
        TRY(block_chunk_bytes(c, &series.chunks[k], &payload, &times, d));
        add_form(f, &series.chunks[k], payload);
    }
    return OK;
}

static void add_block_forms(struct tool *t, struct block *b, const char *name, struct forms *f)
{
    struct diag d = {0};
    struct block_cursor *c = block_cursor_open(b);
    err e = OK;
    for (uint32_t id = 0; id < block_meta_of(b)->series && e == OK; id++)
        e = add_series_forms(c, id, f, &d);
    block_cursor_close(c);
    if (e != OK)
        report(t, name, d.text);
}

static void print_forms(FILE *out, const struct forms *f)
{
    fprintf(out, "\n%-10s  %10s  %12s  %12s  %8s\n", "CODEC", "CHUNKS", "SAMPLES", "BYTES",
            "BYTES/S");
    for (size_t i = 0; i < COUNT_OF(FORM_NAMES); i++)
        if (f->chunks[i] > 0)
            fprintf(out, "%-10s  %10" PRIu64 "  %12" PRIu64 "  %12" PRIu64 "  %8.3f\n",
                    FORM_NAMES[i], f->chunks[i], f->samples[i], f->bytes[i],
                    per_sample(f->bytes[i], f->samples[i]));
}

static void add_totals(struct totals *to, const struct block_meta *m)
{
    to->samples += m->samples;
    to->floats += m->floats;
    to->histograms += m->histograms;
    to->series += m->series;
    to->chunks += m->chunks;
    to->columns += m->columns;
    to->symbols += m->symbols;
    to->index += m->index_size;
    to->values += m->chunks_size;
    to->all += block_meta_bytes(m);
}

static void print_totals(FILE *out, const char *name, const struct totals *t)
{
    fprintf(out,
            "%-26s  %12" PRIu64 "  %12" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %8" PRIu64
            "  %8" PRIu64 "  %12" PRIu64 "  %12" PRIu64 "  %8.3f  %8.3f\n",
            name, t->samples, t->histograms, t->series, t->chunks, t->columns, t->symbols, t->index,
            t->values, per_sample(t->values, t->samples), per_sample(t->all, t->samples));
}

err tsdb_stats(struct fs *fs, const char *dir, FILE *out, struct diag *d)
{
    struct tool t = {.fs = fs != NULL ? fs : fs_posix(), .dir = dir, .out = out, .d = d};
    struct totals sum = {0};
    struct forms forms = {0};
    err e = tool_open(&t);
    if (e == OK)
        fprintf(out, "%-26s  %12s  %12s  %10s  %10s  %8s  %8s  %12s  %12s  %8s  %8s\n", "BLOCK",
                "SAMPLES", "HISTOGRAMS", "SERIES", "CHUNKS", "COLUMNS", "SYMBOLS", "INDEX BYTES",
                "CHUNK BYTES", "CHUNK/S", "ALL/S");
    for (const char *n = NULL; e == OK && (n = fs_list_next(&t.names, n)) != NULL;) {
        struct totals one = {0};
        struct block *b = open_block(&t, n);
        if (b == NULL)
            continue;
        add_totals(&one, block_meta_of(b));
        add_totals(&sum, block_meta_of(b));
        print_totals(out, n, &one);
        add_block_forms(&t, b, n, &forms);
        block_close(b);
    }
    if (e == OK) {
        print_totals(out, "all", &sum);
        print_forms(out, &forms);
    }
    tool_fini(&t);
    return e == OK ? outcome(&t) : e;
}
