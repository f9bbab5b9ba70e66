/* expo_om.c -- OpenMetrics 1.0 and 0.0.1: single blanks, units, exemplars, "# EOF" at the end, and
 * start time stamps in _created lines: entries out of the tokens of expo_om_lexer.rl. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "ingest/expo_priv.h"

static err no_end(struct diag *d)
{
    return diag_set(d, ERR_INVALID, "data does not end with # EOF");
}

/* ---- Metadata ---- */

static err read_type(struct expo *p, struct expo_entry *e, struct diag *d)
{
    for (unsigned t = 0; t < METRIC_TYPE_COUNT; t++) {
        if (str_eq(e->text, str_from(metric_type_name((enum metric_type)t)))) {
            e->type = (enum metric_type)t;
            expo_note_type(p, e->name, e->type);
            return OK;
        }
    }
    return expo_quoted("invalid metric type ", e->text, "", d);
}

static err read_unit(struct expo *p, const struct expo_entry *e, struct diag *d)
{
    str unit = e->text, name = e->name;
    p->meta_name = name;
    p->meta_unit = unit;
    if (unit.len == 0 ||
        (name.len > unit.len && str_ends(name, unit) && name.ptr[name.len - unit.len - 1] == '_'))
        return OK;
    struct buf b = {0};
    buf_put_str(&b, STR(" not a suffix of metric "));
    utf8_quote(&b, name);
    err bad = expo_quoted("unit ", unit, buf_cstr(&b), d);
    buf_fini(&b);
    return bad;
}

static err read_help(struct expo *p, struct expo_entry *e, struct diag *d)
{
    if (!utf8_valid(e->text))
        return expo_quoted("help text ", e->text, " is not a valid utf8 string", d);
    e->text = expo_unescape(e->text, true, &p->arena);
    return arena_exceeded(&p->arena)
               ? diag_set(d, ERR_LIMIT, "page needs more than %d bytes of memory",
                          EXPO_ARENA_BYTES_MAX)
               : OK;
}

static err read_metadata(struct expo *p, enum expo_token what, struct expo_entry *e, struct diag *d)
{
    enum expo_token t = expo_om_lex(p);
    if (t != TOKEN_MNAME) {
        char text[64];
        (void)snprintf(text, sizeof(text), "expected metric name after %s", expo_token_name(what));
        return expo_unexpected(p, text, t, d);
    }
    str name = expo_token_text(p);
    if (name.len > 1 && name.ptr[0] == '"')
        name = (str){name.ptr + 1, name.len - 2};
    e->name = name;
    if (expo_om_lex(p) != TOKEN_TEXT)
        return diag_set(d, ERR_INVALID, "expected text in %s", expo_token_name(what));
    str text = expo_token_text(p); /* a blank, the text, a newline */
    e->text = (str){text.ptr + 1, text.len - 2};
    e->key = str_bytes(expo_text(p, p->line, p->pos - 1));
    e->kind = what == TOKEN_HELP ? EXPO_HELP : what == TOKEN_TYPE ? EXPO_TYPE : EXPO_UNIT;
    if (what == TOKEN_TYPE)
        return read_type(p, e, d);
    return what == TOKEN_HELP ? read_help(p, e, d) : read_unit(p, e, d);
}

/* ---- Series ---- */

static err set_name(struct expo *p, struct expo_span name, struct diag *d)
{
    if (p->name.at != SIZE_MAX)
        return expo_while_parsing(p, "metric name already set", d);
    p->name = (struct expo_span){name.at + 1, name.end - 1};
    return OK;
}

static err read_label(struct expo *p, struct expo_pairs *pairs, struct expo_span name,
                      enum expo_token t, struct diag *d)
{
    struct expo_pair *pair = expo_add_pair(pairs, d);
    if (pair == NULL)
        return ERR_LIMIT;
    bool quoted = p->page[name.at] == '"';
    pair->name = (struct expo_span){name.at + quoted, name.end - quoted};
    if (t != TOKEN_EQUAL)
        return expo_unexpected(p, "expected equal", t, d);
    t = expo_om_lex(p);
    if (t != TOKEN_LVALUE)
        return expo_unexpected(p, "expected label value", t, d);
    if (!utf8_valid(expo_token_text(p)))
        return expo_quoted("invalid UTF-8 label value: ", expo_token_text(p), "", d);
    pair->value = (struct expo_span){p->token + 1, p->pos - 1};
    return OK;
}

static err read_labels(struct expo *p, struct expo_pairs *pairs, bool exemplar, struct diag *d)
{
    enum expo_token t = expo_om_lex(p);
    while (t != TOKEN_BRACE_CLOSE) {
        struct expo_span name = {p->token, p->pos};
        bool quoted = t == TOKEN_QSTRING;
        if (t != TOKEN_LNAME && !quoted)
            return expo_unexpected(p, "expected label name", t, d);
        t = expo_om_lex(p);
        if ((quoted || exemplar) && (t == TOKEN_COMMA || t == TOKEN_BRACE_CLOSE)) {
            if (exemplar)
                return expo_unexpected(p, "expected label name", t, d);
            TRY(set_name(p, name, d));
            if (t == TOKEN_COMMA)
                t = expo_om_lex(p);
            continue;
        }
        TRY(read_label(p, pairs, name, t, d));
        t = expo_om_lex(p);
        if (t == TOKEN_COMMA)
            t = expo_om_lex(p);
        else if (t != TOKEN_BRACE_CLOSE)
            return expo_unexpected(p, "expected comma or brace close", t, d);
    }
    return OK;
}

static err read_number(struct expo *p, enum expo_token t, const char *after, double *out,
                       struct diag *d)
{
    if (t != TOKEN_VALUE)
        return expo_unexpected(p, after, t, d);
    str s = expo_token_text(p);
    return expo_float(p, (str){s.ptr + 1, s.len - 1}, out, d);
}

/* Seconds to milliseconds, cut as Go does. */
static int64_t to_ms(double seconds)
{
    double ms = seconds * 1000;
    return fabs(ms) < 9.2e18 ? (int64_t)ms : INT64_MIN;
}

static err read_seconds(struct expo *p, const char *what, int64_t *out_ms, struct diag *d)
{
    double seconds;
    str s = expo_token_text(p);
    TRY(expo_float(p, (str){s.ptr + 1, s.len - 1}, &seconds, d));
    if (!isfinite(seconds))
        return diag_set(d, ERR_INVALID, "invalid %s %s", what,
                        isnan(seconds) ? "NaN"
                        : seconds > 0  ? "+Inf"
                                       : "-Inf");
    *out_ms = to_ms(seconds);
    return OK;
}

static err exemplar_labels(struct expo *p, struct diag *d)
{
    size_t n = 0;
    struct label *items = ARENA_ARRAY(&p->arena, struct label, p->exemplar_labels.count);
    if (items == NULL ||
        !expo_put_labels(p, &p->exemplar_labels, METRIC_UNKNOWN, &p->arena, items, &n))
        return diag_set(d, ERR_LIMIT, "page needs more than %d bytes of memory",
                        EXPO_ARENA_BYTES_MAX);
    p->exemplar.exemplar.labels = (struct labels){items, labels_sort(items, n)};
    return OK;
}

static err read_exemplar(struct expo *p, struct expo_entry *e, struct diag *d)
{
    p->exemplar = (struct expo_exemplar){.has_ts = false};
    p->exemplar_labels.count = 0;
    TRY(read_labels(p, &p->exemplar_labels, true, d));
    TRY(exemplar_labels(p, d));
    TRY(read_number(p, expo_om_lex(p), "expected value after exemplar labels",
                    &p->exemplar.exemplar.value, d));
    enum expo_token t = expo_om_lex(p);
    if (t == TOKEN_EOF)
        return no_end(d);
    if (t == TOKEN_TIMESTAMP) {
        TRY(read_seconds(p, "exemplar timestamp", &p->exemplar.exemplar.ts_ms, d));
        p->exemplar.has_ts = true;
        t = expo_om_lex(p);
        if (t != TOKEN_LINEBREAK)
            return expo_unexpected(p, "expected next entry after exemplar timestamp", t, d);
    } else if (t != TOKEN_LINEBREAK) {
        return expo_unexpected(p, "expected timestamp or comment", t, d);
    }
    e->exemplars = &p->exemplar;
    e->exemplar_count = 1;
    return OK;
}

static err read_end(struct expo *p, enum expo_token t, struct expo_entry *e, struct diag *d)
{
    if (p->name.at == SIZE_MAX)
        return expo_while_parsing(p, "metric name not set", d);
    TRY(read_number(p, t, "expected value after metric", &e->value, d));
    e->kind = EXPO_SERIES;
    t = expo_om_lex(p);
    const char *expected = "expected timestamp or new record";
    if (t == TOKEN_TIMESTAMP) {
        TRY(read_seconds(p, "timestamp", &e->ts_ms, d));
        e->has_ts = true;
        expected = "expected next entry after timestamp";
        t = expo_om_lex(p);
    } else if (t == TOKEN_EOF) {
        return no_end(d);
    }
    if (t == TOKEN_COMMENT)
        return read_exemplar(p, e, d);
    return t == TOKEN_LINEBREAK ? OK : expo_unexpected(p, expected, t, d);
}

static err read_series(struct expo *p, enum expo_token t, struct expo_entry *e, struct diag *d)
{
    p->name = (struct expo_span){SIZE_MAX, SIZE_MAX};
    p->labels.count = 0;
    size_t key_end = p->pos;
    if (t == TOKEN_MNAME) {
        p->name = (struct expo_span){p->line, p->pos};
        t = expo_om_lex(p);
    }
    if (t == TOKEN_BRACE_OPEN) {
        TRY(read_labels(p, &p->labels, false, d));
        key_end = p->pos;
        t = expo_om_lex(p);
    }
    e->key = str_bytes(expo_text(p, p->line, key_end));
    return read_end(p, t, e, d);
}

static err read_entry(struct expo *p, struct expo_entry *e, struct diag *d)
{
    p->line = p->pos;
    enum expo_token t = expo_om_lex(p);
    switch (t) {
    case TOKEN_EOFWORD:
        return expo_om_lex(p) == TOKEN_EOF
                   ? OK
                   : diag_set(d, ERR_INVALID, "unexpected data after # EOF");
    case TOKEN_EOF:
        return no_end(d);
    case TOKEN_HELP:
    case TOKEN_TYPE:
    case TOKEN_UNIT:
        return read_metadata(p, t, e, d);
    case TOKEN_MNAME:
    case TOKEN_BRACE_OPEN:
        return read_series(p, t, e, d);
    default:
        return expo_unexpected(p, "expected a valid start token", t, d);
    }
}

/* ---- Start time stamps ---- */

struct created {   /* a _created line of the present family */
    uint64_t hash; /* of the labels without le and quantile */
    int64_t ms;
};

struct expo_created {
    struct created *items; /* sorted by hash */
    size_t count, cap;
    uint64_t seed;
};

static bool may_have_created(enum metric_type t)
{
    return t == METRIC_COUNTER || t == METRIC_SUMMARY || t == METRIC_HISTOGRAM;
}

static bool is_created(const struct expo *p)
{
    return may_have_created(p->type) &&
           str_ends(expo_text(p, p->name.at, p->name.end), STR("_created"));
}

static uint64_t hash_labels(const struct expo *p, uint64_t seed)
{
    uint64_t h = seed;
    for (size_t i = 0; i < p->labels.count; i++) {
        const struct expo_pair *at = &p->labels.items[i];
        str name = expo_text(p, at->name.at, at->name.end);
        if ((p->type == METRIC_HISTOGRAM && str_eq(name, LABEL_BUCKET)) ||
            (p->type == METRIC_SUMMARY && str_eq(name, STR("quantile"))))
            continue;
        h = hash64(str_bytes(name), h);
        h = hash64(str_bytes(expo_text(p, at->value.at, at->value.end)), h);
    }
    return h;
}

static int compare_created(const void *a, const void *b)
{
    uint64_t x = ((const struct created *)a)->hash, y = ((const struct created *)b)->hash;
    return (x > y) - (x < y);
}

/* Look through the family that begins at the cursor for its _created lines. */
static void find_created(struct expo *p)
{
    struct expo ahead = *p;
    struct expo_entry e;
    struct diag d = {.text = ""};
    struct expo_created *c = p->created;
    ahead.labels = ahead.exemplar_labels = (struct expo_pairs){NULL, 0, 0};
    arena_init(&ahead.arena, EXPO_ARENA_BYTES_MAX);
    c->count = 0;
    for (;;) {
        e = (struct expo_entry){.kind = EXPO_END};
        if (read_entry(&ahead, &e, &d) != OK || e.kind == EXPO_END || e.kind == EXPO_TYPE)
            break;
        if (e.kind != EXPO_SERIES || !is_created(&ahead))
            continue;
        if (c->count == c->cap) {
            c->cap = c->cap == 0 ? 16 : c->cap * 2;
            c->items = mem_resize(c->items, c->cap, sizeof(*c->items));
        }
        c->items[c->count++] = (struct created){hash_labels(&ahead, c->seed), to_ms(e.value)};
        arena_reset(&ahead.arena);
    }
    if (c->count > 1)
        qsort(c->items, c->count, sizeof(*c->items), compare_created);
    arena_fini(&ahead.arena);
    mem_free(ahead.labels.items);
    mem_free(ahead.exemplar_labels.items);
}

static int64_t start_of(const struct expo *p)
{
    const struct expo_created *c = p->created;
    if (c->count == 0 || !may_have_created(p->type))
        return 0;
    struct created key = {hash_labels(p, c->seed), 0};
    const struct created *at =
        bsearch(&key, c->items, c->count, sizeof(*c->items), compare_created);
    return at != NULL ? at->ms : 0;
}

static err next_with_starts(struct expo *p, struct expo_entry *e, struct diag *d)
{
    if (p->created == NULL) {
        p->created = mem_zalloc(1, sizeof(*p->created));
        p->created->seed = hash_random_seed();
    }
    for (;;) {
        TRY(read_entry(p, e, d));
        if (e->kind == EXPO_TYPE && may_have_created(e->type))
            find_created(p);
        if (e->kind != EXPO_SERIES || !is_created(p))
            break;
        *e = (struct expo_entry){.kind = EXPO_END};
    }
    if (e->kind == EXPO_SERIES)
        e->start_ts_ms = start_of(p);
    return OK;
}

err expo_om_next(struct expo *p, struct expo_entry *e, struct diag *d)
{
    return p->options.start_timestamps ? next_with_starts(p, e, d) : read_entry(p, e, d);
}

void expo_om_close(struct expo *p)
{
    if (p->created != NULL)
        mem_free(p->created->items);
    mem_free(p->created);
}

/* ---- Known lines ---- */

/* The position behind the braces that open at `at`, SIZE_MAX when they do not close. */
static size_t behind_braces(const struct expo *p, size_t at)
{
    bool quoted = false;
    for (at++; at < p->len; at++) {
        char c = p->page[at];
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\')
            at++;
        else if (c == '}' && !quoted)
            return at + 1;
    }
    return SIZE_MAX;
}

bool expo_om_peek(const struct expo *p, slice *key)
{
    char c = p->page[p->pos];
    if ((!expo_is(c, CLASS_METRIC) && c != '{') || p->options.start_timestamps)
        return false;
    size_t at = expo_run(p, p->pos, CLASS_METRIC | CLASS_DIGIT);
    if (at < p->len && p->page[at] == '{')
        at = behind_braces(p, at);
    if (at == SIZE_MAX)
        return false;
    *key = str_bytes(expo_text(p, p->pos, at));
    return true;
}

/* A blank and a number at *at; steps behind it. */
static bool take_number(const struct expo *p, size_t *at, double *out)
{
    size_t from = *at + 1, end = from;
    if (*at >= p->len || p->page[*at] != ' ')
        return false;
    while (end < p->len && p->page[end] > ' ')
        end++;
    *at = end;
    return expo_float_plain(expo_text(p, from, end), out);
}

bool expo_om_take(struct expo *p, slice key, struct expo_entry *e)
{
    size_t at = p->pos + key.len;
    double seconds;
    if (!take_number(p, &at, &e->value) || at >= p->len)
        return false;
    e->has_ts = p->page[at] == ' ';
    if (e->has_ts) {
        if (!take_number(p, &at, &seconds) || isnan(seconds))
            return false;
        e->ts_ms = to_ms(seconds);
    }
    if (at >= p->len || p->page[at] != '\n')
        return false;
    e->kind = EXPO_SERIES;
    e->key = key;
    p->line = p->pos;
    p->pos = at + 1;
    return true;
}
