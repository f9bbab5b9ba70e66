/* db_view.c -- views, the windows in them, and blocks set aside. */
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/db_priv.h"

struct window *window_new(uint32_t wal_first)
{
    struct window *w = mem_zalloc(1, sizeof(*w));
    w->head = head_window_open();
    atomic_init(&w->refs, 1);
    w->wal_first = wal_first;
    w->opened_mono_ns = clock_mono_ns();
    return w;
}

static struct window *window_ref(struct window *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void window_unref(struct window *w)
{
    /* acq_rel: what other threads did with the window happens before it is freed. */
    if (w == NULL || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    head_window_close(w->head);
    mem_free(w);
}

struct view *view_get(struct db *db)
{
    mutex_lock(&db->view_lock);
    struct view *v = db->view;
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    mutex_unlock(&db->view_lock);
    return v;
}

void view_put(struct view *v)
{
    if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < v->window_count; i++)
        window_unref(v->windows[i]);
    for (size_t i = 0; i < v->block_count; i++)
        block_unpin(v->blocks[i]);
    mem_free(v->blocks);
    mem_free(v);
}

static bool is_among(const struct block *b, struct block *const *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (blocks[i] == b)
            return true;
    return false;
}

/* When the youngest of its samples were cut from the head: where two blocks have a sample of one
 * time, the younger block's counts. */
static ulid age_of(const struct block *b)
{
    const struct block_meta *m = block_meta_of(b);
    return m->source_count > 0 ? m->sources[m->source_count - 1] : m->ulid;
}

static void put_block(struct view *v, struct block *b)
{
    ulid age = age_of(b);
    size_t i = v->block_count++;
    for (; i > 0 && ulid_cmp(age_of(v->blocks[i - 1]), age) > 0; i--)
        v->blocks[i] = v->blocks[i - 1];
    v->blocks[i] = b;
    block_pin(b);
}

static struct view *view_edited(const struct view *old, const struct view_edit *edit)
{
    struct view *v = mem_zalloc(1, sizeof(*v));
    atomic_init(&v->refs, 1);
    size_t old_windows = old != NULL ? old->window_count : 0;
    size_t old_blocks = old != NULL ? old->block_count : 0;
    for (size_t i = 0; i < old_windows; i++)
        if (old->windows[i] != edit->remove_window)
            v->windows[v->window_count++] = window_ref(old->windows[i]);
    if (edit->add_window != NULL) {
        ASSERT(v->window_count < DB_WINDOWS_MAX);
        v->windows[v->window_count++] = edit->add_window;
    }
    v->blocks = mem_alloc((old_blocks + edit->add_count + 1) * sizeof(struct block *));
    for (size_t i = 0; i < old_blocks; i++)
        if (!is_among(old->blocks[i], edit->remove_blocks, edit->remove_count))
            put_block(v, old->blocks[i]);
    for (size_t i = 0; i < edit->add_count; i++)
        put_block(v, edit->add_blocks[i]);
    return v;
}

static void note_blocks(struct change_note *n, struct block *const *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct block_meta *m = block_meta_of(blocks[i]);
        change_note_range(n, m->min_ms, m->max_ms - 1);
    }
}

/* The same samples in other places come in another order of series, by which sums differ in their
 * last bits: that is a change too. */
static void note_edit(struct db *db, const struct view_edit *edit)
{
    struct change_note n;
    struct head_totals t = {.min_ms = 0, .max_ms = -1};
    if (edit->remove_window != NULL)
        head_totals_of(edit->remove_window->head, &t);
    change_note_begin(db->changes, &n);
    note_blocks(&n, edit->add_blocks, edit->add_count);
    note_blocks(&n, edit->remove_blocks, edit->remove_count);
    change_note_range(&n, t.min_ms, t.max_ms);
    change_note_end(&n);
}

size_t view_change(struct db *db, const struct view_edit *edit)
{
    struct block **gone = mem_alloc((edit->remove_count + 1) * sizeof(struct block *));
    size_t gone_count = 0;
    mutex_lock(&db->view_lock);
    struct view *old = db->view;
    for (size_t i = 0; i < edit->remove_count; i++)
        if (is_among(edit->remove_blocks[i], old->blocks, old->block_count))
            gone[gone_count++] = edit->remove_blocks[i];
    db->view = view_edited(old, edit);
    mutex_unlock(&db->view_lock);
    note_edit(db, edit);
    for (size_t i = 0; i < gone_count; i++)
        block_close(gone[i]);
    mem_free(gone);
    view_put(old);
    return gone_count;
}

/* The next name in order: what replaces a block takes a place behind it and before all later ones.
 */
ulid db_ulid_after(ulid u)
{
    for (size_t i = ULID_SIZE; i-- > 0;)
        if (++u.bytes[i] != 0)
            break;
    return u;
}

static bool has_ulid(const struct view *v, ulid u)
{
    for (size_t i = 0; i < v->block_count; i++)
        if (ulid_eq(block_meta_of(v->blocks[i])->ulid, u))
            return true;
    return false;
}

ulid db_next_ulid(struct db *db)
{
    ulid next = ulid_new();
    struct view *v = view_get(db);
    if (v->block_count > 0) { /* the clock may have been ahead when they were made */
        ulid last = age_of(v->blocks[v->block_count - 1]);
        if (ulid_cmp(next, last) <= 0)
            next = db_ulid_after(last);
        while (has_ulid(v, next))
            next = db_ulid_after(next);
    }
    view_put(v);
    return next;
}

uint64_t db_generation(const struct db *db)
{
    return change_log_generation(db->changes);
}

bool db_unchanged(const struct db *db, uint64_t generation, int64_t min_ms, int64_t max_ms,
                  int64_t *from_ms, int64_t *to_ms)
{
    return change_log_unchanged(db->changes, generation, min_ms, max_ms, from_ms, to_ms);
}
