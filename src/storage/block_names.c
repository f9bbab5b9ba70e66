/* block_names.c -- see block.h: label names and values.
 *
 * Postings are in the order of names and values, so one walk gives them sorted. Matchers of the
 * label whose values are listed judge the values; the others select series, which the walk asks
 * each posting for. */
#include "base/mem.h"
#include "storage/block_priv.h"
#include "storage/idbits.h"
#include "storage/select_shape.h"

enum { DENSE = 4 }; /* more than 1/4 of all series */

struct listing {
    struct block_cursor *c;
    struct diag *d;
    struct select_split split;
    struct postings *among; /* series to have; NULL: any */
    uint64_t *bits;         /* of `among`, when most postings' first series are not in it */
    size_t limit;           /* 0: none */
    struct buf list;        /* str */
};

static size_t listed(const struct listing *l)
{
    return l->list.len / sizeof(str);
}

static bool is_full(const struct listing *l)
{
    return l->limit > 0 && listed(l) >= l->limit;
}

static err add_symbol(struct listing *l, uint32_t id)
{
    str text;
    TRY(block_symbol(l->c, id, &text, l->d));
    buf_put(&l->list, &text, sizeof(text));
    return OK;
}

/* Does a posting hold one of the series? */
static err meets(struct listing *l, const struct posting *p, bool *out)
{
    slice bytes;
    *out = true;
    if (l->among == NULL)
        return OK;
    TRY(posting_bytes(l->c, p, &bytes, l->d));
    uint32_t series = (uint32_t)l->c->b->meta.series;
    return postings_stored_meet(bytes, series, l->among, l->bits, out) == OK
               ? OK
               : posting_malformed(l->c, p, l->d);
}

/* Select the series; `among` stays NULL when it would be all of them. */
static err select_series(struct listing *l, const struct matcher *ms, size_t count)
{
    if (count == 0)
        return OK;
    uint32_t series = (uint32_t)l->c->b->meta.series;
    TRY(block_select(l->c, ms, count, &l->among, l->d));
    if (postings_count(l->among) == series) {
        postings_free(l->among);
        l->among = NULL;
    }
    return OK;
}

/* Prepare for walking. Where a posting's first series is mostly among those selected, a bitmap
 * would take longer to make than it saves. */
static void mark_series(struct listing *l)
{
    uint64_t series = l->c->b->meta.series;
    if (l->among == NULL || postings_count(l->among) > series / DENSE)
        return;
    l->bits = mem_zalloc(idbits_words((uint32_t)series), sizeof(uint64_t));
    postings_mark(l->among, l->bits);
}

static bool is_nothing(const struct listing *l)
{
    return l->among != NULL && postings_count(l->among) == 0;
}

/* Hand over what was listed, and end. */
static err finish(struct listing *l, err e, struct arena *a, str **out, size_t *count)
{
    size_t n = listed(l);
    str *items = e == OK ? ARENA_ARRAY(a, str, n + 1) : NULL;
    if (e == OK && items == NULL)
        e = ERR_LIMIT;
    if (e == OK) {
        if (n > 0)
            memcpy(items, l->list.ptr, l->list.len);
        *out = items;
        *count = n;
    }
    buf_fini(&l->list);
    mem_free(l->bits);
    postings_free(l->among);
    select_split_fini(&l->split);
    return e;
}

/* ---- Names ---- */

/* Every name's own posting is its first: jump from one to the next. */
static err list_names(struct listing *l)
{
    struct posting_walk w;
    struct posting p;
    err e;
    TRY(posting_seek(l->c, 0, &w, l->d));
    while (!is_full(l) && posting_next(l->c, &w, &p, &e, l->d)) {
        bool met;
        uint32_t name = p.name;
        TRY(meets(l, &p, &met));
        if (met)
            TRY(add_symbol(l, name));
        if (name == UINT32_MAX)
            return OK;
        TRY(posting_seek(l->c, posting_key(name + 1, POSTING_ANY_VALUE), &w, l->d));
    }
    return is_full(l) ? OK : e;
}

err block_label_names(struct block_cursor *c, const struct matcher *matchers, size_t count,
                      size_t limit, struct arena *a, str **out, size_t *out_count, struct diag *d)
{
    struct listing l = {.c = c, .d = d, .limit = limit};
    err e = select_series(&l, matchers, count);
    if (e == OK && !is_nothing(&l)) {
        mark_series(&l);
        e = list_names(&l);
    }
    return finish(&l, e, a, out, out_count);
}

/* ---- Values ---- */

/* The longest text that all values which the label's own matchers accept begin with. */
static str longest_prefix(const struct select_split *s)
{
    str longest = STR("");
    for (size_t i = 0; i < s->own_count; i++) {
        struct select_shape shape = select_shape_of(&s->own[i]);
        if (shape.kind == SHAPE_SCAN && shape.keeps && shape.prefix.len > longest.len)
            longest = shape.prefix;
    }
    return longest;
}

/* One value on the walk; *past: it and all behind it have not the prefix. */
static err list_value(struct listing *l, const struct posting *p, str prefix, bool *past)
{
    str value;
    bool met;
    *past = false;
    if (l->split.own_count > 0) {
        TRY(block_symbol_peek(l->c, p->value, &value, l->d));
        *past = !str_starts(value, prefix);
        if (*past || !select_accepts(&l->split, value))
            return OK;
    }
    TRY(meets(l, p, &met));
    return met ? add_symbol(l, p->value) : OK;
}

static err list_values(struct listing *l, uint32_t name)
{
    struct posting_walk w;
    struct posting p;
    str prefix = longest_prefix(&l->split);
    uint64_t first = 0;
    err e = OK;
    if (prefix.len > 0)
        TRY(block_symbol_bound(l->c, prefix, &first, l->d));
    if (first >= l->c->b->meta.symbols)
        return OK;
    TRY(posting_seek(l->c, posting_key(name, (uint32_t)first), &w, l->d));
    while (!is_full(l) && posting_next(l->c, &w, &p, &e, l->d) && p.name == name) {
        bool past;
        TRY(list_value(l, &p, prefix, &past));
        if (past)
            return OK;
    }
    return e;
}

/* The values in few series: look at the series, and let a set of symbols sort them. */
static err list_values_of_few(struct listing *l, uint32_t name)
{
    uint32_t ids[BLOCK_FEW_SERIES];
    size_t count = (size_t)postings_count(l->among), n = 0;
    postings_ids(l->among, ids);
    for (size_t i = 0; i < count; i++) {
        uint32_t value;
        TRY(block_value_of(l->c, ids[i], name, &value, l->d));
        if (value != POSTING_ANY_VALUE)
            ids[n++] = value;
    }
    struct postings *values = postings_from(ids, n);
    n = (size_t)postings_count(values);
    postings_ids(values, ids);
    postings_free(values);
    for (size_t i = 0; i < n && !is_full(l); i++) {
        str value;
        TRY(block_symbol_peek(l->c, ids[i], &value, l->d));
        if (select_accepts(&l->split, value))
            TRY(add_symbol(l, ids[i]));
    }
    return OK;
}

static err values_of(struct listing *l, str name)
{
    uint32_t id;
    err e = block_symbol_find(l->c, name, &id, l->d);
    if (e == ERR_NOTFOUND)
        return OK;
    TRY(e);
    TRY(select_series(l, l->split.rest, l->split.rest_count));
    if (is_nothing(l))
        return OK;
    if (l->among != NULL && postings_count(l->among) <= BLOCK_FEW_SERIES)
        return list_values_of_few(l, id);
    mark_series(l);
    return list_values(l, id);
}

err block_label_values(struct block_cursor *c, str name, const struct matcher *matchers,
                       size_t count, size_t limit, struct arena *a, str **out, size_t *out_count,
                       struct diag *d)
{
    struct listing l = {.c = c, .d = d, .limit = limit};
    select_split_init(&l.split, name, matchers, count);
    return finish(&l, values_of(&l, name), a, out, out_count);
}
