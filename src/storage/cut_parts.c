/* cut_parts.c -- time columns are shared, so each is looked at once. */
#include "storage/cut_parts.h"

#include "base/mem.h"
#include "storage/compact.h"

enum { READ_IDS = 512, SEEN = 4096 };

/* ---- Ranges ---- */

static int64_t floor_to(int64_t ts_ms, int64_t width_ms)
{
    int64_t rest = ts_ms % width_ms;
    return ts_ms - (rest < 0 ? rest + width_ms : rest);
}

struct cut_ladder cut_ladder_of(int64_t now_ms, int64_t width_ms_max)
{
    static_assert(COMPACT_STEPS == 4, "as many as the ladder has");
    struct cut_ladder l;
    int64_t since_ms = now_ms;
    for (size_t i = 0; i < COMPACT_STEPS; i++) {
        /* A range of the next width reaches up to here, so it must begin and end on one of its
         * boundaries, which are also boundaries of the narrower. */
        bool last = i + 1 == COMPACT_STEPS;
        int64_t next_ms = COMPACT_WIDTHS_MS[last ? i : i + 1];
        bool too_wide = !last && width_ms_max > 0 && next_ms > width_ms_max;
        l.width_ms[i] = COMPACT_WIDTHS_MS[i];
        since_ms = last || too_wide ? INT64_MIN : floor_to(since_ms - next_ms, next_ms);
        l.since_ms[i] = since_ms;
        if (since_ms == INT64_MIN) {
            for (size_t k = i + 1; k < COMPACT_STEPS; k++) {
                l.since_ms[k] = INT64_MIN;
                l.width_ms[k] = l.width_ms[i];
            }
            break;
        }
    }
    return l;
}

struct cut_range cut_range_of(const struct cut_ladder *l, int64_t ts_ms)
{
    size_t i = 0;
    while (ts_ms < l->since_ms[i])
        i++;
    int64_t start_ms = floor_to(ts_ms, l->width_ms[i]);
    return (struct cut_range){start_ms, start_ms + l->width_ms[i]};
}

/* ---- Discovery ---- */

struct seen { /* a column looked at */
    uint64_t column, mask;
    uint32_t count;
};

struct finder {
    struct cut_parts *p;
    struct head_window *w;
    struct seen *seen;
    int64_t *times;
    size_t times_cap;
};

static uint64_t bit_of(struct cut_parts *p, struct cut_range range)
{
    size_t i = 0;
    while (i < p->count && p->ranges[i].start_ms != range.start_ms)
        i++;
    if (i == p->count) {
        if (p->count == p->cap) {
            p->cap = p->cap == 0 ? 8 : p->cap * 2;
            p->ranges = mem_resize(p->ranges, p->cap, sizeof(*p->ranges));
        }
        p->ranges[p->count++] = range;
    }
    return UINT64_C(1) << MIN(i, (size_t)CUT_PARTS_TRACKED);
}

static uint64_t mask_of_times(struct cut_parts *p, const int64_t *ts_ms, size_t count)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < count;) {
        struct cut_range range = cut_range_of(&p->ladder, ts_ms[i]);
        mask |= bit_of(p, range);
        if (ts_ms[count - 1] < range.end_ms)
            break;
        while (i < count && ts_ms[i] < range.end_ms)
            i++;
    }
    return mask;
}

static uint64_t mask_of_column(struct finder *f, uint64_t column, uint32_t count)
{
    size_t slot = (size_t)((column * UINT64_C(0x9e3779b97f4a7c15) >> 20) + count) % SEEN;
    struct seen *s = &f->seen[slot];
    if (s->count == count && s->column == column)
        return s->mask;
    if (count + HEAD_PAD > f->times_cap) {
        f->times_cap = (size_t)count * 2 + HEAD_PAD;
        f->times = mem_resize(f->times, f->times_cap, sizeof(*f->times));
    }
    head_times(f->w, column, count, f->times);
    *s = (struct seen){column, mask_of_times(f->p, f->times, count), count};
    return s->mask;
}

static uint64_t mask_of_chunk(struct finder *f, const struct head_chunk *c)
{
    uint64_t mask = c->count > 0 ? mask_of_column(f, c->column, c->count) : 0;
    struct cut_range range = {0, 0};
    for (size_t i = 0; i < c->side_count; i++) {
        int64_t ts_ms = c->side[i].ts_ms;
        if (i > 0 && ts_ms < range.end_ms)
            continue;
        range = cut_range_of(&f->p->ladder, ts_ms);
        mask |= bit_of(f->p, range);
    }
    return mask;
}

void cut_parts_init(struct cut_parts *p, struct head_window *w, const struct cut_ladder *ladder,
                    const uint32_t *ids, size_t count)
{
    *p = (struct cut_parts){.ladder = *ladder};
    p->masks = mem_zalloc(count + 1, sizeof(*p->masks));
    struct finder f = {.p = p, .w = w};
    f.seen = mem_zalloc(SEEN, sizeof(*f.seen));
    struct head_copy copy = {0};
    for (size_t i = 0; i < count; i += READ_IDS) {
        size_t n = MIN(count - i, (size_t)READ_IDS);
        head_read(w, ids + i, n, &copy);
        for (size_t k = 0; k < n; k++)
            p->masks[i + k] = mask_of_chunk(&f, &copy.chunks[k]);
    }
    head_copy_fini(&copy);
    mem_free(f.times);
    mem_free(f.seen);
}

void cut_parts_fini(struct cut_parts *p)
{
    mem_free(p->ranges);
    mem_free(p->masks);
    *p = (struct cut_parts){0};
}
