/* wal_input.c -- see wal_input.h. */
#include "storage/wal_input.h"

#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/thread.h"

struct block { /* headroom, then what was read */
    uint8_t *base;
    size_t headroom, cap; /* bytes before and behind the place where reading starts */
};

struct wal_input {
    struct fs *fs;
    struct fs_file *file;
    uint64_t size;
    size_t read_size;
    uint64_t unreadable;
    struct block current, next;
    slice window; /* in `current`: the bytes at `window_pos` of the file */
    uint64_t window_pos;

    /* One request at a time: the reading thread owns `next` and `fetch` while it is pending. */
    struct {
        uint64_t pos, unreadable;
        uint64_t counted_pos; /* what is unreadable before it has been counted */
        size_t size;
        err e;
    } fetch;
    bool fetched; /* `next` holds, or will hold, what `fetch` says */
    bool threaded;
    pthread_t thread;
    struct mutex lock; /* guards pending and stop; a leaf */
    struct cond changed;
    bool pending, stop;
};

/* Fill `out` piece by piece; pieces that cannot be read become zeros. */
static err read_pieces(struct wal_input *in, uint8_t *out, size_t size, uint64_t pos)
{
    for (size_t at = 0; at < size; at += WAL_INPUT_PIECE) {
        size_t want = MIN(size - at, (size_t)WAL_INPUT_PIECE), got = 0;
        if (fs_read_at(in->fs, in->file, out + at, want, pos + at, &got) == OK && got == want)
            continue;
        memset(out + at, 0, want);
        in->fetch.unreadable += pos + at >= in->fetch.counted_pos ? want : 0;
        if (in->fetch.unreadable > WAL_INPUT_UNREADABLE_MAX)
            return ERR_IO;
    }
    in->fetch.counted_pos = MAX(in->fetch.counted_pos, pos + size);
    return OK;
}

static void do_fetch(struct wal_input *in)
{
    uint8_t *out = in->next.base + in->next.headroom;
    size_t got = 0, size = in->fetch.size;
    err e = fs_read_at(in->fs, in->file, out, size, in->fetch.pos, &got);
    if (e == OK && got < size)
        memset(out + got, 0, size - got); /* the file shrank: somebody else's doing */
    in->fetch.e = e == ERR_IO ? read_pieces(in, out, size, in->fetch.pos) : e;
}

static void *fetch_loop(void *arg)
{
    struct wal_input *in = arg;
    mutex_lock(&in->lock);
    while (!in->stop) {
        if (!in->pending) {
            cond_wait(&in->changed, &in->lock);
            continue;
        }
        mutex_unlock(&in->lock);
        do_fetch(in);
        mutex_lock(&in->lock);
        in->pending = false;
        cond_broadcast(&in->changed);
    }
    mutex_unlock(&in->lock);
    return NULL;
}

static struct block block_new(size_t headroom, size_t cap)
{
    return (struct block){mem_alloc(headroom + cap), headroom, cap};
}

struct wal_input *wal_input_new(struct fs *fs, size_t read_size, bool read_ahead)
{
    struct wal_input *in = mem_zalloc(1, sizeof(*in));
    size_t headroom = MIN((size_t)WAL_INPUT_HEADROOM, read_size);
    in->fs = fs;
    in->read_size = read_size;
    in->current = block_new(headroom, read_size);
    in->next = block_new(headroom, read_size);
    mutex_init(&in->lock);
    cond_init(&in->changed);
    if (read_ahead)
        in->threaded = thread_start(&in->thread, "wal-read", fetch_loop, in) == OK;
    return in;
}

/* Wait for the reading thread, so that `next` is ours. */
static void settle(struct wal_input *in)
{
    mutex_lock(&in->lock);
    while (in->pending)
        cond_wait(&in->changed, &in->lock);
    mutex_unlock(&in->lock);
}

void wal_input_free(struct wal_input *in)
{
    if (in == NULL)
        return;
    if (in->threaded) {
        mutex_lock(&in->lock);
        in->stop = true;
        cond_broadcast(&in->changed);
        mutex_unlock(&in->lock);
        thread_join(in->thread);
    }
    cond_fini(&in->changed);
    mutex_fini(&in->lock);
    mem_free(in->current.base);
    mem_free(in->next.base);
    mem_free(in);
}

void wal_input_detach(struct wal_input *in)
{
    settle(in);
    in->file = NULL;
    in->fetched = false;
    in->window = (slice){NULL, 0};
    in->window_pos = in->size = in->unreadable = in->fetch.counted_pos = 0;
}

void wal_input_attach(struct wal_input *in, struct fs_file *f, uint64_t size)
{
    wal_input_detach(in);
    in->file = f;
    in->size = size;
}

/* Read a block of the usual size, or `least` bytes if that is more, from `pos` on into `next`; in
 * the background if there is one. */
static void start_fetch(struct wal_input *in, uint64_t pos, uint64_t least)
{
    in->fetch.pos = pos;
    in->fetch.size = (size_t)MIN(MAX((uint64_t)in->read_size, least), in->size - pos);
    if (in->fetch.size > in->next.cap) {
        mem_free(in->next.base);
        in->next = block_new(in->next.headroom, in->fetch.size);
    }
    in->fetch.unreadable = in->unreadable;
    in->fetched = true;
    if (!in->threaded) {
        do_fetch(in);
        return;
    }
    mutex_lock(&in->lock);
    in->pending = true;
    cond_broadcast(&in->changed);
    mutex_unlock(&in->lock);
}

/* Make room for `carry` bytes in front of what `next` holds. */
static void grow_headroom(struct wal_input *in, size_t carry)
{
    struct block *b = &in->next;
    if (carry <= b->headroom)
        return;
    struct block bigger = block_new(carry, b->cap);
    memcpy(bigger.base + bigger.headroom, b->base + b->headroom, in->fetch.size);
    mem_free(b->base);
    *b = bigger;
}

/* Move the window on by one block, keeping what it holds from `pos` on; [pos, end) is wanted. */
static err advance(struct wal_input *in, uint64_t pos, uint64_t end)
{
    uint64_t window_end = in->window_pos + in->window.len;
    if (!in->fetched)
        start_fetch(in, window_end, end - window_end);
    settle(in);
    in->fetched = false;
    TRY(in->fetch.e);
    in->unreadable = in->fetch.unreadable;
    size_t carry = (size_t)(window_end - pos);
    grow_headroom(in, carry);
    uint8_t *start = in->next.base + in->next.headroom;
    if (carry > 0)
        memcpy(start - carry, in->window.ptr + (in->window.len - carry), carry);
    in->window = (slice){start - carry, carry + in->fetch.size};
    in->window_pos = pos;
    struct block old = in->current;
    in->current = in->next;
    in->next = old;
    window_end = pos + in->window.len;
    if (in->threaded && window_end < in->size)
        start_fetch(in, window_end, end > window_end ? end - window_end : 0);
    return OK;
}

/* Forget the window; it starts at `pos` next. */
static void restart_at(struct wal_input *in, uint64_t pos)
{
    settle(in);
    in->fetched = false;
    in->window = (slice){NULL, 0};
    in->window_pos = pos;
}

err wal_input_get(struct wal_input *in, uint64_t pos, size_t size, slice *out)
{
    uint64_t end = pos < in->size ? pos + MIN((uint64_t)size, in->size - pos) : pos;
    if (pos < in->window_pos || pos > in->window_pos + in->window.len)
        restart_at(in, pos);
    while (in->window_pos + in->window.len < end)
        TRY(advance(in, pos, end));
    if (pos == end) {
        *out = str_bytes(STR(""));
        return OK;
    }
    *out = (slice){in->window.ptr + (pos - in->window_pos), (size_t)(end - pos)};
    return OK;
}

uint64_t wal_input_size(const struct wal_input *in)
{
    return in->size;
}

uint64_t wal_input_unreadable(const struct wal_input *in)
{
    return in->unreadable;
}
