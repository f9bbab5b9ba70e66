/* replay_batch.c -- for each 1024 neighbouring series ("group") a chain of pieces: where values
 * were copied to, or a histogram. */
#include "storage/replay_batch.h"

#include <assert.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/pages.h"
#include "storage/registry.h"

enum {
    GROUP_BITS = 10, /* series whose lines and tails, 128 KB, a processor's own cache holds */
    GROUP = 1 << GROUP_BITS,
    GROUPS_MAX = REGISTRY_IDS_MAX >> GROUP_BITS,
    LINK_PIECES = 15, /* makes 512 bytes */
    LINK_ROWS = 128,  /* there is a link for so many rows */
    ROWS_MIN = 16384,
    HISTOGRAMS_MAX = 65536, /* 2.5 MB, without the histograms themselves */
    RUNS = 64,              /* handed over at once */
};
static_assert((int)GROUP_BITS <= (int)HEAD_SHARD_BLOCK_BITS, "a group is of one shard");

struct piece {
    int64_t ts_ms, start_ts_ms;
    uint32_t series, count; /* count 0: a histogram */
    uint32_t at;            /* of the first value, or the histogram */
    uint32_t unused;
};

struct link {
    uint32_t next; /* its number + 1; 0: the last one */
    uint32_t count;
    struct piece pieces[LINK_PIECES];
};

struct group {
    uint32_t first, last; /* link + 1; 0: the batch has nothing of these series */
    uint32_t next;        /* group of the same shard + 1, in order of appearance */
};

struct histogram_row {
    struct db_row row;
    int64_t start_ts_ms;
};

struct replay_batch {
    uint8_t *values; /* 8 bytes each */
    struct link *links;
    struct group *groups;
    struct histogram_row *histograms;
    uint32_t value_count, link_count, histogram_count;
    uint32_t value_max, link_max;
    uint32_t shard_first[HEAD_SHARDS], shard_last[HEAD_SHARDS]; /* group + 1 */
    struct arena arena;
};

enum {
    GROUPS_SIZE = GROUPS_MAX * (int)sizeof(struct group),
    HISTOGRAMS_SIZE = HISTOGRAMS_MAX * (int)sizeof(struct histogram_row),
};

struct replay_batch *replay_batch_new(size_t row_max, size_t histogram_bytes_max)
{
    struct replay_batch *b = mem_zalloc(1, sizeof(*b));
    row_max = MIN(MAX(row_max, (size_t)ROWS_MIN), (size_t)REPLAY_BATCH_ROWS_MAX);
    b->value_max = (uint32_t)row_max;
    b->link_max = b->value_max / LINK_ROWS;
    /* Small pages: a small log touches few of them. */
    b->values = pages_reserve((size_t)b->value_max * 8);
    b->links = pages_reserve(b->link_max * sizeof(struct link));
    b->groups = pages_reserve(GROUPS_SIZE);
    b->histograms = pages_reserve(HISTOGRAMS_SIZE);
    arena_init(&b->arena, histogram_bytes_max);
    return b;
}

void replay_batch_free(struct replay_batch *b)
{
    if (b == NULL)
        return;
    pages_unmap(b->values, (size_t)b->value_max * 8);
    pages_unmap(b->links, b->link_max * sizeof(struct link));
    pages_unmap(b->groups, GROUPS_SIZE);
    pages_unmap(b->histograms, HISTOGRAMS_SIZE);
    arena_fini(&b->arena);
    mem_free(b);
}

void replay_batch_clear(struct replay_batch *b)
{
    for (unsigned i = 0; i < HEAD_SHARDS; i++) {
        for (uint32_t g = b->shard_first[i], next; g != 0; g = next) {
            next = b->groups[g - 1].next;
            b->groups[g - 1] = (struct group){0, 0, 0};
        }
        b->shard_first[i] = b->shard_last[i] = 0;
    }
    b->value_count = b->link_count = b->histogram_count = 0;
    arena_reset(&b->arena);
}

size_t replay_batch_rows(const struct replay_batch *b)
{
    return (size_t)b->value_count + b->histogram_count;
}

struct arena *replay_batch_arena(struct replay_batch *b)
{
    return &b->arena;
}

/* ---- Adding ---- */

/* Enter a group into the list of its shard. */
static void group_begin(struct replay_batch *b, uint32_t group)
{
    unsigned shard = head_shard_of(group << GROUP_BITS);
    uint32_t *end = b->shard_last[shard] == 0 ? &b->shard_first[shard]
                                              : &b->groups[b->shard_last[shard] - 1].next;
    *end = b->shard_last[shard] = group + 1;
}

/* Room for a piece behind those of the series' group; NULL: the batch is full. */
static struct piece *piece_new(struct replay_batch *b, uint32_t series)
{
    struct group *g = &b->groups[series >> GROUP_BITS];
    struct link *last = g->last != 0 ? &b->links[g->last - 1] : NULL;
    if (last != NULL && last->count < LINK_PIECES)
        return &last->pieces[last->count++];
    if (b->link_count == b->link_max)
        return NULL;
    struct link *fresh = &b->links[b->link_count++];
    fresh->next = 0;
    fresh->count = 1;
    if (last != NULL) {
        last->next = b->link_count;
    } else {
        g->first = b->link_count;
        group_begin(b, series >> GROUP_BITS);
    }
    g->last = b->link_count;
    return &fresh->pieces[0];
}

uint32_t replay_batch_add(struct replay_batch *b, const struct head_run *run)
{
    uint32_t done = 0, count = MIN(run->count, b->value_max - b->value_count), n;
    memcpy(b->values + (size_t)b->value_count * 8, run->values, (size_t)count * 8);
    for (; done < count; done += n, b->value_count += n) {
        uint32_t series = run->series + done;
        struct piece *p = piece_new(b, series);
        if (p == NULL)
            break;
        n = MIN(count - done, GROUP - (series & (GROUP - 1)));
        *p = (struct piece){.ts_ms = run->ts_ms,
                            .start_ts_ms = run->start_ts_ms,
                            .series = series,
                            .count = n,
                            .at = b->value_count};
    }
    return done;
}

bool replay_batch_is_full(const struct replay_batch *b)
{
    return b->value_count == b->value_max || b->link_count == b->link_max ||
           b->histogram_count == HISTOGRAMS_MAX;
}

void replay_batch_add_histogram(struct replay_batch *b, const struct db_row *row,
                                int64_t start_ts_ms)
{
    ASSERT(!replay_batch_is_full(b));
    *piece_new(b, row->series) = (struct piece){.series = row->series, .at = b->histogram_count};
    b->histograms[b->histogram_count++] = (struct histogram_row){*row, start_ts_ms};
}

/* ---- Applying ---- */

static void apply_histogram(const struct replay_batch *b, struct head_window *w, uint32_t at)
{
    const struct histogram_row *h = &b->histograms[at];
    head_apply(w, &h->row, &h->start_ts_ms, NULL, 1, HEAD_SHARDS_ALL);
}

static void apply_group(const struct replay_batch *b, struct head_window *w, const struct group *g)
{
    struct head_run runs[RUNS];
    size_t count = 0;
    for (uint32_t l = g->first; l != 0; l = b->links[l - 1].next) {
        const struct link *link = &b->links[l - 1];
        for (uint32_t i = 0; i < link->count; i++) {
            const struct piece *p = &link->pieces[i];
            if (p->count > 0)
                runs[count++] = (struct head_run){p->series, p->count, p->ts_ms, p->start_ts_ms,
                                                  b->values + (size_t)p->at * 8};
            if (p->count == 0 || count == RUNS) {
                head_apply_runs(w, runs, count);
                count = 0;
            }
            if (p->count == 0)
                apply_histogram(b, w, p->at);
        }
    }
    head_apply_runs(w, runs, count);
}

void replay_batch_apply(const struct replay_batch *b, struct head_window *w, unsigned shard)
{
    for (uint32_t g = b->shard_first[shard]; g != 0; g = b->groups[g - 1].next)
        apply_group(b, w, &b->groups[g - 1]);
}
