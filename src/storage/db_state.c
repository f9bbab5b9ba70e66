/* db_state.c -- the state file's owner, and what of the clock may be believed. */
#include "base/clock.h"
#include "base/log.h"
#include "storage/db_priv.h"

/* Requires state_lock. */
static int64_t trusted_now(struct db *db)
{
    int64_t now_ms = clock_wall_ms();
    bool ahead = db->state.clock_ms != INT64_MIN && now_ms - DB_CLOCK_JUMP_MS > db->state.clock_ms;
    if (!ahead) {
        db->clock_ahead_mono_ns = 0;
        db->state.clock_ms = MAX(db->state.clock_ms, now_ms);
        return now_ms;
    }
    uint64_t mono_ns = clock_mono_ns();
    if (db->clock_ahead_mono_ns == 0) {
        db->clock_ahead_mono_ns = mono_ns;
        log_warn("the clock is more than a day ahead of when it was last seen; nothing is deleted "
                 "for its age until that has lasted for a day",
                 LOG_INT("now_ms", now_ms), LOG_INT("last_seen_ms", db->state.clock_ms));
    }
    if (mono_ns - db->clock_ahead_mono_ns < (uint64_t)DB_CLOCK_JUMP_MS * 1000000)
        return db->state.clock_ms;
    db->state.clock_ms = now_ms;
    return now_ms;
}

int64_t db_trusted_now_ms(struct db *db)
{
    mutex_lock(&db->state_lock);
    int64_t now_ms = trusted_now(db);
    mutex_unlock(&db->state_lock);
    return now_ms;
}

err db_save_state(struct db *db, uint32_t wal_first)
{
    mutex_lock(&db->state_lock);
    (void)trusted_now(db);
    struct state s = db->state;
    s.wal_first = MAX(s.wal_first, wal_first);
    err e = state_save(db->fs, db->path, &s, db->metadata, db->exemplars);
    if (e == OK)
        db->state.wal_first = s.wal_first;
    mutex_unlock(&db->state_lock);
    return e;
}
