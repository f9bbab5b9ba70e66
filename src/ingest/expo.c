/* expo.c -- see expo.h: what all formats share. */
#include "ingest/expo.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "ingest/expo_priv.h"

#define L (CLASS_LABEL | CLASS_METRIC)
#define D (CLASS_DIGIT)

const uint8_t EXPO_CLASS[256] = {
    ['0'] = D, ['1'] = D, ['2'] = D, ['3'] = D,
    ['4'] = D, ['5'] = D, ['6'] = D, ['7'] = D,
    ['8'] = D, ['9'] = D, ['a'] = L, ['b'] = L,
    ['c'] = L, ['d'] = L, ['e'] = L, ['f'] = L,
    ['g'] = L, ['h'] = L, ['i'] = L, ['j'] = L,
    ['k'] = L, ['l'] = L, ['m'] = L, ['n'] = L,
    ['o'] = L, ['p'] = L, ['q'] = L, ['r'] = L,
    ['s'] = L, ['t'] = L, ['u'] = L, ['v'] = L,
    ['w'] = L, ['x'] = L, ['y'] = L, ['z'] = L,
    ['A'] = L, ['B'] = L, ['C'] = L, ['D'] = L,
    ['E'] = L, ['F'] = L, ['G'] = L, ['H'] = L,
    ['I'] = L, ['J'] = L, ['K'] = L, ['L'] = L,
    ['M'] = L, ['N'] = L, ['O'] = L, ['P'] = L,
    ['Q'] = L, ['R'] = L, ['S'] = L, ['T'] = L,
    ['U'] = L, ['V'] = L, ['W'] = L, ['X'] = L,
    ['Y'] = L, ['Z'] = L, ['_'] = L, [':'] = CLASS_METRIC,
};

#undef L
#undef D

const char *expo_token_name(enum expo_token t)
{
    static const char *const NAMES[] = {
        [TOKEN_INVALID] = "INVALID",     [TOKEN_EOF] = "EOF",
        [TOKEN_LINEBREAK] = "LINEBREAK", [TOKEN_HELP] = "HELP",
        [TOKEN_TYPE] = "TYPE",           [TOKEN_UNIT] = "UNIT",
        [TOKEN_EOFWORD] = "EOFWORD",     [TOKEN_TEXT] = "TEXT",
        [TOKEN_COMMENT] = "COMMENT",     [TOKEN_MNAME] = "MNAME",
        [TOKEN_QSTRING] = "QSTRING",     [TOKEN_BRACE_OPEN] = "BOPEN",
        [TOKEN_BRACE_CLOSE] = "BCLOSE",  [TOKEN_LNAME] = "LNAME",
        [TOKEN_LVALUE] = "LVALUE",       [TOKEN_COMMA] = "COMMA",
        [TOKEN_EQUAL] = "EQUAL",         [TOKEN_TIMESTAMP] = "TIMESTAMP",
        [TOKEN_VALUE] = "VALUE",
    };
    return NAMES[t];
}

/* ---- Errors ---- */

enum { QUOTED_BYTES_MAX = DIAG_TEXT_SIZE }; /* of the input; a message holds no more */

/* The beginning of a text, and of a long one little more than a message has room for. */
static str beginning(str s)
{
    return (str){s.ptr, MIN(s.len, (size_t)QUOTED_BYTES_MAX)};
}

static err give(struct buf *text, struct diag *d)
{
    err e = diag_set(d, ERR_INVALID, "%s", buf_cstr(text));
    buf_fini(text);
    return e;
}

err expo_unexpected(const struct expo *p, const char *expected, enum expo_token got, struct diag *d)
{
    size_t end = MIN(p->pos + 1, p->len);
    struct buf b = {0};
    buf_printf(&b, "%s, got ", expected);
    utf8_quote(&b, beginning(expo_text(p, p->token, MAX(end, p->token))));
    buf_printf(&b, " (\"%s\") while parsing: ", expo_token_name(got));
    utf8_quote(&b, beginning(expo_text(p, p->line, end)));
    return give(&b, d);
}

err expo_while_parsing(const struct expo *p, const char *text, struct diag *d)
{
    struct buf b = {0};
    buf_printf(&b, "%s while parsing: ", text);
    utf8_quote(&b, beginning(expo_text(p, p->line, p->pos)));
    return give(&b, d);
}

err expo_quoted(const char *before, str quoted, const char *after, struct diag *d)
{
    struct buf b = {0};
    buf_put_str(&b, str_from(before));
    utf8_quote(&b, beginning(quoted));
    buf_put_str(&b, str_from(after));
    return give(&b, d);
}

/* ---- Numbers ---- */

static bool has_exponent_of_two(str s)
{
    return memchr(s.ptr, 'p', s.len) != NULL || memchr(s.ptr, 'P', s.len) != NULL;
}

/* 0x..., perhaps with a sign: only such numbers can have an exponent of two. */
static bool is_hexadecimal(str s)
{
    return s.len > 2 && ((s.ptr[1] | 0x20) == 'x' || (s.ptr[2] | 0x20) == 'x');
}

bool expo_float_plain(str s, double *out)
{
    if (s.len == 0 || is_hexadecimal(s) || number_parse_f64(s, false, out) != OK)
        return false;
    return !isinf(*out); /* may be out of range, which is an error */
}

/* Is it infinity because it says so, not because it is too large? */
static bool names_infinity(str s)
{
    return s.len > 0 && (s.ptr[s.len - 1] | 0x20) >= 'a';
}

err expo_float(const struct expo *p, str s, double *out, struct diag *d)
{
    const char *why = NULL;
    double v = 0;
    if (has_exponent_of_two(s) || memchr(s.ptr, '_', s.len) != NULL)
        return expo_while_parsing(p, "unsupported character in float", d);
    if (number_parse_f64(s, false, &v) != OK)
        why = "invalid syntax";
    else if (isinf(v) && !names_infinity(s))
        why = "value out of range";
    if (why != NULL) {
        struct buf b = {0};
        buf_put_str(&b, STR("strconv.ParseFloat: parsing "));
        utf8_quote(&b, beginning(s));
        buf_printf(&b, ": %s", why);
        err e = expo_while_parsing(p, buf_cstr(&b), d);
        buf_fini(&b);
        return e;
    }
    *out = v;
    return OK;
}

/* ---- Labels ---- */

struct expo_pair *expo_add_pair(struct expo_pairs *pairs, struct diag *d)
{
    if (pairs->count == EXPO_LABELS_MAX) {
        (void)diag_set(d, ERR_LIMIT, "more than %d labels in one line", EXPO_LABELS_MAX);
        return NULL;
    }
    if (pairs->count == pairs->cap) {
        pairs->cap = pairs->cap == 0 ? 16 : pairs->cap * 2;
        pairs->items = mem_resize(pairs->items, pairs->cap, sizeof(*pairs->items));
    }
    return &pairs->items[pairs->count++];
}

str expo_unescape(str s, bool quotes, struct arena *a)
{
    if (s.len == 0 || memchr(s.ptr, '\\', s.len) == NULL)
        return s;
    char *out = arena_alloc(a, s.len);
    size_t n = 0;
    if (out == NULL)
        return (str){NULL, 0};
    for (size_t i = 0; i < s.len; i++) {
        char next = s.ptr[i] == '\\' && i + 1 < s.len ? s.ptr[i + 1] : '\0';
        bool escape = next == '\\' || next == 'n' || (quotes && next == '"');
        i += escape;
        out[n++] = !escape ? s.ptr[i] : next == 'n' ? '\n' : next;
    }
    return (str){out, n};
}

/* As OpenMetrics has it: never an integer. */
static size_t format_float(double v, char *out)
{
    size_t n = number_format_g(v, out);
    if (isfinite(v) && memchr(out, '.', n) == NULL && memchr(out, 'e', n) == NULL) {
        out[n++] = '.';
        out[n++] = '0';
    }
    return n;
}

str expo_label_value(enum metric_type type, str name, str value, struct arena *a)
{
    bool bound = type == METRIC_HISTOGRAM && str_eq(name, LABEL_BUCKET);
    bool quantile = type == METRIC_SUMMARY && str_eq(name, STR("quantile"));
    double v;
    if (LIKELY(!bound && !quantile) || number_parse_f64(value, true, &v) != OK ||
        (isinf(v) && !names_infinity(value)))
        return value;
    char text[NUMBER_SIZE_MAX];
    str s = {text, format_float(v, text)};
    return str_eq(s, value) ? value : arena_str(a, s);
}

bool expo_put_labels(const struct expo *p, const struct expo_pairs *pairs, enum metric_type type,
                     struct arena *a, struct label *items, size_t *count)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const struct expo_pair *at = &pairs->items[i];
        str name = expo_unescape(expo_text(p, at->name.at, at->name.end), true, a);
        str value = expo_unescape(expo_text(p, at->value.at, at->value.end), true, a);
        value = expo_label_value(type, name, value, a);
        items[(*count)++] = (struct label){name, value};
    }
    return !arena_exceeded(a);
}

static bool cut_suffix(str *s, str suffix)
{
    if (!str_ends(*s, suffix))
        return false;
    s->len -= suffix.len;
    return true;
}

bool expo_is_of_family(str series, str family, enum metric_type type)
{
    if (!str_starts(series, family))
        return false;
    if (type == METRIC_COUNTER) {
        (void)cut_suffix(&family, STR("_total"));
        (void)cut_suffix(&series, STR("_total"));
    } else if (type == METRIC_HISTOGRAM) {
        (void)(cut_suffix(&series, STR("_bucket")) || cut_suffix(&series, STR("_sum")) ||
               cut_suffix(&series, STR("_count")));
    } else if (type == METRIC_GAUGEHISTOGRAM) {
        (void)(cut_suffix(&series, STR("_bucket")) || cut_suffix(&series, STR("_gsum")) ||
               cut_suffix(&series, STR("_gcount")));
    } else if (type == METRIC_SUMMARY) {
        (void)(cut_suffix(&series, STR("_sum")) || cut_suffix(&series, STR("_count")));
    } else if (type == METRIC_INFO) {
        (void)cut_suffix(&family, STR("_info"));
        (void)cut_suffix(&series, STR("_info"));
    }
    return str_eq(series, family);
}

/* __name__, and with type-and-unit labels what the metadata says, which the page cannot override.
 */
static size_t put_name(const struct expo *p, str name, struct label *items)
{
    size_t n = 0;
    bool ours = p->meta_name.len == 0 || expo_is_of_family(name, p->meta_name, p->meta_type);
    items[n++] = (struct label){LABEL_NAME, name};
    if (!p->options.type_and_unit_labels || !ours || p->meta_name.len == 0)
        return n;
    if (p->meta_type != METRIC_UNKNOWN)
        items[n++] = (struct label){LABEL_TYPE, str_from(metric_type_name(p->meta_type))};
    if (p->meta_unit.len > 0)
        items[n++] = (struct label){LABEL_UNIT, p->meta_unit};
    return n;
}

/* Drop from items[from..count) what put_name() has said already. */
static size_t drop_said(struct label *items, size_t from, size_t count)
{
    size_t kept = from;
    for (size_t i = from; i < count; i++) {
        bool said = false;
        for (size_t k = 0; k < from; k++)
            said |= str_eq(items[i].name, items[k].name);
        if (!said)
            items[kept++] = items[i];
    }
    return kept;
}

err expo_labels(struct expo *p, struct arena *a, struct label **out, size_t *count)
{
    bool proto = p->options.format == EXPO_PROTOBUF;
    if (p->gather != NULL && expo_gather_labels(p, a, out, count))
        return *out != NULL ? OK : ERR_LIMIT;
    size_t room = proto ? expo_proto_label_count(p) : p->labels.count;
    struct label *items = ARENA_ARRAY(a, struct label, room + 3);
    if (items == NULL)
        return ERR_LIMIT;
    str name = proto ? expo_proto_name(p, a)
                     : expo_unescape(expo_text(p, p->name.at, p->name.end), true, a);
    size_t n = put_name(p, name, items), said = n;
    struct diag d = {.text = ""};
    if (proto)
        TRY(expo_proto_labels(p, a, items, &n, &d));
    else if (!expo_put_labels(p, &p->labels, p->type, a, items, &n))
        return ERR_LIMIT;
    if (p->options.type_and_unit_labels)
        n = drop_said(items, said, n);
    *out = items;
    *count = n;
    return OK;
}

void expo_note_type(struct expo *p, str name, enum metric_type type)
{
    p->type = p->meta_type = type;
    /* Names are seldom in the cache: they are only looked at where it matters. */
    if (p->meta_unit.len > 0 && !str_eq(p->meta_name, name))
        p->meta_unit = (str){NULL, 0};
    p->meta_name = name;
}

/* ---- Parsers ---- */

void expo_open(struct expo *p, struct buf *page, const struct expo_options *o)
{
    *p = (struct expo){.options = *o};
    if (o->format == EXPO_TEXT)
        buf_put_u8(page, '\n');
    memset(buf_reserve(page, EXPO_PADDING), 0, EXPO_PADDING);
    p->page = (const char *)page->ptr;
    p->len = page->len;
    arena_init(&p->arena, EXPO_ARENA_BYTES_MAX);
    if (o->format == EXPO_PROTOBUF)
        expo_proto_open(p);
    else if (o->convert_classic)
        expo_gather_open(p);
}

void expo_close(struct expo *p)
{
    if (p->options.format == EXPO_PROTOBUF)
        expo_proto_close(p);
    else
        expo_om_close(p);
    expo_gather_close(p);
    mem_free(p->labels.items);
    mem_free(p->exemplar_labels.items);
    arena_fini(&p->arena);
}

err expo_next(struct expo *p, struct expo_entry *e, struct diag *d)
{
    *e = (struct expo_entry){.kind = EXPO_END};
    if (p->gather != NULL)
        return expo_gather_next(p, e, d);
    switch (p->options.format) {
    case EXPO_TEXT:
        return expo_text_next(p, e, d);
    case EXPO_OPENMETRICS:
        return expo_om_next(p, e, d);
    default:
        return expo_proto_next(p, e, d);
    }
}

/* A line that begins with '#', up to its end. */
static bool peek_comment(const struct expo *p, slice *key)
{
    const char *line = p->page + p->pos;
    const char *end = memchr(line, '\n', p->len - p->pos);
    if (end == NULL)
        return false;
    *key = (slice){(const uint8_t *)line, (size_t)(end - line)};
    return true;
}

bool expo_peek(const struct expo *p, slice *key)
{
    if (p->options.format == EXPO_PROTOBUF || p->pos >= p->len || p->state != STATE_INIT)
        return false;
    if (p->gather != NULL && expo_gather_is_busy(p))
        return false;
    if (p->page[p->pos] == '#')
        return peek_comment(p, key);
    return p->options.format == EXPO_TEXT ? expo_text_peek(p, key) : expo_om_peek(p, key);
}

bool expo_take(struct expo *p, slice key, struct expo_entry *e)
{
    return p->options.format == EXPO_TEXT ? expo_text_take(p, key, e) : expo_om_take(p, key, e);
}

/* `name` as it stands on the page in a plain "# TYPE name type", where it need not be copied: the
 * caller's may be gone before the page ends, and is seldom in the cache. */
static str name_on_page(struct expo *p, slice key, str name)
{
    static const char HEAD[] = "# TYPE ";
    size_t head = sizeof(HEAD) - 1;
    const char *text = (const char *)key.ptr;
    bool plain = key.len > head + name.len && memcmp(text, HEAD, head) == 0 &&
                 memchr("\" \t", text[head], 3) == NULL && text[head + name.len] == ' ';
    return plain ? (str){text + head, name.len} : arena_str(&p->arena, name);
}

void expo_take_metadata(struct expo *p, slice key, enum expo_kind kind, enum metric_type type,
                        str name)
{
    p->pos += key.len + 1;
    if (kind == EXPO_TYPE)
        expo_note_type(p, name_on_page(p, key, name), type);
}
