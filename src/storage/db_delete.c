/* db_delete.c -- hiding samples. What is in the head goes to blocks first: then deletions are
 * tombstones of blocks alone, samples written after the deletion are never hit by it, and no replay
 * brings back what was deleted (the log before the cut is gone, or known to be in blocks). */
#include "base/log.h"
#include "base/mem.h"
#include "storage/postings.h"
#include "storage/selection_priv.h"

enum { IDS_BYTES_MAX = 1 << 30 };

struct target { /* matching series of the registry */
    const struct db_select_args *args;
    struct arena a;
    struct registry_pin pin;
    uint32_t *ids;
    size_t count;
};

static err target_find(struct db *db, const struct db_select_args *args, struct target *t)
{
    *t = (struct target){.args = args};
    arena_init(&t->a, IDS_BYTES_MAX);
    registry_pin(db->registry, &t->pin);
    return registry_select(db->registry, args, &t->a, &t->ids, &t->count, NULL);
}

static void target_fini(struct db *db, struct target *t)
{
    registry_unpin(db->registry, &t->pin);
    arena_fini(&t->a);
}

static bool head_has_any(struct db *db, const struct target *t)
{
    bool any = false;
    struct view *v = view_get(db);
    if (view_heads_overlap(v, t->args->min_ms, t->args->max_ms))
        for (size_t i = 0; i < t->count && !any; i++)
            for (size_t k = 0; k < v->window_count && !any; k++)
                any = head_has(v->windows[k]->head, t->ids[i]);
    view_put(v);
    return any;
}

/* On the commit thread. */
static err forget_newest(struct db *db, void *arg)
{
    const struct target *t = arg;
    admission_forget(db->registry, t->ids, t->count, t->args->min_ms, t->args->max_ms);
    return OK;
}

static err delete_in_block(struct db *db, struct block *b, const struct db_select_args *args)
{
    struct diag d = {0};
    struct postings *ids = NULL;
    struct block_cursor *c = block_cursor_open(b);
    err e = block_select(c, args->matchers, args->matcher_count, &ids, &d);
    block_cursor_close(c);
    if (e == OK && postings_count(ids) > 0)
        e = block_delete(b, ids, (struct interval){args->min_ms, args->max_ms}, &d);
    postings_free(ids);
    if (e == ERR_CORRUPT) {
        db_quarantine(db, b, d.text);
        return OK; /* nothing of it is served any more */
    }
    if (e != OK)
        log_error("a deletion failed", LOG_CSTR("reason", d.text), LOG_ERR(e));
    return e;
}

static err delete_in_blocks(struct db *db, const struct db_select_args *args)
{
    err e = OK;
    upkeep_begin(db);
    struct view *v = view_get(db);
    for (size_t i = 0; i < v->block_count && e == OK; i++) {
        e = select_check(args);
        if (e == OK && block_overlaps(v->blocks[i], args->min_ms, args->max_ms))
            e = delete_in_block(db, v->blocks[i], args);
    }
    view_put(v);
    upkeep_end(db);
    return e;
}

err db_delete(struct db *db, const struct db_select_args *args)
{
    struct target t;
    struct db_select_args all = *args;
    if (args->min_ms > args->max_ms)
        return OK;
    all.series_max = 0;
    err e = target_find(db, &all, &t);
    if (e == OK && head_has_any(db, &t))
        e = db_cut(db);
    if (e == OK) {
        e = delete_in_blocks(db, &all);
        change_log_note(db->changes, args->min_ms, args->max_ms);
    }
    if (e == OK)
        e = db_on_commit_thread(db, forget_newest, &t);
    target_fini(db, &t);
    return e;
}
