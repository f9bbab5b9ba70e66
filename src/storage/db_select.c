/* db_select.c -- find series in blocks and windows, and join them by the hash of their labels. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/precedence.h"
#include "storage/postings.h"
#include "storage/selection_priv.h"

enum { CHECK_EVERY = 1024 }; /* series between looks at the clock, and at writes that wait */

struct found { /* series of one source */
    uint32_t *ids;
    hash128 *hashes;
    size_t count;
};

struct joiner {
    struct selection *s;
    const struct db_select_args *args;
    struct diag *d;
    struct found *found; /* by source */
    uint32_t *table;     /* series index + 1, by hash */
    size_t table_mask;
};

err select_check(const struct db_select_args *args)
{
    precedence_give_way();
    if (args->canceled != NULL && atomic_load_explicit(args->canceled, memory_order_relaxed))
        return ERR_CANCELED;
    return args->deadline_mono_ns > 0 && clock_mono_ns() > args->deadline_mono_ns ? ERR_TIMEOUT
                                                                                  : OK;
}

bool block_overlaps(const struct block *b, int64_t min_ms, int64_t max_ms)
{
    const struct block_meta *m = block_meta_of(b);
    return m->min_ms <= max_ms && m->max_ms > min_ms;
}

static bool window_overlaps(struct head_window *w, int64_t min_ms, int64_t max_ms)
{
    struct head_totals t;
    head_totals_of(w, &t);
    return t.min_ms <= max_ms && t.max_ms >= min_ms;
}

bool view_heads_overlap(const struct view *v, int64_t min_ms, int64_t max_ms)
{
    for (size_t i = 0; i < v->window_count; i++)
        if (window_overlaps(v->windows[i]->head, min_ms, max_ms))
            return true;
    return false;
}

static err budget_error(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "the query's memory limit is reached while selecting series");
}

/* ---- Warnings ---- */

static void add_warning(struct selection *s, const char *name, const char *what, const char *why)
{
    char text[DIAG_TEXT_SIZE];
    int n = snprintf(text, sizeof(text), "block %s %s and was left out: %s", name, what, why);
    str copy = arena_str(s->a, (str){text, MIN((size_t)MAX(n, 0), sizeof(text) - 1)});
    str *grown =
        arena_grow(s->a, s->warnings, s->warning_count, s->warning_count + 1, sizeof(*grown));
    if (copy.ptr == NULL || grown == NULL)
        return;
    s->warnings = grown;
    s->warnings[s->warning_count++] = copy;
}

static void warn_missing(struct selection *s)
{
    struct db *db = s->db;
    mutex_lock(&db->view_lock);
    for (size_t i = 0; i < db->quarantined_count; i++) {
        const struct quarantined *q = &db->quarantined[i];
        if (q->min_ms <= s->max_ms && q->max_ms > s->min_ms)
            add_warning(s, q->name, "is damaged", "set aside in the directory quarantine");
    }
    for (size_t i = 0; i < db->unopened_count; i++) {
        const struct unopened *u = &db->unopened[i];
        char name[ULID_TEXT_SIZE];
        ulid_format(u->ulid, name);
        if (u->min_ms <= s->max_ms && u->max_ms > s->min_ms)
            add_warning(s, name, "cannot be opened for now", "its disk gave an error");
    }
    mutex_unlock(&db->view_lock);
}

/* ---- Finding ---- */

/* Does the caller want no more than it has? */
static bool is_enough(const struct db_select_args *args, size_t count)
{
    return args->enough > 0 && count >= args->enough;
}

static bool found_reserve(struct joiner *j, struct found *f, size_t count)
{
    size_t hashes = j->args->enough > 0 ? MIN(count, j->args->enough) : count;
    f->ids = arena_alloc(j->s->a, (count + 1) * sizeof(*f->ids));
    f->hashes = arena_alloc(j->s->a, (hashes + 1) * sizeof(*f->hashes));
    return f->ids != NULL && f->hashes != NULL;
}

/* A block of another store's seed: its hashes are made anew. */
static err hash_of_labels(struct selection *s, struct block_cursor *c, uint32_t id, hash128 *out,
                          struct diag *d)
{
    struct arena scratch;
    struct labels ls;
    arena_init(&scratch, 16 << 20);
    err e = block_series_labels(c, id, &scratch, &ls, d);
    if (e == OK)
        *out = labels_hash(ls, s->db->state.label_seed);
    arena_fini(&scratch);
    return e;
}

static err block_hash(struct selection *s, const struct select_source *src, uint32_t id,
                      bool inside, hash128 *hash, bool *keep, struct diag *d)
{
    *keep = true;
    if (!inside) {
        struct block_series series;
        TRY(block_series_read(src->cursor, id, s->min_ms, s->max_ms, &series, d));
        *keep = series.chunk_count > 0;
        *hash = series.hash;
    } else {
        TRY(block_series_hash(src->cursor, id, hash, d));
    }
    if (*keep && block_meta_of(src->block)->label_seed != s->db->state.label_seed)
        return hash_of_labels(s, src->cursor, id, hash, d);
    return OK;
}

static err block_series_of(struct joiner *j, const struct select_source *src,
                           const struct postings *p, struct found *f, struct diag *d)
{
    struct selection *s = j->s;
    const struct block_meta *m = block_meta_of(src->block);
    bool inside = m->min_ms >= s->min_ms && m->max_ms - 1 <= s->max_ms;
    size_t count = postings_count(p);
    if (!found_reserve(j, f, count))
        return budget_error(d);
    postings_ids(p, f->ids);
    for (size_t i = 0; i < count && !is_enough(j->args, f->count); i++) {
        bool keep;
        if (i % CHECK_EVERY == 0)
            TRY(select_check(j->args));
        TRY(block_hash(s, src, f->ids[i], inside, &f->hashes[f->count], &keep, d));
        f->ids[f->count] = f->ids[i];
        f->count += keep;
    }
    return OK;
}

static err find_in_block(struct joiner *j, struct select_source *src, struct found *f)
{
    struct selection *s = j->s;
    struct diag d = {0};
    struct postings *p = NULL;
    src->cursor = block_cursor_open(src->block);
    err e = block_select(src->cursor, j->args->matchers, j->args->matcher_count, &p, &d);
    if (e == OK)
        e = block_series_of(j, src, p, f, &d);
    postings_free(p);
    if (e == ERR_CORRUPT) {
        char name[ULID_TEXT_SIZE];
        ulid_format(block_meta_of(src->block)->ulid, name);
        db_quarantine(s->db, src->block, d.text);
        add_warning(s, name, "is damaged", d.text);
        *f = (struct found){0};
        return OK;
    }
    return e == OK || j->d == NULL ? e : diag_set(j->d, e, "%s", d.text);
}

static err find_in_window(struct joiner *j, struct head_window *w, const uint32_t *ids,
                          size_t count, struct found *f)
{
    if (!found_reserve(j, f, count))
        return budget_error(j->d);
    for (size_t i = 0; i < count && !is_enough(j->args, f->count); i += CHECK_EVERY) {
        TRY(select_check(j->args));
        uint32_t *to = f->ids + f->count;
        size_t kept = head_filter(w, ids + i, MIN(count - i, (size_t)CHECK_EVERY), to);
        if (j->args->enough > 0)
            kept = MIN(kept, j->args->enough - f->count);
        registry_hashes(j->s->db->registry, to, kept, f->hashes + f->count);
        f->count += kept;
    }
    return OK;
}

/* Look into the sources, the newest first: their labels are the cheapest, if so many are enough. */
static err find_in_sources(struct joiner *j, const uint32_t *ids, size_t count)
{
    struct selection *s = j->s;
    for (size_t i = s->source_count; i-- > 0;) {
        if (s->sources[i].window != NULL)
            TRY(find_in_window(j, s->sources[i].window, ids, count, &j->found[i]));
        else
            TRY(find_in_block(j, &s->sources[i], &j->found[i]));
        if (is_enough(j->args, j->found[i].count))
            break;
    }
    return OK;
}

/* ---- Joining ---- */

static size_t table_place(const struct joiner *j, hash128 hash)
{
    size_t i = hash.lo & j->table_mask;
    while (j->table[i] != 0 && !hash128_eq(j->s->series[j->table[i] - 1].hash, hash))
        i = (i + 1) & j->table_mask;
    return i;
}

static void add_series(struct selection *s, hash128 hash, uint32_t part)
{
    s->series[s->series_count++] =
        (struct select_series){.hash = hash, .first = part, .last = part};
}

static err join_source(struct joiner *j, uint32_t source)
{
    struct selection *s = j->s;
    const struct found *f = &j->found[source];
    enum { AHEAD = 8 };
    for (size_t i = 0; i < f->count; i++) {
        if (i % CHECK_EVERY == 0)
            TRY(select_check(j->args));
        if (i + AHEAD < f->count)
            __builtin_prefetch(&j->table[f->hashes[i + AHEAD].lo & j->table_mask]);
        uint32_t part = (uint32_t)s->part_count++;
        s->parts[part] = (struct select_part){source, f->ids[i], SELECT_NONE};
        size_t place = table_place(j, f->hashes[i]);
        if (j->table[place] == 0) {
            add_series(s, f->hashes[i], part);
            j->table[place] = (uint32_t)s->series_count;
        } else {
            struct select_series *sel = &s->series[j->table[place] - 1];
            s->parts[sel->last].next = part;
            sel->last = part;
        }
    }
    return OK;
}

static err join_reserve(struct joiner *j, size_t total, bool table)
{
    struct selection *s = j->s;
    s->parts = arena_alloc(s->a, (total + 1) * sizeof(*s->parts));
    s->series = arena_alloc(s->a, (total + 1) * sizeof(*s->series));
    if (s->parts == NULL || s->series == NULL || total >= SELECT_NONE)
        return budget_error(j->d);
    if (!table)
        return OK;
    size_t cap = 16;
    while (cap < total * 2)
        cap *= 2;
    j->table = arena_zalloc(s->a, cap, sizeof(*j->table));
    j->table_mask = cap - 1;
    return j->table != NULL ? OK : budget_error(j->d);
}

static err join(struct joiner *j)
{
    struct selection *s = j->s;
    size_t total = 0, sources = 0, only = 0;
    for (size_t i = 0; i < s->source_count; i++) {
        total += j->found[i].count;
        if (j->found[i].count > 0) {
            sources++;
            only = i;
        }
    }
    TRY(join_reserve(j, total, sources > 1));
    if (sources == 1) {
        const struct found *f = &j->found[only];
        for (uint32_t i = 0; i < f->count; i++) {
            s->parts[i] = (struct select_part){(uint32_t)only, f->ids[i], SELECT_NONE};
            add_series(s, f->hashes[i], i);
        }
        s->part_count = f->count;
        return OK;
    }
    for (uint32_t i = 0; i < s->source_count; i++)
        TRY(join_source(j, i));
    return OK;
}

static err find_all(struct joiner *j, const uint32_t *ids, size_t count)
{
    struct selection *s = j->s;
    j->found = ARENA_ARRAY(s->a, struct found, s->source_count + 1);
    if (j->found == NULL)
        return budget_error(j->d);
    TRY(find_in_sources(j, ids, count));
    TRY(join(j));
    if (is_enough(j->args, s->series_count))
        s->series_count = j->args->enough;
    size_t max = j->args->series_max;
    if (max > 0 && s->series_count > max)
        return diag_set(j->d, ERR_LIMIT, "the query selects %zu series, the limit is %zu",
                        s->series_count, max);
    return OK;
}

/* ---- The selection ---- */

static err list_sources(struct selection *s)
{
    const struct view *v = s->view;
    s->sources = ARENA_ARRAY(s->a, struct select_source, v->block_count + v->window_count + 1);
    if (s->sources == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < v->block_count; i++)
        if (block_overlaps(v->blocks[i], s->min_ms, s->max_ms))
            s->sources[s->source_count++].block = v->blocks[i];
    for (size_t i = 0; i < v->window_count; i++)
        if (window_overlaps(v->windows[i]->head, s->min_ms, s->max_ms))
            s->sources[s->source_count++].window = v->windows[i]->head;
    return OK;
}

/* Pin registry and view, and find the head's series. When series were forgotten meanwhile, some in
 * the view's windows may not have been found: again, with the newer view. */
static err pin_and_find_heads(struct selection *s, const struct db_select_args *args,
                              uint32_t **ids, size_t *count, struct diag *d)
{
    struct registry *r = s->db->registry;
    struct db_select_args all = *args;
    all.series_max = 0; /* checked against what has samples, later */
    for (;;) {
        uint32_t epoch = registry_epoch(r);
        registry_pin(r, &s->pin);
        s->view = view_get(s->db);
        err e = OK;
        if (view_heads_overlap(s->view, s->min_ms, s->max_ms))
            e = registry_select(r, &all, s->a, ids, count, d);
        if (e != OK || registry_epoch(r) == epoch)
            return e;
        view_put(s->view);
        registry_unpin(r, &s->pin);
    }
}

err db_select(struct db *db, const struct db_select_args *args, struct arena *a,
              struct selection **out, struct diag *d)
{
    struct selection *s = ARENA_NEW(a, struct selection);
    if (s == NULL)
        return budget_error(d);
    s->db = db;
    s->a = a;
    s->min_ms = args->min_ms;
    s->max_ms = args->max_ms;
    s->read_min_ms = args->min_ms + args->skip_ms;
    mutex_init(&s->labels_lock);
    struct joiner j = {.s = s, .args = args, .d = d};
    uint32_t *ids = NULL;
    size_t count = 0;
    warn_missing(s);
    err e = pin_and_find_heads(s, args, &ids, &count, d);
    if (e == OK)
        e = list_sources(s);
    if (e == OK)
        e = find_all(&j, ids, count);
    if (e != OK) {
        selection_close(s);
        return e == ERR_LIMIT ? budget_error(d) : e;
    }
    *out = s;
    return OK;
}

void selection_close(struct selection *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->source_count; i++)
        block_cursor_close(s->sources[i].cursor);
    view_put(s->view);
    registry_unpin(s->db->registry, &s->pin);
    mutex_fini(&s->labels_lock);
}

size_t selection_count(const struct selection *s)
{
    return s->series_count;
}

hash128 selection_hash(const struct selection *s, size_t i)
{
    return s->series[i].hash;
}

size_t selection_warnings(const struct selection *s, const str **out)
{
    *out = s->warnings;
    return s->warning_count;
}

/* ---- Labels ---- */

static err head_labels(struct selection *s, uint32_t id, struct labels *out)
{
    size_t count = registry_label_count(s->db->registry, id);
    struct label *items = arena_alloc(s->a, (count + 1) * sizeof(*items));
    if (items == NULL)
        return ERR_LIMIT;
    *out = registry_labels(s->db->registry, id, items);
    return OK;
}

static err labels_of(struct selection *s, const struct select_series *sel, struct labels *out)
{
    const struct select_part *last = &s->parts[sel->last]; /* windows are last, and cheapest */
    const struct select_source *src = &s->sources[last->source];
    if (src->window != NULL)
        return head_labels(s, last->id, out);
    struct diag d;
    d.text[0] = '\0';
    err e = block_series_labels(src->cursor, last->id, s->a, out, &d);
    if (e == ERR_CORRUPT)
        db_quarantine(s->db, src->block, d.text);
    return e;
}

err selection_labels(struct selection *s, size_t i, struct labels *out)
{
    struct select_series *sel = &s->series[i];
    if (sel->items == NULL) {
        struct labels ls = {0};
        mutex_lock(&s->labels_lock);
        err e = labels_of(s, sel, &ls);
        mutex_unlock(&s->labels_lock);
        TRY(e);
        static const struct label NONE[1];
        sel->items = ls.items != NULL ? ls.items : NONE;
        sel->item_count = (uint32_t)ls.count;
    }
    *out = (struct labels){sel->items, sel->item_count};
    return OK;
}
