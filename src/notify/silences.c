/* silences.c -- see silences.h. */
#include "notify/silences.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"

enum {
    SILENCES_MAX = 100000,
    ARENA_BYTES = 4 * SILENCE_BYTES_MAX + (1 << 16), /* text, and the lists that point to it */
};

struct kept {
    struct silence s;
    struct arena arena; /* of all it holds */
};

struct silences {
    struct state_log *state;
    int64_t retention_ms;
    uint64_t id_seed, id_count, version;
    struct history *history; /* NULL: none */
    int64_t told_ms;         /* the history knows what ended by itself until then */
    struct kept **items;
    size_t count, room;
};

enum silence_state silence_state_at(const struct silence *s, int64_t now_ms)
{
    if (now_ms < s->starts_at_ms)
        return SILENCE_PENDING;
    return now_ms >= s->ends_at_ms ? SILENCE_EXPIRED : SILENCE_ACTIVE; /* it was ended just now */
}

/* ---- Checks ---- */

static err check_matchers(const struct alert_matchers *ms, struct diag *d)
{
    bool all_empty = true;
    if (ms->count == 0)
        return diag_set(d, ERR_INVALID, "invalid silence: at least one matcher required");
    if (ms->count > SILENCE_MATCHERS_MAX)
        return diag_set(d, ERR_LIMIT, "invalid silence: more than %d matchers",
                        SILENCE_MATCHERS_MAX);
    for (size_t i = 0; i < ms->count; i++) {
        const struct matcher *m = &ms->items[i];
        if (m->name.len == 0 || !utf8_valid(m->name))
            return diag_set(d, ERR_INVALID,
                            "invalid silence: invalid label matcher %zu: invalid label name "
                            "\"" STR_FMT "\"",
                            i, STR_ARG(m->name));
        if (!utf8_valid(m->value))
            return diag_set(d, ERR_INVALID,
                            "invalid silence: invalid label matcher %zu: invalid label value", i);
        all_empty = all_empty && m->matches_empty;
    }
    return all_empty ? diag_set(d, ERR_INVALID,
                                "invalid silence: at least one matcher must not match the empty "
                                "string")
                     : OK;
}

static size_t text_bytes(const struct silence *s)
{
    size_t n = s->created_by.len + s->comment.len;
    for (size_t i = 0; i < s->matchers.count; i++)
        n += s->matchers.items[i].name.len + s->matchers.items[i].value.len;
    for (size_t i = 0; i < s->annotations.count; i++)
        n += s->annotations.items[i].name.len + s->annotations.items[i].value.len;
    return n;
}

static err check(const struct silence *s, struct diag *d)
{
    TRY(check_matchers(&s->matchers, d));
    if (s->ends_at_ms < s->starts_at_ms)
        return diag_set(d, ERR_INVALID, "invalid silence: end time must not be before start time");
    if (text_bytes(s) > SILENCE_BYTES_MAX)
        return diag_set(d, ERR_LIMIT, "silence exceeds %d bytes", SILENCE_BYTES_MAX);
    return OK;
}

/* ---- Copies ---- */

static err copy_matchers(const struct alert_matchers *from, struct arena *a,
                         struct alert_matchers *out)
{
    *out = (struct alert_matchers){ARENA_ARRAY(a, struct matcher, from->count + 1), 0};
    if (out->items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < from->count; i++) {
        const struct matcher *m = &from->items[i];
        str name = arena_str(a, m->name), value = arena_str(a, m->value);
        if (name.ptr == NULL || value.ptr == NULL)
            return ERR_LIMIT;
        TRY(alert_matcher_init(&out->items[i], m->type, name, value, NULL));
        out->count++;
    }
    return OK;
}

static err copy_silence(const struct silence *from, struct arena *a, struct silence *out)
{
    *out = *from;
    out->matchers.count = out->spared.count = 0;
    out->id = arena_str(a, from->id);
    out->created_by = arena_str(a, from->created_by);
    out->comment = arena_str(a, from->comment);
    struct pair *pairs = ARENA_ARRAY(a, struct pair, from->annotations.count + 1);
    if (pairs == NULL)
        return ERR_LIMIT;
    out->annotations = (struct pairs){pairs, from->annotations.count};
    for (size_t i = 0; i < from->annotations.count; i++)
        pairs[i] = (struct pair){arena_str(a, from->annotations.items[i].name),
                                 arena_str(a, from->annotations.items[i].value)};
    TRY(copy_matchers(&from->matchers, a, &out->matchers));
    TRY(copy_matchers(&from->spared, a, &out->spared));
    return arena_exceeded(a) ? ERR_LIMIT : OK;
}

static void free_kept(struct kept *k)
{
    if (k == NULL)
        return;
    alert_matchers_fini(&k->s.matchers);
    alert_matchers_fini(&k->s.spared);
    arena_fini(&k->arena);
    mem_free(k);
}

static err make_kept(const struct silence *from, struct kept **out)
{
    struct kept *k = mem_zalloc(1, sizeof(*k));
    arena_init(&k->arena, ARENA_BYTES);
    err e = copy_silence(from, &k->arena, &k->s);
    if (e != OK)
        free_kept(k);
    else
        *out = k;
    return e;
}

/* ---- On disk ---- */

static void encode(const struct silence *s, struct buf *out)
{
    buf_put_zigzag(out, s->starts_at_ms);
    buf_put_zigzag(out, s->ends_at_ms);
    buf_put_zigzag(out, s->updated_at_ms);
    buf_put_string(out, s->created_by);
    buf_put_string(out, s->comment);
    buf_put_varint(out, s->matchers.count);
    for (size_t i = 0; i < s->matchers.count; i++) {
        buf_put_u8(out, (uint8_t)s->matchers.items[i].type);
        buf_put_string(out, s->matchers.items[i].name);
        buf_put_string(out, s->matchers.items[i].value);
    }
    buf_put_varint(out, s->annotations.count);
    for (size_t i = 0; i < s->annotations.count; i++) {
        buf_put_string(out, s->annotations.items[i].name);
        buf_put_string(out, s->annotations.items[i].value);
    }
}

static void keep(struct silences *s, const struct silence *made)
{
    struct buf value = {0};
    encode(made, &value);
    slice bytes = buf_slice(&value);
    state_log_put(s->state, STATE_SILENCE, str_bytes(made->id), &bytes);
    buf_fini(&value);
    s->version++;
}

static err decode_matchers(struct reader *r, struct arena *a, struct alert_matchers *out)
{
    uint64_t count = read_varint(r);
    if (r->overrun || count > SILENCE_MATCHERS_MAX)
        return ERR_CORRUPT;
    out->items = ARENA_ARRAY(a, struct matcher, (size_t)count + 1);
    for (uint64_t i = 0; out->items != NULL && i < count; i++) {
        uint8_t type = read_u8(r);
        str name = slice_text(read_string(r)), value = slice_text(read_string(r));
        if (r->overrun || type > MATCH_NOT_REGEX)
            return ERR_CORRUPT;
        TRY(alert_matcher_init(&out->items[i], (enum matcher_type)type, name, value, NULL));
        out->count++;
    }
    return out->items != NULL ? OK : ERR_LIMIT;
}

/* What it points to aliases the bytes; matchers are to be freed, also after an error. */
static err decode(str id, slice value, struct arena *a, struct silence *out)
{
    struct reader r = reader_of(value);
    *out = (struct silence){.id = id, .starts_at_ms = read_zigzag(&r)};
    out->ends_at_ms = read_zigzag(&r);
    out->updated_at_ms = read_zigzag(&r);
    out->created_by = slice_text(read_string(&r));
    out->comment = slice_text(read_string(&r));
    TRY(decode_matchers(&r, a, &out->matchers));
    uint64_t count = read_varint(&r);
    if (r.overrun || count > SILENCE_BYTES_MAX)
        return ERR_CORRUPT;
    struct pair *pairs = ARENA_ARRAY(a, struct pair, (size_t)count + 1);
    if (pairs == NULL)
        return ERR_LIMIT;
    out->annotations = (struct pairs){pairs, (size_t)count};
    for (uint64_t i = 0; i < count; i++) {
        pairs[i].name = slice_text(read_string(&r));
        pairs[i].value = slice_text(read_string(&r));
    }
    return r.overrun || reader_left(&r) > 0 ? ERR_CORRUPT : OK;
}

static void add(struct silences *s, struct kept *k)
{
    if (s->count == s->room) {
        s->room = s->room == 0 ? 16 : s->room * 2;
        s->items = mem_resize(s->items, s->room, sizeof(struct kept *));
    }
    s->items[s->count++] = k;
    s->version++;
}

static void restore(void *arg, slice key, slice value)
{
    struct silences *s = arg;
    struct arena a;
    struct silence made = {0};
    struct kept *k;
    arena_init(&a, ARENA_BYTES + SILENCE_BYTES_MAX * sizeof(struct pair));
    err e = decode(slice_text(key), value, &a, &made);
    if (e == OK)
        e = make_kept(&made, &k);
    if (e == OK)
        add(s, k);
    else
        log_warn("a silence cannot be read and is left out", LOG_STR("id", slice_text(key)),
                 LOG_ERR(e));
    alert_matchers_fini(&made.matchers);
    arena_fini(&a);
}

/* ---- The history ---- */

void silences_set_history(struct silences *s, struct history *h, int64_t now_ms)
{
    s->history = h;
    s->told_ms = now_ms;
}

static void tell(const struct silences *s, enum history_kind kind, const struct silence *of,
                 int64_t at_ms)
{
    struct history_event e = {.kind = kind, .at_ms = at_ms};
    struct buf matchers = {0};
    if (s->history == NULL)
        return;
    alert_matchers_format(&of->matchers, &matchers);
    e.texts[HISTORY_ID] = of->id;
    e.texts[HISTORY_AUTHOR] = of->created_by;
    e.texts[HISTORY_COMMENT] = of->comment;
    e.texts[HISTORY_MATCHERS] = buf_str(&matchers);
    history_say(&e, HISTORY_STARTS_AT_MS, of->starts_at_ms);
    history_say(&e, HISTORY_ENDS_AT_MS, of->ends_at_ms);
    history_put(s->history, &e);
    buf_fini(&matchers);
}

/* Those that somebody ended were told then. */
static void tell_ended(struct silences *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct silence *one = &s->items[i]->s;
        if (one->ends_at_ms > s->told_ms && one->ends_at_ms <= now_ms &&
            one->ends_at_ms > one->updated_at_ms)
            tell(s, HISTORY_SILENCE_EXPIRED, one, one->ends_at_ms);
    }
    s->told_ms = MAX(s->told_ms, now_ms);
}

/* ---- The set ---- */

struct silences *silences_open(struct state_log *state, int64_t retention_ms, uint64_t id_seed)
{
    struct silences *s = mem_zalloc(1, sizeof(*s));
    s->state = state;
    s->retention_ms = retention_ms;
    s->id_seed = id_seed;
    state_log_each(state, STATE_SILENCE, restore, s);
    return s;
}

void silences_close(struct silences *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        free_kept(s->items[i]);
    mem_free(s->items);
    mem_free(s);
}

static struct kept *find(const struct silences *s, str id)
{
    for (size_t i = 0; i < s->count; i++)
        if (str_eq(s->items[i]->s.id, id))
            return s->items[i];
    return NULL;
}

/* A random UUID (version 4). With a seed it is the same at each run: for tests. */
static void make_id(struct silences *s, char out[SILENCE_ID_SIZE + 1])
{
    hash128 h;
    if (s->id_seed == 0) {
        hash_random_bytes(&h, sizeof(h));
    } else {
        uint64_t n = s->id_count++;
        h = hash128_of((slice){(const uint8_t *)&n, sizeof(n)}, s->id_seed);
    }
    h.hi = (h.hi & ~UINT64_C(0xf000)) | 0x4000;
    h.lo = (h.lo & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
    (void)snprintf(out, SILENCE_ID_SIZE + 1, "%08llx-%04llx-%04llx-%04llx-%012llx",
                   (unsigned long long)(h.hi >> 32), (unsigned long long)(h.hi >> 16 & 0xffff),
                   (unsigned long long)(h.hi & 0xffff), (unsigned long long)(h.lo >> 48),
                   (unsigned long long)(h.lo & UINT64_C(0xffffffffffff)));
}

static bool same_matchers(const struct alert_matchers *a, const struct alert_matchers *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->items[i].type == b->items[i].type && str_eq(a->items[i].name, b->items[i].name) &&
               str_eq(a->items[i].value, b->items[i].value);
    return same;
}

/* May `old` become `made` and stay the same silence? */
static bool may_change(const struct silence *old, const struct silence *made, int64_t now_ms)
{
    if (!same_matchers(&old->matchers, &made->matchers))
        return false;
    switch (silence_state_at(old, now_ms)) {
    case SILENCE_ACTIVE:
        return made->starts_at_ms / 1000 == old->starts_at_ms / 1000 && made->ends_at_ms >= now_ms;
    case SILENCE_PENDING:
        return made->starts_at_ms >= now_ms;
    case SILENCE_EXPIRED:
        break;
    }
    return false;
}

static void expire(struct silences *s, struct kept *k, int64_t now_ms)
{
    enum silence_state state = silence_state_at(&k->s, now_ms);
    if (state == SILENCE_EXPIRED)
        return;
    if (state == SILENCE_PENDING)
        k->s.starts_at_ms = now_ms;
    k->s.ends_at_ms = now_ms;
    k->s.updated_at_ms = now_ms;
    keep(s, &k->s);
    tell(s, HISTORY_SILENCE_EXPIRED, &k->s, now_ms);
}

/* `made` takes the place of `old`, in memory. */
static err swap(struct silences *s, struct kept *old, const struct silence *made, struct kept **out)
{
    struct kept *k;
    TRY(make_kept(made, &k));
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i] == old)
            s->items[i] = k;
    free_kept(old);
    s->version++;
    *out = k;
    return OK;
}

static err put_in_place(struct silences *s, struct kept *old, const struct silence *made,
                        struct kept **out)
{
    TRY(swap(s, old, made, out));
    keep(s, &(*out)->s);
    tell(s, HISTORY_SILENCE_UPDATED, &(*out)->s, made->updated_at_ms);
    return OK;
}

static err replace(struct silences *s, struct kept *old, struct silence *made, str *id)
{
    struct kept *k;
    made->spared = old->s.spared; /* nobody who writes one says that */
    TRY(put_in_place(s, old, made, &k));
    *id = k->s.id;
    return OK;
}

err silences_set(struct silences *s, const struct silence *made, int64_t now_ms, str *id,
                 struct diag *d)
{
    char new_id[SILENCE_ID_SIZE + 1];
    struct silence next = *made;
    struct kept *old = made->id.len > 0 ? find(s, made->id) : NULL, *k;
    next.updated_at_ms = now_ms;
    alert_matchers_sort(&next.matchers);
    TRY(check(&next, d));
    if (made->id.len > 0 && old == NULL)
        return diag_set(d, ERR_NOTFOUND, "silence not found");
    if (old != NULL && may_change(&old->s, &next, now_ms))
        return replace(s, old, &next, id);
    if (next.ends_at_ms < now_ms)
        return diag_set(d, ERR_INVALID, "invalid silence: end time can't be in the past");
    if (!state_log_has_room(s->state, text_bytes(&next)))
        return diag_set(d, ERR_LIMIT, "alerts and silences take more than %d bytes",
                        STATE_LOG_KEPT_BYTES_MAX);
    if (s->count >= SILENCES_MAX)
        return diag_set(d, ERR_LIMIT, "exceeded maximum number of silences: %d", SILENCES_MAX);
    if (next.starts_at_ms < now_ms)
        next.starts_at_ms = now_ms;
    make_id(s, new_id);
    next.id = (str){new_id, SILENCE_ID_SIZE};
    TRY(make_kept(&next, &k));
    if (old != NULL)
        expire(s, old, now_ms);
    add(s, k);
    keep(s, &k->s);
    tell(s, HISTORY_SILENCE_CREATED, &k->s, now_ms);
    *id = k->s.id;
    return OK;
}

static bool same_pairs(struct pairs a, struct pairs b)
{
    bool same = a.count == b.count;
    for (size_t i = 0; same && i < a.count; i++)
        same =
            str_eq(a.items[i].name, b.items[i].name) && str_eq(a.items[i].value, b.items[i].value);
    return same;
}

static bool same_silence(const struct silence *a, const struct silence *b)
{
    return a->starts_at_ms == b->starts_at_ms && a->ends_at_ms == b->ends_at_ms &&
           str_eq(a->created_by, b->created_by) && str_eq(a->comment, b->comment) &&
           same_matchers(&a->matchers, &b->matchers) && same_pairs(a->annotations, b->annotations);
}

err silences_impose(struct silences *s, const struct silence *made, int64_t now_ms, struct diag *d)
{
    struct silence next = *made;
    struct kept *old = find(s, made->id), *k;
    next.updated_at_ms = now_ms;
    alert_matchers_sort(&next.matchers);
    TRY(check(&next, d));
    if (old != NULL && same_silence(&old->s, &next)) {
        if (same_matchers(&old->s.spared, &next.spared))
            return OK;
        next.updated_at_ms = old->s.updated_at_ms; /* who is spared is not on disk */
        return swap(s, old, &next, &k);
    }
    if (old != NULL)
        return put_in_place(s, old, &next, &k);
    TRY(make_kept(&next, &k));
    add(s, k);
    keep(s, &k->s);
    tell(s, HISTORY_SILENCE_CREATED, &k->s, now_ms);
    return OK;
}

err silences_expire(struct silences *s, str id, int64_t now_ms)
{
    struct kept *k = find(s, id);
    if (k == NULL)
        return ERR_NOTFOUND;
    expire(s, k, now_ms);
    return OK;
}

const struct silence *silences_get(const struct silences *s, str id)
{
    const struct kept *k = find(s, id);
    return k != NULL ? &k->s : NULL;
}

size_t silences_count(const struct silences *s)
{
    return s->count;
}

const struct silence *silences_at(const struct silences *s, size_t i)
{
    return &s->items[i]->s;
}

size_t silences_mute(const struct silences *s, struct labels ls, int64_t now_ms, str *ids,
                     size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct silence *one = &s->items[i]->s;
        if (silence_state_at(one, now_ms) != SILENCE_ACTIVE || !silence_covers(one, ls))
            continue;
        if (count < room)
            ids[count] = one->id;
        count++;
    }
    return count;
}

void silences_gc(struct silences *s, int64_t now_ms)
{
    tell_ended(s, now_ms);
    for (size_t i = 0; i < s->count;) {
        struct kept *k = s->items[i];
        if (k->s.ends_at_ms + s->retention_ms > now_ms) {
            i++;
            continue;
        }
        state_log_put(s->state, STATE_SILENCE, str_bytes(k->s.id), NULL);
        free_kept(k);
        s->items[i] = s->items[--s->count];
        s->version++;
    }
}

uint64_t silences_version(const struct silences *s)
{
    return s->version;
}
