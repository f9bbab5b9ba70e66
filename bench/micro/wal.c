/* wal.c -- how fast the write-ahead log commits and replays on real files.
 * Usage: bench_wal [DIR [MEGABYTES [read-ahead]]]. Writes MEGABYTES in groups of 64 KiB records
 * without syncs, replays them twice, then measures synced commits of several sizes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/wal.h"

enum { RECORD_SIZE = 64 << 10, RECORDS_PER_GROUP = 4, COMMITS = 500 };

static err count(void *arg, uint8_t type, slice payload, uint64_t seq)
{
    uint64_t *bytes = arg;
    (void)type, (void)seq;
    *bytes += payload.len;
    return OK;
}

static void must(err e, const char *what)
{
    if (e != OK) {
        (void)fprintf(stderr, "%s: %s\n", what, err_name(e));
        exit(1);
    }
}

static double seconds_since(uint64_t start)
{
    return (double)(clock_mono_ns() - start) / 1e9;
}

static void fill(struct wal *w, const uint8_t *bytes, uint64_t size)
{
    uint64_t start = clock_mono_ns();
    for (uint64_t done = 0; done < size;) {
        must(wal_begin(w), "begin");
        for (int i = 0; i < RECORDS_PER_GROUP; i++, done += RECORD_SIZE)
            must(wal_append(w, 1, (slice){bytes + done % 4096, RECORD_SIZE}), "append");
        must(wal_commit(w, NULL), "commit");
        wal_tick(w);
    }
    printf("write (no sync)   %7.0f MB/s\n", (double)size / 1e6 / seconds_since(start));
}

static void replay(const char *dir, const struct wal_options *options)
{
    uint64_t bytes = 0, start = clock_mono_ns(), cpu = clock_thread_cpu_ns();
    struct wal_replay callbacks = {.arg = &bytes, .record = count};
    struct wal *w;
    must(wal_open(fs_posix(), dir, options, &callbacks, &w), "open");
    double s = seconds_since(start);
    printf("replay            %7.0f MB/s, %.3f s for %.0f MB, %.3f s of this thread's CPU\n",
           (double)bytes / 1e6 / s, s, (double)bytes / 1e6,
           (double)(clock_thread_cpu_ns() - cpu) / 1e9);
    must(wal_close(w), "close");
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void commits(struct wal *w, const uint8_t *bytes, size_t size)
{
    static uint64_t ns[COMMITS];
    for (int i = 0; i < COMMITS; i++) {
        uint64_t start = clock_mono_ns();
        must(wal_begin(w), "begin");
        must(wal_append(w, 1, (slice){bytes, size}), "append");
        must(wal_commit(w, NULL), "commit");
        ns[i] = clock_mono_ns() - start;
        wal_tick(w);
    }
    qsort(ns, COMMITS, sizeof(ns[0]), compare);
    printf("commit %7zu B  p50 %6.0f us  p99 %6.0f us\n", size, (double)ns[COMMITS / 2] / 1e3,
           (double)ns[COMMITS * 99 / 100] / 1e3);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "/tmp/varve-bench-wal";
    uint64_t size = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1200) * 1000000;
    struct wal_options options = {.sync = WAL_SYNC_OFF, .read_ahead = argc > 3};
    uint8_t *bytes = mem_alloc(1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    struct wal *w;
    must(wal_open(fs_posix(), dir, &options, NULL, &w), "open");
    fill(w, bytes, size);
    must(wal_close(w), "close");
    replay(dir, &options);
    replay(dir, &options);
    options.sync = WAL_SYNC_ACK;
    must(wal_open(fs_posix(), dir, &options, NULL, &w), "open");
    for (size_t n = 512; n <= 1 << 20; n *= 8)
        commits(w, bytes, n);
    must(wal_close(w), "close");
    must(fs_remove_tree(fs_posix(), dir), "remove");
    mem_free(bytes);
    return 0;
}
