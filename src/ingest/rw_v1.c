/* rw_v1.c -- prometheus.WriteRequest (remote write 1.0): {timeseries=1, metadata=3}. */
#include "base/log.h"
#include "ingest/rw_follow.h"
#include "ingest/rw_plain.h"

/* A Sample message: {value=1 double, timestamp=2 int64}. */
static void read_sample(struct pb *p, struct db_row *row)
{
    while (pb_next(p)) {
        if (p->field == 1)
            row->value = pb_double(p);
        else if (p->field == 2)
            row->ts_ms = (int64_t)pb_varint(p);
        else
            pb_skip(p);
    }
}

static err add_sample(struct remote_write *w, slice message, uint32_t tag, struct diag *d)
{
    struct db_row *row = rw_add_row(w);
    if (row == NULL)
        return diag_set(d, ERR_LIMIT, "too many samples in one request (limit %d)",
                        DB_BATCH_ROWS_MAX);
    *row = (struct db_row){.tag = tag};
    struct pb p = pb_of(message);
    read_sample(&p, row);
    return p.bad ? diag_set(d, ERR_INVALID, "proto: malformed Sample") : OK;
}

static err add_histogram(struct remote_write *w, slice message, uint32_t tag, struct diag *d)
{
    struct histogram *h;
    int64_t ts_ms, start_ts_ms;
    TRY(rw_histogram(message, &w->arena, &h, &ts_ms, &start_ts_ms, d));
    struct db_row *row = rw_add_row(w);
    if (row == NULL)
        return diag_set(d, ERR_LIMIT, "too many samples in one request (limit %d)",
                        DB_BATCH_ROWS_MAX);
    *row = (struct db_row){.ts_ms = ts_ms, .histogram = h, .tag = tag};
    return OK;
}

/* One label: {name=1, value=2}. */
static bool read_label(slice message, struct label *out)
{
    struct pb p = pb_of(message);
    *out = (struct label){{"", 0}, {"", 0}};
    while (pb_next(&p)) {
        if (p.field == 1)
            out->name = pb_text(&p);
        else if (p.field == 2)
            out->value = pb_text(&p);
        else
            pb_skip(&p);
    }
    return !p.bad;
}

/* All labels of a message whose field 1 they are, sorted, in the request's arena. */
static err read_labels(struct remote_write *w, slice message, struct labels *out, struct diag *d)
{
    struct label *items = NULL;
    size_t count = 0, cap = 0;
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        if (p.field != 1) {
            pb_skip(&p);
            continue;
        }
        if (count == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            items = arena_grow(&w->arena, items, count, cap, sizeof(*items));
            if (items == NULL)
                return diag_set(d, ERR_LIMIT, "request needs too much memory (limit %d bytes)",
                                RW_ARENA_BYTES_MAX);
        }
        if (!read_label(pb_bytes(&p), &items[count]))
            return diag_set(d, ERR_INVALID, "proto: malformed Label");
        count++;
    }
    if (p.bad)
        return diag_set(d, ERR_INVALID, "proto: malformed TimeSeries");
    *out = (struct labels){items, labels_sort(items, count)};
    return OK;
}

/* 1.0 ignores exemplars that cannot be stored. */
static err add_exemplar(struct remote_write *w, slice message, uint32_t tag, struct diag *d)
{
    struct exemplar e = {0};
    struct diag ignored = {.text = ""};
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        if (p.field == 2)
            e.value = pb_double(&p);
        else if (p.field == 3)
            e.ts_ms = (int64_t)pb_varint(&p);
        else
            pb_skip(&p);
    }
    if (p.bad)
        return diag_set(d, ERR_INVALID, "proto: malformed Exemplar");
    TRY(read_labels(w, message, &e.labels, d));
    if (exemplar_check(&e, &ignored) != OK)
        return OK;
    struct db_exemplar_row *row = rw_add_exemplar(w);
    if (row == NULL)
        return diag_set(d, ERR_LIMIT, "too many exemplars in one request (limit %d)",
                        DB_BATCH_ROWS_MAX);
    *row = (struct db_exemplar_row){.exemplar = e, .tag = tag};
    return OK;
}

/* Everything of a TimeSeries behind its labels. */
static err read_values(struct remote_write *w, struct pb *p, uint32_t tag, bool *more_labels,
                       struct diag *d)
{
    while (pb_next(p)) {
        switch (p->field) {
        case 1:
            *more_labels = true;
            pb_skip(p);
            break;
        case 2:
            TRY(add_sample(w, pb_bytes(p), tag, d));
            break;
        case 3:
            TRY(add_exemplar(w, pb_bytes(p), tag, d));
            break;
        case 4:
            TRY(add_histogram(w, pb_bytes(p), tag, d));
            break;
        default:
            pb_skip(p);
        }
    }
    return p->bad ? diag_set(d, ERR_INVALID, "proto: malformed TimeSeries") : OK;
}

/* The run of label fields that a TimeSeries starts with; `p` ends behind it. */
static slice label_region(struct pb *p)
{
    const uint8_t *start = p->pos;
    while (p->pos < p->end && *p->pos == 0x0a) {
        p->pos++;
        p->wire = PB_BYTES;
        (void)pb_bytes(p);
    }
    return (slice){start, (size_t)(p->pos - start)};
}

/* The common shape (rw_plain.h). Returns false, with nothing changed, for any other. */
static inline bool read_plain(struct remote_write *w, slice message, slice *labels, uint32_t tag)
{
    struct plain_sample sample;
    if (UNLIKELY(!rw_plain_sample(w, message, &sample)))
        return false;
    *labels = (slice){message.ptr, message.len - sample.size};
    if (UNLIKELY(w->exact || tag == 0)) { /* where the first is none, none will be */
        struct pb p = pb_of(message);
        if (label_region(&p).len != labels->len) {
            w->exact = true;
            return false;
        }
    }
    struct db_row *row = rw_add_row(w);
    if (UNLIKELY(row == NULL))
        return false;
    *row = (struct db_row){.ts_ms = sample.ts_ms, .value = sample.value, .tag = tag};
    return true;
}

bool rw_v1_guess_holds(const struct remote_write *w, size_t item)
{
    const struct rw_item *it = &w->items[item];
    struct pb p = pb_of(it->body);
    slice labels = label_region(&p);
    return labels.len == it->labels.len && !p.bad;
}

/* A TimeSeries of any shape, or of the common one behind what must be looked at. */
static err add_any(struct remote_write *w, slice message, struct rw_item *it, struct diag *d)
{
    uint32_t index = (uint32_t)(it - w->items);
    size_t rows = w->row_count, exemplars = w->batch.exemplar_count;
    bool more_labels = false;
    struct pb p = pb_of(message);
    slice labels = label_region(&p);
    TRY(read_values(w, &p, index, &more_labels, d));
    if (w->row_count == rows && w->batch.exemplar_count == exemplars) {
        w->item_count--; /* nothing to store: allowed, and it makes no series */
        return OK;
    }
    *it = (struct rw_item){labels, message, (uint32_t)rows, (uint32_t)(w->row_count - rows)};
    w->one_row = w->one_row && it->row_count == 1;
    /* Labels behind the samples are not part of the region: hash the whole message then, which is
     * never remembered as an alias and so never found. */
    w->aliases[index] = more_labels ? hash128_of(message, ~w->receiver->seed)
                                    : keyed_hash_of(&w->receiver->label_hash, labels);
    return OK;
}

/* `p` is behind the message, and moves on over the series that are known to follow. */
static inline err add_series(struct remote_write *w, struct pb *p, slice message, struct diag *d)
{
    struct rw_item *it = rw_add_item(w);
    if (UNLIKELY(it == NULL))
        return diag_set(d, ERR_LIMIT, "too many series in one request (limit %d)",
                        DB_BATCH_ROWS_MAX);
    uint32_t index = (uint32_t)w->item_count - 1, row = (uint32_t)w->row_count;
    slice labels;
    if (UNLIKELY(!read_plain(w, message, &labels, index))) {
        TRY(add_any(w, message, it, d));
        if (w->walk.stretch != NULL && w->item_count > index)
            rw_follow(w, p);
        return OK;
    }
    *it = (struct rw_item){labels, message, row, 1};
    hash128 alias = keyed_hash_of(&w->receiver->label_hash, labels);
    w->aliases[index] = alias;
    if (UNLIKELY(rw_may_follow(w, alias)))
        rw_follow(w, p);
    return OK;
}

/* MetricMetadata {type=1, metric_family_name=2, help=4, unit=5}. */
static err add_metadata(struct remote_write *w, slice message, struct diag *d)
{
    str metric = {"", 0};
    struct metadata m = {.help = {"", 0}, .unit = {"", 0}};
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        uint64_t type;
        switch (p.field) {
        case 1:
            type = pb_varint(&p);
            m.type = type < METRIC_TYPE_COUNT ? (enum metric_type)type : METRIC_UNKNOWN;
            break;
        case 2:
            metric = pb_text(&p);
            break;
        case 4:
            m.help = pb_text(&p);
            break;
        case 5:
            m.unit = pb_text(&p);
            break;
        default:
            pb_skip(&p);
        }
    }
    if (p.bad)
        return diag_set(d, ERR_INVALID, "proto: malformed MetricMetadata");
    rw_add_metadata(w, metric, &m);
    return OK;
}

static err decode_all(struct remote_write *w, struct diag *d)
{
    struct pb p = pb_of(buf_slice(&w->decoded));
    w->one_row = true;
    w->time_raw = UINT64_MAX; /* no time field */
    rw_walk_begin(w);
    for (;;) {
        while (LIKELY(p.end - p.pos >= 3)) {
            slice message = rw_plain_field(p.pos, p.end);
            if (UNLIKELY(message.ptr == NULL))
                break;
            p.pos = message.ptr + message.len;
            TRY(add_series(w, &p, message, d));
        }
        if (!pb_next(&p))
            break;
        if (LIKELY(p.field == 1))
            TRY(add_series(w, &p, pb_bytes(&p), d));
        else if (p.field == 3)
            TRY(add_metadata(w, pb_bytes(&p), d));
        else
            pb_skip(&p);
    }
    return p.bad ? diag_set(d, ERR_INVALID, "proto: malformed WriteRequest") : OK;
}

err rw_v1_decode(struct remote_write *w, struct diag *d)
{
    err e = decode_all(w, d);
    rw_walk_end(w);
    return e;
}

err rw_v1_create(struct remote_write *w, size_t item, uint32_t *series, struct diag *d)
{
    struct receiver *r = w->receiver;
    const struct rw_item *it = &w->items[item];
    struct labels ls;
    struct diag why = {.text = ""};
    *series = SERIES_NONE;
    TRY(read_labels(w, it->body, &ls, d));
    err e = labels_check(ls, &r->options.labels_limits, &why);
    if (e == OK) {
        bool whole = true; /* see add_any() */
        struct pb p = pb_of(it->body);
        (void)label_region(&p);
        while (whole && pb_next(&p)) {
            whole = p.field != 1;
            pb_skip(&p);
        }
        return db_create(r->options.db, ls, whole ? &w->aliases[item] : NULL, series, d);
    }
    (void)atomic_fetch_add_explicit(&r->counters.invalid_label_series, 1, memory_order_relaxed);
    log_warn("series with invalid labels skipped", LOG_CSTR("reason", why.text));
    if (e == ERR_LIMIT) /* our own limit: tell the sender, keep the rest of the request */
        rw_error(w, "%s", why.text);
    return OK;
}
