/* db_missing.c -- blocks that are on disk and not in answers: damaged ones, set aside for good, and
 * those that could not be opened for now. Queries over their ranges say so. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/db_priv.h"

/* ---- Damaged blocks ---- */

void db_note_quarantined(struct db *db, const char *name, int64_t min_ms, int64_t max_ms)
{
    counter_add(&db->counters.blocks_quarantined, 1);
    mutex_lock(&db->view_lock);
    if (db->quarantined == NULL)
        db->quarantined = mem_zalloc(DB_QUARANTINED_MAX, sizeof(*db->quarantined));
    if (db->quarantined_count < DB_QUARANTINED_MAX) {
        struct quarantined *q = &db->quarantined[db->quarantined_count++];
        snprintf(q->name, sizeof(q->name), "%s", name);
        q->min_ms = min_ms;
        q->max_ms = max_ms;
    }
    mutex_unlock(&db->view_lock);
    change_log_note(db->changes, min_ms, max_ms); /* answers have a warning more */
}

void db_quarantine(struct db *db, struct block *b, const char *why)
{
    block_pin(b);
    struct view_edit edit = {.remove_blocks = &b, .remove_count = 1};
    if (view_change(db, &edit) == 0) { /* another thread did it */
        block_unpin(b);
        return;
    }
    const struct block_meta *m = block_meta_of(b);
    char name[ULID_TEXT_SIZE];
    ulid_format(m->ulid, name);
    log_error("a damaged block is set aside", LOG_CSTR("block", name), LOG_CSTR("reason", why));
    db_note_quarantined(db, name, m->min_ms, m->max_ms);
    err e = block_dir_quarantine(db->fs, db->blocks_dir, db->quarantine_dir, m->ulid);
    if (e != OK)
        log_error("a damaged block could not be moved; it is not served", LOG_CSTR("block", name),
                  LOG_ERR(e));
    block_unpin(b);
}

/* ---- Blocks that do not open for now ---- */

void db_note_unopened(struct db *db, ulid u, int64_t min_ms, int64_t max_ms)
{
    mutex_lock(&db->view_lock);
    db->unopened = mem_resize(db->unopened, db->unopened_count + 1, sizeof(*db->unopened));
    db->unopened[db->unopened_count++] = (struct unopened){u, min_ms, max_ms};
    mutex_unlock(&db->view_lock);
    change_log_note(db->changes, min_ms, max_ms);
}

static void forget_unopened(struct db *db, const struct unopened *missing)
{
    mutex_lock(&db->view_lock);
    for (size_t i = 0; i < db->unopened_count; i++) {
        if (!ulid_eq(db->unopened[i].ulid, missing->ulid))
            continue;
        db->unopened[i] = db->unopened[--db->unopened_count];
        break;
    }
    mutex_unlock(&db->view_lock);
    change_log_note(db->changes, missing->min_ms, missing->max_ms);
}

static void open_again(struct db *db, const struct unopened *missing)
{
    struct diag d = {0};
    struct buf dir = {0};
    struct block *b;
    char name[ULID_TEXT_SIZE];
    ulid_format(missing->ulid, name);
    err e = block_open(db->fs, fs_join(&dir, db->blocks_dir, name), &b, &d);
    if (e == OK) {
        struct view_edit edit = {.add_blocks = &b, .add_count = 1};
        (void)view_change(db, &edit);
        log_info("a block that could not be opened is served again", LOG_CSTR("block", name));
    } else if (e == ERR_CORRUPT || e == ERR_NOTFOUND) {
        log_error("a damaged block is set aside", LOG_CSTR("block", name),
                  LOG_CSTR("reason", d.text));
        db_note_quarantined(db, name, missing->min_ms, missing->max_ms);
        e = block_dir_quarantine(db->fs, db->blocks_dir, db->quarantine_dir, missing->ulid);
        if (e != OK)
            log_error("a damaged block could not be moved; it is not served",
                      LOG_CSTR("block", name), LOG_ERR(e));
        e = OK;
    }
    if (e == OK)
        forget_unopened(db, missing);
    buf_fini(&dir);
}

void db_open_missing(struct db *db)
{
    mutex_lock(&db->view_lock);
    size_t count = db->unopened_count;
    struct unopened *list = mem_alloc((count + 1) * sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = db->unopened[i];
    mutex_unlock(&db->view_lock);
    for (size_t i = 0; i < count; i++)
        open_again(db, &list[i]);
    mem_free(list);
}
