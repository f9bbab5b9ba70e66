/* block_select.c -- see block.h: matchers to series, label names and values. */
#include "base/assert.h"
#include "base/mem.h"
#include "storage/block_priv.h"

/* With this many series or fewer left, a matcher that would walk all values of a label looks at the
 * series instead. */
enum { FILTER_SERIES_MAX = 512 };

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

err posting_union(struct block_cursor *c, const struct posting *p, struct postings *to,
                  struct diag *d)
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
    if (postings_decode_or(bytes, (uint32_t)b->meta.series, to) != OK)
        return block_corrupt(b, d, "index.mdb: postings of symbols %u, %u are malformed", p->name,
                             p->value);
    return OK;
}

/* Add the series that have the pair; none is fine. */
static err union_of(struct block_cursor *c, uint32_t name, uint32_t value, struct postings *to,
                    struct diag *d)
{
    struct posting_walk w;
    struct posting p;
    err e;
    TRY(posting_seek(c, posting_key(name, value), &w, d));
    if (!posting_next(c, &w, &p, &e, d))
        return e;
    return p.name == name && p.value == value ? posting_union(c, &p, to, d) : OK;
}

static err union_of_text(struct block_cursor *c, uint32_t name, str value, struct postings *to,
                         struct diag *d)
{
    uint32_t id;
    err e = value.len > 0 ? block_symbol_find(c, value, &id, d) : ERR_NOTFOUND;
    if (e == ERR_NOTFOUND)
        return OK;
    return e == OK ? union_of(c, name, id, to, d) : e;
}

/* ---- One matcher ---- */

static bool is_regex(const struct matcher *m)
{
    return m->type == MATCH_REGEX || m->type == MATCH_NOT_REGEX;
}

/* The values whose series are collected: those that decide. A matcher that refuses the absent
 * label keeps the series of values it accepts; one that accepts it removes the series of values
 * it refuses. */
static bool decides(const struct matcher *m, str value)
{
    return matcher_matches(m, value) != m->matches_empty;
}

/* Collect by walking the label's values; only those with the regex's prefix when all deciding
 * ones have it. */
static err collect_by_walk(struct block_cursor *c, const struct matcher *m, uint32_t name,
                           struct postings *to, struct diag *d)
{
    struct posting_walk w;
    struct posting p;
    uint64_t first = 0;
    err e;
    bool positive = (m->type == MATCH_REGEX) != m->matches_empty;
    str prefix = positive ? regex_prefix(m->regex) : STR("");
    if (prefix.len > 0)
        TRY(block_symbol_bound(c, prefix, &first, d));
    if (first >= c->b->meta.symbols)
        return OK;
    TRY(posting_seek(c, posting_key(name, (uint32_t)first), &w, d));
    while (posting_next(c, &w, &p, &e, d) && p.name == name) {
        str value;
        if (p.value == POSTING_ANY_VALUE)
            continue;
        TRY(block_symbol_peek(c, p.value, &value, d));
        if (prefix.len > 0 && !str_starts(value, prefix))
            break;
        if (decides(m, value))
            TRY(posting_union(c, &p, to, d));
    }
    return e;
}

/* Collect the series of a list of values, if the deciding ones can be listed; false: they
 * cannot. */
static bool collect_by_list(struct block_cursor *c, const struct matcher *m, uint32_t name,
                            struct postings *to, err *e, struct diag *d)
{
    const str *values = &m->value;
    size_t count = 1;
    /* Does the list hold the deciding values, and not their complement? */
    bool listed = (m->type == MATCH_EQUAL || m->type == MATCH_REGEX) != m->matches_empty;
    if (is_regex(m))
        count = regex_literals(m->regex, &values);
    *e = OK;
    if (count == 0 || !listed)
        return false;
    for (size_t i = 0; i < count && *e == OK; i++)
        *e = union_of_text(c, name, values[i], to, d);
    return true;
}

/* Does the label's mere presence decide? `x=""`, `x!=""`, `x=~".+"`, `x!~".+"`. */
static bool any_decides(const struct matcher *m)
{
    return is_regex(m) ? str_eq(m->value, STR(".+")) : m->value.len == 0;
}

/* The series of the deciding values into `to`. */
static err collect(struct block_cursor *c, const struct matcher *m, struct postings *to,
                   struct diag *d)
{
    uint32_t name;
    err e = block_symbol_find(c, m->name, &name, d);
    if (e != OK)
        return e == ERR_NOTFOUND ? OK : e;
    if (is_regex(m) && str_eq(m->value, STR(".*")))
        return OK; /* no value decides: all are like the absent one */
    if (any_decides(m))
        return union_of(c, name, POSTING_ANY_VALUE, to, d);
    if (collect_by_list(c, m, name, to, &e, d))
        return e;
    return collect_by_walk(c, m, name, to, d);
}

/* ---- Few series left: look at them ---- */

/* The value symbol of `name` in series `id`; POSTING_ANY_VALUE: it has none. */
static err value_in_series(struct block_cursor *c, uint32_t id, uint32_t name, uint32_t *out,
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
    uint32_t ids[FILTER_SERIES_MAX], name, last = POSTING_ANY_VALUE;
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
            TRY(value_in_series(c, ids[i], name, &value, d));
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

static bool walks(const struct matcher *m)
{
    const str *values;
    if (any_decides(m))
        return false;
    bool listed = (m->type == MATCH_EQUAL || m->type == MATCH_REGEX) != m->matches_empty;
    return !listed || (is_regex(m) && regex_literals(m->regex, &values) == 0);
}

static err apply(struct block_cursor *c, const struct matcher *m, struct postings **set,
                 struct diag *d)
{
    if (walks(m) && postings_count(*set) <= FILTER_SERIES_MAX)
        return filter(c, m, set, d);
    struct postings *found = postings_empty();
    err e = collect(c, m, found, d);
    if (e == OK && m->matches_empty)
        postings_andnot(*set, found);
    else if (e == OK)
        postings_and(*set, found);
    postings_free(found);
    return e;
}

/* Order of evaluation: what narrows most for least comes first. */
static int cost_of(const struct matcher *m)
{
    if (m->type == MATCH_EQUAL && !m->matches_empty)
        return 0;
    if (walks(m))
        return m->matches_empty ? 4 : 3;
    return m->matches_empty ? 2 : 1;
}

err block_select(struct block_cursor *c, const struct matcher *matchers, size_t count,
                 struct postings **out, struct diag *d)
{
    struct postings *set = postings_range((uint32_t)c->b->meta.series);
    err e = OK;
    for (int cost = 0; cost <= 4; cost++) {
        for (size_t i = 0; i < count && e == OK; i++) {
            if (cost_of(&matchers[i]) == cost && postings_count(set) > 0)
                e = apply(c, &matchers[i], &set, d);
        }
    }
    if (e != OK)
        postings_free(set);
    else
        *out = set;
    return e;
}

/* ---- Names and values ---- */

/* Hand a list of strings collected in `list` over to `a`. */
static err give_strings(struct buf *list, err e, struct arena *a, str **out, size_t *count)
{
    size_t n = list->len / sizeof(str);
    str *items = e == OK ? ARENA_ARRAY(a, str, n) : NULL;
    if (e == OK && items == NULL)
        e = ERR_LIMIT;
    if (e == OK) {
        if (n > 0)
            memcpy(items, list->ptr, list->len);
        *out = items;
        *count = n;
    }
    buf_fini(list);
    return e;
}

/* Does a posting share a series with `among` (NULL: any)? */
static err meets(struct block_cursor *c, const struct posting *p, const struct postings *among,
                 bool *out, struct diag *d)
{
    *out = true;
    if (among == NULL)
        return OK;
    struct postings *set = postings_empty();
    err e = posting_union(c, p, set, d);
    *out = e == OK && postings_meet(set, among);
    postings_free(set);
    return e;
}

static err add_symbol(struct block_cursor *c, uint32_t id, struct buf *list, struct diag *d)
{
    str text;
    TRY(block_symbol(c, id, &text, d));
    buf_put(list, &text, sizeof(text));
    return OK;
}

/* Every name's own posting is its first: jump from one to the next. */
static err list_names(struct block_cursor *c, const struct postings *among, struct buf *list,
                      struct diag *d)
{
    struct posting_walk w;
    struct posting p;
    err e;
    TRY(posting_seek(c, 0, &w, d));
    while (posting_next(c, &w, &p, &e, d)) {
        bool met;
        uint32_t name = p.name;
        TRY(meets(c, &p, among, &met, d));
        if (met)
            TRY(add_symbol(c, name, list, d));
        if (name == UINT32_MAX)
            break;
        TRY(posting_seek(c, posting_key(name + 1, POSTING_ANY_VALUE), &w, d));
    }
    return e;
}

err block_label_names(struct block_cursor *c, struct arena *a, str **out, size_t *count,
                      struct diag *d)
{
    struct buf list = {0};
    err e = list_names(c, NULL, &list, d);
    return give_strings(&list, e, a, out, count);
}

err block_label_names_of(struct block_cursor *c, const struct postings *among, struct arena *a,
                         str **out, size_t *count, struct diag *d)
{
    struct buf list = {0};
    err e = list_names(c, among, &list, d);
    return give_strings(&list, e, a, out, count);
}

static err list_values(struct block_cursor *c, uint32_t name, const struct postings *among,
                       struct buf *list, struct diag *d)
{
    struct posting_walk w;
    struct posting p;
    err e;
    TRY(posting_seek(c, posting_key(name, 0), &w, d));
    while (posting_next(c, &w, &p, &e, d) && p.name == name) {
        bool met;
        TRY(meets(c, &p, among, &met, d));
        if (met)
            TRY(add_symbol(c, p.value, list, d));
    }
    return e;
}

/* The values in few series: look at the series, and let a set of symbols sort them. */
static err list_values_of_few(struct block_cursor *c, uint32_t name, const struct postings *among,
                              struct buf *list, struct diag *d)
{
    uint32_t ids[FILTER_SERIES_MAX];
    size_t count = (size_t)postings_count(among), n = 0;
    postings_ids(among, ids);
    for (size_t i = 0; i < count; i++) {
        uint32_t value;
        TRY(value_in_series(c, ids[i], name, &value, d));
        if (value != POSTING_ANY_VALUE)
            ids[n++] = value;
    }
    struct postings *values = postings_from(ids, n);
    n = (size_t)postings_count(values);
    postings_ids(values, ids);
    postings_free(values);
    for (size_t i = 0; i < n; i++)
        TRY(add_symbol(c, ids[i], list, d));
    return OK;
}

err block_label_values(struct block_cursor *c, str name, const struct postings *among,
                       struct arena *a, str **out, size_t *count, struct diag *d)
{
    struct buf list = {0};
    uint32_t id;
    err e = block_symbol_find(c, name, &id, d);
    if (e == OK && among != NULL && postings_count(among) <= FILTER_SERIES_MAX)
        e = list_values_of_few(c, id, among, &list, d);
    else if (e == OK)
        e = list_values(c, id, among, &list, d);
    return give_strings(&list, e == ERR_NOTFOUND ? OK : e, a, out, count);
}
