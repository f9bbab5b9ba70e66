/* scrape_append.c -- see scrape_append.h. */
#include "ingest/scrape_append.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/scrape_labels.h"

enum {
    TAG_STALE = UINT32_MAX, /* rows that are no line of the page: refusing them means nothing */
    ARENA_BYTES_MAX = 64 << 20,
    PAGE_KEEP_MAX = 8 << 20, /* a larger buffer is not kept for the next page */
    ROWS_MAX = DB_BATCH_ROWS_MAX,
    REPORTS_ALWAYS = 5,
};

static void count(_Atomic uint64_t *c, size_t n)
{
    if (n > 0)
        (void)atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

void scrape_memory_init(struct scrape_memory *m)
{
    scrape_lines_init(&m->lines);
    scrape_families_init(&m->families);
}

void scrape_memory_fini(struct scrape_memory *m)
{
    scrape_lines_fini(&m->lines);
    scrape_families_fini(&m->families);
}

void scrape_append_open(struct scrape_append *a, struct scrape_env *env)
{
    *a = (struct scrape_append){.env = env};
    arena_init(&a->arena, ARENA_BYTES_MAX);
    arena_init(&a->labels_arena, SCRAPE_LABELS_BYTES_MAX);
}

static void close_expo(struct scrape_append *a)
{
    if (a->expo_open)
        expo_close(&a->expo);
    a->expo_open = false;
}

void scrape_append_close(struct scrape_append *a)
{
    close_expo(a);
    buf_fini(&a->page);
    buf_fini(&a->raw);
    gzip_decoder_close(a->gzip);
    arena_fini(&a->arena);
    arena_fini(&a->labels_arena);
    mem_free(a->rows);
    mem_free(a->starts);
    mem_free(a->batch.exemplars);
    mem_free(a->batch.metadata);
    db_batch_fini(&a->batch);
}

err scrape_append_unpack(struct scrape_append *a, bool gzipped, size_t bytes_max)
{
    if (!gzipped) {
        struct buf page = a->raw;
        a->raw = a->page;
        a->page = page;
        return OK;
    }
    if (a->gzip == NULL)
        a->gzip = gzip_decoder_open();
    buf_reset(&a->page);
    return gzip_decode_whole(a->gzip, buf_slice(&a->raw), bytes_max - 1, &a->page);
}

/* ---- Rows ---- */

static err too_many(struct scrape_append *a)
{
    return diag_set(&a->diag, ERR_LIMIT, "more than %d samples in one scrape", ROWS_MAX);
}

static struct db_row *add_row(struct scrape_append *a)
{
    size_t n = a->batch.row_count;
    if (n == a->row_cap) {
        if (n == ROWS_MAX)
            return NULL;
        a->row_cap = MIN(n < 64 ? 64 : n * 2, (size_t)ROWS_MAX);
        a->rows = mem_resize(a->rows, a->row_cap, sizeof(*a->rows));
        a->starts = mem_resize(a->starts, a->row_cap, sizeof(*a->starts));
    }
    a->starts[n] = 0;
    a->batch.row_count++;
    return &a->rows[n];
}

static err add_exemplar(struct scrape_append *a, uint32_t series, const struct expo_exemplar *x,
                        int64_t ts_ms)
{
    struct db_batch *b = &a->batch;
    struct exemplar e = x->exemplar;
    if (!x->has_ts)
        e.ts_ms = ts_ms;
    if (exemplar_check(&e, NULL) != OK)
        return OK; /* dropped alone, as upstream */
    if (b->exemplar_count == a->exemplar_cap) {
        if (b->exemplar_count == ROWS_MAX)
            return too_many(a);
        a->exemplar_cap = a->exemplar_cap < 16 ? 16 : a->exemplar_cap * 2;
        b->exemplars = mem_resize(b->exemplars, a->exemplar_cap, sizeof(*b->exemplars));
    }
    b->exemplars[b->exemplar_count++] = (struct db_exemplar_row){
        .exemplar = e, .series = series, .tag = (uint32_t)b->row_count - 1};
    return OK;
}

static int compare_exemplars(const void *a, const void *b)
{
    int64_t x = ((const struct db_exemplar_row *)a)->exemplar.ts_ms;
    int64_t y = ((const struct db_exemplar_row *)b)->exemplar.ts_ms;
    return (x > y) - (x < y);
}

static err add_exemplars(struct scrape_append *a, uint32_t series, const struct expo_entry *e,
                         int64_t ts_ms)
{
    size_t from = a->batch.exemplar_count;
    for (size_t i = 0; i < e->exemplar_count; i++)
        if (e->exemplars[i].has_ts || e->kind != EXPO_HISTOGRAM)
            TRY(add_exemplar(a, series, &e->exemplars[i], ts_ms));
    if (a->batch.exemplar_count > from + 1)
        qsort(a->batch.exemplars + from, a->batch.exemplar_count - from,
              sizeof(*a->batch.exemplars), compare_exemplars);
    return OK;
}

static void add_metadata(struct scrape_append *a)
{
    struct scrape_families *f = &a->in.memory->families;
    struct db_batch *b = &a->batch;
    for (uint32_t i = 0; i < f->count; i++) {
        struct scrape_family *m = &f->items[i];
        if (m->text == NULL || !m->changed)
            continue;
        if (b->metadata_count == a->metadata_cap) {
            a->metadata_cap = a->metadata_cap < 16 ? 16 : a->metadata_cap * 2;
            b->metadata = mem_resize(b->metadata, a->metadata_cap, sizeof(*b->metadata));
        }
        b->metadata[b->metadata_count++] = (struct db_metadata_row){m->name, m->metadata};
    }
}

/* The store has it. */
static void forget_changes(struct scrape_families *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        f->items[i].changed = false;
}

/* ---- Native histograms ---- */

int32_t scrape_schema_max(double min_bucket_factor)
{
    double factor = min_bucket_factor <= 1 ? 1.00271 : min_bucket_factor;
    double schema = floor(-log2(log2(factor)));
    return (int32_t)fmax(HISTOGRAM_SCHEMA_MIN, fmin(HISTOGRAM_SCHEMA_MAX, schema));
}

static uint64_t bucket_count(const struct histogram *h)
{
    return (uint64_t)h->positive.bucket_count + h->negative.bucket_count;
}

/* Merge down to what the job allows; *fits tells whether that was possible. */
static err fit_histogram(struct scrape_append *a, const struct histogram *in,
                         const struct histogram **out, bool *fits)
{
    const struct scrape_config *c = a->in.config;
    int32_t schema_max = scrape_schema_max(c->native_histogram_min_bucket_factor);
    uint64_t limit = c->native_histogram_bucket_limit > 0
                         ? (uint64_t)c->native_histogram_bucket_limit
                         : UINT64_MAX;
    bool exponential = in->schema != HISTOGRAM_SCHEMA_CUSTOM;
    *out = in;
    *fits = true;
    if ((!exponential || in->schema <= schema_max) && bucket_count(in) <= limit)
        return OK;
    struct histogram *h = ARENA_NEW(&a->arena, struct histogram);
    if (h == NULL)
        return diag_set(&a->diag, ERR_LIMIT, "the histograms of one scrape need too much memory");
    *h = *in;
    *out = h;
    if (exponential && h->schema > schema_max)
        TRY(histogram_reduce(h, schema_max, &a->arena));
    while (bucket_count(h) > limit) {
        *fits = exponential && h->schema > HISTOGRAM_SCHEMA_MIN;
        if (!*fits)
            break;
        TRY(histogram_reduce(h, h->schema - 1, &a->arena));
    }
    return OK;
}

/* ---- Entries ---- */

/* Is there room for one more sample? When not, parsing goes on so that all are counted. */
static bool within_sample_limit(struct scrape_append *a)
{
    int64_t limit = a->in.config->limits.samples;
    if (limit <= 0 || a->sampled < (uint64_t)limit)
        return true;
    a->over_sample_limit = true;
    return false;
}

/* The labels of the entry that expo_next() gave just now; none: relabelling drops it. */
static err series_labels(struct scrape_append *a, struct labels *out)
{
    const struct scrape_input *in = &a->in;
    struct label *items;
    size_t n;
    arena_reset(&a->labels_arena);
    err e = expo_labels(&a->expo, &a->labels_arena, &items, &n);
    if (e != OK)
        return diag_set(&a->diag, e,
                        e == ERR_LIMIT ? "the labels of one series need too much memory"
                                       : "proto: malformed LabelPair");
    e = scrape_sample_labels(in->config, in->target, items, n, &a->labels_arena, out, &a->diag);
    count(&a->env->counters.exceeded_label_limits, e == ERR_LIMIT);
    return e;
}

/* The line of the entry that expo_next() gave just now, made when there is none. LINE_NONE: it is a
 * new series beyond the sample limit, of which nothing is kept. */
static err find_line(struct scrape_append *a, const struct expo_entry *e, uint32_t *line,
                     bool *fresh)
{
    struct scrape_lines *t = &a->in.memory->lines;
    hash128 key = keyed_hash_of(&a->env->hash, e->key);
    uint32_t i = *line = scrape_lines_find(t, key), series = SERIES_NONE;
    bool known = i != LINE_NONE && t->items[i].kind != LINE_UNKNOWN;
    struct labels ls;
    *fresh = !known;
    if (known && (t->items[i].kind == LINE_DROPPED || t->items[i].series != SERIES_NONE))
        return OK;
    TRY(series_labels(a, &ls));
    if (ls.count > 0) {
        if (!within_sample_limit(a)) {
            *line = LINE_NONE;
            return OK;
        }
        hash128 alias = scrape_lines_alias(t, key);
        TRY(db_create(a->env->db, ls, &alias, &series, &a->diag));
    }
    if (i == LINE_NONE)
        *line = i = scrape_lines_add(t, key, LINE_SERIES);
    t->items[i].kind = ls.count == 0 ? LINE_DROPPED : LINE_SERIES;
    t->items[i].series = series;
    return OK;
}

/* A row for a sample of the line. */
static err put_sample(struct scrape_append *a, uint32_t index, const struct expo_entry *e,
                      bool explicit_ts, const struct histogram *h)
{
    uint32_t series = a->in.memory->lines.items[index].series;
    struct db_row *row = add_row(a);
    if (row == NULL)
        return too_many(a);
    a->sampled++;
    *row = (struct db_row){.ts_ms = explicit_ts ? e->ts_ms : a->in.ts_ms,
                           .value = e->value,
                           .histogram = h,
                           .series = series,
                           .tag = index};
    if (UNLIKELY(e->start_ts_ms != 0)) {
        a->starts[a->batch.row_count - 1] = e->start_ts_ms;
        a->has_starts = true;
    }
    return e->exemplar_count > 0 ? add_exemplars(a, series, e, row->ts_ms) : OK;
}

/* A sample of the line at `index`, which is not a dropped one. */
static err add_sample(struct scrape_append *a, uint32_t index, bool fresh,
                      const struct expo_entry *e)
{
    const struct scrape_config *c = a->in.config;
    struct scrape_lines *t = &a->in.memory->lines;
    struct scrape_line *l = &t->items[index];
    bool explicit_ts = e->has_ts && c->honor_timestamps;
    bool again = !fresh && l->pass == t->pass;
    const struct histogram *h = NULL;
    bool fits = true;
    l->pass = t->pass;
    a->added++;
    if (UNLIKELY(again && !explicit_ts)) {
        a->duplicates++;
        return OK;
    }
    if (UNLIKELY(e->kind == EXPO_HISTOGRAM))
        TRY(fit_histogram(a, e->histogram, &h, &fits));
    a->over_bucket_limit |= !fits;
    bool taken = fits && within_sample_limit(a);
    if (LIKELY(taken || fresh)) /* upstream, too, knows of a new series beyond the limit */
        l->tracking |= !explicit_ts || c->track_timestamps_staleness;
    if (UNLIKELY(!taken))
        return OK;
    if (UNLIKELY(fresh || l->gone))
        a->series_added += !a->over_sample_limit && !a->over_bucket_limit;
    l->gone = false;
    return put_sample(a, index, e, explicit_ts, h);
}

static void note_metadata(struct scrape_append *a, const struct expo_entry *e)
{
    struct scrape_memory *m = a->in.memory;
    uint32_t family = scrape_families_note(&m->families, e);
    hash128 key = keyed_hash_of(&a->env->hash, e->key);
    uint32_t i = scrape_lines_find(&m->lines, key);
    if (i == LINE_NONE)
        i = scrape_lines_add(&m->lines, key, LINE_METADATA);
    struct scrape_line *l = &m->lines.items[i];
    l->kind = LINE_METADATA;
    l->family = family;
    l->detail = (uint8_t)((unsigned)e->kind | (unsigned)e->type << 4);
    l->pass = m->lines.pass;
    l->gone = false;
}

static err add_entry(struct scrape_append *a, const struct expo_entry *e)
{
    uint32_t line;
    bool fresh;
    if (e->kind == EXPO_COMMENT)
        return OK;
    if (e->kind != EXPO_SERIES && e->kind != EXPO_HISTOGRAM) {
        if (e->key.len > 0)
            note_metadata(a, e);
        else
            (void)scrape_families_note(&a->in.memory->families, e);
        return OK;
    }
    a->scraped++;
    TRY(find_line(a, e, &line, &fresh));
    if (line == LINE_NONE) {
        a->added++;
        return OK;
    }
    struct scrape_line *l = &a->in.memory->lines.items[line];
    if (l->kind == LINE_DROPPED) {
        l->pass = a->in.memory->lines.pass;
        l->gone = false;
        return OK;
    }
    return add_sample(a, line, fresh, e);
}

/* The entry at the cursor is a line that is known: take it in. False: it must be parsed. */
static bool take_known(struct scrape_append *a, err *result)
{
    struct scrape_memory *m = a->in.memory;
    struct expo_entry e;
    slice key;
    if (!expo_peek(&a->expo, &key))
        return false;
    uint32_t i = scrape_lines_find(&m->lines, keyed_hash_of(&a->env->hash, key));
    if (i == LINE_NONE)
        return false;
    struct scrape_line *l = &m->lines.items[i];
    if (l->kind == LINE_METADATA) {
        enum expo_kind kind = (enum expo_kind)(l->detail & 15);
        scrape_families_again(&m->families, l->family);
        expo_take_metadata(&a->expo, key, kind, (enum metric_type)(l->detail >> 4),
                           m->families.items[l->family].name);
        l->pass = m->lines.pass;
        l->gone = false;
        return true;
    }
    if ((l->kind != LINE_SERIES || l->series == SERIES_NONE) && l->kind != LINE_DROPPED)
        return false;
    e = (struct expo_entry){.kind = EXPO_SERIES};
    if (!expo_take(&a->expo, key, &e))
        return false;
    a->scraped++;
    if (l->kind == LINE_SERIES) {
        *result = add_sample(a, i, false, &e);
        return true;
    }
    l->pass = m->lines.pass;
    l->gone = false;
    return true;
}

static err read_entries(struct scrape_append *a)
{
    struct expo_entry e;
    for (;;) {
        err r = OK;
        if (LIKELY(take_known(a, &r))) {
            TRY(r);
            continue;
        }
        TRY(expo_next(&a->expo, &e, &a->diag));
        if (e.kind == EXPO_END)
            return OK;
        TRY(add_entry(a, &e));
    }
}

/* ---- Pages ---- */

/* The media type that the job's fallback_scrape_protocol stands for. */
static str fallback_type(int protocol)
{
    switch (protocol) {
    case SCRAPE_PROTO:
        return STR("application/vnd.google.protobuf");
    case SCRAPE_OPENMETRICS_0_0_1:
    case SCRAPE_OPENMETRICS_1_0_0:
        return STR("application/openmetrics-text");
    case SCRAPE_TEXT_0_0_4:
    case SCRAPE_TEXT_1_0_0:
        return STR("text/plain");
    default:
        return STR("");
    }
}

static err open_page(struct scrape_append *a)
{
    const struct scrape_config *c = a->in.config;
    const struct scrape_histograms *h = &a->in.histograms;
    struct expo_options o = {.native_histograms = h->native,
                             .classic_histograms = h->classic,
                             .convert_classic = h->convert,
                             .start_timestamps = a->env->start_timestamps,
                             .type_and_unit_labels = a->env->type_and_unit_labels};
    bool warned;
    struct diag d = {.text = ""};
    err e = expo_format_of(a->in.content_type, fallback_type(c->fallback_protocol), &o.format,
                           &warned, &d);
    if (e != OK)
        return diag_set(&a->diag, e, "%s", d.text);
    if (a->attempts > 1) /* read before: it got a newline and padding already */
        a->page.len = (size_t)a->in.body_bytes;
    expo_open(&a->expo, &a->page, &o);
    a->expo_open = true;
    return OK;
}

static err read_page(struct scrape_append *a)
{
    TRY(open_page(a));
    err e = read_entries(a);
    count(&a->env->counters.exceeded_sample_limit, a->over_sample_limit);
    count(&a->env->counters.exceeded_bucket_limit, a->over_bucket_limit);
    TRY(e);
    if (a->over_sample_limit)
        return diag_set(&a->diag, ERR_LIMIT, "sample limit exceeded");
    if (a->over_bucket_limit)
        return diag_set(&a->diag, ERR_LIMIT, "histogram bucket limit exceeded");
    return OK;
}

/* ---- What is not on the page ---- */

/* All that the batch holds is worth nothing: only what follows counts. */
static void drop_rows(struct scrape_append *a)
{
    a->batch.row_count = a->batch.exemplar_count = a->batch.metadata_count = 0;
    a->has_starts = false;
}

static bool is_on_page(const struct scrape_append *a, const struct scrape_line *l)
{
    return l->pass == a->in.memory->lines.pass && l->tracking;
}

static err add_stale(struct scrape_append *a)
{
    const struct scrape_lines *t = &a->in.memory->lines;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct scrape_line *l = &t->items[i];
        if (!l->tracked || is_on_page(a, l) || l->series == SERIES_NONE)
            continue;
        struct db_row *row = add_row(a);
        if (row == NULL)
            return too_many(a);
        *row = (struct db_row){.ts_ms = a->in.ts_ms,
                               .value = f64_from_bits(STALE_NAN_BITS),
                               .series = l->series,
                               .tag = TAG_STALE};
    }
    return OK;
}

static int compare_series(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The page failed: none of its samples is stored. What stands on it (above the place where it
 * breaks) goes on all the same, as upstream, and ends only when the next page is without it. A
 * series that is written otherwise than on the last page is there, too; on a good page its sample
 * would keep the marker out. */
static void add_stale_of_failed(struct scrape_append *a)
{
    const struct scrape_lines *t = &a->in.memory->lines;
    uint32_t *here = mem_zalloc((size_t)t->count + 1, sizeof(*here));
    size_t count = 0, kept = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (is_on_page(a, &t->items[i]))
            here[count++] = t->items[i].series;
    qsort(here, count, sizeof(*here), compare_series);
    drop_rows(a);
    (void)add_stale(a); /* cannot be more than there were samples */
    for (size_t i = 0; i < a->batch.row_count; i++)
        if (count == 0 ||
            bsearch(&a->rows[i].series, here, count, sizeof(*here), compare_series) == NULL)
            a->rows[kept++] = a->rows[i];
    a->batch.row_count = kept;
    mem_free(here);
}

/* The series of a report; SERIES_NONE when the store takes no new ones. */
static uint32_t report_series(struct scrape_append *a, str name)
{
    struct scrape_lines *t = &a->in.memory->lines;
    char text[64]; /* no line of a page has this byte in a name */
    memcpy(text, name.ptr, name.len);
    text[name.len] = (char)0xff;
    hash128 key = keyed_hash_of(&a->env->hash, (slice){(const uint8_t *)text, name.len + 1});
    uint32_t i = scrape_lines_find_slow(t, key), series = SERIES_NONE;
    if (i != LINE_NONE && t->items[i].series != SERIES_NONE)
        return t->items[i].series;
    struct labels ls;
    hash128 alias = scrape_lines_alias(t, key);
    arena_reset(&a->labels_arena);
    if (scrape_report_labels(name, a->in.target, &a->labels_arena, &ls) != OK ||
        db_create(a->env->db, ls, &alias, &series, NULL) != OK)
        return SERIES_NONE;
    if (i == LINE_NONE)
        i = scrape_lines_add(t, key, LINE_REPORT);
    t->items[i].series = series;
    return series;
}

static void add_report(struct scrape_append *a, str name, double value)
{
    uint32_t series = report_series(a, name);
    struct db_row *row = series != SERIES_NONE ? add_row(a) : NULL;
    if (row != NULL)
        *row = (struct db_row){.ts_ms = a->in.ts_ms,
                               .value = a->in.end_of_life ? f64_from_bits(STALE_NAN_BITS) : value,
                               .series = series,
                               .tag = TAG_STALE};
}

static void add_reports(struct scrape_append *a)
{
    const struct scrape_config *c = a->in.config;
    bool up = a->diag.text[0] == '\0';
    a->duration_ns = clock_mono_ns() - a->in.start_mono_ns;
    const struct {
        str name;
        double value;
    } REPORTS[SCRAPE_REPORTS] = {
        {STR("up"), up ? 1 : 0},
        {STR("scrape_duration_seconds"), (double)a->duration_ns / 1e9},
        {STR("scrape_samples_scraped"), (double)a->scraped},
        {STR("scrape_samples_post_metric_relabeling"), (double)a->added},
        {STR("scrape_series_added"), (double)a->series_added},
        {STR("scrape_timeout_seconds"), (double)a->in.timeout_ms / 1000},
        {STR("scrape_sample_limit"), (double)c->limits.samples},
        {STR("scrape_body_size_bytes"), (double)a->in.body_bytes},
    };
    bool extra = a->env->extra_metrics || c->extra_scrape_metrics > 0;
    for (size_t i = 0; i < (extra ? SCRAPE_REPORTS : REPORTS_ALWAYS); i++)
        add_report(a, REPORTS[i].name, REPORTS[i].value);
}

/* ---- Begin and end ---- */

static void reset(struct scrape_append *a)
{
    struct db_batch *b = &a->batch;
    db_batch_fini(b);
    *b = (struct db_batch){
        .exemplars = b->exemplars, .metadata = b->metadata, .done = b->done, .user = b->user};
    close_expo(a);
    arena_reset(&a->arena);
    a->has_starts = a->over_sample_limit = a->over_bucket_limit = a->good = false;
    a->sampled = a->duplicates = 0;
    a->diag.text[0] = '\0';
}

static void make(struct scrape_append *a)
{
    struct scrape_memory *m = a->in.memory;
    size_t added_before = a->series_added;
    reset(a);
    a->attempts++;
    a->scraped = a->added = a->series_added = 0;
    a->batch.epoch = scrape_lines_refresh(&m->lines, a->env->db);
    if (a->attempts == 1 || a->in.error == NULL) /* a page that broke before is not read again */
        scrape_lines_begin(&m->lines);
    err e = OK;
    if (a->in.error != NULL)
        (void)diag_set(&a->diag, ERR_IO, "%s", a->in.error);
    else if (a->in.body_bytes > 0 && !a->in.end_of_life)
        e = read_page(a);
    a->good = e == OK && a->in.error == NULL && a->in.body_bytes > 0 && !a->in.end_of_life;
    if (e != OK && a->diag.text[0] == '\0')
        (void)diag_set(&a->diag, e, "%s", err_name(e));
    if (e == OK && a->good)
        e = add_stale(a);
    if (!a->good || e != OK) {
        a->good = false;
        add_stale_of_failed(a);
    }
    a->series_added = MAX(a->series_added, added_before); /* of a first attempt, which made them */
    if (a->good)
        add_metadata(a);
    add_reports(a);
    a->batch.rows = a->rows;
    a->batch.start_ts_ms = a->has_starts ? a->starts : NULL;
    a->batch.in_order = a->in.end_of_life ||
                        !atomic_load_explicit(&a->env->accept_out_of_order, memory_order_relaxed);
}

void scrape_append_begin(struct scrape_append *a, const struct scrape_input *in)
{
    a->in = *in;
    a->attempts = 0;
    a->series_added = 0;
    make(a);
    if (in->end_of_life)
        return;
    count(&a->env->counters.scrapes, 1);
    count(&a->env->counters.failed, a->diag.text[0] != '\0');
    count(&a->env->counters.bytes, in->body_bytes > 0 ? (size_t)in->body_bytes : 0);
}

/* Does a sample with this time, once it is stored, end with a stale marker? */
static bool is_tracked(const struct scrape_append *a, int64_t ts_ms)
{
    return ts_ms == a->in.ts_ms || a->in.config->track_timestamps_staleness;
}

/* A sample that the store did not take does not count as seen when it comes to stale markers, but
 * another of its line may: `f` are the refused, by row. */
static void track_taken(struct scrape_append *a, const struct db_refused *f, size_t count)
{
    struct scrape_line *lines = a->in.memory->lines.items;
    for (size_t i = 0; i < count; i++)
        if (f[i].why != REFUSED_EXEMPLAR_OLD && a->rows[f[i].row].tag != TAG_STALE)
            lines[a->rows[f[i].row].tag].tracking = false;
    for (size_t row = 0, i = 0; row < a->batch.row_count; row++) {
        while (i < count && (f[i].why == REFUSED_EXEMPLAR_OLD || f[i].row < row))
            i++;
        bool taken = i == count || f[i].row != row;
        if (taken && a->rows[row].tag != TAG_STALE && is_tracked(a, a->rows[row].ts_ms))
            lines[a->rows[row].tag].tracking = true;
    }
}

static void count_refused(struct scrape_append *a)
{
    struct scrape_counters *c = &a->env->counters;
    size_t by[REFUSED_COUNT] = {0};
    for (size_t i = 0; i < a->batch.refused_count; i++) {
        const struct db_refused *f = &a->batch.refused[i];
        by[f->why] += f->why == REFUSED_EXEMPLAR_OLD || a->rows[f->row].tag != TAG_STALE;
    }
    if (a->batch.refused_count > by[REFUSED_EXEMPLAR_OLD])
        track_taken(a, a->batch.refused, a->batch.refused_count);
    size_t duplicates = by[REFUSED_DUPLICATE] + a->duplicates;
    size_t bounds = by[REFUSED_TOO_OLD] + by[REFUSED_TOO_NEW];
    count(&c->duplicate, duplicates);
    count(&c->out_of_order, by[REFUSED_OUT_OF_ORDER]);
    count(&c->out_of_bounds, bounds);
    count(&c->exemplar_out_of_order, by[REFUSED_EXEMPLAR_OLD]);
    str job = a->in.config->job_name, instance = labels_get(a->in.target, STR("instance"));
    if (by[REFUSED_OUT_OF_ORDER] > 0)
        log_warn("Error on ingesting out-of-order samples", LOG_STR("scrape_pool", job),
                 LOG_STR("instance", instance), LOG_INT("num_dropped", by[REFUSED_OUT_OF_ORDER]));
    if (duplicates > 0)
        log_warn("Error on ingesting samples with different value but same timestamp",
                 LOG_STR("scrape_pool", job), LOG_STR("instance", instance),
                 LOG_INT("num_dropped", duplicates));
    if (bounds > 0)
        log_warn("Error on ingesting samples that are too old or are too far into the future",
                 LOG_STR("scrape_pool", job), LOG_STR("instance", instance),
                 LOG_INT("num_dropped", bounds));
}

bool scrape_append_end(struct scrape_append *a)
{
    enum { ATTEMPTS_MAX = 3 };
    if (a->batch.status == ERR_RETRY && a->attempts < ATTEMPTS_MAX) {
        a->in.memory->lines.epoch = 0; /* look all series up again */
        make(a);
        return false;
    }
    if (a->batch.status == OK) {
        count_refused(a);
        if (a->good)
            forget_changes(&a->in.memory->families);
    } else {
        count(&a->env->counters.commits_failed, 1);
        log_error("Scrape commit failed", LOG_STR("scrape_pool", a->in.config->job_name),
                  LOG_STR("instance", labels_get(a->in.target, STR("instance"))),
                  LOG_ERR(a->batch.status));
    }
    if (scrape_lines_end(&a->in.memory->lines, a->good))
        count(&a->env->counters.cache_flush_forced, 1);
    scrape_families_end(&a->in.memory->families, a->good);
    close_expo(a);
    if (a->page.cap + a->raw.cap > PAGE_KEEP_MAX) {
        buf_fini(&a->page);
        buf_fini(&a->raw);
    }
    return true;
}
