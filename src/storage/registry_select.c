/* Finding series by matchers.
 *
 * The smallest set that a positive matcher gives is the list of candidates; the other matchers then
 * thin it out: an equal matcher by intersection with its pair's sorted ids, any other by looking at
 * the candidates' own labels (each distinct value is judged once) or, when the list is long, at all
 * values of the name. */
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/registry_priv.h"
#include "storage/registry_select.h"

enum {
    POLL_INTERVAL = 1024, /* steps between looks at the deadline */
    /* Estimated costs of the ways to filter, ns: */
    COST_LABELS = 25,  /* find a label of a candidate */
    COST_REGEX = 150,  /* match a value */
    COST_COMPARE = 10, /* compare a value */
    COST_MARK = 1,     /* enter an id into a bitmap, or look it up */
};

struct picker { /* one registry_select() */
    struct registry *r;
    const struct db_select_args *args;
    struct diag *d;
    uint32_t *ids; /* candidates, ascending; heap */
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

/* ---- Sets of values ---- */

/* Must the series have the label with an accepted value? Else it must not have it with a refused
 * one. */
static bool is_positive(const struct matcher *m)
{
    return !m->matches_empty;
}

/* The accepted (`wanted`), or else the refused, values if the matcher names them all; else 0. */
static size_t literals_of(const struct matcher *m, bool wanted, const str **out)
{
    if (m->type == (wanted ? MATCH_EQUAL : MATCH_NOT_EQUAL)) {
        *out = &m->value;
        return 1;
    }
    return m->type == (wanted ? MATCH_REGEX : MATCH_NOT_REGEX) ? regex_literals(m->regex, out) : 0;
}

static str prefix_of(const struct matcher *m)
{
    return m->type == MATCH_REGEX ? regex_prefix(m->regex) : STR("");
}

static bool accepts(const struct matcher *m, str prefix, str value)
{
    return str_starts(value, prefix) && matcher_matches(m, value);
}

/* Called for every pair of a name that the matcher accepts (`wanted`), or else refuses. */
typedef void (*pair_fn)(void *arg, const struct symbol_pair *pair);

static err each_literal(struct picker *p, uint32_t name, const str *literals, size_t count,
                        pair_fn fn, void *arg)
{
    for (size_t i = 0; i < count; i++) {
        TRY(step(p));
        uint32_t pair = symbols_find_pair(&p->r->symbols, name, literals[i]);
        if (pair != ID_NONE)
            fn(arg, symbols_pair(&p->r->symbols, pair));
    }
    return OK;
}

static err each_pair(struct picker *p, uint32_t name, const struct matcher *m, bool wanted,
                     pair_fn fn, void *arg)
{
    const str *literals;
    size_t literal_count = literals_of(m, wanted, &literals);
    if (literal_count > 0)
        return each_literal(p, name, literals, literal_count, fn, arg);
    const struct symbol_name *n = symbols_name(&p->r->symbols, name);
    str prefix = prefix_of(m);
    for (uint32_t i = 0; i < n->pair_count; i++) {
        TRY(step(p));
        const struct symbol_pair *pair = symbols_pair(&p->r->symbols, n->pairs[i]);
        if (pair->series.count > 0 && accepts(m, prefix, symbols_value(pair)) == wanted)
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

static size_t bitmap_words(const struct picker *p)
{
    return p->r->ids.id_end / 64 + 1;
}

static void candidates_from_bitmap(struct picker *p, const uint64_t *bitmap)
{
    size_t count = 0;
    for (size_t w = 0; w < bitmap_words(p); w++)
        count += (size_t)__builtin_popcountll(bitmap[w]);
    p->ids = mem_alloc(MAX(count, (size_t)1) * sizeof(uint32_t));
    for (size_t w = 0; w < bitmap_words(p); w++)
        for (uint64_t bits = bitmap[w]; bits != 0; bits &= bits - 1)
            p->ids[p->count++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
}

/* ---- The first list of candidates ---- */

static void candidates_from_set(struct picker *p, const struct idset *set)
{
    p->ids = mem_alloc(MAX(set->count, 1U) * sizeof(uint32_t));
    p->count = set->count;
    idset_copy(set, p->ids);
}

static err candidates_from_pairs(struct picker *p, uint32_t name, const struct matcher *m)
{
    uint64_t *bitmap = mem_zalloc(bitmap_words(p), sizeof(uint64_t));
    err e = each_pair(p, name, m, true, mark_pair, bitmap);
    if (e == OK)
        candidates_from_bitmap(p, bitmap);
    mem_free(bitmap);
    return e;
}

static err candidates_all(struct picker *p)
{
    uint64_t *bitmap = mem_zalloc(bitmap_words(p), sizeof(uint64_t));
    err e = OK;
    for (uint32_t id = 0; id < p->r->ids.id_end && e == OK; id++) {
        e = step(p);
        if (id_pool_used(&p->r->ids, id) && registry_line(p->r, id)->state == SERIES_LIVE)
            bitmap[id / 64] |= (uint64_t)1 << (id % 64);
    }
    if (e == OK)
        candidates_from_bitmap(p, bitmap);
    mem_free(bitmap);
    return e;
}

/* About how many series a positive matcher gives; exact for literals. Without literals all series
 * with the label would have to be counted: that is left as "many". */
static err estimate(struct picker *p, const struct matcher *m, size_t *out)
{
    const str *literals;
    size_t count = literals_of(m, true, &literals);
    uint32_t name = symbols_find_name(&p->r->symbols, m->name);
    *out = 0;
    if (name == ID_NONE)
        return OK;
    if (count == 0) {
        *out = SIZE_MAX - 1;
        return OK;
    }
    return each_literal(p, name, literals, count, count_pair, out);
}

/* Take the positive matcher that promises least. `*best` is its index, or matcher_count: there is
 * none. */
static err choose(struct picker *p, size_t *best)
{
    size_t least = SIZE_MAX;
    *best = p->args->matcher_count;
    for (size_t i = 0; i < p->args->matcher_count; i++) {
        const struct matcher *m = &p->args->matchers[i];
        size_t size;
        if (!is_positive(m))
            continue;
        TRY(estimate(p, m, &size));
        if (size < least) {
            least = size;
            *best = i;
        }
    }
    return OK;
}

static err candidates_first(struct picker *p, size_t best)
{
    if (best == p->args->matcher_count)
        return candidates_all(p);
    const struct matcher *m = &p->args->matchers[best];
    uint32_t name = symbols_find_name(&p->r->symbols, m->name);
    if (name == ID_NONE)
        return OK;
    if (m->type != MATCH_EQUAL)
        return candidates_from_pairs(p, name, m);
    uint32_t pair = symbols_find_pair(&p->r->symbols, name, m->value);
    if (pair != ID_NONE)
        candidates_from_set(p, &symbols_pair(&p->r->symbols, pair)->series);
    return OK;
}

/* ---- Thinning out ---- */

static void filter_equal(struct picker *p, uint32_t name, const struct matcher *m)
{
    uint32_t pair = symbols_find_pair(&p->r->symbols, name, m->value);
    p->count = pair == ID_NONE
                   ? 0
                   : idset_intersect(&symbols_pair(&p->r->symbols, pair)->series, p->ids, p->count);
}

/* Mark all series of the accepted (for a negative matcher: refused) values, then look the
 * candidates up. */
static err filter_by_values(struct picker *p, uint32_t name, const struct matcher *m)
{
    bool wanted = is_positive(m);
    uint64_t *bitmap = mem_zalloc(bitmap_words(p), sizeof(uint64_t));
    err e = each_pair(p, name, m, wanted, mark_pair, bitmap);
    size_t kept = 0;
    for (size_t i = 0; i < p->count && e == OK; i++) {
        uint32_t id = p->ids[i];
        p->ids[kept] = id;
        kept += ((bitmap[id / 64] >> (id % 64) & 1) != 0) == wanted;
    }
    if (e == OK)
        p->count = kept;
    mem_free(bitmap);
    return e;
}

const struct symbol_pair *registry_pair_of(const struct registry *r, uint32_t id, uint32_t name,
                                           unsigned *guess)
{
    const struct series *s = registry_line(r, id);
    for (unsigned i = 0, at = *guess; i < s->label_count; i++, at++) {
        if (at >= s->label_count)
            at = 0;
        const struct symbol_pair *pair = symbols_pair(&r->symbols, s->meta->pairs[at]);
        if (pair->name == name) {
            *guess = at;
            return pair;
        }
    }
    return NULL;
}

/* Judge the candidates' own values, each distinct one once: two bits for each value of the name. */
static err filter_by_labels(struct picker *p, uint32_t name, const struct matcher *m)
{
    size_t words = symbols_name(&p->r->symbols, name)->pair_count / 64 + 1;
    uint64_t *known = mem_zalloc(words * 2, sizeof(uint64_t)), *good = known + words;
    str prefix = prefix_of(m);
    err e = OK;
    unsigned guess = 0;
    size_t kept = 0;
    for (size_t i = 0; i < p->count && e == OK; i++) {
        e = step(p);
        const struct symbol_pair *pair = registry_pair_of(p->r, p->ids[i], name, &guess);
        bool keep = m->matches_empty;
        if (pair != NULL) {
            size_t word = pair->slot / 64;
            uint64_t bit = (uint64_t)1 << (pair->slot % 64);
            if ((known[word] & bit) == 0) {
                known[word] |= bit;
                good[word] |= accepts(m, prefix, symbols_value(pair)) ? bit : 0;
            }
            keep = (good[word] & bit) != 0;
        }
        p->ids[kept] = p->ids[i];
        kept += keep;
    }
    if (e == OK)
        p->count = kept;
    mem_free(known);
    return e;
}

/* How long each way would take. */
static err choose_filter(struct picker *p, uint32_t name, const struct matcher *m, bool *by_labels)
{
    const str *literals;
    size_t literal_count = literals_of(m, is_positive(m), &literals);
    size_t values = symbols_name(&p->r->symbols, name)->pair_count;
    size_t judge = m->regex != NULL ? COST_REGEX : COST_COMPARE;
    size_t marked = p->r->series_count / 2; /* unless known */
    if (literal_count > 0) {
        marked = 0;
        TRY(each_literal(p, name, literals, literal_count, count_pair, &marked));
    }
    size_t labels_ns = p->count * COST_LABELS + MIN(p->count, values) * judge;
    size_t values_ns = (marked + p->count + bitmap_words(p)) * COST_MARK +
                       (literal_count > 0 ? literal_count : values) * judge;
    *by_labels = labels_ns < values_ns;
    return OK;
}

static err filter(struct picker *p, const struct matcher *m)
{
    uint32_t name = symbols_find_name(&p->r->symbols, m->name);
    if (name == ID_NONE) { /* no series has the label */
        p->count = is_positive(m) ? 0 : p->count;
        return OK;
    }
    if (m->type == MATCH_EQUAL && is_positive(m)) {
        filter_equal(p, name, m);
        return OK;
    }
    bool by_labels;
    TRY(choose_filter(p, name, m, &by_labels));
    return by_labels ? filter_by_labels(p, name, m) : filter_by_values(p, name, m);
}

static int filter_rank(const struct matcher *m)
{
    return m->type == MATCH_EQUAL && is_positive(m) ? 0 : 1;
}

static err pick(struct picker *p)
{
    size_t best;
    TRY(select_poll(p->args));
    TRY(choose(p, &best));
    TRY(candidates_first(p, best));
    for (int rank = 0; rank <= 1; rank++)
        for (size_t i = 0; i < p->args->matcher_count && p->count > 0; i++)
            if (i != best && filter_rank(&p->args->matchers[i]) == rank)
                TRY(filter(p, &p->args->matchers[i]));
    if (p->args->series_max > 0 && p->count > p->args->series_max)
        return diag_set(p->d, ERR_LIMIT, "the selector matches %zu series in memory (limit %zu)",
                        p->count, p->args->series_max);
    return OK;
}

err select_locked(struct registry *r, const struct db_select_args *args, uint32_t **ids,
                  size_t *count, struct diag *d)
{
    struct picker p = {.r = r, .args = args, .d = d};
    err e = pick(&p);
    if (e != OK) {
        mem_free(p.ids);
        return e;
    }
    *ids = p.ids;
    *count = p.count;
    return OK;
}

err registry_select(struct registry *r, const struct db_select_args *args, struct arena *a,
                    uint32_t **out, size_t *count, struct diag *d)
{
    uint32_t *ids = NULL;
    size_t n = 0;
    rwlock_read(&r->lock);
    err e = select_locked(r, args, &ids, &n, d);
    rwlock_unlock(&r->lock);
    TRY(e);
    uint32_t *copy = arena_alloc(a, MAX(n, (size_t)1) * sizeof(uint32_t));
    if (copy != NULL) {
        if (n > 0)
            memcpy(copy, ids, n * sizeof(uint32_t));
        *out = copy;
        *count = n;
    } else {
        e = diag_set(d, ERR_LIMIT, "the query's memory limit is too small for %zu series", n);
    }
    mem_free(ids);
    return e;
}
