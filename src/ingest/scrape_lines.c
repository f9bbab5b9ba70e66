#include "ingest/scrape_lines.h"

#include <string.h>

#include "base/mem.h"

enum {
    SLOTS_MIN = 16,
    GONE_MIN = 64, /* lines that are gone before the table is worth packing */
    GROWTH_SLACK =
        1000, /* lines that failed scrapes may add beyond twice the good ones (upstream's) */
};

void scrape_lines_init(struct scrape_lines *t)
{
    *t = (struct scrape_lines){.salt = {hash_random_seed(), hash_random_seed()}};
}

void scrape_lines_fini(struct scrape_lines *t)
{
    mem_free(t->items);
    mem_free(t->slots);
    *t = (struct scrape_lines){.count = 0};
}

void scrape_lines_begin(struct scrape_lines *t)
{
    t->pass++;
    t->cursor = 0;
}

/* ---- The table ---- */

static uint32_t slot_of(const struct scrape_lines *t, hash128 key)
{
    return (uint32_t)key.lo & t->slot_mask;
}

uint32_t scrape_lines_find_slow(struct scrape_lines *t, hash128 key)
{
    if (t->slots == NULL)
        return LINE_NONE;
    for (uint32_t s = slot_of(t, key); t->slots[s] != 0; s = (s + 1) & t->slot_mask) {
        uint32_t i = t->slots[s] - 1;
        if (hash128_eq(t->items[i].key, key)) {
            t->cursor = i + 1;
            return i;
        }
    }
    return LINE_NONE;
}

static void put_slot(struct scrape_lines *t, uint32_t i)
{
    uint32_t s = slot_of(t, t->items[i].key);
    while (t->slots[s] != 0)
        s = (s + 1) & t->slot_mask;
    t->slots[s] = i + 1;
}

/* Slots for `room` lines, at most three quarters full. */
static void rebuild(struct scrape_lines *t, uint32_t room)
{
    uint32_t slots = SLOTS_MIN;
    while (slots / 4 * 3 < room)
        slots *= 2;
    mem_free(t->slots);
    t->slots = mem_zalloc(slots, sizeof(*t->slots));
    t->slot_mask = slots - 1;
    for (uint32_t i = 0; i < t->count; i++)
        put_slot(t, i);
}

uint32_t scrape_lines_add(struct scrape_lines *t, hash128 key, enum scrape_line_kind kind)
{
    if (t->count == t->cap) {
        t->cap = t->cap < 16 ? 16 : t->cap + t->cap / 2;
        t->items = mem_resize(t->items, t->cap, sizeof(*t->items));
    }
    if (t->slots == NULL || t->count + 1 > (t->slot_mask + 1) / 4 * 3)
        rebuild(t, t->count + 1);
    uint32_t i = t->count++;
    t->items[i] = (struct scrape_line){
        .key = key, .series = SERIES_NONE, .pass = t->pass, .kind = (uint8_t)kind};
    put_slot(t, i);
    t->cursor = i + 1;
    return i;
}

/* ---- The store's series ---- */

uint32_t scrape_lines_refresh(struct scrape_lines *t, struct db *db)
{
    uint32_t epoch = db_resolve(db, NULL, 0, NULL);
    if (epoch == t->epoch || t->count == 0) {
        t->epoch = epoch;
        return epoch;
    }
    hash128 *aliases = mem_zalloc(t->count, sizeof(*aliases));
    uint32_t *series = mem_zalloc(t->count, sizeof(*series));
    for (uint32_t i = 0; i < t->count; i++)
        aliases[i] = scrape_lines_alias(t, t->items[i].key);
    t->epoch = db_resolve(db, aliases, t->count, series);
    for (uint32_t i = 0; i < t->count; i++) {
        struct scrape_line *l = &t->items[i];
        if (l->kind == LINE_SERIES || l->kind == LINE_REPORT)
            l->series = series[i];
    }
    mem_free(aliases);
    mem_free(series);
    return t->epoch;
}

/* ---- The end of a pass ---- */

static bool leaves(const struct scrape_line *l)
{
    return l->kind == LINE_UNKNOWN || (l->gone && l->kind != LINE_REPORT);
}

static void pack(struct scrape_lines *t)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (!leaves(&t->items[i]))
            t->items[kept++] = t->items[i];
    t->count = kept;
    if (t->cap > kept * 2 && t->cap > 64) {
        t->cap = kept + kept / 4 + 1;
        t->items = mem_resize(t->items, t->cap, sizeof(*t->items));
    }
    rebuild(t, kept + 1);
}

static void end_line(const struct scrape_lines *t, struct scrape_line *l, bool good)
{
    bool seen = l->pass == t->pass;
    l->tracked = seen && l->tracking;
    l->tracking = false;
    if (good && !seen)
        l->gone = true;
    if (l->kind == LINE_METADATA && !seen)
        l->kind = LINE_UNKNOWN; /* its family may leave */
}

bool scrape_lines_end(struct scrape_lines *t, bool good)
{
    uint32_t leaving = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        end_line(t, &t->items[i], good);
        leaving += leaves(&t->items[i]);
    }
    bool flush = !good && t->count > t->good_count * 2 + GROWTH_SLACK;
    if (flush)
        for (uint32_t i = 0; i < t->count; i++)
            t->items[i].gone |= t->items[i].pass != t->pass;
    if (flush || leaving > MAX(t->count / 4, (uint32_t)GONE_MIN))
        pack(t);
    if (good)
        t->good_count = t->count;
    return flush;
}

size_t scrape_lines_bytes(const struct scrape_lines *t)
{
    return t->cap * sizeof(*t->items) +
           (t->slots != NULL ? (t->slot_mask + 1) * sizeof(*t->slots) : 0);
}
