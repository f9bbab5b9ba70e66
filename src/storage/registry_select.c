/* Finding series by matchers.
 *
 * Each matcher becomes a term: the label's deciding values and whether their series are kept or
 * removed (select_shape.h). The smallest list of values to keep gives the candidates; then the
 * other terms thin them out, cheapest first. Candidates are a sorted list of ids or, when they are
 * a large part of all, a bitmap. A term over a list of candidates is decided by what is estimated
 * cheaper: the ids of its values, or the candidates' own labels (each distinct value is judged
 * once). */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/idbits.h"
#include "storage/registry_priv.h"
#include "storage/registry_select.h"
#include "storage/select_shape.h"

enum {
    POLL_INTERVAL = 1024, /* steps between looks at the deadline */
    DENSE = 8,            /* a first term with more than 1/8 of all ids gives a bitmap ... */
    SPARSE = 64,          /* ... which becomes a list when less than 1/64 is left */
    FEW_VALUES = 256,     /* of a label: all are looked at while planning */
};

struct term {
    const struct matcher *m;
    struct select_shape shape;
    uint32_t name;  /* ID_NONE: no series has the label */
    size_t decided; /* SHAPE_LIST: series of its values; else at most so many */
};

struct picker { /* one registry_select() */
    struct registry *r;
    const struct db_select_args *args;
    struct diag *d;
    struct term *terms; /* in the order of application; heap */
    size_t term_count;
    uint64_t *bits;      /* candidates; NULL: they are in `ids` */
    uint32_t *ids;       /* ascending */
    struct arena *arena; /* holds `ids`; NULL: they are in the heap */
    size_t count;
    uint32_t steps;
};

/* ---- Cancellation ---- */

err select_poll(const struct db_select_args *args)
{
    if (args->canceled != NULL && atomic_load_explicit(args->canceled, memory_order_relaxed))
        return ERR_CANCELED;
    if (args->deadline_mono_ns != 0 && clock_mono_ns() >= args->deadline_mono_ns)
        return ERR_TIMEOUT;
    return OK;
}

static err step(struct picker *p)
{
    if (++p->steps % POLL_INTERVAL != 0)
        return OK;
    return select_poll(p->args);
}

/* ---- Pairs of a term ---- */

/* Called for every pair of the label whose value decides. */
typedef void (*pair_fn)(void *arg, const struct symbol_pair *pair);

static err each_listed(struct picker *p, const struct term *t, pair_fn fn, void *arg)
{
    for (size_t i = 0; i < t->shape.value_count; i++) {
        TRY(step(p));
        uint32_t pair = symbols_find_pair(&p->r->symbols, t->name, t->shape.values[i]);
        if (pair != ID_NONE)
            fn(arg, symbols_pair(&p->r->symbols, pair));
    }
    return OK;
}

void registry_fetch_pairs(const struct symbols *s, const struct symbol_name *n, uint32_t i)
{
    if (i + 2 * SELECT_AHEAD < n->pair_count)
        __builtin_prefetch(symbols_pair(s, n->pairs[i + 2 * SELECT_AHEAD]));
    if (i + SELECT_AHEAD < n->pair_count)
        __builtin_prefetch(symbols_pair(s, n->pairs[i + SELECT_AHEAD])->value);
}

static err each_deciding(struct picker *p, const struct term *t, pair_fn fn, void *arg)
{
    if (t->shape.kind == SHAPE_LIST)
        return each_listed(p, t, fn, arg);
    const struct symbols *s = &p->r->symbols;
    const struct symbol_name *n = symbols_name(s, t->name);
    for (uint32_t i = 0; i < n->pair_count; i++) {
        TRY(step(p));
        registry_fetch_pairs(s, n, i);
        const struct symbol_pair *pair = symbols_pair(s, n->pairs[i]);
        str value = symbols_value(pair);
        if (pair->series.count > 0 && str_starts(value, t->shape.prefix) &&
            select_decides(t->m, value))
            fn(arg, pair);
    }
    return OK;
}

static void mark_pair(void *arg, const struct symbol_pair *pair)
{
    idset_mark(&pair->series, arg);
}

static void count_pair(void *arg, const struct symbol_pair *pair)
{
    *(size_t *)arg += pair->series.count;
}

static size_t words_of(const struct picker *p)
{
    return idbits_words(p->r->ids.id_end);
}

/* The series of the deciding values as a bitmap: `*owned` is the caller's to free; for presence it
 * may be the registry's, and *owned NULL. */
static err term_bits(struct picker *p, const struct term *t, const uint64_t **bits,
                     uint64_t **owned)
{
    *owned = NULL;
    if (t->shape.kind == SHAPE_ANY) {
        *bits = registry_presence(p->r, t->name);
        if (*bits != NULL)
            return OK;
    }
    *owned = mem_zalloc(words_of(p), sizeof(uint64_t));
    *bits = *owned;
    err e = each_deciding(p, t, mark_pair, *owned);
    if (e != OK) {
        mem_free(*owned);
        *owned = NULL;
    }
    return e;
}

/* ---- Planning ---- */

static err make_term(struct picker *p, const struct matcher *m, struct term *t)
{
    *t = (struct term){.m = m, .shape = select_shape_of(m)};
    t->name = symbols_find_name(&p->r->symbols, m->name);
    if (t->shape.kind == SHAPE_NONE || t->shape.kind == SHAPE_ALL)
        return OK;
    if (t->name == ID_NONE) {
        t->shape.kind = t->shape.keeps ? SHAPE_NONE : SHAPE_ALL;
        return OK;
    }
    size_t values = symbols_name(&p->r->symbols, t->name)->pair_count;
    bool few = t->shape.kind == SHAPE_SCAN && values <= FEW_VALUES;
    if (t->shape.kind != SHAPE_LIST && !few) {
        t->decided = p->r->series_count;
        return OK;
    }
    TRY(each_deciding(p, t, count_pair, &t->decided));
    if (t->decided == 0)
        t->shape.kind = t->shape.keeps ? SHAPE_NONE : SHAPE_ALL;
    return OK;
}

/* Lists to keep, the smallest first; presence; lists to remove; what has to look at values. */
static int rank_of(const struct term *t)
{
    if (t->shape.kind == SHAPE_LIST)
        return t->shape.keeps ? 1 : 3;
    return t->shape.kind == SHAPE_SCAN  ? (t->shape.keeps ? 4 : 5)
           : t->shape.kind == SHAPE_ANY ? 2
                                        : 0;
}

static int by_rank(const void *a, const void *b)
{
    const struct term *x = a, *y = b;
    int order = rank_of(x) - rank_of(y);
    return order != 0 ? order : (x->decided > y->decided) - (x->decided < y->decided);
}

static err plan(struct picker *p)
{
    size_t count = p->args->matcher_count;
    p->terms = mem_zalloc(MAX(count, (size_t)1), sizeof(*p->terms));
    for (size_t i = 0; i < count; i++) {
        struct term t;
        TRY(make_term(p, &p->args->matchers[i], &t));
        if (t.shape.kind != SHAPE_ALL)
            p->terms[p->term_count++] = t;
    }
    qsort(p->terms, p->term_count, sizeof(*p->terms), by_rank);
    return OK;
}

/* ---- The first candidates ---- */

/* Room for `count` candidates. The result stays where they are: pages of large lists are touched
 * once. */
static err ids_reserve(struct picker *p, size_t count)
{
    size_t bytes = MAX(count, (size_t)1) * sizeof(uint32_t);
    p->ids = p->arena != NULL ? arena_alloc(p->arena, bytes) : mem_alloc(bytes);
    if (p->ids == NULL)
        return diag_set(p->d, ERR_LIMIT, "the query's memory limit is too small for %zu series",
                        count);
    return OK;
}

/* Turn the bitmap into a list. */
static err ids_from_bits(struct picker *p)
{
    TRY(ids_reserve(p, p->count));
    idbits_list(p->bits, words_of(p), p->ids);
    mem_free(p->bits);
    p->bits = NULL;
    return OK;
}

static void start_with_bits(struct picker *p, const uint64_t *bits)
{
    p->bits = mem_alloc(words_of(p) * sizeof(uint64_t));
    memcpy(p->bits, bits, words_of(p) * sizeof(uint64_t));
}

/* The few ids of a list of values. */
static err start_with_list(struct picker *p, const struct term *t)
{
    const str *v = t->shape.values;
    TRY(ids_reserve(p, t->decided));
    if (t->shape.value_count == 1) {
        uint32_t pair = symbols_find_pair(&p->r->symbols, t->name, v[0]);
        idset_copy(&symbols_pair(&p->r->symbols, pair)->series, p->ids);
        p->count = t->decided;
        return OK;
    }
    const uint64_t *bits;
    uint64_t *owned;
    TRY(term_bits(p, t, &bits, &owned));
    p->count = t->decided; /* a series has one value */
    idbits_list(bits, words_of(p), p->ids);
    mem_free(owned);
    return OK;
}

/* `*used` is how many terms are done. */
static err start(struct picker *p, size_t *used)
{
    const struct term *t = &p->terms[0];
    *used = 0;
    if (p->term_count == 0 || !t->shape.keeps) {
        start_with_bits(p, registry_live(p->r));
        return OK;
    }
    *used = 1;
    if (t->shape.kind == SHAPE_LIST && t->decided <= words_of(p) * 64 / DENSE)
        return start_with_list(p, t);
    const uint64_t *bits;
    TRY(term_bits(p, t, &bits, &p->bits));
    if (p->bits == NULL)
        start_with_bits(p, bits);
    return OK;
}

/* A bitmap with few ids in it becomes a list. */
static err settle(struct picker *p)
{
    if (p->bits == NULL)
        return OK;
    p->count = idbits_count(p->bits, words_of(p));
    return p->count > words_of(p) * 64 / SPARSE ? OK : ids_from_bits(p);
}

/* ---- Thinning out ---- */

static err filter_by_bits(struct picker *p, const struct term *t)
{
    const uint64_t *bits;
    uint64_t *owned;
    TRY(term_bits(p, t, &bits, &owned));
    if (p->bits == NULL)
        p->count = idbits_filter(bits, t->shape.keeps, p->ids, p->count);
    else if (t->shape.keeps)
        idbits_and(p->bits, bits, words_of(p));
    else
        idbits_andnot(p->bits, bits, words_of(p));
    mem_free(owned);
    return OK;
}

static void filter_by_search(struct picker *p, const struct term *t)
{
    uint32_t pair = symbols_find_pair(&p->r->symbols, t->name, t->shape.values[0]);
    const struct idset *set = &symbols_pair(&p->r->symbols, pair)->series;
    p->count = t->shape.keeps ? idset_intersect(set, p->ids, p->count)
                              : idset_subtract(set, p->ids, p->count);
}

uint32_t registry_pair_id_of(const struct registry *r, uint32_t series, uint32_t name,
                             unsigned *guess)
{
    const struct series *s = registry_line(r, series);
    for (unsigned i = 0, at = *guess; i < s->label_count; i++, at++) {
        if (at >= s->label_count)
            at = 0;
        uint32_t pair = s->meta->pairs[at];
        if (symbols_pair(&r->symbols, pair)->name == name) {
            *guess = at;
            return pair;
        }
    }
    return ID_NONE;
}

const struct symbol_pair *registry_pair_of(const struct registry *r, uint32_t id, uint32_t name,
                                           unsigned *guess)
{
    uint32_t pair = registry_pair_id_of(r, id, name, guess);
    return pair != ID_NONE ? symbols_pair(&r->symbols, pair) : NULL;
}

void registry_fetch_series(const struct registry *r, const uint32_t *ids, size_t i, size_t count)
{
    if (i + 2 * SELECT_AHEAD < count)
        __builtin_prefetch(registry_line(r, ids[i + 2 * SELECT_AHEAD]));
    if (i + SELECT_AHEAD < count)
        __builtin_prefetch(registry_line(r, ids[i + SELECT_AHEAD])->meta);
}

/* Judge the candidates' own values, each distinct one once: two bits for each value of the name. */
static err filter_by_labels(struct picker *p, const struct term *t)
{
    size_t words = symbols_name(&p->r->symbols, t->name)->pair_count / 64 + 1;
    uint64_t *known = mem_zalloc(words * 2, sizeof(uint64_t)), *decides = known + words;
    err e = OK;
    unsigned guess = 0;
    size_t kept = 0;
    for (size_t i = 0; i < p->count && e == OK; i++) {
        e = step(p);
        registry_fetch_series(p->r, p->ids, i, p->count);
        const struct symbol_pair *pair = registry_pair_of(p->r, p->ids[i], t->name, &guess);
        bool decided = false;
        if (pair != NULL) {
            if (!idbits_has(known, pair->slot)) {
                str value = symbols_value(pair);
                idbits_set(known, pair->slot);
                if (str_starts(value, t->shape.prefix) && select_decides(t->m, value))
                    idbits_set(decides, pair->slot);
            }
            decided = idbits_has(decides, pair->slot);
        }
        p->ids[kept] = p->ids[i];
        kept += decided == t->shape.keeps;
    }
    if (e == OK)
        p->count = kept;
    mem_free(known);
    return e;
}

/* What each way would take. */
static size_t cost_of_match(const struct term *t)
{
    return t->m->regex != NULL && regex_is_slow(t->m->regex) ? COST_SLOW : COST_MATCH;
}

static size_t cost_of_bits(const struct picker *p, const struct term *t)
{
    size_t zeroing = words_of(p) * COST_TEST, test = p->count * COST_TEST;
    if (t->shape.kind == SHAPE_ANY)
        return test; /* the bitmap is mostly there */
    if (t->shape.kind == SHAPE_LIST)
        return zeroing + test + t->decided * COST_MARK;
    size_t values = symbols_name(&p->r->symbols, t->name)->pair_count;
    size_t decided = values > FEW_VALUES ? t->decided / 4 : t->decided; /* a guess, or known */
    return zeroing + test + values * cost_of_match(t) + decided * COST_MARK;
}

static size_t cost_of_labels(const struct picker *p, const struct term *t)
{
    size_t values = symbols_name(&p->r->symbols, t->name)->pair_count;
    return p->count * COST_LABELS + MIN(p->count, values) * (COST_VALUE + cost_of_match(t));
}

static size_t cost_of_search(const struct picker *p, const struct term *t)
{
    bool one = t->shape.kind == SHAPE_LIST && t->shape.value_count == 1;
    return one ? p->count * COST_SEARCH : SIZE_MAX;
}

static err filter(struct picker *p, const struct term *t)
{
    if (p->bits != NULL)
        return filter_by_bits(p, t);
    size_t bits = cost_of_bits(p, t), labels = cost_of_labels(p, t), search = cost_of_search(p, t);
    if (search <= bits && search <= labels) {
        filter_by_search(p, t);
        return OK;
    }
    return labels < bits ? filter_by_labels(p, t) : filter_by_bits(p, t);
}

/* ---- All of it ---- */

static err begin(struct picker *p)
{
    TRY(select_poll(p->args));
    return plan(p);
}

static err check_count(const struct picker *p)
{
    if (p->args->series_max > 0 && p->count > p->args->series_max)
        return diag_set(p->d, ERR_LIMIT, "the selector matches %zu series in memory (limit %zu)",
                        p->count, p->args->series_max);
    return OK;
}

static err pick_candidates(struct picker *p)
{
    size_t used;
    if (p->term_count > 0 && p->terms[0].shape.kind == SHAPE_NONE)
        return OK;
    TRY(start(p, &used));
    TRY(settle(p));
    for (size_t i = used; i < p->term_count && p->count > 0; i++) {
        TRY(filter(p, &p->terms[i]));
        TRY(settle(p));
    }
    return check_count(p);
}

/* The registry's own bitmap where nothing is to be taken from it: all series, or those that have
 * a label. NULL: candidates have to be worked out. */
static const uint64_t *ready_answer(struct picker *p)
{
    const struct term *t = &p->terms[0];
    if (p->term_count == 0)
        return registry_live(p->r);
    bool ready = p->term_count == 1 && t->shape.kind == SHAPE_ANY && t->shape.keeps;
    return ready ? registry_presence(p->r, t->name) : NULL;
}

static err pick(struct picker *p)
{
    TRY(begin(p));
    const uint64_t *ready = ready_answer(p);
    if (ready == NULL) {
        TRY(pick_candidates(p));
        return p->bits != NULL ? ids_from_bits(p) : OK;
    }
    p->count = idbits_count(ready, words_of(p));
    TRY(check_count(p));
    TRY(ids_reserve(p, p->count));
    idbits_list(ready, words_of(p), p->ids);
    return OK;
}

static void picker_fini(struct picker *p)
{
    mem_free(p->terms);
    mem_free(p->bits);
    if (p->arena == NULL)
        mem_free(p->ids);
}

err select_locked(struct registry *r, const struct db_select_args *args, struct candidates *out,
                  struct diag *d)
{
    struct picker p = {.r = r, .args = args, .d = d};
    err e = begin(&p);
    if (e == OK)
        e = pick_candidates(&p);
    if (e == OK) {
        *out = (struct candidates){p.bits, p.bits == NULL ? p.ids : NULL, p.count};
        p.ids = p.bits == NULL ? NULL : p.ids;
        p.bits = NULL;
    }
    picker_fini(&p);
    return e;
}

void candidates_fini(struct candidates *c)
{
    mem_free(c->bits);
    mem_free(c->ids);
    *c = (struct candidates){.count = 0};
}

void candidates_to_bits(const struct registry *r, struct candidates *c)
{
    if (c->bits != NULL)
        return;
    c->bits = mem_zalloc(idbits_words(r->ids.id_end), sizeof(uint64_t));
    for (size_t i = 0; i < c->count; i++)
        idbits_set(c->bits, c->ids[i]);
    mem_free(c->ids);
    c->ids = NULL;
}

void candidates_to_ids(const struct registry *r, struct candidates *c)
{
    if (c->bits == NULL)
        return;
    c->ids = mem_alloc(MAX(c->count, (size_t)1) * sizeof(uint32_t));
    idbits_list(c->bits, idbits_words(r->ids.id_end), c->ids);
    mem_free(c->bits);
    c->bits = NULL;
}

err registry_select(struct registry *r, const struct db_select_args *args, struct arena *a,
                    uint32_t **out, size_t *count, struct diag *d)
{
    struct picker p = {.r = r, .args = args, .d = d, .arena = a};
    rwlock_read(&r->lock);
    err e = pick(&p);
    rwlock_unlock(&r->lock);
    if (e == OK) {
        *out = p.ids;
        *count = p.count;
    }
    picker_fini(&p);
    return e;
}
