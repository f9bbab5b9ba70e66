/* template_html_text.c -- a template's text: contexts moved piece by piece, values of attributes
 * with their entities decoded; comments left out of what is printed. */
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "rules/template_html_context.h"

/* ---- entities, as far as contexts depend on them ---- */

struct entity {
    const char *name;
    char c;
};

/* Names of characters that mean something in scripts, styles and URLs. */
static const struct entity ENTITIES[] = {
    {"quot", '"'},
    {"QUOT", '"'},
    {"apos", '\''},
    {"amp", '&'},
    {"AMP", '&'},
    {"lt", '<'},
    {"LT", '<'},
    {"gt", '>'},
    {"GT", '>'},
    {"Tab", '\t'},
    {"NewLine", '\n'},
    {"excl", '!'},
    {"num", '#'},
    {"dollar", '$'},
    {"percnt", '%'},
    {"lpar", '('},
    {"rpar", ')'},
    {"ast", '*'},
    {"midast", '*'},
    {"plus", '+'},
    {"comma", ','},
    {"period", '.'},
    {"sol", '/'},
    {"colon", ':'},
    {"semi", ';'},
    {"equals", '='},
    {"quest", '?'},
    {"commat", '@'},
    {"lsqb", '['},
    {"lbrack", '['},
    {"bsol", '\\'},
    {"rsqb", ']'},
    {"rbrack", ']'},
    {"Hat", '^'},
    {"lowbar", '_'},
    {"UnderBar", '_'},
    {"grave", '`'},
    {"DiacriticalGrave", '`'},
    {"lcub", '{'},
    {"lbrace", '{'},
    {"verbar", '|'},
    {"vert", '|'},
    {"VerticalLine", '|'},
    {"rcub", '}'},
    {"rbrace", '}'},
    {"nbsp", ' '},
    {"NonBreakingSpace", ' '},
};
enum { ENTITIES_BARE = 9 }; /* the first, but apos, need no ';' */

static size_t name_length(str s)
{
    size_t n = 0;
    while (n < s.len &&
           ((s.ptr[n] >= 'a' && s.ptr[n] <= 'z') || (s.ptr[n] >= 'A' && s.ptr[n] <= 'Z') ||
            (s.ptr[n] >= '0' && s.ptr[n] <= '9')))
        n++;
    return n;
}

/* The entity "&name;" or "&lt" at the start of `s`; 0 when it is none. Other names with a ';' are
 * those of letters and signs: one letter stands for them all. */
static size_t decode_named(str s, struct buf *out)
{
    str name = {s.ptr + 1, name_length(html_rest(s, 1))};
    bool closed = name.len + 1 < s.len && s.ptr[name.len + 1] == ';';
    for (size_t i = 0; i < COUNT_OF(ENTITIES); i++) {
        str known = str_from(ENTITIES[i].name);
        bool bare = i < ENTITIES_BARE && ENTITIES[i].c != '\'' && str_starts(name, known);
        if (!bare && !(closed && str_eq(name, known)))
            continue;
        buf_put_u8(out, (uint8_t)ENTITIES[i].c);
        return 1 + known.len + (closed && name.len == known.len);
    }
    if (!closed || name.len == 0)
        return 0;
    buf_put_u8(out, 'x');
    return name.len + 2;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

/* "&#38;", "&#x26" */
static size_t decode_number(str s, struct buf *out)
{
    bool is_hex = s.len > 2 && (s.ptr[2] == 'x' || s.ptr[2] == 'X');
    int base = is_hex ? 16 : 10;
    size_t start = is_hex ? 3 : 2, i = start;
    uint32_t rune = 0;
    for (; i < s.len && digit_value(s.ptr[i]) < base; i++)
        if (rune <= 0x10ffff)
            rune = rune * (uint32_t)base + (uint32_t)digit_value(s.ptr[i]);
    if (i == start)
        return 0;
    if (rune >= 0x80 && rune <= 0x9f)
        rune = 'x'; /* taken for a letter or sign of Windows-1252 */
    utf8_append(out, rune == 0 ? 0xfffd : rune);
    return i + (i < s.len && s.ptr[i] == ';');
}

static void unescape(str s, struct buf *out)
{
    while (s.len > 0) {
        size_t i = html_find_any(s, "&"), n = 0;
        buf_put(out, s.ptr, i);
        s = html_rest(s, i);
        if (s.len == 0)
            return;
        if (s.len > 1)
            n = s.ptr[1] == '#' ? decode_number(s, out) : decode_named(s, out);
        if (n == 0)
            buf_put_u8(out, '&');
        s = html_rest(s, n > 0 ? n : 1);
    }
}

/* ---- contexts ---- */

struct page_reader {
    struct html_context c;
    str text;
    size_t pos;
    struct diag *diag;
    enum html_element end_of; /* whose end tag `end` is; looked for once */
    size_t end;
    bool end_known;
};

/* Is a type of <script> one of JavaScript (or JSON)? */
static bool is_script_type(str s)
{
    static const char TYPES[] =
        " application/ecmascript application/javascript application/json application/ld+json "
        "application/x-ecmascript application/x-javascript module text/ecmascript text/javascript "
        "text/javascript1.0 text/javascript1.1 text/javascript1.2 text/javascript1.3 "
        "text/javascript1.4 text/javascript1.5 text/jscript text/livescript text/x-ecmascript "
        "text/x-javascript ";
    char word[64] = " ";
    s.len = html_find_any(s, ";");
    s = html_rest(s, html_skip(s, " \t\n\v\f\r"));
    while (s.len > 0 && memchr(" \t\n\v\f\r", s.ptr[s.len - 1], 6) != NULL)
        s.len--;
    if (s.len == 0)
        return true;
    if (s.len + 3 > sizeof(word) || html_find_any(s, " ") < s.len ||
        memchr(s.ptr, '\0', s.len) != NULL)
        return false;
    memcpy(word + 1, s.ptr, s.len);
    word[s.len + 1] = ' ';
    return strcasestr(TYPES, word) != NULL;
}

/* A value that goes on behind this text. */
static void stay_in_value(struct page_reader *r, str s)
{
    struct buf plain = {0};
    unescape(s, &plain);
    str u = buf_str(&plain);
    while (u.len > 0 && r->c.state != HTML_ERROR)
        u = html_rest(u, html_next(&r->c, u, r->diag));
    buf_fini(&plain);
}

static bool is_clean_unquoted(struct page_reader *r, str value)
{
    size_t bad = html_find_any(value, "\"'<=`");
    if (bad == value.len)
        return true;
    struct buf what = {0}, where = {0};
    utf8_quote(&what, (str){value.ptr + bad, 1});
    utf8_quote(&where, value);
    (void)html_fail(&r->c, value, r->diag, STR_FMT " in unquoted attr: " STR_FMT,
                    STR_ARG(buf_str(&what)), STR_ARG(buf_str(&where)));
    buf_fini(&what);
    buf_fini(&where);
    return false;
}

static const char *delim_ends(enum html_delim delim)
{
    return delim == HTML_DELIM_DOUBLE ? "\"" : delim == HTML_DELIM_SINGLE ? "'" : " \t\n\f\r>";
}

static size_t step_value(struct page_reader *r, str s)
{
    struct html_context *c = &r->c;
    size_t i = html_find_any(s, delim_ends(c->delim));
    if (c->delim == HTML_DELIM_SPACE && !is_clean_unquoted(r, (str){s.ptr, i}))
        return s.len;
    if (i == s.len) {
        stay_in_value(r, s);
        return s.len;
    }
    enum html_element element = c->element;
    if (c->state == HTML_ATTR && element == HTML_ELEMENT_SCRIPT &&
        c->attr == HTML_ATTR_SCRIPT_TYPE && !is_script_type((str){s.ptr, i}))
        element = HTML_ELEMENT_NONE;
    i += c->delim != HTML_DELIM_SPACE;
    *c = (struct html_context){.state = HTML_TAG, .element = element};
    return i;
}

/* Where the special element's end tag stands, as a length of `s`. */
static size_t special_end(struct page_reader *r, str s)
{
    bool looks = r->c.element != HTML_ELEMENT_NONE &&
                 !(r->c.element == HTML_ELEMENT_SCRIPT &&
                   (html_is_script_literal(r->c.state) || html_is_comment(r->c.state)));
    if (!looks)
        return s.len;
    if (!r->end_known || r->end_of != r->c.element || r->end < r->pos) {
        r->end = r->pos + html_special_end(&r->c, s);
        r->end_of = r->c.element;
        r->end_known = true;
    }
    return r->end - r->pos;
}

/* Move on; returns the bytes consumed, which may be none when the context changes. */
static size_t step(struct page_reader *r)
{
    str s = html_rest(r->text, r->pos);
    if (r->c.delim != HTML_DELIM_NONE)
        return step_value(r, s);
    s.len = special_end(r, s);
    if (s.len == 0) {
        r->c = (struct html_context){0};
        return 0;
    }
    return html_next(&r->c, s, r->diag);
}

/* ---- what is printed ---- */

struct writer {
    struct buf *out;
    str text;
    size_t written; /* of `text` */
};

static void write_to(struct writer *w, size_t end)
{
    if (end > w->written)
        buf_put(w->out, w->text.ptr + w->written, end - w->written);
    w->written = end;
}

/* The last '<' of [from, to) when the context changes there, or `to`. */
static size_t markup_start(str s, size_t from, size_t to)
{
    for (size_t i = to; i > from; i--)
        if (s.ptr[i - 1] == '<')
            return i - 1;
    return to;
}

static bool is_doctype(str s)
{
    return s.len >= 9 && strncasecmp(s.ptr, "<!DOCTYPE", 9) == 0;
}

static void write_text(struct writer *w, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (w->text.ptr[i] != '<' || is_doctype(html_rest(w->text, i)))
            continue;
        write_to(w, i);
        buf_put_str(w->out, STR("&lt;"));
        w->written = i + 1;
    }
}

/* A comment is white space; with a line's end in it, one of those. */
static void drop_comment(struct writer *w, enum html_state state, size_t to)
{
    str gone = {w->text.ptr + w->written, to - w->written};
    if (state == HTML_JS_BLOCK_COMMENT) {
        bool lines = html_find_any(gone, "\n\r") < gone.len ||
                     memmem(gone.ptr, gone.len, "\xe2\x80\xa8", 3) != NULL ||
                     memmem(gone.ptr, gone.len, "\xe2\x80\xa9", 3) != NULL;
        buf_put_u8(w->out, lines ? '\n' : ' ');
    } else if (state == HTML_CSS_BLOCK_COMMENT) {
        buf_put_u8(w->out, ' ');
    }
    w->written = to;
}

/* Bytes of what begins a comment. */
static size_t comment_start(enum html_state s)
{
    if (s == HTML_COMMENT || s == HTML_JS_OPEN_COMMENT)
        return 4;
    return s == HTML_JS_CLOSE_COMMENT ? 3 : 2;
}

/* "<script", "</script" and "<!--" would be looked at by the parser of HTML first. */
static bool is_special_tag(str s)
{
    return (s.len >= 7 && strncasecmp(s.ptr, "<script", 7) == 0) ||
           (s.len >= 8 && strncasecmp(s.ptr, "</script", 8) == 0) || str_starts(s, STR("<!--"));
}

static void write_literal(struct writer *w, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (!is_special_tag((str){w->text.ptr + i, to - i}))
            continue;
        write_to(w, i);
        buf_put_str(w->out, STR("\\x3C"));
        w->written = i + 1;
    }
}

static void write_piece(struct writer *w, const struct html_context *from,
                        const struct html_context *to, size_t start, size_t end)
{
    bool from_comment = html_is_comment(from->state) && from->delim == HTML_DELIM_NONE;
    bool to_comment = html_is_comment(to->state) && to->delim == HTML_DELIM_NONE;
    if (from->state == HTML_TEXT || from->state == HTML_RCDATA)
        write_text(w, start, from->state == to->state ? end : markup_start(w->text, start, end));
    else if (from_comment)
        drop_comment(w, from->state, end);
    if (from->state != to->state && to_comment) {
        write_to(w, end - comment_start(to->state));
        w->written = end;
    }
    if (html_is_script_literal(from->state))
        write_literal(w, start, end);
}

err html_text(struct html_context *c, str text, struct buf *out, struct diag *d)
{
    struct page_reader r = {.c = *c, .text = text, .diag = d};
    struct writer w = {out, text, 0};
    size_t start = out->len;
    while (r.pos < text.len) {
        struct html_context before = r.c;
        size_t n = step(&r);
        if (r.c.state == HTML_ERROR)
            return ERR_INVALID;
        if (n == 0 && r.c.state == before.state)
            return diag_set(d, ERR_INVALID, "no way on from %zu bytes of text", text.len - r.pos);
        write_piece(&w, &before, &r.c, r.pos, r.pos + n);
        r.pos += n;
    }
    if (w.written == 0)
        out->len = start; /* nothing but the blank of a comment that began earlier */
    if (w.written == 0 || !html_is_comment(r.c.state) || r.c.delim != HTML_DELIM_NONE)
        write_to(&w, text.len);
    *c = r.c;
    return OK;
}

/* ---- html to text ---- */

/* One step outside attributes' values; scripts and styles are text here. */
static size_t strip_step(struct html_context *c, str s)
{
    struct diag ignored = {0};
    struct html_context as = *c;
    bool in_tag = c->state == HTML_TAG ||
                  (c->state >= HTML_ATTR_NAME && c->state <= HTML_BEFORE_VALUE) ||
                  c->state == HTML_ATTR;
    if (c->element == HTML_ELEMENT_NONE || in_tag)
        return html_next(c, s, &ignored);
    as.state = HTML_RCDATA;
    size_t n = html_next(&as, s, &ignored);
    if (as.state == HTML_RCDATA)
        as.state = c->state;
    *c = as;
    return n;
}

void html_strip_tags(str html, struct buf *out)
{
    struct html_context c = {0};
    bool all_text = true;
    size_t i = 0;
    while (i < html.len) {
        str rest = html_rest(html, i);
        if (c.delim != HTML_DELIM_NONE) {
            size_t n = html_find_any(rest, delim_ends(c.delim));
            if (n == rest.len)
                break;
            i += n + (c.delim != HTML_DELIM_SPACE);
            c = (struct html_context){.state = HTML_TAG, .element = c.element};
            continue;
        }
        struct html_context before = c;
        bool is_text = c.state == HTML_TEXT || c.state == HTML_RCDATA;
        size_t n = strip_step(&c, rest);
        size_t end = c.state != before.state ? markup_start(html, i, i + n) : i + n;
        if (is_text)
            buf_put(out, html.ptr + i, end - i);
        all_text = all_text && is_text;
        i += n;
    }
    if (all_text) {
        buf_reset(out);
        buf_put_str(out, html);
    } else if (c.state == HTML_TEXT || c.state == HTML_RCDATA) {
        buf_put_str(out, html_rest(html, i));
    }
}
