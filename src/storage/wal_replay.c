/* wal_replay.c -- reading a log: its segments in order, their groups, records and damage. */
#include "base/log.h"
#include "storage/wal_priv.h"

static err give_record(struct wal_replayer *r, const struct wal_record *rec, uint64_t seq)
{
    const struct wal_replay *cb = r->callbacks;
    if (rec->type != WAL_TYPE_DEFINE) {
        r->stats.replay_records++;
        return cb->record != NULL ? cb->record(cb->arg, rec->type, rec->payload, seq) : OK;
    }
    r->stats.replay_defines++;
    if (cb->define == NULL)
        return OK;
    slice payload = {rec->payload.ptr + WAL_DEFINE_ID_SIZE, rec->payload.len - WAL_DEFINE_ID_SIZE};
    return cb->define(cb->arg, load_u32(rec->payload.ptr), payload);
}

/* All records of a group whose body verifies. Framing that does not fit all the same was written
 * so: it is treated as damage. */
static err give_group(struct wal_replayer *r, const struct wal_group *g)
{
    slice records = {g->body.ptr, g->body.len - wal_table_size(g->header.record_count)};
    size_t offset = 0;
    for (uint32_t i = 0; i < g->header.record_count; i++) {
        struct wal_record rec;
        if (!wal_record_decode(records, offset, &rec) ||
            (rec.type == WAL_TYPE_DEFINE && rec.payload.len < WAL_DEFINE_ID_SIZE)) {
            struct wal_damage damage = {.pos = g->pos,
                                        .size = g->size,
                                        .records_saved = i,
                                        .records_lost = g->header.record_count - i};
            wal_rot_report(r, &damage);
            return OK;
        }
        TRY(give_record(r, &rec, g->header.seq));
        offset = rec.end;
    }
    r->stats.replay_groups++;
    r->stats.replay_bytes += g->size;
    return OK;
}

static err handle_found(struct wal_replayer *r, struct wal_segment_file *file,
                        const struct wal_group *g)
{
    switch (g->found) {
    case WAL_FOUND_GROUP:
        file->has_groups = true;
        return give_group(r, g);
    case WAL_FOUND_HIT:
    case WAL_FOUND_GONE:
        file->has_groups = true;
        return wal_rot_handle(r, g);
    case WAL_FOUND_TORN:
        r->stats.replay_torn_tails++;
        log_info("unfinished end of the write-ahead log dropped", LOG_INT("segment", r->segment),
                 LOG_INT("pos", g->pos));
        return OK;
    case WAL_FOUND_END:
        return OK;
    }
    return OK;
}

static err replay_groups(struct wal_replayer *r, struct wal_segment_file *file, struct wal_scan *s)
{
    struct wal_group g;
    do {
        TRY(wal_scan_next(s, &g));
        TRY(handle_found(r, file, &g));
    } while (g.found != WAL_FOUND_END && g.found != WAL_FOUND_TORN);
    return OK;
}

/* Damage that took no group with it. */
static void report_harmless(struct wal_replayer *r, const struct wal_segment_file *file)
{
    struct wal_damage damage = {.pos = 0, .size = WAL_HEADER_SIZE};
    if (file->header_damaged && file->has_groups)
        wal_rot_report(r, &damage);
}

/* Does the header of `next` speak of `file`? */
static bool is_successor(const struct wal_segment_file *next, const struct wal_segment_file *file)
{
    return next != NULL && wal_uuid_eq(next->header.previous.uuid, file->header.uuid);
}

/* What the end of a replay means for the file: to be synced, perhaps cut, perhaps removed. */
static void conclude(struct wal_replayer *r, struct wal_segment_file *file,
                     const struct wal_segment_file *next, const struct wal_scan *scan)
{
    report_harmless(r, file);
    file->end = scan->pos;
    file->sync_needed = !is_successor(next, file) || next->header.previous.synced_pos < file->end;
    if (wal_input_unreadable(r->in) == 0)
        return;
    /* We may have taken for the end what only could not be read this time: keep the file as it is,
     * and let the next replay look for more, with numbers of its own. */
    log_error("parts of a segment cannot be read", LOG_INT("segment", file->segment),
              LOG_INT("bytes", wal_input_unreadable(r->in)));
    r->stats.replay_corruptions++;
    file->has_groups = true;
    file->sync_needed = false;
    file->end = MAX(file->end, file->size);
}

/* Replay `file`; `next` is the segment after it or NULL. */
static err replay_file(struct wal_replayer *r, struct wal_segment_file *file,
                       const struct wal_segment_file *next, struct wal_dir *d)
{
    struct wal_scan scan;
    uint64_t size;
    wal_segment_path(&r->path, r->dir, file->segment);
    r->segment = file->segment;
    r->companion = (struct wal_companion){.uuid = file->header.uuid};
    TRY(fs_open(r->fs, (const char *)r->path.ptr, FS_READ, &r->file));
    err e = fs_size(r->fs, r->file, &size);
    if (e == OK) {
        wal_input_attach(r->in, r->file, size);
        wal_scan_init(&scan, r->in, &file->header, next != NULL ? &next->header : NULL);
        e = replay_groups(r, file, &scan);
    }
    if (e == OK) {
        conclude(r, file, next, &scan);
        uint64_t unread = (file->end - scan.pos) / WAL_SECTOR; /* groups there may be */
        d->last_seq = MAX(d->last_seq, scan.last_seq + unread);
        if (file->has_groups)
            d->end = (struct wal_end){file->header.uuid, file->end, scan.pos, scan.last_seq,
                                      scan.last_hash};
    }
    wal_companion_close(r);
    wal_input_detach(r->in);
    fs_close(r->fs, r->file);
    r->file = NULL;
    return e;
}

static bool has_uuid(const struct wal_dir *d, size_t count, struct wal_uuid uuid)
{
    for (size_t i = 0; i < count; i++)
        if (wal_uuid_eq(d->files[i].header.uuid, uuid))
            return true;
    return false;
}

/* Segment `i` names the one it followed: was that replayed, to the same end? */
static void check_chain(struct wal_replayer *r, const struct wal_dir *d, size_t i)
{
    const struct wal_end *told = &d->files[i].header.previous, *found = &d->end;
    bool is_first = wal_uuid_eq(told->uuid, (struct wal_uuid){0, 0}); /* nothing else was there */
    bool missing = i > 0 && !is_first && !has_uuid(d, i, told->uuid);
    bool differs = wal_uuid_eq(told->uuid, found->uuid) && told->last_seq == found->last_seq &&
                   told->last_hash != found->last_hash;
    if (!missing && !differs)
        return;
    r->stats.replay_segments_missing++;
    log_error("a segment does not follow the one before it",
              LOG_INT("segment", d->files[i].segment), LOG_INT("missing", missing));
}

static err replay_all(struct wal_replayer *r, struct wal_dir *d)
{
    const struct wal_replay *cb = r->callbacks;
    for (size_t i = 0; i < d->count; i++) {
        struct wal_segment_file *file = &d->files[i];
        check_chain(r, d, i);
        r->stats.replay_segments++;
        if (cb->segment != NULL)
            TRY(cb->segment(cb->arg, file->segment, (unsigned)i, (unsigned)d->count));
        TRY(replay_file(r, file, i + 1 < d->count ? file + 1 : NULL, d));
    }
    return OK;
}

err wal_replay_dir(struct wal_replayer *r, uint32_t first_segment, struct wal_dir *d)
{
    TRY(wal_dir_read(r, first_segment, d));
    return replay_all(r, d);
}
