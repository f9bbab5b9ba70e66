/* db.c -- the store as a whole: append, replay, cut, select, read.
 * Usage: bench_db DIR [series [scrapes]]; DIR is made and removed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/db_inspect.h"

enum { SERIES_PER_TARGET = 500, STEP_MS = 15000, BATCH = 20000 };
#define BASE_MS (INT64_C(1700006400000)) /* a multiple of two hours */

static double seconds_since(uint64_t mono_ns)
{
    return (double)(clock_mono_ns() - mono_ns) / 1e9;
}

/* CPU seconds of all threads so far: on a busy machine they say more than the clock. */
static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void must(err e, const char *what, const struct diag *d)
{
    if (e == OK)
        return;
    fprintf(stderr, "%s: %s %s\n", what, err_name(e), d != NULL ? d->text : "");
    exit(1);
}

static struct db *open_db(const char *dir)
{
    struct db_options o = db_options_default();
    struct diag d = {0};
    struct db *db;
    o.path = dir;
    o.no_background = true;
    o.head_bytes_max = UINT64_C(16) << 30;
    must(db_open(&o, &db, &d), "open", &d);
    return db;
}

static uint32_t *make_series(struct db *db, uint32_t count)
{
    uint32_t *ids = mem_alloc(count * sizeof(*ids));
    uint64_t start = clock_mono_ns();
    for (uint32_t i = 0; i < count; i++) {
        char metric[32], instance[32], k[32];
        uint32_t m = i % SERIES_PER_TARGET;
        snprintf(metric, sizeof(metric), "metric_%u_total", m / 10);
        snprintf(instance, sizeof(instance), "host-%05u:9100", i / SERIES_PER_TARGET);
        snprintf(k, sizeof(k), "%u", m % 10);
        struct label items[] = {
            {LABEL_NAME, str_from(metric)}, {STR("cluster"), STR("production-eu-1")},
            {STR("env"), STR("prod")},      {STR("instance"), str_from(instance)},
            {STR("job"), STR("node")},      {STR("mode"), str_from(k)},
            {STR("team"), STR("platform")}};
        must(db_create(db, (struct labels){items, COUNT_OF(items)}, NULL, &ids[i], NULL), "create",
             NULL);
    }
    double s = seconds_since(start);
    printf("create   %u series in %.2f s: %.0f ns each\n", count, s, s * 1e9 / count);
    return ids;
}

/* Scrapes [from, to) of all targets. */
static void append(struct db *db, const uint32_t *ids, uint32_t count, int from, int to)
{
    struct db_row *rows = mem_alloc(BATCH * sizeof(*rows));
    uint64_t start = clock_mono_ns();
    double cpu = cpu_seconds();
    for (int k = from; k < to; k++) {
        for (uint32_t i = 0; i < count; i += BATCH) {
            uint32_t n = MIN((uint32_t)BATCH, count - i);
            for (uint32_t x = 0; x < n; x++) {
                uint32_t target = (i + x) / SERIES_PER_TARGET;
                rows[x] =
                    (struct db_row){.ts_ms = BASE_MS + (int64_t)k * STEP_MS + target * 7 % STEP_MS,
                                    .value = (i + x) % 3 == 0 ? 42 : (double)k * ((i + x) % 17),
                                    .series = ids[i + x]};
            }
            struct db_batch b = {.rows = rows, .row_count = n};
            b.epoch = db_resolve(db, NULL, 0, NULL);
            must(db_commit_wait(db, &b), "commit", NULL);
            db_batch_fini(&b);
        }
    }
    double s = seconds_since(start), samples = (double)count * (to - from);
    cpu = cpu_seconds() - cpu;
    printf("append   %.0f samples in %.2f s: %.0f ns each, durable; %.0f ns of CPU\n", samples, s,
           s * 1e9 / samples, cpu * 1e9 / samples);
    mem_free(rows);
}

static void query(struct db *db, const char *regex, int rounds)
{
    struct matcher m;
    must(matcher_init(&m, MATCH_REGEX, LABEL_NAME, str_from(regex), NULL), "matcher", NULL);
    struct db_select_args args = {
        .matchers = &m, .matcher_count = 1, .min_ms = INT64_MIN / 2, .max_ms = INT64_MAX / 2};
    double select_s = 1e9, read_s = 1e9;
    size_t count = 0;
    uint64_t samples = 0, columns = 0;
    for (int round = 0; round < rounds; round++) {
        struct arena a;
        struct selection *s;
        struct series_reader *r;
        struct series_columns c;
        arena_init(&a, (size_t)4 << 30);
        uint64_t start = clock_mono_ns();
        must(db_select(db, &args, &a, &s, NULL), "select", NULL);
        select_s = MIN(select_s, seconds_since(start));
        must(series_reader_open(s, &a, &r), "reader", NULL);
        start = clock_mono_ns();
        count = selection_count(s);
        columns = 0;
        for (size_t i = 0; i < count; i++) {
            must(series_read(r, i, &c, NULL), "read", NULL);
            columns = MAX(columns, c.column_id);
        }
        read_s = MIN(read_s, seconds_since(start));
        samples = series_reader_stats_of(r).samples;
        series_reader_close(r);
        selection_close(s);
        arena_fini(&a);
    }
    printf("select   %zu series in %.2f ms: %.0f ns each\n", count, select_s * 1e3,
           select_s * 1e9 / (double)count);
    printf("read     %" PRIu64 " samples in %.2f ms: %.2f ns a sample, %.0f ns a series (%" PRIu64
           " columns)\n",
           samples, read_s * 1e3, read_s * 1e9 / (double)samples, read_s * 1e9 / (double)count,
           columns);
    matcher_fini(&m);
}

static void cut(struct db *db)
{
    uint64_t start = clock_mono_ns();
    double cpu = cpu_seconds();
    must(db_cut(db), "cut", NULL);
    struct db_stats st;
    db_stats_of(db, &st);
    printf("cut      in %.2f s (%.2f s CPU); %" PRIu64 " blocks, %.1f MB\n", seconds_since(start),
           cpu_seconds() - cpu, st.blocks, (double)st.blocks_bytes / 1e6);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 30000;
    int scrapes = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 120;
    log_configure(LOG_WARN, LOG_LOGFMT);
    clock_set_for_test(BASE_MS + (int64_t)scrapes * 4 * STEP_MS);
    struct db *db = open_db(argv[1]);
    uint32_t *ids = make_series(db, count);
    append(db, ids, count, 0, scrapes);
    struct db_stats st;
    db_stats_of(db, &st);
    printf("head     %.0f MB, log %.0f MB\n", (double)st.head_bytes / 1e6,
           (double)st.wal_size_bytes / 1e6);
    query(db, "metric_.*", 3);
    db_abandon(db);
    uint64_t start = clock_mono_ns();
    double cpu = cpu_seconds();
    db = open_db(argv[1]);
    printf("replay   %.0f samples in %.2f s (%.2f s CPU)\n", (double)count * scrapes,
           seconds_since(start), cpu_seconds() - cpu);
    cut(db);
    mem_free(ids);
    if (count <= 100000) { /* two blocks and the head */
        ids = make_series(db, count);
        append(db, ids, count, scrapes, 2 * scrapes);
        cut(db);
        append(db, ids, count, 2 * scrapes, 3 * scrapes);
        query(db, "metric_.*", 5);
        query(db, "metric_1_total", 5);
        mem_free(ids);
    }
    db_abandon(db);
    must(fs_remove_tree(fs_posix(), argv[1]), "clean up", NULL);
    return 0;
}
