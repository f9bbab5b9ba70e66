/* remote_write.c -- see remote_write.h. Life of a request: content checks, snappy, decode, resolve,
 * create what is missing, commit, reply. */
#include "ingest/remote_write.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/precedence.h"
#include "base/thread.h"
#include "ingest/rw_follow.h"
#include "ingest/snappy.h"

#define PROTO_V1 STR("prometheus.WriteRequest")
#define PROTO_V2 STR("io.prometheus.write.v2.Request")

struct receiver_options receiver_options_default(struct db *db)
{
    return (struct receiver_options){
        .db = db,
        .decoded_bytes_max = 32 << 20,
        .accept_v1 = true,
        .accept_v2 = true,
        .store_metadata = true,
        .labels_limits = LABELS_LIMITS_DEFAULT,
        .recall_bytes_max = RECALL_BYTES_MAX,
    };
}

err receiver_open(const struct receiver_options *o, struct receiver **out)
{
    struct receiver *r = mem_zalloc(1, sizeof(*r));
    r->options = *o;
    r->seed = db_alias_seed(o->db);
    keyed_hash_init(&r->label_hash);
    r->recall = o->recall_bytes_max > 0 ? recall_open(o->recall_bytes_max) : NULL;
    r->wide = rw_follow_wide_usable();
    r->lock = mem_zalloc(1, sizeof(*r->lock));
    mutex_init(r->lock);
    r->metadata_seen = mem_zalloc(METADATA_SEEN_SLOTS, sizeof(*r->metadata_seen));
    *out = r;
    return OK;
}

static void request_free(struct remote_write *w)
{
    buf_fini(&w->decoded);
    buf_fini(&w->errors);
    mem_free(w->items);
    mem_free(w->aliases);
    mem_free(w->series);
    mem_free(w->rows);
    mem_free(w->start_ts_ms);
    mem_free(w->symbols);
    mem_free(w->symbol_hashes);
    mem_free(w->batch.exemplars);
    mem_free(w->batch.metadata);
    arena_fini(&w->arena);
    db_batch_fini(&w->batch);
    mem_free(w);
}

void receiver_close(struct receiver *r)
{
    if (r == NULL)
        return;
    for (struct remote_write *w = r->free, *next; w != NULL; w = next) {
        next = w->next_free;
        request_free(w);
    }
    recall_close(r->recall);
    mutex_fini(r->lock);
    mem_free(r->lock);
    mem_free(r->metadata_seen);
    mem_free(r);
}

const struct receiver_counters *receiver_counters_of(const struct receiver *r)
{
    return &r->counters;
}

static struct remote_write *request_take(struct receiver *r)
{
    mutex_lock(r->lock);
    struct remote_write *w = r->free;
    if (w != NULL)
        r->free = w->next_free;
    mutex_unlock(r->lock);
    if (w == NULL) {
        w = mem_zalloc(1, sizeof(*w));
        arena_init(&w->arena, RW_ARENA_BYTES_MAX);
    }
    w->receiver = r;
    return w;
}

/* Keep the buffers for the next request, unless this one was unusually large. */
static void request_give(struct remote_write *w)
{
    struct receiver *r = w->receiver;
    if (w->decoded.cap > RW_DECODED_KEEP_MAX) {
        request_free(w);
        return;
    }
    db_batch_fini(&w->batch);
    struct db_batch kept = {.exemplars = w->batch.exemplars, .metadata = w->batch.metadata};
    w->batch = kept;
    arena_reset(&w->arena);
    buf_reset(&w->errors);
    buf_reset(&w->decoded);
    w->errors_dropped = w->item_count = w->row_count = w->symbol_count = 0;
    w->status = 0;
    w->v2 = w->has_start_ts = w->overloaded = w->exact = w->one_row = false;
    mutex_lock(r->lock);
    w->next_free = r->free;
    r->free = w;
    mutex_unlock(r->lock);
}

void rw_error(struct remote_write *w, const char *format, ...)
{
    if (w->errors.len > RW_ERROR_BYTES_MAX) {
        w->errors_dropped++;
        return;
    }
    char text[DIAG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (w->errors.len > 0)
        buf_put_u8(&w->errors, '\n');
    buf_put_str(&w->errors, str_from(text));
}

static size_t grown(size_t cap)
{
    return cap < 64 ? 64 : cap * 2;
}

bool rw_grow_items(struct remote_write *w)
{
    if (w->item_cap >= DB_BATCH_ROWS_MAX)
        return false;
    w->item_cap = MIN(grown(w->item_cap), (size_t)DB_BATCH_ROWS_MAX);
    w->items = mem_resize(w->items, w->item_cap, sizeof(*w->items));
    w->aliases = mem_resize(w->aliases, w->item_cap, sizeof(*w->aliases));
    w->series = mem_resize(w->series, w->item_cap, sizeof(*w->series));
    return true;
}

bool rw_grow_rows(struct remote_write *w)
{
    if (w->row_cap >= DB_BATCH_ROWS_MAX)
        return false;
    w->row_cap = MIN(grown(w->row_cap), (size_t)DB_BATCH_ROWS_MAX);
    w->rows = mem_resize(w->rows, w->row_cap, sizeof(*w->rows));
    w->start_ts_ms = mem_resize(w->start_ts_ms, w->row_cap, sizeof(*w->start_ts_ms));
    return true;
}

struct db_exemplar_row *rw_add_exemplar(struct remote_write *w)
{
    struct db_batch *b = &w->batch;
    if (b->exemplar_count == DB_BATCH_ROWS_MAX)
        return NULL;
    if (b->exemplar_count == w->exemplar_cap) {
        w->exemplar_cap = grown(w->exemplar_cap);
        b->exemplars = mem_resize(b->exemplars, w->exemplar_cap, sizeof(*b->exemplars));
    }
    return &b->exemplars[b->exemplar_count++];
}

void rw_add_metadata(struct remote_write *w, str metric, const struct metadata *m)
{
    struct receiver *r = w->receiver;
    if (!r->options.store_metadata || metric.len == 0 ||
        w->batch.metadata_count == DB_BATCH_ROWS_MAX)
        return;
    uint64_t h = hash64(str_bytes(metric), r->seed ^ (uint64_t)m->type);
    h = hash64(str_bytes(m->help), h);
    h = hash64(str_bytes(m->unit), h);
    _Atomic uint64_t *slot = &r->metadata_seen[h % METADATA_SEEN_SLOTS].hash;
    if (atomic_load_explicit(slot, memory_order_relaxed) == h)
        return;
    struct db_metadata_row row = {
        .metric = arena_str(&w->arena, metric),
        .metadata = {.type = m->type,
                     .help = arena_str(&w->arena, m->help),
                     .unit = arena_str(&w->arena, m->unit)},
    };
    if (arena_exceeded(&w->arena))
        return;
    if (w->batch.metadata_count == w->metadata_cap) {
        w->metadata_cap = grown(w->metadata_cap);
        w->batch.metadata =
            mem_resize(w->batch.metadata, w->metadata_cap, sizeof(*w->batch.metadata));
    }
    w->batch.metadata[w->batch.metadata_count++] = row;
    atomic_store_explicit(slot, h, memory_order_relaxed);
}

/* ---- Before the commit ---- */

static str trim(str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The part of `*rest` before `sep`, trimmed; `*rest` becomes what follows it. */
static str cut_at(str *rest, char sep)
{
    const char *at = rest->len > 0 ? memchr(rest->ptr, sep, rest->len) : NULL;
    str head = {rest->ptr, at != NULL ? (size_t)(at - rest->ptr) : rest->len};
    size_t used = head.len + (at != NULL ? 1 : 0);
    *rest = (str){rest->len > 0 ? rest->ptr + used : rest->ptr, rest->len - used};
    return trim(head);
}

static bool equal_fold(str a, str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

/* Which protocol is this? 415 with upstream's words when none we accept. */
static err check_content(struct remote_write *w, str type, str encoding, struct diag *d)
{
    const struct receiver_options *o = &w->receiver->options;
    str rest = type, proto = PROTO_V1;
    str media = cut_at(&rest, ';');
    w->status = 415;
    if (type.len > 0 && !equal_fold(media, STR("application/x-protobuf")))
        return diag_set(d, ERR_INVALID,
                        "expected application/x-protobuf as the first (media) part, got " STR_FMT
                        " content-type",
                        STR_ARG(type));
    while (rest.len > 0) {
        str value = cut_at(&rest, ';');
        str key = cut_at(&value, '=');
        if (equal_fold(key, STR("proto")))
            proto = value;
    }
    w->v2 = str_eq(proto, PROTO_V2);
    if (!w->v2 && !str_eq(proto, PROTO_V1))
        return diag_set(d, ERR_INVALID,
                        "got " STR_FMT " content type; unknown type for remote write protobuf "
                        "message " STR_FMT
                        ", supported: prometheus.WriteRequest, io.prometheus.write.v2.Request",
                        STR_ARG(type), STR_ARG(proto));
    if (w->v2 ? !o->accept_v2 : !o->accept_v1)
        return diag_set(d, ERR_INVALID,
                        STR_FMT
                        " protobuf message is not accepted by this server; only accepts " STR_FMT,
                        STR_ARG(proto), STR_ARG(w->v2 ? PROTO_V1 : PROTO_V2));
    encoding = trim(encoding);
    if (encoding.len > 0 && !equal_fold(encoding, STR("snappy")))
        return diag_set(d, ERR_INVALID,
                        STR_FMT " encoding (compression) is not accepted by this server; only "
                                "snappy is acceptable",
                        STR_ARG(encoding));
    w->status = 0;
    return OK;
}

void rw_restart(struct remote_write *w)
{
    w->item_count = w->row_count = w->batch.exemplar_count = 0;
}

/* Do the guesses hold for all items that were not found? */
static bool guesses_hold(const struct remote_write *w)
{
    const uint32_t *series = w->series;
    for (size_t i = 0, count = w->item_count; i < count; i++)
        if (UNLIKELY(series[i] == SERIES_NONE) && !rw_v1_guess_holds(w, i))
            return false;
    return true;
}

static void resolve_items(struct remote_write *w)
{
    uint32_t epoch = db_resolve(w->receiver->options.db, w->aliases, w->item_count, w->series);
    w->batch.epoch = w->walk.rows > 0 ? w->walk.epoch : epoch; /* the earlier one */
    if (!w->v2)
        rw_learn(w, epoch);
}

/* The series of all items, SERIES_NONE where there is none yet. */
static err find_series(struct remote_write *w, struct diag *d)
{
    resolve_items(w);
    if (w->v2 || w->exact || guesses_hold(w))
        return OK;
    w->exact = true;
    rw_restart(w);
    err e = rw_v1_decode(w, d);
    if (e != OK) {
        w->status = 400; /* as in prepare() */
        return e;
    }
    resolve_items(w);
    return OK;
}

/* The common case: item i has row i, nothing is missing. Returns how many items are so from the
 * first. */
static size_t set_series(struct remote_write *w)
{
    size_t i = 0, count = w->one_row && w->row_count == w->item_count ? w->item_count : 0;
    const uint32_t *series = w->series;
    struct db_row *rows = w->rows;
    for (; i < count && LIKELY(series[i] != SERIES_NONE); i++)
        rows[i].series = series[i];
    return i;
}

/* Leave out the rows that have no series. */
static void drop_rows(struct remote_write *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->row_count; i++) {
        if (w->rows[i].series == SERIES_NONE)
            continue;
        w->rows[kept] = w->rows[i];
        w->start_ts_ms[kept++] = w->start_ts_ms[i];
    }
    w->row_count = kept;
}

err rw_resolve(struct remote_write *w, struct diag *d)
{
    TRY(find_series(w, d));
    size_t exemplars = 0;
    bool dropped = false;
    for (size_t i = set_series(w); i < w->item_count; i++) {
        const struct rw_item *it = &w->items[i];
        if (UNLIKELY(w->series[i] == SERIES_NONE)) {
            TRY((w->v2 ? rw_v2_create : rw_v1_create)(w, i, &w->series[i], d));
            dropped |= w->series[i] == SERIES_NONE;
        }
        for (size_t k = it->row_first; k < (size_t)it->row_first + it->row_count; k++)
            w->rows[k].series = w->series[i];
    }
    if (dropped)
        drop_rows(w);
    for (size_t i = 0; i < w->batch.exemplar_count; i++) {
        struct db_exemplar_row *e = &w->batch.exemplars[i];
        e->series = w->series[e->tag];
        if (e->series != SERIES_NONE)
            w->batch.exemplars[exemplars++] = *e;
    }
    w->batch.exemplar_count = exemplars;
    return OK;
}

/* The HTTP status for an error that happened before the commit. */
static void fail(struct remote_write *w, err e, const struct diag *d)
{
    w->overloaded = e == ERR_BUSY || e == ERR_LIMIT;
    if (w->status == 0)
        w->status = e == ERR_BUSY ? 503 : e == ERR_INVALID ? 400 : 500;
    buf_reset(&w->errors);
    rw_error(w, "%s", d->text[0] != '\0' ? d->text : err_name(e));
}

static err prepare(struct remote_write *w, str type, str encoding, slice body, struct diag *d)
{
    w->begin_ns = clock_mono_ns();
    TRY(check_content(w, type, encoding, d));
    err e = snappy_decode(body, w->receiver->options.decoded_bytes_max, &w->decoded, d);
    if (e == OK)
        e = w->v2 ? rw_v2_decode(w, d) : rw_v1_decode(w, d);
    if (e != OK) { /* too large or malformed: it never gets better by sending it again */
        w->status = 400;
        return e;
    }
    uint64_t decoded_ns = clock_mono_ns();
    timing_add(&w->receiver->counters.decode, decoded_ns - w->begin_ns);
    e = rw_resolve(w, d);
    w->resolved_ns = clock_mono_ns();
    timing_add(&w->receiver->counters.resolve, w->resolved_ns - decoded_ns);
    if (w->status == 0 && (e == ERR_LIMIT || e == ERR_BUSY)) /* no room for new series now */
        w->status = 503;
    return e;
}

static void committed(struct db_batch *b)
{
    struct remote_write *w = b->user;
    timing_add(&w->receiver->counters.commit, clock_mono_ns() - w->resolved_ns);
    w->done(w->done_arg);
}

void remote_write_begin(struct receiver *r, str content_type, str content_encoding, slice body,
                        void (*done)(void *arg), void *arg, struct remote_write **out)
{
    precedence_begin(); /* its sender waits for it */
    struct remote_write *w = request_take(r);
    struct diag d = {.text = ""};
    *out = w;
    w->done = done;
    w->done_arg = arg;
    err e = prepare(w, content_type, content_encoding, body, &d);
    (void)atomic_fetch_add_explicit(w->v2 ? &r->counters.requests_v2 : &r->counters.requests_v1, 1,
                                    memory_order_relaxed);
    if (e != OK) {
        fail(w, e, &d);
        done(arg);
        return;
    }
    w->batch.rows = w->rows;
    w->batch.row_count = w->row_count;
    w->batch.start_ts_ms = w->has_start_ts ? w->start_ts_ms : NULL;
    w->batch.all_or_nothing = !w->v2;
    w->batch.done = committed;
    w->batch.user = w;
    db_commit(r->options.db, &w->batch);
}

/* ---- After the commit ---- */

static void report_refused(struct remote_write *w)
{
    struct arena a;
    arena_init(&a, RW_ARENA_BYTES_MAX);
    struct buf text = {0};
    for (size_t i = 0; i < w->batch.refused_count; i++) {
        const struct db_refused *f = &w->batch.refused[i];
        bool exemplar = f->why == REFUSED_EXEMPLAR_OLD;
        if (exemplar && !w->v2)
            continue; /* 1.0 ignores exemplars that do not fit */
        if (w->errors.len > RW_ERROR_BYTES_MAX) {
            w->errors_dropped++;
            continue;
        }
        uint32_t series = exemplar ? w->batch.exemplars[f->row].series : w->rows[f->row].series;
        struct labels ls = {0};
        buf_reset(&text);
        if (db_series_labels(w->receiver->options.db, series, &a, &ls) == OK)
            labels_format(ls, &text);
        rw_error(w, "%s for series %s", db_refusal_text(f->why), buf_cstr(&text));
        arena_reset(&a);
    }
    buf_fini(&text);
    arena_fini(&a);
}

static void reply_after_commit(struct remote_write *w, struct remote_write_reply *reply)
{
    const struct db_batch *b = &w->batch;
    switch (b->status) {
    case OK:
    case ERR_ORDER:
        report_refused(w);
        reply->status = w->errors.len > 0 ? 400 : 204;
        break;
    case ERR_BUSY:
    case ERR_NOSPACE:
    case ERR_IO:
        reply->status = 503;
        reply->retry_after = true;
        rw_error(w, "%s",
                 b->status == ERR_BUSY ? "the server is overloaded, try again later"
                 : b->status == ERR_NOSPACE
                     ? "the disk is full: nothing was stored, try again later"
                     : "the write-ahead log cannot be written: nothing was stored, try "
                       "again later");
        break;
    default:
        reply->status = 500;
        rw_error(w, "commit failed: %s", err_name(b->status));
    }
    if (w->v2 && (b->status == OK || b->status == ERR_ORDER)) {
        reply->samples = b->floats_written;
        reply->histograms = b->histograms_written;
        reply->exemplars = b->exemplars_written;
    }
}

err remote_write_finish(struct remote_write *w, struct remote_write_reply *reply)
{
    *reply = (struct remote_write_reply){0};
    precedence_end();
    if (w->status == 0 && w->batch.status == ERR_RETRY) {
        request_give(w);
        return ERR_RETRY;
    }
    if (w->status != 0) {
        reply->status = w->status;
        reply->retry_after = w->overloaded && w->status == 503;
    } else {
        reply_after_commit(w, reply);
    }
    if (w->errors_dropped > 0) {
        buf_printf(&w->errors, "\n%zu more errors", w->errors_dropped);
    }
    if (reply->status != 204) {
        (void)atomic_fetch_add_explicit(&w->receiver->counters.refused_requests, 1,
                                        memory_order_relaxed);
        buf_put(&reply->text, w->errors.ptr, w->errors.len);
        buf_put_u8(&reply->text, '\n');
    }
    request_give(w);
    return OK;
}
