/* slo_query.c -- see slo_query.h. */
#include "rules/slo_query.h"

#include "base/arena.h"
#include "base/duration.h"
#include "base/number.h"
#include "base/utf8.h"
#include "model/labels.h"
#include "query/parser.h"
#include "query/printer.h"

enum { PARSE_BYTES_MAX = 16 << 20 }; /* memory of one query's tree */

static void put_window(int64_t window_ms, struct buf *out)
{
    char text[DURATION_SIZE_MAX];
    buf_put(out, text, duration_format(window_ms, text));
}

static void put_number(double v, struct buf *out)
{
    char text[NUMBER_SIZE_MAX];
    buf_put(out, text, number_format_g(v, text));
}

void slo_query_metric(int64_t window_ms, struct buf *out)
{
    buf_put_str(out, STR("slo:sli_error:ratio_rate"));
    put_window(window_ms, out);
}

static void put_label(const char *name, str value, struct buf *out)
{
    buf_put_str(out, str_from(name));
    buf_put_u8(out, '=');
    utf8_quote(out, value);
}

void slo_query_filter(const struct slo_def *def, struct buf *out)
{
    put_label("{sloth_id", def->id, out);
    put_label(", sloth_service", def->service, out);
    put_label(", sloth_slo", def->name, out);
    buf_put_u8(out, '}');
}

/* ---- Templates ---- */

static size_t skip_blanks(str s, size_t at)
{
    while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t' || s.ptr[at] == '\n'))
        at++;
    return at;
}

/* The end of `{{ .window }}` that starts at `at`; 0: it is something else. */
static size_t window_action(str s, size_t at)
{
    size_t i = skip_blanks(s, at + 2);
    str word = STR(".window");
    if (!str_starts((str){s.ptr + i, s.len - i}, word))
        return 0;
    i = skip_blanks(s, i + word.len);
    return i + 1 < s.len && s.ptr[i] == '}' && s.ptr[i + 1] == '}' ? i + 2 : 0;
}

static bool is_action(str s, size_t i)
{
    return i + 1 < s.len && s.ptr[i] == '{' && s.ptr[i + 1] == '{';
}

static void render(str s, int64_t window_ms, struct buf *out)
{
    for (size_t i = 0; i < s.len;) {
        size_t end = is_action(s, i) ? window_action(s, i) : 0;
        if (end > 0) {
            put_window(window_ms, out);
            i = end;
        } else {
            buf_put_u8(out, (uint8_t)s.ptr[i++]);
        }
    }
}

/* ---- Queries without {{.window}} ---- */

static const struct expr *strip(const struct expr *e)
{
    while (e->kind == EXPR_PAREN)
        e = e->paren;
    return e;
}

/* The selector in `x`, `(x)` or `sum(x)`; NULL: it is something else. */
static const struct expr *selector_of(const struct expr *e)
{
    e = strip(e);
    if (e->kind == EXPR_AGGREGATE && e->aggregate.op == AGG_SUM)
        e = strip(e->aggregate.expr);
    bool plain = e->kind == EXPR_VECTOR && e->vector.time.at == AT_NONE &&
                 e->vector.time.offset_ms == 0 && e->vector.time.offset_expr == NULL;
    return plain ? e : NULL;
}

static err parse(str text, struct arena *a, struct expr **out, struct diag *d)
{
    static const struct promql_options ALL = {
        .experimental_functions = true, .fill_modifiers = true, .extended_range_selectors = true};
    arena_init(a, PARSE_BYTES_MAX);
    return promql_parse(text, &ALL, a, out, d);
}

/* `f(selector[w])`, or a subquery of anything else. */
static void put_over(const char *f, str query, int64_t window_ms, struct buf *out)
{
    struct arena a;
    struct expr *e = NULL;
    const struct expr *selector =
        parse(query, &a, &e, &(struct diag){.text = ""}) == OK ? selector_of(e) : NULL;
    buf_printf(out, "%s(", f);
    if (selector != NULL) {
        expr_format(selector, out);
    } else {
        buf_put_u8(out, '(');
        buf_put_str(out, query);
        buf_put_u8(out, ')');
    }
    buf_put_u8(out, '[');
    put_window(window_ms, out);
    buf_put_str(out, selector != NULL ? STR("])") : STR(":1m])"));
    expr_fini(e);
    arena_fini(&a);
}

static void put_form(enum slo_query_form form, str query, int64_t window_ms, struct buf *out)
{
    if (form == SLO_QUERY_WINDOW) {
        render(query, window_ms, out);
        return;
    }
    buf_put_str(out, STR("sum("));
    put_over(form == SLO_QUERY_COUNTER ? "increase" : "sum_over_time", query, window_ms, out);
    buf_put_u8(out, ')');
}

/* ---- Kinds ---- */

/* A name that PromQL wants quoted, as OpenTelemetry's are: "http.server.duration". What looks like
 * an expression is none. */
static bool is_quoted_name(str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (strchr("+*=!<>(){}[],;\"'`", name.ptr[i]) != NULL || (name.ptr[i] & 0xff) <= ' ')
            return false;
    return !metric_name_is_legacy(name);
}

/* `name{`, or `{"name",`. */
static void put_metric(const struct slo_sli *s, const char *suffix, struct buf *out)
{
    struct buf name = {0};
    buf_put_str(&name, s->metric);
    buf_put_str(&name, str_from(suffix));
    if (!is_quoted_name(s->metric)) {
        buf_put_str(out, buf_str(&name));
        buf_put_u8(out, '{');
    } else {
        buf_put_u8(out, '{');
        utf8_quote(out, buf_str(&name));
        buf_put_u8(out, ',');
    }
    buf_fini(&name);
}

static void put_selector(const struct slo_sli *s, const char *suffix, bool bucket, struct buf *out)
{
    put_metric(s, suffix, out);
    buf_put_str(out, s->selector);
    if (bucket) {
        char le[NUMBER_SIZE_MAX];
        str text = {le, number_format_f(s->threshold, le)};
        bool whole = memchr(text.ptr, '.', text.len) == NULL;
        buf_put_str(out, s->selector.len > 0 ? STR(",le=~\"") : STR("le=~\""));
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == '.')
                buf_put_str(out, STR("\\\\"));
            buf_put_u8(out, (uint8_t)text.ptr[i]);
        }
        /* Prometheus 3 stores le="2.0" where a client says "2"; others keep what it says. */
        buf_put_str(out, whole ? STR("(\\\\.0)?\"") : STR("\""));
    }
    buf_put_u8(out, '}');
}

static void put_latency(const struct slo_sli *s, int64_t window_ms, struct slo_events *out)
{
    struct buf *good = &out->error, *total = &out->total;
    if (!s->native) {
        buf_put_str(good, STR("sum(rate("));
        put_selector(s, "_bucket", true, good);
        buf_put_str(total, STR("sum(rate("));
        put_selector(s, "_count", false, total);
    } else {
        buf_put_str(total, STR("histogram_count(sum(rate("));
        put_selector(s, "", false, total);
        buf_put_str(good, STR("histogram_fraction(-Inf, "));
        put_number(s->threshold, good);
        buf_put_str(good, STR(", sum(rate("));
        put_selector(s, "", false, good);
    }
    struct buf *both[] = {good, total};
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        buf_put_u8(both[i], '[');
        put_window(window_ms, both[i]);
        buf_put_str(both[i], s->native ? STR("])))") : STR("]))"));
    }
    if (s->native) { /* the fraction of so many */
        buf_put_str(good, STR(" * "));
        buf_put(good, total->ptr, total->len);
    }
    out->good = true;
}

/* The share of time on the right side, sampled each minute. */
static void put_threshold(const struct slo_sli *s, int64_t window_ms, struct buf *out)
{
    static const char *const OPS[] = {
        [SLO_OP_LTE] = "<=", [SLO_OP_LT] = "<", [SLO_OP_GTE] = ">=", [SLO_OP_GT] = ">"};
    buf_put_str(out, STR("avg(avg_over_time((("));
    buf_put_str(out, s->error.text);
    buf_printf(out, ") %s bool ", OPS[s->op]);
    put_number(s->threshold, out);
    buf_put_str(out, STR(")["));
    put_window(window_ms, out);
    buf_put_str(out, STR(":1m]))"));
}

static void put_queries(const struct slo_def *def, int64_t window_ms, struct slo_events *out)
{
    const struct slo_sli *s = &def->sli;
    out->good = s->good;
    switch (s->kind) {
    case SLO_SLI_EVENTS:
        put_form(s->form, s->error.text, window_ms, &out->error);
        put_form(s->form, s->total.text, window_ms, &out->total);
        break;
    case SLO_SLI_RAW:
        if (s->form == SLO_QUERY_WINDOW) {
            render(s->error.text, window_ms, &out->error);
            break;
        }
        buf_put_str(&out->error, STR("avg("));
        put_over("avg_over_time", s->error.text, window_ms, &out->error);
        buf_put_u8(&out->error, ')');
        break;
    case SLO_SLI_LATENCY:
        put_latency(s, window_ms, out);
        break;
    case SLO_SLI_THRESHOLD:
        put_threshold(s, window_ms, &out->error);
        out->good = true;
        break;
    case SLO_SLI_PLUGIN: /* sli_expand.h has made one of the others of it */
        break;
    }
}

static bool has_rate(const struct expr *e)
{
    if (e->kind == EXPR_CALL &&
        (str_eq(e->call.func->name, STR("rate")) || str_eq(e->call.func->name, STR("irate"))))
        return true;
    const struct expr *child;
    for (size_t i = 0; (child = expr_child(e, i)) != NULL; i++)
        if (has_rate(child))
            return true;
    return false;
}

/* rate() is per second; increase(), count_over_time() and the like are of the window. */
static double scale_of(const struct buf *total, int64_t window_ms)
{
    struct arena a;
    struct expr *e = NULL;
    double scale = 1;
    if (parse(buf_str(total), &a, &e, &(struct diag){.text = ""}) == OK && has_rate(e))
        scale = (double)window_ms / 1000;
    expr_fini(e);
    arena_fini(&a);
    return scale;
}

void slo_query_events(const struct slo_def *def, int64_t window_ms, struct slo_events *out)
{
    *out = (struct slo_events){.scale = 1};
    put_queries(def, window_ms, out);
    if (out->total.len > 0)
        out->scale = scale_of(&out->total, window_ms);
}

void slo_events_fini(struct slo_events *e)
{
    buf_fini(&e->error);
    buf_fini(&e->total);
}

/* ---- The ratio ---- */

static void put_indented(const struct buf *query, struct buf *out)
{
    buf_put_str(out, STR("    (\n      "));
    buf_put_str(out, buf_str(query));
    buf_put_str(out, STR("\n    )\n"));
}

void slo_query_ratio(const struct slo_def *def, int64_t window_ms, struct buf *out)
{
    struct slo_events e = {0};
    put_queries(def, window_ms, &e);
    if (e.total.len == 0) {
        buf_put_str(out, e.good ? STR("(1 - (") : STR("("));
        buf_put_str(out, buf_str(&e.error));
        buf_put_str(out, e.good ? STR("))") : STR(")"));
    } else if (e.good) { /* as Sloth writes OpenSLO's indicators */
        buf_put_str(out, STR("(\n  1 - (\n"));
        put_indented(&e.error, out);
        buf_put_str(out, STR("    /\n"));
        put_indented(&e.total, out);
        buf_put_str(out, STR("  )\n)"));
    } else {
        buf_put_u8(out, '(');
        buf_put_str(out, buf_str(&e.error));
        buf_put_str(out, STR(")\n/\n("));
        buf_put_str(out, buf_str(&e.total));
        buf_put_str(out, STR(")\n"));
    }
    slo_events_fini(&e);
}

bool slo_query_is_loose(str query)
{
    struct arena a;
    struct expr *e = NULL;
    bool loose = true;
    if (parse(query, &a, &e, &(struct diag){.text = ""}) == OK)
        loose = e->kind == EXPR_BINARY || e->kind == EXPR_UNARY;
    expr_fini(e);
    arena_fini(&a);
    return loose;
}

/* ---- Checks ---- */

static err fail_at(const struct slo_def *def, const struct slo_text *t, struct diag *d,
                   const char *what, const char *why)
{
    return diag_set(d, ERR_INVALID, STR_FMT ":%u:%u: %s: %s", STR_ARG(def->path),
                    t->line > 0 ? t->line : def->line, t->line > 0 ? t->column : def->column, what,
                    why);
}

static err check_actions(const struct slo_def *def, const struct slo_text *t, struct diag *d,
                         const char *what)
{
    for (size_t i = 0; i < t->text.len; i++) {
        if (!is_action(t->text, i))
            continue;
        size_t end = window_action(t->text, i);
        if (end == 0)
            return fail_at(def, t, d, what, "only {{.window}} can be filled in");
        i = end - 1;
    }
    return OK;
}

/* Counters are summed up by increase(), which takes a selector alone. */
static err check_form(const struct slo_def *def, const struct slo_text *t, const struct expr *e,
                      struct diag *d, const char *what)
{
    if (def->sli.kind != SLO_SLI_EVENTS || def->sli.form != SLO_QUERY_COUNTER ||
        selector_of(e) != NULL)
        return OK;
    return fail_at(def, t, d, what,
                   "a query of counters must be a selector, sum(selector), or hold {{.window}}");
}

static err check_text(const struct slo_def *def, const struct slo_text *t, str query,
                      struct diag *d, const char *what)
{
    struct arena a;
    struct expr *e = NULL;
    struct diag why = {.text = ""};
    err result = parse(query, &a, &e, &why);
    if (result != OK)
        result = fail_at(def, t, d, what, why.text[0] != '\0' ? why.text : "too large");
    else if (e->type != VALUE_VECTOR && e->type != VALUE_SCALAR)
        result = fail_at(def, t, d, what, "must give an instant vector");
    expr_fini(e);
    arena_fini(&a);
    return result;
}

static err check_query(const struct slo_def *def, const struct slo_text *t, struct diag *d,
                       const char *what)
{
    struct arena a;
    struct expr *e = NULL;
    struct diag why = {.text = ""};
    if (def->sli.form == SLO_QUERY_WINDOW) {
        struct buf text = {0};
        err result = check_actions(def, t, d, what);
        if (result == OK) {
            render(t->text, def->slice_ms, &text);
            result = check_text(def, t, buf_str(&text), d, what);
        }
        buf_fini(&text);
        return result;
    }
    err result = check_text(def, t, t->text, d, what);
    if (result != OK)
        return result;
    result = parse(t->text, &a, &e, &why);
    if (result == OK)
        result = check_form(def, t, e, d, what);
    expr_fini(e);
    arena_fini(&a);
    return result;
}

/* A metric and matchers were put together to a selector: is it one? */
static err check_latency(const struct slo_def *def, struct diag *d)
{
    struct arena a;
    struct buf text = {0};
    struct matcher *matchers = NULL;
    size_t count = 0;
    struct diag why = {.text = ""};
    arena_init(&a, PARSE_BYTES_MAX);
    put_selector(&def->sli, "", false, &text);
    err e = promql_parse_selector(buf_str(&text), &(struct promql_options){0}, &a, &matchers,
                                  &count, &why);
    if (e != OK)
        e = fail_at(def, &def->sli.error, d, "latency: metric and selector", why.text);
    promql_selector_fini(matchers, count);
    buf_fini(&text);
    arena_fini(&a);
    return e;
}

err slo_query_check(const struct slo_def *def, struct diag *d)
{
    static const char *const ERROR_NAMES[] = {
        [SLO_SLI_EVENTS] = "error query",
        [SLO_SLI_RAW] = "error ratio query",
        [SLO_SLI_THRESHOLD] = "query",
    };
    struct buf ratio = {0};
    const struct slo_sli *s = &def->sli;
    if (s->kind == SLO_SLI_LATENCY)
        TRY(check_latency(def, d));
    else
        TRY(check_query(def, &s->error, d,
                        s->good && s->kind == SLO_SLI_EVENTS ? "good query"
                                                             : ERROR_NAMES[s->kind]));
    if (s->kind == SLO_SLI_EVENTS)
        TRY(check_query(def, &s->total, d, "total query"));
    slo_query_ratio(def, def->slice_ms, &ratio);
    err e = check_text(def, &s->error, buf_str(&ratio), d, "ratio of errors");
    buf_fini(&ratio);
    return e;
}

/* ---- MetricsQL ---- */

/* The end of the quoted text that begins at `at`, behind the quote; 0: it has none. */
static size_t quote_end(str s, size_t at)
{
    char quote = s.ptr[at];
    for (size_t i = at + 1; i < s.len; i++) {
        if (s.ptr[i] == quote)
            return i + 1;
        if (s.ptr[i] == '\\' && quote != '`')
            i++;
    }
    return 0;
}

/* What is wrong with brackets and quotes, or NULL. */
static const char *find_open(str s)
{
    enum { DEPTH_MAX = 200 };
    char open[DEPTH_MAX];
    size_t depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *closing = strchr(")]}", s.ptr[i]);
        if (strchr("\"'`", s.ptr[i]) != NULL) {
            size_t end = quote_end(s, i);
            if (end == 0)
                return "unterminated quoted string";
            i = end - 1;
        } else if (strchr("([{", s.ptr[i]) != NULL) {
            if (depth == DEPTH_MAX)
                return "brackets are nested too deep";
            open[depth++] = s.ptr[i];
        } else if (closing != NULL && (depth == 0 || open[--depth] != "([{"[closing - ")]}"])) {
            return "a bracket is closed that is not open";
        }
    }
    return depth > 0 ? "a bracket is not closed" : NULL;
}

static err check_shape(const struct slo_def *def, const struct slo_text *t, struct diag *d,
                       const char *what)
{
    TRY(check_actions(def, t, d, what));
    if (memchr(t->text.ptr, '\0', t->text.len) != NULL)
        return fail_at(def, t, d, what, "holds a NUL byte");
    struct buf text = {0};
    render(t->text, def->slice_ms, &text);
    const char *why = find_open(buf_str(&text));
    buf_fini(&text);
    return why == NULL ? OK : fail_at(def, t, d, what, why);
}

err slo_query_check_shape(const struct slo_def *def, struct diag *d)
{
    const struct slo_sli *s = &def->sli;
    if (s->form != SLO_QUERY_WINDOW || (s->kind != SLO_SLI_EVENTS && s->kind != SLO_SLI_RAW))
        return slo_query_check(def, d);
    if (s->kind == SLO_SLI_RAW)
        return check_shape(def, &s->error, d, "error ratio query");
    TRY(check_shape(def, &s->error, d, "error query"));
    return check_shape(def, &s->total, d, "total query");
}
