/* wal_scan.c -- the groups of one segment in order, and what damage between them means.
 *
 * A place that does not verify is one of two things. Either it was never durable: the crash tore
 * the last group, or took what was written since the last sync; then it and all after it is cut, as
 * nothing there was acknowledged as durable. Or it was durable once: rot; then only the place
 * itself is lost. A witness tells: a later group, written when the place was known to be synced
 * (its synced_pos), or the header of the next segment. */
#include "storage/wal_priv.h"

#include "base/compiler.h"

void wal_scan_init(struct wal_scan *s, struct wal_input *in, const struct wal_header *header,
                   const struct wal_header *next)
{
    *s = (struct wal_scan){
        .in = in,
        .uuid = header->uuid,
        .pos = WAL_HEADER_SIZE,
        .end = UINT64_MAX,
        .last_seq = header->first_seq > 0 ? header->first_seq - 1 : 0,
    };
    if (next == NULL || !wal_uuid_eq(next->previous.uuid, header->uuid))
        return;
    s->end = next->previous.pos;
    s->end_seq = next->previous.last_seq;
    s->witness_pos = MIN(next->previous.synced_pos, next->previous.pos);
}

/* Is there the header of a group that may follow, at `pos`? */
static err header_at(struct wal_scan *s, uint64_t pos, struct wal_group_header *out, bool *found)
{
    slice bytes;
    TRY(wal_input_get(s->in, pos, WAL_GROUP_HEADER_SIZE, &bytes));
    *found = bytes.len == WAL_GROUP_HEADER_SIZE && wal_group_magic_at(bytes.ptr) &&
             wal_group_header_decode(bytes, s->uuid, pos, out) && out->seq > s->last_seq;
    return OK;
}

/* Where groups can be: before the known end and the end of the file. */
static uint64_t limit(const struct wal_scan *s)
{
    return MIN(s->end, wal_input_size(s->in));
}

/* Look from `from` on for group headers, until one shows that `pos` was durable. `*first` is the
 * position of the first header found, UINT64_MAX when there is none, and `*seq` its number. */
static err look_ahead(struct wal_scan *s, uint64_t from, uint64_t pos, uint64_t *first,
                      uint64_t *seq)
{
    struct wal_group_header h;
    bool found;
    *first = UINT64_MAX;
    while (from < limit(s) && (*first == UINT64_MAX || s->witness_pos <= pos)) {
        TRY(header_at(s, from, &h, &found));
        if (!found) {
            from += WAL_SECTOR;
            continue;
        }
        if (*first == UINT64_MAX) {
            *first = from;
            *seq = h.seq;
        }
        s->witness_pos = MAX(s->witness_pos, h.synced_pos);
        from += wal_group_file_size(h.body_size);
    }
    return OK;
}

/* Are there only zeros from `pos` to where groups can be? */
static err only_zeros(struct wal_scan *s, uint64_t pos, bool *out)
{
    *out = true;
    while (*out && pos < limit(s)) {
        slice bytes;
        TRY(wal_input_get(s->in, pos, MIN(limit(s) - pos, (uint64_t)WAL_HEADER_SIZE), &bytes));
        for (size_t i = 0; i < bytes.len && *out; i++)
            *out = bytes.ptr[i] == 0;
        pos += MAX(bytes.len, (size_t)1);
    }
    return OK;
}

static err finish(struct wal_scan *s, enum wal_found found, struct wal_group *out)
{
    uint64_t end = limit(s);
    *out =
        (struct wal_group){.found = found, .pos = s->pos, .size = end > s->pos ? end - s->pos : 0};
    s->end = s->pos;
    return OK;
}

/* Nothing shows that the bytes at `pos` were ever durable. */
static err tail(struct wal_scan *s, struct wal_group *out)
{
    bool zeros;
    TRY(only_zeros(s, s->pos, &zeros));
    bool is_whole = zeros && s->end == UINT64_MAX;
    return finish(s, is_whole ? WAL_FOUND_END : WAL_FOUND_TORN, out);
}

/* No header can be read at the position. */
static err unknown_bytes(struct wal_scan *s, struct wal_group *out)
{
    uint64_t next, seq = 0;
    TRY(look_ahead(s, s->pos + WAL_SECTOR, s->pos, &next, &seq));
    if (s->witness_pos <= s->pos || (next == UINT64_MAX && s->end == UINT64_MAX))
        return tail(s, out);
    uint64_t last_lost = next != UINT64_MAX ? seq - 1 : s->end_seq;
    if (next == UINT64_MAX)
        next = s->end; /* the witness was the next segment, which knows our end */
    *out = (struct wal_group){.found = WAL_FOUND_GONE,
                              .pos = s->pos,
                              .size = next - s->pos,
                              .first_seq_lost = s->last_seq + 1,
                              .last_seq_lost = last_lost};
    s->last_seq = MAX(s->last_seq, last_lost);
    s->pos = next;
    return OK;
}

static err step_over(struct wal_scan *s, struct wal_group *g)
{
    s->pos += g->size;
    s->last_seq = g->header.seq;
    s->last_hash = g->header.body_hash;
    return OK;
}

/* The header is good: is the body? */
static err known_group(struct wal_scan *s, struct wal_group *g)
{
    slice bytes;
    size_t whole = (size_t)WAL_GROUP_HEADER_SIZE + g->header.body_size;
    TRY(wal_input_get(s->in, g->pos, whole, &bytes));
    g->seed = wal_seed(s->uuid, g->pos, g->header.seq);
    g->body = (slice){bytes.ptr + WAL_GROUP_HEADER_SIZE, bytes.len - WAL_GROUP_HEADER_SIZE};
    if (bytes.len == whole && wal_body_hash(g->body, g->seed) == g->header.body_hash)
        return step_over(s, g);
    g->found = WAL_FOUND_HIT;
    uint64_t next, seq;
    if (s->witness_pos <= g->pos)
        TRY(look_ahead(s, g->pos + g->size, g->pos, &next, &seq));
    if (s->witness_pos <= g->pos)
        return finish(s, WAL_FOUND_TORN, g);
    TRY(wal_input_get(s->in, g->pos, whole, &bytes)); /* looking ahead has moved the window */
    g->body = (slice){bytes.ptr + WAL_GROUP_HEADER_SIZE, bytes.len - WAL_GROUP_HEADER_SIZE};
    return step_over(s, g);
}

err wal_scan_next(struct wal_scan *s, struct wal_group *out)
{
    if (s->pos >= s->end)
        return finish(s, WAL_FOUND_END, out);
    struct wal_group g = {.found = WAL_FOUND_GROUP, .pos = s->pos};
    bool found;
    TRY(header_at(s, s->pos, &g.header, &found));
    if (!found)
        return unknown_bytes(s, out);
    g.size = wal_group_file_size(g.header.body_size);
    if ((g.header.flags & WAL_GROUP_SEAL) != 0) {
        s->pos += g.size;
        return finish(s, WAL_FOUND_END, out);
    }
    TRY(known_group(s, &g));
    *out = g;
    return OK;
}
