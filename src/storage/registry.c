#include "storage/registry.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/registry_priv.h"
#include "storage/registry_select.h"

enum {
    RESOLVE_CHUNK = 64, /* aliases whose cache lines are fetched together */
    CREATE_CHUNK = 32,  /* series that are looked for together */
    RESOLVE_STEP = 4,   /* aliases looked up where a run of series ends */
    MORE_ALIASES = REGISTRY_ALIASES_MAX - 1,
    HEAP_OVERHEAD = 8,
};

/* ---- Open and close ---- */

static uint32_t series_limit(uint32_t series_max)
{
    return series_max > 0 ? MIN(series_max, (uint32_t)REGISTRY_IDS_MAX)
                          : (uint32_t)REGISTRY_IDS_MAX;
}

void registry_limit(struct registry *r, uint32_t series_max)
{
    rwlock_write(&r->lock);
    r->series_max = series_limit(series_max);
    rwlock_unlock(&r->lock);
}

struct registry *registry_open(const struct registry_options *o)
{
    struct registry *r = mem_zalloc(1, sizeof(*r));
    rwlock_init(&r->lock);
    mutex_init(&r->pin_mutex);
    paged_init(&r->lines, sizeof(struct series), ID_PAGE_BITS, REGISTRY_IDS_MAX);
    id_pool_init(&r->ids, REGISTRY_IDS_MAX);
    id_table_init(&r->aliases);
    id_table_init(&r->canonical);
    symbols_init(&r->symbols);
    registry_presence_init(r);
    r->labels_seed = o->labels_seed;
    r->histogram_seed = hash_random_seed();
    r->series_max = series_limit(o->series_max);
    atomic_init(&r->epoch, 1);
    atomic_init(&r->window, 1);
    registry_publish(r);
    return r;
}

void registry_close(struct registry *r)
{
    if (r == NULL)
        return;
    ASSERT(r->pin_first == NULL);
    for (uint32_t id = 0; id < r->ids.id_end; id++) {
        if (!id_pool_used(&r->ids, id))
            continue;
        mem_free(registry_line(r, id)->meta);
        mem_free(registry_line(r, id)->more_aliases);
    }
    for (struct limbo *l = r->limbo, *next; l != NULL; l = next) {
        next = l->next;
        mem_free(l);
    }
    registry_presence_fini(r);
    symbols_fini(&r->symbols);
    id_table_fini(&r->aliases);
    id_table_fini(&r->canonical);
    id_pool_fini(&r->ids);
    paged_fini(&r->lines);
    mutex_fini(&r->pin_mutex);
    rwlock_fini(&r->lock);
    mem_free(r);
}

/* ---- Resolving ---- */

static uint32_t alias_tag(const hash128 *alias)
{
    return (uint32_t)(alias->lo >> 32);
}

static bool has_alias(const struct series *s, const hash128 *alias)
{
    if (s->alias_count > 0 && hash128_eq(s->alias, *alias))
        return true;
    for (unsigned i = 1; i < s->alias_count; i++)
        if (hash128_eq(s->more_aliases[i - 1], *alias))
            return true;
    return false;
}

/* The series of an alias, looking at every candidate. */
static uint32_t resolve_one(const struct registry *r, const hash128 *alias)
{
    struct id_cursor c;
    uint32_t id = id_table_first(&r->aliases, alias_tag(alias), &c);
    while (id != ID_NONE) {
        const struct series *s = registry_line(r, id);
        if (s->state == SERIES_LIVE && has_alias(s, alias))
            return id;
        id = id_table_next(&r->aliases, alias_tag(alias), &c);
    }
    return SERIES_NONE;
}

/* By the table, in three passes, each of which fetches the next one's cache lines: slots, series,
 * verification. The first candidate is nearly always the one. */
static void resolve_chunk(const struct registry *r, const hash128 *aliases, size_t count,
                          uint32_t *out)
{
    static const struct series no_series; /* is not live */
    const struct series *lines[RESOLVE_CHUNK];
    for (size_t i = 0; i < count; i++)
        id_table_prefetch(&r->aliases, alias_tag(&aliases[i]));
    for (size_t i = 0; i < count; i++) {
        struct id_cursor c;
        uint32_t id = id_table_first(&r->aliases, alias_tag(&aliases[i]), &c);
        const struct series *s = LIKELY(id != ID_NONE) ? registry_line(r, id) : &no_series;
        __builtin_prefetch(s);
        lines[i] = s;
        out[i] = id;
    }
    for (size_t i = 0; i < count; i++) {
        const struct series *s = lines[i];
        if (UNLIKELY(s->state != SERIES_LIVE || !hash128_eq(s->alias, aliases[i])))
            out[i] = resolve_one(r, &aliases[i]);
    }
}

/* Senders repeat series in the order in which they first sent them, which is that of ids: as long
 * as each alias is that of the series behind the one before, no table is needed. Returns how many
 * are, `id` being the first's guess. */
static size_t resolve_run(const struct registry *r, const hash128 *aliases, size_t count,
                          uint32_t id, uint32_t *out)
{
    size_t done = 0;
    while (done < count && id < r->ids.id_end && paged_has_page(&r->lines, id >> ID_PAGE_BITS)) {
        const struct series *s = registry_line(r, id);
        size_t end = MIN(count, done + (ID_PAGE - (id & (ID_PAGE - 1))));
        for (; done < end; done++, s++, id++) {
            if (s->alias.lo != aliases[done].lo || s->alias.hi != aliases[done].hi ||
                s->state != SERIES_LIVE)
                return done;
            out[done] = id;
        }
    }
    return done;
}

uint32_t registry_resolve(struct registry *r, const hash128 *aliases, size_t count, uint32_t *out)
{
    static_assert((uint32_t)SERIES_NONE == ID_NONE, "a miss in the table is a miss here");
    rwlock_read(&r->lock);
    size_t step = RESOLVE_STEP;
    for (size_t i = 0; i < count;) {
        size_t n = MIN(count - i, step);
        resolve_chunk(r, aliases + i, n, out + i);
        i += n;
        uint32_t last = out[i - 1];
        size_t run =
            last == SERIES_NONE ? 0 : resolve_run(r, aliases + i, count - i, last + 1, out + i);
        step = run > 0 ? RESOLVE_STEP : MIN(step * 2, (size_t)RESOLVE_CHUNK);
        i += run;
    }
    uint32_t epoch = atomic_load_explicit(&r->epoch, memory_order_relaxed);
    rwlock_unlock(&r->lock);
    return epoch;
}

/* ---- Creating ---- */

static uint32_t canonical_tag(hash128 hash)
{
    return (uint32_t)(hash.hi >> 32);
}

struct like { /* a set whose pairs are known, beside one that may have texts in common with it */
    struct labels labels;
    const uint32_t *pairs;
};

/* The pair of label `i` of a set, if it is the very text that `like` has there; else ID_NONE. */
static uint32_t pair_like(const struct like *like, size_t i, struct label l)
{
    if (i >= like->labels.count)
        return ID_NONE;
    struct label other = like->labels.items[i];
    bool same = other.value.ptr == l.value.ptr && other.value.len == l.value.len &&
                other.name.ptr == l.name.ptr && other.name.len == l.name.len;
    return same ? like->pairs[i] : ID_NONE;
}

static bool labels_are(const struct registry *r, const struct series *s, struct labels labels,
                       const struct like *like)
{
    if (s->label_count != labels.count)
        return false;
    for (size_t i = 0; i < labels.count; i++) {
        uint32_t known = pair_like(like, i, labels.items[i]);
        if (known == s->meta->pairs[i])
            continue;
        if (known != ID_NONE) /* equal texts have one id */
            return false;
        const struct symbol_pair *p = symbols_pair(&r->symbols, s->meta->pairs[i]);
        const struct symbol_name *n = symbols_name(&r->symbols, p->name);
        if (!str_eq(symbols_value(p), labels.items[i].value) ||
            !str_eq(symbols_text(n), labels.items[i].name))
            return false;
    }
    return true;
}

static uint32_t find_canonical(const struct registry *r, struct labels labels, hash128 hash,
                               const struct like *like)
{
    struct id_cursor c;
    uint32_t id = id_table_first(&r->canonical, canonical_tag(hash), &c);
    for (; id != ID_NONE; id = id_table_next(&r->canonical, canonical_tag(hash), &c)) {
        const struct series *s = registry_line(r, id);
        if (hash128_eq(s->meta->hash, hash) && labels_are(r, s, labels, like))
            break;
    }
    return id;
}

static void alias_add(struct registry *r, uint32_t id, const hash128 *alias)
{
    struct series *s = registry_line(r, id);
    if (has_alias(s, alias))
        return;
    if (s->alias_count == 0) {
        s->alias = *alias;
        s->alias_count = 1;
        id_table_add(&r->aliases, alias_tag(alias), id);
        return;
    }
    if (s->more_aliases == NULL) {
        s->more_aliases = mem_alloc(MORE_ALIASES * sizeof(hash128));
        r->labels_bytes += MORE_ALIASES * sizeof(hash128) + HEAP_OVERHEAD;
    }
    size_t slot = (size_t)(s->alias_count - 1);
    if (s->alias_count == REGISTRY_ALIASES_MAX) {
        slot = alias->lo % MORE_ALIASES;
        (void)id_table_remove(&r->aliases, alias_tag(&s->more_aliases[slot]), id);
    } else {
        s->alias_count++;
    }
    s->more_aliases[slot] = *alias;
    id_table_add(&r->aliases, alias_tag(alias), id);
}

static size_t meta_size(size_t label_count)
{
    return sizeof(struct series_meta) + label_count * sizeof(uint32_t);
}

/* The label set as pairs, with a reference to each. */
static err meta_make(struct registry *r, struct labels labels, hash128 hash,
                     const struct like *like, struct series_meta **out)
{
    struct series_meta *m = mem_alloc(meta_size(labels.count));
    m->hash = hash;
    for (size_t i = 0; i < labels.count; i++) {
        m->pairs[i] = pair_like(like, i, labels.items[i]);
        if (m->pairs[i] != ID_NONE) {
            symbols_again(&r->symbols, m->pairs[i]);
            continue;
        }
        /* Neighbours have most labels in common: try the pair of the series created last. */
        uint32_t guess = i < COUNT_OF(r->last_pairs) ? r->last_pairs[i] : 0;
        err e = symbols_acquire(&r->symbols, labels.items[i], guess, &m->pairs[i]);
        if (e != OK) {
            while (i-- > 0)
                symbols_release(&r->symbols, m->pairs[i]);
            mem_free(m);
            return e;
        }
    }
    size_t guesses = MIN(labels.count, COUNT_OF(r->last_pairs));
    memcpy(r->last_pairs, m->pairs, guesses * sizeof(uint32_t));
    *out = m;
    return OK;
}

static void index_series(struct registry *r, uint32_t id, const struct series_meta *m,
                         size_t label_count)
{
    for (size_t i = 0; i < label_count; i++) {
        struct symbol_pair *pair = symbols_pair(&r->symbols, m->pairs[i]);
        r->postings_bytes += idset_add(&pair->series, id);
    }
    registry_presence_add(r, id, m->pairs, label_count);
}

static err add_series(struct registry *r, struct labels labels, hash128 hash,
                      const struct like *like, uint32_t *out, struct diag *d)
{
    if (r->series_count >= r->series_max || labels.count > UINT16_MAX)
        return diag_set(d, ERR_LIMIT, "too many series in memory (limit %u)", r->series_max);
    uint32_t id;
    if (!id_pool_take(&r->ids, &id))
        return diag_set(d, ERR_LIMIT, "too many series in memory (limit %u)", REGISTRY_IDS_MAX);
    struct series_meta *meta;
    err e = meta_make(r, labels, hash, like, &meta);
    if (e != OK) {
        (void)id_pool_give(&r->ids, id);
        return diag_set(d, e, "too many different labels in memory (limit %u)", SYMBOL_PAIRS_MAX);
    }
    if (!paged_has_page(&r->lines, id >> ID_PAGE_BITS))
        paged_page_add(&r->lines, id >> ID_PAGE_BITS);
    *registry_line(r, id) =
        (struct series){.last_ts_ms = INT64_MIN,
                        .meta = meta,
                        .active_window = atomic_load_explicit(&r->window, memory_order_relaxed),
                        .label_count = (uint16_t)labels.count,
                        .state = SERIES_LIVE};
    r->labels_bytes += meta_size(labels.count) + HEAP_OVERHEAD;
    id_table_add(&r->canonical, canonical_tag(hash), id);
    index_series(r, id, meta, labels.count);
    r->series_count++;
    r->created++;
    *out = id;
    return OK;
}

err registry_create(struct registry *r, struct labels labels, const hash128 *alias, uint32_t *out,
                    bool *created, struct diag *d)
{
    static const struct like NOTHING;
    hash128 hash = labels_hash(labels, r->labels_seed);
    rwlock_write(&r->lock);
    uint32_t id = find_canonical(r, labels, hash, &NOTHING);
    bool is_new = id == ID_NONE;
    err e = is_new ? add_series(r, labels, hash, &NOTHING, &id, d) : OK;
    if (e == OK && alias != NULL)
        alias_add(r, id, alias);
    registry_publish(r);
    rwlock_unlock(&r->lock);
    TRY(e);
    *out = id;
    if (created != NULL)
        *created = is_new;
    return OK;
}

/* Fetch in turns what finding or adding the series of these hashes touches: slots, the lines of
 * those that are there, their labels' ids. Write lock held. */
static void fetch_canonical(const struct registry *r, const hash128 *hashes, size_t count)
{
    const struct series *lines[CREATE_CHUNK];
    for (size_t i = 0; i < count; i++)
        id_table_prefetch(&r->canonical, canonical_tag(hashes[i]));
    for (size_t i = 0; i < count; i++) {
        struct id_cursor c;
        uint32_t id = id_table_first(&r->canonical, canonical_tag(hashes[i]), &c);
        lines[i] = id != ID_NONE ? registry_line(r, id) : NULL;
        __builtin_prefetch(lines[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (lines[i] != NULL)
            __builtin_prefetch(lines[i]->meta);
}

static err create_chunk(struct registry *r, const struct labels *sets, size_t count, uint32_t *out,
                        struct diag *d)
{
    hash128 hashes[CREATE_CHUNK];
    struct like before = {.pairs = NULL};
    err e = OK;
    for (size_t i = 0; i < count; i++)
        hashes[i] = labels_hash(sets[i], r->labels_seed);
    rwlock_write(&r->lock);
    fetch_canonical(r, hashes, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t id = find_canonical(r, sets[i], hashes[i], &before);
        if (id == ID_NONE)
            e = add_series(r, sets[i], hashes[i], &before, &id, d);
        if (e != OK)
            break;
        out[i] = id;
        before = (struct like){sets[i], registry_line(r, id)->meta->pairs};
    }
    registry_publish(r);
    rwlock_unlock(&r->lock);
    return e;
}

err registry_create_all(struct registry *r, const struct labels *sets, size_t count, uint32_t *out,
                        struct diag *d)
{
    for (size_t i = 0; i < count; i += CREATE_CHUNK)
        TRY(create_chunk(r, sets + i, MIN(count - i, (size_t)CREATE_CHUNK), out + i, d));
    return OK;
}

/* ---- Epochs, windows, marks ---- */

uint32_t registry_epoch(struct registry *r)
{
    return atomic_load_explicit(&r->epoch, memory_order_relaxed);
}

bool registry_epoch_valid(struct registry *r, uint32_t epoch)
{
    return registry_epoch(r) - epoch <= 1;
}

uint32_t registry_window_next(struct registry *r)
{
    return atomic_fetch_add_explicit(&r->window, 1, memory_order_relaxed) + 1;
}

uint32_t registry_window(const struct registry *r)
{
    return atomic_load_explicit(&r->window, memory_order_relaxed);
}

bool registry_log_mark(struct registry *r, uint32_t series, uint32_t mark)
{
    struct series *s = registry_line(r, series);
    bool first = s->log_mark != mark;
    s->log_mark = mark;
    return first;
}

/* ---- Labels ---- */

size_t registry_label_count(const struct registry *r, uint32_t series)
{
    return registry_line(r, series)->label_count;
}

struct registry_pairs registry_pairs_of(const struct registry *r, uint32_t series)
{
    const struct series *s = registry_line(r, series);
    return (struct registry_pairs){s->meta->pairs, s->label_count};
}

struct label registry_pair(const struct registry *r, uint32_t pair)
{
    const struct symbol_pair *p = symbols_pair(&r->symbols, pair);
    return (struct label){symbols_text(symbols_name(&r->symbols, p->name)), symbols_value(p)};
}

uint32_t registry_pair_end(struct registry *r)
{
    rwlock_read(&r->lock);
    uint32_t end = r->symbols.pair_end;
    rwlock_unlock(&r->lock);
    return end;
}

struct labels registry_labels(const struct registry *r, uint32_t series, struct label *items)
{
    struct registry_pairs pairs = registry_pairs_of(r, series);
    for (size_t i = 0; i < pairs.count; i++)
        items[i] = registry_pair(r, pairs.ids[i]);
    return (struct labels){items, pairs.count};
}

static err labels_copy_locked(const struct registry *r, uint32_t series, struct arena *a,
                              struct labels *out)
{
    if (series >= r->ids.id_end || !id_pool_used(&r->ids, series))
        return ERR_NOTFOUND;
    struct label *items = ARENA_ARRAY(a, struct label, registry_label_count(r, series) + 1);
    if (items == NULL)
        return ERR_LIMIT;
    return labels_copy(registry_labels(r, series, items), a, out);
}

err registry_labels_copy(struct registry *r, uint32_t series, struct arena *a, struct labels *out)
{
    rwlock_read(&r->lock);
    err e = labels_copy_locked(r, series, a, out);
    rwlock_unlock(&r->lock);
    return e;
}

hash128 registry_hash(const struct registry *r, uint32_t series)
{
    return registry_line(r, series)->meta->hash;
}

uint32_t registry_name_id(struct registry *r, str name)
{
    rwlock_read(&r->lock);
    uint32_t id = symbols_find_name(&r->symbols, name);
    rwlock_unlock(&r->lock);
    return id;
}

void registry_hashes(const struct registry *r, const uint32_t *ids, size_t count, hash128 *out)
{
    for (size_t i = 0; i < count; i++) {
        registry_fetch_series(r, ids, i, count);
        out[i] = registry_line(r, ids[i])->meta->hash;
    }
}

/* ---- Usage ---- */

static uint64_t line_pages_bytes(const struct registry *r)
{
    return (uint64_t)r->lines.page_count * r->lines.page_size;
}

uint64_t registry_total_bytes(const struct registry *r)
{
    return sizeof(*r) + line_pages_bytes(r) + r->labels_bytes + id_pool_bytes(&r->ids) +
           id_table_bytes(&r->aliases) + id_table_bytes(&r->canonical) +
           symbols_bytes(&r->symbols) + symbols_table_bytes(&r->symbols) + r->postings_bytes +
           registry_presence_bytes(r);
}

void registry_publish(struct registry *r)
{
    atomic_store_explicit(&r->bytes_now, registry_total_bytes(r), memory_order_relaxed);
    atomic_store_explicit(&r->series_now, r->series_count, memory_order_relaxed);
}

uint64_t registry_bytes(const struct registry *r)
{
    return atomic_load_explicit(&r->bytes_now, memory_order_relaxed);
}

uint32_t registry_series_count(const struct registry *r)
{
    return atomic_load_explicit(&r->series_now, memory_order_relaxed);
}

void registry_usage_of(struct registry *r, struct registry_usage *out)
{
    rwlock_read(&r->lock);
    *out = (struct registry_usage){
        .series_bytes = line_pages_bytes(r) + id_pool_bytes(&r->ids),
        .labels_bytes = r->labels_bytes,
        .tables_bytes = id_table_bytes(&r->aliases) + id_table_bytes(&r->canonical) +
                        symbols_table_bytes(&r->symbols) + registry_presence_bytes(r),
        .symbols_bytes = symbols_bytes(&r->symbols),
        .postings_bytes = r->postings_bytes,
        .total_bytes = registry_total_bytes(r),
        .series = r->series_count,
        .series_forgotten = r->forgotten_count,
        .names = r->symbols.name_count,
        .pairs = r->symbols.pair_count,
        .id_end = r->ids.id_end,
        .created = r->created,
        .removed = r->removed,
    };
    rwlock_unlock(&r->lock);
}
