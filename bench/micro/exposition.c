/* exposition.c -- reading one page over and over: as a new target (every line parsed) and as a
 * known one (every line a hash, with its rows made).
 *
 *   bench_exposition PAGE [--om] [--rounds=2000]
 *
 * PAGE is a file, e.g. what node_exporter answers. Prints megabytes a second of CPU and nanoseconds
 * a line. The store behind it is on a disk that is not written to: nothing is committed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "ingest/scrape_append.h"

static struct buf page;
static struct scrape_env env;
static struct scrape_config config = {.job_name = STR("bench"),
                                      .honor_timestamps = true,
                                      .fallback_protocol = SCRAPE_PROTOCOLS,
                                      .names = NAMES_UTF8};
static bool openmetrics;

static void must(err e, const char *what)
{
    if (e == OK)
        return;
    (void)fprintf(stderr, "bench_exposition: %s: %s\n", what, err_name(e));
    exit(1);
}

static void report(const char *name, uint64_t ns, uint64_t rounds, size_t lines)
{
    printf("%-8s %7.0f MB/s  %6.1f ns a line\n", name,
           (double)page.len * (double)rounds / (double)ns * 1e3,
           (double)ns / (double)(rounds * lines));
}

/* Entries and the labels of every series, as for a target never seen. */
static void parse_all(uint64_t rounds, size_t lines)
{
    struct expo_options o = {.format = openmetrics ? EXPO_OPENMETRICS : EXPO_TEXT};
    struct arena a;
    struct buf copy = {0};
    arena_init(&a, 1 << 24);
    uint64_t start = clock_thread_cpu_ns();
    for (uint64_t i = 0; i < rounds; i++) {
        struct expo p;
        struct expo_entry e;
        struct diag d = {.text = ""};
        buf_reset(&copy);
        buf_put(&copy, page.ptr, page.len);
        expo_open(&p, &copy, &o);
        for (;;) {
            struct label *items;
            size_t count;
            must(expo_next(&p, &e, &d), d.text);
            if (e.kind == EXPO_END)
                break;
            if (e.kind != EXPO_SERIES)
                continue;
            arena_reset(&a);
            must(expo_labels(&p, &a, &items, &count), "labels");
        }
        expo_close(&p);
    }
    report("parse", clock_thread_cpu_ns() - start, rounds, lines);
    buf_fini(&copy);
    arena_fini(&a);
}

/* From page to batch, when all lines are known. */
static void append_known(uint64_t rounds, size_t lines)
{
    struct label target[] = {{STR("instance"), STR("i")}, {STR("job"), STR("bench")}};
    struct scrape_memory memory;
    struct scrape_append a;
    scrape_memory_init(&memory);
    scrape_append_open(&a, &env);
    uint64_t start = 0;
    for (uint64_t i = 0; i < rounds + 2; i++) {
        struct scrape_input in = {.config = &config,
                                  .memory = &memory,
                                  .target = {target, 2},
                                  .ts_ms = clock_wall_ms(),
                                  .start_mono_ns = clock_mono_ns(),
                                  .body_bytes = (int64_t)page.len,
                                  .content_type = openmetrics ? STR("application/openmetrics-text")
                                                              : STR("text/plain")};
        if (i == 2)
            start = clock_thread_cpu_ns();
        buf_reset(&a.page);
        buf_put(&a.page, page.ptr, page.len);
        scrape_append_begin(&a, &in);
        if (a.diag.text[0] != '\0')
            must(ERR_INVALID, a.diag.text);
        a.batch.status = OK;
        (void)scrape_append_end(&a);
    }
    report("known", clock_thread_cpu_ns() - start, rounds, lines);
    scrape_append_close(&a);
    scrape_memory_fini(&memory);
}

int main(int argc, char **argv)
{
    uint64_t rounds = 2000;
    size_t lines = 0;
    char folder[] = "/tmp/bench_exposition.XXXXXX";
    struct diag d = {.text = ""};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--om") == 0)
            openmetrics = true;
        else if (strncmp(argv[i], "--rounds=", 9) == 0)
            rounds = strtoull(argv[i] + 9, NULL, 10);
    }
    if (argc < 2 || rounds == 0) {
        (void)fprintf(stderr, "usage: bench_exposition PAGE [--om] [--rounds=2000]\n");
        return 2;
    }
    log_configure(LOG_ERROR, LOG_LOGFMT);
    must(fs_read_file(fs_posix(), argv[1], 1 << 30, &page), argv[1]);
    for (size_t i = 0; i < page.len; i++)
        lines += page.ptr[i] == '\n';
    struct db_options o = db_options_default();
    if (mkdtemp(folder) == NULL)
        must(ERR_IO, folder);
    o.path = folder;
    o.no_background = true;
    must(db_open(&o, &env.db, &d), d.text);
    keyed_hash_init(&env.hash);
    printf("page: %zu bytes, %zu lines\n", page.len, lines);
    parse_all(rounds, lines);
    append_known(rounds, lines);
    db_abandon(env.db);
    buf_fini(&page);
    char command[64];
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}
