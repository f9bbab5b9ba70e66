/* expo_proto.c -- the protobuf format: io.prometheus.client.MetricFamily messages, each behind its
 * length. Entries come in the order in which Prometheus makes them of a family: HELP, UNIT, TYPE,
 * then for each metric the native histogram, or count, sum and buckets or quantiles as series of
 * their own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "ingest/expo_histogram.h"
#include "ingest/expo_priv.h"
#include "ingest/protobuf.h"

enum family_type {
    TYPE_COUNTER,
    TYPE_GAUGE,
    TYPE_SUMMARY,
    TYPE_UNTYPED,
    TYPE_HISTOGRAM,
    TYPE_GAUGE_HISTOGRAM
};

enum step {
    STEP_FAMILY,
    STEP_UNIT,
    STEP_TYPE,
    STEP_METRIC,
    STEP_COUNT,
    STEP_SUM,
    STEP_PARTS,
    STEP_CLASSIC
};

enum {
    PARTS_MAX = 65536,
    EXEMPLARS_MAX = 1000
}; /* buckets or quantiles, exemplars of one metric */

struct part { /* a bucket or a quantile */
    double bound, value;
    slice exemplar; /* message; empty: none */
};

struct expo_proto {
    struct pb pages;  /* what is left of the page */
    struct pb family; /* what is left of the family's fields */
    str name, help, unit;
    enum family_type type;
    enum step step;
    /* The present metric. */
    slice metric, value; /* messages; `value` is that of its type */
    int64_t ts_ms, start_ts_ms;
    double number, count, sum; /* of a counter, gauge or untyped; of the others */
    struct part *parts;
    size_t part_count, part_cap, at;
    bool infinite; /* the last bucket is +Inf */
    slice exemplar;
    bool classic; /* its classic parts are due */
    /* The present entry. */
    struct buf key;
    const char *suffix;
    str bound_name;
    char bound[NUMBER_SIZE_MAX];
    size_t bound_len;
    struct expo_exemplar *exemplars;
    size_t exemplar_count, exemplar_cap;
};

void expo_proto_open(struct expo *p)
{
    p->proto = mem_zalloc(1, sizeof(*p->proto));
    p->proto->pages = pb_of((slice){(const uint8_t *)p->page, p->len});
}

void expo_proto_close(struct expo *p)
{
    mem_free(p->proto->parts);
    mem_free(p->proto->exemplars);
    buf_fini(&p->proto->key);
    mem_free(p->proto);
}

static err malformed(const char *what, struct diag *d)
{
    return diag_set(d, ERR_INVALID, "proto: malformed %s", what);
}

static err no_memory(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "page needs more than %d bytes of memory", EXPO_ARENA_BYTES_MAX);
}

/* ---- Families ---- */

static bool unit_fits(str name, str unit)
{
    return name.len > unit.len && str_ends(name, unit) && name.ptr[name.len - unit.len - 1] == '_';
}

static err check_unit(const struct expo_proto *q, struct diag *d)
{
    bool total = q->type == TYPE_COUNTER && str_ends(q->name, STR("_total"));
    str name = {q->name.ptr, q->name.len - (total ? 6 : 0)};
    if (q->unit.len == 0 || unit_fits(name, q->unit))
        return OK;
    struct buf b = {0};
    buf_printf(&b, " not a suffix of %s ", total ? "counter" : "metric");
    utf8_quote(&b, q->name);
    err e = expo_quoted("unit ", q->unit, buf_cstr(&b), d);
    buf_fini(&b);
    return e;
}

static err check_family(const struct expo_proto *q, uint64_t type, struct diag *d)
{
    if (q->name.len == 0 || !utf8_valid(q->name))
        return diag_set(d, ERR_INVALID, "invalid metric name: " STR_FMT, STR_ARG(q->name));
    if (!utf8_valid(q->help))
        return expo_quoted("invalid help for metric ", q->name, "", d);
    if (type > TYPE_GAUGE_HISTOGRAM) {
        struct buf b = {0};
        buf_printf(&b, ": %llu", (unsigned long long)type);
        err e = expo_quoted("unknown metric type for metric ", q->name, buf_cstr(&b), d);
        buf_fini(&b);
        return e;
    }
    return check_unit(q, d);
}

/* The next family that has a metric. ERR_NOTFOUND: there is none. */
static err next_family(struct expo_proto *q, struct diag *d)
{
    for (;;) {
        if (q->pages.pos == q->pages.end)
            return ERR_NOTFOUND;
        uint64_t size = pb_raw_varint(&q->pages);
        if (q->pages.bad || size > (uint64_t)(q->pages.end - q->pages.pos))
            return malformed("MetricFamily: it is longer than the page", d);
        slice message = {q->pages.pos, (size_t)size};
        q->pages.pos += size;
        uint64_t type = 0;
        bool any = false;
        q->name = q->help = q->unit = (str){"", 0};
        struct pb p = pb_of(message);
        while (pb_next(&p)) {
            if (p.field == 1)
                q->name = pb_text(&p);
            else if (p.field == 2)
                q->help = pb_text(&p);
            else if (p.field == 3)
                type = pb_varint(&p);
            else if (p.field == 5)
                q->unit = pb_text(&p);
            else {
                any |= p.field == 4;
                pb_skip(&p);
            }
        }
        if (p.bad)
            return malformed("MetricFamily", d);
        if (!any)
            continue;
        q->type = (enum family_type)MIN(type, (uint64_t)TYPE_GAUGE_HISTOGRAM);
        q->family = pb_of(message);
        return check_family(q, type, d);
    }
}

/* ---- Metrics ---- */

static int64_t read_timestamp(slice message, bool *bad)
{
    struct pb p = pb_of(message);
    int64_t seconds = 0, nanos = 0;
    while (pb_next(&p)) {
        if (p.field == 1)
            seconds = (int64_t)pb_varint(&p);
        else if (p.field == 2)
            nanos = (int64_t)pb_varint(&p);
        else
            pb_skip(&p);
    }
    *bad |= p.bad || llabs(seconds) > INT64_C(1) << 50 || llabs(nanos) > 1000000000;
    return *bad ? 0 : seconds * 1000 + nanos / 1000000;
}

static err add_part(struct expo_proto *q, struct part part, struct diag *d)
{
    if (q->part_count == PARTS_MAX)
        return diag_set(d, ERR_LIMIT, "more than %d buckets or quantiles of one metric", PARTS_MAX);
    if (q->part_count == q->part_cap) {
        q->part_cap = q->part_cap == 0 ? 16 : q->part_cap * 2;
        q->parts = mem_resize(q->parts, q->part_cap, sizeof(*q->parts));
    }
    q->parts[q->part_count++] = part;
    return OK;
}

/* Counter {value=1, exemplar=2, created_timestamp=3}; gauge and untyped have the value alone. */
static bool read_number(struct expo_proto *q)
{
    struct pb p = pb_of(q->value);
    bool bad = false;
    while (pb_next(&p)) {
        if (p.field == 1)
            q->number = pb_double(&p);
        else if (p.field == 2 && q->type == TYPE_COUNTER)
            q->exemplar = pb_bytes(&p);
        else if (p.field == 3 && q->type == TYPE_COUNTER)
            q->start_ts_ms = read_timestamp(pb_bytes(&p), &bad);
        else
            pb_skip(&p);
    }
    return !p.bad && !bad;
}

/* Quantile {quantile=1, value=2}. */
static struct part read_quantile(slice message, bool *bad)
{
    struct pb p = pb_of(message);
    struct part part = {.bound = 0};
    while (pb_next(&p)) {
        if (p.field == 1)
            part.bound = pb_double(&p);
        else if (p.field == 2)
            part.value = pb_double(&p);
        else
            pb_skip(&p);
    }
    *bad |= p.bad;
    return part;
}

/* Summary {sample_count=1, sample_sum=2, quantile=3, created_timestamp=4}. */
static err read_summary(struct expo_proto *q, struct diag *d)
{
    struct pb p = pb_of(q->value);
    bool bad = false;
    while (pb_next(&p)) {
        if (p.field == 1)
            q->count = (double)pb_varint(&p);
        else if (p.field == 2)
            q->sum = pb_double(&p);
        else if (p.field == 3)
            TRY(add_part(q, read_quantile(pb_bytes(&p), &bad), d));
        else if (p.field == 4)
            q->start_ts_ms = read_timestamp(pb_bytes(&p), &bad);
        else
            pb_skip(&p);
    }
    return p.bad || bad ? malformed("Summary", d) : OK;
}

/* Bucket {cumulative_count=1, upper_bound=2, exemplar=3, cumulative_count_float=4}. */
static struct part read_bucket(slice message, bool *bad)
{
    struct pb p = pb_of(message);
    struct part part = {.bound = 0};
    double whole = 0;
    while (pb_next(&p)) {
        if (p.field == 1)
            whole = (double)pb_varint(&p);
        else if (p.field == 2)
            part.bound = pb_double(&p);
        else if (p.field == 3)
            part.exemplar = pb_bytes(&p);
        else if (p.field == 4)
            part.value = pb_double(&p);
        else
            pb_skip(&p);
    }
    *bad |= p.bad;
    if (part.value == 0)
        part.value = whole;
    return part;
}

/* The classic parts of a histogram (expo_histogram.c reads the native ones). */
static err read_classic(struct expo_proto *q, struct diag *d)
{
    struct pb p = pb_of(q->value);
    bool bad = false;
    double whole = 0;
    while (pb_next(&p)) {
        if (p.field == 1)
            whole = (double)pb_varint(&p);
        else if (p.field == 2)
            q->sum = pb_double(&p);
        else if (p.field == 3)
            TRY(add_part(q, read_bucket(pb_bytes(&p), &bad), d));
        else if (p.field == 4)
            q->count = pb_double(&p);
        else if (p.field == 15)
            q->start_ts_ms = read_timestamp(pb_bytes(&p), &bad);
        else
            pb_skip(&p);
    }
    if (q->count == 0)
        q->count = whole;
    q->infinite = q->part_count > 0 && isinf(q->parts[q->part_count - 1].bound) &&
                  q->parts[q->part_count - 1].bound > 0;
    return p.bad || bad ? malformed("Histogram", d) : OK;
}

static bool is_histogram(const struct expo_proto *q)
{
    return q->type == TYPE_HISTOGRAM || q->type == TYPE_GAUGE_HISTOGRAM;
}

static err read_value(struct expo_proto *q, struct diag *d)
{
    q->number = q->count = q->sum = 0;
    q->part_count = q->at = 0;
    q->start_ts_ms = 0;
    q->exemplar = (slice){NULL, 0};
    if (is_histogram(q))
        return read_classic(q, d);
    if (q->type == TYPE_SUMMARY)
        return read_summary(q, d);
    return read_number(q) ? OK : malformed("Metric", d);
}

/* The next metric of the family. ERR_NOTFOUND: that was the last. */
static err next_metric(struct expo_proto *q, struct diag *d)
{
    static const uint32_t VALUE_FIELDS[] = {
        [TYPE_COUNTER] = 3, [TYPE_GAUGE] = 2,     [TYPE_SUMMARY] = 4,
        [TYPE_UNTYPED] = 5, [TYPE_HISTOGRAM] = 7, [TYPE_GAUGE_HISTOGRAM] = 7};
    while (pb_next(&q->family) && q->family.field != 4)
        pb_skip(&q->family);
    if (q->family.field != 4 || q->family.pos == NULL || q->family.bad)
        return ERR_NOTFOUND;
    q->metric = pb_bytes(&q->family);
    q->family.field = 0;
    q->value = (slice){NULL, 0};
    q->ts_ms = 0;
    struct pb p = pb_of(q->metric);
    while (pb_next(&p)) {
        if (p.field == 6)
            q->ts_ms = (int64_t)pb_varint(&p);
        else if (p.field == VALUE_FIELDS[q->type])
            q->value = pb_bytes(&p);
        else
            pb_skip(&p);
    }
    return p.bad ? malformed("Metric", d) : read_value(q, d);
}

/* ---- Exemplars ---- */

/* Exemplar {label=1, value=2, timestamp=3}. `timed`: one without time stamp does not count. */
static err add_exemplar(struct expo *p, slice message, bool timed, struct diag *d)
{
    struct expo_proto *q = p->proto;
    struct expo_exemplar x = {.has_ts = false};
    struct label *items = NULL;
    size_t count = 0;
    bool bad = false;
    struct pb r = pb_of(message);
    while (pb_next(&r)) {
        if (r.field == 1) {
            struct label *more = arena_grow(&p->arena, items, count, count + 1, sizeof(*more));
            if (more == NULL)
                return no_memory(d);
            items = more;
            bad |= !expo_pb_label(pb_bytes(&r), &items[count++]);
        } else if (r.field == 2) {
            x.exemplar.value = pb_double(&r);
        } else if (r.field == 3) {
            x.exemplar.ts_ms = read_timestamp(pb_bytes(&r), &bad);
            x.has_ts = true;
        } else {
            pb_skip(&r);
        }
        if (count > EXEMPLAR_LABELS_RUNES_MAX) /* it could not be stored */
            return OK;
    }
    if (r.bad || bad)
        return malformed("Exemplar", d);
    if ((timed && !x.has_ts) || q->exemplar_count == EXEMPLARS_MAX)
        return OK;
    x.exemplar.labels = (struct labels){items, labels_sort(items, count)};
    if (q->exemplar_count == q->exemplar_cap) {
        q->exemplar_cap = q->exemplar_cap == 0 ? 4 : q->exemplar_cap * 2;
        q->exemplars = mem_resize(q->exemplars, q->exemplar_cap, sizeof(*q->exemplars));
    }
    q->exemplars[q->exemplar_count++] = x;
    return OK;
}

/* Those of a native histogram: its own, else those of its classic buckets. */
static err add_native_exemplars(struct expo *p, struct diag *d)
{
    struct expo_proto *q = p->proto;
    struct pb r = pb_of(q->value);
    bool own = false;
    while (pb_next(&r)) {
        if (r.field == 16) {
            own = true;
            TRY(add_exemplar(p, pb_bytes(&r), true, d));
        } else {
            pb_skip(&r);
        }
    }
    for (size_t i = 0; i < q->part_count && !own; i++)
        if (q->parts[i].exemplar.len > 0)
            TRY(add_exemplar(p, q->parts[i].exemplar, true, d));
    return OK;
}

/* ---- Entries ---- */

static void set_bound(struct expo_proto *q, const char *name, double bound, struct arena *a)
{
    char text[NUMBER_SIZE_MAX];
    str v = {text, number_format_g(bound, text)};
    bool le = name[0] == 'l';
    v = expo_label_value(le ? METRIC_HISTOGRAM : METRIC_SUMMARY, str_from(name), v, a);
    q->bound_name = str_from(name);
    q->bound_len = MIN(v.len, sizeof(q->bound));
    if (q->bound_len > 0)
        memcpy(q->bound, v.ptr, q->bound_len);
}

/* Name, labels as they were sent, and bound: what names the series. */
static void make_key(struct expo_proto *q)
{
    struct pb p = pb_of(q->metric);
    buf_reset(&q->key);
    buf_put_str(&q->key, q->name);
    buf_put_str(&q->key, str_from(q->suffix));
    while (pb_next(&p)) {
        if (p.field == 1) {
            buf_put_u8(&q->key, 0xff);
            buf_put_string(&q->key, slice_text(pb_bytes(&p)));
        } else {
            pb_skip(&p);
        }
    }
    buf_put_u8(&q->key, 0xfe);
    buf_put(&q->key, q->bound, q->bound_len);
}

static void give(struct expo *p, enum expo_kind kind, const char *suffix, double value,
                 struct expo_entry *e)
{
    struct expo_proto *q = p->proto;
    q->suffix = suffix;
    make_key(q);
    e->kind = kind;
    e->key = buf_slice(&q->key);
    e->value = value;
    e->has_ts = q->ts_ms != 0;
    e->ts_ms = q->ts_ms;
    e->start_ts_ms = q->start_ts_ms;
    e->exemplars = q->exemplars;
    e->exemplar_count = q->exemplar_count;
}

static err give_native(struct expo *p, struct expo_entry *e, struct diag *d)
{
    struct expo_proto *q = p->proto;
    struct histogram *h = NULL;
    TRY(expo_histogram_read(q->value, q->type == TYPE_GAUGE_HISTOGRAM, &p->arena, &h, d));
    TRY(add_native_exemplars(p, d));
    give(p, EXPO_HISTOGRAM, "", 0, e);
    e->histogram = h;
    return OK;
}

/* A classic histogram as one with custom buckets. */
static err give_converted(struct expo *p, struct expo_entry *e, struct diag *d)
{
    struct expo_proto *q = p->proto;
    struct histogram *h = NULL;
    struct expo_classic c = {.count = q->count, .sum = q->sum, .has_count = true};
    for (size_t i = 0; i < q->part_count; i++)
        TRY(expo_classic_add(&c, q->parts[i].bound, q->parts[i].value, &p->arena, d));
    TRY(expo_classic_convert(&c, &p->arena, &h, d));
    if (q->type == TYPE_GAUGE_HISTOGRAM)
        h->reset_hint = RESET_GAUGE;
    TRY(add_native_exemplars(p, d));
    give(p, EXPO_HISTOGRAM, "", 0, e);
    e->histogram = h;
    return OK;
}

/* The first entry of a metric. */
static err begin_metric(struct expo *p, struct expo_entry *e, struct diag *d)
{
    struct expo_proto *q = p->proto;
    const struct expo_options *o = &p->options;
    q->step = STEP_METRIC;
    if (!is_histogram(q) && q->type != TYPE_SUMMARY) {
        if (q->exemplar.len > 0)
            TRY(add_exemplar(p, q->exemplar, false, d));
        give(p, EXPO_SERIES, "", q->number, e);
        return OK;
    }
    bool native = is_histogram(q) && o->native_histograms && expo_histogram_is_native(q->value);
    bool converted = is_histogram(q) && !native && o->convert_classic;
    if (native || converted) {
        q->step = o->classic_histograms && q->part_count > 0 ? STEP_COUNT : STEP_METRIC;
        return (native ? give_native : give_converted)(p, e, d);
    }
    q->step = STEP_SUM;
    give(p, EXPO_SERIES, "_count", q->count, e);
    return OK;
}

/* One bucket or quantile; false when there is none left. */
static bool give_part(struct expo *p, struct expo_entry *e, err *result, struct diag *d)
{
    struct expo_proto *q = p->proto;
    bool histogram = is_histogram(q), implied = histogram && !q->infinite && q->at == q->part_count;
    if (q->at >= q->part_count && !implied)
        return false;
    struct part last = {.bound = INFINITY, .value = q->count};
    const struct part *part = implied ? &last : &q->parts[q->at];
    q->at++;
    set_bound(q, histogram ? "le" : "quantile", part->bound, &p->arena);
    if (part->exemplar.len > 0)
        *result = add_exemplar(p, part->exemplar, false, d);
    give(p, EXPO_SERIES, histogram ? "_bucket" : "", part->value, e);
    return true;
}

static void give_metadata(struct expo *p, enum expo_kind kind, str text, struct expo_entry *e)
{
    static const enum metric_type TYPES[] = {
        [TYPE_COUNTER] = METRIC_COUNTER,     [TYPE_GAUGE] = METRIC_GAUGE,
        [TYPE_SUMMARY] = METRIC_SUMMARY,     [TYPE_UNTYPED] = METRIC_UNKNOWN,
        [TYPE_HISTOGRAM] = METRIC_HISTOGRAM, [TYPE_GAUGE_HISTOGRAM] = METRIC_GAUGEHISTOGRAM};
    *e = (struct expo_entry){.kind = kind, .name = p->proto->name, .text = text};
    if (kind != EXPO_TYPE)
        return;
    e->type = TYPES[p->proto->type];
    expo_note_type(p, e->name, e->type);
    p->meta_unit = p->proto->unit;
}

/* Go on to the next metric, or the next family. */
static err next(struct expo *p, struct expo_entry *e, struct diag *d)
{
    struct expo_proto *q = p->proto;
    if (q->step != STEP_FAMILY) {
        err r = next_metric(q, d);
        if (r == OK)
            return begin_metric(p, e, d);
        if (r != ERR_NOTFOUND)
            return r;
    }
    err r = next_family(q, d);
    q->step = STEP_FAMILY;
    if (r != OK) {
        *e = (struct expo_entry){.kind = EXPO_END};
        return r == ERR_NOTFOUND ? OK : r;
    }
    give_metadata(p, EXPO_HELP, q->help, e);
    q->step = q->unit.len > 0 ? STEP_UNIT : STEP_TYPE;
    return OK;
}

err expo_proto_next(struct expo *p, struct expo_entry *e, struct diag *d)
{
    struct expo_proto *q = p->proto;
    err r = OK;
    q->exemplar_count = 0;
    q->bound_len = 0;
    switch (q->step) {
    case STEP_UNIT:
        give_metadata(p, EXPO_UNIT, q->unit, e);
        q->step = STEP_TYPE;
        return OK;
    case STEP_TYPE:
        give_metadata(p, EXPO_TYPE, STR(""), e);
        q->step = STEP_METRIC;
        return OK;
    case STEP_COUNT:
        q->step = STEP_SUM;
        give(p, EXPO_SERIES, "_count", q->count, e);
        return OK;
    case STEP_SUM:
        q->step = STEP_PARTS;
        give(p, EXPO_SERIES, "_sum", q->sum, e);
        return OK;
    case STEP_PARTS:
        if (give_part(p, e, &r, d))
            return arena_exceeded(&p->arena) ? no_memory(d) : r;
        break;
    default:
        break;
    }
    return next(p, e, d);
}

/* ---- Labels ---- */

bool expo_pb_label(slice message, struct label *out)
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

static size_t label_count(slice metric)
{
    size_t n = 0;
    struct pb p = pb_of(metric);
    while (pb_next(&p)) {
        n += p.field == 1;
        pb_skip(&p);
    }
    return n;
}

err expo_proto_labels(struct expo *p, struct arena *a, struct label *items, size_t *count,
                      struct diag *d)
{
    const struct expo_proto *q = p->proto;
    struct pb r = pb_of(q->metric);
    bool bad = false;
    while (pb_next(&r)) {
        if (r.field == 1)
            bad |= !expo_pb_label(pb_bytes(&r), &items[(*count)++]);
        else
            pb_skip(&r);
    }
    if (r.bad || bad)
        return malformed("LabelPair", d);
    if (q->bound_len > 0)
        items[(*count)++] =
            (struct label){q->bound_name, arena_str(a, (str){q->bound, q->bound_len})};
    return arena_exceeded(a) ? ERR_LIMIT : OK;
}

size_t expo_proto_label_count(const struct expo *p)
{
    return label_count(p->proto->metric) + 1;
}

str expo_proto_name(const struct expo *p, struct arena *a)
{
    const struct expo_proto *q = p->proto;
    size_t suffix = strlen(q->suffix);
    if (suffix == 0)
        return q->name;
    char *text = arena_alloc(a, q->name.len + suffix);
    if (text == NULL)
        return (str){NULL, 0};
    memcpy(text, q->name.ptr, q->name.len);
    memcpy(text + q->name.len, q->suffix, suffix);
    return (str){text, q->name.len + suffix};
}
