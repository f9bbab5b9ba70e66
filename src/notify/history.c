/* history.c -- see history.h: events in memory, segments on disk. */
#include "notify/history.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify/history_priv.h"

enum {
    SIZE_BYTES = 4, /* before each record that waits */
    EVENT_ARENA_BYTES_MAX = 64 << 20,
    GC_MS = 60000,
};

/* ---- Events in ---- */

void history_put(struct history *h, const struct history_event *e)
{
    if (h == NULL)
        return;
    mutex_lock(&h->lock);
    struct history_event said = *e;
    size_t begin = h->waiting.len;
    h->events++;
    if (begin + h->unwritten_bytes > HISTORY_WAITING_BYTES_MAX) {
        h->dropped++;
    } else {
        said.seq = h->seq + 1;
        buf_put_u32(&h->waiting, 0);
        history_event_encode(&said, &h->waiting);
        uint32_t size = (uint32_t)(h->waiting.len - begin - SIZE_BYTES);
        memcpy(h->waiting.ptr + begin, &size, sizeof(size));
        if (size > HISTORY_EVENT_BYTES_MAX) {
            h->waiting.len = begin;
            h->dropped++;
        } else {
            h->seq++;
            if (h->post != NULL)
                history_post_put(h->post, (slice){h->waiting.ptr + begin + SIZE_BYTES, size});
        }
    }
    mutex_unlock(&h->lock);
}

/* The next record that is not written; NULL: there is none. */
static const uint8_t *next_unwritten(const struct history *h, size_t pos, uint32_t *size)
{
    if (pos >= h->unwritten.len)
        return NULL;
    memcpy(size, h->unwritten.ptr + pos, sizeof(*size));
    return h->unwritten.ptr + pos + SIZE_BYTES;
}

static void take_waiting(struct history *h)
{
    mutex_lock(&h->lock);
    if (h->unwritten.len == 0) { /* as almost always: nobody waits for a copy */
        struct buf empty = h->unwritten;
        h->unwritten = h->waiting;
        h->waiting = empty;
    } else if (h->waiting.len > 0) {
        buf_put(&h->unwritten, h->waiting.ptr, h->waiting.len);
        buf_reset(&h->waiting);
    }
    h->unwritten_bytes = h->unwritten.len;
    uint64_t dropped = h->dropped;
    mutex_unlock(&h->lock);
    if (dropped > h->dropped_said)
        log_error("the history lost events: they are too large, or more than the disk takes",
                  LOG_INT("events", (int64_t)(dropped - h->dropped_said)));
    h->dropped_said = dropped;
}

/* ---- Segments; with `files` ---- */

err history_read(struct history *h, uint64_t number, uint64_t size_bytes, struct buf *out)
{
    struct buf path = {0};
    struct fs_file *f;
    size_t got = 0;
    buf_reset(out);
    err e = fs_open(h->fs, history_segment_path(&path, buf_cstr(&h->dir), number), FS_READ, &f);
    if (e == OK) {
        buf_reserve(out, (size_t)size_bytes + 1);
        e = fs_read_at(h->fs, f, out->ptr, (size_t)size_bytes, 0, &got);
        out->len = e == OK ? got : 0;
        fs_close(h->fs, f);
    }
    buf_fini(&path);
    return e;
}

void history_learn(struct history *h, struct history_segment *s, slice file, size_t *end_bytes)
{
    struct history_cursor c;
    struct arena a;
    slice payload;
    history_segment_clear(s);
    *end_bytes = 0;
    if (!history_cursor_begin(&c, file)) {
        h->damaged_bytes += file.len;
        log_warn("a segment of the history cannot be read: it has no good header",
                 LOG_INT("number", (int64_t)s->number), LOG_INT("bytes", (int64_t)file.len));
        return;
    }
    arena_init(&a, EVENT_ARENA_BYTES_MAX);
    while (history_cursor_next(&c, &payload)) {
        struct history_event e;
        arena_reset(&a);
        if (history_event_decode(payload, &a, &e) == OK)
            history_segment_note(s, &e);
    }
    arena_fini(&a);
    *end_bytes = c.pos_bytes;
    h->damaged_bytes += c.damaged_bytes;
    if (c.damaged_bytes > 0)
        log_warn("a segment of the history is damaged: some events are lost",
                 LOG_INT("number", (int64_t)s->number), LOG_INT("bytes", (int64_t)c.damaged_bytes));
}

static struct history_segment *add_segment(struct history *h, uint64_t number)
{
    if (h->count == h->room) {
        h->room = MAX(2 * h->room, 8);
        h->segments = mem_resize(h->segments, h->room, sizeof(*h->segments));
    }
    struct history_segment *s = &h->segments[h->count++];
    s->number = number;
    s->size_bytes = 0;
    s->known = false;
    return s;
}

static void end_segment(struct history *h)
{
    if (h->file != NULL && h->unsynced)
        (void)!fs_sync(h->fs, h->file); /* logged at its origin */
    fs_close(h->fs, h->file);
    h->file = NULL;
    h->unsynced = false;
}

static err make_dirs(struct history *h)
{
    struct buf parent = {0};
    err e = fs_make_dir(h->fs, fs_parent(&parent, buf_cstr(&h->dir)));
    if (e == OK)
        e = fs_make_dir(h->fs, buf_cstr(&h->dir));
    buf_fini(&parent);
    return e;
}

static err begin_segment(struct history *h)
{
    struct buf path = {0}, header = {0};
    TRY(make_dirs(h));
    uint64_t number = h->next_number++;
    h->seed = hash_random_seed();
    history_header_put(&header, h->seed);
    err e =
        fs_open(h->fs, history_segment_path(&path, buf_cstr(&h->dir), number), FS_CREATE, &h->file);
    if (e == OK) {
        e = fs_write_at(h->fs, h->file, header.ptr, header.len, 0);
        if (e == OK)
            e = fs_sync_dir(h->fs, buf_cstr(&h->dir));
        if (e != OK) {
            end_segment(h);
            (void)!fs_unlink(h->fs, buf_cstr(&path)); /* else an empty one stays */
        }
    } else {
        h->file = NULL;
    }
    if (e == OK) {
        struct history_segment *s = add_segment(h, number);
        s->size_bytes = header.len;
        history_segment_clear(s);
        h->unsynced = true;
    }
    buf_fini(&path);
    buf_fini(&header);
    return e;
}

/* ---- Writing; with `files` ---- */

/* Is the segment to end before an event of `at_ms` and so many bytes? */
static bool is_full(const struct history *h, const struct history_segment *s, uint64_t bytes,
                    int64_t at_ms)
{
    return s->count > 0 && (s->size_bytes + bytes > h->segment_bytes ||
                            at_ms - s->min_ms > h->retention_ms / HISTORY_SEGMENTS);
}

/* Frames of what goes into the segment, at most so much that it is full; where it ends. */
static size_t frame_batch(struct history *h, struct history_segment *s, struct buf *out)
{
    size_t pos = h->unwritten_pos;
    struct arena a;
    uint32_t size;
    const uint8_t *record;
    arena_init(&a, EVENT_ARENA_BYTES_MAX);
    while ((record = next_unwritten(h, pos, &size)) != NULL) {
        struct history_event e;
        arena_reset(&a);
        err bad = history_event_decode((slice){record, size}, &a, &e);
        if (bad == OK && is_full(h, s, out->len + HISTORY_FRAME_BYTES + size, e.at_ms))
            break;
        if (bad == OK)
            history_segment_note(s, &e);
        history_record_put(out, h->seed, s->size_bytes + out->len, (slice){record, size});
        pos += SIZE_BYTES + size;
    }
    arena_fini(&a);
    return pos;
}

static err write_batch(struct history *h)
{
    struct buf out = {0};
    if (h->file == NULL)
        TRY(begin_segment(h));
    struct history_segment *s = &h->segments[h->count - 1];
    size_t end = frame_batch(h, s, &out);
    err e = OK;
    if (end == h->unwritten_pos)
        end_segment(h); /* it was full */
    else
        e = fs_write_at(h->fs, h->file, out.ptr, out.len, s->size_bytes);
    if (e == OK && out.len > 0) {
        s->size_bytes += out.len;
        h->unwritten_pos = end;
        h->unsynced = true;
    }
    buf_fini(&out);
    return e;
}

static err write_all(struct history *h, bool sync)
{
    while (h->unwritten_pos < h->unwritten.len)
        TRY(write_batch(h));
    if (!sync || !h->unsynced || h->file == NULL)
        return OK;
    err e = fs_sync(h->fs, h->file);
    h->unsynced = false;
    if (e != OK)
        end_segment(h); /* what it holds is not known: the next goes elsewhere */
    return e;
}

static void show(struct history *h)
{
    struct history_stats s = {
        .failures = h->failures, .damaged_bytes = h->damaged_bytes, .segments = h->count};
    for (size_t i = 0; i < h->count; i++)
        s.bytes += h->segments[i].size_bytes;
    mutex_lock(&h->lock);
    h->unwritten_bytes = h->unwritten.len;
    h->shown = s;
    mutex_unlock(&h->lock);
}

err history_flush(struct history *h, bool sync)
{
    mutex_lock(&h->files);
    take_waiting(h);
    err e = write_all(h, sync);
    size_t left = h->unwritten.len - h->unwritten_pos;
    if (h->unwritten_pos > 0) {
        memmove(h->unwritten.ptr, h->unwritten.ptr + h->unwritten_pos, left);
        h->unwritten.len = left;
        h->unwritten_pos = 0;
    }
    if (left == 0)
        buf_fini(&h->unwritten);
    if (e != OK) {
        h->failures++;
        log_error("the history cannot be written; it is tried again", LOG_ERR(e),
                  LOG_CSTR("dir", buf_cstr(&h->dir)), LOG_INT("bytes", (int64_t)left));
    }
    show(h);
    mutex_unlock(&h->files);
    return e;
}

/* ---- What goes ---- */

static bool remove_oldest(struct history *h)
{
    struct buf path = {0};
    if (h->count == 1)
        end_segment(h);
    err e = fs_unlink(h->fs, history_segment_path(&path, buf_cstr(&h->dir), h->segments[0].number));
    buf_fini(&path);
    if (e != OK && e != ERR_NOTFOUND)
        return false; /* logged at its origin; the next time */
    h->count--;
    memmove(h->segments, h->segments + 1, h->count * sizeof(*h->segments));
    return true;
}

/* Are all events of the oldest segment older than that? */
static bool oldest_is_before(struct history *h, int64_t ms)
{
    struct history_segment *s = &h->segments[0];
    struct buf file = {0};
    size_t end;
    if (!s->known && history_read(h, s->number, s->size_bytes, &file) == OK)
        history_learn(h, s, buf_slice(&file), &end);
    buf_fini(&file);
    return s->known && s->max_ms < ms;
}

void history_gc(struct history *h, int64_t now_ms)
{
    uint64_t bytes = 0;
    mutex_lock(&h->files);
    for (size_t i = 0; i < h->count; i++)
        bytes += h->segments[i].size_bytes;
    while (h->count > 0) {
        uint64_t oldest = h->segments[0].size_bytes;
        bool large = bytes > h->bytes_max && h->count > 1;
        bool fresh = h->count == 1 && h->file != NULL && h->segments[0].count == 0;
        if (!large && (fresh || !oldest_is_before(h, now_ms - h->retention_ms)))
            break;
        if (!remove_oldest(h))
            break;
        bytes -= oldest;
    }
    show(h);
    mutex_unlock(&h->files);
}

/* ---- Opening ---- */

static int compare_numbers(const void *pa, const void *pb)
{
    uint64_t a = ((const struct history_segment *)pa)->number;
    uint64_t b = ((const struct history_segment *)pb)->number;
    return (a > b) - (a < b);
}

static err add_file(struct history *h, uint64_t number)
{
    struct buf path = {0};
    struct fs_file *f;
    uint64_t size = 0;
    err e = fs_open(h->fs, history_segment_path(&path, buf_cstr(&h->dir), number), FS_READ, &f);
    if (e == OK) {
        e = fs_size(h->fs, f, &size);
        fs_close(h->fs, f);
    }
    buf_fini(&path);
    h->next_number = MAX(h->next_number, number + 1);
    if (e == OK)
        add_segment(h, number)->size_bytes = size;
    return e == ERR_INVALID || e == ERR_NOTFOUND ? OK : e; /* no file of ours */
}

static err list_segments(struct history *h)
{
    struct buf names = {0};
    err e = fs_list(h->fs, buf_cstr(&h->dir), &names);
    for (const char *n = NULL; e == OK && (n = fs_list_next(&names, n)) != NULL;)
        if (history_segment_number(n) > 0)
            e = add_file(h, history_segment_number(n));
    buf_fini(&names);
    if (h->count > 1)
        qsort(h->segments, h->count, sizeof(*h->segments), compare_numbers);
    return e == ERR_NOTFOUND ? OK : e;
}

/* Go on in the last segment: behind its last whole record, or else in a new one. */
static void reopen_last(struct history *h, slice file, size_t end_bytes)
{
    struct history_segment *s = &h->segments[h->count - 1];
    struct history_cursor c;
    struct buf path = {0};
    bool good = end_bytes > 0 && history_cursor_begin(&c, file);
    if (good && fs_open(h->fs, history_segment_path(&path, buf_cstr(&h->dir), s->number), FS_APPEND,
                        &h->file) == OK) {
        if (end_bytes < s->size_bytes && fs_truncate(h->fs, h->file, end_bytes) != OK) {
            end_segment(h);
        } else {
            s->size_bytes = end_bytes;
            h->seed = c.seed;
            h->unsynced = true;
        }
    } else {
        h->file = NULL;
    }
    buf_fini(&path);
}

/* Find the last event: those that come have numbers behind its. */
static err read_last(struct history *h)
{
    struct buf file = {0};
    err e = OK;
    for (size_t i = h->count; e == OK && i > 0 && h->seq == 0; i--) {
        struct history_segment *s = &h->segments[i - 1];
        size_t end;
        e = history_read(h, s->number, s->size_bytes, &file);
        if (e != OK)
            break;
        history_learn(h, s, buf_slice(&file), &end);
        h->seq = s->last_seq;
        if (s->count > 0)
            h->last_ms = s->max_ms;
        if (i == h->count)
            reopen_last(h, buf_slice(&file), end);
    }
    buf_fini(&file);
    return e;
}

void history_set_limits(struct history *h, int64_t retention_ms, uint64_t bytes_max)
{
    mutex_lock(&h->files);
    h->retention_ms = retention_ms;
    h->bytes_max = bytes_max;
    h->segment_bytes = MIN(bytes_max / HISTORY_SEGMENTS, (uint64_t)HISTORY_SEGMENT_BYTES_MAX);
    if (h->segment_bytes_set > 0)
        h->segment_bytes = h->segment_bytes_set;
    mutex_unlock(&h->files);
}

struct history_post *history_set_post(struct history *h, struct history_post *p)
{
    mutex_lock(&h->lock);
    struct history_post *old = h->post;
    h->post = p;
    mutex_unlock(&h->lock);
    return old;
}

bool history_posts_to(struct history *h, str url)
{
    mutex_lock(&h->lock);
    bool so = h->post != NULL && history_post_goes_to(h->post, url);
    mutex_unlock(&h->lock);
    return so;
}

err history_open(const struct history_options *o, struct history **out, struct diag *d)
{
    struct history *h = mem_zalloc(1, sizeof(*h));
    h->fs = o->fs;
    h->segment_bytes_set = o->segment_bytes;
    h->last_ms = INT64_MIN;
    h->next_number = 1;
    buf_put_str(&h->dir, str_from(o->dir));
    (void)buf_cstr(&h->dir);
    mutex_init(&h->files);
    mutex_init(&h->lock);
    cond_init(&h->woken);
    history_set_limits(h, o->retention_ms, o->bytes_max);
    err e = list_segments(h);
    if (e == OK)
        e = read_last(h);
    show(h);
    if (e != OK) {
        (void)diag_set(d, e, "%s: %s", buf_cstr(&h->dir), err_name(e));
        history_close(h);
        return e;
    }
    *out = h;
    return OK;
}

/* ---- The thread ---- */

static void *write_now_and_then(void *arg)
{
    struct history *h = arg;
    uint64_t pause_ms = HISTORY_FLUSH_MS, gc_ns = 0;
    bool closing = false;
    while (!closing) {
        uint64_t until_ns = clock_mono_ns() + pause_ms * 1000000;
        mutex_lock(&h->lock);
        while (!h->closing && cond_wait_until(&h->woken, &h->lock, until_ns))
            ;
        closing = h->closing;
        mutex_unlock(&h->lock);
        pause_ms = history_flush(h, true) == OK ? HISTORY_FLUSH_MS : HISTORY_FAILED_MS;
        if (clock_mono_ns() < gc_ns)
            continue;
        history_gc(h, clock_wall_ms());
        gc_ns = clock_mono_ns() + (uint64_t)GC_MS * 1000000;
    }
    return NULL;
}

err history_start(struct history *h)
{
    TRY(thread_start(&h->thread, "notify-history", write_now_and_then, h));
    h->started = true;
    return OK;
}

void history_close(struct history *h)
{
    if (h == NULL)
        return;
    mutex_lock(&h->lock);
    h->closing = true;
    cond_signal(&h->woken);
    mutex_unlock(&h->lock);
    if (h->started)
        thread_join(h->thread);
    else if (h->waiting.len > 0)
        (void)!history_flush(h, true); /* logged */
    end_segment(h);
    history_post_close(h->post);
    cond_fini(&h->woken);
    mutex_fini(&h->lock);
    mutex_fini(&h->files);
    mem_free(h->segments);
    buf_fini(&h->waiting);
    buf_fini(&h->unwritten);
    buf_fini(&h->dir);
    mem_free(h);
}

void history_stats(struct history *h, struct history_stats *out)
{
    mutex_lock(&h->lock);
    *out = h->shown;
    out->events = h->events;
    out->dropped = h->dropped;
    out->waiting_bytes = h->waiting.len + h->unwritten_bytes;
    out->posts = h->post != NULL;
    if (h->post != NULL)
        history_post_stats(h->post, &out->post);
    mutex_unlock(&h->lock);
}

int64_t history_last_ms(const struct history *h)
{
    return h->last_ms;
}
