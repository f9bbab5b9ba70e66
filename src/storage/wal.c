/* wal.c -- opening, groups, commits, rotation and recovery of the write-ahead log. See wal.h. */
#include "storage/wal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/wal_priv.h"

enum {
    SEGMENT_SIZE_DEFAULT = 1 << 30,
    AHEAD_SIZE_DEFAULT = 8 << 20,
    READ_SIZE_DEFAULT = 4 << 20,
    SYNC_INTERVAL_DEFAULT_MS = 1000,
    GROUP_KEEP_MAX = 4 << 20, /* bytes of a buffer that is kept for the next group */
};

static const struct wal_replay no_callbacks;

/* The current segment's entry in the list. */
static struct wal_segment_file *current_file(struct wal *w)
{
    ASSERT(w->segments.count > 0);
    return &w->segments.files[w->segments.count - 1];
}

/* What other threads see. */
static void publish(struct wal *w)
{
    struct wal_stats *s = &w->stats;
    if (w->writer.file != NULL) {
        current_file(w)->size = MAX(w->writer.pos, w->writer.zeroed_pos);
        current_file(w)->companion_size = w->writer.companion_pos;
    }
    s->size_bytes = wal_size_bytes(w);
    s->segments = (uint32_t)w->segments.count;
    s->first_segment = w->segments.count > 0 ? w->segments.files[0].segment : 0;
    s->segment = wal_segment(w);
    s->available = w->down == OK;
    s->last_seq = w->next_seq - 1;
    mutex_lock(&w->shared->lock);
    w->shared->stats = *s;
    mutex_unlock(&w->shared->lock);
}

/* Opening and closing. */

static char *join_copy(const char *dir, const char *name)
{
    struct buf path = {0};
    (void)fs_join(&path, dir, name);
    return (char *)path.ptr; /* freed with mem_free() */
}

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}

static void set_defaults(struct wal_options *o)
{
    if (o->sync_interval_ms == 0)
        o->sync_interval_ms = SYNC_INTERVAL_DEFAULT_MS;
    if (o->segment_size_max == 0)
        o->segment_size_max = SEGMENT_SIZE_DEFAULT;
    if (o->ahead_size == 0)
        o->ahead_size = AHEAD_SIZE_DEFAULT;
    if (o->read_size == 0)
        o->read_size = READ_SIZE_DEFAULT;
}

static struct wal *wal_new(struct fs *fs, const char *dir, const struct wal_options *options)
{
    struct wal *w = mem_zalloc(1, sizeof(*w));
    w->fs = fs;
    w->options = *options;
    set_defaults(&w->options);
    w->dir = copy_text(dir);
    w->quarantine_dir = options->quarantine_dir != NULL ? copy_text(options->quarantine_dir)
                                                        : join_copy(dir, "quarantine");
    w->next_seq = 1;
    w->shared = mem_zalloc(1, sizeof(*w->shared));
    mutex_init(&w->shared->lock);
    return w;
}

static void wal_free(struct wal *w)
{
    wal_dir_fini(&w->segments);
    buf_fini(&w->group);
    buf_fini(&w->ends);
    buf_fini(&w->entries);
    buf_fini(&w->scratch);
    mutex_fini(&w->shared->lock);
    mem_free(w->shared);
    mem_free(w->dir);
    mem_free(w->quarantine_dir);
    mem_free(w);
}

static err replay(struct wal *w, const struct wal_replay *callbacks)
{
    struct wal_replayer r = {
        .fs = w->fs,
        .dir = w->dir,
        .quarantine_dir = w->quarantine_dir,
        .callbacks = callbacks != NULL ? callbacks : &no_callbacks,
        .in = wal_input_new(w->fs, w->options.read_size, w->options.read_ahead),
        .may_change = true,
    };
    err e = wal_replay_dir(&r, w->options.first_segment, &w->segments);
    wal_input_free(r.in);
    buf_fini(&r.path);
    w->stats = r.stats;
    w->next_seq = w->segments.last_seq + 1;
    return e;
}

/* What is here already, before anything is added. */
static err make_durable(struct wal *w)
{
    if (!w->dir_durable)
        TRY(fs_sync_dir(w->fs, fs_parent(&w->scratch, w->dir)));
    w->dir_durable = true;
    return wal_dir_settle(w->fs, w->dir, &w->segments);
}

/* Make a segment current after none was, or after the one before failed. */
static err start(struct wal *w)
{
    struct wal_writer s;
    err e = make_durable(w);
    if (e == OK)
        e = wal_segment_start(w, &s);
    w->down = e;
    if (e != OK)
        return e;
    (void)wal_segment_seal(w, &w->writer, false); /* a failed one is only closed */
    w->writer = s;
    w->rotate_retry_pos = 0;
    wal_dir_drop_empty(w->fs, w->dir, &w->segments);
    return OK;
}

err wal_open(struct fs *fs, const char *dir, const struct wal_options *options,
             const struct wal_replay *callbacks, struct wal **out)
{
    struct wal *w = wal_new(fs, dir, options);
    err e = fs_mkdir(fs, dir);
    if (e == OK)
        e = replay(w, callbacks);
    if (e != OK) {
        wal_free(w);
        return e;
    }
    e = start(w);
    if (e != OK)
        log_error("write-ahead log opened for reading only", LOG_ERR(e));
    publish(w);
    *out = w;
    return OK;
}

static bool has_groups(const struct wal_writer *s)
{
    return s->pos > WAL_HEADER_SIZE;
}

err wal_close(struct wal *w)
{
    err e = OK;
    if (w == NULL)
        return OK;
    if (w->writer.file != NULL) {
        bool used = has_groups(&w->writer), lost = w->writer.synced_pos < w->writer.pos;
        err sealed = wal_segment_seal(w, &w->writer, true);
        if (lost)
            e = w->writer.failed ? ERR_IO : sealed;
        if (!used && w->segments.count == 1 && wal_dir_unlink(w->fs, w->dir, &w->segments, 0) != OK)
            log_warn("empty segment remains until the next start");
    }
    wal_free(w);
    return e;
}

void wal_abandon(struct wal *w)
{
    if (w == NULL)
        return;
    fs_close(w->fs, w->writer.file);
    fs_close(w->fs, w->writer.companion);
    wal_free(w);
}

err wal_verify(struct fs *fs, const char *dir, const struct wal_replay *callbacks,
               struct wal_stats *stats)
{
    struct wal_replayer r = {
        .fs = fs,
        .dir = dir,
        .callbacks = callbacks != NULL ? callbacks : &no_callbacks,
        .in = wal_input_new(fs, READ_SIZE_DEFAULT, false),
    };
    struct wal_dir d = {0};
    err e = wal_replay_dir(&r, 0, &d);
    r.stats.last_seq = d.last_seq;
    if (e == OK && stats != NULL)
        *stats = r.stats;
    wal_dir_fini(&d);
    wal_input_free(r.in);
    buf_fini(&r.path);
    return e;
}

/* Groups. */

static void reset_buffer(struct buf *b)
{
    if (b->cap > GROUP_KEEP_MAX)
        buf_fini(b);
    buf_reset(b);
}

static void reset_group(struct wal *w)
{
    reset_buffer(&w->group);
    reset_buffer(&w->ends);
    reset_buffer(&w->entries);
    w->define_count = 0;
    memset(buf_reserve(&w->group, WAL_GROUP_HEADER_SIZE), 0, WAL_GROUP_HEADER_SIZE);
    w->group.len = WAL_GROUP_HEADER_SIZE;
}

static err rotate(struct wal *w)
{
    struct wal_writer s, old = w->writer;
    if (old.synced_pos < old.pos && w->options.sync == WAL_SYNC_INTERVAL) {
        TRY(wal_segment_sync(w));
        old = w->writer;
    }
    TRY(wal_segment_start(w, &s));
    struct wal_segment_file *file = current_file(w) - 1;
    /* What was promised is durable already; fs logs errors. */
    (void)wal_segment_seal(w, &old, w->options.sync != WAL_SYNC_OFF);
    file->size = MAX(old.pos, WAL_HEADER_SIZE);
    file->companion_size = old.companion_pos;
    w->writer = s;
    return OK;
}

/* Have a healthy segment to write to, with room by its limit if possible. */
static err prepare_segment(struct wal *w)
{
    if (w->down != OK)
        return w->down;
    if (w->writer.file == NULL || w->writer.failed)
        return start(w);
    uint64_t pos = w->writer.pos;
    if (pos < w->options.segment_size_max || pos < w->rotate_retry_pos || !has_groups(&w->writer))
        return OK;
    if (rotate(w) == OK)
        return OK;
    if (w->writer.failed)
        return start(w);
    w->rotate_retry_pos = pos + w->options.ahead_size; /* until then this one grows on */
    return OK;
}

err wal_begin(struct wal *w)
{
    err e = prepare_segment(w);
    reset_group(w);
    if (e != OK)
        publish(w);
    return e;
}

uint32_t wal_segment(const struct wal *w)
{
    return w->writer.header.segment;
}

static size_t body_size(const struct wal *w)
{
    return w->group.len - WAL_GROUP_HEADER_SIZE;
}

size_t wal_group_size(const struct wal *w)
{
    return w->ends.len > 0 ? w->group.len : 0;
}

/* Would a record of `size` bytes, and the table with one more end, still fit? */
static bool has_room(const struct wal *w, size_t size)
{
    size_t need = body_size(w) + WAL_RECORD_HEADER_SIZE_MAX + size + w->ends.len + 8;
    return need <= WAL_GROUP_SIZE_MAX;
}

static err put_record(struct wal *w, uint8_t type, slice first, slice second)
{
    ASSERT(w->group.len >= WAL_GROUP_HEADER_SIZE && w->writer.file != NULL);
    if (!has_room(w, first.len + second.len))
        return ERR_FULL;
    wal_record_put(&w->group, type, first, second);
    buf_put_u32(&w->ends, (uint32_t)body_size(w));
    return OK;
}

err wal_define(struct wal *w, uint32_t id, slice payload)
{
    uint8_t prefix[WAL_DEFINE_ID_SIZE];
    if (payload.len > WAL_DEFINE_SIZE_MAX)
        return ERR_LIMIT;
    store_u32(prefix, id);
    TRY(put_record(w, WAL_TYPE_DEFINE, (slice){prefix, sizeof(prefix)}, payload));
    w->define_count++;
    buf_put_u32(&w->entries, id);
    buf_put_u32(&w->entries, (uint32_t)payload.len);
    buf_put(&w->entries, payload.ptr, payload.len);
    return OK;
}

err wal_append(struct wal *w, uint8_t type, slice payload)
{
    ASSERT(type != WAL_TYPE_DEFINE);
    if (payload.len > WAL_RECORD_SIZE_MAX)
        return ERR_LIMIT;
    return put_record(w, type, (slice){NULL, 0}, payload);
}

struct buf *wal_record_begin(struct wal *w, uint8_t type)
{
    ASSERT(w->group.len >= WAL_GROUP_HEADER_SIZE && w->writer.file != NULL);
    ASSERT(type != WAL_TYPE_DEFINE);
    w->record_pos = w->group.len;
    wal_record_open(&w->group, type);
    return &w->group;
}

err wal_record_end(struct wal *w)
{
    size_t size = wal_record_close(&w->group, w->record_pos);
    bool too_large = size > WAL_RECORD_SIZE_MAX;
    if (too_large || !has_room(w, 0)) {
        w->group.len = w->record_pos;
        return too_large ? ERR_LIMIT : ERR_FULL;
    }
    buf_put_u32(&w->ends, (uint32_t)body_size(w));
    return OK;
}

/* Checksums, header and padding: the bytes as they go to the file. */
static void finish_group(struct wal *w, struct wal_group_header *h)
{
    const struct wal_writer *s = &w->writer;
    uint64_t seed = wal_seed(s->header.uuid, s->pos, h->seq);
    wal_body_finish(&w->group, WAL_GROUP_HEADER_SIZE, buf_slice(&w->ends), seed);
    slice body = {w->group.ptr + WAL_GROUP_HEADER_SIZE, body_size(w)};
    h->body_size = (uint32_t)body.len;
    h->body_hash = wal_body_hash(body, seed);
    wal_group_header_encode(h, s->header.uuid, s->pos, w->group.ptr);
    size_t padding = (size_t)wal_group_file_size(h->body_size) - w->group.len;
    memset(buf_reserve(&w->group, padding), 0, padding);
    w->group.len += padding;
}

static bool sync_is_due(const struct wal *w)
{
    if (w->options.sync != WAL_SYNC_INTERVAL)
        return w->options.sync == WAL_SYNC_ACK;
    uint64_t interval_ns = w->options.sync_interval_ms * 1000000;
    return clock_mono_ns() - w->writer.last_sync_mono_ns >= interval_ns;
}

/* Write and sync; the segment goes on only when all of it worked. */
static err write_group(struct wal *w)
{
    struct wal_writer *s = &w->writer;
    err e = fs_write_at(w->fs, s->file, w->group.ptr, w->group.len, s->pos);
    if (e != OK) {
        w->stats.write_errors++;
        wal_segment_fail(w);
        return e;
    }
    if (sync_is_due(w)) {
        TRY(wal_segment_sync(w));
        s->synced_pos = s->pos + w->group.len;
    }
    s->pos += w->group.len;
    return OK;
}

static void count_group(struct wal *w)
{
    w->stats.groups++;
    w->stats.defines += w->define_count;
    w->stats.records += w->ends.len / 4 - w->define_count;
    w->stats.bytes_written += w->group.len;
}

err wal_commit(struct wal *w, uint64_t *seq)
{
    if (w->ends.len == 0)
        return OK;
    if (w->writer.failed) { /* by housekeeping since wal_begin() */
        buf_reset(&w->ends);
        return ERR_IO;
    }
    struct wal_group_header h = {.seq = w->next_seq++,
                                 .synced_pos = w->writer.synced_pos,
                                 .record_count = (uint32_t)(w->ends.len / 4)};
    finish_group(w, &h);
    err e = write_group(w);
    if (e == OK) {
        w->writer.last_seq = h.seq;
        w->writer.last_hash = h.body_hash;
        wal_segment_put_companion(w, h.seq);
        count_group(w);
        if (seq != NULL)
            *seq = h.seq;
    }
    buf_reset(&w->ends);
    publish(w);
    return e;
}

/* Housekeeping. */

void wal_tick(struct wal *w)
{
    struct wal_writer *s = &w->writer;
    if (w->down != OK || s->file == NULL || s->failed)
        return;
    if (w->options.sync == WAL_SYNC_INTERVAL && s->synced_pos < s->pos && sync_is_due(w) &&
        wal_segment_sync(w) != OK)
        log_warn("segment given up", LOG_INT("segment", s->header.segment));
    if (!s->failed)
        wal_segment_zero_ahead(w);
    publish(w);
}

err wal_flush(struct wal *w)
{
    struct wal_writer *s = &w->writer;
    if (s->file == NULL || s->synced_pos == s->pos)
        return OK;
    err e = s->failed ? ERR_IO : wal_segment_sync(w);
    publish(w);
    return e;
}

err wal_rotate(struct wal *w)
{
    ASSERT(w->ends.len == 0);
    err e = w->down;
    if (e == OK && (w->writer.file == NULL || w->writer.failed))
        e = start(w);
    else if (e == OK && has_groups(&w->writer))
        e = rotate(w);
    publish(w);
    return e;
}

err wal_drop_before(struct wal *w, uint32_t segment)
{
    err e = OK;
    for (size_t i = 0; i < w->segments.count && w->segments.files[i].segment < segment;) {
        if (w->segments.files[i].segment == wal_segment(w))
            break;
        e = wal_dir_unlink(w->fs, w->dir, &w->segments, i);
        if (e == OK) /* one by one: no crash can leave a gap */
            e = fs_sync_dir(w->fs, w->dir);
        if (e != OK)
            break;
        w->stats.segments_dropped++;
    }
    publish(w);
    return e;
}

bool wal_available(const struct wal *w)
{
    return w->down == OK;
}

err wal_try_recover(struct wal *w)
{
    if (w->down == OK)
        return OK;
    err e = start(w);
    publish(w);
    if (e == OK)
        log_info("write-ahead log is available again", LOG_INT("segment", wal_segment(w)));
    return e;
}

uint64_t wal_size_bytes(const struct wal *w)
{
    uint64_t size = 0;
    for (size_t i = 0; i < w->segments.count; i++)
        size += w->segments.files[i].size + w->segments.files[i].companion_size;
    return size;
}

void wal_stats(const struct wal *w, struct wal_stats *out)
{
    mutex_lock(&w->shared->lock);
    *out = w->shared->stats;
    mutex_unlock(&w->shared->lock);
}
