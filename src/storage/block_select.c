/* block_select.c -- see block.h: matchers to series. */
#include "base/assert.h"
#include "base/mem.h"
#include "storage/block_priv.h"
#include "storage/idbits.h"
#include "storage/select_shape.h"

/* From so many sets on, a union is collected in a bitmap. */
enum { UNION_SETS_MIN = 32 };

/* Of more matchers none are joined: that takes their number squared. */
enum { JOINED_TERMS_MAX = 64 };

/* ---- Postings in key order ---- */

static err posting_in(struct block_cursor *c, const struct page *p, uint32_t i, struct posting *out,
                      struct diag *d)
{
    slice record;
    if (!page_get(p, i, &record) || !posting_get(record, out))
        return block_corrupt(c->b, d, "index.mdb: postings are malformed");
    return OK;
}

err posting_seek(struct block_cursor *c, uint64_t key, struct posting_walk *w, struct diag *d)
{
    size_t page = kv_floor(c->b->kv, KV_POSTINGS, key);
    *w = (struct posting_walk){0, 0};
    if (page == SIZE_MAX)
        return OK;
    TRY(cursor_page(c, KV_POSTINGS, page, &c->postings, d));
    uint32_t lo = 0, hi = c->postings.page.count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        struct posting p;
        TRY(posting_in(c, &c->postings.page, mid, &p, d));
        if (posting_key(p.name, p.value) < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    *w = (struct posting_walk){page, lo};
    return OK;
}

bool posting_next(struct block_cursor *c, struct posting_walk *w, struct posting *out, err *e,
                  struct diag *d)
{
    *e = OK;
    for (; w->page < kv_count(c->b->kv, KV_POSTINGS); w->page++, w->record = 0) {
        *e = cursor_page(c, KV_POSTINGS, w->page, &c->postings, d);
        if (*e != OK)
            return false;
        if (w->record < c->postings.page.count) {
            *e = posting_in(c, &c->postings.page, w->record, out, d);
            w->record++;
            return *e == OK;
        }
    }
    return false;
}

err posting_bytes(struct block_cursor *c, const struct posting *p, slice *out, struct diag *d)
{
    struct block *b = c->b;
    slice bytes = p->bytes;
    if (!p->is_inline) {
        size_t i = kv_floor(b->kv, KV_BITMAPS, p->bitmap);
        if (i == SIZE_MAX || kv_key(b->kv, KV_BITMAPS, i) != p->bitmap)
            return block_corrupt(b, d, "index.mdb: no bitmap %llu", (unsigned long long)p->bitmap);
        struct diag why;
        why.text[0] = '\0';
        err e = kv_get(b->kv, KV_BITMAPS, i, &c->value, &bytes, &why);
        if (e != OK)
            return block_report(b, e, &why, d);
    }
    *out = bytes;
    return OK;
}

err posting_malformed(struct block_cursor *c, const struct posting *p, struct diag *d)
{
    return block_corrupt(c->b, d, "index.mdb: postings of symbols %u, %u are malformed", p->name,
                         p->value);
}

err posting_union(struct block_cursor *c, const struct posting *p, struct postings *to,
                  struct diag *d)
{
    slice bytes;
    TRY(posting_bytes(c, p, &bytes, d));
    return postings_decode_or(bytes, (uint32_t)c->b->meta.series, to) == OK
               ? OK
               : posting_malformed(c, p, d);
}

/* ---- Unions of many sets ---- */

struct collector {
    struct postings *set; /* large sets; all until there are many. NULL: none */
    uint64_t *bits;       /* small sets; NULL until there are many */
    size_t count;         /* sets seen */
};

static err collector_add(struct block_cursor *c, struct collector *to, const struct posting *p,
                         struct diag *d)
{
    uint32_t id_limit = (uint32_t)c->b->meta.series;
    slice bytes;
    TRY(posting_bytes(c, p, &bytes, d));
    if (to->set == NULL)
        return postings_decode(bytes, id_limit, &to->set) == OK ? OK : posting_malformed(c, p, d);
    if (++to->count < UNION_SETS_MIN)
        return postings_decode_or(bytes, id_limit, to->set) == OK ? OK : posting_malformed(c, p, d);
    if (to->bits == NULL)
        to->bits = mem_zalloc(idbits_words(id_limit), sizeof(uint64_t));
    return postings_decode_mark(bytes, id_limit, to->bits, to->set) == OK
               ? OK
               : posting_malformed(c, p, d);
}

/* All that was collected; the caller's. */
static struct postings *collector_finish(struct collector *to, uint32_t id_limit)
{
    if (to->set == NULL)
        return postings_empty();
    if (to->bits != NULL) {
        struct postings *few = postings_from_bits(to->bits, idbits_words(id_limit));
        postings_or(to->set, few);
        postings_free(few);
        mem_free(to->bits);
    }
    return to->set;
}

/* Add the series that have the pair; none is fine. */
static err union_of(struct block_cursor *c, uint32_t name, uint32_t value, struct collector *to,
                    struct diag *d)
{
    struct posting_walk w;
    struct posting p;
    err e;
    TRY(posting_seek(c, posting_key(name, value), &w, d));
    if (!posting_next(c, &w, &p, &e, d))
        return e;
    return p.name == name && p.value == value ? collector_add(c, to, &p, d) : OK;
}

static err union_of_text(struct block_cursor *c, uint32_t name, str value, struct collector *to,
                         struct diag *d)
{
    uint32_t id;
    err e = value.len > 0 ? block_symbol_find(c, value, &id, d) : ERR_NOTFOUND;
    if (e == ERR_NOTFOUND)
        return OK;
    return e == OK ? union_of(c, name, id, to, d) : e;
}

/* ---- Terms ---- */

struct term { /* a matcher, and what goes with it */
    const struct matcher *m;
    struct select_shape shape;
    struct term *next; /* of the same label: its values are walked once for both */
    bool joined;       /* is some term's `next` */
};

struct picker { /* one block_select() */
    struct block_cursor *c;
    struct diag *d;
    struct term *terms;
    size_t term_count;
    struct postings *set; /* candidates; NULL: all */
};

/* Is the value kept, or else removed, by all that walk together? */
static bool value_counts(const struct term *t, str value)
{
    if (!select_decides(t->m, value))
        return false;
    for (const struct term *other = t->next; other != NULL; other = other->next)
        if (!matcher_matches(other->m, value))
            return false;
    return true;
}

/* Collect by walking the label's values; only those with the prefix of all deciding ones. */
static err collect_by_walk(struct picker *p, const struct term *t, uint32_t name,
                           struct collector *to)
{
    struct block_cursor *c = p->c;
    struct posting_walk w;
    struct posting at;
    uint64_t first = 0;
    str prefix = t->shape.prefix;
    err e;
    if (prefix.len > 0)
        TRY(block_symbol_bound(c, prefix, &first, p->d));
    if (first >= c->b->meta.symbols)
        return OK;
    TRY(posting_seek(c, posting_key(name, (uint32_t)first), &w, p->d));
    while (posting_next(c, &w, &at, &e, p->d) && at.name == name) {
        str value;
        if (at.value == POSTING_ANY_VALUE)
            continue;
        TRY(block_symbol_peek(c, at.value, &value, p->d));
        if (prefix.len > 0 && !str_starts(value, prefix))
            break;
        if (value_counts(t, value))
            TRY(collector_add(c, to, &at, p->d));
    }
    return e;
}

/* The series of the deciding values. */
static err collect(struct picker *p, const struct term *t, struct collector *to)
{
    uint32_t name;
    err e = block_symbol_find(p->c, t->m->name, &name, p->d);
    if (e != OK)
        return e == ERR_NOTFOUND ? OK : e;
    if (t->shape.kind == SHAPE_ANY)
        return union_of(p->c, name, POSTING_ANY_VALUE, to, p->d);
    if (t->shape.kind == SHAPE_SCAN)
        return collect_by_walk(p, t, name, to);
    for (size_t i = 0; i < t->shape.value_count; i++)
        TRY(union_of_text(p->c, name, t->shape.values[i], to, p->d));
    return OK;
}

/* ---- Few series left: look at them ---- */

err block_value_of(struct block_cursor *c, uint32_t id, uint32_t name, uint32_t *out,
                   struct diag *d)
{
    struct reader refs;
    hash128 hash;
    size_t count, chunk_count;
    TRY(cursor_series(c, id, &hash, &count, &chunk_count, &refs, d));
    *out = POSTING_ANY_VALUE;
    for (size_t i = 0; i < count; i++) {
        if (c->pairs[2 * i] == name)
            *out = c->pairs[2 * i + 1];
    }
    return OK;
}

/* Keep in `set` the series that `m` accepts. */
static err filter(struct block_cursor *c, const struct matcher *m, struct postings **set,
                  struct diag *d)
{
    uint32_t ids[BLOCK_FEW_SERIES], name, last = POSTING_ANY_VALUE;
    size_t count = (size_t)postings_count(*set), kept = 0;
    bool last_ok = m->matches_empty;
    err e = block_symbol_find(c, m->name, &name, d);
    if (e != OK && e != ERR_NOTFOUND)
        return e;
    bool absent = e == ERR_NOTFOUND;
    postings_ids(*set, ids);
    for (size_t i = 0; i < count; i++) {
        uint32_t value = POSTING_ANY_VALUE;
        if (!absent)
            TRY(block_value_of(c, ids[i], name, &value, d));
        if (value != last) {
            str text = STR("");
            if (value != POSTING_ANY_VALUE)
                TRY(block_symbol_peek(c, value, &text, d));
            last_ok = matcher_matches(m, text);
            last = value;
        }
        if (last_ok)
            ids[kept++] = ids[i];
    }
    postings_free(*set);
    *set = postings_from(ids, kept);
    return OK;
}

static bool is_few(const struct picker *p)
{
    return p->set != NULL && postings_count(p->set) <= BLOCK_FEW_SERIES;
}

static err apply(struct picker *p, const struct term *t)
{
    if (t->shape.kind == SHAPE_SCAN && is_few(p)) {
        for (const struct term *other = t; other != NULL; other = other->next)
            TRY(filter(p->c, other->m, &p->set, p->d));
        return OK;
    }
    struct collector to = {0};
    uint32_t series = (uint32_t)p->c->b->meta.series;
    err e = collect(p, t, &to);
    struct postings *found = collector_finish(&to, series);
    if (e == OK && p->set == NULL && t->shape.keeps) {
        p->set = found;
        return OK;
    }
    if (p->set == NULL)
        p->set = postings_range(series);
    if (e == OK && t->shape.keeps)
        postings_and(p->set, found);
    else if (e == OK)
        postings_andnot(p->set, found);
    postings_free(found);
    return e;
}

/* Order of evaluation: what narrows most for least comes first. */
enum { COST_COUNT = 6 };

static int cost_of(const struct term *t)
{
    if (t->shape.kind == SHAPE_LIST)
        return t->shape.keeps ? (t->shape.value_count == 1 ? 0 : 1) : 2;
    if (t->shape.kind == SHAPE_ANY)
        return 2;
    return t->m->regex != NULL && regex_is_slow(t->m->regex) ? 5 : t->shape.keeps ? 3 : 4;
}

/* Terms that walk the values of one label join the one of them that keeps and has the longest
 * prefix. */
static void join_walks(struct picker *p)
{
    for (size_t i = 0; i < p->term_count; i++) {
        struct term *t = &p->terms[i], *best = NULL;
        if (t->shape.kind != SHAPE_SCAN)
            continue;
        for (size_t k = 0; k < p->term_count; k++) {
            struct term *other = &p->terms[k];
            bool same = other->shape.kind == SHAPE_SCAN && str_eq(other->m->name, t->m->name);
            if (same && other->shape.keeps && !other->joined &&
                (best == NULL || other->shape.prefix.len > best->shape.prefix.len))
                best = other;
        }
        if (best == NULL || best == t || t->next != NULL)
            continue;
        t->joined = true;
        t->next = best->next;
        best->next = t;
    }
}

/* False: nothing can match. */
static bool plan(struct picker *p, const struct matcher *matchers, size_t count)
{
    p->terms = mem_zalloc(MAX(count, (size_t)1), sizeof(*p->terms));
    for (size_t i = 0; i < count; i++) {
        struct term t = {.m = &matchers[i], .shape = select_shape_of(&matchers[i])};
        if (t.shape.kind == SHAPE_NONE)
            return false;
        if (t.shape.kind != SHAPE_ALL)
            p->terms[p->term_count++] = t;
    }
    if (p->term_count <= JOINED_TERMS_MAX)
        join_walks(p);
    return true;
}

static err apply_all(struct picker *p)
{
    for (int cost = 0; cost < COST_COUNT; cost++)
        for (size_t i = 0; i < p->term_count; i++) {
            const struct term *t = &p->terms[i];
            if (t->joined || cost_of(t) != cost)
                continue;
            if (p->set != NULL && postings_count(p->set) == 0)
                return OK;
            TRY(apply(p, t));
        }
    if (p->set == NULL)
        p->set = postings_range((uint32_t)p->c->b->meta.series);
    return OK;
}

err block_select(struct block_cursor *c, const struct matcher *matchers, size_t count,
                 struct postings **out, struct diag *d)
{
    struct picker p = {.c = c, .d = d};
    err e = OK;
    if (plan(&p, matchers, count))
        e = apply_all(&p);
    else
        p.set = postings_empty();
    mem_free(p.terms);
    if (e == OK)
        *out = p.set;
    else
        postings_free(p.set);
    return e;
}
