/* cached_exec.c -- range queries with the help of answers that were given before.
 *
 * An entry of the cache is used for the steps it has in common with the query, as far as nothing
 * they look at was changed since (a stretch of steps: what lies outside of it is evaluated anew,
 * before and behind). That gives the answer of a whole evaluation when the query is step-local
 * (step_local.h) and, on top of that:
 *   - where values depend on the order of series, the store gave the series in the same order then
 *     and now: the parts are evaluated over the series of the whole query, whose order is compared;
 *   - every annotation of the entry is raised by the steps evaluated now, too. Those may not be all
 *     the entry's steps that are used, so it would not be known whether the others raise it;
 *   - no annotation tells how often or between which times it was raised.
 * When it turns out that one of these does not hold, or anything fails, the query is evaluated as a
 * whole. */
#include "query/engine_priv.h"
#include "query/printer.h"
#include "query/step_local.h"

enum { STEPS_MIN = 4 }; /* a query with fewer is not kept */

struct part { /* steps [from, to) of the query */
    size_t from, to;
    struct value value;
};

struct cached { /* one query at work */
    struct query *q;
    struct result_cache *cache;
    struct result_cache_counters *counters;
    struct step_local local;
    struct buf key;
    uint64_t generation; /* of the store, before anything was read */
    struct kept *old;    /* the entry used; NULL: none */
    size_t from, to;     /* steps of the query taken from it */
    size_t old_from;     /* the step of it that is `from` */
    struct part parts[2];
    size_t part_count;
    uint64_t order;
    bool order_differs;
};

static void count(_Atomic uint64_t *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

/* ---- What is asked for ---- */

/* All that the answer's rows depend on but the times and the store. Ranges of about one length
 * share an entry, so that two panels over an hour and a day do not take it from one another. */
static void make_key(struct cached *c)
{
    const struct query_options *o = &c->q->options;
    int64_t phase = o->start_ms % o->step_ms;
    unsigned length = 64 - (unsigned)__builtin_clzll(c->q->grid.count);
    unsigned flags = (unsigned)o->type_and_unit_labels | (unsigned)o->use_start_timestamps << 1;
    buf_put_u64(&c->key, (uint64_t)o->step_ms);
    buf_put_u64(&c->key, (uint64_t)(phase < 0 ? phase + o->step_ms : phase));
    buf_put_u64(&c->key, (uint64_t)o->lookback_ms);
    buf_put_u64(&c->key, (uint64_t)o->subquery_step_ms);
    buf_put_u8(&c->key, (uint8_t)length);
    buf_put_u8(&c->key, (uint8_t)flags);
    expr_format(c->q->tree, &c->key);
}

static bool is_kept(const struct query *q)
{
    const struct query_source *s = q->env.source;
    return q->options.step_ms > 0 && !q->options.step_stats && q->grid.count >= STEPS_MIN &&
           s->hash != NULL && s->generation != NULL && s->unchanged != NULL;
}

/* ---- What of the entry is current ---- */

/* The steps that entry and query have in common. */
static bool overlap(struct cached *c, const struct kept *k)
{
    const struct grid *g = &c->q->grid;
    int64_t ahead = (g->start_ms - k->start_ms) / g->step_ms; /* exact: same step, same phase */
    int64_t first = MAX(0, -ahead);
    int64_t end = MIN((int64_t)g->count, (int64_t)k->count - ahead);
    if (first >= end)
        return false;
    c->from = (size_t)first;
    c->to = (size_t)end;
    c->old_from = (size_t)(first + ahead);
    return true;
}

/* Leave the longest stretch of steps that look at nothing that has changed. */
static bool narrow(struct cached *c, const struct kept *k)
{
    const struct grid *g = &c->q->grid;
    const struct query_env *env = &c->q->env;
    int64_t first_ms = grid_time(g, c->from), last_ms = grid_time(g, c->to - 1), from_ms, to_ms;
    int64_t min_ms = first_ms - c->local.before_ms, max_ms = last_ms + c->local.after_ms;
    if (!env->source->unchanged(env->store, k->generation, min_ms, max_ms, &from_ms, &to_ms))
        return false;
    int64_t least = from_ms > min_ms ? from_ms + c->local.before_ms : first_ms;
    int64_t most = to_ms < max_ms ? to_ms - c->local.after_ms : last_ms;
    size_t from = c->from;
    while (from < c->to && grid_time(g, from) < least)
        from++;
    while (c->to > from && grid_time(g, c->to - 1) > most)
        c->to--;
    c->old_from += from - c->from;
    c->from = from;
    return c->from < c->to;
}

static bool has_annotations(const struct kept *k)
{
    return k->warning_count + k->info_count > 0;
}

/* Is it about the query's steps and no others? (And about its first: what is used begins there.) */
static bool is_exact(const struct cached *c, const struct kept *k)
{
    return c->from == 0 && c->old_from == 0 && k->count == c->q->grid.count;
}

/* Order and annotations can only be compared with those of an evaluation: of the last step. The
 * order may have changed though no sample did: a series that has none in the range is found with
 * the rest once it has samples in the head. */
static bool leave_witness(struct cached *c, const struct kept *k)
{
    bool whole = c->to - c->from == c->q->grid.count;
    if (!whole || (!c->local.ordered && (!has_annotations(k) || is_exact(c, k))))
        return true;
    c->to--;
    return c->from < c->to;
}

static void find_entry(struct cached *c)
{
    struct kept *k = result_cache_get(c->cache, buf_str(&c->key));
    if (k == NULL || !overlap(c, k)) {
        count(&c->counters->misses, 1);
    } else if (!narrow(c, k)) {
        count(&c->counters->changed, 1);
    } else if (!leave_witness(c, k) || (has_annotations(k) && !str_eq(k->text, c->q->text))) {
        count(&c->counters->rejected, 1);
    } else {
        c->old = k;
        return;
    }
    kept_unref(k);
}

/* ---- Evaluating ---- */

/* The series selected since `before`, in order. */
static uint64_t hash_order(struct cached *c, const struct selected *before)
{
    const struct query_source *source = c->q->env.source;
    uint64_t h = c->q->exec.order;
    for (const struct selected *s = c->q->exec.selections; s != before; s = s->next) {
        h = (h ^ s->count) * UINT64_C(0x9e3779b97f4a7c15);
        for (size_t i = 0; i < s->count; i++) {
            hash128 id = source->hash(s->selection, i);
            h = (h ^ (h >> 29) ^ id.lo) * UINT64_C(0xbf58476d1ce4e5b9) + id.hi;
        }
    }
    return h;
}

static err evaluate_part(struct cached *c, size_t from, size_t to)
{
    struct query *q = c->q;
    const struct selected *before = q->exec.selections;
    struct part *p = &c->parts[c->part_count++];
    struct grid g = {grid_time(&q->grid, from), q->grid.step_ms, to - from, 0};
    g.end_ms = MAX(q->grid.end_ms, g.start_ms + 1); /* its last step alone is no instant query */
    *p = (struct part){.from = from, .to = to};
    q->exec.order = 0;
    q->exec.whole = c->local.ordered ? &q->grid : NULL;
    TRY(query_evaluate(q, &g, &p->value));
    if (c->local.ordered)
        c->order = hash_order(c, before);
    bool differs = c->old != NULL && c->order != c->old->order;
    c->order_differs = c->order_differs || differs || (c->local.ordered && q->exec.rows_join);
    return OK;
}

static void close_parts(struct cached *c)
{
    for (size_t i = 0; i < c->part_count; i++)
        if (c->parts[i].value.type != VALUE_NONE)
            value_fini(&c->q->exec, &c->parts[i].value);
    c->part_count = 0;
}

/* What the entry does not have. */
static err evaluate_rest(struct cached *c)
{
    size_t steps = c->q->grid.count;
    if (c->from > 0)
        TRY(evaluate_part(c, 0, c->from));
    return c->to < steps ? evaluate_part(c, c->to, steps) : OK;
}

/* ---- Is it the answer of a whole evaluation? ---- */

static bool among(str s, const str *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(items[i], s))
            return true;
    return false;
}

static bool all_among(const str *items, size_t count, const str *in, size_t in_count)
{
    for (size_t i = 0; i < count; i++)
        if (!among(items[i], in, in_count))
            return false;
    return true;
}

struct texts {
    str *warnings, *infos;
    size_t warning_count, info_count;
};

static err list_texts(struct cached *c, struct arena *a, struct texts *out)
{
    return annotations_list(&c->q->exec.annotations, a, &out->warnings, &out->warning_count,
                            &out->infos, &out->info_count);
}

static bool fits(const struct cached *c, const struct texts *t)
{
    const struct kept *k = c->old;
    if (c->order_differs)
        return false;
    return all_among(k->warnings, k->warning_count, t->warnings, t->warning_count) &&
           all_among(k->infos, k->info_count, t->infos, t->info_count);
}

static bool has_repeated_labels(const struct row *rows, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (labels_eq(rows[i - 1].labels, rows[i].labels))
            return true;
    return false;
}

/* ---- Keeping ---- */

static err copy_texts(struct arena *a, const str *from, size_t count, const str **out)
{
    str *to = ARENA_ARRAY(a, str, count + 1);
    for (size_t i = 0; to != NULL && i < count; i++) {
        to[i] = arena_str(a, from[i]);
        if (to[i].ptr == NULL)
            return ERR_LIMIT;
    }
    *out = to;
    return to != NULL ? OK : ERR_LIMIT;
}

static err fill_kept(struct cached *c, struct kept *k, struct kept_part *parts, size_t part_count)
{
    struct texts t;
    TRY(list_texts(c, &k->arena, &t));
    TRY(copy_texts(&k->arena, t.warnings, t.warning_count, &k->warnings));
    TRY(copy_texts(&k->arena, t.infos, t.info_count, &k->infos));
    k->warning_count = t.warning_count;
    k->info_count = t.info_count;
    k->start_ms = c->q->grid.start_ms;
    k->step_ms = c->q->grid.step_ms;
    k->count = c->q->grid.count;
    k->generation = c->generation;
    k->order = c->order;
    return kept_fill(k, parts, part_count);
}

static struct kept *keep(struct cached *c, struct kept_part *parts, size_t part_count)
{
    for (size_t i = 0; i < part_count; i++)
        if (has_repeated_labels(parts[i].rows, parts[i].row_count))
            return NULL;
    struct kept *k = kept_new(c->cache, buf_str(&c->key), c->q->text);
    if (fill_kept(c, k, parts, part_count) == OK) {
        result_cache_put(c->cache, k);
        return k;
    }
    kept_unref(k); /* too large to be kept */
    return NULL;
}

static struct kept_part part_of(const struct part *p)
{
    return (struct kept_part){.rows = p->value.vec.rows,
                              .row_count = p->value.vec.count,
                              .count = p->to - p->from,
                              .at = p->from};
}

/* ---- The two ways ---- */

static err evaluate_whole(struct cached *c)
{
    struct query *q = c->q;
    c->old = NULL;
    TRY(evaluate_part(c, 0, q->grid.count));
    q->value = c->parts[0].value;
    c->part_count = 0; /* it is the query's now */
    if (c->order_differs || annotations_count(&q->exec.annotations))
        return OK;
    struct part all = {.to = q->grid.count, .value = q->value};
    struct kept_part part = part_of(&all);
    kept_unref(keep(c, &part, 1));
    return OK;
}

/* Put the answer together; false: it cannot be had in this way. */
static bool assemble(struct cached *c)
{
    struct query *q = c->q;
    struct texts t;
    if (annotations_count(&q->exec.annotations) || list_texts(c, &q->arena, &t) != OK ||
        !fits(c, &t))
        return false;
    struct kept_part parts[KEPT_PARTS_MAX] = {{.rows = c->old->rows,
                                               .row_count = c->old->row_count,
                                               .skip = c->old_from,
                                               .count = c->to - c->from,
                                               .at = c->from}};
    for (size_t i = 0; i < c->part_count; i++)
        parts[i + 1] = part_of(&c->parts[i]);
    q->kept = keep(c, parts, c->part_count + 1);
    return q->kept != NULL;
}

static err use_entry(struct cached *c, bool *used)
{
    struct query *q = c->q;
    *used = true;
    if (is_exact(c, c->old) && c->to - c->from == q->grid.count) {
        q->kept = c->old;
        count(&c->counters->hits, 1);
    } else {
        err e = evaluate_rest(c);
        if (e == ERR_CANCELED || e == ERR_TIMEOUT)
            return e;
        *used = e == OK && assemble(c);
        close_parts(c);
        if (!*used)
            return OK;
        kept_unref(c->old);
        count(c->from == 0 && c->to == q->grid.count ? &c->counters->hits : &c->counters->partial,
              1);
    }
    struct trace_node *node = trace_begin(q->exec.trace, "result cache", q->text);
    trace_set(node, TRACE_STEPS, c->to - c->from);
    trace_set(node, TRACE_SERIES, q->kept->row_count);
    trace_set(node, TRACE_CACHE_HITS, c->to - c->from);
    trace_end(q->exec.trace, node);
    count(&c->counters->steps, c->to - c->from);
    q->result.stats.steps_cached = c->to - c->from;
    return exec_hold(&q->exec, q->kept->points, q->exec.diag);
}

static err run(struct cached *c, struct diag *d)
{
    bool used = false;
    find_entry(c);
    if (c->old != NULL) {
        err e = use_entry(c, &used);
        if (e != OK || used)
            return e;
        count(&c->counters->rejected, 1);
        result_cache_drop(c->cache, c->old);
        kept_unref(c->old);
        query_exec_close(c->q);
        d->text[0] = '\0';
        query_exec_open(c->q, d);
        c->order_differs = false;
        c->generation = c->q->env.source->generation(c->q->env.store);
    }
    return evaluate_whole(c);
}

err query_evaluate_cached(struct query *q, struct diag *d)
{
    struct cached c = {.q = q, .cache = q->options.cache};
    if (is_kept(q))
        c.local = step_local_of(q->tree, &q->options);
    c.counters = result_cache_counters_to(c.cache);
    if (!c.local.ok) {
        count(&c.counters->refused, q->options.step_ms > 0);
        return query_evaluate(q, &q->grid, &q->value);
    }
    c.generation = q->env.source->generation(q->env.store);
    make_key(&c);
    err e = run(&c, d);
    close_parts(&c);
    buf_fini(&c.key);
    return e;
}
