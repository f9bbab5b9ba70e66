/* series_merge.c -- see series_merge.h. */
#include "storage/series_merge.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    FULL_SAMPLES =
        BLOCK_CHUNK_SAMPLES_MAX * 3 / 4, /* chunks of this length are copied as they are */
    HISTOGRAM_BYTES_MAX = 1 << 30,       /* of decoded histograms, for each source */
    PENDING_BYTES_MAX = 16 << 20,        /* of histograms that wait for their chunk */
};

struct stream { /* one source's chunks of the series */
    struct block_cursor *c;
    const struct block_chunk *chunks;
    size_t chunk_count, chunk; /* chunk: index of the current one */
    const struct interval *gone;
    size_t gone_count;
    /* The current chunk, when it had to be decoded; deleted samples are left out. */
    bool decoded;
    size_t pos, count;
    size_t room; /* of the arrays */
    int64_t *ts_ms, *starts;
    double *values;
    struct histogram *histograms;
    struct arena arena; /* of the histograms */
};

struct pending { /* samples on their way into one chunk */
    int64_t ts_ms[BLOCK_CHUNK_SAMPLES_MAX];
    double values[BLOCK_CHUNK_SAMPLES_MAX];
    const struct histogram *histograms[BLOCK_CHUNK_SAMPLES_MAX];
    int64_t starts[BLOCK_CHUNK_SAMPLES_MAX];
    size_t count;
    uint8_t kind;
    bool has_start;
    struct arena arena; /* of the histograms */
};

struct series_merge {
    struct block_writer *w;
    struct stream *streams;
    size_t stream_count;
    size_t *active; /* indexes of streams that have samples left */
    size_t active_count;
    struct pending pending;
};

struct series_merge *series_merge_new(struct block_cursor *const *cursors, size_t source_count,
                                      struct block_writer *w)
{
    struct series_merge *m = mem_zalloc(1, sizeof(*m));
    m->w = w;
    m->streams = mem_zalloc(source_count, sizeof(*m->streams));
    m->stream_count = source_count;
    m->active = mem_resize(NULL, source_count, sizeof(*m->active));
    for (size_t i = 0; i < source_count; i++) {
        m->streams[i].c = cursors[i];
        arena_init(&m->streams[i].arena, HISTOGRAM_BYTES_MAX);
    }
    arena_init(&m->pending.arena, HISTOGRAM_BYTES_MAX);
    return m;
}

void series_merge_free(struct series_merge *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->stream_count; i++) {
        struct stream *s = &m->streams[i];
        mem_free(s->ts_ms);
        mem_free(s->starts);
        mem_free(s->values);
        arena_fini(&s->arena);
    }
    arena_fini(&m->pending.arena);
    mem_free(m->streams);
    mem_free(m->active);
    mem_free(m);
}

void series_merge_add(struct series_merge *m, size_t source, const struct block_chunk *chunks,
                      size_t chunk_count, const struct interval *gone, size_t gone_count)
{
    struct stream *s = &m->streams[source];
    if (chunk_count == 0)
        return;
    s->chunks = chunks;
    s->chunk_count = chunk_count;
    s->chunk = 0;
    s->gone = gone;
    s->gone_count = gone_count;
    s->decoded = false;
    m->active[m->active_count++] = source;
}

/* ---- Streams ---- */

static const struct block_chunk *chunk_of(const struct stream *s)
{
    return &s->chunks[s->chunk];
}

/* Time of the stream's next sample. Requires an active stream. */
static int64_t next_ms(const struct stream *s)
{
    return s->decoded ? s->ts_ms[s->pos] : chunk_of(s)->min_ms;
}

static void reserve(struct stream *s, size_t count)
{
    if (count + CODEC_PAD <= s->room)
        return;
    s->room = count + CODEC_PAD;
    s->ts_ms = mem_resize(s->ts_ms, s->room, sizeof(*s->ts_ms));
    s->starts = mem_resize(s->starts, s->room, sizeof(*s->starts));
    s->values = mem_resize(s->values, s->room, sizeof(*s->values));
}

/* Leave out what is deleted. */
static void drop_gone(struct stream *s, const struct block_chunk *ch)
{
    size_t kept = 0, hint = 0;
    for (size_t i = 0; i < ch->count; i++) {
        if (interval_hides(s->gone, s->gone_count, s->ts_ms[i], &hint))
            continue;
        s->ts_ms[kept] = s->ts_ms[i];
        s->starts[kept] = s->starts[i];
        if (ch->kind == BLOCK_FLOATS)
            s->values[kept] = s->values[i];
        else
            s->histograms[kept] = s->histograms[i];
        kept++;
    }
    s->count = kept;
}

static err decode(struct stream *s, struct diag *d)
{
    const struct block_chunk *ch = chunk_of(s);
    if (s->decoded)
        return OK;
    reserve(s, ch->count);
    TRY(block_read_times(s->c, ch, s->ts_ms, d));
    if (ch->has_start)
        TRY(block_read_starts(s->c, ch, s->starts, d));
    else
        memset(s->starts, 0, ch->count * sizeof(*s->starts));
    arena_reset(&s->arena);
    if (ch->kind == BLOCK_FLOATS)
        TRY(block_read_values(s->c, ch, s->values, d));
    else
        TRY(block_read_histograms(s->c, ch, &s->arena, &s->histograms, d));
    drop_gone(s, ch);
    s->pos = 0;
    s->decoded = true;
    return OK;
}

static bool has_gone(const struct stream *s, const struct block_chunk *ch)
{
    size_t hint = 0;
    while (hint < s->gone_count && s->gone[hint].max_ms < ch->min_ms)
        hint++;
    return hint < s->gone_count && s->gone[hint].min_ms <= ch->max_ms;
}

/* Come to the first sample that is not deleted; *more: there is one. */
static err arrive(struct stream *s, bool *more, struct diag *d)
{
    for (; s->chunk < s->chunk_count; s->chunk++, s->decoded = false) {
        if (!s->decoded && !has_gone(s, chunk_of(s)))
            break;
        TRY(decode(s, d));
        if (s->pos < s->count)
            break;
    }
    *more = s->chunk < s->chunk_count;
    return OK;
}

/* ---- Output ---- */

static err flush(struct series_merge *m)
{
    struct pending *p = &m->pending;
    err e = OK;
    if (p->count == 0)
        return OK;
    const int64_t *starts = p->has_start ? p->starts : NULL;
    if (p->kind == BLOCK_FLOATS)
        e = block_writer_floats(m->w, p->ts_ms, p->values, starts, p->count);
    else
        e = block_writer_histograms(m->w, p->ts_ms, p->histograms, starts, p->count);
    p->count = 0;
    p->has_start = false;
    arena_reset(&p->arena);
    return e;
}

static err put_sample(struct series_merge *m, const struct stream *s, size_t i)
{
    struct pending *p = &m->pending;
    uint8_t kind = chunk_of(s)->kind;
    if (p->count == BLOCK_CHUNK_SAMPLES_MAX || (p->count > 0 && p->kind != kind) ||
        p->arena.used_bytes > PENDING_BYTES_MAX)
        TRY(flush(m));
    p->kind = kind;
    p->ts_ms[p->count] = s->ts_ms[i];
    p->starts[p->count] = s->starts[i];
    p->has_start |= s->starts[i] != 0;
    if (kind == BLOCK_FLOATS) {
        p->values[p->count] = s->values[i];
    } else {
        struct histogram *copy;
        TRY(histogram_copy(&s->histograms[i], &p->arena, &copy));
        p->histograms[p->count] = copy;
    }
    p->count++;
    return OK;
}

static err copy_chunk(struct series_merge *m, struct stream *s, struct diag *d)
{
    const struct block_chunk *ch = chunk_of(s);
    struct block_chunk_copy copy = {.min_ms = ch->min_ms,
                                    .max_ms = ch->max_ms,
                                    .count = ch->count,
                                    .kind = ch->kind,
                                    .has_start = ch->has_start};
    TRY(flush(m));
    TRY(block_chunk_bytes(s->c, ch, &copy.payload, &copy.times, d));
    TRY(block_writer_copy(m->w, &copy));
    s->chunk++;
    return OK;
}

/* ---- Merging ---- */

/* Copying is right for long chunks, and for a short one that has nothing to be joined with. */
static bool may_copy(const struct series_merge *m, const struct stream *s, int64_t limit_ms)
{
    const struct block_chunk *ch = chunk_of(s);
    bool alone = m->active_count == 1 && s->chunk + 1 == s->chunk_count && m->pending.count == 0;
    return !s->decoded && ch->max_ms < limit_ms && (ch->count >= FULL_SAMPLES || alone);
}

/* Write the stream's samples before `limit_ms`. */
static err put_run(struct series_merge *m, struct stream *s, int64_t limit_ms, struct diag *d)
{
    if (may_copy(m, s, limit_ms))
        return copy_chunk(m, s, d);
    TRY(decode(s, d));
    while (s->pos < s->count && s->ts_ms[s->pos] < limit_ms)
        TRY(put_sample(m, s, s->pos++));
    return OK;
}

/* The active stream (its place in the list) whose next sample comes first; of equals the latest
 * source. `limit_ms`: when the next of the others comes. */
static size_t first_stream(const struct series_merge *m, int64_t *limit_ms)
{
    size_t best = 0;
    int64_t best_ms = next_ms(&m->streams[m->active[0]]);
    *limit_ms = INT64_MAX;
    for (size_t i = 1; i < m->active_count; i++) {
        int64_t ms = next_ms(&m->streams[m->active[i]]);
        if (ms < best_ms || (ms == best_ms && m->active[i] > m->active[best])) {
            *limit_ms = best_ms;
            best_ms = ms;
            best = i;
        } else if (ms < *limit_ms) {
            *limit_ms = ms;
        }
    }
    return best;
}

/* The active stream at `i` has moved: it stands at its next sample, or is no longer active. */
static err settle(struct series_merge *m, size_t i, struct diag *d)
{
    bool more;
    TRY(arrive(&m->streams[m->active[i]], &more, d));
    if (!more)
        m->active[i] = m->active[--m->active_count];
    return OK;
}

/* Streams but `best` skip the sample of time `ms`: a later source has it too. */
static err skip_others(struct series_merge *m, size_t best, int64_t ms, struct diag *d)
{
    size_t winner = m->active[best];
    for (size_t i = m->active_count; i-- > 0;) {
        struct stream *s = &m->streams[m->active[i]];
        if (m->active[i] == winner || next_ms(s) != ms)
            continue;
        TRY(decode(s, d));
        s->pos++;
        TRY(settle(m, i, d));
    }
    return OK;
}

static err merge_step(struct series_merge *m, struct diag *d)
{
    int64_t limit_ms;
    size_t best = first_stream(m, &limit_ms);
    struct stream *s = &m->streams[m->active[best]];
    if (m->active_count > 1 && next_ms(s) == limit_ms)
        return skip_others(m, best, limit_ms, d);
    TRY(put_run(m, s, limit_ms, d));
    return settle(m, best, d);
}

err series_merge_run(struct series_merge *m, struct diag *d)
{
    err e = OK;
    for (size_t i = m->active_count; i-- > 0 && e == OK;)
        e = settle(m, i, d);
    while (m->active_count > 0 && e == OK)
        e = merge_step(m, d);
    if (e == OK)
        e = flush(m);
    m->active_count = 0;
    m->pending.count = 0;
    return e;
}
