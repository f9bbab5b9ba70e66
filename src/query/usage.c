/* usage.c -- see usage.h. Names stand in an open-addressing table of pointers to entries. */
#include "query/usage.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"

struct entry {
    uint64_t hash, requests;
    int64_t last_s;
    size_t len;
    char text[];
};

struct table {
    struct entry **slots; /* NULL: free */
    size_t cap, count;    /* cap is a power of two */
    size_t bytes;
};

struct metric_usage {
    struct mutex lock;
    struct table names, selectors;
    size_t bytes_max;
    uint64_t seed, names_dropped, selectors_dropped, changes;
    int64_t since_s;
};

struct metric_usage *usage_open(size_t bytes_max, int64_t now_s)
{
    struct metric_usage *u = mem_zalloc(1, sizeof(*u));
    mutex_init(&u->lock);
    u->bytes_max = bytes_max;
    u->seed = hash_random_seed();
    u->since_s = now_s;
    return u;
}

/* ---- Tables ---- */

static void table_fini(struct table *t)
{
    for (size_t i = 0; i < t->cap; i++)
        mem_free(t->slots[i]);
    mem_free(t->slots);
    *t = (struct table){0};
}

static struct entry **table_place(const struct table *t, uint64_t hash, str text)
{
    size_t i = hash & (t->cap - 1);
    while (t->slots[i] != NULL && !(t->slots[i]->hash == hash && t->slots[i]->len == text.len &&
                                    memcmp(t->slots[i]->text, text.ptr, text.len) == 0))
        i = (i + 1) & (t->cap - 1);
    return &t->slots[i];
}

static void table_grow(struct table *t)
{
    struct table old = *t;
    t->cap = old.cap > 0 ? 2 * old.cap : 64;
    t->slots = mem_zalloc(t->cap, sizeof(struct entry *));
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i] != NULL)
            *table_place(t, old.slots[i]->hash, (str){old.slots[i]->text, old.slots[i]->len}) =
                old.slots[i];
    t->bytes += (t->cap - old.cap) * sizeof(struct entry *);
    mem_free(old.slots);
}

/* False when there is no room for a new text. */
static bool table_add(struct table *t, uint64_t seed, size_t bytes_max, size_t count_max, str text,
                      uint64_t requests, int64_t last_s)
{
    if (2 * (t->count + 1) > t->cap)
        table_grow(t);
    uint64_t hash = hash64(str_bytes(text), seed);
    struct entry **at = table_place(t, hash, text);
    size_t size = sizeof(struct entry) + text.len;
    if (*at == NULL) {
        if (t->bytes + size > bytes_max || t->count == count_max)
            return false;
        struct entry *e = mem_zalloc(1, size);
        e->hash = hash;
        e->len = text.len;
        e->last_s = INT64_MIN;
        memcpy(e->text, text.ptr, text.len);
        *at = e;
        t->count++;
        t->bytes += size;
    }
    (*at)->requests += requests;
    (*at)->last_s = MAX((*at)->last_s, last_s);
    return true;
}

void usage_close(struct metric_usage *u)
{
    if (u == NULL)
        return;
    table_fini(&u->names);
    table_fini(&u->selectors);
    mutex_fini(&u->lock);
    mem_free(u);
}

/* ---- Counting ---- */

void usage_add(struct metric_usage *u, str metric, uint64_t requests, int64_t last_s)
{
    mutex_lock(&u->lock);
    u->changes++;
    if (!table_add(&u->names, u->seed, u->bytes_max, SIZE_MAX, metric, requests, last_s))
        u->names_dropped++;
    mutex_unlock(&u->lock);
}

static void add_selector(struct metric_usage *u, const struct matcher *matchers, size_t count,
                         int64_t now_s)
{
    struct buf text = {0};
    buf_put_u8(&text, '{');
    for (size_t i = 0; i < count && text.len <= USAGE_SELECTOR_TEXT_MAX; i++) {
        if (i > 0)
            buf_put_u8(&text, ',');
        matcher_format(&matchers[i], &text);
    }
    buf_put_u8(&text, '}');
    mutex_lock(&u->lock);
    u->changes++;
    if (text.len > USAGE_SELECTOR_TEXT_MAX ||
        !table_add(&u->selectors, u->seed, SIZE_MAX, USAGE_SELECTORS_MAX, buf_str(&text), 1, now_s))
        u->selectors_dropped++;
    mutex_unlock(&u->lock);
    buf_fini(&text);
}

struct names { /* of one query */
    str *items;
    size_t count, cap;
};

static void names_add(struct names *n, str name)
{
    if (n->count == USAGE_NAMES_MAX)
        return;
    if (n->count == n->cap) {
        n->cap = n->cap > 0 ? 2 * n->cap : 16;
        n->items = mem_resize(n->items, n->cap, sizeof(*n->items));
    }
    n->items[n->count++] = name;
}

/* The names that matchers spell out; false when they do not. */
static bool names_of(const struct matcher *matchers, size_t count, struct names *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct matcher *m = &matchers[i];
        if (!str_eq(m->name, LABEL_NAME))
            continue;
        if (m->type == MATCH_EQUAL && m->value.len > 0) {
            names_add(out, m->value);
            return true;
        }
        const str *literals = NULL;
        size_t n = m->type == MATCH_REGEX ? regex_literals(m->regex, &literals) : 0;
        for (size_t k = 0; k < n; k++)
            names_add(out, literals[k]);
        if (n > 0)
            return true;
    }
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Each once. */
static void names_count(struct metric_usage *u, struct names *n, int64_t now_s)
{
    if (n->count > 0)
        qsort(n->items, n->count, sizeof(*n->items), compare_names);
    for (size_t i = 0; i < n->count; i++)
        if (i == 0 || !str_eq(n->items[i], n->items[i - 1]))
            usage_add(u, n->items[i], 1, now_s);
    mem_free(n->items);
}

/* As deep as expressions nest, which is bounded. */
static void count_selectors(struct metric_usage *u, const struct expr *e, int64_t now_s,
                            struct names *out)
{
    if (e->kind == EXPR_VECTOR && !names_of(e->vector.matchers, e->vector.matcher_count, out) &&
        !e->vector.info_selector)
        add_selector(u, e->vector.matchers, e->vector.matcher_count, now_s);
    const struct expr *child;
    for (size_t i = 0; (child = expr_child(e, i)) != NULL; i++)
        count_selectors(u, child, now_s, out);
}

void usage_count_expr(struct metric_usage *u, const struct expr *e, int64_t now_s)
{
    struct names n = {0};
    count_selectors(u, e, now_s, &n);
    names_count(u, &n, now_s);
}

void usage_count_selector(struct metric_usage *u, const struct matcher *matchers, size_t count,
                          int64_t now_s)
{
    struct names n = {0};
    if (!names_of(matchers, count, &n))
        add_selector(u, matchers, count, now_s);
    names_count(u, &n, now_s);
}

err usage_take_selectors(struct metric_usage *u, struct arena *a, struct usage_selector **out,
                         size_t *count)
{
    err e = OK;
    size_t n = 0;
    mutex_lock(&u->lock);
    struct usage_selector *list = ARENA_ARRAY(a, struct usage_selector, u->selectors.count + 1);
    if (list == NULL)
        e = ERR_LIMIT;
    for (size_t i = 0; i < u->selectors.cap && e == OK; i++) {
        const struct entry *s = u->selectors.slots[i];
        if (s == NULL)
            continue;
        str text = arena_str(a, (str){s->text, s->len});
        list[n++] = (struct usage_selector){text, s->requests, s->last_s};
        e = text.ptr != NULL ? OK : ERR_LIMIT;
    }
    if (e == OK)
        table_fini(&u->selectors);
    mutex_unlock(&u->lock);
    *out = list;
    *count = n;
    return e;
}

/* ---- Answers ---- */

static int compare_records(const void *a, const void *b)
{
    return str_cmp(((const struct usage_record *)a)->metric,
                   ((const struct usage_record *)b)->metric);
}

err usage_list(struct metric_usage *u, struct arena *a, struct usage_record **out, size_t *count)
{
    err e = OK;
    size_t n = 0;
    mutex_lock(&u->lock);
    struct usage_record *list = ARENA_ARRAY(a, struct usage_record, u->names.count + 1);
    if (list == NULL)
        e = ERR_LIMIT;
    for (size_t i = 0; i < u->names.cap && e == OK; i++) {
        const struct entry *s = u->names.slots[i];
        if (s == NULL)
            continue;
        str name = arena_str(a, (str){s->text, s->len});
        list[n++] = (struct usage_record){name, s->requests, s->last_s};
        e = name.ptr != NULL ? OK : ERR_LIMIT;
    }
    mutex_unlock(&u->lock);
    if (e == OK && n > 0)
        qsort(list, n, sizeof(*list), compare_records);
    *out = list;
    *count = n;
    return e;
}

void usage_info_of(struct metric_usage *u, struct usage_info *out)
{
    mutex_lock(&u->lock);
    *out = (struct usage_info){.since_s = u->since_s,
                               .bytes = u->names.bytes,
                               .bytes_max = u->bytes_max,
                               .metrics = u->names.count,
                               .names_dropped = u->names_dropped,
                               .selectors_dropped = u->selectors_dropped,
                               .changes = u->changes};
    mutex_unlock(&u->lock);
}

void usage_reset(struct metric_usage *u, int64_t now_s)
{
    mutex_lock(&u->lock);
    table_fini(&u->names);
    table_fini(&u->selectors);
    u->since_s = now_s;
    u->names_dropped = u->selectors_dropped = 0;
    u->changes++;
    mutex_unlock(&u->lock);
}

/* ---- Bytes ---- */

void usage_encode(struct metric_usage *u, struct buf *out)
{
    mutex_lock(&u->lock);
    buf_put_zigzag(out, u->since_s);
    buf_put_varint(out, u->names.count);
    for (size_t i = 0; i < u->names.cap; i++) {
        const struct entry *e = u->names.slots[i];
        if (e == NULL)
            continue;
        buf_put_string(out, (str){e->text, e->len});
        buf_put_varint(out, e->requests);
        buf_put_zigzag(out, e->last_s);
    }
    mutex_unlock(&u->lock);
}

/* With `take` false only look whether it can be read. */
static err read_names(struct metric_usage *u, struct reader r, bool take)
{
    int64_t since_s = read_zigzag(&r);
    uint64_t count = read_varint(&r);
    if (r.overrun || count > reader_left(&r))
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        str name = slice_text(read_string(&r));
        uint64_t requests = read_varint(&r);
        int64_t last_s = read_zigzag(&r);
        if (r.overrun)
            return ERR_CORRUPT;
        if (take)
            usage_add(u, name, requests, last_s);
    }
    if (reader_left(&r) > 0)
        return ERR_CORRUPT;
    mutex_lock(&u->lock);
    if (take)
        u->since_s = since_s;
    mutex_unlock(&u->lock);
    return OK;
}

err usage_decode(struct metric_usage *u, slice bytes)
{
    TRY(read_names(u, reader_of(bytes), false));
    return read_names(u, reader_of(bytes), true);
}
