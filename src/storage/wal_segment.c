/* wal_segment.c -- the current segment's files: starting, growing, sealing, giving up. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "storage/wal_priv.h"

enum {
    ZERO_SIZE = 256 << 10, /* bytes written at once */
    RETRY_NS = 1000000000, /* before zeros are tried again on a full disk */
};

static err write_zeros(struct fs *fs, struct fs_file *f, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[ZERO_SIZE];
    while (from < to) {
        size_t n = (size_t)MIN(to - from, (uint64_t)ZERO_SIZE);
        TRY(fs_write_at(fs, f, zeros, n, from));
        from += n;
    }
    return OK;
}

static struct wal_uuid new_uuid(struct wal *w)
{
    if (w->options.uuid_seed == 0)
        return (struct wal_uuid){hash_random_seed(), hash_random_seed()};
    uint8_t number[4];
    store_u32(number, w->segments.last_number + 1);
    hash128 h = hash128_of((slice){number, sizeof(number)}, w->options.uuid_seed);
    return (struct wal_uuid){h.lo, h.hi};
}

static struct wal_header new_header(struct wal *w)
{
    const struct wal_writer *s = &w->writer;
    struct wal_end previous = w->segments.end;
    if (s->file != NULL)
        previous =
            (struct wal_end){s->header.uuid, s->pos, s->synced_pos, s->last_seq, s->last_hash};
    return (struct wal_header){.uuid = new_uuid(w),
                               .first_seq = w->next_seq,
                               .segment = w->segments.last_number + 1,
                               .created_ms = clock_wall_ms(),
                               .previous = previous};
}

/* Header and first zeros of the segment, durable. */
static err create_file(struct wal *w, struct wal_writer *s)
{
    uint8_t header[WAL_HEADER_SIZE];
    wal_header_encode(&s->header, header);
    wal_segment_path(&w->scratch, w->dir, s->header.segment);
    TRY(fs_open(w->fs, (const char *)w->scratch.ptr, FS_CREATE, &s->file));
    TRY(fs_write_at(w->fs, s->file, header, sizeof(header), 0));
    s->zeroed_pos = WAL_HEADER_SIZE + w->options.ahead_size;
    TRY(write_zeros(w->fs, s->file, WAL_HEADER_SIZE, s->zeroed_pos));
    return fs_sync(w->fs, s->file);
}

/* The companion is a second copy: without it the segment is used all the same. */
static void create_companion(struct wal *w, struct wal_writer *s)
{
    uint8_t header[WAL_COMPANION_HEADER_SIZE];
    wal_companion_header_encode(&s->header, header);
    wal_companion_path(&w->scratch, w->dir, s->header.segment);
    err e = fs_open(w->fs, (const char *)w->scratch.ptr, FS_CREATE, &s->companion);
    if (e == OK) {
        e = fs_write_at(w->fs, s->companion, header, sizeof(header), 0);
        if (e == OK)
            e = fs_sync(w->fs, s->companion);
        if (e != OK) {
            fs_close(w->fs, s->companion);
            s->companion = NULL;
        }
    }
    s->companion_pos = sizeof(header);
    w->stats.companion_errors += e != OK;
}

/* Remove what a failed start left. If that fails too, the next wal_open() does it. */
static void undo_start(struct wal *w, struct wal_writer *s)
{
    bool created = s->file != NULL, accompanied = s->companion != NULL;
    fs_close(w->fs, s->file);
    fs_close(w->fs, s->companion);
    wal_segment_path(&w->scratch, w->dir, s->header.segment);
    err e = created ? fs_unlink(w->fs, (const char *)w->scratch.ptr) : OK;
    wal_companion_path(&w->scratch, w->dir, s->header.segment);
    err e2 = accompanied ? fs_unlink(w->fs, (const char *)w->scratch.ptr) : OK;
    if (e != OK || e2 != OK)
        log_warn("a segment that could not be started remains",
                 LOG_INT("segment", s->header.segment));
}

err wal_segment_start(struct wal *w, struct wal_writer *out)
{
    struct wal_writer s = {.header = new_header(w),
                           .pos = WAL_HEADER_SIZE,
                           .synced_pos = WAL_HEADER_SIZE,
                           .last_seq = w->next_seq - 1,
                           .last_sync_mono_ns = clock_mono_ns()};
    w->segments.last_number++; /* never used twice, whatever happens */
    err e = create_file(w, &s);
    if (e == OK) {
        create_companion(w, &s);
        e = fs_sync_dir(w->fs, w->dir);
    }
    if (e != OK) {
        undo_start(w, &s);
        return e;
    }
    struct wal_segment_file file = {.segment = s.header.segment,
                                    .header = s.header,
                                    .has_groups = true,
                                    .size = s.zeroed_pos,
                                    .companion_size = s.companion_pos};
    wal_dir_add(&w->segments, &file);
    w->stats.segments_created++;
    *out = s;
    return OK;
}

err wal_segment_sync(struct wal *w)
{
    struct wal_writer *s = &w->writer;
    ASSERT(s->file != NULL && !s->failed);
    err e = fs_sync(w->fs, s->file);
    if (e != OK) {
        w->stats.sync_errors++;
        wal_segment_fail(w);
        return e;
    }
    w->stats.syncs++;
    s->synced_pos = s->pos;
    s->last_sync_mono_ns = clock_mono_ns();
    return OK;
}

void wal_segment_fail(struct wal *w)
{
    struct wal_writer *s = &w->writer;
    s->failed = true;
#ifndef VARVE_CANARY_NO_TRUNCATE
    /* Should this fail too: the header of the next segment says that we end at `pos`. */
    if (fs_truncate(w->fs, s->file, s->pos) == OK)
        s->zeroed_pos = s->pos;
    else
        log_warn("unacknowledged bytes remain behind the end of a segment",
                 LOG_INT("segment", s->header.segment));
#endif
}

static err write_seal(struct wal *w, struct wal_writer *s)
{
    uint8_t sector[WAL_SECTOR] = {0};
    struct wal_group_header h = {
        .seq = s->last_seq + 1, .synced_pos = s->synced_pos, .flags = WAL_GROUP_SEAL};
    h.body_hash = wal_body_hash((slice){sector, 0}, wal_seed(s->header.uuid, s->pos, h.seq));
    wal_group_header_encode(&h, s->header.uuid, s->pos, sector);
    TRY(fs_write_at(w->fs, s->file, sector, sizeof(sector), s->pos));
    s->pos += sizeof(sector);
    return fs_truncate(w->fs, s->file, s->pos);
}

err wal_segment_seal(struct wal *w, struct wal_writer *s, bool sync)
{
    err e = OK;
    if (s->file == NULL)
        return OK;
    if (!s->failed) {
        e = write_seal(w, s);
        if (e == OK && sync)
            e = fs_sync(w->fs, s->file);
        if (e == OK && sync && s->companion != NULL && fs_sync(w->fs, s->companion) != OK)
            w->stats.companion_errors++;
    }
    fs_close(w->fs, s->file);
    fs_close(w->fs, s->companion);
    s->file = s->companion = NULL;
    return e;
}

void wal_segment_zero_ahead(struct wal *w)
{
    struct wal_writer *s = &w->writer;
    uint64_t now = clock_mono_ns(), want = s->pos + w->options.ahead_size;
    s->zeroed_pos = MAX(s->zeroed_pos, s->pos);
    if (s->zeroed_pos >= s->pos + w->options.ahead_size / 2 || now < s->ahead_retry_mono_ns)
        return;
    err e = write_zeros(w->fs, s->file, s->zeroed_pos, want);
    if (e == ERR_NOSPACE) {
        s->ahead_retry_mono_ns = now + RETRY_NS;
        return;
    }
    if (e != OK) {
        w->stats.write_errors++;
        wal_segment_fail(w);
        return;
    }
    w->stats.bytes_ahead += want - s->zeroed_pos;
    s->zeroed_pos = want;
    if (w->options.sync == WAL_SYNC_ACK && wal_segment_sync(w) != OK)
        log_warn("segment given up", LOG_INT("segment", s->header.segment));
}

void wal_segment_put_companion(struct wal *w, uint64_t seq)
{
    struct wal_writer *s = &w->writer;
    struct reader r = reader_of(buf_slice(&w->entries));
    if (s->companion == NULL || w->entries.len == 0)
        return;
    buf_reset(&w->scratch);
    while (reader_left(&r) > 0) {
        uint32_t id = read_u32(&r), size = read_u32(&r);
        slice payload = read_bytes(&r, size);
        ASSERT(!r.overrun);
        wal_entry_put(&w->scratch, s->header.uuid, s->companion_pos + w->scratch.len, seq, id,
                      payload);
    }
    err e = fs_write_at(w->fs, s->companion, w->scratch.ptr, w->scratch.len, s->companion_pos);
    if (e == OK) {
        s->companion_pos += w->scratch.len;
        return;
    }
    w->stats.companion_errors++; /* nothing goes behind a failed write */
    fs_close(w->fs, s->companion);
    s->companion = NULL;
}
