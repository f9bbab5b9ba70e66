/* registry_names.c -- listing label names and values.
 *
 * Matchers of the label whose values are listed judge the values; the others select series. Then
 * either the series' labels are looked at, or, where that is estimated cheaper, each value (or
 * name) is asked whether one of its series was selected: mostly the first one was. */
#include <string.h>

#include "base/mem.h"
#include "base/str_sort.h"
#include "storage/idbits.h"
#include "storage/registry_priv.h"
#include "storage/registry_select.h"
#include "storage/select_shape.h"

enum {
    POLL_INTERVAL = 1024, /* steps between looks at the deadline */
    KEPT_MIN = 1024,      /* texts kept at least before they are cut at the limit */
    COST_SEEN = 20,       /* tenths of ns: has this pair been looked at? */
    USUAL_LABELS = 10,    /* of a series */
};

struct strings { /* in the heap; the texts are the registry's */
    str *items;
    size_t count, cap;
    size_t limit; /* 0: none */
    str bound;    /* texts from here on are behind the limit; ptr NULL: not known yet */
    bool more;    /* some were left out */
};

/* Keep the first `limit` texts. */
static void strings_cut(struct strings *s)
{
    str_sort(s->items, s->count);
    if (s->limit == 0 || s->count <= s->limit)
        return;
    s->count = s->limit;
    s->bound = s->items[s->limit - 1];
    s->more = true;
}

/* Add a text that was not added before. */
static void strings_add(struct strings *s, str text)
{
    if (s->bound.ptr != NULL && str_cmp(text, s->bound) > 0)
        return;
    if (s->count == s->cap && s->limit > 0 && s->count >= KEPT_MIN && s->count / 2 >= s->limit)
        strings_cut(s);
    if (s->count == s->cap) {
        s->cap = s->cap < 64 ? 64 : s->cap * 2;
        s->items = mem_resize(s->items, s->cap, sizeof(str));
    }
    s->items[s->count++] = text;
}

/* Sort, cut at the limit, copy into the arena. Pinned, without the lock. */
static err strings_finish(struct strings *s, struct arena *a, str **out, size_t *count, bool *more)
{
    strings_cut(s);
    str *copy = ARENA_ARRAY(a, str, MAX(s->count, (size_t)1));
    if (copy == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < s->count; i++) {
        copy[i] = arena_str(a, s->items[i]);
        if (copy[i].ptr == NULL)
            return ERR_LIMIT;
    }
    *out = copy;
    *count = s->count;
    *more = s->more;
    return OK;
}

static err poll_at(const struct db_select_args *args, size_t i)
{
    return i % POLL_INTERVAL == 0 ? select_poll(args) : OK;
}

/* Estimated ids to look at until one is found that is among `selected` of all series. */
static size_t probes(const struct registry *r, size_t selected)
{
    return r->series_count / MAX(selected, (size_t)1) + 1;
}

static size_t cost_of_marking(const struct registry *r, const struct candidates *c)
{
    if (c->bits != NULL)
        return 0;
    return idbits_words(r->ids.id_end) * COST_TEST + c->count * COST_MARK;
}

/* ---- Names ---- */

static bool name_in_use(const struct registry *r, const struct symbol_name *n)
{
    for (uint32_t i = 0; i < n->pair_count; i++)
        if (symbols_pair(&r->symbols, n->pairs[i])->series.count > 0)
            return true;
    return false;
}

static err all_names(const struct registry *r, const struct db_select_args *args,
                     struct strings *out)
{
    for (uint32_t i = 0; i < r->symbols.name_end; i++) {
        const struct symbol_name *n = symbols_name(&r->symbols, i);
        TRY(poll_at(args, i));
        if (n->text != NULL && name_in_use(r, n))
            strings_add(out, symbols_text(n));
    }
    return OK;
}

/* Look at every series, but at every pair once only. */
static err names_by_series(const struct registry *r, const struct db_select_args *args,
                           const struct candidates *c, struct strings *out)
{
    size_t pair_words = idbits_words(r->symbols.pair_end);
    uint64_t *pairs = mem_zalloc(pair_words + idbits_words(r->symbols.name_end), sizeof(uint64_t));
    uint64_t *names = pairs + pair_words;
    err e = OK;
    for (size_t i = 0; i < c->count && e == OK; i++) {
        e = poll_at(args, i);
        registry_fetch_series(r, c->ids, i, c->count);
        const struct series *s = registry_line(r, c->ids[i]);
        for (unsigned k = 0; k < s->label_count; k++) {
            uint32_t pair = s->meta->pairs[k];
            if (idbits_has(pairs, pair))
                continue;
            idbits_set(pairs, pair);
            uint32_t name = symbols_pair(&r->symbols, pair)->name;
            if (!idbits_has(names, name))
                strings_add(out, symbols_text(symbols_name(&r->symbols, name)));
            idbits_set(names, name);
        }
    }
    mem_free(pairs);
    return e;
}

static bool name_meets(const struct registry *r, uint32_t name, const uint64_t *bits)
{
    const struct symbol_name *n = symbols_name(&r->symbols, name);
    const uint64_t *presence = registry_presence_known(r, name);
    if (presence != NULL)
        return idbits_meet(presence, bits, idbits_words(r->ids.id_end));
    for (uint32_t i = 0; i < n->pair_count; i++)
        if (idset_meets(&symbols_pair(&r->symbols, n->pairs[i])->series, bits))
            return true;
    return false;
}

static err names_by_name(const struct registry *r, const struct db_select_args *args,
                         const struct candidates *c, struct strings *out)
{
    for (uint32_t i = 0; i < r->symbols.name_end; i++) {
        const struct symbol_name *n = symbols_name(&r->symbols, i);
        TRY(select_poll(args));
        if (n->text != NULL && name_meets(r, i, c->bits))
            strings_add(out, symbols_text(n));
    }
    return OK;
}

static err names_of(struct registry *r, const struct db_select_args *args, struct strings *out)
{
    struct candidates c = {.count = 0};
    TRY(select_locked(r, args, &c, NULL));
    size_t members = r->postings_bytes / sizeof(uint32_t); /* of all pairs, about */
    size_t series_cost = c.count * (COST_LABELS + USUAL_LABELS * COST_SEEN);
    size_t name_cost =
        cost_of_marking(r, &c) + r->symbols.pair_count * COST_VALUE + members * COST_TEST;
    err e;
    if (name_cost < series_cost) {
        candidates_to_bits(r, &c);
        e = names_by_name(r, args, &c, out);
    } else {
        candidates_to_ids(r, &c);
        e = names_by_series(r, args, &c, out);
    }
    candidates_fini(&c);
    return e;
}

err registry_label_names(struct registry *r, const struct db_select_args *args, size_t limit,
                         struct arena *a, str **out, size_t *count, bool *more)
{
    struct strings found = {.limit = limit};
    struct registry_pin pin;
    registry_pin(r, &pin);
    rwlock_read(&r->lock);
    err e = args->matcher_count == 0 ? all_names(r, args, &found) : names_of(r, args, &found);
    rwlock_unlock(&r->lock);
    if (e == OK)
        e = strings_finish(&found, a, out, count, more);
    registry_unpin(r, &pin);
    mem_free(found.items);
    return e;
}

/* ---- Values ---- */

struct values_query {
    struct registry *r;
    const struct db_select_args *args;
    uint32_t name;
    struct select_split split;
    struct candidates selected; /* by the other matchers; not used without any */
    struct strings *out;
};

static void add_value(struct values_query *q, const struct symbol_pair *pair)
{
    str value = symbols_value(pair);
    if (select_accepts(&q->split, value))
        strings_add(q->out, value);
}

/* Every value that a selected series has; every value that is in use when all are selected. */
static err values_by_value(struct values_query *q)
{
    const struct symbols *s = &q->r->symbols;
    const struct symbol_name *n = symbols_name(s, q->name);
    const uint64_t *bits = q->split.rest_count > 0 ? q->selected.bits : NULL;
    for (uint32_t i = 0; i < n->pair_count; i++) {
        TRY(poll_at(q->args, i));
        registry_fetch_pairs(s, n, i);
        if (bits != NULL && i + SELECT_AHEAD < n->pair_count)
            idset_prefetch(&symbols_pair(s, n->pairs[i + SELECT_AHEAD])->series);
        const struct symbol_pair *pair = symbols_pair(s, n->pairs[i]);
        if (bits != NULL ? idset_meets(&pair->series, bits) : pair->series.count > 0)
            add_value(q, pair);
    }
    return OK;
}

/* The values of the selected series, each once. */
static err values_by_series(struct values_query *q)
{
    const struct candidates *c = &q->selected;
    size_t slots = symbols_name(&q->r->symbols, q->name)->pair_count;
    uint64_t *seen = mem_zalloc(slots / 64 + 1, sizeof(uint64_t));
    unsigned guess = 0;
    err e = OK;
    for (size_t i = 0; i < c->count && e == OK; i++) {
        e = poll_at(q->args, i);
        registry_fetch_series(q->r, c->ids, i, c->count);
        const struct symbol_pair *pair = registry_pair_of(q->r, c->ids[i], q->name, &guess);
        if (pair == NULL || idbits_has(seen, pair->slot))
            continue;
        idbits_set(seen, pair->slot);
        add_value(q, pair);
    }
    mem_free(seen);
    return e;
}

/* Is asking the values cheaper than asking the selected series? */
static bool is_value_cheaper(const struct values_query *q)
{
    const struct registry *r = q->r;
    size_t values = symbols_name(&r->symbols, q->name)->pair_count, count = q->selected.count;
    size_t each = MIN(probes(r, count), r->series_count / MAX(values, (size_t)1) + 1);
    size_t value_cost = cost_of_marking(r, &q->selected) + values * (COST_VALUE + each * COST_TEST);
    size_t series_cost = count * COST_LABELS + MIN(count, values) * COST_VALUE;
    return value_cost < series_cost;
}

static err values_of(struct values_query *q)
{
    if (q->split.rest_count == 0)
        return values_by_value(q);
    struct db_select_args args = *q->args;
    args.matchers = q->split.rest;
    args.matcher_count = q->split.rest_count;
    TRY(select_locked(q->r, &args, &q->selected, NULL));
    if (is_value_cheaper(q)) {
        candidates_to_bits(q->r, &q->selected);
        return values_by_value(q);
    }
    candidates_to_ids(q->r, &q->selected);
    return values_by_series(q);
}

err registry_label_values(struct registry *r, str name, const struct db_select_args *args,
                          size_t limit, struct arena *a, str **out, size_t *count, bool *more)
{
    struct strings found = {.limit = limit};
    struct values_query q = {.r = r, .args = args, .out = &found};
    struct registry_pin pin;
    err e = OK;
    select_split_init(&q.split, name, args->matchers, args->matcher_count);
    registry_pin(r, &pin);
    rwlock_read(&r->lock);
    q.name = symbols_find_name(&r->symbols, name);
    if (q.name != ID_NONE)
        e = values_of(&q);
    rwlock_unlock(&r->lock);
    if (e == OK)
        e = strings_finish(&found, a, out, count, more);
    registry_unpin(r, &pin);
    candidates_fini(&q.selected);
    select_split_fini(&q.split);
    mem_free(found.items);
    return e;
}
