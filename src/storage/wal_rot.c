/* wal_rot.c -- groups hit by rot: records that still verify are used, definitions come from the
 * companion, the damaged bytes are copied aside, and everything is counted and reported. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "base/log.h"
#include "storage/wal_priv.h"

enum {
    COMPANION_READ_SIZE = 256 << 10, /* bytes */
    COPY_SIZE = 256 << 10,           /* bytes */
};

/* Walking the records of a damaged body. The table of ends, when it is whole, tells where each is;
 * without it the sizes in front of the records must do. */
struct salvage {
    slice records; /* as much as there is */
    slice ends;    /* {NULL, 0}: no table */
    uint64_t seed, seq;
    size_t offset;
    uint32_t index, count;
    bool stop_at_bad; /* nobody knows how many records there are: the first bad one is the end */
};

static struct salvage salvage_of(const struct wal_group *g)
{
    size_t size = g->header.body_size - wal_table_size(g->header.record_count);
    return (struct salvage){
        .records = {g->body.ptr, MIN(size, g->body.len)},
        .ends = wal_table_decode(g->body, &g->header, g->seed),
        .seed = g->seed,
        .seq = g->header.seq,
        .count = g->header.record_count,
    };
}

/* The next record that verifies; false after the last. */
static bool salvage_next(struct salvage *s, struct wal_record *out)
{
    while (s->index < s->count && s->offset < s->records.len) {
        bool good = wal_record_verify(s->records, s->offset, s->seed, out);
        if (!good && s->stop_at_bad)
            return false;
        size_t end = s->records.len; /* unless something says where this record ends */
        if (s->ends.len > 0)
            end = load_u32(s->ends.ptr + (size_t)4 * s->index);
        else if (good || wal_record_decode(s->records, s->offset, out))
            end = out->end;
        s->offset = MAX(end, s->offset + 1);
        s->index++;
        if (good)
            return true;
    }
    return false;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = load_u32(a), y = load_u32(b);
    return (x > y) - (x < y);
}

static bool has_id(const struct buf *sorted, uint32_t id)
{
    return sorted->len > 0 &&
           bsearch(&id, sorted->ptr, sorted->len / sizeof(id), sizeof(id), compare_ids) != NULL;
}

static err give_define(struct wal_replayer *r, uint32_t id, slice payload)
{
    r->stats.replay_defines++;
    return r->callbacks->define != NULL ? r->callbacks->define(r->callbacks->arg, id, payload) : OK;
}

/* Hand out the definitions that verify; their ids are added to `ids`. */
static err save_defines(struct wal_replayer *r, struct salvage *s, struct buf *ids)
{
    struct wal_record rec;
    while (salvage_next(s, &rec)) {
        if (rec.type != WAL_TYPE_DEFINE || rec.payload.len < WAL_DEFINE_ID_SIZE)
            continue;
        uint32_t id = load_u32(rec.payload.ptr);
        slice payload = {rec.payload.ptr + WAL_DEFINE_ID_SIZE,
                         rec.payload.len - WAL_DEFINE_ID_SIZE};
        TRY(give_define(r, id, payload));
        buf_put(ids, &id, sizeof(id));
    }
    return OK;
}

static err save_records(struct wal_replayer *r, struct salvage *s, uint64_t *saved)
{
    struct wal_record rec;
    while (salvage_next(s, &rec)) {
        if (rec.type == WAL_TYPE_DEFINE)
            continue;
        (*saved)++;
        r->stats.replay_records++;
        if (r->callbacks->record != NULL)
            TRY(r->callbacks->record(r->callbacks->arg, rec.type, rec.payload, s->seq));
    }
    return OK;
}

/* The companion: a second copy of the definitions of a segment. */

static void companion_open(struct wal_replayer *r)
{
    struct wal_companion *c = &r->companion;
    uint64_t size;
    c->tried = true;
    c->pos = WAL_COMPANION_HEADER_SIZE;
    wal_companion_path(&r->path, r->dir, r->segment);
    if (fs_open(r->fs, (const char *)r->path.ptr, FS_READ, &c->file) != OK)
        return;
    if (fs_size(r->fs, c->file, &size) != OK) {
        fs_close(r->fs, c->file);
        c->file = NULL;
        return;
    }
    c->in = wal_input_new(r->fs, COMPANION_READ_SIZE, false);
    wal_input_attach(c->in, c->file, size);
}

void wal_companion_close(struct wal_replayer *r)
{
    wal_input_free(r->companion.in);
    fs_close(r->fs, r->companion.file);
    r->companion = (struct wal_companion){0};
}

/* The next entry that verifies, at or behind `pos`, which becomes its place. What does not verify
 * is searched for the start of another entry. */
static bool companion_peek(struct wal_companion *c, struct wal_entry *out)
{
    while (c->in != NULL && c->pos < wal_input_size(c->in)) {
        slice bytes;
        if (wal_input_get(c->in, c->pos, WAL_ENTRY_HEADER_SIZE, &bytes) != OK)
            break;
        uint64_t size = wal_entry_size(bytes, WAL_DEFINE_SIZE_MAX + WAL_ENTRY_HEADER_SIZE);
        if (size > 0 && wal_input_get(c->in, c->pos, (size_t)size, &bytes) == OK &&
            wal_entry_decode(bytes, c->uuid, c->pos, out))
            return true;
        c->pos += WAL_ENTRY_ALIGN;
    }
    return false;
}

/* Hand out the definitions of the groups `first` to `last`, but not those in `known`, which is
 * sorted here. They are in order, as are the damaged places, so one pass over the file serves all.
 */
static err companion_give(struct wal_replayer *r, uint64_t first, uint64_t last, struct buf *known,
                          uint64_t *saved)
{
    struct wal_companion *c = &r->companion;
    struct wal_entry entry;
    if (!c->tried)
        companion_open(r);
    if (known->len > 0)
        qsort(known->ptr, known->len / sizeof(uint32_t), sizeof(uint32_t), compare_ids);
    while (companion_peek(c, &entry) && entry.seq <= last) {
        if (entry.seq >= first && !has_id(known, entry.id)) {
            TRY(give_define(r, entry.id, entry.payload));
            (*saved)++;
        }
        c->pos = entry.end;
    }
    return OK;
}

/* Copying damaged bytes aside. */

static err copy_range(struct wal_replayer *r, struct fs_file *to, uint64_t pos, uint64_t size)
{
    struct buf piece = {0};
    err e = OK;
    for (uint64_t at = 0; e == OK && at < size;) {
        size_t want = (size_t)MIN(size - at, (uint64_t)COPY_SIZE), got = 0;
        uint8_t *p = buf_reserve(&piece, want);
        e = fs_read_at(r->fs, r->file, p, want, pos + at, &got);
        if (e == OK && got == 0)
            break; /* the file ends before what is missing */
        if (e == OK)
            e = fs_write_at(r->fs, to, p, got, at);
        at += got;
    }
    buf_fini(&piece);
    return e;
}

static err copy_aside(struct wal_replayer *r, uint64_t pos, uint64_t size)
{
    struct fs_file *f;
    const char *path = (const char *)r->path.ptr;
    err e = fs_open(r->fs, path, FS_READ, &f);
    if (e == OK) { /* an earlier replay did it */
        fs_close(r->fs, f);
        return OK;
    }
    if (e != ERR_NOTFOUND)
        return e;
    TRY(fs_make_dir(r->fs, r->quarantine_dir));
    TRY(fs_open(r->fs, path, FS_CREATE, &f));
    e = copy_range(r, f, pos, size);
    if (e == OK)
        e = fs_sync(r->fs, f);
    fs_close(r->fs, f);
    if (e == OK)
        e = fs_sync_dir(r->fs, r->quarantine_dir);
    else if (fs_unlink(r->fs, path) != OK)
        log_warn("incomplete copy of damaged bytes remains", LOG_CSTR("path", path));
    return e;
}

void wal_rot_publish(struct wal_replayer *r, struct wal_damage *damage)
{
    damage->segment = r->segment;
    r->stats.replay_corruptions++;
    r->stats.replay_groups_lost += damage->groups_lost;
    r->stats.replay_records_lost += damage->records_lost;
    log_error("write-ahead log damaged", LOG_INT("segment", damage->segment),
              LOG_INT("pos", damage->pos), LOG_INT("bytes", damage->size),
              LOG_INT("groups_lost", damage->groups_lost),
              LOG_INT("records_lost", damage->records_lost),
              LOG_INT("records_saved", damage->records_saved),
              LOG_INT("definitions_saved", damage->defines_saved),
              LOG_CSTR("copy", damage->quarantined != NULL ? damage->quarantined : ""));
    if (r->callbacks->damage != NULL)
        r->callbacks->damage(r->callbacks->arg, damage);
}

void wal_rot_report(struct wal_replayer *r, struct wal_damage *damage)
{
    if (r->may_change) {
        buf_reset(&r->path);
        buf_printf(&r->path, "%s/%08x-%010llx.bad", r->quarantine_dir, r->segment,
                   (unsigned long long)damage->pos);
        (void)buf_cstr(&r->path);
        if (copy_aside(r, damage->pos, damage->size) == OK)
            damage->quarantined = (const char *)r->path.ptr;
    }
    wal_rot_publish(r, damage);
}

/* A group whose header is good: definitions first, as records need them. */
static err save_hit(struct wal_replayer *r, const struct wal_group *g, struct wal_damage *d)
{
    struct buf ids = {0};
    struct salvage s = salvage_of(g);
    err e = save_defines(r, &s, &ids);
    uint64_t defines = ids.len / sizeof(uint32_t);
    if (e == OK)
        e = companion_give(r, g->header.seq, g->header.seq, &ids, &d->defines_saved);
    buf_fini(&ids);
    s = salvage_of(g);
    if (e == OK)
        e = save_records(r, &s, &d->records_saved);
    uint64_t saved = defines + d->defines_saved + d->records_saved;
    d->records_lost = g->header.record_count > saved ? g->header.record_count - saved : 0;
    return e;
}

/* Groups without headers. Where the first one starts and its number are known all the same, which
 * is what its records are verified with; and if it is read to its end, so is the place of the next.
 */
struct lost_groups {
    uint64_t pos, end; /* of the file */
    uint64_t seq, last_seq;
    uint64_t count; /* groups of which something was found */
};

static err lost_begin(struct wal_replayer *r, const struct lost_groups *l, struct salvage *out)
{
    *out = (struct salvage){.seq = l->seq, .count = UINT32_MAX, .stop_at_bad = true};
    if (l->seq > l->last_seq || l->pos + WAL_GROUP_HEADER_SIZE >= l->end)
        return OK;
    uint64_t left = l->end - l->pos - WAL_GROUP_HEADER_SIZE;
    out->seed = wal_seed(r->companion.uuid, l->pos, l->seq);
    return wal_input_get(r->in, l->pos + WAL_GROUP_HEADER_SIZE,
                         (size_t)MIN(left, (uint64_t)WAL_GROUP_SIZE_MAX), &out->records);
}

/* Go on behind the records that `s` has found; false when it found none. */
static bool lost_next(struct lost_groups *l, const struct salvage *s)
{
    if (s->index == 0)
        return false;
    l->pos += wal_group_file_size((uint32_t)s->offset + wal_table_size(s->index));
    l->seq++;
    l->count++;
    return true;
}

static struct lost_groups lost_of(const struct wal_group *g)
{
    return (struct lost_groups){.pos = g->pos,
                                .end = g->pos + g->size,
                                .seq = g->first_seq_lost,
                                .last_seq = g->last_seq_lost};
}

static err save_gone_defines(struct wal_replayer *r, const struct wal_group *g,
                             struct wal_damage *d)
{
    struct lost_groups l = lost_of(g);
    struct salvage s;
    struct buf ids = {0};
    err e;
    do {
        e = lost_begin(r, &l, &s);
        if (e == OK)
            e = save_defines(r, &s, &ids);
    } while (e == OK && lost_next(&l, &s));
    if (e == OK)
        e = companion_give(r, g->first_seq_lost, g->last_seq_lost, &ids, &d->defines_saved);
    buf_fini(&ids);
    return e;
}

static err save_gone(struct wal_replayer *r, const struct wal_group *g, struct wal_damage *d)
{
    struct lost_groups l = lost_of(g);
    struct salvage s;
    TRY(save_gone_defines(r, g, d));
    do {
        TRY(lost_begin(r, &l, &s));
        TRY(save_records(r, &s, &d->records_saved));
    } while (lost_next(&l, &s));
    d->groups_lost = g->last_seq_lost - g->first_seq_lost + 1 - l.count;
    return OK;
}

err wal_rot_handle(struct wal_replayer *r, const struct wal_group *g)
{
    struct wal_damage damage = {.pos = g->pos, .size = g->size};
    if (g->found == WAL_FOUND_HIT)
        TRY(save_hit(r, g, &damage));
    else if (g->first_seq_lost <= g->last_seq_lost)
        TRY(save_gone(r, g, &damage));
    wal_rot_report(r, &damage);
    return OK;
}
