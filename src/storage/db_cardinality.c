/* db_cardinality.c -- what series of any time range consist of. A selection finds each series once,
 * in whatever head windows and blocks it has samples; its pairs of names and values are counted by
 * the numbers its source has for them, and only distinct pairs are looked at as text. */
#include "base/mem.h"
#include "storage/heaviest.h"
#include "storage/selection_priv.h"

enum { CHECK_EVERY = 4096 }; /* series between looks at the clock */

/* ---- Counts by text ---- */

struct cell {
    str name, value;
    uint64_t hash, series;
};

struct tally { /* open addressing over cells; strings are borrowed or in the arena */
    struct cell *cells;
    size_t count, cap;
    uint32_t *slots; /* cell + 1 */
    size_t mask;     /* slots are mask + 1 */
};

static void tally_fini(struct tally *t)
{
    mem_free(t->cells);
    mem_free(t->slots);
}

static size_t tally_place(const struct tally *t, uint64_t hash, str name, str value)
{
    size_t i = hash & t->mask;
    for (;; i = (i + 1) & t->mask) {
        if (t->slots[i] == 0)
            return i;
        const struct cell *c = &t->cells[t->slots[i] - 1];
        if (c->hash == hash && str_eq(c->value, value) && str_eq(c->name, name))
            return i;
    }
}

static void tally_grow(struct tally *t)
{
    t->cap = t->cap > 0 ? 2 * t->cap : 1024;
    t->mask = 2 * t->cap - 1;
    t->cells = mem_resize(t->cells, t->cap, sizeof(*t->cells));
    mem_free(t->slots);
    t->slots = mem_zalloc(t->mask + 1, sizeof(*t->slots));
    for (size_t k = 0; k < t->count; k++) {
        size_t i = t->cells[k].hash & t->mask;
        while (t->slots[i] != 0)
            i = (i + 1) & t->mask;
        t->slots[i] = (uint32_t)k + 1;
    }
}

static struct cell *tally_add(struct tally *t, str name, str value, uint64_t series)
{
    if (t->count == t->cap)
        tally_grow(t);
    uint64_t hash = hash64(str_bytes(value), hash64(str_bytes(name), 0));
    size_t i = tally_place(t, hash, name, value);
    if (t->slots[i] == 0) {
        t->cells[t->count] = (struct cell){name, value, hash, 0};
        t->slots[i] = (uint32_t)++t->count;
    }
    struct cell *c = &t->cells[t->slots[i] - 1];
    c->series += series;
    return c;
}

/* ---- Counts by a block's symbols ---- */

struct symbol_count {
    uint32_t name, value, count; /* count 0: free */
};

struct symbol_counts { /* of one block */
    struct symbol_count *slots;
    size_t count, mask;
};

static struct symbol_count *symbol_place(const struct symbol_counts *t, uint32_t name,
                                         uint32_t value)
{
    uint64_t mixed = ((uint64_t)name << 32 | value) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (mixed >> 32) & t->mask;
    while (t->slots[i].count > 0 && (t->slots[i].name != name || t->slots[i].value != value))
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

static void symbols_grow(struct symbol_counts *t)
{
    struct symbol_counts old = *t;
    size_t cap = old.slots != NULL ? old.mask + 1 : 0;
    t->mask = cap > 0 ? 2 * cap - 1 : 4095;
    t->slots = mem_zalloc(t->mask + 1, sizeof(*t->slots));
    for (size_t i = 0; i < cap; i++)
        if (old.slots[i].count > 0)
            *symbol_place(t, old.slots[i].name, old.slots[i].value) = old.slots[i];
    mem_free(old.slots);
}

static void symbols_add(struct symbol_counts *t, uint32_t name, uint32_t value)
{
    if (t->slots == NULL || 2 * t->count > t->mask)
        symbols_grow(t);
    struct symbol_count *c = symbol_place(t, name, value);
    t->count += c->count == 0;
    *c = (struct symbol_count){name, value, c->count + 1};
}

/* ---- A selection ---- */

struct census {
    struct db *db;
    const struct db_cardinality_args *args;
    const struct db_select_args *select; /* the one at hand */
    struct arena *a;                     /* for texts that outlive their selection */
    struct diag *d;
    struct tally pairs;
    uint64_t series;
    hash128 *seen; /* with several selections: what was counted already; open addressing */
    size_t seen_count, seen_mask;
};

static void seen_grow(struct census *c)
{
    hash128 *old = c->seen;
    size_t cap = old != NULL ? c->seen_mask + 1 : 0;
    c->seen_mask = cap > 0 ? 2 * cap - 1 : 4095;
    c->seen = mem_zalloc(c->seen_mask + 1, sizeof(*c->seen));
    for (size_t k = 0; k < cap; k++) {
        if (old[k].lo == 0 && old[k].hi == 0)
            continue;
        size_t i = old[k].lo & c->seen_mask;
        while (c->seen[i].lo != 0 || c->seen[i].hi != 0)
            i = (i + 1) & c->seen_mask;
        c->seen[i] = old[k];
    }
    mem_free(old);
}

/* Is the series counted now for the first time? */
static bool is_new(struct census *c, hash128 h)
{
    if (c->args->select_count < 2)
        return true;
    if (c->seen == NULL || 2 * c->seen_count > c->seen_mask)
        seen_grow(c);
    h.lo |= h.hi == 0 && h.lo == 0; /* a slot of zeros is free */
    size_t i = h.lo & c->seen_mask;
    for (; c->seen[i].lo != 0 || c->seen[i].hi != 0; i = (i + 1) & c->seen_mask)
        if (hash128_eq(c->seen[i], h))
            return false;
    c->seen[i] = h;
    c->seen_count++;
    return true;
}

struct counters {    /* of one selection */
    uint32_t *heads; /* by pair of the registry */
    size_t head_count;
    struct symbol_counts *blocks; /* by source */
};

static err count_one(struct census *c, struct selection *s, const struct select_series *sel,
                     struct counters *n)
{
    const struct select_part *part = &s->parts[sel->last];
    const struct select_source *src = &s->sources[part->source];
    if (src->window != NULL) {
        struct registry_pairs p = registry_pairs_of(c->db->registry, part->id);
        for (size_t k = 0; k < p.count; k++)
            n->heads[p.ids[k]]++;
        return OK;
    }
    struct block_series series;
    TRY(block_series_read(src->cursor, part->id, s->min_ms, s->max_ms, &series, c->d));
    for (size_t k = 0; k < series.pair_count; k++)
        symbols_add(&n->blocks[part->source], series.pairs[2 * k], series.pairs[2 * k + 1]);
    return OK;
}

static err count_all(struct census *c, struct selection *s, struct counters *n)
{
    for (size_t i = 0; i < s->series_count; i++) {
        if (i % CHECK_EVERY == 0)
            TRY(select_check(c->select));
        if (!is_new(c, s->series[i].hash))
            continue;
        c->series++;
        TRY(count_one(c, s, &s->series[i], n));
    }
    return OK;
}

/* Strings of registry and blocks end with the selection. */
static err add_text(struct census *c, str name, str value, uint64_t series)
{
    size_t before = c->pairs.count;
    struct cell *cell = tally_add(&c->pairs, name, value, series);
    if (c->pairs.count == before)
        return OK;
    cell->value = arena_str(c->a, value);
    cell->name = arena_str(c->a, name);
    return cell->value.ptr != NULL && cell->name.ptr != NULL ? OK : ERR_LIMIT;
}

static err add_block_texts(struct census *c, const struct select_source *src,
                           const struct symbol_counts *n)
{
    for (size_t i = 0; n->slots != NULL && i <= n->mask; i++) {
        const struct symbol_count *k = &n->slots[i];
        str name, value;
        if (i % CHECK_EVERY == 0)
            TRY(select_check(c->select));
        if (k->count == 0)
            continue;
        TRY(block_symbol(src->cursor, k->name, &name, c->d));
        TRY(block_symbol(src->cursor, k->value, &value, c->d));
        TRY(add_text(c, name, value, k->count));
    }
    return OK;
}

static err add_texts(struct census *c, struct selection *s, const struct counters *n)
{
    for (uint32_t i = 0; i < n->head_count; i++) {
        if (i % CHECK_EVERY == 0)
            TRY(select_check(c->select));
        if (n->heads[i] == 0)
            continue;
        struct label l = registry_pair(c->db->registry, i);
        TRY(add_text(c, l.name, l.value, n->heads[i]));
    }
    for (size_t i = 0; i < s->source_count; i++)
        TRY(add_block_texts(c, &s->sources[i], &n->blocks[i]));
    return OK;
}

static void quarantine_damaged(struct selection *s, const char *why)
{
    for (size_t i = 0; i < s->source_count; i++)
        if (s->sources[i].block != NULL && block_is_damaged(s->sources[i].block))
            db_quarantine(s->db, s->sources[i].block, why);
}

static err take_selection(struct census *c, struct arena *scratch)
{
    struct selection *s;
    TRY(db_select(c->db, c->select, scratch, &s, c->d));
    struct counters n = {.head_count = registry_pair_end(c->db->registry)};
    n.heads = mem_zalloc(n.head_count + 1, sizeof(*n.heads));
    n.blocks = mem_zalloc(s->source_count + 1, sizeof(*n.blocks));
    err e = count_all(c, s, &n);
    if (e == OK)
        e = add_texts(c, s, &n);
    if (e == ERR_CORRUPT)
        quarantine_damaged(s, c->d->text);
    for (size_t i = 0; i < s->source_count; i++)
        mem_free(n.blocks[i].slots);
    mem_free(n.blocks);
    mem_free(n.heads);
    selection_close(s);
    return e;
}

/* ---- The answer ---- */

struct by_name { /* of a label name */
    uint64_t values, series, bytes;
};

static err fill_lists(struct census *c, struct heaviest *lists, struct db_cardinality *out)
{
    struct tally names = {0};
    struct by_name *sums = mem_zalloc(c->pairs.count + 1, sizeof(*sums));
    for (size_t i = 0; i < c->pairs.count; i++) {
        const struct cell *p = &c->pairs.cells[i];
        struct heavy_item item = {p->series, p->value, STR("")};
        size_t k = (size_t)(tally_add(&names, p->name, STR(""), 1) - names.cells);
        sums[k].values++;
        sums[k].series += p->series;
        sums[k].bytes += p->series * p->value.len;
        if (str_eq(p->name, LABEL_NAME))
            heaviest_add(&lists[TOP_SERIES_BY_METRIC], item);
        if (c->args->focus.len > 0 && str_eq(p->name, c->args->focus))
            heaviest_add(&lists[TOP_SERIES_BY_FOCUS], item);
        heaviest_add(&lists[TOP_SERIES_BY_PAIR], (struct heavy_item){p->series, p->name, p->value});
    }
    for (size_t k = 0; k < names.count; k++) {
        struct heavy_item item = {0, names.cells[k].name, STR("")};
        item.value = sums[k].values;
        heaviest_add(&lists[TOP_VALUES_BY_LABEL], item);
        item.value = sums[k].series;
        heaviest_add(&lists[TOP_SERIES_BY_LABEL], item);
        item.value = sums[k].bytes;
        heaviest_add(&lists[TOP_BYTES_BY_LABEL], item);
    }
    out->series = c->series;
    out->pairs = c->pairs.count;
    out->names = names.count;
    mem_free(sums);
    tally_fini(&names);
    return OK;
}

static err take_all(struct census *c)
{
    err e = OK;
    for (size_t i = 0; i < c->args->select_count && e == OK; i++) {
        struct arena scratch;
        c->select = &c->args->selects[i];
        arena_init(&scratch, c->a->budget_bytes - MIN(c->a->used_bytes, c->a->budget_bytes));
        e = take_selection(c, &scratch);
        arena_fini(&scratch);
    }
    return e;
}

err db_cardinality_of(struct db *db, const struct db_cardinality_args *args, struct arena *a,
                      struct db_cardinality *out, struct diag *d)
{
    struct census c = {.db = db, .args = args, .a = a, .d = d};
    struct heaviest lists[TOP_KINDS] = {0};
    *out = (struct db_cardinality){0};
    for (unsigned k = 0; k < TOP_KINDS; k++)
        lists[k].limit = args->limit;
    err e = take_all(&c);
    if (e == OK)
        e = fill_lists(&c, lists, out);
    for (unsigned k = 0; k < TOP_KINDS; k++) {
        err finished = heaviest_finish(&lists[k], a, &out->top[k], &out->counts[k]);
        e = e != OK ? e : finished;
    }
    tally_fini(&c.pairs);
    mem_free(c.seen);
    if (e == ERR_LIMIT && d->text[0] == '\0')
        return diag_set(d, e, "the answer does not fit its limit of %zu bytes", a->budget_bytes);
    return e;
}
