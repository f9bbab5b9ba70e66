/* history_search.c -- a search through the history, from the newest segment to the oldest. Files
 * are read without a lock: what is written of one does not change, and what is removed meanwhile
 * would have been too old a moment later. */
#include "base/mem.h"
#include "notify/history_priv.h"

enum { EVENT_ARENA_BYTES_MAX = 64 << 20 };

struct part { /* a segment as it is when the search begins */
    uint64_t number, size_bytes;
    bool known;
};

struct search {
    struct history *h;
    const struct history_query *q;
    bool (*take)(void *arg, const struct history_event *e);
    void *arg;
    struct arena arena;
    struct buf file, found; /* found: slices of events of the file that match */
    uint64_t taken, last_seq;
    bool full; /* no others are wanted */
    bool more; /* there are others behind the last */
};

static struct part *list_parts(struct history *h, const struct history_query *q, size_t *count)
{
    mutex_lock(&h->files);
    struct part *parts = mem_zalloc(h->count + 1, sizeof(*parts));
    *count = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct history_segment *s = &h->segments[i];
        if (history_segment_may_match(s, q))
            parts[(*count)++] = (struct part){s->number, s->size_bytes, s->known};
    }
    mutex_unlock(&h->files);
    return parts;
}

/* What was read of a segment tells later searches whether to read it. */
static void learn(struct search *s, const struct part *p)
{
    struct history *h = s->h;
    size_t end;
    if (p->known)
        return;
    mutex_lock(&h->files);
    for (size_t i = 0; i < h->count; i++)
        if (h->segments[i].number == p->number && !h->segments[i].known)
            history_learn(h, &h->segments[i], buf_slice(&s->file), &end);
    mutex_unlock(&h->files);
}

static void find_matches(struct search *s)
{
    struct history_cursor c;
    slice payload;
    buf_reset(&s->found);
    if (!history_cursor_begin(&c, buf_slice(&s->file)))
        return;
    while (history_cursor_next(&c, &payload)) {
        struct history_event e;
        arena_reset(&s->arena);
        if (history_event_decode(payload, &s->arena, &e) == OK && history_event_matches(&e, s->q))
            buf_put(&s->found, &payload, sizeof(payload));
    }
}

/* An event that was written twice, since it was not sure that the first try had worked, is given
 * once: numbers only fall. */
static void give_matches(struct search *s)
{
    for (size_t i = s->found.len / sizeof(slice); i > 0 && !s->more; i--) {
        struct history_event e;
        slice payload;
        memcpy(&payload, s->found.ptr + (i - 1) * sizeof(slice), sizeof(slice));
        arena_reset(&s->arena);
        if (history_event_decode(payload, &s->arena, &e) != OK || e.seq >= s->last_seq)
            continue;
        if (s->full || s->taken == s->q->limit) {
            s->more = true;
            break;
        }
        s->full = !s->take(s->arg, &e);
        s->taken++;
        s->last_seq = e.seq;
    }
}

static err search_part(struct search *s, const struct part *p)
{
    if (s->q->canceled != NULL && atomic_load(s->q->canceled))
        return ERR_CANCELED;
    err e = history_read(s->h, p->number, p->size_bytes, &s->file);
    if (e != OK)
        return e == ERR_NOTFOUND ? OK : e; /* it became too old */
    learn(s, p);
    find_matches(s);
    give_matches(s);
    return OK;
}

err history_search(struct history *h, const struct history_query *q,
                   bool (*take)(void *arg, const struct history_event *e), void *arg,
                   uint64_t *next)
{
    struct search s = {.h = h, .q = q, .take = take, .arg = arg, .last_seq = UINT64_MAX};
    size_t count;
    (void)!history_flush(h, false); /* logged; what the disk refuses is not found yet */
    struct part *parts = list_parts(h, q, &count);
    arena_init(&s.arena, EVENT_ARENA_BYTES_MAX);
    err e = OK;
    while (e == OK && count > 0 && !s.more)
        e = search_part(&s, &parts[--count]);
    *next = s.more && s.taken > 0 ? s.last_seq : 0;
    arena_fini(&s.arena);
    buf_fini(&s.file);
    buf_fini(&s.found);
    mem_free(parts);
    return e;
}
