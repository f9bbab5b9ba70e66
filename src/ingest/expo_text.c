/* expo_text.c -- the Prometheus text format, 0.0.4 and 1.0.0, names in quotes included: entries out
 * of the tokens of expo_text_lexer.rl. */
#include "base/number.h"
#include "base/utf8.h"
#include "ingest/expo_priv.h"

/* ---- Metadata ---- */

/* "untyped" is what this format calls METRIC_UNKNOWN; the types of OpenMetrics are none here. */
static bool is_type(str text, enum metric_type t)
{
    const char *name = t == METRIC_UNKNOWN ? "untyped" : metric_type_name(t);
    bool known = t == METRIC_UNKNOWN || t == METRIC_COUNTER || t == METRIC_GAUGE ||
                 t == METRIC_HISTOGRAM || t == METRIC_SUMMARY;
    return known && str_eq(text, str_from(name));
}

static err read_type(struct expo *p, struct expo_entry *e, struct diag *d)
{
    for (unsigned t = 0; t < METRIC_TYPE_COUNT; t++) {
        if (is_type(e->text, (enum metric_type)t)) {
            e->type = (enum metric_type)t;
            expo_note_type(p, e->name, e->type);
            return OK;
        }
    }
    return expo_quoted("invalid metric type ", e->text, "", d);
}

static err read_metadata(struct expo *p, enum expo_token what, struct expo_entry *e, struct diag *d)
{
    bool help = what == TOKEN_HELP;
    enum expo_token t = expo_text_lex(p);
    if (t != TOKEN_MNAME)
        return expo_unexpected(
            p, help ? "expected metric name after HELP" : "expected metric name after TYPE", t, d);
    str name = expo_token_text(p);
    if (name.ptr[0] == '"' && name.ptr[name.len - 1] == '"' && name.len > 1)
        name = (str){name.ptr + 1, name.len - 2};
    e->name = name;
    t = expo_text_lex(p);
    if (t != TOKEN_TEXT)
        return diag_set(d, ERR_INVALID, "expected text in %s, got %s", expo_token_name(what),
                        expo_token_name(t));
    str text = expo_token_text(p);
    e->text = text.len > 1 ? (str){text.ptr + 1, text.len - 1} : (str){text.ptr, 0};
    if (!help)
        TRY(read_type(p, e, d));
    else if (!utf8_valid(e->text))
        return expo_quoted("help text ", e->text, " is not a valid utf8 string", d);
    e->key = str_bytes(expo_text(p, p->line, p->pos));
    t = expo_text_lex(p);
    if (t != TOKEN_LINEBREAK)
        return expo_unexpected(p, "linebreak expected after metadata", t, d);
    e->kind = help ? EXPO_HELP : EXPO_TYPE;
    if (help) {
        e->text = expo_unescape(e->text, false, &p->arena);
        if (arena_exceeded(&p->arena))
            return diag_set(d, ERR_LIMIT, "page needs more than %d bytes of memory",
                            EXPO_ARENA_BYTES_MAX);
    }
    return OK;
}

/* ---- Series ---- */

/* A name in quotes without a value: that of the metric. */
static err set_name(struct expo *p, struct expo_span name, struct diag *d)
{
    if (p->name.at != SIZE_MAX)
        return expo_while_parsing(p, "metric name already set", d);
    p->name = (struct expo_span){name.at + 1, name.end - 1};
    return OK;
}

/* `t` is what followed a label's name. */
static err read_label(struct expo *p, struct expo_span name, enum expo_token t, struct diag *d)
{
    struct expo_pair *pair = expo_add_pair(&p->labels, d);
    if (pair == NULL)
        return ERR_LIMIT;
    bool quoted = p->page[name.at] == '"';
    pair->name = (struct expo_span){name.at + quoted, name.end - quoted};
    if (t != TOKEN_EQUAL)
        return expo_unexpected(p, "expected equal", t, d);
    t = expo_text_lex(p);
    if (t != TOKEN_LVALUE)
        return expo_unexpected(p, "expected label value", t, d);
    if (!utf8_valid(expo_token_text(p)))
        return expo_quoted("invalid UTF-8 label value: ", expo_token_text(p), "", d);
    pair->value = (struct expo_span){p->token + 1, p->pos - 1};
    return OK;
}

static err read_labels(struct expo *p, struct diag *d)
{
    enum expo_token t = expo_text_lex(p);
    while (t != TOKEN_BRACE_CLOSE) {
        struct expo_span name = {p->token, p->pos};
        bool quoted = t == TOKEN_QSTRING;
        if (t != TOKEN_LNAME && !quoted)
            return expo_unexpected(p, "expected label name", t, d);
        t = expo_text_lex(p);
        if (quoted && (t == TOKEN_COMMA || t == TOKEN_BRACE_CLOSE)) {
            TRY(set_name(p, name, d));
            if (t == TOKEN_COMMA)
                t = expo_text_lex(p);
            continue;
        }
        TRY(read_label(p, name, t, d));
        t = expo_text_lex(p);
        if (t == TOKEN_COMMA)
            t = expo_text_lex(p);
    }
    return OK;
}

static err read_timestamp(struct expo *p, struct expo_entry *e, struct diag *d)
{
    str s = expo_token_text(p);
    if (number_parse_i64(s, &e->ts_ms) != OK) { /* digits: it can only be too large */
        struct buf b = {0};
        buf_put_str(&b, STR("strconv.ParseInt: parsing "));
        utf8_quote(&b, (str){s.ptr, MIN(s.len, (size_t)DIAG_TEXT_SIZE)});
        buf_put_str(&b, STR(": value out of range"));
        err bad = expo_while_parsing(p, buf_cstr(&b), d);
        buf_fini(&b);
        return bad;
    }
    e->has_ts = true;
    enum expo_token t = expo_text_lex(p);
    return t == TOKEN_LINEBREAK ? OK
                                : expo_unexpected(p, "expected next entry after timestamp", t, d);
}

/* What stands behind name and labels; `t` is its first token. */
static err read_end(struct expo *p, enum expo_token t, struct expo_entry *e, struct diag *d)
{
    if (p->name.at == SIZE_MAX)
        return expo_while_parsing(p, "metric name not set", d);
    if (t != TOKEN_VALUE)
        return expo_unexpected(p, "expected value after metric", t, d);
    TRY(expo_float(p, expo_token_text(p), &e->value, d));
    t = expo_text_lex(p);
    if (t == TOKEN_TIMESTAMP)
        TRY(read_timestamp(p, e, d));
    else if (t != TOKEN_LINEBREAK)
        return expo_unexpected(p, "expected timestamp or new record", t, d);
    e->kind = EXPO_SERIES;
    return OK;
}

static err read_series(struct expo *p, enum expo_token t, struct expo_entry *e, struct diag *d)
{
    p->name = (struct expo_span){SIZE_MAX, SIZE_MAX};
    p->labels.count = 0;
    size_t key_end = p->pos;
    if (t == TOKEN_MNAME) { /* blanks at the beginning of the line belong to it, as upstream */
        p->name = (struct expo_span){p->line, p->pos};
        t = expo_text_lex(p);
    }
    if (t == TOKEN_BRACE_OPEN) {
        TRY(read_labels(p, d));
        key_end = p->pos;
        t = expo_text_lex(p);
    }
    e->key = str_bytes(expo_text(p, p->line, key_end));
    return read_end(p, t, e, d);
}

err expo_text_next(struct expo *p, struct expo_entry *e, struct diag *d)
{
    for (;;) {
        p->line = p->pos;
        enum expo_token t = expo_text_lex(p);
        switch (t) {
        case TOKEN_EOF:
            return OK;
        case TOKEN_LINEBREAK:
            continue;
        case TOKEN_HELP:
        case TOKEN_TYPE:
            return read_metadata(p, t, e, d);
        case TOKEN_COMMENT:
            t = expo_text_lex(p);
            if (t != TOKEN_LINEBREAK)
                return expo_unexpected(p, "linebreak expected after comment", t, d);
            e->kind = EXPO_COMMENT;
            return OK;
        case TOKEN_MNAME:
        case TOKEN_BRACE_OPEN:
            return read_series(p, t, e, d);
        default:
            return expo_unexpected(p, "expected a valid start token", t, d);
        }
    }
}

/* ---- Known lines ---- */

enum { TAIL_MAX = 64 }; /* bytes of value and time stamp that are looked through for a brace */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool expo_text_peek(const struct expo *p, slice *key)
{
    const char *line = p->page + p->pos;
    if (!expo_is(*line, CLASS_METRIC) && *line != '{')
        return false;
    const char *end = memchr(line, '\n', p->len - p->pos);
    if (end == NULL)
        return false;
    const char *stop = end - line > TAIL_MAX ? end - TAIL_MAX : line;
    const char *at = end;
    while (at > stop && at[-1] != '}')
        at--;
    if (at == stop) { /* no labels */
        at = line;
        while (expo_is(*at, CLASS_METRIC | CLASS_DIGIT))
            at++;
    }
    *key = (slice){(const uint8_t *)line, (size_t)(at - line)};
    return true;
}

bool expo_text_take(struct expo *p, slice key, struct expo_entry *e)
{
    const char *at = p->page + p->pos + key.len, *page_end = p->page + p->len;
    while (at < page_end && is_blank(*at))
        at++;
    const char *value = at;
    while (at<page_end && * at> ' ' && *at != '{')
        at++;
    if (!expo_float_plain((str){value, (size_t)(at - value)}, &e->value))
        return false;
    while (at < page_end && is_blank(*at))
        at++;
    const char *ts = at;
    while (at < page_end && expo_is(*at, CLASS_DIGIT))
        at++;
    e->has_ts = at > ts;
    if (e->has_ts && number_parse_i64((str){ts, (size_t)(at - ts)}, &e->ts_ms) != OK)
        return false;
    while (e->has_ts && at < page_end && is_blank(*at))
        at++;
    if (at >= page_end || *at != '\n')
        return false;
    e->kind = EXPO_SERIES;
    e->key = key;
    p->line = p->pos;
    p->pos = (size_t)(at - p->page) + 1;
    return true;
}
