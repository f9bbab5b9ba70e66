/* federate.c -- /federate: the newest sample of every selected series, as one more Prometheus
 * scrapes it. Everything is untyped, for types are not known to queries; native histograms go out
 * in protobuf alone. Source: Prometheus web/federate.go; formats: common/expfmt. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/protobuf_put.h"
#include "base/utf8.h"
#include "http/api.h"
#include "model/sample.h"
#include "query/parser.h"

enum {
    FEDERATE_BYTES_MAX = 512 << 20, /* label sets and histograms of one answer */
    SELECTORS_MAX = 1000,
    FAMILY_BYTES_MAX = 1 << 20, /* a larger protobuf family is sent in parts */
    ACCEPT_CLAUSES_MAX = 32,
};

enum format { FORMAT_TEXT, FORMAT_OPENMETRICS, FORMAT_OPENMETRICS_0, FORMAT_PROTOBUF };
enum escaping { ESCAPE_UNDERSCORES, ESCAPE_NONE, ESCAPE_DOTS, ESCAPE_VALUES, ESCAPE_COUNT };

static const char *const ESCAPINGS[ESCAPE_COUNT] = {"underscores", "allow-utf-8", "dots", "values"};

struct item { /* newest sample of a series */
    struct labels labels;
    str name;
    int64_t ts_ms;
    double value;
    struct histogram *histogram;
};

struct federation {
    struct arena arena;
    struct item *items; /* sorted by name */
    size_t count, cap, next;
    enum format format;
    enum escaping escaping;
    struct labels attached; /* to series that lack them: external labels, instance="" */
    struct buf scratch, family;
};

/* ---- What the client accepts ---- */

struct clause {
    str type;      /* type/subtype */
    str params[8]; /* name=value */
    size_t param_count;
    double q;
};

static str trim(str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cut `rest` at the first `c`; false when it is empty. */
static bool cut(str *rest, char c, str *out)
{
    if (rest->len == 0)
        return false;
    const char *at = memchr(rest->ptr, c, rest->len);
    size_t n = at != NULL ? (size_t)(at - rest->ptr) : rest->len;
    size_t used = at != NULL ? n + 1 : n;
    *out = trim((str){rest->ptr, n});
    *rest = (str){rest->ptr + used, rest->len - used};
    return true;
}

static str param(const struct clause *c, str name)
{
    for (size_t i = 0; i < c->param_count; i++) {
        str rest = c->params[i], key;
        if (cut(&rest, '=', &key) && str_eq(key, name))
            return trim(rest);
    }
    return (str){"", 0};
}

static struct clause parse_clause(str s)
{
    struct clause c = {.q = 1};
    (void)cut(&s, ';', &c.type);
    while (c.param_count < COUNT_OF(c.params) && cut(&s, ';', &c.params[c.param_count]))
        c.param_count++;
    str q = param(&c, STR("q"));
    if (q.len > 0 && number_parse_f64(q, false, &c.q) != OK)
        c.q = 1;
    return c;
}

static bool clause_format(const struct clause *c, enum format *out)
{
    str version = param(c, STR("version"));
    if (str_eq(c->type, STR("application/vnd.google.protobuf")) &&
        str_eq(param(c, STR("proto")), STR("io.prometheus.client.MetricFamily")) &&
        str_eq(param(c, STR("encoding")), STR("delimited")))
        *out = FORMAT_PROTOBUF;
    else if (str_eq(c->type, STR("application/openmetrics-text")) && str_eq(version, STR("1.0.0")))
        *out = FORMAT_OPENMETRICS;
    else if (str_eq(c->type, STR("application/openmetrics-text")) &&
             (version.len == 0 || str_eq(version, STR("0.0.1"))))
        *out = FORMAT_OPENMETRICS_0;
    else if (str_eq(c->type, STR("text/plain")) &&
             (version.len == 0 || str_eq(version, STR("0.0.4"))))
        *out = FORMAT_TEXT;
    else
        return false;
    return true;
}

/* Best q first, else in their order. The first clause with a format of ours decides; an escaping
 * asked for by a clause before it holds. */
static void negotiate(str accept, struct federation *f)
{
    struct clause clauses[ACCEPT_CLAUSES_MAX];
    size_t n = 0;
    str one;
    while (n < ACCEPT_CLAUSES_MAX && cut(&accept, ',', &one)) {
        struct clause c = parse_clause(one);
        size_t at = n++;
        for (; at > 0 && clauses[at - 1].q < c.q; at--)
            clauses[at] = clauses[at - 1];
        clauses[at] = c;
    }
    for (size_t i = 0; i < n; i++) {
        str scheme = param(&clauses[i], STR("escaping"));
        for (int e = 0; e < ESCAPE_COUNT; e++)
            if (str_eq(scheme, str_from(ESCAPINGS[e])))
                f->escaping = (enum escaping)e;
        if (clauses[i].q > 0 && clause_format(&clauses[i], &f->format))
            return;
    }
}

#define ALL_ESCAPINGS(type)                                                                        \
    {                                                                                              \
        type "; escaping=underscores", type "; escaping=allow-utf-8", type "; escaping=dots",      \
            type "; escaping=values"                                                               \
    }

static const char *const TYPES[][ESCAPE_COUNT] = {
    [FORMAT_TEXT] = ALL_ESCAPINGS("text/plain; version=0.0.4; charset=utf-8"),
    [FORMAT_OPENMETRICS] =
        ALL_ESCAPINGS("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    [FORMAT_OPENMETRICS_0] =
        ALL_ESCAPINGS("application/openmetrics-text; version=0.0.1; charset=utf-8"),
    [FORMAT_PROTOBUF] =
        ALL_ESCAPINGS("application/vnd.google.protobuf; "
                      "proto=io.prometheus.client.MetricFamily; encoding=delimited"),
};

/* ---- Names ---- */

static bool legacy_rune(uint32_t c, size_t at)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (c >= '0' && c <= '9' && at > 0);
}

static void escape_rune(struct buf *b, enum escaping e, uint32_t rune, size_t at)
{
    if (e != ESCAPE_UNDERSCORES && rune == '_')
        buf_put_str(b, STR("__"));
    else if (e == ESCAPE_DOTS && rune == '.')
        buf_put_str(b, STR("_dot_"));
    else if (legacy_rune(rune, at))
        buf_put_u8(b, (uint8_t)rune);
    else if (e == ESCAPE_VALUES)
        buf_printf(b, "_%x_", (unsigned)rune);
    else
        buf_put_str(b, e == ESCAPE_DOTS ? STR("__") : STR("_"));
}

/* The name as the escaping has it; `b` is scratch. Names of the old kind stay. */
static str escaped_name(str name, enum escaping e, struct buf *b)
{
    if (e == ESCAPE_NONE || metric_name_is_legacy(name))
        return name;
    buf_reset(b);
    if (e == ESCAPE_VALUES)
        buf_put_str(b, STR("U__"));
    for (size_t i = 0; i < name.len;) {
        unsigned size;
        uint32_t rune = utf8_decode((str){name.ptr + i, name.len - i}, &size);
        escape_rune(b, e, rune, i);
        i += size;
    }
    return buf_str(b);
}

/* ---- Text and OpenMetrics ---- */

static void put_escaped(struct buf *b, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' || s.ptr[i] == '"')
            buf_put_u8(b, '\\');
        if (s.ptr[i] == '\n')
            buf_put_str(b, STR("\\n"));
        else
            buf_put_u8(b, (uint8_t)s.ptr[i]);
    }
}

static void put_quoted(struct buf *b, str s)
{
    buf_put_u8(b, '"');
    put_escaped(b, s);
    buf_put_u8(b, '"');
}

/* Quoted when it is not a name of the old kind. */
static void put_name(struct buf *b, str name)
{
    if (metric_name_is_legacy(name))
        buf_put_str(b, name);
    else
        put_quoted(b, name);
}

static void put_number(struct buf *b, double v, bool openmetrics)
{
    char *p = (char *)buf_reserve(b, NUMBER_SIZE_MAX);
    size_t n = number_format_g(v == 0 ? 0 : v, p);
    b->len += n;
    if (openmetrics && v - v == 0 && memchr(p, '.', n) == NULL && memchr(p, 'e', n) == NULL)
        buf_put_str(b, STR(".0"));
}

static void put_label(struct buf *b, str name, str value, bool *any)
{
    buf_put_u8(b, *any ? ',' : '{');
    *any = true;
    put_name(b, name);
    buf_put_u8(b, '=');
    put_quoted(b, value);
}

static void put_line(struct federation *f, struct buf *b, const struct item *m)
{
    bool open = f->format != FORMAT_TEXT, any = false;
    str name = escaped_name(m->name, f->escaping, &f->scratch);
    if (!metric_name_is_legacy(name)) {
        buf_put_u8(b, '{');
        any = true;
    }
    put_name(b, name);
    for (size_t i = 0; i < m->labels.count; i++) {
        const struct label *l = &m->labels.items[i];
        if (!str_eq(l->name, LABEL_NAME))
            put_label(b, escaped_name(l->name, f->escaping, &f->scratch), l->value, &any);
    }
    for (size_t i = 0; i < f->attached.count; i++) {
        const struct label *l = &f->attached.items[i];
        if (labels_get(m->labels, l->name).ptr == NULL)
            put_label(b, escaped_name(l->name, f->escaping, &f->scratch), l->value, &any);
    }
    buf_put_str(b, STR("} "));
    put_number(b, m->value, open);
    buf_put_u8(b, ' ');
    if (open) /* no exponent, which upstream has and Python's parser reads as 1.79 s */
        b->len += number_format_f((double)m->ts_ms / 1000, (char *)buf_reserve(b, NUMBER_SIZE_MAX));
    else
        b->len += number_format_i64(m->ts_ms, (char *)buf_reserve(b, 24));
    buf_put_u8(b, '\n');
}

/* ---- Protobuf ---- */

enum { FAMILY_UNTYPED = 3, FAMILY_HISTOGRAM = 4, FAMILY_GAUGE_HISTOGRAM = 5 };

static unsigned family_type(const struct item *m)
{
    if (m->histogram == NULL)
        return FAMILY_UNTYPED;
    return m->histogram->reset_hint == RESET_GAUGE ? FAMILY_GAUGE_HISTOGRAM : FAMILY_HISTOGRAM;
}

static void put_pair(struct buf *b, str name, str value)
{
    size_t mark = pb_begin(b, 1);
    pb_put_str(b, 1, name);
    pb_put_str(b, 2, value);
    pb_end(b, mark);
}

static void put_spans(struct buf *b, uint32_t field, const struct histogram_side *s)
{
    for (uint32_t i = 0; i < s->span_count; i++) {
        size_t mark = pb_begin(b, field);
        pb_put_zigzag(b, 1, s->spans[i].offset);
        pb_put_varint(b, 2, s->spans[i].length);
        pb_end(b, mark);
    }
}

static void put_counts(struct buf *b, uint32_t field, const struct histogram_side *s)
{
    for (uint32_t i = 0; i < s->bucket_count; i++)
        pb_put_double(b, field, s->counts[i]);
}

/* Bucket {upper_bound=2, cumulative_count_float=4} as field 3. */
static void put_bucket(struct buf *b, double bound, double count)
{
    size_t mark = pb_begin(b, 3);
    pb_put_double(b, 2, bound);
    pb_put_double(b, 4, count);
    pb_end(b, mark);
}

/* Custom bounds have no native form in this format: classic buckets. */
static void put_classic(struct buf *b, const struct histogram *h)
{
    double sum = 0;
    uint32_t from = 0;
    int64_t index = 0;
    uint32_t span = 0, inside = 0;
    if (h->positive.span_count > 0)
        index = h->positive.spans[0].offset;
    for (uint32_t bound = 0; bound < h->custom_count; bound++) {
        while (span < h->positive.span_count && inside == h->positive.spans[span].length) {
            inside = 0;
            if (++span < h->positive.span_count)
                index += h->positive.spans[span].offset;
        }
        if (span < h->positive.span_count && index == bound) {
            sum += h->positive.counts[from++];
            inside++;
            index++;
        }
        put_bucket(b, h->custom_values[bound], sum);
    }
    put_bucket(b, __builtin_inf(), h->count);
}

static void put_histogram(struct buf *b, const struct histogram *h)
{
    size_t mark = pb_begin(b, 7);
    pb_put_double(b, 2, h->sum);
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM)
        put_classic(b, h);
    pb_put_double(b, 4, h->count);
    if (h->schema != HISTOGRAM_SCHEMA_CUSTOM) {
        pb_put_zigzag(b, 5, h->schema);
        pb_put_double(b, 6, h->zero_threshold);
        pb_put_double(b, 8, h->zero_count);
        put_spans(b, 9, &h->negative);
        put_counts(b, 11, &h->negative);
        put_spans(b, 12, &h->positive);
        put_counts(b, 14, &h->positive);
    }
    pb_end(b, mark);
}

/* Metric {label=1, untyped=5, timestamp_ms=6, histogram=7} as field 4 of the family. */
static void put_metric(struct federation *f, const struct item *m)
{
    struct buf *b = &f->family;
    size_t mark = pb_begin(b, 4);
    for (size_t i = 0; i < m->labels.count; i++) {
        const struct label *l = &m->labels.items[i];
        if (!str_eq(l->name, LABEL_NAME))
            put_pair(b, escaped_name(l->name, f->escaping, &f->scratch), l->value);
    }
    for (size_t i = 0; i < f->attached.count; i++) {
        const struct label *l = &f->attached.items[i];
        if (labels_get(m->labels, l->name).ptr == NULL)
            put_pair(b, escaped_name(l->name, f->escaping, &f->scratch), l->value);
    }
    if (m->histogram == NULL) {
        size_t untyped = pb_begin(b, 5);
        pb_put_double(b, 1, m->value);
        pb_end(b, untyped);
    }
    pb_put_varint(b, 6, (uint64_t)m->ts_ms);
    if (m->histogram != NULL)
        put_histogram(b, m->histogram);
    pb_end(b, mark);
}

static bool same_family(const struct item *a, const struct item *b)
{
    return str_eq(a->name, b->name) && family_type(a) == family_type(b);
}

/* MetricFamily {name=1, type=3, metric=4} behind its length. */
static void put_family(struct federation *f, struct buf *out)
{
    const struct item *first = &f->items[f->next];
    buf_reset(&f->family);
    pb_put_str(&f->family, 1, escaped_name(first->name, f->escaping, &f->scratch));
    pb_put_varint(&f->family, 3, family_type(first));
    while (f->next < f->count && same_family(first, &f->items[f->next]) &&
           f->family.len < FAMILY_BYTES_MAX)
        put_metric(f, &f->items[f->next++]);
    buf_put_varint(out, f->family.len);
    buf_put(out, f->family.ptr, f->family.len);
}

/* ---- The answer ---- */

static bool federation_next(void *state, struct buf *out)
{
    struct federation *f = state;
    if (f->next == f->count) {
        if (f->format == FORMAT_OPENMETRICS || f->format == FORMAT_OPENMETRICS_0)
            buf_put_str(out, STR("# EOF\n"));
        return false;
    }
    if (f->format == FORMAT_PROTOBUF) {
        put_family(f, out);
        return true;
    }
    const struct item *m = &f->items[f->next];
    if (f->next == 0 || !str_eq(m->name, f->items[f->next - 1].name)) {
        buf_put_str(out, STR("# TYPE "));
        put_name(out, escaped_name(m->name, f->escaping, &f->scratch));
        buf_put_str(out, f->format == FORMAT_TEXT ? STR(" untyped\n") : STR(" unknown\n"));
    }
    put_line(f, out, m);
    f->next++;
    return true;
}

static void federation_free(void *state)
{
    struct federation *f = state;
    buf_fini(&f->scratch);
    buf_fini(&f->family);
    arena_fini(&f->arena);
    mem_free(f);
}

/* ---- Finding ---- */

static err add_item(struct federation *f, struct labels ls, const struct series_columns *c,
                    size_t at)
{
    const struct histogram *h = c->histograms != NULL ? c->histograms[at] : NULL;
    str name = labels_get(ls, LABEL_NAME);
    if (name.len == 0 || (h != NULL ? histogram_is_stale(h) || f->format != FORMAT_PROTOBUF
                                    : value_is_stale(c->values[at])))
        return OK;
    if (f->count == f->cap) {
        size_t cap = f->cap == 0 ? 256 : f->cap * 2;
        struct item *items = arena_grow(&f->arena, f->items, f->count, cap, sizeof(*items));
        if (items == NULL)
            return ERR_LIMIT;
        f->items = items;
        f->cap = cap;
    }
    struct item *m = &f->items[f->count];
    *m = (struct item){.ts_ms = c->ts_ms[at], .value = c->values[at]};
    TRY(labels_copy(ls, &f->arena, &m->labels));
    if (h != NULL)
        TRY(histogram_copy(h, &f->arena, &m->histogram));
    m->name = labels_get(m->labels, LABEL_NAME);
    f->count++;
    return OK;
}

/* The newest sample at or before `max_ms`, not before `min_ms`. */
static err add_newest(struct federation *f, struct labels ls, const struct series_columns *c,
                      int64_t min_ms, int64_t max_ms)
{
    size_t n = c->count;
    while (n > 0 && c->ts_ms[n - 1] > max_ms)
        n--;
    return n > 0 && c->ts_ms[n - 1] >= min_ms ? add_item(f, ls, c, n - 1) : OK;
}

static err collect(struct federation *f, struct db *db, const struct db_select_args *args,
                   struct diag *d)
{
    struct selection *s;
    struct series_reader *reader = NULL;
    struct arena a;
    arena_init(&a, FEDERATE_BYTES_MAX);
    err e = db_select(db, args, &a, &s, d);
    if (e == OK) {
        e = series_reader_open(s, &a, &reader);
        for (size_t i = 0; i < selection_count(s) && e == OK; i++) {
            struct labels ls;
            struct series_columns c;
            e = atomic_load_explicit(args->canceled, memory_order_relaxed) ? ERR_CANCELED : OK;
            if (e == OK)
                e = selection_labels(s, i, &ls);
            if (e == OK)
                e = series_read(reader, i, &c, d);
            if (e == OK)
                e = add_newest(f, ls, &c, args->min_ms, args->max_ms);
        }
        series_reader_close(reader);
        selection_close(s);
    }
    arena_fini(&a);
    if (e == ERR_LIMIT)
        (void)diag_set(d, e, "the answer needs too much memory (limit %d bytes)",
                       FEDERATE_BYTES_MAX);
    return e;
}

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c != 0 ? c : labels_cmp(x->labels, y->labels);
}

/* Series that several selectors found are kept once. */
static void sort_items(struct federation *f)
{
    size_t kept = 0;
    if (f->count > 0)
        qsort(f->items, f->count, sizeof(*f->items), compare_items);
    for (size_t i = 0; i < f->count; i++)
        if (kept == 0 || !labels_eq(f->items[i].labels, f->items[kept - 1].labels))
            f->items[kept++] = f->items[i];
    f->count = kept;
}

static err collect_selector(struct http_request *r, struct federation *f, str text, int64_t now_ms,
                            struct diag *d)
{
    struct api *api = api_of(r);
    struct promql_options o = {.canceled = http_canceled(r)};
    struct matcher *matchers;
    size_t count;
    if (promql_parse_selector(text, &o, &f->arena, &matchers, &count, d) != OK)
        return ERR_INVALID;
    struct db_select_args args = {
        .matchers = matchers,
        .matcher_count = count,
        .min_ms = now_ms - api->lookback_ms,
        .max_ms = now_ms,
        .canceled = http_canceled(r),
        .deadline_mono_ns = http_start_mono_ns(r) + (uint64_t)api->query_timeout_ms * 1000000,
    };
    insight_selector(&api_of(r)->insight, matchers, count);
    err e = collect(f, api->db, &args, d);
    promql_selector_fini(matchers, count);
    return e == ERR_INVALID ? ERR_CORRUPT : e;
}

/* The external labels, and an empty instance: or the scraper would add its own. */
static err attach(struct federation *f, struct external_labels *external)
{
    static const struct label INSTANCE = {{"instance", 8}, {"", 0}};
    struct labels ls;
    TRY(external_labels_get(external, &f->arena, &ls));
    return labels_merge(ls, (struct labels){&INSTANCE, 1}, &f->arena, &f->attached);
}

void federate(struct http_request *r)
{
    struct federation *f = mem_zalloc(1, sizeof(*f));
    struct diag d = {.text = ""};
    int64_t now_ms = clock_wall_ms();
    arena_init(&f->arena, FEDERATE_BYTES_MAX);
    err e = attach(f, &api_of(r)->external);
    negotiate(http_header(r, "Accept"), f);
    for (size_t i = 0; e == OK; i++) {
        str text = http_param_nth(r, STR("match[]"), i);
        if (text.ptr == NULL)
            break;
        e = i == SELECTORS_MAX
                ? diag_set(&d, ERR_INVALID, "too many match[] parameters (limit %d)", SELECTORS_MAX)
                : collect_selector(r, f, text, now_ms, &d);
    }
    if (e != OK) {
        struct buf b = {0};
        buf_printf(&b, "%s\n", d.text[0] != '\0' ? d.text : err_name(e));
        http_text(r, e == ERR_INVALID ? 400 : 500, buf_cstr(&b));
        buf_fini(&b);
        federation_free(f);
        if (e != ERR_INVALID)
            (void)atomic_fetch_add_explicit(&api_of(r)->federation_errors, 1, memory_order_relaxed);
        return;
    }
    sort_items(f);
    http_answer(r, 200, TYPES[f->format][f->escaping]);
    http_stream(r, federation_next, federation_free, f);
}
