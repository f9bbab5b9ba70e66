/* rw_v2.c -- io.prometheus.write.v2.Request (remote write 2.0): {symbols=4, timeseries=5}. What is
 * wrong with one series is noted and the others are stored. */
#include "base/mem.h"
#include "ingest/rw_priv.h"

static err too_large(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "request needs too much memory (limit %d bytes)",
                    RW_ARENA_BYTES_MAX);
}

enum { SYMBOLS_MAX = 1 << 22 }; /* of one request; each takes at least 2 bytes of the message */

static err add_symbol(struct remote_write *w, str s, struct diag *d)
{
    if (w->symbol_count == SYMBOLS_MAX)
        return diag_set(d, ERR_LIMIT, "too many symbols in one request (limit %d)", SYMBOLS_MAX);
    if (w->symbol_count == w->symbol_cap) {
        w->symbol_cap = w->symbol_cap == 0 ? 256 : w->symbol_cap * 2;
        w->symbols = mem_resize(w->symbols, w->symbol_cap, sizeof(*w->symbols));
        w->symbol_hashes = mem_resize(w->symbol_hashes, w->symbol_cap, sizeof(*w->symbol_hashes));
    }
    /* Another seed than version 1.0's: hashes of symbols and of label bytes must never meet. */
    w->symbol_hashes[w->symbol_count] = hash128_of(str_bytes(s), ~w->receiver->seed);
    w->symbols[w->symbol_count++] = s;
    return OK;
}

/* What a TimeSeries consists of, before its references are checked. */
struct parts {
    struct remote_write *w;
    slice refs; /* packed labels_refs */
    struct metadata metadata;
    uint32_t help_ref, unit_ref;
};

/* Resolve pairs of references to labels, in order; notes an error and returns false when they are
 * wrong. */
static bool read_refs(struct remote_write *w, slice refs, struct labels *out)
{
    size_t count = 0, cap = refs.len; /* a reference is at least a byte */
    uint32_t *ids = arena_alloc(&w->arena, MAX(cap, 1) * sizeof(*ids));
    struct pb p = pb_of(refs);
    while (ids != NULL && p.pos < p.end) {
        uint64_t ref = pb_raw_varint(&p);
        ids[count++] = (uint32_t)MIN(ref, UINT32_MAX);
    }
    struct label *items = ids != NULL ? ARENA_ARRAY(&w->arena, struct label, count / 2 + 2) : NULL;
    if (items == NULL || p.bad) {
        rw_error(w, "parsing labels for series: %s",
                 p.bad ? "malformed labelRefs" : "too many references in this request");
        return false;
    }
    if (count % 2 != 0) {
        struct buf text = {0};
        for (size_t i = 0; i < count && i < 64; i++)
            buf_printf(&text, i > 0 ? " %u" : "%u", ids[i]);
        rw_error(w, "parsing labels for series [%s]: invalid labelRefs length %zu", buf_cstr(&text),
                 count);
        buf_fini(&text);
        return false;
    }
    for (size_t i = 0; i < count; i += 2) {
        if (ids[i] >= w->symbol_count || ids[i + 1] >= w->symbol_count) {
            rw_error(w,
                     "parsing labels for series: labelRefs %u (name) = %u (value) outside of "
                     "symbols table (size %zu)",
                     ids[i], ids[i + 1], w->symbol_count);
            return false;
        }
        items[i / 2] = (struct label){w->symbols[ids[i]], w->symbols[ids[i + 1]]};
    }
    *out = (struct labels){items, count / 2};
    return true;
}

static const char *series_text(struct remote_write *w, slice refs, struct buf *text)
{
    struct labels ls;
    buf_reset(text);
    if (read_refs(w, refs, &ls))
        labels_format(
            (struct labels){ls.items, labels_sort((struct label *)(uintptr_t)ls.items, ls.count)},
            text);
    return buf_cstr(text);
}

/* Sample {value=1, timestamp=2, start_timestamp=3}. */
static err add_sample(struct remote_write *w, slice message, uint32_t tag, struct diag *d)
{
    struct db_row *row = rw_add_row(w);
    if (row == NULL)
        return diag_set(d, ERR_LIMIT, "too many samples in one request (limit %d)",
                        DB_BATCH_ROWS_MAX);
    *row = (struct db_row){.tag = tag};
    int64_t start_ts_ms = 0;
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        if (p.field == 1)
            row->value = pb_double(&p);
        else if (p.field == 2)
            row->ts_ms = (int64_t)pb_varint(&p);
        else if (p.field == 3)
            start_ts_ms = (int64_t)pb_varint(&p);
        else
            pb_skip(&p);
    }
    w->start_ts_ms[w->row_count - 1] = start_ts_ms;
    w->has_start_ts |= start_ts_ms != 0;
    return p.bad ? diag_set(d, ERR_INVALID, "proto: malformed Sample") : OK;
}

static err add_histogram(struct remote_write *w, struct parts *s, slice message, uint32_t tag,
                         struct diag *d)
{
    struct histogram *h;
    int64_t ts_ms, start_ts_ms;
    struct diag why = {.text = ""};
    err e = rw_histogram(message, &w->arena, &h, &ts_ms, &start_ts_ms, &why);
    if (e != OK) {
        struct buf text = {0};
        rw_error(w, "%s for series %s", why.text, series_text(w, s->refs, &text));
        buf_fini(&text);
        return OK;
    }
    struct db_row *row = rw_add_row(w);
    if (row == NULL)
        return diag_set(d, ERR_LIMIT, "too many samples in one request (limit %d)",
                        DB_BATCH_ROWS_MAX);
    *row = (struct db_row){.ts_ms = ts_ms, .histogram = h, .tag = tag};
    w->start_ts_ms[w->row_count - 1] = start_ts_ms;
    w->has_start_ts |= start_ts_ms != 0;
    return OK;
}

/* Exemplar {labels_refs=1, value=2, timestamp=3}. */
static err add_exemplar(struct remote_write *w, slice message, uint32_t tag, struct diag *d)
{
    struct exemplar e = {0};
    struct diag why = {.text = ""};
    slice refs = {NULL, 0};
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        if (p.field == 1)
            refs = pb_bytes(&p);
        else if (p.field == 2)
            e.value = pb_double(&p);
        else if (p.field == 3)
            e.ts_ms = (int64_t)pb_varint(&p);
        else
            pb_skip(&p);
    }
    if (p.bad)
        return diag_set(d, ERR_INVALID, "proto: malformed Exemplar");
    if (!read_refs(w, refs, &e.labels))
        return OK;
    e.labels.count = labels_sort((struct label *)(uintptr_t)e.labels.items, e.labels.count);
    if (exemplar_check(&e, &why) != OK) {
        rw_error(w, "%s", why.text);
        return OK;
    }
    struct db_exemplar_row *row = rw_add_exemplar(w);
    if (row == NULL)
        return diag_set(d, ERR_LIMIT, "too many exemplars in one request (limit %d)",
                        DB_BATCH_ROWS_MAX);
    *row = (struct db_exemplar_row){.exemplar = e, .tag = tag};
    return OK;
}

/* Metadata {type=1, help_ref=3, unit_ref=4}. */
static bool read_metadata(struct parts *s, slice message)
{
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        uint64_t v = p.field == 1 || p.field == 3 || p.field == 4 ? pb_varint(&p) : 0;
        if (p.field == 1)
            s->metadata.type = v < METRIC_TYPE_COUNT ? (enum metric_type)v : METRIC_UNKNOWN;
        else if (p.field == 3)
            s->help_ref = (uint32_t)MIN(v, UINT32_MAX);
        else if (p.field == 4)
            s->unit_ref = (uint32_t)MIN(v, UINT32_MAX);
        else
            pb_skip(&p);
    }
    return !p.bad;
}

/* labels_refs and metadata may stand anywhere in the message, and the samples' errors name the
 * labels: first find those two, then read the rest. */
static err read_head(struct parts *s, slice message, struct diag *d)
{
    struct pb p = pb_of(message);
    bool ok = true;
    while (pb_next(&p)) {
        if (p.field == 1)
            s->refs = pb_bytes(&p);
        else if (p.field == 5)
            ok = read_metadata(s, pb_bytes(&p)) && ok;
        else
            pb_skip(&p);
    }
    return p.bad || !ok ? diag_set(d, ERR_INVALID, "proto: malformed TimeSeries") : OK;
}

static err read_values(struct remote_write *w, struct parts *s, slice message, uint32_t tag,
                       struct diag *d)
{
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        switch (p.field) {
        case 2:
            TRY(add_sample(w, pb_bytes(&p), tag, d));
            break;
        case 3:
            TRY(add_histogram(w, s, pb_bytes(&p), tag, d));
            break;
        case 4:
            TRY(add_exemplar(w, pb_bytes(&p), tag, d));
            break;
        default:
            pb_skip(&p);
        }
    }
    return p.bad ? diag_set(d, ERR_INVALID, "proto: malformed TimeSeries") : OK;
}

/* Hash of the symbols referred to, so that a request's own numbering does not matter. False when a
 * reference is out of range. */
static bool alias_of(struct remote_write *w, const struct parts *s, hash128 *out)
{
    hash128 parts[64];
    size_t n = 0;
    uint64_t seed = ~w->receiver->seed;
    struct pb p = pb_of(s->refs);
    *out = (hash128){0, 0};
    if (w->receiver->options.type_and_unit_labels)
        parts[n++] =
            (hash128){(uint64_t)s->metadata.type,
                      s->unit_ref < w->symbol_count ? w->symbol_hashes[s->unit_ref].lo : 0};
    while (p.pos < p.end) {
        uint64_t ref = pb_raw_varint(&p);
        if (p.bad || ref >= w->symbol_count)
            return false;
        if (n == COUNT_OF(parts)) { /* chain: what came before, then the rest */
            *out = hash128_of((slice){(const uint8_t *)parts, sizeof(parts)}, seed);
            parts[0] = *out;
            n = 1;
        }
        parts[n++] = w->symbol_hashes[ref];
    }
    *out = hash128_of((slice){(const uint8_t *)parts, n * sizeof(parts[0])}, seed);
    return true;
}

static void note_metadata(struct remote_write *w, const struct parts *s)
{
    struct labels ls;
    if (s->metadata.type == METRIC_UNKNOWN && s->help_ref == 0 && s->unit_ref == 0)
        return;
    if (s->help_ref >= w->symbol_count || s->unit_ref >= w->symbol_count) {
        rw_error(w,
                 "parsing metadata for series: help_ref %u or unit_ref %u outside of symbols table "
                 "(size %zu)",
                 s->help_ref, s->unit_ref, w->symbol_count);
        return;
    }
    struct metadata m = {s->metadata.type, w->symbols[s->help_ref], w->symbols[s->unit_ref]};
    if (read_refs(w, s->refs, &ls))
        rw_add_metadata(w, labels_get(ls, LABEL_NAME), &m);
}

static err add_series(struct remote_write *w, slice message, struct diag *d)
{
    struct parts s = {.w = w, .metadata = {.help = {"", 0}, .unit = {"", 0}}};
    struct rw_item *it = rw_add_item(w);
    if (it == NULL)
        return diag_set(d, ERR_LIMIT, "too many series in one request (limit %d)",
                        DB_BATCH_ROWS_MAX);
    uint32_t index = (uint32_t)w->item_count - 1;
    size_t rows = w->row_count, errors = w->errors.len;
    TRY(read_head(&s, message, d));
    hash128 alias;
    if (!alias_of(w, &s, &alias)) {
        struct labels ls;
        (void)read_refs(w, s.refs, &ls); /* notes what is wrong */
        w->item_count--;
        return OK;
    }
    TRY(read_values(w, &s, message, index, d));
    if (w->row_count == rows) {
        struct buf text = {0};
        if (w->errors.len == errors)
            rw_error(w, "TimeSeries must contain at least one sample or histogram for series %s",
                     series_text(w, s.refs, &text));
        buf_fini(&text);
        while (w->batch.exemplar_count > 0 &&
               w->batch.exemplars[w->batch.exemplar_count - 1].tag == index)
            w->batch.exemplar_count--;
        w->item_count--;
        return arena_exceeded(&w->arena) ? too_large(d) : OK;
    }
    *it = (struct rw_item){s.refs, message, (uint32_t)rows, (uint32_t)(w->row_count - rows)};
    w->aliases[index] = alias;
    note_metadata(w, &s);
    return arena_exceeded(&w->arena) ? too_large(d) : OK;
}

err rw_v2_decode(struct remote_write *w, struct diag *d)
{
    slice message = buf_slice(&w->decoded);
    struct pb p = pb_of(message);
    while (pb_next(&p)) { /* symbols first, wherever they stand */
        if (p.field == 4)
            TRY(add_symbol(w, pb_text(&p), d));
        else
            pb_skip(&p);
    }
    if (p.bad)
        return diag_set(d, ERR_INVALID, "proto: malformed Request");
    if (w->symbol_count > 0 && w->symbols[0].len > 0)
        return diag_set(d, ERR_INVALID, "symbols must start with an empty string, got " STR_FMT,
                        STR_ARG(w->symbols[0]));
    p = pb_of(message);
    while (pb_next(&p)) {
        if (p.field == 5)
            TRY(add_series(w, pb_bytes(&p), d));
        else
            pb_skip(&p);
    }
    return OK;
}

/* __type__ and __unit__ from the metadata replace what the sender put there. */
static void add_type_and_unit(struct remote_write *w, const struct rw_item *it, struct label *items,
                              size_t *count)
{
    struct parts s = {.w = w};
    struct diag d = {.text = ""};
    if (read_head(&s, it->body, &d) != OK)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (!str_eq(items[i].name, LABEL_TYPE) && !str_eq(items[i].name, LABEL_UNIT))
            items[kept++] = items[i];
    if (s.metadata.type != METRIC_UNKNOWN)
        items[kept++] = (struct label){LABEL_TYPE, str_from(metric_type_name(s.metadata.type))};
    if (s.unit_ref < w->symbol_count && w->symbols[s.unit_ref].len > 0)
        items[kept++] = (struct label){LABEL_UNIT, w->symbols[s.unit_ref]};
    *count = kept;
}

err rw_v2_create(struct remote_write *w, size_t item, uint32_t *series, struct diag *d)
{
    struct receiver *r = w->receiver;
    const struct rw_item *it = &w->items[item];
    struct labels ls;
    struct diag why = {.text = ""};
    *series = SERIES_NONE;
    if (!read_refs(w, it->labels, &ls))
        return arena_exceeded(&w->arena) ? too_large(d) : OK;
    struct label *items = (struct label *)(uintptr_t)ls.items; /* ours: made by read_refs() */
    size_t count = ls.count;
    if (r->options.type_and_unit_labels)
        add_type_and_unit(w, it, items, &count);
    ls.count = labels_sort(items, count);
    if (labels_check(ls, &r->options.labels_limits, &why) == OK)
        return db_create(r->options.db, ls, &w->aliases[item], series, d);
    (void)atomic_fetch_add_explicit(&r->counters.invalid_label_series, 1, memory_order_relaxed);
    rw_error(w, "%s", why.text);
    return OK;
}
