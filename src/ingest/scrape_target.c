#include "ingest/scrape_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/url_text.h"
#include "base/utf8.h"
#include "ingest/relabel.h"

#define ADDRESS  STR("__address__")
#define INSTANCE STR("instance")
#define INTERVAL STR("__scrape_interval__")
#define TIMEOUT  STR("__scrape_timeout__")
#define PATH     STR("__metrics_path__")
#define SCHEME   STR("__scheme__")
#define PARAM    STR("__param_")
#define NATIVE   STR("__scrape_native_histograms__")
#define CLASSIC  STR("__always_scrape_classic_histograms__")
#define CONVERT  STR("__convert_classic_histograms_to_nhcb__")
#define META     STR("__meta_")
#define INTERNAL STR("__")

static err too_large(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "the labels of the target need too much memory");
}

/* ---- Before relabelling ---- */

static err set_missing(struct relabel_labels *l, str name, str value)
{
    return relabel_labels_get(l, name).len == 0 ? relabel_labels_set(l, name, value) : OK;
}

static str duration_text(int64_t ms, struct arena *a)
{
    char text[DURATION_SIZE_MAX];
    return arena_str(a, (str){text, duration_format(ms, text)});
}

static str bool_text(int setting)
{
    return setting > 0 ? STR("true") : STR("false");
}

static str joined(str a, str b, struct arena *arena)
{
    char *text = arena_alloc(arena, a.len + b.len);
    if (text == NULL)
        return (str){NULL, 0};
    memcpy(text, a.ptr, a.len);
    if (b.len > 0)
        memcpy(text + a.len, b.ptr, b.len);
    return (str){text, a.len + b.len};
}

static err add_defaults(const struct scrape_config *c, struct relabel_labels *l, struct arena *a)
{
    TRY(set_missing(l, STR("job"), c->job_name));
    TRY(set_missing(l, INTERVAL, duration_text(c->scrape_interval_ms, a)));
    TRY(set_missing(l, TIMEOUT, duration_text(c->scrape_timeout_ms, a)));
    TRY(set_missing(l, PATH, c->metrics_path));
    TRY(set_missing(l, SCHEME, c->scheme));
    TRY(set_missing(l, NATIVE, bool_text(c->scrape_native_histograms)));
    TRY(set_missing(l, CLASSIC, bool_text(c->always_scrape_classic_histograms)));
    TRY(set_missing(l, CONVERT, bool_text(c->convert_classic_histograms_to_nhcb)));
    for (size_t i = 0; i < c->params.count; i++) {
        const struct named_texts *p = &c->params.items[i];
        if (p->values.count > 0)
            TRY(set_missing(l, joined(PARAM, p->name, a), p->values.items[0]));
    }
    return arena_exceeded(a) ? ERR_LIMIT : OK;
}

err scrape_discovered_labels(const struct scrape_config *c, struct labels found, struct arena *a,
                             struct labels *out)
{
    struct relabel_labels l;
    relabel_labels_init(&l, a);
    err e = relabel_labels_base(&l, found);
    if (e == OK)
        e = add_defaults(c, &l, a);
    if (e == OK)
        *out = relabel_labels_done(&l);
    relabel_labels_fini(&l);
    return e;
}

/* ---- The URL ---- */

struct param {
    str name, value;
    size_t order; /* of values of one name */
};

static int compare_params(const void *a, const void *b)
{
    const struct param *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

/* Parameters of the job, the first of each name replaced by __param_<name>. */
static size_t gather_params(const struct scrape_config *c, struct labels ls, struct param *out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->params.count; i++)
        for (size_t k = 0; k < c->params.items[i].values.count; k++, n++)
            out[n] = (struct param){c->params.items[i].name, c->params.items[i].values.items[k], k};
    size_t job_params = n;
    for (size_t i = 0; i < ls.count; i++) {
        const struct label *l = &ls.items[i];
        if (!str_starts(l->name, PARAM))
            continue;
        str name = {l->name.ptr + PARAM.len, l->name.len - PARAM.len};
        size_t k = 0;
        while (k < job_params && !(str_eq(out[k].name, name) && out[k].order == 0))
            k++;
        if (k == job_params)
            k = n++;
        out[k] = (struct param){name, l->value, 0};
    }
    return n;
}

static void put_params(struct buf *b, const struct scrape_config *c, struct labels ls)
{
    size_t room = ls.count;
    for (size_t i = 0; i < c->params.count; i++)
        room += c->params.items[i].values.count;
    struct param *params = mem_zalloc(room + 1, sizeof(*params));
    size_t n = gather_params(c, ls, params);
    qsort(params, n, sizeof(*params), compare_params);
    for (size_t i = 0; i < n; i++) {
        buf_put_u8(b, i == 0 ? '?' : '&');
        url_put_form(b, params[i].name);
        buf_put_u8(b, '=');
        url_put_form(b, params[i].value);
    }
    mem_free(params);
}

void target_url(str scheme, str address, str path, struct buf *out)
{
    buf_put_str(out, scheme);
    buf_put_str(out, scheme.len > 0 ? STR("://") : STR("//"));
    url_put_but(out, address, "-_.~!$&'()*+,;=:[]<>\"", false);
    if (path.len > 0 && path.ptr[0] != '/')
        buf_put_u8(out, '/');
    url_put_but(out, path, "-_.~$&+,/:;=@", false);
}

static str make_url(const struct scrape_config *c, struct labels ls, struct arena *a)
{
    struct buf b = {0};
    target_url(labels_get(ls, SCHEME), labels_get(ls, ADDRESS), labels_get(ls, PATH), &b);
    put_params(&b, c, ls);
    str url = arena_str(a, buf_str(&b));
    buf_fini(&b);
    return url;
}

/* ---- After relabelling ---- */

static err bad_duration(const char *what, const struct diag *why, struct diag *d)
{
    return diag_set(d, ERR_INVALID, "error parsing scrape %s: %s", what, why->text);
}

static err read_times(struct scrape_target *t, struct labels ls, struct diag *d)
{
    struct diag why = {.text = ""};
    str interval = labels_get(ls, INTERVAL), timeout = labels_get(ls, TIMEOUT);
    if (duration_parse(interval, &t->interval_ms, &why) != OK)
        return bad_duration("interval", &why, d);
    if (t->interval_ms == 0)
        return diag_set(d, ERR_INVALID, "scrape interval cannot be 0");
    if (duration_parse(timeout, &t->timeout_ms, &why) != OK)
        return bad_duration("timeout", &why, d);
    if (t->timeout_ms == 0)
        return diag_set(d, ERR_INVALID, "scrape timeout cannot be 0");
    if (t->timeout_ms > t->interval_ms)
        return diag_set(d, ERR_INVALID,
                        "scrape timeout cannot be greater than scrape interval (\"" STR_FMT
                        "\" > \"" STR_FMT "\")",
                        STR_ARG(timeout), STR_ARG(interval));
    return OK;
}

static err quoted_error(const char *before, str x, const char *between, const str *y,
                        struct diag *d)
{
    struct buf b = {0};
    buf_put_str(&b, str_from(before));
    utf8_quote(&b, x);
    buf_put_str(&b, str_from(between));
    if (y != NULL)
        utf8_quote(&b, *y);
    err e = diag_set(d, ERR_INVALID, "%s", buf_cstr(&b));
    buf_fini(&b);
    return e;
}

/* Relabelling may say otherwise than the job, or take the label away: then the job's stays. */
static err read_switch(struct labels ls, str label, int setting, bool *out, struct diag *d)
{
    str text = labels_get(ls, label);
    *out = setting > 0;
    if (text.len == 0 || number_parse_bool(text, out))
        return OK;
    return quoted_error("invalid boolean for ", label, ": ", &text, d);
}

static err read_histograms(const struct scrape_config *c, struct scrape_target *t, struct labels ls,
                           struct diag *d)
{
    struct scrape_histograms *h = &t->histograms;
    TRY(read_switch(ls, NATIVE, c->scrape_native_histograms, &h->native, d));
    TRY(read_switch(ls, CLASSIC, c->always_scrape_classic_histograms, &h->classic, d));
    return read_switch(ls, CONVERT, c->convert_classic_histograms_to_nhcb, &h->convert, d);
}

static err check_address(str address, struct diag *d)
{
    if (address.len == 0)
        return diag_set(d, ERR_INVALID, "no address");
    if (memchr(address.ptr, '/', address.len) != NULL)
        return quoted_error("", address, " is not a valid hostname", NULL, d);
    return OK;
}

static err check_values(struct labels ls, struct diag *d)
{
    for (size_t i = 0; i < ls.count; i++)
        if (!utf8_valid(ls.items[i].value))
            return quoted_error("invalid label value for ", ls.items[i].name, ": ",
                                &ls.items[i].value, d);
    return OK;
}

/* Without __meta_ labels, and with an instance. */
static err finish_labels(struct relabel_labels *l, struct labels *out)
{
    struct labels ls = relabel_labels_done(l);
    struct label *kept = ARENA_ARRAY(l->arena, struct label, ls.count + 1);
    size_t n = 0;
    if (kept == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < ls.count; i++)
        if (!str_starts(ls.items[i].name, META))
            kept[n++] = ls.items[i];
    if (labels_get(ls, INSTANCE).len == 0)
        kept[n++] = (struct label){INSTANCE, labels_get(ls, ADDRESS)};
    *out = (struct labels){kept, labels_sort(kept, n)};
    return OK;
}

static err shown_labels(struct scrape_target *t)
{
    struct label *items = ARENA_ARRAY(&t->arena, struct label, t->labels.count);
    size_t n = 0;
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < t->labels.count; i++)
        if (!str_starts(t->labels.items[i].name, INTERNAL))
            items[n++] = t->labels.items[i];
    t->shown = (struct labels){items, n};
    return OK;
}

/* Everything else, once the labels are known to be right. */
static err fill(const struct scrape_config *c, struct labels discovered, struct labels ls,
                struct scrape_target *t, struct diag *d)
{
    if (labels_copy(discovered, &t->arena, &t->discovered) != OK ||
        labels_copy(ls, &t->arena, &t->labels) != OK || shown_labels(t) != OK)
        return too_large(d);
    t->url = make_url(c, t->labels, &t->arena);
    t->unix_socket = labels_get(t->labels, STR("__unix_socket__"));
    if (arena_exceeded(&t->arena))
        return too_large(d);
    hash128 h = labels_hash(t->labels, 0);
    t->hash = hash64(str_bytes(t->url), h.lo ^ h.hi);
    return OK;
}

static err make(const struct scrape_config *c, struct labels discovered, struct relabel_labels *l,
                struct scrape_target **out, struct diag *d)
{
    struct labels ls;
    struct scrape_target *t = mem_zalloc(1, sizeof(*t));
    arena_init(&t->arena, SCRAPE_TARGET_BYTES_MAX);
    err e = check_address(relabel_labels_get(l, ADDRESS), d);
    if (e == OK && finish_labels(l, &ls) != OK)
        e = too_large(d);
    if (e == OK)
        e = read_times(t, ls, d);
    if (e == OK)
        e = read_histograms(c, t, ls, d);
    if (e == OK)
        e = check_values(ls, d);
    if (e == OK)
        e = fill(c, discovered, ls, t, d);
    if (e != OK) {
        scrape_target_free(t);
        return e;
    }
    *out = t;
    return OK;
}

err scrape_target_make(const struct scrape_config *c, struct labels found, struct arena *a,
                       struct labels *discovered, struct scrape_target **out, struct diag *d)
{
    struct relabel_labels l;
    bool keep = true;
    *out = NULL;
    if (scrape_discovered_labels(c, found, a, discovered) != OK)
        return too_large(d);
    relabel_labels_init(&l, a);
    err e = relabel_labels_base(&l, *discovered);
    if (e == OK)
        e = relabel_run(&c->relabel, &l, &keep);
    if (e != OK)
        e = too_large(d);
    else if (keep)
        e = make(c, *discovered, &l, out, d);
    relabel_labels_fini(&l);
    return e;
}

void scrape_target_free(struct scrape_target *t)
{
    if (t == NULL)
        return;
    arena_fini(&t->arena);
    mem_free(t);
}

int64_t scrape_target_offset_ns(const struct scrape_target *t, uint64_t seed)
{
    uint64_t interval = (uint64_t)t->interval_ms * 1000000;
    uint64_t grid = MIN((uint64_t)SCRAPE_GRID_MS * 1000000, interval / 100);
    uint64_t offset = (t->hash ^ seed) % interval;
    return (int64_t)(offset - offset % grid);
}

/* ---- Content negotiation ---- */

void scrape_accept_header(const struct scrape_protocols *p, int escaping, struct buf *out)
{
    static const char *const TYPES[SCRAPE_PROTOCOLS] = {
        [SCRAPE_OPENMETRICS_0_0_1] = "application/openmetrics-text;version=0.0.1",
        [SCRAPE_OPENMETRICS_1_0_0] = "application/openmetrics-text;version=1.0.0",
        [SCRAPE_PROTO] = "application/vnd.google.protobuf;"
                         "proto=io.prometheus.client.MetricFamily;encoding=delimited",
        [SCRAPE_TEXT_0_0_4] = "text/plain;version=0.0.4",
        [SCRAPE_TEXT_1_0_0] = "text/plain;version=1.0.0",
    };
    static const char *const SCHEMES[] = {[ESCAPING_UNSET] = "allow-utf-8",
                                          [ESCAPING_ALLOW_UTF8] = "allow-utf-8",
                                          [ESCAPING_UNDERSCORES] = "underscores",
                                          [ESCAPING_DOTS] = "dots",
                                          [ESCAPING_VALUES] = "values"};
    int weight = SCRAPE_PROTOCOLS + 1;
    for (size_t i = 0; i < p->count; i++) {
        int k = p->items[i];
        buf_put_str(out, str_from(TYPES[k]));
        if (k == SCRAPE_TEXT_1_0_0 || k == SCRAPE_OPENMETRICS_1_0_0)
            buf_printf(out, ";escaping=%s", SCHEMES[escaping]);
        buf_printf(out, ";q=0.%d,", weight--);
    }
    buf_printf(out, "*/*;q=0.%d", weight);
}
