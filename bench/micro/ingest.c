/* ingest.c -- the way of a known series' sample through remote write 1.0, without HTTP: requests
 * are built first, then taken in by the real receiver and store, whole and stage by stage.
 *
 *   bench_ingest DIR [--series=10000] [--rounds=10] [--per-request=2000]
 * [--recall=BYTES] [--bodies=FOLDER [--warm=8]]
 *
 * DIR is made and removed. --bodies replays captured requests (one compressed body a file, in the
 * order of their names; the first --warm of them make the series). Prints nanoseconds of CPU a
 * sample; run by bench/instructions.sh it tells instructions: every measured part is a dump of
 * callgrind named like the part. Commits run on the calling thread. */
#include <dirent.h>
#include <inttypes.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

#include "base/clock.h"
#include "base/log.h"
#include "cli/flags.h"
#include "ingest/rw_priv.h"
#include "ingest/snappy.h"
#include "storage/committer_priv.h"
#include "storage/db_record.h"
#include "workload.h"

static struct workload load = {.rounds = 10, .interval_ms = 15000};
static uint64_t series_count = 10000, per_request = 2000, warm = 8, recall = RECALL_BYTES_MAX;
static const char *bodies_dir = NULL;

struct part { /* one request on its way */
    struct buf body;
    struct remote_write w;
    uint8_t *verdicts;
};

struct bench {
    struct db *db;
    struct receiver *receiver;
    struct part *parts; /* the warm-up's first */
    size_t count, warm;
    uint64_t start_ns;
};

static void must(err e, const struct diag *d)
{
    if (e == OK)
        return;
    (void)fprintf(stderr, "bench_ingest: %s %s\n", err_name(e), d != NULL ? d->text : "");
    exit(1);
}

/* ---- Requests ---- */

static struct part *add_part(struct bench *b)
{
    b->parts = mem_resize(b->parts, b->count + 1, sizeof(*b->parts));
    struct part *p = &b->parts[b->count++];
    memset(p, 0, sizeof(*p));
    return p;
}

/* Rounds 0 and 1 make the series and leave the first samples' special ways behind. */
static void generate(struct bench *b)
{
    uint64_t request_count = (series_count + per_request - 1) / per_request;
    struct request *requests = mem_zalloc(request_count, sizeof(*requests));
    load.end_ms = clock_wall_ms();
    load.rounds += 2;
    for (uint64_t i = 0; i < request_count; i++)
        make_request(&load, &requests[i], i * per_request,
                     (unsigned)MIN(per_request, series_count - i * per_request));
    for (uint64_t k = 0; k < load.rounds; k++) {
        for (uint64_t i = 0; i < request_count; i++) {
            fill_request(&load, &requests[i], k);
            snappy_encode(buf_slice(&requests[i].raw), &add_part(b)->body);
        }
    }
    b->warm = (size_t)request_count * 2;
}

static int by_name(const struct dirent **x, const struct dirent **y)
{
    return strcmp((*x)->d_name, (*y)->d_name);
}

static void read_bodies(struct bench *b)
{
    struct dirent **names;
    int n = scandir(bodies_dir, &names, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char path[4096];
        uint8_t piece[65536];
        size_t size;
        if (names[i]->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", bodies_dir, names[i]->d_name);
        FILE *f = fopen(path, "rb");
        struct part *p = add_part(b);
        while (f != NULL && (size = fread(piece, 1, sizeof(piece), f)) > 0)
            buf_put(&p->body, piece, size);
        if (f != NULL)
            (void)fclose(f);
    }
    b->warm = warm;
}

/* ---- Measuring ---- */

static void begin(struct bench *b)
{
    b->start_ns = clock_thread_cpu_ns();
    CALLGRIND_ZERO_STATS;
}

#define END(b, name, samples)                                                                      \
    do {                                                                                           \
        CALLGRIND_DUMP_STATS_AT(name);                                                             \
        double ns = (double)(clock_thread_cpu_ns() - (b)->start_ns) / (double)(samples);           \
        printf("%-8s %8zu samples %7.1f ns\n", name, (size_t)(samples), ns);                       \
    } while (0)

static void done(void *arg)
{
    *(bool *)arg = true;
}

/* One request as the server takes it in; returns its samples. */
static size_t take_in(struct bench *b, struct part *p)
{
    struct remote_write *w;
    struct remote_write_reply reply;
    bool finished = false;
    remote_write_begin(b->receiver, STR("application/x-protobuf"), STR("snappy"),
                       buf_slice(&p->body), done, &finished, &w);
    size_t rows = w->row_count;
    err e = remote_write_finish(w, &reply);
    if (!finished || e != OK || reply.status != 204) {
        (void)fprintf(stderr, "bench_ingest: status %u: %s\n", reply.status, buf_cstr(&reply.text));
        exit(1);
    }
    return rows;
}

static void whole(struct bench *b)
{
    size_t samples = 0, half = b->warm + (b->count - b->warm) / 2;
    for (size_t i = 0; i < b->warm; i++)
        (void)take_in(b, &b->parts[i]);
    begin(b);
    for (size_t i = b->warm; i < half; i++)
        samples += take_in(b, &b->parts[i]);
    END(b, "whole", samples);
    b->warm = half;
}

static void decode_all(struct bench *b, size_t *samples)
{
    struct diag d = {.text = ""};
    for (size_t i = b->warm; i < b->count; i++) {
        struct remote_write *w = &b->parts[i].w;
        must(rw_v1_decode(w, &d), &d);
        *samples += w->row_count;
    }
}

static void resolve_all(struct bench *b)
{
    struct diag d = {.text = ""};
    for (size_t i = b->warm; i < b->count; i++)
        must(rw_resolve(&b->parts[i].w, &d), &d);
}

static void commit_all(struct bench *b, size_t samples)
{
    struct db *db = b->db;
    struct committer *c = db->committer;
    struct admission_rules rules = {.min_ms = 0, .max_ms = INT64_MAX, .log_mark = c->mark};
    struct admission_counts counts = {0};
    must(wal_begin(db->wal), NULL);
    for (size_t i = b->warm; i < b->count; i++) {
        struct part *p = &b->parts[i];
        p->verdicts = mem_zalloc(p->w.row_count + 1, 1);
    }
    begin(b);
    for (size_t i = b->warm; i < b->count; i++) {
        struct part *p = &b->parts[i];
        admission_check(c->admission, p->w.rows, p->w.row_count, &rules, p->verdicts, &counts);
        admission_accept(c->admission);
    }
    END(b, "admit", samples);
    begin(b);
    for (size_t i = b->warm; i < b->count; i++) {
        struct part *p = &b->parts[i];
        struct buf *record = wal_record_begin(db->wal, RECORD_TYPE);
        record_begin(record);
        record_put_rows(record, p->w.rows, NULL, NULL, p->w.row_count);
        must(wal_record_end(db->wal), NULL);
    }
    must(wal_commit(db->wal, NULL), NULL);
    END(b, "log", samples);
    struct view *v = view_get(db);
    begin(b);
    for (size_t i = b->warm; i < b->count; i++) {
        struct part *p = &b->parts[i];
        head_apply(v->windows[v->window_count - 1]->head, p->w.rows, NULL, NULL, p->w.row_count,
                   HEAD_SHARDS_ALL);
    }
    END(b, "apply", samples);
    view_put(v);
    if (counts.of[ADMIT_OK] != samples)
        printf("only %zu samples are in order\n", counts.of[ADMIT_OK]);
}

static void stages(struct bench *b)
{
    size_t samples = 0;
    struct diag d = {.text = ""};
    for (size_t i = b->warm; i < b->count; i++) {
        struct part *p = &b->parts[i];
        p->w.receiver = b->receiver;
        arena_init(&p->w.arena, RW_ARENA_BYTES_MAX);
        memset(buf_reserve(&p->w.decoded, 1 << 20), 0, 1 << 20);
        while (p->w.item_cap < 4096) /* kept from request to request in the server */
            (void)rw_grow_items(&p->w);
        while (p->w.row_cap < 4096)
            (void)rw_grow_rows(&p->w);
    }
    begin(b);
    for (size_t i = b->warm; i < b->count; i++)
        must(snappy_decode(buf_slice(&b->parts[i].body), 32 << 20, &b->parts[i].w.decoded, &d), &d);
    CALLGRIND_DUMP_STATS_AT("snappy");
    double snappy_ns = (double)(clock_thread_cpu_ns() - b->start_ns);
    begin(b);
    decode_all(b, &samples);
    END(b, "walk", samples);
    printf("%-8s %8zu samples %7.1f ns\n", "snappy", samples, snappy_ns / (double)samples);
    begin(b);
    resolve_all(b);
    END(b, "resolve", samples);
    commit_all(b, samples);
}

int main(int argc, char **argv)
{
    struct flag flags[] = {
        {"series", "count", "Active series.", FLAG_COUNT, &series_count, false},
        {"rounds", "count", "Samples per series.", FLAG_COUNT, &load.rounds, false},
        {"per-request", "count", "Series a request.", FLAG_COUNT, &per_request, false},
        {"recall", "bytes", "Memory for labels that are repeated.", FLAG_COUNT, &recall, false},
        {"bodies", "folder", "Captured requests.", FLAG_TEXT, &bodies_dir, false},
        {"warm", "count", "Captured requests that make series.", FLAG_COUNT, &warm, false},
    };
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int rest_count;
    struct diag d = {.text = ""};
    err e = flags_parse(flags, COUNT_OF(flags), argc - 1, argv + 1, rest, &rest_count, &d);
    if (e != OK || rest_count != 1 || per_request == 0) {
        (void)fprintf(stderr, "bench_ingest DIR: %s\n", d.text);
        flags_help(flags, COUNT_OF(flags), stderr);
        return 2;
    }
    struct bench b = {0};
    struct db_options o = db_options_default();
    log_configure(LOG_WARN, LOG_LOGFMT);
    o.path = rest[0];
    o.no_background = true;
    o.sync = DB_SYNC_OFF; /* the time of the processor is asked for, not the disk's */
    must(db_open(&o, &b.db, &d), &d);
    struct receiver_options ro = receiver_options_default(b.db);
    ro.recall_bytes_max = recall;
    must(receiver_open(&ro, &b.receiver), NULL);
    if (bodies_dir != NULL)
        read_bodies(&b);
    else
        generate(&b);
    whole(&b);
    stages(&b);
    db_abandon(b.db);
    must(fs_remove_tree(fs_posix(), rest[0]), NULL);
    return 0;
}
