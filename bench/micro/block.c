/* block.c -- an index of SERIES series with ten labels: time and size to write, open, select, read,
 * merge, as CPU time. Usage: bench_block [SERIES [SAMPLES]], files go to /tmp */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/block.h"
#include "storage/block_verify.h"
#include "storage/block_writer.h"
#include "storage/compact.h"

enum { LABELS = 10, POD_COUNT_MAX = 200000, SAMPLES_MAX = 480 };

static int samples = 120; /* of each series */

static uint64_t started_ns;

/* CPU time: others may use the machine. */
static double lap_ms(void)
{
    uint64_t now = clock_thread_cpu_ns();
    double ms = (double)(now - started_ns) / 1e6;
    started_ns = now;
    return ms;
}

static void must(err e, const struct diag *d)
{
    if (e != OK) {
        (void)fprintf(stderr, "%s: %s\n", err_name(e), d->text);
        exit(1);
    }
}

static long peak_mb(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss / 1024;
}

struct text { /* a symbol before it has its number */
    str s;
    uint32_t id;
};

static int by_text(const void *a, const void *b)
{
    return str_cmp(((const struct text *)a)->s, ((const struct text *)b)->s);
}

static uint32_t *sorted_ids; /* by the number of adding */
static struct text *texts;
static size_t text_count;
static struct arena arena;

static uint32_t add_text(const char *line)
{
    texts[text_count] = (struct text){arena_str(&arena, str_from(line)), (uint32_t)text_count};
    return (uint32_t)text_count++;
}

/* Values per label; pods are many, the rest few. Names sort before all values ("a_..."). */
static const unsigned VALUES[LABELS] = {200, 3, 40, 12, POD_COUNT_MAX, 5, 60, 9, 4, 25};
static uint32_t names[LABELS], first_value[LABELS];

static void make_texts(void)
{
    texts = mem_resize(NULL, 1 << 20, sizeof(*texts));
    arena_init(&arena, (size_t)1 << 30);
    char line[64];
    names[0] = add_text("__name__");
    for (unsigned i = 1; i < LABELS; i++) {
        (void)snprintf(line, sizeof(line), "a_label_name_%02u", i);
        names[i] = add_text(line);
    }
    for (unsigned i = 0; i < LABELS; i++) {
        first_value[i] = (uint32_t)text_count;
        for (unsigned k = 0; k < VALUES[i]; k++) {
            (void)snprintf(line, sizeof(line), "value_of_label_%02u_%07u", i, k);
            (void)add_text(line);
        }
    }
    sorted_ids = mem_resize(NULL, text_count, sizeof(*sorted_ids));
    qsort(texts, text_count, sizeof(*texts), by_text);
    for (size_t i = 0; i < text_count; i++)
        sorted_ids[texts[i].id] = (uint32_t)i;
}

/* Series in label order: by metric, then pod. */
static void pairs_of(unsigned i, unsigned count, uint32_t *pairs)
{
    unsigned per_metric = (count + VALUES[0] - 1) / VALUES[0];
    unsigned metric = i / per_metric, at = i % per_metric;
    unsigned pods = (unsigned)MIN((uint64_t)POD_COUNT_MAX, (uint64_t)per_metric);
    for (unsigned l = 0; l < LABELS; l++) {
        unsigned v = l == 0   ? metric
                     : l == 4 ? (at + metric * 97) % POD_COUNT_MAX
                              : (unsigned)((uint64_t)at * VALUES[l] / pods) % VALUES[l];
        pairs[2 * l] = sorted_ids[names[l]];
        pairs[2 * l + 1] = sorted_ids[first_value[l] + v];
    }
}

static int by_pairs(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    for (int i = 0; i < 2 * LABELS; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

static void write_block(const char *dir, ulid u, unsigned count, int64_t start_ms,
                        struct block_meta *meta)
{
    struct block_writer_options o = {.ulid = u, .level = 1};
    struct block_writer *w;
    struct diag d = {0};
    int64_t ts[SAMPLES_MAX];
    double values[SAMPLES_MAX];
    uint32_t(*all)[2 * LABELS] = mem_resize(NULL, count, sizeof(*all));
    for (unsigned i = 0; i < count; i++)
        pairs_of(i, count, all[i]);
    qsort(all, count, sizeof(*all), by_pairs);
    (void)lap_ms();
    must(block_writer_open(fs_posix(), dir, &o, &w, &d), &d);
    for (size_t i = 0; i < text_count; i++)
        must(block_writer_symbol(w, texts[i].s), &d);
    printf("  symbols %zu: %.0f ms\n", text_count, lap_ms());
    for (int k = 0; k < samples; k++)
        ts[k] = start_ms + k * 15000;
    for (unsigned i = 0; i < count; i++) {
        for (int k = 0; k < samples; k++)
            values[k] = i % 2 == 0 ? i : (double)i + k * (double)(i % 7);
        hash128 hash = hash128_of((slice){(uint8_t *)all[i], sizeof(all[i])}, 0);
        must(block_writer_series(w, all[i], LABELS, hash), &d);
        must(block_writer_floats(w, ts, values, NULL, (size_t)samples), &d);
    }
    printf("  series with %d samples each: %.0f ms\n", samples, lap_ms());
    must(block_writer_finish(w, meta, &d), &d);
    printf("  finish (postings, sync, read back): %.0f ms; peak %ld MB\n", lap_ms(), peak_mb());
    printf("  index %.1f MB, chunks %.1f MB, sums %.1f KB\n", (double)meta->index_size / 1e6,
           (double)meta->chunks_size / 1e6, (double)meta->sums_size / 1e3);
    mem_free(all);
}

static struct block *open_block(const char *dir, ulid u)
{
    char path[512], name[ULID_TEXT_SIZE];
    struct block *b;
    struct diag d = {0};
    ulid_format(u, name);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    must(block_open(fs_posix(), path, &b, &d), &d);
    return b;
}

static void run_select(struct block *b, const char *what, struct matcher *ms, size_t n)
{
    struct block_cursor *c = block_cursor_open(b);
    struct postings *p;
    struct diag d = {0};
    (void)lap_ms();
    must(block_select(c, ms, n, &p, &d), &d);
    double select_ms = lap_ms();
    size_t count = (size_t)postings_count(p);
    uint32_t *ids = mem_resize(NULL, count, sizeof(*ids));
    postings_ids(p, ids);
    uint64_t chunks = 0;
    double values[SAMPLES_MAX + CODEC_PAD];
    (void)lap_ms();
    for (size_t i = 0; i < count; i++) {
        struct block_series s;
        must(block_series_read(c, ids[i], INT64_MIN, INT64_MAX, &s, &d), &d);
        chunks += s.chunk_count;
    }
    double series_ms = lap_ms();
    for (size_t i = 0; i < count; i++) {
        struct block_series s;
        must(block_series_read(c, ids[i], INT64_MIN, INT64_MAX, &s, &d), &d);
        must(block_read_values(c, &s.chunks[0], values, &d), &d);
    }
    double values_ms = lap_ms() - series_ms;
    printf("  %-34s %8zu series: select %.3f ms, series %.3f ms, values %.3f ms\n", what, count,
           select_ms, series_ms, values_ms);
    mem_free(ids);
    postings_free(p);
    block_cursor_close(c);
    for (size_t i = 0; i < n; i++)
        matcher_fini(&ms[i]);
}

static struct matcher match(enum matcher_type type, const char *name, const char *value)
{
    struct matcher m;
    struct diag d = {0};
    must(matcher_init(&m, type, str_from(name), str_from(value), &d), &d);
    return m;
}

static void selects(struct block *b)
{
    struct matcher metric = match(MATCH_EQUAL, "__name__", "value_of_label_00_0000007");
    run_select(b, "metric", &metric, 1);
    struct matcher two[] = {match(MATCH_EQUAL, "__name__", "value_of_label_00_0000007"),
                            match(MATCH_EQUAL, "a_label_name_06", "value_of_label_06_0000030")};
    run_select(b, "metric and label", two, 2);
    struct matcher re[] = {match(MATCH_EQUAL, "__name__", "value_of_label_00_0000007"),
                           match(MATCH_REGEX, "a_label_name_04", ".*_00007.*")};
    run_select(b, "metric and regex on pods", re, 2);
    struct matcher wide = match(MATCH_REGEX, "a_label_name_04", ".*_00007.*");
    run_select(b, "regex on pods", &wide, 1);
    struct matcher all = match(MATCH_NOT_EQUAL, "__name__", "");
    run_select(b, "everything", &all, 1);
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    char dir[] = "/tmp/bench_block.XXXXXX";
    const char *where = mkdtemp(dir);
    samples = argc > 2 ? MIN(MAX(atoi(argv[2]), 1), SAMPLES_MAX) : samples;
    struct block_meta meta[3];
    ulid u[3] = {ulid_new(), ulid_new(), ulid_new()};
    struct diag d = {0};
    if (where == NULL)
        return 1;
    make_texts();
    printf("write %u series\n", count);
    write_block(where, u[0], count, 1700000000000, &meta[0]);
    write_block(where, u[1], count, 1700000000000 + samples * 15000, &meta[1]);
    (void)lap_ms();
    struct block *b = open_block(where, u[0]);
    printf("open: %.1f ms, then %.2f MB of heap\n", lap_ms(), (double)block_memory_bytes(b) / 1e6);
    selects(b);
    printf("  after selecting: %.2f MB of heap\n", (double)block_memory_bytes(b) / 1e6);
    struct block *sources[2] = {b, open_block(where, u[1])};
    struct compact_args args = {
        .fs = fs_posix(), .blocks_dir = where, .sources = sources, .source_count = 2, .ulid = u[2]};
    (void)lap_ms();
    must(compact_merge(&args, &meta[2], &d), &d);
    printf("merge of two, %.0f M samples: %.0f ms; index %.1f MB, chunks %.1f MB; peak %ld MB\n",
           (double)meta[2].samples / 1e6, lap_ms(), (double)meta[2].index_size / 1e6,
           (double)meta[2].chunks_size / 1e6, peak_mb());
    block_close(sources[0]);
    block_close(sources[1]);
    for (int i = 0; i < 3; i++)
        block_meta_fini(&meta[i]);
    must(fs_remove_tree(fs_posix(), where), &d);
    arena_fini(&arena);
    mem_free(texts);
    mem_free(sorted_ids);
    return 0;
}
